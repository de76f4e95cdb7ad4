//! The provider over real sockets: what a client sees, and what the provider says about it afterwards.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, Version};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;

const DEADLINE: Duration = Duration::from_secs(10);

/// What a client has when an exchange is over.
pub(super) struct Seen {
    pub(super) status: StatusCode,
    pub(super) headers: http::HeaderMap,
    pub(super) body: Vec<u8>,
    /// Whether the body ended in order.
    complete: bool,
}

impl Seen {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The data of all events that are JSON.
    pub(super) fn events(&self) -> Vec<Value> {
        String::from_utf8_lossy(&self.body)
            .split("\n\n")
            .filter_map(|event| serde_json::from_str(event.strip_prefix("data: ")?).ok())
            .collect()
    }

    /// All events that have a name, with their data.
    pub(super) fn named_events(&self) -> Vec<(String, Value)> {
        let body = String::from_utf8_lossy(&self.body);
        let named = |event: &str| {
            let (name, data) = event.strip_prefix("event: ")?.split_once("\ndata: ")?;
            Some((name.to_owned(), serde_json::from_str(data).ok()?))
        };
        body.split("\n\n").filter_map(named).collect()
    }

    pub(super) fn is_done(&self) -> bool {
        self.body.ends_with(b"data: [DONE]\n\n")
    }

    /// The text of all deltas of the first choice.
    fn streamed_text(&self) -> String {
        self.events().iter().filter_map(|event| event["choices"][0]["delta"]["content"].as_str()).collect()
    }
}

async fn send(provider: &SimulatedProvider, request: Request<Full<Bytes>>) -> Seen {
    let socket = TokioIo::new(TcpStream::connect(provider.address()).await.unwrap());
    let (mut sender, connection) = hyper::client::conn::http1::handshake(socket).await.unwrap();
    let connection = tokio::spawn(connection);
    let mut response = sender.send_request(request).await.unwrap();
    let (mut body, mut complete) = (Vec::new(), true);
    while let Some(frame) = response.frame().await {
        match frame {
            Ok(frame) => body.extend_from_slice(frame.data_ref().unwrap()),
            Err(_) => complete = false,
        }
    }
    connection.abort();
    Seen { status: response.status(), headers: response.headers().clone(), body, complete }
}

/// Posts to a path of any face.
pub(super) async fn post_anywhere(provider: &SimulatedProvider, path: &str, body: &Value) -> Seen {
    post_anywhere_with(provider, path, body, ("x-test", "yes")).await
}

/// The same with a header.
pub(super) async fn post_anywhere_with(
    provider: &SimulatedProvider,
    path: &str,
    body: &Value,
    (name, value): (&str, &str),
) -> Seen {
    let url = format!("http://{}{path}", provider.address());
    let request = Request::post(url).header(name, value).body(Full::from(body.to_string())).unwrap();
    tokio::time::timeout(DEADLINE, send(provider, request)).await.unwrap()
}

/// The same with headers.
pub(super) async fn post_with_headers(
    provider: &SimulatedProvider,
    path: &str,
    body: &Value,
    headers: &[(&str, &str)],
) -> Seen {
    let url = format!("http://{}{path}", provider.address());
    let request =
        headers.iter().fold(Request::post(url), |request, (name, value)| request.header(*name, *value));
    let request = request.body(Full::from(body.to_string())).unwrap();
    tokio::time::timeout(DEADLINE, send(provider, request)).await.unwrap()
}

fn post_to(provider: &SimulatedProvider, path: &str, body: &Value) -> Request<Full<Bytes>> {
    let url = format!("{}{path}", provider.base_url());
    Request::post(url).header("x-test", "yes").body(Full::from(body.to_string())).unwrap()
}

async fn post(provider: &SimulatedProvider, path: &str, body: &Value) -> Seen {
    tokio::time::timeout(DEADLINE, send(provider, post_to(provider, path, body))).await.unwrap()
}

async fn chat(provider: &SimulatedProvider, body: Value) -> Seen {
    let mut request = json!({"messages": [{"role": "user", "content": "hello there"}]});
    request.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
    post(provider, "/chat/completions", &request).await
}

