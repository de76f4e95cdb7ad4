//! Requests and answers of Google's `generateContent`: what is read, what an edit changes, what any text does.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails, helpers included")]

use bytes::Bytes;
use gatewright::chat::{Chat, Losses, Part, PartKind, Place, Signature, Speaker, Turn};
use gatewright::dialect::{Abilities, Address, Codec, Dialect, Operation, ReasoningForm, RequestDocument};
use gatewright::text::Lane;
use gatewright::{Placement, Role, TextKind};
use gatewright_wire::{codec, google_generate};
use proptest::prelude::*;

fn google() -> &'static dyn Codec {
    codec(Dialect::GoogleGenerate)
}

fn decode(body: &str) -> Box<dyn RequestDocument> {
    let address = Address { model: Some("gemini?x=1/y".into()), streams: Some(true), ..Address::default() };
    google().decode_request_at(Bytes::copy_from_slice(body.as_bytes()), &address).expect(body)
}

fn texts(request: &dyn RequestDocument) -> Vec<(Role, TextKind, String)> {
    let mut texts = Vec::new();
    request.for_each_text(&mut |part| texts.push((part.role, part.kind, part.text.to_owned()))).unwrap();
    texts
}

fn sent(request: &dyn RequestDocument) -> String {
    String::from_utf8(request.to_body().to_vec()).unwrap()
}

const FULL: &str = concat!(
    r#"{ "contents":[{"parts":[{"text":"hi\u0021"},{"inline_data":{"mime_type":"image/png","data":"QUJD"}},"#,
    r#"{"fileData":{"fileUri":"gs://x"}}],"role":"user"},"#,
    r#"{"role":"model","parts":[{"text":"hm","thought":true},{"functionCall":{"name":"f","args":{"q":"find \"it\""}}}]},"#,
    r#"{"role":"user","parts":{"function_response":{"name":"f","response":{"a":["deep",1],"b":{"c":"er"}}}}}],"#,
    r#""systemInstruction":{"parts":{"text":"be brief"}},"#,
    r#""tools":[{"functionDeclarations":[{"name":"f","description":"finds","parameters":{"properties":{"q":{"description":"what"}}}}]},{"googleSearch":{}}],"#,
    r#""generation_config":{"max_output_tokens":7,"candidateCount":3},"x":1e400}"#,
);

#[test]
fn the_path_says_the_model_and_the_body_the_rest() {
    let request = decode(FULL);
    assert_eq!((request.model(), request.streams()), ("gemini?x=1/y", true));
    assert_eq!((request.choices(), request.output_cap()), (3, Some(7)));
    assert!(request.wants_stream_usage());
    assert_eq!(sent(&*request), FULL);
    let counts = request.counts();
    assert_eq!((counts.messages, counts.tools, counts.images, counts.files), (3, 2, 1, 1));
    assert!(google().decode_request(Bytes::from_static(b"{\"contents\":[{}]}")).is_err(), "no model");
}

