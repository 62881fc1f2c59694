-- A rule by three columns, and the mistakes that are refused with a hint.
INSERT INTO logwatch.rules (name, level, threshold, within) VALUES ('disk', 'ERROR', 20, '1 hour');
SELECT kind, level, source, group_by, threshold, within, for_at_least, keep_firing_for, repeat_every, channels, recipients, enabled, builtin
  FROM logwatch.rules WHERE name = 'disk';
\set SHOW_CONTEXT never
INSERT INTO logwatch.rules (name, match) VALUES ('bad regex', '(');
INSERT INTO logwatch.rules (name, exclude) VALUES ('bad regex', '[z-a]');
INSERT INTO logwatch.rules (name, threshold) VALUES ('zero', 0);
INSERT INTO logwatch.rules (name, threshold) VALUES ('negative', -1);
INSERT INTO logwatch.rules (name, kind) VALUES ('kind', 'guess');
INSERT INTO logwatch.rules (name, channels) VALUES ('channel', '{pigeon}');
INSERT INTO logwatch.rules (name, recipients) VALUES ('recipient', '{nobody}');
INSERT INTO logwatch.rules (name, recipients) VALUES ('recipient', E'{"a@b\r\nBcc: c@d"}');
INSERT INTO logwatch.rules (name, within) VALUES ('within', '0');
INSERT INTO logwatch.rules (name, within) VALUES ('within', '-1 day');
INSERT INTO logwatch.rules (name, group_by) VALUES ('group', 'moon');
INSERT INTO logwatch.rules (name, keep_firing_for) VALUES ('keep', '-1 second');
INSERT INTO logwatch.rules (name, repeat_every) VALUES ('repeat', '1 second');
INSERT INTO logwatch.rules (name) VALUES ('');
UPDATE logwatch.rules SET threshold = 0 WHERE name = 'error';
SELECT name, threshold, within FROM logwatch.rules ORDER BY name;
DELETE FROM logwatch.rules WHERE name = 'disk';
SELECT logwatch_private.glob_matches(name, glob), name, glob
  FROM (VALUES ('db01:app', 'db*'), ('web', 'db*'), ('a%b', 'a%b'), ('axb', 'a%b'), ('a_b', 'a?b'), ('a\b', 'a\b'), ('', '*')) AS v (name, glob);
