//! Each channel has a queue and a sender of its own: a server that hangs, floods or refuses delays
//! nobody else.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, ensure};
use logwatch_tests::mail_sink::{Action, Mail, MailSink, Step};
use logwatch_tests::server::Server;
use logwatch_tests::wait::{stays, wait_until};

use crate::{INGEST_FATAL, PROMPTLY, SOON, mailing_server};

const EMAIL: &str = "SELECT state, attempts FROM logwatch.notifications WHERE channel = 'email'";
const STATUS: &str =
    "SELECT state, message FROM logwatch_status() WHERE component = 'channel' AND name = 'email'";

/// Accepts connections on 127.0.0.1 and replies with these bytes to each, or never when there are
/// none.
struct RawServer {
    port: u16,
    _thread: JoinHandle<()>,
}

impl RawServer {
    fn replying(reply: Vec<u8>) -> Result<RawServer> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().take(100) {
                let (Ok(mut stream), reply) = (stream, reply.clone()) else {
                    return;
                };
                std::thread::spawn(move || {
                    let mut request = [0; 65536];
                    let _ = stream.read(&mut request);
                    let _ = stream.write_all(&reply);
                    // Until the client goes.
                    while stream.read(&mut request).is_ok_and(|n| n > 0) {}
                });
            }
        });
        Ok(RawServer {
            port,
            _thread: thread,
        })
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook", self.port)
    }
}

/// Stores a FATAL record under a source and returns the mail about it.
fn mail_about(source: &str, server: &Server, sink: &MailSink) -> Result<Mail> {
    server.sql(&format!(
        "SELECT logwatch_ingest('FATAL out of disk space', '{source}')"
    ))?;
    sink.wait_for_subject(SOON, &format!("on {source}:"))
}

#[test]
fn a_webhook_that_hangs_delays_no_mail() -> Result<()> {
    let (sink, web) = (MailSink::plain()?, RawServer::replying(Vec::new())?);
    let url = web.url();
    let server = mailing_server(
        &sink,
        &[
            ("logwatch.webhook_url", url.as_str()),
            ("logwatch.smtp_timeout", "60s"),
        ],
    )?;
    server.sql("UPDATE logwatch.rules SET group_by = 'source'")?;
    mail_about("first", &server, &sink)?;
    server.wait_for_sql(
        SOON,
        "SELECT state FROM logwatch.notifications WHERE channel = 'webhook'",
        "sending",
    )?;
    for source in ["second", "third", "fourth"] {
        mail_about(source, &server, &sink)?;
    }
    let stuck = "SELECT count(*) FROM logwatch.notifications WHERE channel = 'webhook' AND state = 'sending'";
    assert_eq!(server.sql(stuck)?, "4");
    Ok(())
}

#[test]
fn a_flooded_server_log_delays_no_mail() -> Result<()> {
    let sink = MailSink::plain()?;
    let server = mailing_server(&sink, &[])?;
    server.sql("UPDATE logwatch.rules SET group_by = 'source'")?;
    server.sql("SELECT logwatch_report('log')")?;
    server.wait_for_sql(
        SOON,
        "SELECT state FROM logwatch.notifications WHERE reason = 'report'",
        "sent",
    )?;
    server.sql(
        "INSERT INTO logwatch.notifications (channel, reason, urgency, message_id, payload)
         SELECT n.channel, n.reason, 3, gen_random_uuid()::text, n.payload
           FROM logwatch.notifications AS n, generate_series(1, 3000) WHERE n.reason = 'report'",
    )?;
    for source in ["first", "second"] {
        mail_about(source, &server, &sink)?;
    }
    let left = server
        .sql("SELECT count(*) FROM logwatch.notifications WHERE channel = 'log' AND state = 'queued'")?;
    ensure!(
        left.parse::<i32>()? > 1000,
        "only {left} lines were left: no flood"
    );
    Ok(())
}

