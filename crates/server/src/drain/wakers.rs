//! The sleepers of one worker: a waker for each of its tasks that waits for a phase.
//!
//! Grows to the peak number of the worker's open connections and streams, which the listeners bound.

use std::task::Waker;

use parking_lot::Mutex;

/// Where a waker stands, so that its owner can take it away again.
#[derive(Debug)]
pub(super) struct Slot(usize);

/// Invariant: `free` names exactly the entries that are `None`.
#[derive(Debug, Default)]
struct Slots {
    entries: Vec<Option<Waker>>,
    free: Vec<usize>,
}

#[derive(Debug, Default)]
pub(super) struct Wakers(Mutex<Slots>);

impl Wakers {
    pub(super) fn insert(&self, waker: Waker) -> Slot {
        let mut slots = self.0.lock();
        if let Some(index) = slots.free.pop() {
            slots.entries[index] = Some(waker);
            return Slot(index);
        }
        slots.entries.push(Some(waker));
        Slot(slots.entries.len() - 1)
    }

    pub(super) fn remove(&self, slot: &Slot) {
        let mut slots = self.0.lock();
        let removed = slots.entries[slot.0].take();
        slots.free.push(slot.0);
        // A waker may own the last reference to its task, whose drop may come back here.
        drop(slots);
        drop(removed);
    }

    /// How many wakers have been held at once.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.0.lock().entries.len()
    }

    pub(super) fn wake_all(&self) {
        let wakers: Vec<Waker> = self.0.lock().entries.iter().flatten().cloned().collect();
        for waker in wakers {
            waker.wake();
        }
    }
}
