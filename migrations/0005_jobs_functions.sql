-- The queue's operations in SQL, for applications and operators: docs/sql.md explains each. They
-- run with the rights of the caller, who needs those on public.job_queue.

-- One holder at a time for a duty, among all instances (src/jobs/lease.hpp). `fence` grows with
-- every change of holder.
CREATE TABLE rollcall.leases (
    name text PRIMARY KEY,
    holder text NOT NULL,
    until timestamptz NOT NULL,
    fence bigint NOT NULL
) WITH (fillfactor = 50);

-- The chores ask who was deleted lately.
CREATE INDEX ledger_deletion_seen_at ON rollcall.ledger (deletion_seen_at)
    WHERE deleted_at IS NOT NULL;

-- RFC 3339 in UTC with microseconds: what a cursor can hold without losing any.
CREATE FUNCTION rollcall.rfc3339(at timestamptz)
RETURNS text LANGUAGE sql IMMUTABLE SET search_path = '' AS $$
    SELECT to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
$$;

-- `history` with one transition more. The newest 200 are kept. The time is the clock's, not the
-- transaction's: of two that waited for each other the second is the later one.
CREATE FUNCTION rollcall.add_transition(
    history jsonb, status text, attempt integer DEFAULT NULL, error text DEFAULT NULL,
    worker text DEFAULT NULL, at timestamptz DEFAULT clock_timestamp()
) RETURNS jsonb LANGUAGE sql STABLE SET search_path = '' AS $$
    SELECT CASE WHEN jsonb_typeof(history) <> 'array' THEN '[]'
                WHEN jsonb_array_length(history) < 200 THEN history
                ELSE history - 0 END
        || jsonb_build_array(jsonb_strip_nulls(jsonb_build_object(
               'status', status, 'at', at, 'attempt', attempt, 'error', error, 'worker', worker)))
$$;

-- The history of `job` with the state it is in, where another program wrote that without recording
-- it: what a step that leaves this state starts from, so that no reason is lost.
CREATE FUNCTION rollcall.recorded_history(job public.job_queue)
RETURNS jsonb LANGUAGE sql STABLE SET search_path = '' AS $$
    SELECT CASE WHEN job.history -> -1 ->> 'status' = job.status
                  OR (job.status = 'PENDING' AND job.history = '[]')
                THEN job.history
                ELSE rollcall.add_transition(
                    job.history, job.status, nullif(job.attempts, 0), job.error, job.leased_by,
                    coalesce(job.processed_at, job.updated_at, job.created_at, now())) END
$$;

-- `payload` with its key retry_count at `retries`.
CREATE FUNCTION rollcall.with_retry_count(payload jsonb, retries integer)
RETURNS jsonb LANGUAGE sql IMMUTABLE SET search_path = '' AS $$
    SELECT CASE WHEN jsonb_typeof(payload) = 'object'
                THEN payload || jsonb_build_object('retry_count', greatest(retries, 0))
                ELSE payload END
$$;

-- The version of a change that came without one (a job added by SQL): in milliseconds, the time
-- that its payload gives as created_at, where that is one, with a zone, and not after its arrival;
-- else its arrival.
CREATE FUNCTION rollcall.payload_version(payload jsonb, arrived_at timestamptz)
RETURNS bigint LANGUAGE plpgsql STABLE SET search_path = '' AS $$
DECLARE
    told text := payload ->> 'created_at';
    at timestamptz;
BEGIN
    IF told ~ '^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d(:?\d\d)?)$' THEN
        BEGIN
            at := told::timestamptz;
        EXCEPTION
            WHEN data_exception THEN NULL;  -- the 30th of February
        END;
    END IF;
    IF at BETWEEN 'epoch' AND arrived_at THEN
        arrived_at := at;
    END IF;
    RETURN floor(extract(epoch FROM arrived_at) * 1000);
END
$$;

