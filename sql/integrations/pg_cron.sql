-- Recipe: runs logwatch by pg_cron where no worker is preloaded, and a daily report where one is.
--
--   psql -d DATABASE -f pg_cron.sql
--
-- DATABASE has logwatch, and cron.database_name must name the same one. Run this again after a
-- change: it replaces jobs of the same name. cron.unschedule('logwatch check') removes one.

-- Evaluates the rules and queues notifications.
SELECT cron.schedule('logwatch check', '* * * * *', 'SELECT logwatch_check()');
-- Sends queued notifications. pg_cron runs it outside a transaction block, which a procedure that
-- commits needs.
SELECT cron.schedule('logwatch deliver', '* * * * *', 'CALL logwatch_deliver()');
-- Sends the status to all channels every day at 07:00 UTC, whether or not a threshold is met.
SELECT cron.schedule('logwatch report', '0 7 * * *', 'SELECT logwatch_report()');
-- Partitions ahead, retention, folding.
SELECT cron.schedule('logwatch maintain', '*/10 * * * *', 'SELECT logwatch_maintain()');
