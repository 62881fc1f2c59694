-- A fleet: edges send their rows to a centre by PostgreSQL's logical replication. The file
-- fleet_commands.sql sets it up.
-- Entries, counts, batches and gaps travel unchanged: append-only, keys from content, no unique
-- key. This file has the rest: an edge reports its state in beats, and the centre derives sources
-- and patterns and keeps the history free of duplicates and unreported gaps.

CREATE TABLE logwatch.edges (
    name            text PRIMARY KEY,
    subscription    text NOT NULL UNIQUE,
    joined_at       timestamptz NOT NULL DEFAULT now(),
    joining         boolean NOT NULL DEFAULT false,
    join_entry      bigint,
    join_gap        bigint,
    join_again      boolean NOT NULL DEFAULT false,
    left_at         timestamptz,
    admitted_at     timestamptz,
    refused         text,
    number          bigint,
    wal             pg_lsn,
    sent_at         timestamptz,
    heard_at        timestamptz,
    every           interval,
    version         text,
    keeps_from      timestamptz,
    last_batch_at   timestamptz,
    per_minute      bigint,
    slots           jsonb,
    source_ids      bigint[] NOT NULL DEFAULT '{}',
    missing_from    timestamptz,
    missing_until   timestamptz
);
COMMENT ON TABLE logwatch.edges IS 'At a centre: its edges, with the last state that each reported';
COMMENT ON COLUMN logwatch.edges.subscription IS 'Name of the subscription, and of the slot at the edge';
COMMENT ON COLUMN logwatch.edges.joined_at IS 'Time of the last subscription';
COMMENT ON COLUMN logwatch.edges.joining IS 'The copy of the edge''s older rows is under way';
COMMENT ON COLUMN logwatch.edges.join_entry IS 'Last id of logwatch.entries before that copy; join_gap likewise';
COMMENT ON COLUMN logwatch.edges.join_again IS 'It was connected minutes before: checks wait for the copy, 5 minutes at most';
COMMENT ON COLUMN logwatch.edges.left_at IS 'Time of unsubscribing; logwatch.retention removes the row';
COMMENT ON COLUMN logwatch.edges.admitted_at IS 'When a check found that the subscription brings the right tables; NULL before, and while refused is set';
COMMENT ON COLUMN logwatch.edges.refused IS 'Reason why the subscription was disabled: the tables that it brings or lacks';
COMMENT ON COLUMN logwatch.edges.number IS 'Number of the last beat; a jump means that rows before it are missing';
COMMENT ON COLUMN logwatch.edges.wal IS 'Where the edge''s WAL was at the last beat';
COMMENT ON COLUMN logwatch.edges.sent_at IS 'Time of the last beat by the edge''s clock; heard_at is its arrival by this server''s';
COMMENT ON COLUMN logwatch.edges.every IS 'Time between two beats';
COMMENT ON COLUMN logwatch.edges.keeps_from IS 'The edge still has its entries from this time on';
COMMENT ON COLUMN logwatch.edges.per_minute IS 'Entries that the edge stored in the minute before its last beat';
COMMENT ON COLUMN logwatch.edges.source_ids IS 'Its sources, as of its last beat';
COMMENT ON COLUMN logwatch.edges.slots IS 'The edge''s logwatch slots, as of its last beat';
COMMENT ON COLUMN logwatch.edges.missing_from IS 'Rows that the edge stored from here until missing_until may be missing at the centre; NULL when none are';

CREATE TABLE logwatch.beats (
    number          bigint NOT NULL,
    wal             pg_lsn NOT NULL,
    sent_at         timestamptz NOT NULL,
    every           interval NOT NULL,
    version         text NOT NULL,
    keeps_from      timestamptz NOT NULL,
    last_batch_at   timestamptz,
    per_minute      bigint NOT NULL,
    slots           jsonb NOT NULL,
    source_ids      bigint[] NOT NULL,
    sources         text[] NOT NULL,
    seen_at         timestamptz[] NOT NULL
);
COMMENT ON TABLE logwatch.beats IS 'At an edge: its last beat for the centre, one row; at the centre beats become logwatch.edges';
COMMENT ON COLUMN logwatch.beats.sources IS 'All sources of the edge; source_ids and seen_at (last heartbeat of their tailers) are in the same order';

