//! logrotate's options and debianutils' savelog.

use super::Mode::{Down, Once};
use super::Row;
use super::writers::Clock::{Always, Seconds};
use super::writers::{Clock, Reopen, Rotate, Rotator};

const LIVE: &[&str] = &["log/app.log"];
const FAMILY: &[&str] = &["log/app.log*"];

fn logrotate(
    name: &str,
    patterns: &'static [&'static str],
    reopen: Reopen,
    clock: Clock,
    options: &'static str,
) -> Row {
    let rotate = Rotate::Logrotate(options);
    Row::new(
        &format!("logrotate {name}"),
        patterns,
        Rotator::File {
            rotate,
            reopen,
            clock,
        },
    )
}

/// The application goes on in the renamed file for a line.
fn renames(name: &str, patterns: &'static [&'static str], options: &'static str) -> Row {
    logrotate(name, patterns, Reopen::Late, Always, options)
}

/// The renamed file is compressed or deleted at once, so the application must have let it go.
fn consumes(name: &str, patterns: &'static [&'static str], options: &'static str) -> Row {
    logrotate(name, patterns, Reopen::AtOnce, Always, options)
}

fn dates(name: &str, patterns: &'static [&'static str], options: &'static str) -> Row {
    logrotate(name, patterns, Reopen::Late, Seconds(1), options)
}

fn copies(name: &str, patterns: &'static [&'static str], options: &'static str) -> Row {
    logrotate(name, patterns, Reopen::Never, Always, options)
}

pub fn renaming() -> Vec<Row> {
    vec![
        renames("create", LIVE, "create\nrotate 9"),
        renames("create family", FAMILY, "create\nrotate 9"),
        renames("nocreate", LIVE, "nocreate\nrotate 9"),
        renames("start 0", LIVE, "create\nrotate 9\nstart 0"),
        renames("extension", LIVE, "create\nrotate 9\nextension .log"),
        renames(
            "extension family",
            &["log/app*.log"],
            "create\nrotate 9\nextension .log",
        ),
        renames("addextension", LIVE, "create\nrotate 9\naddextension .x"),
        dates(
            "dateext",
            LIVE,
            "create\nrotate 9\ndateext\ndateformat -%Y%m%d-%s",
        ),
        dates(
            "dateext dots",
            LIVE,
            "create\nrotate 9\ndateext\ndateformat .%Y-%m-%d_%H-%s",
        ),
        dates(
            "dateext week",
            LIVE,
            "create\nrotate 9\ndateext\ndateformat .week%V-%s",
        ),
        dates(
            "dateext addextension",
            LIVE,
            "create\nrotate 9\ndateext\naddextension .log\ndateformat -%s",
        ),
        renames("maxage", LIVE, "create\nrotate 9\nmaxage 1"),
        renames(
            "olddir known",
            &["log/app.log", "old/app.log*"],
            "create\nrotate 9\nolddir {}/old\ncreateolddir 755",
        )
        .known(&["log", "old"]),
        renames("start 5", LIVE, "create\nrotate 19\nstart 5"),
        renames(
            "sharedscripts",
            &["log/*.log"],
            "create\nrotate 9\nsharedscripts\npostrotate\n/bin/true\nendscript",
        ),
        // systemd's `append:` writes on in the renamed file for ever.
        logrotate("no reopen", LIVE, Reopen::Never, Always, "create\nrotate 9"),
        dates(
            "dateext day",
            LIVE,
            "create\nrotate 9\ndateext\ndateformat .%d%b%Y-%s",
        ),
        renames("rotate 1", LIVE, "create\nrotate 1").destroys(&[Down]),
        renames("rotate 1 family", &["log/*"], "create\nrotate 1").destroys(&[Down]),
        consumes("rotate 0", LIVE, "create\nrotate 0").destroys(&[Once, Down]),
        consumes("shred", LIVE, "create\nrotate 2\nshred").destroys(&[Down]),
        consumes("renamecopy", LIVE, "renamecopy\nrotate 9"),
    ]
}

