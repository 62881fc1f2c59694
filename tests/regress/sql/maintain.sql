-- Partitions ahead, folding, retention; twice does no harm.
SELECT logwatch_maintain() ~ '^partitions made [0-9]+, dropped 0' AS done;
SELECT logwatch_maintain();
SELECT count(*) >= 3 AS ahead FROM pg_inherits WHERE inhparent = 'logwatch.entries'::regclass;
SELECT logwatch_ingest('ERROR now', 'app');
SELECT tableoid::regclass::text IN ('logwatch.entries_default', 'logwatch.entries_' || to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDD')) AS in_place FROM logwatch.entries;
-- Partial sums become one row and the pattern's total.
SELECT logwatch_ingest('2026-01-02 03:04:05Z ERROR disk ' || i || ' full', 'app') FROM generate_series(1, 5) AS i;
SELECT count(*), sum(n) FROM logwatch.counts WHERE second < now() - interval '1 hour';
SELECT logwatch.fold_counts(now() - interval '1 hour');
SELECT n, width FROM logwatch.counts WHERE second < now() - interval '1 hour';
SELECT template, total FROM logwatch.patterns WHERE total > 0;
SELECT logwatch.fold_counts(now() - interval '1 hour');
SELECT template, total FROM logwatch.patterns WHERE total > 0;
-- Retention drops what is older: a partition of long ago goes.
CREATE TABLE logwatch.entries_20200101 (LIKE logwatch.entries_default INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES);
ALTER TABLE logwatch.entries ATTACH PARTITION logwatch.entries_20200101 FOR VALUES FROM ('2020-01-01Z') TO ('2020-01-02Z');
SELECT logwatch_maintain() ~ 'dropped 1;' AS dropped;
SELECT to_regclass('logwatch.entries_20200101') IS NULL AS gone;
SELECT logwatch.maintenance_due(clock_timestamp()) AS due;
TRUNCATE logwatch.counts, logwatch.batches, logwatch.entries, logwatch.patterns, logwatch.sources;
