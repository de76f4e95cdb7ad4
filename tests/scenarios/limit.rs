//! Limits: never more than they say, at the same time or in a window, and a refusal that says when to come back.

use std::sync::Arc;

use gatewright_testkit::harness::Gateway;
use gatewright_testkit::provider::{Answer, Gate, Outcome, RecordedRequest, SimulatedProvider, Step};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::{chat, error_of, streamed_chat};

async fn limited(rules: &Value) -> (SimulatedProvider, Gateway) {
    let provider = SimulatedProvider::start().await;
    let keys = json!([
        {"key": "first-key-of-acme", "tenant": "acme", "user": "ann", "label": "k1"},
        {"key": "second-key-of-acme", "tenant": "acme", "user": "ann", "label": "k2"},
        {"key": "first-key-of-other", "tenant": "other", "user": "ann", "label": "k1"},
    ]);
    let gateway = Gateway::in_front_of(&provider)
        .model("big", &json!([{"provider": "simulated"}]))
        .set("/extensions/0/with/keys", keys)
        .extension("limits", "request-limits", &json!({"rules": rules}), &["limit"])
        .start()
        .await;
    (provider, gateway)
}

fn running(requests: &[Arc<RecordedRequest>]) -> usize {
    requests.iter().filter(|request| request.outcome() == Outcome::Running).count()
}

#[tokio::test]
async fn never_more_run_at_the_same_time_than_the_limit_says() {
    const LIMIT: usize = 4;
    let (provider, gateway) = limited(&json!([{"per": ["key"], "concurrent": LIMIT}])).await;
    let mut clients = JoinSet::new();
    for n in 0..24 {
        let request = if n % 2 == 0 { chat("x") } else { streamed_chat("x") };
        let request = gateway.chat(&request).key("first-key-of-acme");
        clients.spawn(async move {
            let mut statuses = Vec::new();
            for _ in 0..8 {
                let answer = request.clone().send().await;
                statuses.push(answer.status.as_u16());
                answer.to_end().await;
            }
            statuses
        });
    }
    for _ in 0..200 {
        provider.push(Answer::model("sim?delay=3&tokens=8&rate=1000"));
    }
    let mut most = 0;
    let watch = async {
        loop {
            provider.next_request().await;
            most = most.max(running(&provider.requests()));
        }
    };
    let statuses: Vec<u16> = tokio::select! {
        statuses = async { clients.join_all().await } => statuses.concat(),
        () = watch => unreachable!("it watches for ever"),
    };
    assert!(most <= LIMIT, "{most} at the same time");
    assert!(most > 1, "{most} at the same time: some run side by side");
    let served = statuses.iter().filter(|status| **status == 200).count();
    let refused = statuses.iter().filter(|status| **status == 429).count();
    assert_eq!((served + refused, served), (statuses.len(), provider.requests().len()), "{statuses:?}");
    assert!(refused > 0);
    assert_eq!(
        gateway.chat(&chat("x")).key("first-key-of-acme").send().await.status,
        200,
        "all places are free"
    );
}

#[tokio::test]
async fn a_stream_holds_its_place_until_its_last_byte() {
    let (provider, gateway) = limited(&json!([{"per": ["key"], "concurrent": 2}])).await;
    let gates = [Gate::new(), Gate::new()];
    let mut streams = Vec::new();
    for gate in &gates {
        let mut steps: Vec<Step> =
            crate::support::events_of(&["a", "b"]).iter().map(|event| Step::event(event)).collect();
        steps.insert(2, Step::WaitFor(gate.clone()));
        provider.push(Answer::stream(steps));
        let mut answer = gateway.chat(&streamed_chat("x")).key("first-key-of-acme").send().await;
        answer.event().await.unwrap();
        streams.push(answer);
    }
    let refused = gateway.chat(&chat("x")).key("first-key-of-acme").send().await.whole().await;
    let error = error_of(&refused, 429);
    assert_eq!(
        (&error["code"], &error["type"]),
        (&json!("too_many_concurrent_requests"), &json!("rate_limit_error"))
    );
    assert!(error["message"].as_str().unwrap().contains('2'), "{error}");
    assert_eq!(gateway.access_line(&refused.id()).await["code"], "too_many_concurrent_requests");
    for key in ["second-key-of-acme", "first-key-of-other"] {
        assert_eq!(gateway.chat(&chat("x")).key(key).send().await.status, 200, "{key} has places of its own");
    }
    gates[0].open();
    assert!(streams.remove(0).to_end().await.is_done());
    assert_eq!(gateway.chat(&chat("x")).key("first-key-of-acme").send().await.status, 200);
}

