//! `logwatch-tailer`: streams the ERROR and FATAL records of log files into PostgreSQL.
//!
//! It keeps no state of its own: which bytes of which file have been dealt with is in the database,
//! and moves there in the transaction that stores the records. [`run`] picks the mode, `follow`
//! does the work. The program is a few lines around this library, so that the parts that read
//! hostile input – public here – can be fuzzed (tests/fuzz).

#![deny(unsafe_code)]

pub mod cli;
pub mod connect;
pub mod failure;
pub mod records;
pub mod report;
mod run;
mod sink;
pub mod source;
mod timing;
mod tracked;

use std::process::ExitCode;

use logwatch_record::Level;

use cli::{Mode, Options, Output};
use failure::Failure;
use report::{check, status};
use run::follow::Follow;
use sink::dry_run::DryRun;
use sink::{Database, Sink, Source};
use source::wake::Waker;

/// Does what the options say. The exit code is that of `--check`; a failure has its own.
pub fn run(options: Options) -> Result<ExitCode, Failure> {
    match options.mode {
        Mode::Tail => tail_inputs(options).map(|()| ExitCode::SUCCESS),
        Mode::Check => check::check(&options),
        Mode::Status => status::status(&options).map(|()| ExitCode::SUCCESS),
    }
}

/// Reads what the options name, to its end or until told to stop.
fn tail_inputs(mut options: Options) -> Result<(), Failure> {
    let waker = Waker::new();
    waker
        .heed_signals()
        .and_then(|()| {
            options
                .max_runtime
                .map_or(Ok(()), |limit| waker.heed_limit(limit))
        })
        .map_err(|error| Failure::Internal(format!("signals: {error}")))?;
    let sink: Box<dyn Sink> = match std::mem::replace(&mut options.output, Output::DryRun) {
        Output::DryRun => Box::new(DryRun::new(
            std::io::stdout(),
            options.min_level.unwrap_or(Level::Error),
            options.zone.clone(),
        )),
        Output::Database(settings) => {
            if let Some(note) = options.source_note() {
                // cron mails each line, so a --once that succeeds is silent.
                let level = if options.once {
                    log::Level::Info
                } else {
                    log::Level::Warn
                };
                log::log!(level, "{note}");
            }
            let inputs: Vec<_> = options
                .inputs
                .iter()
                .map(|input| input.to_string_lossy())
                .collect();
            let source = Source {
                name: options.source.clone(),
                host: options.host.clone(),
                path: inputs.join(" "),
                zone_name: options.zone_name.clone(),
            };
            Box::new(Database::new(*settings, source))
        }
    };
    Follow::new(&options, sink, waker)?.run()
}
