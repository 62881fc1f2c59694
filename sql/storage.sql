-- What is stored of the logs: sources and their files, entries, patterns, counts and batches.
-- Keys come from content (hashes), so that the rows of several servers can be merged; entries, counts and batches are append-only.

CREATE TABLE logwatch.sources (
    id          bigint PRIMARY KEY,
    name        text NOT NULL UNIQUE CHECK (name <> '' AND length(name) <= 1024),
    epoch       bigint NOT NULL DEFAULT 0,
    path        text,
    host        text,
    version     text,
    first_seen  timestamptz NOT NULL DEFAULT now(),
    attached_at timestamptz,
    seen_at     timestamptz,
    watched_since timestamptz,
    written_at  timestamptz
);
COMMENT ON TABLE logwatch.sources IS 'Where records come from: one row per tailer''s label or SQL client''s source name';
COMMENT ON COLUMN logwatch.sources.id IS '64-bit hash of the name';
COMMENT ON COLUMN logwatch.sources.epoch IS 'Goes up each time a tailer claims the source; an older tailer is refused';
COMMENT ON COLUMN logwatch.sources.path IS 'What the tailer was told to read';
COMMENT ON COLUMN logwatch.sources.host IS 'Host that the tailer runs on';
COMMENT ON COLUMN logwatch.sources.version IS 'Version of the tailer';
COMMENT ON COLUMN logwatch.sources.attached_at IS 'When a tailer last claimed the source; NULL for sources without a tailer';
COMMENT ON COLUMN logwatch.sources.seen_at IS 'Last sign of life of the tailer, besides what it stored';
COMMENT ON COLUMN logwatch.sources.watched_since IS 'Since when a tailer has been reading without a break of more than 5 minutes';
COMMENT ON COLUMN logwatch.sources.written_at IS 'When something was last read from the source''s files, as its tailer last said';

CREATE TABLE logwatch.files (
    source_id   bigint NOT NULL,
    id          bigint NOT NULL,
    path        text NOT NULL CHECK (length(path) <= 16384),
    dev         bigint NOT NULL,
    inode       bigint NOT NULL,
    head_bytes  integer NOT NULL CHECK (head_bytes BETWEEN 0 AND 1024),
    head_hash   bigint NOT NULL,
    tail_bytes  integer NOT NULL CHECK (tail_bytes BETWEEN 0 AND 256),
    tail_hash   bigint NOT NULL,
    next_byte   bigint NOT NULL CHECK (next_byte >= 0),
    size        bigint,
    truncated   boolean NOT NULL DEFAULT false,
    state       text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'done', 'truncated', 'removed')),
    place       text CHECK (length(place) <= 16384),
    first_seen  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (source_id, id)
) WITH (fillfactor = 50);
COMMENT ON TABLE logwatch.files IS 'How far each log file has been stored; moved in the transaction that stores the records';
COMMENT ON COLUMN logwatch.files.id IS 'Drawn by the tailer when it first sees the file';
COMMENT ON COLUMN logwatch.files.head_hash IS 'xxh3 of the first head_bytes bytes; with tail_hash the proof that a file is this one';
COMMENT ON COLUMN logwatch.files.tail_hash IS 'xxh3 of the tail_bytes bytes before next_byte';
COMMENT ON COLUMN logwatch.files.next_byte IS 'Offset of the first byte that is not stored yet';
COMMENT ON COLUMN logwatch.files.size IS 'Bytes that the file had when its tailer last said so; NULL for what has no size';
COMMENT ON COLUMN logwatch.files.truncated IS 'This file began when the one before it was truncated or overwritten in place';
COMMENT ON COLUMN logwatch.files.place IS 'Where the file is, when that is not its path: behind a link, under a rotated name; for the journal its cursor';
COMMENT ON COLUMN logwatch.files.state IS 'open, done (rotated away and read to its end), truncated (its bytes are gone, or in a copy) or removed';

