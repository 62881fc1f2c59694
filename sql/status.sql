-- The status: one row per rule, source, channel, the storage and the worker. It only reads, so that
-- it works on a hot standby.

CREATE FUNCTION logwatch_private.rule_message(kind text, state text, rule text, grouped_by text, level text, count bigint, threshold bigint, within_seconds bigint, expects text DEFAULT NULL)
    RETURNS text
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'rule_message_wrapper';
COMMENT ON FUNCTION logwatch_private.rule_message(text, text, text, text, text, bigint, bigint, bigint, text) IS 'State of a rule in one line; expects is the match of a rule that expects a line';

CREATE FUNCTION logwatch_private.worker_error() RETURNS text
    LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'worker_error_wrapper';
COMMENT ON FUNCTION logwatch_private.worker_error() IS 'Error of the worker''s last tick; NULL when it had none';

CREATE FUNCTION logwatch_private.heartbeat_error() RETURNS text
    LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'heartbeat_error_wrapper';
COMMENT ON FUNCTION logwatch_private.heartbeat_error() IS 'Error of the last request of logwatch.heartbeat_url; NULL when it succeeded';

CREATE FUNCTION logwatch_private.alert_file_error() RETURNS text
    LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'alert_file_error_wrapper';
COMMENT ON FUNCTION logwatch_private.alert_file_error() IS 'Error of the last write of the alert file; NULL when it succeeded';

CREATE FUNCTION logwatch_private.worker_status()
    RETURNS TABLE (state text, since timestamptz, message text, checked_at timestamptz, overdue boolean)
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    preloaded constant boolean := logwatch_private.server_setting('shared_preload_libraries') ~ '(^|[ ,"/])logwatch($|[ ,"])';
    worker_database constant text := logwatch_private.setting('database');
    here constant boolean := preloaded AND worker_database = current_database();
    last record;
    problem text;
    trouble text;
    upkeep constant text := logwatch_private.upkeep_words();
    copied text;
    restored text;
    paused_until constant timestamptz := to_timestamp(logwatch_private.worker_paused_until());
