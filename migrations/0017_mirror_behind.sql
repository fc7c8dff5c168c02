-- compatible: two functions that count the age of the mirror's jobs from another moment on.

-- As 0009 has it; of the mirror, for how long the oldest job has been there that is not done: one
-- that is put off again and again is never due for long.
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
           coalesce(w.retry, 0), coalesce(o.dead, 0),
           greatest(date_part('epoch', now() - CASE q.queue WHEN 'mirror' THEN least(w.since,
               (SELECT min(j.created_at) FROM public.job_queue j WHERE j.status = 'PROCESSING'
                AND j.job_type = 'MIRROR_USER' AND isfinite(j.created_at))) ELSE w.since END), 0)
    FROM (VALUES (1, 'users'), (2, 'effects'), (3, 'mirror')) AS q (number, queue)
    LEFT JOIN waiting w ON w.queue = q.queue
    LEFT JOIN others o ON o.queue = q.queue
    ORDER BY q.number
$$;

-- As 0015 has it; a job of the mirror begins anew, as where a change arms it: what is told of its
-- age is from then on.
CREATE OR REPLACE FUNCTION rollcall.retry_jobs(jobs uuid[], reason text DEFAULT NULL)
RETURNS SETOF uuid LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
    RETURN QUERY
    WITH given_up AS MATERIALIZED (
        SELECT j.id, j.status, nullif(rollcall.deletion_held(j), false) AS held
        FROM public.job_queue j
        WHERE j.id = ANY (retry_jobs.jobs) AND j.status IN ('FAILED', 'CANCELLED')
          AND j.blanked_at IS NULL
          AND NOT (j.status = 'FAILED' AND rollcall.kept_for_review(j))
        ORDER BY j.event_id, j.id
        FOR UPDATE
    ), again AS (
        UPDATE public.job_queue j
        SET status = 'PENDING', attempts = 0, run_at = now(), updated_at = clock_timestamp(),
            created_at = CASE j.job_type WHEN 'MIRROR_USER' THEN now() ELSE j.created_at END,
            processed_at = NULL, error = NULL, result = NULL, leased_by = NULL,
            lease_until = NULL,
            payload = rollcall.with_retry_count(j.payload, 0),
            history = rollcall.add_transition(rollcall.recorded_history(j), 'PENDING',
                                              error => 'retried on request')
        FROM given_up
        WHERE j.id = given_up.id
        RETURNING j.id, j.job_type, j.subject, given_up.status AS was, given_up.held
    ), told AS MATERIALIZED (
        SELECT again.id, rollcall.audit('job.retry', again.id::text, jsonb_strip_nulls(
                   jsonb_build_object('kind', again.job_type, 'subject', again.subject,
                                      'was', again.was, 'held', again.held)), retry_jobs.reason)
        FROM again
    )
    SELECT told.id FROM told;
    IF FOUND THEN
        PERFORM pg_notify('rollcall_jobs', '');
    END IF;
END
$$;
