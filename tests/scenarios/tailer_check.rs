//! `--check`, and what the start says of a doubtful set-up: each message names what to type.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::{Command, Output};

use anyhow::{Context, Result};
use logwatch_tests::programs;
use logwatch_tests::server::{Server, Stop};
use logwatch_tests::tailer::{Tailer, append};
use logwatch_tests::wait::wait_until;

use crate::SOON;

/// The output of a run and its exit code.
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

impl Said {
    /// Returns what to type: the rest of the line after `type: `.
    fn to_type(&self) -> Result<&str> {
        self.out
            .split("type: ")
            .nth(1)
            .and_then(|rest| rest.lines().next())
            .with_context(|| format!("nothing to type in {}", self.out))
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
fn check_says_ok_or_what_to_type() -> Result<()> {
    let mut server = Server::create(&[])?;
    server.start()?;
    server.sql("CREATE ROLE feeder LOGIN")?;
    let files = tempfile::tempdir()?;
    let log = files.path().join("app.log");
    let check = |server: &Server| run(server, "feeder", &["--check", text(&log)]);

    let said = check(&server)?;
    assert_eq!(said.code, Some(77), "{}", said.out);
    assert!(
        said.out.contains("note  ") && said.out.contains("No such file"),
        "{}",
        said.out
    );

    append(&log, &["ERROR one"])?;
    let said = check(&server)?;
    assert_eq!(said.code, Some(77), "{}", said.out);
    assert!(
        said.out.contains("type there: CREATE EXTENSION logwatch;"),
        "{}",
        said.out
    );
    assert!(said.out.contains("10 bytes, readable"), "{}", said.out);

    server.sql("CREATE EXTENSION logwatch")?;
    let said = check(&server)?;
    assert_eq!(said.code, Some(77), "{}", said.out);
    // The printed statement helps.
    server.sql(said.to_type()?)?;
    let said = check(&server)?;
    assert_eq!(said.code, Some(0), "{}", said.out);
    assert!(
        said.out.lines().all(|line| line.starts_with("ok    ")),
        "{}",
        said.out
    );
    assert_eq!(said.err, "");
    assert_eq!(
        server.sql("SELECT count(*) FROM logwatch.sources")?,
        "0",
        "it changes nothing"
    );

    server.sql("DROP EXTENSION logwatch; CREATE SCHEMA other; CREATE EXTENSION logwatch SCHEMA other")?;
    let said = check(&server)?;
    assert_eq!(said.code, Some(77), "{}", said.out);
    server.sql(said.to_type()?)?;
    let said = check(&server)?;
    assert_eq!(said.code, Some(0), "{}", said.out);

    server.stop(Stop::Fast)?;
    let said = check(&server)?;
    assert_eq!(said.code, Some(69), "{}", said.out);
    assert!(said.out.contains("-p or PGPORT"), "{}", said.out);
    Ok(())
}

/// A server, and a folder that others can enter.
fn set_up() -> Result<(Server, tempfile::TempDir)> {
    let folder = tempfile::tempdir()?;
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
    Ok((Server::without_worker(&[])?, folder))
}

#[test]
fn a_missing_file_is_a_failure_only_with_once() -> Result<()> {
    let (server, folder) = set_up()?;
    for missing in ["app.log", "*.log"] {
        let missing = folder.path().join(missing);
        let said = run(&server, "postgres", &["--check", text(&missing)])?;
        assert_eq!(said.code, Some(0), "{}", said.out);
        assert!(
            said.out.contains("note  ") && said.out.contains(text(&missing)),
            "{}",
            said.out
        );
        let said = run(&server, "postgres", &["--check", "--once", text(&missing)])?;
        assert_eq!(said.code, Some(66), "{}", said.out);
        assert!(
            said.out.contains("FAIL  ") && said.out.contains(text(&missing)),
            "{}",
            said.out
        );
    }
    let said = run(&server, "postgres", &["--check", text(folder.path())])?;
    assert_eq!(said.code, Some(66), "{}", said.out);
    assert!(
        said.out.contains(&format!("'{}/*.log'", text(folder.path()))),
        "{}",
        said.out
    );
    Ok(())
}

#[test]
fn a_file_that_a_group_may_read_names_the_group() -> Result<()> {
    if !programs::is_root() {
        // Files of other groups can be made by root only.
        return Ok(());
    }
    let (server, folder) = set_up()?;
    let (nobody, group) = (programs::ids("nobody")?, programs::ids("daemon")?.1);
    let check = |path: &Path| -> Result<Said> {
        let (user, own) = (format!("--reuid={}", nobody.0), format!("--regid={}", nobody.1));
        Ok(Command::new("setpriv")
            .args([&user, &own, "--clear-groups"])
            .arg(programs::built("logwatch-tailer")?)
            .arg("--check")
            .arg(path)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .envs(server.env())
            .output()?
            .into())
    };
    let (file, closed) = (folder.path().join("app.log"), folder.path().join("closed"));
    append(&file, &["ERROR one"])?;
    fs::create_dir(&closed)?;
    append(&closed.join("app.log"), &["ERROR one"])?;
    for (path, mode) in [(&file, 0o640), (&closed, 0o750)] {
        chown(path, Some(0), Some(group))?;
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    }
    for path in [&file, &closed.join("app.log"), &closed.join("*.log")] {
        let said = check(path)?;
        assert_eq!(said.code, Some(66), "{}", said.out);
        assert!(
            said.to_type()?.starts_with("usermod -aG daemon nobody"),
            "{}",
            said.out
        );
    }
    // No group is let in: naming one would not help.
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600))?;
    let said = check(&file)?;
    assert!(
        said.to_type()?
            .starts_with(&format!("setfacl -m u:nobody:rX {}", text(&file))),
        "{}",
        said.out
    );
    Ok(())
}

