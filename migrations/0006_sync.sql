-- Polling: the attempts to make the table follow Clerk, what a complete pass knows while it runs,
-- and the deletions that wait for a person.

-- One row for each attempt, written at its start, so that a killed one shows.
CREATE TABLE rollcall.sync_runs (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    trigger text NOT NULL
        CHECK (trigger IN ('schedule', 'start', 'cron', 'cli', 'admin', 'gate', 'job')),
    mode text NOT NULL CHECK (mode IN ('incremental', 'full', 'user')),
    status text NOT NULL DEFAULT 'running'
        CHECK (status IN ('running', 'completed', 'incomplete', 'failed')),
    clerk_id text,  -- of mode user
    instance text NOT NULL,  -- the process
    started_at timestamptz NOT NULL DEFAULT now(),
    heartbeat_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    duration_seconds double precision,
    -- Users: of a complete pass that goes on from another, `seen` has those of both.
    seen bigint NOT NULL DEFAULT 0,
    created bigint NOT NULL DEFAULT 0,
    updated bigint NOT NULL DEFAULT 0,
    unchanged bigint NOT NULL DEFAULT 0,
    deleted bigint NOT NULL DEFAULT 0,
    restored bigint NOT NULL DEFAULT 0,
    held_deletes bigint NOT NULL DEFAULT 0,
    -- Drift, before it was repaired.
    found_missing bigint NOT NULL DEFAULT 0,
    found_stale bigint NOT NULL DEFAULT 0,
    found_extra bigint NOT NULL DEFAULT 0,
    pages bigint NOT NULL DEFAULT 0,
    requests bigint NOT NULL DEFAULT 0,
    error text,
    -- Of a complete pass: the run that it goes on from, and what Clerk said at its beginning: the
    -- newest user's created_at, how many users that are, and the newest updated_at.
    continues bigint,
    newest_created_ms bigint,
    expected bigint,
    newest_updated_ms bigint
);
CREATE INDEX sync_runs_started ON rollcall.sync_runs (started_at DESC);

-- How far a complete pass is: disjoint spans of created_at, in milliseconds. They stay when a pass
-- was cut short, and the next one goes on from them.
CREATE TABLE rollcall.sync_ranges (
    run_id bigint NOT NULL REFERENCES rollcall.sync_runs ON DELETE CASCADE,
    from_ms bigint NOT NULL,
    until_ms bigint,  -- not included; NULL: open
    reached_ms bigint NOT NULL,  -- all before it is seen
    seen bigint NOT NULL,  -- users before reached_ms
    done boolean NOT NULL,
    PRIMARY KEY (run_id, from_ms)
);

-- Users that a complete pass did not see, before they are looked up by id. Gone when it has ended.
CREATE TABLE rollcall.sync_absences (
    run_id bigint NOT NULL REFERENCES rollcall.sync_runs ON DELETE CASCADE,
    clerk_id text COLLATE "C" NOT NULL,
    PRIMARY KEY (run_id, clerk_id)
);

-- Deletions that the guard held back.
CREATE TABLE rollcall.held_deletes (
    run_id bigint NOT NULL REFERENCES rollcall.sync_runs ON DELETE CASCADE,
    clerk_id text COLLATE "C" NOT NULL,
    held_at timestamptz NOT NULL DEFAULT now(),
    decided_at timestamptz,  -- NULL: waits
    -- approved (deleted), returned (Clerk knows the user after all), discarded, superseded (a later
    -- complete pass has judged anew)
    decision text CHECK (decision IN ('approved', 'returned', 'discarded', 'superseded')),
    PRIMARY KEY (run_id, clerk_id),
    CHECK ((decided_at IS NULL) = (decision IS NULL))
);
CREATE INDEX held_deletes_open ON rollcall.held_deletes (run_id) WHERE decided_at IS NULL;

-- What is known from run to run: one row.
CREATE TABLE rollcall.sync_state (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    -- All changes up to this updated_at of Clerk's, in milliseconds, are known.
    watermark_ms bigint,
    full_completed_at timestamptz,
    -- The Clerk instance that this database is filled from. A key of another one is refused.
    instance_id text,
    environment_type text
);
INSERT INTO rollcall.sync_state DEFAULT VALUES;

-- Who should have been on a page: the living by Clerk's created_at, those without one at the end.
CREATE INDEX ledger_alive ON rollcall.ledger (clerk_created_at, clerk_id)
    WHERE deleted_at IS NULL;

ALTER TABLE rollcall.sync_runs ENABLE ROW LEVEL SECURITY;
ALTER TABLE rollcall.sync_ranges ENABLE ROW LEVEL SECURITY;
ALTER TABLE rollcall.sync_absences ENABLE ROW LEVEL SECURITY;
ALTER TABLE rollcall.held_deletes ENABLE ROW LEVEL SECURITY;
ALTER TABLE rollcall.sync_state ENABLE ROW LEVEL SECURITY;
