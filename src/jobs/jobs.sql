-- Every statement of src/jobs. The states are drawn in docs/jobs.md; what people and applications
-- call from SQL are functions (migrations/0005_jobs_functions.sql), which these use too.

-- name: enqueue
-- The hottest statement of all: one commit for the events of many requests. Sorted by event id, so
-- that two such commits never wait for each other in a circle. Events not returned are known.
-- Unnested in the select list: in FROM, the server would copy every row into a store first, which
-- costs an eighth more (half of its time in the kernel).
INSERT INTO public.job_queue (id, job_type, payload, status, priority, error, event_id,
    original_event, subject, version, banned, locked, clerk_created_at, trace, processed_at,
    history)
SELECT id, job_type, payload, status, priority, error, event_id, original_event, subject, version,
    banned, locked, clerk_created_at, trace, CASE WHEN status = 'FAILED' THEN now() END,
    CASE WHEN status = 'FAILED'
         THEN rollcall.add_transition('[]', status, error => error, at => now()) ELSE '[]' END
FROM (SELECT unnest($1::uuid[]) AS id, unnest($2::text[]) AS job_type,
          unnest($3::jsonb[]) AS payload, unnest($4::text[]) AS status,
          unnest($5::integer[]) AS priority, unnest($6::text[]) AS error,
          unnest($7::text[]) AS event_id, unnest($8::text[]) AS original_event,
          unnest($9::text[]) AS subject, unnest($10::bigint[]) AS version,
          unnest($11::boolean[]) AS banned, unnest($12::boolean[]) AS locked,
          unnest($13::timestamptz[]) AS clerk_created_at, unnest($14::text[]) AS trace) AS j
ON CONFLICT (event_id) DO NOTHING
RETURNING event_id

-- name: date_back
-- Jobs of events that waited elsewhere for this database: as if it had been there all the time.
UPDATE public.job_queue j SET created_at = least(a.at, now()), run_at = least(a.at, now())
FROM unnest($1::uuid[], $2::timestamptz[]) AS a (id, at)
WHERE j.id = a.id

-- name: resend
-- Events that were there already. Where their job is FAILED the delivery sets it going again, with
-- what it carries this time: the stored copy may have been blanked, or read by an older version. An
-- event that is as unusable as before is FAILED again at once. A deletion that is held back waits
-- for a person, however often it is delivered.
WITH delivered AS MATERIALIZED (
    SELECT * FROM unnest($1::text[], $2::text[], $3::jsonb[], $4::text[], $5::integer[],
        $6::text[], $7::text[], $8::text[], $9::bigint[], $10::boolean[], $11::boolean[],
        $12::timestamptz[], $13::text[])
    AS d (event_id, job_type, payload, status, priority, error, original_event, subject, version,
        banned, locked, clerk_created_at, trace)
), failed AS MATERIALIZED (
    SELECT j.id, j.event_id FROM public.job_queue j
    WHERE j.event_id = ANY($1::text[]) AND j.status = 'FAILED' AND NOT rollcall.deletion_held(j)
    ORDER BY j.event_id
    FOR UPDATE
), again AS (
    UPDATE public.job_queue j
    SET status = d.status, job_type = d.job_type, payload = d.payload, priority = d.priority,
        error = d.error, result = NULL, original_event = d.original_event, subject = d.subject,
        version = d.version, banned = d.banned, locked = d.locked,
        clerk_created_at = d.clerk_created_at, trace = d.trace, blanked_at = NULL, attempts = 0,
        run_at = now(), updated_at = now(),
        processed_at = CASE WHEN d.status = 'FAILED' THEN now() END,
        history = CASE WHEN d.status = 'FAILED'
            THEN rollcall.add_transition(rollcall.add_transition(rollcall.recorded_history(j),
                'PENDING', error => 'delivered again'), 'FAILED', error => d.error)
            ELSE rollcall.add_transition(rollcall.recorded_history(j), 'PENDING',
                error => 'delivered again') END
    FROM failed JOIN delivered d ON d.event_id = failed.event_id
    WHERE j.id = failed.id
    RETURNING j.id
)
SELECT j.id, j.event_id
FROM public.job_queue j
WHERE j.event_id = ANY($1::text[])

