//! Ingest stores levels, odd input and the byte ranges of the tailer.

use anyhow::Result;
use logwatch_tests::server::{Server, run, run_error};
use postgres::error::SqlState;

/// The call by which a tailer stores a byte range of file 7 of source `app`.
fn range(epoch: i64, from: i64, to: i64, records: &[&str], more: &str) -> String {
    let quoted: Vec<String> = records
        .iter()
        .map(|r| format!("'{}'", r.replace('\'', "''")))
        .collect();
    let flags = vec!["0"; records.len()].join(",");
    format!(
        "SELECT logwatch_ingest('app', {epoch}, 7, '/var/log/app.log', 1, 2, {from}, {to}, 8, 11, 8, 12,
                ARRAY[{}]::text[], ARRAY[{flags}]::int[]{more})",
        quoted.join(",")
    )
}

#[test]
fn a_record_below_the_level_is_stored_nowhere_and_returned_as_zero() -> Result<()> {
    let server = Server::without_worker(&[])?;
    for line in [
        "INFO all is well",
        "2026-11-22 10:00:00 WARN ERROR count is 0",
        "no level at all",
        "",
        "   ",
    ] {
        let stored = server.sql(&format!("SELECT logwatch_ingest('{line}')"))?;
        assert_eq!(stored, "0", "{line}");
    }
    let empty = "SELECT (SELECT count(*) FROM logwatch.entries) + (SELECT count(*) FROM logwatch.counts)
                      + (SELECT count(*) FROM logwatch.patterns) + (SELECT count(*) FROM logwatch.batches)";
    assert_eq!(server.sql(empty)?, "0");
    Ok(())
}

#[test]
fn a_missing_source_is_refused_in_words() -> Result<()> {
    let server = Server::without_worker(&[])?;
    for call in [
        "SELECT logwatch_ingest('ERROR x', NULL)",
        "SELECT logwatch_ingest(ARRAY['ERROR x'], NULL)",
    ] {
        let error = server.sql_error(call)?;
        assert_eq!(
            (error.code.as_str(), error.message.as_str()),
            ("22023", "the source's name is empty")
        );
    }
    let range = range(1, 0, 1, &["ERROR x"], "").replace("'app', 1", "NULL, NULL");
    let error = server.sql_error(&range)?;
    assert_eq!(
        (error.code.as_str(), error.message.as_str()),
        ("22023", "a tailer's source and epoch must not be NULL")
    );
    Ok(())
}

#[test]
fn a_record_is_taken_apart() -> Result<()> {
    let server = Server::without_worker(&[])?;
    server.sql("SELECT logwatch_ingest(E'2026-11-22 10:00:00.123456+02 ERROR payment 4711 failed\\n  at Shop.pay(Shop.java:3)', 'shop')")?;
    let stored = server.sql(
        "SET timezone = 'UTC';
         SELECT s.name, e.level, e.logged_at, e.message, e.detail, e.flags FROM logwatch.entries AS e JOIN logwatch.sources AS s ON s.id = e.source_id",
    )?;
    assert_eq!(
        stored,
        "shop|ERROR|2026-11-22 08:00:00.123456+00|payment 4711 failed|  at Shop.pay(Shop.java:3)|"
    );
    server.sql("SELECT logwatch_ingest('{\"level\":\"error\",\"msg\":\"no route\",\"user\":7,\"time\":\"2026-11-22T10:00:00Z\"}')")?;
    let stored =
        server.sql("SELECT message, fields->>'user' FROM logwatch.entries ORDER BY id DESC LIMIT 1")?;
    assert_eq!(stored, "no route|7");
    Ok(())
}

#[test]
fn the_least_level_is_a_setting() -> Result<()> {
    let server = Server::without_worker(&[("logwatch.min_level", "warn")])?;
    assert_eq!(
        server.sql("SELECT logwatch_ingest(ARRAY['WARN a', 'INFO b', 'FATAL c'])")?,
        "2"
    );
    assert_eq!(
        server.sql("SELECT DISTINCT min_level FROM logwatch_attach('app', '/x')")?,
        "WARN"
    );
    Ok(())
}

#[test]
fn a_time_that_cannot_be_or_be_read_becomes_the_time_of_arrival_and_is_flagged() -> Result<()> {
    let server = Server::without_worker(&[])?;
    server.sql("SELECT logwatch_ingest(ARRAY['2026-13-99 25:61:00 ERROR bad time', 'ERROR no time', '2126-01-01 00:00:00 ERROR the future'])")?;
    let stored = server.sql("SELECT flags, logged_at = received_at FROM logwatch.entries ORDER BY id")?;
    assert_eq!(stored, "{time_missing}|t\n{time_missing}|t\n{time_future}|t");
    Ok(())
}

