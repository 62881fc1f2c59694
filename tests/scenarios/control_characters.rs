//! Names and reasons from outside are stored without control characters, so that no program that
//! prints them is misled.

use anyhow::{Result, ensure};
use logwatch_tests::server::Server;

/// A line break, a colour, a tab, and a mark that reverses the text after it.
const ODD: &str = "E'\\nOK \\x1b[31m\\t\\u202e'";

#[test]
fn names_and_reasons_are_stored_without_control_characters() -> Result<()> {
    let server = Server::without_worker(&[])?;
    server.sql(&format!("SELECT logwatch_ingest('ERROR x', 'app' || {ODD})"))?;
    server.sql(&format!(
        "SELECT epoch FROM logwatch_attach('tail' || {ODD}, '/log' || {ODD}, 'host' || {ODD}, '1' || {ODD});
         SELECT logwatch_ingest('tail' || {ODD}, 1, 7, '/log/a' || {ODD}, 1, 1, 0, 10, 0, 0, 0, 0,
                                '{{ERROR y}}'::text[], '{{0}}', 'lost' || {ODD});
         SELECT logwatch_heartbeat('tail' || {ODD}, 1, '{{7}}', '{{10}}', '{{f}}', ARRAY['/log/b' || {ODD}], ARRAY['denied' || {ODD}]);
         SELECT logwatch_silence('fatal' || {ODD}, '1 hour', 'why' || {ODD}, 'app' || {ODD})"
    ))?;
    for (column, table) in [
        ("name", "sources"),
        ("concat(path, host, version)", "sources"),
        ("path", "files"),
        ("concat(path, reason)", "gaps"),
        ("concat(path, error)", "read_errors"),
        ("concat(rule, source, reason)", "silences"),
    ] {
        let odd = format!(
            "SELECT count(*), count(*) FILTER (WHERE {column} ~ '[[:cntrl:]\\u202e]') FROM logwatch.{table}"
        );
        let found = server.sql(&odd)?;
        ensure!(
            found.ends_with("|0") && !found.starts_with('0'),
            "{table}: {found}"
        );
    }
    let status = server.sql("SELECT string_agg(message || name, ' ') FROM logwatch_status()")?;
    ensure!(!status.contains(['\n', '\u{1b}', '\t', '\u{202e}']), "{status:?}");
    // The name with and without them is one source.
    server.sql(&format!("SELECT logwatch_ingest('ERROR x', 'app' || {ODD})"))?;
    assert_eq!(server.sql("SELECT count(*) FROM logwatch.sources")?, "2");
    Ok(())
}
