-- Times are microseconds since the epoch. account_id is first in every key and index. What is
-- large (the content of an order, the body of a notification) stands in a table of its own, so
-- that a change of state does not write it again.
--
-- Texts compare byte by byte ("C"), which is what ids need and the fastest. Further indexes of a
-- table spell the same order in other ways ("POSIX", "ucs_basic"), and a statement can use them
-- only by asking for it. So whatever looks a row up by its key has one index to choose from, and
-- cannot be planned wrongly while nothing is known of what is in a table, or while it is empty.
--
-- The tables that every event writes to (orders, deliveries, lanes) have no CHECK: PostgreSQL
-- reads its text anew for every statement, which would be a tenth of what a small one costs.

CREATE TABLE schema_version (
    number INTEGER NOT NULL
);

INSERT INTO schema_version (number) VALUES (0);

-- How often the stores and endpoints of an account have been changed.
CREATE TABLE setups (
    account_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL
);

CREATE TABLE accounts (
    account_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE api_keys (
    account_id TEXT COLLATE "C" NOT NULL,
    key_id TEXT COLLATE "C" NOT NULL,
    name TEXT NOT NULL,
    digest TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    revoked_at BIGINT,
    PRIMARY KEY (account_id, key_id)
);

CREATE UNIQUE INDEX api_keys_by_digest ON api_keys (account_id, digest);

CREATE TABLE stores (
    account_id TEXT COLLATE "C" NOT NULL,
    store TEXT COLLATE "C" NOT NULL,
    number BIGINT NOT NULL,
    name TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (account_id, store)
);

CREATE UNIQUE INDEX stores_by_number ON stores (account_id, number);

CREATE TABLE endpoints (
    account_id TEXT COLLATE "C" NOT NULL,
    endpoint_id TEXT COLLATE "C" NOT NULL,
    contract TEXT NOT NULL,
    url TEXT NOT NULL,
    schedule TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    description TEXT NOT NULL,
    state TEXT COLLATE "C" NOT NULL
        CONSTRAINT endpoints_state CHECK (state IN ('active', 'paused')),
    state_why TEXT NOT NULL,
    stores TEXT,
    statuses TEXT,
    timeout_s DOUBLE PRECISION NOT NULL,
    concurrency INTEGER NOT NULL,
    lane_policy TEXT COLLATE "C" NOT NULL
        CONSTRAINT endpoints_lane_policy CHECK (lane_policy IN ('go_on', 'hold')),
    options BYTEA NOT NULL,
    credentials BYTEA NOT NULL,
    secrets TEXT NOT NULL,
    PRIMARY KEY (account_id, endpoint_id)
);

CREATE TABLE orders (
    account_id TEXT COLLATE "C" NOT NULL,
    order_id TEXT COLLATE "C" NOT NULL,
    store TEXT COLLATE "C" NOT NULL,
    order_key TEXT COLLATE "C" NOT NULL,
    order_number TEXT COLLATE "C", -- NULL when it is the order key
    state TEXT COLLATE "C" NOT NULL,
    state_at BIGINT NOT NULL,
    sequence INTEGER NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    reason TEXT COLLATE "C",
    previous_state TEXT COLLATE "C",
    source_sequence BIGINT,
    updating SMALLINT NOT NULL,
    shipped_at BIGINT,
    PRIMARY KEY (account_id, order_id)
);

CREATE UNIQUE INDEX orders_by_key ON orders (account_id COLLATE "POSIX", order_key, store);

-- One index for the orders of a store, of a state, and of both: lists put its parts together.
CREATE INDEX orders_by_store ON orders (account_id COLLATE "ucs_basic", store, state, order_id);

CREATE INDEX orders_by_number ON orders (account_id COLLATE "ucs_basic", order_number)
    WHERE order_number IS NOT NULL;

-- Rows of up to a page stay in their page, and whatever is larger is stored beside it as it is:
-- compressing with what the database brings costs more than everything else about a row.
CREATE TABLE order_contents (
    account_id TEXT COLLATE "C" NOT NULL,
    order_id TEXT COLLATE "C" NOT NULL,
    content BYTEA NOT NULL,
    PRIMARY KEY (account_id, order_id)
) WITH (toast_tuple_target = 8160);

ALTER TABLE order_contents ALTER COLUMN content SET STORAGE EXTERNAL;

CREATE TABLE parcels (
    account_id TEXT COLLATE "C" NOT NULL,
    order_id TEXT COLLATE "C" NOT NULL,
    parcel TEXT COLLATE "C" NOT NULL,
    position INTEGER NOT NULL,
    state TEXT COLLATE "C",
    state_at BIGINT,
    source_sequence BIGINT,
    carrier TEXT,
    carrier_service TEXT,
    tracking_number TEXT COLLATE "C",
    tracking_url TEXT,
    created_at BIGINT,
    details BYTEA,
    PRIMARY KEY (account_id, order_id, parcel)
);

CREATE INDEX parcels_by_tracking_number
    ON parcels (account_id COLLATE "POSIX", tracking_number, order_id)
    WHERE tracking_number IS NOT NULL;

-- The key is also what keeps the events of an order in one line: whoever decided on an order that
-- somebody else has changed meanwhile cannot append, and decides again.
CREATE TABLE order_events (
    account_id TEXT COLLATE "C" NOT NULL,
    order_id TEXT COLLATE "C" NOT NULL,
    sequence INTEGER NOT NULL,
    type TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    previous_state TEXT COLLATE "C",
    source TEXT NOT NULL,
    occurred_at BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    reason TEXT COLLATE "C",
    raw TEXT,
    parcel TEXT,
    parcel_state TEXT COLLATE "C",
    skipped TEXT,
    correction SMALLINT NOT NULL,
    note TEXT,
    PRIMARY KEY (account_id, order_id, sequence)
);

CREATE TABLE quarantine (
    account_id TEXT COLLATE "C" NOT NULL,
    update_id TEXT COLLATE "C" NOT NULL,
    verdict TEXT COLLATE "C" NOT NULL CONSTRAINT quarantine_verdict
        CHECK (verdict IN ('applied', 'duplicate', 'stale', 'illegal', 'orphan')),
    why TEXT NOT NULL,
    source TEXT NOT NULL,
    store TEXT COLLATE "C",
    order_key TEXT COLLATE "C",
    order_id TEXT COLLATE "C",
    occurred_at BIGINT,
    received_at BIGINT NOT NULL,
    content BYTEA NOT NULL,
    released_at BIGINT
);

CREATE UNIQUE INDEX quarantine_by_id ON quarantine (account_id COLLATE "POSIX", update_id);

CREATE INDEX quarantine_by_time
    ON quarantine (account_id COLLATE "ucs_basic", received_at, update_id)
    WHERE verdict NOT IN ('applied', 'duplicate');

CREATE INDEX quarantine_by_verdict
    ON quarantine (account_id COLLATE "ucs_basic", verdict, received_at, update_id);

CREATE INDEX quarantine_waiting ON quarantine (account_id, store, order_key, received_at)
    WHERE verdict = 'orphan' AND released_at IS NULL;

-- What was sent, and what waits behind it. A lane's head of which nothing was tried yet is not here
-- but in its lane, and comes here with the first attempt: a delivery that is received at once, as
-- most are, is written once and never changed.
CREATE TABLE deliveries (
    account_id TEXT COLLATE "C" NOT NULL,
    order_id TEXT COLLATE "C" NOT NULL,
    endpoint_id TEXT COLLATE "C" NOT NULL,
    sequence INTEGER NOT NULL,
    previous INTEGER NOT NULL,
    status TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    attempts INTEGER NOT NULL,
    tries INTEGER NOT NULL,
    replay INTEGER NOT NULL,
    due_at BIGINT,
    settled_at BIGINT,
    outcome TEXT COLLATE "C",
    variant INTEGER NOT NULL,
    PRIMARY KEY (account_id, order_id, endpoint_id, sequence)
);

-- One index for the deliveries of an endpoint, of a state, and of both, newest first: lists put
-- its parts together. Each further one would cost more at every delivery than those lists do.
CREATE INDEX deliveries_by_endpoint ON deliveries (
    account_id COLLATE "POSIX", endpoint_id, state, created_at, order_id, sequence
);

CREATE TABLE bodies (
    account_id TEXT COLLATE "C" NOT NULL,
    order_id TEXT COLLATE "C" NOT NULL,
    sequence INTEGER NOT NULL,
    variant INTEGER NOT NULL,
    content_type TEXT NOT NULL,
    content BYTEA NOT NULL,
    PRIMARY KEY (account_id, order_id, sequence, variant)
) WITH (toast_tuple_target = 8160);

ALTER TABLE bodies ALTER COLUMN content SET STORAGE EXTERNAL;

-- The queue: one row for each endpoint and order with something pending. `sequence` is the head,
-- `last` the last one that is pending, `revision` counts what was done to the lane but for
-- appending to it. `status` and what follows it are the head's as long as it is not in deliveries,
-- and NULL from then on; such a head was never tried and is due since it was created.
--
-- Rows come and go with every event, so that they are vacuumed often and at full speed, and without
-- the lock that giving the file's end back would need.
CREATE TABLE lanes (
    account_id TEXT COLLATE "C" NOT NULL,
    endpoint_id TEXT COLLATE "C" NOT NULL,
    order_id TEXT COLLATE "C" NOT NULL,
    sequence INTEGER NOT NULL,
    last INTEGER NOT NULL,
    due_at BIGINT,
    lease_owner TEXT COLLATE "C",
    leased_until BIGINT,
    revision INTEGER NOT NULL DEFAULT 0,
    status TEXT COLLATE "C",
    previous INTEGER,
    variant INTEGER,
    created_at BIGINT,
    PRIMARY KEY (account_id, endpoint_id, order_id)
) WITH (
    fillfactor = 70,
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_cost_delay = 0,
    autovacuum_analyze_scale_factor = 0.5,
    autovacuum_analyze_threshold = 10000,
    vacuum_truncate = off
);

CREATE INDEX lanes_due ON lanes (account_id COLLATE "POSIX", endpoint_id, due_at)
    WHERE leased_until IS NULL;

CREATE INDEX lanes_leased ON lanes (account_id COLLATE "POSIX", endpoint_id, leased_until)
    WHERE leased_until IS NOT NULL;

CREATE TABLE attempts (
    account_id TEXT COLLATE "C" NOT NULL,
    order_id TEXT COLLATE "C" NOT NULL,
    endpoint_id TEXT COLLATE "C" NOT NULL,
    sequence INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    replay INTEGER NOT NULL,
    started_at BIGINT NOT NULL,
    duration_ms DOUBLE PRECISION NOT NULL,
    outcome TEXT COLLATE "C" NOT NULL,
    status INTEGER NOT NULL,
    detail TEXT NOT NULL,
    response BYTEA NOT NULL,
    PRIMARY KEY (account_id, order_id, endpoint_id, sequence, attempt)
);

CREATE FUNCTION refuse_change() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    RAISE EXCEPTION 'a row of % is never changed', tg_table_name
        USING ERRCODE = 'integrity_constraint_violation';
END
$$;

CREATE TRIGGER order_events_stay BEFORE UPDATE ON order_events
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TRIGGER attempts_stay BEFORE UPDATE ON attempts
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- A column of a batch comes as one text, which is a third of the work of an array for whoever
-- sends it: values are parted by U+001F, and U+001E alone stands for NULL.
CREATE FUNCTION texts(packed text) RETURNS text[]
LANGUAGE sql
IMMUTABLE PARALLEL SAFE
AS $$
    SELECT CASE WHEN packed = '' THEN ARRAY['']
        ELSE string_to_array(packed, chr(31), chr(30))
    END
$$;

-- The next two keep a decision true until its transaction ends. Unlike the statement that calls
-- them they see what was committed a moment ago: each of their own statements looks again.

CREATE FUNCTION refuse_stale_setup(accounts text[], versions bigint[]) RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
    account text;
BEGIN
    FOREACH account IN ARRAY accounts LOOP
        PERFORM pg_advisory_xact_lock_shared(1297435972, hashtext(account));
    END LOOP;
    PERFORM FROM unnest(accounts, versions) AS seen (account_id, version)
    WHERE seen.version <> coalesce(
        (SELECT setups.version FROM setups WHERE setups.account_id = seen.account_id), 0
    );
    IF found THEN
        RAISE EXCEPTION 'stores or endpoints have changed meanwhile' USING ERRCODE = 'MP001';
    END IF;
END
$$;

-- An update whose order is unknown is kept until the order comes. Whoever keeps one and whoever
-- creates the order meet in a lock on the natural key (on one of 64 that it falls to): the first
-- to get it commits before the second looks.
CREATE FUNCTION refuse_missed_keys(
    locks integer[],
    excluding boolean[],
    created_accounts text[],
    created_stores text[],
    created_keys text[],
    known_orphans text[],
    kept_accounts text[],
    kept_stores text[],
    kept_keys text[]
) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    FOR i IN 1 .. coalesce(cardinality(locks), 0) LOOP
        IF excluding[i] THEN
            PERFORM pg_advisory_xact_lock(1297435979, locks[i]);
        ELSE
            PERFORM pg_advisory_xact_lock_shared(1297435979, locks[i]);
        END IF;
    END LOOP;
    PERFORM FROM (SELECT DISTINCT account_id FROM unnest(created_accounts) AS account_id) AS a
    CROSS JOIN LATERAL (
        SELECT FROM quarantine
        WHERE quarantine.account_id = a.account_id
            AND quarantine.verdict = 'orphan'
            AND quarantine.released_at IS NULL
        LIMIT 1
    ) AS any_orphan;
    IF found THEN
        PERFORM FROM unnest(created_accounts, created_stores, created_keys)
            AS created (account_id, store, order_key)
        CROSS JOIN LATERAL (
            SELECT FROM quarantine
            WHERE quarantine.account_id = created.account_id
                AND quarantine.store = created.store
                AND quarantine.order_key = created.order_key
                AND quarantine.verdict = 'orphan'
                AND quarantine.released_at IS NULL
                AND quarantine.update_id <> ALL (coalesce(known_orphans, '{}'))
            LIMIT 1
        ) AS missed;
        IF found THEN
            RAISE EXCEPTION 'an update came before its order' USING ERRCODE = 'MP001';
        END IF;
    END IF;
    PERFORM FROM unnest(kept_accounts, kept_stores, kept_keys)
        AS kept (account_id, store, order_key)
    CROSS JOIN LATERAL (
        SELECT FROM orders
        WHERE orders.account_id COLLATE "POSIX" = kept.account_id
            AND orders.order_key = kept.order_key
            AND orders.store = kept.store
        LIMIT 1
    ) AS missed;
    IF found THEN
        RAISE EXCEPTION 'an order came before its update' USING ERRCODE = 'MP001';
    END IF;
END
$$;
