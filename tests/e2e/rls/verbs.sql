-- psql -v role=… -v claims=… -v own=… -v other=…: the four verbs on the own row and on another's,
-- as PostgREST would send them. Prints each with SQLSTATE and how many rows it was about.
\set ON_ERROR_ROLLBACK on
\set QUIET on
\o /dev/null
BEGIN;
SELECT set_config('request.jwt.claims', :'claims', true), set_config('role', :'role', true);
SELECT * FROM public.users WHERE clerk_id = :'own';
\echo select own :SQLSTATE :ROW_COUNT
SELECT * FROM public.users WHERE clerk_id = :'other';
\echo select other :SQLSTATE :ROW_COUNT
SELECT * FROM public.users;
\echo select all :SQLSTATE :ROW_COUNT
UPDATE public.users SET preferences = '{"theme": "dark"}' WHERE clerk_id = :'own';
\echo update own :SQLSTATE :ROW_COUNT
UPDATE public.users SET preferences = '{"theme": "dark"}' WHERE clerk_id = :'other';
\echo update other :SQLSTATE :ROW_COUNT
UPDATE public.users SET preferences = '{"theme": "dark"}';
\echo update all :SQLSTATE :ROW_COUNT
UPDATE public.users SET role = 'admin' WHERE clerk_id = :'own';
\echo update role :SQLSTATE :ROW_COUNT
UPDATE public.users SET clerk_id = 'user_stolen' WHERE clerk_id = :'own';
\echo update clerk_id :SQLSTATE :ROW_COUNT
UPDATE public.users SET email = 'stolen@example.com' WHERE clerk_id = :'own';
\echo update email :SQLSTATE :ROW_COUNT
INSERT INTO public.users (clerk_id, role, "updatedAt") VALUES ('user_new', 'admin', now());
\echo insert new :SQLSTATE :ROW_COUNT
INSERT INTO public.users (clerk_id, "updatedAt") VALUES (:'own', now())
    ON CONFLICT (clerk_id) DO UPDATE SET role = 'admin';
\echo insert own :SQLSTATE :ROW_COUNT
DELETE FROM public.users WHERE clerk_id = :'own';
\echo delete own :SQLSTATE :ROW_COUNT
DELETE FROM public.users WHERE clerk_id = :'other';
\echo delete other :SQLSTATE :ROW_COUNT
SELECT * FROM app.notes;
\echo select notes :SQLSTATE :ROW_COUNT
INSERT INTO app.notes (text) VALUES ('mine');
\echo insert notes :SQLSTATE :ROW_COUNT
INSERT INTO app.notes (owner_id, text) SELECT owner_id, 'theirs' FROM app.others;
\echo insert others :SQLSTATE :ROW_COUNT
DELETE FROM app.notes;
\echo delete notes :SQLSTATE :ROW_COUNT
SELECT rollcall.sync_age();
\echo sync_age :SQLSTATE :ROW_COUNT
ROLLBACK;
