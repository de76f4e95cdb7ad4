//! What is posted, what waits, what survives, and which settings are refused.

use std::sync::Arc;
use std::time::Duration;

use gatewright::dialect::Operation;
use gatewright::prelude::*;
use gatewright::record::UsageRecord;
use gatewright::service::http::HttpError;
use gatewright::{RequestId, Tags, UsageSource};
use gatewright_testkit::extension::{self, EnvBuilder, TestEnv, principal};
use gatewright_testkit::service::HttpCall;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::UsageExport;

const URL: &str = "https://billing.acme.example/usage";

fn record(number: u128) -> Arc<UsageRecord> {
    let mut tags = Tags::default();
    tags.set("team", "core");
    Arc::new(UsageRecord {
        request_id: RequestId::new(1, number),
        attempt: 1,
        principal: Arc::new(Principal { user: Some("ann".into()), ..principal() }),
        route: "default".into(),
        operation: Operation::Chat,
        streamed: true,
        model_asked: "small".into(),
        model_served: Some("small-1".into()),
        provider: Some("simulated".into()),
        status: 200,
        outcome: "completed",
        code: None,
        usage: Usage { input: 7, output: 3, ..Usage::default() },
        usage_source: UsageSource::Provider,
        cost: Some(Money::from_nanos(13)),
        started_unix_ms: 1,
        time_to_first_token: None,
        total: Duration::from_millis(250),
        overhead: Duration::from_micros(40),
        losses: Vec::new(),
        tags,
    })
}

fn records(numbers: std::ops::Range<u128>) -> Vec<Arc<UsageRecord>> {
    numbers.map(record).collect()
}

/// A running instance.
struct Running {
    export: Arc<UsageExport>,
    task: JoinHandle<()>,
}

async fn created(bed: &TestEnv, mut settings: Value) -> Result<UsageExport, BuildError> {
    if settings.get("url").is_none() {
        settings["url"] = json!(URL);
    }
    extension::create_in(bed.env(), settings).await
}

async fn start(bed: &TestEnv, settings: Value) -> Running {
    let export = Arc::new(created(bed, settings).await.expect("the settings are valid"));
    let mut scope = TaskScope::default();
    export.start(&mut scope).await.expect("the spool opens");
    let mut task = scope.into_tasks().pop().expect("it has a task");
    let task = tokio::spawn(async move { (task.body)().await.expect("the spool works") });
    Running { export, task }
}

impl Running {
    /// Ends without a word, as when the process is killed.
    async fn kill(self) {
        self.task.abort();
        assert!(self.task.await.expect_err("it never ends by itself").is_cancelled());
    }

    async fn deliver(&self, numbers: std::ops::Range<u128>) -> Result<(), ExtError> {
        self.export.deliver(&records(numbers)).await
    }
}

/// Lets the poster take its next turns until so many calls were made.
async fn until_called(bed: &TestEnv, count: usize) -> Vec<HttpCall> {
    while bed.http.calls().len() < count {
        bed.clock.until_asleep(1).await;
        bed.clock.advance(Duration::from_secs(1));
        tokio::task::yield_now().await;
    }
    bed.clock.until_asleep(1).await;
    bed.http.calls()
}

fn lines(call: &HttpCall) -> Vec<Value> {
    call.text().lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
}

fn key(call: &HttpCall) -> &str {
    call.headers["idempotency-key"].to_str().expect("text")
}

#[tokio::test]
async fn records_are_posted_in_batches_as_json_lines() {
    let bed = EnvBuilder::default().secret("token", "t-1").secret("signing", "s-1").build();
    bed.http.answer(URL, 204, "");
    let settings = json!({"batch_records": 2, "token_secret": "token", "signing_secret": "signing"});
    let running = start(&bed, settings).await;
    running.deliver(0..3).await.expect("it takes them");
    let calls = until_called(&bed, 2).await;
    assert_eq!(calls.iter().map(|call| lines(call).len()).collect::<Vec<_>>(), [2, 1]);
    assert_ne!(key(&calls[0]), key(&calls[1]));
    assert_eq!(calls[0].headers["content-type"], "application/x-ndjson");
    assert_eq!(calls[0].headers["authorization"], "Bearer t-1");
    assert!(calls[0].headers["x-gatewright-signature"].to_str().expect("text").starts_with("t="));
    let expected = json!({
        "request_id": record(0).request_id.as_str(), "attempt": 1, "started_unix_ms": 1,
        "tenant": "tenant", "project": null, "user": "ann", "key": "key", "route": "default",
        "operation": "chat", "streamed": true, "model_asked": "small", "model_served": "small-1",
        "provider": "simulated", "status": 200, "outcome": "completed", "code": null,
        "usage": {"input": 7, "cache_read": 0, "cache_write": 0, "cache_write_1h": 0, "output": 3,
            "reasoning": 0, "input_audio": 0, "output_audio": 0},
        "usage_source": "provider", "cost_nanos": 13, "first_token_ms": null, "total_ms": 250,
        "overhead_us": 40, "losses": {}, "tags": {"team": "core"},
    });
    assert_eq!(lines(&calls[0])[0], expected);
    assert_eq!(bed.meter.counter_value("exported_records"), 3);
    assert_eq!(bed.meter.gauge_value("spool_records"), Some(0));
    running.kill().await;
}

