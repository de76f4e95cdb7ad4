//! InvokeModel: a body of the Messages dialect in another service's envelope, answered by every provider.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gatewright_testkit::harness::{End, Gateway, Streamed, Whole};
use gatewright_testkit::provider::SimulatedProvider;
use gatewright_wire::event_stream::EventStreamDecoder;
use serde_json::{Value, json};

const PROVIDERS: [(&str, &str, &str); 4] = [
    ("openai", "openai", "/v1"),
    ("anthropic", "anthropic", ""),
    ("gemini", "gemini", "/v1beta"),
    ("bedrock", "bedrock", ""),
];

async fn gateway_of_all(provider: &SimulatedProvider) -> Gateway {
    let mut builder = Gateway::in_front_of(provider).set("/routes/0/match/path", json!("/*"));
    for (name, adapter, path) in PROVIDERS {
        builder = builder
            .provider_at(name, &format!("http://{}{path}", provider.address()))
            .set(&format!("/providers/{name}/use"), json!(adapter));
        for (kind, model) in
            [("echo", "sim?echo=1"), ("breaks", "sim?error_event_after=2"), ("busy", "sim?status=429")]
        {
            builder = builder.model(&format!("{kind}@{name}"), &json!([{"provider": name, "model": model}]));
        }
    }
    builder.start().await
}

fn body() -> Value {
    json!({
        "anthropic_version": "bedrock-2023-05-31", "max_tokens": 100,
        "messages": [{"role": "user", "content": "Grüße\n"}],
    })
}

async fn invoke(gateway: &Gateway, model: &str, body: &Value) -> Whole {
    gateway.post(&format!("/model/{model}/invoke"), body.to_string()).send().await.whole().await
}

async fn streamed(gateway: &Gateway, model: &str) -> (Streamed, Option<String>) {
    let path = format!("/model/{model}/invoke-with-response-stream");
    let answer = gateway.post(&path, body().to_string()).send().await;
    let content_type = answer.header("content-type").map(str::to_owned);
    (answer.to_end().await, content_type)
}

/// What each message of a stream says: an event of the Messages dialect, or an exception.
fn said(stream: &Streamed) -> Vec<Value> {
    assert_eq!(stream.end, End::Clean);
    let mut decoder = EventStreamDecoder::default();
    decoder.push(stream.body.clone());
    let mut said = Vec::new();
    while let Some(message) = decoder.next_message().unwrap() {
        let payload: Value = serde_json::from_slice(&message.payload).unwrap();
        said.push(match message.text(":exception-type") {
            Some(name) => json!({"exception": name, "message": payload["message"]}),
            None => {
                assert_eq!(message.text(":event-type"), Some("chunk"));
                let bytes = STANDARD.decode(payload["bytes"].as_str().unwrap()).unwrap();
                serde_json::from_slice(&bytes).unwrap()
            }
        });
    }
    said
}

#[tokio::test]
async fn a_body_of_messages_is_answered_by_every_provider_whole_and_streamed() {
    let provider = SimulatedProvider::start().await;
    let gateway = gateway_of_all(&provider).await;
    for (name, ..) in PROVIDERS {
        let answer = invoke(&gateway, &format!("echo@{name}"), &body()).await;
        assert_eq!(answer.status.as_u16(), 200, "{name}: {:?}", answer.body);
        let message = answer.json();
        assert_eq!((&message["type"], &message["stop_reason"]), (&json!("message"), &json!("end_turn")));
        let block = &message["content"][0];
        assert_eq!((&block["type"], &block["text"]), (&json!("text"), &json!("Grüße\n")), "{name}");
        let record = gateway.record(&answer.id()).await;
        let tokens = (record.input_tokens, record.output_tokens);
        assert!(tokens.0 > 0 && tokens.1 > 0, "{record:?}");

        let (stream, content_type) = streamed(&gateway, &format!("echo@{name}")).await;
        assert_eq!(content_type.as_deref(), Some("application/vnd.amazon.eventstream"));
        let events = said(&stream);
        let text: String = events.iter().filter_map(|event| event["delta"]["text"].as_str()).collect();
        assert_eq!(text, "Grüße\n", "{name}");
        assert_eq!(events.first().unwrap()["type"], "message_start");
        let last = events.last().unwrap();
        assert_eq!(last["type"], "message_stop");
        let figures = &last["amazon-bedrock-invocationMetrics"];
        let told = (figures["inputTokenCount"].as_u64(), figures["outputTokenCount"].as_u64());
        assert_eq!(told, (Some(tokens.0), Some(tokens.1)), "{name}");
    }
}

#[tokio::test]
async fn a_provider_of_the_dialect_gets_the_body_with_what_the_path_says_and_without_the_envelopes_members() {
    let provider = SimulatedProvider::start().await;
    let gateway = gateway_of_all(&provider).await;
    let mut sent = body();
    sent["anthropic_beta"] = json!(["something-new"]);
    sent["x_own"] = json!(1);
    let answer = invoke(&gateway, "echo@anthropic", &sent).await;
    assert_eq!(answer.header("x-gatewright-lost"), Some("/anthropic_beta;dropped"));
    let arrived = provider.next_request().await;
    assert_eq!(arrived.uri.path(), "/v1/messages");
    assert_eq!(
        arrived.json(),
        json!({"model": "sim?echo=1", "max_tokens": 100, "messages": sent["messages"], "x_own": 1})
    );
}

#[tokio::test]
async fn a_failure_has_the_services_shape_before_a_stream_and_in_it() {
    let provider = SimulatedProvider::start().await;
    let gateway = gateway_of_all(&provider).await;
    for (name, ..) in PROVIDERS {
        let busy = invoke(&gateway, &format!("busy@{name}"), &body()).await;
        let class = busy.header("x-amzn-errortype");
        assert_eq!((busy.status.as_u16(), class), (429, Some("ThrottlingException")), "{name}");
        let (stream, _) = streamed(&gateway, &format!("breaks@{name}")).await;
        let events = said(&stream);
        assert_eq!(events[0]["type"], "message_start", "{name}");
        assert!(events.last().unwrap()["exception"].is_string(), "{name}: {events:?}");
    }
    for (path, body, status, class) in [
        ("/model/echo@openai/invoke", json!({"prompt": "a", "max_gen_len": 5}), 400, "ValidationException"),
        (
            "/model/echo@openai/invoke-with-response-stream",
            json!({"inputText": "a"}),
            400,
            "ValidationException",
        ),
        ("/model/nobody-has-it/invoke", body(), 404, "ResourceNotFoundException"),
    ] {
        let refused = gateway.post(path, body.to_string()).send().await.whole().await;
        assert_eq!(
            (refused.status.as_u16(), refused.header("x-amzn-errortype")),
            (status, Some(class)),
            "{path}"
        );
        assert!(refused.json()["message"].as_str().is_some_and(|message| !message.is_empty()));
    }
    let unknown = gateway.post("/model/echo@openai/invoke", body().to_string()).without_key();
    let unknown = unknown.send().await.whole().await;
    assert_eq!(unknown.header("x-amzn-errortype"), Some("UnrecognizedClientException"));
}