-- name: refresh
-- Users to be read again from Clerk: one job each, however often they are named. One that is under
-- way may have asked Clerk already: its lease is taken back, so that what it ends with counts no
-- more, and Clerk is asked after this. In the order of event ids, as all that adds events. $2
-- and $3 are the events that name them and the traces that these brought.
INSERT INTO public.job_queue AS q (job_type, payload, subject, event_id, trace)
SELECT 'REFRESH_USER', jsonb_build_object('clerk_id', u.clerk_id, 'retry_count', 0), u.clerk_id,
    'refresh:' || u.clerk_id || ':review', min(coalesce(u.trace, rollcall.trace_of(u.event_id)))
FROM unnest($1::text[], $2::text[], $3::text[]) AS u (clerk_id, event_id, trace)
GROUP BY u.clerk_id
ORDER BY 4
ON CONFLICT (event_id) DO UPDATE SET status = 'PENDING', attempts = 0, run_at = now(),
    updated_at = now(), processed_at = NULL, error = NULL, result = NULL, leased_by = NULL,
    lease_until = NULL, trace = excluded.trace,
    history = rollcall.add_transition(rollcall.recorded_history(q), 'PENDING')
WHERE q.status <> 'PENDING'

-- name: claim
-- Leased work, of each priority from where this process stopped (base/claim_cursor.hpp): $4, $5 and
-- $6 are the positions, highest priority first; $7 the kinds that this process knows to handle.
WITH due AS MATERIALIZED (
    SELECT head.id, greatest(head.run_at, 'epoch') AS due_at
    FROM unnest($4::integer[], $5::bigint[], $6::text[]) AS reached (priority, at_us, id)
    CROSS JOIN LATERAL (
        SELECT j.id, j.run_at FROM public.job_queue j
        WHERE j.status = 'PENDING' AND j.job_type = ANY (rollcall.leased_types())
          AND j.job_type = ANY ($7::text[])
          AND j.priority = reached.priority AND j.run_at <= now()
          AND (j.run_at, j.id) > (coalesce(to_timestamp(reached.at_us / 1000000.0), '-infinity'),
                                  reached.id::uuid)
        ORDER BY j.run_at, j.id
        LIMIT $2::integer
        FOR UPDATE SKIP LOCKED
    ) AS head
    LIMIT $2::integer
), claimed AS (
    UPDATE public.job_queue j
    SET status = 'PROCESSING', attempts = j.attempts + 1, fence = j.fence + 1, leased_by = $1::text,
        lease_until = now() + $3::bigint * interval '1 millisecond', updated_at = now(),
        history = rollcall.add_transition(j.history, 'PROCESSING', j.attempts + 1,
                                          worker => $1::text)
    FROM due
    WHERE j.id = due.id
    RETURNING j.id, j.job_type, j.payload, j.subject, j.event_id, j.attempts, j.max_attempts,
        j.version, j.fence, j.original_event, j.trace, j.priority, j.created_at, due.due_at
)
SELECT id, job_type, payload, subject, event_id, attempts, max_attempts, version, fence,
    original_event, trace,
    CASE WHEN isfinite(created_at)
         THEN (extract(epoch FROM now() - created_at) * 1000)::bigint ELSE 0 END AS age_ms,
    (extract(epoch FROM now() - due_at) * 1000)::bigint AS waited_ms, priority,
    (extract(epoch FROM due_at) * 1000000)::bigint AS due_us
FROM claimed
ORDER BY priority DESC, due_at, id

