//! Hostile arguments for every function of the extension, and hostile rules: the server stays up,
//! nobody gains a privilege, nothing speaks of its inside, and what does not work stops nothing
//! else.
//!
//! The functions come from the catalogue, so that new ones are included. `LOGWATCH_CALLS` makes
//! more calls than the few of an ordinary run, `LOGWATCH_SEED` repeats one.

use anyhow::{Context, Result, bail};
use fastrand::Rng;
use logwatch_tests::server::{Server, run};
use postgres::Client;
use postgres::error::SqlState;
use std::time::{Duration, Instant};

const STATEMENT_TIMEOUT: Duration = Duration::from_secs(10);

/// Words that a user must never read: they speak of the code, not of what was asked for.
const INSIDE: [&str; 9] = [
    "panicked",
    "unwrap",
    "index out of",
    "out of bounds",
    "byte index",
    "attempt to",
    ".rs:",
    "already borrowed",
    "unreachable",
];

/// Each role: its name, its number of calls, and the statements that make it.
const ROLES: [(&str, &str); 4] = [
    ("nobody", "CREATE ROLE nobody LOGIN"),
    (
        "tailer",
        "CREATE ROLE tailer LOGIN;
         GRANT EXECUTE ON FUNCTION logwatch_attach(text, text, text, text), logwatch_ingest(text, text), logwatch_ingest(text[], text),
             logwatch_ingest(text, bigint, bigint, text, bigint, bigint, bigint, bigint, integer, bigint, integer, bigint, text[], integer[], text, text, text)
             TO tailer",
    ),
    ("monitor", "CREATE ROLE monitor LOGIN; GRANT pg_monitor TO monitor"),
    ("postgres", ""),
];

/// Everything that says who may do what, a line each.
const PRIVILEGES: &str = "
    SELECT concat_ws(' ', 'role', r::text) FROM pg_roles AS r
    UNION ALL SELECT concat_ws(' ', 'member', m::text) FROM pg_auth_members AS m
    UNION ALL SELECT concat_ws(' ', p.oid::regprocedure, p.proowner, p.proacl, p.prosecdef, p.proconfig) FROM pg_proc AS p
    UNION ALL SELECT concat_ws(' ', n.nspname, n.nspowner, n.nspacl) FROM pg_namespace AS n WHERE n.nspname !~ '^pg_(toast_)?temp'
    UNION ALL SELECT concat_ws(' ', c.oid::regclass, c.relowner, c.relacl) FROM pg_class AS c
               WHERE c.relnamespace = 'logwatch'::regnamespace AND NOT c.relispartition AND c.relkind IN ('r', 'p', 'v')
    UNION ALL SELECT concat_ws(' ', 'default', d::text) FROM pg_default_acl AS d
    UNION ALL SELECT concat_ws(' ', 'setting', s::text) FROM pg_db_role_setting AS s
    ORDER BY 1";

const TEXTS: &[&str] = &[
    "''",
    "' '",
    "'x'",
    "'*'",
    "'%'",
    "'error'",
    "'fatal'",
    "'email'",
    "'log'",
    "'file'",
    "'webhook'",
    "'sql'",
    "'public'",
    "'now'",
    "'ERROR x'",
    "'FATAL '",
    "E'\\u0001\\u001b[31mERROR\\u0007'",
    "E'ERROR \\U0001F600\\u202e\\u0301'",
    "'ERROR %s %n %1$s {} $1 \\1 && || ; -- '''",
    "'''; DROP SCHEMA logwatch CASCADE; --'",
    "E'ERROR x\\r\\nBcc: a@example.com'",
    "'[2026-11-22 10:00:00] app.ERROR:  [] []'",
    "'2026-02-30 25:61:61 ERROR x'",
    "'9999-12-31 23:59:59 ERROR x'",
    "'0001-01-01 00:00:00 ERROR x'",
    "'{\"level\":\"error\",\"time\":1e308,\"msg\":\"\\u0000\\ud800\"}'",
    "'{\"level\":\"error\",\"time\":{\"seconds\":9223372036854775807,\"nanos\":-9223372036854775808}}'",
    "'{\"level\":\"error\",\"a\":' || repeat('[', 20000)",
    "'{\"level\":\"error\",\"a\":' || repeat('{\"a\":', 100) || '1' || repeat('}', 101)",
    "'{\"level\":\"error\",\"msg\":\"x\",\"n\":1' || repeat('0', 5000) || '}'",
    "repeat('ERROR x', 300000)",
    "repeat(E'ERROR x\\n\\tat y\\n', 50000)",
    "'ERROR ' || repeat(chr(128512), 20000)",
    "repeat('(', 3000)",
    "'(x+x+)+y'",
    "'((a{1,100}){1,100}){1,100}'",
    "'(.*)(.*)(.*)(.*)(.*)[^x]\\1\\2\\3'",
    "'[[:<:]'",
    "'/etc/passwd'",
    "'../../../x'",
    "'a@example.com'",
    "'Bcc: a@b, c@d'",
    "'infinity'",
    "'-1'",
    "'99999999999999999999999999'",
    "'open'",
    "'done'",
    "'0123456789abcdef'",
    "convert_from('\\xff'::bytea, 'UTF8')",
];

