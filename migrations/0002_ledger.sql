-- One row for each Clerk object ever seen: what makes the order of events irrelevant.
CREATE TABLE rollcall.ledger (
    clerk_id text COLLATE "C" PRIMARY KEY,
    -- The newest snapshot applied: Clerk's updated_at in milliseconds, and a hash of what is
    -- mirrored, which tells a repetition from a tie. NULL while only a deletion was seen.
    version bigint,
    content_hash bigint,
    -- Whether the version is Clerk's own. That of a job which an application added is when it was
    -- added, and may lie ahead of what Clerk has.
    dated_by_clerk boolean NOT NULL DEFAULT true,
    -- The internal id: of the row in the users table, kept when that row is deleted for good.
    user_id uuid NOT NULL,
    banned boolean NOT NULL DEFAULT false,
    locked boolean NOT NULL DEFAULT false,
    clerk_created_at timestamptz,
    -- Clerk's time of the deletion, and when rollcall learned of it (the database's clock): only a
    -- read of Clerk that began after the second may lift the tombstone.
    deleted_at timestamptz,
    deletion_seen_at timestamptz,
    -- When the read was asked that lifted a tombstone: no older deletion counts any more.
    lifted_at timestamptz,
    -- When the newest snapshot came, and the job that carried it: settles a tie where Clerk cannot
    -- be asked.
    arrived_at timestamptz,
    arrived_as uuid,
    changed_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 85);

-- Users that Clerk did not know when it was asked for them: when it first said so, and when the
-- deletion was concluded from it, of which only so many are within an hour. A user may go, come
-- back and go again: each time is a row of its own. Kept for a day.
CREATE TABLE rollcall.absences (
    clerk_id text COLLATE "C" NOT NULL,
    first_seen_at timestamptz NOT NULL DEFAULT now(),
    concluded_at timestamptz
);
CREATE UNIQUE INDEX absences_open ON rollcall.absences (clerk_id) WHERE concluded_at IS NULL;
