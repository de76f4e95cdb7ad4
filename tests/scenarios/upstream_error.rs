//! What a provider refuses comes back with a status that the client's library understands, in words for the caller.

use gatewright_testkit::harness::{Gateway, PROVIDER_KEY};
use gatewright_testkit::provider::{Answer, SimulatedProvider};
use serde_json::json;

use crate::support::{chat, error_of, serving, streamed_chat};

/// What a refusal of the provider must become: status and `code`, none where the provider's own may stand.
const CASES: &[(u16, u16, Option<&str>)] = &[
    (400, 400, None),
    (404, 404, Some("model_not_found")),
    (409, 409, None),
    (413, 413, None),
    (422, 422, None),
    (429, 429, Some("rate_limit_exceeded")),
    // The gateway's own credential is at fault, not the caller's.
    (401, 502, Some("upstream_credential_refused")),
    (403, 502, Some("upstream_credential_refused")),
    (500, 502, Some("upstream_error")),
    (502, 502, Some("upstream_error")),
    (503, 503, Some("overloaded")),
    (529, 503, Some("overloaded")),
    (504, 504, Some("upstream_timeout")),
    (408, 504, Some("upstream_timeout")),
];

#[tokio::test]
async fn each_status_of_a_provider_has_its_status_code_and_record() {
    let (provider, gateway) = serving().await;
    for streamed in [false, true] {
        for (status, expected, code) in CASES {
            let request = if streamed { streamed_chat("x") } else { chat("x") };
            provider.push(Answer::model(format!("sim?status={status}")));
            let answer = gateway.chat(&request).send().await.whole().await;
            let error = error_of(&answer, *expected);
            if let Some(code) = code {
                assert_eq!(error["code"], *code, "{status}");
            }
            assert_eq!(error["request_id"], json!(answer.id()));
            let record = gateway.record(&answer.id()).await;
            assert_eq!((record.status, record.outcome.as_str()), (*expected, "failed"), "{status}");
            assert!(record.code.is_some(), "{record:?}");
            assert_eq!(
                (record.input_tokens, record.output_tokens),
                (0, 0),
                "a refusal costs nothing: {record:?}"
            );
            let line = gateway.access_line(&answer.id()).await;
            assert_eq!((&line["status"], &line["code"]), (&json!(expected), &json!(record.code)));
        }
    }
}

#[tokio::test]
async fn an_error_page_of_html_becomes_an_error_object_without_the_page() {
    let (provider, gateway) = serving().await;
    for (status, expected) in [(400, 400), (403, 502), (404, 404), (500, 502), (502, 502), (503, 503)] {
        provider.push(Answer::model(format!("sim?status={status}&html_error=1")));
        let answer = gateway.chat(&chat("x")).send().await.whole().await;
        let error = error_of(&answer, expected);
        assert!(!error["message"].as_str().unwrap().contains('<'), "{error}");
    }
}

#[tokio::test]
async fn an_error_without_a_body_or_with_an_odd_one_is_an_error_object_all_the_same() {
    let (provider, gateway) = serving().await;
    let bodies: [&[u8]; 7] = [
        b"",
        b"null",
        b"[]",
        b"{\"error\":null}",
        b"{\"error\":\"plain\"}",
        b"{\"detail\":[{\"msg\":\"odd\"}]}",
        b"\xff\xfe",
    ];
    for body in bodies {
        provider.push(Answer::body(500, "application/json", body));
        error_of(&gateway.chat(&chat("x")).send().await.whole().await, 502);
        provider.push(Answer::body(400, "application/json", body));
        error_of(&gateway.chat(&chat("x")).send().await.whole().await, 400);
    }
}

#[tokio::test]
async fn what_the_provider_says_of_the_callers_request_reaches_the_caller() {
    let (provider, gateway) = serving().await;
    let said = json!({"error": {"message": "temperature must be below 2", "type": "invalid_request_error",
        "param": "temperature", "code": "out_of_range"}});
    provider.push(Answer::json(400, &said));
    let error = error_of(&gateway.chat(&chat("x")).send().await.whole().await, 400);
    assert_eq!(error["message"], said["error"]["message"]);
    assert_eq!((&error["param"], &error["code"]), (&json!("temperature"), &json!("out_of_range")));
    assert_eq!(error["type"], "invalid_request_error");

    let said = json!({"error": {"message": "too long", "type": "invalid_request_error",
        "param": "messages", "code": "context_length_exceeded"}});
    provider.push(Answer::json(400, &said));
    let error = error_of(&gateway.chat(&chat("x")).send().await.whole().await, 400);
    assert_eq!(error["code"], "context_length_exceeded");
}

