-- Why a run did not complete, as a word: a pass that a stop interrupted is gone on from at once,
-- what failed is not. NULL: it has not ended, or ended before this was kept.
ALTER TABLE rollcall.sync_runs ADD COLUMN failure text
    CHECK (failure IN ('none', 'clerk_away', 'wrong_key', 'other_instance', 'inconsistent',
                       'refused_rows', 'interrupted', 'killed'));

-- When the deletion of a user whom Clerk does not know was last held back, as one too many.
ALTER TABLE rollcall.absences ADD COLUMN held_at timestamptz;
