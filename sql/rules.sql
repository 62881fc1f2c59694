-- Rules: when to alert, and whom to notify. Users edit this table directly.

CREATE TABLE logwatch.rules (
    name            text PRIMARY KEY,
    kind            text NOT NULL DEFAULT 'threshold',
    level           text NOT NULL DEFAULT 'ERROR',
    source          text NOT NULL DEFAULT '*',
    match           text,
    exclude         text,
    group_by        text NOT NULL DEFAULT 'none',
    threshold       bigint NOT NULL DEFAULT 1,
    within          interval NOT NULL DEFAULT '5 minutes',
    for_at_least    interval NOT NULL DEFAULT '0',
    keep_firing_for interval NOT NULL DEFAULT '1 minute',
    repeat_every    interval DEFAULT '4 hours',
    repeat_factor   numeric NOT NULL DEFAULT 1,
    factor          numeric NOT NULL DEFAULT 3,
    learn_for       interval NOT NULL DEFAULT '1 day',
    absence_of      text NOT NULL DEFAULT 'tailer',
    severity        text NOT NULL DEFAULT 'warning',
    channels        text[] NOT NULL DEFAULT '{email,log,webhook}',
    recipients      text[],
    runbook         text,
    enabled         boolean NOT NULL DEFAULT true,
    builtin         boolean NOT NULL DEFAULT false,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    min_sources     integer NOT NULL DEFAULT 1,
    notify_during   text,
    outside_hours   text NOT NULL DEFAULT 'hold',
    escalate_after  interval,
    escalate_to     text[],
    inhibited_by    text,
    expected_during text,
    expected_since  timestamptz,
    where_fields    jsonb
);
COMMENT ON TABLE logwatch.rules IS 'When to alert and whom to notify; INSERT, UPDATE and DELETE take effect at the next check';
COMMENT ON COLUMN logwatch.rules.kind IS 'threshold: at least threshold records within the interval; new_pattern: a pattern never seen before; spike: at least threshold records, and factor times the average of the same time on the 7 days before; absence: no heartbeat, no records or no line that matches for longer than the interval';
COMMENT ON COLUMN logwatch.rules.level IS 'Counts records of this level and above: DEBUG, INFO, WARN, ERROR or FATAL, in any case';
COMMENT ON COLUMN logwatch.rules.source IS 'Counts records of sources whose name matches this glob (* and ?)';
COMMENT ON COLUMN logwatch.rules.match IS 'Regular expression that the pattern''s template must match; NULL for any. With absence_of = match the line or its message must match it';
COMMENT ON COLUMN logwatch.rules.exclude IS 'Regular expression that the pattern''s template must not match';
COMMENT ON COLUMN logwatch.rules.group_by IS 'none: one alert for all; source, pattern or field:NAME: one for each, such as field:customer';
COMMENT ON COLUMN logwatch.rules.where_fields IS 'Counts only records whose fields have these values, such as {"tenant": "a", "status": [500, 503]}';
COMMENT ON COLUMN logwatch.rules.threshold IS 'The rule fires when its window holds at least this many records';
COMMENT ON COLUMN logwatch.rules.within IS 'Length of the sliding window, by event time';
COMMENT ON COLUMN logwatch.rules.for_at_least IS 'The condition must hold for this long before the rule fires';
COMMENT ON COLUMN logwatch.rules.keep_firing_for IS 'The condition must not hold for this long before the alert resolves';
COMMENT ON COLUMN logwatch.rules.repeat_every IS 'Interval of repeated notifications while the alert fires; NULL for none';
COMMENT ON COLUMN logwatch.rules.repeat_factor IS 'Each interval is this many times the one before: 1 keeps it, 2 doubles it';
COMMENT ON COLUMN logwatch.rules.factor IS 'spike: this many times the average of the same stretch on the 7 days before';
COMMENT ON COLUMN logwatch.rules.learn_for IS 'new_pattern: patterns first seen before the rule is this old are learned, not alerted';
COMMENT ON COLUMN logwatch.rules.absence_of IS 'absence: tailer (no heartbeat), records (its files do not grow and nothing is stored), edge (a whole server of the fleet) or match (a line that matches does not come; such lines are stored with any level)';
COMMENT ON COLUMN logwatch.rules.severity IS 'info, warning or critical; for people and other tools';
COMMENT ON COLUMN logwatch.rules.created_at IS 'When the rule was made';
COMMENT ON COLUMN logwatch.rules.channels IS 'Channels: email, log (server log), webhook; only those that the settings turn on are used';
COMMENT ON COLUMN logwatch.rules.recipients IS 'E-mail addresses; NULL for those of logwatch.email_to';
COMMENT ON COLUMN logwatch.rules.runbook IS 'Instructions, a link or a sentence; printed in the mail';
COMMENT ON COLUMN logwatch.rules.builtin IS 'The extension brought this rule';
COMMENT ON COLUMN logwatch.rules.updated_at IS 'When the rule was last changed';
COMMENT ON COLUMN logwatch.rules.min_sources IS 'The window''s records must come from at least this many sources';
COMMENT ON COLUMN logwatch.rules.notify_during IS 'Sends notifications only in the hours of this schedule (logwatch.schedules); NULL for always';
COMMENT ON COLUMN logwatch.rules.outside_hours IS 'hold: what is due outside these hours is sent when they begin; drop: it is never sent, except RESOLVED';
COMMENT ON COLUMN logwatch.rules.escalate_after IS 'Notifies escalate_to of an alert that nobody has acknowledged this long after its first notification';
COMMENT ON COLUMN logwatch.rules.escalate_to IS 'E-mail addresses, and channels such as webhook:pager';
COMMENT ON COLUMN logwatch.rules.inhibited_by IS 'Sends nothing while an alert of the rule of this name fires';
COMMENT ON COLUMN logwatch.rules.expected_during IS 'absence_of = match: the line must come in the hours of this schedule, and the rule is met after their end until it comes; NULL: it must come at least once in each interval';
COMMENT ON COLUMN logwatch.rules.expected_since IS 'absence_of = match: since when the line is expected; set when the rule is made, and when what it expects is changed';

