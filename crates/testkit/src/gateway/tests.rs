use std::time::Duration;

use gatewright::http::Request;
use gatewright::prelude::*;
use gatewright::registry::Registration;
use gatewright::service::limits::{BucketKey, Claim, Claimed, Dimension, Held};
use gatewright::{CancelledBy, UsageSource};
use serde_json::json;

use super::script::{stalled, streamed};
use super::*;
use crate::provider::Answer;

#[gatewright::config]
struct ProbeSettings {
    /// What to do.
    #[serde(default)]
    does: String,
}

/// Does what its settings say, at every point that the tests need.
struct Probe {
    does: String,
    env: ExtEnv,
}

static PROBE: Registration =
    gatewright::registration!(Probe => RequestTransform, ResponseFilter, Limiter, UsageSink);
static LATER: Registration = gatewright::registration!(Later => Limiter);

impl Extension for Probe {
    const NAME: &'static str = "test.probe";
    type Config = ProbeSettings;

    async fn create(config: ProbeSettings, env: ExtEnv) -> Result<Self, BuildError> {
        if config.does == "refuse" {
            return Err(BuildError::at("does", "it is refused"));
        }
        Ok(Self { does: config.does, env })
    }

    async fn start(self: &Arc<Self>, tasks: &mut TaskScope) -> Result<(), BuildError> {
        let probe = Arc::clone(self);
        tasks.spawn("sleeper", move || {
            let probe = Arc::clone(&probe);
            async move {
                probe.env.clock.sleep(Duration::from_secs(3600)).await;
                Ok(())
            }
        });
        Ok(())
    }
}

#[async_trait]
impl RequestTransform for Probe {
    async fn on_request(&self, request: &mut LlmRequest, cx: &mut RequestCx) -> HookResult {
        match &*self.does {
            "upper" => drop(request.edit_texts(&mut |part| Some(part.text.to_uppercase()))?),
            "deny" => return Ok(Flow::deny(Denial::forbidden("no", "no"))),
            "kv" => {
                let tenant = cx.principal().tenant.clone();
                self.env.meter.counter("seen", "Requests").add(1);
                self.env.kv.put(&tenant, "k", "v".into(), Some(Duration::from_secs(60))).await?;
            }
            "kv-read" => {
                let tenant = cx.principal().tenant.clone();
                if self.env.kv.get(&tenant, "k").await?.is_none() {
                    return Ok(Flow::deny(Denial::forbidden("forgotten", "nothing is there")));
                }
            }
            "http" => {
                let call = Request::get("https://judge.example/").body(Bytes::new())?;
                let status = self.env.http.send(call).await?.status();
                cx.tags.set("judged", status.as_str());
            }
            _ => {}
        }
        Ok(Flow::Continue)
    }
}

impl ResponseFilter for Probe {
    fn plan(&self, _: &ResponseHead, _: &RequestCx) -> FilterPlan {
        match &*self.does {
            "hold" => FilterPlan::Text(HoldBack::bytes(8)),
            "events" | "kv" => FilterPlan::Events,
            _ => FilterPlan::Skip,
        }
    }

    fn open(&self, _: &ResponseHead, _: &mut RequestCx) -> HookResult<Box<dyn StreamFilter>> {
        Ok(Box::new(Quiet))
    }
}

struct Quiet;

impl StreamFilter for Quiet {}

#[async_trait]
impl Limiter for Probe {
    async fn reserve(
        &self,
        _: &Estimate,
        _: &LlmRequest,
        _: Option<u64>,
        cx: &mut RequestCx,
    ) -> HookResult<Admission> {
        let key = BucketKey {
            tenant: cx.principal().tenant.clone(),
            rule: "probe".into(),
            label: "all".into(),
            dimension: Dimension::Requests,
            window: Some(Duration::from_secs(60)),
        };
        let limit = if self.does == "one" { 1 } else { 1_000 };
        Ok(match self.env.limits.claim(&[Claim { key, limit, need: 1 }]).await? {
            Claimed::Held(held, _) => Admission::Admit(Box::new(Hold(held)), None),
            Claimed::Refused(_) | Claimed::Unknown { .. } => {
                Admission::Deny(Box::new(Denial::too_many("too_many", "later", None)), None)
            }
        })
    }
}

