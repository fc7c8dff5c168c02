-- The statements of src/directory that compare the table with what Clerk says. They write nothing.
-- {{name}} as in directory.sql.

-- name: compare
-- Of the users on a page of Clerk's, those that are not known exactly so. Those that were created
-- from $9 (microseconds since 1970; after the id $10 within it) until $11 are found by one walk
-- along the ledger, and their rows by its ids: looking each up by its Clerk id costs twice as much.
-- Not those of whom Clerk itself has said something newer: this page was overtaken.
WITH told AS MATERIALIZED (
    SELECT r.*, hash_record_extended(ROW(r.email, r.name, r.role, r.banned, r.locked), 0)
        AS content_hash
    FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::boolean[],
                $7::boolean[], $8::timestamptz[]) WITH ORDINALITY
        AS r (clerk_id, version, email, name, role, banned, locked, clerk_created_at, position)
), near AS MATERIALIZED (
    SELECT l.clerk_id, l.version, l.content_hash, l.user_id, l.clerk_created_at, l.deleted_at
    FROM rollcall.ledger l
    WHERE {{in_span}}
    LIMIT 2000
), unlike AS MATERIALIZED (
    SELECT c.*, now() AS asked_at FROM told c
    LEFT JOIN near l ON l.clerk_id = c.clerk_id COLLATE "C"
    LEFT JOIN {{users}} u ON u.{{id}} = l.user_id
    WHERE {{as_known}} IS NOT TRUE
), suspect AS MATERIALIZED (
    -- Who is not in the span by the ledger's account, or differs.
    SELECT c.*, l.clerk_id IS NULL AS unseen, l.banned AS known_banned, l.locked AS known_locked
    FROM unlike c
    LEFT JOIN rollcall.ledger l ON l.clerk_id = c.clerk_id
    LEFT JOIN {{users}} u ON u.{{id}} = l.user_id
    WHERE {{as_known}} IS NOT TRUE
      AND (l.version > c.version AND NOT {{settled}}) IS NOT TRUE
)
SELECT c.position - 1 AS position, u.{{clerk_id}} IS NOT NULL AS present,
    CASE WHEN c.unseen AND u.{{clerk_id}} IS NULL
         THEN (SELECT true FROM {{users}} h WHERE {{email_held}} LIMIT 1) IS NULL
         ELSE false END AS newcomer,
    {{compared_columns}}
    c.known_banned <> c.banned, c.known_banned::text, c.known_locked <> c.locked,
    c.known_locked::text
FROM suspect c LEFT JOIN {{users}} u ON u.{{clerk_id}} = {{change_clerk_id}}
ORDER BY c.position

-- name: as_known
(l.version = c.version AND l.content_hash = c.content_hash AND l.deleted_at IS NULL
           AND {{creation_known}} AND {{row_as_told}})

-- name: in_span
l.deleted_at IS NULL
      AND (l.clerk_created_at, l.clerk_id)
          > (coalesce(to_timestamp($9::bigint / 1000000.0), '-infinity'), $10::text)
      AND l.clerk_created_at < coalesce(to_timestamp($11::bigint / 1000000.0), 'infinity')

-- name: absent
-- The living users created from $1 (after the id $2 within that time) until $3 who are not among
-- $4; NULL is without end. At most $5.
WITH named AS MATERIALIZED (
    -- One row a user; but the planner now expects many, and joins by hash.
    SELECT here.clerk_id COLLATE "C" AS clerk_id
    FROM generate_series(1, (SELECT 1)), unnest($4::text[]) AS here (clerk_id)
)
SELECT l.clerk_id,
    (extract(epoch FROM l.clerk_created_at) * 1000000)::bigint AS created_us
FROM rollcall.ledger l
WHERE l.deleted_at IS NULL
  AND (l.clerk_created_at, l.clerk_id)
      > (coalesce(to_timestamp($1::bigint / 1000000.0), '-infinity'), $2::text)
  AND l.clerk_created_at < coalesce(to_timestamp($3::bigint / 1000000.0), 'infinity')
  AND NOT EXISTS (SELECT FROM named n WHERE n.clerk_id = l.clerk_id)
ORDER BY l.clerk_created_at, l.clerk_id
LIMIT $5::integer

-- name: unplaced
-- The living users of whom no time of creation is known, after $1. At most $2.
SELECT l.clerk_id FROM rollcall.ledger l
WHERE l.deleted_at IS NULL AND l.clerk_created_at IS NULL AND l.clerk_id > $1::text
ORDER BY l.clerk_id
LIMIT $2::integer

-- name: strangers
-- Of the next $2 rows after the id $1 the living ones whose user the ledger does not know as
-- living, and the last id of all, without a Clerk id; no row at the end. Each is looked up by
-- itself: a join would read the whole ledger for every portion.
WITH chunk AS MATERIALIZED (
    SELECT u.{{id}} AS id, nullif(u.{{clerk_id}}::text, 'NULL') COLLATE "C" AS clerk_id,
        {{living}} AS living
    FROM {{users}} u
    WHERE u.{{id}} > $1::uuid
    ORDER BY u.{{id}}
    LIMIT $2::integer
)
SELECT c.id, c.clerk_id FROM chunk c
WHERE c.living AND c.clerk_id IS NOT NULL
  AND (SELECT l.deleted_at IS NULL FROM rollcall.ledger l
       WHERE l.clerk_id = c.clerk_id) IS NOT TRUE
UNION ALL
(SELECT c.id, NULL FROM chunk c ORDER BY c.id DESC LIMIT 1)

-- name: balanced
-- Whether there are as many living rows with a Clerk id as living users in the ledger.
SELECT (SELECT count(*) FROM {{users}} u
        WHERE {{living}} AND nullif(u.{{clerk_id}}::text, 'NULL') IS NOT NULL)
    = (SELECT count(*) FROM rollcall.ledger l WHERE l.deleted_at IS NULL) AS balanced

-- name: blank
-- Whether there is nobody to compare with.
SELECT NOT EXISTS (SELECT FROM rollcall.ledger) AND NOT EXISTS (SELECT FROM {{users}}) AS blank

-- name: active
SELECT count(*) FROM rollcall.ledger l WHERE l.deleted_at IS NULL
