//! The command line: what the user typed (`Args`), and what it means (`Options`).
//!
//! The rest of the program sees only `Options`. The connection flags are psql's, so `-h` is the host and help is `--help`. Completions and the
//! manual page are made from the same description.

mod document;
mod options;

use std::ffi::OsString;
use std::io;

use clap::{ArgAction, Parser, ValueEnum};
use clap_complete::Shell;

pub use options::{Mode, Options, Output, Pipe};

/// What the exit code says.
pub const EXIT_CODES: &[(u8, &str)] = &[
    (0, "all read"),
    (2, "usage"),
    (66, "no input"),
    (69, "database unreachable"),
    (75, "another tailer has the source"),
    (77, "not permitted"),
];

const EXAMPLES: &[&str] = &[
    "logwatch-tailer -d appdb /var/log/app.log '/var/log/app/*.log'",
    "logwatch-tailer --check -d appdb /var/log/app.log                # would it work?",
    "logwatch-tailer --once --max-runtime 50 -d appdb /var/log/app.log      # from cron",
    "journalctl -f -o json | logwatch-tailer --source journal -d appdb -",
    "logwatch-tailer --once --dry-run app.log | jq .message           # no database",
];

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
/// Follows the files by default, through rotation and restarts, and stores each record exactly once: the offsets live in the
/// database and move in the transaction that stores the records. Connects as psql does: PG* variables, ~/.pgpass and
/// pg_service.conf apply.
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
    /// The files to read. A quoted pattern ('/var/log/app/*.log', with * ? [] {} and **) is looked at again each second.
    /// Or one pipe: - for standard input, or a FIFO.
    #[arg(value_name = "FILE|GLOB", required_unless_present_any = ["status", "completions", "man"])]
    inputs: Vec<OsString>,

    /// Read to the end and exit, for cron. Silent when all is well.
    #[arg(long, help_heading = "What to do")]
    once: bool,

    /// With --once: stop after so many seconds; the next run goes on from there.
    #[arg(long, value_name = "SECONDS", requires = "once", help_heading = "What to do")]
    max_runtime: Option<u64>,

    /// Print the records as JSON lines instead of streaming them. Needs no database.
    #[arg(long, help_heading = "What to do")]
    dry_run: bool,

    /// Say whether tailing would work: files, connection, extension, privileges. Changes nothing.
    #[arg(long, conflicts_with_all = ["once", "dry_run", "status"], help_heading = "What to do")]
    check: bool,

    /// Show how far the source's files have been read, and what went wrong. Changes nothing.
    #[arg(long, conflicts_with_all = ["once", "dry_run"], help_heading = "What to do")]
    status: bool,

    /// The name that the records and the offsets are kept under [default: HOST:FILE…].
    #[arg(long, value_name = "NAME", help_heading = "Files")]
    source: Option<String>,

    /// Read a file that was never seen before from its beginning. This is the default.
    #[arg(long, help_heading = "Files")]
    from_beginning: bool,

    /// Skip what is in the files when they are seen for the first time.
    #[arg(long, conflicts_with = "from_beginning", help_heading = "Files")]
    from_end: bool,

    /// Read on in a file that was renamed until nothing was written to it for so long.
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(..=86_400), help_heading = "Files")]
    rotate_wait: u64,

    /// Which lines belong together: auto (stack traces join their headline), off, or a pattern that every first line matches.
    #[arg(
        long,
        value_name = "auto|off|REGEX",
        default_value = "auto",
        help_heading = "Records"
    )]
    multiline: String,

    /// What a line is, where it is not recognised: apache, laravel, log4j, nginx, postgresql, postgresql-csv, python, ruby, or a pattern with the
    /// groups `(?<time>…)`, `(?<level>…)` and `(?<message>…)`. With --multiline auto a line that does not match continues the record.
    #[arg(long, value_name = "NAME|REGEX", help_heading = "Records")]
    format: Option<String>,

    /// The zone of times that name none, such as Europe/Berlin [default: this host's].
    #[arg(long, value_name = "ZONE", help_heading = "Records")]
    tz: Option<String>,

    /// The least level to keep [default: what the database says, logwatch.min_level; ERROR in a dry run].
    #[arg(long, value_name = "LEVEL", help_heading = "Records")]
    min_level: Option<String>,

    /// The database, or a connection string: "postgresql://…" or "host=… dbname=…".
    #[arg(short = 'd', long, value_name = "DBNAME", help_heading = "Connection")]
    dbname: Option<String>,

    /// The server's name, or the directory of its socket.
    #[arg(short = 'h', long, value_name = "HOST", help_heading = "Connection")]
    host: Option<String>,

    /// The server's port.
    #[arg(short = 'p', long, value_name = "PORT", help_heading = "Connection")]
    port: Option<String>,

    /// The user to connect as.
    #[arg(short = 'U', long, value_name = "USER", help_heading = "Connection")]
    username: Option<String>,

    /// Say what is done; twice: in detail.
    #[arg(short = 'v', long, action = ArgAction::Count, help_heading = "Messages")]
    pub verbose: u8,

    /// How to write messages to standard error. Under systemd they have no time of their own.
    #[arg(
        long,
        value_name = "FORMAT",
        value_enum,
        default_value = "text",
        help_heading = "Messages"
    )]
    pub log_format: LogFormat,

    /// Show how catching up goes. On a terminal that is done without being asked, for much to read.
    #[arg(long, help_heading = "Messages")]
    progress: bool,

    /// Print the completions for a shell.
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
    /// Prints the completions or the manual page, if that is what was asked for.
    pub fn document(&self) -> Option<io::Result<()>> {
        match (self.completions, self.man) {
            (Some(shell), _) => Some(document::print_completions(shell)),
            (None, true) => Some(document::print_man()),
            (None, false) => None,
        }
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
