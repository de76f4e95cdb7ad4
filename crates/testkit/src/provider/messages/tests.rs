use http::StatusCode;
use serde_json::{Value, json};

use super::super::tests::post_with_headers;
use super::super::{ProviderSettings, SimulatedProvider};
use super::SIGNATURE;

const VERSION: (&str, &str) = ("anthropic-version", "2023-06-01");

async fn post(provider: &SimulatedProvider, body: &Value) -> super::super::tests::Seen {
    post_with_headers(provider, "/v1/messages", body, &[VERSION]).await
}

fn hello(model: &str) -> Value {
    json!({"model": model, "max_tokens": 100, "messages": [{"role": "user", "content": "hello there"}]})
}

fn weather(model: &str) -> Value {
    let mut request = hello(model);
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    request["tools"] = json!([{"name": "weather", "input_schema": schema}]);
    request
}

#[tokio::test]
async fn messages_answers_have_signed_reasoning_and_count_the_cache_apart() {
    let provider = SimulatedProvider::start().await;
    let seen = post(&provider, &hello("sim?text=one+two&reasoning=1&cached=2")).await.json();
    assert_eq!(seen["content"][0]["signature"], SIGNATURE);
    assert_eq!(seen["content"][1]["text"], "one two");
    assert_eq!((&seen["stop_reason"], &seen["type"]), (&json!("end_turn"), &json!("message")));
    let usage = &seen["usage"];
    assert_eq!(usage["cache_read_input_tokens"], 2);
    assert_eq!(usage["input_tokens"].as_u64().unwrap() + 2, provider.ledger()[0].prompt_tokens);
    assert!(usage["output_tokens_details"]["thinking_tokens"].as_u64().unwrap() > 0);
}

#[tokio::test]
async fn messages_streams_open_and_close_each_block_and_end_with_their_terminator() {
    let provider = SimulatedProvider::start().await;
    let mut request = weather("sim?tools=2&reasoning=1");
    request["stream"] = json!(true);
    let events = post(&provider, &request).await.named_events();
    assert!(events.iter().all(|(name, data)| data["type"] == name.as_str()));
    let names: Vec<&str> = events.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!((names[0], names[1]), ("message_start", "ping"));
    assert_eq!(names[names.len() - 2..], ["message_delta", "message_stop"]);
    let started = events
        .iter()
        .filter(|(name, _)| name == "content_block_start")
        .map(|(_, data)| data["index"].as_u64());
    assert_eq!(started.collect::<Vec<_>>(), [Some(0), Some(1), Some(2)]);
    let arguments: String = events
        .iter()
        .filter(|(_, data)| data["index"] == 1)
        .filter_map(|(_, data)| data["delta"]["partial_json"].as_str())
        .collect();
    assert_eq!(serde_json::from_str::<Value>(&arguments).unwrap(), json!({"city": "some city"}));
}

#[tokio::test]
async fn messages_that_the_public_service_refuses_are_refused_in_its_envelope() {
    let provider = SimulatedProvider::start().await;
    let with = |change: &dyn Fn(&mut Value)| {
        let mut request = weather("sim");
        change(&mut request);
        request
    };
    let call = json!({"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "weather", "input": {}}]});
    let user = json!({"role": "user", "content": "hi"});
    let wrong = [
        with(&|it| drop(it.as_object_mut().unwrap().remove("max_tokens"))),
        with(&|it| it["messages"] = json!([{"role": "assistant", "content": "hi"}])),
        with(&|it| it["messages"] = json!([user, call, user])),
        with(&|it| it["messages"][0]["content"] = json!([{"type": "text", "text": " "}])),
        with(&|it| it["messages"] = json!([user, {"role": "assistant", "content": "so "}])),
        with(
            &|it| it["messages"] = json!([user, {"role": "assistant", "content": [{"type": "thinking", "thinking": "a", "signature": "b"}]}, user]),
        ),
        with(&|it| it["tools"][0]["name"] = json!("a.b")),
        with(&|it| it["thinking"] = json!({"type": "enabled", "budget_tokens": 100})),
        with(&|it| it["temperature"] = json!(1.5)),
        with(&|it| it["stop_sequences"] = json!(["\n"])),
    ];
    for request in wrong {
        let seen = post(&provider, &request).await;
        assert_eq!(seen.status, StatusCode::BAD_REQUEST, "{request}");
        assert_eq!(seen.json()["error"]["type"], "invalid_request_error");
    }
    let unversioned = post_with_headers(&provider, "/v1/messages", &weather("sim"), &[]).await;
    assert_eq!(unversioned.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn messages_refusals_and_failures_have_the_words_of_the_dialect() {
    let settings = ProviderSettings { key: Some("k".to_owned()), ..ProviderSettings::default() };
    let provider = SimulatedProvider::start_with(settings).await.unwrap();
    let key = [VERSION, ("x-api-key", "k")];
    let overloaded = post_with_headers(&provider, "/v1/messages", &hello("sim?status=529"), &key).await;
    assert_eq!(overloaded.json()["error"]["type"], "overloaded_error");
    let unknown = post(&provider, &hello("sim")).await;
    assert_eq!((unknown.status, unknown.json()["type"].clone()), (StatusCode::UNAUTHORIZED, json!("error")));
    let mut broken = hello("sim?error_event_after=1&code=overloaded_error");
    broken["stream"] = json!(true);
    let events = post_with_headers(&provider, "/v1/messages", &broken, &key).await.named_events();
    let (name, data) = events.last().unwrap();
    assert_eq!((name.as_str(), &data["error"]["type"]), ("error", &json!("overloaded_error")));
}

#[tokio::test]
async fn messages_tokens_are_counted_before_they_are_sent() {
    let provider = SimulatedProvider::start().await;
    let path = "/v1/messages/count_tokens";
    let counted = post_with_headers(&provider, path, &hello("sim"), &[VERSION]).await.json();
    post(&provider, &hello("sim")).await;
    assert_eq!(counted, json!({"input_tokens": provider.ledger()[1].prompt_tokens}));
}
