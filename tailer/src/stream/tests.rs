use super::*;
use crate::cli::Args;
use crate::sink::database::Stored;
use clap::Parser;
use logwatch_record::Level;
use std::cell::RefCell;
use std::rc::Rc;

/// A database that goes away at each second call: once before the call had an effect, once after.
#[derive(Clone, Default)]
struct Flaky(Rc<RefCell<Held>>);

#[derive(Default)]
struct Held {
    calls: usize,
    file: Option<(i64, Proof)>,
    texts: Vec<String>,
    done: bool,
}

impl Sink for Flaky {
    fn attach(&mut self) -> Result<Attached, Trouble> {
        let held = self.0.borrow();
        let files = held.file.map(|(id, proof)| Stored {
            id,
            path: PathBuf::from("-"),
            inode: Inode { dev: 0, inode: 0 },
            proof,
            state: if held.done { State::Done } else { State::Open },
        });
        Ok(Attached {
            least: Level::Error,
            files: files.into_iter().collect(),
        })
    }

    fn store(&mut self, stretch: &Stretch) -> Result<(), Trouble> {
        let mut held = self.0.borrow_mut();
        held.calls += 1;
        let away = || Err(Trouble::Later("away".to_owned()));
        if held.calls % 4 == 1 {
            return away();
        }
        assert_eq!(stretch.from, held.file.map_or(0, |(_, proof)| proof.offset));
        held.file = stretch.file.map(|id| (id, stretch.proof));
        held.texts
            .extend(stretch.records.iter().map(|record| record.text.clone()));
        held.done = stretch.state == State::Done;
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
    let options = Args::parse_from(["logwatch-tailer", "--once", "--dry-run", "-"])
        .resolve()
        .unwrap();
    let sink = Flaky::default();
    Stream::new(&options, &Pipe::Fifo(path), Box::new(sink.clone()), Waker::new())
        .unwrap()
        .run()
        .unwrap();
    let held = sink.0.borrow();
    assert_eq!((held.calls > 4, held.done), (true, true), "{}", held.calls);
    assert_eq!(held.texts, lines);
}
