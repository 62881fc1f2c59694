//! Nothing that one session, rule or program does keeps a check from the others.

use anyhow::Result;
use logwatch_tests::server::Server;

use crate::SOON;

/// Counted repetitions within each other: thousands of states, some milliseconds for one text. The
/// tests try it on 4000 texts, so that it takes many times the limit.
const SLOW: &str = "((.{1,20}a){1,20}b){1,20}q";

fn sqlstate(result: Result<String>) -> String {
    let error = result.expect_err("an error").to_string();
    error
        .rsplit("SQLSTATE: ")
        .next()
        .unwrap_or_default()
        .trim()
        .to_owned()
}

/// A record whose template is long, and hard for `SLOW`.
fn long_record(word: &str) -> String {
    format!("ERROR {word} {}", "gahi bolu ".repeat(45))
}

#[test]
fn an_open_transaction_with_a_new_pattern_and_source_blocks_nobody() -> Result<()> {
    let server = Server::without_worker(&[("lock_timeout", "2s")])?;
    let mut open = server.client()?;
    let mut transaction = open.transaction()?;
    transaction.execute("SELECT logwatch_ingest('ERROR never seen before', 'new')", &[])?;
    server.sql("SELECT logwatch_ingest('ERROR never seen before', 'new')")?;
    server.sql("SELECT logwatch_ingest('FATAL seen by its own', 'own')")?;
    assert_eq!(
        server.sql("SELECT rule, group_key FROM logwatch_check()")?,
        "fatal|"
    );
    transaction.commit()?;
    server.sql("SELECT * FROM logwatch_check()")?;
    assert_eq!(
        server.sql("SELECT s.name, sum(c.n) FROM logwatch.counts AS c JOIN logwatch.sources AS s ON s.id = c.source_id GROUP BY 1 ORDER BY 1")?,
        "new|2\nown|1"
    );
    assert_eq!(server.sql("SELECT count(*) FROM logwatch.patterns")?, "2");
    Ok(())
}

#[test]
fn an_alert_that_somebody_has_locked_waits_for_the_next_check() -> Result<()> {
    let server = Server::without_worker(&[("lock_timeout", "2s")])?;
    server.sql("INSERT INTO logwatch.rules (name, group_by, threshold) VALUES ('each', 'source', 2)")?;
    server.sql(
        "SELECT logwatch_ingest(ARRAY['ERROR a', 'ERROR a'], s) FROM unnest('{one,two}'::text[]) AS s",
    )?;
    server.sql("SELECT * FROM logwatch_check()")?;
    let mut open = server.client()?;
    let mut transaction = open.transaction()?;
    transaction.execute(
        "SELECT FROM logwatch.alerts WHERE group_key = 'one' FOR UPDATE",
        &[],
    )?;
    server.sql(
        "SELECT logwatch_ingest(ARRAY['ERROR a', 'ERROR a'], s) FROM unnest('{one,two}'::text[]) AS s",
    )?;
    server.sql("SELECT * FROM logwatch_check()")?;
    let counts = "SELECT group_key, peak FROM logwatch.alerts WHERE rule = 'each' ORDER BY 1";
    assert_eq!(server.sql(counts)?, "one|2\ntwo|4");
    transaction.commit()?;
    server.sql("SELECT * FROM logwatch_check()")?;
    assert_eq!(server.sql(counts)?, "one|4\ntwo|4");
    Ok(())
}

#[test]
fn a_rule_whose_expression_takes_too_long_is_left_out_and_the_others_go_on() -> Result<()> {
    let mut server = Server::without_worker(&[])?;
    server.sql(&format!(
        "INSERT INTO logwatch.rules (name, match, threshold) VALUES ('slow', '{SLOW}', 1), ('quick', 'gahi+', 1)"
    ))?;
    // An expression that was fast enough when it was written takes longer with new patterns.
    server.set(&[("logwatch.rule_time_limit", "250ms")])?;
    server.sql("SELECT pg_reload_conf()")?;
    server.wait_for_sql(SOON, "SELECT logwatch_private.setting('rule_time_limit')", "250")?;
    server.sql(&format!(
        "SELECT logwatch_ingest(array_agg('{}' || chr(97 + n / 400) || chr(97 + n / 20 % 20) || chr(97 + n % 20)))
           FROM generate_series(0, 3999) AS n",
        long_record("x")
    ))?;
    assert_eq!(
        server.sql("SELECT rule FROM logwatch_check() ORDER BY 1")?,
        "error\nquick"
    );
    assert_eq!(
        server.sql("SELECT name, message ~ 'rule_time_limit' FROM logwatch_status() WHERE component = 'rule' AND state = 'error'")?,
        "slow|t"
    );
    // Once its author has changed it, it counts again.
    server.sql("UPDATE logwatch.rules SET match = 'gahi' WHERE name = 'slow'")?;
    assert_eq!(server.sql("SELECT rule FROM logwatch_check()")?, "slow");
    Ok(())
}

