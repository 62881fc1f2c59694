//! Metrics: `logwatch_prometheus()` and the configurations in `sql/integrations` with the real
//! promtool, postgres_exporter, sql_exporter and Prometheus.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use logwatch_tests::http::{free_port, get, get_json};
use logwatch_tests::process::Process;
use logwatch_tests::programs;
use logwatch_tests::server::Server;
use logwatch_tests::wait::{wait_for, wait_until};

use crate::{INGEST_FATAL, SOON};

/// A rule's name with everything that the text format escapes.
const NAME: &str = r#"disk "C:\" full|5 %"#;

fn integration(name: &str) -> Result<String> {
    let file = programs::checkout().join("sql/integrations").join(name);
    fs::read_to_string(&file).with_context(|| file.display().to_string())
}

/// Returns a server with a reader, a rule that fires, and one with a name that must be escaped.
fn firing_server() -> Result<Server> {
    let server = Server::with_worker(&[])?;
    server.client()?.execute(
        "INSERT INTO logwatch.rules (name, level) VALUES ($1, 'FATAL')",
        &[&NAME],
    )?;
    server.sql("CREATE ROLE logwatch_reader LOGIN; SELECT logwatch_grant('logwatch_reader', 'reader')")?;
    server.sql(INGEST_FATAL)?;
    server.wait_for_sql(
        SOON,
        "SELECT count(*) FROM logwatch.alerts WHERE state = 'firing'",
        "2",
    )?;
    Ok(server)
}

/// Returns the samples of an exposition: the value of each metric with its labels in order, without
/// those that an exporter adds.
fn samples(text: &str) -> BTreeMap<String, String> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.rsplit_once(' '))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[test]
fn promtool_accepts_the_exposition() -> Result<()> {
    let server = firing_server()?;
    let text = server.sql("SELECT logwatch_prometheus()")?;
    let found = samples(&text);
    assert_eq!(
        found.get(r#"logwatch_alerts_firing{rule="disk \"C:\\\" full|5 %",severity="warning"}"#),
        Some(&"1".to_owned()),
        "{text}"
    );
    assert_eq!(found.get("logwatch_worker_up"), Some(&"1".to_owned()));
    assert_eq!(
        server.sql_as("logwatch_reader", "SELECT length(logwatch_prometheus()) > 100")?,
        "t"
    );
    // Every row of the view is a sample, and every metric has a help text.
    let rows: usize = server.sql("SELECT count(*) FROM logwatch.metrics")?.parse()?;
    assert_eq!(found.len(), rows);
    assert!(!text.contains("# HELP  "), "{text}");
    let names: Vec<_> = text.lines().filter(|line| line.starts_with("# HELP")).collect();
    assert!(names.iter().all(|line| line.split(' ').count() > 3), "{names:?}");

    let Some(promtool) = programs::monitoring("promtool") else {
        return Ok(());
    };
    let mut checking = Command::new(promtool)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut input = checking.stdin.take().context("no standard input")?;
    input.write_all(text.as_bytes())?;
    input.write_all(b"\n")?;
    drop(input);
    let output = checking.wait_with_output()?;
    assert_eq!(
        (
            output.status.code(),
            String::from_utf8(output.stdout)?,
            String::from_utf8(output.stderr)?
        ),
        (Some(0), String::new(), String::new())
    );
    Ok(())
}

/// Starts a program that serves `/metrics` on a loopback port, and returns it with the text once
/// that has exactly these metrics of logwatch's.
fn exposition(
    command: &mut Command,
    port: u16,
    promised: &[String],
    log: &Path,
) -> Result<(Process, String)> {
    let out = fs::File::create(log)?;
    command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out);
    let running = Process::spawn(command, libc::SIGKILL)?;
    let text = wait_for(SOON, "metrics", || {
        Ok(get(&format!("http://127.0.0.1:{port}/metrics"))
            .ok()
            .filter(|text| names(text) == promised))
    })
    .with_context(|| {
        let served = get(&format!("http://127.0.0.1:{port}/metrics")).unwrap_or_default();
        format!(
            "{:?}\n{}",
            names(&served),
            fs::read_to_string(log).unwrap_or_default()
        )
    })?;
    Ok((running, text))
}

/// Returns the names of logwatch's metrics in an exposition, without the prefix of sql_exporter.
fn names(text: &str) -> Vec<String> {
    let mut names: Vec<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" gauge"))
        .map(|name| name.trim_start_matches("sql_"))
        .filter(|name| name.starts_with("logwatch_"))
        .map(str::to_owned)
        .collect();
    names.sort();
    names
}

