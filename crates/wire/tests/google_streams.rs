//! Streams of Google's `generateContent`: state over frames, edits of whole calls, streams that are written from the
//! events of another dialect, and the array that callers without `alt=sse` get.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails, helpers included")]

use std::time::Duration;

use bytes::Bytes;
use gatewright::chat::{Media, MediaKind, MediaSource, Signature};
use gatewright::dialect::{
    Codec, Dialect, Envelope, ErrorBody, ErrorClass, Frame, FrameKind, StreamEncoder, StreamSettings,
};
use gatewright::text::Lane;
use gatewright::{EventKind, FinishReason, RequestId, StreamEvent, Usage};
use gatewright_wire::{codec, google_generate};
use http::StatusCode;
use proptest::prelude::*;
use serde_json::{Value, json};

fn google() -> &'static dyn Codec {
    codec(Dialect::GoogleGenerate)
}

type Read = (Frame, Vec<StreamEvent>);

/// The frames of a stream with their events, read by one decoder, and whether it is complete.
fn read(stream: &[u8]) -> (Vec<Read>, bool) {
    let mut decoder = google().stream_decoder();
    decoder.push(Bytes::copy_from_slice(stream));
    let mut frames = Vec::new();
    while let Some(frame) = decoder.next_frame().unwrap().or_else(|| decoder.finish().unwrap()) {
        let mut events = Vec::new();
        decoder.events(&frame, &mut events).unwrap();
        frames.push((frame, events));
    }
    (frames, decoder.is_complete())
}

fn stream(data: &[&str]) -> Vec<u8> {
    data.iter().flat_map(|data| format!("data: {data}\n\n").into_bytes()).collect()
}

fn text(lane: Lane, text: &str) -> EventKind {
    EventKind::TextDelta { lane, text: text.into() }
}

fn inserted(lane: Lane, new: &str) -> StreamEvent {
    StreamEvent::inserted(text(lane, new))
}

const CALL: &str = r#"{"candidates":[{"content":{"parts":[{"text":"a"},{"functionCall":{"name":"f","args":{"x":"secret"}},"thoughtSignature":"c2ln"}],"role":"model"},"index":0}],"responseId":"r"}"#;
const END: &str =
    r#"{"candidates":[{"content":{"parts":[{"text":"z"}]},"finishReason":"STOP"}],"responseId":"r"}"#;

/// What is written for a stream when `edit` has had the events of each frame.
fn edited(frames: &[&str], mut edit: impl FnMut(usize, &mut Vec<StreamEvent>)) -> Vec<Value> {
    let (frames, _) = read(&stream(frames));
    let mut encoder = google().stream_encoder(StreamSettings::default());
    let mut out = Vec::new();
    for (place, (frame, mut events)) in frames.into_iter().enumerate() {
        edit(place, &mut events);
        encoder.observe(&frame);
        encoder.write(Some(&frame), &events, &mut out);
    }
    encoder.write_end(&mut out);
    elements(&out)
}

fn elements(sse: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(sse).unwrap();
    text.split("\n\n")
        .filter(|event| !event.is_empty())
        .map(|event| serde_json::from_str(event.strip_prefix("data: ").unwrap()).unwrap())
        .collect()
}

fn parts(element: &Value) -> &Value {
    &element["candidates"][0]["content"]["parts"]
}

#[test]
fn calls_are_counted_through_the_stream_and_turn_a_stop_into_tool_calls() {
    let (frames, is_complete) = read(&stream(&[CALL, CALL, END]));
    let kinds: Vec<_> = frames.iter().flat_map(|(_, events)| events).map(StreamEvent::kind).collect();
    let calls: Vec<_> = kinds
        .iter()
        .filter_map(|kind| match kind {
            EventKind::ToolCallStart { lane, id, .. } => Some((*lane, id.as_str())),
            _ => None,
        })
        .collect();
    assert_eq!(calls, [(Lane::tool_arguments(0, 0), "call_r_0"), (Lane::tool_arguments(0, 1), "call_r_1")]);
    let finished = matches!(kinds.last(), Some(EventKind::Finish { reason: FinishReason::ToolCalls, .. }));
    assert!(is_complete && finished);
}

