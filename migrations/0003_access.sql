-- Who may do what. rollcall's own tables give nothing to anybody but their owner, and to
-- service_role (the server side of Supabase) what the SQL functions need. On a server that is not
-- Supabase the roles and the schema that policies name are made here, only where absent.
--
-- `rollcall migrate` calls this again after all steps, so that tables of later steps are covered
-- and roles that appeared since are served. Returns what could not be done and wants a person.
CREATE FUNCTION rollcall.ensure_access()
RETURNS SETOF text LANGUAGE plpgsql SET search_path = '' AS $$
DECLARE
    who text;
    what regclass;
    outside text;
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
END
$$;

DO $$
DECLARE
    note text;
BEGIN
    FOR note IN SELECT rollcall.ensure_access() LOOP
        RAISE NOTICE '%', note;
    END LOOP;
END
$$;
