-- What the server says of the users table and of what stands around it; migrate's own statements.

-- name: catalog_relation
SELECT c.relkind, pg_has_role(c.relowner, 'USAGE') AS owned, c.relrowsecurity
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1::text AND c.relname = $2::text

-- name: catalog_columns
SELECT a.attname,
    quote_ident(tn.nspname) || '.' || quote_ident(t.typname) AS type,
    quote_ident(bn.nspname) || '.' || quote_ident(b.typname) AS base_type,
    b.typcategory = 'S' AS text,
    coalesce((SELECT quote_ident(n.nspname) || '.' || quote_ident(l.collname)
              FROM pg_catalog.pg_collation l
              JOIN pg_catalog.pg_namespace n ON n.oid = l.collnamespace
              WHERE l.oid = a.attcollation), '') AS collation,
    a.attnotnull, a.atthasdef OR a.attidentity <> '' AS has_default,
    a.attgenerated <> '' OR a.attidentity = 'a' AS generated
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
JOIN pg_catalog.pg_namespace tn ON tn.oid = t.typnamespace
JOIN pg_catalog.pg_type b ON b.oid = CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.oid END
JOIN pg_catalog.pg_namespace bn ON bn.oid = b.typnamespace
WHERE s.nspname = $1::text AND c.relname = $2::text
ORDER BY a.attnum

-- name: catalog_labels
SELECT a.attname, e.enumlabel
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_catalog.pg_enum e ON e.enumtypid = a.atttypid
WHERE s.nspname = $1::text AND c.relname = $2::text
ORDER BY a.attnum, e.enumsortorder

-- name: catalog_keys
SELECT ic.relname AS index, pg_get_indexdef(i.indexrelid, k.n, true) AS key,
    i.indisunique AND i.indisvalid AND i.indimmediate AS unique,
    coalesce(pg_get_expr(i.indpred, i.indrelid, true), '') AS predicate
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace
JOIN pg_catalog.pg_index i ON i.indrelid = c.oid
JOIN pg_catalog.pg_class ic ON ic.oid = i.indexrelid
CROSS JOIN LATERAL generate_series(1, i.indnkeyatts) AS k (n)
WHERE s.nspname = $1::text AND c.relname = $2::text
ORDER BY ic.relname, k.n

-- name: catalog_policies
SELECT p.polname
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace
JOIN pg_catalog.pg_policy p ON p.polrelid = c.oid
WHERE s.nspname = $1::text AND c.relname = $2::text
ORDER BY p.polname

-- name: catalog_grants
SELECT CASE a.grantee WHEN 0 THEN 'public' ELSE pg_get_userbyid(a.grantee)::text END AS role,
    a.privilege_type, o.column_name
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace
CROSS JOIN LATERAL (
    SELECT '' AS column_name, c.relacl AS acl
    UNION ALL
    SELECT t.attname::text, t.attacl FROM pg_catalog.pg_attribute t
    WHERE t.attrelid = c.oid AND NOT t.attisdropped
) o
CROSS JOIN LATERAL aclexplode(o.acl) a
WHERE s.nspname = $1::text AND c.relname = $2::text AND a.grantee <> c.relowner

-- name: surroundings
SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = $1::text) AS schema_exists,
    EXISTS (SELECT FROM pg_catalog.pg_type t
            JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
            WHERE n.nspname = $1::text AND t.typname = 'UserRole') AS enum_exists,
    NOT EXISTS (SELECT FROM pg_catalog.pg_roles r
                JOIN pg_catalog.pg_namespace n ON n.nspname = $1::text
                WHERE r.rolname IN ('authenticated', 'service_role')
                  AND NOT has_schema_privilege(r.oid, n.oid, 'USAGE')) AS schema_open,
    EXISTS (SELECT FROM pg_catalog.pg_class c
            JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = $1::text
              AND c.relname IN ('User_pkey', 'User_clerkId_key', 'User_email_key')) AS names_taken,
    coalesce((SELECT obj_description(c.oid, 'pg_class') LIKE '%made by rollcall'
              FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
              WHERE n.nspname = $1::text AND c.relname = $2::text), false) AS made_by_rollcall

