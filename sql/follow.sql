-- Follows open alerts: when a check must look at one again if nothing new comes, and which patterns
-- and levels have joined it.

CREATE FUNCTION logwatch_private.worst_of(alert logwatch.alerts) RETURNS logwatch.level
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    known constant integer := (SELECT s.id FROM logwatch_private.known_rules AS k JOIN logwatch_private.selections AS s ON s.id = k.selection
                                WHERE k.name = alert.rule AND s.group_by = alert.group_by AND s.since <= alert.started_at - alert.within);
BEGIN
    IF known IS NULL THEN
        RETURN (SELECT max(c.level) FROM logwatch_private.counted(alert) AS c);
    END IF;
    RETURN (SELECT max(o.level) FROM logwatch_private.rolled AS o
             WHERE o.selection = known AND o.grp = logwatch_private.group_number(alert.group_by, alert.group_key) AND o.level >= alert.level
               AND o.minute > alert.started_at - alert.within - interval '1 minute' AND o.minute <= alert.met_until
               AND EXISTS (SELECT FROM unnest(o.points) AS p
                            WHERE o.minute + make_interval(secs => p % 60) > alert.started_at - alert.within
                              AND o.minute + make_interval(secs => p % 60) <= alert.met_until));
END
$$;
COMMENT ON FUNCTION logwatch_private.worst_of(logwatch.alerts) IS 'Returns the highest level among an alert''s records';

CREATE FUNCTION logwatch_private.follow_alerts(frames logwatch_private.frame[], touched logwatch_private.touch[], changed bigint[], asof timestamptz) RETURNS void
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    SET jit = off
    SET plan_cache_mode = force_generic_plan
    SET enable_nestloop = off
    SET enable_mergejoin = off
    AS $$
