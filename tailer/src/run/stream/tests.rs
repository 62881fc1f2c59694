use super::*;
use crate::cli::Args;
use crate::connect::Trouble;
use crate::sink::{Attached, Sink, Stretch};
use crate::source::wake::Waker;
use crate::tracked::health::Health;
use clap::Parser;
use logwatch_record::Level;
use std::sync::{Arc, Mutex};

/// A database that goes away at each second call: once before the call had an effect, once after.
#[derive(Clone, Default)]
struct Flaky(Arc<Mutex<Held>>);

#[derive(Default)]
struct Held {
    calls: usize,
    row: Option<FileRow>,
    texts: Vec<String>,
}

impl Sink for Flaky {
    fn attach(&mut self) -> Result<Attached, Trouble> {
        let held = self.0.lock().unwrap();
        Ok(Attached {
            least: Level::Error,
            rows: held.row.iter().cloned().collect(),
        })
    }

    fn store(&mut self, stretch: &Stretch) -> Result<(), Trouble> {
        let mut held = self.0.lock().unwrap();
        held.calls += 1;
        let away = || Err(Trouble::Later("away".to_owned()));
        if held.calls % 4 == 1 {
            return away();
        }
        assert_eq!(stretch.from, held.row.as_ref().map_or(0, |row| row.proof.offset));
        held.row = Some(stretch.row.clone());
        held.texts
            .extend(stretch.records.iter().map(|record| record.text.clone()));
        if held.calls % 4 == 3 { away() } else { Ok(()) }
    }

    fn tell(&mut self, _at_once: bool, _health: &dyn Fn() -> Health) -> Result<(), Trouble> {
        Ok(())
    }
}

#[test]
fn a_database_that_comes_and_goes_has_each_record_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("pipe");
    let lines: Vec<String> = (0..30_000).map(|number| format!("ERROR {number}")).collect();
    std::fs::write(&path, lines.join("\n")).unwrap();
    let mut options = Args::parse_from(["logwatch-tailer", "--once", "--dry-run", "-"])
        .resolve()
        .unwrap();
    options.pipe = Some(Pipe::Fifo(path));
    let sink = Flaky::default();
    Follow::new(&options, Box::new(sink.clone()), Waker::new())
        .unwrap()
        .run()
        .unwrap();
    let held = sink.0.lock().unwrap();
    assert!(held.calls > 4, "{}", held.calls);
    assert_eq!(held.row.as_ref().map(|row| row.life), Some(Life::Done));
    assert_eq!(held.texts, lines);
}
