//! Answers of this face: the whole object, or its lines.

use bytes::Bytes;
use serde_json::{Value, json};

use super::super::behaviour::{Behaviour, UsagePlace};
use super::super::event::{Event, Meter};
use super::super::reply::{Call, Choice, Content, Finish, Reply};
use super::super::tokens::pieces;

/// What all lines of an answer say alike.
#[derive(Debug)]
pub(super) struct Head<'a> {
    pub(super) model: &'a str,
    /// Holds a number that no other answer has.
    pub(super) serial: &'a str,
}

impl Head<'_> {
    fn line(&self, message: &Value, done: bool) -> Value {
        // The time that an answer is made tells it from others.
        let serial: String = self.serial.chars().filter(char::is_ascii_digit).collect();
        json!({
            "model": self.model,
            "created_at": format!("2026-01-02T03:04:05.{serial}Z"),
            "message": message,
            "done": done,
        })
    }
}

/// The whole answer as one object.
pub(super) fn whole(reply: &Reply, head: &Head<'_>, behaviour: &Behaviour) -> Value {
    let mut message = json!({"role": "assistant", "content": ""});
    let choice = reply.choices.first();
    if let Some(text) = choice.and_then(|choice| choice.reasoning.as_deref()) {
        message["thinking"] = json!(text);
    }
    match choice.map(|choice| &choice.content) {
        Some(Content::Text(text)) => message["content"] = json!(text),
        Some(Content::Calls(calls)) => message["tool_calls"] = calls.iter().map(called).collect(),
        None => {}
    }
    ended(head.line(&message, true), choice, reply, behaviour)
}

/// The lines of the answer. A call comes as a whole.
pub(super) fn events(reply: &Reply, head: &Head<'_>, behaviour: &Behaviour) -> Vec<Event> {
    let said = |message: Value, tokens: usize| Event {
        bytes: line(&head.line(&message, false)),
        is_content: true,
        tokens: u32::try_from(tokens).unwrap_or(u32::MAX),
    };
    let choice = reply.choices.first();
    let reasoning = choice.and_then(|choice| choice.reasoning.as_deref()).unwrap_or_default();
    let thought = |piece| json!({"role": "assistant", "content": "", "thinking": piece});
    let mut events: Vec<Event> = pieces(reasoning).map(|piece| said(thought(piece), 1)).collect();
    match choice.map(|choice| &choice.content) {
        Some(Content::Text(text)) => {
            let spoken = |piece| json!({"role": "assistant", "content": piece});
            events.extend(pieces(text).map(|piece| said(spoken(piece), 1)));
        }
        Some(Content::Calls(calls)) => events.extend(calls.iter().map(|call| {
            let tokens = pieces(&call.name).count() + pieces(&call.arguments).count();
            said(json!({"role": "assistant", "content": "", "tool_calls": [called(call)]}), tokens)
        })),
        None => {}
    }
    let last = head.line(&json!({"role": "assistant", "content": ""}), true);
    let last = ended(last, choice, reply, behaviour);
    events.push(Event { bytes: line(&last), is_content: false, tokens: 0 });
    events
}

fn called(call: &Call) -> Value {
    let arguments: Value = serde_json::from_str(&call.arguments).unwrap_or_else(|_| json!({}));
    json!({"function": {"name": call.name, "arguments": arguments}})
}

/// Adds what only the end of an answer says.
fn ended(mut line: Value, choice: Option<&Choice>, reply: &Reply, behaviour: &Behaviour) -> Value {
    let is_cut = choice.is_some_and(|choice| choice.finish == Finish::Length);
    line["done_reason"] = json!(if is_cut { "length" } else { "stop" });
    line["total_duration"] = json!(4_883_583_458_u64);
    let meter = Meter::new(reply, behaviour);
    if meter.place() != UsagePlace::Nowhere {
        let figures = meter.total();
        line["prompt_eval_count"] = figures["prompt_tokens"].clone();
        line["eval_count"] = figures["completion_tokens"].clone();
        let cached = &figures["prompt_tokens_details"]["cached_tokens"];
        if cached.as_u64() > Some(0) {
            line["prompt_eval_cached_count"] = cached.clone();
        }
    }
    line
}

fn line(object: &Value) -> Bytes {
    Bytes::from(format!("{object}\n"))
}
