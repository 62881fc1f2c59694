//! Where records go: to the database, or – in `dry_run` – to standard output.
//!
//! A call stores the records of a stretch of a file together with the stretch's end, in one
//! transaction. So there is nothing to remember here: what failed is asked for again.

mod database;
pub mod dry_run;
mod heartbeat;

use logwatch_record::Level;

use crate::connect::Trouble;
use crate::records::reader::Found;
use crate::tracked::health::Health;
use crate::tracked::state::FileRow;

pub use database::{Database, Source};

/// The answer to an attach.
pub struct Attached {
    pub least: Level,
    pub rows: Vec<FileRow>,
}

/// A stretch of a file, from `from` to the offset of the row's proof.
pub struct Stretch<'a> {
    /// The row as it is once the stretch is stored.
    pub row: &'a FileRow,
    pub from: u64,
    pub records: &'a [Found],
    /// Why the bytes could not be read.
    pub gap: Option<&'a str>,
}

pub trait Sink: Send {
    /// Returns true when storing waits for a server, so that the next records can be read
    /// meanwhile.
    fn has_server(&self) -> bool {
        false
    }
    /// Claims the source, connecting first if need be.
    fn attach(&mut self) -> Result<Attached, Trouble>;
    fn store(&mut self, stretch: &Stretch) -> Result<(), Trouble>;
    /// Stores stretches of several files, together where the server takes them so.
    fn store_all(&mut self, stretches: &[Stretch]) -> Result<(), Trouble> {
        stretches.iter().try_for_each(|stretch| self.store(stretch))
    }
    /// Returns expressions of the lines that rules expect, if they have changed since the last
    /// call.
    fn expected_news(&mut self) -> Option<Vec<String>> {
        None
    }
    /// Takes how the files stand when it is time to. `at_once`: the run ends.
    fn tell(&mut self, at_once: bool, health: &dyn Fn() -> Health) -> Result<(), Trouble>;
}
