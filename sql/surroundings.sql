-- Settings and objects of others that keep logwatch from its work, for the status. Reads only.

CREATE FUNCTION logwatch_private.read_only_words() RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    source text;
BEGIN
    -- pg_settings has all settings, and takes longer.
    IF current_setting('default_transaction_read_only') = 'off' THEN
        RETURN NULL;
    END IF;
    SELECT s.source INTO source FROM pg_settings AS s WHERE s.name = 'default_transaction_read_only';
    -- A setting of this session or of its role says nothing about the sessions of tailers.
    RETURN 'Tailers and applications cannot store records, because default_transaction_read_only is on; to end it: SET default_transaction_read_only = off; '
        || CASE source WHEN 'database' THEN format('ALTER DATABASE %I RESET default_transaction_read_only;', current_database())
                       WHEN 'global' THEN 'ALTER ROLE ALL RESET default_transaction_read_only;'
                       WHEN 'configuration file' THEN 'ALTER SYSTEM SET default_transaction_read_only = off; SELECT pg_reload_conf();' END;
END
$$;
COMMENT ON FUNCTION logwatch_private.read_only_words() IS 'Says that the server or this database makes all sessions read-only; NULL when it does not';
