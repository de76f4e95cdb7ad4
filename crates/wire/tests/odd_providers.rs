//! What providers were seen to do beyond the references of their protocols.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails, helpers included")]

use bytes::Bytes;
use gatewright::chat::{Answer, AnswerChoice, Chat, LossKind, Losses, Part, PartKind, Place};
use gatewright::dialect::{Abilities, Dialect, Envelope, Frame, StreamSettings};
use gatewright::text::{Lane, LaneKind};
use gatewright::{EventKind, FailureKind, FinishReason, RequestId, StreamEvent};
use gatewright_wire::codec;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

fn envelope() -> Envelope {
    Envelope { id: RequestId::new(1, 2), created: 7, model: "public".to_owned() }
}

fn chunk(delta: &Value) -> String {
    let choice = json!({"index": 0, "delta": delta, "finish_reason": null});
    format!("data: {}\n\n", json!({"id": "c", "choices": [choice]}))
}

/// The frames of a stream of chat completions, each with its events.
fn read(stream: &str) -> Vec<(Frame, Vec<StreamEvent>)> {
    let mut decoder = codec(Dialect::OpenAiChat).stream_decoder();
    decoder.push(Bytes::copy_from_slice(stream.as_bytes()));
    let mut frames = Vec::new();
    while let Some(frame) = decoder.next_frame().unwrap().or_else(|| decoder.finish().unwrap()) {
        let mut events = Vec::new();
        decoder.events(&frame, &mut events).unwrap();
        frames.push((frame, events));
    }
    frames
}

/// The tool calls of a stream: index, id, name and arguments.
fn calls(stream: &str) -> Vec<(u32, String, String, String)> {
    let mut calls: Vec<(u32, String, String, String)> = Vec::new();
    for (_, events) in read(stream) {
        for event in events {
            match event.kind() {
                EventKind::ToolCallStart {
                    lane: Lane { kind: LaneKind::ToolArguments { index }, .. },
                    id,
                    name,
                } if !calls.iter().any(|call| call.0 == *index) => {
                    calls.push((*index, id.clone(), name.clone(), String::new()));
                }
                EventKind::TextDelta { lane: Lane { kind: LaneKind::ToolArguments { index }, .. }, text } => {
                    calls.iter_mut().find(|call| call.0 == *index).unwrap().3.push_str(text);
                }
                _ => {}
            }
        }
    }
    calls
}

fn piece(index: Option<u32>, id: Option<&str>, name: Option<&str>, arguments: &str) -> String {
    let mut call = json!({"function": {"arguments": arguments}});
    for (key, value) in [("index", json!(index)), ("id", json!(id))] {
        if !value.is_null() {
            call[key] = value;
        }
    }
    if let Some(name) = name {
        call["function"]["name"] = json!(name);
    }
    chunk(&json!({"tool_calls": [call]}))
}

fn found(index: u32, id: &str, name: &str, arguments: &str) -> (u32, String, String, String) {
    (index, id.to_owned(), name.to_owned(), arguments.to_owned())
}

#[test]
fn calls_that_share_an_index_are_told_apart_by_their_ids() {
    for index in [Some(0), None] {
        let stream = [
            piece(index, Some("a"), Some("one"), "{\"x\":"),
            piece(index, None, None, "1}"),
            piece(index, Some("b"), Some("two"), ""),
            piece(index, None, None, "{\"y\":\"z\"}"),
        ];
        let expected = [found(0, "a", "one", "{\"x\":1}"), found(1, "b", "two", "{\"y\":\"z\"}")];
        assert_eq!(calls(&stream.concat()), expected);
    }
}

#[test]
fn an_id_that_is_said_again_or_anew_without_a_name_begins_no_call() {
    let stream = [
        piece(Some(0), Some("a"), Some("one"), "{"),
        piece(Some(1), Some("b"), Some("two"), "["),
        piece(Some(0), Some("a"), Some("one"), "}"),
        piece(Some(1), Some("other"), None, "]"),
    ];
    assert_eq!(calls(&stream.concat()), [found(0, "a", "one", "{}"), found(1, "b", "two", "[]")]);
}

