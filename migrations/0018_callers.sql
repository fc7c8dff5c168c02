-- compatible: functions that no earlier build calls, and privileges for callers of them.

-- How old what the users table says may be: the time since the newest sign that it follows Clerk.
-- A sign is the begin of a pass, incremental or complete, that completed: what Clerk had by then is
-- in the table. Or a delivery about a user that was stored, unless changes of users have been due
-- for longer than that and nobody has taken them: then the table is as old as the first of those.
-- Never NULL; a thousand years when there was no sign yet, since intervals know infinity only from
-- PostgreSQL 17 on. By the caller's statement, so that it goes on within a transaction.
CREATE FUNCTION rollcall.sync_age()
RETURNS interval LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
    WITH RECURSIVE waiting AS (
        -- The oldest of each priority, by the index that workers claim by.
        (SELECT j.priority, j.created_at FROM public.job_queue j
         WHERE j.status = 'PENDING' AND j.run_at <= j.created_at
           AND j.job_type IN ('USER_CREATED', 'USER_UPDATED', 'USER_DELETED')
         ORDER BY j.priority DESC, j.created_at LIMIT 1)
        UNION ALL
        SELECT n.priority, n.created_at
        FROM waiting w
        CROSS JOIN LATERAL (
            SELECT j.priority, j.created_at FROM public.job_queue j
            WHERE j.status = 'PENDING' AND j.run_at <= j.created_at
              AND j.job_type IN ('USER_CREATED', 'USER_UPDATED', 'USER_DELETED')
              AND j.priority < w.priority
            ORDER BY j.priority DESC, j.created_at LIMIT 1) n
    ), delivered AS (
        SELECT max(d.last_seen) AS at FROM rollcall.deliveries d
        WHERE d.outcome IN ('stored', 'duplicate') AND d.event_type LIKE 'user.%'
          AND d.minute = (SELECT e.minute FROM rollcall.deliveries e
                          WHERE e.outcome IN ('stored', 'duplicate')
                            AND e.event_type LIKE 'user.%'
                          ORDER BY e.minute DESC LIMIT 1)
    ), signs AS (
        SELECT least(d.at, (SELECT min(w.created_at) FROM waiting w)) AS at
        FROM delivered d WHERE d.at IS NOT NULL
        UNION ALL
        (SELECT r.started_at FROM rollcall.sync_runs r
         WHERE r.mode <> 'user' AND r.status = 'completed' ORDER BY r.id DESC LIMIT 1)
    )
    SELECT CASE WHEN count(*) = 0 THEN interval '1000 years'
                ELSE greatest(statement_timestamp() - max(s.at), interval '0') END
    FROM signs s
$$;

-- As 0003 has it; and callers may ask who they are, and how old the table is.
CREATE OR REPLACE FUNCTION rollcall.ensure_access()
RETURNS SETOF text LANGUAGE plpgsql SET search_path = '' AS $$
DECLARE
    who text;
    what regclass;
    outside text;
    callable text;
