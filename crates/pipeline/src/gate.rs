//! What one living instance shares between all exchanges: how many of its hooks run, whether it is in service, and
//! who learns what it does. It outlives reloads that keep the instance.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use gatewright::{BoxFuture, ExtError, InstanceId};
use gatewright_policy::{Circuit, CircuitState, InstancePlan, Tripped};
use parking_lot::Mutex;

use crate::failure::with_causes;
use crate::guarded::Guarded;
use crate::hook::Hook;
use crate::hooked::{Fault, panic_text};
use crate::observer::{InstanceObserver, OutOfService};
use crate::watchdog::{self, Watchdog};

/// The shared state of one living instance.
pub struct Gate {
    id: InstanceId,
    /// Names the instance in the cells of the watchdog.
    number: u32,
    observer: Arc<dyn InstanceObserver>,
    in_flight: AtomicU32,
    calls: AtomicU64,
    /// How many threads are inside a hook that does not return, and the hook of the last one.
    stuck: AtomicU32,
    stuck_hook: AtomicUsize,
    /// Whether calls pass without a look at the circuit.
    is_open: AtomicBool,
    /// Whether the instance is the one that its id stands for: not before its configuration is put to use, and not
    /// after another one took its place.
    is_current: AtomicBool,
    rules: Mutex<Rules>,
}

struct Rules {
    circuit: Circuit,
    state: CircuitState,
    stall: Duration,
}

/// Why a call is not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closed {
    /// The instance is out of service.
    Quarantined,
    /// Too many of its calls run.
    Busy(u32),
}

