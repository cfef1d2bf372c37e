-- Lanes on PostgreSQL: claiming their heads, settling what was sent, and one delivery by hand.
--
-- A statement sees the tables as they were when it began, but a lane as it is once it is locked.
-- So it may trust what it reads of a lane's deliveries as long as the lane's `revision` and `last`
-- are those it began with: everything that is done to a lane changes one of them.

-- name: busy_endpoints
-- Active endpoints with a due lane that nobody has leased, or with a lease that has run out.
SELECT endpoints.account_id, endpoints.endpoint_id
FROM endpoints
WHERE endpoints.state = 'active'
    AND (
        (
            SELECT true FROM lanes
            WHERE lanes.account_id COLLATE "POSIX" = endpoints.account_id
                AND lanes.endpoint_id = endpoints.endpoint_id
                AND lanes.leased_until IS NULL
                AND lanes.due_at <= :now
            LIMIT 1
        )
        OR (
            SELECT true FROM lanes
            WHERE lanes.account_id COLLATE "POSIX" = endpoints.account_id
                AND lanes.endpoint_id = endpoints.endpoint_id
                AND lanes.leased_until <= :now
            LIMIT 1
        )
    );

-- name: claim_lanes
-- The oldest due of each endpoint, each up to its room, and the oldest of those up to a limit. A
-- lane whose lease has run out is as good as one that nobody has leased.
WITH due AS MATERIALIZED (
    SELECT found.*
    FROM (
        SELECT given.*
        FROM unnest(texts($1), texts($2), $3::text::bigint[])
            AS given (account_id, endpoint_id, room)
        JOIN endpoints
            ON endpoints.account_id = given.account_id
            AND endpoints.endpoint_id = given.endpoint_id
            AND endpoints.state = 'active'
        OFFSET 0
    ) AS wanted
    CROSS JOIN LATERAL (
        SELECT *
        FROM (
            SELECT lanes.account_id, lanes.endpoint_id, lanes.order_id, lanes.due_at
            FROM lanes
            WHERE lanes.account_id COLLATE "POSIX" = wanted.account_id
                AND lanes.endpoint_id = wanted.endpoint_id
                AND lanes.leased_until IS NULL
                AND lanes.due_at <= $4
            ORDER BY lanes.due_at
            LIMIT wanted.room
            FOR UPDATE SKIP LOCKED
        ) AS free
        UNION ALL
        SELECT *
        FROM (
            SELECT lanes.account_id, lanes.endpoint_id, lanes.order_id, lanes.due_at
            FROM lanes
            WHERE lanes.account_id COLLATE "POSIX" = wanted.account_id
                AND lanes.endpoint_id = wanted.endpoint_id
                AND lanes.leased_until <= $4
            ORDER BY lanes.due_at
            LIMIT wanted.room
            FOR UPDATE SKIP LOCKED
        ) AS lost
        ORDER BY due_at
        LIMIT wanted.room
    ) AS found
    ORDER BY found.due_at
    LIMIT $5
)
UPDATE lanes
SET lease_owner = $6, leased_until = $7, revision = lanes.revision + 1
FROM due
WHERE lanes.account_id = ANY (ARRAY[due.account_id])
    AND lanes.endpoint_id = due.endpoint_id
    AND lanes.order_id = due.order_id
RETURNING
    lanes.account_id, lanes.endpoint_id, lanes.order_id, lanes.sequence, lanes.revision,
    lanes.last <= lanes.sequence;

-- name: heads
-- What a claim holds of each of these deliveries, and the version of the account's setup.
SELECT
    wanted.position, setups.version, wanted.order_id, wanted.sequence,
    head.previous, head.attempts, head.tries, head.replay, bodies.content, bodies.content_type,
    head.created_at
FROM unnest(texts($1), texts($2), texts($3), $4::text::integer[])
    WITH ORDINALITY AS wanted (account_id, endpoint_id, order_id, sequence, position)
