//! The part of `--check` that looks at the server, the extension and the privileges.

use super::finding::Finding;
use crate::connect::functions::{self, FUNCTIONS};
use crate::connect::settings::Settings;
use crate::connect::{self, Session};
use crate::failure::Failure;

/// Each test needs the one before it.
pub fn findings(settings: &Settings, zone_name: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let result = connect::connect(settings, zone_name)
        .map_err(Failure::from)
        .and_then(|mut session| {
            let (role, server) = check_server(&mut session, settings)?;
            findings.push(Finding::Good(server));
            findings.push(Finding::Good(check_extension(&mut session, settings, &role)?));
            check_privileges(&mut session, settings, &role, &mut findings)
        });
    findings.extend(result.err().map(Finding::Bad));
    findings
}

fn ask(session: &mut Session, settings: &Settings, sql: &str) -> Result<Vec<postgres::Row>, Failure> {
    session
        .query(sql, &[])
        .map_err(|error| connect::of_call(&error, session, settings).into())
}

/// Returns the role whose privileges count, and the line about the server.
fn check_server(session: &mut Session, settings: &Settings) -> Result<(String, String), Failure> {
    let rows = ask(
        session,
        settings,
        "SELECT pg_catalog.current_setting('server_version'), current_user::text, pg_catalog.current_database()::text, \
                pg_catalog.pg_is_in_recovery(), pg_catalog.current_setting('transaction_read_only'), \
                (SELECT s.source FROM pg_catalog.pg_settings AS s \
                  WHERE s.name OPERATOR(pg_catalog.=) 'default_transaction_read_only'), session_user::text",
    )?;
    let Some(row) = rows.first() else {
        return Err(Failure::Internal("the server gave no answer".to_owned()));
    };
    let (version, role, database): (&str, &str, &str) = (row.get(0), row.get(1), row.get(2));
    if row.get(3) {
        return Err(Failure::Unreachable(
            "this server is a standby and accepts no writes; name the primary, or all servers: -h db1,db2"
                .to_owned(),
        ));
    }
    if row.get::<_, &str>(4) == "on" {
        return Err(Failure::Denied(format!(
            "transactions are read-only here (default_transaction_read_only); {}",
            how_to_write(row.get(5), row.get(6), database)
        )));
    }
    Ok((
        role.to_owned(),
        format!("database \"{database}\" as role \"{role}\", PostgreSQL {version}"),
    ))
}

/// Returns what to type where `default_transaction_read_only` is on. `source` is that of
/// pg_settings.
fn how_to_write(source: Option<&str>, user: &str, database: &str) -> String {
    let statement = match source {
        Some("client" | "environment variable" | "session") => {
            return "remove it from PGOPTIONS or the connection string".to_owned();
        }
        Some("database") => format!("ALTER DATABASE \"{database}\" RESET"),
        Some("user") => format!("ALTER ROLE \"{user}\" RESET"),
        Some("database user") => format!("ALTER ROLE \"{user}\" IN DATABASE \"{database}\" RESET"),
        Some("global") => "ALTER ROLE ALL RESET".to_owned(),
        _ => {
            return "type: SET default_transaction_read_only = off; ALTER SYSTEM SET default_transaction_read_only = off; \
                    SELECT pg_reload_conf();"
                .to_owned();
        }
    };
    format!("type: SET default_transaction_read_only = off; {statement} default_transaction_read_only;")
}

fn check_extension(session: &mut Session, settings: &Settings, role: &str) -> Result<String, Failure> {
    let rows = ask(
        session,
        settings,
        "SELECT e.extversion, n.nspname::text, pg_catalog.has_schema_privilege(n.oid, 'USAGE') \
           FROM pg_catalog.pg_extension AS e JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) e.extnamespace \
          WHERE e.extname OPERATOR(pg_catalog.=) 'logwatch'",
    )?;
    let database = settings.dbname();
    let Some(row) = rows.first() else {
        return Err(Failure::Denied(format!(
            "the extension is not in database \"{database}\"; type there: CREATE EXTENSION logwatch;"
        )));
    };
    let (version, name): (&str, &str) = (row.get(0), row.get(1));
    if !row.get::<_, bool>(2) {
        return Err(Failure::Denied(format!(
            "role \"{role}\" may not use the extension's schema \"{name}\"; type: {}",
            functions::grant(role, &session.schema)
        )));
    }
    let ours = env!("CARGO_PKG_VERSION");
    Ok(if version == ours {
        format!("extension logwatch {version}")
    } else {
        format!("extension logwatch {version}; this tailer is version {ours}")
    })
}

fn check_privileges(
    session: &mut Session,
    settings: &Settings,
    role: &str,
    findings: &mut Vec<Finding>,
) -> Result<(), Failure> {
    for function in &FUNCTIONS {
        let rows = ask(
            session,
            settings,
            &format!(
                "SELECT pg_catalog.has_function_privilege(p, 'EXECUTE') FROM pg_catalog.to_regprocedure('{}') AS p",
                function.signature()
            ),
        )?;
        let (name, purpose) = (function.name, function.purpose);
        let is_granted: Option<bool> = rows.first().and_then(|row| row.get(0));
        findings.push(match (is_granted, function.is_needed) {
            (Some(true), _) => Finding::Good(format!("role \"{role}\" may {purpose} ({name})")),
            (Some(false), true) => Finding::Bad(Failure::Denied(format!(
                "role \"{role}\" may not {purpose}; type: {}",
                functions::grant(role, &session.schema)
            ))),
            (None, true) => Finding::Bad(Failure::Denied(format!(
                "the extension has no function {name} for this tailer; type: ALTER EXTENSION logwatch UPDATE;"
            ))),
            (_, false) => Finding::Note(format!(
                "role \"{role}\" may not {purpose} and goes on without; type to change that: {}",
                functions::grant(role, &session.schema)
            )),
        });
    }
    Ok(())
}
