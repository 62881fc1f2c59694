-- Rules: defaults, and what is refused.
SELECT name, kind, level, source, group_by, threshold, within, for_at_least, keep_firing_for, repeat_every, channels, enabled, builtin
  FROM logwatch.rules ORDER BY name;
INSERT INTO logwatch.rules (name, level, threshold, within) VALUES ('disk', 'ERROR', 20, '1 hour');
SELECT * FROM logwatch.rules WHERE name = 'disk' AND updated_at IS NULL;

\set SHOW_CONTEXT never
INSERT INTO logwatch.rules (name, threshold) VALUES ('bad', 0);
INSERT INTO logwatch.rules (name, within) VALUES ('bad', '0');
INSERT INTO logwatch.rules (name, match) VALUES ('bad', '(');
INSERT INTO logwatch.rules (name, exclude) VALUES ('bad', '[');
INSERT INTO logwatch.rules (name, group_by) VALUES ('bad', 'host');
INSERT INTO logwatch.rules (name, channels) VALUES ('bad', '{pigeon}');
INSERT INTO logwatch.rules (name, recipients) VALUES ('bad', '{nobody}');
INSERT INTO logwatch.rules (name, level) VALUES ('bad', 'LOUD');
INSERT INTO logwatch.rules (name, kind) VALUES ('bad', 'guess');
UPDATE logwatch.rules SET threshold = -1 WHERE name = 'disk';
DELETE FROM logwatch.rules WHERE name = 'disk';
