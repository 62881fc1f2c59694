-- Outbox: finds the announcements that are due, queues them as rows, and delivers these: claim,
-- send, settle.

-- This one and the next are part of the query that calls them: there can be thousands of alerts.
CREATE FUNCTION logwatch_private.group_label(group_by text, group_key text) RETURNS text
    LANGUAGE sql IMMUTABLE
    AS $$ SELECT CASE WHEN group_by = 'none' THEN '' ELSE pg_catalog.regexp_replace(group_by, '^field:', '') || ' ' || group_key END $$;
COMMENT ON FUNCTION logwatch_private.group_label(text, text) IS 'Label of a group: the kind of its key, and the key';

CREATE FUNCTION logwatch_private.alert_message(alert logwatch.alerts, r logwatch.rules) RETURNS text
    LANGUAGE sql STABLE
    AS $$
    SELECT logwatch_private.rule_message(COALESCE(r.kind, 'threshold'), alert.state, alert.rule, logwatch_private.group_label(alert.group_by, alert.group_key), alert.level::text,
                                 CASE WHEN alert.state = 'resolved' THEN alert.peak ELSE alert.count END,
                                 alert.threshold, extract(epoch FROM alert.within)::bigint, CASE WHEN logwatch_private.expects_lines(r) THEN r.match END)
    $$;
COMMENT ON FUNCTION logwatch_private.alert_message(logwatch.alerts, logwatch.rules) IS 'Summary of an alert of a rule in one line; the rule is NULL when it was deleted';

CREATE FUNCTION logwatch_private.pause_before(repeats integer, repeat_every interval, repeat_factor numeric) RETURNS interval
    LANGUAGE sql IMMUTABLE
    -- An alert may have been repeated often when its rule gets another factor: a time out of range
    -- would stop the check of all rules.
    AS $$
    SELECT CASE WHEN extract(epoch FROM repeat_every) * power(repeat_factor, least(repeats, 20)) > 86400 * 3660.0 THEN interval '3660 days'
                ELSE repeat_every * power(repeat_factor, least(repeats, 20))::float8 END
    $$;
COMMENT ON FUNCTION logwatch_private.pause_before(integer, interval, numeric) IS 'Time from an announcement of an alert to the next one, by the number of repetitions so far; ten years at most';

