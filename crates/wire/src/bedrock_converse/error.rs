//! Errors: those that clients of the dialect read, and those that its provider writes.

use bytes::Bytes;
use gatewright::Failure;
use gatewright::dialect::{ErrorBody, ErrorClass};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::event::Kind;
use super::out::{self, Object};
use crate::refusal;

/// Where an error answer names its class.
const ERROR_TYPE: &str = "x-amzn-errortype";

/// An error body. The class stands in it too, for clients that look nowhere else.
pub(crate) fn render(error: &ErrorBody<'_>) -> Bytes {
    let name = name(error.class);
    Bytes::from(out::made(|object| {
        object.text("__type", &capitalised(name));
        // Clients of the dialect take `code` in a body for the class, so it has another name there.
        members(error, "reason", object);
    }))
}

/// The header in which clients look for the class.
pub(crate) fn header(error: &ErrorBody<'_>) -> Option<(HeaderName, HeaderValue)> {
    let class = HeaderValue::try_from(capitalised(name(error.class))).ok()?;
    Some((HeaderName::from_static(ERROR_TYPE), class))
}

/// The payload of an exception inside a stream, and its name.
pub(crate) fn exception(error: &ErrorBody<'_>) -> (&'static str, Vec<u8>) {
    let name = match error.class {
        ErrorClass::InvalidRequest | ErrorClass::NotFound | ErrorClass::TooLarge => "validationException",
        ErrorClass::RateLimit | ErrorClass::Quota => "throttlingException",
        ErrorClass::Overloaded => "serviceUnavailableException",
        ErrorClass::Authentication | ErrorClass::Permission | ErrorClass::Timeout | ErrorClass::Server => {
            "modelStreamErrorException"
        }
    };
    (name, out::made(|object| members(error, "code", object)))
}

fn members(error: &ErrorBody<'_>, code_key: &str, object: &mut Object<'_>) {
    object.text("message", &error.message);
    if let Some(code) = &error.code {
        object.text(code_key, code);
    }
    if let Some(param) = &error.param {
        object.text("param", param);
    }
    if let Some(id) = &error.request_id {
        object.text("requestId", id.as_str());
    }
}

const fn name(class: ErrorClass) -> &'static str {
    match class {
        ErrorClass::InvalidRequest | ErrorClass::TooLarge => "validationException",
        ErrorClass::Authentication => "unrecognizedClientException",
        ErrorClass::Permission => "accessDeniedException",
        ErrorClass::NotFound => "resourceNotFoundException",
        ErrorClass::RateLimit => "throttlingException",
        ErrorClass::Quota => "serviceQuotaExceededException",
        ErrorClass::Overloaded => "serviceUnavailableException",
        ErrorClass::Timeout => "modelTimeoutException",
        ErrorClass::Server => "internalServerException",
    }
}

fn capitalised(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + chars.as_str())
}

/// Reads a provider's error answer. Its class stands in a header, in front of a colon and an address.
pub(crate) fn parse(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Failure {
    let class = headers.get(ERROR_TYPE).and_then(|value| value.to_str().ok());
    let class = class.and_then(|class| class.split([':', '#']).next());
    refusal::parse_classed(status, headers, body, class)
}

/// Reads a failure inside a stream.
pub(super) fn parse_in_stream(kind: &Kind<'_>, payload: &[u8]) -> Failure {
    match kind {
        Kind::Event(name) | Kind::Exception(name) => refusal::parse_classed_in_stream(payload, name),
        Kind::Fault { code, message } => {
            let body = out::made(|body| body.text("message", message));
            refusal::parse_classed_in_stream(&body, code)
        }
    }
}
