//! Every way to the server that psql has: TCP with TLS up to verify-full, passwords from each
//! place, service files, URIs, several hosts, and PgBouncer in transaction mode.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use logwatch_tests::certificate::Certificate;
use logwatch_tests::pooler::Pooler;
use logwatch_tests::programs;
use logwatch_tests::server::Server;
use logwatch_tests::tailer::{Tailer, append};
use logwatch_tests::wait::wait_until;

use crate::SOON;

/// A port that was free a moment ago.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// A server on 127.0.0.1 with TLS, whose role `feeder` needs a password; `listen` is told how to
/// get there.
struct Listening {
    server: Server,
    port: u16,
    authority: PathBuf,
}

fn listening() -> Result<Listening> {
    let certificate = Certificate::new()?;
    let port = free_port()?;
    let mut server = Server::create(&[])?;
    let files = [
        (
            "ssl_cert_file",
            server.write_file("server.crt", &certificate.chain)?,
        ),
        ("ssl_key_file", server.write_file("server.key", &certificate.key)?),
    ];
    for (name, path) in &files {
        server.set(&[(name, &path.display().to_string())])?;
    }
    server.set(&[
        ("ssl", "on"),
        ("listen_addresses", "127.0.0.1"),
        ("port", &port.to_string()),
    ])?;
    let authority = server.dir().join("authority.pem");
    fs::write(&authority, &certificate.authority)?;
    let hba = server.data().join("pg_hba.conf");
    fs::write(
        &hba,
        "local all all trust\nhostssl all feeder 127.0.0.1/32 scram-sha-256\n",
    )?;
    server.start()?;
    Ok(Listening {
        server,
        port,
        authority,
    })
}

