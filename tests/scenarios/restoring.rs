//! Restoring a dump under a running worker and a running tailer, in each way that people restore:
//! nothing exists twice, nothing is lost, and nobody is notified anew.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use logwatch_tests::mail_sink::MailSink;
use logwatch_tests::server::{Server, run};
use logwatch_tests::tailer::{Tailer, append};
use logwatch_tests::wait::stays;
use tempfile::TempDir;

use crate::backup::{contents, dump, give_work, goes_on};
use crate::{SOON, mail_through};

const WORKER_STATE: &str = "SELECT state FROM logwatch_status() WHERE component = 'worker'";

/// Makes each table of a dump take its time, so that the worker would see half of the dump.
const SLOW: &str = "CREATE SCHEMA slow;
    CREATE FUNCTION slow.down() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
        PERFORM pg_catalog.pg_sleep(0.7) FROM pg_catalog.pg_event_trigger_ddl_commands() AS c WHERE NOT c.in_extension; END $$;
    CREATE EVENT TRIGGER slow ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION slow.down()";

struct Dumped {
    sink: MailSink,
    folder: TempDir,
    before: String,
}

impl Dumped {
    /// Dumps a server in the midst of its work.
    fn new(more: &[&str]) -> Result<Dumped> {
        let sink = MailSink::plain()?;
        let folder = tempfile::tempdir()?;
        let mut server = Server::create(&[])?;
        mail_through(&mut server, &sink)?;
        server.start_with_extension()?;
        give_work(&server, &sink, &folder.path().join("app.log"))?;
        let before = dump(&server, &folder.path().join("dump"), more)?;
        sink.behave();
        Ok(Dumped { sink, folder, before })
    }

    fn file(&self) -> String {
        self.folder.path().join("dump").display().to_string()
    }

    /// A server whose worker is awake and in which tables are made slowly.
    fn target(&self) -> Result<Server> {
        let mut server = Server::create(&[])?;
        mail_through(&mut server, &self.sink)?;
        server.start()?;
        server.wait_for_worker(SOON, None)?;
        server.sql(SLOW)?;
        Ok(server)
    }

    /// Runs a command that restores the dump, and beside it a tailer once there is an extension.
    fn restore(&self, server: &Server, mut command: Command) -> Result<Tailer> {
        let mut restore = command.envs(server.env()).stdout(Stdio::null()).spawn()?;
        server.wait_for_sql(
            SOON,
            "SELECT count(*) FROM pg_extension WHERE extname = 'logwatch'",
            "1",
        )?;
        let told = server.sql("SELECT state, message FROM logwatch_private.worker_status()")?;
        assert!(
            told.starts_with("restoring|A dump is being restored here (pid "),
            "{told}"
        );
        for call in [
            "SELECT logwatch_ingest('ERROR too early')",
            "SELECT * FROM logwatch_check()",
        ] {
            let refused = server.sql_error(call)?;
            assert_eq!(refused.code, "57P03", "{call}: {refused}");
        }
        let other = self.folder.path().join("other.log");
        append(&other, &["ERROR of a tailer that runs meanwhile"])?;
        let tailer = Tailer::start(
            server,
            &[
                "--source",
                "other",
                "--from-beginning",
                &other.display().to_string(),
            ],
        )?;
        let status = restore.wait()?;
        ensure!(status.success(), "{command:?}: {status}");
        Ok(tailer)
    }

    /// Checks that all of the dump is there, that the worker has waited, and that it goes on.
    fn check(&self, server: &Server) -> Result<()> {
        server.sql("DROP EVENT TRIGGER slow")?;
        assert!(
            !server.log().contains("already exists") && !server.log().contains("duplicate key"),
            "{}",
            server.log_tail(30)
        );
        server.wait_for_sql(SOON, WORKER_STATE, "running")?;
        server.wait_for_sql(
            SOON,
            "SELECT count(*) FROM logwatch.entries WHERE source_id = logwatch_private.source_id('other')",
            "1",
        )?;
        let held = contents(server)?;
        for line in self
            .before
            .lines()
            .filter(|line| line.starts_with("entries|") || line.starts_with("alerts|"))
        {
            assert!(
                held.lines().any(|other| other == line),
                "{line} is missing in\n{held}"
            );
        }
        let sums = |text: &str| -> i64 {
            text.lines()
                .filter(|line| line.starts_with("counts|"))
                .filter_map(|line| line.rsplit('|').next()?.parse::<i64>().ok())
                .sum()
        };
        assert_eq!(sums(&held), sums(&self.before) + 1, "each record is counted once");
        goes_on(server, &self.sink, &self.folder.path().join("app.log"))
    }
}

