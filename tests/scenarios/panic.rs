//! A panic costs one exchange, or one instance, and nothing else: neighbours on the same connection go on, everything
//! is settled once, and log and metrics say which hook of which instance it was.

use std::collections::BTreeMap;

use bytes::Bytes;
use gatewright_testkit::harness::{CALLER_KEY, Gateway, eventually, within};
use gatewright_testkit::provider::{Answer, Gate, SimulatedProvider, Step};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::chaos::{check_nothing_left, hook_of, instance_of, marked_trouble, trouble, watched};
use crate::support::{chat, error_of, events_of, streamed_chat};

/// Hooks whose failure refuses the exchange before anything is sent.
const BEFORE: [&str; 6] = ["authenticate", "wants", "request", "attempt", "reserve", "drop_future"];
/// Hooks whose failure refuses the exchange when the provider answered.
const AT_HEAD: [&str; 2] = ["plan", "open"];
/// Hooks whose failure ends a stream that has begun.
const FLOWING: [&str; 8] =
    ["event", "text", "observe", "awaited", "resume", "progress", "top_up", "topped_up"];
/// Hooks whose failure is nobody's but the instance's.
const HARMLESS: [&str; 11] = [
    "pick",
    "tried",
    "estimate",
    "settle",
    "settle_later",
    "end",
    "drop_filter",
    "drop_claim",
    "drop_awaited",
    "drop_kept",
    "whole",
];

type Sender = http2::SendRequest<Full<Bytes>>;

async fn connect(gateway: &Gateway) -> Sender {
    let socket = TcpStream::connect(gateway.address()).await.unwrap();
    let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(socket)).await;
    let (sender, connection) = handshake.unwrap();
    tokio::spawn(connection);
    sender
}

/// Asks on a connection that others use as well.
async fn ask(mut sender: Sender, mark: String, body: Value) -> (u16, String) {
    let request = http::Request::post("http://gateway.example/v1/chat/completions")
        .header("authorization", format!("Bearer {CALLER_KEY}"))
        .header("x-trouble", mark)
        .body(Full::new(Bytes::from(body.to_string())))
        .unwrap();
    let answer = within("an answer", sender.send_request(request)).await.unwrap();
    let status = answer.status().as_u16();
    let body = within("the end of a body", answer.into_body().collect()).await.unwrap();
    (status, String::from_utf8_lossy(&body.to_bytes()).into_owned())
}

/// A gateway with one instance for each hook, which makes this trouble for exchanges that are marked with the hook.
async fn troubled(provider: &SimulatedProvider, act: &str, isolate: bool) -> Gateway {
    let of = |hooks: &[&str]| -> Vec<Value> { hooks.iter().map(|at| json!(instance_of(at))).collect() };
    let mut instances = vec![
        json!({"id": "door", "use": "open-door"}),
        json!({"id": "witness", "use": "witness"}),
        marked_trouble("deliver", act),
        marked_trouble("audit", act),
        marked_trouble("credential", act),
    ];
    let hooks = BEFORE.into_iter().chain(AT_HEAD).chain(FLOWING).chain(HARMLESS);
    instances.extend(hooks.map(|at| marked_trouble(at, if at == "drop_future" { "panic" } else { act })));
    for instance in instances.iter_mut().skip(2) {
        instance["isolate"] = json!(isolate);
        instance["circuit"] = json!({"failures": 0});
    }
    let mut limits = vec![json!("witness")];
    limits.extend(of(&[
        "reserve",
        "progress",
        "top_up",
        "topped_up",
        "settle",
        "settle_later",
        "drop_claim",
    ]));
    let mut filters = of(&["plan", "open", "event", "text", "observe", "awaited", "resume"]);
    filters.extend(of(&["end", "drop_filter", "drop_awaited", "whole"]));
    filters.push(json!("witness"));
    let model = json!({"targets": [{"provider": "simulated", "model": "sim?tokens=24"}], "picker": "t-pick", "estimator": "t-estimate"});
    let tried = json!({"targets": [{"provider": "simulated", "model": "sim?tokens=24&text=mark:tried"}], "picker": "t-tried"});
    watched(provider)
        .set("/extensions", json!(instances))
        .set("/listeners/0/http2_cleartext", json!(true))
        .set("/authenticate", json!(["t-authenticate", "door"]))
        .set("/audit", json!(["witness", "t-audit"]))
        .set("/routes/0/limit", json!(limits))
        .set("/routes/0/request", json!(of(&["wants", "request", "attempt", "drop_future", "drop_kept"])))
        .set("/routes/0/response", json!(filters))
        .set("/routes/0/sinks", json!(["witness", "t-deliver"]))
        .set("/models/small", model)
        .set("/models/tried", tried)
        .start()
        .await
}

