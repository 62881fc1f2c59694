-- State of a fleet as this server sees it: the edges of a centre, and the centres of an edge.

CREATE FUNCTION logwatch_private.read_fleet()
    RETURNS TABLE (role text, name text, state text, heard_at timestamptz, lag_bytes bigint, lag_seconds double precision, last_batch_at timestamptz,
                   per_minute bigint, slot text, slot_state text, wal_held bigint, wal_left bigint, errors bigint, version text, message text)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    asof constant timestamptz := clock_timestamp();
    e record;
    failed bigint;
    seen record;
BEGIN
    FOR e IN
        SELECT k.*, k AS edge, s.oid AS subid, s.subenabled, s.subslotname::text AS slot, k.slots -> s.subslotname::text AS at_edge
          FROM logwatch.edges AS k
          LEFT JOIN pg_subscription AS s ON s.subname = k.subscription
               AND s.subdbid = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
         WHERE k.left_at IS NULL OR s.oid IS NOT NULL
         ORDER BY k.name
    LOOP
        failed := NULL;
        -- PostgreSQL counts them since version 15. Its view would count those of all subscriptions.
        IF to_regprocedure('pg_catalog.pg_stat_get_subscription_stats(oid)') IS NOT NULL THEN
            EXECUTE 'SELECT t.apply_error_count + t.sync_error_count FROM pg_stat_get_subscription_stats($1) AS t' INTO failed USING e.subid;
        END IF;
        SELECT CASE WHEN e.subid IS NULL THEN 'missing'
                    WHEN e.refused IS NOT NULL THEN 'refused'
                    WHEN NOT e.subenabled AND e.admitted_at IS NULL THEN 'joining'
                    WHEN NOT e.subenabled THEN 'disabled'
                    WHEN e.left_at IS NOT NULL THEN 'leaving'
                    WHEN asof - greatest(e.heard_at, e.joined_at) > greatest(3 * e.every, interval '10 seconds') THEN 'silent'
                    WHEN e.heard_at IS NULL OR e.joining THEN 'joining'
                    WHEN e.missing_until > asof - interval '24 hours' THEN 'gap'
                    WHEN e.heard_at - e.sent_at > interval '1 minute' THEN 'late'
                    ELSE 'ok' END AS state,
               -- Delay of the last beat, or time since the next one was due.
               round(extract(epoch FROM CASE WHEN asof - e.heard_at > 2 * e.every THEN asof - e.sent_at ELSE greatest(e.heard_at - e.sent_at, interval '0') END), 3)::float8 AS lag
          INTO seen;
        RETURN QUERY SELECT 'edge'::text, e.name, seen.state, e.heard_at, (e.at_edge ->> 'behind')::bigint, seen.lag, e.last_batch_at, e.per_minute,
            e.slot, e.at_edge ->> 'status', (e.at_edge ->> 'held')::bigint, (e.at_edge ->> 'left')::bigint, COALESCE(failed, 0), e.version,
            concat_ws(', ',
                CASE seen.state
                    WHEN 'missing' THEN format('subscription %s is missing: type the commands that SELECT %s.logwatch_subscribe(%L::text, ...) returns', e.subscription, logwatch_private.schema(), e.name)
                    WHEN 'disabled' THEN format('its subscription is disabled; type: ALTER SUBSCRIPTION %I ENABLE;', e.subscription)
                    WHEN 'leaving' THEN format('unsubscribed, but its subscription still exists; type the commands that SELECT %s.logwatch_unsubscribe(%L::text, false) returns', logwatch_private.schema(), e.name)
                    WHEN 'refused' THEN format('its subscription %s and is disabled, so that nothing from it is applied; ', e.refused)
                        || CASE WHEN logwatch_private.entries_elsewhere() IS NOT NULL THEN 'the next check enables it when all entries are on this server'
                                ELSE format('when its administrator has typed SELECT <schema>.logwatch_publish(false, ''logwatch_centre''::text); there, type what SELECT %s.logwatch_unsubscribe(%L::text, false) returns, and subscribe again',
                                            logwatch_private.schema(), e.name) END
                    WHEN 'joining' THEN CASE WHEN e.subenabled THEN 'the copy of its older rows is under way' ELSE 'the next check compares its tables and enables its subscription' END
                    WHEN 'silent' THEN format('no beat for %s: check that it is up, and read this server''s log; if its slot is lost, unsubscribe and subscribe again',
                        date_trunc('second', asof - greatest(e.heard_at, e.joined_at)))
                    WHEN 'gap' THEN format('rows that it stored from %s to %s may be missing, see logwatch.gaps; to copy those that it still has, unsubscribe and subscribe again',
                        to_char(e.missing_from, 'YYYY-MM-DD HH24:MI:SS'), to_char(e.missing_until, 'YYYY-MM-DD HH24:MI:SS'))
                    WHEN 'late' THEN format('%s behind', date_trunc('second', e.heard_at - e.sent_at)) END,
                CASE WHEN logwatch_private.is_light(e.edge) THEN 'light: counts and samples, its entries are only there' END,
                e.per_minute || ' entries a minute',
                'last batch ' || to_char(e.last_batch_at, 'YYYY-MM-DD HH24:MI:SS'),
                CASE WHEN e.at_edge IS NOT NULL THEN format('it holds %s of WAL for us', pg_size_pretty((e.at_edge ->> 'held')::bigint)) END,
                CASE WHEN failed > 0 THEN format('%s error%s while applying, see the server log', failed, CASE WHEN failed = 1 THEN '' ELSE 's' END) END,
                CASE WHEN e.version <> logwatch_private.library_version() THEN format('it has version %s', e.version) END);
    END LOOP;

    RETURN QUERY
    SELECT 'centre'::text, s.slot, v.state, (SELECT b.sent_at FROM logwatch.beats AS b LIMIT 1), s.behind,
           (SELECT round(extract(epoch FROM r.replay_lag), 3)::float8 FROM pg_stat_replication AS r JOIN pg_replication_slots AS p ON p.active_pid = r.pid WHERE p.slot_name = s.slot),
           (SELECT r.last_at FROM logwatch_private.received(asof) AS r),
           (SELECT r.per_minute FROM logwatch_private.received(asof) AS r),
           s.slot, s.status, s.held, s."left", 0::bigint, logwatch_private.library_version(),
           concat_ws(', ',
               CASE v.state
                   WHEN 'lost' THEN format('its WAL was dropped, because %s: at the centre unsubscribe and subscribe again', logwatch_private.why_lost(s.slot))
                   WHEN 'incomplete' THEN format('entries do not reach it: %s, and logical replication sends no rows of such tables', v.elsewhere)
                   WHEN 'away' THEN 'it is not connected' END,
               format('%s behind, %s of WAL held for it', pg_size_pretty(s.behind), COALESCE(pg_size_pretty(s.held), 'none')),
               CASE WHEN s."left" IS NOT NULL THEN format('%s more until it is dropped', pg_size_pretty(s."left"))
                    WHEN s.status <> 'lost' THEN 'without a limit: if it stays away this disk fills; set max_slot_wal_keep_size' END)
      FROM logwatch_private.fleet_slots() AS s
     CROSS JOIN LATERAL (SELECT CASE WHEN logwatch_private.publishes_entries() THEN logwatch_private.entries_elsewhere() END AS elsewhere) AS w
     CROSS JOIN LATERAL (SELECT CASE WHEN s.status = 'lost' THEN 'lost' WHEN w.elsewhere IS NOT NULL THEN 'incomplete'
                                     WHEN NOT s.active THEN 'away' WHEN s.status <> 'reserved' THEN 'behind' ELSE 'ok' END AS state, w.elsewhere) AS v
     ORDER BY s.slot;
