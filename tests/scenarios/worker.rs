//! The background worker: when it acts, that nothing keeps it from leaving, and that it comes back.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use logwatch_tests::mail_sink::{Action, MailSink, Step};
use logwatch_tests::server::{Server, Stop};
use logwatch_tests::wait::{stays, wait_until};

use crate::{INGEST_FATAL, PROMPTLY, SOON, mailing_server};

/// The longest that leaving may take.
#[test]
fn a_commit_wakes_the_worker() -> Result<()> {
    let sink = MailSink::plain()?;
    let server = mailing_server(&sink, &[("logwatch.check_interval", "1h")])?;
    server.wait_for_worker(SOON, None)?;

    server.sql(INGEST_FATAL)?;

    let mail = sink.wait_for_subject(SOON, "[FIRING:1] fatal")?;
    assert!(mail.text().contains("out of disk space"), "{}", mail.text());
    Ok(())
}

#[test]
fn sigterm_ends_the_worker_and_it_comes_back() -> Result<()> {
    let sink = MailSink::plain()?;
    let server = mailing_server(&sink, &[])?;
    let first = server.wait_for_worker(SOON, None)?;

    server.signal(first, libc::SIGTERM);
    wait_until(SOON, "the worker to leave", || Ok(!server.is_alive(first)))?;

    server.wait_for_worker(SOON, Some(first))?;
    server.sql(INGEST_FATAL)?;
    sink.wait_for_subject(SOON, "[FIRING:1] fatal")?;
    Ok(())
}

#[test]
fn a_silent_mail_server_holds_up_nobody() -> Result<()> {
    let sink = MailSink::plain()?;
    sink.always(Step::Greeting, Action::Stall);
    let mut server = mailing_server(&sink, &[("logwatch.smtp_timeout", "60s")])?;
    server.sql(INGEST_FATAL)?;
    wait_until(SOON, "a connection to the mail server", || {
        Ok(sink.reached(&Step::Greeting) > 0)
    })?;

    // Rules are evaluated meanwhile, and other people's DROP DATABASE is not held up (pg_net#78).
    server.sql("SELECT logwatch_ingest(ARRAY['ERROR a', 'ERROR b', 'ERROR c', 'ERROR d', 'ERROR e'])")?;
    server.wait_for_sql(
        SOON,
        "SELECT count(*) FROM logwatch.alerts WHERE rule = 'error'",
        "1",
    )?;
    server.sql("CREATE DATABASE other")?;
    let started = Instant::now();
    server.sql("DROP DATABASE other")?;
    assert!(
        started.elapsed() < PROMPTLY,
        "DROP DATABASE took {:?}",
        started.elapsed()
    );

    let took = server.stop(Stop::Fast)?;
    assert!(took < PROMPTLY, "the fast stop took {took:?}");
    Ok(())
}

#[test]
fn what_was_queued_when_the_server_died_is_sent_after_the_restart() -> Result<()> {
    let sink = MailSink::plain()?;
    sink.always(Step::MailFrom, Action::Stall);
    let mut server = mailing_server(&sink, &[])?;
    server.sql(INGEST_FATAL)?;
    wait_until(SOON, "an attempt", || Ok(sink.reached(&Step::MailFrom) > 0))?;

    server.kill()?;
    sink.behave();
    server.start()?;

    let mail = sink.wait_for_subject(SOON, "[FIRING:1] fatal")?;
    let stored = server.sql("SELECT message_id FROM logwatch.notifications WHERE channel = 'email'")?;
    assert_eq!(mail.message_id(), stored);
    Ok(())
}

