//! The bodies of webhook formats against programs and libraries of the services that read them.
//! `extension/package/install_missing.sh test` installs these; a test without its program is
//! skipped.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use logwatch_tests::http::{free_port, get_json};
use logwatch_tests::process::Process;
use logwatch_tests::programs;
use logwatch_tests::server::Server;
use logwatch_tests::wait::wait_until;
use logwatch_tests::web_sink::WebSink;
use serde_json::Value;

use crate::{SOON, shorten_rules};

/// A record that would break a body that is not escaped, or a message that reads it as markup.
const HOSTILE: &str =
    "FATAL \"quoted\" \\ back </script> & <@U1> ```@everyone``` *b* {{ rule }} \u{1F525} at 10:00";

/// Returns the command that runs a file of `tests/consumers`; nothing where its packages are not
/// installed.
fn consumer(script: &str, packages: &str) -> Option<Command> {
    let packages = programs::checkout().join("target").join(packages);
    if !packages.exists() {
        println!("skipped: {} is not installed", packages.display());
        return None;
    }
    let (interpreter, path) = if script.ends_with(".py") {
        ("python3", "PYTHONPATH")
    } else {
        ("node", "NODE_PATH")
    };
    let mut command = Command::new(interpreter);
    command
        .arg(programs::checkout().join("tests/consumers").join(script))
        .env(path, packages);
    Some(command)
}

/// Starts a server with these receivers, which all rules name, and rules that resolve in seconds.
fn server_with(receivers: &[(&str, String)]) -> Result<Server> {
    let mut server = Server::with_worker(&[("logwatch.check_interval", "1s")])?;
    let file: Vec<_> = receivers
        .iter()
        .map(|(name, keys)| format!("[{name}]\n{keys}\n"))
        .collect();
    let file = server.write_file("receivers.toml", &file.concat())?;
    server.set(&[("logwatch.receivers_file", &file.to_string_lossy())])?;
    server.reload();
    server.wait_for_sql(SOON, "SHOW logwatch.receivers_file", &file.to_string_lossy())?;
    let channels: Vec<_> = receivers
        .iter()
        .map(|(name, _)| format!("webhook:{name}"))
        .collect();
    server.sql(&format!(
        "DELETE FROM logwatch.rules WHERE name <> 'fatal';
         UPDATE logwatch.rules SET group_by = 'source', runbook = 'https://wiki.example.com/?a=1&b=2', channels = '{{{}}}'",
        channels.join(",")
    ))?;
    shorten_rules(&server)?;
    Ok(server)
}

/// Feeds the bodies of the firing and the resolved alert to the consumer of each of these formats.
fn formats_are_accepted(script: &str, formats: &[(&str, &str)]) -> Result<()> {
    let sink = WebSink::answering(&[])?;
    let url = sink.url();
    let receivers: Vec<_> = formats
        .iter()
        .map(|(format, _)| {
            (
                *format,
                format!(
                    "format = '{format}'\nurl = '{url}/{format}'\n\
                     params = {{ chat_id = -42, topic = 'ops', routing_key = 'R0UTE' }}"
                ),
            )
        })
        .collect();
    let server = server_with(&receivers)?;
    let long = format!("{HOSTILE} {}\n\tat {HOSTILE}", "long ".repeat(3000));
    server.client()?.execute(
        "SELECT logwatch_ingest(ARRAY[$1, $2], 'web1')",
        &[&HOSTILE, &long],
    )?;
    let posts = sink.wait_for_posts(SOON, 2 * formats.len())?;
    let mut refused = Vec::new();
    for (format, packages) in formats {
        let bodies: Vec<&Value> = posts
            .iter()
            .filter(|post| post.path.ends_with(&format!("/{format}")))
            .map(|post| &post.body)
            .collect();
        assert_eq!(bodies.len(), 2, "{format}");
        let Some(mut command) = consumer(script, packages) else {
            continue;
        };
        let mut running = command
            .arg(format)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let input = serde_json::to_vec(&bodies)?;
        running
            .stdin
            .take()
            .context("no standard input")?
            .write_all(&input)?;
        let output = running.wait_with_output()?;
        if !output.status.success() {
            refused.push(format!("{format}: {}", String::from_utf8_lossy(&output.stderr)));
        }
    }
    ensure!(refused.is_empty(), "{}", refused.join("\n"));
    Ok(())
}

#[test]
fn libraries_of_the_services_accept_every_format() -> Result<()> {
    formats_are_accepted(
        "accept.py",
        &[
            ("alertmanager", "python/alerta"),
            ("slack", "python/services"),
            ("telegram", "python/services"),
            ("apprise", "python/services"),
            ("ntfy", "python/services"),
            ("pagerduty", "python/services"),
        ],
    )
}