#[test]
fn the_most_severe_is_sent_first_and_then_the_oldest() -> Result<()> {
    let sink = MailSink::plain()?;
    let server = Server::without_worker(&[
        ("logwatch.smtp_url", &sink.url()),
        ("logwatch.email_to", "ops@example.com"),
    ])?;
    server.sql(
        "DELETE FROM logwatch.rules;
         INSERT INTO logwatch.rules (name, severity, match, channels) VALUES
            ('one', 'info', 'one', '{email}'), ('two', 'warning', 'two', '{email}'),
            ('three', 'warning', 'three', '{email}'), ('four', 'critical', 'four', '{email}')",
    )?;
    for word in ["one", "two", "three", "four"] {
        server.sql(&format!(
            "SELECT logwatch_ingest('ERROR {word}'); SELECT count(*) FROM logwatch_check()"
        ))?;
    }
    server.sql("CALL logwatch_deliver()")?;
    let subjects: Vec<String> = sink.mails().iter().map(Mail::subject).collect();
    let rules: Vec<&str> = subjects
        .iter()
        .filter_map(|subject| subject.split(' ').nth(1))
        .collect();
    assert_eq!(rules, ["four", "two", "three", "one"]);
    Ok(())
}

#[test]
fn a_server_that_scans_the_mail_for_long_is_waited_for_and_others_get_theirs() -> Result<()> {
    let sink = MailSink::plain()?;
    sink.times(1, Step::EndOfData, Action::Delay(Duration::from_secs(8)));
    let server = mailing_server(&sink, &[("logwatch.smtp_timeout", "1s")])?;
    server.sql("UPDATE logwatch.rules SET group_by = 'source'")?;
    server.sql("SELECT logwatch_ingest('FATAL out of disk space', 'scanned')")?;
    wait_until(SOON, "the first mail's end", || {
        Ok(sink.reached(&Step::EndOfData) > 0)
    })?;
    mail_about("other", &server, &sink)?;
    let first =
        "SELECT state, attempts FROM logwatch.notifications WHERE channel = 'email' ORDER BY id LIMIT 1";
    assert_eq!(server.sql(first)?, "sending|1");
    server.wait_for_sql(SOON, first, "sent|1")?;
    assert_eq!(sink.mails().len(), 2);
    Ok(())
}

#[test]
fn a_recipient_whose_server_hangs_delays_no_other_recipient() -> Result<()> {
    let sink = MailSink::plain()?;
    sink.always(Step::RcptOf("slow@example.com".to_owned()), Action::Stall);
    let to = "slow@example.com, quick@example.com";
    let server = mailing_server(&sink, &[("logwatch.email_to", to)])?;
    let stored = SystemTime::now();
    server.sql(INGEST_FATAL)?;
    let mail = sink.wait_for_subject(SOON, "[FIRING:1] fatal")?;
    assert_eq!(mail.to, ["quick@example.com"]);
    let took = mail.at.duration_since(stored)?;
    ensure!(took < PROMPTLY, "the other recipient's mail took {took:?}");
    Ok(())
}

/// Takes two minutes, in which it does nothing but wait.
#[test]
fn a_mail_that_a_server_scans_for_minutes_is_sent_once() -> Result<()> {
    let sink = MailSink::plain()?;
    sink.always(Step::EndOfData, Action::KeepAndStall);
    let server = mailing_server(&sink, &[("logwatch.smtp_timeout", "1s")])?;
    server.sql(INGEST_FATAL)?;
    server.wait_for_sql(SOON, EMAIL, "sending|1")?;
    wait_until(SOON, "the end of the mail", || {
        Ok(sink.reached(&Step::EndOfData) > 0)
    })?;
    // Longer than the lease without its renewal.
    stays(Duration::from_secs(130), "one attempt", || {
        Ok(server.sql(EMAIL)? == "sending|1" && sink.reached(&Step::Greeting) == 1)
    })
}

#[test]
fn a_server_that_does_not_greet_is_in_the_status_after_a_minute() -> Result<()> {
    let sink = MailSink::plain()?;
    sink.always(Step::Greeting, Action::Stall);
    let server = mailing_server(&sink, &[("logwatch.smtp_timeout", "1s")])?;
    server.sql(INGEST_FATAL)?;
    server.wait_for_sql(SOON, EMAIL, "sending|1")?;
    ensure!(server.sql(STATUS)?.starts_with("ok|"), "{}", server.sql(STATUS)?);
    // A minute later, in one transaction: the worker would take over a lease that is older than
    // itself.
    let status = server.sql(&format!(
        "UPDATE logwatch.notifications SET leased_at = now() - interval '61 seconds' WHERE state = 'sending'; {STATUS}"
    ))?;
    ensure!(
        status.starts_with("failing|") && status.contains("1 of them without a reply for more than a minute"),
        "{status}"
    );
    Ok(())
}

