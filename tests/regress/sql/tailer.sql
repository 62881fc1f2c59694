-- The functions of a tailer claim a source and move an offset together with its records.
\set SHOW_CONTEXT never
SELECT * FROM logwatch_attach('app', '/var/log/app.log', 'web1', '0.1.0');
SELECT logwatch_ingest('app', 1, 7, '/var/log/app.log', 1, 2, 0, 100, 8, 11, 8, 12, ARRAY['ERROR a', 'INFO b'], ARRAY[0, 0]);
SELECT * FROM logwatch_attach('app', '/var/log/app.log', 'web1', '0.1.0');

-- Another epoch, another offset.
SELECT logwatch_ingest('app', 1, 7, '/var/log/app.log', 1, 2, 100, 200, 8, 11, 8, 12, ARRAY['ERROR c'], ARRAY[0]);
\echo :LAST_ERROR_SQLSTATE
SELECT logwatch_ingest('app', 2, 7, '/var/log/app.log', 1, 2, 90, 200, 8, 11, 8, 12, ARRAY['ERROR c'], ARRAY[0]);
\echo :LAST_ERROR_SQLSTATE
SELECT logwatch_ingest('app', 2, 7, '/var/log/app.log', 1, 2, 100, 50, 8, 11, 8, 12, ARRAY['ERROR c'], ARRAY[0]);
\echo :LAST_ERROR_SQLSTATE

-- A gap, the end of a file.
SELECT logwatch_ingest('app', 2, 7, '/var/log/app.log', 1, 2, 100, 300, 8, 11, 8, 12, '{}', '{}', 'truncated', 'done');
SELECT path, from_byte, to_byte, reason FROM logwatch.gaps;
SELECT path, next_byte, state FROM logwatch.files;
SELECT component, name, state FROM logwatch_status() WHERE component = 'source' AND name = 'app';
