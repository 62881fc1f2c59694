//! Copies of a server and who speaks: what proves a copy sends nothing until it is adopted, and a
//! server that takes over sends at once.

use std::time::Duration;

use anyhow::Result;
use logwatch_tests::mail_sink::{Action, MailSink, Step};
use logwatch_tests::programs;
use logwatch_tests::server::{Server, Stop};
use logwatch_tests::wait::stays;
use tempfile::TempDir;

use crate::{INGEST_FATAL, SOON, hurry_retries, mail_through, mailing_server};

const WORKER: &str = "SELECT state, message FROM logwatch_status() WHERE component = 'worker'";
const WORKER_STATE: &str = "SELECT state FROM logwatch_status() WHERE component = 'worker'";
const QUEUED: &str = "SELECT count(*) FROM logwatch.notifications WHERE channel = 'email' AND state = 'queued' AND attempts > 0";

/// A server with archived WAL, and one mail in its queue that the mail server does not take.
struct Original {
    server: Server,
    archive: TempDir,
}

fn original(sink: &MailSink) -> Result<Original> {
    let archive = tempfile::tempdir()?;
    if programs::is_root() {
        let (uid, gid) = programs::ids("postgres")?;
        std::os::unix::fs::chown(archive.path(), Some(uid), Some(gid))?;
    }
    sink.always(Step::MailFrom, Action::reply("451 later"));
    let server = mailing_server(
        sink,
        &[
            ("wal_level", "replica"),
            ("max_wal_senders", "4"),
            ("archive_mode", "on"),
            (
                "archive_command",
                &format!("cp %p {}/%f", archive.path().display()),
            ),
        ],
    )?;
    server.sql(INGEST_FATAL)?;
    server.wait_for_sql(SOON, QUEUED, "1")?;
    Ok(Original { server, archive })
}

impl Original {
    /// A base backup, to be recovered from the archive.
    fn backup(&self) -> Result<Server> {
        let mut copy = Server::backup_of(&self.server, &[])?;
        let archive = self.archive.path().display();
        copy.set(&[
            ("archive_mode", "off"),
            ("restore_command", &format!("cp {archive}/%f %p")),
        ])?;
        copy.write_file("data/recovery.signal", "")?;
        Ok(copy)
    }

    /// Archives everything up to now.
    fn archive_all(&self) -> Result<()> {
        let before = self
            .server
            .sql("SELECT pg_walfile_name(pg_current_wal_lsn()); SELECT pg_switch_wal()")?;
        let file = before.lines().next().unwrap_or_default().to_owned();
        self.server.wait_for_sql(
            SOON,
            &format!("SELECT last_archived_wal >= '{file}' FROM pg_stat_archiver"),
            "t",
        )
    }
}

/// Checks that a server sends nothing, says why, and sends once it is adopted.
fn is_silent_until_adopted(copy: &Server, sink: &MailSink, reason: &str) -> Result<()> {
    copy.wait_for_sql(SOON, "SELECT pg_is_in_recovery()", "f")?;
    copy.wait_for_worker(SOON, None)?;
    copy.wait_for_sql(SOON, WORKER_STATE, "copied")?;
    let told = copy.sql(WORKER)?;
    assert!(
        told.starts_with(&format!(
            "copied|This server is a copy and sends nothing: {reason}"
        )),
        "{told}"
    );
    assert!(
        told.contains("To let it check and send: SELECT public.logwatch_adopt();"),
        "{told}"
    );
    let refused = copy.sql_error("CALL logwatch_deliver()")?;
    assert_eq!(refused.code, "55000", "{refused}");
    copy.wait_for_log(SOON, "logwatch worker: This server is a copy")?;

    sink.behave();
    let mails = sink.mails().len();
    copy.sql("SELECT logwatch_ingest('FATAL on the copy', 'copy')")?;
    hurry_retries(copy)?;
    copy.reload();
    stays(Duration::from_secs(4), "silence", || {
        Ok(sink.mails().len() == mails)
    })?;
    assert_eq!(
        copy.log()
            .matches("logwatch worker: This server is a copy")
            .count(),
        2,
        "once, and once after the reload:\n{}",
        copy.log_tail(20)
    );

    assert_eq!(
        copy.sql("SELECT logwatch_adopt()")?,
        "this server checks and sends from now on; 1 notification is waiting"
    );
    hurry_retries(copy)?;
    sink.wait_for_subject(SOON, "[FIRING:1] fatal")?;
    copy.wait_for_sql(SOON, WORKER_STATE, "running")?;
    assert_eq!(
        copy.sql("SELECT logwatch_adopt()")?,
        "nothing to adopt: this server is no copy"
    );
    Ok(())
}

