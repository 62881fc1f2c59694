//! Alerts that become due for one recipient in the same check come as one mail, in the thread of
//! each of them.

use anyhow::Result;
use logwatch_tests::mail_sink::{Action, MailSink, Step};
use logwatch_tests::server::Server;
use logwatch_tests::wait::wait_until;

use crate::{SOON, hurry_retries, mailing_server};

/// A server with the rules `alpha` (critical), `beta` and `gamma`; `gamma` also goes to the DBA.
fn server_with_three_rules(sink: &MailSink) -> Result<Server> {
    let server = mailing_server(sink, &[])?;
    server.sql(
        "DELETE FROM logwatch.rules;
         INSERT INTO logwatch.rules (name, match, threshold, severity, channels, keep_firing_for) VALUES
             ('alpha', 'alpha', 1, 'critical', '{email}', '1 hour'),
             ('beta', 'beta', 1, 'warning', '{email}', '1 hour'),
             ('gamma', 'gamma', 1, 'warning', '{email}', '1 hour');
         UPDATE logwatch.rules SET recipients = '{ops@example.com,dba@example.com}' WHERE name = 'gamma'",
    )?;
    Ok(server)
}

/// Waits until every mail has been recorded as sent.
fn wait_until_sent(server: &Server) -> Result<()> {
    server.wait_for_sql(
        SOON,
        "SELECT count(*) FROM logwatch.notifications WHERE state <> 'sent'",
        "0",
    )
}

#[test]
fn alerts_of_one_check_are_one_mail_in_the_thread_of_each() -> Result<()> {
    let sink = MailSink::plain()?;
    let server = server_with_three_rules(&sink)?;
    server.sql("SELECT logwatch_ingest('ERROR beta down', 'web1')")?;
    let beta = sink.wait_for_subject(SOON, "beta")?;
    assert_eq!(beta.subject(), "[FIRING:1] beta on web1: beta down");
    wait_until_sent(&server)?;

    server.sql(
        "SELECT logwatch_ingest(ARRAY['ERROR gamma off', E'ERROR alpha down\\n\\tat Main.java:7'], 'web1')",
    )?;
    let both = sink.wait_for_subject(SOON, "alpha")?;
    assert_eq!(
        both.subject(),
        "[FIRING:1] alpha (critical) on web1, 1 more alert: alpha down"
    );
    assert_eq!(both.to, ["ops@example.com"]);
    assert_eq!(both.header("In-Reply-To"), None);
    let alone = sink.wait_for_subject(SOON, "[FIRING:1] gamma on web1: gamma off")?;
    assert_eq!(alone.to, ["dba@example.com"]);
    assert!(
        both.text().starts_with(
            " 1. [FIRING:1] alpha (critical) on web1: alpha down\n 2. [FIRING:1] gamma on web1: gamma off\n\n1 of 2 ---"
        ),
        "{}",
        both.text()
    );
    for part in [both.text(), both.html()] {
        for wanted in [
            "1 of 2",
            "2 of 2",
            "at Main.java:7",
            "logwatch_ack(2::bigint,",
            "logwatch_ack(3::bigint,",
            "logwatch_alert_entries(2::bigint)",
            "logwatch_alert_entries(3::bigint)",
            "alerts ",
        ] {
            assert_eq!(part.matches(wanted).count(), 1, "{wanted}\n{part}");
        }
        assert_eq!(part.matches("Connect: psql").count(), 1, "{part}");
    }
    wait_until_sent(&server)?;
    assert_eq!(
        server.sql(
            "SELECT count(*), count(DISTINCT n.message_id), count(a.outcome) FROM logwatch.notifications AS n
               JOIN logwatch.attempts AS a ON a.notification_id = n.id WHERE n.recipient = 'ops@example.com' AND n.seq = 1"
        )?,
        "3|2|3"
    );

    // All of them end in the same check.
    server.sql("UPDATE logwatch.rules SET enabled = false")?;
    let over = sink.wait_for_subject(SOON, "[RESOLVED] alpha")?;
    assert_eq!(
        over.subject(),
        "[RESOLVED] alpha (critical) on web1, 2 more over: alpha down"
    );
    assert_eq!(
        over.header("In-Reply-To"),
        Some(format!("{} {}", both.message_id(), beta.message_id()))
    );
    assert_eq!(
        over.header("References"),
        Some(format!("{} {}", beta.message_id(), both.message_id()))
    );
    for repeated in [" in all", "Sources", "web1 (1)"] {
        assert!(!over.text().contains(repeated), "{}", over.text());
    }
    let dba = sink.wait_for_subject(SOON, "[RESOLVED] gamma")?;
    assert_eq!(dba.header("In-Reply-To"), Some(alone.message_id()));
    wait_until_sent(&server)?;
    assert_eq!(sink.mails().len(), 5);
    Ok(())
}

