//! How many tokens a request will take.

use crate::{HookResult, LlmRequest};

/// Estimates prompt tokens, for reservations, price estimates and answers that report no usage.
///
/// A model of the configuration names the instance under `estimator`. It is asked once per exchange, on the
/// worker's own thread; a request that is long to count should be sampled.
///
/// # Example
///
/// ```
/// use gatewright::prelude::*;
/// use gatewright::TokenEstimator;
///
/// /// A token for every three bytes.
/// struct Thirds;
///
/// impl TokenEstimator for Thirds {
///     fn input_tokens(&self, request: &LlmRequest, _model: &str) -> HookResult<Option<u64>> {
///         let mut bytes = 0;
///         request.for_each_text(&mut |part| bytes += part.text.len())?;
///         Ok(Some(bytes.div_ceil(3).try_into()?))
///     }
/// }
/// ```
pub trait TokenEstimator: Send + Sync + 'static {
    /// The prompt tokens of a request for `model`. `None` leaves it to the gateway's own estimate.
    ///
    /// # Errors
    ///
    /// A failure of the extension itself; by its policy the gateway's own estimate counts, or the exchange
    /// fails.
    fn input_tokens(&self, request: &LlmRequest, model: &str) -> HookResult<Option<u64>>;
}
