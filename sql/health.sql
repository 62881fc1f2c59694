-- Progress and errors of each source's files: the tailer's heartbeat, and the tables that show it.

CREATE TABLE logwatch.read_errors (
    source_id   bigint NOT NULL,
    path        text NOT NULL,
    error       text NOT NULL,
    since       timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (source_id, path)
);
COMMENT ON TABLE logwatch.read_errors IS 'Files that a tailer cannot read at present, with the error';

CREATE TABLE logwatch.pauses (
    source_id   bigint NOT NULL,
    day         date NOT NULL,
    longest     interval NOT NULL,
    PRIMARY KEY (source_id, day)
);
COMMENT ON TABLE logwatch.pauses IS 'The longest time per UTC day in which a source''s files did not grow while its tailer watched; kept for 8 days';

CREATE FUNCTION logwatch_heartbeat(
        source text, epoch bigint, files bigint[], sizes bigint[], truncated boolean[], error_paths text[], errors text[], expected text[] DEFAULT NULL)
    RETURNS text[]
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET lock_timeout = '60s'
    AS $$
#variable_conflict use_column
DECLARE
    this_source constant bigint := logwatch_private.source_id($1);
    written timestamptz;
    before record;
BEGIN
    PERFORM logwatch_private.hold();
    -- Raises an error when another tailer holds the source.
    PERFORM logwatch_private.move_offset($1, $2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
    UPDATE logwatch.files AS f SET size = o.size, truncated = f.truncated OR o.truncated
      FROM unnest($3, $4, $5) AS o (id, size, truncated)
     WHERE f.source_id = this_source AND f.id = o.id AND (f.size IS DISTINCT FROM o.size OR o.truncated AND NOT f.truncated);
    DELETE FROM logwatch.read_errors AS e WHERE e.source_id = this_source AND e.path <> ALL (ARRAY(SELECT logwatch_private.printable(p) FROM unnest($6) AS p));
    INSERT INTO logwatch.read_errors AS e (source_id, path, error)
    SELECT DISTINCT ON (o.path) this_source, o.path, left(o.error, 1000)
      FROM (SELECT logwatch_private.printable(u.path) AS path, logwatch_private.printable(u.error) AS error FROM unnest($6, $7) AS u (path, error)) AS o WHERE length(o.path) <= 1024 AND o.error IS NOT NULL LIMIT 1000
        ON CONFLICT (source_id, path) DO UPDATE SET error = EXCLUDED.error WHERE e.error <> EXCLUDED.error;

    SELECT s.written_at, s.watched_since INTO before FROM logwatch.sources AS s WHERE s.id = this_source;
    SELECT max(f.updated_at) INTO written FROM logwatch.files AS f WHERE f.source_id = this_source;
    IF written > before.written_at OR before.written_at IS NULL AND written IS NOT NULL THEN
        UPDATE logwatch.sources AS s SET written_at = written WHERE s.id = this_source;
        -- A pause in which no tailer watched is not the files' own.
        IF before.written_at >= before.watched_since THEN
            INSERT INTO logwatch.pauses AS p (source_id, day, longest)
            VALUES (this_source, (written AT TIME ZONE 'UTC')::date, written - before.written_at)
                ON CONFLICT (source_id, day) DO UPDATE SET longest = EXCLUDED.longest WHERE EXCLUDED.longest > p.longest;
            DELETE FROM logwatch.pauses AS p WHERE p.source_id = this_source AND p.day < (written AT TIME ZONE 'UTC')::date - 8;
        END IF;
    END IF;
    UPDATE logwatch.sources AS s SET expected = $8 WHERE s.id = this_source AND s.expected IS DISTINCT FROM $8;
    RETURN logwatch_private.lines_for($1);
END
$$;
COMMENT ON FUNCTION logwatch_heartbeat(text, bigint, bigint[], bigint[], boolean[], text[], text[], text[])
    IS 'Heartbeat of a tailer every few seconds: sizes of its files, truncations, read errors, and the expected lines that it keeps; returns those that it is to keep';

CREATE FUNCTION logwatch_private.forget(source_id bigint) RETURNS void
    LANGUAGE sql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
    DELETE FROM logwatch.files AS f WHERE f.source_id = $1;
    DELETE FROM logwatch.read_errors AS e WHERE e.source_id = $1;
    DELETE FROM logwatch.pauses AS p WHERE p.source_id = $1;
    DELETE FROM logwatch.gaps AS g WHERE g.source_id = $1;
    DELETE FROM logwatch.arrivals AS v WHERE v.source_id = $1;
    DELETE FROM logwatch.expected_lines AS l WHERE l.source_id = $1;
    DELETE FROM logwatch.sources AS s WHERE s.id = $1
    $$;
COMMENT ON FUNCTION logwatch_private.forget(bigint) IS 'Deletes a source with its offsets, gaps and statistics';

CREATE FUNCTION logwatch_forget(source text) RETURNS text
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    known logwatch.sources;
BEGIN
    PERFORM logwatch_private.hold();
    SELECT * INTO known FROM logwatch.sources AS s WHERE s.name = $1 FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'source "%" does not exist', $1
            USING ERRCODE = 'no_data_found', HINT = 'To list them: SELECT name FROM logwatch.sources;';
    END IF;
    IF known.seen_at > clock_timestamp() - interval '5 minutes' THEN
        RAISE EXCEPTION 'source "%" has a tailer', $1
            USING ERRCODE = 'object_in_use',
                  DETAIL = format('Its last heartbeat came at %s.', to_char(known.seen_at, 'HH24:MI:SS')),
                  HINT = 'Stop the tailer, wait 5 minutes, and run this again.';
    END IF;
    PERFORM logwatch_private.forget(known.id);
    RETURN format('source %s is forgotten; its entries stay until logwatch.retention removes them', known.name);
END
$$;
COMMENT ON FUNCTION logwatch_forget(text)
    IS 'Deletes a source without a tailer: its offsets, gaps and statistics; a tailer that comes back reads its files anew';

CREATE FUNCTION logwatch_files(source text DEFAULT NULL)
    RETURNS TABLE (source text, path text, state text, next_byte bigint, size bigint, behind bigint, read_at timestamptz,
                   gaps bigint, truncations bigint, error text, heard_at timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
    -- Rotated files keep the path of the live one: besides open files only the last of a path
    -- is shown.
    SELECT s.name, f.path, CASE WHEN f.error IS NOT NULL THEN 'error' ELSE f.state END, f.next_byte, f.size,
           CASE WHEN f.state = 'open' THEN greatest(f.size - f.next_byte, 0) END, f.updated_at,
           (SELECT count(*) FROM logwatch.gaps AS g WHERE g.source_id = s.id AND g.path = f.path), COALESCE(f.truncations, 0), f.error, s.seen_at
      FROM logwatch.sources AS s
      LEFT JOIN LATERAL (
           SELECT COALESCE(read.path, e.path) AS path, read.state, read.next_byte, read.size, read.updated_at, read.truncations, e.error, read.first_seen
             FROM (SELECT f.*, row_number() OVER same AS nth, count(*) FILTER (WHERE f.truncated) OVER (PARTITION BY f.path) AS truncations
                     FROM logwatch.files AS f WHERE f.source_id = s.id
                   WINDOW same AS (PARTITION BY f.path ORDER BY f.first_seen DESC, f.id)) AS read
             FULL JOIN (SELECT * FROM logwatch.read_errors AS e WHERE e.source_id = s.id) AS e ON e.path = read.path
            WHERE read.path IS NULL OR read.state = 'open' OR read.nth = 1) AS f ON true
     CROSS JOIN (SELECT pg_has_role(session_user, 'pg_monitor', 'MEMBER') AS is_reader) AS caller
     WHERE s.attached_at IS NOT NULL
       AND CASE WHEN $1 IS NULL THEN caller.is_reader OR logwatch_private.owns(s.owner)
                WHEN s.name = $1 THEN logwatch_private.need_owner(s.name, s.owner, caller.is_reader) ELSE false END
     ORDER BY s.name, f.state = 'open' DESC NULLS LAST, f.path, f.first_seen
    $$;
COMMENT ON FUNCTION logwatch_files(text) IS 'Progress of each file of a source, or of all sources that the caller may read; logwatch-tailer --status prints it';
