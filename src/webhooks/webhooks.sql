-- The record of deliveries. docs/webhooks.md says how to read it.

-- name: record_deliveries
-- Several instances add to the same rows: sorted, so that they cannot deadlock.
WITH networks AS (
    INSERT INTO rollcall.failing_networks AS f (minute, network, count)
    SELECT minute, network, count
    FROM unnest($10::timestamptz[], $11::text[], $12::bigint[]) AS n (minute, network, count)
    ORDER BY minute, network
    ON CONFLICT (minute, network) DO UPDATE SET count = f.count + excluded.count
)
INSERT INTO rollcall.deliveries AS d (minute, outcome, reason, event_type, count, first_seen,
                                      last_seen, last_svix_id, last_network)
SELECT minute, outcome, reason, event_type, count, first_seen, last_seen, svix_id, network
FROM unnest($1::timestamptz[], $2::text[], $3::text[], $4::text[], $5::bigint[],
            $6::timestamptz[], $7::timestamptz[], $8::text[], $9::text[])
    AS n (minute, outcome, reason, event_type, count, first_seen, last_seen, svix_id, network)
ORDER BY minute, outcome, reason, event_type
ON CONFLICT (minute, outcome, reason, event_type) DO UPDATE SET
    count = d.count + excluded.count,
    first_seen = least(d.first_seen, excluded.first_seen),
    last_seen = greatest(d.last_seen, excluded.last_seen),
    last_svix_id = CASE WHEN excluded.last_seen >= d.last_seen
                        THEN coalesce(excluded.last_svix_id, d.last_svix_id)
                        ELSE d.last_svix_id END,
    last_network = CASE WHEN excluded.last_seen >= d.last_seen
                        THEN coalesce(excluded.last_network, d.last_network)
                        ELSE d.last_network END;

-- name: prune_deliveries
WITH old AS MATERIALIZED (
    SELECT minute, outcome, reason, event_type FROM rollcall.deliveries
    WHERE minute < now() - make_interval(secs => $1::bigint)
    ORDER BY minute
    LIMIT $2::bigint
), networks AS (
    DELETE FROM rollcall.failing_networks f
    WHERE f.minute < now() - make_interval(secs => $1::bigint)
)
DELETE FROM rollcall.deliveries d USING old
WHERE (d.minute, d.outcome, d.reason, d.event_type)
    = (old.minute, old.outcome, old.reason, old.event_type);
