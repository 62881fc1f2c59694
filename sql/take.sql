-- Takes new batches from the queue: adds their sources and patterns, and counts each record once.

CREATE FUNCTION logwatch_private.settle() RETURNS void
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    -- A tailer that attaches at the same time adds the same row: only its own batches wait.
    INSERT INTO logwatch.sources (id, name)
    SELECT u.source_id, u.source
      FROM (SELECT DISTINCT b.source_id, b.source FROM logwatch.batches AS b
             WHERE b.source <> '' AND NOT EXISTS (SELECT FROM logwatch.sources AS s WHERE s.id = b.source_id)
             ORDER BY b.source_id OFFSET 0) AS u
     WHERE logwatch_private.try_queue_for_source(u.source)
        ON CONFLICT DO NOTHING;
    INSERT INTO logwatch.paths AS p (source_id, id, path, seen_at)
    SELECT DISTINCT ON (b.source_id, b.path_id) b.source_id, b.path_id, b.path, b.received_at
      FROM logwatch.batches AS b
     WHERE b.path_id IS NOT NULL
       AND NOT EXISTS (SELECT FROM logwatch.paths AS k
                        WHERE k.source_id = b.source_id AND k.id = b.path_id AND k.seen_at > b.received_at - interval '1 day')
     ORDER BY b.source_id, b.path_id, b.received_at DESC
        ON CONFLICT (source_id, id) DO UPDATE SET seen_at = greatest(p.seen_at, EXCLUDED.seen_at);
    IF EXISTS (SELECT FROM logwatch.batches AS b WHERE b.new_patterns <> '{}') THEN
        PERFORM logwatch_private.add_new_patterns();
    END IF;
END
$$;
COMMENT ON FUNCTION logwatch_private.settle() IS 'Makes the rows of sources, files'' paths and patterns that have come for the first time';

CREATE FUNCTION logwatch_private.add_new_patterns() RETURNS void
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    SET jit = off
    SET enable_seqscan = off
    AS $$
BEGIN
    INSERT INTO logwatch.patterns (fingerprint, level, template, first_seen, last_seen, sample)
    SELECT DISTINCT ON (u.fingerprint) u.fingerprint, logwatch_private.level(u.level), u.template,
           -- One of those that a pattern of an earlier masking has become is as old as that.
           least(v.at, (SELECT min(p.first_seen) FROM logwatch.earlier_fingerprints AS e JOIN logwatch.patterns AS p ON p.fingerprint = e.fingerprint
                         WHERE e.covers IS NOT NULL AND u.template LIKE e.covers AND p.level = logwatch_private.level(u.level))),
           v.at, COALESCE(u.sample, '')
      FROM logwatch.batches AS b
     CROSS JOIN LATERAL unnest(b.new_patterns, b.new_seconds, b.new_levels, b.templates, b.samples) AS u (fingerprint, second, level, template, sample)
     CROSS JOIN LATERAL (SELECT date_trunc('second', b.first_at, 'UTC') + make_interval(secs => u.second) AS at) AS v
     WHERE b.new_patterns <> '{}'
       -- The plan may come from a time with few patterns. OFFSET keeps it from joining all with
       -- all: the index is asked for each.
       AND NOT EXISTS (SELECT FROM logwatch.patterns AS p WHERE p.fingerprint = u.fingerprint OFFSET 0)
       AND NOT EXISTS (SELECT FROM logwatch.earlier_fingerprints AS e WHERE e.earlier = u.fingerprint OFFSET 0)
     ORDER BY u.fingerprint, b.received_at, v.at
        ON CONFLICT DO NOTHING;
END
$$;
COMMENT ON FUNCTION logwatch_private.add_new_patterns() IS 'Makes the patterns whose texts came with batches';

CREATE FUNCTION logwatch_private.first_message(source_id bigint, fingerprint bigint, second timestamptz) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    -- Citus cannot make the generic plans that a check asks for.
    SET plan_cache_mode = auto
    AS $$
#variable_conflict use_variable
BEGIN
    -- A record that was ahead of the clock is counted up to five minutes before the time it has.
    RETURN (SELECT e.message FROM logwatch.entries AS e
             WHERE e.logged_at >= second AND e.logged_at < second + interval '301 seconds' AND e.source_id = source_id AND e.fingerprint = fingerprint
             ORDER BY e.logged_at LIMIT 1);
EXCEPTION WHEN connection_exception THEN
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION logwatch_private.first_message(bigint, bigint, timestamptz) IS 'The first message of a pattern from a second on; NULL when its entries are gone, or on a server that is away';

CREATE FUNCTION logwatch_private.misses_few(tallies logwatch_private.tally[]) RETURNS boolean
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    -- As in count_few().
    SET enable_seqscan = off
    AS $$
BEGIN
    RETURN EXISTS (SELECT FROM unnest(tallies) AS t WHERE NOT EXISTS (SELECT FROM logwatch.patterns AS p WHERE p.fingerprint = t.fingerprint OFFSET 0));
END
$$;
COMMENT ON FUNCTION logwatch_private.misses_few(logwatch_private.tally[]) IS 'Whether the pattern of one of these few tallies is not known';

