//! The waker between a connection and the task that drives it at the moment.
//!
//! hyper's connection and its request and body handles wake each other. All of them are polled
//! by one task here, so that such a wake would only schedule that task once more for nothing.
//! The relay holds wakes back while the task polls and passes on the later ones. It also stays
//! the same waker while the connection moves from task to task, which spares re-registering.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Wake, Waker};

use parking_lot::Mutex;

/// Something asked for a wake since the last poll began.
const WOKEN: u8 = 0b01;
/// Wakes go on to the task.
const FORWARDING: u8 = 0b10;

/// Invariant: while not forwarding, a wake is remembered as `WOKEN` and nothing else happens.
#[derive(Debug)]
pub(crate) struct Relay {
    state: AtomicU8,
    task: Mutex<Waker>,
}

impl Relay {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { state: AtomicU8::new(0), task: Mutex::new(Waker::noop().clone()) })
    }

    /// Whether the last poll was pending for this task and nothing has happened since, so that
    /// polling again would change nothing.
    pub(crate) fn is_quiet_for(&self, task: &Waker) -> bool {
        self.state.load(Ordering::Acquire) == FORWARDING && self.task.lock().will_wake(task)
    }

    /// Begins a poll: wakes are held back and those of the past are answered by this poll.
    pub(crate) fn hold(&self) {
        self.state.store(0, Ordering::Release);
    }

    /// Ends a poll that is pending: later wakes go to `task`, and so does one that was held back.
    pub(crate) fn forward(&self, task: &Waker) {
        {
            let mut current = self.task.lock();
            if !current.will_wake(task) {
                current.clone_from(task);
            }
        }
        if self.state.fetch_or(FORWARDING, Ordering::AcqRel) & WOKEN != 0 {
            task.wake_by_ref();
        }
    }

    /// Forgets the task, so that an idle connection does not keep a finished task's memory.
    pub(crate) fn detach(&self) {
        self.hold();
        // The task's waker is dropped after the lock: it may be what keeps the task's memory.
        let task = std::mem::replace(&mut *self.task.lock(), Waker::noop().clone());
        drop(task);
    }
}

impl Wake for Relay {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.state.fetch_or(WOKEN, Ordering::AcqRel) == FORWARDING {
            self.task.lock().wake_by_ref();
        }
    }
}

#[cfg(test)]
mod tests;
