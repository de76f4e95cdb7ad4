//! The face of the simulated provider that speaks Cohere's chat, version 2.
//!
//! A request is put into the words of the first face, whose model answers it; the answer is put into this dialect's.
//! What the public service refuses is refused: text beside calls, calls without results, instructions that do not
//! lead, figures out of range, a form for the answer beside tools.

mod answer;
mod check;
mod request;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use http::StatusCode;
use http::header::RETRY_AFTER;
use serde_json::{Value, json};

use super::behaviour::{Behaviour, Refusal};
use super::endpoint::Facts;
use super::plan::{self, Forms};
use super::refusal::Refused;
use super::reply::Reply;
use super::script::Script;

/// The path of this face.
pub(super) const PATH: &str = "/v2/chat";

static FORMS: Forms = Forms {
    error_event: |code| {
        let message = code.unwrap_or("an internal error has occurred");
        json!({"type": "message-end", "delta": {"finish_reason": "ERROR", "error": message}})
    },
    text: (r#"{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":""#, r#""}}}}"#),
    malformed: r#"{"type":"content-delta","index":0,"delta":"#,
    framing: &plan::LINES,
};

/// Answers a request.
pub(super) fn answer(request: &Value, behaviour: &Behaviour, facts: &Facts) -> Result<Script, Refused> {
    check::request(request)?;
    let rate = behaviour.pace.events_per_second.unwrap_or(facts.rate);
    let reply = Reply::to_chat(&request::read(request), behaviour);
    let reply = Reply { prompt_tokens: facts.prompt_tokens.unwrap_or(reply.prompt_tokens), ..reply };
    let mut script = if request["stream"] == Value::Bool(true) {
        plan::stream_as(&FORMS, answer::events(&reply, &facts.id, behaviour), behaviour, rate)
    } else {
        let object = answer::whole(&reply, &facts.id, behaviour).to_string();
        plan::whole(&Bytes::from(object), reply.completion_tokens(), behaviour, rate)
    };
    script.stagger = behaviour.pace.stagger.then(|| plan::interval(rate));
    script.prompt_tokens = reply.prompt_tokens;
    Ok(script)
}

/// A refusal in the shape of this face.
pub(super) fn refused(refused: &Refused) -> Script {
    refusal(refused.status(), refused.message())
}

/// The refusal that a model name asked for; `general` is how the first face says it.
pub(super) fn asked_for(asked: &Refusal, general: Script) -> Script {
    if asked.html {
        return general;
    }
    let message = match &asked.code {
        Some(code) => format!("{code}: the simulated provider answers {}", general.status),
        None => format!("the simulated provider answers {}", general.status),
    };
    let script = Script { before: general.before, ..refusal(general.status, &message) };
    match general.headers.get(RETRY_AFTER) {
        Some(value) => script.with_header(RETRY_AFTER, value.clone()),
        None => script,
    }
}

fn refusal(status: StatusCode, message: &str) -> Script {
    let object = json!({"id": "simulated", "message": message});
    Script::whole(status, "application/json", Bytes::from(object.to_string()))
}
