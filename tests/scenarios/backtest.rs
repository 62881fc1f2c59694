//! A backtest is what would have been: random rules over random records, replayed live through checks and then by `logwatch_backtest()`.
//!
//! Checked each second on records that come at once, the episodes are the same to the second. Checked rarely, or on records that come
//! late, live alerts may hold several stretches that one check found together: every live alert then spans whole episodes of the
//! backtest, and none is left out. A failing case prints its seed: `LOGWATCH_SEED=that LOGWATCH_CASES=1` plays it again.

use std::fmt::Write as _;

use anyhow::{Context, Result};
use logwatch_tests::server::Server;

/// How many cases, unless LOGWATCH_CASES says otherwise.
const CASES: u64 = 12;

/// Length of a case's stream, in seconds.
const STREAM: u32 = 150;

/// `records` is what the stream brings: seconds after the beginning when it was logged and when it comes.
const SET_UP: &str = "
    CREATE TABLE records (at integer, comes integer, source text, message text);
    CREATE FUNCTION began() RETURNS timestamptz LANGUAGE sql AS $$ SELECT date_trunc('hour', now()) - interval '3 hours' $$;
    CREATE FUNCTION line(at timestamptz, message text) RETURNS text LANGUAGE sql AS
        $$ SELECT to_char(at, 'YYYY-MM-DD HH24:MI:SSOF') || ' ' || message $$;
    -- What a spike is compared with: two days of some records, too old to alert.
    CREATE PROCEDURE remember(seed float8) LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM setseed(seed);
        PERFORM logwatch_ingest(array_agg(line(began() - make_interval(days => day, secs => -s), 'ERROR disk full')), 'a')
           FROM generate_series(2, 3) AS day, generate_series(0, 300) AS s WHERE random() < 0.05;
        PERFORM logwatch.check(began() - interval '1 hour');
    END $$;
    CREATE PROCEDURE replay(step integer, last integer) LANGUAGE plpgsql AS $$
    BEGIN
        FOR s IN 0 .. last BY step LOOP
            PERFORM logwatch_ingest(array_agg(line(began() + make_interval(secs => r.at), r.message) ORDER BY r.at), r.source)
               FROM records AS r WHERE r.comes > s - step AND r.comes <= s GROUP BY r.source ORDER BY r.source;
            PERFORM logwatch.check(began() + make_interval(secs => s));
            COMMIT;
        END LOOP;
    END $$;
    CREATE VIEW live AS
        SELECT a.rule, a.group_key, tstzrange(a.started_at, a.met_until, '[]') AS span, a.peak FROM logwatch.alerts AS a WHERE a.state <> 'pending';
    CREATE VIEW back AS
        SELECT r.name AS rule, b.group_key, tstzrange(b.started_at, b.met_until, '[]') AS span, b.peak
          FROM logwatch.rules AS r, logwatch_backtest(r.name, began() - interval '1 hour', began() + interval '1 hour') AS b;
    -- A side's spans of one rule and group, those that touch put together with what they touch on the other side.
    CREATE VIEW joined AS
        SELECT rule, group_key, range_agg(span) AS spans FROM (SELECT rule, group_key, span FROM live UNION ALL SELECT rule, group_key, span FROM back) AS s GROUP BY 1, 2;
    CREATE VIEW hulls AS
        SELECT j.rule, j.group_key, piece,
               (SELECT range_merge(range_agg(l.span)) FROM live AS l WHERE l.rule = j.rule AND l.group_key = j.group_key AND l.span <@ piece) AS live,
               (SELECT range_merge(range_agg(b.span)) FROM back AS b WHERE b.rule = j.rule AND b.group_key = j.group_key AND b.span <@ piece) AS back
          FROM joined AS j, unnest(j.spans) AS piece;
    CREATE FUNCTION since(at timestamptz) RETURNS text LANGUAGE sql AS $$ SELECT extract(epoch FROM at - began())::integer::text $$;";

const EXACTLY: &str = "
    SELECT d.side, d.rule, d.group_key, since(lower(d.span)), since(upper(d.span)), d.peak FROM (
        SELECT 'live' AS side, l.* FROM (SELECT * FROM live EXCEPT ALL SELECT * FROM back) AS l
        UNION ALL
        SELECT 'back', b.* FROM (SELECT * FROM back EXCEPT ALL SELECT * FROM live) AS b) AS d ORDER BY 2, 3, 4";

const AS_HULLS: &str = "
    SELECT h.rule, h.group_key, 'live', since(lower(h.live)), since(upper(h.live)), 'back', since(lower(h.back)), since(upper(h.back))
      FROM hulls AS h WHERE h.live IS DISTINCT FROM h.back ORDER BY 1, 2, 4";

/// How a case's records come, and how often they are looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    AtOnce,
    LateAndRarely,
}

