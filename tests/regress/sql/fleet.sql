-- A fleet: what the commands say, and the rules that look at more than one source. The replication
-- itself is a scenario.
SELECT current_setting('server_version_num')::integer < 150000 AS too_old \gset
\if :too_old
\set VERBOSITY terse
SELECT logwatch_publish();
\quit
\endif
SELECT step, state FROM logwatch_publish() WHERE step IN (1, 4, 5, 7);
SELECT step, state FROM logwatch_publish(execute => true, role => 'regress_centre') WHERE step IN (1, 4, 5, 7);
SELECT rolreplication, rolsuper FROM pg_roles WHERE rolname = 'regress_centre';
-- Ids that belong to this server, and its transaction ids, do not travel; what checks make of
-- batches neither.
SELECT tablename, rowfilter, attnames FROM pg_publication_tables WHERE pubname = 'logwatch' ORDER BY tablename;
SELECT pubinsert, pubupdate, pubdelete, pubtruncate, pubviaroot FROM pg_publication WHERE pubname = 'logwatch';
SELECT logwatch_unpublish();
SELECT count(*) FROM pg_publication;
DROP OWNED BY regress_centre;
DROP ROLE regress_centre;
-- The command that makes a subscription, and what it must not hold.
SELECT regexp_replace(logwatch_subscribe('berlin', 'host=berlin dbname=logs user=logwatch_centre'), 'streaming = .*', '…') AS command;
SELECT regexp_replace(logwatch_subscribe('berlin', 'host=berlin passfile=/etc/it''s', copy => false, slot => 'logwatch_berlin_2'), 'streaming = .*', '…') AS command;
SELECT name, state, message FROM logwatch_fleet;
SELECT component, name, state FROM logwatch_status() WHERE component = 'edge';
\set SHOW_CONTEXT never
SELECT logwatch_subscribe('Berlin', 'host=berlin');
SELECT logwatch_subscribe('berlin', 'host=berlin', slot => 'mine');
SELECT logwatch_subscribe('berlin', 'host=berlin password=secret');
SELECT logwatch_subscribe('berlin', 'postgresql://me:secret@berlin/logs');
SELECT logwatch_subscribe('berlin', 'postgresql://berlin/logs?user=me&password=secret');
SELECT logwatch_unsubscribe('paris');
-- A whole edge that is silent.
UPDATE logwatch.rules SET enabled = false WHERE builtin;
INSERT INTO logwatch.rules (name, kind, absence_of, source, within) VALUES ('edge gone', 'absence', 'edge', 'ber*', '5 minutes');
INSERT INTO logwatch.rules (name, kind, absence_of, source, within) VALUES ('other edge', 'absence', 'edge', 'paris', '5 minutes');
SELECT rule, group_key, transition FROM logwatch_check();
UPDATE logwatch.edges SET joined_at = now() - interval '6 minutes';
SELECT rule, group_key, transition, message FROM logwatch_check();
UPDATE logwatch.edges SET heard_at = now();
SELECT rule, group_key, transition FROM logwatch_private.check(clock_timestamp() + interval '2 minutes');
SELECT logwatch_unsubscribe('berlin', edge_is_gone => true);
SELECT logwatch_unsubscribe('berlin');
SELECT count(*) FROM logwatch_fleet;
UPDATE logwatch.edges SET heard_at = now() - interval '6 minutes';
SELECT rule, group_key, transition FROM logwatch_check();
DELETE FROM logwatch.edges;
-- The same on at least so many sources.
DELETE FROM logwatch.rules WHERE NOT builtin;
INSERT INTO logwatch.rules (name, kind, min_sources, learn_for, within) VALUES ('everywhere', 'new_pattern', 3, '0', '10 minutes');
INSERT INTO logwatch.rules (name, threshold, min_sources, source) VALUES ('spread', 4, 2, 'web*');
SELECT logwatch_ingest('ERROR disk full', 'web1'), logwatch_ingest('ERROR disk full', 'web1'), logwatch_ingest('ERROR disk full', 'db1');
SELECT logwatch_ingest('ERROR disk full', 'web1'), logwatch_ingest('ERROR disk full', 'web1'), logwatch_ingest('ERROR no route', 'db2');
SELECT rule, transition, count FROM logwatch_check();
SELECT logwatch_ingest('ERROR disk full', 'web2');
SELECT rule, transition, count FROM logwatch_check();
SELECT r.name, b.peak FROM logwatch.rules AS r, logwatch_backtest(r.name) AS b WHERE NOT r.builtin ORDER BY r.name;
INSERT INTO logwatch.rules (name, min_sources) VALUES ('bad', 0);
DELETE FROM logwatch.rules WHERE NOT builtin;
UPDATE logwatch.rules SET enabled = true;
TRUNCATE logwatch.alerts, logwatch.notifications, logwatch.minutes, logwatch.batches, logwatch.entries, logwatch.patterns, logwatch.sources;
