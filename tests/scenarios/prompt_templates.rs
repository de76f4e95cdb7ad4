//! Prompt templates: a caller refers to a prompt by name, and the provider gets its texts.

use gatewright_testkit::harness::Gateway;
use gatewright_testkit::provider::SimulatedProvider;
use serde_json::{Value, json};

use crate::support::{chat, error_of, streamed_chat};

async fn templated() -> (SimulatedProvider, Gateway) {
    let provider = SimulatedProvider::start().await;
    let templates = json!({
        "support": {"system": "You answer for {{product}} in {{words}} words.",
            "variables": {"product": {"max_bytes": 16}, "words": {"type": "integer", "default": 50}}},
        "sign": {"user": "Sign as {{name}}.", "user_at": "last", "variables": {"name": {}}},
    });
    let gateway = Gateway::in_front_of(&provider)
        .extension("prompts", "prompt-templates", &json!({"templates": templates}), &["request"])
        .start()
        .await;
    (provider, gateway)
}

fn referring(mut request: Value, reference: Value) -> Value {
    request["prompt_template"] = reference;
    request
}

#[tokio::test]
async fn the_provider_gets_the_texts_and_not_the_reference() {
    let (provider, gateway) = templated().await;
    let support = json!({"name": "support", "variables": {"product": "Falcon"}});
    let sign = json!({"name": "sign", "variables": {"name": "Ann"}});
    let question = json!({"role": "user", "content": "hello"});
    let cases = [
        (support, json!([{"role": "system", "content": "You answer for Falcon in 50 words."}, question])),
        (sign, json!([question, {"role": "user", "content": "Sign as Ann."}])),
    ];
    for (reference, messages) in cases {
        for request in [chat("hello"), streamed_chat("hello")] {
            let answer = gateway.chat(&referring(request, reference.clone())).send().await;
            assert_eq!(answer.status, 200);
            let record = gateway.record(&answer.id()).await;
            let seen = provider.next_request().await.json();
            assert_eq!(seen["messages"], messages);
            assert_eq!(seen.get("prompt_template"), None);
            let tags: Value = serde_json::from_str(&record.tags.unwrap()).unwrap();
            assert_eq!(tags["prompt_template"], reference["name"]);
        }
    }
}

#[tokio::test]
async fn a_mistake_in_a_reference_is_a_400_that_names_the_field() {
    let (provider, gateway) = templated().await;
    let cases = [
        (json!({"name": "suport"}), "prompt_template.name", "unknown_prompt_template"),
        (json!({"name": "support"}), "prompt_template.variables.product", "missing_variable"),
        (
            json!({"name": "support", "variables": {"product": ["Falcon"]}}),
            "prompt_template.variables.product",
            "invalid_variable",
        ),
    ];
    for (reference, param, code) in cases {
        let answer = gateway.chat(&referring(chat("hello"), reference)).send().await.whole().await;
        let error = error_of(&answer, 400);
        assert_eq!((&error["param"], &error["code"]), (&json!(param), &json!(code)));
        assert_eq!(error["type"], "invalid_request_error");
    }
    assert!(provider.requests().is_empty(), "nothing is sent");
}

#[tokio::test]
async fn a_request_without_a_reference_keeps_its_bytes() {
    let (provider, gateway) = templated().await;
    let body = r#"{"seed":123456789012345678901234567890, "model":"small","messages":[{"role":"user","content":"h\u00e9"}]}"#;
    assert_eq!(gateway.post("/v1/chat/completions", body).send().await.status, 200);
    assert_eq!(&*provider.next_request().await.body, body.as_bytes());
    let vectors =
        r#"{"model":"small","input":"text","prompt_template":{"name":"sign","variables":{"name":"x"}}}"#;
    let answer = gateway.post("/v1/embeddings", vectors).send().await.whole().await;
    assert_eq!(error_of(&answer, 400)["param"], "prompt_template");
}
