//! Sources come and go: an old one is forgotten, by people or by the retention.

use anyhow::Result;
use logwatch_tests::server::Server;

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
