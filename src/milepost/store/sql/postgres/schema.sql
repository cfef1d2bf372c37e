CREATE TABLE accounts (
    account_id text COLLATE "C" NOT NULL,
    name text NOT NULL,
    created_at bigint NOT NULL,
    sandbox smallint DEFAULT 0 NOT NULL,
    ahead bigint DEFAULT 0 NOT NULL,
    CONSTRAINT accounts_pkey PRIMARY KEY (account_id)
);

CREATE TABLE api_keys (
    account_id text COLLATE "C" NOT NULL,
    key_id text COLLATE "C" NOT NULL,
    name text NOT NULL,
    digest text COLLATE "C" NOT NULL,
    created_at bigint NOT NULL,
    revoked_at bigint,
    CONSTRAINT api_keys_pkey PRIMARY KEY (account_id, key_id)
);

CREATE TABLE attempts (
    account_id text COLLATE "C" NOT NULL,
    order_id text COLLATE "C" NOT NULL,
    endpoint_id text COLLATE "C" NOT NULL,
    sequence integer NOT NULL,
    attempt integer NOT NULL,
    replay integer NOT NULL,
    started_at bigint NOT NULL,
    duration_ms double precision NOT NULL,
    outcome text COLLATE "C" NOT NULL,
    status integer NOT NULL,
    detail text NOT NULL,
    response bytea NOT NULL,
    CONSTRAINT attempts_pkey PRIMARY KEY (account_id, order_id, endpoint_id, sequence, attempt)
);

CREATE TABLE bodies (
    account_id text COLLATE "C" NOT NULL,
    order_id text COLLATE "C" NOT NULL,
    sequence integer NOT NULL,
    variant integer NOT NULL,
    content_type text NOT NULL,
    content bytea STORAGE EXTERNAL NOT NULL,
    CONSTRAINT bodies_pkey PRIMARY KEY (account_id, order_id, sequence, variant)
) WITH (
    toast_tuple_target = 8160
);

CREATE TABLE carrier_sources (
    account_id text COLLATE "C" NOT NULL,
    source text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    carriers text NOT NULL,
    config bytea NOT NULL,
    sealed bytea NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    CONSTRAINT carrier_sources_pkey PRIMARY KEY (account_id, source)
);

CREATE TABLE client_applications (
    account_id text COLLATE "C" NOT NULL,
    client_id text COLLATE "C" NOT NULL,
    name text NOT NULL,
    billing_id text NOT NULL,
    sealed bytea NOT NULL,
    store text COLLATE "C" NOT NULL,
    endpoint_id text COLLATE "C",
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    CONSTRAINT client_applications_pkey PRIMARY KEY (account_id, client_id)
);

CREATE TABLE client_calls (
    account_id text COLLATE "C" NOT NULL,
    client_id text COLLATE "C" NOT NULL,
    began_at bigint NOT NULL,
    calls integer NOT NULL,
    CONSTRAINT client_calls_pkey PRIMARY KEY (account_id, client_id)
);

CREATE TABLE client_ids (
    client_id text COLLATE "C" NOT NULL,
    account_id text COLLATE "C" NOT NULL,
    CONSTRAINT client_ids_pkey PRIMARY KEY (client_id)
);

CREATE TABLE deliveries (
    account_id text COLLATE "C" NOT NULL,
    order_id text COLLATE "C" NOT NULL,
    endpoint_id text COLLATE "C" NOT NULL,
    sequence integer NOT NULL,
    previous integer NOT NULL,
    status text COLLATE "C" NOT NULL,
    state text COLLATE "C" NOT NULL,
    created_at bigint NOT NULL,
    attempts integer NOT NULL,
    tries integer NOT NULL,
    replay integer NOT NULL,
    due_at bigint,
    settled_at bigint,
    outcome text COLLATE "C",
    variant integer NOT NULL,
    CONSTRAINT deliveries_pkey PRIMARY KEY (account_id, order_id, endpoint_id, sequence)
);

CREATE TABLE dismissals (
    account_id text COLLATE "C" NOT NULL,
    item text COLLATE "C" NOT NULL,
    dismissed_at bigint NOT NULL,
    CONSTRAINT dismissals_pkey PRIMARY KEY (account_id, item)
);

