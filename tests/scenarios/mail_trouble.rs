//! Mail servers that refuse, delay or vanish: nobody else suffers, nothing is lost, nothing is sent
//! twice without need.

use std::time::Duration;

use anyhow::Result;
use logwatch_tests::mail_sink::{Action, Mail, MailSink, Step};
use logwatch_tests::server::Server;
use logwatch_tests::wait::{stays, wait_for, wait_until};

use crate::{INGEST_FATAL, SOON, hurry_retries, mailing_server, shorten_rules};

const EMAIL: &str = "SELECT state, attempts FROM logwatch.notifications WHERE channel = 'email'";

/// Waits until the only e-mail has had `attempts` and is in `state`; makes retries due at once
/// meanwhile.
fn wait_for_attempts(server: &Server, state: &str, attempts: usize) -> Result<()> {
    let wanted = format!("{state}|{attempts}");
    let mut last = String::new();
    wait_until(SOON, &wanted, || {
        last = server.sql(EMAIL)?;
        if last == wanted {
            return Ok(true);
        }
        hurry_retries(server)?;
        Ok(false)
    })
    .map_err(|error| error.context(format!("the notification is {last}")))
}

#[test]
fn greylisting_is_waited_out() -> Result<()> {
    let sink = MailSink::plain()?;
    sink.times(3, Step::Rcpt, Action::reply("451 4.7.1 Greylisted, try again"));
    let server = mailing_server(&sink, &[])?;
    server.sql(INGEST_FATAL)?;
    wait_for_attempts(&server, "sent", 4)?;
    assert_eq!(sink.mails().len(), 1);
    Ok(())
}

/// A monitoring system tells of what the mail cannot. Greylisting, which takes minutes, is none.
#[test]
fn a_channel_that_cannot_deliver_is_a_warning_for_nagios() -> Result<()> {
    let sink = MailSink::plain()?;
    sink.always(Step::Rcpt, Action::reply("451 4.7.1 Greylisted, try again"));
    let server = mailing_server(&sink, &[])?;
    let line = "SELECT state, line FROM logwatch_nagios()";
    let quiet = "0|LOGWATCH OK - nothing fires | firing=0";
    server.wait_for_sql(SOON, line, quiet)?;
    shorten_rules(&server)?;
    server.sql(INGEST_FATAL)?;
    let waits = "SELECT count(*) FROM logwatch.notifications WHERE channel = 'email' AND attempts > 0";
    server.wait_for_sql(SOON, waits, "1")?;
    server.wait_for_sql(SOON, line, quiet)?;
    server.sql("UPDATE logwatch.notifications SET created_at = created_at - interval '16 minutes'")?;
    let broken = server.sql(line)?;
    assert!(
        broken.starts_with("1|LOGWATCH WARNING - nothing fires; channel email: ")
            && broken.ends_with("4.7.1 Greylisted, try again | firing=0"),
        "{broken}"
    );
    Ok(())
}

#[test]
fn resolved_never_overtakes_a_firing_mail_that_is_retried() -> Result<()> {
    let sink = MailSink::plain()?;
    sink.times(1, Step::Rcpt, Action::reply("451 4.7.1 Greylisted, try again"));
    let server = mailing_server(&sink, &[])?;
    shorten_rules(&server)?;
    server.sql(INGEST_FATAL)?;
    let states =
        "SELECT reason, state, attempts FROM logwatch.notifications WHERE channel = 'email' ORDER BY seq";
    server.wait_for_sql(SOON, states, "first|queued|1\nresolved|queued|0")?;
    stays(Duration::from_secs(2), "RESOLVED waits", || {
        Ok(server.sql(states)? == "first|queued|1\nresolved|queued|0")
    })?;
    hurry_retries(&server)?;
    server.wait_for_sql(SOON, states, "first|sent|2\nresolved|sent|1")?;
    let subjects: Vec<String> = sink.mails().iter().map(Mail::subject).collect();
    assert_eq!(subjects.len(), 2);
    assert!(
        subjects[0].starts_with("[FIRING:") && subjects[1].starts_with("[RESOLVED]"),
        "{subjects:?}"
    );
    Ok(())
}