impl Listening {
    /// Runs `--once` on one line of a file of its own, with nothing of libpq in the environment but
    /// `variables`. Returns exit code and messages.
    fn once(&self, variables: &[(&str, &str)], args: &[&str]) -> Result<(Option<i32>, String)> {
        let folder = tempfile::tempdir()?;
        let log = folder.path().join("app.log");
        // Another text each time: the same bytes in a reused inode would be the same file.
        append(&log, &[format!("ERROR in {}", log.display())])?;
        let output = Command::new(programs::built("logwatch-tailer")?)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", folder.path())
            .envs(variables.iter().copied())
            .args(["--once", "--source", "app"])
            .args(args)
            .arg(&log)
            .output()?;
        Ok((
            output.status.code(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        ))
    }

    fn expect(&self, code: i32, variables: &[(&str, &str)], args: &[&str]) -> Result<String> {
        let before = self.stored()?;
        let (got, said) = self.once(variables, args)?;
        assert_eq!(got, Some(code), "{variables:?} {args:?}: {said}");
        let new = self.stored()? - before;
        assert_eq!(new, i64::from(code == 0), "{variables:?} {args:?}: {said}");
        Ok(said)
    }

    fn stored(&self) -> Result<i64> {
        Ok(self
            .server
            .sql("SELECT count(*) FROM logwatch.entries")?
            .parse()?)
    }
}

/// A role that may tail, and must show its password.
fn with_feeder() -> Result<Listening> {
    let listening = listening()?;
    listening
        .server
        .sql("CREATE EXTENSION logwatch; CREATE ROLE feeder LOGIN SUPERUSER PASSWORD 'se:cret'")?;
    Ok(listening)
}

#[test]
fn flags_uris_variables_password_and_service_files_lead_to_the_server() -> Result<()> {
    let to = with_feeder()?;
    let port = to.port.to_string();
    let flags = ["-h", "127.0.0.1", "-p", &port, "-U", "feeder", "-d", "postgres"];
    let said = to.expect(77, &[], &flags)?;
    assert!(said.contains("PGPASSWORD") && said.contains("pgpass"), "{said}");
    to.expect(77, &[("PGPASSWORD", "wrong")], &flags)?;
    let password = [("PGPASSWORD", "se:cret")];
    to.expect(0, &password, &flags)?;
    let uri = format!("postgresql://feeder:se%3Acret@127.0.0.1:{port}/postgres?application_name=mine");
    to.expect(0, &[], &["-d", &uri])?;
    let words = format!("host=127.0.0.1 port={port} user=feeder dbname=postgres password='se:cret'");
    to.expect(0, &[], &["-d", &words])?;
    to.expect(
        0,
        &[
            ("PGHOST", "127.0.0.1"),
            ("PGPORT", &port),
            ("PGUSER", "feeder"),
            ("PGDATABASE", "postgres"),
            ("PGPASSWORD", "se:cret"),
        ],
        &[],
    )?;

    let folder = tempfile::tempdir()?;
    let pgpass = folder.path().join("pgpass");
    fs::write(&pgpass, format!("127.0.0.1:{port}:*:feeder:se\\:cret\n"))?;
    fs::set_permissions(&pgpass, fs::Permissions::from_mode(0o600))?;
    let file = pgpass.display().to_string();
    to.expect(0, &[("PGPASSFILE", &file)], &flags)?;
    fs::set_permissions(&pgpass, fs::Permissions::from_mode(0o644))?;
    to.expect(77, &[("PGPASSFILE", &file)], &flags)?;
    let service = folder.path().join("service.conf");
    fs::write(
        &service,
        format!("[logs]\nhost=127.0.0.1\nport={port}\nuser=feeder\ndbname=postgres\npassword=se:cret\n"),
    )?;
    let service = service.display().to_string();
    to.expect(0, &[("PGSERVICEFILE", &service), ("PGSERVICE", "logs")], &[])?;
    to.expect(0, &[("PGSERVICEFILE", &service)], &["-d", "service=logs"])?;
    // The socket, by its directory.
    let sockets = to.server.sockets().display().to_string();
    to.expect(
        0,
        &[],
        &["-h", &sockets, "-p", &port, "-U", "postgres", "-d", "postgres"],
    )?;
    assert!(!to.server.log().contains("se:cret"));
    Ok(())
}

#[test]
fn a_newcomers_refused_login_says_what_to_type() -> Result<()> {
    let to = with_feeder()?;
    let (sockets, port) = (to.server.sockets().display().to_string(), to.port.to_string());
    let by_socket = |user| ["-h", &sockets, "-p", &port, "-d", "postgres", "-U", user];
    let said = to.expect(77, &[], &by_socket("nobody_here"))?;
    assert!(
        said.contains("-U, or type in the database: CREATE ROLE \"nobody_here\" LOGIN;"),
        "{said}"
    );
    let hba = to.server.data().join("pg_hba.conf");
    let rest = fs::read_to_string(&hba)?;
    fs::write(&hba, format!("local all feeder peer\n{rest}"))?;
    to.server.sql("SELECT pg_reload_conf()")?;
    wait_until(SOON, "a refusal by the new rule", || {
        let (_, said) = to.once(&[], &by_socket("feeder"))?;
        Ok(said.contains("run as user \"feeder\", or connect with -h localhost and a password"))
    })
}

#[test]
fn each_sslmode_checks_what_libpq_checks() -> Result<()> {
    let to = with_feeder()?;
    let stranger = to.server.dir().join("stranger.pem");
    fs::write(&stranger, Certificate::new()?.authority)?;
    let (good, bad) = (to.authority.display().to_string(), stranger.display().to_string());
    // The certificate names localhost and 127.0.0.1; the server takes TCP connections with TLS
    // only.
    for (host, mode, root, code) in [
        ("localhost", "disable", None, 77),
        ("localhost", "prefer", None, 0),
        ("localhost", "require", None, 0),
        ("localhost", "require", Some(&bad), 77),
        ("localhost", "verify-ca", Some(&good), 0),
        ("localhost", "verify-ca", Some(&bad), 77),
        ("localhost", "verify-full", Some(&good), 0),
        ("localhost", "verify-full", Some(&bad), 77),
        ("localhost", "verify-full", None, 2),
        ("db.example.com", "verify-ca", Some(&good), 0),
        ("db.example.com", "verify-full", Some(&good), 77),
    ] {
        let root = root
            .map(|root| format!(" sslrootcert={root}"))
            .unwrap_or_default();
        let words = format!(
            "host={host} hostaddr=127.0.0.1 port={} user=feeder dbname=postgres sslmode={mode}{root}",
            to.port
        );
        to.expect(code, &[("PGPASSWORD", "se:cret")], &["-d", &words])?;
    }
    Ok(())
}

#[test]
fn of_several_servers_the_one_that_takes_writes_is_used() -> Result<()> {
    let to = with_feeder()?;
    let reads_only = Server::without_worker(&[])?;
    reads_only.sql("CREATE ROLE feeder LOGIN SUPERUSER")?;
    reads_only.sql("ALTER SYSTEM SET default_transaction_read_only = on")?;
    reads_only.sql("SELECT pg_reload_conf()")?;
    reads_only.wait_for_sql(SOON, "SHOW transaction_read_only", "on")?;
    let gone = free_port()?;
    let hosts = format!("127.0.0.1,{},127.0.0.1", reads_only.sockets().display());
    let ports = format!("{gone},5432,{}", to.port);
    let flags = ["-h", &hosts, "-p", &ports, "-U", "feeder", "-d", "postgres"];
    let password = ("PGPASSWORD", "se:cret");
    to.expect(0, &[password], &flags)?;
    to.expect(0, &[password, ("PGTARGETSESSIONATTRS", "read-write")], &flags)?;
    assert_eq!(reads_only.sql("SELECT count(*) FROM logwatch.sources")?, "0");
    Ok(())
}

#[test]
fn two_tailers_share_one_connection_of_pgbouncer_in_transaction_mode() -> Result<()> {
    let server = Server::without_worker(&[])?;
    let bouncer = Pooler::bouncer(&server, "transaction")?;
    let folder = tempfile::tempdir()?;
    let zones = [("tokyo", "Asia/Tokyo", 15), ("lima", "America/Lima", 5)];
    let log = |name: &str| folder.path().join(format!("{name}.log"));
    let mut tailers = Vec::new();
    for (name, zone, _) in zones {
        append(&log(name), &["2026-11-20 00:00:00 ERROR first"])?;
        let file = log(name).display().to_string();
        let command = bouncer.tailer(&server, &["--source", name, "--tz", zone, &file])?;
        tailers.push(Tailer::spawn(command)?);
    }
    // Each goes on while the other uses the connection; a time without a zone is read in the
    // tailer's own.
    for round in 1..=20 {
        for (name, _, _) in zones {
            append(
                &log(name),
                &[format!("2026-11-20 00:00:00 ERROR number {round} of {name}")],
            )?;
        }
        server
            .wait_for_sql(
                SOON,
                "SELECT count(*) FROM logwatch.entries",
                &(2 * round + 2).to_string(),
            )
            .with_context(|| tailers.iter().map(Tailer::output).collect::<String>())?;
    }
    for (name, _, hour) in zones {
        let hours = server.sql(&format!(
            "SELECT DISTINCT extract(hour FROM e.logged_at AT TIME ZONE 'UTC') FROM logwatch.entries AS e JOIN logwatch.sources AS s ON s.id = e.source_id WHERE s.name = '{name}'"
        ))?;
        assert_eq!(hours, hour.to_string(), "{name}");
    }
    // The tailers leave no setting in the shared session.
    let left = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'logwatch-tailer'";
    assert_eq!(server.sql(left)?, "1", "they share one connection");
    for tailer in &mut tailers {
        assert!(tailer.terminate()?.0.success(), "{}", tailer.output());
        assert_eq!(tailer.output(), "");
    }
    let check = bouncer
        .tailer(&server, &["--check", &log("lima").display().to_string()])?
        .output()?;
    assert!(
        check.status.success(),
        "{}",
        String::from_utf8_lossy(&check.stdout)
    );
    Ok(())
}