CREATE FUNCTION logwatch_private.is_published() RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$ SELECT EXISTS (SELECT FROM pg_publication AS p WHERE p.pubname = 'logwatch') AND NOT pg_is_in_recovery() $$;
COMMENT ON FUNCTION logwatch_private.is_published() IS 'Whether this server is an edge of a fleet';

CREATE FUNCTION logwatch_private.publishes_entries() RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT EXISTS (SELECT FROM pg_publication AS p JOIN pg_publication_rel AS r ON r.prpubid = p.oid
                    WHERE p.pubname = 'logwatch' AND r.prrelid = 'logwatch.entries'::regclass)
    $$;
COMMENT ON FUNCTION logwatch_private.publishes_entries() IS 'Whether this edge sends its entries; a light edge sends counts and samples only';

CREATE FUNCTION logwatch_private.is_light(edge logwatch.edges) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT EXISTS (SELECT FROM pg_subscription AS s
                    WHERE s.subname = edge.subscription AND s.subdbid = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
                      AND NOT EXISTS (SELECT FROM pg_subscription_rel AS r WHERE r.srsubid = s.oid AND r.srrelid = 'logwatch.entries'::regclass))
    $$;
COMMENT ON FUNCTION logwatch_private.is_light(logwatch.edges) IS 'At a centre: whether the edge sends counts and samples without entries';

CREATE FUNCTION logwatch_private.send_patterns() RETURNS void
    LANGUAGE sql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
    -- A batch brings the text of a pattern only when ingest meets it for the first time, and a new
    -- centre has no entries to take it from. These batches have no records.
    INSERT INTO logwatch.batches (source_id, first_at, last_at, n, new_patterns, new_seconds, new_levels, templates, samples)
    SELECT logwatch_private.source_id('patterns'), q.first_at, q.first_at, 0, array_agg(q.fingerprint),
           array_agg(extract(epoch FROM q.first_seen - q.first_at)::integer), array_agg(array_position(enum_range(NULL::logwatch.level), q.level)::smallint),
           array_agg(q.template), array_agg(q.sample)
      FROM (SELECT p.*, min(p.first_seen) OVER (PARTITION BY p.part) AS first_at
              FROM (SELECT k.*, (row_number() OVER (ORDER BY k.first_seen, k.fingerprint) - 1) / 1000 AS part FROM logwatch.patterns AS k) AS p) AS q
     GROUP BY q.part, q.first_at
    $$;
COMMENT ON FUNCTION logwatch_private.send_patterns() IS 'Sends the texts of all patterns to a centre that gets no entries';

CREATE FUNCTION logwatch_private.send_paths() RETURNS void
    LANGUAGE sql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
    -- The entries that a new centre copies name the files of batches that are gone. These batches
    -- have no records.
    INSERT INTO logwatch.batches (source_id, received_at, first_at, last_at, n, path_id, path)
    SELECT p.source_id, p.seen_at, p.seen_at, p.seen_at, 0, p.id, p.path FROM logwatch.paths AS p
    $$;
COMMENT ON FUNCTION logwatch_private.send_paths() IS 'Sends the paths of all files to a new centre';

CREATE FUNCTION logwatch_private.fleet_slots()
    RETURNS TABLE (slot text, active boolean, status text, held bigint, "left" bigint, behind bigint, sent_until bigint)
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT s.slot_name, s.active, s.wal_status, pg_wal_lsn_diff(here.wal, s.restart_lsn)::bigint, s.safe_wal_size,
           pg_wal_lsn_diff(here.wal, s.confirmed_flush_lsn)::bigint, pg_wal_lsn_diff(s.confirmed_flush_lsn, '0/0')::bigint
      FROM pg_replication_slots AS s
     CROSS JOIN (SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END AS wal) AS here
     WHERE s.plugin = 'pgoutput' AND s.database = current_database() AND starts_with(s.slot_name, 'logwatch_')
    $$;
