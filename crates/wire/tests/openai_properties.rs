//! What holds for any chat and any bytes in OpenAI chat completions and OpenAI responses.

use bytes::Bytes;
use gatewright::chat::{
    Chat, Effort, Losses, Media, MediaKind, MediaSource, Origin, OutputFormat, Part, PartKind, Place,
    Reasoning, Sampling, Speaker, Tool, ToolChoice, ToolKind, Turn,
};
use gatewright::dialect::{Abilities, Dialect, Envelope, Frame, FrameKind, StreamSettings};
use gatewright::{EventKind, RequestId, StreamEvent};
use gatewright_wire::codec;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde_json::{Value, json};

const DIALECTS: [Dialect; 2] = [Dialect::OpenAiChat, Dialect::OpenAiResponses];

fn envelope() -> Envelope {
    Envelope { id: RequestId::new(1, 2), created: 7, model: "m".to_owned() }
}

// === Chats ===

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z \"\\\\\n]{1,12}", "\\PC{1,12}", Just("\u{0}\u{7f}\u{2028}😀".to_owned())]
}

fn image() -> impl Strategy<Value = PartKind<'static>> {
    let sources = prop_oneof![
        Just((Some("image/png"), MediaSource::Base64("QUJD".into()))),
        Just((None, MediaSource::Url("https://x.test/a".into()))),
    ];
    sources.prop_map(|(mime, source)| {
        PartKind::Media(Media {
            kind: MediaKind::Image,
            mime: mime.map(Into::into),
            source,
            name: None,
            detail: None,
        })
    })
}

fn said() -> impl Strategy<Value = Turn<'static>> {
    let user = vec(prop_oneof![3 => text().prop_map(|text| PartKind::Text(text.into())), 1 => image()], 1..4);
    let assistant = vec(text().prop_map(|text| PartKind::Text(text.into())), 1..3);
    prop_oneof![
        user.prop_map(|kinds| (Speaker::User, kinds)),
        assistant.prop_map(|kinds| (Speaker::Assistant, kinds)),
    ]
    .prop_map(|(speaker, kinds)| Turn { speaker, parts: kinds.into_iter().map(Part::new).collect() })
}

/// Calls with their results.
fn called() -> impl Strategy<Value = Vec<Turn<'static>>> {
    vec((0_u8..9, text()), 1..4).prop_map(|results| {
        let calls = (0..).zip(&results).map(|(at, (number, _))| {
            let arguments = format!("{{\"n\":{number}}}").into();
            let id = format!("call_{at}").into();
            Part::new(PartKind::ToolCall { id, name: "f".into(), arguments, signature: None })
        });
        let calls = Turn { speaker: Speaker::Assistant, parts: calls.collect() };
        let answered = (0..).zip(&results).map(|(at, (_, text))| {
            let content = vec![Part::text(text.clone())];
            let call = format!("call_{at}").into();
            let kind = PartKind::ToolResult { call, name: None, content, is_error: false };
            Turn { speaker: Speaker::User, parts: vec![Part::new(kind)] }
        });
        std::iter::once(calls.clone()).chain(answered.collect::<Vec<_>>()).collect()
    })
}

fn turns() -> impl Strategy<Value = Vec<Turn<'static>>> {
    vec(prop_oneof![3 => said().prop_map(|turn| vec![turn]), 1 => called()], 1..6).prop_map(|rounds| {
        let mut turns: Vec<Turn<'static>> = Vec::new();
        for turn in rounds.into_iter().flatten() {
            // What a model says in a row is one message in the older dialect.
            if turn.speaker == Speaker::Assistant
                && turns.last().is_some_and(|last| last.speaker == Speaker::Assistant)
            {
                turns.push(Turn { speaker: Speaker::User, parts: vec![Part::text("go on")] });
            }
            turns.push(turn);
        }
        turns
    })
}

