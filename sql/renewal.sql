-- Carries patterns over when the masking of messages gets a new version: each pattern then has
-- another template and fingerprint, and must not be announced as new.
--
-- The check does it before it evaluates anything, in steps, each a transaction of its own in the
-- worker. Entries keep the fingerprint that they were stored with: they are append-only.

CREATE TABLE logwatch.earlier_fingerprints (
    earlier     bigint PRIMARY KEY,
    fingerprint bigint NOT NULL,
    covers      text
);
CREATE INDEX earlier_fingerprints_fingerprint_idx ON logwatch.earlier_fingerprints (fingerprint);
CREATE INDEX earlier_fingerprints_covers_idx ON logwatch.earlier_fingerprints (fingerprint) WHERE covers IS NOT NULL;
COMMENT ON TABLE logwatch.earlier_fingerprints IS 'Fingerprints that patterns had under an earlier version of the masking; entries of that time still have them';
COMMENT ON COLUMN logwatch.earlier_fingerprints.fingerprint IS 'The pattern''s present fingerprint: logwatch.patterns.fingerprint';
COMMENT ON COLUMN logwatch.earlier_fingerprints.covers IS 'For a pattern that has become several: matches (LIKE) the templates of all of them, none of which is new';

CREATE FUNCTION logwatch_private.pattern_version() RETURNS integer
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'pattern_version_wrapper';
COMMENT ON FUNCTION logwatch_private.pattern_version() IS 'Version of the masking of messages';

CREATE FUNCTION logwatch_private.fingerprint(level text, template text) RETURNS bigint
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'fingerprint_wrapper';
COMMENT ON FUNCTION logwatch_private.fingerprint(text, text) IS 'Returns the fingerprint of a level and a template, as ingest makes it';

CREATE FUNCTION logwatch_private.is_earlier(fingerprint bigint, level text, template text) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'is_earlier_wrapper';
COMMENT ON FUNCTION logwatch_private.is_earlier(bigint, text, text) IS 'Whether an earlier version of the masking gave a pattern this fingerprint';

CREATE FUNCTION logwatch_private.delay_renewal() RETURNS void
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'delay_renewal_wrapper';
COMMENT ON FUNCTION logwatch_private.delay_renewal() IS 'Keeps checks from calling all patterns renewed until the transaction ends';

CREATE FUNCTION logwatch_private.note_earlier() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    -- A check that does not see the row yet must not end with all patterns renewed.
    PERFORM logwatch_private.delay_renewal();
    UPDATE logwatch.progress AS p SET pattern_version = NULL WHERE p.pattern_version IS NOT NULL;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION logwatch_private.note_earlier() IS 'Makes the next check renew patterns that an older edge, an old session or a dump brought';
CREATE TRIGGER patterns_earlier AFTER INSERT ON logwatch.patterns FOR EACH ROW
    WHEN (logwatch_private.is_earlier(NEW.fingerprint, NEW.level::text, NEW.template)) EXECUTE FUNCTION logwatch_private.note_earlier();
COMMENT ON TRIGGER patterns_earlier ON logwatch.patterns IS 'Patterns of an earlier masking are renewed by the next check';

CREATE FUNCTION logwatch_private.patterns_are_renewed() RETURNS boolean
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN COALESCE((SELECT p.pattern_version = logwatch_private.pattern_version() FROM logwatch.progress AS p), false);
END
$$;
COMMENT ON FUNCTION logwatch_private.patterns_are_renewed() IS 'Whether all patterns have fingerprints of the present masking';

CREATE FUNCTION logwatch_private.renew_alerts(earlier bigint[], fingerprints bigint[]) RETURNS void
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    -- When the patterns of open alerts become one, the oldest goes on and the others end in
    -- silence; acknowledgements name the alert and stay.
    WITH open AS MATERIALIZED (
        SELECT a.id, a.rule, a.state, a.started_at, a.met_until, a.peak, a.worst, to_hex(COALESCE(u.fingerprint, logwatch_private.group_number('pattern', a.group_key))) AS group_key
          FROM logwatch.alerts AS a
          LEFT JOIN unnest($1, $2) AS u (earlier, fingerprint) ON to_hex(u.earlier) = a.group_key
         WHERE a.group_by = 'pattern' AND a.state <> 'resolved'
    ), ranked AS MATERIALIZED (
        SELECT o.*, first_value(o.id) OVER by_age AS kept, min(o.started_at) OVER same AS first_at, max(o.met_until) OVER same AS last_at,
               max(o.peak) OVER same AS highest, max(o.worst) OVER same AS severest, count(*) OVER same AS n
          FROM open AS o
        WINDOW same AS (PARTITION BY o.rule, o.group_key), by_age AS (PARTITION BY o.rule, o.group_key ORDER BY o.state = 'pending', o.started_at, o.id)
    ), grown AS (
        UPDATE logwatch.alerts AS a SET started_at = r.first_at, met_until = r.last_at, peak = r.highest, worst = r.severest
          FROM ranked AS r WHERE r.n > 1 AND r.kept = r.id AND a.id = r.id
    )
    UPDATE logwatch.alerts AS a SET state = 'resolved', announced = 'resolved', fired_at = COALESCE(a.fired_at, now()), resolved_at = now(), count = 0, holds_until = NULL
      FROM ranked AS r WHERE r.kept <> r.id AND a.id = r.id;
    UPDATE logwatch.alerts AS a SET group_key = to_hex(u.fingerprint)
      FROM unnest($1, $2) AS u (earlier, fingerprint) WHERE a.group_by = 'pattern' AND a.group_key = to_hex(u.earlier);
    UPDATE logwatch.silences AS s SET pattern = to_hex(u.fingerprint)
      FROM unnest($1, $2) AS u (earlier, fingerprint) WHERE s.pattern = to_hex(u.earlier);
