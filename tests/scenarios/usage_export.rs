//! The export of usage: every record arrives, whatever happens to the webhook or to the gateway.

use gatewright_testkit::harness::{Gateway, eventually};
use gatewright_testkit::provider::{Answer, SimulatedProvider, Step};
use serde_json::{Value, json};

use crate::support::{chat, streamed_chat};

async fn exporting() -> (SimulatedProvider, SimulatedProvider, Gateway) {
    let (provider, webhook) = (SimulatedProvider::start().await, SimulatedProvider::start().await);
    let origin = format!("http://{}", webhook.address());
    let with = json!({"url": format!("{origin}/usage"), "signing_secret": "signing", "batch_ms": 20, "pause_max_s": 1});
    let gateway = Gateway::in_front_of(&provider)
        .file("signing-secret.txt", "canary-signing-secret")
        .extension("billing", "usage-export", &with, &["sinks"])
        .set("/extensions/1/egress", json!([origin]))
        .set("/extensions/1/egress_private", json!(true))
        .set("/extensions/1/secrets", json!({"signing": "${file:signing-secret.txt}"}))
        .start()
        .await;
    (provider, webhook, gateway)
}

fn accept(webhook: &SimulatedProvider, times: usize) {
    for _ in 0..times {
        webhook.push(Answer::json(202, &json!({})));
    }
}

/// The records of one call.
fn lines(body: &[u8]) -> Vec<Value> {
    String::from_utf8_lossy(body).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The ids of the records that the webhook has seen, without repeats.
fn seen(webhook: &SimulatedProvider) -> Vec<String> {
    let lines = webhook.requests().iter().flat_map(|call| lines(&call.body)).collect::<Vec<_>>();
    let mut ids: Vec<String> =
        lines.iter().map(|line| line["request_id"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    ids.dedup();
    ids
}

async fn spooled(gateway: &Gateway, records: u64) {
    eventually(&format!("{records} records in the spool"), async || {
        let metrics = gateway.metrics().await;
        (metrics.count("gatewright_ext_usage_export_spool_records", &[("instance", "billing")]) == records)
            .then_some(())
    })
    .await;
}

#[tokio::test]
async fn records_arrive_signed_with_tokens_and_cost_and_without_content() {
    let (_provider, webhook, gateway) = exporting().await;
    accept(&webhook, 2);
    let mut expected = Vec::new();
    for request in [chat("canary-prompt"), streamed_chat("canary-prompt")] {
        let answer = gateway.chat(&request).send().await;
        let id = answer.id();
        answer.to_end().await;
        expected.push(gateway.record(&id).await);
    }
    eventually("both records", async || (seen(&webhook).len() == 2).then_some(())).await;
    let calls = webhook.requests();
    let found: Vec<Value> = calls.iter().flat_map(|call| lines(&call.body)).collect();
    for record in expected {
        let line = found.iter().find(|line| line["request_id"] == record.request_id.as_str()).unwrap();
        assert_eq!(line["usage"]["output"], record.output_tokens);
        assert_eq!(line["cost_nanos"], json!(record.cost_nanos));
        assert_eq!(
            (&line["tenant"], &line["user"], &line["outcome"]),
            (&json!("acme"), &json!("ann"), &json!("completed"))
        );
    }
    for call in &calls {
        assert_eq!((call.method.as_str(), call.uri.path()), ("POST", "/usage"));
        assert_eq!(call.header("content-type"), Some("application/x-ndjson"));
        assert!(call.header("x-gatewright-signature").unwrap().starts_with("t="));
        assert!(!String::from_utf8_lossy(&call.body).contains("canary-prompt"));
    }
    assert!(!gateway.log().contains("canary-signing-secret"));
    spooled(&gateway, 0).await;
}

#[tokio::test]
async fn what_the_webhook_refuses_waits_and_arrives_under_its_key() {
    let (_provider, webhook, gateway) = exporting().await;
    webhook.push(Answer::json(503, &json!({})));
    webhook.push(Answer::Wire(vec![Step::Reset]));
    accept(&webhook, 1);
    let answer = gateway.chat(&chat("x")).send().await.whole().await;
    eventually("three tries", async || (webhook.requests().len() == 3).then_some(())).await;
    spooled(&gateway, 0).await;
    let calls = webhook.requests();
    assert!(calls.iter().all(|call| call.body == calls[0].body));
    assert!(calls.iter().all(|call| call.header("idempotency-key") == calls[0].header("idempotency-key")));
    assert_eq!(seen(&webhook), [answer.id()]);
    let failed = gateway
        .metrics()
        .await
        .count("gatewright_ext_usage_export_failed_posts_total", &[("instance", "billing")]);
    // A connection that was used before and breaks is replaced by a fresh one, and that counts as one try.
    assert!((1..=2).contains(&failed), "{failed}");
}

#[tokio::test]
async fn nothing_that_was_spooled_is_lost_when_the_gateway_is_killed() {
    let (_provider, webhook, mut gateway) = exporting().await;
    for _ in 0..100 {
        webhook.push(Answer::json(503, &json!({})));
    }
    let mut expected = Vec::new();
    for _ in 0..5 {
        expected.push(gateway.chat(&chat("x")).send().await.whole().await.id());
    }
    spooled(&gateway, 5).await;
    gateway.signal("KILL").await;
    gateway.ended().await;
    let before = webhook.requests().first().cloned();
    // A webhook that takes records again is what the next start finds.
    webhook.forget_answers();
    let tried = webhook.requests().len();
    accept(&webhook, 20);
    gateway.restart().await;
    spooled(&gateway, 0).await;
    let calls = webhook.requests();
    let mut arrived: Vec<String> = calls[tried..]
        .iter()
        .flat_map(|call| lines(&call.body))
        .map(|line| line["request_id"].as_str().unwrap().to_owned())
        .collect();
    arrived.sort();
    expected.sort();
    assert_eq!(arrived, expected, "each arrives once");
    if let Some(before) = before {
        let first = &calls[tried];
        assert_eq!(
            first.header("idempotency-key"),
            before.header("idempotency-key"),
            "the batch that was tried goes first"
        );
        assert_eq!(first.body, before.body);
    }
}
