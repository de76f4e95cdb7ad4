//! Answers of this face: the whole object, or the events of a stream.

use serde_json::{Value, json};

use super::super::behaviour::{Behaviour, UsagePlace};
use super::super::event::{Event, Meter};
use super::super::reply::{Call, Choice, Content, Finish, Reply};
use super::super::tokens::pieces;
use super::{SIGNATURE, event};

/// The whole answer as one object.
pub(super) fn whole(reply: &Reply, behaviour: &Behaviour) -> Value {
    let mut content = Vec::new();
    let mut finish = Finish::Stop;
    // There is one answer, whatever is asked.
    if let Some(choice) = reply.choices.first() {
        finish = choice.finish;
        if let Some(text) = &choice.reasoning {
            content
                .push(json!({"reasoningContent": {"reasoningText": {"text": text, "signature": SIGNATURE}}}));
        }
        match &choice.content {
            Content::Text(text) => content.push(json!({"text": text})),
            Content::Calls(calls) => content.extend(calls.iter().enumerate().map(|(at, call)| {
                let input: Value = serde_json::from_str(&call.arguments).unwrap_or_default();
                json!({"toolUse": {"toolUseId": call_id(at), "name": call.name, "input": input}})
            })),
        }
    }
    let mut object = json!({
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": stop_reason(finish),
        "metrics": {"latencyMs": 1},
    });
    let meter = Meter::new(reply, behaviour);
    if meter.place() != UsagePlace::Nowhere {
        object["usage"] = usage(&meter.total());
    }
    object
}

fn call_id(at: usize) -> String {
    format!("tooluse_sim_{at}")
}

fn stop_reason(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop => "end_turn",
        Finish::Length => "max_tokens",
        Finish::ToolCalls => "tool_use",
    }
}

/// The answer as the messages of a stream.
pub(super) fn events(reply: &Reply, behaviour: &Behaviour) -> Vec<Event> {
    let mut stream = Stream { events: Vec::new(), block: 0 };
    stream.frame("messageStart", &json!({"role": "assistant"}));
    let finish = reply.choices.first().map_or(Finish::Stop, |choice| {
        stream.choice(choice);
        choice.finish
    });
    stream.frame("messageStop", &json!({"stopReason": stop_reason(finish)}));
    let meter = Meter::new(reply, behaviour);
    if meter.place() != UsagePlace::Nowhere {
        let figures = json!({"usage": usage(&meter.total()), "metrics": {"latencyMs": 1}});
        stream.frame("metadata", &figures);
    }
    stream.events
}

struct Stream {
    events: Vec<Event>,
    /// The index of the block under way.
    block: usize,
}

impl Stream {
    fn choice(&mut self, choice: &Choice) {
        if let Some(reasoning) = &choice.reasoning {
            pieces(reasoning).for_each(|piece| self.delta(&json!({"reasoningContent": {"text": piece}}), 1));
            self.frame_delta(&json!({"reasoningContent": {"signature": SIGNATURE}}));
            self.stop();
        }
        match &choice.content {
            Content::Text(text) => {
                pieces(text).for_each(|piece| self.delta(&json!({"text": piece}), 1));
                self.stop();
            }
            Content::Calls(calls) => calls.iter().enumerate().for_each(|(at, call)| self.call(at, call)),
        }
    }

    /// A call is announced with its name, then its arguments come in fragments, the first of them empty.
    fn call(&mut self, at: usize, call: &Call) {
        let start = json!({"toolUse": {"toolUseId": call_id(at), "name": call.name}});
        let start = json!({"contentBlockIndex": self.block, "start": start}).to_string();
        let tokens = u32::try_from(pieces(&call.name).count()).unwrap_or(u32::MAX);
        let bytes = event("contentBlockStart", start.as_bytes());
        self.events.push(Event { bytes, is_content: true, tokens });
        self.frame_delta(&json!({"toolUse": {"input": ""}}));
        pieces(&call.arguments).for_each(|piece| self.delta(&json!({"toolUse": {"input": piece}}), 1));
        self.stop();
    }

    fn delta(&mut self, delta: &Value, tokens: u32) {
        let payload = json!({"contentBlockIndex": self.block, "delta": delta}).to_string();
        let bytes = event("contentBlockDelta", payload.as_bytes());
        self.events.push(Event { bytes, is_content: true, tokens });
    }

    fn frame_delta(&mut self, delta: &Value) {
        self.frame("contentBlockDelta", &json!({"contentBlockIndex": self.block, "delta": delta}));
    }

    fn stop(&mut self) {
        self.frame("contentBlockStop", &json!({"contentBlockIndex": self.block}));
        self.block += 1;
    }

    fn frame(&mut self, name: &str, payload: &Value) {
        let bytes = event(name, payload.to_string().as_bytes());
        self.events.push(Event { bytes, is_content: false, tokens: 0 });
    }
}

/// The figures of the first face in the words of this one.
fn usage(figures: &Value) -> Value {
    json!({
        "inputTokens": figures["prompt_tokens"],
        "outputTokens": figures["completion_tokens"],
        "totalTokens": figures["total_tokens"],
        "cacheReadInputTokens": 0,
        "cacheWriteInputTokens": 0,
    })
}
