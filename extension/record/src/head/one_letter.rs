//! The parts of a head whose level is one letter: time, pid, thread, logger.

use super::cursor::Cursor;
use super::names::group;
use crate::level::one_letter_levels::{Family, Letter};

/// Keeps the parts of a head whose level is a letter.
pub(crate) fn keep_head(cursor: &mut Cursor, mut letter: Letter) {
    let line = cursor.line;
    match letter.family {
        // `mmdd hh:mm:ss.uuuuuu threadid file:line]`
        Family::Glog => {
            let mut words = line[..letter.body - 1].split_ascii_whitespace().skip(2);
            if let Some(pid) = words.next() {
                let caller = words.next();
                cursor.keep(if caller.is_some() { "pid" } else { "caller" }, pid);
                cursor.keep("caller", caller.unwrap_or_default());
            }
        }
        Family::Android => {
            let head = &line[cursor.at..letter.body];
            match head.split_once('/') {
                Some((_, tagged)) if tagged.ends_with("):") => {
                    let (tag, pid) = tagged.split_once('(').unwrap_or((tagged, ""));
                    cursor.keep("logger", tag);
                    cursor.keep("pid", pid.trim_end_matches("):"));
                }
                // `  1234  1235 E Tag:`, perhaps with a user's number first.
                _ => {
                    let (numbers, tag) =
                        head.split_at(head.find(|c: char| c.is_ascii_uppercase()).unwrap_or(0));
                    cursor.keep(
                        "pid",
                        numbers.split_ascii_whitespace().rev().nth(1).unwrap_or_default(),
                    );
                    cursor.keep("logger", tag.get(1..).unwrap_or_default().trim_end_matches(':'));
                }
            }
        }
        Family::Mongo => {
            let component = line[cursor.at..letter.body].split_ascii_whitespace().nth(1);
            cursor.keep("logger", component.unwrap_or_default());
            if let Some((thread, _)) = group(&line[letter.body..]) {
                cursor.keep("thread", thread);
                letter.body += thread.len() + 2;
            }
        }
        Family::Tornado => cursor.keep("logger", &line[cursor.at..letter.body - 1]),
        Family::Redis => cursor.keep("pid", line.split(':').next().unwrap_or_default()),
    }
    cursor.at = letter.body;
}
