//! Scenarios with real servers. A module has one subject, a test proves one behaviour.

mod absence;
mod alert_file;
mod backtest;
mod backup;
mod blocked_checks;
mod channels;
mod check_limits;
mod citus;
mod connections;
mod control_characters;
mod copies;
mod daemons;
mod dba_operations;
mod end_to_end;
mod entries_retention;
mod expected_lines;
mod exporters;
mod field_rules;
mod files_between_runs;
mod files_content;
mod files_crashes;
mod files_directory;
mod files_outage;
mod files_recognised;
mod files_rotation;
mod files_truncation;
mod fleet;
mod fleet_acceptance;
mod fleet_light;
mod foreign_settings;
mod formats;
mod heartbeat;
mod held_back;
mod hostile_sql;
mod html_mail;
mod ingest;
mod journal_input;
mod kill_points;
mod life_of_a_file;
mod mail;
mod mail_addresses;
mod mail_bundle;
mod mail_oauth;
mod mail_servers;
mod mail_settings;
mod mail_trouble;
mod manual_examples;
mod memory;
mod nagios;
mod neighbours;
mod newer_postgres;
mod notification_hours;
mod overdue_checks;
mod packages;
mod page;
mod pattern_versions;
mod pauses;
mod pg_upgrade;
mod postfix;
mod privileges;
mod readme_pictures;
mod real_programs;
mod receiver_consumers;
mod receivers;
mod recipes;
mod regress;
mod restoring;
mod rotators;
mod rule_changes;
mod rule_verdicts;
mod rules;
mod scheduling;
mod schemas;
mod senders;
mod server_limits;
mod service;
mod settings;
mod source_owners;
mod sources;
mod standby;
mod stopping;
mod tailer_check;
mod tailer_reports;
mod tailing;
mod torture;
mod typing_errors;
mod upgrade;
mod upkeep;
mod worker;

use std::time::Duration;

use anyhow::Result;
use logwatch_tests::mail_sink::MailSink;
use logwatch_tests::server::Server;

/// Longer than anything should take on a busy machine; conditions that hold earlier end the wait.
const SOON: Duration = Duration::from_secs(30);

/// The limit for what must not wait for something that takes far longer: enough for a busy machine.
const PROMPTLY: Duration = Duration::from_secs(10);

/// One FATAL record meets the built-in rule `fatal`: the shortest way to an alert.
const INGEST_FATAL: &str = "SELECT logwatch_ingest('FATAL out of disk space')";

/// A running server whose worker mails from `logwatch@db.test` to `ops@example.com` through `sink`,
/// and looks each second.
fn mailing_server(sink: &MailSink, more: &[(&str, &str)]) -> Result<Server> {
    let mut server = Server::create(&[])?;
    mail_through(&mut server, sink)?;
    server.set(more)?;
    server.start_with_extension()?;
    Ok(server)
}

/// Gives a server that does not run yet such a worker.
fn mail_through(server: &mut Server, sink: &MailSink) -> Result<()> {
    server.set(&[
        ("shared_preload_libraries", "logwatch"),
        ("logwatch.check_interval", "1s"),
        ("logwatch.smtp_url", &sink.url()),
        ("logwatch.email_from", "logwatch@db.test"),
        ("logwatch.email_to", "ops@example.com"),
    ])
}

/// Makes windows so short that an alert resolves within seconds.
fn shorten_rules(server: &Server) -> Result<()> {
    server.sql("UPDATE logwatch.rules SET within = '2 seconds', keep_firing_for = '1 second'")?;
    Ok(())
}

/// Makes queued notifications due now instead of after their retry interval.
fn hurry_retries(server: &Server) -> Result<()> {
    server.sql(
        "UPDATE logwatch.notifications SET next_attempt_at = now() WHERE state = 'queued' AND attempts > 0",
    )?;
    Ok(())
}
