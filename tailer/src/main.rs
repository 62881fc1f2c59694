//! `logwatch-tailer`: streams the ERROR and FATAL records of log files into PostgreSQL.
//!
//! It keeps no state of its own: which bytes of which file have been dealt with is in the database, and moves there in the transaction
//! that stores the records. `main` maps results to exit codes, `run` picks the mode, `follow` does the work.

mod candidates;
mod cli;
mod connection;
mod content;
mod failure;
mod files;
mod follow;
mod format;
mod identity;
mod multiline;
mod reader;
mod roster;
mod rotation;
mod send;
mod stream;
mod tail;
mod utf16;
mod wake;

use std::io::{BufWriter, Write};
use std::process::ExitCode;

use clap::Parser;
use logwatch_record::Level;

use cli::{Args, Options, Output};
use failure::Failure;
use follow::Follow;
use send::{Database, Print, Sink, Source};
use stream::Stream;
use wake::Waker;

fn main() -> ExitCode {
    let args = Args::parse();
    let level = match args.verbose {
        0 => "warn",
        1 => "info",
        _ => "debug",
    };
    env_logger::Builder::from_env(
        env_logger::Env::default().default_filter_or(format!("off,logwatch_tailer={level}")),
    )
    .format(|out, record| writeln!(out, "logwatch-tailer: {}", record.args()))
    .init();
    match args.resolve().and_then(run) {
        Ok(()) | Err(Failure::Done) => ExitCode::SUCCESS,
        Err(failure) => {
            log::error!("{failure}");
            failure.exit_code()
        }
    }
}

fn run(mut options: Options) -> Result<(), Failure> {
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
