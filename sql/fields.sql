-- Rules that group or filter by a field of the records (group_by = field:NAME, where_fields). Sums
-- per pattern know no fields: a check reads the entries of the batches that it takes, once for all
-- such rules, and a backtest reads the entries of its time.

CREATE FUNCTION logwatch_private.reads_fields(r logwatch.rules) RETURNS boolean
    LANGUAGE sql IMMUTABLE
    AS $$ SELECT r.where_fields IS NOT NULL OR r.group_by LIKE 'field:%' $$;
COMMENT ON FUNCTION logwatch_private.reads_fields(logwatch.rules) IS 'Whether a rule groups or filters by a field';

CREATE FUNCTION logwatch_private.field_of(group_by text) RETURNS text
    LANGUAGE sql IMMUTABLE
    AS $$ SELECT CASE WHEN group_by LIKE 'field:%' THEN substr(group_by, 7) END $$;
COMMENT ON FUNCTION logwatch_private.field_of(text) IS 'Returns the field by which a rule groups; NULL for none';

CREATE FUNCTION logwatch_private.field_value(fields jsonb, field text) RETURNS text
    LANGUAGE sql IMMUTABLE
    AS $$ SELECT left(NULLIF(COALESCE(fields ->> field, fields #>> string_to_array(field, '.')), ''), 200) $$;
COMMENT ON FUNCTION logwatch_private.field_value(jsonb, text) IS 'Returns a field as text, the first 200 characters; a.b is the key a.b, or b inside a; NULL where there is none';

CREATE FUNCTION logwatch_private.fields_match(fields jsonb, wanted jsonb) RETURNS boolean
    LANGUAGE sql IMMUTABLE
    AS $$
    SELECT wanted IS NULL
        OR NOT EXISTS (SELECT FROM jsonb_each(wanted) AS w
                        WHERE NOT COALESCE(CASE jsonb_typeof(w.value)
                                                WHEN 'array' THEN logwatch_private.field_value(fields, w.key) IN (SELECT jsonb_array_elements_text(w.value))
                                                ELSE logwatch_private.field_value(fields, w.key) = w.value #>> '{}' END, false))
    $$;
COMMENT ON FUNCTION logwatch_private.fields_match(jsonb, jsonb) IS 'Whether each of the wanted fields has the wanted value, or one of several';

CREATE FUNCTION logwatch_private.check_fields() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF NOT logwatch_private.reads_fields(NEW) THEN
        RETURN NEW;
    ELSIF NEW.kind <> 'threshold' THEN
        RAISE EXCEPTION 'rule "%": fields are for kind threshold, and its kind is %', NEW.name, NEW.kind
            USING ERRCODE = 'check_violation', HINT = 'Leave where_fields away, and use group_by = none, source or pattern.';
    ELSIF logwatch_private.field_of(NEW.group_by) = '' OR length(NEW.group_by) > 200 THEN
        RAISE EXCEPTION 'rule "%": group_by names no field', NEW.name
            USING ERRCODE = 'check_violation', HINT = 'For example: group_by = ''field:customer''.';
    ELSIF jsonb_typeof(NEW.where_fields) <> 'object' OR NEW.where_fields = '{}' OR length(NEW.where_fields::text) > 1000
          OR EXISTS (SELECT FROM jsonb_each(CASE jsonb_typeof(NEW.where_fields) WHEN 'object' THEN NEW.where_fields ELSE '{}' END) AS w
                      CROSS JOIN LATERAL jsonb_array_elements(CASE jsonb_typeof(w.value) WHEN 'array' THEN w.value ELSE jsonb_build_array(w.value) END) AS one (value)
                      WHERE jsonb_typeof(one.value) NOT IN ('string', 'number', 'boolean')) THEN
        RAISE EXCEPTION 'rule "%": where_fields is not an object of fields and values', NEW.name
            USING ERRCODE = 'check_violation', DETAIL = 'A value is a text, a number, true, false or an array of these; all has at most 1000 characters.',
                  HINT = 'For example: where_fields = ''{"tenant": "a", "status": [500, 503]}''.';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION logwatch_private.check_fields() IS 'Refuses rules whose fields cannot work';
-- After rules_check, by the order of names.
CREATE TRIGGER rules_fields BEFORE INSERT OR UPDATE ON logwatch.rules FOR EACH ROW EXECUTE FUNCTION logwatch_private.check_fields();
COMMENT ON TRIGGER rules_fields ON logwatch.rules IS 'Refuses rules whose fields cannot work';

CREATE FUNCTION logwatch_private.counted_entries(r logwatch.rules, from_at timestamptz, to_at timestamptz, groups bigint[], untaken boolean)
    RETURNS TABLE (grp bigint, second timestamptz, level logwatch.level, source_id bigint, fingerprint bigint, n bigint, value text)
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    SET jit = off
    AS $$
DECLARE
    places constant bigint[] := logwatch_private.places_of(r, groups);
BEGIN
    -- Planned for its times. A clock that is ahead counts as now.
    RETURN QUERY EXECUTE $query$
    SELECT g.grp, v.second, e.level, e.source_id, k.fingerprint, count(*), max(f.value)
      FROM logwatch.entries AS e
     CROSS JOIN LATERAL (SELECT COALESCE((SELECT o.fingerprint FROM logwatch.earlier_fingerprints AS o WHERE o.earlier = e.fingerprint), e.fingerprint) AS fingerprint) AS k
     CROSS JOIN LATERAL (SELECT date_trunc('second', least(e.logged_at, e.received_at), 'UTC') AS second) AS v
     CROSS JOIN LATERAL (SELECT logwatch_private.field_value(e.fields, logwatch_private.field_of($6)) AS value) AS f
     CROSS JOIN LATERAL (SELECT CASE WHEN $6 = 'source' THEN e.source_id WHEN $6 = 'pattern' THEN k.fingerprint WHEN $6 = 'none' THEN 0
                                     WHEN f.value IS NOT NULL THEN logwatch_private.source_id(f.value) END AS grp) AS g
     WHERE e.logged_at >= $1 - interval '1 minute' AND e.logged_at <= $2 + interval '301 seconds' AND v.second <= $2
       AND e.level >= $5::logwatch.level AND ($4 IS NULL OR e.source_id = ANY ($4)) AND g.grp IS NOT NULL AND ($3 IS NULL OR g.grp = ANY ($3))
       AND logwatch_private.fields_match(e.fields, $7)
       AND ($8 IS NULL AND $9 IS NULL OR EXISTS (SELECT FROM logwatch.patterns AS p WHERE p.fingerprint = k.fingerprint AND logwatch_private.template_matches(p.template, $8, $9)))
       AND ($10 OR NOT EXISTS (SELECT FROM logwatch.batches AS b WHERE b.source_id = e.source_id AND b.received_at = e.received_at AND b.fingerprints <> '{}'))
     GROUP BY 1, 2, 3, 4, 5
    $query$ USING from_at, to_at, groups, places, r.level, r.group_by, r.where_fields, r.match, r.exclude, untaken;
END
$$;
COMMENT ON FUNCTION logwatch_private.counted_entries(logwatch.rules, timestamptz, timestamptz, bigint[], boolean)
    IS 'Records per second that a rule with fields counts between two times, with the group that each belongs to; untaken: also those of batches that wait for a check';

CREATE UNLOGGED TABLE logwatch_private.field_groups (
    selection integer NOT NULL,
    grp       bigint NOT NULL,
    value     text NOT NULL,
    PRIMARY KEY (selection, grp)
);
COMMENT ON TABLE logwatch_private.field_groups IS 'Values of the fields by which rules group, 1000 for each selection; grp is the hash of the value';

CREATE UNLOGGED TABLE logwatch_private.taken (
    source_id   bigint NOT NULL,
    received_at timestamptz NOT NULL,
    first_at    timestamptz NOT NULL,
    last_at     timestamptz NOT NULL
);
COMMENT ON TABLE logwatch_private.taken IS 'The batches that a check has taken, while it reads their entries for rules with fields';

CREATE TYPE logwatch_private.field_hit AS (selection integer, group_by text, since timestamptz, grp bigint, value text, level logwatch.level, second timestamptz, n bigint, first_seen timestamptz);
COMMENT ON TYPE logwatch_private.field_hit IS 'Records of one second that a selection with fields counts in a group';

CREATE FUNCTION logwatch_private.add_field_groups(selections integer[], vals text[]) RETURNS void
    LANGUAGE sql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
    INSERT INTO logwatch_private.field_groups (selection, grp, value)
    SELECT u.selection, logwatch_private.source_id(u.value), u.value
      FROM (SELECT d.*, row_number() OVER (PARTITION BY d.selection ORDER BY d.value) AS number
              FROM (SELECT DISTINCT * FROM unnest($1, $2) AS v (selection, value)) AS d
             WHERE NOT EXISTS (SELECT FROM logwatch_private.field_groups AS g WHERE g.selection = d.selection AND g.grp = logwatch_private.source_id(d.value))) AS u
     WHERE u.number + (SELECT count(*) FROM logwatch_private.field_groups AS g WHERE g.selection = u.selection) <= 1000 OR u.value = '(other)'
        ON CONFLICT DO NOTHING
    $$;
COMMENT ON FUNCTION logwatch_private.add_field_groups(integer[], text[]) IS 'Makes groups of new values, up to the limit';

CREATE FUNCTION logwatch_private.sum_entries(r logwatch.rules, selection integer, since timestamptz) RETURNS void
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    DELETE FROM logwatch_private.field_groups AS g WHERE g.selection = $2;
    IF r.group_by LIKE 'field:%' THEN
        PERFORM logwatch_private.add_field_groups(array_agg($2), array_agg(c.value)) FROM logwatch_private.counted_entries(r, $3, 'infinity', NULL, false) AS c;
    END IF;
    INSERT INTO logwatch_private.rolled (selection, grp, minute, level, n, points)
    SELECT $2, v.grp, v.minute, v.level, sum(v.n), logwatch_private.merge_points(array_agg(60 * v.n + extract(epoch FROM v.second - v.minute)::bigint))
      FROM (SELECT c.second, c.level, c.n, logwatch_private.start_of_minute(c.second) AS minute,
                   CASE WHEN r.group_by NOT LIKE 'field:%' OR EXISTS (SELECT FROM logwatch_private.field_groups AS g WHERE g.selection = $2 AND g.grp = c.grp)
                        THEN c.grp ELSE logwatch_private.source_id('(other)') END AS grp
              FROM logwatch_private.counted_entries(r, $3, 'infinity', NULL, false) AS c) AS v
     WHERE v.minute >= $3
     GROUP BY 2, 3, 4;
END
$$;
COMMENT ON FUNCTION logwatch_private.sum_entries(logwatch.rules, integer, timestamptz) IS 'Adds up the sums of a selection with fields from the entries';

CREATE FUNCTION logwatch_private.roll_fields(asof timestamptz) RETURNS logwatch_private.touch[]
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    SET jit = off
    AS $$
DECLARE
    oldest constant timestamptz := asof - make_interval(secs => logwatch_private.setting('max_lateness')::integer);
    hits logwatch_private.field_hit[];
    touched logwatch_private.touch[];
BEGIN
    EXECUTE $query$
    WITH sel AS MATERIALIZED (
        SELECT s.*, src.id AS place, src.name FROM logwatch_private.selections AS s
          JOIN logwatch.sources AS src ON src.id IN (SELECT t.source_id FROM logwatch_private.taken AS t) AND logwatch_private.glob_matches(src.name, s.source)
         WHERE s.by_fields
    ), entry AS MATERIALIZED (
        SELECT e.*
          FROM (SELECT DISTINCT * FROM logwatch_private.taken) AS t
         CROSS JOIN LATERAL (SELECT k.source_id, v.second, k.level, k.fields,
                                    COALESCE((SELECT o.fingerprint FROM logwatch.earlier_fingerprints AS o WHERE o.earlier = k.fingerprint), k.fingerprint) AS fingerprint
                               FROM logwatch.entries AS k
                              CROSS JOIN LATERAL (SELECT date_trunc('second', least(k.logged_at, k.received_at), 'UTC') AS second) AS v
                              WHERE k.logged_at >= date_trunc('second', t.first_at, 'UTC') AND k.logged_at < t.last_at + interval '301 seconds'
                                AND k.received_at = t.received_at AND k.source_id = t.source_id
                                AND v.second >= date_trunc('second', t.first_at, 'UTC') AND v.second <= t.last_at OFFSET 0) AS e
    )
    SELECT array_agg(ROW (h.id, h.group_by, h.since, h.grp, h.value, h.level, h.second, h.n, h.first_seen)::logwatch_private.field_hit)
      FROM (SELECT sel.id, sel.group_by, sel.since, g.grp, g.value, e.level, e.second, count(*) AS n, max(p.first_seen) AS first_seen
              FROM entry AS e
              JOIN sel ON sel.place = e.source_id
              LEFT JOIN logwatch.patterns AS p ON p.fingerprint = e.fingerprint
              LEFT JOIN logwatch_private.matches AS m ON m.fingerprint = e.fingerprint
             CROSS JOIN LATERAL (SELECT CASE WHEN sel.group_by = 'source' THEN sel.name WHEN sel.group_by = 'pattern' THEN to_hex(e.fingerprint) WHEN sel.group_by = 'none' THEN ''
                                             ELSE logwatch_private.field_value(e.fields, logwatch_private.field_of(sel.group_by)) END AS value) AS v
             CROSS JOIN LATERAL (SELECT v.value, logwatch_private.group_number(sel.group_by, v.value) AS grp) AS g
             WHERE g.value IS NOT NULL AND logwatch_private.fields_match(e.fields, sel.where_fields) AND (sel.expression IS NULL OR sel.expression = ANY (m.expressions))
             GROUP BY 1, 2, 3, 4, 5, 6, 7) AS h
    $query$ INTO hits;
    IF hits IS NULL THEN
        RETURN '{}';
    END IF;
    -- Upkeep deletes groups without sums, but none of these meanwhile.
    PERFORM FROM logwatch_private.field_groups AS g
      WHERE (g.selection, g.grp) IN (SELECT h.selection, h.grp FROM unnest(hits) AS h) FOR KEY SHARE;
    PERFORM logwatch_private.add_field_groups(array_agg(h.selection), array_agg(h.value)) FROM unnest(hits) AS h WHERE h.group_by LIKE 'field:%';
    WITH hit AS MATERIALIZED (
        -- Values beyond the limit are one group.
        SELECT h.selection, h.since, h.level, h.second, c.value, CASE WHEN c.value = h.value THEN h.grp ELSE logwatch_private.source_id(c.value) END AS grp,
               sum(h.n)::bigint AS n, max(h.first_seen) AS first_seen
          FROM unnest(hits) AS h
         CROSS JOIN LATERAL (SELECT CASE WHEN h.group_by NOT LIKE 'field:%' OR EXISTS (SELECT FROM logwatch_private.field_groups AS g WHERE g.selection = h.selection AND g.grp = h.grp)
                                         THEN h.value ELSE '(other)' END AS value) AS c
         GROUP BY 1, 2, 3, 4, 5, 6
    ), stored AS (
        INSERT INTO logwatch_private.rolled AS o (selection, grp, minute, level, n, points)
        SELECT h.selection, h.grp, v.minute, h.level, sum(h.n), array_agg(60 * h.n + extract(epoch FROM h.second - v.minute)::bigint)
          FROM hit AS h CROSS JOIN LATERAL (SELECT logwatch_private.start_of_minute(h.second) AS minute) AS v
         WHERE v.minute >= h.since
         GROUP BY 1, 2, 3, 4
            ON CONFLICT (selection, grp, minute, level) DO UPDATE
           SET n = o.n + EXCLUDED.n, points = logwatch_private.add_points(o.points, EXCLUDED.points)
    )
    SELECT array_agg(ROW (t.selection, t.grp, t.value, t.seconds, t.worst, t.first_seen)::logwatch_private.touch) INTO touched
      FROM (SELECT h.selection, h.grp, h.value, max(h.level) AS worst, max(h.first_seen) AS first_seen,
                   range_agg(tstzrange(h.second, h.second + interval '1 second', '[]')) AS seconds
              FROM hit AS h WHERE h.second >= oldest GROUP BY 1, 2, 3) AS t;
    RETURN COALESCE(touched, '{}');
END
$$;
COMMENT ON FUNCTION logwatch_private.roll_fields(timestamptz) IS 'Adds the entries of the batches that were taken to the sums of rules with fields; returns the groups they belong to';

CREATE FUNCTION logwatch_private.lacks_fields(r logwatch.rules) RETURNS text
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT format('records of the light edge%s %s have no fields here and are not counted', CASE WHEN count(*) > 1 THEN 's' ELSE '' END, string_agg(format('"%s"', e.name), ', ' ORDER BY e.name))
      FROM logwatch.edges AS e WHERE logwatch_private.reads_fields(r) AND e.left_at IS NULL AND logwatch_private.is_light(e)
    HAVING count(*) > 0
    $$;
COMMENT ON FUNCTION logwatch_private.lacks_fields(logwatch.rules) IS 'Names the edges whose records a rule with fields cannot count; NULL when there are none';

CREATE FUNCTION logwatch_private.fields_of(alert logwatch.alerts) RETURNS jsonb
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN NULLIF(COALESCE((SELECT r.where_fields FROM logwatch.rules AS r WHERE r.name = alert.rule), '{}')
                  || CASE WHEN alert.group_by LIKE 'field:%' THEN jsonb_build_object(logwatch_private.field_of(alert.group_by), alert.group_key) ELSE '{}' END, '{}');
END
$$;
COMMENT ON FUNCTION logwatch_private.fields_of(logwatch.alerts) IS 'Returns the fields that the records of an alert have in common; NULL for none';

CREATE FUNCTION logwatch_private.known_fields(r logwatch.rules, asof timestamptz) RETURNS text
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT CASE WHEN count(*) = 0 THEN 'no record in the window has fields'
                ELSE format('the newest records in the window have the fields %s', string_agg(DISTINCT k.field, ', ')) END
      FROM (SELECT e.fields FROM logwatch.entries AS e WHERE e.logged_at > asof - r.within AND e.logged_at <= asof AND e.fields IS NOT NULL ORDER BY e.logged_at DESC LIMIT 100) AS n
     CROSS JOIN LATERAL (SELECT jsonb_object_keys(n.fields) AS field LIMIT 50) AS k
    HAVING logwatch_private.reads_fields(r)
    $$;
COMMENT ON FUNCTION logwatch_private.known_fields(logwatch.rules, timestamptz) IS 'Names the fields that a rule could count by; NULL for a rule without fields';
