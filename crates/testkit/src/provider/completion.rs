//! Legacy text completions on the wire: the whole object, or its events.

use serde_json::{Value, json};

use super::behaviour::{Behaviour, UsagePlace};
use super::chat::Envelope;
use super::event::{Event, Meter};
use super::reply::{Choice, Content, Finish, Reply};
use super::tokens::pieces;

/// The whole answer as one object.
pub(super) fn whole(reply: &Reply, envelope: &Envelope, request: &Value, behaviour: &Behaviour) -> Value {
    let alternatives = request["logprobs"].as_u64();
    let choices: Vec<Value> = reply
        .choices
        .iter()
        .enumerate()
        .map(|(index, choice)| {
            let logprobs = alternatives.map(|top| logprobs(text(choice), top));
            choice_object(index, text(choice), logprobs.as_ref(), Some(choice.finish))
        })
        .collect();
    let mut object = object(envelope, &json!(choices));
    if behaviour.usage.place != UsagePlace::Nowhere {
        object["usage"] = Meter::new(reply, behaviour).total();
    }
    object
}

/// The answer as the events of a stream, without its terminator.
pub(super) fn events(reply: &Reply, envelope: &Envelope, behaviour: &Behaviour) -> Vec<Event> {
    let mut meter = Meter::new(reply, behaviour);
    let mut events = Vec::new();
    for (index, choice) in reply.choices.iter().enumerate() {
        for piece in pieces(text(choice)) {
            meter.count(1);
            let choices = json!([choice_object(index, piece, None, None)]);
            events.push(Event::content(&beside(envelope, &meter, &choices), 1));
        }
        let choices = json!([choice_object(index, "", None, Some(choice.finish))]);
        let mut last = beside(envelope, &meter, &choices);
        if meter.place() == UsagePlace::LastChoice && index + 1 == reply.choices.len() {
            last["usage"] = meter.total();
        }
        events.push(Event::framing(&last));
    }
    if envelope.include_usage && meter.place() == UsagePlace::Asked {
        let mut usage = object(envelope, &json!([]));
        usage["usage"] = meter.total();
        events.push(Event::framing(&usage));
    }
    events
}

fn text(choice: &Choice) -> &str {
    match &choice.content {
        Content::Text(text) => text,
        Content::Calls(_) => "",
    }
}

fn beside(envelope: &Envelope, meter: &Meter, choices: &Value) -> Value {
    let mut object = object(envelope, choices);
    if let Some(usage) = meter.beside_event(envelope.include_usage) {
        object["usage"] = usage;
    }
    object
}

fn object(envelope: &Envelope, choices: &Value) -> Value {
    json!({
        "id": envelope.id,
        "object": "text_completion",
        "created": envelope.created,
        "model": envelope.model,
        "choices": choices,
        "system_fingerprint": "fp_simulated",
    })
}

fn choice_object(index: usize, text: &str, logprobs: Option<&Value>, finish: Option<Finish>) -> Value {
    json!({"text": text, "index": index, "logprobs": logprobs, "finish_reason": finish.map(Finish::as_str)})
}

fn logprobs(text: &str, alternatives: u64) -> Value {
    let tokens: Vec<&str> = pieces(text).collect();
    let mut offset = 0;
    let offsets: Vec<usize> = tokens
        .iter()
        .map(|token| {
            let at = offset;
            offset += token.chars().count();
            at
        })
        .collect();
    let top: Vec<Value> = tokens
        .iter()
        .map(|token| if alternatives > 0 { json!({*token: -0.25}) } else { Value::Null })
        .collect();
    json!({
        "tokens": tokens,
        "token_logprobs": vec![-0.25; tokens.len()],
        "top_logprobs": top,
        "text_offset": offsets,
    })
}
