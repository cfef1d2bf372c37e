-- Times are microseconds since the epoch. account_id is first in every key and index. What is
-- large (the content of an order, the body of a notification) stands in a table of its own, so
-- that a change of state does not write it again. The closed sets are checked by comparisons in a
-- row, because SQLite builds the table behind an IN anew for every row that it checks.

-- A sandbox account's clock can be moved: `ahead` is how far it is ahead of ours, which only grows.
CREATE TABLE accounts (
    account_id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    sandbox INTEGER NOT NULL DEFAULT 0,
    ahead INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE TABLE api_keys (
    account_id TEXT NOT NULL,
    key_id TEXT NOT NULL,
    name TEXT NOT NULL,
    digest TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    revoked_at INTEGER,
    PRIMARY KEY (account_id, key_id)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX api_keys_by_digest ON api_keys (account_id, digest);

-- What shows that the keys are those that the secrets were sealed with; no account is all of them.
CREATE TABLE seals (
    account_id TEXT NOT NULL,
    name TEXT NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (account_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE stores (
    account_id TEXT NOT NULL,
    store TEXT NOT NULL,
    number INTEGER NOT NULL,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (account_id, store)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX stores_by_number ON stores (account_id, number);

CREATE TABLE endpoints (
    account_id TEXT NOT NULL,
    endpoint_id TEXT NOT NULL,
    contract TEXT NOT NULL,
    url TEXT NOT NULL,
    schedule TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    description TEXT NOT NULL,
    state TEXT NOT NULL CHECK (
        state = 'active' OR state = 'paused'
    ),
    state_why TEXT NOT NULL,
    stores TEXT,
    statuses TEXT,
    timeout_s REAL NOT NULL,
    concurrency INTEGER NOT NULL,
    lane_policy TEXT NOT NULL CHECK (
        lane_policy = 'go_on' OR lane_policy = 'hold'
    ),
    options BLOB NOT NULL,
    sealed BLOB NOT NULL,
    state_at INTEGER,
    requests_per_s REAL,
    pause_after_h REAL,
    backlog_policy TEXT NOT NULL DEFAULT 'every_step' CHECK (
        backlog_policy = 'every_step' OR backlog_policy = 'latest'
    ),
    operational TEXT NOT NULL DEFAULT 'none' CHECK (
        operational = 'none' OR operational = 'also' OR operational = 'only'
    ),
    PRIMARY KEY (account_id, endpoint_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX endpoints_active ON endpoints (account_id, endpoint_id) WHERE state = 'active';

-- How an endpoint's attempts have gone. It changes by itself, and no intake waits for that, so it is
-- not part of what was set up. `notices` counts the operational events that were sent of it.
CREATE TABLE endpoint_health (
    account_id TEXT NOT NULL,
    endpoint_id TEXT NOT NULL,
    failures INTEGER NOT NULL DEFAULT 0,
    failing_since INTEGER,
    last_success_at INTEGER,
    last_failure_at INTEGER,
    last_outcome TEXT,
    failing INTEGER NOT NULL DEFAULT 0,
    abandoned INTEGER NOT NULL DEFAULT 0,
    abandoned_since INTEGER,
    abandoned_told_at INTEGER,
    notices INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (account_id, endpoint_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX endpoint_health_untold ON endpoint_health (account_id, endpoint_id)
    WHERE abandoned > 0;

-- What somebody has put aside of what asks for a person.
CREATE TABLE dismissals (
    account_id TEXT NOT NULL,
    item TEXT NOT NULL,
    dismissed_at INTEGER NOT NULL,
    PRIMARY KEY (account_id, item)
) STRICT, WITHOUT ROWID;

CREATE TABLE orders (
    account_id TEXT NOT NULL,
    order_id TEXT NOT NULL,
    store TEXT NOT NULL,
    order_key TEXT NOT NULL,
    order_number TEXT, -- NULL when it is the order key
    state TEXT NOT NULL CHECK (
        state = 'created' OR state = 'verifying' OR state = 'verified' OR state = 'scheduled'
        OR state = 'address_error' OR state = 'submit_failed' OR state = 'submitted'
        OR state = 'picking' OR state = 'packing' OR state = 'packed' OR state = 'ready_to_ship'
        OR state = 'on_hold' OR state = 'backordered' OR state = 'cancel_requested'
        OR state = 'cancelled' OR state = 'shipped' OR state = 'info_received'
        OR state = 'in_transit' OR state = 'out_for_delivery' OR state = 'attempt_failed'
        OR state = 'available_for_pickup' OR state = 'delayed' OR state = 'exception'
        OR state = 'delivered' OR state = 'undeliverable' OR state = 'returning'
        OR state = 'returned' OR state = 'expired' OR state = 'untracked'
        OR state = 'fulfilled_elsewhere'
    ),
    state_at INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    reason TEXT,
    previous_state TEXT,
    source_sequence INTEGER,
    told_by TEXT,
    precedence INTEGER NOT NULL DEFAULT 0,
    corrections TEXT, -- the marks of the latest ones, the newest last
    updating INTEGER NOT NULL,
    shipped_at INTEGER,
    order_type TEXT,
    erased_at INTEGER,
    heard_at INTEGER NOT NULL DEFAULT 0,
    silent_at INTEGER,
    silent_state TEXT,
    PRIMARY KEY (account_id, order_id)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX orders_by_key ON orders (account_id, order_key, store);
CREATE INDEX orders_by_number ON orders (account_id, order_number) WHERE order_number IS NOT NULL;
CREATE INDEX orders_by_shipping ON orders (account_id, shipped_at, order_id)
    WHERE shipped_at IS NOT NULL;
CREATE INDEX orders_by_state ON orders (account_id, state, order_id);
CREATE INDEX orders_by_store ON orders (account_id, store, order_id);
CREATE INDEX orders_by_type ON orders (account_id, order_type, order_id)
    WHERE order_type IS NOT NULL;
CREATE INDEX orders_by_update ON orders (account_id, updated_at, order_id);

-- Orders that may fall silent, by when they were last heard of. One that was raised leaves it until
-- it moves; one that has moved is in the other until that was taken down.
CREATE INDEX orders_quiet ON orders (account_id, state, max(state_at, heard_at), order_id)
    WHERE silent_at IS NULL AND erased_at IS NULL AND order_id < 'tst_'
    AND state NOT IN (
        'cancelled', 'returned', 'fulfilled_elsewhere', 'delivered', 'expired', 'untracked'
    );
CREATE INDEX orders_moved_on ON orders (account_id, silent_at, order_id)
    WHERE silent_at IS NOT NULL AND (
        silent_at <> max(state_at, heard_at) OR silent_state <> state OR erased_at IS NOT NULL
    );

CREATE TABLE order_contents (
    account_id TEXT NOT NULL,
    order_id TEXT NOT NULL,
    content BLOB NOT NULL,
    PRIMARY KEY (account_id, order_id)
) STRICT;

CREATE TABLE parcels (
    account_id TEXT NOT NULL,
    order_id TEXT NOT NULL,
    parcel TEXT NOT NULL,
    position INTEGER NOT NULL,
    state TEXT,
    state_at INTEGER,
    source_sequence INTEGER,
    told_by TEXT,
    precedence INTEGER NOT NULL DEFAULT 0,
    carrier TEXT,
    carrier_service TEXT,
    tracking_number TEXT,
    tracking_url TEXT,
    created_at INTEGER,
    details BLOB,
    PRIMARY KEY (account_id, order_id, parcel)
) STRICT, WITHOUT ROWID;

CREATE INDEX parcels_by_tracking_number ON parcels (account_id, tracking_number, order_id)
    WHERE tracking_number IS NOT NULL;

CREATE TABLE order_events (
    account_id TEXT NOT NULL,
    order_id TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    type TEXT NOT NULL,
    state TEXT NOT NULL,
    previous_state TEXT,
    source TEXT NOT NULL,
    occurred_at INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    reason TEXT,
    raw TEXT,
    parcel TEXT,
    parcel_state TEXT,
    skipped TEXT,
    correction INTEGER NOT NULL,
    note TEXT,
    PRIMARY KEY (account_id, order_id, sequence)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER order_events_stay BEFORE UPDATE ON order_events
WHEN coalesce(NEW.raw, NEW.parcel, NEW.note) IS NOT NULL
    OR (
        NEW.account_id, NEW.order_id, NEW.sequence, NEW.type, NEW.state, NEW.previous_state,
        NEW.source, NEW.occurred_at, NEW.received_at, NEW.reason, NEW.parcel_state, NEW.skipped,
        NEW.correction
    ) IS NOT (
        OLD.account_id, OLD.order_id, OLD.sequence, OLD.type, OLD.state, OLD.previous_state,
        OLD.source, OLD.occurred_at, OLD.received_at, OLD.reason, OLD.parcel_state, OLD.skipped,
        OLD.correction
    )
BEGIN
    SELECT RAISE(ABORT, 'an event of an order is never changed');
END;

CREATE TABLE quarantine (
    account_id TEXT NOT NULL,
    update_id TEXT NOT NULL,
    verdict TEXT NOT NULL CHECK (
        verdict = 'applied' OR verdict = 'duplicate' OR verdict = 'stale' OR verdict = 'illegal'
        OR verdict = 'orphan'
    ),
    why TEXT NOT NULL,
    source TEXT NOT NULL,
    store TEXT,
    order_key TEXT,
    order_id TEXT,
    occurred_at INTEGER,
    received_at INTEGER NOT NULL,
    content BLOB NOT NULL,
    released_at INTEGER,
    PRIMARY KEY (account_id, update_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX quarantine_by_order ON quarantine (account_id, order_id)
    WHERE order_id IS NOT NULL;
CREATE INDEX quarantine_by_time ON quarantine (account_id, received_at, update_id)
    WHERE verdict NOT IN ('applied', 'duplicate');
CREATE INDEX quarantine_by_verdict ON quarantine (account_id, verdict, received_at, update_id);
CREATE INDEX quarantine_waiting ON quarantine (account_id, store, order_key, received_at)
    WHERE verdict = 'orphan' AND released_at IS NULL;

-- What is left of a body when a person's data was erased: what shows which bytes were sent.
CREATE TABLE erased_bodies (
    account_id TEXT NOT NULL,
    order_id TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    variant INTEGER NOT NULL,
    content_type TEXT NOT NULL,
    size INTEGER NOT NULL,
    sha256 BLOB NOT NULL,
    PRIMARY KEY (account_id, order_id, sequence, variant)
) STRICT, WITHOUT ROWID;

-- Orders that are gone ('order'), or whose personal data is ('person'), while the rest of their rows
-- is still being cleared away, some at a time.
CREATE TABLE removals (
    account_id TEXT NOT NULL,
    order_id TEXT NOT NULL,
    scope TEXT NOT NULL CHECK (
        scope = 'order' OR scope = 'person'
    ),
    decided_at INTEGER NOT NULL,
    PRIMARY KEY (account_id, order_id)
) STRICT, WITHOUT ROWID;

-- Who clears away and until when, when that was done last, and what it did; no account is all of them.
CREATE TABLE trends (
    account_id TEXT NOT NULL,
    began_at INTEGER NOT NULL,
    endpoint_id TEXT NOT NULL,
    accepted INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    acknowledged INTEGER NOT NULL,
    abandoned INTEGER NOT NULL,
    within_tenth INTEGER NOT NULL,
    within_second INTEGER NOT NULL,
    within_ten_seconds INTEGER NOT NULL,
    within_minute INTEGER NOT NULL,
    within_ten_minutes INTEGER NOT NULL,
    within_hour INTEGER NOT NULL,
    later INTEGER NOT NULL,
    PRIMARY KEY (account_id, began_at, endpoint_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE upkeep (
    account_id TEXT NOT NULL PRIMARY KEY,
    lease_owner TEXT,
    leased_until INTEGER,
    begun_at INTEGER,
    ended_at INTEGER,
    report TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE deliveries (
    account_id TEXT NOT NULL,
    order_id TEXT NOT NULL,
    endpoint_id TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    previous INTEGER NOT NULL,
    status TEXT NOT NULL,
    state TEXT NOT NULL CHECK (
        state = 'pending' OR state = 'acknowledged' OR state = 'abandoned' OR state = 'superseded'
    ),
    created_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    tries INTEGER NOT NULL,
    replay INTEGER NOT NULL,
    due_at INTEGER,
    settled_at INTEGER,
    outcome TEXT,
    variant INTEGER NOT NULL,
    PRIMARY KEY (account_id, order_id, endpoint_id, sequence)
) STRICT, WITHOUT ROWID;

CREATE INDEX deliveries_by_time
    ON deliveries (account_id, created_at, order_id, sequence, endpoint_id);
CREATE INDEX deliveries_by_endpoint
    ON deliveries (account_id, endpoint_id, created_at, order_id, sequence);
CREATE INDEX deliveries_open
    ON deliveries (account_id, state, created_at, order_id, sequence, endpoint_id)
    WHERE state <> 'acknowledged';

CREATE TABLE bodies (
    account_id TEXT NOT NULL,
    order_id TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    variant INTEGER NOT NULL,
    content_type TEXT NOT NULL,
    content BLOB NOT NULL,
    PRIMARY KEY (account_id, order_id, sequence, variant)
) STRICT;

CREATE TABLE attempts (
    account_id TEXT NOT NULL,
    order_id TEXT NOT NULL,
    endpoint_id TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    replay INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    duration_ms REAL NOT NULL,
    outcome TEXT NOT NULL,
    status INTEGER NOT NULL,
    detail TEXT NOT NULL,
    response BLOB NOT NULL,
    PRIMARY KEY (account_id, order_id, endpoint_id, sequence, attempt)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER attempts_stay BEFORE UPDATE ON attempts
WHEN NEW.response <> x''
    OR (
        NEW.account_id, NEW.order_id, NEW.endpoint_id, NEW.sequence, NEW.attempt, NEW.replay,
        NEW.started_at, NEW.duration_ms, NEW.outcome, NEW.status, NEW.detail
    ) IS NOT (
        OLD.account_id, OLD.order_id, OLD.endpoint_id, OLD.sequence, OLD.attempt, OLD.replay,
        OLD.started_at, OLD.duration_ms, OLD.outcome, OLD.status, OLD.detail
    )
BEGIN
    SELECT RAISE(ABORT, 'an attempt is never changed');
END;

-- A lane is here exactly while it has pending deliveries; sequence is that of its head. A lane
-- without due_at is held: its endpoint's policy makes it wait for an operator.
CREATE TABLE lanes (
    account_id TEXT NOT NULL,
    endpoint_id TEXT NOT NULL,
    order_id TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    due_at INTEGER,
    lease_owner TEXT,
    leased_until INTEGER,
    PRIMARY KEY (account_id, endpoint_id, order_id),
    CHECK ((lease_owner IS NULL) = (leased_until IS NULL))
) STRICT, WITHOUT ROWID;

CREATE INDEX lanes_due ON lanes (account_id, endpoint_id, leased_until, due_at);

-- What an operator asked to be sent again, and how far it has come: `place` is where the next part
-- begins, and who writes a part checks it. The same is not asked twice while it runs.
CREATE TABLE resends (
    account_id TEXT NOT NULL,
    resend_id TEXT NOT NULL,
    endpoint_id TEXT NOT NULL,
    choice TEXT NOT NULL,
    asked_at INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state = 'running' OR state = 'done' OR state = 'stopped'),
    place TEXT NOT NULL,
    examined INTEGER NOT NULL,
    queued INTEGER NOT NULL,
    finished_at INTEGER,
    why TEXT NOT NULL,
    PRIMARY KEY (account_id, resend_id),
    CHECK ((state = 'running') = (finished_at IS NULL))
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX resends_running ON resends (account_id, endpoint_id, choice)
    WHERE finished_at IS NULL;

-- Comparisons of a source's orders with what its provider answers, and how far each has come.
CREATE TABLE reconciliations (
    account_id TEXT NOT NULL,
    run_id TEXT NOT NULL,
    source TEXT NOT NULL,
    choice TEXT NOT NULL,
    dry_run INTEGER NOT NULL,
    asked_at INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    total INTEGER NOT NULL,
    listed_since INTEGER,
    state TEXT NOT NULL CHECK (
        state = 'running' OR state = 'done' OR state = 'stopped' OR state = 'failed'
    ),
    place TEXT NOT NULL,
    examined INTEGER NOT NULL,
    asked INTEGER NOT NULL,
    differences INTEGER NOT NULL,
    applied INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    finished_at INTEGER,
    why TEXT NOT NULL,
    lease_owner TEXT,
    leased_until INTEGER,
    PRIMARY KEY (account_id, run_id),
    CHECK ((state = 'running') = (finished_at IS NULL))
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX reconciliations_running ON reconciliations (account_id, source)
    WHERE finished_at IS NULL;

-- What one has found; the subject is an order's id, or its store and key where we have none.
CREATE TABLE reconciliation_differences (
    account_id TEXT NOT NULL,
    run_id TEXT NOT NULL,
    subject TEXT NOT NULL,
    item TEXT NOT NULL,
    order_id TEXT,
    store TEXT NOT NULL,
    order_key TEXT NOT NULL,
    kind TEXT NOT NULL,
    parcel TEXT NOT NULL,
    ours TEXT NOT NULL,
    theirs TEXT NOT NULL,
    verdict TEXT,
    why TEXT NOT NULL,
    pending INTEGER NOT NULL,
    PRIMARY KEY (account_id, run_id, subject, item)
) STRICT, WITHOUT ROWID;

CREATE INDEX reconciliation_differences_by_order
    ON reconciliation_differences (account_id, order_id) WHERE order_id IS NOT NULL;

-- Where an account asks for scans of its parcels.
CREATE TABLE carrier_sources (
    account_id TEXT NOT NULL,
    source TEXT NOT NULL,
    kind TEXT NOT NULL,
    carriers TEXT NOT NULL,
    config BLOB NOT NULL,
    sealed BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (account_id, source)
) STRICT, WITHOUT ROWID;

-- The parcels that are watched, due again when somebody has leased them and does not come back; one
-- whose watch has ended has no due_at. `scans` are the keys of the scans that were taken.
CREATE TABLE trackings (
    account_id TEXT NOT NULL,
    order_id TEXT NOT NULL,
    parcel TEXT NOT NULL,
    since_at INTEGER NOT NULL,
    due_at INTEGER,
    lease_owner TEXT,
    asked_at INTEGER,
    asks INTEGER NOT NULL DEFAULT 0,
    failures INTEGER NOT NULL DEFAULT 0,
    returned_at INTEGER,
    scans TEXT NOT NULL DEFAULT '',
    ended TEXT,
    trouble TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (account_id, order_id, parcel),
    CHECK ((due_at IS NULL) = (ended IS NOT NULL))
) STRICT, WITHOUT ROWID;

CREATE INDEX trackings_due ON trackings (account_id, due_at) WHERE due_at IS NOT NULL;

-- Whatever brings a parcel to a carrier, it is watched from that very transaction on, if there is
-- anybody to ask; due since it was made, which is at once. No carrier knows of a fake order's.
CREATE TRIGGER parcels_are_tracked AFTER INSERT ON parcels
WHEN NEW.state IS NOT NULL
    AND EXISTS (SELECT 1 FROM carrier_sources WHERE account_id = NEW.account_id)
    AND NEW.order_id NOT GLOB 'tst_*'
    AND NEW.state <> 'delivered' AND NEW.state <> 'returned' AND NEW.state <> 'expired'
BEGIN
    INSERT INTO trackings (account_id, order_id, parcel, since_at, due_at)
    VALUES (
        NEW.account_id, NEW.order_id, NEW.parcel, coalesce(NEW.created_at, NEW.state_at),
        coalesce(NEW.created_at, NEW.state_at)
    )
    ON CONFLICT (account_id, order_id, parcel) DO NOTHING;
END;

-- And again when it is reopened, which makes it young again, or has another number to ask for.
CREATE TRIGGER parcels_are_tracked_again AFTER UPDATE ON parcels
WHEN NEW.state IS NOT NULL
    AND EXISTS (SELECT 1 FROM carrier_sources WHERE account_id = NEW.account_id)
    AND NEW.order_id NOT GLOB 'tst_*'
    AND NEW.state <> 'delivered' AND NEW.state <> 'returned' AND NEW.state <> 'expired'
    AND (
        OLD.state IS NULL
        OR OLD.tracking_number IS NOT NEW.tracking_number
        OR OLD.carrier IS NOT NEW.carrier
        OR (
            OLD.state <> NEW.state
            AND (
                OLD.state = 'delivered' OR OLD.state = 'returned' OR OLD.state = 'expired'
                OR OLD.state = 'untracked' OR OLD.state = 'returning'
            )
        )
    )
BEGIN
    INSERT INTO trackings (account_id, order_id, parcel, since_at, due_at)
    VALUES (
        NEW.account_id, NEW.order_id, NEW.parcel,
        CASE
            WHEN OLD.state IN ('delivered', 'returned', 'expired', 'untracked', 'returning')
                AND OLD.state <> NEW.state THEN NEW.state_at
            ELSE coalesce(NEW.created_at, NEW.state_at)
        END,
        coalesce(NEW.created_at, NEW.state_at)
    )
    ON CONFLICT (account_id, order_id, parcel) DO UPDATE
    SET since_at = max(since_at, excluded.since_at),
        due_at = excluded.due_at,
        lease_owner = NULL,
        failures = 0,
        ended = NULL;
END;

CREATE TRIGGER parcels_are_forgotten AFTER DELETE ON parcels
BEGIN
    DELETE FROM trackings
    WHERE account_id = OLD.account_id AND order_id = OLD.order_id AND parcel = OLD.parcel;
END;

-- The networks that notifications are sent from, which are the installation's and no account's.
CREATE TABLE egress_changes (
    change_id TEXT NOT NULL,
    network TEXT NOT NULL,
    action TEXT NOT NULL CHECK (action = 'add' OR action = 'remove'),
    effective_at INTEGER NOT NULL,
    planned_at INTEGER NOT NULL,
    forced INTEGER NOT NULL,
    cancelled_at INTEGER
) STRICT;

-- A program that asks a provider's interface for an account, with the secret that it signs with.
CREATE TABLE client_applications (
    account_id TEXT NOT NULL,
    client_id TEXT NOT NULL,
    name TEXT NOT NULL,
    billing_id TEXT NOT NULL,
    sealed BLOB NOT NULL,
    store TEXT NOT NULL,
    endpoint_id TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (account_id, client_id)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX client_applications_by_store ON client_applications (account_id, store);

-- Whose a client id is: the one table that does not begin with the account, because a provider's
-- requests name none. No two accounts can have the same.
CREATE TABLE client_ids (
    client_id TEXT NOT NULL PRIMARY KEY,
    account_id TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- How often an application has called since the first call of a minute.
CREATE TABLE client_calls (
    account_id TEXT NOT NULL,
    client_id TEXT NOT NULL,
    began_at INTEGER NOT NULL,
    calls INTEGER NOT NULL,
    PRIMARY KEY (account_id, client_id)
) STRICT, WITHOUT ROWID;

-- Nonces that were given out and not used: whoever deletes one has used it.
CREATE TABLE nonces (
    account_id TEXT NOT NULL,
    client_id TEXT NOT NULL,
    nonce TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (account_id, client_id, nonce)
) STRICT, WITHOUT ROWID;

-- Fake orders that have steps left. Whoever takes one that is due puts it off for as long as it may
-- take, so that it is due again if that process dies; `claimed` says that this is what it waits for.
CREATE TABLE rehearsals (
    account_id TEXT NOT NULL,
    order_id TEXT NOT NULL,
    mode INTEGER NOT NULL,
    step INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    claimed INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (account_id, order_id)
) STRICT, WITHOUT ROWID;

-- Where orders are worked on, as merchants name it.
CREATE TABLE warehouses (
    account_id TEXT NOT NULL,
    identifier TEXT NOT NULL,
    number INTEGER NOT NULL,
    name TEXT NOT NULL,
    timezone TEXT NOT NULL,
    wms_type TEXT NOT NULL,
    enabled INTEGER NOT NULL,
    address BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (account_id, identifier)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX warehouses_by_number ON warehouses (account_id, number);

-- Who may look at the pages. They and their sessions are the installation's: account_id is ''.
CREATE TABLE people (
    account_id TEXT NOT NULL,
    name TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role = 'operator' OR role = 'merchant' OR role = 'read-only'),
    sees TEXT, -- the one account that is seen, NULL for all
    password TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    disabled_at INTEGER,
    PRIMARY KEY (account_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE first_tokens (
    account_id TEXT NOT NULL,
    digest TEXT NOT NULL,
    until_at INTEGER NOT NULL,
    PRIMARY KEY (account_id, digest)
) STRICT, WITHOUT ROWID;

CREATE TABLE sessions (
    account_id TEXT NOT NULL,
    digest TEXT NOT NULL,
    session_id TEXT NOT NULL,
    name TEXT NOT NULL,
    link_account_id TEXT NOT NULL,
    link_id TEXT NOT NULL,
    made_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    until_at INTEGER NOT NULL,
    address TEXT NOT NULL,
    agent TEXT NOT NULL,
    PRIMARY KEY (account_id, digest)
) STRICT, WITHOUT ROWID;

CREATE TABLE portal_links (
    account_id TEXT NOT NULL,
    link_id TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role = 'merchant' OR role = 'read-only'),
    made_by TEXT NOT NULL,
    made_at INTEGER NOT NULL,
    until_at INTEGER NOT NULL,
    revoked_at INTEGER,
    PRIMARY KEY (account_id, link_id)
) STRICT, WITHOUT ROWID;

-- Who tells an account by webhook; how it proves that, and how it is asked, is sealed.
CREATE TABLE sources (
    account_id TEXT NOT NULL,
    source TEXT NOT NULL,
    kind TEXT NOT NULL,
    digest TEXT NOT NULL,
    store TEXT NOT NULL,
    stores TEXT NOT NULL,
    networks TEXT NOT NULL,
    precedence INTEGER NOT NULL,
    trusted INTEGER NOT NULL,
    options BLOB NOT NULL,
    sealed BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (account_id, source)
) STRICT, WITHOUT ROWID;

-- Whose path ends in the secret of this digest: requests name no account.
CREATE TABLE source_paths (
    digest TEXT NOT NULL PRIMARY KEY,
    account_id TEXT NOT NULL,
    source TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- What was refused of a source; it changes by itself, so that it is no part of what was set up.
CREATE TABLE source_refusals (
    account_id TEXT NOT NULL,
    source TEXT NOT NULL,
    refused INTEGER NOT NULL,
    refused_at INTEGER NOT NULL,
    why TEXT NOT NULL,
    PRIMARY KEY (account_id, source)
) STRICT, WITHOUT ROWID;

-- Every message of a source, as it came, with what was decided of it. One that waits for a parcel
-- with its tracking number is due when there may be one; who has leased it puts that off.
CREATE TABLE receipts (
    account_id TEXT NOT NULL,
    receipt_id TEXT NOT NULL,
    source TEXT NOT NULL,
    kind TEXT NOT NULL,
    message_id TEXT,
    verdict TEXT NOT NULL CHECK (
        verdict = 'applied' OR verdict = 'duplicate' OR verdict = 'stale' OR verdict = 'illegal'
        OR verdict = 'orphan' OR verdict = 'unmapped' OR verdict = 'kept' OR verdict = 'repeated'
    ),
    why TEXT NOT NULL,
    word TEXT NOT NULL,
    store TEXT,
    order_key TEXT,
    order_id TEXT,
    tracking_number TEXT,
    received_at INTEGER NOT NULL,
    words TEXT NOT NULL,
    content_type TEXT NOT NULL,
    size INTEGER NOT NULL,
    sha256 BLOB,
    due_at INTEGER,
    message BLOB,
    body BLOB NOT NULL,
    PRIMARY KEY (account_id, receipt_id)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX receipts_by_message ON receipts (account_id, source, message_id)
    WHERE message_id IS NOT NULL;
CREATE INDEX receipts_by_key ON receipts (account_id, store, order_key)
    WHERE order_id IS NULL AND order_key IS NOT NULL;
CREATE INDEX receipts_by_number ON receipts (account_id, tracking_number)
    WHERE verdict = 'orphan' AND order_key IS NULL AND tracking_number IS NOT NULL;
CREATE INDEX receipts_by_order ON receipts (account_id, order_id, receipt_id)
    WHERE order_id IS NOT NULL;
CREATE INDEX receipts_by_source ON receipts (account_id, source, receipt_id);
CREATE INDEX receipts_by_verdict ON receipts (account_id, verdict, receipt_id)
    WHERE verdict <> 'applied';
CREATE INDEX receipts_due ON receipts (account_id, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX receipts_without_order ON receipts (account_id, receipt_id) WHERE order_id IS NULL;

-- Whatever gives a parcel its number, messages that wait for it are due from that transaction on.
CREATE TRIGGER parcels_are_awaited AFTER INSERT ON parcels
WHEN NEW.tracking_number IS NOT NULL
BEGIN
    UPDATE receipts
    SET due_at = received_at
    WHERE account_id = NEW.account_id AND receipt_id IN (
        -- Without being told, SQLite would look through all of the account's receipts.
        SELECT receipt_id
        FROM receipts INDEXED BY receipts_by_number
        WHERE account_id = NEW.account_id
            AND tracking_number = NEW.tracking_number
            AND verdict = 'orphan'
            AND order_key IS NULL
            AND tracking_number IS NOT NULL
    );
END;

CREATE TRIGGER parcels_are_awaited_again AFTER UPDATE ON parcels
WHEN NEW.tracking_number IS NOT NULL AND OLD.tracking_number IS NOT NEW.tracking_number
BEGIN
    UPDATE receipts
    SET due_at = received_at
    WHERE account_id = NEW.account_id AND receipt_id IN (
        -- Without being told, SQLite would look through all of the account's receipts.
        SELECT receipt_id
        FROM receipts INDEXED BY receipts_by_number
        WHERE account_id = NEW.account_id
            AND tracking_number = NEW.tracking_number
            AND verdict = 'orphan'
            AND order_key IS NULL
            AND tracking_number IS NOT NULL
    );
END;

-- Orders of which nothing was heard for too long, one row for each time; numbered by account.
CREATE TABLE silences (
    account_id TEXT NOT NULL,
    number INTEGER NOT NULL,
    order_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    since_at INTEGER NOT NULL,
    after_s INTEGER NOT NULL,
    raised_at INTEGER NOT NULL,
    ended_at INTEGER,
    ended_state TEXT,
    ended_number INTEGER,
    PRIMARY KEY (account_id, number)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX silences_of_order ON silences (account_id, order_id, since_at, state);
CREATE INDEX silences_open ON silences (account_id, number, kind) WHERE ended_at IS NULL;
CREATE UNIQUE INDEX silences_ended ON silences (account_id, ended_number)
    WHERE ended_number IS NOT NULL;

CREATE TABLE silence_thresholds (
    account_id TEXT NOT NULL,
    state TEXT NOT NULL,
    after_s INTEGER, -- NULL when it is switched off
    changed_at INTEGER NOT NULL,
    PRIMARY KEY (account_id, state)
) STRICT, WITHOUT ROWID;

-- How far each account's silences are numbered and told, one row for each.
CREATE TABLE silence_watches (
    account_id TEXT NOT NULL,
    raised INTEGER NOT NULL DEFAULT 0,
    raised_told INTEGER NOT NULL DEFAULT 0,
    raised_told_at INTEGER,
    ended INTEGER NOT NULL DEFAULT 0,
    ended_told INTEGER NOT NULL DEFAULT 0,
    ended_told_at INTEGER,
    notices INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (account_id)
) STRICT, WITHOUT ROWID;

-- By which a process notices that another one has changed what it keeps in memory.
CREATE TABLE registry (
    version INTEGER NOT NULL -- grows with each change of an endpoint, a store or a clock
) STRICT;

INSERT INTO registry (version) VALUES (0);

CREATE TRIGGER clocks_are_moved AFTER UPDATE OF ahead ON accounts
BEGIN
    UPDATE registry SET version = version + 1;
END;

CREATE TRIGGER endpoints_are_deleted AFTER DELETE ON endpoints
BEGIN
    UPDATE registry SET version = version + 1;
END;

CREATE TRIGGER endpoints_are_added AFTER INSERT ON endpoints
BEGIN
    UPDATE registry SET version = version + 1;
END;

CREATE TRIGGER endpoints_are_changed AFTER UPDATE ON endpoints
BEGIN
    UPDATE registry SET version = version + 1;
END;

CREATE TRIGGER stores_are_deleted AFTER DELETE ON stores
BEGIN
    UPDATE registry SET version = version + 1;
END;

CREATE TRIGGER stores_are_added AFTER INSERT ON stores
BEGIN
    UPDATE registry SET version = version + 1;
END;

CREATE TRIGGER stores_are_changed AFTER UPDATE ON stores
BEGIN
    UPDATE registry SET version = version + 1;
END;
