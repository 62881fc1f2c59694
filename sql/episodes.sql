-- Evaluation of rules: finds the stretches of time in which a group of a rule held its threshold.
-- Checks and backtests use the same steps:
--
--   frames    the (rule, group) pairs and time ranges to evaluate; a check takes those with new
--             records or an open alert
--   points    their records by second, from the sums of selections or, further back, from minutes
--   steps     the number in the window each time that it changes
--   episodes  the stretches in which the rule was met
--
-- Each step is a function that can be run by hand:
--   SELECT * FROM logwatch_private.episodes(ARRAY(SELECT f FROM
--       logwatch_private.history_frames('error', now() - interval '1 day', now()) AS f));

CREATE TYPE logwatch_private.frame AS (rule text, selection integer, grp bigint, group_key text, from_at timestamptz, to_at timestamptz, stretches tstzmultirange);
COMMENT ON TYPE logwatch_private.frame IS 'A group of a rule, evaluated from from_at to to_at because of new records in stretches; selection is NULL where its sums do not reach back far enough';

CREATE TYPE logwatch_private.episode AS (rule text, group_key text, started_at timestamptz, met_until timestamptz, count bigint, peak bigint);
COMMENT ON TYPE logwatch_private.episode IS 'A stretch of event time in which a rule''s window held its threshold';

CREATE FUNCTION logwatch_private.usual(r logwatch.rules, selection integer, grp bigint, at timestamptz) RETURNS numeric
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    oldest constant timestamptz := (SELECT min(m.minute) FROM logwatch.minutes AS m);
    found numeric;
BEGIN
    -- Per window: the average over those of the 7 days before that have any history at all.
    IF (SELECT s.since FROM logwatch_private.selections AS s WHERE s.id = $2) < at - r.within - interval '7 days 1 minute' THEN
        SELECT avg(COALESCE(day.n, 0)) INTO found
          FROM generate_series(1, 7) AS back
         CROSS JOIN LATERAL (SELECT at - make_interval(days => back) AS until) AS w
         CROSS JOIN LATERAL (
               SELECT sum(p / 60) AS n
                 FROM logwatch_private.rolled AS o CROSS JOIN LATERAL unnest(o.points) AS p
                WHERE o.selection = $2 AND o.grp = $3 AND o.level >= r.level::logwatch.level
                  AND o.minute > w.until - r.within - interval '1 minute' AND o.minute <= w.until
                  AND o.minute + make_interval(secs => p % 60) > w.until - r.within AND o.minute + make_interval(secs => p % 60) <= w.until) AS day
         WHERE oldest <= w.until;
    ELSE
        SELECT avg(COALESCE(day.n, 0)) INTO found
          FROM generate_series(1, 7) AS back
         CROSS JOIN LATERAL (SELECT at - make_interval(days => back) AS until) AS w
         CROSS JOIN LATERAL (
               SELECT sum(p / 60) AS n
                 FROM logwatch_private.minutes_of(r, w.until - r.within, w.until, ARRAY[$3]) AS m CROSS JOIN LATERAL unnest(m.points) AS p
                WHERE m.minute + make_interval(secs => p % 60) > w.until - r.within AND m.minute + make_interval(secs => p % 60) <= w.until) AS day
         WHERE oldest <= w.until;
    END IF;
    RETURN COALESCE(found, 0);
END
$$;
COMMENT ON FUNCTION logwatch_private.usual(logwatch.rules, integer, bigint, timestamptz)
    IS 'Records that a rule''s window holds at this time of day on average of the 7 days before';

