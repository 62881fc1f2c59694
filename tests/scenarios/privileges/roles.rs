//! Each of the manual's roles has exactly the privileges that the manual names: its GRANT lines run
//! as printed, and then each role tries every function and every table of the extension, so that no
//! new object can be forgotten.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use logwatch_tests::manuals;
use logwatch_tests::server::{Server, SqlError, run};

use super::DENIED;
use crate::{INGEST_FATAL, SOON};

/// A role of the manual and all that it may do: functions by name and arguments' number, relations
/// by name and privilege.
struct Role {
    name: &'static str,
    /// May read every table and call what only reads.
    reads: bool,
    may: &'static [&'static str],
}

const ROLES: &[Role] = &[
    Role {
        name: "nobody",
        reads: false,
        may: &[],
    },
    Role {
        name: "tailer",
        reads: false,
        may: &[
            "logwatch_attach/4",
            "logwatch_files/1",
            "logwatch_heartbeat/8",
            "logwatch_ingest/17",
            "logwatch_ingest_range/17",
        ],
    },
    Role {
        name: "app",
        reads: false,
        may: &["logwatch_ingest/2"],
    },
    Role {
        name: "reader",
        reads: true,
        may: &[],
    },
    Role {
        name: "operator",
        reads: true,
        may: &[
            "logwatch_ack/2",
            "logwatch_forget/1",
            "logwatch_silence/9",
            "logwatch_unsilence/1",
        ],
    },
    Role {
        name: "author",
        reads: true,
        may: &[
            "INSERT rules",
            "UPDATE rules",
            "DELETE rules",
            "INSERT schedules",
            "UPDATE schedules",
            "DELETE schedules",
        ],
    },
];

/// Functions that every reading role may call.
const READING: &[&str] = &[
    "logwatch_status/0",
    "logwatch_files/1",
    "logwatch_alert_json/1",
    "logwatch_alert_entries/1",
    "logwatch_backtest/3",
    "logwatch_check_rule/1",
    "logwatch_nagios/0",
    "logwatch_prometheus/0",
    "logwatch_report_html/1",
];

/// The manual's block of GRANT lines.
pub fn grants() -> Result<String> {
    manuals::block_below("Roles and privileges", "sql")
}

/// Each function and procedure of the extension that SQL can call (nobody can write a value of type
/// internal): its name with the number of arguments, and a statement that calls it with NULLs. The
/// arguments come from a subquery, so that the planner cannot fold the call away unchecked.
const CALLS: &str = r#"
    SELECT p.proname || '/' || p.pronargs,
           CASE WHEN p.prokind = 'p' THEN format('CALL %s(%s)', p.oid::regproc, a.nulls)
                ELSE format('SELECT %s(%s) FROM (SELECT %s OFFSET 0) AS v', p.oid::regproc, a.names, COALESCE(NULLIF(a.columns, ''), '1')) END
      FROM pg_proc AS p
      JOIN pg_depend AS d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e' AND d.refclassid = 'pg_extension'::regclass
      JOIN pg_extension AS e ON e.oid = d.refobjid AND e.extname = 'logwatch'
     CROSS JOIN LATERAL (
           SELECT COALESCE(string_agg('v.a' || n, ', '), '') AS names, string_agg(format('NULL::%s AS a%s', t::regtype, n), ', ') AS columns,
                  COALESCE(string_agg(format('NULL::%s', t::regtype), ', '), '') AS nulls
             FROM unnest(p.proargtypes) WITH ORDINALITY AS u (t, n)) AS a
     WHERE 'internal'::regtype <> ALL (p.proargtypes)
     ORDER BY 1, 2"#;

