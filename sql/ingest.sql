-- Storing records. Public; the work is done in Rust (extension/src/ingest.rs).

CREATE FUNCTION logwatch_ingest(line text, source text DEFAULT 'sql') RETURNS bigint
    LANGUAGE c VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'ingest_line_wrapper';
COMMENT ON FUNCTION logwatch_ingest(text, text) IS 'Classifies and stores one log record; returns how many were stored: 0 when its level is below logwatch.min_level';

CREATE FUNCTION logwatch_ingest(lines text[], source text DEFAULT 'sql') RETURNS bigint
    LANGUAGE c VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'ingest_lines_wrapper';
COMMENT ON FUNCTION logwatch_ingest(text[], text) IS 'Classifies and stores many log records, each of which may have continuation lines; returns how many were stored';

CREATE FUNCTION logwatch_private.source_id(name text) RETURNS bigint
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'source_id_wrapper';
COMMENT ON FUNCTION logwatch_private.source_id(text) IS '64-bit hash of a source''s name';

CREATE FUNCTION logwatch_private.owns(owner name) RETURNS boolean
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    -- Each call of a tailer asks.
    IF owner IS NULL OR owner = session_user THEN
        RETURN true;
    END IF;
    -- A role that was dropped or renamed has no members.
    RETURN EXISTS (SELECT FROM pg_roles AS r
                    WHERE r.rolname = $1 AND pg_has_role(session_user, r.oid, 'MEMBER') OR r.rolname = session_user AND r.rolsuper);
END
$$;
COMMENT ON FUNCTION logwatch_private.owns(name) IS 'Whether the session''s user is the owner of a source, a member of it, or a superuser; anybody owns a source without a tailer';

CREATE FUNCTION logwatch_private.need_owner(source text, owner name, is_reader boolean DEFAULT false) RETURNS boolean
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF NOT is_reader AND NOT logwatch_private.owns(owner) THEN
        RAISE EXCEPTION 'source "%" belongs to another role', source
            USING ERRCODE = 'insufficient_privilege',
                  DETAIL = format('A tailer of role "%s" claimed it first; this session''s role is "%s".', owner, session_user),
                  HINT = format('Use another source name, or have a superuser type: UPDATE logwatch.sources SET owner = %L WHERE name = %L;', session_user, source);
    END IF;
    RETURN true;
END
$$;
COMMENT ON FUNCTION logwatch_private.need_owner(text, name, boolean) IS 'Raises an error unless the session''s user owns the source, or only reads and may';

CREATE FUNCTION logwatch_private.sources_are_full() RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$ SELECT count(*) >= 10000 FROM logwatch.sources $$;
COMMENT ON FUNCTION logwatch_private.sources_are_full() IS 'Whether applications store under (other) instead of a new source, because the sources are too many';

CREATE FUNCTION logwatch_private.need_claim(source text) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    known logwatch.sources;
BEGIN
    SELECT * INTO known FROM logwatch.sources AS s WHERE s.id = logwatch_private.source_id($1);
    IF FOUND THEN
        PERFORM logwatch_private.need_owner(known.name, known.owner);
        IF known.attached_at IS NULL AND known.owner IS NULL AND NOT (SELECT r.rolsuper FROM pg_roles AS r WHERE r.rolname = session_user) THEN
            RAISE EXCEPTION 'source "%" belongs to applications', source
                USING ERRCODE = 'insufficient_privilege',
                      DETAIL = 'Records were stored under it without a tailer, and a tailer''s role would shut the applications out.',
                      HINT = format('Use another source name, or have a superuser type: UPDATE logwatch.sources SET owner = %L WHERE name = %L;', session_user, source);
        END IF;
    ELSIF source = '(other)' THEN
        RAISE EXCEPTION 'source "(other)" is for records of applications' USING ERRCODE = 'insufficient_privilege', HINT = 'Use another source name.';
    ELSIF logwatch_private.sources_are_full() THEN
        RAISE EXCEPTION 'there are 10000 sources already' USING ERRCODE = 'configuration_limit_exceeded',
            HINT = format('Use fewer source names, or have an operator delete those that are gone: SELECT %s.logwatch_forget(''...''::text);', logwatch_private.schema());
    END IF;
END
$$;
COMMENT ON FUNCTION logwatch_private.need_claim(text) IS 'Raises an error unless a tailer of the session''s user may claim the source';

