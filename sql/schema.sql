-- The schemas, and the conditions that the server must meet. Tables, views and types live in schema
-- logwatch, private functions in logwatch_private, and the public functions (logwatch_…) in the
-- schema that the extension is installed in.

-- Blocks that run as the superuser who creates the extension use pg_catalog only: otherwise a role
-- that may create in the target schema could substitute an operator or function of its own.
DO $$
DECLARE
    path constant text := pg_catalog.current_setting('search_path');
BEGIN
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    IF current_setting('server_encoding') <> 'UTF8' THEN
        RAISE EXCEPTION 'database "%" has encoding %, and logwatch needs UTF8', current_database(), current_setting('server_encoding')
            USING ERRCODE = 'feature_not_supported',
                  DETAIL = 'Log records may hold any character.',
                  HINT = format('Use another database: CREATE DATABASE logs ENCODING %L TEMPLATE template0;', 'UTF8');
    END IF;
    PERFORM set_config('search_path', path, true);
END
$$;

CREATE SCHEMA logwatch;
COMMENT ON SCHEMA logwatch IS 'logwatch: log entries, rules, alerts and notifications';
CREATE SCHEMA logwatch_private;
COMMENT ON SCHEMA logwatch_private IS 'logwatch: functions that only logwatch calls';

CREATE TYPE logwatch.level AS ENUM ('DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL');
COMMENT ON TYPE logwatch.level IS 'Severity of a log record, in rising order; FATAL includes critical, alert, emergency and panic';
