//! High availability: a streaming standby can be asked how things stand; promoted, it takes over
//! without a loss or a second mail.

use anyhow::Result;
use logwatch_tests::mail_sink::{Action, MailSink, Step};
use logwatch_tests::server::{Server, Stop};
use logwatch_tests::tailer::{Tailer, append};
use logwatch_tests::wait::wait_until;

use crate::{INGEST_FATAL, SOON, mailing_server};

#[test]
fn a_standby_tells_and_when_promoted_takes_over() -> Result<()> {
    let sink = MailSink::plain()?;
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("app.log");
    let mut primary = mailing_server(
        &sink,
        &[
            ("wal_level", "replica"),
            ("max_wal_senders", "4"),
            ("hot_standby_feedback", "on"),
        ],
    )?;
    let mut standby = Server::backup_of(&primary, &["--write-recovery-conf", "--wal-method=stream"])?;
    standby.start()?;

    // Told once by the primary; a second alert's mail is under way when the primary dies.
    primary.sql(INGEST_FATAL)?;
    let first = sink.wait_for_subject(SOON, "[FIRING:1] fatal")?;
    primary.wait_for_sql(
        SOON,
        "SELECT DISTINCT state FROM logwatch.notifications WHERE channel = 'email'",
        "sent",
    )?;
    sink.always(Step::MailFrom, Action::Stall);
    let before = sink.reached(&Step::MailFrom);
    primary.sql("SELECT logwatch_ingest(ARRAY['ERROR a', 'ERROR b', 'ERROR c', 'ERROR d', 'ERROR e'])")?;
    wait_until(SOON, "the second mail under way", || {
        Ok(sink.reached(&Step::MailFrom) > before)
    })?;

    // The tailer has both servers to choose from, the standby first.
    append(&log, &["ERROR one"])?;
    let hosts = format!(
        "host={},{} port=5432,5432 dbname=postgres user=postgres target_session_attrs=read-write",
        standby.env()[0].1,
        primary.env()[0].1
    );
    let path = log.display().to_string();
    let mut command = Tailer::command(
        &primary,
        &["-d", &hosts, "--source", "app", "--from-beginning", &path],
    )?;
    command.env_remove("PGHOST").env_remove("PGPORT");
    let mut tailer = Tailer::spawn(command)?;
    primary.wait_for_sql(
        SOON,
        "SELECT count(*) FROM logwatch.entries WHERE message = 'one'",
        "1",
    )?;

    // On the standby: everything can be read, nothing runs.
    standby.wait_for_sql(
        SOON,
        "SELECT count(*) FROM logwatch.entries WHERE message = 'one'",
        "1",
    )?;
    standby.wait_for_sql(
        SOON,
        "SELECT state FROM logwatch.notifications WHERE channel = 'email' ORDER BY id DESC LIMIT 1",
        "sending",
    )?;
    assert_eq!(standby.worker()?, None);
    assert_eq!(
        standby.sql("SELECT state FROM logwatch_status() WHERE component = 'worker'")?,
        "standby"
    );
    assert!(
        standby
            .sql("SELECT logwatch_report_html()")?
            .contains("alerts are firing")
    );
    assert!(standby.sql("SELECT logwatch_report()")?.contains("threshold met"));
    for writes in [
        "SELECT logwatch_ingest('ERROR x')",
        "SELECT logwatch_ingest(ARRAY['ERROR x'])",
        "SELECT logwatch_attach('app', '/x')",
        "SELECT logwatch_ingest('app', 1, 1, '/x', 1, 1, 0, 10, 0, 0, 0, 0, '{}', '{}')",
        "SELECT * FROM logwatch_check()",
        "SELECT logwatch_maintain()",
        "SELECT logwatch_silence('*', '1 hour')",
        "SELECT logwatch_ack(1)",
        "CALL logwatch_deliver()",
    ] {
        let refused = standby.sql_error(writes)?;
        assert_eq!(refused.code, "25006", "{writes}: {refused}");
    }

    primary.stop(Stop::Immediate)?;
    sink.behave();
    append(&log, &["ERROR two"])?;
    standby.promote()?;
    standby.wait_for_worker(SOON, None)?;
    standby.wait_for_sql(
        SOON,
        "SELECT string_agg(message, ',' ORDER BY id) FROM logwatch.entries WHERE source_id = logwatch_private.source_id('app')",
        "one,two",
    )?;
    assert!(tailer.exited()?.is_none(), "{}", tailer.output());

    // The dead sender is no process of this server: its mail is taken over at once.
    let second = sink.wait_for_subject(SOON, "error on")?;
    standby.wait_for_sql(
        SOON,
        "SELECT DISTINCT state FROM logwatch.notifications WHERE channel = 'email'",
        "sent",
    )?;
    let told = sink.mails();
    assert_eq!(
        told.iter()
            .filter(|mail| mail.message_id() == first.message_id())
            .count(),
        1
    );
    assert_eq!(
        told.iter()
            .filter(|mail| mail.message_id() == second.message_id())
            .count(),
        1
    );
    let ids = standby.sql("SELECT count(*) FROM logwatch.notifications WHERE channel = 'email'")?;
    assert_eq!(ids, told.len().to_string());

    standby.sql("SELECT logwatch_ingest('FATAL out of disk space', 'after')")?;
    standby.wait_for_sql(
        SOON,
        "SELECT sum(peak) FROM logwatch.alerts WHERE rule = 'fatal'",
        "2",
    )?;
    Ok(())
}
