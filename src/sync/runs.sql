-- The attempts to make the table follow Clerk, and what is known from one to the next.

-- name: run_history
SELECT r.id, r.trigger, r.mode, r.status, coalesce(r.clerk_id, '') AS clerk_id, r.instance,
    (extract(epoch FROM r.started_at) * 1000)::bigint AS started_ms,
    (extract(epoch FROM r.finished_at) * 1000)::bigint AS finished_ms,
    coalesce(r.duration_seconds, extract(epoch FROM now() - r.started_at)) AS duration_seconds,
    r.seen, r.created, r.updated, r.unchanged, r.deleted, r.restored, r.held_deletes,
    r.found_missing, r.found_stale, r.found_extra, r.pages, r.requests, r.error,
    coalesce(r.failure, '') AS failure, r.continues
FROM rollcall.sync_runs r
WHERE $2::bigint IS NULL OR r.id = $2::bigint
ORDER BY r.id DESC
LIMIT $1::integer

-- name: last_full_run
SELECT coalesce(max(r.id), 0) FROM rollcall.sync_runs r
WHERE r.mode = 'full' AND r.status = 'completed'

-- name: sync_state
-- The last is the one with the highest id: the clock may have been set back.
WITH passes AS (
    SELECT r.id, r.mode, r.status, r.started_at, r.finished_at, r.failure
    FROM rollcall.sync_runs r WHERE r.mode <> 'user'
), last AS (
    SELECT p.mode, p.started_at, p.failure FROM passes p ORDER BY p.id DESC LIMIT 1
), done AS (
    SELECT max(p.id) AS id FROM passes p WHERE p.status = 'completed'
), held AS (
    SELECT max(h.run_id) AS run, count(*) AS users
    FROM rollcall.held_deletes h WHERE h.decided_at IS NULL
)
SELECT (extract(epoch FROM now()) * 1000)::bigint AS now_ms, s.watermark_ms,
    (extract(epoch FROM s.full_completed_at) * 1000)::bigint AS full_completed_ms,
    coalesce(s.instance_id, '') AS instance_id,
    coalesce(s.environment_type, '') AS environment_type,
    (SELECT (extract(epoch FROM l.started_at) * 1000)::bigint FROM last l) AS started_ms,
    (SELECT (extract(epoch FROM p.finished_at) * 1000)::bigint FROM passes p, done d
     WHERE p.id = d.id) AS completed_ms,
    (SELECT count(*) FROM passes p, done d
     WHERE p.id > coalesce(d.id, 0) AND p.status IN ('incomplete', 'failed')) AS failures,
    coalesce((SELECT l.mode FROM last l WHERE l.failure = 'interrupted'), '') AS interrupted,
    coalesce((SELECT l.mode = 'incremental' AND l.failure = 'inconsistent' FROM last l), false)
        AS outpaced,
    coalesce(h.run, 0) AS held_run, h.users AS held_users,
    (SELECT count(*) FROM rollcall.absences a LEFT JOIN rollcall.ledger l USING (clerk_id)
     WHERE a.concluded_at IS NULL AND l.deleted_at IS NULL
       AND a.held_at > now() - interval '1 day') AS held_by_id
FROM rollcall.sync_state s, held h

-- name: begin_run
-- Who asked for it, if a person did ($5), is told to the audit log.
WITH run AS (
    INSERT INTO rollcall.sync_runs (mode, trigger, instance, clerk_id)
    VALUES ($1::text, $2::text, $3::text, nullif($4::text, ''))
    RETURNING id, mode, clerk_id
)
SELECT run.id, CASE WHEN who.said IS NOT NULL
    THEN rollcall.audit('sync.manual', run.clerk_id,
                        jsonb_build_object('run', run.id, 'mode', run.mode))::text END AS told
FROM run, (SELECT CASE WHEN $5::text <> ''
                       THEN set_config('rollcall.actor', $5::text, true) END AS said OFFSET 0) who

-- name: bury_killed_runs
UPDATE rollcall.sync_runs r
SET status = 'failed', finished_at = now(),
    duration_seconds = extract(epoch FROM r.heartbeat_at - r.started_at), failure = 'killed',
    error = 'Ended without a word: killed, or its machine or the database went away'
