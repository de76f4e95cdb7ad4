//! Streams of OpenAI responses. Each `golden/openai_responses/<case>.sse` is what a provider sends, and the `.txt` beside
//! it is what the gateway makes of it. Set `REFRESH_GOLDEN=1` to write the `.txt` files anew.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails, helpers included")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use gatewright::chat::Signature;
use gatewright::dialect::{
    Codec, Dialect, Envelope, ErrorBody, ErrorClass, Frame, FrameKind, StreamSettings,
};
use gatewright::text::{Lane, LaneKind};
use gatewright::{EventKind, Failure, FinishReason, RequestId, StreamEvent, Usage};
use gatewright_wire::codec;
use http::StatusCode;
use serde_json::{Value, json};

fn responses() -> &'static dyn Codec {
    codec(Dialect::OpenAiResponses)
}

/// The frames of a stream with their events.
struct Read {
    frames: Vec<(Frame, Vec<StreamEvent>)>,
    failure: Option<Failure>,
    is_complete: bool,
}

fn read<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Read {
    let mut decoder = responses().stream_decoder();
    let mut read = Read { frames: Vec::new(), failure: None, is_complete: false };
    let mut chunks = chunks.into_iter();
    loop {
        let chunk = chunks.next();
        let is_last = chunk.is_none();
        chunk.into_iter().for_each(|chunk| decoder.push(Bytes::copy_from_slice(chunk)));
        loop {
            match if is_last { decoder.finish() } else { decoder.next_frame() } {
                Ok(Some(frame)) => {
                    let mut events = Vec::new();
                    decoder.events(&frame, &mut events).unwrap();
                    read.frames.push((frame, events));
                }
                Ok(None) => break,
                Err(failure) => {
                    read.failure = Some(failure);
                    break;
                }
            }
        }
        if is_last {
            read.is_complete = decoder.is_complete();
            return read;
        }
    }
}

fn corpus() -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/openai_responses");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let streams = files.filter(|path| path.extension().is_some_and(|extension| extension == "sse"));
    let corpus: Vec<_> = streams.map(|path| (path.clone(), std::fs::read(path).unwrap())).collect();
    assert!(corpus.len() > 7, "the golden streams are missing");
    corpus
}

fn stream(case: &str) -> Vec<u8> {
    corpus().into_iter().find(|(path, _)| path.file_stem().unwrap() == case).unwrap().1
}

/// What a client gets when `edit` has had the events of each frame, as the gateway goes about it.
fn filtered(read: &Read, mut edit: impl FnMut(&mut Vec<StreamEvent>)) -> Vec<u8> {
    let mut encoder = responses().stream_encoder(StreamSettings::default());
    let mut out = Vec::new();
    for (frame, events) in &read.frames {
        let mut left = events.clone();
        if frame.kind == FrameKind::Data {
            edit(&mut left);
        }
        let is_untouched = left.len() == events.len() && left.iter().all(|event| !event.is_edited());
        match frame.kind {
            FrameKind::Data if !is_untouched => encoder.write(Some(frame), &left, &mut out),
            FrameKind::Data | FrameKind::KeepAlive if !encoder.alters(frame) => {
                out.extend_from_slice(&frame.raw);
            }
            _ => encoder.pass(frame, &mut out),
        }
    }
    out
}

fn shout(events: &mut Vec<StreamEvent>) {
    for event in events {
        if let Some((_, text)) = event.text() {
            let loud = text.to_uppercase();
            event.replace_text(&loud);
        }
    }
}

