-- Tables of the logs: sources and their files, entries, patterns, counts and batches.
-- Keys come from content (hashes), so that the rows of several servers can be merged; entries,
-- counts and batches are append-only.

CREATE TABLE logwatch.sources (
    id          bigint PRIMARY KEY,
    name        text NOT NULL UNIQUE CHECK (name <> '' AND length(name) <= 1024),
    epoch       bigint NOT NULL DEFAULT 0,
    owner       name,
    path        text,
    host        text,
    version     text,
    first_seen  timestamptz NOT NULL DEFAULT now(),
    attached_at timestamptz,
    seen_at     timestamptz,
    watched_since timestamptz,
    written_at  timestamptz,
    expected    text[]
);
COMMENT ON TABLE logwatch.sources IS 'Where records come from: one row per tailer''s label or SQL client''s source name';
COMMENT ON COLUMN logwatch.sources.id IS '64-bit hash of the name';
COMMENT ON COLUMN logwatch.sources.epoch IS 'Goes up each time a tailer claims the source; an older tailer is refused';
COMMENT ON COLUMN logwatch.sources.owner IS 'Role whose tailer first claimed the source, at a centre the superuser that receives it from an edge: only it, its members and superusers may store under it; NULL for sources without a tailer';
COMMENT ON COLUMN logwatch.sources.path IS 'Paths and patterns that the tailer reads';
COMMENT ON COLUMN logwatch.sources.host IS 'Host that the tailer runs on';
COMMENT ON COLUMN logwatch.sources.version IS 'Version of the tailer';
COMMENT ON COLUMN logwatch.sources.attached_at IS 'When a tailer last claimed the source; NULL for sources without a tailer';
COMMENT ON COLUMN logwatch.sources.seen_at IS 'Last sign of life of the tailer, besides what it stored';
COMMENT ON COLUMN logwatch.sources.watched_since IS 'Since when a tailer has been reading without a break of more than 5 minutes';
COMMENT ON COLUMN logwatch.sources.expected IS 'Expressions of the lines that the tailer keeps besides those of the wanted level, by its last heartbeat; NULL for a tailer that keeps none';
COMMENT ON COLUMN logwatch.sources.written_at IS 'Time of the last read from the source''s files, by the last heartbeat';

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
COMMENT ON COLUMN logwatch.files.size IS 'Size in bytes by the last heartbeat; NULL for an input without size';
COMMENT ON COLUMN logwatch.files.truncated IS 'This file began when the one before it was truncated or overwritten in place';
COMMENT ON COLUMN logwatch.files.place IS 'Where the file is, when that is not its path: behind a link, under a rotated name; for the journal its cursor';
COMMENT ON COLUMN logwatch.files.state IS 'open, done (rotated away and read to its end), truncated (its bytes are gone, or in a copy) or removed';

CREATE TABLE logwatch.paths (
    source_id   bigint NOT NULL,
    id          integer NOT NULL,
    path        text NOT NULL,
    seen_at     timestamptz NOT NULL,
    PRIMARY KEY (source_id, id)
);
COMMENT ON TABLE logwatch.paths IS 'Names of the files that entries come from; at a centre also those of its edges';
COMMENT ON COLUMN logwatch.paths.id IS '32-bit hash of the path';
COMMENT ON COLUMN logwatch.paths.seen_at IS 'When records came from the file, to the day; logwatch.retention removes the row';

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
    -- Where alignment would leave four bytes unused.
    path_id     integer,
    fingerprint bigint NOT NULL,
    message     text NOT NULL,
    detail      text,
    fields      jsonb,
    flags       text[]
) PARTITION BY RANGE (received_at);
CREATE TABLE logwatch.entries_default PARTITION OF logwatch.entries DEFAULT;
-- Indexes belong to the partitions, not to their parent: pg_dump restores those of partitions made
-- later from their own definitions.
CREATE INDEX entries_default_logged_at_idx ON logwatch.entries_default (logged_at);
COMMENT ON TABLE logwatch.entries IS 'Stored records, partitioned by the UTC day of received_at; logwatch.entries_retention drops partitions';
COMMENT ON TABLE logwatch.entries_default IS 'Entries of days that have no partition yet, so that ingest never fails';
COMMENT ON COLUMN logwatch.entries.received_at IS 'When the record was stored (ingest time)';
COMMENT ON COLUMN logwatch.entries.logged_at IS 'Time in the record (event time); ingest time where that is missing or in the future';
COMMENT ON COLUMN logwatch.entries.source_id IS 'logwatch.sources.id';
COMMENT ON COLUMN logwatch.entries.path_id IS 'logwatch.paths.id of the same source: the file that the record was read from; NULL for records without a file';
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

