//! Answers of the provider that a test writes as pieces of text.

use gatewright::text::{Lane, LaneKind};
use serde_json::{Value, json};

use super::MODEL;
use crate::provider::{Answer, Step};

/// The events of a streamed chat answer that brings these pieces, one event for each, with everything that belongs
/// around them: roles, beginnings of tool calls, ends of choices, usage, terminator.
#[must_use]
pub fn stream_of(pieces: &[(Lane, &str)]) -> Vec<String> {
    let mut begun: Vec<Lane> = Vec::new();
    let mut events = Vec::new();
    for (lane, piece) in pieces {
        if !begun.iter().any(|known| known.choice == lane.choice) {
            events.push(chunk(lane.choice, &json!({"role": "assistant", "content": ""}), None));
        }
        if let LaneKind::ToolArguments { index } = lane.kind
            && !begun.contains(lane)
        {
            let function = json!({"name": "look_up", "arguments": ""});
            let call = json!({"index": index, "id": format!("call_{index}"), "type": "function", "function": function});
            events.push(chunk(lane.choice, &json!({"tool_calls": [call]}), None));
        }
        if !begun.contains(lane) {
            begun.push(*lane);
        }
        events.push(chunk(lane.choice, &delta(lane.kind, piece), None));
    }
    let mut choices: Vec<u32> = begun.iter().map(|lane| lane.choice).collect();
    choices.sort_unstable();
    choices.dedup();
    events.extend(choices.into_iter().map(|choice| chunk(choice, &json!({}), Some("stop"))));
    let usage =
        json!({"prompt_tokens": 5, "completion_tokens": pieces.len(), "total_tokens": 5 + pieces.len()});
    events.push(envelope(&json!([]), Some(usage)));
    events.push("[DONE]".to_owned());
    events
}

/// The answer that such a stream is, each event written on its own.
#[must_use]
pub fn streamed(pieces: &[(Lane, &str)]) -> Answer {
    Answer::events(stream_of(pieces).iter().map(String::as_str))
}

/// The beginning of such a stream, up to its last piece, and then silence on an open connection.
#[must_use]
pub fn stalled(pieces: &[(Lane, &str)]) -> Answer {
    let events = stream_of(pieces);
    let ends = pieces.iter().map(|(lane, _)| lane.choice).collect::<std::collections::BTreeSet<_>>().len();
    let kept = events.len().saturating_sub(2 + ends);
    let mut steps: Vec<Step> =
        events.iter().take(kept).flat_map(|event| [Step::event(event), Step::Flush]).collect();
    steps.push(Step::Stall);
    Answer::stream(steps)
}

/// A chat answer in one piece with these texts, one for each choice.
#[must_use]
pub fn whole(texts: &[&str]) -> Value {
    let choice = |(index, text): (usize, &&str)| json!({"index": index, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"});
    json!({
        "id": "chatcmpl-test",
        "object": "chat.completion",
        "created": 1,
        "model": MODEL,
        "choices": texts.iter().enumerate().map(choice).collect::<Vec<_>>(),
        "usage": {"prompt_tokens": 5, "completion_tokens": 5, "total_tokens": 10},
    })
}

fn delta(kind: LaneKind, piece: &str) -> Value {
    match kind {
        LaneKind::Content => json!({"content": piece}),
        LaneKind::Reasoning => json!({"reasoning_content": piece}),
        LaneKind::Refusal => json!({"refusal": piece}),
        LaneKind::ToolArguments { index } => {
            json!({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
        }
    }
}

fn chunk(choice: u32, delta: &Value, finish_reason: Option<&str>) -> String {
    envelope(&json!([{"index": choice, "delta": delta, "finish_reason": finish_reason}]), None)
}

fn envelope(choices: &Value, usage: Option<Value>) -> String {
    let mut event = json!({
        "id": "chatcmpl-test",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": MODEL,
        "choices": choices,
    });
    if let Some(usage) = usage {
        event["usage"] = usage;
    }
    event.to_string()
}