#[test]
fn a_record_of_ten_megabytes_is_cut_and_flagged() -> Result<()> {
    let server = Server::without_worker(&[])?;
    assert_eq!(
        server.sql("SELECT logwatch_ingest('ERROR ' || repeat('x', 10000000))")?,
        "1"
    );
    let stored = server
        .sql("SELECT octet_length(message) <= 65536, 'truncated' = ANY (flags) FROM logwatch.entries")?;
    assert_eq!(stored, "t|t");
    Ok(())
}

#[test]
fn nothing_odd_fails_a_batch() -> Result<()> {
    let server = Server::without_worker(&[])?;
    let stored = server.sql(
        "SELECT logwatch_ingest(ARRAY[
            'ERROR plain', '', NULL, E'\\n\\n', 'ERROR', E'ERROR \\x01\\x1b[31mred', E'ERROR \\uFFFD\\u202E', '{\"level\":\"error\"', '{\"level\":\"error\",\"msg\":\"\\u0000\"}',
            '[[[[[[[[[[ERROR', E'\\\\x00 ERROR', '99999999999999999999 ERROR big', E'ERROR tail\\r\\n\\tat x\\r\\n'])",
    )?;
    assert!(stored.parse::<i64>()? >= 8, "{stored}");
    assert_eq!(
        server.sql("SELECT count(*) FROM logwatch.entries WHERE message = ''")?,
        "0"
    );
    // SQL NULL is nothing to store, not an error and not a row.
    server.sql("SELECT logwatch_ingest(NULL::text), logwatch_ingest(NULL::text[])")?;
    Ok(())
}

#[test]
fn a_million_patterns_are_not_what_a_counter_makes() -> Result<()> {
    let server = Server::without_worker(&[])?;
    server.sql("SELECT logwatch_ingest(array_agg('ERROR request ' || n || ' from 10.0.0.' || n % 250 || ' failed')) FROM generate_series(1, 1000) AS n; SELECT logwatch_check()")?;
    assert_eq!(
        server.sql("SELECT count(*), (SELECT sum(n) FROM logwatch.counts) FROM logwatch.patterns")?,
        "1|1000"
    );
    Ok(())
}

#[test]
fn a_byte_range_is_stored_once() -> Result<()> {
    let server = Server::without_worker(&[])?;
    let mut tailer = server.client()?;
    assert_eq!(
        run(
            &mut tailer,
            "SELECT epoch, file FROM logwatch_attach('app', '/var/log/app.log', 'web1', '0.1')"
        )?,
        "1|"
    );
    assert_eq!(
        run(
            &mut tailer,
            &range(1, 0, 100, &["ERROR a", "INFO b", "FATAL c"], "")
        )?,
        "2"
    );

    // The same call again, as after a lost answer: refused, nothing stored.
    let error = run_error(&mut tailer, &range(1, 0, 100, &["ERROR a", "FATAL c"], ""))?;
    assert_eq!(error.code, SqlState::T_R_SERIALIZATION_FAILURE.code(), "{error}");
    assert!(error.hint.is_some(), "{error}");
    // A hole is refused as well.
    let error = run_error(&mut tailer, &range(1, 150, 200, &["ERROR d"], ""))?;
    assert_eq!(error.code, SqlState::T_R_SERIALIZATION_FAILURE.code(), "{error}");
    assert_eq!(server.sql("SELECT count(*) FROM logwatch.entries")?, "2");

    assert_eq!(run(&mut tailer, &range(1, 100, 200, &["ERROR d"], ""))?, "1");
    assert_eq!(
        server.sql("SELECT next_byte, state, path FROM logwatch.files")?,
        "200|open|/var/log/app.log"
    );
    Ok(())
}

#[test]
fn rows_and_offset_move_together() -> Result<()> {
    let server = Server::without_worker(&[])?;
    server.sql("SELECT logwatch_attach('app', '/x')")?;
    let mut tailer = server.client()?;
    run(
        &mut tailer,
        &format!("BEGIN; {}; ROLLBACK", range(1, 0, 100, &["ERROR a"], "")),
    )?;
    assert_eq!(
        server
            .sql("SELECT (SELECT count(*) FROM logwatch.entries) + (SELECT count(*) FROM logwatch.files)")?,
        "0"
    );
    Ok(())
}