/// Each table, view and sequence of the schema, with a statement for each privilege that changes
/// nothing.
const TOUCHES: &str = r#"
    SELECT o.privilege || ' ' || c.relname, format(o.statement, c.oid::regclass, quote_ident(a.attname))
      FROM pg_class AS c
      JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = 1
     CROSS JOIN (VALUES ('SELECT', 'SELECT FROM %1$s LIMIT 0'), ('INSERT', 'INSERT INTO %1$s SELECT FROM generate_series(1, 0)'),
                        ('UPDATE', 'UPDATE %1$s SET %2$s = DEFAULT WHERE false'), ('DELETE', 'DELETE FROM %1$s WHERE false'),
                        ('TRUNCATE', 'TRUNCATE %1$s'),
                        ('TRIGGER', 'CREATE TRIGGER hook BEFORE INSERT ON %1$s FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()')) AS o (privilege, statement)
     WHERE c.relnamespace = 'logwatch'::regnamespace AND (c.relkind IN ('r', 'p') OR c.relkind IN ('v', 'S') AND o.privilege = 'SELECT')
     ORDER BY 1"#;

fn pairs(rows: &str) -> Vec<(&str, &str)> {
    rows.lines().filter_map(|row| row.split_once('|')).collect()
}

#[test]
fn every_role_may_do_what_the_readme_says_and_nothing_else() -> Result<()> {
    let server = Server::without_worker(&[])?;
    for role in ROLES {
        server.sql(&format!("CREATE ROLE {} LOGIN", role.name))?;
    }
    server.psql(&grants()?)?;
    server.sql("SELECT logwatch_maintain()")?;
    let (calls, touches) = (server.sql(CALLS)?, server.sql(TOUCHES)?);
    let relations: BTreeSet<&str> = pairs(&touches)
        .iter()
        .filter_map(|(what, _)| what.split_once(' '))
        .map(|(_, name)| name)
        .collect();
    assert!(
        pairs(&calls).len() > 50 && relations.len() > 15,
        "{calls}\n{touches}"
    );
    assert!(
        relations.iter().any(|name| name.starts_with("entries_2")),
        "a partition made later is among them"
    );

    let mut wrong = Vec::new();
    for role in ROLES {
        let mut session = server.client_as(role.name, "postgres")?;
        for (what, statement) in pairs(&calls).into_iter().chain(pairs(&touches)) {
            let expected = role.may.contains(&what)
                || role.reads
                    && (READING.contains(&what) || what.starts_with("SELECT ") && !what.ends_with("_seq"));
            // A function may refuse the NULLs: only a refusal for want of the privilege counts.
            let allowed = match run(&mut session, statement) {
                Ok(_) => true,
                Err(error) => error.downcast::<SqlError>()?.code != DENIED,
            };
            if allowed != expected {
                wrong.push(format!(
                    "{} {} {what}: {statement}",
                    role.name,
                    if allowed { "may" } else { "may not" }
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[test]
fn a_revoked_kind_leaves_what_the_roles_other_kinds_need() -> Result<()> {
    let server = Server::without_worker(&[])?;
    server.sql("CREATE ROLE \"On Call\" LOGIN")?;
    let privileges = "SELECT has_function_privilege('On Call', 'logwatch_ack(bigint, text)', 'EXECUTE'),
        has_table_privilege('On Call', 'logwatch.rules', 'INSERT'), pg_has_role('On Call', 'pg_monitor', 'MEMBER')";
    assert_eq!(server.sql(privileges)?, "f|f|f");
    let granted = server.sql("SELECT logwatch_grant('\"On Call\"', 'operator')")?;
    assert!(
        granted
            .lines()
            .all(|line| line.starts_with("GRANT ") && line.ends_with(" TO \"On Call\"")),
        "{granted}"
    );
    server.sql("SELECT logwatch_grant('\"On Call\"', 'author')")?;
    assert_eq!(server.sql(privileges)?, "t|t|t");
    server.sql("SELECT logwatch_revoke('\"On Call\"', 'operator')")?;
    assert_eq!(server.sql(privileges)?, "f|t|t");
    server.sql("SELECT logwatch_revoke('\"On Call\"', 'author')")?;
    assert_eq!(server.sql(privileges)?, "f|f|f");

    for (statement, code) in [
        ("SELECT logwatch_grant('\"On Call\"', 'tailor')", "22023"),
        ("SELECT logwatch_grant('nosuch', 'tailer')", "42704"),
    ] {
        let error = server.sql(statement).expect_err(statement).to_string();
        assert!(error.contains(&format!("SQLSTATE: {code}")), "{error}");
    }
    let error = server.sql_as("On Call", "SELECT logwatch_grant('\"On Call\"', 'author')");
    let error = error.expect_err("a role granted itself").to_string();
    assert!(error.contains("SQLSTATE: 42501"), "{error}");
    Ok(())
}

#[test]
fn nobody_sees_a_setting() -> Result<()> {
    let server = Server::without_worker(&[
        ("logwatch.smtp_user", "alerts"),
        ("logwatch.email_to", "ops@example.com"),
    ])?;
    server.sql("CREATE ROLE nobody LOGIN")?;
    // Settings exist in a session once the library is loaded.
    server.sql("GRANT EXECUTE ON FUNCTION logwatch_ingest(text, text) TO nobody")?;
    let names = server.sql("SELECT logwatch_ingest('INFO x'); SELECT string_agg(name, ',') FROM pg_settings WHERE name LIKE 'logwatch.%'")?;
    assert!(names.contains("logwatch.smtp_user"), "{names}");
    for name in names.trim_start_matches("0\n").split(',') {
        for statement in [format!("SHOW {name}"), format!("SET {name} = ''")] {
            let error = server.sql_error_as(
                "nobody",
                &format!("SELECT logwatch_ingest('INFO x'); {statement}"),
            )?;
            // 55P02: the setting needs a restart or a reload, whoever sets it.
            assert!(
                [DENIED, "55P02"].contains(&error.code.as_str()),
                "{statement}: {error}"
            );
        }
    }
    Ok(())
}

/// REASSIGN OWNED makes an application's role the owner, which may see less than a superuser.
#[test]
fn an_owner_without_pg_monitor_can_still_read_the_status() -> Result<()> {
    let server = Server::with_worker(&[("logwatch.check_interval", "1s")])?;
    server.sql(
        "DROP EXTENSION logwatch; CREATE ROLE dba LOGIN SUPERUSER; CREATE ROLE app; GRANT CREATE ON DATABASE postgres TO app",
    )?;
    server.sql_as("dba", "CREATE EXTENSION logwatch")?;
    server.sql("REASSIGN OWNED BY dba TO app")?;
    server.sql(INGEST_FATAL)?;
    server.wait_for_log(SOON, "[FIRING:1] fatal")?;
    let told = server.sql("SELECT component, name, state, message FROM logwatch_status()")?;
    assert!(
        told.contains("\nworker|worker|running|Checks at every commit"),
        "{told}"
    );
    assert!(
        told.contains(
            "\nsetting|*|unknown|Misspelt settings are not looked for: role app, which owns logwatch, "
        ),
        "{told}"
    );
    assert_eq!(server.sql("SELECT state FROM logwatch_nagios()")?, "2");
    assert!(
        server
            .sql("SELECT logwatch_report_html()")?
            .contains("1 alert is firing")
    );
    assert!(
        server
            .sql("SELECT logwatch_report()")?
            .contains("1 rule is firing.")
    );
    assert_eq!(
        server.sql("SELECT value FROM logwatch.metrics WHERE metric = 'logwatch_worker_up'")?,
        "1"
    );
    // The commands in the message help.
    let command = told
        .split_once("To allow it: ")
        .and_then(|(_, rest)| rest.lines().next())
        .context("no command in the message")?;
    server.sql(command)?;
    let told = server.sql("SELECT component FROM logwatch_status()")?;
    assert!(!told.contains("setting"), "{told}");
    Ok(())
}
