use super::*;

/// The lines that are named as candidates, by walking as the reader does from byte `at` on.
fn candidates(text: &[u8], mut at: usize, least: Level) -> Vec<String> {
    let search = Candidates::new(least);
    let mut found = Vec::new();
    while let Some(place) = search.next(text, at) {
        let start = memchr::memrchr(b'\n', &text[..place])
            .map_or(0, |newline| newline + 1)
            .max(at);
        let end = memchr::memchr(b'\n', &text[place..]).map_or(text.len(), |newline| place + newline);
        found.push(String::from_utf8_lossy(&text[start..end]).into_owned());
        at = end + 1;
        if at >= text.len() {
            break;
        }
    }
    found
}

/// One line of each shape that `level` can call ERROR or worse.
const SHAPES: &[&str] = &[
    "2026-11-22 10:00:00 ERROR x",
    "2026-11-22 10:00:00 eRRoR x",
    "[crit] x",
    "ts=1 lvl=eror msg=x",
    "SEVERE: x",
    "fail: x",
    "FATA[0000] x",
    "[10:00:00 FTL] x",
    "ALERT x",
    "emerg: x",
    "PANIC: x",
    "DPANIC\tx",
    r#"{"level":50,"msg":"x"}"#,
    r#"{"msg":"x","level": 60}"#,
    r#"{"msg":"x","LEVEL" : 60}"#,
    r#"{"level":"50"}"#,
    r#"{"log":"{\"level\":50,\"msg\":\"x\"}\n","stream":"stdout"}"#,
    r#"{"log":"{\"level\" : 50,\"msg\":\"x\"}\n","stream":"stdout"}"#,
    r#"{"log":"\u003c3\u003ex\n","stream":"stdout"}"#,
    r#"{"severity":3}"#,
    r#"{"PRIORITY":"2","MESSAGE":"x"}"#,
    r#"{"levelno":40}"#,
    r#"{"severityNumber":17}"#,
    r#"{"lvl":55}"#,
    r#"{"t":{"$date":"x"},"s":"E","c":"-"}"#,
    r#"{"t":{"$date":"x"},"s": "F"}"#,
    r#"{"short_message":"x","level":3}"#,
    "<3>x",
    "\0\0<3>x",
    "\0E1122 10:00:00.000000 1234 file.go:1] x",
    "<11>Nov 22 10:00:00 host app: x",
    "<187>1 2026-11-22T10:00:00Z host app - - - x",
    "E1122 10:00:00.000000 1234 file.go:1] x",
    "F0102 10:00:00.000000 1234 file.go:1] x",
    "E, [2026-11-22T10:00:00.000000 #1] x",
    "11-22 10:00:00.000  1234  5678 E Tag: x",
    "11-22 10:00:00.000  1234  5678 F Tag: x",
    "11-22 10:00:00.000 E/Tag( 1234): x",
    "E/Tag( 1234): x",
    "E20261122 10:00:00.000000 1234 file.go:1] x",
    "[E 261122 10:00:00 web:2064] x",
    "2026-11-22T10:00:00.123+0000 E STORAGE  [thread] x",
    "2026-11-22T10:00:00.123Z F STORAGE  [thread] x",
    "2026-11-22T10:00:00.123456789Z stderr F E1122 10:00:00.000000 1 file.go:1] x",
    "E [28/Nov/2026:01:32:59 +0000] cupsdLoadBanners: Unable to open banner directory",
    "X [28/Nov/2026:01:32:59 +0000] x",
    "[2026-11-28 01:39:22.153680 +0000] E [MSGID: 101032] [store.c:461:gf_store] 0-: x",
    "[2026-11-28 01:39:22.153680 +0000] M [store.c:461:gf_store] 0-x: x",
    "[2026/11/28 01:38:37.106679,  0] ../../lib/util/become_daemon.c:119(exit_daemon)",
    "(2026-11-28  1:45:45): [sssd] [confdb_get] (0x0020): x",
    "4843:M 28 Nov 2026 01:35:53.661 # Failed listening on port 6379 (TCP), aborting.",
    "2026/11/28 01:37:48.303 errors: ZEBRA: [SHWNK-NWT5S] x",
    "2026-11-22 10:00:00.123 CET [1] FEHLER:  x",
    "2026-11-22 10:00:00.123 CET [1] ERREUR:  x",
    "2026-11-22 10:00:00.123 CET [1] FEL:  x",
    "2026-11-22 10:00:00.123 CET [1] FATALT:  x",
    "2026-11-22 10:00:00.123 CET [1] BŁĄD:  x",
    "2026-11-22 10:00:00.123 +03 [1] HATA:  x",
    "2026-11-22 10:00:00.123 +03 [1] KRİTİK:  x",
    "2026-11-22 10:00:00.123 -03 [1] PÂNICO:  x",
    "2026-11-22 10:00:00.123 MSK [1] ОШИБКА:  x",
    "2026-11-22 10:00:00.123 EET [1] ПОМИЛКА:  x",
    "2026-11-22 10:00:00.123 CST [1] 错误:  x",
    "2026-11-22 10:00:00.123 CST [1] 致命錯誤:  x",
    "2026-11-22 10:00:00.123 KST [1] 오류:  x",
    "2026-11-22 10:00:00.123 +04 [1] შეცდომა:  x",
    "2026-11-22 10:00:00.123 MSK,\"u\",\"d\",1,\"[local]\",1.1,1,\"SELECT\",2026-11-22 10:00:00 MSK,1/1,0,ОШИБКА,23505,\"x\"",
    r#"{"timestamp":"2026-11-22 10:00:00.123 CST","pid":1,"error_severity":"错误","message":"x"}"#,
    "2026-11-22 10:00:00.123 CET [1] PANIK:  x",
    "2026-11-22 10:00:00.123 CET [1] ERRORE:  x",
    "2026-11-22 10:00:00.123 CET [1] FATALE:  x",
    "2026-11-22 10:00:00.123 CET [1] PANICO:  x",
    "2026-11-22 10:00:00.123 CET [1] KATASTROFALNY:  x",
    "2026-11-22 10:00:00.123 CET [1] PANIKA:  x",
    "2026-11-22 10:00:00.123 MSK [1] ВАЖНО:  x",
    "2026-11-22 10:00:00.123 MSK [1] ПАНИКА:  x",
    "2026-11-22 10:00:00.123 EET [1] ФАТАЛЬНО:  x",
    "2026-11-22 10:00:00.123 EET [1] ПАНІКА:  x",
    "2026-11-22 10:00:00.123 KST [1] 치명적오류:  x",
    "2026-11-22 10:00:00.123 KST [1] 손상:  x",
    "2026-11-22 10:00:00.123 CST [1] 致命错误:  x",
    "2026-11-22 10:00:00.123 CST [1] 灾难性错误:  x",
    "2026-11-22 10:00:00.123 CST [1] 比致命错误还过分的错误:  x",
    "2026-11-22 10:00:00.123 CST [1] 錯誤:  x",
    "2026-11-22 10:00:00.123 CST [1] 嚴重錯誤:  x",
    "2026-11-22 10:00:00.123 +04 [1] ფატალური:  x",
    "2026-11-22 10:00:00.123 +04 [1] პანიკა:  x",
    "SCHWERWIEGEND: x",
    "Schwerwiegend: x",
    "GRAVE: x",
    "Allvarlig: x",
    "28-Nov-2026 01:41:09.947 GRAVE [main] a.B.c x",
    "28-Nov-2026 01:41:09.947 严重 [main] a.B.c x",
    "致命的: x",
    "심각: x",
    "E261128 01:35:33.123456 123 server/server.go:1234 x",
    "2026-11-28 01:35:33.123456 C | etcdmain: x",
    "2026.11.28 01:35:33 LOG3[0]: SSL_accept: x",
    "2026-11-28 01:35:33.123 <BUG> rt_notify: unexpected state",
    "2026-11-28T01:35:33Z E! [agent] x",
    "2026/11/28 01:35:33 cmd/web.go:123:runWeb() [F] x",
    r#"{"reqId":"abc","level":3,"time":"2026-11-28T01:35:33+00:00","message":"x"}"#,
    "2026-11-28T01:35:33.123Z|00002|util|EMER|x",
    "[01:35:33] [Server thread/ERROR]: x",
    "Traceback (most recent call last):",
    "Exception in thread \"main\" java.lang.X: x",
    "Unhandled exception. System.X: x",
    "thread 'main' panicked at src/main.rs:2:5:",
    "TypeError: x is not a function",
    "[ 1234.567890] Out of memory: Killed process 4711 (java) total-vm:1kB",
    "[ 1234.567890] Kernel panic - not syncing: x",
    "Nov 28 01:35:33 h systemd[1]: app.service: Failed with result 'core-dump'.",
    "Nov 28 01:35:33 h systemd-coredump[7]: Process 42 (x) of user 0 dumped core.",
    "[ 1234.567890] BUG: unable to handle page fault for address: 0000000000000008",
    "[ 1234.567890] watchdog: BUG: soft lockup - CPU#1 stuck for 22s! [x:1]",
    "2026-11-28T01:35:33.648+0000 7f12e5ad8640 -1 osd.3 0 OSD::init() : x",
    "[ E 2026-11-28 01:35:33.1234 4711/T1f age/Cor/App/Poo.h:123 ]: x",
    "[ C 2026-11-28 01:35:33.1234 4711/T1f age/Cor/App/Poo.h:123 ]: x",
    "2026-11-28T01:35:33.123456Z C i.q.ServerMain x",
    "2026-11-28 01:35:33 =ERROR REPORT====",
    r#"{"record":{"level":{"name":"ERROR"}},"text":"x"}"#,
    r#"{"level":"\u001b[31merror\u001b[39m","message":"x"}"#,
    r#"{"level":"ERROR+4","msg":"x"}"#,
    r#"{"PRIORITY":["3","3"],"MESSAGE":"x"}"#,
    r#"{"severity":600,"message":"x"}"#,
    "[E1128 01:35:33.123456 ProcessGroupNCCL.cpp:616] x",
    "[rank0]:[E1128 01:35:33.123456 ProcessGroupNCCL.cpp:616] x",
    "[rank0]:E1128 01:35:33.123000 4711 torch/x.py:12] x",
    "[01:35:33][E][mqtt:212]: x",
    "E (12345) wifi: x",
    "E\t  (12345) wifi: x",
    "E\t[28/Nov/2026:01:32:59 +0000] x",
    "[11/28/2026-01:35:33] [E] x",
    "2026-11-28 01:35:33.123456789 [E:onnxruntime:Default, x.cc:12 f] x",
    "[2026-11-28 01:35:33,123 C 4711 4712] x.cc:12:  x",
    "[11/28/26 1:35:33:123 UTC] 00000001 WsServerImpl  E   WSVR0009: x",
    "Nov 28 01:35:33 sw1 123: *Nov 28 01:35:33.123: %LINK-3-UPDOWN: x",
    "%SYS-2-MALLOCFAIL: x",
    "Sat Nov 28 01:35:33 2026 daemon.err uhttpd[42]: x",
    "<Event Severity=\"40\" Time=\"1795829733.123456\" Type=\"DiskX\" />",
    "01:35:33@123/critical - x",
    "Nov 28 2026 01:35:33 GMT: FAILED ASSERTION (as): x",
];

