//! The command line: what the user typed (`Args`), and what it means (`Options`).
//!
//! The rest of the program sees only `Options`. The connection flags are psql's, so `-h` is the host and help is `--help`.

use std::ffi::OsString;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use clap::{ArgAction, Parser};
use jiff::tz::TimeZone;
use logwatch_record::Level;

use crate::connection::settings::Settings;
use crate::failure::Failure;
use crate::format::Format;
use crate::multiline::Multiline;

/// Streams the ERROR and FATAL records of log files into PostgreSQL's logwatch extension.
///
/// Follows the files by default, through rotation and restarts, and stores each record exactly once: the offsets live in the
/// database and move in the transaction that stores the records. Connects as psql does: PG* variables, ~/.pgpass and
/// pg_service.conf apply.
#[derive(Debug, Parser)]
#[command(
    name = "logwatch-tailer",
    version,
    disable_help_flag = true,
    max_term_width = 100
)]
#[command(after_help = "\
Exit codes: 0 all read · 2 usage · 66 no input · 69 database unreachable · 75 another tailer has the source · 77 not permitted

Examples:
  logwatch-tailer -d appdb /var/log/app.log '/var/log/app/*.log'
  logwatch-tailer --once --max-runtime 50 -d appdb /var/log/app.log      # from cron
  journalctl -f -o json | logwatch-tailer --source journal -d appdb -
  logwatch-tailer --once --dry-run app.log | jq .message                 # no database

Standard input (-) and named pipes are read alone, each by a tailer with a --source of its own. Within a run their
records are stored once, whatever happens to the database meanwhile. But a pipe cannot be read again: what a tailer that
is killed had read and not stored is lost unless the writer sends it again, and what a writer sends again is stored again.")]
pub struct Args {
    /// The files to read. A quoted pattern ('/var/log/app/*.log', with * ? [] {} and **) is looked at again each second.
    /// Or one pipe: - for standard input, or a FIFO.
    #[arg(value_name = "FILE|GLOB", required = true)]
    inputs: Vec<OsString>,

    /// Read to the end and exit, for cron. Silent when all is well.
    #[arg(long)]
    once: bool,

    /// With --once: stop after so many seconds; the next run goes on from there.
    #[arg(long, value_name = "SECONDS", requires = "once")]
    max_runtime: Option<u64>,

    /// Print the records as JSON lines instead of streaming them. Needs no database.
    #[arg(long)]
    dry_run: bool,

    /// The name that the records and the offsets are kept under [default: HOST:FILE…].
    #[arg(long, value_name = "NAME")]
    source: Option<String>,

    /// Read a file that was never seen before from its beginning. This is the default.
    #[arg(long)]
    from_beginning: bool,

    /// Skip what is in the files when they are seen for the first time.
    #[arg(long, conflicts_with = "from_beginning")]
    from_end: bool,

    /// Read on in a file that was renamed until nothing was written to it for so long.
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(..=86_400))]
    rotate_wait: u64,

    /// Which lines belong together: auto (stack traces join their headline), off, or a pattern that every first line matches.
    #[arg(long, value_name = "auto|off|REGEX", default_value = "auto")]
    multiline: String,

    /// What a line is, where it is not recognised: apache, laravel, log4j, nginx, postgresql, python, ruby, or a pattern with the
    /// groups `(?<time>…)`, `(?<level>…)` and `(?<message>…)`. With --multiline auto a line that does not match continues the record.
    #[arg(long, value_name = "NAME|REGEX")]
    format: Option<String>,

    /// The zone of times that name none, such as Europe/Berlin [default: this host's].
    #[arg(long, value_name = "ZONE")]
    tz: Option<String>,

    /// The least level to keep [default: what the database says, logwatch.min_level; ERROR in a dry run].
    #[arg(long, value_name = "LEVEL")]
    min_level: Option<String>,

    /// The database, or a connection string: "postgresql://…" or "host=… dbname=…".
    #[arg(short = 'd', long, value_name = "DBNAME")]
    dbname: Option<String>,

    /// The server's name, or the directory of its socket.
    #[arg(short = 'h', long, value_name = "HOST")]
    host: Option<String>,

    /// The server's port.
    #[arg(short = 'p', long, value_name = "PORT")]
    port: Option<String>,

    /// The user to connect as.
    #[arg(short = 'U', long, value_name = "USER")]
    username: Option<String>,

    /// Say what is done; twice: in detail.
    #[arg(short = 'v', long, action = ArgAction::Count)]
    pub verbose: u8,

    /// Print this help.
    #[arg(long, action = ArgAction::Help)]
    help: Option<bool>,
}

/// What to do.
pub struct Options {
    pub inputs: Vec<PathBuf>,
    /// The one input, when it is a pipe.
    pub pipe: Option<Pipe>,
    pub source: String,
    pub host: String,
    pub once: bool,
    pub max_runtime: Option<Duration>,
    pub from_end: bool,
    pub rotate_wait: Duration,
    pub multiline: Multiline,
    /// None: as it is recognised.
    pub format: Option<Format>,
    pub zone: TimeZone,
    /// The zone's name as PostgreSQL understands it.
    pub zone_name: String,
    /// None: what the database says.
    pub min_level: Option<Level>,
    pub output: Output,
}

/// What is read byte after byte, and only once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pipe {
    StandardInput,
    Fifo(PathBuf),
}

/// Where the records go.
pub enum Output {
    Database(Box<Settings>),
    Print,
}

