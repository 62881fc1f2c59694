-- When the last check ran, how long it took, and who blocks the next one when that is overdue.
-- Reads only.

CREATE FUNCTION logwatch_private.worker_checked_at() RETURNS double precision
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'worker_checked_at_wrapper';
COMMENT ON FUNCTION logwatch_private.worker_checked_at() IS 'When the worker completed its last check, in seconds since 1970; NULL before the first';

CREATE FUNCTION logwatch_private.worker_pid() RETURNS integer
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'worker_pid_wrapper';
COMMENT ON FUNCTION logwatch_private.worker_pid() IS 'The worker''s process; NULL when it does not run';

CREATE FUNCTION logwatch_private.worker_connected_at() RETURNS double precision
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'worker_connected_at_wrapper';
COMMENT ON FUNCTION logwatch_private.worker_connected_at() IS 'When the worker connected to its database, in seconds since 1970; NULL when it is not connected';

CREATE FUNCTION logwatch_private.worker_check_took() RETURNS double precision
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'worker_check_took_wrapper';
COMMENT ON FUNCTION logwatch_private.worker_check_took() IS 'How many seconds the worker''s last check took';

CREATE FUNCTION logwatch_private.check_overdue_after() RETURNS double precision
    LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'check_overdue_after_wrapper';
COMMENT ON FUNCTION logwatch_private.check_overdue_after() IS 'How many seconds after the worker''s last check the next one is overdue';

CREATE FUNCTION logwatch_private.checks_elsewhere() RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    -- NULL before the worker's first check, and without a worker.
    SELECT logwatch_private.setting('database') <> current_database()
       AND COALESCE(to_timestamp(logwatch_private.worker_checked_at()) > clock_timestamp() - make_interval(secs => logwatch_private.check_overdue_after()), false)
    $$;
COMMENT ON FUNCTION logwatch_private.checks_elsewhere() IS 'Whether the worker checks in another database: the alert file has the state of that one';

CREATE FUNCTION logwatch_private.check_blockers(worker integer, since timestamptz) RETURNS text
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    -- The worker gives up waiting after half a second, so that the locks it needs count also while
    -- it does not wait. Of locks on rows only the one for which it waits at this moment is known
    -- for sure; the others are older than the last check.
    WITH held AS (
        SELECT l.pid, l.virtualtransaction,
               CASE WHEN l.locktype = 'relation' THEN format('%s on %s', l.mode, l.relation::regclass)
                    WHEN l.objsubid = 0 THEN format('%s on the extension', l.mode) ELSE 'the turn to check, in an open transaction' END AS lock
          FROM pg_locks AS l
          LEFT JOIN pg_stat_activity AS a ON a.pid = l.pid
         WHERE l.granted AND l.pid IS DISTINCT FROM $1
           AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
           AND (l.locktype = 'relation' AND l.relation IN (SELECT c.oid FROM pg_class AS c WHERE c.relnamespace = 'logwatch'::regnamespace)
                AND (l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
                     OR l.mode IN ('RowShareLock', 'RowExclusiveLock') AND a.xact_start < $2
                        AND l.relation IN ('logwatch.alerts'::regclass, 'logwatch.progress'::regclass))
             OR l.locktype = 'object' AND l.classid = 'pg_extension'::regclass
                AND l.objid = (SELECT e.oid FROM pg_extension AS e WHERE e.extname = 'logwatch')
                AND (l.objsubid = 0 AND l.mode = 'AccessExclusiveLock' OR l.objsubid = 1))
    ), blocker AS (
        SELECT h.pid, h.virtualtransaction, string_agg(DISTINCT h.lock, ', ') AS locks FROM held AS h GROUP BY 1, 2
         UNION ALL
        -- A prepared transaction has no process.
        SELECT b.pid, NULL, 'a lock that the worker waits for' FROM unnest(pg_blocking_pids($1)) AS b (pid)
         WHERE b.pid <> 0 AND b.pid NOT IN (SELECT h.pid FROM held AS h WHERE h.pid IS NOT NULL)
    )
    SELECT logwatch_private.printable(COALESCE(
           (SELECT string_agg(
                       CASE WHEN x.gid IS NOT NULL THEN format('prepared transaction %L (role %s) holds %s; to end it: ROLLBACK PREPARED %L;', x.gid, x.owner, b.locks, x.gid)
                            ELSE format('pid %s (role %s, application %s) holds %s; to end it: SELECT pg_catalog.pg_terminate_backend(%s);',
                                        b.pid, COALESCE(a.usename, 'unknown'), COALESCE(nullif(a.application_name, ''), 'unnamed'), b.locks, b.pid) END,
                       ' ' ORDER BY a.xact_start)
              FROM blocker AS b
              LEFT JOIN pg_stat_activity AS a ON a.pid = b.pid
              LEFT JOIN LATERAL (SELECT p.gid, p.owner FROM pg_locks AS t JOIN pg_prepared_xacts AS p ON p.transaction = t.transactionid
                                  WHERE b.pid IS NULL AND t.pid IS NULL AND t.virtualtransaction = b.virtualtransaction) AS x ON true),
           (SELECT format('pid %s (the worker) is %s, wait event %s, query "%s"', a.pid, a.state, COALESCE(a.wait_event_type || ' ' || a.wait_event, 'none'), a.query)
              FROM pg_stat_activity AS a WHERE a.pid = $1)))
    $$;
