//! Figures of a ledger.

use std::time::Duration;

/// What a ledger has done so far and how it stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LedgerStats {
    /// Records that wait to be written.
    pub queued: usize,
    /// Records that were acknowledged as written.
    pub written: u64,
    /// Groups that were committed.
    pub groups: u64,
    /// Attempts to write a group that failed.
    pub failed_attempts: u64,
    /// Records that were not taken because the queue was full.
    pub refused_full: u64,
    /// Records that were given up: the database refused them, or the ledger was closed before
    /// the file took them.
    pub lost: u64,
    /// Files that were damaged and were set aside.
    pub set_aside: u64,
    /// How long the last successful commit took.
    pub last_commit: Duration,
}
