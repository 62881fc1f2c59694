//! What each of the README's roles may do: its GRANT lines are run as they stand there, and then every function and every table
//! of the extension is tried as every role, so that nothing new can be forgotten.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use logwatch_tests::programs;
use logwatch_tests::server::{Server, run};

/// A role of the README and all that it may do: functions by name and arguments' number, relations by name and privilege.
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
            "logwatch_heartbeat/7",
            "logwatch_ingest/16",
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
        may: &["logwatch_ack/2", "logwatch_silence/8", "logwatch_unsilence/1"],
    },
    Role {
        name: "author",
        reads: true,
        may: &["INSERT rules", "UPDATE rules", "DELETE rules"],
    },
];

/// What whoever reads may call.
const READING: &[&str] = &[
    "logwatch_status/0",
    "logwatch_files/1",
    "logwatch_alert_json/1",
    "logwatch_backtest/3",
    "logwatch_nagios/0",
    "logwatch_report_html/1",
];

/// The README's block of GRANT lines.
fn grants() -> Result<String> {
    let readme = std::fs::read_to_string(programs::checkout().join("README.md"))?;
    let block = readme
        .split("## Who may do what")
        .nth(1)
        .and_then(|section| section.split("```sql\n").nth(1))
        .and_then(|rest| rest.split("```").next());
    Ok(block.context("the README has a block of GRANT lines")?.to_owned())
}

/// Each function and procedure of the extension: its name with the number of arguments, and a statement that calls it with NULLs.
/// The arguments come from a subquery, so that the planner cannot fold the call away unchecked.
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
     ORDER BY 1, 2"#;

/// Each table, view and sequence of the schema, with a statement for each privilege that changes nothing.
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
            let allowed = !matches!(run(&mut session, statement), Err(error) if error.to_string().contains("SQLSTATE: 42501"));
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
            let error = server
                .sql_as(
                    "nobody",
                    &format!("SELECT logwatch_ingest('INFO x'); {statement}"),
                )
                .expect_err(&statement)
                .to_string();
            assert!(
                error.contains("SQLSTATE: 42501") || error.contains("SQLSTATE: 55P02"),
                "{statement}: {error}"
            );
        }
    }
    Ok(())
}