-- name: lacking
-- What policies name and this server does not have; whether rollcall.ensure_access may make it; and
-- what a person has to know where it may not.
SELECT w.name,
    m.rolsuper OR m.rolcreaterole AND (w.name <> 'service_role' OR m.rolbypassrls
        AND current_setting('server_version_num')::int >= 160000) AS can_be_made,
    format('role %I is missing and %I may not create it; as a superuser: '
           'CREATE ROLE %I NOLOGIN NOINHERIT%s; then run migrate again', w.name, current_user,
           w.name, CASE w.name WHEN 'service_role' THEN ' BYPASSRLS' ELSE '' END) AS note
FROM unnest(ARRAY['anon', 'authenticated', 'service_role']) w (name)
CROSS JOIN (SELECT rolsuper, rolcreaterole, rolbypassrls FROM pg_catalog.pg_roles
            WHERE rolname = current_user) m
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.rolname = w.name)
UNION ALL
SELECT 'auth',
    coalesce(has_schema_privilege(to_regnamespace('auth')::oid, 'CREATE'),
             has_database_privilege(current_database(), 'CREATE')),
    format('schema auth with jwt(), uid() and role() is missing and %I may not create it: '
           'policies that name them cannot be made', current_user)
WHERE to_regprocedure('auth.jwt()') IS NULL OR to_regprocedure('auth.uid()') IS NULL
   OR to_regprocedure('auth.role()') IS NULL

-- name: enum_labels
SELECT e.enumlabel
FROM pg_catalog.pg_enum e
JOIN pg_catalog.pg_type t ON t.oid = e.enumtypid
JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
WHERE n.nspname = $1::text AND t.typname = 'UserRole'
ORDER BY e.enumsortorder

-- name: own_policies
SELECT p.polname, obj_description(p.oid, 'pg_policy') AS made_from, p.polcmd::text AS command,
    coalesce(pg_get_expr(p.polqual, p.polrelid), '') AS qual,
    coalesce(pg_get_expr(p.polwithcheck, p.polrelid), '') AS with_check,
    p.polpermissive AND p.polroles = ARRAY[to_regrole('authenticated')::oid] AS for_authenticated
FROM pg_catalog.pg_policy p
JOIN pg_catalog.pg_class c ON c.oid = p.polrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1::text AND c.relname = $2::text
  AND obj_description(p.oid, 'pg_policy') LIKE 'made by rollcall%'

-- name: caller_functions
SELECT p.proname,
    CASE WHEN p.prosecdef AND p.provolatile = 's'
              AND p.proconfig = ARRAY['search_path=pg_catalog, pg_temp']
         THEN p.prosrc ELSE '' END AS body
FROM pg_catalog.pg_proc p
WHERE p.oid IN (to_regprocedure('rollcall.user_id()'), to_regprocedure('rollcall.clerk_id()'))

-- name: open_policies
-- Permissive policies of others that let users see or change rows: they add to rollcall's own.
SELECT p.polname
FROM pg_catalog.pg_policy p
JOIN pg_catalog.pg_class c ON c.oid = p.polrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1::text AND c.relname = $2::text
  AND p.polpermissive AND p.polcmd IN ('r', 'w', '*')
  AND coalesce(obj_description(p.oid, 'pg_policy'), '') NOT LIKE 'made by rollcall%'
  AND EXISTS (SELECT FROM unnest(p.polroles) AS t (role)
              WHERE t.role = 0 OR EXISTS (
                  SELECT FROM pg_catalog.pg_roles r WHERE r.rolname IN ('anon', 'authenticated')
                    AND pg_has_role(r.oid, t.role, 'USAGE')))
ORDER BY p.polname

-- name: lock_users_table
-- One migrate at a time; two would want to create the same table.
SELECT pg_advisory_xact_lock(hashtextextended('rollcall.users_table', 0))

-- name: has_ensure_access
SELECT to_regprocedure('rollcall.ensure_access()') IS NOT NULL AS known

-- name: ensure_access
SELECT rollcall.ensure_access()
