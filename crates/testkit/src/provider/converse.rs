//! The face of the simulated provider that speaks Amazon Bedrock's Converse: whole answers, and streams of binary
//! messages; and its InvokeModel for vectors.
//!
//! A request is put into the words of the first face, whose model answers it; the answer is put into this dialect's.
//! What the public service refuses is refused: roles that do not alternate, calls without results, results without
//! calls, empty texts, signatures that do not fit.

mod answer;
mod request;
mod signature;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use gatewright_wire::bedrock_converse::STREAM_TYPE;
use gatewright_wire::event_stream::{HeaderValue as EventHeader, write_message};
use http::header::RETRY_AFTER;
use http::{HeaderName, HeaderValue, StatusCode};
use serde_json::{Value, json};

use super::behaviour::{Behaviour, Refusal};
use super::embedding;
use super::endpoint::Facts;
use super::plan::{self, Forms, Framing};
use super::refusal::Refused;
use super::reply::Reply;
use super::script::Script;

pub(super) use signature::is_signed;

/// Where the paths of this face begin.
const ROOT: &str = "/model/";

const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");

/// The proof on what the simulated model said while it reasoned.
const SIGNATURE: &str = "c2ltdWxhdGVkLXByb29m";

static FORMS: Forms = Forms {
    error_event: |code| json!({"message": format!("The simulated provider fails: {}.", code.unwrap_or("error"))}),
    text: (r#"{"contentBlockIndex":0,"delta":{"text":""#, r#""}}"#),
    malformed: r#"{"contentBlockIndex":0,"delta":"#,
    framing: &MESSAGES,
};

static MESSAGES: Framing = Framing {
    event: |data| event("contentBlockDelta", data),
    error: |data| {
        headed(("exception", ":exception-type", "modelStreamErrorException"), data.to_string().as_bytes())
    },
    content_type: STREAM_TYPE,
};

/// A call of this face.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    Whole,
    Stream,
    Invoke,
}

/// The model, as it stands in the path, and the call; none if the path is not of this face.
pub(super) fn route(path: &str) -> Option<(&str, Option<Call>)> {
    let (model, operation) = path.strip_prefix(ROOT)?.rsplit_once('/')?;
    let call = match operation {
        "converse" => Some(Call::Whole),
        "converse-stream" => Some(Call::Stream),
        "invoke" => Some(Call::Invoke),
        _ => None,
    };
    Some((model, call))
}

/// Whether a path is of this face, whatever it asks for.
pub(super) fn is_path(path: &str) -> bool {
    path.starts_with(ROOT)
}

/// Answers a request.
pub(super) fn answer(
    call: Call,
    body: &[u8],
    behaviour: &Behaviour,
    facts: &Facts,
) -> Result<Script, Refused> {
    let body: Value = serde_json::from_slice(body).map_err(|cause| Refused::malformed_json(&cause))?;
    if call == Call::Invoke {
        return embedding::invoked(&body).map(|answer| Script::json(&answer));
    }
    let reply = Reply::to_chat(&request::read(&body)?, behaviour);
    let rate = behaviour.pace.events_per_second.unwrap_or(facts.rate);
    let mut script = match call {
        Call::Stream => {
            // The dialect has no terminator.
            let behaviour = Behaviour { done: false, ..behaviour.clone() };
            plan::stream_as(&FORMS, answer::events(&reply, &behaviour), &behaviour, rate)
        }
        Call::Whole | Call::Invoke => {
            let object = answer::whole(&reply, behaviour).to_string();
            plan::whole(&Bytes::from(object), reply.completion_tokens(), behaviour, rate)
        }
    };
    script.stagger = behaviour.pace.stagger.then(|| plan::interval(rate));
    script.prompt_tokens = reply.prompt_tokens;
    Ok(script)
}

/// An event as a message of the stream.
fn event(name: &str, payload: &[u8]) -> Bytes {
    headed(("event", ":event-type", name), payload)
}

fn headed((kind, key, name): (&str, &str, &str), payload: &[u8]) -> Bytes {
    let mut out = Vec::new();
    let headers = [
        (key, EventHeader::Text(name)),
        (":content-type", EventHeader::Text("application/json")),
        (":message-type", EventHeader::Text(kind)),
    ];
    write_message(&mut out, &headers, payload);
    out.into()
}

/// A refusal in the shape of this face.
pub(super) fn refused(refused: &Refused) -> Script {
    error(refused.status(), None, refused.message())
}

/// The refusal that a model name asked for; `general` is how the first face says it.
pub(super) fn asked_for(refusal: &Refusal, general: Script) -> Script {
    if refusal.html {
        return general;
    }
    let message = format!("The simulated provider answers {}.", general.status);
    let script = error(general.status, refusal.code.as_deref(), &message);
    match general.headers.get(RETRY_AFTER) {
        Some(value) => script.with_header(RETRY_AFTER, value.clone()),
        None => script,
    }
}

fn error(status: StatusCode, code: Option<&str>, message: &str) -> Script {
    let usual = match status.as_u16() {
        401 | 403 => "AccessDeniedException",
        404 => "ResourceNotFoundException",
        408 => "ModelTimeoutException",
        424 => "ModelErrorException",
        429 => "ThrottlingException",
        503 => "ServiceUnavailableException",
        400..=499 => "ValidationException",
        _ => "InternalServerException",
    };
    let class = HeaderValue::from_str(code.unwrap_or(usual)).unwrap_or(HeaderValue::from_static(usual));
    let body = Bytes::from(json!({"message": message}).to_string());
    Script::whole(status, "application/json", body).with_header(ERROR_TYPE, class)
}
