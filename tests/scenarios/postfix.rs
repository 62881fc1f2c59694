//! Once with a real mail transfer agent: Postfix as submission server with STARTTLS and SASL AUTH,
//! relaying to the sink.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use logwatch_tests::certificate::Certificate;
use logwatch_tests::mail_sink::MailSink;
use logwatch_tests::process::as_root;
use logwatch_tests::wait::wait_until;

use crate::mail_servers::judge_thread;
use crate::{INGEST_FATAL, SOON, mailing_server, shorten_rules};

const USER: &str = "logwatch@db.test";
const PASSWORD: &str = "a real password";

#[test]
fn postfix_takes_the_mail_with_starttls_and_sasl() -> Result<()> {
    let sink = MailSink::plain()?;
    let certificate = Certificate::new()?;
    let Some(postfix) = Postfix::start(&certificate, sink.port())? else {
        eprintln!(
            "SKIPPED postfix_takes_the_mail_with_starttls_and_sasl: Postfix and root (or sudo) are needed"
        );
        return Ok(());
    };
    let mut server = mailing_server(&sink, &[])?;
    let ca = server.write_file("ca.pem", &certificate.authority)?;
    let password = server.write_file("password", PASSWORD)?;
    server.set(&[
        ("logwatch.smtp_url", &format!("smtp://localhost:{}", postfix.port)),
        ("logwatch.smtp_ca_file", &ca.display().to_string()),
        ("logwatch.smtp_user", USER),
        ("logwatch.smtp_password_file", &password.display().to_string()),
    ])?;
    server.restart()?;
    shorten_rules(&server)?;

    server.sql(INGEST_FATAL)?;

    let mail = sink.wait_for_subject(SOON, "[FIRING:1] fatal").with_context(|| {
        format!(
            "{}\n{}",
            postfix.log(),
            server
                .sql("SELECT last_error FROM logwatch.notifications")
                .unwrap_or_default()
        )
    })?;
    assert_eq!(mail.to, ["ops@example.com"]);
    judge_thread(&server, &sink)?;
    // Postfix's own trace of how it received the mail: over TLS, from the authenticated user.
    let received = mail.header("Received").unwrap_or_default();
    assert!(received.contains("ESMTPSA"), "{received}");
    let log = postfix.log();
    assert!(log.contains(&format!("sasl_username={USER}")), "{log}");
    assert!(mail.text().contains("out of disk space"));

    // A wrong password is refused by the real thing too.
    server.write_file("password", "a wrong password")?;
    let error = server.sql_error("SELECT logwatch_test('email')")?.to_string();
    assert!(
        error.contains("535") && !error.contains("a wrong password"),
        "{error}"
    );
    Ok(())
}

/// A Postfix instance with its own configuration, queue and port.
struct Postfix {
    dir: tempfile::TempDir,
    port: u16,
}

