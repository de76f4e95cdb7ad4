//! Streams of a provider: each `golden/anthropic_messages/<case>.sse` is what a provider sends, and the `.txt` beside it
//! is what the gateway makes of it. Set `REFRESH_GOLDEN=1` to write the `.txt` files anew.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use gatewright::dialect::{Frame, FrameKind, StreamEncoder, StreamSettings};
use gatewright::text::Lane;
use gatewright::{EventKind, Failure, FinishReason, StreamEvent, Usage};

use crate::support::{messages, payloads, read};

/// What came of a stream.
struct Outcome {
    /// The frames, each with its events.
    frames: Vec<(Frame, Vec<StreamEvent>)>,
    failure: Option<Failure>,
    is_complete: bool,
}

fn taken<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let mut decoder = messages().stream_decoder();
    let mut outcome = Outcome { frames: Vec::new(), failure: None, is_complete: false };
    let chunks = chunks.into_iter().map(Some).chain([None]);
    for chunk in chunks {
        let is_last = chunk.is_none();
        if let Some(chunk) = chunk {
            decoder.push(Bytes::copy_from_slice(chunk));
        }
        loop {
            let frame = if is_last { decoder.finish() } else { decoder.next_frame() };
            match frame {
                Ok(Some(frame)) => {
                    let mut events = Vec::new();
                    decoder.events(&frame, &mut events).expect("the decoder has taken the frame");
                    outcome.frames.push((frame, events));
                }
                Ok(None) => break,
                Err(failure) => {
                    outcome.failure = outcome.failure.or(Some(failure));
                    break;
                }
            }
        }
    }
    outcome.is_complete = decoder.is_complete();
    outcome
}

fn corpus() -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/anthropic_messages");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let streams = files.filter(|path| path.extension().is_some_and(|extension| extension == "sse"));
    let corpus: Vec<_> = streams.map(|path| (path.clone(), std::fs::read(path).unwrap())).collect();
    assert!(corpus.len() > 7, "the golden streams are missing");
    corpus
}

/// What goes to a client when `edit` has had the events of each frame.
fn filtered(frames: &[(Frame, Vec<StreamEvent>)], edit: &mut dyn FnMut(&mut Vec<StreamEvent>)) -> String {
    let mut encoder = messages().stream_encoder(StreamSettings::default());
    let mut out = Vec::new();
    for (frame, events) in frames {
        if frame.kind == FrameKind::Data {
            encoder.observe(frame);
        }
        let mut edited = events.clone();
        edit(&mut edited);
        write(&mut *encoder, frame, events.len(), &edited, &mut out);
    }
    String::from_utf8(out).unwrap()
}

/// As the host does it: a frame that nobody touched passes.
fn write(
    encoder: &mut dyn StreamEncoder,
    frame: &Frame,
    count: usize,
    events: &[StreamEvent],
    out: &mut Vec<u8>,
) {
    let is_untouched = events.len() == count && events.iter().all(|event| !event.is_edited());
    if frame.kind == FrameKind::KeepAlive || (is_untouched && !encoder.alters(frame)) {
        out.extend_from_slice(&frame.raw);
    } else if is_untouched {
        encoder.pass(frame, out);
    } else {
        encoder.write(Some(frame), events, out);
    }
}

fn shouted(frames: &[(Frame, Vec<StreamEvent>)]) -> String {
    filtered(frames, &mut |events| {
        for event in events {
            if let Some((_, text)) = event.text() {
                let loud = text.to_uppercase();
                event.replace_text(&loud);
            }
        }
    })
}

fn renamed(frames: &[(Frame, Vec<StreamEvent>)]) -> String {
    let settings = StreamSettings { model: Some("public".to_owned()), ..StreamSettings::default() };
    let mut encoder = messages().stream_encoder(settings);
    let mut out = Vec::new();
    frames.iter().for_each(|(frame, _)| encoder.pass(frame, &mut out));
    String::from_utf8(out).unwrap()
}

fn usage_text(usage: &Usage) -> String {
    let Usage { input, cache_read, cache_write, cache_write_1h, output, reasoning, .. } = usage;
    format!(
        "{input} in, {cache_read} read, {cache_write}+{cache_write_1h} written, {output} out, {reasoning} reasoning"
    )
}

