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

CREATE FUNCTION logwatch_private.minutes_between(r logwatch.rules, from_at timestamptz, to_at timestamptz, places bigint[])
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
BEGIN
    RETURN QUERY
    WITH present AS MATERIALIZED (
        SELECT u.*
          FROM (SELECT m.* FROM logwatch.minutes AS m WHERE places IS NULL AND m.minute > from_at - interval '1 hour' AND m.minute <= to_at
                UNION ALL
                SELECT m.* FROM unnest(places) AS p (id)
                 CROSS JOIN LATERAL (SELECT * FROM logwatch.minutes AS k WHERE k.source_id = p.id AND k.minute > from_at - interval '1 hour' AND k.minute <= to_at OFFSET 0) AS m) AS u
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
COMMENT ON FUNCTION logwatch_private.minutes_between(logwatch.rules, timestamptz, timestamptz, bigint[])
    IS 'As minutes_of(), for all groups of a short time, with plans that are kept';

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
        RETURN QUERY SELECT * FROM logwatch_private.minutes_between(r, from_at, to_at, places);
        RETURN;
    END IF;
    RETURN QUERY EXECUTE logwatch_private.minutes_query(
        'm.source_id, m.fingerprint, m.n, CASE WHEN m.points = ''{}'' THEN ARRAY[60 * m.n] ELSE m.points END, NULL::text', r, groups, places)
        USING from_at, to_at, groups, places, r.match, r.exclude, r.level::logwatch.level;
END
$$;
COMMENT ON FUNCTION logwatch_private.minutes_of(logwatch.rules, timestamptz, timestamptz, bigint[])
    IS 'The rows of minutes that a rule counts between two times, with the group that each belongs to; of some groups only, when given';
