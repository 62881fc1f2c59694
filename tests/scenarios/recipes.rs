//! Shipping from elsewhere: the manual's recipes against the real programs – rsyslog, syslog-ng,
//! PostgreSQL's own logs, the journal.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use logwatch_tests::manuals;
use logwatch_tests::process::Process;
use logwatch_tests::programs;
use logwatch_tests::server::Server;
use logwatch_tests::systemd_journal::SystemdJournal;
use logwatch_tests::tailer::{Tailer, append};

use crate::SOON;

#[test]
fn rsyslog_ships_by_the_manuals_recipe() -> Result<()> {
    if !Path::new("/usr/lib/x86_64-linux-gnu/rsyslog/ompgsql.so").exists()
        && !Path::new("/usr/lib/aarch64-linux-gnu/rsyslog/ompgsql.so").exists()
    {
        println!("skipped: rsyslog-pgsql is not installed");
        return Ok(());
    }
    let server = Server::without_worker(&[])?;
    server.sql("CREATE ROLE app LOGIN; SELECT logwatch_grant('app', 'app')")?;
    let folder = tempfile::tempdir()?;
    let input = folder.path().join("in.log");
    append(
        &input,
        &[
            "<11>Nov 22 10:00:00 web1 shop: payment O'Reilly \\ failed",
            "<14>Nov 22 10:00:01 web1 shop: all is well",
        ],
    )?;
    let recipe = manuals::block_with("ompgsql")?
        .replace("/var/run/postgresql", &server.env()[0].1)
        .replace("db=\"appdb\"", "db=\"postgres\"");
    let config = folder.path().join("rsyslog.conf");
    fs::write(
        &config,
        format!(
            "global(workDirectory=\"{dir}\")\nmodule(load=\"imfile\" mode=\"polling\" pollingInterval=\"1\")\nmodule(load=\"imptcp\")\n\
             input(type=\"imptcp\" path=\"{dir}/syslog.sock\")\n{recipe}",
            dir = folder.path().display()
        ),
    )?;
    let mut rsyslogd = Command::new("/usr/sbin/rsyslogd");
    rsyslogd
        .args(["-n", "-iNONE", "-f"])
        .arg(&config)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let _running = Process::spawn(&mut rsyslogd, libc::SIGKILL)?;
    logwatch_tests::wait::wait_until(SOON, "rsyslog to listen", || {
        let mut stream = std::os::unix::net::UnixStream::connect(folder.path().join("syslog.sock"))?;
        std::io::Write::write_all(&mut stream, &fs::read(&input)?)?;
        Ok(true)
    })?;
    server.wait_for_sql(
        SOON,
        "SELECT s.name, e.level, e.message FROM logwatch.entries AS e JOIN logwatch.sources AS s ON s.id = e.source_id",
        "web1|ERROR|shop:  payment O'Reilly \\ failed",
    )?;
    Ok(())
}

/// The folder of the tree's library or module with this name.
fn folder_of(tree: &Path, name: &str) -> Result<PathBuf> {
    let found = Command::new("find").arg(tree).args(["-name", name]).output()?;
    let found = String::from_utf8(found.stdout)?;
    let first = found
        .lines()
        .next()
        .with_context(|| format!("no {name} below {}", tree.display()))?;
    Ok(Path::new(first).with_file_name(""))
}

#[test]
fn syslog_ng_ships_by_the_manuals_recipe() -> Result<()> {
    let tree = programs::checkout().join("target/syslog-ng");
    if !tree.join("usr/sbin/syslog-ng").exists() {
        println!("skipped: syslog-ng is not unpacked (extension/package/install_missing.sh test)");
        return Ok(());
    }
    let server = Server::without_worker(&[])?;
    let folder = tempfile::tempdir()?;
    let dir = folder.path().display();
    let tailer = programs::built("logwatch-tailer")?.display().to_string();
    server.sql(&manuals::block_with("CREATE ROLE logwatch_tailer LOGIN")?)?;
    let recipe = manuals::block_with("format-json")?
        .replace("/usr/local/bin/logwatch-tailer", &tailer)
        .replace("dbname=appdb", "dbname=postgres");
    let config = folder.path().join("syslog-ng.conf");
    fs::write(
        &config,
        format!("@version: 3.38\nsource s_src {{ unix-stream(\"{dir}/syslog.sock\"); }};\n{recipe}"),
    )?;
    let libraries = ["libsyslog-ng-3.38.so.0", "libivykis.so.0", "libpcre.so.3"]
        .iter()
        .map(|name| Ok(folder_of(&tree, name)?.display().to_string()))
        .collect::<Result<Vec<_>>>()?
        .join(":");
    let log = fs::File::create(folder.path().join("syslog-ng.log"))?;
    let mut syslog_ng = Command::new(tree.join("usr/sbin/syslog-ng"));
    syslog_ng
        .args(["--foreground", "--no-caps", "--stderr", "--module-path"])
        .arg(folder_of(&tree, "libafsocket.so")?)
        .args(["-f", &config.display().to_string()])
        .args([
            "-R",
            &format!("{dir}/persist"),
            "-c",
            &format!("{dir}/ctl"),
            "-p",
            &format!("{dir}/pid"),
        ])
        .env("LD_LIBRARY_PATH", libraries)
        .envs(server.env())
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log);
    let mut running = Process::spawn(&mut syslog_ng, libc::SIGTERM)?;
    logwatch_tests::wait::wait_until(SOON, "syslog-ng to listen", || {
        let mut stream = std::os::unix::net::UnixStream::connect(folder.path().join("syslog.sock"))?;
        std::io::Write::write_all(
            &mut stream,
            b"<11>Nov 22 10:00:00 shop: payment O'Reilly \\ \"failed\"\n<14>Nov 22 10:00:01 shop: all is well\n<8>Nov 22 10:00:02 kernel: no way out\n",
        )?;
        Ok(true)
    })?;
    server
        .wait_for_sql(
            SOON,
            "SELECT s.name, e.level, e.message, e.fields ->> 'program', e.fields ->> 'host' <> '' FROM logwatch.entries AS e JOIN logwatch.sources AS s ON s.id = e.source_id ORDER BY e.id",
            "syslog|ERROR|payment O'Reilly \\ \"failed\"|shop|t\nsyslog|FATAL|no way out|kernel|t",
        )
        .with_context(|| fs::read_to_string(folder.path().join("syslog-ng.log")).unwrap_or_default())?;
    // The tailer ends with its pipe, while there is a server.
    running.stop(libc::SIGTERM, SOON)?;
    server.wait_for_sql(
        SOON,
        "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'logwatch-tailer%'",
        "0",
    )
}

