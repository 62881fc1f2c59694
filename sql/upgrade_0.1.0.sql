-- What changes of version 0.1.0's tables, indexes and functions' signatures. The rest of the upgrade script is made of the other files
-- by extension/build.rs: new tables, and all functions, views, triggers, comments and privileges.

ALTER TABLE logwatch.sources ADD COLUMN watched_since timestamptz, ADD COLUMN written_at timestamptz;
ALTER TABLE logwatch.files ADD COLUMN size bigint, ADD COLUMN truncated boolean NOT NULL DEFAULT false, DROP CONSTRAINT files_state_check,
    ADD CONSTRAINT files_state_check CHECK (state IN ('open', 'done', 'truncated', 'removed')), ADD CONSTRAINT files_path_check CHECK (length(path) <= 16384);
ALTER TABLE logwatch.batches ADD COLUMN source text;
ALTER TABLE logwatch.rules ADD COLUMN min_sources integer NOT NULL DEFAULT 1;
ALTER TABLE logwatch.alerts ADD COLUMN closed text CHECK (closed IN ('disabled', 'deleted'));
ALTER TABLE logwatch.notifications ADD COLUMN leased_at timestamptz, ADD COLUMN leased_by integer, DROP COLUMN leased_until;
DROP FUNCTION logwatch.settle(bigint, text, integer, text);
DROP INDEX logwatch.counts_raw_idx;
