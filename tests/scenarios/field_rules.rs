//! Rules that group and filter by a field of the records.

use anyhow::{Result, ensure};
use logwatch_tests::fleet::{Edge, centre, wait_for_state};
use logwatch_tests::server::Server;

use crate::SOON;

const PAYMENTS: &str = r#"SELECT logwatch_ingest(ARRAY[
    '{"level":"error","msg":"payment failed","customer":"acme","http":{"status":500}}',
    'level=error msg="payment failed" customer=acme http.status=503',
    '{"level":"error","msg":"payment failed","customer":"globex","http":{"status":404}}',
    'ERROR payment failed'], 'shop')"#;

fn server(rules: &str) -> Result<Server> {
    let server = Server::without_worker(&[])?;
    server.sql(&format!(
        "DELETE FROM logwatch.rules; INSERT INTO logwatch.rules {rules}"
    ))?;
    Ok(server)
}

#[test]
fn a_rule_groups_and_filters_by_fields() -> Result<()> {
    let server = server(
        r#"(name, threshold, group_by, where_fields) VALUES
           ('each', 2, 'field:customer', NULL), ('broken', 2, 'none', '{"http.status": [500, 503]}')"#,
    )?;
    server.sql(PAYMENTS)?;
    assert_eq!(
        server.sql("SELECT rule, group_key, transition, count FROM logwatch_check() ORDER BY 1")?,
        "broken||firing|2\neach|acme|firing|2"
    );
    assert_eq!(
        server.sql("SELECT r.name, b.group_key, b.peak FROM logwatch.rules AS r, logwatch_backtest(r.name) AS b ORDER BY 1")?,
        "broken||2\neach|acme|2"
    );
    // Only the records of this customer are the alert's.
    assert_eq!(
        server.sql("SELECT DISTINCT e.fields ->> 'customer' FROM logwatch.alerts AS a, logwatch_alert_entries(a.id) AS e WHERE a.rule = 'each'")?,
        "acme"
    );
    assert_eq!(
        server.sql(
            "SELECT group_key, state, count, verdict FROM logwatch_check_rule('each') WHERE state = 'ok'"
        )?,
        "globex|ok|1|1 below the threshold"
    );
    // The sums are the entries', also of a rule that is made when they are there already.
    server
        .sql("INSERT INTO logwatch.rules (name, threshold, group_by) VALUES ('late', 1, 'field:customer')")?;
    assert_eq!(
        server.sql("SELECT group_key, count FROM logwatch_check() WHERE rule = 'late' ORDER BY 1")?,
        "acme|2\nglobex|1"
    );
    server.sql(PAYMENTS)?;
    server.sql("SELECT FROM logwatch_check()")?;
    assert_eq!(
        server.sql("SELECT group_key, count FROM logwatch.alerts WHERE rule = 'late' ORDER BY 1")?,
        "acme|4\nglobex|2"
    );
    Ok(())
}

#[test]
fn a_thousand_values_are_groups_and_the_others_one() -> Result<()> {
    let server = server("(name, threshold, group_by) VALUES ('each', 3, 'field:user')")?;
    server.sql("SELECT logwatch_ingest(array_agg('level=error msg=x user=u' || n)) FROM generate_series(1, 1003) AS n")?;
    assert_eq!(
        server.sql("SELECT group_key, transition, count FROM logwatch_check()")?,
        "(other)|firing|3"
    );
    Ok(())
}

#[test]
fn a_misspelt_field_is_answered_with_those_that_there_are() -> Result<()> {
    let server = server("(name, threshold, group_by) VALUES ('each', 2, 'field:custmer')")?;
    server.sql(PAYMENTS)?;
    server.sql("SELECT FROM logwatch_check()")?;
    assert_eq!(
        server.sql("SELECT verdict FROM logwatch_check_rule('each')")?,
        "the newest records in the window have the fields customer, http, http.status; 2 below the threshold"
    );
    for (columns, values, told) in [
        (
            "group_by",
            "'customer'",
            "rule \"r\": unknown group_by \"customer\"",
        ),
        ("group_by", "'field:'", "rule \"r\": group_by names no field"),
        (
            "where_fields",
            "'[1]'",
            "rule \"r\": where_fields is not an object of fields and values",
        ),
        (
            "where_fields",
            "'{\"a\": {\"b\": 1}}'",
            "rule \"r\": where_fields is not an object of fields and values",
        ),
        (
            "where_fields",
            "'{\"a\": [null]}'",
            "rule \"r\": where_fields is not an object of fields and values",
        ),
        (
            "kind, where_fields",
            "'spike', '{\"a\": 1}'",
            "rule \"r\": fields are for kind threshold, and its kind is spike",
        ),
    ] {
        let error = server.sql_error(&format!(
            "INSERT INTO logwatch.rules (name, {columns}) VALUES ('r', {values})"
        ))?;
        assert_eq!((error.code.as_str(), error.message.as_str()), ("23514", told));
    }
    Ok(())
}

#[test]
fn a_centre_says_that_light_edges_send_no_fields() -> Result<()> {
    let centre = centre(&[])?;
    let edge = Edge::start("berlin", &[])?;
    edge.server
        .sql("SELECT logwatch_publish(execute => true, entries => false)")?;
    centre.psql_script(&format!(
        "SELECT logwatch_subscribe('berlin', '{}', copy => false) \\gexec",
        edge.conninfo()
    ))?;
    wait_for_state(&centre, &edge, SOON, "ok")?;
    centre.sql("INSERT INTO logwatch.rules (name, group_by) VALUES ('each', 'field:customer')")?;
    let told = "records of the light edge \"berlin\" have no fields here and are not counted";
    for query in [
        "SELECT verdict FROM logwatch_check_rule('each')",
        "SELECT message FROM logwatch_status() WHERE name = 'each'",
    ] {
        let shown = centre.sql(query)?;
        ensure!(shown.contains(told), "{shown}");
    }
    Ok(())
}

#[test]
fn upkeep_leaves_the_groups_of_a_check_that_is_counting() -> Result<()> {
    const GROUPS: &str = "SELECT string_agg(value, ',' ORDER BY value) FROM logwatch_private.field_groups";
    let server = server("(name, threshold, group_by) VALUES ('each', 1, 'field:customer')")?;
    server.sql(PAYMENTS)?;
    server.sql("SELECT FROM logwatch_check()")?;
    assert_eq!(server.sql(GROUPS)?, "acme,globex");
    // As after a time without such records.
    server.sql("DELETE FROM logwatch_private.rolled")?;
    let mut check = server.client()?;
    let mut check = check.transaction()?;
    check.batch_execute(
        r#"SELECT logwatch_ingest('{"level":"error","msg":"payment failed","customer":"acme"}', 'shop');
           SELECT FROM logwatch_check()"#,
    )?;
    server.sql("SELECT logwatch_private.prune_rolled(now())")?;
    check.commit()?;
    assert_eq!(server.sql(GROUPS)?, "acme");
    server.sql("SELECT logwatch_private.prune_rolled(now())")?;
    assert_eq!(server.sql(GROUPS)?, "acme");
    Ok(())
}
