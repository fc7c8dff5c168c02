-- What is known of the copies in Supabase Auth. Each note locks the job ($1, under the fence $2) of
-- the user $3 first: it waits for a change that is arming the job again, and sees it then.

-- name: writing
-- $4: for how many milliseconds a write that begins now may be carried out.
WITH held AS MATERIALIZED (
    SELECT FROM public.job_queue j
    WHERE j.id = $1::uuid AND j.fence = $2::bigint AND j.status = 'PROCESSING'
    FOR UPDATE
), before AS MATERIALIZED (
    SELECT m.unsure_until FROM held JOIN rollcall.mirror_users m ON m.clerk_id = $3::text
    FOR UPDATE OF m
)
INSERT INTO rollcall.mirror_users AS m (clerk_id, unsure_until)
SELECT $3::text, now() + $4::bigint * interval '1 millisecond'
FROM held LEFT JOIN before ON true
ON CONFLICT (clerk_id) DO UPDATE
SET content_hash = NULL, unsure_until = greatest(m.unsure_until, excluded.unsure_until)
RETURNING (extract(epoch FROM m.unsure_until) * 1000000)::bigint AS until_us,
    (SELECT (extract(epoch FROM b.unsure_until) * 1000000)::bigint FROM before b) AS before_us

-- name: doubt
-- The same of the user $1, by who has another user's job.
WITH before AS MATERIALIZED (
    SELECT m.unsure_until FROM rollcall.mirror_users m WHERE m.clerk_id = $1::text
    FOR UPDATE
)
UPDATE rollcall.mirror_users m
SET content_hash = NULL, unsure_until = greatest(before.unsure_until,
                                                 now() + $2::bigint * interval '1 millisecond')
FROM before
WHERE m.clerk_id = $1::text
RETURNING (extract(epoch FROM m.unsure_until) * 1000000)::bigint AS until_us,
    (extract(epoch FROM before.unsure_until) * 1000000)::bigint AS before_us

-- name: heard
-- Of the user $1 the end of the write was heard that left the doubt $2, and $3 before it.
UPDATE rollcall.mirror_users m SET unsure_until = to_timestamp($3::bigint / 1000000.0)
WHERE m.clerk_id = $1::text AND m.unsure_until = to_timestamp($2::bigint / 1000000.0)

-- name: unsure
WITH held AS MATERIALIZED (
    SELECT FROM public.job_queue j
    WHERE j.id = $1::uuid AND j.fence = $2::bigint AND j.status = 'PROCESSING'
    FOR UPDATE
)
SELECT ceil(extract(epoch FROM greatest(m.unsure_until - now(), '0')) * 1000)::bigint AS ms
FROM held LEFT JOIN rollcall.mirror_users m ON m.clerk_id = $3::text

-- name: written
-- $4: the Auth user; $5: the job's version when it was claimed; $6: what was written there; $7 and
-- $8: as in `heard`. While an earlier write may still come, what is there is not known.
WITH held AS MATERIALIZED (
    SELECT j.version FROM public.job_queue j
    WHERE j.id = $1::uuid AND j.fence = $2::bigint AND j.status = 'PROCESSING'
    FOR UPDATE
)
INSERT INTO rollcall.mirror_users AS m (clerk_id, auth_id, content_hash)
SELECT $3::text, $4::uuid,
    CASE WHEN coalesce(held.version, 0) = $5::bigint THEN $6::bigint END
FROM held
ON CONFLICT (clerk_id) DO UPDATE
SET auth_id = excluded.auth_id, adopted = m.adopted AND m.auth_id = excluded.auth_id,
    unsure_until = CASE WHEN m.unsure_until = to_timestamp($7::bigint / 1000000.0)
                        THEN to_timestamp($8::bigint / 1000000.0) ELSE m.unsure_until END,
    content_hash = CASE WHEN CASE WHEN m.unsure_until = to_timestamp($7::bigint / 1000000.0)
                                  THEN to_timestamp($8::bigint / 1000000.0)
                                  ELSE m.unsure_until END > now() THEN NULL
                        ELSE excluded.content_hash END,
    skipped = NULL, mirrored_at = now()
RETURNING ceil(extract(epoch FROM greatest(m.unsure_until - now(), '0')) * 1000)::bigint AS ms

-- name: told_by
-- The event by which the user $1 is known as they are, as long as its bytes are kept.
SELECT j.original_event FROM rollcall.ledger l
JOIN public.job_queue j ON j.id = l.arrived_as AND j.subject = l.clerk_id AND j.version = l.version
WHERE l.clerk_id = $1::text AND j.original_event IS NOT NULL

-- name: adopt
-- Until `written` nothing bears the user's Clerk id there: mirrored_at says so.
-- $5: their password was replaced, since nobody had proven the address in Auth.
WITH held AS MATERIALIZED (
    SELECT FROM public.job_queue j
    WHERE j.id = $1::uuid AND j.fence = $2::bigint AND j.status = 'PROCESSING'
    FOR UPDATE
), told AS (
    INSERT INTO rollcall.audit_log (actor, action, target, detail)
    SELECT 'system', 'mirror.adopted', $3::text, jsonb_strip_nulls(jsonb_build_object(
        'auth_id', $4::uuid, 'password', CASE WHEN $5::boolean THEN 'replaced' END))
    FROM held
    WHERE NOT EXISTS (SELECT FROM rollcall.mirror_users m
                      WHERE m.clerk_id = $3::text AND m.auth_id = $4::uuid AND m.adopted)
)
INSERT INTO rollcall.mirror_users AS m (clerk_id, auth_id, adopted, mirrored_at)
SELECT $3::text, $4::uuid, true, '-infinity' FROM held
ON CONFLICT (clerk_id) DO UPDATE
SET auth_id = excluded.auth_id, adopted = true, content_hash = NULL, skipped = NULL,
    mirrored_at = CASE WHEN m.adopted AND m.auth_id = excluded.auth_id THEN m.mirrored_at
                       ELSE excluded.mirrored_at END

-- name: skip
WITH held AS MATERIALIZED (
    SELECT FROM public.job_queue j
    WHERE j.id = $1::uuid AND j.fence = $2::bigint AND j.status = 'PROCESSING'
    FOR UPDATE
)
INSERT INTO rollcall.mirror_users (clerk_id, auth_id, skipped)
SELECT $3::text, $4::uuid, $5::text FROM held
ON CONFLICT (clerk_id) DO UPDATE
SET auth_id = excluded.auth_id, adopted = false, content_hash = NULL, skipped = excluded.skipped,
    mirrored_at = now()

-- name: forget
WITH held AS MATERIALIZED (
    SELECT FROM public.job_queue j
    WHERE j.id = $1::uuid AND j.fence = $2::bigint AND j.status = 'PROCESSING'
    FOR UPDATE
), gone AS (
    DELETE FROM rollcall.mirror_users m
    USING held
    WHERE m.clerk_id = $3::text
)
SELECT 1 FROM held

-- name: counts
SELECT pending, dead, skipped FROM rollcall.mirror_counts()