#[test]
fn the_hourly_limit_never_holds_back_the_end_of_an_alert() -> Result<()> {
    let sink = MailSink::plain()?;
    let server = mailing_server(&sink, &[])?;
    shorten_rules(&server)?;
    server.sql(INGEST_FATAL)?;
    sink.wait_for_subject(SOON, "[FIRING:1] fatal")?;
    // As if twenty mails had reached this recipient within the hour.
    server.sql(
        "INSERT INTO logwatch.notifications (channel, recipient, reason, state, sent_at, message_id, payload)
         SELECT 'email', 'ops@example.com', 'report', 'sent', now(), format('<%s@db.test>', n), '{}' FROM generate_series(1, 20) AS n;
         SELECT logwatch_report('email')",
    )?;
    sink.wait_for_subject(SOON, "[RESOLVED] fatal")?;
    server.wait_for_sql(
        SOON,
        "SELECT reason, state FROM logwatch.notifications WHERE channel = 'email' AND state <> 'sent' ORDER BY 1",
        "digest|queued\nreport|suppressed",
    )
}

#[test]
fn a_retry_waits_half_a_minute() -> Result<()> {
    let sink = MailSink::plain()?;
    sink.always(Step::Rcpt, Action::reply("451 4.7.1 later"));
    let server = mailing_server(&sink, &[])?;
    server.sql(INGEST_FATAL)?;
    server.wait_for_sql(
        SOON,
        "SELECT state, attempts, last_code, round(extract(epoch FROM next_attempt_at - now()) / 10) IN (2, 3)
           FROM logwatch.notifications WHERE channel = 'email' AND last_code IS NOT NULL",
        "queued|1|451|t",
    )?;
    let status = server.sql("SELECT state, message FROM logwatch_status() WHERE name = 'email'")?;
    assert!(
        status.starts_with("failing|") && status.contains("451"),
        "{status}"
    );
    stays(Duration::from_secs(3), "one attempt", || {
        Ok(sink.reached(&Step::MailFrom) == 1)
    })
}

#[test]
fn a_refusal_for_good_fails_and_the_rule_goes_on() -> Result<()> {
    let sink = MailSink::plain()?;
    sink.times(1, Step::EndOfData, Action::reply("554 5.7.1 looks like spam"));
    let server = mailing_server(&sink, &[])?;
    server.sql(INGEST_FATAL)?;
    wait_for_attempts(&server, "failed", 1)?;
    assert_eq!(server.sql("SELECT state FROM logwatch.alerts")?, "firing");
    server.sql("SELECT logwatch_ingest(ARRAY['ERROR a', 'ERROR b', 'ERROR c', 'ERROR d'])")?;
    sink.wait_for_subject(SOON, "[FIRING:5] error")?;
    Ok(())
}

#[test]
fn one_bad_recipient_blocks_nobody() -> Result<()> {
    let sink = MailSink::plain()?;
    let bad = Step::RcptOf("gone@example.com".to_owned());
    sink.always(bad.clone(), Action::reply("550 5.1.1 no such user"));
    let to = "first@example.com, gone@example.com, third@example.com";
    let server = mailing_server(&sink, &[("logwatch.email_to", to)])?;
    server.sql(INGEST_FATAL)?;
    let outcomes =
        "SELECT recipient, state, last_code FROM logwatch.notifications WHERE channel = 'email' ORDER BY 1";
    server.wait_for_sql(
        SOON,
        &outcomes.replace("last_code", "CASE WHEN state = 'failed' THEN last_code END"),
        "first@example.com|sent|\ngone@example.com|failed|550\nthird@example.com|sent|",
    )?;
    stays(Duration::from_secs(2), "one mail for each good recipient", || {
        Ok(sink.mails().len() == 2)
    })?;
    assert_eq!(sink.reached(&bad), 1);
    Ok(())
}

#[test]
fn a_mail_whose_acceptance_was_not_heard_comes_again_with_the_same_message_id() -> Result<()> {
    let sink = MailSink::plain()?;
    sink.times(1, Step::EndOfData, Action::KeepAndClose);
    let server = mailing_server(&sink, &[])?;
    server.sql(INGEST_FATAL)?;
    wait_for_attempts(&server, "sent", 2)?;
    let ids: Vec<String> = sink.mails().iter().map(|mail| mail.message_id()).collect();
    assert_eq!(ids.len(), 2);
    assert_eq!(ids[0], ids[1]);
    Ok(())
}