#[tokio::test]
async fn bills_what_it_reports() {
    let provider = SimulatedProvider::start().await;
    let whole = chat(&provider, json!({"model": "sim?text=one+two"})).await.json();
    assert_eq!(whole["choices"][0]["message"]["content"], "one two");
    let prompt_tokens = count_tokens("hello there") + TOKENS_PER_MESSAGE;
    assert_eq!(whole["usage"]["prompt_tokens"], prompt_tokens);
    let bill = Bill { model: "sim?text=one+two".to_owned(), prompt_tokens, completion_tokens: 2 };
    assert_eq!(provider.ledger(), [bill]);
}

#[tokio::test]
async fn streams_token_by_token_and_reports_usage_only_when_asked() {
    let provider = SimulatedProvider::start().await;
    let plain = chat(&provider, json!({"model": "sim?text=one+two", "stream": true})).await;
    assert!(plain.is_done());
    assert_eq!(plain.streamed_text(), "one two");
    assert!(plain.events().iter().all(|event| event.get("usage").is_none()));

    let options = json!({"include_usage": true});
    let asked = json!({"model": "sim?text=one+two", "stream": true, "stream_options": options});
    let events = chat(&provider, asked).await.events();
    let (last, others) = events.split_last().unwrap();
    assert_eq!(last["choices"], json!([]));
    assert_eq!(last["usage"]["completion_tokens"], 2);
    assert!(others.iter().all(|event| event["usage"].is_null() && event.get("usage").is_some()));
}

#[tokio::test]
async fn gives_n_choices_with_log_probabilities() {
    let provider = SimulatedProvider::start().await;
    let request = json!({"model": "sim?tokens=2", "n": 3, "logprobs": true, "top_logprobs": 2});
    let whole = chat(&provider, request).await.json();
    assert_eq!(whole["choices"].as_array().unwrap().len(), 3);
    assert_eq!(whole["choices"][2]["logprobs"]["content"][1]["top_logprobs"].as_array().unwrap().len(), 2);
    assert_eq!(whole["usage"]["completion_tokens"], 6);
}

#[tokio::test]
async fn cuts_at_the_token_limit() {
    let provider = SimulatedProvider::start().await;
    let whole = chat(&provider, json!({"model": "sim?tokens=9", "max_completion_tokens": 4})).await.json();
    assert_eq!(whole["choices"][0]["finish_reason"], "length");
    assert_eq!(whole["usage"]["completion_tokens"], 4);
}

fn weather_tools() -> Value {
    let parameters = json!({"type": "object", "properties": {
        "city": {"type": "string"}, "unit": {"enum": ["celsius", "kelvin"]},
    }});
    let tool = |name: &str| json!({"type": "function", "function": {"name": name, "parameters": parameters}});
    json!([tool("weather"), tool("forecast")])
}

#[tokio::test]
async fn calls_tools_in_parallel_with_arguments_in_fragments() {
    let provider = SimulatedProvider::start().await;
    let request = json!({"model": "sim?tools=2", "stream": true, "tools": weather_tools()});
    let events = chat(&provider, request).await.events();
    let mut calls = [(String::new(), String::new()), (String::new(), String::new())];
    let deltas = events.iter().filter_map(|event| event["choices"][0]["delta"]["tool_calls"].as_array());
    for call in deltas.flatten() {
        let at = usize::try_from(call["index"].as_u64().unwrap()).unwrap();
        calls[at].0.push_str(call["function"]["name"].as_str().unwrap_or_default());
        calls[at].1.push_str(call["function"]["arguments"].as_str().unwrap());
    }
    let arguments = json!({"city": "some city", "unit": "celsius"});
    for (call, name) in calls.iter().zip(["weather", "forecast"]) {
        assert_eq!(call.0, name);
        assert_eq!(serde_json::from_str::<Value>(&call.1).unwrap(), arguments);
    }
    assert!(events.iter().any(|event| event["choices"][0]["finish_reason"] == "tool_calls"));
}

#[tokio::test]
async fn answers_a_tool_result_with_text_so_that_a_loop_ends() {
    let provider = SimulatedProvider::start().await;
    let messages = json!([{"role": "tool", "tool_call_id": "call_sim_0_0", "content": "12 degrees"}]);
    let request = json!({"model": "sim?tools=1", "tools": weather_tools(), "messages": messages});
    assert_eq!(chat(&provider, request).await.json()["choices"][0]["finish_reason"], "stop");
}