#[test]
fn builders_of_discord_and_teams_accept_their_formats() -> Result<()> {
    formats_are_accepted(
        "accept.cjs",
        &[
            ("discord", "node/services/node_modules"),
            ("teams", "node/services/node_modules"),
        ],
    )
}

/// Starts a program that serves on a loopback port, and ends it with the handle.
fn serving(command: &mut Command) -> Result<Process> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    Process::spawn(command, libc::SIGKILL)
}

#[test]
fn alertmanager_takes_the_array_and_resolves_with_us() -> Result<()> {
    let Some(alertmanager) = programs::monitoring("prometheus-alertmanager") else {
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    let config = folder.path().join("alertmanager.yml");
    std::fs::write(&config, "route: {receiver: none}\nreceivers: [{name: none}]\n")?;
    let port = free_port()?;
    let _running = serving(
        Command::new(alertmanager)
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.path={}", folder.path().display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg("--cluster.listen-address="),
    )?;
    let url = format!("http://127.0.0.1:{port}/api/v2/alerts");
    wait_until(SOON, "Alertmanager to answer", || Ok(get_json(&url).is_ok()))?;
    let server = server_with(&[("am", format!("format = 'alertmanager_api'\nurl = '{url}'"))])?;
    server.sql("UPDATE logwatch.rules SET keep_firing_for = '1 minute'")?;
    server.sql(
        "SELECT logwatch_ingest('FATAL disk full', 'web1'), logwatch_ingest('FATAL disk full', 'web2')",
    )?;
    let instances = || -> Result<Vec<String>> {
        let alerts = get_json(&url)?;
        let mut names: Vec<_> = alerts
            .as_array()
            .context("no array")?
            .iter()
            .map(|alert| {
                alert["labels"]["instance"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned()
            })
            .collect();
        names.sort();
        Ok(names)
    };
    wait_until(SOON, "two alerts", || Ok(instances()? == ["web1", "web2"]))?;
    server.sql("UPDATE logwatch.rules SET keep_firing_for = '0'")?;
    wait_until(SOON, "no active alert", || Ok(instances()?.is_empty()))?;
    Ok(())
}

#[test]
fn alerta_keeps_the_alerts_of_two_sources_apart() -> Result<()> {
    let Some(mut alerta) = consumer("alerta_server.py", "python/alerta") else {
        return Ok(());
    };
    let server = server_with(&[])?;
    server.sql("CREATE DATABASE alerta")?;
    let output = server.dir().join("alerta.port");
    let out = std::fs::File::create(&output)?;
    alerta
        .arg(format!(
            "postgresql://postgres@/alerta?host={}&port={}",
            server.sockets().display(),
            server.port()
        ))
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(std::fs::File::create(server.dir().join("alerta.log"))?);
    let _running = Process::spawn(&mut alerta, libc::SIGKILL)?;
    let read = |path: &PathBuf| std::fs::read_to_string(path).unwrap_or_default();
    wait_until(SOON, "Alerta to listen", || Ok(read(&output).ends_with('\n')))
        .with_context(|| read(&server.dir().join("alerta.log")))?;
    let base = format!("http://127.0.0.1:{}", read(&output).trim());
    // Alerta knows no severity "info".
    server.write_file(
        "receivers.toml",
        &format!("[alerta]\nformat = 'alertmanager'\nurl = '{base}/webhooks/prometheus'\nseverities = {{ info = 'informational' }}\n"),
    )?;
    server.sql("UPDATE logwatch.rules SET channels = '{webhook:alerta}', severity = 'info'")?;
    server.sql(
        "SELECT logwatch_ingest('FATAL disk full', 'web1'), logwatch_ingest('FATAL disk full', 'web2')",
    )?;
    let alerts = || -> Result<Vec<String>> {
        let answer = get_json(&format!("{base}/alerts"))?;
        let mut found: Vec<_> = answer["alerts"]
            .as_array()
            .context("no alerts")?
            .iter()
            .map(|alert| {
                let text = |name: &str| alert[name].as_str().unwrap_or_default().to_owned();
                format!(
                    "{} {} {} {}",
                    text("resource"),
                    text("event"),
                    text("status"),
                    text("severity")
                )
            })
            .collect();
        found.sort();
        Ok(found)
    };
    // The first resolves while the second goes on.
    wait_until(SOON, "one closed alert beside an open one", || {
        server.sql("SELECT logwatch_ingest('FATAL disk full', 'web2')")?;
        Ok(alerts()? == ["web1 fatal closed normal", "web2 fatal open informational"])
    })?;
    assert_eq!(
        server.sql("SELECT count(*) FROM logwatch.notifications WHERE state IN ('failed', 'queued')")?,
        "0"
    );
    Ok(())
}
