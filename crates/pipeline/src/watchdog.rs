//! Which hook runs on which thread right now, and for how long.
//!
//! Nothing can stop a synchronous hook that does not return, so it is found, named, and its instance taken out of
//! service. A thread that runs hooks joins the watchdog and gets a cell; entering a hook costs two plain stores
//! and no look at a clock, because the watchdog's own thread does the timing: it compares samples.
//! The cells also tell which instance and hook a log line or a panic comes from.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use gatewright::InstanceId;
use parking_lot::Mutex;

use crate::gate::Gate;
use crate::hook::Hook;

thread_local! {
    static CELL: RefCell<Option<Arc<Cell>>> = const { RefCell::new(None) };
}

/// What one thread runs. Written by that thread alone.
#[derive(Debug)]
struct Cell {
    thread: String,
    /// Grows with every hook that is entered or left.
    turns: AtomicU64,
    /// The number of the gate and the place of the hook; 0 outside of hooks.
    inside: AtomicU64,
    watchdog: Weak<Inner>,
}

/// Watches the threads that joined it. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Watchdog(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    cells: Mutex<Vec<Weak<Cell>>>,
    /// One entry per living instance.
    gates: Mutex<HashMap<u32, Weak<Gate>>>,
    numbers: AtomicU32,
}

/// What a thread was seen to run.
#[derive(Clone, Copy, Debug)]
struct Sighting {
    turns: u64,
    since: Instant,
    is_reported: bool,
}

/// The memory of [`Watchdog::look`] between two looks.
#[derive(Debug, Default)]
pub struct Sightings(HashMap<usize, (Sighting, Weak<Gate>)>);

/// A watchdog that does not keep itself alive.
#[derive(Clone, Debug)]
pub struct WeakWatchdog(Weak<Inner>);

impl WeakWatchdog {
    /// The watchdog, while anybody else has it.
    #[must_use]
    pub fn upgrade(&self) -> Option<Watchdog> {
        self.0.upgrade().map(Watchdog)
    }
}

impl Watchdog {
    /// The same watchdog for its own thread, which must not keep it alive.
    #[must_use]
    pub fn downgrade(&self) -> WeakWatchdog {
        WeakWatchdog(Arc::downgrade(&self.0))
    }

    /// Makes the current thread watched until it ends.
    pub fn join(&self, thread: &str) {
        let cell = Arc::new(Cell {
            thread: thread.to_owned(),
            turns: AtomicU64::new(0),
            inside: AtomicU64::new(0),
            watchdog: Arc::downgrade(&self.0),
        });
        let mut cells = self.0.cells.lock();
        cells.retain(|cell| cell.strong_count() > 0);
        cells.push(Arc::downgrade(&cell));
        CELL.with_borrow_mut(|own| *own = Some(cell));
    }

    /// Gives a gate its number, and knows it until it is dropped.
    pub(crate) fn enlist(&self, make: impl FnOnce(u32) -> Gate) -> Arc<Gate> {
        let number = self.0.numbers.fetch_add(1, Ordering::Relaxed) + 1;
        let gate = Arc::new(make(number));
        let mut gates = self.0.gates.lock();
        gates.retain(|_, gate| gate.strong_count() > 0);
        gates.insert(number, Arc::downgrade(&gate));
        gate
    }

    /// Looks at every thread once. A hook that was inside at every look for longer than its instance allows is
    /// reported to its gate, and once more when it has returned.
    pub fn look(&self, now: Instant, sightings: &mut Sightings) {
        let cells: Vec<_> = self.0.cells.lock().iter().filter_map(Weak::upgrade).collect();
        for cell in &cells {
            let key = Arc::as_ptr(cell).addr();
            let (turns, inside) = (cell.turns.load(Ordering::Acquire), cell.inside.load(Ordering::Relaxed));
            let known = sightings.0.get(&key).map(|(sighting, _)| *sighting);
            match known {
                Some(sighting) if sighting.turns == turns && inside != 0 => {
                    self.judge(cell, inside, (now, key), sightings);
                }
                _ => {
                    if let Some((_, gate)) = sightings.0.remove(&key).filter(|(old, _)| old.is_reported)
                        && let Some(gate) = gate.upgrade()
                    {
                        gate.returned();
                    }
                    if inside != 0 {
                        let sighting = Sighting { turns, since: now, is_reported: false };
                        sightings.0.insert(key, (sighting, Weak::new()));
                    }
                }
            }
        }
        let living: Vec<usize> = cells.iter().map(|cell| Arc::as_ptr(cell).addr()).collect();
        sightings.0.retain(|key, (sighting, gate)| {
            let is_living = living.contains(key);
            // A thread that has ended came back from whatever it was stuck in.
            if !is_living
                && sighting.is_reported
                && let Some(gate) = gate.upgrade()
            {
                gate.returned();
            }
            is_living
        });
    }

    /// A thread is still inside the hook that it was in before.
    fn judge(&self, cell: &Cell, inside: u64, (now, key): (Instant, usize), sightings: &mut Sightings) {
        let Some((sighting, reported_to)) = sightings.0.get_mut(&key) else { return };
        let Some((gate, hook)) = self.0.resolve(inside) else { return };
        let stuck = now.saturating_duration_since(sighting.since);
        if stuck >= gate.stall() && !sighting.is_reported {
            sighting.is_reported = true;
            *reported_to = Arc::downgrade(&gate);
            gate.stuck(hook, &cell.thread, stuck);
        }
    }
}

impl Inner {
    fn resolve(&self, inside: u64) -> Option<(Arc<Gate>, Hook)> {
        let hook = Hook::at(usize::try_from(inside & 0xff).ok()?)?;
        let number = u32::try_from(inside >> 8).ok()?;
        Some((self.gates.lock().get(&number)?.upgrade()?, hook))
    }
}

/// The hook that runs on the current thread.
#[must_use]
pub fn current() -> Option<(InstanceId, Hook)> {
    CELL.with_borrow(|cell| {
        let cell = cell.as_ref()?;
        let (gate, hook) = cell.watchdog.upgrade()?.resolve(cell.inside.load(Ordering::Relaxed))?;
        Some((gate.id().clone(), hook))
    })
}

/// Runs a part of a hook with the current thread's cell saying so, however it ends.
pub(crate) fn inside<T>(gate: &Gate, hook: Hook, run: impl FnOnce() -> T) -> T {
    let _place = Place::enter(gate, hook);
    run()
}

/// The time inside one hook of a thread that is watched; leaving it restores what was there before.
struct Place(Option<u64>);

impl Place {
    fn enter(gate: &Gate, hook: Hook) -> Self {
        let tag = u64::from(gate.number()) << 8 | u64::try_from(hook.index()).unwrap_or(0xff);
        Self(CELL.with_borrow(|cell| cell.as_ref().map(|cell| cell.move_to(tag))))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(before) = self.0 {
            CELL.with_borrow(|cell| cell.as_ref().map(|cell| cell.move_to(before)));
        }
    }
}

impl Cell {
    /// Says where the thread is from now on; returns where it was.
    fn move_to(&self, inside: u64) -> u64 {
        // Only this thread writes, so that loads and stores are enough.
        let before = self.inside.load(Ordering::Relaxed);
        self.inside.store(inside, Ordering::Relaxed);
        self.turns.store(self.turns.load(Ordering::Relaxed).wrapping_add(1), Ordering::Release);
        before
    }
}

/// How often the watchdog looks.
pub const LOOK_EVERY: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests;
