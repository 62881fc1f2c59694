-- Collects the data of the report page as JSON; extension/src/message/page.rs renders it. Only
-- reads.

CREATE FUNCTION logwatch_private.read_page(period interval, asof timestamptz) RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    WITH frame AS (
        SELECT asof - period AS from_at, asof AS to_at, extract(epoch FROM period) / 48 AS step
    ), counted AS MATERIALIZED (
        -- The timeline has 48 slots; counts folded into hours are in the slot where the hour
        -- began.
        SELECT c.level, c.fingerprint, c.source_id, sum(c.n) AS n, max(c.second) AS last_at,
               least(floor(extract(epoch FROM c.second - f.from_at) / f.step), 47)::integer AS slot
          FROM frame AS f JOIN logwatch.counts AS c ON c.minute > f.from_at - interval '1 hour' AND c.minute <= f.to_at AND c.second > f.from_at AND c.second <= f.to_at
         GROUP BY c.level, c.fingerprint, c.source_id, slot
    ), timeline AS (
        SELECT l.level, jsonb_agg(COALESCE(n.n, 0) ORDER BY slot) AS counts
          FROM (SELECT DISTINCT level FROM counted) AS l
         CROSS JOIN generate_series(0, 47) AS slot
          LEFT JOIN (SELECT level, slot, sum(n) AS n FROM counted GROUP BY 1, 2) AS n USING (level, slot)
         GROUP BY l.level
    ), top AS (
        SELECT fingerprint, level, sum(n) AS n, max(last_at) AS last_at, count(DISTINCT source_id) AS sources
          FROM counted GROUP BY 1, 2 ORDER BY 3 DESC, 1 LIMIT 15
    ), pattern AS (
        SELECT t.n, t.fingerprint, jsonb_build_object(
                   'n', t.n, 'level', t.level, 'template', p.template, 'sample', p.sample, 'sources', t.sources,
                   'last_at', logwatch_private.rfc3339(t.last_at), 'new', p.first_seen > asof - period,
                   'counts', (SELECT jsonb_agg(COALESCE(k.n, 0) ORDER BY slot)
                                FROM generate_series(0, 47) AS slot
                                LEFT JOIN (SELECT c.slot, sum(c.n) AS n FROM counted AS c
                                            WHERE c.fingerprint = t.fingerprint AND c.level = t.level GROUP BY 1) AS k USING (slot))) AS shown
          FROM top AS t JOIN logwatch.patterns AS p ON p.fingerprint = t.fingerprint
    ), alert AS (
        SELECT a AS one, a.id, a.started_at, a.state, a.met_until, k.acked_by, k.note AS ack_note, a.rule, s.silenced,
               CASE WHEN a.state = 'firing' AND NOT s.silenced THEN 0 WHEN a.state = 'firing' THEN 1 WHEN a.state = 'pending' THEN 2 ELSE 3 END AS place
          FROM logwatch.alerts AS a CROSS JOIN LATERAL (SELECT logwatch_private.is_silenced(a, asof) AS silenced) AS s
         CROSS JOIN LATERAL logwatch_private.last_ack(a.id) AS k
         WHERE a.state <> 'resolved' OR a.met_until > asof - period
         ORDER BY place, a.started_at DESC, a.id DESC LIMIT 30
    ), status AS MATERIALIZED (
        SELECT s.component, s.name, s.state, s.count, s.message FROM logwatch.status AS s
    ), source AS (
        SELECT s.name, s.host, logwatch_private.heard_of(s, 'tailer') AS heard_at, COALESCE(k.n, 0) AS n, last.delay,
               (SELECT count(*) FROM logwatch.gaps AS g WHERE g.source_id = s.id AND g.noticed_at > asof - period) AS gaps,
               st.state, st.message,
               (SELECT COALESCE(jsonb_agg(f.path ORDER BY f.path), '[]')
                  FROM (SELECT left(p.path, 300) AS path FROM logwatch.paths AS p
                         WHERE p.source_id = s.id AND p.seen_at > asof - period - interval '1 day' ORDER BY p.seen_at DESC, p.path LIMIT 5) AS f) AS files
          -- The worst ones, where there are many.
          FROM status AS st
          JOIN logwatch.sources AS s ON s.name = st.name
          LEFT JOIN (SELECT source_id, sum(n) AS n FROM counted GROUP BY 1) AS k ON k.source_id = s.id
          LEFT JOIN LATERAL (SELECT extract(epoch FROM u.received_at - u.logged_at)::bigint AS delay
                               FROM (SELECT b.received_at, b.last_at AS logged_at FROM logwatch.batches AS b WHERE b.source_id = s.id
                                     UNION ALL
                                     SELECT v.last_at, v.logged_at FROM logwatch.arrivals AS v WHERE v.source_id = s.id) AS u
                              ORDER BY u.received_at DESC, u.logged_at DESC LIMIT 1) AS last ON true
         WHERE st.component = 'source' AND st.count IS NOT NULL
    ), waiting AS (
        SELECT n.* FROM logwatch.notifications AS n
         WHERE n.state IN ('queued', 'sending') OR n.state = 'failed' AND n.created_at > asof - period
         ORDER BY n.state = 'failed', n.id DESC LIMIT 20
    )
    SELECT jsonb_build_object(
        'host', logwatch_private.host(), 'database', current_database(), 'zone', logwatch_private.zone(),
        'from', logwatch_private.rfc3339(f.from_at), 'to', logwatch_private.rfc3339(f.to_at), 'within', extract(epoch FROM period)::bigint,
        'timeline', (SELECT COALESCE(jsonb_agg(jsonb_build_object('level', t.level, 'counts', t.counts) ORDER BY t.level), '[]') FROM timeline AS t),
        'status', (SELECT jsonb_agg(jsonb_build_object('component', s.component, 'name', s.name, 'state', s.state, 'message', s.message))
                       FROM status AS s WHERE s.component <> 'source'),
        'alerts', (SELECT COALESCE(jsonb_agg(jsonb_build_object(
                              'id', a.id, 'state', CASE WHEN a.silenced AND a.state <> 'resolved' THEN 'silenced' ELSE a.state END,
                              'severity', COALESCE((SELECT r.severity FROM logwatch.rules AS r WHERE r.name = a.rule), 'warning'),
                              'message', logwatch_private.alert_message(a.one), 'started_at', logwatch_private.rfc3339(a.started_at),
                              'until', CASE WHEN a.state = 'resolved' THEN logwatch_private.rfc3339(a.met_until) END,
                              'acked_by', a.acked_by, 'ack_note', a.ack_note,
                              'runbook', (SELECT r.runbook FROM logwatch.rules AS r WHERE r.name = a.rule)) ORDER BY a.place, a.started_at DESC, a.id DESC), '[]') FROM alert AS a),
        'patterns', (SELECT COALESCE(jsonb_agg(p.shown ORDER BY p.n DESC, p.fingerprint), '[]') FROM pattern AS p),
        'sources', (SELECT COALESCE(jsonb_agg(jsonb_build_object('name', s.name, 'host', s.host, 'n', s.n, 'state', s.state, 'message', s.message, 'gaps', s.gaps, 'files', s.files,
                              'heard', extract(epoch FROM asof - s.heard_at)::bigint, 'delay', greatest(s.delay, 0)) ORDER BY s.n DESC, s.name), '[]') FROM source AS s),
        'more_sources', (SELECT s.message FROM status AS s WHERE s.component = 'source' AND s.count IS NULL),
        'queue', (SELECT COALESCE(jsonb_agg(jsonb_build_object('id', w.id, 'channel', w.channel, 'recipient', w.recipient, 'state', w.state, 'reason', w.reason,
                            'subject', w.payload ->> 'rule', 'attempts', w.attempts, 'error', w.last_error,
                            'next_at', CASE WHEN w.state <> 'failed' THEN logwatch_private.rfc3339(w.next_attempt_at) END) ORDER BY w.state = 'failed', w.id DESC), '[]') FROM waiting AS w))
      FROM frame AS f
    $$;
