//! The commands and statements that the manuals print run as they are printed.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use logwatch_tests::mail_sink::MailSink;
use logwatch_tests::manuals::{self, Block, MANUALS};
use logwatch_tests::process::Process;
use logwatch_tests::programs;
use logwatch_tests::server::{Server, Stop};

use crate::SOON;

/// The blocks that do not run here: a part of their text, and the reason. Each names the test that
/// runs it, if there is one.
const NOT_RUN: &[(&str, &str)] = &[
    ("apt-get", "`the_quick_start_leads_to_the_first_mail` runs it"),
    ("make demo", "it builds; `make demo` is a step of .ci/run"),
    ("make test", "this test is a part of it"),
    ("make install", "it writes to the machine's PostgreSQL"),
    ("make torture", "it builds; the scenario `torture` plays rounds"),
    (
        "sql/integrations/pg_cron.sql",
        "pg_cron must be preloaded; the scenario `scheduling` runs it",
    ),
    ("journal:", "it reads the machine's journal and never ends"),
    (
        "journalctl -f",
        "it never ends; the scenario `recipes` reads a journal by it",
    ),
    (
        "pg_restore",
        "it needs an empty database; the scenario `backup` restores",
    ),
    (
        "systemctl enable",
        "it needs systemd as init; the scenario `service` checks the unit",
    ),
    (
        "app_log",
        "it needs two servers; the scenario `neighbours` runs it",
    ),
    (
        "citus_add_node",
        "it needs Citus on three servers; the scenario `citus` runs it where there is Citus",
    ),
    (
        "logwatch_publish",
        "it needs restarts and two servers; the scenario `fleet` runs it",
    ),
    (
        "logwatch_subscribe",
        "it needs restarts and two servers; the scenario `fleet` runs it",
    ),
];

/// Stand-ins for the commands that change the machine. `sudo -u postgres` connects as postgres, as
/// it does by peer authentication.
const STAND_INS: &[(&str, &str)] = &[
    ("apt-get", ":"),
    ("curl", "echo :"),
    ("make", ":"),
    (
        "sudo",
        r#"if [ "$1" = -u ]; then export PGUSER=$2; shift 2; fi; exec "$@""#,
    ),
];

fn runs_here(block: &Block) -> bool {
    !NOT_RUN.iter().any(|(text, _)| block.text.contains(text))
}

#[test]
fn every_sql_block_of_the_manuals_runs() -> Result<()> {
    let server = Server::with_worker(&[])?;
    server.sql(
        "CREATE ROLE tailer; CREATE ROLE app; CREATE ROLE reader; CREATE ROLE operator; CREATE ROLE author",
    )?;
    let mut rules = Vec::new();
    for manual in MANUALS {
        server.sql("DROP EXTENSION logwatch")?;
        let blocks = manuals::blocks(manual)?;
        let statements: Vec<&Block> = blocks
            .iter()
            .filter(|block| block.language == "sql" && runs_here(block))
            .collect();
        if !statements
            .iter()
            .any(|block| block.text.contains("CREATE EXTENSION"))
        {
            server.sql("CREATE EXTENSION logwatch")?;
        }
        for block in statements {
            // There is no mail server here.
            let text = block
                .text
                .replace("logwatch_test('email')", "logwatch_test('log')");
            server
                .psql_script(&text)
                .with_context(|| format!("{manual}, {}", block.section))?;
        }
        if manual == "extension/README.md" {
            server.wait_for_sql(
                SOON,
                "SELECT count(*) FROM logwatch.alerts WHERE rule = 'fatal'",
                "1",
            )?;
        }
        rules.push(server.sql("SELECT count(*) FROM logwatch.rules WHERE NOT builtin")?);
    }
    assert_eq!(rules, ["8", "18", "0", "3", "0"], "rules in {MANUALS:?}");
    Ok(())
}

