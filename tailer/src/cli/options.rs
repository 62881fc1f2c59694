//! The meaning of the command line: makes paths absolute, looks names up, and reports mistakes
//! before anything is done.

use std::ffi::OsString;
use std::os::unix::fs::FileTypeExt;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use jiff::SignedDuration;
use jiff::tz::TimeZone;
use logwatch_record::{DateOrder, Level};

use super::Args;
use crate::connect::settings::Settings;
use crate::failure::Failure;
use crate::records::format::PathFormats;
use crate::records::multiline::Multiline;

/// The input that means the systemd journal.
pub const JOURNAL: &str = "journal:";

/// No option takes a longer time.
const LONGEST: Duration = Duration::from_secs(86_400);

/// The task.
pub struct Options {
    pub inputs: Vec<PathBuf>,
    /// Patterns of files that are not read.
    pub exclude: Vec<PathBuf>,
    /// Directories that rotation moves files to.
    pub rotated_to: Vec<PathBuf>,
    /// The one input, when it is a pipe.
    pub pipe: Option<Pipe>,
    pub source: String,
    /// The user gave the source's name.
    is_source_named: bool,
    pub host: String,
    pub mode: Mode,
    pub once: bool,
    pub progress: bool,
    pub max_runtime: Option<Duration>,
    pub from_end: bool,
    pub rotate_wait: Duration,
    pub multiline: Multiline,
    /// Formats are recognised where none is given.
    pub format: Option<PathFormats>,
    pub date_order: DateOrder,
    pub zone: TimeZone,
    /// The zone's name as PostgreSQL understands it.
    pub zone_name: String,
    /// The database decides where none is given.
    pub min_level: Option<Level>,
    pub output: Output,
}

impl Options {
    /// Returns a sentence about the source's name where the user chose none for several inputs.
    pub fn source_note(&self) -> Option<String> {
        (self.inputs.len() > 1 && !self.is_source_named).then(|| {
            format!(
                "several files without --source are stored under source \"{}\"; --source NAME sets a name of your own",
                self.source
            )
        })
    }
}

/// The task for the inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Tail,
    /// Tests whether tailing would work.
    Check,
    /// Shows how far the source's files have been read.
    Status,
}

/// An input that is read byte after byte, and only once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pipe {
    StandardInput,
    Fifo(PathBuf),
    /// The systemd journal.
    Journal,
}

/// Where the records go.
pub enum Output {
    Database(Box<Settings>),
    DryRun,
}

impl Args {
    pub fn resolve(self) -> Result<Options, Failure> {
        let inputs = self.inputs.iter().map(absolute).collect::<Result<Vec<_>, _>>()?;
        let pipe = pipe(&inputs)?;
        let host = gethostname::gethostname().to_string_lossy().into_owned();
        let is_source_named = self.source.is_some();
        let source = match self.source {
            Some(name) => name,
            None if inputs.is_empty() => {
                return Err(Failure::Usage(
                    "--status needs a source; give --source NAME, or the files of its tailer".to_owned(),
                ));
            }
            None => default_source(&host, &inputs),
        };
        let (zone, zone_name) = self.tz.unwrap_or_else(system_zone);
        let output = if self.dry_run {
            Output::DryRun
        } else {
            let flags = [("host", self.host), ("port", self.port), ("user", self.username)];
            let flags = flags.into_iter().filter_map(|(key, value)| Some((key, value?)));
            Output::Database(Box::new(Settings::resolve(
                self.dbname.as_deref(),
                flags.collect(),
            )?))
        };
        Ok(Options {
            exclude: self.exclude.iter().map(exclusion).collect::<Result<_, _>>()?,
            rotated_to: self.rotated_to.iter().map(absolute).collect::<Result<_, _>>()?,
            inputs,
            pipe,
            source,
            is_source_named,
            host,
            mode: match (self.check, self.status) {
                (true, _) => Mode::Check,
                (_, true) => Mode::Status,
                _ => Mode::Tail,
            },
            once: self.once,
            progress: self.progress,
            max_runtime: self.max_runtime,
            from_end: self.from_end,
            rotate_wait: self.rotate_wait,
            multiline: self.multiline,
            format: PathFormats::of_options(&self.format, self.level)?,
            date_order: self.date_order,
            zone,
            zone_name,
            min_level: self.min_level,
            output,
        })
    }
}

