-- Collects the data of the report page as JSON; extension/src/message/page.rs renders it. Only
-- reads.

CREATE FUNCTION logwatch_private.page_parts(slots timestamptz[], to_at timestamptz)
    RETURNS TABLE (fingerprint bigint, level logwatch.level, source_id bigint, at timestamptz, n bigint)
    LANGUAGE sql STABLE
    AS $$
    -- Most minutes begin and end in one slot: nobody needs their seconds.
    WITH cut AS MATERIALIZED (
        SELECT logwatch_private.start_of_minute(s.at) AS minute FROM unnest(slots || to_at) AS s (at)
    )
    SELECT m.fingerprint, m.level, m.source_id, m.minute, m.n
      FROM logwatch.minutes AS m
     WHERE m.minute > slots[1] AND m.minute <= to_at AND (m.points = '{}' OR m.minute NOT IN (SELECT c.minute FROM cut AS c))
    UNION ALL
    SELECT m.fingerprint, m.level, m.source_id, m.minute + make_interval(secs => p % 60), p / 60
      FROM logwatch.minutes AS m CROSS JOIN LATERAL unnest(m.points) AS p
     WHERE m.minute = ANY (ARRAY(SELECT c.minute FROM cut AS c)) AND m.minute + make_interval(secs => p % 60) > slots[1] AND m.minute + make_interval(secs => p % 60) <= to_at
    UNION ALL
    SELECT w.fingerprint, w.level, w.source_id, w.second, w.n FROM logwatch_private.waiting AS w WHERE w.second > slots[1] AND w.second <= to_at
    $$;
COMMENT ON FUNCTION logwatch_private.page_parts(timestamptz[], timestamptz)
    IS 'Records from the first slot on up to a time, each with a time in its slot; slots are the times at which one begins, and what is folded into hours is in the slot where the hour began';

CREATE FUNCTION logwatch_private.page_counts(slots timestamptz[], to_at timestamptz, OUT timeline jsonb, OUT patterns jsonb, OUT sources jsonb)
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    SET jit = off
    -- One look at all rows makes three kinds of sums, which must not go to the disk.
    SET work_mem = '64MB'
    AS $$
    WITH summed AS MATERIALIZED (
        SELECT GROUPING(v.at, v.fingerprint, v.source_id) AS missing, v.level, v.at, v.fingerprint, v.source_id, sum(v.n) AS n
          FROM logwatch_private.page_parts(slots, to_at) AS v
         GROUP BY GROUPING SETS ((v.level, v.at), (v.level, v.fingerprint), (v.source_id))
    ), slot AS MATERIALIZED (
        SELECT s.level, width_bucket(s.at, slots) AS slot, sum(s.n) AS n FROM summed AS s WHERE s.missing = 3 GROUP BY 1, 2
    ), top AS MATERIALIZED (
        SELECT s.fingerprint, s.level, s.n FROM summed AS s WHERE s.missing = 5 ORDER BY s.n DESC, s.fingerprint LIMIT 15
    ), part AS MATERIALIZED (
        SELECT v.* FROM logwatch_private.page_parts(slots, to_at) AS v WHERE v.fingerprint = ANY (ARRAY(SELECT top.fingerprint FROM top))
    ), shown AS (
        SELECT t.n, t.fingerprint, jsonb_build_object(
                   'n', t.n, 'level', t.level, 'template', p.template, 'sample', p.sample, 'sources', v.sources,
                   'last_at', logwatch_private.rfc3339((SELECT max(c.second) FROM logwatch.counts AS c
                                                         WHERE c.fingerprint = t.fingerprint AND c.minute >= logwatch_private.start_of_minute(v.last_at) AND c.second <= to_at)),
                   'new', p.first_seen > slots[1],
                   'counts', (SELECT jsonb_agg(COALESCE(k.n, 0) ORDER BY i.slot)
                                FROM generate_series(1, cardinality(slots)) AS i (slot)
                                LEFT JOIN (SELECT width_bucket(c.at, slots) AS slot, sum(c.n) AS n FROM part AS c
                                            WHERE c.fingerprint = t.fingerprint GROUP BY 1) AS k USING (slot))) AS one
          FROM top AS t
          JOIN logwatch.patterns AS p ON p.fingerprint = t.fingerprint
          JOIN (SELECT c.fingerprint, count(DISTINCT c.source_id) AS sources, max(c.at) AS last_at FROM part AS c GROUP BY 1) AS v ON v.fingerprint = t.fingerprint
    )
    SELECT (SELECT COALESCE(jsonb_agg(jsonb_build_object('level', l.level, 'counts', l.counts) ORDER BY l.level), '[]')
              FROM (SELECT k.level, jsonb_agg(COALESCE(n.n, 0) ORDER BY i.slot) AS counts
                      FROM (SELECT DISTINCT slot.level FROM slot) AS k
                     CROSS JOIN generate_series(1, cardinality(slots)) AS i (slot)
                      LEFT JOIN slot AS n ON n.level = k.level AND n.slot = i.slot
                     GROUP BY k.level) AS l),
           (SELECT COALESCE(jsonb_agg(s.one ORDER BY s.n DESC, s.fingerprint), '[]') FROM shown AS s),
           (SELECT COALESCE(jsonb_object_agg(s.source_id, s.n), '{}') FROM summed AS s WHERE s.missing = 6)
    $$;
