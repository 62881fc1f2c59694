//! The report page: what stands on it, that nothing hostile gets through, and how a browser draws
//! it on desks and phones, in light and dark.

use std::fs;

use anyhow::{Context, Result};
use logwatch_tests::server::Server;
use logwatch_tests::{browser, programs};

use crate::SOON;

/// A day of a small shop's logs, with an alert for each state, a hostile application and a mail
/// server that is down.
const A_DAY: &str = r#"
    SELECT logwatch_ingest(array_agg(to_char(now() - make_interval(mins => i), 'YYYY-MM-DD HH24:MI:SSTZH:TZM')
               || CASE WHEN i % 97 = 0 THEN ' FATAL database connection lost after ' || i || ' ms' ELSE ' ERROR order ' || i || ' failed: payment provider answered 502' END), 'shop')
      FROM generate_series(1, 1430) AS i WHERE i % 7 = 0 OR i BETWEEN 500 AND 560;
    SELECT logwatch_ingest(array_agg('{"level":"error","msg":"cache miss storm on node ' || i || '","time":"' || to_char(now() - make_interval(mins => i * 11), 'YYYY-MM-DD"T"HH24:MI:SSOF":00"') || '"}'), 'cache')
      FROM generate_series(1, 60) AS i;
    SELECT logwatch_ingest('ERROR <script>alert(1)</script> "quoted" & <img src=x onerror=alert(2)> password=hunter2 ' || repeat('averylongword', 60), '<b>evil</b>');
    SELECT logwatch_ingest('FATAL database connection lost after 7 ms', 'shop');
    SELECT logwatch_attach('web', '/var/log/web/*.log', 'web1.example.com', '0.2.0');
    SELECT logwatch_ingest('web', 1, 1, '/var/log/web/a.log', 1, 1, 0, 10, 0, 0, 0, 0, '{}', '{}', 'the file shrank');
    INSERT INTO logwatch.rules (name, match, severity, runbook) VALUES ('lost', 'connection lost', 'critical', 'https://wiki.example.com/lost?a=1&b="2"'),
        ('evil <i>rule</i>', 'script', 'info', 'javascript:alert(3)');
    SELECT logwatch_silence('evil*', '1 hour', 'known')"#;

/// A server with that day, whose mails cannot be sent.
fn busy_server() -> Result<Server> {
    let server = Server::with_worker(&[
        ("logwatch.check_interval", "1s"),
        ("logwatch.smtp_url", "smtp+plain://localhost:1"),
        ("logwatch.email_to", "ops@example.com"),
    ])?;
    server.wait_for_worker(SOON, None)?;
    server.sql(A_DAY)?;
    server.wait_for_sql(
        SOON,
        "SELECT count(*) FROM logwatch.alerts WHERE rule = 'lost' AND state = 'firing'",
        "1",
    )?;
    server.sql("SELECT logwatch_ack(id, 'looking <u>at</u> it') FROM logwatch.alerts WHERE rule = 'lost' AND state = 'firing'")?;
    server.wait_for_sql(
        SOON,
        "SELECT count(*) > 0 FROM logwatch.notifications WHERE channel = 'email' AND last_error IS NOT NULL",
        "t",
    )?;
    Ok(server)
}

#[test]
fn the_report_page_is_drawn_for_desks_and_phones_in_light_and_dark() -> Result<()> {
    let server = busy_server()?;
    let page = server.sql("SELECT logwatch_report_html()")?;
    let desk = browser::pictures()?.join("report.html");
    fs::write(&desk, &page)?;
    let phone = browser::on_a_phone(&desk)?;
    for (page, width) in [(&desk, 1100), (&phone, 500)] {
        let light = browser::draw(page, width, "light")?;
        let dark = browser::draw(page, width, "dark")?;
        assert_ne!(light, dark, "dark is not light");
    }
    Ok(())
}

