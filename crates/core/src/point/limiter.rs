//! Limits: reserve before, settle after, exactly once on every end.

use std::time::Duration;

use async_trait::async_trait;

use crate::{BoxFuture, Denial, ExtError, Failure, HookResult, LlmRequest, Money, Outcome, RequestCx, Usage};

/// When a limiter is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LimitPhase {
    /// Before any transform: request counts and concurrency, so that a flood never reaches an
    /// expensive hook. The estimate knows the request's size only.
    Arrival,
    /// After the transforms, with the estimate of what will be sent: tokens and cost.
    Spend,
}

/// What an exchange is expected to consume.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Estimate {
    /// Prompt tokens in `input`, expected output tokens in `output`.
    pub usage: Usage,
    /// The caller's or the model's cap on output tokens, all choices together.
    pub output_cap: Option<u64>,
    /// What `usage` costs at the dearest of the model's targets, or `None` where the price of one is not
    /// known: an unknown price is never zero.
    pub cost: Option<Money>,
}

/// What a limiter says of a request.
#[must_use]
pub enum Admission {
    /// The request is none of this limiter's business.
    Skip,
    /// It may go on; the reservation is settled when the exchange ends.
    Admit(Box<dyn Reservation>, Option<LimitHint>),
    /// It may not.
    Deny(Box<Denial>, Option<LimitHint>),
    /// It may go on later: the host waits and asks again with the same ticket.
    Wait {
        /// How long to wait before asking again.
        after: Duration,
        /// The place in the queue.
        ticket: u64,
    },
}

impl std::fmt::Debug for Admission {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Skip => f.write_str("Skip"),
            Self::Admit(_, hint) => f.debug_tuple("Admit").field(hint).finish(),
            Self::Deny(denial, _) => f.debug_tuple("Deny").field(denial).finish(),
            Self::Wait { after, ticket } => write!(f, "Wait({after:?}, {ticket})"),
        }
    }
}

/// What a limit counts, as far as a caller learns of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum LimitUnit {
    /// Requests.
    #[default]
    Requests,
    /// Tokens, of whatever kind.
    Tokens,
}

/// What the caller learns of a limit, as rate-limit headers; of those of one unit, the tightest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitHint {
    /// What it counts.
    pub unit: LimitUnit,
    /// The limit.
    pub limit: u64,
    /// What is left of it.
    pub remaining: u64,
    /// When it is whole again.
    pub reset: Duration,
}

/// Admits requests and accounts for what they use.
///
/// # Example
///
/// ```
/// use gatewright::prelude::*;
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// /// At most ten thousand output tokens in all.
/// #[derive(Default)]
/// struct Allowance { spent: Arc<AtomicU64> }
///
/// #[async_trait]
/// impl Limiter for Allowance {
///     async fn reserve(
///         &self,
///         _estimate: &Estimate,
///         _request: &LlmRequest,
///         _ticket: Option<u64>,
///         _cx: &mut RequestCx,
///     ) -> HookResult<Admission> {
///         if self.spent.load(Ordering::Relaxed) >= 10_000 {
///             let denial = Denial::too_many("allowance", "the allowance is spent", None);
///             return Ok(Admission::Deny(Box::new(denial), None));
///         }
///         Ok(Admission::Admit(Box::new(Claim(Arc::clone(&self.spent))), None))
///     }
/// }
///
/// struct Claim(Arc<AtomicU64>);
///
/// impl Reservation for Claim {
///     fn settle(self: Box<Self>, outcome: &Outcome) -> Option<BoxFuture<'static, Result<(), ExtError>>> {
///         self.0.fetch_add(outcome.usage().output, Ordering::Relaxed);
///         None
///     }
/// }
/// ```
#[async_trait]
pub trait Limiter: Send + Sync + 'static {
    /// When it is asked for its judgement. It says so once, when a configuration is put to use.
    fn phase(&self) -> LimitPhase {
        LimitPhase::Spend
    }

    /// Judges a request. `ticket` is the one of an earlier [`Admission::Wait`] for it.
    ///
    /// When a later limiter denies, this one's reservation is settled with
    /// [`Outcome::NotSent`].
    ///
    /// # Errors
    ///
    /// A failure of the extension itself; the instance's policy decides.
    ///
    /// # Cancellation
    ///
    /// Dropped at the instance's deadline, and when the client leaves; what was taken until then
    /// must be given back on drop.
    async fn reserve(
        &self,
        estimate: &Estimate,
        request: &LlmRequest,
        ticket: Option<u64>,
        cx: &mut RequestCx,
    ) -> HookResult<Admission>;
}

/// A claim on a limit, held by the exchange that it belongs to.
pub trait Reservation: Send + 'static {
    /// Called as usage grows, with the running total.
    ///
    /// # Errors
    ///
    /// A failure of the extension itself; the instance's policy decides.
    fn progress(&mut self, so_far: &Usage) -> HookResult<Progress> {
        let _ = so_far;
        Ok(Progress::Continue)
    }

    /// Takes the answer to a [`Progress::TopUp`].
    ///
    /// # Errors
    ///
    /// A failure of the extension itself; the instance's policy decides.
    fn topped_up(&mut self, answer: TopUp) -> HookResult<Progress> {
        let _ = answer;
        Ok(Progress::Continue)
    }

    /// Learns what the exchange costs, once and right before [`Reservation::settle`]; `None` where the price
    /// is not known.
    fn charge(&mut self, cost: Option<Money>) {
        let _ = cost;
    }

    /// Ends the claim. The host calls it exactly once, on every end, and it runs to its end even
    /// when the client is gone. What remains to be awaited is returned; a limiter in memory
    /// returns `None`.
    fn settle(self: Box<Self>, outcome: &Outcome) -> Option<BoxFuture<'static, Result<(), ExtError>>>;
}

/// How a stream goes on after its usage grew.
#[must_use]
pub enum Progress {
    /// It goes on.
    Continue,
    /// The answer ends here with this failure in the caller's dialect.
    Cut(Box<Failure>),
    /// More must be reserved first; the host pauses the stream and calls
    /// [`Reservation::topped_up`].
    TopUp(BoxFuture<'static, TopUp>),
}

impl std::fmt::Debug for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Continue => f.write_str("Continue"),
            Self::Cut(failure) => f.debug_tuple("Cut").field(failure).finish(),
            Self::TopUp(_) => f.write_str("TopUp"),
        }
    }
}

/// The answer to a request for more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopUp {
    /// This much was added.
    Granted(u64),
    /// Nothing was added.
    Refused,
}
