//! However an exchange ends, it is settled exactly once: its place in a limit of one at a time is free, there is one
//! record, and a client that left has ended the provider's work.

use std::time::Duration;

use gatewright_store::UsageRow;
use gatewright_testkit::harness::{CALLER_KEY, End, Gateway, eventually};
use gatewright_testkit::provider::{Answer, Gate, Outcome, RecordedRequest, SimulatedProvider, Step};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::{chat, delta, error_of, events_of, serving, streamed_chat};

/// How soon the provider must learn that nobody waits for its answer.
const CANCELLED_WITHIN: Duration = Duration::from_millis(100);

/// Events of an answer that is far longer than what the sockets on its way hold.
const EVENTS: u32 = 1_000;

/// An answer of about 64 MiB.
fn endless(pause: Duration) -> Answer {
    let event = format!("data: {}\n\n", delta(0, &json!({"content": "x".repeat(64 * 1024)}), None));
    let event = Step::Send { bytes: event.into(), tokens: 1 };
    let steps: Vec<Step> = (0..EVENTS).flat_map(|_| [event.clone(), Step::Wait(pause)]).collect();
    Answer::stream(steps)
}

async fn one_at_a_time() -> (SimulatedProvider, Gateway) {
    let provider = SimulatedProvider::start().await;
    let gateway = Gateway::in_front_of(&provider)
        .extension(
            "one",
            "request-limits",
            &json!({"rules": [{"per": ["key"], "concurrent": 1}]}),
            &["limit"],
        )
        .start()
        .await;
    (provider, gateway)
}

/// The place is taken: another request is refused.
async fn check_taken(gateway: &Gateway) {
    let answer = gateway.chat(&chat("another")).send().await.whole().await;
    assert_eq!(error_of(&answer, 429)["code"], "too_many_concurrent_requests");
}

/// The place is free at once, the exchange has one record with this outcome, and nothing is under way.
async fn check_settled(gateway: &Gateway, id: &str, outcome: &str) {
    let next = gateway.chat(&chat("next")).send().await.whole().await;
    assert_eq!(next.status, 200, "the place is free after `{outcome}`: {:?}", next.body);
    assert_eq!(gateway.record(id).await.outcome, outcome);
    assert_eq!(gateway.records().await.iter().filter(|record| record.request_id == id).count(), 1);
    let metrics = gateway.metrics().await;
    assert_eq!(metrics.count("gatewright_exchanges_in_flight", &[]), 0);
    assert!(metrics.has("gatewright_exchanges_total", &[("outcome", outcome), ("status", "200")]));
    assert_eq!(gateway.access_lines().iter().filter(|line| line["id"] == id).count(), 1);
}

#[tokio::test]
async fn an_answer_that_is_done_is_settled_before_its_client_reads_the_end() {
    let (provider, gateway) = one_at_a_time().await;
    for request in [chat("x"), streamed_chat("x")] {
        let gate = Gate::new();
        let wait = Step::WaitFor(gate.clone());
        let answer = if request["stream"] == json!(true) {
            let mut steps: Vec<Step> =
                events_of(&["a", "b"]).iter().map(|event| Step::event(event)).collect();
            steps.insert(2, wait);
            Answer::stream(steps)
        } else {
            let choice = json!({"index": 0, "message": {"role": "assistant", "content": "x"}, "finish_reason": "stop"});
            Answer::json(200, &json!({"choices": [choice]})).after([wait])
        };
        provider.push(answer);
        let sending = tokio::spawn(gateway.chat(&request).send());
        provider.next_request().await;
        check_taken(&gateway).await;
        gate.open();
        let answer = sending.await.unwrap();
        let id = answer.id();
        assert_eq!(answer.to_end().await.end, End::Clean);
        check_settled(&gateway, &id, "completed").await;
        provider.next_request().await;
    }
}

#[tokio::test]
async fn a_stream_that_the_provider_breaks_off_is_settled_once() {
    let (provider, gateway) = one_at_a_time().await;
    for fault in ["reset_after=2", "error_event_after=2", "malformed_after=2", "close_after=2"] {
        provider.push(Answer::model(format!("sim?{fault}")));
        let answer = gateway.chat(&streamed_chat("x")).send().await;
        let id = answer.id();
        answer.to_end().await;
        check_settled(&gateway, &id, "failed").await;
    }
}

