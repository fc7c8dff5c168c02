-- Alerts: what is known of each from one look to the next, over restarts and for all instances, and
-- the message that waits to be sent.
CREATE TABLE rollcall.alerts (
    alert text PRIMARY KEY,
    firing boolean NOT NULL DEFAULT false,
    since timestamptz,  -- of the incident that is on, or was the last; NULL: there never was one
    unseen_since timestamptz,  -- firing, but its condition is not seen any more
    resolved_at timestamptz,
    announced_at timestamptz,  -- when the last firing message was made, of whatever incident
    summary text NOT NULL DEFAULT '',
    labels jsonb NOT NULL DEFAULT '{}',
    told boolean NOT NULL DEFAULT false,  -- the last message that was tried said firing
    notice text CHECK (notice IN ('firing', 'resolved')),  -- the message that waits
    notice_number bigint NOT NULL DEFAULT 0,  -- grows with each message
    notice_attempts integer NOT NULL DEFAULT 0,
    notice_due_at timestamptz
);

-- Circuits live in processes: each tells here of those that are not closed, again and again.
CREATE TABLE rollcall.open_circuits (
    instance text NOT NULL,
    upstream text NOT NULL,
    since timestamptz NOT NULL DEFAULT now(),
    seen_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (instance, upstream)
);

-- The newest passes, between any number of runs for one user.
CREATE INDEX sync_runs_passes ON rollcall.sync_runs (id) WHERE mode <> 'user';

ALTER TABLE rollcall.alerts ENABLE ROW LEVEL SECURITY;
ALTER TABLE rollcall.open_circuits ENABLE ROW LEVEL SECURITY;
