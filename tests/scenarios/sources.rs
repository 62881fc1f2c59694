//! Sources come and go: an old one is forgotten, by people or by the retention.

use anyhow::Result;
use logwatch_tests::mail_sink::MailSink;
use logwatch_tests::server::Server;
use logwatch_tests::tailer::Tailer;
use logwatch_tests::wait::wait_until;

use crate::{SOON, mailing_server};

/// Everything that is kept of source `app` besides its entries.
const KEPT: &str = "SELECT (SELECT count(*) FROM logwatch.sources WHERE name = 'app') AS sources,
    (SELECT count(*) FROM logwatch.files) AS files, (SELECT count(*) FROM logwatch.gaps) AS gaps,
    (SELECT count(*) FROM logwatch.entries) AS entries";

fn server_with_a_source() -> Result<Server> {
    let server = Server::without_worker(&[])?;
    server.sql("SELECT logwatch_attach('app', '/var/log/app.log', 'web1', '1.0.0')")?;
    server.sql(
        "SELECT logwatch_ingest('app', 1, 7, '/var/log/app.log', 1, 2, 0, 100, 8, 11, 8, 12, ARRAY['ERROR a'], ARRAY[0], 'lost')",
    )?;
    Ok(server)
}

#[test]
fn a_source_is_forgotten_by_name_once_its_tailer_is_gone() -> Result<()> {
    let server = server_with_a_source()?;
    assert_eq!(server.sql(KEPT)?, "1|1|1|1");
    let error = server.sql_error("SELECT logwatch_forget('app')")?;
    assert!(
        error.code == "55006" && error.to_string().contains("Stop the tailer"),
        "{error}"
    );
    server.sql("UPDATE logwatch.sources SET seen_at = now() - interval '6 minutes'")?;
    server.sql("SELECT logwatch_forget('app')")?;
    assert_eq!(server.sql(KEPT)?, "0|0|0|1");
    let error = server.sql_error("SELECT logwatch_forget('app')")?;
    assert_eq!(error.code, "P0002", "{error}");
    Ok(())
}

#[test]
fn a_source_without_tailer_and_records_is_forgotten_after_the_retention() -> Result<()> {
    let server = server_with_a_source()?;
    server.sql("SELECT logwatch_maintain()")?;
    assert_eq!(server.sql(KEPT)?, "1|1|1|1");
    server.sql(
        "UPDATE logwatch.sources SET first_seen = now() - interval '400 days', attached_at = now() - interval '400 days',
                                     seen_at = now() - interval '400 days', written_at = NULL;
         UPDATE logwatch.arrivals SET last_at = now() - interval '400 days', since = now() - interval '400 days'",
    )?;
    server.sql("SELECT logwatch_maintain()")?;
    assert_eq!(server.sql(KEPT)?, "0|0|0|1");
    Ok(())
}

#[test]
fn the_ten_thousandth_source_is_the_last_one_of_its_own() -> Result<()> {
    let server = Server::without_worker(&[])?;
    server.sql("INSERT INTO logwatch.sources (id, name) SELECT logwatch_private.source_id('s' || i), 's' || i FROM generate_series(1, 9999) AS i")?;
    let sources = "SELECT count(*) FROM logwatch.sources";
    for source in ["the last", "too many", "far too many", "s1"] {
        server.sql(&format!("SELECT logwatch_ingest('ERROR x', '{source}')"))?;
    }
    // A row more for all others.
    assert_eq!(server.sql(sources)?, "10001");
    assert_eq!(
        server.sql("SELECT s.name, count(*) FROM logwatch.entries AS e JOIN logwatch.sources AS s ON s.id = e.source_id GROUP BY 1 ORDER BY 2, 1")?,
        "s1|1\nthe last|1\n(other)|2"
    );
    let error = server.sql_error("SELECT logwatch_attach('one more', '/x')")?;
    assert!(
        error.code == "53400" && error.to_string().contains("there are 10000 sources already"),
        "{error}"
    );
    server.sql("SELECT logwatch_attach('s2', '/x')")?;
    assert_eq!(server.sql(sources)?, "10001");
    Ok(())
}

#[test]
fn the_status_shows_the_worst_hundred_sources_and_counts_the_others() -> Result<()> {
    let sink = MailSink::plain()?;
    let server = mailing_server(&sink, &[])?;
    let file = server.data().join("status.txt");
    server.sql(&format!(
        "ALTER SYSTEM SET logwatch.alert_file = '{}'",
        file.display()
    ))?;
    server.sql(
        "INSERT INTO logwatch.sources (id, name, epoch, attached_at, seen_at)
         SELECT logwatch_private.source_id('s' || i), 's' || i, 1, now() - interval '1 hour', now() - CASE WHEN i % 10 = 0 THEN interval '1 hour' ELSE interval '0' END
           FROM generate_series(1001, 1500) AS i;
         INSERT INTO logwatch.sources (id, name, epoch, attached_at, seen_at)
         SELECT logwatch_private.source_id('more' || i), 'more' || i, 1, now(), now() FROM generate_series(1, 4500) AS i;
         INSERT INTO logwatch.gaps (source_id, path, from_byte, reason) VALUES (logwatch_private.source_id('s1499'), '/x', 0, 'gone');
         INSERT INTO logwatch.read_errors (source_id, path, error) VALUES (logwatch_private.source_id('s1498'), '/y', 'denied');
         SELECT pg_reload_conf()",
    )?;
    assert_eq!(
        server.sql("SELECT state, count(*) FROM logwatch_status() WHERE component = 'source' AND name <> '*' GROUP BY 1 ORDER BY 2, 1")?,
        "error|1\ngap|1\nok|48\nstale|50"
    );
    let more = "4900 more sources: 4900 ok; see logwatch.sources";
    assert_eq!(
        server
            .sql("SELECT state, message FROM logwatch_status() WHERE component = 'source' AND name = '*'")?,
        format!("ok|{more}")
    );
    let page = server.sql("SELECT logwatch_report_html()")?;
    assert!(page.contains(more) && page.contains("s1498"));
    wait_until(SOON, "the alert file with the sources", || {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        Ok(text.contains(more) && text.contains("s1498") && text.len() < 64 * 1024)
    })?;
    server.sql("SELECT logwatch_report('email')")?;
    let mail = sink.wait_for_subject(SOON, "status of")?;
    assert!(mail.raw.len() <= 64 * 1024, "{} bytes", mail.raw.len());
    Ok(())
}

#[test]
fn a_file_that_is_missing_was_never_read() -> Result<()> {
    let server = Server::without_worker(&[])?;
    let folder = tempfile::tempdir()?;
    for (source, path, reason) in [
        ("missing", folder.path().join("app.log"), "no such file"),
        ("folder", folder.path().to_owned(), "is a directory"),
    ] {
        let path = path.display().to_string();
        let _tailer = Tailer::start(&server, &["--source", source, &path])?;
        let row = format!("FROM logwatch_status() WHERE component = 'source' AND name = '{source}'");
        server.wait_for_sql(SOON, &format!("SELECT state {row}"), "error")?;
        let message = server.sql(&format!("SELECT message {row}"))?;
        assert!(
            message.starts_with("0 of 1 file, never read, 0 entries in 24 hours, 1 file cannot be read: ")
                && message.contains(&format!("{path} ({reason}")),
            "{message}"
        );
    }
    Ok(())
}
