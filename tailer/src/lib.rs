//! `logwatch-tailer`: streams the ERROR and FATAL records of log files into PostgreSQL.
//!
//! It keeps no state of its own: which bytes of which file have been dealt with is in the database, and moves there in the transaction
//! that stores the records. [`run`] picks the mode, `follow` does the work. The program is a few lines around this library, so that the
//! parts that read hostile input – public here – can be fuzzed (tests/fuzz).

#![deny(unsafe_code)]

mod ahead;
mod buffer;
pub mod cli;
pub mod connect;
pub mod failure;
mod follow;
mod readahead;
pub mod records;
pub mod report;
mod roster;
mod sink;
pub mod source;
mod stream;
mod tail;

use std::process::ExitCode;

use logwatch_record::Level;

use ahead::Ahead;
use cli::{Mode, Options, Output};
use failure::Failure;
use follow::Follow;
use report::{check, status};
use sink::database::{Database, Sink, Source};
use sink::dry_run::DryRun;
use source::wake::Waker;
use stream::Stream;

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
    let output = std::mem::replace(&mut options.output, Output::DryRun);
    let sink = match output {
        Output::DryRun => {
            let least = options.min_level.unwrap_or(Level::Error);
            let zone = options.zone.clone();
            sink(&options, move || {
                DryRun::new(std::io::stdout().lock(), least, zone)
            })?
        }
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
            sink(&options, move || Database::new(*settings, source))?
        }
    };
    if let Some(pipe) = &options.pipe {
        return Stream::new(&options, pipe, sink, waker)?.run();
    }
    let follow = Follow::new(&options, sink, waker)?;
    if options.once {
        follow.once()
    } else {
        follow.follow()
    }
}

/// What is read from files is stored while more is read. A pipe cannot be read again, so each piece of it is stored before the next.
fn sink<S: Sink + 'static>(
    options: &Options,
    make: impl FnOnce() -> S + Send + 'static,
) -> Result<Box<dyn Sink>, Failure> {
    Ok(if options.pipe.is_some() {
        Box::new(make())
    } else {
        Box::new(Ahead::new(make)?)
    })
}