const NUMBERS: &[&str] = &["0", "1", "-1", "2", "3", "7", "100", "2147483647", "-2147483648"];
const BIG_NUMBERS: &[&str] = &[
    "9223372036854775807",
    "(-9223372036854775807 - 1)",
    "4294967296",
    "1e18",
];
const DECIMALS: &[&str] = &[
    "'NaN'",
    "'Infinity'",
    "'-Infinity'",
    "1e1000",
    "-1e-1000",
    "0",
    "1",
    "3.5",
];
const TIMES: &[&str] = &[
    "'infinity'",
    "'-infinity'",
    "'4714-11-24 00:00:00+00 BC'",
    "'294276-12-31 23:59:59+00'",
    "'epoch'",
    "now()",
    "now() - interval '1 day'",
    "now() + interval '100 years'",
];
const SPANS: &[&str] = &[
    "'0'",
    "'-1 day'",
    "'1 microsecond'",
    "'1 hour'",
    "'1 day'",
    "'366 days'",
    "'178000000 years'",
    "'-178000000 years'",
    "'2147483647 days'",
    "'1 month -30 days'",
    "'9223372036854775807 microseconds'",
];
const RANGES: &[&str] = &[
    "'{}'",
    "'{(,)}'",
    "'{[-infinity,infinity]}'",
    "'{[2026-01-01,2026-01-02),[2027-01-01,)}'",
];
const JSON: &[&str] = &[
    "'{}'",
    "'null'",
    "'[]'",
    "'{\"a\":1}'",
    "'{\"state\":\"x\",\"rows\":[]}'",
    "'1e400'",
];

/// Arrays of this type as no caller makes them: empty, with NULL and other bounds, of two
/// dimensions, long.
fn array_shapes(kind: &str, element: &str) -> [String; 4] {
    [
        format!("'{{}}'::{kind}"),
        format!("'[5:6]={{NULL,NULL}}'::{kind}"),
        format!("ARRAY[[{element}],[{element}]]::{kind}"),
        format!("array_fill({element}, ARRAY[10000])"),
    ]
}