#[test]
fn a_late_greeting_is_waited_for() -> Result<()> {
    let sink = MailSink::plain()?;
    sink.times(1, Step::Greeting, Action::Delay(Duration::from_secs(3)));
    let server = mailing_server(&sink, &[("logwatch.smtp_timeout", "1s")])?;
    server.sql(INGEST_FATAL)?;
    sink.wait_for_subject(SOON, "[FIRING:1] fatal")?;
    server.wait_for_sql(SOON, EMAIL, "sent|1")
}

#[test]
fn what_the_server_refuses_of_the_sender_stays_queued_and_names_the_setting() -> Result<()> {
    for (step, refusal, setting) in [
        (
            Step::MailFrom,
            "550 5.7.1 not your address",
            "logwatch.email_from",
        ),
        (Step::Rcpt, "554 5.7.1 relay access denied", "logwatch.smtp_url"),
        (
            Step::Rcpt,
            "504 5.5.2 need a fully-qualified hostname",
            "logwatch.smtp_hello",
        ),
        // Without an enhanced code, and no other recipient that the server would take.
        (Step::Rcpt, "550 no", "logwatch.email_from"),
    ] {
        let sink = MailSink::plain()?;
        sink.always(step, Action::reply(refusal));
        let server = mailing_server(&sink, &[])?;
        server.sql(INGEST_FATAL)?;
        server.wait_for_sql(SOON, &format!("{EMAIL} AND last_code IS NOT NULL"), "queued|1")?;
        let status = server.sql(STATUS)?;
        ensure!(
            status.starts_with("failing|") && status.contains(refusal) && status.contains(setting),
            "{status}"
        );
    }
    Ok(())
}

#[test]
fn a_recipient_that_does_not_exist_is_final_and_the_channel_is_failing() -> Result<()> {
    let sink = MailSink::plain()?;
    sink.times(1, Step::Rcpt, Action::reply("550 5.1.1 no such user"));
    let server = mailing_server(&sink, &[])?;
    server.sql("UPDATE logwatch.rules SET group_by = 'source'")?;
    server.sql(INGEST_FATAL)?;
    server.wait_for_sql(SOON, EMAIL, "failed|1")?;
    let status = server.sql(STATUS)?;
    ensure!(
        status.starts_with("failing|") && status.contains("550 5.1.1 no such user"),
        "{status}"
    );
    // The next mail that arrives ends it.
    mail_about("next", &server, &sink)?;
    server.wait_for_sql(SOON, &STATUS.replace("state, message", "state"), "ok")
}

#[test]
fn an_acceptance_with_an_odd_reply_is_one_mail() -> Result<()> {
    for reply in [
        "250",
        "250 2.0.0 \u{1}\u{7f}",
        &format!("250 {}", "x".repeat(1024 * 1024)),
    ] {
        let sink = MailSink::plain()?;
        sink.always(Step::EndOfData, Action::reply(reply));
        let server = mailing_server(&sink, &[])?;
        server.sql(INGEST_FATAL)?;
        server.wait_for_sql(SOON, EMAIL, "sent|1")?;
        assert_eq!(sink.mails().len(), 1);
    }
    Ok(())
}

#[test]
fn no_reply_is_read_beyond_64_kib() -> Result<()> {
    let sink = MailSink::plain()?;
    let mebibyte = "x".repeat(1024 * 1024);
    sink.always(Step::Rcpt, Action::reply(&format!("550 5.1.1 {mebibyte}")));
    let answer = format!("HTTP/1.1 200 OK\r\nX-Long: {mebibyte}\r\n\r\n");
    let web = RawServer::replying(answer.into_bytes())?;
    let url = web.url();
    let server = mailing_server(&sink, &[("logwatch.webhook_url", url.as_str())])?;
    server.sql(INGEST_FATAL)?;
    server.wait_for_sql(
        SOON,
        "SELECT channel, state, attempts, length(last_error) < 1000 FROM logwatch.notifications
          WHERE channel <> 'log' AND last_error IS NOT NULL ORDER BY 1",
        "email|queued|1|t\nwebhook|queued|1|t",
    )?;
    let error = server.sql("SELECT last_error FROM logwatch.notifications WHERE channel = 'email'")?;
    ensure!(error.contains("longer than 64 KiB"), "{error}");
    Ok(())
}

