-- What is watched beside the queue's age, and the job that a deployment tries itself out with.

-- The networks whose deliveries fail their signature most, by the minute: lower bounds, of the few
-- that each instance keeps (src/webhooks/failing_networks.hpp).
CREATE TABLE rollcall.failing_networks (
    minute timestamptz NOT NULL,
    network text NOT NULL,  -- /24 or /48
    count bigint NOT NULL,
    PRIMARY KEY (minute, network)
);
ALTER TABLE rollcall.failing_networks ENABLE ROW LEVEL SECURITY;

-- One type more, of the leased ones (0001 explains the lists). What waits of them gets an index of
-- its own beside the one that stands, which builds from before this step go on with.
CREATE OR REPLACE FUNCTION rollcall.leased_types()
RETURNS text[] LANGUAGE sql IMMUTABLE SET search_path = '' AS $$
    SELECT ARRAY['REFRESH_USER', 'UNKNOWN_EVENT', 'SELF_TEST']
$$;
CREATE INDEX idx_job_queue_effects ON public.job_queue (priority DESC, run_at, id)
    WHERE status = 'PENDING' AND job_type IN ('REFRESH_USER', 'UNKNOWN_EVENT', 'SELF_TEST');

-- The changes of users, a thousand at most, that came within that time and that no delivery
-- brought: rollcall's own have the event they are of, or had it until it was removed. By the index
-- of when they came, which the planner cannot know to be the cheaper way.
CREATE FUNCTION rollcall.foreign_changes(within interval DEFAULT '10 minutes')
RETURNS TABLE (id uuid, job_type text, subject text, created_at timestamptz)
LANGUAGE sql STABLE SET search_path = '' SET enable_seqscan = off SET jit = off ROWS 10 AS $$
    SELECT j.id, j.job_type, coalesce(j.subject, j.payload ->> 'clerk_id'), j.created_at
    FROM public.job_queue j
    WHERE j.created_at > now() - within
      AND j.original_event IS NULL AND j.blanked_at IS NULL
      AND j.job_type IN ('USER_CREATED', 'USER_UPDATED', 'USER_DELETED')
    LIMIT 1000
$$;

-- Deletions within the hour that came by webhook: all that were seen, less what passes, people who
-- approved and single looks at Clerk found, which have guards of their own; since the first seen.
CREATE FUNCTION rollcall.webhook_deletions()
RETURNS TABLE (users bigint, first_at timestamptz)
LANGUAGE sql STABLE SET search_path = '' SET enable_seqscan = off SET jit = off ROWS 1 AS $$
    SELECT greatest(0, count(*)
            - (SELECT coalesce(sum(r.deleted), 0)::bigint FROM rollcall.sync_runs r
               WHERE r.deleted > 0 AND coalesce(r.finished_at, now()) > now() - interval '1 hour'
                 AND r.started_at > now() - interval '7 days')
            - (SELECT count(*) FROM rollcall.held_deletes h
               WHERE h.decision = 'approved' AND h.decided_at > now() - interval '1 hour')
            - (SELECT count(*) FROM rollcall.absences a
               WHERE a.concluded_at > now() - interval '1 hour')),
        min(l.deletion_seen_at)
    FROM rollcall.ledger l
    WHERE l.deletion_seen_at > now() - interval '1 hour'
$$;
REVOKE ALL ON FUNCTION rollcall.webhook_deletions() FROM PUBLIC;
REVOKE ALL ON FUNCTION rollcall.foreign_changes(interval) FROM PUBLIC;