CREATE TABLE egress_changes (
    change_id text COLLATE "C" NOT NULL,
    network text COLLATE "C" NOT NULL,
    action text COLLATE "C" NOT NULL,
    effective_at bigint NOT NULL,
    planned_at bigint NOT NULL,
    forced smallint NOT NULL,
    cancelled_at bigint,
    CONSTRAINT egress_changes_action CHECK ((action = ANY (ARRAY['add'::text, 'remove'::text])))
);

CREATE TABLE endpoint_health (
    account_id text COLLATE "C" NOT NULL,
    endpoint_id text COLLATE "C" NOT NULL,
    failures integer DEFAULT 0 NOT NULL,
    failing_since bigint,
    last_success_at bigint,
    last_failure_at bigint,
    last_outcome text COLLATE "C",
    failing smallint DEFAULT 0 NOT NULL,
    abandoned integer DEFAULT 0 NOT NULL,
    abandoned_since bigint,
    abandoned_told_at bigint,
    notices integer DEFAULT 0 NOT NULL,
    CONSTRAINT endpoint_health_pkey PRIMARY KEY (account_id, endpoint_id)
);

CREATE TABLE endpoints (
    account_id text COLLATE "C" NOT NULL,
    endpoint_id text COLLATE "C" NOT NULL,
    contract text NOT NULL,
    url text NOT NULL,
    schedule text NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    description text NOT NULL,
    state text COLLATE "C" NOT NULL,
    state_why text NOT NULL,
    stores text,
    statuses text,
    timeout_s double precision NOT NULL,
    concurrency integer NOT NULL,
    lane_policy text COLLATE "C" NOT NULL,
    options bytea NOT NULL,
    sealed bytea NOT NULL,
    state_at bigint,
    requests_per_s double precision,
    pause_after_h double precision,
    backlog_policy text COLLATE "C" DEFAULT 'every_step'::text NOT NULL,
    operational text COLLATE "C" DEFAULT 'none'::text NOT NULL,
    CONSTRAINT endpoints_backlog_policy CHECK ((backlog_policy = ANY (ARRAY['every_step'::text, 'latest'::text]))),
    CONSTRAINT endpoints_lane_policy CHECK ((lane_policy = ANY (ARRAY['go_on'::text, 'hold'::text]))),
    CONSTRAINT endpoints_operational CHECK ((operational = ANY (ARRAY['none'::text, 'also'::text, 'only'::text]))),
    CONSTRAINT endpoints_pkey PRIMARY KEY (account_id, endpoint_id),
    CONSTRAINT endpoints_state CHECK ((state = ANY (ARRAY['active'::text, 'paused'::text])))
);

CREATE TABLE erased_bodies (
    account_id text COLLATE "C" NOT NULL,
    order_id text COLLATE "C" NOT NULL,
    sequence integer NOT NULL,
    variant integer NOT NULL,
    content_type text NOT NULL,
    size integer NOT NULL,
    sha256 bytea NOT NULL,
    CONSTRAINT erased_bodies_pkey PRIMARY KEY (account_id, order_id, sequence, variant)
);

CREATE TABLE first_tokens (
    account_id text COLLATE "C" NOT NULL,
    digest text COLLATE "C" NOT NULL,
    until_at bigint NOT NULL,
    CONSTRAINT first_tokens_pkey PRIMARY KEY (account_id, digest)
);

CREATE TABLE lanes (
    account_id text COLLATE "C" NOT NULL,
    endpoint_id text COLLATE "C" NOT NULL,
    order_id text COLLATE "C" NOT NULL,
    sequence integer NOT NULL,
    last integer NOT NULL,
    due_at bigint,
    lease_owner text COLLATE "C",
    leased_until bigint,
    revision integer DEFAULT 0 NOT NULL,
    status text COLLATE "C",
    previous integer,
    variant integer,
    created_at bigint,
    CONSTRAINT lanes_pkey PRIMARY KEY (account_id, endpoint_id, order_id)
) WITH (
    autovacuum_analyze_scale_factor = 0.5,
    autovacuum_analyze_threshold = 10000,
    autovacuum_vacuum_cost_delay = 0,
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 5000,
    fillfactor = 70,
    vacuum_truncate = off
);

