-- The episodes that a rule would have had on stored history. That live alerts are the same is shown
-- by tests/scenarios/backtest.rs.
CREATE FUNCTION pg_temp.log(age interval, n integer) RETURNS bigint LANGUAGE sql AS $$
    SELECT logwatch_ingest(array_agg(to_char(now() - age + make_interval(secs => i), 'YYYY-MM-DD HH24:MI:SSTZH:TZM') || ' ERROR disk full'), 'app')
      FROM generate_series(1, n) AS i
$$;
UPDATE logwatch.rules SET enabled = false WHERE builtin;
INSERT INTO logwatch.rules (name, threshold, within) VALUES ('disks', 5, '5 minutes');
SELECT pg_temp.log('5 days', 8), pg_temp.log('5 hours', 5), pg_temp.log('3 hours', 4), pg_temp.log('1 hour', 20);
SELECT logwatch_private.settle(), cardinality(logwatch_private.take(now())) AS counted;
-- Three bursts of five and more; older than max_lateness makes no difference here.
SELECT group_key, met_until - started_at AS lasted, peak, message FROM logwatch_backtest('disks');
SELECT peak FROM logwatch_backtest('disks', now() - interval '6 hours', now() - interval '2 hours');
-- By the rule as it is now.
UPDATE logwatch.rules SET for_at_least = '303 seconds' WHERE name = 'disks';
SELECT met_until - started_at AS lasted, peak FROM logwatch_backtest('disks');
UPDATE logwatch.rules SET for_at_least = '0', threshold = 4, group_by = 'source' WHERE name = 'disks';
SELECT group_key, peak FROM logwatch_backtest('disks', now() - interval '1 day');
-- It writes nothing.
SELECT count(*) FROM logwatch.alerts;
\set SHOW_CONTEXT never
SELECT * FROM logwatch_backtest('nothing');
INSERT INTO logwatch.rules (name, kind) VALUES ('gone', 'absence');
SELECT * FROM logwatch_backtest('gone');
DELETE FROM logwatch.rules WHERE NOT builtin;
UPDATE logwatch.rules SET enabled = true;
TRUNCATE logwatch.alerts, logwatch.notifications, logwatch.minutes, logwatch.batches, logwatch.entries, logwatch.patterns, logwatch.sources;
