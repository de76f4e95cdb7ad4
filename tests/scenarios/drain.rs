//! SIGTERM: not ready at once, streams finish to their last byte up to the deadline, after it an error event and the
//! end.

use std::time::{Duration, Instant};

use gatewright_testkit::harness::{Answer as Answered, End, Gateway, eventually};
use gatewright_testkit::provider::{Answer, Gate, SimulatedProvider, Step};
use serde_json::json;

use crate::support::{chat, error_event_of, error_of, events_of, serving, streamed_chat};

/// A stream of which the client has read the beginning; it goes on when the gate opens.
async fn stream_under_way(provider: &SimulatedProvider, gateway: &Gateway) -> (Answered, Gate) {
    let gate = Gate::new();
    let mut steps: Vec<Step> =
        events_of(&["one", " two", " three"]).iter().map(|event| Step::event(event)).collect();
    steps.insert(2, Step::WaitFor(gate.clone()));
    provider.push(Answer::stream(steps));
    let mut answer = gateway.chat(&streamed_chat("x")).send().await;
    answer.event().await.unwrap();
    (answer, gate)
}

async fn wait_until_not_ready(gateway: &Gateway) {
    eventually("an answer that says not ready", async || (!gateway.is_ready().await).then_some(())).await;
}

#[tokio::test]
async fn fault_p3_a_stream_under_way_finishes_to_its_last_byte_and_the_exit_code_is_0() {
    for signal in ["TERM", "INT"] {
        let (provider, mut gateway) = serving().await;
        let (answer, gate) = stream_under_way(&provider, &gateway).await;
        let id = answer.id();
        gateway.signal(signal).await;
        wait_until_not_ready(&gateway).await;
        let ready = gateway.admin("/readyz").send().await.whole().await;
        assert_eq!(ready.status, 503, "{:?}", ready.body);
        assert!(String::from_utf8_lossy(&ready.body).contains("drain"), "{:?}", ready.body);
        // Without a minimum the next thing is that new connections are not taken.
        eventually("a connection that is refused", async || {
            gateway.chat(&chat("new")).try_send().await.is_err().then_some(())
        })
        .await;

        gate.open();
        let stream = answer.to_end().await;
        assert!(stream.is_done() && stream.end == End::Clean, "{stream:?}");
        assert_eq!(stream.text(0), "one two three");
        assert_eq!(gateway.ended().await.code(), Some(0), "{}", gateway.log());
        let record = gateway.record(&id).await;
        assert_eq!(record.outcome, "completed");
    }
}

#[tokio::test]
async fn a_whole_answer_under_way_is_finished_too() {
    let (provider, mut gateway) = serving().await;
    let gate = Gate::new();
    let choice =
        json!({"index": 0, "message": {"role": "assistant", "content": "x"}, "finish_reason": "stop"});
    provider.push(Answer::json(200, &json!({"choices": [choice]})).after([Step::WaitFor(gate.clone())]));
    let sending = tokio::spawn(gateway.chat(&chat("x")).send());
    provider.next_request().await;
    gateway.signal("TERM").await;
    wait_until_not_ready(&gateway).await;
    gate.open();
    assert_eq!(sending.await.unwrap().whole().await.status, 200);
    assert_eq!(gateway.ended().await.code(), Some(0));
}

#[tokio::test]
async fn an_idle_gateway_with_open_connections_ends_at_once() {
    let (_provider, mut gateway) = serving().await;
    let (_, connection) = gateway.chat(&chat("x")).send().await.then_connection().await;
    let silent = tokio::net::TcpStream::connect(gateway.address()).await.unwrap();
    let start = Instant::now();
    gateway.signal("TERM").await;
    assert_eq!(gateway.ended().await.code(), Some(0));
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    drop((connection, silent));
}