#[test]
fn a_second_tailer_fences_the_first_one_off() -> Result<()> {
    let server = Server::without_worker(&[])?;
    server.sql("SELECT logwatch_attach('app', '/x')")?;
    server.sql(&range(1, 0, 100, &["ERROR a"], ""))?;
    assert_eq!(
        server.sql("SELECT epoch, file, next_byte FROM logwatch_attach('app', '/x')")?,
        "2|7|100"
    );

    let error = server.sql_error(&range(1, 100, 200, &["ERROR b"], ""))?;
    assert_eq!(error.code, SqlState::OBJECT_IN_USE.code(), "{error}");
    assert!(error.to_string().contains("--source"), "{error}");
    assert_eq!(server.sql(&range(2, 100, 200, &["ERROR b"], ""))?, "1");
    Ok(())
}

#[test]
fn a_gap_is_never_silent() -> Result<()> {
    let server = Server::without_worker(&[])?;
    server.sql("SELECT logwatch_attach('app', '/x')")?;
    server.sql(&range(1, 0, 100, &["ERROR a"], ""))?;
    server.sql(&range(1, 100, 300, &[], ", gap => 'removed', state => 'removed'"))?;
    assert_eq!(
        server.sql("SELECT path, from_byte, to_byte, reason FROM logwatch.gaps")?,
        "/var/log/app.log|100|300|removed"
    );
    let status = server.sql("SELECT state, message FROM logwatch_status() WHERE component = 'source'")?;
    assert!(
        status.starts_with("gap|") && status.contains("removed"),
        "{status}"
    );
    Ok(())
}

#[test]
fn a_heartbeat_stores_nothing_and_needs_the_epoch() -> Result<()> {
    let server = Server::without_worker(&[])?;
    server.sql("SELECT logwatch_attach('app', '/x')")?;
    let heartbeat = |epoch: i64| {
        format!(
            "SELECT logwatch_ingest('app', {epoch}, NULL, NULL, NULL, NULL, 0, 0, NULL, NULL, NULL, NULL, NULL, NULL)"
        )
    };
    assert_eq!(server.sql(&heartbeat(1))?, "0");
    assert_eq!(
        server.sql_error(&heartbeat(0))?.code,
        SqlState::OBJECT_IN_USE.code()
    );
    assert_eq!(server.sql("SELECT count(*) FROM logwatch.files")?, "0");
    Ok(())
}

#[test]
fn maintenance_keeps_totals_and_drops_what_is_too_old() -> Result<()> {
    let server = Server::without_worker(&[("logwatch.retention", "7d")])?;
    server.sql("SELECT logwatch_ingest(array_agg('2026-01-01 00:00:00 ERROR old ' || n)) FROM generate_series(1, 10) AS n")?;
    server.sql("SELECT logwatch_ingest(array_agg('ERROR new ' || n)) FROM generate_series(1, 10) AS n")?;
    for _ in 0..2 {
        server.sql("SELECT logwatch_maintain()")?;
    }
    assert_eq!(
        server.sql("SELECT sum(n) FROM logwatch.counts WHERE second > now() - interval '1 day'")?,
        "10"
    );
    let days =
        server.sql("SELECT count(*) > 2 FROM pg_inherits WHERE inhparent = 'logwatch.entries'::regclass")?;
    assert_eq!(days, "t", "no partitions were made ahead");
    Ok(())
}

