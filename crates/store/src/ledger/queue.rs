//! The bounded queue between those who append records and the writer's thread.
//!
//! Owns the record of what waits and what the file's state is, so that an append needs one short
//! lock and, only when the writer sleeps without a deadline, one wake-up.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gatewright::record::UsageRecord;
use parking_lot::{Condvar, Mutex, MutexGuard};
use tokio::sync::watch;

use super::courier::Wakes;
use super::encode::GROUP_MAX;
use super::error::{Fault, FlushError, LedgerError};
use super::receipt::{Pending, Receipt};
use super::stats::LedgerStats;

/// With this many records, most of what a larger group would save is saved: such a group is not
/// held back.
const GROUP_ENOUGH: usize = 16;

/// See the module.
#[derive(Debug)]
pub(super) struct Queue {
    capacity: usize,
    state: Mutex<State>,
    /// Tells the writer that there is something to do before its deadline, if it has one.
    work: Condvar,
    /// How many records are settled, in the order in which they were appended.
    settled: watch::Sender<u64>,
}

/// Invariant: `outstanding` counts `waiting` and the group that the writer holds.
#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Arc<Pending>>,
    outstanding: usize,
    appended: u64,
    fault: Option<Fault>,
    /// The writer waits until something is appended.
    idle: bool,
    /// Somebody waits for everything to be written.
    hurried: bool,
    closed: bool,
    stats: LedgerStats,
}

/// What a writer does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Write the group.
    Write,
    /// Nothing is queued and nothing will be.
    End,
}

impl Queue {
    pub(super) fn new(capacity: usize) -> Self {
        Self { capacity, state: Mutex::default(), work: Condvar::new(), settled: watch::Sender::new(0) }
    }

    // === For those who append ===

    pub(super) fn append(&self, record: UsageRecord) -> Receipt {
        let pending = Arc::new(Pending::new(record));
        let mut state = self.state.lock();
        if state.closed {
            state.stats.lost += 1;
            return Receipt::not_taken(LedgerError::Closed);
        }
        if state.outstanding >= self.capacity {
            state.stats.refused_full += 1;
            return Receipt::not_taken(LedgerError::Full { queue_max: self.capacity });
        }
        if let Some(fault) = state.fault {
            pending.delay(fault);
        }
        state.waiting.push_back(Arc::clone(&pending));
        state.outstanding += 1;
        state.appended += 1;
        let wake = std::mem::take(&mut state.idle) || state.waiting.len() == GROUP_ENOUGH;
        drop(state);
        if wake {
            self.work.notify_one();
        }
        Receipt::queued(pending)
    }

    pub(super) async fn flush(&self, within: Duration) -> Result<(), FlushError> {
        let mut settled = self.settled.subscribe();
        let target = {
            let mut state = self.state.lock();
            state.hurried = state.outstanding > 0;
            state.appended
        };
        self.work.notify_one();
        let done = settled.wait_for(|settled| *settled >= target);
        match tokio::time::timeout(within, done).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(FlushError { left: target.saturating_sub(*self.settled.borrow()) }),
        }
    }

    pub(super) fn close(&self) {
        self.state.lock().closed = true;
        self.work.notify_one();
    }

    pub(super) fn is_writable(&self) -> bool {
        let state = self.state.lock();
        state.fault.is_none() && !state.closed && state.outstanding < self.capacity
    }

    pub(super) fn stats(&self) -> LedgerStats {
        let state = self.state.lock();
        LedgerStats { queued: state.outstanding, ..state.stats }
    }

    // === For the writer ===

    /// Waits for records and, while they are few and nobody hurries, for `not_before`; then moves
    /// what is queued into `group`, which is empty.
    pub(super) fn next_group(&self, not_before: Option<Instant>, group: &mut Vec<Arc<Pending>>) -> Next {
        let mut state = self.state.lock();
        while state.waiting.is_empty() {
            if state.closed {
                return Next::End;
            }
            state.hurried = false;
            state.idle = true;
            self.work.wait(&mut state);
        }
        state.idle = false;
        if let Some(not_before) = not_before {
            self.pause(&mut state, not_before, GROUP_ENOUGH);
        }
        let count = state.waiting.len().min(GROUP_MAX);
        group.extend(state.waiting.drain(..count));
        Next::Write
    }

    /// Waits before trying again, unless somebody hurries. Returns whether to try again: a closed
    /// ledger tries no more.
    pub(super) fn wait_for_retry(&self, until: Instant) -> bool {
        let mut state = self.state.lock();
        self.pause(&mut state, until, usize::MAX);
        // One hurry is worth one attempt, or a hurried writer would try without rest.
        state.hurried = false;
        !state.closed
    }

    /// Waits until a moment, unless somebody hurries, the ledger is closed or `enough` wait.
    fn pause(&self, state: &mut MutexGuard<'_, State>, until: Instant, enough: usize) {
        while !state.hurried && !state.closed && state.waiting.len() < enough {
            if self.work.wait_until(state, until).timed_out() {
                return;
            }
        }
    }

    /// Notes that a group is in the file, and tells those who wait for it.
    pub(super) fn written(&self, group: &mut Vec<Arc<Pending>>, took: Duration) {
        let count = group.len();
        {
            let mut state = self.state.lock();
            state.fault = None;
            state.outstanding = state.outstanding.saturating_sub(count);
            state.stats.written += count as u64;
            state.stats.groups += 1;
            state.stats.last_commit = took;
        }
        self.tell(group.drain(..), Ok(()));
        self.count_settled(count);
    }

    /// Notes that the file takes nothing at the moment. Everything stays queued, and those who
    /// wait learn it now.
    pub(super) fn failed(&self, fault: Fault, mut group: Vec<Arc<Pending>>) {
        {
            let mut state = self.state.lock();
            state.fault = Some(fault);
            state.stats.failed_attempts += 1;
            group.extend(state.waiting.iter().map(Arc::clone));
        }
        self.tell(group, Err(LedgerError::Delayed(fault)));
    }

    /// Gives up a record that the database refuses.
    pub(super) fn refused(&self, pending: &Arc<Pending>) {
        {
            let mut state = self.state.lock();
            state.outstanding = state.outstanding.saturating_sub(1);
            state.stats.lost += 1;
        }
        self.tell([Arc::clone(pending)], Err(LedgerError::Refused));
        self.count_settled(1);
    }

    pub(super) fn count_set_aside(&self) {
        self.state.lock().stats.set_aside += 1;
    }

    /// Ends the queue: what is still in it, and in the writer's hands, is not written.
    /// Returns how many records that are.
    pub(super) fn abandon(&self, group: &mut Vec<Arc<Pending>>) -> usize {
        {
            let mut state = self.state.lock();
            state.closed = true;
            group.extend(state.waiting.drain(..));
            state.outstanding = 0;
            state.stats.lost += group.len() as u64;
        }
        let count = group.len();
        self.tell(group.drain(..), Err(LedgerError::Closed));
        count
    }

    fn tell(&self, settled: impl IntoIterator<Item = Arc<Pending>>, outcome: Result<(), LedgerError>) {
        let mut wakes = Wakes::default();
        for pending in settled {
            pending.settle(outcome, &mut wakes);
        }
    }

    fn count_settled(&self, count: usize) {
        self.settled.send_modify(|settled| *settled += count as u64);
    }
}