BEGIN
    FOREACH who IN ARRAY ARRAY['anon', 'authenticated', 'service_role'] LOOP
        CONTINUE WHEN EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = who);
        BEGIN
            EXECUTE pg_catalog.format('CREATE ROLE %I NOLOGIN NOINHERIT%s', who,
                CASE who WHEN 'service_role' THEN ' BYPASSRLS' ELSE '' END);
        EXCEPTION
            -- Roles belong to the whole server: another database's migration may be faster.
            WHEN duplicate_object OR unique_violation THEN NULL;
            WHEN insufficient_privilege THEN
                RETURN NEXT pg_catalog.format(
                    'role %I is missing and %I may not create it; as a superuser: '
                    'CREATE ROLE %I NOLOGIN NOINHERIT%s; then run migrate again',
                    who, current_user, who,
                    CASE who WHEN 'service_role' THEN ' BYPASSRLS' ELSE '' END);
        END;
    END LOOP;

    BEGIN
        IF pg_catalog.to_regnamespace('auth') IS NULL THEN
            CREATE SCHEMA auth;
            FOR who IN SELECT rolname FROM pg_catalog.pg_roles
                       WHERE rolname IN ('anon', 'authenticated', 'service_role') LOOP
                EXECUTE pg_catalog.format('GRANT USAGE ON SCHEMA auth TO %I', who);
            END LOOP;
        END IF;
        -- As Supabase has them; uid() raises an error for a subject that is no uuid, there too.
        IF pg_catalog.to_regprocedure('auth.jwt()') IS NULL THEN
            CREATE FUNCTION auth.jwt() RETURNS jsonb LANGUAGE sql STABLE AS $f$
                SELECT coalesce(nullif(current_setting('request.jwt.claim', true), ''),
                                nullif(current_setting('request.jwt.claims', true), ''))::jsonb
            $f$;
        END IF;
        IF pg_catalog.to_regprocedure('auth.uid()') IS NULL THEN
            CREATE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql STABLE AS $f$
                SELECT coalesce(nullif(current_setting('request.jwt.claim.sub', true), ''),
                                nullif(current_setting('request.jwt.claims', true), '')::jsonb
                                    ->> 'sub')::uuid
            $f$;
        END IF;
        IF pg_catalog.to_regprocedure('auth.role()') IS NULL THEN
            CREATE FUNCTION auth.role() RETURNS text LANGUAGE sql STABLE AS $f$
                SELECT coalesce(nullif(current_setting('request.jwt.claim.role', true), ''),
                                nullif(current_setting('request.jwt.claims', true), '')::jsonb
                                    ->> 'role')::text
            $f$;
        END IF;
    EXCEPTION
        WHEN duplicate_schema OR duplicate_function OR unique_violation THEN NULL;
        WHEN insufficient_privilege THEN
            RETURN NEXT pg_catalog.format(
                'schema auth with jwt(), uid() and role() is missing and %I may not create it: '
                'policies that name them cannot be made', current_user);
    END;

    -- Supabase's default privileges hand every new table in public to everybody.
    FOR what IN
        SELECT c.oid FROM pg_catalog.pg_class c
        WHERE NOT c.relrowsecurity
          AND (c.oid = 'public.job_queue'::pg_catalog.regclass
               OR (c.relnamespace = 'rollcall'::pg_catalog.regnamespace
                   AND c.relkind IN ('r', 'p')))
    LOOP
        EXECUTE pg_catalog.format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', what);
    END LOOP;
    FOR outside IN
        SELECT 'PUBLIC'
        UNION ALL
        SELECT pg_catalog.quote_ident(rolname) FROM pg_catalog.pg_roles
        WHERE rolname IN ('anon', 'authenticated')
    LOOP
        EXECUTE 'REVOKE ALL ON TABLE public.job_queue FROM ' || outside;
        EXECUTE 'REVOKE ALL ON SCHEMA rollcall FROM ' || outside;
        EXECUTE 'REVOKE ALL ON ALL TABLES IN SCHEMA rollcall FROM ' || outside;
        EXECUTE 'REVOKE ALL ON ALL SEQUENCES IN SCHEMA rollcall FROM ' || outside;
        EXECUTE 'REVOKE ALL ON ALL FUNCTIONS IN SCHEMA rollcall FROM ' || outside;
        EXECUTE 'ALTER DEFAULT PRIVILEGES IN SCHEMA rollcall REVOKE ALL ON TABLES FROM ' || outside;
        EXECUTE 'ALTER DEFAULT PRIVILEGES IN SCHEMA rollcall REVOKE ALL ON SEQUENCES FROM '
            || outside;
        EXECUTE 'ALTER DEFAULT PRIVILEGES IN SCHEMA rollcall REVOKE ALL ON FUNCTIONS FROM '
            || outside;
    END LOOP;
    IF EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'service_role') THEN
        GRANT SELECT, INSERT, UPDATE ON TABLE public.job_queue TO service_role;
        GRANT USAGE ON SCHEMA rollcall TO service_role;
        GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA rollcall TO service_role;
        REVOKE EXECUTE ON FUNCTION rollcall.ensure_access() FROM service_role;
    END IF;
    -- What callers may ask of themselves; rollcall.user_id() and clerk_id() are made by migrate,
    -- for the users table of the settings.
    FOR who, callable IN
        SELECT r.rolname, f.signature
        FROM pg_catalog.pg_roles r
        CROSS JOIN (VALUES ('rollcall.user_id()', true), ('rollcall.clerk_id()', true),
                           ('rollcall.sync_age()', false)) AS f (signature, for_anon)
        WHERE (r.rolname = 'authenticated' OR r.rolname = 'anon' AND f.for_anon)
          AND pg_catalog.to_regprocedure(f.signature) IS NOT NULL
    LOOP
        EXECUTE pg_catalog.format('GRANT USAGE ON SCHEMA rollcall TO %I', who);
        EXECUTE pg_catalog.format('GRANT EXECUTE ON FUNCTION %s TO %I', callable, who);
    END LOOP;
END
$$;

REVOKE ALL ON FUNCTION rollcall.sync_age() FROM PUBLIC;
DO $$
DECLARE
    who text;
BEGIN
    FOR who IN SELECT r.rolname FROM pg_catalog.pg_roles r
               WHERE r.rolname IN ('authenticated', 'service_role') LOOP
        EXECUTE pg_catalog.format('GRANT USAGE ON SCHEMA rollcall TO %I', who);
        EXECUTE pg_catalog.format('GRANT EXECUTE ON FUNCTION rollcall.sync_age() TO %I', who);
    END LOOP;
END
$$;

-- With rights of its own a function must not find a type among the caller's temporary ones, which
-- come first wherever the path does not name them.
ALTER FUNCTION rollcall.audit(text, text, jsonb, text) SET search_path = pg_catalog, pg_temp;
