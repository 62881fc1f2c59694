//! A backtest is what would have been: random rules over random records, replayed live through
//! checks and then by `logwatch_backtest()`.
//!
//! Where records come at once, live alerts are the backtest's episodes to the second, however rare
//! the checks: those that one check finds together are one alert. Late records may put several
//! episodes into one alert, or one episode into several alerts: then each episode lies within
//! alerts, alerts begin and end where episodes do, and an alert of one episode was met all the
//! time. Rules that expect a line have no late records: the line that comes late ends their alert,
//! and the backtest knows better. A failing case prints its seed: `LOGWATCH_SEED=that
//! LOGWATCH_CASES=1` plays it again.

use std::fmt::Write as _;

use anyhow::{Context, Result};
use logwatch_tests::server::Server;

/// The cases, unless LOGWATCH_SEED and LOGWATCH_CASES say otherwise: those that failed before come
/// first.
const SEEDS: [u64; 21] = [
    4, 11, 29, 35, 43, 5072, 5089, 1, 2, 3, 5, 6, 7, 8, 9, 10, 12, 1000, 1001, 1002, 1003,
];

/// From this seed on records have fields, and rules that group or filter by them.
const WITH_FIELDS: u64 = 1000;

/// Length of a random case's stream, in seconds.
const STREAM: u32 = 150;

/// In seconds, how late records are at most, and more than the longest window or hold of a random
/// case.
const LONGEST_WAIT: u32 = 60;

/// `records` is what the stream brings: seconds after the beginning when it was logged and when it
/// comes.
const SET_UP: &str = "
    CREATE TABLE records (at integer, comes integer, source text, message text);
    -- Once and for all: a run may go on into the next hour.
    CREATE TABLE beginning AS SELECT date_trunc('hour', now()) - interval '26 hours' AS at;
    CREATE FUNCTION began() RETURNS timestamptz LANGUAGE sql STABLE AS $$ SELECT at FROM beginning $$;
    CREATE FUNCTION line(at timestamptz, message text) RETURNS text LANGUAGE sql AS
        $$ SELECT to_char(at, 'YYYY-MM-DD HH24:MI:SSOF') || ' ' || message $$;
    -- The base of a spike: two days of some records, too old to alert.
    CREATE PROCEDURE remember(seed float8) LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM setseed(seed);
        PERFORM logwatch_ingest(array_agg(line(began() - make_interval(days => day, secs => -s), 'ERROR disk full')), 'a')
           FROM generate_series(2, 3) AS day, generate_series(0, 300) AS s WHERE random() < 0.05;
        PERFORM logwatch_private.check(began() - interval '1 hour');
    END $$;
    CREATE PROCEDURE replay(step integer, last integer) LANGUAGE plpgsql AS $$
    BEGIN
        FOR s IN 0 .. last BY step LOOP
            PERFORM logwatch_ingest(array_agg(line(began() + make_interval(secs => r.at), r.message) ORDER BY r.at), r.source)
               FROM records AS r WHERE r.comes > s - step AND r.comes <= s GROUP BY r.source ORDER BY r.source;
            PERFORM logwatch_private.check(began() + make_interval(secs => s));
            COMMIT;
        END LOOP;
    END $$;
    CREATE VIEW live AS
        SELECT a.rule, a.group_key, tstzrange(a.started_at, a.met_until, '[]') AS span, a.peak, a.episodes FROM logwatch.alerts AS a;
    CREATE TABLE back (rule text, group_key text, span tstzrange, peak bigint);
    -- The episodes of a backtest as checks so many seconds apart find them: together, unless one had not yet lasted long enough.
    CREATE FUNCTION found(step integer) RETURNS TABLE (rule text, group_key text, span tstzrange, peak bigint, episodes integer) LANGUAGE sql AS $$
        SELECT b.rule, b.group_key, range_merge(range_agg(b.span)), max(b.peak), count(*)::integer
          FROM back AS b
         CROSS JOIN LATERAL (SELECT began() + make_interval(secs => ceil(extract(epoch FROM lower(b.span) - began()) / step)::float8 * step) AS at) AS noticed
         GROUP BY b.rule, b.group_key, noticed.at,
                  CASE WHEN NOT EXISTS (SELECT FROM logwatch_backtest(b.rule, lower(b.span) - interval '2 hours', noticed.at) AS k
                                         WHERE k.group_key = b.group_key AND k.started_at = lower(b.span)) THEN b.span END $$;
    -- A side's spans of one rule and group, those that touch put together with what they touch on the other side.
    CREATE VIEW joined AS
        SELECT rule, group_key, range_agg(span) AS spans FROM (SELECT rule, group_key, span FROM live UNION ALL SELECT rule, group_key, span FROM back) AS s GROUP BY 1, 2;
    CREATE VIEW hulls AS
        SELECT j.rule, j.group_key, piece,
               (SELECT range_merge(range_agg(l.span)) FROM live AS l WHERE l.rule = j.rule AND l.group_key = j.group_key AND l.span <@ piece) AS live,
               (SELECT range_merge(range_agg(b.span)) FROM back AS b WHERE b.rule = j.rule AND b.group_key = j.group_key AND b.span <@ piece) AS back
          FROM joined AS j, unnest(j.spans) AS piece;
    CREATE FUNCTION since(at timestamptz) RETURNS text LANGUAGE sql AS $$ SELECT extract(epoch FROM at - began())::integer::text $$;";