#[test]
fn the_report_page_holds_everything_and_lets_nothing_hostile_through() -> Result<()> {
    let server = busy_server()?;
    let page = server.sql("SELECT logwatch_report_html()")?;
    for expected in [
        "alerts are firing",
        "payment provider answered",
        "database connection lost",
        "the file shrank",
        "taken on by postgres",
        "href=\"https://wiki.example.com/lost?a=1&amp;b=&quot;2&quot;\"",
        "silenced",
        "web1.example.com",
        "next try",
        "password=***",
        "&lt;script&gt;",
        "&lt;b&gt;evil&lt;/b&gt;",
        "looking &lt;u&gt;at&lt;/u&gt; it",
        "prefers-color-scheme:dark",
        "ops@example.com",
    ] {
        assert!(page.contains(expected), "{expected} is missing");
    }
    for hostile in [
        "<script",
        "<img",
        "<b>evil",
        "<i>rule",
        "<u>at",
        "href=\"javascript",
        "hunter2",
        "onerror=alert(2)>",
    ] {
        assert!(!page.contains(hostile), "{hostile} got through");
    }
    // Self-contained: nothing is loaded, from nowhere. The only address is the runbook's.
    assert_eq!(
        page.matches("http").count(),
        page.matches("https://wiki.example.com").count() + "http-equiv".matches("http").count()
    );
    for loads in ["url(", "@import", "<link", "<iframe", "<object"] {
        assert!(!page.contains(loads), "{loads} loads something");
    }

    let error = server.sql_error("SELECT logwatch_report_html('1 second')")?;
    assert_eq!(error.code, "22023", "{error}");
    assert!(error.to_string().contains("7 days"), "{error}");
    assert!(
        server
            .sql("SELECT logwatch_report_html('7 days')")?
            .contains("in 7 days")
    );
    // One record too many in a slot, or none at all: it still adds up.
    let shown = server.sql(
        "SELECT (SELECT sum(n::bigint) FROM jsonb_array_elements(d -> 'timeline') AS l, jsonb_array_elements_text(l -> 'counts') AS n),
                (SELECT sum(n) FROM logwatch.counts WHERE second > now() - interval '24 hours')
           FROM logwatch_private.page_data('24 hours', now()) AS d",
    )?;
    let (timeline, counts) = shown.split_once('|').context("two numbers")?;
    assert_eq!(timeline, counts);
    // The component that needs attention is first.
    assert_eq!(
        server.sql(
            "SELECT string_agg(a ->> 'state', ',' ORDER BY place) FROM logwatch_private.page_data('24 hours', now()) AS d,
                    jsonb_array_elements(d -> 'alerts') WITH ORDINALITY AS x (a, place)"
        )?,
        "firing,firing,silenced,resolved"
    );
    Ok(())
}

#[test]
fn the_report_page_knows_the_delay_of_the_last_records_for_long() -> Result<()> {
    let server = Server::without_worker(&[])?;
    server.sql(
        "SELECT logwatch_ingest(to_char(now() - interval '90 seconds', 'YYYY-MM-DD\"T\"HH24:MI:SS.USTZH:TZM') || ' ERROR late', 'app');
         SELECT logwatch_ingest('ERROR earlier, in time', 'app');
         UPDATE logwatch.batches SET received_at = received_at - interval '1 minute', last_at = last_at - interval '1 minute' WHERE received_at - last_at < '1 minute'",
    )?;
    let delay = "SELECT d #>> '{sources,0,delay}', (SELECT count(*) FROM logwatch.batches) FROM logwatch_private.page_data('24 hours', now()) AS d";
    assert_eq!(server.sql(delay)?, "90|2");
    server.sql("SELECT * FROM logwatch_check()")?;
    assert_eq!(server.sql(delay)?, "90|0", "after the batches were added up");
    server.sql("SELECT logwatch_ingest('ERROR now', 'app')")?;
    assert_eq!(server.sql(delay)?, "0|1");
    Ok(())
}

#[test]
fn a_new_installation_has_a_report_page_too() -> Result<()> {
    let server = Server::without_worker(&[])?;
    let page = server.sql("SELECT logwatch_report_html()")?;
    for expected in [
        "Nothing fires, but the worker is off.",
        "No records in this time.",
        "No alert in this time.",
        "No source yet.",
    ] {
        assert!(page.contains(expected), "{expected} is missing");
    }
    Ok(())
}

/// Grafana's macros in a panel's query, as Grafana itself writes them out for PostgreSQL.
fn as_grafana(query: &str) -> String {
    let mut query = query
        .replace("$__timeFrom()", "now() - interval '1 day'")
        .replace("$__timeTo()", "now()");
    while let Some(at) = query.find("$__timeGroupAlias(") {
        let rest = &query[at + "$__timeGroupAlias(".len()..];
        let (inside, after) = rest.split_once(')').unwrap_or((rest, ""));
        let (column, _) = inside.split_once(',').unwrap_or((inside, ""));
        query = format!(
            "{}floor(extract(epoch from {column})/300)*300 AS \"time\"{after}",
            &query[..at]
        );
    }
    while let Some(at) = query.find("$__timeFilter(") {
        let rest = &query[at + "$__timeFilter(".len()..];
        let (column, after) = rest.split_once(')').unwrap_or((rest, ""));
        query = format!(
            "{}{column} BETWEEN now() - interval '1 day' AND now(){after}",
            &query[..at]
        );
    }
    query
}

#[test]
fn every_panel_of_the_grafana_dashboard_has_rows_for_a_reader() -> Result<()> {
    let server = busy_server()?;
    server.sql("CREATE ROLE reader LOGIN; GRANT pg_monitor TO reader")?;
    let text = fs::read_to_string(programs::checkout().join("sql/integrations/grafana_dashboard.json"))?;
    let dashboard: serde_json::Value = serde_json::from_str(&text)?;
    let panels = dashboard["panels"].as_array().context("panels")?;
    assert!(panels.len() >= 7);
    for panel in panels {
        let title = panel["title"].as_str().context("a panel has a title")?;
        for target in panel["targets"].as_array().context("a panel has queries")? {
            let query = as_grafana(target["rawSql"].as_str().context("a query")?);
            assert!(!query.contains("$__"), "{title}: {query}");
            let rows = server
                .sql_as("reader", &query)
                .with_context(|| format!("{title}: {query}"))?;
            assert!(!rows.is_empty(), "{title} shows nothing: {query}");
        }
    }
    Ok(())
}