fn tools() -> impl Strategy<Value = (Vec<Tool<'static>>, Option<ToolChoice<'static>>, Option<bool>)> {
    let kind = (option::of(text()), any::<bool>()).prop_map(|(description, strict)| ToolKind::Function {
        description: description.map(Into::into),
        parameters: Some(r#"{"type":"object","z":1,"a":12345678901234567890}"#.into()),
        strict: Some(strict),
    });
    let choice = prop_oneof![
        Just(ToolChoice::Auto),
        Just(ToolChoice::None),
        Just(ToolChoice::Required),
        Just(ToolChoice::Named("t0".into())),
        any::<bool>().prop_map(|required| ToolChoice::Among { names: vec!["t0".into()], required }),
    ];
    (vec(kind, 1..3), option::of(choice), option::of(any::<bool>())).prop_map(|(kinds, choice, parallel)| {
        let tools = (0..).zip(kinds).map(|(origin, kind)| Tool {
            name: format!("t{origin}").into(),
            kind,
            cache: None,
            origin,
        });
        (tools.collect(), choice, parallel)
    })
}

/// A chat of which both dialects can say everything.
fn chat() -> impl Strategy<Value = Chat<'static>> {
    let efforts = [
        Effort::None,
        Effort::Minimal,
        Effort::Low,
        Effort::Medium,
        Effort::High,
        Effort::Extra,
        Effort::Max,
    ];
    let reasoning = option::of(proptest::sample::select(efforts.to_vec()));
    let format = option::of(prop_oneof![
        Just(OutputFormat::Text),
        Just(OutputFormat::Json),
        option::of(any::<bool>()).prop_map(|strict| OutputFormat::Schema {
            name: Some("n".into()),
            description: None,
            schema: r#"{"b":1,"a":[]}"#.into(),
            strict,
        }),
    ]);
    let numbers = (option::of("0\\.[0-9]{1,3}"), option::of("1|1e-1"), option::of(1_u64..9_999));
    (vec(text(), 0..3), turns(), option::of(tools()), numbers, reasoning, format, any::<bool>()).prop_map(
        |(system, turns, tools, (temperature, top_p, output_cap), effort, format, streams)| {
            let (tools, tool_choice, parallel_tools) = tools.unwrap_or_default();
            Chat {
                model: "m".into(),
                streams,
                system: system.into_iter().map(Part::text).collect(),
                turns,
                tools,
                tool_choice,
                parallel_tools,
                output_cap,
                sampling: Sampling {
                    temperature: temperature.map(Into::into),
                    top_p: top_p.map(Into::into),
                    ..Sampling::default()
                },
                reasoning: effort.map(|effort| Reasoning { effort: Some(effort), ..Reasoning::default() }),
                format,
                ..Chat::default()
            }
        },
    )
}