-- name: leased_priorities
-- One look into the index for each priority that leased jobs wait in, highest first.
WITH RECURSIVE level (priority) AS (
    SELECT max(j.priority) FROM public.job_queue j
    WHERE j.status = 'PENDING' AND j.job_type = ANY (rollcall.leased_types())
    UNION ALL
    SELECT (SELECT max(j.priority) FROM public.job_queue j
            WHERE j.status = 'PENDING' AND j.job_type = ANY (rollcall.leased_types())
              AND j.priority < level.priority)
    FROM level WHERE level.priority IS NOT NULL
)
SELECT priority FROM level WHERE priority IS NOT NULL

-- name: claim_mirror
-- The lane of the mirror names its type, so that the planner sees whose index it is.
-- as claim: j.job_type = ANY (rollcall.leased_types()) => j.job_type = 'MIRROR_USER'

-- name: mirror_priorities
-- as leased_priorities: j.job_type = ANY (rollcall.leased_types()) => j.job_type = 'MIRROR_USER'

-- name: renew
-- Prolongs leases; what is not returned was lost. Not a transition: updated_at stands. In the order
-- of event ids, as all that adds events: who arms these jobs again locks them so.
WITH mine AS MATERIALIZED (
    SELECT j.id
    FROM unnest($1::text[]::uuid[], $2::bigint[]) AS held (id, fence)
    JOIN public.job_queue j ON j.id = held.id AND j.fence = held.fence
    WHERE j.status = 'PROCESSING'
    ORDER BY j.event_id
    FOR UPDATE OF j
)
UPDATE public.job_queue j
SET lease_until = now() + $3::bigint * interval '1 millisecond'
FROM mine
WHERE j.id = mine.id
RETURNING j.id

-- name: complete
-- This and the next two name what the attempt began with: of a job whose version has moved on since
-- they change nothing, and `again` follows. A mirror's job gives its event id up, so that the next
-- change of the user makes a job of its own.
UPDATE public.job_queue j
SET status = 'COMPLETED', result = $4::jsonb, error = NULL, processed_at = now(),
    updated_at = now(), leased_by = NULL, lease_until = NULL,
    history = rollcall.add_transition(j.history, 'COMPLETED', j.attempts),
    event_id = CASE WHEN j.job_type <> 'MIRROR_USER' THEN j.event_id END
WHERE j.id = $1::uuid AND j.fence = $2::bigint AND j.status = 'PROCESSING'
  AND coalesce(j.version, 0) = $3::bigint

-- name: retry
UPDATE public.job_queue j
SET status = 'PENDING', attempts = j.attempts - $6::integer,
    run_at = now() + $4::bigint * interval '1 millisecond', error = $5::text, updated_at = now(),
    leased_by = NULL, lease_until = NULL,
    payload = rollcall.with_retry_count(j.payload, j.attempts - $6::integer),
    history = rollcall.add_transition(j.history, 'PENDING', j.attempts, $5::text)
WHERE j.id = $1::uuid AND j.fence = $2::bigint AND j.status = 'PROCESSING'
  AND coalesce(j.version, 0) = $3::bigint

-- name: bury
UPDATE public.job_queue j
SET status = 'FAILED', error = $4::text, processed_at = now(), updated_at = now(),
    leased_by = NULL, lease_until = NULL,
    history = rollcall.add_transition(j.history, 'FAILED', j.attempts, $4::text)
WHERE j.id = $1::uuid AND j.fence = $2::bigint AND j.status = 'PROCESSING'
  AND coalesce(j.version, 0) = $3::bigint

-- name: again
-- News came while the job ran: it begins anew.
UPDATE public.job_queue j
SET status = 'PENDING', attempts = 0, created_at = now(), run_at = now(), error = NULL,
    updated_at = now(), leased_by = NULL, lease_until = NULL,
    payload = rollcall.with_retry_count(j.payload, 0),
    history = rollcall.add_transition(j.history, 'PENDING', j.attempts, 'changed while it ran')