#[test]
fn a_link_of_another_owner_is_refused_to_root_until_it_has_the_same() -> Result<()> {
    if !programs::is_root() {
        return Ok(());
    }
    let (server, folder) = set_up()?;
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777))?;
    let target = tempfile::NamedTempFile::new()?;
    let link = folder.path().join("app.log");
    symlink(target.path(), &link)?;
    std::os::unix::fs::lchown(&link, Some(programs::ids("nobody")?.0), None)?;
    let said = run(&server, "postgres", &["--check", text(&link)])?;
    assert_eq!(said.code, Some(66), "{}", said.out);
    let typed = Command::new("sh").args(["-c", said.to_type()?]).status()?;
    assert!(typed.success());
    let said = run(&server, "postgres", &["--check", text(&link)])?;
    assert_eq!(said.code, Some(0), "{}", said.out);
    Ok(())
}

#[test]
fn a_read_only_database_or_role_says_how_to_write() -> Result<()> {
    let (server, folder) = set_up()?;
    let log = folder.path().join("app.log");
    append(&log, &["ERROR one"])?;
    server.sql("CREATE ROLE feeder LOGIN SUPERUSER")?;
    for read_only in [
        "ALTER DATABASE postgres",
        "ALTER ROLE feeder",
        "ALTER ROLE feeder IN DATABASE postgres",
        "ALTER ROLE ALL",
        "ALTER SYSTEM",
    ] {
        server.sql(&format!("{read_only} SET default_transaction_read_only = on"))?;
        server.sql("SELECT pg_reload_conf()")?;
        let check = || run(&server, "feeder", &["--check", text(&log)]);
        wait_until(SOON, read_only, || Ok(check()?.code == Some(77)))?;
        let said = check()?;
        // psql sends a line statement by statement, in one session.
        let mut session = server.client_as("feeder", "postgres")?;
        for statement in said.to_type()?.split_inclusive(';') {
            session
                .batch_execute(statement)
                .with_context(|| format!("{read_only}: {statement}"))?;
        }
        wait_until(SOON, "a session that can write", || Ok(check()?.code == Some(0)))
            .with_context(|| said.out.clone())?;
    }
    Ok(())
}

#[test]
fn a_pattern_that_the_shell_expands_keeps_its_source_when_a_file_is_added() -> Result<()> {
    let (server, folder) = set_up()?;
    let path = |name: &str| folder.path().join(name);
    let (a, b, c) = (path("a.log"), path("b.log"), path("c.log"));
    append(&a, &["ERROR a"])?;
    append(&b, &["ERROR b"])?;
    let said = run(&server, "postgres", &["--once", text(&a), text(&b)])?;
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""));
    append(&c, &["ERROR c"])?;
    let all = [text(&a), text(&b), text(&c)];
    run(&server, "postgres", &[&["--once"], &all[..]].concat())?;
    let stored = server.sql("SELECT string_agg(message, ' ' ORDER BY message) FROM logwatch.entries")?;
    assert_eq!(stored, "a b c");
    let said = run(&server, "postgres", &[&["--check"], &all[..]].concat())?;
    assert!(
        said.out.contains("note  several files without --source"),
        "{}",
        said.out
    );
    let mut tailer = Tailer::start(&server, &all)?;
    wait_until(SOON, "the same sentence at the start", || {
        Ok(tailer.output().contains("several files without --source"))
    })?;
    tailer.terminate()?;
    Ok(())
}

#[test]
fn mistakes_in_the_command_line_point_to_check_and_the_manual() -> Result<()> {
    let tailer = programs::built("logwatch-tailer")?;
    for args in [&[][..], &["-d", "a", "-d", "b", "x.log"], &["--no-such-option"]] {
        let said: Said = Command::new(&tailer).args(args).output()?.into();
        assert_eq!(said.code, Some(2), "{}", said.err);
        assert!(
            said.err.contains("--check") && said.err.contains("--man"),
            "{}",
            said.err
        );
    }
    Ok(())
}
