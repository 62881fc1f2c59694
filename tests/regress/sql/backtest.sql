-- A rule over stored history gives the episodes that it had live: half a day, replayed with checks a minute apart, then 7 minutes apart.
SELECT setseed(0.42);
CREATE TEMPORARY TABLE day AS
    SELECT date_trunc('second', now()) - interval '12 hours' + make_interval(secs => s) AS at, 'app' || s % 3 AS source
      FROM generate_series(0, 11 * 3600) AS s
     WHERE random() < CASE WHEN s / 1200 % 4 = 1 THEN 0.03 ELSE 0.004 END;
SELECT count(*) > 400 AS enough FROM day;
UPDATE logwatch.rules SET enabled = false WHERE builtin;
INSERT INTO logwatch.rules (name, threshold, within, keep_firing_for) VALUES ('plain', 5, '5 minutes', '0'), ('held', 4, '3 minutes', '10 minutes');
INSERT INTO logwatch.rules (name, threshold, within, keep_firing_for, group_by) VALUES ('each', 3, '4 minutes', '1 minute', 'source');
CREATE PROCEDURE pg_temp.replay(step interval) LANGUAGE plpgsql AS $$
DECLARE
    t timestamptz := (SELECT min(at) FROM day);
BEGIN
    TRUNCATE logwatch.alerts, logwatch.notifications, logwatch.counts, logwatch.batches, logwatch.entries;
    WHILE t < (SELECT max(at) FROM day) + interval '40 minutes' LOOP
        PERFORM logwatch_ingest(array_agg(to_char(d.at, 'YYYY-MM-DD HH24:MI:SSTZH:TZM') || ' ERROR disk full'), d.source)
           FROM day AS d WHERE d.at > t - step AND d.at <= t GROUP BY d.source;
        PERFORM logwatch.check(t);
        t := t + step;
    END LOOP;
END
$$;
CREATE FUNCTION pg_temp.differences() RETURNS TABLE (rule text, side text, group_key text, started_at timestamptz, met_until timestamptz) LANGUAGE sql AS $$
    WITH live AS (SELECT a.rule, a.group_key, a.started_at, a.met_until FROM logwatch.alerts AS a),
         back AS (SELECT r.name, b.group_key, b.started_at, b.met_until FROM logwatch.rules AS r, logwatch_backtest(r.name, (SELECT min(at) FROM day), now()) AS b
                   WHERE r.enabled)
    SELECT d.* FROM (
        (SELECT rule, 'live only', group_key, started_at, met_until FROM (SELECT * FROM live EXCEPT SELECT * FROM back) AS l)
        UNION ALL
        (SELECT name, 'backtest only', group_key, started_at, met_until FROM (SELECT * FROM back EXCEPT SELECT * FROM live) AS b)) AS d
$$;
CALL pg_temp.replay('1 minute');
SELECT rule, count(*) > 2 AS some FROM logwatch.alerts GROUP BY rule ORDER BY rule;
SELECT * FROM pg_temp.differences();
CALL pg_temp.replay('7 minutes');
SELECT rule, count(*) > 2 AS some FROM logwatch.alerts GROUP BY rule ORDER BY rule;
-- Checks that are further apart find all of it too; stretches that one check finds together are one alert.
SELECT r.name, b.* FROM logwatch.rules AS r, logwatch_backtest(r.name, (SELECT min(at) FROM day), now()) AS b
 WHERE r.enabled AND NOT EXISTS (SELECT FROM logwatch.alerts AS a WHERE a.rule = r.name AND a.group_key = b.group_key
                                    AND a.started_at <= b.started_at AND a.met_until >= b.met_until);
SELECT message ~ '^plain is resolved: at most' AS told FROM logwatch_backtest('plain') LIMIT 1;
\set SHOW_CONTEXT never
SELECT * FROM logwatch_backtest('nothing');
DELETE FROM logwatch.rules WHERE NOT builtin;
UPDATE logwatch.rules SET enabled = true;
TRUNCATE logwatch.alerts, logwatch.notifications, logwatch.counts, logwatch.batches, logwatch.entries, logwatch.patterns, logwatch.sources;