WHERE j.id = $1::uuid AND j.fence = $2::bigint AND j.status = 'PROCESSING'
  AND coalesce(j.version, 0) <> $3::bigint

-- name: release
-- In the order of event ids, as renew.
WITH mine AS MATERIALIZED (
    SELECT j.id FROM public.job_queue j
    WHERE j.status = 'PROCESSING' AND j.leased_by = $1::text
      AND j.job_type = ANY (rollcall.own_types())
    ORDER BY j.event_id
    FOR UPDATE
)
UPDATE public.job_queue j
SET status = 'PENDING', attempts = greatest(j.attempts - 1, 0), run_at = now(), updated_at = now(),
    leased_by = NULL, lease_until = NULL,
    history = rollcall.add_transition(j.history, 'PENDING', j.attempts, 'worker stopped')
FROM mine
WHERE j.id = mine.id

-- name: rescue
-- Leases that lapsed: the attempt counts. A job of ours that is PROCESSING without a lease was
-- another program's (a table that was adopted); an hour without a change says that it is gone.
WITH lapsed AS MATERIALIZED (
    SELECT j.id, j.attempts >= coalesce(j.max_attempts, $1::integer) AS last
    FROM public.job_queue j
    WHERE j.status = 'PROCESSING' AND j.job_type = ANY (rollcall.own_types())
      AND (j.lease_until < now()
           OR (j.lease_until IS NULL
               AND coalesce(j.updated_at, j.created_at, '-infinity')
                   < now() - interval '1 hour'))
    ORDER BY j.updated_at
    LIMIT 1000
    FOR UPDATE SKIP LOCKED
)
UPDATE public.job_queue j
SET status = CASE WHEN lapsed.last THEN 'FAILED' ELSE 'PENDING' END,
    run_at = CASE WHEN lapsed.last THEN j.run_at ELSE now() END,
    processed_at = CASE WHEN lapsed.last THEN now() END, updated_at = now(),
    error = CASE WHEN lapsed.last THEN 'lease lapsed in the last attempt' ELSE 'lease lapsed' END,
    leased_by = NULL, lease_until = NULL,
    payload = rollcall.with_retry_count(j.payload, j.attempts),
    history = rollcall.add_transition(rollcall.recorded_history(j),
        CASE WHEN lapsed.last THEN 'FAILED' ELSE 'PENDING' END, j.attempts,
        CASE WHEN lapsed.last THEN 'lease lapsed in the last attempt' ELSE 'lease lapsed' END,
        j.leased_by)
FROM lapsed
WHERE j.id = lapsed.id
RETURNING j.id, j.job_type, j.status, j.attempts

-- name: table_pages
SELECT pg_relation_size('public.job_queue') / current_setting('block_size')::bigint AS pages

-- name: database_now
SELECT rollcall.rfc3339(now()) AS now

-- name: deleted_since
-- Whose deletion was seen since $1 (a day ago, when it is NULL), less what a transaction may lie
-- behind the time it stamps.
SELECT l.clerk_id FROM rollcall.ledger l
WHERE l.deleted_at IS NOT NULL
  AND l.deletion_seen_at > coalesce($1::timestamptz, now() - interval '1 day') - interval '1 minute'
ORDER BY l.deletion_seen_at
LIMIT $2::integer