CREATE FUNCTION logwatch_private.due_announcements(asof timestamptz)
    RETURNS TABLE (alert_id bigint, reason text)
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    any_silence constant boolean := logwatch_private.any_silence(asof);
BEGIN
    -- Compares an alert's state with the announced one: a silence only delays the difference.
    RETURN QUERY
    SELECT due.id, due.reason
      FROM (SELECT a.id, a.rule,
                   CASE WHEN a.state = 'firing' AND a.announced IS NULL
                             -- Acknowledged while a silence or its hours held it back.
                             AND (NOT acked.itself OR a.worst > COALESCE((logwatch_private.last_ack(a.id)).worst, a.level)) THEN 'first'
                        WHEN a.state = 'firing' AND a.worst > a.announced_worst THEN 'worse'
                        WHEN a.state = 'firing' AND a.escalated_at IS NULL AND r.escalate_after IS NOT NULL
                             AND (SELECT min(n.created_at) FROM logwatch.notifications AS n WHERE n.alert_id = COALESCE(a.announced_with, a.id)) + r.escalate_after <= asof
                             AND NOT acked.itself AND NOT acked.its_mail THEN 'escalated'
                        WHEN a.state = 'firing' AND a.joined_at > a.notified_at AND a.notified_at + interval '5 minutes' <= asof
                             AND a.group_by <> 'pattern' AND NOT acked.its_mail THEN 'joined'
                        WHEN a.state = 'firing' AND a.notified_at + logwatch_private.pause_before(a.repeats, r.repeat_every, r.repeat_factor) <= asof
                             AND NOT acked.itself AND NOT acked.its_mail THEN 'repeat'
                        -- Alerts that were announced together are over when the last one is.
                        WHEN a.state = 'resolved' AND a.announced = 'firing'
                             AND (a.announced_with IS NULL
                                  OR a.announced_with NOT IN (SELECT o.announced_with FROM logwatch.alerts AS o WHERE o.state <> 'resolved' AND o.announced_with IS NOT NULL))
                             THEN 'resolved'
                        WHEN a.state = 'resolved' AND a.announced IS NULL AND a.resolved_at = a.fired_at THEN 'late'
                        -- Over before the hours in which the rule notifies began. At its end
                        -- nothing else held it back; a silence may have before.
                        WHEN a.state = 'resolved' AND a.announced IS NULL AND r.notify_during IS NOT NULL AND r.outside_hours = 'hold' AND a.resolved_at > asof - interval '7 days'
                             AND (NOT acked.itself OR a.worst > COALESCE((logwatch_private.last_ack(a.id)).worst, a.level))
                             AND EXISTS (SELECT FROM logwatch.rules AS k
                                          WHERE k.name = a.rule AND (logwatch_private.is_outside_hours(k, a.fired_at) OR logwatch_private.is_outside_hours(k, a.resolved_at)))
                             AND NOT logwatch_private.is_silenced((SELECT k FROM logwatch.alerts AS k WHERE k.id = a.id), a.resolved_at)
                             AND NOT EXISTS (SELECT FROM logwatch.alerts AS o
                                              WHERE o.rule = r.inhibited_by AND o.fired_at <= a.resolved_at AND COALESCE(o.resolved_at >= a.resolved_at, true)) THEN 'held'
                   END AS reason, r.inhibited_by IS NOT NULL OR r.notify_during IS NOT NULL AS may_be_held
              FROM logwatch.alerts AS a
              LEFT JOIN logwatch.rules AS r ON r.name = a.rule
             CROSS JOIN LATERAL (
                   SELECT EXISTS (SELECT FROM logwatch.acknowledgements AS k WHERE k.alert_id = a.id) AS itself,
                          EXISTS (SELECT FROM logwatch.acknowledgements AS k WHERE k.alert_id = COALESCE(a.announced_with, a.id)) AS its_mail) AS acked
             WHERE a.state = 'firing' OR a.end_is_news
             -- Finds the reason once. The rows themselves are read below, for what is due only.
             OFFSET 0) AS due
     WHERE due.reason IS NOT NULL
       -- Mostly nothing holds a notification back; there can be thousands of alerts.
       AND NOT (any_silence AND logwatch_private.is_silenced((SELECT k FROM logwatch.alerts AS k WHERE k.id = due.id), asof))
       AND NOT (due.may_be_held AND logwatch_private.is_held((SELECT k FROM logwatch.rules AS k WHERE k.name = due.rule), due.reason, asof));
END
$$;
COMMENT ON FUNCTION logwatch_private.due_announcements(timestamptz) IS 'Alerts whose notification is due, with the reason';

CREATE FUNCTION logwatch_private.audience(alert logwatch.alerts, reason text) RETURNS TABLE (channel text, recipient text)
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
BEGIN
    -- The end goes to everyone who was notified of the alert, even if the rule has changed; all
    -- else goes to the rule's recipients.
    RETURN QUERY
    SELECT DISTINCT n.channel, n.recipient FROM logwatch.notifications AS n
     WHERE $2 = 'resolved' AND n.alert_id = COALESCE(alert.announced_with, alert.id) AND n.state <> 'failed' AND logwatch_private.channel_configured(n.channel)
    UNION ALL
    SELECT t.channel, t.recipient FROM logwatch.rules AS r
     CROSS JOIN LATERAL (SELECT ARRAY(SELECT e FROM unnest(r.escalate_to) AS e WHERE e LIKE '%@%') AS addresses) AS e
     CROSS JOIN LATERAL logwatch_private.targets(
               CASE WHEN $2 = 'escalated' THEN ARRAY(SELECT c FROM unnest(r.escalate_to) AS c WHERE c NOT LIKE '%@%') || CASE WHEN e.addresses <> '{}' THEN ARRAY['email'] END
                    ELSE r.channels END,
               CASE WHEN $2 = 'escalated' THEN e.addresses ELSE r.recipients END) AS t
     WHERE $2 <> 'resolved' AND r.name = alert.rule;
