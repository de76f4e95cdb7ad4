//! The points that models and providers name: credentials, pickers, estimators; and who receives audit records.

use gatewright_testkit::harness::{Gateway, PROVIDER_KEY, Request, eventually};
use gatewright_testkit::provider::{Answer, SimulatedProvider};
use serde_json::{Value, json};

use crate::chaos::{check_nothing_left, trouble, wait_for, watched, written};
use crate::support::{chat, error_of, streamed_chat};

fn with(instances: &[Value]) -> Value {
    let mut all = vec![json!({"id": "door", "use": "open-door"}), json!({"id": "witness", "use": "witness"})];
    all.extend(instances.iter().cloned());
    json!(all)
}

async fn vaulted(provider: &SimulatedProvider, scope: &str, keep_ms: u64) -> Gateway {
    let vault = json!({"id": "vault", "use": "vault", "with": {"scope": scope, "keep_ms": keep_ms}});
    watched(provider)
        .set("/extensions", with(&[vault]))
        .set("/providers/simulated/credential", json!("vault"))
        .start()
        .await
}

fn from(gateway: &Gateway, tenant: &str, user: &str) -> Request {
    let request = gateway.chat(&chat("x")).header("x-tenant", tenant);
    if user.is_empty() { request } else { request.header("x-user", user) }
}

/// The credential that the provider sees when these callers ask, one after the other.
async fn shown(provider: &SimulatedProvider, gateway: &Gateway, callers: &[(&str, &str)]) -> Vec<String> {
    let mut shown = Vec::new();
    for (tenant, user) in callers {
        assert_eq!(from(gateway, tenant, user).send().await.status, 200);
        let sent = provider.next_request().await;
        let header = sent.header("authorization").unwrap().to_owned();
        shown.push(header.trim_start_matches("Bearer vault-canary-").to_owned());
    }
    shown
}

#[tokio::test]
async fn a_credential_is_kept_for_those_whom_its_source_names_and_for_nobody_else() {
    let callers = [("a", "ann"), ("a", "bob"), ("b", "ann"), ("a", "ann"), ("b", "ann"), ("a", "")];
    for (scope, expected) in [
        ("everyone", ["a-ann-1", "a-ann-1", "a-ann-1", "a-ann-1", "a-ann-1", "a-ann-1"]),
        ("tenant", ["a-ann-1", "a-ann-1", "b-ann-2", "a-ann-1", "b-ann-2", "a-ann-1"]),
        ("key", ["a-ann-1", "a-ann-1", "b-ann-2", "a-ann-1", "b-ann-2", "a-ann-1"]),
        ("user", ["a-ann-1", "a-bob-2", "b-ann-3", "a-ann-1", "b-ann-3", "a---4"]),
    ] {
        let provider = SimulatedProvider::start().await;
        // One worker or two makes no difference: what is kept belongs to the provider.
        let gateway = vaulted(&provider, scope, 60_000).await;
        assert_eq!(shown(&provider, &gateway, &callers).await, expected, "{scope}");
        assert!(!gateway.log().contains("vault-canary"), "a credential is in the log");
        assert!(!gateway.metrics().await.text().contains("vault-canary"));
    }
}

#[tokio::test]
async fn a_credential_that_may_not_be_kept_is_asked_for_each_time() {
    let provider = SimulatedProvider::start().await;
    let gateway = vaulted(&provider, "tenant", 0).await;
    let callers = [("a", ""), ("a", ""), ("b", "")];
    assert_eq!(shown(&provider, &gateway, &callers).await, ["a---1", "a---2", "b---3"]);
}

#[tokio::test]
async fn a_credential_that_the_provider_refuses_is_forgotten_and_its_source_told() {
    let provider = SimulatedProvider::start().await;
    let gateway = vaulted(&provider, "tenant", 60_000).await;
    assert_eq!(shown(&provider, &gateway, &[("a", ""), ("b", "")]).await, ["a---1", "b---2"]);
    provider.push(Answer::json(
        401,
        &json!({"error": {"message": "no", "type": "x", "code": "invalid_api_key"}}),
    ));
    let answer = from(&gateway, "a", "").send().await.whole().await;
    let error = error_of(&answer, 502);
    assert_eq!(error["code"], "upstream_credential_refused");
    provider.next_request().await;
    assert_eq!(shown(&provider, &gateway, &[("a", ""), ("b", "")]).await, ["a---3", "b---2"]);
    let metrics = gateway.metrics().await;
    assert_eq!(metrics.count("gatewright_ext_vault_refused_total", &[("instance", "vault")]), 1);
    assert!(!gateway.log().contains("vault-canary"));
}

