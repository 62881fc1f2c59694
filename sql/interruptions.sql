-- Time in which nobody could report: the server was down, or its clock jumped. Rules of kind
-- absence do not count it.
--
-- While such a rule is enabled, the worker checks at least once every check_interval, and each
-- check notes its time. A longer step from one to the next is such a time.

CREATE TABLE logwatch_private.interruptions (
    from_at timestamptz NOT NULL,
    to_at   timestamptz NOT NULL,
    PRIMARY KEY (from_at, to_at)
);
COMMENT ON TABLE logwatch_private.interruptions IS 'When sources could not report, because the server was down or its clock jumped; noted while a rule of kind absence is enabled';

CREATE FUNCTION logwatch_private.deadline(heard_at timestamptz, within interval) RETURNS timestamptz
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    -- An interruption counts only if it began before the deadline that the earlier ones have set.
    WITH merged AS (
        SELECT unnest(range_agg(tstzrange(i.from_at, i.to_at)) * tstzmultirange(tstzrange($1, NULL))) AS span
          FROM logwatch_private.interruptions AS i WHERE i.to_at > $1
    ), summed AS (
        SELECT lower(m.span) AS began, upper(m.span) - lower(m.span) AS lasted,
               COALESCE(sum(upper(m.span) - lower(m.span)) OVER (ORDER BY m.span ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), '0') AS earlier
          FROM merged AS m
    )
    SELECT $1 + $2 + COALESCE(sum(s.lasted), '0') FROM summed AS s WHERE s.began < $1 + $2 + s.earlier
    $$;
COMMENT ON FUNCTION logwatch_private.deadline(timestamptz, interval)
    IS 'When a source that was last heard at a time has had an interval, without interruptions, to be heard again';

CREATE FUNCTION logwatch_private.reset_future(asof timestamptz) RETURNS void
    LANGUAGE sql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
    -- Rows that a tailer holds get their new time from it.
    UPDATE logwatch.sources AS s
       SET first_seen = least(s.first_seen, asof), attached_at = least(s.attached_at, asof), seen_at = least(s.seen_at, asof),
           watched_since = least(s.watched_since, asof), written_at = least(s.written_at, asof)
     WHERE s.id IN (SELECT k.id FROM logwatch.sources AS k WHERE greatest(k.first_seen, k.attached_at, k.seen_at, k.watched_since, k.written_at) > asof FOR UPDATE SKIP LOCKED);
    UPDATE logwatch.files AS f SET updated_at = asof
     WHERE (f.source_id, f.id) IN (SELECT k.source_id, k.id FROM logwatch.files AS k WHERE k.updated_at > asof FOR UPDATE SKIP LOCKED);
    UPDATE logwatch.edges AS e SET joined_at = least(e.joined_at, asof), heard_at = least(e.heard_at, asof)
     WHERE e.name IN (SELECT k.name FROM logwatch.edges AS k WHERE greatest(k.joined_at, k.heard_at) > asof FOR UPDATE SKIP LOCKED);
    WITH ahead AS (
        DELETE FROM logwatch.arrivals AS v WHERE v.since > asof RETURNING v.*
    )
    INSERT INTO logwatch.arrivals AS v (source_id, since, n, late, last_at, logged_at)
    SELECT a.source_id, date_bin('10 minutes', asof, timestamptz '2000-01-01Z'), sum(a.n), sum(a.late), asof, min(a.logged_at) FROM ahead AS a GROUP BY 1
        ON CONFLICT (source_id, since) DO UPDATE SET n = v.n + EXCLUDED.n, late = v.late + EXCLUDED.late;
    UPDATE logwatch.arrivals AS v SET last_at = asof WHERE v.last_at > asof;
    DELETE FROM logwatch_private.interruptions AS i WHERE i.to_at > asof
    $$;
COMMENT ON FUNCTION logwatch_private.reset_future(timestamptz) IS 'After the clock was set back: what was heard in the time that has yet to come was heard now';

CREATE FUNCTION logwatch_private.interrupted(from_at timestamptz, to_at timestamptz) RETURNS void
    LANGUAGE sql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
    -- A tailer waits up to 10 s between two attempts to connect.
    INSERT INTO logwatch_private.interruptions (from_at, to_at) VALUES ($1, $2 + interval '15 seconds') ON CONFLICT DO NOTHING
    $$;
COMMENT ON FUNCTION logwatch_private.interrupted(timestamptz, timestamptz) IS 'Notes an interruption, and after it the time that tailers take to connect again';

CREATE FUNCTION logwatch_private.note_interruption(asof timestamptz) RETURNS void
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    checked timestamptz;
    connected timestamptz;
BEGIN
    SELECT p.checked_at INTO checked FROM logwatch.progress AS p;
    -- Before the first check of such a rule, checks could be far apart. A crash empties
    -- known_rules.
    IF NOT EXISTS (SELECT FROM logwatch.rules AS r WHERE r.enabled AND r.kind = 'absence'
                      AND (r.updated_at <= checked
                           OR EXISTS (SELECT FROM logwatch_private.known_rules AS k WHERE k.name = r.name AND k.updated_at = r.updated_at))) THEN
        RETURN;
    ELSIF checked > asof + interval '5 seconds' THEN
        PERFORM logwatch_private.reset_future(asof);
        checked := asof;
    END IF;
    connected := CASE WHEN logwatch_private.setting('database') = current_database() THEN to_timestamp(logwatch_private.worker_connected_at()) END;
    -- A start of the time that has yet to come was before the clock was set back.
    IF EXISTS (SELECT FROM unnest(ARRAY[pg_postmaster_start_time(), connected]) AS s (at) WHERE s.at > checked AND s.at <= asof)
       OR connected IS NOT NULL AND checked < asof - make_interval(secs => 10 + logwatch_private.setting('check_interval')::integer) THEN
        DELETE FROM logwatch_private.interruptions AS i WHERE i.to_at < asof - make_interval(mins => logwatch_private.setting('retention')::integer);
        PERFORM logwatch_private.interrupted(checked, asof);
    END IF;
END
$$;
COMMENT ON FUNCTION logwatch_private.note_interruption(timestamptz)
    IS 'Notes the time since the last check, if the server was down meanwhile or its clock jumped; without a worker a jump forward is not noticed';
