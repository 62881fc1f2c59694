//! Real mail servers beside Postfix: Exim and OpenSMTPD, unpacked from Debian's packages into
//! `target/mail-servers`. Each runs with a spool and a port of its own, in a mount namespace where
//! its users exist, and relays to the sink.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use logwatch_tests::mail_sink::MailSink;
use logwatch_tests::process::as_root;
use logwatch_tests::programs;
use logwatch_tests::server::Server;
use logwatch_tests::wait::{stays, wait_until};

use crate::{INGEST_FATAL, SOON, mailing_server, shorten_rules};

/// Waits for the RESOLVED mail of an alert whose FIRING mail has arrived, and judges both as a mail
/// program sees them: exactly two mails, one thread.
pub fn judge_thread(server: &Server, sink: &MailSink) -> Result<()> {
    let firing = sink.wait_for_subject(SOON, "[FIRING:1] fatal")?;
    let resolved = sink.wait_for_subject(SOON, "[RESOLVED] fatal")?;
    assert_eq!(resolved.header("In-Reply-To"), Some(firing.message_id()));
    assert_eq!(resolved.header("References"), Some(firing.message_id()));
    for mail in [&firing, &resolved] {
        assert_eq!(mail.header("From").as_deref(), Some("logwatch@db.test"));
        assert_eq!(mail.header("To").as_deref(), Some("ops@example.com"));
        assert_eq!(
            mail.header("List-Id").as_deref(),
            Some("logwatch <logwatch.db.test>")
        );
        assert_eq!(mail.header("Auto-Submitted").as_deref(), Some("auto-generated"));
        for name in ["Date", "Message-ID", "Subject", "From", "To"] {
            assert_eq!(mail.headers_named(name).len(), 1, "{name}");
        }
        let id = mail.message_id();
        ensure!(id.ends_with(".logwatch@db.test>"), "{id}");
        // The mail can be there before its outcome is recorded.
        let sent = format!(
            "SELECT count(*) FROM logwatch.notifications WHERE message_id = '{id}' AND state = 'sent' AND attempts = 1"
        );
        server.wait_for_sql(SOON, &sent, "1")?;
    }
    stays(
        Duration::from_secs(2),
        "two mails",
        || Ok(sink.mails().len() == 2),
    )
}

#[test]
fn exim_takes_the_mails_and_they_are_one_thread() -> Result<()> {
    through("exim4", |port, sink, dir, programs| {
        let config = format!(
            "exim_path = {programs}/usr/sbin/exim4\n\
             keep_environment =\n\
             tls_advertise_hosts =\n\
             primary_hostname = mx.test\n\
             spool_directory = {dir}/spool\n\
             log_file_path = {dir}/spool/%slog\n\
             pid_file_path = {dir}/spool/exim.pid\n\
             local_interfaces = 127.0.0.1\n\
             daemon_smtp_ports = {port}\n\
             acl_smtp_rcpt = acl_rcpt\n\
             acl_smtp_helo = acl_helo\n\
             begin acl\n\
             acl_rcpt:\n\
             \x20 accept\n\
             acl_helo:\n\
             \x20 deny condition = ${{if match{{$sender_helo_name}}{{[.]}}{{no}}{{yes}}}}\n\
             \x20 accept\n\
             begin routers\n\
             sink:\n\
             \x20 driver = manualroute\n\
             \x20 transport = sink\n\
             \x20 route_list = * 127.0.0.1\n\
             \x20 self = send\n\
             begin transports\n\
             sink:\n\
             \x20 driver = smtp\n\
             \x20 port = {sink}\n\
             \x20 allow_localhost\n"
        );
        let start = format!("exec {programs}/usr/sbin/exim4 -C {dir}/config -bdf");
        (config, start)
    })
}

#[test]
fn opensmtpd_takes_the_mails_and_they_are_one_thread() -> Result<()> {
    through("smtpd", |port, sink, dir, programs| {
        let config = format!(
            "listen on 127.0.0.1 port {port} hostname mx.test\n\
             action \"sink\" relay host smtp://127.0.0.1:{sink}\n\
             match from any for any action \"sink\"\n"
        );
        let start = format!(
            "mkdir -p {dir}/var_spool/smtpd {dir}/var_lib/opensmtpd/empty && chmod 711 {dir}/var_spool/smtpd && \
             mount --bind {dir}/var_spool /var/spool && mount --bind {dir}/var_lib /var/lib && \
             exec {programs}/usr/sbin/smtpd -d -f {dir}/config"
        );
        (config, start)
    })
}

