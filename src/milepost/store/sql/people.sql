-- People, sessions and links. People and sessions are the installation's: their account_id is ''.

-- part: person_columns
name, role, sees, password, created_at, disabled_at

-- part: session_columns
s.digest, s.session_id, s.name, s.link_account_id, s.link_id, s.made_at, s.seen_at, s.until_at,
s.address, s.agent

-- part: link_columns
account_id, link_id, role, made_by, made_at, until_at, revoked_at

-- name: any_operator
SELECT name
FROM people
WHERE account_id = '' AND role = 'operator'
LIMIT 1;

-- name: forget_old_first_tokens
DELETE FROM first_tokens
WHERE account_id = '' AND until_at <= :now;

-- name: forget_first_tokens
DELETE FROM first_tokens
WHERE account_id = '';

-- name: add_first_token
INSERT INTO first_tokens (account_id, digest, until_at)
VALUES ('', :digest, :until_at);

-- name: first_token
SELECT digest
FROM first_tokens
WHERE account_id = '' AND digest = :digest AND until_at > :now;

-- name: add_person
INSERT INTO people (account_id, name, role, sees, password, created_at, disabled_at)
VALUES ('', :name, :role, :sees, :password, :created_at, :disabled_at);

-- name: replace_person
UPDATE people
SET role = :role, sees = :sees, password = :password, disabled_at = :disabled_at
WHERE account_id = '' AND name = :name;

-- name: person
SELECT {person_columns}
FROM people
WHERE account_id = '' AND name = :name;

-- name: people
SELECT {person_columns}
FROM people
WHERE account_id = ''
ORDER BY name;

-- name: add_session
INSERT INTO sessions (
    account_id, digest, session_id, name, link_account_id, link_id, made_at, seen_at, until_at,
    address, agent
)
VALUES (
    '', :digest, :session_id, :name, :link_account_id, :link_id, :made_at, :seen_at, :until_at,
    :address, :agent
);

-- name: forget_sessions
DELETE FROM sessions
WHERE account_id = '' AND (until_at <= :now OR seen_at <= :stale);

-- name: find_session
SELECT {session_columns}, coalesce(p.role, l.role) AS role, coalesce(p.sees, l.account_id) AS sees
FROM sessions AS s
LEFT JOIN people AS p ON p.account_id = '' AND p.name = s.name AND p.disabled_at IS NULL
LEFT JOIN portal_links AS l
    ON l.account_id = s.link_account_id AND l.link_id = s.link_id
    AND l.revoked_at IS NULL AND l.until_at > :now
WHERE s.account_id = '' AND s.digest = :digest;

-- name: see_session
UPDATE sessions
SET seen_at = :now
WHERE account_id = '' AND digest = :digest;

-- name: sessions
SELECT {session_columns}
FROM sessions AS s
WHERE s.account_id = '' AND s.name = :name
ORDER BY s.seen_at DESC, s.session_id
LIMIT 100;

-- name: end_session
DELETE FROM sessions
WHERE account_id = '' AND name = :name AND session_id = :session_id;

-- name: end_session_of
DELETE FROM sessions
WHERE account_id = '' AND digest = :digest;

-- name: end_sessions
DELETE FROM sessions
WHERE account_id = '' AND name = :name;

-- name: end_sessions_by_link
DELETE FROM sessions
WHERE account_id = '' AND link_account_id = :link_account_id AND link_id = :link_id;

-- name: add_link
INSERT INTO portal_links (account_id, link_id, role, made_by, made_at, until_at, revoked_at)
VALUES (:account_id, :link_id, :role, :made_by, :made_at, :until_at, :revoked_at);

-- name: links
SELECT {link_columns}
FROM portal_links
WHERE account_id = :account_id
ORDER BY made_at DESC, link_id
LIMIT 200;

-- name: link
SELECT {link_columns}
FROM portal_links
WHERE account_id = :account_id AND link_id = :link_id;

-- name: revoke_link
UPDATE portal_links
SET revoked_at = coalesce(revoked_at, :now)
WHERE account_id = :account_id AND link_id = :link_id;
