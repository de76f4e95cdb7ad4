//! One worker's connections to one destination.
//!
//! The pool hands out idle connections, the newest first, and permits to open new ones up to a
//! cap. Beyond the cap callers wait in the order of their arrival, in bounded number and time.
//! How a connection is made and used is not its business.

mod link;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::oneshot;

pub(crate) use self::link::{Dialling, Link};
use crate::connection::http1::Http1;
use crate::connection::http2::{Http2, Stream};
use crate::destination::Destination;
use crate::error::DialError;
use crate::stats::{Counters, Stats};

/// How often idle connections are looked at.
pub(crate) const SWEEP_EVERY: Duration = Duration::from_secs(2);

/// One worker's connections to one destination.
#[derive(Debug)]
pub(crate) struct Pool {
    destination: Weak<Destination>,
    connections_max: usize,
    waiters_max: usize,
    wait_max: Duration,
    idle_sweeps_max: u64,
    state: Mutex<State>,
    /// The clock of idleness; coarse, so that giving a connection back reads no real one.
    sweep: AtomicU64,
    /// The last dialled connection spoke HTTP/1.1, so that dialling need not wait for others.
    speaks_http1: AtomicBool,
    turn: Turn,
    counters: Arc<Counters>,
}

/// Serves callers that need a shared connection one after the other.
#[derive(Debug, Default)]
struct Turn {
    gate: tokio::sync::Mutex<()>,
    /// How many dials have failed, and how the last one did.
    failure: Mutex<(u64, Option<DialError>)>,
    waiting: AtomicUsize,
}

/// Invariant: `leased` counts the live [`Lease`]s, and `leased + idle.len()` is at most
/// `connections_max`, because a connection is only opened by a lease that found no idle one.
#[derive(Debug, Default)]
struct State {
    /// Idle HTTP/1.1 connections, oldest first.
    #[expect(clippy::vec_box, reason = "a connection is large and moves at every exchange")]
    idle: Vec<Box<Http1>>,
    leased: usize,
    /// Callers at the cap, oldest first. Sending a lease passes it on; a caller that has gone
    /// drops it, which passes it to the next.
    waiters: VecDeque<oneshot::Sender<Lease>>,
    /// HTTP/2 connections. Each holds a lease in its task.
    shared: Vec<Arc<Http2>>,
}

/// The right to have one connection open.
#[derive(Debug)]
pub(crate) struct Lease {
    pool: Option<Arc<Pool>>,
}

/// What the pool can do at once for a caller.
enum Offer {
    /// A lease, with an idle connection or the right to open one.
    Lease(Lease, Option<Box<Http1>>),
    /// A place in the queue.
    Wait(oneshot::Receiver<Lease>),
    /// The queue is full.
    Full,
}

impl Pool {
    pub(crate) fn new(destination: &Arc<Destination>) -> Arc<Self> {
        let settings = destination.settings();
        let sweeps = settings.idle_timeout.as_millis().div_ceil(SWEEP_EVERY.as_millis());
        Arc::new(Self {
            destination: Arc::downgrade(destination),
            connections_max: settings.connections_max,
            waiters_max: settings.waiters_max,
            wait_max: settings.wait_max,
            idle_sweeps_max: u64::try_from(sweeps).unwrap_or(u64::MAX),
            state: Mutex::default(),
            sweep: AtomicU64::new(0),
            speaks_http1: AtomicBool::new(false),
            turn: Turn::default(),
            counters: Arc::default(),
        })
    }

    /// An idle HTTP/1.1 connection, when one is free and nobody waits for it.
    pub(crate) fn idle(self: &Arc<Self>) -> Option<(Lease, Box<Http1>)> {
        let mut state = self.state.lock();
        if state.leased >= self.connections_max {
            return None;
        }
        let connection = state.idle.pop()?;
        state.leased += 1;
        self.counters.connection_reused();
        Some((self.lease(), connection))
    }

