//! The face of the simulated provider that speaks OpenAI responses.
//!
//! A request is put into the words of the first face, whose model answers it; the answer is put into this dialect's.
//! What the public service refuses is refused: calls without results, results without calls, reasoning that it did not
//! seal.

mod answer;
mod request;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use serde_json::{Value, json};

use super::behaviour::Behaviour;
use super::endpoint::Facts;
use super::plan::{self, Forms};
use super::refusal::Refused;
use super::reply::Reply;
use super::script::Script;

/// What the simulated model thought, as only it can read it.
const SEALED: &str = "gAAAAsimulated";

static FORMS: Forms = Forms {
    error_event: |code| {
        let message = "The server had an error while processing your request.";
        json!({
            "type": "error",
            "code": code.unwrap_or("server_error"),
            "message": message,
            "param": null,
            "sequence_number": 0,
        })
    },
    text: (
        r#"{"type":"response.output_text.delta","sequence_number":0,"output_index":0,"content_index":0,"delta":""#,
        r#""}"#,
    ),
    malformed: r#"{"type":"response.output_text.delta","delta":"#,
    framing: &plan::LINES,
};

/// Answers a request.
pub(super) fn answer(request: &Value, behaviour: &Behaviour, facts: &Facts) -> Result<Script, Refused> {
    let read = request::read(request)?;
    let rate = behaviour.pace.events_per_second.unwrap_or(facts.rate);
    let reply = Reply::to_chat(&read, behaviour);
    let reply = Reply { prompt_tokens: facts.prompt_tokens.unwrap_or(reply.prompt_tokens), ..reply };
    let envelope = answer::Envelope::new(request, facts);
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
