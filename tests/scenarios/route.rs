//! Which policies an exchange meets: the first route that matches path, tenant and model, and no other.

use std::net::SocketAddr;

use gatewright_testkit::harness::{Gateway, Request};
use gatewright_testkit::provider::{Answer, SimulatedProvider};
use http::Method;
use serde_json::json;

use crate::support::{chat, serving, streamed_chat};

#[tokio::test]
async fn one_tenants_policies_do_not_touch_another() {
    let provider = SimulatedProvider::start().await;
    let keys = json!([
        {"key": "key-of-the-careful", "tenant": "careful"},
        {"key": "key-of-the-others", "tenant": "others"},
    ]);
    let routes = json!([
        {"name": "careful", "match": {"path": "/v1/*", "tenant": "careful", "model": "small"}, "response": ["mask"]},
        {"name": "vectors", "match": {"path": "/v1/embeddings"}, "request": ["style"]},
        {"name": "default", "match": {"path": "/v1/*"}},
    ]);
    let gateway = Gateway::in_front_of(&provider)
        .model("large", &json!([{"provider": "simulated"}]))
        .set("/extensions/0/with/keys", keys)
        .extension("mask", "mask", &json!({"presets": ["email"]}), &[])
        .extension("style", "enrich", &json!({"headers": {"x-route": "{route}"}}), &[])
        .set("/routes", routes)
        .start()
        .await;
    for (key, model, route, text) in [
        ("key-of-the-careful", "small", "careful", "[email]"),
        ("key-of-the-careful", "large", "default", "a@b.example"),
        ("key-of-the-others", "small", "default", "a@b.example"),
    ] {
        for mut request in [chat("x"), streamed_chat("x")] {
            request["model"] = json!(model);
            provider.push(Answer::model("sim?text=a@b.example"));
            let answer = gateway.chat(&request).key(key).send().await;
            let id = answer.id();
            let body = String::from_utf8_lossy(&answer.to_end().await.body).into_owned();
            let said = body.contains("[email]");
            assert_eq!(said, text == "[email]", "{key} {model}: {body}");
            assert_eq!(gateway.record(&id).await.route, route);
            assert_eq!(provider.next_request().await.header("x-route"), None);
        }
    }
    let body = r#"{"model":"small","input":"x"}"#;
    assert_eq!(gateway.post("/v1/embeddings", body).key("key-of-the-others").send().await.status, 200);
    assert_eq!(provider.next_request().await.header("x-route"), Some("vectors"));
}

#[tokio::test]
async fn every_listener_serves() {
    let provider = SimulatedProvider::start().await;
    let listeners = json!([
        {"name": "first", "address": "127.0.0.1:0"},
        {"name": "second", "address": "127.0.0.1:0", "limits": {"body_bytes_max": "1MiB"}},
    ]);
    let gateway = Gateway::in_front_of(&provider).set("/listeners", listeners).start().await;
    for name in ["first", "second"] {
        let line = gateway.log_line("where it listens", |line| line["name"] == name).await;
        let url = line["url"].as_str().unwrap();
        let address: SocketAddr = url.strip_prefix("http://").unwrap().parse().unwrap();
        let request = Request::new(address, Method::POST, "/v1/chat/completions");
        let request = request.key(gatewright_testkit::harness::CALLER_KEY).body(chat("x").to_string());
        assert_eq!(request.send().await.status, 200, "{name}");
    }
}

#[tokio::test]
async fn without_records_nothing_is_written_and_everything_is_served() {
    let provider = SimulatedProvider::start().await;
    let gateway = Gateway::in_front_of(&provider).set("/store/records", json!(false)).start().await;
    for request in [chat("x"), streamed_chat("x")] {
        assert_eq!(gateway.chat(&request).send().await.status, 200);
    }
    assert!(gateway.records().await.is_empty());
    assert!(
        gateway.metrics().await.count("gatewright_tokens_total", &[]) > 0,
        "the sums are there all the same"
    );
}

#[tokio::test]
async fn whatever_a_record_is_to_survive_an_orderly_end_keeps_them_all() {
    for durability in ["none", "crash", "power"] {
        let provider = SimulatedProvider::start().await;
        let mut gateway =
            Gateway::in_front_of(&provider).set("/store/durability", json!(durability)).start().await;
        for n in 0..12 {
            let request = if n % 2 == 0 { chat("x") } else { streamed_chat("x") };
            gateway.chat(&request).send().await.to_end().await;
        }
        gateway.signal("TERM").await;
        assert_eq!(gateway.ended().await.code(), Some(0));
        assert_eq!(gateway.records().await.len(), 12, "{durability}");
    }
}

#[tokio::test]
async fn a_caller_of_one_tenant_finds_nothing_of_another_in_what_it_reads() {
    let (provider, gateway) = serving().await;
    provider.push(Answer::model("sim?status=503"));
    let answer = gateway.chat(&chat("x")).send().await.whole().await;
    let said = format!("{:?} {:?}", answer.headers, answer.body);
    for inside in ["acme", "ann", "127.0.0.1", "default", &provider.address().port().to_string()] {
        assert!(!said.contains(inside), "`{inside}` is in {said}");
    }
}