CREATE FUNCTION logwatch_private.check_rule() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    word text;
BEGIN
    IF NEW.name IS NULL OR NEW.name !~ '^[^[:cntrl:]]{1,100}$' THEN
        RAISE EXCEPTION 'a rule''s name must have 1 to 100 characters, and no control characters'
            USING ERRCODE = 'check_violation', HINT = 'It is in the subject of every mail, for example: disk.';
    END IF;
    IF NEW.kind NOT IN ('threshold', 'new_pattern', 'spike', 'absence') THEN
        RAISE EXCEPTION 'rule "%": unknown kind "%"', NEW.name, NEW.kind
            USING ERRCODE = 'check_violation', HINT = 'Use threshold, new_pattern, spike or absence.';
    END IF;
    -- An enum would refuse error and WARNING before any trigger sees them. COLLATE, because the
    -- upper case of a Turkish locale differs.
    word := upper(btrim(NEW.level) COLLATE "C");
    word := CASE word WHEN 'WARNING' THEN 'WARN' WHEN 'CRITICAL' THEN 'FATAL' ELSE word END;
    IF word IS NULL OR word NOT IN ('DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL') THEN
        RAISE EXCEPTION 'rule "%": unknown level "%"', NEW.name, NEW.level
            USING ERRCODE = 'check_violation', HINT = 'Use DEBUG, INFO, WARN, ERROR or FATAL.';
    END IF;
    NEW.level := word;
    IF NEW.severity NOT IN ('info', 'warning', 'critical') THEN
        RAISE EXCEPTION 'rule "%": unknown severity "%"', NEW.name, NEW.severity
            USING ERRCODE = 'check_violation', HINT = 'Use info, warning or critical.';
    END IF;
    IF NEW.absence_of NOT IN ('tailer', 'records', 'edge', 'match') THEN
        RAISE EXCEPTION 'rule "%": unknown absence_of "%"', NEW.name, NEW.absence_of
            USING ERRCODE = 'check_violation', HINT = 'Use tailer, records, edge or match.';
    END IF;
    IF NEW.factor <= 1 OR NEW.repeat_factor < 1 OR NEW.factor = 'NaN' OR NEW.repeat_factor = 'NaN' THEN
        RAISE EXCEPTION 'rule "%": factor must be more than 1, and repeat_factor at least 1', NEW.name
            USING ERRCODE = 'check_violation', HINT = 'For example: factor = 3, repeat_factor = 2.';
    END IF;
    -- The kind decides the grouping of these.
    IF NEW.kind = 'new_pattern' THEN
        NEW.group_by := 'pattern';
    ELSIF NEW.kind = 'absence' THEN
        NEW.group_by := CASE NEW.absence_of WHEN 'edge' THEN 'edge' WHEN 'match' THEN NEW.group_by ELSE 'source' END;
    END IF;
    IF NEW.threshold <= 0 THEN
        RAISE EXCEPTION 'rule "%": threshold is %, and must be at least 1', NEW.name, NEW.threshold
            USING ERRCODE = 'check_violation', HINT = 'To switch a rule off: UPDATE logwatch.rules SET enabled = false WHERE name = ...;';
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
            USING ERRCODE = 'check_violation', HINT = 'NULL turns repetition off.';
    END IF;
    -- A check adds these to a time; a result out of range would stop the check of all rules.
    IF NEW.learn_for < interval '0' OR NEW.learn_for > interval '3660 days' OR NEW.repeat_every > interval '3660 days'
       OR NEW.factor > 1000000 OR NEW.repeat_factor > 1000 OR NEW.created_at > clock_timestamp() + interval '3660 days'
       OR NEW.created_at < '1970-01-01 00:00:00+00' THEN
        RAISE EXCEPTION 'rule "%": learn_for or repeat_every is longer than 3660 days, or factor, repeat_factor or created_at is out of range', NEW.name
            USING ERRCODE = 'check_violation', HINT = 'For example: learn_for = ''1 day'', repeat_every = ''4 hours'', factor = 3, repeat_factor = 2.';
    END IF;
    IF NEW.group_by NOT IN ('none', 'source', 'pattern') AND NEW.group_by NOT LIKE 'field:%' AND NEW.kind <> 'absence'
       OR NEW.kind = 'absence' AND NEW.absence_of = 'match' AND NEW.group_by NOT IN ('none', 'source') THEN
        RAISE EXCEPTION 'rule "%": unknown group_by "%"', NEW.name, NEW.group_by
            USING ERRCODE = 'check_violation', HINT = CASE NEW.kind WHEN 'absence' THEN 'Use none or source.' ELSE 'Use none, source, pattern or field:NAME.' END;
    END IF;
    IF NEW.outside_hours NOT IN ('hold', 'drop') THEN
        RAISE EXCEPTION 'rule "%": unknown outside_hours "%"', NEW.name, NEW.outside_hours
            USING ERRCODE = 'check_violation', HINT = 'Use hold or drop.';
    END IF;
    IF (NEW.escalate_after IS NULL) <> (NEW.escalate_to IS NULL) OR cardinality(NEW.escalate_to) NOT BETWEEN 1 AND 100
       OR NEW.escalate_after < interval '1 minute' OR NEW.escalate_after > interval '366 days' THEN
        RAISE EXCEPTION 'rule "%": escalate_after and escalate_to do not fit together', NEW.name
            USING ERRCODE = 'check_violation', DETAIL = 'Both are set or none; escalate_after is between 1 minute and 366 days.',
                  HINT = 'For example: escalate_after = ''30 minutes'', escalate_to = ''{boss@example.com,webhook:pager}''.';
    END IF;
    IF NEW.inhibited_by = NEW.name THEN
        RAISE EXCEPTION 'rule "%" cannot inhibit itself', NEW.name
            USING ERRCODE = 'check_violation', HINT = 'Name the rule whose alert explains this one''s.';
    ELSIF NEW.inhibited_by IS NOT NULL
       AND EXISTS (WITH RECURSIVE inhibitor AS (
                       SELECT NEW.inhibited_by AS name
                       UNION
                       SELECT r.inhibited_by FROM inhibitor AS i JOIN logwatch.rules AS r ON r.name = i.name)
                   SELECT FROM inhibitor AS i WHERE i.name = NEW.name) THEN
        RAISE EXCEPTION 'rules "%" and "%" would inhibit each other', NEW.name, NEW.inhibited_by
            USING ERRCODE = 'check_violation', DETAIL = 'When both fire, nobody would be notified of either.',
                  HINT = format('To let "%s" notify: UPDATE logwatch.rules SET inhibited_by = NULL WHERE name = %L;', NEW.inhibited_by, NEW.inhibited_by);
    END IF;
    FOREACH word IN ARRAY NEW.channels || ARRAY(SELECT e FROM unnest(NEW.escalate_to) AS e WHERE e NOT LIKE '%@%') LOOP
        IF word IS NULL OR word !~ '^(email|log|webhook(:[a-z0-9_-]{1,63})?)$' THEN
            RAISE EXCEPTION 'rule "%": unknown channel "%"', NEW.name, word
                USING ERRCODE = 'check_violation', HINT = 'Use email, log, webhook or webhook:NAME, for example: channels = ''{email,log}''.';
        END IF;
    END LOOP;
    -- One receiver is one channel.
    NEW.channels := array_replace(NEW.channels, 'webhook:default', 'webhook');
    NEW.escalate_to := array_replace(NEW.escalate_to, 'webhook:default', 'webhook');
    IF NEW.recipients IS NOT NULL OR NEW.escalate_to IS NOT NULL THEN
        FOREACH word IN ARRAY NEW.recipients || ARRAY(SELECT e FROM unnest(NEW.escalate_to) AS e WHERE e LIKE '%@%') LOOP
            IF word IS NULL OR NOT logwatch_private.is_mail_address(word) THEN
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
        -- Those of expected lines are not PostgreSQL's.
        CONTINUE WHEN word IS NULL OR NEW.kind = 'absence';
        -- Back references are the only expressions whose matching can take exponential time.
        IF word ~ E'(^|[^\\\\])(\\\\\\\\)*\\\\[1-9]' THEN
            RAISE EXCEPTION 'rule "%": back reference in regular expression "%"', NEW.name, word
                USING ERRCODE = 'invalid_regular_expression', HINT = 'Write out the text that the group must match.';
        END IF;
        BEGIN
            -- Here the author waits, and not every check.
            PERFORM logwatch_private.limit_time(logwatch_private.setting('rule_time_limit')::integer);
            PERFORM '' ~ word;
            PERFORM FROM (SELECT p.template FROM logwatch.patterns AS p LIMIT 20000) AS t WHERE t.template ~ word;
            PERFORM logwatch_private.limit_time(0);
        EXCEPTION WHEN query_canceled THEN
            IF NOT logwatch_private.time_was_up() THEN
                RAISE;
            END IF;
            RAISE EXCEPTION 'rule "%": regular expression "%" takes too long', NEW.name, word
                USING ERRCODE = 'invalid_regular_expression',
                      DETAIL = format('Matching it with the known templates took longer than logwatch.rule_time_limit (%s ms).', logwatch_private.setting('rule_time_limit')),
                      HINT = 'Write it without nested or counted repetitions.';
        WHEN invalid_regular_expression THEN
            PERFORM logwatch_private.limit_time(0);
            RAISE EXCEPTION 'rule "%": bad regular expression "%"', NEW.name, word
                USING ERRCODE = 'invalid_regular_expression', DETAIL = SQLERRM,
                      HINT = 'match and exclude are POSIX regular expressions, as for the operator ~ ; put a backslash before special characters.';
        END;
    END LOOP;
    IF TG_OP = 'INSERT' AND NEW.builtin THEN
        -- The row of a dump replaces the rule that CREATE EXTENSION has just made.
        DELETE FROM logwatch.rules AS r WHERE r.name = NEW.name AND r.builtin;
    END IF;
    NEW.updated_at := clock_timestamp();
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION logwatch_private.check_rule() IS 'Refuses rules that cannot work, with a hint';
CREATE TRIGGER rules_check BEFORE INSERT OR UPDATE ON logwatch.rules FOR EACH ROW EXECUTE FUNCTION logwatch_private.check_rule();
COMMENT ON TRIGGER rules_check ON logwatch.rules IS 'Refuses rules that cannot work';
CREATE FUNCTION logwatch_private.check_recipients() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    outside text;
BEGIN
    SELECT address INTO outside FROM unnest(NEW.recipients || NEW.escalate_to) AS address
     WHERE address LIKE '%@%' AND NOT logwatch_private.recipient_allowed(address) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'rule "%": logwatch.email_domains does not allow mail to "%"', NEW.name, outside
            USING ERRCODE = 'check_violation',
                  DETAIL = format('Allowed are the domains %s and the addresses of logwatch.email_to.', logwatch_private.setting('email_domains')),
                  HINT = 'Name another recipient, or ask the administrator of the server to add the domain.';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION logwatch_private.check_recipients() IS 'Refuses recipients outside logwatch.email_domains';
