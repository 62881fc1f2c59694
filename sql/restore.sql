-- Restoring a dump. Its rows come in many transactions, while the worker, tailers and others would
-- see half of them: they keep off until the sessions of the restore have ended.

CREATE TABLE logwatch_private.restoring (
    pid           integer PRIMARY KEY,
    backend_start timestamptz NOT NULL
);
COMMENT ON TABLE logwatch_private.restoring IS 'The session that restores a dump, until its end has been noticed';
-- Only the scripts of pg_dump set xmloption. They also turn row_security off, but not with
-- --enable-row-security.
INSERT INTO logwatch_private.restoring (pid, backend_start)
SELECT a.pid, a.backend_start FROM pg_catalog.pg_stat_activity AS a
 WHERE a.pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid()
   AND (SELECT s.source FROM pg_catalog.pg_settings AS s WHERE s.name OPERATOR(pg_catalog.=) 'xmloption') OPERATOR(pg_catalog.=) 'session';

CREATE FUNCTION logwatch_private.restore_words() RETURNS text
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    -- With -j the first session of pg_restore ends before the others begin.
    SELECT format('A dump is being restored here (pid %s). The worker, tailers and checks wait for the end of that session.', string_agg(a.pid::text, ', ' ORDER BY a.pid))
      FROM pg_stat_activity AS a
     WHERE EXISTS (SELECT FROM logwatch_private.restoring) AND a.datname = current_database() AND a.pid <> pg_backend_pid()
       AND (a.application_name = 'pg_restore' OR EXISTS (SELECT FROM logwatch_private.restoring AS r WHERE r.pid = a.pid AND r.backend_start = a.backend_start))
    HAVING count(*) > 0
    $$;
COMMENT ON FUNCTION logwatch_private.restore_words() IS 'Names the other sessions that restore a dump; NULL when there is none';

CREATE TABLE logwatch_private.restored_batches (LIKE logwatch.batches);
ALTER TABLE logwatch_private.restored_batches REPLICA IDENTITY FULL;
COMMENT ON TABLE logwatch_private.restored_batches IS 'Batches of a dump, to be counted when all of it has been restored';

CREATE FUNCTION logwatch_private.count_restored() RETURNS void
    LANGUAGE sql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
    INSERT INTO logwatch.minutes AS m (fingerprint, source_id, minute, level, n, points)
    SELECT u.fingerprint, b.source_id, v.minute, logwatch_private.level(COALESCE(u.level, b.levels[1])), sum(COALESCE(u.n, 1)),
           array_agg(60 * COALESCE(u.n, 1)::bigint + extract(epoch FROM w.second - v.minute)::bigint)
      FROM logwatch_private.restored_batches AS b
     CROSS JOIN LATERAL unnest(b.seconds, b.fingerprints, b.levels, b.numbers) AS u (second, fingerprint, level, n)
     CROSS JOIN LATERAL (SELECT date_trunc('second', b.first_at, 'UTC') + make_interval(secs => u.second) AS second) AS w
     CROSS JOIN LATERAL (SELECT logwatch_private.start_of_minute(w.second) AS minute) AS v
     GROUP BY 1, 2, 3, 4
        ON CONFLICT (fingerprint, source_id, minute, width) DO UPDATE SET n = m.n + EXCLUDED.n, points = m.points || EXCLUDED.points;
    INSERT INTO logwatch.patterns (fingerprint, level, template, first_seen, last_seen, sample)
    SELECT DISTINCT ON (u.fingerprint) u.fingerprint, logwatch_private.level(u.level), u.template, b.first_at, b.last_at, COALESCE(u.sample, '')
      FROM logwatch_private.restored_batches AS b
     CROSS JOIN LATERAL unnest(b.new_patterns, b.new_levels, b.templates, b.samples) AS u (fingerprint, level, template, sample)
     ORDER BY u.fingerprint, b.received_at
        ON CONFLICT DO NOTHING;
    INSERT INTO logwatch.paths (source_id, id, path, seen_at)
    SELECT b.source_id, b.path_id, max(b.path), max(b.received_at) FROM logwatch_private.restored_batches AS b
     WHERE b.path_id IS NOT NULL GROUP BY 1, 2
        ON CONFLICT DO NOTHING;
    DELETE FROM logwatch_private.restored_batches
    $$;