COMMENT ON FUNCTION logwatch_private.fleet_slots() IS 'The slots by which centres read this server; sizes in bytes of WAL';

CREATE FUNCTION logwatch_private.why_lost(slot text) RETURNS text
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    -- PostgreSQL gives the reason since version 17, and has the second one since 18.
    SELECT CASE to_jsonb(s) ->> 'invalidation_reason'
                WHEN 'idle_timeout' THEN format('the centre was away for longer than idle_replication_slot_timeout (%s)', current_setting('idle_replication_slot_timeout', true))
                ELSE format('it exceeded max_slot_wal_keep_size (%s)', current_setting('max_slot_wal_keep_size')) END
      FROM pg_replication_slots AS s WHERE s.slot_name = $1
    $$;
COMMENT ON FUNCTION logwatch_private.why_lost(text) IS 'Why the WAL that a slot kept was dropped';

CREATE FUNCTION logwatch_private.received(asof timestamptz, OUT last_at timestamptz, OUT per_minute bigint)
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    -- The ten minutes under way tell the rate; batches that wait for a check are few.
    SELECT greatest((SELECT max(v.last_at) FROM logwatch.arrivals AS v), (SELECT max(b.received_at) FROM logwatch.batches AS b)),
           COALESCE((SELECT sum(v.n / least(greatest(extract(epoch FROM asof - v.since) / 60, 1), 10)) FROM logwatch.arrivals AS v
                      WHERE v.since = date_bin('10 minutes', asof, timestamptz '2000-01-01Z')), 0)::bigint
    $$;
COMMENT ON FUNCTION logwatch_private.received(timestamptz) IS 'When a batch was stored last, and how many records come in a minute';

CREATE FUNCTION logwatch_private.beat() RETURNS void
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    lost record;
BEGIN
    -- Reports once that WAL is gone which a centre did not fetch in time. The edge still has its
    -- entries; the centre gets them by joining again.
    FOR lost IN
        SELECT s.slot, s.sent_until FROM logwatch_private.fleet_slots() AS s
         WHERE s.status = 'lost'
           AND NOT EXISTS (SELECT FROM logwatch.gaps AS g WHERE g.path = s.slot AND g.from_byte = s.sent_until)
    LOOP
        INSERT INTO logwatch.gaps (source_id, path, from_byte, to_byte, reason)
        VALUES (logwatch_private.source_id('slot ' || lost.slot), lost.slot, lost.sent_until, NULL,
                format('WAL from %s on was dropped before the centre fetched it: %s', '0/0'::pg_lsn + lost.sent_until, logwatch_private.why_lost(lost.slot)));
    END LOOP;

    IF EXISTS (SELECT FROM logwatch_private.fleet_slots() AS s
                WHERE s.active AND NOT EXISTS (SELECT FROM logwatch.beats AS b WHERE (b.slots -> s.slot ->> 'active')::boolean)) THEN
        PERFORM logwatch_private.send_paths();
        PERFORM logwatch_private.send_patterns() WHERE NOT logwatch_private.publishes_entries();
    END IF;
    WITH before AS (
        DELETE FROM logwatch.beats RETURNING number
    ), listed AS (
        SELECT s.id, s.name,
               CASE WHEN s.attached_at IS NOT NULL
                    THEN greatest(s.seen_at, (SELECT max(f.updated_at) FROM logwatch.files AS f WHERE f.source_id = s.id)) END AS seen_at
          FROM logwatch.sources AS s
    )
    INSERT INTO logwatch.beats (number, wal, sent_at, every, version, keeps_from, last_batch_at, per_minute, slots, source_ids, sources, seen_at)
    SELECT COALESCE((SELECT max(b.number) FROM before AS b), 0) + 1, pg_current_wal_lsn(), clock_timestamp(),
           -- Without the worker, pg_cron calls logwatch_check() once a minute.
           greatest(make_interval(secs => logwatch_private.setting('check_interval')::integer),
                    CASE WHEN (SELECT w.state FROM logwatch_private.worker_status() AS w) = 'running' THEN interval '0' ELSE interval '1 minute' END),
           logwatch_private.library_version(),
           logwatch_private.entries_kept_from(now()),
           (SELECT r.last_at FROM logwatch_private.received(clock_timestamp()) AS r),
           (SELECT r.per_minute FROM logwatch_private.received(clock_timestamp()) AS r),
           (SELECT COALESCE(jsonb_object_agg(s.slot, to_jsonb(s) - 'slot'), '{}') FROM logwatch_private.fleet_slots() AS s),
           (SELECT COALESCE(array_agg(l.id ORDER BY l.id), '{}') FROM listed AS l),
           (SELECT COALESCE(array_agg(l.name ORDER BY l.id), '{}') FROM listed AS l),
           (SELECT COALESCE(array_agg(l.seen_at ORDER BY l.id), '{}') FROM listed AS l);
