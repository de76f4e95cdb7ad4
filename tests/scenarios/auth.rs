//! Who may call, decided on the head alone, and which models that shows.

use gatewright_testkit::harness::{CALLER_KEY, Gateway, Whole, within};
use gatewright_testkit::provider::SimulatedProvider;
use http::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{chat, error_of, serving};

#[tokio::test]
async fn without_a_key_that_is_known_every_endpoint_is_a_401() {
    let (provider, gateway) = serving().await;
    let requests = [
        gateway.chat(&chat("x")),
        gateway.post("/v1/completions", "{}"),
        gateway.post("/v1/embeddings", "not even json"),
        gateway.get("/v1/models"),
        gateway.get("/v1/models/small"),
    ];
    let almost = format!("{CALLER_KEY}x");
    let (shorter, _) = CALLER_KEY.split_at(CALLER_KEY.len() - 1);
    for request in requests {
        let none = request.clone().without_key().send().await.whole().await;
        let error = error_of(&none, 401);
        assert_eq!(
            (&error["code"], &error["type"]),
            (&json!("invalid_api_key"), &json!("authentication_error"))
        );
        assert_eq!(error["request_id"], json!(none.id()));
        let line = gateway.access_line(&none.id()).await;
        assert_eq!((&line["status"], &line["tenant"]), (&json!(401), &json!("-")));
        for wrong in ["wrong-key-entirely", &almost, shorter, &CALLER_KEY.to_uppercase()] {
            let answer = request.clone().key(wrong).send().await.whole().await;
            let error = error_of(&answer, 401);
            assert!(!error.to_string().contains(wrong), "{error}");
        }
        for header in ["Bearer", "Bearer ", "Basic Z3c6a2V5", CALLER_KEY, "Bearer a b"] {
            error_of(&request.clone().header("authorization", header).send().await.whole().await, 401);
        }
    }
    assert!(provider.requests().is_empty());
}

#[tokio::test]
async fn the_key_of_the_other_convention_and_a_digest_in_the_configuration_do_as_well() {
    let provider = SimulatedProvider::start().await;
    // The digest of `0123456789abcdef`.
    let digest = "9f9f5111f7b27a781f1f1ddde5ebc2dd2b796bfc7365c9c28b548e564176929f";
    let gateway = Gateway::in_front_of(&provider)
        .set("/extensions/0/with/keys", json!([
            {"key": "${file:caller-key.txt}", "tenant": "acme"}, {"sha256": digest, "tenant": "acme", "label": "digest"}]))
        .start()
        .await;
    for request in [
        gateway.get("/v1/models").without_key().header("x-api-key", CALLER_KEY),
        gateway.get("/v1/models").header("authorization", &format!("bearer {CALLER_KEY}")),
        gateway.get("/v1/models").key("0123456789abcdef"),
    ] {
        assert_eq!(request.send().await.status, 200);
    }
    assert_eq!(gateway.get("/v1/models").key("0123456789abcdeF").send().await.status, 401);
}