/// An SQL expression of this type, the worse the better; one of `times` for a time.
fn value(rng: &mut Rng, kind: &str, times: &[&str]) -> String {
    if rng.u8(..) < 25 {
        return format!("NULL::{kind}");
    }
    if let Some(element) = kind.strip_suffix("[]") {
        let shapes = array_shapes(kind, &value(rng, element, times));
        return shapes.get(rng.usize(..8)).cloned().unwrap_or_else(|| {
            let values: Vec<_> = (0..rng.usize(1..5)).map(|_| value(rng, element, times)).collect();
            format!("ARRAY[{}]::{kind}", values.join(", "))
        });
    }
    let choices: &[&str] = match kind {
        "text" | "name" => TEXTS,
        "integer" | "smallint" | "oid" => NUMBERS,
        "bigint" => [NUMBERS, BIG_NUMBERS][rng.usize(..2)],
        "numeric" | "double precision" | "real" => DECIMALS,
        "timestamp with time zone" => times,
        "interval" => SPANS,
        "tstzmultirange" => RANGES,
        "jsonb" | "json" => JSON,
        "boolean" => &["true", "false"],
        "logwatch.level" => &["'DEBUG'", "'ERROR'", "'FATAL'"],
        "xid8" | "pg_snapshot" => &["'0'", "'3'", "'18446744073709551615'"],
        // A row of a table, as it stands there or with nothing in it.
        row if row.starts_with("logwatch.") => {
            return if rng.bool() {
                format!("(SELECT t FROM {row} AS t LIMIT 1)")
            } else {
                format!("jsonb_populate_record(NULL::{row}, '{{\"id\": -1}}')")
            };
        }
        _ => return format!("NULL::{kind}"),
    };
    format!("({})::{kind}", choices[rng.usize(..choices.len())])
}

struct Function {
    name: String,
    procedure: bool,
    arguments: Vec<String>,
}

impl Function {
    /// Functions that users may not call get the clock's time: an infinite one, which a superuser
    /// gave them, would stay in the sources.
    fn times(&self) -> &'static [&'static str] {
        if self.name.starts_with("logwatch_private.") {
            &TIMES[2..]
        } else {
            TIMES
        }
    }

    fn call(&self, rng: &mut Rng) -> String {
        let times = self.times();
        let values: Vec<_> = self
            .arguments
            .iter()
            .map(|kind| value(rng, kind, times))
            .collect();
        self.call_with(&values)
    }

    /// A call for each shape of an array, which all arguments that are arrays have; none without
    /// such arguments.
    fn calls_with_arrays(&self, rng: &mut Rng) -> Vec<String> {
        if !self.arguments.iter().any(|kind| kind.ends_with("[]")) {
            return Vec::new();
        }
        let shapes = 0..array_shapes("", "").len();
        let times = self.times();
        let mut shaped = |kind: &str, shape: usize| match kind.strip_suffix("[]") {
            Some(element) => array_shapes(kind, &value(rng, element, times))[shape].clone(),
            None => value(rng, kind, times),
        };
        shapes
            .map(|shape| {
                let values: Vec<_> = self.arguments.iter().map(|kind| shaped(kind, shape)).collect();
                self.call_with(&values)
            })
            .collect()
    }

    fn call_with(&self, values: &[String]) -> String {
        let values = values.join(", ");
        if self.procedure {
            format!("CALL {}({values})", self.name)
        } else {
            format!("SELECT * FROM {}({values})", self.name)
        }
    }
}

/// All functions and procedures of the extension, but those that only triggers may call.
fn functions(client: &mut Client) -> Result<Vec<Function>> {
    let rows = client.query(
        "SELECT p.oid::regproc::text, p.prokind = 'p',
                ARRAY(SELECT format_type(t.oid, NULL) FROM unnest(p.proargtypes) WITH ORDINALITY AS t (oid, number) ORDER BY t.number)
           FROM pg_proc AS p JOIN pg_depend AS d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
           JOIN pg_extension AS e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass
          WHERE e.extname = 'logwatch' AND p.prorettype <> 'trigger'::regtype
          ORDER BY p.oid::regprocedure::text",
        &[],
    )?;
    Ok(rows
        .into_iter()
        .map(|row| Function {
            name: row.get::<_, String>(0).trim_matches('"').to_owned(),
            procedure: row.get(1),
            arguments: row.get(2),
        })
        .collect())
}

/// Runs one statement; an error must be one of PostgreSQL's or of logwatch's own words. True when
/// it succeeded.
fn attempt(client: &mut Client, statement: &str) -> Result<bool> {
    let shown: String = statement.chars().take(400).collect();
    let Err(error) = client.batch_execute(statement) else {
        return Ok(true);
    };
    let Some(told) = error.as_db_error() else {
        bail!("the connection is gone after {shown}: {error}");
    };
    let text = [Some(told.message()), told.detail(), told.hint(), told.where_()]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join("\n");
    let code = told.code().code();
    if code.starts_with("XX") || INSIDE.iter().any(|word| text.contains(word)) {
        bail!("{shown}: {code} {text}");
    }
    if matches!(*told.code(), SqlState::CRASH_SHUTDOWN | SqlState::ADMIN_SHUTDOWN) {
        bail!("the server goes down after {shown}");
    }
    Ok(false)
}

