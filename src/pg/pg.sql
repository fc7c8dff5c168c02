-- What the migrator and the notifier say. Everything here works through a transaction pooler: the
-- advisory lock belongs to its transaction.

-- name: steps_table_exists
SELECT to_regclass('rollcall.schema_steps') IS NOT NULL

-- name: applied_steps       -- databases from before 0013 have no column "compatible"
SELECT name, checksum, to_char(applied_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
       coalesce((to_jsonb(s) ->> 'compatible')::boolean, false)
FROM rollcall.schema_steps s
ORDER BY name

-- name: checksums
SELECT encode(sha256(convert_to(text, 'UTF8')), 'hex')
FROM unnest($1) WITH ORDINALITY AS step (text, place)
ORDER BY place

-- name: lock_schema
SELECT pg_advisory_xact_lock($1)

-- name: limit_lock_wait
SELECT set_config('lock_timeout', $1, true)

-- name: step_checksum
SELECT checksum FROM rollcall.schema_steps WHERE name = $1

-- name: record_step
INSERT INTO rollcall.schema_steps (name, checksum) VALUES ($1, $2)

-- name: mark_compatible
UPDATE rollcall.schema_steps SET compatible = true WHERE name = $1

-- name: notify
SELECT pg_notify($1, $2)
