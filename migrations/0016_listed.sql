-- compatible: a column that may be NULL; who does not know it asks Clerk less often.

-- Whoever had signed up by then was to be listed by a complete pass that has begun; NULL: none has.
-- By the database's clock or Clerk's, whichever is ahead.
ALTER TABLE rollcall.sync_state ADD COLUMN listed_at timestamptz;
UPDATE rollcall.sync_state s SET listed_at = r.listed_at
FROM (SELECT max(greatest(started_at, to_timestamp(newest_created_ms / 1000.0))) AS listed_at
      FROM rollcall.sync_runs
      WHERE mode = 'full' AND newest_created_ms IS NOT NULL) r;
