-- Whether builds that do not know a step may start on a database that has it. The step says so, and
-- builds from before it cannot look at its text. From here on a step may; none before it did.
ALTER TABLE rollcall.schema_steps
    ADD COLUMN IF NOT EXISTS compatible boolean NOT NULL DEFAULT false;