/// The chat without what differs by where it was read: places, and the cutting of turns.
fn essence(mut chat: Chat<'_>) -> Chat<'_> {
    fn forget(parts: &mut [Part<'_>]) {
        for part in parts {
            part.origin = Origin::default();
            if let PartKind::ToolResult { content, .. } = &mut part.kind {
                forget(content);
            }
        }
    }
    forget(&mut chat.system);
    chat.turns.iter_mut().for_each(|turn| forget(&mut turn.parts));
    let turns = std::mem::take(&mut chat.turns);
    for turn in turns {
        let is_said = |turn: &Turn<'_>| turn.speaker == Speaker::Assistant;
        match chat.turns.last_mut().filter(|last| is_said(last) && is_said(&turn)) {
            Some(last) => last.parts.extend(turn.parts),
            None => chat.turns.push(turn),
        }
    }
    chat.settings.clear();
    chat.choices = 0;
    chat
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn a_chat_that_is_written_reads_as_it_was(chat in chat()) {
        for dialect in DIALECTS {
            let codec = codec(dialect).chat().unwrap();
            let name = |place: &Place<'_>| codec.pointer(place);
            let mut losses = Losses::new(true, &name);
            let body = codec.write_request(&chat, &Abilities::default(), &mut losses).unwrap();
            let read = codec.read_request(&body).unwrap();
            prop_assert_eq!(essence(read.clone()), essence(chat.clone()));
            let again = codec.write_request(&read, &Abilities::default(), &mut losses).unwrap();
            prop_assert_eq!(again, body);
        }
    }

    #[test]
    fn a_chat_survives_the_way_through_the_other_dialect(chat in chat()) {
        let mut body = Bytes::new();
        for dialect in [Dialect::OpenAiChat, Dialect::OpenAiResponses, Dialect::OpenAiChat] {
            let to = codec(dialect).chat().unwrap();
            let name = |place: &Place<'_>| to.pointer(place);
            let mut losses = Losses::new(false, &name);
            let from = if dialect == Dialect::OpenAiChat { Dialect::OpenAiResponses } else { Dialect::OpenAiChat };
            let read = if body.is_empty() { chat.clone() } else { codec(from).chat().unwrap().read_request(&body).unwrap() };
            let written = to.write_request(&read, &Abilities::default(), &mut losses).unwrap();
            body = written;
        }
        let read = codec(Dialect::OpenAiChat).chat().unwrap().read_request(&body).unwrap();
        prop_assert_eq!(essence(read), essence(chat));
    }
}

// === Hostile text ===

/// Words that mean something to one of the dialects, as keys and as values.
const WORDS: &[&str] = &[
    "model",
    "messages",
    "input",
    "role",
    "content",
    "type",
    "text",
    "tool_calls",
    "function",
    "name",
    "arguments",
    "id",
    "call_id",
    "tool_call_id",
    "output",
    "summary",
    "encrypted_content",
    "reasoning",
    "reasoning_details",
    "thinking_blocks",
    "signature",
    "data",
    "format",
    "response_format",
    "json_schema",
    "schema",
    "tools",
    "tool_choice",
    "allowed_tools",
    "stop",
    "stream",
    "n",
    "image_url",
    "url",
    "input_audio",
    "file",
    "file_data",
    "user",
    "assistant",
    "system",
    "tool",
    "developer",
    "message",
    "function_call",
    "function_call_output",
    "custom_tool_call",
    "input_text",
    "output_text",
    "refusal",
    "input_image",
    "input_file",
    "choices",
    "delta",
    "index",
    "finish_reason",
    "usage",
    "prompt_tokens",
    "input_tokens",
    "error",
    "response",
    "item",
    "part",
    "output_index",
    "content_index",
    "summary_index",
    "sequence_number",
    "response.created",
    "response.output_item.added",
    "response.output_item.done",
    "response.output_text.delta",
    "response.output_text.done",
    "response.content_part.done",
    "response.function_call_arguments.delta",
    "response.function_call_arguments.done",
    "response.completed",
    "response.incomplete",
    "response.failed",
    "response.reasoning_summary_text.delta",
    "status",
    "instructions",
    "auto",
    "required",
    "include",
    "data:image/png;base64,QQ==",
    "cache_control",
    "ttl",
    "audio",
    "transcript",
    "logprobs",
];

fn word() -> impl Strategy<Value = Value> {
    proptest::sample::select(WORDS).prop_map(Value::from)
}

fn nearly_meant() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        4 => word(),
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        1 => prop_oneof![Just(json!(0)), Just(json!(1)), Just(json!(u64::MAX)), Just(json!(-1.5))],
        1 => "\\PC{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 5, |inner| {
        let key = proptest::sample::select(WORDS);
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((key, inner), 0..6).prop_map(|members| {
                members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<Value>()
            }),
        ]
    })
}