fn client_program(server: &Server, program: &str, args: &[&str]) -> Result<()> {
    let output = Command::new(server.program_path(program))
        .args(args)
        .envs(server.env())
        .output()?;
    ensure!(
        output.status.success(),
        "{program} {args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

/// The command that runs a script in psql and stops at the first error.
fn psql(server: &Server, script: &Path) -> Command {
    let mut psql = Command::new(server.program_path("psql"));
    psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-f"]).arg(script);
    psql
}

fn pg_restore(server: &Server, args: &[&str]) -> Command {
    let mut restore = Command::new(server.program_path("pg_restore"));
    restore.args(["--exit-on-error", "-d", "postgres"]).args(args);
    restore
}

#[test]
fn pg_restore_with_several_jobs_is_left_alone() -> Result<()> {
    let dumped = Dumped::new(&[])?;
    let server = dumped.target()?;
    let _tailer = dumped.restore(&server, pg_restore(&server, &["-j", "4", &dumped.file()]))?;
    dumped.check(&server)
}

#[test]
fn pg_restore_without_a_transaction_is_left_alone() -> Result<()> {
    let dumped = Dumped::new(&[])?;
    let server = dumped.target()?;
    let _tailer = dumped.restore(&server, pg_restore(&server, &[&dumped.file()]))?;
    dumped.check(&server)
}

#[test]
fn a_plain_script_in_psql_with_row_security_is_left_alone() -> Result<()> {
    let dumped = Dumped::new(&[])?;
    let server = dumped.target()?;
    let script = dumped.folder.path().join("script.sql");
    client_program(
        &server,
        "pg_restore",
        &[
            "--enable-row-security",
            "-f",
            &script.display().to_string(),
            &dumped.file(),
        ],
    )?;
    let _tailer = dumped.restore(&server, psql(&server, &script))?;
    dumped.check(&server)
}

/// The database is dropped and made again under the worker that serves it.
#[test]
fn pg_restore_with_create_is_left_alone() -> Result<()> {
    let dumped = Dumped::new(&["--create"])?;
    let server = dumped.target()?;
    let restore = || {
        let options = ["--clean", "--create", "--exit-on-error", "-d", "template1"];
        let file = dumped.file();
        client_program(&server, "pg_restore", &[&options[..], &[file.as_str()]].concat())
    };
    restore()
        .err()
        .context("the worker's database was dropped beside the worker")?;
    server.sql("DROP EVENT TRIGGER slow; CREATE EXTENSION logwatch")?;
    server.sql("SELECT logwatch_pause('1 minute')")?;
    restore()?;
    run(&mut server.client()?, "SELECT logwatch_pause('0')")?;
    server.wait_for_sql(SOON, WORKER_STATE, "running")?;
    assert_eq!(contents(&server)?, dumped.before);
    goes_on(&server, &dumped.sink, &dumped.folder.path().join("app.log"))
}

/// Batches that no check had taken are restored before the minutes that have their seconds already.
#[test]
fn a_batch_of_a_minute_that_is_counted_already_is_restored() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("dump").display().to_string();
    let server = Server::without_worker(&[])?;
    server.sql(
        "SELECT logwatch_ingest('2026-01-01 10:00:01 ERROR one'); SELECT logwatch_check();
         SELECT logwatch_ingest('2026-01-01 10:00:02 ERROR one'); SELECT logwatch_ingest('2026-01-01 10:00:03 ERROR another one')",
    )?;
    assert_eq!(server.sql("SELECT count(*) FROM logwatch.batches")?, "2");
    client_program(&server, "pg_dump", &["-f", &file])?;
    server.sql("DROP EXTENSION logwatch")?;
    let status = psql(&server, Path::new(&file))
        .envs(server.env())
        .stdout(Stdio::null())
        .status()?;
    ensure!(status.success(), "psql: {status}");
    // With -j the first session of pg_restore ends before the others begin. A check that comes
    // meanwhile looks twice; its first look ends at the lock.
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
    let mut lock = server.client()?;
    lock.batch_execute("BEGIN; SELECT FROM logwatch_private.restoring FOR UPDATE")?;
    std::thread::scope(|scope| -> Result<()> {
        let early = scope.spawn(|| server.sql_error("SELECT logwatch_check()"));
        server.wait_for_sql(SOON, waiting, "1")?;
        let mut job = server.client()?;
        job.batch_execute("SET application_name = pg_restore")?;
        lock.batch_execute("COMMIT")?;
        let refused = early.join().expect("the thread does not panic")?;
        assert_eq!(refused.code, "57P03", "{refused}");
        Ok(())
    })?;
    // All sessions have ended: the next check takes everything in, once.
    let mut first = server.client()?;
    first.batch_execute("BEGIN; SELECT logwatch_private.finish_restore()")?;
    std::thread::scope(|scope| -> Result<()> {
        let second = scope.spawn(|| server.sql("SELECT logwatch_check()"));
        server.wait_for_sql(SOON, waiting, "1")?;
        first.batch_execute("COMMIT")?;
        second.join().expect("the thread does not panic").map(drop)
    })?;
    assert_eq!(
        server.sql("SELECT sum(n) FROM logwatch.counts; SELECT count(*) FROM logwatch.patterns; SELECT count(*) FROM logwatch.alerts")?,
        "3\n2\n0"
    );
    Ok(())
}

/// Restoring by hand in a session that stays open shows what the worker waits for.
#[test]
fn a_session_that_stays_open_after_a_restore_is_named() -> Result<()> {
    let server = Server::with_worker(&[("logwatch.check_interval", "1s")])?;
    server.sql("DROP EXTENSION logwatch")?;
    let mut session = server.client()?;
    session.batch_execute("SET xmloption = content; CREATE EXTENSION logwatch")?;
    let pid: i32 = session.query_one("SELECT pg_backend_pid()", &[])?.get(0);
    stays(Duration::from_secs(8), "restoring", || {
        Ok(
            server.sql("SELECT state, message FROM logwatch_status() WHERE component = 'worker'")?
                == format!(
                    "restoring|A dump is being restored here (pid {pid}). The worker, tailers and checks wait for the end of that session."
                ),
        )
    })?;
    drop(session);
    server.wait_for_sql(SOON, WORKER_STATE, "running")?;
    Ok(())
}
