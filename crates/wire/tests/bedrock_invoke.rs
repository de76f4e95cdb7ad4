//! InvokeModel: which dialect a body is in, what the path puts into it, and how a stream is framed.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails, helpers included")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use gatewright::dialect::{
    Address, Codec, Dialect, Envelope, ErrorBody, ErrorClass, Operation, StreamEncoder, StreamSettings,
};
use gatewright::embedding::{Vector, Vectors};
use gatewright::text::Lane;
use gatewright::{EventKind, Failure, FinishReason, RequestId, StreamEvent, Usage};
use gatewright_wire::codec;
use gatewright_wire::event_stream::EventStreamDecoder;
use http::StatusCode;
use serde_json::{Value, json};

fn at(streams: bool) -> Address {
    Address { model: Some("m".into()), streams: Some(streams), ..Address::default() }
}

fn of(body: &str) -> Result<&'static dyn Codec, Failure> {
    codec(Dialect::BedrockInvoke).codec_of(body.as_bytes(), &at(false)).map(Option::unwrap)
}

const MESSAGES: &str = r#"{"anthropic_version":"bedrock-2023-05-31","max_tokens":5,"messages":[{"role":"user","content":"hi"}]}"#;

// === Requests ===

#[test]
fn a_body_says_what_it_is_written_in() {
    for (body, expected) in [
        (MESSAGES, (Dialect::AnthropicMessages, Operation::Chat)),
        (r#"{"inputText":"a"}"#, (Dialect::TitanEmbed, Operation::Embedding)),
        (r#"{"texts":["a"],"input_type":"clustering"}"#, (Dialect::CohereEmbed, Operation::Embedding)),
        (r#"{"images":["data:"],"input_type":"image"}"#, (Dialect::CohereEmbed, Operation::Embedding)),
    ] {
        let codec = of(body).unwrap();
        assert_eq!((codec.dialect(), codec.operation()), expected, "{body}");
    }
}

#[test]
fn a_body_of_another_family_is_refused_with_what_can_be_sent() {
    for body in [
        r#"{"inputText":"a","textGenerationConfig":{}}"#,
        r#"{"prompt":"a","max_gen_len":5}"#,
        r#"{"messages":[{"role":"user","content":[{"text":"hi"}]}]}"#,
    ] {
        let refused = of(body).unwrap_err();
        assert_eq!(refused.code.as_deref(), Some("unsupported_value"));
        assert!(refused.message.contains("anthropic_version") && refused.message.contains("converse"));
    }
}

#[test]
fn what_the_path_says_stands_where_the_dialect_has_it() {
    let codec = of(MESSAGES).unwrap();
    let decode =
        |streams| codec.decode_request_at(Bytes::from_static(MESSAGES.as_bytes()), &at(streams)).unwrap();
    let (whole, streamed) = (decode(false), decode(true));
    assert_eq!((whole.model(), whole.streams(), streamed.streams()), ("m", false, true));
    let body: Value = serde_json::from_slice(&streamed.to_body()).unwrap();
    let messages = json!([{"role": "user", "content": "hi"}]);
    assert_eq!(body, json!({"model": "m", "stream": true, "max_tokens": 5, "messages": messages}));
}

#[test]
fn what_a_body_says_of_model_and_stream_gives_way_to_the_path() {
    let body = r#"{"anthropic_version":"v","model":"other","model":"another","stream":true,"max_tokens":5,"messages":[{"role":"user","content":"hi"}]}"#;
    let request = of(body).unwrap().decode_request_at(Bytes::from_static(body.as_bytes()), &at(false));
    // A member that stands there twice is refused, whoever puts it right.
    let refused = request.map(|request| (request.model().to_owned(), request.streams()));
    assert!(matches!(&refused, Err(failure) if failure.param.as_deref() == Some("model")), "{refused:?}");
    let body = body.replace(r#""model":"another","#, "");
    let request = of(&body).unwrap().decode_request_at(body.into(), &at(false)).unwrap();
    assert_eq!((request.model(), request.streams()), ("m", false));
}

#[test]
fn vectors_are_not_streamed() {
    for body in [r#"{"inputText":"a"}"#, r#"{"texts":["a"],"input_type":"clustering"}"#] {
        let bytes = Bytes::from_static(body.as_bytes());
        let codec = of(body).unwrap();
        assert_eq!(codec.decode_request_at(bytes.clone(), &at(false)).unwrap().model(), "m");
        assert!(codec.decode_request_at(bytes, &at(true)).unwrap_err().message.contains("`invoke`"));
    }
}

#[test]
fn vectors_are_not_named_by_their_form_unless_the_body_names_it() {
    let envelope = Envelope { id: RequestId::new(1, 2), created: 7, model: "m".to_owned() };
    let vectors = Vectors { vectors: vec![Vector::Numbers("[1]".into())], ..Vectors::default() };
    for (body, expected) in [
        (r#"{"texts":["a"],"input_type":"clustering"}"#, json!([[1]])),
        (r#"{"texts":["a"],"input_type":"clustering","embedding_types":["float"]}"#, json!({"float": [[1]]})),
    ] {
        let translation = of(body).unwrap().embedding().unwrap();
        let asked = translation.read_request(body.as_bytes()).unwrap();
        let answer: Value =
            serde_json::from_slice(&translation.write_answer(&asked, &vectors, &envelope)).unwrap();
        assert_eq!(answer["embeddings"], expected);
    }
}

// === Streams ===

/// The messages of a stream: the event that each has, or the name of an exception.
fn said(stream: &[u8]) -> Vec<Value> {
    let mut decoder = EventStreamDecoder::default();
    decoder.push(Bytes::copy_from_slice(stream));
    let mut said = Vec::new();
    while let Some(message) = decoder.next_message().unwrap() {
        let payload: Value = serde_json::from_slice(&message.payload).unwrap();
        said.push(match message.text(":exception-type") {
            Some(name) => json!({"exception": name, "message": payload["message"]}),
            None => {
                assert_eq!(message.text(":event-type"), Some("chunk"));
                assert_eq!(message.text(":message-type"), Some("event"));
                let data = STANDARD.decode(payload["bytes"].as_str().unwrap()).unwrap();
                serde_json::from_slice(&data).unwrap()
            }
        });
    }
    assert_eq!(decoder.finish(), Ok(None));
    said
}

fn encoder(envelope: Option<Envelope>) -> Box<dyn StreamEncoder> {
    of(MESSAGES).unwrap().stream_encoder(StreamSettings { envelope, ..StreamSettings::default() })
}

/// What a provider of the inner dialect sends.
fn frames() -> String {
    let events = [
        json!({"type": "message_start", "message": {"id": "i", "model": "p", "usage": {"input_tokens": 9, "cache_read_input_tokens": 2, "output_tokens": 1}}}),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        json!({"type": "ping"}),
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Grüße"}}),
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 4}}),
        json!({"type": "message_stop"}),
    ];
    events.map(|event| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap())).concat()
}

/// Passes a provider's stream on that comes in these chunks.
fn passed<'c>(chunks: impl IntoIterator<Item = &'c [u8]>) -> Vec<u8> {
    let codec = of(MESSAGES).unwrap();
    assert!(codec.reframes());
    assert_eq!(codec.stream_content_type(), "application/vnd.amazon.eventstream");
    let (mut decoder, mut encoder, mut out) = (codec.stream_decoder(), encoder(None), Vec::new());
    for chunk in chunks {
        decoder.push(Bytes::copy_from_slice(chunk));
        while let Some(frame) = decoder.next_frame().unwrap() {
            encoder.observe(&frame);
            encoder.pass(&frame, &mut out);
        }
    }
    encoder.write_end(&mut out);
    out
}

#[test]
fn a_stream_of_the_dialect_has_an_event_in_every_message_and_figures_on_the_last() {
    let frames = frames();
    let told = said(&passed([frames.as_bytes()]));
    let types: Vec<&str> = told.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(
        types,
        [
            "message_start",
            "content_block_start",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop"
        ]
    );
    assert_eq!(told[2]["delta"]["text"], "Grüße");
    assert_eq!(
        told[5]["amazon-bedrock-invocationMetrics"],
        json!({"inputTokenCount": 9, "outputTokenCount": 4, "cacheReadInputTokenCount": 2, "cacheWriteInputTokenCount": 0})
    );
}

#[test]
fn every_split_of_a_providers_stream_gives_the_same_messages() {
    let frames = frames();
    let whole = passed([frames.as_bytes()]);
    for at in 1..frames.len() {
        let (one, two) = frames.as_bytes().split_at(at);
        assert_eq!(passed([one, two]), whole, "split at {at}");
    }
    assert_eq!(passed(frames.as_bytes().chunks(1)), whole);
}

#[test]
fn events_of_another_dialect_become_such_a_stream() {
    let envelope = Envelope { id: RequestId::new(1, 2), created: 7, model: "m".to_owned() };
    let mut encoder = encoder(Some(envelope));
    let usage = Usage { input: 3, output: 5, ..Usage::default() };
    let kinds = [
        EventKind::Start,
        EventKind::TextDelta { lane: Lane::content(0), text: "hi".into() },
        EventKind::Finish { choice: 0, reason: FinishReason::Stop },
        EventKind::Usage(usage),
    ];
    let mut out = Vec::new();
    for kind in kinds {
        encoder.write(None, &[StreamEvent::inserted(kind)], &mut out);
        encoder.write_keep_alive(&mut out);
    }
    encoder.write_end(&mut out);
    let told = said(&out);
    assert_eq!(told.first().unwrap()["type"], "message_start");
    let last = told.last().unwrap();
    assert_eq!(last["type"], "message_stop");
    assert_eq!(last["amazon-bedrock-invocationMetrics"]["inputTokenCount"], 3);
    assert_eq!(last["amazon-bedrock-invocationMetrics"]["outputTokenCount"], 5);
}

#[test]
fn an_error_is_an_exception_and_nothing_follows() {
    let error = ErrorBody {
        status: StatusCode::TOO_MANY_REQUESTS,
        class: ErrorClass::RateLimit,
        code: None,
        message: "too many".into(),
        param: None,
        request_id: None,
        retry_after: None,
    };
    let mut out = Vec::new();
    let mut writer = encoder(None);
    writer.write_error(&error, &mut out);
    writer.write_end(&mut out);
    assert_eq!(said(&out), [json!({"exception": "throttlingException", "message": "too many"})]);
    let failed =
        "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"no\"}}\n\n";
    let told = said(&passed([failed.as_bytes(), frames().as_bytes()]));
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["exception"], "modelStreamErrorException");
}

// === Errors ===

#[test]
fn errors_are_those_of_the_service_before_and_after_the_body_was_read() {
    let error = ErrorBody {
        status: StatusCode::BAD_REQUEST,
        class: ErrorClass::InvalidRequest,
        code: None,
        message: "wrong".into(),
        param: None,
        request_id: None,
        retry_after: None,
    };
    for codec in [codec(Dialect::BedrockInvoke), of(MESSAGES).unwrap(), of(r#"{"inputText":"a"}"#).unwrap()] {
        let body: Value = serde_json::from_slice(&codec.render_error(&error)).unwrap();
        assert_eq!(body["message"], "wrong");
        let (name, value) = codec.error_header(&error).unwrap();
        assert_eq!((name.as_str(), value.to_str().unwrap()), ("x-amzn-errortype", "ValidationException"));
    }
}