/// Case A6: three alerts fire; a restart tells of none of them again, until their repetition is
/// due.
#[test]
fn a_restart_announces_nothing_again() -> Result<()> {
    let sink = MailSink::plain()?;
    let mut server = mailing_server(&sink, &[])?;
    server.sql("INSERT INTO logwatch.rules (name, group_by) VALUES ('each', 'source'); DELETE FROM logwatch.rules WHERE builtin")?;
    // With a time that is over: a check that began in between leaves what is younger to the next.
    server.sql(
        "SELECT logwatch_ingest(to_char(now() - interval '2 seconds', 'YYYY-MM-DD HH24:MI:SSOF') || ' ERROR disk full', source)
           FROM unnest('{a,b,c}'::text[]) AS source",
    )?;
    // One check finds them: one mail.
    sink.wait_for_subject(SOON, "[FIRING:1] each on a, 2 more alerts")?;
    let unsent = "SELECT count(*) FROM logwatch.notifications WHERE state <> 'sent'";
    server.wait_for_sql(SOON, unsent, "0")?;

    for stop in [Stop::Fast, Stop::Immediate] {
        server.stop(stop)?;
        server.start()?;
        let restarted = server.sql("SELECT clock_timestamp()")?;
        server.wait_for_worker(SOON, None)?;
        // A check that has found the three open alerts.
        server.wait_for_sql(
            SOON,
            &format!("SELECT checked_at > '{restarted}' FROM logwatch.progress"),
            "t",
        )?;
        stays(Duration::from_secs(2), "one mail", || Ok(sink.mails().len() == 1))?;
        assert_eq!(
            server.sql("SELECT count(*) FROM logwatch.alerts WHERE state = 'firing'")?,
            "3"
        );
    }

    server.sql(
        "UPDATE logwatch.patterns SET first_seen = first_seen - interval '4 hours';
         UPDATE logwatch.alerts SET notified_at = notified_at - interval '4 hours'",
    )?;
    wait_until(SOON, "the repetition", || Ok(sink.mails().len() == 2))?;
    assert_eq!(
        server.sql(
            "SELECT count(*) FROM logwatch.notifications WHERE reason = 'repeat' AND channel = 'email'"
        )?,
        "3"
    );
    Ok(())
}

#[test]
fn three_records_before_a_restart_and_two_after_it_make_five() -> Result<()> {
    let sink = MailSink::plain()?;
    let mut server = mailing_server(&sink, &[])?;
    server.sql("SELECT logwatch_ingest(ARRAY['ERROR a', 'ERROR b', 'ERROR c'])")?;
    server.restart()?;
    server.sql("SELECT logwatch_ingest(ARRAY['ERROR d', 'ERROR e'])")?;
    sink.wait_for_subject(SOON, "[FIRING:5] error")?;
    Ok(())
}

#[test]
fn without_preload_everything_but_the_worker_works() -> Result<()> {
    let sink = MailSink::plain()?;
    let url = sink.url();
    let mut server = Server::create(&[
        ("logwatch.smtp_url", &url),
        ("logwatch.email_to", "ops@example.com"),
    ])?;
    server.start()?;

    let created = server.psql("CREATE EXTENSION logwatch")?;
    assert!(
        created.contains("shared_preload_libraries = 'logwatch'"),
        "{created}"
    );
    let status = server.sql("SELECT state, message FROM logwatch_status() WHERE component = 'worker'")?;
    assert!(
        status.starts_with("off|") && status.contains("shared_preload_libraries"),
        "{status}"
    );

    server.sql(INGEST_FATAL)?;
    assert_eq!(
        server.sql("SELECT rule, transition FROM logwatch_check()")?,
        "fatal|firing"
    );
    assert!(sink.mails().is_empty());
    server.sql("CALL logwatch_deliver()")?;
    assert_eq!(sink.mails_with_subject("[FIRING:1] fatal").len(), 1);
    assert_eq!(
        server.sql("SELECT DISTINCT state FROM logwatch.notifications")?,
        "sent"
    );
    Ok(())
}

