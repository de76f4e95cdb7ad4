//! Streams of Amazon Bedrock's Converse. Each `golden/bedrock.<case>.events` is what a provider sends, a message a
//! line: the event's name and its payload, `!` before an exception, `?` before a fault. The `.txt` beside it is what
//! the gateway makes of it. Set `REFRESH_GOLDEN=1` to write the `.txt` files anew.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails, helpers included")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use gatewright::chat::Signature;
use gatewright::dialect::{
    Codec, Dialect, Envelope, ErrorBody, ErrorClass, Frame, FrameKind, StreamDecoder, StreamSettings,
};
use gatewright::text::Lane;
use gatewright::{EventKind, Failure, FailureKind, FinishReason, RequestId, StreamEvent, Usage};
use gatewright_wire::codec;
use gatewright_wire::event_stream::{EventStreamDecoder, HeaderValue, write_message};
use http::StatusCode;
use proptest::prelude::*;

fn converse() -> &'static dyn Codec {
    codec(Dialect::BedrockConverse)
}

// === Messages and lines ===

fn message(line: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let text = HeaderValue::Text;
    if let Some(fault) = line.strip_prefix('?') {
        let (code, message) = fault.split_once('=').unwrap();
        let headers = [
            (":error-code", text(code)),
            (":error-message", text(message)),
            (":message-type", text("error")),
        ];
        write_message(&mut out, &headers, b"");
        return out;
    }
    let (name, payload) = line.split_once(' ').unwrap();
    let json = (":content-type", text("application/json"));
    let headers = match name.strip_prefix('!') {
        Some(name) => [(":exception-type", text(name)), json, (":message-type", text("exception"))],
        None => [(":event-type", text(name)), json, (":message-type", text("event"))],
    };
    write_message(&mut out, &headers, payload.as_bytes());
    out
}

fn stream(lines: &str) -> Vec<u8> {
    lines.lines().flat_map(message).collect()
}

/// A stream as lines again.
#[track_caller]
fn lines(stream: &[u8]) -> String {
    let mut decoder = EventStreamDecoder::default();
    decoder.push(Bytes::copy_from_slice(stream));
    let mut text = String::new();
    while let Some(message) = decoder.next_message().unwrap() {
        let payload = String::from_utf8(message.payload.to_vec()).unwrap();
        let line = match (message.text(":event-type"), message.text(":exception-type")) {
            (Some(name), _) => format!("{name} {payload}\n"),
            (None, Some(name)) => format!("!{name} {payload}\n"),
            (None, None) => format!(
                "?{}={}\n",
                message.text(":error-code").unwrap_or_default(),
                message.text(":error-message").unwrap_or_default()
            ),
        };
        text.push_str(&line);
    }
    assert_eq!(decoder.finish(), Ok(None));
    text
}

// === Reading ===

/// What came of a stream: each frame with its events.
struct Outcome {
    frames: Vec<(Frame, Vec<StreamEvent>)>,
    failure: Option<Failure>,
    is_complete: bool,
}

fn read<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let mut decoder = converse().stream_decoder();
    let (mut frames, mut failure) = (Vec::new(), None);
    for chunk in chunks {
        decoder.push(Bytes::copy_from_slice(chunk));
        failure = failure.or(drain(&mut *decoder, &mut frames, |decoder| decoder.next_frame()));
    }
    failure = failure.or_else(|| drain(&mut *decoder, &mut frames, |decoder| decoder.finish()));
    Outcome { frames, failure, is_complete: decoder.is_complete() }
}

fn drain(
    decoder: &mut dyn StreamDecoder,
    frames: &mut Vec<(Frame, Vec<StreamEvent>)>,
    next: impl Fn(&mut dyn StreamDecoder) -> Result<Option<Frame>, Failure>,
) -> Option<Failure> {
    loop {
        match next(decoder) {
            Ok(Some(frame)) => {
                let mut events = Vec::new();
                if let Err(failure) = decoder.events(&frame, &mut events) {
                    return Some(failure);
                }
                frames.push((frame, events));
            }
            Ok(None) => return None,
            Err(failure) => return Some(failure),
        }
    }
}

