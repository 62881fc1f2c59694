-- The check: takes new batches (take.sql, rolling.sql), evaluates the rules that they concern
-- (episodes.sql), and keeps the alerts.

CREATE FUNCTION logwatch_private.heard_of(source logwatch.sources, absence_of text) RETURNS timestamptz
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT greatest(source.first_seen,
                    CASE WHEN absence_of = 'tailer' THEN source.seen_at END,
                    (SELECT max(f.updated_at) FROM logwatch.files AS f WHERE f.source_id = source.id),
                    (SELECT v.last_at FROM logwatch.arrivals AS v WHERE v.source_id = source.id ORDER BY v.since DESC LIMIT 1))
    $$;
COMMENT ON FUNCTION logwatch_private.heard_of(logwatch.sources, text) IS 'Last sign of a source''s tailer, or of its records';

CREATE FUNCTION logwatch_private.heard_by(absence_of text, glob text) RETURNS TABLE (name text, at timestamptz)
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT src.name, logwatch_private.heard_of(src, $1) FROM logwatch.sources AS src WHERE $1 IN ('tailer', 'records') AND logwatch_private.glob_matches(src.name, $2)
    UNION ALL
    SELECT e.name, greatest(e.joined_at, e.heard_at) FROM logwatch.edges AS e
     WHERE $1 = 'edge' AND e.left_at IS NULL AND logwatch_private.glob_matches(e.name, $2)
    $$;
COMMENT ON FUNCTION logwatch_private.heard_by(text, text) IS 'Sources, or edges, that a rule of kind absence watches, and when each was last heard of';

-- An idle tick runs one statement, which reads this view and calls no function outside pg_catalog:
-- pgaudit logs each statement and each such function.
CREATE VIEW logwatch_private.work AS
    SELECT EXISTS (SELECT FROM pg_publication AS p WHERE p.pubname = 'logwatch')
        OR EXISTS (SELECT FROM pg_subscription AS s WHERE s.subpublications = '{logwatch}')
        OR EXISTS (SELECT FROM logwatch.edges AS e WHERE e.joining) AS fleet,
           -- New batches and changed rules wake the worker.
           w.news,
           -- These, open alerts that go on or end, patterns of an earlier masking, and a check now
           -- and then that notes its time (interruptions.sql).
           w.news
        OR EXISTS (SELECT FROM logwatch.alerts AS a WHERE a.state <> 'resolved')
        OR EXISTS (SELECT FROM logwatch.progress AS p WHERE p.pattern_version IS NULL)
        OR EXISTS (SELECT FROM logwatch.progress AS p
                    WHERE (p.checked_at < now() - interval '5 seconds' OR p.checked_at > now() + interval '5 seconds')
                      AND EXISTS (SELECT FROM logwatch.rules AS r WHERE r.enabled AND r.kind = 'absence')) AS changes,
           -- due_announcements() announces no other resolved alerts than these.
           EXISTS (SELECT FROM logwatch.alerts AS a
                    WHERE a.end_is_news
                      AND (a.announced IS NOT NULL OR a.resolved_at = a.fired_at
                           OR a.resolved_at > now() - interval '7 days'
                              AND EXISTS (SELECT FROM logwatch.rules AS r WHERE r.name = a.rule AND r.notify_during IS NOT NULL)))
        OR EXISTS (SELECT FROM logwatch.rules AS r WHERE r.enabled AND r.kind = 'absence') AS announcements,
           EXISTS (SELECT FROM logwatch.notifications AS n WHERE n.state IN ('queued', 'sending')) AS deliveries
      FROM (SELECT EXISTS (SELECT FROM logwatch.batches AS b WHERE b.first_at <= now())
                OR EXISTS (SELECT FROM logwatch.rules AS r LEFT JOIN logwatch_private.known_rules AS k ON k.name = r.name
                            WHERE k.updated_at IS DISTINCT FROM r.updated_at) AS news OFFSET 0) AS w;
COMMENT ON VIEW logwatch_private.work IS 'The work that the worker may find: "news" and other "changes" need a check, "fleet" and "announcements" a closer look';