CREATE TABLE logwatch.gaps (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source_id   bigint NOT NULL,
    file_id     bigint,
    path        text,
    from_byte   bigint NOT NULL,
    to_byte     bigint,
    reason      text NOT NULL,
    noticed_at  timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE logwatch.gaps IS 'Stretches of files that could not be read: what may be missing, and why';

CREATE TABLE logwatch.entries (
    id          bigint GENERATED ALWAYS AS IDENTITY,
    received_at timestamptz NOT NULL DEFAULT now(),
    logged_at   timestamptz NOT NULL,
    source_id   bigint NOT NULL,
    level       logwatch.level NOT NULL,
    fingerprint bigint NOT NULL,
    message     text NOT NULL,
    detail      text,
    fields      jsonb,
    flags       text[]
) PARTITION BY RANGE (received_at);
CREATE TABLE logwatch.entries_default PARTITION OF logwatch.entries DEFAULT;
-- Indexes belong to the partitions, not to their parent: pg_dump restores those of partitions made later from their own definitions.
CREATE INDEX entries_default_logged_at_idx ON logwatch.entries_default (logged_at);
CREATE INDEX entries_default_fingerprint_idx ON logwatch.entries_default (fingerprint, logged_at);
COMMENT ON TABLE logwatch.entries IS 'Stored records, partitioned by the UTC day of received_at; retention drops partitions';
COMMENT ON TABLE logwatch.entries_default IS 'Entries of days that have no partition yet, so that ingest never fails';
COMMENT ON COLUMN logwatch.entries.received_at IS 'When the record was stored (ingest time)';
COMMENT ON COLUMN logwatch.entries.logged_at IS 'When the record says it was logged (event time); ingest time where that is missing or in the future';
COMMENT ON COLUMN logwatch.entries.source_id IS 'logwatch.sources.id';
COMMENT ON COLUMN logwatch.entries.fingerprint IS 'logwatch.patterns.fingerprint';
COMMENT ON COLUMN logwatch.entries.message IS 'The record''s first line without time and level';
COMMENT ON COLUMN logwatch.entries.detail IS 'Continuation lines, a stack trace for instance';
COMMENT ON COLUMN logwatch.entries.fields IS 'The other keys of a JSON or logfmt record';
COMMENT ON COLUMN logwatch.entries.flags IS 'What was odd: time_missing, time_future, truncated, bad_utf8, nul, time_doubtful; NULL when nothing was';

CREATE TABLE logwatch.patterns (
    fingerprint bigint PRIMARY KEY,
    level       logwatch.level NOT NULL,
    template    text NOT NULL,
    first_seen  timestamptz NOT NULL,
    last_seen   timestamptz NOT NULL,
    total       bigint NOT NULL DEFAULT 0,
    sample      text NOT NULL
);
COMMENT ON TABLE logwatch.patterns IS 'Messages with their variable parts masked';
COMMENT ON COLUMN logwatch.patterns.fingerprint IS '64-bit hash of pattern version, level and template';
COMMENT ON COLUMN logwatch.patterns.last_seen IS 'Event time; folded in from logwatch.counts by logwatch_maintain()';
COMMENT ON COLUMN logwatch.patterns.total IS 'Records so far; folded in from logwatch.counts by logwatch_maintain()';
COMMENT ON COLUMN logwatch.patterns.sample IS 'The first message of this pattern';

CREATE TABLE logwatch.counts (
    second      timestamptz NOT NULL,
    source_id   bigint NOT NULL,
    level       logwatch.level NOT NULL,
    fingerprint bigint NOT NULL,
    n           bigint NOT NULL,
    width       integer NOT NULL DEFAULT 0
);
CREATE INDEX counts_second_idx ON logwatch.counts (second);
CREATE INDEX counts_width_idx ON logwatch.counts (width, second);
CREATE INDEX counts_fatal_idx ON logwatch.counts (second) WHERE level = 'FATAL';
-- Folding leaves dead rows as fast as records come; a check reads around them until vacuum has taken them away.
ALTER TABLE logwatch.counts SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000,
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 20000, autovacuum_vacuum_cost_delay = 0);
COMMENT ON TABLE logwatch.counts IS 'Records per second, source, level and pattern, as partial sums: add n up';
COMMENT ON COLUMN logwatch.counts.second IS 'Event time, and the ingest time for records from the future; of a wider row the start';
COMMENT ON COLUMN logwatch.counts.width IS 'Seconds that the row stands for, from second on: 0 as ingested, then folded together and coarser with age';

CREATE TABLE logwatch.batches (
    xid         xid8 NOT NULL DEFAULT pg_current_xact_id(),
    source_id   bigint NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    first_at    timestamptz NOT NULL,
    last_at     timestamptz NOT NULL,
    n           bigint NOT NULL,
    source      text
);
CREATE INDEX batches_xid_idx ON logwatch.batches (xid);
CREATE INDEX batches_received_at_idx ON logwatch.batches (received_at);
ALTER TABLE logwatch.batches SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000,
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 2000, autovacuum_vacuum_cost_delay = 0);
COMMENT ON TABLE logwatch.batches IS 'One row per ingest call that stored something: tells the next check which stretches of time are new, and is then added to arrivals';
COMMENT ON COLUMN logwatch.batches.xid IS 'Transaction that stored the batch; what the last check''s snapshot could not see is new';
COMMENT ON COLUMN logwatch.batches.first_at IS 'First event time of the batch';
COMMENT ON COLUMN logwatch.batches.last_at IS 'Last event time of the batch';
COMMENT ON COLUMN logwatch.batches.source IS 'Name of the source, for a centre that has not heard of it yet; NULL in batches of versions that did not tell';

CREATE TABLE logwatch.arrivals (
    source_id   bigint NOT NULL,
    since       timestamptz NOT NULL,
    n           bigint NOT NULL,
    late        bigint NOT NULL,
    last_at     timestamptz NOT NULL,
    logged_at   timestamptz NOT NULL,
    PRIMARY KEY (source_id, since)
);
COMMENT ON TABLE logwatch.arrivals IS 'What was received of each source, by ten minutes of ingest time, as the checked batches added up; for 25 hours, and the last row of each source';
COMMENT ON COLUMN logwatch.arrivals.since IS 'Start of the ten minutes';
COMMENT ON COLUMN logwatch.arrivals.late IS 'How many of the n records came later than logwatch.max_lateness';
COMMENT ON COLUMN logwatch.arrivals.last_at IS 'When the last batch was received';
COMMENT ON COLUMN logwatch.arrivals.logged_at IS 'Last event time of that batch';

CREATE FUNCTION logwatch_private.wake() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'wake_wrapper';
COMMENT ON FUNCTION logwatch_private.wake() IS 'Sets the worker''s latch when the transaction commits';
CREATE TRIGGER batches_wake AFTER INSERT ON logwatch.batches FOR EACH ROW EXECUTE FUNCTION logwatch_private.wake();
ALTER TABLE logwatch.batches ENABLE ALWAYS TRIGGER batches_wake;
COMMENT ON TRIGGER batches_wake ON logwatch.batches IS 'Wakes the worker at commit; also for rows that replication applies';