#[tokio::test]
async fn what_is_not_accepted_is_posted_again_under_its_key_with_longer_and_longer_pauses() {
    let bed = TestEnv::default();
    let unreachable =
        HttpError::Unreachable { origin: "https://billing.acme.example".into(), cause: "no".into() };
    bed.http.answer(URL, 503, "").fail(URL, unreachable).answer(URL, 401, "").answer(URL, 200, "");
    let running = start(&bed, json!({})).await;
    running.deliver(0..2).await.expect("it takes them");
    let mut at = Vec::new();
    for count in 1..=4 {
        let calls = until_called(&bed, count).await;
        at.push(bed.clock.passed().as_secs());
        assert_eq!((key(&calls[0]), lines(&calls[0])), (key(&calls[count - 1]), lines(&calls[count - 1])));
        // What comes meanwhile waits its turn.
        if count < 4 {
            running.deliver(10..11).await.expect("it takes them");
        }
    }
    let pauses: Vec<u64> = at.windows(2).map(|two| two[1] - two[0]).collect();
    assert!(pauses.is_sorted() && pauses[0] >= 1 && pauses[2] >= 4, "{pauses:?}");
    let calls = until_called(&bed, 5).await;
    assert_eq!(lines(&calls[4]).len(), 3);
    assert_eq!(bed.meter.counter_value("failed_posts"), 3);
    running.kill().await;
}

#[tokio::test]
async fn the_spool_survives_a_kill_and_batches_keep_their_records() {
    let bed = TestEnv::default();
    bed.http.answer(URL, 500, "").answer(URL, 200, "");
    let running = start(&bed, json!({"batch_records": 2})).await;
    running.deliver(0..3).await.expect("it takes them");
    let before = until_called(&bed, 1).await;
    running.kill().await;
    // The next instance has other settings; the batch that was tried stays as it was.
    let running = start(&bed, json!({"batch_records": 9})).await;
    assert_eq!(bed.meter.gauge_value("spool_records"), Some(3));
    let calls = until_called(&bed, 3).await;
    assert_eq!((key(&before[0]), lines(&before[0])), (key(&calls[1]), lines(&calls[1])));
    assert_eq!(lines(&calls[2]), [lines(&calls[2])[0].clone()], "the third comes alone, and once");
    assert_eq!(bed.meter.gauge_value("spool_records"), Some(0));
    running.kill().await;
}

#[tokio::test]
async fn a_batch_that_will_never_be_accepted_is_parked_until_the_next_start() {
    let bed = TestEnv::default();
    bed.http.answer(URL, 422, "").answer(URL, 200, "");
    let running = start(&bed, json!({"batch_records": 1})).await;
    running.deliver(0..2).await.expect("it takes them");
    let calls = until_called(&bed, 2).await;
    assert_ne!(key(&calls[0]), key(&calls[1]), "it holds up no other");
    assert_eq!(bed.meter.counter_value("parked_records"), 1);
    running.kill().await;
    let running = start(&bed, json!({})).await;
    let calls = until_called(&bed, 3).await;
    assert_eq!(key(&calls[0]), key(&calls[2]));
    running.kill().await;
}

#[tokio::test]
async fn a_full_spool_refuses_and_takes_records_again_when_there_is_room() {
    let bed = TestEnv::default();
    bed.http.answer(URL, 503, "").answer(URL, 200, "");
    let running = start(&bed, json!({"spool_records": 2})).await;
    running.deliver(0..2).await.expect("it takes them");
    assert!(running.deliver(2..3).await.is_err());
    until_called(&bed, 2).await;
    running.deliver(2..3).await.expect("there is room again");
    running.kill().await;
}

#[tokio::test]
async fn records_that_the_spool_cannot_take_are_refused() {
    let bed = TestEnv::default();
    let running = start(&bed, json!({})).await;
    running.task.abort();
    bed.fail_service("sql");
    assert!(running.deliver(0..1).await.is_err());
}

#[tokio::test]
async fn settings_that_cannot_be_right_are_refused_with_their_place() {
    let cases = [
        (json!({"url": "billing"}), "url: give an absolute http or https URL"),
        (json!({"signing_secret": "s"}), "signing_secret: there is no `s` under `secrets`"),
        (json!({"token_secret": "t"}), "token_secret: there is no `t` under `secrets`"),
        (json!({"batch_records": 0}), "batch_records: give from 1 to 5000"),
        (json!({"batch_records": 5001}), "batch_records: give from 1 to 5000"),
    ];
    let bed = TestEnv::default();
    for (settings, message) in cases {
        let said = created(&bed, settings).await.expect_err("it is refused").to_string();
        assert!(said.starts_with(message), "{said}");
    }
}
