//! From version 0.1.0 to this one: an upgraded extension is what a fresh one is, keeps its data, and the worker waits for it.

use std::fs;
use std::process::Command;

use anyhow::{Result, ensure};
use logwatch_tests::programs;
use logwatch_tests::server::Server;
use logwatch_tests::tailer::{Tailer, append};

use crate::SOON;

/// Puts version 0.1.0's script, as it was released, beside the present one.
fn offer_the_old_version() -> Result<()> {
    let output = Command::new(programs::pg_config()?).arg("--sharedir").output()?;
    let folder = format!("{}/extension", String::from_utf8(output.stdout)?.trim_end());
    let name = "logwatch--0.1.0.sql";
    ensure!(
        fs::metadata(format!(
            "{folder}/logwatch--0.1.0--{}.sql",
            env!("CARGO_PKG_VERSION")
        ))
        .is_ok()
    );
    fs::copy(
        programs::checkout().join("tests/upgrade").join(name),
        format!("{folder}/{name}"),
    )?;
    Ok(())
}

/// All that makes up the extension, one line for each thing, in an order that does not depend on how it came about.
const SCHEMA: &str = r#"
    WITH member AS (
        SELECT d.classid, d.objid FROM pg_depend AS d JOIN pg_extension AS e ON e.oid = d.refobjid
         WHERE e.extname = 'logwatch' AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e')
    SELECT 'member ' || pg_describe_object(classid, objid, 0) || ' -- ' || COALESCE(obj_description(objid, classid::regclass::name), '') FROM member
     WHERE NOT (classid = 'pg_type'::regclass AND EXISTS (SELECT FROM pg_type AS t WHERE t.oid = objid AND (t.typrelid <> 0 OR t.typelem <> 0)))
    UNION ALL SELECT pg_get_functiondef(p.oid) || ' acl ' || COALESCE(p.proacl::text, '') FROM pg_proc AS p JOIN member ON objid = p.oid AND classid = 'pg_proc'::regclass
    UNION ALL SELECT format('relation %s %s %s %s acl %s', c.oid::regclass, c.relkind, c.reloptions, c.relpersistence,
                            (SELECT string_agg(a::text, ' ' ORDER BY a::text) FROM unnest(c.relacl) AS a))
                FROM pg_class AS c WHERE c.relnamespace = 'logwatch'::regnamespace AND c.relname !~ '_[0-9]{8}'
    UNION ALL SELECT format('column %s.%s %s %s %s %s -- %s', a.attrelid::regclass, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity,
                            pg_get_expr(d.adbin, d.adrelid), col_description(a.attrelid, a.attnum))
                FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
               WHERE c.relnamespace = 'logwatch'::regnamespace AND c.relname !~ '_[0-9]{8}' AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL SELECT format('constraint %s %s %s', conrelid::regclass, conname, pg_get_constraintdef(oid)) FROM pg_constraint WHERE connamespace = 'logwatch'::regnamespace AND conrelid::regclass::text !~ '_[0-9]{8}'
    UNION ALL SELECT 'index ' || indexdef FROM pg_indexes WHERE schemaname = 'logwatch' AND tablename !~ '_[0-9]{8}'
    UNION ALL SELECT format('trigger %s %s -- %s', pg_get_triggerdef(t.oid), t.tgenabled, obj_description(t.oid, 'pg_trigger'))
                FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid WHERE c.relnamespace = 'logwatch'::regnamespace AND NOT t.tgisinternal
    UNION ALL SELECT format('view %s %s', c.oid::regclass, pg_get_viewdef(c.oid)) FROM pg_class AS c JOIN member ON objid = c.oid AND classid = 'pg_class'::regclass WHERE c.relkind = 'v'
    UNION ALL SELECT format('level %s', enumlabel) FROM pg_enum WHERE enumtypid = 'logwatch.level'::regtype
    UNION ALL SELECT format('dumped %s %s', c::regclass, w) FROM pg_extension AS e, unnest(e.extconfig, e.extcondition) AS u (c, w) WHERE e.extname = 'logwatch'
    UNION ALL SELECT 'rule ' || (to_jsonb(r) - 'created_at' - 'updated_at')::text FROM logwatch.rules AS r
     ORDER BY 1"#;

#[test]
fn an_upgraded_extension_is_what_a_fresh_one_is() -> Result<()> {
    offer_the_old_version()?;
    let fresh = Server::without_worker(&[])?;
    let mut upgraded = Server::create(&[])?;
    upgraded.start()?;
    upgraded.sql("CREATE EXTENSION logwatch VERSION '0.1.0'")?;
    upgraded.sql("ALTER EXTENSION logwatch UPDATE")?;
    let (fresh, upgraded) = (fresh.sql(SCHEMA)?, upgraded.sql(SCHEMA)?);
    let missing: Vec<&str> = fresh
        .lines()
        .filter(|line| !upgraded.lines().any(|other| other == *line))
        .collect();
    let stale: Vec<&str> = upgraded
        .lines()
        .filter(|line| !fresh.lines().any(|other| other == *line))
        .collect();
    assert!(
        missing.is_empty() && stale.is_empty(),
        "the upgrade does not lead to the present schema; what has changed of an old table belongs into sql/upgrade_0.1.0.sql\nmissing:\n{}\nstale:\n{}",
        missing.join("\n"),
        stale.join("\n")
    );
    assert_eq!(fresh, upgraded);
    assert!(fresh.lines().count() > 500);
    Ok(())
}

#[test]
fn between_new_files_and_the_upgrade_the_worker_waits_and_says_what_to_type() -> Result<()> {
    offer_the_old_version()?;
    let mut server = Server::create(&[
        ("shared_preload_libraries", "logwatch"),
        ("logwatch.check_interval", "1s"),
    ])?;
    server.start()?;
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("app.log");
    append(&log, &["ERROR one"])?;
    // An old installation with data of its own, some of it in a partition made later.
    server.sql(
        "CREATE EXTENSION logwatch VERSION '0.1.0';
         INSERT INTO logwatch.sources (id, name) VALUES (logwatch.source_id('old'), 'old');
         INSERT INTO logwatch.entries (logged_at, source_id, level, fingerprint, message) VALUES (now(), logwatch.source_id('old'), 'ERROR', 1, 'of 0.1.0');
         INSERT INTO logwatch.rules (name, match) VALUES ('mine', 'mine'); CREATE ROLE operator; GRANT EXECUTE ON FUNCTION logwatch_ack(bigint, text) TO operator",
    )?;
    server.wait_for_log(SOON, "ALTER EXTENSION logwatch UPDATE")?;
    let pid = server.wait_for_worker(SOON, None)?;
    let status = server.sql("SELECT state, message FROM logwatch_status() WHERE component = 'worker'")?;
    assert!(
        status.starts_with("waiting|") && status.contains("ALTER EXTENSION logwatch UPDATE"),
        "{status}"
    );
    // Nothing is stored half: whoever ingests is told the same, with a code at which a tailer tries again.
    let refused = server.sql_error("SELECT logwatch_ingest('ERROR x')")?;
    assert!(
        refused.contains("ALTER EXTENSION logwatch UPDATE") && refused.contains("SQLSTATE: 57P03"),
        "{refused}"
    );
    let mut tailer = Tailer::start(
        &server,
        &["--source", "app", "--from-beginning", &log.display().to_string()],
    )?;
    server.wait_for_sql(
        SOON,
        "SELECT count(*) FROM logwatch.sources WHERE name = 'app'",
        "1",
    )?;

    server.sql("ALTER EXTENSION logwatch UPDATE")?;
    server.sql("SELECT logwatch_ingest('FATAL after')")?;
    server.wait_for_log(SOON, "[FIRING:1] fatal")?;
    server.wait_for_sql(
        SOON,
        "SELECT string_agg(message, ',' ORDER BY message) FROM logwatch.entries",
        "after,of 0.1.0,one",
    )?;
    assert!(tailer.exited()?.is_none(), "{}", tailer.output());
    assert_eq!(server.worker()?, Some(pid), "no restart was needed");
    assert_eq!(
        server
            .log()
            .matches("logwatch worker: the library is version")
            .count(),
        1,
        "said once"
    );
    assert_eq!(server.sql("SELECT count(*) FROM logwatch.rules WHERE name = 'mine'; SELECT has_function_privilege('operator', 'logwatch_ack(bigint, text)', 'EXECUTE')")?, "1\nt");
    Ok(())
}
