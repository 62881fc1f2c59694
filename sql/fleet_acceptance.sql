-- Which tables a centre accepts from its edges. An edge decides which tables its publication has,
-- and PostgreSQL applies their rows with the rights of the centre's superuser. So the centre
-- subscribes disabled, compares the tables, and compares them again at each tick.

CREATE FUNCTION logwatch_private.travelling_tables() RETURNS SETOF regclass
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$ SELECT unnest('{logwatch.entries,logwatch.batches,logwatch.gaps,logwatch.beats}'::regclass[]) $$;
COMMENT ON FUNCTION logwatch_private.travelling_tables() IS 'The tables that edges send to a centre';

CREATE FUNCTION logwatch_private.table_problem(tables oid[], copies boolean) RETURNS text
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT nullif(concat_ws(' and ',
               'brings ' || (SELECT string_agg(b.id::regclass::text, ', ' ORDER BY b.id::regclass::text) FROM unnest($1) AS b (id)
                              WHERE b.id NOT IN (SELECT t.id FROM logwatch_private.travelling_tables() AS t (id))),
               'lacks ' || (SELECT string_agg(t.id::text, ', ' ORDER BY t.id::text) FROM logwatch_private.travelling_tables() AS t (id)
                             WHERE t.id <> 'logwatch.entries'::regclass AND t.id <> ALL ($1)),
               CASE WHEN 'logwatch.entries'::regclass = ANY ($1) THEN 'brings logwatch.entries here, where ' || logwatch_private.entries_elsewhere()
                    WHEN $2 THEN 'lacks logwatch.entries, as a light edge does, which joins with copy => false' END), '')
    $$;
COMMENT ON FUNCTION logwatch_private.table_problem(oid[], boolean)
    IS 'Returns which tables a subscription brings that edges do not send or this server cannot take, and which it lacks; NULL when they match';

CREATE FUNCTION logwatch_private.subscriptions_to_settle() RETURNS TABLE (subscription name, edge text, enabled boolean, problem text)
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    -- Each tick asks this. Hundreds of edges bring the same few sets of tables, and each set is
    -- judged once. A subscription without tables, as pg_restore makes it, applies nothing.
    WITH known AS MATERIALIZED (
        SELECT s.subname, s.subenabled, s.subslotname, e AS edge, b.tables, COALESCE(e.joining, false) AS copies
          FROM pg_subscription AS s
          LEFT JOIN logwatch.edges AS e ON e.subscription = s.subname
          LEFT JOIN (SELECT r.srsubid, array_agg(r.srrelid ORDER BY r.srrelid) AS tables FROM pg_subscription_rel AS r GROUP BY r.srsubid) AS b ON b.srsubid = s.oid
         WHERE s.subdbid = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
           -- One for other publications as well is the centre's own decision.
           AND s.subpublications = '{logwatch}' AND e.left_at IS NULL AND NOT pg_is_in_recovery()
    ), judged AS MATERIALIZED (
        SELECT k.tables, k.copies, logwatch_private.table_problem(k.tables, k.copies) AS problem
          FROM (SELECT DISTINCT a.tables, a.copies FROM known AS a WHERE a.tables IS NOT NULL) AS k
    )
    SELECT k.subname, COALESCE((k.edge).name, regexp_replace(k.subname, '^logwatch_', '')), k.subenabled, j.problem
      FROM known AS k
      LEFT JOIN judged AS j ON j.tables = k.tables AND j.copies = k.copies
     WHERE CASE WHEN k.subenabled THEN j.problem IS NOT NULL OR (k.edge).refused IS NOT NULL OR (k.edge).name IS NOT NULL AND (k.edge).admitted_at IS NULL
                -- One that is disabled after it was admitted was disabled by hand.
                ELSE (k.edge).name IS NOT NULL AND (k.edge).admitted_at IS NULL AND k.subslotname IS NOT NULL
                     AND (j.problem IS DISTINCT FROM (k.edge).refused OR j.problem IS NULL)
                     AND k.tables IS NOT NULL END
    $$;
COMMENT ON FUNCTION logwatch_private.subscriptions_to_settle() IS 'Subscriptions to edges that must be enabled or disabled, by the tables that they bring';

CREATE FUNCTION logwatch_private.settle_subscription(subscription name, edge text, enabled boolean, problem text) RETURNS void
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_variable
BEGIN
    IF enabled <> (problem IS NULL) THEN
        EXECUTE format('ALTER SUBSCRIPTION %I %s', subscription, CASE WHEN problem IS NULL THEN 'ENABLE' ELSE 'DISABLE' END);
    END IF;
    INSERT INTO logwatch.edges (name, subscription) VALUES (edge, subscription) ON CONFLICT DO NOTHING;
    INSERT INTO logwatch.gaps (source_id, path, from_byte, to_byte, reason)
    SELECT logwatch_private.source_id('edge ' || edge), edge, COALESCE(pg_wal_lsn_diff(e.wal, '0/0')::bigint, 0), NULL,
           format('edge %s is refused, and its subscription is disabled: it %s', edge, problem)
      FROM logwatch.edges AS e WHERE e.subscription = settle_subscription.subscription AND problem IS NOT NULL AND e.refused IS DISTINCT FROM problem;
    UPDATE logwatch.edges AS e
       SET refused = problem, admitted_at = CASE WHEN problem IS NULL THEN COALESCE(e.admitted_at, clock_timestamp()) END
     WHERE e.subscription = settle_subscription.subscription;
EXCEPTION WHEN lock_not_available THEN
    -- Another session alters the subscription; the next tick tries again.
    NULL;
END
$$;
COMMENT ON FUNCTION logwatch_private.settle_subscription(name, text, boolean, text)
    IS 'Enables the subscription to an edge whose tables match; else disables it and records the reason in edges and gaps';

CREATE FUNCTION logwatch_private.fleet_due(asof timestamptz) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT logwatch_private.is_published()
           AND NOT EXISTS (SELECT FROM logwatch.beats AS b
                            WHERE b.sent_at > asof - 0.9 * make_interval(secs => logwatch_private.setting('check_interval')::integer))
        OR EXISTS (SELECT FROM logwatch.edges AS e WHERE e.joining AND logwatch_private.joined(e))
        OR EXISTS (SELECT FROM logwatch_private.subscriptions_to_settle())
    $$;
COMMENT ON FUNCTION logwatch_private.fleet_due(timestamptz) IS 'Whether a beat is due, an edge has joined, or a subscription must be enabled or disabled; assigns no transaction id';

CREATE FUNCTION logwatch_private.tend_fleet() RETURNS void
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    e logwatch.edges;
    s record;
BEGIN
    -- Runs alone, not beside a check or the folding of counts; the next tick finds it still due.
    IF NOT logwatch_private.fleet_due(clock_timestamp()) OR NOT logwatch_private.take_turn('fleet') THEN
        RETURN;
    END IF;
    FOR s IN SELECT * FROM logwatch_private.subscriptions_to_settle() LOOP
        PERFORM logwatch_private.settle_subscription(s.subscription, s.edge, s.enabled, s.problem);
    END LOOP;
    IF logwatch_private.is_published() THEN
        PERFORM logwatch_private.beat();
    END IF;
    FOR e IN SELECT * FROM logwatch.edges AS k WHERE k.joining AND logwatch_private.joined(k) ORDER BY k.name LOOP
        IF logwatch_private.take_turn('check') AND logwatch_private.take_turn('fold') THEN
            PERFORM logwatch_private.finish_join(e);
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION logwatch_private.tend_fleet() IS 'Compares the tables of subscriptions, sends a beat and finishes joins, when they are due';
