-- From records to alerts, checked by hand; the worker serves another database.
CREATE FUNCTION pg_temp.log(level text, age interval, n integer DEFAULT 1, source text DEFAULT 'app') RETURNS bigint LANGUAGE sql AS $$
    SELECT logwatch_ingest(array_agg(to_char(now() - age, 'YYYY-MM-DD HH24:MI:SSTZH:TZM') || ' ' || level || ' disk ' || i || ' full'), source)
      FROM generate_series(1, n) AS i
$$;
CREATE VIEW pg_temp.alerts AS SELECT rule, group_key, state, count, peak, episodes, announced FROM logwatch.alerts ORDER BY id;
SELECT * FROM logwatch_check();
-- Four of five: nothing. The fifth, in another call: firing, once.
SELECT pg_temp.log('ERROR', '10 seconds', 4);
SELECT rule, transition, count, message FROM logwatch_check();
SELECT pg_temp.log('ERROR', '5 seconds');
SELECT rule, transition, count, message FROM logwatch_check();
SELECT rule, transition, count, message FROM logwatch_check();
SELECT channel, recipient, seq, reason, state FROM logwatch.notifications ORDER BY id;
SELECT name, state, count, message FROM logwatch_status() WHERE component = 'rule';
-- FATAL counts as one of "ERROR and above" and is a rule of its own.
SELECT pg_temp.log('FATAL', '1 second');
SELECT rule, transition, count, message FROM logwatch_check();
SELECT * FROM pg_temp.alerts;
-- An edited rule takes effect at the next check: what was met is not any more.
UPDATE logwatch.rules SET threshold = 100, keep_firing_for = '0' WHERE name = 'error';
UPDATE logwatch.rules SET enabled = false WHERE name = 'fatal';
SELECT pg_sleep(1.1);
SELECT rule, transition, count, message FROM logwatch_check() ORDER BY rule;
SELECT rule, state, announced FROM logwatch.alerts ORDER BY id;
SELECT alert_id IS NOT NULL AS of_alert, reason, seq FROM logwatch.notifications ORDER BY id;
UPDATE logwatch.rules SET threshold = 5, keep_firing_for = '1 minute' WHERE name = 'error';
TRUNCATE logwatch.alerts, logwatch.notifications, logwatch.minutes, logwatch.batches;
-- Late records: five of 40 minutes ago alert within one check, as late, and once only.
SELECT pg_temp.log('ERROR', '40 minutes', 5);
SELECT rule, transition, count, message FROM logwatch_check();
SELECT rule, transition, count, message FROM logwatch_check();
SELECT pg_temp.log('ERROR', '41 minutes', 2);
SELECT rule, transition FROM logwatch_check();
SELECT reason, (payload ->> 'total')::integer AS total FROM logwatch.notifications ORDER BY id;
SELECT state, fired_at - started_at > interval '39 minutes' AS late, episodes FROM logwatch.alerts;
-- A burst that no check saw while it lasted is found all the same: sparse checks miss nothing.
TRUNCATE logwatch.alerts, logwatch.notifications, logwatch.minutes, logwatch.batches;
INSERT INTO logwatch.rules (name, level, threshold, within, keep_firing_for) VALUES ('burst', 'ERROR', 5, '1 minute', '0');
SELECT pg_temp.log('ERROR', '12 minutes', 3), pg_temp.log('ERROR', '12 minutes' - interval '10 seconds', 2);
SELECT rule, transition FROM logwatch_check() ORDER BY rule;
-- The windows of two sources are counted apart when the rule says so.
TRUNCATE logwatch.alerts, logwatch.notifications, logwatch.minutes, logwatch.batches;
UPDATE logwatch.rules SET group_by = 'source', keep_firing_for = '1 minute' WHERE name = 'burst';
UPDATE logwatch.rules SET enabled = false WHERE name <> 'burst';
SELECT pg_temp.log('ERROR', '10 seconds', 4, 'one'), pg_temp.log('ERROR', '10 seconds', 4, 'two');
SELECT rule, group_key, transition FROM logwatch_check();
SELECT pg_temp.log('ERROR', '9 seconds', 1, 'two');
SELECT rule, group_key, transition, message FROM logwatch_check();
-- Only patterns that match, only sources that match.
UPDATE logwatch.rules SET match = '^network' WHERE name = 'burst';
SELECT pg_sleep(0.01);
UPDATE logwatch.rules SET match = NULL, source = 'two*', group_by = 'pattern' WHERE name = 'burst';
SELECT rule, group_key <> '' AS grouped, transition FROM logwatch_check() ORDER BY transition;
-- Older than max_lateness: stored, told in the status, never an alert.
TRUNCATE logwatch.alerts, logwatch.notifications, logwatch.minutes, logwatch.batches;
UPDATE logwatch.rules SET enabled = true, group_by = 'none', source = '*';
SELECT pg_temp.log('ERROR', '3 days', 50, 'old');
SELECT * FROM logwatch_check();
SELECT message FROM logwatch_status() WHERE component = 'source' AND name = 'old';
-- Backlog: hours of errors in one call are one notification per rule.
SELECT logwatch_ingest(array_agg(to_char(now() - make_interval(secs => i * 2), 'YYYY-MM-DD HH24:MI:SSTZH:TZM') || ' ERROR disk ' || i || ' full'), 'backlog')
  FROM generate_series(1, 10000) AS i;
SELECT rule, transition FROM logwatch_check() ORDER BY rule;
SELECT payload ->> 'rule' AS rule, reason, count(*) FROM logwatch.notifications GROUP BY 1, 2 ORDER BY 1;
-- A silence holds notifications back, not counting.
TRUNCATE logwatch.alerts, logwatch.notifications, logwatch.minutes, logwatch.batches;
INSERT INTO logwatch.silences (rule, ends_at, reason) VALUES ('err*', now() + interval '1 hour', 'maintenance');
SELECT pg_temp.log('ERROR', '5 seconds', 5);
SELECT rule, transition FROM logwatch_check() ORDER BY rule;
SELECT payload ->> 'rule' AS rule FROM logwatch.notifications;
SELECT name, state FROM logwatch_status() WHERE component = 'rule' ORDER BY name;
TRUNCATE logwatch.silences;
SELECT * FROM logwatch_check();
SELECT payload ->> 'rule' AS rule FROM logwatch.notifications ORDER BY id;
DELETE FROM logwatch.rules WHERE name = 'burst';
TRUNCATE logwatch.alerts, logwatch.notifications, logwatch.minutes, logwatch.batches, logwatch.entries, logwatch.patterns, logwatch.sources;