BEGIN
    since := to_timestamp(logwatch_private.worker_connected_at());
    IF pg_is_in_recovery() AND here THEN
        RETURN QUERY SELECT 'standby', NULL::timestamptz, 'This server is a standby; the worker starts at promotion.'::text, NULL::timestamptz, false;
        RETURN;
    END IF;
    SELECT * INTO last FROM logwatch_private.last_check(here);
    checked_at := last.at;
    overdue := last.overdue;
    copied := logwatch_private.copy_words();
    restored := logwatch_private.restore_words();
    IF restored IS NOT NULL THEN
        state := 'restoring';
        overdue := false;
        message := restored;
    ELSIF copied IS NOT NULL THEN
        state := 'copied';
        overdue := false;
        message := concat_ws(' ', copied, last.words);
    ELSIF NOT here AND last.at IS NOT NULL AND NOT last.overdue THEN
        state := 'scheduled';
        message := 'The worker does not serve this database, and something else calls logwatch_check(). ' || last.words;
    ELSIF NOT preloaded THEN
        state := 'off';
        message := format('The worker is off. Add to postgresql.conf and restart: shared_preload_libraries = %L and logwatch.database = %L. Without it, schedule logwatch_check() and logwatch_deliver() with pg_cron. %s',
                          concat_ws(',', nullif(logwatch_private.server_setting('shared_preload_libraries'), ''), 'logwatch'), current_database(), last.words);
    ELSIF worker_database IN ('template0', 'template1') THEN
        -- While a session is connected to it, CREATE DATABASE fails.
        state := 'off';
        message := format('The worker does not start: logwatch.database = %L is a template that CREATE DATABASE copies. Add to postgresql.conf and restart: logwatch.database = %L. %s',
                          worker_database, CASE WHEN here THEN 'postgres' ELSE current_database() END, last.words);
    ELSIF NOT here THEN
        state := 'elsewhere';
        message := format('The worker %s. To have it here, add to postgresql.conf and restart: logwatch.database = %L. %s',
                          CASE WHEN EXISTS (SELECT FROM pg_database AS d WHERE d.datname = worker_database) THEN 'runs in database ' || worker_database
                               ELSE format('waits for database %s, which does not exist', worker_database) END, current_database(), last.words);
    ELSIF paused_until IS NOT NULL THEN
        state := 'paused';
        overdue := false;
        message := format('The worker is paused until %s and is not connected. To end the pause: SELECT %s.logwatch_pause(interval ''0''); %s',
                          to_char(paused_until, 'YYYY-MM-DD HH24:MI:SS'), logwatch_private.schema(), last.words);
    ELSIF since IS NULL THEN
        state := 'starting';
        -- A worker too many is refused when PostgreSQL starts, which only the log tells.
        message := format('The worker is not running; it is restarted every few seconds, see the server log. If that has "too many background workers": raise max_worker_processes (now %s) and restart. %s',
                          current_setting('max_worker_processes'), last.words);
    ELSE
        problem := logwatch_private.library_problem();
        -- The row of channel file has the reason why the alert file cannot be written; everything
        -- else goes on.
        trouble := logwatch_private.worker_error();
        state := CASE WHEN problem IS NOT NULL THEN 'waiting' WHEN trouble IS NOT NULL THEN 'failing' WHEN last.overdue THEN 'overdue' ELSE 'running' END;
        message := concat_ws(' ', CASE WHEN last.overdue THEN 'Checks are overdue.' END,
                             CASE state WHEN 'waiting' THEN problem
                                        WHEN 'failing' THEN format('The worker fails and tries again: %s.', trouble)
                                        WHEN 'running' THEN format('Checks at every commit of new entries and every %s s. To let it disconnect for a while: SELECT %s.logwatch_pause(interval ''10 minutes'');',
                                                                   logwatch_private.setting('check_interval'), logwatch_private.schema()) END,
                             last.words);
    END IF;
    IF upkeep IS NOT NULL AND state IN ('running', 'scheduled') THEN
        state := 'failing';
    END IF;
    message := concat_ws(' ', message, upkeep, logwatch_private.misplaced_words(), logwatch_private.read_only_words(), logwatch_private.publication_words());
    RETURN NEXT;
END
$$;
COMMENT ON FUNCTION logwatch_private.worker_status() IS 'Whether the worker runs and checks, and what to type when it does not';

CREATE FUNCTION logwatch_private.library_problem() RETURNS text
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT format('The library is version %s and the extension %s. Type: ALTER EXTENSION logwatch UPDATE; and restart the server if it was not restarted since the new files came.',
                  logwatch_private.library_version(), e.extversion)
      FROM pg_extension AS e WHERE e.extname = 'logwatch' AND e.extversion <> logwatch_private.library_version()
    $$;
COMMENT ON FUNCTION logwatch_private.library_problem() IS 'Instruction for when library and extension differ; NULL when they agree';

CREATE FUNCTION logwatch_private.library_version() RETURNS text
    LANGUAGE c IMMUTABLE AS 'MODULE_PATHNAME', 'library_version_wrapper';
COMMENT ON FUNCTION logwatch_private.library_version() IS 'Version of the loaded library';

CREATE FUNCTION logwatch_private.rule_problem(rule text) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    -- A standby has no unlogged tables.
    IF pg_is_in_recovery() THEN
        RETURN NULL;
    END IF;
    RETURN (SELECT k.problem FROM logwatch_private.known_rules AS k WHERE k.name = rule);
END
$$;
COMMENT ON FUNCTION logwatch_private.rule_problem(text) IS 'Returns why a rule is left out of checks; NULL when it is not';

CREATE FUNCTION logwatch_private.matched_patterns(fingerprints bigint[]) RETURNS TABLE (fingerprint bigint, match text, exclude text)
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    SET jit = off
    SET enable_nestloop = off
    AS $$