CROSS JOIN LATERAL (
    SELECT
        lanes.previous, 0 AS attempts, 0 AS tries, 0 AS replay, lanes.variant, lanes.created_at
    FROM lanes
    WHERE lanes.account_id = wanted.account_id
        AND lanes.endpoint_id = wanted.endpoint_id
        AND lanes.order_id = wanted.order_id
        AND lanes.sequence = wanted.sequence
        AND lanes.status IS NOT NULL
    UNION ALL
    SELECT
        deliveries.previous, deliveries.attempts, deliveries.tries, deliveries.replay,
        deliveries.variant, deliveries.created_at
    FROM deliveries
    WHERE deliveries.account_id = wanted.account_id
        AND deliveries.order_id = wanted.order_id
        AND deliveries.endpoint_id = wanted.endpoint_id
        AND deliveries.sequence = wanted.sequence
        AND deliveries.state = 'pending'
    LIMIT 1
) AS head
CROSS JOIN LATERAL (
    SELECT bodies.content, bodies.content_type FROM bodies
    WHERE bodies.account_id = wanted.account_id
        AND bodies.order_id = wanted.order_id
        AND bodies.sequence = wanted.sequence
        AND bodies.variant = head.variant
    OFFSET 0
) AS bodies
CROSS JOIN LATERAL (
    SELECT setups.version FROM setups WHERE setups.account_id = wanted.account_id OFFSET 0
) AS setups;

-- name: settle_last
-- Lanes in which nothing follows what was settled, which are most: they end.
WITH settled AS MATERIALIZED (
    DELETE FROM lanes
    USING unnest(
        texts($1), texts($2), texts($3), $4::text::integer[], $5::text::integer[], texts($6),
        $7::text::integer[], $8::text::integer[], $9::text::integer[], $10::text::bigint[],
        $11::text::double precision[], texts($12), $13::text::integer[], texts($14), $15::bytea[]
    ) AS told (
        account_id, endpoint_id, order_id, sequence, revision, state, attempts, tries, replay,
        started_at, duration_ms, outcome, status, detail, response
    )
    WHERE lanes.account_id = ANY (ARRAY[told.account_id])
        AND lanes.endpoint_id = told.endpoint_id
        AND lanes.order_id = told.order_id
        AND lanes.sequence = told.sequence
        AND lanes.last = told.sequence
        AND lanes.revision = told.revision
        AND lanes.lease_owner = $16
    RETURNING told.*, lanes.status AS word, lanes.previous, lanes.variant, lanes.created_at
), recorded AS (
    INSERT INTO deliveries (
        account_id, order_id, endpoint_id, sequence, previous, status, state, created_at,
        attempts, tries, replay, settled_at, outcome, variant
    )
    SELECT
        account_id, order_id, endpoint_id, sequence, previous, word, state, created_at,
        attempts, tries, 0, $17, outcome, variant
    FROM settled
    WHERE word IS NOT NULL
), kept AS (
    UPDATE deliveries
    SET state = settled.state,
        attempts = settled.attempts,
        tries = settled.tries,
        due_at = NULL,
        settled_at = $17,
        outcome = settled.outcome
    FROM settled
    WHERE settled.word IS NULL
        AND deliveries.account_id = ANY (ARRAY[settled.account_id])
        AND deliveries.order_id = settled.order_id
        AND deliveries.endpoint_id = settled.endpoint_id
        AND deliveries.sequence = settled.sequence
), tried AS (
    INSERT INTO attempts (
        account_id, order_id, endpoint_id, sequence, attempt, replay, started_at, duration_ms,
        outcome, status, detail, response
    )
    SELECT
        account_id, order_id, endpoint_id, sequence, attempts, replay, started_at, duration_ms,
        outcome, status, detail, response
    FROM settled
)
SELECT count(*) FROM settled;

