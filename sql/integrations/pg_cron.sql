-- Recipe for psql: runs logwatch by pg_cron where no worker is preloaded, and a daily report where
-- one is.
--
--   psql -d DATABASE -f pg_cron.sql
--
-- DATABASE has logwatch. pg_cron may be in another database of the server: the jobs are made there
-- (cron.database_name) and run in DATABASE. Run this again after a change: it replaces jobs of the
-- same name. cron.unschedule('logwatch check DATABASE') removes one.

\set ON_ERROR_STOP on
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_extension AS e WHERE e.extname OPERATOR(pg_catalog.=) 'logwatch') THEN
        RAISE EXCEPTION 'logwatch is not in database "%"', pg_catalog.current_database()
            USING ERRCODE = 'undefined_object', HINT = 'Name the database that has it: psql -d DATABASE -f pg_cron.sql';
    ELSIF pg_catalog.current_setting('cron.database_name', true) IS NULL THEN
        RAISE EXCEPTION 'pg_cron is not preloaded'
            USING ERRCODE = 'undefined_object', HINT = 'Add pg_cron to shared_preload_libraries and restart the server.';
    END IF;
END
$$;
SELECT pg_catalog.current_database() AS logwatch_database, pg_catalog.quote_ident(n.nspname) AS logwatch_schema,
       pg_catalog.current_setting('cron.database_name') AS cron_database
  FROM pg_catalog.pg_extension AS e
  JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) e.extnamespace
 WHERE e.extname OPERATOR(pg_catalog.=) 'logwatch' \gset

\connect :"cron_database"
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_extension AS e WHERE e.extname OPERATOR(pg_catalog.=) 'pg_cron') THEN
        RAISE EXCEPTION 'pg_cron is not in database "%"', pg_catalog.current_database()
            USING ERRCODE = 'undefined_object', HINT = 'Type there: CREATE EXTENSION pg_cron;';
    END IF;
END
$$;

-- Each command names logwatch's own schema and all arguments with their types, so that no function
-- of another role is called instead.
SELECT cron.schedule_in_database(pg_catalog.concat_ws(' ', job.name, :'logwatch_database'), job.schedule,
                                 pg_catalog.replace(job.command, 'SCHEMA', :'logwatch_schema'), :'logwatch_database')
  FROM (VALUES
    -- Evaluates the rules and queues notifications.
    ('logwatch check', '* * * * *', 'SELECT SCHEMA.logwatch_check()'),
    -- Sends queued notifications. pg_cron runs it outside a transaction block, which a procedure
    -- that commits needs.
    ('logwatch deliver', '* * * * *', 'CALL SCHEMA.logwatch_deliver()'),
    -- Sends the status to all channels every day at 07:00 UTC, whether or not a threshold is met.
    ('logwatch report', '0 7 * * *', 'SELECT SCHEMA.logwatch_report(NULL::pg_catalog.text)'),
    -- Partitions ahead, retention, folding.
    ('logwatch maintain', '*/10 * * * *', 'SELECT SCHEMA.logwatch_maintain()')
 ) AS job (name, schedule, command);
