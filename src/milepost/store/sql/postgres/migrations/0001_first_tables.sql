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

-- A sandbox account's clock can be moved: `ahead` is how far it is ahead of ours, which only grows.
CREATE TABLE accounts (
    account_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    sandbox SMALLINT NOT NULL DEFAULT 0,
    ahead BIGINT NOT NULL DEFAULT 0
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

-- What shows that the keys are those that the secrets were sealed with; no account is all of them.
CREATE TABLE seals (
    account_id TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    sealed BYTEA NOT NULL,
    PRIMARY KEY (account_id, name)
);

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
    sealed BYTEA NOT NULL,
    state_at BIGINT,
    requests_per_s DOUBLE PRECISION,
    pause_after_h DOUBLE PRECISION,
    backlog_policy TEXT COLLATE "C" NOT NULL DEFAULT 'every_step'
        CONSTRAINT endpoints_backlog_policy CHECK (backlog_policy IN ('every_step', 'latest')),
    operational TEXT COLLATE "C" NOT NULL DEFAULT 'none'
        CONSTRAINT endpoints_operational CHECK (operational IN ('none', 'also', 'only')),
    PRIMARY KEY (account_id, endpoint_id)
);

-- How an endpoint's attempts have gone. It changes by itself, and no intake waits for that, so it is
-- not part of what was set up. `notices` counts the operational events that were sent of it.
CREATE TABLE endpoint_health (
    account_id TEXT COLLATE "C" NOT NULL,
    endpoint_id TEXT COLLATE "C" NOT NULL,
    failures INTEGER NOT NULL DEFAULT 0,
    failing_since BIGINT,
    last_success_at BIGINT,
    last_failure_at BIGINT,
    last_outcome TEXT COLLATE "C",
    failing SMALLINT NOT NULL DEFAULT 0,
    abandoned INTEGER NOT NULL DEFAULT 0,
    abandoned_since BIGINT,
    abandoned_told_at BIGINT,
    notices INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (account_id, endpoint_id)
);

CREATE INDEX endpoint_health_untold
    ON endpoint_health (account_id COLLATE "POSIX", endpoint_id)
    WHERE abandoned > 0;

-- What somebody has put aside of what asks for a person.
CREATE TABLE dismissals (
    account_id TEXT COLLATE "C" NOT NULL,
    item TEXT COLLATE "C" NOT NULL,
    dismissed_at BIGINT NOT NULL,
    PRIMARY KEY (account_id, item)
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
    told_by TEXT COLLATE "C",
    precedence INTEGER NOT NULL DEFAULT 0,
    corrections TEXT COLLATE "C", -- the marks of the latest ones, the newest last
    updating SMALLINT NOT NULL,
    shipped_at BIGINT,
    order_type TEXT COLLATE "C",
    erased_at BIGINT,
    heard_at BIGINT NOT NULL DEFAULT 0,
    silent_at BIGINT,
    silent_state TEXT COLLATE "C",
    PRIMARY KEY (account_id, order_id)
);

CREATE UNIQUE INDEX orders_by_key ON orders (account_id COLLATE "POSIX", order_key, store);

-- One index for the orders of a store, of a state, and of both: lists put its parts together.
CREATE INDEX orders_by_store ON orders (account_id COLLATE "ucs_basic", store, state, order_id);

CREATE INDEX orders_by_number ON orders (account_id COLLATE "ucs_basic", order_number)
    WHERE order_number IS NOT NULL;
CREATE INDEX orders_by_shipping ON orders (account_id COLLATE "POSIX", shipped_at, order_id)
    WHERE shipped_at IS NOT NULL;
CREATE INDEX orders_by_type ON orders (account_id COLLATE "POSIX", order_type, order_id)
    WHERE order_type IS NOT NULL;
-- True of every order. Only a statement that says so uses this index: whoever looks for an order key
-- shall not be led here while the tables are new.
CREATE INDEX orders_by_update ON orders (account_id COLLATE "POSIX", updated_at, order_id)
    WHERE updated_at > 0;

