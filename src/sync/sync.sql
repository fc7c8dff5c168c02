-- Single jobs: what a batch could not settle. None of these jobs is leased: they are PENDING until
-- the transaction that completes them.

-- name: job_facts
-- Reads the payload as directory.sql does.
SELECT j.job_type,
    CASE WHEN octet_length(told.clerk_id) BETWEEN 1 AND 255 THEN nullif(told.clerk_id, 'NULL') END
        AS clerk_id,
    CASE WHEN octet_length(told.email) BETWEEN 1 AND 1000 THEN told.email END AS email,
    coalesce(j.version, rollcall.payload_version(j.payload, told.created_at)) AS version,
    j.attempts, coalesce(j.max_attempts, 0) AS max_attempts, j.fence,
    (extract(epoch FROM now() - told.created_at) * 1000)::bigint AS age_ms,
    j.original_event,
    CASE WHEN isfinite(j.updated_at) THEN date_part('epoch', j.updated_at) ELSE 0 END AS touched_at,
    j.event_id, j.trace,
    j.history @> '[{"status": "PENDING", "error": "retried on request"}]' AS retried
FROM public.job_queue j
CROSS JOIN LATERAL (
    SELECT coalesce(j.subject, j.payload ->> 'clerk_id') AS clerk_id,
        j.payload ->> 'email' AS email,
        CASE WHEN isfinite(j.created_at) THEN j.created_at ELSE now() END AS created_at
) told
WHERE j.id = $1::uuid AND j.status = 'PENDING'

-- name: set_aside
-- It is handled on its own; by another process when this one is gone by then.
UPDATE public.job_queue j
SET run_at = now() + interval '30 seconds', updated_at = now()
WHERE j.id = $1::uuid AND j.status = 'PENDING' AND j.run_at <= now()

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

-- name: note_absence
-- Clerk does not know $1: for how long it has been saying so; whether the user is deleted anyway.
-- What it said before the user was last seen again is another absence, and what lies ahead (the
-- clock was set back) begins now.
WITH old AS (
    DELETE FROM rollcall.absences a
    WHERE a.first_seen_at < now() - interval '1 day'
      AND (a.clerk_id <> $1::text OR a.concluded_at IS NOT NULL)
), known AS (
    SELECT l.deleted_at IS NOT NULL AS deleted, l.lifted_at
    FROM (SELECT) one LEFT JOIN rollcall.ledger l ON l.clerk_id = $1::text
), noted AS (
    INSERT INTO rollcall.absences AS a (clerk_id)
    SELECT $1::text FROM known k WHERE NOT k.deleted
    ON CONFLICT (clerk_id) WHERE concluded_at IS NULL DO UPDATE
    SET first_seen_at = CASE WHEN a.first_seen_at BETWEEN now() - interval '1 day' AND now()
                              AND (a.first_seen_at <= (SELECT k.lifted_at FROM known k))
                                  IS NOT TRUE
                             THEN a.first_seen_at ELSE now() END
    RETURNING a.first_seen_at
)
SELECT coalesce((extract(epoch FROM now() - n.first_seen_at) * 1000)::bigint, 0) AS for_ms,
    k.deleted
FROM known k LEFT JOIN noted n ON true

-- name: forget_absence
DELETE FROM rollcall.absences a WHERE a.clerk_id = $1::text AND a.concluded_at IS NULL

-- name: lock_absences
-- One deletion for an absence at a time, so that the guard counts all of them.
SELECT pg_advisory_xact_lock(hashtextextended('rollcall.absences', 0))

-- name: deletions_lately
SELECT count(*) AS users FROM rollcall.absences a WHERE a.concluded_at > now() - interval '1 hour'

-- name: lock_webhook_deletions
-- One deletion by webhook at a time, so that the guard counts all of them.
SELECT pg_advisory_xact_lock(hashtextextended('rollcall.webhook_deletions', 0))

-- name: webhook_deletions
-- How many there were within the hour; whether user $1 is deleted anyway.
SELECT d.users, EXISTS (SELECT FROM rollcall.ledger l
                        WHERE l.clerk_id = $1::text AND l.deleted_at IS NOT NULL) AS deleted
FROM rollcall.webhook_deletions() AS d

-- name: active_users
SELECT count(*) AS users FROM rollcall.ledger l WHERE l.deleted_at IS NULL

-- name: conclude_absence
-- A row also where the one that waited is gone: the guard has to count every deletion.
WITH open AS (
    DELETE FROM rollcall.absences a WHERE a.clerk_id = $1::text AND a.concluded_at IS NULL
    RETURNING a.first_seen_at
)
INSERT INTO rollcall.absences (clerk_id, first_seen_at, concluded_at)
SELECT $1::text, coalesce((SELECT o.first_seen_at FROM open o), now()), now()

-- name: hold_absence
-- The guard has held the deletion of $1 back; how many there were within the hour. Where it is
-- tried again, this is said again.
INSERT INTO rollcall.absences AS a (clerk_id, held_at) VALUES ($1::text, now())
ON CONFLICT (clerk_id) WHERE concluded_at IS NULL DO UPDATE SET held_at = now()
RETURNING (SELECT count(*) FROM rollcall.absences o
           WHERE o.concluded_at > now() - interval '1 hour') AS users

-- name: known_instance
SELECT coalesce(s.instance_id, '') FROM rollcall.sync_state s

-- name: some_users
-- Users that Clerk ought to know: the newest, because ids grow with time.
SELECT l.clerk_id FROM rollcall.ledger l
WHERE l.deleted_at IS NULL AND l.clerk_id <> $1::text
ORDER BY l.clerk_id DESC
LIMIT 5

-- name: holder_leaves
-- Whether user $1, who holds the e-mail $2, gives it up by what waits in the queue: by a deletion,
-- or by the newest snapshot. For where Clerk cannot be asked. Reads all that is waiting. An adopted
-- row has nothing in the ledger yet.
WITH due AS (
    SELECT j.* FROM public.job_queue j
    WHERE j.status = 'PENDING' AND j.run_at <= j.created_at
      AND j.job_type IN ('USER_CREATED', 'USER_UPDATED', 'USER_DELETED')
    UNION ALL
    SELECT j.* FROM public.job_queue j
    WHERE j.status = 'PENDING' AND (j.run_at <= j.created_at) IS NOT TRUE
      AND j.job_type IN ('USER_CREATED', 'USER_UPDATED', 'USER_DELETED')
), waiting AS (
    SELECT d.id, d.job_type, d.created_at, nullif(d.payload ->> 'email', '') AS email,
        coalesce(d.version, rollcall.payload_version(d.payload, d.created_at)) AS version
    FROM due d
    WHERE coalesce(d.subject, d.payload ->> 'clerk_id') = $1::text
      AND d.blanked_at IS NULL AND isfinite(d.created_at)
), newest AS (
    SELECT w.email FROM waiting w LEFT JOIN rollcall.ledger l ON l.clerk_id = $1::text
    WHERE w.job_type <> 'USER_DELETED'
      AND (w.version, w.created_at, w.id)
          > (coalesce(l.version, -1), coalesce(l.arrived_at, '-infinity'),
             coalesce(l.arrived_as, '00000000-0000-0000-0000-000000000000'))
    ORDER BY w.version DESC, w.created_at DESC, w.id DESC
    LIMIT 1
)
SELECT EXISTS (SELECT FROM waiting w WHERE w.job_type = 'USER_DELETED')
    OR EXISTS (SELECT FROM newest n WHERE lower(n.email) IS DISTINCT FROM lower($2::text)) AS leaves