CREATE FUNCTION logwatch_private.open_changes(asof timestamptz) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT (SELECT w.changes FROM logwatch_private.work AS w)
        OR EXISTS (SELECT FROM logwatch_private.due_announcements(asof))
        OR EXISTS (SELECT FROM logwatch_private.silences_of_sources(asof) AS s
                    WHERE NOT EXISTS (SELECT FROM logwatch.alerts AS a WHERE a.rule = s.rule AND a.group_key = s.group_key AND a.state <> 'resolved'))
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
       SET state = 'resolved', fired_at = COALESCE(u.fired_at, asof), resolved_at = asof, count = 0, holds_until = NULL,
           closed = CASE WHEN r.enabled IS NULL THEN 'deleted' WHEN NOT r.enabled THEN 'disabled' END
     WHERE u.id = a.id;
END
$$;
COMMENT ON FUNCTION logwatch_private.end_alert(logwatch.alerts, timestamptz)
    IS 'Resolves an open alert, with the state of its rule; deletes a pending one that has not lasted';

CREATE FUNCTION logwatch_private.evaluate(frames logwatch_private.frame[], records integer) RETURNS logwatch_private.episode[]
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    -- A backlog may take longer.
    most constant integer := logwatch_private.setting('rule_time_limit')::integer * (1 + records / 10000);
    found logwatch_private.episode[];
    part logwatch_private.episode[];
    one record;
BEGIN
    IF frames = '{}' THEN
        RETURN '{}';
    END IF;
    BEGIN
        PERFORM logwatch_private.limit_time(most);
        found := ARRAY(SELECT e FROM logwatch_private.episodes(frames) AS e);
        PERFORM logwatch_private.limit_time(0);
        RETURN found;
    EXCEPTION WHEN query_canceled THEN
        -- Somebody's own cancel is not the limit.
        IF NOT logwatch_private.time_was_up() THEN
            RAISE;
        END IF;
    END;
    -- All together took too long: rule by rule, so that the others go on.
    found := '{}';
    FOR one IN SELECT f.rule, array_agg(f) AS frames FROM unnest(frames) AS f GROUP BY f.rule ORDER BY f.rule LOOP
        BEGIN
            PERFORM logwatch_private.limit_time(most);
            part := ARRAY(SELECT e FROM logwatch_private.episodes(one.frames) AS e);
            PERFORM logwatch_private.limit_time(0);
            found := found || part;
        EXCEPTION WHEN query_canceled THEN
            IF NOT logwatch_private.time_was_up() THEN
                RAISE;
            END IF;
            UPDATE logwatch_private.known_rules AS k SET problem = format('its evaluation took longer than logwatch.rule_time_limit (%s ms)', most) WHERE k.name = one.rule;
        END;
    END LOOP;
    RETURN found;
END
$$;
COMMENT ON FUNCTION logwatch_private.evaluate(logwatch_private.frame[], integer) IS 'Returns the episodes of these frames; a rule that takes too long is left out until it is changed';

-- A quiet of less than keep_firing_for ends no episode: an alert that late records bring so near to
-- the one before begins where that ended.
CREATE FUNCTION logwatch_private.beginning(a logwatch.alerts, started_at timestamptz, keep_firing_for interval) RETURNS timestamptz
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT COALESCE(max(k.met_until), $2) FROM logwatch.alerts AS k
     WHERE k.rule = a.rule AND k.group_key = a.group_key AND k.state = 'resolved' AND k.closed IS NULL AND k.id <> a.id
       AND k.met_until BETWEEN $2 - $3 AND $2
    $$;
COMMENT ON FUNCTION logwatch_private.beginning(logwatch.alerts, timestamptz, interval)
    IS 'When an alert begins that late records make longer: at this time, or at the end of the alert before if only a short quiet is between them';

CREATE FUNCTION logwatch_private.keep_alerts(met logwatch_private.episode[], frames logwatch_private.frame[], asof timestamptz, OUT changed bigint[], OUT whole bigint[])
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    SET jit = off
    SET plan_cache_mode = force_generic_plan
    SET enable_nestloop = off
    SET enable_mergejoin = off
    -- Alerts of a month are kept: the indexes find those of a group.
    SET enable_seqscan = off
    AS $$
#variable_conflict use_column
DECLARE
    rest logwatch_private.episode[];   -- those that no open alert takes in
    ep record;
    a logwatch.alerts;
    fresh logwatch.alerts;         -- the alert that this check made last
