-- What a comparison sees of Supabase Auth's users (rollcall.mirror_seen), and what is known of
-- comparisons (rollcall.mirror_state). Only who holds the lease `mirror` runs one; $1 is its run,
-- which is the fence of that lease.

-- name: see_users
-- A page of Auth's list, or users who were asked for one by one. A ban's end is compared as text,
-- as Auth writes it, in UTC: whatever stands there, it can be compared.
INSERT INTO rollcall.mirror_seen
    (run, auth_id, clerk_id, email, name, role, confirmed, banned, soft_deleted)
SELECT DISTINCT ON (p.auth_id::uuid) $1::bigint, p.auth_id::uuid,
    CASE WHEN NOT p.soft_deleted THEN nullif(p.clerk_id, '') END,
    hashtextextended(nullif(lower(p.email), ''), 0), hashtextextended(nullif(p.name, ''), 0),
    nullif(p.role, ''), p.confirmed,
    p.banned_until COLLATE "C" > to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS'),
    p.soft_deleted
FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::boolean[], $8::text[],
            $9::boolean[])
    AS p (auth_id, clerk_id, email, name, role, confirmed, banned_until, soft_deleted)
ON CONFLICT (run, auth_id) DO UPDATE
SET clerk_id = excluded.clerk_id, email = excluded.email, name = excluded.name,
    role = excluded.role, confirmed = excluded.confirmed, banned = excluded.banned,
    soft_deleted = excluded.soft_deleted

-- name: see_table
-- The next $3 of auth.users after the id $2; the last of them.
WITH portion AS MATERIALIZED (
    SELECT u.id, u.email, u.raw_app_meta_data AS app, u.raw_user_meta_data AS own,
        u.email_confirmed_at, u.banned_until, u.deleted_at
    FROM auth.users u
    WHERE u.aud = 'authenticated' AND u.id > $2::uuid
    ORDER BY u.id LIMIT $3::integer
), seen AS (
    INSERT INTO rollcall.mirror_seen
        (run, auth_id, clerk_id, email, name, role, confirmed, banned, soft_deleted)
    SELECT $1::bigint, p.id,
        CASE WHEN p.deleted_at IS NULL THEN nullif(p.app ->> 'clerk_id', '') END,
        hashtextextended(nullif(lower(p.email), ''), 0),
        hashtextextended(nullif(p.own ->> 'full_name', ''), 0), nullif(p.app ->> 'role', ''),
        p.email_confirmed_at IS NOT NULL, coalesce(p.banned_until > now(), false),
        p.deleted_at IS NOT NULL
    FROM portion p
)
SELECT p.id FROM portion p ORDER BY p.id DESC LIMIT 1

-- name: see_some
-- Those of auth.users with the ids $2.
INSERT INTO rollcall.mirror_seen
    (run, auth_id, clerk_id, email, name, role, confirmed, banned, soft_deleted)
SELECT $1::bigint, u.id,
    CASE WHEN u.deleted_at IS NULL THEN nullif(u.raw_app_meta_data ->> 'clerk_id', '') END,
    hashtextextended(nullif(lower(u.email), ''), 0),
    hashtextextended(nullif(u.raw_user_meta_data ->> 'full_name', ''), 0),
    nullif(u.raw_app_meta_data ->> 'role', ''), u.email_confirmed_at IS NOT NULL,
    coalesce(u.banned_until > now(), false), u.deleted_at IS NOT NULL
FROM auth.users u
WHERE u.aud = 'authenticated' AND u.id = ANY ($2::text[]::uuid[])

-- name: unsee
DELETE FROM rollcall.mirror_seen s
WHERE s.run = $1::bigint AND s.auth_id = ANY ($2::text[]::uuid[])

-- name: weigh_seen
-- The table was empty a moment ago, and is read in order now. Who does not own it is only warned.
ANALYZE rollcall.mirror_seen

-- name: count_seen
SELECT count(*) FROM rollcall.mirror_seen s WHERE s.run = $1::bigint

-- name: forget_seen
-- Of this run and those before it: a later one may be under way where this one lost its lease.
DELETE FROM rollcall.mirror_seen s WHERE s.run <= $1::bigint