-- Orders that may fall silent, by when they were last heard of. One that was raised leaves it until
-- it moves; one that has moved is in the other until that was taken down.
CREATE INDEX orders_quiet
    ON orders (account_id COLLATE "POSIX", state, greatest(state_at, heard_at), order_id)
    WHERE silent_at IS NULL AND erased_at IS NULL AND order_id < 'tst_'
    AND state NOT IN (
        'cancelled', 'returned', 'fulfilled_elsewhere', 'delivered', 'expired', 'untracked'
    );
CREATE INDEX orders_moved_on ON orders (account_id COLLATE "POSIX", silent_at, order_id)
    WHERE silent_at IS NOT NULL AND (
        silent_at <> greatest(state_at, heard_at) OR silent_state <> state OR erased_at IS NOT NULL
    );

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
    told_by TEXT COLLATE "C",
    precedence INTEGER NOT NULL DEFAULT 0,
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

CREATE INDEX quarantine_by_order ON quarantine (account_id COLLATE "POSIX", order_id)
    WHERE order_id IS NOT NULL;

CREATE INDEX quarantine_by_time
    ON quarantine (account_id COLLATE "ucs_basic", received_at, update_id)
    WHERE verdict NOT IN ('applied', 'duplicate');

CREATE INDEX quarantine_by_verdict
    ON quarantine (account_id COLLATE "ucs_basic", verdict, received_at, update_id);

CREATE INDEX quarantine_waiting ON quarantine (account_id, store, order_key, received_at)
    WHERE verdict = 'orphan' AND released_at IS NULL;

-- What is left of a body when a person's data was erased: what shows which bytes were sent.
CREATE TABLE erased_bodies (
    account_id TEXT COLLATE "C" NOT NULL,
    order_id TEXT COLLATE "C" NOT NULL,
    sequence INTEGER NOT NULL,
    variant INTEGER NOT NULL,
    content_type TEXT NOT NULL,
    size INTEGER NOT NULL,
    sha256 BYTEA NOT NULL,
    PRIMARY KEY (account_id, order_id, sequence, variant)
);

-- Orders that are gone ('order'), or whose personal data is ('person'), while the rest of their rows
-- is still being cleared away, some at a time.
CREATE TABLE removals (
    account_id TEXT COLLATE "C" NOT NULL,
    order_id TEXT COLLATE "C" NOT NULL,
    scope TEXT COLLATE "C" NOT NULL
        CONSTRAINT removals_scope CHECK (scope IN ('order', 'person')),
    decided_at BIGINT NOT NULL,
    PRIMARY KEY (account_id, order_id)
);

-- Who clears away and until when, when that was done last, and what it did; no account is all of them.
CREATE TABLE trends (
    account_id TEXT COLLATE "C" NOT NULL,
    began_at BIGINT NOT NULL,
    endpoint_id TEXT COLLATE "C" NOT NULL,
    accepted BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    failed BIGINT NOT NULL,
    acknowledged BIGINT NOT NULL,
    abandoned BIGINT NOT NULL,
    within_tenth BIGINT NOT NULL,
    within_second BIGINT NOT NULL,
    within_ten_seconds BIGINT NOT NULL,
    within_minute BIGINT NOT NULL,
    within_ten_minutes BIGINT NOT NULL,
    within_hour BIGINT NOT NULL,
    later BIGINT NOT NULL,
    PRIMARY KEY (account_id, began_at, endpoint_id)
);

CREATE TABLE upkeep (
    account_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    lease_owner TEXT COLLATE "C",
    leased_until BIGINT,
    begun_at BIGINT,
    ended_at BIGINT,
    report TEXT NOT NULL
);

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

-- A program that asks a provider's interface for an account, with the secret that it signs with.
CREATE TABLE client_applications (
    account_id TEXT COLLATE "C" NOT NULL,
    client_id TEXT COLLATE "C" NOT NULL,
    name TEXT NOT NULL,
    billing_id TEXT NOT NULL,
    sealed BYTEA NOT NULL,
    store TEXT COLLATE "C" NOT NULL,
    endpoint_id TEXT COLLATE "C",
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (account_id, client_id)
);

