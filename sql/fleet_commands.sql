-- Sets up a fleet. Public. A function cannot change settings that need a restart, nor create or
-- drop subscriptions with slots: it returns these commands, and psql's \gexec runs them.

CREATE FUNCTION logwatch_private.need_column_lists() RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF current_setting('server_version_num')::integer < 150000 THEN
        RAISE EXCEPTION 'a fleet needs PostgreSQL 15 or later'
            USING ERRCODE = 'feature_not_supported', DETAIL = format('This is %s. Column lists and row filters of publications came with 15.', current_setting('server_version'));
    END IF;
END
$$;
COMMENT ON FUNCTION logwatch_private.need_column_lists() IS 'Refuses servers that are too old for a fleet';

CREATE FUNCTION logwatch_private.need_local_entries() RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    reason constant text := logwatch_private.entries_elsewhere();
BEGIN
    IF reason LIKE '%foreign table' THEN
        RAISE EXCEPTION 'a server with foreign partitions of logwatch.entries cannot be part of a fleet' USING ERRCODE = 'feature_not_supported',
            DETAIL = format('%s: logical replication sends no rows of it and applies none to it.', reason),
            HINT = format('Detach it first: ALTER TABLE logwatch.entries DETACH PARTITION %s;', split_part(reason, ' is ', 1));
    ELSIF reason IS NOT NULL THEN
        RAISE EXCEPTION 'a server that distributes logwatch.entries by Citus cannot be part of a fleet' USING ERRCODE = 'feature_not_supported',
            DETAIL = 'The rows of an edge would go to a hidden local table, and those of a distributed table are not sent.',
            HINT = format('Use another database, or restore a dump of this one without Citus: pg_dump --extension=logwatch --format=custom %s', quote_ident(current_database()));
    END IF;
END
$$;
COMMENT ON FUNCTION logwatch_private.need_local_entries() IS 'Refuses servers whose entries are foreign tables or distributed by Citus';

CREATE FUNCTION logwatch_publish(execute boolean DEFAULT false, role text DEFAULT 'logwatch_centre', entries boolean DEFAULT true)
    RETURNS TABLE (step integer, state text, command text, why text)
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    SET client_min_messages = 'error'
    AS $$
#variable_conflict use_variable
DECLARE
    -- Ids of this server and transaction ids mean nothing elsewhere and stay here. Columns that a
    -- later version adds do not travel until this is called again: upgrade the centre first.
    tables constant text :=
        CASE WHEN entries THEN 'logwatch.entries (received_at, logged_at, source_id, level, path_id, fingerprint, message, detail, fields, flags), ' ELSE '' END ||
        'logwatch.batches (source_id, received_at, first_at, last_at, n, source, '
            'seconds, fingerprints, levels, numbers, new_patterns, new_seconds, new_levels, templates, samples, path_id, path, expected, expected_seconds), '
        'logwatch.gaps (source_id, file_id, path, from_byte, to_byte, reason, noticed_at), '
        'logwatch.beats (number, wal, sent_at, every, version, keeps_from, last_batch_at, per_minute, slots, source_ids, sources, seen_at)';
    may_connect boolean;
    may_read boolean;
    rights text;
