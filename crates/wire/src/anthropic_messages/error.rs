//! Errors as the dialect's clients read them.

use bytes::Bytes;
use gatewright::dialect::{ErrorBody, ErrorClass};

use crate::json::quote_into;

/// The error object in its envelope.
pub(super) fn render(error: &ErrorBody<'_>) -> Bytes {
    let mut out = Vec::with_capacity(160 + error.message.len());
    out.extend_from_slice(br#"{"type":"error","error":{"type":"#);
    quote_into(&mut out, error_type(error.class));
    out.extend_from_slice(br#","message":"#);
    quote_into(&mut out, &error.message);
    // Not members of the reference, which lets an error have more than it names.
    for (key, value) in [("code", &error.code), ("param", &error.param)] {
        if let Some(value) = value {
            out.push(b',');
            quote_into(&mut out, key);
            out.push(b':');
            quote_into(&mut out, value);
        }
    }
    out.extend_from_slice(br#"},"request_id":"#);
    match &error.request_id {
        Some(id) => quote_into(&mut out, id.as_str()),
        None => out.extend_from_slice(b"null"),
    }
    out.push(b'}');
    Bytes::from(out)
}

const fn error_type(class: ErrorClass) -> &'static str {
    match class {
        ErrorClass::InvalidRequest => "invalid_request_error",
        ErrorClass::Authentication => "authentication_error",
        ErrorClass::Permission => "permission_error",
        ErrorClass::NotFound => "not_found_error",
        ErrorClass::TooLarge => "request_too_large",
        ErrorClass::RateLimit => "rate_limit_error",
        ErrorClass::Quota => "billing_error",
        ErrorClass::Overloaded => "overloaded_error",
        ErrorClass::Timeout => "timeout_error",
        ErrorClass::Server => "api_error",
    }
}