#[test]
fn every_shell_block_of_the_manuals_runs_or_has_its_reason() -> Result<()> {
    let blocks = manuals::all_blocks()?;
    for (text, _) in NOT_RUN {
        assert!(
            blocks.iter().any(|block| block.text.contains(text)),
            "no manual has {text} any more"
        );
    }
    let server = Server::without_worker(&[])?;
    server.sql("CREATE DATABASE appdb")?;
    let place = Place::new(&server)?;
    // A person at the server is whom the operating system says.
    place.run(
        &server,
        r#"psql -qU postgres -c "CREATE ROLE \"$(whoami)\" SUPERUSER LOGIN" -c 'CREATE EXTENSION logwatch' appdb"#,
    )?;
    // A tailer that follows ends here at the end of its files.
    place.program(
        "logwatch-tailer",
        &format!(
            "case \" $* \" in *--once*|*--check*|*--status*) ;; *) set -- --once \"$@\" ;; esac\nexec {} \"$@\"",
            programs::built("logwatch-tailer")?.display()
        ),
    )?;
    for name in ["app.log", "app/app.log", "postgresql/server.json"] {
        let log = place.dir().join("var/log").join(name);
        fs::create_dir_all(log.parent().context("a log is in a folder")?)?;
        fs::write(log, "{\"level\":\"error\",\"msg\":\"disk full\"}\n")?;
    }
    let sockets = server.sockets().display().to_string();

    let mut count = 0;
    for block in blocks
        .iter()
        .filter(|block| block.language == "sh" && runs_here(block))
    {
        let text = block
            .text
            .replace("/var/log/", &format!("{}/var/log/", place.dir().display()))
            .replace("/etc/systemd/system/", &format!("{}/", place.dir().display()))
            .replace("host=db1,db2", &format!("host={sockets},{sockets}"));
        place
            .run(&server, &text)
            .with_context(|| format!("{}, {}", block.manual, block.section))?;
        count += 1;
    }
    assert!(count >= 6, "{count} blocks were run");
    Ok(())
}

