//! Light edges: they send counts, gaps, beats and a sample of each pattern, and keep their entries.

use anyhow::{Context, Result};
use logwatch_tests::fleet::{
    Edge, centre, counts, entries, mailing_centre, subscribe, unsubscribe, wait_for_state,
};
use logwatch_tests::mail_sink::MailSink;
use logwatch_tests::server::Server;
use logwatch_tests::wait::wait_until;

use crate::SOON;

fn light_edge(name: &'static str) -> Result<Edge> {
    let edge = Edge::start(name, &[])?;
    edge.server
        .sql("SELECT logwatch_publish(execute => true, entries => false)")?;
    Ok(edge)
}

/// Joins by the command that `logwatch_publish` lists for a light edge.
fn subscribe_without_copy(centre: &Server, edge: &Edge) -> Result<()> {
    let told = edge.server.sql(
        "SELECT command FROM logwatch_publish(entries => false) WHERE command LIKE '%logwatch_subscribe%'",
    )?;
    assert!(told.contains("::text, false, NULL::text, false)"), "{told}");
    centre.psql_script(&format!(
        "SELECT logwatch_subscribe('{}', '{}', copy => false) \\gexec",
        edge.name,
        edge.conninfo()
    ))?;
    wait_for_state(centre, edge, SOON, "ok")
}

#[test]
fn light_and_full_edges_at_one_centre_alert_alike() -> Result<()> {
    let sink = MailSink::plain()?;
    let mut centre = mailing_centre(&sink)?;
    centre.sql(
        "DELETE FROM logwatch.rules;
         INSERT INTO logwatch.rules (name, threshold, within, match) VALUES ('printers', 5, '1 hour', 'printer')",
    )?;
    let berlin = light_edge("berlin")?;
    let paris = Edge::start("paris", &[])?;
    // The edge knows this pattern before the centre joins: later batches do not repeat its text.
    berlin.ingest(&["ERROR printer 1 on fire"], "hall")?;
    berlin
        .server
        .wait_for_sql(SOON, "SELECT count(*) FROM logwatch.patterns", "1")?;
    subscribe_without_copy(&centre, &berlin)?;
    subscribe(&centre, &paris)?;
    wait_for_state(&centre, &paris, SOON, "ok")?;
    let told = centre.sql("SELECT message FROM logwatch_fleet WHERE name = 'berlin'")?;
    assert!(
        told.contains("light: counts and samples, its entries are only there"),
        "{told}"
    );

    berlin.ingest(&["ERROR printer 2 on fire", "ERROR printer 3 on fire"], "hall")?;
    centre.kill()?;
    berlin.ingest(&["ERROR printer jam in tray 7", "FATAL no paper"], "hall")?;
    centre.start()?;
    paris.ingest(&["ERROR printer 4 on fire", "ERROR printer 5 on fire"], "office")?;

    let mail = sink.wait_for_subject(SOON, "[FIRING").with_context(|| {
        let shown = [
            "logwatch_status()",
            "logwatch.alerts",
            "logwatch.patterns",
            "logwatch.edges",
        ];
        shown
            .map(|table| format!("{:#?}", centre.sql(&format!("SELECT * FROM {table}"))))
            .join("\n")
    })?;
    let text = mail.text();
    assert!(text.contains("hall (3)") && text.contains("office (2)"), "{text}");
    assert!(text.contains("only on the edge itself: berlin"), "{text}");
    assert!(text.contains("e.g.  printer "), "{text}");
    // The sums are those of the edges since they joined: one record of berlin is older.
    wait_until(SOON, "the sums of the edges at the centre", || {
        let of = |servers: &[&Server]| -> Result<i64> { Ok(counts(servers)?.values().sum()) };
        Ok(of(&[&centre])? == of(&[&berlin.server, &paris.server])? - 1)
    })?;
    assert_eq!(entries(&centre)?, entries(&paris.server)?);
    assert_eq!(
        centre.sql("SELECT string_agg(template || ': ' || sample, '; ' ORDER BY template) FROM logwatch.patterns WHERE template LIKE 'printer jam%' OR template LIKE 'no%'")?,
        "no paper: no paper; printer jam in tray <*>: printer jam in tray 7"
    );
    assert!(
        centre
            .sql("SELECT logwatch_report_html()")?
            .contains("printer jam in tray 7")
    );
    assert_eq!(sink.mails().len(), 1);

    // Lines that a rule of the edge expects reach the same rule at the centre.
    let rule = "INSERT INTO logwatch.rules (name, kind, absence_of, match, within, channels)
                VALUES ('refill', 'absence', 'match', 'paper refilled', '1 hour', '{}')";
    centre.sql(rule)?;
    for (edge, source) in [(&berlin, "hall"), (&paris, "office")] {
        edge.server.sql(rule)?;
        edge.ingest(&["INFO paper refilled"], source)?;
    }
    centre.wait_for_sql(
        SOON,
        "SELECT s.name, l.match FROM logwatch.expected_lines AS l JOIN logwatch.sources AS s ON s.id = l.source_id ORDER BY 1",
        "hall|paper refilled\noffice|paper refilled",
    )
}

#[test]
fn a_light_edge_that_is_joined_with_a_copy_is_refused_with_the_way_to_join() -> Result<()> {
    let centre = centre(&[])?;
    let edge = light_edge("berlin")?;
    edge.ingest(&["ERROR printer 1 on fire"], "hall")?;
    subscribe(&centre, &edge)?;
    wait_for_state(&centre, &edge, SOON, "refused")?;
    assert_eq!(
        centre.sql("SELECT refused FROM logwatch.edges")?,
        "lacks logwatch.entries, as a light edge does, which joins with copy => false"
    );
    unsubscribe(&centre, &edge)?;
    subscribe_without_copy(&centre, &edge)?;
    edge.ingest(&["ERROR printer 2 on fire"], "hall")?;
    centre.wait_for_sql(
        SOON,
        "SELECT total, sample FROM logwatch.patterns",
        "1|printer 1 on fire",
    )?;
    assert_eq!(centre.sql("SELECT sum(n) FROM logwatch.counts")?, "1");
    Ok(())
}
