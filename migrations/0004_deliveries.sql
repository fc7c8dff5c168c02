-- What came to the webhook route, when, and what was refused: one row for each minute, outcome,
-- reason and event type. Counts only; the accepted events themselves are the rows of job_queue.
CREATE TABLE rollcall.deliveries (
    minute timestamptz NOT NULL,
    -- stored, duplicate, review (kept for a person), ignored (a type that is not handled), refused,
    -- unavailable (answered 503; the sender comes again)
    outcome text NOT NULL,
    reason text NOT NULL DEFAULT '',
    event_type text NOT NULL DEFAULT '',
    count bigint NOT NULL,
    first_seen timestamptz NOT NULL,
    last_seen timestamptz NOT NULL,
    -- Of the newest one. The network (/24, /48) is only kept of refused ones.
    last_svix_id text,
    last_network text,
    PRIMARY KEY (minute, outcome, reason, event_type)
);

ALTER TABLE rollcall.deliveries ENABLE ROW LEVEL SECURITY;