/// Alerts that are not the backtest's, and the reverse, where no record was late and checks were
/// `step` seconds apart.
fn exactly(step: u32) -> String {
    format!(
        "SELECT d.side, d.rule, d.group_key, since(lower(d.span)), since(upper(d.span)), d.peak, d.episodes FROM (
             SELECT 'live' AS side, l.* FROM (SELECT * FROM live EXCEPT ALL SELECT * FROM found({step})) AS l
             UNION ALL
             SELECT 'back', b.* FROM (SELECT * FROM found({step}) EXCEPT ALL SELECT * FROM live) AS b) AS d ORDER BY 2, 3, 4"
    )
}

/// Late records must not cause alerts that begin or end elsewhere than episodes, episodes
/// outside alerts, alerts of one episode that were not met all the time.
const WITH_LATE_RECORDS: &str = "
    SELECT 'hulls', h.rule, h.group_key, since(lower(h.live)), since(upper(h.live)), since(lower(h.back)), since(upper(h.back))
      FROM hulls AS h WHERE h.live IS DISTINCT FROM h.back
    UNION ALL
    SELECT 'no alert', b.rule, b.group_key, since(lower(b.span)), since(upper(b.span)), NULL, NULL
      FROM back AS b WHERE NOT EXISTS (SELECT FROM live AS l WHERE l.rule = b.rule AND l.group_key = b.group_key HAVING b.span <@ range_agg(l.span))
    UNION ALL
    SELECT 'not met', l.rule, l.group_key, since(lower(l.span)), since(upper(l.span)), NULL, NULL
      FROM live AS l
     WHERE l.episodes = 1 AND NOT EXISTS (SELECT FROM back AS b WHERE b.rule = l.rule AND b.group_key = l.group_key HAVING l.span <@ range_agg(b.span))
     ORDER BY 1, 2, 3, 4";

/// Lists the spans of both sides, to be read beside the differences.
const SPANS: &str = "
    SELECT 'has', s.* FROM (SELECT 'live' AS side, l.rule, l.group_key, since(lower(l.span)) AS from_second, since(upper(l.span)), l.peak, l.episodes FROM live AS l
                            UNION ALL SELECT 'back', b.rule, b.group_key, since(lower(b.span)), since(upper(b.span)), b.peak, NULL FROM back AS b) AS s
     ORDER BY s.rule, s.group_key, s.from_second::integer, s.side";

/// How a case's records come, and how often they are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    AtOnce,
    CheckedRarely,
    Late,
}

