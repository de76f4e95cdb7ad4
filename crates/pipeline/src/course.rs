//! The course of one exchange: its facts, its claims on limits, and its one end.
//!
//! A course is settled exactly once. Whoever holds it when it is dropped unsettled was dropped
//! too, because the client left; the drop settles it as such.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};

use gatewright::chat::Loss;
use gatewright::dialect::Codec;
use gatewright::service::Clock;
use gatewright::{
    Bill, CancelledBy, Estimate, Failure, FailureKind, ModelName, Outcome, Principal, RequestCx, RequestId,
    Reservation, Retry, RouteName, Side, Usage, UsageSource,
};
use gatewright_policy::PriceBook;
use gatewright_upstream::Credential;

use crate::answer::chain::Chain;
use crate::context::Context;
use crate::failure::Refusal;
use crate::hint::Hints;
use crate::hook::Hook;
use crate::hooked::{Called, Hooked};
use crate::keeping::Keeping;
use crate::meter::Meter;
use crate::phase::settle;
use crate::rehearsal::Recorder;
use crate::snapshot::{Provider, Snapshot};
use crate::state::{Picked, Settled};
use crate::trace::Trace;
use crate::upload::Upload;
use crate::verdict::Verdict;
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
    pub(crate) cx: Context,
    pub(crate) facts: Facts,
    pub(crate) claims: Vec<HeldClaim>,
    /// The filters that were opened on the answer.
    pub(crate) chain: Chain,
    pub(crate) attempt: Option<Attempt>,
    pub(crate) attempts: u32,
    /// What it is expected to consume, once somebody asked.
    pub(crate) estimate: Option<Estimate>,
    /// There where answers say in a header which hooks ran.
    pub(crate) trace: Option<Trace>,
    /// There where the answer is to be kept.
    pub(crate) keeping: Option<Box<Keeping>>,
    /// There in a rehearsal.
    pub(crate) recorder: Option<Box<Recorder>>,
    /// There where this is a further question of another exchange: it is recorded and put on that one's bill.
    pub(crate) bill: Option<Arc<Bill>>,
    /// There where the body of the request flows.
    pub(crate) upload: Option<Upload>,
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
    pub(crate) hints: Hints,
    /// The caller's own name for the exchange, for the access line.
    pub(crate) caller_id: Option<Box<str>>,
    /// What the last attempt's translation could not carry over.
    pub(crate) losses: Vec<Loss>,
    /// What was lost before any attempt.
    pub(crate) lost_before: Vec<Loss>,
}

/// A claim on a limit, with the instance that granted it.
pub(crate) struct HeldClaim {
    pub(crate) hooked: Arc<Hooked>,
    pub(crate) reservation: Box<dyn Reservation>,
    /// How often it was told how much has flowed.
    pub(crate) told: u64,
}

impl HeldClaim {
    /// A claim that nobody was told of yet.
    pub(crate) fn new(hooked: &Arc<Hooked>, reservation: Box<dyn Reservation>) -> Self {
        Self { hooked: Arc::clone(hooked), reservation, told: 0 }
    }
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
    /// What the provider was shown, which nothing that it says may repeat to anybody.
    pub(crate) shown: Option<Credential>,
}

impl Course {
    /// Takes what the provider was shown out of what it says: neither a caller nor a log is to read it.
    pub(crate) fn hide_credential(&self, failure: &mut Failure) {
        let Some(shown) = self.attempt.as_ref().and_then(|attempt| attempt.shown.as_ref()) else { return };
        for text in [Some(&mut failure.message), failure.code.as_mut(), failure.param.as_mut()] {
            if let Some(text) = text
                && let Some(clean) = shown.redacted(text)
            {
                *text = clean.into();
            }
        }
        if let Some(clean) = failure.detail.as_deref().and_then(|detail| shown.redacted(detail)) {
            failure.detail = Some(clean.into());
        }
    }

    /// Begins an exchange in the caller's dialect.
    #[must_use]
    pub fn begin(worker: &Arc<Worker>, codec: &'static dyn Codec) -> Box<Self> {
        let random = u128::from(worker.random.next_u64()) << 64 | u128::from(worker.random.next_u64());
        let id = RequestId::new(unix_ms(&*worker.clock), random);
        worker.observer.exchange_began();
        Self::new(worker, worker.snapshots.load_full(), codec, id)
    }

