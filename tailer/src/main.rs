//! `logwatch-tailer`: streams the ERROR and FATAL records of log files into PostgreSQL.
//!
//! It keeps no state of its own: which bytes of which file have been dealt with is in the database, and moves there in the transaction
//! that stores the records. `main` maps results to exit codes, `run` picks the mode, `follow` does the work.

mod candidates;
mod check;
mod cli;
mod connection;
mod content;
mod failure;
mod files;
mod follow;
mod format;
mod health;
mod identity;
mod logging;
mod multiline;
mod progress;
mod reader;
mod roster;
mod rotation;
mod send;
mod service;
mod status;
mod stream;
mod tail;
mod utf16;
mod wake;

use std::io::BufWriter;
use std::process::ExitCode;

use clap::Parser;
use logwatch_record::Level;

use cli::{Args, Mode, Options, Output};
use failure::Failure;
use follow::Follow;
use send::{Database, Print, Sink, Source};
use stream::Stream;
use wake::Waker;

fn main() -> ExitCode {
    let args = Args::parse();
    if let Some(printed) = args.document() {
        return match printed {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        };
    }
    logging::init(args.verbose, args.log_format);
    match args.resolve().and_then(run) {
        Ok(code) => code,
        Err(Failure::Done) => ExitCode::SUCCESS,
        Err(failure) => {
            log::error!("{failure}");
            failure.exit_code()
        }
    }
}

fn run(options: Options) -> Result<ExitCode, Failure> {
    match options.mode {
        Mode::Tail => tail(options).map(|()| ExitCode::SUCCESS),
        Mode::Check => check::check(&options),
        Mode::Status => status::status(&options).map(|()| ExitCode::SUCCESS),
    }
}

fn tail(mut options: Options) -> Result<(), Failure> {
    let waker = Waker::new();
    waker
        .heed_signals()
        .map_err(|error| Failure::Internal(format!("signals: {error}")))?;
    let output = std::mem::replace(&mut options.output, Output::Print);
    let sink: Box<dyn Sink> = match output {
        Output::Print => {
            let least = options.min_level.unwrap_or(Level::Error);
            Box::new(Print::new(
                BufWriter::new(std::io::stdout().lock()),
                least,
                options.zone.clone(),
            ))
        }
        Output::Database(settings) => {
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