#[test]
fn a_backtest_has_the_episodes_of_live_evaluation() -> Result<()> {
    let number = |name: &str| match std::env::var(name) {
        Ok(value) => value.parse::<u64>().map(Some).with_context(|| name.to_owned()),
        Err(_) => Ok(None),
    };
    let seeds: Vec<u64> = match (number("LOGWATCH_SEED")?, number("LOGWATCH_CASES")?) {
        (None, None) => SEEDS.to_vec(),
        (first, count) => (first.unwrap_or(1)..).take(count.unwrap_or(1) as usize).collect(),
    };
    let count = seeds.len() as u64;
    let server = Server::without_worker(&[])?;
    server.sql(SET_UP)?;
    let (mut failures, mut episodes) = (String::new(), 0);
    for seed in seeds {
        let case = Case::new(seed);
        let differences = case.run(&server)?;
        episodes += server.sql("SELECT count(*) FROM back")?.parse::<u64>()?;
        if !differences.is_empty() {
            let spans = server.sql(SPANS)?;
            writeln!(
                failures,
                "LOGWATCH_SEED={seed}\n{}\n{differences}\n{spans}",
                case.told()
            )?;
        }
    }
    assert!(failures.is_empty(), "of {count} cases these differ:\n{failures}");
    assert!(
        episodes >= count,
        "only {episodes} episodes in {count} cases: they prove little"
    );
    Ok(())
}

/// A day of three hosts with its trouble, checked each minute, then each 7 minutes.
#[test]
fn a_day_replayed_live_has_the_episodes_of_its_backtest() -> Result<()> {
    let server = Server::without_worker(&[])?;
    server.sql(SET_UP)?;
    for step in [60, 420] {
        let day = Case::day(step);
        assert_eq!(day.run(&server)?, "", "{}", day.told());
        assert_eq!(
            server.sql("SELECT r.name FROM logwatch.rules AS r WHERE (SELECT count(*) FROM back AS b WHERE b.rule = r.name) < 3")?,
            "",
            "rules with so few episodes prove little"
        );
    }
    Ok(())
}

/// Rules, records, and how they come.
struct Case {
    seed: u64,
    manner: Manner,
    step: u32,
    rules: Vec<String>,
    /// When logged, when it comes, source, message.
    records: Vec<(u32, u32, &'static str, &'static str)>,
}

impl Case {
    fn new(seed: u64) -> Case {
        let mut random = fastrand::Rng::with_seed(seed);
        let manner = [Manner::AtOnce, Manner::CheckedRarely, Manner::Late][random.usize(..3)];
        let mut rules: Vec<String> = (0..random.u8(1..=3)).map(|n| rule(n, &mut random)).collect();
        let mut records = Vec::new();
        let mut busy = random.bool();
        for at in 0..STREAM {
            if random.u8(..30) == 0 {
                busy = !busy;
            }
            let most = if busy { 3 } else { u32::from(random.u8(..12) == 0) };
            for _ in 0..random.u32(0..=most) {
                let late = manner == Manner::Late && random.u8(..6) == 0;
                let comes = at + if late { random.u32(1..LONGEST_WAIT) } else { 0 };
                let source = ["a", "b", "c"][random.usize(..3)];
                let message =
                    ["ERROR disk full", "ERROR network down", "FATAL out of memory"][random.usize(..3)];
                records.push((at, comes, source, message));
            }
        }
        let step = match manner {
            Manner::AtOnce => 1,
            Manner::CheckedRarely => random.u32(5..60),
            Manner::Late => random.u32(1..60),
        };
        // Apart, so that the seeds that failed before stay what they were.
        let mut random = fastrand::Rng::with_seed(!seed);
        if manner != Manner::Late {
            rules.push(expecting_rule(rules.len(), &mut random));
            for at in (0..STREAM).filter(|_| random.u8(..12) == 0).collect::<Vec<_>>() {
                records.push((at, at, ["a", "b"][random.usize(..2)], "INFO backup finished"));
            }
        }
        if seed >= WITH_FIELDS {
            rules.push(field_rule(rules.len(), &mut random));
            rules.push(field_rule(rules.len(), &mut random));
            for at in (0..STREAM).filter(|_| random.u8(..2) == 0).collect::<Vec<_>>() {
                let late = manner == Manner::Late && random.u8(..6) == 0;
                let comes = at + if late { random.u32(1..LONGEST_WAIT) } else { 0 };
                let message = [
                    "level=error msg=\"card declined\" customer=acme tenant=a",
                    "level=fatal msg=\"disk full\" customer=globex tenant=a",
                    "level=error msg=\"card declined\" customer=initech tenant=b",
                    "level=error msg=\"card declined\" tenant=b",
                ][random.usize(..4)];
                records.push((at, comes, ["a", "b"][random.usize(..2)], message));
            }
        }
        Case {
            seed,
            manner,
            step,
            rules,
            records,
        }
    }

