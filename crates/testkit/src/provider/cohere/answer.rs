//! Answers of this face: the whole object, or its events.

use bytes::Bytes;
use serde_json::{Value, json};

use super::super::behaviour::{Behaviour, UsagePlace};
use super::super::event::{Event, Meter};
use super::super::reply::{Call, Choice, Content, Finish, Reply};
use super::super::tokens::pieces;

/// What the model says before it calls tools. It costs nothing here.
const PLAN: &str = "I will use the tools.";

/// The whole answer as one object.
pub(super) fn whole(reply: &Reply, id: &str, behaviour: &Behaviour) -> Value {
    let choice = reply.choices.first();
    let mut message = json!({"role": "assistant"});
    let mut content: Vec<Value> = Vec::new();
    content.extend(reasoning(choice).map(|text| json!({"type": "thinking", "thinking": text})));
    match choice.map(|choice| &choice.content) {
        Some(Content::Text(text)) => content.push(json!({"type": "text", "text": text})),
        Some(Content::Calls(calls)) => {
            message["tool_plan"] = json!(PLAN);
            message["tool_calls"] =
                calls.iter().enumerate().map(|(at, call)| called(at, call, &call.arguments)).collect();
        }
        None => {}
    }
    if !content.is_empty() {
        message["content"] = json!(content);
    }
    let mut answer = json!({"id": id, "message": message, "finish_reason": word(choice)});
    let meter = Meter::new(reply, behaviour);
    if meter.place() != UsagePlace::Nowhere {
        answer["usage"] = usage(&meter.total());
    }
    answer
}

/// The events of the answer.
pub(super) fn events(reply: &Reply, id: &str, behaviour: &Behaviour) -> Vec<Event> {
    let choice = reply.choices.first();
    let begun =
        json!({"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []});
    let mut events = vec![framing(&json!({"id": id, "type": "message-start", "delta": {"message": begun}}))];
    let mut index = 0;
    if let Some(text) = reasoning(choice) {
        block(&mut index, "thinking", text, &mut events);
    }
    match choice.map(|choice| &choice.content) {
        Some(Content::Text(text)) => block(&mut index, "text", text, &mut events),
        Some(Content::Calls(calls)) => {
            for piece in pieces(PLAN) {
                let delta = json!({"message": {"tool_plan": piece}});
                events.push(framing(&json!({"type": "tool-plan-delta", "delta": delta})));
            }
            calls.iter().enumerate().for_each(|(at, it)| call(at, it, &mut events));
        }
        None => {}
    }
    let mut ended = json!({"type": "message-end", "delta": {"finish_reason": word(choice)}});
    let meter = Meter::new(reply, behaviour);
    if meter.place() != UsagePlace::Nowhere {
        ended["delta"]["usage"] = usage(&meter.total());
    }
    events.push(framing(&ended));
    events
}

fn reasoning(choice: Option<&Choice>) -> Option<&str> {
    choice.and_then(|choice| choice.reasoning.as_deref())
}

fn block(index: &mut u32, kind: &str, text: &str, events: &mut Vec<Event>) {
    let empty = json!({"message": {"content": {"type": kind, kind: ""}}});
    events.push(framing(&json!({"type": "content-start", "index": index, "delta": empty})));
    for piece in pieces(text) {
        let delta = json!({"message": {"content": {kind: piece}}});
        events.push(content(&json!({"type": "content-delta", "index": index, "delta": delta}), 1));
    }
    events.push(framing(&json!({"type": "content-end", "index": index})));
    *index += 1;
}

fn call(at: usize, call: &Call, events: &mut Vec<Event>) {
    let delta = |tool: Value| json!({"message": {"tool_calls": tool}});
    // The name of a tool is made of tokens too.
    let named = u32::try_from(pieces(&call.name).count()).unwrap_or(u32::MAX);
    let begun = json!({"type": "tool-call-start", "index": at, "delta": delta(called(at, call, ""))});
    events.push(content(&begun, named));
    for piece in pieces(&call.arguments) {
        let delta = delta(json!({"function": {"arguments": piece}}));
        events.push(content(&json!({"type": "tool-call-delta", "index": at, "delta": delta}), 1));
    }
    events.push(framing(&json!({"type": "tool-call-end", "index": at})));
}

fn called(at: usize, call: &Call, arguments: &str) -> Value {
    let function = json!({"name": call.name, "arguments": arguments});
    json!({"id": format!("{}_sim{at}", call.name), "type": "function", "function": function})
}

fn word(choice: Option<&Choice>) -> &'static str {
    match choice.map_or(Finish::Stop, |choice| choice.finish) {
        Finish::Stop => "COMPLETE",
        Finish::Length => "MAX_TOKENS",
        Finish::ToolCalls => "TOOL_CALL",
    }
}

/// The figures of the first face in this one's. Billed are those that the caller and the model have said; the service
/// adds some of its own.
fn usage(figures: &Value) -> Value {
    let (input, output) = (&figures["prompt_tokens"], &figures["completion_tokens"]);
    let added = input.as_u64().unwrap_or(0) + 496;
    json!({
        "billed_units": {"input_tokens": input, "output_tokens": output},
        "tokens": {"input_tokens": added, "output_tokens": output},
        "cached_tokens": figures["prompt_tokens_details"]["cached_tokens"],
    })
}

fn content(object: &Value, tokens: u32) -> Event {
    Event { bytes: named(object), is_content: true, tokens }
}

fn framing(object: &Value) -> Event {
    Event { bytes: named(object), is_content: false, tokens: 0 }
}

/// An event under its own name, as all of this dialect are.
fn named(object: &Value) -> Bytes {
    let name = object["type"].as_str().unwrap_or_default();
    Bytes::from(format!("event: {name}\ndata: {object}\n\n"))
}
