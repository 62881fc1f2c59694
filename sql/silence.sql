-- Silences and acknowledgements: both hold notifications back, and neither stops counting. Hours
-- and the alert of another rule do so too.

CREATE TABLE logwatch.silences (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    rule         text NOT NULL DEFAULT '*',
    source       text NOT NULL DEFAULT '*',
    pattern      text,
    starts_at    timestamptz NOT NULL DEFAULT now(),
    ends_at      timestamptz NOT NULL,
    repeat_every interval CHECK (repeat_every >= interval '1 hour'),
    repeat_until timestamptz,
    reason       text NOT NULL DEFAULT '',
    created_by   text NOT NULL DEFAULT session_user,
    created_at   timestamptz NOT NULL DEFAULT now(),
    schedule     text,
    CHECK (ends_at > starts_at),
    CHECK (repeat_every IS NULL OR starts_at + repeat_every >= ends_at)
);
COMMENT ON TABLE logwatch.silences IS 'Times in which matching alerts send nothing; they go on counting';
COMMENT ON COLUMN logwatch.silences.rule IS 'Glob (* and ?) of rule names';
COMMENT ON COLUMN logwatch.silences.source IS 'Glob of source names: silences alerts all of whose records come from such sources';
COMMENT ON COLUMN logwatch.silences.pattern IS 'Fingerprint (hex): silences alerts all of whose records have this pattern; NULL for any';
COMMENT ON COLUMN logwatch.silences.repeat_every IS 'A maintenance window: the silence comes again after this time, 1 day or 7 days for instance';
COMMENT ON COLUMN logwatch.silences.schedule IS 'Holds only in the hours of this schedule (logwatch.schedules); NULL for all';
COMMENT ON COLUMN logwatch.silences.repeat_until IS 'No repetition begins after this time; NULL for no end';

CREATE FUNCTION logwatch_private.silence_is_active(silence logwatch.silences, asof timestamptz) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    -- Tries the repetition that began last; one earlier and one later allow for days of 23 and
    -- 25 hours.
    SELECT (silence.schedule IS NULL
            OR EXISTS (SELECT FROM logwatch.schedules AS s WHERE s.name = silence.schedule) AND logwatch_private.schedule_holds(silence.schedule, asof))
       AND (asof >= silence.starts_at AND asof < silence.ends_at
        OR silence.repeat_every IS NOT NULL AND EXISTS (
           SELECT FROM generate_series(-1, 1) AS off,
                  LATERAL (SELECT silence.repeat_every * (floor(extract(epoch FROM asof - silence.starts_at) / extract(epoch FROM silence.repeat_every)) + off)::float8 AS shift) AS s
            WHERE s.shift > interval '0' AND asof >= silence.starts_at + s.shift AND asof < silence.ends_at + s.shift
              AND (silence.repeat_until IS NULL OR silence.starts_at + s.shift <= silence.repeat_until)))
    $$;
COMMENT ON FUNCTION logwatch_private.silence_is_active(logwatch.silences, timestamptz) IS 'Whether a silence holds now, repetitions included';

CREATE FUNCTION logwatch_private.counted(alert logwatch.alerts)
    RETURNS TABLE (second timestamptz, source text, level logwatch.level, fingerprint bigint, n bigint)
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    r logwatch.rules;
BEGIN
    SELECT * INTO r FROM logwatch.rules AS k WHERE k.name = alert.rule;
    IF r.kind = 'absence' THEN
        RETURN;
    END IF;
    -- As the alert was made, whatever the rule says by now, or if it is gone.
    r.source := COALESCE(r.source, '*');
    r.level := alert.level;
    r.group_by := alert.group_by;
    RETURN QUERY
    SELECT m.minute + make_interval(secs => p % 60), src.name, m.level, m.fingerprint, p / 60
      FROM logwatch_private.minutes_of(r, alert.started_at - alert.within, alert.met_until,
               CASE WHEN alert.group_by <> 'none' THEN ARRAY[logwatch_private.group_number(alert.group_by, alert.group_key)] END) AS m
     CROSS JOIN LATERAL unnest(m.points) AS p
      JOIN logwatch.sources AS src ON src.id = m.source_id
     WHERE m.minute + make_interval(secs => p % 60) > alert.started_at - alert.within AND m.minute + make_interval(secs => p % 60) <= alert.met_until;
END
$$;
COMMENT ON FUNCTION logwatch_private.counted(logwatch.alerts) IS 'The sums that an alert is made of';