-- name: sweep
-- Removes and blanks in the pages from $1 up to $2. Jobs of the subjects $3, or, where $4, of
-- anyone the ledger knows as deleted, are blanked as soon as they are finished; of those that wait
-- only a deletion keeps what it has. One that waits for a person waits for as long as it takes.
WITH seen AS MATERIALIZED (
    SELECT j.ctid AS at, j.status, j.job_type,
        coalesce(j.processed_at, j.updated_at, j.created_at) AS ended_at,
        (j.original_event IS NOT NULL OR j.payload ?| '{email,name}') AS personal,
        coalesce(j.subject, j.payload ->> 'clerk_id') AS subject
    FROM public.job_queue j
    WHERE j.ctid >= $1::tid AND j.ctid < $2::tid AND j.status <> 'PROCESSING'
      AND j.job_type = ANY (rollcall.own_types())
      AND NOT (j.status = 'FAILED' AND rollcall.deletion_held(j) AND NOT EXISTS (
          SELECT FROM rollcall.ledger l
          WHERE l.clerk_id = coalesce(j.subject, j.payload ->> 'clerk_id')
            AND l.deleted_at IS NOT NULL))
), due AS MATERIALIZED (
    SELECT seen.at, seen.status,
        CASE seen.status
            WHEN 'COMPLETED' THEN seen.ended_at < now() - $5::bigint * interval '1 millisecond'
            WHEN 'CANCELLED' THEN seen.ended_at < now() - $6::bigint * interval '1 millisecond'
            WHEN 'FAILED' THEN seen.ended_at < now() - $7::bigint * interval '1 millisecond'
            ELSE false END AS prune,
        seen.personal AND (
            CASE seen.status
                WHEN 'COMPLETED' THEN seen.ended_at < now() - $8::bigint * interval '1 millisecond'
                WHEN 'PENDING' THEN false
                ELSE seen.ended_at < now() - $9::bigint * interval '1 millisecond' END
            OR (seen.status <> 'PENDING' OR seen.job_type <> 'USER_DELETED')
               AND (seen.subject = ANY($3::text[])
                    OR $4::boolean AND EXISTS (SELECT FROM rollcall.ledger l
                        WHERE l.clerk_id = seen.subject AND l.deleted_at IS NOT NULL))) AS blank
    FROM seen
), mine AS MATERIALIZED (
    SELECT j.ctid AS at, due.prune
    FROM due JOIN public.job_queue j ON j.ctid = due.at AND j.status = due.status
    WHERE due.prune OR due.blank
    FOR UPDATE OF j SKIP LOCKED
), pruned AS (
    DELETE FROM public.job_queue j USING mine WHERE j.ctid = mine.at AND mine.prune
    RETURNING 1
), blanked AS (
    UPDATE public.job_queue j
    SET payload = CASE WHEN jsonb_typeof(j.payload) = 'object'
                       THEN j.payload - 'email' - 'name' ELSE j.payload END,
        original_event = NULL, blanked_at = now()
    FROM mine WHERE j.ctid = mine.at AND NOT mine.prune
    RETURNING 1
)
SELECT (SELECT count(*) FROM pruned) AS pruned, (SELECT count(*) FROM blanked) AS blanked

-- name: depth
-- How much waits, for the metrics.
SELECT d.queue, d.ready, d.scheduled, d.running, d.retry, d.dead, d.oldest_seconds
FROM rollcall.queue_depths() AS d

-- name: lease_hold
-- Takes a lease that is free or lapsed, or renews it for who holds it under the same fence.
INSERT INTO rollcall.leases AS l (name, holder, until, fence)
VALUES ($1::text, $2::text, now() + $3::bigint * interval '1 millisecond', 1)
ON CONFLICT (name) DO UPDATE
SET holder = excluded.holder, until = excluded.until,
    fence = CASE WHEN l.holder = excluded.holder AND l.fence = $4::bigint THEN l.fence
                 ELSE l.fence + 1 END
WHERE l.until < now() OR (l.holder = excluded.holder AND l.fence = $4::bigint)
RETURNING fence

-- name: lease_shorten
-- Another's lease never lasts longer than its time to live from now: the clock was set back, and a
-- holder that is dead by now must be followed in time. One that lives renews it before.
UPDATE rollcall.leases SET until = now() + $2::bigint * interval '1 millisecond'
WHERE name = $1::text AND until > now() + $2::bigint * interval '1 millisecond'

-- name: lease_release
UPDATE rollcall.leases SET until = '-infinity'
WHERE name = $1::text AND holder = $2::text AND fence = $3::bigint