END
$$;
COMMENT ON FUNCTION logwatch_private.beat() IS 'Sends a beat: the state of this edge for its centres';

CREATE FUNCTION logwatch_private.receive_beat() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    subscription_name constant text := (SELECT s.subname FROM pg_stat_subscription AS s WHERE s.pid = pg_backend_pid());
    e logwatch.edges;
    problem text;
BEGIN
    IF subscription_name IS NULL THEN
        RETURN NEW;
    END IF;
    -- A subscription made by hand is an edge as well.
    INSERT INTO logwatch.edges (name, subscription) VALUES (regexp_replace(subscription_name, '^logwatch_', ''), subscription_name) ON CONFLICT DO NOTHING;
    SELECT * INTO e FROM logwatch.edges AS k WHERE k.subscription = subscription_name FOR UPDATE;
    IF NEW.number < e.number THEN
        problem := 'the edge was made anew or restored from a backup';
    ELSIF NEW.number > e.number + 1 AND NOT e.joining THEN
        problem := 'what the edge sent did not come: its slot was lost, or this server was restored from a backup';
    ELSIF NEW.number > e.number + 1 AND NEW.keeps_from > e.sent_at THEN
        problem := 'the edge no longer had it when it joined again';
    END IF;
    IF problem IS NOT NULL THEN
        INSERT INTO logwatch.gaps (source_id, path, from_byte, to_byte, reason)
        VALUES (logwatch_private.source_id('edge ' || e.name), e.name, pg_wal_lsn_diff(e.wal, '0/0')::bigint, pg_wal_lsn_diff(NEW.wal, '0/0')::bigint,
                format('edge %s, %s to %s: %s', e.name, e.sent_at, NEW.sent_at, problem));
    END IF;
    UPDATE logwatch.edges AS u
       SET number = NEW.number, wal = NEW.wal, sent_at = NEW.sent_at, heard_at = clock_timestamp(), every = NEW.every, version = NEW.version,
           keeps_from = NEW.keeps_from, last_batch_at = NEW.last_batch_at, per_minute = NEW.per_minute, slots = NEW.slots, source_ids = NEW.source_ids,
           missing_from = CASE WHEN problem IS NULL THEN u.missing_from ELSE least(u.missing_from, e.sent_at) END,
           missing_until = CASE WHEN problem IS NULL THEN u.missing_until ELSE NEW.sent_at END
     WHERE u.name = e.name;
    -- The order of ids keeps two apply workers with the same sources from a deadlock. A source with
    -- a tailer at the edge gets an owner: no tailer or application of this server acts in its name.
    INSERT INTO logwatch.sources AS s (id, name, attached_at, seen_at, owner)
    SELECT l.id, l.name, l.seen_at, l.seen_at, CASE WHEN l.seen_at IS NOT NULL THEN current_user END FROM unnest(NEW.source_ids, NEW.sources, NEW.seen_at) AS l (id, name, seen_at) ORDER BY l.id
        ON CONFLICT (id) DO UPDATE SET seen_at = EXCLUDED.seen_at, attached_at = COALESCE(s.attached_at, EXCLUDED.seen_at), owner = COALESCE(s.owner, EXCLUDED.owner)
     WHERE EXCLUDED.seen_at > s.seen_at OR s.seen_at IS NULL AND EXCLUDED.seen_at IS NOT NULL;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION logwatch_private.receive_beat() IS 'Records a beat at the centre, and notices missing ones';