/// A call that runs; dropping it ends the call.
pub(crate) struct Flight<'g>(&'g Gate);

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Gate {
    /// The gate of a new instance.
    #[must_use]
    pub fn new(plan: &InstancePlan, observer: Arc<dyn InstanceObserver>, watchdog: &Watchdog) -> Arc<Self> {
        watchdog.enlist(|number| Self {
            id: plan.id.clone(),
            number,
            observer,
            in_flight: AtomicU32::new(0),
            calls: AtomicU64::new(0),
            stuck: AtomicU32::new(0),
            stuck_hook: AtomicUsize::new(0),
            is_open: AtomicBool::new(false),
            is_current: AtomicBool::new(false),
            rules: Mutex::new(Rules {
                circuit: plan.circuit,
                state: CircuitState::default(),
                stall: plan.stall,
            }),
        })
    }

    /// The instance serves from now on, under the policies of a plan.
    pub fn follow(&self, plan: &InstancePlan) {
        {
            let mut rules = self.rules.lock();
            rules.circuit = plan.circuit;
            rules.stall = plan.stall;
        }
        self.is_current.store(true, Ordering::Relaxed);
        self.tell();
    }

    /// Another instance has taken the place of this one, which serves what it began: what becomes of it says nothing
    /// about its id any more.
    pub fn retire(&self) {
        self.is_current.store(false, Ordering::Relaxed);
    }

    /// Tells whether the instance is in service.
    fn tell(&self) {
        if self.is_current.load(Ordering::Relaxed) {
            self.observer.quarantined(self.out_of_service());
        }
    }

    /// The instance.
    #[must_use]
    pub fn id(&self) -> &InstanceId {
        &self.id
    }

    /// Why the instance is out of service, if it is.
    #[must_use]
    pub fn out_of_service(&self) -> Option<OutOfService> {
        if self.is_stuck() {
            return Some(OutOfService::Stalled);
        }
        self.is_open.load(Ordering::Relaxed).then_some(OutOfService::Failures)
    }

    /// Runs code of the instance, so that a panic ends in a fault and the thread's cell says where it is. While a
    /// thread is stuck in the instance, no other one enters it.
    pub(crate) fn run<T>(&self, hook: Hook, run: impl FnOnce() -> Result<T, ExtError>) -> Result<T, Fault> {
        if hook.may_be_left_out() && self.stuck.load(Ordering::Relaxed) > 0 {
            return Err(Fault::Quarantined);
        }
        // Showing and dropping an error is the instance's code as well.
        let shown = || run().map_err(|error| with_causes(error.cause()).into_boxed_str());
        match catch_unwind(AssertUnwindSafe(|| watchdog::inside(self, hook, shown))) {
            Err(payload) => Err(Fault::Panic(last_words(payload))),
            Ok(result) => result.map_err(Fault::Error),
        }
    }

    /// Runs a future of the instance in the same way, without a deadline.
    ///
    /// # Errors
    ///
    /// What the future returns as its failure, or a panic.
    ///
    /// # Cancellation
    ///
    /// The future is dropped.
    pub async fn watch<'f, T>(
        &self,
        hook: Hook,
        make: impl FnOnce() -> BoxFuture<'f, Result<T, ExtError>>,
    ) -> Result<T, Fault> {
        let mut guarded = Guarded::new(self, hook, self.run(hook, || Ok(make()))?);
        poll_fn(|cx| guarded.poll(cx)).await
    }

    /// Asks the instance for something that never changes; where it panics at the question, `otherwise` holds.
    pub(crate) fn fixed<T>(&self, hook: Hook, otherwise: T, ask: impl FnOnce() -> T) -> T {
        self.run(hook, || Ok(ask())).unwrap_or_else(|fault| {
            self.note(hook, &fault);
            otherwise
        })
    }

    /// Counts and logs a fault that has no other consequence.
    pub fn note(&self, hook: Hook, fault: &Fault) {
        self.observer.failed(hook, fault.result(), None);
        let cause = fault.to_string();
        tracing::warn!(instance = %self.id, hook = hook.as_str(), cause, "Extension failed");
    }

    /// Drops what the instance made. A panic in it is caught as in any hook; what is dropped has no say any more, so
    /// that the log names the instance and nothing else comes of it.
    pub fn discard<T>(&self, value: T) {
        let dropped = self.run(Hook::Drop, || {
            drop(value);
            Ok(())
        });
        if let Err(fault) = dropped {
            self.note(Hook::Drop, &fault);
        }
    }

    /// Whether a thread is inside the instance that does not return.
    pub(crate) fn is_stuck(&self) -> bool {
        self.stuck.load(Ordering::Relaxed) > 0
    }

    /// The hook that a thread is stuck in.
    #[must_use]
    pub fn stuck_in(&self) -> Option<Hook> {
        if self.stuck.load(Ordering::Relaxed) == 0 {
            return None;
        }
        Hook::at(self.stuck_hook.load(Ordering::Relaxed))
    }

    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    pub(crate) fn stall(&self) -> Duration {
        self.rules.lock().stall
    }

    /// Who learns what the instance does.
    #[must_use]
    pub fn observer(&self) -> &dyn InstanceObserver {
        &*self.observer
    }

    /// Whether a hook may be called now; counts the call.
    pub(crate) fn admit(&self, now: Instant) -> Result<(), Closed> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        if self.is_stuck() {
            return Err(Closed::Quarantined);
        }
        if self.is_open.load(Ordering::Relaxed) {
            let mut rules = self.rules.lock();
            let circuit = rules.circuit;
            if !rules.state.admit(&circuit, now) {
                return Err(Closed::Quarantined);
            }
        }
        Ok(())
    }

    /// The same for an asynchronous hook, of which `most` may run at a time.
    pub(crate) fn take_off(&self, now: Instant, most: u32) -> Result<Flight<'_>, Closed> {
        self.admit(now)?;
        let flight = Flight(self);
        if self.in_flight.fetch_add(1, Ordering::Relaxed) >= most {
            return Err(Closed::Busy(most));
        }
        Ok(flight)
    }

    /// A call passed, or made a decision.
    pub(crate) fn passed(&self) {
        if self.is_open.load(Ordering::Relaxed) {
            let mut rules = self.rules.lock();
            rules.state.passed();
            if rules.state.is_closed() {
                self.is_open.store(false, Ordering::Relaxed);
                self.tell();
                tracing::info!(instance = %self.id, "Extension instance is in service again");
            }
        }
    }

    /// A call failed. Returns whether that took the instance out of service.
    pub(crate) fn failed(&self, now: Instant) -> bool {
        let mut rules = self.rules.lock();
        let circuit = rules.circuit;
        let tripped = rules.state.failed(&circuit, now, self.calls.load(Ordering::Relaxed));
        if tripped == Tripped::No {
            return false;
        }
        self.is_open.store(true, Ordering::Relaxed);
        self.tell();
        tracing::error!(
            instance = %self.id,
            pause = ?circuit.pause,
            "Extension instance is out of service: it failed repeatedly"
        );
        true
    }

    /// A thread has been inside a hook for too long.
    pub(crate) fn stuck(&self, hook: Hook, thread: &str, since: Duration) {
        self.stuck_hook.store(hook.index(), Ordering::Relaxed);
        self.stuck.fetch_add(1, Ordering::Relaxed);
        self.observer.stalled(hook);
        self.tell();
        tracing::error!(
            instance = %self.id,
            hook = hook.as_str(),
            thread,
            ?since,
            "Extension hook does not return; its instance is out of service"
        );
    }

    /// A thread came back from a hook that it was stuck in.
    pub(crate) fn returned(&self) {
        if self.stuck.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.tell();
            tracing::warn!(instance = %self.id, "Extension hook returned after all");
        }
    }
}

/// What a panic said. Its payload is dropped here, which is the panicking code's own as well: one that panics at
/// that is let be.
fn last_words(payload: Box<dyn std::any::Any + Send>) -> Box<str> {
    let text = panic_text(&*payload);
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        let _leaked = Box::leak(again);
    }
    text
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gate").field("id", &self.id).finish_non_exhaustive()
    }
}
