CREATE FUNCTION public.refuse_to_change_the_ledger() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
            BEGIN
                RAISE EXCEPTION 'stock_movements is append-only';
            END $$;
CREATE TABLE public.adjustments (
    id character varying(36) NOT NULL COLLATE pg_catalog."C",
    kind character varying(16) NOT NULL COLLATE pg_catalog."C",
    reason character varying(200) NOT NULL,
    reference character varying(120) COLLATE pg_catalog."C",
    actor character varying(80) COLLATE pg_catalog."C",
    created_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL,
    oldest character varying(32)
);
CREATE TABLE public.api_keys (
    id character varying(40) NOT NULL COLLATE pg_catalog."C",
    name character varying(100) NOT NULL,
    prefix character varying(40) NOT NULL COLLATE pg_catalog."C",
    hash character varying(64) NOT NULL COLLATE pg_catalog."C",
    previous_hash character varying(64) COLLATE pg_catalog."C",
    previous_until timestamp with time zone,
    scopes text NOT NULL,
    customer_id character varying(120) COLLATE pg_catalog."C",
    rate_limit integer,
    created_by character varying(80) NOT NULL COLLATE pg_catalog."C",
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone,
    last_used_at timestamp with time zone,
    revoked_at timestamp with time zone,
    CONSTRAINT ck_api_keys_previous CHECK (((previous_hash IS NULL) = (previous_until IS NULL))),
    CONSTRAINT ck_api_keys_rate_limit CHECK ((rate_limit > 0))
);
CREATE TABLE public.console_sessions (
    token_digest character varying(64) NOT NULL COLLATE pg_catalog."C",
    principal character varying(40) NOT NULL COLLATE pg_catalog."C",
    digest character varying(64) NOT NULL COLLATE pg_catalog."C",
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone NOT NULL
);
CREATE TABLE public.delivery (
    subscriber character varying(80) NOT NULL COLLATE pg_catalog."C",
    event_id uuid NOT NULL,
    state character varying(12) NOT NULL COLLATE pg_catalog."C",
    reason character varying(12) NOT NULL COLLATE pg_catalog."C",
    attempts integer NOT NULL,
    unfinished integer NOT NULL,
    next_attempt_at timestamp with time zone,
    error_type character varying(200) COLLATE pg_catalog."C",
    error text,
    envelope text,
    action_id uuid,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    traceback text
);
CREATE TABLE public.failed_attempt (
    id bigint NOT NULL,
    subscriber character varying(80) NOT NULL COLLATE pg_catalog."C",
    event_id uuid NOT NULL,
    attempt integer NOT NULL,
    becomes character varying(12) NOT NULL COLLATE pg_catalog."C",
    error_type character varying(200) NOT NULL COLLATE pg_catalog."C",
    error text NOT NULL,
    took_ms double precision,
    failed_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE SEQUENCE public.failed_attempt_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.failed_attempt_id_seq OWNED BY public.failed_attempt.id;
CREATE TABLE public.fulfillment_lines (
    fulfillment_id character varying(36) NOT NULL COLLATE pg_catalog."C",
    sku character varying(64) NOT NULL COLLATE pg_catalog."C",
    quantity bigint NOT NULL,
    CONSTRAINT ck_fulfillment_lines_quantity CHECK ((quantity > 0))
);
CREATE TABLE public.fulfillments (
    id character varying(36) NOT NULL COLLATE pg_catalog."C",
    order_id character varying(36) NOT NULL COLLATE pg_catalog."C",
    status character varying(16) NOT NULL COLLATE pg_catalog."C",
    tracking character varying(200),
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE public.idempotency_keys (
    principal character varying(80) NOT NULL COLLATE pg_catalog."C",
    key character varying(255) NOT NULL COLLATE pg_catalog."C",
    fingerprint character varying(64) NOT NULL COLLATE pg_catalog."C",
    status integer NOT NULL,
    headers text NOT NULL,
    body text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE public.inbox (
    subscriber character varying(80) NOT NULL COLLATE pg_catalog."C",
    event_id uuid NOT NULL,
    handled_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE public.issues (
    fulfillment_id character varying(36) NOT NULL COLLATE pg_catalog."C",
    order_id character varying(36) NOT NULL COLLATE pg_catalog."C",
    state character varying(16) NOT NULL COLLATE pg_catalog."C",
    created_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE public.locations (
    id character varying(64) NOT NULL COLLATE pg_catalog."C",
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    name character varying(200),
    priority integer DEFAULT 0 NOT NULL,
    active boolean DEFAULT true NOT NULL,
    version bigint DEFAULT '1'::bigint NOT NULL
);
CREATE TABLE public.log_head (
    id integer NOT NULL,
    "position" bigint NOT NULL,
    database_id uuid,
    pruned_position bigint DEFAULT '0'::bigint NOT NULL
);
CREATE TABLE public.operator_action (
    id uuid NOT NULL,
    action character varying(20) NOT NULL COLLATE pg_catalog."C",
    subscriber character varying(80) COLLATE pg_catalog."C",
    event_id uuid,
    who character varying(80) NOT NULL COLLATE pg_catalog."C",
    detail text NOT NULL,
    total bigint NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE public.order_lines (
    order_id character varying(36) NOT NULL COLLATE pg_catalog."C",
    sku character varying(64) NOT NULL COLLATE pg_catalog."C",
    "position" integer NOT NULL,
    title character varying(200) NOT NULL,
    quantity bigint NOT NULL,
    unit_price_minor bigint NOT NULL,
    available bigint,
    fulfilling bigint DEFAULT '0'::bigint NOT NULL,
    fulfilled bigint DEFAULT '0'::bigint NOT NULL,
    CONSTRAINT ck_order_lines_fulfilled CHECK (((fulfilling >= 0) AND (fulfilled >= 0) AND ((fulfilling + fulfilled) <= quantity))),
    CONSTRAINT ck_order_lines_quantity CHECK ((quantity > 0)),
    CONSTRAINT ck_order_lines_unit_price CHECK ((unit_price_minor >= 0))
);
CREATE TABLE public.order_timeline (
    order_id character varying(36) NOT NULL COLLATE pg_catalog."C",
    version bigint NOT NULL,
    action character varying(24) NOT NULL COLLATE pg_catalog."C",
    from_status character varying(16) COLLATE pg_catalog."C",
    to_status character varying(16) NOT NULL COLLATE pg_catalog."C",
    actor character varying(80) COLLATE pg_catalog."C",
    event_id uuid,
    event_type character varying(120) COLLATE pg_catalog."C",
    detail text DEFAULT '{}'::text NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE public.orders (
    id character varying(36) NOT NULL COLLATE pg_catalog."C",
    reference character varying(120) COLLATE pg_catalog."C",
    customer_id character varying(120) NOT NULL COLLATE pg_catalog."C",
    status character varying(16) NOT NULL COLLATE pg_catalog."C",
    currency character varying(3) NOT NULL COLLATE pg_catalog."C",
    total_minor bigint NOT NULL,
    version bigint NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    confirm character varying(8) DEFAULT 'auto'::character varying NOT NULL COLLATE pg_catalog."C",
    hold_s integer,
    reserved_at timestamp with time zone,
    expires_at timestamp with time zone,
    cancel_reason character varying(500),
    created_event_id uuid,
    CONSTRAINT ck_orders_total CHECK ((total_minor >= 0))
);
CREATE TABLE public.outbox (
    "position" bigint NOT NULL,
    event_id uuid NOT NULL,
    type character varying(120) NOT NULL COLLATE pg_catalog."C",
    context character varying(60) NOT NULL COLLATE pg_catalog."C",
    subject character varying(80) NOT NULL COLLATE pg_catalog."C",
    correlation_id character varying(128) NOT NULL COLLATE pg_catalog."C",
    envelope text NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    published_at timestamp with time zone,
    stream_id character varying(40),
    log_position bigint
);
CREATE SEQUENCE public.outbox_position_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.outbox_position_seq OWNED BY public.outbox."position";
CREATE TABLE public.pause (
    subscriber character varying(80) NOT NULL COLLATE pg_catalog."C",
    who character varying(80) NOT NULL COLLATE pg_catalog."C",
    reason text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE public.products (
    sku character varying(64) NOT NULL COLLATE pg_catalog."C",
    title character varying(200) NOT NULL,
    unit_price_minor bigint NOT NULL,
    currency character varying(3) NOT NULL COLLATE pg_catalog."C",
    active boolean NOT NULL,
    version bigint NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT ck_products_unit_price CHECK ((unit_price_minor >= 0))
);
CREATE TABLE public.pruned (
    event_id uuid NOT NULL,
    pruned_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE public.receipts (
    id character varying(36) NOT NULL COLLATE pg_catalog."C",
    reference character varying(120) COLLATE pg_catalog."C",
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    actor character varying(80) COLLATE pg_catalog."C"
);
CREATE TABLE public.reservation_lines (
    order_id character varying(36) NOT NULL COLLATE pg_catalog."C",
    sku character varying(64) NOT NULL COLLATE pg_catalog."C",
    location character varying(64) NOT NULL COLLATE pg_catalog."C",
    quantity bigint NOT NULL,
    issued bigint DEFAULT '0'::bigint NOT NULL,
    CONSTRAINT ck_reservation_lines_issued CHECK (((issued >= 0) AND (issued <= quantity))),
    CONSTRAINT ck_reservation_lines_quantity CHECK ((quantity > 0))
);
CREATE TABLE public.reservations (
    order_id character varying(36) NOT NULL COLLATE pg_catalog."C",
    state character varying(16) NOT NULL COLLATE pg_catalog."C",
    version bigint NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE public.settled (
    subscriber character varying(80) NOT NULL COLLATE pg_catalog."C",
    log_position bigint NOT NULL
);
CREATE TABLE public.stock_items (
    sku character varying(64) NOT NULL COLLATE pg_catalog."C",
    safety_stock bigint NOT NULL,
    low_stock_at bigint NOT NULL,
    version bigint NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT ck_stock_items_low_stock_at CHECK ((low_stock_at >= 0)),
    CONSTRAINT ck_stock_items_safety_stock CHECK ((safety_stock >= 0))
);
CREATE TABLE public.stock_levels (
    sku character varying(64) NOT NULL COLLATE pg_catalog."C",
    location character varying(64) NOT NULL COLLATE pg_catalog."C",
    on_hand bigint NOT NULL,
    reserved bigint NOT NULL,
    version bigint NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    committed bigint DEFAULT '0'::bigint NOT NULL,
    CONSTRAINT ck_stock_levels_committed CHECK (((committed >= 0) AND (committed <= reserved))),
    CONSTRAINT ck_stock_levels_on_hand CHECK ((on_hand >= 0)),
    CONSTRAINT ck_stock_levels_reserved CHECK (((reserved >= 0) AND (reserved <= on_hand)))
);
CREATE TABLE public.stock_movements (
    id bigint NOT NULL,
    sku character varying(64) NOT NULL COLLATE pg_catalog."C",
    location character varying(64) NOT NULL COLLATE pg_catalog."C",
    kind character varying(16) NOT NULL COLLATE pg_catalog."C",
    d_on_hand bigint NOT NULL,
    d_reserved bigint NOT NULL,
    on_hand_after bigint NOT NULL,
    reserved_after bigint NOT NULL,
    order_id character varying(36) COLLATE pg_catalog."C",
    receipt_id character varying(36) COLLATE pg_catalog."C",
    event_id uuid,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    d_committed bigint DEFAULT '0'::bigint NOT NULL,
    committed_after bigint DEFAULT '0'::bigint NOT NULL,
    adjustment_id character varying(36) COLLATE pg_catalog."C",
    fulfillment_id character varying(36) COLLATE pg_catalog."C",
    CONSTRAINT ck_stock_movements_after CHECK (((reserved_after >= 0) AND (reserved_after <= on_hand_after))),
    CONSTRAINT ck_stock_movements_committed_after CHECK (((committed_after >= 0) AND (committed_after <= reserved_after)))
);
CREATE SEQUENCE public.stock_movements_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.stock_movements_id_seq OWNED BY public.stock_movements.id;
CREATE TABLE public.subscription (
    subscriber character varying(80) NOT NULL COLLATE pg_catalog."C",
    event_type character varying(120) NOT NULL COLLATE pg_catalog."C",
    since_log_position bigint NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE ONLY public.failed_attempt ALTER COLUMN id SET DEFAULT nextval('public.failed_attempt_id_seq'::regclass);
ALTER TABLE ONLY public.outbox ALTER COLUMN "position" SET DEFAULT nextval('public.outbox_position_seq'::regclass);
ALTER TABLE ONLY public.stock_movements ALTER COLUMN id SET DEFAULT nextval('public.stock_movements_id_seq'::regclass);
INSERT INTO public.adjustments VALUES ('adj_01900000000070008000000000000057', 'adjust', 'broken', NULL, NULL, '2026-01-01 12:00:00.000000+00');
INSERT INTO public.adjustments VALUES ('adj_01900000000070008000000000000058', 'count', 'yearly', NULL, NULL, '2026-01-01 12:00:00.000000+00');
INSERT INTO public.alembic_version VALUES ('0009', NULL);
INSERT INTO public.api_keys VALUES ('key_01900000000070008000000000000077', 'web shop', 'ok_0123', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', NULL, NULL, 'orders:read orders:write', NULL, NULL, 'key', '2026-01-01 12:00:00.000000+00', NULL, NULL, NULL);
INSERT INTO public.console_sessions VALUES ('bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb', 'key', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', '2026-01-01 12:00:00.000000+00', '2100-01-01 12:00:00.000000+00');
INSERT INTO public.delivery VALUES ('inventory', '01900000-0000-7000-8000-000000000070', 'dead', 'failed', 1, 0, NULL, 'PermanentError', 'no such shelf for ord_0190000000007000800000000000006f', NULL, NULL, '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', 'ValueError: …');
INSERT INTO public.delivery VALUES ('inventory', '01900000-0000-7000-8000-000000000073', 'due', 'failed', 1, 0, '2026-01-01 12:00:00.000000+00', 'ValueError', 'ord_01900000000070008000000000000072', NULL, NULL, '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', 'ValueError: …');
INSERT INTO public.failed_attempt VALUES (1, 'inventory', '01900000-0000-7000-8000-000000000070', 1, 'dead', 'PermanentError', 'no such shelf for ord_0190000000007000800000000000006f', 1, '2026-01-01 12:00:00.000000+00');
INSERT INTO public.failed_attempt VALUES (2, 'inventory', '01900000-0000-7000-8000-000000000073', 1, 'due', 'ValueError', 'ord_01900000000070008000000000000072', 1, '2026-01-01 12:00:00.000000+00');
INSERT INTO public.fulfillment_lines VALUES ('ful_01900000000070008000000000000041', 'HAT', 1);
INSERT INTO public.fulfillment_lines VALUES ('ful_01900000000070008000000000000043', 'MUG', 24);
INSERT INTO public.fulfillment_lines VALUES ('ful_01900000000070008000000000000045', 'MUG', 1);
INSERT INTO public.fulfillment_lines VALUES ('ful_01900000000070008000000000000047', 'HAT', 2);
INSERT INTO public.fulfillment_lines VALUES ('ful_01900000000070008000000000000047', 'MUG', 1);
INSERT INTO public.fulfillment_lines VALUES ('ful_01900000000070008000000000000052', 'HAT', 1);
INSERT INTO public.fulfillment_lines VALUES ('ful_01900000000070008000000000000052', 'MUG', 1);
INSERT INTO public.fulfillment_lines VALUES ('ful_01900000000070008000000000000055', 'MUG', 1);
INSERT INTO public.fulfillment_lines VALUES ('ful_0190000000007000800000000000006a', 'HAT', 1);
INSERT INTO public.fulfillments VALUES ('ful_01900000000070008000000000000041', 'ord_01900000000070008000000000000007', 'issued', NULL, '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.fulfillments VALUES ('ful_01900000000070008000000000000043', 'ord_0190000000007000800000000000000f', 'issued', NULL, '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.fulfillments VALUES ('ful_01900000000070008000000000000045', 'ord_01900000000070008000000000000013', 'issued', NULL, '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.fulfillments VALUES ('ful_01900000000070008000000000000047', 'ord_01900000000070008000000000000009', 'cancelled', NULL, '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.fulfillments VALUES ('ful_01900000000070008000000000000052', 'ord_0190000000007000800000000000000f', 'issued', NULL, '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.fulfillments VALUES ('ful_01900000000070008000000000000055', 'ord_01900000000070008000000000000009', 'issued', NULL, '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.fulfillments VALUES ('ful_0190000000007000800000000000006a', 'ord_01900000000070008000000000000060', 'requested', NULL, '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.idempotency_keys VALUES ('key', 'order-0001', 'bd336725d79d02df39591b5327a1b9498070cd47e5e475abedf6308ff8bcab14', 201, '{"Location": "/v1/orders/ord_01900000000070008000000000000075", "ETag": "\"1\""}', '{"id":"ord_01900000000070008000000000000075","reference":null,"status":"pending","customer_id":"c-1","total":{"amount":"4.25","currency":"GBP"},"confirm":"auto","hold_seconds":null,"reserved_at":null,"expires_at":null,"cancel_reason":null,"allowed_actions":["cancel"],"version":1,"created_at":"2026-01-01T12:00:00.000000Z","updated_at":"2026-01-01T12:00:00.000000Z","lines":[{"sku":"MUG","title":"Mug","quantity":1,"unit_price":{"amount":"4.25","currency":"GBP"},"total":{"amount":"4.25","currency":"GBP"},"fulfilling":0,"fulfilled":0}],"shortages":[],"fulfillments":[]}', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.inbox VALUES ('inventory', '01900000-0000-7000-8000-000000000004', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.inbox VALUES ('inventory', '01900000-0000-7000-8000-000000000006', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.inbox VALUES ('inventory', '01900000-0000-7000-8000-000000000008', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.inbox VALUES ('inventory', '01900000-0000-7000-8000-00000000000a', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.inbox VALUES ('inventory', '01900000-0000-7000-8000-00000000000c', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.inbox VALUES ('inventory', '01900000-0000-7000-8000-00000000000e', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.inbox VALUES ('inventory', '01900000-0000-7000-8000-000000000010', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.inbox VALUES ('inventory', '01900000-0000-7000-8000-000000000012', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.inbox VALUES ('inventory', '01900000-0000-7000-8000-000000000014', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.inbox VALUES ('inventory', '01900000-0000-7000-8000-000000000016', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.inbox VALUES ('inventory', '01900000-0000-7000-8000-000000000018', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.inbox VALUES ('inventory', '01900000-0000-7000-8000-00000000001a', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.inbox VALUES ('inventory', '01900000-0000-7000-8000-00000000001c', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.inbox VALUES ('inventory', '01900000-0000-7000-8000-00000000001e', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.inbox VALUES ('inventory', '01900000-0000-7000-8000-00000000001f', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.inbox VALUES ('inventory', '01900000-0000-7000-8000-00000000003b', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.inbox VALUES ('inventory', '01900000-0000-7000-8000-00000000003d', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.inbox VALUES ('inventory', '01900000-0000-7000-8000-00000000003e', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.inbox VALUES ('inventory', '01900000-0000-7000-8000-00000000003f', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.inbox VALUES ('inventory', '01900000-0000-7000-8000-000000000040', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.inbox VALUES ('inventory', '01900000-0000-7000-8000-000000000042', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.inbox VALUES ('inventory', '01900000-0000-7000-8000-000000000044', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.inbox VALUES ('inventory', '01900000-0000-7000-8000-000000000046', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.inbox VALUES ('inventory', '01900000-0000-7000-8000-000000000048', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.inbox VALUES ('inventory', '01900000-0000-7000-8000-000000000049', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.inbox VALUES ('inventory', '01900000-0000-7000-8000-000000000053', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.inbox VALUES ('inventory', '01900000-0000-7000-8000-000000000054', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.inbox VALUES ('inventory', '01900000-0000-7000-8000-000000000056', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.inbox VALUES ('inventory', '01900000-0000-7000-8000-00000000005f', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.inbox VALUES ('inventory', '01900000-0000-7000-8000-000000000061', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.inbox VALUES ('inventory', '01900000-0000-7000-8000-000000000063', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.inbox VALUES ('orders', '01900000-0000-7000-8000-000000000021', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.inbox VALUES ('orders', '01900000-0000-7000-8000-000000000022', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.inbox VALUES ('orders', '01900000-0000-7000-8000-000000000023', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.inbox VALUES ('orders', '01900000-0000-7000-8000-000000000024', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.inbox VALUES ('orders', '01900000-0000-7000-8000-000000000025', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.inbox VALUES ('orders', '01900000-0000-7000-8000-000000000026', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.inbox VALUES ('orders', '01900000-0000-7000-8000-000000000027', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.inbox VALUES ('orders', '01900000-0000-7000-8000-000000000028', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.inbox VALUES ('orders', '01900000-0000-7000-8000-000000000029', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.inbox VALUES ('orders', '01900000-0000-7000-8000-00000000002a', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.inbox VALUES ('orders', '01900000-0000-7000-8000-00000000002b', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.inbox VALUES ('orders', '01900000-0000-7000-8000-00000000002c', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.inbox VALUES ('orders', '01900000-0000-7000-8000-00000000002d', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.inbox VALUES ('orders', '01900000-0000-7000-8000-00000000004a', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.inbox VALUES ('orders', '01900000-0000-7000-8000-00000000004f', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.inbox VALUES ('orders', '01900000-0000-7000-8000-000000000050', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.inbox VALUES ('orders', '01900000-0000-7000-8000-000000000051', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.inbox VALUES ('orders', '01900000-0000-7000-8000-000000000059', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.inbox VALUES ('orders', '01900000-0000-7000-8000-00000000005b', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.inbox VALUES ('orders', '01900000-0000-7000-8000-000000000064', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.inbox VALUES ('orders', '01900000-0000-7000-8000-000000000065', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.inbox VALUES ('orders', '01900000-0000-7000-8000-000000000066', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.issues VALUES ('ful_01900000000070008000000000000041', 'ord_01900000000070008000000000000007', 'issued', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.issues VALUES ('ful_01900000000070008000000000000043', 'ord_0190000000007000800000000000000f', 'issued', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.issues VALUES ('ful_01900000000070008000000000000045', 'ord_01900000000070008000000000000013', 'issued', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.issues VALUES ('ful_01900000000070008000000000000047', 'ord_01900000000070008000000000000009', 'void', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.issues VALUES ('ful_01900000000070008000000000000052', 'ord_0190000000007000800000000000000f', 'issued', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.issues VALUES ('ful_01900000000070008000000000000055', 'ord_01900000000070008000000000000009', 'issued', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.locations VALUES ('default', '2026-01-01 12:00:00.000000+00', NULL, 0, true, 1);
INSERT INTO public.locations VALUES ('far', '2026-01-01 12:00:00.000000+00', NULL, 1, true, 1);
INSERT INTO public.locations VALUES ('near', '2026-01-01 12:00:00.000000+00', NULL, 0, true, 1);
INSERT INTO public.log_head VALUES (1, 80, '01900000-0000-4000-8000-000000000001', 0);
INSERT INTO public.operator_action VALUES ('01900000-0000-7000-8000-000000000078', 'pause', 'orders', NULL, 'ann', '{"reason": "stock-taking"}', 0, '2026-01-01 12:00:00.000000+00');
INSERT INTO public.order_lines VALUES ('ord_01900000000070008000000000000003', 'HAT', 2, 'Hat', 2, 900, NULL, 0, 0);
INSERT INTO public.order_lines VALUES ('ord_01900000000070008000000000000003', 'MUG', 1, 'Mug', 1, 425, NULL, 0, 0);
INSERT INTO public.order_lines VALUES ('ord_01900000000070008000000000000005', 'HAT', 2, 'Hat', 2, 900, NULL, 0, 0);
INSERT INTO public.order_lines VALUES ('ord_01900000000070008000000000000005', 'MUG', 1, 'Mug', 1, 425, NULL, 0, 0);
INSERT INTO public.order_lines VALUES ('ord_01900000000070008000000000000007', 'HAT', 2, 'Hat', 2, 900, NULL, 0, 1);
INSERT INTO public.order_lines VALUES ('ord_01900000000070008000000000000007', 'MUG', 1, 'Mug', 1, 425, NULL, 0, 0);
INSERT INTO public.order_lines VALUES ('ord_01900000000070008000000000000009', 'HAT', 2, 'Hat', 2, 900, NULL, 0, 0);
INSERT INTO public.order_lines VALUES ('ord_01900000000070008000000000000009', 'MUG', 1, 'Mug', 1, 425, NULL, 0, 1);
INSERT INTO public.order_lines VALUES ('ord_0190000000007000800000000000000b', 'HAT', 2, 'Hat', 2, 900, NULL, 0, 0);
INSERT INTO public.order_lines VALUES ('ord_0190000000007000800000000000000b', 'MUG', 1, 'Mug', 1, 425, NULL, 0, 0);
INSERT INTO public.order_lines VALUES ('ord_0190000000007000800000000000000d', 'MUG', 1, 'Mug', 25, 425, NULL, 0, 0);
INSERT INTO public.order_lines VALUES ('ord_0190000000007000800000000000000f', 'HAT', 2, 'Hat', 1, 900, NULL, 0, 1);
INSERT INTO public.order_lines VALUES ('ord_0190000000007000800000000000000f', 'MUG', 1, 'Mug', 25, 425, NULL, 0, 25);
INSERT INTO public.order_lines VALUES ('ord_01900000000070008000000000000011', 'MUG', 1, 'Mug', 9999, 425, 26, 0, 0);
INSERT INTO public.order_lines VALUES ('ord_01900000000070008000000000000013', 'MUG', 1, 'Mug', 2, 425, NULL, 0, 1);
INSERT INTO public.order_lines VALUES ('ord_01900000000070008000000000000015', 'MUG', 1, 'Mug', 3, 425, NULL, 0, 0);
INSERT INTO public.order_lines VALUES ('ord_01900000000070008000000000000017', 'MUG', 1, 'Mug', 3, 425, NULL, 0, 0);
INSERT INTO public.order_lines VALUES ('ord_01900000000070008000000000000019', 'MUG', 1, 'Mug', 3, 425, NULL, 0, 0);
INSERT INTO public.order_lines VALUES ('ord_0190000000007000800000000000001b', 'MUG', 1, 'Mug', 3, 425, NULL, 0, 0);
INSERT INTO public.order_lines VALUES ('ord_0190000000007000800000000000001d', 'MUG', 1, 'Mug', 3, 425, NULL, 0, 0);
INSERT INTO public.order_lines VALUES ('ord_0190000000007000800000000000005e', 'MUG', 1, 'Mug', 1, 425, NULL, 0, 0);
INSERT INTO public.order_lines VALUES ('ord_01900000000070008000000000000060', 'HAT', 1, 'Hat', 2, 900, NULL, 1, 0);
INSERT INTO public.order_lines VALUES ('ord_01900000000070008000000000000062', 'MUG', 1, 'Mug', 3, 425, NULL, 0, 0);
INSERT INTO public.order_lines VALUES ('ord_0190000000007000800000000000006c', 'MUG', 1, 'Mug', 4, 425, NULL, 0, 0);
INSERT INTO public.order_lines VALUES ('ord_0190000000007000800000000000006f', 'MUG', 1, 'Mug', 1, 425, NULL, 0, 0);
INSERT INTO public.order_lines VALUES ('ord_01900000000070008000000000000072', 'MUG', 1, 'Mug', 1, 425, NULL, 0, 0);
INSERT INTO public.order_lines VALUES ('ord_01900000000070008000000000000075', 'MUG', 1, 'Mug', 1, 425, NULL, 0, 0);
INSERT INTO public.order_lines VALUES ('ord_01900000000070008000000000000079', 'MUG', 1, 'Mug', 2, 425, NULL, 0, 0);
INSERT INTO public.order_lines VALUES ('ord_0190000000007000800000000000007b', 'HAT', 1, 'Hat', 1, 900, NULL, 0, 0);
INSERT INTO public.order_timeline VALUES ('ord_01900000000070008000000000000003', 1, 'place', NULL, 'pending', NULL, NULL, NULL, '{}', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.order_timeline VALUES ('ord_01900000000070008000000000000003', 2, 'confirm', 'pending', 'confirmed', NULL, '01900000-0000-7000-8000-000000000021', 'inventory.stock_reserved.v1', '{}', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.order_timeline VALUES ('ord_01900000000070008000000000000005', 1, 'place', NULL, 'pending', NULL, NULL, NULL, '{}', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.order_timeline VALUES ('ord_01900000000070008000000000000005', 2, 'confirm', 'pending', 'confirmed', NULL, '01900000-0000-7000-8000-000000000022', 'inventory.stock_reserved.v1', '{}', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.order_timeline VALUES ('ord_01900000000070008000000000000005', 3, 'cancel', 'confirmed', 'cancelled', 'clerk', NULL, NULL, '{"reason": "changed my mind"}', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.order_timeline VALUES ('ord_01900000000070008000000000000007', 1, 'place', NULL, 'pending', NULL, NULL, NULL, '{}', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.order_timeline VALUES ('ord_01900000000070008000000000000007', 2, 'confirm', 'pending', 'confirmed', NULL, '01900000-0000-7000-8000-000000000023', 'inventory.stock_reserved.v1', '{}', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.order_timeline VALUES ('ord_01900000000070008000000000000007', 3, 'fulfill', 'confirmed', 'confirmed', 'clerk', NULL, NULL, '{"fulfillment_id": "ful_01900000000070008000000000000041", "lines": {"HAT": 1}}', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.order_timeline VALUES ('ord_01900000000070008000000000000007', 4, 'fulfillment_issued', 'confirmed', 'confirmed', NULL, '01900000-0000-7000-8000-00000000004f', 'inventory.stock_issued.v1', '{"fulfillment_id": "ful_01900000000070008000000000000041"}', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.order_timeline VALUES ('ord_01900000000070008000000000000009', 1, 'place', NULL, 'pending', NULL, NULL, NULL, '{}', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.order_timeline VALUES ('ord_01900000000070008000000000000009', 2, 'confirm', 'pending', 'confirmed', NULL, '01900000-0000-7000-8000-000000000024', 'inventory.stock_reserved.v1', '{}', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.order_timeline VALUES ('ord_01900000000070008000000000000009', 3, 'fulfill', 'confirmed', 'confirmed', 'clerk', NULL, NULL, '{"fulfillment_id": "ful_01900000000070008000000000000047", "lines": {"MUG": 1, "HAT": 2}}', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.order_timeline VALUES ('ord_01900000000070008000000000000009', 4, 'cancel_fulfillment', 'confirmed', 'confirmed', 'clerk', NULL, NULL, '{"fulfillment_id": "ful_01900000000070008000000000000047"}', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.order_timeline VALUES ('ord_01900000000070008000000000000009', 5, 'fulfillment_cancelled', 'confirmed', 'confirmed', NULL, '01900000-0000-7000-8000-00000000004a', 'inventory.stock_issue_voided.v1', '{"fulfillment_id": "ful_01900000000070008000000000000047"}', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.order_timeline VALUES ('ord_01900000000070008000000000000009', 6, 'fulfill', 'confirmed', 'confirmed', 'clerk', NULL, NULL, '{"fulfillment_id": "ful_01900000000070008000000000000055", "lines": {"MUG": 1}}', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.order_timeline VALUES ('ord_01900000000070008000000000000009', 7, 'fulfillment_issued', 'confirmed', 'confirmed', NULL, '01900000-0000-7000-8000-00000000005b', 'inventory.stock_issued.v1', '{"fulfillment_id": "ful_01900000000070008000000000000055"}', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.order_timeline VALUES ('ord_0190000000007000800000000000000b', 1, 'place', NULL, 'pending', NULL, NULL, NULL, '{}', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.order_timeline VALUES ('ord_0190000000007000800000000000000b', 2, 'cancel', 'pending', 'cancelled', 'clerk', NULL, NULL, '{"reason": "changed my mind"}', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.order_timeline VALUES ('ord_0190000000007000800000000000000d', 1, 'place', NULL, 'pending', NULL, NULL, NULL, '{}', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.order_timeline VALUES ('ord_0190000000007000800000000000000d', 2, 'confirm', 'pending', 'confirmed', NULL, '01900000-0000-7000-8000-000000000025', 'inventory.stock_reserved.v1', '{}', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.order_timeline VALUES ('ord_0190000000007000800000000000000f', 1, 'place', NULL, 'pending', NULL, NULL, NULL, '{}', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.order_timeline VALUES ('ord_0190000000007000800000000000000f', 2, 'confirm', 'pending', 'confirmed', NULL, '01900000-0000-7000-8000-000000000026', 'inventory.stock_reserved.v1', '{}', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.order_timeline VALUES ('ord_0190000000007000800000000000000f', 3, 'fulfill', 'confirmed', 'confirmed', 'clerk', NULL, NULL, '{"fulfillment_id": "ful_01900000000070008000000000000043", "lines": {"MUG": 24}}', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.order_timeline VALUES ('ord_0190000000007000800000000000000f', 4, 'fulfillment_issued', 'confirmed', 'confirmed', NULL, '01900000-0000-7000-8000-000000000050', 'inventory.stock_issued.v1', '{"fulfillment_id": "ful_01900000000070008000000000000043"}', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.order_timeline VALUES ('ord_0190000000007000800000000000000f', 5, 'fulfill', 'confirmed', 'confirmed', 'clerk', NULL, NULL, '{"fulfillment_id": "ful_01900000000070008000000000000052", "lines": {"MUG": 1, "HAT": 1}}', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.order_timeline VALUES ('ord_0190000000007000800000000000000f', 6, 'fulfillment_issued', 'confirmed', 'confirmed', NULL, '01900000-0000-7000-8000-000000000059', 'inventory.stock_issued.v1', '{"fulfillment_id": "ful_01900000000070008000000000000052"}', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.order_timeline VALUES ('ord_0190000000007000800000000000000f', 7, 'complete', 'confirmed', 'fulfilled', NULL, '01900000-0000-7000-8000-000000000059', 'inventory.stock_issued.v1', '{}', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.order_timeline VALUES ('ord_01900000000070008000000000000011', 1, 'place', NULL, 'pending', NULL, NULL, NULL, '{}', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.order_timeline VALUES ('ord_01900000000070008000000000000011', 2, 'reject', 'pending', 'rejected', NULL, '01900000-0000-7000-8000-000000000027', 'inventory.stock_rejected.v1', '{"shortages": [{"sku": "MUG", "requested": 9999, "available": 26}]}', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.order_timeline VALUES ('ord_01900000000070008000000000000013', 1, 'place', NULL, 'pending', NULL, NULL, NULL, '{}', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.order_timeline VALUES ('ord_01900000000070008000000000000013', 2, 'confirm', 'pending', 'confirmed', NULL, '01900000-0000-7000-8000-000000000028', 'inventory.stock_reserved.v1', '{}', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.order_timeline VALUES ('ord_01900000000070008000000000000013', 3, 'fulfill', 'confirmed', 'confirmed', 'clerk', NULL, NULL, '{"fulfillment_id": "ful_01900000000070008000000000000045", "lines": {"MUG": 1}}', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.order_timeline VALUES ('ord_01900000000070008000000000000013', 4, 'fulfillment_issued', 'confirmed', 'confirmed', NULL, '01900000-0000-7000-8000-000000000051', 'inventory.stock_issued.v1', '{"fulfillment_id": "ful_01900000000070008000000000000045"}', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.order_timeline VALUES ('ord_01900000000070008000000000000013', 5, 'cancel', 'confirmed', 'cancelled', 'clerk', NULL, NULL, '{"reason": "changed my mind"}', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.order_timeline VALUES ('ord_01900000000070008000000000000015', 1, 'place', NULL, 'pending', NULL, NULL, NULL, '{}', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.order_timeline VALUES ('ord_01900000000070008000000000000015', 2, 'reserve', 'pending', 'reserved', NULL, '01900000-0000-7000-8000-000000000029', 'inventory.stock_reserved.v1', '{"hold_s": 900}', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.order_timeline VALUES ('ord_01900000000070008000000000000015', 3, 'extend', 'reserved', 'reserved', 'clerk', NULL, NULL, '{"seconds": 3600}', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.order_timeline VALUES ('ord_01900000000070008000000000000017', 1, 'place', NULL, 'pending', NULL, NULL, NULL, '{}', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.order_timeline VALUES ('ord_01900000000070008000000000000017', 2, 'reserve', 'pending', 'reserved', NULL, '01900000-0000-7000-8000-00000000002a', 'inventory.stock_reserved.v1', '{"hold_s": 900}', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.order_timeline VALUES ('ord_01900000000070008000000000000017', 3, 'confirm', 'reserved', 'confirmed', 'clerk', NULL, NULL, '{}', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.order_timeline VALUES ('ord_01900000000070008000000000000019', 1, 'place', NULL, 'pending', NULL, NULL, NULL, '{}', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.order_timeline VALUES ('ord_01900000000070008000000000000019', 2, 'reserve', 'pending', 'reserved', NULL, '01900000-0000-7000-8000-00000000002b', 'inventory.stock_reserved.v1', '{"hold_s": 900}', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.order_timeline VALUES ('ord_01900000000070008000000000000019', 3, 'cancel', 'reserved', 'cancelled', 'clerk', NULL, NULL, '{"reason": "changed my mind"}', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.order_timeline VALUES ('ord_0190000000007000800000000000001b', 1, 'place', NULL, 'pending', NULL, NULL, NULL, '{}', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.order_timeline VALUES ('ord_0190000000007000800000000000001b', 2, 'reserve', 'pending', 'reserved', NULL, '01900000-0000-7000-8000-00000000002c', 'inventory.stock_reserved.v1', '{"hold_s": 900}', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.order_timeline VALUES ('ord_0190000000007000800000000000001b', 3, 'expire', 'reserved', 'expired', NULL, NULL, NULL, '{}', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.order_timeline VALUES ('ord_0190000000007000800000000000001d', 1, 'place', NULL, 'pending', NULL, NULL, NULL, '{}', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.order_timeline VALUES ('ord_0190000000007000800000000000001d', 2, 'reserve', 'pending', 'reserved', NULL, '01900000-0000-7000-8000-00000000002d', 'inventory.stock_reserved.v1', '{"hold_s": 900}', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.order_timeline VALUES ('ord_0190000000007000800000000000001d', 3, 'cancel', 'reserved', 'cancelled', 'clerk', NULL, NULL, '{"reason": "changed my mind"}', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.order_timeline VALUES ('ord_0190000000007000800000000000005e', 1, 'place', NULL, 'pending', NULL, NULL, NULL, '{}', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.order_timeline VALUES ('ord_0190000000007000800000000000005e', 2, 'reserve', 'pending', 'reserved', NULL, '01900000-0000-7000-8000-000000000064', 'inventory.stock_reserved.v1', '{"hold_s": 900}', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.order_timeline VALUES ('ord_0190000000007000800000000000005e', 3, 'expire', 'reserved', 'expired', NULL, NULL, NULL, '{}', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.order_timeline VALUES ('ord_01900000000070008000000000000060', 1, 'place', NULL, 'pending', NULL, NULL, NULL, '{}', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.order_timeline VALUES ('ord_01900000000070008000000000000060', 2, 'confirm', 'pending', 'confirmed', NULL, '01900000-0000-7000-8000-000000000065', 'inventory.stock_reserved.v1', '{}', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.order_timeline VALUES ('ord_01900000000070008000000000000060', 3, 'fulfill', 'confirmed', 'confirmed', 'clerk', NULL, NULL, '{"fulfillment_id": "ful_0190000000007000800000000000006a", "lines": {"HAT": 1}}', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.order_timeline VALUES ('ord_01900000000070008000000000000062', 1, 'place', NULL, 'pending', NULL, NULL, NULL, '{}', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.order_timeline VALUES ('ord_01900000000070008000000000000062', 2, 'confirm', 'pending', 'confirmed', NULL, '01900000-0000-7000-8000-000000000066', 'inventory.stock_reserved.v1', '{}', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.order_timeline VALUES ('ord_0190000000007000800000000000006c', 1, 'place', NULL, 'pending', NULL, NULL, NULL, '{}', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.order_timeline VALUES ('ord_0190000000007000800000000000006f', 1, 'place', NULL, 'pending', NULL, NULL, NULL, '{}', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.order_timeline VALUES ('ord_01900000000070008000000000000072', 1, 'place', NULL, 'pending', NULL, NULL, NULL, '{}', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.order_timeline VALUES ('ord_01900000000070008000000000000075', 1, 'place', NULL, 'pending', 'key', NULL, NULL, '{}', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.order_timeline VALUES ('ord_01900000000070008000000000000079', 1, 'place', NULL, 'pending', NULL, NULL, NULL, '{}', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.order_timeline VALUES ('ord_0190000000007000800000000000007b', 1, 'place', NULL, 'pending', NULL, NULL, NULL, '{}', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.orders VALUES ('ord_01900000000070008000000000000003', NULL, 'c-1', 'confirmed', 'GBP', 2225, 2, '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', 'auto', NULL, NULL, NULL, NULL, '01900000-0000-7000-8000-000000000004');
INSERT INTO public.orders VALUES ('ord_01900000000070008000000000000005', NULL, 'c-1', 'cancelled', 'GBP', 2225, 3, '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', 'auto', NULL, NULL, NULL, 'changed my mind', '01900000-0000-7000-8000-000000000006');
INSERT INTO public.orders VALUES ('ord_01900000000070008000000000000007', NULL, 'c-1', 'confirmed', 'GBP', 2225, 4, '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', 'auto', NULL, NULL, NULL, NULL, '01900000-0000-7000-8000-000000000008');
INSERT INTO public.orders VALUES ('ord_01900000000070008000000000000009', NULL, 'c-1', 'confirmed', 'GBP', 2225, 7, '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', 'auto', NULL, NULL, NULL, NULL, '01900000-0000-7000-8000-00000000000a');
INSERT INTO public.orders VALUES ('ord_0190000000007000800000000000000b', NULL, 'c-1', 'cancelled', 'GBP', 2225, 2, '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', 'auto', NULL, NULL, NULL, 'changed my mind', '01900000-0000-7000-8000-00000000000c');
INSERT INTO public.orders VALUES ('ord_0190000000007000800000000000000d', NULL, 'c-1', 'confirmed', 'GBP', 10625, 2, '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', 'auto', NULL, NULL, NULL, NULL, '01900000-0000-7000-8000-00000000000e');
INSERT INTO public.orders VALUES ('ord_0190000000007000800000000000000f', NULL, 'c-1', 'fulfilled', 'GBP', 11525, 7, '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', 'auto', NULL, NULL, NULL, NULL, '01900000-0000-7000-8000-000000000010');
INSERT INTO public.orders VALUES ('ord_01900000000070008000000000000011', NULL, 'c-1', 'rejected', 'GBP', 4249575, 2, '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', 'auto', NULL, NULL, NULL, NULL, '01900000-0000-7000-8000-000000000012');
INSERT INTO public.orders VALUES ('ord_01900000000070008000000000000013', NULL, 'c-1', 'cancelled', 'GBP', 850, 5, '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', 'auto', NULL, NULL, NULL, 'changed my mind', '01900000-0000-7000-8000-000000000014');
INSERT INTO public.orders VALUES ('ord_01900000000070008000000000000015', NULL, 'c-1', 'reserved', 'GBP', 1275, 3, '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', 'manual', 900, '2026-01-01 12:00:00.000000+00', '2100-01-01 12:00:00.000000+00', NULL, '01900000-0000-7000-8000-000000000016');
INSERT INTO public.orders VALUES ('ord_01900000000070008000000000000017', NULL, 'c-1', 'confirmed', 'GBP', 1275, 3, '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', 'manual', 900, '2026-01-01 12:00:00.000000+00', NULL, NULL, '01900000-0000-7000-8000-000000000018');
INSERT INTO public.orders VALUES ('ord_01900000000070008000000000000019', NULL, 'c-1', 'cancelled', 'GBP', 1275, 3, '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', 'manual', 900, '2026-01-01 12:00:00.000000+00', NULL, 'changed my mind', '01900000-0000-7000-8000-00000000001a');
INSERT INTO public.orders VALUES ('ord_0190000000007000800000000000001b', NULL, 'c-1', 'expired', 'GBP', 1275, 3, '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', 'manual', 900, '2026-01-01 12:00:00.000000+00', NULL, NULL, '01900000-0000-7000-8000-00000000001c');
INSERT INTO public.orders VALUES ('ord_0190000000007000800000000000001d', NULL, 'c-1', 'cancelled', 'GBP', 1275, 3, '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', 'manual', 900, '2026-01-01 12:00:00.000000+00', NULL, 'changed my mind', '01900000-0000-7000-8000-00000000001e');
INSERT INTO public.orders VALUES ('ord_0190000000007000800000000000005e', NULL, 'c-1', 'expired', 'GBP', 425, 3, '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', 'manual', 900, '2026-01-01 12:00:00.000000+00', NULL, NULL, '01900000-0000-7000-8000-00000000005f');
INSERT INTO public.orders VALUES ('ord_01900000000070008000000000000060', NULL, 'c-1', 'confirmed', 'GBP', 1800, 3, '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', 'auto', NULL, NULL, NULL, NULL, '01900000-0000-7000-8000-000000000061');
INSERT INTO public.orders VALUES ('ord_01900000000070008000000000000062', NULL, 'c-1', 'confirmed', 'GBP', 1275, 2, '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', 'auto', NULL, NULL, NULL, NULL, '01900000-0000-7000-8000-000000000063');
INSERT INTO public.orders VALUES ('ord_0190000000007000800000000000006c', NULL, 'c-1', 'pending', 'GBP', 1700, 1, '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', 'auto', NULL, NULL, NULL, NULL, '01900000-0000-7000-8000-00000000006d');
INSERT INTO public.orders VALUES ('ord_0190000000007000800000000000006f', NULL, 'c-1', 'pending', 'GBP', 425, 1, '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', 'auto', NULL, NULL, NULL, NULL, '01900000-0000-7000-8000-000000000070');
INSERT INTO public.orders VALUES ('ord_01900000000070008000000000000072', NULL, 'c-1', 'pending', 'GBP', 425, 1, '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', 'auto', NULL, NULL, NULL, NULL, '01900000-0000-7000-8000-000000000073');
INSERT INTO public.orders VALUES ('ord_01900000000070008000000000000075', NULL, 'c-1', 'pending', 'GBP', 425, 1, '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', 'auto', NULL, NULL, NULL, NULL, '01900000-0000-7000-8000-000000000076');
INSERT INTO public.orders VALUES ('ord_01900000000070008000000000000079', NULL, 'c-1', 'pending', 'GBP', 850, 1, '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', 'auto', NULL, NULL, NULL, NULL, '01900000-0000-7000-8000-00000000007a');
INSERT INTO public.orders VALUES ('ord_0190000000007000800000000000007b', NULL, 'c-1', 'pending', 'GBP', 900, 1, '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', 'auto', NULL, NULL, NULL, NULL, '01900000-0000-7000-8000-00000000007c');
INSERT INTO public.outbox VALUES (1, '01900000-0000-7000-8000-000000000004', 'orders.order_created.v1', 'orders', 'ord_01900000000070008000000000000003', '01900000-0000-7000-8000-000000000004', '{"specversion":"1.0","id":"01900000-0000-7000-8000-000000000004","source":"/orders","type":"orders.order_created.v1","subject":"ord_01900000000070008000000000000003","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_01900000000070008000000000000003","correlationid":"01900000-0000-7000-8000-000000000004","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_01900000000070008000000000000003","lines":[{"sku":"MUG","quantity":1},{"sku":"HAT","quantity":2}],"confirm":"auto"}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '1-1', 1);
INSERT INTO public.outbox VALUES (10, '01900000-0000-7000-8000-000000000016', 'orders.order_created.v1', 'orders', 'ord_01900000000070008000000000000015', '01900000-0000-7000-8000-000000000016', '{"specversion":"1.0","id":"01900000-0000-7000-8000-000000000016","source":"/orders","type":"orders.order_created.v1","subject":"ord_01900000000070008000000000000015","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_01900000000070008000000000000015","correlationid":"01900000-0000-7000-8000-000000000016","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_01900000000070008000000000000015","lines":[{"sku":"MUG","quantity":3}],"confirm":"manual"}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '10-1', 10);
INSERT INTO public.outbox VALUES (11, '01900000-0000-7000-8000-000000000018', 'orders.order_created.v1', 'orders', 'ord_01900000000070008000000000000017', '01900000-0000-7000-8000-000000000018', '{"specversion":"1.0","id":"01900000-0000-7000-8000-000000000018","source":"/orders","type":"orders.order_created.v1","subject":"ord_01900000000070008000000000000017","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_01900000000070008000000000000017","correlationid":"01900000-0000-7000-8000-000000000018","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_01900000000070008000000000000017","lines":[{"sku":"MUG","quantity":3}],"confirm":"manual"}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '11-1', 11);
INSERT INTO public.outbox VALUES (12, '01900000-0000-7000-8000-00000000001a', 'orders.order_created.v1', 'orders', 'ord_01900000000070008000000000000019', '01900000-0000-7000-8000-00000000001a', '{"specversion":"1.0","id":"01900000-0000-7000-8000-00000000001a","source":"/orders","type":"orders.order_created.v1","subject":"ord_01900000000070008000000000000019","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_01900000000070008000000000000019","correlationid":"01900000-0000-7000-8000-00000000001a","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_01900000000070008000000000000019","lines":[{"sku":"MUG","quantity":3}],"confirm":"manual"}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '12-1', 12);
INSERT INTO public.outbox VALUES (13, '01900000-0000-7000-8000-00000000001c', 'orders.order_created.v1', 'orders', 'ord_0190000000007000800000000000001b', '01900000-0000-7000-8000-00000000001c', '{"specversion":"1.0","id":"01900000-0000-7000-8000-00000000001c","source":"/orders","type":"orders.order_created.v1","subject":"ord_0190000000007000800000000000001b","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_0190000000007000800000000000001b","correlationid":"01900000-0000-7000-8000-00000000001c","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_0190000000007000800000000000001b","lines":[{"sku":"MUG","quantity":3}],"confirm":"manual"}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '13-1', 13);
INSERT INTO public.outbox VALUES (14, '01900000-0000-7000-8000-00000000001e', 'orders.order_created.v1', 'orders', 'ord_0190000000007000800000000000001d', '01900000-0000-7000-8000-00000000001e', '{"specversion":"1.0","id":"01900000-0000-7000-8000-00000000001e","source":"/orders","type":"orders.order_created.v1","subject":"ord_0190000000007000800000000000001d","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_0190000000007000800000000000001d","correlationid":"01900000-0000-7000-8000-00000000001e","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_0190000000007000800000000000001d","lines":[{"sku":"MUG","quantity":3}],"confirm":"manual"}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '14-1', 14);
INSERT INTO public.outbox VALUES (15, '01900000-0000-7000-8000-00000000001f', 'orders.order_cancelled.v1', 'orders', 'ord_0190000000007000800000000000000b', '01900000-0000-7000-8000-00000000001f', '{"specversion":"1.0","id":"01900000-0000-7000-8000-00000000001f","source":"/orders","type":"orders.order_cancelled.v1","subject":"ord_0190000000007000800000000000000b","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_0190000000007000800000000000000b","correlationid":"01900000-0000-7000-8000-00000000001f","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_0190000000007000800000000000000b","reason":"changed my mind","fulfilled":[]}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '15-1', 15);
INSERT INTO public.outbox VALUES (16, '01900000-0000-7000-8000-000000000020', 'inventory.stock_released.v1', 'inventory', 'ord_0190000000007000800000000000000b', '01900000-0000-7000-8000-00000000001f', '{"specversion":"1.0","id":"01900000-0000-7000-8000-000000000020","source":"/inventory","type":"inventory.stock_released.v1","subject":"ord_0190000000007000800000000000000b","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_0190000000007000800000000000000b","correlationid":"01900000-0000-7000-8000-00000000001f","causationid":"01900000-0000-7000-8000-00000000001f","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_0190000000007000800000000000000b","reason":"cancelled","lines":[]}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '16-1', 16);
INSERT INTO public.outbox VALUES (17, '01900000-0000-7000-8000-000000000021', 'inventory.stock_reserved.v1', 'inventory', 'ord_01900000000070008000000000000003', '01900000-0000-7000-8000-000000000004', '{"specversion":"1.0","id":"01900000-0000-7000-8000-000000000021","source":"/inventory","type":"inventory.stock_reserved.v1","subject":"ord_01900000000070008000000000000003","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_01900000000070008000000000000003","correlationid":"01900000-0000-7000-8000-000000000004","causationid":"01900000-0000-7000-8000-000000000004","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_01900000000070008000000000000003","lines":[{"sku":"MUG","location":"near","quantity":1},{"sku":"HAT","location":"near","quantity":2}]}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '17-1', 17);
INSERT INTO public.outbox VALUES (18, '01900000-0000-7000-8000-000000000022', 'inventory.stock_reserved.v1', 'inventory', 'ord_01900000000070008000000000000005', '01900000-0000-7000-8000-000000000006', '{"specversion":"1.0","id":"01900000-0000-7000-8000-000000000022","source":"/inventory","type":"inventory.stock_reserved.v1","subject":"ord_01900000000070008000000000000005","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_01900000000070008000000000000005","correlationid":"01900000-0000-7000-8000-000000000006","causationid":"01900000-0000-7000-8000-000000000006","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_01900000000070008000000000000005","lines":[{"sku":"MUG","location":"near","quantity":1},{"sku":"HAT","location":"near","quantity":2}]}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '18-1', 18);
INSERT INTO public.outbox VALUES (19, '01900000-0000-7000-8000-000000000023', 'inventory.stock_reserved.v1', 'inventory', 'ord_01900000000070008000000000000007', '01900000-0000-7000-8000-000000000008', '{"specversion":"1.0","id":"01900000-0000-7000-8000-000000000023","source":"/inventory","type":"inventory.stock_reserved.v1","subject":"ord_01900000000070008000000000000007","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_01900000000070008000000000000007","correlationid":"01900000-0000-7000-8000-000000000008","causationid":"01900000-0000-7000-8000-000000000008","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_01900000000070008000000000000007","lines":[{"sku":"MUG","location":"near","quantity":1},{"sku":"HAT","location":"near","quantity":2}]}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '19-1', 19);
INSERT INTO public.outbox VALUES (2, '01900000-0000-7000-8000-000000000006', 'orders.order_created.v1', 'orders', 'ord_01900000000070008000000000000005', '01900000-0000-7000-8000-000000000006', '{"specversion":"1.0","id":"01900000-0000-7000-8000-000000000006","source":"/orders","type":"orders.order_created.v1","subject":"ord_01900000000070008000000000000005","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_01900000000070008000000000000005","correlationid":"01900000-0000-7000-8000-000000000006","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_01900000000070008000000000000005","lines":[{"sku":"MUG","quantity":1},{"sku":"HAT","quantity":2}],"confirm":"auto"}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '2-1', 2);
INSERT INTO public.outbox VALUES (20, '01900000-0000-7000-8000-000000000024', 'inventory.stock_reserved.v1', 'inventory', 'ord_01900000000070008000000000000009', '01900000-0000-7000-8000-00000000000a', '{"specversion":"1.0","id":"01900000-0000-7000-8000-000000000024","source":"/inventory","type":"inventory.stock_reserved.v1","subject":"ord_01900000000070008000000000000009","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_01900000000070008000000000000009","correlationid":"01900000-0000-7000-8000-00000000000a","causationid":"01900000-0000-7000-8000-00000000000a","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_01900000000070008000000000000009","lines":[{"sku":"MUG","location":"near","quantity":1},{"sku":"HAT","location":"near","quantity":2}]}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '20-1', 20);
INSERT INTO public.outbox VALUES (21, '01900000-0000-7000-8000-000000000025', 'inventory.stock_reserved.v1', 'inventory', 'ord_0190000000007000800000000000000d', '01900000-0000-7000-8000-00000000000e', '{"specversion":"1.0","id":"01900000-0000-7000-8000-000000000025","source":"/inventory","type":"inventory.stock_reserved.v1","subject":"ord_0190000000007000800000000000000d","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_0190000000007000800000000000000d","correlationid":"01900000-0000-7000-8000-00000000000e","causationid":"01900000-0000-7000-8000-00000000000e","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_0190000000007000800000000000000d","lines":[{"sku":"MUG","location":"near","quantity":25}]}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '21-1', 21);
INSERT INTO public.outbox VALUES (22, '01900000-0000-7000-8000-000000000026', 'inventory.stock_reserved.v1', 'inventory', 'ord_0190000000007000800000000000000f', '01900000-0000-7000-8000-000000000010', '{"specversion":"1.0","id":"01900000-0000-7000-8000-000000000026","source":"/inventory","type":"inventory.stock_reserved.v1","subject":"ord_0190000000007000800000000000000f","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_0190000000007000800000000000000f","correlationid":"01900000-0000-7000-8000-000000000010","causationid":"01900000-0000-7000-8000-000000000010","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_0190000000007000800000000000000f","lines":[{"sku":"MUG","location":"near","quantity":11},{"sku":"MUG","location":"far","quantity":14},{"sku":"HAT","location":"near","quantity":1}]}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '22-1', 22);
INSERT INTO public.outbox VALUES (23, '01900000-0000-7000-8000-000000000027', 'inventory.stock_rejected.v1', 'inventory', 'ord_01900000000070008000000000000011', '01900000-0000-7000-8000-000000000012', '{"specversion":"1.0","id":"01900000-0000-7000-8000-000000000027","source":"/inventory","type":"inventory.stock_rejected.v1","subject":"ord_01900000000070008000000000000011","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_01900000000070008000000000000011","correlationid":"01900000-0000-7000-8000-000000000012","causationid":"01900000-0000-7000-8000-000000000012","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_01900000000070008000000000000011","shortages":[{"sku":"MUG","requested":9999,"available":26}]}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '23-1', 23);
INSERT INTO public.outbox VALUES (24, '01900000-0000-7000-8000-000000000028', 'inventory.stock_reserved.v1', 'inventory', 'ord_01900000000070008000000000000013', '01900000-0000-7000-8000-000000000014', '{"specversion":"1.0","id":"01900000-0000-7000-8000-000000000028","source":"/inventory","type":"inventory.stock_reserved.v1","subject":"ord_01900000000070008000000000000013","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_01900000000070008000000000000013","correlationid":"01900000-0000-7000-8000-000000000014","causationid":"01900000-0000-7000-8000-000000000014","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_01900000000070008000000000000013","lines":[{"sku":"MUG","location":"far","quantity":2}]}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '24-1', 24);
INSERT INTO public.outbox VALUES (25, '01900000-0000-7000-8000-000000000029', 'inventory.stock_reserved.v1', 'inventory', 'ord_01900000000070008000000000000015', '01900000-0000-7000-8000-000000000016', '{"specversion":"1.0","id":"01900000-0000-7000-8000-000000000029","source":"/inventory","type":"inventory.stock_reserved.v1","subject":"ord_01900000000070008000000000000015","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_01900000000070008000000000000015","correlationid":"01900000-0000-7000-8000-000000000016","causationid":"01900000-0000-7000-8000-000000000016","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_01900000000070008000000000000015","lines":[{"sku":"MUG","location":"far","quantity":3}]}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '25-1', 25);
INSERT INTO public.outbox VALUES (26, '01900000-0000-7000-8000-00000000002a', 'inventory.stock_reserved.v1', 'inventory', 'ord_01900000000070008000000000000017', '01900000-0000-7000-8000-000000000018', '{"specversion":"1.0","id":"01900000-0000-7000-8000-00000000002a","source":"/inventory","type":"inventory.stock_reserved.v1","subject":"ord_01900000000070008000000000000017","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_01900000000070008000000000000017","correlationid":"01900000-0000-7000-8000-000000000018","causationid":"01900000-0000-7000-8000-000000000018","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_01900000000070008000000000000017","lines":[{"sku":"MUG","location":"far","quantity":3}]}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '26-1', 26);
INSERT INTO public.outbox VALUES (27, '01900000-0000-7000-8000-00000000002b', 'inventory.stock_reserved.v1', 'inventory', 'ord_01900000000070008000000000000019', '01900000-0000-7000-8000-00000000001a', '{"specversion":"1.0","id":"01900000-0000-7000-8000-00000000002b","source":"/inventory","type":"inventory.stock_reserved.v1","subject":"ord_01900000000070008000000000000019","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_01900000000070008000000000000019","correlationid":"01900000-0000-7000-8000-00000000001a","causationid":"01900000-0000-7000-8000-00000000001a","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_01900000000070008000000000000019","lines":[{"sku":"MUG","location":"far","quantity":3}]}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '27-1', 27);
INSERT INTO public.outbox VALUES (28, '01900000-0000-7000-8000-00000000002c', 'inventory.stock_reserved.v1', 'inventory', 'ord_0190000000007000800000000000001b', '01900000-0000-7000-8000-00000000001c', '{"specversion":"1.0","id":"01900000-0000-7000-8000-00000000002c","source":"/inventory","type":"inventory.stock_reserved.v1","subject":"ord_0190000000007000800000000000001b","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_0190000000007000800000000000001b","correlationid":"01900000-0000-7000-8000-00000000001c","causationid":"01900000-0000-7000-8000-00000000001c","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_0190000000007000800000000000001b","lines":[{"sku":"MUG","location":"far","quantity":3}]}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '28-1', 28);
INSERT INTO public.outbox VALUES (29, '01900000-0000-7000-8000-00000000002d', 'inventory.stock_reserved.v1', 'inventory', 'ord_0190000000007000800000000000001d', '01900000-0000-7000-8000-00000000001e', '{"specversion":"1.0","id":"01900000-0000-7000-8000-00000000002d","source":"/inventory","type":"inventory.stock_reserved.v1","subject":"ord_0190000000007000800000000000001d","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_0190000000007000800000000000001d","correlationid":"01900000-0000-7000-8000-00000000001e","causationid":"01900000-0000-7000-8000-00000000001e","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_0190000000007000800000000000001d","lines":[{"sku":"MUG","location":"far","quantity":3}]}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '29-1', 29);
INSERT INTO public.outbox VALUES (3, '01900000-0000-7000-8000-000000000008', 'orders.order_created.v1', 'orders', 'ord_01900000000070008000000000000007', '01900000-0000-7000-8000-000000000008', '{"specversion":"1.0","id":"01900000-0000-7000-8000-000000000008","source":"/orders","type":"orders.order_created.v1","subject":"ord_01900000000070008000000000000007","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_01900000000070008000000000000007","correlationid":"01900000-0000-7000-8000-000000000008","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_01900000000070008000000000000007","lines":[{"sku":"MUG","quantity":1},{"sku":"HAT","quantity":2}],"confirm":"auto"}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '3-1', 3);
INSERT INTO public.outbox VALUES (30, '01900000-0000-7000-8000-00000000002e', 'orders.order_confirmed.v1', 'orders', 'ord_01900000000070008000000000000003', '01900000-0000-7000-8000-000000000004', '{"specversion":"1.0","id":"01900000-0000-7000-8000-00000000002e","source":"/orders","type":"orders.order_confirmed.v1","subject":"ord_01900000000070008000000000000003","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_01900000000070008000000000000003","correlationid":"01900000-0000-7000-8000-000000000004","causationid":"01900000-0000-7000-8000-000000000021","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_01900000000070008000000000000003"}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '30-1', 30);
INSERT INTO public.outbox VALUES (31, '01900000-0000-7000-8000-00000000002f', 'orders.order_confirmed.v1', 'orders', 'ord_01900000000070008000000000000005', '01900000-0000-7000-8000-000000000006', '{"specversion":"1.0","id":"01900000-0000-7000-8000-00000000002f","source":"/orders","type":"orders.order_confirmed.v1","subject":"ord_01900000000070008000000000000005","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_01900000000070008000000000000005","correlationid":"01900000-0000-7000-8000-000000000006","causationid":"01900000-0000-7000-8000-000000000022","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_01900000000070008000000000000005"}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '31-1', 31);
INSERT INTO public.outbox VALUES (32, '01900000-0000-7000-8000-000000000030', 'orders.order_confirmed.v1', 'orders', 'ord_01900000000070008000000000000007', '01900000-0000-7000-8000-000000000008', '{"specversion":"1.0","id":"01900000-0000-7000-8000-000000000030","source":"/orders","type":"orders.order_confirmed.v1","subject":"ord_01900000000070008000000000000007","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_01900000000070008000000000000007","correlationid":"01900000-0000-7000-8000-000000000008","causationid":"01900000-0000-7000-8000-000000000023","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_01900000000070008000000000000007"}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '32-1', 32);
INSERT INTO public.outbox VALUES (33, '01900000-0000-7000-8000-000000000031', 'orders.order_confirmed.v1', 'orders', 'ord_01900000000070008000000000000009', '01900000-0000-7000-8000-00000000000a', '{"specversion":"1.0","id":"01900000-0000-7000-8000-000000000031","source":"/orders","type":"orders.order_confirmed.v1","subject":"ord_01900000000070008000000000000009","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_01900000000070008000000000000009","correlationid":"01900000-0000-7000-8000-00000000000a","causationid":"01900000-0000-7000-8000-000000000024","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_01900000000070008000000000000009"}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '33-1', 33);
INSERT INTO public.outbox VALUES (34, '01900000-0000-7000-8000-000000000032', 'orders.order_confirmed.v1', 'orders', 'ord_0190000000007000800000000000000d', '01900000-0000-7000-8000-00000000000e', '{"specversion":"1.0","id":"01900000-0000-7000-8000-000000000032","source":"/orders","type":"orders.order_confirmed.v1","subject":"ord_0190000000007000800000000000000d","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_0190000000007000800000000000000d","correlationid":"01900000-0000-7000-8000-00000000000e","causationid":"01900000-0000-7000-8000-000000000025","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_0190000000007000800000000000000d"}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '34-1', 34);
INSERT INTO public.outbox VALUES (35, '01900000-0000-7000-8000-000000000033', 'orders.order_confirmed.v1', 'orders', 'ord_0190000000007000800000000000000f', '01900000-0000-7000-8000-000000000010', '{"specversion":"1.0","id":"01900000-0000-7000-8000-000000000033","source":"/orders","type":"orders.order_confirmed.v1","subject":"ord_0190000000007000800000000000000f","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_0190000000007000800000000000000f","correlationid":"01900000-0000-7000-8000-000000000010","causationid":"01900000-0000-7000-8000-000000000026","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_0190000000007000800000000000000f"}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '35-1', 35);
INSERT INTO public.outbox VALUES (36, '01900000-0000-7000-8000-000000000034', 'orders.order_rejected.v1', 'orders', 'ord_01900000000070008000000000000011', '01900000-0000-7000-8000-000000000012', '{"specversion":"1.0","id":"01900000-0000-7000-8000-000000000034","source":"/orders","type":"orders.order_rejected.v1","subject":"ord_01900000000070008000000000000011","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_01900000000070008000000000000011","correlationid":"01900000-0000-7000-8000-000000000012","causationid":"01900000-0000-7000-8000-000000000027","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_01900000000070008000000000000011","shortages":[{"sku":"MUG","requested":9999,"available":26}]}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '36-1', 36);
INSERT INTO public.outbox VALUES (37, '01900000-0000-7000-8000-000000000035', 'orders.order_confirmed.v1', 'orders', 'ord_01900000000070008000000000000013', '01900000-0000-7000-8000-000000000014', '{"specversion":"1.0","id":"01900000-0000-7000-8000-000000000035","source":"/orders","type":"orders.order_confirmed.v1","subject":"ord_01900000000070008000000000000013","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_01900000000070008000000000000013","correlationid":"01900000-0000-7000-8000-000000000014","causationid":"01900000-0000-7000-8000-000000000028","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_01900000000070008000000000000013"}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '37-1', 37);
INSERT INTO public.outbox VALUES (38, '01900000-0000-7000-8000-000000000036', 'orders.order_reserved.v1', 'orders', 'ord_01900000000070008000000000000015', '01900000-0000-7000-8000-000000000016', '{"specversion":"1.0","id":"01900000-0000-7000-8000-000000000036","source":"/orders","type":"orders.order_reserved.v1","subject":"ord_01900000000070008000000000000015","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_01900000000070008000000000000015","correlationid":"01900000-0000-7000-8000-000000000016","causationid":"01900000-0000-7000-8000-000000000029","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_01900000000070008000000000000015","expires_at":"2100-01-01T12:00:00.000000Z"}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '38-1', 38);
INSERT INTO public.outbox VALUES (39, '01900000-0000-7000-8000-000000000037', 'orders.order_reserved.v1', 'orders', 'ord_01900000000070008000000000000017', '01900000-0000-7000-8000-000000000018', '{"specversion":"1.0","id":"01900000-0000-7000-8000-000000000037","source":"/orders","type":"orders.order_reserved.v1","subject":"ord_01900000000070008000000000000017","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_01900000000070008000000000000017","correlationid":"01900000-0000-7000-8000-000000000018","causationid":"01900000-0000-7000-8000-00000000002a","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_01900000000070008000000000000017","expires_at":"2100-01-01T12:00:00.000000Z"}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '39-1', 39);
INSERT INTO public.outbox VALUES (4, '01900000-0000-7000-8000-00000000000a', 'orders.order_created.v1', 'orders', 'ord_01900000000070008000000000000009', '01900000-0000-7000-8000-00000000000a', '{"specversion":"1.0","id":"01900000-0000-7000-8000-00000000000a","source":"/orders","type":"orders.order_created.v1","subject":"ord_01900000000070008000000000000009","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_01900000000070008000000000000009","correlationid":"01900000-0000-7000-8000-00000000000a","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_01900000000070008000000000000009","lines":[{"sku":"MUG","quantity":1},{"sku":"HAT","quantity":2}],"confirm":"auto"}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '4-1', 4);
INSERT INTO public.outbox VALUES (40, '01900000-0000-7000-8000-000000000038', 'orders.order_reserved.v1', 'orders', 'ord_01900000000070008000000000000019', '01900000-0000-7000-8000-00000000001a', '{"specversion":"1.0","id":"01900000-0000-7000-8000-000000000038","source":"/orders","type":"orders.order_reserved.v1","subject":"ord_01900000000070008000000000000019","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_01900000000070008000000000000019","correlationid":"01900000-0000-7000-8000-00000000001a","causationid":"01900000-0000-7000-8000-00000000002b","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_01900000000070008000000000000019","expires_at":"2100-01-01T12:00:00.000000Z"}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '40-1', 40);
INSERT INTO public.outbox VALUES (41, '01900000-0000-7000-8000-000000000039', 'orders.order_reserved.v1', 'orders', 'ord_0190000000007000800000000000001b', '01900000-0000-7000-8000-00000000001c', '{"specversion":"1.0","id":"01900000-0000-7000-8000-000000000039","source":"/orders","type":"orders.order_reserved.v1","subject":"ord_0190000000007000800000000000001b","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_0190000000007000800000000000001b","correlationid":"01900000-0000-7000-8000-00000000001c","causationid":"01900000-0000-7000-8000-00000000002c","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_0190000000007000800000000000001b","expires_at":"2100-01-01T12:00:00.000000Z"}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '41-1', 41);
INSERT INTO public.outbox VALUES (42, '01900000-0000-7000-8000-00000000003a', 'orders.order_reserved.v1', 'orders', 'ord_0190000000007000800000000000001d', '01900000-0000-7000-8000-00000000001e', '{"specversion":"1.0","id":"01900000-0000-7000-8000-00000000003a","source":"/orders","type":"orders.order_reserved.v1","subject":"ord_0190000000007000800000000000001d","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_0190000000007000800000000000001d","correlationid":"01900000-0000-7000-8000-00000000001e","causationid":"01900000-0000-7000-8000-00000000002d","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_0190000000007000800000000000001d","expires_at":"2100-01-01T12:00:00.000000Z"}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '42-1', 42);
INSERT INTO public.outbox VALUES (43, '01900000-0000-7000-8000-00000000003b', 'orders.hold_confirmed.v1', 'orders', 'ord_01900000000070008000000000000017', '01900000-0000-7000-8000-00000000003b', '{"specversion":"1.0","id":"01900000-0000-7000-8000-00000000003b","source":"/orders","type":"orders.hold_confirmed.v1","subject":"ord_01900000000070008000000000000017","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_01900000000070008000000000000017","correlationid":"01900000-0000-7000-8000-00000000003b","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_01900000000070008000000000000017"}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '43-1', 43);
INSERT INTO public.outbox VALUES (44, '01900000-0000-7000-8000-00000000003c', 'orders.order_confirmed.v1', 'orders', 'ord_01900000000070008000000000000017', '01900000-0000-7000-8000-00000000003c', '{"specversion":"1.0","id":"01900000-0000-7000-8000-00000000003c","source":"/orders","type":"orders.order_confirmed.v1","subject":"ord_01900000000070008000000000000017","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_01900000000070008000000000000017","correlationid":"01900000-0000-7000-8000-00000000003c","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_01900000000070008000000000000017"}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '44-1', 44);
INSERT INTO public.outbox VALUES (45, '01900000-0000-7000-8000-00000000003d', 'orders.order_expired.v1', 'orders', 'ord_0190000000007000800000000000001b', '01900000-0000-7000-8000-00000000003d', '{"specversion":"1.0","id":"01900000-0000-7000-8000-00000000003d","source":"/orders","type":"orders.order_expired.v1","subject":"ord_0190000000007000800000000000001b","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_0190000000007000800000000000001b","correlationid":"01900000-0000-7000-8000-00000000003d","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_0190000000007000800000000000001b"}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '45-1', 45);
INSERT INTO public.outbox VALUES (46, '01900000-0000-7000-8000-00000000003e', 'orders.order_cancelled.v1', 'orders', 'ord_01900000000070008000000000000019', '01900000-0000-7000-8000-00000000003e', '{"specversion":"1.0","id":"01900000-0000-7000-8000-00000000003e","source":"/orders","type":"orders.order_cancelled.v1","subject":"ord_01900000000070008000000000000019","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_01900000000070008000000000000019","correlationid":"01900000-0000-7000-8000-00000000003e","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_01900000000070008000000000000019","reason":"changed my mind","fulfilled":[]}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '46-1', 46);
INSERT INTO public.outbox VALUES (47, '01900000-0000-7000-8000-00000000003f', 'orders.order_cancelled.v1', 'orders', 'ord_01900000000070008000000000000005', '01900000-0000-7000-8000-00000000003f', '{"specversion":"1.0","id":"01900000-0000-7000-8000-00000000003f","source":"/orders","type":"orders.order_cancelled.v1","subject":"ord_01900000000070008000000000000005","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_01900000000070008000000000000005","correlationid":"01900000-0000-7000-8000-00000000003f","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_01900000000070008000000000000005","reason":"changed my mind","fulfilled":[]}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '47-1', 47);
INSERT INTO public.outbox VALUES (48, '01900000-0000-7000-8000-000000000040', 'orders.order_cancelled.v1', 'orders', 'ord_0190000000007000800000000000001d', '01900000-0000-7000-8000-000000000040', '{"specversion":"1.0","id":"01900000-0000-7000-8000-000000000040","source":"/orders","type":"orders.order_cancelled.v1","subject":"ord_0190000000007000800000000000001d","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_0190000000007000800000000000001d","correlationid":"01900000-0000-7000-8000-000000000040","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_0190000000007000800000000000001d","reason":"changed my mind","fulfilled":[]}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '48-1', 48);
INSERT INTO public.outbox VALUES (49, '01900000-0000-7000-8000-000000000042', 'orders.fulfillment_requested.v1', 'orders', 'ord_01900000000070008000000000000007', '01900000-0000-7000-8000-000000000042', '{"specversion":"1.0","id":"01900000-0000-7000-8000-000000000042","source":"/orders","type":"orders.fulfillment_requested.v1","subject":"ord_01900000000070008000000000000007","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_01900000000070008000000000000007","correlationid":"01900000-0000-7000-8000-000000000042","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_01900000000070008000000000000007","fulfillment_id":"ful_01900000000070008000000000000041","lines":[{"sku":"HAT","quantity":1}]}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '49-1', 49);
INSERT INTO public.outbox VALUES (5, '01900000-0000-7000-8000-00000000000c', 'orders.order_created.v1', 'orders', 'ord_0190000000007000800000000000000b', '01900000-0000-7000-8000-00000000000c', '{"specversion":"1.0","id":"01900000-0000-7000-8000-00000000000c","source":"/orders","type":"orders.order_created.v1","subject":"ord_0190000000007000800000000000000b","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_0190000000007000800000000000000b","correlationid":"01900000-0000-7000-8000-00000000000c","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_0190000000007000800000000000000b","lines":[{"sku":"MUG","quantity":1},{"sku":"HAT","quantity":2}],"confirm":"auto"}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '5-1', 5);
INSERT INTO public.outbox VALUES (50, '01900000-0000-7000-8000-000000000044', 'orders.fulfillment_requested.v1', 'orders', 'ord_0190000000007000800000000000000f', '01900000-0000-7000-8000-000000000044', '{"specversion":"1.0","id":"01900000-0000-7000-8000-000000000044","source":"/orders","type":"orders.fulfillment_requested.v1","subject":"ord_0190000000007000800000000000000f","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_0190000000007000800000000000000f","correlationid":"01900000-0000-7000-8000-000000000044","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_0190000000007000800000000000000f","fulfillment_id":"ful_01900000000070008000000000000043","lines":[{"sku":"MUG","quantity":24}]}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '50-1', 50);
INSERT INTO public.outbox VALUES (51, '01900000-0000-7000-8000-000000000046', 'orders.fulfillment_requested.v1', 'orders', 'ord_01900000000070008000000000000013', '01900000-0000-7000-8000-000000000046', '{"specversion":"1.0","id":"01900000-0000-7000-8000-000000000046","source":"/orders","type":"orders.fulfillment_requested.v1","subject":"ord_01900000000070008000000000000013","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_01900000000070008000000000000013","correlationid":"01900000-0000-7000-8000-000000000046","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_01900000000070008000000000000013","fulfillment_id":"ful_01900000000070008000000000000045","lines":[{"sku":"MUG","quantity":1}]}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '51-1', 51);
INSERT INTO public.outbox VALUES (52, '01900000-0000-7000-8000-000000000048', 'orders.fulfillment_requested.v1', 'orders', 'ord_01900000000070008000000000000009', '01900000-0000-7000-8000-000000000048', '{"specversion":"1.0","id":"01900000-0000-7000-8000-000000000048","source":"/orders","type":"orders.fulfillment_requested.v1","subject":"ord_01900000000070008000000000000009","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_01900000000070008000000000000009","correlationid":"01900000-0000-7000-8000-000000000048","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_01900000000070008000000000000009","fulfillment_id":"ful_01900000000070008000000000000047","lines":[{"sku":"MUG","quantity":1},{"sku":"HAT","quantity":2}]}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '52-1', 52);
INSERT INTO public.outbox VALUES (53, '01900000-0000-7000-8000-000000000049', 'orders.fulfillment_cancel_requested.v1', 'orders', 'ord_01900000000070008000000000000009', '01900000-0000-7000-8000-000000000049', '{"specversion":"1.0","id":"01900000-0000-7000-8000-000000000049","source":"/orders","type":"orders.fulfillment_cancel_requested.v1","subject":"ord_01900000000070008000000000000009","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_01900000000070008000000000000009","correlationid":"01900000-0000-7000-8000-000000000049","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_01900000000070008000000000000009","fulfillment_id":"ful_01900000000070008000000000000047"}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '53-1', 53);
INSERT INTO public.outbox VALUES (54, '01900000-0000-7000-8000-00000000004a', 'inventory.stock_issue_voided.v1', 'inventory', 'ord_01900000000070008000000000000009', '01900000-0000-7000-8000-000000000049', '{"specversion":"1.0","id":"01900000-0000-7000-8000-00000000004a","source":"/inventory","type":"inventory.stock_issue_voided.v1","subject":"ord_01900000000070008000000000000009","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_01900000000070008000000000000009","correlationid":"01900000-0000-7000-8000-000000000049","causationid":"01900000-0000-7000-8000-000000000049","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_01900000000070008000000000000009","fulfillment_id":"ful_01900000000070008000000000000047","reason":"cancelled"}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '54-1', 54);
INSERT INTO public.outbox VALUES (55, '01900000-0000-7000-8000-00000000004b', 'inventory.stock_released.v1', 'inventory', 'ord_0190000000007000800000000000001b', '01900000-0000-7000-8000-00000000003d', '{"specversion":"1.0","id":"01900000-0000-7000-8000-00000000004b","source":"/inventory","type":"inventory.stock_released.v1","subject":"ord_0190000000007000800000000000001b","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_0190000000007000800000000000001b","correlationid":"01900000-0000-7000-8000-00000000003d","causationid":"01900000-0000-7000-8000-00000000003d","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_0190000000007000800000000000001b","reason":"expired","lines":[{"sku":"MUG","location":"far","quantity":3}]}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '55-1', 55);
INSERT INTO public.outbox VALUES (56, '01900000-0000-7000-8000-00000000004c', 'inventory.stock_released.v1', 'inventory', 'ord_01900000000070008000000000000019', '01900000-0000-7000-8000-00000000003e', '{"specversion":"1.0","id":"01900000-0000-7000-8000-00000000004c","source":"/inventory","type":"inventory.stock_released.v1","subject":"ord_01900000000070008000000000000019","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_01900000000070008000000000000019","correlationid":"01900000-0000-7000-8000-00000000003e","causationid":"01900000-0000-7000-8000-00000000003e","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_01900000000070008000000000000019","reason":"cancelled","lines":[{"sku":"MUG","location":"far","quantity":3}]}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '56-1', 56);
INSERT INTO public.outbox VALUES (57, '01900000-0000-7000-8000-00000000004d', 'inventory.stock_released.v1', 'inventory', 'ord_01900000000070008000000000000005', '01900000-0000-7000-8000-00000000003f', '{"specversion":"1.0","id":"01900000-0000-7000-8000-00000000004d","source":"/inventory","type":"inventory.stock_released.v1","subject":"ord_01900000000070008000000000000005","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_01900000000070008000000000000005","correlationid":"01900000-0000-7000-8000-00000000003f","causationid":"01900000-0000-7000-8000-00000000003f","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_01900000000070008000000000000005","reason":"cancelled","lines":[{"sku":"HAT","location":"near","quantity":2},{"sku":"MUG","location":"near","quantity":1}]}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '57-1', 57);
INSERT INTO public.outbox VALUES (58, '01900000-0000-7000-8000-00000000004e', 'inventory.stock_released.v1', 'inventory', 'ord_0190000000007000800000000000001d', '01900000-0000-7000-8000-000000000040', '{"specversion":"1.0","id":"01900000-0000-7000-8000-00000000004e","source":"/inventory","type":"inventory.stock_released.v1","subject":"ord_0190000000007000800000000000001d","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_0190000000007000800000000000001d","correlationid":"01900000-0000-7000-8000-000000000040","causationid":"01900000-0000-7000-8000-000000000040","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_0190000000007000800000000000001d","reason":"cancelled","lines":[{"sku":"MUG","location":"far","quantity":3}]}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '58-1', 58);
INSERT INTO public.outbox VALUES (59, '01900000-0000-7000-8000-00000000004f', 'inventory.stock_issued.v1', 'inventory', 'ord_01900000000070008000000000000007', '01900000-0000-7000-8000-000000000042', '{"specversion":"1.0","id":"01900000-0000-7000-8000-00000000004f","source":"/inventory","type":"inventory.stock_issued.v1","subject":"ord_01900000000070008000000000000007","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_01900000000070008000000000000007","correlationid":"01900000-0000-7000-8000-000000000042","causationid":"01900000-0000-7000-8000-000000000042","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_01900000000070008000000000000007","fulfillment_id":"ful_01900000000070008000000000000041","lines":[{"sku":"HAT","location":"near","quantity":1}]}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '59-1', 59);
INSERT INTO public.outbox VALUES (6, '01900000-0000-7000-8000-00000000000e', 'orders.order_created.v1', 'orders', 'ord_0190000000007000800000000000000d', '01900000-0000-7000-8000-00000000000e', '{"specversion":"1.0","id":"01900000-0000-7000-8000-00000000000e","source":"/orders","type":"orders.order_created.v1","subject":"ord_0190000000007000800000000000000d","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_0190000000007000800000000000000d","correlationid":"01900000-0000-7000-8000-00000000000e","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_0190000000007000800000000000000d","lines":[{"sku":"MUG","quantity":25}],"confirm":"auto"}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '6-1', 6);
INSERT INTO public.outbox VALUES (60, '01900000-0000-7000-8000-000000000050', 'inventory.stock_issued.v1', 'inventory', 'ord_0190000000007000800000000000000f', '01900000-0000-7000-8000-000000000044', '{"specversion":"1.0","id":"01900000-0000-7000-8000-000000000050","source":"/inventory","type":"inventory.stock_issued.v1","subject":"ord_0190000000007000800000000000000f","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_0190000000007000800000000000000f","correlationid":"01900000-0000-7000-8000-000000000044","causationid":"01900000-0000-7000-8000-000000000044","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_0190000000007000800000000000000f","fulfillment_id":"ful_01900000000070008000000000000043","lines":[{"sku":"MUG","location":"near","quantity":11},{"sku":"MUG","location":"far","quantity":13}]}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '60-1', 60);
INSERT INTO public.outbox VALUES (61, '01900000-0000-7000-8000-000000000051', 'inventory.stock_issued.v1', 'inventory', 'ord_01900000000070008000000000000013', '01900000-0000-7000-8000-000000000046', '{"specversion":"1.0","id":"01900000-0000-7000-8000-000000000051","source":"/inventory","type":"inventory.stock_issued.v1","subject":"ord_01900000000070008000000000000013","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_01900000000070008000000000000013","correlationid":"01900000-0000-7000-8000-000000000046","causationid":"01900000-0000-7000-8000-000000000046","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_01900000000070008000000000000013","fulfillment_id":"ful_01900000000070008000000000000045","lines":[{"sku":"MUG","location":"far","quantity":1}]}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '61-1', 61);
INSERT INTO public.outbox VALUES (62, '01900000-0000-7000-8000-000000000053', 'orders.fulfillment_requested.v1', 'orders', 'ord_0190000000007000800000000000000f', '01900000-0000-7000-8000-000000000053', '{"specversion":"1.0","id":"01900000-0000-7000-8000-000000000053","source":"/orders","type":"orders.fulfillment_requested.v1","subject":"ord_0190000000007000800000000000000f","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_0190000000007000800000000000000f","correlationid":"01900000-0000-7000-8000-000000000053","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_0190000000007000800000000000000f","fulfillment_id":"ful_01900000000070008000000000000052","lines":[{"sku":"MUG","quantity":1},{"sku":"HAT","quantity":1}]}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '62-1', 62);
INSERT INTO public.outbox VALUES (63, '01900000-0000-7000-8000-000000000054', 'orders.order_cancelled.v1', 'orders', 'ord_01900000000070008000000000000013', '01900000-0000-7000-8000-000000000054', '{"specversion":"1.0","id":"01900000-0000-7000-8000-000000000054","source":"/orders","type":"orders.order_cancelled.v1","subject":"ord_01900000000070008000000000000013","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_01900000000070008000000000000013","correlationid":"01900000-0000-7000-8000-000000000054","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_01900000000070008000000000000013","reason":"changed my mind","fulfilled":[{"sku":"MUG","quantity":1}]}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '63-1', 63);
INSERT INTO public.outbox VALUES (64, '01900000-0000-7000-8000-000000000056', 'orders.fulfillment_requested.v1', 'orders', 'ord_01900000000070008000000000000009', '01900000-0000-7000-8000-000000000056', '{"specversion":"1.0","id":"01900000-0000-7000-8000-000000000056","source":"/orders","type":"orders.fulfillment_requested.v1","subject":"ord_01900000000070008000000000000009","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_01900000000070008000000000000009","correlationid":"01900000-0000-7000-8000-000000000056","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_01900000000070008000000000000009","fulfillment_id":"ful_01900000000070008000000000000055","lines":[{"sku":"MUG","quantity":1}]}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '64-1', 64);
INSERT INTO public.outbox VALUES (65, '01900000-0000-7000-8000-000000000059', 'inventory.stock_issued.v1', 'inventory', 'ord_0190000000007000800000000000000f', '01900000-0000-7000-8000-000000000053', '{"specversion":"1.0","id":"01900000-0000-7000-8000-000000000059","source":"/inventory","type":"inventory.stock_issued.v1","subject":"ord_0190000000007000800000000000000f","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_0190000000007000800000000000000f","correlationid":"01900000-0000-7000-8000-000000000053","causationid":"01900000-0000-7000-8000-000000000053","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_0190000000007000800000000000000f","fulfillment_id":"ful_01900000000070008000000000000052","lines":[{"sku":"MUG","location":"far","quantity":1},{"sku":"HAT","location":"near","quantity":1}]}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '65-1', 65);
INSERT INTO public.outbox VALUES (66, '01900000-0000-7000-8000-00000000005a', 'inventory.stock_released.v1', 'inventory', 'ord_01900000000070008000000000000013', '01900000-0000-7000-8000-000000000054', '{"specversion":"1.0","id":"01900000-0000-7000-8000-00000000005a","source":"/inventory","type":"inventory.stock_released.v1","subject":"ord_01900000000070008000000000000013","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_01900000000070008000000000000013","correlationid":"01900000-0000-7000-8000-000000000054","causationid":"01900000-0000-7000-8000-000000000054","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_01900000000070008000000000000013","reason":"cancelled","lines":[{"sku":"MUG","location":"far","quantity":1}]}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '66-1', 66);
INSERT INTO public.outbox VALUES (67, '01900000-0000-7000-8000-00000000005b', 'inventory.stock_issued.v1', 'inventory', 'ord_01900000000070008000000000000009', '01900000-0000-7000-8000-000000000056', '{"specversion":"1.0","id":"01900000-0000-7000-8000-00000000005b","source":"/inventory","type":"inventory.stock_issued.v1","subject":"ord_01900000000070008000000000000009","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_01900000000070008000000000000009","correlationid":"01900000-0000-7000-8000-000000000056","causationid":"01900000-0000-7000-8000-000000000056","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_01900000000070008000000000000009","fulfillment_id":"ful_01900000000070008000000000000055","lines":[{"sku":"MUG","location":"near","quantity":1}]}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '67-1', 67);
INSERT INTO public.outbox VALUES (68, '01900000-0000-7000-8000-00000000005c', 'orders.order_fulfilled.v1', 'orders', 'ord_0190000000007000800000000000000f', '01900000-0000-7000-8000-000000000053', '{"specversion":"1.0","id":"01900000-0000-7000-8000-00000000005c","source":"/orders","type":"orders.order_fulfilled.v1","subject":"ord_0190000000007000800000000000000f","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_0190000000007000800000000000000f","correlationid":"01900000-0000-7000-8000-000000000053","causationid":"01900000-0000-7000-8000-000000000059","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_0190000000007000800000000000000f"}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '68-1', 68);
INSERT INTO public.outbox VALUES (69, '01900000-0000-7000-8000-00000000005f', 'orders.order_created.v1', 'orders', 'ord_0190000000007000800000000000005e', '01900000-0000-7000-8000-00000000005f', '{"specversion":"1.0","id":"01900000-0000-7000-8000-00000000005f","source":"/orders","type":"orders.order_created.v1","subject":"ord_0190000000007000800000000000005e","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_0190000000007000800000000000005e","correlationid":"01900000-0000-7000-8000-00000000005f","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_0190000000007000800000000000005e","lines":[{"sku":"MUG","quantity":1}],"confirm":"manual"}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '69-1', 69);
INSERT INTO public.outbox VALUES (7, '01900000-0000-7000-8000-000000000010', 'orders.order_created.v1', 'orders', 'ord_0190000000007000800000000000000f', '01900000-0000-7000-8000-000000000010', '{"specversion":"1.0","id":"01900000-0000-7000-8000-000000000010","source":"/orders","type":"orders.order_created.v1","subject":"ord_0190000000007000800000000000000f","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_0190000000007000800000000000000f","correlationid":"01900000-0000-7000-8000-000000000010","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_0190000000007000800000000000000f","lines":[{"sku":"MUG","quantity":25},{"sku":"HAT","quantity":1}],"confirm":"auto"}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '7-1', 7);
INSERT INTO public.outbox VALUES (70, '01900000-0000-7000-8000-000000000061', 'orders.order_created.v1', 'orders', 'ord_01900000000070008000000000000060', '01900000-0000-7000-8000-000000000061', '{"specversion":"1.0","id":"01900000-0000-7000-8000-000000000061","source":"/orders","type":"orders.order_created.v1","subject":"ord_01900000000070008000000000000060","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_01900000000070008000000000000060","correlationid":"01900000-0000-7000-8000-000000000061","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_01900000000070008000000000000060","lines":[{"sku":"HAT","quantity":2}],"confirm":"auto"}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '70-1', 70);
INSERT INTO public.outbox VALUES (71, '01900000-0000-7000-8000-000000000063', 'orders.order_created.v1', 'orders', 'ord_01900000000070008000000000000062', '01900000-0000-7000-8000-000000000063', '{"specversion":"1.0","id":"01900000-0000-7000-8000-000000000063","source":"/orders","type":"orders.order_created.v1","subject":"ord_01900000000070008000000000000062","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_01900000000070008000000000000062","correlationid":"01900000-0000-7000-8000-000000000063","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_01900000000070008000000000000062","lines":[{"sku":"MUG","quantity":3}],"confirm":"auto"}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '71-1', 71);
INSERT INTO public.outbox VALUES (72, '01900000-0000-7000-8000-000000000064', 'inventory.stock_reserved.v1', 'inventory', 'ord_0190000000007000800000000000005e', '01900000-0000-7000-8000-00000000005f', '{"specversion":"1.0","id":"01900000-0000-7000-8000-000000000064","source":"/inventory","type":"inventory.stock_reserved.v1","subject":"ord_0190000000007000800000000000005e","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_0190000000007000800000000000005e","correlationid":"01900000-0000-7000-8000-00000000005f","causationid":"01900000-0000-7000-8000-00000000005f","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_0190000000007000800000000000005e","lines":[{"sku":"MUG","location":"near","quantity":1}]}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '72-1', 72);
INSERT INTO public.outbox VALUES (73, '01900000-0000-7000-8000-000000000065', 'inventory.stock_reserved.v1', 'inventory', 'ord_01900000000070008000000000000060', '01900000-0000-7000-8000-000000000061', '{"specversion":"1.0","id":"01900000-0000-7000-8000-000000000065","source":"/inventory","type":"inventory.stock_reserved.v1","subject":"ord_01900000000070008000000000000060","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_01900000000070008000000000000060","correlationid":"01900000-0000-7000-8000-000000000061","causationid":"01900000-0000-7000-8000-000000000061","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_01900000000070008000000000000060","lines":[{"sku":"HAT","location":"near","quantity":2}]}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '73-1', 73);
INSERT INTO public.outbox VALUES (74, '01900000-0000-7000-8000-000000000066', 'inventory.stock_reserved.v1', 'inventory', 'ord_01900000000070008000000000000062', '01900000-0000-7000-8000-000000000063', '{"specversion":"1.0","id":"01900000-0000-7000-8000-000000000066","source":"/inventory","type":"inventory.stock_reserved.v1","subject":"ord_01900000000070008000000000000062","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_01900000000070008000000000000062","correlationid":"01900000-0000-7000-8000-000000000063","causationid":"01900000-0000-7000-8000-000000000063","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_01900000000070008000000000000062","lines":[{"sku":"MUG","location":"near","quantity":3}]}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '74-1', 74);
INSERT INTO public.outbox VALUES (75, '01900000-0000-7000-8000-000000000067', 'orders.order_reserved.v1', 'orders', 'ord_0190000000007000800000000000005e', '01900000-0000-7000-8000-00000000005f', '{"specversion":"1.0","id":"01900000-0000-7000-8000-000000000067","source":"/orders","type":"orders.order_reserved.v1","subject":"ord_0190000000007000800000000000005e","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_0190000000007000800000000000005e","correlationid":"01900000-0000-7000-8000-00000000005f","causationid":"01900000-0000-7000-8000-000000000064","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_0190000000007000800000000000005e","expires_at":"2100-01-01T12:00:00.000000Z"}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '75-1', 75);
INSERT INTO public.outbox VALUES (76, '01900000-0000-7000-8000-000000000068', 'orders.order_confirmed.v1', 'orders', 'ord_01900000000070008000000000000060', '01900000-0000-7000-8000-000000000061', '{"specversion":"1.0","id":"01900000-0000-7000-8000-000000000068","source":"/orders","type":"orders.order_confirmed.v1","subject":"ord_01900000000070008000000000000060","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_01900000000070008000000000000060","correlationid":"01900000-0000-7000-8000-000000000061","causationid":"01900000-0000-7000-8000-000000000065","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_01900000000070008000000000000060"}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '76-1', 76);
INSERT INTO public.outbox VALUES (77, '01900000-0000-7000-8000-000000000069', 'orders.order_confirmed.v1', 'orders', 'ord_01900000000070008000000000000062', '01900000-0000-7000-8000-000000000063', '{"specversion":"1.0","id":"01900000-0000-7000-8000-000000000069","source":"/orders","type":"orders.order_confirmed.v1","subject":"ord_01900000000070008000000000000062","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_01900000000070008000000000000062","correlationid":"01900000-0000-7000-8000-000000000063","causationid":"01900000-0000-7000-8000-000000000066","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_01900000000070008000000000000062"}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '77-1', 77);
INSERT INTO public.outbox VALUES (78, '01900000-0000-7000-8000-00000000006b', 'orders.fulfillment_requested.v1', 'orders', 'ord_01900000000070008000000000000060', '01900000-0000-7000-8000-00000000006b', '{"specversion":"1.0","id":"01900000-0000-7000-8000-00000000006b","source":"/orders","type":"orders.fulfillment_requested.v1","subject":"ord_01900000000070008000000000000060","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_01900000000070008000000000000060","correlationid":"01900000-0000-7000-8000-00000000006b","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_01900000000070008000000000000060","fulfillment_id":"ful_0190000000007000800000000000006a","lines":[{"sku":"HAT","quantity":1}]}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '78-1', 78);
INSERT INTO public.outbox VALUES (79, '01900000-0000-7000-8000-00000000006e', 'orders.order_expired.v1', 'orders', 'ord_0190000000007000800000000000005e', '01900000-0000-7000-8000-00000000006e', '{"specversion":"1.0","id":"01900000-0000-7000-8000-00000000006e","source":"/orders","type":"orders.order_expired.v1","subject":"ord_0190000000007000800000000000005e","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_0190000000007000800000000000005e","correlationid":"01900000-0000-7000-8000-00000000006e","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_0190000000007000800000000000005e"}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '79-1', 79);
INSERT INTO public.outbox VALUES (8, '01900000-0000-7000-8000-000000000012', 'orders.order_created.v1', 'orders', 'ord_01900000000070008000000000000011', '01900000-0000-7000-8000-000000000012', '{"specversion":"1.0","id":"01900000-0000-7000-8000-000000000012","source":"/orders","type":"orders.order_created.v1","subject":"ord_01900000000070008000000000000011","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_01900000000070008000000000000011","correlationid":"01900000-0000-7000-8000-000000000012","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_01900000000070008000000000000011","lines":[{"sku":"MUG","quantity":9999}],"confirm":"auto"}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '8-1', 8);
INSERT INTO public.outbox VALUES (80, '01900000-0000-7000-8000-00000000006d', 'orders.order_created.v1', 'orders', 'ord_0190000000007000800000000000006c', '01900000-0000-7000-8000-00000000006d', '{"specversion":"1.0","id":"01900000-0000-7000-8000-00000000006d","source":"/orders","type":"orders.order_created.v1","subject":"ord_0190000000007000800000000000006c","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_0190000000007000800000000000006c","correlationid":"01900000-0000-7000-8000-00000000006d","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_0190000000007000800000000000006c","lines":[{"sku":"MUG","quantity":4}],"confirm":"auto"}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '80-1', 80);
INSERT INTO public.outbox VALUES (81, '01900000-0000-7000-8000-000000000070', 'orders.order_created.v1', 'orders', 'ord_0190000000007000800000000000006f', '01900000-0000-7000-8000-000000000070', '{"specversion":"1.0","id":"01900000-0000-7000-8000-000000000070","source":"/orders","type":"orders.order_created.v1","subject":"ord_0190000000007000800000000000006f","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_0190000000007000800000000000006f","correlationid":"01900000-0000-7000-8000-000000000070","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_0190000000007000800000000000006f","lines":[{"sku":"MUG","quantity":1}],"confirm":"auto"}}', '2026-01-01 12:00:00.000000+00', NULL, NULL, NULL);
INSERT INTO public.outbox VALUES (82, '01900000-0000-7000-8000-000000000071', 'dead_letters.event_dead_lettered.v1', 'dead_letters', '01900000-0000-7000-8000-000000000070', '01900000-0000-7000-8000-000000000070', '{"specversion":"1.0","id":"01900000-0000-7000-8000-000000000071","source":"/dead_letters","type":"dead_letters.event_dead_lettered.v1","subject":"01900000-0000-7000-8000-000000000070","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"01900000-0000-7000-8000-000000000070","correlationid":"01900000-0000-7000-8000-000000000070","causationid":"01900000-0000-7000-8000-000000000070","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"dead_event_id":"01900000-0000-7000-8000-000000000070","dead_event_type":"orders.order_created.v1","subscriber":"inventory","attempts":1,"error_type":"PermanentError","error":"no such shelf for ord_0190000000007000800000000000006f"}}', '2026-01-01 12:00:00.000000+00', NULL, NULL, NULL);
INSERT INTO public.outbox VALUES (83, '01900000-0000-7000-8000-000000000073', 'orders.order_created.v1', 'orders', 'ord_01900000000070008000000000000072', '01900000-0000-7000-8000-000000000073', '{"specversion":"1.0","id":"01900000-0000-7000-8000-000000000073","source":"/orders","type":"orders.order_created.v1","subject":"ord_01900000000070008000000000000072","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_01900000000070008000000000000072","correlationid":"01900000-0000-7000-8000-000000000073","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_01900000000070008000000000000072","lines":[{"sku":"MUG","quantity":1}],"confirm":"auto"}}', '2026-01-01 12:00:00.000000+00', NULL, NULL, NULL);
INSERT INTO public.outbox VALUES (84, '01900000-0000-7000-8000-000000000076', 'orders.order_created.v1', 'orders', 'ord_01900000000070008000000000000075', '01900000-0000-7000-8000-000000000074', '{"specversion":"1.0","id":"01900000-0000-7000-8000-000000000076","source":"/orders","type":"orders.order_created.v1","subject":"ord_01900000000070008000000000000075","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_01900000000070008000000000000075","correlationid":"01900000-0000-7000-8000-000000000074","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_01900000000070008000000000000075","lines":[{"sku":"MUG","quantity":1}],"confirm":"auto"}}', '2026-01-01 12:00:00.000000+00', NULL, NULL, NULL);
INSERT INTO public.outbox VALUES (85, '01900000-0000-7000-8000-00000000007a', 'orders.order_created.v1', 'orders', 'ord_01900000000070008000000000000079', '01900000-0000-7000-8000-00000000007a', '{"specversion":"1.0","id":"01900000-0000-7000-8000-00000000007a","source":"/orders","type":"orders.order_created.v1","subject":"ord_01900000000070008000000000000079","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_01900000000070008000000000000079","correlationid":"01900000-0000-7000-8000-00000000007a","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_01900000000070008000000000000079","lines":[{"sku":"MUG","quantity":2}],"confirm":"auto"}}', '2026-01-01 12:00:00.000000+00', NULL, NULL, NULL);
INSERT INTO public.outbox VALUES (86, '01900000-0000-7000-8000-00000000007c', 'orders.order_created.v1', 'orders', 'ord_0190000000007000800000000000007b', '01900000-0000-7000-8000-00000000007c', '{"specversion":"1.0","id":"01900000-0000-7000-8000-00000000007c","source":"/orders","type":"orders.order_created.v1","subject":"ord_0190000000007000800000000000007b","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_0190000000007000800000000000007b","correlationid":"01900000-0000-7000-8000-00000000007c","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_0190000000007000800000000000007b","lines":[{"sku":"HAT","quantity":1}],"confirm":"auto"}}', '2026-01-01 12:00:00.000000+00', NULL, NULL, NULL);
INSERT INTO public.outbox VALUES (9, '01900000-0000-7000-8000-000000000014', 'orders.order_created.v1', 'orders', 'ord_01900000000070008000000000000013', '01900000-0000-7000-8000-000000000014', '{"specversion":"1.0","id":"01900000-0000-7000-8000-000000000014","source":"/orders","type":"orders.order_created.v1","subject":"ord_01900000000070008000000000000013","time":"2026-01-01T12:00:00.000000Z","datacontenttype":"application/json","partitionkey":"ord_01900000000070008000000000000013","correlationid":"01900000-0000-7000-8000-000000000014","traceparent":"00-01900000000040008000000000000002-0000000000000001-01","data":{"order_id":"ord_01900000000070008000000000000013","lines":[{"sku":"MUG","quantity":2}],"confirm":"auto"}}', '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00', '9-1', 9);
INSERT INTO public.pause VALUES ('orders', 'ann', 'stock-taking', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.products VALUES ('HAT', 'Hat', 900, 'GBP', true, 1, '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.products VALUES ('MUG', 'Mug', 425, 'GBP', true, 1, '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.receipts VALUES ('rcp_01900000000070008000000000000001', NULL, '2026-01-01 12:00:00.000000+00', NULL);
INSERT INTO public.receipts VALUES ('rcp_01900000000070008000000000000002', NULL, '2026-01-01 12:00:00.000000+00', NULL);
INSERT INTO public.receipts VALUES ('rcp_0190000000007000800000000000005d', NULL, '2026-01-01 12:00:00.000000+00', NULL);
INSERT INTO public.reservation_lines VALUES ('ord_01900000000070008000000000000003', 'HAT', 'near', 2, 0);
INSERT INTO public.reservation_lines VALUES ('ord_01900000000070008000000000000003', 'MUG', 'near', 1, 0);
INSERT INTO public.reservation_lines VALUES ('ord_01900000000070008000000000000005', 'HAT', 'near', 2, 0);
INSERT INTO public.reservation_lines VALUES ('ord_01900000000070008000000000000005', 'MUG', 'near', 1, 0);
INSERT INTO public.reservation_lines VALUES ('ord_01900000000070008000000000000007', 'HAT', 'near', 2, 1);
INSERT INTO public.reservation_lines VALUES ('ord_01900000000070008000000000000007', 'MUG', 'near', 1, 0);
INSERT INTO public.reservation_lines VALUES ('ord_01900000000070008000000000000009', 'HAT', 'near', 2, 0);
INSERT INTO public.reservation_lines VALUES ('ord_01900000000070008000000000000009', 'MUG', 'near', 1, 1);
INSERT INTO public.reservation_lines VALUES ('ord_0190000000007000800000000000000d', 'MUG', 'near', 25, 0);
INSERT INTO public.reservation_lines VALUES ('ord_0190000000007000800000000000000f', 'HAT', 'near', 1, 1);
INSERT INTO public.reservation_lines VALUES ('ord_0190000000007000800000000000000f', 'MUG', 'far', 14, 14);
INSERT INTO public.reservation_lines VALUES ('ord_0190000000007000800000000000000f', 'MUG', 'near', 11, 11);
INSERT INTO public.reservation_lines VALUES ('ord_01900000000070008000000000000013', 'MUG', 'far', 2, 1);
INSERT INTO public.reservation_lines VALUES ('ord_01900000000070008000000000000015', 'MUG', 'far', 3, 0);
INSERT INTO public.reservation_lines VALUES ('ord_01900000000070008000000000000017', 'MUG', 'far', 3, 0);
INSERT INTO public.reservation_lines VALUES ('ord_01900000000070008000000000000019', 'MUG', 'far', 3, 0);
INSERT INTO public.reservation_lines VALUES ('ord_0190000000007000800000000000001b', 'MUG', 'far', 3, 0);
INSERT INTO public.reservation_lines VALUES ('ord_0190000000007000800000000000001d', 'MUG', 'far', 3, 0);
INSERT INTO public.reservation_lines VALUES ('ord_0190000000007000800000000000005e', 'MUG', 'near', 1, 0);
INSERT INTO public.reservation_lines VALUES ('ord_01900000000070008000000000000060', 'HAT', 'near', 2, 0);
INSERT INTO public.reservation_lines VALUES ('ord_01900000000070008000000000000062', 'MUG', 'near', 3, 0);
INSERT INTO public.reservations VALUES ('ord_01900000000070008000000000000003', 'committed', 1, '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.reservations VALUES ('ord_01900000000070008000000000000005', 'released', 2, '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.reservations VALUES ('ord_01900000000070008000000000000007', 'committed', 1, '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.reservations VALUES ('ord_01900000000070008000000000000009', 'committed', 1, '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.reservations VALUES ('ord_0190000000007000800000000000000b', 'void', 1, '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.reservations VALUES ('ord_0190000000007000800000000000000d', 'committed', 1, '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.reservations VALUES ('ord_0190000000007000800000000000000f', 'consumed', 2, '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.reservations VALUES ('ord_01900000000070008000000000000011', 'rejected', 2, '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.reservations VALUES ('ord_01900000000070008000000000000013', 'released', 2, '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.reservations VALUES ('ord_01900000000070008000000000000015', 'held', 1, '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.reservations VALUES ('ord_01900000000070008000000000000017', 'committed', 2, '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.reservations VALUES ('ord_01900000000070008000000000000019', 'released', 2, '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.reservations VALUES ('ord_0190000000007000800000000000001b', 'released', 2, '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.reservations VALUES ('ord_0190000000007000800000000000001d', 'released', 2, '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.reservations VALUES ('ord_0190000000007000800000000000005e', 'held', 1, '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.reservations VALUES ('ord_01900000000070008000000000000060', 'committed', 1, '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.reservations VALUES ('ord_01900000000070008000000000000062', 'committed', 1, '2026-01-01 12:00:00.000000+00', '2026-01-01 12:00:00.000000+00');
INSERT INTO public.stock_items VALUES ('HAT', 1, 3, 1, '2026-01-01 12:00:00.000000+00');
INSERT INTO public.stock_levels VALUES ('HAT', 'near', 513, 7, 7, '2026-01-01 12:00:00.000000+00', 7);
INSERT INTO public.stock_levels VALUES ('MUG', 'far', 24, 6, 5, '2026-01-01 12:00:00.000000+00', 3);
INSERT INTO public.stock_levels VALUES ('MUG', 'near', 528, 31, 6, '2026-01-01 12:00:00.000000+00', 30);
INSERT INTO public.stock_movements VALUES (1, 'MUG', 'near', 'receive', 40, 0, 40, 0, NULL, 'rcp_01900000000070008000000000000001', NULL, '2026-01-01 12:00:00.000000+00', 0, 0, NULL, NULL);
INSERT INTO public.stock_movements VALUES (10, 'MUG', 'near', 'reserve', 0, 1, 40, 4, 'ord_01900000000070008000000000000009', NULL, '01900000-0000-7000-8000-00000000000a', '2026-01-01 12:00:00.000000+00', 1, 4, NULL, NULL);
INSERT INTO public.stock_movements VALUES (11, 'HAT', 'near', 'reserve', 0, 2, 15, 8, 'ord_01900000000070008000000000000009', NULL, '01900000-0000-7000-8000-00000000000a', '2026-01-01 12:00:00.000000+00', 2, 8, NULL, NULL);
INSERT INTO public.stock_movements VALUES (12, 'MUG', 'near', 'reserve', 0, 25, 40, 29, 'ord_0190000000007000800000000000000d', NULL, '01900000-0000-7000-8000-00000000000e', '2026-01-01 12:00:00.000000+00', 25, 29, NULL, NULL);
INSERT INTO public.stock_movements VALUES (13, 'MUG', 'near', 'reserve', 0, 11, 40, 40, 'ord_0190000000007000800000000000000f', NULL, '01900000-0000-7000-8000-000000000010', '2026-01-01 12:00:00.000000+00', 11, 40, NULL, NULL);
INSERT INTO public.stock_movements VALUES (14, 'MUG', 'far', 'reserve', 0, 14, 40, 14, 'ord_0190000000007000800000000000000f', NULL, '01900000-0000-7000-8000-000000000010', '2026-01-01 12:00:00.000000+00', 14, 14, NULL, NULL);
INSERT INTO public.stock_movements VALUES (15, 'HAT', 'near', 'reserve', 0, 1, 15, 9, 'ord_0190000000007000800000000000000f', NULL, '01900000-0000-7000-8000-000000000010', '2026-01-01 12:00:00.000000+00', 1, 9, NULL, NULL);
INSERT INTO public.stock_movements VALUES (16, 'MUG', 'far', 'reserve', 0, 2, 40, 16, 'ord_01900000000070008000000000000013', NULL, '01900000-0000-7000-8000-000000000014', '2026-01-01 12:00:00.000000+00', 2, 16, NULL, NULL);
INSERT INTO public.stock_movements VALUES (17, 'MUG', 'far', 'reserve', 0, 3, 40, 19, 'ord_01900000000070008000000000000015', NULL, '01900000-0000-7000-8000-000000000016', '2026-01-01 12:00:00.000000+00', 0, 16, NULL, NULL);
INSERT INTO public.stock_movements VALUES (18, 'MUG', 'far', 'reserve', 0, 3, 40, 22, 'ord_01900000000070008000000000000017', NULL, '01900000-0000-7000-8000-000000000018', '2026-01-01 12:00:00.000000+00', 0, 16, NULL, NULL);
INSERT INTO public.stock_movements VALUES (19, 'MUG', 'far', 'reserve', 0, 3, 40, 25, 'ord_01900000000070008000000000000019', NULL, '01900000-0000-7000-8000-00000000001a', '2026-01-01 12:00:00.000000+00', 0, 16, NULL, NULL);
INSERT INTO public.stock_movements VALUES (2, 'HAT', 'near', 'receive', 15, 0, 15, 0, NULL, 'rcp_01900000000070008000000000000001', NULL, '2026-01-01 12:00:00.000000+00', 0, 0, NULL, NULL);
INSERT INTO public.stock_movements VALUES (20, 'MUG', 'far', 'reserve', 0, 3, 40, 28, 'ord_0190000000007000800000000000001b', NULL, '01900000-0000-7000-8000-00000000001c', '2026-01-01 12:00:00.000000+00', 0, 16, NULL, NULL);
INSERT INTO public.stock_movements VALUES (21, 'MUG', 'far', 'reserve', 0, 3, 40, 31, 'ord_0190000000007000800000000000001d', NULL, '01900000-0000-7000-8000-00000000001e', '2026-01-01 12:00:00.000000+00', 0, 16, NULL, NULL);
INSERT INTO public.stock_movements VALUES (22, 'MUG', 'far', 'commit', 0, 0, 40, 31, 'ord_01900000000070008000000000000017', NULL, '01900000-0000-7000-8000-00000000003b', '2026-01-01 12:00:00.000000+00', 3, 19, NULL, NULL);
INSERT INTO public.stock_movements VALUES (23, 'MUG', 'far', 'release', 0, -3, 40, 28, 'ord_0190000000007000800000000000001b', NULL, '01900000-0000-7000-8000-00000000003d', '2026-01-01 12:00:00.000000+00', 0, 19, NULL, NULL);
INSERT INTO public.stock_movements VALUES (24, 'MUG', 'far', 'release', 0, -3, 40, 25, 'ord_01900000000070008000000000000019', NULL, '01900000-0000-7000-8000-00000000003e', '2026-01-01 12:00:00.000000+00', 0, 19, NULL, NULL);
INSERT INTO public.stock_movements VALUES (25, 'HAT', 'near', 'release', 0, -2, 15, 7, 'ord_01900000000070008000000000000005', NULL, '01900000-0000-7000-8000-00000000003f', '2026-01-01 12:00:00.000000+00', -2, 7, NULL, NULL);
INSERT INTO public.stock_movements VALUES (26, 'MUG', 'near', 'release', 0, -1, 40, 39, 'ord_01900000000070008000000000000005', NULL, '01900000-0000-7000-8000-00000000003f', '2026-01-01 12:00:00.000000+00', -1, 39, NULL, NULL);
INSERT INTO public.stock_movements VALUES (27, 'MUG', 'far', 'release', 0, -3, 40, 22, 'ord_0190000000007000800000000000001d', NULL, '01900000-0000-7000-8000-000000000040', '2026-01-01 12:00:00.000000+00', 0, 19, NULL, NULL);
INSERT INTO public.stock_movements VALUES (28, 'HAT', 'near', 'issue', -1, -1, 14, 6, 'ord_01900000000070008000000000000007', NULL, '01900000-0000-7000-8000-000000000042', '2026-01-01 12:00:00.000000+00', -1, 6, NULL, 'ful_01900000000070008000000000000041');
INSERT INTO public.stock_movements VALUES (29, 'MUG', 'near', 'issue', -11, -11, 29, 28, 'ord_0190000000007000800000000000000f', NULL, '01900000-0000-7000-8000-000000000044', '2026-01-01 12:00:00.000000+00', -11, 28, NULL, 'ful_01900000000070008000000000000043');
INSERT INTO public.stock_movements VALUES (3, 'MUG', 'far', 'receive', 40, 0, 40, 0, NULL, 'rcp_01900000000070008000000000000002', NULL, '2026-01-01 12:00:00.000000+00', 0, 0, NULL, NULL);
INSERT INTO public.stock_movements VALUES (30, 'MUG', 'far', 'issue', -13, -13, 27, 9, 'ord_0190000000007000800000000000000f', NULL, '01900000-0000-7000-8000-000000000044', '2026-01-01 12:00:00.000000+00', -13, 6, NULL, 'ful_01900000000070008000000000000043');
INSERT INTO public.stock_movements VALUES (31, 'MUG', 'far', 'issue', -1, -1, 26, 8, 'ord_01900000000070008000000000000013', NULL, '01900000-0000-7000-8000-000000000046', '2026-01-01 12:00:00.000000+00', -1, 5, NULL, 'ful_01900000000070008000000000000045');
INSERT INTO public.stock_movements VALUES (32, 'MUG', 'far', 'adjust', -1, 0, 25, 8, NULL, NULL, NULL, '2026-01-01 12:00:00.000000+00', 0, 5, 'adj_01900000000070008000000000000057', NULL);
INSERT INTO public.stock_movements VALUES (33, 'HAT', 'near', 'count', 0, 0, 14, 6, NULL, NULL, NULL, '2026-01-01 12:00:00.000000+00', 0, 6, 'adj_01900000000070008000000000000058', NULL);
INSERT INTO public.stock_movements VALUES (34, 'MUG', 'far', 'issue', -1, -1, 24, 7, 'ord_0190000000007000800000000000000f', NULL, '01900000-0000-7000-8000-000000000053', '2026-01-01 12:00:00.000000+00', -1, 4, NULL, 'ful_01900000000070008000000000000052');
INSERT INTO public.stock_movements VALUES (35, 'HAT', 'near', 'issue', -1, -1, 13, 5, 'ord_0190000000007000800000000000000f', NULL, '01900000-0000-7000-8000-000000000053', '2026-01-01 12:00:00.000000+00', -1, 5, NULL, 'ful_01900000000070008000000000000052');
INSERT INTO public.stock_movements VALUES (36, 'MUG', 'far', 'release', 0, -1, 24, 6, 'ord_01900000000070008000000000000013', NULL, '01900000-0000-7000-8000-000000000054', '2026-01-01 12:00:00.000000+00', -1, 3, NULL, NULL);
INSERT INTO public.stock_movements VALUES (37, 'MUG', 'near', 'issue', -1, -1, 28, 27, 'ord_01900000000070008000000000000009', NULL, '01900000-0000-7000-8000-000000000056', '2026-01-01 12:00:00.000000+00', -1, 27, NULL, 'ful_01900000000070008000000000000055');
INSERT INTO public.stock_movements VALUES (38, 'MUG', 'near', 'receive', 500, 0, 528, 27, NULL, 'rcp_0190000000007000800000000000005d', NULL, '2026-01-01 12:00:00.000000+00', 0, 27, NULL, NULL);
INSERT INTO public.stock_movements VALUES (39, 'HAT', 'near', 'receive', 500, 0, 513, 5, NULL, 'rcp_0190000000007000800000000000005d', NULL, '2026-01-01 12:00:00.000000+00', 0, 5, NULL, NULL);
INSERT INTO public.stock_movements VALUES (4, 'MUG', 'near', 'reserve', 0, 1, 40, 1, 'ord_01900000000070008000000000000003', NULL, '01900000-0000-7000-8000-000000000004', '2026-01-01 12:00:00.000000+00', 1, 1, NULL, NULL);
INSERT INTO public.stock_movements VALUES (40, 'MUG', 'near', 'reserve', 0, 1, 528, 28, 'ord_0190000000007000800000000000005e', NULL, '01900000-0000-7000-8000-00000000005f', '2026-01-01 12:00:00.000000+00', 0, 27, NULL, NULL);
INSERT INTO public.stock_movements VALUES (41, 'HAT', 'near', 'reserve', 0, 2, 513, 7, 'ord_01900000000070008000000000000060', NULL, '01900000-0000-7000-8000-000000000061', '2026-01-01 12:00:00.000000+00', 2, 7, NULL, NULL);
INSERT INTO public.stock_movements VALUES (42, 'MUG', 'near', 'reserve', 0, 3, 528, 31, 'ord_01900000000070008000000000000062', NULL, '01900000-0000-7000-8000-000000000063', '2026-01-01 12:00:00.000000+00', 3, 30, NULL, NULL);
INSERT INTO public.stock_movements VALUES (5, 'HAT', 'near', 'reserve', 0, 2, 15, 2, 'ord_01900000000070008000000000000003', NULL, '01900000-0000-7000-8000-000000000004', '2026-01-01 12:00:00.000000+00', 2, 2, NULL, NULL);
INSERT INTO public.stock_movements VALUES (6, 'MUG', 'near', 'reserve', 0, 1, 40, 2, 'ord_01900000000070008000000000000005', NULL, '01900000-0000-7000-8000-000000000006', '2026-01-01 12:00:00.000000+00', 1, 2, NULL, NULL);
INSERT INTO public.stock_movements VALUES (7, 'HAT', 'near', 'reserve', 0, 2, 15, 4, 'ord_01900000000070008000000000000005', NULL, '01900000-0000-7000-8000-000000000006', '2026-01-01 12:00:00.000000+00', 2, 4, NULL, NULL);
INSERT INTO public.stock_movements VALUES (8, 'MUG', 'near', 'reserve', 0, 1, 40, 3, 'ord_01900000000070008000000000000007', NULL, '01900000-0000-7000-8000-000000000008', '2026-01-01 12:00:00.000000+00', 1, 3, NULL, NULL);
INSERT INTO public.stock_movements VALUES (9, 'HAT', 'near', 'reserve', 0, 2, 15, 6, 'ord_01900000000070008000000000000007', NULL, '01900000-0000-7000-8000-000000000008', '2026-01-01 12:00:00.000000+00', 2, 6, NULL, NULL);
INSERT INTO public.subscription VALUES ('inventory', 'orders.fulfillment_cancel_requested.v1', 0, '2026-01-01 12:00:00.000000+00');
INSERT INTO public.subscription VALUES ('inventory', 'orders.fulfillment_requested.v1', 0, '2026-01-01 12:00:00.000000+00');
INSERT INTO public.subscription VALUES ('inventory', 'orders.hold_confirmed.v1', 0, '2026-01-01 12:00:00.000000+00');
INSERT INTO public.subscription VALUES ('inventory', 'orders.order_cancelled.v1', 0, '2026-01-01 12:00:00.000000+00');
INSERT INTO public.subscription VALUES ('inventory', 'orders.order_created.v1', 0, '2026-01-01 12:00:00.000000+00');
INSERT INTO public.subscription VALUES ('inventory', 'orders.order_expired.v1', 0, '2026-01-01 12:00:00.000000+00');
INSERT INTO public.subscription VALUES ('orders', 'inventory.stock_issue_voided.v1', 0, '2026-01-01 12:00:00.000000+00');
INSERT INTO public.subscription VALUES ('orders', 'inventory.stock_issued.v1', 0, '2026-01-01 12:00:00.000000+00');
INSERT INTO public.subscription VALUES ('orders', 'inventory.stock_rejected.v1', 0, '2026-01-01 12:00:00.000000+00');
INSERT INTO public.subscription VALUES ('orders', 'inventory.stock_reserved.v1', 0, '2026-01-01 12:00:00.000000+00');
SELECT pg_catalog.setval('public.failed_attempt_id_seq', 2, true);
SELECT pg_catalog.setval('public.outbox_position_seq', 86, true);
SELECT pg_catalog.setval('public.stock_movements_id_seq', 42, true);
ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY public.adjustments
    ADD CONSTRAINT pk_adjustments PRIMARY KEY (id);
ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT pk_api_keys PRIMARY KEY (id);
ALTER TABLE ONLY public.console_sessions
    ADD CONSTRAINT pk_console_sessions PRIMARY KEY (token_digest);
ALTER TABLE ONLY public.delivery
    ADD CONSTRAINT pk_delivery PRIMARY KEY (subscriber, event_id);
ALTER TABLE ONLY public.failed_attempt
    ADD CONSTRAINT pk_failed_attempt PRIMARY KEY (id);
ALTER TABLE ONLY public.fulfillment_lines
    ADD CONSTRAINT pk_fulfillment_lines PRIMARY KEY (fulfillment_id, sku);
ALTER TABLE ONLY public.fulfillments
    ADD CONSTRAINT pk_fulfillments PRIMARY KEY (id);
ALTER TABLE ONLY public.idempotency_keys
    ADD CONSTRAINT pk_idempotency_keys PRIMARY KEY (principal, key);
ALTER TABLE ONLY public.inbox
    ADD CONSTRAINT pk_inbox PRIMARY KEY (subscriber, event_id);
ALTER TABLE ONLY public.issues
    ADD CONSTRAINT pk_issues PRIMARY KEY (fulfillment_id);
ALTER TABLE ONLY public.locations
    ADD CONSTRAINT pk_locations PRIMARY KEY (id);
ALTER TABLE ONLY public.log_head
    ADD CONSTRAINT pk_log_head PRIMARY KEY (id);
ALTER TABLE ONLY public.operator_action
    ADD CONSTRAINT pk_operator_action PRIMARY KEY (id);
ALTER TABLE ONLY public.order_lines
    ADD CONSTRAINT pk_order_lines PRIMARY KEY (order_id, sku);
ALTER TABLE ONLY public.order_timeline
    ADD CONSTRAINT pk_order_timeline PRIMARY KEY (order_id, version);
ALTER TABLE ONLY public.orders
    ADD CONSTRAINT pk_orders PRIMARY KEY (id);
ALTER TABLE ONLY public.outbox
    ADD CONSTRAINT pk_outbox PRIMARY KEY ("position");
ALTER TABLE ONLY public.pause
    ADD CONSTRAINT pk_pause PRIMARY KEY (subscriber);
ALTER TABLE ONLY public.products
    ADD CONSTRAINT pk_products PRIMARY KEY (sku);
ALTER TABLE ONLY public.pruned
    ADD CONSTRAINT pk_pruned PRIMARY KEY (event_id);
ALTER TABLE ONLY public.receipts
    ADD CONSTRAINT pk_receipts PRIMARY KEY (id);
ALTER TABLE ONLY public.reservation_lines
    ADD CONSTRAINT pk_reservation_lines PRIMARY KEY (order_id, sku, location);
ALTER TABLE ONLY public.reservations
    ADD CONSTRAINT pk_reservations PRIMARY KEY (order_id);
ALTER TABLE ONLY public.settled
    ADD CONSTRAINT pk_settled PRIMARY KEY (subscriber);
ALTER TABLE ONLY public.stock_items
    ADD CONSTRAINT pk_stock_items PRIMARY KEY (sku);
ALTER TABLE ONLY public.stock_levels
    ADD CONSTRAINT pk_stock_levels PRIMARY KEY (sku, location);
ALTER TABLE ONLY public.stock_movements
    ADD CONSTRAINT pk_stock_movements PRIMARY KEY (id);
ALTER TABLE ONLY public.subscription
    ADD CONSTRAINT pk_subscription PRIMARY KEY (subscriber, event_type);
ALTER TABLE ONLY public.adjustments
    ADD CONSTRAINT uq_adjustments_reference UNIQUE (reference);
ALTER TABLE ONLY public.orders
    ADD CONSTRAINT uq_orders_reference UNIQUE (reference);
ALTER TABLE ONLY public.outbox
    ADD CONSTRAINT uq_outbox_event_id UNIQUE (event_id);
ALTER TABLE ONLY public.outbox
    ADD CONSTRAINT uq_outbox_log_position UNIQUE (log_position);
ALTER TABLE ONLY public.receipts
    ADD CONSTRAINT uq_receipts_reference UNIQUE (reference);
ALTER TABLE ONLY public.stock_movements
    ADD CONSTRAINT uq_stock_movements_event_id_sku_location_kind UNIQUE (event_id, sku, location, kind);
CREATE INDEX ix_console_sessions_expires_at ON public.console_sessions USING btree (expires_at);
CREATE INDEX ix_delivery_action_id ON public.delivery USING btree (action_id);
CREATE INDEX ix_delivery_due ON public.delivery USING btree (subscriber, next_attempt_at) WHERE ((state)::text = 'due'::text);
CREATE INDEX ix_delivery_state ON public.delivery USING btree (state, subscriber, updated_at);
CREATE INDEX ix_delivery_suspect ON public.delivery USING btree (subscriber, next_attempt_at) WHERE (((state)::text = 'due'::text) AND (unfinished > 0));
CREATE INDEX ix_failed_attempt_event_id ON public.failed_attempt USING btree (event_id);
CREATE INDEX ix_fulfillments_open ON public.fulfillments USING btree (id) WHERE ((status)::text = ANY ((ARRAY['requested'::character varying, 'cancelling'::character varying])::text[]));
CREATE INDEX ix_fulfillments_order_id_id ON public.fulfillments USING btree (order_id, id);
CREATE INDEX ix_idempotency_keys_created_at ON public.idempotency_keys USING btree (created_at);
CREATE INDEX ix_order_lines_sku_order_id ON public.order_lines USING btree (sku, order_id);
CREATE INDEX ix_orders_customer_id_id ON public.orders USING btree (customer_id, id);
CREATE INDEX ix_orders_held ON public.orders USING btree (expires_at) WHERE (expires_at IS NOT NULL);
CREATE INDEX ix_orders_status_id ON public.orders USING btree (status, id);
CREATE INDEX ix_outbox_correlation_id ON public.outbox USING btree (correlation_id);
CREATE INDEX ix_outbox_subject ON public.outbox USING btree (subject);
CREATE INDEX ix_outbox_unpublished ON public.outbox USING btree ("position") WHERE (published_at IS NULL);
CREATE INDEX ix_outbox_unpublished_context ON public.outbox USING btree (context, "position") WHERE (published_at IS NULL);
CREATE INDEX ix_pruned_pruned_at ON public.pruned USING btree (pruned_at);
CREATE INDEX ix_reservation_lines_sku_order_id ON public.reservation_lines USING btree (sku, order_id);
CREATE INDEX ix_stock_movements_adjustment_id ON public.stock_movements USING btree (adjustment_id) WHERE (adjustment_id IS NOT NULL);
CREATE INDEX ix_stock_movements_location_id ON public.stock_movements USING btree (location, id);
CREATE INDEX ix_stock_movements_order_id_id ON public.stock_movements USING btree (order_id, id);
CREATE INDEX ix_stock_movements_receipt_id ON public.stock_movements USING btree (receipt_id) WHERE (receipt_id IS NOT NULL);
CREATE INDEX ix_stock_movements_sku_id ON public.stock_movements USING btree (sku, id);
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE ON public.stock_movements FOR EACH ROW EXECUTE FUNCTION public.refuse_to_change_the_ledger();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON public.stock_movements FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_to_change_the_ledger();
ALTER TABLE ONLY public.fulfillment_lines
    ADD CONSTRAINT fk_fulfillment_lines_fulfillment_id_fulfillments FOREIGN KEY (fulfillment_id) REFERENCES public.fulfillments(id);
ALTER TABLE ONLY public.fulfillments
    ADD CONSTRAINT fk_fulfillments_order_id_orders FOREIGN KEY (order_id) REFERENCES public.orders(id);
ALTER TABLE ONLY public.order_lines
    ADD CONSTRAINT fk_order_lines_order_id_orders FOREIGN KEY (order_id) REFERENCES public.orders(id);
ALTER TABLE ONLY public.order_timeline
    ADD CONSTRAINT fk_order_timeline_order_id_orders FOREIGN KEY (order_id) REFERENCES public.orders(id);
ALTER TABLE ONLY public.reservation_lines
    ADD CONSTRAINT fk_reservation_lines_order_id_reservations FOREIGN KEY (order_id) REFERENCES public.reservations(order_id);
ALTER TABLE ONLY public.stock_levels
    ADD CONSTRAINT fk_stock_levels_location_locations FOREIGN KEY (location) REFERENCES public.locations(id);
