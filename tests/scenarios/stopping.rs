//! The tailer ends when it is told to, whatever it is waiting for: SIGTERM within two seconds
//! (F21), `--max-runtime` a second after its time.

use std::fs::File;
use std::net::TcpListener;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use logwatch_tests::journal::{Journal, numbered};
use logwatch_tests::server::Server;
use logwatch_tests::tailer::Tailer;
use logwatch_tests::wait::wait_until;

use crate::{PROMPTLY, SOON};

const LIMIT: &str = "2";

/// Runs the command until `blocked` says that it waits, and ends it by SIGTERM; then again, with a
/// limit.
fn ends_on_time(
    command: impl Fn(&[&str]) -> Result<Command>,
    blocked: impl Fn() -> Result<bool>,
) -> Result<()> {
    let mut tailer = Tailer::spawn(command(&[])?)?;
    wait_until(SOON, "the tailer to wait", &blocked).with_context(|| tailer.output())?;
    let (_, took) = tailer.terminate()?;
    ensure!(took < PROMPTLY, "SIGTERM took {took:?}: {}", tailer.output());

    let started = Instant::now();
    let mut tailer = Tailer::spawn(command(&["--once", "--max-runtime", LIMIT])?)?;
    wait_until(SOON, "the tailer to wait", &blocked).with_context(|| tailer.output())?;
    let status = tailer.wait(SOON)?;
    let took = started.elapsed();
    let limit = Duration::from_secs(LIMIT.parse()?);
    ensure!(
        took >= limit && took < limit + PROMPTLY,
        "it took {took:?}: {}",
        tailer.output()
    );
    ensure!(status.code() == Some(69), "{status}: {}", tailer.output());
    ensure!(tailer.output().contains("--max-runtime"), "{}", tailer.output());
    Ok(())
}

#[test]
fn a_server_that_takes_the_connection_and_says_nothing_keeps_nobody() -> Result<()> {
    let server = Server::without_worker(&[])?;
    let mut files = Journal::new("stalled", &["app.log"])?;
    files.write("app.log", &numbered("line", 5))?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let port = listener.local_addr()?.port().to_string();
    let held = std::sync::Mutex::new(Vec::new());
    ends_on_time(
        |more| {
            let mut command = Tailer::command(&server, &files.args(more))?;
            command.env("PGHOST", "127.0.0.1").env("PGPORT", &port);
            Ok(command)
        },
        || {
            let Ok((connection, _)) = listener.accept() else {
                return Ok(false);
            };
            held.lock().expect("no other thread").push(connection);
            Ok(true)
        },
    )
}

#[test]
fn a_query_that_does_not_come_back_keeps_nobody() -> Result<()> {
    let server = Server::without_worker(&[])?;
    let mut files = Journal::new("stalled", &["app.log"])?;
    files.write("app.log", &numbered("line", 5))?;
    let mut locker = server.client()?;
    let mut lock = locker.transaction()?;
    lock.batch_execute("LOCK TABLE logwatch.sources")?;
    // The backend of a tailer that is gone still waits for the lock: each tailer is one more.
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
    let tailers = std::cell::Cell::new(0);
    ends_on_time(
        |more| {
            tailers.set(server.sql(waiting)?.parse()?);
            Tailer::command(&server, &files.args(more))
        },
        || Ok(server.sql(waiting)?.parse::<usize>()? > tailers.get()),
    )?;
    // Their backends claim the source as soon as the lock is gone, but not after the tailer that
    // comes next.
    for _ in 0..3 {
        let before: usize = server.sql(waiting)?.parse()?;
        let mut tailer = files.follow(&server)?;
        wait_until(SOON, "the tailer to wait", || {
            Ok(server.sql(waiting)?.parse::<usize>()? > before)
        })?;
        tailer.kill()?;
    }
    let before: usize = server.sql(waiting)?.parse()?;
    let tailer = files.follow(&server)?;
    wait_until(SOON, "the last tailer to wait", || {
        Ok(server.sql(waiting)?.parse::<usize>()? > before)
    })?;
    drop(lock);
    files.wait(&server, SOON).with_context(|| tailer.output())?;
    server.wait_for_sql(SOON, waiting, "0")?;
    files.write("app.log", &numbered("later", 5))?;
    files.wait(&server, SOON).with_context(|| tailer.output())?;
    ensure!(tailer.output().is_empty(), "{}", tailer.output());
    drop(tailer);
    files.catch_up(&server)
}

#[test]
fn a_fifo_without_a_writer_keeps_nobody() -> Result<()> {
    let server = Server::without_worker(&[])?;
    let files = Journal::new("fifo", &["pipe"])?;
    let made = Command::new("mkfifo").arg(files.path("pipe")).status()?;
    ensure!(made.success(), "mkfifo ended with {made}");
    let mut tailer = Tailer::start(&server, &files.args(&["-v"]))?;
    wait_until(SOON, "the tailer to read", || {
        Ok(tailer.output().contains("attached"))
    })?;
    let (status, took) = tailer.terminate()?;
    ensure!(
        took < PROMPTLY && status.success(),
        "SIGTERM took {took:?}, {status}"
    );
    // With --once the FIFO is opened as any reader does: that waits for a writer.
    let mut tailer = Tailer::start(&server, &files.args(&["--once", "--max-runtime", "1"]))?;
    ensure!(tailer.wait(SOON)?.code() == Some(69), "{}", tailer.output());
    // A writer that writes nothing.
    let mut tailer = Tailer::start(&server, &files.args(&["--once", "--max-runtime", "2"]))?;
    let _writer = File::options().write(true).open(files.path("pipe"))?;
    let status = tailer.wait(SOON)?;
    ensure!(status.success(), "{status}: {}", tailer.output());
    Ok(())
}
