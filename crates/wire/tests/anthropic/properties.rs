//! What holds for any conversation, any order of events, and any bytes.

use bytes::Bytes;
use gatewright::dialect::{Abilities, StreamSettings};
use gatewright::text::Lane;
use gatewright::{EventKind, FinishReason, StreamEvent, Usage};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{chat_codec, envelope, messages, rewritten, written};
use crate::written_streams::shape;

fn text() -> impl Strategy<Value = Value> {
    "[a-zA-Z\"\\\\é数]{1,12}".prop_map(|text| json!({"type": "text", "text": text}))
}

fn media() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(
            json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}})
        ),
        Just(json!({"type": "image", "source": {"type": "url", "url": "https://x.test/a"}})),
        Just(
            json!({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "d"}, "title": "t"})
        ),
    ]
}

fn marked(block: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    (block, prop_oneof![9 => Just(None), 1 => Just(Some("5m")), 1 => Just(Some("1h"))]).prop_map(
        |(mut block, time)| {
            if let Some(time) = time {
                block["cache_control"] = json!({"type": "ephemeral", "ttl": time});
            }
            block
        },
    )
}

fn reasoning() -> impl Strategy<Value = Value> {
    prop_oneof![
        "[a-z\n]{0,9}".prop_map(|text| json!({"type": "thinking", "thinking": text, "signature": "c2ln/+="})),
        "[A-Za-z+/]{1,9}".prop_map(|data| json!({"type": "redacted_thinking", "data": data})),
    ]
}

/// A turn of the model with its calls, and the turn that answers them.
fn exchange() -> impl Strategy<Value = Vec<Value>> {
    let input =
        prop_oneof![Just(json!({})), "[a-z\"]{1,6}".prop_map(|text| json!({"a": text, "b": [1, null]}))];
    let calls = vec((input, any::<bool>(), vec(prop_oneof![text(), media()], 0..3)), 0..4);
    (vec(reasoning(), 0..3), vec(text(), 1..3), calls, vec(marked(prop_oneof![text(), media()]), 1..3))
        .prop_map(|(mut said, texts, calls, following)| {
            said.extend(texts);
            let mut answers = Vec::new();
            for (index, (input, is_error, content)) in calls.into_iter().enumerate() {
                let id = format!("toolu_{index}");
                said.push(json!({"type": "tool_use", "id": id, "name": "look", "input": input}));
                let mut result = json!({"type": "tool_result", "tool_use_id": id, "content": content});
                if is_error {
                    result["is_error"] = json!(true);
                }
                answers.push(result);
            }
            answers.extend(following);
            vec![json!({"role": "assistant", "content": said}), json!({"role": "user", "content": answers})]
        })
}

fn request() -> impl Strategy<Value = Value> {
    let system = vec(marked(text()), 0..3);
    (system, vec(text(), 1..3), vec(exchange(), 0..4), any::<bool>()).prop_map(
        |(system, first, exchanges, streams)| {
            let mut turns = vec![json!({"role": "user", "content": first})];
            turns.extend(exchanges.into_iter().flatten());
            let mut body = json!({
                "model": "m", "max_tokens": 9, "messages": turns, "stream": streams,
                "tools": [{"name": "look", "input_schema": {"type": "object"}}],
            });
            if !system.is_empty() {
                body["system"] = json!(system);
            }
            body
        },
    )
}

/// Without what the writer may say in another way: a text as a string, marks beyond the last four.
fn essence(chat: &gatewright::chat::Chat<'_>) -> String {
    let mut chat = chat.clone();
    let parts = chat.system.iter_mut().chain(chat.turns.iter_mut().flat_map(|turn| &mut turn.parts));
    parts.for_each(|part| part.cache = None);
    format!("{chat:?}")
}

