//! A hook that keeps its thread is named and its instance taken out of service until it returns; a hook that hangs is
//! ended at its deadline; both cost what they are part of and nothing else.

use std::fs;
use std::time::{Duration, Instant};

use gatewright_testkit::harness::{Gateway, eventually};
use gatewright_testkit::provider::SimulatedProvider;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::chaos::{check_nothing_left, hook_of, seen, wait_for, watched};
use crate::support::{chat, error_of, streamed_chat};

/// What ends a block.
const RELEASE: &str = "released";
/// The deadline of every instance, and what a busy machine may add.
const DEADLINE: Duration = Duration::from_millis(150);
const SLACK: Duration = Duration::from_secs(3);

/// A gateway with an instance that blocks at this hook until it is released, for exchanges that are marked with it.
/// Out of service it denies or is skipped.
async fn blocking(provider: &SimulatedProvider, at: &str, isolate: bool, on_error: &str) -> Gateway {
    let trouble = json!({
        "id": "trouble", "use": "trouble", "deadline": "150ms", "stall": "250ms", "isolate": isolate,
        "on_error": on_error,
        "with": {"at": at, "act": "block", "until": RELEASE, "marked": true},
    });
    place(provider, trouble, at).await
}

/// A gateway with this instance in the chain of the hook.
async fn place(provider: &SimulatedProvider, trouble: Value, at: &str) -> Gateway {
    let builder = watched(provider).set(
        "/extensions",
        json!([{"id": "door", "use": "open-door"}, {"id": "witness", "use": "witness"}, trouble]),
    );
    let builder = match at {
        "authenticate" => builder.set("/authenticate", json!(["trouble", "door"])),
        "phase" | "wants" | "request" | "attempt" => builder.set("/routes/0/request", json!(["trouble"])),
        "reserve" | "progress" | "settle" | "settle_later" | "top_up" => {
            builder.set("/routes/0/limit", json!(["witness", "trouble"]))
        }
        "pick" | "tried" => builder.set("/models/small/picker", json!("trouble")),
        "estimate" => builder.set("/models/small/estimator", json!("trouble")),
        "credential" => builder.set("/providers/simulated/credential", json!("trouble")),
        _ => builder.set("/routes/0/response", json!(["trouble", "witness"])),
    };
    builder.start().await
}

fn marked(gateway: &Gateway, at: &str) -> gatewright_testkit::harness::Request {
    let text = format!("mark:{at}");
    let body = if at == "whole" { chat(&text) } else { streamed_chat(&text) };
    gateway.chat(&body).header("x-trouble", at)
}

/// The watchdog names the hook.
async fn check_named(gateway: &Gateway, at: &str, thread: &str) {
    let is_meant = |line: &Value| {
        line["instance"] == "trouble" && line["level"] == "ERROR" && line["hook"] == hook_of(at)
    };
    let line = gateway.log_line(&format!("the line that names the hook {at}"), is_meant).await;
    assert!(line["thread"].as_str().unwrap().starts_with(thread), "{line}");
    let metrics = gateway.metrics().await;
    let labels = [("instance", "trouble"), ("hook", hook_of(at))];
    assert_eq!(metrics.count("gatewright_extension_stalls_total", &labels), 1, "{at}");
    assert_eq!(metrics.count("gatewright_extension_out_of_service", &[("instance", "trouble")]), 1, "{at}");
    wait_for(gateway, "an audit record of the quarantine", |seen| {
        seen["audit"] == "quarantined" && seen["instance"] == "trouble" && seen["code"] == "stalled"
    })
    .await;
}

/// The instance is in service again.
async fn check_returns(gateway: &Gateway, at: &str) {
    fs::write(gateway.folder().join(RELEASE), "").unwrap();
    eventually(&format!("service again after {at}"), async || {
        let metrics = gateway.metrics().await;
        let labels = [("instance", "trouble")];
        (metrics.count("gatewright_extension_out_of_service", &labels) == 0).then_some(())
    })
    .await;
    eventually(&format!("exchanges through the instance after {at}"), async || {
        let answer = marked(gateway, at).send().await;
        let status = answer.status;
        let stream = answer.to_end().await;
        (status == 200 && stream.error().is_none()).then_some(())
    })
    .await;
    check_nothing_left(gateway, at).await;
}

