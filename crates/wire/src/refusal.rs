//! A provider's error answer, whatever its body is, as a failure with a class.
//!
//! The class decides about retries, so it is taken from status, code and type first and from the message only
//! where vendors say it nowhere else. Text for the caller passes through [`redact`]; an answer that is about the
//! gateway's own credential or about the provider's inside is told in our own words.

mod redact;
mod retry_after;

use std::borrow::Cow;
use std::time::Duration;

use gatewright::{Failure, FailureKind, Retry, Side};
use http::{HeaderMap, HeaderName, StatusCode};

use self::redact::redact;
use crate::json::{Kind, Value};

/// A provider's message is cut after this many bytes.
const MESSAGE_BYTES_MAX: usize = 2_048;

/// Of a body that says nothing to us, the log gets this much.
const EXCERPT_BYTES_MAX: usize = 512;

/// A code is cut after this many bytes.
const CODE_BYTES_MAX: usize = 64;

/// At most this many rate-limit headers are passed on.
const HEADERS_MAX: usize = 16;

/// What an error body says.
#[derive(Debug, Default)]
struct Said {
    message: Option<String>,
    code: Option<String>,
    kind: Option<String>,
    param: Option<String>,
    /// The reason among typed details, and the wait that they ask for.
    reason: Option<String>,
    retry_after: Option<Duration>,
}

/// Reads a provider's error answer.
pub(crate) fn parse(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Failure {
    let said = Value::parse(body).map(|value| Said::read(&value)).unwrap_or_default();
    failure(status, headers, &said, body)
}

/// Reads a provider's error answer whose class stands outside of its body.
pub(crate) fn parse_classed(
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    class: Option<&str>,
) -> Failure {
    let said = Value::parse(body).map(|value| Said::read(&value)).unwrap_or_default();
    let class = class.map(|class| cut(class, CODE_BYTES_MAX));
    let said = Said { kind: class.filter(|class| !class.is_empty()).or(said.kind), ..said };
    failure(status, headers, &said, body)
}

/// Reads an error that came inside a stream and whose class stands outside of its text.
pub(crate) fn parse_classed_in_stream(body: &[u8], class: &str) -> Failure {
    let status = match class.to_ascii_lowercase().as_str() {
        "validationexception" => StatusCode::BAD_REQUEST,
        "throttlingexception" => StatusCode::TOO_MANY_REQUESTS,
        "serviceunavailableexception" => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::BAD_GATEWAY,
    };
    let failure = parse_classed(status, &HeaderMap::new(), body, Some(class));
    Failure { status: None, ..failure }
}

/// Reads an error that came inside a stream.
pub(crate) fn parse_in_stream(body: &[u8]) -> Failure {
    let said = Value::parse(body).map(|value| Said::read(&value)).unwrap_or_default();
    // Its code may be the status that it would have had.
    let status = said.code.as_deref().and_then(|code| code.parse().ok());
    let is_error = |status: &StatusCode| status.is_client_error() || status.is_server_error();
    let status = status.and_then(|code: u16| StatusCode::from_u16(code).ok()).filter(is_error);
    let failure = failure(status.unwrap_or(StatusCode::BAD_GATEWAY), &HeaderMap::new(), &said, body);
    Failure { status: None, ..failure }
}

/// The beginning of a body, for a log.
pub(crate) fn excerpt(body: &[u8]) -> String {
    let beginning = body.get(..EXCERPT_BYTES_MAX).unwrap_or(body);
    redact(&String::from_utf8_lossy(beginning))
}

fn failure(status: StatusCode, headers: &HeaderMap, said: &Said, body: &[u8]) -> Failure {
    let kind = class(status, said);
    let message = redact(said.message.as_deref().unwrap_or_default());
    let detail = match said.message {
        Some(_) => format!("status {}: {message}", status.as_u16()),
        None => format!("status {}: {}", status.as_u16(), excerpt(body)),
    };
    let (own_words, retry) = policy(kind);
    let public: Cow<'static, str> = match own_words {
        None if !message.is_empty() => message.into(),
        None => format!("the provider refused the request with status {}", status.as_u16()).into(),
        Some(words) => words.into(),
    };
    let keeps_status = matches!(kind, FailureKind::Invalid | FailureKind::Unprocessable);
    // Callers know the one code of this class by heart, and few providers say it.
    let has_own_code = own_words.is_some() || kind == FailureKind::ContextTooLong;
    let code = said.reason.clone().or_else(|| said.code.clone()).or_else(|| said.kind.clone());
    Failure {
        code: code.filter(|_| !has_own_code).map(Cow::Owned),
        param: said.param.clone().map(Cow::Owned),
        status: keeps_status.then_some(status).filter(StatusCode::is_client_error),
        retry_after: retry_after::read(headers).or(said.retry_after),
        headers: (kind == FailureKind::RateLimited).then(|| limits(headers)).flatten(),
        ..Failure::new(Side::Upstream, kind, public).with_detail(detail).with_retry(retry)
    }
}

