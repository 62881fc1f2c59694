-- From new batches to sums per rule and group: the part of a check whose cost follows what is new.
--
--   batches ──take──▶ tallies ──┬──▶ minutes    all that was ever counted, per source and pattern
--   (queue)          (what is   ├──▶ arrivals   how much came, per source
--                     new)      └──roll──▶ rolled     sums per selection and group
--                                            │
--                                            ▼
--                                 touched groups ──▶ episodes.sql ──▶ check.sql
--
-- A *selection* is the part of a rule that decides which records it counts and how it groups them;
-- rules with the same one share its sums. An *expression* is a pair of regular expressions; the
-- patterns that it matches are found once and kept in matches. All tables here can be rebuilt from
-- rules, patterns and minutes: they are unlogged, not dumped, and empty after a crash.

CREATE TYPE logwatch_private.tally AS (second timestamptz, source_id bigint, level logwatch.level, fingerprint bigint, n bigint);
COMMENT ON TYPE logwatch_private.tally IS 'Records of one second, source and pattern';
CREATE TYPE logwatch_private.touch AS (selection integer, grp bigint, group_key text, seconds tstzmultirange, worst logwatch.level, first_seen timestamptz);
COMMENT ON TYPE logwatch_private.touch IS 'A group of a selection that has new records: their seconds, highest level, and when the youngest of their patterns was first seen';

CREATE UNLOGGED TABLE logwatch_private.expressions (
    id      integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    match   text,
    exclude text
);
COMMENT ON SEQUENCE logwatch_private.expressions_id_seq IS 'Ids of logwatch_private.expressions';
COMMENT ON TABLE logwatch_private.expressions IS 'The pairs of regular expressions that rules have';

CREATE UNLOGGED TABLE logwatch_private.matches (
    fingerprint bigint PRIMARY KEY,
    tried       integer NOT NULL,
    expressions integer[] NOT NULL
);
CREATE INDEX matches_expressions_idx ON logwatch_private.matches USING gin (expressions) WITH (fastupdate = off) WHERE expressions OPERATOR(pg_catalog.<>) '{}';
COMMENT ON TABLE logwatch_private.matches IS 'Which expressions match a pattern, found out when it comes: all those with an id up to tried';

CREATE UNLOGGED TABLE logwatch_private.selections (
    id         integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source     text NOT NULL,
    expression integer,
    group_by   text NOT NULL,
    reach      interval NOT NULL,
    since      timestamptz NOT NULL,
    where_fields jsonb,
    by_fields  boolean NOT NULL DEFAULT false
);
COMMENT ON SEQUENCE logwatch_private.selections_id_seq IS 'Ids of logwatch_private.selections';
COMMENT ON TABLE logwatch_private.selections IS 'What rules count: the sources of a glob, the patterns of an expression (NULL for all), grouped by none, source, pattern or a field';
COMMENT ON COLUMN logwatch_private.selections.by_fields IS 'Its sums are of entries, whose fields it groups or filters by';
COMMENT ON COLUMN logwatch_private.selections.reach IS 'How far back its rules look';
COMMENT ON COLUMN logwatch_private.selections.since IS 'From this minute on rolled has all records of the selection';

CREATE UNLOGGED TABLE logwatch_private.rolled (
    selection integer NOT NULL,
    grp       bigint NOT NULL,
    minute    timestamptz NOT NULL,
    level     logwatch.level NOT NULL,
    n         bigint NOT NULL,
    points    bigint[] NOT NULL,
    PRIMARY KEY (selection, grp, minute, level)
) WITH (fillfactor = 70);
CREATE INDEX rolled_minute_idx ON logwatch_private.rolled (minute);
ALTER TABLE logwatch_private.rolled SET (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 20000, autovacuum_vacuum_cost_delay = 0);
COMMENT ON TABLE logwatch_private.rolled IS 'Records per selection, group and minute, with their seconds as in minutes';
COMMENT ON COLUMN logwatch_private.rolled.grp IS 'Source id, fingerprint or hash of a field''s value by the selection''s group_by; 0 for none';

CREATE UNLOGGED TABLE logwatch_private.known_rules (
    name       text PRIMARY KEY,
    updated_at timestamptz NOT NULL,
    selection  integer,
    by_source  integer,
    problem    text
);
COMMENT ON TABLE logwatch_private.known_rules IS 'The rules as the last check evaluated them';
COMMENT ON COLUMN logwatch_private.known_rules.by_source IS 'The same selection grouped by source, for min_sources';
COMMENT ON COLUMN logwatch_private.known_rules.problem IS 'Why the rule is not evaluated until it is changed';

