-- The other kinds of rules: new patterns, spikes, absence.
UPDATE logwatch.rules SET enabled = false WHERE builtin;
CREATE FUNCTION pg_temp.log(text text, age interval, n integer DEFAULT 1, source text DEFAULT 'app') RETURNS bigint LANGUAGE sql AS $$
    SELECT logwatch_ingest(array_agg(to_char(now() - age, 'YYYY-MM-DD HH24:MI:SSTZH:TZM') || ' ERROR ' || text || ' ' || i), source)
      FROM generate_series(1, n) AS i
$$;
-- A pattern that was known when the rule was made, or came while it learned, alerts nobody; one
-- never seen does, once.
SELECT pg_temp.log('known trouble', '10 minutes');
INSERT INTO logwatch.rules (name, kind, learn_for) VALUES ('novel', 'new_pattern', '0');
-- Records say only the second in which they were logged.
UPDATE logwatch.rules SET created_at = created_at - interval '1 second' WHERE name = 'novel';
SELECT group_by FROM logwatch.rules WHERE name = 'novel';
SELECT pg_temp.log('known trouble', '1 minute', 3);
SELECT rule, transition FROM logwatch_check();
SELECT pg_temp.log('unheard-of trouble', '0 seconds', 2);
SELECT rule, transition, count, regexp_replace(message, 'pattern [0-9a-f]+', 'pattern …') AS message FROM logwatch_check();
SELECT pg_temp.log('unheard-of trouble', '0 seconds', 2);
SELECT rule, transition FROM logwatch_check();
SELECT payload -> 'patterns' -> 0 ->> 'template' AS template FROM logwatch.notifications WHERE channel = 'log';
UPDATE logwatch.rules SET learn_for = '1 day' WHERE name = 'novel';
SELECT pg_temp.log('another trouble', '0 seconds');
SELECT rule, transition FROM logwatch_check();
DELETE FROM logwatch.rules WHERE name = 'novel';
TRUNCATE logwatch.alerts, logwatch.notifications, logwatch.minutes, logwatch.batches, logwatch.patterns;
-- A spike is more than factor times the usual at this time of day, and at least threshold.
INSERT INTO logwatch.rules (name, kind, threshold, within, factor) VALUES ('spike', 'spike', 5, '5 minutes', 3);
SELECT sum(pg_temp.log('routine', make_interval(days => d, secs => 60), 10)) FROM generate_series(1, 7) AS d;
SELECT pg_temp.log('routine', '1 minute', 25);
SELECT rule, transition FROM logwatch_check();
SELECT pg_temp.log('routine', '30 seconds', 10);
SELECT rule, transition, count, message FROM logwatch_check();
DELETE FROM logwatch.rules WHERE name = 'spike';
TRUNCATE logwatch.alerts, logwatch.notifications, logwatch.minutes, logwatch.batches, logwatch.patterns, logwatch.sources;
-- Absence: a tailer that is not heard of any more.
SELECT epoch FROM logwatch_attach('db01', '/var/log/app.log');
INSERT INTO logwatch.rules (name, kind, within, keep_firing_for) VALUES ('silent', 'absence', '10 minutes', '0');
SELECT rule, transition FROM logwatch_check();
UPDATE logwatch.sources SET first_seen = now() - interval '1 day', attached_at = now() - interval '1 day', seen_at = now() - interval '11 minutes';
SELECT logwatch_private.open_changes(clock_timestamp()) AS due;
SELECT rule, group_key, transition, message FROM logwatch_check();
SELECT rule, transition FROM logwatch_check();
SELECT state, message FROM logwatch_status() WHERE name = 'silent';
SELECT logwatch_ingest('db01', 1, NULL, NULL, NULL, NULL, 0, 0, 0, 0, 0, 0, '{}', '{}');
SELECT pg_sleep(1.1);
SELECT rule, transition, message FROM logwatch_check();
SELECT reason FROM logwatch.notifications WHERE channel = 'log' ORDER BY id;
-- Mistakes.
\set SHOW_CONTEXT never
INSERT INTO logwatch.rules (name, severity) VALUES ('bad', 'loud');
INSERT INTO logwatch.rules (name, kind, factor) VALUES ('bad', 'spike', 1);
INSERT INTO logwatch.rules (name, kind, absence_of) VALUES ('bad', 'absence', 'money');
DELETE FROM logwatch.rules WHERE NOT builtin;
UPDATE logwatch.rules SET enabled = true;
TRUNCATE logwatch.alerts, logwatch.notifications, logwatch.minutes, logwatch.batches, logwatch.entries, logwatch.patterns, logwatch.sources;
