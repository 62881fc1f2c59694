-- Evaluation of the rules: which stretches of time each rule was met in, and what that makes of its alerts.

CREATE FUNCTION logwatch_private.usual(rule text, group_key text, at timestamptz, within interval) RETURNS numeric
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    -- Per window: the average over those of the 7 days before that have any history at all.
    SELECT COALESCE(avg(COALESCE(day.n, 0)), 0)
      FROM generate_series(1, 7) AS back
     CROSS JOIN LATERAL (
           SELECT sum(c.n) AS n
             FROM logwatch.rules AS r
             JOIN logwatch.counts AS c ON c.second > $3 - $4 - make_interval(days => back) AND c.second <= $3 - make_interval(days => back)
                                      AND c.level >= r.level::logwatch.level
             JOIN logwatch.sources AS src ON src.id = c.source_id AND logwatch_private.glob_matches(src.name, r.source)
             LEFT JOIN logwatch.patterns AS p ON p.fingerprint = c.fingerprint
            WHERE r.name = $1 AND (r.match IS NULL OR p.template ~ r.match) AND (r.exclude IS NULL OR p.template !~ r.exclude)
              AND CASE r.group_by WHEN 'source' THEN src.name = $2 WHEN 'pattern' THEN to_hex(c.fingerprint) = $2 ELSE true END) AS day
     WHERE EXISTS (SELECT FROM logwatch.counts AS h WHERE h.second <= $3 - make_interval(days => back))
    $$;
COMMENT ON FUNCTION logwatch_private.usual(text, text, timestamptz, interval) IS 'Records that a rule''s window holds at this time of day on average of the 7 days before';

CREATE FUNCTION logwatch_private.heard_of(source logwatch.sources, absence_of text) RETURNS timestamptz
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT greatest(source.first_seen,
                    CASE WHEN absence_of = 'tailer' THEN source.seen_at END,
                    (SELECT max(f.updated_at) FROM logwatch.files AS f WHERE f.source_id = source.id),
                    (SELECT max(v.last_at) FROM logwatch.arrivals AS v WHERE v.source_id = source.id),
                    (SELECT max(b.received_at) FROM logwatch.batches AS b WHERE b.source_id = source.id))
    $$;
COMMENT ON FUNCTION logwatch_private.heard_of(logwatch.sources, text) IS 'Last sign of a source''s tailer, or of its records';

CREATE FUNCTION logwatch_private.sources_within(rule text, group_key text, at timestamptz, within interval) RETURNS bigint
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT count(DISTINCT c.source_id)
      FROM logwatch.rules AS r
      JOIN logwatch.counts AS c ON c.second > $3 - $4 AND c.second <= $3 AND c.level >= r.level::logwatch.level
      JOIN logwatch.sources AS src ON src.id = c.source_id AND logwatch_private.glob_matches(src.name, r.source)
      LEFT JOIN logwatch.patterns AS p ON p.fingerprint = c.fingerprint
     WHERE r.name = $1 AND (r.match IS NULL OR p.template ~ r.match) AND (r.exclude IS NULL OR p.template !~ r.exclude)
       AND CASE r.group_by WHEN 'source' THEN src.name = $2 WHEN 'pattern' THEN to_hex(c.fingerprint) = $2 ELSE true END
    $$;
COMMENT ON FUNCTION logwatch_private.sources_within(text, text, timestamptz, interval) IS 'How many sources the records of a rule''s window come from';

CREATE FUNCTION logwatch_private.heard_by(absence_of text, glob text) RETURNS TABLE (name text, at timestamptz)
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT src.name, logwatch_private.heard_of(src, $1) FROM logwatch.sources AS src WHERE $1 <> 'edge' AND logwatch_private.glob_matches(src.name, $2)
    UNION ALL
    SELECT e.name, greatest(e.joined_at, e.heard_at) FROM logwatch.edges AS e
     WHERE $1 = 'edge' AND e.left_at IS NULL AND logwatch_private.glob_matches(e.name, $2)
    $$;
COMMENT ON FUNCTION logwatch_private.heard_by(text, text) IS 'Sources, or edges, that a rule of kind absence watches, and when each was last heard of';