WHERE r.status = 'running'
  AND (r.mode <> 'user' OR r.started_at < now() - interval '10 minutes')

-- name: save_run
-- Follows how far a run is; at its end with a status. Nobody who was buried comes back.
UPDATE rollcall.sync_runs r
SET status = $2::text, heartbeat_at = now(),
    finished_at = CASE WHEN $2::text <> 'running' THEN now() END,
    duration_seconds = CASE WHEN $2::text <> 'running' THEN $3::double precision END,
    seen = $4::bigint, created = $5::bigint, updated = $6::bigint, unchanged = $7::bigint,
    deleted = $8::bigint, restored = $9::bigint, held_deletes = $10::bigint,
    found_missing = $11::bigint, found_stale = $12::bigint, found_extra = $13::bigint,
    pages = $14::bigint, requests = $15::bigint, error = $16::text,
    failure = CASE WHEN $2::text <> 'running' THEN $17::text END
WHERE r.id = $1::bigint AND r.status = 'running'

-- name: prune_runs
DELETE FROM rollcall.sync_runs r
WHERE r.started_at < now() - interval '90 days'
  AND NOT EXISTS (SELECT FROM rollcall.held_deletes h
                  WHERE h.run_id = r.id AND h.decided_at IS NULL)

-- name: claim_instance
WITH mine AS (
    UPDATE rollcall.sync_state s SET instance_id = $1::text, environment_type = $2::text
    WHERE s.instance_id IS NULL RETURNING s.instance_id
)
SELECT coalesce((SELECT m.instance_id FROM mine m),
                (SELECT s.instance_id FROM rollcall.sync_state s)) AS instance_id

-- name: witnesses
-- Users that the right key must know some of: the oldest and the newest.
(SELECT l.clerk_id FROM rollcall.ledger l
 WHERE l.deleted_at IS NULL AND l.clerk_id LIKE 'user\_%' ORDER BY l.clerk_id LIMIT 50)
UNION
(SELECT l.clerk_id FROM rollcall.ledger l
 WHERE l.deleted_at IS NULL AND l.clerk_id LIKE 'user\_%' ORDER BY l.clerk_id DESC LIMIT 50)

-- name: cut_short
-- The last complete pass, if it did not come to its end and is not too old.
SELECT r.id, r.newest_created_ms, r.expected, r.newest_updated_ms
FROM rollcall.sync_runs r
WHERE r.id = (SELECT max(g.run_id) FROM rollcall.sync_ranges g)
  AND r.status IN ('incomplete', 'failed') AND r.newest_created_ms IS NOT NULL
  AND r.expected IS NOT NULL AND r.newest_updated_ms IS NOT NULL
  AND r.heartbeat_at > now() - interval '6 hours'
  AND r.id > coalesce((SELECT max(d.id) FROM rollcall.sync_runs d
                       WHERE d.mode = 'full' AND d.status = 'completed'), 0)

-- name: ranges_of
SELECT g.from_ms, g.until_ms, g.reached_ms, g.seen, g.done
FROM rollcall.sync_ranges g WHERE g.run_id = $1::bigint ORDER BY g.from_ms

-- name: take_ranges
UPDATE rollcall.sync_ranges g SET run_id = $1::bigint WHERE g.run_id = $2::bigint

-- name: take_absences
UPDATE rollcall.sync_absences a SET run_id = $1::bigint WHERE a.run_id = $2::bigint

-- name: note_beginning
-- By two clocks: who was there by the later of them was to be listed. Not by one that is far ahead,
-- by which everybody was.
WITH listed AS (
    UPDATE rollcall.sync_state s
    SET listed_at = greatest(now(), least(now() + interval '5 minutes', to_timestamp(
        greatest($2::bigint, $4::bigint) / 1000.0)))
)
UPDATE rollcall.sync_runs r
SET newest_created_ms = $2::bigint, expected = $3::bigint, newest_updated_ms = $4::bigint,
    continues = nullif($5::bigint, 0)
WHERE r.id = $1::bigint

-- name: save_ranges
INSERT INTO rollcall.sync_ranges AS g (run_id, from_ms, until_ms, reached_ms, seen, done)
SELECT $1::bigint, r.from_ms, r.until_ms, r.reached_ms, r.seen, r.done
FROM unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::boolean[])
    AS r (from_ms, until_ms, reached_ms, seen, done)
