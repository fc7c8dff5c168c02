-- What a person sees of the queue and does with it.

-- name: list
-- What a person sees of a job; newest first. $5 bounds how far back to look from the cursor (or
-- now) in milliseconds, so that the usual page reads the newest part of the table only; the caller
-- widens it. A search for what is PENDING names the conditions of its six partial indexes.
SELECT j.id, j.job_type, j.status, j.priority, j.attempts, j.max_attempts, j.subject, j.event_id,
    j.error, rollcall.rfc3339(j.created_at) AS created_at,
    rollcall.rfc3339(j.updated_at) AS updated_at, rollcall.rfc3339(j.run_at) AS run_at,
    rollcall.rfc3339(j.processed_at) AS processed_at, j.leased_by,
    rollcall.rfc3339(j.lease_until) AS lease_until
FROM public.job_queue j
WHERE ($1::text IS NULL OR j.status = $1::text)
  AND ($2::text IS NULL OR j.job_type = $2::text)
  AND ($3::text IS NULL OR j.subject = $3::text)
  AND ($4::text IS NULL OR j.event_id = $4::text)
  AND ($5::bigint IS NULL OR j.created_at >=
       coalesce($6::timestamptz, now()) - $5::bigint * interval '1 millisecond')
  AND ($6::timestamptz IS NULL
       OR (coalesce(j.created_at, '-infinity'), j.id) < ($6::timestamptz, $7::uuid))
  AND ($1::text IS DISTINCT FROM 'PENDING'
       OR (j.status = 'PENDING' AND j.run_at <= j.created_at
           AND j.job_type IN ('USER_CREATED', 'USER_UPDATED', 'USER_DELETED'))
       OR (j.status = 'PENDING' AND (j.run_at <= j.created_at) IS NOT TRUE
           AND j.job_type IN ('USER_CREATED', 'USER_UPDATED', 'USER_DELETED'))
       OR (j.status = 'PENDING'
           AND j.job_type = ANY (rollcall.leased_types()))
       OR (j.status = 'PENDING' AND j.job_type = 'MIRROR_USER')
       OR (j.status = 'PENDING' AND j.job_type = 'REVOKE_SESSION')
       OR (j.status = 'PENDING' AND j.job_type <> ALL (rollcall.own_types())))
  AND ($9::text IS NULL OR strpos(lower(j.error), lower($9::text)) > 0)
  AND ($10::bigint IS NULL OR j.created_at >= now() - $10::bigint * interval '1 millisecond')
ORDER BY coalesce(j.created_at, '-infinity') DESC, j.id DESC
LIMIT $8::integer

-- name: show
SELECT j.id, j.job_type, j.status, j.priority, j.attempts, j.max_attempts, j.subject, j.event_id,
    j.error, rollcall.rfc3339(j.created_at) AS created_at,
    rollcall.rfc3339(j.updated_at) AS updated_at, rollcall.rfc3339(j.run_at) AS run_at,
    rollcall.rfc3339(j.processed_at) AS processed_at, j.leased_by,
    rollcall.rfc3339(j.lease_until) AS lease_until,
    j.payload, j.result, j.original_event, rollcall.rfc3339(j.blanked_at) AS blanked_at
FROM public.job_queue j
WHERE j.id = $1::uuid

-- name: history
SELECT h.status, rollcall.rfc3339(h.at) AS at, h.attempt, h.error, h.worker
FROM rollcall.job_history($1::uuid) AS h

-- name: state
SELECT j.status, j.blanked_at IS NOT NULL AS blanked FROM public.job_queue j WHERE j.id = $1::uuid

-- name: review
-- Why a job cannot be retried but its message sent again; nothing for any other job.
SELECT j.error, j.event_id FROM public.job_queue j
WHERE j.id = $1::uuid AND j.status = 'FAILED' AND rollcall.kept_for_review(j)

-- name: retryable
-- What a retry of many would take, in the order in which it locks them: dead letters, unless it is
-- CANCELLED ones that are asked for. Deletions that are held back only where the reason is named.
SELECT j.id FROM public.job_queue j
WHERE j.status IN ('FAILED', 'CANCELLED') AND j.status = coalesce($1::text, 'FAILED')
  AND CASE WHEN $2::text IS NULL THEN j.job_type = ANY (rollcall.own_types())
           ELSE j.job_type = $2::text END
  AND ($3::text IS NULL OR j.subject = $3::text)
  AND ($4::text IS NULL OR j.event_id = $4::text)
  AND ($5::text IS NULL OR strpos(lower(j.error), lower($5::text)) > 0)
  AND ($6::bigint IS NULL OR j.created_at >= now() - $6::bigint * interval '1 millisecond')
  AND j.blanked_at IS NULL AND NOT (j.status = 'FAILED' AND rollcall.kept_for_review(j))
  AND ($5::text IS NOT NULL OR NOT rollcall.deletion_held(j))