CREATE FUNCTION logwatch_private.episodes(stretches tstzmultirange, until timestamptz, only_rule text DEFAULT NULL)
    RETURNS TABLE (rule text, group_key text, started_at timestamptz, met_until timestamptz, count bigint, peak bigint)
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    SET jit = off
    SET plan_cache_mode = force_generic_plan
    SET enable_nestloop = off
    SET enable_mergejoin = off
    AS $$
#variable_conflict use_column
BEGIN
    -- PL/pgSQL keeps the plan, which takes longer to make than to run, and much longer to compile. It joins sums of its own, of which the planner
    -- expects a row or two, and has a hundred thousand where there are many patterns: hence the settings.
    RETURN QUERY
    WITH stretched AS (
        -- A record changes a rule's windows from its own second until it drops out of the last one. Where a stretch must last, as much more is
        -- looked at on either side as can make it long enough. Records have whole seconds: the one in which a rule was made counts as after it.
        SELECT r.name, r.kind, r.level::logwatch.level AS level, r.source, r.match, r.exclude, r.group_by, r.threshold, r.within, r.keep_firing_for, r.factor,
               date_trunc('second', r.created_at) + r.learn_for AS learned_at, r.min_sources, more.around,
               r.match IS NOT NULL OR r.exclude IS NOT NULL OR r.kind = 'new_pattern' OR r.group_by = 'pattern' AS by_pattern,
               lower(s.stretch) AS from_at, least(upper(s.stretch), until) AS to_at
          FROM logwatch.rules AS r
         CROSS JOIN LATERAL (SELECT CASE WHEN r.for_at_least > '0' THEN r.for_at_least + r.keep_firing_for ELSE '0' END AS around) AS more
         CROSS JOIN LATERAL (
               SELECT unnest(range_agg(tstzrange(lower(stretch) - more.around, upper(stretch) + r.within + more.around, '[]'))) AS stretch
                 FROM unnest(stretches) AS stretch) AS s
         WHERE r.enabled AND r.kind <> 'absence' AND (only_rule IS NULL OR r.name = only_rule)
           AND lower(s.stretch) <= until
    ), frame AS MATERIALIZED (
        -- The rules share what they count: once per window's length and stretch, however many rules there are.
        SELECT row_number() OVER () AS number, d.from_at, d.to_at, d.within,
               -- Where no window ends before the last begins, what is neither newer nor leaves meanwhile is one sum.
               d.from_at + d.within > d.to_at AND NOT d.by_age AS has_core
          FROM (SELECT t.from_at, t.to_at, t.within, bool_or(t.kind = 'new_pattern') AS by_age FROM stretched AS t GROUP BY 1, 2, 3) AS d
    ), span AS MATERIALIZED (
        SELECT row_number() OVER () AS number, frame.number AS frame, t.*
          FROM stretched AS t JOIN frame USING (from_at, to_at, within)
    ), near AS MATERIALIZED (
        SELECT f.number AS frame, CASE WHEN f.has_core AND c.second <= f.from_at AND c.second + f.within > f.to_at THEN f.from_at ELSE c.second END AS second,
               c.level, c.source_id, c.fingerprint, sum(c.n) AS n, max(c.second) AS came_at
          FROM frame AS f
         CROSS JOIN LATERAL (SELECT * FROM logwatch.counts AS c WHERE c.second > f.from_at - f.within AND c.second <= f.to_at OFFSET 0) AS c
         GROUP BY 1, 2, 3, 4, 5
    ), total AS MATERIALIZED (
        SELECT near.frame, near.level, near.source_id, near.fingerprint, sum(near.n) AS n FROM near GROUP BY 1, 2, 3, 4
    ), whole AS MATERIALIZED (
        -- Most rules ask for no pattern: to them those of a source are one, however many there are.
        SELECT near.frame, near.second, near.level, near.source_id, sum(near.n) AS n, max(near.came_at) AS came_at FROM near GROUP BY 1, 2, 3, 4
    ), watched AS MATERIALIZED (
        -- The sources that a rule's glob means, of those that have something in a window.
        SELECT g.glob, src.id, src.name
          FROM (SELECT DISTINCT span.source AS glob FROM span) AS g
          JOIN logwatch.sources AS src ON logwatch_private.glob_matches(src.name, g.glob)
         WHERE src.id IN (SELECT whole.source_id FROM whole)
    ), said AS MATERIALIZED (
        -- What was said where the other rules look. As arrays, so that a rule goes through the patterns of its own sources only.
        SELECT t.frame, t.glob, array_agg(t.fingerprint) AS fingerprints, array_agg(p.template) AS templates, array_agg(p.first_seen) AS first_seen
          FROM (SELECT DISTINCT total.frame, place.glob, total.fingerprint
                  FROM (SELECT DISTINCT span.frame, watched.glob, watched.id
                          FROM span JOIN watched ON watched.glob = span.source
                         WHERE span.by_pattern) AS place
                  JOIN total ON total.frame = place.frame AND total.source_id = place.id) AS t
          -- By the index, however many patterns the planner expects: the table holds all that ever came.
          LEFT JOIN LATERAL (SELECT * FROM logwatch.patterns AS k WHERE k.fingerprint = t.fingerprint OFFSET 0) AS p ON true
         GROUP BY t.frame, t.glob
    ), matched AS MATERIALIZED (
        -- Rule by rule, for PostgreSQL keeps only a few regular expressions at hand.
        SELECT span.number AS span, said.frame, span.level, u.fingerprint, u.first_seen
          FROM span
          JOIN said ON said.frame = span.frame AND said.glob = span.source
         CROSS JOIN LATERAL unnest(said.fingerprints, said.templates, said.first_seen) AS u (fingerprint, template, first_seen)
         WHERE span.by_pattern
           AND (span.match IS NULL OR logwatch_private.pattern_matches(u.template, span.match))
           AND (span.exclude IS NULL OR NOT logwatch_private.pattern_matches(u.template, span.exclude))
           AND (span.kind <> 'new_pattern' OR u.first_seen >= span.learned_at)
    ), counted AS (
        -- What each rule counts. No window can hold more than all of the stretch: most rules are told by that.
        SELECT g.*, sum(g.n) OVER (PARTITION BY g.span, g.group_key) AS most
          FROM (SELECT span.number AS span, span.frame, span.name, span.kind, span.from_at, span.to_at, span.within, span.threshold, span.factor,
                       span.keep_firing_for, span.min_sources, span.around, NULL::timestamptz AS first_seen,
                       all_of.source_id, all_of.level, span.by_pattern, 0::bigint AS fingerprint, all_of.n,
                       CASE span.group_by WHEN 'source' THEN watched.name ELSE '' END AS group_key
                  FROM span
                  JOIN watched ON watched.glob = span.source
                  JOIN (SELECT whole.frame, whole.level, whole.source_id, sum(whole.n) AS n FROM whole GROUP BY 1, 2, 3) AS all_of
                       ON all_of.frame = span.frame AND all_of.source_id = watched.id AND all_of.level >= span.level
                 WHERE NOT span.by_pattern
                 UNION ALL
                SELECT span.number, span.frame, span.name, span.kind, span.from_at, span.to_at, span.within, span.threshold, span.factor,
                       span.keep_firing_for, span.min_sources, span.around, m.first_seen,
                       m.source_id, m.found_level, span.by_pattern, m.fingerprint, m.n,
                       CASE span.group_by WHEN 'source' THEN watched.name WHEN 'pattern' THEN to_hex(m.fingerprint) ELSE '' END
                  FROM (SELECT matched.span, matched.fingerprint, matched.first_seen, total.source_id, total.level AS found_level, total.n
                          FROM matched
                          JOIN total ON total.frame = matched.frame AND total.fingerprint = matched.fingerprint AND total.level >= matched.level
                        OFFSET 0) AS m
                  JOIN span ON span.number = m.span
                  JOIN watched ON watched.glob = span.source AND watched.id = m.source_id) AS g
    ), step AS (
        -- The window's count as a step function: each record adds itself at its second and takes itself back when it drops out.
        -- What a rule is, is the same in all of its rows: max() takes it along.
        SELECT k.span, max(k.name) AS name, max(k.kind) AS kind, max(k.factor) AS factor, max(k.within) AS within, max(k.from_at) AS from_at,
               max(k.to_at) AS to_at, max(k.threshold) AS threshold, max(k.keep_firing_for) AS keep_firing_for, max(k.min_sources) AS min_sources,
               max(k.around) AS around, k.group_key, change.at, sum(change.n) AS n, max(point.came_at) FILTER (WHERE change.n > 0) AS came_at
          FROM counted AS k
          JOIN (SELECT true AS by_pattern, near.frame, near.second, near.level, near.source_id, near.fingerprint, near.n, near.came_at FROM near
                 UNION ALL
                SELECT false, whole.frame, whole.second, whole.level, whole.source_id, 0, whole.n, whole.came_at FROM whole) AS point
               ON point.by_pattern = k.by_pattern AND point.frame = k.frame AND point.source_id = k.source_id
              AND point.fingerprint = k.fingerprint AND point.level = k.level
         CROSS JOIN LATERAL (VALUES (greatest(point.second, k.from_at), point.n), (point.second + k.within, -point.n)) AS change (at, n)
         WHERE k.most >= k.threshold AND change.at <= k.to_at
           AND (k.kind <> 'new_pattern' OR point.second < k.first_seen + k.within)
         GROUP BY k.span, k.group_key, change.at
    ), held AS (
        SELECT step.*,
               sum(step.n) OVER by_time AS held,
               max(step.came_at) OVER by_time AS last_at,
               COALESCE(lead(step.at) OVER by_time, step.to_at) AS until_at
          FROM step
        WINDOW by_time AS (PARTITION BY step.name, step.from_at, step.group_key ORDER BY step.at)
    ), met AS (
        SELECT held.*,
               held.at > lag(held.until_at) OVER (PARTITION BY held.name, held.group_key ORDER BY held.at) + held.keep_firing_for AS apart
          FROM held
         WHERE held.held >= held.threshold
           AND (held.min_sources = 1 OR logwatch_private.sources_within(held.name, held.group_key, held.at, held.within) >= held.min_sources)
           -- Compared at the last record's second, whenever that is looked at.
           AND (held.kind <> 'spike' OR held.held > held.factor * logwatch_private.usual(held.name, held.group_key, held.last_at, held.within))
    ), island AS (
        SELECT met.*, count(*) FILTER (WHERE met.apart) OVER (PARTITION BY met.name, met.group_key ORDER BY met.at) AS number
          FROM met
    )
    SELECT name, group_key, min(at), max(until_at), (array_agg(held ORDER BY at DESC))[1]::bigint, max(held)::bigint
      FROM island
     GROUP BY name, group_key, number, within, around
    HAVING around = '0'
        OR EXISTS (SELECT FROM unnest(stretches) AS stretch WHERE min(at) <= upper(stretch) + within AND max(until_at) >= lower(stretch))
    UNION ALL
    -- Silence of a source or an edge: from when it should have been heard again until it was.
    SELECT r.name, heard.name, heard.at + r.within, until, 0::bigint, 0::bigint
      FROM logwatch.rules AS r
     CROSS JOIN LATERAL logwatch_private.heard_by(r.absence_of, r.source) AS heard
     WHERE r.enabled AND r.kind = 'absence' AND (only_rule IS NULL OR r.name = only_rule) AND heard.at + r.within <= until
     ORDER BY 1, 2, 3;