fn transcript(stream: &[u8]) -> String {
    let read = read([stream]);
    let mut text = String::new();
    for (frame, events) in &read.frames {
        write!(text, "{:?}, {} bytes of text", frame.kind, frame.text_bytes).unwrap();
        if let Some(usage) = &frame.usage {
            write!(text, ", {usage:?}").unwrap();
        }
        text.push('\n');
        for event in events {
            match event.kind() {
                EventKind::Error(failure) => {
                    writeln!(text, "    Error({:?}: {})", failure.kind, failure.message).unwrap();
                }
                EventKind::TextDelta { lane, text: piece } => {
                    writeln!(text, "    {:?} {:?}", lane.kind, piece.as_str()).unwrap();
                }
                other => writeln!(text, "    {other:?}").unwrap(),
            }
        }
    }
    let failure = read.failure.as_ref().map(|failure| failure.kind);
    writeln!(text, "complete: {}, failure: {failure:?}", read.is_complete).unwrap();
    let settings = StreamSettings { model: Some("public".to_owned()), ..StreamSettings::default() };
    let mut encoder = responses().stream_encoder(settings);
    let mut passed = Vec::new();
    read.frames.iter().for_each(|(frame, _)| encoder.pass(frame, &mut passed));
    for (title, out) in [("passed", passed), ("filtered", filtered(&read, shout))] {
        write!(text, "\n=== {title} ===\n{}", String::from_utf8(out).unwrap()).unwrap();
    }
    text
}

#[test]
fn streams_are_read_and_written_as_the_golden_files_say() {
    #[expect(clippy::disallowed_methods, reason = "a switch of this test, not of the product")]
    let refresh = std::env::var_os("REFRESH_GOLDEN").is_some();
    for (path, stream) in corpus() {
        let actual = transcript(&stream);
        let golden = path.with_extension("txt");
        if refresh {
            std::fs::write(&golden, &actual).unwrap();
        }
        let expected = std::fs::read_to_string(&golden).unwrap_or_default();
        assert_eq!(
            actual,
            expected,
            "{} differs; REFRESH_GOLDEN=1 takes the new text over",
            golden.display()
        );
    }
}

/// A frame and the texts of its events.
type Essence<'f> = (FrameKind, &'f [u8], Vec<(Option<Lane>, &'f str)>);

/// What must not depend on how a stream is cut.
fn essence(read: &Read) -> Vec<Essence<'_>> {
    let frames = read.frames.iter().filter(|(frame, _)| frame.kind != FrameKind::KeepAlive);
    let said = |event: &'_ StreamEvent| event.text().map(|(lane, _)| lane);
    frames
        .map(|(frame, events)| {
            let events = events.iter().map(|event| (said(event), event.text().map_or("", |(_, text)| text)));
            (frame.kind, frame.data.as_ref(), events.collect())
        })
        .collect()
}

#[test]
fn a_cut_at_any_byte_changes_nothing() {
    for (path, stream) in corpus() {
        let whole = read([stream.as_slice()]);
        // A long stream is cut at some places here, and at all of them at once below.
        let step = if stream.len() < 2_500 { 1 } else { 17 };
        for place in (0..stream.len()).step_by(step) {
            let (head, tail) = stream.split_at(place);
            let cut = read([head, tail]);
            assert_eq!(essence(&cut), essence(&whole), "{} cut at {place}", path.display());
            assert_eq!(cut.is_complete, whole.is_complete);
        }
        let single = read(stream.chunks(1));
        assert_eq!(filtered(&single, shout), filtered(&whole, shout), "{} byte by byte", path.display());
    }
}

#[test]
fn frames_that_nobody_edits_are_the_providers_bytes() {
    for (path, stream) in corpus() {
        let out = filtered(&read([stream.as_slice()]), |_| {});
        assert!(stream.starts_with(&out), "{}", path.display());
    }
}

// === Streams as clients see them ===

fn objects(out: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(out).unwrap();
    let mut objects = Vec::new();
    for block in text.split_terminator("\n\n").filter(|block| *block != "data: [DONE]") {
        let (event, data) = block.split_once('\n').unwrap();
        let object: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!(event.strip_prefix("event: "), object["type"].as_str());
        objects.push(object);
    }
    objects
}

