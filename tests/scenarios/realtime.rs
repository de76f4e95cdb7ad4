//! Realtime sessions: events flow both ways, are limited, counted and recorded, and end in words that both sides know.

use std::fs;
use std::time::Duration;

use gatewright_testkit::harness::{CALLER_KEY, Gateway, GatewayBuilder, PROVIDER_KEY, Session, eventually};
use gatewright_testkit::provider::{Outcome, SimulatedProvider};
use gatewright_wire::web_socket::{Close, Kind, Masking, Unit, write};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

const VOICE: &str = "/v1/realtime?model=voice";

fn builder(provider: &SimulatedProvider, model: &str) -> GatewayBuilder {
    let price = json!({"input": 1.0, "output": 2.0, "input_audio": 4.0, "output_audio": 8.0});
    let targets = json!([{"provider": "simulated", "model": model, "price": price}]);
    Gateway::builder().provider("simulated", provider).model("voice", &targets)
}

async fn serving(model: &str) -> (SimulatedProvider, Gateway) {
    let provider = SimulatedProvider::start().await;
    let gateway = builder(&provider, model).start().await;
    (provider, gateway)
}

fn bearer() -> String {
    format!("Bearer {CALLER_KEY}")
}

async fn try_open(gateway: &Gateway, target: &str, headers: &[(&str, &str)]) -> Result<Session, String> {
    let bearer = bearer();
    let headers = [&[("authorization", bearer.as_str())], headers].concat();
    Session::open(gateway.address(), target, &headers).await
}

/// A session whose provider has said that it is there.
async fn open(gateway: &Gateway) -> Session {
    let mut session = try_open(gateway, VOICE, &[]).await.unwrap();
    assert_eq!(session.event().await["type"], "session.created");
    session
}

async fn respond(session: &mut Session, modality: &str) {
    session.tell(&json!({"type": "response.create", "response": {"output_modalities": [modality]}})).await;
}

async fn say(session: &mut Session, text: &str) {
    let content = json!([{"type": "input_text", "text": text}]);
    let item = json!({"type": "message", "role": "user", "content": content});
    session.tell(&json!({"type": "conversation.item.create", "item": item})).await;
}

/// The error of a refusal over HTTP.
fn refused(session: Result<Session, String>, status: u16) -> Value {
    let answer = session.expect_err("no session");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    let body: Value = serde_json::from_str(body).unwrap_or_else(|_| panic!("{answer}"));
    body["error"].clone()
}

#[tokio::test]
async fn a_session_is_relayed_counted_and_recorded_once() {
    let (provider, gateway) = serving("sim?tokens=5&cached=1").await;
    let mut session = open(&gateway).await;
    say(&mut session, "hello big world").await;
    assert_eq!(session.event().await["type"], "conversation.item.added");
    respond(&mut session, "audio").await;
    let done = session.event_of("response.done").await;
    let usage = &done["response"]["usage"];
    assert_eq!(usage["output_token_details"]["audio_tokens"], 10);
    respond(&mut session, "text").await;
    session.event_of("response.done").await;
    let sound = json!({"type": "input_audio_buffer.append", "audio": "A".repeat(64_000)});
    session.tell(&sound).await;
    session.tell(&json!({"type": "input_audio_buffer.commit"})).await;
    session.event_of("conversation.item.input_audio_transcription.completed").await;
    let id = session.id();
    assert_eq!(session.close(1000).await.code, 1000);

    let record = gateway.record(&id).await;
    let request = provider.next_request().await;
    let bill = request.bill();
    assert_eq!(
        (record.outcome.as_str(), record.status, record.usage_source.as_str()),
        ("completed", 101, "provider")
    );
    assert_eq!((record.operation.as_str(), record.streamed), ("realtime", true));
    assert_eq!(record.input_tokens + record.cache_read_tokens, bill.prompt_tokens);
    assert_eq!(record.output_tokens, bill.completion_tokens);
    assert_eq!(
        (record.output_audio_tokens, record.input_audio_tokens, record.cache_read_tokens),
        (10, 10, 2)
    );
    assert!(record.cost_nanos.is_some());
    assert_eq!(request.wait_for_end().await, Outcome::Answered);
    assert_eq!(request.uri.to_string(), "/v1/realtime?model=sim%3Ftokens%3D5%26cached%3D1");
    assert_eq!(request.header("authorization"), Some(&*format!("Bearer {PROVIDER_KEY}")));
    assert_eq!(gateway.access_lines().len(), 1);
}