    /// From midnight to midnight: some errors at all hours, a bad third of an hour in each four,
    /// and a failure of all hosts every 6 hours.
    fn day(step: u32) -> Case {
        let mut random = fastrand::Rng::with_seed(42);
        let mut records = Vec::new();
        for at in 0..86_400 {
            let in_a_thousand = match (at / 1200 % 12, at % 21_600) {
                (_, 7000..7060) => 500,
                (1, _) => 30,
                _ => 3,
            };
            if random.u32(..1000) < in_a_thousand {
                let source = ["a", "b", "c"][random.usize(..3)];
                let message = match random.u8(..20) {
                    0 => "FATAL out of memory",
                    1..4 => "ERROR connection to 10.0.0.7:5432 refused",
                    4..7 => "ERROR network down",
                    7..10 if at > 40_000 => "ERROR payment 4711 declined",
                    10..12 if at > 60_000 => "ERROR certificate expired",
                    12..14 if at > 70_000 => "ERROR queue is full",
                    _ => "ERROR disk full",
                };
                records.push((at, at, source, message));
            }
        }
        let rules = [
            "(name, threshold, within, keep_firing_for) VALUES ('plain', 5, '5 minutes', '0'), ('held', 4, '3 minutes', '10 minutes')",
            "(name, threshold, within, group_by) VALUES ('each', 3, '4 minutes', 'source'), ('again', 3, '5 minutes', 'pattern')",
            "(name, threshold, within, for_at_least) VALUES ('lasting', 4, '5 minutes', '4 minutes')",
            "(name, threshold, within, min_sources) VALUES ('everywhere', 5, '5 minutes', 3)",
            "(name, kind, threshold, within) VALUES ('new', 'new_pattern', 1, '5 minutes'), ('unusual', 'spike', 6, '10 minutes')",
            "(name, kind, absence_of, match, group_by, within) VALUES ('missing', 'absence', 'match', '^network down$', 'source', '1 hour')",
            "(name, kind, absence_of, match, expected_during) VALUES ('by the hour', 'absence', 'match', 'network down', 'hours');
             INSERT INTO logwatch.schedules (name, time_zone, weekdays, starts, ends)
             SELECT 'hours', 'UTC', '{mon,tue,wed,thu,fri,sat,sun}', make_time(h, 0, 0), make_time(h, 20, 0) FROM generate_series(0, 23) AS h",
        ];
        Case {
            seed: 42,
            manner: Manner::CheckedRarely,
            step,
            rules: rules
                .map(|rule| format!("INSERT INTO logwatch.rules {rule}"))
                .to_vec(),
            records,
        }
    }