/// Our own words where the provider's are not for callers, and whether another attempt is safe.
const fn policy(kind: FailureKind) -> (Option<&'static str>, Retry) {
    match kind {
        FailureKind::Invalid
        | FailureKind::Unprocessable
        | FailureKind::ContextTooLong
        | FailureKind::TooLarge
        | FailureKind::ContentFiltered => (None, Retry::Useless),
        FailureKind::RateLimited => (None, Retry::Safe),
        FailureKind::ModelNotFound => (Some("the provider does not know the model"), Retry::Safe),
        FailureKind::NotFound => (Some("the provider does not know the address of the call"), Retry::Safe),
        FailureKind::UpstreamAuth => (Some("the provider refused the gateway's credential"), Retry::Safe),
        FailureKind::QuotaExhausted => {
            (Some("the gateway's quota at the provider is used up"), Retry::Useless)
        }
        FailureKind::Overloaded => (Some("the provider is overloaded"), Retry::Safe),
        FailureKind::Timeout => (Some("the provider ran out of time"), Retry::Unsafe),
        FailureKind::Malformed => (Some("the provider's answer is not of its protocol"), Retry::Unsafe),
        _ => (Some("the provider failed to process the request"), Retry::Unsafe),
    }
}

fn class(status: StatusCode, said: &Said) -> FailureKind {
    if let Some(kind) = said.class() {
        return kind;
    }
    if said.is_context_too_long() && matches!(status.as_u16(), 400 | 413 | 422) {
        return FailureKind::ContextTooLong;
    }
    if status == StatusCode::BAD_REQUEST && said.is_out_of_money() {
        return FailureKind::QuotaExhausted;
    }
    match status.as_u16() {
        401 | 403 | 407 => FailureKind::UpstreamAuth,
        402 => FailureKind::QuotaExhausted,
        404 if said.mentions("model") => FailureKind::ModelNotFound,
        404 | 405 | 410 => FailureKind::NotFound,
        408 | 504 | 524 => FailureKind::Timeout,
        413 => FailureKind::TooLarge,
        422 => FailureKind::Unprocessable,
        429 => FailureKind::RateLimited,
        503 | 529 => FailureKind::Overloaded,
        400..=499 => FailureKind::Invalid,
        500..=599 => FailureKind::UpstreamError,
        _ => FailureKind::Malformed,
    }
}

/// The rate-limit figures among the headers of an answer.
fn limits(headers: &HeaderMap) -> Option<Box<HeaderMap>> {
    let is_limit = |name: &HeaderName| name.as_str().contains("ratelimit-");
    let found = headers.iter().filter(|(name, _)| is_limit(name)).take(HEADERS_MAX);
    let found: HeaderMap = found.map(|(name, value)| (name.clone(), value.clone())).collect();
    (!found.is_empty()).then(|| Box::new(found))
}

