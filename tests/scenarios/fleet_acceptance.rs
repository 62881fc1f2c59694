//! A centre accepts only logwatch's own tables from its edges.

use anyhow::Result;
use logwatch_tests::fleet::{Edge, centre, subscribe, unsubscribe, wait_for_state};
use logwatch_tests::server::Server;

use crate::SOON;

const ENABLED: &str = "SELECT subenabled FROM pg_subscription";
const ENTRIES: &str = "SELECT count(*) FROM logwatch.entries";

/// A centre and an edge that both have a table of accounts; the edge has put a row into it, and has
/// stored one record.
fn centre_and_edge() -> Result<(Server, Edge)> {
    let centre = centre(&[])?;
    let edge = Edge::start("berlin", &[])?;
    for server in [&centre, &edge.server] {
        server.sql("CREATE TABLE public.accounts (name text PRIMARY KEY, is_admin boolean)")?;
    }
    edge.server.sql(
        "INSERT INTO public.accounts VALUES ('mallory', true);
         GRANT SELECT ON public.accounts, logwatch.rules TO logwatch_centre",
    )?;
    edge.ingest(&["ERROR x"], "web")?;
    Ok((centre, edge))
}

#[test]
fn an_edge_that_sends_other_tables_is_refused_before_a_row_is_applied() -> Result<()> {
    let (centre, edge) = centre_and_edge()?;
    edge.server.sql(
        "ALTER PUBLICATION logwatch ADD TABLE public.accounts, logwatch.rules;
         INSERT INTO logwatch.rules (name, recipients) VALUES ('mine', '{mallory@example.com}')",
    )?;

    subscribe(&centre, &edge)?;

    wait_for_state(&centre, &edge, SOON, "refused")?;
    assert_eq!(centre.sql(ENABLED)?, "f");
    assert_eq!(
        centre.sql("SELECT (SELECT count(*) FROM public.accounts), (SELECT count(*) FROM logwatch.rules WHERE name = 'mine'), (SELECT count(*) FROM logwatch.entries)")?,
        "0|0|0"
    );
    let brings = "brings logwatch.rules, public.accounts";
    let shown = centre
        .sql("SELECT state, message FROM logwatch.status WHERE component = 'edge' AND name = 'berlin'")?;
    assert!(
        shown.starts_with(&format!("refused|its subscription {brings} and is disabled"))
            && shown.contains("SELECT public.logwatch_unsubscribe('berlin'::text, false)"),
        "{shown}"
    );
    assert_eq!(
        centre.sql("SELECT reason FROM logwatch.gaps")?,
        format!("edge berlin is refused, and its subscription is disabled: it {brings}")
    );
    // Somebody who enables it all the same is overruled.
    centre.sql("ALTER SUBSCRIPTION logwatch_berlin ENABLE")?;
    centre.wait_for_sql(SOON, ENABLED, "f")?;

    // The commands of the status help. Until the tick that overruled him, rows may have come.
    centre.sql("TRUNCATE public.accounts")?;
    edge.server.sql("SELECT * FROM logwatch_publish()")?;
    unsubscribe(&centre, &edge)?;
    subscribe(&centre, &edge)?;
    wait_for_state(&centre, &edge, SOON, "ok")?;
    centre.wait_for_sql(SOON, ENTRIES, "1")
}

#[test]
fn nobody_at_a_centre_acts_in_the_name_of_an_edges_tailer() -> Result<()> {
    let (centre, edge) = centre_and_edge()?;
    edge.server
        .sql("SELECT logwatch_attach('nginx', '/var/log/nginx.log')")?;
    centre.sql(
        "CREATE ROLE mallory LOGIN; SELECT logwatch_grant('mallory', 'tailer'); SELECT logwatch_grant('mallory', 'app')",
    )?;
    subscribe(&centre, &edge)?;
    centre.wait_for_sql(
        SOON,
        "SELECT owner FROM logwatch.sources WHERE name = 'nginx'",
        "postgres",
    )?;
    for call in [
        "SELECT logwatch_attach('nginx', '/x')",
        "SELECT logwatch_heartbeat('nginx', 0, '{}', '{}', '{}', '{}', '{}')",
        "SELECT logwatch_ingest('FATAL x', 'nginx')",
    ] {
        let error = centre.sql_error_as("mallory", call)?;
        assert_eq!(error.code, "42501", "{call}: {error}");
    }
    // Applications of edges and centre share their sources.
    assert_eq!(
        centre.sql_as("mallory", "SELECT logwatch_ingest('ERROR x', 'web')")?,
        "1"
    );
    Ok(())
}

