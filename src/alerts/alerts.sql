-- What is kept of alerts (migrations/0007_alerts.sql), and the messages that wait to be sent.

-- name: add_alerts
INSERT INTO rollcall.alerts (alert) SELECT unnest($1::text[]) ON CONFLICT (alert) DO NOTHING

-- name: lock_alerts
-- Deciders come one after the other, and none decides on what a sender is just changing.
SELECT a.alert, a.firing, a.told, a.notice,
    (extract(epoch FROM now()) * 1000)::bigint AS now_ms,
    (extract(epoch FROM a.since) * 1000)::bigint AS since_ms,
    (extract(epoch FROM a.unseen_since) * 1000)::bigint AS unseen_since_ms,
    (extract(epoch FROM a.resolved_at) * 1000)::bigint AS resolved_ms,
    (extract(epoch FROM a.announced_at) * 1000)::bigint AS announced_ms
FROM rollcall.alerts a
WHERE a.alert = ANY ($1::text[])
ORDER BY a.alert
FOR UPDATE

-- name: save_alert
-- $8 and $9 are NULL where the condition is not seen: the last words stay. With $10 the message $7
-- is a new one.
UPDATE rollcall.alerts a
SET firing = $2::boolean, since = $3::timestamptz, unseen_since = $4::timestamptz,
    resolved_at = $5::timestamptz, announced_at = $6::timestamptz, notice = $7::text,
    summary = coalesce($8::text, a.summary), labels = coalesce($9::jsonb, a.labels),
    notice_number = a.notice_number + CASE WHEN $10::boolean THEN 1 ELSE 0 END,
    notice_attempts = CASE WHEN $10::boolean THEN 0 ELSE a.notice_attempts END,
    notice_due_at = CASE WHEN $10::boolean THEN now() ELSE a.notice_due_at END
WHERE a.alert = $1::text

-- name: list_alerts
SELECT a.alert, a.firing, a.summary, a.labels,
    (extract(epoch FROM a.since) * 1000)::bigint AS since_ms,
    (extract(epoch FROM a.resolved_at) * 1000)::bigint AS resolved_ms
FROM rollcall.alerts a
WHERE a.since IS NOT NULL
ORDER BY a.firing DESC, a.since DESC, a.alert

-- name: take_notice
-- The attempt is on record before it is made: whoever dies in it leaves the message to the next,
-- $1 milliseconds later.
UPDATE rollcall.alerts a
SET notice_attempts = a.notice_attempts + 1, told = a.notice = 'firing',
    notice_due_at = now() + $1::bigint * interval '1 millisecond'
WHERE a.alert = (SELECT d.alert FROM rollcall.alerts d
                 WHERE d.notice IS NOT NULL AND d.notice_due_at <= now()
                 ORDER BY d.notice_due_at, d.alert LIMIT 1
                 FOR UPDATE SKIP LOCKED)
RETURNING a.alert, a.notice, a.notice_number, a.notice_attempts, a.summary, a.labels,
    (extract(epoch FROM a.since) * 1000)::bigint AS since_ms

-- name: end_notice
-- Delivered, or given up. A newer message than the one that was sent stays.
UPDATE rollcall.alerts a SET notice = NULL, notice_due_at = NULL
WHERE a.alert = $1::text AND a.notice_number = $2::bigint

-- name: put_off_notice
UPDATE rollcall.alerts a SET notice_due_at = now() + $3::bigint * interval '1 millisecond'
WHERE a.alert = $1::text AND a.notice_number = $2::bigint AND a.notice IS NOT NULL

-- name: report_open_circuits
-- Those of instance $1 that are not closed are $2; what nobody has told of for a day is forgotten.
WITH closed AS (
    DELETE FROM rollcall.open_circuits c
    WHERE (c.instance = $1::text AND c.upstream <> ALL ($2::text[]))
       OR c.seen_at < now() - interval '1 day'
)
INSERT INTO rollcall.open_circuits AS c (instance, upstream)
SELECT $1::text, u.upstream FROM unnest($2::text[]) AS u (upstream)
ON CONFLICT (instance, upstream) DO UPDATE SET seen_at = now()
