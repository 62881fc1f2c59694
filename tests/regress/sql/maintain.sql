-- Partitions ahead, folding, retention; twice does no harm.
SELECT logwatch_maintain() ~ '^partitions made [0-9]+, dropped 0' AS done;
SELECT logwatch_maintain();
SELECT count(*) >= 3 AS ahead FROM pg_inherits WHERE inhparent = 'logwatch.entries'::regclass;
SELECT logwatch_ingest('ERROR now', 'app');
SELECT tableoid::regclass::text IN ('logwatch.entries_default', 'logwatch.entries_' || to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDD')) AS in_place FROM logwatch.entries;
-- Partial sums become one row and the pattern's total.
SELECT logwatch_ingest('2026-01-02 03:04:05Z ERROR disk ' || i || ' full', 'app') FROM generate_series(1, 5) AS i;
SELECT count(*), sum(n) FROM logwatch.counts WHERE second < now() - interval '1 hour';
SELECT logwatch_private.fold_counts(now() - interval '1 hour');
SELECT n, width FROM logwatch.counts WHERE second < now() - interval '1 hour';
SELECT template, total FROM logwatch.patterns WHERE total > 0;
SELECT logwatch_private.fold_counts(now() - interval '1 hour');
SELECT template, total FROM logwatch.patterns WHERE total > 0;
-- Retention drops what is older: a partition of long ago goes.
CREATE TABLE logwatch.entries_20200101 (LIKE logwatch.entries_default INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES);
ALTER TABLE logwatch.entries ATTACH PARTITION logwatch.entries_20200101 FOR VALUES FROM ('2020-01-01Z') TO ('2020-01-02Z');
SELECT logwatch_maintain() ~ 'dropped 1;' AS dropped;
SELECT to_regclass('logwatch.entries_20200101') IS NULL AS gone;
SELECT logwatch_private.maintenance_due(clock_timestamp()) AS due;
TRUNCATE logwatch.counts, logwatch.batches, logwatch.entries, logwatch.patterns, logwatch.sources;
-- A year goes by, with a record every few hours: what is old is coarser, and nothing grows without
-- bound.
INSERT INTO logwatch.sources (id, name) VALUES (logwatch_private.source_id('year'), 'year');
DO $$
DECLARE
    at timestamptz := now() - interval '365 days';
BEGIN
    WHILE at < now() LOOP
        INSERT INTO logwatch.counts (second, source_id, level, fingerprint, n)
        SELECT date_trunc('second', at) + make_interval(secs => s * 7), logwatch_private.source_id('year'), 'ERROR', s % 3, 1 FROM generate_series(0, 99) AS s;
        INSERT INTO logwatch.batches (xid, source_id, received_at, first_at, last_at, n) VALUES ('3', logwatch_private.source_id('year'), at, at, at, 100);
        at := at + interval '12 hours';
    END LOOP;
END
$$;
CREATE TEMP TABLE before AS SELECT sum(n) AS n, count(*) AS rows FROM logwatch.counts;
SELECT logwatch_private.fold_counts(now()) > 70000 AS folded;
SELECT logwatch_private.coarsen_counts(1, 60, logwatch_private.seconds_matter_from(now())) > 60000 AS by_minute;
SELECT logwatch_private.coarsen_counts(60, 3600, logwatch_private.seconds_matter_from(now()) - interval '31 days') > 1000 AS by_hour;
SELECT (SELECT sum(n) FROM logwatch.counts) = b.n AS none_is_lost, (SELECT count(*) FROM logwatch.counts) < b.rows / 5 AS far_fewer FROM before AS b;
SELECT width, bool_and(width = 1 OR second = date_bin(make_interval(secs => width), second, '2000-01-01Z')) AS at_its_start,
       min(second) > now() - interval '10 days' AS days, min(second) > now() - interval '42 days' AS weeks
  FROM logwatch.counts WHERE width > 0 GROUP BY width ORDER BY width;
-- The rules still see each second that they can ask for.
SELECT count(*) FROM logwatch.counts WHERE width > 1 AND second >= logwatch_private.seconds_matter_from(now());
SELECT logwatch_maintain() ~ 'counts folded 0$' AS done;
SELECT min(second) > now() - interval '31 days' AS within_retention FROM logwatch.counts;
SELECT count(*) FROM logwatch.batches;
SELECT count(*) BETWEEN 1 AND 4 AS few, bool_and(last_at > now() - interval '26 hours') AS young FROM logwatch.arrivals;
TRUNCATE logwatch.counts, logwatch.batches, logwatch.arrivals, logwatch.patterns, logwatch.sources;