CREATE UNIQUE INDEX client_applications_by_store
    ON client_applications (account_id COLLATE "POSIX", store);

-- Whose a client id is: the one table that does not begin with the account, because a provider's
-- requests name none. No two accounts can have the same.
CREATE TABLE client_ids (
    client_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    account_id TEXT COLLATE "C" NOT NULL
);

-- How often an application has called since the first call of a minute.
CREATE TABLE client_calls (
    account_id TEXT COLLATE "C" NOT NULL,
    client_id TEXT COLLATE "C" NOT NULL,
    began_at BIGINT NOT NULL,
    calls INTEGER NOT NULL,
    PRIMARY KEY (account_id, client_id)
);

-- Nonces that were given out and not used: whoever deletes one has used it.
CREATE TABLE nonces (
    account_id TEXT COLLATE "C" NOT NULL,
    client_id TEXT COLLATE "C" NOT NULL,
    nonce TEXT COLLATE "C" NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (account_id, client_id, nonce)
);

-- Fake orders that have steps left. Whoever takes one that is due puts it off for as long as it may
-- take, so that it is due again if that process dies; `claimed` says that this is what it waits for.
CREATE TABLE rehearsals (
    account_id TEXT COLLATE "C" NOT NULL,
    order_id TEXT COLLATE "C" NOT NULL,
    mode INTEGER NOT NULL,
    step INTEGER NOT NULL,
    due_at BIGINT NOT NULL,
    claimed SMALLINT NOT NULL DEFAULT 0,
    PRIMARY KEY (account_id, order_id)
);

-- Refuses every change of a row but one: the columns that the trigger names can be emptied, which is
-- how a person's data is erased.
CREATE FUNCTION refuse_change() RETURNS trigger
LANGUAGE plpgsql
AS $$
DECLARE
    after jsonb := to_jsonb(NEW);
BEGIN
    IF after - tg_argv = to_jsonb(OLD) - tg_argv
        AND NOT EXISTS (
            SELECT FROM unnest(tg_argv) AS erased (name)
            WHERE coalesce(after ->> erased.name, '') NOT IN ('', '\x')
        )
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'a row of % is never changed', tg_table_name
        USING ERRCODE = 'integrity_constraint_violation';
END
$$;

CREATE TRIGGER order_events_stay BEFORE UPDATE ON order_events
    FOR EACH ROW EXECUTE FUNCTION refuse_change('raw', 'parcel', 'note');

CREATE TRIGGER attempts_stay BEFORE UPDATE ON attempts
    FOR EACH ROW EXECUTE FUNCTION refuse_change('response');

-- What an operator asked to be sent again, and how far it has come: `place` is where the next part
-- begins, and who writes a part checks it. The same is not asked twice while it runs.
CREATE TABLE resends (
    account_id TEXT COLLATE "C" NOT NULL,
    resend_id TEXT COLLATE "C" NOT NULL,
    endpoint_id TEXT COLLATE "C" NOT NULL,
    choice TEXT COLLATE "C" NOT NULL,
    asked_at BIGINT NOT NULL,
    state TEXT COLLATE "C" NOT NULL CONSTRAINT resends_state
        CHECK (state IN ('running', 'done', 'stopped')),
    place TEXT COLLATE "C" NOT NULL,
    examined BIGINT NOT NULL,
    queued BIGINT NOT NULL,
    finished_at BIGINT,
    why TEXT NOT NULL,
    PRIMARY KEY (account_id, resend_id),
    CONSTRAINT resends_finished CHECK ((state = 'running') = (finished_at IS NULL))
);

CREATE UNIQUE INDEX resends_running
    ON resends (account_id COLLATE "POSIX", endpoint_id, choice)
    WHERE finished_at IS NULL;