/// Waits until the provider knows that nobody waits, and returns how long after `left` that was.
async fn noticed(request: &RecordedRequest, left: Instant) -> Duration {
    let at = request.wait_for_disconnect().await.expect("the gateway ends the call");
    at.saturating_duration_since(left)
}

/// The middle of several measurements, because a busy machine may hold one of them up.
#[track_caller]
fn check_prompt(mut took: Vec<Duration>) {
    took.sort_unstable();
    let middle = took[took.len() / 2];
    assert!(middle <= CANCELLED_WITHIN, "the provider learns of it after {took:?}");
}

/// The record of the only exchange whose client left.
async fn record_of_the_client_that_left(gateway: &Gateway, nth: usize) -> UsageRow {
    eventually("the record of a client that left", async || {
        let mut left: Vec<UsageRow> =
            gateway.records().await.into_iter().filter(|record| record.outcome == "client_gone").collect();
        assert!(left.len() <= nth + 1, "each exchange has one record: {left:?}");
        (left.len() == nth + 1).then(|| left.remove(nth))
    })
    .await
}

async fn check_free_soon(gateway: &Gateway) {
    eventually("a free place after a client that left", async || {
        (gateway.chat(&chat("next")).send().await.status == 200).then_some(())
    })
    .await;
    assert_eq!(gateway.metrics().await.count("gatewright_exchanges_in_flight", &[]), 0);
}

/// Leaves while the gateway waits for the provider's head, or for the rest of a whole answer.
async fn leave_before_the_head(answer: Answer, request: Value) {
    let (provider, gateway) = one_at_a_time().await;
    let mut took = Vec::new();
    for n in 0..5 {
        provider.push(answer.clone());
        let sending = tokio::spawn(gateway.chat(&request).send());
        let seen = provider.next_request().await;
        check_taken(&gateway).await;
        let left = Instant::now();
        sending.abort();
        took.push(noticed(&seen, left).await);
        let record = record_of_the_client_that_left(&gateway, n).await;
        assert_eq!(
            (record.code.as_deref(), record.usage_source.as_str()),
            (Some("client_gone"), "estimated")
        );
        assert!(record.input_tokens > 0, "the prompt was sent, so it may cost: {record:?}");
        check_free_soon(&gateway).await;
        provider.next_request().await;
    }
    check_prompt(took);
}

#[tokio::test]
async fn fault_c1_a_client_that_leaves_before_the_first_byte_ends_the_call() {
    leave_before_the_head(Answer::wire([Step::Stall]), chat("x")).await;
}

