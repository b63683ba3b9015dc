-- After each `migrate`, as orderly_owner: what is only ever added to cannot be changed by the
-- application, whatever bug or stolen password it runs with.
REVOKE UPDATE, DELETE, TRUNCATE ON stock_movements, order_timeline, operator_action FROM orderly_app;
