-- Functions that read settings and facts of the server.

CREATE FUNCTION logwatch_private.hold() RETURNS void
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'hold_wrapper';
COMMENT ON FUNCTION logwatch_private.hold() IS 'Makes DROP EXTENSION wait for the end of this transaction, which avoids deadlocks';

CREATE FUNCTION logwatch_private.take_turn(work text) RETURNS boolean
    LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'take_turn_wrapper';
COMMENT ON FUNCTION logwatch_private.take_turn(text)
    IS 'Takes the turn at check, fold, fleet or renew until the transaction ends; false while another session has it';

CREATE FUNCTION logwatch_private.delay_checks() RETURNS void
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'delay_checks_wrapper';
COMMENT ON FUNCTION logwatch_private.delay_checks() IS 'Waits for a check that is running, and lets none begin until the transaction ends';

CREATE FUNCTION logwatch_private.queue_for_source(name text) RETURNS void
    LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'queue_for_source_wrapper';
COMMENT ON FUNCTION logwatch_private.queue_for_source(text)
    IS 'Waits, in the order of arrival, until no other session is attaching to the source';

CREATE FUNCTION logwatch_private.try_queue_for_source(name text) RETURNS boolean
    LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'try_queue_for_source_wrapper';
COMMENT ON FUNCTION logwatch_private.try_queue_for_source(text)
    IS 'Takes the queue of sessions that make or attach to the source; false while another session has it';

CREATE FUNCTION logwatch_private.setting(name text) RETURNS text
    LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME', 'setting_wrapper';
COMMENT ON FUNCTION logwatch_private.setting(text) IS 'The value of logwatch.<name> in its base unit, also where the library is not preloaded';

CREATE FUNCTION logwatch_private.server_setting(name text) RETURNS text
    LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME', 'server_setting_wrapper';
COMMENT ON FUNCTION logwatch_private.server_setting(text) IS 'The value of shared_preload_libraries or data_directory, also where the owner may not see it';

CREATE FUNCTION logwatch_private.schema() RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT e.extnamespace::regnamespace::text FROM pg_extension AS e WHERE e.extname = 'logwatch');
END
$$;
COMMENT ON FUNCTION logwatch_private.schema() IS 'Returns the schema of the public functions, quoted, for the commands in messages';

CREATE FUNCTION logwatch_private.host() RETURNS text
    LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'host_wrapper';
COMMENT ON FUNCTION logwatch_private.host() IS 'This server''s host name';

CREATE FUNCTION logwatch_private.mail_domain() RETURNS text
    LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'mail_domain_wrapper';
COMMENT ON FUNCTION logwatch_private.mail_domain() IS 'Domain of Message-IDs: that of logwatch.email_from, or else this server''s fully qualified name';

CREATE FUNCTION logwatch_private.is_mail_address(address text) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'is_mail_address_wrapper';
COMMENT ON FUNCTION logwatch_private.is_mail_address(text) IS 'Whether a text is an e-mail address (RFC 5321, RFC 6531)';

CREATE FUNCTION logwatch_private.printable(name text) RETURNS text
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'printable_wrapper';
COMMENT ON FUNCTION logwatch_private.printable(text) IS 'A name or a reason from outside, with blanks in place of control and invisible characters';

CREATE FUNCTION logwatch_private.nearest_name(name text, known text[]) RETURNS text
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'nearest_name_wrapper';
COMMENT ON FUNCTION logwatch_private.nearest_name(text, text[]) IS 'Known name that is nearest to a misspelt one';

CREATE FUNCTION logwatch_private.may_read_settings() RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT pg_has_role('pg_read_all_settings', 'USAGE') AND has_table_privilege('pg_catalog.pg_file_settings', 'SELECT')
       AND has_function_privilege('pg_catalog.pg_show_all_file_settings()', 'EXECUTE')
    $$;
