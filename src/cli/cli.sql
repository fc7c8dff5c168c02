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

-- name: deaf_policies
-- Policies that compare auth.uid(), as text or by a cast of the other side, with a column of Clerk
-- ids: auth.uid() casts the subject to uuid, which raises an error for every one of them. A column
-- of Clerk ids is the users table's ($1, $2, $3), one with a foreign key to it, one that is called
-- so, or one in which the planner's statistics have seen some.
WITH users AS (
    SELECT c.oid, a.attnum, a.attname
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = $3::text
    WHERE n.nspname = $1::text AND c.relname = $2::text
), names (relid, pattern) AS (
    SELECT NULL::oid, '\w*clerk\w*'
    UNION ALL
    SELECT u.oid, regexp_replace(u.attname, '(\W)', '\\\1', 'g') FROM users u
    UNION ALL
    SELECT k.conrelid, regexp_replace(a.attname, '(\W)', '\\\1', 'g')
    FROM users u
    JOIN pg_constraint k ON k.contype = 'f' AND k.confrelid = u.oid
        AND k.confkey = ARRAY[u.attnum]
    JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
    UNION ALL
    SELECT c.oid, regexp_replace(s.attname, '(\W)', '\\\1', 'g')
    FROM pg_stats s
    JOIN pg_namespace n ON n.nspname = s.schemaname
    JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = s.tablename
    WHERE EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid)
      AND concat(s.most_common_vals::text, s.histogram_bounds::text)
          ~ '[{,"]user_[0-9A-Za-z]{8,}'
), said AS (
    -- As the server shows it, without parentheses and quotes: auth.uid::text=clerk_id
    SELECT p.polname, p.polrelid, regexp_replace(regexp_replace(
            concat_ws(' , ', pg_get_expr(p.polqual, p.polrelid),
                      pg_get_expr(p.polwithcheck, p.polrelid)),
            '[\s()"]+', ' ', 'g'), ' ?(::|=) ?', '\1', 'g') AS text
    FROM pg_policy p
), parts AS (
    SELECT '(?<![\w.])(?:auth\.)?uid' AS caller, '(?:::(?:text|character varying))' AS cast,
        '(?<![\w.])(?:\w+\.)*' AS qualified
)
SELECT DISTINCT format('%I', s.polname) AS policy, s.polrelid::regclass::text AS on_table
FROM said s CROSS JOIN parts p
JOIN names n ON n.relid IS NULL OR n.relid = s.polrelid
WHERE s.text ~ format('%1$s(?: AS uid)?%2$s+(?: AS uid)?=%3$s%4$s(?![\w.])',
                      p.caller, p.cast, p.qualified, n.pattern)
   OR s.text ~ format('%3$s%4$s%2$s*=(?:SELECT )?%1$s(?: AS uid)?%2$s',
                      p.caller, p.cast, p.qualified, n.pattern)
   OR s.text ~ format('%3$s%4$s%2$s*::uuid=(?:SELECT )?%1$s(?![\w.])',
                      p.caller, p.cast, p.qualified, n.pattern)
   OR s.text ~ format('%1$s(?: AS uid)?=%3$s%4$s%2$s*::uuid',
                      p.caller, p.cast, p.qualified, n.pattern)
ORDER BY 2, 1

-- name: open_relations
-- What of the application's in public a caller without a token reaches. `why`: unguarded (a table
-- without row level security), unfiltered (a view or its like, which shows what its owner sees) or
-- written (row level security is on, and a policy lets everybody write every row).
SELECT r.name, r.why
FROM (
    SELECT format('%I.%I', n.nspname, c.relname) AS name,
        CASE WHEN c.relkind IN ('r', 'p') AND NOT c.relrowsecurity THEN 'unguarded'
             WHEN c.relkind IN ('m', 'f') OR c.relkind = 'v' AND NOT coalesce(
                 (SELECT o.option_value::boolean FROM pg_options_to_table(c.reloptions) o
                  WHERE o.option_name = 'security_invoker'), false) THEN 'unfiltered'
             WHEN c.relkind IN ('r', 'p') AND EXISTS (
                 SELECT FROM pg_policy p
                 CROSS JOIN unnest(p.polroles) AS t (role)
                 WHERE p.polrelid = c.oid AND p.polpermissive
                   AND (t.role = 0 OR pg_has_role(a.oid, t.role, 'USAGE'))
                   AND (p.polcmd IN ('a', '*') AND has_table_privilege(a.oid, c.oid, 'INSERT')
                            AND coalesce(pg_get_expr(p.polwithcheck, p.polrelid),
                                         pg_get_expr(p.polqual, p.polrelid)) = 'true'
                        OR p.polcmd IN ('w', '*') AND has_table_privilege(a.oid, c.oid, 'UPDATE')
                            AND pg_get_expr(p.polqual, p.polrelid) = 'true'
                        OR p.polcmd IN ('d', '*') AND has_table_privilege(a.oid, c.oid, 'DELETE')
                            AND pg_get_expr(p.polqual, p.polrelid) = 'true')) THEN 'written'
        END AS why
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_roles a ON a.rolname = 'anon'
    WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
      AND c.relname <> 'job_queue' AND has_schema_privilege(a.oid, n.oid, 'USAGE')
      AND (has_table_privilege(a.oid, c.oid, 'SELECT, INSERT, UPDATE, DELETE')
           OR has_any_column_privilege(a.oid, c.oid, 'SELECT, INSERT, UPDATE'))
      AND NOT EXISTS (SELECT FROM pg_depend d
                      WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                        AND d.deptype = 'e')
) r
WHERE r.why IS NOT NULL
ORDER BY r.why, r.name

-- name: open_definers
-- Functions in public that do with their owner's rights what a caller without a token asks.
SELECT p.oid::regprocedure::text AS name
FROM pg_proc p
JOIN pg_namespace n ON n.oid = p.pronamespace
JOIN pg_roles a ON a.rolname = 'anon'
WHERE n.nspname = 'public' AND p.prosecdef AND p.prokind IN ('f', 'p')
  AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype)
  AND has_schema_privilege(a.oid, n.oid, 'USAGE')
  AND has_function_privilege(a.oid, p.oid, 'EXECUTE')
  AND NOT EXISTS (SELECT FROM pg_depend d
                  WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
ORDER BY 1

-- name: caller_functions_open
-- Whether users may ask who they are, which the policies do for them; also where there are none.
SELECT coalesce(bool_and(has_schema_privilege(r.oid, 'rollcall', 'USAGE')
        AND has_function_privilege(r.oid, 'rollcall.user_id()', 'EXECUTE')
        AND has_function_privilege(r.oid, 'rollcall.clerk_id()', 'EXECUTE')), true) AS open
FROM pg_roles r WHERE r.rolname = 'authenticated'

-- name: signing_keys_facts
-- As rollcall::gate::SigningKeys sees them, the newest last.
SELECT s.kid, s.private_key, s.signs_from > now() AS ahead,
    floor(date_part('epoch', now() - s.signs_from))::bigint AS signs_for
FROM rollcall.signing_keys s ORDER BY s.generation
