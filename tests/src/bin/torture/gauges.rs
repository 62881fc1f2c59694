//! Measurements during the load: records stored, memory of each process, locks that
//! somebody waits for, dead rows, bytes on disk.

use std::fmt::{self, Display, Formatter};
use std::time::{Duration, Instant};

use anyhow::Result;
use logwatch_tests::server::Server;
use logwatch_tests::tailer::Tailer;
use logwatch_tests::wait::is_interrupted;

use crate::load::{STORED, anonymous_memory};

/// Between two samples.
const PERIOD: Duration = Duration::from_secs(2);
/// Nobody may wait longer than this for a lock.
const LONGEST_LOCK: Duration = Duration::from_secs(1);
/// Memory is flat when the least of the last third is not more than this above the least of the
/// middle third, which knows all patterns: what a large check takes is given back, a leak is not.
const GROWTH: u64 = 4 * 1024 * 1024;
/// No process may ever have more.
const LARGEST: u64 = 64 * 1024 * 1024;
/// The disk space per record at the end, compared with that after a third of the time, in
/// percent.
const DRIFT: u64 = 30;

/// All bytes are in what a process alone has in use (RssAnon): shared buffers that it has touched
/// are not its own.
#[derive(Default)]
pub struct Sample {
    pub stored: u64,
    pub worker: u64,
    /// The largest session.
    pub session: u64,
    /// The largest tailer.
    pub tailer: u64,
    /// Tables and indexes of logwatch.
    pub disk: u64,
}

pub struct Gauges<'a> {
    server: &'a Server,
    tailers: &'a [Tailer],
    samples: Vec<Sample>,
    started: Instant,
    took: Duration,
    longest_lock: Duration,
    longest_check: Duration,
}