CREATE FUNCTION logwatch_private.sources_within(r logwatch.rules, by_source integer, grp bigint, at timestamptz) RETURNS bigint
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF (SELECT s.since FROM logwatch_private.selections AS s WHERE s.id = $2) <= at - r.within - interval '1 minute' THEN
        RETURN (SELECT count(DISTINCT o.grp)
                  FROM logwatch_private.rolled AS o CROSS JOIN LATERAL unnest(o.points) AS p
                 WHERE o.selection = $2 AND o.level >= r.level::logwatch.level
                   AND o.minute > at - r.within - interval '1 minute' AND o.minute <= at
                   AND o.minute + make_interval(secs => p % 60) > at - r.within AND o.minute + make_interval(secs => p % 60) <= at);
    END IF;
    RETURN (SELECT count(DISTINCT m.source_id)
              FROM logwatch_private.minutes_of(r, at - r.within, at, ARRAY[$3]) AS m CROSS JOIN LATERAL unnest(m.points) AS p
             WHERE m.minute + make_interval(secs => p % 60) > at - r.within AND m.minute + make_interval(secs => p % 60) <= at);
END
$$;
COMMENT ON FUNCTION logwatch_private.sources_within(logwatch.rules, integer, bigint, timestamptz) IS 'How many sources the records of a rule''s window come from';

CREATE FUNCTION logwatch_private.check_frames(touched logwatch_private.touch[], changed text[], asof timestamptz) RETURNS SETOF logwatch_private.frame
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    SET jit = off
    SET plan_cache_mode = force_generic_plan
    SET enable_nestloop = off
    SET enable_mergejoin = off
    AS $$
