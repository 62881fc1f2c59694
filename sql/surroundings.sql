-- Reasons that keep logwatch from its work, for the status: upkeep that fails, settings and
-- publications of others.

CREATE TABLE logwatch_private.failed_upkeep (
    part    text PRIMARY KEY,
    since   timestamptz NOT NULL DEFAULT clock_timestamp(),
    error   text NOT NULL
);
COMMENT ON TABLE logwatch_private.failed_upkeep IS 'Parts of the upkeep that have failed and have not succeeded since';

CREATE FUNCTION logwatch_private.upkeep_words() RETURNS text
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT 'Upkeep fails and is tried again every minute: '
        || string_agg(format('%s, since %s', f.error, to_char(f.since, 'YYYY-MM-DD HH24:MI:SS')), '; ' ORDER BY f.since, f.part) || '.'
      FROM logwatch_private.failed_upkeep AS f
    $$;
COMMENT ON FUNCTION logwatch_private.upkeep_words() IS 'Returns which parts of the upkeep fail, and why; NULL when none does';

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
COMMENT ON FUNCTION logwatch_private.read_only_words() IS 'Returns how to end it when the server or this database makes all sessions read-only; else NULL';

CREATE FUNCTION logwatch_private.publication_words() RETURNS text
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    -- The publication logwatch is that of a fleet.
    SELECT format('%s %s logwatch''s tables along, and a subscriber without them stops; to publish the other tables only: CREATE PUBLICATION ... FOR TABLES IN SCHEMA ...;',
                  CASE WHEN count(*) = 1 THEN 'Publication' ELSE 'Publications' END || ' ' || string_agg(quote_ident(p.pubname), ', ' ORDER BY p.pubname),
                  CASE WHEN count(*) = 1 THEN 'takes' ELSE 'take' END)
      FROM pg_publication AS p
     WHERE p.pubname <> 'logwatch'
       AND (p.puballtables OR EXISTS (SELECT FROM pg_publication_tables AS t WHERE t.pubname = p.pubname AND t.schemaname IN ('logwatch', 'logwatch_private')))
    HAVING count(*) > 0
    $$;
COMMENT ON FUNCTION logwatch_private.publication_words() IS 'Names the publications that take logwatch''s tables along; NULL when there is none';
