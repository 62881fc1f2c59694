//! The parts that all rounds share: the server with its worker, its disks, the network to it, the
//! mail server.

use std::io::{BufRead, BufReader, ErrorKind};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result};
use logwatch_tests::disk::Disk;
use logwatch_tests::link::{Condition, Link};
use logwatch_tests::mail_sink::MailSink;
use logwatch_tests::server::Server;
use logwatch_tests::wait::wait_for;

/// Longer than anything should take on a busy machine; conditions that hold earlier end the wait.
pub const SOON: Duration = Duration::from_secs(60);

/// Megabytes of the disks of data, write-ahead log and alert file.
const DATA: usize = 768;
const WAL: usize = 256;
const ALERTS: usize = 1;

/// The disks that the server's files are on.
pub struct Disks {
    pub data: Disk,
    pub wal: Disk,
    pub alerts: Disk,
}

pub struct Stage {
    pub server: Server,
    pub mail: MailSink,
    /// Takes connections, by the kernel, and never replies.
    hanging: TcpListener,
    pub network: Link,
    /// None where mounting is not possible. Dropped last: the server lives on them.
    pub disks: Option<Disks>,
}

impl Stage {
    /// Sets everything up; with `may_mount`, on disks that can be filled.
    pub fn set(may_mount: bool) -> Result<Stage> {
        let mut stage = Stage::prepared(may_mount)?;
        stage.begin()?;
        Ok(stage)
    }

    /// The same, but for the server's start.
    pub fn prepared(may_mount: bool) -> Result<Stage> {
        let mail = MailSink::plain()?;
        let url = mail.url();
        let settings = [
            ("shared_preload_libraries", "logwatch"),
            ("logwatch.check_interval", "1s"),
            ("logwatch.smtp_url", url.as_str()),
            ("logwatch.smtp_timeout", "1s"),
            ("logwatch.email_from", "logwatch@db.test"),
            ("logwatch.email_to", "ops@example.com"),
            // New segments are taken from the disk, old ones given back.
            ("wal_recycle", "off"),
            ("min_wal_size", "32MB"),
            ("max_wal_size", "64MB"),
        ];
        let disks = may_mount
            .then(|| -> Result<Disks> {
                Ok(Disks {
                    data: Disk::of_megabytes(DATA)?,
                    wal: Disk::of_megabytes(WAL)?,
                    alerts: Disk::of_megabytes(ALERTS)?,
                })
            })
            .transpose()?;
        let mut server = match &disks {
            Some(disks) => Server::create_in(disks.data.path(), &settings)?,
            None => Server::create(&settings)?,
        };
        let alert_file = match &disks {
            Some(disks) => {
                server.move_wal(disks.wal.path())?;
                server.give(disks.alerts.path())?;
                disks.alerts.path().join("alerts.txt")
            }
            None => server.dir().join("alerts.txt"),
        };
        server.set(&[("logwatch.alert_file", &alert_file.display().to_string())])?;
        let network = Link::to(&server.socket())?;
        Ok(Stage {
            server,
            mail,
            hanging: TcpListener::bind("127.0.0.1:0")?,
            network,
            disks,
        })
    }

    /// The address of a web server that never replies.
    pub fn hanging_url(&self) -> Result<String> {
        Ok(format!("http://127.0.0.1:{}/", self.hanging.local_addr()?.port()))
    }

    /// Takes the next connection to that server. Returns the first line of its request, and the
    /// connection, which hangs while it is kept.
    pub fn hanging_request(&self) -> Result<(String, TcpStream)> {
        self.hanging.set_nonblocking(true)?;
        let connection = wait_for(SOON, "a request to the server that hangs", || {
            match self.hanging.accept() {
                Ok((connection, _)) => Ok(Some(connection)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
                Err(error) => Err(error.into()),
            }
        })?;
        connection.set_nonblocking(false)?;
        connection.set_read_timeout(Some(SOON))?;
        let mut line = String::new();
        BufReader::new(&connection).read_line(&mut line)?;
        Ok((line.trim_end().to_owned(), connection))
    }

    /// Ends the connections that wait to be taken.
    pub fn hang_up(&self) -> Result<()> {
        self.hanging.set_nonblocking(true)?;
        loop {
            match self.hanging.accept() {
                Ok(connection) => drop(connection),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    pub fn begin(&mut self) -> Result<()> {
        self.server.start_with_extension()?;
        // Each round has rules of its own; these would see all rounds as one.
        self.server
            .sql("UPDATE logwatch.rules SET enabled = false WHERE builtin")?;
        // A clone that is started elsewhere must send nothing.
        let host = self.server.sql("SELECT logwatch_private.host()")?;
        self.server
            .set(&[("logwatch.only_on", &format!("{host}:5432"))])?;
        self.server.reload();
        Ok(())
    }

    /// Mends whatever a round has left broken.
    pub fn mend(&mut self) -> Result<()> {
        self.network.set(Condition::Up);
        self.mail.behave();
        if let Some(disks) = &self.disks {
            for disk in [&disks.data, &disks.wal, &disks.alerts] {
                disk.empty()?;
            }
        }
        self.server.start()
    }

    /// State and message of one row of `logwatch_status()`.
    pub fn status(&self, component: &str, name: &str) -> Result<(String, String)> {
        let mut client = self.server.client()?;
        let row = client
            .query_opt(
                "SELECT state, message FROM logwatch_status() WHERE component = $1 AND name = $2",
                &[&component, &name],
            )?
            .with_context(|| format!("the status has no {component} {name}"))?;
        Ok((row.get(0), row.get(1)))
    }

    /// Waits until a row of `logwatch_status()` is in this state and has these words in its
    /// message. Returns what it says.
    pub fn wait_for_status(&self, component: &str, name: &str, state: &str, words: &str) -> Result<String> {
        self.wait_for_status_while(component, name, state, words, || Ok(()))
    }

    /// The same; does `meanwhile` before each look.
    pub fn wait_for_status_while(
        &self,
        component: &str,
        name: &str,
        state: &str,
        words: &str,
        meanwhile: impl Fn() -> Result<()>,
    ) -> Result<String> {
        let mut last = String::new();
        wait_for(
            SOON,
            &format!("the status of {component} {name}: {state}, {words:?}"),
            || {
                meanwhile()?;
                let (now, message) = self.status(component, name)?;
                last = format!("{component} {now}: {message}");
                Ok((now == state && message.contains(words)).then(|| last.clone()))
            },
        )
        .with_context(|| format!("the last status was: {last}"))
    }

    /// Waits until the server's log has `words` after its first `from` bytes; returns the line.
    pub fn wait_for_log(&self, from: usize, words: &str) -> Result<String> {
        wait_for(SOON, &format!("{words:?} in the server's log"), || {
            let log = self.server.log();
            let line = log
                .get(from..)
                .and_then(|log| log.lines().find(|line| line.contains(words)));
            Ok(line.map(|line| {
                line.split_once("]")
                    .map_or(line, |(_, said)| said)
                    .trim()
                    .to_owned()
            }))
        })
        .with_context(|| format!("the server's log ends with:\n{}", self.server.log_tail(20)))
    }
}
