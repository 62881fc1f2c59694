//! When rules fire and when they do not: late records, sparse and double checks, edited rules.

use std::time::Duration;

use anyhow::Result;
use logwatch_tests::mail_sink::MailSink;
use logwatch_tests::server::Server;
use logwatch_tests::wait::stays;

use crate::{SOON, mailing_server, shorten_rules};

/// Stores `n` ERROR records that say they were logged so long ago.
fn ingest_errors(server: &Server, n: usize, ago: &str) -> Result<()> {
    server.sql(&format!(
        "SELECT logwatch_ingest(array_agg(to_char(now() - interval '{ago}', 'YYYY-MM-DD HH24:MI:SSOF') || ' ERROR request ' || n))
           FROM generate_series(1, {n}) AS n"
    ))?;
    Ok(())
}

/// Lives through `seconds` that are hours ago, with a check each `step` of them; in those where
/// `bad` holds, `n` ERROR records come.
fn replay(server: &Server, seconds: u32, step: u32, bad: &str, n: u32) -> Result<()> {
    server.sql(&format!(
        "CREATE PROCEDURE replay() LANGUAGE plpgsql AS $$
         DECLARE
             began constant timestamptz := date_trunc('minute', now()) - interval '3 hours';
             t timestamptz;
         BEGIN
             FOR s IN 0 .. {seconds} BY {step} LOOP
                 t := began + make_interval(secs => s);
                 IF {bad} THEN
                     PERFORM logwatch_ingest(array_agg(to_char(t, 'YYYY-MM-DD HH24:MI:SSOF') || ' ERROR disk ' || n)) FROM generate_series(1, {n}) AS n;
                 END IF;
                 PERFORM logwatch_private.check(t);
                 COMMIT;
             END LOOP;
         END $$"
    ))?;
    server.sql("CALL replay()")?;
    Ok(())
}

#[test]
fn the_threshold_itself_fires_and_one_less_does_not() -> Result<()> {
    let server = Server::without_worker(&[])?;
    ingest_errors(&server, 4, "1 second")?;
    assert_eq!(server.sql("SELECT * FROM logwatch_check()")?, "");
    ingest_errors(&server, 1, "0 seconds")?;
    assert_eq!(
        server.sql("SELECT rule, transition, count FROM logwatch_check()")?,
        "error|firing|5"
    );
    assert_eq!(
        server.sql("SELECT state, count, threshold FROM logwatch_status() WHERE name = 'error'")?,
        "firing|5|5"
    );
    Ok(())
}

#[test]
fn checking_again_changes_nothing() -> Result<()> {
    let server = Server::without_worker(&[])?;
    ingest_errors(&server, 9, "0 seconds")?;
    server.sql("SELECT * FROM logwatch_check()")?;
    for _ in 0..5 {
        assert_eq!(server.sql("SELECT * FROM logwatch_check()")?, "");
    }
    assert_eq!(server.sql("SELECT count(*) FROM logwatch.alerts")?, "1");
    Ok(())
}

/// Case A8: the windows of checks a second apart overlap; twenty minutes of them, over a clock that
/// the test moves.
#[test]
fn checks_every_second_make_one_episode_and_one_notification() -> Result<()> {
    let server = Server::without_worker(&[])?;
    // Ten minutes of errors, then none.
    replay(&server, 1200, 1, "s BETWEEN 1 AND 600 AND s % 20 = 0", 1)?;
    // The fifth record comes at second 100; the window holds fewer than five from second 820 on.
    assert_eq!(
        server.sql("SELECT rule, state, met_until - started_at, resolved_at - met_until, peak, episodes FROM logwatch.alerts")?,
        "error|resolved|00:12:00|00:01:01|15|1"
    );
    assert_eq!(
        server.sql(
            "SELECT string_agg(reason, ' ' ORDER BY id) FROM logwatch.notifications WHERE channel = 'log'"
        )?,
        "first resolved"
    );
    Ok(())
}

