-- Reads minutes as a rule counts them: which sources, patterns and levels, and in which groups.

CREATE FUNCTION logwatch_private.places_of(r logwatch.rules, groups bigint[]) RETURNS bigint[]
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF r.source = '*' THEN
        RETURN CASE WHEN r.group_by = 'source' THEN groups END;
    END IF;
    RETURN ARRAY(SELECT s.id FROM logwatch.sources AS s
                  WHERE logwatch_private.glob_matches(s.name, r.source) AND (groups IS NULL OR r.group_by <> 'source' OR s.id = ANY (groups)));
END
$$;
COMMENT ON FUNCTION logwatch_private.places_of(logwatch.rules, bigint[]) IS 'Returns the ids of the sources that a rule counts, of some groups only when given; NULL for all';

CREATE FUNCTION logwatch_private.minutes_query(columns text, r logwatch.rules, groups bigint[], places bigint[]) RETURNS text
    LANGUAGE plpgsql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    -- Finds rows by the index that leaves least to look at.
    RETURN format('SELECT %s AS grp, m.minute, m.level, %s
                     FROM logwatch.minutes AS m
                    WHERE m.minute > $1 - interval ''1 hour'' AND (m.minute > $1 OR m.minute + make_interval(secs => m.width) > $1) AND m.minute <= $2 AND m.level >= $7',
                  CASE r.group_by WHEN 'source' THEN 'm.source_id' WHEN 'pattern' THEN 'm.fingerprint' ELSE '0::bigint' END, columns)
        || CASE WHEN places IS NOT NULL THEN ' AND m.source_id = ANY ($4)' ELSE '' END
        || CASE WHEN r.group_by = 'pattern' AND groups IS NOT NULL THEN ' AND m.fingerprint = ANY ($3)' ELSE '' END
        || CASE WHEN r.match IS NOT NULL OR r.exclude IS NOT NULL
                THEN ' AND EXISTS (SELECT FROM logwatch.patterns AS p WHERE p.fingerprint = m.fingerprint AND logwatch_private.template_matches(p.template, $5, $6))'
                ELSE '' END;
END
$$;
COMMENT ON FUNCTION logwatch_private.minutes_query(text, logwatch.rules, bigint[], bigint[])
    IS 'Returns a query for the rows of minutes that a rule counts; its parameters: from, to, groups, places, match, exclude, level';

CREATE FUNCTION logwatch_private.minutes_with(fingerprints bigint[], places bigint[], from_at timestamptz, to_at timestamptz) RETURNS SETOF logwatch.minutes
    LANGUAGE sql STABLE
    -- Without SET, so that PostgreSQL inlines it. Rows are compared so that only the primary key
    -- fits: in a storm a source has thousands of rows a minute.
    AS $$
    SELECT m.* FROM unnest(fingerprints) AS f (fingerprint) CROSS JOIN unnest(places) AS p (id)
     CROSS JOIN LATERAL (SELECT * FROM logwatch.minutes AS k
                          WHERE (k.fingerprint, k.source_id, k.minute) > (f.fingerprint, p.id, from_at - interval '1 minute')
                            AND (k.fingerprint, k.source_id, k.minute) <= (f.fingerprint, p.id, to_at) OFFSET 0) AS m
    $$;
COMMENT ON FUNCTION logwatch_private.minutes_with(bigint[], bigint[], timestamptz, timestamptz) IS 'The rows of minutes of some patterns and sources between two times, without those of whole hours that began before';

CREATE FUNCTION logwatch_private.known_patterns(r logwatch.rules, from_at timestamptz, to_at timestamptz, groups bigint[], places bigint[]) RETURNS bigint[]
    LANGUAGE plpgsql STABLE
    -- The other settings are those of minutes_between(), which calls it.
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    lowest constant logwatch.level := r.level::logwatch.level;
    sums logwatch_private.selections;
    fingerprints bigint[];
BEGIN
    SELECT s.* INTO sums
      FROM logwatch_private.selections AS s JOIN logwatch_private.expressions AS e ON e.id = s.expression
     WHERE s.source = r.source AND s.group_by = r.group_by AND NOT s.by_fields AND s.since <= logwatch_private.start_of_minute(from_at)
       AND e.match IS NOT DISTINCT FROM r.match AND e.exclude IS NOT DISTINCT FROM r.exclude;
    fingerprints := ARRAY(SELECT m.fingerprint FROM logwatch_private.matches AS m
                           WHERE m.expressions @> ARRAY[sums.expression] AND m.expressions <> '{}' LIMIT 1001);
    -- A pattern that has not come since the rule was made is not tried yet. The sums have it.
    RETURN CASE WHEN cardinality(fingerprints) * cardinality(places) <= 1000
                     AND (SELECT sum(m.n) FROM logwatch_private.minutes_with(fingerprints, places, from_at, to_at) AS m WHERE m.level >= lowest)
                       = (SELECT sum(o.n) FROM logwatch_private.rolled AS o
                           WHERE o.selection = sums.id AND o.grp = ANY (COALESCE(groups, '{0}')) AND o.minute > from_at - interval '1 minute' AND o.minute <= to_at
                             AND o.level >= lowest)
                THEN fingerprints END;
END
$$;
COMMENT ON FUNCTION logwatch_private.known_patterns(logwatch.rules, timestamptz, timestamptz, bigint[], bigint[])
    IS 'The patterns that a rule counts between two times, where they are few and the rule''s sums show that there is no other; else NULL';

