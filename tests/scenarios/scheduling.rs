//! The two schedulers that people have: pg_cron inside the server, cron outside of it. Both are the
//! real ones, and both wake up once a minute: these scenarios take that long.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use logwatch_tests::mail_sink::MailSink;
use logwatch_tests::manuals;
use logwatch_tests::process::{Process, as_root};
use logwatch_tests::programs;
use logwatch_tests::server::{Server, run};
use logwatch_tests::tailer::append;
use logwatch_tests::wait::wait_until;

use crate::INGEST_FATAL;

/// Longer than what takes two minutes when it just misses one: pg_cron checks at the next minute,
/// and delivers at the one after it.
const THREE_MINUTES: Duration = Duration::from_secs(180);

#[test]
fn the_pg_cron_recipe_checks_and_delivers_without_the_worker() -> Result<()> {
    let sink = MailSink::plain()?;
    let url = sink.url();
    let mut server = Server::create(&[
        ("shared_preload_libraries", "pg_cron"),
        ("cron.database_name", "postgres"),
        ("cron.use_background_workers", "on"),
        ("logwatch.smtp_url", &url),
        ("logwatch.email_to", "ops@example.com"),
    ])?;
    server.start_with_extension()?;
    server.sql("CREATE EXTENSION pg_cron")?;
    let recipe = fs::read_to_string(programs::checkout().join("sql/integrations/pg_cron.sql"))?;
    // Twice: a recipe may be run again after an upgrade.
    for _ in 0..2 {
        server.psql_script(&recipe)?;
    }
    let jobs = server.sql("SELECT string_agg(command, ' ') FROM cron.job")?;
    for word in [
        "logwatch_check",
        "logwatch_deliver",
        "logwatch_report",
        "logwatch_maintain",
    ] {
        assert_eq!(jobs.matches(word).count(), 1, "{word} in {jobs}");
    }

    server.sql(INGEST_FATAL)?;

    sink.wait_for_subject(THREE_MINUTES, "[FIRING:1] fatal")
        .with_context(|| {
            server
                .sql(
                    "SELECT 'job', start_time, end_time, command || ' ' || status || ' ' || return_message FROM cron.job_run_details
                      UNION ALL SELECT 'entry', received_at, logged_at, message FROM logwatch.entries
                      UNION ALL SELECT 'alert', fired_at, started_at, rule || ' ' || state FROM logwatch.alerts
                      UNION ALL SELECT 'notification', created_at, next_attempt_at, channel || ' ' || state FROM logwatch.notifications
                      UNION ALL SELECT 'check', checked_at, NULL, NULL FROM logwatch.progress ORDER BY 2",
                )
                .unwrap_or_else(|error| format!("{error:#}"))
        })?;
    let failed =
        server.sql("SELECT command, return_message FROM cron.job_run_details WHERE status = 'failed'")?;
    assert_eq!(failed, "");

    // The rarer jobs are not waited for: what they would do must work all the same.
    for command in server
        .sql("SELECT command FROM cron.job ORDER BY command DESC")?
        .lines()
    {
        server.sql(command)?;
    }
    assert_eq!(sink.mails_with_subject("status of").len(), 1, "the daily report");
    Ok(())
}

#[test]
fn the_pg_cron_recipe_schedules_for_another_database() -> Result<()> {
    let recipe = programs::checkout().join("sql/integrations/pg_cron.sql");
    let mut server = Server::create(&[
        ("shared_preload_libraries", "pg_cron"),
        ("cron.database_name", "jobs"),
        ("cron.use_background_workers", "on"),
    ])?;
    server.start()?;
    server.sql("CREATE DATABASE jobs")?;
    let run_recipe = || -> Result<std::process::Output> {
        Ok(Command::new(server.program_path("psql"))
            .args(["-X", "-f"])
            .arg(&recipe)
            .envs(server.env())
            .output()?)
    };
    let said = |output: &std::process::Output| String::from_utf8_lossy(&output.stderr).into_owned();

    let output = run_recipe()?;
    assert!(!output.status.success());
    assert!(
        said(&output).contains("logwatch is not in database \"postgres\""),
        "{}",
        said(&output)
    );
    server.sql("CREATE SCHEMA \"Log watch\"; CREATE EXTENSION logwatch SCHEMA \"Log watch\"")?;
    let output = run_recipe()?;
    assert!(!output.status.success());
    assert!(
        said(&output).contains("pg_cron is not in database \"jobs\""),
        "{}",
        said(&output)
    );
    let mut jobs = server.client_as("postgres", "jobs")?;
    jobs.batch_execute("CREATE EXTENSION pg_cron")?;
    for _ in 0..2 {
        let output = run_recipe()?;
        assert!(output.status.success(), "{}", said(&output));
    }
    assert_eq!(
        run(
            &mut jobs,
            "SELECT DISTINCT database, count(*) OVER () FROM cron.job"
        )?,
        "postgres|4"
    );
    // The check runs in the other database.
    wait_until(THREE_MINUTES, "a check by pg_cron", || {
        Ok(run(
            &mut jobs,
            "SELECT count(*) > 0 FROM cron.job_run_details WHERE command LIKE '%logwatch_check%' AND status = 'succeeded'",
        )? == "t")
    })?;
    assert_eq!(
        run(
            &mut jobs,
            "SELECT command, return_message FROM cron.job_run_details WHERE status = 'failed'"
        )?,
        ""
    );
    Ok(())
}

