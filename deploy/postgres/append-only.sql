-- After each `migrate`, as who owns the tables: the application may use all of them, but what is
-- only ever added to it cannot change, and what is never removed it cannot remove, whatever bug or
-- stolen password it runs with.
--   psql -f append-only.sql orderly
\set ON_ERROR_STOP on
\if :{?app} \else \set app orderly_app \endif

BEGIN;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO :"app";
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO :"app";

REVOKE UPDATE, DELETE ON stock_movements, order_timeline, operator_action FROM :"app";
REVOKE DELETE ON orders, order_lines, fulfillments, fulfillment_lines, products,
    stock_levels, stock_items, locations, reservations, reservation_lines,
    receipts, adjustments, issues, api_keys, log_head FROM :"app";
-- Which schema this is, `migrate` alone says.
REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM :"app";

-- Who does not own the tables is warned by each statement above, and no more.
SELECT has_table_privilege(:'app', 'stock_movements', 'UPDATE') AS failed \gset
\if :failed
DO $$ BEGIN RAISE 'nothing was revoked: run this as who owns the tables'; END $$;
\endif
COMMIT;
