//! Many tailers at once: what they store together, and whether they wait for each other.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use logwatch_tests::server::Server;
use logwatch_tests::tailer::Tailer;

use crate::input::{self, settle};
use crate::measure::short;
use crate::table::{Contract, Table};

const TAILERS: [usize; 5] = [1, 2, 4, 8, 20];
/// Time between two looks at who waits for a lock.
const LOOK: Duration = Duration::from_millis(5);

pub fn run(table: &mut Table) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let server = input::server(&[])?;
    let total = input::size("BENCH_SCALING_RECORDS", 600_000)?;
    let mut alone = 0.0;
    for tailers in TAILERS {
        server.sql(
            "TRUNCATE logwatch.entries, logwatch.minutes, logwatch.batches, logwatch.patterns, logwatch.files",
        )?;
        settle(&server)?;
        let each = total * 5 / 3 / tailers as u64;
        let files = (0..tailers)
            .map(|number| {
                input::log(
                    directory.path(),
                    &format!("{tailers}-{number}.log"),
                    each,
                    1.0,
                    None,
                )
            })
            .collect::<Result<Vec<_>>>()?;
        let done = AtomicBool::new(false);
        let started = Instant::now();
        let (took, waiting) = std::thread::scope(|scope| {
            let looker = scope.spawn(|| who_waits(&server, &done));
            let running: Vec<_> = files
                .iter()
                .enumerate()
                .map(|(number, file)| {
                    let server = &server;
                    scope.spawn(move || {
                        let source = format!("bench-{number}");
                        Tailer::once(server, &["--source", &source, &file.display().to_string()])
                    })
                })
                .collect();
            let ended: Vec<_> = running.into_iter().map(|thread| thread.join()).collect();
            let took = started.elapsed();
            done.store(true, Ordering::Relaxed);
            let looked = looker.join();
            for result in ended {
                result.map_err(|_| anyhow::anyhow!("a tailer's thread panicked"))??;
            }
            let waiting = looked.map_err(|_| anyhow::anyhow!("the looker panicked"))??;
            anyhow::Ok((took, waiting))
        })?;
        let rows: f64 = server.sql("SELECT count(*) FROM logwatch.entries")?.parse()?;
        let rate = rows / took.as_secs_f64();
        if tailers == 1 {
            alone = rate;
        }
        table.ratio(
            &format!("{tailers} tailer{} at once", if tailers == 1 { "" } else { "s" }),
            &format!("{} rows/s, on average waiting for locks: {waiting}", short(rate)),
            &format!("one: {} rows/s", short(alone)),
            rate / alone,
            Contract::None,
        );
    }
    Ok(())
}

/// How many tailers' sessions wait on average, for each kind of lock.
fn who_waits(server: &Server, done: &AtomicBool) -> Result<String> {
    let mut client = server.client()?;
    let (mut looks, mut waits) = (0, BTreeMap::<String, i64>::new());
    while !done.load(Ordering::Relaxed) {
        for row in client.query(
            "SELECT wait_event, count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name LIKE 'logwatch%' GROUP BY 1",
            &[],
        )? {
            *waits.entry(row.get(0)).or_default() += row.get::<_, i64>(1);
        }
        looks += 1;
        std::thread::sleep(LOOK);
    }
    let waits: Vec<String> = waits
        .into_iter()
        .map(|(lock, count)| format!("{lock} {:.2}", count as f64 / f64::from(looks)))
        .collect();
    Ok(if waits.is_empty() {
        "none".to_owned()
    } else {
        waits.join(", ")
    })
}
