//! The result of one test of `--check`.

use crate::failure::Failure;

#[derive(Debug)]
pub enum Finding {
    Good(String),
    /// Tailing works, and the user should know this.
    Note(String),
    Bad(Failure),
}

impl From<Result<String, Failure>> for Finding {
    fn from(result: Result<String, Failure>) -> Finding {
        result.map_or_else(Finding::Bad, Finding::Good)
    }
}
