//! The course of one exchange: its facts, its claims on limits, and its one end.
//!
//! A course is settled exactly once. Whoever holds it when it is dropped unsettled was dropped
//! too, because the client left; the drop settles it as such.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};

use gatewright::dialect::Codec;
use gatewright::{
    CancelledBy, Failure, ModelName, Outcome, Principal, RequestCx, RequestId, Reservation, Retry, RouteName,
    Usage, UsageSource,
};
use gatewright_policy::PriceBook;

use crate::hooked::Hooked;
use crate::meter::Meter;
use crate::phase::settle;
use crate::snapshot::{Provider, Snapshot};
use crate::state::Settled;
use crate::worker::Worker;

/// One exchange under way.
pub struct Course {
    pub(crate) worker: Arc<Worker>,
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) id: RequestId,
    pub(crate) codec: &'static dyn Codec,
    pub(crate) received: Instant,
    pub(crate) started_unix_ms: u64,
    /// There once the caller and the route are known.
    pub(crate) cx: Option<RequestCx>,
    pub(crate) facts: Facts,
    pub(crate) claims: Vec<HeldClaim>,
    pub(crate) attempt: Option<Attempt>,
    pub(crate) attempts: u32,
    is_settled: bool,
}

/// What the record says beside usage, as far as it is known.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) principal: Option<Arc<Principal>>,
    pub(crate) route: Option<RouteName>,
    pub(crate) model_asked: Option<ModelName>,
    pub(crate) streamed: bool,
    pub(crate) status: u16,
    pub(crate) code: Option<Cow<'static, str>>,
    /// When the last byte of the request was there.
    pub(crate) read: Option<Instant>,
    pub(crate) first_token: Option<Instant>,
    pub(crate) hint: Option<gatewright::LimitHint>,
    /// The caller's own name for the exchange, for the access line.
    pub(crate) caller_id: Option<Box<str>>,
}

/// A claim on a limit, with the instance that granted it.
pub(crate) struct HeldClaim {
    pub(crate) hooked: Arc<Hooked>,
    pub(crate) reservation: Box<dyn Reservation>,
}

/// The try that is being made.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) number: u32,
    pub(crate) provider: Arc<Provider>,
    pub(crate) model: Arc<str>,
    pub(crate) price: Option<Arc<PriceBook>>,
    pub(crate) meter: Meter,
    /// When the request was handed to the upstream client.
    pub(crate) sent: Option<Instant>,
    /// When the provider's head, or whole answer, was there.
    pub(crate) answered: Option<Instant>,
    /// The provider answered with an error status: it refused before any work that is billed.
    pub(crate) is_refused: bool,
}

impl Course {
    /// Begins an exchange in the caller's dialect.
    #[must_use]
    pub fn begin(worker: &Arc<Worker>, codec: &'static dyn Codec) -> Box<Self> {
        let wall = worker.clock.wall().duration_since(UNIX_EPOCH).unwrap_or_default();
        let started_unix_ms = u64::try_from(wall.as_millis()).unwrap_or(u64::MAX);
        let random = u128::from(worker.random.next_u64()) << 64 | u128::from(worker.random.next_u64());
        worker.observer.exchange_began();
        Box::new(Self {
            snapshot: worker.snapshots.load_full(),
            id: RequestId::new(started_unix_ms, random),
            codec,
            received: worker.clock.now(),
            started_unix_ms,
            cx: None,
            facts: Facts {
                principal: None,
                route: None,
                model_asked: None,
                streamed: false,
                status: 0,
                code: None,
                read: None,
                first_token: None,
                hint: None,
                caller_id: None,
            },
            claims: Vec::new(),
            attempt: None,
            attempts: 0,
            is_settled: false,
            worker: Arc::clone(worker),
        })
    }

    /// The identity of the exchange.
    #[must_use]
    pub fn id(&self) -> RequestId {
        self.id
    }

    /// The context that hooks share. It exists from the identify phase on.
    pub(crate) fn cx(&mut self) -> &mut RequestCx {
        self.cx.as_mut().expect("the identify phase makes the context, and no hook runs before it")
    }

    /// The time since the head of the request was complete.
    pub(crate) fn elapsed(&self) -> Duration {
        self.worker.clock.now().saturating_duration_since(self.received)
    }

    /// What the current attempt consumed so far.
    pub(crate) fn usage(&self) -> (Usage, UsageSource) {
        self.attempt
            .as_ref()
            .map_or((Usage::default(), UsageSource::Estimated), |attempt| attempt.meter.usage())
    }

    /// The outcome of an attempt that failed on the provider's side.
    pub(crate) fn failed(&self, failure: &Failure) -> Outcome {
        let is_refused = self.attempt.as_ref().is_some_and(|attempt| attempt.is_refused);
        let may_be_billed = !is_refused && failure.retry != Retry::Safe;
        let seen = if may_be_billed { self.usage().0 } else { Usage::default() };
        Outcome::Failed { seen, may_be_billed }
    }

    /// Ends the exchange. The first call settles every claim and writes the record; a later one,
    /// which only a fault of this crate could make, does nothing.
    pub(crate) fn settle(&mut self, outcome: &Outcome) -> Settled {
        if std::mem::replace(&mut self.is_settled, true) {
            return Settled { receipt: crate::ledger::Receipt::Done };
        }
        settle::settle(self, outcome)
    }

    /// Whether the exchange has had its end.
    pub(crate) fn is_settled(&self) -> bool {
        self.is_settled
    }

    fn abandoned(&self) -> Outcome {
        let (seen, _) = self.usage();
        if std::thread::panicking() {
            return Outcome::Lost { seen };
        }
        match &self.attempt {
            Some(attempt) if attempt.sent.is_some() => {
                Outcome::Cancelled { seen, by: CancelledBy::Client, upstream_aborted: true }
            }
            _ => Outcome::NotSent,
        }
    }
}

impl Drop for Course {
    fn drop(&mut self) {
        if !self.is_settled {
            self.facts.code.get_or_insert(Cow::Borrowed("client_gone"));
            let outcome = self.abandoned();
            // Nobody is left to wait for the record; the writer has it.
            drop(self.settle(&outcome));
        }
    }
}

impl std::fmt::Debug for Course {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Course").field("id", &self.id).field("facts", &self.facts).finish_non_exhaustive()
    }
}