#variable_conflict use_column
DECLARE
    -- A standby has no unlogged tables; the others know which expressions match most patterns.
    knows constant boolean := NOT pg_is_in_recovery();
    one record;
    expression integer := 1;
    untried bigint[];
    templates text[];
    tried integer[];
BEGIN
    IF knows THEN
        RETURN QUERY
        SELECT m.fingerprint, e.match, e.exclude
          FROM unnest(fingerprints) AS f JOIN logwatch_private.matches AS m ON m.fingerprint = f
         CROSS JOIN LATERAL unnest(m.expressions) AS x JOIN logwatch_private.expressions AS e ON e.id = x;
        SELECT array_agg(p.fingerprint), array_agg(p.template), array_agg(COALESCE(m.tried, 0)) INTO untried, templates, tried
          FROM unnest(fingerprints) AS f JOIN logwatch.patterns AS p ON p.fingerprint = f LEFT JOIN logwatch_private.matches AS m ON m.fingerprint = f
         WHERE COALESCE(m.tried, 0) < (SELECT max(e.id) FROM logwatch_private.expressions AS e);
    ELSE
        SELECT array_agg(p.fingerprint), array_agg(p.template), array_agg(0) INTO untried, templates, tried
          FROM unnest(fingerprints) AS f JOIN logwatch.patterns AS p ON p.fingerprint = f;
    END IF;
    -- Expression by expression: PostgreSQL keeps only a few compiled.
    FOR one IN SELECT DISTINCT r.match, r.exclude FROM logwatch.rules AS r
                WHERE r.kind <> 'absence' AND NOT logwatch_private.reads_fields(r) AND (r.match IS NOT NULL OR r.exclude IS NOT NULL)
    LOOP
        IF knows THEN
            SELECT e.id INTO expression FROM logwatch_private.expressions AS e WHERE e.match IS NOT DISTINCT FROM one.match AND e.exclude IS NOT DISTINCT FROM one.exclude;
        END IF;
        IF expression IS NULL THEN
            -- A rule that no check has seen.
            RETURN QUERY
            SELECT p.fingerprint, one.match, one.exclude
              FROM unnest(fingerprints) AS f JOIN logwatch.patterns AS p ON p.fingerprint = f WHERE logwatch_private.template_matches(p.template, one.match, one.exclude);
        ELSE
            RETURN QUERY
            SELECT u.fingerprint, one.match, one.exclude FROM unnest(untried, templates, tried) AS u (fingerprint, template, tried)
             WHERE u.tried < expression AND logwatch_private.template_matches(u.template, one.match, one.exclude);
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION logwatch_private.matched_patterns(bigint[]) IS 'Which of these patterns the match and exclude of a rule match';

CREATE FUNCTION logwatch_private.waiting_counts(asof timestamptz) RETURNS TABLE (rule text, grp bigint, n numeric)
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    SET jit = off
    AS $$
    WITH rule AS MATERIALIZED (
        SELECT r.name, r.source, r.group_by, r.match, r.exclude, r.level::logwatch.level AS level, asof - r.within AS after
          FROM logwatch.rules AS r WHERE r.kind <> 'absence' AND NOT logwatch_private.reads_fields(r)
    ), waiting AS MATERIALIZED (
        SELECT w.source_id, w.fingerprint, w.level, w.second, w.n FROM logwatch_private.waiting AS w
         WHERE w.second > (SELECT min(rule.after) FROM rule) AND w.second <= asof
    ), matched AS MATERIALIZED (
        SELECT * FROM logwatch_private.matched_patterns(ARRAY(SELECT DISTINCT w.fingerprint FROM waiting AS w))
    ), counted AS (
        SELECT r.name, r.source, r.group_by, w.source_id, w.fingerprint, w.n
          FROM waiting AS w JOIN rule AS r ON r.match IS NULL AND r.exclude IS NULL AND w.second > r.after AND w.level >= r.level
        UNION ALL
        SELECT r.name, r.source, r.group_by, w.source_id, w.fingerprint, w.n
          FROM matched AS m
          JOIN waiting AS w ON w.fingerprint = m.fingerprint
          JOIN rule AS r ON r.match IS NOT DISTINCT FROM m.match AND r.exclude IS NOT DISTINCT FROM m.exclude AND w.second > r.after AND w.level >= r.level
    )
    SELECT c.name, g.grp, sum(c.n)
      FROM counted AS c
     CROSS JOIN LATERAL (SELECT CASE c.group_by WHEN 'source' THEN c.source_id WHEN 'pattern' THEN c.fingerprint ELSE 0 END AS grp) AS g
     WHERE c.source = '*'
        OR EXISTS (SELECT FROM logwatch.sources AS s WHERE s.id = c.source_id AND logwatch_private.glob_matches(s.name, c.source))
     GROUP BY 1, 2
    $$;
