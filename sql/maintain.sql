-- Upkeep: partitions ahead, retention, folding and pruning. The worker calls it; calling it twice
-- does no harm.

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
    -- Starts with tomorrow: an open transaction may still insert today's rows into the default
    -- partition.
    FOR day IN SELECT generate_series(current_date + 1, current_date + days_ahead, interval '1 day')::date LOOP
        part := format('entries_%s', to_char(day, 'YYYYMMDD'));
        CONTINUE WHEN to_regclass(format('logwatch.%I', part)) IS NOT NULL;
        -- A day that already has rows in the default partition stays there: ATTACH would fail.
        CONTINUE WHEN EXISTS (SELECT 1 FROM logwatch.entries_default AS e WHERE e.received_at >= day::timestamptz AND e.received_at < (day + 1)::timestamptz);
        EXECUTE format('CREATE TABLE logwatch.%I (LIKE logwatch.entries_default INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES INCLUDING STORAGE)', part);
        EXECUTE format('ALTER TABLE logwatch.entries ATTACH PARTITION logwatch.%I FOR VALUES FROM (%L) TO (%L)', part, day::timestamptz, (day + 1)::timestamptz);
        EXECUTE format('GRANT SELECT ON logwatch.%I TO pg_monitor', part);
        made := made + 1;
    END LOOP;
    RETURN made;
END
$$;
COMMENT ON FUNCTION logwatch_private.add_partitions(integer) IS 'Makes the partitions of logwatch.entries for the days ahead; gives up rather than wait for a lock';

CREATE FUNCTION logwatch_private.old_partitions(keep_from timestamptz) RETURNS SETOF name
    LANGUAGE sql STABLE
    AS $$
    -- Without SET, so that PostgreSQL inlines it in the look of the idle worker.
    SELECT c.relname
      FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
     WHERE i.inhparent = 'logwatch.entries'::regclass AND c.relname ~ '^entries_[0-9]{8}$'
       AND (to_date(right(c.relname, 8), 'YYYYMMDD') + 1)::timestamp AT TIME ZONE 'UTC' <= keep_from
     ORDER BY c.relname
    $$;
COMMENT ON FUNCTION logwatch_private.old_partitions(timestamptz) IS 'Returns the partitions of logwatch.entries that are older than that, the oldest first';

CREATE FUNCTION logwatch_private.drop_partitions(keep_from timestamptz) RETURNS integer
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    SET lock_timeout = '500ms'
    AS $$
DECLARE
    part name;
    dropped integer := 0;
BEGIN
    -- A dropped partition keeps about eight locks until the transaction ends, and the lock table
    -- may be small.
    FOR part IN SELECT * FROM logwatch_private.old_partitions(keep_from) LIMIT 16 LOOP
        EXECUTE format('DROP %s logwatch.%I', CASE WHEN EXISTS (SELECT 1 FROM pg_foreign_table AS f WHERE f.ftrelid = format('logwatch.%I', part)::regclass)
                                                   THEN 'FOREIGN TABLE' ELSE 'TABLE' END, part);
        dropped := dropped + 1;
    END LOOP;
    DELETE FROM logwatch.entries_default AS e WHERE e.received_at < keep_from;
    RETURN dropped;
END
$$;
COMMENT ON FUNCTION logwatch_private.drop_partitions(timestamptz) IS 'Drops the oldest partitions of logwatch.entries that are older than that, 16 at most, and deletes such entries outside them; gives up rather than wait for a lock';

CREATE FUNCTION logwatch_private.coarsen_minutes(seconds_from timestamptz, minutes_from timestamptz) RETURNS bigint
    LANGUAGE sql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
    -- First the seconds of a minute go, then its row becomes part of its hour's.
    UPDATE logwatch.minutes AS m SET points = '{}' WHERE m.width = 60 AND m.minute < logwatch_private.start_of_minute($1) AND m.points <> '{}';
    WITH fine AS (
        DELETE FROM logwatch.minutes AS m
         WHERE m.width = 60 AND m.minute < date_bin('1 hour', $2, timestamptz '2000-01-01Z')
        RETURNING m.fingerprint, m.source_id, date_bin('1 hour', m.minute, timestamptz '2000-01-01Z') AS hour, m.level, m.n
    ), coarse AS (
        INSERT INTO logwatch.minutes AS m (fingerprint, source_id, minute, level, width, n)
        SELECT f.fingerprint, f.source_id, f.hour, f.level, 3600, sum(f.n) FROM fine AS f GROUP BY 1, 2, 3, 4
            ON CONFLICT (fingerprint, source_id, minute, width) DO UPDATE SET n = m.n + EXCLUDED.n
    )
    SELECT count(*) FROM fine
    $$;