#[test]
fn no_step_of_the_conversation_can_lose_an_alert() -> Result<()> {
    let sink = MailSink::plain()?;
    let server = mailing_server(&sink, &[("logwatch.smtp_timeout", "1s")])?;
    let steps = [
        Step::Greeting,
        Step::Ehlo,
        Step::MailFrom,
        Step::Rcpt,
        Step::Data,
        Step::EndOfData,
    ];
    let mut attempts = 1;
    for step in &steps {
        for action in [
            Action::reply("421 4.3.2 shutting down"),
            Action::Close,
            Action::Stall,
        ] {
            // For these two a server may take minutes: `senders` has them.
            if action != Action::Stall || !matches!(step, Step::Greeting | Step::EndOfData) {
                sink.times(1, step.clone(), action);
                attempts += 1;
            }
        }
    }
    server.sql(INGEST_FATAL)?;
    let mail = wait_for(SOON * 3, "the mail after all trouble", || {
        hurry_retries(&server)?;
        Ok(sink.mails().into_iter().next())
    })?;
    assert!(mail.subject().contains("fatal"));
    server.wait_for_sql(SOON, EMAIL, &format!("sent|{attempts}"))?;
    assert_eq!(server.sql("SELECT state FROM logwatch.alerts")?, "firing");
    Ok(())
}

/// Case A2.
#[test]
fn twenty_refusals_at_each_step_disable_nothing() -> Result<()> {
    let sink = MailSink::plain()?;
    let url = sink.url();
    let server = Server::without_worker(&[
        ("logwatch.smtp_url", &url),
        ("logwatch.email_to", "ops@example.com"),
    ])?;
    server.sql("UPDATE logwatch.rules SET channels = '{email}'")?;
    server.sql(INGEST_FATAL)?;
    assert_eq!(server.sql("SELECT rule FROM logwatch_check()")?, "fatal");
    let refusals = [
        // Before a recipient is named, a refusal is nothing that the recipient could mend: it is
        // never final.
        (Step::Greeting, "554 5.3.2 not today"),
        (Step::Ehlo, "550 5.7.1 go away"),
        (Step::MailFrom, "550 5.7.1 sender refused"),
        (Step::Rcpt, "450 4.2.1 mailbox busy"),
        (Step::Rcpt, "554 5.7.1 relay access denied"),
        (Step::Data, "451 4.3.0 no space"),
        (Step::EndOfData, "452 4.3.1 later"),
    ];
    for (round, (step, refusal)) in (1..).zip(&refusals) {
        sink.times(20, step.clone(), Action::reply(refusal));
        for _ in 0..20 {
            server.sql("CALL logwatch_deliver()")?;
            hurry_retries(&server)?;
        }
        assert_eq!(server.sql(EMAIL)?, format!("queued|{}", round * 20), "{step:?}");
        let code = &refusal[..3];
        assert_eq!(
            server.sql("SELECT last_code FROM logwatch.notifications")?,
            code,
            "{step:?}"
        );
    }
    assert!(sink.mails().is_empty());
    // The rules have gone on meanwhile.
    server.sql("SELECT logwatch_ingest(ARRAY['ERROR a', 'ERROR b', 'ERROR c', 'ERROR d'])")?;
    assert_eq!(server.sql("SELECT rule FROM logwatch_check()")?, "error");
    server.sql("CALL logwatch_deliver()")?;
    assert_eq!(sink.mails().len(), 2);
    assert_eq!(
        server.sql("SELECT count(*), count(*) FILTER (WHERE outcome = 'retry') FROM logwatch.attempts")?,
        "142|140"
    );
    Ok(())
}