#[tokio::test]
async fn a_key_among_the_subprotocols_opens_a_session_and_goes_nowhere() {
    let (provider, gateway) = serving("sim").await;
    let offer = format!("realtime, openai-insecure-api-key.{CALLER_KEY}, openai-beta.realtime-v1");
    let mut session =
        Session::open(gateway.address(), VOICE, &[("sec-websocket-protocol", &offer)]).await.unwrap();
    assert_eq!(session.header("sec-websocket-protocol"), Some("realtime"));
    session.event().await;
    let request = provider.next_request().await;
    assert_eq!(request.header("sec-websocket-protocol"), Some("realtime, openai-beta.realtime-v1"));
    assert!(!format!("{:?}", request.headers).contains(CALLER_KEY));
    session.close(1000).await;
    assert_eq!(gateway.record(&session.id()).await.tenant, "acme");
    for secret in [CALLER_KEY, PROVIDER_KEY] {
        assert!(!gateway.log().contains(secret), "{}", gateway.log());
    }

    let stranger = "openai-insecure-api-key.no-such-key";
    let answer = Session::open(gateway.address(), VOICE, &[("sec-websocket-protocol", stranger)]).await;
    assert_eq!(refused(answer, 401)["code"], "invalid_api_key");
    let both = try_open(&gateway, VOICE, &[("sec-websocket-protocol", &offer)]).await;
    assert_eq!(refused(both, 400)["param"], "sec-websocket-protocol");
    assert_eq!(provider.requests().len(), 1);
}

#[tokio::test]
async fn what_is_no_handshake_is_refused_over_http_in_the_dialect() {
    let (provider, gateway) = serving("sim").await;
    let auth = format!("authorization: {}", bearer());
    let key = "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==";
    let good = ["connection: Upgrade", "upgrade: websocket", "sec-websocket-version: 13", key, &*auth];
    let without =
        |name: &str| good.iter().copied().filter(|line| !line.starts_with(name)).collect::<Vec<_>>();
    let with = |more: &'static str| [&good[..], &[more]].concat();
    let table = [
        ("GET", VOICE, without("upgrade"), 426, Some("upgrade"), "invalid_handshake"),
        ("GET", VOICE, without("connection"), 426, Some("upgrade"), "invalid_handshake"),
        (
            "GET",
            VOICE,
            without("sec-websocket-version"),
            426,
            Some("sec-websocket-version"),
            "invalid_handshake",
        ),
        ("GET", VOICE, without("sec-websocket-key"), 400, Some("sec-websocket-key"), "invalid_handshake"),
        ("GET", VOICE, with(key), 400, Some("sec-websocket-key"), "invalid_handshake"),
        (
            "GET",
            VOICE,
            with("sec-websocket-protocol: a,,b"),
            400,
            Some("sec-websocket-protocol"),
            "invalid_handshake",
        ),
        ("GET", VOICE, with("content-length: 3"), 400, None, "invalid_handshake"),
        ("GET", VOICE, with("origin: https://evil.example"), 403, Some("origin"), "origin_not_allowed"),
        ("POST", VOICE, good.to_vec(), 405, None, "method_not_allowed"),
        ("GET", "/v1/realtime", good.to_vec(), 400, Some("model"), ""),
        ("GET", "/v1/realtime?model=voice&call_id=x", good.to_vec(), 400, Some("call_id"), "unsupported"),
        ("GET", "/v1/realtime?model=nobody", good.to_vec(), 404, Some("model"), "model_not_found"),
        ("GET", VOICE, without("authorization"), 401, None, "invalid_api_key"),
    ];
    for (method, target, lines, status, param, code) in table {
        let head = format!("{method} {target} HTTP/1.1\r\nhost: gateway\r\n{}\r\n\r\n", lines.join("\r\n"));
        let error = refused(Session::open_with(gateway.address(), head.as_bytes()).await, status);
        assert_eq!(error["param"].as_str(), param, "{head}{error}");
        assert_eq!(error["code"].as_str().unwrap_or_default(), code, "{head}{error}");
    }
    assert!(provider.requests().is_empty());
}

