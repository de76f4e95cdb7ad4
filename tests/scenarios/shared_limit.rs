//! Limits that replicas share: one count for all of them, and a written policy for when nobody can count.

use gatewright_testkit::harness::{Gateway, GatewayBuilder};
use gatewright_testkit::provider::SimulatedProvider;
use serde_json::{Value, json};

use crate::support::{chat, error_of};

const STORE: &str = "redis://127.0.0.1:6379";

/// A replica that takes requests of a tenant of its own test, under these rules.
fn replica(provider: &SimulatedProvider, tenant: &str, (store, rules): (&str, &Value)) -> GatewayBuilder {
    Gateway::in_front_of(provider)
        .set("/extensions/0/with/keys", json!([{"key": "key-of-the-tenant", "tenant": tenant}]))
        // A machine that is busy with other tests answers late, and that is another test's subject.
        .set("/store/shared_limits", json!({"url": store, "deadline": "10s"}))
        .extension("limits", "request-limits", &json!({"rules": rules}), &["limit"])
}

fn tenant() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    format!("scenario-{}-{}", std::process::id(), now.as_nanos())
}

#[tokio::test]
async fn replicas_admit_together_what_the_limit_says() {
    let provider = SimulatedProvider::start().await;
    let (tenant, rules) = (tenant(), json!([{"per": ["tenant"], "requests": 7, "window": "hour"}]));
    let one = replica(&provider, &tenant, (STORE, &rules)).start().await;
    let other = replica(&provider, &tenant, (STORE, &rules)).start().await;
    let asking = (0..30).map(|n| {
        let gateway = if n % 2 == 0 { &one } else { &other };
        let request = gateway.chat(&chat("x")).key("key-of-the-tenant");
        tokio::spawn(async move { request.send().await.status.as_u16() })
    });
    let asking: Vec<_> = asking.collect();
    let mut served = 0;
    for status in asking {
        match status.await.unwrap() {
            200 => served += 1,
            other => assert_eq!(other, 429),
        }
    }
    assert_eq!((served, provider.requests().len()), (7, 7));
    let refused = other.chat(&chat("x")).key("key-of-the-tenant").send().await;
    assert!(refused.header("retry-after").is_some(), "{:?}", refused.headers);
}

#[tokio::test]
async fn a_store_that_is_lost_leaves_a_share_and_is_seen_by_operators() {
    let provider = SimulatedProvider::start().await;
    let rules = json!([{"per": ["tenant"], "requests": 2, "window": "hour"}]);
    let gateway = replica(&provider, &tenant(), ("redis://127.0.0.1:1", &rules)).start().await;
    for expected in [200, 200, 429] {
        let answer = gateway.chat(&chat("x")).key("key-of-the-tenant").send().await;
        assert_eq!(answer.status.as_u16(), expected);
    }
    let ready = gateway.admin("/readyz").send().await.whole().await;
    assert_eq!(ready.status.as_u16(), 200, "all replicas lose it together");
    let ready = ready.json();
    let condition = ready["conditions"].as_array().unwrap().iter().find(|one| one["name"] == "shared_limits");
    assert!(condition.unwrap()["degraded"].is_string(), "{ready}");
    assert_eq!(gateway.metrics().await.count("gatewright_shared_limits_up", &[]), 0);
}

#[tokio::test]
async fn a_lost_store_can_close_what_it_counts() {
    let provider = SimulatedProvider::start().await;
    let rules = json!([{"per": ["tenant"], "requests": 2, "window": "hour"}]);
    let gateway = replica(&provider, &tenant(), ("redis://127.0.0.1:1", &rules))
        .set("/store/shared_limits", json!({"url": "redis://127.0.0.1:1", "on_loss": {"rates": "closed"}}))
        .start()
        .await;
    let answer = gateway.chat(&chat("x")).key("key-of-the-tenant").send().await;
    assert_eq!(error_of(&answer.whole().await, 503)["code"], "limits_unavailable");
    assert!(provider.requests().is_empty());
}
