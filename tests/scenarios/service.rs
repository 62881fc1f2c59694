//! The tailer as a service of systemd: what it tells its manager, and what the unit file allows it.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use logwatch_tests::programs;
use logwatch_tests::server::{Server, Stop};
use logwatch_tests::tailer::{Tailer, append};
use logwatch_tests::wait::wait_for;

use crate::SOON;

const UNIT: &str = "tailer/logwatch-tailer@.service";

/// The manager's end: a datagram socket, and all that came so far.
struct Manager {
    socket: UnixDatagram,
    heard: Vec<String>,
}

impl Manager {
    fn listen(path: &Path) -> Result<Manager> {
        let socket = UnixDatagram::bind(path)?;
        socket.set_read_timeout(Some(Duration::from_millis(100)))?;
        Ok(Manager {
            socket,
            heard: Vec::new(),
        })
    }

    /// Waits for a message with `word` among those that were not asked for yet.
    fn wait_for(&mut self, word: &str) -> Result<String> {
        let found = wait_for(SOON, &format!("{word:?} on the notify socket"), || {
            let mut buffer = [0; 4096];
            while let Ok(length) = self.socket.recv(&mut buffer) {
                self.heard
                    .push(String::from_utf8_lossy(&buffer[..length]).into_owned());
                if self.heard.iter().any(|message| message.contains(word)) {
                    break;
                }
            }
            Ok(self.heard.iter().position(|message| message.contains(word)))
        })
        .with_context(|| format!("heard: {:?}", self.heard))?;
        Ok(self.heard.drain(..=found).next_back().unwrap_or_default())
    }
}

#[test]
fn the_manager_hears_ready_status_watchdog_and_stopping() -> Result<()> {
    let mut server = Server::without_worker(&[])?;
    server.stop(Stop::Fast)?;
    let folder = tempfile::tempdir()?;
    let (log, socket) = (folder.path().join("app.log"), folder.path().join("notify"));
    append(&log, &["ERROR one"])?;
    let mut manager = Manager::listen(&socket)?;
    let mut command = Tailer::command(&server, &["--source", "app", &log.display().to_string()])?;
    command
        .env("NOTIFY_SOCKET", &socket)
        .env("WATCHDOG_USEC", "300000");
    let mut tailer = Tailer::spawn(command)?;

    // The server is away: alive, but not ready.
    manager.wait_for("STATUS=waiting for the database")?;
    manager.wait_for("WATCHDOG=1")?;
    assert!(!manager.heard.iter().any(|message| message.contains("READY=1")));
    server.start()?;
    manager.wait_for("READY=1")?;
    assert_eq!(
        manager.wait_for("STATUS=reading")?.trim(),
        "STATUS=reading 1 file, 0 B behind"
    );
    manager.wait_for("WATCHDOG=1")?;
    manager.wait_for("WATCHDOG=1")?;

    let (status, _) = tailer.terminate()?;
    assert!(status.success());
    manager.wait_for("STOPPING=1")?;
    Ok(())
}

/// The unit with this test's program in it, as an instance.
fn unit(folder: &Path) -> Result<std::path::PathBuf> {
    let text = fs::read_to_string(programs::checkout().join(UNIT))?;
    let program = programs::built("logwatch-tailer")?;
    let path = folder.join("logwatch-tailer@app.service");
    fs::write(
        &path,
        text.replace("/usr/bin/logwatch-tailer", &program.display().to_string()),
    )?;
    Ok(path)
}

#[test]
fn the_unit_is_well_formed_and_hardened() -> Result<()> {
    if !Path::new("/usr/bin/systemd-analyze").exists() {
        eprintln!("skipped: there is no systemd-analyze here");
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let unit = unit(folder.path())?;
    // As a package of another program may have it: what is said of that is not said of this unit.
    fs::write(
        folder.path().join("postgresql.service"),
        "[Service]\nStandardOutput=syslog\nExecStart=/bin/true\n",
    )?;
    // Exposure from 0 (tight) to 100: without IPAddressDeny, which only its owner can fill in, 14
    // is what is left.
    for args in [
        &["verify", "--man=no"][..],
        &["security", "--offline=true", "--threshold=15", "--no-pager"],
    ] {
        let output = Command::new("systemd-analyze")
            .args(args)
            .arg(&unit)
            .env("SYSTEMD_UNIT_PATH", format!("{}:", folder.path().display()))
            .output()?;
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success(), "{args:?}: {said}");
        if args[0] == "verify" {
            let ours: Vec<&str> = said
                .lines()
                .filter(|line| line.contains("logwatch-tailer"))
                .collect();
            assert!(ours.is_empty(), "{said}");
        }
    }
    Ok(())
}

/// Where the file system has access control lists, a credential's mode shows their mask as the
/// group's.
#[test]
fn a_password_that_systemd_hands_over_is_used_whatever_its_mode() -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let server = Server::without_worker(&[])?;
    server.sql("CREATE ROLE feeder LOGIN SUPERUSER PASSWORD 'se:cret'")?;
    let hba = server.data().join("pg_hba.conf");
    let rest = fs::read_to_string(&hba)?;
    fs::write(&hba, format!("local all feeder scram-sha-256\n{rest}"))?;
    server.sql("SELECT pg_reload_conf()")?;
    let folder = tempfile::tempdir()?;
    let (log, pgpass) = (folder.path().join("app.log"), folder.path().join("pgpass"));
    append(&log, &["ERROR one"])?;
    fs::write(&pgpass, "# from LoadCredential\n*:*:*:feeder:se\\:cret\n")?;
    fs::set_permissions(&pgpass, fs::Permissions::from_mode(0o440))?;
    let run = |credentials: Option<&Path>| -> Result<Option<i32>> {
        let mut command = Tailer::command(&server, &["--once", &log.display().to_string()])?;
        command.env("PGUSER", "feeder").env("PGPASSFILE", &pgpass);
        if let Some(folder) = credentials {
            command.env("CREDENTIALS_DIRECTORY", folder);
        }
        Ok(command.output()?.status.code())
    };
    // The server reads its file when it gets to the signal.
    wait_for(SOON, "the password to be asked for", || {
        Ok((run(None)? == Some(77)).then_some(()))
    })?;
    assert_eq!(run(Some(folder.path()))?, Some(0));
    Ok(())
}
