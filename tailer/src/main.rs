//! The program `logwatch-tailer`: maps what the library says to exit codes.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use logwatch_tailer::cli::Args;
use logwatch_tailer::failure::Failure;

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
    match args.resolve().and_then(logwatch_tailer::run) {
        Ok(()) | Err(Failure::Done) => ExitCode::SUCCESS,
        Err(failure) => {
            log::error!("{failure}");
            failure.exit_code()
        }
    }
}