BEGIN
    RETURN QUERY
    WITH open AS MATERIALIZED (
        SELECT a.rule, a.group_by, a.group_key, tstzmultirange(tstzrange(least(a.met_until, asof), asof + interval '1 second', '[]')) AS seconds,
               a.holds_until IS NULL OR a.holds_until <= asof AS is_due
          FROM logwatch.alerts AS a WHERE a.state <> 'resolved'
    ), rule AS MATERIALIZED (
        SELECT r.name, r.kind, r.level::logwatch.level AS level, r.within, r.threshold, r.group_by, logwatch_private.around(r) AS around, k.selection, s.since,
               r.name = ANY (changed) AS changed, date_trunc('second', r.created_at) + r.learn_for AS learned_at
          FROM logwatch.rules AS r
          JOIN logwatch_private.known_rules AS k ON k.name = r.name
          JOIN logwatch_private.selections AS s ON s.id = k.selection
         WHERE r.enabled AND k.problem IS NULL
           -- Most rules are concerned by nothing.
           AND (k.selection IN (SELECT t.selection FROM unnest(touched) AS t) OR k.name IN (SELECT open.rule FROM open)
                OR k.name = ANY (changed) OR k.name IN (SELECT p.rule FROM logwatch_private.postponed AS p))
    ), reach AS MATERIALIZED (
        SELECT rule.selection, max(rule.within + 2 * rule.around) AS longest, min(rule.level) AS level, min(rule.since) AS since FROM rule GROUP BY 1
    ), touch AS MATERIALIZED (
        -- No window with new records can hold more than all records near them. Hundreds of rules
        -- can share a selection: most groups are told by that once for all of them.
        SELECT t.selection, t.grp, t.group_key, t.seconds, t.first_seen,
               CASE WHEN lower(t.seconds) - reach.longest >= reach.since
                    THEN (SELECT COALESCE(sum(o.n), 0) FROM logwatch_private.rolled AS o
                           WHERE o.selection = t.selection AND o.grp = t.grp AND o.level >= reach.level
                             AND o.minute > lower(t.seconds) - reach.longest - interval '1 minute' AND o.minute <= upper(t.seconds) + reach.longest)
                    ELSE 'infinity' END AS near
          FROM unnest(touched) AS t JOIN reach ON reach.selection = t.selection WHERE NOT isempty(t.seconds)
    ), wanted AS MATERIALIZED (
        -- Groups with new records. A pattern that was seen before is new to no rule.
        SELECT rule.name, touch.grp, touch.group_key, touch.seconds, false AS is_enough
          FROM touch JOIN rule ON rule.selection = touch.selection
         WHERE touch.near >= rule.threshold AND (rule.kind <> 'new_pattern' OR touch.first_seen >= rule.learned_at)
        UNION ALL
        -- Alerts that may end now, or go on with what is new, from where they were left.
        SELECT rule.name, logwatch_private.group_number(open.group_by, open.group_key), open.group_key, open.seconds, false
          FROM open JOIN rule ON rule.name = open.rule AND rule.group_by = open.group_by
          LEFT JOIN touch ON touch.selection = rule.selection AND touch.group_key = open.group_key
         WHERE open.is_due OR rule.changed OR touch.selection IS NOT NULL
        UNION ALL
        -- The present of changed rules, so that an edited rule counts at once: groups that have
        -- enough records in it.
        SELECT rule.name, g.grp,
               CASE WHEN rule.group_by = 'pattern' THEN to_hex(g.grp) WHEN rule.group_by = 'none' THEN '' WHEN rule.group_by = 'source' THEN s.name ELSE COALESCE(f.value, '(other)') END,
               tstzmultirange(tstzrange(asof, asof + interval '1 second', '[]')), true
          FROM rule
         CROSS JOIN LATERAL (SELECT o.grp FROM logwatch_private.rolled AS o
                              WHERE o.selection = rule.selection AND o.level >= rule.level
                                AND o.minute > asof - rule.around - rule.within - interval '1 minute' AND o.minute <= asof
                              GROUP BY o.grp
                             HAVING sum(o.n) >= rule.threshold AND max(o.minute) > asof - rule.within - interval '1 minute' OFFSET 0) AS g
          LEFT JOIN logwatch.sources AS s ON s.id = g.grp AND rule.group_by = 'source'
          LEFT JOIN logwatch_private.field_groups AS f ON f.selection = rule.selection AND f.grp = g.grp
         WHERE rule.changed
        UNION ALL
        SELECT p.rule, p.grp, p.group_key, p.seconds, false FROM logwatch_private.postponed AS p JOIN rule ON rule.name = p.rule
    ), stretch AS (
        SELECT w.name, w.grp, w.group_key, w.is_enough, lower(s.stretch) AS from_at, upper(s.stretch) - interval '1 second' AS to_at
          FROM wanted AS w CROSS JOIN LATERAL unnest(w.seconds) AS s (stretch)
    ), piece AS (
        -- A record changes a rule's windows from its own second until it drops out of the last one.
        SELECT s.name, s.grp, s.group_key, bool_and(s.is_enough) AS is_enough, range_agg(tstzrange(s.from_at, s.to_at, '[]')) AS stretches,
               unnest(range_agg(tstzrange(s.from_at - rule.around, s.to_at + rule.within + rule.around, '[]'))) AS span
          FROM stretch AS s JOIN rule USING (name) GROUP BY 1, 2, 3
    )
    SELECT p.name, CASE WHEN c.covered THEN rule.selection END, p.grp, p.group_key, lower(p.span), least(upper(p.span), asof), p.stretches
      FROM piece AS p
      JOIN rule USING (name)
     CROSS JOIN LATERAL (SELECT lower(p.span) - rule.within >= rule.since AS covered) AS c
     WHERE lower(p.span) <= asof
       -- No window can hold more than all of the stretch: most groups are told by that.
       AND (NOT c.covered OR p.is_enough
            OR rule.threshold <= (SELECT sum(o.n) FROM logwatch_private.rolled AS o
                                   WHERE o.selection = rule.selection AND o.grp = p.grp AND o.level >= rule.level
                                     AND o.minute > lower(p.span) - rule.within - interval '1 minute' AND o.minute <= upper(p.span)));
END
$$;
COMMENT ON FUNCTION logwatch_private.check_frames(logwatch_private.touch[], text[], timestamptz)
    IS 'What a check must evaluate: groups with new records, alerts to follow, and the present of changed rules';

