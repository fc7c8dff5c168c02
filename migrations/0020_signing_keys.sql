-- compatible: a table that no earlier build reads.

-- What rollcall signs its own tokens with (ES256), one row for each key, shared by all instances
-- on this database. The newest whose time has come signs; one that is ahead is published already,
-- and one that was followed stays published until no token of it can be alive.
-- docs/token-exchange.md draws it.
CREATE TABLE rollcall.signing_keys (
    generation bigint PRIMARY KEY,      -- one more than that before: two makers of one meet here
    kid text COLLATE "C" NOT NULL UNIQUE,
    private_key text NOT NULL,          -- PKCS#8 in PEM, as it is: docs/decisions/0015 says why
    made_at timestamptz NOT NULL DEFAULT now(),
    signs_from timestamptz NOT NULL
);
ALTER TABLE rollcall.signing_keys ENABLE ROW LEVEL SECURITY;

-- Nobody but the owner, whatever default privileges this database has.
DO $$
DECLARE
    who text;
BEGIN
    REVOKE ALL ON TABLE rollcall.signing_keys FROM PUBLIC;
    FOR who IN SELECT r.rolname FROM pg_catalog.pg_roles r
               WHERE r.rolname IN ('anon', 'authenticated', 'service_role') LOOP
        EXECUTE pg_catalog.format('REVOKE ALL ON TABLE rollcall.signing_keys FROM %I', who);
    END LOOP;
END
$$;
