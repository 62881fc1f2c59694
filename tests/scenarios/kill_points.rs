//! Case A4: whatever dies while a mail is on its way, no mail is lost, and one that comes twice has
//! one Message-ID.

use std::time::Duration;

use anyhow::Result;
use logwatch_tests::mail_sink::{Action, MailSink, Step};
use logwatch_tests::server::{Server, Stop};
use logwatch_tests::wait::{stays, wait_until};

use crate::{INGEST_FATAL, PROMPTLY, SOON, mailing_server};

/// Where the mail is when somebody dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Point {
    BeforeClaim,
    AfterClaim,
    AfterRecipient,
    AfterData,
    AcceptedNotHeard,
    HeardNotRecorded,
}

use Point::{AcceptedNotHeard, AfterClaim, AfterData, AfterRecipient, BeforeClaim, HeardNotRecorded};

impl Point {
    /// The advisory lock that keeps the mail there. A session could not hold it: a fast stop ends
    /// the session together with the worker, which then goes on or not.
    fn hold(self) -> Option<i32> {
        match self {
            BeforeClaim => Some(1),
            HeardNotRecorded => Some(2),
            _ => None,
        }
    }
}

const POINTS: [Point; 6] = [
    BeforeClaim,
    AfterClaim,
    AfterRecipient,
    AfterData,
    AcceptedNotHeard,
    HeardNotRecorded,
];

/// Holds whoever claims a notification, or records its outcome, for as long as a prepared
/// transaction has the advisory lock 1 or 2.
const HOLDS: &str = "
    CREATE FUNCTION held() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN PERFORM pg_advisory_xact_lock_shared(TG_ARGV[0]::bigint); RETURN NEW; END';
    CREATE TRIGGER claim_is_held BEFORE UPDATE ON logwatch.notifications FOR EACH ROW
        WHEN (NEW.state = 'sending') EXECUTE FUNCTION held(1);
    CREATE TRIGGER record_is_held BEFORE INSERT ON logwatch.attempts FOR EACH ROW EXECUTE FUNCTION held(2);";

/// Kills by `die` at each point of a mail's way and lets the server recover by `recover`.
fn no_mail_is_lost(
    die: impl Fn(&mut Server) -> Result<()>,
    recover: impl Fn(&mut Server) -> Result<()>,
) -> Result<()> {
    let sink = MailSink::plain()?;
    let mut server = mailing_server(
        &sink,
        &[
            ("logwatch.smtp_timeout", "60s"),
            ("max_prepared_transactions", "1"),
        ],
    )?;
    server.sql("UPDATE logwatch.rules SET channels = '{email}'")?;
    server.sql(HOLDS)?;
    for point in POINTS {
        server.sql("TRUNCATE logwatch.minutes; DELETE FROM logwatch.alerts; DELETE FROM logwatch.notifications; DELETE FROM logwatch.attempts")?;
        let seen = sink.mails().len();
        bring_to(point, &sink, &server)?;

        die(&mut server)?;
        sink.behave();
        recover(&mut server)?;
        if point.hold().is_some() {
            server.sql("ROLLBACK PREPARED 'hold'")?;
        }

        // At once: the new worker takes over what the dead one had claimed.
        wait_until(SOON, &format!("the mail after death at {point:?}"), || {
            Ok(server.sql("SELECT state FROM logwatch.notifications")? == "sent")
        })?;
        let stored = server.sql("SELECT message_id FROM logwatch.notifications")?;
        let mails = sink.mails().split_off(seen);
        let accepted_before = matches!(point, AcceptedNotHeard | HeardNotRecorded);
        assert_eq!(mails.len(), 1 + usize::from(accepted_before), "{point:?}");
        assert!(mails.iter().all(|mail| mail.message_id() == stored), "{point:?}");
        assert_eq!(
            server.sql("SELECT count(*) FROM logwatch.alerts")?,
            "1",
            "{point:?}"
        );
    }
    Ok(())
}

/// Lets an alert happen whose mail gets to `point` and no further.
fn bring_to(point: Point, sink: &MailSink, server: &Server) -> Result<()> {
    let (step, before) = match point {
        BeforeClaim => (None, 0),
        AfterClaim => (Some(Step::MailFrom), sink.reached(&Step::MailFrom)),
        AfterRecipient => (Some(Step::Data), sink.reached(&Step::Data)),
        _ => (Some(Step::EndOfData), sink.reached(&Step::EndOfData)),
    };
    if let Some(lock) = point.hold() {
        server.client()?.batch_execute(&format!(
            "BEGIN; SELECT pg_advisory_xact_lock({lock}); PREPARE TRANSACTION 'hold'"
        ))?;
    }
    match (point, &step) {
        (AcceptedNotHeard, Some(step)) => sink.times(1, step.clone(), Action::KeepAndStall),
        (AfterClaim | AfterRecipient | AfterData, Some(step)) => {
            sink.times(1, step.clone(), Action::Stall);
        }
        _ => {}
    }
    server.sql(INGEST_FATAL)?;
    if let Some(step) = step {
        wait_until(SOON, "the mail at its point", || Ok(sink.reached(&step) > before))?;
    }
    if point.hold().is_some() {
        server.wait_for_sql(
            SOON,
            "SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted",
            "t",
        )?;
    }
    Ok(())
}