BEGIN
    changed := '{}';
    whole := '{}';
    rest := NULLIF(met, '{}');
    -- Mostly an open alert goes on, or one rule fires. One that another session has locked waits
    -- for the next check.
    IF cardinality(met) > 10
       OR EXISTS (SELECT FROM unnest(met) AS e
                   WHERE EXISTS (SELECT FROM logwatch.alerts AS u WHERE u.rule = e.rule AND u.group_key = e.group_key AND u.state <> 'resolved' OFFSET 0)) THEN
        WITH one AS MATERIALIZED (
            SELECT e.rule, e.group_key, min(e.started_at) AS started_at, min(e.met_until) AS met_until, min(e.count) AS count, min(e.peak) AS peak
              FROM unnest(met) AS e GROUP BY 1, 2 HAVING count(*) = 1
        ), mine AS MATERIALIZED (
            SELECT u.id FROM logwatch.alerts AS u
             WHERE u.state <> 'resolved' AND EXISTS (SELECT FROM one WHERE one.rule = u.rule AND one.group_key = u.group_key)
               FOR UPDATE SKIP LOCKED
        ), updated AS (
            UPDATE logwatch.alerts AS u
               SET started_at = CASE WHEN one.started_at < u.started_at THEN logwatch_private.beginning(u, one.started_at, r.keep_firing_for) ELSE u.started_at END,
                   met_until = greatest(u.met_until, one.met_until),
                   count = CASE WHEN one.met_until >= u.met_until THEN one.count ELSE u.count END,
                   peak = greatest(u.peak, one.peak),
                   level = r.level::logwatch.level, threshold = r.threshold, within = r.within,
                   episodes = u.episodes + (one.started_at > u.met_until + r.keep_firing_for OR one.met_until + r.keep_firing_for < u.started_at)::integer
              FROM one JOIN logwatch.rules AS r ON r.name = one.rule
             WHERE u.rule = one.rule AND u.group_key = one.group_key AND u.state <> 'resolved' AND u.id IN (SELECT mine.id FROM mine)
               AND u.started_at <= one.met_until + r.keep_firing_for AND u.met_until + r.keep_firing_for >= one.started_at
            RETURNING u.rule, u.group_key
        )
        SELECT array_agg(e ORDER BY e.rule, e.group_key, e.started_at) INTO rest
          FROM unnest(met) AS e LEFT JOIN updated ON updated.rule = e.rule AND updated.group_key = e.group_key WHERE updated.rule IS NULL;
    END IF;

    -- Most of the others begin: one stretch of a group that has no alert which is open, or which
    -- the stretch touches.
    IF rest IS NOT NULL THEN
        WITH one AS MATERIALIZED (
            SELECT e.rule, e.group_key, min(e.started_at) AS started_at, min(e.met_until) AS met_until, min(e.count) AS count, min(e.peak) AS peak
              FROM unnest(rest) AS e GROUP BY 1, 2 HAVING count(*) = 1
        ), frame AS MATERIALIZED (
            SELECT f.* FROM logwatch_private.present_frames(frames, asof) AS f
        ), made AS (
            -- As follow_alerts() would: an UPDATE of thousands that were just made takes as long.
            INSERT INTO logwatch.alerts AS u (rule, group_by, group_key, state, level, threshold, within, started_at, met_until, fired_at, resolved_at, count, peak, holds_until, worst)
            SELECT one.rule, r.group_by, one.group_key,
                   CASE WHEN NOT v.goes_on THEN 'resolved' WHEN v.lasted THEN 'firing' ELSE 'pending' END,
                   r.level::logwatch.level, r.threshold, r.within, one.started_at, one.met_until,
                   CASE WHEN v.lasted THEN asof END, CASE WHEN NOT v.goes_on THEN asof END, one.count, one.peak,
                   CASE WHEN NOT v.goes_on THEN NULL
                        WHEN one.met_until < asof AND frame.rule IS NOT NULL THEN one.met_until
                        WHEN frame.is_steady
                        THEN COALESCE((SELECT h.until FROM logwatch_private.held_until(frame.selection, frame.grp, frame.level, frame.threshold, frame.within, frame.before, asof) AS h), one.met_until) END,
                   CASE WHEN v.goes_on AND v.lasted
                        THEN (SELECT w.level FROM logwatch_private.worst_between(s.id, frame.grp, frame.level, one.started_at - frame.within, one.met_until) AS w) END
              FROM one JOIN logwatch.rules AS r ON r.name = one.rule
              LEFT JOIN frame ON frame.rule = one.rule AND frame.group_key = one.group_key
              LEFT JOIN logwatch_private.selections AS s ON s.id = frame.selection AND s.since <= one.started_at - frame.within
             CROSS JOIN LATERAL (SELECT one.met_until - one.started_at >= r.for_at_least AS lasted,
                                        one.met_until + r.keep_firing_for > asof - interval '1 second' AS goes_on) AS v
             WHERE (v.lasted OR v.goes_on)
               AND NOT EXISTS (SELECT FROM logwatch.alerts AS k WHERE k.rule = one.rule AND k.group_key = one.group_key AND k.state <> 'resolved' OFFSET 0)
               AND NOT EXISTS (SELECT FROM logwatch.alerts AS k
                                WHERE k.rule = one.rule AND k.group_key = one.group_key AND k.state = 'resolved' AND k.met_until >= one.started_at - r.keep_firing_for
                                  AND k.started_at <= one.met_until + r.keep_firing_for OFFSET 0)
             ORDER BY one.rule, one.group_key
            RETURNING u.id, u.rule, u.group_key, u.worst
        )
        SELECT ARRAY(SELECT made.id FROM made ORDER BY made.id), ARRAY(SELECT made.id FROM made WHERE made.worst IS NOT NULL),
               ARRAY(SELECT e FROM unnest(rest) AS e WHERE NOT EXISTS (SELECT FROM made WHERE made.rule = e.rule AND made.group_key = e.group_key))
          INTO changed, whole, rest;
    END IF;

    FOR ep IN
        SELECT e.*, r.group_by, r.level::logwatch.level AS level, r.threshold, r.within, r.keep_firing_for,
               e.met_until - e.started_at >= r.for_at_least AS lasted,
               e.met_until + r.keep_firing_for > asof - interval '1 second' AS goes_on
          FROM unnest(rest) AS e
          JOIN logwatch.rules AS r ON r.name = e.rule
         ORDER BY e.rule, e.group_key, e.started_at
    LOOP
        PERFORM FROM logwatch.alerts AS k WHERE k.rule = ep.rule AND k.group_key = ep.group_key AND k.state <> 'resolved' FOR UPDATE SKIP LOCKED;
        IF NOT FOUND AND EXISTS (SELECT FROM logwatch.alerts AS k WHERE k.rule = ep.rule AND k.group_key = ep.group_key AND k.state <> 'resolved') THEN
            INSERT INTO logwatch_private.postponed (rule, grp, group_key, seconds)
            VALUES (ep.rule, logwatch_private.group_number(ep.group_by, ep.group_key), ep.group_key,
                    tstzmultirange(tstzrange(ep.started_at, ep.met_until + interval '1 second', '[]')));
            CONTINUE;
        END IF;
        -- Known already? An open one first, else the last that touches this stretch.
        SELECT * INTO a
          FROM (SELECT o.* FROM logwatch.alerts AS o WHERE o.state <> 'resolved' UNION ALL SELECT o.* FROM logwatch.alerts AS o WHERE o.state = 'resolved') AS k
         WHERE k.rule = ep.rule AND k.group_key = ep.group_key
           AND k.started_at <= ep.met_until + ep.keep_firing_for AND k.met_until + ep.keep_firing_for >= ep.started_at
         ORDER BY k.state <> 'resolved' DESC, k.met_until DESC
         LIMIT 1;
        IF FOUND AND a.state = 'resolved' AND a.id IS DISTINCT FROM fresh.id THEN
            IF ep.met_until <= a.met_until OR NOT ep.goes_on THEN
                -- Late records make what is over longer, on either side.
                PERFORM FROM logwatch.alerts AS k WHERE k.id = a.id FOR UPDATE SKIP LOCKED;
                CONTINUE WHEN NOT FOUND;
                UPDATE logwatch.alerts AS u
                   SET started_at = CASE WHEN ep.started_at < u.started_at THEN logwatch_private.beginning(u, ep.started_at, ep.keep_firing_for) ELSE u.started_at END,
                       met_until = greatest(u.met_until, ep.met_until), peak = greatest(u.peak, ep.peak)
                 WHERE u.id = a.id AND (u.started_at > ep.started_at OR u.met_until < ep.met_until OR u.peak < ep.peak);
                CONTINUE;
            END IF;
            -- A continuation of a resolved alert has already lasted long enough.
            ep.lasted := ep.lasted OR a.closed IS NULL;
            ep.started_at := CASE WHEN a.closed IS NULL THEN a.met_until ELSE greatest(ep.started_at, a.met_until) END;
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
               SET started_at = CASE WHEN ep.started_at < u.started_at THEN logwatch_private.beginning(u, ep.started_at, ep.keep_firing_for) ELSE u.started_at END,
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
    FOR a IN
        SELECT o.* FROM logwatch.alerts AS o
          LEFT JOIN logwatch.rules AS r ON r.name = o.rule
         CROSS JOIN LATERAL (SELECT CASE WHEN o.holds_until > asof THEN asof ELSE o.met_until END AS until) AS known
         WHERE o.state <> 'resolved'
           AND (r.enabled IS NOT TRUE OR known.until + r.keep_firing_for <= asof - interval '1 second'
                OR o.state = 'pending' AND known.until - o.started_at >= r.for_at_least)
         ORDER BY o.id
           FOR UPDATE OF o SKIP LOCKED
    LOOP
        SELECT r.keep_firing_for, r.enabled INTO ep FROM logwatch.rules AS r WHERE r.name = a.rule;
        IF FOUND AND ep.enabled AND (a.holds_until > asof OR a.met_until + ep.keep_firing_for > asof - interval '1 second') THEN
            UPDATE logwatch.alerts AS u SET state = 'firing', fired_at = asof, met_until = CASE WHEN a.holds_until > asof THEN asof ELSE u.met_until END
             WHERE u.id = a.id;
        ELSE
            PERFORM logwatch_private.end_alert(a, asof);
        END IF;
        changed := changed || a.id;
    END LOOP;