COMMENT ON FUNCTION logwatch_private.coarsen_minutes(timestamptz, timestamptz) IS 'Forgets the seconds of old minutes, and puts still older ones together by the hour; returns how many of these';

CREATE FUNCTION logwatch_private.prune_rolled(asof timestamptz) RETURNS bigint
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    unused integer[];              -- selections whose rules are gone
    empty logwatch_private.field_groups[];
    gone bigint;
BEGIN
    -- A check may be learning a rule that has one of them: it holds the lock until it commits. The
    -- second statement sees the rules of the checks that have.
    SELECT array_agg(k.id) INTO unused
      FROM (SELECT s.id FROM logwatch_private.selections AS s
             WHERE NOT EXISTS (SELECT FROM logwatch_private.known_rules AS k WHERE k.selection = s.id OR k.by_source = s.id)
               FOR UPDATE SKIP LOCKED) AS k;
    DELETE FROM logwatch_private.selections AS s
     WHERE s.id = ANY (unused) AND NOT EXISTS (SELECT FROM logwatch_private.known_rules AS k WHERE k.selection = s.id OR k.by_source = s.id);
    UPDATE logwatch_private.selections AS s SET since = logwatch_private.start_of_minute($1 - s.reach)
     WHERE s.since < logwatch_private.start_of_minute($1 - s.reach);
    -- A check that is counting holds its groups in the same way.
    SELECT array_agg(k.held) INTO empty
      FROM (SELECT g AS held FROM logwatch_private.field_groups AS g
             WHERE NOT EXISTS (SELECT FROM logwatch_private.rolled AS o WHERE o.selection = g.selection AND o.grp = g.grp)
               FOR UPDATE SKIP LOCKED) AS k;
    DELETE FROM logwatch_private.field_groups AS g USING unnest(empty) AS e
     WHERE g.selection = e.selection AND g.grp = e.grp
       AND NOT EXISTS (SELECT FROM logwatch_private.rolled AS o WHERE o.selection = g.selection AND o.grp = g.grp);
    DELETE FROM logwatch_private.matches AS m WHERE NOT EXISTS (SELECT FROM logwatch.patterns AS p WHERE p.fingerprint = m.fingerprint);
    -- Deletes sums that no rule looks back to.
    DELETE FROM logwatch_private.rolled AS o
     WHERE o.minute < (SELECT min(s.since) FROM logwatch_private.selections AS s)
        OR NOT EXISTS (SELECT FROM logwatch_private.selections AS s WHERE s.id = o.selection AND s.since <= o.minute);
    GET DIAGNOSTICS gone = ROW_COUNT;
    RETURN gone;
END
$$;
COMMENT ON FUNCTION logwatch_private.prune_rolled(timestamptz) IS 'Deletes sums that no rule looks back to';

CREATE FUNCTION logwatch_private.seconds_matter_from(asof timestamptz) RETURNS timestamptz
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    -- A record can be max_lateness late, and its window reaches back by the longest rule's length;
    -- spike compares with the 7 days before.
    SELECT asof - make_interval(secs => logwatch_private.setting('max_lateness')::integer) - interval '8 days' - COALESCE(max(r.within), interval '0')
      FROM logwatch.rules AS r
    $$;
COMMENT ON FUNCTION logwatch_private.seconds_matter_from(timestamptz) IS 'From when on counts are kept by the second: no rule looks at anything older';

CREATE FUNCTION logwatch_private.maintenance_due(asof timestamptz) RETURNS SETOF boolean
    LANGUAGE sql STABLE
    AS $$
    -- Inlined, too.
    SELECT EXISTS (SELECT FROM logwatch_private.selections AS s WHERE s.since < asof - s.reach - interval '5 minutes'
                    AND EXISTS (SELECT FROM logwatch_private.rolled AS o WHERE o.selection = s.id AND o.minute < asof - s.reach - interval '5 minutes'))
        OR to_regclass(format('logwatch.entries_%s', to_char((asof AT TIME ZONE 'UTC')::date + 2, 'YYYYMMDD'))) IS NULL
        OR (SELECT p.maintained_at IS NULL OR p.maintained_at < asof - interval '1 day' FROM logwatch.progress AS p)
        OR EXISTS (SELECT FROM logwatch_private.failed_upkeep)
        OR EXISTS (SELECT FROM logwatch_private.old_partitions(logwatch_private.entries_kept_from(asof)))
    $$;
