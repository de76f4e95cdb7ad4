//! A changed configuration is put to use without a restart, a broken one changes nothing, and what did not change
//! goes on.

use std::fs;

use gatewright_testkit::harness::{End, Gateway, Request, eventually};
use gatewright_testkit::provider::{Answer, Gate, SimulatedProvider, Step};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{chat, error_of, events_of, is_full, serving, streamed_chat};

const REFUSED: &str = "Configuration refused; the previous one stays in use";

fn chat_with(model: &str) -> Value {
    let mut request = chat("x");
    request["model"] = json!(model);
    request
}

async fn status_of(gateway: &Gateway, model: &str) -> StatusCode {
    gateway.chat(&chat_with(model)).send().await.status
}

async fn wait_for_model(gateway: &Gateway, model: &str) {
    let what = format!("the model {model}");
    eventually(&what, async || (status_of(gateway, model).await == 200).then_some(())).await;
}

async fn refused(gateway: &Gateway, nth: usize) -> String {
    let what = format!("the {nth}th line about a refused configuration");
    eventually(&what, async || {
        let lines: Vec<Value> =
            gateway.log().lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let mut refused = lines.into_iter().filter(|line: &Value| line["message"] == REFUSED);
        refused.nth(nth - 1).map(|line| line["problems"].as_str().unwrap_or_default().to_owned())
    })
    .await
}

#[tokio::test]
async fn a_model_that_is_written_into_the_file_appears_without_a_signal() {
    let (_provider, mut gateway) = serving().await;
    assert_eq!(status_of(&gateway, "new").await, 404);
    gateway.reconfigure("/models/new", json!({"targets": [{"provider": "simulated"}]}));
    wait_for_model(&gateway, "new").await;
    assert_eq!(status_of(&gateway, "small").await, 200);

    // And so when the file is written in place, as some editors do.
    let text = fs::read_to_string(gateway.configuration_path()).unwrap();
    fs::write(gateway.configuration_path(), text.replace("\"new\"", "\"newer\"")).unwrap();
    wait_for_model(&gateway, "newer").await;
    assert_eq!(status_of(&gateway, "new").await, 404, "what is not in the file is gone");
}

#[tokio::test]
async fn sighup_and_the_admin_endpoint_read_the_configuration_again() {
    let (_provider, gateway) = serving().await;
    gateway.signal("HUP").await;
    gateway.wait_for_generation(2).await;
    let reload = Request::new(gateway.admin_address(), Method::POST, "/reload");
    let answer = reload.clone().send().await.whole().await;
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    gateway.wait_for_generation(3).await;
    gateway.write_text("models: 7\n");
    let answer = reload.send().await.whole().await;
    let said = String::from_utf8_lossy(&answer.body).into_owned();
    assert!(answer.status.is_client_error() && said.contains("gateway.yaml:1"), "{said}");
    assert_eq!(status_of(&gateway, "small").await, 200);
}

#[tokio::test]
async fn fault_g1_a_broken_file_changes_nothing_and_is_reported_with_its_places() {
    let (_provider, mut gateway) = serving().await;
    let broken = "modles: {}\nlisteners:\n  - address: 127.0.0.1:0\n    limits: { header_timeout: soon }\n";
    gateway.write_text(broken);
    let problems = refused(&gateway, 1).await;
    for expected in ["gateway.yaml:1:1", "modles", "models", "gateway.yaml:4", "header_timeout"] {
        assert!(problems.contains(expected), "`{expected}` is not in: {problems}");
    }
    assert_eq!(status_of(&gateway, "small").await, 200);
    let metrics = gateway.metrics().await;
    assert_eq!(metrics.count("gatewright_reloads_total", &[("result", "refused")]), 1);
    assert_eq!(metrics.count("gatewright_configuration_generation", &[]), 1);
    assert!(gateway.is_ready().await);

    gateway.reconfigure("/models/new", json!({"targets": [{"provider": "simulated"}]}));
    wait_for_model(&gateway, "new").await;
}

#[tokio::test]
async fn a_reference_to_nothing_and_settings_that_no_instance_can_be_made_of_are_refused_too() {
    let (_provider, mut gateway) = serving().await;
    gateway.reconfigure("/models/new", json!({"targets": [{"provider": "nobody"}]}));
    assert!(refused(&gateway, 1).await.contains("nobody"));
    gateway.reconfigure_all([
        ("/models/new", json!({"targets": [{"provider": "simulated"}]})),
        ("/extensions/0/with/keys/0/key", json!("short")),
    ]);
    let problems = refused(&gateway, 2).await;
    assert!(problems.contains("gateway.yaml:") && problems.contains("8 bytes"), "{problems}");
    assert_eq!(
        (status_of(&gateway, "small").await, status_of(&gateway, "new").await),
        (StatusCode::OK, StatusCode::NOT_FOUND)
    );
}