COMMENT ON FUNCTION logwatch_private.check_blockers(integer, timestamptz)
    IS 'Sessions that hold locks which a check needs; else the worker''s own state, query and wait event';

CREATE FUNCTION logwatch_private.last_check(here boolean, OUT at timestamptz, OUT took interval, OUT overdue boolean, OUT words text)
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    SET lock_timeout = '500ms'
    AS $$
DECLARE
    asof constant timestamptz := clock_timestamp();
    -- pg_cron calls logwatch_check() once a minute at most.
    late constant interval := make_interval(secs => CASE WHEN here THEN logwatch_private.check_overdue_after()
                                                         ELSE greatest(logwatch_private.check_overdue_after(), 180) END);
    created timestamptz;
    looked timestamptz;
    worker_pid integer;
    worker_start timestamptz;
    age interval;
BEGIN
    BEGIN
        SELECT p.checked_at, p.took, p.checked_at INTO at, took, created FROM logwatch.progress AS p;
    EXCEPTION WHEN lock_not_available THEN
        NULL;
    END;
    IF took IS NULL THEN
        -- The row is as CREATE EXTENSION left it.
        at := NULL;
    END IF;
    IF here THEN
        looked := to_timestamp(logwatch_private.worker_checked_at());
        IF looked > at OR at IS NULL THEN
            at := looked;
            took := make_interval(secs => logwatch_private.worker_check_took());
        END IF;
        worker_start := to_timestamp(logwatch_private.worker_connected_at());
        worker_pid := CASE WHEN worker_start IS NOT NULL THEN logwatch_private.worker_pid() END;
    END IF;
    overdue := asof - greatest(at, created, worker_start) > late;
    age := date_trunc('second', asof - at);
    words := CASE WHEN at IS NULL THEN 'No check has run yet.'
                  ELSE format('The last check ran %s ago (%s) and took %s ms.', age, to_char(at, 'YYYY-MM-DD HH24:MI:SS'), round(1000 * extract(epoch FROM took), 1)) END;
    IF overdue AND worker_pid IS NOT NULL THEN
        words := words || ' ' || logwatch_private.check_blockers(worker_pid, COALESCE(at, worker_start));
    END IF;
END
$$;
COMMENT ON FUNCTION logwatch_private.last_check(boolean)
    IS 'When the last check ran, how long it took, whether the next one is overdue, and who blocks it; the argument tells whether the worker serves this database';