CREATE TABLE nonces (
    account_id text COLLATE "C" NOT NULL,
    client_id text COLLATE "C" NOT NULL,
    nonce text COLLATE "C" NOT NULL,
    expires_at bigint NOT NULL,
    CONSTRAINT nonces_pkey PRIMARY KEY (account_id, client_id, nonce)
);

CREATE TABLE order_contents (
    account_id text COLLATE "C" NOT NULL,
    order_id text COLLATE "C" NOT NULL,
    content bytea STORAGE EXTERNAL NOT NULL,
    CONSTRAINT order_contents_pkey PRIMARY KEY (account_id, order_id)
) WITH (
    toast_tuple_target = 8160
);

CREATE TABLE order_events (
    account_id text COLLATE "C" NOT NULL,
    order_id text COLLATE "C" NOT NULL,
    sequence integer NOT NULL,
    type text COLLATE "C" NOT NULL,
    state text COLLATE "C" NOT NULL,
    previous_state text COLLATE "C",
    source text NOT NULL,
    occurred_at bigint NOT NULL,
    received_at bigint NOT NULL,
    reason text COLLATE "C",
    raw text,
    parcel text,
    parcel_state text COLLATE "C",
    skipped text,
    correction smallint NOT NULL,
    note text,
    CONSTRAINT order_events_pkey PRIMARY KEY (account_id, order_id, sequence)
);

CREATE TABLE orders (
    account_id text COLLATE "C" NOT NULL,
    order_id text COLLATE "C" NOT NULL,
    store text COLLATE "C" NOT NULL,
    order_key text COLLATE "C" NOT NULL,
    order_number text COLLATE "C",
    state text COLLATE "C" NOT NULL,
    state_at bigint NOT NULL,
    sequence integer NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    reason text COLLATE "C",
    previous_state text COLLATE "C",
    source_sequence bigint,
    told_by text COLLATE "C",
    precedence integer DEFAULT 0 NOT NULL,
    corrections text COLLATE "C",
    updating smallint NOT NULL,
    shipped_at bigint,
    order_type text COLLATE "C",
    erased_at bigint,
    heard_at bigint DEFAULT 0 NOT NULL,
    silent_at bigint,
    silent_state text COLLATE "C",
    CONSTRAINT orders_pkey PRIMARY KEY (account_id, order_id)
);

CREATE TABLE parcels (
    account_id text COLLATE "C" NOT NULL,
    order_id text COLLATE "C" NOT NULL,
    parcel text COLLATE "C" NOT NULL,
    position integer NOT NULL,
    state text COLLATE "C",
    state_at bigint,
    source_sequence bigint,
    told_by text COLLATE "C",
    precedence integer DEFAULT 0 NOT NULL,
    carrier text,
    carrier_service text,
    tracking_number text COLLATE "C",
    tracking_url text,
    created_at bigint,
    details bytea,
    CONSTRAINT parcels_pkey PRIMARY KEY (account_id, order_id, parcel)
);

CREATE TABLE people (
    account_id text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    role text COLLATE "C" NOT NULL,
    sees text COLLATE "C",
    password text COLLATE "C" NOT NULL,
    created_at bigint NOT NULL,
    disabled_at bigint,
    CONSTRAINT people_pkey PRIMARY KEY (account_id, name),
    CONSTRAINT people_role CHECK ((role = ANY (ARRAY['operator'::text, 'merchant'::text, 'read-only'::text])))
);

CREATE TABLE portal_links (
    account_id text COLLATE "C" NOT NULL,
    link_id text COLLATE "C" NOT NULL,
    role text COLLATE "C" NOT NULL,
    made_by text COLLATE "C" NOT NULL,
    made_at bigint NOT NULL,
    until_at bigint NOT NULL,
    revoked_at bigint,
    CONSTRAINT portal_links_pkey PRIMARY KEY (account_id, link_id),
    CONSTRAINT portal_links_role CHECK ((role = ANY (ARRAY['merchant'::text, 'read-only'::text])))
);

