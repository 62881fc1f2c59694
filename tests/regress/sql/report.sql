-- The status message, and the outbox by hand.
SELECT regexp_replace(logwatch_report('log'), '( of \S+ at [^\n]*)|(Channels\n.*)', '', 'g') AS report;
SELECT channel, recipient, reason, state FROM logwatch.notifications WHERE channel = 'log';
CALL logwatch_deliver();
SELECT channel, state, attempts FROM logwatch.notifications WHERE channel = 'log';
\set SHOW_CONTEXT never
SELECT logwatch_report('pigeon');
SELECT logwatch_test('log');
SELECT logwatch_test('pigeon');
BEGIN;
CALL logwatch_deliver();
ROLLBACK;
-- Settings that do not exist are refused.
SET logwatch.nonsense = 1;
SET logwatch.retention = '1d';
TRUNCATE logwatch.notifications;