CREATE FUNCTION logwatch_private.silence_of(alert logwatch.alerts, asof timestamptz) RETURNS logwatch.silences
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    found logwatch.silences;
BEGIN
    SELECT s.* INTO found FROM logwatch.silences AS s
     WHERE logwatch_private.glob_matches(alert.rule, s.rule) AND logwatch_private.silence_is_active(s, asof)
       AND CASE WHEN s.source = '*' AND s.pattern IS NULL THEN true
                WHEN alert.group_by = 'source' AND s.pattern IS NULL THEN logwatch_private.glob_matches(alert.group_key, s.source)
                WHEN alert.group_by = 'pattern' AND s.source = '*' THEN alert.group_key = s.pattern
                -- Without records, as of a line that does not come, the rule's sources decide.
                ELSE COALESCE((SELECT bool_and(logwatch_private.glob_matches(c.source, s.source) AND (s.pattern IS NULL OR to_hex(c.fingerprint) = s.pattern))
                                 FROM logwatch_private.counted(alert) AS c),
                              s.pattern IS NULL AND (SELECT logwatch_private.glob_matches(r.source, s.source) FROM logwatch.rules AS r WHERE r.name = alert.rule)) END
     LIMIT 1;
    RETURN found;
END
$$;
COMMENT ON FUNCTION logwatch_private.silence_of(logwatch.alerts, timestamptz) IS 'Returns a silence that holds back an alert''s notifications now, or NULL';

CREATE FUNCTION logwatch_private.any_silence(asof timestamptz) RETURNS boolean
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN EXISTS (SELECT FROM logwatch.silences AS s WHERE s.ends_at > asof OR s.repeat_every IS NOT NULL);
END
$$;
COMMENT ON FUNCTION logwatch_private.any_silence(timestamptz) IS 'Whether a silence may hold: spares a look at each alert';

CREATE FUNCTION logwatch_private.is_held(r logwatch.rules, reason text, asof timestamptz) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    -- Where the hours drop what is due, they still owe the end of what they announced.
    SELECT r.inhibited_by IS NOT NULL AND EXISTS (SELECT FROM logwatch.alerts AS o WHERE o.rule = r.inhibited_by AND o.state = 'firing')
        OR (r.outside_hours = 'hold' OR reason = 'resolved') AND logwatch_private.is_outside_hours(r, asof)
    $$;
COMMENT ON FUNCTION logwatch_private.is_held(logwatch.rules, text, timestamptz) IS 'Whether a rule''s notification waits for its hours, or for the end of the alert that inhibits it';

CREATE FUNCTION logwatch_private.is_silenced(alert logwatch.alerts, asof timestamptz) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$ SELECT (logwatch_private.silence_of(alert, asof)).id IS NOT NULL $$;
COMMENT ON FUNCTION logwatch_private.is_silenced(logwatch.alerts, timestamptz) IS 'Whether a silence holds back an alert''s notifications now';

CREATE FUNCTION logwatch_silence(rule text, "for" interval, reason text DEFAULT '', source text DEFAULT '*', pattern text DEFAULT NULL,
                                 starts_at timestamptz DEFAULT NULL, repeat_every interval DEFAULT NULL, repeat_until timestamptz DEFAULT NULL, schedule text DEFAULT NULL)
    RETURNS bigint
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_variable
DECLARE
    made bigint;
    begins constant timestamptz := COALESCE(starts_at, clock_timestamp());
BEGIN
    PERFORM logwatch_private.hold();
    IF "for" IS NULL OR "for" <= interval '0' OR "for" > interval '366 days' THEN
        RAISE EXCEPTION 'a silence of % is not between 0 and 366 days', "for"
            USING ERRCODE = 'invalid_parameter_value', HINT = format('For example: SELECT %s.logwatch_silence(%L::text, %L::interval, %L::text, %L::text, NULL::text, NULL::timestamptz, NULL::interval, NULL::timestamptz, NULL::text);',
                                logwatch_private.schema(), 'error', '2 hours', 'deployment', '*');
    END IF;
    IF repeat_every < interval '1 hour' OR begins + repeat_every < begins + "for" THEN
        RAISE EXCEPTION 'a silence of % cannot be repeated every %', "for", repeat_every
            USING ERRCODE = 'invalid_parameter_value', HINT = 'repeat_every must be at least an hour, and longer than the silence; for example ''1 day''.';
    END IF;
    IF NOT EXISTS (SELECT FROM logwatch.rules AS r WHERE logwatch_private.glob_matches(r.name, COALESCE(rule, '*'))) THEN
        RAISE NOTICE 'no rule matches "%" now', rule
            USING HINT = format('The rules are: %s.', (SELECT string_agg(r.name, ', ' ORDER BY r.name)
                                                         FROM (SELECT k.name FROM logwatch.rules AS k ORDER BY k.name LIMIT 20) AS r));
    END IF;
    -- A silence with an unknown schedule would hold all the time.
    IF schedule IS NOT NULL AND NOT EXISTS (SELECT FROM logwatch.schedules AS s WHERE s.name = schedule) THEN
        RAISE EXCEPTION 'schedule "%" does not exist', schedule
            USING ERRCODE = 'undefined_object', HINT = 'To make one: INSERT INTO logwatch.schedules (name, weekdays, starts, ends) VALUES (...);';
    END IF;
    INSERT INTO logwatch.silences (rule, source, pattern, starts_at, ends_at, repeat_every, repeat_until, schedule, reason)
    VALUES (COALESCE(logwatch_private.printable(rule), '*'), COALESCE(logwatch_private.printable(source), '*'), lower(pattern), begins, begins + "for", repeat_every, repeat_until, schedule, left(COALESCE(logwatch_private.printable(reason), ''), 1000))
    RETURNING id INTO made;
    RETURN made;
