-- Every statement of src/audit. The table and its function are made by migrations/0010_audit.sql.

-- name: record
SELECT rollcall.audit($2::text, nullif($3::text, ''), $4::jsonb)
FROM (SELECT set_config('rollcall.actor', $1::text, true) AS said OFFSET 0) who
WHERE who.said IS NOT NULL

-- name: list
SELECT a.id, rollcall.rfc3339(a.at) AS at, a.actor, a.actor_name, a.actor_ip, a.database_user,
    a.action, a.target, a.detail, a.reason, a.request_id
FROM rollcall.audit_log a
WHERE ($1::text IS NULL OR a.action = $1::text)
  AND ($2::text IS NULL OR a.target = $2::text)
  AND ($3::bigint IS NULL OR a.at >= now() - $3::bigint * interval '1 millisecond')
  AND ($4::bigint IS NULL OR a.id < $4::bigint)
ORDER BY a.id DESC
LIMIT $5::integer

-- name: prune
-- By their order, which is that of their times but for moments: nothing is indexed for this.
DELETE FROM rollcall.audit_log a
WHERE a.id IN (SELECT o.id FROM (SELECT e.id, e.at FROM rollcall.audit_log e
                                 ORDER BY e.id LIMIT $2::integer) o
               WHERE o.at < now() - $1::bigint * interval '1 millisecond')

-- name: newest
SELECT coalesce(max(a.id), 0) FROM rollcall.audit_log a

-- name: added
SELECT a.id, a.action, a.at < now() - interval '1 minute' AS settled
FROM rollcall.audit_log a
WHERE a.id > $1::bigint
ORDER BY a.id
LIMIT $2::integer
