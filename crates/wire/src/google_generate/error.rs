//! Errors as the dialect's clients read them: a status of `google.rpc` with typed details.

use bytes::Bytes;
use gatewright::dialect::{ErrorBody, ErrorClass};

use crate::json::{ListWriter, ObjectWriter};

/// The name of the types of details, up to the type.
const TYPE: &str = "type.googleapis.com/google.rpc.";

/// The error object in its envelope.
pub(crate) fn render(error: &ErrorBody<'_>) -> Bytes {
    let mut out = Vec::with_capacity(256 + error.message.len());
    let mut envelope = ObjectWriter::open(&mut out);
    let mut object = envelope.object("error");
    object.number("code", error.status.as_u16().into());
    object.str("message", &error.message);
    object.str("status", status(error));
    let mut details = Vec::new();
    let mut list = ListWriter::open(&mut details);
    if let Some(code) = &error.code {
        detail(&mut list, "ErrorInfo", |info| {
            info.str("reason", code);
            info.str("domain", "gatewright");
        });
    }
    if let Some(param) = &error.param {
        detail(&mut list, "BadRequest", |bad| {
            let mut violations = bad.list("fieldViolations");
            let mut violation = violations.object();
            violation.str("field", param);
            violation.str("description", &error.message);
            violation.close();
            violations.close();
        });
    }
    if let Some(wait) = error.retry_after {
        detail(&mut list, "RetryInfo", |retry| {
            retry.str("retryDelay", &format!("{}s", wait.as_millis().div_ceil(1_000)));
        });
    }
    if let Some(id) = &error.request_id {
        detail(&mut list, "RequestInfo", |request| request.str("requestId", id.as_str()));
    }
    let has_details = !list.is_empty();
    list.close();
    if has_details {
        object.key("details").extend_from_slice(&details);
    }
    object.close();
    envelope.close();
    Bytes::from(out)
}

fn detail(list: &mut ListWriter<'_>, kind: &str, fill: impl FnOnce(&mut ObjectWriter<'_>)) {
    let mut object = list.object();
    object.str("@type", &format!("{TYPE}{kind}"));
    fill(&mut object);
    object.close();
}

fn status(error: &ErrorBody<'_>) -> &'static str {
    match error.class {
        ErrorClass::InvalidRequest | ErrorClass::TooLarge => "INVALID_ARGUMENT",
        ErrorClass::Authentication => "UNAUTHENTICATED",
        ErrorClass::Permission => "PERMISSION_DENIED",
        ErrorClass::NotFound => "NOT_FOUND",
        ErrorClass::RateLimit | ErrorClass::Quota => "RESOURCE_EXHAUSTED",
        ErrorClass::Overloaded => "UNAVAILABLE",
        ErrorClass::Timeout => "DEADLINE_EXCEEDED",
        ErrorClass::Server if matches!(error.status.as_u16(), 502 | 503) => "UNAVAILABLE",
        ErrorClass::Server => "INTERNAL",
    }
}
