-- The statements of curbs.cpp; templates as those of directory.sql. {{told}}: what a change says
-- of the access of its user.

-- name: told_by_job
-- $1: the job. What was blanked has nothing to say.
SELECT j.clerk_id COLLATE "C" AS clerk_id, j.version, j.banned, j.locked, {{role_rule}} AS role,
        $1::text AS job
    FROM (SELECT coalesce(q.subject, q.payload ->> 'clerk_id') AS clerk_id,
              coalesce(q.version, rollcall.payload_version(q.payload, q.created_at)) AS version,
              coalesce(q.banned, false) AS banned, coalesce(q.locked, false) AS locked, q.payload
          FROM public.job_queue q
          WHERE q.id = $1::text::uuid AND q.job_type IN ('USER_CREATED', 'USER_UPDATED')
            AND q.blanked_at IS NULL) j

-- name: told_by_read
SELECT $1::text COLLATE "C" AS clerk_id, $2::bigint AS version, $3::boolean AS banned,
        $4::boolean AS locked, $5::text AS role, NULL::text AS job

-- name: bar
WITH change AS (
    {{told}}
)
UPDATE rollcall.ledger l SET banned = l.banned OR c.banned, locked = l.locked OR c.locked
FROM change c
WHERE l.clerk_id = c.clerk_id AND l.deleted_at IS NULL AND c.version > coalesce(l.version, -1)
  AND (c.banned AND NOT l.banned OR c.locked AND NOT l.locked)
RETURNING l.clerk_id

-- name: assign
-- The lock is where all writers of a user queue; the version is looked at under it.
WITH change AS (
    {{told}}
), known AS MATERIALIZED (
    SELECT c.clerk_id, c.role, c.job, u.{{id}} AS id, {{row_role}} AS previous
    FROM change c
    JOIN rollcall.ledger l ON l.clerk_id = c.clerk_id
    JOIN {{users}} u ON u.{{clerk_id}} = {{change_clerk_id}}
    WHERE l.deleted_at IS NULL AND c.version > coalesce(l.version, -1)
    FOR NO KEY UPDATE OF l
), assigned AS (
    UPDATE {{users}} u SET {{assign_role}}
    FROM known c
    WHERE u.{{id}} = c.id AND c.previous IS DISTINCT FROM c.role
    RETURNING c.clerk_id, c.role, c.job, c.previous
), granted AS (
    INSERT INTO rollcall.audit_log (actor, action, target, detail)
    SELECT 'system', 'role.granted', a.clerk_id,
        jsonb_strip_nulls(
            jsonb_build_object('role', a.role, 'previous', a.previous, 'job', a.job))
    FROM assigned a WHERE a.role <> {{default_role}}
)
SELECT clerk_id FROM assigned
