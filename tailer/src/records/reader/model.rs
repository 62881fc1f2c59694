//! A model of the reader: it reads line by line, without shortcuts. Used by the reader's tests and
//! by fuzzing
//! (tests/fuzz), so it takes what it needs from the module that it is in.

use logwatch_record::{clean, line, object_level};

use super::{Batch, Fed, Found, HEAD, Proof, Reader, Search, TAIL, Window};

/// The event that follows the look at a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    GoOn,
    /// The open record has waited long enough.
    LetGo,
    /// The program ends, and another one goes on from the stored boundary.
    Restart,
}

/// All records of a text.
pub fn plainly(text: &[u8], search: &Search) -> Vec<Found> {
    let mut raw: Vec<(Found, Vec<u8>, usize)> = Vec::new();
    let mut open = None;
    let mut passed = 0;
    let mut blanks = 0;
    let mut start = 0;
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let nuls = line.iter().take_while(|byte| **byte == 0).count();
        let (from, end) = (start + nuls, start + line.len());
        start = end;
        if from == end {
            // Space that is filled later.
            break;
        }
        let bare = line[nuls..].strip_suffix(b"\n").unwrap_or(&line[nuls..]);
        let bare = bare.strip_suffix(b"\r").unwrap_or(bare);
        if let Some((record, lines, headline)) = open.and_then(|open: usize| raw.get_mut(open)) {
            if search.is_blank(bare) && blanks < 20 {
                blanks += 1;
                continue;
            }
            let last = lines
                .iter()
                .rposition(|byte| *byte == b'\n')
                .map_or(0, |newline| newline + 1);
            let so_far = line::Open {
                headline: &lines[..*headline],
                last: &lines[last..],
                blank: blanks > 0,
            };
            if search.joins(bare, so_far) {
                record.end = end as u64;
                lines.extend(std::iter::repeat_n(b'\n', 1 + blanks));
                lines.extend_from_slice(bare);
                blanks = 0;
                continue;
            }
            if search.passes(bare, so_far) && passed < 100 {
                passed += 1;
                if search.is_wanted(bare) && search.begins(bare, &text[..from]) {
                    let (headline, flags) = search.headline(bare);
                    let record = Found {
                        start: from as u64,
                        end: end as u64,
                        text: String::new(),
                        flags,
                    };
                    let length = headline.len();
                    raw.push((record, headline, length));
                }
                continue;
            }
        }
        (blanks, passed, open) = (0, 0, None);
        if from > 0 && !search.begins(bare, &text[..from]) {
            continue;
        }
        if search.is_wanted(bare) || search.opens_object(bare) {
            open = Some(raw.len());
            let (headline, flags) = search.headline(bare);
            let record = Found {
                start: from as u64,
                end: end as u64,
                text: String::new(),
                flags,
            };
            let length = headline.len();
            raw.push((record, headline, length));
        }
    }
    raw.into_iter()
        .filter(|(_, lines, headline)| {
            !is_object(&lines[..*headline]) || object_level(lines) >= Some(search.least)
        })
        .map(|(record, lines, _)| {
            let (text, flags) = clean(&lines);
            Found {
                text: text.into_owned(),
                flags: flags | record.flags,
                ..record
            }
        })
        .collect()
}

/// Reads a text as a tailer does that is handed so many more bytes at each step.
pub fn read(text: &[u8], search: &mut Search, mut step: impl FnMut() -> (usize, Then)) -> Vec<Found> {
    let mut reader = Reader::new(0, Vec::new(), Vec::new());
    let mut batch = Batch::default();
    let mut found = Vec::new();
    let mut there = 0;
    loop {
        let (more, then) = step();
        there = (there + more).min(text.len());
        let position = offset(reader.position());
        let from = position - reader.recent().len();
        assert_eq!(reader.recent(), &text[from..position]);
        let window = Window {
            bytes: &text[from..there.max(position)],
            offset: from as u64,
            last: there == text.len(),
        };
        let fed = reader.feed(&window, search, &mut batch);
        let boundary = offset(reader.boundary());
        assert_eq!(
            reader.proof(),
            Proof::of(boundary as u64, text, &text[..boundary]),
            "the proof is of the boundary"
        );
        assert!(
            batch.records.iter().all(|record| record.end <= boundary as u64),
            "what is not whole is not stored"
        );
        found.append(&mut batch.records);
        batch.clear();
        match fed {
            Fed::Full => continue,
            Fed::Nuls if there < text.len() => {
                let at = offset(reader.position());
                if let Some(nuls) = text[at..].iter().position(|byte| *byte != 0) {
                    let to = at + nuls;
                    reader.skip_nuls(to as u64);
                    there = there.max(to);
                }
            }
            _ if there == text.len() => break,
            _ => {}
        }
        match then {
            Then::GoOn => {}
            Then::LetGo => reader.let_go(&mut batch),
            Then::Restart => {
                let at = offset(reader.boundary());
                let head = text[..at.min(HEAD)].to_vec();
                reader = Reader::new(at as u64, head, text[at.saturating_sub(TAIL)..at].to_vec());
            }
        }
    }
    reader.let_go(&mut batch);
    found.append(&mut batch.records);
    found
}

/// A record that was passed on early, or read again after a restart, may lack its last lines.
/// Nothing else may differ.
pub fn check_cut(found: &[Found], plain: &[Found]) {
    // An object that was passed on early may lack its level.
    let whole = |records: &[Found]| {
        let objects = |record: &&Found| !is_object(record.text.lines().next().unwrap_or_default().as_bytes());
        records.iter().filter(objects).cloned().collect::<Vec<_>>()
    };
    let (mut found, mut plain) = (whole(found), whole(plain));
    // After the first pieces of a line were passed on early, the lines between them are read as if
    // no record were open.
    if let Some(cut) = plain
        .iter()
        .find(|record| is_in_pieces(record))
        .map(|record| record.start)
    {
        found.retain(|record| record.start < cut);
        plain.retain(|record| record.start < cut);
    }
    let starts = |records: &[Found]| records.iter().map(|record| record.start).collect::<Vec<_>>();
    assert_eq!(starts(&found), starts(&plain));
    for (found, plain) in found.iter().zip(&plain) {
        assert!(found.end <= plain.end, "{found:?} of {plain:?}");
        let rest = plain.text.strip_prefix(&found.text);
        assert!(
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('\n')),
            "{found:?} of {plain:?}"
        );
    }
}

fn is_in_pieces(record: &Found) -> bool {
    let first = record.text.lines().next().unwrap_or_default();
    line::piece(first.as_bytes()).is_some_and(|piece| piece.partial)
}

fn is_object(headline: &[u8]) -> bool {
    line::opens_object(headline)
}

/// An offset of a text that is in memory.
fn offset(offset: u64) -> usize {
    usize::try_from(offset).unwrap()
}
