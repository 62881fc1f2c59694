//! The tailer's own messages, on standard error: for a person, for the journal, or as JSON.
//!
//! A terminal shows no time, a file or a pipe does. The journal has a time and a name of its own
//! and takes the priority from a prefix (sd-daemon(3)).

use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

use env_logger::Target;
use log::Level;

use super::progress;
use crate::cli::LogFormat;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reader {
    Person,
    File,
    Journal,
}

/// Sets up `log` for the rest of the run.
pub fn init(verbose: u8, format: LogFormat) {
    let level = match verbose {
        0 => "warn",
        1 => "info",
        _ => "debug",
    };
    let reader = reader();
    env_logger::Builder::from_env(
        env_logger::Env::default().default_filter_or(format!("off,logwatch_tailer={level}")),
    )
    .format(move |out, record| {
        let line = line(format, reader, record.level(), &record.args().to_string(), &now());
        writeln!(out, "{line}")
    })
    .target(Target::Pipe(Box::new(BesideProgress)))
    .init();
}

fn line(format: LogFormat, reader: Reader, level: Level, message: &str, now: &str) -> String {
    match (format, reader) {
        (LogFormat::Json, reader) => {
            let mut object = serde_json::Map::new();
            if reader != Reader::Journal {
                object.insert("time".to_owned(), now.into());
            }
            object.insert("level".to_owned(), level.as_str().to_lowercase().into());
            object.insert("message".to_owned(), message.into());
            serde_json::Value::Object(object).to_string()
        }
        (LogFormat::Text, Reader::Person) => format!("logwatch-tailer: {message}"),
        (LogFormat::Text, Reader::File) => format!("{now} logwatch-tailer: {message}"),
        (LogFormat::Text, Reader::Journal) => format!("<{}>{message}", priority(level)),
    }
}

/// The syslog priority, as the journal has it.
fn priority(level: Level) -> u8 {
    match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    }
}

fn now() -> String {
    jiff::Zoned::now().strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

fn reader() -> Reader {
    if io::stderr().is_terminal() {
        Reader::Person
    } else if std::env::var("JOURNAL_STREAM").is_ok_and(|stream| stderr_is(&stream)) {
        Reader::Journal
    } else {
        Reader::File
    }
}

/// JOURNAL_STREAM holds device and inode of the stream that leads to the journal (systemd.exec(5));
/// it is inherited by programs whose standard error goes elsewhere.
fn stderr_is(stream: &str) -> bool {
    let metadata = io::stderr()
        .as_fd()
        .try_clone_to_owned()
        .and_then(|file| std::fs::File::from(file).metadata());
    metadata.is_ok_and(|metadata| format!("{}:{}", metadata.dev(), metadata.ino()) == stream)
}

/// Standard error, out of the way of a progress bar.
struct BesideProgress;

impl Write for BesideProgress {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        progress::beside(|| io::stderr().write_all(bytes)).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reader_gets_its_own_line() {
        let text = |reader| line(LogFormat::Text, reader, Level::Warn, "gone", "NOW");
        assert_eq!(text(Reader::Person), "logwatch-tailer: gone");
        assert_eq!(text(Reader::File), "NOW logwatch-tailer: gone");
        assert_eq!(text(Reader::Journal), "<4>gone");
        let json = |reader| line(LogFormat::Json, reader, Level::Error, "a \"b\"", "NOW");
        assert_eq!(
            json(Reader::File),
            r#"{"level":"error","message":"a \"b\"","time":"NOW"}"#
        );
        assert_eq!(json(Reader::Journal), r#"{"level":"error","message":"a \"b\""}"#);
    }
}
