//! The program `logwatch-tailer`: maps results to exit codes.

use std::process::ExitCode;

use logwatch_tailer::cli::Args;
use logwatch_tailer::failure::Failure;
use logwatch_tailer::report::log as messages;

fn main() -> ExitCode {
    let args = Args::from_command_line();
    if let Some(printed) = args.document() {
        return match printed {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        };
    }
    messages::init(args.verbose, args.log_format);
    match args.resolve().and_then(logwatch_tailer::run) {
        Ok(code) => code,
        Err(Failure::Done) => ExitCode::SUCCESS,
        Err(failure) => {
            log::error!("{failure}");
            failure.exit_code()
        }
    }
}
