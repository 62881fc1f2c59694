-- Lines that rules expect (kind absence, absence_of = match): ingest and the tailers keep them
-- whatever their level, and a check finds out which of them did not come in time.
--
--   rules.match ──▶ tailers, ingest ──batches.expected──▶ expected_lines ──▶ missing_lines()
--
-- A line is tested once, when it is stored. Checks and backtests read the seconds in which such
-- lines came, so that both find the same episodes.

CREATE TABLE logwatch.expected_lines (
    match     text NOT NULL,
    second    timestamptz NOT NULL,
    source_id bigint NOT NULL,
    PRIMARY KEY (match, second, source_id)
);
COMMENT ON TABLE logwatch.expected_lines IS 'Seconds in which a line came that a rule of kind absence expects; kept for logwatch.retention';
COMMENT ON COLUMN logwatch.expected_lines.match IS 'The rule''s match; rules with the same one share the rows';
COMMENT ON COLUMN logwatch.expected_lines.second IS 'Event time; the ingest time of records from the future';

CREATE FUNCTION logwatch_private.line_problem(match text) RETURNS text
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'line_problem_wrapper';
COMMENT ON FUNCTION logwatch_private.line_problem(text) IS 'Returns why lines cannot be tested with a regular expression; NULL when they can';

CREATE FUNCTION logwatch_private.expects_lines(r logwatch.rules) RETURNS boolean
    LANGUAGE sql IMMUTABLE
    AS $$ SELECT r.kind = 'absence' AND r.absence_of = 'match' $$;
COMMENT ON FUNCTION logwatch_private.expects_lines(logwatch.rules) IS 'Whether a rule is met while a line does not come';

CREATE FUNCTION logwatch_private.lines_for(source text) RETURNS text[]
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT COALESCE(array_agg(DISTINCT r.match), '{}') FROM logwatch.rules AS r
     WHERE r.enabled AND logwatch_private.expects_lines(r) AND logwatch_private.glob_matches($1, r.source)
    $$;
COMMENT ON FUNCTION logwatch_private.lines_for(text) IS 'Regular expressions of the lines that a tailer keeps besides those of the wanted level';

CREATE FUNCTION logwatch_private.check_expected_line() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    problem text;
BEGIN
    IF NOT logwatch_private.expects_lines(NEW) THEN
        IF NEW.kind = 'absence' AND NEW.match IS NOT NULL THEN
            RAISE EXCEPTION 'rule "%": match has no meaning with absence_of = %', NEW.name, NEW.absence_of
                USING ERRCODE = 'check_violation', HINT = 'For a line that does not come, set absence_of = ''match''.';
        ELSIF NEW.absence_of = 'match' THEN
            RAISE EXCEPTION 'rule "%": absence_of = match is for kind absence, and its kind is %', NEW.name, NEW.kind
                USING ERRCODE = 'check_violation', HINT = 'Set kind = ''absence''.';
        ELSIF NEW.expected_during IS NOT NULL THEN
            RAISE EXCEPTION 'rule "%": expected_during is for kind absence with absence_of = match', NEW.name
                USING ERRCODE = 'check_violation', HINT = 'To notify in certain hours only, use notify_during.';
        END IF;
        NEW.expected_since := NULL;
        RETURN NEW;
    END IF;
    IF NEW.match IS NULL THEN
        RAISE EXCEPTION 'rule "%": absence_of = match needs match', NEW.name
            USING ERRCODE = 'check_violation', HINT = 'For example: match = ''backup finished''.';
    ELSIF NEW.exclude IS NOT NULL THEN
        RAISE EXCEPTION 'rule "%": exclude has no meaning with absence_of = match', NEW.name
            USING ERRCODE = 'check_violation', HINT = 'Write a match that only the expected line has.';
    ELSIF length(NEW.match) > 500 THEN
        RAISE EXCEPTION 'rule "%": match is too long', NEW.name
            USING ERRCODE = 'check_violation', HINT = 'With absence_of = ''match'' it has at most 500 characters.';
    END IF;
    problem := logwatch_private.line_problem(NEW.match);
    IF problem IS NOT NULL THEN
        RAISE EXCEPTION 'rule "%": bad regular expression "%"', NEW.name, NEW.match
            USING ERRCODE = 'invalid_regular_expression', DETAIL = problem,
                  HINT = 'With absence_of = ''match'' the expression is matched with whole lines, in the syntax of Rust''s crate regex; put a backslash before special characters.';
    END IF;
    IF TG_OP = 'INSERT' THEN
        -- The row of a dump has its own.
        NEW.expected_since := COALESCE(NEW.expected_since, clock_timestamp());
        IF (SELECT count(*) FROM logwatch.rules AS r WHERE logwatch_private.expects_lines(r)) >= 100 THEN
            RAISE EXCEPTION 'rule "%": there are 100 rules with absence_of = match already', NEW.name
                USING ERRCODE = 'configuration_limit_exceeded', DETAIL = 'Tailers test each line with all of them.',
                      HINT = 'Join them, for example: match = ''(backup|vacuum) finished'', group_by = ''source''.';
        END IF;
    ELSIF (NEW.kind, NEW.absence_of, NEW.match, NEW.source, NEW.group_by, NEW.enabled) IS DISTINCT FROM (OLD.kind, OLD.absence_of, OLD.match, OLD.source, OLD.group_by, OLD.enabled) THEN
        -- Lines of before were not kept.
        NEW.expected_since := clock_timestamp();
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION logwatch_private.check_expected_line() IS 'Refuses rules that expect a line and cannot work, and notes since when the line is expected';
-- After rules_check, by the order of names.
CREATE TRIGGER rules_expected BEFORE INSERT OR UPDATE ON logwatch.rules FOR EACH ROW EXECUTE FUNCTION logwatch_private.check_expected_line();
COMMENT ON TRIGGER rules_expected ON logwatch.rules IS 'Refuses rules that expect a line and cannot work';

