//! Requests that are forms with files: what is short is held and like any other, what is long flows.

use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;
use gatewright_testkit::harness::{Answer as Seen, CALLER_KEY, End, Gateway, GatewayBuilder};
use gatewright_testkit::provider::SimulatedProvider;
use http::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::error_of;

const BOUNDARY: &str = "a-boundary-of-the-client";
const TRANSCRIPTIONS: &str = "/v1/audio/transcriptions";
/// Longer than what is held.
const LONG: usize = 3 << 20;

fn field(name: &str, text: &str) -> String {
    format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n")
}

fn file_head(name: &str) -> String {
    let head = format!("Content-Disposition: form-data; name=\"{name}\"; filename=\"a b.bin\"");
    format!("--{BOUNDARY}\r\n{head}\r\nContent-Type: application/octet-stream\r\n\r\n")
}

fn file(name: &str, content: &[u8]) -> Vec<u8> {
    [file_head(name).as_bytes(), content, b"\r\n"].concat()
}

fn form(parts: &[&[u8]]) -> Bytes {
    [&parts.concat()[..], format!("--{BOUNDARY}--\r\n").as_bytes()].concat().into()
}

/// Bytes in which no two neighbourhoods are alike.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 7_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

fn roomy(builder: GatewayBuilder) -> GatewayBuilder {
    builder
        .set("/listeners/0/limits", json!({"body_bytes_max": "64MiB"}))
        .set("/routes/0/match/path", json!("/*"))
}

/// A gateway that asks the provider for `whisper-1` where a caller asks for `small`.
async fn serving() -> (SimulatedProvider, Gateway) {
    let provider = SimulatedProvider::start().await;
    let targets =
        json!([{"provider": "simulated", "model": "whisper-1", "price": {"input": 1.0, "output": 2.0}}]);
    let gateway = roomy(Gateway::in_front_of(&provider).model("small", &targets)).start().await;
    (provider, gateway)
}

async fn post(gateway: &Gateway, path: &str, form: Bytes) -> Seen {
    let media_type = format!("multipart/form-data; boundary={BOUNDARY}");
    gateway.request(Method::POST, path).body(form).header("content-type", &media_type).send().await
}

/// The head of an upload of this length, or of none that is known.
fn head_of(gateway: &Gateway, length: Option<usize>) -> String {
    let mut head = format!(
        "POST {TRANSCRIPTIONS} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {CALLER_KEY}\r\n\
         content-type: multipart/form-data; boundary={BOUNDARY}\r\nconnection: close\r\n",
        gateway.address()
    );
    match length {
        Some(length) => write!(head, "content-length: {length}\r\n\r\n").unwrap(),
        None => head.push_str("transfer-encoding: chunked\r\n\r\n"),
    }
    head
}

/// A provider whose socket the test reads and writes itself.
struct Bare(TcpListener);

impl Bare {
    async fn start() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    fn base_url(&self) -> String {
        format!("http://{}/v1", self.0.local_addr().unwrap())
    }

    async fn accept(&self) -> TcpStream {
        within(self.0.accept()).await.unwrap().0
    }

    async fn gateway(&self) -> Gateway {
        let builder = Gateway::builder().provider_at("bare", &self.base_url());
        roomy(builder.model("small", &json!([{"provider": "bare"}]))).start().await
    }
}

async fn within<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), what).await.expect("it happens in time")
}

/// Reads until so many bytes have come.
async fn read_at_least(stream: &mut TcpStream, bytes: usize) -> Vec<u8> {
    let mut read = Vec::new();
    while read.len() < bytes {
        let count = within(stream.read_buf(&mut read)).await.unwrap();
        assert!(count > 0, "the stream ends after {} bytes", read.len());
    }
    read
}

/// The status and the body of what comes until the other side closes.
async fn answer_on(client: &mut TcpStream) -> (u16, String) {
    let mut answer = Vec::new();
    within(client.read_to_end(&mut answer)).await.ok();
    let text = String::from_utf8_lossy(&answer).into_owned();
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.unwrap_or_else(|| panic!("an answer: {text:?}")), text)
}

// === What arrives ===