END
$$;
COMMENT ON FUNCTION logwatch_private.audience(logwatch.alerts, text) IS 'Channels and recipients of a notification about an alert';

CREATE FUNCTION logwatch_private.urgency(severity text) RETURNS smallint
    LANGUAGE sql IMMUTABLE
    AS $$ SELECT CASE severity WHEN 'critical' THEN 3 WHEN 'warning' THEN 2 WHEN 'info' THEN 1 ELSE 0 END::smallint $$;
COMMENT ON FUNCTION logwatch_private.urgency(text) IS 'Order in which a channel sends: a higher one first';

CREATE FUNCTION logwatch_private.announcement_sets(asof timestamptz, most integer DEFAULT 10)
    RETURNS TABLE (lead_id bigint, reason text, alert_ids bigint[])
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    -- When more groups of one rule than that are due at once, they share one notification, and keep
    -- sharing the later ones.
    WITH due AS (
        SELECT d.alert_id, d.reason, a.announced_with, count(*) OVER together AS groups,
               first_value(d.alert_id) OVER (together ORDER BY a.worst DESC NULLS LAST, a.peak DESC, d.alert_id) AS lead_id
          FROM logwatch_private.due_announcements(asof) AS d
         -- Alerts of a month are kept: only those that are due are read.
         CROSS JOIN LATERAL (SELECT k.* FROM logwatch.alerts AS k WHERE k.id = d.alert_id OFFSET 0) AS a
        WINDOW together AS (PARTITION BY a.rule, d.reason, a.announced_with)
    )
    SELECT s.lead_id, s.reason, array_agg(s.alert_id ORDER BY s.alert_id <> s.lead_id, s.alert_id)
      FROM (SELECT due.alert_id, due.reason,
                   CASE WHEN due.announced_with IS NOT NULL OR due.groups > most THEN due.lead_id ELSE due.alert_id END AS lead_id
              FROM due) AS s
     GROUP BY s.lead_id, s.reason
     ORDER BY s.lead_id;
END
$$;
COMMENT ON FUNCTION logwatch_private.announcement_sets(timestamptz, integer)
    IS 'Announcements that are due: each with the alert that it describes, and all alerts that it covers';

CREATE FUNCTION logwatch_private.mail_order(n logwatch.notifications) RETURNS integer[]
    LANGUAGE sql STABLE
    AS $$
    SELECT ARRAY[(n.reason IN ('resolved', 'late', 'held'))::integer, -n.urgency,
                 -COALESCE(array_position(enum_range(NULL::logwatch.level), (n.payload ->> 'worst')::logwatch.level), 0)]
    $$;
COMMENT ON FUNCTION logwatch_private.mail_order(logwatch.notifications) IS 'Place of a notification in a mail about several: the worst alert that is firing first';

CREATE FUNCTION logwatch_private.bundle(mails bigint[], most integer DEFAULT 50) RETURNS void
    LANGUAGE sql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
    -- One that waits for an earlier one of its alert gets a mail of its own: it must not hold up
    -- the others.
    UPDATE logwatch.notifications AS n SET sent_with = m.lead_id, message_id = m.message_id
      FROM (SELECT r.id, first_value(r.id) OVER mail AS lead_id, first_value(r.message_id) OVER mail AS message_id
              FROM (SELECT s.id, s.message_id, s.recipient,
                           row_number() OVER (PARTITION BY s.recipient ORDER BY logwatch_private.mail_order(s.notification), s.id) AS number
                      FROM (SELECT unnest(array_agg(k.id)) AS id
                              FROM unnest(mails) AS q (id) JOIN logwatch.notifications AS k ON k.id = q.id
                             GROUP BY k.recipient HAVING count(*) > 1 OFFSET 0) AS m
                      JOIN logwatch_private.sendable AS s ON s.id = m.id) AS r
            WINDOW mail AS (PARTITION BY r.recipient, (r.number - 1) / most ORDER BY r.number)) AS m
     WHERE n.id = m.id AND m.id <> m.lead_id
    $$;
