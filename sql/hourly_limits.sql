-- Hourly limits on mails, per recipient and for all together: a digest lists what is above them.

CREATE FUNCTION logwatch_private.mails_above_limits(most integer, most_in_all integer) RETURNS TABLE (id bigint, first_at timestamptz)
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    -- Thousands can be queued: each is to be compared with its recipient's others by a hash.
    SET enable_nestloop = off
    SET enable_mergejoin = off
    SET jit = off
    AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH had AS (
        SELECT n.recipient, count(*) AS n, count(*) FILTER (WHERE n.urgency = 3) AS critical, min(COALESCE(n.sent_at, n.created_at)) AS first_at
          FROM logwatch.notifications AS n
         -- Hardly any mail is sent later than 48 hours after it was queued.
         WHERE n.created_at > clock_timestamp() - interval '50 hours' AND n.channel = 'email' AND n.reason <> 'digest' AND n.sent_with IS NULL
           AND (n.state = 'sent' AND n.sent_at > clock_timestamp() - interval '1 hour' OR n.state = 'sending')
         GROUP BY n.recipient
    ), waiting AS (
        SELECT n.id, h.first_at,
               -- Mails of less weight keep no critical one waiting.
               row_number() OVER (PARTITION BY n.recipient ORDER BY n.urgency DESC, n.id) + COALESCE(CASE n.urgency WHEN 3 THEN h.critical ELSE h.n END, 0) AS number,
               row_number() OVER (ORDER BY n.urgency DESC, n.id) + (SELECT COALESCE(sum(had.n), 0) FROM had) AS number_in_all
          FROM logwatch.notifications AS n LEFT JOIN had AS h ON h.recipient = n.recipient
         WHERE n.channel = 'email' AND n.state = 'queued' AND n.reason <> 'digest' AND n.sent_with IS NULL AND n.next_attempt_at <= clock_timestamp()
    )
    SELECT w.id, w.first_at FROM waiting AS w WHERE w.number > most OR w.number_in_all > most_in_all;
END
$$;
COMMENT ON FUNCTION logwatch_private.mails_above_limits(integer, integer)
    IS 'Mails that are due and above the limit of their recipient, or of all together, and when the first mail of the recipient''s hour was sent';

CREATE FUNCTION logwatch_private.suppress(most integer DEFAULT 20, most_in_all integer DEFAULT logwatch_private.setting('mails_per_hour')::integer) RETURNS void
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    AS $$
DECLARE
    ids bigint[];
    first_times timestamptz[];     -- in the same order
BEGIN
    -- The hourly limits hold per recipient and for all together; one digest lists the rest after
    -- the hour.
    SELECT array_agg(m.id), array_agg(m.first_at) INTO ids, first_times FROM logwatch_private.mails_above_limits(most, most_in_all) AS m;
    IF ids IS NULL THEN
        RETURN;
    END IF;
    WITH above AS MATERIALIZED (
        SELECT * FROM unnest(ids, first_times) AS u (id, first_at)
    ), part AS MATERIALIZED (
        SELECT a.id AS lead_id, a.id, a.first_at FROM above AS a
        UNION ALL
        SELECT a.id, n.id, a.first_at FROM above AS a JOIN logwatch.notifications AS n ON n.sent_with = a.id
    ), kept AS MATERIALIZED (
        -- The end of an alert is not kept back from those who know of it, by a mail or a digest.
        SELECT q.lead_id FROM part AS q JOIN logwatch.notifications AS r ON r.id = q.id
          JOIN logwatch.notifications AS o ON o.alert_id = r.alert_id AND o.channel = r.channel AND o.recipient = r.recipient
         WHERE r.reason = 'resolved'
           AND (o.state = 'sent'
                OR o.state = 'suppressed' AND EXISTS (SELECT FROM logwatch.notifications AS d
                                                       WHERE d.channel = o.channel AND d.recipient = o.recipient AND d.reason = 'digest'
                                                         AND d.state = 'sent' AND d.sent_at > o.created_at))
    ), too_many AS (
        UPDATE logwatch.notifications AS n SET state = 'suppressed'
          FROM part AS p WHERE n.id = p.id AND n.state = 'queued' AND p.lead_id NOT IN (SELECT kept.lead_id FROM kept)
        RETURNING n.id, n.recipient, n.payload, p.first_at
    )
    INSERT INTO logwatch.notifications AS d (channel, recipient, reason, message_id, next_attempt_at, payload)
    SELECT 'email', t.recipient, 'digest', logwatch_private.new_message_id(),
           COALESCE(min(t.first_at), clock_timestamp()) + interval '1 hour',
           jsonb_build_object('host', logwatch_private.host(), 'database', current_database(), 'zone', logwatch_private.zone(),
                              'suppressed', jsonb_agg(jsonb_build_object('rule', COALESCE(t.payload ->> 'rule', 'report'), 'state', COALESCE(t.payload ->> 'state', ''),
                                                                         'reason', COALESCE(t.payload ->> 'reason', 'report')) ORDER BY t.id))
      FROM too_many AS t
     GROUP BY t.recipient
    ON CONFLICT (channel, recipient) WHERE reason = 'digest' AND state = 'queued'
    DO UPDATE SET payload = jsonb_set(d.payload, '{suppressed}', (d.payload -> 'suppressed') || (EXCLUDED.payload -> 'suppressed'));
END
$$;
COMMENT ON FUNCTION logwatch_private.suppress(integer, integer) IS 'Puts mails above the hourly limits into one digest';
