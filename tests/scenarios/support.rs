//! What the scenarios share: a gateway that serves, requests, and what is asked of an answer in error.

use gatewright_testkit::harness::{Gateway, Streamed, Whole};
use gatewright_testkit::provider::{Answer, SimulatedProvider, Step};
use serde_json::{Value, json};

/// A gateway that serves the model `small` at a provider.
pub(crate) async fn serving() -> (SimulatedProvider, Gateway) {
    let provider = SimulatedProvider::start().await;
    let gateway = Gateway::in_front_of(&provider).start().await;
    (provider, gateway)
}

/// A chat request for the model `small`.
pub(crate) fn chat(text: &str) -> Value {
    json!({"model": "small", "messages": [{"role": "user", "content": text}]})
}

/// A chat request for the model `small` that asks for a stream.
pub(crate) fn streamed_chat(text: &str) -> Value {
    let mut request = chat(text);
    request["stream"] = json!(true);
    request
}

/// One event of a streamed chat answer, as a provider writes it.
pub(crate) fn delta(choice: u64, delta: &Value, finish: Option<&str>) -> String {
    let choices = json!([{"index": choice, "delta": delta, "finish_reason": finish}]);
    json!({"id": "c1", "object": "chat.completion.chunk", "model": "small", "choices": choices}).to_string()
}

/// The events of a streamed chat answer whose text comes in these pieces.
pub(crate) fn events_of(pieces: &[&str]) -> Vec<String> {
    let mut events = vec![delta(0, &json!({"role": "assistant", "content": ""}), None)];
    events.extend(pieces.iter().map(|piece| delta(0, &json!({"content": piece}), None)));
    events.push(delta(0, &json!({}), Some("stop")));
    events.push("[DONE]".to_owned());
    events
}

/// The same as the bytes of a body.
pub(crate) fn stream_of(pieces: &[&str]) -> Vec<u8> {
    events_of(pieces).iter().flat_map(|event| format!("data: {event}\n\n").into_bytes()).collect()
}

/// A stream of these bytes, written in pieces that end at these places.
pub(crate) fn cut_at(body: &[u8], places: &[usize]) -> Answer {
    let mut steps = Vec::new();
    let mut rest = body;
    let mut from = 0;
    for place in places {
        let (piece, tail) = rest.split_at(place - from);
        steps.extend([Step::send(piece.to_vec()), Step::Flush]);
        (rest, from) = (tail, *place);
    }
    steps.push(Step::send(rest.to_vec()));
    Answer::stream(steps)
}

/// The error object of an answer, which must have this status and the shape that client libraries read.
#[track_caller]
pub(crate) fn error_of(answer: &Whole, status: u16) -> Value {
    assert_eq!(answer.status.as_u16(), status, "{:?}", answer.body);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let error = answer.json()["error"].clone();
    check_error_shape(&error);
    error
}

/// The error event with which a stream ended, in order and without a terminator that would make it look complete.
#[track_caller]
pub(crate) fn error_event_of(stream: &Streamed) -> Value {
    assert_eq!(stream.end, gatewright_testkit::harness::End::Clean, "{stream:?}");
    assert!(!stream.events.iter().any(|event| event == "[DONE]"), "{stream:?}");
    let error = stream.error().unwrap_or_else(|| panic!("an error event at the end: {stream:?}"));
    check_error_shape(&error);
    error
}

/// The parts that every error object has.
#[track_caller]
pub(crate) fn check_error_shape(error: &Value) {
    let message = error["message"].as_str().unwrap_or_default();
    assert!(!message.is_empty(), "a message: {error}");
    assert!(error["type"].is_string(), "a type: {error}");
    for optional in ["param", "code"] {
        let value = error.get(optional).unwrap_or_else(|| panic!("{optional} is there: {error}"));
        assert!(value.is_null() || value.is_string(), "{optional}: {error}");
    }
}

/// Whether the long forms of scenarios are asked for.
pub(crate) fn is_full() -> bool {
    #[expect(
        clippy::disallowed_methods,
        reason = "the ban keeps the gateway's settings in one place; a test is told how thorough to be"
    )]
    std::env::var_os("GATEWRIGHT_FULL").is_some()
}