CREATE FUNCTION logwatch_private.history_frames(rule text, from_at timestamptz, to_at timestamptz) RETURNS SETOF logwatch_private.frame
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    SET jit = off
    AS $$
#variable_conflict use_variable
DECLARE
    r logwatch.rules;
    around interval;
BEGIN
    SELECT * INTO r FROM logwatch.rules AS k WHERE k.name = rule;
    around := logwatch_private.around(r);
    RETURN QUERY
    SELECT r.name, NULL::integer, g.grp, CASE r.group_by WHEN 'source' THEN s.name WHEN 'pattern' THEN to_hex(g.grp) WHEN 'none' THEN '' ELSE g.value END,
           from_at - around, to_at, tstzmultirange(tstzrange(from_at, to_at, '[]'))
      FROM (SELECT m.grp, max(m.value) AS value FROM logwatch_private.minutes_of(r, from_at - around - r.within, to_at) AS m
             GROUP BY m.grp HAVING sum(m.n) >= r.threshold) AS g
      LEFT JOIN logwatch.sources AS s ON s.id = g.grp AND r.group_by = 'source'
     WHERE r.group_by <> 'source' OR s.name IS NOT NULL;
END
$$;
COMMENT ON FUNCTION logwatch_private.history_frames(text, timestamptz, timestamptz) IS 'What a backtest evaluates: the groups of a rule that have enough records';

CREATE FUNCTION logwatch_private.points(frames logwatch_private.frame[])
    RETURNS TABLE (frame bigint, second timestamptz, n bigint, came_at timestamptz)
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    SET jit = off
    SET plan_cache_mode = force_generic_plan
    SET enable_nestloop = off
    SET enable_mergejoin = off
    AS $$
#variable_conflict use_column
DECLARE
    far record;
    r logwatch.rules;
BEGIN
    RETURN QUERY
    SELECT f.number, v.second, sum(v.n)::bigint, max(v.came_at)
      FROM unnest(frames) WITH ORDINALITY AS f (rule, selection, grp, group_key, from_at, to_at, stretches, number)
      JOIN logwatch.rules AS k ON k.name = f.rule
     CROSS JOIN LATERAL (SELECT * FROM logwatch_private.rolled AS o
                          WHERE o.selection = f.selection AND o.grp = f.grp AND o.level >= k.level::logwatch.level
                            AND o.minute > f.from_at - k.within - interval '1 minute' AND o.minute <= f.to_at OFFSET 0) AS o
     -- Records that stay in the window all the time are one sum: of whole minutes, then of seconds.
     CROSS JOIN LATERAL (SELECT k.kind NOT IN ('new_pattern', 'spike') AND o.minute + interval '59 seconds' <= f.from_at AND o.minute + k.within > f.to_at AS core) AS c
     CROSS JOIN LATERAL (
           SELECT f.from_at AS second, o.n, NULL::timestamptz AS came_at WHERE c.core
           UNION ALL
           SELECT CASE WHEN k.kind <> 'new_pattern' AND u.second <= f.from_at AND u.second + k.within > f.to_at THEN f.from_at ELSE u.second END, u.n, u.second
             FROM (SELECT o.minute + make_interval(secs => p % 60) AS second, p / 60 AS n FROM unnest(o.points) AS p WHERE NOT c.core) AS u
            WHERE u.second > f.from_at - k.within AND u.second <= f.to_at) AS v
     WHERE f.selection IS NOT NULL
     GROUP BY 1, 2;

    FOR far IN
        SELECT f.rule, min(f.from_at) AS from_at, max(f.to_at) AS to_at, array_agg(f.grp) AS groups, array_agg(f.number) AS numbers,
               array_agg(f.from_at) AS starts, array_agg(f.to_at) AS ends
          FROM unnest(frames) WITH ORDINALITY AS f (rule, selection, grp, group_key, from_at, to_at, stretches, number)
         WHERE f.selection IS NULL GROUP BY f.rule
    LOOP
        SELECT * INTO r FROM logwatch.rules AS k WHERE k.name = far.rule;
        RETURN QUERY
        SELECT f.number, m.minute + make_interval(secs => p % 60), sum(p / 60)::bigint, m.minute + make_interval(secs => p % 60)
          FROM logwatch_private.minutes_of(r, far.from_at - r.within, far.to_at, far.groups) AS m
         CROSS JOIN LATERAL unnest(m.points) AS p
          JOIN unnest(far.numbers, far.groups, far.starts, far.ends) AS f (number, grp, from_at, to_at) ON f.grp = m.grp
         WHERE m.minute + make_interval(secs => p % 60) > f.from_at - r.within AND m.minute + make_interval(secs => p % 60) <= f.to_at
         GROUP BY 1, 2, 4;
    END LOOP;