END
$$;
COMMENT ON FUNCTION logwatch_private.episodes(tstzmultirange, timestamptz, text)
    IS 'Stretches of event time in which a rule''s window held its threshold, for the windows that records of the given stretches are in';

CREATE FUNCTION logwatch_private.new_stretches(asof timestamptz) RETURNS tstzmultirange
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    -- Event times of batches that the last check's snapshot could not see, no later than max_lateness.
    SELECT range_agg(tstzrange(greatest(b.first_at, late.oldest), least(b.last_at, asof), '[]'))
      FROM logwatch.batches AS b
     CROSS JOIN (SELECT asof - make_interval(secs => logwatch_private.setting('max_lateness')::integer) AS oldest) AS late
     WHERE b.xid >= (SELECT p.seen_xmin FROM logwatch.progress AS p)
       AND b.last_at >= late.oldest
       AND greatest(b.first_at, late.oldest) <= least(b.last_at, asof)
    $$;
COMMENT ON FUNCTION logwatch_private.new_stretches(timestamptz) IS 'Stretches of event time that have new records since the last check';

CREATE FUNCTION logwatch_private.open_changes(asof timestamptz) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    -- New batches, changed rules, open alerts that go on or end, announcements that are due.
    SELECT EXISTS (SELECT FROM logwatch.batches AS b WHERE b.xid >= p.seen_xmin)
        OR EXISTS (SELECT FROM logwatch.rules AS r WHERE r.updated_at >= p.checked_at)
        OR EXISTS (SELECT FROM logwatch.alerts AS a WHERE a.state <> 'resolved')
        OR EXISTS (SELECT FROM logwatch_private.due_announcements(asof))
        OR EXISTS (SELECT FROM logwatch.rules AS r CROSS JOIN LATERAL logwatch_private.heard_by(r.absence_of, r.source) AS heard
                    WHERE r.enabled AND r.kind = 'absence' AND heard.at + r.within <= asof
                      AND NOT EXISTS (SELECT FROM logwatch.alerts AS a WHERE a.rule = r.name AND a.group_key = heard.name AND a.state <> 'resolved'))
      FROM logwatch.progress AS p
    $$;