#[tokio::test]
async fn fault_u10_what_the_provider_says_of_the_gateways_credential_does_not() {
    let (provider, gateway) = serving().await;
    let hint =
        "Incorrect API key provided: sk-can****45c48cce. Find yours at https://provider.example/account";
    for status in [401, 403] {
        let said =
            json!({"error": {"message": hint, "type": "invalid_request_error", "code": "invalid_api_key"}});
        provider.push(Answer::json(status, &said));
        let answer = gateway.chat(&chat("x")).send().await.whole().await;
        let error = error_of(&answer, 502);
        let text = answer.json().to_string();
        assert!(!text.contains("45c48cce") && !text.contains("provider.example"), "{text}");
        assert_ne!(error["type"], "authentication_error", "the caller's own key is good");
    }
}

#[tokio::test]
async fn a_provider_that_repeats_a_secret_is_not_quoted() {
    let (provider, gateway) = serving().await;
    let said = json!({"error": {"message": format!("bad request with {PROVIDER_KEY}"), "type": "invalid_request_error"}});
    provider.push(Answer::json(400, &said));
    let answer = gateway.chat(&chat("x")).send().await.whole().await;
    error_of(&answer, 400);
    assert!(!String::from_utf8_lossy(&answer.body).contains(PROVIDER_KEY), "{:?}", answer.body);
}

#[tokio::test]
async fn fault_u7_when_to_come_back_is_passed_on() {
    let (provider, gateway) = serving().await;
    for status in [429, 503] {
        provider.push(Answer::model(format!("sim?status={status}&retry_after=7")));
        let answer = gateway.chat(&chat("x")).send().await.whole().await;
        error_of(&answer, status);
        assert_eq!(answer.header("retry-after"), Some("7"), "{status}");
    }
}

#[tokio::test]
async fn fault_u8_money_that_ran_out_at_the_provider_is_a_429_of_its_own_kind() {
    let (provider, gateway) = serving().await;
    for model in ["sim?status=429&code=insufficient_quota", "sim?status=402"] {
        provider.push(Answer::model(model));
        let error = error_of(&gateway.chat(&chat("x")).send().await.whole().await, 429);
        assert_eq!(error["type"], "insufficient_quota", "{model}");
    }
    assert_eq!(provider.requests().len(), 2, "and it is not tried again");
}

#[tokio::test]
async fn fault_u12_an_error_as_the_first_event_of_a_stream_has_a_status_of_its_own() {
    let (provider, gateway) = serving().await;
    let cases =
        [("server_error", 502), ("rate_limit_exceeded", 429), ("overloaded", 503), ("content_filter", 400)];
    for (code, expected) in cases {
        let error = json!({"error": {"message": "sorry", "type": code, "code": code}}).to_string();
        provider.push(Answer::events([error.as_str(), "[DONE]"]));
        let answer = gateway.chat(&streamed_chat("x")).send().await.whole().await;
        error_of(&answer, expected);
        assert_eq!(gateway.record(&answer.id()).await.outcome, "failed", "{code}");
    }
}

#[tokio::test]
async fn a_redirect_of_a_provider_is_not_followed() {
    let elsewhere = SimulatedProvider::start().await;
    let provider = SimulatedProvider::start().await;
    let gateway = Gateway::in_front_of(&provider).start().await;
    let head = format!(
        "HTTP/1.1 307 Temporary Redirect\r\nlocation: {}/chat/completions\r\ncontent-length: 0\r\n\r\n",
        elsewhere.base_url()
    );
    provider.push(Answer::wire([gatewright_testkit::provider::Step::send(head)]));
    error_of(&gateway.chat(&chat("x")).send().await.whole().await, 502);
    assert!(elsewhere.requests().is_empty(), "a credential belongs to its origin");
}
