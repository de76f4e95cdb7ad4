//! Errors as the family's clients read them.

use bytes::Bytes;
use gatewright::dialect::{ErrorBody, ErrorClass};

use crate::json::quote_into;

/// The error object in its envelope.
pub(crate) fn render(error: &ErrorBody<'_>) -> Bytes {
    let mut out = Vec::with_capacity(192 + error.message.len());
    out.extend_from_slice(br#"{"error":{"message":"#);
    quote_into(&mut out, &error.message);
    out.extend_from_slice(br#","type":"#);
    quote_into(&mut out, error_type(error.class));
    member(&mut out, "param", error.param.as_deref());
    member(&mut out, "code", error.code.as_deref());
    if let Some(id) = &error.request_id {
        member(&mut out, "request_id", Some(id.as_str()));
    }
    out.extend_from_slice(b"}}");
    Bytes::from(out)
}

fn member(out: &mut Vec<u8>, key: &str, value: Option<&str>) {
    out.push(b',');
    quote_into(out, key);
    out.push(b':');
    match value {
        Some(value) => quote_into(out, value),
        None => out.extend_from_slice(b"null"),
    }
}

const fn error_type(class: ErrorClass) -> &'static str {
    match class {
        ErrorClass::InvalidRequest | ErrorClass::NotFound | ErrorClass::TooLarge => "invalid_request_error",
        ErrorClass::Authentication => "authentication_error",
        ErrorClass::Permission => "permission_error",
        ErrorClass::RateLimit => "rate_limit_error",
        ErrorClass::Quota => "insufficient_quota",
        ErrorClass::Overloaded => "overloaded_error",
        ErrorClass::Timeout => "timeout_error",
        ErrorClass::Server => "server_error",
    }
}
