-- Tells what a rule would do now, and why not. It only reads.

CREATE FUNCTION logwatch_private.present_counts(r logwatch.rules, asof timestamptz) RETURNS TABLE (grp bigint, group_key text, n bigint, sources bigint)
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    SET jit = off
    AS $$
    SELECT v.grp, CASE r.group_by WHEN 'source' THEN (SELECT s.name FROM logwatch.sources AS s WHERE s.id = v.grp) WHEN 'pattern' THEN to_hex(v.grp) ELSE COALESCE(v.value, '') END,
           sum(v.n)::bigint, count(DISTINCT v.source_id)
      FROM (SELECT m.grp, m.source_id, p / 60 AS n, m.value
              FROM logwatch_private.minutes_of(r, asof - r.within, asof) AS m CROSS JOIN LATERAL unnest(m.points) AS p
             WHERE m.minute + make_interval(secs => p % 60) > asof - r.within AND m.minute + make_interval(secs => p % 60) <= asof
            UNION ALL
            SELECT w.grp, NULL, w.n::bigint, NULL FROM logwatch_private.waiting_counts(asof) AS w WHERE w.rule = r.name) AS v
     GROUP BY 1, 2
     ORDER BY 3 DESC, 1
     LIMIT 10
    $$;
COMMENT ON FUNCTION logwatch_private.present_counts(logwatch.rules, timestamptz) IS 'The fullest groups of a rule''s present window, with their records and sources';

CREATE FUNCTION logwatch_private.why_quiet(r logwatch.rules, alert logwatch.alerts, silence logwatch.silences, asof timestamptz) RETURNS text
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT concat_ws('; ',
        CASE WHEN silence.id IS NOT NULL
             THEN format('silence %s (%s) holds notifications back%s', silence.id, COALESCE(NULLIF(silence.reason, ''), 'no reason given'),
                         CASE WHEN silence.repeat_every IS NULL AND silence.schedule IS NULL THEN ' until ' || date_trunc('second', silence.ends_at) ELSE '' END) END,
        CASE WHEN (logwatch_private.last_ack(alert.id)).acked_by IS NOT NULL
             THEN format('acknowledged by %s: not repeated', (logwatch_private.last_ack(alert.id)).acked_by) END,
        CASE WHEN logwatch_private.is_outside_hours(r, asof)
             THEN format('outside the hours "%s": notifications are %s', r.notify_during, CASE r.outside_hours WHEN 'hold' THEN 'held until they begin' ELSE 'dropped' END) END,
        CASE WHEN EXISTS (SELECT FROM logwatch.alerts AS o WHERE o.rule = r.inhibited_by AND o.state = 'firing')
             THEN format('inhibited by rule "%s", which is firing', r.inhibited_by) END,
        logwatch_private.lacks_fields(r),
        CASE WHEN NOT EXISTS (SELECT FROM logwatch_private.targets(r.channels, r.recipients))
             THEN format('none of its channels (%s) is turned on', array_to_string(r.channels, ', ')) END)
    $$;
COMMENT ON FUNCTION logwatch_private.why_quiet(logwatch.rules, logwatch.alerts, logwatch.silences, timestamptz) IS 'Returns what keeps a rule from notifying now; empty when nothing does';

CREATE FUNCTION logwatch_private.missing_names(r logwatch.rules) RETURNS text
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT NULLIF(concat_ws('; ',
        CASE WHEN r.notify_during IS NOT NULL AND NOT EXISTS (SELECT FROM logwatch.schedules AS s WHERE s.name = r.notify_during)
             THEN format('schedule "%s" of notify_during does not exist: notifies at all hours', r.notify_during) END,
        CASE WHEN r.inhibited_by IS NOT NULL AND NOT EXISTS (SELECT FROM logwatch.rules AS k WHERE k.name = r.inhibited_by)
             THEN format('rule "%s" of inhibited_by does not exist: nothing inhibits it', r.inhibited_by) END), '')
    $$;
