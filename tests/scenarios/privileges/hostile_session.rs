//! A session that makes operators and functions of its own, or changes its settings, changes
//! nothing in a function that runs with its owner's privileges.

use anyhow::Result;
use logwatch_tests::server::Server;

use crate::SOON;

#[test]
fn a_search_path_cannot_lead_the_functions_astray() -> Result<()> {
    let server = Server::without_worker(&[])?;
    server.sql(
        "CREATE ROLE feeder LOGIN; GRANT CREATE ON SCHEMA public TO feeder;
         GRANT EXECUTE ON FUNCTION logwatch_ingest(text, text) TO feeder",
    )?;
    let stored = server.sql_as(
        "feeder",
        "CREATE FUNCTION public.now() RETURNS timestamptz LANGUAGE sql AS 'SELECT 1/0; SELECT NULL::timestamptz';
         CREATE TEMP TABLE entries (x int); SET search_path = pg_temp, public, pg_catalog;
         SELECT logwatch_ingest('ERROR x')",
    )?;
    assert_eq!(stored, "1");
    assert_eq!(server.sql("SELECT count(*) FROM logwatch.entries")?, "1");
    Ok(())
}

/// Mallory may create in the schema that the extension is installed in: operators and functions of
/// a closer match than pg_catalog's.
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
    server.wait_for_worker(SOON, None)?;
    server.sql(
        "SELECT logwatch_ingest(ARRAY['FATAL out of space', 'ERROR b', 'ERROR c', 'ERROR d', 'ERROR e'], 'web');
         SELECT logwatch_silence('error', '1 hour'); SELECT logwatch_unsilence(1);
         INSERT INTO logwatch.rules (name, match, source, recipients) VALUES ('disk', 'space', 'w*', '{a@example.com}');
         SELECT logwatch_attach('app', '/var/log/app.log');
         SELECT logwatch_heartbeat('app', 1, '{1}', '{2}', '{true}', '{/x}', '{denied}'); SELECT logwatch_maintain(); SELECT logwatch_backtest('error');
         SELECT logwatch_report()",
    )?;
    server.wait_for_log(SOON, "[FIRING:1] fatal")?;
    for call in [
        "logwatch_status()",
        "logwatch_files()",
        "logwatch_check()",
        "logwatch_nagios()",
        "logwatch_alert_json(1)",
        "logwatch_alert_entries(1)",
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

/// The settings of a session do not change a function that runs with its owner's
/// rights.
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