COMMENT ON FUNCTION logwatch_private.bundle(bigint[], integer) IS 'Makes one mail of the notifications that a check queued for one recipient';

CREATE FUNCTION logwatch_private.announce(asof timestamptz) RETURNS void
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    due record;
    a logwatch.alerts;
    thread bigint;                 -- the alert that the notifications of a set belong to
    body jsonb;
    free bigint;
    mails bigint[] := '{}';
BEGIN
    FOR due IN SELECT d.lead_id, d.reason, d.alert_ids FROM logwatch_private.announcement_sets(asof) AS d LOOP
        -- Leaves an alert that another session has locked to the next tick.
        SELECT count(*) INTO free FROM (SELECT FROM logwatch.alerts AS u WHERE u.id = ANY (due.alert_ids) FOR UPDATE SKIP LOCKED) AS k;
        CONTINUE WHEN free < cardinality(due.alert_ids);
        UPDATE logwatch.alerts AS u
           SET announced = CASE WHEN due.reason IN ('late', 'held') THEN 'resolved' ELSE u.state END, announced_worst = u.worst,
               repeats = u.repeats + (due.reason = 'repeat')::integer,
               notified_at = CASE WHEN due.reason = 'escalated' THEN u.notified_at ELSE asof END,
               escalated_at = CASE WHEN due.reason = 'escalated' THEN asof ELSE u.escalated_at END, seq = u.seq + 1,
               announced_with = CASE WHEN cardinality(due.alert_ids) > 1 THEN COALESCE(u.announced_with, due.lead_id) ELSE u.announced_with END
         WHERE u.id = ANY (due.alert_ids);
        SELECT * INTO a FROM logwatch.alerts AS u WHERE u.id = due.lead_id;
        -- Outside its hours a rule may drop what is due.
        CONTINUE WHEN (SELECT logwatch_private.is_outside_hours(r, asof) FROM logwatch.rules AS r WHERE r.name = a.rule);
        thread := COALESCE(a.announced_with, a.id);
        body := logwatch_private.alert_payload(a, due.reason)
             || jsonb_build_object('thread', thread, 'thread_key', (SELECT u.group_key FROM logwatch.alerts AS u WHERE u.id = thread), 'more', cardinality(due.alert_ids) - 1,
                                   'others', (SELECT COALESCE(jsonb_agg(o.group_key ORDER BY o.id), '[]')
                                                FROM (SELECT u.id, u.group_key FROM logwatch.alerts AS u
                                                       WHERE u.id = ANY (due.alert_ids[2:21])) AS o));
        WITH added AS (
        INSERT INTO logwatch.notifications (alert_id, channel, recipient, seq, reason, urgency, message_id, in_reply_to, payload)
        SELECT thread, t.channel, t.recipient,
               (SELECT COALESCE(max(n.seq), 0) + 1 FROM logwatch.notifications AS n WHERE n.alert_id = thread),
               due.reason, logwatch_private.urgency(body ->> 'severity'), logwatch_private.new_message_id(),
               (SELECT n.message_id FROM logwatch.notifications AS n
                 WHERE n.alert_id = thread AND n.channel = t.channel AND n.recipient = t.recipient ORDER BY n.seq LIMIT 1),
               body
          FROM logwatch_private.audience(a, due.reason) AS t
        ON CONFLICT DO NOTHING
        RETURNING id, channel
        )
        SELECT mails || array_agg(added.id) FILTER (WHERE added.channel = 'email') INTO mails FROM added;
        -- Any role may LISTEN, so the payload has no details.
        PERFORM pg_notify('logwatch', jsonb_build_object('alert_id', u.id, 'state', u.state)::text)
           FROM logwatch.alerts AS u WHERE u.id = ANY (due.alert_ids);
    END LOOP;
    IF cardinality(mails) > 1 THEN
        PERFORM logwatch_private.bundle(mails);
    END IF;