#[tokio::test]
async fn the_providers_own_key_serves_where_the_source_has_none() {
    let provider = SimulatedProvider::start().await;
    let gateway = vaulted(&provider, "tenant", 60_000).await;
    assert_eq!(from(&gateway, "plain", "").send().await.status, 200);
    let sent = provider.next_request().await;
    assert_eq!(sent.header("authorization"), Some(format!("Bearer {PROVIDER_KEY}").as_str()));
}

/// Two targets of one model: the first has all the weight and a high price.
fn dear_and_cheap() -> Value {
    json!([
        {"provider": "dear", "weight": 1000, "price": {"input": 50.0, "output": 100.0}},
        {"provider": "cheap", "weight": 1, "price": {"input": 0.1, "output": 0.2}},
    ])
}

#[tokio::test]
async fn a_picker_chooses_by_price_and_learns_of_every_try() {
    let (dear, cheap) = (SimulatedProvider::start().await, SimulatedProvider::start().await);
    let gateway = watched(&dear)
        .provider("dear", &dear)
        .provider("cheap", &cheap)
        .set("/extensions", with(&[json!({"id": "cheapest", "use": "cheapest"})]))
        .set("/models/small", json!({"targets": dear_and_cheap(), "picker": "cheapest"}))
        .start()
        .await;
    for _ in 0..5 {
        assert_eq!(gateway.chat(&chat("x")).send().await.status, 200);
    }
    assert_eq!((dear.requests().len(), cheap.requests().len()), (0, 5));
    // Where the cheapest fails, the next one is tried, and the picker learns of both.
    cheap.push(Answer::model("sim?status=500"));
    assert_eq!(gateway.chat(&chat("x")).send().await.status, 200);
    assert_eq!((dear.requests().len(), cheap.requests().len()), (1, 6));
    for (provider, result) in [("cheap", "UpstreamError"), ("dear", "answered"), ("cheap", "answered")] {
        gateway
            .log_line(&format!("a try at {provider}: {result}"), |line| {
                line["message"] == "Tried"
                    && line["provider"] == provider
                    && line["result"] == result
                    && line["instance"] == "cheapest"
                    && line["hook"] == "tried"
            })
            .await;
    }
}

#[tokio::test]
async fn an_estimator_counts_for_limits_prices_and_answers_without_usage() {
    let provider = SimulatedProvider::start().await;
    let price = json!({"input": 1.0, "output": 2.0});
    let gateway = watched(&provider)
        .set("/extensions", with(&[json!({"id": "constant", "use": "constant", "with": {"tokens": 4321}})]))
        .set(
            "/models/small",
            json!({
                "targets": [{"provider": "simulated", "model": "sim?no_usage=1&tokens=8", "price": price}],
                "estimator": "constant",
            }),
        )
        .start()
        .await;
    for request in [chat("x"), streamed_chat("x")] {
        let answer = gateway.chat(&request).send().await;
        let id = answer.id();
        assert!(answer.to_end().await.error().is_none());
        let record = gateway.record(&id).await;
        assert_eq!((record.input_tokens, record.usage_source.as_str()), (4321, "estimated"));
        assert!(record.cost_nanos.unwrap() >= 4_321_000, "{record:?}");
        wait_for(&gateway, "the claim with the estimate", |seen| {
            seen["settled"] == "completed" && seen["estimated"] == 4321 && seen["input"] == 4321
        })
        .await;
    }
    check_nothing_left(&gateway, "an estimator").await;
}

#[tokio::test]
async fn an_estimator_answers_a_count_that_the_provider_cannot_make() {
    let provider = SimulatedProvider::start().await;
    let gateway = watched(&provider)
        .set("/extensions", with(&[json!({"id": "constant", "use": "constant", "with": {"tokens": 4321}})]))
        .set("/models/small", json!({"targets": [{"provider": "simulated"}], "estimator": "constant"}))
        .start()
        .await;
    let answer = gateway.post("/v1/messages/count_tokens", chat("x").to_string()).send().await.whole().await;
    assert_eq!((answer.status.as_u16(), answer.json()), (200, json!({"input_tokens": 4321})));
    check_nothing_left(&gateway, "an estimator").await;
}

