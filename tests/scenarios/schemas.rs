//! Calls reach logwatch's own functions: in any schema of the extension, from any search_path, and
//! where another role has made functions that fit a call better.

use std::process::Command;

use anyhow::{Context, Result};
use logwatch_tests::mail_sink::{Mail, MailSink};
use logwatch_tests::programs;
use logwatch_tests::server::{Server, run};
use logwatch_tests::tailer::{Tailer, append};

use crate::{SOON, mail_through, mailing_server};

/// Returns the SQL commands at the end of a mail: they acknowledge, silence, and list the records.
fn commands(mail: &Mail) -> Result<Vec<String>> {
    let text = mail.text().replace("\r\n", "\n");
    let (_, commands) = text
        .split_once("\nAck: ")
        .with_context(|| format!("no commands in {text}"))?;
    let (commands, _) = commands.split_once("\n-- \n").context("no signature")?;
    let lines: Vec<&str> = commands
        .lines()
        .filter(|line| !line.starts_with("Connect: "))
        .map(|line| {
            line.trim_start_matches("Silence: ")
                .trim_start_matches("Records: ")
        })
        .collect();
    Ok(lines
        .join("\n")
        .split(';')
        .map(|command| command.trim().to_owned())
        .filter(|command| !command.is_empty())
        .collect())
}

/// The whole chain without a search_path that leads to the functions.
#[test]
fn everything_works_in_a_schema_of_its_own() -> Result<()> {
    let sink = MailSink::plain()?;
    let mut server = Server::create(&[])?;
    mail_through(&mut server, &sink)?;
    let alert_file = server.data().join("status.txt");
    server.set(&[("logwatch.alert_file", &alert_file.display().to_string())])?;
    server.start()?;
    server.sql(
        "CREATE SCHEMA \"Mon 1\"; CREATE EXTENSION logwatch SCHEMA \"Mon 1\";
         CREATE ROLE web LOGIN; CREATE ROLE ann LOGIN; CREATE ROLE shop LOGIN;
         SELECT \"Mon 1\".logwatch_grant('web', 'tailer'); SELECT \"Mon 1\".logwatch_grant('ann', 'operator');
         SELECT \"Mon 1\".logwatch_grant('shop', 'app')",
    )?;
    let files = tempfile::tempdir()?;
    let log = files.path().join("web.log");
    append(&log, &["FATAL out of disk space"])?;
    let log = log.display().to_string();
    let tailer = |option: &str| -> Result<String> {
        let output = Tailer::command(&server, &[option, "--source", "web", &log])?
            .env("PGUSER", "web")
            .output()?;
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert_eq!(output.status.code(), Some(0), "{text}");
        Ok(text)
    };

    let checked = tailer("--check")?;
    assert!(
        checked.lines().all(|line| line.starts_with("ok    ")),
        "{checked}"
    );
    tailer("--once")?;
    let progress = tailer("--status")?;
    assert!(
        progress.contains("web.log") && progress.contains("24"),
        "{progress}"
    );
    server.sql_as(
        "shop",
        "SELECT \"Mon 1\".logwatch_ingest('ERROR x'::text, 'shop'::text)",
    )?;

    let mail = sink.wait_for_subject(SOON, "[FIRING:1] fatal")?;
    let commands = commands(&mail)?;
    assert_eq!(commands.len(), 3, "{commands:?}");
    for command in &commands {
        server
            .sql_as("ann", &format!("SET search_path = ''; {command}"))
            .with_context(|| command.clone())?;
    }
    assert_eq!(
        server.sql("SELECT a.rule, k.acked_by, k.note FROM logwatch.acknowledgements AS k JOIN logwatch.alerts AS a ON a.id = k.alert_id")?,
        "fatal|ann|note"
    );
    assert_eq!(
        server.sql("SELECT rule, source, created_by, ends_at - starts_at, reason FROM logwatch.silences")?,
        "fatal|*|ann|02:00:00|reason"
    );

    let plugin = Command::new(programs::checkout().join("sql/integrations/check_logwatch"))
        .env(
            "PATH",
            format!("{}:/usr/bin:/bin", server.program_path("").display()),
        )
        .envs(server.env())
        .env("PGUSER", "ann")
        .output()?;
    let line = String::from_utf8_lossy(&plugin.stdout).into_owned();
    assert_eq!(plugin.status.code(), Some(0), "{line}");
    assert!(
        line.starts_with("LOGWATCH OK - nothing fires | firing=0"),
        "{line}"
    );
    for call in [
        "* FROM logwatch.status",
        "* FROM logwatch.metrics",
        "* FROM \"Mon 1\".logwatch_fleet",
        "* FROM \"Mon 1\".logwatch_backtest('fatal')",
        "\"Mon 1\".logwatch_report_html('7 days'::interval)",
        "\"Mon 1\".logwatch_report('log')",
        "\"Mon 1\".logwatch_maintain()",
        "\"Mon 1\".logwatch_revoke('shop', 'app')",
    ] {
        server.sql(&format!("SELECT {call}")).context(call)?;
    }
    let text = std::fs::read_to_string(&alert_file)?;
    assert!(text.contains("SILENCED") && text.contains("fatal"), "{text}");
    // Hints name the schema.
    let error = server.sql_error("SELECT \"Mon 1\".logwatch_silence('fatal', '-1 hour')")?;
    assert!(
        error
            .to_string()
            .contains("SELECT \"Mon 1\".logwatch_silence('error'::text, '2 hours'::interval, "),
        "{error}"
    );
    let error = server.sql_error("SELECT \"Mon 1\".logwatch_test('fax')")?;
    assert!(
        error
            .to_string()
            .contains("SELECT \"Mon 1\".logwatch_test('email'::text, NULL::text);"),
        "{error}"
    );
    Ok(())
}