/// A neighbour on the same connection, whose answer waits in its middle.
async fn neighbour(provider: &SimulatedProvider, sender: &Sender) -> (Gate, JoinHandle<(u16, String)>) {
    let gate = Gate::new();
    let mut steps: Vec<Step> =
        events_of(&["one ", "two ", "three"]).iter().map(|event| Step::event(event)).collect();
    steps.insert(2, Step::WaitFor(gate.clone()));
    provider.push(Answer::stream(steps));
    let asking = tokio::spawn(ask(sender.clone(), "none".to_owned(), streamed_chat("x")));
    provider.next_request().await;
    (gate, asking)
}

/// What each hook's trouble did to its exchange.
async fn fates(gateway: &Gateway, sender: &Sender) -> BTreeMap<&'static str, (u16, String)> {
    let mut fates = BTreeMap::new();
    for at in BEFORE.into_iter().chain(AT_HEAD).chain(FLOWING).chain(HARMLESS) {
        let mut request = if at == "whole" { chat("x") } else { streamed_chat(&format!("mark:{at}")) };
        if at == "tried" {
            request["model"] = json!("tried");
        }
        fates.insert(at, ask(sender.clone(), at.to_owned(), request).await);
        assert!(gateway.is_ready().await, "{at}");
    }
    fates
}

fn check_fates(fates: &BTreeMap<&str, (u16, String)>, what: &str) {
    for (at, (status, body)) in fates {
        let says_so = body.contains("extension_failed");
        if BEFORE.contains(at) || AT_HEAD.contains(at) || *at == "whole" {
            assert_eq!((*status, says_so), (500, true), "{what} at {at}: {body}");
        } else if FLOWING.contains(at) {
            assert_eq!((*status, says_so), (200, true), "{what} at {at}: {body}");
            assert!(!body.contains("[DONE]"), "{what} at {at}: {body}");
        } else {
            assert_eq!((*status, says_so), (200, false), "{what} at {at}: {body}");
            assert!(body.ends_with("data: [DONE]\n\n"), "{what} at {at}: {body}");
        }
    }
}

/// Log and metrics name instance and hook of each trouble.
async fn check_attribution(gateway: &Gateway, what: &str) {
    for at in BEFORE.into_iter().chain(AT_HEAD).chain(FLOWING).chain(HARMLESS) {
        let (instance, hook) = (instance_of(at), hook_of(at));
        let labels = [("instance", instance.as_str()), ("hook", hook)];
        eventually(&format!("a failure counted, {what} at {at}"), async || {
            gateway.metrics().await.has("gatewright_extension_failures_total", &labels).then_some(())
        })
        .await;
        let is_meant = |line: &Value| line["instance"] == instance.as_str() && line["hook"] == hook;
        let said = |line: &Value| is_meant(line) && line["message"] == "Extension failed";
        gateway.log_line(&format!("the failure, {what} at {at}"), said).await;
        let own = |line: &Value| is_meant(line) && line["message"] == "Making trouble";
        gateway.log_line(&format!("the extension's own line, {what} at {at}"), own).await;
    }
}

async fn check_a_panic_costs_one_exchange(act: &str, isolate: bool) {
    let what = format!("{act}, isolated: {isolate}");
    let provider = SimulatedProvider::start().await;
    let mut gateway = troubled(&provider, act, isolate).await;
    let sender = connect(&gateway).await;
    let (gate, asking) = neighbour(&provider, &sender).await;
    let fates = fates(&gateway, &sender).await;
    gate.open();
    let (status, body) = asking.await.unwrap();
    assert_eq!(status, 200, "{what}: {body}");
    assert!(body.contains("three") && body.ends_with("data: [DONE]\n\n"), "{what}: {body}");
    check_fates(&fates, &what);
    check_attribution(&gateway, &what).await;
    check_nothing_left(&gateway, &what).await;
    let records = gateway.records().await;
    let mut identities: Vec<_> = records.iter().map(|record| (&record.request_id, record.attempt)).collect();
    identities.sort();
    identities.dedup();
    assert_eq!(identities.len(), records.len(), "one record for each: {records:?}");
    assert!(gateway.is_running(), "{what}: {}", gateway.log());
}

#[tokio::test]
async fn pitfall_08_a_panic_in_a_hook_costs_its_exchange_and_no_neighbour() {
    check_a_panic_costs_one_exchange("panic", false).await;
}

#[tokio::test]
async fn pitfall_08_a_panic_in_an_isolated_hook_costs_its_exchange_and_no_neighbour() {
    check_a_panic_costs_one_exchange("panic", true).await;
}