#[test]
fn a_crontab_line_runs_the_tailer() -> Result<()> {
    // The manual's own line, which is one of a user's crontab.
    let block = manuals::block_with("* * * * * ")?;
    let line = block.trim_end();
    cron_runs(
        &line
            .replacen("* * * * * ", "* * * * * root ", 1)
            .replacen("/usr/local/bin/logwatch-tailer", "TAILER", 1)
            .replacen("-d appdb", "-d postgres", 1),
    )
}

#[test]
fn the_packages_cron_example_runs_the_tailer() -> Result<()> {
    let example = fs::read_to_string(programs::checkout().join("tailer/package/logwatch-tailer.cron.d"))?;
    let (_, table) = example
        .split_once("#\n")
        .context("the example has an empty line")?;
    // With the # taken away, as it says.
    let line = table
        .lines()
        .filter_map(|line| line.strip_prefix("# "))
        .find(|line| line.starts_with("* "))
        .context("the example has a line for cron")?;
    cron_runs(
        &line
            .replacen(" logwatch ", " root ", 1)
            .replacen("/usr/bin/logwatch-tailer", "TAILER", 1),
    )
}

/// Demands that Debian's cron, given this line with TAILER for the tailer and its logs in
/// /var/log/app, stores what is in them.
fn cron_runs(line: &str) -> Result<()> {
    let server = Server::without_worker(&[])?;
    let files = tempfile::Builder::new().prefix("logwatch-cron-").tempdir()?;
    fs::set_permissions(files.path(), fs::Permissions::from_mode(0o755))?;
    let log = files.path().join("app.log");
    append(
        &log,
        &[
            "2026-11-22 10:00:00 ERROR seen by cron",
            "2026-11-22 10:00:00 INFO not seen",
        ],
    )?;
    let program = programs::built("logwatch-tailer")?.display().to_string();
    assert!(
        line.contains(" TAILER ") && line.contains("/var/log/app/"),
        "{line}"
    );
    let line = line.replacen("TAILER", &program, 1).replacen(
        "/var/log/app/",
        &format!("{}/", files.path().display()),
        1,
    );
    let variables: String = server
        .env()
        .iter()
        .map(|(name, value)| format!("{name}={value}\n"))
        .collect();
    let output = files.path().join("output");
    let table = format!("{variables}MAILTO=\"\"\n{line} >>{} 2>&1\n", output.display());
    let Some(mut cron) = start_cron(files.path(), &table)? else {
        eprintln!("SKIPPED: cron needs root, or a sudo without password");
        return Ok(());
    };

    wait_until(THREE_MINUTES, "the line's record to be stored", || {
        let stored = server.sql("SELECT message FROM logwatch.entries")?;
        Ok(stored == "seen by cron" || cron.process.exited()?.is_some())
    })
    .with_context(|| fs::read_to_string(&output).unwrap_or_default())?;
    ensure!(
        cron.process.exited()?.is_none(),
        "cron has ended: {}",
        fs::read_to_string(&cron.said)?
    );
    assert_eq!(fs::read_to_string(&output)?, "", "cron would mail what it prints");
    Ok(())
}

/// A cron daemon that sees no crontab but `line`; ended when dropped.
struct Cron {
    pid_file: PathBuf,
    /// The file with its standard error.
    said: PathBuf,
    process: Process,
}

impl Drop for Cron {
    fn drop(&mut self) {
        // Through sudo we are not the daemon's parent: its own pid file names it.
        if let Ok(pid) = fs::read_to_string(&self.pid_file)
            && let Some(mut kill) = as_root(&["kill", pid.trim()])
        {
            let _ = kill.stderr(Stdio::null()).status();
        }
    }
}

/// Starts Debian's cron in a mount namespace of its own, where the machine's crontabs are hidden
/// behind ours.
fn start_cron(dir: &Path, line: &str) -> Result<Option<Cron>> {
    let [jobs, tables, run] = ["cron.d", "crontabs", "run"].map(|name| dir.join(name));
    for folder in [&jobs, &tables, &run] {
        fs::create_dir(folder)?;
    }
    let [empty, job] = [dir.join("crontab"), jobs.join("logwatch")];
    fs::write(&empty, "")?;
    fs::write(&job, line)?;
    // cron ignores files that others could have written.
    fs::set_permissions(&job, fs::Permissions::from_mode(0o644))?;
    let script = "chown root:root \"$1/cron.d\" \"$1/cron.d/logwatch\" \"$1/crontab\" && \
                  mount --bind \"$1/cron.d\" /etc/cron.d && mount --bind \"$1/crontab\" /etc/crontab && \
                  mount --bind \"$1/crontabs\" /var/spool/cron/crontabs && mount --bind \"$1/run\" /run && \
                  exec timeout --foreground 180 cron -f -L 4";
    let dir = dir.display().to_string();
    let Some(mut command) = as_root(&[
        "unshare",
        "--mount",
        "--propagation",
        "private",
        "sh",
        "-c",
        script,
        "cron",
        &dir,
    ]) else {
        return Ok(None);
    };
    let said = run.with_file_name("said");
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(fs::File::create(&said)?);
    let process = Process::spawn(&mut command, libc::SIGTERM)?;
    Ok(Some(Cron {
        pid_file: run.join("crond.pid"),
        said,
        process,
    }))
}

#[test]
fn the_machine_has_the_real_schedulers() -> Result<()> {
    let found = Command::new("sh").args(["-c", "command -v cron"]).output()?;
    assert!(
        found.status.success(),
        "cron is missing; run extension/package/install_missing.sh test"
    );
    Ok(())
}
