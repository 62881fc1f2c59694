use super::*;
use crate::cli::{Args, Options};
use crate::failure::Failure;
use crate::sink::{Attached, Sink};
use crate::source::wake::Waker;
use crate::tracked::health::Health;
use clap::Parser;
use logwatch_record::Level;
use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

/// A database in memory.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Held>>);

#[derive(Default)]
struct Held {
    calls: usize,
    rows: HashMap<i64, FileRow>,
    texts: Vec<String>,
    gaps: usize,
    /// Every second call fails, in turn before and after it had an effect.
    is_flaky: bool,
    /// A file, and its bytes after the second batch is stored.
    rewritten: Option<(PathBuf, String)>,
}

impl Sink for Memory {
    fn has_server(&self) -> bool {
        true
    }

    fn attach(&mut self) -> Result<Attached, Trouble> {
        Ok(Attached {
            least: Level::Error,
            rows: self.0.lock().unwrap().rows.values().cloned().collect(),
        })
    }

    fn store(&mut self, stretch: &Stretch) -> Result<(), Trouble> {
        let mut held = self.0.lock().unwrap();
        let away = || Err(Trouble::Later("away".to_owned()));
        if stretch.records.is_empty() || !held.is_flaky {
            held.take(stretch);
            return Ok(());
        }
        held.calls += 1;
        if held.calls % 4 == 1 {
            return away();
        }
        held.take(stretch);
        if held.calls % 4 == 3 { away() } else { Ok(()) }
    }

    fn tell(&mut self, _at_once: bool, _health: &dyn Fn() -> Health) -> Result<(), Trouble> {
        Ok(())
    }
}

impl Held {
    fn take(&mut self, stretch: &Stretch) {
        let stored = self.rows.get(&stretch.row.id).map(|row| row.proof.offset);
        assert!(stored.is_none_or(|offset| offset == stretch.from));
        self.rows.insert(stretch.row.id, stretch.row.clone());
        let texts = stretch.records.iter().map(|record| record.text.clone());
        self.texts.extend(texts);
        self.gaps += usize::from(stretch.gap.is_some());
        if self.texts.len() > 5000
            && let Some((path, bytes)) = self.rewritten.take()
        {
            // The same inode, longer than what was read: only its bytes tell.
            fs::write(path, bytes).unwrap();
        }
    }
}

fn lines(word: &str, count: usize) -> Vec<String> {
    (0..count)
        .map(|number| format!("ERROR {word} {number}"))
        .collect()
}

fn options(path: &std::path::Path) -> Options {
    let path = path.to_str().unwrap();
    Args::parse_from(["logwatch-tailer", "--once", "--dry-run", path])
        .resolve()
        .unwrap()
}

fn run(options: &Options, sink: &Memory) -> Result<(), Failure> {
    Follow::new(options, Box::new(sink.clone()), Waker::new())?.run()
}

#[test]
fn batches_that_are_read_while_others_are_stored_are_stored_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.log");
    let lines = lines("old", 42_000);
    fs::write(&path, lines.join("\n") + "\n").unwrap();
    let (options, sink) = (options(&path), Memory::default());
    sink.0.lock().unwrap().is_flaky = true;
    let runs = (0..).take_while(|_| run(&options, &sink).is_err()).count();
    assert!(runs > 4, "{runs}");
    assert!(sink.0.lock().unwrap().texts == lines);
}

#[test]
fn a_file_that_is_rewritten_while_a_batch_is_stored_is_another_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.log");
    let (old, new) = (lines("old", 42_000), lines("new", 60_000));
    fs::write(&path, old.join("\n") + "\n").unwrap();
    let (options, sink) = (options(&path), Memory::default());
    sink.0.lock().unwrap().rewritten = Some((path.clone(), new.join("\n") + "\n"));
    run(&options, &sink).unwrap();
    let held = sink.0.lock().unwrap();
    let of_old = held.texts.len() - new.len();
    assert!((10_000..42_000).contains(&of_old), "{of_old}");
    assert!(held.texts[..of_old] == old[..of_old]);
    assert!(held.texts[of_old..] == new);
    assert_eq!(held.gaps, 1);
}
