//! The end of a process's life, as its listeners see it.
//!
//! A drain goes through phases, each with a bound in time, and never back: Serving, Unready, Closing, Cut,
//! Aborted, Ended. Everything that serves holds a [`Presence`], so that the drain knows when the last byte
//! has gone. Connections and streams look at the phase with one atomic load; only those that wait
//! for a change register a waker, so an open stream costs one slot and no task. Each worker has a handle of
//! its own, so that its streams never touch a count or a lock that another worker writes.
//!
//! It owns the clock of the drain. What a phase means is up to whom it concerns: listeners stop accepting,
//! connections close, bodies end with an error in their own wire format.

mod wakers;

#[cfg(test)]
mod tests;

use std::future::poll_fn;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use self::wakers::{Slot, Wakers};

/// How far the end of the process has come. Later phases compare greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Phase {
    /// Ordinary life.
    Serving,
    /// Readiness is false so that balancers look elsewhere; new connections are still accepted and served.
    Unready,
    /// Nothing new is accepted; what is open may finish.
    Closing,
    /// The deadline has passed: streams end themselves now, with an error that their client understands.
    Cut,
    /// Connections that are still open are dropped.
    Aborted,
    /// Nothing serves any more, or nothing more is waited for.
    Ended,
}

impl Phase {
    fn from_u8(value: u8) -> Phase {
        match value {
            0 => Phase::Serving,
            1 => Phase::Unready,
            2 => Phase::Closing,
            3 => Phase::Cut,
            4 => Phase::Aborted,
            _ => Phase::Ended,
        }
    }
}

/// How long each phase of a drain may last.
#[derive(Debug, Clone, Copy)]
pub struct DrainTimes {
    /// Time in Unready, even when nothing is open: what a balancer needs to notice. Default 15 s.
    pub unready_min: Duration,
    /// Longest time in Closing, within which open streams may finish. Default 150 s.
    pub closing_max: Duration,
    /// Longest time in Cut, within which streams send their last event. Default 1 s.
    pub cut_max: Duration,
    /// How long a connection without a request stays open in Closing, so that a request which is already on
    /// its way is answered and not reset. Default 250 ms.
    pub idle_grace: Duration,
}

impl Default for DrainTimes {
    fn default() -> Self {
        DrainTimes {
            unready_min: Duration::from_secs(15),
            closing_max: Duration::from_secs(150),
            cut_max: Duration::from_secs(1),
            idle_grace: Duration::from_millis(250),
        }
    }
}

/// What a drain could not let finish.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DrainReport {
    /// Presences (connections and accept loops) that were left when the deadline passed.
    pub cut: usize,
    /// Presences that were left when connections were dropped.
    pub aborted: usize,
}

/// How long the dropping of aborted connections may take before the report goes out.
const ABORT_SETTLES_WITHIN: Duration = Duration::from_millis(200);

/// A handle on the one drain of a process. Clones share their counts; [`fork`](Self::fork) makes a handle
/// for another thread.
#[derive(Debug, Clone)]
pub struct Drain {
    local: Arc<Local>,
}

/// One worker's side of the drain.
#[derive(Debug)]
struct Local {
    shared: Arc<Shared>,
    wakers: Wakers,
}

#[derive(Debug)]
struct Shared {
    phase: AtomicU8,
    present: AtomicUsize,
    begun: Mutex<Option<Instant>>,
    times: DrainTimes,
    locals: Mutex<Vec<Weak<Local>>>,
}

// === impl Drain ===

impl Drain {
    /// A drain in the phase Serving.
    #[must_use]
    pub fn new(times: DrainTimes) -> Self {
        let shared = Shared {
            phase: AtomicU8::new(Phase::Serving as u8),
            present: AtomicUsize::new(0),
            begun: Mutex::new(None),
            times,
            locals: Mutex::default(),
        };
        Drain { local: Shared::join(&Arc::new(shared)) }
    }

    /// A handle on the same drain for another thread.
    #[must_use]
    pub fn fork(&self) -> Self {
        Drain { local: Shared::join(&self.local.shared) }
    }

