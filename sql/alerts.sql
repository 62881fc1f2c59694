-- Alerts, the notifications about them, and the progress of checks.

CREATE TABLE logwatch.alerts (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    rule        text NOT NULL,
    group_by    text NOT NULL DEFAULT 'none',
    group_key   text NOT NULL DEFAULT '',
    state       text NOT NULL CHECK (state IN ('pending', 'firing', 'resolved')),
    level       logwatch.level NOT NULL,
    threshold   bigint NOT NULL,
    within      interval NOT NULL,
    started_at  timestamptz NOT NULL,
    met_until   timestamptz NOT NULL,
    fired_at    timestamptz,
    resolved_at timestamptz,
    closed      text CHECK (closed IN ('disabled', 'deleted')),
    count       bigint NOT NULL,
    peak        bigint NOT NULL,
    episodes    integer NOT NULL DEFAULT 1,
    worst       logwatch.level,
    announced   text CHECK (announced IN ('firing', 'resolved')),
    announced_worst logwatch.level,
    repeats     integer NOT NULL DEFAULT 0,
    notified_at timestamptz,
    announced_with bigint,
    seq         integer NOT NULL DEFAULT 0,
    holds_until timestamptz,
    joined_at   timestamptz,
    escalated_at timestamptz,
    -- As a column, so that the announcement of an open alert writes no index.
    end_is_news boolean GENERATED ALWAYS AS (state = 'resolved' AND announced IS DISTINCT FROM 'resolved') STORED
) WITH (fillfactor = 50);
CREATE UNIQUE INDEX alerts_open_idx ON logwatch.alerts (rule, group_key) WHERE state <> 'resolved';
CREATE INDEX alerts_rule_idx ON logwatch.alerts (rule, group_key, met_until) WHERE state = 'resolved';
CREATE INDEX alerts_unannounced_idx ON logwatch.alerts (id) WHERE end_is_news;
COMMENT ON TABLE logwatch.alerts IS 'Episodes in which a rule was met: at most one open row per rule and group';
COMMENT ON COLUMN logwatch.alerts.group_by IS 'The rule''s group_by when the alert began';
COMMENT ON COLUMN logwatch.alerts.group_key IS 'Source name or fingerprint (hex) by group_by; empty for none';
COMMENT ON COLUMN logwatch.alerts.state IS 'pending (not yet for_at_least), firing or resolved';
COMMENT ON COLUMN logwatch.alerts.started_at IS 'Event time from which the rule was met';
COMMENT ON COLUMN logwatch.alerts.met_until IS 'Event time until which it is known to have been met';
COMMENT ON COLUMN logwatch.alerts.fired_at IS 'When the check noticed; much later than started_at for late records';
COMMENT ON COLUMN logwatch.alerts.resolved_at IS 'When the check resolved it';
COMMENT ON COLUMN logwatch.alerts.closed IS 'disabled or deleted when the check closed the alert because its rule was; NULL when the alert resolved by itself';
COMMENT ON COLUMN logwatch.alerts.count IS 'Records in the window at met_until';
COMMENT ON COLUMN logwatch.alerts.peak IS 'Most records that a window held';
COMMENT ON COLUMN logwatch.alerts.episodes IS 'Number of stretches in this row: more than one where one check found several';
COMMENT ON COLUMN logwatch.alerts.worst IS 'Highest level among its records';
COMMENT ON COLUMN logwatch.alerts.announced_worst IS 'Highest level that a notification has announced';
COMMENT ON COLUMN logwatch.alerts.repeats IS 'Number of repeated announcements';
COMMENT ON COLUMN logwatch.alerts.announced_with IS 'Alert whose notifications announce this one too, because many groups of the rule became due at once; NULL for notifications of its own';
COMMENT ON COLUMN logwatch.alerts.announced IS 'Last state that notifications were queued for';
COMMENT ON COLUMN logwatch.alerts.end_is_news IS 'Whether it is resolved and no notification has announced that';
COMMENT ON COLUMN logwatch.alerts.holds_until IS 'Until when the rule is met even if no record comes any more; NULL: each check finds out';
COMMENT ON COLUMN logwatch.alerts.joined_at IS 'When the youngest of its patterns was first seen, of those that came after the last notification';
COMMENT ON COLUMN logwatch.alerts.escalated_at IS 'When the rule''s escalate_to was notified';
COMMENT ON COLUMN logwatch.alerts.seq IS 'Number of the last notification';

