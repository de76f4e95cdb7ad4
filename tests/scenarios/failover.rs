//! Another target takes over as long as no byte has gone to the client, and never after that.

use std::time::{Duration, Instant};

use gatewright_testkit::harness::Gateway;
use gatewright_testkit::provider::{Answer, SimulatedProvider, Step};
use serde_json::{Value, json};

use crate::support::{chat, error_event_of, error_of, streamed_chat};

/// A gateway whose model `small` has two targets, in this order.
async fn with_two_targets() -> (SimulatedProvider, SimulatedProvider, Gateway) {
    let (first, second) = (SimulatedProvider::start().await, SimulatedProvider::start().await);
    let price = json!({"input": 1.0, "output": 2.0});
    let targets = json!([
        {"provider": "first", "model": "one", "price": price},
        {"provider": "second", "model": "two", "price": price},
    ]);
    let timeouts = json!({"first_byte": "1200ms", "gap": "400ms"});
    let gateway = Gateway::builder()
        .provider("first", &first)
        .provider("second", &second)
        .set("/providers/first/timeouts", timeouts.clone())
        .set("/providers/second/timeouts", timeouts)
        .model("small", &targets)
        .extension(
            "one",
            "request-limits",
            &json!({"rules": [{"per": ["key"], "concurrent": 1}]}),
            &["limit"],
        )
        .start()
        .await;
    (first, second, gateway)
}

/// The second target serves, and the first has its record.
async fn check_taken_over(
    gateway: &Gateway,
    second: &SimulatedProvider,
    request: &Value,
    code: &str,
    what: &str,
) {
    let answer = gateway.chat(request).send().await;
    assert_eq!(answer.status, 200, "{what}");
    let id = answer.id();
    let stream = answer.to_end().await;
    let sent = second.next_request().await;
    assert_eq!(sent.json()["model"], "two", "{what}");
    if request["stream"] == json!(true) {
        assert!(stream.is_done() && stream.error().is_none(), "{what}: {stream:?}");
    }
    let attempts = gateway.attempts(&id).await;
    let said: Vec<_> = attempts
        .iter()
        .map(|row| {
            (
                row.attempt,
                row.outcome.as_str(),
                row.code.as_deref(),
                row.provider.as_deref(),
                row.model_served.as_deref(),
            )
        })
        .collect();
    let expected = [
        (1, "failed", Some(code), Some("first"), Some("one")),
        (2, "completed", None, Some("second"), Some("two")),
    ];
    assert_eq!(said, expected, "{what}");
    assert_eq!(attempts[1].output_tokens, sent.bill().completion_tokens, "{what}");
    assert_eq!(gateway.access_line(&id).await["attempts"], 2, "{what}");
    assert_eq!(gateway.metrics().await.count("gatewright_exchanges_in_flight", &[]), 0);
}

#[tokio::test]
async fn a_target_that_fails_before_its_first_byte_is_replaced_and_the_client_sees_nothing_of_it() {
    let (first, second, gateway) = with_two_targets().await;
    let cases = [
        (Answer::model("sim?status=500"), "upstream_error"),
        (Answer::model("sim?status=503"), "overloaded"),
        (Answer::model("sim?status=429&retry_after=1"), "rate_limit_exceeded"),
        (Answer::model("sim?status=401"), "upstream_credential_refused"),
        (Answer::model("sim?status=404"), "model_not_found"),
        (Answer::model("sim?status=502&html_error=1"), "upstream_error"),
        (Answer::wire([Step::Reset]), "upstream_unavailable"),
        (Answer::wire([Step::Close]), "upstream_unavailable"),
        (Answer::wire([Step::send("no HTTP\r\n\r\n")]), "upstream_malformed"),
        (Answer::wire([Step::Stall]), "upstream_timeout"),
    ];
    for (fault, code) in cases {
        for request in [chat("x"), streamed_chat("x")] {
            first.push(fault.clone());
            check_taken_over(&gateway, &second, &request, code, &format!("{fault:?}")).await;
        }
    }
    let streams = [
        (vec![Step::Reset], "upstream_unavailable"),
        (vec![Step::Stall], "upstream_timeout"),
        (vec![Step::event("{\"choices\":[")], "upstream_malformed"),
        (
            vec![Step::event(
                "{\"error\":{\"message\":\"m\",\"type\":\"server_error\",\"code\":\"server_error\"}}",
            )],
            "upstream_error",
        ),
    ];
    for (steps, code) in streams {
        first.push(Answer::stream(steps.clone()));
        check_taken_over(&gateway, &second, &streamed_chat("x"), code, &format!("{steps:?}")).await;
    }
    first.push(Answer::model("sim?reset_after=1"));
    check_taken_over(&gateway, &second, &chat("x"), "upstream_unavailable", "half a whole answer").await;
    let failed = gateway.metrics().await.count("gatewright_attempts_failed_total", &[("provider", "first")]);
    assert_eq!(failed, u64::try_from(first.requests().len()).unwrap());
}

#[tokio::test]
async fn fault_u1_a_refused_connection_costs_no_time() {
    let (first, second, gateway) = with_two_targets().await;
    drop(first);
    check_taken_over(&gateway, &second, &chat("x"), "upstream_unavailable", "warm-up").await;
    let mut took = Vec::new();
    for _ in 0..9 {
        let start = Instant::now();
        assert_eq!(gateway.chat(&chat("x")).send().await.whole().await.status, 200);
        took.push(start.elapsed());
    }
    took.sort_unstable();
    assert!(took[4] < Duration::from_millis(50), "{took:?}");
}

