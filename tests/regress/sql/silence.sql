-- Silences, maintenance windows and acknowledgements keep people from being told; nothing stops
-- counting.
CREATE FUNCTION pg_temp.log(text text, n integer DEFAULT 1, source text DEFAULT 'app') RETURNS bigint LANGUAGE sql AS $$
    SELECT logwatch_ingest(array_agg(to_char(now(), 'YYYY-MM-DD HH24:MI:SSTZH:TZM') || ' ERROR ' || text || ' ' || i), source)
      FROM generate_series(1, n) AS i
$$;
UPDATE logwatch.rules SET enabled = false WHERE name = 'fatal';
UPDATE logwatch.rules SET keep_firing_for = '0', within = '1 minute' WHERE name = 'error';
-- Fire, tell, silence, resolve, unsilence: one RESOLVED, told when the silence ends.
SELECT pg_temp.log('disk full', 5);
SELECT rule, transition FROM logwatch_check();
SELECT logwatch_silence('err*', '1 hour', 'deployment') > 0 AS silenced;
SELECT rule, transition FROM logwatch_private.check(now() + interval '2 minutes');
SELECT reason FROM logwatch.notifications WHERE channel = 'log' ORDER BY id;
SELECT regexp_replace(logwatch_unsilence(id), '[0-9]+', 'n') FROM logwatch.silences;
SELECT rule, transition FROM logwatch_check();
SELECT rule, transition FROM logwatch_check();
SELECT reason FROM logwatch.notifications WHERE channel = 'log' ORDER BY id;
TRUNCATE logwatch.alerts, logwatch.notifications, logwatch.minutes, logwatch.batches;
UPDATE logwatch.rules SET within = '5 minutes', keep_firing_for = '1 minute' WHERE name = 'error';
-- By source and by pattern: silent only while all records are of that source, of that pattern.
SELECT logwatch_silence('*', '1 hour', 'noisy host', source => 'web*') > 0 AS silenced;
SELECT pg_temp.log('disk full', 5, 'web01');
SELECT rule, transition FROM logwatch_check();
SELECT count(*) FROM logwatch.notifications;
SELECT pg_temp.log('disk full', 1, 'db01');
SELECT rule, transition FROM logwatch_check();
SELECT reason FROM logwatch.notifications WHERE channel = 'log';
TRUNCATE logwatch.alerts, logwatch.notifications, logwatch.minutes, logwatch.batches, logwatch.silences;
SELECT logwatch_silence('*', '1 hour', 'known', pattern => to_hex(fingerprint)) > 0 AS silenced FROM logwatch.patterns WHERE template = 'disk full <*>';
SELECT pg_temp.log('disk full', 5);
SELECT rule, transition FROM logwatch_check();
SELECT count(*) FROM logwatch.notifications;
SELECT pg_temp.log('network down', 1);
SELECT rule, transition FROM logwatch_check();
SELECT reason FROM logwatch.notifications WHERE channel = 'log';
TRUNCATE logwatch.silences;
-- A maintenance window comes again.
SELECT logwatch_silence('*', '2 hours', 'nightly', starts_at => '2026-01-01 02:00Z', repeat_every => '1 day', repeat_until => '2026-01-10 00:00Z') > 0 AS made;
SELECT asof, logwatch_private.silence_is_active(s, asof::timestamptz)
  FROM logwatch.silences AS s,
       unnest('{2026-01-01 01:59Z,2026-01-01 02:00Z,2026-01-01 03:59Z,2026-01-01 04:00Z,2026-01-05 02:30Z,2026-01-05 12:00Z,2026-01-11 02:30Z}'::text[]) AS asof;
TRUNCATE logwatch.silences;
-- An acknowledged alert is not repeated; its end is told.
UPDATE logwatch.patterns SET first_seen = now() - interval '1 day';
UPDATE logwatch.alerts SET notified_at = now() - interval '5 hours';
SELECT reason FROM logwatch_private.due_announcements(clock_timestamp());
SELECT regexp_replace(logwatch_ack(id, 'on it'), '[0-9]+', 'n') FROM logwatch.alerts;
SELECT acked_by = session_user AS mine, note FROM logwatch.acknowledgements;
SELECT reason FROM logwatch_private.due_announcements(clock_timestamp());
-- Repetitions further and further apart.
UPDATE logwatch.rules SET repeat_every = '1 hour', repeat_factor = 2 WHERE name = 'error';
DELETE FROM logwatch.acknowledgements;
UPDATE logwatch.alerts SET repeats = 3, notified_at = now() - interval '7 hours';
SELECT reason FROM logwatch_private.due_announcements(clock_timestamp());
UPDATE logwatch.alerts SET notified_at = now() - interval '9 hours';
SELECT reason FROM logwatch_private.due_announcements(clock_timestamp());
-- Records of a higher level, and new patterns, are told of.
UPDATE logwatch.alerts SET notified_at = now() - interval '6 minutes';
SELECT pg_temp.log('never seen before', 1);
SELECT * FROM logwatch_check();
SELECT reason FROM logwatch.notifications WHERE channel = 'log' ORDER BY id;
SELECT logwatch_ingest('FATAL all is lost');
SELECT rule, transition FROM logwatch_check();
SELECT reason FROM logwatch.notifications WHERE channel = 'log' ORDER BY id;
-- An alert that was acknowledged under a silence is not announced when that ends, until it gets
-- worse.
TRUNCATE logwatch.alerts, logwatch.notifications, logwatch.minutes, logwatch.batches, logwatch.acknowledgements;
SELECT logwatch_silence('err*', '1 hour', 'deployment') > 0 AS silenced;
SELECT pg_temp.log('disk full', 5);
SELECT rule, transition FROM logwatch_check();
SELECT logwatch_ack(id) IS NOT NULL AS acked FROM logwatch.alerts;
TRUNCATE logwatch.silences;
SELECT * FROM logwatch_check();
SELECT count(*) FROM logwatch.notifications;
SELECT logwatch_ingest('FATAL all is lost');
SELECT rule, transition FROM logwatch_check();
SELECT reason FROM logwatch.notifications WHERE channel = 'log' ORDER BY id;
\set SHOW_CONTEXT never
SELECT logwatch_silence('x', '-1 hour');
SELECT logwatch_silence('x', '2 days', repeat_every => '1 day');
SELECT logwatch_unsilence(-1);
SELECT logwatch_ack(-1);
UPDATE logwatch.rules SET enabled = true, repeat_every = '4 hours', repeat_factor = 1;
TRUNCATE logwatch.alerts, logwatch.notifications, logwatch.minutes, logwatch.batches, logwatch.entries, logwatch.patterns, logwatch.sources;
