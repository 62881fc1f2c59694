-- Entries on other servers: distributed by Citus, or in foreign tables. Nothing here needs Citus.

CREATE FUNCTION logwatch_private.distributed_tables() RETURNS SETOF regclass
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF to_regclass('pg_catalog.pg_dist_partition') IS NOT NULL THEN
        RETURN QUERY EXECUTE $citus$
            SELECT d.logicalrelid FROM pg_catalog.pg_dist_partition AS d JOIN pg_class AS c ON c.oid = d.logicalrelid
             WHERE c.relnamespace IN ('logwatch'::regnamespace, 'logwatch_private'::regnamespace) AND NOT c.relispartition $citus$;
    END IF;
END
$$;
COMMENT ON FUNCTION logwatch_private.distributed_tables() IS 'Returns the tables of logwatch that Citus keeps on its nodes';

CREATE FUNCTION logwatch_private.misplaced_words() RETURNS text
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT format('Citus distributes %s, which checks cannot use: only logwatch.entries can be distributed. Restore a dump without Citus: pg_dump --extension=logwatch --format=custom %s',
                  string_agg(t.id::text, ', ' ORDER BY t.id::text), quote_ident(current_database()))
      FROM logwatch_private.distributed_tables() AS t (id) WHERE t.id <> 'logwatch.entries'::regclass
    HAVING count(*) > 0
    $$;
COMMENT ON FUNCTION logwatch_private.misplaced_words() IS 'Names the tables that Citus must not distribute; NULL when there is none';

CREATE FUNCTION logwatch_private.entries_elsewhere() RETURNS text
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT COALESCE((SELECT format('%s is a foreign table', min(i.inhrelid::regclass::text)) FROM pg_inherits AS i JOIN pg_foreign_table AS f ON f.ftrelid = i.inhrelid
                      WHERE i.inhparent = 'logwatch.entries'::regclass HAVING count(*) > 0),
                    (SELECT 'logwatch.entries is distributed by Citus' FROM logwatch_private.distributed_tables() AS t (id) WHERE t.id = 'logwatch.entries'::regclass))
    $$;
COMMENT ON FUNCTION logwatch_private.entries_elsewhere() IS 'Returns why logical replication misses entries of this server; NULL when it does not';

CREATE FUNCTION logwatch_private.citus_shards() RETURNS TABLE (part regclass, node text, bytes bigint)
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    -- A node that is away is a state of the status, and the caller gets no warning of each shard.
    SET client_min_messages = 'error'
    AS $$
DECLARE
    patience constant text := current_setting('citus.node_connection_timeout', true);
BEGIN
    IF pg_is_in_recovery() OR NOT EXISTS (SELECT FROM logwatch_private.distributed_tables() AS t (id) WHERE t.id = 'logwatch.entries'::regclass) THEN
        RETURN;
    END IF;
    PERFORM set_config('citus.node_connection_timeout', '2000', true);
    RETURN QUERY EXECUTE $citus$
        SELECT s.logicalrelid, format('%s:%s', n.nodename, n.nodeport), z.size
          FROM pg_catalog.pg_dist_shard AS s
          JOIN pg_catalog.pg_dist_placement AS p ON p.shardid = s.shardid
          JOIN pg_catalog.pg_dist_node AS n ON n.groupid = p.groupid AND n.noderole = 'primary'
          LEFT JOIN pg_catalog.citus_shard_sizes() AS z ON z.shard_id = s.shardid
         WHERE s.logicalrelid = 'logwatch.entries'::regclass
            OR s.logicalrelid IN (SELECT i.inhrelid FROM pg_catalog.pg_inherits AS i WHERE i.inhparent = 'logwatch.entries'::regclass) $citus$;
    PERFORM set_config('citus.node_connection_timeout', patience, true);
END
$$;
COMMENT ON FUNCTION logwatch_private.citus_shards() IS 'The shards of distributed entries, with their nodes; bytes is NULL on a node that cannot be reached';
