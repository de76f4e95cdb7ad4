//! What went wrong, said once where it is born: side, kind, whether a retry is safe, the public
//! text and the private detail.
//!
//! A failure is never a decision: a policy that says no returns a [`Denial`](crate::Denial).

use std::borrow::Cow;
use std::time::Duration;

use http::{HeaderMap, StatusCode};

/// Who caused a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The caller: a malformed request, a vanished connection.
    Client,
    /// This process: a bug, an extension, shutdown, a store that is away.
    Gateway,
    /// The provider or the way to it.
    Upstream,
}

impl Side {
    /// `client`, `gateway` or `upstream`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Gateway => "gateway",
            Self::Upstream => "upstream",
        }
    }
}

/// Whether trying again can be harmful or useful.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Retry {
    /// The provider cannot have begun work, or said that a retry is welcome.
    Safe,
    /// The provider may have worked or billed already.
    Unsafe,
    /// The same request fails again wherever it is sent.
    Useless,
}

/// The class of a failure, independent of any dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// The request is malformed or has a wrong type or value.
    Invalid,
    /// The request is well formed, but the provider cannot process what it says.
    Unprocessable,
    /// The prompt and the answer do not fit the model's context.
    ContextTooLong,
    /// No credential, or one that nobody accepts.
    Unauthenticated,
    /// The credential may not do this.
    Forbidden,
    /// No such path or object.
    NotFound,
    /// No such model, or not for this caller.
    ModelNotFound,
    /// The path exists, the method does not.
    MethodNotAllowed,
    /// The body is over the cap.
    TooLarge,
    /// The client stopped sending in the middle of its request.
    ClientTimeout,
    /// The client left before the answer was complete.
    ClientGone,
    /// A limit says: later.
    RateLimited,
    /// Money or quota at the provider ran out; waiting does not help.
    QuotaExhausted,
    /// The provider or the gateway has no capacity right now.
    Overloaded,
    /// The provider cannot be reached, or broke off.
    Unavailable,
    /// A deadline of the upstream call passed.
    Timeout,
    /// The provider answered with something that is not its protocol.
    Malformed,
    /// The provider refused the gateway's own credential.
    UpstreamAuth,
    /// The provider failed on its side.
    UpstreamError,
    /// A content policy of the provider stopped the answer.
    ContentFiltered,
    /// The gateway cannot express this request to the chosen target.
    Unsupported,
    /// The gateway shuts down.
    Shutdown,
    /// An extension failed, and its policy is to deny.
    Extension,
    /// A fault of the gateway.
    Internal,
}

/// A failure on its way to a client, a record and a log line.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Who caused it.
    pub side: Side,
    /// Its class; status and error type follow from it.
    pub kind: FailureKind,
    /// Whether another attempt is safe.
    pub retry: Retry,
    /// What the caller reads: what is wrong and what to change. No secrets, no addresses.
    pub message: Cow<'static, str>,
    /// A stable machine-readable code, in the provider's own words where it gave one.
    pub code: Option<Cow<'static, str>>,
    /// The field of the request that is at fault.
    pub param: Option<Cow<'static, str>>,
    /// The status to answer with, where the provider's own must be kept.
    pub status: Option<StatusCode>,
    /// How long to wait before another try.
    pub retry_after: Option<Duration>,
    /// Headers for the client, for example the provider's rate-limit figures.
    pub headers: Option<Box<HeaderMap>>,
    /// What operators read in the log. Never sent to a client.
    pub detail: Option<Box<str>>,
}

impl Failure {
    /// A failure with its class and public text; the rest has the defaults of the class.
    #[must_use]
    pub fn new(side: Side, kind: FailureKind, message: impl Into<Cow<'static, str>>) -> Self {
        let retry = match side {
            Side::Client => Retry::Useless,
            Side::Gateway | Side::Upstream => Retry::Unsafe,
        };
        Self {
            side,
            kind,
            retry,
            message: message.into(),
            code: None,
            param: None,
            status: None,
            retry_after: None,
            headers: None,
            detail: None,
        }
    }

    /// A malformed request: `param` names the field, `message` says what to change.
    #[must_use]
    pub fn invalid(param: impl Into<Cow<'static, str>>, message: impl Into<Cow<'static, str>>) -> Self {
        Self { param: Some(param.into()), ..Self::new(Side::Client, FailureKind::Invalid, message) }
    }

    /// A fault of the gateway; the client learns only that, the log learns `detail`.
    #[must_use]
    pub fn internal(detail: impl Into<Box<str>>) -> Self {
        let text = "the gateway failed to process the request";
        Self { detail: Some(detail.into()), ..Self::new(Side::Gateway, FailureKind::Internal, text) }
    }

    /// The same failure with a machine-readable code.
    #[must_use]
    pub fn with_code(self, code: impl Into<Cow<'static, str>>) -> Self {
        Self { code: Some(code.into()), ..self }
    }

    /// The same failure with a detail for the log.
    #[must_use]
    pub fn with_detail(self, detail: impl Into<Box<str>>) -> Self {
        Self { detail: Some(detail.into()), ..self }
    }

    /// The same failure with another retry class.
    #[must_use]
    pub fn with_retry(self, retry: Retry) -> Self {
        Self { retry, ..self }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}
