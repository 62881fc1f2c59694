//! The dry run: one JSON object for each record, on standard output.

use std::io::{self, Write};

use jiff::Timestamp;
use jiff::fmt::temporal::DateTimePrinter;
use jiff::tz::TimeZone;
use logwatch_record::{Context, Level, Record};

use crate::connect::Trouble;
use crate::failure::Failure;
use crate::records::reader::Found;
use crate::sink::database::{Attached, Sink, Stretch};
use crate::sink::health::Health;

/// So many bytes are written at once.
const BLOCK: usize = 64 * 1024;

pub struct DryRun<W: Write> {
    out: W,
    least: Level,
    zone: TimeZone,
    /// What is not written yet.
    lines: Vec<u8>,
}

impl<W: Write> DryRun<W> {
    pub fn new(out: W, least: Level, zone: TimeZone) -> DryRun<W> {
        DryRun {
            out,
            least,
            zone,
            lines: Vec::new(),
        }
    }

    fn print(&mut self, stretch: &Stretch) -> io::Result<()> {
        let context = Context {
            zone: self.zone.clone(),
            now: Timestamp::now(),
        };
        let file = stretch.path.to_string_lossy();
        self.lines.clear();
        for found in stretch.records {
            line(
                &mut self.lines,
                &file,
                found,
                &logwatch_record::parse(&found.text, &context),
            )?;
            if self.lines.len() >= BLOCK {
                self.out.write_all(&self.lines)?;
                self.lines.clear();
            }
        }
        if let Some(gap) = stretch.gap {
            log::warn!(
                "{file}: bytes {} to {} are missing: {gap}",
                stretch.from,
                stretch.proof.offset
            );
        }
        self.out.write_all(&self.lines)?;
        self.out.flush()
    }
}

impl<W: Write> Sink for DryRun<W> {
    fn attach(&mut self) -> Result<Attached, Trouble> {
        Ok(Attached {
            least: self.least,
            files: Vec::new(),
        })
    }

    fn store(&mut self, stretch: &Stretch) -> Result<(), Trouble> {
        self.print(stretch).map_err(|error| match error.kind() {
            // The reader of a pipe that has seen enough.
            io::ErrorKind::BrokenPipe => Trouble::Final(Failure::Done),
            _ => Trouble::Final(Failure::Internal(format!("standard output: {error}"))),
        })
    }

    fn tell(&mut self, _at_once: bool, _health: &dyn Fn() -> Health) -> Result<(), Trouble> {
        Ok(())
    }
}

/// Appends the object of a record, and a newline.
fn line(out: &mut Vec<u8>, file: &str, found: &Found, record: &Record) -> io::Result<()> {
    const TIME: DateTimePrinter = DateTimePrinter::new();
    out.extend_from_slice(b"{\"file\":");
    string(out, file);
    out.extend_from_slice(b",\"start\":");
    serde_json::to_writer(&mut *out, &found.start)?;
    out.extend_from_slice(b",\"end\":");
    serde_json::to_writer(&mut *out, &found.end)?;
    out.extend_from_slice(b",\"level\":");
    serde_json::to_writer(&mut *out, &record.level)?;
    out.extend_from_slice(b",\"logged_at\":");
    match &record.logged_at {
        Some(time) => {
            out.push(b'"');
            TIME.print_timestamp(time, &mut *out).map_err(io::Error::other)?;
            out.push(b'"');
        }
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b",\"message\":");
    string(out, &record.message);
    out.extend_from_slice(b",\"detail\":");
    match &record.detail {
        Some(detail) => string(out, detail),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b",\"fields\":");
    serde_json::to_writer(&mut *out, &record.fields)?;
    out.extend_from_slice(b",\"flags\":");
    let flags: Vec<_> = (record.flags | found.flags).names().collect();
    serde_json::to_writer(&mut *out, &flags)?;
    out.extend_from_slice(b"}\n");
    Ok(())
}

/// Appends a text as a JSON string: what serde_json writes, but what needs no escape goes in blocks.
fn string(out: &mut Vec<u8>, text: &str) {
    let (blocks, rest) = text.as_bytes().as_chunks::<16>();
    out.reserve(text.len() + 2);
    out.push(b'"');
    for block in blocks {
        // Without an early end this is one comparison of vectors.
        if block.iter().fold(false, |any, byte| any | is_special(*byte)) {
            escape(out, block);
        } else {
            out.extend_from_slice(block);
        }
    }
    escape(out, rest);
    out.push(b'"');
}

fn is_special(byte: u8) -> bool {
    byte < b' ' || byte == b'"' || byte == b'\\'
}

fn escape(out: &mut Vec<u8>, bytes: &[u8]) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        let short = match byte {
            b'"' | b'\\' => *byte,
            b'\n' => b'n',
            b'\t' => b't',
            b'\r' => b'r',
            8 => b'b',
            12 => b'f',
            0..b' ' => {
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
                continue;
            }
            _ => {
                out.push(*byte);
                continue;
            }
        };
        out.extend_from_slice(&[b'\\', short]);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_text_is_written_as_serde_json_writes_it(text in "[a-z é\u{0}-\u{1f}\"\\\\\u{7f}\u{2028}]{0,80}") {
            let mut out = Vec::new();
            string(&mut out, &text);
            prop_assert_eq!(out, serde_json::to_vec(&text).unwrap());
        }
    }

    #[test]
    fn a_line_has_what_is_known_of_a_record() {
        let context = Context {
            zone: TimeZone::UTC,
            now: "2026-11-22T12:00:00Z".parse().unwrap(),
        };
        let line_of = |text: &str| {
            let found = Found {
                start: 7,
                end: 70,
                text: text.to_owned(),
                flags: logwatch_record::Flags::TRUNCATED,
            };
            let mut out = Vec::new();
            line(&mut out, "a\tb", &found, &logwatch_record::parse(text, &context)).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(
            line_of("2026-11-22 10:00:00.5 [main] ERROR disk \"full\"\n\tat x"),
            concat!(
                r#"{"file":"a\tb","start":7,"end":70,"level":"ERROR","logged_at":"2026-11-22T10:00:00.5Z","message":"disk \"full\"","#,
                r#""detail":"\tat x","fields":{"thread":"main"},"flags":["truncated"]}"#,
                "\n"
            )
        );
        assert_eq!(
            line_of("x"),
            concat!(
                r#"{"file":"a\tb","start":7,"end":70,"level":null,"logged_at":null,"message":"x","detail":null,"fields":null,"#,
                r#""flags":["time_missing","truncated"]}"#,
                "\n"
            )
        );
    }
}