-- name: settle_lanes
-- Any settlement of lanes whose revision is known, with an answer for each. It counts when the
-- delivery is still open. The lane goes on to what comes next: what an operator has sent again
-- before the settled delivery, or else the next that is pending. To be settled again is a lane to
-- which something was appended that this statement cannot see yet.
WITH told AS MATERIALIZED (
    SELECT *
    FROM unnest(
        texts($1), texts($2), texts($3), $4::text::integer[], $5::text::integer[], texts($6),
        $7::text::integer[], $8::text::integer[], $9::text::integer[], $10::text::bigint[],
        $11::text::double precision[], texts($12), $13::text::integer[], texts($14), $15::bytea[],
        $16::text::bigint[]
    ) WITH ORDINALITY AS told (
        account_id, endpoint_id, order_id, sequence, revision, state, attempts, tries, replay,
        started_at, duration_ms, outcome, status, detail, response, due_at, position
    )
), mine AS MATERIALIZED (
    SELECT told.*, lane.*
    FROM told
    CROSS JOIN LATERAL (
        SELECT
            lanes.sequence AS head, lanes.due_at AS head_due_at, lanes.last,
            lanes.status AS word, lanes.previous, lanes.variant, lanes.created_at
        FROM lanes
        WHERE lanes.account_id = told.account_id
            AND lanes.endpoint_id = told.endpoint_id
            AND lanes.order_id = told.order_id
            AND lanes.revision = told.revision
            AND lanes.lease_owner = $17
        FOR UPDATE
    ) AS lane
), seen AS MATERIALIZED (
    SELECT
        mine.*,
        CASE
            WHEN mine.word IS NOT NULL THEN mine.head = mine.sequence AND mine.attempts = 1
            ELSE mine.head <= mine.sequence AND EXISTS (
                SELECT FROM deliveries
                WHERE deliveries.account_id = mine.account_id
                    AND deliveries.order_id = mine.order_id
                    AND deliveries.endpoint_id = mine.endpoint_id
                    AND deliveries.sequence = mine.sequence
                    AND deliveries.attempts = mine.attempts - 1
                    AND deliveries.state = 'pending'
            )
        END AS is_open,
        CASE
            WHEN mine.head < mine.sequence THEN mine.head
            ELSE (
                SELECT min(deliveries.sequence)
                FROM deliveries
                WHERE deliveries.account_id = mine.account_id
                    AND deliveries.order_id = mine.order_id
                    AND deliveries.endpoint_id = mine.endpoint_id
                    AND deliveries.sequence > mine.sequence
                    AND deliveries.state = 'pending'
            )
        END AS following,
        CASE
            WHEN mine.last > mine.sequence THEN mine.last
            ELSE (
                SELECT max(deliveries.sequence)
                FROM deliveries
                WHERE deliveries.account_id = mine.account_id
                    AND deliveries.order_id = mine.order_id
                    AND deliveries.endpoint_id = mine.endpoint_id
                    AND deliveries.sequence < mine.sequence
                    AND deliveries.state = 'pending'
            )
        END AS latest
    FROM mine
), judged AS MATERIALIZED (
    SELECT
        seen.*,
        seen.is_open AND (
            seen.state = 'pending' OR seen.following IS NOT NULL OR seen.last <= seen.sequence
        ) AS counts,
        seen.state <> 'pending' AND seen.following IS NULL AS ends,
        seen.state = 'abandoned' AND coalesce(endpoints.lane_policy = 'hold', false) AS holds,
        CASE
            WHEN seen.state <> 'pending' THEN next.due_at
            WHEN seen.head < seen.sequence THEN seen.head_due_at
            ELSE seen.due_at
        END AS next_due_at,
        coalesce(
            seen.state <> 'pending'
            AND next.due_at <= $18
            AND endpoints.state = 'active'
            AND NOT (seen.state = 'abandoned' AND endpoints.lane_policy = 'hold'),
            false
        ) AS is_leased
    FROM seen
    LEFT JOIN LATERAL (
        SELECT deliveries.due_at FROM deliveries
        WHERE deliveries.account_id = seen.account_id
            AND deliveries.order_id = seen.order_id
            AND deliveries.endpoint_id = seen.endpoint_id
            AND deliveries.sequence = seen.following
        OFFSET 0
    ) AS next ON true
    LEFT JOIN LATERAL (
        SELECT endpoints.state, endpoints.lane_policy FROM endpoints
        WHERE endpoints.account_id = seen.account_id
            AND endpoints.endpoint_id = seen.endpoint_id
        OFFSET 0
    ) AS endpoints ON true
), recorded AS (
    INSERT INTO deliveries (
        account_id, order_id, endpoint_id, sequence, previous, status, state, created_at,
        attempts, tries, replay, due_at, settled_at, outcome, variant
    )
    SELECT
        account_id, order_id, endpoint_id, sequence, previous, word, state, created_at,
        attempts, tries, 0, due_at, CASE WHEN state <> 'pending' THEN $18::bigint END, outcome,
        variant
    FROM judged
    WHERE counts AND word IS NOT NULL
), kept AS (
    UPDATE deliveries
    SET state = judged.state,
        attempts = judged.attempts,
        tries = judged.tries,
        due_at = judged.due_at,
        settled_at = CASE WHEN judged.state <> 'pending' THEN $18::bigint END,
        outcome = judged.outcome
    FROM judged
    WHERE judged.counts
        AND judged.word IS NULL
        AND deliveries.account_id = ANY (ARRAY[judged.account_id])
        AND deliveries.order_id = judged.order_id
        AND deliveries.endpoint_id = judged.endpoint_id
        AND deliveries.sequence = judged.sequence
), tried AS (
    INSERT INTO attempts (
        account_id, order_id, endpoint_id, sequence, attempt, replay, started_at, duration_ms,
        outcome, status, detail, response
    )
    SELECT
        account_id, order_id, endpoint_id, sequence, attempts, replay, started_at, duration_ms,
        outcome, status, detail, response
    FROM judged
    WHERE judged.counts
), ended AS (
    DELETE FROM lanes
    USING judged
    WHERE judged.counts
        AND judged.ends
        AND lanes.account_id = ANY (ARRAY[judged.account_id])
        AND lanes.endpoint_id = judged.endpoint_id
        AND lanes.order_id = judged.order_id
), gone_on AS (
    UPDATE lanes
    SET sequence = CASE WHEN judged.state = 'pending' THEN judged.head ELSE judged.following END,
        last = CASE WHEN judged.state = 'pending' THEN lanes.last ELSE judged.latest END,
        due_at = CASE WHEN NOT judged.holds THEN judged.next_due_at END,
        lease_owner = CASE WHEN judged.is_leased THEN $17 END,
        leased_until = CASE WHEN judged.is_leased THEN $19::bigint END,
        revision = lanes.revision + 1,
        status = NULL, previous = NULL, variant = NULL, created_at = NULL
    FROM judged
    WHERE judged.counts
        AND NOT judged.ends
        AND lanes.account_id = ANY (ARRAY[judged.account_id])
        AND lanes.endpoint_id = judged.endpoint_id
        AND lanes.order_id = judged.order_id
)
SELECT
    judged.position, judged.counts, judged.is_open AND NOT judged.counts AS again,
    CASE WHEN judged.counts AND judged.is_leased THEN judged.following END AS following,
    judged.following >= judged.latest AS alone