#[test]
fn edited_arguments_stay_an_object_in_their_place() {
    let out = edited(&[CALL], |_, events| {
        for event in events.iter_mut().filter(|event| event.text().is_some()) {
            let new = event.text().unwrap().1.replace("secret", "[out]");
            event.replace_text(&new);
        }
    });
    let expected = json!([
        {"text": "a"},
        {"functionCall": {"name": "f", "args": {"x": "[out]"}}, "thoughtSignature": "c2ln"}
    ]);
    assert_eq!(parts(&out[0]), &expected);
}

#[test]
fn a_call_whose_arguments_are_held_waits_until_they_are_released() {
    let lane = Lane::tool_arguments(0, 0);
    for (kept, released) in [("", r#"{"x":"[out]"}"#), (r#"{"x":"#, r#""[out]"}"#)] {
        let out = edited(&[CALL, END], |place, events| match place {
            0 => events[2].replace_text(kept),
            _ => events.insert(1, inserted(lane, released)),
        });
        let call = json!([{
            "functionCall": {"id": "call_r_0", "name": "f", "args": {"x": "[out]"}},
            "thoughtSignature": "c2ln"
        }]);
        assert_eq!((parts(&out[0]), parts(&out[1])), (&json!([{"text": "a"}]), &call));
        assert_eq!((parts(&out[2]), out.len()), (&json!([{"text": "z"}]), 3));
    }
}

#[test]
fn a_call_that_still_waits_goes_out_before_the_frame_that_ends_its_candidate() {
    let (frames, _) = read(&stream(&[CALL, END]));
    let mut encoder = google().stream_encoder(StreamSettings::default());
    let mut out = Vec::new();
    let [(first, mut events), (last, _)] = <[_; 2]>::try_from(frames).expect("two frames");
    assert!(!encoder.alters(&first));
    events[2].replace_text("");
    encoder.write(Some(&first), &events, &mut out);
    assert!(encoder.alters(&last));
    encoder.pass(&last, &mut out);
    let out = elements(&out);
    assert_eq!(parts(&out[1])[0]["functionCall"]["args"], json!({}));
    assert_eq!(out[2]["candidates"][0]["finishReason"], "STOP");
}

#[test]
fn a_dropped_call_goes_as_a_whole_and_a_dropped_text_with_its_part() {
    let out = edited(&[CALL], |_, events| events.truncate(1));
    assert_eq!(parts(&out[0]), &json!([{"text": "a"}]));
    let out = edited(&[CALL], |_, events| drop(events.remove(0)));
    assert_eq!(parts(&out[0])[0]["functionCall"]["name"], "f");
    assert_eq!(edited(&[CALL], |_, events| events.clear()), Vec::<Value>::new());
    let out = edited(&[END], |_, events| drop(events.pop()));
    assert_eq!(out[0]["candidates"][0]["finishReason"], Value::Null);
}

#[test]
fn added_text_joins_its_part_or_gets_an_element_of_its_own_before() {
    let out = edited(&[END], |_, events| events.insert(1, inserted(Lane::content(0), "\"!")));
    assert_eq!(parts(&out[0]), &json!([{"text": "z\"!"}]));
    let out = edited(&[END], |_, events| events.insert(1, inserted(Lane::reasoning(0), "hm")));
    assert_eq!(parts(&out[0]), &json!([{"text": "hm", "thought": true}]));
    assert_eq!((&out[0]["responseId"], parts(&out[1])), (&json!("r"), &json!([{"text": "z"}])));
}

// === Whole streams from events ===

fn retelling(codec: &dyn Codec) -> Box<dyn StreamEncoder> {
    let envelope = Envelope { id: RequestId::new(1, 2), created: 7, model: "public".to_owned() };
    codec.stream_encoder(StreamSettings { envelope: Some(envelope), ..StreamSettings::default() })
}

fn told(codec: &dyn Codec, kinds: Vec<EventKind>) -> String {
    let mut encoder = retelling(codec);
    let mut out = Vec::new();
    for (place, kind) in kinds.into_iter().enumerate() {
        let event = StreamEvent::from_frame(kind, u16::try_from(place).unwrap());
        encoder.write(None, &[event], &mut out);
    }
    encoder.write_end(&mut out);
    String::from_utf8(out).unwrap()
}

fn start(lane: Lane, id: &str) -> EventKind {
    EventKind::ToolCallStart { lane, id: id.to_owned(), name: "f".to_owned() }
}

fn usage() -> Usage {
    Usage { input: 5, cache_read: 3, output: 9, reasoning: 4, ..Usage::default() }
}

#[test]
fn interleaved_calls_are_whole_parts_and_the_last_element_has_reason_and_usage() {
    let (one, two) = (Lane::tool_arguments(0, 0), Lane::tool_arguments(0, 1));
    let media = Media {
        kind: MediaKind::Image,
        mime: Some("image/png".into()),
        source: MediaSource::Base64("QUJD".into()),
        name: None,
        detail: None,
    };
    let own = Signature { data: "b3du".into(), from: Dialect::GoogleGenerate };
    let other = Signature { data: "other".into(), from: Dialect::AnthropicMessages };
    let out = told(
        google(),
        vec![
            EventKind::Start,
            text(Lane::reasoning(0), "hm"),
            EventKind::Signature { lane: Lane::reasoning(0), signature: other },
            text(Lane::content(0), ""),
            text(Lane::content(0), "hi"),
            EventKind::Usage(Usage { input: 8, ..Usage::default() }),
            start(one, "c1"),
            text(one, "{\"a\""),
            start(two, "c2"),
            text(two, "{}"),
            EventKind::LaneEnd { lane: two },
            text(one, ":1}"),
            EventKind::Signature { lane: one, signature: own },
            EventKind::Media { choice: 0, media: Box::new(media) },
            EventKind::Finish { choice: 0, reason: FinishReason::ToolCalls },
            EventKind::Usage(usage()),
            EventKind::End,
        ],
    );
    let out = elements(out.as_bytes());
    let all: Vec<_> = out.iter().flat_map(|element| parts(element).as_array().unwrap().clone()).collect();
    let expected = json!([
        {"text": "hm", "thought": true},
        {"text": "hi"},
        {"functionCall": {"id": "c2", "name": "f", "args": {}}},
        {"inlineData": {"mimeType": "image/png", "data": "QUJD"}},
        {"functionCall": {"id": "c1", "name": "f", "args": {"a": 1}}, "thoughtSignature": "b3du"}
    ]);
    assert_eq!(json!(all), expected);
    let last = out.last().unwrap();
    assert_eq!(last["candidates"][0]["finishReason"], "STOP");
    assert_eq!(last["usageMetadata"]["thoughtsTokenCount"], 4);
    assert!(out.iter().all(|element| element["modelVersion"] == "public"), "{out:?}");
    assert_eq!(out.iter().filter(|element| element.get("usageMetadata").is_some()).count(), 1);
}

#[test]
fn a_call_without_arguments_is_one_with_none_and_one_that_nobody_can_read_is_malformed() {
    let lane = Lane::tool_arguments(0, 0);
    let finish = || EventKind::Finish { choice: 0, reason: FinishReason::ToolCalls };
    let out = told(google(), vec![start(lane, "c"), EventKind::LaneEnd { lane }, finish()]);
    assert_eq!(parts(&elements(out.as_bytes())[0])[0]["functionCall"]["args"], json!({}));
    let out = told(google(), vec![start(lane, "c"), text(lane, "{\"a"), finish()]);
    let out = elements(out.as_bytes());
    assert_eq!((out.len(), &out[0]["candidates"][0]["finishReason"]), (1, &json!("MALFORMED_FUNCTION_CALL")));
}

#[test]
fn streamed_equals_unstreamed() {
    let lane = Lane::tool_arguments(0, 0);
    let out = told(
        google(),
        vec![
            text(Lane::content(0), "hi"),
            start(lane, "c"),
            text(lane, "{\"a\":1}"),
            EventKind::Usage(usage()),
            EventKind::Finish { choice: 0, reason: FinishReason::Length },
        ],
    );
    let (frames, is_complete) = read(out.as_bytes());
    let last = frames.iter().filter_map(|(frame, _)| frame.usage).next_back();
    let whole = google().chat().unwrap();
    let body = elements(out.as_bytes()).pop().unwrap().to_string();
    let answer = whole.read_answer(body.as_bytes()).unwrap();
    assert_eq!((last, answer.usage, is_complete), (Some(usage()), Some(usage()), true));
    assert_eq!(answer.choices[0].finish, Some(FinishReason::Length));
}

// === The array ===

fn error() -> ErrorBody<'static> {
    ErrorBody {
        status: StatusCode::SERVICE_UNAVAILABLE,
        class: ErrorClass::Overloaded,
        code: Some("x".into()),
        message: "it broke".into(),
        param: None,
        request_id: None,
        retry_after: Some(Duration::from_millis(1_500)),
    }
}

