//! Several servers that replicate: edges, a centre, and the links between them.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::link::Link;
use crate::mail_sink::MailSink;
use crate::server::Server;

/// An edge and the link on which a centre reaches it.
pub struct Edge {
    pub name: &'static str,
    pub server: Server,
    pub link: Link,
}

/// Settings under which a lost connection is noticed, and made again, within seconds.
const IMPATIENT: [(&str, &str); 6] = [
    ("wal_level", "logical"),
    ("wal_receiver_timeout", "3s"),
    ("wal_sender_timeout", "3s"),
    ("wal_retrieve_retry_interval", "100ms"),
    ("logwatch.check_interval", "1s"),
    ("max_logical_replication_workers", "16"),
];

impl Edge {
    /// A running server that has been published, as the manual prescribes.
    pub fn start(name: &'static str, settings: &[(&str, &str)]) -> Result<Edge> {
        let mut all = IMPATIENT.to_vec();
        all.extend_from_slice(settings);
        let server = Server::with_worker(&all)?;
        server.sql("SELECT logwatch_publish(execute => true)")?;
        let link = Link::to(&server.socket())?;
        Ok(Edge { name, server, link })
    }

    /// Where a centre finds it, without a password.
    pub fn conninfo(&self) -> String {
        format!(
            "host=127.0.0.1 port={} dbname=postgres user=logwatch_centre connect_timeout=3",
            self.link.port()
        )
    }

    pub fn ingest(&self, lines: &[&str], source: &str) -> Result<()> {
        let lines: Vec<String> = lines.iter().map(|line| format!("'{line}'")).collect();
        self.server.sql(&format!(
            "SELECT logwatch_ingest(ARRAY[{}], '{source}')",
            lines.join(", ")
        ))?;
        Ok(())
    }
}

/// A running server that will have edges; `settings` may turn mail on.
pub fn centre(settings: &[(&str, &str)]) -> Result<Server> {
    let mut all = IMPATIENT.to_vec();
    all.extend_from_slice(settings);
    Server::with_worker(&all)
}

/// A centre that mails to `ops@example.com` through `sink`.
pub fn mailing_centre(sink: &MailSink) -> Result<Server> {
    centre(&[
        ("logwatch.smtp_url", &sink.url()),
        ("logwatch.email_from", "logwatch@centre.test"),
        ("logwatch.email_to", "ops@example.com"),
    ])
}

/// Subscribes the centre to an edge by the manual's command, with what the edge has stored before.
pub fn subscribe(centre: &Server, edge: &Edge) -> Result<String> {
    centre.psql_script(&format!(
        "SELECT logwatch_subscribe('{}', '{}') \\gexec",
        edge.name,
        edge.conninfo()
    ))
}

/// Makes a light edge of an edge that no centre reads, and subscribes the centre to it.
pub fn subscribe_light(centre: &Server, edge: &Edge) -> Result<String> {
    edge.server
        .sql("SELECT logwatch_publish(execute => true, entries => false)")?;
    centre.psql_script(&format!(
        "SELECT logwatch_subscribe('{}', '{}', copy => false) \\gexec",
        edge.name,
        edge.conninfo()
    ))
}

pub fn unsubscribe(centre: &Server, edge: &Edge) -> Result<String> {
    centre.psql_script(&format!("SELECT logwatch_unsubscribe('{}') \\gexec", edge.name))
}

/// Waits until the centre says of its edge that it is in this state.
pub fn wait_for_state(centre: &Server, edge: &Edge, limit: Duration, state: &str) -> Result<()> {
    let query = format!(
        "SELECT state FROM logwatch_fleet WHERE role = 'edge' AND name = '{}'",
        edge.name
    );
    centre.wait_for_sql(limit, &query, state)
}

/// Returns the stored entries as a multiset without the ids of one server: a line per different
/// entry, with its number.
pub fn entries(server: &Server) -> Result<Vec<String>> {
    let rows = server.sql(
        "SELECT count(*), s.name, e.received_at, e.logged_at, e.level, e.fingerprint, e.message, e.detail, e.fields, e.flags
           FROM logwatch.entries AS e JOIN logwatch.sources AS s ON s.id = e.source_id GROUP BY 2, 3, 4, 5, 6, 7, 8, 9, 10",
    )?;
    Ok(rows.lines().map(str::to_owned).collect())
}

/// The sums that rules are evaluated on, over all of these servers: records by second, source,
/// level and pattern.
pub fn counts(servers: &[&Server]) -> Result<BTreeMap<String, i64>> {
    let mut sums = BTreeMap::new();
    for server in servers {
        let rows = server.sql(
            "SELECT sum(n), second, source_id, level, fingerprint FROM logwatch.counts GROUP BY 2, 3, 4, 5",
        )?;
        for row in rows.lines() {
            let (n, key) = row.split_once('|').context("a row has five columns")?;
            *sums.entry(key.to_owned()).or_default() += n.parse::<i64>()?;
        }
    }
    Ok(sums)
}

/// Copies the whole data directory of a stopped server.
pub fn copy_data(from: &Path, to: &Path) -> Result<()> {
    let status = Command::new("cp").arg("-a").arg(from).arg(to).status()?;
    ensure!(status.success(), "cp -a {} failed", from.display());
    Ok(())
}
