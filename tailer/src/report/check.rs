//! `--check`: whether tailing would work, and what to type where it would not. Changes nothing.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::ExitCode;

use postgres::Client;

use crate::cli::{Options, Output, Pipe};
use crate::connect;
use crate::connect::functions::{self, FUNCTIONS};
use crate::connect::settings::Settings;
use crate::failure::Failure;
use crate::source::inputs::{Inputs, Seen};

/// The first thing that is wrong decides the exit code.
#[derive(Default)]
struct Findings {
    worst: Option<Failure>,
}

impl Findings {
    fn add(&mut self, finding: Result<String, Failure>) {
        match finding {
            Ok(text) => println!("ok    {text}"),
            Err(failure) => {
                println!("FAIL  {failure}");
                self.worst.get_or_insert(failure);
            }
        }
    }
}

/// Prints a line for each thing that was looked at.
pub fn check(options: &Options) -> Result<ExitCode, Failure> {
    let mut findings = Findings::default();
    check_inputs(options, &mut findings)?;
    if let Output::Database(settings) = &options.output {
        check_database(settings, options, &mut findings);
    }
    Ok(findings
        .worst
        .map_or(ExitCode::SUCCESS, |failure| failure.exit_code()))
}

fn check_inputs(options: &Options, findings: &mut Findings) -> Result<(), Failure> {
    match &options.pipe {
        Some(Pipe::StandardInput) => {
            findings.add(Ok("standard input is read".to_owned()));
            return Ok(());
        }
        Some(Pipe::Fifo(path)) => {
            findings.add(open(path).map(|_| format!("{}: a pipe, readable", path.display())));
            return Ok(());
        }
        None => {}
    }
    let inputs = Inputs::new(&options.inputs)?;
    for name in inputs.names() {
        if !matches!(Seen::at(name), Ok(Some(_))) {
            let why = match std::fs::metadata(name) {
                Ok(_) => "not a plain file".to_owned(),
                Err(error) => error.to_string(),
            };
            findings.add(Err(Failure::NoInput(format!("{}: {why}", name.display()))));
        }
    }
    let seen = inputs.look();
    if seen.is_empty() && inputs.names().next().is_none() {
        findings.add(Err(Failure::NoInput(
            "no file matches what is to be read; it is read as soon as there is one".to_owned(),
        )));
    }
    for seen in seen {
        findings.add(
            open(&seen.path)
                .and_then(|mut file| {
                    file.read(&mut [0])
                        .map_err(|error| unreadable(&seen.path, &error))
                })
                .map(|_| format!("{}: {} bytes, readable", seen.path.display(), seen.size)),
        );
    }
    Ok(())
}

/// Opens without waiting for the writer of a pipe.
fn open(path: &Path) -> Result<File, Failure> {
    OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)
        .map_err(|error| unreadable(path, &error))
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    let hint = match error.kind() {
        std::io::ErrorKind::PermissionDenied => {
            "; let this user read it, for example by the group adm (SupplementaryGroups=adm in the unit)"
        }
        _ => "",
    };
    Failure::NoInput(format!("{}: {error}{hint}", path.display()))
}

fn check_database(settings: &Settings, options: &Options, findings: &mut Findings) {
    let mut client = match connect::connect(settings, &options.zone_name) {
        Ok(client) => client,
        Err(trouble) => return findings.add(Err(trouble.into())),
    };
    let found = check_server(&mut client, settings)
        .and_then(|text| {
            findings.add(Ok(text));
            check_extension(&mut client, settings)
        })
        .and_then(|text| {
            findings.add(Ok(text));
            check_privileges(&mut client, settings, findings)
        });
    if let Err(failure) = found {
        findings.add(Err(failure));
    }
}

fn ask(client: &mut Client, settings: &Settings, sql: &str) -> Result<Vec<postgres::Row>, Failure> {
    client
        .query_typed(sql, &[])
        .map_err(|error| connect::of_call(&error, settings).into())
}

fn check_server(client: &mut Client, settings: &Settings) -> Result<String, Failure> {
    let rows = ask(
        client,
        settings,
        "SELECT pg_catalog.current_setting('server_version'), current_user::text, pg_catalog.current_database()::text, \
                pg_catalog.pg_is_in_recovery()",
    )?;
    let Some(row) = rows.first() else {
        return Err(Failure::Internal("the server gave no answer".to_owned()));
    };
    let (version, user, database): (&str, &str, &str) = (row.get(0), row.get(1), row.get(2));
    if row.get(3) {
        return Err(Failure::Unreachable(
            "this server is a standby and takes no writes; name the primary, or all servers: -h db1,db2"
                .to_owned(),
        ));
    }
    Ok(format!(
        "database \"{database}\" as role \"{user}\", PostgreSQL {version}"
    ))
}

fn check_extension(client: &mut Client, settings: &Settings) -> Result<String, Failure> {
    let rows = ask(
        client,
        settings,
        "SELECT e.extversion, n.nspname::text, n.nspname OPERATOR(pg_catalog.=) ANY (pg_catalog.current_schemas(false)) \
           FROM pg_catalog.pg_extension AS e JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) e.extnamespace \
          WHERE e.extname OPERATOR(pg_catalog.=) 'logwatch'",
    )?;
    let (user, database) = (settings.user(), settings.dbname());
    let Some(row) = rows.first() else {
        return Err(Failure::Denied(format!(
            "the extension is not in database \"{database}\"; type there: CREATE EXTENSION logwatch;"
        )));
    };
    let (version, schema): (&str, &str) = (row.get(0), row.get(1));
    if !row.get::<_, bool>(2) {
        return Err(Failure::Denied(format!(
            "role \"{user}\" does not see the extension's schema; type: GRANT USAGE ON SCHEMA \"{schema}\" TO \"{user}\"; \
             ALTER ROLE \"{user}\" SET search_path = \"{schema}\";"
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
    client: &mut Client,
    settings: &Settings,
    findings: &mut Findings,
) -> Result<(), Failure> {
    let user = settings.user();
    for function in &FUNCTIONS {
        let rows = ask(
            client,
            settings,
            &format!(
                "SELECT pg_catalog.has_function_privilege(p, 'EXECUTE') FROM pg_catalog.to_regprocedure('{}') AS p",
                function.signature()
            ),
        )?;
        let (name, purpose) = (function.name, function.purpose);
        let is_granted: Option<bool> = rows.first().and_then(|row| row.get(0));
        findings.add(match (is_granted, function.is_needed) {
            (Some(true), _) => Ok(format!("role \"{user}\" may {purpose} ({name})")),
            (Some(false), true) => Err(Failure::Denied(format!(
                "role \"{user}\" may not {purpose}; type: {}",
                functions::grant(user)
            ))),
            (None, true) => Err(Failure::Denied(format!(
                "the extension has no function {name} for this tailer; type: ALTER EXTENSION logwatch UPDATE;"
            ))),
            (_, false) => Ok(format!(
                "role \"{user}\" may not {purpose} and goes on without; to change that: {}",
                functions::grant(user)
            )),
        });
    }
    Ok(())
}