-- All transitions of a job, the first (PENDING at created_at) and the last included, in order.
CREATE FUNCTION rollcall.job_history(job uuid)
RETURNS TABLE (status text, at timestamptz, attempt integer, error text, worker text)
LANGUAGE sql STABLE SET search_path = '' ROWS 5 AS $$
    WITH job AS (
        SELECT j.* FROM public.job_queue j WHERE j.id = job
    ), recorded AS (
        SELECT entry.number, entry.value ->> 'status' AS status,
               (entry.value ->> 'at')::timestamptz AS at,
               (entry.value ->> 'attempt')::integer AS attempt,
               entry.value ->> 'error' AS error, entry.value ->> 'worker' AS worker
        FROM job, jsonb_array_elements(
            CASE WHEN jsonb_typeof(job.history) = 'array' THEN job.history ELSE '[]' END
        ) WITH ORDINALITY AS entry (value, number)
    ), shown AS (
        -- A dead letter from the start (an event that cannot be used) was never PENDING.
        SELECT 0 AS number, 'PENDING' AS status, job.created_at AS at, NULL::integer AS attempt,
               NULL::text AS error, NULL::text AS worker
        FROM job
        WHERE NOT EXISTS (SELECT FROM recorded r
                          WHERE r.number = 1 AND r.status = 'FAILED' AND r.at = job.created_at)
        UNION ALL
        SELECT * FROM recorded
    )
    SELECT s.status, s.at, s.attempt, s.error, s.worker
    FROM (
        SELECT * FROM shown
        UNION ALL
        -- What is not recorded: a change of a user that was simply completed, or whatever another
        -- program wrote.
        SELECT 1000000, job.status,
               CASE WHEN job.status = 'PROCESSING' THEN job.updated_at
                    ELSE coalesce(job.processed_at, job.updated_at) END,
               CASE WHEN job.status = 'COMPLETED' THEN nullif(job.attempts, 0) END,
               CASE WHEN job.status = 'FAILED' THEN job.error END, job.leased_by
        FROM job
        WHERE job.status IS DISTINCT FROM
              (SELECT last.status FROM shown last ORDER BY last.number DESC LIMIT 1)
    ) s
    ORDER BY s.number
$$;

-- Adds a job and returns its id; that of the first job where `event_id` is known already. Workers
-- are woken when the transaction commits.
CREATE FUNCTION rollcall.enqueue(
    job_type text, payload jsonb, priority integer DEFAULT 1, run_at timestamptz DEFAULT now(),
    event_id text DEFAULT NULL
) RETURNS uuid LANGUAGE plpgsql SET search_path = '' AS $$
#variable_conflict use_column
DECLARE
    job uuid;
BEGIN
    IF coalesce(enqueue.job_type, '') = '' THEN
        RAISE EXCEPTION 'job_type is empty' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF jsonb_typeof(enqueue.payload) IS DISTINCT FROM 'object' THEN
        RAISE EXCEPTION 'payload is not a JSON object' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    -- Another call with the same event may be pruned between the two statements: then once more.
    FOR try IN 1 .. 3 LOOP
        INSERT INTO public.job_queue AS j
            (id, job_type, payload, priority, run_at, event_id, subject)
        VALUES (
            -- UUID version 7: ids in the order of time keep the index small and warm.
            encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid()) PLACING substring(int8send(
                floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3)
                FROM 1 FOR 6), 52, 1), 53, 1), 'hex')::uuid,
            enqueue.job_type, enqueue.payload, coalesce(enqueue.priority, 1),
            coalesce(enqueue.run_at, now()), enqueue.event_id, enqueue.payload ->> 'clerk_id')
        ON CONFLICT (event_id) DO NOTHING
        RETURNING j.id INTO job;
        IF job IS NOT NULL THEN
            PERFORM pg_notify('rollcall_jobs', '');
            RETURN job;
        END IF;
        SELECT j.id INTO job FROM public.job_queue j WHERE j.event_id = enqueue.event_id;
        IF job IS NOT NULL THEN
            RETURN job;
        END IF;
    END LOOP;
    RAISE EXCEPTION 'event % comes and goes', enqueue.event_id
        USING ERRCODE = 'serialization_failure';
END
$$;

-- Whether a job is an event that could not be read and is kept for a person: no worker can do
-- anything with it, only a new delivery of it is read again.
CREATE FUNCTION rollcall.kept_for_review(job public.job_queue)
RETURNS boolean LANGUAGE sql IMMUTABLE SET search_path = '' AS $$
    SELECT job.event_id IS NOT NULL
       AND job.job_type IN ('USER_CREATED', 'USER_UPDATED', 'USER_DELETED', 'UNKNOWN_EVENT')
       AND coalesce(job.subject, job.payload ->> 'clerk_id') IS NULL
$$;

