//! Formats: named ones, expressions, and files of lnav.

use logwatch_record::Level;
use logwatch_record::formats::{Format, FormatError, Formats};

fn message(format: &Format, line: &str) -> String {
    let headline = format.headline(line.as_bytes()).unwrap();
    let time = headline.time.unwrap_or_default();
    format!("{time}|{}|{}", headline.level, headline.message)
}

#[test]
fn named_formats_read_their_programs() {
    for (name, line, expected) in [
        (
            "apache",
            "[Sun Nov 22 10:00:00.123 2026] [core:error] [pid 1] AH00037: x",
            "Sun Nov 22 10:00:00.123 2026|ERROR|[pid 1] AH00037: x",
        ),
        (
            "postgresql",
            "2026-11-22 10:00:00.123 UTC [1] a@b ERROR:  x",
            "2026-11-22 10:00:00.123 UTC|ERROR|x",
        ),
        (
            "ruby",
            "E, [2026-11-22T10:00:00.123456 #1] ERROR -- app: x",
            "2026-11-22T10:00:00.123456|ERROR|x",
        ),
        (
            "zabbix",
            " 21494:20261128:015055.095 cannot connect to proxy",
            "20261128:015055.095|ERROR|cannot connect to proxy",
        ),
    ] {
        assert_eq!(message(&Format::parse(name).unwrap(), line), expected, "{name}");
    }
}

#[test]
fn labels_of_postgresql_belong_to_the_record_before() {
    let format = Format::parse("postgresql").unwrap();
    for label in ["DETAIL", "HINT", "STATEMENT", "CONTEXT", "QUERY", "LOCATION"] {
        let line = format!("2026-11-22 10:00:00.123 UTC [1] a@b {label}:  he wrote FATAL:  no");
        assert!(!format.starts(line.as_bytes()), "{line}");
    }
    for label in ["DÉTAIL", "ASTUCE ", "ПОДРОБНОСТИ"] {
        let line = format!("2026-11-22 10:00:00.123 UTC [1] {label}:  x FATAL:  no");
        assert!(!format.starts(line.as_bytes()), "{line}");
    }
    let line = "2026-11-22 10:00:00.123 MSK [1] a@b ОШИБКА:  x";
    assert_eq!(format.level(line.as_bytes()), Some(Level::Error));
    let line = b"2026-11-22 10:00:00.123 UTC [1] a@b FATAL:  the DETAIL:  of it";
    assert!(format.starts(line));
    assert_eq!(format.level(line), Some(Level::Fatal));
}

#[test]
fn an_expression_may_say_what_is_an_error() {
    let format =
        Format::parse(r"^(?<time>\S+) (?<message>(?:.*(?<error>failed)|.*(?<fatal>down)|.*).*)$").unwrap();
    assert_eq!(format.level(b"1 it failed"), Some(Level::Error));
    assert_eq!(format.level(b"1 it is down"), Some(Level::Fatal));
    assert_eq!(format.level(b"1 it is up"), None);
    assert_eq!(message(&format, "1 it failed"), "1|ERROR|it failed");
}

#[test]
fn a_level_for_the_lines_that_name_none() {
    let format = Format::parse(r"^(?<time>\d{4}-\S+ \S+) (?<message>.*)$")
        .unwrap()
        .with_level(Level::Error);
    assert_eq!(
        message(&format, "2026-11-22 10:00:00 frozen"),
        "2026-11-22 10:00:00|ERROR|frozen"
    );
    assert_eq!(format.level(b"2026-11-22 10:00:00 INFO x"), Some(Level::Info));
}

#[test]
fn an_empty_message_is_the_line() {
    let format = Format::parse(r"^(?<level>\w+):(?<message>.*)$").unwrap();
    assert_eq!(message(&format, "ERROR:"), "|ERROR|ERROR:");
}

