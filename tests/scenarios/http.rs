//! The edge: HTTP that readers could take in two ways is refused, and nobody can hold a connection for ever.

use std::time::{Duration, Instant};

use bytes::Bytes;
use gatewright_testkit::harness::{CALLER_KEY, Gateway, within};
use gatewright_testkit::provider::{Answer, Gate, SimulatedProvider, Step};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{chat, serving, streamed_chat};

const BODY: &str = r#"{"model":"small","messages":[{"role":"user","content":"x"}]}"#;

fn request(headers: &str, body: &str) -> String {
    format!("POST /v1/chat/completions HTTP/1.1\r\n{headers}authorization: Bearer {CALLER_KEY}\r\n\r\n{body}")
}

/// Asks and returns what comes until the gateway closes the connection.
async fn ask(gateway: &Gateway, text: &str) -> String {
    gateway.raw(text.as_bytes()).await
}

#[tokio::test]
async fn a_request_that_readers_could_take_in_two_ways_is_a_400_and_the_end_of_its_connection() {
    let (provider, gateway) = serving().await;
    let length = BODY.len();
    let chunked = format!("{length:x}\r\n{BODY}\r\n0\r\n\r\n");
    let good = format!("host: x\r\ncontent-length: {length}\r\n");
    let cases = [
        ("two hosts", request(&format!("host: x\r\nhost: y\r\ncontent-length: {length}\r\n"), BODY)),
        (
            "the same host twice",
            request(&format!("host: x\r\nhost: x\r\ncontent-length: {length}\r\n"), BODY),
        ),
        ("no host", request(&format!("content-length: {length}\r\n"), BODY)),
        ("a host with a path", request(&format!("host: x/y?z\r\ncontent-length: {length}\r\n"), BODY)),
        ("a length and a coding", request(&format!("{good}transfer-encoding: chunked\r\n"), &chunked)),
        ("two lengths", request(&format!("{good}content-length: 5\r\n"), BODY)),
        ("a list of lengths", request("host: x\r\ncontent-length: 5, 6\r\n", BODY)),
        ("a signed length", request("host: x\r\ncontent-length: +5\r\n", BODY)),
        ("another coding", request("host: x\r\ntransfer-encoding: gzip, chunked\r\n", &chunked)),
        ("a coding twice", request("host: x\r\ntransfer-encoding: chunked, chunked\r\n", &chunked)),
        ("an unknown coding", request("host: x\r\ntransfer-encoding: xchunked\r\n", &chunked)),
        ("space before the colon", request(&format!("{good}x-a : b\r\n"), BODY)),
        ("a folded header", request(&format!("{good}x-a: b\r\n c\r\n"), BODY)),
        ("a bare line feed", request(&format!("{good}x-a: b\n"), BODY)),
        ("a carriage return in a value", request(&format!("{good}x-a: b\rc\r\n"), BODY)),
        ("a zero in a value", request(&format!("{good}x-a: b\0c\r\n"), BODY)),
        (
            "space in a chunk size",
            request(
                "host: x\r\ntransfer-encoding: chunked\r\n",
                &format!("{length:x} \r\n{BODY}\r\n0\r\n\r\n"),
            ),
        ),
        ("a target elsewhere", request(&good, BODY).replace("/v1/chat", "http://elsewhere/v1/chat")),
        ("no version", "GET /v1/models\r\n\r\n".to_owned()),
        ("no HTTP", "\x16\x03\x01\x02\x00\x01\x00\x01\r\n\r\n".to_owned()),
    ];
    for (what, text) in cases {
        let answer = ask(&gateway, &text).await;
        assert!(
            answer.starts_with("HTTP/1.1 400") || answer.starts_with("HTTP/1.0 400"),
            "{what}: {answer:?}"
        );
        assert_eq!(
            answer.matches("HTTP/1.").count(),
            1,
            "{what}: nothing is taken for a second request: {answer:?}"
        );
    }
    assert!(provider.requests().is_empty());
    let fine = request(&format!("{good}connection: close\r\n"), BODY);
    assert!(ask(&gateway, &fine).await.starts_with("HTTP/1.1 200"));
    let fine = request("host: x\r\ntransfer-encoding: chunked\r\nconnection: close\r\n", &chunked);
    assert!(ask(&gateway, &fine).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_smuggled_second_request_is_not_served() {
    let (provider, gateway) = serving().await;
    let hidden = request(&format!("host: x\r\ncontent-length: {}\r\n", BODY.len()), BODY);
    let body = format!("0\r\n\r\n{hidden}");
    let outer = format!("host: x\r\ncontent-length: {}\r\ntransfer-encoding: chunked\r\n", body.len());
    let answer = ask(&gateway, &request(&outer, &body)).await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert!(provider.requests().is_empty());
}

#[tokio::test]
async fn two_requests_in_one_write_are_answered_in_their_order() {
    let (_provider, gateway) = serving().await;
    let length = BODY.len();
    let first = request(&format!("host: x\r\ncontent-length: {length}\r\n"), BODY);
    let second = format!(
        "GET /v1/models HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {CALLER_KEY}\r\nconnection: close\r\n\r\n"
    );
    let answer = ask(&gateway, &format!("{first}{second}")).await;
    let (completion, models) = (answer.find("chat.completion").unwrap(), answer.find("\"list\"").unwrap());
    assert!(completion < models && answer.matches("HTTP/1.1 200").count() == 2, "{answer}");
}

#[tokio::test]
async fn a_head_that_is_too_large_or_has_too_many_fields_is_refused() {
    let provider = SimulatedProvider::start().await;
    let gateway = Gateway::in_front_of(&provider)
        .set("/listeners/0/limits", json!({"headers_max": 20, "header_bytes_max": "8KiB"}))
        .start()
        .await;
    let length = format!("content-length: {}\r\nconnection: close\r\n", BODY.len());
    let many: String = (0..30).map(|n| format!("x-{n}: v\r\n")).collect();
    for headers in [
        format!("host: x\r\n{length}{many}"),
        format!("host: x\r\n{length}x-long: {}\r\n", "v".repeat(9_000)),
    ] {
        let answer = ask(&gateway, &request(&headers, BODY)).await;
        assert!(answer.starts_with("HTTP/1.1 431") || answer.starts_with("HTTP/1.1 400"), "{answer}");
    }
    let long_target = format!("GET /v1/models?{} HTTP/1.1\r\nhost: x\r\n\r\n", "a".repeat(9_000));
    let answer = ask(&gateway, &long_target).await;
    assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
    assert!(provider.requests().is_empty());
    assert_eq!(gateway.chat(&chat("x")).send().await.status, 200);
}

/// Says nothing more and returns what came until the gateway closed the connection, and after how long.
async fn wait_for_close(mut socket: TcpStream) -> (String, Duration) {
    let start = Instant::now();
    let mut answer = Vec::new();
    // A reset is an end as well.
    within("the end of a connection", socket.read_to_end(&mut answer)).await.ok();
    (String::from_utf8_lossy(&answer).into_owned(), start.elapsed())
}

#[tokio::test]
async fn fault_c4_c6_nobody_holds_a_connection_for_ever() {
    let provider = SimulatedProvider::start().await;
    let limits = json!({"header_timeout": "300ms", "idle_timeout": "500ms", "body_idle_timeout": "400ms"});
    let gateway = Gateway::in_front_of(&provider).set("/listeners/0/limits", limits).start().await;
    let half_head = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nx-sl";
    let half_body = request("host: x\r\ncontent-length: 500\r\n", "{\"model\":");
    let whole = request(&format!("host: x\r\ncontent-length: {}\r\n", BODY.len()), BODY);
    for (what, sent, expected) in [
        ("nothing", "", ""),
        ("half a head", half_head, "408"),
        ("half a body", half_body.as_str(), "408"),
        ("a request and then nothing", whole.as_str(), "200"),
    ] {
        let mut socket = TcpStream::connect(gateway.address()).await.unwrap();
        socket.write_all(sent.as_bytes()).await.unwrap();
        let (answer, took) = wait_for_close(socket).await;
        assert!(took < Duration::from_secs(3), "{what} holds it for {took:?}");
        assert!(answer.is_empty() || answer.contains(expected), "{what}: {answer}");
        if what == "half a body" {
            assert!(answer.contains("request_timeout"), "{answer}");
        }
    }
    assert_eq!(gateway.chat(&chat("x")).send().await.status, 200);
}

#[tokio::test]
async fn a_body_that_comes_slowly_but_comes_is_taken() {
    let provider = SimulatedProvider::start().await;
    let limits = json!({"header_timeout": "300ms", "body_idle_timeout": "300ms"});
    let gateway = Gateway::in_front_of(&provider).set("/listeners/0/limits", limits).start().await;
    let mut socket = TcpStream::connect(gateway.address()).await.unwrap();
    let head = request(&format!("host: x\r\ncontent-length: {}\r\nconnection: close\r\n", BODY.len()), "");
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut pause = tokio::time::interval(Duration::from_millis(50));
    for piece in BODY.as_bytes().chunks(6) {
        pause.tick().await;
        socket.write_all(piece).await.unwrap();
    }
    let (answer, _) = wait_for_close(socket).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn connections_beyond_the_cap_of_an_address_are_closed_and_the_others_served() {
    let provider = SimulatedProvider::start().await;
    let gateway = Gateway::in_front_of(&provider)
        .set("/listeners/0/limits", json!({"connections_per_ip_max": 3}))
        .start()
        .await;
    let mut held = Vec::new();
    for _ in 0..3 {
        let (_, connection) = gateway.chat(&chat("x")).send().await.then_connection().await;
        held.push(connection);
    }
    assert!(gateway.chat(&chat("x")).try_send().await.is_err(), "a fourth is not served");
    let connection = held.pop().unwrap();
    assert_eq!(connection.send(gateway.chat(&chat("x"))).await.status, 200);
}

type Sender = http2::SendRequest<Full<Bytes>>;

/// Connects without TLS as a client that knows that the gateway speaks HTTP/2.
async fn http2_connection(gateway: &Gateway) -> Result<Sender, String> {
    let socket = TcpStream::connect(gateway.address()).await.map_err(|error| error.to_string())?;
    let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(socket)).await;
    let (sender, connection) = handshake.map_err(|error| error.to_string())?;
    tokio::spawn(connection);
    Ok(sender)
}

async fn ask_over_http2(mut sender: Sender, body: String) -> Result<(u16, Bytes), String> {
    let request = http::Request::post("http://gateway.example/v1/chat/completions")
        .header("authorization", format!("Bearer {CALLER_KEY}"))
        .body(Full::new(Bytes::from(body)))
        .unwrap();
    let answer = within("an answer over HTTP/2", sender.send_request(request)).await;
    let answer = answer.map_err(|error| error.to_string())?;
    let status = answer.status().as_u16();
    let body = within("a body over HTTP/2", answer.into_body().collect())
        .await
        .map_err(|error| error.to_string())?;
    Ok((status, body.to_bytes()))
}

async fn http2_status(gateway: &Gateway) -> Result<(u16, Bytes), String> {
    ask_over_http2(http2_connection(gateway).await?, streamed_chat("x").to_string()).await
}

#[tokio::test]
async fn calls_beyond_the_connections_of_a_provider_wait_for_their_turn_and_not_longer_than_allowed() {
    let provider = SimulatedProvider::start().await;
    let gateway = Gateway::in_front_of(&provider)
        .set("/listeners/0/http2_cleartext", json!(true))
        .set("/providers/simulated/connections_max", json!(1))
        .set("/providers/simulated/timeouts", json!({"connect": "400ms"}))
        .start()
        .await;
    // One connection of a client is served by one worker, which has one connection to the provider.
    let sender = http2_connection(&gateway).await.unwrap();
    let gate = Gate::new();
    for _ in 0..2 {
        provider.push(Answer::json(200, &json!({"choices": []})).after([Step::WaitFor(gate.clone())]));
    }
    let first = tokio::spawn(ask_over_http2(sender.clone(), BODY.to_owned()));
    provider.next_request().await;
    let start = Instant::now();
    let (status, body) = ask_over_http2(sender.clone(), BODY.to_owned()).await.unwrap();
    let took = start.elapsed();
    assert_eq!(status, 503, "{body:?}");
    assert!(String::from_utf8_lossy(&body).contains("\"overloaded\""), "{body:?}");
    assert!(took >= Duration::from_millis(350) && took < Duration::from_secs(2), "{took:?}");

    // One that waits for less long than that gets its turn.
    let second = tokio::spawn(ask_over_http2(sender, BODY.to_owned()));
    gate.open();
    assert_eq!(first.await.unwrap().unwrap().0, 200);
    gate.open();
    assert_eq!(second.await.unwrap().unwrap().0, 200);
}

#[tokio::test]
async fn http2_in_the_clear_is_off_unless_it_is_switched_on() {
    let provider = SimulatedProvider::start().await;
    let gateway = Gateway::in_front_of(&provider).start().await;
    assert!(http2_status(&gateway).await.is_err());
    let gateway =
        Gateway::in_front_of(&provider).set("/listeners/0/http2_cleartext", json!(true)).start().await;
    let (status, body) = http2_status(&gateway).await.unwrap();
    assert_eq!(status, 200);
    assert!(body.ends_with(b"data: [DONE]\n\n"), "{body:?}");
    assert_eq!(gateway.chat(&chat("x")).send().await.status, 200, "and HTTP/1.1 as well");
}

#[tokio::test]
async fn every_answer_of_the_edge_is_an_error_object_too() {
    let (_provider, gateway) = serving().await;
    let answer =
        ask(&gateway, &request(&format!("host: x\r\nhost: y\r\ncontent-length: {}\r\n", BODY.len()), BODY))
            .await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.to_lowercase().contains("content-type: application/json"), "{head}");
    assert!(head.to_lowercase().contains("connection: close"), "{head}");
    let error: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(error["error"]["type"], "invalid_request_error");
    assert!(error["error"]["message"].as_str().unwrap().to_lowercase().contains("host"), "{error}");
}

#[tokio::test]
async fn fault_n3_a_request_in_the_smallest_pieces_is_the_same_request() {
    let (provider, gateway) = serving().await;
    let text = request(&format!("host: x\r\ncontent-length: {}\r\nconnection: close\r\n", BODY.len()), BODY);
    let mut socket = TcpStream::connect(gateway.address()).await.unwrap();
    socket.set_nodelay(true).unwrap();
    for byte in text.as_bytes() {
        socket.write_all(&[*byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    let (answer, _) = wait_for_close(socket).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(provider.next_request().await.body, BODY);
}

#[tokio::test]
async fn a_client_that_asks_before_it_sends_is_told_to_go_on_or_refused() {
    let (provider, gateway) = serving().await;
    let head =
        format!("host: x\r\ncontent-length: {}\r\nexpect: 100-continue\r\nconnection: close\r\n", BODY.len());
    let mut socket = TcpStream::connect(gateway.address()).await.unwrap();
    socket.write_all(request(&head, "").as_bytes()).await.unwrap();
    let mut go_on = [0; 25];
    within("the word to go on", socket.read_exact(&mut go_on)).await.unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    socket.write_all(BODY.as_bytes()).await.unwrap();
    let (answer, _) = wait_for_close(socket).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(provider.next_request().await.body, BODY);

    let stranger = request(&head, "").replace(CALLER_KEY, "nobody-knows-me");
    let mut socket = TcpStream::connect(gateway.address()).await.unwrap();
    socket.write_all(stranger.as_bytes()).await.unwrap();
    let (answer, _) = wait_for_close(socket).await;
    assert!(answer.starts_with("HTTP/1.1 401"), "nothing is asked for that is not wanted: {answer}");
}