COMMENT ON FUNCTION logwatch_private.waiting_counts(timestamptz)
    IS 'Records in each rule''s present window that no check has taken yet, by group; without those of patterns and sources that only the next check adds';

CREATE FUNCTION logwatch_private.sums_between(selection integer, lowest logwatch.level, after timestamptz, until timestamptz) RETURNS TABLE (grp bigint, n float8)
    LANGUAGE sql STABLE
    -- Part of the query that calls it. Only the minutes at the ends must be looked into. Sums of
    -- floats are exact up to 9e15, and much quicker than numeric ones.
    AS $$
    SELECT o.grp,
           CASE WHEN o.minute > after AND o.minute + interval '59 seconds' <= until THEN o.n::float8
                ELSE (SELECT COALESCE(sum((p / 60)::float8), 0) FROM unnest(o.points) AS p
                       WHERE o.minute + make_interval(secs => p % 60) > after AND o.minute + make_interval(secs => p % 60) <= until) END
      FROM logwatch_private.rolled AS o
     WHERE o.selection = $1 AND o.level >= lowest AND o.minute > after - interval '1 minute' AND o.minute <= until
    $$;
COMMENT ON FUNCTION logwatch_private.sums_between(integer, logwatch.level, timestamptz, timestamptz) IS 'Records of a selection between two times, as partial sums by group';

CREATE FUNCTION logwatch_private.window_counts(asof timestamptz) RETURNS TABLE (rule text, count bigint)
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    SET jit = off
    AS $$
#variable_conflict use_column
DECLARE
    rolled boolean := false;
