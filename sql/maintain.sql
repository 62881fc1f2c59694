-- Keeping the tables small: partitions ahead, retention, folding and pruning. The worker calls it; calling it twice does no harm.

CREATE FUNCTION logwatch_private.add_partitions(days_ahead integer) RETURNS integer
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    SET timezone = 'UTC'
    SET lock_timeout = '500ms'
    AS $$
DECLARE
    day date;
    part text;
    made integer := 0;
BEGIN
    -- From tomorrow on: an ingest that is on its way to the default partition must not find its day taken.
    FOR day IN SELECT generate_series(current_date + 1, current_date + days_ahead, interval '1 day')::date LOOP
        part := format('entries_%s', to_char(day, 'YYYYMMDD'));
        CONTINUE WHEN to_regclass(format('logwatch.%I', part)) IS NOT NULL;
        -- A day that already has rows in the default partition stays there: ATTACH would have to refuse it.
        CONTINUE WHEN EXISTS (SELECT FROM logwatch.entries_default AS e WHERE e.received_at >= day::timestamptz AND e.received_at < (day + 1)::timestamptz);
        EXECUTE format('CREATE TABLE logwatch.%I (LIKE logwatch.entries_default INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES INCLUDING STORAGE)', part);
        EXECUTE format('ALTER TABLE logwatch.entries ATTACH PARTITION logwatch.%I FOR VALUES FROM (%L) TO (%L)', part, day::timestamptz, (day + 1)::timestamptz);
        EXECUTE format('GRANT SELECT ON logwatch.%I TO pg_monitor', part);
        made := made + 1;
    END LOOP;
    RETURN made;
END
$$;
COMMENT ON FUNCTION logwatch_private.add_partitions(integer) IS 'Makes the partitions of logwatch.entries for the days ahead; gives up rather than wait for a lock';

CREATE FUNCTION logwatch_private.drop_partitions(keep_from timestamptz) RETURNS integer
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    SET lock_timeout = '500ms'
    AS $$
DECLARE
    part record;
    dropped integer := 0;
BEGIN
    FOR part IN
        SELECT c.relname, to_date(right(c.relname, 8), 'YYYYMMDD') AS day
          FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
         WHERE i.inhparent = 'logwatch.entries'::regclass AND c.relname ~ '^entries_[0-9]{8}$'
    LOOP
        IF (part.day + 1)::timestamp AT TIME ZONE 'UTC' <= keep_from THEN
            EXECUTE format('DROP TABLE logwatch.%I', part.relname);
            dropped := dropped + 1;
        END IF;
    END LOOP;
    RETURN dropped;
END
$$;
COMMENT ON FUNCTION logwatch_private.drop_partitions(timestamptz) IS 'Drops the partitions of logwatch.entries that are older than that; gives up rather than wait for a lock';

CREATE FUNCTION logwatch_private.fold_counts(older_than timestamptz) RETURNS bigint
    LANGUAGE sql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
    -- Partial sums of one second become one row, and the patterns learn their totals from them, exactly once: the DELETE says which.
    WITH raw AS (
        DELETE FROM logwatch.counts AS c WHERE c.width = 0 AND c.second < older_than
           -- A centre makes the patterns after the counts have come.
           AND (NOT EXISTS (SELECT FROM logwatch.edges) OR EXISTS (SELECT FROM logwatch.patterns AS p WHERE p.fingerprint = c.fingerprint))
        RETURNING c.second, c.source_id, c.level, c.fingerprint, c.n
    ), folded AS (
        INSERT INTO logwatch.counts (second, source_id, level, fingerprint, n, width)
        SELECT r.second, r.source_id, r.level, r.fingerprint, sum(r.n), 1 FROM raw AS r GROUP BY 1, 2, 3, 4
    ), pattern AS (
        UPDATE logwatch.patterns AS p SET total = p.total + t.n, last_seen = greatest(p.last_seen, t.last_at)
          FROM (SELECT r.fingerprint, sum(r.n) AS n, max(r.second) AS last_at FROM raw AS r GROUP BY 1) AS t
         WHERE p.fingerprint = t.fingerprint
    )
    SELECT count(*) FROM raw
    $$;
COMMENT ON FUNCTION logwatch_private.fold_counts(timestamptz) IS 'Folds the partial sums of logwatch.counts together and into logwatch.patterns';

CREATE FUNCTION logwatch_private.folding_due() RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$ SELECT count(*) = 2000 FROM (SELECT FROM logwatch.counts AS c WHERE c.width = 0 LIMIT 2000) AS raw $$;
COMMENT ON FUNCTION logwatch_private.folding_due() IS 'Whether a check has to read so many partial sums that they are better folded now';