fn event_text(event: &EventKind) -> String {
    match event {
        EventKind::TextDelta { lane, text } => format!("{:?} {text:?}", lane.kind),
        EventKind::Error(failure) => format!("error {:?}: {}", failure.kind, failure.message),
        EventKind::Usage(usage) => usage_text(usage),
        other => format!("{other:?}"),
    }
}

fn usage_text(usage: &Usage) -> String {
    let Usage { input, cache_read, cache_write, cache_write_1h, output, .. } = usage;
    format!("{input} in, {cache_read} cached, {cache_write} and {cache_write_1h} written, {output} out")
}

fn transcript(stream: &[u8]) -> String {
    let outcome = read([stream]);
    let mut text = String::new();
    for (frame, events) in &outcome.frames {
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
    write!(text, "\n=== filtered ===\n{}", lines(&filtered(&outcome))).unwrap();
    write!(text, "\n=== told anew ===\n{}", lines(&told(&outcome, usize::MAX))).unwrap();
    text
}

/// What goes out when a filter shouts.
fn filtered(outcome: &Outcome) -> Vec<u8> {
    let mut encoder = converse().stream_encoder(StreamSettings::default());
    let mut out = Vec::new();
    for (frame, events) in &outcome.frames {
        let mut events = events.clone();
        for event in &mut events {
            if let Some((_, text)) = event.text() {
                let loud = text.to_uppercase();
                event.replace_text(&loud);
            }
        }
        encoder.observe(frame);
        encoder.write(Some(frame), &events, &mut out);
    }
    out
}

fn envelope() -> Envelope {
    Envelope { id: RequestId::new(1, 2), created: 1_700_000_000, model: "public".to_owned() }
}

fn teller() -> StreamSettings {
    StreamSettings { envelope: Some(envelope()), ..StreamSettings::default() }
}

/// What goes out when the events are told to a client as if another dialect had said them, `step` at a time.
fn told(outcome: &Outcome, step: usize) -> Vec<u8> {
    let mut encoder = converse().stream_encoder(teller());
    let events: Vec<StreamEvent> = outcome.frames.iter().flat_map(|(_, events)| events.clone()).collect();
    let mut out = Vec::new();
    events.chunks(step.min(events.len().max(1))).for_each(|events| encoder.write(None, events, &mut out));
    if outcome.is_complete {
        encoder.write_end(&mut out);
    }
    out
}

fn corpus() -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let streams = files.filter(|path| path.extension().is_some_and(|extension| extension == "events"));
    let corpus: Vec<_> =
        streams.map(|path| (path.clone(), stream(&std::fs::read_to_string(path).unwrap()))).collect();
    assert!(corpus.len() > 7, "the golden streams are missing");
    corpus
}

fn essence(outcome: &Outcome) -> String {
    let events = outcome.frames.iter().map(|(frame, events)| {
        let texts: Vec<_> = events.iter().map(|event| event_text(event.kind())).collect();
        format!("{:?} {:?} {texts:?}", frame.kind, frame.raw)
    });
    let failure = outcome.failure.as_ref().map(|failure| failure.message.clone());
    format!("{:?} {} {failure:?}", events.collect::<Vec<_>>(), outcome.is_complete)
}

#[test]
fn golden_streams_are_read_filtered_and_told_as_written_down() {
    #[expect(clippy::disallowed_methods, reason = "a switch of this test, not of the product")]
    let refresh = std::env::var_os("REFRESH_GOLDEN").is_some();
    for (path, stream) in corpus() {
        let golden = path.with_extension("txt");
        let text = transcript(&stream);
        if refresh {
            std::fs::write(&golden, &text).unwrap();
        }
        assert_eq!(text, std::fs::read_to_string(&golden).unwrap(), "{}", path.display());
    }
}