/// A copy that its start recovers to a restore point, and the stopped original with the archive.
fn recovered_to_a_target(sink: &MailSink) -> Result<(Original, Server)> {
    let mut original = original(sink)?;
    let mut copy = original.backup()?;
    original.server.sql("SELECT pg_create_restore_point('here')")?;
    original.archive_all()?;
    original.server.stop(Stop::Fast)?;
    copy.set(&[
        ("recovery_target_name", "here"),
        ("recovery_target_action", "promote"),
    ])?;
    Ok((original, copy))
}

#[test]
fn a_server_recovered_to_a_target_is_silent_until_it_is_adopted() -> Result<()> {
    let sink = MailSink::plain()?;
    let (_original, mut copy) = recovered_to_a_target(&sink)?;
    copy.start()?;
    is_silent_until_adopted(
        &copy,
        &sink,
        "it was recovered to a target (timeline 2 was begun at restore point \"here\").",
    )?;

    // A standby of it that is promoted later is no copy: nobody recovered it to a target since.
    copy.set(&[("restore_command", "")])?;
    copy.reload();
    let mut standby = Server::backup_of(&copy, &["--write-recovery-conf", "--wal-method=stream"])?;
    standby.unset("recovery_target_name")?;
    standby.start()?;
    copy.stop(Stop::Immediate)?;
    standby.promote()?;
    standby.wait_for_sql(SOON, WORKER_STATE, "running")?;
    assert_eq!(standby.sql("SELECT logwatch_private.server_timeline()")?, "3");
    Ok(())
}

/// The end of the archive may be a failover: only people can tell.
#[test]
fn a_server_recovered_to_the_end_of_the_wal_sends_and_names_itself() -> Result<()> {
    let sink = MailSink::plain()?;
    let mut original = original(&sink)?;
    let mut copy = original.backup()?;
    original.archive_all()?;
    original.server.stop(Stop::Fast)?;
    copy.start()?;
    copy.wait_for_sql(SOON, "SELECT pg_is_in_recovery()", "f")?;
    copy.wait_for_sql(SOON, WORKER_STATE, "running")?;
    sink.behave();
    hurry_retries(&copy)?;
    copy.reload();
    let mail = sink.wait_for_subject(SOON, "[FIRING:1] fatal")?;
    let system = copy.sql("SELECT system_identifier FROM pg_control_system()")?;
    let identity = copy.sql("SELECT logwatch_private.server_identity()")?;
    assert!(
        identity.ends_with(&format!(":5432, system {system}, timeline 2")),
        "{identity}"
    );
    assert!(
        mail.text().contains(&format!("sent by {identity}")),
        "{}",
        mail.text()
    );
    assert!(
        copy.sql("SELECT logwatch_report()")?
            .contains(&format!("Server\n  {identity}"))
    );
    Ok(())
}

/// A base backup or a snapshot that is started beside the original.
#[test]
fn a_copy_that_only_on_does_not_name_is_silent_until_it_is_adopted() -> Result<()> {
    let sink = MailSink::plain()?;
    let mut original = original(&sink)?;
    let host = original.server.sql("SELECT logwatch_private.host()")?;
    original
        .server
        .set(&[("logwatch.only_on", &format!("{host}:5432, elsewhere:5432"))])?;
    original.server.reload();
    original.server.wait_for_sql(
        SOON,
        "SHOW logwatch.only_on",
        &format!("{host}:5432, elsewhere:5432"),
    )?;
    assert_eq!(original.server.sql(WORKER_STATE)?, "running");

    let mut copy = Server::backup_of(&original.server, &[])?;
    copy.set(&[("port", "5433"), ("archive_mode", "off")])?;
    original.server.stop(Stop::Fast)?;
    copy.start()?;
    is_silent_until_adopted(
        &copy,
        &sink,
        &format!("logwatch.only_on = '{host}:5432, elsewhere:5432' does not name this server, {host}:5433."),
    )?;
    // The adopted copy stays it over a restart; a copy of the copy does not speak.
    copy.restart()?;
    copy.wait_for_sql(SOON, WORKER_STATE, "running")?;
    let mut second = Server::backup_of(&copy, &[])?;
    second.set(&[("port", "5434")])?;
    second.start()?;
    second.wait_for_sql(SOON, WORKER_STATE, "copied")?;
    Ok(())
}