#[tokio::test]
async fn pages_of_a_listed_origin_open_sessions() {
    let provider = SimulatedProvider::start().await;
    let gateway =
        builder(&provider, "sim").set("/realtime/origins", json!(["https://app.example"])).start().await;
    assert!(try_open(&gateway, VOICE, &[("origin", "https://app.example")]).await.is_ok());
    let error = refused(try_open(&gateway, VOICE, &[("origin", "https://app.example.evil")]).await, 403);
    assert!(error["message"].as_str().unwrap().contains("realtime.origins"));
}

#[tokio::test]
async fn an_event_may_come_in_any_pieces() {
    let (provider, gateway) = serving("sim").await;
    let mut session = open(&gateway).await;
    let event = json!({"type": "session.update", "session": {"instructions": "gr\u{fc}\u{df}e"}}).to_string();
    let mut frame = Vec::new();
    write(Kind::Text, event.as_bytes(), Masking::Client([9, 8, 7, 6]), &mut frame);
    for place in 0..frame.len() {
        let (one, two) = frame.split_at(place);
        session.write(one).await;
        session.stream().flush().await.unwrap();
        session.write(two).await;
        assert_eq!(session.event().await["session"]["instructions"], "gr\u{fc}\u{df}e", "{place}");
    }
    // In fragments of one byte, with a question between them.
    for (place, byte) in event.as_bytes().iter().enumerate() {
        let (first, last) = (place == 0, place + 1 == event.len());
        let mask = [1, 2, 3, 4];
        session.write(&[u8::from(first) | (u8::from(last) << 7), 0x81]).await;
        session.write(&[mask[0], mask[1], mask[2], mask[3], byte ^ mask[0]]).await;
        if place == 1 {
            session.send(Kind::Ping, b"there?").await;
        }
    }
    assert_eq!(session.next().await, Some(Unit::Pong("there?".into())));
    assert_eq!(session.event().await["type"], "session.updated");
    let messages = provider.next_request().await.messages();
    assert_eq!(messages.len(), frame.len() + 1);
    assert!(messages.iter().all(|message| **message == *event.as_bytes()));
}

#[tokio::test]
async fn no_event_of_the_caller_leads_to_another_model() {
    let (provider, gateway) = serving("sim?tokens=1").await;
    let mut session = open(&gateway).await;
    session.tell(&json!({"type": "session.update", "session": {"model": "sim?tokens=9"}})).await;
    assert_eq!(session.event().await["error"]["code"], "model_not_allowed");
    session.send(Kind::Text, b"{not json").await;
    let error = session.event().await;
    assert_eq!((&error["type"], &error["error"]["code"]), (&json!("error"), &json!("invalid_json")));
    // The model's own name is the caller's word, and the provider reads its own.
    session.tell(&json!({"type": "session.update", "session": {"model": "voice"}})).await;
    assert_eq!(session.event().await["type"], "session.updated");
    let messages = provider.next_request().await.messages();
    assert_eq!(messages.len(), 1);
    assert!(String::from_utf8_lossy(&messages[0]).contains("sim?tokens=1"));

    session.send(Kind::Binary, b"{}").await;
    assert_eq!(session.event().await["type"], "error");
    assert_eq!(session.closed().await.code, Close::UNSUPPORTED);
}