CREATE TABLE logwatch.minutes (
    fingerprint bigint NOT NULL,
    source_id   bigint NOT NULL,
    minute      timestamptz NOT NULL,
    level       logwatch.level NOT NULL,
    width       integer NOT NULL DEFAULT 60,
    n           bigint NOT NULL,
    points      bigint[] NOT NULL DEFAULT '{}',
    PRIMARY KEY (fingerprint, source_id, minute, width)
) WITH (fillfactor = 80);
CREATE INDEX minutes_minute_idx ON logwatch.minutes (minute);
CREATE INDEX minutes_source_idx ON logwatch.minutes (source_id, minute);
CREATE INDEX minutes_hours_idx ON logwatch.minutes (minute) WHERE width OPERATOR(pg_catalog.>) 60;
-- A check rewrites the rows of the minutes that records come for; vacuum must keep up with it.
ALTER TABLE logwatch.minutes SET (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 20000,
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 20000, autovacuum_vacuum_cost_delay = 0);
COMMENT ON TABLE logwatch.minutes IS 'Records per minute, source and pattern, with their seconds; the view counts unfolds them';
COMMENT ON COLUMN logwatch.minutes.minute IS 'Start of the minute, by event time; of a wider row the start of its hour';
COMMENT ON COLUMN logwatch.minutes.width IS 'Seconds that the row covers: 60, or 3600 with age';
COMMENT ON COLUMN logwatch.minutes.n IS 'Records of the whole row';
COMMENT ON COLUMN logwatch.minutes.points IS 'Records per second, each as 60 * n + second of the minute, in any order, to be added up; empty once no rule asks for seconds';

CREATE TABLE logwatch.batches (
    source_id    bigint NOT NULL,
    received_at  timestamptz NOT NULL DEFAULT now(),
    first_at     timestamptz NOT NULL,
    last_at      timestamptz NOT NULL,
    n            bigint NOT NULL,
    source       text,
    seconds      integer[] NOT NULL DEFAULT '{}',
    fingerprints bigint[] NOT NULL DEFAULT '{}',
    levels       smallint[] NOT NULL DEFAULT '{}',
    numbers      integer[] NOT NULL DEFAULT '{}',
    new_patterns bigint[] NOT NULL DEFAULT '{}',
    new_seconds  integer[] NOT NULL DEFAULT '{}',
    new_levels   smallint[] NOT NULL DEFAULT '{}',
    templates    text[] NOT NULL DEFAULT '{}',
    samples      text[] NOT NULL DEFAULT '{}',
    path_id      integer,
    path         text,
    expected     text[],
    expected_seconds integer[]
);
-- Compression would cost ingest more than the bytes do: the rows are gone after the next check.
ALTER TABLE logwatch.batches ALTER seconds SET STORAGE EXTERNAL, ALTER fingerprints SET STORAGE EXTERNAL, ALTER levels SET STORAGE EXTERNAL,
    ALTER numbers SET STORAGE EXTERNAL, ALTER templates SET STORAGE EXTERNAL, ALTER samples SET STORAGE EXTERNAL;
ALTER TABLE logwatch.batches SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000,
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 2000, autovacuum_vacuum_cost_delay = 0,
    toast.autovacuum_vacuum_scale_factor = 0, toast.autovacuum_vacuum_threshold = 20000, toast.autovacuum_vacuum_cost_delay = 0);