#[test]
fn no_shape_is_passed_over_wherever_it_stands() {
    let quiet = "2026-11-22 10:00:00 INFO nothing to see here, move along\n";
    for shape in SHAPES {
        let text = format!("\n{quiet}{shape}\n{quiet}");
        assert_eq!(candidates(text.as_bytes(), 1, Level::Error), [*shape]);
    }
}

#[test]
fn the_first_line_of_a_printed_object_is_a_candidate() {
    let text = b"\nINFO x\n{\n  \"b\": {\n  }\n}\n{\r\n";
    assert_eq!(candidates(text, 1, Level::Error), ["{", "{\r"]);
}

#[test]
fn the_first_line_is_always_looked_at() {
    assert_eq!(candidates(b"<3>x\nINFO y\n", 0, Level::Error), ["<3>x"]);
    assert_eq!(candidates(b"INFO x\nINFO y\n", 0, Level::Error), ["INFO x"]);
}

#[test]
fn no_shape_is_passed_over_wherever_the_vectors_begin() {
    for shape in SHAPES {
        for shift in 1..100 {
            let mut text = vec![b'x'; shift];
            text[shift - 1] = b'\n';
            text.extend_from_slice(shape.as_bytes());
            assert_eq!(candidates(&text, shift, Level::Error), [*shape], "shift {shift}");
            text.extend_from_slice(&[b'x'; 100]);
            assert_eq!(candidates(&text, shift, Level::Error).len(), 1, "shift {shift}");
            text[0] = b'\n';
            assert_eq!(candidates(&text, 1, Level::Error).len(), 1, "shift {shift}");
        }
    }
}