CREATE TABLE quarantine (
    account_id text COLLATE "C" NOT NULL,
    update_id text COLLATE "C" NOT NULL,
    verdict text COLLATE "C" NOT NULL,
    why text NOT NULL,
    source text NOT NULL,
    store text COLLATE "C",
    order_key text COLLATE "C",
    order_id text COLLATE "C",
    occurred_at bigint,
    received_at bigint NOT NULL,
    content bytea NOT NULL,
    released_at bigint,
    CONSTRAINT quarantine_verdict CHECK ((verdict = ANY (ARRAY['applied'::text, 'duplicate'::text, 'stale'::text, 'illegal'::text, 'orphan'::text])))
);

CREATE TABLE receipts (
    account_id text COLLATE "C" NOT NULL,
    receipt_id text COLLATE "C" NOT NULL,
    source text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    message_id text COLLATE "C",
    verdict text COLLATE "C" NOT NULL,
    why text NOT NULL,
    word text NOT NULL,
    store text COLLATE "C",
    order_key text COLLATE "C",
    order_id text COLLATE "C",
    tracking_number text COLLATE "C",
    received_at bigint NOT NULL,
    words text NOT NULL,
    content_type text NOT NULL,
    size integer NOT NULL,
    sha256 bytea,
    due_at bigint,
    message bytea STORAGE EXTERNAL,
    body bytea STORAGE EXTERNAL NOT NULL,
    CONSTRAINT receipts_pkey PRIMARY KEY (account_id, receipt_id)
) WITH (
    toast_tuple_target = 8160
);

CREATE TABLE reconciliation_differences (
    account_id text COLLATE "C" NOT NULL,
    run_id text COLLATE "C" NOT NULL,
    subject text COLLATE "C" NOT NULL,
    item text COLLATE "C" NOT NULL,
    order_id text COLLATE "C",
    store text COLLATE "C" NOT NULL,
    order_key text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    parcel text NOT NULL,
    ours text NOT NULL,
    theirs text NOT NULL,
    verdict text COLLATE "C",
    why text NOT NULL,
    pending bigint NOT NULL,
    CONSTRAINT reconciliation_differences_pkey PRIMARY KEY (account_id, run_id, subject, item)
);

CREATE TABLE reconciliations (
    account_id text COLLATE "C" NOT NULL,
    run_id text COLLATE "C" NOT NULL,
    source text COLLATE "C" NOT NULL,
    choice text COLLATE "C" NOT NULL,
    dry_run bigint NOT NULL,
    asked_at bigint NOT NULL,
    due_at bigint NOT NULL,
    total bigint NOT NULL,
    listed_since bigint,
    state text COLLATE "C" NOT NULL,
    place text COLLATE "C" NOT NULL,
    examined bigint NOT NULL,
    asked bigint NOT NULL,
    differences bigint NOT NULL,
    applied bigint NOT NULL,
    failures bigint NOT NULL,
    finished_at bigint,
    why text NOT NULL,
    lease_owner text COLLATE "C",
    leased_until bigint,
    CONSTRAINT reconciliations_finished CHECK (((state = 'running'::text) = (finished_at IS NULL))),
    CONSTRAINT reconciliations_pkey PRIMARY KEY (account_id, run_id),
    CONSTRAINT reconciliations_state CHECK ((state = ANY (ARRAY['running'::text, 'done'::text, 'stopped'::text, 'failed'::text])))
);

CREATE TABLE rehearsals (
    account_id text COLLATE "C" NOT NULL,
    order_id text COLLATE "C" NOT NULL,
    mode integer NOT NULL,
    step integer NOT NULL,
    due_at bigint NOT NULL,
    claimed smallint DEFAULT 0 NOT NULL,
    CONSTRAINT rehearsals_pkey PRIMARY KEY (account_id, order_id)
);

CREATE TABLE removals (
    account_id text COLLATE "C" NOT NULL,
    order_id text COLLATE "C" NOT NULL,
    scope text COLLATE "C" NOT NULL,
    decided_at bigint NOT NULL,
    CONSTRAINT removals_pkey PRIMARY KEY (account_id, order_id),
    CONSTRAINT removals_scope CHECK ((scope = ANY (ARRAY['order'::text, 'person'::text])))
);