/// Runs one statement as `attempt` does, and fails when it takes as long as this.
fn attempt_within(limit: Duration, client: &mut Client, statement: &str) -> Result<bool> {
    let started = Instant::now();
    let ok = attempt(client, statement)?;
    if started.elapsed() >= limit {
        bail!(
            "{:?} for {}",
            started.elapsed(),
            statement.chars().take(300).collect::<String>()
        );
    }
    Ok(ok)
}

fn number(name: &str, default: u64) -> Result<u64> {
    match std::env::var(name) {
        Ok(text) => text.parse().with_context(|| format!("{name} is no number")),
        Err(_) => Ok(default),
    }
}

fn assert_no_crash(server: &Server) {
    let log = server.log();
    for word in [
        "terminated by signal",
        "PANIC:  ",
        "crash of another server process",
        "panicked at",
    ] {
        // Notices and statements are not logged, so these words are the server's.
        assert!(!log.contains(word), "the log has {word:?}:\n{log}");
    }
}

#[test]
fn hostile_arguments_crash_nothing_and_gain_nothing() -> Result<()> {
    let seed = number("LOGWATCH_SEED", fastrand::u64(..1_000_000))?;
    let calls = number("LOGWATCH_CALLS", 150)?;
    eprintln!("LOGWATCH_SEED={seed} LOGWATCH_CALLS={calls}");
    let mut rng = Rng::with_seed(seed);
    let server = Server::with_worker(&[
        ("log_min_error_statement", "panic"),
        ("log_min_messages", "fatal"),
        ("max_wal_size", "256MB"),
    ])?;
    for (_, make) in ROLES {
        server.sql(make)?;
    }
    server.sql("SELECT logwatch_ingest('FATAL one'), logwatch_ingest('ERROR two', 'app'), logwatch_attach('app', '/x'), logwatch_silence('disk', '1 hour')")?;
    server.sql("SELECT logwatch_check()")?;
    let mut admin = server.client()?;
    let functions = functions(&mut admin)?;
    // A superuser may be asked to make roles and grants; nobody else may get any.
    let mut known: Option<String> = None;
    let mut clients = ROLES
        .iter()
        .map(|(role, _)| {
            let mut client = server.client_as(role, "postgres")?;
            client.batch_execute(&format!(
                "SET statement_timeout = {}",
                STATEMENT_TIMEOUT.as_millis()
            ))?;
            Ok((*role, client))
        })
        .collect::<Result<Vec<_>>>()?;
    for call in functions.iter().flat_map(|it| it.calls_with_arrays(&mut rng)) {
        // Ten thousand hostile texts may take their time, but let themselves be cancelled.
        attempt_within(3 * STATEMENT_TIMEOUT, &mut clients[3].1, &call)
            .with_context(|| format!("LOGWATCH_SEED={seed}"))?;
    }
    let mut worked = 0;
    for turn in 0..calls {
        // Each function once, then at random; mostly as superuser, whom no privilege stops.
        let function = &functions[usize::try_from(turn).map_or(0, |turn| {
            if turn < functions.len() {
                turn
            } else {
                rng.usize(..functions.len())
            }
        })];
        let who = [3, 3, 3, 1, 1, 2, 0][rng.usize(..7)];
        let (role, client) = &mut clients[who];
        let call = function.call(&mut rng);
        let superuser = *role == "postgres";
        if !superuser && known.is_none() {
            known = Some(run(&mut admin, PRIVILEGES)?);
        }
        let ok = attempt_within(STATEMENT_TIMEOUT, client, &call)
            .with_context(|| format!("call {turn} as {role}, LOGWATCH_SEED={seed}"))?;
        worked += u64::from(ok);
        assert!(!ok || *role != "nobody", "nobody may call {call}");
        if superuser && ok {
            known = None;
        } else if ok {
            let after = run(&mut admin, PRIVILEGES)?;
            let before = known.as_deref().unwrap_or_default();
            let gained: Vec<_> = after
                .lines()
                .filter(|line| !before.lines().any(|known| known == *line))
                .collect();
            assert!(
                gained.is_empty() && after == before,
                "{role} gains {gained:?} by {call}"
            );
        }
        if turn % 50 == 49 || turn + 1 == calls {
            assert_eq!(
                run(&mut admin, "SELECT count(*) > 5 FROM logwatch_status()")?,
                "t"
            );
        }
    }
    for (role, client) in &mut clients {
        assert_eq!(
            run(client, "SELECT session_user, current_user")?,
            format!("{role}|{role}")
        );
    }
    assert_no_crash(&server);
    eprintln!(
        "{calls} calls of {} functions, {worked} succeeded",
        functions.len()
    );
    assert!(worked > 0);
    Ok(())
}