END
$$;
COMMENT ON FUNCTION logwatch_private.read_fleet() IS 'Rows of logwatch_fleet';

CREATE VIEW logwatch_fleet AS SELECT * FROM logwatch_private.read_fleet();
COMMENT ON VIEW logwatch_fleet IS 'The fleet as this server sees it: a row per edge (at a centre) and per centre (at an edge)';
COMMENT ON COLUMN logwatch_fleet.role IS 'edge (this server is its centre) or centre (this server is its edge)';
COMMENT ON COLUMN logwatch_fleet.state IS 'edge: ok, joining, late, silent, gap, refused, disabled, leaving or missing; centre: ok, behind, away, incomplete or lost';
COMMENT ON COLUMN logwatch_fleet.lag_bytes IS 'WAL of the edge that the centre has not confirmed';
COMMENT ON COLUMN logwatch_fleet.lag_seconds IS 'Delay of the edge''s last beat, or time since the next one was due';
COMMENT ON COLUMN logwatch_fleet.per_minute IS 'Entries that the edge stored in its last minute';
COMMENT ON COLUMN logwatch_fleet.wal_held IS 'Bytes of WAL that the edge keeps for the centre';
COMMENT ON COLUMN logwatch_fleet.wal_left IS 'Bytes of WAL until max_slot_wal_keep_size drops the slot; NULL without a limit';
COMMENT ON COLUMN logwatch_fleet.errors IS 'Errors of the apply and copy workers since the subscription was made; the server log has them';
