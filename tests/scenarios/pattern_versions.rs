//! A new version of the masking: patterns of an earlier one are carried over with all that is known
//! of them, and none is announced as new.

use anyhow::Result;
use logwatch_tests::server::Server;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::SOON;
use crate::backup::{dump, restore};

/// Returns the fingerprint that version 1 of the masking gave an ERROR's template.
fn of_version_1(template: &str) -> i64 {
    const ERROR: u64 = 3;
    xxh3_64_with_seed(template.as_bytes(), 1 << 8 | ERROR).cast_signed()
}

/// Messages of version 1 and their templates then. The hosts of the first two are one mask now.
const KNOWN: [(&str, &str); 3] = [
    (
        "cannot reach db-1.prod.acme.shop today",
        "cannot reach db-<*>.prod.acme.shop today",
    ),
    (
        "cannot reach node7.eu.acme.shop today",
        "cannot reach node<*>.eu.acme.shop today",
    ),
    ("disk full on 7", "disk full on <*>"),
];

/// Writes what version 1 would have left: patterns first seen on three days, a minute of each hour
/// ago, an entry, an alert of each pattern, of which the first is acknowledged, and a silence.
fn fill(server: &Server) -> Result<()> {
    server.sql(
        "SELECT logwatch_check();
         INSERT INTO logwatch.rules (name, kind, learn_for, within) VALUES ('novel', 'new_pattern', '0', '1 hour');
         INSERT INTO logwatch.rules (name, group_by, threshold, within) VALUES ('each', 'pattern', 3, '3 hours');
         UPDATE logwatch.rules SET created_at = now() - interval '9 days', enabled = name IN ('novel', 'each');
         INSERT INTO logwatch.sources (id, name) VALUES (logwatch_private.source_id('app'), 'app')",
    )?;
    let mut client = server.client()?;
    for (number, (message, template)) in (1_i32..).zip(KNOWN) {
        client.execute(
            "WITH known AS (
                 SELECT $1::bigint AS fingerprint, logwatch_private.source_id('app') AS source_id, date_trunc('minute', now()) - interval '1 hour' AS minute
             ), pattern AS (
                 INSERT INTO logwatch.patterns (fingerprint, level, template, first_seen, last_seen, total, sample)
                 SELECT k.fingerprint, 'ERROR', $2, '2026-01-01Z'::timestamptz + make_interval(days => $4), k.minute + interval '5 seconds', 2, $3 FROM known AS k
             ), minute AS (
                 INSERT INTO logwatch.minutes (fingerprint, source_id, minute, level, n, points)
                 SELECT k.fingerprint, k.source_id, k.minute, 'ERROR', 2, ARRAY[60 + 5, 60 + 6] FROM known AS k
             ), entry AS (
                 INSERT INTO logwatch.entries (received_at, logged_at, source_id, level, fingerprint, message)
                 SELECT k.minute, k.minute + interval '5 seconds', k.source_id, 'ERROR', k.fingerprint, $3 FROM known AS k
             )
             INSERT INTO logwatch.alerts (rule, group_by, group_key, state, level, threshold, within, started_at, met_until, fired_at, count, peak, announced, notified_at)
             SELECT 'each', 'pattern', to_hex(k.fingerprint), 'firing', 'ERROR', 2, '3 hours', k.minute + make_interval(secs => $4), now(), now(), 2, 1 + $4, 'firing', now()
               FROM known AS k",
            &[&of_version_1(template), &template, &message, &number],
        )?;
    }
    server.sql(
        "INSERT INTO logwatch.acknowledgements (alert_id) SELECT min(a.id) FROM logwatch.alerts AS a;
         INSERT INTO logwatch.silences (pattern, ends_at) SELECT a.group_key, now() + interval '1 hour' FROM logwatch.alerts AS a ORDER BY a.id DESC LIMIT 1",
    )?;
    assert_eq!(
        server.sql("SELECT count(*) FROM logwatch.patterns AS p WHERE logwatch_private.is_earlier(p.fingerprint, p.level::text, p.template)")?,
        "3"
    );
    Ok(())
}