CREATE FUNCTION logwatch_private.add_patterns(tallies logwatch_private.tally[]) RETURNS void
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    is_missing boolean;
BEGIN
    IF cardinality(tallies) <= 100 THEN
        is_missing := logwatch_private.misses_few(tallies);
    ELSE
        -- Planned each time, as in take().
        EXECUTE 'SELECT EXISTS (SELECT FROM unnest($1) AS t WHERE NOT EXISTS (SELECT FROM logwatch.patterns AS p WHERE p.fingerprint = t.fingerprint))'
           INTO is_missing USING tallies;
    END IF;
    IF NOT is_missing THEN
        RETURN;
    END IF;
    EXECUTE $query$
    INSERT INTO logwatch.patterns (fingerprint, level, template, first_seen, last_seen, total, sample)
    SELECT t.fingerprint, t.level, logwatch_private.template(e.message), t.second, t.last, t.n, left(e.message, 2000)
      FROM (SELECT u.fingerprint, min(u.level) AS level, min(u.second) AS second, max(u.second) AS last, sum(u.n) AS n, (array_agg(u.source_id ORDER BY u.second))[1] AS source_id
              FROM unnest($1) AS u
             WHERE NOT EXISTS (SELECT FROM logwatch.patterns AS p WHERE p.fingerprint = u.fingerprint)
             GROUP BY 1) AS t
     CROSS JOIN LATERAL (SELECT logwatch_private.first_message(t.source_id, t.fingerprint, t.second) AS message OFFSET 0) AS e
     WHERE e.message IS NOT NULL
        ON CONFLICT DO NOTHING
    $query$ USING tallies;
END
$$;
COMMENT ON FUNCTION logwatch_private.add_patterns(logwatch_private.tally[]) IS 'Makes the patterns that came without a template from an entry of each';

CREATE FUNCTION logwatch_private.most_taken() RETURNS bigint
    LANGUAGE sql IMMUTABLE
    AS 'SELECT 50000::bigint';
COMMENT ON FUNCTION logwatch_private.most_taken() IS 'Records that one check takes from the queue, and the rest of a batch';

CREATE FUNCTION logwatch_private.count_few(tallies logwatch_private.tally[]) RETURNS void
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    -- A kept plan may come from a time with few patterns: the index finds each.
    SET enable_seqscan = off
    SET enable_hashjoin = off
    SET enable_mergejoin = off
    AS $$
BEGIN
    UPDATE logwatch.patterns AS p SET total = p.total + t.n, last_seen = greatest(p.last_seen, t.last_at)
      FROM (SELECT u.fingerprint, sum(u.n) AS n, max(u.second) AS last_at FROM unnest(tallies) AS u GROUP BY 1) AS t
     WHERE p.fingerprint = t.fingerprint;
END
$$;
COMMENT ON FUNCTION logwatch_private.count_few(logwatch_private.tally[]) IS 'Adds a few new records to what is known of their patterns';

CREATE FUNCTION logwatch_private.take(asof timestamptz) RETURNS logwatch_private.tally[]
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    SET jit = off
    SET plan_cache_mode = force_generic_plan
    AS $$
DECLARE
    too_late constant interval := make_interval(secs => logwatch_private.setting('max_lateness')::integer);
    any_earlier constant boolean := EXISTS (SELECT FROM logwatch.earlier_fingerprints);
    taken logwatch_private.tally[];
