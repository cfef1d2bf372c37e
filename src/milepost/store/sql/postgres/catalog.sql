-- What the database itself knows of its tables, as text that is the same on every version.

-- name: tables
-- Each table, view and sequence of ours: what it is called, which kind it is, and its options.
SELECT pg_class.relname, pg_class.relkind::text, coalesce(pg_class.reloptions, '{}') AS options
FROM pg_class
WHERE pg_class.relnamespace = current_schema()::regnamespace
    AND pg_class.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
    AND NOT EXISTS (
        SELECT FROM pg_depend
        WHERE pg_depend.classid = 'pg_class'::regclass
            AND pg_depend.objid = pg_class.oid
            AND pg_depend.deptype = 'e'
    )
ORDER BY pg_class.relname COLLATE "C";

-- name: columns
SELECT
    pg_class.relname,
    concat_ws(
        ' ',
        pg_attribute.attname,
        format_type(pg_attribute.atttypid, pg_attribute.atttypmod),
        CASE WHEN pg_attribute.attstorage <> pg_type.typstorage
            THEN 'STORAGE ' || CASE pg_attribute.attstorage
                WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL'
                WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED'
            END
        END,
        CASE WHEN pg_attribute.attcollation NOT IN (0, pg_type.typcollation)
            THEN 'COLLATE ' || quote_ident(pg_collation.collname)
        END,
        'DEFAULT ' || pg_get_expr(pg_attrdef.adbin, pg_attrdef.adrelid),
        CASE WHEN pg_attribute.attnotnull THEN 'NOT NULL' END
    )
FROM pg_class
JOIN pg_attribute ON pg_attribute.attrelid = pg_class.oid AND pg_attribute.attnum > 0
JOIN pg_type ON pg_type.oid = pg_attribute.atttypid
LEFT JOIN pg_collation ON pg_collation.oid = pg_attribute.attcollation
LEFT JOIN pg_attrdef
    ON pg_attrdef.adrelid = pg_class.oid AND pg_attrdef.adnum = pg_attribute.attnum
WHERE pg_class.relnamespace = current_schema()::regnamespace
    AND pg_class.relkind IN ('r', 'p')
    AND NOT pg_attribute.attisdropped
ORDER BY pg_class.relname COLLATE "C", pg_attribute.attnum;

-- name: constraints
SELECT
    pg_class.relname,
    'CONSTRAINT ' || pg_constraint.conname || ' ' || pg_get_constraintdef(pg_constraint.oid)
FROM pg_class
JOIN pg_constraint ON pg_constraint.conrelid = pg_class.oid
WHERE pg_class.relnamespace = current_schema()::regnamespace
    -- From version 18 on NOT NULL is a constraint too.
    AND pg_constraint.contype IN ('p', 'u', 'c', 'f', 'x')
ORDER BY pg_class.relname COLLATE "C", pg_constraint.conname COLLATE "C";

-- name: indexes
SELECT pg_class.relname, pg_get_indexdef(pg_index.indexrelid)
FROM pg_index
JOIN pg_class ON pg_class.oid = pg_index.indexrelid
WHERE pg_class.relnamespace = current_schema()::regnamespace
    AND NOT EXISTS (
        SELECT FROM pg_constraint WHERE pg_constraint.conindid = pg_index.indexrelid
    )
ORDER BY pg_class.relname COLLATE "C";

-- name: triggers
SELECT pg_trigger.tgname, pg_get_triggerdef(pg_trigger.oid)
FROM pg_trigger
JOIN pg_class ON pg_class.oid = pg_trigger.tgrelid
WHERE pg_class.relnamespace = current_schema()::regnamespace AND NOT pg_trigger.tgisinternal
ORDER BY pg_trigger.tgname COLLATE "C";

-- name: functions
SELECT pg_proc.proname, pg_get_functiondef(pg_proc.oid)
FROM pg_proc
WHERE pg_proc.pronamespace = current_schema()::regnamespace
    AND pg_proc.prokind IN ('f', 'p')
    AND NOT EXISTS (
        SELECT FROM pg_depend
        WHERE pg_depend.classid = 'pg_proc'::regclass
            AND pg_depend.objid = pg_proc.oid
            AND pg_depend.deptype = 'e'
    )
ORDER BY pg_proc.proname COLLATE "C";

-- name: schema_name
SELECT quote_ident(current_schema());

-- name: has_version
SELECT to_regclass(quote_ident(current_schema()) || '.schema_version') IS NOT NULL;

-- name: version
SELECT number FROM schema_version;

-- name: raise_version
UPDATE schema_version SET number = $1;

-- name: one_at_a_time
SELECT pg_advisory_xact_lock(1297435981, 1);

-- name: unsafe_settings
-- What is off though an accepted order shall outlive a power cut, or is no Unicode.
SELECT name FROM pg_settings
WHERE (name IN ('fsync', 'full_page_writes') AND setting = 'off')
    OR (name = 'server_encoding' AND setting <> 'UTF8')
ORDER BY name;

-- name: wait_for_the_disk
SELECT set_config('synchronous_commit', 'on', false)
WHERE current_setting('synchronous_commit') = 'off';

-- name: clock
SELECT clock_timestamp();

-- name: standing
SELECT
    current_setting('server_version') AS version,
    NOT pg_is_in_recovery() AND current_setting('default_transaction_read_only') = 'off'
        AS writable,
    clock_timestamp() AS now,
    current_setting('max_connections')::integer
        - current_setting('superuser_reserved_connections')::integer AS most_connections,
    (SELECT count(*)::integer FROM pg_stat_activity WHERE backend_type = 'client backend')
        AS connections;

-- name: settings
-- What decides whether a commit outlives a crash of the machine, or the machine itself.
SELECT name, setting FROM pg_settings
WHERE name IN (
    'fsync', 'full_page_writes', 'server_encoding', 'synchronous_commit',
    'synchronous_standby_names'
);
