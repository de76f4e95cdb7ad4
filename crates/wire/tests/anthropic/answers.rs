//! Whole answers, and errors.

use bytes::Bytes;
use gatewright::chat::{Answer, AnswerChoice, Part, PartKind, Signature};
use gatewright::dialect::{Dialect, ErrorBody, ErrorClass};
use gatewright::text::Lane;
use gatewright::{FailureKind, FinishReason, RequestId, Retry, Usage};
use http::{HeaderMap, StatusCode};
use serde_json::json;

use crate::support::{chat_codec, envelope, json as parsed, messages};

const ANSWER: &str = concat!(
    "{ \"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m-1\",\"content\":[",
    "{\"type\":\"thinking\",\"thinking\":\"hm\",\"signature\":\"s\"},{\"type\":\"text\",\"text\":\"caf\\u00e9\"},",
    "{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"f\",\"input\":{ \"a\":1}}],\"stop_reason\":\"tool_use\",\"stop_sequence\":null,",
    "\"usage\":{\"input_tokens\":10,\"cache_read_input_tokens\":3,\"cache_creation_input_tokens\":5,",
    "\"cache_creation\":{\"ephemeral_5m_input_tokens\":1,\"ephemeral_1h_input_tokens\":4},\"output_tokens\":7,",
    "\"output_tokens_details\":{\"thinking_tokens\":2}}}",
);

const USAGE: Usage = Usage {
    input: 10,
    cache_read: 3,
    cache_write: 1,
    cache_write_1h: 4,
    output: 7,
    reasoning: 2,
    input_audio: 0,
    output_audio: 0,
};

#[test]
fn an_untouched_answer_goes_on_in_its_own_buffer_and_its_texts_have_lanes() {
    let body = Bytes::from_static(ANSWER.as_bytes());
    let mut answer = messages().decode_answer(body.clone()).unwrap();
    assert_eq!(answer.to_body().as_ptr(), body.as_ptr());
    assert_eq!((answer.model(), answer.usage()), (Some("m-1"), Some(USAGE)));
    let mut seen = Vec::new();
    answer.for_each_text(&mut |lane, text| seen.push((lane, text.to_owned())));
    let expected =
        [(Lane::reasoning(0), "hm"), (Lane::content(0), "café"), (Lane::tool_arguments(0, 0), "{ \"a\":1}")];
    assert_eq!(seen, expected.map(|(lane, text)| (lane, text.to_owned())));
    let mut edit =
        |_: Lane, text: &str| Some(text.replace("café", "\"x\"").replace('1', "2")).filter(|new| new != text);
    assert_eq!(answer.edit_texts(&mut edit).unwrap(), 2);
    let expected = ANSWER.replace("\"caf\\u00e9\"", "\"\\\"x\\\"\"").replace("{ \"a\":1}", "{ \"a\":2}");
    assert_eq!(answer.to_body(), expected);
}

#[test]
fn an_answer_is_the_same_when_it_has_been_one_of_no_dialect() {
    let answer = chat_codec().read_answer(ANSWER.as_bytes()).unwrap();
    let signature = Signature { data: "s".into(), from: Dialect::AnthropicMessages };
    let call = PartKind::ToolCall {
        id: "t".into(),
        name: "f".into(),
        arguments: "{ \"a\":1}".into(),
        signature: None,
    };
    let parts = vec![
        Part::new(PartKind::Reasoning { text: "hm".into(), signature: Some(signature) }),
        Part::text("café"),
        Part::new(call),
    ];
    let choices = vec![AnswerChoice { parts, finish: Some(FinishReason::ToolCalls) }];
    assert_eq!(answer, Answer { model: Some("m-1".into()), choices, usage: Some(USAGE) });
    let written = chat_codec().write_answer(&answer, &envelope());
    assert_eq!(parsed(&written)["model"], "public");
    let again = chat_codec().read_answer(&written).unwrap();
    assert_eq!((again.choices, again.usage), (answer.choices, answer.usage));
}

#[test]
fn arguments_that_are_no_object_stand_in_one() {
    for (arguments, expected) in
        [("", json!({})), ("{\"a", json!({"arguments": "{\"a"})), ("[1]", json!({"arguments": "[1]"}))]
    {
        let kind = PartKind::ToolCall {
            id: "t".into(),
            name: "f".into(),
            arguments: arguments.into(),
            signature: None,
        };
        let choice = AnswerChoice { parts: vec![Part::new(kind)], finish: None };
        let written =
            chat_codec().write_answer(&Answer { choices: vec![choice], ..Answer::default() }, &envelope());
        let written = parsed(&written);
        assert_eq!(
            (&written["content"][0]["input"], &written["stop_reason"]),
            (&expected, &json!("tool_use"))
        );
    }
}