/// Case A12: nobody hears of the end of what nobody heard of the beginning of.
#[test]
fn what_was_never_announced_is_not_announced_as_resolved() -> Result<()> {
    let server = Server::without_worker(&[])?;
    server.sql(
        "UPDATE logwatch.rules SET within = '10 seconds', keep_firing_for = '0', for_at_least = CASE name WHEN 'fatal' THEN interval '1 minute' ELSE '0' END;
         SELECT logwatch_silence('error', '1 hour', 'known');",
    )?;
    ingest_errors(&server, 5, "0 seconds")?;
    server.sql("SELECT logwatch_ingest('FATAL short')")?;
    server.sql("SELECT logwatch_private.check(now())")?;
    assert_eq!(
        server.sql("SELECT rule, state, announced FROM logwatch.alerts ORDER BY 1")?,
        "error|firing|\nfatal|pending|"
    );

    server.sql("SELECT logwatch_private.check(now() + interval '20 seconds')")?;
    server.sql("SELECT logwatch_unsilence(id) FROM logwatch.silences")?;
    server.sql("SELECT logwatch_private.check(now() + interval '40 seconds')")?;

    // The silenced one is over before the silence; the short one is forgotten.
    assert_eq!(
        server.sql("SELECT rule, state, announced FROM logwatch.alerts ORDER BY 1")?,
        "error|resolved|"
    );
    assert_eq!(server.sql("SELECT count(*) FROM logwatch.notifications")?, "0");
    Ok(())
}

#[test]
fn a_burst_between_two_sparse_checks_is_noticed() -> Result<()> {
    let server = Server::without_worker(&[])?;
    server.sql("UPDATE logwatch.rules SET within = '1 minute'")?;
    ingest_errors(&server, 5, "10 minutes")?;
    assert_eq!(
        server.sql("SELECT rule, transition FROM logwatch_check()")?,
        "error|late"
    );
    assert_eq!(server.sql("SELECT state FROM logwatch.alerts")?, "resolved");
    assert_eq!(server.sql("SELECT * FROM logwatch_check()")?, "");
    Ok(())
}

#[test]
fn late_records_alert_and_say_so() -> Result<()> {
    let sink = MailSink::plain()?;
    let server = mailing_server(&sink, &[])?;
    ingest_errors(&server, 5, "40 minutes")?;
    let mail = sink.wait_for_subject(SOON, "error on")?;
    assert!(mail.subject().starts_with("[LATE:5]"), "{}", mail.subject());
    assert!(mail.text().contains("late"), "{}", mail.text());
    Ok(())
}

#[test]
fn a_late_record_between_two_alerts_that_are_over_leaves_no_quiet() -> Result<()> {
    let server = Server::without_worker(&[])?;
    server.sql(
        "DELETE FROM logwatch.rules;
         INSERT INTO logwatch.rules (name, threshold, within, keep_firing_for, channels)
         VALUES ('any', 1, '10 seconds', '1 minute', '{log}')",
    )?;
    let alerts = "SELECT string_agg(extract(epoch FROM met_until - started_at)::integer::text, ' ' ORDER BY started_at),
                         count(DISTINCT state), extract(epoch FROM max(met_until) - min(started_at))::integer
                    FROM logwatch.alerts";
    for ago in ["200 seconds", "100 seconds"] {
        ingest_errors(&server, 1, ago)?;
        server.sql("SELECT count(*) FROM logwatch_check()")?;
    }
    let before = server.sql(alerts)?;
    assert!(before.starts_with("10 10|1|"), "two, that are over: {before}");
    ingest_errors(&server, 1, "145 seconds")?;
    server.sql("SELECT count(*) FROM logwatch_check()")?;
    let sum = "SELECT sum(met_until - started_at) FROM";
    assert_eq!(
        server.sql(&format!("{sum} logwatch.alerts"))?,
        server.sql(&format!("{sum} logwatch_backtest('any')"))?,
        "{}",
        server.sql(alerts)?
    );
    Ok(())
}

#[test]
fn too_late_records_are_stored_and_never_alert() -> Result<()> {
    let server = Server::without_worker(&[("logwatch.max_lateness", "1h")])?;
    ingest_errors(&server, 50, "2 hours")?;
    assert_eq!(server.sql("SELECT * FROM logwatch_check()")?, "");
    assert_eq!(server.sql("SELECT count(*) FROM logwatch.entries")?, "50");
    let status = server.sql("SELECT message FROM logwatch_status() WHERE component = 'source'")?;
    assert!(status.contains("max_lateness"), "{status}");
    Ok(())
}