#[tokio::test]
async fn a_caller_without_a_key_is_refused_before_its_body_is_read() {
    let (_provider, gateway) = serving().await;
    let mut socket = tokio::net::TcpStream::connect(gateway.address()).await.unwrap();
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 5000000\r\n\r\n{";
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let reading = within("the refusal", async {
        while !answer.ends_with(b"}}") {
            if socket.read_buf(&mut answer).await.unwrap() == 0 {
                break;
            }
        }
    });
    reading.await;
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 401") && answer.contains("invalid_api_key"), "{answer}");
}

async fn models_of(gateway: &Gateway, key: &str) -> Vec<String> {
    let list = gateway.get("/v1/models").key(key).send().await.json().await;
    assert_eq!(list["object"], "list");
    let entries = list["data"].as_array().unwrap().clone();
    for entry in &entries {
        assert_eq!(entry["object"], "model");
        assert!(entry["created"].is_u64() && entry["owned_by"].is_string(), "{entry}");
    }
    entries.iter().map(|entry| entry["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_caller_sees_and_uses_the_models_of_its_key_and_tenant_and_no_others() {
    let provider = SimulatedProvider::start().await;
    let targets = json!([{"provider": "simulated"}]);
    let keys = json!([
        {"key": "key-for-everything", "tenant": "acme"},
        {"key": "key-for-small-ones", "tenant": "acme", "models": ["small*"]},
        {"key": "key-for-one-vendor", "tenant": "acme", "models": ["vendor/*", "nothing"]},
        {"key": "key-of-small-tenant", "tenant": "tiny"},
        {"key": "key-for-no-model-1", "tenant": "acme", "models": []},
    ]);
    let gateway = Gateway::in_front_of(&provider)
        .model("small-2", &targets)
        .model("vendor/large", &targets)
        .set("/extensions/0/with/keys", keys)
        .set("/tenants", json!({"tiny": {"models": ["small"]}}))
        .start()
        .await;
    let all = ["small", "small-2", "vendor/large"];
    let cases: [(&str, &[&str]); 5] = [
        ("key-for-everything", &all),
        ("key-for-small-ones", &["small", "small-2"]),
        ("key-for-one-vendor", &["vendor/large"]),
        ("key-of-small-tenant", &["small"]),
        ("key-for-no-model-1", &[]),
    ];
    for (key, expected) in cases {
        assert_eq!(models_of(&gateway, key).await, expected, "{key}");
        for model in all {
            let mut request = chat("x");
            request["model"] = json!(model);
            let used = gateway.chat(&request).key(key).send().await.whole().await;
            let retrieved = gateway.get(&format!("/v1/models/{model}")).key(key).send().await.whole().await;
            if expected.contains(&model) {
                assert_eq!(used.status, 200, "{key} {model}");
                assert_eq!(retrieved.json()["id"], model, "{key}");
            } else {
                let error = error_of(&used, 403);
                assert_eq!((&error["type"], &error["param"]), (&json!("permission_error"), &json!("model")));
                assert_eq!(error_of(&retrieved, 404)["code"], "model_not_found");
            }
        }
    }
    let unknown = gateway.get("/v1/models/nobody").key("key-for-everything").send().await.whole().await;
    let hidden = gateway.get("/v1/models/small").key("key-for-one-vendor").send().await.whole().await;
    let message = |answer: &Whole| answer.json()["error"]["message"].clone();
    assert_eq!(message(&unknown), message(&hidden), "what is hidden looks like what does not exist");
    assert!(models_of(&gateway, "key-for-everything").await.iter().all(|model| !model.contains("sim")));
}

#[tokio::test]
async fn a_model_whose_name_has_odd_signs_can_be_retrieved() {
    let provider = SimulatedProvider::start().await;
    let name = "vendor/large:free v1.5";
    let gateway =
        Gateway::in_front_of(&provider).model(name, &json!([{"provider": "simulated"}])).start().await;
    for path in ["/v1/models/vendor/large:free%20v1.5", "/v1/models/vendor%2Flarge%3Afree%20v1%2E5"] {
        let answer = gateway.get(path).send().await.whole().await;
        assert_eq!((answer.status.as_u16(), answer.json()["id"].clone()), (200, json!(name)), "{path}");
    }
}

#[tokio::test]
async fn two_long_keys_with_the_same_beginning_are_two_callers() {
    let provider = SimulatedProvider::start().await;
    let (first, second) = (format!("{}1", "k".repeat(200)), format!("{}2", "k".repeat(200)));
    let keys = json!([{"key": first, "tenant": "first"}, {"key": second, "tenant": "second"}]);
    let gateway = Gateway::in_front_of(&provider).set("/extensions/0/with/keys", keys).start().await;
    for (key, tenant) in [(&first, "first"), (&second, "second")] {
        let answer = gateway.chat(&chat("x")).key(key).send().await.whole().await;
        assert_eq!(gateway.record(&answer.id()).await.tenant, tenant);
    }
    assert_eq!(gateway.get("/v1/models").key(&"k".repeat(201)).send().await.status, 401);
}

#[tokio::test]
async fn a_gateway_without_authenticators_lets_nobody_in() {
    let provider = SimulatedProvider::start().await;
    let gateway = Gateway::in_front_of(&provider).set("/authenticate", json!([])).start().await;
    for request in [gateway.chat(&chat("x")), gateway.request(Method::GET, "/v1/models")] {
        error_of(&request.send().await.whole().await, 401);
    }
}
