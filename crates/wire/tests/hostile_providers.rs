//! What a provider that is broken, or means harm, can do with a stream: cut characters, tell its texts once, grow
//! without end.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails, helpers included")]

use bytes::Bytes;
use gatewright::dialect::Dialect;
use gatewright::{EventKind, Failure, FailureKind, StreamEvent};
use gatewright_wire::codec;
use serde_json::{Value, json};

/// All events of a stream, and the failure that ended it.
fn read(dialect: Dialect, chunks: impl IntoIterator<Item = String>) -> (Vec<StreamEvent>, Option<Failure>) {
    let mut decoder = codec(dialect).stream_decoder();
    let mut events = Vec::new();
    for chunk in chunks {
        decoder.push(Bytes::from(chunk));
        loop {
            match decoder.next_frame() {
                Ok(None) => break,
                Ok(Some(frame)) => {
                    if let Err(failure) = decoder.events(&frame, &mut events) {
                        return (events, Some(failure));
                    }
                }
                Err(failure) => return (events, Some(failure)),
            }
        }
    }
    (events, None)
}

fn event(data: &Value) -> String {
    format!("data: {data}\n\n")
}

fn text_of(events: &[StreamEvent]) -> String {
    events.iter().filter_map(StreamEvent::text).map(|(_, text)| text).collect()
}

#[test]
fn a_character_that_is_cut_between_two_events_is_whole_again() {
    const CUT: [&str; 3] = [r"a\ud83d", r"\ude00b\ud83d", r"c \\ud83d"];
    const WHOLE: &str = "a\u{1f600}b\u{fffd}c \\ud83d";
    let frames = |form: &dyn Fn(&str) -> String| CUT.map(|piece| format!("data: {}\n\n", form(piece)));
    let chat = frames(&|text| format!(r#"{{"choices":[{{"index":0,"delta":{{"content":"{text}"}}}}]}}"#));
    assert_eq!(text_of(&read(Dialect::OpenAiChat, chat).0), WHOLE);
    let responses = frames(&|text| {
        format!(
            r#"{{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"{text}"}}"#
        )
    });
    assert_eq!(text_of(&read(Dialect::OpenAiResponses, responses).0), WHOLE);
    let google =
        frames(&|text| format!(r#"{{"candidates":[{{"content":{{"parts":[{{"text":"{text}"}}]}}}}]}}"#));
    assert_eq!(text_of(&read(Dialect::GoogleGenerate, google).0), WHOLE);
    let start =
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}});
    let messages = frames(&|text| {
        format!(
            r#"{{"type":"content_block_delta","index":0,"delta":{{"type":"text_delta","text":"{text}"}}}}"#
        )
    });
    let messages = [event(&start)].into_iter().chain(messages);
    assert_eq!(text_of(&read(Dialect::AnthropicMessages, messages).0), WHOLE);
}

#[test]
fn halves_of_two_texts_are_not_joined() {
    let piece = |index, text: &str| {
        format!("data: {{\"choices\":[{{\"index\":{index},\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n")
    };
    let (events, _) = read(Dialect::OpenAiChat, [piece(0, r"\ud83d"), piece(1, r"\ude00"), piece(0, "x")]);
    assert_eq!(text_of(&events), "\u{fffd}\u{fffd}x");
}

#[test]
fn a_text_that_is_told_only_when_it_is_complete_is_told_once() {
    let at = |kind: &str, key: &str, text: &str| {
        event(&json!({"type": format!("response.{kind}"), "output_index": 0, "content_index": 0, key: text}))
    };
    let item = json!({"type": "function_call", "call_id": "c", "name": "f", "arguments": ""});
    let call = event(&json!({"type": "response.output_item.added", "output_index": 1, "item": item}));
    let arguments =
        json!({"type": "response.function_call_arguments.done", "output_index": 1, "arguments": "{\"a\":1}"});
    let stream = [
        at("output_text.done", "text", "only at the end. "),
        at("output_text.delta", "delta", "in "),
        at("output_text.delta", "delta", "pieces"),
        at("output_text.done", "text", "in pieces"),
        call,
        event(&arguments),
    ];
    let (events, failure) = read(Dialect::OpenAiResponses, stream);
    assert!(failure.is_none(), "{failure:?}");
    assert_eq!(text_of(&events), "only at the end. in pieces{\"a\":1}");
    let ends = events.iter().filter(|event| matches!(event.kind(), EventKind::LaneEnd { .. })).count();
    assert_eq!(ends, 3);
}

/// Reads a stream without end; gives how many of its events were taken.
fn endless(dialect: Dialect, piece: impl Fn(usize) -> Value) -> usize {
    let (events, failure) = read(dialect, (0..20_000).map(|at| event(&piece(at))));
    let failure = failure.unwrap();
    assert_eq!(failure.kind, FailureKind::Malformed);
    assert!(failure.message.contains("more parts"), "{}", failure.message);
    events.len()
}

#[test]
fn a_stream_has_so_many_blocks_calls_and_choices_and_no_more() {
    let taken = endless(Dialect::AnthropicMessages, |at| {
        let block = json!({"type": "tool_use", "id": "t", "name": "f", "input": {}});
        json!({"type": "content_block_start", "index": at, "content_block": block})
    });
    assert_eq!(taken, 4_096);
    let taken = endless(Dialect::OpenAiChat, |at| {
        let call = json!({"index": at, "id": format!("c{at}"), "function": {"name": "f", "arguments": ""}});
        json!({"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]})
    });
    assert!(taken < 4_200, "{taken}");
    endless(Dialect::GoogleGenerate, |at| {
        let parts = json!([{"functionCall": {"name": "f", "args": {}}}]);
        json!({"candidates": [{"index": at, "content": {"parts": parts}}]})
    });
    endless(
        Dialect::OpenAiResponses,
        |at| json!({"type": "response.function_call_arguments.delta", "output_index": at, "delta": "{"}),
    );
}

#[test]
fn ids_of_calls_do_not_fill_the_memory() {
    let id = "i".repeat(1 << 19);
    let (events, failure) = read(
        Dialect::OpenAiChat,
        (0..100).map(|at| {
            let call =
                json!({"index": at, "id": format!("{at}{id}"), "function": {"name": "f", "arguments": ""}});
            event(&json!({"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]}))
        }),
    );
    assert!(failure.unwrap().message.contains("more parts"));
    assert!(events.len() < 40, "{}", events.len());
}

#[test]
fn a_stream_that_repeats_more_than_can_be_kept_ends_in_an_error() {
    use gatewright::dialect::StreamSettings;
    let codec = codec(Dialect::OpenAiResponses);
    let mut encoder =
        codec.stream_encoder(StreamSettings { model: Some("m".to_owned()), ..Default::default() });
    let mut decoder = codec.stream_decoder();
    let text = "x".repeat(1 << 19);
    let mut last = Vec::new();
    for number in 0..40 {
        let delta = json!({"type": "response.output_text.delta", "sequence_number": number, "output_index": 0,
                           "content_index": 0, "delta": text});
        decoder.push(Bytes::from(event(&delta)));
        let frame = decoder.next_frame().unwrap().unwrap();
        let mut out = Vec::new();
        encoder.pass(&frame, &mut out);
        if !out.is_empty() {
            last = out;
        }
    }
    assert!(String::from_utf8(last).unwrap().contains("larger than an answer can be"));
}