#[test]
fn an_edited_rule_counts_at_the_next_check() -> Result<()> {
    let server = Server::without_worker(&[])?;
    ingest_errors(&server, 3, "1 second")?;
    assert_eq!(server.sql("SELECT * FROM logwatch_check()")?, "");
    server.sql("UPDATE logwatch.rules SET threshold = 3 WHERE name = 'error'")?;
    assert_eq!(
        server.sql("SELECT rule, transition FROM logwatch_check()")?,
        "error|firing"
    );
    Ok(())
}

#[test]
fn an_alert_that_is_over_resolves_once() -> Result<()> {
    let sink = MailSink::plain()?;
    let server = mailing_server(&sink, &[])?;
    shorten_rules(&server)?;
    ingest_errors(&server, 5, "0 seconds")?;
    sink.wait_for_subject(SOON, "[RESOLVED] error")?;
    stays(Duration::from_secs(3), "one FIRING and one RESOLVED", || {
        Ok(sink.mails().len() == 2)
    })?;
    assert_eq!(
        server.sql("SELECT state, count(*) FROM logwatch.alerts GROUP BY 1")?,
        "resolved|1"
    );
    Ok(())
}

/// Case A14: errors come and go for an hour; checked each 10 seconds of a past hour.
#[test]
fn an_hour_of_flapping_is_one_firing_and_one_resolved() -> Result<()> {
    let server = Server::without_worker(&[])?;
    server.sql(
        "DELETE FROM logwatch.rules;
         INSERT INTO logwatch.rules (name, threshold, within, channels, repeat_every)
         VALUES ('short', 3, '10 seconds', '{log}', '20 minutes'), ('usual', 5, '5 minutes', '{log}', NULL)",
    )?;
    // Five records at once, then nothing for 40 to 60 seconds.
    replay(&server, 4500, 10, "s < 3600 AND s % 50 = 10 * (s / 900)", 5)?;
    assert_eq!(
        server.sql("SELECT count(*) > 300 FROM logwatch.entries")?,
        "t",
        "it did flap"
    );
    assert_eq!(
        server.sql(
            "SELECT a.rule, string_agg(n.reason, ' ' ORDER BY n.id) FROM logwatch.notifications AS n
               JOIN logwatch.alerts AS a ON a.id = n.alert_id GROUP BY a.rule ORDER BY 1"
        )?,
        "short|first repeat repeat repeat resolved\nusual|first resolved"
    );
    assert_eq!(
        server.sql("SELECT rule, state FROM logwatch.alerts ORDER BY 1")?,
        "short|resolved\nusual|resolved"
    );
    Ok(())
}

#[test]
fn two_checks_at_once_are_one() -> Result<()> {
    let server = Server::without_worker(&[])?;
    ingest_errors(&server, 5, "0 seconds")?;
    let mut first = server.client()?;
    let mut open = first.transaction()?;
    assert_eq!(open.query("SELECT * FROM logwatch_check()", &[])?.len(), 1);
    assert_eq!(
        server.sql("SELECT * FROM logwatch_check()")?,
        "",
        "the second one waited or alerted too"
    );
    open.commit()?;
    assert_eq!(server.sql("SELECT count(*) FROM logwatch.alerts")?, "1");
    Ok(())
}

#[test]
fn groups_alert_for_themselves() -> Result<()> {
    let server = Server::without_worker(&[])?;
    server.sql(
        "DELETE FROM logwatch.rules;
         INSERT INTO logwatch.rules (name, threshold, group_by) VALUES ('each', 2, 'source');
         SELECT logwatch_ingest(ARRAY['ERROR a', 'ERROR b'], 'web1');
         SELECT logwatch_ingest(ARRAY['ERROR a', 'ERROR b'], 'web2');
         SELECT logwatch_ingest('ERROR a', 'web3')",
    )?;
    assert_eq!(
        server.sql("SELECT group_key FROM logwatch_check() ORDER BY 1")?,
        "web1\nweb2"
    );
    Ok(())
}

