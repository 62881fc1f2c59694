-- Revokes everything from PUBLIC, lets pg_monitor read, and marks the tables that pg_dump keeps.

DO $$
DECLARE
    object record;
    path constant text := pg_catalog.current_setting('search_path');
BEGIN
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    FOR object IN
        SELECT p.oid::regprocedure AS name, CASE p.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END AS kind
          FROM pg_proc AS p JOIN pg_depend AS d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
          JOIN pg_extension AS e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass
         WHERE e.extname = 'logwatch'
    LOOP
        EXECUTE format('REVOKE ALL ON %s %s FROM PUBLIC', object.kind, object.name);
    END LOOP;
    PERFORM set_config('search_path', path, true);
END
$$;
REVOKE ALL ON SCHEMA logwatch, logwatch_private FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA logwatch FROM PUBLIC;
REVOKE ALL ON TYPE logwatch.level FROM PUBLIC;
GRANT USAGE ON TYPE logwatch.level TO pg_monitor;
GRANT USAGE ON SCHEMA logwatch TO pg_monitor;
GRANT SELECT ON ALL TABLES IN SCHEMA logwatch TO pg_monitor;
REVOKE ALL ON logwatch_fleet FROM PUBLIC;
GRANT SELECT ON logwatch_fleet TO pg_monitor;
GRANT EXECUTE ON FUNCTION logwatch_status(), logwatch_files(text), logwatch_alert_json(bigint), logwatch_alert_entries(bigint), logwatch_backtest(text, timestamptz, timestamptz), logwatch_nagios(), logwatch_prometheus(), logwatch_check_rule(text),
    logwatch_report_html(interval), logwatch_private.read_metrics(), logwatch_private.read_fleet() TO pg_monitor;

-- Later partitions are not members of the extension, so pg_dump dumps them like any table. The
-- table progress is left out: its transaction ids belong to this server.
DO $$
DECLARE
    name text;
    path constant text := pg_catalog.current_setting('search_path');
BEGIN
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    FOREACH name IN ARRAY ARRAY['sources', 'files', 'read_errors', 'pauses', 'paths', 'gaps', 'entries_default', 'patterns', 'earlier_fingerprints', 'minutes', 'batches', 'arrivals', 'alerts', 'notifications', 'attempts', 'silences', 'acknowledgements', 'edges', 'beats', 'schedules', 'expected_lines', 'rules'] LOOP
        PERFORM pg_extension_config_dump(format('logwatch.%I', name)::regclass, '');
    END LOOP;
    FOREACH name IN ARRAY ARRAY['gaps', 'entries', 'alerts', 'notifications', 'silences', 'acknowledgements'] LOOP
        PERFORM pg_extension_config_dump(pg_get_serial_sequence(format('logwatch.%I', name), 'id')::regclass, '');
        EXECUTE format('COMMENT ON SEQUENCE %s IS %L', pg_get_serial_sequence(format('logwatch.%I', name), 'id'), format('Ids of logwatch.%I', name));
    END LOOP;
    PERFORM set_config('search_path', path, true);
END
$$;