#[test]
fn arguments_that_come_as_an_object_are_not_lost() {
    let call = json!({"index": 0, "id": "a", "function": {"name": "one", "arguments": {"x": "\"ü"}}});
    let text = r#"{"x":"\"ü"}"#;
    assert_eq!(calls(&chunk(&json!({"tool_calls": [call]}))), [found(0, "a", "one", text)]);

    let message = json!({"role": "assistant", "content": null, "tool_calls": [call]});
    let body = json!({"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]});
    let body = body.to_string();
    let answer = codec(Dialect::OpenAiChat).chat().unwrap().read_answer(body.as_bytes()).unwrap();
    let PartKind::ToolCall { arguments, .. } = &answer.choices[0].parts[0].kind else { panic!("{answer:?}") };
    assert_eq!(arguments, text);

    let item = json!({"type": "function_call", "call_id": "a", "name": "one", "arguments": {"x": "\"ü"}});
    let body = json!({"model": "m", "input": [{"role": "user", "content": "x"}, item]}).to_string();
    let chat = codec(Dialect::OpenAiResponses).chat().unwrap().read_request(body.as_bytes()).unwrap();
    let calls = chat.turns.iter().flat_map(|turn| &turn.parts);
    let arguments = calls.filter_map(|part| match &part.kind {
        PartKind::ToolCall { arguments, .. } => Some(arguments.as_ref()),
        _ => None,
    });
    assert_eq!(arguments.collect::<Vec<_>>(), [text]);
}

/// A chunk that tells the whole text so far beside its latest piece.
fn told_twice(so_far: &str, piece: &str) -> String {
    let message = json!({"role": "assistant", "content": so_far});
    let choice = json!({"index": 0, "message": message, "delta": {"content": piece}, "finish_reason": null});
    format!("data: {}\n\n", json!({"id": "c", "choices": [choice]}))
}

#[test]
fn the_text_so_far_beside_its_latest_piece_is_no_text_of_its_own() {
    let frames = read(&[told_twice("a", "a"), told_twice("a secret", " secret")].concat());
    let texts = frames.iter().flat_map(|(_, events)| events).filter_map(|event| event.text());
    assert_eq!(texts.map(|(_, text)| text.to_owned()).collect::<String>(), "a secret");
    // A message without a delta is one.
    let alone = json!({"choices": [{"index": 0, "message": {"content": "x"}, "finish_reason": "stop"}]});
    let frames = read(&format!("data: {alone}\n\n"));
    assert!(frames[0].1.iter().any(|event| event.text().is_some_and(|(_, text)| text == "x")), "{frames:?}");
}

#[test]
fn a_frame_never_tells_again_what_a_filter_has_changed_before() {
    let stream = [told_twice("secret", "secret"), told_twice("secret, and so on", ", and so on")].concat();
    let mut encoder = codec(Dialect::OpenAiChat).stream_encoder(StreamSettings::default());
    let mut out = Vec::new();
    for (frame, mut events) in read(&stream) {
        let is_secret = |event: &StreamEvent| event.text().is_some_and(|(_, text)| text == "secret");
        match events.iter_mut().find(|event| is_secret(event)) {
            Some(event) => {
                event.replace_text("***");
                encoder.write(Some(&frame), &events, &mut out);
            }
            None => {
                assert!(encoder.alters(&frame));
                encoder.pass(&frame, &mut out);
            }
        }
    }
    let out = String::from_utf8(out).unwrap();
    assert!(out.contains("***") && out.contains(", and so on") && !out.contains("secret"), "{out}");
}

#[test]
fn nothing_that_the_gateway_writes_becomes_a_part_of_an_event_without_a_line_end() {
    let done = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}).to_string();
    for end in ["", "\n", "\r\n", "\r"] {
        let mut encoder = codec(Dialect::OpenAiChat).stream_encoder(StreamSettings::default());
        let mut out = Vec::new();
        for (frame, _) in read(&format!("data: {done}{end}")) {
            encoder.pass(&frame, &mut out);
        }
        encoder.write_end(&mut out);
        let data: Vec<Bytes> =
            read(&String::from_utf8(out).unwrap()).into_iter().map(|(f, _)| f.data).collect();
        assert_eq!(data, [done.as_str(), "[DONE]"]);
    }
}

#[test]
fn a_call_without_an_id_gets_one_of_its_own_in_messages() {
    let call = |name: &'static str| {
        let arguments = "{}".into();
        Part::new(PartKind::ToolCall { id: "".into(), name: name.into(), arguments, signature: None })
    };
    let choice = AnswerChoice { parts: vec![call("one"), call("two")], finish: None };
    let answer = Answer { choices: vec![choice], ..Answer::default() };
    let messages = codec(Dialect::AnthropicMessages);
    let body = messages.chat().unwrap().write_answer(&answer, &envelope());
    let body: Value = serde_json::from_slice(&body).unwrap();
    let ids: Vec<&str> = (0..2).filter_map(|at| body["content"][at]["id"].as_str()).collect();
    assert!(ids[0] != ids[1] && ids.iter().all(|id| id.starts_with("toolu_")), "{ids:?}");

    let settings = StreamSettings { envelope: Some(envelope()), ..StreamSettings::default() };
    let mut encoder = messages.stream_encoder(settings);
    let start = |index: u32, name: &str| {
        let lane = Lane::tool_arguments(0, index);
        StreamEvent::inserted(EventKind::ToolCallStart { lane, id: String::new(), name: name.to_owned() })
    };
    let mut out = Vec::new();
    encoder.write(None, &[start(0, "one"), start(1, "two")], &mut out);
    encoder.write_end(&mut out);
    let out = String::from_utf8(out).unwrap();
    assert!(ids.iter().all(|id| out.contains(id)), "a stream has the ids of a whole answer: {out}");
}