/// Mallory may create in the schema that the extension is installed in: operators and functions of a closer match than pg_catalog's.
#[test]
fn hostile_operators_and_functions_are_never_called() -> Result<()> {
    let mut server = Server::create(&[
        ("shared_preload_libraries", "logwatch"),
        ("logwatch.check_interval", "1s"),
    ])?;
    server.start()?;
    server.sql("CREATE ROLE mallory LOGIN; GRANT CREATE ON SCHEMA public TO mallory; CREATE TABLE public.loot (who name, what text); GRANT INSERT ON public.loot TO PUBLIC")?;
    server.sql_as(
        "mallory",
        r#"DO $do$
        DECLARE
            l text; r text; op text; made integer := 0;
            types constant text[] := '{bigint,integer,smallint,oid,regclass,text,name,varchar,"char",boolean,timestamptz,timestamp,date,interval,numeric,float8,xid8,jsonb,text[],name[],bigint[]}';
        BEGIN
            FOREACH l IN ARRAY types LOOP
                FOREACH r IN ARRAY types LOOP
                    EXECUTE format('CREATE FUNCTION public.steal(%1$s, %2$s) RETURNS boolean LANGUAGE plpgsql AS
                                    $f$ BEGIN INSERT INTO public.loot VALUES (current_user, ''%1$s %2$s''); RETURN true; END $f$', l, r);
                    FOREACH op IN ARRAY '{=,<>,<,>,<=,>=,~,!~,~~,!~~,||,->,->>}'::text[] LOOP
                        CONTINUE WHEN EXISTS (SELECT FROM pg_operator WHERE oprname = op AND oprleft = l::regtype AND oprright = r::regtype);
                        EXECUTE format('CREATE OPERATOR public.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = public.steal)', op, l, r);
                        made := made + 1;
                    END LOOP;
                END LOOP;
            END LOOP;
            ASSERT made > 3000;
            FOREACH l IN ARRAY '{format(text\,text),format(text\,name),format(text\,text\,text),format(text\,text\,name),format(text\,name\,text),concat_ws(text\,text\,text),concat_ws(text\,text\,name),"left(name,integer)","string_to_array(name,text)","to_char(date,text)","right(name,integer)"}'::text[] LOOP
                EXECUTE format('CREATE FUNCTION public.%1$s RETURNS text LANGUAGE plpgsql AS
                                $f$ BEGIN INSERT INTO public.loot VALUES (current_user, %1$L); RETURN ''''; END $f$', l);
            END LOOP;
            CREATE FUNCTION public.unnest(text[]) RETURNS SETOF text LANGUAGE plpgsql AS
                $f$ BEGIN INSERT INTO public.loot VALUES (current_user, 'unnest'); RETURN NEXT 'x'; END $f$;
            CREATE FUNCTION public.generate_series(date, date, interval) RETURNS SETOF date LANGUAGE plpgsql AS
                $f$ BEGIN INSERT INTO public.loot VALUES (current_user, 'generate_series'); RETURN; END $f$;
        END $do$"#,
    )?;

    server.sql("CREATE EXTENSION logwatch")?;
    server.wait_for_worker(crate::SOON, None)?;
    server.sql(
        "SELECT logwatch_ingest(ARRAY['FATAL out of space', 'ERROR b', 'ERROR c', 'ERROR d', 'ERROR e'], 'web');
         SELECT logwatch_silence('error', '1 hour'); SELECT logwatch_unsilence(1);
         INSERT INTO logwatch.rules (name, match, source, recipients) VALUES ('disk', 'space', 'w*', '{a@example.com}');
         SELECT logwatch_attach('app', '/var/log/app.log');
         SELECT logwatch_heartbeat('app', 1, '{1}', '{2}', '{true}', '{/x}', '{denied}'); SELECT logwatch_maintain(); SELECT logwatch_backtest('error');
         SELECT logwatch_report()",
    )?;
    server.wait_for_log(crate::SOON, "[FIRING:1] fatal")?;
    for call in [
        "logwatch_status()",
        "logwatch_files()",
        "logwatch_check()",
        "logwatch_nagios()",
        "logwatch_alert_json(1)",
        "logwatch.metrics",
    ] {
        server.sql(&format!("SELECT * FROM {call}"))?;
    }
    server.sql("CALL logwatch_deliver()")?;
    server.sql("DROP EXTENSION logwatch")?;
    assert_eq!(
        server.sql("SELECT DISTINCT who, what FROM public.loot ORDER BY 1, 2")?,
        ""
    );
    Ok(())
}

/// What a session may set for itself changes nothing of what a function does with its owner's rights.
#[test]
fn a_sessions_own_settings_change_nothing() -> Result<()> {
    let server = Server::without_worker(&[])?;
    server.sql("UPDATE logwatch.rules SET source = 'a_%b*' WHERE name = 'error'")?;
    server.sql(
        r"SET standard_conforming_strings = off; SET transform_null_equals = on; SET DateStyle = 'SQL, DMY'; SET IntervalStyle = 'sql_standard';
          SET array_nulls = off; SET extra_float_digits = -15; SET bytea_output = 'escape'; SET timezone = 'Pacific/Chatham'; SET from_collapse_limit = 1;
          SELECT logwatch_ingest(ARRAY['ERROR a', 'ERROR b', 'ERROR c', 'ERROR d', 'ERROR e'], 'a_%b-1');
          SELECT logwatch_ingest(ARRAY['ERROR a', 'ERROR b', 'ERROR c', 'ERROR d', 'ERROR e'], 'axyb-1');
          SELECT * FROM logwatch_check(); SELECT logwatch_maintain(); SELECT logwatch_status(); SELECT logwatch_silence('e*', '1 hour')",
    )?;
    assert_eq!(server.sql("SELECT rule, peak FROM logwatch.alerts")?, "error|5");
    assert_eq!(
        server.sql("SELECT count(*) FROM pg_inherits WHERE inhparent = 'logwatch.entries'::regclass")?,
        "4"
    );
    Ok(())
}

#[test]
fn a_hostile_client_cannot_store_more_than_a_row_should_hold() -> Result<()> {
    let server = Server::without_worker(&[])?;
    server.sql("CREATE ROLE app LOGIN; CREATE ROLE tailer LOGIN; CREATE ROLE author LOGIN; CREATE ROLE reader; CREATE ROLE operator")?;
    server.psql(&grants()?)?;

    let refused = |role: &str, statement: &str, code: &str| -> Result<()> {
        let error = server
            .sql_as(role, statement)
            .err()
            .with_context(|| format!("not refused: {statement}"))?;
        assert!(error.to_string().contains(code), "{statement}: {error}");
        Ok(())
    };
    refused(
        "app",
        "SELECT logwatch_ingest(array_fill('INFO x'::text, ARRAY[100001]))",
        "54000",
    )?;
    refused(
        "app",
        "SELECT logwatch_ingest(array_fill(repeat('INFO x', 1000000), ARRAY[12]))",
        "54000",
    )?;
    refused(
        "app",
        "SELECT logwatch_ingest('ERROR x', repeat('s', 1025))",
        "23514",
    )?;
    refused(
        "tailer",
        "SELECT logwatch_attach(repeat('s', 1025), '/x')",
        "23514",
    )?;
    server.sql_as(
        "tailer",
        "SELECT logwatch_attach('t', repeat('/x', 1000000), repeat('h', 1000000), repeat('v', 1000000))",
    )?;
    refused(
        "tailer",
        "SELECT logwatch_ingest('t', 1, 1, repeat('/x', 10000), 1, 1, 0, 10, 0, 0, 0, 0, '{}', '{}')",
        "23514",
    )?;
    server.sql_as(
        "tailer",
        "SELECT logwatch_ingest('t', 1, 1, '/x', 1, 1, 0, 10, 0, 0, 0, 0, '{}', '{}', repeat('g', 1000000))",
    )?;
    server.sql_as(
        "app",
        "SELECT logwatch_ingest('ERROR ' || repeat('m', 1000000) || E'\\n' || repeat(E'detail\\n', 1000000))",
    )?;
    server.sql_as("app", "SELECT logwatch_ingest(json_build_object('level', 'error', 'msg', 'm', 'big', repeat('f', 1000000))::text)")?;
    server.sql_as("app", "SELECT logwatch_ingest('{\"level\":\"error\",\"a\":' || repeat('[', 100000) || repeat(']', 100000) || '}')")?;
    server.sql_as(
        "tailer",
        "SELECT logwatch_heartbeat('t', 1, '{}', '{}', '{}', array_agg('/x' || n), array_agg(repeat('e', 100000))) FROM generate_series(1, 2000) AS n",
    )?;
    assert_eq!(
        server.sql("SELECT count(*), max(length(error)) FROM logwatch.read_errors")?,
        "1000|1000"
    );
    let largest = server.sql("SELECT max(pg_column_size(e.*)) < 2000000 AND max(length(message)) <= 65536 AND max(length(detail)) <= 1048576 AND count(*) = 3 FROM logwatch.entries AS e")?;
    assert_eq!(
        largest,
        "t",
        "{}",
        server.sql("SELECT length(message), length(detail), flags FROM logwatch.entries")?
    );
    assert_eq!(
        server.sql(
            "SELECT max(length(template)) <= 512 AND max(length(sample)) <= 2000 FROM logwatch.patterns"
        )?,
        "t"
    );
    assert_eq!(
        server.sql("SELECT max(pg_column_size(s.*)) < 8192 FROM logwatch.sources AS s")?,
        "t"
    );

    assert_eq!(
        server.sql("SELECT max(length(reason)) FROM logwatch.gaps")?,
        "1000"
    );

    for (set, code) in [
        ("match = '^(a*)(.*)(.*)(.*)(.*)\\1\\2\\3\\4\\5z?$'", "2201B"),
        ("exclude = '(a)\\\\\\1'", "2201B"),
        ("match = '(((a{0,200}){0,200}){0,200})'", "2201B"),
        ("match = repeat('a|', 501)", "23514"),
        ("runbook = repeat('r', 1001)", "23514"),
        ("source = repeat('s', 1025)", "23514"),
        (
            "recipients = array_fill('a@example.com'::text, ARRAY[101])",
            "23514",
        ),
    ] {
        refused(
            "author",
            &format!("UPDATE logwatch.rules SET {set} WHERE name = 'error'"),
            code,
        )?;
    }
    // A backslash that is itself escaped makes no reference.
    server.sql_as(
        "author",
        "UPDATE logwatch.rules SET match = 'C:\\\\1' WHERE name = 'error'",
    )?;
    Ok(())
}