BEGIN
    PERFORM logwatch_private.need_column_lists();
    PERFORM logwatch_private.need_local_entries();
    IF EXISTS (SELECT FROM pg_publication AS p WHERE p.pubname = 'logwatch') THEN
        EXECUTE 'ALTER PUBLICATION logwatch SET TABLE ' || tables;
    ELSE
        EXECUTE format('CREATE PUBLICATION logwatch FOR TABLE %s WITH (publish = %L, publish_via_partition_root = true)', tables, 'insert');
    END IF;
    rights := format('GRANT USAGE ON SCHEMA logwatch TO %1$I; GRANT SELECT ON %2$slogwatch.batches, logwatch.gaps, logwatch.beats TO %1$I;', role,
                     CASE WHEN entries THEN 'logwatch.entries, ' END);
    IF execute THEN
        IF NOT EXISTS (SELECT FROM pg_roles AS r WHERE r.rolname = role) THEN
            EXECUTE format('CREATE ROLE %I LOGIN REPLICATION', role);
        END IF;
        EXECUTE rights;
    END IF;
    may_connect := EXISTS (SELECT FROM pg_roles AS r WHERE r.rolname = role AND r.rolcanlogin AND (r.rolreplication OR r.rolsuper));
    may_read := EXISTS (SELECT FROM pg_roles AS r WHERE r.rolname = role
                         AND has_schema_privilege(r.oid, 'logwatch', 'USAGE') AND (NOT entries OR has_table_privilege(r.oid, 'logwatch.entries', 'SELECT'))
                         AND has_table_privilege(r.oid, 'logwatch.batches', 'SELECT')
                         AND has_table_privilege(r.oid, 'logwatch.gaps', 'SELECT') AND has_table_privilege(r.oid, 'logwatch.beats', 'SELECT'));
    RETURN QUERY
    SELECT s.step, CASE WHEN s.is_done THEN 'done' ELSE 'to do' END, s.command, s.why
      FROM (VALUES
        (1, true, format('SELECT %s.logwatch_publish(false, %L::text, %s);', logwatch_private.schema(), role, entries::text),
            format('the publication logwatch: what is inserted into %sbatches, gaps and beats', CASE WHEN entries THEN 'entries, ' END)),
        (2, current_setting('wal_level') = 'logical', 'ALTER SYSTEM SET wal_level = logical; -- and restart', 'logical replication needs it'),
        (3, current_setting('max_slot_wal_keep_size') <> '-1', 'ALTER SYSTEM SET max_slot_wal_keep_size = ''10GB''; -- and SELECT pg_reload_conf();',
            'a centre that stays away must not fill this disk'),
        (4, may_connect, format(E'CREATE ROLE %1$I LOGIN REPLICATION; -- and its password: \\password %1$I', role), 'the centre connects as it'),
        (5, may_read, rights, 'for the copy of what is stored already'),
        (6, EXISTS (SELECT FROM pg_hba_file_rules AS h WHERE h.error IS NULL AND h.type <> 'local' AND (role = ANY (h.user_name) OR 'all' = ANY (h.user_name))
                     AND (current_database() = ANY (h.database) OR 'all' = ANY (h.database)) AND h.address NOT IN ('127.0.0.1', '::1')),
            format('hostssl %I %I <address of the centre>/32 scram-sha-256', current_database(), role), 'a line for pg_hba.conf; then SELECT pg_reload_conf();'),
        (7, EXISTS (SELECT FROM logwatch_private.fleet_slots()),
            format(E'SELECT <schema>.logwatch_subscribe(''<name of this edge>''::text, ''host=%s dbname=%s user=%s connect_timeout=10''::text, %s, NULL::text, false) \\gexec',
                   logwatch_private.host(), current_database(), role, entries::text),
            'in psql, in the database of the centre that has logwatch; the password in the ~/.pgpass of the centre''s server user')
      ) AS s (step, is_done, command, why)
     ORDER BY s.step;
END
$$;
COMMENT ON FUNCTION logwatch_publish(boolean, text, boolean)
    IS 'Makes this server an edge: creates (or renews) the publication, and lists the commands that are left; execute => true also creates the centre''s role, entries => false sends counts and samples only';

CREATE FUNCTION logwatch_unpublish() RETURNS SETOF text
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    s record;
BEGIN
    FOR s IN SELECT * FROM logwatch_private.fleet_slots() LOOP
        IF s.active THEN
            RAISE EXCEPTION 'a centre is reading slot "%"', s.slot USING ERRCODE = 'object_in_use',
                HINT = E'There, in psql: SELECT <schema>.logwatch_unsubscribe(''<name of this edge>''::text, false) \\gexec';
        END IF;
        PERFORM pg_drop_replication_slot(s.slot);
        RETURN NEXT format('slot %s dropped', s.slot);
    END LOOP;
    IF logwatch_private.is_published() THEN
        DROP PUBLICATION logwatch;
        RETURN NEXT 'publication logwatch dropped'::text;
    END IF;
END
$$;
COMMENT ON FUNCTION logwatch_unpublish() IS 'Ends this server''s time as an edge: drops the publication and the slots that no centre reads; returns what it dropped';

CREATE FUNCTION logwatch_subscribe(name text, conninfo text, copy boolean DEFAULT true, slot text DEFAULT NULL, failover boolean DEFAULT false) RETURNS text
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_variable
DECLARE
    server constant integer := current_setting('server_version_num')::integer;
    subscription constant text := 'logwatch_' || name;
    edges constant integer := 1 + (SELECT count(*) FROM pg_subscription);
    too_small text;