#[tokio::test]
async fn fault_u2_a_host_that_does_not_even_refuse_is_given_up_after_the_connect_timeout() {
    let (_first, second, mut gateway) = with_two_targets().await;
    // A listener whose queue is full answers no further connection.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let silent = socket.listen(1).unwrap();
    let address = silent.local_addr().unwrap();
    let mut held = Vec::new();
    while let Ok(connected) =
        tokio::time::timeout(Duration::from_millis(200), tokio::net::TcpStream::connect(address)).await
    {
        held.push(connected.unwrap());
    }
    gateway.reconfigure_all([
        ("/providers/first/base_url", json!(format!("http://{address}/v1"))),
        ("/providers/first/timeouts/connect", json!("300ms")),
    ]);
    gateway.wait_for_generation(2).await;
    let start = Instant::now();
    check_taken_over(&gateway, &second, &chat("x"), "upstream_unavailable", "silence").await;
    let took = start.elapsed();
    assert!(took >= Duration::from_millis(300) && took < Duration::from_secs(2), "{took:?}");
}

#[tokio::test]
async fn what_every_target_would_refuse_is_not_tried_again() {
    let (first, second, gateway) = with_two_targets().await;
    for (status, expected) in [(400, 400), (413, 413), (422, 422)] {
        first.push(Answer::model(format!("sim?status={status}")));
        error_of(&gateway.chat(&chat("x")).send().await.whole().await, expected);
    }
    assert_eq!((first.requests().len(), second.requests().len()), (3, 0));
}

#[tokio::test]
async fn fault_u9_a_burst_of_failures_asks_each_target_once_for_each_request() {
    let (first, second, gateway) = with_two_targets().await;
    for _ in 0..30 {
        first.push(Answer::model("sim?status=503"));
        second.push(Answer::model("sim?status=529"));
        error_of(&gateway.chat(&chat("x")).send().await.whole().await, 503);
    }
    assert_eq!((first.requests().len(), second.requests().len()), (30, 30));
    assert_eq!(gateway.records().await.len(), 60, "one record for each attempt");
}

#[tokio::test]
async fn after_the_first_byte_there_is_no_second_try() {
    let (first, second, gateway) = with_two_targets().await;
    for fault in
        ["reset_after=1", "stall_after=1", "malformed_after=1", "error_event_after=1", "close_after=1"]
    {
        first.push(Answer::model(format!("sim?{fault}")));
        let answer = gateway.chat(&streamed_chat("x")).send().await;
        let id = answer.id();
        error_event_of(&answer.to_end().await);
        assert_eq!(gateway.attempts(&id).await.len(), 1, "{fault}");
    }
    assert!(second.requests().is_empty());
}

#[tokio::test]
async fn when_all_targets_fail_the_client_reads_of_the_last_failure() {
    let (first, second, gateway) = with_two_targets().await;
    first.push(Answer::model("sim?status=500"));
    second.push(Answer::model("sim?status=503&retry_after=3"));
    let answer = gateway.chat(&chat("x")).send().await.whole().await;
    assert_eq!(error_of(&answer, 503)["code"], "overloaded");
    assert_eq!(answer.header("retry-after"), Some("3"));
    let attempts = gateway.attempts(&answer.id()).await;
    let outcomes: Vec<_> = attempts.iter().map(|row| (row.outcome.as_str(), row.code.as_deref())).collect();
    assert_eq!(outcomes, [("failed", Some("upstream_error")), ("failed", Some("overloaded"))]);
    assert!(attempts.iter().all(|row| row.output_tokens == 0), "{attempts:?}");
}

#[tokio::test]
async fn a_client_that_leaves_during_the_second_try_is_one_exchange() {
    let (first, second, gateway) = with_two_targets().await;
    first.push(Answer::model("sim?status=500"));
    second.push(Answer::wire([Step::Stall]));
    let sending = tokio::spawn(gateway.chat(&chat("x")).send());
    let seen = second.next_request().await;
    sending.abort();
    assert!(seen.wait_for_disconnect().await.is_some());
    let line = gateway.log_line("the access line", |line| line["outcome"] == "client_gone").await;
    let attempts = gateway.attempts(line["id"].as_str().unwrap()).await;
    let outcomes: Vec<_> = attempts.iter().map(|row| row.outcome.as_str()).collect();
    assert_eq!(outcomes, ["failed", "client_gone"]);
}

#[tokio::test]
async fn targets_take_turns_or_shares_where_the_strategy_says_so() {
    let (first, second, mut gateway) = with_two_targets().await;
    gateway.reconfigure("/models/small/strategy", json!("round_robin"));
    gateway.wait_for_generation(2).await;
    // One connection stays on one worker, and turns are a worker's own.
    let mut answer = gateway.chat(&chat("x")).send().await;
    for _ in 0..9 {
        let (_, mut connection) = answer.then_connection().await;
        connection.ready().await;
        answer = connection.send(gateway.chat(&chat("x"))).await;
    }
    answer.whole().await;
    assert_eq!((first.requests().len(), second.requests().len()), (5, 5));

    gateway.reconfigure_all([
        ("/models/small/strategy", json!("weighted")),
        ("/models/small/targets/0/weight", json!(0)),
        ("/models/small/targets/1/weight", json!(5)),
    ]);
    gateway.wait_for_generation(3).await;
    for _ in 0..10 {
        gateway.chat(&chat("x")).send().await.whole().await;
    }
    assert_eq!((first.requests().len(), second.requests().len()), (5, 15));
    second.push(Answer::model("sim?status=500"));
    assert_eq!(
        gateway.chat(&chat("x")).send().await.whole().await.status,
        200,
        "a target of no weight is the last resort"
    );
    assert_eq!(first.requests().len(), 6);
}
