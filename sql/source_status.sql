-- The sources' rows of the status. There can be thousands of sources: each table is read once
-- for all of them, and only the worst are shown.

CREATE FUNCTION logwatch_private.source_status(asof timestamptz, most integer DEFAULT 100)
    RETURNS TABLE (name text, state text, since timestamptz, count bigint, message text)
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    SET jit = off
    SET plan_cache_mode = force_custom_plan
    AS $$
#variable_conflict use_column
DECLARE
    too_late constant interval := make_interval(secs => logwatch_private.setting('max_lateness')::integer);
    states constant text[] := '{error,gap,stale,silent,ok}';  -- the worst first
BEGIN
    RETURN QUERY
    WITH file AS MATERIALIZED (
        SELECT f.source_id, count(*) AS n, count(*) FILTER (WHERE f.state = 'open') AS open, max(f.updated_at) AS at,
               count(*) FILTER (WHERE f.truncated AND f.first_seen > asof - interval '24 hours') AS truncations,
               sum(greatest(f.size - f.next_byte, 0)) FILTER (WHERE f.state = 'open')::bigint AS behind
          FROM logwatch.files AS f
         -- A tailer remembers a path that was missing by a row without an inode.
         WHERE NOT (f.state = 'done' AND f.inode = 0 AND f.next_byte = 0)
         GROUP BY f.source_id
    ), gap AS MATERIALIZED (
        SELECT g.source_id, count(*) AS n, max(g.id) AS last_id FROM logwatch.gaps AS g WHERE g.noticed_at > asof - interval '24 hours' GROUP BY g.source_id
    ), unreadable AS MATERIALIZED (
        SELECT e.source_id, count(*) AS n, (array_agg(e.path ORDER BY e.since, e.path))[1] AS path, (array_agg(e.error ORDER BY e.since, e.path))[1] AS error
          FROM logwatch.read_errors AS e GROUP BY e.source_id
    ), paused AS MATERIALIZED (
        -- The time without growth after which a source is silent, 15 minutes at least; none before
        -- a whole day was watched.
        SELECT p.source_id, greatest(2 * max(p.longest), interval '15 minutes') AS usual
          FROM logwatch.pauses AS p WHERE p.day >= (asof AT TIME ZONE 'UTC')::date - 8
         GROUP BY p.source_id HAVING min(p.day) < (asof AT TIME ZONE 'UTC')::date
    ), judged AS MATERIALIZED (
        -- All sources, with no more than what decides. Only where the tailer is not heard of, its
        -- last records are looked for.
        SELECT src.id, src.name,
               CASE WHEN gap.n > 0 THEN 2
                    WHEN src.attached_at IS NULL THEN 5
                    WHEN greatest(src.seen_at, file.at) < asof - interval '5 minutes'
                         AND src.id NOT IN (SELECT b.source_id FROM logwatch.batches AS b WHERE b.received_at >= asof - interval '5 minutes')
                         AND COALESCE((SELECT v.last_at FROM logwatch.arrivals AS v WHERE v.source_id = src.id ORDER BY v.since DESC LIMIT 1) < asof - interval '5 minutes', true) THEN 3
                    WHEN unreadable.n > 0 THEN 1
                    WHEN asof - greatest(file.at, src.watched_since) > paused.usual THEN 4 ELSE 5 END AS rank
          FROM logwatch.sources AS src
          LEFT JOIN file ON file.source_id = src.id
          LEFT JOIN gap ON gap.source_id = src.id
          LEFT JOIN unreadable ON unreadable.source_id = src.id
          LEFT JOIN paused ON paused.source_id = src.id
    ), worst AS MATERIALIZED (
        SELECT j.id, j.rank FROM judged AS j ORDER BY j.rank, j.name COLLATE "C" LIMIT most
    ), seen AS (
        SELECT src.name, states[w.rank] AS state, src.attached_at, greatest(src.seen_at, file.at, recent.at) AS seen_at,
               asof - greatest(file.at, src.watched_since) AS quiet_time, COALESCE(recent.n, 0) AS n, recent.late,
               file.n AS files, file.open, file.at AS read_at, file.behind, file.truncations, paused.usual,
               gap.n AS gaps, gap.last_id, COALESCE(unreadable.n, 0) AS errors, unreadable.path, unreadable.error
          FROM worst AS w
          JOIN logwatch.sources AS src ON src.id = w.id
          LEFT JOIN (
               -- Adds the batches since the last check to its sums.
               SELECT a.source_id, sum(a.n)::bigint AS n, sum(a.late)::bigint AS late, max(a.at) AS at
                 FROM (SELECT v.source_id, v.n, v.late, v.last_at AS at
                         FROM worst AS k JOIN logwatch.arrivals AS v ON v.source_id = k.id AND v.last_at > asof - interval '24 hours'
                       UNION ALL
                       SELECT b.source_id, b.n, CASE WHEN b.last_at < b.received_at - too_late THEN b.n ELSE 0 END, b.received_at
                         FROM logwatch.batches AS b WHERE b.received_at > asof - interval '24 hours') AS a
                GROUP BY a.source_id) AS recent ON recent.source_id = src.id
          LEFT JOIN file ON file.source_id = src.id
          LEFT JOIN gap ON gap.source_id = src.id
          LEFT JOIN unreadable ON unreadable.source_id = src.id
          LEFT JOIN paused ON paused.source_id = src.id
    ), shown AS (
        SELECT j.name, j.state, j.seen_at, j.n,
               concat_ws(', ',
                   CASE WHEN j.attached_at IS NULL THEN NULL
                        WHEN j.files IS NULL THEN format('0 of %s file%s, never read', j.errors, CASE WHEN j.errors = 1 THEN '' ELSE 's' END)
                        ELSE format('%s open of %s files', j.open, j.files) END,
                   CASE WHEN j.behind > 0 THEN format('%s behind', pg_size_pretty(j.behind)) END,
                   CASE WHEN j.attached_at IS NOT NULL AND j.read_at IS NOT NULL THEN format('last read %s', to_char(j.read_at, 'YYYY-MM-DD HH24:MI:SS')) END,
                   format('%s entr%s in 24 hours', j.n, CASE WHEN j.n = 1 THEN 'y' ELSE 'ies' END),
                   CASE WHEN j.late > 0 THEN format('%s of them later than logwatch.max_lateness', j.late) END,
                   CASE WHEN j.truncations > 0 THEN format('%s truncation%s in 24 hours', j.truncations, CASE WHEN j.truncations = 1 THEN '' ELSE 's' END) END,
                   (SELECT format('%s gap%s in 24 hours, the last: %s (%s), see logwatch.gaps', j.gaps, CASE WHEN j.gaps = 1 THEN '' ELSE 's' END, g.reason, g.path)
                      FROM logwatch.gaps AS g WHERE g.id = j.last_id),
                   CASE WHEN j.errors > 0 THEN format('%s file%s cannot be read: %s (%s)', j.errors, CASE WHEN j.errors = 1 THEN '' ELSE 's' END, j.path, j.error) END,
                   CASE WHEN j.attached_at IS NOT NULL AND j.seen_at < asof - interval '5 minutes' THEN 'no heartbeat of its tailer for 5 minutes'
                        WHEN j.quiet_time > j.usual THEN format('nothing written for %s, unusual after %s', date_trunc('minute', j.quiet_time), date_trunc('minute', j.usual)) END) AS message
          FROM seen AS j
    ), rest AS (
        SELECT c.rank, count(*) - (SELECT count(*) FROM worst AS w WHERE w.rank = c.rank) AS n FROM judged AS c GROUP BY c.rank
    )
    (SELECT s.name, s.state, s.seen_at, s.n, s.message FROM shown AS s ORDER BY s.name)
    UNION ALL
    SELECT '*', states[min(r.rank)], NULL, NULL,
           format('%s more sources: %s; see logwatch.sources', sum(r.n), string_agg(format('%s %s', r.n, states[r.rank]), ', ' ORDER BY r.rank))
      FROM rest AS r WHERE r.n > 0 HAVING count(*) > 0;
END
$$;
COMMENT ON FUNCTION logwatch_private.source_status(timestamptz, integer) IS 'State of the sources: the worst ones by name, and one row with the number of the others';