    /// A stream on the least used shared connection that still takes one.
    fn stream(&self, even_if_busy: bool) -> Option<Stream> {
        let now = self.sweep.load(Ordering::Relaxed);
        let mut state = self.state.lock();
        state.shared.retain(|connection| !connection.is_closed());
        let connection = state.shared.iter().min_by_key(|connection| connection.streams())?;
        let usable = if even_if_busy { !connection.is_full() } else { !connection.is_busy() };
        usable.then(|| connection.stream(now))
    }

    /// A lease, when the cap allows one now.
    fn try_lease(self: &Arc<Self>) -> Option<(Lease, Option<Box<Http1>>)> {
        let mut state = self.state.lock();
        if state.leased >= self.connections_max {
            return None;
        }
        state.leased += 1;
        Some((self.lease(), state.idle.pop()))
    }

    fn offer(self: &Arc<Self>) -> Offer {
        if let Some((lease, connection)) = self.try_lease() {
            return Offer::Lease(lease, connection);
        }
        let mut state = self.state.lock();
        if state.waiters.len() >= self.waiters_max {
            state.waiters.retain(|waiter| !waiter.is_closed());
            if state.waiters.len() >= self.waiters_max {
                return Offer::Full;
            }
        }
        let (waiter, grant) = oneshot::channel();
        state.waiters.push_back(waiter);
        Offer::Wait(grant)
    }

    /// Keeps an idle connection beside the leases, unless that makes too many.
    fn keep_if_room(&self, idle: Option<Box<Http1>>) {
        let mut state = self.state.lock();
        if state.leased + state.idle.len() < self.connections_max {
            state.idle.extend(idle);
        }
    }

    fn lease(self: &Arc<Self>) -> Lease {
        Lease { pool: Some(Arc::clone(self)) }
    }

    /// Ends a lease: keeps its connection, if any, and passes the right on.
    fn end_lease(self: &Arc<Self>, connection: Option<Box<Http1>>) {
        let mut state = self.state.lock();
        if let Some(mut connection) = connection {
            connection.park(self.sweep.load(Ordering::Relaxed));
            state.idle.push(connection);
        }
        let next = loop {
            match state.waiters.pop_front() {
                Some(waiter) if waiter.is_closed() => {}
                Some(waiter) => break Some(waiter),
                None => {
                    state.leased -= 1;
                    break None;
                }
            }
        };
        drop(state);
        if let Some(waiter) = next {
            // A caller that has just gone hands the lease back by dropping it.
            drop(waiter.send(self.lease()));
        }
    }

    /// Closes connections that were idle for too long or whose peer has gone.
    ///
    /// Says whether the pool is still of use.
    pub(crate) fn sweep(&self) -> bool {
        let now = self.sweep.fetch_add(1, Ordering::Relaxed) + 1;
        let orphaned = self.destination.strong_count() == 0;
        let oldest = if orphaned { 0 } else { self.idle_sweeps_max };
        let mut state = self.state.lock();
        state.idle.retain_mut(|idle| now.saturating_sub(idle.idle_since()) <= oldest && idle.is_alive());
        state.shared.retain(|shared| {
            !shared.is_closed() && (shared.streams() > 0 || shared.idle_sweeps(now) <= oldest)
        });
        !orphaned || state.leased > 0
    }

    /// Closes what is idle. Exchanges in progress go on.
    ///
    /// An HTTP/2 connection's task holds a lease and thus the pool, which holds its sender; this
    /// is where that circle is cut.
    pub(crate) fn close(&self) {
        let State { idle, shared, .. } = &mut *self.state.lock();
        idle.clear();
        shared.clear();
    }

    pub(crate) fn stats(&self) -> Stats {
        let queued = self.state.lock().waiters.iter().filter(|waiter| !waiter.is_closed()).count();
        self.counters.read(queued + self.turn.waiting.load(Ordering::Relaxed))
    }

    /// None when no plan uses the destination any more.
    pub(crate) fn destination(&self) -> Option<Arc<Destination>> {
        self.destination.upgrade()
    }
}

impl Lease {
    /// Gives a connection that ended its exchange cleanly back to the pool.
    pub(crate) fn give_back(mut self, connection: Box<Http1>) {
        if let Some(pool) = self.pool.take() {
            pool.end_lease(Some(connection));
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(pool) = self.pool.take() {
            pool.end_lease(None);
        }
    }
}
