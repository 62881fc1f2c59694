//! `ALTER EXTENSION logwatch UPDATE`: an upgraded extension equals a fresh one and keeps its data,
//! and the worker waits for it.
//!
//! `tests/upgrade/` holds the install script of each release (`make snapshot` writes it). Before
//! the first release, the present script under another version stands in for the previous one.

use std::fs;
use std::path::PathBuf;

use anyhow::Result;
use logwatch_tests::programs;
use logwatch_tests::server::Server;
use logwatch_tests::tailer::{Tailer, append};

use crate::SOON;

const PRESENT: &str = env!("CARGO_PKG_VERSION");

/// Returns the folder in which PostgreSQL looks for install and upgrade scripts.
fn scripts() -> Result<PathBuf> {
    Ok(PathBuf::from(programs::ask_pg_config(programs::pg_config()?, "sharedir")?).join("extension"))
}

/// Offers `version` as a release whose upgrade to the present one changes nothing.
fn offer_as_release(version: &str, script: &str) -> Result<()> {
    let folder = scripts()?;
    fs::write(folder.join(format!("logwatch--{version}.sql")), script)?;
    let upgrade = folder.join(format!("logwatch--{version}--{PRESENT}.sql"));
    Ok(fs::write(upgrade, "SELECT 'nothing changes';\n")?)
}

/// Returns the snapshots in tests/upgrade/: the version and the install script of each.
fn snapshots() -> Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(programs::checkout().join("tests/upgrade"))? {
        let path = entry?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if let Some(version) = name
            .strip_prefix("logwatch--")
            .and_then(|rest| rest.strip_suffix(".sql"))
        {
            found.push((version.to_owned(), fs::read_to_string(&path)?));
        }
    }
    Ok(found)
}

/// Lists the objects of the extension, one line for each, in an order that does not depend on the
/// way they were made.
const SCHEMA: &str = r#"
    WITH member AS (
        SELECT d.classid, d.objid FROM pg_depend AS d JOIN pg_extension AS e ON e.oid = d.refobjid
         WHERE e.extname = 'logwatch' AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e')
    SELECT 'member ' || pg_describe_object(classid, objid, 0) || ' -- ' || COALESCE(obj_description(objid, classid::regclass::name), '') FROM member
     WHERE NOT (classid = 'pg_type'::regclass AND EXISTS (SELECT FROM pg_type AS t WHERE t.oid = objid AND (t.typrelid <> 0 OR t.typelem <> 0)))
    UNION ALL SELECT CASE p.prokind WHEN 'a' THEN (SELECT a::text FROM pg_aggregate AS a WHERE a.aggfnoid = p.oid) ELSE pg_get_functiondef(p.oid) END || ' acl ' || COALESCE(p.proacl::text, '') FROM pg_proc AS p JOIN member ON objid = p.oid AND classid = 'pg_proc'::regclass
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

/// Asserts that the extension, created as `version` and upgraded, is what a fresh one is.
fn assert_upgrade_leads_here(version: &str) -> Result<()> {
    let fresh = Server::without_worker(&[])?;
    let mut upgraded = Server::create(&[])?;
    upgraded.start()?;
    upgraded.sql(&format!("CREATE EXTENSION logwatch VERSION '{version}'"))?;
    upgraded.sql("ALTER EXTENSION logwatch UPDATE")?;
    let (fresh, upgraded) = (fresh.sql(SCHEMA)?, upgraded.sql(SCHEMA)?);
    let lacking = |of: &str, other: &str| -> String {
        let lines: Vec<&str> = of
            .lines()
            .filter(|line| !other.lines().any(|o| o == *line))
            .collect();
        lines.join("\n")
    };
    let (missing, stale) = (lacking(&fresh, &upgraded), lacking(&upgraded, &fresh));
    assert!(
        missing.is_empty() && stale.is_empty(),
        "the upgrade from {version} does not lead to the present schema.\n\
         Before {PRESENT} is released: make snapshot. After: raise the version and write sql/logwatch--OLD--NEW.sql.\n\
         missing:\n{missing}\nstale:\n{stale}"
    );
    assert_eq!(fresh, upgraded);
    assert!(fresh.lines().count() > 500);
    Ok(())
}

#[test]
fn an_upgraded_extension_is_what_a_fresh_one_is() -> Result<()> {
    let mut released = snapshots()?;
    if released.is_empty() {
        let present = scripts()?.join(format!("logwatch--{PRESENT}.sql"));
        released.push((PRESENT.to_owned(), fs::read_to_string(present)?));
    }
    for (version, script) in released {
        if version == PRESENT {
            // No upgrade leads from a version to itself.
            offer_as_release("0.0.1", &script)?;
            assert_upgrade_leads_here("0.0.1")?;
        } else {
            fs::write(scripts()?.join(format!("logwatch--{version}.sql")), &script)?;
            assert_upgrade_leads_here(&version)?;
        }
    }
    Ok(())
}

#[test]
fn between_new_files_and_the_upgrade_the_worker_waits_and_says_what_to_type() -> Result<()> {
    let present = fs::read_to_string(scripts()?.join(format!("logwatch--{PRESENT}.sql")))?;
    offer_as_release("0.0.2", &present)?;
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
        "CREATE EXTENSION logwatch VERSION '0.0.2';
         INSERT INTO logwatch.sources (id, name) VALUES (logwatch_private.source_id('old'), 'old');
         INSERT INTO logwatch.entries (logged_at, source_id, level, fingerprint, message) VALUES (now(), logwatch_private.source_id('old'), 'ERROR', 1, 'of 0.0.2');
         INSERT INTO logwatch.rules (name, match) VALUES ('mine', 'mine'); CREATE ROLE operator; GRANT EXECUTE ON FUNCTION logwatch_ack(bigint, text) TO operator",
    )?;
    server.wait_for_log(SOON, "ALTER EXTENSION logwatch UPDATE")?;
    let pid = server.wait_for_worker(SOON, None)?;
    let status = server.sql("SELECT state, message FROM logwatch_status() WHERE component = 'worker'")?;
    assert!(
        status.starts_with("waiting|") && status.contains("ALTER EXTENSION logwatch UPDATE"),
        "{status}"
    );
    // No call stores a half: ingest fails with a code at which a tailer tries again.
    let refused = server.sql_error("SELECT logwatch_ingest('ERROR x')")?;
    assert_eq!(refused.code, "57P03", "{refused}");
    let hint = refused.hint.unwrap_or_default();
    assert!(hint.contains("ALTER EXTENSION logwatch UPDATE"), "{hint}");
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
        "after,of 0.0.2,one",
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