CREATE FUNCTION logwatch_private.expectations_changed() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'expectations_changed_wrapper';
COMMENT ON FUNCTION logwatch_private.expectations_changed() IS 'Makes each session read anew which lines ingest keeps';
CREATE TRIGGER rules_expectations AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON logwatch.rules FOR EACH STATEMENT EXECUTE FUNCTION logwatch_private.expectations_changed();
COMMENT ON TRIGGER rules_expectations ON logwatch.rules IS 'Makes each session read anew which lines ingest keeps';

CREATE FUNCTION logwatch_private.hours_between(schedule text, from_at timestamptz, to_at timestamptz) RETURNS TABLE (begins timestamptz, ends timestamptz)
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT w.begins, w.ends
      FROM logwatch.schedules AS s
     CROSS JOIN LATERAL generate_series(date_trunc('day', from_at AT TIME ZONE s.time_zone) - interval '2 days', to_at AT TIME ZONE s.time_zone, interval '1 day') AS day
     CROSS JOIN LATERAL (SELECT (day + s.starts) AT TIME ZONE s.time_zone AS begins,
                                (day + s.ends + CASE WHEN s.ends <= s.starts THEN interval '1 day' ELSE interval '0' END) AT TIME ZONE s.time_zone AS ends) AS w
     WHERE s.name = $1 AND ('{mon,tue,wed,thu,fri,sat,sun}'::text[])[extract(isodow FROM day)::integer] = ANY (s.weekdays)
       AND w.ends >= from_at AND w.ends <= to_at
    $$;
COMMENT ON FUNCTION logwatch_private.hours_between(text, timestamptz, timestamptz) IS 'The stretches of a schedule that end between two times';

CREATE FUNCTION logwatch_private.expecting_groups(r logwatch.rules) RETURNS TABLE (group_key text, source_ids bigint[], since timestamptz)
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT '', CASE WHEN r.source <> '*' THEN ARRAY(SELECT s.id FROM logwatch.sources AS s WHERE logwatch_private.glob_matches(s.name, r.source)) END, r.expected_since
     WHERE r.group_by = 'none'
    UNION ALL
    SELECT s.name, ARRAY[s.id], greatest(s.first_seen, r.expected_since) FROM logwatch.sources AS s
     WHERE r.group_by = 'source' AND logwatch_private.glob_matches(s.name, r.source)
    $$;
COMMENT ON FUNCTION logwatch_private.expecting_groups(logwatch.rules)
    IS 'The groups in each of which a rule expects its line: their sources (NULL for all), and since when';

CREATE FUNCTION logwatch_private.last_line(match text, source_ids bigint[], until timestamptz) RETURNS timestamptz
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT l.second FROM logwatch.expected_lines AS l
     WHERE l.match = $1 AND l.second <= $3 AND ($2 IS NULL OR l.source_id = ANY ($2))
     ORDER BY l.second DESC LIMIT 1
    $$;
COMMENT ON FUNCTION logwatch_private.last_line(text, bigint[], timestamptz) IS 'When an expected line came last';