#[tokio::test]
async fn a_caller_who_breaks_the_protocol_is_told_and_closed() {
    let provider = SimulatedProvider::start().await;
    let gateway = builder(&provider, "sim").set("/realtime/message_bytes_max", json!("4KiB")).start().await;
    let huge = {
        let mut frame = Vec::new();
        write(Kind::Text, &[b' '; 5_000], Masking::Client([0; 4]), &mut frame);
        frame
    };
    let table: [(&[u8], u16); 4] = [
        (&[0x81, 0x00], Close::PROTOCOL),
        (&[0xc1, 0x80, 0, 0, 0, 0], Close::PROTOCOL),
        (&[0x81, 0x81, 0, 0, 0, 0, 0xff], Close::NOT_TEXT),
        (&huge, Close::TOO_LARGE),
    ];
    for (bytes, code) in table {
        let mut session = open(&gateway).await;
        session.write(bytes).await;
        assert_eq!(session.event().await["error"]["code"], "invalid_web_socket");
        assert_eq!(session.closed().await.code, code);
        let record = gateway.record(&session.id()).await;
        assert_eq!(record.code.as_deref(), Some("invalid_web_socket"));
    }
}

#[tokio::test]
async fn a_limit_ends_the_session_in_which_it_is_reached() {
    let provider = SimulatedProvider::start().await;
    let rules = json!([{"per": ["key"], "window": "hour", "output_tokens": 1500}]);
    let gateway = builder(&provider, "sim?tokens=900")
        .extension("budget", "token-limits", &json!({"rules": rules, "overrun": "cut"}), &["limit"])
        .start()
        .await;
    let mut session = open(&gateway).await;
    respond(&mut session, "text").await;
    session.event_of("response.done").await;
    respond(&mut session, "text").await;
    let error = session.event_of("error").await;
    assert_eq!(error["error"]["code"], "token_limit_exceeded", "{error}");
    let close = session.closed().await;
    assert_eq!(close.code, Close::POLICY);
    let record = gateway.record(&session.id()).await;
    assert_eq!((record.outcome.as_str(), record.code.as_deref()), ("cut", Some("token_limit_exceeded")));
    assert!((1_200..=1_500).contains(&record.output_tokens), "{record:?}");
    provider.next_request().await.wait_for_end().await;
    let next = try_open(&gateway, VOICE, &[]).await;
    assert_eq!(refused(next, 429)["code"], "token_limit_exceeded");
}

#[tokio::test]
async fn a_place_is_held_as_long_as_the_session() {
    let provider = SimulatedProvider::start().await;
    let rules = json!([{"per": ["key"], "concurrent": 1}]);
    let gateway = builder(&provider, "sim")
        .extension("one", "request-limits", &json!({"rules": rules}), &["limit"])
        .start()
        .await;
    let mut first = open(&gateway).await;
    refused(try_open(&gateway, VOICE, &[]).await, 429);
    first.close(1000).await;
    eventually("a place that is free again", async || try_open(&gateway, VOICE, &[]).await.ok()).await;
}

#[tokio::test]
async fn what_cannot_be_looked_into_is_refused_where_a_rule_would_have_to() {
    let provider = SimulatedProvider::start().await;
    let rules = json!({"presets": ["email"]});
    for (mode, opens) in [("enforce", false), ("shadow", true), ("off", true)] {
        let gateway = builder(&provider, "sim")
            .extension("hide", "mask", &rules, &["response"])
            .set("/extensions/1/mode", json!(mode))
            .start()
            .await;
        let session = try_open(&gateway, VOICE, &[]).await;
        if opens {
            assert!(session.is_ok(), "{mode}");
            continue;
        }
        let error = refused(session, 400);
        assert_eq!(error["code"], "session_not_filtered");
        assert!(error["message"].as_str().unwrap().contains("`hide`"), "{error}");
    }
}

