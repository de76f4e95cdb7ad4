//! Streams that are written from the events of another dialect.

use gatewright::EventKind;
use gatewright::chat::Signature;
use gatewright::dialect::Dialect;
use gatewright::text::Lane;
use gatewright::{FinishReason, Usage};
use serde_json::{Value, json};

use crate::support::{payloads, read, written};

fn text(lane: Lane, text: &str) -> EventKind {
    EventKind::TextDelta { lane, text: text.into() }
}

fn call(index: u32, id: &str) -> EventKind {
    EventKind::ToolCallStart {
        lane: Lane::tool_arguments(0, index),
        id: id.to_owned(),
        name: format!("f{index}"),
    }
}

fn arguments(index: u32, piece: &str) -> EventKind {
    text(Lane::tool_arguments(0, index), piece)
}

fn finish(reason: FinishReason) -> EventKind {
    EventKind::Finish { choice: 0, reason }
}

/// The stream's shape in words, after a check of the order that every stream has.
#[track_caller]
pub(crate) fn shape(stream: &str) -> Vec<String> {
    let payloads = payloads(stream);
    let kinds: Vec<&str> = payloads.iter().map(|payload| payload["type"].as_str().unwrap()).collect();
    assert_eq!(kinds.first(), Some(&"message_start"));
    assert_eq!(kinds[kinds.len() - 2..], ["message_delta", "message_stop"]);
    let mut open: Option<u64> = None;
    let mut next = 0;
    let mut words = Vec::new();
    for payload in &payloads {
        let index = payload["index"].as_u64();
        match payload["type"].as_str().unwrap() {
            "content_block_start" => {
                assert_eq!((open, index), (None, Some(next)), "blocks follow each other: {stream}");
                open = index;
                next += 1;
                let block = &payload["content_block"];
                words.push(format!(
                    "{} {}",
                    block["type"].as_str().unwrap(),
                    block["id"].as_str().unwrap_or_default()
                ));
            }
            "content_block_delta" => {
                assert_eq!(open, index, "what goes on is open: {stream}");
                let delta = &payload["delta"];
                let keys = ["text", "thinking", "partial_json", "signature"];
                words.extend(
                    keys.iter().filter_map(|key| delta[key].as_str()).map(|piece| format!("+{piece}")),
                );
            }
            "content_block_stop" => {
                assert_eq!(open.take(), index, "what ends is open: {stream}");
                words.push("stop".to_owned());
            }
            _ => assert_eq!(open, None, "{stream}"),
        }
    }
    words
}

fn last_delta(stream: &str) -> Value {
    payloads(stream).into_iter().find(|payload| payload["type"] == "message_delta").unwrap()
}

#[test]
fn a_stream_opens_itself_and_ends_with_reason_and_usage() {
    let usage =
        Usage { input: 5, cache_read: 3, cache_write: 2, output: 9, reasoning: 4, ..Usage::default() };
    let stream =
        written(vec![text(Lane::content(0), "a"), finish(FinishReason::Length), EventKind::Usage(usage)]);
    assert_eq!(shape(&stream), ["text ", "+a", "stop"]);
    let start = &payloads(&stream)[0]["message"];
    assert_eq!((&start["model"], &start["role"]), (&json!("public"), &json!("assistant")));
    assert!(start["id"].as_str().unwrap().starts_with("msg_"));
    let delta = last_delta(&stream);
    assert_eq!(delta["delta"], json!({"stop_reason": "max_tokens", "stop_sequence": null}));
    let last = read(stream.as_bytes()).into_iter().filter_map(|(frame, _)| frame.usage).next_back();
    assert_eq!(last, Some(usage), "the figures can be read back");
}

#[test]
fn reasoning_text_and_calls_are_blocks_one_after_the_other() {
    let stream = written(vec![
        EventKind::Start,
        text(Lane::reasoning(0), "hm"),
        text(Lane::reasoning(0), "!"),
        text(Lane::content(0), "a"),
        call(0, "t"),
        arguments(0, "{\"x\""),
        arguments(0, ":1}"),
        finish(FinishReason::ToolCalls),
    ]);
    let expected =
        ["thinking ", "+hm", "+!", "stop", "text ", "+a", "stop", "tool_use t", "+{\"x\"", "+:1}", "stop"];
    assert_eq!(shape(&stream), expected);
    assert_eq!(last_delta(&stream)["delta"]["stop_reason"], "tool_use");
}

#[test]
fn interleaved_calls_wait_until_the_open_one_is_complete() {
    let stream = written(vec![
        call(0, "a"),
        call(1, "b"),
        arguments(0, "{\"x\":"),
        arguments(1, "{"),
        text(Lane::content(0), "so"),
        arguments(0, "\"}\"}"),
        arguments(1, "}"),
        call(2, "c"),
        finish(FinishReason::Stop),
    ]);
    let expected = [
        "tool_use a",
        "+{\"x\":",
        "+\"}\"}",
        "stop",
        "tool_use b",
        "+{",
        "+}",
        "stop",
        "text ",
        "+so",
        "stop",
        "tool_use c",
        "stop",
    ];
    assert_eq!(shape(&stream), expected);
}

