//! Faults of a provider and of the way to it: the client always gets a proper status or, once bytes flowed, an error
//! in the stream and its end; the record says what happened; nothing hangs past its deadline.

use std::time::{Duration, Instant};

use gatewright_testkit::harness::{End, Gateway, eventually};
use gatewright_testkit::provider::{Answer, Outcome, SimulatedProvider, Step};
use serde_json::{Value, json};

use crate::support::{chat, delta, error_event_of, error_of, events_of, streamed_chat};

const FIRST_BYTE: Duration = Duration::from_millis(1_200);
const GAP: Duration = Duration::from_millis(400);
/// What a machine that does much else may add to a deadline.
const SLACK: Duration = Duration::from_secs(2);

async fn impatient() -> (SimulatedProvider, Gateway) {
    let provider = SimulatedProvider::start().await;
    let timeouts = json!({"connect": "500ms", "first_byte": "1200ms", "gap": "400ms", "total": "30s"});
    let gateway = Gateway::in_front_of(&provider)
        .set("/providers/simulated/timeouts", timeouts)
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

/// Fails before any byte for the client: a status, a record, and nothing held.
async fn check_refused(gateway: &Gateway, request: &Value, status: u16, code: &str, what: &str) {
    let start = Instant::now();
    let answer = gateway.chat(request).send().await.whole().await;
    let took = start.elapsed();
    let error = error_of(&answer, status);
    assert_eq!(error["code"], code, "{what}");
    assert!(took < FIRST_BYTE + GAP + SLACK, "{what} took {took:?}");
    let record = gateway.record(&answer.id()).await;
    let said = (record.status, record.outcome.as_str(), record.code.as_deref());
    assert_eq!(said, (status, "failed", Some(code)), "{what}");
    check_free(gateway, what).await;
}

/// A limit of one at a time takes the next request at once, so the one before holds nothing.
async fn check_free(gateway: &Gateway, what: &str) {
    let next = gateway.chat(&chat("next")).send().await.whole().await;
    assert_eq!(next.status, 200, "after {what}: {:?}", next.body);
}

#[tokio::test]
async fn fault_u1_a_refused_connection_is_a_502() {
    // A port that was free a moment ago.
    let provider = SimulatedProvider::start().await;
    let address = provider.address();
    drop(provider);
    let gateway = Gateway::builder()
        .provider_at("simulated", &format!("http://{address}/v1"))
        .model("small", &json!([{"provider": "simulated"}]))
        .start()
        .await;
    for request in [chat("x"), streamed_chat("x")] {
        let start = Instant::now();
        let answer = gateway.chat(&request).send().await.whole().await;
        let error = error_of(&answer, 502);
        assert_eq!(error["code"], "upstream_unavailable");
        assert!(!error.to_string().contains(&address.to_string()), "an address is not for callers: {error}");
        assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
        assert_eq!(gateway.record(&answer.id()).await.outcome, "failed");
    }
}

#[tokio::test]
async fn fault_u2_a_name_that_does_not_resolve_is_a_502() {
    let gateway = Gateway::builder()
        .provider_at("simulated", "http://no-such-host.invalid/v1")
        .model("small", &json!([{"provider": "simulated"}]))
        .start()
        .await;
    let answer = gateway.chat(&chat("x")).send().await.whole().await;
    let error = error_of(&answer, 502);
    assert!(!error.to_string().contains("no-such-host"), "{error}");
}

#[tokio::test]
async fn an_address_of_a_private_network_is_not_called_unless_it_is_allowed() {
    let provider = SimulatedProvider::start().await;
    let gateway =
        Gateway::in_front_of(&provider).set("/providers/simulated/allow_private", json!(false)).start().await;
    let answer = gateway.chat(&chat("x")).send().await.whole().await;
    error_of(&answer, 502);
    assert_eq!(provider.connections(), 0);
}

#[tokio::test]
async fn a_connection_that_ends_before_the_head_is_a_502() {
    let (provider, gateway) = impatient().await;
    for request in [chat("x"), streamed_chat("x")] {
        for (what, steps) in [
            ("reset", vec![Step::Reset]),
            ("closed", vec![Step::Close]),
            ("half a head", vec![Step::send("HTTP/1.1 200 OK\r\ncontent-ty"), Step::Close]),
        ] {
            provider.push(Answer::wire(steps));
            check_refused(&gateway, &request, 502, "upstream_unavailable", what).await;
        }
        provider.push(Answer::wire([Step::send("SSH-2.0-OpenSSH_9.2\r\n\r\n")]));
        check_refused(&gateway, &request, 502, "upstream_malformed", "no HTTP").await;
    }
}

#[tokio::test]
async fn fault_u4_a_head_that_never_comes_is_a_504_at_the_deadline() {
    let (provider, gateway) = impatient().await;
    for request in [chat("x"), streamed_chat("x")] {
        provider.push(Answer::wire([Step::Stall]));
        check_refused(&gateway, &request, 504, "upstream_timeout", "silence").await;
    }
    let request = provider.requests().first().cloned().unwrap();
    assert!(matches!(request.wait_for_end().await, Outcome::ClientLeft(_)), "the call is given up");
}

#[tokio::test]
async fn a_stream_that_fails_before_its_first_event_has_a_status_of_its_own() {
    let (provider, gateway) = impatient().await;
    let cases: Vec<(&str, Vec<Step>, u16, &str)> = vec![
        ("stalls", vec![Step::Stall], 504, "upstream_timeout"),
        ("stalls after a comment", vec![Step::send(": hello\n\n"), Step::Stall], 504, "upstream_timeout"),
        ("is reset", vec![Step::Reset], 502, "upstream_unavailable"),
        ("is closed", vec![Step::Close], 502, "upstream_unavailable"),
        ("is empty", vec![], 502, "upstream_unavailable"),
        (
            "ends in half an event",
            vec![Step::send("data: {\"choices\":[{\"ind")],
            502,
            "upstream_unavailable",
        ),
        ("is no JSON", vec![Step::event("{\"choices\":[{\"index\":0,")], 502, "upstream_malformed"),
        (
            "is no UTF-8",
            vec![Step::send(
                &b"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\xc3\x28\"}}]}\n\n"[..],
            )],
            502,
            "upstream_malformed",
        ),
    ];
    for (what, steps, status, code) in cases {
        provider.push(Answer::stream(steps));
        check_refused(&gateway, &streamed_chat("x"), status, code, what).await;
    }
}

#[tokio::test]
async fn a_whole_answer_that_fails_is_a_status_and_never_half_an_answer() {
    let (provider, gateway) = impatient().await;
    let cases = [
        ("sim?reset_after=1", 502, "upstream_unavailable"),
        ("sim?close_after=1", 502, "upstream_unavailable"),
        ("sim?stall_after=1", 504, "upstream_timeout"),
        ("sim?malformed_after=1", 502, "upstream_malformed"),
        ("sim?bad_utf8_after=1", 502, "upstream_malformed"),
    ];
    for (model, status, code) in cases {
        provider.push(Answer::model(model));
        check_refused(&gateway, &chat("x"), status, code, model).await;
    }
    let page = "<html><body>welcome to the hotel's network</body></html>";
    let bodies: [(&str, &[u8]); 4] = [
        ("text/html", page.as_bytes()),
        ("application/json", b""),
        ("application/json", b"[]"),
        ("application/json", b"{}{}"),
    ];
    for (content_type, body) in bodies {
        provider.push(Answer::body(200, content_type, body));
        check_refused(&gateway, &chat("x"), 502, "upstream_malformed", &String::from_utf8_lossy(body)).await;
    }
}

/// Fails in the middle of a stream: what came before is there, then an error event and the end, and nothing is held.
async fn check_cut(provider: &SimulatedProvider, gateway: &Gateway, fault: &str, code: &str) {
    let start = Instant::now();
    let answer = gateway.chat(&streamed_chat("x")).send().await;
    assert_eq!(answer.status, 200, "{fault}");
    let id = answer.id();
    let stream = answer.to_end().await;
    let took = start.elapsed();
    let error = error_event_of(&stream);
    assert_eq!((&error["code"], &error["request_id"]), (&json!(code), &json!(id)), "{fault}");
    assert!(took < GAP + SLACK, "{fault} took {took:?}");
    assert!(stream.text(0).starts_with("This is a"), "what flowed before is there: {stream:?}");
    let record = gateway.record(&id).await;
    assert_eq!((record.outcome.as_str(), record.code.as_deref()), ("failed", Some(code)), "{fault}");
    assert_eq!((record.status, record.usage_source.as_str()), (200, "estimated"), "{fault}");
    assert!(record.output_tokens > 0 && record.input_tokens > 0, "what flowed is counted: {record:?}");
    check_free(gateway, fault).await;
    assert_eq!(provider.requests().len() % 2, 0, "no silent second try after the first byte");
}

#[tokio::test]
async fn fault_u5_u6_u11_u12_a_stream_that_fails_in_the_middle_ends_with_an_error_event() {
    let (provider, gateway) = impatient().await;
    for (fault, code) in [
        ("reset_after=3", "upstream_unavailable"),
        ("close_after=3", "upstream_unavailable"),
        ("half_frame_after=3", "upstream_unavailable"),
        ("stall_after=3", "upstream_timeout"),
        ("malformed_after=3", "upstream_malformed"),
        ("bad_utf8_after=3", "upstream_malformed"),
        ("error_event_after=3", "upstream_error"),
    ] {
        for coalesce in [1, 3] {
            let model = format!("sim?{fault}&coalesce={coalesce}");
            provider.push(Answer::model(&model));
            check_cut(&provider, &gateway, &model, code).await;
        }
    }
}

#[tokio::test]
async fn an_error_event_in_the_middle_carries_no_words_of_the_providers_inside() {
    let (provider, gateway) = impatient().await;
    let mut events = events_of(&["This is a", " line"]);
    events.truncate(3);
    let inside = json!({"error": {"message": "worker 10.3.2.1 crashed", "type": "server_error", "code": "server_error"}});
    events.extend([inside.to_string(), "[DONE]".to_owned()]);
    provider.push(Answer::events(events.iter().map(String::as_str)));
    let stream = gateway.chat(&streamed_chat("x")).send().await.to_end().await;
    let error = error_event_of(&stream);
    assert!(!error.to_string().contains("10.3.2.1"), "{error}");
}

#[tokio::test]
async fn fault_u6_the_end_of_a_streams_connection_is_not_taken_for_the_end_of_its_answer() {
    let (provider, gateway) = impatient().await;
    let body: String =
        events_of(&["a", "b"]).iter().take(3).map(|event| format!("data: {event}\n\n")).collect();
    // Over HTTP/1.0 the end of the connection is the end of the body, so only the events tell.
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
    provider.push(Answer::wire([Step::send(format!("{head}{body}"))]));
    let answer = gateway.chat(&streamed_chat("x")).send().await;
    let id = answer.id();
    let stream = answer.to_end().await;
    assert_eq!(error_event_of(&stream)["code"], "upstream_unavailable");
    assert_eq!(stream.text(0), "ab");
    assert_eq!(gateway.record(&id).await.outcome, "failed");
}

#[tokio::test]
async fn a_provider_that_forgets_the_terminator_after_its_last_choice_is_finished_for_it() {
    let (provider, gateway) = impatient().await;
    provider.push(Answer::model("sim?no_done=1"));
    let answer = gateway.chat(&streamed_chat("x")).send().await;
    let id = answer.id();
    let stream = answer.to_end().await;
    assert!(stream.is_done() && stream.end == End::Clean, "{stream:?}");
    assert_eq!(stream.events.iter().filter(|event| *event == "[DONE]").count(), 1);
    assert_eq!(gateway.record(&id).await.outcome, "completed");
}

#[tokio::test]
async fn a_choice_that_never_finished_makes_the_missing_terminator_an_error() {
    let (provider, gateway) = impatient().await;
    let mut events = events_of(&["a"]);
    // The second choice has begun, and only the first finishes.
    events.insert(1, delta(1, &json!({"content": "b"}), None));
    events.pop();
    provider.push(Answer::events(events.iter().map(String::as_str)));
    let stream = gateway.chat(&streamed_chat("x")).send().await.to_end().await;
    assert_eq!(error_event_of(&stream)["code"], "upstream_unavailable");
}

#[tokio::test]
async fn fault_u11_a_line_without_an_end_is_refused_within_bounded_memory() {
    let (provider, gateway) = impatient().await;
    let before = resident_kib(&gateway);
    let huge = format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{}", "x".repeat(64 * 1024 * 1024));
    provider.push(Answer::stream([Step::event(&delta(0, &json!({"content": "x"}), None)), Step::send(huge)]));
    let answer = gateway.chat(&streamed_chat("x")).send().await;
    let id = answer.id();
    let stream = answer.to_end().await;
    assert!(stream.body.len() < 1024 * 1024, "{}", stream.body.len());
    assert_eq!(error_event_of(&stream)["code"], "upstream_malformed");
    assert_eq!(gateway.record(&id).await.code.as_deref(), Some("upstream_malformed"));
    let grown = peak_kib(&gateway).saturating_sub(before);
    assert!(grown < 32 * 1024, "{grown} KiB more for one line");
    check_free(&gateway, "a huge line").await;
}

fn open_files(gateway: &Gateway) -> usize {
    let id = gateway.process_id().unwrap();
    std::fs::read_dir(format!("/proc/{id}/fd")).unwrap().count()
}

fn resident_kib(gateway: &Gateway) -> u64 {
    status_kib(gateway, "VmRSS:")
}

fn peak_kib(gateway: &Gateway) -> u64 {
    status_kib(gateway, "VmHWM:")
}

fn status_kib(gateway: &Gateway, key: &str) -> u64 {
    let id = gateway.process_id().unwrap();
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[tokio::test]
async fn fault_u11_a_connection_on_which_a_stream_failed_is_not_used_again() {
    let (provider, gateway) = impatient().await;
    let (_, mut connection) = gateway.chat(&chat("x")).send().await.then_connection().await;
    assert_eq!(provider.connections(), 1);
    for fault in ["malformed_after=3", "error_event_after=3"] {
        provider.push(Answer::model(format!("sim?{fault}&tokens=200")));
        connection.ready().await;
        let answer = connection.send(gateway.chat(&streamed_chat("x"))).await;
        let (stream, next) = answer.then_connection().await;
        error_event_of(&stream);
        connection = next;
        connection.ready().await;
        let before = provider.connections();
        let (_, next) = connection.send(gateway.chat(&chat("x"))).await.then_connection().await;
        connection = next;
        if fault.starts_with("malformed") {
            assert_eq!(provider.connections(), before + 1, "{fault}");
        }
    }
}

#[tokio::test]
async fn fault_u13_a_provider_that_is_slow_but_moves_is_left_alone() {
    let (provider, gateway) = impatient().await;
    // Each gap is a quarter of what is allowed, all of them together twice as much.
    provider.push(Answer::model("sim?tokens=9&rate=10"));
    let answer = gateway.chat(&streamed_chat("x")).send().await;
    let id = answer.id();
    assert!(answer.to_end().await.is_done());
    assert_eq!(gateway.record(&id).await.outcome, "completed");
}

#[tokio::test]
async fn a_call_that_takes_longer_than_it_may_as_a_whole_is_ended() {
    let provider = SimulatedProvider::start().await;
    let gateway = Gateway::in_front_of(&provider)
        .set("/providers/simulated/timeouts", json!({"total": "500ms"}))
        .start()
        .await;
    let mut steps = vec![Step::event(&events_of(&[])[0])];
    for _ in 0..100 {
        steps.extend([
            Step::Wait(Duration::from_millis(50)),
            Step::event(&delta(0, &json!({"content": "x"}), None)),
        ]);
    }
    provider.push(Answer::stream(steps));
    let answer = gateway.chat(&streamed_chat("x")).send().await;
    let id = answer.id();
    let start = Instant::now();
    assert_eq!(error_event_of(&answer.to_end().await)["code"], "upstream_timeout");
    assert!(start.elapsed() < SLACK, "{:?}", start.elapsed());
    assert_eq!(gateway.record(&id).await.code.as_deref(), Some("upstream_timeout"));
}

#[tokio::test]
async fn a_stream_that_was_asked_for_and_comes_whole_is_answered_whole() {
    let (provider, gateway) = impatient().await;
    let choice =
        json!({"index": 0, "message": {"role": "assistant", "content": "x"}, "finish_reason": "stop"});
    let body = json!({"object": "chat.completion", "choices": [choice]});
    provider.push(Answer::json(200, &body));
    let answer = gateway.chat(&streamed_chat("x")).send().await.whole().await;
    assert_eq!((answer.status.as_u16(), answer.json()), (200, body));
}

#[tokio::test]
async fn the_gateway_serves_on_after_every_fault_at_once() {
    let (provider, gateway) = impatient().await;
    drop(gateway);
    let timeouts = json!({"first_byte": "1200ms", "gap": "400ms"});
    let gateway =
        Gateway::in_front_of(&provider).set("/providers/simulated/timeouts", timeouts).start().await;
    let faults = [
        "reset_after=2",
        "close_after=2",
        "half_frame_after=2",
        "stall_after=2",
        "malformed_after=2",
        "bad_utf8_after=2",
        "error_event_after=2",
        "status=500",
        "status=503&html_error=1",
        "delay=5000",
        "no_done=1",
        "no_usage=1",
        "huge_line=3000000",
    ];
    gateway.chat(&chat("x")).send().await.whole().await;
    let files = open_files(&gateway);
    let mut clients = tokio::task::JoinSet::new();
    for n in 0..65 {
        provider.push(Answer::model(format!("sim?{}", faults[n % faults.len()])));
        let request = if n % 2 == 0 { streamed_chat("x") } else { chat("x") };
        let request = gateway.chat(&request);
        clients.spawn(async move { request.send().await.to_end().await.end });
    }
    for end in clients.join_all().await {
        assert_eq!(end, End::Clean);
    }
    assert_eq!(gateway.chat(&chat("x")).send().await.status, 200);
    let metrics = gateway.metrics().await;
    assert_eq!(metrics.count("gatewright_exchanges_in_flight", &[]), 0);
    assert!(!gateway.log().contains("panicked"), "{}", gateway.log());
    drop(provider);
    eventually("as few open files as before", async || (open_files(&gateway) <= files).then_some(())).await;
}
