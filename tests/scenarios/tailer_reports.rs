//! The tailer's own output: --check, --status, progress, messages, manual page, exit codes.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use anyhow::{Context, Result};
use logwatch_tests::programs;
use logwatch_tests::server::{Server, Stop};
use logwatch_tests::tailer::{Tailer, append};
use logwatch_tests::wait::wait_until;

use crate::SOON;

/// The manual's grant for a tailer.
const GRANT: &str = "SELECT logwatch_grant('feeder', 'tailer')";

/// The output of a run and its exit status.
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Said {
        Said {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

fn run(server: &Server, user: &str, args: &[&str]) -> Result<Said> {
    Ok(Tailer::command(server, args)?
        .env("PGUSER", user)
        .output()?
        .into())
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap_or_default()
}

#[test]
fn status_shows_each_file_to_the_tailers_own_role() -> Result<()> {
    let server = Server::without_worker(&[])?;
    server.sql("CREATE ROLE feeder LOGIN")?;
    let files = tempfile::tempdir()?;
    let (a, b) = (files.path().join("a.log"), files.path().join("b.log"));
    append(&a, &["ERROR one", "INFO two"])?;
    append(&b, &["FATAL three"])?;
    let status = |user| run(&server, user, &["--status", "--source", "app"]);

    let said = status("feeder")?;
    assert_eq!(said.code, Some(77), "{}", said.err);
    server.sql(GRANT)?;
    let said = status("feeder")?;
    assert_eq!(said.code, Some(66), "{}", said.err);
    assert!(said.err.contains("no tailer has read"), "{}", said.err);

    let once = ["--once", "--source", "app", text(&a), text(&b)];
    let said = run(&server, "feeder", &once)?;
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""));
    append(&a, &["ERROR partial"])?;
    let mut bytes = fs::read(&a)?;
    bytes.pop();
    fs::write(&a, &bytes)?;
    run(&server, "feeder", &once)?;

    let said = status("feeder")?;
    assert_eq!(said.code, Some(0), "{}", said.err);
    let lines: Vec<Vec<&str>> = said
        .out
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(lines[0][..2], ["source", "app,"], "{}", said.out);
    assert_eq!(lines[1][..4], ["FILE", "STATE", "NEXT", "BYTE"]);
    assert_eq!(
        lines[2][..6],
        [text(&a), "open", "19", "32", "13", "B"],
        "{}",
        said.out
    );
    assert_eq!(
        lines[3][..6],
        [text(&b), "open", "12", "12", "0", "B"],
        "{}",
        said.out
    );
    assert_eq!(lines.len(), 4, "{}", said.out);
    // Named by its files, as the tailer itself names it.
    let said = run(&server, "feeder", &["--status", text(&a)])?;
    assert_eq!(said.code, Some(66), "{}", said.err);
    Ok(())
}

#[test]
fn a_file_that_cannot_be_read_shows_in_both_statuses_until_it_can() -> Result<()> {
    let server = Server::without_worker(&[])?;
    let files = tempfile::tempdir()?;
    let log = files.path().join("app.log");
    append(&log, &["ERROR one"])?;
    let closed = files.path().join("closed.log");
    append(&closed, &["ERROR two"])?;
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o000))?;
    let args = ["--source", "app", text(&log), text(&closed)];
    let mut command = Tailer::command(&server, &args)?;
    if programs::is_root() {
        // Permissions stop root only without its capability to pass them over.
        command = Command::new("setpriv");
        command
            .args(["--bounding-set", "-dac_override,-dac_read_search"])
            .arg(programs::built("logwatch-tailer")?)
            .args(args)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .envs(server.env());
    }
    let mut tailer = Tailer::spawn(command)?;
    let error = "SELECT count(*) FROM logwatch_files('app') WHERE state = 'error' AND error <> ''";
    server
        .wait_for_sql(SOON, error, "1")
        .with_context(|| tailer.output())?;
    let state = server.sql("SELECT state, message ~ '1 file cannot be read: .*closed.log .Permission denied' FROM logwatch_status() WHERE name = 'app'")?;
    assert_eq!(state, "error|t");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o644))?;
    server.wait_for_sql(
        SOON,
        "SELECT state FROM logwatch_status() WHERE name = 'app'",
        "ok",
    )?;
    tailer.terminate()?;
    Ok(())
}