#[test]
fn only_on_counts_at_a_reload() -> Result<()> {
    let sink = MailSink::plain()?;
    let mut server = mailing_server(&sink, &[])?;
    server.wait_for_sql(SOON, WORKER_STATE, "running")?;
    server.set(&[("logwatch.only_on", "db9:5432")])?;
    server.reload();
    server.wait_for_log(SOON, "logwatch worker: This server is a copy")?;
    server.sql(INGEST_FATAL)?;
    stays(Duration::from_secs(3), "silence", || Ok(sink.mails().is_empty()))?;
    server.set(&[("logwatch.only_on", "")])?;
    server.reload();
    sink.wait_for_subject(SOON, "[FIRING:1] fatal")?;
    Ok(())
}

#[test]
fn a_database_made_from_the_other_as_template_has_no_worker() -> Result<()> {
    let sink = MailSink::plain()?;
    sink.always(Step::MailFrom, Action::reply("451 later"));
    let server = mailing_server(&sink, &[])?;
    server.sql(INGEST_FATAL)?;
    server.wait_for_sql(SOON, QUEUED, "1")?;
    server.sql("SELECT logwatch_pause('1 minute')")?;
    server
        .client_as("postgres", "template1")?
        .batch_execute("CREATE DATABASE copy TEMPLATE postgres")?;
    server.sql("SELECT logwatch_pause('0')")?;
    sink.behave();
    server.wait_for_worker(SOON, None)?;
    hurry_retries(&server)?;
    server.reload();
    sink.wait_for_subject(SOON, "[FIRING:1] fatal")?;
    server.wait_for_sql(
        SOON,
        "SELECT DISTINCT state FROM logwatch.notifications WHERE channel = 'email'",
        "sent",
    )?;
    // The copy's queue is as it was, and nobody sends it.
    let mut copy = server.client_as("postgres", "copy")?;
    let queued = "SELECT count(*) FROM logwatch.notifications WHERE channel = 'email' AND state = 'queued'";
    stays(Duration::from_secs(3), "the copy's queue", || {
        Ok(logwatch_tests::server::run(&mut copy, queued)? == "1")
    })?;
    assert_eq!(sink.mails().len(), 1);
    Ok(())
}

/// A server that was recovered to a target long ago gets logwatch: it is the original.
#[test]
fn an_extension_created_after_a_recovery_to_a_target_is_at_home() -> Result<()> {
    let sink = MailSink::plain()?;
    let (_original, mut copy) = recovered_to_a_target(&sink)?;
    sink.behave();
    copy.start()?;
    copy.wait_for_sql(SOON, "SELECT pg_is_in_recovery()", "f")?;
    copy.wait_for_sql(SOON, WORKER_STATE, "copied")?;
    copy.sql("DROP EXTENSION logwatch")?;
    copy.sql("CREATE EXTENSION logwatch")?;
    copy.wait_for_sql(SOON, WORKER_STATE, "running")?;
    copy.sql(INGEST_FATAL)?;
    sink.wait_for_subject(SOON, "[FIRING:1] fatal")?;
    Ok(())
}

/// The old primary, made a standby of the new one by pg_rewind and promoted, is the server again.
#[test]
fn a_rewound_primary_that_is_promoted_sends() -> Result<()> {
    let sink = MailSink::plain()?;
    sink.always(Step::MailFrom, Action::reply("451 later"));
    let mut first = Server::create(&[])?;
    mail_through(&mut first, &sink)?;
    first.set(&[
        ("wal_level", "replica"),
        ("max_wal_senders", "4"),
        ("wal_log_hints", "on"),
        ("wal_keep_size", "256MB"),
    ])?;
    first.start_with_extension()?;
    let mut second = Server::backup_of(&first, &["--write-recovery-conf", "--wal-method=stream"])?;
    second.start()?;
    first.stop(Stop::Fast)?;
    second.promote()?;
    second.wait_for_sql(SOON, WORKER_STATE, "running")?;
    second.sql("CHECKPOINT")?;
    // The rewind undoes its later writes.
    first.start()?;
    first.sql(INGEST_FATAL)?;
    first.stop(Stop::Fast)?;
    first.rewind_from(&second)?;
    first.start()?;
    second.wait_for_sql(SOON, "SELECT count(*) FROM pg_stat_replication", "1")?;
    second.stop(Stop::Fast)?;
    sink.behave();
    first.promote()?;
    first.wait_for_sql(SOON, WORKER_STATE, "running")?;
    first.sql("SELECT logwatch_ingest('FATAL after the rewind')")?;
    sink.wait_for_subject(SOON, "[FIRING:1] fatal")?;
    Ok(())
}