CREATE UNLOGGED TABLE logwatch_private.postponed (
    rule      text NOT NULL,
    grp       bigint NOT NULL,
    group_key text NOT NULL,
    seconds   tstzmultirange NOT NULL
);
COMMENT ON TABLE logwatch_private.postponed IS 'What the next check evaluates because another session had locked the alert';

CREATE FUNCTION logwatch_private.forget_rolled() RETURNS void
    LANGUAGE sql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
    -- Waits for a check that is learning a rule; the next statement sees all that it has done.
    SELECT FROM logwatch_private.selections FOR UPDATE;
    WITH rules AS (
        DELETE FROM logwatch_private.known_rules
    ), selections AS (
        DELETE FROM logwatch_private.selections
    ), groups AS (
        DELETE FROM logwatch_private.field_groups
    ), postponed AS (
        DELETE FROM logwatch_private.postponed
    )
    DELETE FROM logwatch_private.rolled;
    UPDATE logwatch.alerts SET holds_until = NULL WHERE holds_until IS NOT NULL;
    $$;
COMMENT ON FUNCTION logwatch_private.forget_rolled() IS 'Makes the next check build its sums anew: after minutes were changed by anything but a check';

CREATE FUNCTION logwatch_private.minutes_truncated() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    PERFORM logwatch_private.forget_rolled();
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION logwatch_private.minutes_truncated() IS 'Forgets what was derived from minutes';
CREATE TRIGGER minutes_truncated AFTER TRUNCATE ON logwatch.minutes FOR EACH STATEMENT EXECUTE FUNCTION logwatch_private.minutes_truncated();
COMMENT ON TRIGGER minutes_truncated ON logwatch.minutes IS 'Forgets what was derived from the rows';

CREATE FUNCTION logwatch_private.gather_points(state internal, points bigint[], n bigint) RETURNS internal
    LANGUAGE c IMMUTABLE AS 'MODULE_PATHNAME', 'gather_points_wrapper';
COMMENT ON FUNCTION logwatch_private.gather_points(internal, bigint[], bigint) IS 'Adds a row''s points to those of sum_points()';

CREATE FUNCTION logwatch_private.gathered_points(state internal) RETURNS bigint[]
    LANGUAGE c IMMUTABLE AS 'MODULE_PATHNAME', 'gathered_points_wrapper';
COMMENT ON FUNCTION logwatch_private.gathered_points(internal) IS 'Returns the points of sum_points()';

-- By the size of a state the planner finds how many groups fit in memory.
CREATE AGGREGATE logwatch_private.sum_points(points bigint[], n bigint)
    (SFUNC = logwatch_private.gather_points, STYPE = internal, SSPACE = 500, FINALFUNC = logwatch_private.gathered_points);
COMMENT ON AGGREGATE logwatch_private.sum_points(bigint[], bigint) IS 'Adds up the points of each second, by second; the n records of a row without points count at the start of its minute';

CREATE FUNCTION logwatch_private.second_above(points bigint[], surplus double precision, until double precision) RETURNS double precision
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'second_above_wrapper';
COMMENT ON FUNCTION logwatch_private.second_above(bigint[], double precision, double precision)
    IS 'Returns the first second of a minute up to which more than surplus records came, of the seconds before until; NULL when there is none';

CREATE FUNCTION logwatch_private.merge_points(points bigint[]) RETURNS bigint[]
    LANGUAGE sql IMMUTABLE
    AS $$ SELECT logwatch_private.sum_points(points, 0) $$;
COMMENT ON FUNCTION logwatch_private.merge_points(bigint[]) IS 'Adds up the points of each second';

CREATE FUNCTION logwatch_private.add_points(known bigint[], new bigint[]) RETURNS bigint[]
    LANGUAGE sql IMMUTABLE
    -- Part of the query that calls it: few minutes have so many points that they must be merged.
    AS $$ SELECT CASE WHEN cardinality(known) + cardinality(new) <= 120 THEN known || new ELSE logwatch_private.merge_points(known || new) END $$;
COMMENT ON FUNCTION logwatch_private.add_points(bigint[], bigint[]) IS 'Appends points, and adds up those of each second once there are many';

CREATE FUNCTION logwatch_private.template_matches(template text, match text, exclude text) RETURNS boolean
    LANGUAGE sql IMMUTABLE
    AS $$
    SELECT (match IS NULL OR logwatch_private.pattern_matches(template, match))
       AND (exclude IS NULL OR NOT logwatch_private.pattern_matches(template, exclude))
    $$;
