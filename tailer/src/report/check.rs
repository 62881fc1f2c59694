//! `--check`: tests whether tailing would work, and prints what to type where it would not. Changes
//! nothing.

use std::process::ExitCode;

use super::finding::Finding;
use super::{check_database, check_files};
use crate::cli::{Options, Output};
use crate::failure::Failure;

/// Prints a line for each test. The first failure decides the exit code.
pub fn check(options: &Options) -> Result<ExitCode, Failure> {
    let mut findings = check_files::findings(options)?;
    if let Output::Database(settings) = &options.output {
        findings.extend(check_database::findings(settings, &options.zone_name));
    }
    let mut code = None;
    for finding in &findings {
        match finding {
            Finding::Good(text) => println!("ok    {text}"),
            Finding::Note(text) => println!("note  {text}"),
            Finding::Bad(failure) => {
                println!("FAIL  {failure}");
                code.get_or_insert(failure.exit_code());
            }
        }
    }
    Ok(code.unwrap_or(ExitCode::SUCCESS))
}