CREATE FUNCTION logwatch_private.expected_by(r logwatch.rules, asof timestamptz) RETURNS TABLE (name text, at timestamptz, due timestamptz)
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    SET jit = off
    AS $$
    SELECT g.group_key, l.at,
           CASE WHEN r.expected_during IS NULL THEN logwatch_private.deadline(greatest(l.at, g.since), r.within)
                -- The last hours that are over, if no line has come since they began; else the
                -- next in which none has come yet. Those that had begun before do not count.
                ELSE (SELECT min(logwatch_private.deadline(h.ends - interval '1 second', interval '1 second'))
                        FROM (SELECT k.*, lead(k.ends) OVER (ORDER BY k.ends) AS next FROM logwatch_private.hours_between(r.expected_during, asof - interval '9 days', asof + interval '9 days') AS k) AS h
                       WHERE h.begins >= g.since AND (l.at IS NULL OR l.at < h.begins) AND (h.next IS NULL OR h.next > asof)) END
      FROM logwatch_private.expecting_groups(r) AS g
     CROSS JOIN LATERAL (SELECT logwatch_private.last_line(r.match, g.source_ids, asof) AS at) AS l
    $$;
COMMENT ON FUNCTION logwatch_private.expected_by(logwatch.rules, timestamptz)
    IS 'The groups of a rule that expects a line: when it came last, and by when the next must come';

CREATE FUNCTION logwatch_private.missing_lines(r logwatch.rules, from_at timestamptz, to_at timestamptz)
    RETURNS TABLE (group_key text, started_at timestamptz, met_until timestamptz)
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    SET jit = off
    AS $$
#variable_conflict use_column
BEGIN
    IF r.expected_during IS NOT NULL THEN
        RETURN QUERY
        SELECT g.group_key, due.at, least(l.at, h.next, to_at)
          FROM logwatch_private.expecting_groups(r) AS g
         CROSS JOIN (SELECT k.*, lead(k.ends) OVER (ORDER BY k.ends) AS next
                       FROM logwatch_private.hours_between(r.expected_during, from_at - interval '9 days', to_at) AS k) AS h
         CROSS JOIN LATERAL (SELECT min(e.second) AS at FROM logwatch.expected_lines AS e
                              WHERE e.match = r.match AND e.second >= h.begins AND e.second <= to_at AND (g.source_ids IS NULL OR e.source_id = ANY (g.source_ids))) AS l
         CROSS JOIN LATERAL logwatch_private.deadline(h.ends - interval '1 second', interval '1 second') AS due (at)
         WHERE h.begins >= g.since AND COALESCE(l.at > h.ends, true) AND least(l.at, h.next, to_at) >= from_at AND due.at < least(l.at, h.next, 'infinity') AND due.at <= to_at;
        RETURN;
    END IF;
    RETURN QUERY
    WITH grp AS MATERIALIZED (
        -- The last time it came before, or was expected from.
        SELECT g.group_key, g.source_ids, greatest(g.since, logwatch_private.last_line(r.match, g.source_ids, from_at)) AS last FROM logwatch_private.expecting_groups(r) AS g
    )
    SELECT o.group_key, due.at, least(o.next, to_at)
      FROM (SELECT c.group_key, c.second, lead(c.second) OVER (PARTITION BY c.group_key ORDER BY c.second) AS next
              FROM (SELECT grp.group_key, grp.last AS second FROM grp
                    UNION
                    SELECT grp.group_key, e.second
                      FROM grp JOIN logwatch.expected_lines AS e ON e.match = r.match AND (grp.source_ids IS NULL OR e.source_id = ANY (grp.source_ids))
                     WHERE e.second > grp.last AND e.second <= to_at) AS c) AS o
     CROSS JOIN LATERAL logwatch_private.deadline(o.second, r.within) AS due (at)
     -- The first comparison spares most seconds the others.
     WHERE o.second + r.within < COALESCE(o.next, 'infinity') AND least(o.next, to_at) >= from_at AND due.at < COALESCE(o.next, 'infinity') AND due.at <= to_at;
END
$$;
COMMENT ON FUNCTION logwatch_private.missing_lines(logwatch.rules, timestamptz, timestamptz)
    IS 'Stretches between two times in which the line that a rule expects had not come in time';

CREATE FUNCTION logwatch_private.missing_episodes(r logwatch.rules, from_at timestamptz, to_at timestamptz)
    RETURNS TABLE (group_key text, started_at timestamptz, met_until timestamptz)
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT n.group_key, min(n.started_at), max(n.met_until)
      FROM (SELECT m.*, count(*) FILTER (WHERE m.apart) OVER (PARTITION BY m.group_key ORDER BY m.started_at) AS number
              FROM (SELECT k.*, k.started_at > lag(k.met_until) OVER (PARTITION BY k.group_key ORDER BY k.started_at) + r.keep_firing_for AS apart
                      FROM logwatch_private.missing_lines(r, from_at, to_at) AS k) AS m) AS n
     GROUP BY n.group_key, n.number
    $$;