#[test]
fn a_mail_about_several_alerts_is_repeated_whole_with_its_message_id() -> Result<()> {
    let sink = MailSink::plain()?;
    let server = server_with_three_rules(&sink)?;
    sink.times(1, Step::EndOfData, Action::reply("451 4.3.0 later"));
    server.sql("SELECT logwatch_ingest(ARRAY['ERROR alpha down', 'ERROR beta down'], 'web1')")?;
    server.wait_for_sql(
        SOON,
        "SELECT count(*) FROM logwatch.notifications WHERE state = 'queued' AND last_code = 451 AND attempts = 1",
        "2",
    )?;
    // Its server process dies after the mail server has the mail, and before that is known.
    sink.times(1, Step::EndOfData, Action::KeepAndStall);
    let reached = sink.reached(&Step::EndOfData);
    hurry_retries(&server)?;
    wait_until(SOON, "the second attempt", || {
        Ok(sink.reached(&Step::EndOfData) > reached)
    })?;
    let worker = server.wait_for_worker(SOON, None)?;
    server.sql(&format!("SELECT pg_terminate_backend({worker}, 10000)"))?;
    sink.behave();
    wait_until_sent(&server)?;
    let mails = sink.mails_with_subject("alpha (critical) on web1, 1 more alert");
    assert_eq!(mails.len(), 2);
    assert_eq!(mails[0].message_id(), mails[1].message_id());
    assert_eq!(mails[0].text(), mails[1].text());
    assert_eq!(sink.mails().len(), 2);
    Ok(())
}

#[test]
fn a_mail_about_many_alerts_has_at_most_64_kb() -> Result<()> {
    let sink = MailSink::plain()?;
    let server = mailing_server(&sink, &[])?;
    server.sql(
        "DELETE FROM logwatch.rules;
         INSERT INTO logwatch.rules (name, match, threshold, channels) SELECT 'rule ' || i, 'w' || translate(i::text, '0123456789', 'abcdefghij') || 'x', 1, '{email}' FROM generate_series(1, 60) AS i;
         SELECT logwatch_ingest(array_agg('ERROR w' || translate(i::text, '0123456789', 'abcdefghij') || 'x ' || repeat(' <\"é\">', 400) || E'\\n' || repeat(E'\\tat <\"é\">\\n', 900)), 'web1')
           FROM generate_series(1, 60) AS i",
    )?;
    let mail = sink.wait_for_subject(SOON, "49 more alerts")?;
    let rest = sink.wait_for_subject(SOON, "web1, 9 more alerts")?;
    for mail in [&mail, &rest] {
        assert!(mail.raw.len() <= 64 * 1024, "{}", mail.raw.len());
        assert!(mail.text().contains("The mail has no room for the other "));
    }
    assert!(mail.text().contains("\n50. [FIRING:1] "), "{}", mail.text());
    wait_until_sent(&server)?;
    assert_eq!(sink.mails().len(), 2);
    Ok(())
}

#[test]
fn a_part_that_another_session_changes_stays_in_its_mail() -> Result<()> {
    let server = Server::without_worker(&[])?;
    server.sql(
        "INSERT INTO logwatch.notifications (alert_id, channel, recipient, reason, urgency, message_id, payload)
             SELECT a, 'email', 'ops@example.com', 'first', 2, '<one@example.com>', '{}' FROM generate_series(1, 3) AS a;
         UPDATE logwatch.notifications SET sent_with = (SELECT min(id) FROM logwatch.notifications) WHERE alert_id > 1",
    )?;
    let mut other = server.client()?;
    other.batch_execute(
        "BEGIN; UPDATE logwatch.notifications SET next_attempt_at = now() WHERE sent_with IS NOT NULL",
    )?;
    let claimed = std::thread::scope(|scope| -> Result<String> {
        let claim = scope.spawn(|| {
            server.sql(
                "SELECT jsonb_array_length(payload -> 'alerts') FROM logwatch_private.claim('email', 20)",
            )
        });
        let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
        server.wait_for_sql(SOON, waiting, "1")?;
        other.batch_execute("COMMIT")?;
        claim.join().expect("the thread does not panic")
    })?;
    assert_eq!(claimed, "3");
    assert_eq!(
        server.sql("SELECT state, count(*) FROM logwatch.notifications GROUP BY 1")?,
        "sending|3"
    );
    Ok(())
}