impl<'a> Gauges<'a> {
    pub fn new(server: &'a Server, tailers: &'a [Tailer]) -> Gauges<'a> {
        Gauges {
            server,
            tailers,
            samples: Vec::new(),
            started: Instant::now(),
            took: Duration::ZERO,
            longest_lock: Duration::ZERO,
            longest_check: Duration::ZERO,
        }
    }

    /// Reads all gauges again and again until then.
    pub fn read_until(&mut self, end: Instant) -> Result<()> {
        let mut client = self.server.client()?;
        let mut next_sample = Instant::now();
        while Instant::now() < end {
            anyhow::ensure!(!is_interrupted(), "interrupted");
            let row = client.query_one(
                "SELECT (SELECT coalesce(max(extract(epoch FROM clock_timestamp() - waitstart)), 0)::float8 FROM pg_locks WHERE NOT granted), \
                        (SELECT coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)), 0)::float8 FROM pg_stat_activity \
                          WHERE backend_type = 'logwatch worker')",
                &[],
            )?;
            let seconds = |column| Duration::from_secs_f64(row.get::<_, f64>(column).max(0.0));
            self.longest_lock = self.longest_lock.max(seconds(0));
            self.longest_check = self.longest_check.max(seconds(1));
            if Instant::now() >= next_sample {
                next_sample += PERIOD;
                let sample = self.sample(&mut client)?;
                self.samples.push(sample);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        self.took = self.started.elapsed();
        Ok(())
    }

    fn sample(&self, client: &mut postgres::Client) -> Result<Sample> {
        let row = client.query_one(
            &format!("SELECT ({STORED})::int8, \
                    (SELECT sum(pg_total_relation_size(c.oid))::int8 FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace \
                      WHERE n.nspname = 'logwatch' AND c.relkind = 'r')"),
            &[],
        )?;
        let mut sample = Sample {
            stored: row.get::<_, i64>(0).cast_unsigned(),
            disk: row.get::<_, i64>(1).cast_unsigned(),
            ..Sample::default()
        };
        let processes = client.query(
            "SELECT pid, backend_type FROM pg_stat_activity WHERE backend_type IN ('logwatch worker', 'client backend')",
            &[],
        )?;
        for process in processes {
            // A process that has ended since uses no memory.
            let memory = anonymous_memory(process.get(0)).unwrap_or_default();
            let most = match process.get(1) {
                "logwatch worker" => &mut sample.worker,
                _ => &mut sample.session,
            };
            *most = memory.max(*most);
        }
        for tailer in self.tailers {
            sample.tailer = sample.tailer.max(anonymous_memory(tailer.pid())?);
        }
        Ok(sample)
    }

    /// Summarises the samples.
    pub fn report(
        &self,
        written: u64,
        behind: Duration,
        checks: Vec<f64>,
        mails: Vec<f64>,
    ) -> Result<Report> {
        let third = (self.samples.len() / 3).max(1);
        let part = |n: usize| {
            &self.samples[(n * third).min(self.samples.len())..((n + 1) * third).min(self.samples.len())]
        };
        let least = |n, read: fn(&Sample) -> u64| part(n).iter().map(read).min().unwrap_or_default();
        let memory = |read: fn(&Sample) -> u64| Memory {
            middle: least(1, read),
            last: least(2, read),
            largest: self.samples.iter().map(read).max().unwrap_or_default(),
        };
        let cost = |sample: Option<&Sample>| sample.map_or(0, |s| s.disk / s.stored.max(1));
        let dead = self.server.sql(
            "SELECT coalesce(string_agg(relname || ' ' || n_dead_tup || ' of ' || n_live_tup + n_dead_tup, ', ' ORDER BY n_dead_tup DESC), 'none') \
               FROM pg_stat_user_tables WHERE schemaname = 'logwatch' AND n_dead_tup > 10000 AND n_dead_tup > n_live_tup",
        )?;
        Ok(Report {
            written,
            seconds: self.took.as_secs_f64(),
            rates: [0, 1, 2].map(|n| rate(part(n))),
            behind,
            worker: memory(|s| s.worker),
            session: memory(|s| s.session),
            tailer: memory(|s| s.tailer),
            longest_lock: self.longest_lock,
            lock_waits: self.server.log().matches("still waiting for").count(),
            longest_check: self.longest_check,
            checks: Spread::of(checks),
            mails: Spread::of(mails),
            dead,
            bytes: (cost(self.samples.get(third)), cost(self.samples.last())),
        })
    }
}

/// Records stored per second.
fn rate(samples: &[Sample]) -> f64 {
    let (Some(first), Some(last)) = (samples.first(), samples.last()) else {
        return 0.0;
    };
    let seconds = PERIOD.as_secs_f64() * (samples.len().max(2) - 1) as f64;
    (last.stored - first.stored) as f64 / seconds
}

/// How some times in milliseconds are spread.
struct Spread(Vec<f64>);

impl Spread {
    fn of(mut times: Vec<f64>) -> Self {
        times.sort_by(f64::total_cmp);
        Self(times)
    }

    /// Returns the time below which the share `part` of all lies.
    fn at(&self, part: f64) -> f64 {
        let index = (self.0.len().saturating_sub(1) as f64 * part).round() as usize;
        self.0.get(index).copied().unwrap_or(f64::NAN)
    }
}

impl Display for Spread {
    fn fmt(&self, out: &mut Formatter) -> fmt::Result {
        write!(
            out,
            "p50 {:.0} ms, p99 {:.0} ms, longest {:.0} ms, of {}",
            self.at(0.5),
            self.at(0.99),
            self.at(1.0),
            self.0.len()
        )
    }
}

/// Memory of the largest process of a kind: the least in the middle third and in the last one,
/// and the most of all.
struct Memory {
    middle: u64,
    last: u64,
    largest: u64,
}

impl Memory {
    fn is_flat(&self) -> bool {
        self.last <= self.middle + GROWTH
    }

    fn is_bounded(&self) -> bool {
        self.largest <= LARGEST
    }
}

impl Display for Memory {
    fn fmt(&self, out: &mut Formatter) -> fmt::Result {
        let mib = |bytes: u64| bytes as f64 / 1024.0 / 1024.0;
        let (middle, last, largest) = (mib(self.middle), mib(self.last), mib(self.largest));
        write!(out, "{middle:.1} → {last:.1}, at most {largest:.1} MiB")
    }
}

pub struct Report {
    written: u64,
    seconds: f64,
    rates: [f64; 3],
    behind: Duration,
    worker: Memory,
    session: Memory,
    tailer: Memory,
    longest_lock: Duration,
    lock_waits: usize,
    longest_check: Duration,
    checks: Spread,
    /// From a line to its mail.
    mails: Spread,
    /// Tables with more dead rows than live ones.
    dead: String,
    bytes: (u64, u64),
}

impl Report {
    /// Returns the faults in words: none after a good load.
    pub fn faults(&self) -> Vec<&'static str> {
        [
            (self.worker.is_flat(), "the worker's memory grows"),
            (self.session.is_flat(), "a session's memory grows"),
            (self.tailer.is_flat(), "a tailer's memory grows"),
            (
                [&self.worker, &self.session, &self.tailer]
                    .iter()
                    .all(|memory| memory.is_bounded()),
                "a process had more than 64 MiB",
            ),
            (self.longest_lock <= LONGEST_LOCK, "somebody waited for a lock"),
            (self.lock_waits == 0, "the server's log has waits for locks"),
            (self.dead == "none", "dead rows are not removed"),
            (
                self.bytes.1 * 100 <= self.bytes.0 * (100 + DRIFT),
                "the disk space per record grows",
            ),
        ]
        .into_iter()
        .filter_map(|(holds, fault)| (!holds).then_some(fault))
        .collect()
    }
}

impl Display for Report {
    fn fmt(&self, out: &mut Formatter) -> fmt::Result {
        writeln!(out, "| load | {:.0} s |\n|---|---|", self.seconds)?;
        writeln!(out, "| records written and stored | {} |", self.written)?;
        writeln!(
            out,
            "| stored per second, by thirds of the time | {:.0}, {:.0}, {:.0} |",
            self.rates[0], self.rates[1], self.rates[2]
        )?;
        writeln!(
            out,
            "| all stored after the last write | {:.1} s |",
            self.behind.as_secs_f32()
        )?;
        writeln!(
            out,
            "| least memory of the worker, second → last third | {} |",
            self.worker
        )?;
        writeln!(out, "| of the largest session | {} |", self.session)?;
        writeln!(out, "| of the largest tailer | {} |", self.tailer)?;
        writeln!(
            out,
            "| longest wait for a lock | {:.2} s, {} above 1 s in the server's log |",
            self.longest_lock.as_secs_f32(),
            self.lock_waits
        )?;
        writeln!(
            out,
            "| longest transaction of the worker | {:.2} s |",
            self.longest_check.as_secs_f32()
        )?;
        writeln!(out, "| check | {} |", self.checks)?;
        writeln!(out, "| line to mail | {} |", self.mails)?;
        writeln!(
            out,
            "| tables with more dead rows than live ones | {} |",
            self.dead
        )?;
        writeln!(
            out,
            "| bytes on disk per record, after a third → at the end | {} → {} |",
            self.bytes.0, self.bytes.1
        )
    }
}