-- FAILED or CANCELLED -> PENDING, due now, with all its attempts. True when this call did it: false
-- for an unknown id, another state, an event kept for review (a notice says so), and a job whose
-- personal data was removed, which could only write an empty user.
CREATE FUNCTION rollcall.retry_job(job uuid)
RETURNS boolean LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
    IF EXISTS (SELECT FROM public.job_queue j
               WHERE j.id = job AND j.status = 'FAILED' AND rollcall.kept_for_review(j)) THEN
        RAISE NOTICE 'job % is an event kept for review: it cannot be retried', job
            USING HINT = 'Mend the cause, then send its message again from Clerk''s dashboard.';
        RETURN false;
    END IF;
    UPDATE public.job_queue j
    SET status = 'PENDING', attempts = 0, run_at = now(), updated_at = clock_timestamp(),
        processed_at = NULL, error = NULL, result = NULL, leased_by = NULL,
        lease_until = NULL,
        payload = rollcall.with_retry_count(j.payload, 0),
        history = rollcall.add_transition(rollcall.recorded_history(j), 'PENDING',
                                          error => 'retried on request')
    WHERE j.id = job AND j.status IN ('FAILED', 'CANCELLED') AND j.blanked_at IS NULL;
    IF FOUND THEN
        PERFORM pg_notify('rollcall_jobs', '');
    END IF;
    RETURN FOUND;
END
$$;

-- The same for all FAILED jobs of rollcall's, or those of one kind; returns how many. Events kept
-- for review stay as they are; a notice says how many.
CREATE FUNCTION rollcall.retry_failed(job_type text DEFAULT NULL)
RETURNS bigint LANGUAGE plpgsql SET search_path = '' AS $$
#variable_conflict use_column
DECLARE
    retried bigint;
    kept bigint;
BEGIN
    SELECT count(*) INTO kept FROM public.job_queue j
    WHERE j.status = 'FAILED' AND rollcall.kept_for_review(j)
      AND (j.job_type = retry_failed.job_type OR retry_failed.job_type IS NULL);
    IF kept > 0 THEN
        RAISE NOTICE '% events kept for review were left: they cannot be retried', kept
            USING HINT = 'Mend the cause, then send their messages again from Clerk''s dashboard.';
    END IF;
    -- Locked in the order of ids, so that two calls at once do not stand in each other's way.
    WITH failed AS MATERIALIZED (
        SELECT j.id FROM public.job_queue j
        WHERE j.status = 'FAILED' AND j.blanked_at IS NULL AND NOT rollcall.kept_for_review(j)
          AND (j.job_type = retry_failed.job_type
               OR retry_failed.job_type IS NULL AND j.job_type = ANY (rollcall.own_types()))
        ORDER BY j.id
        FOR UPDATE
    )
    UPDATE public.job_queue j
    SET status = 'PENDING', attempts = 0, run_at = now(), updated_at = clock_timestamp(),
        processed_at = NULL, error = NULL, result = NULL, leased_by = NULL,
        lease_until = NULL,
        payload = rollcall.with_retry_count(j.payload, 0),
        history = rollcall.add_transition(rollcall.recorded_history(j), 'PENDING',
                                          error => 'retried on request')
    FROM failed
    WHERE j.id = failed.id;
    GET DIAGNOSTICS retried = ROW_COUNT;
    IF retried > 0 THEN
        PERFORM pg_notify('rollcall_jobs', '');
    END IF;
    RETURN retried;
END
$$;

-- PENDING or PROCESSING -> CANCELLED. True when this call did it. A worker that runs the job
-- meanwhile finds its completion refused; what it did outside the database stays done.
CREATE FUNCTION rollcall.cancel_job(job uuid)
RETURNS boolean LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
    UPDATE public.job_queue j
    SET status = 'CANCELLED', fence = j.fence + 1, updated_at = clock_timestamp(),
        processed_at = clock_timestamp(),
        error = 'cancelled on request', leased_by = NULL, lease_until = NULL,
        history = rollcall.add_transition(rollcall.recorded_history(j), 'CANCELLED',
                                          nullif(j.attempts, 0), 'cancelled on request')
    WHERE j.id = job AND j.status IN ('PENDING', 'PROCESSING');
    RETURN FOUND;
END
$$;

-- How many jobs of each kind are in each state; how many of the PENDING ones are due; since when
-- the oldest is there; and how long those that were completed within a day took, from creation on.
-- Reads the whole table: about half a second for each million jobs. queue_depth does not.
CREATE FUNCTION rollcall.queue_stats()
RETURNS TABLE (job_type text, status text, jobs bigint, due bigint, oldest_at timestamptz,
               average_seconds double precision)