#[test]
fn figures_that_cannot_be_are_none() {
    let usage = |figures: &str| {
        let body = format!(r#"{{"content":[],"usage":{figures}}}"#);
        messages().decode_answer(body.into()).unwrap().usage()
    };
    assert_eq!(usage("null"), None);
    assert_eq!(usage("{}"), None);
    assert_eq!(usage(r#"{"input_tokens":-1,"output_tokens":3}"#), None);
    assert_eq!(usage(r#"{"input_tokens":1,"output_tokens":2.5}"#), None);
    let some = Usage { input: 1, output: 2, ..Usage::default() };
    assert_eq!(usage(r#"{"input_tokens":1,"output_tokens":2,"cache_read_input_tokens":null}"#), Some(some));
}

#[test]
fn clients_read_errors_in_their_envelope() {
    let classes = [
        (ErrorClass::InvalidRequest, "invalid_request_error"),
        (ErrorClass::Authentication, "authentication_error"),
        (ErrorClass::Permission, "permission_error"),
        (ErrorClass::NotFound, "not_found_error"),
        (ErrorClass::TooLarge, "request_too_large"),
        (ErrorClass::RateLimit, "rate_limit_error"),
        (ErrorClass::Quota, "billing_error"),
        (ErrorClass::Overloaded, "overloaded_error"),
        (ErrorClass::Timeout, "timeout_error"),
        (ErrorClass::Server, "api_error"),
    ];
    for (class, kind) in classes {
        let error = ErrorBody {
            status: StatusCode::BAD_REQUEST,
            class,
            code: None,
            message: "say \"please\"".into(),
            param: None,
            request_id: Some(RequestId::new(1, 2)),
            retry_after: None,
        };
        let expected = json!({
            "type": "error",
            "error": {"type": kind, "message": "say \"please\""},
            "request_id": RequestId::new(1, 2).as_str(),
        });
        assert_eq!(parsed(&messages().render_error(&error)), expected);
    }
}

#[test]
fn errors_of_the_api_have_the_class_that_routing_asks_for() {
    let cases = [
        (400, "invalid_request_error", "messages: bad", FailureKind::Invalid),
        (
            400,
            "invalid_request_error",
            "prompt is too long: 210000 tokens > 200000 maximum",
            FailureKind::ContextTooLong,
        ),
        (
            400,
            "invalid_request_error",
            "Your credit balance is too low to access the Anthropic API.",
            FailureKind::QuotaExhausted,
        ),
        (
            400,
            "invalid_request_error",
            "You have reached your specified API usage limits.",
            FailureKind::QuotaExhausted,
        ),
        (401, "authentication_error", "invalid x-api-key", FailureKind::UpstreamAuth),
        (402, "billing_error", "pay", FailureKind::QuotaExhausted),
        (403, "permission_error", "no", FailureKind::UpstreamAuth),
        (404, "not_found_error", "model: claude-x", FailureKind::ModelNotFound),
        (413, "request_too_large", "Request exceeds the maximum size", FailureKind::TooLarge),
        (429, "rate_limit_error", "slow down", FailureKind::RateLimited),
        (500, "api_error", "Internal server error", FailureKind::UpstreamError),
        (504, "timeout_error", "Request timed out", FailureKind::Timeout),
        (529, "overloaded_error", "Overloaded", FailureKind::Overloaded),
    ];
    for (status, kind, message, expected) in cases {
        let body =
            json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_x"})
                .to_string();
        let status = StatusCode::from_u16(status).unwrap();
        let failure = messages().parse_error(status, &HeaderMap::new(), body.as_bytes());
        assert_eq!(failure.kind, expected, "{kind}: {message}");
    }
    let body = br#"{"type":"error","error":{"type":"rate_limit_error","message":"m"}}"#;
    let failure = messages().parse_error(StatusCode::TOO_MANY_REQUESTS, &HeaderMap::new(), body);
    assert_eq!(failure.retry, Retry::Safe);
}

#[test]
fn a_refusal_and_a_full_context_are_told_apart() {
    let finish = |reason: &str| {
        let body = json!({"content": [], "stop_reason": reason, "stop_sequence": "END"}).to_string();
        chat_codec().read_answer(body.as_bytes()).unwrap().choices[0].finish.clone().unwrap()
    };
    let cases = [
        ("end_turn", FinishReason::Stop),
        ("max_tokens", FinishReason::Length),
        ("stop_sequence", FinishReason::StopString(Some("END".to_owned()))),
        ("tool_use", FinishReason::ToolCalls),
        ("pause_turn", FinishReason::Paused),
        ("refusal", FinishReason::ContentFilter),
        ("model_context_window_exceeded", FinishReason::ContextFull),
        ("odd", FinishReason::Other("odd".to_owned())),
    ];
    for (word, expected) in cases {
        assert_eq!(finish(word), expected);
    }
}