END
$$;
COMMENT ON FUNCTION logwatch_private.points(logwatch_private.frame[]) IS 'The records of each frame''s windows by second; those that stay in the window all the time count at its beginning';

CREATE FUNCTION logwatch_private.steps(frames logwatch_private.frame[])
    RETURNS TABLE (frame bigint, at timestamptz, until_at timestamptz, held bigint, last_at timestamptz)
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    SET jit = off
    SET plan_cache_mode = force_generic_plan
    SET enable_nestloop = off
    SET enable_mergejoin = off
    AS $$
#variable_conflict use_column
BEGIN
    -- The window's count as a step function: each record adds one at its second and subtracts one
    -- when it leaves the window.
    RETURN QUERY
    SELECT s.frame, s.at, COALESCE(lead(s.at) OVER by_time, s.to_at), (sum(s.n) OVER by_time)::bigint, max(s.came_at) OVER by_time
      FROM (SELECT p.frame, f.to_at, change.at, sum(change.n) AS n, max(p.came_at) FILTER (WHERE change.n > 0) AS came_at
              FROM logwatch_private.points(frames) AS p
              JOIN (SELECT u.number, u.from_at, u.to_at, r.within,
                           -- A pattern is new for the length of a window, and only once the rule
                           -- has learned. One that was seen before is new at no time.
                           CASE WHEN r.kind = 'new_pattern'
                                THEN COALESCE((SELECT k.first_seen + r.within FROM logwatch.patterns AS k
                                                WHERE k.fingerprint = u.grp AND k.first_seen >= date_trunc('second', r.created_at) + r.learn_for), '-infinity')
                                ELSE 'infinity' END AS counts_until
                      FROM unnest(frames) WITH ORDINALITY AS u (rule, selection, grp, group_key, from_at, to_at, stretches, number)
                      JOIN logwatch.rules AS r ON r.name = u.rule OFFSET 0) AS f ON f.number = p.frame
             CROSS JOIN LATERAL (VALUES (greatest(p.second, f.from_at), p.n), (COALESCE(p.came_at, f.to_at) + f.within, -p.n)) AS change (at, n)
             WHERE change.at <= f.to_at AND p.second < f.counts_until
             GROUP BY 1, 2, 3) AS s
    WINDOW by_time AS (PARTITION BY s.frame ORDER BY s.at);
END
$$;
COMMENT ON FUNCTION logwatch_private.steps(logwatch_private.frame[]) IS 'The number of records in each frame''s window, each time that it changes';