/// Parts of lines, alone or within other text.
const PARTS: &[&str] = &[
    "error",
    "ERR",
    "Erro",
    "eror",
    "severe",
    "FAIL",
    "failure",
    "critical",
    "crit",
    "ALERT",
    "emerg",
    "emergency",
    "panic",
    "dpanic",
    "pani",
    "fata",
    "fatal",
    "ftl",
    "warn",
    "WRN",
    "Warning",
    "info",
    "s",
    "_x",
    "2",
    " ",
    " ",
    ": ",
    ":",
    "=",
    "[",
    "]",
    "(",
    ")",
    "{",
    "}",
    ",",
    "/",
    "|",
    "-",
    ".",
    "\"",
    "\\",
    "\\\"",
    "\\t",
    "\\n",
    "\t",
    "\x1b[31m",
    "<",
    ">",
    "<3>",
    "E",
    "F",
    "W",
    "A",
    "level",
    "lvl",
    "severity",
    "SeverityNumber",
    "levelno",
    "PRIORITY",
    "\"level\":",
    "\"s\":",
    "\"log\":\"",
    "\"severity\": ",
    "level=",
    "msg=x ",
    "50",
    "17",
    "3",
    "1122 10:00:00.000000 1234 file.go:1] ",
    "11-22 10:00:00.000  1234  5678 ",
    "\"stream\":\"x\"",
    "2026-11-22T10:00:00.123456789Z",
    " stderr F ",
    "E 261122 10:00:00 web:2064]",
    "1234:M 22 Nov 2026 10:00:00.123 # x",
    "#",
    "é",
    "FEHLER",
    "FEL:  ",
    "KATASTROFALNY:  ",
    "ОШИБКА",
    "错误",
    "BŁĄD:  ",
    ",23505,",
    "SCHWERWIEGEND",
    "严重 [",
    "E! ",
    " LOG3[0]: ",
    "E | ",
    "[E] ",
    "<BUG> ",
    "[rank0]:",
    "[E1122 10:00:00.000000 file.cc:1] ",
    "[10:00:00]",
    "[E][x:1]: ",
    "[E:onnxruntime:x, y] ",
    "E (12) x: ",
    " 0000002a x E x",
    "%LINK-3-UPDOWN:",
    "%A-SW1-4-",
    "-2-",
    "daemon.err ",
    "<Event Severity=\"40\" Time=\"",
];

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 3000, failure_persistence: None, ..Default::default() })]
    #[test]
    fn what_has_a_level_is_a_candidate(
        lines in proptest::collection::vec(proptest::collection::vec(0..PARTS.len(), 1..10), 1..20)
    ) {
        let lines: Vec<String> = lines
            .iter()
            .map(|parts| parts.iter().map(|part| PARTS[*part]).collect())
            .collect();
        let text = format!("\n{}\n", lines.join("\n"));
        for least in [Level::Warn, Level::Error, Level::Fatal] {
            let found = candidates(text.as_bytes(), 1, least);
            for line in &lines {
                let counts = logwatch_record::level(line.as_bytes()).is_some_and(|level| level >= least);
                assert!(!counts || found.contains(line), "{line:?}");
            }
        }
    }
}

