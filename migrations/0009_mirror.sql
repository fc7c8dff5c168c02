-- The mirror of the users table in Supabase Auth: jobs of a type and a lane of their own, and what
-- is known of each copy.

-- One type more (0001 explains the lists and why the predicates repeat them). It is in no list of
-- leased types: those share a lane, which a neighbour that hangs must not fill.
CREATE OR REPLACE FUNCTION rollcall.own_types()
RETURNS text[] LANGUAGE sql IMMUTABLE SET search_path = '' AS $$
    SELECT ARRAY['USER_CREATED', 'USER_UPDATED', 'USER_DELETED'] || rollcall.leased_types()
        || ARRAY['MIRROR_USER']
$$;

-- The index of an application's jobs (0001) stays as it is, with these in it: its claims name their
-- type, and replacing it would keep everybody from the table for as long as that is read.
CREATE INDEX IF NOT EXISTS idx_job_queue_mirror ON public.job_queue (priority DESC, run_at, id)
    WHERE status = 'PENDING' AND job_type = 'MIRROR_USER';

-- Whose copy is which Auth user, and what was last written there.
CREATE TABLE rollcall.mirror_users (
    clerk_id text COLLATE "C" PRIMARY KEY,
    auth_id uuid,  -- NULL: none was seen yet
    adopted boolean NOT NULL DEFAULT false,  -- it was there before
    content_hash bigint,  -- NULL: to be written again, whatever it is
    skipped text,  -- why there is no copy; NULL: there is one
    unsure_until timestamptz,  -- until then a write whose end nobody heard may be carried out
    mirrored_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 85);
CREATE UNIQUE INDEX mirror_users_auth_id ON rollcall.mirror_users (auth_id) WHERE skipped IS NULL;
CREATE INDEX mirror_users_skipped ON rollcall.mirror_users (skipped) WHERE skipped IS NOT NULL;

-- One row. Until `wanted_until` whoever applies changes arms the mirror's jobs, with or without the
-- settings of the mirror: a run of `rollcall sync` by hand, an instance that only takes webhooks.
CREATE TABLE rollcall.mirror_state (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    wanted_until timestamptz NOT NULL DEFAULT '-infinity',
    -- The last comparison with Supabase Auth that came to its end, by when it began: how Auth's
    -- users were seen (sql, pages), and who was found without a job that waits or runs already.
    compared_at timestamptz,
    compared_by text,
    missing bigint NOT NULL DEFAULT 0,  -- living rows without a copy
    different bigint NOT NULL DEFAULT 0,  -- copies that are not as their row
    extra bigint NOT NULL DEFAULT 0,  -- copies of nobody living
    foreign_users bigint NOT NULL DEFAULT 0,  -- Auth users who are not rollcall's
    held bigint NOT NULL DEFAULT 0,  -- of the extra ones: too many to be removed without a person
    begun_at timestamptz,  -- the last attempt
    failed_at timestamptz,  -- since then none came to its end, and why
    failure text
);
INSERT INTO rollcall.mirror_state DEFAULT VALUES;

-- Auth's users as a comparison sees them, while it runs; after a crash of the server it begins
-- anew. Addresses and names as hashes: nobody's are kept here.
CREATE UNLOGGED TABLE rollcall.mirror_seen (
    run bigint NOT NULL,
    auth_id uuid NOT NULL,
    clerk_id text COLLATE "C",
    email bigint,
    name bigint,
    role text,
    confirmed boolean NOT NULL,
    banned boolean NOT NULL,
    soft_deleted boolean NOT NULL,
    PRIMARY KEY (run, auth_id)
);
CREATE INDEX mirror_seen_clerk_id ON rollcall.mirror_seen (run, clerk_id)
    WHERE clerk_id IS NOT NULL;

ALTER TABLE rollcall.mirror_users ENABLE ROW LEVEL SECURITY;
ALTER TABLE rollcall.mirror_state ENABLE ROW LEVEL SECURITY;
ALTER TABLE rollcall.mirror_seen ENABLE ROW LEVEL SECURITY;