COMMENT ON FUNCTION logwatch_private.page_counts(timestamptz[], timestamptz)
    IS 'The records of the report page: for each level by slot, for the most frequent patterns, and the number for each source id';

CREATE FUNCTION logwatch_private.read_page(period interval, asof timestamptz) RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    WITH frame AS (
        SELECT asof - period AS from_at, asof AS to_at
    ), counted AS MATERIALIZED (
        -- The timeline has 48 slots.
        SELECT c.* FROM logwatch_private.page_counts(ARRAY(SELECT asof - period + i * (period / 48) FROM generate_series(0, 47) AS i), asof) AS c
    ), shown AS MATERIALIZED (
        SELECT a AS one, s.silenced, CASE WHEN a.state = 'firing' AND NOT s.silenced THEN 0 WHEN a.state = 'firing' THEN 1 WHEN a.state = 'pending' THEN 2 ELSE 3 END AS place
          FROM logwatch.alerts AS a
         CROSS JOIN (SELECT logwatch_private.any_silence(asof) AS any_silence OFFSET 0) AS e
         CROSS JOIN LATERAL (SELECT e.any_silence AND logwatch_private.is_silenced(a, asof) AS silenced) AS s
         WHERE a.state <> 'resolved' OR a.met_until > asof - period
         ORDER BY place, a.started_at DESC, a.id DESC LIMIT 30
    ), alert AS (
        SELECT s.one, (s.one).id, (s.one).started_at, (s.one).state, (s.one).met_until, k.acked_by, k.note AS ack_note, r AS rule, r.severity, r.runbook, s.silenced, s.place
          FROM shown AS s
          LEFT JOIN logwatch.rules AS r ON r.name = (s.one).rule
         CROSS JOIN LATERAL logwatch_private.last_ack((s.one).id) AS k
    ), status AS MATERIALIZED (
        SELECT s.component, s.name, s.state, s.count, s.message FROM logwatch.status AS s
    ), source AS (
        SELECT s.name, s.host, logwatch_private.heard_of(s, 'tailer') AS heard_at, COALESCE((c.sources ->> s.id::text)::numeric, 0) AS n, last.delay,
               (SELECT count(*) FROM logwatch.gaps AS g WHERE g.source_id = s.id AND g.noticed_at > asof - period) AS gaps,
               st.state, st.message,
               (SELECT COALESCE(jsonb_agg(f.path ORDER BY f.path), '[]')
                  FROM (SELECT left(p.path, 300) AS path FROM logwatch.paths AS p
                         WHERE p.source_id = s.id AND p.seen_at > asof - period - interval '1 day' ORDER BY p.seen_at DESC, p.path LIMIT 5) AS f) AS files
          -- The worst ones, where there are many.
          FROM status AS st
          JOIN logwatch.sources AS s ON s.name = st.name
         CROSS JOIN counted AS c
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
        'timeline', (SELECT c.timeline FROM counted AS c),
        'status', (SELECT jsonb_agg(jsonb_build_object('component', s.component, 'name', s.name, 'state', s.state, 'message', s.message))
                       FROM status AS s WHERE s.component <> 'source'),
        'alerts', (SELECT COALESCE(jsonb_agg(jsonb_build_object(
                              'id', a.id, 'state', CASE WHEN a.silenced AND a.state <> 'resolved' THEN 'silenced' ELSE a.state END,
                              'severity', COALESCE(a.severity, 'warning'), 'message', logwatch_private.alert_message(a.one, a.rule), 'started_at', logwatch_private.rfc3339(a.started_at),
                              'until', CASE WHEN a.state = 'resolved' THEN logwatch_private.rfc3339(a.met_until) END,
                              'acked_by', a.acked_by, 'ack_note', a.ack_note,
                              'runbook', a.runbook) ORDER BY a.place, a.started_at DESC, a.id DESC), '[]') FROM alert AS a),
        'patterns', (SELECT c.patterns FROM counted AS c),
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
