//! Prints shell completions and the manual page, from the same description as `--help`.

use std::io::{self, Write};

use clap::CommandFactory;
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::{Args, EXAMPLES, EXIT_CODES};

const PIPES: &str = "Standard input (-) and named pipes are read alone, each by a tailer with a --source of its own. \
     Within a run each record is stored once, even when the database fails meanwhile. A pipe cannot be read again: \
     a tailer that is killed loses the bytes that it had read and not stored, unless the writer sends them again, and \
     bytes sent again are stored again.";

const ENVIRONMENT: &str = "The variables of libpq (PGHOST, PGPORT, PGDATABASE, PGUSER, PGPASSWORD, PGPASSFILE, PGSERVICE, \
     PGSSLMODE and so on) mean the same as for psql(1). NOTIFY_SOCKET and WATCHDOG_USEC are systemd's.";

pub fn print_completions(shell: Shell) -> io::Result<()> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "logwatch-tailer", &mut text);
    io::stdout().lock().write_all(&text)
}

pub fn print_man() -> io::Result<()> {
    let page = Man::new(Args::command())
        .section("8")
        .date("")
        .source(concat!("logwatch ", env!("CARGO_PKG_VERSION")))
        .manual("logwatch");
    let mut text = Vec::new();
    page.render_title(&mut text)?;
    page.render_name_section(&mut text)?;
    page.render_synopsis_section(&mut text)?;
    page.render_description_section(&mut text)?;
    page.render_options_section(&mut text)?;
    let mut more = Roff::new();
    more.control("SH", ["EXIT STATUS"]);
    for (code, meaning) in EXIT_CODES {
        more.control("TP", ["4"])
            .text([bold(code.to_string())])
            .text([roman(*meaning)]);
    }
    more.control("SH", ["PIPES"]).text([roman(PIPES)]);
    more.control("SH", ["ENVIRONMENT"]).text([roman(ENVIRONMENT)]);
    more.control("SH", ["EXAMPLES"]).control("nf", []);
    for line in EXAMPLES {
        more.text([roman(*line)]);
    }
    more.control("fi", []);
    more.to_writer(&mut text)?;
    io::stdout().lock().write_all(&text)
}
