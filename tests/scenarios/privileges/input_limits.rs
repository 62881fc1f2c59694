//! Each argument and each column has a limit: a client with few privileges cannot fill the disk
//! with one call.

use anyhow::Result;
use logwatch_tests::server::Server;

use super::roles::grants;

#[test]
fn a_hostile_client_cannot_store_more_than_a_row_should_hold() -> Result<()> {
    let server = Server::without_worker(&[])?;
    server.sql("CREATE ROLE app LOGIN; CREATE ROLE tailer LOGIN; CREATE ROLE author LOGIN; CREATE ROLE reader; CREATE ROLE operator")?;
    server.psql(&grants()?)?;

    let refused = |role: &str, statement: &str, code: &str| -> Result<()> {
        let error = server.sql_error_as(role, statement)?;
        assert_eq!(error.code, code, "{statement}: {error}");
        Ok(())
    };
    refused(
        "app",
        "SELECT logwatch_ingest(array_fill('INFO x'::text, ARRAY[100001]))",
        "54000",
    )?;
    refused(
        "app",
        "SELECT logwatch_ingest(array_fill(repeat('INFO x', 1000000), ARRAY[12]))",
        "54000",
    )?;
    refused(
        "app",
        "SELECT logwatch_ingest('ERROR x', repeat('s', 1025))",
        "23514",
    )?;
    refused(
        "tailer",
        "SELECT logwatch_attach(repeat('s', 1025), '/x')",
        "23514",
    )?;
    server.sql_as(
        "tailer",
        "SELECT logwatch_attach('t', repeat('/x', 1000000), repeat('h', 1000000), repeat('v', 1000000))",
    )?;
    refused(
        "tailer",
        "SELECT logwatch_ingest('t', 1, 1, repeat('/x', 10000), 1, 1, 0, 10, 0, 0, 0, 0, '{}', '{}')",
        "23514",
    )?;
    server.sql_as(
        "tailer",
        "SELECT logwatch_ingest('t', 1, 1, '/x', 1, 1, 0, 10, 0, 0, 0, 0, '{}', '{}', repeat('g', 1000000))",
    )?;
    server.sql_as(
        "app",
        "SELECT logwatch_ingest('ERROR ' || repeat('m', 1000000) || E'\\n' || repeat(E'detail\\n', 1000000))",
    )?;
    server.sql_as("app", "SELECT logwatch_ingest(json_build_object('level', 'error', 'msg', 'm', 'big', repeat('f', 1000000))::text)")?;
    server.sql_as("app", "SELECT logwatch_ingest('{\"level\":\"error\",\"a\":' || repeat('[', 100000) || repeat(']', 100000) || '}')")?;
    server.sql_as(
        "tailer",
        "SELECT logwatch_heartbeat('t', 1, '{}', '{}', '{}', array_agg('/x' || n), array_agg(repeat('e', 100000))) FROM generate_series(1, 2000) AS n",
    )?;
    assert_eq!(
        server.sql("SELECT count(*), max(length(error)) FROM logwatch.read_errors")?,
        "1000|1000"
    );
    let largest = server.sql("SELECT max(pg_column_size(e.*)) < 2000000 AND max(length(message)) <= 65536 AND max(length(detail)) <= 1048576 AND count(*) = 3 FROM logwatch.entries AS e")?;
    assert_eq!(
        largest,
        "t",
        "{}",
        server.sql("SELECT length(message), length(detail), flags FROM logwatch.entries")?
    );
    server.sql("SELECT logwatch_check()")?;
    assert_eq!(
        server.sql(
            "SELECT max(length(template)) <= 512 AND max(length(sample)) <= 2000 FROM logwatch.patterns"
        )?,
        "t"
    );
    assert_eq!(
        server.sql("SELECT max(pg_column_size(s.*)) < 8192 FROM logwatch.sources AS s")?,
        "t"
    );

    assert_eq!(
        server.sql("SELECT max(length(reason)) FROM logwatch.gaps")?,
        "1000"
    );

    for (set, code) in [
        ("match = '^(a*)(.*)(.*)(.*)(.*)\\1\\2\\3\\4\\5z?$'", "2201B"),
        ("exclude = '(a)\\\\\\1'", "2201B"),
        ("match = '(((a{0,200}){0,200}){0,200})'", "2201B"),
        ("match = repeat('a|', 501)", "23514"),
        ("runbook = repeat('r', 1001)", "23514"),
        ("source = repeat('s', 1025)", "23514"),
        (
            "recipients = array_fill('a@example.com'::text, ARRAY[101])",
            "23514",
        ),
    ] {
        refused(
            "author",
            &format!("UPDATE logwatch.rules SET {set} WHERE name = 'error'"),
            code,
        )?;
    }
    // A backslash that is itself escaped makes no reference.
    server.sql_as(
        "author",
        "UPDATE logwatch.rules SET match = 'C:\\\\1' WHERE name = 'error'",
    )?;
    Ok(())
}
