//! `logwatch_check_rule`: what a rule would do now, and why not.

use anyhow::{Result, ensure};
use logwatch_tests::server::Server;

/// A server with only the rule `error`, which needs three records.
fn server() -> Result<Server> {
    let server = Server::without_worker(&[])?;
    server.sql(
        "DELETE FROM logwatch.rules WHERE name <> 'error';
         UPDATE logwatch.rules SET threshold = 3, channels = '{log}', repeat_every = NULL",
    )?;
    Ok(server)
}

fn verdict(server: &Server) -> Result<String> {
    server.sql("SELECT group_key, state, count, threshold, verdict FROM logwatch_check_rule('error')")
}

#[test]
fn below_its_threshold_a_rule_says_by_how_much() -> Result<()> {
    let server = server()?;
    assert_eq!(verdict(&server)?, "|ok|0|3|3 below the threshold");
    server.sql("SELECT logwatch_ingest('ERROR disk full', 'web1')")?;
    server.sql("SELECT FROM logwatch_check()")?;
    assert_eq!(verdict(&server)?, "|ok|1|3|2 below the threshold");
    server.sql("UPDATE logwatch.rules SET group_by = 'source', min_sources = 1, threshold = 2")?;
    server.sql(
        "SELECT logwatch_ingest('ERROR disk full', 'web1'), logwatch_ingest('ERROR disk full', 'web2')",
    )?;
    assert_eq!(
        verdict(&server)?,
        "web1|ok|2|2|met; the next check fires\nweb2|ok|1|2|1 below the threshold"
    );
    server.sql("UPDATE logwatch.rules SET enabled = false")?;
    ensure!(verdict(&server)?.starts_with("web1|ok|2|2|the rule is disabled\n"));
    Ok(())
}

#[test]
fn a_firing_rule_says_what_keeps_it_quiet() -> Result<()> {
    let server = server()?;
    server.sql(
        "INSERT INTO logwatch.schedules (name, time_zone, weekdays, starts, ends)
         SELECT 'later', 'UTC', '{mon,tue,wed,thu,fri,sat,sun}', (t + interval '1 hour')::time, (t + interval '2 hours')::time
           FROM (SELECT now() AT TIME ZONE 'UTC' AS t) AS u;
         UPDATE logwatch.rules SET notify_during = 'later'",
    )?;
    server.sql("SELECT logwatch_ingest(ARRAY['ERROR a', 'ERROR b', 'ERROR c'])")?;
    server.sql("SELECT FROM logwatch_check()")?;
    assert_eq!(
        verdict(&server)?,
        "|firing|3|3|not announced yet; outside the hours \"later\": notifications are held until they begin"
    );
    server.sql("UPDATE logwatch.rules SET notify_during = NULL")?;
    assert_eq!(verdict(&server)?, "|firing|3|3|the next check notifies: first");
    server.sql("SELECT FROM logwatch_check()")?;
    let shown = verdict(&server)?;
    ensure!(
        shown.starts_with("|firing|3|3|announced at ") && shown.ends_with("; not repeated"),
        "{shown}"
    );
    let silence = server.sql("SELECT logwatch_silence('err*', '1 hour', 'deployment')")?;
    server.sql("SELECT logwatch_ack(id) FROM logwatch.alerts")?;
    let shown = verdict(&server)?;
    ensure!(
        shown.contains(&format!(
            "; silence {silence} (deployment) holds notifications back until "
        )) && shown.ends_with("; acknowledged by postgres: not repeated"),
        "{shown}"
    );
    server.sql(
        "DELETE FROM logwatch.silences;
         INSERT INTO logwatch.rules (name, channels) VALUES ('down', '{log}');
         UPDATE logwatch.rules SET inhibited_by = 'down', channels = '{webhook}' WHERE name = 'error'",
    )?;
    server.sql("SELECT FROM logwatch_check()")?;
    let shown = verdict(&server)?;
    ensure!(
        shown.contains(
            "; inhibited by rule \"down\", which is firing; none of its channels (webhook) is turned on"
        ),
        "{shown}"
    );
    Ok(())
}

#[test]
fn every_kind_has_its_reason() -> Result<()> {
    let server = server()?;
    server.sql(
        "INSERT INTO logwatch.rules (name, kind, threshold, factor) VALUES ('spike', 'spike', 1, 3);
         INSERT INTO logwatch.rules (name, kind) VALUES ('new', 'new_pattern');
         INSERT INTO logwatch.rules (name, kind, absence_of, within) VALUES ('gone', 'absence', 'records', '1 hour');
         INSERT INTO logwatch.rules (name, for_at_least) VALUES ('lasting', '10 minutes');
         INSERT INTO logwatch.rules (name, min_sources) VALUES ('three', 3);
         SELECT logwatch_ingest('ERROR disk full', 'web1')",
    )?;
    server.sql("SELECT FROM logwatch_check()")?;
    for (rule, expected) in [
        ("new", "learned: the pattern was first seen at "),
        ("gone", "last heard of at "),
        ("lasting", "met since "),
        ("three", "from 1 of the 3 sources that it needs"),
        ("spike", "announced at "),
    ] {
        let shown = server.sql(&format!("SELECT verdict FROM logwatch_check_rule('{rule}')"))?;
        ensure!(shown.starts_with(expected), "{rule}: {shown}");
    }
    Ok(())
}

#[test]
fn a_misspelt_name_is_answered_with_the_right_one() -> Result<()> {
    let server = server()?;
    let error = server.sql_error("SELECT logwatch_check_rule('eror')")?;
    ensure!(
        error.code == "P0002" && error.to_string().contains("Did you mean \"error\"?"),
        "{error}"
    );
    Ok(())
}

#[test]
fn a_name_of_any_length_is_compared_at_once() -> Result<()> {
    let server = server()?;
    server.sql(
        "INSERT INTO logwatch.rules (name) SELECT n || repeat('yx', 40) FROM generate_series(1, 1000) AS n",
    )?;
    let limit = "SET statement_timeout = '10s'; ";
    let long = format!("{limit}SELECT logwatch_check_rule('9' || repeat('yx', 500000))");
    ensure!(server.sql_error(&long)?.to_string().contains("Did you mean \"9"));
    let nearest =
        "logwatch_private.nearest_name('error', array_fill(repeat('xy', 500000), ARRAY[100]) || '{eror}')";
    assert_eq!(
        server.sql(&format!("{limit}SELECT {nearest}"))?.lines().last(),
        Some("eror")
    );
    Ok(())
}

#[test]
fn a_rule_that_names_what_does_not_exist_says_so() -> Result<()> {
    let server = server()?;
    server.sql("UPDATE logwatch.rules SET notify_during = 'ofice', inhibited_by = 'dwon'")?;
    let missing = "schedule \"ofice\" of notify_during does not exist: notifies at all hours; \
                   rule \"dwon\" of inhibited_by does not exist: nothing inhibits it";
    assert_eq!(
        verdict(&server)?,
        format!("|ok|0|3|3 below the threshold; {missing}")
    );
    let message =
        server.sql("SELECT message FROM logwatch_status() WHERE component = 'rule' AND name = 'error'")?;
    ensure!(message.ends_with(missing), "{message}");
    server.sql(
        "INSERT INTO logwatch.schedules (name) VALUES ('ofice');
         INSERT INTO logwatch.rules (name) VALUES ('dwon')",
    )?;
    ensure!(!verdict(&server)?.contains("does not exist"));
    Ok(())
}
