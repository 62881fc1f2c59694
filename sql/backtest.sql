-- Evaluates a rule over stored history, as the check does, and returns the alerts of it.

CREATE FUNCTION logwatch_backtest(rule text, "from" timestamptz DEFAULT NULL, "to" timestamptz DEFAULT NULL)
    RETURNS TABLE (group_key text, started_at timestamptz, met_until timestamptz, peak bigint, message text)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    r logwatch.rules;
    upto constant timestamptz := COALESCE("to", clock_timestamp());
BEGIN
    PERFORM logwatch_private.hold();
    SELECT * INTO r FROM logwatch.rules AS k WHERE k.name = $1;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no rule "%"', $1 USING ERRCODE = 'no_data_found', HINT = 'See: SELECT name FROM logwatch.rules;';
    END IF;
    IF r.kind = 'absence' AND r.absence_of <> 'match' THEN
        RAISE EXCEPTION 'rule "%" is of kind absence, whose history is not kept', $1 USING ERRCODE = 'feature_not_supported',
            HINT = 'Rules of kind threshold, new_pattern and spike can be tested, and those with absence_of = ''match''.';
    END IF;
    IF r.kind = 'absence' THEN
        RETURN QUERY
            SELECT m.group_key, m.started_at, m.met_until, 0::bigint, logwatch_private.rule_message(r.kind, 'resolved', r.name, logwatch_private.group_label(r.group_by, m.group_key), r.level, 0, r.threshold,
                                     extract(epoch FROM r.within)::bigint, r.match)
              FROM logwatch_private.missing_episodes(r, COALESCE("from", upto - interval '7 days'), upto) AS m
             WHERE r.enabled AND m.met_until - m.started_at >= r.for_at_least
             ORDER BY m.started_at, m.group_key;
        RETURN;
    END IF;
    RETURN QUERY
        SELECT e.group_key, e.started_at, e.met_until, e.peak,
               logwatch_private.rule_message(r.kind, 'resolved', r.name, logwatch_private.group_label(r.group_by, e.group_key), r.level, e.peak, r.threshold,
                                     extract(epoch FROM r.within)::bigint)
          FROM logwatch_private.episodes(ARRAY(
                   SELECT f FROM logwatch_private.history_frames(r.name, COALESCE("from", upto - interval '7 days'), upto) AS f WHERE r.enabled)) AS e
         WHERE e.met_until - e.started_at >= r.for_at_least
         ORDER BY e.started_at, e.group_key;
END
$$;
COMMENT ON FUNCTION logwatch_backtest(text, timestamptz, timestamptz)
    IS 'The episodes that a rule would have had on stored history, the last 7 days by default; for a disabled rule enable it in a transaction and roll back';
