//! The command line as typed ([`Args`]) and its meaning ([`Options`]).
//!
//! The rest of the program sees only `Options`. The connection flags are psql's, so `-h` is the
//! host and help is `--help`. Completions and the manual page are made from the same description.

mod document;
mod options;

use std::ffi::OsString;
use std::io;
use std::str::FromStr;
use std::time::Duration;

use clap::{ArgAction, Parser, ValueEnum};
use clap_complete::Shell;
use jiff::tz::TimeZone;
use logwatch_record::{DateOrder, Level};

use crate::records::multiline::Multiline;
pub use options::{JOURNAL, Mode, Options, Output, Pipe, fixed_part};

/// The exit codes and their meanings.
pub const EXIT_CODES: &[(u8, &str)] = &[
    (0, "success"),
    (2, "mistake in the command line or a setting"),
    (66, "--once or --check found no file, or cannot read one"),
    (69, "database unreachable"),
    (75, "another tailer reads the source"),
    (77, "login or privilege missing"),
];

const EXAMPLES: &[&str] = &[
    "logwatch-tailer -d appdb /var/log/app.log '/var/log/app/*.log'",
    "logwatch-tailer --check -d appdb /var/log/app.log                # test the setup",
    "logwatch-tailer --once --max-runtime 50 -d appdb /var/log/app.log      # from cron",
    "journalctl -f -o json | logwatch-tailer --source journal -d appdb -",
    "logwatch-tailer --once --dry-run app.log | jq .message           # no database",
];

/// Ends every complaint about the command line.
const POINTER: &str = "To test a setup, add --check. For the manual, type: logwatch-tailer --man | man -l -";

fn after_help() -> String {
    let codes: Vec<String> = EXIT_CODES
        .iter()
        .map(|(code, meaning)| format!("{code} {meaning}"))
        .collect();
    format!(
        "Exit codes: {}\n\nExamples:\n  {}",
        codes.join(" · "),
        EXAMPLES.join("\n  ")
    )
}

/// Streams the ERROR and FATAL records of log files into PostgreSQL's logwatch extension.
///
/// Follows the files by default, through rotation and restarts, and stores each record exactly
/// once: the offsets are in the database and move in the transaction that stores the records.
/// Connects as psql does: PG* variables, ~/.pgpass and pg_service.conf apply.
#[derive(Debug, Parser)]
#[command(
    name = "logwatch-tailer",
    version,
    disable_help_flag = true,
    disable_version_flag = true,
    max_term_width = 120,
    override_usage = "logwatch-tailer [OPTIONS] FILE|GLOB…"
)]
#[command(after_help = after_help())]
pub struct Args {
    /// Read these files. A quoted pattern ('/var/log/app/*.log', with * ? [] {} and **) also finds
    /// files that appear later. Or read one pipe: - for standard input, or a FIFO.
    #[arg(value_name = "FILE|GLOB", required_unless_present_any = ["status", "completions", "man"])]
    inputs: Vec<OsString>,

    /// Read to the end and exit, for cron. Print nothing when all is well.
    #[arg(long, help_heading = "Mode")]
    once: bool,

    /// With --once, stop after this time, such as 50, 50s or 5m; the next run continues there.
    #[arg(long, value_name = "SECONDS", requires = "once", value_parser = options::duration, help_heading = "Mode")]
    max_runtime: Option<Duration>,

    /// Print the records as JSON lines instead of storing them. Use no database.
    #[arg(long, help_heading = "Mode")]
    dry_run: bool,

    /// Test files, connection, extension and privileges, and print what to type where one fails.
    /// Change nothing.
    #[arg(long, conflicts_with_all = ["dry_run", "status"], help_heading = "Mode")]
    check: bool,

    /// Print how far the source's files have been read, with gaps and errors. Change nothing.
    #[arg(long, conflicts_with_all = ["once", "dry_run"], help_heading = "Mode")]
    status: bool,

    /// Store the records and the offsets under this name [default: HOST:FILE, or HOST:DIRECTORY/ of
    /// several files].
    #[arg(long, value_name = "NAME", value_parser = options::source_name, help_heading = "Files")]
    source: Option<String>,

    /// Read a new file from its beginning. This is the default.
    #[arg(long, help_heading = "Files")]
    from_beginning: bool,

    /// Skip the present content of new files.
    #[arg(long, conflicts_with = "from_beginning", help_heading = "Files")]
    from_end: bool,

    /// Keep reading a renamed file until it has been idle for this long.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = options::duration, help_heading = "Files")]
    rotate_wait: Duration,

    /// Leave files out whose name matches this pattern, or whose path does if it has a slash. May
    /// be given several times.
    #[arg(long, value_name = "GLOB", help_heading = "Files")]
    exclude: Vec<OsString>,