#[test]
fn the_schema_is_renamed_beside_worker_and_tailer() -> Result<()> {
    let sink = MailSink::plain()?;
    let mut server = Server::create(&[])?;
    mail_through(&mut server, &sink)?;
    server.start()?;
    server.sql(
        "CREATE SCHEMA monitoring; CREATE EXTENSION logwatch SCHEMA monitoring;
         CREATE ROLE web LOGIN; SELECT monitoring.logwatch_grant('web', 'tailer')",
    )?;
    let files = tempfile::tempdir()?;
    let log = files.path().join("web.log");
    append(&log, &["ERROR before"])?;
    let mut command = Tailer::command(
        &server,
        &["--source", "web", "--from-beginning", &log.display().to_string()],
    )?;
    command.env("PGUSER", "web");
    let mut tailer = Tailer::spawn(command)?;
    let stored = "SELECT string_agg(message, ',' ORDER BY id) FROM logwatch.entries";
    server.wait_for_sql(SOON, stored, "before")?;

    server.sql("ALTER SCHEMA monitoring RENAME TO \"Mon 2\"")?;
    append(&log, &["FATAL after"])?;
    server
        .wait_for_sql(SOON, stored, "before,after")
        .with_context(|| tailer.output())?;
    let mail = sink.wait_for_subject(SOON, "[FIRING:1] fatal")?;
    let printed = commands(&mail)?;
    assert!(
        printed.iter().all(|command| command.contains("\"Mon 2\".")),
        "{printed:?}"
    );
    assert!(tailer.terminate()?.0.success(), "{}", tailer.output());
    // Each kind of role, and the revocation that looks at the role's other kinds.
    server.sql("CREATE ROLE ann")?;
    for kind in ["tailer", "app", "reader", "operator", "author"] {
        server.sql(&format!("SELECT \"Mon 2\".logwatch_grant('ann', '{kind}')"))?;
    }
    server.sql("SELECT \"Mon 2\".logwatch_revoke('ann', 'app')")?;
    assert_eq!(
        server.sql("SELECT string_agg(k, ',' ORDER BY k) FROM logwatch_private.kinds_of('ann') AS k")?,
        "author,operator,reader,tailer"
    );
    for call in [
        "count(*) > 0 FROM logwatch.status",
        "count(*) > 0 FROM logwatch.metrics",
        "line IS NOT NULL FROM logwatch.nagios",
        "\"Mon 2\".logwatch_report_html() LIKE '%fatal%'",
        "\"Mon 2\".logwatch_report('log') LIKE '%fatal%'",
        "count(*) >= 0 FROM \"Mon 2\".logwatch_check()",
        "\"Mon 2\".logwatch_maintain() <> ''",
        "count(*) > 0 FROM \"Mon 2\".logwatch_check_rule('fatal')",
    ] {
        assert_eq!(
            server.sql(&format!("SELECT {call}")).context(call)?,
            "t",
            "{call}"
        );
    }
    Ok(())
}