#[test]
fn rules_choose_by_source_and_pattern() -> Result<()> {
    let server = Server::without_worker(&[])?;
    server.sql(
        "DELETE FROM logwatch.rules;
         INSERT INTO logwatch.rules (name, source, match, exclude) VALUES ('db', 'web*', 'connection', 'retrying');
         SELECT logwatch_ingest('ERROR connection lost', 'batch');
         SELECT logwatch_ingest('ERROR connection lost, retrying', 'web1');
         SELECT logwatch_ingest('ERROR out of memory', 'web1')",
    )?;
    assert_eq!(server.sql("SELECT * FROM logwatch_check()")?, "");
    server.sql("SELECT logwatch_ingest('ERROR connection lost', 'web1')")?;
    assert_eq!(server.sql("SELECT rule, count FROM logwatch_check()")?, "db|1");
    Ok(())
}

#[test]
fn rules_that_cannot_work_are_refused_with_a_hint() -> Result<()> {
    let server = Server::without_worker(&[])?;
    let cases = [
        ("threshold", "0"),
        ("threshold", "-3"),
        ("match", "'('"),
        ("exclude", "'['"),
        ("within", "'0'"),
        ("within", "'-1 minute'"),
        ("channels", "'{pigeon}'"),
        ("recipients", "'{nobody}'"),
        ("recipients", "E'{\"a@b.c\\nBcc: d@e.f\"}'"),
        ("group_by", "'moon'"),
        ("kind", "'guess'"),
        ("keep_firing_for", "'-1 second'"),
        ("repeat_every", "'0'"),
    ];
    for (column, value) in cases {
        let insert = format!("INSERT INTO logwatch.rules (name, {column}) VALUES ('bad', {value})");
        let error = server.sql_error(&insert)?;
        assert!(
            error.hint.is_some() && error.message.contains("bad"),
            "{insert}: {error}"
        );
    }
    assert_eq!(
        server.sql("SELECT count(*) FROM logwatch.rules WHERE name = 'bad'")?,
        "0"
    );
    Ok(())
}

/// A virtual machine that wakes up with a wrong clock, until NTP sets it right. The present is two
/// hours ago here, and the clock was an hour ahead of it.
#[test]
fn a_clock_that_was_ahead_stops_no_alert_when_it_is_set_back() -> Result<()> {
    let server = Server::without_worker(&[])?;
    server.sql("UPDATE logwatch.rules SET enabled = name = 'fatal'")?;
    let check = |minutes: f64, record: bool| -> Result<String> {
        let at = server.sql(&format!("SELECT now() - interval '{} seconds'", minutes * 60.0))?;
        if record {
            server.sql(&format!(
                "SELECT logwatch_ingest(to_char(timestamptz '{at}', 'YYYY-MM-DD HH24:MI:SSOF') || ' FATAL disk on fire')"
            ))?;
        }
        server.sql(&format!(
            "SELECT transition FROM logwatch_private.check(timestamptz '{at}' + interval '1 second')"
        ))
    };
    assert_eq!(check(120.0, true)?, "firing");
    // Ahead: the first alert is over, another one begins.
    assert_eq!(check(60.0, true)?, "resolved\nfiring");
    // Set right: the alert goes on from here, and ends when the rule has not been met for a while.
    assert_eq!(check(114.5, true)?, "");
    let open = "SELECT count(*), bool_and(met_until < now() - interval '100 minutes') FROM logwatch.alerts WHERE state = 'firing'";
    assert_eq!(server.sql(open)?, "1|t");
    assert_eq!(check(100.0, false)?, "resolved");
    // And the next one fires long before the time that the clock was at.
    assert_eq!(check(90.0, true)?, "firing");
    Ok(())
}