COMMENT ON FUNCTION logwatch_private.missing_names(logwatch.rules) IS 'Returns which schedule and rule that a rule names do not exist; NULL when both do';

CREATE FUNCTION logwatch_private.why_not_met(r logwatch.rules, grp bigint, n bigint, sources bigint, asof timestamptz) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    usual numeric;
    pattern logwatch.patterns;
BEGIN
    IF n < r.threshold THEN
        RETURN format('%s below the threshold', r.threshold - n);
    ELSIF sources < r.min_sources THEN
        RETURN format('from %s of the %s sources that it needs', sources, r.min_sources);
    ELSIF r.kind = 'spike' THEN
        usual := logwatch_private.usual(r, NULL, grp, asof);
        IF n <= usual * r.factor THEN
            RETURN format('not more than %s times the usual %s', r.factor, round(usual, 1));
        END IF;
    ELSIF r.kind = 'new_pattern' THEN
        SELECT * INTO pattern FROM logwatch.patterns AS p WHERE p.fingerprint = grp;
        IF pattern.first_seen < date_trunc('second', r.created_at) + r.learn_for THEN
            RETURN format('learned: the pattern was first seen at %s, and the rule learns until %s', date_trunc('second', pattern.first_seen), date_trunc('second', r.created_at) + r.learn_for);
        ELSIF pattern.first_seen + r.within <= asof THEN
            RETURN format('not new any more: the pattern was first seen at %s', date_trunc('second', pattern.first_seen));
        END IF;
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION logwatch_private.why_not_met(logwatch.rules, bigint, bigint, bigint, timestamptz) IS 'Returns why a group does not meet its rule now; NULL when it does';

CREATE FUNCTION logwatch_private.alert_verdict(r logwatch.rules, alert logwatch.alerts, asof timestamptz) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    due text := (SELECT d.reason FROM logwatch_private.due_announcements(asof) AS d WHERE d.alert_id = alert.id);
    quiet text := logwatch_private.why_quiet(r, alert, logwatch_private.silence_of(alert, asof), asof);
BEGIN
    IF alert.state = 'pending' THEN
        RETURN concat_ws('; ', format('met since %s, fires when it has been met for %s', date_trunc('second', alert.started_at), r.for_at_least), NULLIF(quiet, ''));
    ELSIF due IS NOT NULL AND quiet = '' THEN
        RETURN format('the next check notifies: %s', due);
    END IF;
    RETURN concat_ws('; ',
        CASE WHEN alert.announced IS NULL THEN 'not announced yet' ELSE 'announced at ' || date_trunc('second', alert.notified_at) END,
        CASE WHEN quiet <> '' THEN quiet
             WHEN r.repeat_every IS NULL THEN 'not repeated'
             ELSE 'repeated at ' || date_trunc('second', alert.notified_at + logwatch_private.pause_before(alert.repeats, r.repeat_every, r.repeat_factor)) END);
END
$$;
COMMENT ON FUNCTION logwatch_private.alert_verdict(logwatch.rules, logwatch.alerts, timestamptz) IS 'Returns what a rule would do about an open alert now';

CREATE FUNCTION logwatch_check_rule(name text) RETURNS TABLE (group_key text, state text, count bigint, threshold bigint, verdict text)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET lock_timeout = '500ms'
    AS $$
#variable_conflict use_column
DECLARE
    r logwatch.rules;
    asof constant timestamptz := clock_timestamp();
    blocked text;
    missing text;
    silence logwatch.silences;
    groups bigint;
