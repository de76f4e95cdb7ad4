use serde_json::{Value, json};

use super::super::SimulatedProvider;
use super::super::tests::{Seen, post_anywhere};

async fn ask(provider: &SimulatedProvider, request: Value) -> Seen {
    post_anywhere(provider, "/v1/responses", &request).await
}

#[tokio::test]
async fn responses_have_items_and_usage() {
    let provider = SimulatedProvider::start().await;
    let request = json!({"model": "sim?text=one+two&reasoning=1", "input": "hello there"});
    let seen = ask(&provider, request).await.json();
    assert_eq!((&seen["object"], &seen["status"]), (&json!("response"), &json!("completed")));
    assert_eq!(seen["output"][0]["type"], "reasoning");
    assert_eq!(seen["output"][1]["content"][0]["text"], "one two");
    let usage = &seen["usage"];
    assert_eq!(
        usage["total_tokens"].as_u64(),
        Some(usage["input_tokens"].as_u64().unwrap() + usage["output_tokens"].as_u64().unwrap())
    );
    assert!(usage["output_tokens_details"]["reasoning_tokens"].as_u64().unwrap() > 0);
}

#[tokio::test]
async fn response_streams_repeat_their_texts_and_end_with_the_whole() {
    let provider = SimulatedProvider::start().await;
    let tool = json!({"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": false});
    for model in ["sim?text=one+two&reasoning=1", "sim?tools=2"] {
        let request = json!({"model": model, "input": "hello", "tools": [tool], "stream": true});
        let events = ask(&provider, request).await.named_events();
        let mut text = String::new();
        for (number, (name, event)) in events.iter().enumerate() {
            assert_eq!(
                (event["type"].as_str(), event["sequence_number"].as_u64()),
                (Some(name.as_str()), Some(number as u64))
            );
            text.push_str(event["delta"].as_str().unwrap_or_default());
        }
        let (last, response) = events.last().unwrap();
        assert_eq!(last, "response.completed");
        let output = response["response"]["output"].as_array().unwrap();
        let whole: String = output
            .iter()
            .flat_map(|item| [&item["summary"][0]["text"], &item["content"][0]["text"], &item["arguments"]])
            .filter_map(Value::as_str)
            .collect();
        assert_eq!(text, whole);
    }
}

#[tokio::test]
async fn a_response_that_reaches_its_cap_is_incomplete() {
    let provider = SimulatedProvider::start().await;
    let request = json!({"model": "sim?tokens=9", "input": "hello", "max_output_tokens": 2, "stream": true});
    let events = ask(&provider, request).await.named_events();
    let (name, last) = events.last().unwrap();
    assert_eq!(name, "response.incomplete");
    assert_eq!(last["response"]["incomplete_details"], json!({"reason": "max_output_tokens"}));
}

#[tokio::test]
async fn what_the_public_service_refuses_of_a_response_is_refused() {
    let provider = SimulatedProvider::start().await;
    let call = json!({"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"});
    let result = json!({"type": "function_call_output", "call_id": "c", "output": "x"});
    let sealed = json!({"type": "reasoning", "id": "rs", "summary": [], "encrypted_content": "of another"});
    for input in [json!([call]), json!([result]), json!([sealed]), Value::Null] {
        let seen = ask(&provider, json!({"model": "sim", "input": input})).await;
        assert_eq!(seen.status, 400, "{input}");
    }
    let seen = ask(&provider, json!({"model": "sim", "input": [call, result]})).await;
    assert_eq!(seen.status, 200);
}