CREATE TABLE resends (
    account_id text COLLATE "C" NOT NULL,
    resend_id text COLLATE "C" NOT NULL,
    endpoint_id text COLLATE "C" NOT NULL,
    choice text COLLATE "C" NOT NULL,
    asked_at bigint NOT NULL,
    state text COLLATE "C" NOT NULL,
    place text COLLATE "C" NOT NULL,
    examined bigint NOT NULL,
    queued bigint NOT NULL,
    finished_at bigint,
    why text NOT NULL,
    CONSTRAINT resends_finished CHECK (((state = 'running'::text) = (finished_at IS NULL))),
    CONSTRAINT resends_pkey PRIMARY KEY (account_id, resend_id),
    CONSTRAINT resends_state CHECK ((state = ANY (ARRAY['running'::text, 'done'::text, 'stopped'::text])))
);

CREATE TABLE schema_version (
    number integer NOT NULL
);

CREATE TABLE seals (
    account_id text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    sealed bytea NOT NULL,
    CONSTRAINT seals_pkey PRIMARY KEY (account_id, name)
);

CREATE TABLE sessions (
    account_id text COLLATE "C" NOT NULL,
    digest text COLLATE "C" NOT NULL,
    session_id text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    link_account_id text COLLATE "C" NOT NULL,
    link_id text COLLATE "C" NOT NULL,
    made_at bigint NOT NULL,
    seen_at bigint NOT NULL,
    until_at bigint NOT NULL,
    address text COLLATE "C" NOT NULL,
    agent text NOT NULL,
    CONSTRAINT sessions_pkey PRIMARY KEY (account_id, digest)
);

CREATE TABLE setups (
    account_id text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    CONSTRAINT setups_pkey PRIMARY KEY (account_id)
);

CREATE TABLE silence_thresholds (
    account_id text COLLATE "C" NOT NULL,
    state text COLLATE "C" NOT NULL,
    after_s bigint,
    changed_at bigint NOT NULL,
    CONSTRAINT silence_thresholds_pkey PRIMARY KEY (account_id, state)
);

CREATE TABLE silence_watches (
    account_id text COLLATE "C" NOT NULL,
    raised bigint DEFAULT 0 NOT NULL,
    raised_told bigint DEFAULT 0 NOT NULL,
    raised_told_at bigint,
    ended bigint DEFAULT 0 NOT NULL,
    ended_told bigint DEFAULT 0 NOT NULL,
    ended_told_at bigint,
    notices bigint DEFAULT 0 NOT NULL,
    CONSTRAINT silence_watches_pkey PRIMARY KEY (account_id)
);

CREATE TABLE silences (
    account_id text COLLATE "C" NOT NULL,
    number bigint NOT NULL,
    order_id text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    state text COLLATE "C" NOT NULL,
    since_at bigint NOT NULL,
    after_s bigint NOT NULL,
    raised_at bigint NOT NULL,
    ended_at bigint,
    ended_state text COLLATE "C",
    ended_number bigint,
    CONSTRAINT silences_pkey PRIMARY KEY (account_id, number)
);

CREATE TABLE source_paths (
    digest text COLLATE "C" NOT NULL,
    account_id text COLLATE "C" NOT NULL,
    source text COLLATE "C" NOT NULL,
    CONSTRAINT source_paths_pkey PRIMARY KEY (digest)
);

CREATE TABLE source_refusals (
    account_id text COLLATE "C" NOT NULL,
    source text COLLATE "C" NOT NULL,
    refused bigint NOT NULL,
    refused_at bigint NOT NULL,
    why text NOT NULL,
    CONSTRAINT source_refusals_pkey PRIMARY KEY (account_id, source)
);

CREATE TABLE sources (
    account_id text COLLATE "C" NOT NULL,
    source text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    digest text COLLATE "C" NOT NULL,
    store text COLLATE "C" NOT NULL,
    stores text NOT NULL,
    networks text NOT NULL,
    precedence integer NOT NULL,
    trusted smallint NOT NULL,
    options bytea NOT NULL,
    sealed bytea NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    CONSTRAINT sources_pkey PRIMARY KEY (account_id, source)
);

