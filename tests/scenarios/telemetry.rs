//! What the gateway says of itself: a line for each exchange, metrics with bounded labels, health.

use gatewright_testkit::harness::{Gateway, eventually};
use gatewright_testkit::provider::{Answer, SimulatedProvider};
use serde_json::json;

use crate::support::{chat, serving, streamed_chat};

#[tokio::test]
async fn every_exchange_has_one_line_with_everything_that_an_operator_asks() {
    let (provider, gateway) = serving().await;
    provider.push(Answer::model("sim?tokens=9&ttft=30"));
    let answer = gateway.chat(&streamed_chat("x")).send().await;
    let id = answer.id();
    answer.to_end().await;
    let line = gateway.access_line(&id).await;
    let expected = json!({"tenant": "acme", "key": "ann-key", "route": "default", "operation": "chat", "streamed": true,
        "model": "small", "served": "small", "provider": "simulated", "attempts": 1, "status": 200,
        "outcome": "completed", "output_tokens": 9, "usage": "provider", "level": "INFO"});
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&line[name], value, "{name} in {line}");
    }
    let micros = |name: &str| line[name].as_u64().unwrap_or_else(|| panic!("{name} in {line}"));
    assert!(micros("first_token_us") >= 30_000 && micros("first_token_us") <= micros("total_us"), "{line}");
    assert!(micros("overhead_us") < micros("total_us"), "what the provider took is not our overhead: {line}");
    assert!(line["cost_usd"].is_string() && line["timestamp"].is_string(), "{line}");
    assert_eq!(gateway.access_lines().len(), 1);
}

#[tokio::test]
async fn the_line_can_be_switched_off() {
    let provider = SimulatedProvider::start().await;
    let gateway = Gateway::in_front_of(&provider).set("/telemetry/access_log", json!(false)).start().await;
    assert_eq!(gateway.chat(&chat("x")).send().await.whole().await.status, 200);
    assert!(gateway.access_lines().is_empty(), "{}", gateway.log());
}

#[tokio::test]
async fn the_metrics_count_what_happened() {
    let (provider, gateway) = serving().await;
    for model in ["sim?tokens=5", "sim?tokens=7", "sim?status=503", "sim?reset_after=1"] {
        provider.push(Answer::model(model));
        gateway.chat(&streamed_chat("x")).send().await.to_end().await;
    }
    gateway.chat(&chat("x")).key("no-such-key").send().await.whole().await;
    let metrics = gateway.metrics().await;
    let exchanges = |labels: &[(&str, &str)]| metrics.count("gatewright_exchanges_total", labels);
    assert_eq!(exchanges(&[("outcome", "completed"), ("status", "200"), ("operation", "chat")]), 2);
    assert_eq!(exchanges(&[("outcome", "failed"), ("status", "503")]), 1);
    assert_eq!(exchanges(&[("outcome", "failed"), ("status", "200")]), 1);
    assert_eq!(exchanges(&[("status", "401")]), 1);
    assert!(
        metrics.count(
            "gatewright_tokens_total",
            &[("model", "small"), ("kind", "output"), ("source", "provider")]
        ) == 12
    );
    for histogram in [
        "gatewright_overhead_seconds",
        "gatewright_time_to_first_token_seconds",
        "gatewright_exchange_seconds",
        "gatewright_stream_gap_seconds",
    ] {
        assert!(metrics.count(&format!("{histogram}_count"), &[]) > 0, "{histogram}");
        assert!(metrics.number(&format!("{histogram}_sum"), &[]) > 0.0, "{histogram}");
    }
    assert_eq!(
        metrics.count("gatewright_extension_calls_total", &[("instance", "keys"), ("result", "passed")]),
        5
    );
    let of_keys = [("instance", "keys"), ("hook", "authenticate")];
    assert_eq!(metrics.count("gatewright_extension_hook_seconds_count", &of_keys), 5);
    assert!(metrics.has("gatewright_extension_info", &[("instance", "keys"), ("extension", "static-keys")]));
    assert_eq!(metrics.count("gatewright_exchanges_in_flight", &[]), 0);
    assert!(metrics.has("gatewright_build_info", &[("name", "gatewright")]));
}

#[tokio::test]
async fn what_callers_invent_becomes_no_label() {
    let (_provider, gateway) = serving().await;
    let before = gateway.metrics().await.text().lines().count();
    for n in 0..50 {
        let mut request = chat("x");
        request["model"] = json!(format!("invented-model-{n}"));
        gateway.chat(&request).send().await.whole().await;
        gateway.get(&format!("/v1/invented-path-{n}")).send().await.whole().await;
        gateway.chat(&chat("x")).key(&format!("invented-key-{n}")).send().await.whole().await;
    }
    let metrics = gateway.metrics().await;
    assert!(!metrics.text().contains("invented"), "{}", metrics.text());
    let grown = metrics.text().lines().count() - before;
    assert!(grown < 60, "{grown} lines more for 150 requests");
}

#[tokio::test]
async fn a_model_name_without_end_is_cut_before_it_reaches_the_log() {
    let (_provider, gateway) = serving().await;
    let mut request = chat("x");
    request["model"] = json!("m".repeat(250));
    let answer = gateway.chat(&request).send().await.whole().await;
    assert_eq!(answer.status, 404);
    let line = gateway.access_line(&answer.id()).await;
    assert!(line["model"].as_str().unwrap().len() <= 128, "{line}");
}

#[tokio::test]
async fn health_is_on_the_admin_listener_and_nowhere_else() {
    let (_provider, gateway) = serving().await;
    let live = gateway.admin("/livez").send().await.whole().await;
    assert_eq!(live.status, 200);
    let ready = gateway.admin("/readyz").send().await.whole().await;
    assert_eq!((ready.status.as_u16(), ready.json()["ready"].clone()), (200, json!(true)));
    for path in ["/livez", "/readyz", "/metrics", "/reload"] {
        assert_eq!(gateway.get(path).send().await.status, 404, "{path} on the data listener");
    }
    for path in ["/v1/models", "/v1/chat/completions", "/"] {
        assert_eq!(gateway.admin(path).send().await.status, 404, "{path} on the admin listener");
    }
    let metrics = gateway.admin("/metrics").send().await.whole().await;
    assert!(metrics.header("content-type").unwrap().starts_with("application/openmetrics-text"));
    assert!(metrics.body.ends_with(b"# EOF\n"));
}

#[tokio::test]
async fn what_is_under_way_shows_in_the_gauge() {
    let (provider, gateway) = serving().await;
    provider.push(Answer::model("sim?stall_after=1"));
    let mut answer = gateway.chat(&streamed_chat("x")).send().await;
    answer.event().await.unwrap();
    assert_eq!(gateway.metrics().await.count("gatewright_exchanges_in_flight", &[]), 1);
    drop(answer);
    eventually("an empty gauge", async || {
        (gateway.metrics().await.count("gatewright_exchanges_in_flight", &[]) == 0).then_some(())
    })
    .await;
}