impl Postfix {
    /// Starts it; `None` where it is not installed or we cannot become root.
    fn start(certificate: &Certificate, relay_port: u16) -> Result<Option<Postfix>> {
        if !Path::new("/usr/sbin/postfix").exists() || !Path::new("/usr/sbin/saslpasswd2").exists() {
            return Ok(None);
        }
        if as_root(&["true"]).is_none() {
            return Ok(None);
        }
        let dir = tempfile::Builder::new().prefix("logwatch-postfix-").tempdir()?;
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755))?;
        // Free at this moment; Postfix cannot be handed an open socket.
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let postfix = Postfix { dir, port };
        postfix.configure(certificate, relay_port)?;
        postfix.run("start")?;
        wait_until(SOON, "Postfix to listen", || {
            Ok(TcpStream::connect(("127.0.0.1", port)).is_ok())
        })
        .with_context(|| postfix.log())?;
        Ok(Some(postfix))
    }

    fn configure(&self, certificate: &Certificate, relay_port: u16) -> Result<()> {
        let dir = self.dir.path().display();
        let write = |name: &str, text: &str| fs::write(self.dir.path().join(name), text);
        // Debian's Postfix looks for SASL's configuration here whatever cyrus_sasl_config_path
        // says.
        fs::create_dir(self.dir.path().join("sasl"))?;
        write("cert.pem", &certificate.chain)?;
        write("key.pem", &certificate.key)?;
        write(
            "sasl/smtpd.conf",
            &format!(
                "pwcheck_method: auxprop\nauxprop_plugin: sasldb\nsasldb_path: {dir}/sasldb\nmech_list: PLAIN LOGIN\n"
            ),
        )?;
        write(
            "main.cf",
            &format!(
                "compatibility_level = 3.6\n\
                 queue_directory = {dir}/queue\n\
                 data_directory = {dir}/data\n\
                 maillog_file = {dir}/maillog\n\
                 maillog_file_prefixes = {dir}\n\
                 inet_interfaces = 127.0.0.1\n\
                 inet_protocols = ipv4\n\
                 myhostname = mx.test\n\
                 mydestination =\n\
                 local_recipient_maps =\n\
                 alias_maps =\n\
                 alias_database =\n\
                 mynetworks =\n\
                 relayhost = [127.0.0.1]:{relay_port}\n\
                 smtp_tls_security_level = none\n\
                 smtpd_tls_security_level = encrypt\n\
                 smtpd_tls_auth_only = yes\n\
                 smtpd_tls_cert_file = {dir}/cert.pem\n\
                 smtpd_tls_key_file = {dir}/key.pem\n\
                 smtpd_sasl_auth_enable = yes\n\
                 smtpd_sasl_type = cyrus\n\
                 smtpd_sasl_path = smtpd\n\
                 cyrus_sasl_config_path = {dir}/sasl\n\
                 smtpd_relay_restrictions = permit_sasl_authenticated, reject\n"
            ),
        )?;
        write(
            "master.cf",
            &format!(
                "127.0.0.1:{} inet n - n - - smtpd\n\
                 pickup unix n - n 60 1 pickup\n\
                 cleanup unix n - n - 0 cleanup\n\
                 qmgr unix n - n 300 1 qmgr\n\
                 tlsmgr unix - - n 1000? 1 tlsmgr\n\
                 rewrite unix - - n - - trivial-rewrite\n\
                 bounce unix - - n - 0 bounce\n\
                 defer unix - - n - 0 bounce\n\
                 trace unix - - n - 0 bounce\n\
                 verify unix - - n - 1 verify\n\
                 proxymap unix - - n - - proxymap\n\
                 smtp unix - - n - - smtp\n\
                 error unix - - n - - error\n\
                 retry unix - - n - - error\n\
                 discard unix - - n - - discard\n\
                 anvil unix - - n - 1 anvil\n\
                 scache unix - - n - 1 scache\n\
                 postlog unix-dgram n - n - 1 postlogd\n",
                self.port
            ),
        )?;
        let (user, realm) = USER.split_once('@').context("a user with a realm")?;
        let script = format!(
            "mkdir {dir}/queue {dir}/data && chown postfix {dir}/data && \
             printf %s '{PASSWORD}' | saslpasswd2 -p -c -f {dir}/sasldb -u {realm} {user} && chown postfix {dir}/sasldb"
        );
        self.root(&["sh", "-c", &script])
    }

    fn run(&self, what: &str) -> Result<()> {
        self.root(&["postfix", "-c", &self.dir.path().display().to_string(), what])
    }

    /// Runs a command as root with /usr/sbin in its path; its words go to a file of this instance.
    fn root(&self, command: &[&str]) -> Result<()> {
        let path = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
        let full: Vec<&str> = ["env", path].iter().chain(command).copied().collect();
        let mut run = as_root(&full).context("root")?;
        // Daemons keep these handles: pipes would never end.
        let said = fs::File::options()
            .create(true)
            .append(true)
            .open(self.dir.path().join("said"))?;
        let status = run
            .stdin(Stdio::null())
            .stdout(said.try_clone()?)
            .stderr(said)
            .status()?;
        ensure!(status.success(), "{command:?} failed: {}", self.log());
        Ok(())
    }

    /// Returns the output and the log of Postfix.
    fn log(&self) -> String {
        let read = |name: &str| fs::read(self.dir.path().join(name)).unwrap_or_default();
        String::from_utf8_lossy(&[read("said"), read("maillog")].concat()).into_owned()
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        let _ = self.run("stop");
        // Root's files in a directory that we may not own alone.
        let _ = self.root(&["sh", "-c", &format!("rm -rf {}/*", self.dir.path().display())]);
    }
}