CREATE FUNCTION logwatch_private.coarsen_counts(from_width integer, to_width integer, older_than timestamptz) RETURNS bigint
    LANGUAGE sql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
    WITH fine AS (
        DELETE FROM logwatch.counts AS c
         WHERE c.width = from_width AND c.second < date_bin(make_interval(secs => to_width), older_than, timestamptz '2000-01-01Z')
        RETURNING c.second, c.source_id, c.level, c.fingerprint, c.n
    ), coarse AS (
        INSERT INTO logwatch.counts (second, source_id, level, fingerprint, n, width)
        SELECT date_bin(make_interval(secs => to_width), f.second, timestamptz '2000-01-01Z'), f.source_id, f.level, f.fingerprint, sum(f.n), to_width
          FROM fine AS f GROUP BY 1, 2, 3, 4
    )
    SELECT count(*) FROM fine
    $$;
COMMENT ON FUNCTION logwatch_private.coarsen_counts(integer, integer, timestamptz) IS 'Puts old counts together by the minute or hour';

CREATE FUNCTION logwatch_private.seconds_matter_from(asof timestamptz) RETURNS timestamptz
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    -- A record may come max_lateness late, and its window reaches back by the longest rule's length; spike compares with the 7 days before.
    SELECT asof - make_interval(secs => logwatch_private.setting('max_lateness')::integer) - interval '8 days' - COALESCE(max(r.within), interval '0')
      FROM logwatch.rules AS r
    $$;
COMMENT ON FUNCTION logwatch_private.seconds_matter_from(timestamptz) IS 'From when on counts are kept by the second: no rule looks at anything older';

CREATE FUNCTION logwatch_private.batches_matter_for() RETURNS interval
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    -- In a fleet a join copies them, and tells by them what is there twice and what is still to be checked.
    SELECT CASE WHEN logwatch_private.is_published() OR EXISTS (SELECT FROM logwatch.edges)
                THEN greatest(interval '1 day', make_interval(secs => logwatch_private.setting('max_lateness')::integer)) ELSE interval '1 minute' END
    $$;
COMMENT ON FUNCTION logwatch_private.batches_matter_for() IS 'How long batches are kept after the check that saw them';

CREATE FUNCTION logwatch_private.add_up_batches() RETURNS bigint
    LANGUAGE sql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
    -- Those that the last check has seen are needed no more but for how many they were.
    WITH seen AS (
        DELETE FROM logwatch.batches AS b
         WHERE b.xid < (SELECT p.seen_xmin FROM logwatch.progress AS p) AND b.received_at < now() - logwatch_private.batches_matter_for()
        RETURNING b.source_id, date_bin('10 minutes', b.received_at, timestamptz '2000-01-01Z') AS since, b.received_at, b.last_at, b.n,
                  CASE WHEN b.last_at < b.received_at - make_interval(secs => logwatch_private.setting('max_lateness')::integer) THEN b.n ELSE 0 END AS late
    ), added AS (
        INSERT INTO logwatch.arrivals AS v (source_id, since, n, late, last_at, logged_at)
        SELECT s.source_id, s.since, sum(s.n), sum(s.late), max(s.received_at), (array_agg(s.last_at ORDER BY s.received_at DESC, s.last_at DESC))[1]
          FROM seen AS s GROUP BY 1, 2
        ON CONFLICT (source_id, since) DO UPDATE
           SET n = v.n + EXCLUDED.n, late = v.late + EXCLUDED.late, last_at = greatest(v.last_at, EXCLUDED.last_at),
               logged_at = CASE WHEN EXCLUDED.last_at >= v.last_at THEN EXCLUDED.logged_at ELSE v.logged_at END
    )
    SELECT count(*) FROM seen
    $$;
COMMENT ON FUNCTION logwatch_private.add_up_batches() IS 'Moves the batches that were checked into logwatch.arrivals';

CREATE FUNCTION logwatch_private.maintenance_due(asof timestamptz) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT EXISTS (SELECT FROM logwatch.counts AS c WHERE c.width = 0 AND c.second < asof - interval '1 minute')
        OR EXISTS (SELECT FROM logwatch.batches AS b
                    WHERE b.received_at < asof - interval '1 minute' - logwatch_private.batches_matter_for() AND b.xid < (SELECT p.seen_xmin FROM logwatch.progress AS p))
        OR to_regclass(format('logwatch.entries_%s', to_char((asof AT TIME ZONE 'UTC')::date + 2, 'YYYYMMDD'))) IS NULL
        OR (SELECT p.maintained_at IS NULL OR p.maintained_at < asof - interval '1 day' FROM logwatch.progress AS p)
    $$;
COMMENT ON FUNCTION logwatch_private.maintenance_due(timestamptz) IS 'Whether maintenance has anything to do; assigns no transaction id';

CREATE FUNCTION logwatch_private.maintain() RETURNS text
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    keep_from constant timestamptz := now() - make_interval(mins => logwatch_private.setting('retention')::integer);
    made integer;
    dropped integer;
    folded bigint;
    busy text := '';