/// Records have whole seconds: those of the second in which a rule was made are not older than it.
#[test]
fn a_pattern_of_the_second_in_which_the_rule_was_made_is_new_to_it() -> Result<()> {
    let server = Server::without_worker(&[])?;
    server.sql(
        "DELETE FROM logwatch.rules;
         INSERT INTO logwatch.rules (name, kind, learn_for) VALUES ('new', 'new_pattern', '0');
         UPDATE logwatch.rules SET created_at = date_trunc('second', now()) - interval '9.1 seconds';
         SELECT logwatch_ingest(to_char(created_at + age, 'YYYY-MM-DD HH24:MI:SSOF') || ' ERROR ' || message)
           FROM logwatch.rules, (VALUES (interval '0', 'in its second'), ('-1 second', 'before')) AS record (age, message)",
    )?;
    server.sql("SELECT * FROM logwatch_check()")?;
    assert_eq!(
        server.sql("SELECT p.template, a.state FROM logwatch.alerts AS a JOIN logwatch.patterns AS p ON to_hex(p.fingerprint) = a.group_key")?,
        "in its second|firing"
    );
    Ok(())
}

#[test]
fn a_thousand_rules_see_a_hundred_thousand_patterns_in_one_window() -> Result<()> {
    let server = Server::without_worker(&[])?;
    server.sql(
        "UPDATE logwatch.rules SET enabled = false;
         INSERT INTO logwatch.rules (name, source, threshold, match)
         SELECT 'quiet ' || n, 'app' || n % 100, 100000000, CASE WHEN n % 10 = 0 THEN 'never written' END FROM generate_series(1, 980) AS n;
         INSERT INTO logwatch.rules (name, source, threshold) SELECT 'met ' || n, 'app' || n, 1000 FROM generate_series(0, 9) AS n;
         INSERT INTO logwatch.rules (name, source, threshold) SELECT 'unmet ' || n, 'app' || n, 1001 FROM generate_series(0, 9) AS n;
         INSERT INTO logwatch.rules (name, source, match, threshold, group_by)
         VALUES ('in words', 'app1?', ' [0-9]{2}777 ', 10, 'none'), ('of each', '*', 'app99 9900[0-9] ', 1, 'pattern');
         INSERT INTO logwatch.sources (id, name) SELECT logwatch_private.source_id('app' || n), 'app' || n FROM generate_series(0, 99) AS n;
         INSERT INTO logwatch.patterns (fingerprint, level, template, first_seen, last_seen, sample)
         SELECT s * 1000 + n, 'ERROR', format('module app%s %s failed', s, s * 1000 + n), now(), now(), ''
           FROM generate_series(0, 99) AS s, generate_series(0, 999) AS n;
         INSERT INTO logwatch.batches (source_id, first_at, last_at, n, source, seconds, fingerprints, levels)
         SELECT logwatch_private.source_id('app' || fingerprint / 1000), now(), now(), 1000, 'app' || fingerprint / 1000,
                array_fill(0, ARRAY[1000]), array_agg(fingerprint), '{4}' FROM logwatch.patterns GROUP BY fingerprint / 1000",
    )?;
    // In seconds or not within the window: rule by rule and pattern by pattern it would be a
    // hundred million steps.
    let changes = server.sql(
        "SET statement_timeout = '60s';
         SELECT split_part(rule, ' ', 1), count(*), sum(count) FROM logwatch_check() GROUP BY 1 ORDER BY 1",
    )?;
    assert_eq!(changes, "in|1|10\nmet|10|10000\nof|10|10");
    let counted = server.sql(
        "SET statement_timeout = '60s';
         SELECT name, count FROM logwatch_status() WHERE component = 'rule' AND name IN ('quiet 1', 'quiet 10', 'in words', 'of each') ORDER BY 1",
    )?;
    assert_eq!(counted, "in words|10\nof each|1\nquiet 1|1000\nquiet 10|0");
    Ok(())
}

/// A storm announces thousands of alerts at once: each is a HOT update, which writes no index.
#[test]
fn the_announcement_of_an_alert_writes_no_index() -> Result<()> {
    let server = Server::without_worker(&[])?;
    // In one transaction, to count its own updates only.
    let announce = "SELECT FROM logwatch_check();
         SELECT pg_stat_get_xact_tuples_updated(a) > 0, pg_stat_get_xact_tuples_hot_updated(a) = pg_stat_get_xact_tuples_updated(a)
           FROM (SELECT 'logwatch.alerts'::regclass::oid AS a) AS t";
    server.sql(crate::INGEST_FATAL)?;
    let told = server.sql(announce)?;
    assert!(told.ends_with("t|t"), "{told}");
    // The count notices an index that an announcement must write.
    server.sql(
        "CREATE INDEX ON logwatch.alerts (id) WHERE announced IS NULL;
         INSERT INTO logwatch.rules (name, level) VALUES ('second', 'FATAL')",
    )?;
    let told = server.sql(announce)?;
    assert!(told.ends_with("t|f"), "{told}");
    Ok(())
}