/// Changes of the rule named `hostile`, one column at a time. Each is refused, or it works
/// and stops nothing.
const CHANGES: [&str; 26] = [
    "learn_for = '178000000 years', kind = 'new_pattern'",
    "learn_for = '-178000000 years', kind = 'new_pattern'",
    "created_at = 'infinity', kind = 'new_pattern'",
    "created_at = '294276-12-31', kind = 'new_pattern'",
    "created_at = '-infinity', kind = 'new_pattern'",
    "repeat_every = '178000000 years'",
    "repeat_every = '2147483647 days', repeat_factor = 1e300",
    "repeat_factor = 'Infinity'",
    "repeat_factor = 1e1000",
    "factor = 1e1000, kind = 'spike'",
    "factor = 'Infinity', kind = 'spike'",
    "within = '366 days', kind = 'spike'",
    "within = '366 days', for_at_least = '366 days', keep_firing_for = '366 days'",
    "within = '1 month -29 days'",
    "threshold = 9223372036854775807",
    "source = repeat('*', 2000)",
    "source = repeat('*?', 500) || 'x'",
    "source = E'\\\\%_'",
    "match = '(x+x+)+y'",
    "match = '((((a*)*)*)*)*b'",
    "match = '((a{1,250}){1,250}){1,250}'",
    "match = repeat('(', 5000)",
    "match = '^(.*)(.*)(.*)(.*)(.*)[^x]\\1\\2\\3\\4\\5$'",
    "exclude = '(?=(.*)(.*))x|[[:alpha:]]{200}'",
    "group_by = 'pattern', within = '366 days'",
    "recipients = array_fill('a@example.com'::text, ARRAY[100000])",
];

#[test]
fn hostile_rules_stop_no_other() -> Result<()> {
    let server = Server::without_worker(&[])?;
    let mut client = server.client()?;
    client.batch_execute(
        "SET statement_timeout = '30s'; SELECT logwatch_ingest('ERROR ' || string_agg('some word', ' '), 'app') FROM generate_series(1, 60)",
    )?;
    for (number, change) in CHANGES.iter().enumerate() {
        client.batch_execute("DELETE FROM logwatch.rules WHERE name = 'hostile'; INSERT INTO logwatch.rules (name) VALUES ('hostile')")?;
        attempt(
            &mut client,
            &format!("UPDATE logwatch.rules SET {change} WHERE name = 'hostile'"),
        )?;
        attempt(&mut client, "SELECT * FROM logwatch_backtest('hostile')")
            .with_context(|| (*change).to_owned())?;
        client
            .batch_execute(&format!(
                "INSERT INTO logwatch.rules (name, source) VALUES ('other {number}', 'host {number}');
                 SELECT logwatch_ingest('FATAL x', 'host {number}'); SELECT logwatch_check(); SELECT logwatch_report()"
            ))
            .with_context(|| format!("after {change}"))?;
        let fired = format!(
            "SELECT state FROM logwatch_status() WHERE component = 'rule' AND name = 'other {number}'"
        );
        assert_eq!(run(&mut client, &fired)?, "firing", "after {change}");
    }
    assert_no_crash(&server);
    Ok(())
}