END
$$;
COMMENT ON FUNCTION logwatch_private.renew_alerts(bigint[], bigint[]) IS 'Gives alerts and silences of these patterns their new fingerprints';

CREATE FUNCTION logwatch_private.renew_step(most integer) RETURNS boolean
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    SET jit = off
    AS $$
#variable_conflict use_column
DECLARE
    old bigint[];
    fresh bigint[];                -- the new fingerprints, in the same order
    templates text[];
    wider text[];                  -- of those that have become several
BEGIN
    SELECT array_agg(k.fingerprint), array_agg(logwatch_private.fingerprint(k.level::text, k.new_template)), array_agg(k.new_template),
           array_agg(CASE WHEN k.new_template <> k.template AND k.new_template LIKE k.wider THEN k.wider END)
      INTO old, fresh, templates, wider
      FROM (SELECT p.fingerprint, p.level, p.template, replace(regexp_replace(p.template, E'[\\\\%_]', E'\\\\\\&', 'g'), '<*>', '%') AS wider,
                   -- The one for all above the limit of new patterns is not that of its sample.
                   logwatch_private.template(CASE WHEN p.sample = '' OR p.template LIKE '(one of more than % new patterns in a minute)' THEN p.template ELSE p.sample END) AS new_template
              FROM logwatch.patterns AS p WHERE logwatch_private.is_earlier(p.fingerprint, p.level::text, p.template) LIMIT most) AS k;
    IF old IS NULL THEN
        RETURN true;
    END IF;
    INSERT INTO logwatch.earlier_fingerprints AS e (earlier, fingerprint, covers) SELECT * FROM unnest(old, fresh, wider)
        ON CONFLICT (earlier) DO UPDATE SET fingerprint = EXCLUDED.fingerprint, covers = EXCLUDED.covers;
    -- Those of a version before that.
    UPDATE logwatch.earlier_fingerprints AS e SET fingerprint = u.fingerprint
      FROM unnest(old, fresh) AS u (earlier, fingerprint) WHERE e.fingerprint = u.earlier;
    WITH gone AS (
        DELETE FROM logwatch.patterns AS p USING unnest(old, fresh, templates) AS u (earlier, fingerprint, template) WHERE p.fingerprint = u.earlier
        RETURNING u.fingerprint, p.level, u.template, p.first_seen, p.last_seen, p.total, p.sample
    )
    INSERT INTO logwatch.patterns AS p (fingerprint, level, template, first_seen, last_seen, total, sample)
    SELECT g.fingerprint, max(g.level), max(g.template), min(g.first_seen), max(g.last_seen), sum(g.total), (array_agg(g.sample ORDER BY g.first_seen))[1]
      FROM gone AS g GROUP BY 1
        ON CONFLICT (fingerprint) DO UPDATE
       SET first_seen = least(p.first_seen, EXCLUDED.first_seen), last_seen = greatest(p.last_seen, EXCLUDED.last_seen), total = p.total + EXCLUDED.total,
           sample = CASE WHEN EXCLUDED.first_seen < p.first_seen THEN EXCLUDED.sample ELSE p.sample END;
    WITH gone AS (
        DELETE FROM logwatch.minutes AS m USING unnest(old, fresh) AS u (earlier, fingerprint) WHERE m.fingerprint = u.earlier
        RETURNING u.fingerprint, m.source_id, m.minute, m.level, m.width, m.n, m.points
    )
    INSERT INTO logwatch.minutes AS m (fingerprint, source_id, minute, level, width, n, points)
    SELECT g.fingerprint, g.source_id, g.minute, max(g.level), g.width, sum(g.n),
           CASE WHEN bool_or(g.points = '{}') THEN '{}' ELSE logwatch_private.sum_points(g.points, 0) END
      FROM gone AS g GROUP BY 1, 2, 3, g.width
        ON CONFLICT (fingerprint, source_id, minute, width) DO UPDATE
       SET n = m.n + EXCLUDED.n,
           points = CASE WHEN m.points = '{}' OR EXCLUDED.points = '{}' THEN '{}' ELSE logwatch_private.add_points(m.points, EXCLUDED.points) END;
    PERFORM logwatch_private.renew_alerts(old, fresh);
    PERFORM logwatch_private.forget_rolled();
    RETURN cardinality(old) < most;
END
$$;
COMMENT ON FUNCTION logwatch_private.renew_step(integer) IS 'Gives some patterns the template and fingerprint of the present masking, with all that is known of them; returns whether these were the last';

CREATE FUNCTION logwatch_private.renew_patterns(most integer DEFAULT 5000) RETURNS boolean
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    sees_all boolean;              -- no open transaction has brought one of an earlier masking
BEGIN
    IF logwatch_private.patterns_are_renewed() THEN
        RETURN true;
    END IF;
    sees_all := logwatch_private.take_turn('renew');
    -- Folding changes the same rows.
    IF NOT logwatch_private.take_turn('fold') OR NOT logwatch_private.renew_step(most) THEN
        RETURN false;
    END IF;
    IF logwatch_private.is_published() AND NOT logwatch_private.publishes_entries() AND EXISTS (SELECT FROM logwatch.earlier_fingerprints) THEN
        PERFORM logwatch_private.send_patterns();
    END IF;
    IF sees_all THEN
        UPDATE logwatch.progress AS p SET pattern_version = logwatch_private.pattern_version();
    END IF;
    RETURN true;
END
$$;
COMMENT ON FUNCTION logwatch_private.renew_patterns(integer) IS 'Renews the next patterns of an earlier masking; false while more are left, and nothing is evaluated until then';
