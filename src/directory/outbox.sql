-- The statements of outbox.cpp; templates as those of directory.sql, whose `arm` two of them take.

-- name: mirrored_row
-- What the copy of user $1 is to say, and what is known of the copy.
SELECT r.there, r.deleted, r.email, r.name, r.role, r.banned,
    hash_record_extended(ROW(r.email, r.name, r.role, r.banned), 0) AS content_hash,
    m.auth_id, m.content_hash AS written_hash, m.skipped,
    coalesce(m.adopted AND m.mirrored_at = '-infinity', false) AS adopting
FROM (SELECT c.clerk_id, u.{{id}} IS NOT NULL AS there,
          l.deleted_at IS NOT NULL OR (u.{{id}} IS NOT NULL AND NOT ({{living}})) AS deleted,
          {{row_email}} AS email, {{row_name}} AS name, {{row_role}} AS role,
          coalesce(l.banned OR l.locked, false) AS banned
      FROM (SELECT $1::text COLLATE "C" AS clerk_id) c
      LEFT JOIN rollcall.ledger l ON l.clerk_id = c.clerk_id
      LEFT JOIN {{users}} u ON u.{{clerk_id}} = {{change_clerk_id}}) r
LEFT JOIN rollcall.mirror_users m ON m.clerk_id = r.clerk_id

-- name: arm_one
WITH ledger AS (SELECT $1::text COLLATE "C" AS clerk_id)
{{arm}}

-- name: arm_again
-- The users $1, whose copies are to be written whatever is known of them.
WITH ledger AS MATERIALIZED (
    SELECT DISTINCT t.clerk_id COLLATE "C" AS clerk_id FROM unnest($1::text[]) AS t (clerk_id)
), forgotten AS (
    UPDATE rollcall.mirror_users m SET content_hash = NULL
    FROM (SELECT k.clerk_id FROM rollcall.mirror_users k JOIN ledger l ON l.clerk_id = k.clerk_id
          WHERE k.content_hash IS NOT NULL ORDER BY k.clerk_id FOR UPDATE OF k) k
    WHERE m.clerk_id = k.clerk_id
)
{{arm}}

-- name: wanted
SELECT s.wanted_until > now() AS wanted FROM rollcall.mirror_state s

-- name: want
-- Written about once an hour, however often it is asked.
UPDATE rollcall.mirror_state SET wanted_until = now() + interval '1 day'
WHERE wanted_until < now() + interval '23 hours'