#[tokio::test]
async fn a_window_takes_its_number_and_a_refusal_says_when_to_come_back() {
    let (provider, gateway) = limited(&json!([{"per": ["key"], "requests": 3, "window": "hour"}])).await;
    let ask = |key: &'static str| gateway.chat(&chat("x")).key(key).send();
    for left in [2, 1, 0] {
        let answer = ask("first-key-of-acme").await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("x-ratelimit-limit-requests"), Some("3"));
        assert_eq!(answer.header("x-ratelimit-remaining-requests"), Some(left.to_string().as_str()));
        assert!(answer.header("x-ratelimit-reset-requests").is_some());
        answer.whole().await;
    }
    let refused = ask("first-key-of-acme").await.whole().await;
    let error = error_of(&refused, 429);
    assert_eq!((&error["code"], &error["type"]), (&json!("too_many_requests"), &json!("rate_limit_error")));
    assert_eq!(refused.header("x-ratelimit-remaining-requests"), Some("0"));
    let seconds: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((3_000..=3_660).contains(&seconds), "{seconds}");
    for key in ["second-key-of-acme", "first-key-of-other"] {
        assert_eq!(ask(key).await.status, 200, "{key} has a window of its own");
    }
    assert_eq!(provider.requests().len(), 5, "what is refused is not sent on");
}

#[tokio::test]
async fn a_window_holds_against_many_at_once() {
    let (provider, gateway) = limited(&json!([{"per": ["tenant"], "requests": 20, "window": "hour"}])).await;
    let mut clients = JoinSet::new();
    for n in 0..60 {
        let key = if n % 2 == 0 { "first-key-of-acme" } else { "second-key-of-acme" };
        let request = gateway.chat(&chat("x")).key(key);
        clients.spawn(async move { request.send().await.whole().await.status.as_u16() });
    }
    let statuses = clients.join_all().await;
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 20, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 429).count(), 40);
    assert_eq!(provider.requests().len(), 20);
    assert_eq!(
        gateway.chat(&chat("x")).key("first-key-of-other").send().await.status,
        200,
        "tenants share nothing"
    );
}

#[tokio::test]
async fn a_limit_per_model_leaves_other_models_alone() {
    let (_provider, gateway) =
        limited(&json!([{"per": ["key", "model"], "requests": 1, "window": "hour"}])).await;
    for (model, status) in [("small", 200), ("small", 429), ("big", 200), ("big", 429)] {
        let mut request = chat("x");
        request["model"] = json!(model);
        assert_eq!(gateway.chat(&request).key("first-key-of-acme").send().await.status, status, "{model}");
    }
}

#[tokio::test]
async fn a_request_needs_room_in_every_rule_and_takes_none_where_one_refuses() {
    let rules = json!([
        {"per": ["key"], "requests": 2, "window": "hour", "name": "count"},
        {"per": ["key"], "concurrent": 1, "name": "places"},
    ]);
    let (provider, gateway) = limited(&rules).await;
    let gate = Gate::new();
    provider.push(Answer::json(200, &json!({"choices": []})).after([Step::WaitFor(gate.clone())]));
    let first = tokio::spawn(gateway.chat(&chat("x")).key("first-key-of-acme").send());
    provider.next_request().await;
    for _ in 0..5 {
        let refused = gateway.chat(&chat("x")).key("first-key-of-acme").send().await.whole().await;
        assert_eq!(error_of(&refused, 429)["code"], "too_many_concurrent_requests");
    }
    gate.open();
    first.await.unwrap().whole().await;
    let second = gateway.chat(&chat("x")).key("first-key-of-acme").send().await;
    assert_eq!(second.status, 200, "those that were refused did not count");
    second.whole().await;
    let third = gateway.chat(&chat("x")).key("first-key-of-acme").send().await.whole().await;
    assert_eq!(error_of(&third, 429)["code"], "too_many_requests");
}

#[tokio::test]
async fn a_limit_that_only_watches_refuses_nothing() {
    let (_provider, mut gateway) = limited(&json!([{"per": ["key"], "requests": 1, "window": "hour"}])).await;
    gateway.reconfigure("/extensions/1/mode", json!("shadow"));
    gateway.wait_for_generation(2).await;
    for _ in 0..4 {
        assert_eq!(gateway.chat(&chat("x")).key("first-key-of-acme").send().await.status, 200);
    }
    let metrics = gateway.metrics().await;
    let would =
        metrics.count("gatewright_extension_calls_total", &[("instance", "limits"), ("result", "denied")]);
    assert!(would >= 2, "what it would have done is counted: {would}");
}
