//! Errors: what clients read, and what providers' answers are taken for.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails, helpers included")]

use std::time::Duration;

use gatewright::dialect::{Dialect, ErrorBody, ErrorClass};
use gatewright::{Failure, FailureKind, RequestId, Retry, Side};
use gatewright_wire::codec;
use gatewright_wire::models::{self, ModelEntry};
use http::{HeaderMap, HeaderValue, StatusCode};

fn body(class: ErrorClass) -> ErrorBody<'static> {
    ErrorBody {
        status: StatusCode::BAD_REQUEST,
        class,
        code: None,
        message: "say \"please\"".into(),
        param: None,
        request_id: None,
        retry_after: None,
    }
}

#[test]
fn clients_read_errors_in_their_envelope() {
    let codec = codec(Dialect::OpenAiChat);
    let plain = codec.render_error(&body(ErrorClass::InvalidRequest));
    let expected =
        r#"{"error":{"message":"say \"please\"","type":"invalid_request_error","param":null,"code":null}}"#;
    assert_eq!(plain, expected);
    let full = ErrorBody {
        code: Some("rate_limit_exceeded".into()),
        param: Some("model".into()),
        request_id: Some(RequestId::new(1, 2)),
        ..body(ErrorClass::RateLimit)
    };
    let full: serde_json::Value = serde_json::from_slice(&codec.render_error(&full)).unwrap();
    assert_eq!(full["error"]["type"], "rate_limit_error");
    assert_eq!(
        (&full["error"]["code"], &full["error"]["param"]),
        (&"rate_limit_exceeded".into(), &"model".into())
    );
    assert_eq!(full["error"]["request_id"], RequestId::new(1, 2).as_str());
}