END
$$;
COMMENT ON FUNCTION logwatch_private.announce(timestamptz) IS 'Queues the notifications that are due';

CREATE FUNCTION logwatch_private.targets(channels text[], recipients text[]) RETURNS TABLE (channel text, recipient text)
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    -- E-mail has one target per recipient, every other channel one.
    SELECT DISTINCT c.channel, CASE c.channel WHEN 'email' THEN address.recipient ELSE '' END
      FROM unnest(channels) AS c (channel)
      LEFT JOIN LATERAL unnest(COALESCE(recipients, logwatch_private.default_recipients())) AS address (recipient) ON c.channel = 'email'
     WHERE logwatch_private.channel_configured(c.channel) AND (c.channel <> 'email' OR address.recipient IS NOT NULL);
END
$$;
COMMENT ON FUNCTION logwatch_private.targets(text[], text[]) IS 'Targets of a notification: channel and recipient';

CREATE FUNCTION logwatch_private.new_message_id() RETURNS text
    LANGUAGE sql VOLATILE
    -- Part of the query that calls it: a check can queue thousands.
    AS $$ SELECT pg_catalog.format('<%s.logwatch@%s>', pg_catalog.gen_random_uuid(), logwatch_private.mail_domain()) $$;
COMMENT ON FUNCTION logwatch_private.new_message_id() IS 'A Message-ID (RFC 5322) that no other message has';

CREATE VIEW logwatch_private.abandoned AS
    SELECT l.leased_by
      FROM (SELECT n.leased_by, min(n.leased_at) AS leased_at FROM logwatch.notifications AS n WHERE n.state = 'sending' GROUP BY n.leased_by) AS l
     -- A process that is younger than the lease has reused the pid.
     WHERE NOT EXISTS (SELECT FROM pg_stat_get_activity(l.leased_by) AS p WHERE p.pid = l.leased_by AND p.backend_start <= l.leased_at);
COMMENT ON VIEW logwatch_private.abandoned IS 'Processes that were sending notifications and are gone';

CREATE FUNCTION logwatch_private.take_over() RETURNS void
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    -- A kept plan may come from a time with few notifications.
    SET enable_seqscan = off
    AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM logwatch.notifications AS n WHERE n.state = 'sending') THEN
        RETURN;
    END IF;
    WITH abandoned AS (
        SELECT n.id FROM logwatch.notifications AS n
         WHERE n.state = 'sending' AND n.leased_by IN (SELECT a.leased_by FROM logwatch_private.abandoned AS a) FOR UPDATE SKIP LOCKED
    ), noted AS (
        INSERT INTO logwatch.attempts (notification_id, outcome, answer)
        SELECT a.id, 'retry', 'the server process that was sending it is gone; whether it was sent is not known' FROM abandoned AS a
    )
    UPDATE logwatch.notifications AS n SET state = 'queued', next_attempt_at = clock_timestamp(), leased_at = NULL, leased_by = NULL
      FROM abandoned AS a WHERE n.id = a.id;
END
$$;
COMMENT ON FUNCTION logwatch_private.take_over() IS 'Makes the claims of a sender that is gone due at once';

CREATE FUNCTION logwatch_private.is_misdated(next_attempt_at timestamptz) RETURNS boolean
    LANGUAGE sql VOLATILE
    -- Part of the query that calls it.
    AS $$ SELECT next_attempt_at OPERATOR(pg_catalog.>) (pg_catalog.clock_timestamp() OPERATOR(pg_catalog.+) interval '65 minutes') $$;
COMMENT ON FUNCTION logwatch_private.is_misdated(timestamptz) IS 'Whether the clock was set back since: no retry waits for more than an hour';

CREATE VIEW logwatch_private.sendable AS
    SELECT n.*, n AS notification FROM logwatch.notifications AS n
     WHERE n.state IN ('queued', 'sending') AND n.sent_with IS NULL
       -- With OR, the unique index is asked for each row: thousands of reports can be queued, and
       -- a join of all with all would hold up every tick. The states are written so that no
       -- partial index fits, which would find all that wait for each.
       AND (n.alert_id IS NULL
            OR NOT EXISTS (SELECT FROM logwatch.notifications AS o
                            WHERE o.alert_id = n.alert_id AND o.channel = n.channel AND o.recipient = n.recipient AND o.seq < n.seq
                              AND o.state NOT IN ('sent', 'failed', 'suppressed')));
