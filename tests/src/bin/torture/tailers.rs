//! The tailers of a round, one for each source, connected through the network that can fail.

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use logwatch_tests::server::Server;
use logwatch_tests::tailer::Tailer;
use logwatch_tests::wait::wait_for;

use crate::stage::{SOON, Stage};

struct Slot {
    args: Vec<OsString>,
    tailer: Option<Tailer>,
    /// The output of earlier tailers.
    said: String,
}

pub struct Tailers {
    slots: Vec<Slot>,
    port: u16,
}

impl Tailers {
    /// Starts a tailer for each list of arguments.
    pub fn start(stage: &Stage, args: Vec<Vec<OsString>>) -> Result<Tailers> {
        let mut tailers = Tailers {
            slots: args
                .into_iter()
                .map(|args| Slot {
                    args,
                    tailer: None,
                    said: String::new(),
                })
                .collect(),
            port: stage.network.port(),
        };
        tailers.start_missing(&stage.server)?;
        Ok(tailers)
    }

    /// Starts those that do not run. One that has ended by itself is a fault: no trouble of these
    /// rounds may end a tailer.
    pub fn start_missing(&mut self, server: &Server) -> Result<()> {
        for slot in &mut self.slots {
            if let Some(tailer) = &mut slot.tailer {
                let ended = tailer.exited()?;
                anyhow::ensure!(
                    ended.is_none(),
                    "a tailer has ended by itself: {ended:?}, {}",
                    tailer.output()
                );
                continue;
            }
            let mut command = Tailer::command(server, &slot.args)?;
            command
                .env("PGHOST", "127.0.0.1")
                .env("PGPORT", self.port.to_string());
            slot.tailer = Some(Tailer::spawn(command)?);
        }
        Ok(())
    }

    /// kill -9 of all; returns how they ended.
    pub fn kill(&mut self) -> Result<String> {
        let mut ends = Vec::new();
        for slot in &mut self.slots {
            if let Some(mut tailer) = slot.tailer.take() {
                slot.said += &tailer.output();
                let status = tailer.kill()?;
                ensure!(status.signal() == Some(libc::SIGKILL), "a tailer: {status}");
                ends.push(format!("a tailer: {status}"));
            }
        }
        Ok(ends.join(", "))
    }

    /// SIGTERM to all, which must leave promptly and in good order. A busy machine may need
    /// seconds; a tailer that waits for the database would take a minute.
    pub fn stop(&mut self) -> Result<()> {
        for slot in &mut self.slots {
            if let Some(mut tailer) = slot.tailer.take() {
                let (status, took) = tailer.terminate()?;
                slot.said += &tailer.output();
                anyhow::ensure!(
                    status.success() && took < Duration::from_secs(15),
                    "SIGTERM: {status} after {took:?}, {}",
                    slot.said
                );
            }
        }
        Ok(())
    }

    /// All that they have said so far.
    pub fn said(&self) -> String {
        let all = self.slots.iter().map(|slot| {
            let now = slot.tailer.as_ref().map(Tailer::output).unwrap_or_default();
            format!("{}{now}", slot.said)
        });
        all.collect()
    }

    /// Waits until one of them prints `words`; returns the line.
    pub fn wait_for_words(&self, words: &str) -> Result<String> {
        self.wait_for_one_of(&[words])
    }

    pub fn wait_for_one_of(&self, words: &[&str]) -> Result<String> {
        wait_for(SOON, &format!("a tailer to print one of {words:?}"), || {
            let said = self.said();
            let line = said
                .lines()
                .find(|line| words.iter().any(|words| line.contains(words)));
            Ok(line.map(|line| line.replacen("logwatch-tailer: ", "tailer: ", 1)))
        })
        .with_context(|| format!("the tailers have printed:\n{}", self.said()))
    }
}