fn event_text(event: &EventKind) -> String {
    match event {
        EventKind::TextDelta { lane, text } => format!("{:?} {text:?}", lane.kind),
        EventKind::ToolCallStart { lane, id, name } => format!("{:?} starts {id} {name}", lane.kind),
        EventKind::LaneEnd { lane } => format!("{:?} ends", lane.kind),
        EventKind::Signature { lane, signature } => format!("{:?} is signed {}", lane.kind, signature.data),
        EventKind::SealedReasoning { signature, .. } => format!("sealed {}", signature.data),
        EventKind::Usage(usage) => usage_text(usage),
        EventKind::Error(failure) => format!("error {:?}: {}", failure.kind, failure.message),
        EventKind::Raw { .. } => "raw".to_owned(),
        other => format!("{other:?}"),
    }
}

/// What must not depend on how a stream is cut.
fn essence(outcome: &Outcome) -> String {
    let mut text = String::new();
    for (frame, events) in outcome.frames.iter().filter(|(frame, _)| frame.kind != FrameKind::KeepAlive) {
        write!(text, "{:?}, {} bytes of text", frame.kind, frame.text_bytes).unwrap();
        if let Some(usage) = &frame.usage {
            write!(text, ", usage: {}", usage_text(usage)).unwrap();
        }
        text.push('\n');
        events.iter().for_each(|event| writeln!(text, "    {}", event_text(event.kind())).unwrap());
    }
    writeln!(text, "complete: {}", outcome.is_complete).unwrap();
    if let Some(failure) = &outcome.failure {
        writeln!(text, "failure: {:?}: {}", failure.kind, failure.message).unwrap();
    }
    text
}

