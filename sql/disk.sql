-- How long entries are kept, and how long the disk lasts.

CREATE FUNCTION logwatch_private.entries_kept_for() RETURNS interval
    LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'entries_kept_for_wrapper';
COMMENT ON FUNCTION logwatch_private.entries_kept_for() IS 'Returns how long entries are kept: logwatch.entries_retention, at most logwatch.retention';

CREATE FUNCTION logwatch_private.entries_kept_from(asof timestamptz) RETURNS timestamptz
    LANGUAGE sql STABLE
    AS $$ SELECT asof - logwatch_private.entries_kept_for() $$;
COMMENT ON FUNCTION logwatch_private.entries_kept_from(timestamptz) IS 'Returns from when on entries are kept';

CREATE FUNCTION logwatch_private.free_bytes(directory text) RETURNS bigint
    LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'free_bytes_wrapper';
COMMENT ON FUNCTION logwatch_private.free_bytes(text) IS 'Returns the free bytes of the disk that holds a directory; NULL when the system does not tell';

CREATE FUNCTION logwatch_private.days_in_words(span interval) RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT CASE WHEN h.hours < 48 THEN format('%s hour%s', h.hours, CASE WHEN h.hours = 1 THEN '' ELSE 's' END)
                ELSE format('%s days', h.hours / 24) END
      FROM (SELECT floor(extract(epoch FROM $1) / 3600)::bigint AS hours) AS h
    $$;
COMMENT ON FUNCTION logwatch_private.days_in_words(interval) IS 'A time in days, or in hours when it is shorter than two days';

CREATE FUNCTION logwatch_private.disk_status(asof timestamptz, OUT state text, OUT message text)
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    midnight constant timestamptz := date_trunc('day', asof, 'UTC');
    kept constant interval := logwatch_private.entries_kept_for();
    free constant numeric := logwatch_private.free_bytes((
        SELECT COALESCE(nullif(pg_tablespace_location(d.dattablespace), ''), logwatch_private.server_setting('data_directory'))
          FROM pg_database AS d WHERE d.datname = current_database()));
    -- The time in which the newest entries came: yesterday and today, as far as logwatch was there.
    since timestamptz;
    stored numeric;
    a_day numeric;
    growth numeric;
    elsewhere bigint;
    nodes bigint;
    away text;
BEGIN
    SELECT greatest(min(s.first_seen), midnight - interval '1 day') INTO since FROM logwatch.sources AS s;
    -- The day of the installation is in the default partition.
    WITH shard AS MATERIALIZED (
        SELECT * FROM logwatch_private.citus_shards()
    )
    SELECT COALESCE(sum(p.bytes), 0),
           COALESCE(sum(p.bytes) FILTER (WHERE p.day >= midnight - interval '1 day' AND p.day <= midnight OR p.day IS NULL AND since > midnight - interval '1 day'), 0)
           / greatest(extract(epoch FROM asof - since) / 86400, 1),
           count(*) FILTER (WHERE p.kind = 'f'),
           (SELECT count(DISTINCT s.node) FROM shard AS s),
           (SELECT string_agg(n.node, ', ' ORDER BY n.node) FROM (SELECT s.node FROM shard AS s GROUP BY s.node HAVING count(s.bytes) = 0) AS n)
      INTO stored, a_day, elsewhere, nodes, away
      FROM (SELECT c.relkind AS kind,
                   CASE WHEN c.relkind = 'r' THEN COALESCE((SELECT sum(s.bytes) FROM shard AS s WHERE s.part = c.oid), 0) + pg_total_relation_size(c.oid) END AS bytes,
                   CASE WHEN c.relname ~ '^entries_[0-9]{8}$' THEN to_date(right(c.relname, 8), 'YYYYMMDD')::timestamp AT TIME ZONE 'UTC' END AS day
              FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
             WHERE i.inhparent = 'logwatch.entries'::regclass) AS p;
    growth := greatest(COALESCE(a_day, 0) * extract(epoch FROM kept) / 86400 - stored, 0);
    state := CASE WHEN away IS NOT NULL THEN 'unreachable' WHEN nodes = 0 AND growth > free THEN 'filling' ELSE 'ok' END;
    message := concat_ws(', ', format('entries are kept for %s, all else for %s', logwatch_private.days_in_words(kept),
                                      logwatch_private.days_in_words(make_interval(mins => logwatch_private.setting('retention')::integer))),
                         format('entries take %s and grow by %s a day', pg_size_pretty(stored), pg_size_pretty(round(COALESCE(a_day, 0)))),
                         CASE WHEN nodes = 0 THEN pg_size_pretty(free) || ' are free'
                              ELSE format('on %s node%s of Citus, whose disks logwatch cannot see', nodes, CASE WHEN nodes = 1 THEN '' ELSE 's' END) END,
                         CASE WHEN away IS NOT NULL THEN format('%s cannot be reached: records of its sources wait in their files until it is back', away) END,
                         CASE WHEN elsewhere > 0 THEN format('%s of the partitions %s on other servers, and pg_dump leaves them out', elsewhere, CASE WHEN elsewhere = 1 THEN 'is' ELSE 'are' END) END,
                         CASE WHEN state = 'filling' THEN format('at this rate the disk is full in %s; set logwatch.entries_retention to less than %s, then: SELECT pg_reload_conf();',
                                                                 logwatch_private.days_in_words(make_interval(secs => (free / a_day * 86400)::double precision)),
                                                                 logwatch_private.days_in_words(make_interval(secs => ((stored + free) / a_day * 86400)::double precision))) END);
END
$$;
COMMENT ON FUNCTION logwatch_private.disk_status(timestamptz) IS 'What is kept for how long, how long the disk lasts at the rate of yesterday and today, and which node of Citus is away';