BEGIN
    -- A standby has no unlogged tables; rules that no check has seen have no sums yet.
    IF NOT pg_is_in_recovery() THEN
        rolled := NOT EXISTS (SELECT FROM logwatch.rules AS r LEFT JOIN logwatch_private.known_rules AS k ON k.name = r.name AND k.updated_at = r.updated_at
                               WHERE r.enabled AND r.kind <> 'absence' AND k.selection IS NULL);
    END IF;
    IF rolled THEN
        -- The fullest group of each rule's present window, once for all rules that look at the
        -- same sums. Records that no check has taken may make another group the fullest.
        RETURN QUERY
        WITH rule AS MATERIALIZED (
            SELECT r.name, k.selection, r.level::logwatch.level AS level, asof - r.within AS after
              FROM logwatch.rules AS r JOIN logwatch_private.known_rules AS k ON k.name = r.name WHERE k.selection IS NOT NULL
        ), fullest AS MATERIALIZED (
            SELECT d.selection, d.level, d.after, max(g.n) AS n
              FROM (SELECT DISTINCT rule.selection, rule.level, rule.after FROM rule) AS d
             CROSS JOIN LATERAL (SELECT sum(s.n) AS n FROM logwatch_private.sums_between(d.selection, d.level, d.after, asof) AS s GROUP BY s.grp OFFSET 0) AS g
             GROUP BY 1, 2, 3
        ), waiting AS MATERIALIZED (
            SELECT w.rule, max(w.n + COALESCE((SELECT sum(s.n) FROM logwatch_private.sums_between(rule.selection, rule.level, rule.after, asof) AS s WHERE s.grp = w.grp), 0)) AS n
              FROM logwatch_private.waiting_counts(asof) AS w JOIN rule ON rule.name = w.rule GROUP BY 1
        )
        SELECT rule.name, greatest(f.n, w.n)::bigint
          FROM rule
          LEFT JOIN fullest AS f ON f.selection = rule.selection AND f.level = rule.level AND f.after = rule.after
          LEFT JOIN waiting AS w ON w.rule = rule.name;
        RETURN;
    END IF;
    RETURN QUERY
    SELECT summed.name, max(summed.n)::bigint FROM (
    SELECT grouped.name, grouped.grp, sum(grouped.n) AS n
      FROM (SELECT r.name, m.grp, sum(p / 60) AS n
              FROM logwatch.rules AS r
             CROSS JOIN LATERAL logwatch_private.minutes_of(r, asof - r.within, asof) AS m
             CROSS JOIN LATERAL unnest(m.points) AS p
             WHERE r.kind <> 'absence' AND m.minute + make_interval(secs => p % 60) > asof - r.within AND m.minute + make_interval(secs => p % 60) <= asof
             GROUP BY 1, 2
             UNION ALL SELECT w.rule, w.grp, w.n FROM logwatch_private.waiting_counts(asof) AS w) AS grouped
     GROUP BY 1, 2) AS summed GROUP BY 1;
END
$$;
COMMENT ON FUNCTION logwatch_private.window_counts(timestamptz) IS 'Records in each rule''s present window';

CREATE FUNCTION logwatch_private.channel_status(asof timestamptz)
    RETURNS TABLE (name text, state text, last_at timestamptz, waiting bigint, message text, is_broken boolean)
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT c.channel,
           CASE WHEN NOT c.configured THEN 'off'
                WHEN c.problem IS NOT NULL THEN 'error'
                WHEN q.failing > 0 OR q.hanging > 0 OR q.last_state = 'failed' THEN 'failing' ELSE 'ok' END,
           q.last_at, q.waiting,
           concat_ws(', ', c.problem,
               CASE WHEN c.configured AND c.problem IS NULL AND c.channel = 'file' THEN logwatch_private.setting('alert_file') END,
               CASE WHEN c.configured AND c.problem IS NULL AND c.channel = 'heartbeat' THEN format('requested every %s s while checks run', logwatch_private.setting('check_interval')) END,
               CASE WHEN c.configured AND c.channel NOT IN ('file', 'heartbeat') THEN format('%s waiting, %s sent and %s failed in 24 hours', q.waiting, q.sent, q.failed) END,
               CASE WHEN q.hanging > 0 THEN format('%s of them without a reply for more than a minute', q.hanging) END,
               CASE WHEN q.failing > 0 OR q.failed > 0 THEN 'last error: ' || q.last_error END),
           c.configured AND (c.problem IS NOT NULL OR q.hanging > 0 OR q.last_state = 'failed' OR q.late > 0)
      FROM (SELECT v.channel, logwatch_private.channel_configured(v.channel) AS configured, COALESCE(logwatch_private.channel_problem(v.channel), CASE v.channel WHEN 'file' THEN logwatch_private.alert_file_error() WHEN 'heartbeat' THEN logwatch_private.heartbeat_error() END) AS problem, v.position
              FROM unnest('{email,file,log,webhook}'::text[]
                          || ARRAY(SELECT 'heartbeat' WHERE logwatch_private.channel_configured('heartbeat'))
                          || ARRAY(SELECT unnest(logwatch_private.receiver_channels())
                                    UNION SELECT n.channel FROM logwatch.rules AS r CROSS JOIN unnest(r.channels || r.escalate_to) AS n (channel)
                                           WHERE r.enabled AND n.channel LIKE 'webhook:%' ORDER BY 1)) WITH ORDINALITY AS v (channel, position)) AS c
     CROSS JOIN LATERAL (
           SELECT count(*) FILTER (WHERE n.state IN ('queued', 'sending')) AS waiting,
                  count(*) FILTER (WHERE n.state = 'queued' AND n.attempts > 0) AS failing,
                  -- Greylisting takes minutes.
                  count(*) FILTER (WHERE n.state = 'queued' AND n.attempts > 0 AND n.created_at < asof - interval '15 minutes') AS late,
                  count(*) FILTER (WHERE n.state = 'sending' AND n.leased_at < asof - interval '1 minute') AS hanging,
                  count(*) FILTER (WHERE n.state = 'sent') AS sent,
                  count(*) FILTER (WHERE n.state = 'failed') AS failed,
                  max(n.sent_at) AS last_at,
                  (array_agg(n.state ORDER BY n.ended_at DESC, n.id DESC) FILTER (WHERE n.ended_at IS NOT NULL))[1] AS last_state,
                  (array_agg(n.last_error ORDER BY n.id DESC) FILTER (WHERE n.last_error IS NOT NULL))[1] AS last_error
             FROM logwatch.notifications AS n
            WHERE n.channel = c.channel AND (n.created_at > asof - interval '24 hours' OR n.state IN ('queued', 'sending'))) AS q
     ORDER BY c.position;
