//! The life of instances: what a reload keeps and what it replaces, background tasks, the end; and that a panic in it
//! is the instance's own.

use std::fs;
use std::time::Duration;

use gatewright_testkit::harness::{Gateway, Request, eventually};
use gatewright_testkit::provider::{Answer, Gate, SimulatedProvider, Step};
use http::Method;
use serde_json::{Value, json};

use crate::chaos::{BINARY, check_nothing_left, seen, trouble, watched, written};
use crate::support::{chat, events_of, is_full, streamed_chat};

fn with(instances: &[Value]) -> Value {
    let mut all = vec![json!({"id": "door", "use": "open-door"}), json!({"id": "witness", "use": "witness"})];
    all.extend(instances.iter().cloned());
    json!(all)
}

/// A gateway whose requests carry which instance of the witness they met.
async fn marked(provider: &SimulatedProvider) -> Gateway {
    watched(provider)
        .set("/extensions/1/secrets", json!({"token": "${file:token.txt}"}))
        .set("/routes/0/request", json!(["witness"]))
        .file("token.txt", "first-token")
        .start()
        .await
}

/// The witness that an exchange meets: its serial number, how many came before it, and the edition of its settings.
async fn met(provider: &SimulatedProvider, gateway: &Gateway) -> (u64, u64, u64) {
    assert_eq!(gateway.chat(&chat("x")).send().await.status, 200);
    let sent = provider.next_request().await;
    let parts: Vec<u64> =
        sent.header("x-witness").unwrap().split(':').map(|part| part.parse().unwrap()).collect();
    (parts[0], parts[1], parts[2])
}

async fn reload(gateway: &Gateway) -> (u16, String) {
    let answer = Request::new(gateway.admin_address(), Method::POST, "/reload").send().await.whole().await;
    (answer.status.as_u16(), String::from_utf8_lossy(&answer.body).into_owned())
}

/// How many instances of the witness live.
async fn living(gateway: &Gateway) -> u64 {
    gateway.metrics().await.count("gatewright_ext_witness_alive", &[])
}

#[tokio::test]
async fn pitfall_11_a_reload_keeps_what_did_not_change_and_replaces_what_did() {
    let provider = SimulatedProvider::start().await;
    let mut gateway = marked(&provider).await;
    let first = met(&provider, &gateway).await;
    // Something else changes, then the policies around it, then its secret: the same object serves.
    gateway.reconfigure("/models/new", json!({"targets": [{"provider": "simulated"}]}));
    gateway.wait_for_generation(2).await;
    gateway.reconfigure_all([
        ("/extensions/1/deadline", json!("700ms")),
        ("/extensions/1/on_error", json!("skip")),
        ("/extensions/1/circuit", json!({"failures": 3})),
    ]);
    gateway.wait_for_generation(3).await;
    assert_eq!(met(&provider, &gateway).await, first);
    fs::write(gateway.folder().join("token.txt"), "second-token").unwrap();
    gateway.wait_for_generation(4).await;
    assert_eq!(gateway.chat(&chat("x")).send().await.status, 200);
    let sent = provider.next_request().await;
    assert_eq!(sent.header("x-witness-token"), Some("second-token"));
    assert!(sent.header("x-witness").unwrap().starts_with(&format!("{}:", first.0)), "the same instance");
    assert_eq!(living(&gateway).await, 1);

    // Its settings change while a stream flows through it: the stream keeps the old one, and the old one ends after it.
    let gate = Gate::new();
    let mut steps: Vec<Step> = events_of(&["a", "b"]).iter().map(|event| Step::event(event)).collect();
    steps.insert(2, Step::WaitFor(gate.clone()));
    provider.push(Answer::stream(steps));
    let mut stream = gateway.chat(&streamed_chat("x")).send().await;
    stream.event().await.unwrap();
    provider.next_request().await;
    gateway.reconfigure("/extensions/1/with", json!({"edition": 7}));
    gateway.wait_for_generation(5).await;
    let second = met(&provider, &gateway).await;
    assert_eq!((second.1, second.2), (1, 7), "it knows the one that it replaces");
    assert_ne!(second.0, first.0);
    assert_eq!(living(&gateway).await, 2, "the stream still has the old one");
    assert_eq!(seen(&gateway.metrics().await, "stopped"), 0);
    gate.open();
    assert!(stream.to_end().await.is_done());
    eventually("the end of the old instance", async || (living(&gateway).await == 1).then_some(())).await;
    let stopped: Vec<_> =
        written(&gateway).into_iter().filter_map(|seen| seen.get("stopped").cloned()).collect();
    assert_eq!(stopped, [json!(first.0)], "the old one is stopped, once");
    assert_eq!(met(&provider, &gateway).await, second);
    check_nothing_left(&gateway, "reloads").await;
}

