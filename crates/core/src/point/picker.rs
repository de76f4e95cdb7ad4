//! Which target the next try goes to.

use std::sync::Arc;
use std::time::Duration;

use crate::{FailureKind, HookResult, LlmRequest, Money, ProviderName, RequestCx, Usage};

/// A target of the model that the caller asked for.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Who serves it.
    pub provider: ProviderName,
    /// The model name that the provider is asked for.
    pub model: Arc<str>,
    /// Its weight in the configuration.
    pub weight: u32,
    /// Whether this exchange tried it already; such a target cannot be picked again.
    pub is_tried: bool,
    /// The price of the estimated usage, where it is known.
    pub price: Option<Money>,
}

/// What became of one try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryResult {
    /// The answer began.
    Answered,
    /// It failed.
    Failed(FailureKind),
}

/// What a try shows of its target.
#[derive(Clone, Debug)]
pub struct Try<'a> {
    /// Who was asked.
    pub provider: &'a ProviderName,
    /// For which model.
    pub model: &'a str,
    /// What became of it.
    pub result: TryResult,
    /// From the call to the beginning of the answer, or to the failure.
    pub took: Duration,
    /// What is known of its consumption at this moment.
    pub usage: Usage,
}

/// Picks targets, by cost, latency or any rule.
///
/// A model of the configuration names the instance under `picker`. Its calls are synchronous, because they stand
/// before every try; keep what they need at hand.
///
/// # Example
///
/// ```
/// use gatewright::prelude::*;
/// use gatewright::{Candidate, TargetPicker};
///
/// /// The cheapest target that was not tried yet.
/// struct Cheapest;
///
/// impl TargetPicker for Cheapest {
///     fn pick(
///         &self,
///         candidates: &[Candidate],
///         _request: &LlmRequest,
///         _cx: &RequestCx,
///     ) -> HookResult<Option<usize>> {
///         let open = candidates.iter().enumerate().filter(|(_, target)| !target.is_tried);
///         Ok(open.filter(|(_, target)| target.price.is_some()).min_by_key(|(_, t)| t.price).map(|(i, _)| i))
///     }
/// }
/// ```
pub trait TargetPicker: Send + Sync + 'static {
    /// The place of the target to try next. `None` leaves it to the model's `strategy`.
    ///
    /// # Errors
    ///
    /// A failure of the extension itself; by its policy the strategy decides, or the exchange fails.
    fn pick(
        &self,
        candidates: &[Candidate],
        request: &LlmRequest,
        cx: &RequestCx,
    ) -> HookResult<Option<usize>>;

    /// A try ended or its answer began.
    fn observe(&self, tried: &Try<'_>) {
        let _ = tried;
    }
}