#[test]
fn a_dump_can_be_restored() -> Result<()> {
    use logwatch_tests::programs::postgres_program;
    let server = Server::without_worker(&[])?;
    server.sql("SELECT logwatch_maintain()")?;
    server.sql("SELECT logwatch_ingest(ARRAY['ERROR a', 'FATAL b']); SELECT logwatch_check()")?;
    server.sql("INSERT INTO logwatch.rules (name, threshold) VALUES ('mine', 7)")?;
    server.sql("CREATE DATABASE copy")?;
    let dump = server.dir().join("dump.sql");
    let client = |name: &str, args: &[&str]| -> Result<()> {
        let output = std::process::Command::new(postgres_program(name)?)
            .args(args)
            .envs(server.env())
            .output()?;
        assert!(
            output.status.success(),
            "{name}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(())
    };
    let dump = dump.display().to_string();
    client("pg_dump", &["-f", &dump])?;
    client(
        "psql",
        &["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", "copy", "-f", &dump],
    )?;

    let look = "SELECT (SELECT count(*) FROM logwatch.entries), (SELECT string_agg(name, ',' ORDER BY name) FROM logwatch.rules),
                       (SELECT count(*) FROM logwatch.alerts)";
    let mut copy = server.client_as("postgres", "copy")?;
    assert_eq!(run(&mut copy, look)?, "2|error,fatal,mine|1");
    run(&mut copy, "SELECT logwatch_ingest('ERROR c')")?;
    run(&mut copy, "SELECT * FROM logwatch_check()")?;
    Ok(())
}

#[test]
fn a_large_call_stores_the_same_as_single_ones() -> Result<()> {
    let server = Server::without_worker(&[])?;
    let lines: Vec<String> = (0..50)
        .flat_map(|n| {
            [
                format!("2026-11-22 10:00:{:02} ERROR order {n} failed\n\tat Shop.pay(Shop.java:{n})", n % 60),
                format!(r#"{{"time":"2026-11-22T10:00:00Z","level":"fatal","msg":"no disk {n}","host":"a","left":{n}}}"#),
                format!("FATAL without a time {n}"),
                format!("2026-11-22 10:00:00 ERROR nothing but a message {n}"),
            ]
        })
        .collect();
    let mut client = server.client()?;
    client.execute("SELECT logwatch_ingest($1::text[], 'many')", &[&lines])?;
    for line in &lines {
        client.execute("SELECT logwatch_ingest($1::text, 'one')", &[line])?;
    }
    let rows = |source: &str| {
        format!(
            "SELECT CASE WHEN flags IS NULL THEN logged_at END, level, fingerprint, message, detail, fields, flags
               FROM logwatch.entries WHERE source_id = logwatch_private.source_id('{source}')"
        )
    };
    for (one, other) in [("many", "one"), ("one", "many")] {
        let differs = format!(
            "SELECT count(*) FROM ({} EXCEPT ALL {}) AS d",
            rows(one),
            rows(other)
        );
        assert_eq!(server.sql(&differs)?, "0", "{one}");
    }
    assert_eq!(
        server.sql("SELECT count(*), count(DISTINCT id), count(detail), count(fields), count(flags) FROM logwatch.entries")?,
        "400|400|100|100|100"
    );
    // By the index alone.
    assert_eq!(
        server.sql("SET enable_seqscan = off; SELECT count(*) FROM logwatch.entries WHERE logged_at = '2026-11-22T10:00:00Z'")?,
        "202"
    );
    // Records without trace, fields and flags take less than rows that INSERT makes.
    server.sql(
        "SELECT logwatch_ingest(array_agg('2026-11-22 10:00:00 ERROR number ' || n), 'many') FROM generate_series(1, 5000) AS n;
         CREATE TABLE copy (LIKE logwatch.entries);
         INSERT INTO copy SELECT id, received_at, logged_at, source_id, level, path_id, fingerprint, message || '', detail, fields, flags FROM logwatch.entries",
    )?;
    assert_eq!(
        server.sql(
            "SELECT sum(pg_relation_size(relid)) < 0.97 * pg_relation_size('copy'), (SELECT count(*) FROM copy WHERE flags IS NULL AND path_id IS NULL)
               FROM pg_partition_tree('logwatch.entries') WHERE isleaf"
        )?,
        "t|5300"
    );
    Ok(())
}

#[test]
fn a_trigger_or_check_of_ones_own_sees_every_record_of_a_large_call() -> Result<()> {
    let server = Server::without_worker(&[])?;
    server.sql(
        "CREATE TABLE seen (message text);
         CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.seen VALUES (NEW.message); RETURN NULL; END $$;
         CREATE TRIGGER see AFTER INSERT ON logwatch.entries FOR EACH ROW EXECUTE FUNCTION see()",
    )?;
    let call = "SELECT logwatch_ingest(array_agg('ERROR number ' || n)) FROM generate_series(1, 60) AS n";
    assert_eq!(server.sql(call)?, "60");
    assert_eq!(server.sql("SELECT count(DISTINCT message) FROM seen")?, "60");
    server.sql("DROP TRIGGER see ON logwatch.entries; ALTER TABLE logwatch.entries ADD CHECK (message <> 'number 61')")?;
    let call = call.replace("60)", "61)");
    let mut client = server.client()?;
    assert_eq!(
        run_error(&mut client, &call)?.code,
        SqlState::CHECK_VIOLATION.code()
    );
    assert_eq!(server.sql("SELECT count(*) FROM logwatch.entries")?, "60");
    Ok(())
}