impl Args {
    pub fn resolve(self) -> Result<Options, Failure> {
        let inputs = self.inputs.iter().map(absolute).collect::<Result<Vec<_>, _>>()?;
        let pipe = pipe(&inputs)?;
        let host = gethostname::gethostname().to_string_lossy().into_owned();
        let source = match self.source {
            Some(name) if name.trim().is_empty() || name.contains('\0') => {
                return Err(Failure::Usage("--source needs a name".to_owned()));
            }
            Some(name) => name,
            None => default_source(&host, &inputs),
        };
        let (zone, zone_name) = zone(self.tz.as_deref())?;
        let min_level = match &self.min_level {
            None => None,
            Some(word) => {
                Some(Level::from_str(word).map_err(|error| Failure::Usage(format!("--min-level: {error}")))?)
            }
        };
        let output = if self.dry_run {
            Output::Print
        } else {
            let mut flags = Vec::new();
            for (key, value) in [("host", self.host), ("port", self.port), ("user", self.username)] {
                flags.extend(value.map(|value| (key, value)));
            }
            Output::Database(Box::new(Settings::resolve(self.dbname.as_deref(), flags)?))
        };
        Ok(Options {
            inputs,
            pipe,
            source,
            host,
            once: self.once,
            max_runtime: self.max_runtime.map(Duration::from_secs),
            from_end: self.from_end,
            rotate_wait: Duration::from_secs(self.rotate_wait),
            multiline: Multiline::from_str(&self.multiline)?,
            format: self.format.as_deref().map(Format::from_str).transpose()?,
            zone,
            zone_name,
            min_level,
            output,
        })
    }
}

/// The input as an absolute path: the offsets must be found again whatever directory the next run starts in.
fn absolute(input: &OsString) -> Result<PathBuf, Failure> {
    if input == "-" {
        return Ok(PathBuf::from("-"));
    }
    std::path::absolute(Path::new(input))
        .map_err(|error| Failure::Usage(format!("{}: {error}", Path::new(input).display())))
}

/// The pipe to read, if the inputs are one.
fn pipe(inputs: &[PathBuf]) -> Result<Option<Pipe>, Failure> {
    let is_pipe = |input: &PathBuf| {
        input.as_os_str() == "-"
            || std::fs::metadata(input).is_ok_and(|metadata| metadata.file_type().is_fifo())
    };
    match inputs {
        [input] if input.as_os_str() == "-" => Ok(Some(Pipe::StandardInput)),
        [input] if is_pipe(input) => Ok(Some(Pipe::Fifo(input.clone()))),
        inputs => match inputs.iter().find(|input| is_pipe(input)) {
            Some(input) => Err(Failure::Usage(format!(
                "{}: a pipe is read alone; start a tailer with a --source of its own for it",
                input.display()
            ))),
            None => Ok(None),
        },
    }
}

fn default_source(host: &str, inputs: &[PathBuf]) -> String {
    let inputs: Vec<_> = inputs.iter().map(|input| input.to_string_lossy()).collect();
    format!("{host}:{}", inputs.join(" "))
}

fn zone(name: Option<&str>) -> Result<(TimeZone, String), Failure> {
    match name {
        Some(name) => match TimeZone::get(name) {
            Ok(zone) => Ok((zone, name.to_owned())),
            Err(_) => Err(Failure::Usage(format!(
                "--tz: no zone is called \"{name}\"; use a name such as Europe/Berlin or UTC"
            ))),
        },
        None => {
            let zone = TimeZone::system();
            let name = match zone.iana_name() {
                Some(name) => name.to_owned(),
                None => posix_name(&zone),
            };
            Ok((zone, name))
        }
    }
}

/// A zone without a name, as its present offset in the POSIX notation, whose sign is the other way round.
fn posix_name(zone: &TimeZone) -> String {
    let seconds = zone.to_offset(jiff::Timestamp::now()).seconds();
    let (sign, inverse) = if seconds < 0 { ('-', '+') } else { ('+', '-') };
    let (hours, minutes) = (seconds.abs() / 3600, seconds.abs() / 60 % 60);
    format!("<{sign}{hours:02}{minutes:02}>{inverse}{hours:02}:{minutes:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(words: &[&str]) -> Result<Options, Failure> {
        Args::parse_from(["logwatch-tailer"].iter().chain(words)).resolve()
    }

    #[test]
    fn the_command_line_is_well_formed() {
        use clap::CommandFactory;
        Args::command().debug_assert();
    }

    #[test]
    fn the_source_is_the_host_and_the_absolute_inputs() {
        let options = options(&["--dry-run", "/var/log/a.log", "/var/log/b/*.log"]).unwrap();
        assert_eq!(
            options.source,
            format!("{}:/var/log/a.log /var/log/b/*.log", options.host)
        );
    }

    #[test]
    fn mistakes_are_usage_errors() {
        for words in [
            &["--dry-run", "--tz", "Mars/Olympus", "a"][..],
            &["--dry-run", "--min-level", "loud", "a"],
            &["--dry-run", "--multiline", "(", "a"],
            &["--dry-run", "--format", "log5j", "a"],
            &["--dry-run", "--source", " ", "a"],
            &["--dry-run", "-", "a"],
        ] {
            assert!(matches!(options(words), Err(Failure::Usage(_))), "{words:?}");
        }
    }

    #[test]
    fn an_unnamed_zone_gets_a_posix_name() {
        let zone = TimeZone::fixed(jiff::tz::offset(-3).saturating_add(jiff::Span::new().minutes(-30)));
        assert_eq!(posix_name(&zone), "<-0330>+03:30");
        assert_eq!(posix_name(&TimeZone::fixed(jiff::tz::offset(2))), "<+0200>-02:00");
    }
}
