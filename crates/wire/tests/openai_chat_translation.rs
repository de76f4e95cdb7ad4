//! OpenAI chat completions to and from the form that all dialects of chats share.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails, helpers included")]

use gatewright::chat::{
    Answer, CacheMark, Chat, LossKind, Losses, MediaSource, Param, Part, PartKind, Place, Speaker,
    ToolChoice, Turn,
};
use gatewright::dialect::{Abilities, ChatCodec, Dialect, Envelope, StreamSettings};
use gatewright::text::Lane;
use gatewright::{EventKind, Failure, FinishReason, RequestId, StreamEvent, Usage};
use gatewright_wire::codec;
use serde_json::{Value, json};

fn chat_codec() -> &'static dyn ChatCodec {
    codec(Dialect::OpenAiChat).chat().unwrap()
}

fn read(body: &str) -> Chat<'_> {
    chat_codec().read_request(body.as_bytes()).unwrap()
}

/// A request and what its writing lost.
type Written = (Value, Vec<(String, LossKind)>);

fn write(chat: &Chat<'_>, abilities: &Abilities) -> Result<Written, Failure> {
    let codec = chat_codec();
    let name = |place: &Place<'_>| codec.pointer(place);
    let mut losses = Losses::new(false, &name);
    let body = codec.write_request(chat, abilities, &mut losses)?;
    let losses = losses.into_found().into_iter().map(|loss| (loss.field.into_owned(), loss.kind));
    Ok((serde_json::from_slice(&body).unwrap(), losses.collect()))
}

fn written(chat: &Chat<'_>) -> Written {
    write(chat, &Abilities::default()).unwrap()
}

fn envelope() -> Envelope {
    Envelope { id: RequestId::new(1, 2), created: 1_700_000_000, model: "public".to_owned() }
}

fn said(speaker: Speaker, parts: Vec<Part<'_>>) -> Turn<'_> {
    Turn { speaker, parts }
}

fn call(id: &'static str, name: &'static str, arguments: &'static str) -> Part<'static> {
    Part::new(PartKind::ToolCall {
        id: id.into(),
        name: name.into(),
        arguments: arguments.into(),
        signature: None,
    })
}

fn result(id: &'static str, content: Vec<Part<'static>>, is_error: bool) -> Part<'static> {
    Part::new(PartKind::ToolResult { call: id.into(), name: None, content, is_error })
}

#[test]
fn a_request_of_the_dialect_comes_back_as_it_was() {
    let body = json!({
        "model": "m",
        "messages": [
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": [
                {"type": "text", "text": "what is \"this\"?\n"},
                {"type": "image_url", "image_url": {"url": "https://x.test/a.png", "detail": "low"}},
                {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,QUJD"}},
                {"type": "input_audio", "input_audio": {"data": "QUJD", "format": "mp3"}},
                {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,QUJD"}},
                {"type": "file", "file": {"file_id": "file-1"}}
            ]},
            {"role": "assistant", "content": null, "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{\"n\":12345678901234567890}"}},
                {"id": "c2", "type": "function", "function": {"name": "g", "arguments": "{}"}}
            ]},
            {"role": "tool", "tool_call_id": "c2", "content": "two"},
            {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
            {"role": "system", "content": "later"},
            {"role": "user", "content": "go on"},
            {"role": "assistant", "content": [{"type": "text", "text": "no"}, {"type": "refusal", "refusal": "never"}]}
        ],
        "tools": [
            {"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}, "strict": true}},
            {"type": "function", "function": {"name": "g"}}
        ],
        "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [
            {"type": "function", "function": {"name": "f"}}
        ]}},
        "parallel_tool_calls": false,
        "stream": true,
        "stream_options": {"include_usage": true},
        "max_completion_tokens": 100,
        "stop": ["x", "y"],
        "n": 2,
        "temperature": 0.5, "top_p": 1e-1, "seed": 9007199254740993_u64, "frequency_penalty": 1, "presence_penalty": -1,
        "reasoning_effort": "xhigh",
        "response_format": {"type": "json_schema", "json_schema": {"name": "s", "description": "d", "strict": true, "schema": {"b": 1, "a": 2}}},
        "logit_bias": {"1": 2}, "logprobs": true, "top_logprobs": 3, "metadata": {"a": "b"}, "service_tier": "flex",
        "prompt_cache_key": "k", "prompt_cache_retention": "24h", "store": false, "verbosity": "low",
        "prediction": {"type": "content", "content": "x"}, "modalities": ["text", "audio"],
        "audio": {"voice": "v", "format": "wav"}, "web_search_options": {}, "user": "u"
    });
    let text = body.to_string();
    let (back, losses) = written(&read(&text));
    assert_eq!(losses, []);
    assert_eq!(back, body);
}

