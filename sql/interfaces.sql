-- For other tools: an alert as JSON, metrics for Prometheus exporters, a line for Nagios and its kin.

CREATE FUNCTION logwatch_alert_json(alert_id bigint) RETURNS jsonb
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$ SELECT logwatch_private.alert_payload(a, NULL) FROM logwatch.alerts AS a WHERE a.id = $1 $$;
COMMENT ON FUNCTION logwatch_alert_json(bigint) IS 'An alert with its counts, sources, top patterns and timeline; NULL when there is none of this id';

CREATE FUNCTION logwatch_private.read_metrics() RETURNS TABLE (metric text, labels jsonb, value double precision)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT 'logwatch_alerts_firing', jsonb_build_object('rule', r.name, 'severity', r.severity),
           (SELECT count(*) FROM logwatch.alerts AS a WHERE a.rule = r.name AND a.state = 'firing')::float8 FROM logwatch.rules AS r
    UNION ALL
    SELECT 'logwatch_notifications', jsonb_build_object('channel', n.channel, 'state', n.state), count(*)::float8
      FROM logwatch.notifications AS n GROUP BY n.channel, n.state
    UNION ALL
    SELECT 'logwatch_records_last_hour', jsonb_build_object('source', s.name, 'level', c.level), sum(c.n)::float8
      FROM logwatch.counts AS c JOIN logwatch.sources AS s ON s.id = c.source_id WHERE c.second > now() - interval '1 hour' GROUP BY s.name, c.level
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
    UNION ALL
    SELECT 'logwatch_worker_up', '{}', (w.state = 'running')::integer::float8 FROM logwatch_private.worker_status() AS w
    $$;
COMMENT ON FUNCTION logwatch_private.read_metrics() IS 'Rows of logwatch.metrics';
CREATE VIEW logwatch.metrics AS SELECT * FROM logwatch_private.read_metrics();
COMMENT ON VIEW logwatch.metrics IS 'Gauges under Prometheus names, for sql_exporter or postgres_exporter';

CREATE FUNCTION logwatch_nagios(OUT state integer, OUT line text)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
    WITH firing AS (
        SELECT count(*) AS n, count(*) FILTER (WHERE r.severity = 'critical') AS critical, string_agg(DISTINCT a.rule, ', ' ORDER BY a.rule) AS rules
          FROM logwatch.alerts AS a LEFT JOIN logwatch.rules AS r ON r.name = a.rule
         WHERE a.state = 'firing' AND NOT logwatch_private.is_silenced(a, clock_timestamp())
    ), judged AS (
        SELECT CASE WHEN f.critical > 0 THEN 2 WHEN f.n > 0 THEN 1 WHEN w.state IN ('running', 'standby') THEN 0 ELSE 3 END AS state, f.*, w.state AS worker
          FROM firing AS f CROSS JOIN logwatch_private.worker_status() AS w
    )
    SELECT j.state, format('LOGWATCH %s - %s | firing=%s',
                           (ARRAY['OK', 'WARNING', 'CRITICAL', 'UNKNOWN'])[j.state + 1],
                           CASE WHEN j.n > 0 THEN format('%s firing: %s', j.n, j.rules) WHEN j.state = 3 THEN format('the worker is %s', j.worker) ELSE 'nothing fires' END, j.n)
      FROM judged AS j
    $$;
COMMENT ON FUNCTION logwatch_nagios() IS 'State (0 ok, 1 warning, 2 critical, 3 unknown) and line of a monitoring plugin';

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
