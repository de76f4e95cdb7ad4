//! Errors as clients read them.

use std::borrow::Cow;
use std::time::Duration;

use http::StatusCode;

use crate::RequestId;

/// An error as a client reads it, before a dialect gives it its shape.
#[derive(Clone, Debug)]
pub struct ErrorBody<'a> {
    /// The status of the answer; in a stream, the status that it would have been.
    pub status: StatusCode,
    /// The error's class.
    pub class: ErrorClass,
    /// A machine-readable code.
    pub code: Option<Cow<'a, str>>,
    /// What is wrong and what to change.
    pub message: Cow<'a, str>,
    /// The field at fault.
    pub param: Option<Cow<'a, str>>,
    /// The exchange, so that a caller can quote it.
    pub request_id: Option<RequestId>,
    /// How long to wait.
    pub retry_after: Option<Duration>,
}

/// The classes of errors that the dialects tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// The request must be changed.
    InvalidRequest,
    /// The credential is missing or not accepted.
    Authentication,
    /// The credential may not do this.
    Permission,
    /// No such thing.
    NotFound,
    /// The body is too large.
    TooLarge,
    /// Later.
    RateLimit,
    /// Money or quota ran out.
    Quota,
    /// No capacity.
    Overloaded,
    /// A deadline passed.
    Timeout,
    /// The server's side failed.
    Server,
}