CREATE FUNCTION logwatch_private.rename_inhibitor() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    UPDATE logwatch.rules AS r SET inhibited_by = NEW.name WHERE r.inhibited_by = OLD.name;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION logwatch_private.rename_inhibitor() IS 'A renamed rule goes on inhibiting others';
CREATE TRIGGER rules_rename AFTER UPDATE OF name ON logwatch.rules FOR EACH ROW WHEN (OLD.name <> NEW.name) EXECUTE FUNCTION logwatch_private.rename_inhibitor();
COMMENT ON TRIGGER rules_rename ON logwatch.rules IS 'A renamed rule goes on inhibiting others';

CREATE FUNCTION logwatch_private.rename_alerts() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    -- An alert that a check makes under the old name is seen here: the check has ended, and the
    -- next one begins after the commit.
    PERFORM logwatch_private.delay_checks();
    -- In REPEATABLE READ, this transaction or a check beside it may not see the other's rows: then
    -- the update fails.
    UPDATE logwatch.progress AS p SET checked_at = p.checked_at;
    -- A deleted rule of that name may have left alerts open that no check has closed yet.
    DELETE FROM logwatch.alerts AS a WHERE a.rule = NEW.name AND a.state = 'pending';
    UPDATE logwatch.alerts AS a SET state = 'resolved', resolved_at = clock_timestamp(), closed = 'deleted' WHERE a.rule = NEW.name AND a.state = 'firing';
    UPDATE logwatch.alerts AS a SET rule = NEW.name WHERE a.rule = OLD.name;
    UPDATE logwatch_private.postponed AS p SET rule = NEW.name WHERE p.rule = OLD.name;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION logwatch_private.rename_alerts() IS 'A renamed rule keeps its alerts';
-- Deferred to the commit, so that a rename holds up checks no longer than that takes.
CREATE CONSTRAINT TRIGGER rules_rename_alerts AFTER UPDATE OF name ON logwatch.rules DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (OLD.name <> NEW.name) EXECUTE FUNCTION logwatch_private.rename_alerts();
COMMENT ON TRIGGER rules_rename_alerts ON logwatch.rules IS 'A renamed rule keeps its alerts';