#[test]
fn every_split_of_a_stream_gives_the_same_events_and_bytes() {
    for (path, stream) in corpus() {
        let expected = essence(&read([stream.as_slice()]));
        for place in 0..=stream.len() {
            let (head, tail) = stream.split_at(place);
            assert_eq!(essence(&read([head, tail])), expected, "{} cut at {place}", path.display());
        }
        assert_eq!(essence(&read(stream.chunks(1))), expected, "{} byte by byte", path.display());
    }
}

#[test]
fn frames_that_nobody_edits_are_the_providers_bytes() {
    for (path, stream) in corpus() {
        let mut encoder = converse().stream_encoder(StreamSettings::default());
        for (frame, events) in &read([stream.as_slice()]).frames {
            let mut out = Vec::new();
            encoder.write(Some(frame), events, &mut out);
            assert_eq!(out, frame.raw, "{}", path.display());
        }
        let raws: Vec<u8> =
            read([stream.as_slice()]).frames.iter().flat_map(|(frame, _)| frame.raw.to_vec()).collect();
        assert!(stream.starts_with(&raws), "{}", path.display());
    }
}

#[test]
fn a_stream_told_anew_gives_the_same_answer_when_it_is_read_back() {
    for (path, stream) in corpus() {
        let outcome = read([stream.as_slice()]);
        for step in [1, 2, usize::MAX] {
            let told = told(&outcome, step);
            assert_eq!(answer(&read([told.as_slice()])), answer(&outcome), "{}", path.display());
        }
    }
}

/// The events of a stream with the pieces of each text put together.
fn answer(outcome: &Outcome) -> Vec<String> {
    let mut out: Vec<(Option<Lane>, String)> = Vec::new();
    for event in outcome.frames.iter().flat_map(|(_, events)| events) {
        match event.kind() {
            EventKind::TextDelta { lane, text } => match out.last_mut() {
                Some((known, all)) if *known == Some(*lane) => all.push_str(text),
                _ => out.push((Some(*lane), format!("{:?} {}", lane.kind, text.as_str()))),
            },
            EventKind::Raw { .. } | EventKind::End => {}
            // What a provider does not say is told as nothing.
            EventKind::Usage(usage) if *usage == Usage::default() => {}
            EventKind::Error(failure) => out.push((None, format!("error {}", failure.message))),
            other => out.push((None, event_text(other))),
        }
    }
    out.into_iter().map(|(_, text)| text).collect()
}

#[test]
fn a_stream_is_complete_once_the_answer_or_the_figures_ended_and_never_after_a_failure() {
    let is_complete = |name: &str| {
        let (_, stream) =
            corpus().into_iter().find(|(path, _)| path.to_str().unwrap().contains(name)).unwrap();
        read([stream.as_slice()]).is_complete
    };
    assert!(is_complete("text_and_usage") && is_complete("no_figures"));
    assert!(!is_complete("cut_between") && !is_complete("exception") && !is_complete("fault"));
}

