-- Interfaces for other tools: an alert as JSON, metrics for Prometheus, a line for Nagios.

CREATE FUNCTION logwatch_alert_json(alert_id bigint) RETURNS jsonb
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$ SELECT logwatch_private.alert_payload(a, NULL) FROM logwatch.alerts AS a WHERE a.id = $1 $$;
COMMENT ON FUNCTION logwatch_alert_json(bigint) IS 'An alert with its counts, sources, top patterns and timeline; NULL for an unknown id';

CREATE FUNCTION logwatch_alert_entries(alert_id bigint)
    RETURNS TABLE (logged_at timestamptz, source text, file text, level logwatch.level, message text, detail text, fields jsonb)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    a logwatch.alerts;
    wanted jsonb;
    from_second timestamptz;
    to_second timestamptz;
BEGIN
    SELECT * INTO a FROM logwatch.alerts AS k WHERE k.id = $1;
    from_second := a.started_at - a.within;
    to_second := a.met_until;
    wanted := logwatch_private.fields_of(a);
    RETURN QUERY
    SELECT e.logged_at, s.name, p.path, e.level, e.message, e.detail, e.fields
      FROM logwatch.entries AS e JOIN logwatch.sources AS s ON s.id = e.source_id
      LEFT JOIN logwatch.paths AS p ON p.source_id = e.source_id AND p.id = e.path_id
     WHERE e.logged_at > from_second AND e.logged_at < to_second + interval '1 second' AND e.received_at > from_second - interval '10 minutes'
       AND (date_trunc('second', e.logged_at, 'UTC'), s.name, e.fingerprint) IN (
           SELECT c.second, c.source, v.stored
             FROM logwatch_private.counted(a) AS c
            CROSS JOIN LATERAL (SELECT c.fingerprint UNION ALL SELECT r.earlier FROM logwatch.earlier_fingerprints AS r WHERE r.fingerprint = c.fingerprint) AS v (stored))
       AND logwatch_private.fields_match(e.fields, wanted)
     ORDER BY e.logged_at, e.id;
END
$$;
COMMENT ON FUNCTION logwatch_alert_entries(bigint) IS 'The stored records that an alert counts, oldest first';

CREATE FUNCTION logwatch_private.read_gauges() RETURNS TABLE (metric text, labels jsonb, value double precision)
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT 'logwatch_alerts_firing', jsonb_build_object('rule', r.name, 'severity', r.severity),
           (SELECT count(*) FROM logwatch.alerts AS a WHERE a.rule = r.name AND a.state = 'firing')::float8 FROM logwatch.rules AS r
    UNION ALL
    SELECT 'logwatch_notifications', jsonb_build_object('channel', n.channel, 'state', n.state), count(*)::float8
      FROM logwatch.notifications AS n GROUP BY n.channel, n.state
    UNION ALL
    SELECT 'logwatch_records_last_hour', jsonb_build_object('source', s.name, 'level', c.level), sum(c.n)::float8
      FROM logwatch.counts AS c JOIN logwatch.sources AS s ON s.id = c.source_id WHERE c.minute > now() - interval '2 hours' AND c.second > now() - interval '1 hour' GROUP BY s.name, c.level
    UNION ALL
    SELECT 'logwatch_source_last_seen_timestamp_seconds', jsonb_build_object('source', s.name),
           extract(epoch FROM logwatch_private.heard_of(s, 'tailer'))::float8 FROM logwatch.sources AS s
    UNION ALL
    SELECT 'logwatch_gaps', jsonb_build_object('source', s.name), count(g.id)::float8
      FROM logwatch.sources AS s LEFT JOIN logwatch.gaps AS g ON g.source_id = s.id GROUP BY s.name
    UNION ALL
    SELECT v.metric, jsonb_build_object('role', f.role, 'name', f.name), v.value
      FROM logwatch_private.read_fleet() AS f
     CROSS JOIN LATERAL (VALUES ('logwatch_fleet_lag_seconds', f.lag_seconds), ('logwatch_fleet_lag_bytes', f.lag_bytes::float8),
                                ('logwatch_fleet_wal_held_bytes', f.wal_held::float8), ('logwatch_fleet_apply_errors', f.errors::float8)) AS v (metric, value)
     WHERE v.value IS NOT NULL
    $$;
