use serde_json::{Value, json};

use super::super::tests::{Seen, post_anywhere};
use super::super::{ProviderSettings, SimulatedProvider};
use super::PATH;

fn hello(model: &str) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": "hello there"}]})
}

fn weather(model: &str) -> Value {
    let mut request = hello(model);
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    request["tools"] = json!([{"type": "function", "function": {"name": "weather", "parameters": schema}}]);
    request
}

async fn post(provider: &SimulatedProvider, body: &Value) -> Seen {
    post_anywhere(provider, PATH, body).await
}

#[tokio::test]
async fn cohere_answers_have_blocks_and_bill_less_than_they_count() {
    let provider = SimulatedProvider::start().await;
    let seen = post(&provider, &hello("sim?text=one+two&reasoning=1")).await.json();
    let content = &seen["message"]["content"];
    assert_eq!((&content[0]["type"], &content[1]["text"]), (&json!("thinking"), &json!("one two")));
    assert_eq!(seen["finish_reason"], "COMPLETE");
    let billed = &seen["usage"]["billed_units"];
    assert_eq!(billed["input_tokens"], provider.ledger()[0].prompt_tokens);
    assert!(seen["usage"]["tokens"]["input_tokens"].as_u64() > billed["input_tokens"].as_u64());
}

#[tokio::test]
async fn cohere_streams_tell_the_plan_and_each_call_by_its_index() {
    let provider = SimulatedProvider::start().await;
    let mut request = weather("sim?tools=2");
    request["stream"] = json!(true);
    let seen = post(&provider, &request).await;
    let events = seen.named_events();
    assert!(seen.is_done() && events.iter().all(|(name, data)| data["type"] == name.as_str()));
    let names: Vec<&str> = events.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        (names[0], names[1], *names.last().unwrap()),
        ("message-start", "tool-plan-delta", "message-end")
    );
    let arguments: String = events
        .iter()
        .filter(|(name, data)| name == "tool-call-delta" && data["index"] == 0)
        .filter_map(|(_, data)| data["delta"]["message"]["tool_calls"]["function"]["arguments"].as_str())
        .collect();
    assert_eq!(serde_json::from_str::<Value>(&arguments).unwrap(), json!({"city": "some city"}));
    assert_eq!(events.last().unwrap().1["delta"]["finish_reason"], "TOOL_CALL");
}

#[tokio::test]
async fn cohere_refuses_what_the_public_service_refuses() {
    let provider = SimulatedProvider::start().await;
    let with = |change: &dyn Fn(&mut Value)| {
        let mut request = weather("sim");
        change(&mut request);
        request
    };
    let user = json!({"role": "user", "content": "hi"});
    let function = json!({"name": "weather", "arguments": "{}"});
    let calls = json!([{"id": "a", "type": "function", "function": function}]);
    let call = json!({"role": "assistant", "tool_calls": calls});
    let said = json!({"role": "assistant", "content": "so", "tool_calls": calls});
    let result = json!({"role": "tool", "tool_call_id": "a", "content": "sun"});
    let wrong = [
        with(&|it| it["messages"] = json!([user, {"role": "system", "content": "late"}])),
        with(&|it| it["messages"] = json!([user, call, user])),
        with(&|it| it["messages"] = json!([user, said, result])),
        with(&|it| it["messages"] = json!([user, result])),
        with(&|it| it["messages"] = json!([{"role": "user", "content": ""}])),
        with(&|it| it["messages"] = json!([user, {"role": "assistant", "content": "and"}])),
        with(&|it| it["p"] = json!(1)),
        with(&|it| it["tool_choice"] = json!("required")),
        with(&|it| it["response_format"] = json!({"type": "json_object"})),
        with(&|it| (it["frequency_penalty"], it["presence_penalty"]) = (json!(0.1), json!(0.1))),
    ];
    for request in &wrong {
        let seen = post(&provider, request).await;
        assert_eq!((seen.status.as_u16(), seen.json()["message"].is_string()), (400, true), "{request}");
    }
    let right = with(&|it| it["messages"] = json!([user, call, result]));
    assert_eq!(post(&provider, &right).await.status, 200);
}

#[tokio::test]
async fn cohere_wants_its_key_and_says_so_in_its_envelope() {
    let settings = ProviderSettings { key: Some("k".to_owned()), ..ProviderSettings::default() };
    let provider = SimulatedProvider::start_with(settings).await.unwrap();
    let refused = post(&provider, &hello("sim")).await;
    assert_eq!((refused.status.as_u16(), refused.json()["message"].is_string()), (401, true));
}
