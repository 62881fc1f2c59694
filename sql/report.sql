-- The status message for people. Public; extension/src/message.rs writes it.

CREATE FUNCTION logwatch_report(channel text DEFAULT NULL) RETURNS text
    LANGUAGE c VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'report_wrapper';
COMMENT ON FUNCTION logwatch_report(text) IS 'Status message, whether or not a threshold is met; also queues it to one channel (email, log), or to all configured ones when channel is NULL';

CREATE FUNCTION logwatch_private.queue_report(channels text[], body jsonb) RETURNS bigint
    LANGUAGE sql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
    WITH queued AS (
        INSERT INTO logwatch.notifications (channel, recipient, reason, message_id, payload)
        SELECT t.channel, t.recipient, 'report', logwatch_private.new_message_id(), body FROM logwatch_private.targets(channels, NULL) AS t
        RETURNING 1)
    SELECT count(*) FROM queued
    $$;
COMMENT ON FUNCTION logwatch_private.queue_report(text[], jsonb) IS 'Queues a report to the configured channels';
CREATE TRIGGER notifications_wake AFTER INSERT ON logwatch.notifications FOR EACH STATEMENT EXECUTE FUNCTION logwatch_private.wake();
COMMENT ON TRIGGER notifications_wake ON logwatch.notifications IS 'Wakes the worker at commit, to send';

CREATE FUNCTION logwatch_private.write_alert_file() RETURNS void
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'write_alert_file_wrapper';
COMMENT ON FUNCTION logwatch_private.write_alert_file() IS 'Rewrites logwatch.alert_file with the present status';