COMMENT ON FUNCTION logwatch_private.may_read_settings() IS 'Whether the extension''s owner may read the configuration files';

CREATE FUNCTION logwatch_private.unknown_settings() RETURNS TABLE (name text, nearest text, file text, line integer)
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    -- PostgreSQL drops such settings with a warning in the server log only; the files still have
    -- them.
    SELECT f.name, logwatch_private.nearest_name(f.name, known.names), f.sourcefile, f.sourceline
      FROM (SELECT array_agg(s.name) AS names FROM pg_settings AS s WHERE s.name LIKE 'logwatch.%') AS known
     CROSS JOIN pg_file_settings AS f
     WHERE f.name LIKE 'logwatch.%' AND lower(f.name) <> ALL (known.names)
     ORDER BY f.seqno
    $$;
COMMENT ON FUNCTION logwatch_private.unknown_settings() IS 'Settings logwatch.* in the configuration files that do not exist, each with the nearest existing one';

CREATE FUNCTION logwatch_private.channel_problem(channel text) RETURNS text
    LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME', 'channel_problem_wrapper';
COMMENT ON FUNCTION logwatch_private.channel_problem(text) IS 'Reason why a channel cannot work as it is set, with the value to type; NULL when it can';

CREATE FUNCTION logwatch_private.channel_configured(channel text) RETURNS boolean
    LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME', 'channel_configured_wrapper';
COMMENT ON FUNCTION logwatch_private.channel_configured(text) IS 'Whether the settings turn a channel on';

CREATE FUNCTION logwatch_private.receiver_channels() RETURNS text[]
    LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'receiver_channels_wrapper';
COMMENT ON FUNCTION logwatch_private.receiver_channels() IS 'Channels of the receivers in logwatch.receivers_file';

CREATE FUNCTION logwatch_private.recipient_allowed(address text) RETURNS boolean
    LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME', 'recipient_allowed_wrapper';
COMMENT ON FUNCTION logwatch_private.recipient_allowed(text) IS 'Whether logwatch.email_domains allows mail to an address';

CREATE FUNCTION logwatch_private.default_recipients() RETURNS text[]
    LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'default_recipients_wrapper';
COMMENT ON FUNCTION logwatch_private.default_recipients() IS 'The addresses of logwatch.email_to, without names';

-- CREATE EXTENSION warns of what the worker still needs, with the lines to type.
DO $$
DECLARE
    path constant text := pg_catalog.current_setting('search_path');
    preloaded boolean;
    worker_database constant text := logwatch_private.setting('database');
BEGIN
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    preloaded := current_setting('shared_preload_libraries') ~ '(^|[ ,"/])logwatch($|[ ,"])';
    IF NOT preloaded THEN
        RAISE WARNING 'the logwatch worker is off: nothing checks rules or sends mail by itself'
            USING HINT = format(E'Add to postgresql.conf and restart the server:\nshared_preload_libraries = %L\nlogwatch.database = %L',
                                concat_ws(',', nullif(current_setting('shared_preload_libraries'), ''), 'logwatch'), current_database());
    ELSIF worker_database <> current_database() THEN
        RAISE WARNING 'the logwatch worker runs in database "%", not in this one', worker_database
            USING HINT = format(E'Add to postgresql.conf and restart the server:\nlogwatch.database = %L', current_database());
    END IF;
    PERFORM set_config('search_path', path, true);
END
$$;

CREATE FUNCTION logwatch_private.limit_time(milliseconds integer) RETURNS void
    LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'limit_time_wrapper';
COMMENT ON FUNCTION logwatch_private.limit_time(integer) IS 'Cancels what runs (57014) after this many milliseconds; 0 ends the limit';

CREATE FUNCTION logwatch_private.time_was_up() RETURNS boolean
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'time_was_up_wrapper';
COMMENT ON FUNCTION logwatch_private.time_was_up() IS 'Ends the limit, and returns whether it has cancelled what ran';