#[test]
fn a_rule_cannot_send_mail_outside_the_allowed_domains() -> Result<()> {
    let sink = MailSink::plain()?;
    let mut server = mailing_server(&sink, &[("logwatch.email_domains", "example.com, db.test")])?;
    server.sql("CREATE ROLE author; GRANT USAGE ON SCHEMA logwatch TO author; GRANT SELECT, INSERT, UPDATE ON logwatch.rules TO author")?;
    let insert = |name: &str, to: &str| {
        format!(
            "SET ROLE author; INSERT INTO logwatch.rules (name, recipients) VALUES ('{name}', '{{{to}}}')"
        )
    };
    server.sql(&insert("inside", "a@Example.com,b@db.test,ops@example.com"))?;
    let error = server.sql_error(&insert("outside", "a@example.com,thief@example.com.evil.test"))?;
    ensure!(
        error.code == "23514"
            && error.to_string().contains("email_domains")
            && error.to_string().contains("thief@"),
        "{error}"
    );
    // A rule from before the setting was made narrower.
    server.set(&[("logwatch.email_domains", "db.test")])?;
    server.reload();
    server.wait_for_sql(SOON, "SHOW logwatch.email_domains", "db.test")?;
    server.sql("DELETE FROM logwatch.rules WHERE builtin; UPDATE logwatch.rules SET threshold = 1")?;
    server.sql(INGEST_FATAL)?;
    server.wait_for_sql(
        SOON,
        "SELECT recipient, state FROM logwatch.notifications WHERE channel = 'email' AND state IN ('sent', 'failed') ORDER BY 1",
        "a@Example.com|failed\nb@db.test|sent\nops@example.com|sent",
    )
}

#[test]
fn three_thousand_groups_of_a_rule_are_one_mail() -> Result<()> {
    let sink = MailSink::plain()?;
    let server = mailing_server(&sink, &[])?;
    server.sql(
        "DELETE FROM logwatch.rules;
         INSERT INTO logwatch.rules (name, group_by, within, keep_firing_for) VALUES ('each', 'source', '10 seconds', '1 second')",
    )?;
    // In one transaction, so that one check finds them all.
    server.sql(
        "SELECT count(logwatch_ingest('ERROR disk full', 'host' || n)) FROM generate_series(1, 3000) AS n",
    )?;
    let mail = sink.wait_for_subject(SOON, "[FIRING:1] each")?;
    ensure!(
        mail.subject().contains("and 2 999 more groups"),
        "{}",
        mail.subject()
    );
    let words: Vec<String> = mail.text().split_whitespace().map(str::to_owned).collect();
    ensure!(
        words.join(" ").contains("… and 2 979 more groups"),
        "{}",
        mail.text()
    );
    assert_eq!(
        server.sql("SELECT count(*) FROM logwatch.alerts WHERE state = 'firing'")?,
        "3000"
    );
    // One of them fires for longer: the others are not reported as resolved one by one.
    let last = mail
        .subject()
        .split(" on ")
        .nth(1)
        .and_then(|rest| rest.split(' ').next().map(str::to_owned));
    let last = last.context("the group in the subject")?;
    stays(Duration::from_secs(15), "one mail", || {
        server.sql(&format!("SELECT logwatch_ingest('ERROR disk full', '{last}')"))?;
        Ok(sink.mails().len() == 1)
    })?;
    assert_eq!(
        server.sql("SELECT count(*) FROM logwatch.alerts WHERE state = 'firing'")?,
        "1"
    );
    let over = sink.wait_for_subject(2 * SOON, "[RESOLVED] each")?;
    ensure!(
        over.subject().contains("and 2 999 more groups"),
        "{}",
        over.subject()
    );
    assert_eq!(over.header("In-Reply-To"), Some(mail.message_id()));
    assert_eq!(
        server.sql("SELECT channel, count(*) FROM logwatch.notifications GROUP BY 1 ORDER BY 1")?,
        "email|2\nlog|2"
    );
    Ok(())
}