ON CONFLICT (run_id, from_ms) DO UPDATE
SET until_ms = excluded.until_ms, reached_ms = excluded.reached_ms, seen = excluded.seen,
    done = excluded.done

-- name: forget_ranges
-- Of run $1 and those before it: none will go on from these. A later run may be under way where
-- this one has lost its lease.
DELETE FROM rollcall.sync_ranges WHERE run_id <= $1::bigint

-- name: forget_absences
DELETE FROM rollcall.sync_absences WHERE run_id <= $1::bigint

-- name: note_completed
-- Of run $3, after save_run: one that was buried meanwhile did not complete.
UPDATE rollcall.sync_state s
SET watermark_ms = greatest(s.watermark_ms, $1::bigint),
    full_completed_at = CASE WHEN $2::boolean THEN now() ELSE s.full_completed_at END
WHERE EXISTS (SELECT FROM rollcall.sync_runs r WHERE r.id = $3::bigint AND r.status = 'completed')

-- name: add_absences
INSERT INTO rollcall.sync_absences (run_id, clerk_id)
SELECT $1::bigint, a.clerk_id FROM unnest($2::text[]) AS a (clerk_id)
ON CONFLICT DO NOTHING

-- name: some_absences
SELECT a.clerk_id FROM rollcall.sync_absences a
WHERE a.run_id = $1::bigint AND a.clerk_id > $2::text
ORDER BY a.clerk_id LIMIT 100

-- name: drop_absences
DELETE FROM rollcall.sync_absences a
WHERE a.run_id = $1::bigint AND a.clerk_id = ANY ($2::text[])

-- name: count_absences
SELECT count(*) FROM rollcall.sync_absences a WHERE a.run_id = $1::bigint

-- name: hold_absences
INSERT INTO rollcall.held_deletes (run_id, clerk_id)
SELECT a.run_id, a.clerk_id FROM rollcall.sync_absences a WHERE a.run_id = $1::bigint

-- name: supersede_held
-- A later complete pass has judged anew. One that comes too late says nothing of a later one's.
UPDATE rollcall.held_deletes h SET decided_at = now(), decision = 'superseded'
WHERE h.decided_at IS NULL AND h.run_id < $1::bigint

-- name: some_held
SELECT h.clerk_id FROM rollcall.held_deletes h
WHERE h.run_id = $1::bigint AND h.decided_at IS NULL AND h.clerk_id > $2::text
  AND ($3::text IS NULL OR h.clerk_id = $3::text)
ORDER BY h.clerk_id LIMIT 100

-- name: held_list
-- All that wait for a person, or user $1: held back by a pass, or by webhook.
SELECT h.clerk_id, h.run, h.job, rollcall.rfc3339(h.held_at) AS held_at
FROM (SELECT p.clerk_id, p.run_id AS run, NULL::uuid AS job, p.held_at
      FROM rollcall.held_deletes p WHERE p.decided_at IS NULL
      UNION ALL
      SELECT w.clerk_id, NULL, w.job, w.held_at FROM rollcall.held_deletions() AS w) AS h
WHERE $1::text IS NULL OR h.clerk_id = $1::text
ORDER BY h.held_at, h.clerk_id
LIMIT $2::integer

-- name: decide_held
-- A person's decisions have an entry of the audit log each; $4 is who it was.
WITH decided AS (
    UPDATE rollcall.held_deletes h SET decided_at = now(), decision = $3::text
    WHERE h.run_id = $1::bigint AND h.decided_at IS NULL
      AND ($2::text[] IS NULL OR h.clerk_id = ANY ($2::text[]))
    RETURNING h.clerk_id
)
SELECT d.clerk_id,
    CASE WHEN $3::text IN ('approved', 'discarded')
         THEN rollcall.audit(CASE $3::text WHEN 'approved' THEN 'deletes.approve'
                                           ELSE 'deletes.discard' END,
                             d.clerk_id, jsonb_build_object('run', $1::bigint)) END
FROM (SELECT set_config('rollcall.actor', $4::text, true) AS said OFFSET 0) who, decided d
WHERE who.said IS NOT NULL