#[tokio::test]
async fn pitfall_11_an_instance_that_cannot_be_made_or_started_changes_nothing() {
    let provider = SimulatedProvider::start().await;
    let mut gateway = marked(&provider).await;
    let first = met(&provider, &gateway).await;
    for (at, act) in [
        ("create", "panic"),
        ("create", "bomb"),
        ("create", "fail"),
        ("create", "fail_badly"),
        ("start", "panic"),
        ("start", "bomb"),
        ("start", "fail"),
    ] {
        // The witness changes as well, and what was made of that is let go again.
        gateway.reconfigure("/extensions/1/with", json!({"edition": 9}));
        let mut extensions = gateway.configuration()["extensions"].clone();
        let list = extensions.as_array_mut().unwrap();
        list.truncate(2);
        list.push(trouble("trouble", at, act));
        gateway.reconfigure("/extensions", extensions);
        let (status, said) = reload(&gateway).await;
        assert!(status >= 400, "{act} at {at}: {said}");
        assert!(said.contains("gateway.yaml:") && said.contains("trouble"), "{act} at {at}: {said}");
        assert_eq!(met(&provider, &gateway).await, first, "{act} at {at}");
        eventually(&format!("one witness after {act} at {at}"), async || {
            (living(&gateway).await == 1).then_some(())
        })
        .await;
    }
    let mut extensions = gateway.configuration()["extensions"].clone();
    extensions.as_array_mut().unwrap().truncate(2);
    gateway.reconfigure("/extensions", extensions);
    assert_eq!(reload(&gateway).await.0, 200);
    assert_eq!(met(&provider, &gateway).await.2, 9);
}

#[tokio::test]
async fn pitfall_08_an_instance_that_cannot_be_made_ends_the_start_with_its_place() {
    for (at, act) in [("create", "panic"), ("create", "fail"), ("start", "panic"), ("start", "fail_badly")] {
        let folder = tempfile::tempdir().unwrap();
        let text = format!(
            "providers: {{}}\nmodels: {{}}\nroutes: []\nauthenticate: []\nextensions:\n  - id: trouble\n    use: trouble\n    with: {{ at: {at}, act: {act} }}\n"
        );
        fs::write(folder.path().join("gateway.yaml"), text).unwrap();
        let command = || {
            let mut command = tokio::process::Command::new(BINARY);
            command.current_dir(folder.path());
            command
        };
        let output = command().arg("serve").output().await.unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{act} at {at}: {said}");
        assert!(said.contains("gateway.yaml:6") || said.contains("gateway.yaml:8"), "{act} at {at}: {said}");
        assert!(said.contains("trouble"), "{act} at {at}: {said}");
        let checked = command().arg("check").output().await.unwrap();
        assert_eq!(
            checked.status.success(),
            at == "start",
            "check creates and does not start: {act} at {at}"
        );
    }
}

#[tokio::test]
async fn pitfall_08_a_panic_at_the_end_of_an_instance_is_its_own() {
    for act in ["panic", "bomb"] {
        let provider = SimulatedProvider::start().await;
        let late = [trouble("t-stop", "stop", act), trouble("t-drop", "drop_instance", act)];
        let mut gateway = watched(&provider)
            .set("/extensions", with(&late))
            .set("/routes/0/request", json!(["t-stop", "t-drop"]))
            .start()
            .await;
        assert_eq!(gateway.chat(&chat("x")).send().await.status, 200);
        gateway.reconfigure_all([
            ("/extensions/2/with/edition", json!(1)),
            ("/extensions/3/with/edition", json!(1)),
        ]);
        gateway.wait_for_generation(2).await;
        for (instance, hook) in [("t-stop", "stop"), ("t-drop", "drop")] {
            gateway
                .log_line(&format!("the failure of {instance}"), |line| {
                    line["message"] == "Extension failed"
                        && line["instance"] == instance
                        && line["hook"] == hook
                })
                .await;
        }
        assert_eq!(gateway.chat(&chat("x")).send().await.status, 200);
        gateway.signal("TERM").await;
        assert!(gateway.ended().await.success(), "{act}: {}", gateway.log());
    }
}