pub fn compressing() -> Vec<Row> {
    vec![
        renames("gzip delayed", LIVE, "create\nrotate 9\ncompress\ndelaycompress"),
        renames(
            "gzip delayed family",
            FAMILY,
            "create\nrotate 9\ncompress\ndelaycompress",
        ),
        consumes("gzip at once", LIVE, "create\nrotate 9\ncompress"),
        consumes("gzip at once family", FAMILY, "create\nrotate 9\ncompress"),
        dates_and_gzip(),
        consumes(
            "extension gzip",
            LIVE,
            "create\nrotate 9\nextension .log\ncompress",
        ),
        consumes(
            "addextension gzip",
            LIVE,
            "create\nrotate 9\naddextension .log\ncompress",
        ),
        renames(
            "olddir gzip delayed known",
            &["log/app.log", "old/app.log*"],
            "create\nrotate 9\nolddir {}/old\ncreateolddir 755\ncompress\ndelaycompress",
        )
        .known(&["log", "old"]),
        consumes(
            "lzma",
            LIVE,
            "create\nrotate 9\ncompress\ncompresscmd /usr/bin/lzma\ncompressext .lzma",
        )
        .destroys(&[Once, Down]),
        renames(
            "xz delayed",
            LIVE,
            "create\nrotate 9\ncompress\ndelaycompress\ncompresscmd /usr/bin/xz\ncompressext .xz\ncompressoptions -1",
        ),
        renames(
            "xz delayed family",
            FAMILY,
            "create\nrotate 9\ncompress\ndelaycompress\ncompresscmd /usr/bin/xz\ncompressext .xz\ncompressoptions -1",
        ),
        consumes(
            "xz at once",
            LIVE,
            "create\nrotate 9\ncompress\ncompresscmd /usr/bin/xz\ncompressext .xz\ncompressoptions -1",
        ),
        renames(
            "zstd delayed",
            LIVE,
            "create\nrotate 9\ncompress\ndelaycompress\ncompresscmd /usr/bin/zstd\ncompressext .zst\ncompressoptions -q",
        ),
        consumes(
            "zstd at once family",
            FAMILY,
            "create\nrotate 9\ncompress\ncompresscmd /usr/bin/zstd\ncompressext .zst\ncompressoptions -q",
        ),
        renames(
            "bzip2 delayed family",
            FAMILY,
            "create\nrotate 9\ncompress\ndelaycompress\ncompresscmd /usr/bin/bzip2\ncompressext .bz2",
        ),
        consumes(
            "bzip2 at once",
            LIVE,
            "create\nrotate 9\ncompress\ncompresscmd /usr/bin/bzip2\ncompressext .bz2",
        ),
    ]
}

fn dates_and_gzip() -> Row {
    dates(
        "dateext gzip delayed",
        LIVE,
        "create\nrotate 9\ncompress\ndelaycompress\ndateext\ndateformat -%Y%m%d-%s",
    )
}

pub fn copying() -> Vec<Row> {
    vec![
        copies("copytruncate", LIVE, "copytruncate\nrotate 9"),
        copies("copytruncate family", FAMILY, "copytruncate\nrotate 9"),
        copies("copytruncate gzip", LIVE, "copytruncate\nrotate 9\ncompress"),
        copies(
            "copytruncate gzip delayed",
            LIVE,
            "copytruncate\nrotate 9\ncompress\ndelaycompress",
        ),
        logrotate(
            "copytruncate dateext",
            LIVE,
            Reopen::Never,
            Seconds(1),
            "copytruncate\nrotate 9\ndateext\ndateformat -%s",
        ),
        copies(
            "copytruncate olddir known",
            &["log/app.log", "old/app.log*"],
            "copytruncate\nrotate 9\nolddir {}/old\ncreateolddir 755",
        )
        .known(&["log", "old"]),
        logrotate(
            "copytruncate dateext gzip olddir known",
            &["log/app.log", "old/app.log*"],
            Reopen::Never,
            Seconds(1),
            "copytruncate\nrotate 9\ndateext\ndateformat -%s\ncompress\nolddir {}/old\ncreateolddir 755",
        )
        .known(&["log", "old"]),
        copies(
            "copytruncate extension",
            LIVE,
            "copytruncate\nrotate 9\nextension .log",
        ),
        copies("copytruncate rotate 0", LIVE, "copytruncate\nrotate 0").empties(),
        copies("copy", LIVE, "copy\nrotate 9"),
        copies("copy family", FAMILY, "copy\nrotate 9"),
        copies("copy gzip family", FAMILY, "copy\nrotate 9\ncompress"),
    ]
}

fn saved(name: &str, patterns: &'static [&'static str], options: &[&str]) -> Row {
    let words = ["/usr/bin/savelog"]
        .iter()
        .chain(options)
        .chain(&["{}/log/app.log"]);
    let rotate = Rotate::Command(words.map(|word| (*word).to_owned()).collect());
    let rotator = Rotator::File {
        rotate,
        reopen: Reopen::AtOnce,
        clock: Always,
    };
    Row::new(&format!("savelog {name}"), patterns, rotator)
}

pub fn savelog() -> Vec<Row> {
    vec![
        saved("-n", LIVE, &["-n", "-c", "9"]),
        saved("gzip", LIVE, &["-c", "9"]),
        saved("gzip family", FAMILY, &["-c", "9"]),
        saved("-l", LIVE, &["-l", "-c", "9"]),
        saved("bzip2", LIVE, &["-j", "-c", "9"]),
        saved("xz family", FAMILY, &["-J", "-c", "9"]),
        saved("-c 2", LIVE, &["-l", "-c", "2"]).destroys(&[Down]),
    ]
}
