//! A fleet: edges and a centre, each a server of its own, on PostgreSQL's logical replication.

use anyhow::Result;
use logwatch_tests::fleet::{Edge, centre, counts, entries, subscribe, wait_for_state};
use logwatch_tests::link::Condition;
use logwatch_tests::mail_sink::MailSink;
use logwatch_tests::server::{Server, Stop};
use logwatch_tests::tailer::{Tailer, append};
use logwatch_tests::wait::wait_until;

use crate::SOON;

/// Waits until the centre has exactly the entries of these edges, and the sums that belong to them.
fn wait_for_union(centre: &Server, edges: &[&Edge]) -> Result<()> {
    let mut expected = Vec::new();
    for edge in edges {
        expected.extend(entries(&edge.server)?);
    }
    expected.sort();
    let mut found = Vec::new();
    let waited = wait_until(SOON, "the union of the edges at the centre", || {
        found = entries(centre)?;
        found.sort();
        Ok(found == expected)
    });
    if waited.is_err() {
        let missing: Vec<_> = expected
            .iter()
            .filter(|row| !found.contains(row))
            .take(5)
            .collect();
        let surplus: Vec<_> = found
            .iter()
            .filter(|row| !expected.contains(row))
            .take(5)
            .collect();
        println!(
            "centre {}, edges {}; missing {missing:#?}; surplus {surplus:#?}",
            found.len(),
            expected.len()
        );
        println!("{}", centre.log_tail(40));
    }
    waited?;
    let mut expected = Vec::new();
    for edge in edges {
        expected.extend(counts(&edge.server)?);
    }
    expected.sort();
    wait_until(SOON, "the sums of the edges at the centre", || {
        let mut found = counts(centre)?;
        found.sort();
        Ok(found == expected)
    })
}

#[test]
fn two_edges_and_a_centre_survive_kills_and_cuts_with_the_exact_union() -> Result<()> {
    let sink = MailSink::plain()?;
    let url = sink.url();
    let mut centre = centre(&[
        ("logwatch.smtp_url", &url),
        ("logwatch.email_from", "logwatch@centre.test"),
        ("logwatch.email_to", "ops@example.com"),
    ])?;
    centre.sql("DELETE FROM logwatch.rules; INSERT INTO logwatch.rules (name, threshold, within, keep_firing_for) VALUES ('fleet', 20, '1 hour', '1 hour')")?;
    let mut berlin = Edge::start("berlin", &[])?;
    let mut paris = Edge::start("paris", &[])?;
    let files = tempfile::tempdir()?;
    let (in_berlin, in_paris) = (files.path().join("berlin.log"), files.path().join("paris.log"));
    let write = |from: usize| -> Result<()> {
        for (file, place) in [(&in_berlin, "berlin"), (&in_paris, "paris")] {
            let lines: Vec<String> = (from..from + 4)
                .map(|i| format!("ERROR job {i} of {place} failed"))
                .collect();
            append(file, &lines)?;
        }
        Ok(())
    };
    write(0)?;
    let mut tailers = Vec::new();
    for (edge, file) in [(&berlin, &in_berlin), (&paris, &in_paris)] {
        tailers.push(Tailer::start(
            &edge.server,
            &[
                "--from-beginning",
                "--source",
                edge.name,
                &file.display().to_string(),
            ],
        )?);
    }
    for edge in [&berlin, &paris] {
        edge.server
            .wait_for_sql(SOON, "SELECT count(*) FROM logwatch.entries", "4")?;
        subscribe(&centre, edge)?;
    }
    wait_for_union(&centre, &[&berlin, &paris])?;
    assert!(sink.mails().is_empty(), "8 records are below the threshold");

    // kill -9 of an edge, of the centre, and a network that first stalls and then is cut.
    berlin.server.kill()?;
    write(4)?;
    berlin.server.start()?;
    centre.kill()?;
    write(8)?;
    centre.start()?;
    berlin.link.set(Condition::Stalled);
    paris.link.set(Condition::Down);
    write(12)?;
    paris
        .server
        .wait_for_sql(SOON, "SELECT count(*) FROM logwatch.entries", "16")?;
    paris.server.stop(Stop::Immediate)?;
    wait_for_state(&centre, &berlin, SOON, "silent")?;
    berlin.link.set(Condition::Down);
    paris.server.start()?;
    berlin.link.set(Condition::Up);
    paris.link.set(Condition::Up);
    write(16)?;
    for edge in [&berlin, &paris] {
        edge.server
            .wait_for_sql(SOON, "SELECT count(*) FROM logwatch.entries", "20")?;
    }

    wait_for_union(&centre, &[&berlin, &paris])?;
    for edge in [&berlin, &paris] {
        wait_for_state(&centre, edge, SOON, "ok")?;
    }
    let mail = sink.wait_for_subject(SOON, "[FIRING:")?;
    assert!(
        mail.text().contains("berlin") && mail.text().contains("paris"),
        "{}",
        mail.text()
    );
    centre.wait_for_sql(
        SOON,
        "SELECT count FROM logwatch.alerts WHERE state = 'firing'",
        "40",
    )?;
    assert_eq!(sink.mails().len(), 1, "one rule, one mail");
    assert_eq!(
        centre.sql("SELECT count(*), sum(errors) FROM logwatch_fleet")?,
        "2|0"
    );
    assert_eq!(centre.sql("SELECT count(*) FROM logwatch.gaps")?, "0");
    Ok(())
}
