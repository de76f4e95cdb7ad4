//! The one table from a failure or a denial to the status and class that a client reads.
//!
//! The shape of the body is the dialect's; which status and class it carries is decided here and
//! nowhere else.

use gatewright::dialect::{ErrorBody, ErrorClass};
use gatewright::{Denial, Failure, FailureKind, LlmResponse, RequestId};
use http::StatusCode;

/// Why an exchange ends without the provider's answer.
#[derive(Debug)]
pub enum Refusal {
    /// A policy decided so.
    Denied(Box<Denial>),
    /// Something failed.
    Failed(Box<Failure>),
    /// Somebody else answered in the place of the provider: an extension, or the gateway itself.
    Answered(Box<LlmResponse>),
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self::Failed(Box::new(failure))
    }
}

impl From<Denial> for Refusal {
    fn from(denial: Denial) -> Self {
        Self::Denied(Box::new(denial))
    }
}

impl Refusal {
    /// What the client reads; `None` for an answer.
    #[must_use]
    pub fn body(&self, id: RequestId) -> Option<ErrorBody<'_>> {
        match self {
            Self::Denied(denial) => Some(denial_body(denial, id)),
            Self::Failed(failure) => Some(failure_body(failure, id)),
            Self::Answered(_) => None,
        }
    }

    /// The machine-readable code for records and logs; `None` for an answer.
    #[must_use]
    pub fn code(&self) -> Option<std::borrow::Cow<'static, str>> {
        match self {
            Self::Denied(denial) => Some(denial.code.clone()),
            Self::Failed(failure) => Some(code_of(failure)),
            Self::Answered(_) => None,
        }
    }
}

/// An error with everything that caused it, on one line for the log.
#[must_use]
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// The machine-readable code of a failure.
pub(crate) fn code_of(failure: &Failure) -> std::borrow::Cow<'static, str> {
    failure.code.clone().unwrap_or_else(|| row(failure.kind).code.unwrap_or("invalid_request").into())
}

/// What a failure of one kind looks like by default.
struct Row {
    status: StatusCode,
    class: ErrorClass,
    code: Option<&'static str>,
}

const fn as_row(status: StatusCode, class: ErrorClass, code: Option<&'static str>) -> Row {
    Row { status, class, code }
}

fn row(kind: FailureKind) -> Row {
    use ErrorClass as Class;
    use StatusCode as Status;
    match kind {
        FailureKind::Invalid => as_row(Status::BAD_REQUEST, Class::InvalidRequest, None),
        FailureKind::Unprocessable => as_row(Status::UNPROCESSABLE_ENTITY, Class::InvalidRequest, None),
        FailureKind::ContextTooLong => {
            as_row(Status::BAD_REQUEST, Class::InvalidRequest, Some("context_length_exceeded"))
        }
        FailureKind::Unauthenticated => {
            as_row(Status::UNAUTHORIZED, Class::Authentication, Some("invalid_api_key"))
        }
        FailureKind::Forbidden => as_row(Status::FORBIDDEN, Class::Permission, Some("forbidden")),
        FailureKind::NotFound => as_row(Status::NOT_FOUND, Class::NotFound, Some("not_found")),
        FailureKind::ModelNotFound => as_row(Status::NOT_FOUND, Class::NotFound, Some("model_not_found")),
        FailureKind::MethodNotAllowed => {
            as_row(Status::METHOD_NOT_ALLOWED, Class::InvalidRequest, Some("method_not_allowed"))
        }
        FailureKind::TooLarge => {
            as_row(Status::PAYLOAD_TOO_LARGE, Class::TooLarge, Some("request_too_large"))
        }
        FailureKind::ClientTimeout => {
            as_row(Status::REQUEST_TIMEOUT, Class::Timeout, Some("request_timeout"))
        }
        // Nobody reads this answer; the number is the access log's.
        FailureKind::ClientGone => as_row(Status::BAD_REQUEST, Class::InvalidRequest, Some("client_gone")),
        FailureKind::RateLimited => {
            as_row(Status::TOO_MANY_REQUESTS, Class::RateLimit, Some("rate_limit_exceeded"))
        }
        FailureKind::QuotaExhausted => {
            as_row(Status::TOO_MANY_REQUESTS, Class::Quota, Some("insufficient_quota"))
        }
        FailureKind::Overloaded => as_row(Status::SERVICE_UNAVAILABLE, Class::Overloaded, Some("overloaded")),
        FailureKind::Unavailable => as_row(Status::BAD_GATEWAY, Class::Server, Some("upstream_unavailable")),
        FailureKind::Timeout => as_row(Status::GATEWAY_TIMEOUT, Class::Timeout, Some("upstream_timeout")),
        FailureKind::Malformed => as_row(Status::BAD_GATEWAY, Class::Server, Some("upstream_malformed")),
        FailureKind::UpstreamAuth => {
            as_row(Status::BAD_GATEWAY, Class::Server, Some("upstream_credential_refused"))
        }
        FailureKind::UpstreamError => as_row(Status::BAD_GATEWAY, Class::Server, Some("upstream_error")),
        FailureKind::ContentFiltered => {
            as_row(Status::BAD_REQUEST, Class::InvalidRequest, Some("content_filter"))
        }
        FailureKind::Unsupported => as_row(Status::BAD_REQUEST, Class::InvalidRequest, Some("unsupported")),
        FailureKind::Shutdown => {
            as_row(Status::SERVICE_UNAVAILABLE, Class::Overloaded, Some("server_shutdown"))
        }
        FailureKind::Extension => {
            as_row(Status::INTERNAL_SERVER_ERROR, Class::Server, Some("extension_failed"))
        }
        FailureKind::Internal => as_row(Status::INTERNAL_SERVER_ERROR, Class::Server, Some("internal_error")),
    }
}

