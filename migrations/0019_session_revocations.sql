-- compatible: a table that no earlier build reads, and a type of jobs that those leave alone.

-- Clerk's sessions that have ended: no token of theirs is accepted any more. Kept for a day, when
-- no token of theirs can be alive: they live for a minute, and none is accepted that lives for more
-- than an hour.
CREATE TABLE rollcall.session_revocations (
    session_id text COLLATE "C" PRIMARY KEY,
    clerk_id text COLLATE "C",  -- whose; NULL: the event did not say
    revoked_at timestamptz NOT NULL,  -- by the event
    noted_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL DEFAULT now() + interval '1 day'
);
CREATE INDEX session_revocations_expiry ON rollcall.session_revocations (expires_at);
ALTER TABLE rollcall.session_revocations ENABLE ROW LEVEL SECURITY;

-- One type more (0001 explains the lists and why the predicates repeat them). It is in no list of
-- leased types: those share a lane, which a neighbour that hangs must not fill.
CREATE OR REPLACE FUNCTION rollcall.own_types()
RETURNS text[] LANGUAGE sql IMMUTABLE SET search_path = '' AS $$
    SELECT ARRAY['USER_CREATED', 'USER_UPDATED', 'USER_DELETED'] || rollcall.leased_types()
        || ARRAY['MIRROR_USER', 'REVOKE_SESSION']
$$;
CREATE INDEX IF NOT EXISTS idx_job_queue_sessions ON public.job_queue (priority DESC, run_at, id)
    WHERE status = 'PENDING' AND job_type = 'REVOKE_SESSION';

-- As 0017 has it; revocations of sessions are counted with the changes of users, which they are
-- worked off like.
CREATE OR REPLACE FUNCTION rollcall.queue_depths()
RETURNS TABLE (queue text, ready bigint, scheduled bigint, running bigint, retry bigint,
               dead bigint, oldest_seconds double precision)
LANGUAGE sql STABLE SET search_path = '' SET enable_seqscan = off SET jit = off ROWS 3 AS $$
    WITH pending AS (
        SELECT 'users' AS queue, true AS due, 0 AS tries, j.created_at AS since
        FROM public.job_queue j
        WHERE j.status = 'PENDING' AND j.run_at <= j.created_at
          AND j.job_type IN ('USER_CREATED', 'USER_UPDATED', 'USER_DELETED')
        UNION ALL
        SELECT 'users', j.run_at <= now(), j.attempts, j.run_at
        FROM public.job_queue j
        WHERE j.status = 'PENDING' AND (j.run_at <= j.created_at) IS NOT TRUE
          AND j.job_type IN ('USER_CREATED', 'USER_UPDATED', 'USER_DELETED')
        UNION ALL
        SELECT 'users', j.run_at <= now(), j.attempts, j.run_at
        FROM public.job_queue j
        WHERE j.status = 'PENDING' AND j.job_type = 'REVOKE_SESSION'
        UNION ALL
        SELECT 'effects', j.run_at <= now(), j.attempts, j.run_at
        FROM public.job_queue j
        WHERE j.status = 'PENDING'
          AND j.job_type = ANY (rollcall.leased_types())
        UNION ALL
        SELECT 'mirror', j.run_at <= now(), j.attempts, j.created_at
        FROM public.job_queue j
        WHERE j.status = 'PENDING' AND j.job_type = 'MIRROR_USER'
    ), waiting AS (
        SELECT p.queue, count(*) FILTER (WHERE p.due) AS ready,
               count(*) FILTER (WHERE NOT p.due AND p.tries = 0) AS scheduled,
               count(*) FILTER (WHERE NOT p.due AND p.tries > 0) AS retry,
               min(p.since) FILTER (WHERE (p.due OR p.queue = 'mirror') AND isfinite(p.since))
                   AS since
        FROM pending p GROUP BY p.queue
    ), others AS (
        SELECT CASE WHEN j.job_type IN ('USER_CREATED', 'USER_UPDATED', 'USER_DELETED',
                                        'REVOKE_SESSION') THEN 'users'
                    WHEN j.job_type = 'MIRROR_USER' THEN 'mirror'
                    ELSE 'effects' END AS queue,
               count(*) FILTER (WHERE j.status = 'PROCESSING') AS running,
               count(*) FILTER (WHERE j.status = 'FAILED') AS dead
        FROM public.job_queue j
        WHERE j.status IN ('PROCESSING', 'FAILED') AND j.job_type = ANY (rollcall.own_types())
        GROUP BY 1
    )
    SELECT q.queue, coalesce(w.ready, 0), coalesce(w.scheduled, 0), coalesce(o.running, 0),
           coalesce(w.retry, 0), coalesce(o.dead, 0),
           greatest(date_part('epoch', now() - CASE q.queue WHEN 'mirror' THEN least(w.since,
               (SELECT min(j.created_at) FROM public.job_queue j WHERE j.status = 'PROCESSING'
                AND j.job_type = 'MIRROR_USER' AND isfinite(j.created_at))) ELSE w.since END), 0)
    FROM (VALUES (1, 'users'), (2, 'effects'), (3, 'mirror')) AS q (number, queue)
    LEFT JOIN waiting w ON w.queue = q.queue
    LEFT JOIN others o ON o.queue = q.queue
    ORDER BY q.number