    /// Begins a further question of the exchange whose context this is, the `number`th of it. Its attempts are
    /// counted from a hundred times that number, so that no two records of the exchange have one identity.
    pub(crate) fn further(
        worker: &Arc<Worker>,
        snapshot: Arc<Snapshot>,
        codec: &'static dyn Codec,
        (number, bill): (u32, Arc<Bill>),
        cx: RequestCx,
    ) -> Box<Self> {
        let mut course = Self::new(worker, snapshot, codec, cx.id());
        course.facts.principal = Some(Arc::clone(cx.principal()));
        course.facts.route = Some(cx.route().clone());
        course.facts.model_asked = Some(cx.model().clone());
        course.facts.read = Some(course.received);
        course.attempts = number.saturating_mul(100);
        course.bill = Some(bill);
        course.cx = Context::new(cx);
        course
    }

    fn new(
        worker: &Arc<Worker>,
        snapshot: Arc<Snapshot>,
        codec: &'static dyn Codec,
        id: RequestId,
    ) -> Box<Self> {
        let started_unix_ms = unix_ms(&*worker.clock);
        Box::new(Self {
            snapshot,
            id,
            codec,
            received: worker.clock.now(),
            started_unix_ms,
            cx: Context::default(),
            facts: Facts {
                principal: None,
                route: None,
                model_asked: None,
                streamed: false,
                status: 0,
                code: None,
                read: None,
                first_token: None,
                hints: Hints::default(),
                caller_id: None,
                losses: Vec::new(),
                lost_before: Vec::new(),
            },
            claims: Vec::new(),
            chain: Chain::default(),
            attempt: None,
            attempts: 0,
            estimate: None,
            trace: worker.settings.trace_header.then(Trace::default),
            keeping: None,
            recorder: None,
            bill: None,
            upload: None,
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

    /// Hands the context to a hook that runs elsewhere.
    pub(crate) fn lend(&mut self, hooked: &Hooked) -> Result<RequestCx, Failure> {
        let lent = self.cx.lend(hooked);
        lent.ok_or_else(|| Failure::internal("a hook runs before the context of its exchange is there"))
    }

    /// Takes back what was lent. Where an isolated hook did not give it back, the exchange fails whatever the policy.
    pub(crate) fn take_back<T: Verdict>(
        &mut self,
        hooked: &Arc<Hooked>,
        hook: Hook,
        lent: Option<RequestCx>,
        called: Called<T>,
    ) -> Result<Called<T>, Refusal> {
        if self.cx.give_back(hooked, lent) {
            return Ok(called);
        }
        self.heed(hooked, hook, called)?;
        Err(lost(hooked, hook).into())
    }

    /// Adds a remark to the last step of the trace.
    pub(crate) fn remark(&mut self, remark: &str) {
        if let Some(trace) = &mut self.trace {
            trace.remark(remark);
        }
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

    /// The failure of an exchange whose body flows: where the client broke it off, that is the cause of whatever failed
    /// after it.
    pub(crate) fn blame(&self, failure: Failure) -> Failure {
        self.upload.as_ref().and_then(Upload::failure).unwrap_or(failure)
    }

    /// A provider refused what it was shown: its source of credentials learns it.
    pub(crate) fn forget_credential(&self, picked: &Picked) {
        if let (Some(credentials), Some(principal)) = (&picked.provider.credentials, &self.facts.principal) {
            credentials.refused(self, principal, picked);
        }
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
        self.cx.leave();
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
                // Who leaves a further question is the hook that asked it.
                let by = if self.bill.is_some() { CancelledBy::Filter } else { CancelledBy::Client };
                Outcome::Cancelled { seen, by, upstream_aborted: true }
            }
            _ => Outcome::NotSent,
        }
    }
}

/// The failure of an exchange whose state an isolated hook did not give back.
pub(crate) fn lost(hooked: &Hooked, hook: Hook) -> Failure {
    let text =
        format!("the extension instance `{}` did not return from its {} hook", hooked.id, hook.as_str());
    Failure::new(Side::Gateway, FailureKind::Extension, text)
}

fn unix_ms(clock: &dyn Clock) -> u64 {
    let wall = clock.wall().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(wall.as_millis()).unwrap_or(u64::MAX)
}

impl Drop for Course {
    fn drop(&mut self) {
        if !self.is_settled {
            let code = match self.bill {
                _ if std::thread::panicking() => "internal_error",
                Some(_) => "question_dropped",
                None => "client_gone",
            };
            self.facts.code.get_or_insert(Cow::Borrowed(code));
            let outcome = self.abandoned();
            // Nobody is left to wait for the record; the writer has it.
            drop(self.settle(&outcome));
        }
        for (instance, value) in self.cx.take_stored() {
            match self.snapshot.hooks.values().find(|hooked| hooked.index == instance) {
                Some(hooked) => hooked.gate.discard(value),
                None => drop(value),
            }
        }
    }
}

impl std::fmt::Debug for Course {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Course").field("id", &self.id).field("facts", &self.facts).finish_non_exhaustive()
    }
}
