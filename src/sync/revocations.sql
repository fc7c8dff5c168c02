-- The statements of session_revocations.cpp.

-- name: revoke_sessions
-- Claims, notes and completes in one transaction, as changes of users are: there is no effect
-- outside the database. Events of one session come in any order, and again: the earliest counts.
-- A time that lies ahead is now.
WITH due AS MATERIALIZED (
    SELECT j.id, greatest(j.run_at, 'epoch') AS due_at,
        CASE WHEN octet_length(j.payload ->> 'session_id') BETWEEN 1 AND 255
             THEN j.payload ->> 'session_id' END AS session_id,
        CASE WHEN octet_length(j.subject) BETWEEN 1 AND 255 THEN j.subject END AS clerk_id,
        least(now(), CASE WHEN j.version BETWEEN 0 AND 253402300799000
                          THEN to_timestamp(j.version / 1000.0) END) AS revoked_at
    FROM public.job_queue j
    WHERE j.status = 'PENDING' AND j.job_type = 'REVOKE_SESSION' AND j.run_at <= now()
    ORDER BY j.priority DESC, j.run_at, j.id
    LIMIT $1::integer
    FOR UPDATE SKIP LOCKED
), revoked AS (
    INSERT INTO rollcall.session_revocations AS r (session_id, clerk_id, revoked_at)
    SELECT d.session_id, max(d.clerk_id), min(d.revoked_at)
    FROM due d WHERE d.session_id IS NOT NULL
    GROUP BY d.session_id ORDER BY d.session_id
    ON CONFLICT (session_id) DO UPDATE
    SET clerk_id = coalesce(r.clerk_id, excluded.clerk_id),
        revoked_at = least(r.revoked_at, excluded.revoked_at),
        expires_at = greatest(r.expires_at, excluded.expires_at)
), ended AS (
    UPDATE public.job_queue j
    SET status = CASE WHEN d.session_id IS NULL THEN 'FAILED' ELSE 'COMPLETED' END,
        processed_at = now(), updated_at = now(), attempts = j.attempts + 1, fence = j.fence + 1,
        error = CASE WHEN d.session_id IS NULL THEN 'The job names no session' END,
        result = CASE WHEN d.session_id IS NOT NULL
                      THEN jsonb_build_object('outcome', 'applied') END,
        history = CASE WHEN d.session_id IS NULL
                       THEN rollcall.add_transition(rollcall.recorded_history(j), 'FAILED',
                                                    j.attempts + 1, 'The job names no session')
                       ELSE j.history END
    FROM due d
    WHERE j.id = d.id
    RETURNING j.status = 'COMPLETED' AS revoked, j.attempts,
        date_part('epoch', now() - d.due_at) AS waited_seconds
)
SELECT e.revoked, e.attempts, e.waited_seconds FROM ended e

-- name: prune_revocations
WITH gone AS (
    DELETE FROM rollcall.session_revocations r
    USING (SELECT o.session_id FROM rollcall.session_revocations o
           WHERE o.expires_at < now() ORDER BY o.expires_at LIMIT $1::integer
           FOR UPDATE SKIP LOCKED) old
    WHERE r.session_id = old.session_id
    RETURNING 1
)
SELECT g.gone, (SELECT count(*) FROM rollcall.session_revocations) - g.gone AS kept
FROM (SELECT count(*) AS gone FROM gone) g
