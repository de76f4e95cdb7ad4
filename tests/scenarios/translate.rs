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

// === Providers by their own protocols ===

/// The protocols that have a path of their own beside those of the other suites: adapter, path, and a model of each.
const NATIVE: [(&str, &str); 2] = [("cohere", "/v2/chat"), ("ollama-native", "/api/chat")];

/// A gateway with a model `KIND@ADAPTER` for each of them, and `other` by chat completions.
async fn native(provider: &SimulatedProvider) -> Gateway {
    let kinds = [
        ("text", "sim?text=hello+there"),
        ("tools", "sim?tools=2"),
        ("reasoning", "sim?reasoning=1&text=so"),
        ("json", "sim"),
        ("breaks", "sim?tokens=9&error_event_after=2"),
        ("busy", "sim?status=429&retry_after=7"),
    ];
    let mut builder = Gateway::in_front_of(provider).set("/routes/0/match/path", json!("*"));
    builder = builder.model("other", &json!([{"provider": "simulated", "model": "sim?text=from+elsewhere"}]));
    for (adapter, _) in NATIVE {
        builder = builder
            .provider_at(adapter, &format!("http://{}", provider.address()))
            .set(&format!("/providers/{adapter}/use"), json!(adapter));
        for (kind, model) in kinds {
            let target = json!([{"provider": adapter, "model": model}]);
            builder = builder.model(&format!("{kind}@{adapter}"), &target);
        }
    }
    builder.start().await
}

fn weather() -> Value {
    let parameters =
        json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    json!([{"type": "function", "function": {"name": "weather", "parameters": parameters}}])
}

#[tokio::test]
async fn a_provider_is_asked_in_its_own_protocol_and_streamed_equals_whole() {
    let provider = SimulatedProvider::start().await;
    let gateway = native(&provider).await;
    for (adapter, path) in NATIVE {
        let whole = gateway.chat(&asking(&format!("text@{adapter}"), &json!({}))).send().await.json().await;
        assert_eq!(provider.next_request().await.uri.path(), path);
        assert_eq!(whole["choices"][0]["message"]["content"], "hello there", "{adapter}");
        assert_eq!(whole["choices"][0]["finish_reason"], "stop");
        let options = json!({"stream": true, "stream_options": {"include_usage": true}});
        let seen = gateway.chat(&asking(&format!("text@{adapter}"), &options)).send().await.to_end().await;
        assert_eq!(provider.next_request().await.json()["stream"], true);
        assert!(seen.is_done(), "{adapter}");
        assert_eq!(seen.text(0), "hello there");
        for key in ["prompt_tokens", "completion_tokens"] {
            assert_eq!(seen.usage().unwrap()[key], whole["usage"][key], "{adapter} {key}");
        }
    }
}

#[tokio::test]
async fn calls_of_tools_reach_the_caller_with_ids_and_their_results_the_provider_in_its_form() {
    let provider = SimulatedProvider::start().await;
    let gateway = native(&provider).await;
    for (adapter, _) in NATIVE {
        let model = format!("tools@{adapter}");
        let mut request = asking(&model, &json!({"tools": weather()}));
        let answer = gateway.chat(&request).send().await.json().await;
        provider.next_request().await;
        let message = &answer["choices"][0]["message"];
        let calls = message["tool_calls"].as_array().unwrap();
        assert_eq!((calls.len(), &answer["choices"][0]["finish_reason"]), (2, &json!("tool_calls")));
        assert_ne!(calls[0]["id"], calls[1]["id"], "{adapter}");
        let turns = request["messages"].as_array_mut().unwrap();
        turns.push(message.clone());
        for call in calls.iter().rev() {
            turns.push(json!({"role": "tool", "tool_call_id": call["id"], "content": "sunny"}));
        }
        // The provider checks the pairs in its own form.
        let answer = gateway.chat(&request).send().await.whole().await;
        assert_eq!(answer.status.as_u16(), 200, "{adapter}: {:?}", answer.body);
        provider.next_request().await;
    }
}

#[tokio::test]
async fn what_a_provider_would_refuse_is_refused_before_it_is_called() {
    let provider = SimulatedProvider::start().await;
    let gateway = native(&provider).await;
    let function = json!({"name": "weather", "arguments": "{}"});
    let call =
        json!({"role": "assistant", "tool_calls": [{"id": "a", "type": "function", "function": function}]});
    let user = json!({"role": "user", "content": "hi"});
    let result = json!({"role": "tool", "tool_call_id": "b", "content": "sunny"});
    for (adapter, _) in NATIVE {
        for (messages, field) in [
            (json!([user, call, user]), "/messages/1"),
            (json!([user, result]), "/messages/1"),
            (json!([{"role": "system", "content": "be brief"}]), "/messages"),
        ] {
            let request =
                json!({"model": format!("text@{adapter}"), "messages": messages, "tools": weather()});
            let answer = gateway.chat(&request).send().await.whole().await;
            assert_eq!(error_of(&answer, 400)["param"], field, "{adapter} {messages}");
        }
    }
    assert_eq!(provider.requests().len(), 0);
}

