-- Single jobs: what a batch could not settle. None of these jobs is leased: they are PENDING until
-- the transaction that completes them.

-- name: job_facts
SELECT j.job_type, nullif(nullif(coalesce(j.subject, j.payload ->> 'clerk_id'), ''), 'NULL')
        AS clerk_id,
    nullif(j.payload ->> 'email', '') AS email,
    coalesce(j.version, (extract(epoch FROM coalesce(j.created_at, now())) * 1000)::bigint)
        AS version,
    j.attempts, coalesce(j.max_attempts, 0) AS max_attempts, j.fence,
    (extract(epoch FROM now() - coalesce(j.created_at, now())) * 1000)::bigint AS age_ms,
    j.original_event
FROM public.job_queue j
WHERE j.id = $1::uuid AND j.status = 'PENDING'

-- name: put_off
-- Another try later. The fence counts the tries, those that burn no attempt too. A job that this
-- transaction has just completed may be put off after all.
UPDATE public.job_queue j
SET status = 'PENDING', processed_at = NULL, result = NULL, updated_at = now(),
    run_at = now() + $2::bigint * interval '1 millisecond', error = $3::text,
    attempts = $4::integer, fence = j.fence + 1,
    payload = rollcall.with_retry_count(j.payload, $4::integer),
    history = rollcall.add_transition(rollcall.recorded_history(j), 'PENDING',
                                      nullif($4::integer, 0), $3::text)
WHERE j.id = $1::uuid AND j.status IN ('PENDING', 'COMPLETED')

-- name: bury
UPDATE public.job_queue j
SET status = 'FAILED', processed_at = now(), result = NULL, updated_at = now(), error = $2::text,
    attempts = $3::integer, fence = j.fence + 1,
    history = rollcall.add_transition(rollcall.recorded_history(j), 'FAILED', $3::integer,
                                      $2::text)
WHERE j.id = $1::uuid AND j.status IN ('PENDING', 'COMPLETED')

-- name: complete_superseded
-- Clerk says something newer by now, and that is being read.
UPDATE public.job_queue j
SET status = 'COMPLETED', processed_at = now(), updated_at = now(), error = NULL,
    attempts = j.attempts + 1, result = jsonb_build_object('outcome', 'superseded')
WHERE j.id = $1::uuid AND j.status = 'PENDING'