COMMENT ON VIEW logwatch_private.sendable
    IS 'Notifications that wait or are being sent, each with a mail of its own, without those behind an earlier one of the same alert to the same recipient: these arrive in order';

CREATE FUNCTION logwatch_private.lease(channel text, most integer)
    RETURNS TABLE (id bigint, urgency integer, recipient text, reason text, message_id text, in_reply_to text[], created_at text, payload jsonb)
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    -- Kept plans, which may come from a time with few notifications: the indexes find them.
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET enable_hashjoin = off
    SET enable_mergejoin = off
    SET enable_sort = off
    SET jit = off
    AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH due AS (
        SELECT n.id FROM logwatch_private.sendable AS n
         WHERE n.channel = $1
           AND (n.next_attempt_at <= clock_timestamp() OR logwatch_private.is_misdated(n.next_attempt_at))
         ORDER BY n.urgency DESC, n.id LIMIT most
           FOR UPDATE SKIP LOCKED
    ), part AS MATERIALIZED (
        -- As a part of the UPDATE, PostgreSQL would skip a row of the second half that another
        -- session has just changed: the mail would go without it, and it would wait for ever.
        SELECT d.id AS lead_id, d.id FROM due AS d
        UNION ALL
        SELECT d.id, n.id FROM due AS d JOIN logwatch.notifications AS n ON n.sent_with = d.id WHERE n.state IN ('queued', 'sending')
    ), claimed AS (
        -- A sender renews its lease while it waits for a server. When its process hangs, the lease
        -- expires and another sender tries.
        UPDATE logwatch.notifications AS n
           SET state = 'sending', attempts = n.attempts + 1, leased_at = clock_timestamp(), leased_by = pg_backend_pid(),
               next_attempt_at = clock_timestamp() + interval '2 minutes'
          FROM part AS p
         WHERE n.id = p.id
        RETURNING p.lead_id, logwatch_private.mail_order(n) AS place, n.*
    )
    SELECT c.lead_id, max(c.urgency)::integer, min(c.recipient), CASE WHEN count(*) > 1 THEN 'bundle' ELSE min(c.reason) END, min(c.message_id),
           COALESCE(array_agg(c.in_reply_to ORDER BY c.place, c.id) FILTER (WHERE c.in_reply_to IS NOT NULL), '{}'), logwatch_private.rfc3339(min(c.created_at)),
           CASE WHEN count(*) > 1 THEN jsonb_build_object('alerts', jsonb_agg(c.payload ORDER BY c.place, c.id)) ELSE (array_agg(c.payload))[1] END
               -- The server that sends may be a copy of the one that queued it.
               || jsonb_build_object('server', logwatch_private.server_identity())
      FROM claimed AS c GROUP BY c.lead_id ORDER BY 2 DESC, 1;
END
$$;
COMMENT ON FUNCTION logwatch_private.lease(text, integer) IS 'Leases a channel''s due notifications to this process, those of one mail together: the most severe first, then the oldest';

CREATE FUNCTION logwatch_private.claim(channel text, most integer)
    RETURNS TABLE (id bigint, urgency integer, recipient text, reason text, message_id text, in_reply_to text[], created_at text, payload jsonb)
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    PERFORM logwatch_private.take_over();
    IF $1 = 'email' THEN
        PERFORM logwatch_private.suppress();
    END IF;
    RETURN QUERY SELECT l.* FROM logwatch_private.lease($1, $2) AS l;
END
$$;
COMMENT ON FUNCTION logwatch_private.claim(text, integer) IS 'Takes a channel''s due notifications for sending, after what other senders left behind and without those above the hourly limits';

