//! An instance of an extension as the data path holds it: the live object, its policy for failures, and the fence
//! around every call.
//!
//! The fence catches panics, ends asynchronous hooks at the deadline, says where the thread is, keeps calls away
//! from an instance that is out of service, and measures. A decision passes through it untouched.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use gatewright::registry::Instance;
use gatewright::{
    AuditAction, BoxFuture, ExtError, Failure, FailureKind, FilterPlan, InstanceId, LimitPhase, RequestCx,
    ResponseHead, Side, TenantId, TransformPhase,
};
use gatewright_policy::{InstancePlan, OnFailure, RunMode};

use crate::aside::aside;
use crate::gate::{Closed, Gate};
use crate::guarded::{Guarded, poll_inside};
use crate::hook::Hook;
use crate::observer::{HookResult, OutOfService};
use crate::subject::Subject;
use crate::worker::Worker;

/// A live instance with its policy.
#[derive(Debug)]
pub struct Hooked {
    /// Its id in the configuration.
    pub id: InstanceId,
    /// Its place in the list of instances; keys its per-exchange state.
    pub index: u32,
    /// The live object.
    pub instance: Instance,
    /// Whether it acts or only watches.
    pub is_shadow: bool,
    /// What it shares between exchanges and reloads.
    pub gate: Arc<Gate>,
    /// When it runs, as a transform.
    pub(crate) transform_phase: Option<TransformPhase>,
    /// When it is asked, as a limiter.
    pub(crate) limit_phase: Option<LimitPhase>,
    /// Whether sessions may pass that it cannot look into.
    pub(crate) lets_sessions_pass: bool,
    deadline: Duration,
    in_flight_max: u32,
    is_isolated: bool,
    on_error: Option<OnFailure>,
    on_timeout: Option<OnFailure>,
    on_panic: Option<OnFailure>,
    /// Dropped after the last exchange that used the instance.
    _owner: Arc<dyn std::any::Any + Send + Sync>,
}

/// How a hook failed.
#[derive(Debug)]
pub enum Fault {
    /// It returned an error with this text.
    Error(Box<str>),
    /// It passed its deadline.
    Timeout(Duration),
    /// It panicked with this text.
    Panic(Box<str>),
    /// It was not called: the instance is out of service.
    Quarantined,
    /// It was not called: this many of its calls run already.
    Busy(u32),
}

/// What the failures of an instance do to an exchange, as configured or by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnFailures {
    /// An error.
    pub error: OnFailure,
    /// A missed deadline.
    pub timeout: OnFailure,
    /// A panic.
    pub panic: OnFailure,
    /// A call that is not made, because the instance is out of service.
    pub quarantine: OnFailure,
}

/// What a call returned, and how long it took.
#[derive(Debug)]
pub(crate) struct Called<T> {
    pub(crate) result: Result<T, Fault>,
    pub(crate) took: Duration,
}

impl Hooked {
    /// Joins an instance and its plan. `None` when the plan switches it off.
    ///
    /// `owner` is dropped after the last exchange that used the instance.
    #[must_use]
    pub fn new(
        plan: &InstancePlan,
        index: u32,
        instance: Instance,
        gate: Arc<Gate>,
        owner: Arc<dyn std::any::Any + Send + Sync>,
    ) -> Option<Arc<Self>> {
        let is_shadow = match plan.mode {
            RunMode::Off => return None,
            RunMode::Shadow => true,
            RunMode::Enforce => false,
        };
        let transform = instance.request.as_ref();
        let transform_phase =
            transform.map(|hook| gate.fixed(Hook::Wants, TransformPhase::Client, || hook.phase()));
        let limiter = instance.limiter.as_ref();
        let limit_phase = limiter.map(|hook| gate.fixed(Hook::Reserve, LimitPhase::Spend, || hook.phase()));
        let filter = instance.response.as_ref();
        let lets_sessions_pass = transform
            .is_none_or(|hook| gate.fixed(Hook::Wants, false, || hook.lets_sessions_pass()))
            && filter.is_none_or(|hook| gate.fixed(Hook::Open, false, || hook.lets_sessions_pass()));
        Some(Arc::new(Self {
            id: plan.id.clone(),
            index,
            lets_sessions_pass,
            transform_phase,
            limit_phase,
            instance,
            is_shadow,
            gate,
            deadline: plan.deadline,
            in_flight_max: plan.in_flight_max,
            is_isolated: plan.isolate,
            on_error: plan.on_error,
            on_timeout: plan.on_timeout,
            on_panic: plan.on_panic,
            _owner: owner,
        }))
    }

