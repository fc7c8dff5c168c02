-- What `rollcall doctor` asks the database.

-- name: server_facts
SELECT current_setting('server_version'),
       current_setting('server_version_num')::int AS version_number,
       pg_is_in_recovery() AS replica,
       current_setting('transaction_read_only')::bool AS read_only,
       (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS clock_ms,
       current_user,
       current_database()

-- name: exposed_tables
SELECT format('%I.%I', n.nspname, c.relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p')
  AND (n.nspname = 'rollcall' OR (n.nspname = 'public' AND c.relname = 'job_queue'))
  AND EXISTS (SELECT FROM pg_roles r
              WHERE r.rolname IN ('anon', 'authenticated')
                AND has_table_privilege(r.oid, c.oid, 'SELECT, INSERT, UPDATE, DELETE'))
ORDER BY 1

-- name: role_facts
-- Of the tables that are there: which of them this role may not read and write, and in which it
-- sees no row, because row level security is on and it neither owns them nor passes by it.
WITH mine AS (
    SELECT c.oid, format('%I.%I', n.nspname, c.relname) AS name,
        has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'INSERT') AS usable,
        NOT c.relrowsecurity OR r.rolsuper OR r.rolbypassrls
            OR (pg_has_role(c.relowner, 'USAGE') AND NOT c.relforcerowsecurity) AS seen,
        pg_has_role(c.relowner, 'USAGE') AS owned
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_roles r ON r.rolname = current_user
    WHERE c.relkind IN ('r', 'p')
      AND (n.nspname = 'rollcall' OR (n.nspname = 'public' AND c.relname = 'job_queue'))
)
SELECT current_user AS role,
    coalesce((SELECT min(name) FROM mine WHERE NOT usable), '') AS refused,
    coalesce((SELECT min(name) FROM mine WHERE NOT seen), '') AS hidden,
    coalesce((SELECT bool_and(owned) FROM mine), true) AS owns_all,
    current_setting('default_transaction_isolation') AS isolation

-- name: standbys
-- Who may not see what they do sees at least how many there are.
SELECT current_setting('synchronous_standby_names') AS wanted,
    (SELECT count(*) FROM pg_stat_replication) AS connected

-- name: open_circuits
-- Of instances that are alive.
SELECT c.upstream, count(*) AS instances,
    floor(extract(epoch FROM now() - min(c.since)))::bigint AS seconds
FROM rollcall.open_circuits c
WHERE c.seen_at > now() - interval '5 minutes'
GROUP BY c.upstream
ORDER BY c.upstream

-- name: held_by_webhook
SELECT count(*) AS users FROM rollcall.held_deletions()

-- name: key_witness
-- Whether there is anything to tell by whether a secret key is of the right instance: it is known,
-- or there is another user than $1.
SELECT s.instance_id IS NOT NULL OR EXISTS (
    SELECT FROM rollcall.ledger l WHERE l.deleted_at IS NULL AND l.clerk_id <> $1::text) AS there
FROM rollcall.sync_state s