#[test]
fn streams_are_read_and_written_as_the_golden_files_say() {
    #[expect(clippy::disallowed_methods, reason = "a switch of this test, not of the product")]
    let refresh = std::env::var_os("REFRESH_GOLDEN").is_some();
    for (path, stream) in corpus() {
        let outcome = taken([stream.as_slice()]);
        let mut actual = essence(&outcome);
        for (title, out) in [("renamed", renamed(&outcome.frames)), ("shouted", shouted(&outcome.frames))] {
            write!(actual, "\n=== {title} ===\n{out}").unwrap();
        }
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

/// A line end that a cut has parted is a blank line more.
fn lines(stream: &str) -> Vec<&str> {
    stream.lines().filter(|line| !line.trim().is_empty()).collect()
}

#[test]
fn a_cut_at_any_byte_changes_nothing() {
    for (path, stream) in corpus() {
        let whole = taken([stream.as_slice()]);
        let (expected, shout) = (essence(&whole), shouted(&whole.frames));
        for place in 0..stream.len() {
            let (head, tail) = stream.split_at(place);
            let cut = taken([head, tail]);
            assert_eq!(essence(&cut), expected, "{} cut at {place}", path.display());
            assert_eq!(lines(&shouted(&cut.frames)), lines(&shout), "{} cut at {place}", path.display());
        }
        let single = taken(stream.chunks(1));
        assert_eq!(essence(&single), expected, "{} byte by byte", path.display());
    }
}

#[test]
fn frames_that_nobody_edits_are_the_providers_bytes() {
    for (path, stream) in corpus() {
        let outcome = taken([stream.as_slice()]);
        let raws: Vec<u8> = outcome.frames.iter().flat_map(|(frame, _)| frame.raw.to_vec()).collect();
        assert!(stream.starts_with(&raws), "{}", path.display());
        let out = filtered(&outcome.frames, &mut |_| ());
        assert_eq!(out.as_bytes(), raws, "{}", path.display());
    }
}

fn golden(case: &str) -> Vec<(Frame, Vec<StreamEvent>)> {
    let (_, stream) =
        corpus().into_iter().find(|(path, _)| path.file_stem().is_some_and(|stem| stem == case)).unwrap();
    read(&stream)
}

/// The texts of the blocks of a stream that keeps to the order of the dialect, with their types.
#[track_caller]
fn blocks(stream: &str) -> Vec<(String, String)> {
    let mut blocks: Vec<(String, String)> = Vec::new();
    let mut open = None;
    for payload in payloads(stream) {
        let index = payload["index"].as_u64();
        match payload["type"].as_str().unwrap() {
            "content_block_start" => {
                assert_eq!((open, index), (None, Some(blocks.len() as u64)), "{stream}");
                open = index;
                let block = &payload["content_block"];
                blocks.push((
                    block["type"].as_str().unwrap().to_owned(),
                    block["text"].as_str().unwrap_or_default().to_owned(),
                ));
            }
            "content_block_delta" => {
                assert_eq!(open, index, "{stream}");
                let delta = &payload["delta"];
                let text = ["text", "thinking", "partial_json"].iter().find_map(|key| delta[key].as_str());
                blocks.last_mut().unwrap().1.push_str(text.unwrap_or_default());
            }
            "content_block_stop" => assert_eq!(open.take(), index, "{stream}"),
            "message_delta" | "message_stop" => assert_eq!(open, None, "{stream}"),
            _ => {}
        }
    }
    blocks
}

fn block(kind: &str, text: &str) -> (String, String) {
    (kind.to_owned(), text.to_owned())
}

fn inserted(lane: Lane, text: &str) -> StreamEvent {
    StreamEvent::inserted(EventKind::TextDelta { lane, text: text.into() })
}

/// A filter that holds back the last character of each text until the text ends.
fn holding(frames: &[(Frame, Vec<StreamEvent>)]) -> String {
    let mut held: Vec<(Lane, String)> = Vec::new();
    filtered(frames, &mut |events| {
        let mut out = Vec::new();
        for mut event in std::mem::take(events) {
            let ends = match event.kind() {
                EventKind::LaneEnd { lane } => held.iter().position(|(known, _)| known == lane),
                EventKind::Finish { .. } => (!held.is_empty()).then_some(0),
                _ => None,
            };
            if let Some(place) = ends {
                let (lane, text) = held.remove(place);
                out.push(inserted(lane, &text));
            }
            if let Some((lane, text)) = event.text() {
                let before =
                    held.iter().position(|(known, _)| *known == lane).map(|place| held.remove(place).1);
                let mut text = before.unwrap_or_default() + text;
                held.extend(text.pop().map(|last| (lane, last.to_string())));
                if text.is_empty() {
                    continue;
                }
                event.replace_text(&text);
            }
            out.push(event);
        }
        *events = out;
    })
}

#[test]
fn text_that_a_filter_holds_to_the_end_stays_in_its_block() {
    assert_eq!(blocks(&holding(&golden("text"))), [block("text", "Hello \"café\"")]);
    let expected = [
        block("thinking", "let me"),
        block("redacted_thinking", ""),
        block("text", "so"),
        block("tool_use", "{\"city\": \"x\"}"),
        block("tool_use", ""),
    ];
    assert_eq!(blocks(&holding(&golden("reasoning_and_tools"))), expected);
    let expected = [
        block("text", "I search"),
        block("server_tool_use", "{\"query\":\"x\"}"),
        block("web_search_tool_result", ""),
        block("text", "on"),
        block("text", "etw"),
        // What is not known comes between, and a block of its own keeps the order.
        block("text", "o"),
    ];
    assert_eq!(
        blocks(&holding(&golden("unknown_blocks_and_events"))),
        expected,
        "a sentence goes on in the next block"
    );
}

#[test]
fn a_text_that_has_no_block_gets_one_and_the_indices_stay_in_order() {
    let mut is_first = true;
    let out = filtered(&golden("reasoning_and_tools"), &mut |events| {
        let is_call = events.iter().any(|event| matches!(event.kind(), EventKind::ToolCallStart { .. }));
        if is_call && std::mem::take(&mut is_first) {
            events.insert(1, inserted(Lane::reasoning(0), "late"));
        }
    });
    let kinds: Vec<_> = blocks(&out).into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, ["thinking", "redacted_thinking", "text", "thinking", "tool_use", "tool_use"]);
}

#[test]
fn a_text_for_another_block_waits_until_the_open_one_has_ended() {
    let out = filtered(&golden("reasoning_and_tools"), &mut |events| {
        let is_part = events.iter().any(|event| event.text().is_some_and(|(_, text)| text.contains("city")));
        if is_part {
            events.push(inserted(Lane::content(0), "aside"));
        }
    });
    let found = blocks(&out);
    assert_eq!(found[3..5], [block("tool_use", "{\"city\": \"x\"}"), block("text", "aside")]);
    assert_eq!(found.len(), 6);
}

#[test]
fn a_dropped_call_goes_with_its_block_and_the_indices_close_up() {
    let out = filtered(&golden("reasoning_and_tools"), &mut |events| {
        events
            .retain(|event| !matches!(event.kind(), EventKind::ToolCallStart { id, .. } if id == "toolu_1"));
    });
    let kinds: Vec<_> = blocks(&out).into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, ["thinking", "redacted_thinking", "text", "tool_use"]);
    assert!(!out.contains("city"), "{out}");
}

