-- Grants and revokes what a role needs, by the kind of its work. Public; the caller must own the
-- extension or be a superuser.

CREATE FUNCTION logwatch_private.privileges_of(kind text) RETURNS text[]
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    -- The only list of privileges, as GRANT and REVOKE spell them, with the kinds that need each.
    -- The schema may have been renamed.
    SELECT array_agg(format(p.privilege, logwatch_private.schema()) ORDER BY p.number)
      FROM (VALUES
        (1, 'USAGE ON SCHEMA %1$s', '{tailer,app,reader,operator,author}'::text[]),
        (2, 'pg_monitor', '{reader,operator,author}'),
        (3, 'EXECUTE ON FUNCTION %1$s.logwatch_attach(text, text, text, text)', '{tailer}'),
        (4, 'EXECUTE ON FUNCTION %1$s.logwatch_heartbeat(text, bigint, bigint[], bigint[], boolean[], text[], text[], text[])', '{tailer}'),
        (5, 'EXECUTE ON FUNCTION %1$s.logwatch_files(text)', '{tailer}'),
        (6, 'EXECUTE ON FUNCTION %1$s.logwatch_ingest(text, bigint, bigint, text, bigint, bigint, bigint, bigint, '
            'integer, bigint, integer, bigint, text[], integer[], text, text, text)', '{tailer}'),
        (15, 'EXECUTE ON PROCEDURE %1$s.logwatch_ingest_range(text, bigint, bigint, text, bigint, bigint, bigint, bigint, '
            'integer, bigint, integer, bigint, text[], integer[], text, text, text)', '{tailer}'),
        (7, 'EXECUTE ON FUNCTION %1$s.logwatch_ingest(text, text)', '{app}'),
        (8, 'EXECUTE ON FUNCTION %1$s.logwatch_ingest(text[], text)', '{app}'),
        (9, 'EXECUTE ON FUNCTION %1$s.logwatch_ack(bigint, text)', '{operator}'),
        (10, 'EXECUTE ON FUNCTION %1$s.logwatch_silence(text, interval, text, text, text, timestamptz, interval, timestamptz, text)', '{operator}'),
        (11, 'EXECUTE ON FUNCTION %1$s.logwatch_unsilence(bigint)', '{operator}'),
        (13, 'EXECUTE ON FUNCTION %1$s.logwatch_forget(text)', '{operator}'),
        (12, 'INSERT, UPDATE, DELETE ON logwatch.rules', '{author}'),
        (14, 'INSERT, UPDATE, DELETE ON logwatch.schedules', '{author}')) AS p (number, privilege, kinds)
     WHERE $1 = ANY (p.kinds)
    $$;
COMMENT ON FUNCTION logwatch_private.privileges_of(text) IS 'Returns what a kind of role needs; NULL for an unknown kind';

CREATE FUNCTION logwatch_private.kinds_of(role regrole) RETURNS SETOF text
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT k.kind
      FROM (SELECT logwatch_private.schema() AS name) AS s
     CROSS JOIN LATERAL
           (VALUES ('tailer', has_function_privilege(role, s.name || '.logwatch_attach(text, text, text, text)', 'EXECUTE')),
                   ('app', has_function_privilege(role, s.name || '.logwatch_ingest(text, text)', 'EXECUTE')),
                   ('operator', has_function_privilege(role, s.name || '.logwatch_ack(bigint, text)', 'EXECUTE')),
                   ('author', has_table_privilege(role, 'logwatch.rules', 'INSERT')),
                   ('reader', pg_has_role(role, 'pg_monitor', 'MEMBER'))) AS k (kind, granted)
     WHERE k.granted
    $$;
COMMENT ON FUNCTION logwatch_private.kinds_of(regrole) IS 'Returns the kinds whose privileges a role has';

CREATE FUNCTION logwatch_private.need_kind(kind text) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF logwatch_private.privileges_of(kind) IS NULL THEN
        RAISE EXCEPTION 'unknown kind of role "%"', kind USING ERRCODE = 'invalid_parameter_value',
            HINT = 'Use tailer, app, reader, operator or author.';
    END IF;
END
$$;
COMMENT ON FUNCTION logwatch_private.need_kind(text) IS 'Raises an error for an unknown kind of role';

CREATE FUNCTION logwatch_grant(role regrole, kind text) RETURNS SETOF text
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    command text;
BEGIN
    PERFORM logwatch_private.need_kind(kind);
    FOR command IN SELECT format('GRANT %s TO %s', p, role) FROM unnest(logwatch_private.privileges_of(kind)) AS p LOOP
        EXECUTE command;
        RETURN NEXT command;
    END LOOP;
END
$$;
COMMENT ON FUNCTION logwatch_grant(regrole, text)
    IS 'Grants a role what a tailer, app, reader, operator or author needs; returns the commands';

CREATE FUNCTION logwatch_revoke(role regrole, kind text) RETURNS SETOF text
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    command text;
BEGIN
    PERFORM logwatch_private.need_kind(kind);
    -- The role keeps what its other kinds need. An operator or author has a reader's privileges
    -- without being of the kind reader.
    FOR command IN
        SELECT format('REVOKE %s FROM %s', p, role) FROM unnest(logwatch_private.privileges_of($2)) AS p
         WHERE NOT EXISTS (SELECT FROM logwatch_private.kinds_of($1) AS other
                            WHERE other <> $2 AND (other <> 'reader' OR $2 IN ('tailer', 'app'))
                              AND p = ANY (logwatch_private.privileges_of(other)))
    LOOP
        EXECUTE command;
        RETURN NEXT command;
    END LOOP;
END
$$;
COMMENT ON FUNCTION logwatch_revoke(regrole, text)
    IS 'Revokes what logwatch_grant granted for a kind, except what the role''s other kinds need; returns the commands';

