//! What a client gets wrong comes back as an error that its library understands and that says what to change.

use gatewright_testkit::harness::{Gateway, Whole};
use http::Method;
use serde_json::{Value, json};

use crate::support::{chat, error_of, serving};

const CHAT: &str = "/v1/chat/completions";

/// The error of a request that must not reach the provider. Its id stands in the answer, the error and the log.
async fn refused(gateway: &Gateway, answer: Whole, status: u16) -> Value {
    let error = error_of(&answer, status);
    let id = answer.id();
    assert_eq!(error["request_id"], json!(id), "the error names the exchange");
    let line = gateway.access_line(&id).await;
    assert_eq!((&line["status"], &line["outcome"]), (&json!(status), &json!("not_sent")), "{line}");
    if !error["code"].is_null() {
        assert_eq!(line["code"], error["code"], "{line}");
    }
    error
}

#[track_caller]
fn mentions(error: &Value, words: &[&str]) {
    let message = error["message"].as_str().unwrap().to_lowercase();
    for word in words {
        assert!(message.contains(&word.to_lowercase()), "`{word}` is not in: {message}");
    }
}

#[tokio::test]
async fn a_body_that_is_no_json_object_is_a_400_that_says_where() {
    let (provider, gateway) = serving().await;
    let deep = format!("{{\"model\":\"small\",\"messages\":{}", "[".repeat(100_000));
    let bodies: Vec<Vec<u8>> = [
        "{\"model\": \"small\", \"messages\": [}",
        "{\"model\": \"small\"",
        "{\"model\": \"small\", \"messages\": [],}",
        "{'model': 'small'}",
        "{\"model\": \"small\"} {\"model\": \"small\"}",
        "not json",
        "[]",
        "\"text\"",
        "7",
        "null",
        "   ",
        &deep,
    ]
    .iter()
    .map(|body| body.as_bytes().to_vec())
    .chain([b"{\"model\":\"small\",\"messages\":[{\"role\":\"user\",\"content\":\"\xff\xfe\"}]}".to_vec()])
    .collect();
    for body in bodies {
        let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
        let answer = gateway.post(CHAT, body).send().await.whole().await;
        let error = refused(&gateway, answer, 400).await;
        assert_eq!(error["type"], "invalid_request_error", "{shown}");
        mentions(&error, &["json"]);
    }
    let empty = gateway.request(Method::POST, CHAT).send().await.whole().await;
    mentions(&refused(&gateway, empty, 400).await, &["body"]);
    assert!(provider.requests().is_empty());
    assert!(gateway.records().await.is_empty(), "what was not sent has no usage");
}

#[tokio::test]
async fn a_missing_or_mistyped_field_is_a_400_that_names_it_and_what_it_must_be() {
    let (provider, gateway) = serving().await;
    let messages = json!([{"role": "user", "content": "x"}]);
    let cases = [
        (json!({"messages": messages}), "model", "missing"),
        (json!({"model": null, "messages": messages}), "model", "missing"),
        (json!({"model": 7, "messages": messages}), "model", "string"),
        (json!({"model": "", "messages": messages}), "model", "byte"),
        (json!({"model": "small"}), "messages", "missing"),
        (json!({"model": "small", "messages": "x"}), "messages", "array"),
        (json!({"model": "small", "messages": {}}), "messages", "array"),
        (json!({"model": "small", "messages": []}), "messages", "empty"),
        (json!({"model": "small", "messages": messages, "stream": "yes"}), "stream", "true"),
        (json!({"model": "small", "messages": messages, "n": "two"}), "n", "number"),
        (json!({"model": "small", "messages": messages, "n": 0}), "n", "1"),
        (json!({"model": "small", "messages": messages, "n": 1.5}), "n", "whole"),
        (json!({"model": "small", "messages": messages, "max_tokens": "7"}), "max_tokens", "number"),
        (json!({"model": "small", "messages": messages, "max_tokens": -1}), "max_tokens", "whole"),
        (
            json!({"model": "small", "messages": messages, "stream": true, "stream_options": 1}),
            "stream_options",
            "object",
        ),
    ];
    for (body, param, word) in cases {
        let error = refused(&gateway, gateway.chat(&body).send().await.whole().await, 400).await;
        assert_eq!(
            (&error["param"], &error["type"]),
            (&json!(param), &json!("invalid_request_error")),
            "{body}"
        );
        mentions(&error, &[param, word]);
    }
    let others = [
        ("/v1/completions", json!({"model": "small"}), "prompt"),
        ("/v1/embeddings", json!({"model": "small"}), "input"),
        ("/v1/embeddings", json!({"input": "x"}), "model"),
    ];
    for (path, body, param) in others {
        let answer = gateway.post(path, body.to_string()).send().await.whole().await;
        assert_eq!(refused(&gateway, answer, 400).await["param"], param, "{path}");
    }
    assert!(provider.requests().is_empty());
}

