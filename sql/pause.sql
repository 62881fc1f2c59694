-- Pauses of the worker, for commands that need a database without sessions.

CREATE FUNCTION logwatch_private.pause_worker(seconds double precision) RETURNS boolean
    LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'pause_worker_wrapper';
COMMENT ON FUNCTION logwatch_private.pause_worker(double precision)
    IS 'Makes the worker leave its database for this long, 0 for no longer; returns whether it has left, and NULL without a worker';

CREATE FUNCTION logwatch_private.worker_paused_until() RETURNS double precision
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'worker_paused_until_wrapper';
COMMENT ON FUNCTION logwatch_private.worker_paused_until() IS 'End of the worker''s pause, in seconds since 1970; NULL when it is not paused';

CREATE FUNCTION logwatch_pause("for" interval DEFAULT '10 minutes') RETURNS text
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    seconds constant double precision := extract(epoch FROM $1);
    has_left boolean;
    until text;
BEGIN
    IF seconds IS NULL OR seconds < 0 OR seconds > 86400 THEN
        RAISE EXCEPTION 'a pause must be between 0 and 1 day'
            USING ERRCODE = 'invalid_parameter_value', HINT = format('For example: SELECT %s.logwatch_pause(interval ''10 minutes'');', logwatch_private.schema());
    END IF;
    has_left := logwatch_private.pause_worker(seconds);
    until := to_char(to_timestamp(logwatch_private.worker_paused_until()), 'YYYY-MM-DD HH24:MI:SS');
    IF has_left IS NULL THEN
        RAISE EXCEPTION 'there is no worker to pause: the library is not preloaded' USING ERRCODE = 'object_not_in_prerequisite_state';
    ELSIF until IS NULL THEN
        RETURN 'the worker is not paused';
    END IF;
    RETURN format('the worker is paused until %s and %s; to end the pause: SELECT %s.logwatch_pause(interval ''0'');', until,
                  CASE WHEN has_left THEN 'has disconnected' ELSE 'disconnects when its tick ends' END, logwatch_private.schema());
END
$$;
COMMENT ON FUNCTION logwatch_pause(interval)
    IS 'Makes the worker disconnect for this long, for ALTER DATABASE … RENAME, CREATE DATABASE … TEMPLATE or DROP DATABASE; 0 ends the pause, and so does a restart of the server';