fn wait_for_recovery(server: &mut Server) -> Result<()> {
    wait_until(SOON, "the server after its recovery", || {
        Ok(server.sql("SELECT 1").is_ok())
    })
}

#[test]
fn kill_9_of_the_worker_loses_no_mail() -> Result<()> {
    no_mail_is_lost(
        |server| {
            let worker = server.wait_for_worker(SOON, None)?;
            server.signal(worker, libc::SIGKILL);
            wait_until(SOON, "the worker gone", || Ok(!server.is_alive(worker)))
        },
        // PostgreSQL answers the death of any of its processes by a restart of all.
        wait_for_recovery,
    )
}

#[test]
fn kill_9_of_the_postmaster_loses_no_mail() -> Result<()> {
    no_mail_is_lost(|server| server.kill().map(drop), Server::start)
}

#[test]
fn an_immediate_stop_loses_no_mail() -> Result<()> {
    no_mail_is_lost(|server| server.stop(Stop::Immediate).map(drop), Server::start)
}

/// Case A19: the mail server says nothing more, at whatever point; the stop does not wait for it.
#[test]
fn a_fast_stop_is_prompt_and_loses_no_mail() -> Result<()> {
    no_mail_is_lost(
        |server| {
            let took = server.stop(Stop::Fast)?;
            assert!(took < PROMPTLY, "the fast stop took {took:?}");
            Ok(())
        },
        Server::start,
    )
}

/// Makes the record of an outcome last, so that a stop meets the worker there.
const SLOW_RECORD: &str = "
    CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(1); RETURN NEW; END';
    CREATE TRIGGER record_is_slow BEFORE INSERT ON logwatch.attempts FOR EACH ROW EXECUTE FUNCTION slow();";

#[test]
fn a_fast_stop_while_an_outcome_is_recorded_sends_nothing_twice() -> Result<()> {
    let sink = MailSink::plain()?;
    let mut server = mailing_server(&sink, &[])?;
    server.sql("UPDATE logwatch.rules SET channels = '{email}'")?;
    server.sql(SLOW_RECORD)?;
    server.sql(INGEST_FATAL)?;
    server.wait_for_sql(
        SOON,
        "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'logwatch worker' AND wait_event = 'PgSleep'",
        "1",
    )?;
    server.stop(Stop::Fast)?;
    server.start()?;
    server.wait_for_worker(SOON, None)?;
    assert_eq!(
        server.sql("SELECT state, attempts FROM logwatch.notifications")?,
        "sent|1"
    );
    assert_eq!(sink.mails().len(), 1);
    Ok(())
}

#[test]
fn the_end_of_the_worker_alone_loses_no_mail() -> Result<()> {
    no_mail_is_lost(
        |server| {
            let worker = server.wait_for_worker(SOON, None)?;
            server.sql(&format!("SELECT pg_terminate_backend({worker}, 10000)"))?;
            wait_until(SOON, "the worker gone", || Ok(!server.is_alive(worker)))
        },
        wait_for_recovery,
    )
}

/// The worker does not take over a mail that a living session is sending.
#[test]
fn a_mail_that_somebody_is_sending_is_left_to_him() -> Result<()> {
    let sink = MailSink::plain()?;
    let server = mailing_server(
        &sink,
        &[
            ("logwatch.smtp_timeout", "60s"),
            ("logwatch.check_interval", "1h"),
        ],
    )?;
    // The worker stands still in its sleep, so that the procedure is the one that claims the
    // report.
    let worker = server.wait_for_worker(SOON, None)?;
    server.wait_for_sql(
        SOON,
        &format!("SELECT wait_event_type FROM pg_stat_activity WHERE pid = {worker}"),
        "Extension",
    )?;
    server.signal(worker, libc::SIGSTOP);
    sink.times(1, Step::EndOfData, Action::KeepAndStall);
    server.sql("SELECT logwatch_report('email')")?;
    let mut client = server.client()?;
    let call = std::thread::spawn(move || client.batch_execute("CALL logwatch_deliver()"));
    wait_until(SOON, "the mail on its way", || {
        Ok(sink.reached(&Step::EndOfData) > 0)
    })?;

    server.signal(worker, libc::SIGCONT);
    server.sql(INGEST_FATAL)?;
    sink.wait_for_subject(SOON, "[FIRING:1] fatal")?;
    stays(Duration::from_secs(2), "one report", || {
        Ok(sink.mails_with_subject("status of").len() == 1)
    })?;
    assert_eq!(
        server.sql("SELECT state FROM logwatch.notifications WHERE reason = 'report'")?,
        "sending"
    );
    sink.behave();
    drop(sink);
    // The procedure hears that the connection is gone, and queues the report again.
    assert!(call.join().is_ok_and(|ended| ended.is_ok()));
    Ok(())
}
