-- Made by `make upgrade-script`: do not edit.

-- What changes of version 0.1.0's tables. The rest of the upgrade script is made of the other files: make upgrade-script.

ALTER TABLE logwatch.sources ADD COLUMN watched_since timestamptz, ADD COLUMN written_at timestamptz;
ALTER TABLE logwatch.files ADD COLUMN size bigint, ADD COLUMN truncated boolean NOT NULL DEFAULT false, DROP CONSTRAINT files_state_check,
    ADD CONSTRAINT files_state_check CHECK (state IN ('open', 'done', 'truncated', 'removed')), ADD CONSTRAINT files_path_check CHECK (length(path) <= 16384);
ALTER TABLE logwatch.batches ADD COLUMN source text;
ALTER TABLE logwatch.rules ADD COLUMN min_sources integer NOT NULL DEFAULT 1;
ALTER TABLE logwatch.alerts ADD COLUMN closed text CHECK (closed IN ('disabled', 'deleted'));
ALTER TABLE logwatch.notifications ADD COLUMN leased_at timestamptz, ADD COLUMN leased_by integer, DROP COLUMN leased_until;
DROP FUNCTION logwatch.settle(bigint, text, integer, text);

COMMENT ON SCHEMA logwatch IS 'logwatch: log entries, rules, alerts and notifications';

COMMENT ON TYPE logwatch.level IS 'How severe a log record is, in this order; FATAL includes critical, alert, emergency and panic';

CREATE OR REPLACE FUNCTION logwatch.hold() RETURNS void
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'hold_wrapper';

COMMENT ON FUNCTION logwatch.hold() IS 'Makes DROP EXTENSION wait for the end of this transaction, so that neither can end in a deadlock; private';

CREATE OR REPLACE FUNCTION logwatch.setting(name text) RETURNS text
    LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME', 'setting_wrapper';

COMMENT ON FUNCTION logwatch.setting(text) IS 'The value of logwatch.<name> in its base unit, also where the library is not preloaded; private';

CREATE OR REPLACE FUNCTION logwatch.host() RETURNS text
    LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'host_wrapper';

COMMENT ON FUNCTION logwatch.host() IS 'This server''s host name; private';

CREATE OR REPLACE FUNCTION logwatch.channel_problem(channel text) RETURNS text
    LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME', 'channel_problem_wrapper';

COMMENT ON FUNCTION logwatch.channel_problem(text) IS 'Why a channel cannot work as it is set, what to type included; NULL when it can; private';

CREATE OR REPLACE FUNCTION logwatch.channel_configured(channel text) RETURNS boolean
    LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME', 'channel_configured_wrapper';

COMMENT ON FUNCTION logwatch.channel_configured(text) IS 'Whether the settings turn a channel on; private';

CREATE OR REPLACE FUNCTION logwatch.default_recipients() RETURNS text[]
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT COALESCE(array_agg(DISTINCT btrim(address)), '{}')
      FROM unnest(string_to_array(logwatch.setting('email_to'), ',')) AS address
     WHERE btrim(address) <> ''
    $$;

COMMENT ON FUNCTION logwatch.default_recipients() IS 'The addresses of logwatch.email_to; private';

COMMENT ON TABLE logwatch.sources IS 'Where records come from: one row per tailer''s label or SQL client''s source name';

COMMENT ON COLUMN logwatch.sources.id IS '64-bit hash of the name';

COMMENT ON COLUMN logwatch.sources.epoch IS 'Goes up each time a tailer claims the source; an older tailer is refused';

COMMENT ON COLUMN logwatch.sources.path IS 'What the tailer was told to read';

COMMENT ON COLUMN logwatch.sources.host IS 'Host that the tailer runs on';

COMMENT ON COLUMN logwatch.sources.version IS 'Version of the tailer';

COMMENT ON COLUMN logwatch.sources.attached_at IS 'When a tailer last claimed the source; NULL for sources without a tailer';

COMMENT ON COLUMN logwatch.sources.seen_at IS 'Last sign of life of the tailer, besides what it stored';

COMMENT ON COLUMN logwatch.sources.watched_since IS 'Since when a tailer has been reading without a break of more than 5 minutes';

COMMENT ON COLUMN logwatch.sources.written_at IS 'When something was last read from the source''s files, as its tailer last said';

COMMENT ON TABLE logwatch.files IS 'How far each log file has been stored; moved in the transaction that stores the records';

COMMENT ON COLUMN logwatch.files.id IS 'Drawn by the tailer when it first sees the file';

COMMENT ON COLUMN logwatch.files.head_hash IS 'xxh3 of the first head_bytes bytes; with tail_hash the proof that a file is this one';

COMMENT ON COLUMN logwatch.files.tail_hash IS 'xxh3 of the tail_bytes bytes before next_byte';

COMMENT ON COLUMN logwatch.files.next_byte IS 'Offset of the first byte that is not stored yet';

COMMENT ON COLUMN logwatch.files.size IS 'Bytes that the file had when its tailer last said so; NULL for what has no size';

COMMENT ON COLUMN logwatch.files.truncated IS 'This file began when the one before it was truncated or overwritten in place';

COMMENT ON COLUMN logwatch.files.state IS 'open, done (rotated away and read to its end), truncated (its bytes are gone, or in a copy) or removed';

COMMENT ON TABLE logwatch.gaps IS 'Stretches of files that could not be read: what may be missing, and why';

COMMENT ON TABLE logwatch.entries IS 'Stored records, partitioned by the UTC day of received_at; retention drops partitions';

COMMENT ON TABLE logwatch.entries_default IS 'Entries of days that have no partition yet, so that ingest never fails';

COMMENT ON COLUMN logwatch.entries.received_at IS 'When the record was stored (ingest time)';

COMMENT ON COLUMN logwatch.entries.logged_at IS 'When the record says it was logged (event time); ingest time where that is missing or in the future';

COMMENT ON COLUMN logwatch.entries.source_id IS 'logwatch.sources.id';

COMMENT ON COLUMN logwatch.entries.fingerprint IS 'logwatch.patterns.fingerprint';

COMMENT ON COLUMN logwatch.entries.message IS 'The record''s first line without time and level';

COMMENT ON COLUMN logwatch.entries.detail IS 'Continuation lines, a stack trace for instance';

COMMENT ON COLUMN logwatch.entries.fields IS 'The other keys of a JSON or logfmt record';

COMMENT ON COLUMN logwatch.entries.flags IS 'What was odd: time_missing, time_future, truncated, bad_utf8, nul; NULL when nothing was';

COMMENT ON TABLE logwatch.patterns IS 'Messages with their variable parts masked';

COMMENT ON COLUMN logwatch.patterns.fingerprint IS '64-bit hash of pattern version, level and template';

COMMENT ON COLUMN logwatch.patterns.last_seen IS 'Event time; folded in from logwatch.counts by logwatch_maintain()';

COMMENT ON COLUMN logwatch.patterns.total IS 'Records so far; folded in from logwatch.counts by logwatch_maintain()';

COMMENT ON COLUMN logwatch.patterns.sample IS 'The first message of this pattern';

COMMENT ON TABLE logwatch.counts IS 'Records per second, source, level and pattern, as partial sums: add n up';

COMMENT ON COLUMN logwatch.counts.second IS 'Event time, and the ingest time for records from the future';

COMMENT ON COLUMN logwatch.counts.width IS 'Seconds that the row stands for, from second on: 0 as ingested, then folded together and coarser with age';

COMMENT ON TABLE logwatch.batches IS 'One row per ingest call that stored something: tells the next check which stretches of time are new';

COMMENT ON COLUMN logwatch.batches.xid IS 'Transaction that stored the batch; what the last check''s snapshot could not see is new';

COMMENT ON COLUMN logwatch.batches.first_at IS 'First event time of the batch';

COMMENT ON COLUMN logwatch.batches.last_at IS 'Last event time of the batch';

COMMENT ON COLUMN logwatch.batches.source IS 'Name of the source, for a centre that has not heard of it yet; NULL in batches of versions that did not tell';

CREATE OR REPLACE FUNCTION logwatch.wake() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'wake_wrapper';

COMMENT ON FUNCTION logwatch.wake() IS 'Sets the worker''s latch when the transaction commits; private';

CREATE OR REPLACE TRIGGER batches_wake AFTER INSERT ON logwatch.batches FOR EACH ROW EXECUTE FUNCTION logwatch.wake();

ALTER TABLE logwatch.batches ENABLE ALWAYS TRIGGER batches_wake;

COMMENT ON TRIGGER batches_wake ON logwatch.batches IS 'Wakes the worker at commit; also for rows that replication applies';

COMMENT ON TABLE logwatch.rules IS 'When to alert and whom to tell; INSERT, UPDATE and DELETE take effect at the next check';

COMMENT ON COLUMN logwatch.rules.kind IS 'threshold: at least threshold records within the interval; new_pattern: a pattern never seen before; spike: factor times the usual of the same stretch on the days before, and at least threshold; absence: nothing heard of a source for longer than the interval';

COMMENT ON COLUMN logwatch.rules.level IS 'Counts records of this level and above';

COMMENT ON COLUMN logwatch.rules.source IS 'Counts records of sources whose name matches this glob (* and ?)';

COMMENT ON COLUMN logwatch.rules.match IS 'Regular expression that the pattern''s template must match; NULL for any';

COMMENT ON COLUMN logwatch.rules.exclude IS 'Regular expression that the pattern''s template must not match';

COMMENT ON COLUMN logwatch.rules.group_by IS 'none: one alert for all; source or pattern: one for each';

COMMENT ON COLUMN logwatch.rules.threshold IS 'The rule is met when its window holds at least this many records';

COMMENT ON COLUMN logwatch.rules.within IS 'Length of the sliding window, by event time';

COMMENT ON COLUMN logwatch.rules.for_at_least IS 'How long the rule must have been met before it fires';

COMMENT ON COLUMN logwatch.rules.keep_firing_for IS 'How long the rule must not have been met before the alert resolves';

COMMENT ON COLUMN logwatch.rules.repeat_every IS 'How often a firing alert is announced again; NULL for never';

COMMENT ON COLUMN logwatch.rules.repeat_factor IS 'Each repetition comes this many times later than the one before: 1 is regular, 2 doubles';

COMMENT ON COLUMN logwatch.rules.factor IS 'spike: this many times the average of the same stretch on the 7 days before';

COMMENT ON COLUMN logwatch.rules.learn_for IS 'new_pattern: patterns first seen before the rule is this old are learned, not alerted';

COMMENT ON COLUMN logwatch.rules.absence_of IS 'absence: tailer (no sign of life), records (its files do not grow and nothing is stored) or edge (a whole server of the fleet)';

COMMENT ON COLUMN logwatch.rules.severity IS 'info, warning or critical; for people and other tools';

COMMENT ON COLUMN logwatch.rules.created_at IS 'When the rule was made';

COMMENT ON COLUMN logwatch.rules.channels IS 'Where notifications go: email, log (server log), webhook; those that the settings turn on';

COMMENT ON COLUMN logwatch.rules.recipients IS 'E-mail addresses; NULL for those of logwatch.email_to';

COMMENT ON COLUMN logwatch.rules.runbook IS 'What to do, a link or a sentence; printed in the mail';

COMMENT ON COLUMN logwatch.rules.builtin IS 'Came with the extension';

COMMENT ON COLUMN logwatch.rules.updated_at IS 'When the rule was last changed';

COMMENT ON COLUMN logwatch.rules.min_sources IS 'The window''s records must come from at least this many sources';

CREATE OR REPLACE FUNCTION logwatch.check_rule() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    word text;
BEGIN
    IF NEW.name IS NULL OR NEW.name !~ '^[^[:cntrl:]]{1,100}$' THEN
        RAISE EXCEPTION 'a rule''s name must have 1 to 100 characters, and no control characters'
            USING ERRCODE = 'check_violation', HINT = 'It stands in the subject of every mail, for example: disk.';
    END IF;
    IF NEW.kind NOT IN ('threshold', 'new_pattern', 'spike', 'absence') THEN
        RAISE EXCEPTION 'rule "%": unknown kind "%"', NEW.name, NEW.kind
            USING ERRCODE = 'check_violation', HINT = 'Use threshold, new_pattern, spike or absence.';
    END IF;
    IF NEW.severity NOT IN ('info', 'warning', 'critical') THEN
        RAISE EXCEPTION 'rule "%": unknown severity "%"', NEW.name, NEW.severity
            USING ERRCODE = 'check_violation', HINT = 'Use info, warning or critical.';
    END IF;
    IF NEW.absence_of NOT IN ('tailer', 'records', 'edge') THEN
        RAISE EXCEPTION 'rule "%": unknown absence_of "%"', NEW.name, NEW.absence_of
            USING ERRCODE = 'check_violation', HINT = 'Use tailer, records or edge.';
    END IF;
    IF NEW.factor <= 1 OR NEW.repeat_factor < 1 OR NEW.factor = 'NaN' OR NEW.repeat_factor = 'NaN' THEN
        RAISE EXCEPTION 'rule "%": factor must be more than 1, and repeat_factor at least 1', NEW.name
            USING ERRCODE = 'check_violation', HINT = 'For example: factor = 3, repeat_factor = 2.';
    END IF;
    -- These kinds say by themselves what they are grouped by.
    IF NEW.kind = 'new_pattern' THEN
        NEW.group_by := 'pattern';
    ELSIF NEW.kind = 'absence' THEN
        NEW.group_by := CASE NEW.absence_of WHEN 'edge' THEN 'edge' ELSE 'source' END;
    END IF;
    IF NEW.threshold <= 0 THEN
        RAISE EXCEPTION 'rule "%": threshold is %, and must be at least 1', NEW.name, NEW.threshold
            USING ERRCODE = 'check_violation', HINT = 'To switch a rule off: UPDATE logwatch.rules SET enabled = false WHERE name = …;';
    END IF;
    IF NEW.min_sources < 1 THEN
        RAISE EXCEPTION 'rule "%": min_sources is %, and must be at least 1', NEW.name, NEW.min_sources
            USING ERRCODE = 'check_violation', HINT = 'For example: min_sources = 3.';
    END IF;
    IF NEW.within < interval '1 second' OR NEW.within > interval '366 days' THEN
        RAISE EXCEPTION 'rule "%": within is %, and must be between 1 second and 366 days', NEW.name, NEW.within
            USING ERRCODE = 'check_violation', HINT = 'For example: within = ''5 minutes''.';
    END IF;
    IF NEW.for_at_least < interval '0' OR NEW.keep_firing_for < interval '0'
       OR NEW.for_at_least > interval '366 days' OR NEW.keep_firing_for > interval '366 days' THEN
        RAISE EXCEPTION 'rule "%": for_at_least and keep_firing_for must be between 0 and 366 days', NEW.name
            USING ERRCODE = 'check_violation', HINT = 'For example: keep_firing_for = ''1 minute''.';
    END IF;
    IF NEW.repeat_every < interval '1 minute' THEN
        RAISE EXCEPTION 'rule "%": repeat_every is %, and must be at least 1 minute', NEW.name, NEW.repeat_every
            USING ERRCODE = 'check_violation', HINT = 'NULL means: never repeat.';
    END IF;
    IF NEW.group_by NOT IN ('none', 'source', 'pattern') AND NEW.kind <> 'absence' THEN
        RAISE EXCEPTION 'rule "%": unknown group_by "%"', NEW.name, NEW.group_by
            USING ERRCODE = 'check_violation', HINT = 'Use none, source or pattern.';
    END IF;
    FOREACH word IN ARRAY NEW.channels LOOP
        IF word IS NULL OR word NOT IN ('email', 'log', 'webhook') THEN
            RAISE EXCEPTION 'rule "%": unknown channel "%"', NEW.name, word
                USING ERRCODE = 'check_violation', HINT = 'Use email, log or webhook, for example: channels = ''{email,log}''.';
        END IF;
    END LOOP;
    IF NEW.recipients IS NOT NULL THEN
        FOREACH word IN ARRAY NEW.recipients LOOP
            IF word IS NULL OR word !~ '^[^[:space:][:cntrl:],;<>@]+@[^[:space:][:cntrl:],;<>@]+$' THEN
                RAISE EXCEPTION 'rule "%": "%" is not an e-mail address', NEW.name, word
                    USING ERRCODE = 'check_violation', HINT = 'For example: recipients = ''{ops@example.com,dba@example.com}''.';
            END IF;
        END LOOP;
    END IF;
    IF length(NEW.source) > 1024 OR length(NEW.runbook) > 1000 OR length(NEW.match) > 1000 OR length(NEW.exclude) > 1000
       OR cardinality(NEW.recipients) > 100 THEN
        RAISE EXCEPTION 'rule "%" is too long', NEW.name
            USING ERRCODE = 'check_violation',
                  HINT = 'At most 1000 characters for match, exclude and runbook, 1024 for source, and 100 recipients.';
    END IF;
    FOREACH word IN ARRAY ARRAY[NEW.match, NEW.exclude] LOOP
        CONTINUE WHEN word IS NULL;
        -- All other expressions are matched in time that grows with the text; these may take for ever, and every check with them.
        IF word ~ E'(^|[^\\\\])(\\\\\\\\)*\\\\[1-9]' THEN
            RAISE EXCEPTION 'rule "%": back reference in regular expression "%"', NEW.name, word
                USING ERRCODE = 'invalid_regular_expression', HINT = 'Spell out what the group must match.';
        END IF;
        BEGIN
            PERFORM '' ~ word;
        EXCEPTION WHEN invalid_regular_expression THEN
            RAISE EXCEPTION 'rule "%": bad regular expression "%"', NEW.name, word
                USING ERRCODE = 'invalid_regular_expression', DETAIL = SQLERRM,
                      HINT = 'match and exclude are POSIX regular expressions, as for the operator ~ ; put a backslash before special characters.';
        END;
    END LOOP;
    IF TG_OP = 'INSERT' AND NEW.builtin THEN
        -- A dump's own state of a rule that came with the extension takes the place of the fresh one.
        DELETE FROM logwatch.rules AS r WHERE r.name = NEW.name AND r.builtin;
    END IF;
    NEW.updated_at := clock_timestamp();
    RETURN NEW;
END
$$;

COMMENT ON FUNCTION logwatch.check_rule() IS 'Refuses rules that cannot work, and says what would; private';

CREATE OR REPLACE TRIGGER rules_check BEFORE INSERT OR UPDATE ON logwatch.rules FOR EACH ROW EXECUTE FUNCTION logwatch.check_rule();

COMMENT ON TRIGGER rules_check ON logwatch.rules IS 'Refuses rules that cannot work';

CREATE OR REPLACE TRIGGER rules_wake AFTER INSERT OR UPDATE OR DELETE ON logwatch.rules FOR EACH ROW EXECUTE FUNCTION logwatch.wake();

COMMENT ON TRIGGER rules_wake ON logwatch.rules IS 'A changed rule is evaluated at once';