COMMENT ON FUNCTION logwatch_private.count_restored() IS 'Counts the batches of a dump; no check of this server calls them new';

CREATE FUNCTION logwatch_private.finish_restore() RETURNS boolean
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM logwatch_private.restoring) THEN
        RETURN true;
    ELSIF logwatch_private.restore_words() IS NOT NULL THEN
        RETURN false;
    END IF;
    -- Tailers and the worker may come at once: one of them counts.
    PERFORM FROM logwatch_private.restoring FOR UPDATE;
    IF NOT FOUND THEN
        RETURN true;
    END IF;
    -- pg_restore -j ends its first session a moment before it begins the others.
    PERFORM pg_sleep(1);
    PERFORM pg_stat_clear_snapshot();
    IF logwatch_private.restore_words() IS NOT NULL THEN
        RETURN false;
    END IF;
    PERFORM logwatch_private.count_restored();
    DELETE FROM logwatch_private.restoring;
    -- The sources of the dump could not report to this server.
    PERFORM logwatch_private.interrupted('-infinity', clock_timestamp());
    RETURN true;
END
$$;
COMMENT ON FUNCTION logwatch_private.finish_restore() IS 'Takes in a restored dump when its sessions have ended; false while they have not';

CREATE FUNCTION logwatch_private.wait_for_restore() RETURNS void
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM logwatch_private.restoring) THEN
        RETURN;
    END IF;
    -- A session is in the list for a moment after its client has gone.
    FOR look IN 1..10 LOOP
        IF logwatch_private.finish_restore() THEN
            RETURN;
        END IF;
        PERFORM pg_sleep(0.05);
        PERFORM pg_stat_clear_snapshot();
    END LOOP;
    -- Tailers try again at this code.
    RAISE EXCEPTION 'logwatch is being restored in this database' USING ERRCODE = 'cannot_connect_now', DETAIL = logwatch_private.restore_words();
END
$$;
COMMENT ON FUNCTION logwatch_private.wait_for_restore() IS 'Raises an error at which a tailer tries again, while a dump is being restored';

-- Only the rows of a dump are older than the transaction that loads them. Their own server has
-- processed them. pg_restore fires these triggers; replication does not.

CREATE FUNCTION logwatch_private.restored_batch() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    -- It waited for a check of the server that was dumped: it is counted, and alerts nobody here.
    -- The rows of its minutes may come later than it does.
    INSERT INTO logwatch_private.restored_batches SELECT NEW.*;
    IF NOT EXISTS (SELECT FROM logwatch_private.restoring) THEN
        PERFORM logwatch_private.count_restored();
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION logwatch_private.restored_batch() IS 'Counts a batch of a dump; no check of this server calls it new';
CREATE TRIGGER batches_restored BEFORE INSERT ON logwatch.batches FOR EACH ROW WHEN (NEW.n > 0 AND NEW.received_at < now() AND current_setting('logwatch_private.recount', true) IS DISTINCT FROM 'on') EXECUTE FUNCTION logwatch_private.restored_batch();
COMMENT ON TRIGGER batches_restored ON logwatch.batches IS 'Counts a batch of a dump; no check of this server calls it new';

CREATE FUNCTION logwatch_private.restored_notification() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    NEW.state := 'failed';
    NEW.leased_at := NULL;
    NEW.leased_by := NULL;
    NEW.last_error := 'restored from a dump: not sent again';
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION logwatch_private.restored_notification() IS 'What was waiting when a dump was made is not sent by the server that it is restored to';
CREATE TRIGGER notifications_restored BEFORE INSERT ON logwatch.notifications FOR EACH ROW
    WHEN (NEW.state IN ('queued', 'sending') AND NEW.created_at < now()) EXECUTE FUNCTION logwatch_private.restored_notification();
COMMENT ON TRIGGER notifications_restored ON logwatch.notifications IS 'What was waiting when a dump was made is not sent by the server that it is restored to';