#[tokio::test]
async fn fault_c1_a_client_of_a_stream_that_leaves_before_the_first_byte_ends_the_call() {
    leave_before_the_head(
        Answer::stream([Step::send(": wait\n\n"), Step::Flush, Step::Stall]),
        streamed_chat("x"),
    )
    .await;
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_of_a_whole_answer_ends_the_call() {
    leave_before_the_head(Answer::model("sim?stall_after=1"), chat("x")).await;
}

#[tokio::test]
async fn fault_c2_a_client_that_leaves_in_mid_stream_ends_the_call_and_is_counted() {
    let (provider, gateway) = one_at_a_time().await;
    let mut took = Vec::new();
    for n in 0..5 {
        provider.push(Answer::model("sim?stall_after=12"));
        let mut answer = gateway.chat(&streamed_chat("x")).send().await;
        let id = answer.id();
        let seen = provider.next_request().await;
        for _ in 0..10 {
            answer.event().await.unwrap();
        }
        check_taken(&gateway).await;
        let left = Instant::now();
        drop(answer);
        took.push(noticed(&seen, left).await);
        let record = record_of_the_client_that_left(&gateway, n).await;
        assert_eq!((record.request_id.as_str(), record.status), (id.as_str(), 200));
        let billed = seen.bill().completion_tokens;
        assert!(
            (billed / 3..=billed * 3).contains(&record.output_tokens),
            "{billed} were billed: {record:?}"
        );
        assert!(record.input_tokens > 0 && record.cost_nanos.is_some(), "{record:?}");
        check_free_soon(&gateway).await;
        provider.next_request().await;
    }
    check_prompt(took);
}

#[tokio::test]
async fn a_client_that_leaves_while_a_stream_is_moving_ends_it_too() {
    let (provider, gateway) = one_at_a_time().await;
    provider.push(endless(Duration::from_millis(5)));
    let mut answer = gateway.chat(&streamed_chat("x")).send().await;
    let seen = provider.next_request().await;
    for _ in 0..5 {
        answer.event().await.unwrap();
    }
    drop(answer);
    assert!(matches!(seen.wait_for_end().await, Outcome::ClientLeft(_)));
    assert!(seen.bill().completion_tokens < 500, "{:?}", seen.bill());
    check_free_soon(&gateway).await;
}

#[tokio::test]
async fn a_client_that_leaves_during_its_upload_leaves_nothing_behind() {
    let (provider, gateway) = one_at_a_time().await;
    let key = CALLER_KEY;
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\ncontent-length: 1000\r\n\r\n{{\"model\":"
    );
    for _ in 0..3 {
        let mut socket = tokio::net::TcpStream::connect(gateway.address()).await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut socket, head.as_bytes()).await.unwrap();
        drop(socket);
    }
    eventually("three exchanges that ended", async || {
        let metrics = gateway.metrics().await;
        (metrics.count("gatewright_exchanges_total", &[("outcome", "not_sent")]) == 3).then_some(())
    })
    .await;
    check_free_soon(&gateway).await;
    assert_eq!(provider.requests().len(), 1, "only the last one was sent on");
}

#[tokio::test]
async fn fault_c3_a_client_that_stops_reading_holds_the_provider_back_and_is_given_up() {
    let provider = SimulatedProvider::start().await;
    let gateway = Gateway::in_front_of(&provider)
        .set("/listeners/0/limits", json!({"write_stall_timeout": "700ms"}))
        .extension(
            "one",
            "request-limits",
            &json!({"rules": [{"per": ["key"], "concurrent": 1}]}),
            &["limit"],
        )
        .start()
        .await;
    provider.push(endless(Duration::ZERO));
    let answer = gateway.chat(&streamed_chat("x")).send().await;
    let id = answer.id();
    let seen = provider.next_request().await;
    // Nothing is read from here on.
    assert!(matches!(seen.wait_for_end().await, Outcome::ClientLeft(_)), "the call is given up");
    let billed = seen.bill().completion_tokens;
    assert!(billed < u64::from(EVENTS), "the gateway takes no more than it can hand on: {billed}");
    let record = gateway.record(&id).await;
    assert_eq!(record.outcome, "client_gone", "{record:?}");
    check_free_soon(&gateway).await;
    drop(answer);
}

#[tokio::test]
async fn clients_that_come_and_go_in_all_ways_at_once_leave_nothing_behind() {
    let (provider, gateway) = serving().await;
    let behaviours =
        ["sim", "sim?reset_after=3", "sim?rate=500", "sim?stall_after=4", "sim?status=500", "sim?delay=50"];
    let mut clients = tokio::task::JoinSet::new();
    for n in 0..60 {
        provider.push(Answer::model(behaviours[n % behaviours.len()]));
        let request = gateway.chat(&if n % 3 == 0 { chat("x") } else { streamed_chat("x") });
        // Each client has its patience; those of a stall end by it.
        let patience = Duration::from_millis(u64::try_from(20 + n * 7).unwrap());
        clients.spawn(async move {
            tokio::time::timeout(patience, async { request.send().await.to_end().await }).await.is_ok()
        });
    }
    clients.join_all().await;
    eventually("nothing under way", async || {
        (gateway.metrics().await.count("gatewright_exchanges_in_flight", &[]) == 0).then_some(())
    })
    .await;
    // Who leaves while a connection to the provider is being made has an attempt that the provider never saw.
    // The log is read from a pipe, so its last lines may be on their way.
    let ended = gateway.metrics().await.count("gatewright_exchanges_total", &[]);
    let attempts = eventually("one line for each exchange, one record for each attempt", async || {
        let lines = gateway.access_lines();
        let attempts = lines.iter().filter(|line| line["attempts"] != 0).count();
        let is_complete = u64::try_from(lines.len()) == Ok(ended);
        (is_complete && gateway.records().await.len() == attempts).then_some(attempts)
    })
    .await;
    assert!((40..=60).contains(&attempts) && provider.requests().len() <= attempts, "{attempts}");
}
