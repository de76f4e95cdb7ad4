//! A caller of one dialect and a provider of another: what is lost is told, what cannot be carried is kept.

use gatewright_testkit::harness::Gateway;
use gatewright_testkit::provider::{Answer, SimulatedProvider};
use serde_json::{Value, json};

use crate::support::error_of;

/// A gateway whose model `claude` is served by the Messages API; the model `thinking` reasons and calls tools there.
async fn messages_behind_chat() -> (SimulatedProvider, Gateway) {
    let provider = SimulatedProvider::start().await;
    let target = |model: &str| json!([{"provider": "messages", "model": model}]);
    let gateway = Gateway::in_front_of(&provider)
        .provider_at("messages", &format!("http://{}", provider.address()))
        .set("/providers/messages/use", json!("anthropic"))
        .model("claude", &target("sim?text=hello"))
        .model("thinking", &target("sim?tools=1&reasoning=1"))
        .start()
        .await;
    (provider, gateway)
}

fn asking(model: &str, more: &Value) -> Value {
    let mut request = json!({"model": model, "messages": [{"role": "user", "content": "hi"}]});
    let members = request.as_object_mut().unwrap();
    members.extend(more.as_object().unwrap().clone());
    request
}

#[tokio::test]
async fn what_is_lost_is_named_in_a_header_and_in_the_record() {
    let (_provider, gateway) = messages_behind_chat().await;
    let request = asking("claude", &json!({"seed": 7, "temperature": 1.5}));
    let answer = gateway.chat(&request).send().await.whole().await;
    assert_eq!(answer.json()["choices"][0]["message"]["content"], "hello");
    let lost = answer.header("x-gatewright-lost").unwrap();
    assert_eq!(lost, "/seed;dropped, /temperature;approximated");
    let record = gateway.record(&answer.id()).await;
    let losses: Value = serde_json::from_str(record.losses.as_deref().unwrap()).unwrap();
    assert_eq!(losses, json!({"/seed": "dropped", "/temperature": "approximated"}));
}

#[tokio::test]
async fn a_strict_caller_is_refused_with_the_field_before_a_provider_is_called() {
    let (provider, gateway) = messages_behind_chat().await;
    let request = gateway.chat(&asking("claude", &json!({"seed": 7}))).header("x-gatewright-strict", "true");
    let answer = request.send().await.whole().await;
    assert_eq!(error_of(&answer, 400)["param"], "/seed");
    assert_eq!(provider.requests().len(), 0);
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_by_its_name_before_a_provider_is_called() {
    let (provider, gateway) = messages_behind_chat().await;
    let request = asking("claude", &json!({"temperature": "hot"}));
    let error = error_of(&gateway.chat(&request).send().await.whole().await, 400);
    assert_eq!(error["param"], "/temperature");
    assert_eq!(provider.requests().len(), 0);
}

#[tokio::test]
async fn a_stream_that_was_asked_for_and_comes_whole_is_told_as_a_stream() {
    let (provider, gateway) = messages_behind_chat().await;
    let content = json!([{"type": "text", "text": "all at once"}]);
    provider.push(Answer::json(
        200,
        &json!({
            "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": content,
            "stop_reason": "end_turn", "stop_sequence": null, "usage": {"input_tokens": 3, "output_tokens": 4},
        }),
    ));
    let options = json!({"stream": true, "stream_options": {"include_usage": true}});
    let seen = gateway.chat(&asking("claude", &options)).send().await.to_end().await;
    assert!(seen.is_done());
    assert_eq!(seen.text(0), "all at once");
    assert_eq!(seen.usage().unwrap()["completion_tokens"], 4);
}

#[tokio::test]
async fn signed_reasoning_that_the_caller_cannot_carry_goes_back_to_its_provider() {
    let (provider, gateway) = messages_behind_chat().await;
    let parameters =
        json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    let tools = json!([{"type": "function", "function": {"name": "weather", "parameters": parameters}}]);
    let request = asking("thinking", &json!({"tools": tools}));
    let answer = gateway.chat(&request).send().await.json().await;
    let message = &answer["choices"][0]["message"];
    let call = &message["tool_calls"][0];
    provider.next_request().await;

    // The caller sends back what its dialect has a place for: the call, and no proof of the reasoning.
    let mut following = request;
    let turns = following["messages"].as_array_mut().unwrap();
    turns.push(json!({"role": "assistant", "content": null, "tool_calls": message["tool_calls"]}));
    turns.push(json!({"role": "tool", "tool_call_id": call["id"], "content": "sunny"}));
    gateway.chat(&following).send().await.json().await;
    let arrived = provider.next_request().await.json();
    let turn = &arrived["messages"][1]["content"];
    assert_eq!(turn[0]["type"], "thinking", "{arrived}");
    assert_eq!(turn[0]["thinking"], message["reasoning_content"]);
    assert!(turn[0]["signature"].as_str().is_some_and(|proof| !proof.is_empty()), "{arrived}");
    assert_eq!(turn[1]["type"], "tool_use");
}
