//! Many tailers at once: what they store together, and whether they wait for each other.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
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
            "TRUNCATE logwatch.entries, logwatch.counts, logwatch.batches, logwatch.patterns, logwatch.files",
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
        let (done, looks, waits) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
        let started = Instant::now();
        let took = std::thread::scope(|scope| {
            let looker = scope.spawn(|| -> Result<()> {
                let mut client = server.client()?;
                while !done.load(Ordering::Relaxed) {
                    let row = client.query_one(
                        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name LIKE 'logwatch%'",
                        &[],
                    )?;
                    looks.fetch_add(1, Ordering::Relaxed);
                    waits.fetch_add(usize::try_from(row.get::<_, i64>(0))?, Ordering::Relaxed);
                    std::thread::sleep(LOOK);
                }
                Ok(())
            });
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
            looked.map_err(|_| anyhow::anyhow!("the looker panicked"))??;
            anyhow::Ok(took)
        })?;
        let rows: f64 = server.sql("SELECT count(*) FROM logwatch.entries")?.parse()?;
        let rate = rows / took.as_secs_f64();
        if tailers == 1 {
            alone = rate;
        }
        let waited = waits.load(Ordering::Relaxed) as f64 / looks.load(Ordering::Relaxed).max(1) as f64;
        table.ratio(
            &format!("{tailers} tailer{} at once", if tailers == 1 { "" } else { "s" }),
            &format!("{} rows/s, {waited:.3} of them waiting for a lock", short(rate)),
            &format!("one: {} rows/s", short(alone)),
            rate / alone,
            Contract::None,
        );
    }
    Ok(())
}