#[tokio::test]
async fn another_target_is_tried_until_one_has_switched() {
    let provider = SimulatedProvider::start().await;
    let gateway = builder(&provider, "sim")
        .set(
            "/models/voice/targets",
            json!([
                {"provider": "simulated", "model": "sim?status=503"},
                {"provider": "simulated", "model": "sim?tokens=1"},
            ]),
        )
        .model("down", &json!([{"provider": "simulated", "model": "sim?status=429&retry_after=7"}]))
        .start()
        .await;
    let mut session = open(&gateway).await;
    session.close(1000).await;
    let records = gateway.attempts(&session.id()).await;
    let outcomes: Vec<_> = records.iter().map(|record| record.outcome.as_str()).collect();
    assert_eq!(outcomes, ["failed", "completed"]);
    let answer = try_open(&gateway, "/v1/realtime?model=down", &[]).await;
    assert!(answer.as_ref().is_err_and(|answer| answer.contains("retry-after: 7")), "{answer:?}");
    refused(answer, 429);
}

#[tokio::test]
async fn a_provider_that_breaks_off_is_an_error_event_and_a_close() {
    let table = [
        ("sim?tokens=9&close_after=3", None, 1011, "upstream_closed"),
        ("sim?tokens=9&reset_after=3", Some("upstream_unavailable"), 1011, "upstream_unavailable"),
        ("sim?tokens=9&half_frame_after=3", Some("upstream_unavailable"), 1011, "upstream_unavailable"),
        ("sim?tokens=9&malformed_after=3", Some("upstream_malformed"), 1011, "upstream_malformed"),
        ("sim?tokens=9&bad_utf8_after=3", Some("upstream_malformed"), 1011, "upstream_malformed"),
        ("sim?tokens=9&huge_line=100000", Some("upstream_malformed"), 1011, "upstream_malformed"),
    ];
    for (model, error, close, code) in table {
        let provider = SimulatedProvider::start().await;
        let gateway =
            builder(&provider, model).set("/realtime/message_bytes_max", json!("64KiB")).start().await;
        let mut session = open(&gateway).await;
        respond(&mut session, "text").await;
        if let Some(error) = error {
            assert_eq!(session.event_of("error").await["error"]["code"], error, "{model}");
        }
        assert_eq!(session.closed().await.code, close, "{model}");
        let record = gateway.record(&session.id()).await;
        assert_eq!((record.outcome.as_str(), record.code.as_deref()), ("failed", Some(code)), "{model}");
        // A reset takes along what was not read yet.
        let text = if model.contains("huge") || model.contains("reset") { 0 } else { 3 };
        assert!(record.output_tokens >= text, "what came is estimated: {record:?}");
    }
}

#[tokio::test]
async fn the_end_of_either_side_is_the_end_of_the_other() {
    let (provider, gateway) = serving("sim?tokens=9&stall_after=4").await;
    let mut session = open(&gateway).await;
    respond(&mut session, "text").await;
    for _ in 0..4 {
        session.event_of("response.output_text.delta").await;
    }
    let id = session.id();
    drop(session);
    let record = gateway.record(&id).await;
    assert_eq!((record.outcome.as_str(), record.code.as_deref()), ("client_gone", Some("client_gone")));
    assert!(record.output_tokens >= 4);

    let mut session = open(&gateway).await;
    drop(provider);
    assert_eq!(session.event().await["error"]["code"], "upstream_unavailable");
    assert_eq!(session.closed().await.code, Close::INTERNAL);
}

#[tokio::test]
async fn a_turn_is_finished_before_the_gateway_goes() {
    let (_provider, mut gateway) = serving("sim?tokens=30&rate=20").await;
    let mut busy = open(&gateway).await;
    let mut idle = open(&gateway).await;
    respond(&mut busy, "text").await;
    busy.event_of("response.output_text.delta").await;
    gateway.signal("TERM").await;
    assert_eq!(idle.closed().await.code, Close::GOING_AWAY);
    busy.event_of("response.done").await;
    assert_eq!(busy.closed().await.code, Close::GOING_AWAY);
    assert_eq!(gateway.ended().await.code(), Some(0), "{}", gateway.log());
    for session in [busy, idle] {
        let record = gateway.record(&session.id()).await;
        assert_eq!((record.outcome.as_str(), record.code.as_deref()), ("completed", Some("server_shutdown")));
    }
}