END
$$;
COMMENT ON FUNCTION logwatch_private.channel_status(timestamptz) IS 'State of each channel, and whether somebody has to look after it';

CREATE FUNCTION logwatch_private.read_status(asof timestamptz)
    RETURNS TABLE (component text, name text, state text, since timestamptz, count bigint, threshold bigint, message text)
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    SET jit = off
    SET plan_cache_mode = force_generic_plan
    AS $$
#variable_conflict use_column
DECLARE
    any_silence constant boolean := logwatch_private.any_silence(asof);
BEGIN
    PERFORM logwatch_private.hold();
    RETURN QUERY
    SELECT 'rule', r.name, judged.state, s.since, COALESCE(w.count, 0), r.threshold,
           CASE WHEN judged.state = 'error' THEN format('Rule %s is left out of checks: %s. Change it, and the next check tries it again.', r.name, problem.text)
                ELSE logwatch_private.rule_message(r.kind, judged.state, r.name, CASE WHEN s.groups > 1 THEN format('%s groups', s.groups) ELSE s.grouped_by END,
                                 r.level, COALESCE(w.count, 0), r.threshold, extract(epoch FROM r.within)::bigint,
                                 CASE WHEN logwatch_private.expects_lines(r) THEN r.match END) || COALESCE('; ' || logwatch_private.lacks_fields(r), '') || COALESCE('; ' || logwatch_private.missing_names(r), '') END
      FROM logwatch.rules AS r
      LEFT JOIN logwatch_private.window_counts(asof) AS w ON w.rule = r.name
     CROSS JOIN LATERAL (
           SELECT CASE WHEN NOT r.enabled THEN 'disabled'
                       WHEN bool_or(a.state = 'firing') THEN CASE WHEN bool_and(any_silence AND logwatch_private.is_silenced(a, asof)) FILTER (WHERE a.state = 'firing') THEN 'silenced' ELSE 'firing' END
                       WHEN bool_or(a.state = 'pending') THEN 'pending'
                       ELSE 'ok' END AS state,
                  COALESCE(min(a.started_at), (SELECT max(q.resolved_at) FROM logwatch.alerts AS q WHERE q.rule = r.name AND q.state = 'resolved')) AS since,
                  count(a.id) AS groups,
                  COALESCE(logwatch_private.group_label(max(a.group_by), max(a.group_key)), '') AS grouped_by
             FROM logwatch.alerts AS a WHERE a.rule = r.name AND a.state <> 'resolved') AS s
     CROSS JOIN LATERAL (SELECT logwatch_private.rule_problem(r.name) AS text) AS problem
     -- A check would have made an alert of it; the other kinds compare more than a count.
     CROSS JOIN LATERAL (SELECT CASE WHEN r.enabled AND problem.text IS NOT NULL THEN 'error' WHEN s.state = 'ok' AND r.kind = 'threshold' AND r.min_sources = 1 AND w.count >= r.threshold
                                     THEN 'unchecked' ELSE s.state END AS state) AS judged
     ORDER BY judged.state = 'ok', r.name;

    RETURN QUERY SELECT 'source', src.name, src.state, src.since, src.count, NULL::bigint, src.message FROM logwatch_private.source_status(asof) AS src;

    RETURN QUERY SELECT 'channel', c.name, c.state, c.last_at, c.waiting, NULL::bigint, c.message FROM logwatch_private.channel_status(asof) AS c;

    RETURN QUERY SELECT 'storage', 'entries', d.state, NULL::timestamptz, NULL::bigint, NULL::bigint, d.message FROM logwatch_private.disk_status(asof) AS d;

    IF logwatch_private.may_read_settings() THEN
        RETURN QUERY
        SELECT 'setting', u.name, 'unknown', NULL::timestamptz, NULL::bigint, NULL::bigint,
               format('There is no setting of this name. Did you mean %s? See %s, line %s.', u.nearest, u.file, u.line)
          FROM logwatch_private.unknown_settings() AS u;
    ELSE
        RETURN QUERY
        SELECT 'setting', '*', 'unknown', NULL::timestamptz, NULL::bigint, NULL::bigint,
               format('Misspelt settings are not looked for: role %I, which owns logwatch, may not read the configuration files. To allow it: GRANT pg_monitor TO %I; GRANT SELECT ON pg_catalog.pg_file_settings TO %I; GRANT EXECUTE ON FUNCTION pg_catalog.pg_show_all_file_settings() TO %I;',
                      current_user, current_user, current_user, current_user);
    END IF;

    RETURN QUERY SELECT s.component, s.name, s.state, NULL::timestamptz, NULL::bigint, NULL::bigint, s.message FROM logwatch_private.shadow_status() AS s;

    RETURN QUERY SELECT f.role, f.name, f.state, f.heard_at, f.per_minute, NULL::bigint, f.message FROM logwatch_private.read_fleet() AS f;