$$;

-- As 0009 has it, with these in a branch of their own.
CREATE OR REPLACE FUNCTION rollcall.stuck_jobs(older_than interval DEFAULT '1 hour')
RETURNS TABLE (id uuid, job_type text, status text, attempts integer, since timestamptz,
               worker text, reason text)
LANGUAGE sql STABLE SET search_path = '' SET enable_seqscan = off SET jit = off ROWS 100 AS $$
    SELECT j.id, j.job_type, j.status, j.attempts,
           coalesce(j.updated_at, j.created_at, '-infinity'), j.leased_by,
           CASE WHEN j.lease_until IS NULL THEN 'PROCESSING without a lease'
                WHEN j.lease_until < now() THEN 'its lease lapsed and it was not rescued'
                ELSE 'still running' END
    FROM public.job_queue j
    WHERE j.status = 'PROCESSING' AND j.job_type = ANY (rollcall.own_types())
      AND coalesce(j.updated_at, j.created_at, '-infinity') < now() - older_than
    UNION ALL
    -- One branch for each partial index.
    SELECT j.id, j.job_type, j.status, j.attempts, j.created_at, NULL, 'due, and not taken'
    FROM public.job_queue j
    WHERE j.status = 'PENDING' AND j.run_at <= j.created_at
      AND j.job_type IN ('USER_CREATED', 'USER_UPDATED', 'USER_DELETED')
      AND j.created_at < now() - older_than
    UNION ALL
    SELECT j.id, j.job_type, j.status, j.attempts, j.run_at, NULL, 'due, and not taken'
    FROM public.job_queue j
    WHERE j.status = 'PENDING' AND (j.run_at <= j.created_at) IS NOT TRUE
      AND j.job_type IN ('USER_CREATED', 'USER_UPDATED', 'USER_DELETED')
      AND j.run_at < now() - older_than
    UNION ALL
    SELECT j.id, j.job_type, j.status, j.attempts, j.run_at, NULL, 'due, and not taken'
    FROM public.job_queue j
    WHERE j.status = 'PENDING'
      AND j.job_type = ANY (rollcall.leased_types())
      AND j.run_at < now() - older_than
    UNION ALL
    SELECT j.id, j.job_type, j.status, j.attempts, j.run_at, NULL, 'due, and not taken'
    FROM public.job_queue j
    WHERE j.status = 'PENDING' AND j.job_type = 'MIRROR_USER' AND j.run_at < now() - older_than
    UNION ALL
    SELECT j.id, j.job_type, j.status, j.attempts, j.run_at, NULL, 'due, and not taken'
    FROM public.job_queue j
    WHERE j.status = 'PENDING' AND j.job_type = 'REVOKE_SESSION' AND j.run_at < now() - older_than
    ORDER BY 5, 1
    LIMIT 1000
$$;