CREATE TRIGGER beats_receive BEFORE INSERT ON logwatch.beats FOR EACH ROW EXECUTE FUNCTION logwatch_private.receive_beat();
ALTER TABLE logwatch.beats ENABLE REPLICA TRIGGER beats_receive;
COMMENT ON TRIGGER beats_receive ON logwatch.beats IS 'Beats that replication applies become logwatch.edges and are not stored, nor sent on by a centre that is itself an edge';

CREATE FUNCTION logwatch_private.template(message text) RETURNS text
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'template_wrapper';
COMMENT ON FUNCTION logwatch_private.template(text) IS 'A message with its variable parts masked, as ingest masks it';

CREATE FUNCTION logwatch_private.joined(edge logwatch.edges) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT EXISTS (SELECT FROM pg_subscription AS s JOIN pg_subscription_rel AS r ON r.srsubid = s.oid
                    WHERE s.subname = edge.subscription
                      AND s.subdbid = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
                   HAVING bool_and(r.srsubstate = 'r'))
    $$;
COMMENT ON FUNCTION logwatch_private.joined(logwatch.edges) IS 'Whether the copy of an edge''s older rows is complete';

CREATE FUNCTION logwatch_private.joins_now() RETURNS boolean
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM logwatch.edges) THEN
        RETURN false;
    END IF;
    RETURN EXISTS (SELECT FROM logwatch.edges AS e
                    WHERE e.joining AND e.join_again AND e.joined_at > clock_timestamp() - interval '5 minutes')
        -- The texts of the patterns that a light edge's batches name come before the first beat
        -- that reports this centre as connected.
        OR EXISTS (SELECT FROM logwatch.edges AS e
                    WHERE e.left_at IS NULL AND e.refused IS NULL AND e.joined_at > clock_timestamp() - interval '1 minute'
                      AND (e.heard_at IS NULL OR e.heard_at < e.admitted_at
                           OR NOT COALESCE((e.slots -> (SELECT s.subslotname FROM pg_subscription AS s WHERE s.subname = e.subscription)::text ->> 'active')::boolean, false))
                      AND logwatch_private.is_light(e));
END
$$;
COMMENT ON FUNCTION logwatch_private.joins_now() IS 'Whether a check must wait for an edge that joins: its rows are here twice until finish_join(), or the texts of its patterns are on the way';

CREATE FUNCTION logwatch_private.finish_join(edge logwatch.edges) RETURNS void
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    -- Older sums stay: their entries are gone here.
    keep_from constant timestamptz := logwatch_private.entries_kept_from(now());
    copied bigint[];
    oldest timestamptz;
    counted_from timestamptz;
BEGIN
    SELECT array_agg(DISTINCT e.source_id), min(e.received_at), date_trunc('second', min(least(e.logged_at, e.received_at)))
      INTO copied, oldest, counted_from
      FROM logwatch.entries AS e WHERE e.id > edge.join_entry;
    IF copied IS NOT NULL THEN
        -- An edge that joins again copies rows that had arrived before, too. A batch arrives whole
        -- or not at all; its source and time identify it.
        DELETE FROM logwatch.entries AS e
         USING (SELECT DISTINCT k.source_id, k.received_at FROM logwatch.entries AS k WHERE k.id <= edge.join_entry AND k.received_at >= oldest) AS known
         WHERE e.id > edge.join_entry AND e.source_id = known.source_id AND e.received_at = known.received_at;
        -- Sums that an edge's checks have taken do not travel: those of the copied time are made
        -- from the entries, for the next check.
        PERFORM logwatch_private.recount(copied, greatest(counted_from, keep_from), edge.join_entry);
    END IF;
    DELETE FROM logwatch.gaps AS g
     USING logwatch.gaps AS known
     WHERE g.id > edge.join_gap AND known.id <= edge.join_gap AND g.source_id = known.source_id AND g.noticed_at = known.noticed_at
       AND g.from_byte = known.from_byte AND g.path IS NOT DISTINCT FROM known.path;
    -- The copy brings the missing rows that the edge still had.
    IF edge.missing_from >= edge.keeps_from
       AND NOT EXISTS (SELECT FROM logwatch.gaps AS g WHERE g.source_id = logwatch_private.source_id('edge ' || edge.name) AND g.id > edge.join_gap) THEN
        UPDATE logwatch.gaps AS g SET reason = 'filled by a copy: ' || g.reason
         WHERE g.source_id = logwatch_private.source_id('edge ' || edge.name) AND g.reason NOT LIKE 'filled by a copy: %';
        UPDATE logwatch.edges AS u SET missing_from = NULL, missing_until = NULL WHERE u.name = edge.name;
    END IF;
    UPDATE logwatch.edges AS u SET joining = false WHERE u.name = edge.name;