#[test]
fn a_prompt_that_is_too_long_has_the_one_code_that_callers_know() {
    let bodies = [
        (
            Dialect::AnthropicMessages,
            json!({"type": "error", "error": {"type": "invalid_request_error", "message": "prompt is too long: 2 > 1"}}),
        ),
        (
            Dialect::GoogleGenerate,
            json!({"error": {"code": 400, "status": "INVALID_ARGUMENT", "message": "The input token count exceeds"}}),
        ),
        (Dialect::OpenAiChat, json!({"error": {"code": 400, "message": "maximum context length is 1"}})),
    ];
    for (dialect, body) in bodies {
        let body = body.to_string();
        let failure = codec(dialect).parse_error(StatusCode::BAD_REQUEST, &HeaderMap::new(), body.as_bytes());
        assert_eq!((failure.kind, &failure.code), (FailureKind::ContextTooLong, &None), "{body}");
    }
}

#[test]
fn a_search_without_options_is_a_loss_too() {
    let body = json!({
        "model": "m",
        "messages": [{"role": "user", "content": "x"}],
        "web_search_options": {},
    });
    let body = body.to_string();
    let from = codec(Dialect::OpenAiChat).chat().unwrap();
    let chat: Chat<'_> = from.read_request(body.as_bytes()).unwrap();
    for to in [Dialect::AnthropicMessages, Dialect::GoogleGenerate, Dialect::BedrockConverse] {
        let name = |place: &Place<'_>| from.pointer(place);
        let mut losses = Losses::new(false, &name);
        codec(to).chat().unwrap().write_request(&chat, &Abilities::default(), &mut losses).unwrap();
        let found = losses.into_found();
        let is_told =
            found.iter().any(|loss| loss.field == "/web_search_options" && loss.kind == LossKind::Dropped);
        assert!(is_told, "{to:?}: {found:?}");
    }
}

#[test]
fn a_call_that_the_cap_has_cut_ends_in_the_cap() {
    let settings = StreamSettings { envelope: Some(envelope()), ..StreamSettings::default() };
    let lane = Lane::tool_arguments(0, 0);
    let kinds = |reason| {
        [
            EventKind::ToolCallStart { lane, id: "a".to_owned(), name: "one".to_owned() },
            EventKind::TextDelta { lane, text: "{\"x\":".into() },
            EventKind::Finish { choice: 0, reason },
        ]
    };
    for (reason, word) in
        [(FinishReason::Length, "MAX_TOKENS"), (FinishReason::ToolCalls, "MALFORMED_FUNCTION_CALL")]
    {
        let mut encoder = codec(Dialect::GoogleGenerate).stream_encoder(settings.clone());
        let mut out = Vec::new();
        encoder.write(None, &kinds(reason).map(StreamEvent::inserted), &mut out);
        encoder.write_end(&mut out);
        let out = String::from_utf8(out).unwrap();
        assert!(out.contains(word), "{word}: {out}");
    }
}

#[test]
fn text_behind_the_reason_to_end_is_not_lost() {
    let lane = Lane::content(0);
    let events = [
        EventKind::TextDelta { lane, text: "one".into() },
        EventKind::Finish { choice: 0, reason: FinishReason::Length },
        EventKind::TextDelta { lane, text: "two".into() },
    ];
    let events = events.map(StreamEvent::inserted);
    for to in [
        Dialect::OpenAiChat,
        Dialect::OpenAiResponses,
        Dialect::AnthropicMessages,
        Dialect::GoogleGenerate,
        Dialect::BedrockConverse,
    ] {
        let settings = StreamSettings { envelope: Some(envelope()), ..StreamSettings::default() };
        let mut encoder = codec(to).stream_encoder(settings);
        let mut out = Vec::new();
        encoder.write(None, &events, &mut out);
        encoder.write_end(&mut out);
        let mut decoder = codec(to).stream_decoder();
        decoder.push(out.into());
        let mut said = String::new();
        let mut reason = None;
        while let Some(frame) = decoder.next_frame().unwrap() {
            let mut events = Vec::new();
            decoder.events(&frame, &mut events).unwrap();
            for event in &events {
                said.extend(event.text().map(|(_, text)| text));
                if let EventKind::Finish { reason: why, .. } = event.kind() {
                    reason = Some(why.clone());
                }
            }
        }
        assert_eq!((said.as_str(), reason), ("onetwo", Some(FinishReason::Length)), "{to:?}");
    }
}