BEGIN
    PERFORM logwatch_private.need_column_lists();
    PERFORM logwatch_private.need_local_entries();
    IF name IS NULL OR name !~ '^[a-z0-9_]{1,50}$' OR slot !~ '^logwatch_[a-z0-9_]{1,50}$' THEN
        RAISE EXCEPTION 'invalid name "%" of an edge or its slot', COALESCE(slot, name) USING ERRCODE = 'invalid_parameter_value',
            HINT = 'Use 1 to 50 of a-z, 0-9 and _, for example: berlin. A slot begins with logwatch_, for example: logwatch_berlin_2.';
    END IF;
    IF conninfo IS NULL OR conninfo ~* '(^|[[:space:]?&])password[[:space:]]*=|://[^/@]*:[^/@]*@' THEN
        RAISE EXCEPTION 'the connection string of edge "%" contains a password', name USING ERRCODE = 'invalid_parameter_value',
            DETAIL = 'Others could read it in pg_subscription and in dumps.',
            HINT = 'Put it into the ~/.pgpass of this server''s user, or a file that passfile=... names.';
    END IF;
    IF failover AND server < 170000 THEN
        RAISE EXCEPTION 'failover slots need PostgreSQL 17 or later; this is %', current_setting('server_version') USING ERRCODE = 'feature_not_supported',
            HINT = 'Leave failover out, and subscribe again after a failover of the edge.';
    END IF;
    IF EXISTS (SELECT FROM pg_subscription AS s JOIN pg_database AS d ON d.oid = s.subdbid WHERE d.datname = current_database() AND s.subname = subscription) THEN
        RAISE EXCEPTION 'edge "%" already has a subscription', name USING ERRCODE = 'duplicate_object',
            HINT = format(E'To join it again, first, in psql: SELECT %s.logwatch_unsubscribe(%L::text, false) \\gexec', logwatch_private.schema(), name);
    END IF;
    -- Each edge needs an apply worker and a replication origin, and copies need some more;
    -- PostgreSQL's defaults are enough for three edges.
    SELECT string_agg(format('ALTER SYSTEM SET %s = %s;', s.name, n.needed), E'\n' ORDER BY s.name) INTO too_small
      FROM pg_settings AS s
      JOIN (VALUES ('max_logical_replication_workers', edges + 1), ('max_worker_processes', edges + 4),
                   (CASE WHEN server >= 180000 THEN 'max_active_replication_origins' ELSE 'max_replication_slots' END, edges + 2)) AS n (name, needed)
           ON n.name = s.name AND s.setting::integer < n.needed;
    IF too_small IS NOT NULL THEN
        RAISE WARNING 'with % edge(s) this server needs more workers than its settings allow', edges USING HINT = too_small || E'\nand restart. Leave room for more edges.';
    END IF;
    -- Remembers the present ids, to tell these rows from those of the copy.
    INSERT INTO logwatch.edges AS e (name, subscription, joining, join_entry, join_gap)
    VALUES (name, subscription, COALESCE(copy, true),
            COALESCE(pg_sequence_last_value(pg_get_serial_sequence('logwatch.entries', 'id')::regclass), 0),
            COALESCE(pg_sequence_last_value(pg_get_serial_sequence('logwatch.gaps', 'id')::regclass), 0))
        ON CONFLICT ON CONSTRAINT edges_pkey DO UPDATE
       SET subscription = EXCLUDED.subscription, joined_at = EXCLUDED.joined_at, joining = EXCLUDED.joining, left_at = NULL, admitted_at = NULL, refused = NULL,
           join_entry = EXCLUDED.join_entry, join_gap = EXCLUDED.join_gap,
           join_again = COALESCE(e.heard_at > now() - interval '5 minutes', false);
    -- The next check compares the tables and enables it.
    -- With synchronous_commit = off, the default, a crash during the first copy can forget that a
    -- table is copied after the edge has dropped the slot of its copy: it is never copied then.
    RETURN format('CREATE SUBSCRIPTION %I CONNECTION %L PUBLICATION logwatch WITH (enabled = false, slot_name = %L, copy_data = %s, synchronous_commit = on, streaming = %s%s%s)',
                  subscription, conninfo, COALESCE(slot, subscription), COALESCE(copy, true)::text,
                  CASE WHEN server >= 160000 THEN 'parallel' ELSE 'on' END,
                  -- A centre of centres also gets the rows that its centres received.
                  CASE WHEN server >= 160000 THEN ', origin = any' ELSE '' END,
                  CASE WHEN failover THEN ', failover = true' ELSE '' END);
END
$$;
COMMENT ON FUNCTION logwatch_subscribe(text, text, boolean, text, boolean)
    IS E'Makes this server the centre of an edge: returns the CREATE SUBSCRIPTION to type, which psql''s \\gexec runs; the next check enables it; copy => true brings the edge''s older rows, too';

CREATE FUNCTION logwatch_unsubscribe(name text, edge_is_gone boolean DEFAULT false) RETURNS SETOF text
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_variable
DECLARE
    subscription text;
BEGIN
    UPDATE logwatch.edges AS e SET left_at = now(), joining = false WHERE e.name = name RETURNING e.subscription INTO subscription;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'edge "%" does not exist', name USING ERRCODE = 'no_data_found', HINT = 'To list them: SELECT name, state FROM logwatch_fleet;';
    END IF;
    -- An edge that no longer exists cannot drop its slot.
    IF edge_is_gone THEN
        RETURN NEXT format('ALTER SUBSCRIPTION %I DISABLE', subscription);
        RETURN NEXT format('ALTER SUBSCRIPTION %I SET (slot_name = NONE)', subscription);
    END IF;
    RETURN NEXT format('DROP SUBSCRIPTION %I', subscription);
END
$$;
COMMENT ON FUNCTION logwatch_unsubscribe(text, boolean)
    IS E'Returns the commands that remove an edge, which psql''s \\gexec runs: they drop the subscription and the slot at the edge; its rows stay';