END
$$;
COMMENT ON FUNCTION logwatch_private.read_status(timestamptz) IS 'All rows of logwatch_status() except the worker''s';

CREATE FUNCTION logwatch_status()
    RETURNS TABLE (component text, name text, state text, since timestamptz, count bigint, threshold bigint, message text)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    -- A locked table must not hide the worker's row, which says who has locked it.
    SET lock_timeout = '500ms'
    AS $$
#variable_conflict use_column
BEGIN
    BEGIN
        RETURN QUERY SELECT * FROM logwatch_private.read_status(clock_timestamp());
    EXCEPTION WHEN lock_not_available THEN
        RETURN QUERY SELECT 'rule', '*', 'unknown', NULL::timestamptz, NULL::bigint, NULL::bigint,
                            'Rules, sources and channels cannot be read: another session has locked a table for more than 0.5 s. See the worker''s row.'::text;
    END;
    BEGIN
        RETURN QUERY SELECT 'worker', 'worker', w.state, w.since, NULL::bigint, NULL::bigint, w.message FROM logwatch_private.worker_status() AS w;
    EXCEPTION WHEN lock_not_available THEN
        -- DROP EXTENSION locks all tables, this function's too.
        RETURN QUERY SELECT 'worker', 'worker', 'unknown', NULL::timestamptz, NULL::bigint, NULL::bigint,
                            'The worker''s state cannot be read: another session has locked a table for more than 0.5 s.'::text;
    END;
END
$$;
COMMENT ON FUNCTION logwatch_status() IS 'Status of logwatch: one row per rule, source, channel, the storage, misspelt setting, function of another role, edge or centre of a fleet, and the worker; reads only';