    /// How long an asynchronous hook may take.
    #[must_use]
    pub fn deadline(&self) -> Duration {
        self.deadline
    }

    /// What becomes of an exchange when a hook of the instance fails.
    #[must_use]
    pub fn on_failures(&self, hook: Hook) -> OnFailures {
        let effective = |fault: &Fault| self.policy_for(fault).0.unwrap_or(default_policy(hook));
        OnFailures {
            error: effective(&Fault::Error("".into())),
            timeout: effective(&Fault::Timeout(self.deadline)),
            panic: effective(&Fault::Panic("".into())),
            quarantine: effective(&Fault::Quarantined),
        }
    }

    /// How the instance, as a filter, wants to see an answer.
    ///
    /// # Errors
    ///
    /// It panicked at the question.
    pub fn filter_plan(&self, head: &ResponseHead, cx: &RequestCx) -> Result<FilterPlan, Fault> {
        let Some(filter) = &self.instance.response else { return Ok(FilterPlan::Skip) };
        self.run(Hook::Open, || Ok(filter.plan(head, cx)))
    }

    /// Whether the instance says that it can do its work; one that panics at the question cannot.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.run(Hook::Ready, || Ok(self.instance.life.is_ready())).unwrap_or(false)
    }

    /// Whether an exchange can go on as if the instance had not been there: it only watches, or some failure of it
    /// is skipped.
    pub(crate) fn may_be_left_out(&self) -> bool {
        let policies = [self.on_error, self.on_timeout, self.on_panic];
        self.is_shadow || policies.contains(&Some(OnFailure::Skip))
    }

    /// Whether asynchronous hooks run on the runtime of extensions.
    pub(crate) fn is_isolated(&self) -> bool {
        self.is_isolated
    }

    /// Runs an asynchronous hook inside the fence, on the current thread.
    pub(crate) async fn call<'f, T>(
        &self,
        worker: &Worker,
        hook: Hook,
        make: impl FnOnce() -> BoxFuture<'f, Result<T, ExtError>>,
    ) -> Called<T> {
        let began = worker.clock.now();
        let result = match self.gate.take_off(began, self.in_flight_max) {
            Ok(_flight) => self.fenced(hook, make).await,
            Err(closed) => Err(closed.into()),
        };
        Called { result, took: worker.clock.now().saturating_duration_since(began) }
    }

    /// Runs an asynchronous hook inside the fence on the runtime of extensions, with the state that it works on.
    /// The state comes back unless the hook blocked its thread beyond deadline and stall; then it is lost.
    pub(crate) async fn call_isolated<S, T, F>(
        self: &Arc<Self>,
        worker: &Worker,
        hook: Hook,
        mut state: S,
        run: F,
    ) -> (Option<S>, Called<T>)
    where
        S: Send + 'static,
        T: Send + 'static,
        F: for<'s> FnOnce(&'s mut S) -> BoxFuture<'s, Result<T, ExtError>> + Send + 'static,
    {
        let began = worker.clock.now();
        let this = Arc::clone(self);
        let running = worker.isolation.spawn(aside(async move {
            let result = match this.gate.take_off(began, this.in_flight_max) {
                Ok(_flight) => this.fenced(hook, || run(&mut state)).await,
                Err(closed) => Err(closed.into()),
            };
            (state, result)
        }));
        let mut running = AbortOnDrop(running);
        let patience = self.deadline + self.gate.stall();
        let (state, result) = match tokio::time::timeout(patience, &mut running.0).await {
            Ok(Ok((state, result))) => (Some(state), result),
            Ok(Err(_)) => (None, Err(Fault::Panic("and took the exchange's state with it".into()))),
            Err(_) => (None, Err(Fault::Timeout(self.deadline))),
        };
        (state, Called { result, took: worker.clock.now().saturating_duration_since(began) })
    }

    /// The fence around a future: making it, its polls, and its drop, until the deadline.
    pub(crate) async fn fenced<'f, T>(
        &self,
        hook: Hook,
        make: impl FnOnce() -> BoxFuture<'f, Result<T, ExtError>>,
    ) -> Result<T, Fault> {
        let mut guarded = Guarded::new(&self.gate, hook, self.run(hook, || Ok(make()))?);
        // Most hooks are ready at once; the timer exists only for those that are not.
        let mut timer = None;
        poll_fn(|cx| {
            if let Poll::Ready(result) = guarded.poll(cx) {
                return Poll::Ready(result);
            }
            timer
                .get_or_insert_with(|| Box::pin(tokio::time::sleep(self.deadline)))
                .as_mut()
                .poll(cx)
                .map(|()| Err(Fault::Timeout(self.deadline)))
        })
        .await
    }

    /// Runs a synchronous hook, or a stretch of an asynchronous one, inside the fence. Time is measured by the
    /// caller, per answer, because a clock costs more than most hooks.
    pub(crate) fn run<T>(&self, hook: Hook, run: impl FnOnce() -> Result<T, ExtError>) -> Result<T, Fault> {
        self.gate.run(hook, run)
    }

    /// Runs an asynchronous hook off the data path: a delivery to a sink. Counts and logs what came of it.
    ///
    /// # Errors
    ///
    /// The fault, which is judged already.
    ///
    /// # Cancellation
    ///
    /// The hook's future is dropped.
    pub async fn deliver<'f>(
        &self,
        hook: Hook,
        make: impl FnOnce() -> BoxFuture<'f, Result<(), ExtError>>,
    ) -> Result<(), Fault> {
        let began = Instant::now();
        let result = match self.gate.take_off(began, self.in_flight_max) {
            Ok(_flight) => self.fenced(hook, make).await,
            Err(closed) => Err(closed.into()),
        };
        let came_of_it = result.as_ref().map_or_else(Fault::result, |()| HookResult::Passed);
        self.gate.observer().called(hook, came_of_it, 1, began.elapsed());
        match result {
            Ok(()) => {
                self.gate.passed();
                Ok(())
            }
            Err(fault) => {
                // Nobody waits for a delivery; it is made again.
                self.note(hook, &fault, (None, Instant::now()), false);
                Err(fault)
            }
        }
    }

    /// Runs a synchronous hook that is called once per exchange or try, unless the instance is out of service.
    pub(crate) fn call_sync<T>(
        &self,
        worker: &Worker,
        hook: Hook,
        run: impl FnOnce() -> Result<T, ExtError>,
    ) -> Called<T> {
        let began = worker.clock.now();
        let result = match self.gate.admit(began) {
            Ok(()) => self.run(hook, run),
            Err(closed) => Err(closed.into()),
        };
        Called { result, took: worker.clock.now().saturating_duration_since(began) }
    }

    /// Counts a fault, writes it down, and says what it means for the exchange: `None` when it goes on without this
    /// instance.
    pub(crate) fn judge(&self, hook: Hook, fault: &Fault, subject: &Subject) -> Option<Failure> {
        let (policy, cause) = self.policy_for(fault);
        let denies = !self.is_shadow && policy.unwrap_or(default_policy(hook)) == OnFailure::Deny;
        self.note(hook, fault, (subject.tenant(), subject.now()), denies);
        subject.audit(AuditAction::ExtensionFailed, Some((self, hook)), fault.result().as_str());
        denies.then(|| {
            let text = format!("the extension instance `{}` failed in its {} hook", self.id, hook.as_str());
            Failure::new(Side::Gateway, FailureKind::Extension, text).with_detail(cause)
        })
    }

    /// Counts and logs a fault, and tells the circuit.
    fn note(&self, hook: Hook, fault: &Fault, (tenant, now): (Option<&TenantId>, Instant), denied: bool) {
        self.gate.observer().failed(hook, fault.result(), tenant);
        if matches!(fault, Fault::Quarantined | Fault::Busy(_)) {
            return;
        }
        self.gate.failed(now);
        tracing::warn!(
            instance = %self.id,
            extension = self.instance.extension,
            hook = hook.as_str(),
            outcome = fault.result().as_str(),
            denied,
            cause = %fault,
            "Extension failed"
        );
    }

    fn policy_for(&self, fault: &Fault) -> (Option<OnFailure>, String) {
        match fault {
            Fault::Error(_) | Fault::Busy(_) => (self.on_error, fault.to_string()),
            Fault::Timeout(_) => (self.on_timeout, fault.to_string()),
            Fault::Panic(_) => (self.on_panic, fault.to_string()),
            Fault::Quarantined => {
                let why = self.gate.out_of_service().map(OutOfService::text);
                let why = why.unwrap_or("it is tried again at this moment");
                (self.on_error, format!("{fault}: {why}"))
            }
        }
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Error(text) => write!(f, "returned an error: {text}"),
            Self::Timeout(after) => write!(f, "did not finish within {after:?}"),
            Self::Panic(text) => write!(f, "panicked: {text}"),
            Self::Quarantined => f.write_str("is out of service"),
            Self::Busy(most) => write!(f, "has {most} calls under way already"),
        }
    }
}

