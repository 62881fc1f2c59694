//! Typing errors: each is answered by a message with the right word.

use anyhow::{Result, ensure};
use logwatch_tests::server::Server;

#[test]
fn a_misspelt_setting_is_in_the_status_with_the_nearest_name() -> Result<()> {
    let mut server = Server::without_worker(&[])?;
    let row = "SELECT state, message FROM logwatch_status() WHERE name = 'logwatch.smtp_uri'";
    assert_eq!(server.sql(row)?, "");
    server.set(&[("logwatch.smtp_uri", "smtp://localhost")])?;
    let row = server.sql(row)?;
    ensure!(
        row.starts_with("unknown|There is no setting of this name. Did you mean logwatch.smtp_url?"),
        "{row}"
    );
    Ok(())
}

#[test]
fn a_rule_takes_a_level_in_any_case_and_refuses_an_unknown_one_with_the_five_names() -> Result<()> {
    let server = Server::without_worker(&[])?;
    server.sql(
        "INSERT INTO logwatch.rules (name, level) VALUES ('one', 'error'), ('two', ' Warning'), ('three', 'FATAL')",
    )?;
    assert_eq!(
        server.sql("SELECT string_agg(level, ',' ORDER BY name) FROM logwatch.rules WHERE name IN ('one', 'two', 'three')")?,
        "ERROR,FATAL,WARN"
    );
    let error = server.sql_error("INSERT INTO logwatch.rules (name, level) VALUES ('four', 'loud')")?;
    ensure!(error.code == "23514", "{error}");
    for part in ["unknown level \"loud\"", "DEBUG, INFO, WARN, ERROR or FATAL"] {
        ensure!(
            error.to_string().contains(part),
            "{part:?} is missing in: {error}"
        );
    }
    Ok(())
}

#[test]
fn a_silence_of_no_rule_names_the_rules() -> Result<()> {
    let server = Server::without_worker(&[])?;
    let output = server.psql("SELECT logwatch_silence('nosuch', '1 hour')")?;
    for part in [
        "NOTICE:  no rule matches \"nosuch\" now",
        "The rules are: error, fatal.",
    ] {
        ensure!(output.contains(part), "{part:?} is missing in: {output}");
    }
    let output = server.psql("SELECT logwatch_silence('err*', '1 hour')")?;
    ensure!(!output.contains("NOTICE"), "{output}");
    Ok(())
}
