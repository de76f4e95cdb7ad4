//! Counters of one worker's connections, cheap enough for every exchange.

use std::sync::atomic::{AtomicU64, Ordering};

/// What a worker's connections did and do, to one destination or to all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Connections made since the start.
    pub opened: u64,
    /// Exchanges that went over a connection that had served before.
    pub reused: u64,
    /// Connections that are open now, idle ones included.
    pub open: u64,
    /// Calls that wait for a connection now.
    pub waiting: u64,
}

impl std::ops::AddAssign for Stats {
    fn add_assign(&mut self, other: Self) {
        self.opened += other.opened;
        self.reused += other.reused;
        self.open += other.open;
        self.waiting += other.waiting;
    }
}

/// The live counters behind [`Stats`], written by one worker.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    opened: AtomicU64,
    closed: AtomicU64,
    reused: AtomicU64,
}

impl Counters {
    pub(crate) fn connection_opened(&self) {
        self.opened.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn connection_closed(&self) {
        self.closed.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn connection_reused(&self) {
        self.reused.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn read(&self, waiting: usize) -> Stats {
        let closed = self.closed.load(Ordering::Relaxed);
        let opened = self.opened.load(Ordering::Relaxed);
        Stats {
            opened,
            reused: self.reused.load(Ordering::Relaxed),
            open: opened.saturating_sub(closed),
            waiting: waiting as u64,
        }
    }
}
