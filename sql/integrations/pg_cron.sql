-- A recipe: logwatch on a schedule by pg_cron, where its worker is not preloaded, and a daily report where it is.
--
--   psql -d DATABASE -f pg_cron.sql
--
-- DATABASE is the one that has logwatch; pg_cron must serve the same one (cron.database_name). Run it again after a change: a job
-- of the same name is replaced. cron.unschedule('logwatch check') takes one away.

-- Evaluate the rules and queue notifications.
SELECT cron.schedule('logwatch check', '* * * * *', 'SELECT logwatch_check()');
-- Send what is queued. pg_cron runs it outside a transaction block, as a procedure that commits must be.
SELECT cron.schedule('logwatch deliver', '* * * * *', 'CALL logwatch_deliver()');
-- The status to all channels, every day at 07:00 UTC, threshold met or not.
SELECT cron.schedule('logwatch report', '0 7 * * *', 'SELECT logwatch_report()');
-- Partitions ahead, retention, folding.
SELECT cron.schedule('logwatch maintain', '*/10 * * * *', 'SELECT logwatch_maintain()');