#[tokio::test]
async fn an_instance_that_did_not_change_keeps_its_counts() {
    let provider = SimulatedProvider::start().await;
    let rules = json!({"rules": [{"per": ["key"], "requests": 2, "window": "hour"}]});
    let mut gateway = Gateway::in_front_of(&provider)
        .extension("two", "request-limits", &rules, &["limit"])
        .extension("style", "enrich", &json!({"headers": {"x-style": "one"}}), &["request"])
        .start()
        .await;
    for _ in 0..2 {
        assert_eq!(status_of(&gateway, "small").await, 200);
    }
    gateway.reconfigure("/extensions/2/with/headers/x-style", json!("two"));
    gateway.wait_for_generation(2).await;
    error_of(&gateway.chat(&chat("x")).send().await.whole().await, 429);
    let reloaded = gateway.log_line("the line of the reload", |line| line["generation"] == 2).await;
    let summary = reloaded["summary"].as_str().unwrap();
    assert!(summary.contains("unchanged"), "{summary}");
    // What was counted belongs to the limit and not to the instance, so another allowance does not reset it.
    gateway.reconfigure("/extensions/1/with/rules/0/requests", json!(3));
    gateway.wait_for_generation(3).await;
    assert_eq!(status_of(&gateway, "small").await, 200);
    error_of(&gateway.chat(&chat("x")).send().await.whole().await, 429);
}

#[tokio::test]
async fn a_changed_instance_acts_on_the_next_request() {
    let provider = SimulatedProvider::start().await;
    let mut gateway = Gateway::in_front_of(&provider)
        .extension("style", "enrich", &json!({"headers": {"x-style": "one"}}), &["request"])
        .start()
        .await;
    for (generation, style) in [(1, "one"), (2, "two"), (3, "three")] {
        if generation > 1 {
            gateway.reconfigure("/extensions/1/with/headers/x-style", json!(style));
            gateway.wait_for_generation(generation).await;
        }
        assert_eq!(status_of(&gateway, "small").await, 200);
        assert_eq!(provider.next_request().await.header("x-style"), Some(style));
    }
}

#[tokio::test]
async fn a_secret_file_that_changes_is_read_again() {
    let (provider, gateway) = serving().await;
    fs::write(gateway.folder().join("provider-key.txt"), "sk-rotated-credential").unwrap();
    gateway.wait_for_generation(2).await;
    assert_eq!(status_of(&gateway, "small").await, 200);
    assert_eq!(provider.next_request().await.header("authorization"), Some("Bearer sk-rotated-credential"));
}

#[tokio::test]
async fn fault_g4_an_exchange_under_way_keeps_the_configuration_that_it_began_with() {
    let provider = SimulatedProvider::start().await;
    let mut gateway = Gateway::in_front_of(&provider)
        .model("doomed", &json!([{"provider": "simulated"}]))
        .extension("mask", "mask", &json!({"presets": ["email"]}), &["response"])
        .start()
        .await;
    let gate = Gate::new();
    let mut steps: Vec<Step> =
        events_of(&["write to bob@", "example.com now"]).iter().map(|event| Step::event(event)).collect();
    steps.insert(2, Step::WaitFor(gate.clone()));
    provider.push(Answer::stream(steps));
    let mut request = streamed_chat("x");
    request["model"] = json!("doomed");
    let mut answer = gateway.chat(&request).send().await;
    answer.event().await.unwrap();

    gateway.reconfigure("/routes/0/response", json!([]));
    gateway.reconfigure("/models", json!({"small": {"targets": [{"provider": "simulated"}]}}));
    eventually("the end of the model", async || (status_of(&gateway, "doomed").await == 404).then_some(()))
        .await;
    gate.open();
    let stream = answer.to_end().await;
    assert!(stream.is_done() && stream.end == End::Clean, "{stream:?}");
    assert!(!String::from_utf8_lossy(&stream.body).contains("bob@"), "{stream:?}");
}