FROM judged;

-- name: revisions
-- The lanes that are leased to the owner, and to what their revision has come.
SELECT wanted.position, lanes.revision
FROM unnest(texts($1), texts($2), texts($3))
    WITH ORDINALITY AS wanted (account_id, endpoint_id, order_id, position)
CROSS JOIN LATERAL (
    SELECT lanes.revision FROM lanes
    WHERE lanes.account_id = wanted.account_id
        AND lanes.endpoint_id = wanted.endpoint_id
        AND lanes.order_id = wanted.order_id
        AND lanes.lease_owner = $4
    OFFSET 0
) AS lanes;

-- name: confirm_lanes
-- Those of these claims that are the owner's still and not settled by anybody; their leases go on.
WITH mine AS MATERIALIZED (
    SELECT wanted.position, found.*
    FROM unnest(
        texts($1), texts($2), texts($3), $4::text::integer[], $5::text::integer[]
    ) WITH ORDINALITY AS wanted (
        account_id, endpoint_id, order_id, sequence, attempts, position
    )
    CROSS JOIN LATERAL (
        SELECT lanes.account_id, lanes.endpoint_id, lanes.order_id
        FROM lanes
        WHERE lanes.account_id = wanted.account_id
            AND lanes.endpoint_id = wanted.endpoint_id
            AND lanes.order_id = wanted.order_id
            AND lanes.lease_owner = $6
            AND CASE
                WHEN lanes.status IS NOT NULL
                    THEN lanes.sequence = wanted.sequence AND wanted.attempts = 0
                ELSE lanes.sequence <= wanted.sequence AND EXISTS (
                    SELECT FROM deliveries
                    WHERE deliveries.account_id = wanted.account_id
                        AND deliveries.order_id = wanted.order_id
                        AND deliveries.endpoint_id = wanted.endpoint_id
                        AND deliveries.sequence = wanted.sequence
                        AND deliveries.attempts = wanted.attempts
                        AND deliveries.state = 'pending'
                )
            END
        FOR UPDATE OF lanes
    ) AS found
)
UPDATE lanes
SET leased_until = $7
FROM mine
WHERE lanes.account_id = ANY (ARRAY[mine.account_id])
    AND lanes.endpoint_id = mine.endpoint_id
    AND lanes.order_id = mine.order_id
RETURNING mine.position;

-- name: renew_leases
-- A lane that somebody works on just now is left for the next time.
WITH mine AS MATERIALIZED (
    SELECT found.*
    FROM endpoints
    CROSS JOIN LATERAL (
        SELECT lanes.account_id, lanes.endpoint_id, lanes.order_id
        FROM lanes
        WHERE lanes.account_id COLLATE "POSIX" = endpoints.account_id
            AND lanes.endpoint_id = endpoints.endpoint_id
            AND lanes.leased_until > 0
            AND lanes.lease_owner = :owner
        FOR UPDATE SKIP LOCKED
    ) AS found
)
UPDATE lanes
SET leased_until = :until
FROM mine
WHERE lanes.account_id = ANY (ARRAY[mine.account_id])
    AND lanes.endpoint_id = mine.endpoint_id
    AND lanes.order_id = mine.order_id;

