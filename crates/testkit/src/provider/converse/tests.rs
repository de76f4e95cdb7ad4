use bytes::Bytes;
use gatewright_wire::event_stream::EventStreamDecoder;
use serde_json::{Value, json};

use super::super::tests::{post_anywhere, post_anywhere_with};
use super::super::{ProviderSettings, SimulatedProvider};
use super::is_signed;

fn hello() -> Value {
    json!({"messages": [{"role": "user", "content": [{"text": "hello there"}]}]})
}

fn weather() -> Value {
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}});
    let mut request = hello();
    request["toolConfig"] =
        json!({"tools": [{"toolSpec": {"name": "weather", "inputSchema": {"json": schema}}}]});
    request
}

/// The messages of a stream, each with its name.
fn messages(body: &[u8]) -> Vec<(String, Value)> {
    let mut decoder = EventStreamDecoder::default();
    decoder.push(Bytes::copy_from_slice(body));
    let mut found = Vec::new();
    while let Some(message) = decoder.next_message().unwrap() {
        let name = message.text(":event-type").or(message.text(":exception-type")).unwrap();
        found.push((name.to_owned(), serde_json::from_slice(&message.payload).unwrap_or_default()));
    }
    found
}

#[tokio::test]
async fn converse_answers_have_blocks_and_count_reasoning_among_the_output() {
    let provider = SimulatedProvider::start().await;
    let path = "/model/sim%3Ftext%3Done%2Btwo%26reasoning%3D1/converse";
    let seen = post_anywhere(&provider, path, &hello()).await.json();
    let content = &seen["output"]["message"]["content"];
    assert!(content[0]["reasoningContent"]["reasoningText"]["signature"].is_string());
    assert_eq!((&content[1], &seen["stopReason"]), (&json!({"text": "one two"}), &json!("end_turn")));
    assert!(seen["usage"]["outputTokens"].as_u64().unwrap() > 2);
    assert_eq!(provider.ledger()[0].model, "sim?text=one+two&reasoning=1");
}

#[tokio::test]
async fn converse_streams_are_binary_messages_that_end_with_the_figures() {
    let provider = SimulatedProvider::start().await;
    let path = "/model/sim%3Ftext%3Done%2Btwo/converse-stream";
    let seen = post_anywhere(&provider, path, &hello()).await;
    let messages = messages(&seen.body);
    let names: Vec<&str> = messages.iter().map(|(name, _)| name.as_str()).collect();
    let expected = [
        "messageStart",
        "contentBlockDelta",
        "contentBlockDelta",
        "contentBlockStop",
        "messageStop",
        "metadata",
    ];
    assert_eq!(names, expected);
    assert_eq!(messages.last().unwrap().1["usage"]["outputTokens"], 2);
}

#[tokio::test]
async fn converse_calls_come_in_fragments_and_must_be_answered_in_the_next_turn() {
    let provider = SimulatedProvider::start().await;
    let seen = post_anywhere(&provider, "/model/sim%3Ftools%3D2/converse-stream", &weather()).await;
    let messages = messages(&seen.body);
    let starts = messages.iter().filter(|(name, _)| name == "contentBlockStart");
    let blocks: Vec<_> = starts.map(|(_, start)| start["contentBlockIndex"].clone()).collect();
    assert_eq!(blocks, [json!(0), json!(1)]);
    let turn = |results: usize| {
        let call = |id| json!({"toolUse": {"toolUseId": id, "name": "weather", "input": {}}});
        let result = |id| json!({"toolResult": {"toolUseId": id, "content": [{"text": "sun"}]}});
        let results: Vec<Value> = ["b", "a"].into_iter().take(results).map(result).collect();
        let mut request = weather();
        request["messages"] = json!([
            {"role": "user", "content": [{"text": "hi"}]},
            {"role": "assistant", "content": [call("a"), call("b")]},
            {"role": "user", "content": results},
        ]);
        request
    };
    assert_eq!(post_anywhere(&provider, "/model/sim/converse", &turn(2)).await.status, 200);
    let refused = post_anywhere(&provider, "/model/sim/converse", &turn(1)).await;
    assert_eq!(refused.status, 400);
    assert_eq!(refused.headers["x-amzn-errortype"], "ValidationException");
}