    /// Look for rotated files in this directory too (logrotate's olddir). May be given several
    /// times.
    #[arg(long, value_name = "DIR", help_heading = "Files")]
    rotated_to: Vec<OsString>,

    /// Join lines to records: auto (stack traces join their headline), off, or a pattern that every
    /// first line matches.
    #[arg(
        long,
        value_name = "auto|off|REGEX",
        default_value = "auto",
        value_parser = Multiline::from_str,
        help_heading = "Records"
    )]
    multiline: Multiline,

    /// Read lines in this format: the name of a program, a pattern with the groups `(?<time>…)`,
    /// `(?<level>…)`, `(?<message>…)`, `(?<error>…)` and `(?<fatal>…)`, or an lnav format file
    /// (.json). `*.log=NAME` or `/PATH=NAME` sets it for some files. Several are tried in order.
    /// With --multiline auto a line that matches none continues the record.
    #[arg(long, value_name = "[GLOB=]NAME|REGEX|FILE", help_heading = "Records")]
    format: Vec<String>,

    /// Give records that name no level this one.
    #[arg(long, value_name = "LEVEL", value_parser = Level::from_str, help_heading = "Records")]
    level: Option<Level>,

    /// Read times without a zone in this zone, such as Europe/Berlin [default: this host's].
    #[arg(long, value_name = "ZONE", value_parser = options::zone, help_heading = "Records")]
    tz: Option<(TimeZone, String)>,

    /// Read dates such as 03/12/2026 in this order. The default takes the order that is nearest to
    /// the file's other times and to now.
    #[arg(
        long,
        value_name = "nearest|day-first|month-first",
        default_value = "nearest",
        value_parser = options::date_order,
        help_heading = "Records"
    )]
    date_order: DateOrder,

    /// Keep records of this level and above [default: logwatch.min_level of the database; ERROR in
    /// a dry run].
    #[arg(long, value_name = "LEVEL", value_parser = Level::from_str, help_heading = "Records")]
    min_level: Option<Level>,

    /// Connect to this database, or by a connection string: "postgresql://…" or "host=… dbname=…".
    #[arg(short = 'd', long, value_name = "DBNAME", help_heading = "Connection")]
    dbname: Option<String>,

    /// Connect to this server, or to the socket in this directory.
    #[arg(short = 'h', long, value_name = "HOST", help_heading = "Connection")]
    host: Option<String>,

    /// Connect to this port.
    #[arg(short = 'p', long, value_name = "PORT", help_heading = "Connection")]
    port: Option<String>,

    /// Connect as this role.
    #[arg(short = 'U', long, value_name = "USER", help_heading = "Connection")]
    username: Option<String>,

    /// Print each step; twice: with details.
    #[arg(short = 'v', long, action = ArgAction::Count, help_heading = "Messages")]
    pub verbose: u8,

    /// Write messages on standard error in this format. Under systemd the journal adds the time.
    #[arg(
        long,
        value_name = "FORMAT",
        value_enum,
        default_value = "text",
        help_heading = "Messages"
    )]
    pub log_format: LogFormat,

    /// Show a progress bar, or lines where standard error is no terminal. On a terminal, the
    /// default for a large backlog.
    #[arg(long, help_heading = "Messages")]
    progress: bool,

    /// Print completions for this shell.
    #[arg(
        long,
        value_name = "SHELL",
        value_enum,
        exclusive = true,
        help_heading = "Other"
    )]
    completions: Option<Shell>,

    /// Print the manual page.
    #[arg(long, exclusive = true, help_heading = "Other")]
    man: bool,

    /// Print this help.
    #[arg(long, action = ArgAction::HelpShort, help_heading = "Other")]
    help: Option<bool>,

    /// Print the version.
    #[arg(short = 'V', long, action = ArgAction::Version, help_heading = "Other")]
    version: Option<bool>,
}

/// How messages look on standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    Text,
    Json,
}

impl Args {
    /// Parses the command line. On a mistake, prints it with a pointer to the documentation and
    /// exits.
    pub fn from_command_line() -> Args {
        Args::try_parse().unwrap_or_else(|error| {
            // Nothing is left to do when standard error is closed.
            let _ = error.print();
            if error.use_stderr() {
                eprintln!("\n{POINTER}");
            }
            std::process::exit(error.exit_code())
        })
    }

    /// Prints the completions or the manual page, when that was asked for.
    pub fn document(&self) -> Option<io::Result<()>> {
        let man = || self.man.then(document::print_man);
        self.completions.map(document::print_completions).or_else(man)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Args::command().debug_assert();
    }

    #[test]
    fn every_option_has_a_heading_and_a_sentence() {
        for argument in Args::command().get_opts() {
            assert!(argument.get_help_heading().is_some(), "{argument}");
            assert!(argument.get_help().is_some(), "{argument}");
        }
    }
}