/// Checks that a stream says each text alike wherever it says it, in an order in which a client can follow; returns the
/// last response.
#[track_caller]
fn checked(out: &[u8]) -> Value {
    let mut items: Vec<Value> = Vec::new();
    let mut last_number = None;
    let mut last = Value::Null;
    for object in objects(out) {
        let number = object["sequence_number"].as_u64();
        assert!(number > last_number, "{object} follows {last_number:?}");
        last_number = number;
        let index = usize::try_from(object["output_index"].as_u64().unwrap_or(0)).unwrap();
        let place =
            object["content_index"].as_u64().or(object["summary_index"].as_u64()).unwrap_or(0).to_string();
        let kind = object["type"].as_str().unwrap();
        if kind.ends_with("item.added") {
            assert_eq!(index, items.len(), "items follow one another");
            items.push(json!({"id": object["item"]["id"], "texts": {}}));
        } else if let Some(delta) = object["delta"].as_str() {
            assert_eq!(object["item_id"], items[index]["id"]);
            let text = &mut items[index]["texts"][place];
            *text = json!(format!("{}{delta}", text.as_str().unwrap_or_default()));
        } else if kind.ends_with("item.done") {
            assert_eq!(object["item"]["id"], items[index]["id"]);
            assert_eq!(texts_of(&object["item"]), items[index]["texts"], "{object}");
            items[index]["done"] = object["item"].clone();
        } else if kind.ends_with("_part.done") {
            let part = &object["part"];
            let text = part.get("text").or(part.get("refusal")).unwrap();
            assert_eq!(*text, items[index]["texts"][place], "{object}");
        } else if let Some(text) = ["text", "refusal", "arguments"].iter().find_map(|key| object.get(*key)) {
            assert_eq!(*text, items[index]["texts"][place], "{object}");
        } else if matches!(kind, "response.completed" | "response.incomplete") {
            last = object["response"].clone();
            let done: Vec<_> = items.iter().map(|item| texts_of(&item["done"])).collect();
            let repeated: Vec<_> = last["output"].as_array().unwrap().iter().map(texts_of).collect();
            assert_eq!(repeated, done);
        }
    }
    last
}

fn texts_of(item: &Value) -> Value {
    let mut texts = json!({});
    for list in ["content", "summary"] {
        for (place, part) in item[list].as_array().into_iter().flatten().enumerate() {
            let text = part.get("text").or(part.get("refusal")).unwrap();
            if text != "" {
                texts[place.to_string()] = text.clone();
            }
        }
    }
    if let Some(arguments) = item.get("arguments") {
        texts["0"] = arguments.clone();
    }
    texts
}

#[test]
fn an_edited_text_is_edited_wherever_the_stream_repeats_it() {
    let out = filtered(&read([stream("text").as_slice()]), shout);
    let last = checked(&out);
    assert_eq!(last["output"][0]["content"][0]["text"], "MAIL BOB@X.COM, \"NOW\"\n数");
    let text = String::from_utf8(out).unwrap();
    assert!(!text.contains("bob"), "{text}");
    assert!(!text.contains("logprob\""), "probabilities spell out what was edited");
    checked(&filtered(&read([stream("reasoning_and_calls").as_slice()]), shout));
    checked(&filtered(&read([stream("refusal").as_slice()]), shout));
}

#[test]
fn text_that_was_held_goes_out_before_its_end_is_told() {
    let mut held: Vec<(Lane, String)> = Vec::new();
    let hold = |events: &mut Vec<StreamEvent>| {
        let mut left = Vec::new();
        for event in events.drain(..) {
            match event.kind() {
                EventKind::TextDelta { lane, text } => match held.iter_mut().find(|(known, _)| known == lane)
                {
                    Some((_, known)) => known.push_str(text),
                    None => held.push((*lane, text.as_str().to_owned())),
                },
                EventKind::LaneEnd { lane } => {
                    let place = held.iter().position(|(known, _)| known == lane).unwrap();
                    let (lane, text) = held.remove(place);
                    // Twice, so that more events are needed than were left out.
                    for text in [format!("<{text}"), ">".to_owned(), "!".to_owned(), "?".to_owned()] {
                        left.push(StreamEvent::inserted(EventKind::TextDelta { lane, text: text.into() }));
                    }
                    left.push(event);
                }
                _ => left.push(event),
            }
        }
        *events = left;
    };
    let last = checked(&filtered(&read([stream("reasoning_and_calls").as_slice()]), hold));
    assert_eq!(last["output"][1]["content"][0]["text"], "<Let me look>!?");
    assert_eq!(last["output"][0]["summary"][1]["text"], "<then act>!?");
}

