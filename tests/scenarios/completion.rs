//! Legacy completions where a model can only chat.

use gatewright_testkit::harness::Gateway;
use gatewright_testkit::provider::SimulatedProvider;
use serde_json::{Value, json};

use crate::support::error_of;

const PROVIDERS: [(&str, &str, &str); 3] =
    [("anthropic", "anthropic", ""), ("gemini", "gemini", "/v1beta"), ("bedrock", "bedrock", "")];

async fn gateway_of_chats(provider: &SimulatedProvider) -> Gateway {
    let mut builder = Gateway::in_front_of(provider);
    for (name, adapter, path) in PROVIDERS {
        builder = builder
            .provider_at(name, &format!("http://{}{path}", provider.address()))
            .set(&format!("/providers/{name}/use"), json!(adapter))
            .model(name, &json!([{"provider": name, "model": "sim?echo=1"}]));
    }
    builder.start().await
}

fn prompt(model: &str, more: &Value) -> String {
    let mut request = json!({"model": model, "prompt": "once upon", "max_tokens": 50});
    request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    request.to_string()
}

#[tokio::test]
async fn a_prompt_is_said_to_a_model_that_chats_and_the_emulation_is_told() {
    let provider = SimulatedProvider::start().await;
    let gateway = gateway_of_chats(&provider).await;
    for (name, ..) in PROVIDERS {
        let answer = gateway.post("/v1/completions", prompt(name, &json!({"echo": true})));
        let answer = answer.send().await.whole().await;
        assert_eq!(
            answer.header("x-gatewright-lost"),
            Some("/echo;dropped, /prompt;emulated"),
            "{:?}",
            answer.body
        );
        let whole = answer.json();
        assert_eq!(
            (&whole["object"], &whole["choices"][0]["text"]),
            (&json!("text_completion"), &json!("once upon"))
        );
        assert_eq!(whole["choices"][0]["finish_reason"], "stop");
        let record = gateway.record(&answer.id()).await;
        assert_eq!(whole["usage"]["completion_tokens"].as_u64(), Some(record.output_tokens), "{name}");
        assert_eq!(record.operation, "completion");

        let more = json!({"stream": true, "stream_options": {"include_usage": true}});
        let seen = gateway.post("/v1/completions", prompt(name, &more)).send().await.to_end().await;
        assert!(seen.is_done(), "{seen:?}");
        let chunks = seen.json_events();
        let text: String = chunks.iter().filter_map(|chunk| chunk["choices"][0]["text"].as_str()).collect();
        assert_eq!(text, "once upon", "{name}");
        assert!(chunks.iter().all(|chunk| chunk["object"] == "text_completion"));
        assert_eq!(seen.usage().unwrap()["completion_tokens"], whole["usage"]["completion_tokens"]);
    }
}

#[tokio::test]
async fn what_cannot_be_emulated_is_refused_and_so_is_the_emulation_to_a_strict_caller() {
    let provider = SimulatedProvider::start().await;
    let gateway = gateway_of_chats(&provider).await;
    for (more, param) in [(json!({"prompt": ["a", "b"]}), "prompt"), (json!({"suffix": "."}), "suffix")] {
        let refused = gateway.post("/v1/completions", prompt("anthropic", &more)).send().await.whole().await;
        assert_eq!(error_of(&refused, 400)["param"], param);
    }
    let strict = gateway.post("/v1/completions", prompt("anthropic", &json!({})));
    let strict = strict.header("x-gatewright-strict", "true").send().await.whole().await;
    assert_eq!(error_of(&strict, 400)["param"], "/prompt");
    assert!(provider.requests().is_empty());
}