#[tokio::test]
async fn a_task_that_panics_is_started_again_and_ends_with_its_instance() {
    for act in ["panic", "bomb", "fail", "fail_badly"] {
        let provider = SimulatedProvider::start().await;
        let mut gateway =
            watched(&provider).set("/extensions", with(&[trouble("trouble", "task", act)])).start().await;
        let failed =
            gateway.log_line("the task that failed", |line| line["message"] == "Extension task failed").await;
        assert_eq!((&failed["instance"], &failed["task"]), (&json!("trouble"), &json!("troubled")));
        let labels = [("instance", "trouble"), ("hook", "task"), ("result", "passed")];
        eventually("the run that ends well", async || {
            gateway.metrics().await.has("gatewright_extension_calls_total", &labels).then_some(())
        })
        .await;
        // The witness beats until it is replaced, and its successor beats on.
        let beats = seen(&gateway.metrics().await, "beats");
        eventually("a beat", async || (seen(&gateway.metrics().await, "beats") > beats).then_some(())).await;
        gateway.signal("TERM").await;
        assert!(gateway.ended().await.success());
    }
}

#[tokio::test]
async fn an_instance_that_does_not_stop_in_time_does_not_keep_the_process() {
    let provider = SimulatedProvider::start().await;
    let acts: &[&str] = if is_full() { &["hang", "block"] } else { &["block"] };
    for act in acts {
        let mut gateway = watched(&provider)
            .set("/extensions", with(&[trouble("trouble", "stop", act)]))
            .set("/routes/0/request", json!(["trouble"]))
            .start()
            .await;
        assert_eq!(gateway.chat(&chat("x")).send().await.status, 200);
        gateway.signal("TERM").await;
        let begun = std::time::Instant::now();
        gateway.ended().await;
        assert!(begun.elapsed() < Duration::from_secs(15), "{act}: {:?}", begun.elapsed());
        assert!(gateway.log().contains("did not stop in time"), "{act}: {}", gateway.log());
    }
}

fn resident_kilobytes(gateway: &Gateway) -> u64 {
    let id = gateway.process_id().unwrap();
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn pitfall_11_many_reloads_under_load_fail_no_request_and_free_every_generation() {
    let provider = SimulatedProvider::start().await;
    let mut gateway = marked(&provider).await;
    let reloads = if is_full() { 1_000 } else { 40 };
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let mut clients = tokio::task::JoinSet::new();
    for n in 0..4 {
        let request = gateway.chat(&if n % 2 == 0 { chat("x") } else { streamed_chat("x") });
        let stopped = stopped.clone();
        clients.spawn(async move {
            let mut served = 0_u64;
            while !*stopped.borrow() {
                let answer = request.clone().send().await;
                assert_eq!(answer.status, 200);
                let stream = answer.to_end().await;
                assert!(stream.error().is_none(), "{stream:?}");
                served += 1;
            }
            served
        });
    }
    let mut resident = Vec::new();
    for edition in 1..=reloads {
        gateway.reconfigure("/extensions/1/with", json!({"edition": edition}));
        let (status, said) = reload(&gateway).await;
        assert_eq!(status, 200, "{said}");
        if edition % (reloads / 4) == 0 {
            resident.push(resident_kilobytes(&gateway));
        }
    }
    stop.send_replace(true);
    let served: u64 = clients.join_all().await.into_iter().sum();
    assert!(served > 20, "{served}");
    eventually("one living witness", async || (living(&gateway).await == 1).then_some(())).await;
    let metrics = gateway.metrics().await;
    // The watch of the file may add a reload of its own for a change that was read already; each makes none anew.
    assert_eq!(seen(&metrics, "stopped"), reloads, "every old one was stopped, once");
    assert_eq!(metrics.count("gatewright_reloads_total", &[("result", "refused")]), 0);
    check_nothing_left(&gateway, "many reloads").await;
    let (early, late) = (resident[1], resident[3]);
    assert!(late < early + early / 4 + 8 * 1024, "memory grows with reloads: {resident:?} kB");
}