CREATE FUNCTION logwatch_private.claim(source text, path text, host text, version text)
    RETURNS TABLE (epoch bigint, min_level text, file bigint, path text, dev bigint, inode bigint,
                   head_bytes integer, head_hash bigint, tail_bytes integer, tail_hash bigint, next_byte bigint, state text, place text, expected text[])
    LANGUAGE sql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT logwatch_private.hold();
    SELECT logwatch_private.wait_for_restore();
    SELECT logwatch_private.need_claim($1);
    -- Waits for an older tailer's open transaction, and shuts that tailer out; the next statement
    -- then sees its last offsets.
    INSERT INTO logwatch.sources AS s (id, name, epoch, owner, path, host, version, attached_at, seen_at, watched_since)
    VALUES (logwatch_private.source_id($1), $1, 1, session_user, left(logwatch_private.printable($2), 4096), left(logwatch_private.printable($3), 255), left(logwatch_private.printable($4), 255), clock_timestamp(), clock_timestamp(), clock_timestamp())
    ON CONFLICT (id) DO UPDATE
       SET epoch = s.epoch + 1, owner = COALESCE(s.owner, EXCLUDED.owner), path = EXCLUDED.path, host = EXCLUDED.host, version = EXCLUDED.version,
           attached_at = EXCLUDED.attached_at, seen_at = EXCLUDED.seen_at,
           watched_since = CASE WHEN s.seen_at > EXCLUDED.seen_at - interval '5 minutes' THEN s.watched_since ELSE EXCLUDED.seen_at END;
    SELECT s.epoch, logwatch_private.setting('min_level'), f.id, f.path, f.dev, f.inode,
           f.head_bytes, f.head_hash, f.tail_bytes, f.tail_hash, f.next_byte, f.state, f.place,
           CASE WHEN row_number() OVER (ORDER BY f.first_seen, f.id) = 1 THEN logwatch_private.lines_for($1) END
      FROM logwatch.sources AS s
      LEFT JOIN logwatch.files AS f ON f.source_id = s.id
     WHERE s.id = logwatch_private.source_id($1)
     ORDER BY f.first_seen, f.id
    $$;
COMMENT ON FUNCTION logwatch_private.claim(text, text, text, text) IS 'What logwatch_attach does when its turn has come';

CREATE FUNCTION logwatch_attach(source text, path text, host text DEFAULT NULL, version text DEFAULT NULL)
    RETURNS TABLE (epoch bigint, min_level text, file bigint, path text, dev bigint, inode bigint,
                   head_bytes integer, head_hash bigint, tail_bytes integer, tail_hash bigint, next_byte bigint, state text, place text, expected text[])
    LANGUAGE sql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET lock_timeout = '60s'
    AS $$
    -- Tailers wait in the order of arrival. The backend of a tailer that ended while it waited
    -- still claims the source: its claim must come before the next tailer's, not shut that one
    -- out. All wait in this one queue, because nothing else is locked here.
    SELECT logwatch_private.queue_for_source(logwatch_private.printable($1));
    SELECT * FROM logwatch_private.claim(logwatch_private.printable($1), $2, $3, $4)
    $$;
COMMENT ON FUNCTION logwatch_attach(text, text, text, text) IS 'A tailer claims a source: returns its new epoch, the level to keep, how far its files have been stored (file is NULL when none is known), and in the first row expressions of the other lines to keep';

CREATE FUNCTION logwatch_ingest(
        source text, epoch bigint, file bigint, path text, dev bigint, inode bigint,
        from_byte bigint, to_byte bigint,
        head_bytes integer, head_hash bigint, tail_bytes integer, tail_hash bigint,
        records text[], flags integer[], gap text DEFAULT NULL, state text DEFAULT 'open', place text DEFAULT NULL)
    RETURNS bigint
    LANGUAGE c VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET lock_timeout = '60s'
    AS 'MODULE_PATHNAME', 'ingest_range_wrapper';
COMMENT ON FUNCTION logwatch_ingest(text, bigint, bigint, text, bigint, bigint, bigint, bigint, integer, bigint, integer, bigint, text[], integer[], text, text, text)
    IS 'Stores the records of a file''s bytes from_byte to to_byte and moves its offset, in one transaction, if the tailer''s epoch and from_byte still hold; returns how many were stored';