-- Comparisons of a source's orders with what its provider answers, and how far each has come.
CREATE TABLE reconciliations (
    account_id TEXT COLLATE "C" NOT NULL,
    run_id TEXT COLLATE "C" NOT NULL,
    source TEXT COLLATE "C" NOT NULL,
    choice TEXT COLLATE "C" NOT NULL,
    dry_run BIGINT NOT NULL,
    asked_at BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    total BIGINT NOT NULL,
    listed_since BIGINT,
    state TEXT COLLATE "C" NOT NULL CONSTRAINT reconciliations_state
        CHECK (state IN ('running', 'done', 'stopped', 'failed')),
    place TEXT COLLATE "C" NOT NULL,
    examined BIGINT NOT NULL,
    asked BIGINT NOT NULL,
    differences BIGINT NOT NULL,
    applied BIGINT NOT NULL,
    failures BIGINT NOT NULL,
    finished_at BIGINT,
    why TEXT NOT NULL,
    lease_owner TEXT COLLATE "C",
    leased_until BIGINT,
    PRIMARY KEY (account_id, run_id),
    CONSTRAINT reconciliations_finished CHECK ((state = 'running') = (finished_at IS NULL))
);

CREATE UNIQUE INDEX reconciliations_running
    ON reconciliations (account_id COLLATE "POSIX", source)
    WHERE finished_at IS NULL;

-- What one has found; the subject is an order's id, or its store and key where we have none.
CREATE TABLE reconciliation_differences (
    account_id TEXT COLLATE "C" NOT NULL,
    run_id TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C" NOT NULL,
    item TEXT COLLATE "C" NOT NULL,
    order_id TEXT COLLATE "C",
    store TEXT COLLATE "C" NOT NULL,
    order_key TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    parcel TEXT NOT NULL,
    ours TEXT NOT NULL,
    theirs TEXT NOT NULL,
    verdict TEXT COLLATE "C",
    why TEXT NOT NULL,
    pending BIGINT NOT NULL,
    PRIMARY KEY (account_id, run_id, subject, item)
);

CREATE INDEX reconciliation_differences_by_order
    ON reconciliation_differences (account_id, order_id) WHERE order_id IS NOT NULL;

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

-- Where an account asks for scans of its parcels.
CREATE TABLE carrier_sources (
    account_id TEXT COLLATE "C" NOT NULL,
    source TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    carriers TEXT NOT NULL,
    config BYTEA NOT NULL,
    sealed BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (account_id, source)
);

-- The parcels that are watched, due again when somebody has leased them and does not come back; one
-- whose watch has ended has no due_at. `scans` are the keys of the scans that were taken.
CREATE TABLE trackings (
    account_id TEXT COLLATE "C" NOT NULL,
    order_id TEXT COLLATE "C" NOT NULL,
    parcel TEXT COLLATE "C" NOT NULL,
    since_at BIGINT NOT NULL,
    due_at BIGINT,
    lease_owner TEXT COLLATE "C",
    asked_at BIGINT,
    asks INTEGER NOT NULL DEFAULT 0,
    failures INTEGER NOT NULL DEFAULT 0,
    returned_at BIGINT,
    scans TEXT COLLATE "C" NOT NULL DEFAULT '',
    ended TEXT COLLATE "C",
    trouble TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (account_id, order_id, parcel),
    CONSTRAINT trackings_end CHECK ((due_at IS NULL) = (ended IS NOT NULL))
) WITH (fillfactor = 80);

CREATE INDEX trackings_due ON trackings (account_id COLLATE "POSIX", due_at)
    WHERE due_at IS NOT NULL;

-- Whatever brings a parcel to a carrier, it is watched from that very transaction on, if there is
-- anybody to ask; due since it was made, which is at once. It is so again when it is reopened,
-- which makes it young again, or has another number to ask for.
CREATE FUNCTION begin_tracking() RETURNS trigger
LANGUAGE plpgsql
AS $$
DECLARE
    since bigint := coalesce(NEW.created_at, NEW.state_at);