#[test]
fn a_call_without_arguments_begins_and_stops() {
    let stream = written(vec![call(0, "a"), arguments(0, ""), call(1, "b"), finish(FinishReason::ToolCalls)]);
    assert_eq!(shape(&stream), ["tool_use a", "stop", "tool_use b", "stop"]);
    let ended = written(vec![
        call(0, "a"),
        EventKind::LaneEnd { lane: Lane::tool_arguments(0, 0) },
        call(1, "b"),
        arguments(1, "{}"),
    ]);
    assert_eq!(shape(&ended), ["tool_use a", "stop", "tool_use b", "+{}", "stop"]);
}

#[test]
fn a_call_that_is_announced_with_every_piece_is_one() {
    let stream = written(vec![call(0, "a"), arguments(0, "{"), call(0, "a"), arguments(0, "}")]);
    assert_eq!(shape(&stream), ["tool_use a", "+{", "+}", "stop"]);
}

#[test]
fn signatures_and_sealed_reasoning_stand_where_they_came() {
    let own = |data: &'static str| Signature { data: data.into(), from: Dialect::AnthropicMessages };
    let signed = |data| EventKind::Signature { lane: Lane::reasoning(0), signature: own(data) };
    let stream = written(vec![
        text(Lane::reasoning(0), "a"),
        signed("s1"),
        text(Lane::reasoning(0), "b"),
        signed("s2"),
        EventKind::SealedReasoning { choice: 0, signature: own("x") },
        text(Lane::content(0), "c"),
    ]);
    let expected = [
        "thinking ",
        "+a",
        "+s1",
        "stop",
        "thinking ",
        "+b",
        "+s2",
        "stop",
        "redacted_thinking ",
        "stop",
        "text ",
        "+c",
        "stop",
    ];
    assert_eq!(shape(&stream), expected);
}

#[test]
fn every_reason_to_stop_has_its_word() {
    let cases = [
        (FinishReason::Stop, "end_turn"),
        (FinishReason::Length, "max_tokens"),
        (FinishReason::ToolCalls, "tool_use"),
        (FinishReason::ContentFilter, "refusal"),
        (FinishReason::ContextFull, "model_context_window_exceeded"),
        (FinishReason::Paused, "pause_turn"),
        (FinishReason::MalformedCall, "end_turn"),
        (FinishReason::Other("odd".to_owned()), "end_turn"),
    ];
    for (reason, word) in cases {
        assert_eq!(last_delta(&written(vec![finish(reason)]))["delta"]["stop_reason"], word);
    }
    let string = written(vec![finish(FinishReason::StopString(Some("END".to_owned())))]);
    assert_eq!(last_delta(&string)["delta"], json!({"stop_reason": "stop_sequence", "stop_sequence": "END"}));
}

#[test]
fn a_natural_end_with_a_call_is_a_call_and_with_a_refusal_is_one() {
    let called = written(vec![call(0, "a"), arguments(0, "{}"), finish(FinishReason::Stop)]);
    assert_eq!(last_delta(&called)["delta"]["stop_reason"], "tool_use");
    let refused = written(vec![text(Lane::refusal(0), "no"), finish(FinishReason::Stop)]);
    assert_eq!(last_delta(&refused)["delta"]["stop_reason"], "refusal");
    assert_eq!(shape(&refused), ["text ", "+no", "stop"]);
}

#[test]
fn other_choices_and_raw_events_are_left_out() {
    let stream = written(vec![
        text(Lane::content(1), "other"),
        EventKind::Raw { data: "{}".into() },
        text(Lane::content(0), "a"),
        EventKind::Raw { data: "{}".into() },
        EventKind::Finish { choice: 1, reason: FinishReason::Length },
    ]);
    assert_eq!(shape(&stream), ["text ", "+a", "stop"]);
    assert_eq!(last_delta(&stream)["delta"]["stop_reason"], "end_turn");
}

#[test]
fn what_waits_is_bounded() {
    let mut events = vec![call(0, "a"), arguments(0, "{")];
    events.extend((1..3_000).map(|index| call(index, "b")));
    let stream = written(events);
    let blocks = shape(&stream).iter().filter(|word| word.starts_with("tool_use")).count();
    assert_eq!(blocks, 3_000);
}

#[test]
fn a_call_that_is_cut_because_too_much_waits_is_no_whole_call() {
    let mut events: Vec<_> = (0..1_500).map(|index| call(index, "b")).collect();
    events.extend((0..1_500).map(|index| arguments(index, "{}")));
    let stream = written(events);
    assert!(stream.contains("event: error") && !stream.contains("message_stop"), "it would look whole");
}