COMMENT ON FUNCTION logwatch_private.read_gauges() IS 'Gauges that are read from tables';

CREATE FUNCTION logwatch_private.read_metrics() RETURNS TABLE (metric text, labels jsonb, value double precision)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET lock_timeout = '500ms'
    AS $$
BEGIN
    BEGIN
        RETURN QUERY SELECT * FROM logwatch_private.read_gauges();
    EXCEPTION WHEN lock_not_available THEN
        -- The worker's gauges say that something is wrong.
        NULL;
    END;
    RETURN QUERY
        SELECT v.metric, '{}'::jsonb, v.value
          FROM logwatch_private.worker_status() AS w
         CROSS JOIN LATERAL (VALUES ('logwatch_worker_up', (w.state = 'running')::integer::float8),
                                    ('logwatch_last_check_timestamp_seconds', extract(epoch FROM w.checked_at)::float8)) AS v (metric, value)
         WHERE v.value IS NOT NULL;
END
$$;
COMMENT ON FUNCTION logwatch_private.read_metrics() IS 'Rows of logwatch.metrics';
CREATE VIEW logwatch.metrics AS SELECT * FROM logwatch_private.read_metrics();
COMMENT ON VIEW logwatch.metrics IS 'Gauges under Prometheus names, for sql_exporter or postgres_exporter';