-- The same for the tailer. The planner copies the values of a SELECT several times, megabytes of
-- records each time; a CALL is not planned.
CREATE PROCEDURE logwatch_ingest_range(
        source text, epoch bigint, file bigint, path text, dev bigint, inode bigint,
        from_byte bigint, to_byte bigint,
        head_bytes integer, head_hash bigint, tail_bytes integer, tail_hash bigint,
        records text[], flags integer[], gap text, state text, place text)
    LANGUAGE c SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET lock_timeout = '60s'
    AS 'MODULE_PATHNAME', 'ingest_range_wrapper';
COMMENT ON PROCEDURE logwatch_ingest_range(text, bigint, bigint, text, bigint, bigint, bigint, bigint, integer, bigint, integer, bigint, text[], integer[], text, text, text)
    IS 'Does what logwatch_ingest() with a byte range does, and returns nothing: the quicker way for large records';

CREATE FUNCTION logwatch_private.move_offset(
        source text, epoch bigint, file bigint, path text, dev bigint, inode bigint,
        from_byte bigint, to_byte bigint,
        head_bytes integer, head_hash bigint, tail_bytes integer, tail_hash bigint, gap text, state text, place text)
    RETURNS void
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    this_source constant bigint := logwatch_private.source_id($1);
    held bigint;
    owner name;
    stored bigint;
BEGIN
    -- The row lock makes an attach wait for this transaction, and makes this transaction see an
    -- attach: no two tailers can store the same bytes.
    SELECT s.epoch, s.owner INTO held, owner FROM logwatch.sources AS s WHERE s.id = this_source FOR SHARE;
    PERFORM logwatch_private.need_owner($1, owner);
    IF held IS DISTINCT FROM $2 THEN
        RAISE EXCEPTION 'another tailer holds source "%"', $1
            USING ERRCODE = 'object_in_use',
                  DETAIL = format('This tailer has epoch %s, the source is at epoch %s.', $2, COALESCE(held::text, 'none')),
                  HINT = 'Run one tailer per source; give each its own --source name.';
    END IF;
    IF $3 IS NULL THEN
        UPDATE logwatch.sources AS s SET seen_at = clock_timestamp() WHERE s.id = this_source;
        RETURN;
    END IF;
    IF $7 IS NULL OR $8 IS NULL OR $8 < $7 AND $13 IS NULL THEN
        RAISE EXCEPTION 'byte range %..% of "%" is not one', $7, $8, $4 USING ERRCODE = 'invalid_parameter_value';
    END IF;
    UPDATE logwatch.files AS f
       SET path = logwatch_private.printable($4), dev = $5, inode = $6, next_byte = $8, head_bytes = $9, head_hash = $10, tail_bytes = $11, tail_hash = $12,
           state = $14, place = $15, updated_at = clock_timestamp()
     WHERE f.source_id = this_source AND f.id = $3 AND f.next_byte = $7;
    IF NOT FOUND THEN
        INSERT INTO logwatch.files (source_id, id, path, dev, inode, head_bytes, head_hash, tail_bytes, tail_hash, next_byte, state, place)
        VALUES (this_source, $3, logwatch_private.printable($4), $5, $6, $9, $10, $11, $12, $8, $14, $15)
        ON CONFLICT DO NOTHING;
        IF NOT FOUND THEN
            SELECT f.next_byte INTO stored FROM logwatch.files AS f WHERE f.source_id = this_source AND f.id = $3;
            RAISE EXCEPTION 'offset of "%" moved', $4
                USING ERRCODE = 'serialization_failure',
                      DETAIL = format('The call begins at byte %s, stored is byte %s.', $7, stored),
                      HINT = 'Attach again and go on from the stored offset.';
        END IF;
    END IF;
    IF $13 IS NOT NULL THEN
        INSERT INTO logwatch.gaps (source_id, file_id, path, from_byte, to_byte, reason) VALUES (this_source, $3, logwatch_private.printable($4), $7, $8, left(logwatch_private.printable($13), 1000));
    END IF;
END
$$;
COMMENT ON FUNCTION logwatch_private.move_offset(text, bigint, bigint, text, bigint, bigint, bigint, bigint, integer, bigint, integer, bigint, text, text, text)
    IS 'Compare-and-swap of a file''s offset on epoch and from_byte';
