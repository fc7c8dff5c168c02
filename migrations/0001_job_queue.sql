-- The queue. Names, types and defaults of the first ten columns are what applications already
-- query; a table that exists is kept and gains what is missing.
CREATE TABLE IF NOT EXISTS public.job_queue (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    job_type text NOT NULL,
    payload jsonb NOT NULL DEFAULT '{}'::jsonb,
    status text NOT NULL DEFAULT 'PENDING',
    priority integer NOT NULL DEFAULT 1,
    error text,
    result jsonb,
    created_at timestamptz DEFAULT now(),
    updated_at timestamptz DEFAULT now(),
    processed_at timestamptz
);

ALTER TABLE public.job_queue
    -- The delivery: Svix's message id, the same over all retries and replays of one event.
    ADD COLUMN IF NOT EXISTS event_id text COLLATE "C",
    -- The event's exact bytes. Text, not jsonb: it is written at half the cost and takes \u0000.
    ADD COLUMN IF NOT EXISTS original_event text,
    -- The change in rollcall's own words: whose, at which version (Clerk's updated_at in
    -- milliseconds; of a deletion the event's time), and what the payload has no key for.
    ADD COLUMN IF NOT EXISTS subject text COLLATE "C",
    ADD COLUMN IF NOT EXISTS version bigint,
    ADD COLUMN IF NOT EXISTS banned boolean,
    ADD COLUMN IF NOT EXISTS locked boolean,
    ADD COLUMN IF NOT EXISTS clerk_created_at timestamptz,
    -- Retries: attempts begun so far, how many it may have (NULL: as configured), when it is due.
    ADD COLUMN IF NOT EXISTS attempts integer NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS max_attempts integer,
    ADD COLUMN IF NOT EXISTS run_at timestamptz NOT NULL DEFAULT now(),
    -- The lease of a job that is PROCESSING; `fence` grows with every claim, and whoever completes
    -- the job must name it. Changes of users are applied in the transaction that completes them and
    -- have none.
    ADD COLUMN IF NOT EXISTS leased_by text,
    ADD COLUMN IF NOT EXISTS lease_until timestamptz,
    ADD COLUMN IF NOT EXISTS fence bigint NOT NULL DEFAULT 0,
    -- Every transition after the first: [{"status","at","attempt"?,"error"?,"worker"?}]. The first
    -- is PENDING at created_at; that of a job that was simply completed is processed_at.
    -- rollcall.job_history puts them together.
    ADD COLUMN IF NOT EXISTS history jsonb NOT NULL DEFAULT '[]'::jsonb,
    -- When e-mail, name and the event's bytes were removed. Such a job cannot be tried again.
    ADD COLUMN IF NOT EXISTS blanked_at timestamptz;

-- lz4 halves the cost of compressing; a server built without it does with its default.
DO $$
BEGIN
    ALTER TABLE public.job_queue
        ALTER COLUMN payload SET COMPRESSION lz4,
        ALTER COLUMN original_event SET COMPRESSION lz4;
EXCEPTION
    WHEN feature_not_supported THEN NULL;
END
$$;

-- The event stands out of line, so that completing a job does not copy it; everything small stays
-- in the row and uncompressed.
ALTER TABLE public.job_queue SET (
    toast_tuple_target = 1024,
    fillfactor = 85,
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 10000,
    autovacuum_analyze_scale_factor = 0,
    autovacuum_analyze_threshold = 50000
);
ALTER TABLE public.job_queue
    ALTER COLUMN job_type SET STORAGE MAIN,
    ALTER COLUMN payload SET STORAGE MAIN,
    ALTER COLUMN status SET STORAGE MAIN,
    ALTER COLUMN error SET STORAGE MAIN,
    ALTER COLUMN result SET STORAGE MAIN,
    ALTER COLUMN event_id SET STORAGE MAIN,
    ALTER COLUMN subject SET STORAGE MAIN,
    ALTER COLUMN leased_by SET STORAGE MAIN,
    ALTER COLUMN history SET STORAGE MAIN;

-- The job types that are rollcall's, and of them those that are worked off under a lease. Every
-- other type belongs to the application that shares this table: it is never claimed, rescued,
-- blanked or removed. The predicates below repeat them, since an index must not depend on a
-- function that may change: a new type wants a new step that replaces all of it.
CREATE OR REPLACE FUNCTION rollcall.leased_types()
RETURNS text[] LANGUAGE sql IMMUTABLE SET search_path = '' AS $$
    SELECT ARRAY['REFRESH_USER', 'UNKNOWN_EVENT']
$$;
CREATE OR REPLACE FUNCTION rollcall.own_types()
RETURNS text[] LANGUAGE sql IMMUTABLE SET search_path = '' AS $$
    SELECT ARRAY['USER_CREATED', 'USER_UPDATED', 'USER_DELETED'] || rollcall.leased_types()
$$;

-- One partial index for each kind of work, so that no claim walks rows it cannot take:
-- changes that are due at once, changes that wait for their time, work with outside effects, and
-- what is the application's.
-- The id lets a worker go on exactly where it stopped: rows enqueued by one statement share their
-- times, and entries of finished rows stay in the index as long as any old snapshot lives.
DROP INDEX IF EXISTS public.idx_job_queue_status;
DROP INDEX IF EXISTS public.idx_job_queue_priority_created;
CREATE INDEX idx_job_queue_priority_created ON public.job_queue (priority DESC, created_at ASC, id)
    WHERE status = 'PENDING' AND run_at <= created_at
      AND job_type IN ('USER_CREATED', 'USER_UPDATED', 'USER_DELETED');
CREATE INDEX IF NOT EXISTS idx_job_queue_scheduled ON public.job_queue (run_at)
    WHERE status = 'PENDING' AND (run_at <= created_at) IS NOT TRUE
      AND job_type IN ('USER_CREATED', 'USER_UPDATED', 'USER_DELETED');
CREATE INDEX IF NOT EXISTS idx_job_queue_leased ON public.job_queue (priority DESC, run_at, id)
    WHERE status = 'PENDING' AND job_type IN ('REFRESH_USER', 'UNKNOWN_EVENT');
CREATE INDEX IF NOT EXISTS idx_job_queue_foreign ON public.job_queue (priority DESC, created_at ASC)
    WHERE status = 'PENDING'
      AND job_type NOT IN ('USER_CREATED', 'USER_UPDATED', 'USER_DELETED', 'REFRESH_USER',
                           'UNKNOWN_EVENT');
CREATE INDEX idx_job_queue_status ON public.job_queue (status, job_type, updated_at)
    WHERE status NOT IN ('PENDING', 'COMPLETED');
-- Rows arrive in the order of time: a few pages of summary serve the monitoring queries. Nothing is
-- indexed for pruning, for blanking or by subject: an index on subject costs each accepted event a
-- fifth more, and the chores walk the table's pages instead (docs/jobs.md, "Retention").
CREATE INDEX IF NOT EXISTS idx_job_queue_created ON public.job_queue USING brin (created_at);
CREATE UNIQUE INDEX IF NOT EXISTS idx_job_queue_event_id ON public.job_queue (event_id);