#[test]
fn system_texts_that_lead_are_kept_apart_and_later_ones_stay_where_they_are() {
    let chat = read(
        r#"{"model":"m","messages":[{"role":"developer","content":"a"},
        {"role":"system","content":[{"type":"text","text":"b","cache_control":{"type":"ephemeral","ttl":"1h"}}]},
        {"role":"user","content":"c"},{"role":"system","content":"d"}]}"#,
    );
    assert_eq!(chat.system.iter().filter_map(Part::as_text).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(chat.system[1].cache, Some(CacheMark::Hour));
    assert_eq!(
        chat.turns.iter().map(|turn| turn.speaker).collect::<Vec<_>>(),
        [Speaker::User, Speaker::System]
    );
}

#[test]
fn legacy_functions_read_as_tools_and_their_calls_get_ids() {
    let chat = read(
        r#"{"model":"m","functions":[{"name":"f"}],"function_call":{"name":"f"},"messages":[
        {"role":"user","content":"a"},{"role":"assistant","content":null,"function_call":{"name":"f","arguments":""}},
        {"role":"function","name":"f","content":"r"}]}"#,
    );
    assert_eq!(chat.tool_choice, Some(ToolChoice::Named("f".into())));
    let (body, losses) = written(&chat);
    assert_eq!(losses, []);
    assert_eq!(body["messages"][1]["tool_calls"][0]["id"], "call_1");
    assert_eq!(body["messages"][1]["tool_calls"][0]["function"]["arguments"], "{}");
    assert_eq!(body["messages"][2], json!({"role": "tool", "tool_call_id": "call_1", "content": "r"}));
}