BEGIN
    PERFORM logwatch_private.hold();
    SELECT k.* INTO r FROM logwatch.rules AS k WHERE k.name = $1;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no rule "%"', $1
            USING ERRCODE = 'no_data_found',
                  HINT = COALESCE(format('Did you mean "%s"?', logwatch_private.nearest_name($1, ARRAY(SELECT k.name FROM logwatch.rules AS k))), 'There is no rule at all.');
    END IF;
    missing := logwatch_private.missing_names(r);
    blocked := CASE WHEN NOT r.enabled THEN 'the rule is disabled'
                    ELSE 'left out of checks: ' || logwatch_private.rule_problem(r.name) END;
    RETURN QUERY
        SELECT a.group_key, a.state, a.count, a.threshold,
               COALESCE(blocked, concat_ws('; ', logwatch_private.alert_verdict(r, a, asof), missing,
                   CASE WHEN logwatch_private.expects_lines(r)
                        THEN (SELECT logwatch_private.line_verdict(r, h.name, h.at, h.due, asof, true) FROM logwatch_private.expected_by(r, asof) AS h WHERE h.name = a.group_key) END))
          FROM logwatch.alerts AS a WHERE a.rule = r.name AND a.state <> 'resolved' ORDER BY a.id;
    GET DIAGNOSTICS groups = ROW_COUNT;
    -- Silences of certain sources or patterns concern alerts, which do not exist here.
    SELECT s.* INTO silence FROM logwatch.silences AS s
     WHERE logwatch_private.glob_matches(r.name, s.rule) AND s.source = '*' AND s.pattern IS NULL AND logwatch_private.silence_is_active(s, asof) LIMIT 1;
    IF r.kind = 'absence' THEN
        RETURN QUERY
            SELECT h.name, 'ok', NULL::bigint, NULL::bigint,
                   COALESCE(blocked, concat_ws('; ', CASE WHEN due.at <= asof THEN 'silent since ' || date_trunc('second', h.at) || ': the next check fires'
                                                          ELSE format('last heard of at %s; fires at %s', date_trunc('second', h.at), date_trunc('second', due.at)) END,
                                               NULLIF(logwatch_private.why_quiet(r, NULL, silence, asof), ''), missing))
              FROM logwatch_private.heard_by(r.absence_of, r.source) AS h
             CROSS JOIN LATERAL logwatch_private.deadline(h.at, r.within) AS due (at)
             WHERE NOT EXISTS (SELECT FROM logwatch.alerts AS a WHERE a.rule = r.name AND a.group_key = h.name AND a.state <> 'resolved')
             ORDER BY h.at LIMIT 10;
        RETURN QUERY
            SELECT h.name, 'ok', NULL::bigint, NULL::bigint,
                   COALESCE(blocked, concat_ws('; ', logwatch_private.line_verdict(r, h.name, h.at, h.due, asof, false), NULLIF(logwatch_private.why_quiet(r, NULL, silence, asof), ''), missing))
              FROM logwatch_private.expected_by(r, asof) AS h
             WHERE logwatch_private.expects_lines(r)
               AND NOT EXISTS (SELECT FROM logwatch.alerts AS a WHERE a.rule = r.name AND a.group_key = h.name AND a.state <> 'resolved')
             ORDER BY h.due, h.name LIMIT 10;
        RETURN;
    END IF;
    RETURN QUERY
        SELECT c.group_key, 'ok', c.n, r.threshold,
               COALESCE(blocked, concat_ws('; ', CASE WHEN c.n = 0 THEN logwatch_private.known_fields(r, asof) END, COALESCE(logwatch_private.why_not_met(r, c.grp, c.n, c.sources, asof),
                                                          CASE WHEN r.for_at_least > interval '0' THEN format('met; fires when it has been met for %s', r.for_at_least)
                                                               ELSE 'met; the next check fires' END),
                                           NULLIF(logwatch_private.why_quiet(r, NULL, silence, asof), ''), missing))
          FROM (SELECT * FROM logwatch_private.present_counts(r, asof)
                UNION ALL SELECT 0, '', 0, 0 WHERE groups = 0 AND NOT EXISTS (SELECT FROM logwatch_private.present_counts(r, asof))) AS c
         WHERE NOT EXISTS (SELECT FROM logwatch.alerts AS a WHERE a.rule = r.name AND a.group_key = c.group_key AND a.state <> 'resolved')
         ORDER BY c.n DESC, c.group_key;
END
$$;
COMMENT ON FUNCTION logwatch_check_rule(text) IS 'What a rule would do now, and why not: a row for each open alert and for each of the ten fullest groups without one';