#[tokio::test]
async fn satisfies_the_schema_of_a_response_format() {
    let provider = SimulatedProvider::start().await;
    let schema = json!({"type": "object", "properties": {"age": {"type": "integer", "minimum": 18}}});
    let format = json!({"type": "json_schema", "json_schema": {"name": "person", "schema": schema}});
    let whole = chat(&provider, json!({"model": "sim", "response_format": format})).await.json();
    let content = whole["choices"][0]["message"]["content"].as_str().unwrap();
    assert_eq!(serde_json::from_str::<Value>(content).unwrap(), json!({"age": 18}));
}

#[tokio::test]
async fn answers_legacy_completions_and_embeddings() {
    let provider = SimulatedProvider::start().await;
    let request = json!({"model": "sim?text=yes", "prompt": ["a", "b"], "echo": true});
    let completion = post(&provider, "/completions", &request).await.json();
    assert_eq!(completion["choices"][1]["text"], "byes");

    let request = json!({"model": "sim", "input": ["a", "b c"], "dimensions": 8});
    let embeddings = post(&provider, "/embeddings", &request).await.json();
    assert_eq!(embeddings["data"][1]["embedding"].as_array().unwrap().len(), 8);
    assert_eq!(embeddings["usage"]["total_tokens"], 3);
}

#[tokio::test]
async fn explains_what_is_wrong_with_a_request() {
    let provider = SimulatedProvider::start().await;
    for (path, body, status, expected) in [
        ("/chat/completions", json!({"messages": []}), 400, json!("model")),
        ("/chat/completions", json!({"model": "sim"}), 400, json!("messages")),
        ("/chat/completions", json!({"model": "sim?nonsense=1", "messages": [1]}), 400, json!("model")),
        ("/embeddings", json!({"model": "sim", "input": ""}), 400, json!("input")),
        ("/unknown", json!({}), 404, Value::Null),
        ("/models", json!({}), 405, Value::Null),
    ] {
        let seen = post(&provider, path, &body).await;
        assert_eq!(seen.status.as_u16(), status, "{path} {body}");
        assert_eq!(seen.json()["error"]["param"], expected, "{path} {body}");
    }
}

#[tokio::test]
async fn refuses_as_told_and_only_as_often() {
    let provider = SimulatedProvider::start().await;
    let told = json!({"model": "sim?fail_first=2&status=503&code=overloaded"});
    for expected in [503, 503, 200, 200] {
        assert_eq!(chat(&provider, told.clone()).await.status.as_u16(), expected);
    }
    let html = chat(&provider, json!({"model": "sim?status=502&html_error=1"})).await;
    assert!(html.body.starts_with(b"<html>"));
    assert_eq!(provider.ledger().iter().filter(|bill| bill.prompt_tokens == 0).count(), 3);
}

#[tokio::test]
async fn breaks_streams_off_in_every_way() {
    let provider = SimulatedProvider::start().await;
    for (fault, text, complete, done) in [
        ("reset_after=2", "This is", false, false),
        ("close_after=2", "This is", false, false),
        ("half_frame_after=2", "This is", false, false),
        ("malformed_after=1", "This is a", true, true),
        ("bad_utf8_after=1", "This\u{fffd}(\u{fffd} is a", true, true),
        ("error_event_after=2", "This is", true, false),
        ("no_done=1", "This is a", true, false),
        ("reset_after=99", "This is a", false, false),
    ] {
        let seen = chat(&provider, json!({"model": format!("sim?tokens=3&{fault}"), "stream": true})).await;
        assert_eq!(
            (seen.streamed_text().as_str(), seen.complete, seen.is_done()),
            (text, complete, done),
            "{fault}"
        );
    }
    let event = chat(&provider, json!({"model": "sim?error_event_after=1&code=busy", "stream": true})).await;
    assert_eq!(event.events().last().unwrap()["error"]["code"], "busy");
}

