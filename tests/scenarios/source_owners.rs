//! A source belongs to the role whose tailer first claimed it: no other role acts in its name.

use anyhow::Result;
use logwatch_tests::server::Server;
use logwatch_tests::tailer::{Tailer, append};

/// SQLSTATE insufficient_privilege.
const DENIED: &str = "42501";

/// Two tailers and an application; the first tailer has read 100 bytes of source `web`.
fn two_tailers() -> Result<Server> {
    let server = Server::without_worker(&[])?;
    server.sql(
        "CREATE ROLE web LOGIN; CREATE ROLE mallory LOGIN; CREATE ROLE shop LOGIN;
         SELECT logwatch_grant(role, 'tailer') FROM unnest('{web,mallory}'::regrole[]) AS role;
         SELECT logwatch_grant('mallory', 'app'); SELECT logwatch_grant('shop', 'app')",
    )?;
    server.sql_as(
        "web",
        "SELECT logwatch_attach('web', '/var/log/web.log');
         SELECT logwatch_ingest('web', 1, 7, '/var/log/web.log', 1, 1, 0, 100, 0, 0, 0, 0, '{ERROR x}', '{0}')",
    )?;
    Ok(server)
}

#[test]
fn another_tailers_role_can_do_nothing_with_a_source() -> Result<()> {
    let server = two_tailers()?;
    let state = "SELECT s.owner, s.epoch, s.seen_at, f.next_byte, (SELECT count(*) FROM logwatch.gaps), (SELECT count(*) FROM logwatch.read_errors), (SELECT count(*) FROM logwatch.entries)
                   FROM logwatch.sources AS s JOIN logwatch.files AS f ON f.source_id = s.id";
    let before = server.sql(state)?;
    assert!(before.starts_with("web|1|"), "{before}");
    for (subject, call) in [
        ("a take-over", "SELECT logwatch_attach('web', '/x')"),
        (
            "a moved offset",
            "SELECT logwatch_ingest('web', 1, 7, '/x', 1, 1, 100, 900, 0, 0, 0, 0, NULL, NULL)",
        ),
        (
            "a forged gap",
            "SELECT logwatch_ingest('web', 1, 8, '/x', 1, 1, 0, 9, 0, 0, 0, 0, NULL, NULL, 'gone')",
        ),
        (
            "a forged error",
            "SELECT logwatch_heartbeat('web', 1, '{}', '{}', '{}', '{/x}', '{gone}')",
        ),
        (
            "a forged heartbeat",
            "SELECT logwatch_heartbeat('web', 1, '{}', '{}', '{}', '{}', '{}')",
        ),
        ("a forged record", "SELECT logwatch_ingest('FATAL x', 'web')"),
        (
            "forged records",
            "SELECT logwatch_ingest('{FATAL x}'::text[], 'web')",
        ),
        ("a list of files", "SELECT * FROM logwatch_files('web')"),
    ] {
        let error = server.sql_error_as("mallory", call)?;
        assert_eq!(error.code, DENIED, "{subject}: {error}");
        assert!(
            error
                .to_string()
                .contains("source \"web\" belongs to another role")
                && error
                    .to_string()
                    .contains("UPDATE logwatch.sources SET owner = 'mallory' WHERE name = 'web';"),
            "{subject}: {error}"
        );
    }
    assert_eq!(server.sql_as("mallory", "SELECT * FROM logwatch_files()")?, "");
    assert_eq!(server.sql(state)?, before);
    assert_eq!(
        server.sql_as("web", "SELECT source, next_byte FROM logwatch_files()")?,
        "web|100"
    );
    Ok(())
}

#[test]
fn members_of_the_owner_superusers_and_a_new_owner_may_use_a_source() -> Result<()> {
    let server = two_tailers()?;
    let attach = "SELECT DISTINCT epoch FROM logwatch_attach('web', '/var/log/web.log')";
    server.sql("CREATE ROLE web2 LOGIN IN ROLE web; SELECT logwatch_grant('web2', 'tailer')")?;
    assert_eq!(server.sql_as("web2", attach)?, "2");
    assert_eq!(server.sql(attach)?, "3");
    assert_eq!(server.sql("SELECT owner FROM logwatch.sources")?, "web");
    server.sql("UPDATE logwatch.sources SET owner = 'mallory' WHERE name = 'web'")?;
    assert_eq!(server.sql_as("mallory", attach)?, "4");
    assert_eq!(server.sql_error_as("web", attach)?.code, DENIED);
    // Nobody is a member of a role that is gone; superusers still are in charge.
    server.sql("UPDATE logwatch.sources SET owner = 'gone' WHERE name = 'web'")?;
    assert_eq!(server.sql_error_as("web", attach)?.code, DENIED);
    assert_eq!(server.sql(attach)?, "5");
    Ok(())
}

#[test]
fn applications_share_sources_that_have_no_tailer() -> Result<()> {
    let server = two_tailers()?;
    for role in ["shop", "mallory"] {
        assert_eq!(
            server.sql_as(role, "SELECT logwatch_ingest('ERROR x', 'orders')")?,
            "1"
        );
    }
    let error = server.sql_error_as("shop", "SELECT logwatch_ingest('ERROR x', 'web')")?;
    assert_eq!(error.code, DENIED, "{error}");
    server.sql("SELECT logwatch_grant('web', 'app')")?;
    assert_eq!(
        server.sql_as("web", "SELECT logwatch_ingest('ERROR x', 'web')")?,
        "1"
    );
    Ok(())
}

#[test]
fn a_tailer_does_not_take_a_source_from_applications() -> Result<()> {
    let server = two_tailers()?;
    let store = "SELECT logwatch_ingest('ERROR x', 'orders')";
    let attach = "SELECT DISTINCT epoch FROM logwatch_attach('orders', '/x')";
    server.sql_as("shop", store)?;
    let error = server.sql_error_as("mallory", attach)?;
    assert!(
        error.code == DENIED
            && error
                .to_string()
                .contains("source \"orders\" belongs to applications"),
        "{error}"
    );
    assert_eq!(server.sql_as("shop", store)?, "1");
    let error = server.sql_error_as("mallory", "SELECT logwatch_attach('(other)', '/x')")?;
    assert_eq!(error.code, DENIED, "{error}");
    // The printed command hands it over.
    server.sql("UPDATE logwatch.sources SET owner = 'web' WHERE name = 'orders'")?;
    assert_eq!(server.sql_as("web", attach)?, "1");
    assert_eq!(server.sql_error_as("shop", store)?.code, DENIED);
    Ok(())
}

#[test]
fn a_tailer_of_another_role_stops_and_names_the_command() -> Result<()> {
    let server = two_tailers()?;
    let files = tempfile::tempdir()?;
    let log = files.path().join("web.log");
    append(&log, &["ERROR one"])?;
    let args = ["--once", "--source", "web", &log.display().to_string()];
    let output = Tailer::command(&server, &args)?
        .env("PGUSER", "mallory")
        .output()?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(77), "{text}");
    assert!(
        text.contains("UPDATE logwatch.sources SET owner = 'mallory' WHERE name = 'web';")
            && !text.contains("logwatch_grant"),
        "{text}"
    );
    Ok(())
}