#[test]
fn an_expression_is_tried_when_the_rule_is_written() -> Result<()> {
    let server = Server::without_worker(&[("logwatch.rule_time_limit", "250ms")])?;
    server.sql(&format!(
        "SELECT logwatch_ingest(array_agg('{}' || chr(97 + n / 400) || chr(97 + n / 20 % 20) || chr(97 + n % 20)))
           FROM generate_series(0, 3999) AS n",
        long_record("x")
    ))?;
    server.sql("SELECT * FROM logwatch_check()")?;
    let insert = |expression: &str| {
        server.sql(&format!(
            "INSERT INTO logwatch.rules (name, match) VALUES ('tried', '{expression}')"
        ))
    };
    assert_eq!(sqlstate(insert(SLOW)), "2201B");
    insert("gahi")?;
    Ok(())
}

#[test]
fn patterns_above_the_limit_of_a_minute_share_one() -> Result<()> {
    let server = Server::without_worker(&[])?;
    server.sql(
        "SELECT logwatch_ingest(array_agg('ERROR ' || translate(lpad(n::text, 5, '0'), '0123456789', 'ghijklmnop')))
           FROM generate_series(1, 6000) AS n",
    )?;
    server.sql("SELECT * FROM logwatch_check()")?;
    let patterns = server.sql("SELECT count(*), max(total), sum(total) FROM logwatch.patterns")?;
    let shared = patterns.split('|').nth(1).unwrap_or_default().to_owned();
    // The call may have begun in one minute and be counted in it alone.
    assert_eq!(patterns, format!("5001|{shared}|6000"));
    assert_eq!(shared, "1000");
    Ok(())
}

#[test]
fn a_storm_of_new_patterns_after_a_quiet_time_is_checked_soon() -> Result<()> {
    const PATTERNS: i64 = 20_000;
    let server = Server::without_worker(&[("autovacuum", "off")])?;
    let mut client = server.client()?;
    // The session keeps the plans that it makes now, when the tables are known to be almost empty:
    // by those the check of the storm takes minutes.
    for statements in [
        "SELECT logwatch_ingest('ERROR first'); SELECT logwatch_check()",
        "VACUUM ANALYZE",
        "SELECT logwatch_ingest('ERROR second'); SELECT logwatch_check()",
        "SET statement_timeout = '100s'",
    ] {
        client.batch_execute(statements)?;
    }
    client.execute(
        "SELECT logwatch_ingest(array_agg('ERROR module ' || translate(n::text, '0123456789', 'ghijklmnop') || ' failed'), 'host ' || n / 4000)
           FROM generate_series(1, $1::bigint) AS n GROUP BY n / 4000",
        &[&PATTERNS],
    )?;
    client.batch_execute("SELECT logwatch_check()")?;
    assert_eq!(
        server.sql("SELECT count(*) FROM logwatch.patterns")?,
        (PATTERNS + 2).to_string()
    );
    Ok(())
}

#[test]
fn a_backlog_of_several_checks_waits_for_no_wake() -> Result<()> {
    let server = Server::with_worker(&[("logwatch.check_interval", "10min")])?;
    let mut client = server.client()?;
    // One commit wakes the worker once, as an alert would, and a check takes 50 000 records.
    client.batch_execute("DELETE FROM logwatch.rules; BEGIN")?;
    for part in 0..3 {
        client.execute(
            "SELECT logwatch_ingest(array_agg('ERROR disk failed'::text), 'host ' || $1::int) FROM generate_series(1, 50000)",
            &[&part],
        )?;
    }
    client.batch_execute("COMMIT")?;
    server.wait_for_sql(SOON, "SELECT count(*) FROM logwatch.batches", "0")
}

#[test]
fn a_check_leaves_what_comes_meanwhile_to_the_next_call() -> Result<()> {
    let server = Server::without_worker(&[])?;
    // In a storm records come during each check.
    server.sql(
        "CREATE TABLE checks (at timestamptz);
         CREATE FUNCTION more() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             INSERT INTO public.checks VALUES (clock_timestamp());
             PERFORM public.logwatch_ingest('ERROR disk failed');
             RETURN NULL;
         END $$;
         CREATE TRIGGER more AFTER UPDATE OF checked_at ON logwatch.progress FOR EACH ROW EXECUTE FUNCTION more();
         SELECT logwatch_ingest('ERROR disk failed')",
    )?;
    server.sql("SELECT logwatch_check()")?;
    assert_eq!(server.sql("SELECT count(*) FROM checks")?, "1");
    Ok(())
}
