-- A database as Supabase hands it over, as far as access goes: its roles, schema auth with its own
-- functions, default privileges, and `sb_postgres` in the place of Supabase's postgres, which is no
-- superuser. Roles are the server's: one that is there already stays.
DO $$
DECLARE
    command text;
BEGIN
    FOREACH command IN ARRAY ARRAY[
        'CREATE ROLE anon NOLOGIN NOINHERIT',
        'CREATE ROLE authenticated NOLOGIN NOINHERIT',
        'CREATE ROLE service_role NOLOGIN NOINHERIT BYPASSRLS',
        'CREATE ROLE authenticator LOGIN NOINHERIT',
        'CREATE ROLE supabase_auth_admin NOLOGIN NOINHERIT CREATEROLE',
        'CREATE ROLE sb_postgres LOGIN CREATEROLE CREATEDB BYPASSRLS'
    ] LOOP
        BEGIN
            EXECUTE command;
        EXCEPTION WHEN duplicate_object THEN NULL;
        END;
    END LOOP;
    EXECUTE format('ALTER DATABASE %I OWNER TO sb_postgres', current_database());
END
$$;
GRANT anon, authenticated, service_role TO authenticator, sb_postgres;
GRANT USAGE ON SCHEMA public TO anon, authenticated, service_role;
ALTER DEFAULT PRIVILEGES FOR ROLE sb_postgres IN SCHEMA public
    GRANT ALL ON TABLES TO sb_postgres, anon, authenticated, service_role;
ALTER DEFAULT PRIVILEGES FOR ROLE sb_postgres IN SCHEMA public
    GRANT ALL ON FUNCTIONS TO sb_postgres, anon, authenticated, service_role;
ALTER DEFAULT PRIVILEGES FOR ROLE sb_postgres IN SCHEMA public
    GRANT ALL ON SEQUENCES TO sb_postgres, anon, authenticated, service_role;

CREATE SCHEMA auth AUTHORIZATION supabase_auth_admin;
GRANT USAGE ON SCHEMA auth TO anon, authenticated, service_role, sb_postgres;
SET ROLE supabase_auth_admin;
CREATE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql STABLE AS $$
  select
  coalesce(
    nullif(current_setting('request.jwt.claim.sub', true), ''),
    (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')
  )::uuid
$$;
CREATE FUNCTION auth.role() RETURNS text LANGUAGE sql STABLE AS $$
  select
  coalesce(
    nullif(current_setting('request.jwt.claim.role', true), ''),
    (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role')
  )::text
$$;
CREATE FUNCTION auth.jwt() RETURNS jsonb LANGUAGE sql STABLE AS $$
  select
    coalesce(
        nullif(current_setting('request.jwt.claim', true), ''),
        nullif(current_setting('request.jwt.claims', true), '')
    )::jsonb
$$;
RESET ROLE;
