//! The quick search never passes over a line that the exact one would take.

use logwatch_record::{Level, level};
use logwatch_tailer::records::level_scan::Candidates;

use crate::choices;

pub fn check(input: &[u8]) {
    let ([least, shift], text) = choices(input);
    let least = [Level::Error, Level::Warn, Level::Info][usize::from(least % 3)];
    // Lines that end where a block of the search does.
    let shift = usize::from(shift) * 64;
    let text = [&b"\n".repeat(shift + 1)[..], text].concat();
    let search = Candidates::new(least);
    let mut named = Vec::new();
    let mut at = 1;
    while at < text.len()
        && let Some(place) = search.next(&text, at)
    {
        assert!((at..=text.len()).contains(&place));
        let start = text[at..place]
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(at, |newline| at + newline + 1);
        named.push(start);
        let length = text[place.min(text.len())..]
            .iter()
            .position(|byte| *byte == b'\n');
        at = length.map_or(text.len(), |length| place + length + 1);
    }
    let mut start = 0;
    for line in text.split(|byte| *byte == b'\n') {
        if start > 0 && level(line).is_some_and(|level| level >= least) {
            assert!(named.contains(&start), "{} is passed over", line.escape_ascii());
        }
        start += line.len() + 1;
    }
}
