//! The way to a provider that speaks HTTP/2: the same promises over shared connections.

use std::time::Duration;

use gatewright_testkit::harness::{End, Gateway, eventually};
use gatewright_testkit::provider::{Answer, Outcome, SimulatedProvider, Step};
use serde_json::json;
use tokio::time::Instant;

use crate::support::{chat, error_event_of, error_of, events_of, streamed_chat};

async fn over_http2() -> (SimulatedProvider, Gateway) {
    let provider = SimulatedProvider::start().await;
    let gateway = Gateway::in_front_of(&provider)
        .set("/providers/simulated/http2", json!("prior_knowledge"))
        .set("/providers/simulated/timeouts", json!({"first_byte": "1200ms", "gap": "400ms"}))
        .start()
        .await;
    (provider, gateway)
}

#[tokio::test]
async fn whole_and_streamed_answers_come_over_few_connections() {
    let (provider, gateway) = over_http2().await;
    let mut clients = tokio::task::JoinSet::new();
    for n in 0..40 {
        let request = gateway.chat(&if n % 2 == 0 { chat("x") } else { streamed_chat("x") });
        clients.spawn(async move {
            let answer = request.send().await;
            let (status, streamed) = (answer.status, n % 2 == 1);
            let answer = answer.to_end().await;
            status == 200 && answer.end == End::Clean && answer.is_done() == streamed
        });
    }
    assert!(clients.join_all().await.into_iter().all(|good| good));
    assert_eq!(provider.requests()[0].version, http::Version::HTTP_2);
    assert!(provider.connections() <= 4, "{} connections", provider.connections());
}

#[tokio::test]
async fn faults_have_the_same_statuses_and_ends() {
    let (provider, gateway) = over_http2().await;
    for (steps, status, code) in [
        (vec![Step::Stall], 504, "upstream_timeout"),
        (vec![Step::Reset], 502, "upstream_unavailable"),
        (vec![Step::Close], 502, "upstream_unavailable"),
    ] {
        provider.push(Answer::stream(steps.clone()));
        let answer = gateway.chat(&streamed_chat("x")).send().await.whole().await;
        assert_eq!(error_of(&answer, status)["code"], code, "{steps:?}");
    }
    for (fault, code) in [
        ("stall_after=3", "upstream_timeout"),
        ("reset_after=3", "upstream_unavailable"),
        ("close_after=3", "upstream_unavailable"),
        ("malformed_after=3", "upstream_malformed"),
        ("error_event_after=3", "upstream_error"),
    ] {
        provider.push(Answer::model(format!("sim?{fault}")));
        let answer = gateway.chat(&streamed_chat("x")).send().await;
        let id = answer.id();
        let stream = answer.to_end().await;
        assert_eq!(error_event_of(&stream)["code"], code, "{fault}");
        assert_eq!(gateway.record(&id).await.outcome, "failed", "{fault}");
        assert_eq!(gateway.chat(&chat("x")).send().await.status, 200, "after {fault}");
    }
}

#[tokio::test]
async fn a_client_that_leaves_ends_its_own_stream_and_no_other() {
    let (provider, gateway) = over_http2().await;
    let mut steps: Vec<Step> = events_of(&["one", "two"]).iter().map(|event| Step::event(event)).collect();
    steps.insert(2, Step::Wait(Duration::from_millis(300)));
    for _ in 0..2 {
        provider.push(Answer::stream(steps.clone()));
    }
    let mut leaving = gateway.chat(&streamed_chat("x")).send().await;
    let staying = gateway.chat(&streamed_chat("x")).send().await;
    let seen = provider.next_request().await;
    leaving.event().await.unwrap();
    let left = Instant::now();
    drop(leaving);
    let Outcome::ClientLeft(at) = seen.wait_for_end().await else { panic!("the call is not ended") };
    assert!(at.saturating_duration_since(left) < Duration::from_millis(250), "{:?}", at - left);
    assert!(staying.to_end().await.is_done());
    eventually("nothing under way", async || {
        (gateway.metrics().await.count("gatewright_exchanges_in_flight", &[]) == 0).then_some(())
    })
    .await;
}
