//! Reads tests/corpus: lines that real daemons wrote (daemons.tsv) and lines that the documentation
//! of others shows (documented.tsv), each as a file of its own, in UTC.
//!
//! A new program is some rows there, and at most one row in the table of shapes.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use logwatch_record::formats::{Format, Headline};
use logwatch_record::line::{self, Open};
use logwatch_record::{Context, Level, level, parse};

const DAEMONS: &str = include_str!("../../../tests/corpus/daemons.tsv");
const DOCUMENTED: &str = include_str!("../../../tests/corpus/documented.tsv");

struct Row<'a> {
    number: usize,
    program: &'a str,
    level: &'a str,
    time: &'a str,
    text: String,
    message: String,
    format: &'a str,
}

fn rows(corpus: &'static str) -> Vec<Row<'static>> {
    corpus
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.starts_with('#') && !line.starts_with("program\t"))
        .map(|(at, line)| {
            let columns: Vec<&str> = line.split('\t').collect();
            let [program, _version, level, time, text, message, format] = columns[..] else {
                panic!("line {}: seven columns", at + 1);
            };
            Row {
                number: at + 1,
                program,
                level,
                time,
                text: unescaped(text),
                message: unescaped(message),
                format,
            }
        })
        .collect()
}

fn unescaped(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('t') => out.push('\t'),
            Some('n') => out.push('\n'),
            Some('e') => out.push('\x1b'),
            Some(other) => out.push(other),
            None => out.push('\\'),
        }
    }
    out
}

fn context() -> Context {
    Context {
        now: "2026-11-28T02:00:00Z".parse().unwrap(),
        ..Context::of(TimeZone::UTC)
    }
}

/// Returns the records of ERROR or worse in a file, as the tailer cuts them with a format.
fn formatted(file: &str, format: &Format) -> Vec<String> {
    let mut records: Vec<String> = Vec::new();
    let mut open = false;
    for text in file.split('\n') {
        let line = text.as_bytes();
        if !format.starts(line) {
            if let Some(record) = records.last_mut().filter(|_| open) {
                record.push('\n');
                record.push_str(text);
            }
            continue;
        }
        open = format.level(line).is_some_and(|level| level >= Level::Error);
        if open {
            records.push(match format.headline(line) {
                None => text.to_owned(),
                Some(Headline {
                    time: Some(time),
                    level,
                    message,
                    ..
                }) => serde_json::json!({"time": time, "level": level, "message": message}).to_string(),
                Some(Headline { level, message, .. }) => {
                    serde_json::json!({"level": level, "message": message}).to_string()
                }
            });
        }
    }
    records
}

/// Returns the records of ERROR or worse in a file, as the tailer cuts them.
fn records(file: &str) -> Vec<String> {
    let mut records: Vec<String> = Vec::new();
    let (mut open, mut blanks, mut previous) = (false, 0, None);
    for text in file.split('\n') {
        if open && text.trim().is_empty() {
            blanks += 1;
            continue;
        }
        let record = records.last_mut().filter(|_| open);
        let joins = record.as_ref().is_some_and(|record| {
            let lines: Vec<&str> = record.lines().collect();
            let open = Open {
                headline: lines[0].as_bytes(),
                last: lines[lines.len() - 1].as_bytes(),
                blank: blanks > 0,
            };
            line::joins(text.as_bytes(), open)
        });
        if let (true, Some(record)) = (joins, record) {
            record.push_str(&"\n".repeat(1 + blanks));
            record.push_str(text);
        } else {
            open = line::begins(text.as_bytes(), previous.map(str::as_bytes))
                && level(text.as_bytes()).is_some_and(|level| level >= Level::Error);
            if open {
                records.push(text.to_owned());
            }
        }
        blanks = 0;
        previous = Some(text).filter(|text| !text.trim().is_empty()).or(previous);
    }
    records
}

/// The reasons for which a row can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Wrong {
    Missed,
    FalseAlarm,
    Split,
    Level,
    Time,
    Message,
}

fn judge(row: &Row, format: &str) -> (Result<(), Wrong>, String) {
    let records = match format {
        "-" => records(&row.text),
        name => formatted(&row.text, &Format::parse(name).unwrap()),
    };
    let Some(first) = records.first() else {
        let verdict = if row.level == "-" {
            Ok(())
        } else {
            Err(Wrong::Missed)
        };
        return (verdict, String::new());
    };
    let record = parse(first, &context());
    let level = record.level.map_or("-", Level::as_str);
    let time = record.logged_at.map_or("-".to_owned(), |time| time.to_string());
    let expected = row
        .time
        .parse::<Timestamp>()
        .map_or("-".to_owned(), |time| time.to_string());
    let time_differs = row.time != "?" && time != expected;
    let got = format!("{level} {time} {:?} fields {:?}", record.message, record.fields);
    let verdict = if row.level == "-" {
        Err(Wrong::FalseAlarm)
    } else if records.len() > 1 {
        Err(Wrong::Split)
    } else if level != row.level {
        Err(Wrong::Level)
    } else if time_differs {
        Err(Wrong::Time)
    } else if row.message != "?" && record.message != row.message {
        Err(Wrong::Message)
    } else {
        Ok(())
    };
    (verdict, got)
}

#[test]
fn lines_of_real_daemons_are_read_as_they_are_meant() {
    assert_eq!(wrongs(DAEMONS), [0; 6]);
}

#[test]
fn lines_of_documented_programs_are_read_as_they_are_meant() {
    assert_eq!(wrongs(DOCUMENTED), [0; 6]);
}

/// Returns how many rows are read wrong, by reason.
fn wrongs(corpus: &'static str) -> [usize; 6] {
    let mut wrong = Vec::new();
    for row in &rows(corpus) {
        let (verdict, got) = judge(row, row.format);
        if std::env::var_os("CORPUS_DUMP").is_some() {
            println!(
                "{}\t{}\t{verdict:?}\t{}\t{got}",
                row.number,
                row.program,
                row.text.escape_debug()
            );
        }
        if let Err(why) = verdict {
            wrong.push((why, row.number, row.program, row.level, got));
        }
    }
    wrong.sort();
    let count = |kind| wrong.iter().filter(|(why, ..)| *why == kind).count();
    let kinds = [
        Wrong::Missed,
        Wrong::FalseAlarm,
        Wrong::Split,
        Wrong::Level,
        Wrong::Time,
        Wrong::Message,
    ];
    for row in &wrong {
        println!("{row:?}");
    }
    let counts = kinds.map(count);
    println!("{kinds:?}: {counts:?}");
    counts
}

#[test]
fn a_format_raises_no_alarm_about_the_other_lines_of_its_program() {
    let rows = rows(DAEMONS);
    for row in rows.iter().filter(|row| row.level == "-") {
        let format = rows
            .iter()
            .find(|other| other.program == row.program && other.format != "-")
            .map_or("-", |other| other.format);
        let (verdict, got) = judge(row, format);
        assert_eq!(verdict, Ok(()), "{} with --format {format}: {got}", row.text);
    }
}