COMMENT ON FUNCTION logwatch_private.open_changes(timestamptz) IS 'Whether a check has anything to do; assigns no transaction id';

CREATE FUNCTION logwatch_private.end_alert(a logwatch.alerts, asof timestamptz) RETURNS void
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    r logwatch.rules;
BEGIN
    SELECT * INTO r FROM logwatch.rules AS k WHERE k.name = a.rule;
    IF a.state = 'pending' AND (r.enabled IS NOT TRUE OR a.met_until - a.started_at < r.for_at_least) THEN
        -- Nobody was told of it, and nobody is to be.
        DELETE FROM logwatch.alerts AS u WHERE u.id = a.id;
        RETURN;
    END IF;
    UPDATE logwatch.alerts AS u
       SET state = 'resolved', fired_at = COALESCE(u.fired_at, asof), resolved_at = asof, count = 0,
           closed = CASE WHEN r.enabled IS NULL THEN 'deleted' WHEN NOT r.enabled THEN 'disabled' END
     WHERE u.id = a.id;
END
$$;
COMMENT ON FUNCTION logwatch_private.end_alert(logwatch.alerts, timestamptz)
    IS 'Resolves an open alert, and says what became of its rule; forgets one that has not lasted';

CREATE FUNCTION logwatch_private.check(asof timestamptz DEFAULT clock_timestamp())
    RETURNS TABLE (alert_id bigint, rule text, group_key text, transition text, count bigint, message text)
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    SET jit = off
    SET plan_cache_mode = force_generic_plan
    AS $$