#[test]
fn truncations_are_counted_and_bytes_behind_are_told() -> Result<()> {
    let server = Server::without_worker(&[])?;
    let files = tempfile::tempdir()?;
    let log = files.path().join("app.log");
    append(&log, &["ERROR one", "ERROR two"])?;
    let args = ["--source", "app", text(&log)];
    Tailer::once(&server, &args)?;
    let copied = files.path().join("app.log.1");
    for round in 1..=3 {
        fs::copy(&log, &copied)?;
        fs::write(
            &log,
            format!("ERROR after truncation {round} of a file that was there before\n"),
        )?;
        Tailer::once(&server, &args)?;
        let told =
            server.sql("SELECT truncations, gaps, behind FROM logwatch_files('app') WHERE state = 'open'")?;
        assert_eq!(told, format!("{round}|0|0"));
    }
    assert!(
        server
            .sql("SELECT message FROM logwatch_status() WHERE name = 'app'")?
            .contains("3 truncations in 24 hours")
    );
    Ok(())
}

#[test]
fn a_role_without_the_new_functions_still_tails_and_says_nothing() -> Result<()> {
    let server = Server::without_worker(&[])?;
    server.sql("CREATE ROLE feeder LOGIN")?;
    server.sql(&GRANT.replace(", logwatch_heartbeat, logwatch_files", ""))?;
    let files = tempfile::tempdir()?;
    let log = files.path().join("app.log");
    append(&log, &["ERROR one"])?;
    let said = run(&server, "feeder", &["--once", "--source", "app", text(&log)])?;
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""));
    assert_eq!(server.sql("SELECT count(*) FROM logwatch.entries")?, "1");
    assert!(!server.log().contains("permission denied"), "{}", server.log());
    Ok(())
}

#[test]
fn progress_is_a_bar_on_a_terminal_and_lines_elsewhere() -> Result<()> {
    let files = tempfile::tempdir()?;
    let log = files.path().join("app.log");
    fs::write(
        &log,
        // Records, so that it takes longer than a bar stands still.
        "2026-11-22 10:00:00 ERROR nothing to see here, move along\n".repeat(100_000),
    )?;
    let tailer = programs::built("logwatch-tailer")?;
    let output: Said = Command::new(&tailer)
        .args(["--once", "--dry-run", "--progress", text(&log)])
        .output()?
        .into();
    assert!(
        output.err.contains("MiB read,") && output.err.contains("/s"),
        "{}",
        output.err
    );
    // The same on a terminal, by util-linux' script(1).
    let command = format!(
        "{} --once --dry-run --progress {} >/dev/null",
        text(&tailer),
        text(&log)
    );
    let output: Said = Command::new("script")
        .args(["-qec", &command, "/dev/null"])
        .env("TERM", "xterm")
        .output()?
        .into();
    assert_eq!(output.code, Some(0), "{}", output.out);
    assert!(
        output.out.contains("MiB of ") && output.out.contains("left"),
        "{:?}",
        output.out
    );
    // Neither asked for nor on a terminal: silent.
    let output: Said = Command::new(&tailer)
        .args(["--once", "--dry-run", text(&log)])
        .output()?
        .into();
    assert_eq!(output.err, "");
    Ok(())
}

#[test]
fn messages_are_text_or_json_and_carry_their_priority_into_the_journal() -> Result<()> {
    let tailer = programs::built("logwatch-tailer")?;
    let missing = ["--once", "--dry-run", "/nowhere/app.log"];
    let output: Said = Command::new(&tailer).args(missing).output()?.into();
    assert_eq!(output.code, Some(66));
    assert!(
        output.err.starts_with("20") && output.err.contains(" logwatch-tailer: /nowhere"),
        "{}",
        output.err
    );

    let output: Said = Command::new(&tailer)
        .args(missing)
        .args(["--log-format", "json"])
        .output()?
        .into();
    let message: serde_json::Value = serde_json::from_str(&output.err)?;
    assert_eq!(message["level"], "error");
    assert_eq!(message["message"], "/nowhere/app.log: no such file");

    // As systemd does it: the stream that leads to the journal is named by device and inode.
    let journal = tempfile::NamedTempFile::new()?;
    let stream = {
        use std::os::unix::fs::MetadataExt;
        let metadata = journal.as_file().metadata()?;
        format!("{}:{}", metadata.dev(), metadata.ino())
    };
    Command::new(&tailer)
        .args(missing)
        .env("JOURNAL_STREAM", &stream)
        .stderr(journal.reopen()?)
        .status()?;
    assert_eq!(
        fs::read_to_string(journal.path())?,
        "<3>/nowhere/app.log: no such file\n"
    );
    let output: Said = Command::new(&tailer)
        .args(missing)
        .env("JOURNAL_STREAM", &stream)
        .output()?
        .into();
    assert!(
        output.err.contains("logwatch-tailer: "),
        "another stream: {}",
        output.err
    );
    Ok(())
}

