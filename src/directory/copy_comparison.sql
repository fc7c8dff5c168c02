-- The rows beside what a comparison ($1, its run) has seen of their copies in Supabase Auth, in
-- rollcall.mirror_seen, which the mirror fills. They write nothing. {{name}} as in directory.sql.

-- name: compared_rows
-- Of the chosen rows the living ones whose copy is not as they are, or is not noted as theirs; and
-- the last of all, without a Clerk id. No row at the end. WRITTEN is a copy since the comparison
-- began: what was seen may be from before that. A time ahead is from before the clock was set back.
WITH chosen AS MATERIALIZED (
    {{chosen}}
), chunk AS MATERIALIZED (
    SELECT c.id, nullif(c.clerk_id, 'NULL') COLLATE "C" AS clerk_id, c.living,
        nullif(c.email, '') AS email, nullif(c.name, '') AS name, nullif(c.role, '') AS role
    FROM chosen c
), compared AS MATERIALIZED (
    SELECT c.clerk_id, s.auth_id AS seen_id, k.known_id,
        s.auth_id IS NULL AND (m.skipped IS NULL OR c.email IS NOT NULL) AS missing,
        CASE WHEN c.email IS NOT NULL
             THEN s.email IS DISTINCT FROM hashtextextended(lower(c.email), 0)
             ELSE s.email <> hashtextextended(s.auth_id::text || '@rollcall.invalid', 0)
        END IS TRUE AS email,
        s.name IS DISTINCT FROM hashtextextended(c.name, 0) AS name,
        s.role IS DISTINCT FROM c.role AS role,
        s.banned IS DISTINCT FROM coalesce(l.banned OR l.locked, false) AS banned,
        c.email IS NOT NULL AND NOT s.confirmed AS confirmed,
        m.mirrored_at BETWEEN (SELECT b.begun_at FROM rollcall.mirror_state b) AND now() AS written
    FROM chunk c
    LEFT JOIN rollcall.ledger l ON l.clerk_id = c.clerk_id
    LEFT JOIN rollcall.mirror_users m ON m.clerk_id = c.clerk_id
    CROSS JOIN LATERAL (SELECT CASE WHEN m.skipped IS NULL THEN m.auth_id END AS known_id) k
    LEFT JOIN LATERAL (SELECT * FROM rollcall.mirror_seen o
                       WHERE o.run = $1::bigint AND o.clerk_id = c.clerk_id
                       ORDER BY o.auth_id IS DISTINCT FROM k.known_id, o.auth_id LIMIT 1) s ON true
    WHERE c.living AND c.clerk_id IS NOT NULL AND l.deleted_at IS NULL
)
SELECT c.clerk_id, c.seen_id, c.known_id, c.missing, c.email, c.name, c.role, c.banned, c.confirmed,
    CASE WHEN c.written THEN 'WRITTEN' ELSE {{job_status}} END AS job, NULL::uuid AS last_id
FROM compared c
WHERE c.missing OR c.seen_id IS NOT NULL
    AND (c.known_id IS NULL OR c.email OR c.name OR c.role OR c.banned OR c.confirmed)
UNION ALL
(SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, c.id
 FROM chunk c ORDER BY c.id DESC LIMIT 1)

-- name: rows_in_order
-- The next $3 after the id $2.
SELECT u.{{id}} AS id, u.{{clerk_id}}::text AS clerk_id, {{living}} AS living,
        {{row_email}} AS email, {{row_name}} AS name, {{row_role}} AS role
    FROM {{users}} u WHERE u.{{id}} > $2::uuid ORDER BY u.{{id}} LIMIT $3::integer

-- name: rows_of_users
-- Those of the users $2.
SELECT u.{{id}} AS id, u.{{clerk_id}}::text AS clerk_id, {{living}} AS living,
        {{row_email}} AS email, {{row_name}} AS name, {{row_role}} AS role
    FROM (SELECT t.clerk_id COLLATE "C" AS clerk_id FROM unnest($2::text[]) AS t (clerk_id)) c
    JOIN {{users}} u ON u.{{clerk_id}} = {{change_clerk_id}}

-- name: compared_copies
-- Of the chosen Auth users who bear a Clerk id those who are no living row's copy; and the last of
-- all, with the number of those who bear none. No row at the end. Who is not known here at all is
-- another rollcall's.
WITH chosen AS MATERIALIZED (
    SELECT s.auth_id, s.clerk_id, s.soft_deleted FROM rollcall.mirror_seen s
    WHERE s.run = $1::bigint AND {{chosen}}
), compared AS MATERIALIZED (
    SELECT c.auth_id, c.clerk_id,
        l.deleted_at IS NOT NULL OR (u.{{id}} IS NOT NULL AND NOT ({{living}})) AS deleted,
        u.{{id}} IS NOT NULL AS there,
        l.clerk_id IS NOT NULL OR m.clerk_id IS NOT NULL OR u.{{id}} IS NOT NULL AS known,
        c.auth_id <> (SELECT o.auth_id FROM rollcall.mirror_seen o
                      WHERE o.run = $1::bigint AND o.clerk_id = c.clerk_id
                      ORDER BY o.auth_id IS DISTINCT FROM m.auth_id, o.auth_id LIMIT 1) AS twice
    FROM chosen c
    LEFT JOIN rollcall.ledger l ON l.clerk_id = c.clerk_id
    LEFT JOIN rollcall.mirror_users m ON m.clerk_id = c.clerk_id
    LEFT JOIN {{users}} u ON u.{{clerk_id}} = {{change_clerk_id}}
    WHERE c.clerk_id IS NOT NULL
)
SELECT c.auth_id, c.clerk_id, c.deleted, c.known, c.twice, {{job_status}} AS job,
    NULL::uuid AS last_id, NULL::bigint AS unclaimed
FROM compared c
WHERE c.deleted OR NOT c.there OR c.twice
UNION ALL
SELECT NULL, NULL, NULL, NULL, NULL, NULL, (SELECT max(c.auth_id::text)::uuid FROM chosen c),
    (SELECT count(*) FROM chosen c WHERE c.clerk_id IS NULL AND NOT c.soft_deleted)
WHERE EXISTS (SELECT FROM chosen)

-- name: copies_in_order
-- The next $3 after the id $2.
s.auth_id > $2::uuid ORDER BY s.auth_id LIMIT $3::integer

-- name: some_copies
s.auth_id = ANY ($2::text[]::uuid[])

-- name: job_status
(SELECT j.status FROM public.job_queue j WHERE j.event_id = 'mirror:' || c.clerk_id)