COMMENT ON FUNCTION logwatch_private.template_matches(text, text, text) IS 'Whether a template matches a rule''s match and not its exclude';

CREATE FUNCTION logwatch_private.template_matches_once(template text, match text, exclude text) RETURNS boolean
    LANGUAGE sql IMMUTABLE
    -- Part of the query that calls it. A cache takes three times as long where each answer is
    -- asked for once.
    AS $$ SELECT (match IS NULL OR template OPERATOR(pg_catalog.~) match) AND (exclude IS NULL OR template OPERATOR(pg_catalog.!~) exclude) $$;
COMMENT ON FUNCTION logwatch_private.template_matches_once(text, text, text) IS 'As template_matches(), without the cache of the session';

CREATE FUNCTION logwatch_private.group_number(group_by text, group_key text) RETURNS bigint
    LANGUAGE sql STABLE
    AS $$
    SELECT CASE WHEN group_by = 'source' OR group_by LIKE 'field:%' THEN logwatch_private.source_id(group_key)
                         WHEN group_by = 'pattern' THEN ('x' || lpad(group_key, 16, '0'))::bit(64)::bigint
                         ELSE 0 END
    $$;
COMMENT ON FUNCTION logwatch_private.group_number(text, text) IS 'Returns the number by which sums know an alert''s group';

CREATE FUNCTION logwatch_private.expression(match text, exclude text) RETURNS integer
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    found integer;
BEGIN
    IF match IS NULL AND exclude IS NULL THEN
        RETURN NULL;
    END IF;
    SELECT e.id INTO found FROM logwatch_private.expressions AS e WHERE e.match IS NOT DISTINCT FROM $1 AND e.exclude IS NOT DISTINCT FROM $2;
    IF found IS NULL THEN
        INSERT INTO logwatch_private.expressions AS e (match, exclude) VALUES ($1, $2) RETURNING e.id INTO found;
    END IF;
    RETURN found;
END
$$;
COMMENT ON FUNCTION logwatch_private.expression(text, text) IS 'Returns the number of a pair of regular expressions; NULL where there is none';

CREATE FUNCTION logwatch_private.selection(r logwatch.rules, reach interval, asof timestamptz) RETURNS integer
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    SET jit = off
    AS $$
DECLARE
    wanted constant integer := logwatch_private.expression(r.match, r.exclude);
    start constant timestamptz := logwatch_private.start_of_minute(asof - reach);
    found logwatch_private.selections;
    places bigint[];
BEGIN
    -- The lock keeps upkeep from deleting one that no rule had before.
    SELECT * INTO found FROM logwatch_private.selections AS s
     WHERE s.source = r.source AND s.group_by = r.group_by AND s.expression IS NOT DISTINCT FROM wanted AND s.where_fields IS NOT DISTINCT FROM r.where_fields
       FOR UPDATE;
    IF found.since <= start THEN
        UPDATE logwatch_private.selections AS s SET reach = greatest(s.reach, $2) WHERE s.id = found.id AND s.reach < $2;
        RETURN found.id;
    END IF;
    IF found.id IS NULL THEN
        INSERT INTO logwatch_private.selections AS s (source, expression, group_by, reach, since, where_fields, by_fields)
        VALUES (r.source, wanted, r.group_by, reach, start, r.where_fields, logwatch_private.reads_fields(r))
        RETURNING * INTO found;
    ELSE
        UPDATE logwatch_private.selections AS s SET reach = greatest(s.reach, $2), since = start WHERE s.id = found.id;
        DELETE FROM logwatch_private.rolled AS o WHERE o.selection = found.id;
    END IF;
    -- Rules of all levels share the sums.
    r.level := 'DEBUG';
    IF found.by_fields THEN
        -- Without those of batches that wait: a check adds them when it takes the batch.
        PERFORM logwatch_private.sum_entries(r, found.id, start);
        RETURN found.id;
    END IF;
    places := logwatch_private.places_of(r, NULL);
    EXECUTE format(
        'INSERT INTO logwatch_private.rolled (selection, grp, minute, level, n, points)
         SELECT $8, s.grp, s.minute, s.level, sum(s.n), logwatch_private.sum_points(s.points, s.n)
           FROM (%s) AS s WHERE s.minute >= $1 GROUP BY 2, 3, 4 ORDER BY 2, 3, 4',
        logwatch_private.minutes_query('m.n, m.points', r, NULL, places))
        USING start, 'infinity'::timestamptz, NULL::bigint[], places, r.match, r.exclude, r.level::logwatch.level, found.id;
    RETURN found.id;
