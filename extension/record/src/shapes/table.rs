//! The table of shapes. A row earlier in the table is tried earlier.

use super::{Row, Says};
use crate::level::Level::{self, *};

const PLURALS: &[(&str, Level)] = &[
    ("emergencies", Fatal),
    ("alerts", Fatal),
    ("critical", Fatal),
    ("errors", Error),
    ("warnings", Warn),
    ("notifications", Info),
    ("informational", Info),
    ("debugging", Debug),
];

/// cups: emergency, alert, critical, error, warning, notice, info, debug, and more debug.
const CUPS: &[(&str, Level)] = &[
    ("X", Fatal),
    ("A", Fatal),
    ("C", Fatal),
    ("E", Error),
    ("W", Warn),
    ("N", Info),
    ("I", Info),
    ("D", Debug),
];

/// Go's capnslog: critical, error, warning, notice, info, debug, trace.
const CAPNSLOG: &[(&str, Level)] = &[
    ("C", Fatal),
    ("E", Error),
    ("W", Warn),
    ("N", Info),
    ("I", Info),
    ("D", Debug),
    ("T", Debug),
];

/// The severities of syslog as numbers.
const SYSLOG: &[(&str, Level)] = &[
    ("0", Fatal),
    ("1", Fatal),
    ("2", Fatal),
    ("3", Error),
    ("4", Warn),
    ("5", Info),
    ("6", Info),
    ("7", Debug),
];

/// The kinds of Erlang's reports.
const REPORTS: &[(&str, Level)] = &[
    ("ERROR", Error),
    ("CRASH", Error),
    ("SUPERVISOR", Error),
    ("WARNING", Warn),
    ("NOTICE", Info),
    ("INFO", Info),
    ("PROGRESS", Info),
];

/// The classes of BIRD. RMT and AUTH are mistakes of a peer.
const BIRD: &[(&str, Level)] = &[
    ("FATAL", Fatal),
    ("BUG", Fatal),
    ("ERR", Error),
    ("AUTH", Warn),
    ("RMT", Warn),
    ("WARN", Warn),
    ("INFO", Info),
    ("TRACE", Debug),
    ("DBG", Debug),
];

/// The first words of dnsmasq's lines about a query, before the name that was asked for.
const DNSMASQ: &[(&str, Level)] = &[
    ("query", Info),
    ("forwarded", Info),
    ("reply", Info),
    ("cached", Info),
    ("config", Info),
    ("validation", Info),
];

/// The types of Privoxy's lines that quote what a client asked for.
const PRIVOXY: &[(&str, Level)] = &[
    ("Request", Info),
    ("Connect", Info),
    ("Crunch", Info),
    ("Header", Debug),
    ("Redirect", Info),
    ("Filter", Debug),
    ("Received", Debug),
];

/// gluster: emergency, alert, critical, error, warning, notice, info, debug, trace.
const GLUSTER: &[(&str, Level)] = &[
    ("M", Fatal),
    ("A", Fatal),
    ("C", Fatal),
    ("E", Error),
    ("W", Warn),
    ("N", Info),
    ("I", Info),
    ("D", Debug),
    ("T", Debug),
];

/// nagios and icinga 1: the state that an object has changed to.
const STATES: &[(&str, Level)] = &[
    ("CRITICAL", Fatal),
    ("DOWN", Fatal),
    ("UNREACHABLE", Fatal),
    ("UNKNOWN", Error),
    ("WARNING", Warn),
    ("OK", Info),
    ("UP", Info),
    ("RECOVERY", Info),
];

/// sssd's masks of debug levels: fatal, critical, serious, minor failures; then traces.
const SSSD: &[(&str, Level)] = &[
    ("0x0010", Fatal),
    ("0x0020", Fatal),
    ("0x0040", Error),
    ("0x0080", Warn),
    ("0x0100", Info),
    ("0x0200", Info),
    ("0x0400", Debug),
    ("0x1000", Debug),
    ("0x2000", Debug),
    ("0x4000", Debug),
];

/// The functions of samba that write notices at level 0.
const SAMBA_NOTICES: &[(&str, Level)] = &[
    ("main", Info),
    ("daemon_ready", Info),
    ("lpcfg_do_global_parameter", Info),
    ("lpcfg_do_service_parameter", Info),
    ("sig_term", Info),
    ("terminate", Info),
    ("initialize_winbindd_cache", Info),
    ("become_local_master_stage2", Info),
];

/// WebSphere and Liberty: fatal, error, warning, audit, information, configuration, output.
const WEBSPHERE: &[(&str, Level)] = &[
    ("F", Fatal),
    ("E", Error),
    ("W", Warn),
    ("A", Info),
    ("I", Info),
    ("C", Info),
    ("O", Info),
];

/// ESPHome and ESP-IDF: error, warning, information, configuration, debug, verbose.
const ESP: &[(&str, Level)] = &[
    ("E", Error),
    ("W", Warn),
    ("I", Info),
    ("C", Info),
    ("D", Debug),
    ("V", Debug),
    ("VV", Debug),
];

const FOUNDATIONDB: &[(&str, Level)] = &[
    ("40", Error),
    ("30", Warn),
    ("20", Warn),
    ("10", Info),
    ("5", Debug),
];

/// Verbosities above INFO of the C++ library loguru.
const VERBOSITY: &[(&str, Level)] = &[
    ("1", Debug),
    ("2", Debug),
    ("3", Debug),
    ("4", Debug),
    ("5", Debug),
    ("6", Debug),
    ("7", Debug),
    ("8", Debug),
    ("9", Debug),
];