-- name: renew_these
WITH mine AS MATERIALIZED (
    SELECT found.*
    FROM unnest(texts($1), texts($2), texts($3)) AS wanted (account_id, endpoint_id, order_id)
    CROSS JOIN LATERAL (
        SELECT lanes.account_id, lanes.endpoint_id, lanes.order_id
        FROM lanes
        WHERE lanes.account_id = wanted.account_id
            AND lanes.endpoint_id = wanted.endpoint_id
            AND lanes.order_id = wanted.order_id
            AND lanes.lease_owner = $4
        FOR UPDATE SKIP LOCKED
    ) AS found
)
UPDATE lanes
SET leased_until = $5
FROM mine
WHERE lanes.account_id = ANY (ARRAY[mine.account_id])
    AND lanes.endpoint_id = mine.endpoint_id
    AND lanes.order_id = mine.order_id;

-- name: release_leases
WITH mine AS MATERIALIZED (
    SELECT found.*
    FROM endpoints
    CROSS JOIN LATERAL (
        SELECT lanes.account_id, lanes.endpoint_id, lanes.order_id
        FROM lanes
        WHERE lanes.account_id COLLATE "POSIX" = endpoints.account_id
            AND lanes.endpoint_id = endpoints.endpoint_id
            AND lanes.leased_until > 0
            AND lanes.lease_owner = :owner
        ORDER BY lanes.order_id
        FOR UPDATE
    ) AS found
)
UPDATE lanes
SET lease_owner = NULL, leased_until = NULL, revision = lanes.revision + 1
FROM mine
WHERE lanes.account_id = ANY (ARRAY[mine.account_id])
    AND lanes.endpoint_id = mine.endpoint_id
    AND lanes.order_id = mine.order_id;

-- name: next_variant
SELECT coalesce(max(variant) + 1, 0)
FROM bodies
WHERE account_id = :account_id AND order_id = :order_id AND sequence = :sequence;

-- name: let_go
-- The lanes that an endpoint's policy held, each due when its head is.
UPDATE lanes
SET due_at = (
        SELECT deliveries.due_at
        FROM deliveries
        WHERE deliveries.account_id = lanes.account_id
            AND deliveries.order_id = lanes.order_id
            AND deliveries.endpoint_id = lanes.endpoint_id
            AND deliveries.sequence = lanes.sequence
    ),
    revision = lanes.revision + 1
WHERE lanes.account_id COLLATE "POSIX" = :account_id
    AND lanes.endpoint_id = :endpoint_id
    AND lanes.leased_until IS NULL
    AND lanes.due_at IS NULL;

-- name: lanes_to_end
-- Some lanes of an endpoint that is going away, locked.
SELECT lanes.account_id, lanes.endpoint_id, lanes.order_id
FROM lanes
WHERE lanes.account_id = :account_id AND lanes.endpoint_id = :endpoint_id
ORDER BY lanes.account_id, lanes.endpoint_id, lanes.order_id
LIMIT :limit
FOR UPDATE;

-- name: end_lanes
WITH ended AS MATERIALIZED (
    DELETE FROM lanes
    USING unnest(texts($1), texts($2), texts($3)) AS wanted (account_id, endpoint_id, order_id)
    WHERE lanes.account_id = ANY (ARRAY[wanted.account_id])
        AND lanes.endpoint_id = wanted.endpoint_id
        AND lanes.order_id = wanted.order_id
    RETURNING lanes.*
), recorded AS (
    INSERT INTO deliveries (
        account_id, order_id, endpoint_id, sequence, previous, status, state, created_at,
        attempts, tries, replay, settled_at, variant
    )
    SELECT
        account_id, order_id, endpoint_id, sequence, previous, status, 'abandoned', created_at,
        0, 0, 0, $4, variant
    FROM ended
    WHERE status IS NOT NULL
    RETURNING 1
), abandoned AS (
    UPDATE deliveries
    SET state = 'abandoned', settled_at = $4, due_at = NULL
    FROM ended
    WHERE deliveries.account_id = ANY (ARRAY[ended.account_id])
        AND deliveries.order_id = ended.order_id
        AND deliveries.endpoint_id = ended.endpoint_id
        AND deliveries.state = 'pending'
    RETURNING 1
)
SELECT (SELECT count(*) FROM recorded) + (SELECT count(*) FROM abandoned);
