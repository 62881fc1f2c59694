//! Whether a claim is on disk: until then nothing of its notifications may leave.
//!
//! A conversation with a mail server may begin while the claiming transaction is written to disk. A
//! crash in between repeats the notification, which is harmless only as long as the server has got
//! none of it.

use std::sync::{Arc, OnceLock};

/// Given to all notifications of a claim.
#[derive(Clone, Debug, Default)]
pub struct Claim(Arc<OnceLock<bool>>);

impl Claim {
    /// Returns a claim that nobody waits for: it is on disk, or of what is in no table.
    pub fn on_disk() -> Self {
        Self(Arc::new(OnceLock::from(true)))
    }

    /// Waits for the end of the claiming transaction; false when the claim was undone.
    pub fn holds(&self) -> bool {
        *self.0.wait()
    }

    /// Whether both are of one transaction.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// A claim whose transaction is open: without `committed` it is undone.
#[derive(Default)]
pub struct Claiming(Claim);

impl Claiming {
    pub fn claim(&self) -> Claim {
        self.0.clone()
    }

    /// Says that the transaction is on disk.
    pub fn committed(self) {
        let _ = self.0.0.set(true);
    }
}

impl Drop for Claiming {
    fn drop(&mut self) {
        let _ = self.0.0.set(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_holds_once_it_is_committed_and_else_is_undone() {
        let claiming = Claiming::default();
        let claim = claiming.claim();
        let waiting = std::thread::spawn({
            let claim = claim.clone();
            move || claim.holds()
        });
        claiming.committed();
        assert!(waiting.join().unwrap() && claim.holds());
        let undone = Claiming::default().claim();
        assert!(!undone.holds());
    }
}