CREATE TABLE stores (
    account_id text COLLATE "C" NOT NULL,
    store text COLLATE "C" NOT NULL,
    number bigint NOT NULL,
    name text NOT NULL,
    created_at bigint NOT NULL,
    CONSTRAINT stores_pkey PRIMARY KEY (account_id, store)
);

CREATE TABLE trackings (
    account_id text COLLATE "C" NOT NULL,
    order_id text COLLATE "C" NOT NULL,
    parcel text COLLATE "C" NOT NULL,
    since_at bigint NOT NULL,
    due_at bigint,
    lease_owner text COLLATE "C",
    asked_at bigint,
    asks integer DEFAULT 0 NOT NULL,
    failures integer DEFAULT 0 NOT NULL,
    returned_at bigint,
    scans text COLLATE "C" DEFAULT ''::text NOT NULL,
    ended text COLLATE "C",
    trouble text DEFAULT ''::text NOT NULL,
    CONSTRAINT trackings_end CHECK (((due_at IS NULL) = (ended IS NOT NULL))),
    CONSTRAINT trackings_pkey PRIMARY KEY (account_id, order_id, parcel)
) WITH (
    fillfactor = 80
);

CREATE TABLE trends (
    account_id text COLLATE "C" NOT NULL,
    began_at bigint NOT NULL,
    endpoint_id text COLLATE "C" NOT NULL,
    accepted bigint NOT NULL,
    attempts bigint NOT NULL,
    failed bigint NOT NULL,
    acknowledged bigint NOT NULL,
    abandoned bigint NOT NULL,
    within_tenth bigint NOT NULL,
    within_second bigint NOT NULL,
    within_ten_seconds bigint NOT NULL,
    within_minute bigint NOT NULL,
    within_ten_minutes bigint NOT NULL,
    within_hour bigint NOT NULL,
    later bigint NOT NULL,
    CONSTRAINT trends_pkey PRIMARY KEY (account_id, began_at, endpoint_id)
);

CREATE TABLE upkeep (
    account_id text COLLATE "C" NOT NULL,
    lease_owner text COLLATE "C",
    leased_until bigint,
    begun_at bigint,
    ended_at bigint,
    report text NOT NULL,
    CONSTRAINT upkeep_pkey PRIMARY KEY (account_id)
);

CREATE TABLE warehouses (
    account_id text COLLATE "C" NOT NULL,
    identifier text COLLATE "C" NOT NULL,
    number bigint NOT NULL,
    name text NOT NULL,
    timezone text NOT NULL,
    wms_type text COLLATE "C" NOT NULL,
    enabled smallint NOT NULL,
    address bytea NOT NULL,
    created_at bigint NOT NULL,
    CONSTRAINT warehouses_pkey PRIMARY KEY (account_id, identifier)
);

CREATE UNIQUE INDEX api_keys_by_digest ON api_keys USING btree (account_id, digest);

CREATE UNIQUE INDEX client_applications_by_store ON client_applications USING btree (account_id COLLATE "POSIX", store);

CREATE INDEX deliveries_by_endpoint ON deliveries USING btree (account_id COLLATE "POSIX", endpoint_id, state, created_at, order_id, sequence);

CREATE INDEX endpoint_health_untold ON endpoint_health USING btree (account_id COLLATE "POSIX", endpoint_id) WHERE (abandoned > 0);

CREATE INDEX lanes_due ON lanes USING btree (account_id COLLATE "POSIX", endpoint_id, due_at) WHERE (leased_until IS NULL);

CREATE INDEX lanes_leased ON lanes USING btree (account_id COLLATE "POSIX", endpoint_id, leased_until) WHERE (leased_until IS NOT NULL);

CREATE UNIQUE INDEX orders_by_key ON orders USING btree (account_id COLLATE "POSIX", order_key, store);

CREATE INDEX orders_by_number ON orders USING btree (account_id COLLATE ucs_basic, order_number) WHERE (order_number IS NOT NULL);

