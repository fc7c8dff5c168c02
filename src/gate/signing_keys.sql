-- The statements of signing_keys.cpp. Time is the database's, so that all instances agree.

-- name: signing_keys
-- All that are published, oldest first, and whether it is time for another ($1 milliseconds after
-- one begins to sign its follower does, and is there $2 before). One that was followed $3 ago is
-- not published any more.
SELECT k.kid, k.private_key,
    CASE WHEN k.signs_from > now() THEN 'next'
         WHEN k.followed_at <= now() THEN 'retiring'
         ELSE 'active' END AS state,
    k.followed_at IS NULL
        AND k.signs_from + ($1::bigint - $2::bigint) * interval '1 millisecond' <= now() AS due
FROM (SELECT s.generation, s.kid, s.private_key, s.signs_from,
          lead(s.signs_from) OVER (ORDER BY s.generation) AS followed_at
      FROM rollcall.signing_keys s) k
WHERE k.followed_at IS NULL OR k.followed_at > now() - $3::bigint * interval '1 millisecond'
ORDER BY k.generation

-- name: signing_key_add
-- $1 kid, $2 the key, $3 and $4 as $1 and $2 above. Nothing when another instance was faster: it
-- has made the same generation, or is about to. The first of a database signs at once.
INSERT INTO rollcall.signing_keys (generation, kid, private_key, signs_from)
SELECT coalesce(newest.generation, 0) + 1, $1::text, $2::text,
    CASE WHEN newest.generation IS NULL THEN now()
         ELSE greatest(newest.signs_from + $3::bigint * interval '1 millisecond',
                       now() + $4::bigint * interval '1 millisecond') END
FROM (VALUES (1)) AS one (row)
LEFT JOIN LATERAL (SELECT s.generation, s.signs_from FROM rollcall.signing_keys s
                   ORDER BY s.generation DESC LIMIT 1) newest ON true
WHERE newest.generation IS NULL
   OR newest.signs_from + ($3::bigint - $4::bigint) * interval '1 millisecond' <= now()
ON CONFLICT (generation) DO NOTHING

-- name: signing_keys_remove
-- Those that are not published any more; never the newest.
DELETE FROM rollcall.signing_keys s
WHERE EXISTS (SELECT FROM rollcall.signing_keys f
              WHERE f.generation = s.generation + 1
                AND f.signs_from <= now() - $1::bigint * interval '1 millisecond')
