//! Streamed answers of the dialects. Each `golden/<dialect>.<case>.sse` or `.ndjson` is what a provider sends, and the
//! `.txt` beside it is what the gateway makes of it: the glance at each frame, its events, and what goes to a
//! client when nobody edits and when a filter does. Set `REFRESH_GOLDEN=1` to write the `.txt` files anew.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails, helpers included")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use gatewright::dialect::{
    Codec, Dialect, ErrorBody, ErrorClass, Frame, FrameKind, StreamEncoder, StreamSettings, UsageArtefact,
};
use gatewright::text::Lane;
use gatewright::{EventKind, Failure, FinishReason, StreamEvent, Usage};
use gatewright_wire::codec;
use http::StatusCode;
use proptest::prelude::*;

/// What came of a stream.
struct Outcome {
    frames: Vec<Frame>,
    failure: Option<Failure>,
    is_complete: bool,
}

fn read<'a>(codec: &dyn Codec, chunks: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let mut decoder = codec.stream_decoder();
    let mut frames = Vec::new();
    let mut failure = None;
    for chunk in chunks {
        decoder.push(Bytes::copy_from_slice(chunk));
        failure = failure.or(drain(|| decoder.next_frame(), &mut frames));
    }
    failure = failure.or_else(|| drain(|| decoder.finish(), &mut frames));
    Outcome { frames, failure, is_complete: decoder.is_complete() }
}

fn drain(
    mut next: impl FnMut() -> Result<Option<Frame>, Failure>,
    frames: &mut Vec<Frame>,
) -> Option<Failure> {
    loop {
        match next() {
            Ok(Some(frame)) => frames.push(frame),
            Ok(None) => return None,
            Err(failure) => return Some(failure),
        }
    }
}

fn events(codec: &dyn Codec, frame: &Frame) -> Vec<StreamEvent> {
    let mut events = Vec::new();
    codec.stream_decoder().events(frame, &mut events).expect("the decoder has taken the frame");
    events
}

/// What goes out when nobody edits, and nobody asked for usage or may see the provider's model name.
fn passed(codec: &dyn Codec, frames: &[Frame]) -> Vec<u8> {
    let settings = StreamSettings { model: Some("public".to_owned()), hide_usage: true, envelope: None };
    let mut encoder = codec.stream_encoder(settings);
    let mut out = Vec::new();
    frames.iter().for_each(|frame| encoder.pass(frame, &mut out));
    out
}

/// What goes out when a filter shouts and makes every tool call's arguments its own.
fn filtered(codec: &dyn Codec, frames: &[Frame]) -> Vec<u8> {
    let mut encoder = codec.stream_encoder(StreamSettings::default());
    let mut out = Vec::new();
    for frame in frames {
        let mut events = events(codec, frame);
        for event in &mut events {
            if let Some((_, text)) = event.text() {
                let loud = text.to_uppercase();
                event.replace_text(&loud);
            }
        }
        if frame.kind == FrameKind::Data {
            encoder.observe(frame);
        }
        encoder.write(Some(frame), &events, &mut out);
    }
    out
}

fn transcript(codec: &dyn Codec, stream: &[u8]) -> String {
    let outcome = read(codec, [stream]);
    let mut text = String::new();
    for frame in outcome.frames.iter().filter(|frame| frame.kind != FrameKind::KeepAlive) {
        let Frame { kind, usage, text_bytes, usage_artefact, .. } = frame;
        write!(text, "{kind:?}, {text_bytes} bytes of text").unwrap();
        if *usage_artefact != UsageArtefact::None {
            write!(text, ", artefact: {usage_artefact:?}").unwrap();
        }
        if let Some(usage) = usage {
            write!(text, ", usage: {}", usage_text(usage)).unwrap();
        }
        text.push('\n');
        for event in events(codec, frame) {
            writeln!(text, "    {}", event_text(event.kind())).unwrap();
        }
    }
    writeln!(text, "complete: {}", outcome.is_complete).unwrap();
    if let Some(failure) = &outcome.failure {
        writeln!(text, "failure: {:?}: {}", failure.kind, failure.message).unwrap();
    }
    for (title, out) in
        [("passed", passed(codec, &outcome.frames)), ("filtered", filtered(codec, &outcome.frames))]
    {
        write!(text, "\n=== {title} ===\n{}", String::from_utf8(out).unwrap()).unwrap();
    }
    text
}

fn usage_text(usage: &Usage) -> String {
    format!(
        "{} in, {} cached, {} out, {} reasoning",
        usage.input, usage.cache_read, usage.output, usage.reasoning
    )
}