struct Hold(Box<dyn Held>);

impl Reservation for Hold {
    fn settle(mut self: Box<Self>, outcome: &Outcome) -> Option<BoxFuture<'static, Result<(), ExtError>>> {
        self.0.spend(0, u64::from(!matches!(outcome, Outcome::NotSent)));
        None
    }
}

#[async_trait]
impl UsageSink for Probe {
    async fn deliver(&self, records: &[Arc<UsageRecord>]) -> Result<(), ExtError> {
        self.env.meter.counter("delivered", "Records").add(records.len() as u64);
        Ok(())
    }
}

/// Refuses everybody, after the probe has reserved.
struct Later;

impl Extension for Later {
    const NAME: &'static str = "test.later";
    type Config = ProbeSettings;

    async fn create(_: ProbeSettings, _: ExtEnv) -> Result<Self, BuildError> {
        Ok(Self)
    }
}

#[async_trait]
impl Limiter for Later {
    async fn reserve(
        &self,
        _: &Estimate,
        _: &LlmRequest,
        _: Option<u64>,
        _: &mut RequestCx,
    ) -> HookResult<Admission> {
        Ok(Admission::Deny(Box::new(Denial::too_many("later", "later", None)), None))
    }
}

async fn probe(does: &str) -> TestGateway {
    TestGateway::builder().registered(&PROBE, "p", json!({"does": does})).start().await
}

#[tokio::test]
async fn an_exchange_that_nobody_touches_keeps_its_bytes_both_ways() {
    let gateway = probe("").await;
    let body =
        r#"{"model":"model", "b":1e400,"b":2,"a":"é\u00e9" , "messages":[{"role":"user","content":"hi"}]}  "#;
    let reply = gateway.post("/v1/chat/completions", body).send().await;
    gateway.assert_untouched(&reply);
    let reply = gateway.stream("hi").send().await;
    assert!(reply.events.len() > 3 && reply.events.last().is_some_and(|event| event == "[DONE]"));
    gateway.assert_untouched(&reply);
}

#[tokio::test]
#[should_panic(expected = "what the provider was sent is what the client sent")]
async fn an_edit_is_a_touch() {
    let gateway = probe("upper").await;
    let reply = gateway.chat("hi").send().await;
    assert_eq!(gateway.provider.requests()[0].json()["messages"][0]["content"], "HI");
    assert_eq!(gateway.figures("p").edits(Hook::Request), 1);
    gateway.assert_untouched(&reply);
}

#[tokio::test]
async fn a_refusal_is_told_from_an_answer() {
    let gateway = probe("deny").await;
    gateway.chat("hi").send().await.assert_denied("no");
    assert_eq!(gateway.figures("p").denials, ["no"]);
    assert!(gateway.provider.requests().is_empty());
    assert_eq!(gateway.audits()[0].action, AuditAction::Denied);
    let elsewhere = gateway.chat("hi").without_key().send().await;
    assert_eq!(elsewhere.assert_denied("invalid_api_key").status, 401);
}

#[tokio::test]
async fn texts_come_out_the_same_whole_and_streamed() {
    let gateway = probe("hold").await;
    gateway.will_say("añb 🙂");
    gateway.chat("hi").send().await.assert_text("añb 🙂");
    gateway.provider.push(streamed(&[
        (Lane::content(0), "one "),
        (Lane::tool_arguments(0, 1), "{\"a\":"),
        (Lane::content(0), "two"),
        (Lane::tool_arguments(0, 1), "1}"),
        (Lane::reasoning(0), "why"),
    ]));
    let reply = gateway.stream("hi").send().await;
    reply.assert_text("one two");
    assert_eq!(reply.lane(Lane::tool_arguments(0, 1)), "{\"a\":1}");
    assert_eq!(reply.lane(Lane::reasoning(0)), "why");
    let held = gateway.figures("p").held_bytes_max;
    assert!(held > 0, "a tail is held");
    gateway.assert_held_at_most("p", held);
}