END
$$;
COMMENT ON FUNCTION logwatch_silence(text, interval, text, text, text, timestamptz, interval, timestamptz, text)
    IS 'Holds back notifications of the rules (glob), sources (glob) or pattern for a time, again and again with repeat_every, or in the hours of a schedule; returns its id in logwatch.silences';

CREATE FUNCTION logwatch_unsilence(id bigint) RETURNS text
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    ended logwatch.silences;
BEGIN
    PERFORM logwatch_private.hold();
    DELETE FROM logwatch.silences AS s WHERE s.id = $1 RETURNING * INTO ended;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'silence % does not exist', $1 USING ERRCODE = 'no_data_found', HINT = 'To list them: SELECT * FROM logwatch.silences;';
    END IF;
    RETURN format('silence %s of rule %s is over', ended.id, ended.rule);
END
$$;
COMMENT ON FUNCTION logwatch_unsilence(bigint) IS 'Ends a silence early; the next check announces alerts that are still firing';

-- No foreign key: an acknowledgement that is not committed must not lock the alert for checks.
CREATE TABLE logwatch.acknowledgements (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    alert_id bigint NOT NULL,
    acked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    acked_by text NOT NULL DEFAULT session_user,
    note     text NOT NULL DEFAULT '',
    worst    logwatch.level
);
CREATE INDEX acknowledgements_alert_idx ON logwatch.acknowledgements (alert_id);
COMMENT ON TABLE logwatch.acknowledgements IS 'Acknowledged alerts: they are announced again only when they get worse or resolve';
COMMENT ON COLUMN logwatch.acknowledgements.alert_id IS 'logwatch.alerts.id';
COMMENT ON COLUMN logwatch.acknowledgements.acked_by IS 'Role that acknowledged the alert';
COMMENT ON COLUMN logwatch.acknowledgements.worst IS 'Highest level among the alert''s records then';

CREATE FUNCTION logwatch_private.last_ack(alert_id bigint) RETURNS logwatch.acknowledgements
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$ SELECT k FROM logwatch.acknowledgements AS k WHERE k.alert_id = $1 ORDER BY k.id DESC LIMIT 1 $$;
COMMENT ON FUNCTION logwatch_private.last_ack(bigint) IS 'Returns the last acknowledgement of an alert, or NULL';

CREATE FUNCTION logwatch_ack(alert_id bigint, note text DEFAULT '') RETURNS text
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    rule text;
    worst logwatch.level;
BEGIN
    PERFORM logwatch_private.hold();
    -- Mails about many groups name the one of the first of these mails, which may be over.
    SELECT a.rule, a.worst INTO rule, worst FROM logwatch.alerts AS a
     WHERE a.id = $1 AND (a.state <> 'resolved' OR EXISTS (SELECT FROM logwatch.alerts AS o WHERE o.announced_with = a.id AND o.state <> 'resolved'));
    IF NOT FOUND THEN
        RAISE EXCEPTION 'open alert % does not exist', $1
            USING ERRCODE = 'no_data_found', HINT = 'To list them: SELECT id, rule, state FROM logwatch.alerts WHERE state <> ''resolved'';';
    END IF;
    INSERT INTO logwatch.acknowledgements (alert_id, note, worst) VALUES ($1, left(COALESCE(logwatch_private.printable($2), ''), 1000), worst);
    RETURN format('alert %s (%s) is acknowledged: it is not announced again until it resolves', $1, rule);
END
$$;
COMMENT ON FUNCTION logwatch_ack(bigint, text) IS 'Acknowledges an open alert: it is not repeated any more; its end is announced';

CREATE TRIGGER silences_wake AFTER INSERT OR UPDATE OR DELETE ON logwatch.silences FOR EACH STATEMENT EXECUTE FUNCTION logwatch_private.wake();
COMMENT ON TRIGGER silences_wake ON logwatch.silences IS 'Wakes the worker: it announces what an ended silence held back';
