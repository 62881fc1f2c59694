-- Recipe: runs logwatch by pg_cron where no worker is preloaded, and a daily report where one is.
--
--   psql -d DATABASE -f pg_cron.sql
--
-- DATABASE has logwatch, and cron.database_name must name the same one. Run this again after a
-- change: it replaces jobs of the same name. cron.unschedule('logwatch check') removes one.

-- Each command names logwatch's own schema and all arguments with their types, so that no function
-- of another role is called instead.
SELECT cron.schedule(job.name, job.schedule,
                     pg_catalog.replace(job.command, 'SCHEMA', pg_catalog.quote_ident(n.nspname)))
  FROM pg_catalog.pg_extension AS e
  JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) e.extnamespace
 CROSS JOIN (VALUES
    -- Evaluates the rules and queues notifications.
    ('logwatch check', '* * * * *', 'SELECT SCHEMA.logwatch_check()'),
    -- Sends queued notifications. pg_cron runs it outside a transaction block, which a procedure
    -- that commits needs.
    ('logwatch deliver', '* * * * *', 'CALL SCHEMA.logwatch_deliver()'),
    -- Sends the status to all channels every day at 07:00 UTC, whether or not a threshold is met.
    ('logwatch report', '0 7 * * *', 'SELECT SCHEMA.logwatch_report(NULL::pg_catalog.text)'),
    -- Partitions ahead, retention, folding.
    ('logwatch maintain', '*/10 * * * *', 'SELECT SCHEMA.logwatch_maintain()')
 ) AS job (name, schedule, command)
 WHERE e.extname OPERATOR(pg_catalog.=) 'logwatch';