CREATE OR REPLACE FUNCTION logwatch.glob_matches(name text, glob text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    -- Neither SET nor STRICT, so that it is inlined: it is asked once per row of counts, by functions whose search_path is fixed.
    SELECT glob = '*' OR name LIKE translate(replace(replace(replace(glob, E'\\', E'\\\\'), '%', E'\\%'), '_', E'\\_'), '*?', '%_')
    $$;

COMMENT ON FUNCTION logwatch.glob_matches(text, text) IS 'Whether a name matches a glob of * and ?; private';

COMMENT ON TABLE logwatch.alerts IS 'Episodes in which a rule was met: at most one open row per rule and group';

COMMENT ON COLUMN logwatch.alerts.group_by IS 'The rule''s group_by when the alert began';

COMMENT ON COLUMN logwatch.alerts.group_key IS 'Source name or fingerprint (hex) by group_by; empty for none';

COMMENT ON COLUMN logwatch.alerts.state IS 'pending (not yet for_at_least), firing or resolved';

COMMENT ON COLUMN logwatch.alerts.started_at IS 'Event time from which the rule was met';

COMMENT ON COLUMN logwatch.alerts.met_until IS 'Event time until which it is known to have been met';

COMMENT ON COLUMN logwatch.alerts.fired_at IS 'When the check noticed; much later than started_at for late records';

COMMENT ON COLUMN logwatch.alerts.resolved_at IS 'When the check resolved it';

COMMENT ON COLUMN logwatch.alerts.closed IS 'disabled or deleted: what became of the rule, so that the alert was closed, whether or not the trouble was over; NULL for one that resolved by itself';

COMMENT ON COLUMN logwatch.alerts.count IS 'Records in the window at met_until';

COMMENT ON COLUMN logwatch.alerts.peak IS 'Most records that a window held';

COMMENT ON COLUMN logwatch.alerts.episodes IS 'How many stretches of a backlog were put into this one row';

COMMENT ON COLUMN logwatch.alerts.worst IS 'Highest level among its records';

COMMENT ON COLUMN logwatch.alerts.announced_worst IS 'The worst that notifications told of';

COMMENT ON COLUMN logwatch.alerts.repeats IS 'How often it was announced again';

COMMENT ON COLUMN logwatch.alerts.acked_at IS 'When somebody took it on: it is not repeated any more';

COMMENT ON COLUMN logwatch.alerts.announced IS 'Last state that notifications were queued for';

COMMENT ON COLUMN logwatch.alerts.seq IS 'Number of the last notification';

CREATE OR REPLACE FUNCTION logwatch.rename_alerts() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    -- What a deleted rule of that name has left open and no check has closed yet.
    DELETE FROM logwatch.alerts AS a WHERE a.rule = NEW.name AND a.state = 'pending';
    UPDATE logwatch.alerts AS a SET state = 'resolved', resolved_at = clock_timestamp(), closed = 'deleted' WHERE a.rule = NEW.name AND a.state = 'firing';
    UPDATE logwatch.alerts AS a SET rule = NEW.name WHERE a.rule = OLD.name;
    RETURN NEW;
END
$$;

COMMENT ON FUNCTION logwatch.rename_alerts() IS 'A renamed rule keeps its alerts; private';

CREATE OR REPLACE TRIGGER rules_rename AFTER UPDATE OF name ON logwatch.rules FOR EACH ROW WHEN (OLD.name <> NEW.name) EXECUTE FUNCTION logwatch.rename_alerts();

COMMENT ON TRIGGER rules_rename ON logwatch.rules IS 'A renamed rule keeps its alerts';

CREATE INDEX notifications_sending_idx ON logwatch.notifications (id) WHERE state = 'sending';

COMMENT ON TABLE logwatch.notifications IS 'Outbox: one row per alert, channel, recipient and seq, written in the transaction that changes the alert';

COMMENT ON COLUMN logwatch.notifications.alert_id IS 'logwatch.alerts.id; NULL for reports';

COMMENT ON COLUMN logwatch.notifications.reason IS 'Why it is sent: first, repeat, joined (a new pattern), worse (a higher level), resolved, late (over before it was noticed), report or digest (of suppressed ones)';

COMMENT ON COLUMN logwatch.notifications.state IS 'queued, sending, sent, failed, or suppressed: told of in a digest, because the recipient had had enough for the hour';

COMMENT ON COLUMN logwatch.notifications.leased_at IS 'While it is sent: since when. Another sender takes it over after 2 minutes, or at once when this one is gone';

COMMENT ON COLUMN logwatch.notifications.leased_by IS 'While it is sent: pid of the server process that sends it';

COMMENT ON COLUMN logwatch.notifications.last_error IS 'What the last attempt that failed was told';

COMMENT ON COLUMN logwatch.notifications.last_code IS 'Reply code of the last attempt, such as 250 or 451';

COMMENT ON COLUMN logwatch.notifications.message_id IS 'The same on every attempt';

COMMENT ON COLUMN logwatch.notifications.in_reply_to IS 'message_id of the alert''s first notification to this recipient';

COMMENT ON COLUMN logwatch.notifications.payload IS 'What the message is made from, as it was when the row was written';

COMMENT ON TABLE logwatch.attempts IS 'Every attempt to send a notification, and what came of it; kept for logwatch.retention';

COMMENT ON COLUMN logwatch.attempts.outcome IS 'sent, retry or failed';

COMMENT ON COLUMN logwatch.attempts.code IS 'Reply code, such as 250 or 451';

COMMENT ON COLUMN logwatch.attempts.duration IS 'From the claim to the record of the outcome';

COMMENT ON TABLE logwatch.progress IS 'How far checks and maintenance have come; one row';

COMMENT ON COLUMN logwatch.progress.seen_xmin IS 'Batches of transactions from this one on may be new to the next check';

COMMENT ON COLUMN logwatch.progress.checked_at IS 'When a check last had something to evaluate';

COMMENT ON COLUMN logwatch.progress.maintained_at IS 'When logwatch_maintain() last ran';

COMMENT ON TABLE logwatch.silences IS 'Times in which matching alerts send nothing; they go on counting';

COMMENT ON COLUMN logwatch.silences.rule IS 'Glob (* and ?) of rule names';

COMMENT ON COLUMN logwatch.silences.source IS 'Glob of source names: silences alerts all of whose records come from such sources';

COMMENT ON COLUMN logwatch.silences.pattern IS 'Fingerprint (hex): silences alerts all of whose records have this pattern; NULL for any';

COMMENT ON COLUMN logwatch.silences.repeat_every IS 'A maintenance window: the silence comes again after this time, 1 day or 7 days for instance';

COMMENT ON COLUMN logwatch.silences.repeat_until IS 'No repetition begins after this time; NULL for ever';

CREATE OR REPLACE FUNCTION logwatch.silence_is_active(silence logwatch.silences, asof timestamptz) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    -- The repetition that began last; one earlier and one later allow for days of 23 and 25 hours.
    SELECT asof >= silence.starts_at AND asof < silence.ends_at
        OR silence.repeat_every IS NOT NULL AND EXISTS (
           SELECT FROM generate_series(-1, 1) AS off,
                  LATERAL (SELECT silence.repeat_every * (floor(extract(epoch FROM asof - silence.starts_at) / extract(epoch FROM silence.repeat_every)) + off)::float8 AS shift) AS s
            WHERE s.shift > interval '0' AND asof >= silence.starts_at + s.shift AND asof < silence.ends_at + s.shift
              AND (silence.repeat_until IS NULL OR silence.starts_at + s.shift <= silence.repeat_until))
    $$;

COMMENT ON FUNCTION logwatch.silence_is_active(logwatch.silences, timestamptz) IS 'Whether a silence holds now, repetitions included; private';

CREATE OR REPLACE FUNCTION logwatch.counted(alert logwatch.alerts)
    RETURNS TABLE (second timestamptz, source text, level logwatch.level, fingerprint bigint, n bigint)
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT c.second, src.name, c.level, c.fingerprint, c.n
      FROM logwatch.counts AS c
      JOIN logwatch.sources AS src ON src.id = c.source_id
      LEFT JOIN logwatch.rules AS r ON r.name = alert.rule
      LEFT JOIN logwatch.patterns AS p ON p.fingerprint = c.fingerprint
     WHERE c.second > alert.started_at - alert.within AND c.second <= alert.met_until AND c.level >= alert.level
       AND COALESCE(r.kind, 'threshold') <> 'absence'
       AND (r.source IS NULL OR logwatch.glob_matches(src.name, r.source))
       AND (r.match IS NULL OR p.template ~ r.match)
       AND (r.exclude IS NULL OR p.template !~ r.exclude)
       AND CASE alert.group_by WHEN 'source' THEN src.name = alert.group_key
                WHEN 'pattern' THEN to_hex(c.fingerprint) = alert.group_key ELSE true END
    $$;

COMMENT ON FUNCTION logwatch.counted(logwatch.alerts) IS 'The partial sums that an alert is made of; private';

CREATE OR REPLACE FUNCTION logwatch.is_silenced(alert logwatch.alerts, asof timestamptz) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT EXISTS (
        SELECT FROM logwatch.silences AS s
         WHERE logwatch.glob_matches(alert.rule, s.rule) AND logwatch.silence_is_active(s, asof)
           AND CASE WHEN s.source = '*' AND s.pattern IS NULL THEN true
                    WHEN alert.group_by = 'source' AND s.pattern IS NULL THEN logwatch.glob_matches(alert.group_key, s.source)
                    WHEN alert.group_by = 'pattern' AND s.source = '*' THEN alert.group_key = s.pattern
                    ELSE NOT EXISTS (SELECT FROM logwatch.counted(alert) AS c
                                      WHERE NOT (logwatch.glob_matches(c.source, s.source)
                                                 AND (s.pattern IS NULL OR to_hex(c.fingerprint) = s.pattern))) END)
    $$;

COMMENT ON FUNCTION logwatch.is_silenced(logwatch.alerts, timestamptz) IS 'Whether a silence holds back an alert''s notifications now; private';

CREATE OR REPLACE FUNCTION logwatch_silence(rule text, "for" interval, reason text DEFAULT '', source text DEFAULT '*', pattern text DEFAULT NULL,
                                 starts_at timestamptz DEFAULT NULL, repeat_every interval DEFAULT NULL, repeat_until timestamptz DEFAULT NULL)
    RETURNS bigint
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_variable
DECLARE
    made bigint;
    begins constant timestamptz := COALESCE(starts_at, clock_timestamp());
BEGIN
    IF "for" IS NULL OR "for" <= interval '0' OR "for" > interval '366 days' THEN
        RAISE EXCEPTION 'a silence must last from a moment to 366 days, not %', "for"
            USING ERRCODE = 'invalid_parameter_value', HINT = 'For example: SELECT logwatch_silence(''error'', ''2 hours'', ''deployment'');';
    END IF;
    IF repeat_every < interval '1 hour' OR begins + repeat_every < begins + "for" THEN
        RAISE EXCEPTION 'a silence of % cannot come again every %', "for", repeat_every
            USING ERRCODE = 'invalid_parameter_value', HINT = 'repeat_every must be at least an hour, and longer than the silence; for example ''1 day''.';
    END IF;
    INSERT INTO logwatch.silences (rule, source, pattern, starts_at, ends_at, repeat_every, repeat_until, reason)
    VALUES (COALESCE(rule, '*'), COALESCE(source, '*'), lower(pattern), begins, begins + "for", repeat_every, repeat_until, left(COALESCE(reason, ''), 1000))
    RETURNING id INTO made;
    RETURN made;
END
$$;

COMMENT ON FUNCTION logwatch_silence(text, interval, text, text, text, timestamptz, interval, timestamptz)
    IS 'Holds back notifications of the rules (glob), sources (glob) or pattern for a time, again and again with repeat_every; returns its id in logwatch.silences';

CREATE OR REPLACE FUNCTION logwatch_unsilence(id bigint) RETURNS text
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    ended logwatch.silences;
BEGIN
    DELETE FROM logwatch.silences AS s WHERE s.id = $1 RETURNING * INTO ended;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no silence %', $1 USING ERRCODE = 'no_data_found', HINT = 'See: SELECT * FROM logwatch.silences;';
    END IF;
    RETURN format('silence %s of rule %s is over', ended.id, ended.rule);
END
$$;

COMMENT ON FUNCTION logwatch_unsilence(bigint) IS 'Ends a silence early; what is still true is announced by the next check';

CREATE OR REPLACE FUNCTION logwatch_ack(alert_id bigint, note text DEFAULT '') RETURNS text
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    taken logwatch.alerts;
BEGIN
    UPDATE logwatch.alerts AS a SET acked_at = clock_timestamp(), acked_by = session_user, ack_note = left(COALESCE(note, ''), 1000)
     WHERE a.id = $1 AND a.state <> 'resolved' RETURNING * INTO taken;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no open alert %', $1
            USING ERRCODE = 'no_data_found', HINT = 'See: SELECT id, rule, state FROM logwatch.alerts WHERE state <> ''resolved'';';
    END IF;
    RETURN format('alert %s (%s) is yours: it is not repeated any more, and you are told when it is over', taken.id, taken.rule);
END
$$;

COMMENT ON FUNCTION logwatch_ack(bigint, text) IS 'Takes an open alert on: no more repetitions; its end is announced';

CREATE OR REPLACE TRIGGER silences_wake AFTER INSERT OR UPDATE OR DELETE ON logwatch.silences FOR EACH STATEMENT EXECUTE FUNCTION logwatch.wake();

COMMENT ON TRIGGER silences_wake ON logwatch.silences IS 'What a silence held back is announced when it is ended early';

CREATE OR REPLACE FUNCTION logwatch_ingest(line text, source text DEFAULT 'sql') RETURNS bigint
    LANGUAGE c VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'ingest_line_wrapper';

COMMENT ON FUNCTION logwatch_ingest(text, text) IS 'Classifies and stores one log record; returns how many were stored: 0 when its level is below logwatch.min_level';

CREATE OR REPLACE FUNCTION logwatch_ingest(lines text[], source text DEFAULT 'sql') RETURNS bigint
    LANGUAGE c VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'ingest_lines_wrapper';

COMMENT ON FUNCTION logwatch_ingest(text[], text) IS 'Classifies and stores many log records, each of which may have continuation lines; returns how many were stored';

CREATE OR REPLACE FUNCTION logwatch.source_id(name text) RETURNS bigint
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'source_id_wrapper';

COMMENT ON FUNCTION logwatch.source_id(text) IS '64-bit hash of a source''s name; private';

CREATE OR REPLACE FUNCTION logwatch_attach(source text, path text, host text DEFAULT NULL, version text DEFAULT NULL)
    RETURNS TABLE (epoch bigint, min_level text, file bigint, path text, dev bigint, inode bigint,
                   head_bytes integer, head_hash bigint, tail_bytes integer, tail_hash bigint, next_byte bigint, state text)
    LANGUAGE sql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET lock_timeout = '60s'
    AS $$
    SELECT logwatch.hold();
    -- Waits for what an older tailer has under way, and shuts it out; the second statement then sees its last offsets.
    INSERT INTO logwatch.sources AS s (id, name, epoch, path, host, version, attached_at, seen_at, watched_since)
    VALUES (logwatch.source_id($1), $1, 1, left($2, 4096), left($3, 255), left($4, 255), clock_timestamp(), clock_timestamp(), clock_timestamp())
    ON CONFLICT (id) DO UPDATE
       SET epoch = s.epoch + 1, path = EXCLUDED.path, host = EXCLUDED.host, version = EXCLUDED.version,
           attached_at = EXCLUDED.attached_at, seen_at = EXCLUDED.seen_at,
           watched_since = CASE WHEN s.seen_at > EXCLUDED.seen_at - interval '5 minutes' THEN s.watched_since ELSE EXCLUDED.seen_at END;
    SELECT s.epoch, logwatch.setting('min_level'), f.id, f.path, f.dev, f.inode,
           f.head_bytes, f.head_hash, f.tail_bytes, f.tail_hash, f.next_byte, f.state
      FROM logwatch.sources AS s
      LEFT JOIN logwatch.files AS f ON f.source_id = s.id
     WHERE s.id = logwatch.source_id($1)
     ORDER BY f.first_seen, f.id
    $$;

COMMENT ON FUNCTION logwatch_attach(text, text, text, text) IS 'A tailer claims a source: returns its new epoch, the level to keep, and how far its files have been stored (file is NULL when none is known)';

CREATE OR REPLACE FUNCTION logwatch_ingest(
        source text, epoch bigint, file bigint, path text, dev bigint, inode bigint,
        from_byte bigint, to_byte bigint,
        head_bytes integer, head_hash bigint, tail_bytes integer, tail_hash bigint,
        records text[], flags integer[], gap text DEFAULT NULL, state text DEFAULT 'open')
    RETURNS bigint
    LANGUAGE c VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET lock_timeout = '60s'
    AS 'MODULE_PATHNAME', 'ingest_range_wrapper';

COMMENT ON FUNCTION logwatch_ingest(text, bigint, bigint, text, bigint, bigint, bigint, bigint, integer, bigint, integer, bigint, text[], integer[], text, text)
    IS 'Stores the records of a file''s bytes from_byte to to_byte and moves its offset, in one transaction, if the tailer''s epoch and from_byte still hold; returns how many were stored';

CREATE OR REPLACE FUNCTION logwatch.move_offset(
        source text, epoch bigint, file bigint, path text, dev bigint, inode bigint,
        from_byte bigint, to_byte bigint,
        head_bytes integer, head_hash bigint, tail_bytes integer, tail_hash bigint, gap text, state text)
    RETURNS void
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    this_source constant bigint := logwatch.source_id($1);
    held bigint;
    stored bigint;
BEGIN
    -- The row lock makes an attach wait for this transaction, and this transaction see the attach: no two tailers can store the same bytes.
    SELECT s.epoch INTO held FROM logwatch.sources AS s WHERE s.id = this_source FOR SHARE;
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
       SET path = $4, dev = $5, inode = $6, next_byte = $8, head_bytes = $9, head_hash = $10, tail_bytes = $11, tail_hash = $12,
           state = $14, updated_at = clock_timestamp()
     WHERE f.source_id = this_source AND f.id = $3 AND f.next_byte = $7;
    IF NOT FOUND THEN
        INSERT INTO logwatch.files (source_id, id, path, dev, inode, head_bytes, head_hash, tail_bytes, tail_hash, next_byte, state)
        VALUES (this_source, $3, $4, $5, $6, $9, $10, $11, $12, $8, $14)
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
        INSERT INTO logwatch.gaps (source_id, file_id, path, from_byte, to_byte, reason) VALUES (this_source, $3, $4, $7, $8, left($13, 1000));
    END IF;
END
$$;

COMMENT ON FUNCTION logwatch.move_offset(text, bigint, bigint, text, bigint, bigint, bigint, bigint, integer, bigint, integer, bigint, text, text)
    IS 'Compare-and-swap of a file''s offset on epoch and from_byte; private';

CREATE TABLE logwatch.read_errors (
    source_id   bigint NOT NULL,
    path        text NOT NULL,
    error       text NOT NULL,
    since       timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (source_id, path)
);

COMMENT ON TABLE logwatch.read_errors IS 'Files that a tailer cannot read at present, and why';

CREATE TABLE logwatch.pauses (
    source_id   bigint NOT NULL,
    day         date NOT NULL,
    longest     interval NOT NULL,
    PRIMARY KEY (source_id, day)
);

COMMENT ON TABLE logwatch.pauses IS 'The longest time per UTC day in which nothing was written to a source''s files, as far as its tailer was watching; kept for 8 days';

CREATE OR REPLACE FUNCTION logwatch_heartbeat(
        source text, epoch bigint, files bigint[], sizes bigint[], truncated boolean[], error_paths text[], errors text[])
    RETURNS void
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET lock_timeout = '60s'
    AS $$
#variable_conflict use_column
DECLARE
    this_source constant bigint := logwatch.source_id($1);
    written timestamptz;
    before record;
BEGIN
    -- A sign of life, refused when another tailer holds the source.
    PERFORM logwatch.move_offset($1, $2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
    UPDATE logwatch.files AS f SET size = o.size, truncated = f.truncated OR o.truncated
      FROM unnest($3, $4, $5) AS o (id, size, truncated)
     WHERE f.source_id = this_source AND f.id = o.id AND (f.size IS DISTINCT FROM o.size OR o.truncated AND NOT f.truncated);
    DELETE FROM logwatch.read_errors AS e WHERE e.source_id = this_source AND e.path <> ALL (COALESCE($6, '{}'));
    INSERT INTO logwatch.read_errors AS e (source_id, path, error)
    SELECT DISTINCT ON (o.path) this_source, o.path, left(o.error, 1000)
      FROM unnest($6, $7) AS o (path, error) WHERE length(o.path) <= 1024 AND o.error IS NOT NULL LIMIT 1000
        ON CONFLICT (source_id, path) DO UPDATE SET error = EXCLUDED.error WHERE e.error <> EXCLUDED.error;

    SELECT s.written_at, s.watched_since INTO before FROM logwatch.sources AS s WHERE s.id = this_source;
    SELECT max(f.updated_at) INTO written FROM logwatch.files AS f WHERE f.source_id = this_source;
    IF written > before.written_at OR before.written_at IS NULL AND written IS NOT NULL THEN
        UPDATE logwatch.sources AS s SET written_at = written WHERE s.id = this_source;
        -- A pause in which nobody watched says nothing.
        IF before.written_at >= before.watched_since THEN
            INSERT INTO logwatch.pauses AS p (source_id, day, longest)
            VALUES (this_source, (written AT TIME ZONE 'UTC')::date, written - before.written_at)
                ON CONFLICT (source_id, day) DO UPDATE SET longest = EXCLUDED.longest WHERE EXCLUDED.longest > p.longest;
            DELETE FROM logwatch.pauses AS p WHERE p.source_id = this_source AND p.day < (written AT TIME ZONE 'UTC')::date - 8;
        END IF;
    END IF;
END
$$;

COMMENT ON FUNCTION logwatch_heartbeat(text, bigint, bigint[], bigint[], boolean[], text[], text[])
    IS 'What a tailer says every few seconds: that it lives, how large its files are, which of them began with a truncation, and what it cannot read';

CREATE OR REPLACE FUNCTION logwatch.silent_after(source_id bigint, asof timestamptz) RETURNS interval
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT greatest(2 * max(p.longest), interval '15 minutes')
      FROM logwatch.pauses AS p
     WHERE p.source_id = $1 AND p.day >= (asof AT TIME ZONE 'UTC')::date - 8
    HAVING min(p.day) < (asof AT TIME ZONE 'UTC')::date
    $$;

COMMENT ON FUNCTION logwatch.silent_after(bigint, timestamptz) IS 'How long nothing may be written to a source''s files before that is unusual; NULL before a day was watched; private';

CREATE OR REPLACE FUNCTION logwatch_files(source text DEFAULT NULL)
    RETURNS TABLE (source text, path text, state text, next_byte bigint, size bigint, behind bigint, read_at timestamptz,
                   gaps bigint, truncations bigint, error text, heard_at timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
    -- All open files, and of the others the last one that had the path: rotated files keep the path of the live one.
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
     WHERE s.attached_at IS NOT NULL AND (s.name = $1 OR $1 IS NULL)
     ORDER BY s.name, f.state = 'open' DESC NULLS LAST, f.path, f.first_seen
    $$;

COMMENT ON FUNCTION logwatch_files(text) IS 'How far each file of a source has been read; all sources when none is named. What logwatch-tailer --status shows';

CREATE OR REPLACE FUNCTION logwatch.rule_message(kind text, state text, rule text, grouped_by text, level text, count bigint, threshold bigint, within_seconds bigint)
    RETURNS text
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'rule_message_wrapper';

COMMENT ON FUNCTION logwatch.rule_message(text, text, text, text, text, bigint, bigint, bigint) IS 'The one line that says how a rule stands; private';

CREATE OR REPLACE FUNCTION logwatch.worker_status() RETURNS TABLE (state text, since timestamptz, message text)
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    preloaded constant boolean := current_setting('shared_preload_libraries') ~ '(^|[ ,"/])logwatch($|[ ,"])';
    worker_database constant text := logwatch.setting('database');
    started timestamptz;
    problem text;
BEGIN
    SELECT s.backend_start INTO started FROM pg_stat_activity AS s
     WHERE s.backend_type = 'logwatch worker' AND s.datname = worker_database;
    IF NOT preloaded THEN
        RETURN QUERY SELECT 'off', NULL::timestamptz,
            format('The worker is off. Add to postgresql.conf and restart: shared_preload_libraries = %L and logwatch.database = %L. Without it, schedule logwatch_check() and logwatch_deliver() with pg_cron.',
                   concat_ws(',', nullif(current_setting('shared_preload_libraries'), ''), 'logwatch'), current_database());
    ELSIF worker_database <> current_database() THEN
        RETURN QUERY SELECT 'elsewhere', started,
            format('The worker runs in database %s. To have it here, add to postgresql.conf and restart: logwatch.database = %L', worker_database, current_database());
    ELSIF pg_is_in_recovery() THEN
        RETURN QUERY SELECT 'standby', NULL::timestamptz, 'This server is a standby; the worker starts at promotion.'::text;
    ELSIF started IS NULL THEN
        RETURN QUERY SELECT 'starting', NULL::timestamptz, 'The worker is not running; it is restarted every few seconds, see the server log.'::text;
    ELSE
        problem := logwatch.library_problem();
        RETURN QUERY SELECT CASE WHEN problem IS NULL THEN 'running' ELSE 'waiting' END, started,
            COALESCE(problem, format('Checks at every commit of new entries and every %s s.', logwatch.setting('check_interval')));
    END IF;
END
$$;

COMMENT ON FUNCTION logwatch.worker_status() IS 'Whether the worker runs, and what to type when it does not; private';

CREATE OR REPLACE FUNCTION logwatch.library_problem() RETURNS text
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT format('The library is version %s and the extension %s. Type: ALTER EXTENSION logwatch UPDATE; and restart the server if it was not restarted since the new files came.',
                  logwatch.library_version(), e.extversion)
      FROM pg_extension AS e WHERE e.extname = 'logwatch' AND e.extversion <> logwatch.library_version()
    $$;

COMMENT ON FUNCTION logwatch.library_problem() IS 'What to do when library and extension differ; NULL when they agree; private';

CREATE OR REPLACE FUNCTION logwatch.library_version() RETURNS text
    LANGUAGE c IMMUTABLE AS 'MODULE_PATHNAME', 'library_version_wrapper';

COMMENT ON FUNCTION logwatch.library_version() IS 'Version of the loaded library; private';

CREATE OR REPLACE FUNCTION logwatch.window_counts(asof timestamptz) RETURNS TABLE (rule text, count bigint)
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    -- The fullest group of each rule's present window.
    SELECT grouped.name, max(grouped.n)::bigint
      FROM (SELECT r.name, sum(c.n) AS n
              FROM logwatch.rules AS r
              JOIN logwatch.counts AS c ON c.second > asof - r.within AND c.second <= asof AND c.level >= r.level
              JOIN logwatch.sources AS src ON src.id = c.source_id AND logwatch.glob_matches(src.name, r.source)
             WHERE r.match IS NULL AND r.exclude IS NULL
                   OR EXISTS (SELECT FROM logwatch.patterns AS p
                               WHERE p.fingerprint = c.fingerprint
                                 AND (r.match IS NULL OR p.template ~ r.match)
                                 AND (r.exclude IS NULL OR p.template !~ r.exclude))
             GROUP BY r.name, CASE r.group_by WHEN 'source' THEN src.name WHEN 'pattern' THEN to_hex(c.fingerprint) ELSE '' END) AS grouped
     GROUP BY grouped.name
    $$;

COMMENT ON FUNCTION logwatch.window_counts(timestamptz) IS 'Records in each rule''s present window; private';

CREATE OR REPLACE FUNCTION logwatch_status()
    RETURNS TABLE (component text, name text, state text, since timestamptz, count bigint, threshold bigint, message text)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    asof constant timestamptz := clock_timestamp();
BEGIN
    RETURN QUERY
    SELECT 'rule', r.name, s.state, s.since, COALESCE(w.count, 0), r.threshold,
           logwatch.rule_message(r.kind, s.state, r.name, CASE WHEN s.groups > 1 THEN format('%s groups', s.groups) ELSE s.grouped_by END,
                                 r.level::text, COALESCE(w.count, 0), r.threshold, extract(epoch FROM r.within)::bigint)
      FROM logwatch.rules AS r
      LEFT JOIN logwatch.window_counts(asof) AS w ON w.rule = r.name
     CROSS JOIN LATERAL (
           SELECT CASE WHEN NOT r.enabled THEN 'disabled'
                       WHEN bool_or(a.state = 'firing') THEN CASE WHEN bool_and(logwatch.is_silenced(a, asof)) FILTER (WHERE a.state = 'firing') THEN 'silenced' ELSE 'firing' END
                       WHEN bool_or(a.state = 'pending') THEN 'pending'
                       ELSE 'ok' END AS state,
                  COALESCE(min(a.started_at), (SELECT max(q.resolved_at) FROM logwatch.alerts AS q WHERE q.rule = r.name)) AS since,
                  count(a.id) AS groups,
                  COALESCE(max(logwatch.group_label(a.group_by, a.group_key)), '') AS grouped_by
             FROM logwatch.alerts AS a WHERE a.rule = r.name AND a.state <> 'resolved') AS s
     ORDER BY s.state = 'ok', r.name;

    RETURN QUERY
    SELECT 'source', src.name,
           CASE WHEN gap.n > 0 THEN 'gap'
                WHEN src.attached_at IS NULL THEN 'ok'
                WHEN seen.at < asof - interval '5 minutes' THEN 'stale'
                WHEN unreadable.n > 0 THEN 'error'
                WHEN quiet.time > quiet.usual THEN 'silent' ELSE 'ok' END,
           seen.at, COALESCE(recent.n, 0), NULL::bigint,
           concat_ws(', ',
               CASE WHEN src.attached_at IS NOT NULL THEN format('%s open of %s files', file.open, file.n) END,
               CASE WHEN file.behind > 0 THEN format('%s behind', pg_size_pretty(file.behind)) END,
               CASE WHEN src.attached_at IS NOT NULL AND file.at IS NOT NULL THEN format('last read %s', to_char(file.at, 'YYYY-MM-DD HH24:MI:SS')) END,
               format('%s entr%s in 24 hours', COALESCE(recent.n, 0), CASE WHEN recent.n = 1 THEN 'y' ELSE 'ies' END),
               CASE WHEN late.n > 0 THEN format('%s of them later than logwatch.max_lateness', late.n) END,
               CASE WHEN file.truncations > 0 THEN format('%s truncation%s in 24 hours', file.truncations, CASE WHEN file.truncations = 1 THEN '' ELSE 's' END) END,
               CASE WHEN gap.n > 0 THEN format('%s gap%s in 24 hours, the last: %s (%s), see logwatch.gaps', gap.n, CASE WHEN gap.n = 1 THEN '' ELSE 's' END, gap.reason, gap.path) END,
               CASE WHEN unreadable.n > 0 THEN format('%s file%s cannot be read: %s (%s)', unreadable.n, CASE WHEN unreadable.n = 1 THEN '' ELSE 's' END, unreadable.path, unreadable.error) END,
               CASE WHEN src.attached_at IS NOT NULL AND seen.at < asof - interval '5 minutes' THEN 'nothing heard of its tailer for 5 minutes'
                    WHEN quiet.time > quiet.usual THEN format('nothing written for %s, unusual after %s', date_trunc('minute', quiet.time), date_trunc('minute', quiet.usual)) END)
      FROM logwatch.sources AS src
     CROSS JOIN LATERAL (SELECT count(*) AS n, count(*) FILTER (WHERE f.state = 'open') AS open, max(f.updated_at) AS at,
                                count(*) FILTER (WHERE f.truncated AND f.first_seen > asof - interval '24 hours') AS truncations,
                                sum(greatest(f.size - f.next_byte, 0)) FILTER (WHERE f.state = 'open')::bigint AS behind
                           FROM logwatch.files AS f WHERE f.source_id = src.id) AS file
      LEFT JOIN LATERAL (SELECT sum(b.n)::bigint AS n, max(b.received_at) AS at
                           FROM logwatch.batches AS b WHERE b.source_id = src.id AND b.received_at > asof - interval '24 hours') AS recent ON true
      LEFT JOIN LATERAL (SELECT sum(b.n)::bigint AS n FROM logwatch.batches AS b
                          WHERE b.source_id = src.id AND b.received_at > asof - interval '24 hours'
                            AND b.last_at < b.received_at - make_interval(secs => logwatch.setting('max_lateness')::integer)) AS late ON true
      LEFT JOIN LATERAL (SELECT count(*) AS n, (array_agg(g.reason ORDER BY g.id DESC))[1] AS reason, (array_agg(g.path ORDER BY g.id DESC))[1] AS path
                           FROM logwatch.gaps AS g WHERE g.source_id = src.id AND g.noticed_at > asof - interval '24 hours') AS gap ON true
     CROSS JOIN LATERAL (SELECT count(*) AS n, (array_agg(e.path ORDER BY e.since, e.path))[1] AS path, (array_agg(e.error ORDER BY e.since, e.path))[1] AS error
                           FROM logwatch.read_errors AS e WHERE e.source_id = src.id) AS unreadable
     CROSS JOIN LATERAL (SELECT greatest(src.seen_at, file.at, recent.at) AS at) AS seen
     CROSS JOIN LATERAL (SELECT asof - greatest(file.at, src.watched_since) AS time, logwatch.silent_after(src.id, asof) AS usual) AS quiet
     ORDER BY src.name;

    RETURN QUERY
    SELECT 'channel', c.channel,
           CASE WHEN NOT c.configured THEN 'off'
                WHEN c.problem IS NOT NULL THEN 'error'
                WHEN q.failing > 0 THEN 'failing' ELSE 'ok' END,
           q.last_at, q.waiting, NULL::bigint,
           concat_ws(', ', c.problem,
               CASE WHEN c.configured AND c.problem IS NULL AND c.channel = 'file' THEN logwatch.setting('alert_file') END,
               CASE WHEN c.configured AND c.channel <> 'file' THEN format('%s waiting, %s sent and %s failed in 24 hours', q.waiting, q.sent, q.failed) END,
               CASE WHEN q.failing > 0 OR q.failed > 0 THEN 'last error: ' || q.last_error END)
      FROM (SELECT v.channel, logwatch.channel_configured(v.channel) AS configured, logwatch.channel_problem(v.channel) AS problem, v.position
              FROM unnest('{email,file,log,webhook}'::text[]) WITH ORDINALITY AS v (channel, position)) AS c
     CROSS JOIN LATERAL (
           SELECT count(*) FILTER (WHERE n.state IN ('queued', 'sending')) AS waiting,
                  count(*) FILTER (WHERE n.state = 'queued' AND n.attempts > 0) AS failing,
                  count(*) FILTER (WHERE n.state = 'sent') AS sent,
                  count(*) FILTER (WHERE n.state = 'failed') AS failed,
                  max(n.sent_at) AS last_at,
                  (array_agg(n.last_error ORDER BY n.id DESC) FILTER (WHERE n.last_error IS NOT NULL))[1] AS last_error
             FROM logwatch.notifications AS n
            WHERE n.channel = c.channel AND (n.created_at > asof - interval '24 hours' OR n.state IN ('queued', 'sending'))) AS q
     ORDER BY c.position;

    RETURN QUERY SELECT f.role, f.name, f.state, f.heard_at, f.per_minute, NULL::bigint, f.message FROM logwatch.read_fleet() AS f;

    RETURN QUERY SELECT 'worker', 'worker', w.state, w.since, NULL::bigint, NULL::bigint, w.message FROM logwatch.worker_status() AS w;
END
$$;

COMMENT ON FUNCTION logwatch_status() IS 'How logwatch stands: one row per rule, source, channel, edge or centre of a fleet, and the worker; reads only';

CREATE OR REPLACE FUNCTION logwatch.alert_message(alert logwatch.alerts) RETURNS text
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT logwatch.rule_message(COALESCE((SELECT r.kind FROM logwatch.rules AS r WHERE r.name = alert.rule), 'threshold'), alert.state, alert.rule, logwatch.group_label(alert.group_by, alert.group_key), alert.level::text,
                                 CASE WHEN alert.state = 'resolved' THEN alert.peak ELSE alert.count END,
                                 alert.threshold, extract(epoch FROM alert.within)::bigint)
    $$;

COMMENT ON FUNCTION logwatch.alert_message(logwatch.alerts) IS 'One line that says what an alert is about; private';

CREATE OR REPLACE FUNCTION logwatch.group_label(group_by text, group_key text) RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
    AS $$ SELECT CASE WHEN group_by = 'none' THEN '' ELSE group_by || ' ' || group_key END $$;

COMMENT ON FUNCTION logwatch.group_label(text, text) IS 'A group''s key with what it is a key of; private';

CREATE OR REPLACE FUNCTION logwatch.due_announcements(asof timestamptz)
    RETURNS TABLE (alert_id bigint, reason text)
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    -- What an alert is, compared with what was announced of it: a silence only puts the difference off.
    SELECT due.id, due.reason
      FROM (SELECT a AS alert, a.id,
                   CASE WHEN a.state = 'firing' AND a.announced IS NULL THEN 'first'
                        WHEN a.state = 'firing' AND a.worst > a.announced_worst THEN 'worse'
                        WHEN a.state = 'firing' AND a.acked_at IS NULL AND a.notified_at + interval '5 minutes' <= asof
                             AND a.group_by <> 'pattern' AND logwatch.has_new_pattern(a) THEN 'joined'
                        WHEN a.state = 'firing' AND a.acked_at IS NULL
                             AND a.notified_at + r.repeat_every * power(r.repeat_factor, least(a.repeats, 20))::float8 <= asof THEN 'repeat'
                        WHEN a.state = 'resolved' AND a.announced = 'firing' THEN 'resolved'
                        WHEN a.state = 'resolved' AND a.announced IS NULL AND a.resolved_at = a.fired_at THEN 'late'
                   END AS reason
              FROM logwatch.alerts AS a
              LEFT JOIN logwatch.rules AS r ON r.name = a.rule
             WHERE a.state = 'firing' OR a.state = 'resolved' AND a.announced IS DISTINCT FROM 'resolved') AS due
     WHERE due.reason IS NOT NULL AND NOT logwatch.is_silenced(due.alert, asof)
    $$;

COMMENT ON FUNCTION logwatch.due_announcements(timestamptz) IS 'Alerts that people must be told of now, and why; private';

CREATE OR REPLACE FUNCTION logwatch.has_new_pattern(alert logwatch.alerts) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    -- A pattern that the database had never seen when people were told last.
    SELECT EXISTS (SELECT FROM logwatch.patterns AS p
                    WHERE p.first_seen > alert.notified_at AND p.first_seen <= alert.met_until
                      AND EXISTS (SELECT FROM logwatch.counted(alert) AS c WHERE c.fingerprint = p.fingerprint))
    $$;

COMMENT ON FUNCTION logwatch.has_new_pattern(logwatch.alerts) IS 'Whether a pattern never seen before has joined an alert since its last notification; private';

CREATE OR REPLACE FUNCTION logwatch.alert_payload(alert logwatch.alerts, reason text) RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    WITH counted AS (
        SELECT * FROM logwatch.counted(alert)
    ), top AS (
        SELECT c.fingerprint, c.level, sum(c.n) AS n, max(c.second) AS last_at
          FROM counted AS c GROUP BY c.fingerprint, c.level ORDER BY sum(c.n) DESC, c.fingerprint LIMIT 10
    ), edges AS MATERIALIZED (
        SELECT min(second) AS first_at, greatest(extract(epoch FROM max(second) - min(second))::bigint, 1) AS seconds FROM counted
    ), bar AS (
        SELECT width_bucket(extract(epoch FROM c.second - e.first_at), 0, e.seconds + 1, 24) AS number, sum(c.n) AS n
          FROM counted AS c CROSS JOIN edges AS e GROUP BY 1
    )
    SELECT jsonb_build_object(
        'reason', reason, 'state', alert.state, 'host', logwatch.host(), 'database', current_database(),
        'alert_id', alert.id, 'closed', alert.closed, 'rule', alert.rule, 'kind', COALESCE((SELECT r.kind FROM logwatch.rules AS r WHERE r.name = alert.rule), 'threshold'),
        'severity', COALESCE((SELECT r.severity FROM logwatch.rules AS r WHERE r.name = alert.rule), 'warning'), 'worst', alert.worst,
        'acked_by', alert.acked_by, 'group_by', alert.group_by, 'group_key', alert.group_key, 'group', logwatch.group_label(alert.group_by, alert.group_key), 'level', alert.level,
        'count', alert.count, 'peak', alert.peak, 'threshold', alert.threshold,
        'within', extract(epoch FROM alert.within)::bigint, 'episodes', alert.episodes,
        'started_at', logwatch.rfc3339(alert.started_at), 'met_until', logwatch.rfc3339(alert.met_until),
        'fired_at', logwatch.rfc3339(alert.fired_at), 'resolved_at', logwatch.rfc3339(alert.resolved_at),
        'zone', logwatch.zone(), 'runbook', (SELECT r.runbook FROM logwatch.rules AS r WHERE r.name = alert.rule),
        'total', (SELECT COALESCE(sum(n), 0) FROM counted),
        'first_at', (SELECT logwatch.rfc3339(min(second)) FROM counted),
        'last_at', (SELECT logwatch.rfc3339(max(second)) FROM counted),
        'sources', (SELECT COALESCE(jsonb_agg(jsonb_build_object('name', s.source, 'n', s.n) ORDER BY s.n DESC, s.source), '[]')
                      FROM (SELECT source, sum(n) AS n FROM counted GROUP BY source ORDER BY 2 DESC, 1 LIMIT 10) AS s),
        'patterns', (SELECT COALESCE(jsonb_agg(jsonb_build_object('n', t.n, 'level', t.level, 'template', left(p.template, 500),
                            'sample', left(p.sample, 500), 'fingerprint', to_hex(t.fingerprint), 'last_at', logwatch.rfc3339(t.last_at))
                            ORDER BY t.n DESC, t.fingerprint), '[]')
                       FROM top AS t JOIN logwatch.patterns AS p ON p.fingerprint = t.fingerprint),
        'timeline', (SELECT jsonb_agg(COALESCE(bar.n, 0) ORDER BY slot) FROM generate_series(1, 24) AS slot LEFT JOIN bar ON bar.number = slot))
    $$;

COMMENT ON FUNCTION logwatch.alert_payload(logwatch.alerts, text) IS 'All that a message about an alert is made from; private';

CREATE OR REPLACE FUNCTION logwatch.rfc3339(at timestamptz) RETURNS text
    LANGUAGE sql STABLE STRICT
    SET search_path = pg_catalog, pg_temp
    AS $$ SELECT to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') $$;

COMMENT ON FUNCTION logwatch.rfc3339(timestamptz) IS 'A time as RFC 3339 text in UTC; private';

CREATE OR REPLACE FUNCTION logwatch.zone() RETURNS text
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$ SELECT current_setting('log_timezone') $$;

COMMENT ON FUNCTION logwatch.zone() IS 'Time zone that messages give times in: the one of the server log; private';

CREATE OR REPLACE FUNCTION logwatch.audience(alert logwatch.alerts, reason text) RETURNS TABLE (channel text, recipient text)
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    -- The end is for all who were told of the alert, whatever the rule says by now; anything else for those whom the rule names.
    SELECT DISTINCT n.channel, n.recipient FROM logwatch.notifications AS n
     WHERE $2 = 'resolved' AND n.alert_id = alert.id AND n.state <> 'failed' AND logwatch.channel_configured(n.channel)
    UNION ALL
    SELECT t.channel, t.recipient FROM logwatch.rules AS r CROSS JOIN LATERAL logwatch.targets(r.channels, r.recipients) AS t
     WHERE $2 <> 'resolved' AND r.name = alert.rule
    $$;

COMMENT ON FUNCTION logwatch.audience(logwatch.alerts, text) IS 'Who is to be told of an alert, and how; private';

CREATE OR REPLACE FUNCTION logwatch.announce(asof timestamptz) RETURNS void
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    due record;
    a logwatch.alerts;
    body jsonb;
BEGIN
    FOR due IN SELECT d.alert_id, d.reason FROM logwatch.due_announcements(asof) AS d ORDER BY d.alert_id LOOP
        UPDATE logwatch.alerts AS u
           SET announced = CASE WHEN due.reason = 'late' THEN 'resolved' ELSE u.state END, announced_worst = u.worst,
               repeats = u.repeats + (due.reason = 'repeat')::integer, notified_at = asof, seq = u.seq + 1
         WHERE u.id = due.alert_id
        RETURNING * INTO a;
        body := logwatch.alert_payload(a, due.reason);
        INSERT INTO logwatch.notifications (alert_id, channel, recipient, seq, reason, message_id, in_reply_to, payload)
        SELECT a.id, t.channel, t.recipient, a.seq, due.reason, logwatch.new_message_id(),
               (SELECT n.message_id FROM logwatch.notifications AS n
                 WHERE n.alert_id = a.id AND n.channel = t.channel AND n.recipient = t.recipient ORDER BY n.seq LIMIT 1),
               body
          FROM logwatch.audience(a, due.reason) AS t
        ON CONFLICT DO NOTHING;
        -- For LISTENers; delivered by PostgreSQL when this transaction commits.
        PERFORM pg_notify('logwatch', jsonb_build_object('alert_id', a.id, 'rule', a.rule, 'group', a.group_key, 'state', a.state,
                                                         'reason', due.reason, 'count', a.count, 'message', left(logwatch.alert_message(a), 1000))::text);
    END LOOP;
END
$$;

COMMENT ON FUNCTION logwatch.announce(timestamptz) IS 'Queues the notifications that are due; private';

CREATE OR REPLACE FUNCTION logwatch.targets(channels text[], recipients text[]) RETURNS TABLE (channel text, recipient text)
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    -- One target per channel that the settings turn on, and per recipient for e-mail.
    SELECT DISTINCT c.channel, CASE c.channel WHEN 'email' THEN address.recipient ELSE '' END
      FROM unnest(channels) AS c (channel)
      LEFT JOIN LATERAL unnest(COALESCE(recipients, logwatch.default_recipients())) AS address (recipient) ON c.channel = 'email'
     WHERE logwatch.channel_configured(c.channel) AND (c.channel <> 'email' OR address.recipient IS NOT NULL)
    $$;

COMMENT ON FUNCTION logwatch.targets(text[], text[]) IS 'Where a notification goes; private';

CREATE OR REPLACE FUNCTION logwatch.new_message_id() RETURNS text
    LANGUAGE sql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$ SELECT format('<%s.logwatch@%s>', gen_random_uuid(), logwatch.host()) $$;

COMMENT ON FUNCTION logwatch.new_message_id() IS 'A Message-ID (RFC 5322) that no other message has; private';

CREATE OR REPLACE FUNCTION logwatch.suppress(most integer DEFAULT 20) RETURNS void
    LANGUAGE sql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
    -- A recipient gets so many mails an hour; what comes on top is told of in one digest when the hour has passed.
    WITH had AS (
        SELECT n.recipient, count(*) AS n, min(COALESCE(n.sent_at, n.created_at)) AS first_at
          FROM logwatch.notifications AS n
         WHERE n.channel = 'email' AND n.reason <> 'digest'
           AND (n.state = 'sent' AND n.sent_at > clock_timestamp() - interval '1 hour' OR n.state = 'sending')
         GROUP BY n.recipient
    ), waiting AS (
        SELECT n.id, n.recipient, row_number() OVER (PARTITION BY n.recipient ORDER BY n.id) + COALESCE(h.n, 0) AS number, h.first_at
          FROM logwatch.notifications AS n LEFT JOIN had AS h ON h.recipient = n.recipient
         WHERE n.channel = 'email' AND n.state = 'queued' AND n.reason <> 'digest' AND n.next_attempt_at <= clock_timestamp()
    ), too_many AS (
        UPDATE logwatch.notifications AS n SET state = 'suppressed'
          FROM waiting AS w WHERE n.id = w.id AND w.number > most AND n.state = 'queued'
        RETURNING n.id, n.recipient, n.payload, w.first_at
    )
    INSERT INTO logwatch.notifications AS d (channel, recipient, reason, message_id, next_attempt_at, payload)
    SELECT 'email', t.recipient, 'digest', logwatch.new_message_id(),
           COALESCE(min(t.first_at), clock_timestamp()) + interval '1 hour',
           jsonb_build_object('host', logwatch.host(), 'database', current_database(), 'zone', logwatch.zone(),
                              'suppressed', jsonb_agg(jsonb_build_object('rule', COALESCE(t.payload ->> 'rule', 'report'), 'state', COALESCE(t.payload ->> 'state', ''),
                                                                         'reason', COALESCE(t.payload ->> 'reason', 'report')) ORDER BY t.id))
      FROM too_many AS t
     GROUP BY t.recipient
    ON CONFLICT (channel, recipient) WHERE reason = 'digest' AND state = 'queued'
    DO UPDATE SET payload = jsonb_set(d.payload, '{suppressed}', (d.payload -> 'suppressed') || (EXCLUDED.payload -> 'suppressed'))
    $$;

COMMENT ON FUNCTION logwatch.suppress(integer) IS 'Puts mails above the hourly number of a recipient into one digest; private';

CREATE OR REPLACE FUNCTION logwatch.is_abandoned(n logwatch.notifications) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    -- A process of the same pid that is younger than the lease is another one.
    SELECT n.state = 'sending'
       AND NOT EXISTS (SELECT FROM pg_stat_get_activity(n.leased_by) AS p WHERE p.pid = n.leased_by AND p.backend_start <= n.leased_at)
    $$;

COMMENT ON FUNCTION logwatch.is_abandoned(logwatch.notifications) IS 'Whether the process that was sending a notification is gone; private';

CREATE OR REPLACE FUNCTION logwatch.take_over() RETURNS void
    LANGUAGE sql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
    WITH abandoned AS (
        SELECT n.id FROM logwatch.notifications AS n WHERE n.state = 'sending' AND logwatch.is_abandoned(n) FOR UPDATE SKIP LOCKED
    ), noted AS (
        INSERT INTO logwatch.attempts (notification_id, outcome, answer)
        SELECT a.id, 'retry', 'the server process that was sending it is gone; whether it was sent is not known' FROM abandoned AS a
    )
    UPDATE logwatch.notifications AS n SET state = 'queued', next_attempt_at = clock_timestamp(), leased_at = NULL, leased_by = NULL
      FROM abandoned AS a WHERE n.id = a.id
    $$;

COMMENT ON FUNCTION logwatch.take_over() IS 'Makes due at once what a sender that is gone had claimed; private';

CREATE OR REPLACE FUNCTION logwatch.claim(channels text[], most integer DEFAULT 20)
    RETURNS TABLE (id bigint, channel text, recipient text, reason text, message_id text, in_reply_to text, created_at text, payload jsonb)
    LANGUAGE sql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT logwatch.take_over();
    SELECT logwatch.suppress() WHERE 'email' = ANY (channels);
    WITH due AS (
        SELECT n.id FROM logwatch.notifications AS n
         WHERE n.state IN ('queued', 'sending') AND n.next_attempt_at <= clock_timestamp() AND n.channel = ANY (channels)
         ORDER BY n.next_attempt_at, n.id LIMIT most
           FOR UPDATE SKIP LOCKED
    ), claimed AS (
        -- The lease: should this sender hang, another one may try from then on.
        UPDATE logwatch.notifications AS n
           SET state = 'sending', attempts = n.attempts + 1, leased_at = clock_timestamp(), leased_by = pg_backend_pid(),
               next_attempt_at = clock_timestamp() + interval '2 minutes'
          FROM due
         WHERE n.id = due.id
        RETURNING n.*
    )
    SELECT c.id, c.channel, c.recipient, c.reason, c.message_id, c.in_reply_to, logwatch.rfc3339(c.created_at), c.payload
      FROM claimed AS c ORDER BY c.id
    $$;

COMMENT ON FUNCTION logwatch.claim(text[], integer) IS 'Takes due notifications for sending and leases them; private';

CREATE OR REPLACE FUNCTION logwatch.settle(id bigint, message_id text, outcome text, code integer, answer text) RETURNS void
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    INSERT INTO logwatch.attempts (notification_id, outcome, code, answer, duration)
    SELECT n.id, $3, $4, left($5, 1000), clock_timestamp() - n.leased_at
      FROM logwatch.notifications AS n WHERE n.id = $1 AND n.message_id = $2;
    UPDATE logwatch.notifications AS n
       SET state = CASE WHEN $3 = 'sent' THEN 'sent'
                        WHEN $3 = 'failed' OR clock_timestamp() > n.created_at + interval '48 hours' THEN 'failed'
                        ELSE 'queued' END,
           next_attempt_at = clock_timestamp() + logwatch.retry_after(n.attempts),
           leased_at = NULL,
           leased_by = NULL,
           last_code = $4,
           last_error = CASE WHEN $3 <> 'sent' THEN left($5, 1000) END,
           sent_at = CASE WHEN $3 = 'sent' THEN clock_timestamp() END
     WHERE n.id = $1 AND n.message_id = $2 AND n.state = 'sending';
END
$$;

COMMENT ON FUNCTION logwatch.settle(bigint, text, text, integer, text) IS 'Records the outcome of an attempt: sent, failed (for good) or retry; private';

CREATE OR REPLACE FUNCTION logwatch.retry_after(attempts integer) RETURNS interval
    LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT COALESCE((ARRAY['30 seconds', '1 minute', '2 minutes', '5 minutes', '10 minutes', '15 minutes', '30 minutes']::interval[])[attempts],
                    interval '1 hour')
    $$;

COMMENT ON FUNCTION logwatch.retry_after(integer) IS 'How long to wait after so many attempts; private';

CREATE OR REPLACE FUNCTION logwatch.retry_now() RETURNS void
    LANGUAGE sql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
    UPDATE logwatch.notifications SET next_attempt_at = clock_timestamp()
     WHERE state = 'queued' AND attempts > 0 AND next_attempt_at > clock_timestamp()
    $$;

COMMENT ON FUNCTION logwatch.retry_now() IS 'Makes every retry due: called at a reload, which may have mended the settings; private';

CREATE OR REPLACE FUNCTION logwatch.next_delivery() RETURNS timestamptz
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT least((SELECT min(n.next_attempt_at) FROM logwatch.notifications AS n WHERE n.state IN ('queued', 'sending')),
                 (SELECT min(n.leased_at) FROM logwatch.notifications AS n WHERE n.state = 'sending' AND logwatch.is_abandoned(n)))
    $$;

COMMENT ON FUNCTION logwatch.next_delivery() IS 'When the next notification is due; private';

CREATE OR REPLACE PROCEDURE logwatch_deliver()
    LANGUAGE c AS 'MODULE_PATHNAME', 'deliver_wrapper';

COMMENT ON PROCEDURE logwatch_deliver() IS 'Sends what is due: claims, commits, sends with no lock held, records the outcome, commits; for installations without the worker';

CREATE OR REPLACE FUNCTION logwatch_test(channel text, recipient text DEFAULT NULL) RETURNS text
    LANGUAGE c VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'test_channel_wrapper';

COMMENT ON FUNCTION logwatch_test(text, text) IS 'Sends one test notification now and returns the server''s answer; recipient NULL is the first of logwatch.email_to';

CREATE OR REPLACE FUNCTION logwatch_report(channel text DEFAULT NULL) RETURNS text
    LANGUAGE c VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'report_wrapper';

COMMENT ON FUNCTION logwatch_report(text) IS 'The status message, threshold met or not; also queues it to one channel (email, log), or to all that are set when channel is NULL';

CREATE OR REPLACE FUNCTION logwatch.queue_report(channels text[], body jsonb) RETURNS bigint
    LANGUAGE sql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
    WITH queued AS (
        INSERT INTO logwatch.notifications (channel, recipient, reason, message_id, payload)
        SELECT t.channel, t.recipient, 'report', logwatch.new_message_id(), body FROM logwatch.targets(channels, NULL) AS t
        RETURNING 1)
    SELECT count(*) FROM queued
    $$;

COMMENT ON FUNCTION logwatch.queue_report(text[], jsonb) IS 'Queues a report to the channels that are set; private';

CREATE OR REPLACE TRIGGER notifications_wake AFTER INSERT ON logwatch.notifications FOR EACH STATEMENT EXECUTE FUNCTION logwatch.wake();

COMMENT ON TRIGGER notifications_wake ON logwatch.notifications IS 'Wakes the worker at commit, to send';

CREATE OR REPLACE FUNCTION logwatch.write_alert_file() RETURNS void
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'write_alert_file_wrapper';

COMMENT ON FUNCTION logwatch.write_alert_file() IS 'Rewrites logwatch.alert_file with the present status; private';

CREATE TABLE logwatch.edges (
    name            text PRIMARY KEY,
    subscription    text NOT NULL UNIQUE,
    joined_at       timestamptz NOT NULL DEFAULT now(),
    joining         boolean NOT NULL DEFAULT false,
    join_entry      bigint,
    join_gap        bigint,
    join_xid        xid8,
    join_again      boolean NOT NULL DEFAULT false,
    left_at         timestamptz,
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
    missing_from    timestamptz,
    missing_until   timestamptz
);

COMMENT ON TABLE logwatch.edges IS 'At a centre: the servers that it is sent entries by, and what each last said of itself';

COMMENT ON COLUMN logwatch.edges.subscription IS 'Name of the subscription, and of the slot at the edge';

COMMENT ON COLUMN logwatch.edges.joined_at IS 'When it was last subscribed to';

COMMENT ON COLUMN logwatch.edges.joining IS 'What the edge had stored before is being copied';

COMMENT ON COLUMN logwatch.edges.join_entry IS 'Last id of logwatch.entries before that copy; join_gap and join_xid likewise';

COMMENT ON COLUMN logwatch.edges.join_again IS 'It had been heard of minutes before: until the copy is sifted, checks wait, 5 minutes at most';

COMMENT ON COLUMN logwatch.edges.left_at IS 'When it was unsubscribed; the row goes with logwatch.retention';

COMMENT ON COLUMN logwatch.edges.number IS 'Number of the last beat; a jump means that something before it did not come';

COMMENT ON COLUMN logwatch.edges.wal IS 'Where the edge''s WAL was at the last beat';

COMMENT ON COLUMN logwatch.edges.sent_at IS 'When the last beat was sent, by the edge''s clock; heard_at when it came, by this server''s';

COMMENT ON COLUMN logwatch.edges.every IS 'Time between two beats';

COMMENT ON COLUMN logwatch.edges.keeps_from IS 'The edge still has its entries from this time on';

COMMENT ON COLUMN logwatch.edges.per_minute IS 'Entries that the edge stored in the minute before its last beat';

COMMENT ON COLUMN logwatch.edges.slots IS 'The edge''s logwatch slots, as it saw them';

COMMENT ON COLUMN logwatch.edges.missing_from IS 'What the edge stored from here until missing_until may be missing at the centre; NULL when nothing is';

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

COMMENT ON TABLE logwatch.beats IS 'At an edge: its last sign of life for the centre, one row; at the centre they become logwatch.edges';

COMMENT ON COLUMN logwatch.beats.sources IS 'All sources of the edge; source_ids and seen_at (last sign of their tailers) in the same order';

CREATE OR REPLACE FUNCTION logwatch.is_published() RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$ SELECT EXISTS (SELECT FROM pg_publication AS p WHERE p.pubname = 'logwatch') AND NOT pg_is_in_recovery() $$;

COMMENT ON FUNCTION logwatch.is_published() IS 'Whether this server is an edge of a fleet; private';

CREATE OR REPLACE FUNCTION logwatch.fleet_slots()
    RETURNS TABLE (slot text, active boolean, status text, held bigint, "left" bigint, behind bigint, sent_until bigint)
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT s.slot_name, s.active, s.wal_status, pg_wal_lsn_diff(here.wal, s.restart_lsn)::bigint, s.safe_wal_size,
           pg_wal_lsn_diff(here.wal, s.confirmed_flush_lsn)::bigint, pg_wal_lsn_diff(s.confirmed_flush_lsn, '0/0')::bigint
      FROM pg_replication_slots AS s
     CROSS JOIN (SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END AS wal) AS here
     WHERE s.plugin = 'pgoutput' AND s.database = current_database() AND s.slot_name LIKE 'logwatch\_%'
    $$;

COMMENT ON FUNCTION logwatch.fleet_slots() IS 'The slots by which centres read this server; sizes in bytes of WAL; private';

CREATE OR REPLACE FUNCTION logwatch.beat() RETURNS void
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    lost record;
BEGIN
    -- WAL that a centre did not fetch in time is gone: say so once. The edge has its entries; the centre gets them by joining again.
    FOR lost IN
        SELECT s.slot, s.sent_until FROM logwatch.fleet_slots() AS s
         WHERE s.status = 'lost'
           AND NOT EXISTS (SELECT FROM logwatch.gaps AS g WHERE g.path = s.slot AND g.from_byte = s.sent_until)
    LOOP
        INSERT INTO logwatch.gaps (source_id, path, from_byte, to_byte, reason)
        VALUES (logwatch.source_id('slot ' || lost.slot), lost.slot, lost.sent_until, NULL,
                format('WAL from %s on was dropped before the centre fetched it: it exceeded max_slot_wal_keep_size (%s)',
                       '0/0'::pg_lsn + lost.sent_until, current_setting('max_slot_wal_keep_size')));
    END LOOP;

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
           greatest(make_interval(secs => logwatch.setting('check_interval')::integer),
                    CASE WHEN (SELECT w.state FROM logwatch.worker_status() AS w) = 'running' THEN interval '0' ELSE interval '1 minute' END),
           logwatch.library_version(),
           now() - make_interval(mins => logwatch.setting('retention')::integer),
           (SELECT max(b.received_at) FROM logwatch.batches AS b),
           (SELECT COALESCE(sum(b.n), 0)::bigint FROM logwatch.batches AS b WHERE b.received_at > clock_timestamp() - interval '1 minute'),
           (SELECT COALESCE(jsonb_object_agg(s.slot, to_jsonb(s) - 'slot'), '{}') FROM logwatch.fleet_slots() AS s),
           (SELECT COALESCE(array_agg(l.id ORDER BY l.id), '{}') FROM listed AS l),
           (SELECT COALESCE(array_agg(l.name ORDER BY l.id), '{}') FROM listed AS l),
           (SELECT COALESCE(array_agg(l.seen_at ORDER BY l.id), '{}') FROM listed AS l);
END
$$;

COMMENT ON FUNCTION logwatch.beat() IS 'An edge says to its centres how it is; private';

CREATE OR REPLACE FUNCTION logwatch.receive_beat() RETURNS trigger
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
    -- A subscription that somebody made by hand is an edge as well.
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
        VALUES (logwatch.source_id('edge ' || e.name), e.name, pg_wal_lsn_diff(e.wal, '0/0')::bigint, pg_wal_lsn_diff(NEW.wal, '0/0')::bigint,
                format('edge %s, %s to %s: %s', e.name, e.sent_at, NEW.sent_at, problem));
    END IF;
    UPDATE logwatch.edges AS u
       SET number = NEW.number, wal = NEW.wal, sent_at = NEW.sent_at, heard_at = clock_timestamp(), every = NEW.every, version = NEW.version,
           keeps_from = NEW.keeps_from, last_batch_at = NEW.last_batch_at, per_minute = NEW.per_minute, slots = NEW.slots,
           missing_from = CASE WHEN problem IS NULL THEN u.missing_from ELSE least(u.missing_from, e.sent_at) END,
           missing_until = CASE WHEN problem IS NULL THEN u.missing_until ELSE NEW.sent_at END
     WHERE u.name = e.name;
    -- In the order of ids, so that two apply workers that know the same sources wait for each other and nothing worse.
    INSERT INTO logwatch.sources AS s (id, name, attached_at, seen_at)
    SELECT l.id, l.name, l.seen_at, l.seen_at FROM unnest(NEW.source_ids, NEW.sources, NEW.seen_at) AS l (id, name, seen_at) ORDER BY l.id
        ON CONFLICT (id) DO UPDATE SET seen_at = EXCLUDED.seen_at, attached_at = COALESCE(s.attached_at, EXCLUDED.seen_at)
     WHERE EXCLUDED.seen_at > s.seen_at OR s.seen_at IS NULL AND EXCLUDED.seen_at IS NOT NULL;
    RETURN NULL;
END
$$;

COMMENT ON FUNCTION logwatch.receive_beat() IS 'A centre takes in what an edge says of itself, and notices what did not come; private';

CREATE OR REPLACE TRIGGER beats_receive BEFORE INSERT ON logwatch.beats FOR EACH ROW EXECUTE FUNCTION logwatch.receive_beat();

ALTER TABLE logwatch.beats ENABLE REPLICA TRIGGER beats_receive;

COMMENT ON TRIGGER beats_receive ON logwatch.beats IS 'Beats that replication applies become logwatch.edges and are not stored, nor sent on by a centre that is itself an edge';

CREATE OR REPLACE FUNCTION logwatch.template(message text) RETURNS text
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'template_wrapper';

COMMENT ON FUNCTION logwatch.template(text) IS 'A message with its variable parts masked, as ingest masks it; private';

CREATE OR REPLACE FUNCTION logwatch.add_patterns(fingerprints bigint[]) RETURNS void
    LANGUAGE sql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
    INSERT INTO logwatch.patterns (fingerprint, level, template, first_seen, last_seen, sample)
    SELECT f.fingerprint, e.level, logwatch.template(e.message), e.logged_at, e.logged_at, left(e.message, 2000)
      FROM (SELECT DISTINCT u.fingerprint FROM unnest($1) AS u (fingerprint)
             WHERE NOT EXISTS (SELECT FROM logwatch.patterns AS p WHERE p.fingerprint = u.fingerprint)) AS f
     CROSS JOIN LATERAL (SELECT e.level, e.message, e.logged_at FROM logwatch.entries AS e
                          WHERE e.fingerprint = f.fingerprint ORDER BY e.logged_at LIMIT 1) AS e
     ORDER BY f.fingerprint
        ON CONFLICT DO NOTHING
    $$;

COMMENT ON FUNCTION logwatch.add_patterns(bigint[]) IS 'Makes the patterns of these fingerprints from the first entry of each, where they are missing; private';

CREATE OR REPLACE FUNCTION logwatch.derive() RETURNS void
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    -- Ingest makes sources and patterns itself; only what replication brought has none.
    IF NOT EXISTS (SELECT FROM logwatch.edges) THEN
        RETURN;
    END IF;
    INSERT INTO logwatch.sources (id, name)
    SELECT DISTINCT b.source_id, b.source
      FROM logwatch.batches AS b
     WHERE b.xid >= (SELECT p.seen_xmin FROM logwatch.progress AS p) AND b.source <> ''
       AND NOT EXISTS (SELECT FROM logwatch.sources AS s WHERE s.id = b.source_id)
     ORDER BY b.source_id
        ON CONFLICT DO NOTHING;
    PERFORM logwatch.add_patterns(array_agg(DISTINCT c.fingerprint))
       FROM (SELECT unnest(range_agg(tstzrange(date_trunc('second', b.first_at), b.last_at, '[]'))) AS stretch
               FROM logwatch.batches AS b
              WHERE b.xid >= (SELECT p.seen_xmin FROM logwatch.progress AS p)) AS fresh
       JOIN logwatch.counts AS c ON c.second >= lower(fresh.stretch) AND c.second <= upper(fresh.stretch)
      WHERE NOT EXISTS (SELECT FROM logwatch.patterns AS p WHERE p.fingerprint = c.fingerprint);
END
$$;

COMMENT ON FUNCTION logwatch.derive() IS 'Makes the sources and patterns of what edges have sent since the last check; private';

CREATE OR REPLACE FUNCTION logwatch.joined(edge logwatch.edges) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT EXISTS (SELECT FROM pg_subscription AS s JOIN pg_subscription_rel AS r ON r.srsubid = s.oid
                    WHERE s.subname = edge.subscription
                      AND s.subdbid = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
                   HAVING bool_and(r.srsubstate = 'r'))
    $$;

COMMENT ON FUNCTION logwatch.joined(logwatch.edges) IS 'Whether the copy of what an edge had stored is complete; private';

CREATE OR REPLACE FUNCTION logwatch.counts_twice() RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT EXISTS (SELECT FROM logwatch.edges AS e
                    WHERE e.joining AND e.join_again AND e.joined_at > clock_timestamp() - interval '5 minutes')
    $$;

COMMENT ON FUNCTION logwatch.counts_twice() IS 'Whether an edge that was here moments ago is being copied again, so that its last minute is there twice until finish_join(); private';

CREATE OR REPLACE FUNCTION logwatch.finish_join(edge logwatch.edges) RETURNS void
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    keep_from constant timestamptz := now() - make_interval(mins => logwatch.setting('retention')::integer);
    copied bigint[];
    oldest timestamptz;
    counted_from timestamptz;
BEGIN
    SELECT array_agg(DISTINCT e.source_id), min(e.received_at), date_trunc('second', min(least(e.logged_at, e.received_at)))
      INTO copied, oldest, counted_from
      FROM logwatch.entries AS e WHERE e.id > edge.join_entry;
    IF copied IS NOT NULL THEN
        -- An edge that joins again copies also what had come before. A batch comes whole or not at all, and is known by its source and time.
        DELETE FROM logwatch.entries AS e
         USING (SELECT DISTINCT k.source_id, k.received_at FROM logwatch.entries AS k WHERE k.id <= edge.join_entry AND k.received_at >= oldest) AS known
         WHERE e.id > edge.join_entry AND e.source_id = known.source_id AND e.received_at = known.received_at;
        PERFORM logwatch.add_patterns(array_agg(DISTINCT e.fingerprint)) FROM logwatch.entries AS e WHERE e.id > edge.join_entry;
        -- Counts that an edge has folded do not travel, so that those of the copied time are made from the entries.
        PERFORM logwatch.recount(copied, greatest(counted_from, keep_from));
    END IF;
    DELETE FROM logwatch.batches AS b
     USING (SELECT DISTINCT k.source_id, k.received_at FROM logwatch.batches AS k WHERE k.xid < edge.join_xid) AS known
     WHERE b.xid >= edge.join_xid AND b.source_id = known.source_id AND b.received_at = known.received_at;
    DELETE FROM logwatch.gaps AS g
     USING logwatch.gaps AS known
     WHERE g.id > edge.join_gap AND known.id <= edge.join_gap AND g.source_id = known.source_id AND g.noticed_at = known.noticed_at
       AND g.from_byte = known.from_byte AND g.path IS NOT DISTINCT FROM known.path;
    -- What was missing before this copy is there now, if the edge still had it.
    IF edge.missing_from >= edge.keeps_from
       AND NOT EXISTS (SELECT FROM logwatch.gaps AS g WHERE g.source_id = logwatch.source_id('edge ' || edge.name) AND g.id > edge.join_gap) THEN
        UPDATE logwatch.gaps AS g SET reason = 'filled by a copy: ' || g.reason
         WHERE g.source_id = logwatch.source_id('edge ' || edge.name) AND g.reason NOT LIKE 'filled by a copy: %';
        UPDATE logwatch.edges AS u SET missing_from = NULL, missing_until = NULL WHERE u.name = edge.name;
    END IF;
    -- Batches may have come before their counts: the next check looks at all of them again.
    UPDATE logwatch.progress AS p SET seen_xmin = least(p.seen_xmin, edge.join_xid);
    UPDATE logwatch.edges AS u SET joining = false WHERE u.name = edge.name;
END
$$;

COMMENT ON FUNCTION logwatch.finish_join(logwatch.edges) IS 'After the copy: takes out what was there before, and makes sources, patterns and counts; private';

CREATE OR REPLACE FUNCTION logwatch.recount(source_ids bigint[], counted_from timestamptz) RETURNS void
    LANGUAGE sql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
    WITH old AS (
        DELETE FROM logwatch.counts AS c WHERE c.source_id = ANY ($1) AND c.second >= $2 RETURNING c.fingerprint, c.n, c.width
    ), fresh AS (
        INSERT INTO logwatch.counts (second, source_id, level, fingerprint, n)
        SELECT date_trunc('second', least(e.logged_at, e.received_at)), e.source_id, e.level, e.fingerprint, count(*)
          FROM logwatch.entries AS e
         WHERE e.source_id = ANY ($1) AND e.received_at >= $2 AND e.logged_at >= $2
         GROUP BY 1, 2, 3, 4
    )
    -- The new rows will be folded into the patterns: what was folded before must not count twice.
    UPDATE logwatch.patterns AS p SET total = p.total - o.n
      FROM (SELECT old.fingerprint, sum(old.n) AS n FROM old WHERE old.width > 0 GROUP BY 1) AS o
     WHERE p.fingerprint = o.fingerprint
    $$;

COMMENT ON FUNCTION logwatch.recount(bigint[], timestamptz) IS 'Makes the counts of some sources anew from their entries; private';

CREATE OR REPLACE FUNCTION logwatch.fleet_due(asof timestamptz) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT logwatch.is_published()
           AND NOT EXISTS (SELECT FROM logwatch.beats AS b
                            WHERE b.sent_at > asof - 0.9 * make_interval(secs => logwatch.setting('check_interval')::integer))
        OR EXISTS (SELECT FROM logwatch.edges AS e WHERE e.joining AND logwatch.joined(e))
    $$;

COMMENT ON FUNCTION logwatch.fleet_due(timestamptz) IS 'Whether a beat is due, or an edge has joined; assigns no transaction id; private';

CREATE OR REPLACE FUNCTION logwatch.tend_fleet() RETURNS void
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    e logwatch.edges;
BEGIN
    -- One at a time, and not beside a check or the folding of counts; whoever comes next finds it still due.
    IF NOT logwatch.fleet_due(clock_timestamp()) OR NOT pg_try_advisory_xact_lock(7236278, 3) THEN
        RETURN;
    END IF;
    IF logwatch.is_published() THEN
        PERFORM logwatch.beat();
    END IF;
    FOR e IN SELECT * FROM logwatch.edges AS k WHERE k.joining AND logwatch.joined(k) ORDER BY k.name LOOP
        IF pg_try_advisory_xact_lock(7236278, 1) AND pg_try_advisory_xact_lock(7236278, 2) THEN
            PERFORM logwatch.finish_join(e);
        END IF;
    END LOOP;
END
$$;

COMMENT ON FUNCTION logwatch.tend_fleet() IS 'Sends a beat and finishes joins, when they are due; private';

CREATE OR REPLACE FUNCTION logwatch.read_fleet()
    RETURNS TABLE (role text, name text, state text, heard_at timestamptz, lag_bytes bigint, lag_seconds double precision, last_batch_at timestamptz,
                   per_minute bigint, slot text, slot_state text, wal_held bigint, wal_left bigint, errors bigint, version text, message text)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    asof constant timestamptz := clock_timestamp();
    e record;
    failed bigint;
    seen record;
BEGIN
    FOR e IN
        SELECT k.*, s.oid AS subid, s.subenabled, s.subslotname::text AS slot, k.slots -> s.subslotname::text AS at_edge
          FROM logwatch.edges AS k
          LEFT JOIN pg_subscription AS s ON s.subname = k.subscription
               AND s.subdbid = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
         WHERE k.left_at IS NULL OR s.oid IS NOT NULL
         ORDER BY k.name
    LOOP
        failed := NULL;
        -- PostgreSQL counts them from version 15 on.
        IF to_regclass('pg_catalog.pg_stat_subscription_stats') IS NOT NULL THEN
            EXECUTE 'SELECT t.apply_error_count + t.sync_error_count FROM pg_stat_subscription_stats AS t WHERE t.subid = $1' INTO failed USING e.subid;
        END IF;
        SELECT CASE WHEN e.subid IS NULL THEN 'missing'
                    WHEN NOT e.subenabled THEN 'disabled'
                    WHEN e.left_at IS NOT NULL THEN 'leaving'
                    WHEN asof - greatest(e.heard_at, e.joined_at) > greatest(3 * e.every, interval '10 seconds') THEN 'silent'
                    WHEN e.heard_at IS NULL OR e.joining THEN 'joining'
                    WHEN e.missing_until > asof - interval '24 hours' THEN 'gap'
                    WHEN e.heard_at - e.sent_at > interval '1 minute' THEN 'late'
                    ELSE 'ok' END AS state,
               -- How late the last beat came, or how long the next one has been due.
               round(extract(epoch FROM CASE WHEN asof - e.heard_at > 2 * e.every THEN asof - e.sent_at ELSE greatest(e.heard_at - e.sent_at, interval '0') END), 3)::float8 AS lag
          INTO seen;
        RETURN QUERY SELECT 'edge'::text, e.name, seen.state, e.heard_at, (e.at_edge ->> 'behind')::bigint, seen.lag, e.last_batch_at, e.per_minute,
            e.slot, e.at_edge ->> 'status', (e.at_edge ->> 'held')::bigint, (e.at_edge ->> 'left')::bigint, COALESCE(failed, 0), e.version,
            concat_ws(', ',
                CASE seen.state
                    WHEN 'missing' THEN format('there is no subscription %s: type what SELECT logwatch_subscribe(%L, …) returns', e.subscription, e.name)
                    WHEN 'disabled' THEN format('its subscription is disabled; type: ALTER SUBSCRIPTION %I ENABLE;', e.subscription)
                    WHEN 'leaving' THEN format('unsubscribed, but its subscription is there; type what SELECT logwatch_unsubscribe(%L) returns', e.name)
                    WHEN 'joining' THEN 'what it had stored before is being copied'
                    WHEN 'silent' THEN format('nothing heard of it for %s: is it up, and what does this server''s log say? If its slot is lost, unsubscribe and subscribe again',
                        date_trunc('second', asof - greatest(e.heard_at, e.joined_at)))
                    WHEN 'gap' THEN format('what it stored from %s to %s may be missing, see logwatch.gaps; to copy what it still has, unsubscribe and subscribe again',
                        to_char(e.missing_from, 'YYYY-MM-DD HH24:MI:SS'), to_char(e.missing_until, 'YYYY-MM-DD HH24:MI:SS'))
                    WHEN 'late' THEN format('%s behind', date_trunc('second', e.heard_at - e.sent_at)) END,
                e.per_minute || ' entries a minute',
                'last batch ' || to_char(e.last_batch_at, 'YYYY-MM-DD HH24:MI:SS'),
                CASE WHEN e.at_edge IS NOT NULL THEN format('it holds %s of WAL for us', pg_size_pretty((e.at_edge ->> 'held')::bigint)) END,
                CASE WHEN failed > 0 THEN format('%s error%s while applying, see the server log', failed, CASE WHEN failed = 1 THEN '' ELSE 's' END) END,
                CASE WHEN e.version <> logwatch.library_version() THEN format('it has version %s', e.version) END);
    END LOOP;

    RETURN QUERY
    SELECT 'centre'::text, s.slot, v.state, (SELECT b.sent_at FROM logwatch.beats AS b LIMIT 1), s.behind,
           (SELECT round(extract(epoch FROM r.replay_lag), 3)::float8 FROM pg_stat_replication AS r JOIN pg_replication_slots AS p ON p.active_pid = r.pid WHERE p.slot_name = s.slot),
           (SELECT max(b.received_at) FROM logwatch.batches AS b),
           (SELECT COALESCE(sum(b.n), 0)::bigint FROM logwatch.batches AS b WHERE b.received_at > asof - interval '1 minute'),
           s.slot, s.status, s.held, s."left", 0::bigint, logwatch.library_version(),
           concat_ws(', ',
               CASE v.state
                   WHEN 'lost' THEN format('its WAL exceeded max_slot_wal_keep_size (%s) and was dropped: at the centre unsubscribe and subscribe again', current_setting('max_slot_wal_keep_size'))
                   WHEN 'away' THEN 'it is not connected' END,
               format('%s behind, %s of WAL held for it', pg_size_pretty(s.behind), COALESCE(pg_size_pretty(s.held), 'none')),
               CASE WHEN s."left" IS NOT NULL THEN format('%s more until it is dropped', pg_size_pretty(s."left"))
                    WHEN s.status <> 'lost' THEN 'without a limit: if it stays away this disk fills; set max_slot_wal_keep_size' END)
      FROM logwatch.fleet_slots() AS s
     CROSS JOIN LATERAL (SELECT CASE WHEN s.status = 'lost' THEN 'lost' WHEN NOT s.active THEN 'away' WHEN s.status <> 'reserved' THEN 'behind' ELSE 'ok' END AS state) AS v
     ORDER BY s.slot;
END
$$;

COMMENT ON FUNCTION logwatch.read_fleet() IS 'Rows of logwatch_fleet; private';

CREATE OR REPLACE VIEW logwatch_fleet AS SELECT * FROM logwatch.read_fleet();

COMMENT ON VIEW logwatch_fleet IS 'The fleet as this server sees it: a row per edge (at a centre) and per centre (at an edge)';

COMMENT ON COLUMN logwatch_fleet.role IS 'What the row is about: edge (this server is its centre) or centre (this server is its edge)';

COMMENT ON COLUMN logwatch_fleet.state IS 'edge: ok, joining, late, silent, gap, disabled, leaving or missing; centre: ok, behind, away or lost';

COMMENT ON COLUMN logwatch_fleet.lag_bytes IS 'WAL of the edge that the centre has not confirmed';

COMMENT ON COLUMN logwatch_fleet.lag_seconds IS 'How late the edge''s last sign came, or how long the next has been due';

COMMENT ON COLUMN logwatch_fleet.per_minute IS 'Entries that the edge stored in its last minute';

COMMENT ON COLUMN logwatch_fleet.wal_held IS 'Bytes of WAL that the edge keeps for the centre';

COMMENT ON COLUMN logwatch_fleet.wal_left IS 'Bytes of WAL until max_slot_wal_keep_size drops the slot; NULL without a limit';

COMMENT ON COLUMN logwatch_fleet.errors IS 'Errors of the apply and copy workers since the subscription was made; the server log has them';

CREATE OR REPLACE FUNCTION logwatch.need_column_lists() RETURNS void
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

COMMENT ON FUNCTION logwatch.need_column_lists() IS 'Refuses servers that are too old for a fleet; private';

CREATE OR REPLACE FUNCTION logwatch_publish(execute boolean DEFAULT false, role text DEFAULT 'logwatch_centre')
    RETURNS TABLE (step integer, state text, command text, why text)
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    SET client_min_messages = 'error'
    AS $$
#variable_conflict use_variable
DECLARE
    -- Columns that mean nothing elsewhere stay here: ids of this server, transaction ids. Columns that a later version adds do not travel
    -- until this is called again, so that the centre can be upgraded first.
    tables constant text :=
        'logwatch.entries (received_at, logged_at, source_id, level, fingerprint, message, detail, fields, flags), '
        'logwatch.counts (second, source_id, level, fingerprint, n, width) WHERE (width = 0), '
        'logwatch.batches (source_id, received_at, first_at, last_at, n, source), '
        'logwatch.gaps (source_id, file_id, path, from_byte, to_byte, reason, noticed_at), '
        'logwatch.beats (number, wal, sent_at, every, version, keeps_from, last_batch_at, per_minute, slots, source_ids, sources, seen_at)';
    may_connect boolean;
    may_read boolean;
    rights text;
BEGIN
    PERFORM logwatch.need_column_lists();
    IF EXISTS (SELECT FROM pg_publication AS p WHERE p.pubname = 'logwatch') THEN
        EXECUTE 'ALTER PUBLICATION logwatch SET TABLE ' || tables;
    ELSE
        EXECUTE format('CREATE PUBLICATION logwatch FOR TABLE %s WITH (publish = %L, publish_via_partition_root = true)', tables, 'insert');
    END IF;
    rights := format('GRANT USAGE ON SCHEMA logwatch TO %1$I; GRANT SELECT ON logwatch.entries, logwatch.counts, logwatch.batches, logwatch.gaps, logwatch.beats TO %1$I;', role);
    IF execute THEN
        IF NOT EXISTS (SELECT FROM pg_roles AS r WHERE r.rolname = role) THEN
            EXECUTE format('CREATE ROLE %I LOGIN REPLICATION', role);
        END IF;
        EXECUTE rights;
    END IF;
    may_connect := EXISTS (SELECT FROM pg_roles AS r WHERE r.rolname = role AND r.rolcanlogin AND (r.rolreplication OR r.rolsuper));
    may_read := EXISTS (SELECT FROM pg_roles AS r WHERE r.rolname = role
                         AND has_schema_privilege(r.oid, 'logwatch', 'USAGE') AND has_table_privilege(r.oid, 'logwatch.entries', 'SELECT')
                         AND has_table_privilege(r.oid, 'logwatch.counts', 'SELECT') AND has_table_privilege(r.oid, 'logwatch.batches', 'SELECT')
                         AND has_table_privilege(r.oid, 'logwatch.gaps', 'SELECT') AND has_table_privilege(r.oid, 'logwatch.beats', 'SELECT'));
    RETURN QUERY
    SELECT s.step, CASE WHEN s.is_done THEN 'done' ELSE 'to do' END, s.command, s.why
      FROM (VALUES
        (1, true, 'SELECT logwatch_publish();', 'the publication logwatch: what is inserted into entries, counts, batches, gaps and beats'),
        (2, current_setting('wal_level') = 'logical', 'ALTER SYSTEM SET wal_level = logical; -- and restart', 'logical replication needs it'),
        (3, current_setting('max_slot_wal_keep_size') <> '-1', 'ALTER SYSTEM SET max_slot_wal_keep_size = ''10GB''; -- and SELECT pg_reload_conf();',
            'a centre that stays away must not fill this disk'),
        (4, may_connect, format('CREATE ROLE %1$I LOGIN REPLICATION; -- and its password: \password %1$I', role), 'the centre connects as it'),
        (5, may_read, rights, 'for the copy of what is stored already'),
        (6, EXISTS (SELECT FROM pg_hba_file_rules AS h WHERE h.error IS NULL AND h.type <> 'local' AND (role = ANY (h.user_name) OR 'all' = ANY (h.user_name))
                     AND (current_database() = ANY (h.database) OR 'all' = ANY (h.database)) AND h.address NOT IN ('127.0.0.1', '::1')),
            format('hostssl %I %I <address of the centre>/32 scram-sha-256', current_database(), role), 'a line for pg_hba.conf; then SELECT pg_reload_conf();'),
        (7, EXISTS (SELECT FROM logwatch.fleet_slots()),
            format('SELECT logwatch_subscribe(''<name of this edge>'', ''host=%s dbname=%s user=%s connect_timeout=10'') \gexec', logwatch.host(), current_database(), role),
            'in psql, in the database of the centre that has logwatch; the password in the ~/.pgpass of the centre''s server user')
      ) AS s (step, is_done, command, why)
     ORDER BY s.step;
END
$$;

COMMENT ON FUNCTION logwatch_publish(boolean, text)
    IS 'Makes this server an edge: creates (or renews) the publication, and lists what else must be typed; with execute => true it makes the centre''s role, too';

CREATE OR REPLACE FUNCTION logwatch_unpublish() RETURNS SETOF text
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    s record;
BEGIN
    FOR s IN SELECT * FROM logwatch.fleet_slots() LOOP
        IF s.active THEN
            RAISE EXCEPTION 'a centre is reading slot "%"', s.slot USING ERRCODE = 'object_in_use',
                HINT = 'There, in psql: SELECT logwatch_unsubscribe(''<name of this edge>'') \gexec';
        END IF;
        PERFORM pg_drop_replication_slot(s.slot);
        RETURN NEXT format('slot %s dropped', s.slot);
    END LOOP;
    IF logwatch.is_published() THEN
        DROP PUBLICATION logwatch;
        RETURN NEXT 'publication logwatch dropped'::text;
    END IF;
END
$$;

COMMENT ON FUNCTION logwatch_unpublish() IS 'This server is no edge any more: drops the publication, and slots that no centre reads; says what it dropped';

CREATE OR REPLACE FUNCTION logwatch_subscribe(name text, conninfo text, copy boolean DEFAULT true, slot text DEFAULT NULL, failover boolean DEFAULT false) RETURNS text
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_variable
DECLARE
    server constant integer := current_setting('server_version_num')::integer;
    subscription constant text := 'logwatch_' || name;
BEGIN
    PERFORM logwatch.need_column_lists();
    IF name IS NULL OR name !~ '^[a-z0-9_]{1,50}$' OR slot !~ '^logwatch_[a-z0-9_]{1,50}$' THEN
        RAISE EXCEPTION '"%" is no name for an edge or its slot', COALESCE(slot, name) USING ERRCODE = 'invalid_parameter_value',
            HINT = 'Use 1 to 50 of a-z, 0-9 and _, for example: berlin. A slot begins with logwatch_, for example: logwatch_berlin_2.';
    END IF;
    IF conninfo IS NULL OR conninfo ~* '(^|[[:space:]?&])password[[:space:]]*=|://[^/@]*:[^/@]*@' THEN
        RAISE EXCEPTION 'the connection to edge "%" must not have a password in it', name USING ERRCODE = 'invalid_parameter_value',
            DETAIL = 'It would be readable in pg_subscription and in dumps.',
            HINT = 'Put it into the ~/.pgpass of this server''s user, or a file that passfile=… names.';
    END IF;
    IF failover AND server < 170000 THEN
        RAISE EXCEPTION 'slots that follow to a standby need PostgreSQL 17, and this is %', current_setting('server_version') USING ERRCODE = 'feature_not_supported',
            HINT = 'Leave failover out; after a failover of the edge subscribe again.';
    END IF;
    IF EXISTS (SELECT FROM pg_subscription AS s JOIN pg_database AS d ON d.oid = s.subdbid WHERE d.datname = current_database() AND s.subname = subscription) THEN
        RAISE EXCEPTION 'edge "%" is subscribed to already', name USING ERRCODE = 'duplicate_object',
            HINT = format('To join it again, first, in psql: SELECT logwatch_unsubscribe(%L) \gexec', name);
    END IF;
    -- What is there now, to tell it from what the copy brings.
    INSERT INTO logwatch.edges AS e (name, subscription, joining, join_entry, join_gap, join_xid)
    VALUES (name, subscription, COALESCE(copy, true),
            COALESCE(pg_sequence_last_value(pg_get_serial_sequence('logwatch.entries', 'id')::regclass), 0),
            COALESCE(pg_sequence_last_value(pg_get_serial_sequence('logwatch.gaps', 'id')::regclass), 0), pg_current_xact_id())
        ON CONFLICT ON CONSTRAINT edges_pkey DO UPDATE
       SET subscription = EXCLUDED.subscription, joined_at = EXCLUDED.joined_at, joining = EXCLUDED.joining, left_at = NULL,
           join_entry = EXCLUDED.join_entry, join_gap = EXCLUDED.join_gap, join_xid = EXCLUDED.join_xid,
           join_again = COALESCE(e.heard_at > now() - interval '5 minutes', false);
    RETURN format('CREATE SUBSCRIPTION %I CONNECTION %L PUBLICATION logwatch WITH (slot_name = %L, copy_data = %s, streaming = %s%s%s)',
                  subscription, conninfo, COALESCE(slot, subscription), COALESCE(copy, true)::text,
                  CASE WHEN server >= 160000 THEN 'parallel' ELSE 'on' END,
                  -- A centre of centres gets what its centres were sent.
                  CASE WHEN server >= 160000 THEN ', origin = any' ELSE '' END,
                  CASE WHEN failover THEN ', failover = true' ELSE '' END);
END
$$;

COMMENT ON FUNCTION logwatch_subscribe(text, text, boolean, text, boolean)
    IS 'This server becomes the centre of an edge: returns the CREATE SUBSCRIPTION to type, which psql''s \gexec does; copy: what the edge has stored already comes, too';

CREATE OR REPLACE FUNCTION logwatch_unsubscribe(name text, edge_is_gone boolean DEFAULT false) RETURNS SETOF text
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_variable
DECLARE
    subscription text;
BEGIN
    UPDATE logwatch.edges AS e SET left_at = now(), joining = false WHERE e.name = name RETURNING e.subscription INTO subscription;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no edge "%"', name USING ERRCODE = 'no_data_found', HINT = 'See: SELECT name, state FROM logwatch_fleet;';
    END IF;
    -- An edge that is gone for good cannot drop its slot.
    IF edge_is_gone THEN
        RETURN NEXT format('ALTER SUBSCRIPTION %I DISABLE', subscription);
        RETURN NEXT format('ALTER SUBSCRIPTION %I SET (slot_name = NONE)', subscription);
    END IF;
    RETURN NEXT format('DROP SUBSCRIPTION %I', subscription);
END
$$;

COMMENT ON FUNCTION logwatch_unsubscribe(text, boolean)
    IS 'Returns what to type to let an edge go, which psql''s \gexec does: the subscription and the slot at the edge are dropped; what it sent stays';

CREATE OR REPLACE FUNCTION logwatch.usual(rule text, group_key text, at timestamptz, within interval) RETURNS numeric
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    -- Per window: the average over those of the 7 days before that have any history at all.
    SELECT COALESCE(avg(COALESCE(day.n, 0)), 0)
      FROM generate_series(1, 7) AS back
     CROSS JOIN LATERAL (
           SELECT sum(c.n) AS n
             FROM logwatch.rules AS r
             JOIN logwatch.counts AS c ON c.second > $3 - $4 - make_interval(days => back) AND c.second <= $3 - make_interval(days => back)
                                      AND c.level >= r.level
             JOIN logwatch.sources AS src ON src.id = c.source_id AND logwatch.glob_matches(src.name, r.source)
             LEFT JOIN logwatch.patterns AS p ON p.fingerprint = c.fingerprint
            WHERE r.name = $1 AND (r.match IS NULL OR p.template ~ r.match) AND (r.exclude IS NULL OR p.template !~ r.exclude)
              AND CASE r.group_by WHEN 'source' THEN src.name = $2 WHEN 'pattern' THEN to_hex(c.fingerprint) = $2 ELSE true END) AS day
     WHERE EXISTS (SELECT FROM logwatch.counts AS h WHERE h.second <= $3 - make_interval(days => back))
    $$;

COMMENT ON FUNCTION logwatch.usual(text, text, timestamptz, interval) IS 'Records that a rule''s window holds at this time of day on average of the 7 days before; private';

CREATE OR REPLACE FUNCTION logwatch.heard_of(source logwatch.sources, absence_of text) RETURNS timestamptz
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT greatest(source.first_seen,
                    CASE WHEN absence_of = 'tailer' THEN source.seen_at END,
                    (SELECT max(f.updated_at) FROM logwatch.files AS f WHERE f.source_id = source.id),
                    (SELECT max(b.received_at) FROM logwatch.batches AS b WHERE b.source_id = source.id))
    $$;

COMMENT ON FUNCTION logwatch.heard_of(logwatch.sources, text) IS 'Last sign of a source''s tailer, or of its records; private';

CREATE OR REPLACE FUNCTION logwatch.sources_within(rule text, group_key text, at timestamptz, within interval) RETURNS bigint
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT count(DISTINCT c.source_id)
      FROM logwatch.rules AS r
      JOIN logwatch.counts AS c ON c.second > $3 - $4 AND c.second <= $3 AND c.level >= r.level
      JOIN logwatch.sources AS src ON src.id = c.source_id AND logwatch.glob_matches(src.name, r.source)
      LEFT JOIN logwatch.patterns AS p ON p.fingerprint = c.fingerprint
     WHERE r.name = $1 AND (r.match IS NULL OR p.template ~ r.match) AND (r.exclude IS NULL OR p.template !~ r.exclude)
       AND CASE r.group_by WHEN 'source' THEN src.name = $2 WHEN 'pattern' THEN to_hex(c.fingerprint) = $2 ELSE true END
    $$;

COMMENT ON FUNCTION logwatch.sources_within(text, text, timestamptz, interval) IS 'How many sources the records of a rule''s window come from; private';

CREATE OR REPLACE FUNCTION logwatch.heard_by(absence_of text, glob text) RETURNS TABLE (name text, at timestamptz)
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT src.name, logwatch.heard_of(src, $1) FROM logwatch.sources AS src WHERE $1 <> 'edge' AND logwatch.glob_matches(src.name, $2)
    UNION ALL
    SELECT e.name, greatest(e.joined_at, e.heard_at) FROM logwatch.edges AS e
     WHERE $1 = 'edge' AND e.left_at IS NULL AND logwatch.glob_matches(e.name, $2)
    $$;

COMMENT ON FUNCTION logwatch.heard_by(text, text) IS 'Sources, or edges, that a rule of kind absence watches, and when each was last heard of; private';

CREATE OR REPLACE FUNCTION logwatch.episodes(stretches tstzmultirange, until timestamptz, only_rule text DEFAULT NULL)
    RETURNS TABLE (rule text, group_key text, started_at timestamptz, met_until timestamptz, count bigint, peak bigint)
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    WITH span AS (
        -- A record changes a rule's windows from its own second until it drops out of the last one.
        SELECT r.name, r.kind, r.level, r.source, r.match, r.exclude, r.group_by, r.threshold, r.within, r.keep_firing_for, r.factor,
               r.created_at + r.learn_for AS learned_at, r.min_sources, lower(s.stretch) AS from_at, least(upper(s.stretch), until) AS to_at
          FROM logwatch.rules AS r
         CROSS JOIN LATERAL (
               SELECT unnest(range_agg(tstzrange(lower(stretch), upper(stretch) + r.within, '[]'))) AS stretch
                 FROM unnest(stretches) AS stretch) AS s
         WHERE r.enabled AND r.kind <> 'absence' AND (only_rule IS NULL OR r.name = only_rule)
           AND lower(s.stretch) <= until
    ), step AS (
        -- The window's count as a step function: each record adds itself at its second and takes itself back when it drops out.
        SELECT span.name, span.kind, span.factor, span.within, span.from_at, span.to_at, span.threshold, span.keep_firing_for, span.min_sources,
               CASE span.group_by WHEN 'source' THEN src.name WHEN 'pattern' THEN to_hex(c.fingerprint) ELSE '' END AS group_key,
               change.at, sum(change.n) AS n
          FROM span
          JOIN logwatch.counts AS c ON c.second > span.from_at - span.within AND c.second <= span.to_at AND c.level >= span.level
          JOIN logwatch.sources AS src ON src.id = c.source_id AND logwatch.glob_matches(src.name, span.source)
         CROSS JOIN LATERAL (VALUES (greatest(c.second, span.from_at), c.n), (c.second + span.within, -c.n)) AS change (at, n)
         WHERE change.at <= span.to_at
           AND (span.match IS NULL AND span.exclude IS NULL
                OR EXISTS (SELECT FROM logwatch.patterns AS p
                            WHERE p.fingerprint = c.fingerprint
                              AND (span.match IS NULL OR p.template ~ span.match)
                              AND (span.exclude IS NULL OR p.template !~ span.exclude)))
           AND (span.kind <> 'new_pattern'
                OR EXISTS (SELECT FROM logwatch.patterns AS p
                            WHERE p.fingerprint = c.fingerprint AND p.first_seen >= span.learned_at AND c.second < p.first_seen + span.within))
         GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
    ), held AS (
        SELECT step.*,
               sum(step.n) OVER by_time AS held,
               COALESCE(lead(step.at) OVER by_time, step.to_at) AS until_at
          FROM step
        WINDOW by_time AS (PARTITION BY step.name, step.from_at, step.group_key ORDER BY step.at)
    ), met AS (
        SELECT held.*,
               held.at > lag(held.until_at) OVER (PARTITION BY held.name, held.group_key ORDER BY held.at) + held.keep_firing_for AS apart
          FROM held
         WHERE held.held >= held.threshold
           AND (held.min_sources = 1 OR logwatch.sources_within(held.name, held.group_key, held.at, held.within) >= held.min_sources)
           AND (held.kind <> 'spike' OR held.held > held.factor * logwatch.usual(held.name, held.group_key, held.at, held.within))
    ), island AS (
        SELECT met.*, count(*) FILTER (WHERE met.apart) OVER (PARTITION BY met.name, met.group_key ORDER BY met.at) AS number
          FROM met
    )
    SELECT name, group_key, min(at), max(until_at), (array_agg(held ORDER BY at DESC))[1]::bigint, max(held)::bigint
      FROM island
     GROUP BY name, group_key, number
    UNION ALL
    -- Silence of a source or an edge: from when it should have been heard again until it was.
    SELECT r.name, heard.name, heard.at + r.within, until, 0, 0
      FROM logwatch.rules AS r
     CROSS JOIN LATERAL logwatch.heard_by(r.absence_of, r.source) AS heard
     WHERE r.enabled AND r.kind = 'absence' AND (only_rule IS NULL OR r.name = only_rule) AND heard.at + r.within <= until
     ORDER BY 1, 2, 3
    $$;

COMMENT ON FUNCTION logwatch.episodes(tstzmultirange, timestamptz, text)
    IS 'Stretches of event time in which a rule''s window held its threshold, for the windows that records of the given stretches are in; private';

CREATE OR REPLACE FUNCTION logwatch.new_stretches(asof timestamptz) RETURNS tstzmultirange
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    -- Event times of batches that the last check's snapshot could not see, no later than max_lateness.
    SELECT range_agg(tstzrange(greatest(b.first_at, late.oldest), least(b.last_at, asof), '[]'))
      FROM logwatch.batches AS b
     CROSS JOIN (SELECT asof - make_interval(secs => logwatch.setting('max_lateness')::integer) AS oldest) AS late
     WHERE b.xid >= (SELECT p.seen_xmin FROM logwatch.progress AS p)
       AND b.last_at >= late.oldest
       AND greatest(b.first_at, late.oldest) <= least(b.last_at, asof)
    $$;

COMMENT ON FUNCTION logwatch.new_stretches(timestamptz) IS 'Stretches of event time that have new records since the last check; private';

CREATE OR REPLACE FUNCTION logwatch.open_changes(asof timestamptz) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    -- New batches, changed rules, open alerts that go on or end, announcements that are due.
    SELECT EXISTS (SELECT FROM logwatch.batches AS b WHERE b.xid >= p.seen_xmin)
        OR EXISTS (SELECT FROM logwatch.rules AS r WHERE r.updated_at >= p.checked_at)
        OR EXISTS (SELECT FROM logwatch.alerts AS a WHERE a.state <> 'resolved')
        OR EXISTS (SELECT FROM logwatch.due_announcements(asof))
        OR EXISTS (SELECT FROM logwatch.rules AS r CROSS JOIN LATERAL logwatch.heard_by(r.absence_of, r.source) AS heard
                    WHERE r.enabled AND r.kind = 'absence' AND heard.at + r.within <= asof
                      AND NOT EXISTS (SELECT FROM logwatch.alerts AS a WHERE a.rule = r.name AND a.group_key = heard.name AND a.state <> 'resolved'))
      FROM logwatch.progress AS p
    $$;

COMMENT ON FUNCTION logwatch.open_changes(timestamptz) IS 'Whether a check has anything to do; assigns no transaction id; private';

CREATE OR REPLACE FUNCTION logwatch.check(asof timestamptz DEFAULT clock_timestamp())
    RETURNS TABLE (alert_id bigint, rule text, group_key text, transition text, count bigint, message text)
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    horizon xid8;
    stretches tstzmultirange;
    changed bigint[] := '{}';      -- alerts whose state this check changed
    before_states text[] := '{}';
    ep record;
    a logwatch.alerts;
    fresh logwatch.alerts;         -- the alert that this check made last
    firing boolean;
BEGIN
    PERFORM logwatch.hold();
    -- One check at a time; the other one sees what this one would have seen.
    IF NOT pg_try_advisory_xact_lock(7236278, 1) OR logwatch.counts_twice() THEN
        RETURN;
    END IF;
    horizon := pg_snapshot_xmin(pg_current_snapshot());
    PERFORM logwatch.derive();
    -- The present always belongs to it, so that an edited rule counts at once; open alerts are followed up from where they were left.
    stretches := COALESCE(logwatch.new_stretches(asof), '{}') + tstzmultirange(tstzrange(asof, asof, '[]'))
              + COALESCE((SELECT range_agg(tstzrange(least(o.met_until, asof), asof, '[]'))
                            FROM logwatch.alerts AS o WHERE o.state <> 'resolved'), '{}');

    FOR ep IN
        SELECT e.*, r.group_by, r.level, r.threshold, r.within, r.for_at_least, r.keep_firing_for,
               e.met_until + r.keep_firing_for > asof - interval '1 second' AS goes_on
          FROM logwatch.episodes(stretches, asof) AS e
          JOIN logwatch.rules AS r ON r.name = e.rule
         ORDER BY e.rule, e.group_key, e.started_at
    LOOP
        -- Known already? An open one first, else the last that touches this stretch.
        SELECT * INTO a FROM logwatch.alerts AS k
         WHERE k.rule = ep.rule AND k.group_key = ep.group_key
           AND k.started_at <= ep.met_until + ep.keep_firing_for AND k.met_until + ep.keep_firing_for >= ep.started_at
         ORDER BY k.state <> 'resolved' DESC, k.met_until DESC
         LIMIT 1;
        IF FOUND AND a.state = 'resolved' AND a.id IS DISTINCT FROM fresh.id THEN
            IF ep.met_until <= a.met_until OR NOT ep.goes_on THEN
                -- Late records make what is over longer, on either side.
                UPDATE logwatch.alerts AS u
                   SET started_at = least(u.started_at, ep.started_at), met_until = greatest(u.met_until, ep.met_until), peak = greatest(u.peak, ep.peak)
                 WHERE u.id = a.id AND (u.started_at > ep.started_at OR u.met_until < ep.met_until OR u.peak < ep.peak);
                CONTINUE;
            END IF;
            ep.started_at := greatest(ep.started_at, a.met_until);
            a := NULL;
        ELSIF NOT FOUND AND fresh.rule = ep.rule AND fresh.group_key = ep.group_key THEN
            -- A backlog of several stretches found in one check is one alert.
            a := fresh;
        ELSIF NOT FOUND THEN
            -- An open alert that ended before this stretch began makes room; one that began after it takes the late stretch in.
            SELECT * INTO a FROM logwatch.alerts AS k
             WHERE k.rule = ep.rule AND k.group_key = ep.group_key AND k.state <> 'resolved';
            IF FOUND AND a.met_until < ep.started_at THEN
                UPDATE logwatch.alerts AS u SET state = 'resolved', resolved_at = asof WHERE u.id = a.id;
                changed := changed || a.id;
                before_states := before_states || a.state;
                a := NULL;
            END IF;
        END IF;

        IF a.id IS NULL THEN
            firing := ep.met_until - ep.started_at >= ep.for_at_least;
            CONTINUE WHEN NOT firing AND NOT ep.goes_on;
            INSERT INTO logwatch.alerts (rule, group_by, group_key, state, level, threshold, within, started_at, met_until, fired_at, resolved_at, count, peak)
            VALUES (ep.rule, ep.group_by, ep.group_key,
                    CASE WHEN NOT ep.goes_on THEN 'resolved' WHEN firing THEN 'firing' ELSE 'pending' END,
                    ep.level, ep.threshold, ep.within, ep.started_at, ep.met_until,
                    CASE WHEN firing THEN asof END, CASE WHEN NOT ep.goes_on THEN asof END, ep.count, ep.peak)
            RETURNING * INTO fresh;
            changed := changed || fresh.id;
            before_states := before_states || ''::text;
        ELSE
            UPDATE logwatch.alerts AS u
               SET started_at = least(u.started_at, ep.started_at),
                   met_until = greatest(u.met_until, ep.met_until),
                   count = CASE WHEN ep.met_until >= u.met_until THEN ep.count ELSE u.count END,
                   peak = greatest(u.peak, ep.peak),
                   level = ep.level, threshold = ep.threshold, within = ep.within,
                   episodes = u.episodes + (a.id IS NOT DISTINCT FROM fresh.id AND ep.started_at > u.met_until + ep.keep_firing_for)::integer,
                   state = CASE WHEN u.state = 'resolved' AND ep.goes_on THEN 'firing' ELSE u.state END,
                   resolved_at = CASE WHEN u.state = 'resolved' AND ep.goes_on THEN NULL ELSE u.resolved_at END
             WHERE u.id = a.id
               AND (u.started_at > ep.started_at OR u.met_until < ep.met_until OR u.count <> ep.count OR u.peak < ep.peak)
            RETURNING * INTO a;
            IF a.id = fresh.id THEN
                fresh := a;
            END IF;
        END IF;
    END LOOP;

    -- Pending alerts that have lasted fire; those that have not are forgotten; firing ones that have been quiet are resolved.
    FOR a IN SELECT * FROM logwatch.alerts AS o WHERE o.state <> 'resolved' ORDER BY o.id LOOP
        SELECT r.for_at_least, r.keep_firing_for, r.enabled INTO ep FROM logwatch.rules AS r WHERE r.name = a.rule;
        IF FOUND AND ep.enabled AND a.met_until + ep.keep_firing_for > asof - interval '1 second' THEN
            IF a.state = 'pending' AND a.met_until - a.started_at >= ep.for_at_least THEN
                UPDATE logwatch.alerts AS u SET state = 'firing', fired_at = asof WHERE u.id = a.id;
                changed := changed || a.id;
                before_states := before_states || a.state;
            END IF;
        ELSIF a.state = 'pending' THEN
            DELETE FROM logwatch.alerts AS u WHERE u.id = a.id;
        ELSE
            UPDATE logwatch.alerts AS u
               SET state = 'resolved', resolved_at = asof, count = 0,
                   closed = CASE WHEN ep.enabled IS NULL THEN 'deleted' WHEN NOT ep.enabled THEN 'disabled' END
             WHERE u.id = a.id;
            changed := changed || a.id;
            before_states := before_states || a.state;
        END IF;
    END LOOP;

    -- What has joined an open alert since it was announced.
    UPDATE logwatch.alerts AS u
       SET worst = greatest(u.worst, (SELECT max(c.level) FROM logwatch.counted(u) AS c))
     WHERE u.state = 'firing' AND u.worst IS DISTINCT FROM 'FATAL';
    PERFORM logwatch.announce(asof);
    UPDATE logwatch.progress AS p SET seen_xmin = horizon, checked_at = asof;

    RETURN QUERY
        SELECT now_is.id, now_is.rule, now_is.group_key,
               CASE WHEN now_is.state = 'resolved' AND was.state = '' THEN 'late' ELSE now_is.state END,
               now_is.count,
               logwatch.alert_message(now_is)
          FROM (SELECT DISTINCT ON (c.id) c.id, c.state, c.position
                  FROM unnest(changed, before_states) WITH ORDINALITY AS c (id, state, position)
                 ORDER BY c.id, c.position) AS was
          JOIN logwatch.alerts AS now_is ON now_is.id = was.id
         ORDER BY was.position;
END
$$;

COMMENT ON FUNCTION logwatch.check(timestamptz) IS 'What logwatch_check() does; private';

CREATE OR REPLACE FUNCTION logwatch_check() RETURNS TABLE (alert_id bigint, rule text, group_key text, transition text, count bigint, message text)
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    PERFORM logwatch.tend_fleet();
    RETURN QUERY SELECT * FROM logwatch.check();
    PERFORM logwatch.write_alert_file();
END
$$;

COMMENT ON FUNCTION logwatch_check() IS 'Evaluates the rules now and queues notifications; returns what changed: pending, firing, resolved, or late (over before it was noticed)';

CREATE OR REPLACE FUNCTION logwatch_backtest(rule text, "from" timestamptz DEFAULT NULL, "to" timestamptz DEFAULT NULL)
    RETURNS TABLE (group_key text, started_at timestamptz, met_until timestamptz, peak bigint, message text)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    r logwatch.rules;
    upto constant timestamptz := COALESCE("to", clock_timestamp());
BEGIN
    SELECT * INTO r FROM logwatch.rules AS k WHERE k.name = $1;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no rule "%"', $1 USING ERRCODE = 'no_data_found', HINT = 'See: SELECT name FROM logwatch.rules;';
    END IF;
    IF r.kind = 'absence' THEN
        RAISE EXCEPTION 'rule "%" is of kind absence, whose history is not kept', $1 USING ERRCODE = 'feature_not_supported',
            HINT = 'Rules of kind threshold, new_pattern and spike can be tested.';
    END IF;
    RETURN QUERY
        SELECT e.group_key, e.started_at, e.met_until, e.peak,
               logwatch.rule_message(r.kind, 'resolved', r.name, logwatch.group_label(r.group_by, e.group_key), r.level::text, e.peak, r.threshold,
                                     extract(epoch FROM r.within)::bigint)
          FROM logwatch.episodes(tstzmultirange(tstzrange(COALESCE("from", upto - interval '7 days'), upto, '[]')), upto, r.name) AS e
         WHERE e.met_until - e.started_at >= r.for_at_least
         ORDER BY e.started_at, e.group_key;
END
$$;

COMMENT ON FUNCTION logwatch_backtest(text, timestamptz, timestamptz)
    IS 'The episodes that a rule would have had on stored history, the last 7 days by default; for a disabled rule enable it in a transaction and roll back';

CREATE OR REPLACE FUNCTION logwatch_alert_json(alert_id bigint) RETURNS jsonb
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$ SELECT logwatch.alert_payload(a, NULL) FROM logwatch.alerts AS a WHERE a.id = $1 $$;

COMMENT ON FUNCTION logwatch_alert_json(bigint) IS 'An alert with its counts, sources, top patterns and timeline; NULL when there is none of this id';

CREATE OR REPLACE FUNCTION logwatch.read_metrics() RETURNS TABLE (metric text, labels jsonb, value double precision)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT 'logwatch_alerts_firing', jsonb_build_object('rule', r.name, 'severity', r.severity),
           (SELECT count(*) FROM logwatch.alerts AS a WHERE a.rule = r.name AND a.state = 'firing')::float8 FROM logwatch.rules AS r
    UNION ALL
    SELECT 'logwatch_notifications', jsonb_build_object('channel', n.channel, 'state', n.state), count(*)::float8
      FROM logwatch.notifications AS n GROUP BY n.channel, n.state
    UNION ALL
    SELECT 'logwatch_records_last_hour', jsonb_build_object('source', s.name, 'level', c.level), sum(c.n)::float8
      FROM logwatch.counts AS c JOIN logwatch.sources AS s ON s.id = c.source_id WHERE c.second > now() - interval '1 hour' GROUP BY s.name, c.level
    UNION ALL
    SELECT 'logwatch_source_last_seen_timestamp_seconds', jsonb_build_object('source', s.name),
           extract(epoch FROM logwatch.heard_of(s, 'tailer'))::float8 FROM logwatch.sources AS s
    UNION ALL
    SELECT 'logwatch_gaps', jsonb_build_object('source', s.name), count(g.id)::float8
      FROM logwatch.sources AS s LEFT JOIN logwatch.gaps AS g ON g.source_id = s.id GROUP BY s.name
    UNION ALL
    SELECT v.metric, jsonb_build_object('role', f.role, 'name', f.name), v.value
      FROM logwatch.read_fleet() AS f
     CROSS JOIN LATERAL (VALUES ('logwatch_fleet_lag_seconds', f.lag_seconds), ('logwatch_fleet_lag_bytes', f.lag_bytes::float8),
                                ('logwatch_fleet_wal_held_bytes', f.wal_held::float8), ('logwatch_fleet_apply_errors', f.errors::float8)) AS v (metric, value)
     WHERE v.value IS NOT NULL
    UNION ALL
    SELECT 'logwatch_worker_up', '{}', (w.state = 'running')::integer::float8 FROM logwatch.worker_status() AS w
    $$;

COMMENT ON FUNCTION logwatch.read_metrics() IS 'Rows of logwatch.metrics; private';

CREATE OR REPLACE VIEW logwatch.metrics AS SELECT * FROM logwatch.read_metrics();

COMMENT ON VIEW logwatch.metrics IS 'Gauges under Prometheus names, for sql_exporter or postgres_exporter';

CREATE OR REPLACE FUNCTION logwatch_nagios(OUT state integer, OUT line text)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
    WITH firing AS (
        SELECT count(*) AS n, count(*) FILTER (WHERE r.severity = 'critical') AS critical, string_agg(DISTINCT a.rule, ', ' ORDER BY a.rule) AS rules
          FROM logwatch.alerts AS a LEFT JOIN logwatch.rules AS r ON r.name = a.rule
         WHERE a.state = 'firing' AND NOT logwatch.is_silenced(a, clock_timestamp())
    ), judged AS (
        SELECT CASE WHEN f.critical > 0 THEN 2 WHEN f.n > 0 THEN 1 WHEN w.state IN ('running', 'standby') THEN 0 ELSE 3 END AS state, f.*, w.state AS worker
          FROM firing AS f CROSS JOIN logwatch.worker_status() AS w
    )
    SELECT j.state, format('LOGWATCH %s - %s | firing=%s',
                           (ARRAY['OK', 'WARNING', 'CRITICAL', 'UNKNOWN'])[j.state + 1],
                           CASE WHEN j.n > 0 THEN format('%s firing: %s', j.n, j.rules) WHEN j.state = 3 THEN format('the worker is %s', j.worker) ELSE 'nothing fires' END, j.n)
      FROM judged AS j
    $$;

COMMENT ON FUNCTION logwatch_nagios() IS 'State (0 ok, 1 warning, 2 critical, 3 unknown) and line of a monitoring plugin';

CREATE OR REPLACE FUNCTION logwatch.page_data(period interval, asof timestamptz) RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    WITH frame AS (
        SELECT asof - period AS from_at, asof AS to_at, extract(epoch FROM period) / 48 AS step
    ), counted AS MATERIALIZED (
        -- The timeline's 48 slots; what was folded into hours stands in the slot in which the hour began.
        SELECT c.level, c.fingerprint, c.source_id, sum(c.n) AS n, max(c.second) AS last_at,
               least(floor(extract(epoch FROM c.second - f.from_at) / f.step), 47)::integer AS slot
          FROM frame AS f JOIN logwatch.counts AS c ON c.second > f.from_at AND c.second <= f.to_at
         GROUP BY c.level, c.fingerprint, c.source_id, slot
    ), timeline AS (
        SELECT l.level, jsonb_agg(COALESCE(n.n, 0) ORDER BY slot) AS counts
          FROM (SELECT DISTINCT level FROM counted) AS l
         CROSS JOIN generate_series(0, 47) AS slot
          LEFT JOIN (SELECT level, slot, sum(n) AS n FROM counted GROUP BY 1, 2) AS n USING (level, slot)
         GROUP BY l.level
    ), top AS (
        SELECT fingerprint, level, sum(n) AS n, max(last_at) AS last_at, count(DISTINCT source_id) AS sources
          FROM counted GROUP BY 1, 2 ORDER BY 3 DESC, 1 LIMIT 15
    ), pattern AS (
        SELECT t.n, t.fingerprint, jsonb_build_object(
                   'n', t.n, 'level', t.level, 'template', p.template, 'sample', p.sample, 'sources', t.sources,
                   'last_at', logwatch.rfc3339(t.last_at), 'new', p.first_seen > asof - period,
                   'counts', (SELECT jsonb_agg(COALESCE(k.n, 0) ORDER BY slot)
                                FROM generate_series(0, 47) AS slot
                                LEFT JOIN (SELECT c.slot, sum(c.n) AS n FROM counted AS c
                                            WHERE c.fingerprint = t.fingerprint AND c.level = t.level GROUP BY 1) AS k USING (slot))) AS shown
          FROM top AS t JOIN logwatch.patterns AS p ON p.fingerprint = t.fingerprint
    ), alert AS (
        SELECT a AS one, a.id, a.started_at, a.state, a.met_until, a.acked_by, a.ack_note, a.rule, logwatch.is_silenced(a, asof) AS silenced,
               CASE a.state WHEN 'firing' THEN 0 WHEN 'pending' THEN 1 ELSE 2 END AS place
          FROM logwatch.alerts AS a
         WHERE a.state <> 'resolved' OR a.met_until > asof - period
         ORDER BY place, a.started_at DESC, a.id DESC LIMIT 30
    ), source AS (
        SELECT s.name, s.host, logwatch.heard_of(s, 'tailer') AS heard_at, COALESCE(k.n, 0) AS n, last.delay,
               (SELECT count(*) FROM logwatch.gaps AS g WHERE g.source_id = s.id AND g.noticed_at > asof - period) AS gaps,
               st.state, st.message
          FROM logwatch.sources AS s
          LEFT JOIN (SELECT source_id, sum(n) AS n FROM counted GROUP BY 1) AS k ON k.source_id = s.id
          LEFT JOIN LATERAL (SELECT extract(epoch FROM b.received_at - b.last_at)::bigint AS delay FROM logwatch.batches AS b
                              WHERE b.source_id = s.id ORDER BY b.received_at DESC LIMIT 1) AS last ON true
          LEFT JOIN @extschema@.logwatch_status() AS st ON st.component = 'source' AND st.name = s.name
         ORDER BY k.n DESC NULLS LAST, s.name LIMIT 50
    ), waiting AS (
        SELECT n.* FROM logwatch.notifications AS n
         WHERE n.state IN ('queued', 'sending') OR n.state = 'failed' AND n.created_at > asof - period
         ORDER BY n.state = 'failed', n.id DESC LIMIT 20
    )
    SELECT jsonb_build_object(
        'host', logwatch.host(), 'database', current_database(), 'zone', logwatch.zone(),
        'from', logwatch.rfc3339(f.from_at), 'to', logwatch.rfc3339(f.to_at), 'within', extract(epoch FROM period)::bigint,
        'timeline', (SELECT COALESCE(jsonb_agg(jsonb_build_object('level', t.level, 'counts', t.counts) ORDER BY t.level), '[]') FROM timeline AS t),
        'standing', (SELECT jsonb_agg(jsonb_build_object('component', s.component, 'name', s.name, 'state', s.state, 'message', s.message))
                       FROM @extschema@.logwatch_status() AS s WHERE s.component <> 'source'),
        'alerts', (SELECT COALESCE(jsonb_agg(jsonb_build_object(
                              'id', a.id, 'state', CASE WHEN a.silenced AND a.state <> 'resolved' THEN 'silenced' ELSE a.state END,
                              'severity', COALESCE((SELECT r.severity FROM logwatch.rules AS r WHERE r.name = a.rule), 'warning'),
                              'message', logwatch.alert_message(a.one), 'started_at', logwatch.rfc3339(a.started_at),
                              'until', CASE WHEN a.state = 'resolved' THEN logwatch.rfc3339(a.met_until) END,
                              'acked_by', a.acked_by, 'ack_note', a.ack_note,
                              'runbook', (SELECT r.runbook FROM logwatch.rules AS r WHERE r.name = a.rule)) ORDER BY a.place, a.started_at DESC, a.id DESC), '[]') FROM alert AS a),
        'patterns', (SELECT COALESCE(jsonb_agg(p.shown ORDER BY p.n DESC, p.fingerprint), '[]') FROM pattern AS p),
        'sources', (SELECT COALESCE(jsonb_agg(jsonb_build_object('name', s.name, 'host', s.host, 'n', s.n, 'state', s.state, 'message', s.message, 'gaps', s.gaps,
                              'heard', extract(epoch FROM asof - s.heard_at)::bigint, 'delay', greatest(s.delay, 0)) ORDER BY s.n DESC, s.name), '[]') FROM source AS s),
        'queue', (SELECT COALESCE(jsonb_agg(jsonb_build_object('id', w.id, 'channel', w.channel, 'recipient', w.recipient, 'state', w.state, 'reason', w.reason,
                            'subject', w.payload ->> 'rule', 'attempts', w.attempts, 'error', w.last_error,
                            'next_at', CASE WHEN w.state <> 'failed' THEN logwatch.rfc3339(w.next_attempt_at) END) ORDER BY w.state = 'failed', w.id DESC), '[]') FROM waiting AS w))
      FROM frame AS f
    $$;

COMMENT ON FUNCTION logwatch.page_data(interval, timestamptz) IS 'What the report page shows; private';

CREATE OR REPLACE FUNCTION logwatch_report_html(period interval DEFAULT '24 hours') RETURNS text
    LANGUAGE c STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'report_html_wrapper';

COMMENT ON FUNCTION logwatch_report_html(interval) IS 'One self-contained HTML page: timeline, alerts, top patterns, sources, delivery queue. psql -XAtc "SELECT logwatch_report_html()" > report.html';

CREATE OR REPLACE FUNCTION logwatch.add_partitions(days_ahead integer) RETURNS integer
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    SET timezone = 'UTC'
    SET lock_timeout = '500ms'
    AS $$
DECLARE
    day date;
    part text;
    made integer := 0;
BEGIN
    -- From tomorrow on: an ingest that is on its way to the default partition must not find its day taken.
    FOR day IN SELECT generate_series(current_date + 1, current_date + days_ahead, interval '1 day')::date LOOP
        part := format('entries_%s', to_char(day, 'YYYYMMDD'));
        CONTINUE WHEN to_regclass(format('logwatch.%I', part)) IS NOT NULL;
        -- A day that already has rows in the default partition stays there: ATTACH would have to refuse it.
        CONTINUE WHEN EXISTS (SELECT FROM logwatch.entries_default AS e WHERE e.received_at >= day::timestamptz AND e.received_at < (day + 1)::timestamptz);
        EXECUTE format('CREATE TABLE logwatch.%I (LIKE logwatch.entries_default INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES INCLUDING STORAGE)', part);
        EXECUTE format('ALTER TABLE logwatch.entries ATTACH PARTITION logwatch.%I FOR VALUES FROM (%L) TO (%L)', part, day::timestamptz, (day + 1)::timestamptz);
        EXECUTE format('GRANT SELECT ON logwatch.%I TO pg_monitor', part);
        made := made + 1;
    END LOOP;
    RETURN made;
END
$$;

COMMENT ON FUNCTION logwatch.add_partitions(integer) IS 'Makes the partitions of logwatch.entries for the days ahead; gives up rather than wait for a lock; private';

CREATE OR REPLACE FUNCTION logwatch.drop_partitions(keep_from timestamptz) RETURNS integer
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    SET lock_timeout = '500ms'
    AS $$
DECLARE
    part record;
    dropped integer := 0;
BEGIN
    FOR part IN
        SELECT c.relname, to_date(right(c.relname, 8), 'YYYYMMDD') AS day
          FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
         WHERE i.inhparent = 'logwatch.entries'::regclass AND c.relname ~ '^entries_[0-9]{8}$'
    LOOP
        IF (part.day + 1)::timestamp AT TIME ZONE 'UTC' <= keep_from THEN
            EXECUTE format('DROP TABLE logwatch.%I', part.relname);
            dropped := dropped + 1;
        END IF;
    END LOOP;
    RETURN dropped;
END
$$;

COMMENT ON FUNCTION logwatch.drop_partitions(timestamptz) IS 'Drops the partitions of logwatch.entries that are older than that; gives up rather than wait for a lock; private';

CREATE OR REPLACE FUNCTION logwatch.fold_counts(older_than timestamptz) RETURNS bigint
    LANGUAGE sql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
    -- Partial sums of one second become one row, and the patterns learn their totals from them, exactly once: the DELETE says which.
    WITH raw AS (
        DELETE FROM logwatch.counts AS c WHERE c.width = 0 AND c.second < older_than
           -- A centre makes the patterns after the counts have come.
           AND (NOT EXISTS (SELECT FROM logwatch.edges) OR EXISTS (SELECT FROM logwatch.patterns AS p WHERE p.fingerprint = c.fingerprint))
        RETURNING c.second, c.source_id, c.level, c.fingerprint, c.n
    ), folded AS (
        INSERT INTO logwatch.counts (second, source_id, level, fingerprint, n, width)
        SELECT r.second, r.source_id, r.level, r.fingerprint, sum(r.n), 1 FROM raw AS r GROUP BY 1, 2, 3, 4
    ), pattern AS (
        UPDATE logwatch.patterns AS p SET total = p.total + t.n, last_seen = greatest(p.last_seen, t.last_at)
          FROM (SELECT r.fingerprint, sum(r.n) AS n, max(r.second) AS last_at FROM raw AS r GROUP BY 1) AS t
         WHERE p.fingerprint = t.fingerprint
    )
    SELECT count(*) FROM raw
    $$;

COMMENT ON FUNCTION logwatch.fold_counts(timestamptz) IS 'Folds the partial sums of logwatch.counts together and into logwatch.patterns; private';

CREATE OR REPLACE FUNCTION logwatch.maintenance_due(asof timestamptz) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT EXISTS (SELECT FROM logwatch.counts AS c WHERE c.width = 0 AND c.second < asof - interval '1 minute')
        OR to_regclass(format('logwatch.entries_%s', to_char((asof AT TIME ZONE 'UTC')::date + 2, 'YYYYMMDD'))) IS NULL
        OR (SELECT p.maintained_at IS NULL OR p.maintained_at < asof - interval '1 day' FROM logwatch.progress AS p)
    $$;

COMMENT ON FUNCTION logwatch.maintenance_due(timestamptz) IS 'Whether maintenance has anything to do; assigns no transaction id; private';

CREATE OR REPLACE FUNCTION logwatch.maintain() RETURNS text
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    keep_from constant timestamptz := now() - make_interval(mins => logwatch.setting('retention')::integer);
    made integer;
    dropped integer;
    folded bigint;
    busy text := '';
BEGIN
    IF NOT pg_try_advisory_xact_lock(7236278, 2) THEN
        RETURN 'another logwatch_maintain() is running';
    END IF;
    -- Both take locks that a long query or a pg_dump stands in the way of, and that everybody else would queue up behind.
    BEGIN
        made := logwatch.add_partitions(3);
        dropped := logwatch.drop_partitions(keep_from);
    EXCEPTION WHEN lock_not_available THEN
        made := 0;
        dropped := 0;
        busy := '; partitions are in use and are tried again later';
    END;
    DELETE FROM logwatch.entries_default AS e WHERE e.received_at < keep_from;
    folded := logwatch.fold_counts(now() - interval '1 minute');
    DELETE FROM logwatch.counts AS c WHERE c.second < keep_from;
    DELETE FROM logwatch.batches AS b
     WHERE b.received_at < now() - greatest(interval '1 day', make_interval(secs => logwatch.setting('max_lateness')::integer))
       AND b.xid < (SELECT p.seen_xmin FROM logwatch.progress AS p);
    DELETE FROM logwatch.notifications AS n WHERE n.created_at < keep_from AND n.state IN ('sent', 'failed', 'suppressed');
    DELETE FROM logwatch.alerts AS a WHERE a.state = 'resolved' AND a.resolved_at < keep_from AND a.met_until < keep_from;
    DELETE FROM logwatch.attempts AS t WHERE t.at < keep_from;
    DELETE FROM logwatch.silences AS s WHERE s.ends_at < keep_from AND s.repeat_every IS NULL;
    DELETE FROM logwatch.gaps AS g WHERE g.noticed_at < keep_from;
    -- Not those that are done: as long as the file is there, its row is what keeps it from being read again.
    DELETE FROM logwatch.files AS f WHERE f.state IN ('truncated', 'removed') AND f.updated_at < keep_from;
    DELETE FROM logwatch.patterns AS p
     WHERE p.last_seen < keep_from AND NOT EXISTS (SELECT FROM logwatch.counts AS c WHERE c.fingerprint = p.fingerprint AND c.second >= keep_from);
    DELETE FROM logwatch.edges AS e WHERE e.left_at < keep_from;
    UPDATE logwatch.progress SET maintained_at = clock_timestamp();
    RETURN format('partitions made %s, dropped %s; counts folded %s%s', made, dropped, folded, busy);
END
$$;

COMMENT ON FUNCTION logwatch.maintain() IS 'What logwatch_maintain() does; private';

CREATE OR REPLACE FUNCTION logwatch_maintain() RETURNS text
    LANGUAGE sql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$ SELECT logwatch.maintain() $$;

COMMENT ON FUNCTION logwatch_maintain() IS 'Makes partitions ahead, drops those older than logwatch.retention, folds and prunes; the worker does it by itself';

CREATE OR REPLACE FUNCTION logwatch.restored_batch() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    -- Its transaction id belongs to another server; this one never calls it new.
    NEW.xid := '0';
    RETURN NEW;
END
$$;

COMMENT ON FUNCTION logwatch.restored_batch() IS 'A batch of a dump has been checked already; private';

CREATE OR REPLACE TRIGGER batches_restored BEFORE INSERT ON logwatch.batches FOR EACH ROW WHEN (NEW.received_at < now()) EXECUTE FUNCTION logwatch.restored_batch();

COMMENT ON TRIGGER batches_restored ON logwatch.batches IS 'A batch of a dump has been checked already';

CREATE OR REPLACE FUNCTION logwatch.restored_notification() RETURNS trigger
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

COMMENT ON FUNCTION logwatch.restored_notification() IS 'What was waiting when a dump was made is not sent by the server that it is restored to; private';

CREATE OR REPLACE TRIGGER notifications_restored BEFORE INSERT ON logwatch.notifications FOR EACH ROW
    WHEN (NEW.state IN ('queued', 'sending') AND NEW.created_at < now()) EXECUTE FUNCTION logwatch.restored_notification();

COMMENT ON TRIGGER notifications_restored ON logwatch.notifications IS 'What was waiting when a dump was made is not sent by the server that it is restored to';

DO $$
DECLARE
    object record;
    path constant text := pg_catalog.current_setting('search_path');
BEGIN
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    FOR object IN
        SELECT p.oid::regprocedure AS name, CASE p.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END AS kind
          FROM pg_proc AS p JOIN pg_depend AS d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
          JOIN pg_extension AS e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass
         WHERE e.extname = 'logwatch'
    LOOP
        EXECUTE format('REVOKE ALL ON %s %s FROM PUBLIC', object.kind, object.name);
    END LOOP;
    PERFORM set_config('search_path', path, true);
END
$$;

REVOKE ALL ON SCHEMA logwatch FROM PUBLIC;

REVOKE ALL ON ALL TABLES IN SCHEMA logwatch FROM PUBLIC;

REVOKE ALL ON TYPE logwatch.level FROM PUBLIC;

GRANT USAGE ON TYPE logwatch.level TO pg_monitor;

GRANT USAGE ON SCHEMA logwatch TO pg_monitor;

GRANT SELECT ON ALL TABLES IN SCHEMA logwatch TO pg_monitor;

REVOKE ALL ON logwatch_fleet FROM PUBLIC;

GRANT SELECT ON logwatch_fleet TO pg_monitor;

GRANT EXECUTE ON FUNCTION logwatch_status(), logwatch_files(text), logwatch_alert_json(bigint), logwatch_backtest(text, timestamptz, timestamptz), logwatch_nagios(),
    logwatch_report_html(interval), logwatch.read_metrics(), logwatch.read_fleet() TO pg_monitor;

DO $$
DECLARE
    name text;
    path constant text := pg_catalog.current_setting('search_path');
BEGIN
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    FOREACH name IN ARRAY ARRAY['sources', 'files', 'read_errors', 'pauses', 'gaps', 'entries_default', 'patterns', 'counts', 'batches', 'alerts', 'notifications', 'attempts', 'silences', 'edges', 'beats', 'rules'] LOOP
        PERFORM pg_extension_config_dump(format('logwatch.%I', name)::regclass, '');
    END LOOP;
    FOREACH name IN ARRAY ARRAY['gaps', 'entries', 'alerts', 'notifications', 'silences'] LOOP
        PERFORM pg_extension_config_dump(pg_get_serial_sequence(format('logwatch.%I', name), 'id')::regclass, '');
        EXECUTE format('COMMENT ON SEQUENCE %s IS %L', pg_get_serial_sequence(format('logwatch.%I', name), 'id'), format('Ids of logwatch.%I', name));
    END LOOP;
    PERFORM set_config('search_path', path, true);
END
$$;
