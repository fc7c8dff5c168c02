-- compatible: functions that know one case more, and a column that may be NULL.

-- Whether a job is a deletion by webhook that was held back for a person
-- (webhooks.hold_deletion_burst): the reason it failed for says so.
CREATE FUNCTION rollcall.deletion_held(job public.job_queue)
RETURNS boolean LANGUAGE sql IMMUTABLE SET search_path = '' AS $$
    SELECT job.status = 'FAILED' AND job.job_type = 'USER_DELETED'
       AND coalesce(pg_catalog.starts_with(job.error, 'held: '), false)
$$;

-- Those whose user is not deleted meanwhile, in another way.
CREATE FUNCTION rollcall.held_deletions()
RETURNS TABLE (job uuid, clerk_id text, held_at timestamptz)
LANGUAGE sql STABLE SET search_path = '' SET enable_seqscan = off SET jit = off ROWS 100 AS $$
    SELECT j.id, coalesce(j.subject, j.payload ->> 'clerk_id'),
        coalesce(j.processed_at, j.updated_at)
    FROM public.job_queue j
    WHERE j.status = 'FAILED' AND j.job_type = 'USER_DELETED' AND rollcall.deletion_held(j)
      AND NOT EXISTS (SELECT FROM rollcall.ledger l
                      WHERE l.clerk_id = coalesce(j.subject, j.payload ->> 'clerk_id')
                        AND l.deleted_at IS NOT NULL)
$$;

-- As 0011 has it, less those that a person let through.
CREATE OR REPLACE FUNCTION rollcall.webhook_deletions()
RETURNS TABLE (users bigint, first_at timestamptz)
LANGUAGE sql STABLE SET search_path = '' SET enable_seqscan = off SET jit = off ROWS 1 AS $$
    SELECT greatest(0, count(*)
            - (SELECT coalesce(sum(r.deleted), 0)::bigint FROM rollcall.sync_runs r
               WHERE r.deleted > 0 AND coalesce(r.finished_at, now()) > now() - interval '1 hour'
                 AND r.started_at > now() - interval '7 days')
            - (SELECT count(*) FROM rollcall.held_deletes h
               WHERE h.decision = 'approved' AND h.decided_at > now() - interval '1 hour')
            - (SELECT count(*) FROM rollcall.absences a
               WHERE a.concluded_at > now() - interval '1 hour')
            - (SELECT count(*) FROM rollcall.audit_log e
               WHERE e.action = 'job.retry' AND e.at > now() - interval '1 hour'
                 AND e.detail ->> 'held' = 'true')),
        min(l.deletion_seen_at)
    FROM rollcall.ledger l
    WHERE l.deletion_seen_at > now() - interval '1 hour'
$$;

-- As 0010 has it; the entry says of a deletion that was held back that it was.
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

-- As 0010 has it; deletions that are held back may be cancelled too: they are refused then.
CREATE OR REPLACE FUNCTION rollcall.cancel_jobs(jobs uuid[], reason text DEFAULT NULL)
RETURNS SETOF uuid LANGUAGE sql SET search_path = '' AS $$
    WITH open AS MATERIALIZED (
        SELECT j.id, j.status, nullif(rollcall.deletion_held(j), false) AS held
        FROM public.job_queue j
        WHERE j.id = ANY (cancel_jobs.jobs)
          AND (j.status IN ('PENDING', 'PROCESSING') OR rollcall.deletion_held(j))
        ORDER BY j.event_id, j.id
        FOR UPDATE
    ), cancelled AS (
        UPDATE public.job_queue j
        SET status = 'CANCELLED', fence = j.fence + 1, updated_at = clock_timestamp(),
            processed_at = clock_timestamp(),
            error = 'cancelled on request', leased_by = NULL, lease_until = NULL,
            history = rollcall.add_transition(rollcall.recorded_history(j), 'CANCELLED',
                                              nullif(j.attempts, 0), 'cancelled on request')
        FROM open
        WHERE j.id = open.id
        RETURNING j.id, j.job_type, j.subject, open.status AS was, open.held
    ), told AS MATERIALIZED (
        SELECT cancelled.id, rollcall.audit('job.cancel', cancelled.id::text, jsonb_strip_nulls(
                   jsonb_build_object('kind', cancelled.job_type, 'subject', cancelled.subject,
                                      'was', cancelled.was, 'held', cancelled.held)),
               cancel_jobs.reason)
        FROM cancelled
    )
    SELECT told.id FROM told
$$;

-- As 0010 has it; deletions that are held back stay as they are.
CREATE OR REPLACE FUNCTION rollcall.retry_failed(job_type text DEFAULT NULL)
RETURNS bigint LANGUAGE plpgsql SET search_path = '' AS $$
#variable_conflict use_column
DECLARE
    kept bigint;
BEGIN
    SELECT count(*) INTO kept FROM public.job_queue j
    WHERE j.status = 'FAILED' AND rollcall.kept_for_review(j)
      AND (j.job_type = retry_failed.job_type OR retry_failed.job_type IS NULL);
    IF kept > 0 THEN
        RAISE NOTICE '% events kept for review were left: they cannot be retried', kept
            USING HINT = 'Mend the cause, then send their messages again from Clerk''s dashboard.';
    END IF;
    RETURN (SELECT count(*) FROM rollcall.retry_jobs(ARRAY(
        SELECT j.id FROM public.job_queue j
        WHERE j.status = 'FAILED' AND NOT rollcall.deletion_held(j)
          AND (j.job_type = retry_failed.job_type
               OR retry_failed.job_type IS NULL AND j.job_type = ANY (rollcall.own_types())))));
END
$$;

-- Copies of deleted users that a person allows the next comparison of the mirror to remove, beyond
-- its guard.
ALTER TABLE rollcall.mirror_state ADD COLUMN IF NOT EXISTS removals_allowed bigint;

REVOKE ALL ON FUNCTION rollcall.deletion_held(public.job_queue), rollcall.held_deletions()
    FROM PUBLIC;
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'service_role') THEN
        GRANT EXECUTE ON FUNCTION rollcall.deletion_held(public.job_queue),
            rollcall.held_deletions() TO service_role;
    END IF;
END
$$;
