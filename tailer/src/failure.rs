//! Why the tailer gives up, and the exit code that says so.
//!
//! Every failure is a whole message: what happened, to what, and what to do about it. Nothing here
//! may hold a password.

use std::process::ExitCode;

/// The end of a run that did not go well. The codes are those of `sysexits.h`, and 2 as every
/// command line parser has it.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The command line or a setting cannot be understood.
    #[error("{0}")]
    Usage(String),
    /// A file to read is not there or may not be read.
    #[error("{0}")]
    NoInput(String),
    /// The database cannot be reached, and this run does not wait for it.
    #[error("{0}")]
    Unreachable(String),
    /// Another tailer has taken the source over.
    #[error("{0}")]
    Held(String),
    /// The database refuses: the extension, a privilege or the right password is missing.
    #[error("{0}")]
    Denied(String),
    /// Nothing went wrong: nobody reads the output any more.
    #[error("the output was closed")]
    Done,
    /// Anything that should not happen.
    #[error("{0}")]
    Internal(String),
}

impl Failure {
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.status())
    }

    pub fn status(&self) -> u8 {
        match self {
            Failure::Done => 0,
            Failure::Internal(_) => 1,
            Failure::Usage(_) => 2,
            Failure::NoInput(_) => 66,
            Failure::Unreachable(_) => 69,
            Failure::Held(_) => 75,
            Failure::Denied(_) => 77,
        }
    }
}
