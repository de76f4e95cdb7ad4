//! What a hook may decide, and how it fails.
//!
//! A denial is a decision, and no failure policy ever touches it.
//! A failure is an [`ExtError`], a passed deadline or a panic, and the policy of the instance
//! (`on_error`, `on_timeout`, `on_panic`) says what becomes of the exchange.

use std::borrow::Cow;
use std::time::Duration;

use http::{HeaderMap, StatusCode};

use crate::LlmResponse;

/// What a hook returns: a decision, or a failure of the extension itself.
pub type HookResult<T = Flow> = Result<T, ExtError>;

/// A failure of an extension. Any error converts into it, so `?` works in hooks.
#[derive(Debug)]
pub struct ExtError(Box<dyn std::error::Error + Send + Sync>);

impl ExtError {
    /// A failure with a text of its own.
    #[must_use]
    pub fn new(message: impl Into<Cow<'static, str>>) -> Self {
        Self(message.into().into_owned().into())
    }

    /// The cause.
    #[must_use]
    pub fn cause(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
        &*self.0
    }
}

impl std::fmt::Display for ExtError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(&self.0, f)
    }
}

impl<E: std::error::Error + Send + Sync + 'static> From<E> for ExtError {
    fn from(error: E) -> Self {
        Self(Box::new(error))
    }
}

/// How the exchange goes on after a request hook.
#[derive(Debug)]
#[must_use]
pub enum Flow {
    /// To the next hook.
    Continue,
    /// The caller is refused; nothing is sent to a provider.
    Deny(Box<Denial>),
    /// The extension answers in the provider's place.
    Respond(Box<LlmResponse>),
}

impl Flow {
    /// Refuses the caller.
    pub fn deny(denial: Denial) -> Self {
        Self::Deny(Box::new(denial))
    }
}

/// A refusal by policy, rendered in the caller's own dialect.
#[derive(Clone, Debug)]
pub struct Denial {
    /// The status, 4xx or 5xx.
    pub status: StatusCode,
    /// A stable machine-readable code, for example `blocked_domain`.
    pub code: Cow<'static, str>,
    /// What the caller reads: the reason and what to change.
    pub message: Cow<'static, str>,
    /// The field of the request that is at fault, where it is one.
    pub param: Option<Cow<'static, str>>,
    /// Headers for the client.
    pub headers: HeaderMap,
    /// How long to wait before another try.
    pub retry_after: Option<Duration>,
}

impl Denial {
    /// A refusal with a status of its own; a status that is no error becomes 403.
    #[must_use]
    pub fn new(
        status: StatusCode,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        let is_error = status.is_client_error() || status.is_server_error();
        Self {
            status: if is_error { status } else { StatusCode::FORBIDDEN },
            code: code.into(),
            message: message.into(),
            param: None,
            headers: HeaderMap::new(),
            retry_after: None,
        }
    }

    /// 403: the caller may not do this.
    #[must_use]
    pub fn forbidden(code: impl Into<Cow<'static, str>>, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, message)
    }

    /// 401: the credential is not accepted.
    #[must_use]
    pub fn unauthenticated(
        code: impl Into<Cow<'static, str>>,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, code, message)
    }

    /// 400: the request must be changed; `param` names the field at fault, such as `temperature` or
    /// `prompt_template.variables.tone`.
    #[must_use]
    pub fn invalid(
        param: impl Into<Cow<'static, str>>,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { param: Some(param.into()), ..Self::new(StatusCode::BAD_REQUEST, code, message) }
    }

    /// 503: limits that replicas share cannot be counted at this moment.
    #[must_use]
    pub fn uncounted(retry_after: Duration) -> Self {
        let message =
            "limits cannot be counted at this moment, and this one is not passed unseen; try again soon";
        Self {
            retry_after: Some(retry_after),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "limits_unavailable", message)
        }
    }

    /// 429: later. `retry_after` is sent as whole seconds, rounded up.
    #[must_use]
    pub fn too_many(
        code: impl Into<Cow<'static, str>>,
        message: impl Into<Cow<'static, str>>,
        retry_after: Option<Duration>,
    ) -> Self {
        Self { retry_after, ..Self::new(StatusCode::TOO_MANY_REQUESTS, code, message) }
    }
}