#[tokio::test]
async fn held_text_of_a_response_goes_out_before_the_events_that_repeat_it() {
    let gateway = TestGateway::builder()
        .registered(&PROBE, "p", json!({"does": "hold"}))
        .model("sim?text=one+two+three&reasoning=1")
        .start()
        .await;
    let request = json!({"model": "sim?text=one+two+three&reasoning=1", "input": "hi", "stream": true});
    let reply = gateway.post("/v1/responses", request.to_string()).send().await;
    let mut told = String::new();
    let mut repeated = 0;
    let mut last = None;
    for event in &reply.events {
        let event: Value = serde_json::from_str(event).unwrap();
        assert!(event["sequence_number"].as_u64() > last, "{event} follows {last:?}");
        last = event["sequence_number"].as_u64();
        told.push_str(event["delta"].as_str().unwrap_or_default());
        if let Some(text) = event["text"].as_str() {
            assert!(told.ends_with(text), "{told:?} is all that came before {text:?}");
            repeated += 1;
        }
    }
    assert_eq!(repeated, 2);
    assert!(told.ends_with("one two three"), "{told}");
    assert!(gateway.figures("p").held_bytes_max > 0, "a tail is held");
}

#[tokio::test]
async fn a_client_that_leaves_after_any_event_settles_once() {
    const PIECES: [(Lane, &str); 3] =
        [(Lane::content(0), "a"), (Lane::content(0), "b"), (Lane::content(0), "c")];
    for events in 0..=PIECES.len() + 1 {
        let gateway = probe("events").await;
        gateway.provider.push(stalled(&PIECES));
        let reply = gateway.stream("hi").cancel_after(events).send().await;
        assert!(reply.left && reply.events.len() >= events, "{events}: {:?}", reply.events);
        let outcome = gateway.assert_settled_once("p").await;
        let by_client =
            matches!(outcome, Outcome::Cancelled { by: CancelledBy::Client, upstream_aborted: true, .. });
        assert!(by_client, "{events}: {outcome:?}");
        let request = &gateway.provider.requests()[0];
        assert!(request.wait_for_disconnect().await.is_some(), "the provider is let go");
    }
}

#[tokio::test]
async fn a_limiter_before_one_that_refuses_is_settled_as_not_sent() {
    let gateway = TestGateway::builder()
        .registered(&PROBE, "p", json!({"does": "one"}))
        .registered(&LATER, "later", json!({}))
        .start()
        .await;
    for _ in 0..2 {
        gateway.chat("hi").send().await.assert_denied("later");
    }
    let reservations = gateway.reservations("p");
    assert_eq!((reservations.granted, reservations.lost), (2, 0));
    assert!(reservations.settled.iter().all(|settled| matches!(settled.outcome, Outcome::NotSent)));
}

#[tokio::test]
async fn windows_and_expiry_move_with_the_test_alone() {
    let gateway = probe("one").await;
    gateway.chat("hi").send().await.assert_ok();
    gateway.chat("hi").send().await.assert_denied("too_many");
    gateway.clock.advance(Duration::from_secs(120));
    gateway.chat("hi").send().await.assert_ok();

    gateway.reload("p", json!({"does": "kv"})).await.unwrap();
    gateway.chat("hi").send().await.assert_ok();
    gateway.reload("p", json!({"does": "kv-read"})).await.unwrap();
    gateway.clock.advance(Duration::from_secs(59));
    gateway.chat("hi").send().await.assert_ok();
    gateway.clock.advance(Duration::from_secs(1));
    gateway.chat("hi").send().await.assert_denied("forgotten");
}

#[tokio::test]
async fn services_fail_for_one_instance_and_work_again() {
    let gateway = TestGateway::builder()
        .registered(&PROBE, "p", json!({"does": "kv"}))
        .registered(&PROBE, "q", json!({"does": "kv"}))
        .start()
        .await;
    gateway.fail_service("p", "kv");
    let reply = gateway.chat("hi").send().await;
    assert_eq!(reply.status, 500, "{:?}", reply.body);
    assert_eq!(gateway.figures("p").failures(Hook::Request, CallResult::Error), 1);
    assert_eq!(gateway.figures("q").calls(Hook::Request), 0);
    gateway.restore_service("p", "kv");
    gateway.chat("hi").send().await.assert_ok();
    assert_eq!(gateway.meter("p").counter_value("seen"), 2);
    let calls = [("instance", "q"), ("hook", "request"), ("result", "passed")];
    assert_eq!(gateway.metrics().await.count("gatewright_extension_calls_total", &calls), 1);
}