#[tokio::test]
async fn audit_records_tell_who_was_refused_what_was_cut_and_what_changed_and_carry_no_content() {
    const SECRET: &str = "the-launch-is-on-tuesday";
    let provider = SimulatedProvider::start().await;
    let mut marked = Vec::new();
    for (at, act) in [("request", "deny"), ("reserve", "panic"), ("event", "deny"), ("authenticate", "deny")]
    {
        let mut instance = trouble(&format!("t-{at}"), at, act);
        instance["with"]["marked"] = json!(true);
        instance["circuit"] = json!({"failures": 3, "within": "60s", "pause": "60s"});
        marked.push(instance);
    }
    let mut gateway = watched(&provider)
        .set("/extensions", with(&marked))
        .set("/authenticate", json!(["t-authenticate", "door"]))
        .set("/routes/0/request", json!(["t-request"]))
        .set("/routes/0/limit", json!(["witness", "t-reserve"]))
        .set("/routes/0/response", json!(["t-event", "witness"]))
        .start()
        .await;
    let ask = async |mark: &str| {
        let answer = gateway
            .chat(&streamed_chat(SECRET))
            .header("x-trouble", mark)
            .header("x-user", "ann")
            .send()
            .await;
        let id = answer.id();
        answer.to_end().await;
        id
    };
    let nobody = gateway.chat(&chat(SECRET)).header("x-nobody", "1").send().await;
    let nobody = nobody.id();
    let expected = [
        ("unauthenticated", nobody, Value::Null, "invalid_api_key", Value::Null),
        ("unauthenticated", ask("authenticate").await, Value::Null, "trouble", json!("t-authenticate")),
        ("denied", ask("request").await, json!("acme"), "trouble", json!("t-request")),
        ("cut", ask("event").await, json!("acme"), "trouble", json!("t-event")),
        ("extension_failed", ask("reserve").await, json!("acme"), "panic", json!("t-reserve")),
    ];
    for (action, id, tenant, code, instance) in expected {
        wait_for(&gateway, &format!("an audit record `{action}` of {id}"), |seen| {
            seen["audit"] == action
                && seen["request"] == id.as_str()
                && seen["tenant"] == tenant
                && seen["code"] == code
                && seen["instance"] == instance
        })
        .await;
    }
    for _ in 0..3 {
        ask("reserve").await;
    }
    wait_for(&gateway, "a quarantine", |seen| {
        seen["audit"] == "quarantined" && seen["instance"] == "t-reserve" && seen["code"] == "failures"
    })
    .await;
    let id = ask("reserve").await;
    wait_for(&gateway, "a call that was not made", |seen| {
        seen["audit"] == "extension_failed" && seen["request"] == id.as_str() && seen["code"] == "quarantined"
    })
    .await;
    gateway.reconfigure("/models/new", json!({"targets": [{"provider": "simulated"}]}));
    wait_for(&gateway, "a reload", |seen| seen["audit"] == "reloaded" && seen["code"] == "done").await;
    gateway.reconfigure("/models/new", json!({"targets": [{"provider": "nobody"}]}));
    wait_for(&gateway, "a refused reload", |seen| seen["audit"] == "reloaded" && seen["code"] == "refused")
        .await;
    let quarantines = written(&gateway).iter().filter(|seen| seen["audit"] == "quarantined").count();
    assert_eq!(quarantines, 1, "it goes out of service once");
    let all = written(&gateway).iter().map(ToString::to_string).collect::<String>();
    assert!(!all.contains(SECRET) && !all.contains("Bearer"), "{all}");
}

#[tokio::test]
async fn records_wait_for_a_sink_that_fails_and_are_delivered_before_the_process_ends() {
    let provider = SimulatedProvider::start().await;
    let slow = json!({"id": "witness", "use": "witness", "with": {"slow_ms": 400}, "deadline": "5s"});
    let mut gateway = watched(&provider)
        .set("/extensions", json!([{"id": "door", "use": "open-door"}, slow]))
        .start()
        .await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        let answer = gateway.chat(&chat("x")).send().await;
        ids.push(answer.id());
        answer.whole().await;
    }
    gateway.signal("TERM").await;
    assert!(gateway.ended().await.success());
    let seen = written(&gateway);
    for id in ids {
        assert_eq!(seen.iter().filter(|seen| seen["record"] == id.as_str()).count(), 1, "{id}: {seen:?}");
    }
    let stopped =
        seen.iter().position(|seen| seen.get("stopped").is_some()).expect("the instance was stopped");
    assert_eq!(stopped, seen.len() - 1, "nothing is delivered after the end: {seen:?}");
    eventually("the end in the log", async || gateway.log().contains("Stopped").then_some(())).await;
}

#[tokio::test]
async fn a_settlement_that_takes_time_ends_before_the_process_does() {
    let provider = SimulatedProvider::start().await;
    let slow = json!({"id": "witness", "use": "witness", "with": {"settle_ms": 500}, "deadline": "5s"});
    let mut gateway = watched(&provider)
        .set("/extensions", json!([{"id": "door", "use": "open-door"}, slow]))
        .start()
        .await;
    assert_eq!(gateway.chat(&chat("x")).send().await.whole().await.status, 200);
    gateway.signal("TERM").await;
    assert!(gateway.ended().await.success());
    let seen = written(&gateway);
    assert_eq!(seen.iter().filter(|seen| seen["settled"] == "completed").count(), 1, "{seen:?}");
}