#[test]
fn a_call_that_was_dropped_leaves_nothing_behind() {
    let out = filtered(&read([stream("reasoning_and_calls").as_slice()]), |events| {
        let is_first = |lane: &Lane| lane.kind == LaneKind::ToolArguments { index: 2 };
        events.retain(|event| match event.kind() {
            EventKind::ToolCallStart { lane, .. } | EventKind::TextDelta { lane, .. } => !is_first(lane),
            _ => true,
        });
    });
    let text = String::from_utf8(out).unwrap();
    assert!(!text.contains("fc_2") && !text.contains("call_2") && !text.contains("\"look\""), "{text}");
    assert!(text.contains("fc_3"));
}

// === Streams of other dialects, retold ===

fn envelope() -> Envelope {
    Envelope { id: RequestId::new(1, 2), created: 1_700_000_000, model: "public".to_owned() }
}

fn told(kinds: &[EventKind]) -> Vec<u8> {
    let settings = StreamSettings { envelope: Some(envelope()), ..StreamSettings::default() };
    let mut encoder = responses().stream_encoder(settings);
    let mut out = Vec::new();
    for kind in kinds {
        encoder.write(None, &[StreamEvent::from_frame(kind.clone(), 0)], &mut out);
    }
    encoder.write_end(&mut out);
    encoder.write_end(&mut out);
    out
}

fn text(lane: Lane, text: &str) -> EventKind {
    EventKind::TextDelta { lane, text: text.into() }
}

fn start(lane: Lane, id: &str, name: &str) -> EventKind {
    EventKind::ToolCallStart { lane, id: id.to_owned(), name: name.to_owned() }
}

#[test]
fn a_retold_stream_has_every_event_in_its_order() {
    let call = Lane::tool_arguments(0, 0);
    let out = told(&[
        text(Lane::reasoning(0), "hm"),
        text(Lane::content(0), "a"),
        text(Lane::content(0), "b"),
        start(call, "c1", "f"),
        text(call, "{}"),
        EventKind::Finish { choice: 0, reason: FinishReason::ToolCalls },
        EventKind::Usage(Usage { input: 5, cache_read: 2, output: 3, reasoning: 1, ..Usage::default() }),
    ]);
    let names: Vec<_> = objects(&out)
        .iter()
        .map(|object| object["type"].as_str().unwrap().replace("response.", ""))
        .collect();
    let expected = [
        "created",
        "in_progress",
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
        "completed",
    ];
    assert_eq!(names, expected);
    let last = checked(&out);
    assert_eq!(last["status"], "completed");
    assert_eq!(last["model"], "public");
    assert_eq!(last["output"][1]["content"][0]["text"], "ab");
    assert_eq!(last["output"][2]["call_id"], "c1");
    assert_eq!(last["usage"]["input_tokens"], 7);
    assert_eq!(last["usage"]["input_tokens_details"]["cached_tokens"], 2);
    assert_eq!(last["usage"]["output_tokens_details"]["reasoning_tokens"], 1);
}

#[test]
fn calls_that_come_interleaved_stay_apart_and_one_without_arguments_has_an_empty_object() {
    let (one, two) = (Lane::tool_arguments(0, 4), Lane::tool_arguments(0, 9));
    let kinds = [
        start(one, "", "f"),
        start(two, "b", "g"),
        text(one, "[1"),
        start(two, "b", "g"),
        text(one, "]"),
        EventKind::Finish { choice: 0, reason: FinishReason::Stop },
    ];
    let out = told(&kinds);
    let objects = objects(&out);
    let last = &objects.last().unwrap()["response"];
    assert_eq!(last["output"][0]["arguments"], "[1]");
    assert!(last["output"][0]["call_id"].as_str().unwrap().starts_with("call_"));
    assert_eq!(last["output"][1]["arguments"], "{}");
    assert_eq!(last["output"].as_array().unwrap().len(), 2);
}

#[test]
fn what_another_dialect_seals_is_given_out_under_its_name() {
    let signature = |from| Signature { data: "c2lnbmVk".into(), from };
    let lane = Lane::reasoning(0);
    let out = told(&[
        text(lane, "hm"),
        EventKind::LaneEnd { lane },
        EventKind::Signature { lane, signature: signature(Dialect::AnthropicMessages) },
        EventKind::SealedReasoning { choice: 0, signature: signature(Dialect::AnthropicMessages) },
        text(Lane::content(0), "a"),
    ]);
    let last = checked(&out);
    assert_eq!(last["output"][0]["encrypted_content"], "anthropic_messages:c2lnbmVk");
    assert_eq!(last["output"][1]["summary"], json!([]));
    assert_eq!(last["output"][1]["encrypted_content"], "anthropic_messages:c2lnbmVk");
}