#[test]
fn reasoning_of_earlier_turns_is_read_from_every_carrier_and_the_signed_one_counts() {
    let kinds = |members: &str| {
        let body = format!(
            r#"{{"model":"m","messages":[{{"role":"assistant",{members},"content":"x","reasoning_content":"r"}}]}}"#
        );
        let chat = chat_codec().read_request(body.as_bytes()).unwrap();
        chat.turns[0].parts.iter().map(|part| format!("{:?}", part.kind)).collect::<Vec<_>>()
    };
    let found = kinds(
        r#""thinking_blocks":[{"type":"thinking","thinking":"r","signature":"s"},{"type":"redacted_thinking","data":"d"}]"#,
    );
    assert_eq!(found.len(), 3);
    assert!(found[0].contains(r#"data: "s", from: AnthropicMessages"#), "{found:?}");
    assert!(found[1].contains(r#"SealedReasoning(Signature { data: "d""#), "{found:?}");
    let found = kinds(
        r#""reasoning_details":[{"type":"reasoning.encrypted","data":"d","format":"openai_responses"}]"#,
    );
    assert!(found[0].contains("from: OpenAiResponses"), "{found:?}");
    assert_eq!(kinds(r#""reasoning":null"#)[0], r#"Reasoning { text: "r", signature: None }"#);
}

#[test]
fn members_that_no_other_dialect_has_are_named() {
    let chat = read(
        r#"{"model":"m","messages":[{"role":"user","name":"n","content":"c","x":1,"annotations":[],"y":null}],
        "a/b":1,"gone":null,"modalities":["text"],"user":"u","safety_identifier":"s"}"#,
    );
    assert_eq!(chat.unknown, ["/messages/0/x", "/messages/0/name", "/a~1b", "/user"]);
    assert_eq!(chat.settings.len(), 1);
    assert_eq!(chat.setting(Param::EndUser).unwrap(), r#""s""#);
    let (_, losses) = written(&chat);
    assert_eq!(losses.len(), 4);
}

#[test]
fn results_stand_right_behind_their_calls_and_media_in_them_follow() {
    let image = Part::new(PartKind::Media(gatewright::chat::Media {
        kind: gatewright::chat::MediaKind::Image,
        mime: Some("image/png".into()),
        source: MediaSource::Base64("QUJD".into()),
        name: None,
        detail: None,
    }));
    let chat = Chat {
        turns: vec![
            said(Speaker::Assistant, vec![Part::text("one"), call("a", "f", "")]),
            said(Speaker::Assistant, vec![call("b", "f", "{}")]),
            said(Speaker::User, vec![Part::text("early"), result("b", vec![Part::text("x"), image], true)]),
            said(Speaker::User, vec![result("a", Vec::new(), false), Part::text("late")]),
        ],
        ..Chat::default()
    };
    let (body, losses) = written(&chat);
    let messages = &body["messages"];
    assert_eq!(messages[0]["tool_calls"].as_array().unwrap().len(), 2);
    assert_eq!(messages[1], json!({"role": "tool", "tool_call_id": "b", "content": "Error: x"}));
    assert_eq!(messages[2], json!({"role": "tool", "tool_call_id": "a", "content": ""}));
    assert_eq!(messages[3]["content"][0]["image_url"]["url"], "data:image/png;base64,QUJD");
    assert_eq!(messages[4], json!({"role": "user", "content": "early"}));
    assert_eq!(messages[5], json!({"role": "user", "content": "late"}));
    assert_eq!(losses, [("/messages/0".to_owned(), LossKind::Approximated)]);
}

#[test]
fn an_unanswered_call_and_a_result_without_a_call_are_refused() {
    let open = read(
        r#"{"model":"m","messages":[{"role":"assistant","tool_calls":[{"id":"c","function":{"name":"f"}}]},
        {"role":"user","content":"?"}]}"#,
    );
    assert_eq!(write(&open, &Abilities::default()).unwrap_err().param.as_deref(), Some("/messages/0"));
    let lone = read(r#"{"model":"m","messages":[{"role":"tool","tool_call_id":"c","content":"r"}]}"#);
    assert_eq!(write(&lone, &Abilities::default()).unwrap_err().param.as_deref(), Some("/messages/0"));
}

#[test]
fn an_answer_comes_back_as_it_was() {
    let body = json!({
        "id": "x", "object": "chat.completion", "created": 1, "model": "served",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": "a", "refusal": null, "reasoning_content": "r"},
             "logprobs": null, "finish_reason": "length"},
            {"index": 1, "message": {"role": "assistant", "content": null, "refusal": null, "tool_calls": [
                {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}}]},
             "logprobs": null, "finish_reason": "stop"}
        ],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15,
            "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 2, "audio_tokens": 0}}
    });
    let text = body.to_string();
    let answer = chat_codec().read_answer(text.as_bytes()).unwrap();
    assert_eq!(answer.usage.unwrap().input, 6);
    let back: Value = serde_json::from_slice(&chat_codec().write_answer(&answer, &envelope())).unwrap();
    let mut expected = body;
    expected["id"] = back["id"].clone();
    expected["created"] = json!(1_700_000_000);
    expected["model"] = json!("public");
    // A choice that calls tools ends with them, whatever its provider says.
    expected["choices"][1]["finish_reason"] = json!("tool_calls");
    assert_eq!(back, expected);
    assert!(back["id"].as_str().unwrap().starts_with("chatcmpl-"));
}

#[test]
fn every_reason_to_stop_has_a_word_of_the_dialect() {
    let cases = [
        (FinishReason::Stop, "stop"),
        (FinishReason::StopString(Some("x".to_owned())), "stop"),
        (FinishReason::ToolCalls, "tool_calls"),
        (FinishReason::Length, "length"),
        (FinishReason::ContextFull, "length"),
        (FinishReason::ContentFilter, "content_filter"),
        (FinishReason::Paused, "stop"),
        (FinishReason::MalformedCall, "stop"),
        (FinishReason::Other("novel".to_owned()), "stop"),
    ];
    for (finish, word) in cases {
        let choice = gatewright::chat::AnswerChoice { parts: Vec::new(), finish: Some(finish.clone()) };
        let answer = Answer { choices: vec![choice], ..Answer::default() };
        let whole: Value = serde_json::from_slice(&chat_codec().write_answer(&answer, &envelope())).unwrap();
        assert_eq!(whole["choices"][0]["finish_reason"], word);
        let chunks = told(&[EventKind::Finish { choice: 0, reason: finish }], true);
        assert_eq!(chunks[1]["choices"][0]["finish_reason"], word);
    }
}

/// What a client reads of events that another dialect's provider told.
fn told(kinds: &[EventKind], hide_usage: bool) -> Vec<Value> {
    let settings = StreamSettings { model: None, hide_usage, envelope: Some(envelope()) };
    let mut encoder = codec(Dialect::OpenAiChat).stream_encoder(settings);
    let mut out = Vec::new();
    let events: Vec<_> =
        (0..).zip(kinds).map(|(place, kind)| StreamEvent::from_frame(kind.clone(), place)).collect();
    for event in events {
        encoder.write(None, &[event], &mut out);
    }
    encoder.write_end(&mut out);
    encoder.write_end(&mut out);
    let text = String::from_utf8(out).unwrap();
    let mut chunks: Vec<_> =
        text.split_terminator("\n\n").map(|chunk| chunk.strip_prefix("data: ").unwrap()).collect();
    assert_eq!(chunks.pop(), Some("[DONE]"), "it stands once, at the end");
    chunks.into_iter().map(|chunk| serde_json::from_str(chunk).unwrap()).collect()
}

fn text(lane: Lane, text: &str) -> EventKind {
    EventKind::TextDelta { lane, text: text.to_owned().into() }
}

#[test]
fn a_retold_stream_opens_with_the_role_and_ends_in_an_empty_delta_then_usage() {
    let usage = Usage { input: 3, output: 4, ..Usage::default() };
    let kinds = [
        EventKind::Usage(Usage::default()),
        text(Lane::reasoning(0), "hm"),
        text(Lane::content(0), "hi"),
        EventKind::LaneEnd { lane: Lane::content(0) },
        EventKind::Finish { choice: 0, reason: FinishReason::Stop },
        EventKind::Usage(usage),
    ];
    let chunks = told(&kinds, false);
    let deltas: Vec<_> = chunks.iter().map(|chunk| chunk["choices"][0]["delta"].clone()).collect();
    assert_eq!(deltas[0], json!({"role": "assistant", "content": ""}));
    assert_eq!(deltas[1], json!({"reasoning_content": "hm"}));
    assert_eq!(deltas[2], json!({"content": "hi"}));
    assert_eq!(deltas[3], json!({}));
    assert_eq!(chunks[3]["choices"][0]["finish_reason"], "stop");
    assert_eq!(chunks[4]["choices"], json!([]));
    assert_eq!(chunks[4]["usage"]["total_tokens"], 7);
    for chunk in &chunks {
        assert_eq!(
            (&chunk["id"], &chunk["created"], &chunk["model"]),
            (&chunks[0]["id"], &json!(1_700_000_000), &json!("public"))
        );
    }
    assert_eq!(told(&kinds, true).len(), 4, "who did not ask for usage gets none");
}

#[test]
fn retold_calls_have_ids_and_turn_a_stop_into_tool_calls() {
    // Places of calls have gaps where a dialect counts other things too.
    let lane = Lane::tool_arguments(0, 7);
    let kinds = [
        EventKind::ToolCallStart { lane, id: String::new(), name: "f".to_owned() },
        text(lane, ""),
        text(lane, "{}"),
        EventKind::Finish { choice: 0, reason: FinishReason::Stop },
    ];
    let chunks = told(&kinds, true);
    let call = &chunks[1]["choices"][0]["delta"]["tool_calls"][0];
    assert!(call["id"].as_str().unwrap().starts_with("call_"));
    assert_eq!(
        chunks[2]["choices"][0]["delta"],
        json!({"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]})
    );
    assert_eq!(chunks[3]["choices"][0]["finish_reason"], "tool_calls");
}

#[test]
fn a_choice_that_nobody_ended_is_ended_with_the_stream() {
    let chunks = told(&[EventKind::Start, text(Lane::content(1), "b")], true);
    let ends: Vec<_> = chunks.iter().filter(|chunk| chunk["choices"][0]["finish_reason"] == "stop").collect();
    assert_eq!(ends.len(), 2);
}

#[test]
fn a_call_without_arguments_has_an_empty_object() {
    let call = |index| EventKind::ToolCallStart {
        lane: Lane::tool_arguments(0, index),
        id: "c".to_owned(),
        name: "f".to_owned(),
    };
    let kinds = [
        call(0),
        call(1),
        text(Lane::tool_arguments(0, 0), "[]"),
        EventKind::Finish { choice: 0, reason: FinishReason::ToolCalls },
    ];
    let arguments: Vec<_> = told(&kinds, true)
        .iter()
        .filter_map(|chunk| chunk["choices"][0]["delta"].get("tool_calls").cloned())
        .map(|calls| (calls[0]["index"].clone(), calls[0]["function"]["arguments"].clone()))
        .collect();
    assert_eq!(arguments[2..], [(json!(0), json!("[]")), (json!(1), json!("{}"))]);
}