#[test]
fn callers_without_server_sent_events_get_one_array() {
    let codec = google_generate::array_codec();
    assert!(codec.reframes() && codec.stream_content_type().starts_with("application/json"));
    let (frames, _) = read(&[stream(&[CALL]), b": ping\n\n".to_vec(), stream(&[END])].concat());
    let mut encoder = codec.stream_encoder(StreamSettings::default());
    let mut out = Vec::new();
    frames.iter().for_each(|(frame, _)| encoder.pass(frame, &mut out));
    encoder.write_end(&mut out);
    encoder.write_end(&mut out);
    let array: Value = serde_json::from_slice(&out).unwrap();
    let expected = [CALL, END].map(|element| serde_json::from_str::<Value>(element).unwrap());
    assert_eq!(array, json!(expected));
    let told = told(codec, vec![text(Lane::content(0), "a"), text(Lane::content(0), "b")]);
    assert_eq!(serde_json::from_str::<Value>(&told).unwrap().as_array().unwrap().len(), 2);
    assert_eq!(self::told(codec, Vec::new()), "[]");
}

#[test]
fn an_error_in_an_array_is_its_last_element() {
    let mut encoder = google_generate::array_codec().stream_encoder(StreamSettings::default());
    let mut out = Vec::new();
    encoder.write(None, &[inserted(Lane::content(0), "a")], &mut out);
    encoder.write_keep_alive(&mut out);
    encoder.write_error(&error(), &mut out);
    encoder.write_end(&mut out);
    let array: Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(array[1]["error"]["status"], "UNAVAILABLE");
}

