use std::io::Write;

use logwatch_record::{Level, MAX_MESSAGE};
use proptest::prelude::*;

use super::*;
use crate::records::multiline::Multiline;
use crate::records::reader::Found;
use crate::records::reader::model::{self, Then};

/// Lines of a log.
const LINES: &[&str] = &[
    "2026-11-22 10:00:00 INFO all is well",
    "2026-11-22 10:00:00 ERROR disk full",
    "2026-11-22 10:00:00 FATAL out of memory\r",
    "{\"level\":\"error\",\"msg\":\"x\"}",
    "{\"level\":50,\"msg\":\"x\"}",
    "\tat com.example.Main.run(Main.java:3)",
    "Caused by: java.io.IOException: fatal",
    "<3>kernel: no more",
    "",
    "error",
    "E",
];
/// A piece that is read ahead: not less than what it is compared with, and more than the longest line.
const PIECE: usize = TAIL + 10;

fn search() -> Search {
    Search::new(Multiline::Auto, None, Level::Error)
}

fn tail(file: &tempfile::NamedTempFile) -> Tail {
    let content = Content::open(file.path()).unwrap();
    let inode = Inode::of(&content.metadata().unwrap());
    let path = file.path().to_path_buf();
    Tail::new(1, path, inode, content, Proof::default(), Proven::default())
}

/// Looks until there is nothing more to see.
fn look_to_the_end(tail: &mut Tail, buffer: &mut Buffer) -> (Look, Vec<Found>) {
    let (mut search, mut batch, mut found) = (search(), Batch::default(), Vec::new());
    loop {
        let look = tail.look(buffer, &mut search, &mut batch).unwrap();
        found.append(&mut batch.records);
        batch.clear();
        if !matches!(look, Look::More | Look::Full) {
            return (look, found);
        }
    }
}

/// Writes a text to a file, reads it in such pieces and compares.
fn check(text: &[u8], piece: usize) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text).unwrap();
    let mut tail = tail(&file);
    let (look, mut found) = look_to_the_end(&mut tail, &mut Buffer::of(piece, 1));
    assert_eq!(look, Look::End);
    let mut batch = Batch::default();
    tail.reader.let_go(&mut batch);
    found.append(&mut batch.records);
    let whole = model::read(text, &mut search(), || (text.len(), Then::GoOn));
    for (found, whole) in found.iter().zip(&whole) {
        assert_eq!(found, whole);
    }
    assert_eq!(found.len(), whole.len());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..Default::default() })]
    #[test]
    fn what_is_read_ahead_gives_the_records_of_reading_it_whole(
        lines in prop::collection::vec((prop::sample::select(LINES), 0usize..150, 0usize..20), 50..400),
        piece in PIECE..2 * PIECE,
    ) {
        let mut text = Vec::new();
        for (line, more, nuls) in lines {
            // Now and then a hole.
            text.resize(text.len() + nuls.saturating_sub(15), 0);
            text.extend_from_slice(line.as_bytes());
            text.resize(text.len() + more, b'.');
            text.push(b'\n');
        }
        text.extend_from_slice(b"ERROR the last\n");
        check(&text, piece);
    }
}

#[test]
fn lines_that_are_longer_than_a_piece_are_read_ahead_too() {
    let long = |start: &str, length: usize| format!("{start}{}\n", "x".repeat(length));
    let text = [
        "INFO x\n".repeat(1000),
        long("ERROR a ", 3 * MAX_MESSAGE),
        long("INFO b ", 3 * MAX_MESSAGE),
        long("\tat c", 2 * MAX_MESSAGE),
        "ERROR d\n".to_owned(),
        long("\tat e", MAX_MESSAGE - 5),
        "ERROR f\nINFO g\n".repeat(4000),
    ]
    .concat();
    for more in [1, 100, 40_000] {
        check(text.as_bytes(), MAX_MESSAGE + more);
    }
}

#[test]
fn a_file_that_changes_while_it_is_read_ahead_is_another_one() {
    let line = "2026-11-22 10:00:00 INFO all is well\n";
    let text = line.repeat(1000);
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let (mut tail, mut buffer) = (tail(&file), Buffer::of(PIECE, 1));
    let (mut search, mut batch) = (search(), Batch::default());
    for _ in 0..20 {
        assert_eq!(
            tail.look(&mut buffer, &mut search, &mut batch).unwrap(),
            Look::More
        );
    }
    std::fs::write(file.path(), line.replace("INFO", "ERROR").repeat(2000)).unwrap();
    let (look, found) = look_to_the_end(&mut tail, &mut buffer);
    assert_eq!(look, Look::Replaced);
    assert_eq!(found, []);
}

#[test]
fn a_file_that_began_again_is_not_read_from_what_was_read_ahead() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all("ERROR x\n".repeat(1000).as_bytes()).unwrap();
    let (mut tail, mut buffer) = (tail(&file), Buffer::of(PIECE, 1));
    let (mut search, mut batch) = (search(), Batch::default());
    for _ in 0..20 {
        assert_eq!(
            tail.look(&mut buffer, &mut search, &mut batch).unwrap(),
            Look::More
        );
    }
    tail.rewind(Proof::default(), Proven::default());
    let (look, found) = look_to_the_end(&mut tail, &mut buffer);
    assert_eq!(look, Look::End);
    assert_eq!(found.len(), 999);
    assert_eq!(found[0].start, 0);
}