/// The commands in the output of a job on GitHub or Azure.
const JOBS: &[(&str, Level)] = &[
    ("group", Info),
    ("endgroup", Info),
    ("command", Info),
    ("section", Info),
    ("add", Info),
];

/// Haraka's lines of SMTP, Liberty's and GlassFish's notices, and measurements.
const KINDS: &[(&str, Level)] = &[
    ("PROTOCOL", Debug),
    ("DATA", Debug),
    ("AUDIT", Info),
    ("ACTION", Info),
    ("NOTIFICATION", Info),
    ("METRIC", Info),
    ("PERF", Info),
    ("PROFILE", Info),
    ("TIMING", Info),
];

/// Oracle's diagnostic logs.
const ODL: &[(&str, Level)] = &[("INCIDENT_ERROR", Fatal), ("NOTIFICATION", Info)];

const UNREAL: &[(&str, Level)] = &[("Display", Info), ("Log", Info), ("VeryVerbose", Debug)];

/// The marks and words of Redis: `#` is a warning unless its text says more.
const REDIS: &[(&str, Level)] = &[
    ("^warning", Warn),
    ("abort", Fatal),
    ("^fatal", Fatal),
    ("fatal error", Fatal),
    ("exiting", Fatal),
    ("crashed by signal", Fatal),
    ("^failed", Error),
    ("error$", Error),
    ("can't ", Error),
    ("^can't", Error),
];

const PHP: &[(&str, Level)] = &[
    ("php fatal error:", Fatal),
    ("php parse error:", Fatal),
    ("php recoverable fatal error:", Error),
];

const fn row(name: &'static str, like: &'static str, says: Says, example: &'static str) -> Row {
    Row {
        name,
        like,
        says,
        example,
    }
}

