//! Answers of this face: the whole object, or its events.

use bytes::Bytes;
use serde_json::{Value, json};

use super::super::behaviour::{Behaviour, UsagePlace};
use super::super::event::{Event, Meter};
use super::super::reply::{Call, Content, Finish, Reply};
use super::super::tokens::pieces;
use super::SIGNATURE;

/// The facts of one answer.
#[derive(Debug)]
pub(super) struct Envelope<'a> {
    pub(super) id: &'a str,
    pub(super) model: &'a str,
}

/// The whole answer as one object.
pub(super) fn whole(reply: &Reply, envelope: &Envelope<'_>, behaviour: &Behaviour) -> Value {
    let blocks: Vec<Value> = blocks(reply).iter().map(Block::whole).collect();
    let meter = Meter::new(reply, behaviour);
    let finish = reply.choices.first().map(|choice| choice.finish);
    let mut message = message(envelope, &blocks, finish);
    if meter.place() != UsagePlace::Nowhere {
        message["usage"] = usage(&meter.total());
    }
    message
}

/// The events of the answer, the terminator included.
pub(super) fn events(reply: &Reply, envelope: &Envelope<'_>, behaviour: &Behaviour) -> Vec<Event> {
    let meter = Meter::new(reply, behaviour);
    let has_usage = meter.place() != UsagePlace::Nowhere;
    let total = usage(&meter.total());
    let mut begun = message(envelope, &[], None);
    if has_usage {
        begun["usage"] = total.clone();
        begun["usage"]["output_tokens"] = json!(1);
        begun["usage"]["output_tokens_details"] = Value::Null;
    }
    let mut events = vec![framing(&json!({"type": "message_start", "message": begun}))];
    events.push(framing(&json!({"type": "ping"})));
    for (index, block) in blocks(reply).iter().enumerate() {
        block.events(index, &mut events);
    }
    let finish = reply.choices.first().map(|choice| choice.finish);
    let delta = json!({"stop_reason": stop_reason(finish), "stop_sequence": null});
    let mut ended = json!({"type": "message_delta", "delta": delta});
    if has_usage {
        ended["usage"] = total;
        // What does not change any more is not said again.
        for key in ["cache_creation", "service_tier"] {
            ended["usage"].as_object_mut().map(|usage| usage.remove(key));
        }
    }
    events.push(framing(&ended));
    events.push(framing(&json!({"type": "message_stop"})));
    events
}

fn message(envelope: &Envelope<'_>, blocks: &[Value], finish: Option<Finish>) -> Value {
    json!({
        "id": envelope.id,
        "type": "message",
        "role": "assistant",
        "model": envelope.model,
        "content": blocks,
        "stop_reason": stop_reason(finish),
        "stop_sequence": null,
    })
}

fn stop_reason(finish: Option<Finish>) -> Option<&'static str> {
    Some(match finish? {
        Finish::Stop => "end_turn",
        Finish::Length => "max_tokens",
        Finish::ToolCalls => "tool_use",
    })
}

/// The figures of the first face in this one's.
fn usage(figures: &Value) -> Value {
    let prompt = figures["prompt_tokens"].as_u64().unwrap_or(0);
    let cached = figures["prompt_tokens_details"]["cached_tokens"].as_u64().unwrap_or(0).min(prompt);
    json!({
        "input_tokens": prompt - cached,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": cached,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "output_tokens": figures["completion_tokens"],
        "output_tokens_details": {"thinking_tokens": figures["completion_tokens_details"]["reasoning_tokens"]},
        "service_tier": "standard",
    })
}

/// A block of an answer.
enum Block<'r> {
    Thinking(&'r str),
    Text(&'r str),
    Call(usize, &'r Call),
}

fn blocks(reply: &Reply) -> Vec<Block<'_>> {
    let Some(choice) = reply.choices.first() else { return Vec::new() };
    let mut blocks: Vec<Block<'_>> = choice.reasoning.as_deref().map(Block::Thinking).into_iter().collect();
    match &choice.content {
        Content::Text(text) if text.is_empty() => {}
        Content::Text(text) => blocks.push(Block::Text(text)),
        Content::Calls(calls) => {
            blocks.extend(calls.iter().enumerate().map(|(at, call)| Block::Call(at, call)));
        }
    }
    blocks
}

impl Block<'_> {
    fn whole(&self) -> Value {
        match self {
            Self::Thinking(text) => json!({"type": "thinking", "thinking": text, "signature": SIGNATURE}),
            Self::Text(text) => json!({"type": "text", "text": text}),
            Self::Call(at, call) => {
                let input: Value = serde_json::from_str(&call.arguments).unwrap_or_default();
                json!({"type": "tool_use", "id": call_id(*at), "name": call.name, "input": input})
            }
        }
    }

    fn events(&self, index: usize, events: &mut Vec<Event>) {
        let (empty, kind, key, text) = match self {
            Self::Thinking(text) => (
                json!({"type": "thinking", "thinking": "", "signature": ""}),
                "thinking_delta",
                "thinking",
                *text,
            ),
            Self::Text(text) => (json!({"type": "text", "text": ""}), "text_delta", "text", *text),
            Self::Call(at, call) => {
                let empty = json!({"type": "tool_use", "id": call_id(*at), "name": call.name, "input": {}});
                (empty, "input_json_delta", "partial_json", call.arguments.as_str())
            }
        };
        let delta = |delta: Value| json!({"type": "content_block_delta", "index": index, "delta": delta});
        let begun = json!({"type": "content_block_start", "index": index, "content_block": empty});
        events.push(match self {
            // The name of a tool is made of tokens too.
            Self::Call(_, call) => {
                content(&begun, u32::try_from(pieces(&call.name).count()).unwrap_or(u32::MAX))
            }
            Self::Thinking(_) | Self::Text(_) => framing(&begun),
        });
        if let Self::Call(..) = self {
            events.push(framing(&delta(json!({"type": kind, key: ""}))));
        }
        events.extend(pieces(text).map(|piece| content(&delta(json!({"type": kind, key: piece})), 1)));
        if let Self::Thinking(_) = self {
            events.push(framing(&delta(json!({"type": "signature_delta", "signature": SIGNATURE}))));
        }
        events.push(framing(&json!({"type": "content_block_stop", "index": index})));
    }
}

fn call_id(at: usize) -> String {
    format!("toolu_sim_{at}")
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
