//! Extensions that misbehave fail their own exchange by their policy, or nothing, and never the process.

use std::time::{Duration, Instant};

use gatewright_testkit::harness::{Answer as Answered, End, Gateway, eventually};
use gatewright_testkit::provider::{Answer, Gate, SimulatedProvider, Step};
use serde_json::json;

use crate::support::{chat, check_error_shape, error_of, events_of, streamed_chat};

const BINARY: &str = env!("CARGO_BIN_EXE_gatewright-chaos");
/// The deadline of every instance, and what a busy machine may add.
const DEADLINE: Duration = Duration::from_millis(80);
const SLACK: Duration = Duration::from_secs(2);

/// A gateway with one instance that makes trouble at a hook. The extension stands in the chain of that hook only.
async fn troubled(provider: &SimulatedProvider, at: &str, act: &str, policy: Option<&str>) -> Gateway {
    let mut trouble =
        json!({"id": "trouble", "use": "trouble", "with": {"at": at, "act": act}, "deadline": "80ms"});
    if let Some(policy) = policy {
        for fault in ["on_error", "on_timeout", "on_panic"] {
            trouble[fault] = json!(policy);
        }
    }
    let chain = match at {
        "authenticate" => None,
        "request" | "attempt" => Some("request"),
        "reserve" | "progress" | "settle" => Some("limit"),
        "deliver" => Some("sinks"),
        _ => Some("response"),
    };
    let authenticate = if chain.is_none() { json!(["trouble", "door"]) } else { json!(["door"]) };
    let mut builder = Gateway::in_front_of(provider)
        .binary(BINARY)
        .set("/extensions", json!([{"id": "door", "use": "open-door"}, trouble]))
        .set("/authenticate", authenticate);
    if let Some(chain) = chain {
        builder = builder.set(&format!("/routes/0/{chain}"), json!(["trouble"]));
    }
    builder.start().await
}

/// What became of an exchange: the status of its head, or of a stream the code of its error event.
async fn fate(answer: Answered) -> Result<u16, String> {
    let (status, is_stream) =
        (answer.status.as_u16(), answer.header("content-type") == Some("text/event-stream; charset=utf-8"));
    let stream = answer.to_end().await;
    assert_eq!(stream.end, End::Clean, "{stream:?}");
    if !is_stream {
        return Ok(status);
    }
    match stream.error() {
        Some(error) => {
            check_error_shape(&error);
            assert!(!stream.events.iter().any(|event| event == "[DONE]"), "{stream:?}");
            Err(error["code"].as_str().unwrap_or_default().to_owned())
        }
        None => {
            assert!(stream.is_done(), "{stream:?}");
            assert_eq!(stream.text(0).split(' ').count(), 24, "the whole answer is there: {stream:?}");
            Ok(status)
        }
    }
}

async fn check_alive(gateway: &mut Gateway, what: &str) {
    assert!(gateway.is_running(), "{what}: {}", gateway.log());
    assert!(gateway.is_ready().await, "{what}");
    eventually("nothing under way", async || {
        (gateway.metrics().await.count("gatewright_exchanges_in_flight", &[]) == 0).then_some(())
    })
    .await;
}

/// The hooks before the provider is called, and those that see its answer.
const BEFORE: [&str; 4] = ["authenticate", "request", "attempt", "reserve"];
const AFTER: [&str; 4] = ["open", "event", "text", "progress"];

#[tokio::test]
async fn fault_e1_a_hook_that_panics_or_fails_denies_its_exchange_and_only_that() {
    for at in BEFORE.into_iter().chain(AFTER).chain(["whole", "plan"]) {
        for act in ["panic", "fail"] {
            if (at, act) == ("plan", "fail") {
                continue;
            }
            let provider = SimulatedProvider::start().await;
            let mut gateway = troubled(&provider, at, act, None).await;
            for request in [chat("x"), streamed_chat("x")] {
                let streamed = request["stream"] == json!(true);
                // While a claim makes progress, only a stream flows; a filter of events sees one piece of a whole answer.
                let is_seen = streamed || !matches!(at, "progress" | "event" | "text");
                let what = format!("{act} at {at}, streamed: {streamed}");
                let start = Instant::now();
                let fate = fate(gateway.chat(&request).send().await).await;
                match fate {
                    Ok(status) if is_seen => assert_eq!(status, 500, "{what}"),
                    Ok(status) => assert_eq!(status, 200, "{what}"),
                    Err(code) => assert_eq!(code, "extension_failed", "{what}"),
                }
                assert!(start.elapsed() < SLACK, "{what}: {:?}", start.elapsed());
            }
            if BEFORE.contains(&at) {
                assert!(
                    provider.requests().is_empty(),
                    "{act} at {at}: nothing is sent past a guard that failed"
                );
            }
            check_alive(&mut gateway, &format!("{act} at {at}")).await;
            let log = gateway.log();
            assert!(log.contains("\"instance\":\"trouble\""), "the log names the instance: {log}");
        }
    }
}

