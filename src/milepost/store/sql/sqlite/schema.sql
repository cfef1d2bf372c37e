CREATE TABLE accounts (
    account_id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL
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
BEGIN
    SELECT RAISE(ABORT, 'an attempt is never changed');
END;

CREATE TABLE bodies (
    account_id TEXT NOT NULL,
    order_id TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    variant INTEGER NOT NULL,
    content_type TEXT NOT NULL,
    content BLOB NOT NULL,
    PRIMARY KEY (account_id, order_id, sequence, variant)
) STRICT;

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

CREATE INDEX deliveries_by_endpoint
    ON deliveries (account_id, endpoint_id, created_at, order_id, sequence);

CREATE INDEX deliveries_by_time
    ON deliveries (account_id, created_at, order_id, sequence, endpoint_id);

CREATE INDEX deliveries_open
    ON deliveries (account_id, state, created_at, order_id, sequence, endpoint_id)
    WHERE state <> 'acknowledged';

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
    credentials BLOB NOT NULL,
    secrets TEXT NOT NULL,
    PRIMARY KEY (account_id, endpoint_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX endpoints_active ON endpoints (account_id, endpoint_id) WHERE state = 'active';

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

CREATE TABLE order_contents (
    account_id TEXT NOT NULL,
    order_id TEXT NOT NULL,
    content BLOB NOT NULL,
    PRIMARY KEY (account_id, order_id)
) STRICT;

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
BEGIN
    SELECT RAISE(ABORT, 'an event of an order is never changed');
END;

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
    updating INTEGER NOT NULL,
    shipped_at INTEGER,
    PRIMARY KEY (account_id, order_id)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX orders_by_key ON orders (account_id, order_key, store);

CREATE INDEX orders_by_number ON orders (account_id, order_number) WHERE order_number IS NOT NULL;

CREATE INDEX orders_by_state ON orders (account_id, state, order_id);

CREATE INDEX orders_by_store ON orders (account_id, store, order_id);

CREATE TABLE parcels (
    account_id TEXT NOT NULL,
    order_id TEXT NOT NULL,
    parcel TEXT NOT NULL,
    position INTEGER NOT NULL,
    state TEXT,
    state_at INTEGER,
    source_sequence INTEGER,
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

CREATE INDEX quarantine_by_time ON quarantine (account_id, received_at, update_id)
    WHERE verdict NOT IN ('applied', 'duplicate');

CREATE INDEX quarantine_by_verdict ON quarantine (account_id, verdict, received_at, update_id);

CREATE INDEX quarantine_waiting ON quarantine (account_id, store, order_key, received_at)
    WHERE verdict = 'orphan' AND released_at IS NULL;

CREATE TABLE stores (
    account_id TEXT NOT NULL,
    store TEXT NOT NULL,
    number INTEGER NOT NULL,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (account_id, store)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX stores_by_number ON stores (account_id, number);