#[tokio::test]
async fn a_form_arrives_byte_for_byte_but_for_the_name_of_the_model() {
    let (provider, gateway) = serving().await;
    let (prompt, sound) = (field("prompt", "names: Zoë"), file("file", b"\0hello\r\n--"));
    let with = |model: &str| form(&[&sound, field("model", model).as_bytes(), prompt.as_bytes()]);
    let answer = post(&gateway, TRANSCRIPTIONS, with("small")).await.whole().await;
    assert_eq!(
        (answer.status.as_u16(), &answer.json()["text"]),
        (200, &json!("\0hello\r\n--")),
        "{answer:?}"
    );
    let arrived = provider.next_request().await;
    assert_eq!((arrived.uri.path(), &arrived.body), (TRANSCRIPTIONS, &with("whisper-1")));
    assert_eq!(arrived.header("content-type"), Some(&*format!("multipart/form-data; boundary={BOUNDARY}")));
    let record = gateway.record(&answer.id()).await;
    assert_eq!((record.operation.as_str(), record.outcome.as_str()), ("transcription", "completed"));
    let bill = arrived.bill();
    assert_eq!((record.input_tokens, record.output_tokens > 0), (bill.prompt_tokens, true));
}

#[tokio::test]
async fn a_long_form_arrives_byte_for_byte_in_flat_memory() {
    let (provider, gateway) = serving().await;
    let sound = noise(20 << 20);
    let with = |model: &str| form(&[field("model", model).as_bytes(), &file("file", &sound)]);
    // What the first exchange allocates stays.
    post(&gateway, TRANSCRIPTIONS, form(&[field("model", "small").as_bytes(), &file("file", &noise(LONG))]))
        .await
        .whole()
        .await;
    provider.next_request().await;
    let before = peak_kib(&gateway);
    let answer = post(&gateway, TRANSCRIPTIONS, with("small")).await.whole().await;
    assert_eq!(answer.status.as_u16(), 200, "{answer:?}");
    let arrived = provider.next_request().await;
    assert!(arrived.body == with("whisper-1"), "every byte is the caller's");
    let length = arrived.header("content-length").map(str::to_owned);
    assert_eq!(length, Some(with("whisper-1").len().to_string()), "a length that is known is said");
    let grown = peak_kib(&gateway).saturating_sub(before);
    assert!(grown < 6 * 1024, "an upload of 20 MiB takes {grown} KiB");
}

fn peak_kib(gateway: &Gateway) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", gateway.process_id().unwrap())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn each_format_of_a_transcript_comes_with_its_media_type() {
    let (_provider, gateway) = serving().await;
    for (format, expected, media_type) in [
        ("text", "hello\n", "text/plain; charset=utf-8"),
        ("vtt", "WEBVTT\n\n00:00.000 --> 00:01.000\nhello\n\n", "text/plain; charset=utf-8"),
    ] {
        let parts = [field("model", "small"), field("response_format", format)].concat();
        let form = form(&[parts.as_bytes(), &file("file", b"hello")]);
        let answer = post(&gateway, "/v1/audio/translations", form).await.whole().await;
        assert_eq!(
            (&answer.body[..], answer.header("content-type")),
            (expected.as_bytes(), Some(media_type))
        );
        assert_eq!(gateway.record(&answer.id()).await.operation, "translation");
    }
}

#[tokio::test]
async fn transcripts_and_images_stream_and_their_usage_is_recorded() {
    let (provider, gateway) = serving().await;
    let fields = [field("model", "small"), field("stream", "true"), field("prompt", "a b c")].concat();
    for (path, name, last) in [
        (TRANSCRIPTIONS, "file", "transcript.text.done"),
        ("/v1/images/edits", "image", "image_edit.completed"),
    ] {
        let form = form(&[fields.as_bytes(), &file(name, b"one two three")]);
        let answer = post(&gateway, path, form).await;
        assert_eq!(answer.header("content-type"), Some("text/event-stream; charset=utf-8"));
        let id = answer.id();
        let stream = answer.to_end().await;
        let arrived = provider.next_request().await;
        assert_eq!((&stream.end, &stream.body), (&End::Clean, &arrived.sent()), "{stream:?}");
        assert!(stream.events.last().unwrap().contains(last), "{stream:?}");
        let record = gateway.record(&id).await;
        assert_eq!(
            (record.input_tokens, record.outcome.as_str()),
            (arrived.bill().prompt_tokens, "completed")
        );
        assert!(record.streamed);
    }
}

// === What flows ===