#[tokio::test]
async fn pitfall_08_a_payload_that_panics_when_it_is_dropped_is_one_panic_more_and_no_other_exchange() {
    check_a_panic_costs_one_exchange("bomb", false).await;
}

#[tokio::test]
async fn pitfall_08_an_error_that_panics_when_it_is_shown_costs_its_exchange() {
    let provider = SimulatedProvider::start().await;
    let mut gateway = troubled(&provider, "fail_badly", false).await;
    let sender = connect(&gateway).await;
    let (gate, asking) = neighbour(&provider, &sender).await;
    for at in ["authenticate", "request", "attempt", "reserve", "open"] {
        let (status, body) = ask(sender.clone(), at.to_owned(), streamed_chat("x")).await;
        assert_eq!(status, 500, "{at}: {body}");
        assert!(body.contains("extension_failed"), "{at}: {body}");
    }
    for at in ["event", "text", "awaited", "resume", "progress", "topped_up"] {
        let (status, body) = ask(sender.clone(), at.to_owned(), streamed_chat("x")).await;
        assert!(status == 200 && body.contains("extension_failed"), "{at}: {status} {body}");
    }
    for at in ["settle", "settle_later"] {
        let (status, body) = ask(sender.clone(), at.to_owned(), streamed_chat("x")).await;
        assert!(status == 200 && body.ends_with("data: [DONE]\n\n"), "{at}: {status} {body}");
    }
    gate.open();
    assert_eq!(asking.await.unwrap().0, 200);
    check_nothing_left(&gateway, "errors that cannot be shown").await;
    assert!(gateway.is_running());
}

#[tokio::test]
async fn pitfall_08_a_panic_in_an_adapter_or_a_source_of_credentials_costs_its_exchange() {
    for (at, act) in [("encode", "panic"), ("classify", "panic"), ("encode", "bomb"), ("classify", "bomb")] {
        let provider = SimulatedProvider::start().await;
        let trouble = json!({"trouble": {"at": at, "act": act, "marked": true}});
        let mut gateway = watched(&provider)
            .set("/providers/simulated/with", trouble)
            .set("/listeners/0/http2_cleartext", json!(true))
            .start()
            .await;
        let sender = connect(&gateway).await;
        let (gate, asking) = neighbour(&provider, &sender).await;
        if at == "classify" {
            let error = json!({"error": {"message": "mark:classify", "type": "server_error"}});
            provider.push(Answer::json(500, &error));
        }
        let (status, body) = ask(sender.clone(), at.to_owned(), streamed_chat(&format!("mark:{at}"))).await;
        assert!(status == 500 && body.contains("extension_failed"), "{at}: {status} {body}");
        gate.open();
        assert_eq!(asking.await.unwrap().0, 200, "{act} at {at}");
        let labels = [("instance", "provider:simulated"), ("hook", at), ("cause", "panic")];
        assert_eq!(gateway.metrics().await.count("gatewright_extension_failures_total", &labels), 1, "{at}");
        check_nothing_left(&gateway, at).await;
        assert!(gateway.is_running());
    }
    let provider = SimulatedProvider::start().await;
    for act in ["panic", "bomb", "fail_badly"] {
        let instances = json!([
            {"id": "door", "use": "open-door"}, {"id": "witness", "use": "witness"},
            trouble("t-credential", "credential", act),
        ]);
        let mut gateway = watched(&provider)
            .set("/extensions", instances)
            .set("/providers/simulated/credential", json!("t-credential"))
            .start()
            .await;
        let answer = gateway.chat(&chat("x")).send().await.whole().await;
        assert_eq!(error_of(&answer, 500)["code"], "extension_failed", "{act}");
        check_nothing_left(&gateway, act).await;
        assert!(gateway.is_running());
    }
}

#[tokio::test]
async fn pitfall_08_a_source_of_credentials_that_panics_when_it_learns_of_a_refusal_changes_no_answer() {
    let provider = SimulatedProvider::start().await;
    let instances = json!([
        {"id": "door", "use": "open-door"}, {"id": "witness", "use": "witness"},
        trouble("t-refused", "refused", "panic"),
    ]);
    let gateway = watched(&provider)
        .set("/extensions", instances)
        .set("/providers/simulated/credential", json!("t-refused"))
        .start()
        .await;
    provider.push(Answer::json(
        401,
        &json!({"error": {"message": "no", "type": "x", "code": "invalid_api_key"}}),
    ));
    let answer = gateway.chat(&chat("x")).send().await.whole().await;
    assert_eq!(error_of(&answer, 502)["code"], "upstream_credential_refused");
    assert_eq!(gateway.chat(&chat("x")).send().await.status, 200);
}
