//! A server whose clock is wrong for a while: an hour or a day ahead or behind, then right again.
//! The library libfaketime shows it that clock; what writes the logs is on the same machine and has
//! it too.
//!
//! Each round has a server of its own. A round counts only when the worker has seen each clock: its
//! checks have the times of it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use jiff::SignedDuration;
use logwatch_tests::process::signal_pid;
use logwatch_tests::server::Server;
use logwatch_tests::wait::wait_until;

use crate::faults::Observed;
use crate::judge::{self, Verdict};
use crate::plan::{Plan, Record};
use crate::round::{Names, Written};
use crate::stage::{SOON, Stage};
use crate::tailers::Tailers;

const LIBRARIES: [&str; 2] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
];

/// Records of each time.
const RECORDS: usize = 40;

/// Debian's library, where its package is installed.
pub fn library() -> Option<&'static Path> {
    LIBRARIES.iter().map(Path::new).find(|path| path.exists())
}

/// The clock that a server sees.
struct Clock {
    file: PathBuf,
}

impl Clock {
    /// Sets the clock. Returns the time as the worker's next check has it.
    fn show(&self, server: &Server, hours: i64) -> Result<String> {
        // As a whole, so that nobody reads half of it.
        let new = self.file.with_extension("new");
        fs::write(&new, format!("{:+}\n", hours * 3600))?;
        fs::rename(&new, &self.file)?;
        for (who, time) in [("a session", "clock_timestamp()"), ("the worker", "checked_at")] {
            let query = format!("SELECT extract(epoch FROM {time}) FROM logwatch.progress");
            let mut seen = 0.0;
            wait_until(SOON, &format!("{who} to see the clock {hours:+} h away"), || {
                seen = server.sql(&query)?.parse()?;
                let now = jiff::Timestamp::now().as_second() as f64 + (hours * 3600) as f64;
                Ok((seen - now).abs() < 60.0)
            })
            .with_context(|| format!("it is at {seen}"))?;
        }
        server.sql("SELECT to_char(checked_at, 'YYYY-MM-DD HH24:MI:SS') FROM logwatch.progress")
    }
}

/// PostgreSQL 15 starts its first worker in a signal handler, within a call that libfaketime has
/// replaced: in that process the library stays off. The next worker sees the clock.
fn restart_worker(server: &Server) -> Result<()> {
    let first = server.wait_for_worker(SOON, None)?;
    signal_pid(first, libc::SIGTERM);
    server.wait_for_worker(SOON, Some(first))?;
    Ok(())
}

/// Right, wrong, right again; what is said of it is the last alert.
pub fn play(plan: &Plan, verdict: &mut Verdict) -> Result<()> {
    let library = library().context("libfaketime is not installed")?;
    let mut random = plan.random();
    let wrong = [-24, -1, 1, 24][random.usize(..4)];
    let names = Names::new(plan.seed);
    let mut stage = Stage::prepared(false)?;
    let clock = Clock {
        file: stage.server.write_file("clock", "+0\n")?,
    };
    stage.server.show_clock(library, &clock.file);
    stage.begin()?;
    restart_worker(&stage.server)?;

    let mut source = Written::new(&format!("{}.0", names.round), random.fork())?;
    let first: Vec<Record> = vec![Record::plain(0)];
    source.write(&first, SignedDuration::ZERO)?;
    let mut tailers = Tailers::start(&stage, vec![source.journal.args(&["--tz", "UTC"])])?;
    insert_rule(&stage, &names, "always")?;
    // The tailer lives all the time. The rule also makes idle checks note their times.
    stage.server.client()?.execute(
        "INSERT INTO logwatch.rules (name, kind, source, within, recipients) VALUES ($1, 'absence', $2, '1 minute', $3)",
        &[&names.silence, &format!("{}.*", names.round), &names.recipients.to_vec()],
    )?;
    let mut seen = Vec::new();
    let mut report = String::new();
    for (phase, hours) in [0, wrong, 0].into_iter().enumerate() {
        seen.push(clock.show(&stage.server, hours)?);
        let rule = insert_rule(&stage, &names, &format!("phase {phase}"))?;
        let record = Record {
            elsewhen: true,
            ..Record::plain(0)
        };
        source.write(&[record; RECORDS], SignedDuration::from_hours(hours))?;
        let expected = source.journal.len();
        wait_until(SOON, &format!("{expected} records"), || {
            Ok(judge::stored(&stage, &names)? >= expected)
        })
        .with_context(|| tailers.said())?;
        announced(&stage, &names, &rule).with_context(|| format!("with the clock {hours:+} h away"))?;
        report = stage.wait_for_status("rule", &rule, "firing", "")?;
        stage.wait_for_status("worker", "worker", "running", "")?;
        verdict.alerts += 1;
        verdict.mails += names.recipients.len();
    }
    let silent = stage.server.sql(&format!(
        "SELECT count(*) FROM logwatch.alerts WHERE rule = '{}'",
        names.silence
    ))?;
    let effect = format!("the worker checked at {}", seen.join(", "));
    verdict.observed = Some(Observed { effect, report });
    ensure!(silent == "0", "a living source was called absent {silent} times");
    tailers.stop()?;
    source.journal.once(&stage.server)?;
    verdict.records = source.journal.len();
    judge::compare_records(&stage, std::slice::from_ref(&source), verdict)
}

fn insert_rule(stage: &Stage, names: &Names, what: &str) -> Result<String> {
    let name = format!("{} {what}", names.round);
    stage.server.client()?.execute(
        "INSERT INTO logwatch.rules (name, source, recipients, channels) VALUES ($1, $2, $3, '{email,log}')",
        &[&name, &format!("{}.*", names.round), &names.recipients.to_vec()],
    )?;
    Ok(name)
}

/// Waits until all recipients have a mail about the alert of this rule.
fn announced(stage: &Stage, names: &Names, rule: &str) -> Result<()> {
    wait_until(SOON, &format!("mails about {rule}"), || {
        let told: BTreeSet<String> = stage
            .mail
            .mails()
            .into_iter()
            // A mail about several alerts has one of them in its subject.
            .filter(|mail| mail.text().contains(rule))
            .flat_map(|mail| mail.to)
            .collect();
        Ok(names.recipients.iter().all(|to| told.contains(to)))
    })
}
