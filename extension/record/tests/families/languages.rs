//! Lines of the logging libraries of programming languages.

use crate::all;

#[test]
fn log4j_logback_and_spring() {
    all(&[
        (
            "2026-11-22 10:00:00,123 ERROR [main] com.example.Foo - Connection refused",
            "ERROR",
            "2026-11-22T09:00:00.123Z",
            "Connection refused",
        ),
        (
            "2026-11-22 10:00:00,123 [main] ERROR com.example.Foo - Connection refused",
            "ERROR",
            "2026-11-22T09:00:00.123Z",
            "Connection refused",
        ),
        (
            "10:00:00.123 [main] ERROR com.example.Foo - Connection refused",
            "ERROR",
            "-",
            "Connection refused",
        ),
        (
            "2026-11-22T10:00:00.123+01:00 ERROR 12345 --- [app] [           main] o.s.boot.SpringApplication               : Application run failed",
            "ERROR",
            "2026-11-22T09:00:00.123Z",
            "Application run failed",
        ),
        (
            "2026-11-22 10:00:00.123  INFO 12345 --- [main] o.s.b.d.f.logexample.MyApplication : ERROR page registered",
            "INFO",
            "2026-11-22T09:00:00.123Z",
            "ERROR page registered",
        ),
    ]);
}

#[test]
fn python_and_django() {
    all(&[
        ("ERROR:root:division by zero", "ERROR", "-", "division by zero"),
        (
            "ERROR:django.request:Internal Server Error: /path",
            "ERROR",
            "-",
            "Internal Server Error: /path",
        ),
        (
            "2026-11-22 10:00:00,123 - my.logger - ERROR - something failed",
            "ERROR",
            "2026-11-22T09:00:00.123Z",
            "something failed",
        ),
        (
            "2026-11-22 10:00:00,123 root ERROR something failed",
            "ERROR",
            "2026-11-22T09:00:00.123Z",
            "root ERROR something failed",
        ),
        (
            "ERROR 2026-11-22 10:00:00,123 views 1234 140 Internal error",
            "ERROR",
            "2026-11-22T09:00:00.123Z",
            "views 1234 140 Internal error",
        ),
        (
            "[22/Nov/2026 10:00:00] ERROR [django.request:241] Internal Server Error: /x",
            "ERROR",
            "2026-11-22T09:00:00Z",
            "Internal Server Error: /x",
        ),
        (
            r#"[22/Nov/2026 10:00:00] "GET /error HTTP/1.1" 500 145"#,
            "-",
            "2026-11-22T09:00:00Z",
            r#""GET /error HTTP/1.1" 500 145"#,
        ),
        (
            "Internal Server Error: /x",
            "ERROR",
            "-",
            "Internal Server Error: /x",
        ),
    ]);
}

#[test]
fn ruby() {
    all(&[
        (
            "E, [2026-11-22T10:00:00.123456 #1234] ERROR -- : undefined method",
            "ERROR",
            "2026-11-22T09:00:00.123456Z",
            "undefined method",
        ),
        (
            "E, [2026-11-22T10:00:00.123456 #1234] ERROR -- prog: undefined method",
            "ERROR",
            "2026-11-22T09:00:00.123456Z",
            "undefined method",
        ),
        (
            "F, [2026-11-22T10:00:00.123456 #1234] FATAL -- : [abc] boom",
            "FATAL",
            "2026-11-22T09:00:00.123456Z",
            "[abc] boom",
        ),
    ]);
}

#[test]
fn go_log_slog_logrus_zap_zerolog_klog_glog() {
    all(&[
        (
            "2026/11/22 10:00:00 main.go:12: error: connect refused",
            "ERROR",
            "2026-11-22T09:00:00Z",
            "connect refused",
        ),
        (
            r#"2026/11/22 10:00:00 ERROR failed to connect err="x y" count=3"#,
            "ERROR",
            "2026-11-22T09:00:00Z",
            r#"failed to connect err="x y" count=3"#,
        ),
        (
            r#"time=2026-11-22T10:00:00.000+01:00 level=ERROR msg="failed" err=EOF"#,
            "ERROR",
            "2026-11-22T09:00:00Z",
            "failed",
        ),
        (
            r#"time="2026-11-22T10:00:00Z" level=error msg="The ice breaks!" number=100 omg=true"#,
            "ERROR",
            "2026-11-22T10:00:00Z",
            "The ice breaks!",
        ),
        (
            "ERRO[0004] The ice breaks!                           number=100 omg=true",
            "ERROR",
            "-",
            "The ice breaks!                           number=100 omg=true",
        ),
        (
            r#"{"level":"error","ts":1700000000.123,"caller":"a.go:1","msg":"boom","stacktrace":"main.f\n\ta.go:1"}"#,
            "ERROR",
            "2023-11-14T22:13:20.123Z",
            "boom",
        ),
        (
            "2026-11-22T10:00:00.123+0100\terror\tmylogger\tmain.go:12\tfailed to fetch URL\t{\"url\": \"x\"}",
            "ERROR",
            "2026-11-22T09:00:00.123Z",
            "failed to fetch URL\t{\"url\": \"x\"}",
        ),
        (
            r#"10:00AM ERR main.go:12 > failed to connect error="x" foo=bar"#,
            "ERROR",
            "-",
            r#"failed to connect error="x" foo=bar"#,
        ),
        (
            r#"2026-11-22T10:00:00Z ERR failed to connect error="x""#,
            "ERROR",
            "2026-11-22T10:00:00Z",
            r#"failed to connect error="x""#,
        ),
        (
            "E1122 10:00:00.123456   12345 reflector.go:125] Failed to list *v1.Pod: x",
            "ERROR",
            "2026-11-22T09:00:00.123456Z",
            "Failed to list *v1.Pod: x",
        ),
        (
            "I1122 10:00:00.123456 1 a.go:1] error seen",
            "INFO",
            "2026-11-22T09:00:00.123456Z",
            "error seen",
        ),
        (
            "F20261122 10:00:00.123456 12345 main.cc:12] Check failed",
            "FATAL",
            "2026-11-22T09:00:00.123456Z",
            "Check failed",
        ),
    ]);
}

