-- The spools of all instances (docs/spool.md): each tells here what it holds, as long as the
-- database answers. Kept by place, not by process: who comes after a crash goes on with the row,
-- and of a spool that nobody has any more the row says so.
CREATE TABLE rollcall.spools (
    place text PRIMARY KEY,  -- host and directory
    instance text NOT NULL,  -- the process that had it last
    events bigint NOT NULL,
    bytes bigint NOT NULL,
    oldest_at timestamptz,   -- of those events
    moved_at timestamptz,    -- when one was last stored from it, or the database began to answer
    damaged bigint NOT NULL,  -- files with bytes that are no record
    damaged_since timestamptz,
    seen_at timestamptz NOT NULL DEFAULT now()
);

ALTER TABLE rollcall.spools ENABLE ROW LEVEL SECURITY;
