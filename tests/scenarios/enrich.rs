//! Enrichment: headers for the provider and an instruction for the model, from templates over the caller.

use gatewright_testkit::harness::Gateway;
use gatewright_testkit::provider::SimulatedProvider;
use serde_json::{Value, json};

use crate::support::{chat, error_of, streamed_chat};

async fn enriching(settings: &Value) -> (SimulatedProvider, Gateway) {
    let provider = SimulatedProvider::start().await;
    let keys = json!([
        {"key": "ann-key-of-research", "tenant": "acme", "user": "ann", "label": "anns",
            "tags": {"department": "research", "language": "Frisian", "broken": "two\nlines"}},
        {"key": "key-of-somebody", "tenant": "umbrella", "label": "some"},
    ]);
    let gateway = Gateway::in_front_of(&provider)
        .set("/extensions/0/with/keys", keys)
        .extension("style", "enrich", settings, &["request"])
        .start()
        .await;
    (provider, gateway)
}

#[tokio::test]
async fn headers_and_instruction_come_from_the_callers_labels() {
    let settings = json!({
        "headers": {"x-department": "{tag.department|unknown}", "x-caller": "{tenant}/{user|nobody}/{key}", "x-nothing": "{project}",
            "x-model": "{model} on {route}", "x-exchange": "{request}"},
        "system": "You answer for {tenant} in {tag.language|English}. {{Braces}} stay.",
    });
    let (provider, gateway) = enriching(&settings).await;
    let cases = [
        (
            "ann-key-of-research",
            "research",
            "acme/ann/anns",
            "You answer for acme in Frisian. {Braces} stay.",
        ),
        (
            "key-of-somebody",
            "unknown",
            "umbrella/nobody/some",
            "You answer for umbrella in English. {Braces} stay.",
        ),
    ];
    for (key, department, caller, instruction) in cases {
        for request in [chat("hello"), streamed_chat("hello")] {
            let answer = gateway.chat(&request).key(key).send().await;
            assert_eq!(answer.status, 200);
            let id = answer.id();
            let seen = provider.next_request().await;
            assert_eq!(seen.header("x-department"), Some(department));
            assert_eq!(seen.header("x-caller"), Some(caller));
            assert_eq!(seen.header("x-model"), Some("small on default"));
            assert_eq!(seen.header("x-exchange"), Some(id.as_str()));
            assert_eq!(seen.header("x-nothing"), None, "what comes out empty is not sent");
            let messages = seen.json()["messages"].clone();
            let expected =
                json!([{"role": "system", "content": instruction}, {"role": "user", "content": "hello"}]);
            assert_eq!(messages, expected);
        }
    }
}

#[tokio::test]
async fn an_instruction_stands_beside_those_of_the_caller_and_the_rest_keeps_its_bytes() {
    for (place, order) in [("last", ["caller's", "house"]), ("first", ["house", "caller's"])] {
        let (provider, gateway) = enriching(&json!({"system": "house", "system_at": place})).await;
        let odd = r#"{"seed":123456789012345678901234567890,"x":{"a":0.10,"a":-0},  "model":"small","messages":[{"role":"system","content":"caller's"},{"role":"user","content":"h\u00e9 \/"}]}"#;
        let answer = gateway.post("/v1/chat/completions", odd).key("key-of-somebody").send().await;
        assert_eq!(answer.status, 200);
        let seen = provider.next_request().await;
        let roles_and_texts: Vec<Value> = seen.json()["messages"].as_array().unwrap().clone();
        assert_eq!(roles_and_texts[0], json!({"role": "system", "content": order[0]}), "{place}");
        assert_eq!(roles_and_texts[1], json!({"role": "system", "content": order[1]}), "{place}");
        assert_eq!(roles_and_texts[2]["role"], "user");
        let body = String::from_utf8_lossy(&seen.body).into_owned();
        for kept in [
            r#"{"seed":123456789012345678901234567890,"x":{"a":0.10,"a":-0},  "model":"small","#,
            r#"{"role":"user","content":"h\u00e9 \/"}"#,
        ] {
            assert!(body.contains(kept), "{body}");
        }
    }
}

