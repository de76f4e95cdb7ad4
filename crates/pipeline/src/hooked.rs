//! An instance of an extension as the data path holds it: the live object, its policy for
//! failures, and the fence around every call.
//!
//! The fence catches panics, ends asynchronous hooks at the deadline, measures, and turns a fault
//! into what the instance's policy says. A decision passes through it untouched.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use gatewright::point::Point;
use gatewright::registry::Instance;
use gatewright::{ExtError, Failure, FailureKind, HookResult, InstanceId, Side};
use gatewright_policy::{InstancePlan, OnFailure, RunMode};

use crate::failure::with_causes;
use crate::observer::{HookEvent, HookOutcome};
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
    deadline: Duration,
    on_error: Option<OnFailure>,
    on_timeout: Option<OnFailure>,
    on_panic: Option<OnFailure>,
    /// Dropped after the last exchange that used the instance.
    _owner: Arc<dyn std::any::Any + Send + Sync>,
}

/// How a hook failed.
#[derive(Debug)]
pub(crate) enum Fault {
    Error(ExtError),
    Timeout(Duration),
    Panic(Box<str>),
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
        owner: Arc<dyn std::any::Any + Send + Sync>,
    ) -> Option<Arc<Self>> {
        let is_shadow = match plan.mode {
            RunMode::Off => return None,
            RunMode::Shadow => true,
            RunMode::Enforce => false,
        };
        Some(Arc::new(Self {
            id: plan.id.clone(),
            index,
            instance,
            is_shadow,
            deadline: plan.deadline,
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

    /// Runs an asynchronous hook inside the fence.
    pub(crate) async fn call<T>(
        &self,
        worker: &Worker,
        point: Point,
        hook: impl Future<Output = HookResult<T>> + Send,
        is_denial: impl FnOnce(&T) -> bool,
    ) -> Result<T, Fault> {
        let began = worker.clock.now();
        let mut hook = pin!(hook);
        // Most hooks are ready at once; the timer exists only for those that are not.
        let mut timer = None;
        let result = poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| hook.as_mut().poll(cx))) {
            Err(payload) => Poll::Ready(Err(Fault::Panic(panic_text(&*payload)))),
            Ok(Poll::Ready(result)) => Poll::Ready(result.map_err(Fault::Error)),
            Ok(Poll::Pending) => timer
                .get_or_insert_with(|| Box::pin(tokio::time::sleep(self.deadline)))
                .as_mut()
                .poll(cx)
                .map(|()| Err(Fault::Timeout(self.deadline))),
        })
        .await;
        let outcome = match &result {
            Ok(value) if is_denial(value) => HookOutcome::Denied,
            Ok(_) => HookOutcome::Passed,
            Err(fault) => fault.outcome(),
        };
        self.report(worker, point, worker.clock.now() - began, outcome);
        result
    }

    /// Runs a synchronous hook inside the fence. Time is measured by the caller, per answer.
    pub(crate) fn call_sync<T>(hook: impl FnOnce() -> HookResult<T>) -> Result<T, Fault> {
        match catch_unwind(AssertUnwindSafe(hook)) {
            Err(payload) => Err(Fault::Panic(panic_text(&*payload))),
            Ok(result) => result.map_err(Fault::Error),
        }
    }

    pub(crate) fn report(&self, worker: &Worker, point: Point, took: Duration, result: HookOutcome) {
        worker.observer.hook(&HookEvent { instance: &self.id, point, calls: 1, took, result });
    }

    /// What a fault means for the exchange: `None` when it goes on without this instance.
    pub(crate) fn judge(&self, point: Point, fault: &Fault) -> Option<Failure> {
        let (policy, cause) = match fault {
            Fault::Error(error) => {
                (self.on_error, format!("returned an error: {}", with_causes(error.cause())))
            }
            Fault::Timeout(after) => (self.on_timeout, format!("did not finish within {after:?}")),
            Fault::Panic(text) => (self.on_panic, format!("panicked: {text}")),
        };
        let denies = !self.is_shadow && policy.unwrap_or(default_policy(point)) == OnFailure::Deny;
        tracing::warn!(
            instance = %self.id,
            extension = self.instance.extension,
            point = point.as_str(),
            outcome = fault.outcome().as_str(),
            denied = denies,
            cause,
            "Extension failed"
        );
        denies.then(|| {
            let text = format!("the extension instance `{}` failed in its {} hook", self.id, point.as_str());
            Failure::new(Side::Gateway, FailureKind::Extension, text).with_detail(cause)
        })
    }
}

impl Fault {
    pub(crate) fn outcome(&self) -> HookOutcome {
        match self {
            Self::Error(_) => HookOutcome::Error,
            Self::Timeout(_) => HookOutcome::Timeout,
            Self::Panic(_) => HookOutcome::Panic,
        }
    }
}

/// Points that guard something deny when they fail; exports do not stop an answer.
const fn default_policy(point: Point) -> OnFailure {
    match point {
        Point::UsageSink => OnFailure::Skip,
        _ => OnFailure::Deny,
    }
}

fn panic_text(payload: &(dyn std::any::Any + Send)) -> Box<str> {
    let text = payload
        .downcast_ref::<&'static str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a payload that is no text");
    text.into()
}