    /// Replays the case both ways, until its last window, hold and late record are over; says where
    /// they differ.
    fn run(&self, server: &Server) -> Result<String> {
        let length = self
            .records
            .iter()
            .map(|record| record.0)
            .max()
            .unwrap_or_default();
        let last = length + 2 * LONGEST_WAIT + 3 * self.step;
        let records: Vec<String> = self
            .records
            .iter()
            .map(|(at, comes, source, message)| format!("({at}, {comes}, '{source}', '{message}')"))
            .collect();
        server.sql(&format!(
            "TRUNCATE records, back, logwatch.alerts, logwatch.notifications, logwatch.minutes, logwatch.batches, logwatch.entries, logwatch.patterns, logwatch.expected_lines, logwatch.schedules;
             DELETE FROM logwatch.rules;
             {};
             INSERT INTO records VALUES {}",
            self.rules.join(";"),
            records.join(", ")
        ))?;
        // Old enough for new_pattern, which learns for a while.
        server.sql(
            "UPDATE logwatch.rules SET created_at = began() - interval '2 hours', learn_for = '0';
             UPDATE logwatch.rules SET expected_since = created_at WHERE absence_of = 'match';
             INSERT INTO logwatch.sources AS s (id, name, first_seen)
             SELECT logwatch_private.source_id(n), n, began() - interval '2 hours' FROM unnest('{a,b,c}'::text[]) AS n
                 ON CONFLICT (id) DO UPDATE SET first_seen = EXCLUDED.first_seen",
        )?;
        server.sql(&format!("CALL remember({})", 1.0 / (self.seed as f64 + 1.0)))?;
        server.sql(&format!("CALL replay({}, {last})", self.step))?;
        // Until the last check: a line that is still missing is missing until then.
        server.sql(&format!(
            "INSERT INTO back SELECT r.name, b.group_key, tstzrange(b.started_at, b.met_until, '[]'), b.peak
               FROM logwatch.rules AS r, logwatch_backtest(r.name, began() - interval '1 hour', began() + make_interval(secs => {})) AS b",
            last - last % self.step
        ))?;
        match self.manner {
            Manner::AtOnce | Manner::CheckedRarely => server.sql(&exactly(self.step)),
            Manner::Late => server.sql(WITH_LATE_RECORDS),
        }
    }

    fn told(&self) -> String {
        format!(
            "{}\n{} records, {:?}, a check each {} s",
            self.rules.join("\n"),
            self.records.len(),
            self.manner,
            self.step
        )
    }
}

fn rule(number: u8, random: &mut fastrand::Rng) -> String {
    let kind = ["threshold", "threshold", "new_pattern", "spike"][random.usize(..4)];
    let group_by = ["none", "source", "pattern"][random.usize(..3)];
    let level = ["ERROR", "FATAL"][random.usize(..2)];
    let matching = ["NULL", "'disk|memory'"][random.usize(..2)];
    let exclude = ["NULL", "'network'"][random.usize(..2)];
    format!(
        "INSERT INTO logwatch.rules (name, kind, group_by, level, match, exclude, threshold, within, for_at_least, keep_firing_for, factor, min_sources)
         VALUES ('rule{number}', '{kind}', '{group_by}', '{level}', {matching}, {exclude}, {}, '{} seconds', '{} seconds', '{} seconds', {}, {})",
        random.u8(1..=5),
        random.u8(2..40),
        random.u8(..2) * random.u8(1..25),
        random.u8(..2) * random.u8(1..30),
        random.u8(2..=4),
        [1, 1, 1, 2][random.usize(..4)],
    )
}

fn expecting_rule(number: usize, random: &mut fastrand::Rng) -> String {
    let group_by = ["none", "source"][random.usize(..2)];
    let source = ["*", "a"][random.usize(..2)];
    let matching = ["backup finished", "disk|^out of", "INFO|FATAL"][random.usize(..3)];
    format!(
        "INSERT INTO logwatch.rules (name, kind, absence_of, group_by, source, match, within, for_at_least, keep_firing_for)
         VALUES ('rule{number}', 'absence', 'match', '{group_by}', '{source}', '{matching}', '{} seconds', '{} seconds', '{} seconds')",
        random.u8(2..30),
        random.u8(..2) * random.u8(1..25),
        random.u8(..2) * random.u8(1..30),
    )
}

fn field_rule(number: usize, random: &mut fastrand::Rng) -> String {
    let group_by = ["none", "source", "pattern", "field:customer", "field:customer"][random.usize(..5)];
    let fields = match group_by {
        "field:customer" => "NULL",
        _ => r#"'{"tenant": "a", "customer": ["acme", "globex"]}'"#,
    };
    let matching = ["NULL", "'disk|declined'", "'card'"][random.usize(..3)];
    format!(
        "INSERT INTO logwatch.rules (name, group_by, where_fields, level, match, threshold, within, for_at_least, keep_firing_for)
         VALUES ('rule{number}', '{group_by}', {fields}, '{}', {matching}, {}, '{} seconds', '{} seconds', '{} seconds')",
        ["ERROR", "FATAL"][random.usize(..2)],
        random.u8(1..=4),
        random.u8(2..40),
        random.u8(..2) * random.u8(1..25),
        random.u8(..2) * random.u8(1..30),
    )
}
