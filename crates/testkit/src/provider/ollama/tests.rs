use serde_json::{Value, json};

use super::super::SimulatedProvider;
use super::super::tests::{Seen, post_anywhere};
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

fn lines(seen: &Seen) -> Vec<Value> {
    let text = std::str::from_utf8(&seen.body).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn ollama_streams_lines_unless_it_is_asked_for_one_piece() {
    let provider = SimulatedProvider::start().await;
    let streamed = post(&provider, &hello("sim?text=one+two&reasoning=1")).await;
    assert_eq!(streamed.headers["content-type"], "application/x-ndjson");
    let streamed = lines(&streamed);
    let mut request = hello("sim?text=one+two&reasoning=1");
    request["stream"] = json!(false);
    let whole = post(&provider, &request).await.json();
    let joined =
        |key: &str| -> String { streamed.iter().filter_map(|line| line["message"][key].as_str()).collect() };
    assert_eq!(whole["message"]["content"], joined("content"));
    assert_eq!(whole["message"]["thinking"], joined("thinking"));
    let last = streamed.last().unwrap();
    assert_eq!((&last["done"], &last["done_reason"]), (&json!(true), &json!("stop")));
    assert_eq!(
        (&last["eval_count"], &last["prompt_eval_count"]),
        (&whole["eval_count"], &whole["prompt_eval_count"])
    );
}

#[tokio::test]
async fn ollama_calls_are_objects_without_ids() {
    let provider = SimulatedProvider::start().await;
    let lines = lines(&post(&provider, &weather("sim?tools=2")).await);
    let calls: Vec<&Value> =
        lines.iter().filter_map(|line| line["message"]["tool_calls"].as_array()?.first()).collect();
    let expected = json!({"function": {"name": "weather", "arguments": {"city": "some city"}}});
    assert_eq!(calls, [&expected, &expected]);
}

#[tokio::test]
async fn ollama_refuses_addresses_of_images_and_results_of_another_tool() {
    let provider = SimulatedProvider::start().await;
    let with = |messages: Value| json!({"model": "sim", "messages": messages});
    let user = json!({"role": "user", "content": "hi"});
    let call = json!({"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "f", "arguments": {}}}]});
    let image = |data: &str| with(json!([{"role": "user", "content": "hi", "images": [data]}]));
    let wrong = [
        image("https://example.test/a.png"),
        with(json!([user, call, {"role": "tool", "content": "x", "tool_name": "g"}])),
        with(json!([user, call, user])),
        with(json!([{"role": "user", "content": [{"type": "text", "text": "hi"}]}])),
    ];
    for request in &wrong {
        let seen = post(&provider, request).await;
        assert_eq!((seen.status.as_u16(), seen.json()["error"].is_string()), (400, true), "{request}");
    }
    assert_eq!(post(&provider, &image("QUJD")).await.status, 200);
    let right = with(json!([user, call, {"role": "tool", "content": "x", "tool_name": "f"}]));
    assert_eq!(post(&provider, &right).await.status, 200);
}