/// Sends FIRING and RESOLVED through a server that this function describes: it gets the port to
/// listen on, the sink's port, the server's folder and the folder of the programs, and returns the
/// configuration and the command.
fn through(program: &str, describe: impl Fn(u16, u16, &str, &str) -> (String, String)) -> Result<()> {
    let sink = MailSink::plain()?;
    let Some(mail_server) = MailServer::start(program, sink.port(), describe)? else {
        eprintln!(
            "SKIPPED {program}: target/mail-servers and root (or sudo) are needed; type make missing-test"
        );
        return Ok(());
    };
    let url = format!("smtp+plain://localhost:{}", mail_server.port);
    let server = mailing_server(&sink, &[("logwatch.smtp_url", &url)])?;
    shorten_rules(&server)?;
    server.sql(INGEST_FATAL)?;
    judge_thread(&server, &sink).with_context(|| mail_server.log())?;
    let mail = sink.wait_for_subject(SOON, "[FIRING:1] fatal")?;
    let received = mail.header("Received").unwrap_or_default();
    ensure!(received.contains("by mx.test"), "{received}");
    Ok(())
}

/// A mail server of one test.
struct MailServer {
    dir: tempfile::TempDir,
    port: u16,
    process: Child,
}

impl MailServer {
    fn start(
        program: &str,
        sink: u16,
        describe: impl Fn(u16, u16, &str, &str) -> (String, String),
    ) -> Result<Option<MailServer>> {
        let programs = programs::checkout().join("target/mail-servers");
        if !programs.join("usr/sbin").join(program).exists() || as_root(&["true"]).is_none() {
            return Ok(None);
        }
        let dir = tempfile::Builder::new().prefix("logwatch-mta-").tempdir()?;
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755))?;
        // Free at this moment; the server cannot be handed an open socket.
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let (here, there) = (dir.path().display().to_string(), programs.display().to_string());
        let (config, start) = describe(port, sink, &here, &there);
        fs::write(dir.path().join("config"), config)?;
        let (mut users, mut groups) = (String::new(), String::new());
        // The first of a name counts: the machine may have packages of these servers.
        for (name, id) in [("Debian-exim", 901), ("opensmtpd", 902), ("opensmtpq", 903)] {
            users += &format!("{name}:x:{id}:{id}::/var/lib/opensmtpd/empty:/usr/sbin/nologin\n");
            groups += &format!("{name}:x:{id}:\n");
        }
        users += &fs::read_to_string("/etc/passwd")?;
        groups += &fs::read_to_string("/etc/group")?;
        fs::write(dir.path().join("passwd"), users)?;
        fs::write(dir.path().join("group"), groups)?;
        let libraries: PathBuf = programs
            .join("usr/lib")
            .join(format!("{}-linux-gnu", std::env::consts::ARCH));
        // Exim has the set-user-id bit, so that the loader takes its libraries from the cache only.
        let script = format!(
            "chown root {here}/config && mkdir {here}/spool && chown 901:901 {here}/spool && \
             mount --bind {here}/passwd /etc/passwd && mount --bind {here}/group /etc/group && \
             (cat /etc/ld.so.conf; echo {}) > {here}/ld.conf && /sbin/ldconfig -X -f {here}/ld.conf -C {here}/ld.cache && \
             mount --bind {here}/ld.cache /etc/ld.so.cache && {start}",
            libraries.display()
        );
        let said = fs::File::create(dir.path().join("said"))?;
        let process = as_root(&["unshare", "--mount", "sh", "-c", &script])
            .context("root")?
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(said.try_clone()?)
            .stderr(said)
            .spawn()?;
        let server = MailServer { dir, port, process };
        wait_until(SOON, "the mail server to listen", || {
            Ok(TcpStream::connect(("127.0.0.1", port)).is_ok())
        })
        .with_context(|| server.log())?;
        Ok(Some(server))
    }

    /// Returns the output and the logs of the server.
    fn log(&self) -> String {
        ["said", "spool/mainlog", "spool/paniclog", "spool/rejectlog"]
            .iter()
            .map(|name| fs::read_to_string(self.dir.path().join(name)).unwrap_or_default())
            .collect()
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        let group = format!("-{}", self.process.id());
        if let Some(mut kill) = as_root(&["kill", "-TERM", "--", &group]) {
            let _ = kill.status();
        }
        let _ = self.process.wait();
        // Root's files in a directory that we may not own alone.
        let script = format!("rm -rf {}/*", self.dir.path().display());
        if let Some(mut remove) = as_root(&["sh", "-c", &script]) {
            let _ = remove.status();
        }
    }
}