/// What a client reads of a failure.
pub(crate) fn failure_body(failure: &Failure, id: RequestId) -> ErrorBody<'_> {
    let row = row(failure.kind);
    ErrorBody {
        status: failure.status.unwrap_or(row.status),
        class: row.class,
        code: failure.code.as_deref().or(row.code).map(Into::into),
        message: failure.message.as_ref().into(),
        param: failure.param.as_deref().map(Into::into),
        request_id: Some(id),
        retry_after: failure.retry_after,
    }
}

/// What a client reads of a denial.
pub(crate) fn denial_body(denial: &Denial, id: RequestId) -> ErrorBody<'_> {
    let class = match denial.status.as_u16() {
        401 => ErrorClass::Authentication,
        403 => ErrorClass::Permission,
        404 => ErrorClass::NotFound,
        413 => ErrorClass::TooLarge,
        429 => ErrorClass::RateLimit,
        503 => ErrorClass::Overloaded,
        500..=599 => ErrorClass::Server,
        _ => ErrorClass::InvalidRequest,
    };
    ErrorBody {
        status: denial.status,
        class,
        code: Some(denial.code.as_ref().into()),
        message: denial.message.as_ref().into(),
        param: denial.param.as_deref().map(Into::into),
        request_id: Some(id),
        retry_after: denial.retry_after,
    }
}

#[cfg(test)]
mod tests {
    use gatewright::dialect::ErrorClass;
    use gatewright::{Denial, Failure, FailureKind, RequestId, Side};
    use http::StatusCode;

    use super::Refusal;

    #[test]
    fn every_kind_has_its_status_class_and_code() {
        use ErrorClass as Class;
        use FailureKind as Kind;
        let table = [
            (Kind::Invalid, 400, Class::InvalidRequest, None),
            (Kind::Unprocessable, 422, Class::InvalidRequest, None),
            (Kind::ContextTooLong, 400, Class::InvalidRequest, Some("context_length_exceeded")),
            (Kind::Unauthenticated, 401, Class::Authentication, Some("invalid_api_key")),
            (Kind::Forbidden, 403, Class::Permission, Some("forbidden")),
            (Kind::NotFound, 404, Class::NotFound, Some("not_found")),
            (Kind::ModelNotFound, 404, Class::NotFound, Some("model_not_found")),
            (Kind::MethodNotAllowed, 405, Class::InvalidRequest, Some("method_not_allowed")),
            (Kind::TooLarge, 413, Class::TooLarge, Some("request_too_large")),
            (Kind::ClientTimeout, 408, Class::Timeout, Some("request_timeout")),
            (Kind::RateLimited, 429, Class::RateLimit, Some("rate_limit_exceeded")),
            (Kind::QuotaExhausted, 429, Class::Quota, Some("insufficient_quota")),
            (Kind::Overloaded, 503, Class::Overloaded, Some("overloaded")),
            (Kind::Unavailable, 502, Class::Server, Some("upstream_unavailable")),
            (Kind::Timeout, 504, Class::Timeout, Some("upstream_timeout")),
            (Kind::Malformed, 502, Class::Server, Some("upstream_malformed")),
            (Kind::UpstreamAuth, 502, Class::Server, Some("upstream_credential_refused")),
            (Kind::UpstreamError, 502, Class::Server, Some("upstream_error")),
            (Kind::ContentFiltered, 400, Class::InvalidRequest, Some("content_filter")),
            (Kind::Unsupported, 400, Class::InvalidRequest, Some("unsupported")),
            (Kind::Shutdown, 503, Class::Overloaded, Some("server_shutdown")),
            (Kind::Extension, 500, Class::Server, Some("extension_failed")),
            (Kind::Internal, 500, Class::Server, Some("internal_error")),
        ];
        for (kind, status, class, code) in table {
            let refusal = Refusal::from(Failure::new(Side::Gateway, kind, "text"));
            let body = refusal.body(RequestId::new(0, 0)).unwrap();
            assert_eq!(
                (body.status.as_u16(), body.class, body.code.as_deref()),
                (status, class, code),
                "{kind:?}"
            );
        }
    }

    #[test]
    fn the_providers_own_status_and_code_win() {
        let mut failure = Failure::new(Side::Upstream, FailureKind::Invalid, "text").with_code("own_code");
        failure.status = Some(StatusCode::IM_A_TEAPOT);
        let refusal = Refusal::from(failure);
        let body = refusal.body(RequestId::new(0, 0)).unwrap();
        assert_eq!((body.status.as_u16(), body.code.as_deref()), (418, Some("own_code")));
    }

    #[test]
    fn a_denial_keeps_its_own_status_and_code() {
        let refusal = Refusal::from(Denial::too_many("requests", "later", None));
        let body = refusal.body(RequestId::new(0, 0)).unwrap();
        assert_eq!(
            (body.status.as_u16(), body.class, body.code.as_deref()),
            (429, ErrorClass::RateLimit, Some("requests"))
        );
        let refusal = Refusal::from(Denial::invalid("n", "too_many_choices", "send less"));
        let body = refusal.body(RequestId::new(0, 0)).unwrap();
        assert_eq!(
            (body.status.as_u16(), body.class, body.param.as_deref()),
            (400, ErrorClass::InvalidRequest, Some("n"))
        );
    }
}