#[test]
fn a_backtest_has_the_episodes_of_live_evaluation() -> Result<()> {
    let number = |name: &str, default: u64| match std::env::var(name) {
        Ok(value) => value.parse::<u64>().with_context(|| name.to_owned()),
        Err(_) => Ok(default),
    };
    let first = number("LOGWATCH_SEED", 1)?;
    let count = number("LOGWATCH_CASES", CASES)?;
    let server = Server::without_worker(&[])?;
    server.sql(SET_UP)?;
    let (mut failures, mut episodes) = (String::new(), 0);
    for seed in first..first + count {
        let case = Case::new(seed);
        let differences = case.run(&server)?;
        episodes += server.sql("SELECT count(*) FROM back")?.parse::<u64>()?;
        if !differences.is_empty() {
            writeln!(failures, "LOGWATCH_SEED={seed}\n{}\n{differences}", case.told())?;
        }
    }
    assert!(failures.is_empty(), "of {count} cases these differ:\n{failures}");
    assert!(
        episodes >= count,
        "only {episodes} episodes in {count} cases: they prove little"
    );
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
        let manner = if random.bool() {
            Manner::AtOnce
        } else {
            Manner::LateAndRarely
        };
        let rules = (0..random.u8(1..=3))
            .map(|n| rule(n, manner, &mut random))
            .collect();
        let mut records = Vec::new();
        let mut busy = random.bool();
        for at in 0..STREAM {
            if random.u8(..30) == 0 {
                busy = !busy;
            }
            let most = if busy { 3 } else { u32::from(random.u8(..12) == 0) };
            for _ in 0..random.u32(0..=most) {
                let late = manner == Manner::LateAndRarely && random.u8(..6) == 0;
                let comes = at + if late { random.u32(1..60) } else { 0 };
                let source = ["a", "b", "c"][random.usize(..3)];
                let message =
                    ["ERROR disk full", "ERROR network down", "FATAL out of memory"][random.usize(..3)];
                records.push((at, comes, source, message));
            }
        }
        let step = match manner {
            Manner::AtOnce => 1,
            Manner::LateAndRarely => random.u32(1..60),
        };
        Case {
            seed,
            manner,
            step,
            rules,
            records,
        }
    }

    /// Replays the case both ways; says where they differ.
    fn run(&self, server: &Server) -> Result<String> {
        let records: Vec<String> = self
            .records
            .iter()
            .map(|(at, comes, source, message)| format!("({at}, {comes}, '{source}', '{message}')"))
            .collect();
        server.sql(&format!(
            "TRUNCATE records, logwatch.alerts, logwatch.notifications, logwatch.counts, logwatch.batches, logwatch.entries, logwatch.patterns;
             DELETE FROM logwatch.rules;
             {};
             INSERT INTO records VALUES {}",
            self.rules.join(";"),
            records.join(", ")
        ))?;
        // Old enough for new_pattern, which learns for a while.
        server.sql("UPDATE logwatch.rules SET created_at = began() - interval '2 hours', learn_for = '0'")?;
        server.sql(&format!("CALL remember({})", 1.0 / (self.seed as f64 + 1.0)))?;
        // Until the last window, hold and late record are over.
        let last = STREAM + 120 + 3 * self.step;
        server.sql(&format!("CALL replay({}, {last})", self.step))?;
        match self.manner {
            Manner::AtOnce => server.sql(EXACTLY),
            Manner::LateAndRarely => server.sql(AS_HULLS),
        }
    }

    fn told(&self) -> String {
        let manner = match self.manner {
            Manner::AtOnce => "at once",
            Manner::LateAndRarely => "late",
        };
        format!(
            "{}\n{} records come {manner}, a check each {} s",
            self.rules.join("\n"),
            self.records.len(),
            self.step
        )
    }
}

fn rule(number: u8, manner: Manner, random: &mut fastrand::Rng) -> String {
    let kind = ["threshold", "threshold", "new_pattern", "spike"][random.usize(..4)];
    let group_by = ["none", "source", "pattern"][random.usize(..3)];
    let level = ["ERROR", "FATAL"][random.usize(..2)];
    let matching = ["NULL", "'disk|memory'"][random.usize(..2)];
    let exclude = ["NULL", "'network'"][random.usize(..2)];
    // Late stretches that belong to one backlog make one alert, which may last longer than each of them.
    let lasting = match manner {
        Manner::AtOnce => random.u8(..2) * random.u8(1..15),
        Manner::LateAndRarely => 0,
    };
    format!(
        "INSERT INTO logwatch.rules (name, kind, group_by, level, match, exclude, threshold, within, for_at_least, keep_firing_for, factor)
         VALUES ('rule{number}', '{kind}', '{group_by}', '{level}', {matching}, {exclude}, {}, '{} seconds', '{lasting} seconds', '{} seconds', {})",
        random.u8(1..=5),
        random.u8(2..40),
        random.u8(..2) * random.u8(1..30),
        random.u8(2..=4),
    )
}