/// Stores more records of the known patterns and checks that they go on under new fingerprints.
fn assert_carried_over(server: &Server) -> Result<()> {
    server.sql(
        "SELECT logwatch_ingest('ERROR cannot reach db-9.prod.acme.shop today', 'app'), logwatch_ingest('ERROR disk full on 8', 'app')",
    )?;
    assert_eq!(
        server.sql("SELECT rule, transition FROM logwatch_check()")?,
        "",
        "nothing is new, nothing ends"
    );
    assert_eq!(
        server.sql(
            "SELECT p.template, (p.first_seen AT TIME ZONE 'UTC')::date, p.total, p.fingerprint = logwatch_private.fingerprint('ERROR', p.template), p.sample
               FROM logwatch.patterns AS p ORDER BY 1"
        )?,
        "cannot reach <*> today|2026-01-02|5|t|cannot reach db-1.prod.acme.shop today\n\
         disk full on <*>|2026-01-04|3|t|disk full on 7"
    );
    assert_eq!(
        server.sql(
            "SELECT p.template, sum(c.n), count(DISTINCT c.second) FROM logwatch.counts AS c JOIN logwatch.patterns AS p USING (fingerprint) GROUP BY 1 ORDER BY 1"
        )?,
        "cannot reach <*> today|5|3\ndisk full on <*>|3|3"
    );
    // Two alerts are one now: the older one goes on with its acknowledgement.
    assert_eq!(
        server.sql(
            "SELECT p.template, a.state, a.announced, a.peak, EXISTS (SELECT FROM logwatch.acknowledgements AS k WHERE k.alert_id = a.id)
               FROM logwatch.alerts AS a JOIN logwatch.patterns AS p ON to_hex(p.fingerprint) = a.group_key ORDER BY a.id"
        )?,
        "cannot reach <*> today|firing|firing|5|t\n\
         cannot reach <*> today|resolved|resolved|3|f\n\
         disk full on <*>|firing|firing|4|f"
    );
    assert_eq!(
        server.sql("SELECT p.template FROM logwatch.silences AS s JOIN logwatch.patterns AS p ON to_hex(p.fingerprint) = s.pattern")?,
        "disk full on <*>"
    );
    assert_eq!(
        server.sql(
            "SELECT count(*) FROM logwatch_alert_entries((SELECT min(a.id) FROM logwatch.alerts AS a))"
        )?,
        "3",
        "entries keep their fingerprints and are found"
    );
    // The backtest says the same.
    assert_eq!(
        server.sql("SELECT count(*) FROM logwatch_backtest('novel', now() - interval '1 day', now())")?,
        "0"
    );
    assert_eq!(
        server.sql("SELECT count(*) FROM logwatch_backtest('each', now() - interval '1 day', now())")?,
        "2"
    );
    Ok(())
}