#[test]
fn formats_are_tried_in_order() {
    let mut formats = Formats::default();
    formats.push(Format::parse("nginx").unwrap());
    formats.push(Format::parse(r"^(?<level>[A-Z]+) (?<message>.*)$").unwrap());
    assert_eq!(
        formats.level(b"2026/11/22 10:00:00 [crit] 1#1: x"),
        Some(Level::Fatal)
    );
    assert_eq!(formats.headline(b"ERROR x").unwrap().message, "x");
    assert!(!formats.starts(b"  a frame"));
}

#[test]
fn a_format_that_reads_no_level_is_refused() {
    let refused = |text: &str| Format::parse(text).unwrap_err().to_string();
    assert_eq!(
        refused(r"^(?<level>#|\*) (?<message>.*)$"),
        "the group (?<level>…) matches words that name no level: #, *; put those of errors into a \
         group (?<error>…) or (?<fatal>…)"
    );
    assert!(refused("^(?<level>failed|ERROR)").contains(": failed;"));
    assert_eq!(
        refused(r"^(?<level>\d+) "),
        "the group (?<level>…) matches no word that names a level; put what is an error into a group \
         (?<error>…) or (?<fatal>…)"
    );
    assert!(matches!(Format::parse("log5j"), Err(FormatError::NoGroup { .. })));
    assert!(matches!(Format::parse("("), Err(FormatError::Regex { .. })));
    for accepted in [
        r"^(?<level>[A-Z]+)",
        r"^(?<level>\w)",
        "^(?<level>INFO|ERROR)",
        r"^(?<time>\d+)",
    ] {
        assert!(Format::parse(accepted).is_ok(), "{accepted}");
    }
}

const LNAV: &str = r#"{
    "$schema": "https://lnav.org/schemas/format-v1.schema.json",
    "shop_log": {
        "title": "Shop",
        "description": "The shop's own log",
        "url": "https://shop.example.com",
        "regex": {
            "std": {
                "pattern": "^(?<timestamp>\\d{2}/\\d{2}/\\d{4} \\d{2}:\\d{2}:\\d{2}\\.\\d{3}) <(?<prio>\\d)> (?<body>.*)$"
            }
        },
        "timestamp-format": ["%d/%m/%Y %H:%M:%S.%L"],
        "level-field": "prio",
        "level": { "error": "3", "warning": "4", "fatal": "[0-2]" },
        "value": { "prio": { "kind": "integer" } },
        "sample": [
            { "line": "28/11/2026 01:33:51.123 <3> cannot pay", "level": "error" },
            { "line": "28/11/2026 01:33:51.123 <6> paid" }
        ]
    }
}"#;

#[test]
fn a_file_of_lnav_is_read() {
    let format = Format::lnav(LNAV).unwrap();
    assert_eq!(
        message(&format, "28/11/2026 01:33:51.123 <1> on fire"),
        "2026-11-28T01:33:51.123|FATAL|on fire"
    );
    assert_eq!(
        format.level(b"28/11/2026 01:33:51.123 <4> slow"),
        Some(Level::Warn)
    );
    assert!(!format.starts(b"  a second line"));
}

#[test]
fn a_file_of_lnav_that_does_not_hold_is_refused() {
    let refused = |from: &str, to: &str| Format::lnav(&LNAV.replace(from, to)).unwrap_err().to_string();
    assert_eq!(
        refused("<3> cannot", "<4> cannot"),
        "format \"shop_log\": its sample \"28/11/2026 01:33:51.123 <4> cannot pay\" reads as WARN \
         instead of ERROR"
    );
    assert_eq!(
        refused("28/11/2026 01:33:51.123 <6>", "today <6>"),
        "format \"shop_log\": its sample \"today <6> paid\" matches none of its expressions"
    );
    assert!(refused("(?<body>.*)", "(?<body>(?=x).*)").contains("look-around"));
    for json in ["\"json\": true", "\"file-type\": \"json\""] {
        assert!(refused("\"title\": \"Shop\"", json).contains("JSON lines"));
    }
    assert!(
        Format::lnav("{")
            .unwrap_err()
            .to_string()
            .starts_with("not an lnav format file: ")
    );
}
