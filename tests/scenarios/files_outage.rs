//! Outages around the tailer: it works without notifications of the file system, without a
//! database, without the right to store.

use std::fs;
use std::io::Write as _;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use logwatch_tests::journal::{Journal, numbered};
use logwatch_tests::server::{Server, Stop};
use logwatch_tests::tailer::Tailer;
use logwatch_tests::wait::{stays, wait_until};

use crate::SOON;

/// F18: notify off, as on a system that has none.
#[test]
fn without_inotify_every_line_is_stored_within_a_second() -> Result<()> {
    polling_is_enough(libc::SYS_inotify_init1, libc::ENOSYS)
}

/// F18: this user's watches are used up.
#[test]
fn without_a_free_watch_every_line_is_stored_within_a_second() -> Result<()> {
    polling_is_enough(libc::SYS_inotify_add_watch, libc::ENOSPC)
}

fn polling_is_enough(refused: libc::c_long, error: libc::c_int) -> Result<()> {
    let server = Server::without_worker(&[])?;
    let mut files = Journal::new("f18", &["app.log"])?;
    files.write("app.log", &["line 0"])?;
    let mut command = Tailer::command(&server, &files.args(&["-v"]))?;
    refuse(&mut command, refused, error);
    let tailer = Tailer::spawn(command)?;
    files.wait(&server, SOON)?;
    assert!(tailer.output().contains("polling only"), "{}", tailer.output());
    for n in 1..=10 {
        // The server's clock, read before the line is there: the row says when it came.
        let before = server.sql("SELECT clock_timestamp()")?;
        files.write("app.log", &[format!("line {n}")])?;
        files.wait(&server, SOON)?;
        let late = server.sql(&format!(
            "SELECT received_at - '{before}' FROM logwatch.entries \
             WHERE message = 'line {n}' AND received_at > timestamptz '{before}' + interval '1 second'"
        ))?;
        assert_eq!(late, "", "line {n} came late");
    }
    Ok(())
}

/// Makes the kernel answer one system call of the command with an error, for this process only.
fn refuse(command: &mut Command, call: libc::c_long, error: libc::c_int) {
    // The first word of struct seccomp_data is the call's number.
    let step = |code: u32, jump: (u8, u8), k: u32| libc::sock_filter {
        code: u16::try_from(code).expect("BPF codes have 16 bits"),
        jt: jump.0,
        jf: jump.1,
        k,
    };
    let number = u32::try_from(call).expect("the numbers of system calls are small");
    let answer = libc::SECCOMP_RET_ERRNO | u32::try_from(error).expect("error numbers are positive");
    let mut filter = [
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, (0, 0), 0),
        step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, (0, 1), number),
        step(libc::BPF_RET | libc::BPF_K, (0, 0), answer),
        step(libc::BPF_RET | libc::BPF_K, (0, 0), libc::SECCOMP_RET_ALLOW),
    ];
    // SAFETY: between fork and exec only prctl is called, which is async-signal-safe; the filter is
    // moved into the closure.
    unsafe {
        command.pre_exec(move || {
            let program = libc::sock_fprog {
                len: 4,
                filter: filter.as_mut_ptr(),
            };
            let ready = libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
                && libc::prctl(
                    libc::PR_SET_SECCOMP,
                    libc::SECCOMP_MODE_FILTER,
                    &raw const program,
                ) == 0;
            ready.then_some(()).ok_or_else(std::io::Error::last_os_error)
        });
    }
}

/// F20
#[test]
fn six_rotations_while_the_database_is_down_lose_nothing_and_pile_nothing_up() -> Result<()> {
    const MEMORY: u64 = 64 * 1024 * 1024;
    let mut server = Server::without_worker(&[])?;
    let mut files = Journal::new("f20", &["app.log"])?;
    files.write("app.log", &numbered("before", 50))?;
    let mut tailer = files.follow(&server)?;
    files.wait(&server, SOON)?;
    let open_before = tailer.open_files()?;
    server.stop(Stop::Fast)?;
    for round in 0..6 {
        files.write("app.log", &numbered(&format!("round {round}"), 500))?;
        files.shift("app.log")?;
        files.rename("app.log", "app.log.1")?;
        let mut writer = files.open("app.log")?;
        files.write_to(&mut writer, &[format!("first of the file after round {round}")])?;
        writer.flush()?;
        // Long enough that the names are looked up.
        stays(Duration::from_millis(1100), "the tailer waits", || {
            Ok(tailer.exited()?.is_none())
        })?;
        if round % 2 == 1 {
            files.gzip("app.log.2")?;
        }
    }
    let (open, memory) = (tailer.open_files()?, tailer.peak_memory()?);
    assert!(open <= open_before + 8, "{open} open files, {open_before} before");
    assert!(memory < MEMORY, "{memory} bytes of memory");
    server.start()?;
    files.wait(&server, SOON)?;
    assert_eq!(files.gaps(&server)?, Vec::<String>::new());
    Ok(())
}