CREATE FUNCTION logwatch_private.minutes_between(r logwatch.rules, from_at timestamptz, to_at timestamptz, groups bigint[], places bigint[])
    RETURNS TABLE (grp bigint, minute timestamptz, level logwatch.level, source_id bigint, fingerprint bigint, n bigint, points bigint[], value text)
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    SET jit = off
    -- A kept plan may come from a time with few rows: the indexes find them.
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    AS $$
#variable_conflict use_column
DECLARE
    lowest constant logwatch.level := r.level::logwatch.level;
    any_pattern constant boolean := r.match IS NULL AND r.exclude IS NULL;
    everywhere bigint[];
    known bigint[];
BEGIN
    -- In a storm most of the minutes are not the rule's.
    IF NOT any_pattern AND (r.group_by = 'none' OR groups IS NOT NULL)
       AND EXISTS (SELECT FROM logwatch.minutes AS m WHERE m.minute > from_at - interval '1 minute' AND m.minute <= to_at OFFSET 1000) THEN
        everywhere := COALESCE(places, ARRAY(SELECT s.id FROM logwatch.sources AS s));
        known := logwatch_private.known_patterns(r, from_at, to_at, groups, everywhere);
    END IF;
    RETURN QUERY
    WITH present AS MATERIALIZED (
        SELECT u.*
          FROM (SELECT m.* FROM logwatch_private.minutes_with(known, everywhere, from_at, to_at) AS m
                UNION ALL
                SELECT m.* FROM logwatch.minutes AS m WHERE known IS NULL AND places IS NULL AND m.minute > from_at - interval '1 minute' AND m.minute <= to_at
                UNION ALL
                SELECT m.* FROM unnest(places) AS p (id)
                 CROSS JOIN LATERAL (SELECT * FROM logwatch.minutes AS k
                                      WHERE k.source_id = p.id AND k.minute > from_at - interval '1 minute' AND k.minute <= to_at OFFSET 0) AS m
                 WHERE known IS NULL
                UNION ALL
                -- Old minutes are put together by the hour.
                SELECT m.* FROM logwatch.minutes AS m
                 WHERE m.width > 60 AND m.minute > from_at - interval '1 hour' AND m.minute <= from_at - interval '1 minute'
                   AND (places IS NULL OR m.source_id = ANY (places))) AS u
         WHERE (u.minute > from_at OR u.minute + make_interval(secs => u.width) > from_at) AND u.level >= lowest
    ), matched AS (
        SELECT p.fingerprint
          FROM (SELECT DISTINCT present.fingerprint FROM present) AS d
         CROSS JOIN LATERAL (SELECT k.* FROM logwatch.patterns AS k WHERE k.fingerprint = d.fingerprint OFFSET 0) AS p
         WHERE logwatch_private.template_matches(p.template, r.match, r.exclude)
    )
    SELECT CASE r.group_by WHEN 'source' THEN m.source_id WHEN 'pattern' THEN m.fingerprint ELSE 0 END, m.minute, m.level, m.source_id, m.fingerprint, m.n,
           CASE WHEN m.points = '{}' THEN ARRAY[60 * m.n] ELSE m.points END, NULL::text
      FROM present AS m WHERE any_pattern OR m.fingerprint IN (SELECT matched.fingerprint FROM matched);
END
$$;
COMMENT ON FUNCTION logwatch_private.minutes_between(logwatch.rules, timestamptz, timestamptz, bigint[], bigint[])
    IS 'As minutes_of(), for a short time, with plans that are kept';

CREATE FUNCTION logwatch_private.minutes_of(r logwatch.rules, from_at timestamptz, to_at timestamptz, groups bigint[] DEFAULT NULL)
    RETURNS TABLE (grp bigint, minute timestamptz, level logwatch.level, source_id bigint, fingerprint bigint, n bigint, points bigint[], value text)
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    SET jit = off
    AS $$
DECLARE
    places constant bigint[] := logwatch_private.places_of(r, groups);
BEGIN
    IF logwatch_private.reads_fields(r) THEN
        RETURN QUERY
        SELECT c.grp, v.minute, c.level, c.source_id, c.fingerprint, c.n, ARRAY[60 * c.n + extract(epoch FROM c.second - v.minute)::bigint], c.value
          FROM logwatch_private.counted_entries(r, from_at, to_at, groups, true) AS c
         CROSS JOIN LATERAL (SELECT logwatch_private.start_of_minute(c.second) AS minute) AS v;
        RETURN;
    END IF;
    -- Planning takes longer than reading a few minutes.
    IF to_at <= from_at + interval '1 hour' AND (groups IS NULL OR r.group_by <> 'pattern') THEN
        RETURN QUERY SELECT * FROM logwatch_private.minutes_between(r, from_at, to_at, groups, places);
        RETURN;
    END IF;
    RETURN QUERY EXECUTE logwatch_private.minutes_query(
        'm.source_id, m.fingerprint, m.n, CASE WHEN m.points = ''{}'' THEN ARRAY[60 * m.n] ELSE m.points END, NULL::text', r, groups, places)
        USING from_at, to_at, groups, places, r.match, r.exclude, r.level::logwatch.level;
END
$$;
COMMENT ON FUNCTION logwatch_private.minutes_of(logwatch.rules, timestamptz, timestamptz, bigint[])
    IS 'The rows of minutes that a rule counts between two times, with the group that each belongs to; of some groups only, when given';