/// Exchanges that have nothing to do with the trouble are served; as long as a thread is away, its worker's
/// connections are not, so that each gets a second chance.
async fn check_others_are_served(gateway: &Gateway, what: &str) {
    for _ in 0..4 {
        eventually(&format!("an answer for others, {what}"), async || {
            let sending = gateway.chat(&chat("x")).send();
            let answer = tokio::time::timeout(Duration::from_millis(700), sending).await.ok()?;
            (answer.status == 200).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn pitfall_09_a_hook_that_blocks_is_named_and_out_of_service_until_it_returns() {
    for at in ["wants", "request", "reserve", "event", "text", "progress", "settle", "end", "pick"] {
        let provider = SimulatedProvider::start().await;
        let gateway = blocking(&provider, at, false, "deny").await;
        let stuck = tokio::spawn({
            let request = marked(&gateway, at);
            async move { request.send().await.to_end().await }
        });
        check_named(&gateway, at, "worker-").await;
        if !matches!(at, "event" | "text" | "progress" | "settle" | "end") {
            // Whoever comes now is not led into the instance: no second worker is lost.
            let mut asking = JoinSet::new();
            for _ in 0..6 {
                let request = marked(&gateway, at);
                asking.spawn(async move {
                    let answer = tokio::time::timeout(SLACK, request.send()).await;
                    answer.ok().map(|answer| answer.status.as_u16())
                });
            }
            let statuses: Vec<_> = asking.join_all().await.into_iter().flatten().collect();
            assert!(!statuses.is_empty(), "{at}: the other worker serves");
            assert!(statuses.iter().all(|status| *status == 500), "{at}: {statuses:?}");
        }
        let ready = gateway.admin("/readyz").send().await.whole().await;
        let said = String::from_utf8_lossy(&ready.body).into_owned();
        assert!(said.contains(&format!("its {} hook does not return", hook_of(at))), "{at}: {said}");
        check_returns(&gateway, at).await;
        stuck.await.unwrap();
    }
}

#[tokio::test]
async fn pitfall_09_streams_that_flow_already_are_not_led_into_an_instance_that_blocks() {
    use gatewright_testkit::provider::{Answer, Gate, Step};
    let provider = SimulatedProvider::start().await;
    let gateway = blocking(&provider, "event", false, "skip").await;
    // Several streams through the instance, on both workers, before any of them comes to its trouble.
    let gate = Gate::new();
    let mut streams = Vec::new();
    for _ in 0..6 {
        let events = crate::support::events_of(&["a", "b", "c", "d"]);
        let mut steps: Vec<Step> = events.iter().map(|event| Step::event(event)).collect();
        steps.insert(2, Step::WaitFor(gate.clone()));
        provider.push(Answer::stream(steps));
        let mut answer = marked(&gateway, "event").send().await;
        answer.event().await.unwrap();
        streams.push(answer);
    }
    gate.open();
    check_named(&gateway, "event", "worker-").await;
    for _ in 0..8 {
        gate.open();
    }
    // One worker is away; the other one's streams end by the policy of the instance, and it serves on.
    check_others_are_served(&gateway, "with streams under way").await;
    let metrics = gateway.metrics().await;
    assert_eq!(metrics.count("gatewright_extension_stalls_total", &[("instance", "trouble")]), 1);
    fs::write(gateway.folder().join(RELEASE), "").unwrap();
    for stream in streams {
        stream.to_end().await;
    }
    check_nothing_left(&gateway, "streams through an instance that blocked").await;
}

#[tokio::test]
async fn pitfall_09_an_isolated_hook_that_blocks_holds_no_worker_and_no_other_instance() {
    for at in ["authenticate", "request", "attempt", "reserve", "whole", "credential"] {
        let provider = SimulatedProvider::start().await;
        let mut gateway = blocking(&provider, at, true, "skip").await;
        if at == "credential" {
            gateway.reconfigure("/models/small/targets/0/model", json!("sim?text=mark:credential"));
            gateway.wait_for_generation(2).await;
        }
        // As many as there are threads beside the workers, and one more.
        let mut asking = JoinSet::new();
        for _ in 0..3 {
            let request = marked(&gateway, at);
            asking.spawn(async move { request.send().await.whole().await });
        }
        check_named_at_all(&gateway, at).await;
        // Exchanges on both workers go on, deliveries and background tasks too.
        let plain = gateway.chat(&chat("x"));
        if at != "credential" {
            for _ in 0..8 {
                let start = Instant::now();
                assert_eq!(plain.clone().send().await.status, 200, "{at}");
                assert!(start.elapsed() < SLACK, "{at}");
            }
        }
        let beats = seen(&gateway.metrics().await, "beats");
        eventually("the beat of another instance", async || {
            (seen(&gateway.metrics().await, "beats") > beats).then_some(())
        })
        .await;
        for answer in asking.join_all().await {
            assert_eq!(error_of(&answer, 500)["code"], "extension_failed", "{at}");
        }
        let live = gateway.admin("/livez").send().await.whole().await;
        assert_eq!(live.status, 200, "{at}: no worker is held");
        check_returns(&gateway, at).await;
    }
}

/// The watchdog names the hook, on a thread of extensions.
async fn check_named_at_all(gateway: &Gateway, at: &str) {
    let is_meant = |line: &Value| {
        line["instance"] == "trouble" && line["level"] == "ERROR" && line["hook"] == hook_of(at)
    };
    let line = gateway.log_line(&format!("the line that names the hook {at}"), is_meant).await;
    assert_eq!(line["thread"], "extension", "{line}");
}

#[tokio::test]
async fn pitfall_09_an_instance_that_blocks_when_it_is_asked_whether_it_is_ready_stops_no_operator() {
    let provider = SimulatedProvider::start().await;
    let builder = watched(&provider).set(
        "/extensions",
        json!([
            {"id": "door", "use": "open-door"}, {"id": "witness", "use": "witness"},
            {"id": "trouble", "use": "trouble", "stall": "250ms",
             "with": {"at": "ready", "act": "block", "until": RELEASE}},
        ]),
    );
    // It is ready only once it is released, so that the start of the harness cannot wait for it.
    let gateway = builder.file(RELEASE, "").start().await;
    fs::remove_file(gateway.folder().join(RELEASE)).unwrap();
    let ready = gateway.admin("/readyz").send().await.whole().await;
    assert_eq!(ready.status, 503);
    let line = gateway
        .log_line("the hook that does not return", |line| {
            line["instance"] == "trouble" && line["level"] == "ERROR"
        })
        .await;
    assert_eq!(line["hook"], "ready");
    assert_eq!(gateway.admin("/metrics").send().await.status, 200);
    assert_eq!(gateway.chat(&chat("x")).send().await.status, 200);
    fs::write(gateway.folder().join(RELEASE), "").unwrap();
    eventually("readiness", async || gateway.is_ready().await.then_some(())).await;
}

#[tokio::test]
async fn a_hook_that_hangs_is_ended_at_its_deadline_and_settled_once() {
    let hooks = [
        "authenticate",
        "request",
        "attempt",
        "reserve",
        "awaited",
        "top_up",
        "whole",
        "credential",
        "settle_later",
    ];
    for (at, isolate) in hooks.into_iter().flat_map(|at| [(at, false), (at, true)]) {
        let provider = SimulatedProvider::start().await;
        let trouble = json!({
            "id": "trouble", "use": "trouble", "deadline": "150ms", "isolate": isolate,
            "with": {"at": at, "act": "hang"},
        });
        let gateway = place(&provider, trouble, at).await;
        let start = Instant::now();
        let answer = marked(&gateway, at).send().await;
        let id = answer.id();
        let status = answer.status;
        let stream = answer.to_end().await;
        let took = start.elapsed();
        match at {
            "settle_later" => assert!(status == 200 && stream.is_done(), "{at}: {stream:?}"),
            "awaited" | "top_up" => assert_eq!(stream.error().unwrap()["code"], "extension_failed", "{at}"),
            _ => assert_eq!(status, 500, "{at}: {stream:?}"),
        }
        assert!(at == "settle_later" || took >= DEADLINE, "{at}: {took:?}");
        assert!(took < DEADLINE + SLACK, "{at}: {took:?}");
        let labels = [("instance", "trouble"), ("hook", hook_of(at)), ("cause", "timeout")];
        eventually(&format!("the missed deadline, {at}"), async || {
            (gateway.metrics().await.count("gatewright_extension_failures_total", &labels) == 1).then_some(())
        })
        .await;
        let line = gateway.log_line("the failure", |line| line["message"] == "Extension failed").await;
        assert_eq!((&line["instance"], &line["hook"]), (&json!("trouble"), &json!(hook_of(at))), "{line}");
        gateway.access_line(&id).await;
        check_nothing_left(&gateway, at).await;
    }
}

#[tokio::test]
async fn pitfall_10_a_client_that_leaves_while_a_hook_hangs_settles_once() {
    let hooks = ["authenticate", "request", "attempt", "reserve", "awaited", "top_up", "whole", "credential"];
    for (at, isolate) in hooks.into_iter().flat_map(|at| [(at, false), (at, true)]) {
        let provider = SimulatedProvider::start().await;
        let trouble = json!({
            "id": "trouble", "use": "trouble", "deadline": "20s", "isolate": isolate,
            "with": {"at": at, "act": "hang"},
        });
        let gateway = place(&provider, trouble, at).await;
        let sending = tokio::spawn({
            let request = marked(&gateway, at);
            async move { request.send().await.to_end().await }
        });
        gateway.log_line("the trouble", |line| line["message"] == "Making trouble").await;
        sending.abort();
        eventually(&format!("the end of the exchange, {at}"), async || {
            (gateway.access_lines().len() == 1).then_some(())
        })
        .await;
        let line = gateway.access_lines().remove(0);
        assert_eq!(line["code"], "client_gone", "{at}: {line}");
        let left = line["attempts"].as_u64().unwrap();
        eventually(&format!("one record of each attempt, {at}"), async || {
            let records = gateway.records().await.len();
            (u64::try_from(records) == Ok(left)).then_some(())
        })
        .await;
        check_nothing_left(&gateway, at).await;
    }
}
