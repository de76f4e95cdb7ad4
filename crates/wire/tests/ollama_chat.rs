//! Ollama's own chat to and from the form that all dialects of chats share, and its streams from the events of others.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails, helpers included")]

use bytes::Bytes;
use gatewright::chat::{
    Answer, AnswerChoice, Chat, Effort, LossKind, Losses, Media, MediaKind, MediaSource, Origin,
    OutputFormat, Param, Part, PartKind, Place, Reasoning, Sampling, Setting, Signature, Speaker, Tool,
    ToolChoice, ToolKind, Turn,
};
use gatewright::dialect::{Abilities, ChatCodec, Dialect, Envelope, ReasoningForm, StreamSettings};
use gatewright::text::Lane;
use gatewright::{EventKind, Failure, FinishReason, RequestId, Role, StreamEvent, TextKind, Usage};
use gatewright_wire::codec;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde_json::{Value, json};

fn chat_codec() -> &'static dyn ChatCodec {
    codec(Dialect::OllamaChat).chat().unwrap()
}

fn read(body: &str) -> Chat<'_> {
    chat_codec().read_request(body.as_bytes()).unwrap()
}

type Lost = Vec<(String, LossKind)>;

fn write(chat: &Chat<'_>, abilities: &Abilities) -> Result<(Value, Lost), Failure> {
    let codec = chat_codec();
    let name = |place: &Place<'_>| codec.pointer(place);
    let mut losses = Losses::new(false, &name);
    let body = codec.write_request(chat, abilities, &mut losses)?;
    let losses = losses.into_found().into_iter().map(|loss| (loss.field.into_owned(), loss.kind));
    Ok((serde_json::from_slice(&body).unwrap(), losses.collect()))
}