#[tokio::test]
async fn fault_g4_a_key_that_is_taken_away_is_denied() {
    let (_provider, mut gateway) = serving().await;
    gateway.reconfigure("/extensions/0/with/keys", json!([{"key": "another-key-1", "tenant": "acme"}]));
    gateway.wait_for_generation(2).await;
    error_of(&gateway.chat(&chat("x")).send().await.whole().await, 401);
    assert_eq!(gateway.chat(&chat("x")).key("another-key-1").send().await.status, 200);
}

#[tokio::test]
async fn fault_g3_a_file_that_is_written_in_pieces_is_taken_when_it_is_whole() {
    let (_provider, mut gateway) = serving().await;
    let old = fs::read_to_string(gateway.configuration_path()).unwrap();
    gateway.reconfigure("/models/new", json!({"targets": [{"provider": "simulated"}]}));
    let new = fs::read_to_string(gateway.configuration_path()).unwrap();
    gateway.write_text(&old);
    let (first, rest) = new.split_at(new.len() / 2);
    let mut file = fs::File::create(gateway.configuration_path()).unwrap();
    std::io::Write::write_all(&mut file, first.as_bytes()).unwrap();
    // The half file lies there for as long as some requests take.
    for _ in 0..20 {
        assert_eq!(status_of(&gateway, "small").await, 200);
    }
    std::io::Write::write_all(&mut file, rest.as_bytes()).unwrap();
    drop(file);
    wait_for_model(&gateway, "new").await;
}

#[tokio::test]
async fn fault_g2_each_request_sees_one_generation_while_the_configuration_changes_under_load() {
    let (provider, mut gateway) = serving().await;
    let generations = if is_full() { 1_000 } else { 60 };
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let request = gateway.chat(&chat("x"));
        let stopped = stopped.clone();
        clients.spawn(async move {
            let mut served = 0;
            while !*stopped.borrow() {
                let answer = request.clone().send().await.whole().await;
                assert_eq!(answer.status, 200, "{:?}", answer.body);
                served += 1;
            }
            served
        });
    }
    let reload = Request::new(gateway.admin_address(), Method::POST, "/reload");
    for generation in 0..generations {
        // The two marks stand in different parts of the configuration.
        let mark = format!("g{generation}");
        gateway.reconfigure_all([
            ("/providers/simulated/headers", json!({"x-mark": mark})),
            ("/models/small/targets/0/model", json!(mark)),
        ]);
        assert_eq!(reload.clone().send().await.status, 200);
    }
    stop.send_replace(true);
    let served: usize = clients.join_all().await.into_iter().sum();
    assert!(served >= generations, "{served} requests");
    let mut seen = std::collections::HashSet::new();
    for request in provider.requests() {
        let mark = request.header("x-mark").unwrap_or("small").to_owned();
        assert_eq!(request.json()["model"], json!(mark), "one request has one generation");
        seen.insert(mark);
    }
    assert!(seen.len() > 5, "{seen:?}");
}

#[tokio::test]
async fn fault_g1_after_a_restart_with_a_broken_file_the_last_good_configuration_serves() {
    let (_provider, mut gateway) = serving().await;
    gateway.reconfigure("/models/new", json!({"targets": [{"provider": "simulated"}]}));
    wait_for_model(&gateway, "new").await;
    gateway.write_text("listeners: [\n");
    gateway.signal("KILL").await;
    gateway.ended().await;
    gateway.restart().await;
    for model in ["small", "new"] {
        assert_eq!(status_of(&gateway, model).await, 200, "{model}");
    }
    let log = gateway.log();
    assert!(log.contains("gateway.yaml:") && log.contains("last good"), "{log}");
}

#[tokio::test]
async fn a_change_that_needs_a_restart_says_so() {
    let (_provider, mut gateway) = serving().await;
    gateway.reconfigure("/workers", json!(3));
    let line = gateway.log_line("the line of the reload", |line| line["generation"] == 2).await;
    let summary = line["summary"].as_str().unwrap();
    assert!(summary.contains("workers") && summary.contains("next start"), "{summary}");
    assert_eq!(status_of(&gateway, "small").await, 200);
}

#[tokio::test]
async fn connections_to_a_provider_outlive_a_reload_that_does_not_touch_it() {
    let (provider, mut gateway) = serving().await;
    let (_, connection) = gateway.chat(&chat("x")).send().await.then_connection().await;
    gateway.reconfigure("/models/new", json!({"targets": [{"provider": "simulated"}]}));
    gateway.wait_for_generation(2).await;
    assert_eq!(connection.send(gateway.chat(&chat_with("new"))).await.status, 200);
    assert_eq!(provider.connections(), 1);
}