#[test]
fn three_hundred_mails_an_hour_leave_the_server() -> Result<()> {
    let sink = MailSink::plain()?;
    let mut server = Server::without_worker(&[
        ("logwatch.smtp_url", &sink.url()),
        ("logwatch.email_to", "ops@example.com"),
    ])?;
    server.sql("SELECT logwatch_report('email')")?;
    server.sql(
        "INSERT INTO logwatch.notifications (channel, recipient, reason, message_id, payload)
         SELECT n.channel, format('%s@example.com', g), n.reason, format('<%s@db.test>', g), n.payload
           FROM logwatch.notifications AS n, generate_series(1, 310) AS g",
    )?;
    server.sql("CALL logwatch_deliver()")?;
    assert_eq!(sink.mails().len(), 300);
    assert_eq!(
        server.sql(
            "SELECT state, count(*) FROM logwatch.notifications WHERE reason = 'report' GROUP BY 1 ORDER BY 1"
        )?,
        "sent|300\nsuppressed|11"
    );
    // Each recipient of the rest is told in an hour.
    assert_eq!(
        server.sql(
            "SELECT count(*) FROM logwatch.notifications WHERE reason = 'digest' AND state = 'queued'"
        )?,
        "11"
    );
    server.sql(
        "INSERT INTO logwatch.notifications (channel, recipient, reason, message_id, payload)
         SELECT n.channel, format('more%s@example.com', g), n.reason, format('<more%s@db.test>', g), n.payload
           FROM (SELECT * FROM logwatch.notifications WHERE reason = 'report' LIMIT 1) AS n, generate_series(1, 5) AS g",
    )?;
    server.set(&[("logwatch.mails_per_hour", "304")])?;
    server.sql("SELECT pg_reload_conf()")?;
    server.wait_for_sql(SOON, "SHOW logwatch.mails_per_hour", "304")?;
    server.sql("CALL logwatch_deliver()")?;
    assert_eq!(sink.mails().len(), 304);
    Ok(())
}

#[test]
fn one_thread_is_kept_for_a_channel() -> Result<()> {
    let sink = MailSink::plain()?;
    let server = mailing_server(&sink, &[])?;
    server.sql("UPDATE logwatch.rules SET group_by = 'source'")?;
    let worker = server.wait_for_worker(SOON, None)?;
    let threads = || -> Result<usize> {
        std::fs::read_dir(format!("/proc/{worker}/task"))
            .map(Iterator::count)
            .context("the worker's threads")
    };
    for source in ["first", "second", "third"] {
        mail_about(source, &server, &sink)?;
        server.wait_for_sql(
            SOON,
            "SELECT count(*) FROM logwatch.notifications WHERE state <> 'sent'",
            "0",
        )?;
        stays(Duration::from_millis(200), "two threads", || Ok(threads()? == 2))?;
    }
    Ok(())
}

#[test]
fn a_mail_waits_for_its_claim_and_is_not_sent_without_it() -> Result<()> {
    let sink = MailSink::pipelining()?;
    let server = mailing_server(&sink, &[])?;
    // The end of the claim's transaction is slow, and fails.
    server.sql(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN PERFORM pg_catalog.pg_sleep(1); RAISE 'not today'; END $$;
         CREATE CONSTRAINT TRIGGER refuse AFTER UPDATE ON logwatch.notifications DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW WHEN (NEW.state = 'sending' AND NEW.channel = 'email') EXECUTE FUNCTION refuse()",
    )?;
    server.sql(INGEST_FATAL)?;
    // Meanwhile the server gets the envelope.
    wait_until(SOON, "two attempts", || Ok(sink.reached(&Step::Data) >= 2))?;
    assert_eq!(sink.reached(&Step::EndOfData), 0);
    server.sql("DROP TRIGGER refuse ON logwatch.notifications")?;
    server.wait_for_sql(SOON, EMAIL, "sent|1")?;
    let mails = sink.mails();
    assert_eq!(mails.len(), 1);
    assert_eq!(
        server.sql(
            "SELECT n.message_id, a.outcome FROM logwatch.attempts AS a
               JOIN logwatch.notifications AS n ON n.id = a.notification_id WHERE n.channel = 'email'"
        )?,
        format!("{}|sent", mails[0].message_id())
    );
    Ok(())
}