#[test]
fn nothing_is_written_after_an_error() {
    let mut encoder = retelling(google());
    let mut out = Vec::new();
    encoder.write_keep_alive(&mut out);
    encoder.write_error(&error(), &mut out);
    let length = out.len();
    encoder.write(None, &[inserted(Lane::content(0), "late")], &mut out);
    encoder.write_end(&mut out);
    encoder.write_keep_alive(&mut out);
    assert_eq!(out.len(), length);
    assert_eq!(elements(&out)[0]["error"]["code"], 503);
}

// === Errors ===

#[test]
fn clients_read_errors_with_typed_details() {
    let full =
        ErrorBody { param: Some("contents".into()), request_id: Some(RequestId::new(1, 2)), ..error() };
    let body: Value = serde_json::from_slice(&google().render_error(&full)).unwrap();
    let details = body["error"]["details"].as_array().unwrap();
    let kinds: Vec<_> = details.iter().map(|detail| detail["@type"].as_str().unwrap()).collect();
    let expected = ["ErrorInfo", "BadRequest", "RetryInfo", "RequestInfo"];
    assert_eq!(kinds, expected.map(|kind| format!("type.googleapis.com/google.rpc.{kind}")));
    assert_eq!(details[2]["retryDelay"], "2s");
    assert_eq!(body["error"]["message"], "it broke");
}

