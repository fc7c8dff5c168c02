-- The statements of src/privacy; those over the users table are made by personal_data.cpp.

-- name: known
-- Whom $1 names where there is no row: by the ledger, or by jobs alone.
SELECT l.clerk_id FROM rollcall.ledger l
WHERE l.clerk_id = $1::text OR l.user_id::text = lower($1::text)
UNION ALL
SELECT $1::text WHERE EXISTS (
    SELECT FROM public.job_queue j
    WHERE coalesce(j.subject, j.payload ->> 'clerk_id') = $1::text
      AND j.job_type = ANY (rollcall.own_types()))
LIMIT 1

-- name: collected
-- All but the row.
SELECT jsonb_build_object(
    'ledger', (SELECT to_jsonb(l) FROM rollcall.ledger l WHERE l.clerk_id = $1::text),
    'jobs', (SELECT coalesce(jsonb_agg(to_jsonb(j) ORDER BY j.created_at), '[]')
             FROM (SELECT j.* FROM public.job_queue j
                   WHERE coalesce(j.subject, j.payload ->> 'clerk_id') = $1::text
                     AND j.job_type = ANY (rollcall.own_types())
                   ORDER BY j.created_at DESC LIMIT 10000) j),
    'events_for_review', (
        SELECT coalesce(jsonb_agg(to_jsonb(j) ORDER BY j.created_at), '[]')
        FROM (SELECT j.* FROM public.job_queue j
              WHERE j.status IN ('FAILED', 'CANCELLED') AND rollcall.kept_for_review(j)
                AND rollcall.event_names(j.original_event, $1::text)
              ORDER BY j.created_at DESC LIMIT 10000) j),
    'absences', (SELECT coalesce(jsonb_agg(to_jsonb(a)), '[]') FROM rollcall.absences a
                 WHERE a.clerk_id = $1::text),
    'held_deletes', (SELECT coalesce(jsonb_agg(to_jsonb(h)), '[]') FROM rollcall.held_deletes h
                     WHERE h.clerk_id = $1::text),
    'session_revocations', (SELECT coalesce(jsonb_agg(to_jsonb(s) ORDER BY s.revoked_at), '[]')
                            FROM rollcall.session_revocations s WHERE s.clerk_id = $1::text),
    'mirror', (SELECT to_jsonb(m) FROM rollcall.mirror_users m WHERE m.clerk_id = $1::text),
    -- Not who did it, which is another person's.
    'audit_log', (SELECT coalesce(jsonb_agg(
                      to_jsonb(a) - '{actor_name,actor_ip,database_user,request_id}'::text[]
                      ORDER BY a.id), '[]')
                  FROM rollcall.audit_log a
                  WHERE a.target = $1::text OR a.detail ->> 'subject' = $1::text))::text

-- name: entomb
-- After the jobs, as all writers do it: the ledger's row is where those of a user queue, so that
-- what they wrote until then is erased with the rest. The version ($3) is later than any: of what
-- is on its way (in the queue, in a spool, sent again) nothing counts, whatever it is dated.
INSERT INTO rollcall.ledger AS l (clerk_id, version, dated_by_clerk, user_id, deleted_at,
    deletion_seen_at)
VALUES ($1::text, $3::bigint, true, coalesce($2::uuid, gen_random_uuid()), now(),
    clock_timestamp())
ON CONFLICT (clerk_id) DO UPDATE SET
    version = excluded.version, dated_by_clerk = true,
    content_hash = NULL, banned = false, locked = false,
    deleted_at = coalesce(l.deleted_at, excluded.deleted_at),
    deletion_seen_at = coalesce(l.deletion_seen_at, excluded.deletion_seen_at), changed_at = now()

-- name: blank_jobs
-- What waits and would write the data again is cancelled; a deletion has none.
WITH mine AS MATERIALIZED (
    SELECT j.id FROM public.job_queue j
    WHERE coalesce(j.subject, j.payload ->> 'clerk_id') = $1::text
      AND j.job_type = ANY (rollcall.own_types())
      AND (j.original_event IS NOT NULL OR j.payload ?| '{email,name}'
           OR j.status = 'PENDING' AND j.job_type IN ('USER_CREATED', 'USER_UPDATED'))
    ORDER BY j.event_id, j.id
    FOR UPDATE
), blanked AS (
    UPDATE public.job_queue j
    SET payload = CASE WHEN jsonb_typeof(j.payload) = 'object'
                       THEN j.payload - 'email' - 'name' ELSE j.payload END,
        original_event = NULL,
        blanked_at = CASE WHEN j.status = 'PENDING' AND j.job_type = 'USER_DELETED'
                          THEN j.blanked_at ELSE now() END,
        status = CASE WHEN j.status = 'PENDING' AND j.job_type IN ('USER_CREATED', 'USER_UPDATED')
                      THEN 'CANCELLED' ELSE j.status END,
        processed_at = coalesce(j.processed_at, CASE
            WHEN j.status = 'PENDING' AND j.job_type IN ('USER_CREATED', 'USER_UPDATED')
            THEN now() END),
        updated_at = now(),
        history = CASE
            WHEN j.status = 'PENDING' AND j.job_type IN ('USER_CREATED', 'USER_UPDATED')
            THEN rollcall.add_transition(rollcall.recorded_history(j), 'CANCELLED',
                                         nullif(j.attempts, 0), 'the user was erased')
            ELSE j.history END
    FROM mine
    WHERE j.id = mine.id
    RETURNING j.status = 'CANCELLED' AND j.processed_at = now() AS cancelled
)
SELECT count(*) AS jobs, count(*) FILTER (WHERE b.cancelled) AS cancelled FROM blanked b

-- name: blank_events
-- Of all that is kept for review: an index has those, whatever stands beside them.
WITH mine AS MATERIALIZED (
    SELECT j.id FROM public.job_queue j
    WHERE j.status IN ('FAILED', 'CANCELLED') AND rollcall.kept_for_review(j)
      AND rollcall.event_names(j.original_event, $1::text)
    ORDER BY j.event_id, j.id
    FOR UPDATE
)
UPDATE public.job_queue j
SET original_event = NULL, payload = '{}', blanked_at = now(), updated_at = now()
FROM mine
WHERE j.id = mine.id

-- name: forget_absences
DELETE FROM rollcall.absences a WHERE a.clerk_id = $1::text

-- name: forget_held
DELETE FROM rollcall.held_deletes h WHERE h.clerk_id = $1::text
