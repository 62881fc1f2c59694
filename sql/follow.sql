-- Follows open alerts: when a check must look at one again if nothing new comes, and which patterns
-- and levels have joined it.

-- Part of the query that calls it: there can be thousands of alerts.
CREATE FUNCTION logwatch_private.worst_between(selection integer, grp bigint, lowest logwatch.level, after timestamptz, until timestamptz) RETURNS TABLE (level logwatch.level)
    LANGUAGE sql STABLE
    AS $$
    -- Only the minutes at the ends must be looked into.
    SELECT max(o.level) FROM logwatch_private.rolled AS o
     WHERE o.selection = $1 AND o.grp = $2 AND o.level >= lowest AND o.minute > after - interval '1 minute' AND o.minute <= until
       AND (o.minute > after AND o.minute + interval '59 seconds' <= until
            OR EXISTS (SELECT FROM unnest(o.points) AS p
                        WHERE o.minute + make_interval(secs => p % 60) > after AND o.minute + make_interval(secs => p % 60) <= until))
    $$;
COMMENT ON FUNCTION logwatch_private.worst_between(integer, bigint, logwatch.level, timestamptz, timestamptz)
    IS 'Returns the highest level in the sums of a group between two times; NULL where there are none';

-- As are these.
CREATE FUNCTION logwatch_private.present_frames(frames logwatch_private.frame[], asof timestamptz)
    RETURNS TABLE (rule text, group_key text, selection integer, grp bigint, within interval, threshold bigint, level logwatch.level, is_steady boolean, before timestamptz)
    LANGUAGE sql STABLE
    AS $$
    SELECT f.rule, f.group_key, f.selection, f.grp, r.within, r.threshold, r.level::logwatch.level,
           -- The usual, and how many sources there are, change with the time.
           r.kind IN ('threshold', 'new_pattern') AND r.min_sources = 1 AND f.selection IS NOT NULL,
           -- Counts seconds before this. A pattern is new for the length of a window.
           CASE WHEN r.kind = 'new_pattern'
                THEN COALESCE(least((SELECT p.first_seen FROM logwatch.patterns AS p WHERE p.fingerprint = f.grp) + r.within, asof + interval '1 microsecond'), '-infinity')
                ELSE asof + interval '1 microsecond' END
      FROM unnest(frames) AS f JOIN logwatch.rules AS r ON r.name = f.rule
     WHERE f.to_at >= asof
    $$;
COMMENT ON FUNCTION logwatch_private.present_frames(logwatch_private.frame[], timestamptz)
    IS 'The frames that reach up to now: is_steady where what a window holds tells until when the rule is met';

CREATE FUNCTION logwatch_private.held_until(selection integer, grp bigint, lowest logwatch.level, threshold bigint, within interval, before timestamptz, asof timestamptz)
    RETURNS TABLE (until timestamptz)
    LANGUAGE sql STABLE
    AS $$
    -- The latest second since which the threshold is held: the count falls below it when that
    -- second leaves the window. Sums of minutes, the newest first, tell the minute, and its points
    -- the second. Sums of floats are exact up to 9e15, and much quicker than numeric ones.
    SELECT CASE WHEN h.second > asof - within THEN h.second + within END
      -- The minute has a row for each level.
      FROM (SELECT max(m.minute) AS minute, max(m.kept) - $4 AS surplus, logwatch_private.sum_points(m.points, 0) AS points
              FROM (SELECT k.*
                      FROM (SELECT i.minute, i.points,
                                   sum(CASE WHEN i.minute + interval '1 minute' <= before THEN i.n::float8
                                            ELSE (SELECT COALESCE(sum((p / 60)::float8), 0) FROM unnest(i.points) AS p WHERE i.minute + make_interval(secs => p % 60) < before) END)
                                       OVER (ORDER BY i.minute DESC) AS kept
                              FROM logwatch_private.rolled AS i
                             WHERE i.selection = $1 AND i.grp = $2 AND i.level >= lowest
                               AND i.minute > asof - within - interval '1 minute' AND i.minute < before) AS k
                     WHERE k.kept >= $4 ORDER BY k.minute DESC FETCH FIRST 1 ROW WITH TIES) AS m) AS o
     CROSS JOIN LATERAL (
           SELECT o.minute + make_interval(secs => logwatch_private.second_above(o.points, o.surplus, date_part('epoch', before - o.minute))) AS second) AS h
    $$;
COMMENT ON FUNCTION logwatch_private.held_until(integer, bigint, logwatch.level, bigint, interval, timestamptz, timestamptz)
    IS 'Returns until when the sums of a group hold the threshold if nothing new comes; NULL where they do not';

CREATE FUNCTION logwatch_private.follow_alerts(frames logwatch_private.frame[], touched logwatch_private.touch[], changed bigint[], whole bigint[], asof timestamptz) RETURNS void
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    SET jit = off
    SET plan_cache_mode = force_generic_plan
    SET enable_nestloop = off
    SET enable_mergejoin = off
    AS $$
