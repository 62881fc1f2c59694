//! The tailer's sign of life: how large its files are, which began with a truncation, what it
//! cannot read.
//!
//! Sent when something changed, at most every few seconds, and otherwise now and then. The answer
//! names the lines that rules expect by now. A role that may only attach and ingest gives a sign of
//! life without these.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use postgres::types::Type;

use super::database::{Database, path_text};
use crate::connect::Trouble;
use crate::timing::{BUSY_BEAT, QUIET_BEAT};
use crate::tracked::health::{FileHealth, Health};

const HEARTBEAT: &str = "SELECT {schema}.logwatch_heartbeat($1, $2, $3, $4, $5, $6, $7, $8)";
/// The heartbeat of a role that may only attach and ingest.
const SIGN_OF_LIFE: &str = "SELECT {schema}.logwatch_ingest($1, $2, NULL::bigint, NULL::text, NULL::bigint, NULL::bigint, NULL::bigint, \
     NULL::bigint, NULL::integer, NULL::bigint, NULL::integer, NULL::bigint, NULL::text[], NULL::integer[], NULL::text, NULL::text, NULL::text)";
/// Asked first: a refused call would be an ERROR in the server's log, which may be the very log
/// that is read here.
const MAY_BEAT: &str = "SELECT pg_catalog.has_function_privilege(p, 'EXECUTE') FROM pg_catalog.to_regprocedure( \
     '{schema}.logwatch_heartbeat(text,bigint,bigint[],bigint[],boolean[],text[],text[],text[])') AS p";

/// The state that was sent since the last attach.
#[derive(Default)]
pub struct Told {
    /// The privilege to call the function, once it was looked up.
    may: Option<bool>,
    /// When it was told last.
    at: Option<Instant>,
    looked: Option<Instant>,
    files: HashMap<i64, FileHealth>,
    errors: Vec<(std::path::PathBuf, String)>,
}

impl Database {
    /// Tells the database how the files stand if it is time to; `at_once`: if there is anything to
    /// tell.
    pub(super) fn beat(&mut self, at_once: bool, health: &dyn Fn() -> Health) -> Result<(), Trouble> {
        let age = |at: Option<Instant>| at.map_or(Duration::MAX, |at| at.elapsed());
        if !at_once && age(self.told.looked) < BUSY_BEAT {
            return Ok(());
        }
        if !self.may_beat()? {
            return self.sign_of_life();
        }
        self.told.looked = Some(Instant::now());
        let health = health();
        let news: Vec<FileHealth> = health
            .files
            .iter()
            .filter(|file| self.told.files.get(&file.id) != Some(file))
            .copied()
            .collect();
        let is_new = !news.is_empty() || health.errors != self.told.errors;
        if !at_once && !is_new && age(self.told.at) < QUIET_BEAT {
            return Ok(());
        }
        let is_other = self.send_health(&news, &health.errors)?;
        // The next heartbeat tells that they are kept from now on.
        self.told.at = (!is_other).then(Instant::now);
        self.told.files = health.files.iter().map(|file| (file.id, *file)).collect();
        self.told.errors = health.errors;
        Ok(())
    }

    fn may_beat(&mut self) -> Result<bool, Trouble> {
        if let Some(may) = self.told.may {
            return Ok(may);
        }
        let rows = self.call(MAY_BEAT, &[])?;
        let may = rows
            .first()
            .is_some_and(|row| row.get::<_, Option<bool>>(0) == Some(true));
        if !may {
            log::info!(
                "the role may not call logwatch_heartbeat: the database does not learn how large the files are, nor this tailer which lines new rules expect"
            );
        }
        self.told.may = Some(may);
        Ok(may)
    }

    fn send_health(
        &mut self,
        files: &[FileHealth],
        errors: &[(std::path::PathBuf, String)],
    ) -> Result<bool, Trouble> {
        let (source, epoch) = (self.source.name.clone(), self.epoch);
        let ids: Vec<i64> = files.iter().map(|file| file.id).collect();
        let sizes: Vec<Option<i64>> = files.iter().map(|file| file.size.map(u64::cast_signed)).collect();
        let truncated: Vec<bool> = files.iter().map(|file| file.truncated).collect();
        let paths: Vec<String> = errors.iter().map(|(path, _)| path_text(path)).collect();
        let texts: Vec<&str> = errors.iter().map(|(_, error)| error.as_str()).collect();
        let expected = self.expected.clone();
        let rows = self.call(
            HEARTBEAT,
            &[
                (&source, Type::TEXT),
                (&epoch, Type::INT8),
                (&ids, Type::INT8_ARRAY),
                (&sizes, Type::INT8_ARRAY),
                (&truncated, Type::BOOL_ARRAY),
                (&paths, Type::TEXT_ARRAY),
                (&texts, Type::TEXT_ARRAY),
                (&expected, Type::TEXT_ARRAY),
            ],
        )?;
        let answer = rows.first().and_then(|row| row.get::<_, Option<Vec<String>>>(0));
        Ok(answer.is_some_and(|expected| self.take_expected(expected)))
    }

    /// Takes the expressions of the lines that rules expect. Returns true if they are others than
    /// before.
    pub(super) fn take_expected(&mut self, expected: Vec<String>) -> bool {
        let is_other = self.expected != expected;
        if is_other {
            log::info!("rules expect lines that match {expected:?}");
            self.expected = expected;
            self.has_expected_news = true;
        }
        is_other
    }

    fn sign_of_life(&mut self) -> Result<(), Trouble> {
        if self.last_call.elapsed() < QUIET_BEAT {
            return Ok(());
        }
        let (source, epoch) = (self.source.name.clone(), self.epoch);
        self.call(SIGN_OF_LIFE, &[(&source, Type::TEXT), (&epoch, Type::INT8)])
            .map(|_| ())
    }
}