#[tokio::test]
async fn a_turn_that_lasts_longer_than_the_deadline_is_cut_with_an_error_event() {
    let provider = SimulatedProvider::start().await;
    let mut gateway =
        builder(&provider, "sim?tokens=9&stall_after=4").set("/drain/deadline", json!("1s")).start().await;
    let mut session = open(&gateway).await;
    respond(&mut session, "text").await;
    session.event_of("response.output_text.delta").await;
    gateway.signal("TERM").await;
    assert_eq!(session.event_of("error").await["error"]["code"], "server_shutdown");
    assert_eq!(session.closed().await.code, Close::GOING_AWAY);
    gateway.ended().await;
    assert_eq!(gateway.record(&session.id()).await.outcome, "shutdown");
}

#[tokio::test]
async fn a_session_ends_when_nobody_speaks_and_when_it_has_lasted_long_enough() {
    for (setting, code, close) in [
        ("idle_timeout", "idle_timeout", Close::NORMAL),
        ("duration_max", "session_expired", Close::GOING_AWAY),
    ] {
        let provider = SimulatedProvider::start().await;
        let gateway =
            builder(&provider, "sim").set(&format!("/realtime/{setting}"), json!("500ms")).start().await;
        let mut session = open(&gateway).await;
        assert_eq!(session.closed().await.code, close);
        assert_eq!(gateway.record(&session.id()).await.code.as_deref(), Some(code));
    }
}

/// What a process holds in memory, in KiB.
fn resident_kib(gateway: &Gateway) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", gateway.process_id().unwrap())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse().unwrap()
}

#[tokio::test]
async fn a_caller_who_does_not_read_slows_the_provider_down_and_fills_no_memory() {
    let (provider, gateway) = serving("sim?tokens=5000").await;
    let mut session = open(&gateway).await;
    let before = resident_kib(&gateway);
    respond(&mut session, "audio").await;
    let request = provider.next_request().await;
    let (mut last, mut looks) = (0, 0);
    eventually("a provider that is held up", async || {
        let now = request.bill().completion_tokens;
        looks = if now > 0 && now == last { looks + 1 } else { 0 };
        last = now;
        (looks > 50).then_some(())
    })
    .await;
    assert!(last < 15_000, "the provider said everything: {last}");
    let grown = resident_kib(&gateway).saturating_sub(before);
    assert!(grown < 16 * 1024, "{grown} KiB more");
    while !matches!(session.next().await.unwrap(), Unit::Text(event) if event.starts_with(br#"{"type":"response.done""#))
    {
    }
    assert_eq!(request.bill().completion_tokens, 15_000);
    session.close(1000).await;
    assert_eq!(gateway.record(&session.id()).await.output_tokens, 15_000);
}

#[tokio::test]
async fn a_provider_that_does_not_read_slows_the_caller_down_and_fills_no_memory() {
    let (_provider, gateway) = serving("sim?tokens=9&stall_after=1").await;
    let mut session = open(&gateway).await;
    respond(&mut session, "text").await;
    session.event_of("response.output_text.delta").await;
    let before = resident_kib(&gateway);
    let mut frame = Vec::new();
    let sound = json!({"type": "input_audio_buffer.append", "audio": "A".repeat(60_000)}).to_string();
    write(Kind::Text, sound.as_bytes(), Masking::Client([1, 2, 3, 4]), &mut frame);
    let mut sent = 0_usize;
    while timeout(Duration::from_millis(500), session.stream().write_all(&frame)).await.is_ok() {
        sent += frame.len();
        assert!(sent < 64 * 1024 * 1024, "nobody slowed the caller down");
    }
    let grown = resident_kib(&gateway).saturating_sub(before);
    assert!(grown < 16 * 1024, "{grown} KiB more");
}
