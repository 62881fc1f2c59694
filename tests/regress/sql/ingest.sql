-- Storing records from SQL.
SELECT logwatch_ingest('ERROR payment 4711 failed', 'shop');
SELECT logwatch_ingest('INFO all is well', 'shop');
SELECT logwatch_ingest('');
SELECT logwatch_ingest(NULL::text);
SELECT logwatch_ingest(ARRAY['FATAL out of disk space', NULL, 'WARN low on disk space', E'ERROR lost\n  at line 3']);

SELECT s.name, e.level, e.message, e.detail, e.flags, e.logged_at = e.received_at AS arrival
  FROM logwatch.entries AS e JOIN logwatch.sources AS s ON s.id = e.source_id ORDER BY e.id;
SELECT s.name, c.level, sum(c.n) FROM logwatch.counts AS c JOIN logwatch.sources AS s ON s.id = c.source_id GROUP BY 1, 2 ORDER BY 1, 2;

-- Times, with and without a zone (the session's is PST8PDT).
SELECT logwatch_ingest(ARRAY['2026-06-01T10:00:00Z ERROR utc', '2026-06-01 10:00:00,250 ERROR local', '2026-06-01 10:00:00+02:00 ERROR offset']);
SELECT message, logged_at, flags FROM logwatch.entries WHERE logged_at <> received_at ORDER BY id;

-- Structured records.
SELECT logwatch_ingest('{"time":"2026-06-01T10:00:00Z","level":"error","msg":"no route","user":{"id":7}}');
SELECT logwatch_ingest('ts=2026-06-01T10:00:00Z level=fatal msg="pool exhausted" size=20');
SELECT level, message, fields FROM logwatch.entries WHERE fields IS NOT NULL ORDER BY id;

-- One pattern for what differs only in its variable parts.
SELECT logwatch_ingest(ARRAY['ERROR user 1 at 10.0.0.1 timed out', 'ERROR user 22 at 10.0.0.2 timed out'], 'patterns');
SELECT p.level, p.template, sum(c.n) FROM logwatch.patterns AS p JOIN logwatch.counts AS c USING (fingerprint)
 WHERE p.template LIKE 'user%' GROUP BY 1, 2;
