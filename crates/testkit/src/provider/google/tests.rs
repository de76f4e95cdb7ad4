use serde_json::{Value, json};

use super::super::tests::{post_anywhere, post_anywhere_with};
use super::super::{ProviderSettings, SimulatedProvider};

fn asked(contents: &Value) -> Value {
    json!({"contents": contents})
}

fn hello() -> Value {
    asked(&json!([{"role": "user", "parts": [{"text": "hello there"}]}]))
}

fn weather() -> Value {
    let schema = json!({"type": "OBJECT", "properties": {"city": {"type": "STRING"}}});
    let mut request = hello();
    request["tools"] = json!([{"functionDeclarations": [{"name": "weather", "parameters": schema}]}]);
    request
}

#[tokio::test]
async fn google_answers_have_candidates_and_count_thoughts_apart() {
    let provider = SimulatedProvider::start().await;
    let path = "/v1/models/sim%3Ftext%3Done+two%26reasoning%3D1:generateContent";
    let seen = post_anywhere(&provider, path, &hello()).await.json();
    let parts = &seen["candidates"][0]["content"]["parts"];
    assert_eq!((&parts[0]["thought"], &parts[1]), (&json!(true), &json!({"text": "one two"})));
    assert_eq!(seen["candidates"][0]["finishReason"], "STOP");
    assert_eq!(seen["usageMetadata"]["candidatesTokenCount"], 2);
    assert!(seen["usageMetadata"]["thoughtsTokenCount"].as_u64().unwrap() > 0);
    assert_eq!(provider.ledger()[0].model, "sim?text=one+two&reasoning=1");
}

#[tokio::test]
async fn google_streams_are_events_or_one_array_and_have_no_terminator() {
    let provider = SimulatedProvider::start().await;
    let path = "/v1beta/models/sim%3Ftext%3Done%2Btwo:streamGenerateContent";
    let events = post_anywhere(&provider, &format!("{path}?alt=sse"), &hello()).await;
    let elements = events.events();
    let array = post_anywhere(&provider, path, &hello()).await.json();
    let text = |elements: &[Value]| -> String {
        elements.iter().filter_map(|it| it["candidates"][0]["content"]["parts"][0]["text"].as_str()).collect()
    };
    assert_eq!(
        (text(&elements), text(array.as_array().unwrap())),
        ("one two".to_owned(), "one two".to_owned())
    );
    let last = elements.last().unwrap();
    assert_eq!((&last["candidates"][0]["finishReason"], events.is_done()), (&json!("STOP"), false));
    assert_eq!(last["usageMetadata"]["candidatesTokenCount"], 2);
}

#[tokio::test]
async fn google_calls_are_whole_and_must_be_answered_in_the_next_turn() {
    let provider = SimulatedProvider::start().await;
    let path = "/v1beta/models/sim%3Ftools%3D2:streamGenerateContent?alt=sse";
    let called = post_anywhere(&provider, path, &weather()).await.events();
    let call = &called[0]["candidates"][0]["content"]["parts"][0]["functionCall"];
    assert_eq!((&call["name"], &call["args"]), (&json!("weather"), &json!({"city": "some city"})));
    let turn = |results: usize| {
        let calls: Vec<_> =
            (0..2).map(|_| json!({"functionCall": {"name": "weather", "args": {}}})).collect();
        let result = json!({"functionResponse": {"name": "weather", "response": {"output": "sun"}}});
        asked(&json!([
            {"role": "user", "parts": [{"text": "hi"}]},
            {"role": "model", "parts": calls},
            {"role": "user", "parts": vec![result; results]},
        ]))
    };
    let path = "/v1beta/models/sim:generateContent";
    assert_eq!(post_anywhere(&provider, path, &turn(2)).await.status, 200);
    let refused = post_anywhere(&provider, path, &turn(1)).await;
    assert_eq!(
        (refused.status.as_u16(), &refused.json()["error"]["status"]),
        (400, &json!("INVALID_ARGUMENT"))
    );
}

#[tokio::test]
async fn google_refusals_have_its_envelope_and_its_key_header() {
    let settings = ProviderSettings { key: Some("k".to_owned()), ..ProviderSettings::default() };
    let provider = SimulatedProvider::start_with(settings).await.unwrap();
    let path = "/v1beta/models/sim%3Fstatus%3D429%26retry_after%3D7:generateContent";
    let refused = post_anywhere(&provider, path, &hello()).await;
    assert_eq!(
        (refused.status.as_u16(), &refused.json()["error"]["status"]),
        (401, &json!("UNAUTHENTICATED"))
    );
    let refused = post_anywhere_with(&provider, path, &hello(), ("x-goog-api-key", "k")).await.json();
    assert_eq!(refused["error"]["status"], "RESOURCE_EXHAUSTED");
    assert_eq!(refused["error"]["details"][0]["retryDelay"], "7s");
    let unknown =
        post_anywhere_with(&provider, "/v1beta/models/sim:fly", &hello(), ("x-goog-api-key", "k")).await;
    assert_eq!((unknown.status.as_u16(), &unknown.json()["error"]["code"]), (404, &json!(404)));
}

#[tokio::test]
async fn google_counts_tokens_as_it_bills_them() {
    let provider = SimulatedProvider::start().await;
    let counted = post_anywhere(&provider, "/v1beta/models/sim:countTokens", &hello()).await.json();
    let answered = post_anywhere(&provider, "/v1beta/models/sim:generateContent", &hello()).await.json();
    assert_eq!(counted["totalTokens"], answered["usageMetadata"]["promptTokenCount"]);
}
