-- The data of a message about an alert as JSON: counts, sources with their files, the newest
-- record, patterns, and what is usual.

CREATE FUNCTION logwatch_private.newest_record(at timestamptz, sources text[], fingerprints bigint[], wanted jsonb DEFAULT NULL) RETURNS jsonb
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    -- Citus cannot make the generic plans that a check asks for.
    SET plan_cache_mode = auto
    AS $$
DECLARE
    ids constant bigint[] := ARRAY(SELECT logwatch_private.source_id(s) FROM unnest(sources) AS s);
    stored constant bigint[] := fingerprints || ARRAY(SELECT r.earlier FROM logwatch.earlier_fingerprints AS r WHERE r.fingerprint = ANY (fingerprints));
    e record;
BEGIN
    -- The bounds are parameters, so that the index of few partitions is read.
    SELECT n.logged_at, n.source_id, n.path_id, n.level, left(n.message, 2000) AS message, left(n.detail, 8000) AS detail INTO e
      FROM logwatch.entries AS n
     WHERE n.logged_at >= at AND n.logged_at < at + interval '1 second' AND n.received_at > at - interval '10 minutes'
       AND n.source_id = ANY (ids) AND n.fingerprint = ANY (stored) AND (wanted IS NULL OR logwatch_private.fields_match(n.fields, wanted))
     ORDER BY n.logged_at DESC, n.id DESC LIMIT 1;
    RETURN (SELECT jsonb_build_object('at', logwatch_private.rfc3339(e.logged_at), 'source', s.name, 'file', left(p.path, 300), 'level', e.level,
                                      'message', e.message, 'detail', e.detail)
              FROM logwatch.sources AS s LEFT JOIN logwatch.paths AS p ON p.source_id = e.source_id AND p.id = e.path_id
             WHERE s.id = e.source_id);
EXCEPTION WHEN connection_exception THEN
    -- Another server has the entries and is away; the alert is sent without them.
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION logwatch_private.newest_record(timestamptz, text[], bigint[], jsonb) IS 'The last entry of these sources and patterns within a second; NULL when its server is away';

CREATE FUNCTION logwatch_private.newest_files(from_at timestamptz, until timestamptz, fingerprints bigint[])
    RETURNS TABLE (source_id bigint, path text, n bigint)
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = auto
    AS $$
BEGIN
    -- The newest entries are enough to name the files, and a storm has too many to read them all.
    RETURN QUERY
    SELECT e.source_id, p.path, count(*)
      FROM (SELECT k.source_id, k.path_id, k.fingerprint FROM logwatch.entries AS k
             WHERE k.logged_at >= from_at AND k.logged_at < until + interval '1 second' AND k.received_at > from_at - interval '10 minutes'
             ORDER BY k.logged_at DESC LIMIT 1000) AS e
      JOIN logwatch.paths AS p ON p.source_id = e.source_id AND p.id = e.path_id
     WHERE e.fingerprint = ANY (fingerprints)
     GROUP BY e.source_id, p.path;
EXCEPTION WHEN connection_exception THEN
    RETURN;
END
$$;
COMMENT ON FUNCTION logwatch_private.newest_files(timestamptz, timestamptz, bigint[])
    IS 'The files that the newest of these entries were read from, and how many of them; none when a server that has entries is away';

CREATE FUNCTION logwatch_private.usual(alert logwatch.alerts) RETURNS jsonb
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    known_from constant timestamptz := (SELECT min(s.first_seen) FROM logwatch.sources AS s);
    r logwatch.rules;
