-- A table of the application's own, by the helper: whose note it is says the database.
CREATE SCHEMA app;
GRANT USAGE ON SCHEMA app TO anon, authenticated;
CREATE TABLE app.notes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    owner_id uuid NOT NULL DEFAULT rollcall.user_id() REFERENCES public.users (id),
    text text NOT NULL
);
CREATE INDEX ON app.notes (owner_id);
GRANT SELECT, INSERT, UPDATE, DELETE ON app.notes TO authenticated;
ALTER TABLE app.notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON app.notes TO authenticated
    USING (owner_id = (SELECT rollcall.user_id()))
    WITH CHECK (owner_id = (SELECT rollcall.user_id()));
INSERT INTO app.notes (owner_id, text) SELECT id, clerk_id FROM public.users;
-- For an attempt to write in another's name.
CREATE VIEW app.others AS SELECT owner_id FROM app.notes
    WHERE owner_id IS DISTINCT FROM rollcall.user_id() LIMIT 1;
GRANT SELECT ON app.others TO authenticated;