CREATE INDEX orders_by_shipping ON orders USING btree (account_id COLLATE "POSIX", shipped_at, order_id) WHERE (shipped_at IS NOT NULL);

CREATE INDEX orders_by_store ON orders USING btree (account_id COLLATE ucs_basic, store, state, order_id);

CREATE INDEX orders_by_type ON orders USING btree (account_id COLLATE "POSIX", order_type, order_id) WHERE (order_type IS NOT NULL);

CREATE INDEX orders_by_update ON orders USING btree (account_id COLLATE "POSIX", updated_at, order_id) WHERE (updated_at > 0);

CREATE INDEX orders_moved_on ON orders USING btree (account_id COLLATE "POSIX", silent_at, order_id) WHERE ((silent_at IS NOT NULL) AND ((silent_at <> GREATEST(state_at, heard_at)) OR (silent_state <> state) OR (erased_at IS NOT NULL)));

CREATE INDEX orders_quiet ON orders USING btree (account_id COLLATE "POSIX", state, GREATEST(state_at, heard_at), order_id) WHERE ((silent_at IS NULL) AND (erased_at IS NULL) AND (order_id < 'tst_'::text) AND (state <> ALL (ARRAY['cancelled'::text, 'returned'::text, 'fulfilled_elsewhere'::text, 'delivered'::text, 'expired'::text, 'untracked'::text])));

CREATE INDEX parcels_by_tracking_number ON parcels USING btree (account_id COLLATE "POSIX", tracking_number, order_id) WHERE (tracking_number IS NOT NULL);

CREATE UNIQUE INDEX quarantine_by_id ON quarantine USING btree (account_id COLLATE "POSIX", update_id);

CREATE INDEX quarantine_by_order ON quarantine USING btree (account_id COLLATE "POSIX", order_id) WHERE (order_id IS NOT NULL);

CREATE INDEX quarantine_by_time ON quarantine USING btree (account_id COLLATE ucs_basic, received_at, update_id) WHERE (verdict <> ALL (ARRAY['applied'::text, 'duplicate'::text]));

CREATE INDEX quarantine_by_verdict ON quarantine USING btree (account_id COLLATE ucs_basic, verdict, received_at, update_id);

CREATE INDEX quarantine_waiting ON quarantine USING btree (account_id, store, order_key, received_at) WHERE ((verdict = 'orphan'::text) AND (released_at IS NULL));

CREATE INDEX receipts_by_key ON receipts USING btree (account_id COLLATE "POSIX", store, order_key) WHERE ((order_id IS NULL) AND (order_key IS NOT NULL));

CREATE UNIQUE INDEX receipts_by_message ON receipts USING btree (account_id COLLATE "POSIX", source, message_id) WHERE (message_id IS NOT NULL);

CREATE INDEX receipts_by_number ON receipts USING btree (account_id COLLATE "POSIX", tracking_number) WHERE (((verdict COLLATE "POSIX") = 'orphan'::text) AND (order_key IS NULL) AND (tracking_number IS NOT NULL));

CREATE INDEX receipts_by_order ON receipts USING btree (account_id COLLATE "POSIX", order_id, receipt_id) WHERE (order_id IS NOT NULL);

CREATE INDEX receipts_by_source ON receipts USING btree (account_id COLLATE ucs_basic, source, receipt_id);

CREATE INDEX receipts_by_verdict ON receipts USING btree (account_id COLLATE ucs_basic, verdict, receipt_id) WHERE (verdict <> 'applied'::text);

CREATE INDEX receipts_due ON receipts USING btree (account_id COLLATE "POSIX", due_at) WHERE (due_at IS NOT NULL);

CREATE INDEX receipts_without_order ON receipts USING btree (account_id, receipt_id) WHERE ((order_id IS NULL) AND (received_at > 0));

CREATE INDEX reconciliation_differences_by_order ON reconciliation_differences USING btree (account_id, order_id) WHERE (order_id IS NOT NULL);

CREATE UNIQUE INDEX reconciliations_running ON reconciliations USING btree (account_id COLLATE "POSIX", source) WHERE (finished_at IS NULL);

