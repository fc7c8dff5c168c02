-- The conditions of the alerts: each returns one row while it holds (since when, labels, and a
-- summary for people without personal data), and none when it does not. All of them are cheap on
-- big tables: they look at the newest rows through an index.

-- name: sync_failing
-- The last $1 passes all failed. One that a stop cut short says nothing.
SELECT (extract(epoch FROM min(f.started_at)) * 1000)::bigint AS since_ms,
    jsonb_build_object('mode', (array_agg(f.mode ORDER BY f.id DESC))[1]) AS labels,
    format('The last %s passes did not complete. The newest: %s', count(*),
           coalesce((array_agg(f.error ORDER BY f.id DESC))[1], 'no reason known')) AS summary
FROM (SELECT r.id, r.mode, r.status, r.started_at, r.error FROM rollcall.sync_runs r
      WHERE r.mode <> 'user' AND r.status <> 'running'
        AND r.failure IS DISTINCT FROM 'interrupted'
      ORDER BY r.id DESC LIMIT $1::integer) AS f
HAVING count(*) = $1::integer AND bool_and(f.status <> 'completed')

-- name: sync_stale
-- No pass has completed for $1 milliseconds, since polling began.
SELECT (extract(epoch FROM last.at) * 1000)::bigint AS since_ms, '{}'::jsonb AS labels,
    format(CASE WHEN last.completed_at IS NULL
                THEN 'No pass has completed yet; the first began %s minutes ago'
                ELSE 'No pass has completed for %s minutes' END,
           floor(extract(epoch FROM now() - last.at) / 60)) AS summary
FROM (SELECT p.completed_at, coalesce(p.completed_at, p.first_at) AS at
      FROM (SELECT (SELECT r.finished_at FROM rollcall.sync_runs r
                    WHERE r.mode <> 'user' AND r.status = 'completed'
                    ORDER BY r.id DESC LIMIT 1) AS completed_at,
                   (SELECT r.started_at FROM rollcall.sync_runs r
                    WHERE r.mode <> 'user' ORDER BY r.id LIMIT 1) AS first_at) AS p) AS last
WHERE last.at < now() - $1::bigint * interval '1 millisecond'

-- name: deletes_held
-- Only the newest pass that held some back matters: it has superseded those before it. It judges
-- single users, too, whose deletions are held back one by one.
SELECT * FROM (SELECT (extract(epoch FROM min(h.held_at)) * 1000)::bigint AS since_ms,
    jsonb_build_object('run', h.run_id::text) AS labels,
    format('Deletions that wait for a person: %s, of pass %s. rollcall sync --approve-deletes %s, '
           'or --discard-deletes %s', count(*), h.run_id, h.run_id, h.run_id) AS summary
FROM rollcall.held_deletes h
WHERE h.decided_at IS NULL
GROUP BY h.run_id
ORDER BY h.run_id DESC
LIMIT 1) AS of_pass
UNION ALL
SELECT (extract(epoch FROM min(a.first_seen_at)) * 1000)::bigint, '{}'::jsonb,
    format('Deletions held back one by one: %s users whom Clerk does not know, after too many '
           'within the hour. rollcall sync --full judges them together', count(*))
FROM rollcall.absences a LEFT JOIN rollcall.ledger l USING (clerk_id)
WHERE a.concluded_at IS NULL AND l.deleted_at IS NULL AND a.held_at > now() - interval '1 day'
  AND NOT EXISTS (SELECT FROM rollcall.held_deletes h WHERE h.decided_at IS NULL)
HAVING count(*) > 0
UNION ALL
SELECT (extract(epoch FROM min(h.held_at)) * 1000)::bigint, '{"by": "webhook"}'::jsonb,
    format('Deletions by webhook that wait for a person: %s, beyond what the guard lets through '
           'within an hour. rollcall deletions lists them', count(*))
FROM rollcall.held_deletions() AS h
HAVING count(*) > 0
UNION ALL
SELECT (extract(epoch FROM s.compared_at) * 1000)::bigint, '{"by": "mirror"}'::jsonb,
    format('Users of Supabase Auth whose removal waits for a person: %s, more than the guard '
           'allows. rollcall audit --mirror lists them, rollcall deletions approve --from mirror '
           'lets them go', s.held)
FROM rollcall.mirror_state s
WHERE s.held > 0 AND s.removals_allowed IS NULL AND s.wanted_until > now()
LIMIT 1

-- name: webhook_silence
-- Nothing verified came for $1 milliseconds, while passes found changes that should have come. The
-- first complete pass, which fills the table, does not count, nor does a change so new that its
-- delivery may still be on its way.
SELECT (extract(epoch FROM coalesce(
        (SELECT d.last_seen FROM rollcall.deliveries d
         WHERE d.outcome IN ('stored', 'duplicate', 'review', 'ignored')
         ORDER BY d.minute DESC LIMIT 1),
        now() - $1::bigint * interval '1 millisecond')) * 1000)::bigint AS since_ms,
    '{}'::jsonb AS labels,
    format('No webhook came for %s minutes, while passes found changes (%s): is the endpoint '
           'still registered at Clerk?', floor($1::bigint / 60000.0), found.changes) AS summary
FROM (SELECT sum(r.created + r.updated + r.deleted + r.restored) AS changes
      FROM rollcall.sync_runs r
      WHERE r.mode <> 'user' AND r.started_at > now() - $1::bigint * interval '1 millisecond'
        AND r.started_at < now() - interval '10 minutes'
        AND r.id > (SELECT min(f.id) FROM rollcall.sync_runs f
                    WHERE f.mode = 'full' AND f.status = 'completed')) AS found