#[tokio::test]
async fn new_requests_are_served_for_the_set_minimum() {
    let provider = SimulatedProvider::start().await;
    let mut gateway = Gateway::in_front_of(&provider)
        .set("/drain", json!({"min": "1500ms", "deadline": "5s"}))
        .start()
        .await;
    let (_, kept_alive) = gateway.chat(&chat("x")).send().await.then_connection().await;
    let start = Instant::now();
    gateway.signal("TERM").await;
    wait_until_not_ready(&gateway).await;
    assert!(
        start.elapsed() < Duration::from_millis(500),
        "readiness is false at once: {:?}",
        start.elapsed()
    );
    for request in [chat("x"), streamed_chat("x")] {
        let answer = gateway.chat(&request).send().await;
        assert_eq!(answer.status, 200, "on a new connection");
        assert_eq!(answer.to_end().await.end, End::Clean);
    }
    assert_eq!(kept_alive.send(gateway.chat(&chat("x"))).await.status, 200, "and on an old one");
    assert_eq!(gateway.ended().await.code(), Some(0));
    assert!(start.elapsed() >= Duration::from_millis(1500), "{:?}", start.elapsed());
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[tokio::test]
async fn what_is_open_at_the_deadline_gets_an_error_event_and_the_exit_code_is_6() {
    let provider = SimulatedProvider::start().await;
    let mut gateway = Gateway::in_front_of(&provider)
        .set("/drain", json!({"min": "0s", "deadline": "700ms"}))
        .start()
        .await;
    let (stream, _gate) = stream_under_way(&provider, &gateway).await;
    let id = stream.id();
    provider.push(Answer::wire([Step::Stall]));
    let whole = tokio::spawn(gateway.chat(&chat("x")).send());
    while provider.requests().len() < 2 {
        provider.next_request().await;
    }
    let start = Instant::now();
    gateway.signal("TERM").await;

    let stream = stream.to_end().await;
    let error = error_event_of(&stream);
    assert_eq!((&error["code"], &error["request_id"]), (&json!("server_shutdown"), &json!(id)));
    assert_eq!(stream.text(0), "one", "what had come before is there");
    let whole = whole.await.unwrap().whole().await;
    assert_eq!(error_of(&whole, 503)["code"], "server_shutdown");
    assert!(start.elapsed() >= Duration::from_millis(700), "{:?}", start.elapsed());
    assert_eq!(gateway.ended().await.code(), Some(6), "{}", gateway.log());
    assert!(
        start.elapsed() < Duration::from_millis(1_700),
        "the end is near the deadline: {:?}",
        start.elapsed()
    );
    for (id, status) in [(id, 200), (whole.id(), 503)] {
        let record = gateway.record(&id).await;
        assert_eq!((record.outcome.as_str(), record.code.as_deref()), ("shutdown", Some("server_shutdown")));
        assert_eq!(record.status, status);
    }
}

#[tokio::test]
async fn told_twice_it_does_not_wait_for_the_deadline() {
    let (provider, mut gateway) = serving().await;
    let (stream, _gate) = stream_under_way(&provider, &gateway).await;
    gateway.signal("TERM").await;
    wait_until_not_ready(&gateway).await;
    let start = Instant::now();
    gateway.signal("TERM").await;
    let stream = stream.to_end().await;
    assert_eq!(gateway.ended().await.code(), Some(6), "{}", gateway.log());
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    assert_eq!(error_event_of(&stream)["code"], "server_shutdown");
}

#[tokio::test]
async fn a_connection_that_is_drained_is_told_to_close() {
    let (provider, mut gateway) = serving().await;
    let (answer, gate) = stream_under_way(&provider, &gateway).await;
    gateway.signal("TERM").await;
    wait_until_not_ready(&gateway).await;
    gate.open();
    let (stream, _connection) = answer.then_connection().await;
    assert!(stream.is_done());
    // A client that keeps its connection does not keep the gateway.
    assert_eq!(gateway.ended().await.code(), Some(0));
}

#[tokio::test]
async fn d1_a_hundred_streams_finish_while_the_gateway_drains() {
    let (provider, mut gateway) = serving().await;
    let mut streams = Vec::new();
    for n in 0..100 {
        provider.push(Answer::model(format!("sim?tokens={}&rate=40&stagger=1", 20 + n % 20)));
        streams.push(gateway.chat(&streamed_chat("x")).send().await);
    }
    gateway.signal("TERM").await;
    let mut finished = 0;
    for stream in streams {
        let stream = stream.to_end().await;
        finished += usize::from(stream.is_done() && stream.end == End::Clean);
    }
    assert_eq!(finished, 100);
    assert_eq!(gateway.ended().await.code(), Some(0));
    assert_eq!(gateway.records().await.iter().filter(|record| record.outcome == "completed").count(), 100);
}