impl Said {
    /// Finds the error in the shapes that are in use: `{"error":{…}}`, `{"error":"…"}`, the object itself,
    /// `{"detail":…}`, and each of them in an array.
    fn read(value: &Value<'_>) -> Self {
        let first = value.elements().next();
        let root = first.unwrap_or(*value);
        let error = root.get("error").filter(|error| !error.is_null()).unwrap_or(root);
        if let Some(message) = error.as_str() {
            return Self { message: Some(cut(&message, MESSAGE_BYTES_MAX)), ..Self::default() };
        }
        let text = |key: &str, bytes_max: usize| {
            let value = error.get(key)?;
            let text = match value.kind() {
                Kind::String => value.as_str()?,
                Kind::Number => String::from_utf8_lossy(value.raw()),
                Kind::Object | Kind::Array | Kind::Bool | Kind::Null => return None,
            };
            (!text.is_empty()).then(|| cut(&text, bytes_max))
        };
        let message = ["message", "Message", "detail", "error_description", "msg"]
            .iter()
            .find_map(|key| text(key, MESSAGE_BYTES_MAX));
        let nested =
            || cut(&error.get("detail")?.elements().next()?.get("msg")?.as_str()?, MESSAGE_BYTES_MAX).into();
        let details = error.get("details").filter(|details| details.kind() == Kind::Array);
        let detail = |key: &str| {
            let mut details = details.iter().flat_map(Value::elements);
            details.find_map(|detail| detail.get(key)?.as_str()).map(|text| cut(&text, CODE_BYTES_MAX))
        };
        // Where the code is only the status again, the word beside it says more.
        let code = text("code", CODE_BYTES_MAX);
        let status = text("status", CODE_BYTES_MAX);
        let is_number = code.as_deref().is_some_and(|code| code.parse::<u16>().is_ok());
        Self {
            message: message.or_else(nested),
            reason: detail("reason").or_else(|| status.filter(|_| is_number)),
            retry_after: detail("retryDelay").as_deref().and_then(retry_after::delay),
            code,
            kind: ["type", "status", "__type"].iter().find_map(|key| text(key, CODE_BYTES_MAX)),
            param: text("param", CODE_BYTES_MAX),
        }
    }

    /// The class that code or type name outright.
    fn class(&self) -> Option<FailureKind> {
        [&self.code, &self.kind, &self.reason].into_iter().flatten().find_map(|word| {
            Some(match word.to_ascii_lowercase().as_str() {
                "context_length_exceeded" | "string_above_max_length" => FailureKind::ContextTooLong,
                "insufficient_quota"
                | "billing_hard_limit_reached"
                | "billing_not_active"
                | "access_terminated" => FailureKind::QuotaExhausted,
                "rate_limit_exceeded" | "rate_limit_error" | "resource_exhausted" | "throttlingexception" => {
                    FailureKind::RateLimited
                }
                "invalid_api_key"
                | "authentication_error"
                | "permission_error"
                | "api_key_invalid"
                | "api_key_service_blocked"
                | "unauthenticated"
                | "permission_denied"
                | "accessdeniedexception"
                | "unrecognizedclientexception"
                | "invalidsignatureexception"
                | "incompletesignatureexception"
                | "missingauthenticationtokenexception"
                | "missingauthenticationtoken"
                | "expiredtokenexception" => FailureKind::UpstreamAuth,
                "model_not_found" | "deploymentnotfound" | "resourcenotfoundexception" => {
                    FailureKind::ModelNotFound
                }
                "modeltimeoutexception" | "deadline_exceeded" | "timeout_error" => FailureKind::Timeout,
                "servicequotaexceededexception" | "billing_error" => FailureKind::QuotaExhausted,
                "request_too_large" => FailureKind::TooLarge,
                "modelerrorexception" | "modelstreamerrorexception" | "internalserverexception" => {
                    FailureKind::UpstreamError
                }
                // It says so by its text only.
                "validationexception" if self.mentions("model identifier is invalid") => {
                    FailureKind::ModelNotFound
                }
                "content_filter" | "content_policy_violation" | "responsibleaipolicyviolation" => {
                    FailureKind::ContentFiltered
                }
                "overloaded_error"
                | "overloaded"
                | "engine_overloaded"
                | "serviceunavailableexception"
                | "modelnotreadyexception" => FailureKind::Overloaded,
                _ => return None,
            })
        })
    }

    fn is_context_too_long(&self) -> bool {
        [
            "context length",
            "context window",
            "context_length",
            "prompt is too long",
            "input is too long",
            "input token count",
            "too many tokens",
        ]
        .iter()
        .any(|words| self.mentions(words))
    }

    /// Some vendors say by the text alone that money or a limit set on it ran out.
    fn is_out_of_money(&self) -> bool {
        ["credit balance is too low", "specified api usage limit"].iter().any(|words| self.mentions(words))
    }

    fn mentions(&self, words: &str) -> bool {
        self.message.as_ref().is_some_and(|message| message.to_ascii_lowercase().contains(words))
    }
}

/// The beginning of a text, in whole characters.
fn cut(text: &str, bytes_max: usize) -> String {
    let end = text.floor_char_boundary(bytes_max);
    text.get(..end).unwrap_or_default().to_owned()
}