fn read_stream(dialect: Dialect, stream: &[u8]) -> Vec<(Frame, Vec<StreamEvent>)> {
    let mut decoder = codec(dialect).stream_decoder();
    decoder.push(Bytes::copy_from_slice(stream));
    let mut frames = Vec::new();
    loop {
        let frame = match decoder.next_frame() {
            Ok(None) => decoder.finish(),
            other => other,
        };
        let Ok(Some(frame)) = frame else { return frames };
        let mut events = Vec::new();
        if decoder.events(&frame, &mut events).is_ok() {
            frames.push((frame, events));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, ..ProptestConfig::default() })]

    #[test]
    fn a_hostile_request_is_read_or_refused(mut body in nearly_meant(), subject in nearly_meant()) {
        if let Some(members) = body.as_object_mut() {
            members.insert("model".to_owned(), json!("m"));
            members.insert("messages".to_owned(), json!([subject]));
            members.insert("input".to_owned(), json!([subject]));
        }
        let text = body.to_string();
        for dialect in DIALECTS {
            let codec = codec(dialect);
            let Ok(mut document) = codec.decode_request(Bytes::from(text.clone())) else { continue };
            drop(document.edit_texts(&mut |part| Some(format!("{}!", part.text))));
            document.counts();
            let chat = codec.chat().unwrap();
            let Ok(read) = chat.read_request(text.as_bytes()) else { continue };
            for to in DIALECTS {
                let name = |place: &Place<'_>| chat.pointer(place);
                let mut losses = Losses::new(false, &name);
                let to = gatewright_wire::codec(to);
                if let Ok(written) = to.chat().unwrap().write_request(&read, &Abilities::default(), &mut losses) {
                    prop_assert!(serde_json::from_slice::<Value>(&written).is_ok(), "{:?}", written);
                    prop_assert!(written.len() <= 64 * text.len() + 4_096);
                }
            }
        }
    }

    #[test]
    fn a_hostile_answer_is_read_or_refused(body in nearly_meant()) {
        let text = body.to_string();
        for dialect in DIALECTS {
            let codec = codec(dialect);
            if codec.decode_answer(Bytes::from(text.clone())).is_err() {
                continue;
            }
            let Ok(answer) = codec.chat().unwrap().read_answer(text.as_bytes()) else { continue };
            for to in DIALECTS {
                let written = gatewright_wire::codec(to).chat().unwrap().write_answer(&answer, &envelope());
                prop_assert!(serde_json::from_slice::<Value>(&written).is_ok(), "{:?}", written);
            }
        }
    }

    #[test]
    fn a_hostile_stream_is_read_written_and_retold_without_harm(
        chunks in vec((nearly_meant(), proptest::sample::select(WORDS)), 0..6),
        edits: u64,
    ) {
        let mut stream = String::new();
        for (mut chunk, kind) in chunks {
            if let Some(members) = chunk.as_object_mut() {
                members.insert("type".to_owned(), json!(kind));
            }
            stream.push_str(&format!("data: {chunk}\n\n"));
        }
        for dialect in DIALECTS {
            let mut encoder = codec(dialect).stream_encoder(StreamSettings::default());
            let mut retellers = DIALECTS.map(|to| {
                let settings = StreamSettings { envelope: Some(envelope()), ..StreamSettings::default() };
                codec(to).stream_encoder(settings)
            });
            let mut out = Vec::new();
            for (at, (frame, mut events)) in read_stream(dialect, stream.as_bytes()).into_iter().enumerate() {
                retellers.iter_mut().for_each(|encoder| encoder.write(None, &events, &mut Vec::new()));
                match (edits >> (at % 60)) & 3 {
                    0 => events.clear(),
                    1 => events.iter_mut().for_each(|event| event.replace_text("other")),
                    _ => {}
                }
                encoder.observe(&frame);
                if frame.kind == FrameKind::Data && !encoder.alters(&frame) {
                    encoder.write(Some(&frame), &events, &mut out);
                } else {
                    encoder.pass(&frame, &mut out);
                }
            }
            for mut encoder in retellers {
                let mut out = Vec::new();
                encoder.write(None, &[StreamEvent::inserted(EventKind::Start)], &mut out);
                encoder.write_end(&mut out);
            }
            prop_assert!(std::str::from_utf8(&out).is_ok());
        }
    }
}