#[test]
fn patterns_of_an_earlier_version_are_carried_over_and_not_new() -> Result<()> {
    let server = Server::without_worker(&[])?;
    fill(&server)?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("dump");
    dump(&server, &file, &[])?;
    assert_carried_over(&server)?;

    // A session with the old library, or an older edge, still sends the old fingerprint and text.
    let (_, template) = KNOWN[0];
    server.client()?.execute(
        "INSERT INTO logwatch.batches (source_id, first_at, last_at, n, source, seconds, fingerprints, levels, new_patterns, new_seconds, new_levels, templates, samples)
         SELECT logwatch_private.source_id('app'), now(), now(), 1, 'app', '{0}', ARRAY[$1::bigint], '{4}', ARRAY[$1], '{0}', '{4}', ARRAY[$2], '{x}'",
        &[&of_version_1(template), &template],
    )?;
    assert_eq!(server.sql("SELECT rule FROM logwatch_check()")?, "");
    assert_eq!(
        server.sql("SELECT p.template, p.total FROM logwatch.patterns AS p ORDER BY 1; SELECT count(*) FROM logwatch.batches")?,
        "cannot reach <*> today|6\ndisk full on <*>|3\n0"
    );

    // A pattern that has become several: the present masking keeps a constraint's name.
    let of_all = "duplicate key violates constraint \"<*>\"";
    server.client()?.execute(
        "INSERT INTO logwatch.patterns (fingerprint, level, template, first_seen, last_seen, sample)
         VALUES ($1, 'ERROR', $2, '2026-01-05Z', now(), 'duplicate key violates constraint \"users_pkey\"')",
        &[&of_version_1(of_all), &of_all],
    )?;
    server.sql("SELECT logwatch_ingest('ERROR duplicate key violates constraint \"orders_pkey\"', 'app')")?;
    assert_eq!(server.sql("SELECT rule FROM logwatch_check()")?, "");
    assert_eq!(
        server.sql(
            "SELECT p.template, (p.first_seen AT TIME ZONE 'UTC')::date FROM logwatch.patterns AS p WHERE p.template LIKE 'dup%' ORDER BY 1"
        )?,
        "duplicate key violates constraint \"orders_pkey\"|2026-01-05\n\
         duplicate key violates constraint \"users_pkey\"|2026-01-05"
    );

    // A check meanwhile does not see the pattern of a transaction that is open.
    let unseen = "ink is low in <*>";
    server.sql("UPDATE logwatch.progress SET pattern_version = NULL")?;
    let mut client = server.client()?;
    let mut edge = client.transaction()?;
    edge.execute(
        "INSERT INTO logwatch.patterns (fingerprint, level, template, first_seen, last_seen, sample) VALUES ($1, 'ERROR', $2, '2026-01-06Z', now(), 'ink is low in 7')",
        &[&of_version_1(unseen), &unseen],
    )?;
    server.sql("SELECT logwatch_check()")?;
    edge.commit()?;
    server.sql("SELECT logwatch_ingest('ERROR ink is low in 8', 'app')")?;
    assert_eq!(server.sql("SELECT rule FROM logwatch_check()")?, "");
    assert_eq!(
        server.sql("SELECT (p.first_seen AT TIME ZONE 'UTC')::date FROM logwatch.patterns AS p WHERE p.template LIKE 'ink%'")?,
        "2026-01-06"
    );

    // A dump that the old version left is carried over where it is restored.
    let mut restored = Server::create(&[])?;
    restored.start()?;
    restore(&restored, &file)?;
    assert_carried_over(&restored)
}

#[test]
fn many_patterns_are_carried_over_in_steps_while_records_come() -> Result<()> {
    const PATTERNS: usize = 12_000;
    let server = Server::with_worker(&[("logwatch.check_interval", "1h")])?;
    server.sql("INSERT INTO logwatch.rules (name, kind, learn_for) VALUES ('novel', 'new_pattern', '0'); UPDATE logwatch.rules SET created_at = now() - interval '1 day', enabled = name = 'novel'")?;
    let words = |number: usize| -> String {
        let letter = |digit: usize| char::from(b'g' + u8::try_from(digit % 20).unwrap_or_default());
        (0..4).map(|place| letter(number / 20_usize.pow(place))).collect()
    };
    let templates: Vec<String> = (0..PATTERNS)
        .map(|number| format!("module {} failed", words(number)))
        .collect();
    let fingerprints: Vec<i64> = templates.iter().map(|template| of_version_1(template)).collect();
    server.client()?.execute(
        "INSERT INTO logwatch.patterns (fingerprint, level, template, first_seen, last_seen, sample)
         SELECT u.fingerprint, 'ERROR', u.template, '2026-01-01Z', '2026-01-01Z', u.template FROM unnest($1::bigint[], $2::text[]) AS u (fingerprint, template)",
        &[&fingerprints, &templates],
    )?;
    for part in templates.chunks(PATTERNS / 6) {
        let lines: Vec<String> = part.iter().map(|template| format!("ERROR {template}")).collect();
        server
            .client()?
            .execute("SELECT logwatch_ingest($1::text[], 'app')", &[&lines])?;
    }
    server.wait_for_sql(
        SOON,
        "SELECT sum(p.total) FROM logwatch.patterns AS p",
        &PATTERNS.to_string(),
    )?;
    assert_eq!(
        server.sql(
            "SELECT count(*), max(p.first_seen) = '2026-01-01Z', count(*) FILTER (WHERE logwatch_private.is_earlier(p.fingerprint, p.level::text, p.template))
               FROM logwatch.patterns AS p;
             SELECT count(*) FROM logwatch.alerts"
        )?,
        format!("{PATTERNS}|t|0\n0")
    );
    Ok(())
}
