-- What is read and not changed: the columns of each record, single deliveries, counts.

-- part: order_columns
orders.account_id, orders.order_id, orders.store, orders.order_key, orders.state,
orders.state_at, orders.sequence, orders.created_at, orders.updated_at, orders.reason,
orders.previous_state, orders.source_sequence, orders.updating, orders.shipped_at,
order_contents.content, orders.erased_at, orders.told_by, orders.precedence,
orders.corrections

-- part: parcel_columns
parcels.parcel, parcels.state, parcels.state_at, parcels.source_sequence, parcels.carrier,
parcels.carrier_service, parcels.tracking_number, parcels.tracking_url, parcels.created_at,
parcels.details, parcels.told_by, parcels.precedence

-- part: quarantine_columns
quarantine.account_id, quarantine.update_id, quarantine.verdict, quarantine.why,
quarantine.source, quarantine.store, quarantine.order_key, quarantine.order_id,
quarantine.occurred_at, quarantine.received_at, quarantine.content, quarantine.released_at

-- part: delivery_columns
deliveries.account_id, deliveries.order_id, deliveries.endpoint_id, deliveries.sequence,
deliveries.previous, deliveries.status, deliveries.state, deliveries.created_at,
deliveries.attempts, deliveries.tries, deliveries.replay, deliveries.due_at,
deliveries.settled_at, deliveries.outcome

-- part: no_fake_order
(order_id < 'tst_' OR order_id >= 'tst`')

-- name: history
SELECT
    account_id, order_id, sequence, type, state, previous_state, source, occurred_at, received_at,
    reason, raw, parcel, parcel_state, skipped, correction, note
FROM order_events
WHERE account_id = :account_id AND order_id = :order_id AND sequence > :after
ORDER BY sequence
LIMIT :limit;

-- name: delivery
-- A body is gone when the order's personal data was erased.
SELECT {delivery_columns}, bodies.content
FROM deliveries
LEFT JOIN bodies
    ON bodies.account_id = deliveries.account_id
    AND bodies.order_id = deliveries.order_id
    AND bodies.sequence = deliveries.sequence
    AND bodies.variant = deliveries.variant
WHERE deliveries.account_id = :account_id
    AND deliveries.order_id = :order_id
    AND deliveries.endpoint_id = :endpoint_id
    AND deliveries.sequence = :sequence;

-- name: attempts
SELECT attempt, replay, started_at, duration_ms, outcome, status, detail, response
FROM attempts
WHERE account_id = :account_id
    AND order_id = :order_id
    AND endpoint_id = :endpoint_id
    AND sequence = :sequence
ORDER BY attempt;

-- name: count_rows
SELECT
    (SELECT count(*) FROM orders
        WHERE {no_fake_order}
            AND account_id = :account_id -- if account_id
    ),
    (SELECT count(*) FROM order_events
        WHERE {no_fake_order}
            AND account_id = :account_id -- if account_id
    ),
    (SELECT count(*) FROM quarantine
        WHERE verdict NOT IN ('applied', 'duplicate')
            AND account_id = :account_id -- if account_id
    ),
    (SELECT count(*) FROM attempts
        WHERE account_id = :account_id -- if account_id
    );

-- name: count_deliveries
SELECT state, count(*)
FROM deliveries
WHERE account_id = :account_id -- if account_id
GROUP BY state;