COMMENT ON FUNCTION logwatch_private.missing_episodes(logwatch.rules, timestamptz, timestamptz)
    IS 'The episodes of a rule that expects a line: stretches that keep_firing_for joins are one';

CREATE FUNCTION logwatch_private.end_missing_lines(asof timestamptz) RETURNS void
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM logwatch.rules AS r WHERE logwatch_private.expects_lines(r)) THEN
        RETURN;
    END IF;
    -- The alert went on with each check until the line was stored, and ends when it was logged.
    UPDATE logwatch.alerts AS u SET met_until = k.until
      FROM (SELECT a.id, (SELECT max(m.met_until) FROM logwatch_private.missing_lines(r, a.started_at, asof) AS m WHERE m.group_key = a.group_key) AS until
              FROM logwatch.alerts AS a JOIN logwatch.rules AS r ON r.name = a.rule
             WHERE a.state <> 'resolved' AND logwatch_private.expects_lines(r)
               FOR UPDATE OF a SKIP LOCKED) AS k
     WHERE u.id = k.id AND k.until < u.met_until AND k.until >= u.started_at;
END
$$;
COMMENT ON FUNCTION logwatch_private.end_missing_lines(timestamptz) IS 'Sets the end of alerts whose line has come meanwhile';

CREATE FUNCTION logwatch_private.who_keeps(r logwatch.rules, group_key text, asof timestamptz) RETURNS text
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    -- Names the first of the tailers that do not keep the line.
    WITH tailer AS (
        SELECT s.name, s.version, s.expected, (SELECT min(e.name) FROM logwatch.edges AS e WHERE s.id = ANY (e.source_ids) AND e.left_at IS NULL) AS edge
          FROM logwatch.sources AS s
         WHERE s.attached_at IS NOT NULL AND s.seen_at > asof - interval '5 minutes'
           AND CASE r.group_by WHEN 'source' THEN s.name = $2 ELSE logwatch_private.glob_matches(s.name, r.source) END
    ), lacking AS (
        SELECT t.*, count(*) OVER () - 1 AS more FROM tailer AS t WHERE t.expected IS NULL OR r.match <> ALL (t.expected) ORDER BY t.name LIMIT 1
    )
    SELECT CASE WHEN NOT EXISTS (SELECT FROM tailer) THEN 'no tailer watches: only lines that logwatch_ingest() is given count'
                ELSE (SELECT CASE WHEN l.edge IS NOT NULL THEN format('source "%s" comes from edge "%s": make the rule there too, or its tailers do not keep the line', l.name, l.edge)
                                  WHEN l.expected IS NULL THEN format('the tailer of source "%s" does not keep such lines: update it (it has version %s), and grant its role logwatch_heartbeat', l.name, COALESCE(l.version, 'unknown'))
                                  ELSE format('the tailer of source "%s" takes the rule with its next heartbeat, within a minute', l.name) END
                             || CASE WHEN l.more > 0 THEN format(' (and %s more)', l.more) ELSE '' END
                        FROM lacking AS l) END
    $$;
COMMENT ON FUNCTION logwatch_private.who_keeps(logwatch.rules, text, timestamptz) IS 'Returns which tailers do not keep the line that a rule expects; NULL when all do';

CREATE FUNCTION logwatch_private.line_verdict(r logwatch.rules, group_key text, at timestamptz, due timestamptz, asof timestamptz, is_open boolean) RETURNS text
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT concat_ws('; ',
        CASE WHEN at IS NULL THEN 'the line has not come since ' || date_trunc('second', r.expected_since) ELSE 'the line last came at ' || date_trunc('second', at) END,
        CASE WHEN due IS NULL THEN format('schedule "%s" has no hours in the next 9 days: the rule never fires', r.expected_during)
             WHEN is_open AND due <= asof THEN 'missing since ' || date_trunc('second', due)
             WHEN due <= asof THEN 'missing since ' || date_trunc('second', due) || ': the next check fires'
             ELSE 'fires at ' || date_trunc('second', due) || ' unless it comes' END,
        logwatch_private.who_keeps(r, group_key, asof))
    $$;
COMMENT ON FUNCTION logwatch_private.line_verdict(logwatch.rules, text, timestamptz, timestamptz, timestamptz, boolean) IS 'Returns what a rule that expects a line would do about a group now';