    /// The phase of this moment.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.local.shared.phase()
    }

    /// The bounds that this drain was made with.
    #[must_use]
    pub fn times(&self) -> DrainTimes {
        self.local.shared.times
    }

    /// Turns Serving into Unready at once. Later calls change nothing.
    ///
    /// The phases after it come only while somebody awaits [`wait_idle`](Self::wait_idle).
    pub fn begin(&self) {
        let mut begun = self.local.shared.begun.lock();
        if begun.is_none() {
            *begun = Some(Instant::now());
            drop(begun);
            self.local.shared.advance(Phase::Unready);
        }
    }

    /// Begins the drain if nobody did, drives it through its phases and returns when nothing serves any
    /// more, at the latest when the sum of the bounds has passed.
    ///
    /// # Cancellation
    /// The phase reached stays. The next call goes on from there, with Unready counted from `begin`.
    pub async fn wait_idle(&self) -> DrainReport {
        self.begin();
        let times = self.local.shared.times;
        let begun = self.local.shared.begun.lock().unwrap_or_else(Instant::now);
        sleep_until(begun + times.unready_min).await;
        self.local.shared.advance(Phase::Closing);

        let mut report = DrainReport::default();
        let deadline = begun + times.unready_min + times.closing_max;
        if timeout_at(deadline, self.empty()).await.is_err() {
            report.cut = self.present();
            self.local.shared.advance(Phase::Cut);
            if timeout(times.cut_max, self.empty()).await.is_err() {
                report.aborted = self.present();
                self.local.shared.advance(Phase::Aborted);
                // Whoever is stuck and cannot even be dropped is counted as aborted already.
                drop(timeout(ABORT_SETTLES_WITHIN, self.empty()).await);
            }
        }
        self.local.shared.advance(Phase::Ended);
        report
    }

    /// Returns once the drain is in `phase` or past it.
    ///
    /// # Cancellation
    /// Leaves nothing behind.
    pub async fn reached(&self, phase: Phase) {
        let mut watch = self.watch();
        poll_fn(|cx| watch.poll_reached(cx, phase)).await;
    }

    /// How many presences there are: open connections and running accept loops.
    #[must_use]
    pub fn present(&self) -> usize {
        self.local.shared.present.load(Ordering::SeqCst)
    }

    /// Announces something that serves. The drain does not end, short of being cut, before it is dropped.
    #[must_use]
    pub fn enter(&self) -> Presence {
        self.local.shared.present.fetch_add(1, Ordering::SeqCst);
        Presence { local: Arc::clone(&self.local) }
    }

    /// A way to wait for phases from inside a `poll` function.
    #[must_use]
    pub fn watch(&self) -> PhaseWatch {
        PhaseWatch { local: Arc::clone(&self.local), registered: None }
    }

    /// What a streaming body looks at to learn that it must end now.
    #[must_use]
    pub fn cut_signal(&self) -> CutSignal {
        CutSignal { watch: Some(self.watch()) }
    }

    async fn empty(&self) {
        let mut watch = self.watch();
        poll_fn(|cx| {
            watch.register(cx);
            if self.present() == 0 { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

impl Default for Drain {
    fn default() -> Self {
        Drain::new(DrainTimes::default())
    }
}

// === impl Shared ===

impl Shared {
    fn phase(&self) -> Phase {
        Phase::from_u8(self.phase.load(Ordering::SeqCst))
    }

    fn advance(&self, to: Phase) {
        let before = self.phase.fetch_max(to as u8, Ordering::SeqCst);
        if before < to as u8 {
            tracing::info!(phase = ?to, present = self.present.load(Ordering::SeqCst), "drain phase reached");
            self.wake_all();
        }
    }

    fn wake_all(&self) {
        let locals: Vec<Arc<Local>> = self.locals.lock().iter().filter_map(Weak::upgrade).collect();
        for local in locals {
            local.wakers.wake_all();
        }
    }

    fn join(self: &Arc<Self>) -> Arc<Local> {
        let local = Arc::new(Local { shared: Arc::clone(self), wakers: Wakers::default() });
        let mut locals = self.locals.lock();
        locals.retain(|other| other.strong_count() > 0);
        locals.push(Arc::downgrade(&local));
        local
    }
}

/// Proof that something serves; dropping it says that its last byte has gone.
#[derive(Debug)]
pub struct Presence {
    local: Arc<Local>,
}

impl Drop for Presence {
    fn drop(&mut self) {
        let before = self.local.shared.present.fetch_sub(1, Ordering::SeqCst);
        if before == 1 && self.local.shared.phase() >= Phase::Closing {
            self.local.shared.wake_all();
        }
    }
}

/// Waits for phases inside a `poll` function, without a task and without allocation.
#[derive(Debug)]
pub struct PhaseWatch {
    local: Arc<Local>,
    registered: Option<(Slot, Waker)>,
}

impl PhaseWatch {
    /// The phase of this moment.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.local.shared.phase()
    }

    /// Ready when the drain is in `phase` or past it; otherwise the task is woken at every change.
    pub fn poll_reached(&mut self, cx: &mut Context<'_>, phase: Phase) -> Poll<()> {
        if self.local.shared.phase() >= phase {
            return Poll::Ready(());
        }
        // A change between the look above and the registration would wake nobody, hence a second look.
        if self.register(cx) && self.local.shared.phase() >= phase { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Sees to it that the task of `cx` is woken at every change. True if it was not already.
    pub(crate) fn register(&mut self, cx: &mut Context<'_>) -> bool {
        if self.registered.as_ref().is_some_and(|(_, waker)| waker.will_wake(cx.waker())) {
            return false;
        }
        self.unregister();
        let slot = self.local.wakers.insert(cx.waker().clone());
        self.registered = Some((slot, cx.waker().clone()));
        true
    }

    fn unregister(&mut self) {
        if let Some((slot, _)) = self.registered.take() {
            self.local.wakers.remove(&slot);
        }
    }
}

impl Drop for PhaseWatch {
    fn drop(&mut self) {
        self.unregister();
    }
}

/// Tells a streaming body that the drain's deadline has passed.
///
/// A clone is the same signal with a registration of its own, so each body keeps one.
#[derive(Debug)]
pub struct CutSignal {
    watch: Option<PhaseWatch>,
}

impl CutSignal {
    /// A signal that never comes, for what is not part of a drain.
    #[must_use]
    pub fn never() -> Self {
        CutSignal { watch: None }
    }

    /// True once streams must end.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.watch.as_ref().is_some_and(|watch| watch.phase() >= Phase::Cut)
    }

    /// Ready once streams must end; until then the polling task is woken when that changes.
    pub fn poll_cut(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.watch {
            Some(watch) => watch.poll_reached(cx, Phase::Cut),
            None => Poll::Pending,
        }
    }
}

impl Clone for CutSignal {
    fn clone(&self) -> Self {
        let watch =
            self.watch.as_ref().map(|watch| PhaseWatch { local: Arc::clone(&watch.local), registered: None });
        CutSignal { watch }
    }
}