#[test]
fn completions_and_manual_page_are_what_their_readers_take() -> Result<()> {
    let tailer = programs::built("logwatch-tailer")?;
    let print = |args: &[&str]| -> Result<Said> { Ok(Command::new(&tailer).args(args).output()?.into()) };
    for shell in ["bash", "zsh", "fish"] {
        let said = print(&["--completions", shell])?;
        assert_eq!(said.code, Some(0), "{}", said.err);
        assert!(said.out.contains("rotate-wait"), "{shell}");
    }
    let folder = tempfile::tempdir()?;
    let script = folder.path().join("completion");
    fs::write(&script, print(&["--completions", "bash"])?.out)?;
    let said: Said = Command::new("bash")
        .args(["-c", "source \"$1\"; COMP_WORDS=(logwatch-tailer --rotate-); COMP_CWORD=1; _logwatch__tailer logwatch-tailer --rotate- logwatch-tailer; echo \"${COMPREPLY[@]}\"", "bash"])
        .arg(&script)
        .output()?
        .into();
    assert_eq!(said.out.trim(), "--rotate-wait", "{}", said.err);

    let page = print(&["--man"])?;
    let file = folder.path().join("logwatch-tailer.8");
    fs::write(&file, &page.out)?;
    for (part, word) in [
        ("EXIT STATUS", "another tailer reads the source"),
        ("OPTIONS", "rotate\\-wait"),
        ("PIPES", "FIFO"),
    ] {
        assert!(page.out.contains(part) && page.out.contains(word), "{part}");
    }
    if Path::new("/usr/bin/groff").exists() {
        let said: Said = Command::new("groff")
            .args(["-man", "-Kutf8", "-Tutf8", "-ww", "-z"])
            .arg(&file)
            .output()?
            .into();
        assert_eq!(
            (said.code, said.err.as_str()),
            (Some(0), ""),
            "groff has nothing to say"
        );
    }
    Ok(())
}

#[test]
fn exit_codes_are_as_documented() -> Result<()> {
    let mut server = Server::without_worker(&[])?;
    server.sql("CREATE ROLE stranger LOGIN")?;
    let files = tempfile::tempdir()?;
    let log = files.path().join("app.log");
    append(&log, &["ERROR one"])?;
    fs::set_permissions(files.path(), fs::Permissions::from_mode(0o755))?;
    for (user, args, code) in [
        ("postgres", &["--once", text(&log)][..], 0),
        ("postgres", &["--once", "--max-runtime", "50", text(&log)], 0),
        ("postgres", &["--once", "--max-runtime", "1m 30s", text(&log)], 0),
        ("postgres", &["--no-such-option"], 2),
        ("postgres", &["--once", "--tz", "Mars/Olympus", text(&log)], 2),
        ("postgres", &["--max-runtime", "50", text(&log)], 2),
        ("postgres", &["--once", "/nowhere/app.log"], 66),
        ("postgres", &["--once", "/nowhere/*.log"], 66),
        ("postgres", &["--once", text(files.path())], 66),
        ("stranger", &["--once", text(&log)], 77),
        ("postgres", &["--once", "-d", "nowhere", text(&log)], 69),
    ] {
        let said = run(&server, user, args)?;
        assert_eq!(said.code, Some(code), "{args:?}: {}", said.err);
        assert_eq!(said.err.is_empty(), code == 0, "{args:?}: {}", said.err);
    }
    for (input, reason) in [
        ("/nowhere/*.log", "no file matches \"/nowhere/*.log\""),
        (text(files.path()), "is a directory; name its files"),
    ] {
        let said = run(&server, "postgres", &["--once", input])?;
        assert_eq!(said.err.matches(reason).count(), 1, "{}", said.err);
    }
    // 75 when another one takes the source.
    let mut first = Tailer::start(&server, &["--source", "app", text(&log)])?;
    server.wait_for_sql(SOON, "SELECT epoch FROM logwatch.sources WHERE name = 'app'", "1")?;
    server.sql("SELECT epoch FROM logwatch_attach('app', '/x')")?;
    append(&log, &["ERROR two"])?;
    assert_eq!(first.wait(SOON * 2)?.code(), Some(75), "{}", first.output());
    server.stop(Stop::Fast)?;
    assert_eq!(run(&server, "postgres", &["--once", text(&log)])?.code, Some(69));
    wait_until(SOON, "the server to be gone", || Ok(server.client().is_err()))
}