#[test]
fn rust_env_logger_and_tracing() {
    all(&[
        (
            "[2026-11-22T10:00:00Z ERROR my_crate::db] connection failed",
            "ERROR",
            "2026-11-22T10:00:00Z",
            "connection failed",
        ),
        (
            "2026-11-22T10:00:00.123456Z ERROR my_crate::db: connection failed retries=3",
            "ERROR",
            "2026-11-22T10:00:00.123456Z",
            "connection failed retries=3",
        ),
        (
            "  2026-11-22T10:00:00.123456Z  INFO my_crate: an error",
            "INFO",
            "2026-11-22T10:00:00.123456Z",
            "my_crate: an error",
        ),
    ]);
}

#[test]
fn dotnet_serilog_and_nlog() {
    all(&[
        (
            "fail: Microsoft.AspNetCore.Server.Kestrel[13]\n      Connection id \"0HL\" bad\n      System.Exception: x",
            "ERROR",
            "-",
            r#"Connection id "0HL" bad"#,
        ),
        ("[10:00:00 ERR] Failed to do x", "ERROR", "-", "Failed to do x"),
        (
            "2026-11-22 10:00:00.123 +01:00 [ERR] Failed to do x",
            "ERROR",
            "2026-11-22T09:00:00.123Z",
            "Failed to do x",
        ),
        (
            r#"{"@t":"2026-11-22T10:00:00.1234567Z","@mt":"Hello {User}","User":"x"}"#,
            "INFO",
            "2026-11-22T10:00:00.123456Z",
            "Hello {User}",
        ),
        (
            "2026-11-22 10:00:00.1234|ERROR|My.Namespace.Class|Something bad|System.Exception",
            "ERROR",
            "2026-11-22T09:00:00.1234Z",
            "Something bad|System.Exception",
        ),
    ]);
}

#[test]
fn monolog_laravel_and_php() {
    all(&[
        (
            r#"[2026-11-22T10:00:00.123456+01:00] app.ERROR: Something bad {"a":1} []"#,
            "ERROR",
            "2026-11-22T09:00:00.123456Z",
            r#"Something bad {"a":1}"#,
        ),
        (
            "[2026-11-22 10:00:00] app.ERROR:  [] []",
            "ERROR",
            "2026-11-22T09:00:00Z",
            "[2026-11-22 10:00:00] app.ERROR:  [] []",
        ),
        (
            "[2026-11-22 10:00:00] production.ERROR: Undefined variable $x {\"exception\":\"[object] (ErrorException(code: 0): x at /a.php:1)\n[stacktrace]\n#0 /a.php(1): x()\n\"} ",
            "ERROR",
            "2026-11-22T09:00:00Z",
            r#"Undefined variable $x {"exception":"[object] (ErrorException(code: 0): x at /a.php:1)"#,
        ),
        (
            "[22-Nov-2026 10:00:00 UTC] PHP Fatal error:  Uncaught Exception: boom in /a.php:3",
            "FATAL",
            "2026-11-22T10:00:00Z",
            "PHP Fatal error:  Uncaught Exception: boom in /a.php:3",
        ),
        (
            "[22-Nov-2026 10:00:00 Europe/Berlin] PHP Warning:  Undefined variable",
            "WARN",
            "2026-11-22T09:00:00Z",
            "PHP Warning:  Undefined variable",
        ),
    ]);
}

#[test]
fn node_pino_bunyan_and_winston() {
    all(&[
        (
            r#"{"level":50,"time":1700000000000,"pid":1,"hostname":"h","msg":"boom"}"#,
            "ERROR",
            "2023-11-14T22:13:20Z",
            "boom",
        ),
        (
            r#"{"name":"app","hostname":"h","pid":1,"level":50,"msg":"boom","time":"2026-11-22T10:00:00.123Z","v":0}"#,
            "ERROR",
            "2026-11-22T10:00:00.123Z",
            "boom",
        ),
        (
            r#"error: something {"service":"x"}"#,
            "ERROR",
            "-",
            r#"something {"service":"x"}"#,
        ),
        (
            r#"{"level":"error","message":"x","timestamp":"2026-11-22T10:00:00.123Z"}"#,
            "ERROR",
            "2026-11-22T10:00:00.123Z",
            "x",
        ),
    ]);
}