BEGIN
    WITH chosen AS MATERIALIZED (
        -- The oldest first; a huge backlog is taken in several checks.
        SELECT q.id FROM (SELECT b.ctid AS id, sum(b.n) OVER (ORDER BY b.received_at, b.ctid) - b.n AS before
                            FROM logwatch.batches AS b
                           WHERE b.first_at <= asof
                             AND (b.source IS NULL OR EXISTS (SELECT FROM logwatch.sources AS s WHERE s.id = b.source_id))
                             -- One that came after settle() brings texts that may be nowhere else.
                             AND (b.new_patterns = '{}'
                                  OR NOT EXISTS (SELECT FROM unnest(b.new_patterns) AS u (fingerprint)
                                                  WHERE NOT EXISTS (SELECT FROM logwatch.patterns AS p WHERE p.fingerprint = u.fingerprint)
                                                    AND NOT EXISTS (SELECT FROM logwatch.earlier_fingerprints AS e WHERE e.earlier = u.fingerprint)))) AS q
         WHERE q.before < logwatch_private.most_taken()
    ), gone AS MATERIALIZED (
        DELETE FROM logwatch.batches AS b USING chosen WHERE b.ctid = chosen.id RETURNING b.*
    ), batch AS MATERIALIZED (
        SELECT row_number() OVER () AS number, gone.* FROM gone
    ), one AS MATERIALIZED (
        SELECT b.number AS batch, b.source_id, date_trunc('second', b.first_at, 'UTC') + make_interval(secs => u.second) AS second,
               COALESCE(u.level, b.levels[1]) AS level,
               -- From an older edge, or from a session that began before the upgrade.
               CASE WHEN any_earlier THEN COALESCE((SELECT e.fingerprint FROM logwatch.earlier_fingerprints AS e WHERE e.earlier = u.fingerprint), u.fingerprint)
                    ELSE u.fingerprint END AS fingerprint,
               COALESCE(u.n, 1) AS n
          FROM batch AS b CROSS JOIN LATERAL unnest(b.seconds, b.fingerprints, b.levels, b.numbers) AS u (second, fingerprint, level, n)
    ), back AS (
        -- Seconds that have not come yet wait for them: an edge's clock may be ahead.
        INSERT INTO logwatch.batches (source_id, received_at, first_at, last_at, n, source, seconds, fingerprints, levels, numbers)
        SELECT b.source_id, b.received_at, f.first_at, b.last_at, 0, b.source, f.seconds, f.fingerprints, f.levels, f.numbers
          FROM batch AS b
         CROSS JOIN LATERAL (SELECT min(o.second) AS first_at, array_agg(extract(epoch FROM o.second - o.origin)::integer) AS seconds,
                                    array_agg(o.fingerprint) AS fingerprints, array_agg(o.level) AS levels, array_agg(o.n) AS numbers
                               FROM (SELECT one.*, min(one.second) OVER () AS origin FROM one
                                      WHERE one.batch = b.number AND one.second > asof) AS o) AS f
         WHERE b.last_at > asof AND f.first_at IS NOT NULL
    ), noted AS (
        INSERT INTO logwatch_private.taken (source_id, received_at, first_at, last_at)
        SELECT b.source_id, b.received_at, b.first_at, least(b.last_at, asof) FROM batch AS b
         WHERE b.fingerprints <> '{}' AND EXISTS (SELECT FROM logwatch_private.selections AS s WHERE s.by_fields)
    ), expected AS (
        INSERT INTO logwatch.expected_lines (match, second, source_id)
        SELECT u.match, date_trunc('second', b.first_at, 'UTC') + make_interval(secs => u.second), b.source_id
          FROM batch AS b CROSS JOIN LATERAL unnest(b.expected, b.expected_seconds) AS u (match, second)
         WHERE b.expected IS NOT NULL
            ON CONFLICT DO NOTHING
    ), arrived AS (
        INSERT INTO logwatch.arrivals AS v (source_id, since, n, late, last_at, logged_at)
        SELECT b.source_id, date_bin('10 minutes', b.received_at, timestamptz '2000-01-01Z'), sum(b.n),
               COALESCE(sum(b.n) FILTER (WHERE b.last_at < b.received_at - too_late), 0), max(b.received_at),
               (array_agg(b.last_at ORDER BY b.received_at DESC, b.last_at DESC))[1]
          FROM batch AS b WHERE b.n > 0 GROUP BY 1, 2
            ON CONFLICT (source_id, since) DO UPDATE
           SET n = v.n + EXCLUDED.n, late = v.late + EXCLUDED.late, last_at = greatest(v.last_at, EXCLUDED.last_at),
               logged_at = CASE WHEN EXCLUDED.last_at >= v.last_at THEN EXCLUDED.logged_at ELSE v.logged_at END
    ), tallied AS MATERIALIZED (
        SELECT one.second, one.source_id, logwatch_private.level(one.level) AS level, one.fingerprint, sum(one.n)::bigint AS n
          FROM one WHERE one.second <= asof GROUP BY 1, 2, 3, 4
    ), stored AS (
        INSERT INTO logwatch.minutes AS m (fingerprint, source_id, minute, level, n, points)
        SELECT t.fingerprint, t.source_id, v.minute, t.level, sum(t.n),
               array_agg(60 * t.n + extract(epoch FROM t.second - v.minute)::bigint)
          FROM tallied AS t CROSS JOIN LATERAL (SELECT logwatch_private.start_of_minute(t.second) AS minute) AS v
         GROUP BY 1, 2, 3, 4
            ON CONFLICT (fingerprint, source_id, minute, width) DO UPDATE
           SET n = m.n + EXCLUDED.n,
               -- The seconds of what has been made coarser are not known any more.
               points = CASE WHEN m.points = '{}' THEN m.points ELSE logwatch_private.add_points(m.points, EXCLUDED.points) END
    )
    SELECT array_agg(ROW (t.second, t.source_id, t.level, t.fingerprint, t.n)::logwatch_private.tally) INTO taken FROM tallied AS t;
    IF taken IS NULL THEN
        RETURN '{}';
    END IF;
    IF cardinality(taken) <= 100 THEN
        PERFORM logwatch_private.count_few(taken);
        RETURN taken;
    END IF;
    -- Planned each time: a kept plan may come from a time with few patterns.
    EXECUTE 'UPDATE logwatch.patterns AS p SET total = p.total + t.n, last_seen = greatest(p.last_seen, t.last_at)
               FROM (SELECT u.fingerprint, sum(u.n) AS n, max(u.second) AS last_at FROM unnest($1) AS u GROUP BY 1) AS t
              WHERE p.fingerprint = t.fingerprint' USING taken;
    RETURN taken;
END
$$;
COMMENT ON FUNCTION logwatch_private.take(timestamptz) IS 'Moves batches from the queue to minutes and arrivals; returns their sums';