#[test]
fn the_providers_errors_are_classed_and_their_wait_is_kept() {
    use gatewright::FailureKind::{ContextTooLong, Invalid, ModelNotFound, RateLimited, UpstreamAuth};
    let parse = |status: u16, error: &str| {
        let body = format!(r#"{{"error":{error}}}"#);
        google().parse_error(StatusCode::from_u16(status).unwrap(), &http::HeaderMap::new(), body.as_bytes())
    };
    let limited = parse(
        429,
        r#"{"code":429,"message":"quota","status":"RESOURCE_EXHAUSTED","details":[{"violations":[]},{"retryDelay":"34.5s"}]}"#,
    );
    assert_eq!((limited.kind, limited.retry_after), (RateLimited, Some(Duration::from_millis(34_500))));
    assert_eq!(limited.code.as_deref(), Some("RESOURCE_EXHAUSTED"));
    let cases = [
        (
            400,
            r#"{"code":400,"message":"no","status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}"#,
            UpstreamAuth,
        ),
        (
            400,
            r#"{"code":400,"message":"The input token count (9) exceeds the maximum number of tokens allowed (8)."}"#,
            ContextTooLong,
        ),
        (400, r#"{"code":400,"message":"bad","status":"INVALID_ARGUMENT"}"#, Invalid),
        (404, r#"{"code":404,"message":"models/x is not found","status":"NOT_FOUND"}"#, ModelNotFound),
    ];
    for (status, error, expected) in cases {
        assert_eq!(parse(status, error).kind, expected, "{error}");
    }
}

// === Any text ===

fn piece() -> impl Strategy<Value = EventKind> {
    let lane = (0..2_u32, 0..3_u32).prop_map(|(choice, index)| Lane::tool_arguments(choice, index));
    let plain = prop_oneof![
        (0..2_u32).prop_map(Lane::content),
        (0..2_u32).prop_map(Lane::reasoning),
        (0..2_u32).prop_map(Lane::refusal),
        lane.clone()
    ];
    prop_oneof![
        (plain.clone(), "[a-z{}\":\\\\\u{e9}]{0,6}").prop_map(|(lane, new)| text(lane, &new)),
        lane.prop_map(|lane| start(lane, "c")),
        plain.prop_map(|lane| EventKind::LaneEnd { lane }),
        (0..2_u32).prop_map(|choice| EventKind::Finish { choice, reason: FinishReason::Stop }),
        Just(EventKind::Usage(usage())),
        Just(EventKind::Start),
    ]
}

proptest! {
    #[test]
    fn any_events_become_a_stream_of_the_dialect(
        kinds in proptest::collection::vec(piece(), 0..30), is_array: bool,
    ) {
        let codec = if is_array { google_generate::array_codec() } else { google() };
        let said: String = kinds.iter().filter_map(|kind| match kind {
            EventKind::TextDelta { lane, text } if *lane == Lane::content(0) => Some(text.as_str()),
            _ => None,
        }).collect();
        let refused = kinds.iter().any(|kind| matches!(kind, EventKind::TextDelta { lane, .. } if *lane == Lane::refusal(0)));
        let out = told(codec, kinds);
        if is_array {
            prop_assert!(serde_json::from_str::<Value>(&out).unwrap().is_array());
        } else {
            let (frames, _) = read(out.as_bytes());
            let heard: String = frames.iter().flat_map(|(_, events)| events).filter_map(|event| {
                event.text().filter(|(lane, _)| *lane == Lane::content(0)).map(|(_, text)| text.to_owned())
            }).collect();
            prop_assert!(refused || heard == said);
        }
    }

    #[test]
    fn any_bytes_in_a_frame_never_panic(data in "[\\[\\]{}\":,a-z0-9\\\\]{0,80}") {
        for data in [data.clone(), format!(r#"{{"candidates":[{{"content":{{"parts":[{data}]}}}}]}}"#)] {
            let mut decoder = google().stream_decoder();
            decoder.push(Bytes::from(format!("data: {data}\n\n")));
            let mut events = Vec::new();
            if let Ok(Some(frame)) = decoder.next_frame() && frame.kind == FrameKind::Data {
                prop_assert!(decoder.events(&frame, &mut events).is_ok());
                let mut out = Vec::new();
                let mut encoder = google().stream_encoder(StreamSettings::default());
                encoder.write(Some(&frame), &events, &mut out);
                prop_assert_eq!(&out[..], &frame.raw[..]);
            }
        }
    }
}

#[test]
fn the_query_says_how_a_stream_is_framed() {
    let is_array = |query| gatewright_wire::codec_at(Dialect::GoogleGenerate, query).reframes();
    assert!(is_array(None) && is_array(Some("key=x")) && is_array(Some("alt=json")));
    assert!(!is_array(Some("alt=sse")) && !is_array(Some("key=x&alt=sse")) && !is_array(Some("$alt=sse")));
    assert!(!gatewright_wire::codec_at(Dialect::OpenAiChat, None).reframes());
}
