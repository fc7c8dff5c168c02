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