/// One row a line, for programs that write a time first, then for others.
#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    // One-letter, numbered and plural levels.
    row("glog", "{level}{mmdd} {pid.digits} {caller}] {message}", Says::Letter, "E1122 10:00:00.123456   12345 reflector.go:125] Failed to list *v1.Pod: x"),
    row("glog without a thread", "{level}{mmdd} {caller}] {message}", Says::Letter, "W20261122 10:00:00.123456 main.cc:12] Check failed"),
    row("cockroach", "{level}{mmdd} {thread.digits} {caller} {message}", Says::Letter, "E261128 01:35:33.123456 123 server/server.go:1234 ⋮ [n1] 12  failed to start server"),
    row("pytorch", "[{level}{mmdd} {caller}] {message}", Says::Letter, "[E1128 01:35:33.123456 ProcessGroupNCCL.cpp:616] [Rank 0] Watchdog caught a timeout"),
    row("esp-idf", "{level} ({_ticks.any}) {logger}: {message}", Says::Only(ESP), "E (12345) wifi: not ready"),
    row("esphome", "[{time}][{level}][{logger.any}]: {message}", Says::Only(ESP), "[01:35:33][E][mqtt:212]: Could not reach the broker"),
    row("ray", "[{time}^{level}^{pid.digits} {thread.digits}]^{message}", Says::Letter, "[2026-11-28 01:35:33,123 E 4711 4712] (raylet) x.cc:12: could not start"),
    row("ray by a driver", "({worker.any}) [{time}^{level}^{pid.digits} {thread.digits}]^{message}", Says::Letter, "(RayTrainWorker pid=4711) [2026-11-28 01:35:33,123 C 4711 4712] task_receiver.cc:213:  Check failed: x"),
    row("onnxruntime", "{time} [{level}:{logger.any}, {caller.any}] {message}", Says::Letter, "2026-11-28 01:35:33.123456789 [E:onnxruntime:Default, x.cc:12 f] could not start"),
    row("etcd before 3.4", "{time}^{level}^|^{message}", Says::Only(CAPNSLOG), "2026-11-28 01:35:33.123456 E | rafthttp: failed to dial 8e9e05c52164694d on stream Message (EOF)"),
    row("telegraf", "{time}^{level}!^{message}", Says::Letter, "2026-11-28T01:35:33Z E! [agent] Error writing to outputs.influxdb: could not write any address"),
    row("tensorflow", "{time}: {level} {caller.place}] {message}", Says::Letter, "2026-11-28 01:35:33.123456: E tensorflow/stream_executor/cuda/cuda_driver.cc:318] failed call to cuInit"),
    row("datadog", "{time} | {program.upper} | {level} | ({caller.any}) | {message}", Says::Words(&[]), "2026-11-28 01:35:33 UTC | TRACE | ERROR | (pkg/trace/api/api.go:437 in handleTraces) | Cannot decode traces"),
    row("gitea", "{time} {caller.place} [{level}]^{message}", Says::Letter, "2026/11/28 01:35:33 cmd/web.go:123:runWeb() [F] Failed to start server"),
    row("gitea with a request", "{time} [{_id.hex}-{_number.digits}] {caller.place} [{level}]^{message}", Says::Letter, "2026/11/28 01:35:33 [673f5a1b-2] web/x.go:1:f() [E] could not render"),
    row("a letter in brackets", "{time} [{level}] {message}", Says::Letter, "2026-11-28 01:35:33 [E] could not start"),
    row("tensorrt", "[{time}] [{level}] {message}", Says::Letter, "[11/28/2026-01:35:33] [E] could not start"),
    row("tensorrt with a component", "[{time}] [{logger.upper}] [{level}] {message}", Says::Letter, "[11/28/2026-01:35:33] [TRT] [E] 3: could not start"),
    row("stunnel", "{time}^LOG{level}[{thread}]:^{message}", Says::Only(SYSLOG), "2026.11.28 01:35:33 LOG3[ui]: SSL_accept: Peer suddenly disconnected"),
    row("bird", "{time}^<{level}>^{message}", Says::Only(BIRD), "2026-11-28 01:35:33.123 <BUG> rt_notify: unexpected state"),
    row("android", "{time} {pid.digits} {_tid.digits}^{level}^{logger.any}:{message}", Says::Letter, "11-22 10:00:00.123  1234  1235 E AndroidRuntime: FATAL EXCEPTION: main"),
    row("android with users", "{time} {_uid.digits} {pid.digits} {_tid.digits}^{level}^{logger.any}:{message}", Says::Letter, "11-22 10:00:00.123  1000  1234  1235 E AndroidRuntime: FATAL EXCEPTION: main"),
    row("android's short time", "{time} {level}/{logger.any}(~{pid.digits}):{message}", Says::Letter, "11-22 10:00:00.123 E/ActivityManager( 1234): ANR in com.example"),
    row("android's brief form", "{level}/{logger.any}(~{pid.digits}):{message}", Says::Letter, "E/ActivityManager( 1234): ANR in com.example"),
    row("mongodb before 4.4", "{time}^{level}^{logger.upper} [{thread.any}]{message}", Says::Letter, "2026-11-22T10:00:00.123+0000 E STORAGE  [initandlisten] WiredTiger error"),
    row("tornado", "[{level}^{time} {logger}]{message}", Says::Letter, "[E 261122 10:00:00 web:2064] 500 GET /x (127.0.0.1) 1.00ms"),
    row("tornado without a logger", "[{level}^{time}]{message}", Says::Letter, "[E 2026-11-22 10:00:00.123] x"),
    row("ceph", "{time} {thread.hex} -1 {message}", Says::Always(Error), "2026-11-28T01:35:33.648+0000 7f12e5ad8640 -1 osd.3 0 OSD::init() : unable to read osd superblock"),
    row("erlang's reports", "{time} ={level} REPORT===={message}", Says::Only(REPORTS), "2026-11-28 01:35:33 =ERROR REPORT===="),
    row("passenger", "[ {level} {time} {thread} {caller} ]: {message}", Says::Only(CAPNSLOG), "[ E 2026-11-28 01:35:33.1234 4711/T1f age/Cor/App/Poo.h:123 ]: Could not spawn process"),
    row("questdb", "{time} {level} {logger.dotted} {message}", Says::Only(&[("C", Fatal), ("E", Error)]), "2026-11-28T01:35:33.123456Z E i.q.c.p.PGConnectionContext could not parse [pos=1]"),
    row("websphere", "[{time}] {thread.hex} {logger} {level} {message}", Says::Only(WEBSPHERE), "[11/28/26 1:35:33:123 UTC] 00000001 SystemOut     O   error in my text"),
    row("foundationdb", "<Event Severity=\"{level}\" Time=\"{time}\" {message}", Says::Only(FOUNDATIONDB), "<Event Severity=\"40\" Time=\"1795829733.123456\" Type=\"DiskError\" />"),
    row("loguru", "{time} (~{_up.digits}.{_part.digits}s) [{thread.any}] {_file}:{_line.digits} {level}| {message}", Says::Words(VERBOSITY), "2026-11-28 01:35:33.123 (   0.001s) [main thread     ]           main.cpp:42       1| error"),
    row("cups and cometbft", "{level}~[{time}]~{message}", Says::Only(CUPS), "E [28/Nov/2026:01:32:59 +0000] cupsdLoadBanners: Unable to open banner directory"),
    row("gluster", "[{time}]^{level}^[MSGID: {code.digits}] [{caller}] {logger}: {message}", Says::Only(GLUSTER), "[2026-11-28 01:39:22.153680 +0000] E [MSGID: 101032] [store.c:461:gf_store_handle_retrieve] 0-: Path corresponding to /w."),
    row("gluster without a number", "[{time}]^{level}^[{caller}] {logger}: {message}", Says::Only(GLUSTER), "[2026-11-28 01:39:28.527124 +0000] E [socket.c:938:__socket_server_bind] 0-socket.management: binding to  failed"),
    row("samba at its start and its end", "[{time}, 0] {caller}({level})~{message}", Says::Only(SAMBA_NOTICES), "[2026/11/28 01:38:29.050031,  0] ../../source3/smbd/server.c:1741(main)"),
    row("samba", "[{time},^^{level}] {caller}({function})~{message}", Says::Words(&[("0", Error), ("1", Warn), ("2", Info), ("3", Info), ("4", Info), ("5", Info), ("6", Debug), ("7", Debug), ("8", Debug), ("9", Debug)]), "[2026/11/28 01:38:37.106679,  0] ../../lib/util/become_daemon.c:119(exit_daemon)"),
    row("samba with its process", "[{time},^^{level}, pid={pid.digits}, {_ids.any}] {caller}({function})~{message}", Says::Words(&[("0", Error), ("1", Warn), ("2", Info), ("3", Info), ("4", Info), ("5", Info), ("6", Debug), ("7", Debug), ("8", Debug), ("9", Debug)]), "[2026/11/28 01:38:37.106679,  0, pid=4711, effective(0, 0), real(0, 0)] ../../lib/util/x.c:119(exit_daemon)"),
    row("sssd with its process", "({time}): [be[{program}]] [{pid.digits}] [{function}] ({level}): {message}", Says::Only(SSSD), "(2026-11-28  1:45:45): [be[x]] [4711] [dp_req] (0x0040): Cannot start"),
    row("sssd", "({time}): [{program.any}] [{function}] ({level}): {message}", Says::Only(SSSD), "(2026-11-28  1:45:45): [sssd] [confdb_get_domain_internal] (0x0010): Unknown domain [x]"),
    row("sssd before 2", "({time}) [{program.any}]^[{function}] ({level}): {message}", Says::Only(SSSD), "(Sat Nov 28 01:45:45 2026) [sssd[be[x]]] [sdap_async_sys_connect_done] (0x0040): connect failed"),
    row("redis", "{pid.digits}:{_role} {time}^#^{message}", Says::Text(REDIS, Some(Warn)), "4843:M 28 Nov 2026 01:35:53.661 # Failed listening on port 6379 (TCP), aborting."),
    row("redis' notices", "{pid.digits}:{_role} {time} * {message}", Says::Always(Info), "4843:M 28 Nov 2026 01:35:53.661 * Ready to accept connections"),
    row("redis' details", "{pid.digits}:{_role} {time} - {message}", Says::Always(Debug), "4843:M 28 Nov 2026 01:35:53.661 - Accepted 127.0.0.1:1"),
    row("redis' debug lines", "{pid.digits}:{_role} {time} . {message}", Says::Always(Debug), "4843:M 28 Nov 2026 01:35:53.661 . x"),
    row("frr with a number", "{time} {level}: {logger}: [{code}][EC {_number.digits}] {message}", Says::Only(PLURALS), "2026/11/28 01:37:48.303 errors: ZEBRA: [SHWNK-NWT5S][EC 100663304] No such command on config line 5: foo bar"),
    row("frr", "{time} {level}: {logger}: [{code}]{message}", Says::Only(PLURALS), "2026/11/28 01:37:49.369 notifications: ZEBRA: [V98V0-MTWPF] client 26 connects"),
    row("plural levels", "{time} {level}: {message}", Says::Only(PLURALS), "2026/11/28 01:37:48.303 errors: BGP: x"),
    // Usual words in places where the general reading would not take them for the level.
    row("i2pd", "{time}@{_ms.digits}/{level} - {message}", Says::Words(&[("none", Info)]), "01:35:33@123/warn - Tunnel: error, pending build request"),
    row("i2pd with a date", "[{time}]@{_ms.digits}/{level} - {message}", Says::Words(&[("none", Info)]), "[28/Nov/2026:01:35:33 +0300]@706/warn - NTCP: error"),
    row("duplicati", "{time} - [{level}-{logger.any}]: {message}", Says::Words(&[("Profiling", Debug), ("Retry", Warn), ("DryRun", Info), ("ExplicitOnly", Info)]), "2026-11-28 01:35:33 +00 - [Error-Duplicati.Library.Main-FatalError]: x"),
    row("factorio", "{_up.digits}.{_part.digits} {level} {_file}:{_line.digits}: {message}", Says::Words(&[("Script", Info)]), "1.234 Error AppManager.cpp:307: Could not open the map"),
    row("aerospike at its end", "{time}: FAILED ASSERTION ({logger.any}): {message}", Says::Always(Fatal), "Nov 28 2026 01:35:33 GMT: FAILED ASSERTION (as): (as.c:1) x"),
    row("github's and azure's jobs", "{time} ##[{level}]{message}", Says::Words(JOBS), "2026-11-28T01:35:33.1234567Z ##[error]Process completed with exit code 1."),
    row("github's and azure's jobs without a time", "##[{level}]{message}", Says::Words(JOBS), "##[error]Bash exited with code '1'."),
    // Lines of a kind that is no error, in which a word of an error is quoted.
    row("kinds", "[{level}] {message}", Says::Only(KINDS), "[PROTOCOL] [-] [core] C: RCPT TO:<error@x> ERROR"),
    row("liberty's notices", "[AUDIT ] {message}", Says::Always(Info), "[AUDIT   ] CWWKT0016I: error"),
    row("kinds behind a time", "{time} [{level}] {message}", Says::Only(KINDS), "2026-11-28T01:35:33.123Z [PROTOCOL] [-] [core] C: RCPT TO:<error@x> ERROR"),
    row("odl", "[{time}] [{_server}] {here}[{level}]{message}", Says::Only(ODL), "[2026-11-28T01:35:33.123+00:00] [AdminServer] [NOTIFICATION] [] [oracle.error] x"),
    row("minetest", "{time}: {level}[{thread.any}]: {message}", Says::Words(&[("ACTION", Info)]), "2026-11-28 01:35:33: ACTION[Server]: error joins game"),
    row("domoticz", "{time} Status: {message}", Says::Always(Info), "2026-11-28 01:35:33.123  Status: error: x"),
    row("unreal", "[{time}][~{_frame.digits}]{logger}: {level}: {message}", Says::Words(UNREAL), "[2026.11.28-01.35.33:123][  0]LogNet: Error: Could not bind port 7777"),
    row("unreal's log lines", "[{time}][~{_frame.digits}]Log{_category}: {message}", Says::Always(Info), "[2026.11.28-01.35.33:123][  0]LogNet: error x"),
    row("chronicles' notices", "{level} {time} {message}", Says::Only(&[("NTC", Info), ("NOT", Info)]), "NTC 2026-11-28 01:35:33.123+00:00 error topics=\"net\""),
    row("rspamd's results", "{time} #{pid.digits}({_type.any}) <{_tag.any}>; task; {here}rspamd_task_write_log: {message}", Says::Nothing, "2026-11-28 01:35:33 #4711(normal) <a1b2c3>; task; rspamd_task_write_log: id: <error@x>, qid: <x>"),
    row("junos' commands", "{time} {host} mgd[{pid.digits}]: {here}UI_{message}", Says::Nothing, "Nov 28 01:35:33 r1 mgd[42]: UI_CMDLINE_READ_LINE: User 'error', command 'show log fatal'"),
    row("frr without levels", "{time} {logger.upper}: [{code.upper}]{message}", Says::Nothing, "2026/11/28 01:37:54 ZEBRA: [NTCMZ-C8X80][EC 100663303] Could not lock pid_file"),
    // Lines that quote names which others chose.
    row("freeradius", "{time} : {level}: {message}", Says::Words(&[("Auth", Info), ("Proxy", Info), ("Acct", Info)]), "Sat Nov 28 01:34:26 2026 : Auth: (2) Login incorrect: [error] (from client localhost port 0)"),
    row("freeradius with a request", "{time} : ({_request.digits}) {level}: {message}", Says::Words(&[("Auth", Info), ("Proxy", Info), ("Acct", Info)]), "Sat Nov 28 01:34:26 2026 : (2) Error: x"),
    row("mosquitto", "{epoch}: {message}", Says::Start, "1795829743: Error: Address already in use"),
    row("exim of a host", "{time} {here}H={message}", Says::Nothing, "2026-11-28 01:58:17 H=(error) [127.0.0.1] F=<error@example.org> rejected RCPT <no@example.com>: denied here"),
    row("exim of a session", "{time} {here}SMTP {message}", Says::Nothing, "2026-11-28 01:58:17 SMTP connection from (error) [127.0.0.1] closed by QUIT"),
    row("exim of a message", "{time} {here}1{_id.any}-00{_number.any}-{_part} {message}", Says::Nothing, "2026-11-28 01:58:17 1xX7hh-0002A5-17 <= a@example.org H=(error) T=\"disk error on db1\""),
    row("exim of a login", "{time} {here}no host name found for {message}", Says::Nothing, "2026-11-28 01:58:17 no host name found for IP address 192.0.2.1"),
    row("dnsmasq", "{time} dnsmasq[{pid.digits}]: {here}{level}{message}", Says::Only(DNSMASQ), "Nov 28 01:35:33 dnsmasq[4711]: reply error is 192.0.2.1"),
    row("dnsmasq by syslog", "{time} {host} dnsmasq[{pid.digits}]: {here}{level}{message}", Says::Only(DNSMASQ), "Nov 28 01:35:33 gw1 dnsmasq[4711]: query[A] error from 127.0.0.1"),
    row("dnsmasq's leases", "{time} dnsmasq-dhcp[{pid.digits}]: {here}DHCP{message}", Says::Nothing, "Nov 28 01:35:33 dnsmasq-dhcp[4711]: DHCPACK(eth0) 192.0.2.7 00:11:22:33:44:55 error"),
    row("dnsmasq's leases by syslog", "{time} {host} dnsmasq-dhcp[{pid.digits}]: {here}DHCP{message}", Says::Nothing, "Nov 28 01:35:33 gw1 dnsmasq-dhcp[4711]: DHCPACK(eth0) 192.0.2.7 00:11:22:33:44:55 error"),
    row("cron", "{time} {host} {program}[{pid.digits}]: {here}({_user.any}) CMD ({message}", Says::Nothing, "Nov 28 01:35:33 web1 CRON[4711]: (root) CMD (/usr/local/bin/report --level error)"),
    row("sudo", "{time} {host} sudo: {here}{_user} : {message}", Says::Nothing, "Nov 28 01:35:33 web1 sudo:    error : TTY=pts/0 ; PWD=/home/error ; USER=root ; COMMAND=/bin/ls"),
    row("postfix", "{time} {host} {program.from:postfix}[{pid.digits}]: {message}", Says::Start, "Nov 28 01:35:33 mx1 postfix/cleanup[4711]: 4ABCD123: reject: header Subject: fatal error on db1 from localhost[127.0.0.1]"),
    row("db2diag", "{time} {here}{_code.upper} LEVEL: {level}{message}", Says::Words(&[("Event", Info)]), "2026-11-28-01.35.33.123456+060 E1234E456             LEVEL: Severe"),
    row("vsftpd", "{time} [pid {pid.digits}] {here}[{_user.any}] {message}", Says::Nothing, "Sat Nov 28 01:35:33 2026 [pid 4711] [error] FAIL LOGIN: Client \"127.0.0.1\""),
    row("proftpd's logins", "{time} {host} proftpd[{pid.digits}] {client.any} ({_peer.any}]): {here}USER {message}", Says::Nothing, "2026-11-28 01:35:33,123 web1 proftpd[4711] 127.0.0.1 (192.0.2.1[192.0.2.1]): USER error: no such user found"),
    row("snort's and suricata's alerts", "{time} {here}[**] [{_rule}] {message}", Says::Nothing, "11/28/2026-01:35:33.000000  [**] [1:1000001:1] ERROR in payload [**] [Priority: 0] {TCP} 192.0.2.1:5000 -> 192.0.2.2:80"),
    row("privoxy's requests", "{time} {thread.hex} {here}{level}: {message}", Says::Only(PRIVOXY), "2026-11-28 01:35:33.123 7f1c6b7ff6c0 Connect: to error:80 (failed)"),
    row("nagios service alerts", "[{time}] {here}SERVICE ALERT: {_host.any};{_service.any};{level};{_kind};{_try};{message}", Says::Only(STATES), "[1795830541] SERVICE ALERT: h1;errors;OK;HARD;1;OK - 0 errors"),
    row("nagios host alerts", "[{time}] {here}HOST ALERT: {_host.any};{level};{_kind};{_try};{message}", Says::Only(STATES), "[1795830538] HOST ALERT: h1;DOWN;HARD;1;no answer"),
    row("nagios flapping", "[{time}] {here}{_what.upper} FLAPPING ALERT: {message}", Says::Nothing, "[1795831118] SERVICE FLAPPING ALERT: h1;errors;STARTED; Service seems to flap"),
    row("nagios downtime", "[{time}] {here}{_what.upper} DOWNTIME ALERT: {message}", Says::Nothing, "[1795831118] SERVICE DOWNTIME ALERT: h1;errors;STARTED; x"),
    row("nagios commands", "[{time}] {here}EXTERNAL COMMAND: {message}", Says::Nothing, "[1795830537] EXTERNAL COMMAND: PROCESS_SERVICE_CHECK_RESULT;h1;errors;2;CRITICAL fatal error"),
    row("nagios passive checks", "[{time}] {here}PASSIVE {_what} CHECK: {message}", Says::Nothing, "[1795830537] PASSIVE SERVICE CHECK: h1;errors;2;CRITICAL - fatal error in app"),
    row("nagios notifications", "[{time}] {here}{_what.upper} NOTIFICATION: {message}", Says::Nothing, "[1795830532] SERVICE NOTIFICATION: admin;h1;errors;CRITICAL;notify;CRITICAL - fatal error in app"),
    row("nagios states", "[{time}] {here}{_when.upper} {_what.upper} STATE: {message}", Says::Nothing, "[1795831115] INITIAL SERVICE STATE: h1;errors;CRITICAL;HARD;1;CRITICAL - fatal error in app"),
    row("nagios handlers", "[{time}] {here}{_what.upper} EVENT HANDLER: {message}", Says::Nothing, "[1795831115] SERVICE EVENT HANDLER: h1;errors;CRITICAL;HARD;1;x"),
    row("php-fpm's messages", "[{time}] WARNING: [pool {pool}] child {pid.digits} {_verb} into {_stream}: \"{_kind}: PHP message: {message}", Says::Text(PHP, Some(Warn)), "[28-Nov-2026 01:30:59] WARNING: [pool www] child 31080 sa\x69d into stderr: \"NOTICE: PHP message: PHP Fatal error:  Uncaught RuntimeException\""),
    row("php-fpm's children", "[{time}] WARNING: [pool {pool}] child {pid.digits} {_verb} into {_stream}: {message}", Says::Text(PHP, Some(Warn)), "[28-Nov-2026 01:30:59] WARNING: [pool www] child 31080 sa\x69d into stderr: \"PHP Fatal error:  Uncaught RuntimeException\""),
    row("pgbouncer's log lines", "{time} [{pid.digits}] LOG {message}", Says::Always(Info), "2026-11-28 01:46:45.554 UTC [2351] LOG S-0x5581f1557db0: db/u@127.0.0.1:9 closing because: connect failed (age=0s)"),
    row("slapd", "{time} 0x{thread.hex} {here}conn={message}", Says::Nothing, "6b0a2f96.16f24533 0x7fd648bfd6c0 conn=1002 op=1 SRCH base=\"dc=x\" filter=\"(cn=fatal error)\""),
    row("uwsgi requests", "[pid: {pid.digits}|app: {_app.any}] {message}", Says::Nothing, "[pid: 31202|app: 0|req: 4/4] 127.0.0.1 () {24 vars in 281 bytes} [Sat Nov 28 01:31:05 2026] GET /errors?level=error => generated"),
    // Usual level words behind parts that leave the message.
    row("haproxy", "[{level}] ({pid.digits}) : {message}", Says::Word, "[ALERT]    (30953) : config : parsing [/etc/haproxy/haproxy.cfg:2] : unknown keyword 'foo' in 'global' section"),
    row("haproxy before 2.4", "[{level}] {_day.digits}/{_clock.digits} ({pid.digits}) : {message}", Says::Word, "[ALERT] 331/013055 (30953) : Starting proxy web: cannot bind socket"),
    row("pgpool", "{time}: {thread.any} pid {pid.digits}: {level}: {message}", Says::Word, "2026-11-28 01:48:29.517: main pid 9094: FATAL:  9 is outside the valid range"),
    row("pgbackrest", "{time} P{thread.digits} {level}: {message}", Says::Word, "2026-11-28 01:46:53.829 P00  ERROR: [075]: no backup set found to restore"),
    row("tomcat", "{time} {level} [{thread.any}] {logger.method} {message}", Says::Word, "28-Nov-2026 01:41:09.947 SEVERE [main] org.apache.catalina.util.LifecycleBase.handleSubClassException Failed to initialize component"),
    row("kea", "{time} {level} [{logger}/{pid.digits}.{thread.digits}] {message}", Says::Word, "2026-11-28 01:33:13.041 ERROR [kea-dhcp4.dhcp4/588.139628710973952] DHCP4_INIT_FAIL failed to initialize Kea server"),
    row("libvirt", "{time}: {pid.digits}: {level} : {caller} : {message}", Says::Word, "2026-11-28 01:42:55.691+0000: 30157: error : main:918 : Can't load config file"),
    row("libvirt without a place", "{time}: {pid.digits}: {level} : {message}", Says::Word, "2026-11-28 01:42:51.687+0000: 30102: info : libvirt version: 9.0.0"),
    row("jenkins", "{time} [id={thread.digits}] {level} {caller}: {message}", Says::Word, "2026-11-28 01:33:51.123+0000 [id=1]\tSEVERE\thudson.util.BootFailure#publish: Failed to initialize Jenkins"),
    row("prosody", "{time} {logger} {level}\t{message}", Says::Word, "Nov 28 01:35:33 portmanager\terror\tFailed to open server port 5222 on 127.0.0.1"),
    row("corosync", "{time} [{pid.digits}] {host} {program} {level} [{logger.any}] {message}", Says::Word, "Nov 28 01:38:59 [13572] web1 corosync error   [MAIN  ] Another Corosync instance is already running."),
    row("corosync's own file", "{time} {level} [{logger.upper}~] {message}", Says::Word, "Nov 28 01:38:59 error   [MAIN  ] Another Corosync instance is already running."),
    row("pacemaker", "{time} {host} {program} [{pid.digits}] ({function})~{level}: {message}", Says::Word, "Nov 28 01:38:59.378 web1 pacemaker-attrd     [13178] (pcmk_cpg_dispatch) \terror: Connection to the CPG API failed: Library error (2)"),
    row("fail2ban", "{time} {logger} [{pid.digits}]: {level} {message}", Says::Word, "2026-11-28 01:33:42,994 fail2ban.utils          [1285]: ERROR   7f219bac7230 -- returned 127"),
    row("gearmand", "{level} {time} [ {thread.any} ] {message}", Says::Word, "  ERROR 2026-11-28 01:33:51.000000 [     3 ] invalid command value"),
    row("monit", "[{time}] {level} : {message}", Says::Word, "[2026-11-28T01:50:59+0000] error    : 'nginx' process is not running"),
    row("tinyproxy", "{level} {time} [{pid.digits}]: {message}", Says::Word, "ERROR     Nov 28 01:35:33.123 [4711]: Could not create listening sockets."),
    row("tinyproxy's connections", "CONNECT {time} [{pid.digits}]: {message}", Says::Always(Info), "CONNECT   Nov 28 01:35:33.123 [4711]: Request (file descriptor 7): GET http://error/ HTTP/1.1"),
    row("privoxy", "{time} {thread.hex} {level}: {message}", Says::Word, "2026-11-28 01:35:33.123 7f1c6b7ff6c0 Error: could not resolve hostname db.example.com"),
    row("privoxy at its end", "{time} {thread.hex} Fatal error: {message}", Says::Always(Fatal), "2026-11-28 01:35:33.123 7f1c6b7ff6c0 Fatal error: can't bind to 127.0.0.1:8118"),
    row("log4perl", "{time} {level}> {caller.place} {function} - {message}", Says::Word, "2026/11/28 01:35:33 ERROR> x.pl:12 main::save - could not save"),
    row("log4net", "{time} [{thread.digits}] {level} {logger.dotted} [{_ndc.any}] - {message}", Says::Word, "2026-11-28 01:35:33,123 [4] ERROR Shop.Worker [(null)] - could not run"),
    row("vllm", "{level} {time} {caller.place}] {message}", Says::Word, "ERROR 11-28 01:35:33 engine.py:366] could not start"),
    row("lambda", "[{level}]\t{time}\t{request}\t{message}", Says::Word, "[ERROR]\t2026-11-28T01:35:33.123Z\t8e3f-x\tcould not save"),
    row("wireguard-go", "{level}: ({logger.any}) {time} {message}", Says::Word, "ERROR: (wg0) 2026/11/28 01:35:33 Failed to send handshake"),
    row("zigbee2mqtt before 1.38", "{level} {time}: {message}", Says::Word, "error 2026-11-28 01:35:33: Could not publish to 'x'"),
    row("freeswitch with a session", "{_a.hex}-{_b.hex}-{_c.hex}-{_d.hex}-{_e.hex} {time} [{level}] {message}", Says::Word, "b1a2c3d4-0000-0000-0000-000000000001 2026-11-28 01:35:33.123456 [CRIT] x.c:12 could not bind"),
    row("freeswitch with a session and its idle time", "{_a.hex}-{_b.hex}-{_c.hex}-{_d.hex}-{_e.hex} {time} {_idle} [{level}] {message}", Says::Word, "b1a2c3d4-0000-0000-0000-000000000001 2026-11-28 01:35:33.123456 99.10% [CRIT] x.c:12 could not bind"),
    row("maxscale", "{time} {level} : {message}", Says::Word, "2026-11-28 01:35:33   error  : Failed to bind on '[::]:4006'"),
    row("clickhouse", "{time} [ {thread.digits} ] {_query} <{level}> {message}", Says::Word, "2026.11.28 01:35:33.123456 [ 4711 ] {} <Error> Application: DB::Exception: x"),
    row("cassandra", "{level} [{thread.any}] {time} {caller} - {message}", Says::Word, "ERROR [main] 2026-11-28 01:35:33,123 CassandraDaemon.java:900 - Exception encountered during startup"),
    row("nats", "[{pid.digits}] {time} [{level}] {message}", Says::Word, "[4711] 2026/11/28 01:35:33.123456 [FTL] Error listening on port: 0.0.0.0:4222"),
    row("openvswitch", "{time}|{_number.digits}|{logger.any}|{level}|{message}", Says::Word, "2026-11-28T01:35:33.123Z|00001|ovsdb_server|ERR|ovsdb error: x"),
    row("kamailio", "{_worker.digits}({pid.digits}) {level}: <{logger.any}> [{caller.any}]: {message}", Says::Word, "0(4711) ERROR: <core> [core/tcp_main.c:2850]: tcp_init(): bind failed"),
    row("scylla", "{level} {time} [shard {shard.any}] {logger} - {message}", Says::Word, "ERROR 2026-11-28 01:35:33,123 [shard 0] storage_proxy - exception during mutation write"),
    row("home assistant", "{time} {level} ({thread.any}) [{logger.any}] {message}", Says::Word, "2026-11-28 01:35:33.123 ERROR (MainThread) [homeassistant.components.mqtt] Failed to connect"),
    row("artifactory", "{time} [{program}~] [{level}~] [{trace.any}] [{caller.any}] [{thread.any}] - {message}", Says::Word, "2026-11-28T01:35:33.123Z [jfrt ] [ERROR] [f47ac10b58cc4372] [o.a.s.StorageService:123] [http-nio-8081-exec-1] - Could not store"),
    row("frigate", "[{time}] {logger} {level} : {message}", Says::Word, "[2026-11-28 01:35:33] frigate.video                  ERROR   : front: Unable to read frames"),
    row("glassfish", "[#|{time}|{level}|{_product.any}|{logger.any}|{_keys.any}|{message}", Says::Word, "[#|2026-11-28T01:35:33.649+0200|SEVERE|Payara 4.1|javax.enterprise.logging|_ThreadID=18;_ThreadName=x;|"),
    row("nsqd", "[{program}] {time} {level}: {message}", Says::Word, "[nsqd] 2026/11/28 01:35:33.123456 ERROR: [127.0.0.1:50000] - E_BAD_TOPIC"),
    row("weblogic", "####<{time}> <{level}> <{logger.any}> {message}", Says::Word, "####<Nov 28, 2026 1:35:33,123 AM UTC> <Error> <JDBC> <host1> <AdminServer> <x> <BEA-001112> <Test failed>"),
    row("weblogic's console", "<{time}> <{level}> <{logger.any}> {message}", Says::Word, "<Nov 28, 2026 1:35:33 AM UTC> <Critical> <WebLogicServer> <BEA-000362> <Server failed.>"),
    row("zigbee2mqtt", "{program}:{level} {time}: {message}", Says::Word, "Zigbee2MQTT:error 2026-11-28 01:35:33: Publish 'set' failed"),
    row("couchbase", "[{logger}:{level},{time},{_place.any}]{message}", Says::Word, "[ns_server:error,2026-11-28T01:35:33.123Z,ns_1@127.0.0.1:<0.1.0>:misc:wait:42]Could not wait"),
    row("motion", "[{_camera.any}] [{level}] [{logger}] [{time}] {message}", Says::Word, "[1:ml1:cam] [ERR] [NET] [Nov 28 01:35:33] netcam_connect: no route"),
    row("jitsi", "{program.upper} {time} {level}: {message}", Says::Word, "JVB 2026-11-28 01:35:33.123 SEVERE: [42] Main.main#10: Could not start"),
    row("puppet", "{time} {program} ({level}): {message}", Says::Word, "2026-11-28 01:35:33 +0000 Puppet (err): Could not retrieve catalog from remote server"),
    row("krb5kdc", "{time} {host} {program}[{pid.digits}]({level}): {message}", Says::Word, "Nov 28 01:35:33 kdc1 krb5kdc[4711](Error): preauth (encrypted_timestamp) verify failure"),
    row("minecraft", "[{time}] [{thread.any}/{level}]: {message}", Says::Word, "[01:35:33] [Server thread/ERROR]: Encountered an unexpected exception"),
    row("clamd", "{time} -> {level}: {message}", Says::Word, "Sat Nov 28 01:39:36 2026 -> ERROR: Can't open file or directory"),
    row("clamd's console", "{level}: {time} -> {message}", Says::Word, "ERROR: Sat Nov 28 01:39:36 2026 -> Can't open file or directory"),
    row("libclamav", "LibClamAV {level}: {message}", Says::Word, "LibClamAV Error: cli_loaddbdir: No supported database files found in /db"),
    row("chronyd", "{time} Fatal error : {message}", Says::Always(Fatal), "2026-11-28T01:38:12Z Fatal error : Invalid directive at line 11 in file c2.conf"),
    row("strongswan", "{time} {thread.digits}[{logger.upper}] {message}", Says::Message, "2026-11-28T01:39:20.331 00[KNL1] received netlink error: No such file or directory (2)"),
    row("strongswan's console", "{thread.digits}[{logger.upper}] {message}", Says::Message, "00[CFG] syntax error, unexpected end of file, expecting : or '{' or '='"),
    row("nestjs", "[Nest] {pid.digits} - {time} {level} [{logger.any}] {message}", Says::Word, "[Nest] 4711  - 11/28/2026, 1:35:43 AM   ERROR [ExceptionsHandler] boom"),
    row("celery", "[{time}: {level}/{thread}] {message}", Says::Word, "[2026-11-28 01:33:51,123: ERROR/MainProcess] Task app.add raised unexpected"),
    row("icinga 2", "[{time}] {level}/{logger}: {message}", Says::Word, "[2026-11-28 01:33:51 +0000] critical/cli: Could not fetch listener"),
    row("unbound", "[{time}] {program}[{pid.digits}:{thread.digits}] {level}: {message}", Says::Word, "[1795829743] unbound[4711:0] error: bind: address already in use"),
    row("unbound without brackets", "{time} {program}[{pid.digits}:{thread.digits}] {level}: {message}", Says::Word, "Nov 28 01:35:33 unbound[4711:0] error: could not open ports"),
    row("unbound at its end", "[{time}] {program}[{pid.digits}:{thread.digits}] fatal error: {message}", Says::Always(Fatal), "[1795829743] unbound[4711:0] fatal error: could not open ports"),
    row("nsd", "[{time}] {program}[{pid.digits}]: {level}: {message}", Says::Word, "[2026-11-28 01:35:33.123] nsd[4711]: error: can't bind udp socket"),
    row("traffic server", "[{time}] traffic_{_part} {level}: {message}", Says::Word, "[Nov 28 01:35:33.123] traffic_server ERROR: failed to open /etc/trafficserver/plugin.config"),
    row("zabbix", "{pid.digits}:{time} {message}", Says::Nothing, "21494:20261128:015055.095 database is down: reconnecting in 10 seconds"),
];