#[test]
fn every_reason_to_stop_ends_a_retold_stream_as_the_dialect_does() {
    let cases = [
        (FinishReason::Stop, "response.completed", Value::Null),
        (FinishReason::StopString(None), "response.completed", Value::Null),
        (FinishReason::ToolCalls, "response.completed", Value::Null),
        (FinishReason::Paused, "response.completed", Value::Null),
        (FinishReason::Other("novel".to_owned()), "response.completed", Value::Null),
        (FinishReason::Length, "response.incomplete", json!({"reason": "max_output_tokens"})),
        (FinishReason::ContextFull, "response.incomplete", json!({"reason": "max_output_tokens"})),
        (FinishReason::ContentFilter, "response.incomplete", json!({"reason": "content_filter"})),
        (FinishReason::MalformedCall, "response.failed", Value::Null),
    ];
    for (reason, event, details) in cases {
        let out = told(&[text(Lane::content(0), "a"), EventKind::Finish { choice: 0, reason }]);
        let last = objects(&out).pop().unwrap();
        assert_eq!(last["type"], event);
        assert_eq!(last["response"]["incomplete_details"], details);
    }
}

#[test]
fn an_error_ends_a_stream_under_the_next_number() {
    let settings = StreamSettings { envelope: Some(envelope()), ..StreamSettings::default() };
    let mut encoder = responses().stream_encoder(settings);
    let mut out = Vec::new();
    encoder.write(None, &[StreamEvent::inserted(EventKind::Start)], &mut out);
    let error = ErrorBody {
        status: StatusCode::BAD_GATEWAY,
        class: ErrorClass::Server,
        code: Some("upstream_error".into()),
        message: "it broke".into(),
        param: None,
        request_id: None,
        retry_after: None,
    };
    encoder.write_error(&error, &mut out);
    encoder.write_end(&mut out);
    let last = objects(&out).pop().unwrap();
    let expected = json!({
        "type": "error", "code": "upstream_error", "param": null, "message": "it broke", "sequence_number": 2
    });
    assert_eq!(last, expected);
}

#[test]
fn an_answer_of_the_gateways_own_is_a_whole_stream() {
    let mut encoder = responses().stream_encoder(StreamSettings::default());
    let kinds = [
        EventKind::Start,
        text(Lane::content(0), "no"),
        EventKind::Finish { choice: 0, reason: FinishReason::Stop },
    ];
    let events: Vec<_> = kinds.into_iter().map(StreamEvent::inserted).collect();
    let mut out = Vec::new();
    encoder.write(None, &events, &mut out);
    encoder.write_end(&mut out);
    assert_eq!(checked(&out)["output"][0]["content"][0]["text"], "no");
}

#[test]
fn a_retold_stream_says_what_the_whole_answer_says() {
    for case in ["text", "reasoning_and_calls", "incomplete", "refusal", "built_in_tool_and_two_messages"] {
        let stream = stream(case);
        let read = read([stream.as_slice()]);
        let kinds = read.frames.iter().flat_map(|(_, events)| events).map(|event| event.kind().clone());
        let streamed = checked(&told(&kinds.collect::<Vec<_>>()));
        let whole = objects(&stream).pop().unwrap()["response"].to_string();
        let codec = responses().chat().unwrap();
        let answer = codec.read_answer(whole.as_bytes()).unwrap();
        let whole: Value = serde_json::from_slice(&codec.write_answer(&answer, &envelope())).unwrap();
        assert_eq!(whole["usage"], streamed["usage"], "{case}");
        assert_eq!(whole["status"], streamed["status"], "{case}");
        let said = |answer: &Value| {
            let items = answer["output"].as_array().unwrap().iter();
            let texts = items.map(|item| format!("{}{}", texts_of(item), item["encrypted_content"]));
            texts.collect::<String>().replace([' ', '\n'], "").replace("\\n", "")
        };
        if case != "built_in_tool_and_two_messages" {
            assert_eq!(said(&whole), said(&streamed), "{case}");
        }
    }
}
