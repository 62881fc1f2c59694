-- Storing records by hand.
SET timezone = 'UTC';
SELECT logwatch_ingest('2026-01-02 03:04:05 ERROR disk full on /dev/sda1');
SELECT logwatch_ingest('2026-01-02 03:04:05 INFO all is well');
SELECT logwatch_ingest('no level at all');
SELECT logwatch_ingest('');
SELECT logwatch_ingest(NULL::text);
SELECT logwatch_ingest(NULL::text[]);
SELECT logwatch_ingest('{}'::text[]);
SELECT logwatch_ingest(ARRAY['2026-01-02 03:04:06 ERROR a', NULL, '', '2026-01-02 03:04:07,123+01:00 FATAL b', '   '], 'job');
SELECT logwatch_ingest(E'2026-01-02 03:04:08 ERROR trace\n\tat one\n\tat two', 'job');
SELECT logwatch_ingest('{"time":"2026-01-02T03:04:09Z","level":"error","msg":"from json","user":7,"nul":"a\u0000b"}', 'json');
SELECT logwatch_ingest('time=2026-01-02T03:04:10Z level=error msg="from logfmt" user=7', 'logfmt');
SELECT s.name, e.logged_at, e.level, e.message, e.detail, e.fields, e.flags
  FROM logwatch.entries AS e JOIN logwatch.sources AS s ON s.id = e.source_id ORDER BY e.logged_at, e.message;
-- No readable time, and a time to come: ingest time, flagged. A long line: cut, flagged. None of
-- them fails its batch.
SELECT logwatch_ingest(ARRAY['ERROR no time', to_char(now() + interval '1 hour', 'YYYY-MM-DD HH24:MI:SS') || ' ERROR too early',
                             '2026-01-02 03:04:11 ERROR ' || repeat('x', 10000000)], 'odd');
SELECT left(e.message, 20) AS message, octet_length(e.message) <= 65536 AS bounded, e.flags, now() - e.logged_at < interval '1 minute' AS ingest_time
  FROM logwatch.entries AS e JOIN logwatch.sources AS s ON s.id = e.source_id WHERE s.name = 'odd' ORDER BY 1;
-- Patterns have their variable parts masked; counts are partial sums.
SELECT logwatch_ingest(array_agg('2026-01-02 03:05:00 ERROR user ' || i || ' failed'), 'many') FROM generate_series(1, 100) AS i;
SELECT count(*) >= 0 AS checked FROM logwatch_check();
SELECT p.level, p.template, sum(c.n) AS n FROM logwatch.patterns AS p JOIN logwatch.counts AS c USING (fingerprint)
  JOIN logwatch.sources AS s ON s.id = c.source_id WHERE s.name = 'many' GROUP BY 1, 2;
SELECT logwatch_ingest('ERROR x', '');
-- The tailer's form: the offset moves with the rows, if epoch and offset still hold.
SELECT epoch, min_level, file FROM logwatch_attach('tail', '/var/log/app.log');
SELECT logwatch_ingest('tail', 1, 42, '/var/log/app.log', 1, 2, 0, 50, 50, 7, 50, 8, ARRAY['2026-01-02 03:04:05 ERROR one', 'INFO two'], ARRAY[0, 0]);
\set VERBOSITY sqlstate
SELECT logwatch_ingest('tail', 1, 42, '/var/log/app.log', 1, 2, 0, 50, 50, 7, 50, 8, ARRAY['2026-01-02 03:04:05 ERROR one'], ARRAY[0]);
SELECT epoch, min_level, file, path, dev, inode, head_bytes, head_hash, tail_bytes, tail_hash, next_byte, state FROM logwatch_attach('tail', '/var/log/app.log');
SELECT logwatch_ingest('tail', 1, 42, '/var/log/app.log', 1, 2, 50, 60, 60, 7, 60, 8, ARRAY['2026-01-02 03:04:05 ERROR late'], ARRAY[0]);
\set VERBOSITY default
SELECT logwatch_ingest('tail', 2, 42, '/var/log/app.log.1', 1, 2, 50, 60, 60, 7, 60, 8, ARRAY['2026-01-02 03:04:05 ERROR three'], ARRAY[8], state => 'done');
SELECT logwatch_ingest('tail', 2, 43, '/var/log/app.log', 1, 3, 0, 100, 0, 0, 0, 0, '{}', '{}', gap => 'unreadable');
SELECT logwatch_ingest('tail', 2, NULL, NULL, NULL, NULL, 0, 0, 0, 0, 0, 0, '{}', '{}');
SELECT f.id, f.path, f.inode, f.next_byte, f.state FROM logwatch.files AS f ORDER BY f.id;
SELECT g.path, g.from_byte, g.to_byte, g.reason FROM logwatch.gaps AS g;
SELECT e.message, e.flags FROM logwatch.entries AS e JOIN logwatch.sources AS s ON s.id = e.source_id WHERE s.name = 'tail' ORDER BY e.id;
SELECT s.component, s.name, s.state FROM logwatch_status() AS s WHERE s.component = 'source' ORDER BY s.name COLLATE "C";
-- Fields are what PostgreSQL itself makes of their text: texts, constants, nested ones, more keys
-- than one stride, in any order.
SELECT logwatch_ingest(ARRAY[
    '{"level":"error","msg":"texts","zz":"é","a":"","bb":"\"x\\","B":"y","on":true,"off":false,"none":null}',
    'ERROR no fields',
    '{"level":"error","msg":"nested","n":1.50,"list":[1,"a",null],"deep":{"b":{"c":2}}}',
    (SELECT json_object_agg(k, v) FROM (SELECT 'level' AS k, 'error' AS v UNION ALL SELECT 'msg', 'many' UNION ALL SELECT 'key' || i, repeat('v', i) FROM generate_series(1, 100) AS i) AS many)::text], 'fields');
SELECT e.message, e.fields = e.fields::text::jsonb AND e.fields - 'key100' = (e.fields - 'key100')::text::jsonb AS same,
       e.fields ? 'key77' AND length(e.fields ->> 'key77') = 77 AS found, CASE WHEN e.fields ? 'key1' THEN NULL ELSE e.fields END AS fields
  FROM logwatch.entries AS e JOIN logwatch.sources AS s ON s.id = e.source_id WHERE s.name = 'fields' ORDER BY e.id;
-- Columns that some records have and others have not, over more than one byte of a batch's marks.
SELECT logwatch_ingest(array_agg(format('2026-01-02 03:06:%s ERROR %s%s', lpad(i::text, 2, '0'), chr(96 + i), CASE WHEN i % 3 = 0 THEN E'\n\tat line ' || i END)
                                 ORDER BY i), 'some') FROM generate_series(1, 26) AS i;
SELECT count(*), count(e.detail), bool_and((e.detail IS NOT NULL) = ((ascii(e.message) - 96) % 3 = 0)) AS right_ones,
       bool_and(e.detail IS NULL OR e.detail = E'\tat line ' || ascii(e.message) - 96) AS right_texts,
       bool_and(extract(second FROM e.logged_at) = ascii(e.message) - 96) AS right_times
  FROM logwatch.entries AS e JOIN logwatch.sources AS s ON s.id = e.source_id WHERE s.name = 'some';
TRUNCATE logwatch.entries, logwatch.minutes, logwatch.batches, logwatch.patterns, logwatch.sources, logwatch.files, logwatch.gaps;
