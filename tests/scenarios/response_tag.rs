//! Tags on answers: headers, labels and a disclaimer, whole and streamed, and not where a program reads.

use gatewright_testkit::harness::{End, Gateway};
use gatewright_testkit::provider::{Answer, SimulatedProvider};
use serde_json::{Value, json};

use crate::support::{chat, delta, events_of, streamed_chat};

const DISCLAIMER: &str = "\n\nWritten by a \"machine\".";

async fn tagging() -> (SimulatedProvider, Gateway) {
    let provider = SimulatedProvider::start().await;
    let rules = json!([
        {"headers": {"x-served-by": "{provider}/{served} for {model}"}, "tags": {"by": "{provider}"}},
        {"when": {"models": ["sm*"]}, "disclaimer": DISCLAIMER},
    ]);
    let gateway = Gateway::in_front_of(&provider)
        .model("big", &json!([{"provider": "simulated", "model": "large-1"}]))
        .extension("tag", "response-tag", &json!({"rules": rules}), &["request", "response"])
        .start()
        .await;
    (provider, gateway)
}

#[tokio::test]
async fn answers_have_their_headers_labels_and_disclaimer() {
    let (_provider, gateway) = tagging().await;
    let mut several = chat("x");
    several["n"] = json!(2);
    let answer = gateway.chat(&several).send().await.whole().await;
    assert_eq!(answer.header("x-served-by"), Some("simulated/small for small"));
    for choice in answer.json()["choices"].as_array().unwrap() {
        let text = choice["message"]["content"].as_str().unwrap();
        assert_eq!(text.matches("machine").count(), 1, "{text}");
        assert!(text.ends_with(DISCLAIMER), "{text}");
    }
    let tags: Value = serde_json::from_str(&gateway.record(&answer.id()).await.tags.unwrap()).unwrap();
    assert_eq!(tags["by"], "simulated");

    let mut other_model = chat("x");
    other_model["model"] = json!("big");
    let answer = gateway.chat(&other_model).send().await.whole().await;
    assert_eq!(answer.header("x-served-by"), Some("simulated/large-1 for big"));
    assert!(!String::from_utf8_lossy(&answer.body).contains("machine"));
}

#[tokio::test]
async fn a_stream_ends_each_choice_with_the_disclaimer_and_keeps_its_frames() {
    let (provider, gateway) = tagging().await;
    let mut events: Vec<String> =
        (0..2).map(|choice| delta(choice, &json!({"role": "assistant"}), None)).collect();
    events.push(delta(0, &json!({"content": "one"}), None));
    events.push(delta(1, &json!({"content": "two"}), None));
    events.push(delta(1, &json!({}), Some("stop")));
    events.push(delta(0, &json!({"content": "!"}), Some("stop")));
    events.push("[DONE]".to_owned());
    provider.push(Answer::events(events.iter().map(String::as_str)));
    let answer = gateway.chat(&streamed_chat("x")).send().await;
    assert_eq!(answer.header("x-served-by"), Some("simulated/small for small"));
    let stream = answer.to_end().await;
    assert!(stream.is_done() && stream.end == End::Clean, "{stream:?}");
    assert_eq!(stream.text(0), format!("one!{DISCLAIMER}"));
    assert_eq!(stream.text(1), format!("two{DISCLAIMER}"));
    for kept in events.iter().take(4) {
        assert!(stream.events.contains(kept), "{kept} went on as it came: {stream:?}");
    }
    for choice in 0..2 {
        let of_choice = |event: &Value| event["choices"][0]["index"] == choice;
        let last = stream.json_events().into_iter().rfind(of_choice).unwrap();
        assert_eq!(last["choices"][0]["finish_reason"], "stop", "the end of the choice comes last");
    }
}

#[tokio::test]
async fn what_a_program_reads_has_no_disclaimer() {
    let (provider, gateway) = tagging().await;
    let call = json!([{"index": 0, "id": "call_a", "type": "function", "function": {"name": "f", "arguments": "{}"}}]);
    let calling = [
        delta(0, &json!({"role": "assistant", "content": "let me see"}), None),
        delta(0, &json!({"tool_calls": call}), None),
        delta(0, &json!({}), Some("tool_calls")),
        "[DONE]".to_owned(),
    ];
    provider.push(Answer::events(calling.iter().map(String::as_str)));
    let stream = gateway.chat(&streamed_chat("x")).send().await.to_end().await;
    assert_eq!(stream.events, calling, "nothing was touched");
    let message = json!({"role": "assistant", "content": "let me see", "tool_calls": call});
    let body =
        json!({"id": "c", "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]});
    provider.push(Answer::json(200, &body));
    assert_eq!(gateway.chat(&chat("x")).send().await.json().await, body);

    let events = events_of(&["{\"a\":", "1}"]);
    provider.push(Answer::events(events.iter().map(String::as_str)));
    let mut request = streamed_chat("x");
    request["response_format"] = json!({"type": "json_object"});
    let stream = gateway.chat(&request).send().await.to_end().await;
    assert_eq!(stream.text(0), "{\"a\":1}");
}