COMMENT ON FUNCTION logwatch_private.maintenance_due(timestamptz) IS 'Whether maintenance has anything to do; assigns no transaction id';

CREATE FUNCTION logwatch_private.fold() RETURNS bigint
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    folded bigint;
BEGIN
    folded := logwatch_private.coarsen_minutes(logwatch_private.seconds_matter_from(now()), logwatch_private.seconds_matter_from(now()) - interval '31 days');
    PERFORM logwatch_private.prune_rolled(now());
    RETURN folded;
END
$$;
COMMENT ON FUNCTION logwatch_private.fold() IS 'Folds old counts and deletes sums that no rule looks back to; returns how many rows were folded';

CREATE FUNCTION logwatch_private.delete_old(keep_from timestamptz) RETURNS void
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    DELETE FROM logwatch.minutes AS m WHERE m.minute < keep_from;
    -- The last time that each expected line came is kept.
    DELETE FROM logwatch.expected_lines AS l
     WHERE l.second < keep_from
       AND (NOT EXISTS (SELECT FROM logwatch.rules AS r WHERE r.match = l.match AND logwatch_private.expects_lines(r))
            OR EXISTS (SELECT FROM logwatch.expected_lines AS k WHERE k.match = l.match AND k.source_id = l.source_id AND k.second > l.second));
    IF EXISTS (SELECT FROM logwatch_private.selections AS s WHERE s.since < keep_from) THEN
        PERFORM logwatch_private.forget_rolled();
    END IF;
    DELETE FROM logwatch.arrivals AS v
     WHERE v.last_at < now() - interval '25 hours'
       AND (v.last_at < keep_from OR EXISTS (SELECT FROM logwatch.arrivals AS l WHERE l.source_id = v.source_id AND l.since > v.since));
    -- They tell who is to hear of the end of an alert.
    DELETE FROM logwatch.notifications AS n
     WHERE n.created_at < keep_from AND n.state IN ('sent', 'failed', 'suppressed')
       AND NOT EXISTS (SELECT FROM logwatch.alerts AS a
                        WHERE COALESCE(a.announced_with, a.id) = n.alert_id AND (a.state <> 'resolved' OR a.end_is_news AND a.announced = 'firing'));
    DELETE FROM logwatch.alerts AS a
     WHERE a.state = 'resolved' AND a.resolved_at < keep_from AND a.met_until < keep_from AND NOT (a.end_is_news AND a.announced IS NOT NULL);
    DELETE FROM logwatch.acknowledgements AS k WHERE NOT EXISTS (SELECT FROM logwatch.alerts AS a WHERE a.id = k.alert_id);
    DELETE FROM logwatch.attempts AS t WHERE t.at < keep_from;
    DELETE FROM logwatch.silences AS s WHERE s.ends_at < keep_from AND s.repeat_every IS NULL;
    DELETE FROM logwatch.gaps AS g WHERE g.noticed_at < keep_from;
    DELETE FROM logwatch.paths AS p WHERE p.seen_at < keep_from - interval '1 day';
    -- Keeps the files that are done: while such a file exists, its row prevents a second reading.
    DELETE FROM logwatch.files AS f WHERE f.state IN ('truncated', 'removed') AND f.updated_at < keep_from;
    -- A tailer that attaches at this moment has the row locked: its offsets stay.
    PERFORM logwatch_private.forget(k.id)
       FROM (SELECT s.id FROM logwatch.sources AS s
              WHERE greatest(s.first_seen, s.attached_at, s.seen_at, s.written_at,
                             (SELECT max(v.last_at) FROM logwatch.arrivals AS v WHERE v.source_id = s.id)) < keep_from
                -- Its absence is what such a rule reports.
                AND NOT EXISTS (SELECT FROM logwatch.rules AS r WHERE r.enabled AND r.kind = 'absence' AND r.source = s.name)
                FOR UPDATE OF s SKIP LOCKED) AS k;
    DELETE FROM logwatch.patterns AS p
     WHERE p.last_seen < keep_from AND NOT EXISTS (SELECT FROM logwatch.minutes AS m WHERE m.fingerprint = p.fingerprint AND m.minute >= keep_from);
    DELETE FROM logwatch.earlier_fingerprints AS f WHERE NOT EXISTS (SELECT FROM logwatch.patterns AS p WHERE p.fingerprint = f.fingerprint);
    DELETE FROM logwatch.edges AS e WHERE e.left_at < keep_from;
