-- Who changed what by hand, and who was given which role: docs/audit.md lists the actions. Rows are
-- added, and removed once they are a year old; nothing else ever happens to them.
CREATE TABLE rollcall.audit_log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- user: over the admin API; cli: with the command line; system: rollcall by itself; webhook: as
    -- an event said; sql: somebody who called a function.
    actor text NOT NULL CHECK (actor IN ('user', 'cli', 'system', 'webhook', 'sql')),
    actor_name text,
    actor_ip text,
    -- Who was connected to the database: the one thing here that nobody can say of himself.
    database_user text NOT NULL DEFAULT session_user,
    action text NOT NULL,
    target text,  -- a job's id, a Clerk id; NULL: rollcall as a whole
    detail jsonb NOT NULL DEFAULT '{}',
    reason text,  -- as the actor gave it
    request_id text
);
CREATE INDEX audit_log_action ON rollcall.audit_log (action, at);
ALTER TABLE rollcall.audit_log ENABLE ROW LEVEL SECURITY;

-- By nobody, its owner included.
CREATE FUNCTION rollcall.keep_audit_log()
RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF OLD.at < now() - interval '365 days' THEN
            RETURN OLD;
        END IF;
    END IF;
    RAISE EXCEPTION 'rollcall.audit_log is only added to: % refused', TG_OP
        USING ERRCODE = 'insufficient_privilege',
              HINT = 'Rows may be deleted once they are 365 days old.';
END
$$;
CREATE TRIGGER keep_rows BEFORE UPDATE OR DELETE ON rollcall.audit_log
    FOR EACH ROW EXECUTE FUNCTION rollcall.keep_audit_log();
CREATE TRIGGER keep_table BEFORE TRUNCATE ON rollcall.audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION rollcall.keep_audit_log();

-- Adds an entry, in the transaction of what it tells of. Who it was is the transaction's setting
-- rollcall.actor ({"actor", "name", "ip", "request_id"}), which the command line and the admin API
-- make; without it, whoever is connected. With the rights of the table's owner, so that those who
-- may call what writes an entry need none of their own.
CREATE FUNCTION rollcall.audit(
    action text, target text DEFAULT NULL, detail jsonb DEFAULT '{}', reason text DEFAULT NULL
) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    INSERT INTO rollcall.audit_log
        (actor, actor_name, actor_ip, request_id, action, target, detail, reason)
    SELECT coalesce(who.said ->> 'actor', 'sql'),
           coalesce(who.said ->> 'name',
                    CASE WHEN who.said IS NULL
                         THEN coalesce(nullif(current_setting('role'), 'none'), session_user) END),
           who.said ->> 'ip', who.said ->> 'request_id',
           audit.action, audit.target, coalesce(audit.detail, '{}'), left(audit.reason, 1000)
    FROM (SELECT nullif(current_setting('rollcall.actor', true), '')::jsonb AS said) who
$$;

-- FAILED or CANCELLED -> PENDING, due now, with all their attempts; returns those that this call
-- set going. Others stay as they are: unknown ids, other states, events kept for review, and jobs
-- whose personal data was removed, which could only write an empty user. Locked in the order of
-- event ids, as by all that adds events, so that none stands in another's way.
CREATE FUNCTION rollcall.retry_jobs(jobs uuid[], reason text DEFAULT NULL)
RETURNS SETOF uuid LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
    RETURN QUERY
    WITH given_up AS MATERIALIZED (
        SELECT j.id, j.status FROM public.job_queue j
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
        RETURNING j.id, j.job_type, j.subject, given_up.status AS was
    ), told AS MATERIALIZED (
        SELECT again.id, rollcall.audit('job.retry', again.id::text, jsonb_strip_nulls(
                   jsonb_build_object('kind', again.job_type, 'subject', again.subject,
                                      'was', again.was)), retry_jobs.reason)
        FROM again
    )
    SELECT told.id FROM told;
    IF FOUND THEN
        PERFORM pg_notify('rollcall_jobs', '');
    END IF;
END
$$;

-- PENDING or PROCESSING -> CANCELLED; returns those that this call cancelled. A worker that runs
-- one meanwhile finds its completion refused; what it did outside the database stays done.
CREATE FUNCTION rollcall.cancel_jobs(jobs uuid[], reason text DEFAULT NULL)
RETURNS SETOF uuid LANGUAGE sql SET search_path = '' AS $$
    WITH open AS MATERIALIZED (
        SELECT j.id, j.status FROM public.job_queue j
        WHERE j.id = ANY (cancel_jobs.jobs) AND j.status IN ('PENDING', 'PROCESSING')
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
        RETURNING j.id, j.job_type, j.subject, open.status AS was
    ), told AS MATERIALIZED (
        SELECT cancelled.id, rollcall.audit('job.cancel', cancelled.id::text, jsonb_strip_nulls(
                   jsonb_build_object('kind', cancelled.job_type, 'subject', cancelled.subject,
                                      'was', cancelled.was)), cancel_jobs.reason)
        FROM cancelled
    )
    SELECT told.id FROM told
$$;

-- One of them. True when this call did it; a notice says when it is an event kept for review.
CREATE OR REPLACE FUNCTION rollcall.retry_job(job uuid)
RETURNS boolean LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
    IF EXISTS (SELECT FROM public.job_queue j
               WHERE j.id = job AND j.status = 'FAILED' AND rollcall.kept_for_review(j)) THEN
        RAISE NOTICE 'job % is an event kept for review: it cannot be retried', job
            USING HINT = 'Mend the cause, then send its message again from Clerk''s dashboard.';
        RETURN false;
    END IF;
    RETURN EXISTS (SELECT FROM rollcall.retry_jobs(ARRAY[job]));
END
$$;

CREATE OR REPLACE FUNCTION rollcall.cancel_job(job uuid)
RETURNS boolean LANGUAGE sql SET search_path = '' AS $$
    SELECT EXISTS (SELECT FROM rollcall.cancel_jobs(ARRAY[job]))
$$;

-- All FAILED jobs of rollcall's, or those of one kind; returns how many. Events kept for review
-- stay as they are; a notice says how many. One transaction: changes of these users wait for its
-- end, so that many are better retried with `rollcall jobs retry`, which goes in steps.
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
        WHERE j.status = 'FAILED'
          AND (j.job_type = retry_failed.job_type
               OR retry_failed.job_type IS NULL AND j.job_type = ANY (rollcall.own_types())))));
END
$$;

-- Nobody but the owner and the server-side role may call any of this.
REVOKE ALL ON FUNCTION rollcall.keep_audit_log(), rollcall.audit(text, text, jsonb, text),
    rollcall.retry_jobs(uuid[], text), rollcall.cancel_jobs(uuid[], text) FROM PUBLIC;
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'service_role') THEN
        GRANT EXECUTE ON FUNCTION rollcall.audit(text, text, jsonb, text),
            rollcall.retry_jobs(uuid[], text), rollcall.cancel_jobs(uuid[], text) TO service_role;
    END IF;
END
$$;

-- Whether the bytes of an event (job_queue.original_event) hold `id`, base64 or not.
CREATE FUNCTION rollcall.event_names(event text, id text)
RETURNS boolean LANGUAGE sql IMMUTABLE SET search_path = '' AS $$
    SELECT coalesce(
        strpos(event, id) > 0
        OR CASE WHEN event ~ '^base64:([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$'
                THEN position(convert_to(id, 'UTF8')
                              IN decode(substr(event, 8), 'base64')) > 0 END,
        false)
$$;
REVOKE ALL ON FUNCTION rollcall.event_names(text, text) FROM PUBLIC;
