-- The quiz's own tables. Whose a row is says the database, by rollcall.user_id(), and nobody gets
-- at another's: docs/rls.md. Run once by the role that ran `rollcall migrate`:
--   psql -v ON_ERROR_STOP=1 -1 -f schema.sql
CREATE SCHEMA quiz;
GRANT USAGE ON SCHEMA quiz TO anon, authenticated;

-- The program connects as this role, which may do nothing but become one of the two.
CREATE ROLE quiz_app LOGIN NOINHERIT;
GRANT anon, authenticated TO quiz_app;

-- Everybody may read the subjects, signed in or not, and nobody may change them.
CREATE TABLE quiz.subjects (
    code text PRIMARY KEY,
    name text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('VCE', 'VCE VET'))
);
ALTER TABLE quiz.subjects ENABLE ROW LEVEL SECURITY;
CREATE POLICY everybody ON quiz.subjects FOR SELECT TO anon, authenticated USING (true);
GRANT SELECT ON quiz.subjects TO anon, authenticated;

CREATE TABLE quiz.preferences (
    user_id uuid PRIMARY KEY DEFAULT rollcall.user_id()
        REFERENCES public.users (id) ON DELETE CASCADE,
    preferences jsonb NOT NULL,
    CHECK (jsonb_typeof(preferences) = 'object')
);
ALTER TABLE quiz.preferences ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON quiz.preferences TO authenticated
    USING (user_id = (SELECT rollcall.user_id()))
    WITH CHECK (user_id = (SELECT rollcall.user_id()));
GRANT SELECT, INSERT, UPDATE, DELETE ON quiz.preferences TO authenticated;

CREATE TABLE quiz.sessions (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL DEFAULT rollcall.user_id()
        REFERENCES public.users (id) ON DELETE CASCADE,
    answers jsonb NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    saved_at timestamptz NOT NULL DEFAULT now(),
    CHECK (jsonb_typeof(answers) = 'object'),
    CHECK (octet_length(answers::text) <= 65536)
);
CREATE INDEX ON quiz.sessions (user_id);
ALTER TABLE quiz.sessions ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON quiz.sessions TO authenticated
    USING (user_id = (SELECT rollcall.user_id()))
    WITH CHECK (user_id = (SELECT rollcall.user_id()));
GRANT SELECT, INSERT, UPDATE, DELETE ON quiz.sessions TO authenticated;

-- A few of each kind, to have something to choose from; not the authority's list.
INSERT INTO quiz.subjects (code, name, kind) VALUES
    ('biology', 'Biology', 'VCE'),
    ('english', 'English', 'VCE'),
    ('mathematical-methods', 'Mathematical Methods', 'VCE'),
    ('vet-automotive', 'VCE VET Automotive', 'VCE VET'),
    ('vet-building', 'VCE VET Building and Construction', 'VCE VET'),
    ('vet-business', 'VCE VET Business', 'VCE VET'),
    ('vet-community-services', 'VCE VET Community Services', 'VCE VET'),
    ('vet-engineering', 'VCE VET Engineering Studies', 'VCE VET'),
    ('vet-hair-and-beauty', 'VCE VET Hair and Beauty', 'VCE VET'),
    ('vet-health', 'VCE VET Health', 'VCE VET'),
    ('vet-hospitality', 'VCE VET Hospitality', 'VCE VET'),
    ('vet-information-technology', 'VCE VET Information and Communications Technology', 'VCE VET'),
    ('vet-laboratory-skills', 'VCE VET Laboratory Skills', 'VCE VET'),
    ('vet-music', 'VCE VET Music', 'VCE VET');