#[test]
fn a_worker_in_another_database_is_told_of() -> Result<()> {
    let mut server = Server::create(&[
        ("shared_preload_libraries", "logwatch"),
        ("logwatch.database", "elsewhere"),
    ])?;
    server.start()?;
    let created = server.psql("CREATE EXTENSION logwatch")?;
    assert!(created.contains("logwatch.database = 'postgres'"), "{created}");
    let status = server.sql("SELECT state, message FROM logwatch_status() WHERE component = 'worker'")?;
    let advice = "To have it here, add to postgresql.conf and restart: logwatch.database = 'postgres'";
    assert_eq!(
        status,
        format!(
            "elsewhere|The worker waits for database elsewhere, which does not exist. {advice}. No check has run yet."
        )
    );

    // The database may come later: the worker finds it by itself.
    server.sql("CREATE DATABASE elsewhere")?;
    server.wait_for_worker(SOON, None)?;
    assert_eq!(
        server.sql("SELECT state, message FROM logwatch_status() WHERE component = 'worker'")?,
        format!("elsewhere|The worker runs in database elsewhere. {advice}. No check has run yet.")
    );
    Ok(())
}

#[test]
fn the_extension_may_come_and_go_while_the_worker_runs() -> Result<()> {
    let mut server = Server::create(&[
        ("shared_preload_libraries", "logwatch"),
        ("logwatch.check_interval", "1s"),
    ])?;
    server.start()?;
    let pid = server.wait_for_worker(SOON, None)?;
    server.sql("CREATE EXTENSION logwatch")?;
    server.sql(INGEST_FATAL)?;
    server.wait_for_log(SOON, "[FIRING:1] fatal")?;
    server.sql("DROP EXTENSION logwatch")?;
    server.sql("CREATE EXTENSION logwatch")?;
    server.sql(INGEST_FATAL)?;
    server.wait_for_sql(SOON, "SELECT count(*) FROM logwatch.alerts", "1")?;
    assert_eq!(server.worker()?, Some(pid), "the worker did not survive it");
    Ok(())
}

#[test]
fn dropping_the_extension_never_fails_under_load() -> Result<()> {
    let sink = MailSink::plain()?;
    let server = mailing_server(&sink, &[])?;
    let pid = server.wait_for_worker(SOON, None)?;
    let over = AtomicBool::new(false);
    let told = Mutex::new(Vec::new());
    std::thread::scope(|scope| -> Result<()> {
        for _ in 0..2 {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    // Fails while there is no extension, and where the tables go in the middle of
                    // it.
                    let _ = server.sql(&format!("{INGEST_FATAL}; SELECT logwatch_check()"));
                }
            });
        }
        // A session that looks meanwhile gets rows or an error for the missing object.
        for look in [
            "SELECT * FROM logwatch_status()",
            "SELECT logwatch_report('log')",
            "SELECT logwatch_report_html()",
        ] {
            let (over, told, server) = (&over, &told, &server);
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    if let Err(why) = server.sql(look) {
                        let why = format!("{look}: {why:#}");
                        // PostgreSQL locks no function: one that goes between its name being looked
                        // up and its call is "cache lookup failed".
                        if !why.contains("does not exist")
                            && !why.contains("cache lookup failed for function")
                            && let Ok(mut told) = told.lock()
                        {
                            told.push(why);
                        }
                    }
                }
            });
        }
        let dropped = (0..30).try_for_each(|_| {
            server.sql("DROP EXTENSION logwatch")?;
            server.sql("CREATE EXTENSION logwatch")?;
            // Something must be under way when it is dropped again.
            server.wait_for_sql(
                SOON,
                "SELECT count(*) > 0 FROM logwatch.notifications WHERE attempts > 0",
                "t",
            )
        });
        over.store(true, Ordering::Relaxed);
        dropped
    })?;
    let told = told.into_inner().unwrap_or_default();
    assert!(told.is_empty(), "{told:#?}");
    assert_eq!(server.worker()?, Some(pid), "the worker did not survive it");
    server.sql("DROP EXTENSION logwatch; CREATE EXTENSION logwatch")?;
    let before = sink.mails().len();
    server.sql(INGEST_FATAL)?;
    wait_until(SOON, "the next mail", || Ok(sink.mails().len() > before))?;
    let log = server.log();
    assert!(!log.contains("deadlock detected"), "{log}");
    let errors: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("logwatch worker ERROR:"))
        .collect();
    assert!(errors.is_empty(), "{errors:?}");
    Ok(())
}

