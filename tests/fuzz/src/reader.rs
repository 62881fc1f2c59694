//! The records of a file are the same however it is cut into reads, and cover its bytes in order.

#[path = "../../../tailer/src/records/reader/model.rs"]
mod model;

use logwatch_record::Level;
use logwatch_tailer::records::format::PathFormats;
use logwatch_tailer::records::multiline::Multiline;
use logwatch_tailer::records::reader::{Batch, Fed, Found, Reader, Search, Window};
use logwatch_tailer::source::identity::{HEAD, Proof, TAIL};
use model::Then;

use crate::choices;

const FORMATS: [&str; 8] = [
    "apache",
    "laravel",
    "log4j",
    "nginx",
    "postgresql",
    "python",
    "ruby",
    r"^(?<level>[A-Z]) (?<message>.*)$",
];

pub fn check(input: &[u8]) {
    let ([kind, least, sizes @ ..], text) = choices::<6>(input);
    let least = [Level::Error, Level::Warn, Level::Info, Level::Debug][usize::from(least % 4)];
    let search = || {
        // All patterns are well-formed.
        let (multiline, format) = match kind % 16 {
            0..=5 => (Multiline::Auto, None),
            6 => (Multiline::Off, None),
            7 => ("^[0-9A-Z]".parse().unwrap(), None),
            named => (
                Multiline::Auto,
                PathFormats::of_options(&[FORMATS[usize::from(named - 8)].to_owned()], None)
                    .unwrap()
                    .and_then(|formats| formats.of(None)),
            ),
        };
        Search::new(multiline, format, least)
    };
    let plain = model::plainly(text, &search());
    let mut end = 0;
    for record in &plain {
        assert!(
            end <= record.start && record.start < record.end,
            "ranges follow each other"
        );
        assert!(!record.text.contains('\0'));
        end = record.end;
    }
    let mut sizes = sizes.into_iter().cycle();
    let mut cut = false;
    let found = model::read(text, &mut search(), || {
        let size = sizes.next().unwrap_or(1);
        let then = match size >> 6 {
            2 => Then::LetGo,
            3 => Then::Restart,
            _ => Then::GoOn,
        };
        cut |= then != Then::GoOn;
        (usize::from(size & 63) + 1, then)
    });
    if cut {
        model::check_cut(&found, &plain);
    } else {
        assert_eq!(found, plain);
    }
}