END
$$;
COMMENT ON FUNCTION logwatch_private.keep_alerts(logwatch_private.episode[], logwatch_private.frame[], timestamptz)
    IS 'Makes of episodes what they mean for alerts, and ends what is over; returns the ids of alerts whose state it changed, and of those that follow_alerts() need not look at';

CREATE FUNCTION logwatch_private.check(asof timestamptz DEFAULT clock_timestamp(), tells boolean DEFAULT true)
    RETURNS TABLE (alert_id bigint, rule text, group_key text, transition text, count bigint, message text)
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    SET jit = off
    SET plan_cache_mode = force_generic_plan
    -- Thousands of groups, or the sums of a new rule, must not go to the disk.
    SET work_mem = '64MB'
    AS $$
#variable_conflict use_column
DECLARE
    learned text[];
    tallies logwatch_private.tally[];
    touched logwatch_private.touch[];
    frames logwatch_private.frame[];
    any_absence boolean;
    silent logwatch_private.episode[] := '{}';
    kept record;                   -- ids of alerts
BEGIN
    PERFORM logwatch_private.hold();
    -- One check at a time; the other one sees what this one would have seen.
    IF NOT logwatch_private.take_turn('check') OR logwatch_private.joins_now() THEN
        RETURN;
    END IF;
    -- After the clock was set back, an alert that reaches into the future continues from now and
    -- ends like any other.
    IF EXISTS (SELECT FROM logwatch.alerts AS k WHERE k.state <> 'resolved' AND k.met_until > asof + interval '5 seconds') THEN
        UPDATE logwatch.alerts AS u SET started_at = least(u.started_at, asof), met_until = asof, holds_until = NULL
         WHERE u.id IN (SELECT k.id FROM logwatch.alerts AS k WHERE k.state <> 'resolved' AND k.met_until > asof + interval '5 seconds' FOR UPDATE SKIP LOCKED);
    END IF;

    any_absence := EXISTS (SELECT FROM logwatch.rules AS r WHERE r.kind = 'absence');
    IF any_absence THEN
        PERFORM logwatch_private.note_interruption(asof);
    END IF;
    IF NOT logwatch_private.renew_patterns() THEN
        RETURN;
    END IF;
    PERFORM logwatch_private.settle();
    -- Those that an older edge or session has brought.
    IF NOT logwatch_private.renew_patterns() THEN
        RETURN;
    END IF;
    learned := logwatch_private.learn_rules(asof);
    IF learned <> '{}' THEN
        -- Renames of this transaction.
        SET CONSTRAINTS logwatch.rules_rename_alerts IMMEDIATE;
        UPDATE logwatch.alerts AS u SET holds_until = NULL
         WHERE u.id IN (SELECT k.id FROM logwatch.alerts AS k
                         WHERE k.state <> 'resolved' AND k.rule = ANY (learned) AND k.holds_until IS NOT NULL FOR UPDATE SKIP LOCKED);
    END IF;
    tallies := logwatch_private.take(asof);
    IF tallies <> '{}' THEN
        PERFORM logwatch_private.add_patterns(tallies);
        PERFORM logwatch_private.match_patterns(tallies);
        touched := logwatch_private.roll(tallies, asof);
        IF EXISTS (SELECT FROM logwatch_private.taken) THEN
            touched := touched || logwatch_private.roll_fields(asof);
            DELETE FROM logwatch_private.taken;
        END IF;
    END IF;
    IF any_absence THEN
        PERFORM logwatch_private.end_missing_lines(asof);
        silent := ARRAY(SELECT s FROM logwatch_private.silences_of_sources(asof) AS s);
    END IF;
    frames := ARRAY(SELECT f FROM logwatch_private.check_frames(COALESCE(touched, '{}'), learned, asof) AS f);
    DELETE FROM logwatch_private.postponed;
    kept := logwatch_private.keep_alerts(logwatch_private.evaluate(frames, cardinality(tallies)) || silent, frames, asof);
    PERFORM logwatch_private.follow_alerts(frames, COALESCE(touched, '{}'), kept.changed, kept.whole, asof);
    PERFORM logwatch_private.announce(asof);
    UPDATE logwatch.progress AS p SET checked_at = asof, took = clock_timestamp() - asof;

    -- The worker has no use for words.
    IF NOT tells THEN
        RETURN;
    END IF;
    RETURN QUERY
        SELECT now_is.id, now_is.rule, now_is.group_key,
               CASE WHEN now_is.state = 'resolved' AND now_is.fired_at = now_is.resolved_at THEN 'late' ELSE now_is.state END,
               now_is.count,
               logwatch_private.alert_message(now_is, r)
          FROM (SELECT c.id, min(c.position) AS position FROM unnest(kept.changed) WITH ORDINALITY AS c (id, position) GROUP BY c.id) AS was
          JOIN logwatch.alerts AS now_is ON now_is.id = was.id
          LEFT JOIN logwatch.rules AS r ON r.name = now_is.rule
         ORDER BY was.position;
