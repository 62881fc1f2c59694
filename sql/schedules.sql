-- Schedules: hours of the week in local time, which rules and silences name. Users edit this table.

CREATE TABLE logwatch.schedules (
    name      text NOT NULL,
    time_zone text NOT NULL DEFAULT current_setting('log_timezone'),
    weekdays  text[] NOT NULL DEFAULT '{mon,tue,wed,thu,fri}',
    starts    time NOT NULL DEFAULT '00:00',
    ends      time NOT NULL DEFAULT '24:00',
    PRIMARY KEY (name, starts, ends, weekdays)
);
COMMENT ON TABLE logwatch.schedules IS 'Hours of the week in local time; several rows of one name add up';
COMMENT ON COLUMN logwatch.schedules.name IS 'Name that rules.notify_during and silences.schedule refer to';
COMMENT ON COLUMN logwatch.schedules.time_zone IS 'Time zone of starts and ends, Europe/Berlin for instance; its changes of the clock are followed';
COMMENT ON COLUMN logwatch.schedules.weekdays IS 'Days on which the hours begin: mon, tue, wed, thu, fri, sat, sun';
COMMENT ON COLUMN logwatch.schedules.starts IS 'First time of the day that belongs to the schedule';
COMMENT ON COLUMN logwatch.schedules.ends IS 'First time that does not belong to it any more; at or before starts it is that of the next day';

CREATE FUNCTION logwatch_private.check_schedule() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    wrong text;
BEGIN
    IF NEW.name IS NULL OR NEW.name !~ '^[^[:cntrl:]]{1,100}$' THEN
        RAISE EXCEPTION 'a schedule''s name must have 1 to 100 characters, and no control characters'
            USING ERRCODE = 'check_violation', HINT = 'For example: office hours.';
    END IF;
    BEGIN
        PERFORM now() AT TIME ZONE NEW.time_zone;
    EXCEPTION WHEN invalid_parameter_value THEN
        RAISE EXCEPTION 'schedule "%": unknown time zone "%"', NEW.name, NEW.time_zone
            USING ERRCODE = 'check_violation', HINT = 'To list them: SELECT name FROM pg_timezone_names;';
    END;
    SELECT d INTO wrong FROM unnest(NEW.weekdays) AS d WHERE d IS NULL OR d NOT IN ('mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun') LIMIT 1;
    IF FOUND OR cardinality(NEW.weekdays) = 0 THEN
        RAISE EXCEPTION 'schedule "%": unknown weekday "%"', NEW.name, COALESCE(wrong, '')
            USING ERRCODE = 'check_violation', HINT = 'For example: weekdays = ''{mon,tue,wed,thu,fri}''.';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION logwatch_private.check_schedule() IS 'Refuses schedules that cannot work, with a hint';
CREATE TRIGGER schedules_check BEFORE INSERT OR UPDATE ON logwatch.schedules FOR EACH ROW EXECUTE FUNCTION logwatch_private.check_schedule();
COMMENT ON TRIGGER schedules_check ON logwatch.schedules IS 'Refuses schedules that cannot work';
CREATE TRIGGER schedules_wake AFTER INSERT OR UPDATE OR DELETE ON logwatch.schedules FOR EACH ROW EXECUTE FUNCTION logwatch_private.wake();
COMMENT ON TRIGGER schedules_wake ON logwatch.schedules IS 'Held notifications may be due at once';

CREATE FUNCTION logwatch_private.schedule_holds(schedule text, asof timestamptz) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    -- By the clock on the wall: an hour that occurs twice belongs to the schedule twice.
    SELECT COALESCE(bool_or(
               CASE WHEN s.starts < s.ends THEN today.day = ANY (s.weekdays) AND today.at >= s.starts AND today.at < s.ends
                    ELSE today.day = ANY (s.weekdays) AND today.at >= s.starts OR today.day_before = ANY (s.weekdays) AND today.at < s.ends END), true)
      FROM logwatch.schedules AS s
     CROSS JOIN LATERAL (SELECT asof AT TIME ZONE s.time_zone AS local) AS clock
     CROSS JOIN LATERAL (SELECT clock.local::time AS at,
                                ('{mon,tue,wed,thu,fri,sat,sun}'::text[])[extract(isodow FROM clock.local)::integer] AS day,
                                ('{mon,tue,wed,thu,fri,sat,sun}'::text[])[extract(isodow FROM clock.local - interval '1 day')::integer] AS day_before) AS today
     WHERE s.name = $1
    $$;
COMMENT ON FUNCTION logwatch_private.schedule_holds(text, timestamptz) IS 'Whether a time belongs to a schedule; one that does not exist holds nothing back';

CREATE FUNCTION logwatch_private.is_outside_hours(r logwatch.rules, asof timestamptz) RETURNS boolean
    LANGUAGE sql STABLE
    -- Part of the query that calls it.
    AS $$ SELECT r.notify_during IS NOT NULL AND NOT logwatch_private.schedule_holds(r.notify_during, asof) $$;
COMMENT ON FUNCTION logwatch_private.is_outside_hours(logwatch.rules, timestamptz) IS 'Whether a rule sends nothing at a time because of its schedule';