#[tokio::test]
async fn a_reset_is_a_reset_and_a_close_is_a_close() {
    let provider = SimulatedProvider::start().await;
    for (step, expected) in [(Step::Reset, Some(io::ErrorKind::ConnectionReset)), (Step::Close, None)] {
        provider.push(Answer::stream([Step::send("abc"), step]));
        let mut socket = TcpStream::connect(provider.address()).await.unwrap();
        socket.write_all(b"GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let mut received = Vec::new();
        let ended = socket.read_to_end(&mut received).await;
        assert_eq!(ended.err().map(|error| error.kind()), expected);
        assert!(received.ends_with(b"3\r\nabc\r\n"));
        assert_eq!(provider.next_request().await.wait_for_end().await, Outcome::Broken);
    }
}

#[tokio::test]
async fn breaks_whole_answers_off_in_the_middle() {
    let provider = SimulatedProvider::start().await;
    for fault in ["reset_after=1", "close_after=1"] {
        let seen = chat(&provider, json!({"model": format!("sim?{fault}")})).await;
        assert!(!seen.complete && !seen.body.is_empty(), "{fault}");
    }
    for fault in ["malformed_after=1", "bad_utf8_after=1"] {
        let seen = chat(&provider, json!({"model": format!("sim?{fault}")})).await;
        assert!(seen.complete && serde_json::from_slice::<Value>(&seen.body).is_err(), "{fault}");
    }
}

#[tokio::test]
async fn places_usage_as_told() {
    let provider = SimulatedProvider::start().await;
    let ask = |wish: &str| json!({"model": format!("sim?tokens=2&{wish}"), "stream": true});
    let last_choice = chat(&provider, ask("usage_in_last_choice=1")).await.events();
    assert_eq!(last_choice.last().unwrap()["choices"][0]["finish_reason"], "stop");
    assert_eq!(last_choice.last().unwrap()["usage"]["completion_tokens"], 2);

    let every: Vec<Value> = chat(&provider, ask("usage_every_chunk=1")).await.events();
    let counts: Vec<u64> =
        every.iter().map(|event| event["usage"]["completion_tokens"].as_u64().unwrap()).collect();
    assert_eq!(counts, [0, 1, 2, 2]);

    let lie = chat(&provider, json!({"model": "sim?tokens=2&usage_add=-5"})).await.json();
    assert_eq!(lie["usage"]["completion_tokens"], -3);
    assert!(provider.ledger().iter().all(|bill| bill.completion_tokens == 2));
}

#[tokio::test]
async fn remembers_a_request_to_the_byte() {
    let provider = SimulatedProvider::start().await;
    let body =
        r#"{ "model":"sim", "seed" : 12345678901234567890123, "messages":[{"role":"user","content":"é"}]}"#;
    let request = Request::post(format!("{}/chat/completions?a=b", provider.base_url()))
        .header("x-test", "yes")
        .body(Full::from(body))
        .unwrap();
    send(&provider, request).await;
    let recorded = provider.next_request().await;
    assert_eq!(recorded.body, body);
    assert_eq!(recorded.header("X-Test"), Some("yes"));
    assert_eq!(recorded.uri.query(), Some("a=b"));
    assert_eq!(recorded.wait_for_end().await, Outcome::Answered);
    assert_eq!(recorded.wait_for_disconnect().await, None);
}

#[tokio::test]
async fn sees_the_client_leave_in_the_middle_of_a_stream_and_bills_what_was_sent() {
    let provider = SimulatedProvider::start().await;
    let sent = |text: &str| Step::Send { bytes: Bytes::from(format!("data: {text}\n\n")), tokens: 7 };
    provider.push(Answer::stream([sent("first"), Step::Stall, sent("never")]));
    let client = {
        let request = post_to(&provider, "/chat/completions", &json!({}));
        let address = provider.address();
        tokio::spawn(async move {
            let socket = TokioIo::new(TcpStream::connect(address).await.unwrap());
            let (mut sender, connection) = hyper::client::conn::http1::handshake(socket).await.unwrap();
            tokio::spawn(connection);
            let mut response = sender.send_request(request).await.unwrap();
            response.frame().await.unwrap().unwrap();
        })
    };
    let request = provider.next_request().await;
    client.await.unwrap();
    let left = tokio::time::timeout(DEADLINE, request.wait_for_disconnect()).await.unwrap();
    assert!(left.is_some());
    assert_eq!(request.bill().completion_tokens, 7);
}

#[tokio::test]
async fn sees_the_client_leave_before_the_head() {
    let provider = SimulatedProvider::start().await;
    for answer in [Answer::json(200, &json!({})).after([Step::Stall]), Answer::wire([Step::Stall])] {
        provider.push(answer);
        let mut socket = TcpStream::connect(provider.address()).await.unwrap();
        socket.write_all(b"GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let request = provider.next_request().await;
        assert_eq!(request.outcome(), Outcome::Running);
        drop(socket);
        assert!(tokio::time::timeout(DEADLINE, request.wait_for_disconnect()).await.unwrap().is_some());
    }
}

#[tokio::test]
async fn goes_on_when_the_test_opens_the_gate() {
    let provider = SimulatedProvider::start().await;
    let gate = Gate::new();
    provider.push(Answer::stream([Step::send("a"), Step::WaitFor(gate.clone()), Step::send("b")]));
    let mut socket = TcpStream::connect(provider.address()).await.unwrap();
    socket.write_all(b"GET /v1/models HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut received = Vec::new();
    while !received.ends_with(b"a\r\n") {
        assert_ne!(socket.read_buf(&mut received).await.unwrap(), 0);
    }
    gate.open();
    socket.read_to_end(&mut received).await.unwrap();
    assert!(received.ends_with(b"1\r\nb\r\n0\r\n\r\n"));
}

#[tokio::test]
async fn writes_exact_bytes_on_the_bare_connection() {
    let provider = SimulatedProvider::start().await;
    let bytes = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nabc";
    provider.push(Answer::wire([Step::send(&bytes[..7]), Step::Flush, Step::send(&bytes[7..])]));
    let mut socket = TcpStream::connect(provider.address()).await.unwrap();
    socket.write_all(b"POST /any HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\n?").await.unwrap();
    let mut received = Vec::new();
    socket.read_to_end(&mut received).await.unwrap();
    assert_eq!(received, bytes);
}

#[tokio::test]
async fn speaks_http2_to_those_who_know() {
    let provider = SimulatedProvider::start().await;
    let socket = TokioIo::new(TcpStream::connect(provider.address()).await.unwrap());
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), socket).await.unwrap();
    tokio::spawn(connection);
    let body =
        json!({"model": "sim?tokens=4", "stream": true, "messages": [{"role": "user", "content": "x"}]});
    let response = sender.send_request(post_to(&provider, "/chat/completions", &body)).await.unwrap();
    assert_eq!(response.version(), Version::HTTP_2);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert!(body.ends_with(b"data: [DONE]\n\n"));
    assert_eq!(provider.next_request().await.version, Version::HTTP_2);
}

#[tokio::test]
async fn accepts_only_its_key_where_it_has_one() {
    let settings = ProviderSettings { key: Some("right".to_owned()), ..ProviderSettings::default() };
    let provider = SimulatedProvider::start_with(settings).await.unwrap();
    for (key, expected) in [("right", 200), ("wrong", 401)] {
        let mut request = post_to(&provider, "/embeddings", &json!({"model": "sim", "input": "x"}));
        let value = format!("Bearer {key}").parse().unwrap();
        request.headers_mut().insert(http::header::AUTHORIZATION, value);
        assert_eq!(send(&provider, request).await.status.as_u16(), expected);
    }
}

#[tokio::test]
async fn prerendered_answers_are_the_same_answers() {
    let settings = ProviderSettings { prerender: true, ..ProviderSettings::default() };
    let provider = SimulatedProvider::start_with(settings).await.unwrap();
    for _ in 0..2 {
        let whole = chat_model_first(&provider, "sim?text=one+two", false).await.json();
        assert_eq!(whole["choices"][0]["message"]["content"], "one two");
        assert_eq!(whole["usage"]["prompt_tokens"], PRERENDERED_PROMPT_TOKENS);
        let streamed = chat_model_first(&provider, "sim?text=one+two", true).await;
        assert_eq!((streamed.streamed_text().as_str(), streamed.is_done()), ("one two", true));
    }
    assert!(provider.requests().is_empty());
}

async fn chat_model_first(provider: &SimulatedProvider, model: &str, stream: bool) -> Seen {
    let messages = json!([{"role": "user", "content": "hello"}]);
    let body = json!({"model": model, "stream": stream, "messages": messages});
    post(provider, "/chat/completions", &body).await
}
