//! Cohere's chat to and from the form that all dialects of chats share, and its streams from the events of others.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails, helpers included")]

use bytes::Bytes;
use gatewright::chat::{
    Answer, AnswerChoice, Chat, Effort, LossKind, Losses, Media, MediaKind, MediaSource, Origin,
    OutputFormat, Param, Part, PartKind, Place, Reasoning, Sampling, Setting, Signature, Speaker, Tool,
    ToolChoice, ToolKind, Turn,
};
use gatewright::dialect::{
    Abilities, ChatCodec, Dialect, Envelope, ErrorBody, ErrorClass, ReasoningForm, StreamSettings,
};
use gatewright::text::Lane;
use gatewright::{EventKind, Failure, FinishReason, RequestId, Role, StreamEvent, TextKind, Usage};
use gatewright_wire::codec;
use http::StatusCode;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde_json::{Value, json};

fn chat_codec() -> &'static dyn ChatCodec {
    codec(Dialect::CohereChat).chat().unwrap()
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

fn refused(turns: Vec<Turn<'_>>) -> Failure {
    write(&Chat { turns, ..Chat::default() }, &Abilities::default()).unwrap_err()
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

fn result(id: &'static str, content: Vec<Part<'static>>, is_error: bool) -> Part<'static> {
    Part::new(PartKind::ToolResult { call: id.into(), name: None, content, is_error })
}

fn function(name: &'static str, strict: Option<bool>) -> Tool<'static> {
    let kind = ToolKind::Function { description: None, parameters: None, strict };
    Tool { name: name.into(), kind, cache: None, origin: 0 }
}

fn media(kind: MediaKind, source: MediaSource<'static>) -> Part<'static> {
    Part::new(PartKind::Media(Media {
        kind,
        mime: Some("image/png".into()),
        source,
        name: None,
        detail: None,
    }))
}

fn envelope() -> Envelope {
    Envelope { id: RequestId::new(1, 2), created: 7, model: "public".to_owned() }
}

#[test]
fn a_request_of_the_dialect_comes_back_as_it_was() {
    let schema = json!({"type": "object", "properties": {"n": {"type": "integer"}}});
    let function = json!({"name": "f", "arguments": "{\"n\":12345678901234567890}"});
    let body = json!({
        "model": "m", "stream": true,
        "messages": [
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": [
                {"type": "text", "text": "what is \"this\"?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD", "detail": "low"}},
                {"type": "image_url", "image_url": {"url": "https://example.test/a.png"}}
            ]},
            {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm"}], "tool_plan": "I look.",
                "tool_calls": [{"id": "a", "type": "function", "function": function}]},
            {"role": "tool", "tool_call_id": "a", "content": "found"},
            {"role": "assistant", "content": "so"},
            {"role": "user", "content": "go on"}
        ],
        "tools": [{"type": "function", "function": {"name": "f", "description": "d", "parameters": schema}}],
        "strict_tools": true, "tool_choice": "REQUIRED", "max_tokens": 100, "stop_sequences": ["a", "b"],
        "temperature": 0.5, "p": 0.9, "k": 40, "seed": 7, "frequency_penalty": 0.1,
        "thinking": {"type": "enabled", "token_budget": 500}, "logprobs": true, "safety_mode": "STRICT"
    });
    let text = body.to_string();
    let (out, losses) = write(&read(&text), &Abilities::default()).unwrap();
    assert_eq!((out, losses), (body, Vec::new()));
}

#[test]
fn every_text_of_a_request_is_shown_with_who_says_it() {
    let body = br#"{"model":"m","messages":[{"content":"s","role":"system"},{"role":"user","content":[{"type":"text","text":"u"}]},
        {"role":"assistant","content":[{"type":"thinking","thinking":"t"}],"tool_plan":"p","tool_calls":[{"function":{"name":"f","arguments":"{}"}}]},
        {"role":"tool","content":[{"type":"document","document":{"id":"i","data":{"x":["d"]}}}]}],
        "documents":["one",{"data":{"text":"two"}}],"tools":[{"function":{"description":"what"}}]}"#;
    let document = codec(Dialect::CohereChat).decode_request(Bytes::from_static(body)).unwrap();
    let mut seen = Vec::new();
    document.for_each_text(&mut |part| seen.push((part.role, part.kind, part.text.to_owned()))).unwrap();
    let texts: Vec<_> = seen.iter().map(|(_, _, text)| text.as_str()).collect();
    assert_eq!(texts, ["s", "u", "t", "p", "{}", "i", "d", "one", "two", "what"]);
    assert_eq!((seen[0].0, seen[3].0, seen[6].0), (Role::System, Role::Assistant, Role::Tool));
    assert_eq!(seen[4].1, TextKind::ToolArguments);
    let counts = document.counts();
    assert_eq!((counts.messages, counts.tools, counts.files), (4, 1, 2));
}