#[tokio::test]
async fn an_upload_flows_before_it_is_complete_and_waits_for_who_reads_it() {
    let provider = Bare::start().await;
    let gateway = provider.gateway().await;
    let mut client = TcpStream::connect(gateway.address()).await.unwrap();
    let lead = field("model", "small") + &file_head("file");
    client.write_all(head_of(&gateway, Some(60 << 20)).as_bytes()).await.unwrap();
    client.write_all(lead.as_bytes()).await.unwrap();
    client.write_all(&noise(LONG)).await.unwrap();

    let mut upstream = provider.accept().await;
    let seen = read_at_least(&mut upstream, LONG).await;
    assert!(seen.windows(7).any(|window| window == b"a b.bin"), "the upload flows while it comes");

    // Nobody reads any more: what the client can get rid of is bounded by buffers, and far from all.
    let piece = noise(1 << 20);
    let mut taken = 0;
    while taken < 50 << 20 {
        let write = tokio::time::timeout(Duration::from_millis(500), client.write(&piece)).await;
        let Ok(written) = write else { break };
        taken += written.unwrap();
    }
    assert!(taken < 40 << 20, "{taken} bytes were taken from the client, and nobody reads them");
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_of_its_upload_ends_the_call_and_is_settled_once() {
    let provider = Bare::start().await;
    let gateway = provider.gateway().await;
    for rest in [0, 1_000, 2 << 20] {
        let mut client = TcpStream::connect(gateway.address()).await.unwrap();
        let lead = field("model", "small") + &file_head("file");
        client.write_all(head_of(&gateway, Some(60 << 20)).as_bytes()).await.unwrap();
        client.write_all(lead.as_bytes()).await.unwrap();
        client.write_all(&noise(2 << 20)).await.unwrap();
        let mut upstream = provider.accept().await;
        read_at_least(&mut upstream, 1 << 20).await;
        client.write_all(&noise(rest)).await.unwrap();
        drop(client);
        let mut left = Vec::new();
        // The connection is closed or reset: either way nobody takes the form for a whole one.
        within(upstream.read_to_end(&mut left)).await.ok();
    }
    let ends = async || {
        loop {
            let lines = gateway.access_lines();
            if lines.len() >= 3 {
                return lines;
            }
            tokio::task::yield_now().await;
        }
    };
    for line in within(ends()).await {
        assert_eq!(line["outcome"], "client_gone", "{line}");
    }
    assert_eq!(gateway.records().await.len(), 3, "one record each");
}

#[tokio::test]
async fn a_provider_that_answers_early_is_heard_and_the_upload_stops() {
    for (status, told) in [("413 Payload Too Large", 413), ("401 Unauthorized", 502)] {
        let provider = Bare::start().await;
        let gateway = provider.gateway().await;
        let mut client = TcpStream::connect(gateway.address()).await.unwrap();
        let lead = field("model", "small") + &file_head("file");
        client.write_all(head_of(&gateway, Some(60 << 20)).as_bytes()).await.unwrap();
        client.write_all(lead.as_bytes()).await.unwrap();
        client.write_all(&noise(1 << 20)).await.unwrap();
        let mut upstream = provider.accept().await;
        read_at_least(&mut upstream, 1 << 19).await;
        let body = r#"{"error":{"message":"no","type":"invalid_request_error"}}"#;
        let answer = format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
        upstream.write_all(answer.as_bytes()).await.unwrap();
        let (status, text) = answer_on(&mut client).await;
        assert_eq!(status, told, "{text}");
        let mut rest = Vec::new();
        within(upstream.read_to_end(&mut rest)).await.ok();
        assert!(rest.len() < 8 << 20, "the upload went on for {} bytes", rest.len());
    }
}

// === What is tried elsewhere ===

/// A gateway whose first target is at this base URL and whose second is the provider.
async fn failing_over(first: &str, provider: &SimulatedProvider) -> Gateway {
    let targets = json!([{"provider": "first"}, {"provider": "simulated", "model": "second"}]);
    let builder = Gateway::builder().provider_at("first", first).provider("simulated", provider);
    let builder = builder.model("small", &targets).set("/models/small/strategy", json!("first"));
    roomy(builder).start().await
}

#[tokio::test]
async fn an_upload_is_tried_elsewhere_until_its_first_byte_was_sent() {
    let provider = SimulatedProvider::start().await;
    let nobody = format!("http://{}/v1", Bare::start().await.0.local_addr().unwrap());
    let long = form(&[field("model", "small").as_bytes(), &file("file", &noise(LONG))]);
    let gateway = failing_over(&nobody, &provider).await;
    let answer = post(&gateway, TRANSCRIPTIONS, long.clone()).await.whole().await;
    assert_eq!(answer.status.as_u16(), 200, "{answer:?}");
    let second = form(&[field("model", "second").as_bytes(), &file("file", &noise(LONG))]);
    assert!(provider.next_request().await.body == second, "the second target has all of it");

    let busy = SimulatedProvider::start().await;
    let gateway = failing_over(&busy.base_url(), &provider).await;
    let refusal = || gatewright_testkit::provider::Answer::model("sim?status=503");
    busy.push(refusal());
    let answer = post(&gateway, TRANSCRIPTIONS, long).await.whole().await;
    let error = error_of(&answer, 503);
    assert!(error["message"].as_str().unwrap().contains("the upload had begun"), "{error}");
    assert_eq!(provider.requests().len(), 1, "nobody else was asked");

    busy.push(refusal());
    let short = form(&[field("model", "small").as_bytes(), &file("file", b"short")]);
    let answer = post(&gateway, TRANSCRIPTIONS, short).await.whole().await;
    assert_eq!(
        (answer.status.as_u16(), &answer.json()["text"]),
        (200, &json!("short")),
        "what is held can be sent again"
    );
}

// === What is refused ===

#[tokio::test]
async fn fields_behind_what_is_held_are_refused_and_never_reach_a_whole_form() {
    let (provider, gateway) = serving().await;
    let sound = file("file", &noise(LONG));
    let late = form(&[&sound, field("model", "small").as_bytes()]);
    let error = error_of(&post(&gateway, TRANSCRIPTIONS, late).await.whole().await, 400);
    assert_eq!((&error["param"], &error["code"]), (&json!("model"), &json!("field_behind_file")));
    assert!(error["message"].as_str().unwrap().contains("`model` first"), "{error}");

    for name in ["model", "prompt"] {
        let smuggled = form(&[field("model", "small").as_bytes(), &sound, field(name, "other").as_bytes()]);
        let error = error_of(&post(&gateway, TRANSCRIPTIONS, smuggled).await.whole().await, 400);
        assert_eq!(error["param"], json!(name), "{error}");
    }
    let answered = provider.requests().iter().filter(|request| request.bill().prompt_tokens > 0).count();
    assert_eq!(answered, 0, "no provider read a whole form");
}

#[tokio::test]
async fn an_upload_over_the_cap_is_refused_in_the_middle() {
    let provider = SimulatedProvider::start().await;
    let builder = roomy(Gateway::in_front_of(&provider));
    let gateway = builder.set("/listeners/0/limits/body_bytes_max", json!("4MiB")).start().await;
    let long = form(&[field("model", "small").as_bytes(), &file("file", &noise(5 << 20))]);
    let error = error_of(&post(&gateway, TRANSCRIPTIONS, long).await.whole().await, 413);
    assert_eq!(error["code"], "request_too_large");

    let mut client = TcpStream::connect(gateway.address()).await.unwrap();
    client.write_all(head_of(&gateway, None).as_bytes()).await.unwrap();
    let lead = field("model", "small") + &file_head("file");
    let piece = [lead.as_bytes(), &noise(5 << 20)].concat();
    client.write_all(format!("{:x}\r\n", piece.len()).as_bytes()).await.unwrap();
    client.write_all(&piece).await.ok();
    let (status, text) = answer_on(&mut client).await;
    assert_eq!(status, 413, "{text}");
}

#[tokio::test]
async fn a_caller_may_upload_to_no_model_but_its_own() {
    let provider = SimulatedProvider::start().await;
    let keys = json!([{"key": CALLER_KEY, "tenant": "acme", "models": ["other"]}]);
    let gateway = roomy(Gateway::in_front_of(&provider))
        .model("other", &json!([{"provider": "simulated"}]))
        .set("/extensions/0/with/keys", keys)
        .start()
        .await;
    for length in [10, LONG] {
        let asked = form(&[field("model", "small").as_bytes(), &file("file", &noise(length))]);
        let error = error_of(&post(&gateway, TRANSCRIPTIONS, asked).await.whole().await, 403);
        assert_eq!(error["code"], "model_not_allowed");
    }
    assert!(provider.requests().is_empty());
}
