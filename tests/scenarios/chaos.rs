//! What the scenarios about misbehaving extensions share: a gateway of the chaos distribution with a witness, and what
//! the witness saw.

use gatewright_testkit::harness::{Gateway, GatewayBuilder, Scrape, eventually};
use gatewright_testkit::provider::SimulatedProvider;
use serde_json::{Value, json};

/// The distribution whose extensions misbehave on demand.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_gatewright-chaos");

/// A gateway whose caller is let in, and whose only route a witness watches as limiter, filter and sink.
pub(crate) fn watched(provider: &SimulatedProvider) -> GatewayBuilder {
    Gateway::in_front_of(provider)
        .binary(BINARY)
        .set("/extensions", json!([{"id": "door", "use": "open-door"}, {"id": "witness", "use": "witness"}]))
        .set("/authenticate", json!(["door"]))
        .set("/audit", json!(["witness"]))
        .set("/routes/0/limit", json!(["witness"]))
        .set("/routes/0/response", json!(["witness"]))
        .set("/routes/0/sinks", json!(["witness"]))
}

/// An instance that makes trouble.
pub(crate) fn trouble(id: &str, at: &str, act: &str) -> Value {
    json!({"id": id, "use": "trouble", "with": {"at": at, "act": act}, "deadline": "150ms"})
}

/// The same, for exchanges that are marked with the hook's name.
pub(crate) fn marked_trouble(at: &str, act: &str) -> Value {
    let mut instance = trouble(&instance_of(at), at, act);
    instance["with"]["marked"] = json!(true);
    instance
}

/// The id of the instance that makes trouble at this hook.
pub(crate) fn instance_of(at: &str) -> String {
    format!("t-{}", at.replace('_', "-"))
}

/// The hook as the gateway names it in metrics and in the log.
pub(crate) fn hook_of(at: &str) -> &str {
    match at {
        "attempt" => "request",
        "plan" => "open",
        "whole" => "response",
        "awaited" => "resume",
        "topped_up" => "top_up",
        // It is dropped by its own end.
        "settle_later" | "drop_claim" => "settle",
        "refused" => "credential",
        _ if at.starts_with("drop") => "drop",
        other => other,
    }
}

/// What the witness counted under a name.
pub(crate) fn seen(metrics: &Scrape, name: &str) -> u64 {
    let counter = metrics.count(&format!("gatewright_ext_witness_{name}_total"), &[]);
    counter + metrics.count(&format!("gatewright_ext_witness_{name}"), &[])
}

/// What the witness wrote down, oldest first.
pub(crate) fn written(gateway: &Gateway) -> Vec<Value> {
    let file = gateway.folder().join("extensions/witness/seen.jsonl");
    let text = std::fs::read_to_string(file).unwrap_or_default();
    // A line that is not whole is being written.
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Waits until the witness wrote down something that is meant.
pub(crate) async fn wait_for(gateway: &Gateway, what: &str, is_meant: impl Fn(&Value) -> bool) -> Value {
    eventually(what, async || written(gateway).into_iter().find(&is_meant)).await
}

/// Nothing is under way, nothing that was claimed or opened is left, and all of it ended once.
pub(crate) async fn check_nothing_left(gateway: &Gateway, what: &str) {
    let settled = eventually(&format!("nothing left after {what}"), async || {
        let metrics = gateway.metrics().await;
        let is_quiet = metrics.count("gatewright_exchanges_in_flight", &[]) == 0;
        let balance = |begun, ended| seen(&metrics, begun) == seen(&metrics, ended);
        (is_quiet && balance("reserved", "settled") && balance("opened", "ended")).then_some(metrics)
    })
    .await;
    assert_eq!(seen(&settled, "dropped"), 0, "{what}: a claim was dropped and not settled");
}