#variable_conflict use_column
DECLARE
    horizon xid8;
    stretches tstzmultirange;
    changed bigint[] := '{}';      -- alerts whose state this check changed
    ep record;
    a logwatch.alerts;
    fresh logwatch.alerts;         -- the alert that this check made last
BEGIN
    PERFORM logwatch_private.hold();
    -- One check at a time; the other one sees what this one would have seen.
    IF NOT logwatch_private.take_turn('check') OR logwatch_private.counts_twice() THEN
        RETURN;
    END IF;
    horizon := pg_snapshot_xmin(pg_current_snapshot());
    PERFORM logwatch_private.derive();
    -- The clock was set back: what reaches into a time that has not come yet goes on from here, and ends as anything else does.
    UPDATE logwatch.alerts AS u SET started_at = least(u.started_at, asof), met_until = asof
     WHERE u.state <> 'resolved' AND u.met_until > asof + interval '5 seconds';
    -- The present always belongs to it, so that an edited rule counts at once; open alerts are followed up from where they were left.
    stretches := COALESCE(logwatch_private.new_stretches(asof), '{}') + tstzmultirange(tstzrange(asof, asof, '[]'))
              + COALESCE((SELECT range_agg(tstzrange(least(o.met_until, asof), asof, '[]'))
                            FROM logwatch.alerts AS o WHERE o.state <> 'resolved'), '{}');

    FOR ep IN
        SELECT e.*, r.group_by, r.level::logwatch.level AS level, r.threshold, r.within, r.keep_firing_for,
               e.met_until - e.started_at >= r.for_at_least AS lasted,
               e.met_until + r.keep_firing_for > asof - interval '1 second' AS goes_on
          FROM logwatch_private.episodes(stretches, asof) AS e
          JOIN logwatch.rules AS r ON r.name = e.rule
         ORDER BY e.rule, e.group_key, e.started_at
    LOOP
        -- Known already? An open one first, else the last that touches this stretch.
        SELECT * INTO a FROM logwatch.alerts AS k
         WHERE k.rule = ep.rule AND k.group_key = ep.group_key
           AND k.started_at <= ep.met_until + ep.keep_firing_for AND k.met_until + ep.keep_firing_for >= ep.started_at
         ORDER BY k.state <> 'resolved' DESC, k.met_until DESC
         LIMIT 1;
        IF FOUND AND a.state = 'resolved' AND a.id IS DISTINCT FROM fresh.id THEN
            IF ep.met_until <= a.met_until OR NOT ep.goes_on THEN
                -- Late records make what is over longer, on either side.
                UPDATE logwatch.alerts AS u
                   SET started_at = least(u.started_at, ep.started_at), met_until = greatest(u.met_until, ep.met_until), peak = greatest(u.peak, ep.peak)
                 WHERE u.id = a.id AND (u.started_at > ep.started_at OR u.met_until < ep.met_until OR u.peak < ep.peak);
                CONTINUE;
            END IF;
            -- What goes on after an alert of its own has lasted long enough.
            ep.lasted := ep.lasted OR a.closed IS NULL;
            ep.started_at := greatest(ep.started_at, a.met_until);
            a := NULL;
        ELSIF NOT FOUND THEN
            CONTINUE WHEN NOT ep.lasted AND NOT ep.goes_on;
            SELECT * INTO a FROM logwatch.alerts AS k
             WHERE k.rule = ep.rule AND k.group_key = ep.group_key AND k.state <> 'resolved';
            IF FOUND AND a.id IS DISTINCT FROM fresh.id THEN
                IF a.met_until < ep.started_at THEN
                    -- An open alert that ended before this stretch began makes room.
                    changed := changed || a.id;
                                PERFORM logwatch_private.end_alert(a, asof);
                    a := NULL;
                ELSIF a.state = 'pending' THEN
                    -- One that may yet be forgotten takes nothing in.
                    ep.goes_on := false;
                    a := NULL;
                END IF;
                -- One that fires, and began after this stretch, takes it in.
            ELSIF ep.lasted AND fresh.rule = ep.rule AND fresh.group_key = ep.group_key THEN
                -- A backlog of several stretches found in one check is one alert.
                a := fresh;
            END IF;
        END IF;

        IF a.id IS NULL THEN
            CONTINUE WHEN NOT ep.lasted AND NOT ep.goes_on;
            INSERT INTO logwatch.alerts (rule, group_by, group_key, state, level, threshold, within, started_at, met_until, fired_at, resolved_at, count, peak)
            VALUES (ep.rule, ep.group_by, ep.group_key,
                    CASE WHEN NOT ep.goes_on THEN 'resolved' WHEN ep.lasted THEN 'firing' ELSE 'pending' END,
                    ep.level, ep.threshold, ep.within, ep.started_at, ep.met_until,
                    CASE WHEN ep.lasted THEN asof END, CASE WHEN NOT ep.goes_on THEN asof END, ep.count, ep.peak)
            RETURNING * INTO fresh;
            changed := changed || fresh.id;
        ELSE
            UPDATE logwatch.alerts AS u
               SET started_at = least(u.started_at, ep.started_at),
                   met_until = greatest(u.met_until, ep.met_until),
                   count = CASE WHEN ep.met_until >= u.met_until THEN ep.count ELSE u.count END,
                   peak = greatest(u.peak, ep.peak),
                   level = ep.level, threshold = ep.threshold, within = ep.within,
                   episodes = u.episodes + (ep.started_at > u.met_until + ep.keep_firing_for OR ep.met_until + ep.keep_firing_for < u.started_at)::integer,
                   state = CASE WHEN u.state = 'resolved' AND ep.goes_on THEN 'firing' ELSE u.state END,
                   resolved_at = CASE WHEN u.state = 'resolved' AND ep.goes_on THEN NULL ELSE u.resolved_at END
             WHERE u.id = a.id
               AND (u.started_at > ep.started_at OR u.met_until < ep.met_until OR u.count <> ep.count OR u.peak < ep.peak)
            RETURNING * INTO a;
            IF a.id = fresh.id THEN
                fresh := a;
            END IF;
        END IF;
    END LOOP;

    -- Pending alerts that have lasted fire; what has been quiet, or whose rule is gone, ends.
    FOR a IN SELECT * FROM logwatch.alerts AS o WHERE o.state <> 'resolved' ORDER BY o.id LOOP
        SELECT r.for_at_least, r.keep_firing_for, r.enabled INTO ep FROM logwatch.rules AS r WHERE r.name = a.rule;
        IF FOUND AND ep.enabled AND a.met_until + ep.keep_firing_for > asof - interval '1 second' THEN
            CONTINUE WHEN a.state = 'firing' OR a.met_until - a.started_at < ep.for_at_least;
            UPDATE logwatch.alerts AS u SET state = 'firing', fired_at = asof WHERE u.id = a.id;
        ELSE
            PERFORM logwatch_private.end_alert(a, asof);
        END IF;
        changed := changed || a.id;
    END LOOP;

    -- What has joined an open alert since it was announced.
    UPDATE logwatch.alerts AS u
       SET worst = greatest(u.worst, (SELECT max(c.level) FROM logwatch_private.counted(u) AS c))
     WHERE u.state = 'firing' AND u.worst IS DISTINCT FROM 'FATAL'
       -- Above ERROR there is only FATAL, which has an index.
       AND (u.worst IS DISTINCT FROM 'ERROR'
            OR EXISTS (SELECT FROM logwatch.counts AS c WHERE c.level = 'FATAL' AND c.second > u.started_at - u.within AND c.second <= u.met_until));
    PERFORM logwatch_private.announce(asof);
    UPDATE logwatch.progress AS p SET seen_xmin = horizon, checked_at = asof, took = clock_timestamp() - asof;

    RETURN QUERY
        SELECT now_is.id, now_is.rule, now_is.group_key,
               CASE WHEN now_is.state = 'resolved' AND now_is.fired_at = now_is.resolved_at THEN 'late' ELSE now_is.state END,
               now_is.count,
               logwatch_private.alert_message(now_is)
          FROM (SELECT c.id, min(c.position) AS position FROM unnest(changed) WITH ORDINALITY AS c (id, position) GROUP BY c.id) AS was
          JOIN logwatch.alerts AS now_is ON now_is.id = was.id
         ORDER BY was.position;
END
$$;
COMMENT ON FUNCTION logwatch_private.check(timestamptz) IS 'What logwatch_check() does';

CREATE FUNCTION logwatch_check() RETURNS TABLE (alert_id bigint, rule text, group_key text, transition text, count bigint, message text)
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    PERFORM logwatch_private.tend_fleet();
    RETURN QUERY SELECT * FROM logwatch_private.check();
    PERFORM logwatch_private.write_alert_file();
END
$$;
COMMENT ON FUNCTION logwatch_check() IS 'Evaluates the rules now and queues notifications; returns what changed: pending, firing, resolved, or late (over before it was noticed)';