/// Reads `--source`.
pub(super) fn source_name(name: &str) -> Result<String, String> {
    if name.trim().is_empty() || name.contains('\0') {
        return Err("a source needs a name".to_owned());
    }
    Ok(name.to_owned())
}

/// Reads `--date-order`.
pub(super) fn date_order(name: &str) -> Result<DateOrder, String> {
    let names = DateOrder::NAMES;
    let found = names.iter().find(|(known, _)| *known == name);
    found
        .map(|(_, order)| *order)
        .ok_or_else(|| format!("use one of {}", names.map(|(name, _)| name).join(", ")))
}

/// Parses a time of at most a day: a number of seconds, or with a unit (`90s`, `5m`, `1h 30m`).
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().map(Duration::from_secs);
    seconds
        .or_else(|| Duration::try_from(text.parse::<SignedDuration>().ok()?).ok())
        .filter(|time| *time <= LONGEST)
        .ok_or_else(|| "use seconds, or a number with a unit such as 90s or 5m, up to 24h".to_owned())
}

/// Returns the input as an absolute path: the next run may start in another directory.
fn absolute(input: &OsString) -> Result<PathBuf, Failure> {
    if input == "-" || input == JOURNAL {
        return Ok(PathBuf::from(input));
    }
    let is_near_journal = input.as_encoded_bytes().starts_with(JOURNAL.as_bytes()) || input == "journal";
    if is_near_journal && !Path::new(input).exists() {
        return Err(Failure::Usage(format!(
            "there is no file \"{}\"; to read the systemd journal, type {JOURNAL} with nothing after its colon",
            Path::new(input).display()
        )));
    }
    std::path::absolute(Path::new(input))
        .map_err(|error| Failure::Usage(format!("{}: {error}", Path::new(input).display())))
}

/// A pattern of names as it is, a pattern of paths as an absolute one.
fn exclusion(pattern: &OsString) -> Result<PathBuf, Failure> {
    if pattern.as_encoded_bytes().contains(&b'/') {
        absolute(pattern)
    } else {
        Ok(PathBuf::from(pattern))
    }
}

/// Returns the pipe to read, if the inputs are one.
fn pipe(inputs: &[PathBuf]) -> Result<Option<Pipe>, Failure> {
    let pipe = |input: &PathBuf| match input.to_str() {
        Some("-") => Some(Pipe::StandardInput),
        Some(JOURNAL) => Some(Pipe::Journal),
        _ => std::fs::metadata(input)
            .is_ok_and(|metadata| metadata.file_type().is_fifo())
            .then(|| Pipe::Fifo(input.clone())),
    };
    match inputs {
        [input] => Ok(pipe(input)),
        inputs => match inputs.iter().find(|input| pipe(input).is_some()) {
            Some(input) => Err(Failure::Usage(format!(
                "cannot read \"{}\" together with other inputs; start a second tailer for it, with a --source of its own",
                input.display()
            ))),
            None => Ok(None),
        },
    }
}

/// Returns the source of a tailer that was given none. It must stay the same when the set of files
/// changes, as it does with a pattern that the shell expands: several inputs give their directory.
fn default_source(host: &str, inputs: &[PathBuf]) -> String {
    match inputs {
        [input] => format!("{host}:{}", input.display()),
        inputs => format!("{host}:{}", common_directory(inputs).join("").display()),
    }
}

/// Returns the deepest directory that holds all inputs, before any wildcard.
fn common_directory(inputs: &[PathBuf]) -> PathBuf {
    let directories = inputs
        .iter()
        .map(|input| fixed_part(input.parent().unwrap_or(Path::new("/"))));
    let common = directories.reduce(|common, directory| {
        let parts = common.components().zip(directory.components());
        parts
            .map_while(|(one, other)| (one == other).then_some(one))
            .collect()
    });
    common.unwrap_or_default()
}

/// Returns the directories of a pattern before its first wildcard.
pub fn fixed_part(pattern: &Path) -> PathBuf {
    let is_plain = |part: &Component| {
        let bytes = part.as_os_str().as_encoded_bytes();
        !bytes.iter().any(|byte| b"*?[{".contains(byte))
    };
    pattern.components().take_while(is_plain).collect()
}

/// Reads `--tz`.
pub(super) fn zone(name: &str) -> Result<(TimeZone, String), String> {
    TimeZone::get(name)
        .map(|zone| (zone, name.to_owned()))
        .map_err(|_| "use a name such as Europe/Berlin or UTC".to_owned())
}