/// F4 and F20: the file is copied and truncated, once or more often, and looked at in between or
/// not.
#[test]
fn copytruncate_while_the_database_is_down_loses_nothing_and_repeats_nothing() -> Result<()> {
    let mut server = Server::without_worker(&[])?;
    for (case, (input, rotations, looked)) in [
        ("app.log", 1, true),
        ("app.log", 2, true),
        ("app.log", 3, true),
        ("app.log", 1, false),
        ("app.log", 2, false),
        ("app.log*", 2, true),
        ("app.log*", 2, false),
    ]
    .into_iter()
    .enumerate()
    {
        let mut files = Journal::new(&format!("outage {case}"), &[input])?;
        files.write("app.log", &numbered("before", 50))?;
        let tailer = Tailer::start(&server, &files.args(&["-v"]))?;
        files.wait(&server, SOON)?;
        server.stop(Stop::Fast)?;
        files.write("app.log", &numbered("not stored", 50))?;
        wait_until(SOON, "the outage to be noticed", || {
            Ok(tailer.output().contains("trying again"))
        })?;
        for round in 1..=rotations {
            files.write("app.log", &numbered(&format!("round {round}"), 50 * round))?;
            files.shift("app.log")?;
            files.copy_and_truncate("app.log", "app.log.1")?;
            if looked {
                wait_until(SOON, "the rotation to be noticed", || {
                    let said = tailer.output();
                    let copied = said.matches("its copy is").count();
                    let new = said.matches("rotated before it was seen").count()
                        + said.matches("new, reading from byte 0").count()
                        - 1;
                    Ok(copied + new >= round)
                })
                .with_context(|| tailer.output())?;
            }
        }
        files.write("app.log", &numbered("last", 5))?;
        server.start()?;
        files.wait(&server, SOON).with_context(|| tailer.output())?;
        assert_eq!(files.gaps(&server)?, Vec::<String>::new(), "{}", tailer.output());
        drop(tailer);
        files.catch_up(&server)?;
    }
    Ok(())
}

/// F4 and F20: the copy lacks lines that the tailer had read and could not store.
#[test]
fn what_a_copy_lacks_is_a_gap_and_the_rest_of_it_is_read() -> Result<()> {
    let mut server = Server::without_worker(&[])?;
    let mut files = Journal::new("outage", &["app.log"])?;
    files.write("app.log", &numbered("before", 50))?;
    let tailer = Tailer::start(&server, &files.args(&["-v"]))?;
    files.wait(&server, SOON)?;
    server.stop(Stop::Fast)?;
    files.write("app.log", &numbered("not stored", 50))?;
    wait_until(SOON, "the outage to be noticed", || {
        Ok(tailer.output().contains("trying again"))
    })?;
    let text = fs::read_to_string(files.path("app.log"))?;
    let copied: String = text.split_inclusive('\n').take(70).collect();
    fs::write(files.path("app.log.1"), copied)?;
    files.truncate("app.log")?;
    for lost in &numbered("not stored", 50)[20..] {
        files.unexpect(lost);
    }
    files.write("app.log", &numbered("last", 5))?;
    server.start()?;
    files.wait(&server, SOON).with_context(|| tailer.output())?;
    wait_until(SOON, "the gap", || Ok(!files.gaps(&server)?.is_empty())).with_context(|| tailer.output())?;
    drop(tailer);
    files.catch_up(&server)?;
    let bytes = "SELECT to_byte - from_byte FROM logwatch.gaps WHERE source_id = {id}";
    let lost: usize = text.split_inclusive('\n').skip(70).map(str::len).sum();
    assert_eq!(files.sql(&server, bytes)?, lost.to_string());
    Ok(())
}