CREATE UNIQUE INDEX resends_running ON resends USING btree (account_id COLLATE "POSIX", endpoint_id, choice) WHERE (finished_at IS NULL);

CREATE UNIQUE INDEX silences_ended ON silences USING btree (account_id COLLATE "POSIX", ended_number) WHERE (ended_number IS NOT NULL);

CREATE UNIQUE INDEX silences_of_order ON silences USING btree (account_id COLLATE "POSIX", order_id, since_at, state);

CREATE INDEX silences_open ON silences USING btree (account_id COLLATE "POSIX", number, kind) WHERE (ended_at IS NULL);

CREATE UNIQUE INDEX stores_by_number ON stores USING btree (account_id, number);

CREATE INDEX trackings_due ON trackings USING btree (account_id COLLATE "POSIX", due_at) WHERE (due_at IS NOT NULL);

CREATE UNIQUE INDEX warehouses_by_number ON warehouses USING btree (account_id, number);

CREATE TRIGGER attempts_stay BEFORE UPDATE ON attempts FOR EACH ROW EXECUTE FUNCTION refuse_change('response');

CREATE TRIGGER order_events_stay BEFORE UPDATE ON order_events FOR EACH ROW EXECUTE FUNCTION refuse_change('raw', 'parcel', 'note');

CREATE TRIGGER parcels_are_awaited AFTER INSERT ON parcels FOR EACH ROW WHEN ((new.tracking_number IS NOT NULL)) EXECUTE FUNCTION tell_who_awaits();

CREATE TRIGGER parcels_are_awaited_again AFTER UPDATE ON parcels FOR EACH ROW WHEN (((new.tracking_number IS NOT NULL) AND (old.tracking_number IS DISTINCT FROM new.tracking_number))) EXECUTE FUNCTION tell_who_awaits();

CREATE TRIGGER parcels_are_forgotten AFTER DELETE ON parcels FOR EACH ROW EXECUTE FUNCTION forget_tracking();

CREATE TRIGGER parcels_are_tracked AFTER INSERT ON parcels FOR EACH ROW WHEN (((new.state IS NOT NULL) AND (new.state <> ALL (ARRAY['delivered'::text, 'returned'::text, 'expired'::text])))) EXECUTE FUNCTION begin_tracking();

CREATE TRIGGER parcels_are_tracked_again AFTER UPDATE ON parcels FOR EACH ROW WHEN (((new.state IS NOT NULL) AND (new.state <> ALL (ARRAY['delivered'::text, 'returned'::text, 'expired'::text])) AND ((old.state IS NULL) OR ((old.state = ANY (ARRAY['delivered'::text, 'returned'::text, 'expired'::text, 'untracked'::text, 'returning'::text])) AND (old.state <> new.state)) OR (old.tracking_number IS DISTINCT FROM new.tracking_number) OR (old.carrier IS DISTINCT FROM new.carrier)))) EXECUTE FUNCTION begin_tracking();

CREATE OR REPLACE FUNCTION begin_tracking()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
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
$function$;

CREATE OR REPLACE FUNCTION forget_tracking()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
    DELETE FROM trackings
    WHERE account_id = OLD.account_id AND order_id = OLD.order_id AND parcel = OLD.parcel;
    RETURN NULL;
END
$function$;

CREATE OR REPLACE FUNCTION refuse_change()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
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
$function$;

CREATE OR REPLACE FUNCTION refuse_missed_keys(locks integer[], excluding boolean[], created_accounts text[], created_stores text[], created_keys text[], known_orphans text[], kept_accounts text[], kept_stores text[], kept_keys text[])
 RETURNS void
 LANGUAGE plpgsql
AS $function$
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
$function$;

CREATE OR REPLACE FUNCTION refuse_stale_setup(accounts text[], versions bigint[])
 RETURNS void
 LANGUAGE plpgsql
AS $function$
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
$function$;

CREATE OR REPLACE FUNCTION tell_who_awaits()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
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
$function$;

CREATE OR REPLACE FUNCTION texts(packed text)
 RETURNS text[]
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$
    SELECT CASE WHEN packed = '' THEN ARRAY['']
        ELSE string_to_array(packed, chr(31), chr(30))
    END
$function$;