#[test]
fn a_table_that_joins_a_subscription_later_ends_it() -> Result<()> {
    let (centre, edge) = centre_and_edge()?;
    subscribe(&centre, &edge)?;
    wait_for_state(&centre, &edge, SOON, "ok")?;

    edge.server
        .sql("ALTER PUBLICATION logwatch ADD TABLE public.accounts")?;
    centre.sql("ALTER SUBSCRIPTION logwatch_berlin REFRESH PUBLICATION WITH (copy_data = false)")?;

    wait_for_state(&centre, &edge, SOON, "refused")?;
    assert_eq!(centre.sql(ENABLED)?, "f");
    assert_eq!(
        centre.sql("SELECT refused FROM logwatch.edges")?,
        "brings public.accounts"
    );
    Ok(())
}

#[test]
fn a_subscription_without_a_table_of_logwatch_is_refused() -> Result<()> {
    let (centre, edge) = centre_and_edge()?;
    edge.server
        .sql("ALTER PUBLICATION logwatch DROP TABLE logwatch.beats")?;
    subscribe(&centre, &edge)?;
    wait_for_state(&centre, &edge, SOON, "refused")?;
    assert_eq!(
        centre.sql("SELECT refused FROM logwatch.edges")?,
        "lacks logwatch.beats"
    );
    Ok(())
}

#[test]
fn a_subscription_that_was_disabled_by_hand_stays_disabled() -> Result<()> {
    let (centre, edge) = centre_and_edge()?;
    subscribe(&centre, &edge)?;
    wait_for_state(&centre, &edge, SOON, "ok")?;
    centre.sql("ALTER SUBSCRIPTION logwatch_berlin DISABLE")?;
    wait_for_state(&centre, &edge, SOON, "disabled")?;
    // A check does not change that.
    let checked = centre.sql("SELECT checked_at FROM logwatch.progress")?;
    centre.sql("SELECT logwatch_ingest('ERROR y', 'here')")?;
    centre.wait_for_sql(
        SOON,
        &format!("SELECT checked_at > '{checked}' FROM logwatch.progress"),
        "t",
    )?;
    assert_eq!(centre.sql(ENABLED)?, "f");
    assert_eq!(
        centre.sql("SELECT logwatch_private.fleet_due(clock_timestamp())")?,
        "f"
    );
    Ok(())
}

#[test]
fn a_fleet_whose_entries_move_to_another_server_says_so_and_goes_on_when_they_are_back() -> Result<()> {
    const MOVE: &str = "CREATE EXTENSION IF NOT EXISTS postgres_fdw; CREATE SERVER IF NOT EXISTS far FOREIGN DATA WRAPPER postgres_fdw;
         CREATE FOREIGN TABLE logwatch.entries_20990101 PARTITION OF logwatch.entries
             FOR VALUES FROM ('2099-01-01Z') TO ('2099-01-02Z') SERVER far";
    const MOVE_BACK: &str = "DROP FOREIGN TABLE logwatch.entries_20990101";
    let (centre, edge) = centre_and_edge()?;
    subscribe(&centre, &edge)?;
    wait_for_state(&centre, &edge, SOON, "ok")?;

    edge.server.sql(MOVE)?;
    let told = edge
        .server
        .sql("SELECT state, message FROM logwatch_fleet WHERE role = 'centre'")?;
    assert!(
        told.starts_with("incomplete|entries do not reach it: logwatch.entries_20990101 is a foreign table, and logical replication sends no rows of such tables"),
        "{told}"
    );
    edge.server.sql(MOVE_BACK)?;

    centre.sql(MOVE)?;
    wait_for_state(&centre, &edge, SOON, "refused")?;
    assert_eq!(centre.sql(ENABLED)?, "f");
    let told = centre.sql("SELECT message FROM logwatch_fleet")?;
    assert!(
        told.starts_with("its subscription brings logwatch.entries here, where logwatch.entries_20990101 is a foreign table and is disabled, so that nothing from it is applied; the next check enables it when all entries are on this server"),
        "{told}"
    );
    edge.ingest(&["ERROR y"], "web")?;
    centre.sql(MOVE_BACK)?;
    wait_for_state(&centre, &edge, SOON, "ok")?;
    centre.wait_for_sql(SOON, ENTRIES, "2")
}
