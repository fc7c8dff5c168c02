-- The statement of standings.cpp; a template as those of directory.sql.

-- name: standings
-- What is known of each Clerk id of $1, and of the session at the same place of $2 ('' for none),
-- in that order; where $3, how old the table is.
SELECT u.{{id}}::text AS user_id, {{row_role}} AS role, l.clerk_id IS NOT NULL AS listed,
    l.deleted_at IS NOT NULL OR (u.{{id}} IS NOT NULL AND NOT ({{living}})) AS deleted,
    coalesce(l.banned, false) AS banned, coalesce(l.locked, false) AS locked,
    date_part('epoch', clock_timestamp() - s.revoked_at) AS revoked_for,
    CASE WHEN $3::boolean
         THEN (SELECT date_part('epoch', rollcall.sync_age())) END AS sync_age
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS c (clerk_id, session_id, place)
LEFT JOIN rollcall.ledger l ON l.clerk_id = c.clerk_id COLLATE "C"
LEFT JOIN {{keyed_users}} u ON u.{{clerk_id}} = {{change_clerk_id}}
LEFT JOIN rollcall.session_revocations s ON s.session_id = c.session_id COLLATE "C"
ORDER BY c.place