#[tokio::test]
async fn calls_outside_are_answered_by_script() {
    let gateway = probe("http").await;
    gateway.http("p").answer("https://judge.example/", 204, "");
    gateway.chat("hi").send().await.assert_ok();
    let records = gateway.records();
    assert_eq!(records[0].tags.get("judged"), Some("204"));
    assert_eq!((records.len(), records[0].usage_source), (1, UsageSource::Provider));
    assert_eq!(gateway.http("p").calls().len(), 1);
}

/// Lets a hook panic in an exchange and says whether that exchange failed; the next one has to be good.
async fn fails_by_panic_in(hook: Hook) -> bool {
    let gateway = probe("events").await;
    gateway.panic_in("p", hook);
    let reply = gateway.stream("hi").send().await;
    let has_failed = reply.code().is_some();
    assert_eq!(gateway.panicked(), [hook]);
    let next = gateway.stream("hi").send().await;
    next.assert_ok();
    let reservations = gateway.reservations("p");
    assert_eq!((reservations.granted, reservations.lost), (reservations.settled.len(), 0), "{hook:?}");
    has_failed
}

#[tokio::test]
async fn a_hook_panics_once_where_the_test_says() {
    for hook in [Hook::Wants, Hook::Request, Hook::Reserve, Hook::Open, Hook::Event] {
        assert!(fails_by_panic_in(hook).await, "{hook:?}");
    }
    for hook in [Hook::Settle, Hook::End, Hook::Drop] {
        assert!(!fails_by_panic_in(hook).await, "{hook:?}");
    }
}

#[tokio::test]
async fn a_reload_keeps_unchanged_instances_and_leaves_none_behind() {
    let gateway = probe("").await;
    assert!(gateway.repolicy("p", &json!({"deadline": "2s"})).await.unwrap().contains("3 unchanged"));
    let refused = gateway.reload("p", json!({"does": "refuse"})).await.unwrap_err();
    assert!(refused.contains("does") && refused.contains("it is refused"), "{refused}");
    gateway.until_living("p", 1).await;
    gateway.chat("hi").send().await.assert_ok();

    let held = gateway.stream("hi").open().await;
    gateway.reload("p", json!({"does": "upper"})).await.unwrap();
    assert_eq!(gateway.living("p"), 2, "the exchange under way has the one before");
    drop(held);
    gateway.until_living("p", 1).await;
    gateway.chat("hi").send().await.assert_ok();
    assert_eq!(gateway.provider.requests()[2].json()["messages"][0]["content"], "HI");
    assert!(gateway.stop().await);
}

#[tokio::test]
async fn sinks_are_given_every_record_before_the_end() {
    let gateway = probe("").await;
    for _ in 0..3 {
        gateway.chat("hi").send().await.assert_ok();
    }
    let meter = gateway.meter("p");
    assert!(gateway.stop().await);
    assert_eq!(meter.counter_value("delivered"), 3);
}

#[tokio::test]
async fn a_wrong_configuration_says_what_is_wrong() {
    let builder = TestGateway::builder().registered(&PROBE, "p", json!({"dose": "upper"}));
    let problems = builder.try_start().await.unwrap_err();
    assert!(problems.contains("dose") && problems.contains("does"), "{problems}");
    let refused = TestGateway::builder().registered(&PROBE, "p", json!({"does": "refuse"})).try_start().await;
    assert!(refused.unwrap_err().contains("it is refused"));
}

#[tokio::test]
async fn errors_of_the_provider_reach_the_client() {
    let gateway = probe("").await;
    gateway.provider.push(Answer::model("sim?status=400&code=bad"));
    gateway.chat("hi").send().await.assert_denied("bad");
    let outcome = gateway.assert_settled_once("p").await;
    assert!(matches!(outcome, Outcome::Failed { may_be_billed: false, .. }), "{outcome:?}");
}
