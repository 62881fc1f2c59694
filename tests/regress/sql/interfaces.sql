-- For other tools: JSON, metrics, a plugin's line.
SELECT logwatch_ingest(array_agg('ERROR disk ' || i || ' full'), 'app') FROM generate_series(1, 5) AS i;
SELECT rule, transition FROM logwatch_check();
SELECT j ->> 'rule' AS rule, j ->> 'state' AS state, j ->> 'severity' AS severity, j -> 'sources' AS sources, j -> 'patterns' -> 0 ->> 'template' AS template
  FROM logwatch.alerts AS a, logwatch_alert_json(a.id) AS j;
SELECT logwatch_alert_json(-1) IS NULL AS none;
SELECT metric, labels, value FROM logwatch.metrics WHERE metric IN ('logwatch_alerts_firing', 'logwatch_records_last_hour') ORDER BY metric, labels::text;
SELECT state, line FROM logwatch_nagios();
UPDATE logwatch.rules SET severity = 'critical' WHERE name = 'error';
SELECT state, line FROM logwatch_nagios();
UPDATE logwatch.rules SET severity = 'warning' WHERE name = 'error';
-- A recipient gets 20 mails an hour; the rest is one digest.
TRUNCATE logwatch.notifications;
INSERT INTO logwatch.notifications (channel, recipient, reason, message_id, payload)
SELECT 'email', 'ops@example.com', 'first', '<' || i || '@test>', '{"rule": "error", "state": "firing", "reason": "first"}' FROM generate_series(1, 30) AS i;
SELECT count(*) FROM logwatch_private.claim('email', 100);
SELECT state, count(*) FROM logwatch.notifications GROUP BY state ORDER BY state;
SELECT reason, jsonb_array_length(payload -> 'suppressed') AS suppressed, next_attempt_at > now() + interval '59 minutes' AS later
  FROM logwatch.notifications WHERE reason = 'digest';
INSERT INTO logwatch.notifications (channel, recipient, reason, message_id, payload) VALUES
    ('email', 'ops@example.com', 'first', '<31@test>', '{"rule": "fatal"}'), ('email', 'dba@example.com', 'first', '<32@test>', '{"rule": "fatal"}');
SELECT recipient FROM logwatch_private.claim('email', 100);
SELECT reason, jsonb_array_length(payload -> 'suppressed') AS suppressed FROM logwatch.notifications WHERE reason = 'digest';
-- Every attempt leaves a trace.
SELECT logwatch_private.record_attempts(ARRAY[n.id], ARRAY[n.message_id], '{retry}', '{451}', '{greylisted}') FROM logwatch.notifications AS n WHERE message_id = '<1@test>';
SELECT outcome, code, answer, duration >= interval '0' AS timed FROM logwatch.attempts;
TRUNCATE logwatch.alerts, logwatch.notifications, logwatch.attempts, logwatch.minutes, logwatch.batches, logwatch.entries, logwatch.patterns, logwatch.sources;