#[tokio::test]
async fn converse_refuses_what_the_service_refuses() {
    let provider = SimulatedProvider::start().await;
    let said = |role: &str, text: &str| json!({"role": role, "content": [{"text": text}]});
    for messages in [
        json!([]),
        json!([said("assistant", "a")]),
        json!([said("user", "a"), said("user", "b")]),
        json!([said("user", " ")]),
        json!([{"role": "user", "content": []}]),
    ] {
        let refused = post_anywhere(&provider, "/model/sim/converse", &json!({"messages": messages})).await;
        assert_eq!(refused.status, 400, "{messages}");
    }
}

#[tokio::test]
async fn converse_failures_have_their_class_in_a_header_and_in_the_stream() {
    let provider = SimulatedProvider::start().await;
    let path = "/model/sim%3Fstatus%3D429%26retry_after%3D7/converse";
    let refused = post_anywhere(&provider, path, &hello()).await;
    assert_eq!((refused.status.as_u16(), &refused.headers["retry-after"]), (429, &"7".parse().unwrap()));
    assert_eq!(refused.headers["x-amzn-errortype"], "ThrottlingException");
    let path = "/model/sim%3Ferror_event_after%3D1/converse-stream";
    let messages = messages(&post_anywhere(&provider, path, &hello()).await.body);
    assert_eq!(messages.last().unwrap().0, "modelStreamErrorException");
}

#[tokio::test]
async fn converse_wants_a_signature_that_fits_where_it_is_told_an_access_key() {
    let settings = ProviderSettings { key: Some("AKID:secret".to_owned()), ..ProviderSettings::default() };
    let provider = SimulatedProvider::start_with(settings).await.unwrap();
    let wrong = "AWS4-HMAC-SHA256 Credential=AKID/20261125/eu-west-1/bedrock/aws4_request, \
                 SignedHeaders=host;x-amz-date, Signature=00";
    for header in [("authorization", wrong), ("authorization", "Bearer AKID:secret"), ("x-test", "yes")] {
        let refused = post_anywhere_with(&provider, "/model/sim/converse", &hello(), header).await;
        assert_eq!(refused.status, 403, "{header:?}");
    }
}

/// Signed by the official Python library.
#[test]
fn signatures_of_another_signer_fit_and_those_of_another_request_do_not() {
    const SIGNATURE: &str = "89164a318260ecfe25b62864856fde329b2e0a66f9021a0edc3f5cf6a3c391ca";
    let key = "AKIDEXAMPLE:wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY:tok/en+==";
    let path =
        "/model/arn%3Aaws%3Abedrock%3Aeu-west-1%3A123456789012%3Ainference-profile%2Fx/converse-stream";
    let body = "{\"a\":\"ü\"}";
    let head = |path: &str, date: &str| {
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/eu-west-1/bedrock/aws4_request, \
             SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, Signature={SIGNATURE}"
        );
        let request = http::Request::post(path)
            .header("host", "bedrock-runtime.eu-west-1.amazonaws.com")
            .header("content-type", "application/json")
            .header("x-amz-date", date)
            .header("x-amz-security-token", "tok/en+==")
            .header("authorization", authorization);
        request.body(()).unwrap().into_parts().0
    };
    let date = "20150830T123600Z";
    assert!(is_signed(&head(path, date), body.as_bytes(), key));
    assert!(!is_signed(&head(path, date), b"{}", key));
    assert!(!is_signed(&head("/model/x/converse", date), body.as_bytes(), key));
    assert!(!is_signed(&head(path, "20150830T123601Z"), body.as_bytes(), key));
    assert!(!is_signed(&head(path, date), body.as_bytes(), "AKIDEXAMPLE:other:tok/en+=="));
    assert!(!is_signed(
        &head(path, date),
        body.as_bytes(),
        "AKIDEXAMPLE:wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
    ));
}