#[test]
fn postgresqls_own_logs_are_read_in_all_three_forms() -> Result<()> {
    let mut watched = Server::create(&[
        ("logging_collector", "on"),
        ("log_destination", "stderr,csvlog,jsonlog"),
        ("log_filename", "pg.log"),
        ("log_file_mode", "0644"),
        ("log_line_prefix", "%m [%p] "),
    ])?;
    watched.start()?;
    let long = "a_name_that_is_as_long_as_a_name_may_be_in_postgresql_63_chars";
    watched.sql(&format!("CREATE ROLE {long} LOGIN"))?;
    watched.sql(&format!("CREATE DATABASE {long}"))?;
    let mut client = watched.client_as(long, long)?;
    assert!(client.batch_execute("SELECT 1/0").is_err());
    assert!(
        client
            .batch_execute("DO $$ BEGIN RAISE EXCEPTION E'two\\nlines, \"quoted\"'; END $$")
            .is_err()
    );
    client.batch_execute("DO $$ BEGIN RAISE WARNING 'not an ERROR'; END $$")?;
    assert!(watched.client_as(long, "nosuch").is_err());
    drop(client);
    watched.stop(logwatch_tests::server::Stop::Fast)?;

    let server = Server::without_worker(&[])?;
    let logs = watched.data().join("log");
    for (source, file, format) in [
        ("json", "pg.json", None),
        ("csv", "pg.csv", Some("postgresql-csv")),
        ("stderr", "pg.log", None),
    ] {
        let path = logs.join(file).display().to_string();
        let mut args = vec!["--source", source, "--from-beginning", path.as_str()];
        if let Some(format) = format {
            args.extend(["--format", format]);
        }
        Tailer::once(&server, &args)?;
        let stored = server.sql(&format!(
            "SELECT level, translate(message, '\"', ''), detail LIKE '%lines%' FROM logwatch.entries
              WHERE source_id = logwatch_private.source_id('{source}') AND logged_at > now() - interval '10 minutes'
                AND message NOT LIKE 'terminating connection%' ORDER BY id"
        ))?;
        assert_eq!(
            stored.replace("|f", "|"),
            "ERROR|division by zero|\nERROR|two|t\nFATAL|database nosuch does not exist|",
            "{source}"
        );
    }
    Ok(())
}

#[test]
fn the_journal_comes_through_a_pipe() -> Result<()> {
    let Some(mut journal) = SystemdJournal::new()? else {
        return Ok(());
    };
    journal.append(&[
        (3, "shop", "disk is failing"),
        (6, "shop", "all is well"),
        (2, "kernel", "out of memory"),
        (3, "trace", "first\nsecond"),
    ])?;
    let server = Server::without_worker(&[])?;
    let recipe = manuals::block_with("journalctl -f -n 0 -p err")?;
    let (journalctl, tailer) = recipe.trim().split_once(" | ").context("the recipe is a pipe")?;
    // All of this file instead of what comes from now on.
    let journalctl = journalctl.replace("-f -n 0", &format!("--file {}", journal.file().display()));
    let tailer = tailer
        .replace(
            "logwatch-tailer",
            &programs::built("logwatch-tailer")?.display().to_string(),
        )
        .replace("appdb", "postgres");
    let output = Command::new("sh")
        .args(["-c", &format!("{journalctl} | {tailer}")])
        .stdin(Stdio::null())
        .envs(server.env())
        .output()?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(
        server.sql("SELECT level, message, detail, logged_at > now() - interval '10 minutes' FROM logwatch.entries ORDER BY id")?,
        "ERROR|disk is failing||t\nFATAL|out of memory||t\nERROR|first|second|t"
    );
    Ok(())
}