fn event_text(event: &EventKind) -> String {
    match event {
        EventKind::TextDelta { lane, text } => format!("{} {:?} {text:?}", lane.choice, lane.kind),
        EventKind::ToolCallStart { lane, id, name } => {
            format!("{} {:?} starts {id} {name}", lane.choice, lane.kind)
        }
        EventKind::Usage(usage) => usage_text(usage),
        EventKind::Error(failure) => format!("error {:?}: {}", failure.kind, failure.message),
        other => format!("{other:?}"),
    }
}

/// All golden streams, with the codec that their names say.
fn corpus() -> Vec<(PathBuf, &'static dyn Codec, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let streams = files
        .filter(|path| path.extension().is_some_and(|extension| extension == "sse" || extension == "ndjson"));
    let read = |path: PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        let dialects = [
            ("chat.", Dialect::OpenAiChat),
            ("completions.", Dialect::OpenAiCompletions),
            ("google.", Dialect::GoogleGenerate),
            ("cohere.", Dialect::CohereChat),
            ("ollama.", Dialect::OllamaChat),
        ];
        let dialect =
            dialects.into_iter().find(|(prefix, _)| name.starts_with(prefix)).map(|(_, dialect)| dialect);
        let dialect = dialect.expect("the name begins with a dialect");
        let stream = std::fs::read(&path).unwrap();
        (path, codec(dialect), stream)
    };
    let corpus: Vec<_> = streams.map(read).collect();
    assert!(corpus.len() > 15, "the golden streams are missing");
    corpus
}

