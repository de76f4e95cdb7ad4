//! The face of the simulated provider that speaks Anthropic messages.
//!
//! A request is put into the words of the first face, whose model answers it; the answer is put into this dialect's.
//! What the public service refuses is refused: calls without results, names and ids of other characters, budgets out
//! of bounds, signatures that it did not make.

mod answer;
mod check;
mod request;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::behaviour::{Behaviour, Refusal};
use super::endpoint::Facts;
use super::plan::{self, Forms};
use super::refusal::Refused;
use super::reply::Reply;
use super::script::Script;
use super::tokens::count_chat_prompt;

/// The proof on what the simulated model said while it reasoned.
const SIGNATURE: &str = "EqQBsimulatedproof==";

static FORMS: Forms = Forms {
    error_event: |code| error_object(code.unwrap_or("api_error"), "An internal error has occurred."),
    text: (r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":""#, r#""}}"#),
    malformed: r#"{"type":"content_block_delta","index":0,"delta":"#,
    framing: &plan::LINES,
};

/// Whether a path is of this face, whatever it asks for.
pub(super) fn is_path(path: &str) -> bool {
    path == "/v1/messages" || path.starts_with("/v1/messages/")
}

/// Refuses a request whose head lacks what the public service wants there.
pub(super) fn check_head(headers: &HeaderMap) -> Result<(), Refused> {
    if headers.contains_key("anthropic-version") {
        return Ok(());
    }
    Err(Refused::parameter("anthropic-version", "anthropic-version: header is required"))
}

/// Answers a request.
pub(super) fn answer(request: &Value, behaviour: &Behaviour, facts: &Facts) -> Result<Script, Refused> {
    if facts.prompt_tokens.is_none() {
        check::request(request)?;
    }
    let read = request::read(request);
    let rate = behaviour.pace.events_per_second.unwrap_or(facts.rate);
    let reply = Reply::to_chat(&read, behaviour);
    let reply = Reply { prompt_tokens: facts.prompt_tokens.unwrap_or(reply.prompt_tokens), ..reply };
    let envelope = answer::Envelope { id: &facts.id, model: request["model"].as_str().unwrap_or_default() };
    let mut script = if request["stream"] == Value::Bool(true) {
        let mut events = answer::events(&reply, &envelope, behaviour);
        if !behaviour.done {
            // The last event is this dialect's terminator.
            events.pop();
        }
        plan::stream_as(&FORMS, events, &Behaviour { done: false, ..behaviour.clone() }, rate)
    } else {
        let object = answer::whole(&reply, &envelope, behaviour).to_string();
        plan::whole(&Bytes::from(object), reply.completion_tokens(), behaviour, rate)
    };
    script.stagger = behaviour.pace.stagger.then(|| plan::interval(rate));
    script.prompt_tokens = reply.prompt_tokens;
    Ok(script)
}

/// Counts the tokens of a prompt.
pub(super) fn count(request: &Value) -> Result<Script, Refused> {
    check::conversation(request)?;
    Ok(Script::json(&json!({"input_tokens": count_chat_prompt(&request::read(request))})))
}

/// A refusal in the shape of this face.
pub(super) fn refused(refused: &Refused) -> Script {
    let object = error_object(usual(refused.status()), refused.message());
    Script::whole(refused.status(), "application/json", Bytes::from(object.to_string()))
}

/// The refusal that a model name asked for; `general` is how the first face says it.
pub(super) fn asked_for(refusal: &Refusal, general: Script) -> Script {
    if refusal.html {
        return general;
    }
    let kind = refusal.code.as_deref().unwrap_or(usual(general.status));
    let object = error_object(kind, &format!("The simulated provider answers {}.", general.status));
    let script = Script::whole(general.status, "application/json", Bytes::from(object.to_string()));
    let script = Script { before: general.before, ..script };
    match general.headers.get(RETRY_AFTER) {
        Some(value) => script.with_header(RETRY_AFTER, value.clone()),
        None => script,
    }
}

fn error_object(kind: &str, message: &str) -> Value {
    json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_simulated"})
}

/// The type that the public service gives with a status.
fn usual(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        400..=499 => "invalid_request_error",
        503 | 529 => "overloaded_error",
        504 => "timeout_error",
        _ => "api_error",
    }
}