#[tokio::test]
async fn a_routing_field_that_stands_twice_is_a_400_because_readers_differ_on_which_counts() {
    let (provider, gateway) = serving().await;
    let cases = [
        (r#"{"model":"small","messages":[{"role":"user","content":"x"}],"model":"other"}"#, "model"),
        (r#"{"model":"small","messages":[{"role":"user","content":"x"}],"m\u006fdel":"other"}"#, "model"),
        (
            r#"{"stream":true,"model":"small","messages":[{"role":"user","content":"x"}],"stream":false}"#,
            "stream",
        ),
    ];
    for (body, param) in cases {
        let error = refused(&gateway, gateway.post(CHAT, body).send().await.whole().await, 400).await;
        assert_eq!(error["param"], param, "{body}");
        mentions(&error, &[param, "twice"]);
    }
    assert!(provider.requests().is_empty());
}

#[tokio::test]
async fn an_unknown_model_is_a_404_that_says_how_to_find_the_known_ones() {
    let (provider, gateway) = serving().await;
    let mut body = chat("x");
    for model in ["nobody", "SMALL", " small", "../small"] {
        body["model"] = json!(model);
        let error = refused(&gateway, gateway.chat(&body).send().await.whole().await, 404).await;
        assert_eq!((&error["code"], &error["param"]), (&json!("model_not_found"), &json!("model")));
        mentions(&error, &[model, "/v1/models"]);
    }
    assert!(provider.requests().is_empty());
}

#[tokio::test]
async fn a_body_over_the_cap_is_a_413_however_it_is_framed() {
    let (provider, gateway) = serving().await;
    drop(gateway);
    let gateway = Gateway::in_front_of(&provider)
        .set("/listeners/0/limits", json!({"body_bytes_max": "1KiB"}))
        .start()
        .await;
    let long = chat(&"x".repeat(2_000));
    let error = refused(&gateway, gateway.chat(&long).send().await.whole().await, 413).await;
    assert_eq!(
        (&error["code"], &error["type"]),
        (&json!("request_too_large"), &json!("invalid_request_error"))
    );
    mentions(&error, &["1024"]);

    let key = gatewright_testkit::harness::CALLER_KEY;
    let head =
        format!("POST {CHAT} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\nconnection: close\r\n");
    let chunk = format!("400\r\n{}\r\n", "x".repeat(1024)).repeat(3);
    let chunked = format!("{head}transfer-encoding: chunked\r\n\r\n{chunk}0\r\n\r\n");
    let announced = format!("{head}content-length: 99999999999\r\n\r\nx");
    for request in [chunked, announced] {
        let answer = gateway.raw(request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
        assert!(answer.contains("request_too_large"), "{answer}");
    }
    assert!(gateway.chat(&chat("short")).send().await.status.is_success());
}

#[tokio::test]
async fn a_tenants_cap_is_below_the_listeners() {
    let (provider, gateway) = serving().await;
    drop(gateway);
    let gateway = Gateway::in_front_of(&provider)
        .set("/tenants", json!({"acme": {"body_bytes_max": 500}}))
        .start()
        .await;
    refused(&gateway, gateway.chat(&chat(&"x".repeat(600))).send().await.whole().await, 413).await;
    assert_eq!(gateway.chat(&chat("x")).send().await.status, 200);
}

#[tokio::test]
async fn an_unknown_path_is_a_404_and_a_wrong_method_a_405_that_says_which_are_right() {
    let (provider, gateway) = serving().await;
    for path in
        ["/", "/v1", "/v2/chat/completions", "/v1/chat/completions/", "/v1/chat", "/V1/models", "//v1/models"]
    {
        let answer = gateway.post(path, chat("x").to_string()).send().await.whole().await;
        let error = refused(&gateway, answer, 404).await;
        mentions(&error, &[path]);
    }
    for (method, path, allowed) in [
        (Method::GET, CHAT, "POST"),
        (Method::PUT, "/v1/completions", "POST"),
        (Method::DELETE, "/v1/embeddings", "POST"),
        (Method::POST, "/v1/models", "GET"),
        (Method::DELETE, "/v1/models/small", "GET"),
    ] {
        let answer = gateway.request(method.clone(), path).send().await.whole().await;
        let allow = answer.header("allow").unwrap_or_default().to_owned();
        assert!(allow.contains(allowed), "{method} {path}: allow: {allow:?}");
        let error = refused(&gateway, answer, 405).await;
        mentions(&error, &[method.as_str(), path]);
    }
    assert!(provider.requests().is_empty());
}

#[tokio::test]
async fn a_request_that_no_route_takes_is_a_404() {
    let (provider, gateway) = serving().await;
    drop(gateway);
    let gateway = Gateway::in_front_of(&provider)
        .set("/routes/0/match", json!({"path": "/v1/embeddings"}))
        .start()
        .await;
    let error = refused(&gateway, gateway.chat(&chat("x")).send().await.whole().await, 404).await;
    assert_eq!(error["code"], "no_route");
    let answer = gateway.post("/v1/embeddings", r#"{"model":"small","input":"x"}"#).send().await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn a_callers_own_request_id_finds_its_exchange_in_the_log() {
    let (_provider, gateway) = serving().await;
    let answer = gateway.chat(&chat("x")).header("x-request-id", "caller-trace-4711").send().await;
    let id = answer.id();
    answer.whole().await;
    let line = gateway.access_line(&id).await;
    assert!(line.to_string().contains("caller-trace-4711"), "{line}");
}