#[test]
fn models_are_listed_and_shown() {
    let entry = ModelEntry { id: "a\"b", owned_by: "acme" };
    let one = r#"{"id":"a\"b","object":"model","created":0,"owned_by":"acme"}"#;
    let dialect = Dialect::OpenAiChat;
    assert_eq!(models::retrieve(dialect, &entry), one);
    let two = format!(r#"{{"object":"list","data":[{one},{one}]}}"#);
    assert_eq!(models::list(dialect, &[entry, entry]), two);
    assert_eq!(models::list(dialect, &[]), r#"{"object":"list","data":[]}"#);
}

#[test]
fn models_are_listed_and_shown_in_the_dialect_of_who_asks() {
    let [a, b] = ["a\"b", "c/d"].map(|id| ModelEntry { id, owned_by: "acme" });
    let json = |body: bytes::Bytes| serde_json::from_slice::<serde_json::Value>(&body).unwrap();
    let model = |id: &str| serde_json::json!({"type": "model", "id": id, "display_name": id, "created_at": "1970-01-01T00:00:00Z"});
    let dialect = Dialect::AnthropicMessages;
    assert_eq!(json(models::retrieve(dialect, &a)), model("a\"b"));
    let page = serde_json::json!({"data": [model("a\"b"), model("c/d")], "has_more": false,
        "first_id": "a\"b", "last_id": "c/d"});
    assert_eq!(json(models::list(dialect, &[a, b])), page);
    let empty = serde_json::json!({"data": [], "has_more": false, "first_id": null, "last_id": null});
    assert_eq!(json(models::list(dialect, &[])), empty);

    let model = |id: &str| {
        serde_json::json!({"name": format!("models/{id}"), "displayName": id,
            "supportedGenerationMethods": ["generateContent", "countTokens"]})
    };
    let dialect = Dialect::GoogleGenerate;
    assert_eq!(json(models::retrieve(dialect, &b)), model("c/d"));
    let list = serde_json::json!({"models": [model("a\"b"), model("c/d")]});
    assert_eq!(json(models::list(dialect, &[a, b])), list);
}

fn parse(status: u16, body: &str) -> Failure {
    let status = StatusCode::from_u16(status).unwrap();
    codec(Dialect::OpenAiChat).parse_error(status, &HeaderMap::new(), body.as_bytes())
}

#[track_caller]
fn classed(status: u16, body: &str, kind: FailureKind, retry: Retry) {
    let failure = parse(status, body);
    assert_eq!((failure.side, failure.kind, failure.retry), (Side::Upstream, kind, retry), "{status} {body}");
}

#[test]
fn answers_are_classed_by_code_then_status() {
    use FailureKind as Kind;
    classed(400, r#"{"error":{"code":"context_length_exceeded"}}"#, Kind::ContextTooLong, Retry::Useless);
    classed(
        400,
        r#"{"message":"This model's maximum context length is 9"}"#,
        Kind::ContextTooLong,
        Retry::Useless,
    );
    classed(413, r#"{"error":"prompt is too long: 9 tokens"}"#, Kind::ContextTooLong, Retry::Useless);
    classed(400, r#"{"error":{"message":"bad"}}"#, Kind::Invalid, Retry::Useless);
    classed(400, r#"{"error":{"code":"content_filter"}}"#, Kind::ContentFiltered, Retry::Useless);
    classed(401, "", Kind::UpstreamAuth, Retry::Safe);
    classed(403, "{}", Kind::UpstreamAuth, Retry::Safe);
    classed(402, "pay", Kind::QuotaExhausted, Retry::Useless);
    classed(429, r#"{"error":{"type":"insufficient_quota"}}"#, Kind::QuotaExhausted, Retry::Useless);
    classed(429, r#"{"error":{"code":"rate_limit_exceeded"}}"#, Kind::RateLimited, Retry::Safe);
    classed(429, "<html>", Kind::RateLimited, Retry::Safe);
    classed(404, r#"{"error":{"message":"The model x does not exist"}}"#, Kind::ModelNotFound, Retry::Safe);
    classed(404, "not here", Kind::NotFound, Retry::Safe);
    classed(408, "", Kind::Timeout, Retry::Unsafe);
    classed(413, "", Kind::TooLarge, Retry::Useless);
    classed(422, r#"{"detail":[{"loc":["x"],"msg":"field required"}]}"#, Kind::Unprocessable, Retry::Useless);
    classed(500, "", Kind::UpstreamError, Retry::Unsafe);
    classed(502, "<html><body>Bad Gateway</body></html>", Kind::UpstreamError, Retry::Unsafe);
    classed(503, "", Kind::Overloaded, Retry::Safe);
    classed(529, r#"{"type":"error","error":{"type":"overloaded_error"}}"#, Kind::Overloaded, Retry::Safe);
    classed(304, "", Kind::Malformed, Retry::Unsafe);
}

#[test]
fn a_refusal_of_the_request_is_told_in_the_providers_words() {
    let json = r#"{"error":{"message":"'x' is not one of 'a', 'b'","type":"invalid_request_error","param":"m.x","code":null}}"#;
    let failure = parse(400, json);
    assert_eq!(failure.message, "'x' is not one of 'a', 'b'");
    assert_eq!(failure.param.as_deref(), Some("m.x"));
    assert_eq!(failure.code.as_deref(), Some("invalid_request_error"));
    assert_eq!(failure.status, Some(StatusCode::BAD_REQUEST));
    assert_eq!(parse(422, r#"{"detail":[{"msg":"field required"}]}"#).message, "field required");
    assert_eq!(
        parse(400, r#"[{"error":{"code":400,"message":"no","status":"INVALID_ARGUMENT"}}]"#).message,
        "no"
    );
    assert_eq!(parse(418, "").message, "the provider refused the request with status 418");
}

#[test]
fn what_concerns_the_gateways_own_account_is_told_in_our_words() {
    let secret = r#"{"error":{"message":"Incorrect API key provided: sk-abcdef. See https://x.example.com","code":"invalid_api_key"}}"#;
    let failure = parse(401, secret);
    assert_eq!(failure.message, "the provider refused the gateway's credential");
    assert_eq!(failure.code, None);
    let detail = failure.detail.unwrap();
    assert!(
        detail.contains("Incorrect API key") && !detail.contains("sk-abc") && !detail.contains("x.example")
    );
    let limit = parse(429, r#"{"error":{"message":"Rate limit reached in organization org-Ab12 for m"}}"#);
    assert_eq!(limit.message, "Rate limit reached in organization [redacted] for m");
}

#[test]
fn waits_and_limits_are_kept() {
    let mut headers = HeaderMap::new();
    headers.insert("retry-after", HeaderValue::from_static("12"));
    headers.insert("x-ratelimit-limit-tokens", HeaderValue::from_static("1000"));
    headers.insert("server", HeaderValue::from_static("secret"));
    let failure = codec(Dialect::OpenAiChat).parse_error(StatusCode::TOO_MANY_REQUESTS, &headers, b"");
    assert_eq!(failure.retry_after, Some(Duration::from_secs(12)));
    let kept = failure.headers.unwrap();
    assert_eq!(kept.len(), 1);
    assert_eq!(kept["x-ratelimit-limit-tokens"], "1000");
}

#[test]
fn huge_and_broken_bodies_are_bounded() {
    let long = format!(r#"{{"error":{{"message":"{}"}}}}"#, "ä ".repeat(100_000));
    assert!(parse(400, &long).message.len() <= 2_048);
    let html = "<p>x</p> ".repeat(100_000);
    let failure = parse(502, &html);
    assert!(failure.detail.unwrap().len() < 2_048);
    let binary =
        codec(Dialect::OpenAiChat).parse_error(StatusCode::BAD_GATEWAY, &HeaderMap::new(), &[0xff; 4096]);
    assert_eq!(binary.kind, FailureKind::UpstreamError);
}
