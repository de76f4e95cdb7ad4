//! What a stage did, reported once per answer.

use std::time::{Duration, Instant};

use crate::hook::Hook;
use crate::observer::HookResult;
use crate::worker::Worker;

/// One parcel in so many is timed, because a clock costs more than most hooks.
const TIMED_EVERY: u64 = 64;

/// The figures of one stage.
pub(super) struct Tally {
    pub(super) calls: u64,
    pub(super) edits: u64,
    /// How long text was held.
    pub(super) held: Duration,
    pub(super) result: HookResult,
    /// The hook that failed, if one did.
    pub(super) failed_in: Option<Hook>,
    /// Since when text is held.
    holds_since: Option<Instant>,
    parcels: u64,
    /// How many of them were timed, and their time.
    timed: u64,
    took: Duration,
}

impl Tally {
    pub(super) fn new() -> Self {
        Self {
            calls: 0,
            edits: 0,
            held: Duration::ZERO,
            result: HookResult::Passed,
            failed_in: None,
            holds_since: None,
            parcels: 0,
            timed: 0,
            took: Duration::ZERO,
        }
    }

    /// When a parcel comes in: the time, if this one is timed.
    pub(super) fn begin(&mut self, worker: &Worker) -> Option<Instant> {
        let is_timed = self.parcels.is_multiple_of(TIMED_EVERY);
        self.parcels += 1;
        is_timed.then(|| worker.clock.now())
    }

    /// When a timed parcel is through.
    pub(super) fn end(&mut self, began: Option<Instant>, worker: &Worker) {
        if let Some(began) = began {
            self.timed += 1;
            self.took += worker.clock.now().saturating_duration_since(began);
        }
    }

    /// Reads the clock only where holding begins or ends.
    pub(super) fn time_what_is_held(&mut self, holds: bool, worker: &Worker) {
        match self.holds_since {
            None if holds => self.holds_since = Some(worker.clock.now()),
            Some(since) if !holds => {
                self.held += worker.clock.now().saturating_duration_since(since);
                self.holds_since = None;
            }
            _ => {}
        }
    }

    /// The time of all parcels, from those that were timed.
    pub(super) fn time(&self) -> Duration {
        let ratio = self.parcels.checked_div(self.timed).unwrap_or(1);
        self.took.saturating_mul(u32::try_from(ratio).unwrap_or(u32::MAX))
    }
}