#[test]
fn later_instructions_are_said_by_the_user_at_their_place_and_reported() {
    let turns = vec![
        user("hi"),
        said(Speaker::Assistant, vec![Part::text("ho")]),
        said(Speaker::System, vec![Part::text("now be brief")]),
        user("go on"),
    ];
    let chat = Chat { system: vec![Part::text("one"), Part::text("two")], turns, ..Chat::default() };
    let (out, losses) = write(&chat, &Abilities::default()).unwrap();
    let blocks = json!([{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]);
    assert_eq!(out["messages"][0], json!({"role": "system", "content": blocks}));
    assert_eq!(out["messages"][3], json!({"role": "user", "content": "now be brief"}));
    assert_eq!(losses, lost("/messages/0", LossKind::Approximated));
}

#[test]
fn text_beside_calls_is_the_plan_and_results_follow_with_their_ids() {
    let image = media(MediaKind::Image, MediaSource::Base64("QUJD".into()));
    let turns = vec![
        user("hi"),
        said(Speaker::Assistant, vec![Part::text("I look."), call("a", "f", ""), call("b", "g", "{}")]),
        said(Speaker::User, vec![Part::text("and?"), result("b", vec![Part::text("bad")], true)]),
        said(Speaker::User, vec![result("a", vec![Part::text("1"), Part::text("2"), image], false)]),
    ];
    let (out, losses) = write(&Chat { turns, ..Chat::default() }, &Abilities::default()).unwrap();
    let messages = &out["messages"];
    assert_eq!((&messages[1]["tool_plan"], messages[1].get("content")), (&json!("I look."), None));
    assert_eq!(messages[1]["tool_calls"][0]["function"], json!({"name": "f", "arguments": "{}"}));
    assert_eq!(messages[2], json!({"role": "tool", "tool_call_id": "b", "content": "Error: bad"}));
    assert_eq!(messages[3], json!({"role": "tool", "tool_call_id": "a", "content": "1\n2"}));
    assert_eq!(
        (&messages[4]["role"], &messages[4]["content"][0]["type"]),
        (&json!("user"), &json!("image_url"))
    );
    assert_eq!(losses, lost("/messages/0", LossKind::Approximated));
}

#[test]
fn calls_without_results_results_without_calls_and_instructions_alone_are_refused() {
    let calls = || said(Speaker::Assistant, vec![call("a", "f", "{}")]);
    let orphan = || said(Speaker::User, vec![result("b", Vec::new(), false)]);
    assert!(refused(vec![user("hi"), calls(), user("go on")]).message.contains("has no result"));
    assert!(refused(vec![user("hi"), orphan()]).message.contains("has no tool call"));
    let alone = Chat { system: vec![Part::text("s")], ..Chat::default() };
    assert_eq!(write(&alone, &Abilities::default()).unwrap_err().param.as_deref(), Some("/messages"));
    assert!(refused(vec![user("")]).message.contains("at least one message"));
}

#[test]
fn empty_texts_and_begun_answers_are_dropped_and_reported() {
    let begun = || said(Speaker::Assistant, vec![Part::text("I")]);
    let chat = Chat { turns: vec![user(""), user("hi"), begun()], ..Chat::default() };
    let mut abilities = Abilities::default();
    abilities.continues_answers = false;
    let (out, losses) = write(&chat, &abilities).unwrap();
    assert_eq!(out["messages"], json!([{"role": "user", "content": "hi"}]));
    assert_eq!(losses, lost("/messages/0", LossKind::Dropped));
}

#[test]
fn documents_of_text_are_documents_of_the_request_and_come_back_before_the_last_words() {
    let text = media(MediaKind::Document, MediaSource::Text("long".into()));
    let (out, losses) = with(|chat| chat.turns[0].parts.insert(0, text));
    assert_eq!(out["documents"], json!([{"data": {"text": "long"}}]));
    assert_eq!(
        (&out["messages"], losses),
        (&json!([{"role": "user", "content": "hi"}]), lost("/messages/0", LossKind::Approximated))
    );
    let body = r#"{"messages":[{"role":"user","content":"a"}],"documents":["one",{"id":"d","data":{"title":"t","text":"two"}},{"data":{"x":1}}]}"#;
    let chat = read(body);
    let seen: Vec<_> = chat.turns[0]
        .parts
        .iter()
        .filter_map(|part| match &part.kind {
            PartKind::Media(Media { source: MediaSource::Text(text), name, .. }) => {
                Some((text.as_ref(), name.as_deref()))
            }
            _ => None,
        })
        .collect();
    assert_eq!(seen, [("one", None), ("two", Some("t")), (r#"{"x":1}"#, None)]);
    assert_eq!(chat_codec().pointer(&Place::Part(chat.turns[0].parts[1].origin)), "/documents/1");
}

#[test]
fn every_choice_of_tools_has_its_word_and_a_choice_by_name_offers_only_that() {
    let cases = [
        (ToolChoice::Auto, Value::Null, 2, None),
        (ToolChoice::None, json!("NONE"), 2, None),
        (ToolChoice::Required, json!("REQUIRED"), 2, None),
        (ToolChoice::Named("g".into()), json!("REQUIRED"), 1, Some(LossKind::Emulated)),
        (
            ToolChoice::Among { names: vec!["g".into()], required: false },
            Value::Null,
            1,
            Some(LossKind::Emulated),
        ),
    ];
    for (choice, word, tools, loss) in cases {
        let (out, losses) = with(|chat| {
            chat.tools = vec![function("f", None), function("g", None)];
            chat.tool_choice = Some(choice);
        });
        assert_eq!((&out["tool_choice"], out["tools"].as_array().unwrap().len()), (&word, tools));
        assert_eq!(losses, loss.map_or_else(Vec::new, |kind| lost("/tool_choice", kind)));
    }
    let (out, losses) = with(|chat| {
        chat.tools = vec![function("f", Some(true)), function("g", None)];
        chat.parallel_tools = Some(false);
        let web = Tool { name: "web".into(), kind: ToolKind::BuiltIn, cache: None, origin: 1 };
        chat.tools.push(web);
    });
    assert_eq!(out["tools"][0]["function"]["parameters"], json!({"type": "object", "properties": {}}));
    assert_eq!((&out["strict_tools"], losses.len()), (&json!(true), 3));
}

#[test]
fn parameters_out_of_range_are_cut_and_those_without_a_place_reported() {
    let (out, losses) = with(|chat| {
        chat.sampling = Sampling {
            top_p: Some("1".into()),
            top_k: Some("9999".into()),
            frequency_penalty: Some("1.5".into()),
            presence_penalty: Some("0.5".into()),
            ..Sampling::default()
        };
        chat.stop = ["a", "b", "c", "d", "e", "f"].map(Into::into).to_vec();
        chat.choices = 2;
        chat.unknown.push("/x".into());
        for (param, value) in
            [(Param::EndUser, r#""u""#), (Param::ServiceTier, r#""flex""#), (Param::Safety, "[]")]
        {
            chat.settings.push(Setting { param, value: value.into() });
        }
    });
    assert_eq!((&out["p"], &out["k"], &out["frequency_penalty"]), (&json!(0.99), &json!(500), &json!(1)));
    assert_eq!((out.get("presence_penalty"), out["stop_sequences"].as_array().unwrap().len()), (None, 5));
    let fields: Vec<_> = losses.iter().map(|(field, kind)| (field.as_str(), *kind)).collect();
    let (dropped, near) = (LossKind::Dropped, LossKind::Approximated);
    let expected = [
        ("", dropped),
        ("/frequency_penalty", near),
        ("/k", near),
        ("/p", near),
        ("/presence_penalty", dropped),
        ("/safety_mode", dropped),
        ("/stop_sequences", near),
        ("/x", dropped),
    ];
    assert_eq!(fields, expected);
}

#[test]
fn a_form_for_the_answer_stands_alone() {
    let format = OutputFormat::Schema {
        name: None,
        description: None,
        schema: r#"{"b":1,"a":2}"#.into(),
        strict: None,
    };
    let (out, losses) = with(|chat| chat.format = Some(format.clone()));
    assert_eq!(out["response_format"].to_string(), r#"{"type":"json_object","json_schema":{"b":1,"a":2}}"#);
    assert!(losses.is_empty());
    let (out, losses) = with(|chat| {
        chat.format = Some(format.clone());
        chat.tools.push(function("f", None));
    });
    assert_eq!((out.get("response_format"), losses), (None, lost("/response_format", LossKind::Dropped)));
}

#[test]
fn how_much_to_reason_is_a_budget_or_nothing() {
    let ask = |effort, budget| Reasoning { effort, budget, ..Reasoning::default() };
    let adaptive = Reasoning { is_adaptive: true, ..Reasoning::default() };
    let cases = [
        (ReasoningForm::Budget, ask(None, Some(99)), json!({"type": "enabled", "token_budget": 99}), false),
        (
            ReasoningForm::Usual,
            ask(Some(Effort::Low), None),
            json!({"type": "enabled", "token_budget": 2048}),
            true,
        ),
        (ReasoningForm::Usual, ask(Some(Effort::None), None), json!({"type": "disabled"}), false),
        (ReasoningForm::Usual, ask(None, Some(0)), json!({"type": "disabled"}), false),
        (ReasoningForm::Usual, adaptive, json!({"type": "enabled"}), false),
        (ReasoningForm::Never, ask(Some(Effort::High), None), Value::Null, true),
        (ReasoningForm::Never, ask(Some(Effort::None), None), Value::Null, false),
    ];
    for (form, asked, expected, is_lossy) in cases {
        let mut abilities = Abilities::default();
        abilities.reasoning = form;
        let chat = Chat { turns: vec![user("hi")], reasoning: Some(asked), ..Chat::default() };
        let (out, losses) = write(&chat, &abilities).unwrap();
        assert_eq!((out["thinking"].clone(), !losses.is_empty()), (expected, is_lossy), "{form:?} {asked:?}");
    }
}

#[test]
fn reasoning_that_nobody_signed_goes_back_and_signed_one_is_left_out() {
    let thought = |signature| Part::new(PartKind::Reasoning { text: "t".into(), signature });
    let signature = Signature { data: "x".into(), from: Dialect::AnthropicMessages };
    for (signature, expected, losses) in [
        (None, json!([{"type": "thinking", "thinking": "t"}, {"type": "text", "text": "so"}]), 0),
        (Some(signature), json!("so"), 1),
    ] {
        let turns = vec![
            user("hi"),
            said(Speaker::Assistant, vec![thought(signature), Part::text("so")]),
            user("go on"),
        ];
        let (out, lost) = write(&Chat { turns, ..Chat::default() }, &Abilities::default()).unwrap();
        assert_eq!((&out["messages"][1]["content"], lost.len()), (&expected, losses));
    }
}

#[test]
fn media_that_the_target_does_not_read_are_lost() {
    let mut abilities = Abilities::default();
    abilities.fetches_urls = false;
    let url = || media(MediaKind::Image, MediaSource::Url("https://example.test/a".into()));
    let sound = media(MediaKind::Audio, MediaSource::Base64("QUJD".into()));
    let chat =
        Chat { turns: vec![said(Speaker::User, vec![Part::text("hi"), url(), sound])], ..Chat::default() };
    let (out, losses) = write(&chat, &abilities).unwrap();
    assert_eq!(
        (&out["messages"][0]["content"], losses),
        (&json!("hi"), lost("/messages/0", LossKind::Dropped))
    );
}

#[test]
fn an_answer_is_the_same_when_it_has_been_one_of_no_dialect() {
    let body = br#"{"id":"x","message":{"role":"assistant","content":[{"type":"thinking","thinking":"hm"},{"type":"text","text":"so"}],
        "tool_plan":"I look.","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{\"n\":1}"}}]},
        "finish_reason":"COMPLETE","usage":{"billed_units":{"input_tokens":7.0,"output_tokens":3},"tokens":{"input_tokens":500,"output_tokens":3},"cached_tokens":2}}"#;
    let answer = chat_codec().read_answer(body).unwrap();
    let usage = Usage { input: 5, cache_read: 2, output: 3, ..Usage::default() };
    assert_eq!((answer.usage, &answer.choices[0].finish), (Some(usage), &Some(FinishReason::ToolCalls)));
    assert_eq!(
        codec(Dialect::CohereChat).decode_answer(Bytes::from_static(body)).unwrap().usage(),
        Some(usage)
    );
    let written = chat_codec().write_answer(&answer, &envelope());
    let again = chat_codec().read_answer(&written).unwrap();
    assert_eq!(again, answer);
}

#[test]
fn an_answer_that_failed_is_a_failure_and_figures_that_cannot_be_are_none() {
    let codec = codec(Dialect::CohereChat);
    let body = r#"{"message":{"content":[{"type":"text","text":"a"}]},"finish_reason":"ERROR"}"#;
    assert!(codec.decode_answer(Bytes::from(body)).is_err());
    for figures in
        [r#"{"billed_units":{"input_tokens":-1}}"#, r#"{"tokens":{"output_tokens":1.5}}"#, "{}", "null"]
    {
        let body = format!(r#"{{"message":{{}},"finish_reason":"COMPLETE","usage":{figures}}}"#);
        assert_eq!(codec.decode_answer(Bytes::from(body)).unwrap().usage(), None, "{figures}");
    }
}

#[test]
fn every_reason_to_stop_has_its_word() {
    let cases = [
        (FinishReason::Stop, "COMPLETE"),
        (FinishReason::StopString(None), "STOP_SEQUENCE"),
        (FinishReason::Length, "MAX_TOKENS"),
        (FinishReason::ContextFull, "MAX_TOKENS"),
        (FinishReason::ToolCalls, "TOOL_CALL"),
        (FinishReason::ContentFilter, "ERROR"),
        (FinishReason::Other("x".to_owned()), "COMPLETE"),
    ];
    for (finish, word) in cases {
        let choice = AnswerChoice { parts: vec![Part::text("a")], finish: Some(finish) };
        let answer = Answer { choices: vec![choice], ..Answer::default() };
        let out: Value = serde_json::from_slice(&chat_codec().write_answer(&answer, &envelope())).unwrap();
        assert_eq!(out["finish_reason"], word);
    }
}

#[test]
fn clients_read_errors_in_their_envelope() {
    let error = ErrorBody {
        status: StatusCode::BAD_REQUEST,
        class: ErrorClass::InvalidRequest,
        code: None,
        message: "say \"please\"".into(),
        param: None,
        request_id: Some(RequestId::new(1, 2)),
        retry_after: None,
    };
    let out: Value = serde_json::from_slice(&codec(Dialect::CohereChat).render_error(&error)).unwrap();
    assert_eq!(out, json!({"id": RequestId::new(1, 2).as_str(), "message": "say \"please\""}));
}

// === Whole streams from events ===

fn told(kinds: Vec<EventKind>) -> Vec<Value> {
    let settings = StreamSettings { envelope: Some(envelope()), ..StreamSettings::default() };
    let mut encoder = codec(Dialect::CohereChat).stream_encoder(settings);
    let mut out = Vec::new();
    for kind in kinds {
        encoder.write(None, &[StreamEvent::inserted(kind)], &mut out);
    }
    encoder.write_end(&mut out);
    encoder.write_end(&mut out);
    let text = String::from_utf8(out).unwrap();
    let body = text.strip_suffix("data: [DONE]\n\n").expect("the terminator comes last, and once");
    let event = |event: &str| {
        let (name, data) = event.strip_prefix("event: ").unwrap().split_once("\ndata: ").unwrap();
        let data: Value = serde_json::from_str(data).unwrap();
        assert_eq!(data["type"], name);
        data
    };
    body.split("\n\n").filter(|event| !event.is_empty()).map(event).collect()
}

fn delta(lane: Lane, text: &str) -> EventKind {
    EventKind::TextDelta { lane, text: text.into() }
}

fn begun(lane: Lane, id: &str) -> EventKind {
    EventKind::ToolCallStart { lane, id: id.to_owned(), name: "f".to_owned() }
}

#[test]
fn any_events_become_a_stream_of_the_dialect() {
    let (one, two) = (Lane::tool_arguments(0, 1), Lane::tool_arguments(0, 4));
    let usage = Usage { input: 5, cache_read: 3, output: 9, ..Usage::default() };
    let events = told(vec![
        delta(Lane::reasoning(0), "hm"),
        delta(Lane::content(0), "hi"),
        delta(Lane::content(0), "!"),
        begun(one, "c1"),
        begun(two, ""),
        delta(one, "{\"a\""),
        delta(one, ":1}"),
        EventKind::LaneEnd { lane: one },
        EventKind::LaneEnd { lane: two },
        EventKind::Usage(usage),
        EventKind::Finish { choice: 0, reason: FinishReason::Stop },
    ]);
    let seen: Vec<String> = events
        .iter()
        .map(|event| format!("{} {}", event["type"].as_str().unwrap(), event["index"]))
        .collect();
    let expected = [
        "message-start null",
        "content-start 0",
        "content-delta 0",
        "content-end 0",
        "content-start 1",
        "content-delta 1",
        "content-delta 1",
        "content-end 1",
        "tool-call-start 0",
        "tool-call-start 1",
        "tool-call-delta 0",
        "tool-call-delta 0",
        "tool-call-end 0",
        "tool-call-delta 1",
        "tool-call-end 1",
        "message-end null",
    ];
    assert_eq!(seen, expected);
    assert_eq!(events[1]["delta"]["message"]["content"], json!({"type": "thinking", "thinking": ""}));
    assert_ne!(events[9]["delta"]["message"]["tool_calls"]["id"], "");
    assert_eq!(events[13]["delta"]["message"]["tool_calls"]["function"]["arguments"], "{}");
    let last = &events[15]["delta"];
    assert_eq!((&last["finish_reason"], &last["usage"]["cached_tokens"]), (&json!("TOOL_CALL"), &json!(3)));
    assert_eq!(last["usage"]["billed_units"], json!({"input_tokens": 8, "output_tokens": 9}));
}

#[test]
fn an_error_ends_the_stream_and_nothing_follows() {
    let settings = StreamSettings { envelope: Some(envelope()), ..StreamSettings::default() };
    let mut encoder = codec(Dialect::CohereChat).stream_encoder(settings);
    let mut out = Vec::new();
    let error = ErrorBody {
        status: StatusCode::BAD_GATEWAY,
        class: ErrorClass::Server,
        code: None,
        message: "it broke".into(),
        param: None,
        request_id: None,
        retry_after: None,
    };
    encoder.write_error(&error, &mut out);
    let length = out.len();
    encoder.write(None, &[StreamEvent::inserted(delta(Lane::content(0), "late"))], &mut out);
    encoder.write_end(&mut out);
    encoder.write_keep_alive(&mut out);
    assert_eq!(out.len(), length);
    let text = String::from_utf8(out).unwrap();
    let expected = r#"{"type":"message-end","delta":{"finish_reason":"ERROR","error":"it broke"}}"#;
    assert_eq!(text, format!("event: message-end\ndata: {expected}\n\n"));
}

// === Edits of a provider's stream ===

const START: &str = "data: {\"type\":\"content-start\",\"index\":0,\"delta\":{\"message\":{\"content\":{\"type\":\"text\",\"text\":\"\"}}}}\n\n";
const DELTA: &str = "data: {\"type\":\"content-delta\",\"index\":0,\"delta\":{\"message\":{\"content\":{\"text\":\"a\"}}}}\n\n";
const END: &str = "data: {\"type\":\"content-end\",\"index\":0}\n\n";

fn edited(stream: &str, mut edit: impl FnMut(usize, &mut Vec<StreamEvent>)) -> String {
    let codec = codec(Dialect::CohereChat);
    let mut decoder = codec.stream_decoder();
    decoder.push(Bytes::copy_from_slice(stream.as_bytes()));
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
    String::from_utf8(out).unwrap()
}

#[test]
fn text_that_was_held_goes_out_before_its_block_ends() {
    let out = edited(&[START, DELTA, END].concat(), |place, events| match place {
        1 => events.clear(),
        2 => events.insert(0, StreamEvent::inserted(delta(Lane::content(0), "A"))),
        _ => {}
    });
    let added = format!("event: content-delta\n{}", DELTA.replace(r#""a""#, r#""A""#));
    assert_eq!(out, [START, &added, END].concat());
}

#[test]
fn a_dropped_call_goes_as_a_whole() {
    let call = |kind: &str, tool: &str| {
        format!(
            "data: {{\"type\":\"tool-call-{kind}\",\"index\":0,\"delta\":{{\"message\":{{\"tool_calls\":{tool}}}}}}}\n\n"
        )
    };
    let stream = [
        call("start", r#"{"id":"a","type":"function","function":{"name":"f","arguments":""}}"#),
        call("delta", r#"{"function":{"arguments":"{}"}}"#),
        "data: {\"type\":\"tool-call-end\",\"index\":0}\n\n".to_owned(),
    ]
    .concat();
    assert_eq!(edited(&stream, |_, _| {}), stream);
    assert_eq!(
        edited(&stream, |place, events| if place == 0 {
            events.clear();
        }),
        ""
    );
}

// === Any chat ===

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z \"\\\\\n]{1,12}", "\\PC{1,12}", Just("\u{0}\u{7f}\u{2028}😀".to_owned())]
}

fn turns() -> impl Strategy<Value = Vec<Turn<'static>>> {
    let asked = || {
        vec(text(), 1..4)
            .prop_map(|texts| vec![said(Speaker::User, texts.into_iter().map(Part::text).collect())])
    };
    let answered = (option::of(text()), text(), text()).prop_map(|(thought, answer, next)| {
        let thought =
            thought.map(|text| Part::new(PartKind::Reasoning { text: text.into(), signature: None }));
        let parts = thought.into_iter().chain([Part::text(answer)]).collect();
        vec![said(Speaker::Assistant, parts), said(Speaker::User, vec![Part::text(next)])]
    });
    let called = (option::of(text()), vec((0_u8..9, text()), 1..4)).prop_map(|(plan, results)| {
        let mut parts: Vec<_> = plan.map(Part::text).into_iter().collect();
        let mut turns = Vec::new();
        for (at, (number, text)) in (0..).zip(results) {
            let id = format!("call_{at}");
            let arguments = format!("{{\"n\":{number}}}").into();
            let name = "f".into();
            parts.push(Part::new(PartKind::ToolCall {
                id: id.clone().into(),
                name,
                arguments,
                signature: None,
            }));
            let content = vec![Part::text(text)];
            let kind = PartKind::ToolResult { call: id.into(), name: None, content, is_error: false };
            turns.push(said(Speaker::User, vec![Part::new(kind)]));
        }
        turns.insert(0, said(Speaker::Assistant, parts));
        turns.push(said(Speaker::User, vec![Part::text("go on")]));
        turns
    });
    (asked(), vec(prop_oneof![asked(), answered, called], 0..4))
        .prop_map(|(first, rest)| first.into_iter().chain(rest.into_iter().flatten()).collect())
}

fn chat() -> impl Strategy<Value = Chat<'static>> {
    let reasoning = option::of(prop_oneof![
        Just(Reasoning { effort: Some(Effort::None), ..Reasoning::default() }),
        Just(Reasoning { is_adaptive: true, ..Reasoning::default() }),
        (1_u64..9_999).prop_map(|budget| Reasoning { budget: Some(budget), ..Reasoning::default() }),
    ]);
    let choice = option::of(prop_oneof![Just(ToolChoice::None), Just(ToolChoice::Required)]);
    let numbers = (option::of("0\\.[1-9]{1,3}"), option::of("0\\.[1-8]{1,2}"), option::of(1_u64..9_999));
    (option::of(text()), turns(), any::<bool>(), choice, numbers, reasoning, any::<bool>()).prop_map(
        |(system, turns, has_tools, choice, (temperature, top_p, output_cap), reasoning, streams)| {
            let schema = r#"{"type":"object","z":1,"a":12345678901234567890}"#;
            let kind =
                ToolKind::Function { description: None, parameters: Some(schema.into()), strict: Some(true) };
            let tool = Tool { name: "f".into(), kind, cache: None, origin: 0 };
            Chat {
                model: "m".into(),
                streams,
                system: system.map(Part::text).into_iter().collect(),
                turns,
                tools: has_tools.then_some(tool).into_iter().collect(),
                tool_choice: choice.filter(|_| has_tools),
                output_cap,
                sampling: Sampling {
                    temperature: temperature.map(Into::into),
                    top_p: top_p.map(Into::into),
                    ..Sampling::default()
                },
                reasoning,
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
