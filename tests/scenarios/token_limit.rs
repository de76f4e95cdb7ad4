//! Limits on tokens and cost: reserved before, settled after, and a refusal that says what helps.

use gatewright_testkit::harness::Gateway;
use gatewright_testkit::provider::{Answer, Gate, SimulatedProvider, Step};
use serde_json::{Value, json};

use crate::support::{chat, delta, error_event_of, error_of, events_of, streamed_chat};

async fn limited(settings: &Value) -> (SimulatedProvider, Gateway) {
    let provider = SimulatedProvider::start().await;
    let keys = json!([
        {"key": "first-key-of-acme", "tenant": "acme", "user": "ann", "label": "k1", "groups": ["staff", "ops"]},
        {"key": "second-key-of-acme", "tenant": "acme", "user": "bob", "label": "k2", "groups": ["ops"]},
        {"key": "third-key-of-acme", "tenant": "acme", "user": "cem", "label": "k3"},
    ]);
    let gateway = Gateway::in_front_of(&provider)
        .model("unpriced", &json!([{"provider": "simulated"}]))
        .set("/extensions/0/with/keys", keys)
        .extension("budget", "token-limits", settings, &["limit"])
        .start()
        .await;
    (provider, gateway)
}

fn answer_of(input: u64, output: u64) -> Answer {
    let message = json!({"role": "assistant", "content": "yes"});
    let usage = json!({"prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output});
    let choices = json!([{"index": 0, "message": message, "finish_reason": "stop"}]);
    Answer::json(200, &json!({"id": "c", "choices": choices, "usage": usage}))
}

fn capped(mut request: Value, max_tokens: u64) -> Value {
    request["max_tokens"] = json!(max_tokens);
    request
}

#[tokio::test]
async fn what_the_provider_reports_is_what_counts() {
    let rules = json!([{"per": ["key"], "window": "hour", "total_tokens": 2000}]);
    let (provider, gateway) = limited(&json!({"rules": rules})).await;
    for (output, left) in [(100, 1850), (300, 1500)] {
        provider.push(answer_of(50, output));
        let answer = gateway.chat(&capped(chat("x"), 900)).key("first-key-of-acme").send().await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("x-ratelimit-limit-tokens"), Some("2000"));
        answer.whole().await;
        let probe = gateway.chat(&capped(chat("x"), left + 100)).key("first-key-of-acme").send().await;
        let error = error_of(&probe.whole().await, 429);
        assert_eq!(
            (&error["code"], &error["type"]),
            (&json!("token_limit_exceeded"), &json!("rate_limit_error"))
        );
        assert!(error["message"].as_str().unwrap().contains(&format!("{left} of 2000")), "{error}");
    }
    let refused = gateway.chat(&capped(chat("x"), 1900)).key("first-key-of-acme").send().await.whole().await;
    let seconds: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((3_000..=3_700).contains(&seconds), "{seconds}");
    assert_eq!(refused.header("x-ratelimit-remaining-tokens"), Some("1500"));
    let impossible =
        gateway.chat(&capped(chat("x"), 2001)).key("first-key-of-acme").send().await.whole().await;
    assert_eq!(error_of(&impossible, 400)["code"], "request_exceeds_limit");
    assert_eq!(impossible.header("retry-after"), None);
    assert_eq!(gateway.chat(&chat("x")).key("second-key-of-acme").send().await.status, 200);
}

#[tokio::test]
async fn what_runs_is_reserved_and_what_is_refused_upstream_costs_nothing() {
    let rules = json!([{"per": ["tenant"], "window": "hour", "output_tokens": 1000}]);
    let (provider, gateway) = limited(&json!({"rules": rules})).await;
    let gate = Gate::new();
    provider.push(Answer::stream(vec![Step::WaitFor(gate.clone())]));
    let first = tokio::spawn(gateway.chat(&capped(chat("x"), 800)).key("first-key-of-acme").send());
    provider.next_request().await;
    let refused = gateway.chat(&capped(chat("x"), 300)).key("second-key-of-acme").send().await.whole().await;
    assert_eq!(error_of(&refused, 429)["code"], "token_limit_exceeded");
    gate.open();
    // The provider breaks off without an answer.
    assert_ne!(first.await.unwrap().whole().await.status, 200);
    provider.push(Answer::json(400, &json!({"error": {"message": "no", "type": "invalid_request_error"}})));
    let failed = gateway.chat(&capped(chat("x"), 900)).key("first-key-of-acme").send().await.whole().await;
    assert_eq!(failed.status, 400, "{:?}", failed.body);
    assert_eq!(gateway.chat(&capped(chat("x"), 900)).key("second-key-of-acme").send().await.status, 200);
}

#[tokio::test]
async fn a_budget_holds_in_dollars_and_is_not_told() {
    // A token of input costs 1 and one of output 2 millionths of a dollar.
    let rules = json!([{"per": ["user"], "window": "day", "cost": 0.001}]);
    let (provider, gateway) = limited(&json!({"rules": rules})).await;
    provider.push(answer_of(100, 400));
    let answer = gateway.chat(&capped(chat("x"), 450)).key("first-key-of-acme").send().await;
    assert_eq!((answer.status.as_u16(), answer.header("x-ratelimit-limit-tokens")), (200, None));
    let id = answer.id();
    answer.whole().await;
    assert_eq!(gateway.record(&id).await.cost_nanos, Some(900_000));
    let refused = gateway.chat(&capped(chat("x"), 100)).key("first-key-of-acme").send().await.whole().await;
    let error = error_of(&refused, 429);
    assert_eq!(error["code"], "budget_exceeded");
    assert!(!error["message"].as_str().unwrap().contains("00"), "{error}");
    provider.push(answer_of(10, 10));
    assert_eq!(gateway.chat(&capped(chat("x"), 20)).key("first-key-of-acme").send().await.status, 200);
    let mut unpriced = chat("x");
    unpriced["model"] = json!("unpriced");
    let refused = gateway.chat(&unpriced).key("second-key-of-acme").send().await.whole().await;
    assert_eq!(error_of(&refused, 403)["code"], "price_unknown");
}

#[tokio::test]
async fn a_caller_counts_in_each_of_its_groups() {
    let rules = json!([{"per": ["group"], "window": "hour", "requests": 1}]);
    let (_provider, gateway) = limited(&json!({"rules": rules})).await;
    let status =
        async |key: &str| gateway.chat(&chat("x")).key(key).send().await.whole().await.status.as_u16();
    assert_eq!(status("first-key-of-acme").await, 200);
    assert_eq!(status("second-key-of-acme").await, 429, "ops is used");
    assert_eq!(status("third-key-of-acme").await, 200, "those without a group share one");
    assert_eq!(status("third-key-of-acme").await, 429);
}

/// A stream of so many long pieces, which count as some fifty tokens each, and what the provider reports.
fn long_stream(pieces: usize) -> Answer {
    let piece = "word ".repeat(40);
    let mut events = events_of(&vec![piece.as_str(); pieces]);
    let usage =
        json!({"prompt_tokens": 10, "completion_tokens": 50 * pieces, "total_tokens": 10 + 50 * pieces});
    let last = json!({"id": "c1", "object": "chat.completion.chunk", "model": "small", "choices": [], "usage": usage});
    events.insert(events.len() - 1, last.to_string());
    Answer::events(events.iter().map(String::as_str))
}

#[tokio::test]
async fn a_stream_that_outgrows_its_room_goes_into_debt_or_is_cut() {
    let rules = json!([{"per": ["tenant"], "window": "hour", "output_tokens": 600}]);
    for overrun in ["debt", "cut"] {
        let settings = json!({"rules": rules, "reserve_output": 100, "overrun": overrun});
        let (provider, gateway) = limited(&settings).await;
        provider.push(long_stream(30));
        let answer = gateway.chat(&streamed_chat("x")).key("first-key-of-acme").send().await;
        let id = answer.id();
        let stream = answer.to_end().await;
        let record = gateway.record(&id).await;
        if overrun == "debt" {
            assert!(stream.is_done(), "{stream:?}");
            assert_eq!((record.outcome.as_str(), record.output_tokens), ("completed", 1500));
        } else {
            assert_eq!(error_event_of(&stream)["code"], "token_limit_exceeded");
            assert_eq!(record.outcome, "cut");
            assert!(record.output_tokens < 1000, "{record:?}");
        }
        let refused =
            gateway.chat(&capped(chat("x"), 100)).key("second-key-of-acme").send().await.whole().await;
        assert_eq!(
            error_of(&refused, 429)["code"],
            "token_limit_exceeded",
            "{overrun}: what was used counts"
        );
    }
}

#[tokio::test]
async fn a_stream_that_stays_within_its_room_reserves_more_as_it_grows() {
    let rules = json!([{"per": ["tenant"], "window": "hour", "output_tokens": 2000}]);
    let (provider, gateway) =
        limited(&json!({"rules": rules, "reserve_output": 100, "overrun": "cut"})).await;
    provider.push(long_stream(20));
    let stream = gateway.chat(&streamed_chat("x")).key("first-key-of-acme").send().await.to_end().await;
    assert!(stream.is_done(), "{stream:?}");
    let piece = delta(0, &json!({"content": "word ".repeat(40)}), None);
    assert_eq!(stream.events.iter().filter(|event| **event == piece).count(), 20, "its frames are untouched");
    let refused = gateway.chat(&capped(chat("x"), 1001)).key("second-key-of-acme").send().await.whole().await;
    // Only the first hundred tokens of the next one are reserved.
    assert_eq!(refused.status, 200, "{:?}", refused.body);
}
