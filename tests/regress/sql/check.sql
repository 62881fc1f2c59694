-- Thresholds, alerts, status. The earlier tests have stored old records and a FATAL of now: start anew.
TRUNCATE logwatch.entries, logwatch.counts, logwatch.batches, logwatch.alerts, logwatch.notifications;
SELECT * FROM logwatch_check();
SELECT logwatch_ingest(ARRAY['ERROR a', 'ERROR b', 'ERROR c', 'ERROR d'], 'check');
SELECT * FROM logwatch_check();
SELECT component, name, state, count, threshold, message FROM logwatch_status() WHERE component = 'rule';

SELECT logwatch_ingest('ERROR e', 'check');
SELECT rule, group_key, transition, count, message FROM logwatch_check();
SELECT * FROM logwatch_check();
SELECT component, name, state, count, threshold, message FROM logwatch_status() WHERE component = 'rule';
SELECT rule, group_key, state, level, count, peak, threshold, within FROM logwatch.alerts;
SELECT channel, recipient, seq, reason, state, attempts FROM logwatch.notifications;

-- Nothing is sent by itself without the worker; this sends it.
CALL logwatch_deliver();
SELECT channel, recipient, seq, reason, state, attempts FROM logwatch.notifications;

-- What is over before it is noticed.
UPDATE logwatch.rules SET enabled = false WHERE builtin;
INSERT INTO logwatch.rules (name, source, threshold, within) VALUES ('burst', 'late', 3, '1 minute');
SELECT logwatch_ingest(array_agg(to_char(now() - interval '1 hour', 'YYYY-MM-DD HH24:MI:SSOF') || ' ERROR late ' || n), 'late') FROM generate_series(1, 3) AS n;
SELECT rule, transition, count FROM logwatch_check();
SELECT logwatch_maintain();