LANGUAGE sql STABLE SET search_path = '' SET jit = off ROWS 20 AS $$
    SELECT j.job_type, j.status, count(*),
           count(*) FILTER (WHERE j.status = 'PENDING' AND j.run_at <= now()),
           min(j.created_at),
           avg(date_part('epoch', j.processed_at - j.created_at))
               FILTER (WHERE j.status = 'COMPLETED' AND j.processed_at > now() - interval '1 day')
    FROM public.job_queue j
    GROUP BY j.job_type, j.status
    ORDER BY j.job_type, j.status
$$;

-- How much of rollcall's own waits: jobs that are due, due later, running, waiting for their next
-- attempt, and given up; and for how long the oldest due one has been due. Finished jobs are not
-- looked at: partial indexes answer, which the planner cannot know to be small.
CREATE FUNCTION rollcall.queue_depth()
RETURNS TABLE (queue text, ready bigint, scheduled bigint, running bigint, retry bigint,
               dead bigint, oldest_seconds double precision)
LANGUAGE sql STABLE SET search_path = '' SET enable_seqscan = off SET jit = off ROWS 2 AS $$
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
    ), waiting AS (
        SELECT p.queue, count(*) FILTER (WHERE p.due) AS ready,
               count(*) FILTER (WHERE NOT p.due AND p.tries = 0) AS scheduled,
               count(*) FILTER (WHERE NOT p.due AND p.tries > 0) AS retry,
               date_part('epoch', now() - min(p.since)
                   FILTER (WHERE p.due AND isfinite(p.since))) AS oldest_seconds
        FROM pending p GROUP BY p.queue
    ), others AS (
        SELECT CASE WHEN j.job_type IN ('USER_CREATED', 'USER_UPDATED', 'USER_DELETED')
                    THEN 'users' ELSE 'effects' END AS queue,
               count(*) FILTER (WHERE j.status = 'PROCESSING') AS running,
               count(*) FILTER (WHERE j.status = 'FAILED') AS dead
        FROM public.job_queue j
        WHERE j.status IN ('PROCESSING', 'FAILED') AND j.job_type = ANY (rollcall.own_types())
        GROUP BY 1
    )
    SELECT q.queue, coalesce(w.ready, 0), coalesce(w.scheduled, 0), coalesce(o.running, 0),
           coalesce(w.retry, 0), coalesce(o.dead, 0), greatest(w.oldest_seconds, 0)
    FROM (VALUES ('users'), ('effects')) AS q (queue)
    LEFT JOIN waiting w ON w.queue = q.queue
    LEFT JOIN others o ON o.queue = q.queue
    ORDER BY q.queue DESC
$$;

-- The oldest thousand of rollcall's own jobs that ought to have moved on: PROCESSING, or due and
-- not taken, for longer than `older_than`.
CREATE FUNCTION rollcall.stuck_jobs(older_than interval DEFAULT '1 hour')
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
    ORDER BY 5, 1
    LIMIT 1000
$$;

-- Nobody but the owner and the server-side role may call any of this.
DO $$
DECLARE
    who text;
    what regprocedure;
BEGIN
    FOR what IN
        SELECT p.oid FROM pg_catalog.pg_proc p
        WHERE p.pronamespace = 'rollcall'::regnamespace
          AND p.proname IN ('rfc3339', 'add_transition', 'recorded_history', 'with_retry_count',
                            'payload_version', 'job_history', 'enqueue', 'kept_for_review',
                            'retry_job', 'retry_failed', 'cancel_job', 'queue_stats',
                            'queue_depth', 'stuck_jobs')
    LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', what);
        FOR who IN SELECT rolname FROM pg_catalog.pg_roles
                   WHERE rolname IN ('anon', 'authenticated') LOOP
            EXECUTE format('REVOKE ALL ON FUNCTION %s FROM %I', what, who);
        END LOOP;
        IF EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'service_role') THEN
            EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO service_role', what);
        END IF;
    END LOOP;
    REVOKE ALL ON TABLE rollcall.leases FROM PUBLIC;
    FOR who IN SELECT rolname FROM pg_catalog.pg_roles
               WHERE rolname IN ('anon', 'authenticated') LOOP
        EXECUTE format('REVOKE ALL ON TABLE rollcall.leases FROM %I', who);
    END LOOP;
END
$$;
