//! The dead man's switch: requests `logwatch.heartbeat_url` while checks run, so that a service
//! elsewhere raises an alarm when the requests stop.
//!
//! The request runs in a thread that never calls PostgreSQL. No error holds the URL, which is
//! often a secret.

use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::{Duration, Instant};

use crate::channel::{explain, http_agent};
use crate::worker::log_change;
use crate::worker_error::{self, Subject};
use crate::{sender, settings};

/// A tick that comes this much early still sends the request of its interval.
const EARLY: Duration = Duration::from_millis(200);

#[derive(Default)]
pub struct Heartbeat {
    began: Option<Instant>,
    under_way: Option<Receiver<Result<(), String>>>,
    /// The last line about it in the server log.
    logged: Option<String>,
}

impl Heartbeat {
    /// Reports the result of the last request, and starts the next one after a tick in which all
    /// went well.
    pub fn follow(&mut self, all_well: bool) {
        let mut result = self.result();
        if all_well {
            result = self.beat().err().map(Err).or(result);
        }
        // Until the next result the last one holds.
        if let Some(result) = result {
            let error = result.err();
            worker_error::set(Subject::Heartbeat, error.as_deref());
            let error = error.map(|why| format!("the heartbeat failed: {why}"));
            log_change(&mut self.logged, error);
        }
    }

    /// Starts a request, unless one is under way or the last one is younger than a check interval.
    fn beat(&mut self) -> Result<(), String> {
        let Some(url) = settings::heartbeat_url() else {
            return Ok(());
        };
        let url = url.map_err(|why| why.to_string())?;
        let interval = settings::check_interval();
        if self.under_way.is_some() || self.began.is_some_and(|at| at.elapsed() + EARLY < interval) {
            return Ok(());
        }
        self.began = Some(Instant::now());
        let timeout = settings::network_timeout();
        let (report, result) = channel();
        sender::spawn("logwatch heartbeat", move || {
            // The worker ends without waiting for the result.
            let _ = report.send(request(&url, timeout));
        })
        .map_err(|why| format!("cannot start a thread: {why}"))?;
        self.under_way = Some(result);
        Ok(())
    }

    /// Returns the result of the last request when it has just ended.
    fn result(&mut self) -> Option<Result<(), String>> {
        let result = match self.under_way.as_ref()?.try_recv() {
            Ok(result) => result,
            Err(TryRecvError::Empty) => return None,
            Err(TryRecvError::Disconnected) => Err("the request was interrupted".to_owned()),
        };
        self.under_way = None;
        Some(result)
    }
}

/// Makes the request.
fn request(url: &str, timeout: Duration) -> Result<(), String> {
    let response = http_agent(url, None, timeout)?
        .get(url)
        .call()
        .map_err(|why| explain(&why, timeout))?;
    match response.status().as_u16() {
        200..=299 => Ok(()),
        code => Err(format!("its server replied {code}")),
    }
}
