//! The schema of answers: what fits passes, what does not is repaired once by the model, or refused.

use gatewright_testkit::harness::{End, Gateway};
use gatewright_testkit::provider::{Answer, SimulatedProvider};
use serde_json::{Value, json};

use crate::support::{chat, error_event_of, error_of, events_of, streamed_chat};

const FITS: &str = r#"{"city":"Oslo","population":700000}"#;
const FAILS: &str = r#"{"city":"Oslo","population":"many"}"#;

async fn checked(settings: &Value) -> (SimulatedProvider, Gateway) {
    let provider = SimulatedProvider::start().await;
    let gateway = Gateway::in_front_of(&provider)
        .extension("shape", "json-schema", settings, &["request", "response"])
        .set("/extensions/1/deadline", json!("20s"))
        .start()
        .await;
    (provider, gateway)
}

fn schema() -> Value {
    json!({"type": "object", "required": ["city"],
        "properties": {"city": {"type": "string"}, "population": {"type": "integer"}}})
}

fn asking_for_json(mut request: Value) -> Value {
    let schema = json!({"name": "place", "schema": schema()});
    request["response_format"] = json!({"type": "json_schema", "json_schema": schema});
    request
}

fn whole(text: &str) -> Answer {
    let message = json!({"role": "assistant", "content": text});
    let usage = json!({"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 30});
    let choices = json!([{"index": 0, "message": message, "finish_reason": "stop"}]);
    Answer::json(200, &json!({"id": "c", "choices": choices, "usage": usage}))
}

fn in_pieces(text: &str) -> Answer {
    let (head, tail) = text.split_at(9);
    Answer::events(events_of(&[head, tail]).iter().map(String::as_str))
}

#[tokio::test]
async fn a_whole_answer_is_repaired_by_one_more_question() {
    let (provider, gateway) = checked(&json!({"from_request": true})).await;
    provider.push(whole(FAILS));
    provider.push(whole(&format!("```json\n{FITS}\n```")));
    let answer = gateway.chat(&asking_for_json(chat("Oslo?"))).send().await.whole().await;
    assert_eq!(answer.json()["choices"][0]["message"]["content"], FITS, "{:?}", answer.body);
    let _first = provider.next_request().await;
    let repair = provider.next_request().await.json();
    let told = repair["messages"][1]["content"].as_str().unwrap();
    assert!(told.contains(FAILS) && told.contains("/population"), "{told}");
    assert_eq!(repair["response_format"]["type"], "json_schema", "the repair asks for the same shape");
    let records = gateway.records().await;
    assert_eq!(records.len(), 2, "the repair has a record of its own: {records:?}");
    assert!(records.iter().all(|record| record.request_id == answer.id() && record.output_tokens == 20));
    let tags: Vec<Value> = records
        .iter()
        .flat_map(|record| &record.tags)
        .map(|tags| serde_json::from_str(tags).unwrap())
        .collect();
    assert!(tags.contains(&json!({"json_schema": "repaired"})), "{tags:?}");
}

#[tokio::test]
async fn a_stream_is_collected_checked_and_repaired() {
    let (provider, gateway) = checked(&json!({"schema": schema()})).await;
    for (first, repair) in [(FITS, None), (FAILS, Some(FITS))] {
        provider.push(in_pieces(first));
        repair.into_iter().for_each(|text| provider.push(whole(text)));
        let stream = gateway.chat(&streamed_chat("Oslo?")).send().await.to_end().await;
        assert!(stream.is_done() && stream.end == End::Clean, "{stream:?}");
        assert_eq!(stream.text(0), FITS, "{stream:?}");
    }
    let repair = provider.requests().pop().unwrap().json();
    assert!(repair["stream"].is_null() || repair["stream"] == false, "{repair}");
}

#[tokio::test]
async fn what_does_not_fit_in_the_end_is_refused() {
    let (provider, gateway) = checked(&json!({"schema": schema()})).await;
    provider.push(whole(FAILS));
    provider.push(whole("Oslo has many people."));
    let refused = gateway.chat(&chat("Oslo?")).send().await.whole().await;
    let error = error_of(&refused, 502);
    assert_eq!(error["code"], "answer_violates_schema");
    assert!(!String::from_utf8_lossy(&refused.body).contains("many"), "nothing is quoted: {refused:?}");
    provider.push(in_pieces(FAILS));
    provider.push(Answer::json(500, &json!({"error": {"message": "no"}})));
    let answer = gateway.chat(&streamed_chat("Oslo?")).send().await;
    if answer.status == 200 {
        let stream = answer.to_end().await;
        assert_eq!(error_event_of(&stream)["code"], "answer_violates_schema");
        assert_eq!(stream.text(0), "", "{stream:?}");
    } else {
        assert_eq!(error_of(&answer.whole().await, 502)["code"], "answer_violates_schema");
    }
}

#[tokio::test]
async fn exchanges_without_a_schema_are_left_alone_and_bad_schemas_are_a_400() {
    let (provider, gateway) = checked(&json!({"from_request": true})).await;
    let events = events_of(&["no ", "JSON"]);
    provider.push(Answer::events(events.iter().map(String::as_str)));
    let stream = gateway.chat(&streamed_chat("x")).send().await.to_end().await;
    assert_eq!(stream.events, events, "the frames are untouched");
    let mut request = asking_for_json(chat("x"));
    request["response_format"]["json_schema"]["schema"] = json!({"$ref": "https://elsewhere.example/s"});
    let error = error_of(&gateway.chat(&request).send().await.whole().await, 400);
    assert_eq!(
        (&error["param"], &error["code"]),
        (&json!("response_format.json_schema.schema"), &json!("invalid_json_schema"))
    );
}