CREATE FUNCTION logwatch_private.renew_leases(ids bigint[]) RETURNS void
    LANGUAGE sql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
    UPDATE logwatch.notifications AS n SET next_attempt_at = clock_timestamp() + interval '2 minutes'
     WHERE (n.id = ANY ($1) OR n.sent_with = ANY ($1)) AND n.state = 'sending' AND n.leased_by = pg_backend_pid()
    $$;
COMMENT ON FUNCTION logwatch_private.renew_leases(bigint[]) IS 'Extends the leases of notifications that are being sent by two minutes';

CREATE FUNCTION logwatch_private.final_outcome(outcome text, attempts integer, created_at timestamptz) RETURNS text
    LANGUAGE sql VOLATILE
    -- Part of the query that calls it. As many attempts take two days: the days in which the server
    -- was down do not count, after which a mail server may start later than PostgreSQL.
    AS $$
    SELECT CASE WHEN outcome OPERATOR(pg_catalog.=) 'retry' AND attempts OPERATOR(pg_catalog.>) 50
                     AND pg_catalog.clock_timestamp() OPERATOR(pg_catalog.>) (created_at OPERATOR(pg_catalog.+) interval '48 hours') THEN 'failed' ELSE outcome END
    $$;
COMMENT ON FUNCTION logwatch_private.final_outcome(text, integer, timestamptz) IS 'Outcome of an attempt: a retry after 48 hours of attempts is a failure';

CREATE FUNCTION logwatch_private.record_attempts(ids bigint[], message_ids text[], outcomes text[], codes integer[], answers text[]) RETURNS void
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    -- As in lease().
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_hashjoin = off
    SET enable_mergejoin = off
    SET jit = off
    AS $$
BEGIN
    WITH ended AS MATERIALIZED (
        SELECT u.id, u.message_id, u.outcome, u.code, left(u.answer, 1000) AS answer
          FROM unnest(ids, message_ids, outcomes, codes, answers) AS u (id, message_id, outcome, code, answer)
    ), part AS MATERIALIZED (
        SELECT n.id, n.leased_at, logwatch_private.final_outcome(e.outcome, n.attempts, n.created_at) AS outcome, e.code, e.answer
          FROM ended AS e JOIN logwatch.notifications AS n ON n.id = e.id AND n.message_id = e.message_id
        UNION ALL
        SELECT n.id, n.leased_at, logwatch_private.final_outcome(e.outcome, n.attempts, n.created_at), e.code, e.answer
          FROM ended AS e JOIN logwatch.notifications AS n ON n.sent_with = e.id AND n.message_id = e.message_id
    ), noted AS (
        INSERT INTO logwatch.attempts (notification_id, outcome, code, answer, duration)
        SELECT p.id, p.outcome, p.code, p.answer, clock_timestamp() - p.leased_at FROM part AS p
    )
    UPDATE logwatch.notifications AS n
       SET state = CASE p.outcome WHEN 'retry' THEN 'queued' ELSE p.outcome END,
           next_attempt_at = clock_timestamp() + logwatch_private.retry_after(n.attempts),
           leased_at = NULL,
           leased_by = NULL,
           last_code = p.code,
           last_error = CASE WHEN p.outcome <> 'sent' THEN p.answer END,
           ended_at = CASE WHEN p.outcome <> 'retry' THEN clock_timestamp() END,
           sent_at = CASE WHEN p.outcome = 'sent' THEN clock_timestamp() END
      FROM part AS p
     -- Those that are being sent, written so that no partial index fits, as in sendable.
     WHERE n.id = p.id AND n.state NOT IN ('queued', 'sent', 'failed', 'suppressed');
END
$$;
COMMENT ON FUNCTION logwatch_private.record_attempts(bigint[], text[], text[], integer[], text[])
    IS 'Records how attempts ended, for all notifications of each mail: sent, failed (final) or retry';

CREATE FUNCTION logwatch_private.retry_after(attempts integer) RETURNS interval
    LANGUAGE sql IMMUTABLE
    AS $$
    SELECT COALESCE((ARRAY['30 seconds', '1 minute', '2 minutes', '5 minutes', '10 minutes', '15 minutes', '30 minutes']::interval[])[attempts],
                    interval '1 hour')
    $$;