BEGIN
    PERFORM FROM carrier_sources WHERE account_id = NEW.account_id LIMIT 1;
    IF NOT found OR starts_with(NEW.order_id, 'tst_') THEN
        RETURN NULL;
    END IF;
    IF tg_op = 'INSERT' THEN
        INSERT INTO trackings (account_id, order_id, parcel, since_at, due_at)
        VALUES (NEW.account_id, NEW.order_id, NEW.parcel, since, since)
        ON CONFLICT (account_id, order_id, parcel) DO NOTHING;
        RETURN NULL;
    END IF;
    IF OLD.state IN ('delivered', 'returned', 'expired', 'untracked', 'returning')
        AND OLD.state <> NEW.state
    THEN
        since := NEW.state_at;
    END IF;
    INSERT INTO trackings (account_id, order_id, parcel, since_at, due_at)
    VALUES (
        NEW.account_id, NEW.order_id, NEW.parcel, since, coalesce(NEW.created_at, NEW.state_at)
    )
    ON CONFLICT (account_id, order_id, parcel) DO UPDATE
    SET since_at = greatest(trackings.since_at, excluded.since_at),
        due_at = excluded.due_at,
        lease_owner = NULL,
        failures = 0,
        ended = NULL;
    RETURN NULL;
END
$$;

CREATE TRIGGER parcels_are_tracked AFTER INSERT ON parcels
    FOR EACH ROW
    WHEN (NEW.state IS NOT NULL AND NEW.state NOT IN ('delivered', 'returned', 'expired'))
    EXECUTE FUNCTION begin_tracking();

CREATE TRIGGER parcels_are_tracked_again AFTER UPDATE ON parcels
    FOR EACH ROW
    WHEN (
        NEW.state IS NOT NULL
        AND NEW.state NOT IN ('delivered', 'returned', 'expired')
        AND (
            OLD.state IS NULL
            OR (
                OLD.state IN ('delivered', 'returned', 'expired', 'untracked', 'returning')
                AND OLD.state <> NEW.state
            )
            OR OLD.tracking_number IS DISTINCT FROM NEW.tracking_number
            OR OLD.carrier IS DISTINCT FROM NEW.carrier
        )
    )
    EXECUTE FUNCTION begin_tracking();

CREATE FUNCTION forget_tracking() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    DELETE FROM trackings
    WHERE account_id = OLD.account_id AND order_id = OLD.order_id AND parcel = OLD.parcel;
    RETURN NULL;
END
$$;

CREATE TRIGGER parcels_are_forgotten AFTER DELETE ON parcels
    FOR EACH ROW EXECUTE FUNCTION forget_tracking();

-- The networks that notifications are sent from, which are the installation's and no account's.
CREATE TABLE egress_changes (
    change_id TEXT COLLATE "C" NOT NULL,
    network TEXT COLLATE "C" NOT NULL,
    action TEXT COLLATE "C" NOT NULL
        CONSTRAINT egress_changes_action CHECK (action IN ('add', 'remove')),
    effective_at BIGINT NOT NULL,
    planned_at BIGINT NOT NULL,
    forced SMALLINT NOT NULL,
    cancelled_at BIGINT
);

-- Where orders are worked on, as merchants name it.
CREATE TABLE warehouses (
    account_id TEXT COLLATE "C" NOT NULL,
    identifier TEXT COLLATE "C" NOT NULL,
    number BIGINT NOT NULL,
    name TEXT NOT NULL,
    timezone TEXT NOT NULL,
    wms_type TEXT COLLATE "C" NOT NULL,
    enabled SMALLINT NOT NULL,
    address BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    CONSTRAINT warehouses_pkey PRIMARY KEY (account_id, identifier)
);

CREATE UNIQUE INDEX warehouses_by_number ON warehouses (account_id, number);

-- Who may look at the pages. They and their sessions are the installation's: account_id is ''.
CREATE TABLE people (
    account_id TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    role TEXT COLLATE "C" NOT NULL
        CONSTRAINT people_role CHECK (role IN ('operator', 'merchant', 'read-only')),
    sees TEXT COLLATE "C", -- the one account that is seen, NULL for all
    password TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    disabled_at BIGINT,
    CONSTRAINT people_pkey PRIMARY KEY (account_id, name)
);