#[tokio::test]
async fn fault_e1_where_the_policy_is_to_skip_the_exchange_goes_on_without_the_instance() {
    for at in BEFORE.into_iter().chain(AFTER).chain(["whole", "plan"]) {
        for act in ["panic", "fail", "hang"] {
            if act == "hang" && matches!(at, "open" | "plan") || (at, act) == ("plan", "fail") {
                continue;
            }
            let provider = SimulatedProvider::start().await;
            let mut gateway = troubled(&provider, at, act, Some("skip")).await;
            for request in [chat("x"), streamed_chat("x")] {
                let what = format!("{act} at {at}, streamed: {}", request["stream"]);
                assert_eq!(fate(gateway.chat(&request).send().await).await, Ok(200), "{what}");
            }
            check_alive(&mut gateway, &format!("{act} at {at}")).await;
        }
    }
}

#[tokio::test]
async fn fault_e1_trouble_after_the_answer_is_not_the_clients() {
    for at in ["settle", "end", "deliver"] {
        for act in ["panic", "fail", "hang"] {
            let provider = SimulatedProvider::start().await;
            let mut gateway = troubled(&provider, at, act, None).await;
            for request in [chat("x"), streamed_chat("x")] {
                let what = format!("{act} at {at}, streamed: {}", request["stream"]);
                let answer = gateway.chat(&request).send().await;
                let id = answer.id();
                assert_eq!(fate(answer).await, Ok(200), "{what}");
                assert_eq!(gateway.record(&id).await.outcome, "completed", "{what}");
            }
            check_alive(&mut gateway, &format!("{act} at {at}")).await;
        }
    }
}

#[tokio::test]
async fn fault_e2_a_hook_that_hangs_is_ended_at_its_deadline() {
    for at in ["authenticate", "request", "attempt", "reserve", "whole", "event", "text", "progress"] {
        let provider = SimulatedProvider::start().await;
        let mut gateway = troubled(&provider, at, "hang", None).await;
        let start = Instant::now();
        let fate = fate(gateway.chat(&streamed_chat("x")).send().await).await;
        assert!(fate == Ok(500) || fate == Err("extension_failed".to_owned()), "{at}: {fate:?}");
        assert!(
            start.elapsed() >= DEADLINE && start.elapsed() < DEADLINE + SLACK,
            "{at}: {:?}",
            start.elapsed()
        );
        let metrics = gateway.metrics().await;
        let timed_out = [("instance", "trouble"), ("result", "timeout")];
        // A claim's wait belongs to no hook that is counted.
        assert!(at == "progress" || metrics.has("gatewright_extension_calls_total", &timed_out), "{at}");
        check_alive(&mut gateway, at).await;
    }
}

#[tokio::test]
async fn a_decision_of_an_extension_is_no_failure() {
    for policy in [None, Some("skip")] {
        for at in BEFORE {
            let provider = SimulatedProvider::start().await;
            let gateway = troubled(&provider, at, "deny", policy).await;
            for request in [chat("x"), streamed_chat("x")] {
                let error = error_of(&gateway.chat(&request).send().await.whole().await, 403);
                assert_eq!(
                    (&error["code"], &error["message"]),
                    (&json!("trouble"), &json!("trouble says no")),
                    "{at}"
                );
            }
            assert!(provider.requests().is_empty(), "{at}");
            let metrics = gateway.metrics().await;
            assert_eq!(
                metrics.count(
                    "gatewright_extension_calls_total",
                    &[("instance", "trouble"), ("result", "denied")]
                ),
                2
            );
        }
    }
}

#[tokio::test]
async fn a_stream_that_a_filter_or_a_limiter_cuts_ends_with_an_error_event_and_is_settled_once() {
    for at in ["event", "text", "progress"] {
        let provider = SimulatedProvider::start().await;
        let mut gateway = troubled(&provider, at, "deny", None).await;
        provider.push(Answer::model("sim?tokens=400&rate=100"));
        let answer = gateway.chat(&streamed_chat("x")).send().await;
        let id = answer.id();
        assert_eq!(fate(answer).await, Err("trouble".to_owned()), "{at}");
        let seen = provider.next_request().await;
        assert!(seen.wait_for_disconnect().await.is_some(), "{at}: the provider is cancelled");
        assert!(seen.bill().completion_tokens < 350, "{at}: {:?}", seen.bill());
        let record = gateway.record(&id).await;
        assert_eq!((record.outcome.as_str(), record.code.as_deref()), ("cut", Some("trouble")), "{at}");
        assert_eq!(gateway.records().await.len(), 1, "{at}");
        check_alive(&mut gateway, at).await;
    }
}

#[tokio::test]
async fn a_filter_of_whole_answers_refuses_a_stream_before_its_first_byte() {
    let provider = SimulatedProvider::start().await;
    let gateway = troubled(&provider, "whole", "deny", None).await;
    for request in [chat("x"), streamed_chat("x")] {
        let answer = gateway.chat(&request).send().await;
        let status = answer.status;
        let stream = answer.to_end().await;
        let body = String::from_utf8_lossy(&stream.body).into_owned();
        assert!(body.contains("trouble says no") && !body.contains("This is"), "{status}: {body}");
    }
}

