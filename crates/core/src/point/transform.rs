//! Requests on their way in.

use async_trait::async_trait;

use crate::{HookResult, LlmRequest, RequestCx};

/// When a transform runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TransformPhase {
    /// Once per call of a client, before anything is reserved.
    Client,
    /// For every try at a provider, on a copy of the request.
    Attempt,
}

/// Reads and edits a request, or refuses it.
///
/// # Example
///
/// ```
/// use gatewright::prelude::*;
///
/// struct NoSecrets;
///
/// #[async_trait]
/// impl RequestTransform for NoSecrets {
///     async fn on_request(&self, request: &mut LlmRequest, _cx: &mut RequestCx) -> HookResult {
///         if request.contains("BEGIN RSA PRIVATE KEY") {
///             return Ok(Flow::deny(Denial::forbidden("private_key", "remove the private key")));
///         }
///         Ok(Flow::Continue)
///     }
/// }
/// ```
#[async_trait]
pub trait RequestTransform: Send + Sync + 'static {
    /// When it runs. Asked once, when a configuration is put to use.
    fn phase(&self) -> TransformPhase {
        TransformPhase::Client
    }

    /// Whether sessions may pass in which texts and sound flow both ways as events, though the host shows none of them
    /// to the transform. Asked once, when a configuration is put to use. Where nobody says so, a route with an instance that
    /// enforces refuses sessions, so that nothing passes unseen.
    fn lets_sessions_pass(&self) -> bool {
        false
    }

    /// Whether this request concerns the transform at all. Called for every request; it must be
    /// cheap.
    fn wants(&self, request: &LlmRequest, cx: &RequestCx) -> bool {
        let _ = (request, cx);
        true
    }

    /// Reads and edits the request, or refuses it, or answers it.
    ///
    /// # Errors
    ///
    /// A failure of the extension itself; the instance's policy decides what becomes of the
    /// exchange.
    ///
    /// # Cancellation
    ///
    /// Dropped at the instance's deadline, and when the client leaves.
    async fn on_request(&self, request: &mut LlmRequest, cx: &mut RequestCx) -> HookResult;
}