CREATE TABLE first_tokens (
    account_id TEXT COLLATE "C" NOT NULL,
    digest TEXT COLLATE "C" NOT NULL,
    until_at BIGINT NOT NULL,
    CONSTRAINT first_tokens_pkey PRIMARY KEY (account_id, digest)
);

CREATE TABLE sessions (
    account_id TEXT COLLATE "C" NOT NULL,
    digest TEXT COLLATE "C" NOT NULL,
    session_id TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    link_account_id TEXT COLLATE "C" NOT NULL,
    link_id TEXT COLLATE "C" NOT NULL,
    made_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    until_at BIGINT NOT NULL,
    address TEXT COLLATE "C" NOT NULL,
    agent TEXT NOT NULL,
    CONSTRAINT sessions_pkey PRIMARY KEY (account_id, digest)
);

CREATE TABLE portal_links (
    account_id TEXT COLLATE "C" NOT NULL,
    link_id TEXT COLLATE "C" NOT NULL,
    role TEXT COLLATE "C" NOT NULL
        CONSTRAINT portal_links_role CHECK (role IN ('merchant', 'read-only')),
    made_by TEXT COLLATE "C" NOT NULL,
    made_at BIGINT NOT NULL,
    until_at BIGINT NOT NULL,
    revoked_at BIGINT,
    CONSTRAINT portal_links_pkey PRIMARY KEY (account_id, link_id)
);

-- Who tells an account by webhook; how it proves that, and how it is asked, is sealed.
CREATE TABLE sources (
    account_id TEXT COLLATE "C" NOT NULL,
    source TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    digest TEXT COLLATE "C" NOT NULL,
    store TEXT COLLATE "C" NOT NULL,
    stores TEXT NOT NULL,
    networks TEXT NOT NULL,
    precedence INTEGER NOT NULL,
    trusted SMALLINT NOT NULL,
    options BYTEA NOT NULL,
    sealed BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    CONSTRAINT sources_pkey PRIMARY KEY (account_id, source)
);

-- Whose path ends in the secret of this digest: requests name no account.
CREATE TABLE source_paths (
    digest TEXT COLLATE "C" NOT NULL,
    account_id TEXT COLLATE "C" NOT NULL,
    source TEXT COLLATE "C" NOT NULL,
    CONSTRAINT source_paths_pkey PRIMARY KEY (digest)
);

-- What was refused of a source; it changes by itself, so that it is no part of what was set up.
CREATE TABLE source_refusals (
    account_id TEXT COLLATE "C" NOT NULL,
    source TEXT COLLATE "C" NOT NULL,
    refused BIGINT NOT NULL,
    refused_at BIGINT NOT NULL,
    why TEXT NOT NULL,
    CONSTRAINT source_refusals_pkey PRIMARY KEY (account_id, source)
);

-- Every message of a source, as it came, with what was decided of it. One that waits for a parcel
-- with its tracking number is due when there may be one; who has leased it puts that off.
CREATE TABLE receipts (
    account_id TEXT COLLATE "C" NOT NULL,
    receipt_id TEXT COLLATE "C" NOT NULL,
    source TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    message_id TEXT COLLATE "C",
    verdict TEXT COLLATE "C" NOT NULL,
    why TEXT NOT NULL,
    word TEXT NOT NULL,
    store TEXT COLLATE "C",
    order_key TEXT COLLATE "C",
    order_id TEXT COLLATE "C",
    tracking_number TEXT COLLATE "C",
    received_at BIGINT NOT NULL,
    words TEXT NOT NULL,
    content_type TEXT NOT NULL,
    size INTEGER NOT NULL,
    sha256 BYTEA,
    due_at BIGINT,
    message BYTEA STORAGE EXTERNAL,
    body BYTEA STORAGE EXTERNAL NOT NULL,
    CONSTRAINT receipts_pkey PRIMARY KEY (account_id, receipt_id)
) WITH (toast_tuple_target = 8160);

