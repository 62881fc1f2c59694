//! The dry run: prints one JSON object for each record on standard output.

use std::io::{self, Write};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use logwatch_record::{Context, Level, Record};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::connect::Trouble;
use crate::failure::Failure;
use crate::records::reader::Found;
use crate::sink::{Attached, Sink, Stretch};
use crate::tracked::health::Health;

/// Bytes written at once.
const BLOCK: usize = 64 * 1024;

pub struct DryRun<W: Write> {
    out: W,
    least: Level,
    zone: TimeZone,
    /// Not written yet.
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
        let mut context = Context::of(self.zone.clone());
        let file = stretch.row.path.to_string_lossy();
        self.lines.clear();
        for found in stretch.records {
            if context.near.is_none() {
                context.near = logwatch_record::certain_time(&found.text, &context);
            }
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
                "{file}: cannot read bytes {} to {}: {gap}",
                stretch.from,
                stretch.row.proof.offset
            );
        }
        self.out.write_all(&self.lines)?;
        self.out.flush()
    }
}

impl<W: Write + Send> Sink for DryRun<W> {
    fn attach(&mut self) -> Result<Attached, Trouble> {
        Ok(Attached {
            least: self.least,
            rows: Vec::new(),
        })
    }

    fn store(&mut self, stretch: &Stretch) -> Result<(), Trouble> {
        self.print(stretch).map_err(|error| match error.kind() {
            // `head` closes its pipe when it has enough.
            io::ErrorKind::BrokenPipe => Trouble::Final(Failure::Done),
            _ => Trouble::Final(Failure::Internal(format!("standard output: {error}"))),
        })
    }

    fn tell(&mut self, _at_once: bool, _health: &dyn Fn() -> Health) -> Result<(), Trouble> {
        Ok(())
    }
}

/// The parts of a record.
#[derive(Serialize)]
struct Line<'a> {
    file: &'a str,
    start: u64,
    end: u64,
    level: Option<Level>,
    logged_at: Option<Timestamp>,
    message: &'a str,
    detail: Option<&'a str>,
    fields: &'a Option<Map<String, Value>>,
    flags: Vec<&'static str>,
}

/// Appends the object of a record, and a newline.
fn line(out: &mut Vec<u8>, file: &str, found: &Found, record: &Record) -> io::Result<()> {
    let line = Line {
        file,
        start: found.start,
        end: found.end,
        level: record.level,
        logged_at: record.logged_at,
        message: &record.message,
        detail: record.detail.as_deref(),
        fields: &record.fields,
        flags: (record.flags | found.flags).names().collect(),
    };
    serde_json::to_writer(&mut *out, &line)?;
    out.push(b'\n');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_what_is_known_of_a_record() {
        let context = Context {
            now: "2026-11-22T12:00:00Z".parse().unwrap(),
            ..Context::of(TimeZone::UTC)
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