WHERE found.changes > 0
  AND NOT EXISTS (SELECT FROM rollcall.deliveries d
                  WHERE d.minute > now() - $1::bigint * interval '1 millisecond'
                    AND d.outcome IN ('stored', 'duplicate', 'review', 'ignored'))

-- name: signature_failures
-- Of what came signed within ten minutes more than the share $1, and at least $2, did not verify.
SELECT (extract(epoch FROM d.first_at) * 1000)::bigint AS since_ms, '{}'::jsonb AS labels,
    format('%s of %s signed deliveries within 10 minutes did not verify: is the webhook secret the '
           'one that Clerk shows?', d.failed, d.failed + d.verified) AS summary
FROM (SELECT coalesce(sum(v.count) FILTER (WHERE NOT v.good), 0) AS failed,
             coalesce(sum(v.count) FILTER (WHERE v.good), 0) AS verified,
             min(v.first_seen) FILTER (WHERE NOT v.good) AS first_at
      FROM (SELECT e.count, e.first_seen, e.outcome <> 'refused' AS good
            FROM rollcall.deliveries e
            WHERE e.minute > now() - interval '10 minutes'
              AND (e.outcome <> 'refused' OR e.reason IN
                   ('no_matching_signature', 'stale_timestamp', 'future_timestamp'))) AS v) AS d
WHERE d.failed >= $2::integer AND d.failed > $1::double precision * (d.failed + d.verified)

-- name: dead_letters
-- At least $1 jobs were given up within the hour; counted up to ten thousand.
SELECT (extract(epoch FROM min(f.updated_at)) * 1000)::bigint AS since_ms, '{}'::jsonb AS labels,
    format('Jobs given up within the hour: %s (rollcall jobs list --status FAILED)', count(*))
        AS summary
FROM (SELECT j.updated_at FROM public.job_queue j
      WHERE j.status = 'FAILED' AND j.job_type = ANY (rollcall.own_types())
        AND j.updated_at > now() - interval '1 hour' AND NOT rollcall.deletion_held(j)
      LIMIT 10000) AS f
HAVING count(*) >= $1::integer

-- name: queue_stuck
SELECT (extract(epoch FROM now()) * 1000 - d.oldest_seconds * 1000)::bigint AS since_ms,
    jsonb_build_object('queue', d.queue) AS labels,
    format('The oldest job of queue %s has been due for %s minutes; %s wait', d.queue,
           floor(d.oldest_seconds / 60), d.ready) AS summary
FROM rollcall.queue_depth() AS d
WHERE d.oldest_seconds * 1000 > $1::bigint
ORDER BY d.oldest_seconds DESC
LIMIT 1

-- name: drift
-- Each of the last $1 complete passes found at least $2 users that were not as Clerk has them.
SELECT (extract(epoch FROM min(f.started_at)) * 1000)::bigint AS since_ms, '{}'::jsonb AS labels,
    format('%s complete passes in a row found differences; the newest %s missing, %s stale and %s '
           'extra users', count(*),
           (array_agg(f.found_missing ORDER BY f.id DESC))[1],
           (array_agg(f.found_stale ORDER BY f.id DESC))[1],
           (array_agg(f.found_extra ORDER BY f.id DESC))[1]) AS summary
FROM (SELECT r.id, r.started_at, r.found_missing, r.found_stale, r.found_extra
      FROM rollcall.sync_runs r
      WHERE r.mode <> 'user' AND r.mode = 'full' AND r.status = 'completed'
      ORDER BY r.id DESC LIMIT $1::integer) AS f
HAVING count(*) = $1::integer
   AND min(f.found_missing + f.found_stale + f.found_extra) >= $2::integer

-- name: circuit_open
-- On some instance that is alive, for $1 milliseconds.
SELECT (extract(epoch FROM min(c.since)) * 1000)::bigint AS since_ms,
    jsonb_build_object('upstream', c.upstream) AS labels,
    format('The circuit to %s has been open for %s minutes; instances: %s', c.upstream,
           floor(extract(epoch FROM now() - min(c.since)) / 60), count(*)) AS summary
FROM rollcall.open_circuits c
WHERE c.seen_at > now() - interval '5 minutes'
  AND c.since < now() - $1::bigint * interval '1 millisecond'
GROUP BY c.upstream
ORDER BY min(c.since)
LIMIT 1

-- name: spooling
-- Events wait in some spool, and none has come out of it for $1 milliseconds, though the database
-- answers: nobody drains it, or it cannot be. Or a file of it is damaged.
SELECT (extract(epoch FROM min(CASE WHEN s.stuck THEN s.waiting_since ELSE s.damaged_since END))
        * 1000)::bigint AS since_ms,
    jsonb_build_object('place', min(s.place)) AS labels,
    format('Webhooks that wait in spools: %s, in damaged files of spools there may be more: %s. '
           'The first: %s, last seen at %s', sum(s.events) FILTER (WHERE s.stuck), sum(s.damaged),
           min(s.place), to_char(min(s.seen_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI"Z"'))
        AS summary
FROM (SELECT p.*, greatest(p.oldest_at, p.moved_at) AS waiting_since,
          p.events > 0 AND greatest(p.oldest_at, p.moved_at)
              < now() - $1::bigint * interval '1 millisecond' AS stuck
      FROM rollcall.spools p) AS s
WHERE s.stuck OR s.damaged > 0
HAVING count(*) > 0