BEGIN
    SELECT * INTO r FROM logwatch.rules AS k WHERE k.name = alert.rule AND k.kind IN ('threshold', 'spike');
    IF NOT FOUND OR alert.within > interval '1 day' THEN
        RETURN '[]';
    END IF;
    -- As in counted().
    r.level := alert.level;
    r.group_by := alert.group_by;
    RETURN (
    SELECT COALESCE(jsonb_agg(day.n ORDER BY w.back), '[]')
      FROM (SELECT b AS back, alert.met_until - make_interval(days => b) AS until FROM generate_series(1, 7) AS b) AS w
     CROSS JOIN LATERAL (
           SELECT COALESCE(sum(p / 60), 0)::bigint AS n
             FROM logwatch_private.minutes_of(r, w.until - alert.within, w.until,
                      CASE WHEN alert.group_by <> 'none' THEN ARRAY[logwatch_private.group_number(alert.group_by, alert.group_key)] END) AS m
            CROSS JOIN LATERAL unnest(m.points) AS p
            WHERE m.minute + make_interval(secs => p % 60) > w.until - alert.within AND m.minute + make_interval(secs => p % 60) <= w.until
              AND EXISTS (SELECT FROM logwatch.sources AS src WHERE src.id = m.source_id)) AS day
     WHERE (w.until - alert.within < known_from) IS NOT TRUE);
END
$$;
COMMENT ON FUNCTION logwatch_private.usual(logwatch.alerts) IS 'Records in a window of the alert''s rule and group at this time on up to seven days before, yesterday first';

CREATE FUNCTION logwatch_private.alert_payload(alert logwatch.alerts, reason text) RETURNS jsonb
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    r logwatch.rules;
    acked_by constant text := (SELECT k.acked_by FROM logwatch.acknowledgements AS k WHERE k.alert_id = alert.id ORDER BY k.id DESC LIMIT 1);