COMMENT ON FUNCTION logwatch_private.retry_after(integer) IS 'Time until the next attempt, by the number of attempts so far';

CREATE FUNCTION logwatch_private.retry_now() RETURNS void
    LANGUAGE sql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
    UPDATE logwatch.notifications SET next_attempt_at = clock_timestamp()
     WHERE state = 'queued' AND attempts > 0 AND next_attempt_at > clock_timestamp();
    -- A logwatch.email_to that was no list of addresses is one by now: what waits goes to these.
    WITH wrong AS (
        UPDATE logwatch.notifications AS n SET state = 'failed', ended_at = clock_timestamp(), last_error = 'not an e-mail address; sent to those in logwatch.email_to instead'
         WHERE n.channel = 'email' AND n.state = 'queued' AND NOT logwatch_private.is_mail_address(n.recipient)
           AND logwatch_private.channel_problem('email') IS NULL
        RETURNING n.*
    )
    INSERT INTO logwatch.notifications (alert_id, channel, recipient, seq, reason, urgency, message_id, payload)
    SELECT w.alert_id, w.channel, r, w.seq, w.reason, w.urgency, logwatch_private.new_message_id(), w.payload
      FROM wrong AS w CROSS JOIN unnest(logwatch_private.default_recipients()) AS r
     ORDER BY w.id
        ON CONFLICT DO NOTHING
    $$;
COMMENT ON FUNCTION logwatch_private.retry_now() IS 'Makes every retry due: called at a reload, which may have corrected the settings';

CREATE FUNCTION logwatch_private.due_channels() RETURNS TABLE (channel text, seconds double precision)
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    -- Thousands can be queued: the index finds the next one of a channel, and its last one.
    SET jit = off
    SET enable_sort = off
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH RECURSIVE present AS (
        (SELECT n.channel FROM logwatch.notifications AS n WHERE n.state IN ('queued', 'sending') ORDER BY n.channel LIMIT 1)
        UNION ALL
        SELECT (SELECT n.channel FROM logwatch.notifications AS n
                 WHERE n.state IN ('queued', 'sending') AND n.channel > present.channel ORDER BY n.channel LIMIT 1)
          FROM present WHERE present.channel IS NOT NULL
    )
    SELECT c.channel,
           CASE WHEN logwatch_private.is_misdated(last.at)
                     OR EXISTS (SELECT FROM logwatch.notifications AS n
                                 WHERE n.state = 'sending' AND n.channel = c.channel AND n.leased_by IN (SELECT a.leased_by FROM logwatch_private.abandoned AS a)) THEN 0
                ELSE extract(epoch FROM next.at - clock_timestamp()) END::double precision
      FROM present AS c
     CROSS JOIN LATERAL (SELECT s.next_attempt_at AS at FROM logwatch_private.sendable AS s WHERE s.channel = c.channel ORDER BY s.next_attempt_at LIMIT 1) AS next
     CROSS JOIN LATERAL (SELECT s.next_attempt_at AS at FROM logwatch_private.sendable AS s WHERE s.channel = c.channel ORDER BY s.next_attempt_at DESC LIMIT 1) AS last
     ORDER BY c.channel;
END
$$;
COMMENT ON FUNCTION logwatch_private.due_channels() IS 'Channels that have something to send, and the seconds until the next one is due';

CREATE PROCEDURE logwatch_deliver()
    LANGUAGE c AS 'MODULE_PATHNAME', 'deliver_wrapper';
COMMENT ON PROCEDURE logwatch_deliver() IS 'Sends what is due: claims, commits, sends with no lock held, records the outcome, commits; for installations without the worker';

CREATE FUNCTION logwatch_test(channel text, recipient text DEFAULT NULL) RETURNS text
    LANGUAGE c VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'test_channel_wrapper';
COMMENT ON FUNCTION logwatch_test(text, text) IS 'Sends one test notification now and returns the server''s answer; recipient NULL is the first of logwatch.email_to';