BEGIN
    -- When the alerts that were looked at must be looked at again if nothing new comes, and the
    -- highest level of those whose state has changed.
    WITH mine AS MATERIALIZED (
        SELECT k.id, k.rule, k.group_by, k.group_key, k.state, k.started_at, k.within, k.met_until FROM logwatch.alerts AS k
         WHERE k.state <> 'resolved'
           AND (k.rule IN (SELECT f.rule FROM unnest(frames) AS f WHERE f.to_at >= asof) OR k.id IN (SELECT c FROM unnest(changed) AS c))
           FOR UPDATE SKIP LOCKED
    ), frame AS MATERIALIZED (
        SELECT m.id, f.selection, f.grp, r.within, r.threshold, r.level::logwatch.level AS level,
               -- The usual, and how many sources there are, change with the time.
               m.met_until >= asof AND r.kind IN ('threshold', 'new_pattern') AND r.min_sources = 1 AND f.selection IS NOT NULL AS is_steady,
               -- Counts seconds before this. A pattern is new for the length of a window.
               CASE WHEN r.kind = 'new_pattern'
                    THEN COALESCE(least((SELECT p.first_seen FROM logwatch.patterns AS p WHERE p.fingerprint = f.grp) + r.within, asof + interval '1 microsecond'), '-infinity')
                    ELSE asof + interval '1 microsecond' END AS before
          FROM unnest(frames) AS f
          JOIN logwatch.rules AS r ON r.name = f.rule
          JOIN mine AS m ON m.rule = f.rule AND m.group_key = f.group_key
         WHERE f.to_at >= asof
    ), held AS MATERIALIZED (
        -- The latest second since which the threshold is held: the count falls below it when that
        -- second leaves the window. Sums of whole minutes tell the minute, its points the second.
        SELECT v.id, max(v.second) AS second
          FROM (SELECT o.id, o.threshold, s.second, o.newer + sum(p / 60) OVER (PARTITION BY o.id ORDER BY s.second DESC) AS kept
                  FROM (SELECT f.id, f.within, f.threshold, f.before, k.minute, k.points,
                               sum(k.n) OVER (PARTITION BY f.id ORDER BY k.minute DESC) AS kept,
                               COALESCE(sum(k.n) OVER (PARTITION BY f.id ORDER BY k.minute DESC RANGE BETWEEN UNBOUNDED PRECEDING AND '1 second' PRECEDING), 0) AS newer
                          FROM frame AS f
                         CROSS JOIN LATERAL (SELECT i.minute, i.points,
                                                    CASE WHEN i.minute + interval '1 minute' <= f.before THEN i.n
                                                         ELSE (SELECT COALESCE(sum(p / 60), 0)::bigint FROM unnest(i.points) AS p WHERE i.minute + make_interval(secs => p % 60) < f.before) END AS n
                                               FROM logwatch_private.rolled AS i
                                              WHERE i.selection = f.selection AND i.grp = f.grp AND i.level >= f.level
                                                AND i.minute > asof - f.within - interval '1 minute' AND i.minute < f.before OFFSET 0) AS k
                         WHERE f.is_steady) AS o
                 CROSS JOIN LATERAL unnest(o.points) AS p
                 CROSS JOIN LATERAL (SELECT o.minute + make_interval(secs => p % 60) AS second) AS s
                 WHERE o.kept >= o.threshold AND o.newer < o.threshold AND s.second > asof - o.within AND s.second < o.before) AS v
         WHERE v.kept >= v.threshold GROUP BY v.id
    ), looked AS (
        SELECT m.id, f.id IS NOT NULL AS is_looked_at, m.state = 'firing' AND c.id IS NOT NULL AS is_new, s.id AS selection,
               CASE WHEN m.met_until < asof THEN m.met_until WHEN f.is_steady THEN COALESCE(h.second + f.within, m.met_until) END AS holds_until
          FROM mine AS m
          LEFT JOIN frame AS f ON f.id = m.id
          LEFT JOIN held AS h ON h.id = m.id
          LEFT JOIN unnest(changed) AS c (id) ON c.id = m.id
          LEFT JOIN logwatch_private.known_rules AS w ON w.name = m.rule
          LEFT JOIN logwatch_private.selections AS s ON s.id = w.selection AND s.group_by = m.group_by AND s.since <= m.started_at - m.within
    )
    UPDATE logwatch.alerts AS u
       SET holds_until = CASE WHEN l.is_looked_at THEN l.holds_until ELSE u.holds_until END,
           worst = CASE WHEN NOT l.is_new THEN u.worst
                        WHEN l.selection IS NULL THEN logwatch_private.worst_of(u)
                        ELSE (SELECT max(o.level) FROM logwatch_private.rolled AS o
                               WHERE o.selection = l.selection AND o.grp = logwatch_private.group_number(u.group_by, u.group_key) AND o.level >= u.level
                                 AND o.minute > u.started_at - u.within - interval '1 minute' AND o.minute <= u.met_until
                                 AND (o.minute > u.started_at - u.within AND o.minute + interval '59 seconds' <= u.met_until
                                      OR EXISTS (SELECT FROM unnest(o.points) AS p
                                                  WHERE o.minute + make_interval(secs => p % 60) > u.started_at - u.within
                                                    AND o.minute + make_interval(secs => p % 60) <= u.met_until))) END
      FROM looked AS l
     WHERE u.id = l.id AND u.state <> 'resolved' AND (l.is_looked_at OR l.is_new);
    UPDATE logwatch.alerts AS u SET met_until = asof
     WHERE u.state <> 'resolved'
       AND u.id IN (SELECT k.id FROM logwatch.alerts AS k
                     WHERE k.state <> 'resolved' AND k.holds_until > asof AND k.met_until < asof - interval '5 seconds' FOR UPDATE SKIP LOCKED);

    -- Notes patterns and levels that have joined an open alert since its announcement.
    UPDATE logwatch.alerts AS u
       SET worst = greatest(u.worst, CASE WHEN j.worst > u.worst THEN logwatch_private.worst_of(u) END), joined_at = greatest(u.joined_at, j.first_seen)
      FROM (SELECT o.id, t.worst, t.first_seen
              FROM unnest(touched) AS t JOIN logwatch_private.known_rules AS k ON k.selection = t.selection
              JOIN logwatch.alerts AS o ON o.rule = k.name AND o.group_key = t.group_key
             WHERE o.state = 'firing'
               AND (t.worst > o.worst OR t.first_seen > o.notified_at AND o.joined_at IS DISTINCT FROM greatest(o.joined_at, t.first_seen))
               FOR UPDATE OF o SKIP LOCKED) AS j
     WHERE u.id = j.id AND u.state <> 'resolved';
END
$$;
COMMENT ON FUNCTION logwatch_private.follow_alerts(logwatch_private.frame[], logwatch_private.touch[], bigint[], timestamptz)
    IS 'Notes when open alerts must be looked at again, and what has joined them';
