//! Formats, dates in two orders, and records whose lines do not stand one below the other.

use std::fs;

use anyhow::Result;
use logwatch_tests::journal::Journal;
use logwatch_tests::server::Server;
use logwatch_tests::tailer::{Tailer, append};

use crate::SOON;

const STORED: &str = "SELECT level, to_char(logged_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'), message \
                      FROM logwatch.entries ORDER BY message, id";

#[test]
fn a_date_in_two_orders_is_read_as_date_order_says() -> Result<()> {
    for (order, expected) in [("day-first", "2026-04-03"), ("month-first", "2026-03-04")] {
        let server = Server::without_worker(&[])?;
        let files = Journal::new("date-order", &["app.log"])?;
        append(
            &files.path("app.log"),
            &[
                "03/04/2026 10:00:00 ERROR in two orders",
                "13/04/2026 10:00:00 ERROR in one order",
            ],
        )?;
        Tailer::once(&server, &files.args(&["--tz", "UTC", "--date-order", order]))?;
        let stored = server.sql(STORED)?;
        let expected =
            format!("ERROR|2026-04-13 10:00:00|in one order\nERROR|{expected} 10:00:00|in two orders");
        assert_eq!(stored, expected, "{order}");
    }
    Ok(())
}

#[test]
fn a_date_in_two_orders_is_near_the_other_times_of_its_file() -> Result<()> {
    let server = Server::without_worker(&[])?;
    let files = Journal::new("date-near", &["app.log"])?;
    append(
        &files.path("app.log"),
        &["25/01/2025 10:00:00 ERROR a", "01/02/2025 10:00:00 ERROR b"],
    )?;
    Tailer::once(&server, &files.args(&["--tz", "UTC"]))?;
    assert_eq!(
        server.sql(STORED)?,
        "ERROR|2025-01-25 10:00:00|a\nERROR|2025-02-01 10:00:00|b"
    );
    Ok(())
}

#[test]
fn each_file_has_its_own_format() -> Result<()> {
    let server = Server::without_worker(&[])?;
    let files = Journal::new("format-glob", &["slapd.log", "zabbix.log"])?;
    append(
        &files.path("slapd.log"),
        &["6b0a2f94.140d3067 0x7f37cd1a5200 daemon: bind(6) failed errno=98 (Address already in use)"],
    )?;
    append(
        &files.path("zabbix.log"),
        &[
            " 21494:20261128:015055.095 cannot connect to proxy",
            " 21494:20261128:015056.095 started",
        ],
    )?;
    let options = [
        "--tz",
        "UTC",
        "--format",
        "slapd.log=slapd",
        "--format",
        "*bix.log=zabbix",
    ];
    let refused = Tailer::command(&server, &files.args(&options))?
        .arg("--once")
        .output()?;
    assert_eq!(refused.status.code(), Some(2), "a name alone is no pattern");
    let options = [
        "--tz",
        "UTC",
        "--format",
        "*slapd.log=slapd",
        "--format",
        "*bix.log=zabbix",
    ];
    Tailer::once(&server, &files.args(&options))?;
    assert_eq!(
        server.sql(STORED)?,
        "ERROR|2026-11-28 01:50:55|cannot connect to proxy\n\
         FATAL|2026-11-28 01:34:12|daemon: bind(6) failed errno=98 (Address already in use)"
    );
    Ok(())
}

#[test]
fn a_json_object_over_several_lines_is_one_entry() -> Result<()> {
    let server = Server::without_worker(&[])?;
    let files = Journal::new("printed-object", &["app.log"])?;
    let object = |level: &str, message: &str| {
        format!(
            "{{\n  \"time\": \"2026-11-22T10:00:00Z\",\n  \"order\": {{\n    \"id\": 7\n  }},\n  \"level\": \"{level}\",\n  \
             \"msg\": \"{message}\"\n}}"
        )
    };
    let text = [
        object("info", "a"),
        object("error", "b"),
        object("fatal", "c"),
        object("info", "d"),
    ];
    append(&files.path("app.log"), &[text.join("\n")])?;
    Tailer::once(&server, &files.args(&[]))?;
    assert_eq!(
        server.sql(STORED)?,
        "ERROR|2026-11-22 10:00:00|b\nFATAL|2026-11-22 10:00:00|c"
    );
    let fields = server.sql("SELECT DISTINCT fields->'order'->>'id' FROM logwatch.entries")?;
    assert_eq!(fields, "7");
    Ok(())
}

#[test]
fn a_container_s_line_in_pieces_survives_the_other_stream_and_a_rotation() -> Result<()> {
    let server = Server::without_worker(&[])?;
    let files = Journal::new("pieces", &["0.log"])?;
    let time = "2026-11-22T10:00:00.123456789Z";
    append(
        &files.path("0.log"),
        &[
            format!("{time} stderr P ERROR one "),
            format!("{time} stdout F INFO between"),
            format!("{time} stdout F ERROR beside"),
            format!("{time} stderr F line"),
            format!("{time} stdout F INFO between"),
        ],
    )?;
    let _tailer = files.follow(&server)?;
    let count = "SELECT count(*) FROM logwatch.entries";
    server.wait_for_sql(SOON, count, "2")?;
    // The second piece follows at once, however slow this machine is.
    append(
        &files.path("next"),
        &[
            format!("{time} stderr F rotation"),
            format!("{time} stderr F ERROR next"),
        ],
    )?;
    append(&files.path("0.log"), &[format!("{time} stderr P ERROR over a ")])?;
    fs::rename(files.path("0.log"), files.path("0.log.20261122-100001"))?;
    fs::rename(files.path("next"), files.path("0.log"))?;
    server.wait_for_sql(SOON, count, "4")?;
    let messages = server.sql("SELECT message FROM logwatch.entries ORDER BY message")?;
    assert_eq!(messages, "beside\nnext\none line\nover a rotation");
    Ok(())
}