#[test]
fn quiet_lines_are_passed_over() {
    let quiet = "\n2026-11-22 10:00:00 INFO a user logged in\n{\"level\":\"info\",\"msg\":\"x\"}\nI1122 x\nexit *e0 *<1\n\
        0 errors, a failed try, criteria, false alerts, serif, (E1) [e 1], a <b>\n{\"time\":\"2026-11-22T10:00:00Z\",\"order\":17}\n";
    assert!(candidates(quiet.as_bytes(), 1, Level::Error).is_empty());
}

#[test]
fn a_lower_level_looks_at_more() {
    let text = b"\n10:00 WARN a\n10:00 INFO b\n";
    assert_eq!(candidates(text, 1, Level::Error).len(), 0);
    assert_eq!(candidates(text, 1, Level::Warn), ["10:00 WARN a"]);
    assert_eq!(candidates(text, 1, Level::Info).len(), 2);
}

/// Lines of ERROR or worse of the corpus that no format has to name.
fn corpus() -> impl Iterator<Item = String> {
    [
        include_str!("../../../../tests/corpus/daemons.tsv"),
        include_str!("../../../../tests/corpus/documented.tsv"),
    ]
    .into_iter()
    .flat_map(str::lines)
    .filter_map(|line| {
        let columns: Vec<&str> = line.split('\t').collect();
        let [_, _, "ERROR" | "FATAL", _, text, _, "-"] = columns[..] else {
            return None;
        };
        let text = text.replace("\\t", "\t").replace("\\e", "\x1b");
        let lines = text.split("\\n").map(|line| line.replace("\\\\", "\\"));
        let level = |line: &String| logwatch_record::level(line.as_bytes());
        lines.into_iter().find(|line| level(line) >= Some(Level::Error))
    })
}

#[test]
fn no_error_of_the_corpus_is_passed_over() {
    let mut count = 0;
    for line in corpus() {
        let text = format!("\nINFO x\n{line}\nINFO x\n");
        assert_eq!(candidates(text.as_bytes(), 1, Level::Error), [line]);
        count += 1;
    }
    assert!(count > 300, "{count} lines");
}