fn event() -> impl Strategy<Value = EventKind> {
    let lane = |kind: u32| match kind {
        0 => Lane::content(0),
        1 => Lane::reasoning(0),
        2 => Lane::refusal(0),
        other => Lane::tool_arguments(0, other - 3),
    };
    let piece = proptest::sample::select(vec!["{", "}", "\"", "a", "{}", "\\", ""]);
    prop_oneof![
        6 => (0u32..7, piece).prop_map(move |(kind, text)| EventKind::TextDelta { lane: lane(kind), text: text.into() }),
        2 => (0u32..4).prop_map(|index| EventKind::ToolCallStart { lane: Lane::tool_arguments(0, index), id: format!("t{index}"), name: "f".to_owned() }),
        1 => (0u32..7).prop_map(move |kind| EventKind::LaneEnd { lane: lane(kind) }),
        1 => Just(EventKind::Start),
        1 => Just(EventKind::Usage(Usage { input: 3, output: 2, ..Usage::default() })),
        1 => Just(EventKind::Finish { choice: 0, reason: FinishReason::Stop }),
        1 => Just(EventKind::Raw { data: Bytes::from_static(b"{}") }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn any_conversation_is_the_same_when_it_has_been_a_chat(body in request()) {
        let text = body.to_string();
        let chat = chat_codec().read_request(text.as_bytes()).unwrap();
        let (again, losses) = rewritten(&body, &Abilities::default());
        let marks = text.matches("cache_control").count();
        prop_assert_eq!(losses.len(), marks.saturating_sub(4), "{:?}", losses);
        let again = again.to_string();
        let again = chat_codec().read_request(again.as_bytes()).unwrap();
        prop_assert_eq!(essence(&again), essence(&chat));
    }

    #[test]
    fn any_order_of_events_makes_a_stream_in_the_order_of_the_dialect(events in vec(event(), 0..40)) {
        let expected: String = events.iter().filter_map(|event| match event {
            EventKind::TextDelta { lane, text } if *lane == Lane::reasoning(0) => Some(text.as_str()),
            _ => None,
        }).collect();
        let stream = written(events);
        shape(&stream);
        let thought: String = crate::support::payloads(&stream).iter().filter_map(|it| it["delta"]["thinking"].as_str()).collect();
        prop_assert_eq!(thought, expected, "no text is lost");
    }

    #[test]
    fn any_bytes_are_read_or_refused(
        pieces in vec(proptest::sample::select(PIECES), 0..24),
        chunk in 1usize..9,
    ) {
        let text: String = pieces.concat();
        let body = Bytes::from(text.clone().into_bytes());
        if let Ok(mut request) = messages().decode_request(body.clone()) {
            drop(request.edit_texts(&mut |_| Some("\"x".to_owned())));
            drop(request.insert_text(gatewright::Role::System, gatewright::Placement::Last, "y"));
            drop((request.counts(), request.to_body()));
            drop(chat_codec().read_request(&body));
        }
        if let Ok(mut answer) = messages().decode_answer(body.clone()) {
            drop(answer.edit_texts(&mut |_, _| Some("\"x".to_owned())));
            answer.to_body();
            let read = chat_codec().read_answer(&body).unwrap();
            let out = chat_codec().write_answer(&read, &envelope());
            prop_assert!(serde_json::from_slice::<Value>(&out).is_ok());
        }
        let stream = format!("event: x\ndata: {text}\n\n");
        let mut decoder = messages().stream_decoder();
        let mut encoder = messages().stream_encoder(StreamSettings::default());
        for chunk in stream.as_bytes().chunks(chunk) {
            decoder.push(Bytes::copy_from_slice(chunk));
            while let Ok(Some(frame)) = decoder.next_frame() {
                let mut events = Vec::new();
                decoder.events(&frame, &mut events).unwrap();
                encoder.observe(&frame);
                let mut out = Vec::new();
                encoder.write(Some(&frame), &events, &mut out);
                events.clear();
                events.push(StreamEvent::inserted(EventKind::TextDelta { lane: Lane::content(0), text: "z".into() }));
                encoder.write(Some(&frame), &events, &mut out);
            }
        }
    }
}

/// Pieces from which nearly valid texts of the dialect grow.
const PIECES: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "null",
    "1",
    "\"x\"",
    "\"type\":",
    "\"text\"",
    "\"index\":1",
    "\"delta\":{",
    "\"content\":[",
    "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"a\"}}",
    "{\"type\":\"content_block_start\",\"index\":18446744073709551615,\"content_block\":{\"type\":\"tool_use\",\"input\":{\"a\":1}}}",
    "{\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":18446744073709551615}}}",
    "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"tool_use\",\"input\":{}}]}]}",
    "{\"content\":[{\"type\":\"tool_use\",\"input\":{\"a\":\"b\"}},{\"type\":\"text\",\"text\":\"t\"}]}",
    "\"messages\":[",
    "{\"role\":\"assistant\",\"content\":",
    "\"system\":",
    "\"tools\":[",
    "\"model\":\"m\"",
];