fn system_zone() -> (TimeZone, String) {
    let zone = TimeZone::system();
    let name = zone.iana_name().map_or_else(|| posix_name(&zone), str::to_owned);
    (zone, name)
}

/// A zone without a name, as its present offset in the POSIX notation, whose sign is the other way
/// round.
fn posix_name(zone: &TimeZone) -> String {
    let seconds = zone.to_offset(jiff::Timestamp::now()).seconds();
    let (sign, inverse) = if seconds < 0 { ('-', '+') } else { ('+', '-') };
    let (hours, minutes) = (seconds.abs() / 3600, seconds.abs() / 60 % 60);
    format!("<{sign}{hours:02}{minutes:02}>{inverse}{hours:02}:{minutes:02}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    fn options(words: &[&str]) -> Result<Options, Failure> {
        Args::try_parse_from(["logwatch-tailer"].iter().chain(words))
            .map_err(|error| Failure::Usage(error.to_string()))?
            .resolve()
    }

    #[test]
    fn the_source_is_the_host_and_the_input_or_the_directory_of_several() {
        for (inputs, source) in [
            (&["/var/log/a.log"][..], "/var/log/a.log"),
            (&["/var/log/*/a.log"], "/var/log/*/a.log"),
            (&["/var/log/a.log", "/var/log/b.log"], "/var/log/"),
            (
                &["/var/log/a.log", "/var/log/b.log", "/var/log/c.log"],
                "/var/log/",
            ),
            (&["/var/log/a/*.log", "/var/log/b/x/*/y.log"], "/var/log/"),
            (&["/srv/a.log", "/var/log/b.log"], "/"),
        ] {
            let options = options(&[&["--dry-run"], inputs].concat()).unwrap();
            assert_eq!(options.source, format!("{}:{source}", options.host));
        }
    }

    #[test]
    fn the_fixed_part_of_a_pattern_ends_before_its_first_wildcard() {
        assert_eq!(fixed_part(Path::new("/var/log/*/app.log")), Path::new("/var/log"));
        assert_eq!(fixed_part(Path::new("/a{b,c}/d")), Path::new("/"));
    }

    #[test]
    fn mistakes_are_usage_errors() {
        for words in [
            &["--dry-run", "--tz", "Mars/Olympus", "a"][..],
            &["--dry-run", "--min-level", "loud", "a"],
            &["--dry-run", "--multiline", "(", "a"],
            &["--dry-run", "--format", "log5j", "a"],
            &["--dry-run", "--level", "loud", "a"],
            &["--dry-run", "--date-order", "backwards", "a"],
            &["--dry-run", "--source", " ", "a"],
            &["--dry-run", "-", "a"],
            &["--dry-run", "journal:", "a"],
            &["--dry-run", "journal"],
            &["--dry-run", "journal:nginx"],
            &["--status"],
        ] {
            assert!(matches!(options(words), Err(Failure::Usage(_))), "{words:?}");
        }
    }

    #[test]
    fn a_wrong_value_is_named_with_its_option_and_what_to_use() {
        for (option, value, hint) in [
            ("--tz", "Mars/Olympus", "use a name such as Europe/Berlin or UTC"),
            ("--min-level", "loud", "use DEBUG, INFO, WARN, ERROR or FATAL"),
            (
                "--date-order",
                "backwards",
                "use one of nearest, day-first, month-first",
            ),
            ("--multiline", "(", "use auto, off or a pattern"),
        ] {
            let error = options(&["--dry-run", option, value, "a"])
                .map(|_| ())
                .unwrap_err();
            let error = error.to_string();
            assert!(error.contains(option) && error.contains(value), "{error}");
            assert!(error.contains(hint), "{error}");
        }
    }

    #[test]
    fn a_time_is_in_seconds_or_has_a_unit() {
        for (text, seconds) in [("50", 50), ("5s", 5), ("2m", 120), ("1h 30m", 5400), ("0", 0)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "s", "-5s", "5 days", "86401", "5x"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_unnamed_zone_gets_a_posix_name() {
        let zone = TimeZone::fixed(jiff::tz::offset(-3).saturating_add(jiff::Span::new().minutes(-30)));
        assert_eq!(posix_name(&zone), "<-0330>+03:30");
        assert_eq!(posix_name(&TimeZone::fixed(jiff::tz::offset(2))), "<+0200>-02:00");
    }
}