#[test]
fn every_text_is_seen_and_results_string_by_string() {
    use gatewright::TextKind::{Content, ToolArguments, ToolDescription};
    let expected = [
        (Role::User, Content, "hi!"),
        (Role::Assistant, Content, "hm"),
        (Role::Assistant, ToolArguments, r#"{"q":"find \"it\""}"#),
        (Role::Tool, Content, "deep"),
        (Role::Tool, Content, "er"),
        (Role::System, Content, "be brief"),
        (Role::System, ToolDescription, "finds"),
        (Role::System, ToolDescription, "what"),
    ];
    assert_eq!(texts(&*decode(FULL)), expected.map(|(role, kind, text)| (role, kind, text.to_owned())));
}

#[test]
fn edits_change_their_texts_and_arguments_stay_an_object() {
    let mut request = decode(FULL);
    let edited = request.edit_texts(&mut |part| match part.kind {
        TextKind::ToolArguments => Some(part.text.replace("it", "them")),
        _ if part.text == "er" => Some("\"".to_owned()),
        _ => None,
    });
    assert_eq!(edited, Ok(2));
    let expected = FULL.replace(r#"find \"it\""#, r#"find \"them\""#).replace(r#""er""#, r#""\"""#);
    assert_eq!(sent(&*request), expected);
}

#[test]
fn texts_are_put_in_at_both_ends_however_the_list_is_written() {
    let system = |instructions: &str, at| {
        let mut request = decode(&format!(r#"{{"contents":[{{}}]{instructions}}}"#));
        request.insert_text(Role::System, at, "n").unwrap();
        sent(&*request).split_once(r#""contents":[{}]"#).unwrap().1.to_owned()
    };
    let list = r#","system_instruction":{"parts":[{"text":"a"}]}"#;
    let single = r#","systemInstruction":{"parts":{"text":"a"}}"#;
    let first = r#"{"parts":[{"text":"n"},{"text":"a"}]}}"#;
    let last = r#"{"parts":[{"text":"a"},{"text":"n"}]}}"#;
    let alone = r#"{"parts":[{"text":"n"}]}}"#;
    assert!(system(list, Placement::First).ends_with(first) && system(list, Placement::Last).ends_with(last));
    assert!(
        system(single, Placement::First).ends_with(first) && system(single, Placement::Last).ends_with(last)
    );
    for nothing in [
        "",
        r#","systemInstruction":null"#,
        r#","systemInstruction":{}"#,
        r#","systemInstruction":{"parts":[]}"#,
    ] {
        let out = system(nothing, Placement::Last);
        assert!(out.ends_with(alone), "{out}");
    }
    let mut request = decode(r#"{"contents":{"parts":{"text":"a"}}}"#);
    request.insert_text(Role::User, Placement::Last, "n").unwrap();
    let expected = r#"{"contents":[{"parts":{"text":"a"}},{"role":"user","parts":[{"text":"n"}]}]}"#;
    assert_eq!(sent(&*request), expected);
    assert!(request.insert_text(Role::Assistant, Placement::Last, "n").is_err());
}

#[test]
fn answers_are_read_renamed_and_edited_in_place() {
    let body = concat!(
        r#"{"candidates":[{"content":{"parts":[{"text":"a","thought":true},{"text":"b"},"#,
        r#"{"functionCall":{"name":"f","args":{"x":"c"}}}]},"finishReason":"STOP"}],"#,
        r#""usageMetadata":{"promptTokenCount":2,"candidatesTokenCount":3},"modelVersion":"m"}"#,
    );
    let mut answer = google().decode_answer(Bytes::from(body)).unwrap();
    assert_eq!((answer.model(), answer.usage().unwrap().output), (Some("m"), 3));
    let mut lanes = Vec::new();
    let edited = answer.edit_texts(&mut |lane, text| {
        lanes.push(lane);
        Some(text.replace('b', "B").replace('c', "C"))
    });
    assert_eq!(
        (edited, lanes),
        (Ok(2), vec![Lane::reasoning(0), Lane::content(0), Lane::tool_arguments(0, 0)])
    );
    answer.set_model("public");
    let expected =
        body.replace(r#""b""#, r#""B""#).replace(r#""c""#, r#""C""#).replace(r#""m""#, r#""public""#);
    assert_eq!(answer.to_body(), expected);
    let failed = google()
        .decode_answer(Bytes::from_static(br#"{"error":{"code":429,"status":"RESOURCE_EXHAUSTED"}}"#));
    assert_eq!(failed.unwrap_err().kind, gatewright::FailureKind::RateLimited);
}

#[test]
fn embeddings_and_counts_are_documents_too() {
    let address = Address { model: Some("m".into()), streams: None, ..Address::default() };
    let decode =
        |codec: &dyn Codec, body: &'static str| codec.decode_request_at(Bytes::from(body), &address).unwrap();
    let one = decode(google_generate::embedding(), r#"{"content":{"parts":{"text":"a"}},"taskType":"X"}"#);
    let many = decode(
        google_generate::embedding(),
        r#"{"requests":[{"content":{"parts":[{"text":"a"}]}},{"model":"models/m","content":{"parts":[{"text":"b"}]}}]}"#,
    );
    assert_eq!((one.counts().inputs, many.counts().inputs), (1, 2));
    let input = |text: &str| (Role::User, TextKind::Input, text.to_owned());
    assert_eq!((texts(&*one), texts(&*many)), (vec![input("a")], vec![input("a"), input("b")]));
    let counted = decode(
        google_generate::counting(),
        r#"{"generateContentRequest":{"contents":[{"parts":[{"text":"a"}]}],"systemInstruction":{"parts":{"text":"s"}}}}"#,
    );
    assert_eq!((counted.operation(), counted.streams()), (Operation::CountTokens, false));
    assert_eq!(texts(&*counted).len(), 2);
    let answer =
        google_generate::embedding().decode_answer(Bytes::from_static(br#"{"embedding":{"values":[0.1]}}"#));
    assert_eq!(answer.unwrap().to_body(), r#"{"embedding":{"values":[0.1]}}"#);
    assert!(google_generate::counting().chat().is_none());
}

// === Any chat ===

fn text_part() -> impl Strategy<Value = Part<'static>> {
    "\\PC{1,12}".prop_map(Part::text)
}

fn proof() -> impl Strategy<Value = Signature<'static>> {
    "[a-zA-Z0-9+/=]{1,8}".prop_map(|data| Signature { data: data.into(), from: Dialect::GoogleGenerate })
}

/// A turn of the model and, if it has calls, the turn with their results.
fn exchange() -> impl Strategy<Value = Vec<Turn<'static>>> {
    let calls = proptest::collection::vec(("[a-z]{1,4}", "\\PC{0,9}", proptest::option::of(proof())), 0..3);
    (text_part(), proptest::option::of(proof()), calls).prop_map(|(text, thought, calls)| {
        let mut parts: Vec<_> = thought
            .map(|proof| Part::new(PartKind::Reasoning { text: "t".into(), signature: Some(proof) }))
            .into_iter()
            .collect();
        parts.push(text);
        let mut turns = vec![Turn { speaker: Speaker::User, parts: vec![Part::text("hi")] }];
        let results: Vec<_> = calls
            .iter()
            .map(|(name, text, _)| {
                let content = if text.is_empty() { Vec::new() } else { vec![Part::text(text.clone())] };
                let (call, name) = ("".into(), Some(name.clone().into()));
                Part::new(PartKind::ToolResult { call, name, content, is_error: text.len() > 6 })
            })
            .collect();
        parts.extend(calls.into_iter().map(|(name, _, signature)| {
            let arguments = r#"{"a":[1e400,"b"]}"#.into();
            Part::new(PartKind::ToolCall { id: "".into(), name: name.into(), arguments, signature })
        }));
        turns.push(Turn { speaker: Speaker::Assistant, parts });
        if !results.is_empty() {
            turns.push(Turn { speaker: Speaker::User, parts: results });
        }
        turns
    })
}

fn write(chat: &Chat<'_>) -> Bytes {
    let codec = google().chat().unwrap();
    let name = |place: &Place<'_>| codec.pointer(place);
    // Strict: nothing of such a chat is lost.
    let mut losses = Losses::new(true, &name);
    let mut abilities = Abilities::default();
    abilities.reasoning = ReasoningForm::Budget;
    codec.write_request(chat, &abilities, &mut losses).unwrap()
}

/// The same chat with neighbours of one speaker together, and nothing said about places.
fn essence(chat: &Chat<'_>) -> String {
    let rounds = chat.rounds().map(|(speaker, parts)| {
        let kinds: Vec<_> = parts.into_iter().map(|part| &part.kind).collect();
        let kinds = format!("{kinds:?}");
        let plain = without_places(&kinds);
        format!("{speaker:?} {plain}\n")
    });
    rounds.collect()
}

/// The parts inside of results have places too.
fn without_places(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((head, tail)) = rest.split_once("origin: Origin {") {
        out.push_str(head);
        rest = tail.split_once('}').map_or("", |(_, rest)| rest);
    }
    out + rest
}

proptest! {
    #[test]
    fn a_chat_that_is_written_reads_as_it_was_and_is_written_alike_again(
        exchanges in proptest::collection::vec(exchange(), 1..4), system in proptest::option::of("\\PC{1,9}"),
    ) {
        let chat = Chat {
            turns: exchanges.concat(),
            system: system.into_iter().map(Part::text).collect(),
            ..Chat::default()
        };
        let body = write(&chat);
        let read = google().chat().unwrap().read_request(&body).unwrap();
        prop_assert_eq!(essence(&read), essence(&chat));
        prop_assert_eq!(write(&read), body);
    }

    #[test]
    fn any_body_is_read_or_refused(inner in "[\\[\\]{}\":,a-z0-9\\\\]{0,60}", place in 0..5_usize) {
        let shapes = [
            format!("{{{inner}}}"),
            format!(r#"{{"contents":[{inner}]}}"#),
            format!(r#"{{"contents":[{{"parts":[{{{inner}}}]}}],"tools":[{inner}]}}"#),
            format!(r#"{{"contents":[{{"parts":[{{"functionResponse":{inner}}}]}}],"generationConfig":{{{inner}}}}}"#),
            format!(r#"{{"contents":[{{}}],"tools":[{{"functionDeclarations":[{{"name":"f","parameters":{{{inner}}}}}]}}]}}"#),
        ];
        let body = shapes.into_iter().nth(place).unwrap();
        let address = Address { model: Some("m".into()), streams: None, ..Address::default() };
        if let Ok(request) = google().decode_request_at(Bytes::from(body.clone()), &address) {
            request.counts();
            drop(request.for_each_text(&mut |_| ()));
            let chat = google().chat().unwrap();
            if let Ok(read) = chat.read_request(body.as_bytes()) {
                let name = |place: &Place<'_>| chat.pointer(place);
                let written = chat.write_request(&read, &Abilities::default(), &mut Losses::new(false, &name));
                prop_assert!(written.is_err() || serde_json::from_slice::<serde_json::Value>(&written.unwrap()).is_ok());
            }
        }
    }
}
