//! Caps: what a request may ask for, per model, with errors that name the field.

use gatewright_testkit::harness::Gateway;
use gatewright_testkit::provider::SimulatedProvider;
use serde_json::{Value, json};

use crate::support::{chat, error_of};

async fn capped() -> (SimulatedProvider, Gateway) {
    let provider = SimulatedProvider::start().await;
    let rules = json!([
        {"body_bytes": 2000, "messages": 3},
        {"models": ["small"], "tools": 1, "images": 0,
            "parameters": {
                "max_tokens": {"max": 20, "on_excess": "clamp", "default": 10},
                "temperature": {"max": 1},
            },
            "forbidden": ["logit_bias"]},
    ]);
    let gateway = Gateway::in_front_of(&provider)
        .model("big", &json!([{"provider": "simulated"}]))
        .extension("caps", "request-caps", &json!({"rules": rules}), &["request"])
        .start()
        .await;
    (provider, gateway)
}

fn with(field: &str, value: Value) -> Value {
    let mut request = chat("hello");
    request[field] = value;
    request
}

#[tokio::test]
async fn a_request_over_a_cap_is_refused_and_its_field_named() {
    let (provider, gateway) = capped().await;
    let message = json!({"role": "user", "content": "x"});
    let image = json!([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://images.example/1"}}]}]);
    let cases = [
        (with("user", json!("x".repeat(2000))), 413, json!(null), "request_too_large"),
        (
            with("messages", json!([message, message, message, message])),
            400,
            json!("messages"),
            "too_many_messages",
        ),
        (with("tools", json!([{}, {}])), 400, json!("tools"), "too_many_tools"),
        (with("messages", image.clone()), 400, json!("messages"), "too_many_images"),
        (with("temperature", json!(1.5)), 400, json!("temperature"), "invalid_value"),
        (with("temperature", json!("hot")), 400, json!("temperature"), "invalid_type"),
        (with("logit_bias", json!({"1": 2})), 400, json!("logit_bias"), "forbidden_parameter"),
    ];
    for (request, status, param, code) in cases {
        let error = error_of(&gateway.chat(&request).send().await.whole().await, status);
        assert_eq!((&error["param"], &error["code"]), (&param, &json!(code)), "{error}");
    }
    assert!(provider.requests().is_empty());
    let mut other_model = with("messages", image);
    other_model["model"] = json!("big");
    assert_eq!(gateway.chat(&other_model).send().await.status, 200);
}

#[tokio::test]
async fn a_parameter_is_set_to_its_bound_or_default() {
    let (provider, gateway) = capped().await;
    for (sent, expected, tag) in
        [(json!(21), 20, Some("max_tokens")), (json!(null), 10, None), (json!(20), 20, None)]
    {
        let answer = gateway.chat(&with("max_tokens", sent)).send().await;
        assert_eq!(answer.status, 200);
        let record = gateway.record(&answer.id()).await;
        assert_eq!(provider.next_request().await.json()["max_tokens"], expected);
        let tags: Value = record.tags.map_or(Value::Null, |tags| serde_json::from_str(&tags).unwrap());
        assert_eq!(tags["clamped"].as_str(), tag);
    }
}