fn with(change: impl FnOnce(&mut Chat<'static>)) -> (Value, Lost) {
    let mut chat = Chat { turns: vec![user("hi")], ..Chat::default() };
    change(&mut chat);
    write(&chat, &Abilities::default()).unwrap()
}

fn lost(field: &str, kind: LossKind) -> Lost {
    vec![(field.to_owned(), kind)]
}

fn said(speaker: Speaker, parts: Vec<Part<'_>>) -> Turn<'_> {
    Turn { speaker, parts }
}

fn user(text: &str) -> Turn<'_> {
    said(Speaker::User, vec![Part::text(text)])
}

fn call(id: &'static str, name: &'static str, arguments: &'static str) -> Part<'static> {
    let (id, name, arguments) = (id.into(), name.into(), arguments.into());
    Part::new(PartKind::ToolCall { id, name, arguments, signature: None })
}

fn result(id: &'static str, text: &'static str) -> Part<'static> {
    let content = vec![Part::text(text)];
    Part::new(PartKind::ToolResult { call: id.into(), name: None, content, is_error: false })
}

fn function(name: &'static str) -> Tool<'static> {
    let kind = ToolKind::Function { description: None, parameters: None, strict: None };
    Tool { name: name.into(), kind, cache: None, origin: 0 }
}

fn image(source: MediaSource<'static>) -> Part<'static> {
    let media = Media { kind: MediaKind::Image, mime: None, source, name: None, detail: None };
    Part::new(PartKind::Media(media))
}

fn envelope() -> Envelope {
    Envelope { id: RequestId::new(1, 2), created: 1_700_000_000, model: "public".to_owned() }
}

#[test]
fn a_request_of_the_dialect_comes_back_as_it_was() {
    let schema = json!({"type": "object", "properties": {"n": {"type": "integer"}}});
    let calls = json!([{"function": {"name": "f", "arguments": {"n": 12345678901234567890_u64}}}]);
    let body = json!({
        "model": "m", "stream": false,
        "messages": [
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": "what is \"this\"?", "images": ["QUJD", "REVG"]},
            {"role": "assistant", "content": "I look.", "thinking": "hm", "tool_calls": calls},
            {"role": "tool", "content": "found", "tool_name": "f"},
            {"role": "system", "content": "now be kind"},
            {"role": "user", "content": "go on"}
        ],
        "tools": [{"type": "function", "function": {"name": "f", "description": "d", "parameters": schema}}],
        "options": {"temperature": 0.5, "top_p": 0.9, "top_k": 40, "seed": 7, "frequency_penalty": 0.1,
            "presence_penalty": 0.2, "num_predict": 100, "stop": ["a", "b"]},
        "format": {"b": 1, "a": []}, "think": "low", "logprobs": true, "top_logprobs": 3
    });
    let text = body.to_string();
    let (out, losses) = write(&read(&text), &Abilities::default()).unwrap();
    assert_eq!((out, losses), (body, Vec::new()));
}

#[test]
fn a_stream_is_what_comes_unless_one_piece_is_asked_for() {
    let codec = codec(Dialect::OllamaChat);
    let messages = r#""messages":[{"role":"user","content":"hi"}]"#;
    for (more, streams) in
        [("", true), (r#","stream":null"#, true), (r#","stream":true"#, true), (r#","stream":false"#, false)]
    {
        let body = format!(r#"{{"model":"m",{messages}{more}}}"#);
        let mut request = codec.decode_request(Bytes::from(body.clone())).unwrap();
        assert_eq!((request.streams(), read(&body).streams), (streams, streams), "{more}");
        request.set_whole();
        assert!(!codec.decode_request(request.to_body()).unwrap().streams());
    }
}

#[test]
fn a_cap_below_zero_is_none_and_options_of_the_server_are_lost_elsewhere() {
    let codec = codec(Dialect::OllamaChat);
    for (cap, expected) in [("100", Some(100)), ("-1", None), ("-2", None)] {
        let body = format!(
            r#"{{"model":"m","messages":[{{"role":"user","content":"hi"}}],"options":{{"num_predict":{cap},"num_ctx":9}},"keep_alive":0}}"#
        );
        let request = codec.decode_request(Bytes::from(body.clone())).unwrap();
        let chat = read(&body);
        assert_eq!((request.output_cap(), chat.output_cap), (expected, expected), "{cap}");
        assert_eq!(chat.unknown, ["/options/num_ctx", "/keep_alive"]);
    }
    let refused =
        r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"options":{"num_predict":"x"}}"#;
    assert_eq!(
        codec.decode_request(Bytes::from(refused)).unwrap_err().param.as_deref(),
        Some("options.num_predict")
    );
}

#[test]
fn every_text_of_a_request_is_shown_with_who_says_it_and_can_be_edited() {
    let body = br#"{"model":"m","messages":[{"content":"s","role":"system"},{"role":"user","content":"u","images":["QUJD"]},
        {"role":"assistant","thinking":"t","content":"c","tool_calls":[{"function":{"name":"f","arguments":{"a":"x"}}}]},
        {"role":"tool","content":"r","tool_name":"f"}],"tools":[{"function":{"description":"what"}}]}"#;
    let mut document = codec(Dialect::OllamaChat).decode_request(Bytes::from_static(body)).unwrap();
    let mut seen = Vec::new();
    document.for_each_text(&mut |part| seen.push((part.role, part.kind, part.text.to_owned()))).unwrap();
    let texts: Vec<_> = seen.iter().map(|(_, _, text)| text.as_str()).collect();
    assert_eq!(texts, ["s", "u", "t", "c", r#"{"a":"x"}"#, "r", "what"]);
    assert_eq!((seen[0].0, seen[4].1, seen[5].0), (Role::System, TextKind::ToolArguments, Role::Tool));
    let counts = document.counts();
    assert_eq!((counts.messages, counts.tools, counts.images), (4, 1, 1));
    document.edit_texts(&mut |part| part.text.contains('x').then(|| r#"{"a":"y"}"#.to_owned())).unwrap();
    let edited: Value = serde_json::from_slice(&document.to_body()).unwrap();
    assert_eq!(edited["messages"][2]["tool_calls"][0]["function"]["arguments"], json!({"a": "y"}));
}

#[test]
fn results_stand_in_the_order_of_their_calls_and_name_their_tool() {
    let turns = vec![
        user("hi"),
        said(Speaker::Assistant, vec![call("a", "f", ""), call("b", "g", r#"{"x":1}"#)]),
        said(Speaker::User, vec![result("b", "2")]),
        said(Speaker::User, vec![Part::text("and?"), result("a", "1")]),
    ];
    let (out, losses) = write(&Chat { turns, ..Chat::default() }, &Abilities::default()).unwrap();
    let calls = json!([
        {"function": {"name": "f", "arguments": {}}},
        {"function": {"name": "g", "arguments": {"x": 1}}}
    ]);
    let expected = json!([
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "", "tool_calls": calls},
        {"role": "tool", "content": "1", "tool_name": "f"},
        {"role": "tool", "content": "2", "tool_name": "g"},
        {"role": "user", "content": "and?"}
    ]);
    assert_eq!((&out["messages"], losses), (&expected, Vec::new()));
}

#[test]
fn unanswered_calls_results_without_a_call_and_arguments_that_are_no_object_are_refused() {
    let refused = |turns| write(&Chat { turns, ..Chat::default() }, &Abilities::default()).unwrap_err();
    let calls = |arguments| said(Speaker::Assistant, vec![call("a", "f", arguments)]);
    assert!(refused(vec![user("hi"), calls("{}"), user("go on")]).message.contains("has no result"));
    assert!(
        refused(vec![user("hi"), said(Speaker::User, vec![result("b", "x")])])
            .message
            .contains("has no tool call")
    );
    for arguments in ["[1]", "{", "nonsense"] {
        assert!(refused(vec![user("hi"), calls(arguments)]).message.contains("JSON object"), "{arguments}");
    }
    assert!(refused(vec![user("")]).message.contains("at least one message"));
}

#[test]
fn an_image_at_an_address_is_lost_and_text_behind_an_image_is_a_message_of_its_own() {
    let parts = vec![
        Part::text("a"),
        image(MediaSource::Base64("QUJD".into())),
        Part::text("b"),
        image(MediaSource::Url("https://example.test/a.png".into())),
    ];
    let chat = Chat { turns: vec![said(Speaker::User, parts)], ..Chat::default() };
    let (out, losses) = write(&chat, &Abilities::default()).unwrap();
    let expected = json!([
        {"role": "user", "content": "a", "images": ["QUJD"]},
        {"role": "user", "content": "b"}
    ]);
    assert_eq!((&out["messages"], losses), (&expected, lost("/messages/0", LossKind::Dropped)));
    let mut blind = Abilities::default();
    blind.media = Vec::new();
    assert_eq!(write(&chat, &blind).unwrap().0["messages"], json!([{"role": "user", "content": "a\nb"}]));
}

#[test]
fn a_choice_among_tools_offers_those_and_what_cannot_be_said_is_reported() {
    let named = |names: &[&'static str], required| ToolChoice::Among {
        names: names.iter().map(|name| (*name).into()).collect(),
        required,
    };
    let cases = [
        (ToolChoice::Auto, 2, None),
        (ToolChoice::None, 0, Some(LossKind::Emulated)),
        (ToolChoice::Required, 2, Some(LossKind::Dropped)),
        (ToolChoice::Named("g".into()), 1, Some(LossKind::Approximated)),
        (named(&["g"], false), 1, Some(LossKind::Emulated)),
        (named(&["g"], true), 1, Some(LossKind::Approximated)),
    ];
    for (choice, tools, loss) in cases {
        let (out, losses) = with(|chat| {
            chat.tools = vec![function("f"), function("g")];
            chat.tool_choice = Some(choice);
        });
        assert_eq!(out["tools"].as_array().map_or(0, Vec::len), tools);
        assert_eq!(losses, loss.map_or_else(Vec::new, |kind| lost("/tools", kind)));
    }
}

#[test]
fn whether_to_think_is_a_word_where_the_model_takes_one() {
    let ask = |effort, budget| Reasoning { effort, budget, ..Reasoning::default() };
    let adaptive = Reasoning { is_adaptive: true, ..Reasoning::default() };
    let (usual, word) = (ReasoningForm::Usual, ReasoningForm::Effort);
    let cases = [
        (usual, ask(Some(Effort::High), None), json!("high"), false),
        (usual, ask(Some(Effort::Max), None), json!("high"), true),
        (usual, ask(None, Some(2000)), json!("low"), true),
        (usual, ask(Some(Effort::None), None), json!(false), false),
        (usual, adaptive, json!(true), false),
        (word, ask(Some(Effort::Medium), None), json!("medium"), false),
        (word, ask(Some(Effort::None), None), json!("low"), true),
        (ReasoningForm::Adaptive, ask(Some(Effort::High), None), json!(true), true),
        (ReasoningForm::Adaptive, ask(None, Some(0)), json!(false), false),
        (ReasoningForm::Never, ask(Some(Effort::High), None), Value::Null, true),
        (ReasoningForm::Never, ask(Some(Effort::None), None), Value::Null, false),
    ];
    for (form, asked, expected, is_lossy) in cases {
        let mut abilities = Abilities::default();
        abilities.reasoning = form;
        let chat = Chat { turns: vec![user("hi")], reasoning: Some(asked), ..Chat::default() };
        let (out, losses) = write(&chat, &abilities).unwrap();
        assert_eq!((out["think"].clone(), !losses.is_empty()), (expected, is_lossy), "{form:?} {asked:?}");
    }
}

#[test]
fn reasoning_that_nobody_signed_goes_back_and_signed_one_is_left_out() {
    let thought = |signature| Part::new(PartKind::Reasoning { text: "t".into(), signature });
    let signature = Signature { data: "x".into(), from: Dialect::AnthropicMessages };
    for (signature, expected, losses) in [(None, Some(&json!("t")), 0), (Some(signature), None, 1)] {
        let turns = vec![
            user("hi"),
            said(Speaker::Assistant, vec![thought(signature), Part::text("so")]),
            user("go on"),
        ];
        let (out, lost) = write(&Chat { turns, ..Chat::default() }, &Abilities::default()).unwrap();
        assert_eq!((out["messages"][1].get("thinking"), lost.len()), (expected, losses));
    }
}

#[test]
fn a_schema_is_the_format_and_what_has_no_place_is_reported() {
    let format = OutputFormat::Schema {
        name: None,
        description: None,
        schema: r#"{"b":1,"a":2}"#.into(),
        strict: None,
    };
    let (out, losses) = with(|chat| chat.format = Some(format.clone()));
    assert_eq!((out["format"].to_string(), losses), (r#"{"b":1,"a":2}"#.to_owned(), Vec::new()));
    let mut loose = Abilities::default();
    loose.holds_to_schema = false;
    let chat = Chat { turns: vec![user("hi")], format: Some(format), ..Chat::default() };
    let (out, losses) = write(&chat, &loose).unwrap();
    assert_eq!((&out["format"], losses), (&json!("json"), lost("/format", LossKind::Approximated)));
    let (_, losses) = with(|chat| {
        chat.choices = 2;
        chat.unknown.push("/x".into());
        chat.settings.push(Setting { param: Param::Store, value: "false".into() });
        chat.settings.push(Setting { param: Param::LogitBias, value: "{}".into() });
    });
    let dropped = |field: &str| (field.to_owned(), LossKind::Dropped);
    assert_eq!(losses, [dropped(""), dropped("/x")]);
}

#[test]
fn an_answer_is_the_same_when_it_has_been_one_of_no_dialect() {
    let body = br#"{"model":"m","created_at":"2026-11-26T01:02:03.456Z","message":{"role":"assistant","content":"so","thinking":"hm",
        "tool_calls":[{"function":{"name":"f","arguments":{"n":1}}},{"id":"own","function":{"name":"g","arguments":{}}}]},
        "done":true,"done_reason":"stop","prompt_eval_count":7,"prompt_eval_cached_count":2,"eval_count":3}"#;
    let answer = chat_codec().read_answer(body).unwrap();
    let usage = Usage { input: 5, cache_read: 2, output: 3, ..Usage::default() };
    assert_eq!((answer.usage, &answer.choices[0].finish), (Some(usage), &Some(FinishReason::ToolCalls)));
    let ids: Vec<_> = answer.choices[0]
        .parts
        .iter()
        .filter_map(|part| match &part.kind {
            PartKind::ToolCall { id, .. } => Some(id.as_ref()),
            _ => None,
        })
        .collect();
    assert_eq!(ids, ["call_20261126010203456_0", "own"]);
    let written = chat_codec().write_answer(&answer, &envelope());
    let again = chat_codec().read_answer(&written).unwrap();
    let expected = Answer { model: Some("public".into()), ..answer };
    assert_eq!(again, expected);
    let out: Value = serde_json::from_slice(&written).unwrap();
    assert_eq!(out["created_at"], "2023-11-14T22:13:20Z");
}

#[test]
fn arguments_that_are_no_object_stand_in_one_and_a_cut_answer_says_so() {
    let parts = vec![call("a", "f", "{\"n")];
    let choice = AnswerChoice { parts, finish: Some(FinishReason::Length) };
    let answer = Answer { choices: vec![choice], ..Answer::default() };
    let out: Value = serde_json::from_slice(&chat_codec().write_answer(&answer, &envelope())).unwrap();
    assert_eq!(out["message"]["tool_calls"][0]["function"]["arguments"], json!({"arguments": "{\"n"}));
    assert_eq!((&out["done"], &out["done_reason"]), (&json!(true), &json!("length")));
}

// === Streams ===

fn lines(out: &[u8]) -> Vec<Value> {
    std::str::from_utf8(out).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn delta(lane: Lane, text: &str) -> EventKind {
    EventKind::TextDelta { lane, text: text.into() }
}

fn begun(lane: Lane, id: &str) -> EventKind {
    EventKind::ToolCallStart { lane, id: id.to_owned(), name: "f".to_owned() }
}

#[test]
fn any_events_become_lines_with_whole_calls_and_the_last_says_why_and_how_much() {
    let (one, two) = (Lane::tool_arguments(0, 1), Lane::tool_arguments(0, 4));
    let settings = StreamSettings { envelope: Some(envelope()), ..StreamSettings::default() };
    let mut encoder = codec(Dialect::OllamaChat).stream_encoder(settings);
    let mut out = Vec::new();
    for kind in [
        EventKind::Start,
        delta(Lane::reasoning(0), "hm"),
        delta(Lane::content(0), "hi"),
        begun(one, "c1"),
        delta(one, "{\"a\""),
        begun(two, "c2"),
        EventKind::LaneEnd { lane: two },
        delta(one, ":1}"),
        EventKind::LaneEnd { lane: one },
        EventKind::Usage(Usage { input: 5, cache_read: 3, output: 9, ..Usage::default() }),
        EventKind::Finish { choice: 0, reason: FinishReason::ToolCalls },
    ] {
        encoder.write(None, &[StreamEvent::inserted(kind)], &mut out);
    }
    encoder.write_keep_alive(&mut out);
    encoder.write_end(&mut out);
    encoder.write_end(&mut out);
    let lines = lines(&out);
    let message = |more: &Value| {
        let mut message = json!({"role": "assistant", "content": ""});
        message.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        message
    };
    let called = |id: &str, arguments: Value| {
        message(&json!({"tool_calls": [{"id": id, "function": {"name": "f", "arguments": arguments}}]}))
    };
    let expected = [
        message(&json!({"thinking": "hm"})),
        message(&json!({"content": "hi"})),
        called("c1", json!({"a": 1})),
        called("c2", json!({})),
        message(&json!({})),
    ];
    let seen: Vec<_> = lines.iter().map(|line| line["message"].clone()).collect();
    assert_eq!(seen, expected);
    assert!(
        lines.iter().all(|line| line["model"] == "public" && line["created_at"] == "2023-11-14T22:13:20Z")
    );
    let last = lines.last().unwrap();
    assert_eq!((&last["done"], &last["done_reason"]), (&json!(true), &json!("stop")));
    assert_eq!((&last["prompt_eval_count"], &last["eval_count"]), (&json!(8), &json!(9)));
}

const CALL: &str = r#"{"model":"m","created_at":"2026-01-02T03:04:05Z","message":{"role":"assistant","content":"a","tool_calls":[{"function":{"name":"f","arguments":{"x":"secret"}}}]},"done":false}"#;
const DONE: &str = r#"{"model":"m","created_at":"2026-01-02T03:04:06Z","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","total_duration":5,"prompt_eval_count":1,"eval_count":2}"#;

fn edited(edit: impl Fn(usize, &mut Vec<StreamEvent>)) -> Vec<Value> {
    let codec = codec(Dialect::OllamaChat);
    let mut decoder = codec.stream_decoder();
    decoder.push(Bytes::from(format!("{CALL}\n{DONE}\n")));
    let mut encoder = codec.stream_encoder(StreamSettings::default());
    let (mut out, mut place) = (Vec::new(), 0);
    while let Some(frame) = decoder.next_frame().unwrap() {
        let mut events = Vec::new();
        decoder.events(&frame, &mut events).unwrap();
        edit(place, &mut events);
        place += 1;
        encoder.observe(&frame);
        encoder.write(Some(&frame), &events, &mut out);
    }
    encoder.write_end(&mut out);
    lines(&out)
}

#[test]
fn a_call_whose_arguments_are_held_waits_until_they_are_released() {
    let lane = Lane::tool_arguments(0, 0);
    let call = |line: &Value| line["message"]["tool_calls"][0]["function"]["arguments"].clone();
    for (kept, released) in [("", r#"{"x":"[out]"}"#), (r#"{"x":"#, r#""[out]"}"#)] {
        let out = edited(|place, events| match place {
            0 => events[2].replace_text(kept),
            _ => events.insert(0, StreamEvent::inserted(delta(lane, released))),
        });
        assert_eq!((out.len(), call(&out[1])), (3, json!({"x": "[out]"})));
        assert_eq!((&out[2]["done"], &out[2]["total_duration"]), (&json!(true), &json!(5)));
    }
    assert_eq!(edited(|_, _| {}).len(), 2);
    let dropped = edited(|place, events| {
        if place == 0 {
            events.truncate(1);
        }
    });
    assert_eq!((dropped.len(), dropped[0]["message"].get("tool_calls")), (2, None));
}

#[test]
fn a_dropped_end_is_not_told_and_dropped_figures_neither() {
    let without_end = edited(|place, events| {
        if place == 1 {
            events.clear();
        }
    });
    assert_eq!(without_end.len(), 1);
    let without_usage = edited(|place, events| {
        if place == 1 {
            drop(events.pop());
        }
    });
    let last = without_usage.last().unwrap();
    assert_eq!((last.get("eval_count"), &last["done_reason"]), (None, &json!("stop")));
}

// === Any chat ===

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z \"\\\\\n]{1,12}", "\\PC{1,12}", Just("\u{0}\u{7f}\u{2028}😀".to_owned())]
}

fn turns() -> impl Strategy<Value = Vec<Turn<'static>>> {
    let asked = || {
        (text(), any::<bool>()).prop_map(|(text, has_image)| {
            let image = has_image.then(|| image(MediaSource::Base64("QUJD".into())));
            said(Speaker::User, std::iter::once(Part::text(text)).chain(image).collect())
        })
    };
    let thought = || {
        option::of(text()).prop_map(|text| {
            text.map(|text| Part::new(PartKind::Reasoning { text: text.into(), signature: None }))
        })
    };
    let answered = (thought(), text()).prop_map(|(thought, answer)| {
        vec![said(Speaker::Assistant, thought.into_iter().chain([Part::text(answer)]).collect())]
    });
    let called =
        (thought(), option::of(text()), vec((0_u8..9, text()), 1..4)).prop_map(|(thought, plan, results)| {
            let mut parts: Vec<_> = thought.into_iter().chain(plan.map(Part::text)).collect();
            let mut turns = Vec::new();
            for (number, text) in results {
                let arguments = format!("{{\"n\":{number}}}").into();
                parts.push(Part::new(PartKind::ToolCall {
                    id: "".into(),
                    name: "f".into(),
                    arguments,
                    signature: None,
                }));
                let content = vec![Part::text(text)];
                let kind = PartKind::ToolResult {
                    call: "".into(),
                    name: Some("f".into()),
                    content,
                    is_error: false,
                };
                turns.push(said(Speaker::User, vec![Part::new(kind)]));
            }
            turns.insert(0, said(Speaker::Assistant, parts));
            turns
        });
    (asked(), vec((prop_oneof![answered, called], asked()), 0..4)).prop_map(|(first, rounds)| {
        let rest = rounds.into_iter().flat_map(|(turns, asked)| turns.into_iter().chain([asked]));
        std::iter::once(first).chain(rest).collect()
    })
}

fn chat() -> impl Strategy<Value = Chat<'static>> {
    let reasoning = option::of(prop_oneof![
        Just(Reasoning { is_adaptive: true, ..Reasoning::default() }),
        proptest::sample::select(vec![Effort::None, Effort::Low, Effort::Medium, Effort::High])
            .prop_map(|effort| Reasoning { effort: Some(effort), ..Reasoning::default() }),
    ]);
    let numbers = (option::of("0\\.[1-9]{1,3}"), option::of("[1-9]{1,3}"), option::of(1_u64..9_999));
    let format = option::of(prop_oneof![
        Just(OutputFormat::Json),
        Just(OutputFormat::Schema {
            name: None,
            description: None,
            schema: r#"{"b":1,"a":[]}"#.into(),
            strict: None
        }),
    ]);
    (vec(text(), 0..3), turns(), any::<bool>(), numbers, reasoning, format, any::<bool>()).prop_map(
        |(system, turns, has_tools, (temperature, top_k, output_cap), reasoning, format, streams)| {
            let schema = r#"{"type":"object","z":1,"a":12345678901234567890}"#;
            let kind =
                ToolKind::Function { description: None, parameters: Some(schema.into()), strict: None };
            let tool = Tool { name: "f".into(), kind, cache: None, origin: 0 };
            Chat {
                model: "m".into(),
                streams,
                system: system.into_iter().map(Part::text).collect(),
                turns,
                tools: has_tools.then_some(tool).into_iter().collect(),
                output_cap,
                sampling: Sampling {
                    temperature: temperature.map(Into::into),
                    top_k: top_k.map(Into::into),
                    ..Sampling::default()
                },
                reasoning,
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
    let mut turns: Vec<Turn<'_>> = Vec::new();
    for turn in std::mem::take(&mut chat.turns) {
        match turns.last_mut().filter(|last| last.speaker == turn.speaker) {
            Some(last) => last.parts.extend(turn.parts),
            None => turns.push(turn),
        }
    }
    chat.turns = turns;
    chat
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn a_chat_that_is_written_reads_as_it_was_and_is_written_alike_again(chat in chat()) {
        let codec = chat_codec();
        let name = |place: &Place<'_>| codec.pointer(place);
        let mut losses = Losses::new(true, &name);
        let body = codec.write_request(&chat, &Abilities::default(), &mut losses).unwrap();
        let read = codec.read_request(&body).unwrap();
        prop_assert_eq!(essence(read.clone()), essence(chat));
        let again = codec.write_request(&read, &Abilities::default(), &mut losses).unwrap();
        prop_assert_eq!(again, body);
    }
}