-- name: auth_users_readable
-- Whether there is an auth.users of Supabase's here all of whose rows can be read.
SELECT coalesce((
    SELECT has_schema_privilege(c.relnamespace, 'USAGE') AND NOT row_security_active(c.oid)
        AND (SELECT count(*) = 9 FROM pg_attribute a
             WHERE a.attrelid = c.oid AND NOT a.attisdropped
               AND a.attname IN ('id', 'aud', 'email', 'raw_app_meta_data', 'raw_user_meta_data',
                                 'email_confirmed_at', 'banned_until', 'deleted_at', 'created_at')
               AND has_column_privilege(c.oid, a.attnum, 'SELECT'))
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'auth' AND c.relname = 'users' AND c.relkind = 'r'), false) AS readable

-- name: auth_users_newest
-- How many there are, and the newest of them, if any.
SELECT (SELECT count(*) FROM auth.users u WHERE u.aud = 'authenticated') AS total,
    n.id, coalesce(lower(n.email), '') AS email
FROM (SELECT) one
LEFT JOIN (SELECT u.id, u.email FROM auth.users u WHERE u.aud = 'authenticated'
           ORDER BY u.created_at DESC NULLS LAST, u.id LIMIT 1) n ON true

-- name: note_copies
-- Auth users who bear a Clerk id whose copy nobody has noted.
INSERT INTO rollcall.mirror_users (clerk_id, auth_id, adopted)
SELECT n.clerk_id, n.auth_id::uuid, n.adopted
FROM unnest($1::text[], $2::text[], $3::boolean[]) AS n (clerk_id, auth_id, adopted)
ORDER BY n.clerk_id COLLATE "C"
ON CONFLICT DO NOTHING

-- name: skipped_users
SELECT m.clerk_id FROM rollcall.mirror_users m WHERE m.skipped IS NOT NULL
ORDER BY m.clerk_id LIMIT $1::integer

-- name: compare_due
-- Whether there was no comparison yet, none since a complete pass over Clerk's users, none for $1
-- milliseconds, or none since a person approved removals. A time ahead is from before the clock was
-- set back.
SELECT s.compared_at IS NULL OR coalesce(s.compared_at < y.full_completed_at, false)
    OR abs(extract(epoch FROM now() - s.compared_at)) * 1000 >= $1::bigint
    OR s.removals_allowed IS NOT NULL AS due
FROM rollcall.mirror_state s, rollcall.sync_state y

-- name: compare_begun
UPDATE rollcall.mirror_state SET begun_at = now()

-- name: compare_done
UPDATE rollcall.mirror_state s
SET compared_at = s.begun_at, compared_by = $2::text, missing = $3::bigint, different = $4::bigint,
    extra = $5::bigint, foreign_users = $6::bigint, held = $7::bigint, failed_at = NULL,
    failure = NULL,
    -- What was approved after this one asked is for the next.
    removals_allowed = CASE WHEN s.removals_allowed > $8::bigint THEN s.removals_allowed END
WHERE EXISTS (SELECT FROM rollcall.leases l WHERE l.name = 'mirror' AND l.fence = $1::bigint)

-- name: compare_failed
UPDATE rollcall.mirror_state SET failed_at = now(), failure = $2::text
WHERE EXISTS (SELECT FROM rollcall.leases l WHERE l.name = 'mirror' AND l.fence = $1::bigint)

-- name: allow_removals
-- $1 is who it was, which is said before it is done.
WITH allowed AS (
    UPDATE rollcall.mirror_state s SET removals_allowed = s.held WHERE s.held > 0
    RETURNING s.removals_allowed AS users
)
SELECT a.users, rollcall.audit('deletes.approve', NULL, jsonb_build_object('mirror', a.users))
FROM (SELECT set_config('rollcall.actor', $1::text, true) AS said OFFSET 0) who, allowed a
WHERE who.said IS NOT NULL

-- name: last_compared
SELECT (extract(epoch FROM s.compared_at) * 1000)::bigint AS compared_ms,
    coalesce(s.compared_by, '') AS compared_by, s.missing, s.different, s.extra, s.foreign_users,
    s.held, coalesce(s.removals_allowed, 0) AS allowed,
    (extract(epoch FROM s.failed_at) * 1000)::bigint AS failed_ms,
    coalesce(s.failure, '') AS failure
FROM rollcall.mirror_state s
