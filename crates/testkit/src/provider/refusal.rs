//! Error answers in the shape of the public API: `type`, `code`, `param`, `message`.

use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};

use super::behaviour::{BehaviourError, Refusal};
use super::script::Script;

/// A request that gets an error object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    status: StatusCode,
    kind: &'static str,
    code: Option<String>,
    param: Option<&'static str>,
    message: String,
}

impl Refused {
    /// A parameter is missing or wrong.
    pub(super) fn parameter(param: &'static str, message: &str) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            kind: "invalid_request_error",
            code: Some("invalid_value".to_owned()),
            param: Some(param),
            message: message.to_owned(),
        }
    }

    pub(super) fn malformed_json(cause: &serde_json::Error) -> Self {
        let message = format!("We could not parse the JSON body of your request: {cause}.");
        Self::request(StatusCode::BAD_REQUEST, None, message)
    }

    pub(super) fn unknown_url(method: &str, path: &str) -> Self {
        let message = format!("Unknown request URL: {method} {path}. Please check the URL for typos.");
        Self::request(StatusCode::NOT_FOUND, Some("unknown_url"), message)
    }

    pub(super) fn wrong_method(method: &str, path: &str) -> Self {
        let message = format!("Not allowed to {method} on {path}.");
        Self::request(StatusCode::METHOD_NOT_ALLOWED, Some("method_not_supported"), message)
    }

    pub(super) fn wrong_key() -> Self {
        Self::request(
            StatusCode::UNAUTHORIZED,
            Some("invalid_api_key"),
            "Incorrect API key provided.".to_owned(),
        )
    }

    pub(super) fn wrong_signature() -> Self {
        Self::request(
            StatusCode::FORBIDDEN,
            None,
            "The request signature we calculated does not match the signature you provided.".to_owned(),
        )
    }

    pub(super) fn too_large() -> Self {
        Self::request(StatusCode::PAYLOAD_TOO_LARGE, None, "The request body is too large.".to_owned())
    }

    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    pub(super) fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    pub(super) fn message(&self) -> &str {
        &self.message
    }

    pub(super) fn script(&self) -> Script {
        Script::whole(self.status, "application/json", Bytes::from(self.object().to_string()))
    }

    fn request(status: StatusCode, code: Option<&str>, message: String) -> Self {
        let code = code.map(str::to_owned);
        Self { status, kind: "invalid_request_error", code, param: None, message }
    }

    fn object(&self) -> Value {
        error_object(&self.message, self.kind, self.param, self.code.as_deref())
    }
}

impl From<BehaviourError> for Refused {
    fn from(error: BehaviourError) -> Self {
        Self::parameter("model", &error.to_string())
    }
}

/// The refusal that a model name asked for.
pub(super) fn asked_for(refusal: &Refusal) -> Script {
    let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let script = if refusal.html {
        let page =
            format!("<html><head><title>{status}</title></head><body><h1>{status}</h1></body></html>\n");
        Script::whole(status, "text/html", Bytes::from(page))
    } else {
        let (kind, usual_code) = usual(refusal.status);
        let code = refusal.code.as_deref().or(usual_code);
        let object = error_object(&format!("The simulated provider answers {status}."), kind, None, code);
        Script::whole(status, "application/json", Bytes::from(object.to_string()))
    };
    let retry_after = refusal.retry_after.as_deref().and_then(|value| HeaderValue::from_str(value).ok());
    match retry_after {
        Some(value) => script.with_header(RETRY_AFTER, value),
        None => script,
    }
}

/// The data of an error event in a stream.
pub(super) fn event_object(code: Option<&str>) -> Value {
    let message = "The server had an error while processing your request.";
    error_object(message, "server_error", None, code.or(Some("server_error")))
}

fn error_object(message: &str, kind: &str, param: Option<&str>, code: Option<&str>) -> Value {
    json!({"error": {"message": message, "type": kind, "param": param, "code": code}})
}

/// The `type` and `code` that the public API gives with a status.
fn usual(status: u16) -> (&'static str, Option<&'static str>) {
    match status {
        401 => ("invalid_request_error", Some("invalid_api_key")),
        403 => ("invalid_request_error", Some("unsupported_country_region_territory")),
        404 => ("invalid_request_error", Some("model_not_found")),
        429 => ("requests", Some("rate_limit_exceeded")),
        400..=499 => ("invalid_request_error", None),
        _ => ("server_error", None),
    }
}