END
$$;
COMMENT ON FUNCTION logwatch_private.selection(logwatch.rules, interval, timestamptz)
    IS 'Returns the number of a rule''s selection, and adds up its sums where they do not reach back far enough';

CREATE FUNCTION logwatch_private.around(r logwatch.rules) RETURNS interval
    LANGUAGE sql IMMUTABLE
    -- A stretch that must last may begin before, or end after, what is new.
    AS $$ SELECT CASE WHEN r.for_at_least > interval '0' THEN r.for_at_least + r.keep_firing_for ELSE interval '0' END $$;
COMMENT ON FUNCTION logwatch_private.around(logwatch.rules) IS 'How far before and after new records a rule is evaluated besides its window';

CREATE FUNCTION logwatch_private.learn_rules(asof timestamptz) RETURNS text[]
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    r logwatch.rules;
    changed text[] := '{}';
    reach interval;
    selected integer;
    by_source integer;
BEGIN
    FOR r IN SELECT l.* FROM logwatch.rules AS l LEFT JOIN logwatch_private.known_rules AS k ON k.name = l.name
              WHERE k.updated_at IS DISTINCT FROM l.updated_at ORDER BY l.name
    LOOP
        changed := changed || r.name;
        selected := NULL;
        by_source := NULL;
        IF r.enabled AND r.kind <> 'absence' THEN
            -- Records that are some minutes late are found here; later ones are in minutes.
            reach := r.within + 2 * logwatch_private.around(r) + interval '15 minutes' + CASE r.kind WHEN 'spike' THEN interval '8 days' ELSE '0' END;
            selected := logwatch_private.selection(r, reach, asof);
            IF r.min_sources > 1 AND r.group_by = 'none' THEN
                r.group_by := 'source';
                by_source := logwatch_private.selection(r, reach, asof);
            END IF;
        END IF;
        INSERT INTO logwatch_private.known_rules AS k (name, updated_at, selection, by_source) VALUES (r.name, r.updated_at, selected, by_source)
            ON CONFLICT (name) DO UPDATE SET updated_at = EXCLUDED.updated_at, selection = EXCLUDED.selection, by_source = EXCLUDED.by_source, problem = NULL;
    END LOOP;
    -- All rules are known by now: the numbers differ only where one is gone.
    IF (SELECT count(*) FROM logwatch_private.known_rules) <> (SELECT count(*) FROM logwatch.rules) THEN
        DELETE FROM logwatch_private.known_rules AS k WHERE NOT EXISTS (SELECT FROM logwatch.rules AS l WHERE l.name = k.name);
    END IF;
    RETURN changed;
END
$$;
COMMENT ON FUNCTION logwatch_private.learn_rules(timestamptz) IS 'Takes in rules that are new or changed; returns their names';

CREATE FUNCTION logwatch_private.match_patterns(tallies logwatch_private.tally[]) RETURNS void
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    SET jit = off
    SET enable_seqscan = off
    AS $$
DECLARE
    newest constant integer := (SELECT max(e.id) FROM logwatch_private.expressions AS e);
    most constant integer := logwatch_private.setting('rule_time_limit')::integer * (1 + cardinality(tallies) / 10000);
    fingerprints bigint[];
    templates text[];
    tried integer[];
    one logwatch_private.expressions;
    part bigint[];
    hits bigint[];                 -- fingerprints, and in the same order
    hit_by integer[];                  -- the expressions that match them