#[test]
fn a_lock_that_somebody_holds_only_puts_the_worker_off() -> Result<()> {
    let sink = MailSink::plain()?;
    let server = mailing_server(&sink, &[])?;
    let mut client = server.client()?;
    let mut holding = client.transaction()?;
    holding.batch_execute("LOCK TABLE logwatch.alerts IN ACCESS EXCLUSIVE MODE")?;
    server.sql(INGEST_FATAL)?;
    // It does not queue for the lock, where it would hold up everybody who comes after it.
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'logwatch worker' AND wait_event_type = 'Lock'";
    server.wait_for_sql(SOON, waiting, "1")?;
    server.wait_for_sql(SOON, waiting, "0")?;
    holding.commit()?;
    sink.wait_for_subject(SOON, "[FIRING:1] fatal")?;
    assert!(!server.log().contains("lock timeout"), "{}", server.log());
    Ok(())
}

#[test]
fn an_idle_worker_assigns_no_transaction_ids() -> Result<()> {
    let server = Server::with_worker(&[("logwatch.check_interval", "1s"), ("autovacuum", "off")])?;
    server.wait_for_worker(SOON, None)?;
    let next = || server.sql("SELECT pg_snapshot_xmax(pg_current_snapshot())");
    // Start-up work (partitions) may still be going on: wait for a quiet second, then demand three.
    wait_until(SOON, "a quiet second", || {
        let before = next()?;
        Ok(stays(Duration::from_millis(1500), "idle", || Ok(next()? == before)).is_ok())
    })?;
    let before = next()?;
    stays(Duration::from_secs(3), "idle", || Ok(next()? == before))
}

#[test]
fn what_keeps_the_worker_from_its_work_stands_in_the_status() -> Result<()> {
    let sink = MailSink::plain()?;
    let mut server = mailing_server(&sink, &[])?;
    let file = server.dir().join("alerts.txt");
    server.set(&[("logwatch.alert_file", &file.display().to_string())])?;
    server.reload();
    let status = |component: &str| {
        format!(
            "SELECT state FROM logwatch_status() WHERE (component, name) IN (('channel', 'file'), ('worker', 'worker')) AND component = '{component}'"
        )
    };
    server.wait_for_sql(SOON, &status("channel"), "ok")?;
    wait_until(SOON, "the alert file", || Ok(file.exists()))?;

    // A file system that refuses the file is the file's trouble, and nobody else's.
    wait_until(SOON, "a directory in its place", || {
        // The worker may write it again in between.
        std::fs::remove_file(&file)?;
        Ok(std::fs::create_dir(&file).is_ok())
    })?;
    server.wait_for_sql(SOON, &status("channel"), "error")?;
    let said = server.sql("SELECT message FROM logwatch_status() WHERE name = 'file'")?;
    assert!(said.contains("is no file"), "{said}");
    assert_eq!(server.sql(&status("worker"))?, "running");
    std::fs::remove_dir(&file)?;
    server.wait_for_sql(SOON, &status("channel"), "ok")?;

    // A check that fails is the worker's.
    server.sql("ALTER TABLE logwatch.alerts ADD CONSTRAINT nothing_goes CHECK (rule IS NULL) NOT VALID")?;
    server.sql(INGEST_FATAL)?;
    server.wait_for_sql(SOON, &status("worker"), "failing")?;
    let said = server.sql("SELECT message FROM logwatch_status() WHERE component = 'worker'")?;
    assert!(said.contains("nothing_goes"), "{said}");
    server.sql("ALTER TABLE logwatch.alerts DROP CONSTRAINT nothing_goes")?;
    server.wait_for_sql(SOON, &status("worker"), "running")?;
    sink.wait_for_subject(SOON, "[FIRING:1] fatal")?;
    Ok(())
}

#[test]
fn a_worker_too_many_is_answered_with_the_setting() -> Result<()> {
    let server = Server::with_worker(&[("max_worker_processes", "0")])?;
    let status = server.sql("SELECT state, message FROM logwatch_status() WHERE component = 'worker'")?;
    assert!(
        status.starts_with("starting|") && status.contains("raise max_worker_processes (now 0)"),
        "{status}"
    );
    Ok(())
}
