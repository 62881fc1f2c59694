-- How the files of a source stand: what its tailer says, what people see.
SET timezone = 'UTC';
\set VERBOSITY terse
SELECT DISTINCT epoch FROM logwatch_attach('shop', '/log/*', 'web1', '0.1.0');
SELECT logwatch_ingest('shop', 1, 1, '/log/a', 1, 2, 0, 100, 8, 11, 8, 12, '{}', '{}');
SELECT logwatch_ingest('shop', 1, 2, '/log/b', 1, 3, 0, 10, 8, 11, 8, 12, '{}', '{}', NULL, 'done');
SELECT logwatch_heartbeat('shop', 1, '{1,2}', '{250,10}', '{false,true}', '{/log/c}', '{Permission denied}');
SELECT path, state, next_byte, size, behind, read_at > now() - interval '1 minute' AS now, gaps, truncations, error, heard_at > now() - interval '1 minute' AS heard
  FROM logwatch_files('shop');
SELECT state, regexp_replace(message, 'read 2.{18}', 'read THEN') FROM logwatch_status() WHERE name = 'shop';
-- Rotated: the live file shows what became of its path before. A sign of life alone changes
-- nothing.
SELECT logwatch_ingest('shop', 1, 1, '/log/a', 1, 2, 100, 250, 8, 11, 8, 12, '{}', '{}', 'truncated', 'done');
SELECT logwatch_ingest('shop', 1, 4, '/log/a', 1, 2, 0, 20, 8, 11, 8, 12, '{}', '{}');
SELECT logwatch_heartbeat('shop', 1, '{4}', '{20}', '{true}', '{}', '{}');
SELECT logwatch_heartbeat('shop', 1, '{}', '{}', '{}', '{}', '{}');
SELECT path, state, next_byte, size, behind, gaps, truncations, error FROM logwatch_files('shop');
SELECT count(*) FROM logwatch.read_errors;
-- Only the holder of the source may say so.
SELECT logwatch_heartbeat('shop', 0, '{4}', '{9}', '{true}', '{}', '{}');
SELECT path FROM logwatch_files('nobody');
-- Silent: nothing written for twice the longest pause of the last days.
CREATE FUNCTION pg_temp.quiet(longest interval, quiet interval, watched interval) RETURNS text LANGUAGE sql AS $$
    DELETE FROM logwatch.gaps; DELETE FROM logwatch.pauses;
    INSERT INTO logwatch.pauses SELECT id, (now() AT TIME ZONE 'UTC')::date - 2, longest FROM logwatch.sources WHERE name = 'shop';
    UPDATE logwatch.files SET updated_at = now() - quiet;
    UPDATE logwatch.sources SET watched_since = now() - watched WHERE name = 'shop';
    SELECT state || ': ' || substring(message from '[0-9]+ truncation.*') FROM logwatch_status() WHERE name = 'shop'
$$;
SELECT pg_temp.quiet('1 hour', '119 minutes', '10 days');
SELECT pg_temp.quiet('1 hour', '121 minutes', '10 days');
SELECT pg_temp.quiet('10 seconds', '14 minutes', '10 days');
SELECT pg_temp.quiet('10 seconds', '16 minutes', '10 days');
SELECT pg_temp.quiet('1 hour', '3 hours', '1 hour') AS nobody_watched;
DELETE FROM logwatch.pauses;
SELECT state AS nothing_known_yet FROM logwatch_status() WHERE name = 'shop';
-- The heartbeat learns the pauses, but not those in which nobody watched.
UPDATE logwatch.sources SET written_at = now() - interval '3 hours', watched_since = now() - interval '1 hour' WHERE name = 'shop';
SELECT logwatch_ingest('shop', 1, 4, '/log/a', 1, 2, 20, 30, 8, 11, 8, 12, '{}', '{}');
SELECT logwatch_heartbeat('shop', 1, '{}', '{}', '{}', '{}', '{}');
SELECT count(*) AS learned FROM logwatch.pauses;
UPDATE logwatch.sources SET written_at = now() - interval '3 hours', watched_since = now() - interval '5 hours' WHERE name = 'shop';
SELECT logwatch_ingest('shop', 1, 4, '/log/a', 1, 2, 30, 40, 8, 11, 8, 12, '{}', '{}');
SELECT logwatch_heartbeat('shop', 1, '{}', '{}', '{}', '{}', '{}');
SELECT date_trunc('minute', longest) FROM logwatch.pauses;
-- Another tailer within 5 minutes goes on watching, a later one begins anew.
SELECT DISTINCT epoch FROM logwatch_attach('shop', '/log/*', 'web1', '0.1.0');
SELECT now() - watched_since > interval '4 hours' AS goes_on FROM logwatch.sources WHERE name = 'shop';
UPDATE logwatch.sources SET seen_at = now() - interval '6 minutes' WHERE name = 'shop';
SELECT DISTINCT epoch FROM logwatch_attach('shop', '/log/*', 'web1', '0.1.0');
SELECT now() - watched_since > interval '4 hours' AS goes_on FROM logwatch.sources WHERE name = 'shop';
TRUNCATE logwatch.sources, logwatch.files, logwatch.gaps, logwatch.read_errors, logwatch.pauses;