COMMENT ON TABLE logwatch.batches IS 'Queue from ingest to the next check: one row per ingest call that stored something, with its sums; the check moves them to minutes and arrivals';
COMMENT ON COLUMN logwatch.batches.first_at IS 'First event time of the batch; ingest time for records from the future';
COMMENT ON COLUMN logwatch.batches.last_at IS 'Last event time of the batch';
COMMENT ON COLUMN logwatch.batches.source IS 'Name of the source, for the check that makes its row';
COMMENT ON COLUMN logwatch.batches.seconds IS 'The sums: seconds after that of first_at; fingerprints, levels and numbers in the same order';
COMMENT ON COLUMN logwatch.batches.levels IS '1 DEBUG to 5 FATAL; one element when all have the same';
COMMENT ON COLUMN logwatch.batches.numbers IS 'Records of each sum; none when all are 1';
COMMENT ON COLUMN logwatch.batches.path IS 'File that the records were read from, for the check that makes its row in logwatch.paths';
COMMENT ON COLUMN logwatch.batches.expected IS 'The match of each line that a rule expects; expected_seconds (after that of first_at) in the same order. Such a row has no sums';
COMMENT ON COLUMN logwatch.batches.new_patterns IS 'Patterns that ingest did not find in patterns; new_seconds (after that of first_at), new_levels, templates and samples in the same order';

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

CREATE FUNCTION logwatch_private.level(number integer) RETURNS logwatch.level
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT ('{DEBUG,INFO,WARN,ERROR,FATAL}'::logwatch.level[])[number] $$;
COMMENT ON FUNCTION logwatch_private.level(integer) IS 'Returns the level of a number, 1 to 5';

CREATE FUNCTION logwatch_private.start_of_minute(at timestamptz) RETURNS timestamptz
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT date_bin('1 minute', at, '2000-01-01 00:00:00+00') $$;
COMMENT ON FUNCTION logwatch_private.start_of_minute(timestamptz) IS 'Returns the UTC minute that a time is in';

CREATE VIEW logwatch_private.waiting AS
    SELECT b.source_id, b.received_at, b.source, date_trunc('second', b.first_at, 'UTC') + make_interval(secs => u.second) AS second,
           ('{DEBUG,INFO,WARN,ERROR,FATAL}'::logwatch.level[])[COALESCE(u.level, b.levels[1])] AS level, u.fingerprint, COALESCE(u.n, 1)::bigint AS n
      FROM logwatch.batches AS b CROSS JOIN LATERAL unnest(b.seconds, b.fingerprints, b.levels, b.numbers) AS u (second, fingerprint, level, n);
COMMENT ON VIEW logwatch_private.waiting IS 'The sums of the batches that wait for the next check';

CREATE VIEW logwatch.counts AS
    SELECT m.minute + make_interval(secs => COALESCE(u.point % 60, 0)) AS second, m.source_id, m.level, m.fingerprint,
           COALESCE(u.point / 60, m.n) AS n, CASE WHEN u.point IS NULL THEN m.width ELSE 1 END AS width, m.minute
      FROM logwatch.minutes AS m LEFT JOIN LATERAL unnest(m.points) AS u (point) ON true
    UNION ALL
    SELECT w.second, w.source_id, w.level, w.fingerprint, w.n, 0, w.second FROM logwatch_private.waiting AS w;
COMMENT ON VIEW logwatch.counts IS 'Records per second, source, level and pattern, as partial sums: add n up; ask for a range of minute as well, which has an index';
COMMENT ON COLUMN logwatch.counts.second IS 'Event time, and the ingest time for records from the future; of a wider row the start';
COMMENT ON COLUMN logwatch.counts.width IS 'Seconds that the row covers, from second on: 0 before the next check, then 1, and 60 or 3600 with age';
COMMENT ON COLUMN logwatch.counts.minute IS 'Start of the row that the second is kept in, at most an hour before it';

CREATE FUNCTION logwatch_private.wake() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'wake_wrapper';
COMMENT ON FUNCTION logwatch_private.wake() IS 'Sets the worker''s latch when the transaction commits';
CREATE TRIGGER batches_wake AFTER INSERT ON logwatch.batches FOR EACH ROW EXECUTE FUNCTION logwatch_private.wake();
ALTER TABLE logwatch.batches ENABLE ALWAYS TRIGGER batches_wake;
COMMENT ON TRIGGER batches_wake ON logwatch.batches IS 'Wakes the worker at commit; also for rows that replication applies';