#[tokio::test]
async fn an_image_at_an_address_is_lost_where_nobody_fetches_it_and_refused_to_a_strict_caller() {
    let provider = SimulatedProvider::start().await;
    let gateway = native(&provider).await;
    let image = |url: &str| {
        let parts =
            json!([{"type": "text", "text": "what?"}, {"type": "image_url", "image_url": {"url": url}}]);
        json!({"model": "text@ollama-native", "messages": [{"role": "user", "content": parts}]})
    };
    let address = image("https://example.test/a.png");
    let answer = gateway.chat(&address).send().await.whole().await;
    assert_eq!(answer.header("x-gatewright-lost"), Some("/messages/0/content/1;dropped"));
    assert_eq!(
        provider.next_request().await.json()["messages"],
        json!([{"role": "user", "content": "what?"}])
    );
    let strict = gateway.chat(&address).header("x-gatewright-strict", "true").send().await.whole().await;
    assert_eq!(error_of(&strict, 400)["param"], "/messages/0/content/1");
    let answer = gateway.chat(&image("data:image/png;base64,QUJD")).send().await.whole().await;
    assert_eq!((answer.status.as_u16(), answer.header("x-gatewright-lost")), (200, None));
    assert_eq!(provider.next_request().await.json()["messages"][0]["images"], json!(["QUJD"]));
    assert_eq!(provider.requests().len(), 2);
}

#[tokio::test]
async fn reasoning_a_form_for_the_answer_and_errors_are_told_in_the_callers_words() {
    let provider = SimulatedProvider::start().await;
    let gateway = native(&provider).await;
    let schema = json!({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]});
    let format = json!({"type": "json_schema", "json_schema": {"name": "n", "schema": schema}});
    for (adapter, _) in NATIVE {
        let model = |kind: &str| format!("{kind}@{adapter}");
        let answer = gateway.chat(&asking(&model("reasoning"), &json!({}))).send().await.json().await;
        let message = &answer["choices"][0]["message"];
        assert!(message["reasoning_content"].as_str().is_some_and(|text| !text.is_empty()), "{answer}");
        assert_eq!(message["content"], "so");
        let request = asking(&model("json"), &json!({"response_format": format}));
        let answer = gateway.chat(&request).send().await.json().await;
        let text = answer["choices"][0]["message"]["content"].as_str().unwrap();
        assert_eq!(serde_json::from_str::<Value>(text).unwrap(), json!({"n": 7}), "{adapter}");
        let refused = gateway.chat(&asking(&model("busy"), &json!({}))).send().await.whole().await;
        assert_eq!((refused.status.as_u16(), refused.header("retry-after")), (429, Some("7")), "{adapter}");
        let request = asking(&model("breaks"), &json!({"stream": true}));
        let broken = gateway.chat(&request).send().await.to_end().await;
        let body = String::from_utf8(broken.body.to_vec()).unwrap();
        assert!(!broken.is_done() && body.contains(r#"{"error":{"#), "{adapter}: {body}");
    }
}

#[tokio::test]
async fn callers_of_these_protocols_pass_as_they_came_and_are_translated_elsewhere() {
    let provider = SimulatedProvider::start().await;
    let gateway = native(&provider).await;
    for (adapter, path) in NATIVE {
        let body = format!(
            r#"{{"model" : "text@{adapter}","stream":false,"messages":[{{"role":"user","content":"hi"}}],"x_own":1e400}}"#
        );
        let answer = gateway.post(path, body.clone()).send().await.whole().await;
        assert_eq!(answer.status.as_u16(), 200, "{:?}", answer.body);
        let arrived = provider.next_request().await;
        let sent = body.replace(&format!("text@{adapter}"), "sim?text=hello+there");
        assert_eq!((arrived.uri.path(), arrived.body.as_ref()), (path, sent.as_bytes()));
        let told = |answer: &Value| {
            let content = &answer["message"]["content"];
            content.as_str().or(content[0]["text"].as_str()).map(str::to_owned)
        };
        assert_eq!(told(&answer.json()).as_deref(), Some("hello there"));
        let body =
            json!({"model": "other", "stream": false, "messages": [{"role": "user", "content": "hi"}]});
        let answer = gateway.post(path, body.to_string()).send().await.whole().await;
        assert_eq!(told(&answer.json()).as_deref(), Some("from elsewhere"), "{:?}", answer.body);
        assert_eq!(provider.next_request().await.uri.path(), "/v1/chat/completions");
        let refused = gateway.post(path, r#"{"model":"other"}"#.to_owned()).send().await.whole().await;
        assert_eq!(refused.status.as_u16(), 400);
        let refused = refused.json();
        let said = refused["error"].as_str().or(refused["message"].as_str()).unwrap();
        assert!(said.contains("messages"), "{said}");
    }
}