BEGIN
    IF NOT logwatch_private.take_turn('fold') THEN
        RETURN 'another logwatch_maintain() is running';
    END IF;
    -- Both take locks that a long query or a pg_dump stands in the way of, and that everybody else would queue up behind.
    BEGIN
        made := logwatch_private.add_partitions(3);
        dropped := logwatch_private.drop_partitions(keep_from);
    EXCEPTION WHEN lock_not_available THEN
        made := 0;
        dropped := 0;
        busy := '; partitions are in use and are tried again later';
    END;
    DELETE FROM logwatch.entries_default AS e WHERE e.received_at < keep_from;
    folded := logwatch_private.fold_counts(now());
    PERFORM logwatch_private.coarsen_counts(1, 60, logwatch_private.seconds_matter_from(now()));
    PERFORM logwatch_private.coarsen_counts(60, 3600, logwatch_private.seconds_matter_from(now()) - interval '31 days');
    DELETE FROM logwatch.counts AS c WHERE c.second < keep_from;
    PERFORM logwatch_private.add_up_batches();
    DELETE FROM logwatch.arrivals AS v
     WHERE v.last_at < now() - interval '25 hours'
       AND (v.last_at < keep_from OR EXISTS (SELECT FROM logwatch.arrivals AS l WHERE l.source_id = v.source_id AND l.since > v.since));
    DELETE FROM logwatch.notifications AS n WHERE n.created_at < keep_from AND n.state IN ('sent', 'failed', 'suppressed');
    DELETE FROM logwatch.alerts AS a WHERE a.state = 'resolved' AND a.resolved_at < keep_from AND a.met_until < keep_from;
    DELETE FROM logwatch.acknowledgements AS k WHERE NOT EXISTS (SELECT FROM logwatch.alerts AS a WHERE a.id = k.alert_id);
    DELETE FROM logwatch.attempts AS t WHERE t.at < keep_from;
    DELETE FROM logwatch.silences AS s WHERE s.ends_at < keep_from AND s.repeat_every IS NULL;
    DELETE FROM logwatch.gaps AS g WHERE g.noticed_at < keep_from;
    -- Not those that are done: as long as the file is there, its row is what keeps it from being read again.
    DELETE FROM logwatch.files AS f WHERE f.state IN ('truncated', 'removed') AND f.updated_at < keep_from;
    PERFORM logwatch_private.forget(s.id)
       FROM logwatch.sources AS s
      WHERE greatest(s.first_seen, s.attached_at, s.seen_at, s.written_at,
                     (SELECT max(v.last_at) FROM logwatch.arrivals AS v WHERE v.source_id = s.id)) < keep_from;
    DELETE FROM logwatch.patterns AS p
     WHERE p.last_seen < keep_from AND NOT EXISTS (SELECT FROM logwatch.counts AS c WHERE c.fingerprint = p.fingerprint AND c.second >= keep_from);
    DELETE FROM logwatch.edges AS e WHERE e.left_at < keep_from;
    UPDATE logwatch.progress SET maintained_at = clock_timestamp();
    RETURN format('partitions made %s, dropped %s; counts folded %s%s', made, dropped, folded, busy);
END
$$;
COMMENT ON FUNCTION logwatch_private.maintain() IS 'What logwatch_maintain() does';

CREATE FUNCTION logwatch_maintain() RETURNS text
    LANGUAGE sql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$ SELECT logwatch_private.maintain() $$;
COMMENT ON FUNCTION logwatch_maintain() IS 'Makes partitions ahead, drops those older than logwatch.retention, folds and prunes; the worker does it by itself';

-- After a restore: pg_dump's rows are older than the transaction that loads them, and all others are not. They were dealt with where
-- they come from. pg_restore fires these triggers; replication does not.

CREATE FUNCTION logwatch_private.restored_batch() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    -- Its transaction id belongs to another server; this one never calls it new.
    NEW.xid := '0';
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION logwatch_private.restored_batch() IS 'A batch of a dump has been checked already';
CREATE TRIGGER batches_restored BEFORE INSERT ON logwatch.batches FOR EACH ROW WHEN (NEW.received_at < now()) EXECUTE FUNCTION logwatch_private.restored_batch();
COMMENT ON TRIGGER batches_restored ON logwatch.batches IS 'A batch of a dump has been checked already';

CREATE FUNCTION logwatch_private.restored_notification() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    NEW.state := 'failed';
    NEW.leased_at := NULL;
    NEW.leased_by := NULL;
    NEW.last_error := 'restored from a dump: not sent again';
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION logwatch_private.restored_notification() IS 'What was waiting when a dump was made is not sent by the server that it is restored to';
CREATE TRIGGER notifications_restored BEFORE INSERT ON logwatch.notifications FOR EACH ROW
    WHEN (NEW.state IN ('queued', 'sending') AND NEW.created_at < now()) EXECUTE FUNCTION logwatch_private.restored_notification();
COMMENT ON TRIGGER notifications_restored ON logwatch.notifications IS 'What was waiting when a dump was made is not sent by the server that it is restored to';