ORDER BY j.event_id, j.id
LIMIT $7::integer

-- name: cancellable
-- The same for a cancellation: what is PENDING by its partial indexes, and what is PROCESSING; and
-- deletions that are held back, where the reason is named.
SELECT j.id FROM public.job_queue j
WHERE ((j.status = 'PENDING' AND j.run_at <= j.created_at
        AND j.job_type IN ('USER_CREATED', 'USER_UPDATED', 'USER_DELETED'))
       OR (j.status = 'PENDING' AND (j.run_at <= j.created_at) IS NOT TRUE
           AND j.job_type IN ('USER_CREATED', 'USER_UPDATED', 'USER_DELETED'))
       OR (j.status = 'PENDING' AND j.job_type = ANY (rollcall.leased_types()))
       OR (j.status = 'PENDING' AND j.job_type = 'MIRROR_USER')
       OR (j.status = 'PENDING' AND j.job_type = 'REVOKE_SESSION')
       OR (j.status = 'PENDING' AND j.job_type <> ALL (rollcall.own_types()))
       OR j.status = 'PROCESSING'
       OR (j.status = 'FAILED' AND $5::text IS NOT NULL AND rollcall.deletion_held(j)))
  AND ($1::text IS NULL OR j.status = $1::text)
  AND CASE WHEN $2::text IS NULL THEN j.job_type = ANY (rollcall.own_types())
           ELSE j.job_type = $2::text END
  AND ($3::text IS NULL OR j.subject = $3::text)
  AND ($4::text IS NULL OR j.event_id = $4::text)
  AND ($5::text IS NULL OR strpos(lower(j.error), lower($5::text)) > 0)
  AND ($6::bigint IS NULL OR j.created_at >= now() - $6::bigint * interval '1 millisecond')
ORDER BY j.event_id, j.id
LIMIT $7::integer

-- name: retry_jobs
-- Who does it is said before it is done.
SELECT done.id
FROM (SELECT set_config('rollcall.actor', $3::text, true) AS said) who,
    LATERAL rollcall.retry_jobs($1::text[]::uuid[],
        CASE WHEN who.said IS NOT NULL THEN nullif($2::text, '') END) AS done (id)

-- name: cancel_jobs
SELECT done.id
FROM (SELECT set_config('rollcall.actor', $3::text, true) AS said) who,
    LATERAL rollcall.cancel_jobs($1::text[]::uuid[],
        CASE WHEN who.said IS NOT NULL THEN nullif($2::text, '') END) AS done (id)

-- name: reasons
-- Why jobs were given up, without the ids in it, and the newest of each.
SELECT f.job_type, f.reason, count(*) AS jobs, rollcall.rfc3339(max(f.ended_at)) AS last_at,
    (array_agg(f.id ORDER BY f.ended_at DESC))[1] AS example
FROM (SELECT j.id, j.job_type, coalesce(j.processed_at, j.updated_at, j.created_at) AS ended_at,
          regexp_replace(coalesce(j.error, ''),
              '\m(user_\w+|msg_\w+|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})\M', '…', 'g')
              AS reason
      FROM public.job_queue j
      WHERE j.status = 'FAILED' AND ($1::text IS NULL OR j.job_type = $1::text)) f
GROUP BY f.job_type, f.reason
ORDER BY jobs DESC, f.job_type, f.reason
LIMIT 200

-- name: reveal
-- Whoever is shown a job's personal data is told of before.
SELECT rollcall.audit('job.reveal', j.id::text, jsonb_strip_nulls(
    jsonb_build_object('kind', j.job_type, 'subject', j.subject)))
FROM (SELECT set_config('rollcall.actor', $2::text, true) AS said OFFSET 0) who,
    public.job_queue j
WHERE j.id = $1::uuid AND who.said IS NOT NULL

-- name: stats
SELECT s.job_type, s.status, s.jobs, s.due, rollcall.rfc3339(s.oldest_at) AS oldest_at,
    s.average_seconds
FROM rollcall.queue_stats() AS s

-- name: stuck
SELECT s.id, s.job_type, s.status, s.attempts, rollcall.rfc3339(s.since) AS since, s.worker,
    s.reason
FROM rollcall.stuck_jobs($1::bigint * interval '1 second') AS s