CREATE FUNCTION logwatch_private.episodes(frames logwatch_private.frame[])
    RETURNS SETOF logwatch_private.episode
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    SET jit = off
    SET plan_cache_mode = force_generic_plan
    SET enable_nestloop = off
    SET enable_mergejoin = off
    AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH met AS (
        SELECT s.frame, f.rule, f.group_key, s.at, s.until_at, s.held, r.within, logwatch_private.around(r) AS around,
               s.at > lag(s.until_at) OVER (PARTITION BY f.rule, f.group_key ORDER BY s.at) + r.keep_firing_for AS apart
          FROM logwatch_private.steps(frames) AS s
          JOIN unnest(frames) WITH ORDINALITY AS f (rule, selection, grp, group_key, from_at, to_at, stretches, number) ON f.number = s.frame
          JOIN logwatch.rules AS r ON r.name = f.rule
         WHERE s.held >= r.threshold
           -- Reads whole rules only where they are asked for.
           AND (r.min_sources = 1
                OR r.min_sources <= logwatch_private.sources_within(
                       (SELECT o FROM logwatch.rules AS o WHERE o.name = f.rule),
                       (SELECT k.by_source FROM logwatch_private.known_rules AS k WHERE k.name = f.rule AND f.selection IS NOT NULL), f.grp, s.at))
           -- Compared at the last record's second, whenever that is looked at.
           AND (r.kind <> 'spike'
                OR s.held > r.factor * logwatch_private.usual((SELECT o FROM logwatch.rules AS o WHERE o.name = f.rule), f.selection, f.grp, s.last_at))
    ), numbered AS (
        SELECT met.*, count(*) FILTER (WHERE met.apart) OVER (PARTITION BY met.rule, met.group_key ORDER BY met.at) AS number FROM met
    ), island AS (
        SELECT n.rule, n.group_key, min(n.at) AS started_at, max(n.until_at) AS met_until, (array_agg(n.held ORDER BY n.at DESC))[1] AS count,
               max(n.held) AS peak, min(n.frame) AS frame, min(n.within) AS within, min(n.around) AS around
          FROM numbered AS n GROUP BY n.rule, n.group_key, n.number
    )
    SELECT i.rule, i.group_key, i.started_at, i.met_until, i.count, i.peak
      FROM island AS i
      JOIN unnest(frames) WITH ORDINALITY AS f (rule, selection, grp, group_key, from_at, to_at, stretches, number) ON f.number = i.frame
     -- Time that was read only because a stretch must last makes no episode by itself.
     WHERE i.around = interval '0'
        OR EXISTS (SELECT FROM unnest(f.stretches) AS stretch WHERE i.started_at <= upper(stretch) + i.within AND i.met_until >= lower(stretch))
     ORDER BY 1, 2, 3;
END
$$;
COMMENT ON FUNCTION logwatch_private.episodes(logwatch_private.frame[]) IS 'Stretches of event time in which the rules of these frames were met';

CREATE FUNCTION logwatch_private.silences_of_sources(until timestamptz)
    RETURNS SETOF logwatch_private.episode
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM logwatch.rules AS r WHERE r.enabled AND r.kind = 'absence') THEN
        RETURN;
    END IF;
    RETURN QUERY
    -- From when a source or an edge should have been heard again until now.
    SELECT r.name, heard.name, due.at, until, 0::bigint, 0::bigint
      FROM logwatch.rules AS r
     CROSS JOIN LATERAL logwatch_private.heard_by(r.absence_of, r.source) AS heard
     CROSS JOIN LATERAL logwatch_private.deadline(heard.at, r.within) AS due (at)
     -- The first comparison spares most sources the second.
     WHERE r.enabled AND r.kind = 'absence' AND heard.at + r.within <= until AND due.at <= until
    UNION ALL
    -- Lines that had not come in time, also before they came since the last check.
    SELECT r.name, m.group_key, m.started_at, m.met_until, 0, 0
      FROM logwatch.rules AS r
     CROSS JOIN (SELECT greatest(least(p.checked_at, until), until - make_interval(secs => logwatch_private.setting('max_lateness')::integer)) AS at FROM logwatch.progress AS p) AS last
     CROSS JOIN LATERAL logwatch_private.missing_episodes(r, last.at, until) AS m
     WHERE r.enabled AND logwatch_private.expects_lines(r);
END
$$;
COMMENT ON FUNCTION logwatch_private.silences_of_sources(timestamptz) IS 'The episodes of rules of kind absence';