/// Functions of mallory that PostgreSQL prefers to logwatch's for calls without types and with
/// fewer arguments than logwatch's have.
const TRAPS: &str = "
    CREATE FUNCTION public.steal() RETURNS text LANGUAGE plpgsql AS
        $$ BEGIN INSERT INTO public.loot VALUES (current_user); RETURN ''; END $$;
    CREATE FUNCTION public.logwatch_ack(integer, text) RETURNS text LANGUAGE sql AS 'SELECT public.steal()';
    CREATE FUNCTION public.logwatch_ack(bigint, varchar) RETURNS text LANGUAGE sql AS 'SELECT public.steal()';
    CREATE FUNCTION public.logwatch_silence(text, text, text) RETURNS text LANGUAGE sql AS 'SELECT public.steal()';
    CREATE FUNCTION public.logwatch_silence(text, interval, text) RETURNS text LANGUAGE sql AS 'SELECT public.steal()';
    CREATE FUNCTION public.logwatch_status(integer DEFAULT 1) RETURNS text LANGUAGE sql AS 'SELECT public.steal()';
    CREATE FUNCTION public.logwatch_report() RETURNS text LANGUAGE sql AS 'SELECT public.steal()';
    CREATE FUNCTION public.logwatch_attach(text, text, text, varchar) RETURNS text LANGUAGE sql AS 'SELECT public.steal()';
    CREATE FUNCTION public.logwatch_ingest(text, bigint, bigint, text, bigint, bigint, bigint, bigint, integer, bigint, integer, bigint, text[], integer[])
        RETURNS bigint LANGUAGE sql AS 'SELECT length(public.steal())::bigint';
    CREATE SCHEMA mallory;
    CREATE FUNCTION mallory.logwatch_heartbeat(text, bigint, bigint[], bigint[], boolean[], text[], text[], text[]) RETURNS text LANGUAGE sql AS 'SELECT public.steal()';
    CREATE FUNCTION mallory.logwatch_attach(text, text, text, text) RETURNS text LANGUAGE sql AS 'SELECT public.steal()'";

#[test]
fn printed_commands_and_the_tailer_call_no_function_of_another_role() -> Result<()> {
    let sink = MailSink::plain()?;
    let server = mailing_server(&sink, &[])?;
    server.sql(
        "CREATE ROLE mallory LOGIN; GRANT CREATE ON SCHEMA public TO mallory; GRANT CREATE ON DATABASE postgres TO mallory;
         CREATE TABLE public.loot (who name); GRANT INSERT ON public.loot TO PUBLIC",
    )?;
    server.sql_as("mallory", TRAPS)?;
    let mut files = server.client()?;
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("web.log");
    append(&log, &["FATAL out of disk space"])?;
    server.sql(
        "GRANT USAGE ON SCHEMA mallory TO PUBLIC; ALTER DATABASE postgres SET search_path = mallory, public",
    )?;
    Tailer::once(&server, &["--source", "web", &log.display().to_string()])?;

    let mail = sink.wait_for_subject(SOON, "[FIRING:1] fatal")?;
    for command in commands(&mail)? {
        run(&mut files, &command).with_context(|| command.clone())?;
    }
    assert_eq!(server.sql("SELECT count(*) FROM public.loot")?, "0");
    assert_eq!(
        server.sql("SELECT (SELECT count(*) FROM logwatch.acknowledgements), (SELECT count(*) FROM logwatch.silences), (SELECT count(*) FROM logwatch.files)")?,
        "1|1|1"
    );
    // The traps work: the short form of the command falls into one.
    server.sql("SELECT public.logwatch_silence('fatal', '2 hours', 'reason')")?;
    assert_eq!(server.sql("SELECT count(*) FROM public.loot")?, "1");

    let shown = "SELECT name, state, message FROM logwatch.status WHERE component = 'function' ORDER BY name";
    let status = server.sql(shown)?;
    assert_eq!(status.lines().count(), 10, "{status}");
    let first = "mallory.logwatch_attach(text,text,text,text)";
    assert!(
        status.starts_with(&format!("{first}|foreign|A function of role mallory ")),
        "{status}"
    );
    // The printed commands end it.
    for line in status.lines() {
        let (_, command) = line.split_once("Type: ").context("no command")?;
        server.sql(command)?;
    }
    assert_eq!(server.sql(shown)?, "");
    Ok(())
}

#[test]
fn create_extension_warns_where_public_may_create_functions() -> Result<()> {
    let mut server = Server::create(&[])?;
    server.start()?;
    server.sql("CREATE SCHEMA safe; CREATE SCHEMA open; GRANT CREATE ON SCHEMA open TO PUBLIC")?;
    let safe = server.psql("CREATE EXTENSION logwatch SCHEMA safe")?;
    assert!(!safe.contains("every role can create"), "{safe}");
    server.sql("DROP EXTENSION logwatch")?;
    let open = server.psql("CREATE EXTENSION logwatch SCHEMA open")?;
    assert!(
        open.contains("WARNING:  every role can create functions in schema open, which calls can reach instead of logwatch's")
            && open.contains("REVOKE CREATE ON SCHEMA open FROM PUBLIC;"),
        "{open}"
    );
    assert_eq!(
        server.sql("SELECT name, state FROM logwatch.status WHERE component = 'schema'")?,
        "open|open"
    );
    server.sql("REVOKE CREATE ON SCHEMA open FROM PUBLIC")?;
    assert_eq!(
        server.sql("SELECT name, state FROM logwatch.status WHERE component = 'schema'")?,
        ""
    );
    Ok(())
}
