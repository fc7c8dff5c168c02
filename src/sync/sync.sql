-- What src/sync does with single jobs; batches are applied by the statements of src/directory.

-- name: levels
-- The priorities at which changes are due at once, highest first: one index probe each.
WITH RECURSIVE level (priority) AS (
    SELECT max(j.priority) FROM public.job_queue j
    WHERE j.status = 'PENDING' AND j.run_at <= j.created_at
      AND j.job_type IN ('USER_CREATED', 'USER_UPDATED', 'USER_DELETED')
    UNION ALL
    SELECT (SELECT max(j.priority) FROM public.job_queue j
            WHERE j.status = 'PENDING' AND j.run_at <= j.created_at
              AND j.job_type IN ('USER_CREATED', 'USER_UPDATED', 'USER_DELETED')
              AND j.priority < level.priority)
    FROM level WHERE level.priority IS NOT NULL
)
SELECT priority FROM level WHERE priority IS NOT NULL ORDER BY priority DESC

-- name: job
SELECT j.job_type, coalesce(j.subject, j.payload ->> 'clerk_id', '') AS subject,
    coalesce(j.version, (extract(epoch FROM coalesce(j.created_at, now())) * 1000)::bigint)
        AS version,
    coalesce(j.payload ->> 'email', '') AS email, j.attempts, coalesce(j.max_attempts, 0) AS own_max,
    (extract(epoch FROM now() - coalesce(j.created_at, now())) * 1000)::bigint AS age_ms,
    j.original_event
FROM public.job_queue j
WHERE j.id = $1::uuid AND j.status = 'PENDING'

-- name: put_off
-- An attempt at a job that is not leased did not work out: again after $2 milliseconds.
UPDATE public.job_queue j
SET status = 'PENDING', attempts = j.attempts + $4::integer,
    run_at = now() + $2::bigint * interval '1 millisecond', error = $3::text, updated_at = now(),
    payload = rollcall.with_retry_count(j.payload, j.attempts + $4::integer),
    history = rollcall.add_transition(j.history, 'PENDING', j.attempts + 1, $3::text)
WHERE j.id = $1::uuid AND j.status = 'PENDING'

-- name: give_up
UPDATE public.job_queue j
SET status = 'FAILED', attempts = j.attempts + 1, error = $2::text, updated_at = now(),
    processed_at = now(),
    history = rollcall.add_transition(j.history, 'FAILED', j.attempts + 1, $2::text)
WHERE j.id = $1::uuid AND j.status = 'PENDING'

-- name: supersede
-- The user has another address by now; a REFRESH_USER job reads it.
UPDATE public.job_queue j
SET status = 'COMPLETED', attempts = j.attempts + 1, updated_at = now(), processed_at = now(),
    result = '{"outcome": "superseded"}'
WHERE j.id = $1::uuid AND j.status = 'PENDING'

-- name: reopen
-- In the transaction that let the ledger learn of a deletion whose row must stay: the job is not
-- done yet.
UPDATE public.job_queue j
SET status = 'PENDING', attempts = j.attempts - 1, processed_at = NULL, result = NULL
WHERE j.id = $1::uuid AND j.status = 'COMPLETED'