/// `make lint` looks for the files; this test looks for the headings in them and for the pictures.
#[test]
fn every_anchor_and_picture_of_the_manuals_exists() -> Result<()> {
    let mut wrong = Vec::new();
    for manual in MANUALS {
        let text = manuals::text(manual)?;
        let folder = Path::new(manual).parent().unwrap_or(Path::new(""));
        let file = |name: &str| programs::checkout().join(folder).join(name);
        let targets = |before| {
            text.split(before)
                .skip(1)
                .filter_map(|rest| rest.split([')', '"']).next())
        };
        for link in targets("](").filter(|link| !link.starts_with("http")) {
            let Some((name, anchor)) = link.split_once('#') else {
                continue;
            };
            let target = if name.is_empty() {
                text.clone()
            } else {
                fs::read_to_string(file(name))?
            };
            if !anchors(&target).iter().any(|heading| heading == anchor) {
                wrong.push(format!("{manual}: {link}"));
            }
        }
        let pictures = targets("src=\"").filter(|picture| !file(picture).is_file());
        wrong.extend(pictures.map(|picture| format!("{manual}: {picture}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// Returns the anchors of a manual's headings, as GitHub makes them.
fn anchors(text: &str) -> Vec<String> {
    text.lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| {
            line.trim_start_matches('#')
                .trim()
                .to_lowercase()
                .replace(' ', "-")
                .replace(|c: char| !c.is_alphanumeric() && c != '-' && c != '_', "")
        })
        .collect()
}

#[test]
fn the_quick_start_leads_to_the_first_mail() -> Result<()> {
    let quick_start = manuals::block_below("Quick start", "sh")?;
    assert!(commands_of(&quick_start) <= 8, "{quick_start}");
    let sink = MailSink::plain()?;
    let mut server = Server::create(&[])?;
    let settings = server.data().join("conf.d");
    fs::create_dir(&settings)?;
    let main = server.data().join("postgresql.conf");
    fs::write(&main, fs::read_to_string(&main)? + "include_dir = 'conf.d'\n")?;
    server.start()?;
    let text = quick_start
        .replace("smtp+plain://localhost:25", &sink.url())
        .replace("/etc/postgresql/15/main/conf.d", &settings.display().to_string());
    let (before, after) = text
        .split_once("sudo pg_ctlcluster 15 main restart\n")
        .context("the quick start restarts the server")?;
    let place = Place::new(&server)?;
    for (name, body) in STAND_INS {
        place.program(name, body)?;
    }
    // The tailer ends with the shell that started it.
    place.program(
        "logwatch-tailer",
        &format!(
            "exec setpriv --pdeathsig TERM {} \"$@\"",
            programs::built("logwatch-tailer")?.display()
        ),
    )?;
    fs::create_dir(place.dir().join(".cargo"))?;
    fs::write(place.dir().join(".cargo/env"), "")?;

    place.run(&server, before)?;
    server.give(&settings)?;
    server.give(&settings.join("logwatch.conf"))?;
    server.stop(Stop::Fast)?;
    server.start()?;
    let mut shell = place.command(&server, &format!("{after}\nwait"));
    shell.stdout(Stdio::null()).stderr(Stdio::null());
    let _running = Process::spawn(&mut shell, libc::SIGKILL)?;

    let mail = sink.wait_for_subject(SOON, "[FIRING:1] fatal")?;
    assert_eq!(mail.header("To").as_deref(), Some("you@example.com"));
    assert!(mail.text().contains("out of disk space"), "{}", mail.text());
    Ok(())
}

#[test]
fn dropping_the_extension_needs_no_cascade() -> Result<()> {
    let mut server = Server::create(&[("shared_preload_libraries", "logwatch")])?;
    server.start()?;
    server.psql("CREATE EXTENSION logwatch")?;
    assert!(server.psql("SELECT logwatch_status()")?.contains("error"));
    server.psql("SELECT * FROM logwatch_check()")?;
    server.psql(
        "INSERT INTO logwatch.rules (name, level, threshold, within) VALUES ('disk', 'ERROR', 20, '1 hour')",
    )?;
    assert!(
        server
            .psql("SELECT logwatch_report()")?
            .contains("No threshold is met")
    );
    server.psql("DROP EXTENSION logwatch")?;
    assert_eq!(
        server.sql("SELECT count(*) FROM pg_namespace WHERE nspname = 'logwatch'")?,
        "0"
    );
    Ok(())
}

/// Counts the commands of a shell block: its lines, without the text of here-documents.
fn commands_of(block: &str) -> usize {
    let mut document = false;
    let mut commands = 0;
    for line in block.lines() {
        if document {
            document = line != "END";
        } else {
            commands += 1;
            document = line.contains("<<");
        }
    }
    commands
}

/// A folder in which the manuals' commands run: a home, a part of the checkout, and programs that
/// go before the machine's.
struct Place(tempfile::TempDir);

impl Place {
    fn new(server: &Server) -> Result<Place> {
        let place = Place(tempfile::tempdir()?);
        fs::create_dir(place.dir().join("bin"))?;
        for folder in ["sql", "tailer"] {
            symlink(programs::checkout().join(folder), place.dir().join(folder))?;
        }
        for name in ["psql", "pg_dump"] {
            symlink(server.program_path(name), place.dir().join("bin").join(name))?;
        }
        Ok(place)
    }

    fn dir(&self) -> &Path {
        self.0.path()
    }

    /// Makes a program of a shell script's body.
    fn program(&self, name: &str, body: &str) -> Result<()> {
        let path = self.dir().join("bin").join(name);
        fs::write(&path, format!("#!/bin/sh\n{body}\n"))?;
        Ok(fs::set_permissions(path, fs::Permissions::from_mode(0o755))?)
    }

    /// Returns the command that runs this text in bash, as a person at the server would.
    fn command(&self, server: &Server, text: &str) -> Command {
        let mut bash = Command::new("bash");
        bash.args(["-e", "-o", "pipefail", "-c", text])
            .current_dir(self.dir())
            .env_clear()
            .env("HOME", self.dir())
            .env("PATH", format!("{}/bin:/usr/bin:/bin", self.dir().display()))
            .envs(
                server
                    .env()
                    .into_iter()
                    .filter(|(name, _)| matches!(*name, "PGHOST" | "PGPORT")),
            )
            .stdin(Stdio::null());
        bash
    }

    fn run(&self, server: &Server, text: &str) -> Result<()> {
        let output = self.command(server, text).output()?;
        ensure!(
            output.status.success(),
            "{text}\nended with {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(())
    }
}