CREATE FUNCTION logwatch_private.metric_help(metric text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT CASE metric
        WHEN 'logwatch_alerts_firing' THEN 'Alerts of the rule that are firing.'
        WHEN 'logwatch_notifications' THEN 'Notifications of the channel in this state.'
        WHEN 'logwatch_records_last_hour' THEN 'Records of the source and level that were logged in the last hour.'
        WHEN 'logwatch_source_last_seen_timestamp_seconds' THEN 'Last sign of the source, in seconds since 1970.'
        WHEN 'logwatch_gaps' THEN 'Stretches of files of the source that could not be read.'
        WHEN 'logwatch_fleet_lag_seconds' THEN 'Time for which the edge or centre is behind.'
        WHEN 'logwatch_fleet_lag_bytes' THEN 'Write-ahead log that the centre has not confirmed.'
        WHEN 'logwatch_fleet_wal_held_bytes' THEN 'Write-ahead log that is kept for the centre.'
        WHEN 'logwatch_fleet_apply_errors' THEN 'Errors of the apply worker of the edge.'
        WHEN 'logwatch_worker_up' THEN '1 while the worker runs and its checks are not overdue.'
        WHEN 'logwatch_last_check_timestamp_seconds' THEN 'Time of the last check, in seconds since 1970.'
    END
    $$;
COMMENT ON FUNCTION logwatch_private.metric_help(text) IS 'Returns what a metric measures; NULL for an unknown one';

CREATE FUNCTION logwatch_prometheus() RETURNS text
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT string_agg(format(E'# HELP %s %s\n# TYPE %s gauge\n%s\n', m.metric, logwatch_private.metric_help(m.metric), m.metric, m.samples), '' ORDER BY m.metric)
      FROM (SELECT g.metric,
                   string_agg(g.metric || COALESCE('{' || l.labels || '}', '') || ' ' || replace(g.value::text, 'Infinity', 'Inf'), E'\n' ORDER BY l.labels) AS samples
              FROM logwatch_private.read_metrics() AS g
             CROSS JOIN LATERAL (
                   -- The format escapes these three in a value.
                   SELECT string_agg(format('%s="%s"', e.key, replace(replace(replace(e.value, E'\\', E'\\\\'), '"', E'\\"'), E'\n', E'\\n')), ',' ORDER BY e.key) AS labels
                     FROM jsonb_each_text(g.labels) AS e) AS l
             GROUP BY g.metric) AS m
    $$;
COMMENT ON FUNCTION logwatch_prometheus() IS 'The rows of logwatch.metrics in Prometheus''s text format';

CREATE FUNCTION logwatch_nagios(OUT state integer, OUT line text)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET lock_timeout = '500ms'
    AS $$
DECLARE
    firing record;
    worker record;
    broken text;
    readable boolean := true;
BEGIN
    BEGIN
        SELECT count(*) AS n, count(*) FILTER (WHERE r.severity = 'critical') AS critical, string_agg(DISTINCT a.rule, ', ' ORDER BY a.rule) AS rules INTO firing
          FROM logwatch.alerts AS a LEFT JOIN logwatch.rules AS r ON r.name = a.rule
         WHERE a.state = 'firing' AND NOT logwatch_private.is_silenced(a, clock_timestamp());
        SELECT string_agg(format('channel %s: %s', c.name, c.message), '; ') INTO broken
          FROM logwatch_private.channel_status(clock_timestamp()) AS c WHERE c.is_broken;
    EXCEPTION WHEN lock_not_available THEN
        readable := false;
        SELECT NULL::bigint AS n, 0::bigint AS critical, NULL::text AS rules INTO firing;
    END;
    SELECT * INTO worker FROM logwatch_private.worker_status();
    state := CASE WHEN firing.critical > 0 OR worker.overdue AND worker.state <> 'off' AND worker.state <> 'elsewhere' THEN 2
                  WHEN firing.n > 0 THEN 1
                  WHEN readable AND worker.state IN ('running', 'scheduled', 'standby') THEN CASE WHEN broken IS NULL THEN 0 ELSE 1 END
                  ELSE 3 END;
    line := logwatch_private.printable(replace(format('LOGWATCH %s - %s',
        (ARRAY['OK', 'WARNING', 'CRITICAL', 'UNKNOWN'])[state + 1],
        concat_ws('; ',
            CASE WHEN firing.n > 0 THEN format('%s firing: %s', firing.n, firing.rules)
                 WHEN NOT readable THEN 'the alerts cannot be read, for another session has locked a table'
                 WHEN state < 2 THEN 'nothing fires' END,
            broken,
            CASE WHEN worker.overdue OR state = 3 THEN format('the worker is %s: %s', worker.state, worker.message) END)), '|', '/'))
        || format(' | firing=%s', COALESCE(firing.n::text, 'U'));
END
$$;
COMMENT ON FUNCTION logwatch_nagios() IS 'State (0 ok, 1 warning, 2 critical, 3 unknown) and line of a monitoring plugin';

-- In the schema logwatch, which is the same everywhere: these run from any search_path, and no
-- function of another role can take their place.
CREATE VIEW logwatch.status AS SELECT * FROM @extschema@.logwatch_status();
COMMENT ON VIEW logwatch.status IS 'Rows of logwatch_status()';
CREATE VIEW logwatch.nagios AS SELECT * FROM @extschema@.logwatch_nagios();
COMMENT ON VIEW logwatch.nagios IS 'State and line of logwatch_nagios()';

CREATE VIEW logwatch.functions AS
    SELECT p.proname AS name, pg_catalog.pg_get_function_arguments(p.oid) AS arguments,
           pg_catalog.obj_description(p.oid, 'pg_proc'::pg_catalog.name) AS description
      FROM pg_catalog.pg_proc AS p
      JOIN pg_catalog.pg_depend AS d ON d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass::pg_catalog.oid AND d.objid = p.oid AND d.deptype = 'e'::"char"
      JOIN pg_catalog.pg_extension AS e ON e.oid = d.refobjid AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass::pg_catalog.oid
     WHERE e.extname = 'logwatch'::pg_catalog.name AND p.pronamespace = e.extnamespace
     ORDER BY p.proname, p.pronargs;
COMMENT ON VIEW logwatch.functions IS 'The public functions and procedures of logwatch';
COMMENT ON COLUMN logwatch.functions.description IS 'The function''s comment';