#[test]
fn streams_are_read_and_written_as_the_golden_files_say() {
    #[expect(clippy::disallowed_methods, reason = "a switch of this test, not of the product")]
    let refresh = std::env::var_os("REFRESH_GOLDEN").is_some();
    for (path, codec, stream) in corpus() {
        let actual = transcript(codec, &stream);
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

/// What must not depend on how a stream is cut.
fn essence(codec: &dyn Codec, outcome: &Outcome) -> String {
    let mut text = String::new();
    for frame in outcome.frames.iter().filter(|frame| frame.kind != FrameKind::KeepAlive) {
        write!(text, "{:?} {:?} {:?} {}", frame.kind, frame.data, frame.usage, frame.text_bytes).unwrap();
        events(codec, frame).iter().for_each(|event| writeln!(text, "{}", event_text(event.kind())).unwrap());
    }
    let failure = outcome.failure.as_ref().map(|failure| failure.kind);
    write!(text, "{failure:?} {}", outcome.is_complete).unwrap();
    text
}

#[test]
fn a_cut_at_any_byte_changes_nothing() {
    for (path, codec, stream) in corpus() {
        let whole = read(codec, [stream.as_slice()]);
        let expected = essence(codec, &whole);
        for place in 0..stream.len() {
            let (head, tail) = stream.split_at(place);
            let cut = read(codec, [head, tail]);
            assert_eq!(essence(codec, &cut), expected, "{} cut at {place}", path.display());
        }
        let single = read(codec, stream.chunks(1));
        assert_eq!(essence(codec, &single), expected, "{} byte by byte", path.display());
    }
}

#[test]
fn frames_that_nobody_edits_are_the_providers_bytes() {
    for (path, codec, stream) in corpus() {
        let outcome = read(codec, [stream.as_slice()]);
        let raws: Vec<u8> = outcome.frames.iter().flat_map(|frame| frame.raw.to_vec()).collect();
        assert!(stream.starts_with(&raws), "{}", path.display());
        let mut encoder = codec.stream_encoder(StreamSettings::default());
        for frame in outcome.frames.iter().filter(|frame| frame.kind == FrameKind::Data) {
            let mut out = Vec::new();
            encoder.write(Some(frame), &events(codec, frame), &mut out);
            assert_eq!(out, frame.raw, "{}", path.display());
            out.clear();
            encoder.pass(frame, &mut out);
            assert_eq!(out, frame.raw, "{}", path.display());
        }
    }
}

// === Writing ===

fn frame(data: &str) -> Frame {
    let outcome = read(codec(Dialect::OpenAiChat), [format!("data: {data}\n\n").as_bytes()]);
    outcome.frames.into_iter().next().expect("one frame")
}

/// What is written for a frame when `edit` has had its events.
#[track_caller]
fn written(data: &str, edit: impl FnOnce(&mut Vec<StreamEvent>)) -> String {
    let (codec, frame) = (codec(Dialect::OpenAiChat), frame(data));
    let mut events = events(codec, &frame);
    edit(&mut events);
    let mut encoder = codec.stream_encoder(StreamSettings::default());
    encoder.observe(&frame);
    let mut out = Vec::new();
    encoder.write(Some(&frame), &events, &mut out);
    String::from_utf8(out).unwrap()
}

fn inserted(lane: Lane, text: &str) -> StreamEvent {
    StreamEvent::inserted(EventKind::TextDelta { lane, text: text.into() })
}

const TEXT: &str = r#"{"id":"c","created":7,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"a"},"logprobs":{"x":1},"finish_reason":"stop"}]}"#;

/// A frame of our own in the stream of [`TEXT`].
fn own(delta: &str, finish: &str) -> String {
    format!(
        "data: {{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":7,\"model\":\"m\",\"choices\":\
         [{{\"index\":0,\"delta\":{{{delta}}},\"logprobs\":null,\"finish_reason\":{finish}}}]}}\n\n"
    )
}

#[test]
fn a_dropped_text_leaves_the_rest_of_its_frame() {
    let out = written(TEXT, |events| drop(events.remove(1)));
    let expected = TEXT.replace(r#""a""#, r#""""#).replace(r#"{"x":1}"#, "null");
    assert_eq!(out, format!("data: {expected}\n\n"));
}

#[test]
fn a_frame_without_any_event_left_is_not_written() {
    assert_eq!(written(TEXT, Vec::clear), "");
}

#[test]
fn a_dropped_end_leaves_the_choice_open() {
    let out = written(TEXT, |events| drop(events.pop()));
    assert_eq!(out, format!("data: {}\n\n", TEXT.replace(r#""stop""#, "null")));
}

#[test]
fn added_text_joins_the_text_that_it_follows() {
    let out = written(TEXT, |events| events.insert(2, inserted(Lane::content(0), "\"b")));
    let expected = TEXT.replace(r#""a""#, r#""a\"b""#).replace(r#"{"x":1}"#, "null");
    assert_eq!(out, format!("data: {expected}\n\n"));
}

#[test]
fn added_text_of_another_lane_comes_before_the_end_of_the_choice() {
    let out = written(TEXT, |events| events.push(inserted(Lane::refusal(0), "no")));
    assert_eq!(out, own(r#""refusal":"no""#, "null") + &format!("data: {TEXT}\n\n"));
}

#[test]
fn events_of_any_kind_can_be_added_without_a_frame() {
    let codec = codec(Dialect::OpenAiChat);
    let mut encoder = codec.stream_encoder(StreamSettings {
        model: Some("p".to_owned()),
        hide_usage: false,
        envelope: None,
    });
    encoder.observe(&frame(TEXT));
    let lane = Lane::tool_arguments(0, 1);
    let kinds = [
        EventKind::Start,
        EventKind::ToolCallStart { lane, id: "i".to_owned(), name: "n".to_owned() },
        EventKind::TextDelta { lane, text: "{}".into() },
        EventKind::TextDelta { lane: Lane::reasoning(0), text: "r".into() },
        EventKind::Finish { choice: 0, reason: FinishReason::ToolCalls },
        EventKind::End,
    ];
    let events: Vec<_> = kinds.into_iter().map(StreamEvent::inserted).collect();
    let mut out = Vec::new();
    encoder.write(None, &events, &mut out);
    let expected = [
        own(r#""role":"assistant","content":"""#, "null"),
        own(
            r#""tool_calls":[{"index":1,"id":"i","type":"function","function":{"name":"n","arguments":""}}]"#,
            "null",
        ),
        own(r#""tool_calls":[{"index":1,"function":{"arguments":"{}"}}]"#, "null"),
        own(r#""reasoning_content":"r""#, "null"),
        own("", r#""tool_calls""#),
    ];
    let expected = expected.concat().replace(r#""model":"m""#, r#""model":"p""#) + "data: [DONE]\n\n";
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}

#[test]
fn usage_that_is_added_can_be_read_back() {
    let codec = codec(Dialect::OpenAiChat);
    let usage = Usage { input: 5, cache_read: 3, output: 9, reasoning: 4, ..Usage::default() };
    let mut out = Vec::new();
    let event = StreamEvent::inserted(EventKind::Usage(usage));
    codec.stream_encoder(StreamSettings::default()).write(None, &[event], &mut out);
    let outcome = read(codec, [out.as_slice()]);
    assert_eq!(outcome.frames[0].usage, Some(usage));
}

const CALLS: &str = r#"{"choices":[{"index":0,"delta":{"tool_calls":[ {"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}, {"index":1,"id":"b","function":{"name":"g","arguments":"[]"}} ]}}]}"#;

#[test]
fn a_dropped_tool_call_goes_with_its_arguments() {
    let first = r#"{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}, "#;
    let second = r#", {"index":1,"id":"b","function":{"name":"g","arguments":"[]"}}"#;
    let without_first = written(CALLS, |events| drop(events.drain(..2)));
    assert_eq!(without_first, format!("data: {}\n\n", CALLS.replace(first, "")));
    let without_second = written(CALLS, |events| drop(events.drain(2..)));
    assert_eq!(without_second, format!("data: {}\n\n", CALLS.replace(second, "")));
}

#[test]
fn dropped_usage_leaves_the_frame_without_it() {
    let data = r#"{"choices":[{"index":0,"delta":{"content":"a"}}], "usage":{"prompt_tokens":1,"completion_tokens":1}}"#;
    let out = written(data, |events| drop(events.pop()));
    assert_eq!(out, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n");
}

#[test]
fn hidden_usage_is_hidden_from_filtered_frames_too() {
    let codec = codec(Dialect::OpenAiChat);
    let settings = StreamSettings { model: None, hide_usage: true, envelope: None };
    let mut encoder = codec.stream_encoder(settings);
    let mut out = Vec::new();
    let only_usage = frame(r#"{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1}}"#);
    encoder.write(Some(&only_usage), &events(codec, &only_usage), &mut out);
    assert_eq!(out, b"");
    let with_null = frame(r#"{"choices":[{"index":0,"delta":{"content":"a"}}],"usage":null}"#);
    let mut changed = events(codec, &with_null);
    changed[0].replace_text("b");
    encoder.write(Some(&with_null), &changed, &mut out);
    let expected = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"b\"}}]}\n\n";
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}

fn error() -> ErrorBody<'static> {
    ErrorBody {
        status: StatusCode::BAD_GATEWAY,
        class: ErrorClass::Server,
        code: Some("x".into()),
        message: "it broke".into(),
        param: None,
        request_id: None,
        retry_after: None,
    }
}

type Step = fn(&mut dyn StreamEncoder, &mut Vec<u8>);

#[test]
fn the_terminator_is_written_once_and_never_after_an_error() {
    let end = |steps: &[Step]| {
        let mut encoder = codec(Dialect::OpenAiChat).stream_encoder(StreamSettings::default());
        let mut out = Vec::new();
        steps.iter().for_each(|step| step(&mut *encoder, &mut out));
        String::from_utf8(out).unwrap()
    };
    assert_eq!(end(&[|e, out| e.write_end(out), |e, out| e.write_end(out)]), "data: [DONE]\n\n");
    let broken = end(&[
        |e, out| e.write_keep_alive(out),
        |e, out| e.write_error(&error(), out),
        |e, out| e.write_error(&error(), out),
        |e, out| e.write_end(out),
        |e, out| e.write_keep_alive(out),
    ]);
    let expected = concat!(
        ": keep-alive\n\n",
        "data: {\"error\":{\"message\":\"it broke\",\"type\":\"server_error\",\"param\":null,\"code\":\"x\"}}\n\n",
    );
    assert_eq!(broken, expected);
}

#[test]
fn an_event_over_the_bound_is_a_failure_of_the_provider() {
    let stream = format!("data: \"{}", "x".repeat(2 << 20));
    let outcome = read(codec(Dialect::OpenAiChat), stream.as_bytes().chunks(16 << 10));
    assert_eq!(outcome.failure.unwrap().message, "the provider sent an event that is too large");
}

#[test]
fn nothing_is_read_after_a_failure_and_nothing_written_after_an_error() {
    let codec = codec(Dialect::OpenAiChat);
    let outcome =
        read(codec, [b"data: {\n\n".as_slice(), b"data: {\"choices\":[]}\n\n", b"data: [DONE]\n\n"]);
    assert!(outcome.frames.is_empty() && outcome.failure.is_some() && !outcome.is_complete);
    let mut encoder = codec.stream_encoder(StreamSettings::default());
    let mut out = Vec::new();
    encoder.write_error(&error(), &mut out);
    out.clear();
    let late = frame(TEXT);
    encoder.pass(&late, &mut out);
    encoder.write(Some(&late), &events(codec, &late), &mut out);
    encoder.write(None, &[inserted(Lane::content(0), "late")], &mut out);
    assert_eq!(out, b"");
}

// === Any text ===

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn an_edited_text_arrives_as_it_is_and_nothing_else_changes(
        old in "\\PC{1,30}", new in "\\PC{0,30}", other in "\\PC{0,10}", escaped: bool,
    ) {
        let quote = |text: &str| match escaped {
            true => text.encode_utf16().fold("\"".to_owned(), |out, unit| format!("{out}\\u{unit:04x}")) + "\"",
            false => serde_json::to_string(text).unwrap(),
        };
        let data = |text: &str| format!(
            r#"{{"choices" : [{{"x":{0} ,"delta":{{"content":{1},"{2}":1e400}},"index":3}}],"id":{0}}}"#,
            quote(&other), text, "key",
        );
        let source = data(&quote(&old));
        let out = written(&source, |events| {
            prop_assert_text(events, &old);
            events[0].replace_text(&new);
        });
        let expected = if old == new { quote(&old) } else { serde_json::to_string(&new).unwrap() };
        prop_assert_eq!(out, format!("data: {}\n\n", data(&expected)));
    }
}

#[track_caller]
fn prop_assert_text(events: &[StreamEvent], expected: &str) {
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].text(), Some((Lane::content(3), expected)));
}
