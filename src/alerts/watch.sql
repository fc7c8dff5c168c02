-- The conditions of what looks wrong though nothing fails; as those of conditions.sql.

-- name: mirror_behind
-- The oldest job of the mirror has been there for $1 milliseconds and is not done: due or put off,
-- for one that is tried again for ever is never due for long. Where this process has no mirror (not
-- $2), nobody may have: it was switched off, or its settings got lost.
SELECT (extract(epoch FROM now()) * 1000 - d.oldest_seconds * 1000)::bigint AS since_ms,
    jsonb_build_object('pending', c.pending::text, 'dead', c.dead::text, 'on', $2::boolean::text)
        AS labels,
    format('The mirror in Supabase Auth is behind by %s minutes: %s users wait, %s were given up',
           floor(d.oldest_seconds / 60), c.pending, c.dead)
        || CASE WHEN $2::boolean THEN ''
                ELSE '. Its settings are missing on this instance: docs/mirror.md, Switching it off'
           END AS summary
FROM rollcall.queue_depths() AS d, rollcall.mirror_counts() AS c
WHERE d.queue = 'mirror' AND d.oldest_seconds * 1000 > $1::bigint

-- name: deletion_burst
-- A burst is where a pass would have held them back: more than $1 users, and than the share $2 of
-- those there were. The users are only counted when it may be one.
SELECT (extract(epoch FROM d.first_at) * 1000)::bigint AS since_ms,
    jsonb_build_object('deleted', d.users::text) AS labels,
    format('%s users were deleted by webhook within an hour: is it meant? A pass would have held '
           'them back. Their rows are kept where users.delete is soft', d.users) AS summary
FROM rollcall.webhook_deletions() AS d
WHERE CASE WHEN d.users > $1::bigint
           THEN d.users > $2::double precision * (d.users + (SELECT count(*) FROM rollcall.ledger l
                                                            WHERE l.deleted_at IS NULL))
           ELSE false END

-- name: foreign_jobs
-- At least $1 changes of users came within ten minutes that no delivery brought: rollcall's own
-- have the event they are of. What is asked for with rollcall.enqueue() to read users again is
-- nobody's change.
SELECT (extract(epoch FROM min(f.created_at)) * 1000)::bigint AS since_ms,
    jsonb_build_object('job', (array_agg(f.id ORDER BY f.created_at, f.id))[1]) AS labels,
    format('Jobs within 10 minutes that change users and that rollcall did not write: %s '
           '(rollcall jobs show %s). Who may write public.job_queue?', count(*),
           (array_agg(f.id ORDER BY f.created_at, f.id))[1]) AS summary
FROM rollcall.foreign_changes('10 minutes') AS f
HAVING count(*) >= $1::integer

-- name: signature_failures_from_one
-- One network sent at least $1 deliveries within ten minutes whose signature failed.
SELECT (extract(epoch FROM min(f.minute)) * 1000)::bigint AS since_ms,
    jsonb_build_object('network', f.network) AS labels,
    format('At least %s deliveries from %s failed their signature within 10 minutes: somebody who '
           'guesses, or a sender with an old secret', sum(f.count), f.network) AS summary
FROM rollcall.failing_networks f
WHERE f.minute > now() - interval '10 minutes'
GROUP BY f.network
HAVING sum(f.count) >= $1::bigint
ORDER BY sum(f.count) DESC, f.network
LIMIT 1

-- name: admin_granted
-- A user was given a role that is not the ordinary one within the hour. What the first complete
-- pass brings was there before; $1: this installation makes passes.
SELECT (extract(epoch FROM min(a.at)) * 1000)::bigint AS since_ms,
    jsonb_build_object('roles', jsonb_agg(DISTINCT a.detail ->> 'role')) AS labels,
    format('Roles were given to users within an hour: %s; the last to %s. rollcall.audit_log has '
           'them all, as role.granted', count(*), (array_agg(a.target ORDER BY a.at DESC))[1])
        AS summary
FROM rollcall.audit_log a
WHERE a.action = 'role.granted' AND a.at > now() - interval '1 hour'
  AND (NOT $1::boolean
       OR a.at > (SELECT min(r.finished_at) FROM rollcall.sync_runs r
                  WHERE r.mode = 'full' AND r.status = 'completed'))
HAVING count(*) > 0
