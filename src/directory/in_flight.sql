-- The statement of in_flight.cpp.

-- name: in_flight
-- The transactions that apply something: all, or those of $1 that still do.
SELECT coalesce(array_agg(l.virtualtransaction)::text, '{}')
FROM pg_catalog.pg_locks l
WHERE l.locktype = 'advisory' AND l.objsubid = 1
  AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = current_database())
  AND (l.classid::bigint << 32) | l.objid::bigint = hashtextextended('rollcall.apply', 0)
  AND ($1::text IS NULL OR l.virtualtransaction = ANY ($1::text::text[]))