/// Words of letters are patterns of their own: numbers are masked.
const WORD: &str = "translate(to_hex(n + 65536), '0123456789', 'ghijklmnop')";

#[test]
fn a_rule_counts_the_same_among_many_patterns() -> Result<()> {
    let server = Server::without_worker(&[])?;
    // At half past, so that all are in one minute. Two of these match before any rule asks.
    server.sql(&format!(
        "CREATE TABLE began AS SELECT date_trunc('minute', now()) - interval '10 minutes' + interval '30 seconds' AS at;
         CREATE FUNCTION store(text, text) RETURNS void LANGUAGE sql
             AS $$ SELECT logwatch_ingest((SELECT to_char(at, 'YYYY-MM-DD HH24:MI:SSOF') FROM began) || ' ERROR ' || $1, $2) $$;
         SELECT logwatch_ingest(array_agg(to_char(at, 'YYYY-MM-DD HH24:MI:SSOF') || ' ERROR module ' || {WORD} || ' failed'), 'web1')
           FROM generate_series(1, 3000) AS n, began;
         SELECT store('needle old broke', 'web1');
         SELECT store('needle common broke', 'web2');
         SELECT * FROM logwatch_check()"
    ))?;
    server.sql(
        "INSERT INTO logwatch.rules (name, match, group_by, threshold, within)
         VALUES ('needle', 'needle', 'none', 1, '5 minutes'), ('each', 'needle', 'source', 1, '5 minutes')",
    )?;
    let counted = |rule: &str, groups: &str| {
        let rows = |from: &str| {
            format!(
                "(SELECT coalesce(string_agg(format('%s of %s', m.n, p.template), ', ' ORDER BY m.n, p.template), 'none')
                    FROM logwatch_private.minutes_of(r, {from}, b.at + interval '1 minute', {groups}) AS m JOIN logwatch.patterns AS p USING (fingerprint))"
            )
        };
        // A longer time is read in another way.
        server.sql(&format!(
            "SELECT {}, {}, logwatch_private.known_patterns(r, b.at - interval '4 minutes', b.at + interval '1 minute', {groups},
                                                            coalesce({groups}, ARRAY(SELECT id FROM logwatch.sources))) IS NOT NULL
               FROM began AS b JOIN logwatch.rules AS r ON r.name = '{rule}'",
            rows("b.at - interval '4 minutes'"),
            rows("b.at - interval '4 hours'")
        ))
    };
    let web2 = "ARRAY[logwatch_private.source_id('web2')]";
    server.sql("SELECT store('module other failed', 'web1'); SELECT * FROM logwatch_check()")?;
    let old = "1 of needle common broke, 1 of needle old broke";
    assert_eq!(counted("needle", "NULL")?, format!("{old}|{old}|f"));
    server.sql("SELECT store('needle common broke', 'web2'); SELECT * FROM logwatch_check()")?;
    let both = "1 of needle old broke, 2 of needle common broke";
    assert_eq!(counted("needle", "NULL")?, format!("{both}|{both}|f"));
    let common = "2 of needle common broke";
    assert_eq!(counted("each", web2)?, format!("{common}|{common}|t"));
    server.sql("SELECT store('needle old broke', 'web1'); SELECT * FROM logwatch_check()")?;
    let all = "2 of needle common broke, 2 of needle old broke";
    assert_eq!(counted("needle", "NULL")?, format!("{all}|{all}|t"));
    assert_eq!(
        server.sql(
            "SELECT n.payload ->> 'rule', n.payload ->> 'group_key', n.payload ->> 'total' FROM logwatch.notifications AS n ORDER BY 1, 2"
        )?,
        "each|web1|2\neach|web2|2\nerror||3002\nneedle||3"
    );
    Ok(())
}
