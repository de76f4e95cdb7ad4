//! How many calls of an instance run, and when repeated failures take it out of service.

use std::time::Duration;

use gatewright_testkit::harness::{Gateway, eventually};
use gatewright_testkit::provider::SimulatedProvider;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::chaos::watched;
use crate::support::{chat, error_of, streamed_chat};

async fn troubled(provider: &SimulatedProvider, change: Value) -> Gateway {
    troubled_in("request", provider, change).await
}

async fn troubled_in(chain: &str, provider: &SimulatedProvider, change: Value) -> Gateway {
    let mut trouble = json!({
        "id": "trouble", "use": "trouble", "with": {"at": "request", "act": "fail", "marked": true},
        "circuit": {"failures": 4, "within": "60s", "pause": "1s"},
    });
    trouble.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    watched(provider)
        .set(
            "/extensions",
            json!([{"id": "door", "use": "open-door"}, {"id": "witness", "use": "witness"}, trouble]),
        )
        .set(&format!("/routes/0/{chain}"), json!(["trouble"]))
        .start()
        .await
}

async fn ask(gateway: &Gateway, mark: &str) -> u16 {
    gateway.chat(&chat("x")).header("x-trouble", mark).send().await.status.as_u16()
}

async fn is_out(gateway: &Gateway) -> bool {
    let labels = [("instance", "trouble")];
    gateway.metrics().await.count("gatewright_extension_out_of_service", &labels) == 1
}

#[tokio::test]
async fn calls_beyond_the_most_that_may_run_are_refused_and_the_others_are_not() {
    for isolate in [false, true] {
        let provider = SimulatedProvider::start().await;
        let change = json!({
            "with": {"at": "request", "act": "hang", "marked": true},
            "max_in_flight": 3, "deadline": "2s", "isolate": isolate, "circuit": {"failures": 0},
        });
        let gateway = troubled(&provider, change).await;
        let mut hanging = JoinSet::new();
        for _ in 0..3 {
            let request = gateway.chat(&chat("x")).header("x-trouble", "request");
            hanging.spawn(async move { request.send().await.status.as_u16() });
        }
        eventually("three calls under way", async || {
            let lines = gateway.log();
            (lines.matches("Making trouble").count() == 3).then_some(())
        })
        .await;
        let answer = gateway.chat(&chat("x")).header("x-trouble", "request").send().await.whole().await;
        assert_eq!(error_of(&answer, 500)["code"], "extension_failed");
        let labels = [("instance", "trouble"), ("cause", "busy")];
        assert_eq!(gateway.metrics().await.count("gatewright_extension_failures_total", &labels), 1);
        assert_eq!(ask(&gateway, "none").await, 200, "one that does not want the request is not in its way");
        assert_eq!(hanging.join_all().await, [500, 500, 500]);
        // Their places are free again.
        let request = gateway.chat(&chat("x")).header("x-trouble", "request").send();
        drop(tokio::time::timeout(Duration::from_millis(300), request).await);
        assert_eq!(gateway.metrics().await.count("gatewright_extension_failures_total", &labels), 1);
    }
}

#[tokio::test]
async fn repeated_failures_take_an_instance_out_of_service_and_one_that_passes_brings_it_back() {
    let provider = SimulatedProvider::start().await;
    let mut gateway = troubled(&provider, json!({})).await;
    for _ in 0..4 {
        assert!(!is_out(&gateway).await);
        assert_eq!(ask(&gateway, "request").await, 500);
    }
    assert!(is_out(&gateway).await);
    // While it is out it is not called at all.
    let called = gateway.log().matches("Making trouble").count();
    assert_eq!(called, 4);
    // After the pause one is let through; it fails, and the instance stays out.
    eventually("the call after the pause", async || {
        assert_eq!(ask(&gateway, "request").await, 500);
        (gateway.log().matches("Making trouble").count() == 5).then_some(())
    })
    .await;
    assert_eq!(ask(&gateway, "request").await, 500);
    assert_eq!(gateway.log().matches("Making trouble").count(), 5, "no second one");
    assert!(is_out(&gateway).await);

    // A reload that keeps the instance keeps that, and a policy that changes is followed at once.
    gateway.reconfigure("/models/new", json!({"targets": [{"provider": "simulated"}]}));
    gateway.wait_for_generation(2).await;
    assert!(is_out(&gateway).await);
    gateway.reconfigure("/extensions/2/on_error", json!("skip"));
    gateway.wait_for_generation(3).await;
    assert_eq!(ask(&gateway, "request").await, 200, "skipped while it is out");

    // Another instance on the id is in service, and the one before has no say in that.
    gateway.reconfigure("/extensions/2/with", json!({"at": "request", "act": "speak", "marked": true}));
    gateway.wait_for_generation(4).await;
    assert!(!is_out(&gateway).await, "the new instance never failed");
    assert_eq!(ask(&gateway, "request").await, 200);
}

#[tokio::test]
async fn a_filter_that_fails_amid_answers_is_tried_with_one_answer_and_stays_out_if_that_fails() {
    let provider = SimulatedProvider::start().await;
    let change = json!({"with": {"at": "event", "act": "fail", "marked": true}});
    let gateway = troubled_in("response", &provider, change).await;
    let stream = async |mark| {
        let request = gateway.chat(&streamed_chat("x")).header("x-trouble", mark);
        request.send().await.to_end().await.is_done()
    };
    let failed = || gateway.log().matches("Making trouble").count();
    for _ in 0..4 {
        assert!(!is_out(&gateway).await);
        assert!(!stream("event").await);
    }
    assert!(is_out(&gateway).await);
    eventually("the answer after the pause", async || {
        assert!(!stream("event").await);
        (failed() == 5).then_some(())
    })
    .await;
    assert!(is_out(&gateway).await, "that it opened says nothing");
    assert!(!stream("event").await);
    assert_eq!(failed(), 5, "no second one");
    eventually("an answer that passes", async || stream("none").await.then_some(())).await;
    assert!(!is_out(&gateway).await);
}

#[tokio::test]
async fn a_caller_whose_requests_make_an_instance_fail_takes_it_away_from_nobody() {
    let provider = SimulatedProvider::start().await;
    // It wants every request; one in three makes it fail.
    let gateway = troubled(&provider, json!({"use": "picky", "with": {}})).await;
    for n in 0..60 {
        let mark = if n % 3 == 0 { "poison" } else { "none" };
        let expected = if n % 3 == 0 { 500 } else { 200 };
        assert_eq!(ask(&gateway, mark).await, expected, "{n}");
    }
    assert!(!is_out(&gateway).await);
}
