//! Calls to services outside, for extensions.
//!
//! The host keeps the connections, the guard against private addresses and the list of origins that an
//! instance may reach (`egress` in its configuration). An instance without such a list reaches nobody.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};

/// Calls over HTTP, bounded by the instance's deadline and egress list.
///
/// # Example
///
/// ```
/// use gatewright::prelude::*;
/// use gatewright::http::Request;
///
/// async fn notify(env: &ExtEnv) -> Result<bool, ExtError> {
///     let call = Request::post("https://hooks.acme.example/seen").body("{}".into())?;
///     let answer = env.http.send(call).await?;
///     Ok(answer.status().is_success())
/// }
/// ```
#[async_trait]
pub trait Http: Send + Sync + 'static {
    /// Sends a request with an absolute URL and collects the answer, at most [`ANSWER_BYTES_MAX`] of it.
    /// Redirects are not followed, and any status is an answer.
    ///
    /// A connection may end in the moment in which it is used again. Where no byte of an answer had come, a request
    /// is sent once more if its method is idempotent (RFC 9110, section 9.2.2), if it has an `Idempotency-Key`, or if
    /// it is [`Repeatable`]; any other only where the other side cannot have processed it.
    ///
    /// # Errors
    ///
    /// See [`HttpError`].
    ///
    /// # Cancellation
    ///
    /// The call is aborted; the other side may have seen it.
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError>;
}

/// An extension of a request that says that it does no harm if the other side sees it twice, whatever its method: it
/// asks a question.
///
/// ```
/// use gatewright::http::Request;
/// use gatewright::service::http::Repeatable;
///
/// let call = Request::post("https://judge.acme.example/verdict").extension(Repeatable).body("{}");
/// assert!(call.is_ok());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Repeatable;

/// The largest answer that is collected, in bytes.
pub const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Why a call brought no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// The request has no absolute `http` or `https` URL.
    #[error("the request has no absolute http or https URL")]
    NotAbsolute,
    /// The origin is not on the instance's list.
    #[error("`{origin}` is not in the instance's `egress` list")]
    Forbidden {
        /// Scheme, host and port.
        origin: String,
    },
    /// The instance only rehearses: nothing leaves the process.
    #[error("nothing is sent to `{origin}` while the configuration is only explained")]
    Rehearsal {
        /// Scheme, host and port.
        origin: String,
    },
    /// No answer came in time.
    #[error("`{origin}` did not answer within {waited:?}")]
    Timeout {
        /// Scheme, host and port.
        origin: String,
        /// The instance's deadline.
        waited: Duration,
    },
    /// The other side cannot be reached, or broke off.
    #[error("`{origin}` cannot be reached: {cause}")]
    Unreachable {
        /// Scheme, host and port.
        origin: String,
        /// What the transport says.
        cause: String,
    },
    /// The answer is larger than [`ANSWER_BYTES_MAX`].
    #[error("the answer of `{origin}` is larger than {bytes_max} bytes")]
    TooLarge {
        /// Scheme, host and port.
        origin: String,
        /// The bound.
        bytes_max: usize,
    },
}