CREATE TRIGGER rules_recipients BEFORE INSERT OR UPDATE OF recipients, escalate_to ON logwatch.rules FOR EACH ROW WHEN (NEW.recipients IS NOT NULL OR NEW.escalate_to IS NOT NULL)
    EXECUTE FUNCTION logwatch_private.check_recipients();
COMMENT ON TRIGGER rules_recipients ON logwatch.rules IS 'Refuses recipients outside logwatch.email_domains';
CREATE TRIGGER rules_wake AFTER INSERT OR UPDATE OR DELETE ON logwatch.rules FOR EACH ROW EXECUTE FUNCTION logwatch_private.wake();
COMMENT ON TRIGGER rules_wake ON logwatch.rules IS 'A changed rule is evaluated at once';

INSERT INTO logwatch.rules (name, level, threshold, within, severity, builtin) VALUES
    ('fatal', 'FATAL', 1, '5 minutes', 'critical', true),
    ('error', 'ERROR', 5, '5 minutes', 'warning', true);

CREATE FUNCTION logwatch_private.glob_matches(name text, glob text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    -- Neither SET nor STRICT, so that PostgreSQL inlines it: callers with a fixed search_path
    -- evaluate it once per row of counts.
    SELECT glob = '*' OR name LIKE translate(replace(replace(replace(glob, E'\\', E'\\\\'), '%', E'\\%'), '_', E'\\_'), '*?', '%_')
    $$;
COMMENT ON FUNCTION logwatch_private.glob_matches(text, text) IS 'Whether a name matches a glob of * and ?';

CREATE FUNCTION logwatch_private.pattern_matches(template text, pattern text) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'pattern_matches_wrapper';
COMMENT ON FUNCTION logwatch_private.pattern_matches(text, text) IS 'Whether a template matches a regular expression; each session keeps the results';

CREATE FUNCTION logwatch_private.is_plain(pattern text) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'is_plain_wrapper';
COMMENT ON FUNCTION logwatch_private.is_plain(text) IS 'Whether a regular expression is a text that matches itself: it is looked for without compiling it';
