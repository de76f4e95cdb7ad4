//! A client that leaves, at whatever event: settled once, recorded once, and nothing is left behind.

use std::collections::HashSet;

use gatewright_testkit::harness::{Gateway, eventually};
use gatewright_testkit::provider::SimulatedProvider;
use serde_json::json;
use tokio::task::JoinSet;

use crate::chaos::{check_nothing_left, seen, watched, written};
use crate::support::{chat, is_full, streamed_chat};

/// Content events of an answer.
const EVENTS: usize = 24;

/// A gateway with masking, events and text filters and a limiter of many at a time.
async fn through_filters(provider: &SimulatedProvider) -> Gateway {
    let trouble =
        |id: &str, at: &str| json!({"id": id, "use": "trouble", "with": {"at": at, "act": "pause"}});
    watched(provider)
        .set(
            "/extensions",
            json!([
                {"id": "door", "use": "open-door"}, {"id": "witness", "use": "witness"},
                trouble("events", "event"), trouble("texts", "text"), trouble("claims", "progress"),
            ]),
        )
        .set("/routes/0/response", json!(["events", "texts", "witness"]))
        .set("/routes/0/limit", json!(["witness", "claims"]))
        .set("/models/small/targets/0/model", json!("sim?tokens=24&rate=2000"))
        .start()
        .await
}

#[tokio::test]
async fn pitfall_10_a_client_that_leaves_at_any_event_settles_once_and_leaves_nothing() {
    let provider = SimulatedProvider::start().await;
    let gateway = through_filters(&provider).await;
    let rounds = if is_full() { 10_000 / EVENTS } else { 4 };
    let mut left = 0_u64;
    for _ in 0..rounds {
        let mut clients = JoinSet::new();
        for events in 0..=EVENTS {
            let request = gateway.chat(&streamed_chat("x"));
            clients.spawn(async move {
                let mut answer = request.send().await;
                for _ in 0..events {
                    if answer.event().await.is_none() {
                        break;
                    }
                }
                drop(answer);
            });
        }
        left += u64::try_from(clients.len()).unwrap();
        clients.join_all().await;
    }
    check_nothing_left(&gateway, "clients that left").await;
    let metrics = gateway.metrics().await;
    assert_eq!(metrics.count("gatewright_exchanges_total", &[]), left);
    assert_eq!(seen(&metrics, "reserved"), left, "one claim for each");
    let settled = written(&gateway).iter().filter(|seen| seen.get("settled").is_some()).count();
    assert_eq!(u64::try_from(settled).unwrap(), left, "one settlement for each");
    let records = eventually("one record for each", async || {
        let found = written(&gateway).into_iter().filter(|seen| seen.get("record").is_some());
        let found: Vec<_> = found.map(|seen| seen["record"].as_str().unwrap().to_owned()).collect();
        (u64::try_from(found.len()).unwrap() >= left).then_some(found)
    })
    .await;
    assert_eq!(records.iter().collect::<HashSet<_>>().len(), records.len(), "no exchange has two");
    assert_eq!(gateway.chat(&chat("x")).send().await.status, 200);
}