COMMENT ON FUNCTION logwatch_private.read_page(interval, timestamptz) IS 'Data of the report page when no table is locked';

CREATE FUNCTION logwatch_private.page_data(period interval, asof timestamptz) RETURNS jsonb
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    SET lock_timeout = '500ms'
    AS $$
BEGIN
    RETURN logwatch_private.read_page(period, asof);
EXCEPTION WHEN lock_not_available THEN
    -- The worker's row says who has locked a table.
    RETURN jsonb_build_object(
        'host', logwatch_private.host(), 'database', current_database(), 'zone', logwatch_private.zone(),
        'from', logwatch_private.rfc3339(asof - period), 'to', logwatch_private.rfc3339(asof), 'within', extract(epoch FROM period)::bigint,
        'timeline', '[]'::jsonb, 'alerts', '[]'::jsonb, 'patterns', '[]'::jsonb, 'sources', '[]'::jsonb, 'queue', '[]'::jsonb,
        'status', (SELECT jsonb_agg(jsonb_build_object('component', s.component, 'name', s.name, 'state', s.state, 'message', s.message))
                     FROM logwatch.status AS s));
END
$$;
COMMENT ON FUNCTION logwatch_private.page_data(interval, timestamptz) IS 'Data of the report page';

CREATE FUNCTION logwatch_report_html(period interval DEFAULT '24 hours') RETURNS text
    LANGUAGE c STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'report_html_wrapper';
COMMENT ON FUNCTION logwatch_report_html(interval) IS 'One self-contained HTML page: timeline, alerts, top patterns, sources, delivery queue. psql -XAtc "SELECT logwatch_report_html()" > report.html';