/// F20: as many rotations as there are in ten minutes, or with LOGWATCH_OUTAGE_SECONDS those
/// minutes themselves. The tailer holds so many renamed files open that the oldest may be deleted,
/// and says which of the others were deleted before it could read them.
#[test]
fn a_hundred_rotations_while_the_database_is_down_leave_files_and_memory_bounded() -> Result<()> {
    const ROTATIONS: u32 = 100;
    const MEMORY: u64 = 64 * 1024 * 1024;
    let pause = match std::env::var("LOGWATCH_OUTAGE_SECONDS") {
        Ok(seconds) => Duration::from_secs(seconds.parse()?) / ROTATIONS,
        Err(_) => Duration::ZERO,
    };
    let mut server = Server::without_worker(&[])?;
    let mut files = Journal::new("f20", &["app.log"])?;
    files.write("app.log", &numbered("before", 50))?;
    let mut tailer = Tailer::start(&server, &files.args(&["-v"]))?;
    files.wait(&server, SOON)?;
    let open_before = tailer.open_files()?;
    server.stop(Stop::Fast)?;
    for round in 0..ROTATIONS {
        files.write("app.log", &[format!("only line of file {round}")])?;
        files.shift("app.log")?;
        files.rename("app.log", "app.log.1")?;
        stays(pause, "the tailer waits", || Ok(tailer.exited()?.is_none()))?;
    }
    files.write("app.log", &numbered("live", 50))?;
    wait_until(SOON, "all files to be seen", || {
        Ok(tailer.output().matches("left for later").count() >= 36)
    })?;
    // The oldest have long been opened, the newest have not.
    for n in 91..=100 {
        fs::remove_file(files.path(&format!("app.log.{n}")))?;
    }
    for n in 1..=5 {
        fs::remove_file(files.path(&format!("app.log.{n}")))?;
        files.unexpect(&format!("only line of file {}", 100 - n));
    }
    wait_until(SOON, "the loss to be noticed", || {
        Ok(tailer
            .output()
            .matches("was deleted before it could be read")
            .count()
            == 5)
    })
    .with_context(|| tailer.output())?;
    let (open, memory) = (tailer.open_files()?, tailer.peak_memory()?);
    assert!(
        open <= open_before + 70,
        "{open} open files, {open_before} before"
    );
    assert!(memory < MEMORY, "{memory} bytes of memory");
    server.start()?;
    files.wait(&server, SOON * 2)?;
    assert_eq!(files.gaps(&server)?, ["removed"; 5]);
    Ok(())
}

/// F22. The tailer's own failed calls are lines of the log that it reads.
#[test]
fn the_log_of_the_database_itself_does_not_feed_back() -> Result<()> {
    let server = Server::without_worker(&[])?;
    let log = server
        .log_path()
        .into_os_string()
        .into_string()
        .expect("a temporary path is UTF-8");
    server.sql("CREATE ROLE feeder LOGIN")?;
    server.sql_error("SELECT 1/0")?;
    let routines = "ROUTINE logwatch_attach(text, text, text, text), logwatch_ingest(text, bigint, bigint, text, bigint, bigint, bigint, \
         bigint, integer, bigint, integer, bigint, text[], integer[], text, text, text), \
         logwatch_ingest_range(text, bigint, bigint, text, bigint, bigint, bigint, bigint, integer, bigint, integer, bigint, \
         text[], integer[], text, text, text)";
    server.sql(&format!("GRANT EXECUTE ON {routines} TO feeder"))?;
    let start = || -> Result<Tailer> {
        let mut command = Tailer::command(&server, &["--source", "server", "--tz", "UTC", &log])?;
        command.env("PGUSER", "feeder");
        Tailer::spawn(command)
    };
    let mut tailer = start()?;
    server.wait_for_sql(
        SOON,
        "SELECT count(*) FROM logwatch.entries WHERE message LIKE '%division by zero'",
        "1",
    )?;
    // The right goes away under the running tailer, and something keeps starting it again.
    server.sql(&format!("REVOKE EXECUTE ON {routines} FROM feeder"))?;
    server.sql_error("SELECT 2/0")?;
    let mut starts = 0;
    for _ in 0..5 {
        assert_eq!(tailer.wait(SOON)?.code(), Some(77), "{}", tailer.output());
        tailer = start()?;
        starts += 1;
    }
    tailer.wait(SOON)?;
    let refusals = server.log().matches("permission denied for function").count();
    assert!(
        refusals <= starts + 1,
        "{refusals} refusals in the log after {starts} starts:\n{}",
        server.log()
    );
    let size = server.log().len();
    stays(Duration::from_secs(1), "the log's size", || {
        Ok(server.log().len() == size)
    })?;
    // With the right back the refusals are read, once, and reading them makes no further ones.
    server.sql(&format!("GRANT EXECUTE ON {routines} TO feeder"))?;
    let tailer = start()?;
    server.wait_for_sql(
        SOON,
        "SELECT count(*) FROM logwatch.entries WHERE message LIKE '%division by zero'",
        "2",
    )?;
    wait_until(SOON, "the log to be read", || {
        let read: u64 = server.sql("SELECT max(next_byte) FROM logwatch.files")?.parse()?;
        Ok(read == fs::metadata(&log)?.len())
    })?;
    let stored: usize = server
        .sql("SELECT count(*) FROM logwatch.entries WHERE message LIKE '%permission denied for function%'")?
        .parse()?;
    assert!(stored <= refusals, "{stored} rows of {refusals} refusals");
    for line in server.log().lines() {
        assert!(
            line.matches("ERROR:  ").count() <= 1,
            "a line within a line: {line}"
        );
    }
    drop(tailer);
    Ok(())
}
