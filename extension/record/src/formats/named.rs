//! The formats that have a name: one row each.

use std::sync::LazyLock;

use regex::bytes::Regex;

use super::{Format, Names, Pattern, Texts, compile};

/// A named format.
struct Row {
    name: &'static str,
    /// The lines that begin a record, with the groups of [`Pattern`]. A line whose level neither
    /// the group nor the texts below name is left to the general reading.
    lines: &'static [&'static str],
    /// The messages that are never an error, those that are FATAL, those that are an ERROR.
    quiet: &'static str,
    fatal: &'static str,
    error: &'static str,
    /// Any line begins a record unless it looks like a part of a trace.
    plain: bool,
}

const NO_TEXTS: Row = Row {
    name: "",
    lines: &[],
    quiet: "",
    fatal: "",
    error: "",
    plain: false,
};

#[rustfmt::skip]
const ROWS: &[Row] = &[
    Row { name: "apache", lines: &[r"^\[(?<time>[^\]]+)\] \[(?:[^\]:]*:)?(?<level>[a-z]+)\d?\] (?<message>.*)$"], ..NO_TEXTS },
    Row { name: "barman", lines: &[r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} \[\d+\] "], ..NO_TEXTS },
    Row {
        name: "ceph",
        lines: &[
            r"^(?<time>\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\.\d+(?:[+-]\d{4})?) [0-9a-f]+ (?<error>-1) (?<message>.*)$",
            r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\.\d+",
        ],
        ..NO_TEXTS
    },
    Row {
        name: "chronyd",
        lines: &[r"^(?<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ) (?<message>.*)$"],
        error: r"^(?:Could not|Can't|Cannot) |^Failed to ",
        ..NO_TEXTS
    },
    Row {
        name: "collectd",
        lines: &[r"^\[(?<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)\] (?:\[(?<level>[a-z]+)\] )?(?<message>.*)$"],
        error: r"Could not |[Ff]ailed|[Cc]annot |[Uu]nable to ",
        ..NO_TEXTS
    },
    Row {
        name: "docker",
        lines: &[r"^(?<message>\S.*)$"],
        quiet: r"^time=",
        error: r"^(?:containerd: )?(?:failed to|unable to|could not|cannot) ",
        plain: true,
        ..NO_TEXTS
    },
    Row {
        name: "exim",
        lines: &[r"^(?<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?(?: [+-]\d{4})?) (?:\[\d+\] )?(?<message>.*)$"],
        quiet: r"\] (?:F=<[^>]*> )?rejected |^SMTP |error ignored$",
        fatal: r"^Failed to create spool file|^Exim configuration error: ",
        error: r"^socket bind\(\)|configuration error|temporarily rejected .*(?:unknown|lookup|failed|error)|defer \(-1\d\)|lost privilege|^(?:daemon|queue run).*failed|[Cc]annot |[Ff]ailed to |[Uu]nable to |permission denied|[Nn]o space left|malware acl condition: .*(?:unable|failed)",
        ..NO_TEXTS
    },
    Row {
        name: "frr",
        lines: &[
            r"^(?<time>\d{4}/\d\d/\d\d \d\d:\d\d:\d\d(?:\.\d+)?) [A-Z0-9]+: (?:\[[A-Z0-9-]+\])(?<error>\[EC 10066\d+\])? ?(?<message>.*)$",
            r"^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d",
            r"^(?<message>(?<error>privs_init: ).*)$",
        ],
        ..NO_TEXTS
    },
    Row {
        name: "haproxy",
        lines: &[r"^(?<message>\S.*)$"],
        quiet: r"^(?:Proxy|Server) \S+ (?:started|stopped|is UP)",
        fatal: r"^(?:backend|proxy) '?\S+ has no server available!",
        error: r"^Connect\(\) failed |^Server \S+ is DOWN.* 0 active and 0 backup servers left",
        plain: true,
    },
    Row { name: "icinga", lines: &[r"^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4}\] ", r"^\[\d{10}\] "], ..NO_TEXTS },
    Row {
        name: "influxdb",
        lines: &[r"^(?<message>\S.*)$"],
        fatal: r"^run: ",
        plain: true,
        ..NO_TEXTS
    },
    Row {
        name: "keepalived",
        lines: &[r"^(?<time>\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}): (?<message>.*)$"],
        quiet: r"^NOTICE|WARNING",
        error: r"Unknown keyword|Non-existent|[Cc]annot |[Cc]an't |missing |Unknown interface|[Ff]ailed|[Uu]nable to |permanent error|Error",
        ..NO_TEXTS
    },
    Row { name: "laravel", lines: &[r"^\[(?<time>\d{4}-[^\]]+)\] (?:[^ :]+\.)?(?<level>[A-Za-z]+): (?<message>.*)$"], ..NO_TEXTS },
    Row {
        name: "lighttpd",
        lines: &[r"^(?<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d): \([^)]*\) (?<message>.*)$"],
        quiet: r"^(?i:warning)|password doesn't match|^server st",
        error: r"failed|[Cc]an't |[Cc]annot |are down\.|unknown config|undefined|Going down|not found|refused|denied|exceeded",
        ..NO_TEXTS
    },
    Row { name: "log4j", lines: &[r"^(?<time>\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?) +(?:\[[^\]]*\] +)?(?<level>[A-Z]+) +(?<message>.*)$"], ..NO_TEXTS },
    Row { name: "monit", lines: &[r"^\[[^\]]*\d\d:\d\d:\d\d[^\]]*\] "], ..NO_TEXTS },
    Row { name: "nagios", lines: &[r"^\[\d{10}\] "], ..NO_TEXTS },
    Row {
        name: "named",
        lines: &[
            r"^(?<time>\d\d-\w{3}-\d{4} \d\d:\d\d:\d\d(?:\.\d{3})?) (?<message>.*)$",
            r"^(?<message>\S.*)$",
        ],
        quiet: r"\b(?:info|notice|warning|debug \d+): ",
        error: r"^loading configuration: |failed|not loaded due to errors|file not found|permission denied",
        plain: true,
        ..NO_TEXTS
    },
    Row { name: "nginx", lines: &[r"^(?<time>\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) \[(?<level>[a-z]+)\] (?<message>.*)$"], ..NO_TEXTS },
    Row {
        name: "opensmtpd",
        lines: &[r"^(?<message>\S.*)$"],
        quiet: r"^(?:info|warn|debug): |already listening$",
        fatal: r"^\S+: fatal: ",
        error: r"syntax error|[Nn]o such |in use$|invalid |: fopen: |[Pp]ermission denied|[Cc]annot |failed",
        plain: true,
    },
    Row {
        name: "openvpn",
        lines: &[
            r"^(?<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d|\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}) (?:us=\d+ )?(?<message>.*)$",
            r"^Options error: ",
        ],
        quiet: r"^(?:SIG|WARNING|NOTE)|process restarting$",
        fatal: r"^Exiting due to fatal error",
        error: r"failed|[Cc]annot |TLS Error|AUTH_FAILED|ERROR:|\(errno=|Connection refused",
        ..NO_TEXTS
    },
    Row {
        name: "openwrt",
        lines: &[
            r"^(?<time>\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}) \w+\.(?<level>emerg|alert|crit|err|warn|notice|info|debug) (?:[^ :\[]+(?:\[\d+\])?: )?(?<message>.*)$",
        ],
        ..NO_TEXTS
    },
    Row { name: "pgpool", lines: &[r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{3})?: .* pid \d+: (?:[A-Z]+\d?): "], ..NO_TEXTS },
    Row {
        name: "postgresql",
        lines: &[r"^(?<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)? [A-Z0-9+-]+)[ :].*?(?<level>[A-Z]{3,}\d?|[^ :\]]*[\x80-\xFF][^ :\]]*) ?:  (?<message>.*)$"],
        plain: true,
        ..NO_TEXTS
    },
    // csvlog: eleven columns before the severity, the message after its SQLSTATE; the manual's
    // table 20.4.
    Row {
        name: "postgresql-csv",
        lines: &[r#"^(?<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} [A-Z0-9+:-]+)(?:,(?:"(?:[^"]|"")*"|[^",]*)){10},(?<level>[^,"]+),[0-9A-Z]{5},"?(?<message>(?:[^"]|"")*)"#],
        ..NO_TEXTS
    },
    Row { name: "python", lines: &[r"^(?<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:[.,]\d+)?) - [^ ]+ - (?<level>[A-Z]+) - (?<message>.*)$"], ..NO_TEXTS },
    Row { name: "redis", lines: &[r"^\d+:[A-Z] \d\d \w{3} \d{4} \d\d:\d\d:\d\d\.\d{3} [.*#-] "], ..NO_TEXTS },
    Row { name: "ruby", lines: &[r"^[A-Z], \[(?<time>[^ \]]+)[^\]]*\] +(?<level>[A-Z]+) -- [^:]*: (?<message>.*)$"], ..NO_TEXTS },
    Row {
        name: "samba",
        lines: &[r"^\[\d{4}/\d\d/\d\d \d\d:\d\d:\d\d", r"^(?<message>(?<error>Unknown parameter encountered: ).*)$"],
        ..NO_TEXTS
    },
    Row {
        name: "slapd",
        lines: &[r"^(?<time>[0-9a-f]{8}\.[0-9a-f]{5,8})(?: 0x[0-9a-f]+)? (?<message>.*)$"],
        quiet: r"^conn=",
        fatal: r"^daemon: \w+\(.*failed|: line \d+: |^could not |^slap\w+: .*failed|^slapd stopped",
        error: r"failed|corrupt|unable to |cannot ",
        ..NO_TEXTS
    },
    Row {
        name: "squid",
        lines: &[r"^(?<time>\d{4}/\d\d/\d\d \d\d:\d\d:\d\d)(?: kid\d+)?\| (?<message>.*)$"],
        quiet: r"^(?:WARNING|NOTICE|ERROR|FATAL|SECURITY|BUG)\b|unrecognized: ",
        fatal: r"^assertion failed",
        error: r"^(?:comm\w*|diskHandleWrite|storeDir\w*) .*(?:[Cc]annot|failed)|^(?:Cannot|Failed to|Unable to) ",
        ..NO_TEXTS
    },
    Row {
        name: "strongswan",
        lines: &[r"^(?:(?<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?|\w{3} [ \d]\d \d\d:\d\d:\d\d) )?\d\d\[[A-Z]{3}\d?\] (?<message>.*)$"],
        quiet: r"ignored$|^loaded plugins|^SIG|retransmit|received .* error notify",
        error: r"failed|unable to |could not |already running|error|invalid |abort",
        ..NO_TEXTS
    },
    Row {
        name: "uwsgi",
        lines: &[r"^(?:(?<time>\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}) - )?(?<message>\S.*)$"],
        quiet: r"^\[pid: |WARNING|^probably another",
        error: r"^(?:bind|listen|socket|connect|realpath|open)\(\)|^(?:failed|unable) to |UNABLE to |no app loaded|^!!! ",
        plain: true,
        ..NO_TEXTS
    },
    Row {
        name: "websphere",
        lines: &[r"^\[(?<time>[^\]]+)\] [0-9a-f]{8} \S+ +(?:(?<fatal>F)|(?<error>E)|[A-Z]) +(?<message>.*)$"],
        ..NO_TEXTS
    },
    Row {
        name: "zabbix",
        lines: &[
            r"^ *\d+:(?<time>\d{8}:\d{6}\.\d{3}) (?<message>.*)$",
            r"^zabbix_\w+ \[\d+\]: (?<message>.*)$",
        ],
        fatal: r"^unknown parameter|^cannot (?:start|open log|initialize)|^Got signal .*SIGSEGV|^One child process died",
        error: r"^\[Z\d+\]|^database is down|^ERROR|[Cc]annot |failed|became unsupported|unavailable",
        ..NO_TEXTS
    },
];

/// Returns the format of a name.
pub(super) fn find(name: &str) -> Option<Format> {
    let row = ROWS.iter().find(|row| row.name == name)?;
    let text = |text: &str| (!text.is_empty()).then(|| compile(text)).and_then(Result::ok);
    let patterns: Vec<Pattern> = row
        .lines
        .iter()
        .filter_map(|lines| {
            let regex: Regex = compile(lines).ok()?;
            Some(Pattern {
                regex,
                names: Names::default(),
                levels: Vec::new(),
                times: Vec::new(),
            })
        })
        .collect();
    let of_texts = row.lines.iter().all(|lines| !lines.contains("(?<level>"))
        || !(row.error.is_empty() && row.fatal.is_empty());
    Some(Format {
        patterns,
        plain: row.plain,
        texts: of_texts.then(|| Texts {
            quiet: text(row.quiet),
            fatal: text(row.fatal),
            error: text(row.error),
        }),
        otherwise: None,
    })
}

/// Returns the names, for messages.
pub(super) fn names() -> String {
    static NAMES: LazyLock<String> =
        LazyLock::new(|| ROWS.iter().map(|row| row.name).collect::<Vec<_>>().join(", "));
    NAMES.clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_named_format_compiles() {
        for row in ROWS {
            let format = find(row.name).unwrap();
            assert_eq!(format.patterns.len(), row.lines.len(), "{}", row.name);
            for text in [row.quiet, row.fatal, row.error] {
                assert!(compile(text).is_ok(), "{}: {text}", row.name);
            }
        }
        let mut names: Vec<&str> = ROWS.iter().map(|row| row.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ROWS.len());
    }
}