CREATE TABLE logwatch.notifications (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    alert_id        bigint,
    channel         text NOT NULL,
    recipient       text NOT NULL DEFAULT '',
    seq             integer NOT NULL DEFAULT 1,
    reason          text NOT NULL CHECK (reason IN ('first', 'repeat', 'joined', 'worse', 'escalated', 'resolved', 'late', 'held', 'report', 'digest')),
    state           text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'sending', 'sent', 'failed', 'suppressed')),
    urgency         smallint NOT NULL DEFAULT 0,
    attempts        integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL DEFAULT now(),
    leased_at       timestamptz,
    leased_by       integer,
    last_error      text,
    last_code       integer,
    message_id      text NOT NULL,
    in_reply_to     text,
    payload         jsonb NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    sent_at         timestamptz,
    ended_at        timestamptz,
    sent_with       bigint,
    UNIQUE (alert_id, channel, recipient, seq)
);
CREATE INDEX notifications_due_idx ON logwatch.notifications (channel, next_attempt_at) WHERE state IN ('queued', 'sending');
CREATE INDEX notifications_urgency_idx ON logwatch.notifications (channel, urgency DESC, id) WHERE state IN ('queued', 'sending');
CREATE INDEX notifications_sending_idx ON logwatch.notifications (id) WHERE state = 'sending';
CREATE INDEX notifications_sent_with_idx ON logwatch.notifications (sent_with) WHERE sent_with IS NOT NULL;
CREATE INDEX notifications_created_at_idx ON logwatch.notifications (created_at);
COMMENT ON TABLE logwatch.notifications IS 'Outbox: one row per alert, channel, recipient and seq, written in the transaction that changes the alert';
COMMENT ON COLUMN logwatch.notifications.alert_id IS 'logwatch.alerts.id; NULL for reports';
COMMENT ON COLUMN logwatch.notifications.reason IS 'Why it is sent: first, repeat, joined (a new pattern), worse (a higher level), escalated (nobody has acknowledged it), resolved, late (over before it was noticed), held (over before the notification hours began), report or digest (of suppressed ones)';
COMMENT ON COLUMN logwatch.notifications.state IS 'queued, sending, sent, failed, or suppressed: listed in a digest because the hourly limit was reached';
COMMENT ON COLUMN logwatch.notifications.urgency IS 'Severity of the rule: 3 critical, 2 warning, 1 info, 0 for reports and digests; a channel sends the highest first, then the oldest';
COMMENT ON COLUMN logwatch.notifications.ended_at IS 'Time of the success or the final failure';
COMMENT ON COLUMN logwatch.notifications.leased_at IS 'Start of the lease while the state is sending. Another sender takes over 2 minutes after its last renewal, or at once when the process is gone';
COMMENT ON COLUMN logwatch.notifications.leased_by IS 'Pid of the server process that sends it, while the state is sending';
COMMENT ON COLUMN logwatch.notifications.last_error IS 'Error of the last attempt that failed';
COMMENT ON COLUMN logwatch.notifications.last_code IS 'Reply code of the last attempt, such as 250 or 451';
COMMENT ON COLUMN logwatch.notifications.sent_with IS 'Notification whose mail brings this one, too: one check found both due for the recipient; NULL for a mail of its own';
COMMENT ON COLUMN logwatch.notifications.message_id IS 'The same on every attempt; notifications of one mail have the same';
COMMENT ON COLUMN logwatch.notifications.in_reply_to IS 'message_id of the alert''s first notification to this recipient';
COMMENT ON COLUMN logwatch.notifications.payload IS 'Data that the message is made from, as of when the row was written';

CREATE UNIQUE INDEX notifications_digest_idx ON logwatch.notifications (channel, recipient) WHERE reason = 'digest' AND state = 'queued';

CREATE TABLE logwatch.attempts (
    notification_id bigint NOT NULL,
    at              timestamptz NOT NULL DEFAULT clock_timestamp(),
    outcome         text NOT NULL,
    code            integer,
    answer          text,
    duration        interval
);
CREATE INDEX attempts_notification_idx ON logwatch.attempts (notification_id);
CREATE INDEX attempts_at_idx ON logwatch.attempts (at);
COMMENT ON TABLE logwatch.attempts IS 'Every attempt to send a notification, with its outcome; kept for logwatch.retention';
COMMENT ON COLUMN logwatch.attempts.outcome IS 'sent, retry or failed';
COMMENT ON COLUMN logwatch.attempts.code IS 'Reply code, such as 250 or 451';
COMMENT ON COLUMN logwatch.attempts.duration IS 'From the claim to the record of the outcome';

CREATE TABLE logwatch.progress (
    singleton     boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    checked_at    timestamptz NOT NULL,
    took          interval,
    maintained_at timestamptz,
    pattern_version integer
);
INSERT INTO logwatch.progress (checked_at) VALUES (now());
COMMENT ON TABLE logwatch.progress IS 'Progress of checks and maintenance; one row';
COMMENT ON COLUMN logwatch.progress.checked_at IS 'When a check last had something to evaluate';
COMMENT ON COLUMN logwatch.progress.took IS 'How long that check took; NULL before the first';
COMMENT ON COLUMN logwatch.progress.maintained_at IS 'When logwatch_maintain() last ran';
COMMENT ON COLUMN logwatch.progress.pattern_version IS 'Version of the masking that all patterns have; NULL until the next check has renewed those of an earlier one';
