-- Copies of a server, which must not send the original's notifications.

CREATE FUNCTION logwatch_private.copy_proof(system text, timeline bigint, address text) RETURNS text
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'copy_proof_wrapper';
COMMENT ON FUNCTION logwatch_private.copy_proof(text, bigint, text)
    IS 'Returns why this server is a copy, unless it was adopted with these values; NULL when nothing proves it';

CREATE FUNCTION logwatch_private.server_address() RETURNS text
    LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'server_address_wrapper';
COMMENT ON FUNCTION logwatch_private.server_address() IS 'Host and port of this server, as logwatch.only_on names it';

CREATE FUNCTION logwatch_private.server_system() RETURNS text
    LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'server_system_wrapper';
COMMENT ON FUNCTION logwatch_private.server_system() IS 'System identifier of this server''s data directory';

CREATE FUNCTION logwatch_private.server_timeline() RETURNS bigint
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'server_timeline_wrapper';
COMMENT ON FUNCTION logwatch_private.server_timeline() IS 'Timeline that this server writes; NULL on a standby';

CREATE FUNCTION logwatch_private.server_identity() RETURNS text
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'server_identity_wrapper';
COMMENT ON FUNCTION logwatch_private.server_identity() IS 'Host, port, system identifier and timeline, which tell this server from its copies';

-- pg_dump leaves the row out: where a dump is restored, the extension is created anew.
CREATE TABLE logwatch_private.home (
    only_row    boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    system      text NOT NULL DEFAULT logwatch_private.server_system(),
    timeline    bigint NOT NULL DEFAULT logwatch_private.server_timeline(),
    address     text,
    adopted_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    adopted_by  name NOT NULL DEFAULT session_user
);
COMMENT ON TABLE logwatch_private.home IS 'The server that the extension was created on, or that logwatch_adopt() was called on last';
COMMENT ON COLUMN logwatch_private.home.address IS 'Host and port of the adopted server, which may send beside those in logwatch.only_on; NULL before the first call';
INSERT INTO logwatch_private.home DEFAULT VALUES;
CREATE TRIGGER home_wake AFTER UPDATE ON logwatch_private.home FOR EACH STATEMENT EXECUTE FUNCTION logwatch_private.wake();
COMMENT ON TRIGGER home_wake ON logwatch_private.home IS 'Wakes the worker at commit, to begin';

CREATE FUNCTION logwatch_private.copy_words() RETURNS text
    LANGUAGE sql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT format('This server is a copy and sends nothing: %s. To let it check and send: SELECT %s.logwatch_adopt();', p.proof, logwatch_private.schema())
      FROM logwatch_private.home AS h CROSS JOIN LATERAL logwatch_private.copy_proof(h.system, h.timeline, h.address) AS p (proof)
     WHERE p.proof IS NOT NULL
    $$;
COMMENT ON FUNCTION logwatch_private.copy_words() IS 'Returns why this server sends nothing, and what to type; NULL when it is no copy';

CREATE FUNCTION logwatch_adopt() RETURNS text
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    proof constant text := (SELECT logwatch_private.copy_proof(h.system, h.timeline, h.address) FROM logwatch_private.home AS h);
    waiting bigint;
BEGIN
    PERFORM logwatch_private.hold();
    IF proof IS NULL THEN
        RETURN 'nothing to adopt: this server is no copy';
    END IF;
    UPDATE logwatch_private.home
       SET system = logwatch_private.server_system(), timeline = logwatch_private.server_timeline(), address = logwatch_private.server_address(),
           adopted_at = clock_timestamp(), adopted_by = session_user;
    SELECT count(*) INTO waiting FROM logwatch.notifications AS n WHERE n.state IN ('queued', 'sending');
    RETURN format('this server checks and sends from now on; %s notification%s waiting', waiting, CASE WHEN waiting = 1 THEN ' is' ELSE 's are' END);
END
$$;
COMMENT ON FUNCTION logwatch_adopt() IS 'Lets a copy of a server check and send: one that was recovered to a target, or that logwatch.only_on does not name';