#[test]
fn a_mail_server_that_is_down_is_not_a_dead_end() -> Result<()> {
    let port = MailSink::plain()?.port();
    // Its port is closed now.
    let server = Server::with_worker(&[
        ("logwatch.check_interval", "1s"),
        ("logwatch.smtp_url", &format!("smtp+plain://127.0.0.1:{port}")),
        ("logwatch.email_to", "ops@example.com"),
    ])?;
    server.sql(INGEST_FATAL)?;
    server.wait_for_sql(
        SOON,
        "SELECT state, attempts, last_error <> '' FROM logwatch.notifications WHERE channel = 'email' AND last_error IS NOT NULL",
        "queued|1|t",
    )?;
    // The trouble is in the log, once per attempt, and never as a record that this or another
    // logwatch would alert on.
    assert!(!server.log().contains("FATAL:"), "{}", server.log());
    Ok(())
}

#[test]
fn delivery_without_the_worker_survives_refusals_too() -> Result<()> {
    let sink = MailSink::plain()?;
    sink.times(1, Step::Rcpt, Action::reply("451 4.7.1 later"));
    let url = sink.url();
    let server = Server::without_worker(&[
        ("logwatch.smtp_url", &url),
        ("logwatch.email_to", "ops@example.com"),
    ])?;
    server.sql(INGEST_FATAL)?;
    server.sql("SELECT logwatch_check()")?;
    server.sql("CALL logwatch_deliver()")?;
    assert_eq!(server.sql(EMAIL)?, "queued|1");
    hurry_retries(&server)?;
    server.sql("CALL logwatch_deliver()")?;
    assert_eq!(server.sql(EMAIL)?, "sent|2");
    assert_eq!(sink.mails().len(), 1);
    Ok(())
}

/// Found by `make torture`, with a full data directory.
#[test]
fn an_outcome_that_cannot_be_recorded_is_recorded_later() -> Result<()> {
    let sink = MailSink::plain()?;
    let server = mailing_server(&sink, &[])?;
    server.sql("ALTER TABLE logwatch.attempts ADD CONSTRAINT full_disk CHECK (outcome IS NULL) NOT VALID")?;
    server.sql(INGEST_FATAL)?;
    sink.wait_for_subject(SOON, "[FIRING:1] fatal")?;
    server.wait_for_sql(
        SOON,
        "SELECT state FROM logwatch_status() WHERE component = 'worker'",
        "failing",
    )?;
    server.sql("ALTER TABLE logwatch.attempts DROP CONSTRAINT full_disk")?;
    // Long before the lease runs out, and without another mail.
    wait_for_attempts(&server, "sent", 1)?;
    assert_eq!(sink.mails().len(), 1);
    Ok(())
}

#[test]
fn mail_goes_out_although_checks_fail() -> Result<()> {
    let sink = MailSink::plain()?;
    sink.times(1, Step::Rcpt, Action::reply("451 4.7.1 later"));
    let server = mailing_server(&sink, &[])?;
    server.sql(INGEST_FATAL)?;
    server.wait_for_sql(
        SOON,
        "SELECT count(*) FROM logwatch.attempts WHERE code = 451",
        "1",
    )?;
    server
        .sql("ALTER TABLE logwatch.progress ADD CONSTRAINT no_check CHECK (checked_at IS NULL) NOT VALID")?;
    server.wait_for_sql(
        SOON,
        "SELECT state FROM logwatch_status() WHERE component = 'worker'",
        "failing",
    )?;
    hurry_retries(&server)?;
    sink.wait_for_subject(SOON, "[FIRING:1] fatal")?;
    Ok(())
}

#[test]
fn mail_that_a_clock_ahead_has_put_off_goes_out_when_it_is_set_back() -> Result<()> {
    let sink = MailSink::plain()?;
    sink.times(1, Step::Rcpt, Action::reply("451 4.7.1 later"));
    let server = mailing_server(&sink, &[])?;
    server.sql(INGEST_FATAL)?;
    server.wait_for_sql(
        SOON,
        "SELECT count(*) FROM logwatch.attempts WHERE code = 451",
        "1",
    )?;
    // As if the attempt had been made while the clock was a day ahead.
    server.sql(
        "UPDATE logwatch.notifications SET next_attempt_at = now() + interval '1 day' WHERE state = 'queued'",
    )?;
    sink.wait_for_subject(SOON, "[FIRING:1] fatal")?;
    Ok(())
}