#[tokio::test]
async fn an_extension_that_asks_for_time_gets_it_and_the_answer_is_whole() {
    for at in ["event", "text", "progress"] {
        let provider = SimulatedProvider::start().await;
        let mut gateway = troubled(&provider, at, "pause", None).await;
        for request in [chat("x"), streamed_chat("x")] {
            assert_eq!(fate(gateway.chat(&request).send().await).await, Ok(200), "{at}");
        }
        check_alive(&mut gateway, at).await;
    }
}

#[tokio::test]
async fn text_that_a_filter_waited_for_at_the_end_goes_out_whatever_it_says_of_the_event() {
    let provider = SimulatedProvider::start().await;
    let gateway = troubled(&provider, "text", "withhold", None).await;
    // It asks for time at the third look: at a piece of text, at the finish, or at the end of a stream without one.
    let streams = [(vec!["one ", "two"], true), (vec!["one two"], true), (vec!["one two"], false)];
    for (pieces, has_finish) in streams {
        let events = events_of(&pieces);
        let kept = events.iter().filter(|event| has_finish || !event.contains("\"stop\""));
        provider.push(Answer::events(kept.map(String::as_str)));
        let stream = gateway.chat(&streamed_chat("x")).send().await.to_end().await;
        assert_eq!(stream.text(0), "one two", "{pieces:?}, with a finish: {has_finish}");
        let body = String::from_utf8_lossy(&stream.body).into_owned();
        assert_eq!(body.contains("\"finish_reason\":\"stop\""), has_finish, "{body}");
    }
}

#[tokio::test]
async fn an_extension_that_only_watches_denies_and_fails_nothing() {
    for (at, act) in [
        ("authenticate", "deny"),
        ("request", "deny"),
        ("reserve", "panic"),
        ("attempt", "hang"),
        ("event", "deny"),
        ("text", "panic"),
    ] {
        let provider = SimulatedProvider::start().await;
        let mut gateway = troubled(&provider, at, act, None).await;
        gateway.reconfigure("/extensions/1/mode", json!("shadow"));
        gateway.wait_for_generation(2).await;
        for request in [chat("x"), streamed_chat("x")] {
            assert_eq!(fate(gateway.chat(&request).send().await).await, Ok(200), "{act} at {at}");
        }
    }
}

#[tokio::test]
async fn fault_e3_a_hook_that_keeps_its_thread_does_not_stop_the_gateway() {
    let provider = SimulatedProvider::start().await;
    let mut gateway = troubled(&provider, "event", "block", None).await;
    let gate = Gate::new();
    let mut steps: Vec<Step> =
        events_of(&["one", "two", "three"]).iter().map(|event| Step::event(event)).collect();
    steps.insert(2, Step::WaitFor(gate.clone()));
    provider.push(Answer::stream(steps));
    let mut blocked = gateway.chat(&streamed_chat("x")).send().await;
    for _ in 0..2 {
        blocked.event().await.unwrap();
    }
    gate.open();
    // The process says which worker makes no progress; from then on it takes no connection either.
    let said = eventually("a probe that tells of it", async || {
        let live = gateway.admin("/livez").send().await.whole().await;
        (live.status == 503).then_some(live.body)
    })
    .await;
    assert!(String::from_utf8_lossy(&said).contains("progress"), "{said:?}");
    // The other worker serves, and no second one is lost: the instance is out of service, and its policy is to deny.
    let named = gateway
        .log_line("the line that names the hook", |line| {
            line["instance"] == "trouble" && line["hook"] == "event" && line["level"] == "ERROR"
        })
        .await;
    assert!(named["thread"].as_str().unwrap().starts_with("worker-"), "{named}");
    for _ in 0..20 {
        let answer = gateway.chat(&streamed_chat("x")).send().await.whole().await;
        let error = error_of(&answer, 500);
        assert_eq!(error["code"], "extension_failed");
        assert!(error["message"].as_str().unwrap().contains("`trouble`"), "{error}");
    }
    let ready = gateway.admin("/readyz").send().await.whole().await;
    assert!(String::from_utf8_lossy(&ready.body).contains("its event hook does not return"), "{ready:?}");
    let metrics = gateway.metrics().await;
    assert_eq!(metrics.count("gatewright_extension_out_of_service", &[("instance", "trouble")]), 1);
    assert_eq!(metrics.count("gatewright_extension_stalls_total", &[("hook", "event")]), 1);
    assert!(gateway.is_running());
}

#[tokio::test]
async fn settings_that_an_extension_does_not_know_are_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let text = "extensions:\n  - id: trouble\n    use: trouble\n    with: { at: nowhere, act: panic }\n";
    std::fs::write(folder.path().join("gateway.yaml"), text).unwrap();
    let mut command = tokio::process::Command::new(BINARY);
    let output = command.arg("check").current_dir(folder.path()).output().await.unwrap();
    assert_eq!(output.status.code(), Some(3));
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(errors.contains("gateway.yaml:4:") && errors.contains("nowhere"), "{errors}");
}