/// Starts postgres_exporter with the file of the integrations, and logwatch's metrics alone.
fn postgres_exporter(server: &Server, port: u16) -> Result<Option<(Process, String)>> {
    let Some(program) = programs::monitoring("prometheus-postgres-exporter") else {
        return Ok(None);
    };
    let queries = programs::checkout().join("sql/integrations/postgres_exporter.yml");
    let mut command = Command::new(program);
    command
        .arg("--disable-default-metrics")
        .arg("--disable-settings-metrics")
        .arg("--no-collector.database")
        .arg("--no-collector.bgwriter")
        .arg(format!("--extend.query-path={}", queries.display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .env(
            "DATA_SOURCE_NAME",
            format!(
                "user=logwatch_reader dbname=postgres host={} port={} sslmode=disable",
                server.sockets().display(),
                server.port()
            ),
        );
    // No query can have the name of that one.
    let mut promised = names(&server.sql("SELECT logwatch_prometheus()")?);
    promised.retain(|name| name != "logwatch_gaps");
    let log = server.dir().join("postgres_exporter.log");
    exposition(&mut command, port, &promised, &log).map(Some)
}

#[test]
fn postgres_exporter_serves_the_promised_names() -> Result<()> {
    let server = firing_server()?;
    let port = free_port()?;
    let Some((_running, text)) = postgres_exporter(&server, port)? else {
        return Ok(());
    };
    let fatal = text
        .lines()
        .find(|line| line.starts_with("logwatch_alerts_firing{") && line.contains("rule=\"fatal\""))
        .context("no rule fatal")?;
    ensure!(
        fatal.contains("severity=\"critical\"") && fatal.ends_with(" 1"),
        "{fatal}"
    );
    assert!(text.contains(r#"rule="disk \"C:\\\" full|5 %""#), "{text}");
    Ok(())
}

#[test]
fn sql_exporter_serves_the_promised_names() -> Result<()> {
    let server = firing_server()?;
    let Some(program) = programs::monitoring("prometheus-sql-exporter") else {
        return Ok(());
    };
    let port = free_port()?;
    let url = "postgres://logwatch_reader@localhost:5432/appdb?sslmode=disable";
    let config = integration("sql_exporter.yml")?;
    ensure!(config.contains(url));
    let file = server.write_file(
        "sql_exporter.yml",
        &config
            .replace(
                url,
                &format!(
                    "postgres://logwatch_reader@/postgres?host={}&port={}&sslmode=disable",
                    server.sockets().display(),
                    server.port()
                ),
            )
            .replace("interval: 15s", "interval: 1s"),
    )?;
    let mut command = Command::new(program);
    command
        .arg("-config.file")
        .arg(&file)
        .arg("-web.listen-address")
        .arg(format!("127.0.0.1:{port}"));
    let promised = names(&server.sql("SELECT logwatch_prometheus()")?);
    exposition(
        &mut command,
        port,
        &promised,
        &server.dir().join("sql_exporter.log"),
    )?;
    Ok(())
}

#[test]
fn prometheus_scrapes_and_alerts_by_the_integration_files() -> Result<()> {
    let mut server = firing_server()?;
    let port = free_port()?;
    let Some((_exporter, _)) = postgres_exporter(&server, port)? else {
        return Ok(());
    };
    let Some(prometheus) = programs::monitoring("prometheus") else {
        return Ok(());
    };
    let config = integration("prometheus.yml")?
        .replace("localhost:9187", &format!("127.0.0.1:{port}"))
        .replace(
            "scrape_interval: 15s",
            "scrape_interval: 1s\n  evaluation_interval: 1s",
        );
    let config = server.write_file("prometheus.yml", &config)?;
    server.write_file(
        "prometheus_alerts.yml",
        &integration("prometheus_alerts.yml")?.replace("for: 2m", "for: 1s"),
    )?;
    let web = free_port()?;
    let mut command = Command::new(prometheus);
    command
        .arg(format!("--config.file={}", config.display()))
        .arg(format!(
            "--storage.tsdb.path={}",
            server.dir().join("tsdb").display()
        ))
        .arg(format!("--web.listen-address=127.0.0.1:{web}"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(fs::File::create(server.dir().join("prometheus.log"))?);
    let _running = Process::spawn(&mut command, libc::SIGKILL)?;
    let firing = || -> Result<Vec<String>> {
        let answer = get_json(&format!("http://127.0.0.1:{web}/api/v1/alerts"))?;
        let mut found: Vec<_> = answer["data"]["alerts"]
            .as_array()
            .context("no alerts")?
            .iter()
            .filter(|alert| alert["state"] == "firing")
            .map(|alert| {
                let label = |name: &str| alert["labels"][name].as_str().unwrap_or_default().to_owned();
                format!("{} {} {}", label("alertname"), label("rule"), label("severity"))
            })
            .collect();
        found.sort();
        Ok(found)
    };
    let rule = format!("LogwatchAlert {NAME} warning");
    let ours = ["LogwatchAlert fatal critical".to_owned(), rule];
    wait_until(SOON, "both alerts", || {
        let mut found = firing().unwrap_or_default();
        found.sort_by_key(|alert| !alert.contains("fatal"));
        Ok(found == ours)
    })?;
    // The server goes: nothing scrapes a worker any more.
    server.stop(logwatch_tests::server::Stop::Fast)?;
    wait_until(SOON, "LogwatchDown", || {
        Ok(firing()?.iter().any(|alert| alert == "LogwatchDown  critical"))
    })
}
