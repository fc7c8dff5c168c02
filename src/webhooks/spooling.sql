-- What the other instances, and people, see of a spool (migrations/0012_spool.sql).

-- name: report_spool
-- Ages instead of times: the database's clock counts. A spool that was empty and sound when it was
-- last seen is forgotten after a day.
WITH forgotten AS (
    DELETE FROM rollcall.spools f
    WHERE f.place <> $1::text AND f.events = 0 AND f.damaged = 0
      AND f.seen_at < now() - interval '1 day'
)
INSERT INTO rollcall.spools AS s (place, instance, events, bytes, oldest_at, moved_at, damaged,
                                  damaged_since)
SELECT $1::text, $2::text, $3::bigint, $4::bigint, now() - $5::bigint * interval '1 millisecond',
    now() - $6::bigint * interval '1 millisecond', $7::bigint,
    CASE WHEN $7::bigint > 0 THEN now() END
ON CONFLICT (place) DO UPDATE SET
    instance = excluded.instance, events = excluded.events, bytes = excluded.bytes,
    oldest_at = excluded.oldest_at, moved_at = coalesce(excluded.moved_at, s.moved_at),
    damaged = excluded.damaged, seen_at = now(),
    damaged_since = CASE WHEN excluded.damaged > 0 THEN coalesce(s.damaged_since, now()) END
