//! Roles and privileges: PUBLIC has none, pg_monitor may read, a tailer needs exactly two
//! functions.

mod hostile_session;
mod input_limits;
mod roles;

use anyhow::Result;
use logwatch_tests::server::Server;
use logwatch_tests::tailer::{Tailer, append};

use crate::SOON;

/// The SQLSTATE insufficient_privilege.
const DENIED: &str = "42501";

/// Everything that belongs to the extension or lies in its schema: class, oid, description and
/// privileges.
const OBJECTS: &str = "
    WITH members AS (
        SELECT d.classid, d.objid FROM pg_depend AS d JOIN pg_extension AS e ON e.oid = d.refobjid
         WHERE e.extname = 'logwatch' AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
    ), acls AS (
        SELECT 'pg_proc'::regclass AS classid, oid AS objid, coalesce(proacl, acldefault('f', proowner)) AS acl FROM pg_proc
        UNION ALL SELECT 'pg_class'::regclass, oid, coalesce(relacl, acldefault(CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::\"char\", relowner)) FROM pg_class
        UNION ALL SELECT 'pg_namespace'::regclass, oid, coalesce(nspacl, acldefault('n', nspowner)) FROM pg_namespace
        UNION ALL SELECT 'pg_type'::regclass, oid, coalesce(typacl, acldefault('T', typowner)) FROM pg_type WHERE typtype = 'e'
    )";

#[test]
fn public_may_do_nothing() -> Result<()> {
    let server = Server::without_worker(&[])?;
    server.sql("SELECT logwatch_maintain()")?;
    let open = server.sql(&format!(
        "{OBJECTS} SELECT pg_describe_object(m.classid, m.objid, 0), a.privilege_type
             FROM members AS m JOIN acls USING (classid, objid) CROSS JOIN LATERAL aclexplode(acls.acl) AS a
            WHERE a.grantee = 0"
    ))?;
    assert_eq!(open, "");
    // Partitions made later are no members: look at the whole schema too.
    let open = server.sql(
        "SELECT c.oid::regclass FROM pg_class AS c CROSS JOIN LATERAL aclexplode(c.relacl) AS a
          WHERE c.relnamespace = 'logwatch'::regnamespace AND a.grantee = 0",
    )?;
    assert_eq!(open, "");
    Ok(())
}

#[test]
fn every_object_has_a_comment() -> Result<()> {
    let server = Server::without_worker(&[])?;
    let silent = server.sql(&format!(
        "{OBJECTS} SELECT pg_describe_object(classid, objid, 0) FROM members
            WHERE obj_description(objid, classid::regclass::text::name) IS NULL
              AND NOT (classid = 'pg_type'::regclass AND EXISTS (SELECT FROM pg_type AS t WHERE t.oid = objid AND (t.typrelid <> 0 OR t.typelem <> 0)))
              AND NOT (classid = 'pg_class'::regclass AND EXISTS (SELECT FROM pg_class AS c WHERE c.oid = objid AND c.relkind IN ('i', 'I', 'S')))
            ORDER BY 1"
    ))?;
    assert_eq!(silent, "");
    assert_ne!(
        server.sql(
            "SELECT obj_description(oid, 'pg_extension') FROM pg_extension WHERE extname = 'logwatch'"
        )?,
        ""
    );
    Ok(())
}

#[test]
fn a_role_without_grants_gets_nowhere() -> Result<()> {
    let server = Server::without_worker(&[])?;
    server.sql("CREATE ROLE nobody LOGIN")?;
    for statement in [
        "SELECT logwatch_ingest('ERROR x')",
        "SELECT logwatch_attach('app', '/x')",
        "SELECT * FROM logwatch_check()",
        "SELECT * FROM logwatch_status()",
        "SELECT logwatch_report()",
        "CALL logwatch_deliver()",
        "SELECT logwatch_test('log')",
        "SELECT logwatch_maintain()",
        "SELECT * FROM logwatch.entries",
        "SELECT * FROM logwatch_private.claim('log', 1)",
        "INSERT INTO logwatch.rules (name) VALUES ('x')",
    ] {
        let error = server.sql_error_as("nobody", statement)?;
        assert_eq!(error.code, DENIED, "{statement}: {error}");
    }
    Ok(())
}

#[test]
fn pg_monitor_reads() -> Result<()> {
    let server = Server::without_worker(&[])?;
    server.sql("SELECT logwatch_maintain(); SELECT logwatch_ingest('ERROR x'); CREATE ROLE watcher LOGIN IN ROLE pg_monitor")?;
    assert!(
        server
            .sql_as("watcher", "SELECT name FROM logwatch_status()")?
            .contains("fatal")
    );
    assert_eq!(
        server.sql_as(
            "watcher",
            "SELECT message FROM logwatch.entries WHERE level >= 'ERROR'"
        )?,
        "x"
    );
    for write in [
        "DELETE FROM logwatch.entries",
        "SELECT logwatch_ingest('ERROR x')",
    ] {
        assert_eq!(server.sql_error_as("watcher", write)?.code, DENIED, "{write}");
    }
    Ok(())
}

#[test]
fn a_tailer_needs_three_routines() -> Result<()> {
    let server = Server::without_worker(&[])?;
    server.sql("CREATE ROLE feeder LOGIN")?;
    let files = tempfile::tempdir()?;
    let log = files.path().join("app.log");
    append(&log, &["ERROR one", "INFO two", "FATAL three"])?;
    let args = ["--once", "--source", "app", &log.display().to_string()];

    let output = Tailer::command(&server, &args)?
        .env("PGUSER", "feeder")
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(77), "{said}");
    assert!(
        said.contains("SELECT public.logwatch_grant('\"feeder\"'::regrole, 'tailer'::text);"),
        "{said}"
    );

    server.sql(
        "GRANT EXECUTE ON FUNCTION logwatch_attach(text, text, text, text) TO feeder;
         GRANT EXECUTE ON FUNCTION logwatch_ingest(text, bigint, bigint, text, bigint, bigint, bigint, bigint, integer, bigint, integer, bigint, text[], integer[], text, text, text) TO feeder;
         GRANT EXECUTE ON PROCEDURE logwatch_ingest_range(text, bigint, bigint, text, bigint, bigint, bigint, bigint, integer, bigint, integer, bigint, text[], integer[], text, text, text) TO feeder",
    )?;
    let output = Tailer::command(&server, &args)?
        .env("PGUSER", "feeder")
        .output()?;
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        output.stderr.is_empty() && output.stdout.is_empty(),
        "--once is silent when all is well"
    );
    server.wait_for_sql(SOON, "SELECT count(*) FROM logwatch.entries", "2")?;
    let read = server.sql_error_as("feeder", "SELECT * FROM logwatch.entries")?;
    assert_eq!(read.code, DENIED, "{read}");
    Ok(())
}