BEGIN
    IF newest IS NULL THEN
        RETURN;
    END IF;
    SELECT array_agg(p.fingerprint), array_agg(p.template), array_agg(COALESCE(m.tried, 0)) INTO fingerprints, templates, tried
      FROM (SELECT DISTINCT t.fingerprint FROM unnest(tallies) AS t) AS t
     CROSS JOIN LATERAL (SELECT * FROM logwatch.patterns AS k WHERE k.fingerprint = t.fingerprint OFFSET 0) AS p
      LEFT JOIN LATERAL (SELECT * FROM logwatch_private.matches AS k WHERE k.fingerprint = t.fingerprint OFFSET 0) AS m ON true
     WHERE m.tried IS NULL OR m.tried < newest;
    IF fingerprints IS NULL THEN
        RETURN;
    END IF;
    BEGIN
        PERFORM logwatch_private.limit_time(most);
        SELECT array_agg(t.fingerprint), array_agg(e.id) INTO hits, hit_by
          FROM (SELECT x.*, COALESCE(logwatch_private.is_plain(x.match), true) AND COALESCE(logwatch_private.is_plain(x.exclude), true) AS is_plain
                  FROM logwatch_private.expressions AS x OFFSET 0) AS e
         -- Expression by expression: PostgreSQL keeps only a few compiled.
         CROSS JOIN LATERAL (SELECT u.fingerprint FROM unnest(fingerprints, templates, tried) AS u (fingerprint, template, tried)
                              WHERE u.tried < e.id AND CASE WHEN e.is_plain THEN logwatch_private.template_matches(u.template, e.match, e.exclude)
                                                           ELSE logwatch_private.template_matches_once(u.template, e.match, e.exclude) END OFFSET 0) AS t;
        PERFORM logwatch_private.limit_time(0);
    EXCEPTION WHEN query_canceled THEN
        IF NOT logwatch_private.time_was_up() THEN
            RAISE;
        END IF;
        hits := '{}';
        hit_by := '{}';
        FOR one IN SELECT x.* FROM logwatch_private.expressions AS x ORDER BY x.id LOOP
            BEGIN
                PERFORM logwatch_private.limit_time(most);
                SELECT array_agg(u.fingerprint) INTO part FROM unnest(fingerprints, templates, tried) AS u (fingerprint, template, tried)
                 WHERE u.tried < one.id AND logwatch_private.template_matches_once(u.template, one.match, one.exclude);
                PERFORM logwatch_private.limit_time(0);
                hits := hits || COALESCE(part, '{}');
                hit_by := hit_by || array_fill(one.id, ARRAY[COALESCE(cardinality(part), 0)]);
            EXCEPTION WHEN query_canceled THEN
                IF NOT logwatch_private.time_was_up() THEN
                    RAISE;
                END IF;
                -- The rules that have it are left out until they are changed; the others go on.
                UPDATE logwatch_private.known_rules AS k
                   SET problem = format('its regular expression took longer than logwatch.rule_time_limit (%s ms)', most)
                  FROM logwatch_private.selections AS s WHERE s.expression = one.id AND (k.selection = s.id OR k.by_source = s.id);
                DELETE FROM logwatch_private.expressions AS x WHERE x.id = one.id;
            END;
        END LOOP;
    END;
    INSERT INTO logwatch_private.matches AS m (fingerprint, tried, expressions)
    SELECT u.fingerprint, newest, COALESCE(h.expressions, '{}')
      FROM unnest(fingerprints) AS u (fingerprint)
      LEFT JOIN (SELECT t.fingerprint, array_agg(t.expression) AS expressions FROM unnest(hits, hit_by) AS t (fingerprint, expression) GROUP BY 1) AS h USING (fingerprint)
        ON CONFLICT (fingerprint) DO UPDATE SET tried = EXCLUDED.tried, expressions = m.expressions || EXCLUDED.expressions;
END
$$;
COMMENT ON FUNCTION logwatch_private.match_patterns(logwatch_private.tally[]) IS 'Finds out which expressions match the patterns of these tallies, where that is not known yet';

CREATE FUNCTION logwatch_private.roll(tallies logwatch_private.tally[], asof timestamptz) RETURNS logwatch_private.touch[]
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    SET jit = off
    SET enable_seqscan = off
    SET plan_cache_mode = force_generic_plan
    SET enable_nestloop = off
    SET enable_mergejoin = off
    AS $$
DECLARE
    oldest constant timestamptz := asof - make_interval(secs => logwatch_private.setting('max_lateness')::integer);
    touched logwatch_private.touch[];