END
$$;
COMMENT ON FUNCTION logwatch_private.delete_old(timestamptz) IS 'Deletes what is older than that, besides entries';

CREATE FUNCTION logwatch_private.maintain_part(part text, OUT done bigint, OUT problem text)
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    keep_from constant timestamptz := now() - make_interval(mins => logwatch_private.setting('retention')::integer);
    code text;
BEGIN
    IF NOT logwatch_private.take_turn('fold') THEN
        problem := 'another logwatch_maintain() is running';
        RETURN;
    END IF;
    BEGIN
        CASE $1
            WHEN 'new partitions' THEN done := logwatch_private.add_partitions(3);
            WHEN 'old partitions' THEN done := logwatch_private.drop_partitions(logwatch_private.entries_kept_from(now()));
            WHEN 'folding' THEN done := logwatch_private.fold();
            WHEN 'retention' THEN PERFORM logwatch_private.delete_old(keep_from);
        END CASE;
    EXCEPTION
        WHEN lock_not_available OR deadlock_detected THEN
            -- A long query or a pg_dump holds a lock, and all others would queue behind this one.
            problem := $1 || CASE WHEN $1 LIKE '%partitions' THEN ' are in use and are tried again later' ELSE ' waits for a lock and is tried again later' END;
            RETURN;
        WHEN OTHERS THEN
            GET STACKED DIAGNOSTICS problem = MESSAGE_TEXT, code = RETURNED_SQLSTATE;
            problem := format('%s: %s (%s)', $1, regexp_replace(problem, '[[:space:]]+', ' ', 'g'), code);
            INSERT INTO logwatch_private.failed_upkeep AS f (part, error) VALUES ($1, problem)
                ON CONFLICT (part) DO UPDATE SET error = EXCLUDED.error WHERE f.error <> EXCLUDED.error;
            RETURN;
    END;
    IF EXISTS (SELECT FROM logwatch_private.failed_upkeep AS f WHERE f.part = $1) THEN
        DELETE FROM logwatch_private.failed_upkeep AS f WHERE f.part = $1;
    END IF;
END
$$;
COMMENT ON FUNCTION logwatch_private.maintain_part(text)
    IS 'Does one part of the upkeep and records whether it failed: new partitions, old partitions, folding or retention';

CREATE FUNCTION logwatch_private.maintained() RETURNS void
    LANGUAGE sql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$ UPDATE logwatch.progress SET maintained_at = clock_timestamp() $$;
COMMENT ON FUNCTION logwatch_private.maintained() IS 'Records that the upkeep ran';

CREATE FUNCTION logwatch_maintain() RETURNS text
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    parts constant text[] := '{new partitions,old partitions,folding,retention}';
    done bigint[];
    problems text[];
    waiting bigint;
BEGIN
    IF NOT logwatch_private.finish_restore() THEN
        RETURN logwatch_private.restore_words();
    END IF;
    IF NOT logwatch_private.take_turn('fold') THEN
        RETURN 'another logwatch_maintain() is running';
    END IF;
    SELECT array_agg(COALESCE(m.done, 0) ORDER BY p.number), array_agg(m.problem ORDER BY p.number) FILTER (WHERE m.problem IS NOT NULL)
      INTO done, problems
      FROM unnest(parts) WITH ORDINALITY AS p (part, number) CROSS JOIN LATERAL logwatch_private.maintain_part(p.part) AS m;
    PERFORM logwatch_private.maintained();
    SELECT count(*) INTO waiting FROM logwatch_private.old_partitions(logwatch_private.entries_kept_from(now()));
    RETURN concat_ws('; ', format('partitions made %s, dropped %s', done[1], done[2]),
                     CASE WHEN waiting > 0 THEN format('%s more are dropped by the next calls', waiting) END,
                     format('minutes folded %s', done[3]), array_to_string(problems, '; '));
END
$$;
COMMENT ON FUNCTION logwatch_maintain() IS 'Makes partitions ahead, drops those older than logwatch.entries_retention, folds and prunes; the worker does it by itself';

-- A publication for all tables includes these, and PostgreSQL then refuses to delete rows that it
-- cannot identify. They have no key, because the rows of all edges meet in them at a centre. Old
-- rows go to the WAL under wal_level = logical only.
ALTER TABLE logwatch.entries_default REPLICA IDENTITY FULL;
ALTER TABLE logwatch.batches REPLICA IDENTITY FULL;
ALTER TABLE logwatch.beats REPLICA IDENTITY FULL;
ALTER TABLE logwatch.attempts REPLICA IDENTITY FULL;