BEGIN
    -- When the alerts that were looked at must be looked at again if nothing new comes, and the
    -- highest level of those whose state has changed. Mostly an alert that fires is new and
    -- complete: a look at a few is shorter than the start of the statement.
    IF cardinality(frames) > 10 OR NOT changed <@ whole
       OR EXISTS (SELECT FROM unnest(frames) AS f
                   WHERE f.to_at >= asof
                     AND EXISTS (SELECT FROM logwatch.alerts AS k WHERE k.rule = f.rule AND k.group_key = f.group_key AND k.state <> 'resolved' AND k.id <> ALL (whole) OFFSET 0)) THEN
        WITH mine AS MATERIALIZED (
            SELECT k.* FROM logwatch.alerts AS k
             WHERE k.state <> 'resolved'
               AND ((k.rule, k.group_key) IN (SELECT f.rule, f.group_key FROM unnest(frames) AS f WHERE f.to_at >= asof) OR k.id IN (SELECT c FROM unnest(changed) AS c))
               AND k.id NOT IN (SELECT c FROM unnest(whole) AS c WHERE c IS NOT NULL)
               FOR UPDATE SKIP LOCKED
        ), frame AS MATERIALIZED (
            SELECT f.* FROM logwatch_private.present_frames(frames, asof) AS f
        ), looked AS (
            SELECT m.id, f.rule IS NOT NULL AS is_looked_at,
                   CASE WHEN m.met_until < asof THEN m.met_until
                        WHEN f.is_steady
                        THEN COALESCE((SELECT h.until FROM logwatch_private.held_until(f.selection, f.grp, f.level, f.threshold, f.within, f.before, asof) AS h), m.met_until) END AS holds_until,
                   m.state = 'firing' AND c.id IS NOT NULL AS is_new,
                   CASE WHEN m.state = 'firing' AND c.id IS NOT NULL THEN COALESCE(w.level, (SELECT max(o.level) FROM logwatch_private.counted(m) AS o)) END AS worst
              FROM mine AS m
              LEFT JOIN frame AS f ON f.rule = m.rule AND f.group_key = m.group_key
              LEFT JOIN unnest(changed) AS c (id) ON c.id = m.id
              LEFT JOIN logwatch_private.known_rules AS k ON k.name = m.rule
              LEFT JOIN logwatch_private.selections AS s ON s.id = k.selection AND s.group_by = m.group_by AND s.since <= m.started_at - m.within
              LEFT JOIN LATERAL logwatch_private.worst_between(s.id, logwatch_private.group_number(m.group_by, m.group_key), m.level, m.started_at - m.within, m.met_until) AS w
                     ON m.state = 'firing' AND c.id IS NOT NULL
        )
        UPDATE logwatch.alerts AS u
           SET holds_until = CASE WHEN l.is_looked_at THEN l.holds_until ELSE u.holds_until END,
               worst = CASE WHEN l.is_new THEN l.worst ELSE u.worst END
          FROM looked AS l
         WHERE u.id = l.id AND u.state <> 'resolved' AND (l.is_looked_at OR l.is_new);
    END IF;
    IF EXISTS (SELECT FROM logwatch.alerts AS k WHERE k.state <> 'resolved' AND k.holds_until > asof AND k.met_until < asof - interval '5 seconds') THEN
        UPDATE logwatch.alerts AS u SET met_until = asof
         WHERE u.state <> 'resolved'
           AND u.id IN (SELECT k.id FROM logwatch.alerts AS k
                         WHERE k.state <> 'resolved' AND k.holds_until > asof AND k.met_until < asof - interval '5 seconds' FOR UPDATE SKIP LOCKED);
    END IF;

    -- Notes patterns and levels that have joined an open alert since its announcement. The first
    -- condition on the state lets the look take the index of open alerts.
    IF cardinality(touched) > 10
       OR EXISTS (SELECT FROM unnest(touched) AS t JOIN logwatch_private.known_rules AS k ON k.selection = t.selection
                   WHERE EXISTS (SELECT FROM logwatch.alerts AS o
                                  WHERE o.rule = k.name AND o.group_key = t.group_key AND o.state <> 'resolved' AND o.state = 'firing'
                                    AND (t.worst > o.worst OR t.first_seen > o.notified_at) OFFSET 0)) THEN
        UPDATE logwatch.alerts AS u
           SET worst = greatest(u.worst, j.highest), joined_at = greatest(u.joined_at, j.first_seen)
          FROM (SELECT o.id, t.first_seen,
                       CASE WHEN t.worst > o.worst
                            THEN COALESCE((SELECT w.level
                                             FROM logwatch_private.selections AS s
                                            CROSS JOIN LATERAL logwatch_private.worst_between(s.id, t.grp, o.level, o.started_at - o.within, o.met_until) AS w
                                            WHERE s.id = t.selection AND s.group_by = o.group_by AND s.since <= o.started_at - o.within),
                                          (SELECT max(c.level) FROM logwatch_private.counted((SELECT a FROM logwatch.alerts AS a WHERE a.id = o.id)) AS c)) END AS highest
                  FROM unnest(touched) AS t JOIN logwatch_private.known_rules AS k ON k.selection = t.selection
                  JOIN logwatch.alerts AS o ON o.rule = k.name AND o.group_key = t.group_key
                 WHERE o.state = 'firing'
                   AND (t.worst > o.worst OR t.first_seen > o.notified_at AND o.joined_at IS DISTINCT FROM greatest(o.joined_at, t.first_seen))
                   FOR UPDATE OF o SKIP LOCKED) AS j
         WHERE u.id = j.id AND u.state <> 'resolved';
    END IF;
END
$$;
COMMENT ON FUNCTION logwatch_private.follow_alerts(logwatch_private.frame[], logwatch_private.touch[], bigint[], bigint[], timestamptz)
    IS 'Notes when open alerts must be looked at again, and what has joined them';