BEGIN
    WITH tally AS MATERIALIZED (
        SELECT * FROM unnest(tallies)
    ), pattern AS MATERIALIZED (
        SELECT t.fingerprint, p.first_seen, m.expressions
          FROM (SELECT DISTINCT tally.fingerprint FROM tally) AS t
          LEFT JOIN LATERAL (SELECT k.first_seen FROM logwatch.patterns AS k WHERE k.fingerprint = t.fingerprint OFFSET 0) AS p ON true
          LEFT JOIN LATERAL (SELECT k.expressions FROM logwatch_private.matches AS k WHERE k.fingerprint = t.fingerprint OFFSET 0) AS m ON true
    ), concerned AS MATERIALIZED (
        SELECT s.* FROM logwatch_private.selections AS s
         WHERE NOT s.by_fields
           AND (s.expression IS NULL OR s.expression IN (SELECT e FROM pattern CROSS JOIN LATERAL unnest(pattern.expressions) AS e))
    ), place AS MATERIALIZED (
        -- The selections whose glob means a source: most globs are plain names.
        SELECT src.id AS source_id, src.name, sel.id AS selection, sel.expression, sel.group_by, sel.since
          FROM logwatch.sources AS src
          JOIN concerned AS sel ON sel.source = src.name
         WHERE src.id IN (SELECT tally.source_id FROM tally)
        UNION ALL
        SELECT src.id, src.name, sel.id, sel.expression, sel.group_by, sel.since
          FROM (SELECT DISTINCT s.source AS glob FROM concerned AS s WHERE s.source ~ '[*?]') AS g
         CROSS JOIN LATERAL (SELECT s.id, s.name FROM logwatch.sources AS s
                              WHERE s.id IN (SELECT tally.source_id FROM tally) AND logwatch_private.glob_matches(s.name, g.glob) AND s.name <> g.glob OFFSET 0) AS src
          JOIN concerned AS sel ON sel.source = g.glob
    ), whole AS MATERIALIZED (
        -- Where neither expression nor group asks for the pattern, those of a source are one.
        SELECT tally.source_id, tally.level, tally.second, sum(tally.n) AS n FROM tally GROUP BY 1, 2, 3
    ), youngest AS MATERIALIZED (
        SELECT tally.source_id, max(pattern.first_seen) AS first_seen FROM tally JOIN pattern USING (fingerprint) GROUP BY 1
    ), summed AS MATERIALIZED (
        SELECT h.selection, h.grp, h.level, h.second, sum(h.n)::bigint AS n, max(h.first_seen) AS first_seen, max(h.since) AS since,
               CASE WHEN max(h.group_by) = 'source' THEN max(h.name) WHEN max(h.group_by) = 'pattern' THEN to_hex(h.grp) ELSE '' END AS group_key
          FROM (SELECT place.selection, place.group_by, place.name, place.since, CASE place.group_by WHEN 'source' THEN place.source_id ELSE 0 END AS grp,
                       whole.level, whole.second, whole.n, youngest.first_seen
                  FROM whole JOIN place USING (source_id) JOIN youngest USING (source_id)
                 WHERE place.expression IS NULL AND place.group_by <> 'pattern'
                UNION ALL
                SELECT place.selection, place.group_by, place.name, place.since,
                       CASE place.group_by WHEN 'source' THEN place.source_id WHEN 'pattern' THEN tally.fingerprint ELSE 0 END,
                       tally.level, tally.second, tally.n, pattern.first_seen
                  FROM tally JOIN pattern USING (fingerprint) JOIN place USING (source_id)
                 WHERE CASE WHEN place.expression IS NULL THEN place.group_by = 'pattern' ELSE place.expression = ANY (pattern.expressions) END) AS h
         GROUP BY 1, 2, 3, 4
    ), stored AS (
        INSERT INTO logwatch_private.rolled AS o (selection, grp, minute, level, n, points)
        SELECT s.selection, s.grp, v.minute, s.level, sum(s.n), array_agg(60 * s.n + extract(epoch FROM s.second - v.minute)::bigint)
          FROM summed AS s CROSS JOIN LATERAL (SELECT logwatch_private.start_of_minute(s.second) AS minute) AS v
         WHERE v.minute >= s.since
         GROUP BY 1, 2, 3, 4
            ON CONFLICT (selection, grp, minute, level) DO UPDATE
           SET n = o.n + EXCLUDED.n, points = logwatch_private.add_points(o.points, EXCLUDED.points)
    )
    SELECT array_agg(ROW (t.selection, t.grp, t.group_key, t.seconds, t.worst, t.first_seen)::logwatch_private.touch) INTO touched
      FROM (SELECT s.selection, s.grp, max(s.group_key) AS group_key, max(s.level) AS worst, max(s.first_seen) AS first_seen,
                   -- Windows are a second long at least: seconds in a row are one stretch.
                   range_agg(tstzrange(s.second, s.second + interval '1 second', '[]')) AS seconds
              FROM summed AS s WHERE s.second >= oldest GROUP BY 1, 2) AS t;
    RETURN COALESCE(touched, '{}');
END
$$;
COMMENT ON FUNCTION logwatch_private.roll(logwatch_private.tally[], timestamptz)
    IS 'Adds new tallies to the sums of the selections that count them; returns the groups they belong to';
