-- After each `migrate`, as who owns the tables: what reports may read. Not the keys, sessions and
-- stored answers of the API, nor what the bus keeps for itself.
--   psql -f reader.sql orderly
\set ON_ERROR_STOP on
\if :{?reader} \else \set reader orderly_reader \endif

BEGIN;
GRANT SELECT ON orders, order_lines, order_timeline, fulfillments, fulfillment_lines, products,
    stock_levels, stock_items, stock_movements, locations, reservations, reservation_lines,
    receipts, adjustments TO :"reader";

-- Who does not own the tables is warned by the statement above, and no more.
SELECT NOT has_table_privilege(:'reader', 'orders', 'SELECT') AS failed \gset
\if :failed
DO $$ BEGIN RAISE 'nothing was granted: run this as who owns the tables'; END $$;
\endif
COMMIT;