#[tokio::test]
async fn claims_go_into_fields_and_labels() {
    let settings = json!({
        "fields": {"user": "{user|nobody}", "metadata.department": "{tag.department|unknown}"},
        "tags": {"app": "{header.x-app|unknown}", "cost_center": "{tenant}/{tag.department|none}"},
    });
    let (provider, gateway) = enriching(&settings).await;
    let mut request = chat("hello");
    request["user"] = json!("eve");
    request["metadata"] = json!({"a": "b", "department": "forged"});
    let answer = gateway.chat(&request).key("ann-key-of-research").header("x-app", "web").send().await;
    assert_eq!(answer.status, 200);
    let record = gateway.record(&answer.id()).await;
    let seen = provider.next_request().await.json();
    assert_eq!(seen["user"], "ann");
    assert_eq!(seen["metadata"], json!({"a": "b", "department": "research"}));
    let tags: Value = serde_json::from_str(&record.tags.unwrap()).unwrap();
    assert_eq!((&tags["app"], &tags["cost_center"]), (&json!("web"), &json!("acme/research")));

    let answer = gateway.chat(&chat("hello")).key("key-of-somebody").send().await;
    assert_eq!(answer.status, 200);
    let seen = provider.next_request().await.json();
    assert_eq!((&seen["user"], &seen["metadata"]), (&json!("nobody"), &json!({"department": "unknown"})));

    request["metadata"] = json!("text");
    let answer = gateway.chat(&request).key("key-of-somebody").send().await.whole().await;
    assert_eq!(error_of(&answer, 400)["param"], "metadata");
}

#[tokio::test]
async fn requests_without_instructions_get_the_headers_only() {
    let (provider, gateway) = enriching(&json!({"headers": {"x-caller": "{key}"}, "system": "house"})).await;
    let body = r#"{"model":"small", "input":"text"}"#;
    let answer = gateway.post("/v1/embeddings", body).key("key-of-somebody").send().await;
    assert_eq!(answer.status, 200);
    let seen = provider.next_request().await;
    assert_eq!((seen.header("x-caller"), &*seen.body), (Some("some"), body.as_bytes()));
}

#[tokio::test]
async fn a_value_that_no_header_can_hold_fails_the_request_by_the_instances_policy() {
    let (provider, mut gateway) = enriching(&json!({"headers": {"x-broken": "{tag.broken|fine}"}})).await;
    let answer = gateway.chat(&chat("x")).key("ann-key-of-research").send().await.whole().await;
    let error = error_of(&answer, 500);
    assert_eq!((&error["code"], &error["type"]), (&json!("extension_failed"), &json!("server_error")));
    assert!(error["message"].as_str().unwrap().contains("style"), "{error}");
    assert!(provider.requests().is_empty());
    assert_eq!(gateway.chat(&chat("x")).key("key-of-somebody").send().await.status, 200);

    gateway.reconfigure("/extensions/1/on_error", json!("skip"));
    gateway.wait_for_generation(2).await;
    assert_eq!(gateway.chat(&chat("x")).key("ann-key-of-research").send().await.status, 200);
    let metrics = gateway.metrics().await;
    let failed =
        metrics.count("gatewright_extension_calls_total", &[("instance", "style"), ("result", "error")]);
    assert_eq!(failed, 2);
}

#[tokio::test]
async fn an_instance_that_only_watches_changes_nothing() {
    let (provider, mut gateway) =
        enriching(&json!({"headers": {"x-caller": "{key}"}, "system": "house"})).await;
    for (generation, mode) in [(2, "shadow"), (3, "off")] {
        gateway.reconfigure("/extensions/1/mode", json!(mode));
        gateway.wait_for_generation(generation).await;
        let body = chat("x").to_string();
        let answer = gateway.post("/v1/chat/completions", body.clone()).key("key-of-somebody").send().await;
        assert_eq!(answer.status, 200);
        let seen = provider.next_request().await;
        assert_eq!((seen.header("x-caller"), &*seen.body), (None, body.as_bytes()), "{mode}");
    }
}
