//! The face of the simulated provider that speaks Ollama's own chat.
//!
//! A request is put into the words of the first face, whose model answers it; the answer is put into this dialect's.
//! What the server refuses is refused: images that are no base64, arguments that are no object. Results that do not
//! name a tool that was called are refused too, which the server takes and misunderstands.

mod answer;
mod request;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use http::StatusCode;
use http::header::RETRY_AFTER;
use serde_json::{Value, json};

use super::behaviour::{Behaviour, Refusal};
use super::endpoint::Facts;
use super::plan::{self, Forms, Framing};
use super::refusal::Refused;
use super::reply::Reply;
use super::script::Script;

/// The path of this face.
pub(super) const PATH: &str = "/api/chat";

/// One JSON text a line.
static JSON_LINES: Framing = Framing {
    event: |data| [data, b"\n"].concat().into(),
    error: |object| Bytes::from(format!("{object}\n")),
    content_type: "application/x-ndjson",
};

static FORMS: Forms = Forms {
    error_event: |code| json!({"error": code.unwrap_or("an error was encountered while running the model")}),
    text: (r#"{"model":"m","message":{"role":"assistant","content":""#, r#""},"done":false}"#),
    malformed: r#"{"model":"m","message":"#,
    framing: &JSON_LINES,
};

/// Answers a request; a stream unless it asks for one piece.
pub(super) fn answer(request: &Value, behaviour: &Behaviour, facts: &Facts) -> Result<Script, Refused> {
    let rate = behaviour.pace.events_per_second.unwrap_or(facts.rate);
    let reply = Reply::to_chat(&request::read(request)?, behaviour);
    let reply = Reply { prompt_tokens: facts.prompt_tokens.unwrap_or(reply.prompt_tokens), ..reply };
    let model = request["model"].as_str().unwrap_or_default();
    let head = answer::Head { model, serial: &facts.id };
    let mut script = if request["stream"] == Value::Bool(false) {
        let object = answer::whole(&reply, &head, behaviour).to_string();
        plan::whole(&Bytes::from(object), reply.completion_tokens(), behaviour, rate)
    } else {
        // The dialect has no terminator.
        let behaviour = Behaviour { done: false, ..behaviour.clone() };
        plan::stream_as(&FORMS, answer::events(&reply, &head, &behaviour), &behaviour, rate)
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
    let message = asked.code.clone();
    let message = message.unwrap_or_else(|| format!("the simulated provider answers {}", general.status));
    let script = Script { before: general.before, ..refusal(general.status, &message) };
    match general.headers.get(RETRY_AFTER) {
        Some(value) => script.with_header(RETRY_AFTER, value.clone()),
        None => script,
    }
}

fn refusal(status: StatusCode, message: &str) -> Script {
    Script::whole(status, "application/json", Bytes::from(json!({"error": message}).to_string()))
}
