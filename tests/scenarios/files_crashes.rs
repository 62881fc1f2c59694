//! Crashes on either side under load: the offset moves in the transaction that stores the records,
//! or not at all.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use logwatch_tests::journal::Journal;
use logwatch_tests::server::{Server, Stop};
use logwatch_tests::tailer::Tailer;

use crate::SOON;

/// How many crashes, unless LOGWATCH_ROUNDS says otherwise.
const ROUNDS: usize = 50;

/// F9: kill -9 of the tailer and immediate stop of PostgreSQL in turn, with a rotation now and
/// then, while lines are written.
#[test]
fn crashes_of_either_side_under_load_lose_and_repeat_nothing() -> Result<()> {
    let rounds = match std::env::var("LOGWATCH_ROUNDS") {
        Ok(count) => count.parse().context("LOGWATCH_ROUNDS")?,
        Err(_) => ROUNDS,
    };
    let mut server = Server::without_worker(&[])?;
    let files = Mutex::new(Journal::new("f9", &["app.log"])?);
    let files_now = || files.lock().expect("no test thread panics with the files");
    files_now().write("app.log", &["line 0"])?;
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| -> Result<()> {
        let writer = scope.spawn(|| -> Result<()> {
            let mut n = 0;
            while !stop.load(Ordering::Relaxed) {
                let lines: Vec<String> = (1..=20).map(|more| format!("line {}", n + more)).collect();
                files_now().write("app.log", &lines)?;
                n += 20;
                std::thread::sleep(Duration::from_millis(10));
            }
            Ok(())
        });
        let crashes = crash(&mut server, rounds, &files_now);
        stop.store(true, Ordering::Relaxed);
        let written = writer.join().expect("the writer does not panic");
        crashes.and(written)
    })?;
    let files = files_now();
    files.once(&server)?;
    files.check(&server)?;
    assert_eq!(files.gaps(&server)?, Vec::<String>::new());
    Ok(())
}

fn crash<'a>(
    server: &mut Server,
    rounds: usize,
    files_now: &impl Fn() -> std::sync::MutexGuard<'a, Journal>,
) -> Result<()> {
    let start = |server: &Server| -> Result<Tailer> { files_now().follow(server) };
    let mut tailer = start(server)?;
    for round in 0..rounds {
        // Something has been stored since the last crash; then the next one comes somewhere in the
        // work.
        let before = server.sql("SELECT count(*) FROM logwatch.entries")?;
        let more = format!("SELECT count(*) > {before} FROM logwatch.entries");
        server
            .wait_for_sql(SOON, &more, "t")
            .with_context(|| format!("round {round}; the tailer says: {}", tailer.output()))?;
        std::thread::sleep(Duration::from_millis(round as u64 * 7 % 40));
        if round % 2 == 0 {
            tailer.kill()?;
            if round % 10 == 4 {
                let files = files_now();
                files.shift("app.log")?;
                files.rename("app.log", "app.log.1")?;
            }
            tailer = start(server)?;
        } else {
            server.stop(Stop::Immediate)?;
            if round % 10 == 7 {
                let files = files_now();
                files.shift("app.log")?;
                files.rename("app.log", "app.log.1")?;
            }
            server.start()?;
        }
    }
    Ok(())
}