#[test]
fn a_stream_cut_inside_a_message_broke_off() {
    let whole = message(r#"messageStart {"role":"assistant"}"#);
    let outcome = read([&whole[..whole.len() - 1]]);
    assert_eq!(outcome.failure.unwrap().kind, FailureKind::Unavailable);
    assert!(!outcome.is_complete);
}

#[test]
fn the_figures_end_the_stream_and_nothing_behind_them_is_read() {
    let text = "metadata {\"usage\":{\"inputTokens\":1,\"outputTokens\":2}}\nmessageStart {}\n";
    let outcome = read([stream(text).as_slice()]);
    assert_eq!(outcome.frames.len(), 1);
    assert_eq!(outcome.frames[0].0.kind, FrameKind::End);
    assert_eq!(outcome.frames[0].0.usage, Some(Usage { input: 1, output: 2, ..Usage::default() }));
}

#[test]
fn a_message_over_the_bound_is_a_failure_of_the_provider() {
    let mut head = [0x7f, 0, 0, 0, 0, 0, 0, 0].to_vec();
    let sum = gatewright_wire::event_stream::crc32(&head);
    head.extend_from_slice(&sum.to_be_bytes());
    let outcome = read([head.as_slice()]);
    assert_eq!(outcome.failure.unwrap().message, "the provider sent an event that is too large");
}

#[test]
fn exceptions_inside_a_stream_have_the_class_of_their_name() {
    for (name, kind) in [
        ("throttlingException", FailureKind::RateLimited),
        ("serviceUnavailableException", FailureKind::Overloaded),
        ("internalServerException", FailureKind::UpstreamError),
        ("modelStreamErrorException", FailureKind::UpstreamError),
        ("modelTimeoutException", FailureKind::Timeout),
        ("validationException", FailureKind::Invalid),
        ("newException", FailureKind::UpstreamError),
    ] {
        let outcome = read([message(&format!("!{name} {{\"message\":\"x\"}}")).as_slice()]);
        let (frame, events) = &outcome.frames[0];
        assert_eq!(frame.kind, FrameKind::Error);
        let EventKind::Error(failure) = events[0].kind() else { panic!("no error") };
        assert_eq!(failure.kind, kind, "{name}");
    }
}

// === Editing ===

/// What is written for the frames of `text` when `edit` has had the events of the last one.
#[track_caller]
fn edited(text: &str, edit: impl FnOnce(&mut Vec<StreamEvent>)) -> String {
    let outcome = read([stream(text).as_slice()]);
    let mut encoder = converse().stream_encoder(StreamSettings::default());
    outcome.frames.iter().for_each(|(frame, _)| encoder.observe(frame));
    let (frame, events) = outcome.frames.last().unwrap();
    let mut events = events.clone();
    edit(&mut events);
    let mut out = Vec::new();
    encoder.write(Some(frame), &events, &mut out);
    lines(&out)
}

fn inserted(lane: Lane, text: &str) -> StreamEvent {
    StreamEvent::inserted(EventKind::TextDelta { lane, text: text.into() })
}

const TEXT: &str = "contentBlockDelta {\"contentBlockIndex\":2,\"delta\":{\"text\":\"a\"},\"p\":\"x\"}\n";

#[test]
fn an_edited_text_leaves_the_rest_of_its_message() {
    assert_eq!(edited(TEXT, |events| events[0].replace_text("b\"")), TEXT.replace(r#""a""#, r#""b\"""#));
}

#[test]
fn a_dropped_event_takes_its_message_along() {
    assert_eq!(edited(TEXT, Vec::clear), "");
}

#[test]
fn a_dropped_tool_call_takes_the_rest_of_its_block_along_and_no_other() {
    let call = |block: u32| {
        format!(
            "contentBlockStart {{\"contentBlockIndex\":{block},\"start\":{{\"toolUse\":{{\"name\":\"f\",\"toolUseId\":\"{block}\"}}}}}}\n\
             contentBlockDelta {{\"contentBlockIndex\":{block},\"delta\":{{\"toolUse\":{{\"input\":\"{{}}\"}}}}}}\n\
             contentBlockStop {{\"contentBlockIndex\":{block}}}\n"
        )
    };
    let outcome = read([stream(&[call(0), call(1)].concat()).as_slice()]);
    let mut encoder = converse().stream_encoder(StreamSettings::default());
    let mut out = Vec::new();
    for (at, (frame, events)) in outcome.frames.iter().enumerate() {
        encoder.observe(frame);
        match at {
            0 => encoder.write(Some(frame), &[], &mut out),
            2 => {
                // What another filter lets go of belongs to the call, too.
                let late = [inserted(Lane::tool_arguments(0, 0), "late")];
                encoder.write(Some(frame), &[&late, events.as_slice()].concat(), &mut out);
            }
            _ if encoder.alters(frame) => encoder.pass(frame, &mut out),
            _ => out.extend_from_slice(&frame.raw),
        }
    }
    assert_eq!(lines(&out), call(1));
}

#[test]
fn added_text_joins_the_text_that_it_follows() {
    let out = edited(TEXT, |events| events.push(inserted(Lane::content(0), "b")));
    assert_eq!(out, TEXT.replace(r#""a""#, r#""ab""#));
}

#[test]
fn added_text_goes_into_the_last_block_of_its_lane_before_the_end_of_the_answer() {
    let stop = "messageStop {\"stopReason\":\"end_turn\"}\n";
    let out = edited(&format!("{TEXT}{stop}"), |events| events.insert(0, inserted(Lane::content(0), "b")));
    let delta = "contentBlockDelta {\"delta\":{\"text\":\"b\"},\"contentBlockIndex\":2}\n";
    assert_eq!(out, format!("{delta}{stop}"));
    let out = edited(&format!("{TEXT}{stop}"), |events| events.insert(0, inserted(Lane::reasoning(0), "b")));
    let block = "contentBlockDelta {\"delta\":{\"reasoningContent\":{\"text\":\"b\"}},\"contentBlockIndex\":3}\n\
                 contentBlockStop {\"contentBlockIndex\":3}\n";
    assert_eq!(out, format!("{block}{stop}"));
}

// === Telling what another dialect said ===

fn tell(kinds: Vec<EventKind>) -> String {
    let mut encoder = converse().stream_encoder(teller());
    let mut out = Vec::new();
    for kind in kinds {
        encoder.write(None, &[StreamEvent::inserted(kind)], &mut out);
    }
    encoder.write_keep_alive(&mut out);
    encoder.write_end(&mut out);
    encoder.write_end(&mut out);
    lines(&out)
}

fn text(lane: Lane, text: &str) -> EventKind {
    EventKind::TextDelta { lane, text: text.into() }
}

fn call(index: u32, id: &str) -> EventKind {
    let lane = Lane::tool_arguments(0, index);
    EventKind::ToolCallStart { lane, id: id.to_owned(), name: format!("f{index}") }
}

fn finish(reason: FinishReason) -> EventKind {
    EventKind::Finish { choice: 0, reason }
}

#[test]
fn calls_that_interleave_become_one_block_after_the_other() {
    let (one, two) = (Lane::tool_arguments(0, 0), Lane::tool_arguments(0, 1));
    let out = tell(vec![
        text(Lane::content(0), "a"),
        call(0, "x"),
        text(one, "{\"n\""),
        call(1, "y"),
        text(two, "{}"),
        text(one, ":1}"),
        text(Lane::content(0), "b"),
        finish(FinishReason::ToolCalls),
    ]);
    let expected = "messageStart {\"role\":\"assistant\"}\n\
        contentBlockDelta {\"delta\":{\"text\":\"a\"},\"contentBlockIndex\":0}\n\
        contentBlockStop {\"contentBlockIndex\":0}\n\
        contentBlockStart {\"start\":{\"toolUse\":{\"toolUseId\":\"x\",\"name\":\"f0\"}},\"contentBlockIndex\":1}\n\
        contentBlockDelta {\"delta\":{\"toolUse\":{\"input\":\"{\\\"n\\\"\"}},\"contentBlockIndex\":1}\n\
        contentBlockDelta {\"delta\":{\"toolUse\":{\"input\":\":1}\"}},\"contentBlockIndex\":1}\n\
        contentBlockStop {\"contentBlockIndex\":1}\n\
        contentBlockStart {\"start\":{\"toolUse\":{\"toolUseId\":\"y\",\"name\":\"f1\"}},\"contentBlockIndex\":2}\n\
        contentBlockDelta {\"delta\":{\"toolUse\":{\"input\":\"{}\"}},\"contentBlockIndex\":2}\n\
        contentBlockStop {\"contentBlockIndex\":2}\n\
        contentBlockDelta {\"delta\":{\"text\":\"b\"},\"contentBlockIndex\":3}\n\
        contentBlockStop {\"contentBlockIndex\":3}\n\
        messageStop {\"stopReason\":\"tool_use\"}\n\
        metadata {\"usage\":{\"inputTokens\":0,\"outputTokens\":0,\"totalTokens\":0,\"cacheReadInputTokens\":0,\
        \"cacheWriteInputTokens\":0},\"metrics\":{\"latencyMs\":0}}\n";
    assert_eq!(out, expected);
}

#[test]
fn a_call_whose_end_is_told_lets_the_next_one_begin() {
    let mut encoder = converse().stream_encoder(teller());
    let mut write = |kind| {
        let mut out = Vec::new();
        encoder.write(None, &[StreamEvent::inserted(kind)], &mut out);
        lines(&out)
    };
    write(call(0, "x"));
    assert_eq!(write(call(1, "y")), "");
    assert_eq!(write(text(Lane::tool_arguments(0, 1), "{}")), "");
    let out = write(EventKind::LaneEnd { lane: Lane::tool_arguments(0, 0) });
    assert!(out.starts_with("contentBlockStop {\"contentBlockIndex\":0}\ncontentBlockStart"), "{out}");
    assert!(out.contains("{}"), "{out}");
}

#[test]
fn a_call_without_arguments_is_a_block_with_a_beginning_and_an_end() {
    let out = tell(vec![call(0, "x"), finish(FinishReason::Stop)]);
    assert!(out.contains("contentBlockStart") && out.contains("contentBlockStop"), "{out}");
    assert!(out.contains("\"tool_use\""), "{out}");
}

#[test]
fn a_call_without_an_id_gets_one() {
    let out = tell(vec![call(0, ""), finish(FinishReason::ToolCalls)]);
    assert!(out.contains(&format!("\"toolUseId\":\"{}-0\"", envelope().id.as_str())), "{out}");
}

#[test]
fn signatures_and_sealed_reasoning_of_other_dialects_are_left_out() {
    let told = |from| {
        let signature = || Signature { data: "c2ln".into(), from };
        tell(vec![
            text(Lane::reasoning(0), "r"),
            EventKind::Signature { lane: Lane::reasoning(0), signature: signature() },
            EventKind::SealedReasoning { choice: 0, signature: signature() },
            text(Lane::content(0), "a"),
            finish(FinishReason::Stop),
        ])
    };
    let own = told(Dialect::BedrockConverse);
    let signed = "contentBlockDelta {\"delta\":{\"reasoningContent\":{\"text\":\"r\"}},\"contentBlockIndex\":0}\n\
        contentBlockDelta {\"delta\":{\"reasoningContent\":{\"signature\":\"c2ln\"}},\"contentBlockIndex\":0}\n\
        contentBlockStop {\"contentBlockIndex\":0}\n\
        contentBlockDelta {\"delta\":{\"reasoningContent\":{\"redactedContent\":\"c2ln\"}},\"contentBlockIndex\":1}\n";
    assert!(own.contains(signed), "{own}");
    let other = told(Dialect::AnthropicMessages);
    assert!(!other.contains("c2ln") && other.contains("\"text\":\"r\""), "{other}");
}

#[test]
fn usage_is_said_once_behind_the_end_whenever_it_came() {
    let usage =
        Usage { input: 5, cache_read: 3, cache_write: 2, cache_write_1h: 4, output: 9, ..Usage::default() };
    let early = EventKind::Usage(Usage { input: 1, ..Usage::default() });
    let stop = finish(FinishReason::Length);
    for kinds in [
        vec![early.clone(), EventKind::Usage(usage), stop.clone()],
        vec![early, stop, EventKind::Usage(usage)],
    ] {
        let out = tell(kinds);
        let outcome = read([stream(&out).as_slice()]);
        let (last, _) = outcome.frames.last().unwrap();
        assert_eq!((last.kind, last.usage), (FrameKind::End, Some(usage)));
        assert_eq!(outcome.frames.iter().filter(|(frame, _)| frame.usage.is_some()).count(), 1);
        assert!(out.contains("max_tokens"));
    }
}

#[test]
fn an_error_is_an_exception_and_nothing_follows_it() {
    let error = |class| ErrorBody {
        status: StatusCode::BAD_GATEWAY,
        class,
        code: None,
        message: "it broke".into(),
        param: None,
        request_id: None,
        retry_after: None,
    };
    for (class, name) in [
        (ErrorClass::Server, "modelStreamErrorException"),
        (ErrorClass::RateLimit, "throttlingException"),
        (ErrorClass::Overloaded, "serviceUnavailableException"),
        (ErrorClass::InvalidRequest, "validationException"),
    ] {
        let mut encoder = converse().stream_encoder(teller());
        let mut out = Vec::new();
        encoder.write_error(&error(class), &mut out);
        encoder.write_error(&error(class), &mut out);
        encoder.write_end(&mut out);
        encoder.write(None, &[StreamEvent::inserted(text(Lane::content(0), "late"))], &mut out);
        assert_eq!(lines(&out), format!("!{name} {{\"message\":\"it broke\"}}\n"));
    }
}

#[test]
fn what_waits_for_a_call_that_never_ends_is_bounded() {
    let mut encoder = converse().stream_encoder(teller());
    let mut out = Vec::new();
    let big = "x".repeat(1 << 20);
    let kinds = [call(0, "x"), call(1, "y")];
    kinds.into_iter().for_each(|kind| encoder.write(None, &[StreamEvent::inserted(kind)], &mut out));
    for _ in 0..9 {
        let event = StreamEvent::inserted(text(Lane::tool_arguments(0, 1), &big));
        encoder.write(None, &[event], &mut out);
    }
    assert!(lines(&out).contains("!modelStreamErrorException"));
}

proptest! {
    #[test]
    fn texts_come_back_from_a_told_stream(pieces in proptest::collection::vec((0u32..4, "\\PC{0,8}"), 0..20)) {
        let lane = |number| match number {
            0 => Lane::content(0),
            1 => Lane::reasoning(0),
            number => Lane::tool_arguments(0, number - 2),
        };
        let mut kinds = vec![call(0, "x"), call(1, "y")];
        kinds.extend(pieces.iter().map(|(number, piece)| text(lane(*number), piece)));
        kinds.push(finish(FinishReason::Stop));
        let outcome = read([stream(&tell(kinds)).as_slice()]);
        for number in 0..4 {
            let said: String =
                pieces.iter().filter(|(known, _)| *known == number).map(|(_, piece)| piece.as_str()).collect();
            let events = outcome.frames.iter().flat_map(|(_, events)| events);
            let heard: String = events
                .filter_map(StreamEvent::text)
                .filter(|(known, _)| *known == lane(number))
                .map(|(_, piece)| piece.to_owned())
                .collect();
            prop_assert_eq!(heard, said);
        }
        prop_assert!(outcome.is_complete);
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let outcome = read([bytes.as_slice()]);
        prop_assert!(outcome.frames.len() <= bytes.len());
    }

    #[test]
    fn any_payload_is_read_without_a_panic(name in 0usize..7, payload in "\\PC{0,60}") {
        let names = ["messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata", "x"];
        let outcome = read([message(&format!("{} {payload}", names[name])).as_slice()]);
        prop_assert!(outcome.frames.len() + usize::from(outcome.failure.is_some()) == 1);
    }
}