#[test]
fn dropped_text_leaves_its_block_empty_and_dropped_ends_leave_no_reason() {
    let out = filtered(&golden("text"), &mut |events| {
        events.retain(|event| event.text().is_none() && !matches!(event.kind(), EventKind::Finish { .. }));
    });
    assert_eq!(blocks(&out), [block("text", "")]);
    let delta = payloads(&out).into_iter().find(|payload| payload["type"] == "message_delta").unwrap();
    assert!(delta["delta"]["stop_reason"].is_null());
    assert_eq!(delta["usage"]["output_tokens"], 15);
}

#[test]
fn added_text_joins_the_text_that_it_follows() {
    let out = filtered(&golden("text"), &mut |events| {
        if events.iter().any(|event| event.text().is_some_and(|(_, text)| text == "Hello")) {
            events.push(inserted(Lane::content(0), "!"));
        }
    });
    assert_eq!(blocks(&out), [block("text", "Hello! \"café\"")]);
    assert!(out.contains(r#""text":"Hello!""#), "{out}");
}

#[test]
fn an_answer_of_an_extension_is_a_whole_stream() {
    let mut encoder = messages().stream_encoder(StreamSettings::default());
    let finish = EventKind::Finish { choice: 0, reason: FinishReason::Stop };
    let events = [
        StreamEvent::inserted(EventKind::Start),
        inserted(Lane::content(0), "no"),
        StreamEvent::inserted(finish),
    ];
    let mut out = Vec::new();
    encoder.write(None, &events, &mut out);
    encoder.write_end(&mut out);
    let out = String::from_utf8(out).unwrap();
    assert_eq!(blocks(&out), [block("text", "no")]);
    let kinds: Vec<_> = payloads(&out).iter().map(|payload| payload["type"].clone()).collect();
    assert_eq!(
        (kinds[0].as_str(), kinds.last().unwrap().as_str()),
        (Some("message_start"), Some("message_stop"))
    );
}

#[test]
fn a_form_that_came_about_by_a_tool_reads_as_text_with_a_natural_end() {
    let stream = concat!(
        "data: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"gw-answer-form\",\"input\":{}}}\n\n",
        "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{\\\"a\\\":1}\"}}\n\n",
        "data: {\"type\":\"content_block_stop\",\"index\":0}\n\n",
        "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\"}}\n\n",
    );
    let events: Vec<_> = read(stream.as_bytes())
        .into_iter()
        .flat_map(|(_, events)| events)
        .map(|event| event_text(event.kind()))
        .collect();
    assert_eq!(events, ["Content \"{\\\"a\\\":1}\"", "Content ends", "Finish { choice: 0, reason: Stop }"]);
}

#[test]
fn an_error_closes_the_stream_and_nothing_follows() {
    let frames = golden("text");
    let mut encoder = messages().stream_encoder(StreamSettings::default());
    let mut out = Vec::new();
    for (frame, _) in frames.iter().take(6) {
        encoder.observe(frame);
        encoder.pass(frame, &mut out);
    }
    let error = gatewright::dialect::ErrorBody {
        status: http::StatusCode::BAD_GATEWAY,
        class: gatewright::dialect::ErrorClass::Server,
        code: None,
        message: "it broke".into(),
        param: None,
        request_id: None,
        retry_after: None,
    };
    encoder.write_error(&error, &mut out);
    let length = out.len();
    encoder.write_end(&mut out);
    encoder.write_keep_alive(&mut out);
    frames.iter().for_each(|(frame, _)| encoder.pass(frame, &mut out));
    assert_eq!(out.len(), length);
    let text = String::from_utf8(out).unwrap();
    assert!(text.ends_with("event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"it broke\"},\"request_id\":null}\n\n"));
    assert!(text.contains("content_block_stop"), "what was kept back goes out: {text}");
}