impl Fault {
    /// The fault as metrics call it.
    #[must_use]
    pub fn result(&self) -> HookResult {
        match self {
            Self::Error(_) => HookResult::Error,
            Self::Timeout(_) => HookResult::Timeout,
            Self::Panic(_) => HookResult::Panic,
            Self::Quarantined => HookResult::Quarantined,
            Self::Busy(_) => HookResult::Busy,
        }
    }
}

impl From<Closed> for Fault {
    fn from(closed: Closed) -> Self {
        match closed {
            Closed::Quarantined => Self::Quarantined,
            Closed::Busy(most) => Self::Busy(most),
        }
    }
}

/// Something that a synchronous hook asked to be awaited, under the instance's deadline and inside the fence.
pub(crate) struct Waiting<T> {
    hooked: Arc<Hooked>,
    hook: Hook,
    /// Taken away at the end, so that its drop happens inside the fence.
    future: Option<BoxFuture<'static, Result<T, ExtError>>>,
    deadline: std::pin::Pin<Box<tokio::time::Sleep>>,
}

impl<T> Waiting<T> {
    pub(crate) fn new(
        hooked: &Arc<Hooked>,
        hook: Hook,
        future: BoxFuture<'static, Result<T, ExtError>>,
    ) -> Self {
        let deadline = Box::pin(tokio::time::sleep(hooked.deadline));
        Self { hooked: Arc::clone(hooked), hook, future: Some(future), deadline }
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, Fault>> {
        let Some(future) = &mut self.future else { return Poll::Pending };
        if let Poll::Ready(result) = poll_inside(&self.hooked.gate, self.hook, future, cx) {
            return Poll::Ready(result);
        }
        self.deadline.as_mut().poll(cx).map(|()| Err(Fault::Timeout(self.hooked.deadline)))
    }
}

impl<T> Drop for Waiting<T> {
    fn drop(&mut self) {
        if let Some(future) = self.future.take() {
            self.hooked.gate.discard(future);
        }
    }
}

/// A task that ends with whoever waits for it.
pub(crate) struct AbortOnDrop<T>(pub(crate) tokio::task::JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Points that guard something deny when they fail; exports, and what only advises, do not stop an answer.
const fn default_policy(hook: Hook) -> OnFailure {
    match hook {
        Hook::Deliver | Hook::Audit | Hook::Pick | Hook::Tried | Hook::Estimate | Hook::Drop => {
            OnFailure::Skip
        }
        _ => OnFailure::Deny,
    }
}

/// What a panic said.
#[must_use]
pub fn panic_text(payload: &(dyn std::any::Any + Send)) -> Box<str> {
    let text = payload
        .downcast_ref::<&'static str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a payload that is no text");
    text.into()
}