-- How much of rollcall's own waits, in each queue: jobs that are due, due later, running, waiting
-- for their next attempt, and given up; and for how long the oldest due one has been due. Finished
-- jobs are not looked at: partial indexes answer, which the planner cannot know to be small.
CREATE FUNCTION rollcall.queue_depths()
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
        SELECT 'effects', j.run_at <= now(), j.attempts, j.run_at
        FROM public.job_queue j
        WHERE j.status = 'PENDING'
          AND j.job_type = ANY (rollcall.leased_types())
        UNION ALL
        SELECT 'mirror', j.run_at <= now(), j.attempts, j.run_at
        FROM public.job_queue j
        WHERE j.status = 'PENDING' AND j.job_type = 'MIRROR_USER'
    ), waiting AS (
        SELECT p.queue, count(*) FILTER (WHERE p.due) AS ready,
               count(*) FILTER (WHERE NOT p.due AND p.tries = 0) AS scheduled,
               count(*) FILTER (WHERE NOT p.due AND p.tries > 0) AS retry,
               date_part('epoch', now() - min(p.since)
                   FILTER (WHERE p.due AND isfinite(p.since))) AS oldest_seconds
        FROM pending p GROUP BY p.queue
    ), others AS (
        SELECT CASE WHEN j.job_type IN ('USER_CREATED', 'USER_UPDATED', 'USER_DELETED') THEN 'users'
                    WHEN j.job_type = 'MIRROR_USER' THEN 'mirror'
                    ELSE 'effects' END AS queue,
               count(*) FILTER (WHERE j.status = 'PROCESSING') AS running,
               count(*) FILTER (WHERE j.status = 'FAILED') AS dead
        FROM public.job_queue j
        WHERE j.status IN ('PROCESSING', 'FAILED') AND j.job_type = ANY (rollcall.own_types())
        GROUP BY 1
    )
    SELECT q.queue, coalesce(w.ready, 0), coalesce(w.scheduled, 0), coalesce(o.running, 0),
           coalesce(w.retry, 0), coalesce(o.dead, 0), greatest(w.oldest_seconds, 0)
    FROM (VALUES (1, 'users'), (2, 'effects'), (3, 'mirror')) AS q (number, queue)
    LEFT JOIN waiting w ON w.queue = q.queue
    LEFT JOIN others o ON o.queue = q.queue
    ORDER BY q.number
$$;

-- What the mirror tells of itself: users whose copy is to be written, whose copy was given up, and
-- who have none. By the same partial indexes, and for the same reason.
CREATE FUNCTION rollcall.mirror_counts()
RETURNS TABLE (pending bigint, dead bigint, skipped bigint)
LANGUAGE sql STABLE SET search_path = '' SET enable_seqscan = off SET jit = off ROWS 1 AS $$
    SELECT
        (SELECT count(*) FROM public.job_queue j
         WHERE j.status = 'PENDING' AND j.job_type = 'MIRROR_USER')
        + (SELECT count(*) FROM public.job_queue j
           WHERE j.status = 'PROCESSING' AND j.job_type = 'MIRROR_USER'),
        (SELECT count(*) FROM public.job_queue j
         WHERE j.status = 'FAILED' AND j.job_type = 'MIRROR_USER'),
        (SELECT count(*) FROM rollcall.mirror_users m WHERE m.skipped IS NOT NULL)
$$;

REVOKE ALL ON FUNCTION rollcall.queue_depths() FROM PUBLIC;
REVOKE ALL ON FUNCTION rollcall.mirror_counts() FROM PUBLIC;

-- The first two of them, for ever: builds from before the mirror know no other queue.
CREATE OR REPLACE FUNCTION rollcall.queue_depth()
RETURNS TABLE (queue text, ready bigint, scheduled bigint, running bigint, retry bigint,
               dead bigint, oldest_seconds double precision)
LANGUAGE sql STABLE SET search_path = '' SET enable_seqscan = off SET jit = off ROWS 2 AS $$
    SELECT * FROM rollcall.queue_depths() d WHERE d.queue <> 'mirror'
$$;

-- The oldest thousand of rollcall's own jobs that ought to have moved on: PROCESSING, or due and
-- not taken, for longer than `older_than`.
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
    ORDER BY 5, 1
    LIMIT 1000
$$;
