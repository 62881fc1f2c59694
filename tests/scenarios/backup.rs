//! Backup and restore: nothing lost, offsets that fit the rows, ids that go on, and nobody told
//! twice.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use logwatch_tests::mail_sink::{Action, MailSink, Step};
use logwatch_tests::programs;
use logwatch_tests::server::Server;
use logwatch_tests::tailer::{Tailer, append};
use logwatch_tests::wait::{stays, wait_for};

use crate::{SOON, mail_through, mailing_server};

/// Runs one of PostgreSQL's client programs against a server.
fn client_program(server: &Server, program: &Path, args: &[&str]) -> Result<()> {
    let output = Command::new(program).args(args).envs(server.env()).output()?;
    ensure!(
        output.status.success(),
        "{} {args:?}: {} {}",
        program.display(),
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

/// Dumps database postgres into a file, and returns what the tables held then. The worker folds and
/// counts when it likes, so this is done until nothing changed meanwhile.
pub fn dump(server: &Server, file: &Path, more: &[&str]) -> Result<String> {
    wait_for(SOON, "a dump while nothing changes", || {
        let before = contents(server)?;
        pg_dump(server, file, more)?;
        Ok((contents(server)? == before).then_some(before))
    })
}

fn pg_dump(server: &Server, file: &Path, more: &[&str]) -> Result<()> {
    let mut program = server.program_path("pg_dump");
    if programs::major_version(&server.program_path("pg_config"))? == 14 {
        // The one of 14 crashes on a partition that an extension has marked to be dumped, as
        // entries_default is.
        program = programs::machines_pg_config()?.with_file_name("pg_dump");
    }
    let file = file.display().to_string();
    client_program(server, &program, &[&["-Fc", "-f", &file], more].concat())
}

/// Restores a dump into database postgres, as the manual says.
pub fn restore(server: &Server, file: &Path) -> Result<()> {
    let file = file.display().to_string();
    let how = ["--single-transaction", "--exit-on-error", "-d", "postgres"];
    client_program(
        server,
        &server.program_path("pg_restore"),
        &[how.as_slice(), &[&file]].concat(),
    )?;
    // Its session ends a little later than the program.
    server.wait_for_sql(SOON, "SELECT logwatch_private.restore_words() IS NULL", "t")
}

/// All rows of all tables, but for what belongs to one server alone (progress, transaction ids) and
/// for what was waiting.
pub fn contents(server: &Server) -> Result<String> {
    server.sql(
        "SELECT 'entries', id, received_at, logged_at, source_id, level, path_id, fingerprint, message, detail, fields, flags FROM logwatch.entries ORDER BY id;
         SELECT 'counts', second, source_id, level, fingerprint, sum(n) FROM logwatch.counts GROUP BY 2, 3, 4, 5 ORDER BY 2, 3, 4, 5;
         SELECT 'arrivals', v.* FROM logwatch.arrivals AS v ORDER BY source_id, since;
         SELECT 'patterns', p.* FROM logwatch.patterns AS p ORDER BY fingerprint;
         SELECT 'earlier_fingerprints', e.* FROM logwatch.earlier_fingerprints AS e ORDER BY earlier;
         SELECT 'sources', s.* FROM logwatch.sources AS s ORDER BY id;
         SELECT 'files', f.* FROM logwatch.files AS f ORDER BY source_id, id;
         SELECT 'paths', p.* FROM logwatch.paths AS p ORDER BY source_id, id;
         SELECT 'gaps', g.* FROM logwatch.gaps AS g ORDER BY id;
         SELECT 'rules', to_jsonb(r) - 'updated_at' FROM logwatch.rules AS r ORDER BY name;
         SELECT 'alerts', id, rule, group_key, started_at, announced, seq FROM logwatch.alerts ORDER BY id;
         SELECT 'notifications', id, alert_id, recipient, seq, reason, message_id, payload FROM logwatch.notifications ORDER BY id;
         SELECT 'silences', s.* FROM logwatch.silences AS s ORDER BY id;
         SELECT 'schedules', s.* FROM logwatch.schedules AS s ORDER BY name;
         SELECT 'expected lines', l.* FROM logwatch.expected_lines AS l ORDER BY second;
         SELECT 'attempts', a.notification_id, a.outcome FROM logwatch.attempts AS a WHERE outcome = 'sent' ORDER BY 2",
    )
}

/// A server in the midst of its work: one alert told, one whose mail the mail server does not take,
/// changed rules, a tailed file.
fn working_server(sink: &MailSink, log: &Path) -> Result<Server> {
    let server = mailing_server(sink, &[("wal_level", "replica"), ("max_wal_senders", "4")])?;
    give_work(&server, sink, log)?;
    Ok(server)
}

/// Brings a server that mails through `sink` there.
pub fn give_work(server: &Server, sink: &MailSink, log: &Path) -> Result<()> {
    server.sql("SELECT logwatch_maintain()")?;
    append(
        log,
        &["FATAL disk full", "ERROR one", "INFO nothing", "ERROR two"],
    )?;
    Tailer::once(
        server,
        &["--source", "app", "--from-beginning", &log.display().to_string()],
    )?;
    sink.wait_for_subject(SOON, "[FIRING:1] fatal")?;
    server.wait_for_sql(
        SOON,
        "SELECT state FROM logwatch.notifications WHERE channel = 'email'",
        "sent",
    )?;
    sink.always(Step::MailFrom, Action::reply("451 later"));
    server.sql(
        "INSERT INTO logwatch.schedules (name, time_zone, starts, ends) VALUES ('office', 'Europe/Berlin', '09:00', '17:00');
         INSERT INTO logwatch.rules (name, match, notify_during, escalate_after, escalate_to, inhibited_by)
         VALUES ('quiet', 'nothing like this', 'office', '1 hour', '{boss@example.com}', 'fatal');
         INSERT INTO logwatch.rules (name, match) VALUES ('two', 'two');
         INSERT INTO logwatch.rules (name, kind, absence_of, match, within) VALUES ('backup', 'absence', 'match', 'backup finished', '1 day');
         SELECT logwatch_ingest('INFO backup finished'::text);
         UPDATE logwatch.rules SET threshold = 7, recipients = '{dba@example.com}' WHERE name = 'error';
         UPDATE logwatch.rules SET keep_firing_for = '1 day';
         SELECT logwatch_silence('nothing*', '1 hour', schedule => 'office');
         SELECT logwatch_ingest('{\"level\":\"error\",\"msg\":\"with fields\",\"user\":7}', 'sql')",
    )?;
    server.wait_for_sql(
        SOON,
        "SELECT count(*) FROM logwatch.notifications WHERE channel = 'email' AND state = 'queued' AND attempts > 0",
        "1",
    )
}

/// Checks a restored server: ids and offsets go on, and no notification is repeated.
pub fn goes_on(server: &Server, sink: &MailSink, log: &Path) -> Result<()> {
    let told = sink.mails().len();
    server.wait_for_worker(SOON, None)?;
    let last = server.sql("SELECT max(id) FROM logwatch.entries")?;
    append(log, &["ERROR three"])?;
    Tailer::once(server, &["--source", "app", &log.display().to_string()])?;
    assert_eq!(
        server.sql(&format!(
            "SELECT message, id > {last} FROM logwatch.entries ORDER BY id DESC LIMIT 1"
        ))?,
        "three|t"
    );
    assert_eq!(
        server.sql("SELECT count(*), count(DISTINCT message) FROM logwatch.entries WHERE source_id = logwatch_private.source_id('app')")?,
        "4|4",
        "every line once"
    );
    // The next check is over when it has seen the new record.
    server.wait_for_sql(SOON, "SELECT count(*) FROM logwatch.batches", "0")?;
    stays(Duration::from_secs(2), "nobody is told again", || {
        Ok(sink.mails().len() == told)
    })?;
    assert_eq!(
        server.sql("SELECT count(*) FROM logwatch.alerts WHERE rule = 'fatal'")?,
        "1"
    );
    server.sql("SELECT logwatch_maintain()")?;
    Ok(())
}

#[test]
fn a_dump_is_restored_whole() -> Result<()> {
    let sink = MailSink::plain()?;
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("app.log");
    let server = working_server(&sink, &log)?;
    let file = folder.path().join("dump");
    let before = dump(&server, &file, &[])?;
    let waiting = server.sql("SELECT id FROM logwatch.notifications WHERE state = 'queued'")?;
    drop(server);
    sink.behave();

    // The new server's worker is awake all the while.
    let mut other = Server::create(&[])?;
    mail_through(&mut other, &sink)?;
    other.start()?;
    other.wait_for_worker(SOON, None)?;
    restore(&other, &file)?;
    assert_eq!(contents(&other)?, before);
    assert_eq!(
        other.sql(&format!(
            "SELECT state, last_error FROM logwatch.notifications WHERE id IN ({waiting})"
        ))?,
        "failed|restored from a dump: not sent again"
    );
    goes_on(&other, &sink, &log)
}

#[test]
fn the_schema_alone_is_dumped_and_restored() -> Result<()> {
    let sink = MailSink::plain()?;
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("app.log");
    let server = working_server(&sink, &log)?;
    let file = folder.path().join("dump");
    let before = dump(&server, &file, &["--schema=logwatch", "--extension=logwatch"])?;
    sink.behave();

    server.sql("DROP EXTENSION logwatch")?;
    restore(&server, &file)?;
    assert_eq!(contents(&server)?, before);
    goes_on(&server, &sink, &log)
}

#[test]
fn a_point_in_time_is_restored_and_the_tailer_reads_on_from_there() -> Result<()> {
    let sink = MailSink::plain()?;
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("app.log");
    let archive = tempfile::tempdir()?;
    if programs::is_root() {
        let (uid, gid) = programs::ids("postgres")?;
        std::os::unix::fs::chown(archive.path(), Some(uid), Some(gid))?;
    }
    let mut server = working_server(&sink, &log)?;
    let to = archive.path().display().to_string();
    server.set(&[
        ("archive_mode", "on"),
        ("archive_command", &format!("cp %p {to}/%f")),
    ])?;
    server.restart()?;
    let mut copy = Server::backup_of(&server, &[])?;
    server.sql("SELECT logwatch_ingest('ERROR before the target', 'sql')")?;
    let before =
        server.sql("SELECT max(id) FROM logwatch.entries; SELECT pg_create_restore_point('here')")?;
    append(&log, &["ERROR three"])?;
    Tailer::once(&server, &["--source", "app", &log.display().to_string()])?;
    server.sql("SELECT pg_switch_wal()")?;
    server.wait_for_sql(SOON, "SELECT last_archived_wal IS NOT NULL AND pg_walfile_name(pg_current_wal_lsn()) > last_archived_wal FROM pg_stat_archiver", "t")?;
    server.stop(logwatch_tests::server::Stop::Fast)?;

    copy.set(&[
        ("archive_mode", "off"),
        ("restore_command", &format!("cp {to}/%f %p")),
        ("recovery_target_name", "here"),
        ("recovery_target_action", "promote"),
    ])?;
    copy.write_file("data/recovery.signal", "")?;
    copy.start()?;
    copy.wait_for_sql(SOON, "SELECT pg_is_in_recovery()", "f")?;
    copy.wait_for_worker(SOON, None)?;
    assert_eq!(
        copy.sql("SELECT max(id) FROM logwatch.entries")?,
        before.lines().next().unwrap_or_default()
    );
    // The file still has the records stored after that point, and the offset went back with the
    // rows.
    Tailer::once(&copy, &["--source", "app", &log.display().to_string()])?;
    assert_eq!(
        copy.sql("SELECT string_agg(message, ',' ORDER BY id) FROM logwatch.entries WHERE source_id = logwatch_private.source_id('app')")?,
        "disk full,one,two,three"
    );
    Ok(())
}