BEGIN
    SELECT * INTO r FROM logwatch.rules AS k WHERE k.name = alert.rule;
    IF NOT FOUND THEN
        -- As it was announced.
        r.severity := (SELECT n.payload ->> 'severity' FROM logwatch.notifications AS n
                        WHERE n.alert_id = COALESCE(alert.announced_with, alert.id) ORDER BY n.id DESC LIMIT 1);
    END IF;
    RETURN (
    WITH counted AS MATERIALIZED (
        SELECT * FROM logwatch_private.counted(alert)
    ), top AS (
        SELECT c.fingerprint, c.level, sum(c.n) AS n, max(c.second) AS last_at
          FROM counted AS c GROUP BY c.fingerprint, c.level ORDER BY sum(c.n) DESC, c.fingerprint LIMIT 10
    ), sums AS MATERIALIZED (
        SELECT COALESCE(sum(c.n), 0) AS n, count(DISTINCT c.source) AS sources, min(c.second) AS first_at, max(c.second) AS last_at,
               array_agg(DISTINCT c.fingerprint) AS fingerprints, greatest(extract(epoch FROM max(c.second) - min(c.second))::bigint, 1) AS seconds
          FROM counted AS c
    ), file AS MATERIALIZED (
        SELECT f.* FROM sums CROSS JOIN LATERAL logwatch_private.newest_files(sums.first_at, sums.last_at, sums.fingerprints) AS f
    ), bar AS (
        SELECT width_bucket(extract(epoch FROM c.second - sums.first_at), 0, sums.seconds + 1, 24) AS number, sum(c.n) AS n
          FROM counted AS c CROSS JOIN sums GROUP BY 1
    )
    SELECT jsonb_build_object(
        'reason', reason, 'state', alert.state, 'host', logwatch_private.host(), 'database', current_database(),
        'schema', logwatch_private.schema(), 'alert_id', alert.id, 'closed', alert.closed, 'rule', alert.rule, 'kind', COALESCE(r.kind, 'threshold'),
        'expects', CASE WHEN logwatch_private.expects_lines(r) THEN r.match END, 'severity', COALESCE(r.severity, 'warning'), 'worst', alert.worst,
        'acked_by', acked_by, 'group_by', alert.group_by, 'group_key', alert.group_key, 'group', logwatch_private.group_label(alert.group_by, alert.group_key), 'level', alert.level,
        'count', alert.count, 'peak', alert.peak, 'threshold', alert.threshold,
        'within', extract(epoch FROM alert.within)::bigint, 'episodes', alert.episodes,
        'started_at', logwatch_private.rfc3339(alert.started_at), 'met_until', logwatch_private.rfc3339(alert.met_until),
        'fired_at', logwatch_private.rfc3339(alert.fired_at), 'resolved_at', logwatch_private.rfc3339(alert.resolved_at),
        'zone', logwatch_private.zone(), 'runbook', r.runbook,
        'total', sums.n, 'first_at', logwatch_private.rfc3339(sums.first_at), 'last_at', logwatch_private.rfc3339(sums.last_at),
        'sources', (SELECT COALESCE(jsonb_agg(jsonb_build_object('name', s.source, 'n', s.n, 'path', left((SELECT o.path FROM logwatch.sources AS o WHERE o.id = s.id), 300),
                             'files', COALESCE((SELECT jsonb_agg(left(f.path, 300) ORDER BY f.n DESC, f.path) FROM (SELECT * FROM file WHERE file.source_id = s.id ORDER BY file.n DESC, file.path LIMIT 5) AS f),
                                               -- A light edge keeps its entries.
                                               (SELECT jsonb_agg(left(p.path, 300)) FROM logwatch.paths AS p WHERE p.source_id = s.id HAVING count(*) = 1), '[]')) ORDER BY s.n DESC, s.source), '[]')
                      FROM (SELECT c.source, logwatch_private.source_id(c.source) AS id, sum(c.n) AS n FROM counted AS c GROUP BY 1, 2 ORDER BY 3 DESC, 1 LIMIT 10) AS s),
        'source_count', sums.sources,
        'light_edges', (SELECT jsonb_agg(e.name ORDER BY e.name) FROM logwatch.edges AS e
                         WHERE e.left_at IS NULL AND logwatch_private.is_light(e)
                           AND e.source_ids && ARRAY(SELECT DISTINCT logwatch_private.source_id(c.source) FROM counted AS c)),
        'patterns', (SELECT COALESCE(jsonb_agg(jsonb_build_object('n', t.n, 'level', t.level, 'template', left(p.template, 500),
                            'sample', left(p.sample, 500), 'fingerprint', to_hex(t.fingerprint), 'last_at', logwatch_private.rfc3339(t.last_at), 'first_seen', logwatch_private.rfc3339(p.first_seen))
                            ORDER BY t.n DESC, t.fingerprint), '[]')
                       FROM top AS t JOIN logwatch.patterns AS p ON p.fingerprint = t.fingerprint),
        'port', current_setting('port')::integer,
        'newest', (SELECT logwatch_private.newest_record(max(c.second), array_agg(DISTINCT c.source), array_agg(DISTINCT c.fingerprint), logwatch_private.fields_of(alert))
                     FROM counted AS c WHERE c.second = sums.last_at),
        'usual', CASE WHEN reason IN ('resolved', 'late') THEN '[]' ELSE logwatch_private.usual(alert) END,
        'timeline', (SELECT jsonb_agg(COALESCE(bar.n, 0) ORDER BY slot) FROM generate_series(1, 24) AS slot LEFT JOIN bar ON bar.number = slot))
      FROM sums);
END
$$;
COMMENT ON FUNCTION logwatch_private.alert_payload(logwatch.alerts, text) IS 'Data that a message about an alert is made from';

CREATE FUNCTION logwatch_private.rfc3339(at timestamptz) RETURNS text
    LANGUAGE sql STABLE STRICT
    -- Part of the query that calls it: a message has many times.
    AS $$ SELECT pg_catalog.to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') $$;
COMMENT ON FUNCTION logwatch_private.rfc3339(timestamptz) IS 'A time as RFC 3339 text in UTC';

CREATE FUNCTION logwatch_private.zone() RETURNS text
    LANGUAGE sql STABLE
    AS $$ SELECT pg_catalog.current_setting('log_timezone') $$;
COMMENT ON FUNCTION logwatch_private.zone() IS 'Time zone of the times in messages: log_timezone';