END
$$;
COMMENT ON FUNCTION logwatch_private.check(timestamptz, boolean) IS 'What logwatch_check() does; returns what changed when asked to';

CREATE FUNCTION logwatch_check() RETURNS TABLE (alert_id bigint, rule text, group_key text, transition text, count bigint, message text)
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    -- A large backlog takes several checks. What comes meanwhile is for the next call: in a storm
    -- something always does.
    checks bigint;
BEGIN
    PERFORM logwatch_private.hold();
    PERFORM logwatch_private.wait_for_restore();
    PERFORM logwatch_private.tend_fleet();
    checks := (SELECT 1 + COALESCE(sum(b.n), 0)::bigint / logwatch_private.most_taken() FROM logwatch.batches AS b WHERE b.first_at <= clock_timestamp());
    FOR round IN 1..20 LOOP
        RETURN QUERY SELECT * FROM logwatch_private.check();
        EXIT WHEN round >= checks AND logwatch_private.patterns_are_renewed();
    END LOOP;
    IF NOT logwatch_private.checks_elsewhere() THEN
        PERFORM logwatch_private.write_alert_file();
    END IF;
END
$$;
COMMENT ON FUNCTION logwatch_check() IS 'Evaluates the rules now and queues notifications; returns what changed: pending, firing, resolved, or late (over before it was noticed)';
