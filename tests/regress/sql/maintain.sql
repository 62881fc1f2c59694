-- Partitions ahead, folding, retention; twice does no harm.
SELECT logwatch_maintain() ~ '^partitions made [0-9]+, dropped 0' AS done;
SELECT logwatch_maintain();
SELECT count(*) >= 3 AS ahead FROM pg_inherits WHERE inhparent = 'logwatch.entries'::regclass;
SELECT logwatch_ingest('ERROR now', 'app');
SELECT tableoid::regclass::text IN ('logwatch.entries_default', 'logwatch.entries_' || to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDD')) AS in_place FROM logwatch.entries;
-- Partial sums become one row and the pattern's total.
SELECT logwatch_ingest('2026-01-02 03:04:05Z ERROR disk ' || i || ' full', 'app') FROM generate_series(1, 5) AS i;
SELECT count(*), sum(n) FROM logwatch.counts WHERE second < now() - interval '1 hour';
SELECT count(*) FROM logwatch_check();
SELECT second AT TIME ZONE 'UTC' AS second, n, width FROM logwatch.counts WHERE second < now() - interval '1 hour';
SELECT template, total FROM logwatch.patterns WHERE template ~ 'disk';
-- Retention drops what is older: a partition of long ago goes.
CREATE TABLE logwatch.entries_20200101 (LIKE logwatch.entries_default INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES);
ALTER TABLE logwatch.entries ATTACH PARTITION logwatch.entries_20200101 FOR VALUES FROM ('2020-01-01Z') TO ('2020-01-02Z');
SELECT logwatch_maintain() ~ 'dropped 1;' AS dropped;
SELECT to_regclass('logwatch.entries_20200101') IS NULL AS gone;
SELECT logwatch_private.maintenance_due(clock_timestamp()) AS due;
TRUNCATE logwatch.minutes, logwatch.batches, logwatch.arrivals, logwatch.entries, logwatch.patterns, logwatch.sources;
-- A year goes by, with a record every few hours: what is old is coarser, and nothing grows without
-- bound.
INSERT INTO logwatch.sources (id, name) VALUES (logwatch_private.source_id('year'), 'year');
DO $$
DECLARE
    at timestamptz := now() - interval '365 days';
BEGIN
    WHILE at < now() LOOP
        INSERT INTO logwatch.minutes AS m (fingerprint, source_id, minute, level, n, points)
        SELECT s % 3, logwatch_private.source_id('year'), date_trunc('minute', at) + make_interval(mins => s * 7 / 60), 'ERROR', count(*), array_agg(60 + s * 7 % 60)
          FROM generate_series(0, 99) AS s GROUP BY 1, 2, 3
            ON CONFLICT (fingerprint, source_id, minute, width) DO NOTHING;
        INSERT INTO logwatch.arrivals (source_id, since, n, late, last_at, logged_at)
        VALUES (logwatch_private.source_id('year'), date_bin('10 minutes', at, '2000-01-01Z'), 100, 0, at, at);
        at := at + interval '12 hours';
    END LOOP;
END
$$;
CREATE TEMP TABLE before AS SELECT sum(n) AS n, count(*) AS rows FROM logwatch.counts;
SELECT logwatch_private.coarsen_minutes(logwatch_private.seconds_matter_from(now()), logwatch_private.seconds_matter_from(now()) - interval '31 days') > 10000 AS by_hour;
SELECT (SELECT sum(n) FROM logwatch.counts) = b.n AS none_is_lost, (SELECT count(*) FROM logwatch.counts) < b.rows / 5 AS far_fewer FROM before AS b;
SELECT width, bool_and(width = 1 OR second = date_bin(make_interval(secs => width), second, '2000-01-01Z')) AS at_its_start,
       min(second) > now() - interval '10 days' AS days, min(second) > now() - interval '42 days' AS weeks
  FROM logwatch.counts GROUP BY width ORDER BY width;
-- The rules still see each second that they can ask for.
SELECT count(*) FROM logwatch.counts WHERE width > 1 AND second >= logwatch_private.seconds_matter_from(now());
SELECT logwatch_maintain() ~ 'minutes folded 0$' AS done;
SELECT min(second) > now() - interval '31 days' AS within_retention FROM logwatch.counts;
SELECT count(*) BETWEEN 1 AND 4 AS few, bool_and(last_at > now() - interval '26 hours') AS young FROM logwatch.arrivals;
TRUNCATE logwatch.minutes, logwatch.batches, logwatch.arrivals, logwatch.patterns, logwatch.sources;