CREATE UNIQUE INDEX receipts_by_message
    ON receipts (account_id COLLATE "POSIX", source, message_id)
    WHERE message_id IS NOT NULL;
CREATE INDEX receipts_by_key ON receipts (account_id COLLATE "POSIX", store, order_key)
    WHERE order_id IS NULL AND order_key IS NOT NULL;
CREATE INDEX receipts_by_number ON receipts (account_id COLLATE "POSIX", tracking_number)
    -- Compared in this way, no index by verdicts can be taken for it while the table is new.
    WHERE verdict COLLATE "POSIX" = 'orphan' AND order_key IS NULL AND tracking_number IS NOT NULL;
CREATE INDEX receipts_by_order ON receipts (account_id COLLATE "POSIX", order_id, receipt_id)
    WHERE order_id IS NOT NULL;
CREATE INDEX receipts_by_source ON receipts (account_id COLLATE "ucs_basic", source, receipt_id);
CREATE INDEX receipts_by_verdict ON receipts (account_id COLLATE "ucs_basic", verdict, receipt_id)
    WHERE verdict <> 'applied';
CREATE INDEX receipts_due ON receipts (account_id COLLATE "POSIX", due_at)
    WHERE due_at IS NOT NULL;
CREATE INDEX receipts_without_order ON receipts (account_id, receipt_id)
    WHERE order_id IS NULL AND received_at > 0;

-- Whatever gives a parcel its number, messages that wait for it are due from that transaction on.
CREATE FUNCTION tell_who_awaits() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    UPDATE receipts
    SET due_at = received_at
    WHERE account_id COLLATE "POSIX" = NEW.account_id
        AND tracking_number = NEW.tracking_number
        AND verdict COLLATE "POSIX" = 'orphan'
        AND order_key IS NULL
        AND tracking_number IS NOT NULL;
    RETURN NULL;
END
$$;

CREATE TRIGGER parcels_are_awaited AFTER INSERT ON parcels
FOR EACH ROW
WHEN (NEW.tracking_number IS NOT NULL)
EXECUTE FUNCTION tell_who_awaits();

CREATE TRIGGER parcels_are_awaited_again AFTER UPDATE ON parcels
FOR EACH ROW
WHEN (
    NEW.tracking_number IS NOT NULL
    AND OLD.tracking_number IS DISTINCT FROM NEW.tracking_number
)
EXECUTE FUNCTION tell_who_awaits();

-- Orders of which nothing was heard for too long, one row for each time; numbered by account.
CREATE TABLE silences (
    account_id TEXT COLLATE "C" NOT NULL,
    number BIGINT NOT NULL,
    order_id TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    since_at BIGINT NOT NULL,
    after_s BIGINT NOT NULL,
    raised_at BIGINT NOT NULL,
    ended_at BIGINT,
    ended_state TEXT COLLATE "C",
    ended_number BIGINT,
    PRIMARY KEY (account_id, number)
);

CREATE UNIQUE INDEX silences_of_order
    ON silences (account_id COLLATE "POSIX", order_id, since_at, state);
CREATE INDEX silences_open ON silences (account_id COLLATE "POSIX", number, kind)
    WHERE ended_at IS NULL;
CREATE UNIQUE INDEX silences_ended ON silences (account_id COLLATE "POSIX", ended_number)
    WHERE ended_number IS NOT NULL;

CREATE TABLE silence_thresholds (
    account_id TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    after_s BIGINT, -- NULL when it is switched off
    changed_at BIGINT NOT NULL,
    PRIMARY KEY (account_id, state)
);

-- How far each account's silences are numbered and told, one row for each.
CREATE TABLE silence_watches (
    account_id TEXT COLLATE "C" NOT NULL,
    raised BIGINT NOT NULL DEFAULT 0,
    raised_told BIGINT NOT NULL DEFAULT 0,
    raised_told_at BIGINT,
    ended BIGINT NOT NULL DEFAULT 0,
    ended_told BIGINT NOT NULL DEFAULT 0,
    ended_told_at BIGINT,
    notices BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (account_id)
);