END
$$;
COMMENT ON FUNCTION logwatch_private.finish_join(logwatch.edges) IS 'After the copy: removes duplicates, and adds sources, patterns and counts';

CREATE FUNCTION logwatch_private.recount(source_ids bigint[], counted_from timestamptz, join_entry bigint) RETURNS void
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    PERFORM logwatch_private.forget_rolled();
    -- These are no batches of a dump.
    PERFORM set_config('logwatch_private.recount', 'on', true);
    -- Batches go on arriving, each together with its entries: one statement sees both or none.
    WITH gone AS (
        -- No entries tell which lines were expected.
        DELETE FROM logwatch.batches AS b WHERE b.source_id = ANY ($1) AND b.expected IS NULL RETURNING b.*
    ), texts AS (
        -- Their sources, paths and patterns stay.
        INSERT INTO logwatch.batches (source_id, received_at, first_at, last_at, n, source, new_patterns, new_seconds, new_levels, templates, samples, path_id, path)
        SELECT g.source_id, g.received_at, g.first_at, g.last_at, 0, g.source, g.new_patterns, g.new_seconds, g.new_levels, g.templates, g.samples, g.path_id, g.path
          FROM gone AS g
    ), old AS (
        DELETE FROM logwatch.minutes AS m WHERE m.source_id = ANY ($1) AND m.minute >= logwatch_private.start_of_minute($2) RETURNING m.fingerprint, m.n
    ), totals AS (
        -- Subtracts the records that are counted again from the totals of the patterns.
        UPDATE logwatch.patterns AS p SET total = p.total - o.n
          FROM (SELECT old.fingerprint, sum(old.n) AS n FROM old GROUP BY 1) AS o
         WHERE p.fingerprint = o.fingerprint
    )
    INSERT INTO logwatch.batches (source_id, received_at, first_at, last_at, n, source, seconds, fingerprints, levels, numbers)
    SELECT k.source_id, k.received_at, min(k.second), max(k.second), sum(k.fresh), max(k.name),
           array_agg(extract(epoch FROM k.second - k.first_at)::integer), array_agg(k.fingerprint), array_agg(k.level), array_agg(k.n)
      FROM (SELECT e.source_id, e.received_at, v.second, e.fingerprint, array_position(enum_range(NULL::logwatch.level), e.level)::smallint AS level,
                   count(*)::integer AS n, count(*) FILTER (WHERE e.id > $3) AS fresh, max(s.name) AS name,
                   min(v.second) OVER (PARTITION BY e.source_id, e.received_at) AS first_at
              FROM logwatch.entries AS e
             CROSS JOIN LATERAL (SELECT date_trunc('second', least(e.logged_at, e.received_at), 'UTC') AS second) AS v
              LEFT JOIN logwatch.sources AS s ON s.id = e.source_id
             WHERE e.source_id = ANY ($1) AND e.logged_at >= logwatch_private.start_of_minute($2) AND e.received_at >= $2
             GROUP BY e.source_id, e.received_at, v.second, e.fingerprint, e.level) AS k
     GROUP BY 1, 2;
    PERFORM set_config('logwatch_private.recount', 'off', true);
END
$$;
COMMENT ON FUNCTION logwatch_private.recount(bigint[], timestamptz, bigint) IS 'Queues the sums of some sources anew, from their entries';
