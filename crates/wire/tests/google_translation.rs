//! Google's `generateContent` to and from the form that all dialects of chats share.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails, helpers included")]

use gatewright::chat::{
    Answer, AnswerChoice, Chat, Effort, LossKind, Losses, Media, MediaKind, MediaSource, OutputFormat, Param,
    Part, PartKind, Place, Reasoning, Setting, Signature, Speaker, Tool, ToolChoice, ToolKind, Turn,
};
use gatewright::dialect::{Abilities, ChatCodec, Dialect, Envelope, ReasoningForm};
use gatewright::{Failure, FinishReason, RequestId, Usage};
use gatewright_wire::codec;
use serde_json::{Value, json};

fn chat_codec() -> &'static dyn ChatCodec {
    codec(Dialect::GoogleGenerate).chat().unwrap()
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

fn written(chat: &Chat<'_>) -> (Value, Lost) {
    write(chat, &Abilities::default()).unwrap()
}

/// What a chat with one text of the user becomes, when `change` has had it.
fn with(abilities: &Abilities, change: impl FnOnce(&mut Chat<'static>)) -> (Value, Lost) {
    let mut chat = Chat { turns: vec![user("hi")], ..Chat::default() };
    change(&mut chat);
    write(&chat, abilities).unwrap()
}

fn said(speaker: Speaker, parts: Vec<Part<'_>>) -> Turn<'_> {
    Turn { speaker, parts }
}

fn user(text: &str) -> Turn<'_> {
    said(Speaker::User, vec![Part::text(text)])
}

fn call(id: &'static str, name: &'static str, arguments: &'static str) -> Part<'static> {
    Part::new(PartKind::ToolCall {
        id: id.into(),
        name: name.into(),
        arguments: arguments.into(),
        signature: None,
    })
}

fn result(id: &'static str, text: &'static str) -> Part<'static> {
    Part::new(PartKind::ToolResult {
        call: id.into(),
        name: None,
        content: vec![Part::text(text)],
        is_error: false,
    })
}

fn proof(data: &'static str, from: Dialect) -> Signature<'static> {
    Signature { data: data.into(), from }
}

fn function(name: &'static str, strict: Option<bool>) -> Tool<'static> {
    let kind = ToolKind::Function { description: None, parameters: None, strict };
    Tool { name: name.into(), kind, cache: None, origin: 0 }
}

fn envelope() -> Envelope {
    Envelope { id: RequestId::new(1, 2), created: 1_700_000_000, model: "public".to_owned() }
}

/// What a provider of the Gemini 2 generation can: it wants no proof of calls.
fn unproven() -> Abilities {
    let mut abilities = Abilities::default();
    abilities.reasoning = ReasoningForm::Budget;
    abilities
}

#[test]
fn a_request_of_the_dialect_comes_back_as_it_was() {
    let body = json!({
        "contents": [
            {"role": "user", "parts": [
                {"text": "what is \"this\"?\n"},
                {"inlineData": {"mimeType": "image/png", "data": "QUJD"}},
                {"fileData": {"mimeType": "video/mp4", "fileUri": "gs://bucket/film"}}
            ]},
            {"role": "model", "parts": [
                {"text": "hm", "thought": true, "thoughtSignature": "c2ln"},
                {"functionCall": {"name": "f", "args": {"n": 12345678901234567890_u64}}, "thoughtSignature": "YWJj"},
                {"functionCall": {"name": "f", "args": {}}}
            ]},
            {"role": "user", "parts": [
                {"functionResponse": {"name": "f", "response": {"output": "one"}}},
                {"functionResponse": {"name": "f", "response": {"a": [1, null]}}}
            ]},
            {"role": "model", "parts": [{"text": "done", "thoughtSignature": "ZW5k"}]},
            {"role": "user", "parts": [{"text": "go on"}]}
        ],
        "systemInstruction": {"parts": [{"text": "be brief"}, {"text": "be kind"}]},
        "tools": [{"functionDeclarations": [
            {"name": "f", "description": "d", "parametersJsonSchema": {"type": "object", "$ref": "#/x"}}
        ]}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}},
        "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
        "serviceTier": "flex",
        "generationConfig": {
            "temperature": 0.5, "topP": 0.9, "topK": 40, "seed": 7, "frequencyPenalty": 0.1,
            "presencePenalty": 0.2, "maxOutputTokens": 100, "stopSequences": ["a", "b"], "candidateCount": 2,
            "responseLogprobs": true, "logprobs": 3, "responseModalities": ["TEXT"],
            "responseMimeType": "application/json", "responseJsonSchema": {"type": "object"},
            "thinkingConfig": {"thinkingBudget": 2048, "includeThoughts": true}
        }
    });
    let text = body.to_string();
    let (out, losses) = written(&read(&text));
    assert_eq!((out, losses), (body, Vec::new()));
}

#[test]
fn both_spellings_and_lists_without_brackets_are_read() {
    let chat = read(
        r#"{"contents":{"parts":{"text":"hi"}},"system_instruction":{"parts":{"text":"s"}},
        "generation_config":{"max_output_tokens":5,"thinking_config":{"thinking_level":"LOW","include_thoughts":true},
        "response_mime_type":"application/json"},"tools":{"function_declarations":{"name":"f",
        "parameters":{"type":"OBJECT","properties":{"a":{"type":"STRING","nullable":true}}}}},
        "tool_config":{"function_calling_config":{"mode":"none"}}}"#,
    );
    assert_eq!(chat.turns[0].parts[0].as_text(), Some("hi"));
    assert_eq!(chat.system[0].as_text(), Some("s"));
    assert_eq!(chat.output_cap, Some(5));
    let expected = Reasoning { effort: Some(Effort::Low), is_shown: Some(true), ..Reasoning::default() };
    assert_eq!(chat.reasoning, Some(expected));
    assert_eq!(chat.format, Some(OutputFormat::Json));
    assert_eq!(chat.tool_choice, Some(ToolChoice::None));
    let ToolKind::Function { parameters: Some(schema), .. } = &chat.tools[0].kind else {
        panic!("a function")
    };
    let schema: Value = serde_json::from_str(schema).unwrap();
    assert_eq!(schema["properties"]["a"]["type"], json!(["string", "null"]));
}

// === Roles and system text ===

#[test]
fn leading_instructions_are_parts_of_their_own_and_later_ones_are_said_by_the_user_in_place() {
    let chat = Chat {
        system: vec![Part::text("one"), Part::text("two")],
        turns: vec![
            user("hi"),
            said(Speaker::Assistant, vec![Part::text("ho")]),
            said(Speaker::System, vec![Part::text("now be brief")]),
            user("go on"),
        ],
        ..Chat::default()
    };
    let (out, losses) = written(&chat);
    assert_eq!(out["systemInstruction"], json!({"parts": [{"text": "one"}, {"text": "two"}]}));
    assert_eq!(
        out["contents"][2],
        json!({"role": "user", "parts": [{"text": "now be brief"}, {"text": "go on"}]})
    );
    assert_eq!(losses, [("/contents/0".to_owned(), LossKind::Approximated)]);
}

#[test]
fn a_result_turn_follows_its_call_turn_with_as_many_parts_in_their_order() {
    let turns = vec![
        user("hi"),
        said(
            Speaker::Assistant,
            vec![call("a", "f", ""), call("b", "g", r#"{"x":1}"#), call("c", "f", "{}")],
        ),
        said(Speaker::User, vec![result("c", "3")]),
        said(Speaker::User, vec![Part::text("and?"), result("a", "1"), result("b", r#"{"y":2}"#)]),
    ];
    let (out, losses) = write(&Chat { turns, ..Chat::default() }, &unproven()).unwrap();
    let expected = json!([
        {"role": "user", "parts": [{"text": "hi"}]},
        {"role": "model", "parts": [
            {"functionCall": {"name": "f", "args": {}}},
            {"functionCall": {"name": "g", "args": {"x": 1}}},
            {"functionCall": {"name": "f", "args": {}}}
        ]},
        {"role": "user", "parts": [
            {"functionResponse": {"name": "f", "response": {"output": "1"}}},
            {"functionResponse": {"name": "g", "response": {"y": 2}}},
            {"functionResponse": {"name": "f", "response": {"output": "3"}}}
        ]},
        {"role": "user", "parts": [{"text": "and?"}]}
    ]);
    assert_eq!((out["contents"].clone(), losses), (expected, Vec::new()));
}

#[test]
fn empty_texts_are_dropped_and_reported_and_an_empty_conversation_is_refused() {
    let chat = Chat { turns: vec![user(""), user("a")], ..Chat::default() };
    let (out, losses) = written(&chat);
    assert_eq!(out["contents"], json!([{"role": "user", "parts": [{"text": "a"}]}]));
    assert_eq!(losses, [("/contents/0".to_owned(), LossKind::Dropped)]);
    let chat = Chat { system: vec![Part::text("s")], ..Chat::default() };
    assert_eq!(write(&chat, &Abilities::default()).unwrap_err().param.as_deref(), Some("/systemInstruction"));
}

#[test]
fn a_begun_answer_goes_only_to_models_that_continue_it() {
    let chat =
        Chat { turns: vec![user("hi"), said(Speaker::Assistant, vec![Part::text("I")])], ..Chat::default() };
    assert_eq!(written(&chat).0["contents"].as_array().unwrap().len(), 2);
    let mut abilities = Abilities::default();
    abilities.continues_answers = false;
    let (out, losses) = write(&chat, &abilities).unwrap();
    assert_eq!((out["contents"].as_array().unwrap().len(), losses.len()), (1, 1));
}

// === Tools ===

#[test]
fn schemas_go_out_as_they_came() {
    let schema = r##"{"b":1,"a":{"$ref":"#/$defs/x"},"additionalProperties":false,"big":1e400}"##;
    let mut chat = Chat { turns: vec![user("hi")], ..Chat::default() };
    let kind = ToolKind::Function { description: None, parameters: Some(schema.into()), strict: None };
    chat.tools.push(Tool { name: "f".into(), kind, cache: None, origin: 0 });
    let codec = chat_codec();
    let name = |place: &Place<'_>| codec.pointer(place);
    let mut losses = Losses::new(true, &name);
    let body = codec.write_request(&chat, &Abilities::default(), &mut losses).unwrap();
    let text = std::str::from_utf8(&body).unwrap();
    assert!(text.contains(&format!(r#""parametersJsonSchema":{schema}"#)), "{text}");
}

#[test]
fn every_choice_of_tools_has_a_mode() {
    let cases = [
        (ToolChoice::Auto, None, json!({"mode": "AUTO"})),
        (ToolChoice::Auto, Some(true), json!({"mode": "VALIDATED"})),
        (ToolChoice::None, None, json!({"mode": "NONE"})),
        (ToolChoice::Required, Some(true), json!({"mode": "ANY"})),
        (ToolChoice::Named("f".into()), None, json!({"mode": "ANY", "allowedFunctionNames": ["f"]})),
        (
            ToolChoice::Among { names: vec!["f".into(), "2".into()], required: true },
            None,
            json!({"mode": "ANY", "allowedFunctionNames": ["f", "_n_2"]}),
        ),
        (
            ToolChoice::Among { names: vec!["f".into()], required: false },
            None,
            json!({"mode": "VALIDATED", "allowedFunctionNames": ["f"]}),
        ),
    ];
    for (choice, strict, expected) in cases {
        let (out, losses) = with(&Abilities::default(), |chat| {
            chat.tools.push(function("f", strict));
            chat.tool_choice = Some(choice);
        });
        assert_eq!((&out["toolConfig"]["functionCallingConfig"], losses), (&expected, Vec::new()));
    }
}

#[test]
fn parallel_calls_cannot_be_switched_off_and_built_in_tools_do_not_cross() {
    let (out, losses) = with(&Abilities::default(), |chat| {
        chat.parallel_tools = Some(false);
        chat.tools.push(function("f", None));
        chat.tools.push(Tool { name: "web".into(), kind: ToolKind::BuiltIn, cache: None, origin: 1 });
    });
    assert_eq!(out["tools"], json!([{"functionDeclarations": [{"name": "f"}]}]));
    let expected =
        [("/toolConfig/functionCallingConfig", LossKind::Dropped), ("/tools/1", LossKind::Dropped)];
    assert_eq!(losses, expected.map(|(field, kind)| (field.to_owned(), kind)));
}

#[test]
fn names_that_the_dialect_does_not_take_go_under_another_and_come_back() {
    let (out, _) = with(&Abilities::default(), |chat| chat.tools.push(function("2nd", None)));
    assert_eq!(out["tools"][0]["functionDeclarations"][0]["name"], "_n_2nd");
    let answer = r#"{"candidates":[{"content":{"parts":[{"functionCall":{"name":"_n_2nd"}}]},"finishReason":"STOP"}]}"#;
    let answer = chat_codec().read_answer(answer.as_bytes()).unwrap();
    let PartKind::ToolCall { name, .. } = &answer.choices[0].parts[0].kind else { panic!("a call") };
    assert_eq!(name, "2nd");
    let mut chat = Chat { turns: vec![user("hi")], ..Chat::default() };
    chat.tools.push(function("a b", None));
    assert_eq!(write(&chat, &Abilities::default()).unwrap_err().param.as_deref(), Some("/tools/0"));
}

#[test]
fn arguments_that_are_no_object_are_refused_in_a_request_and_a_malformed_call_in_an_answer() {
    for arguments in ["[1]", "{", "nonsense"] {
        let turns = vec![user("hi"), said(Speaker::Assistant, vec![call("a", "f", arguments)])];
        let refused = write(&Chat { turns, ..Chat::default() }, &Abilities::default()).unwrap_err();
        assert_eq!(refused.param.as_deref(), Some("/contents/0"), "{arguments}");
        let choice = AnswerChoice {
            parts: vec![Part::text("t"), call("a", "f", arguments)],
            finish: Some(FinishReason::ToolCalls),
        };
        let answer = Answer { choices: vec![choice], ..Answer::default() };
        let out: Value = serde_json::from_slice(&chat_codec().write_answer(&answer, &envelope())).unwrap();
        assert_eq!(out["candidates"][0]["finishReason"], "MALFORMED_FUNCTION_CALL");
        assert_eq!(out["candidates"][0]["content"]["parts"], json!([{"text": "t"}]));
    }
}

#[test]
fn an_unanswered_call_and_a_result_without_a_call_are_refused() {
    let refused = |turns| write(&Chat { turns, ..Chat::default() }, &Abilities::default()).unwrap_err();
    let calls = said(Speaker::Assistant, vec![call("a", "f", "{}")]);
    let unanswered = refused(vec![user("hi"), calls.clone(), user("go on")]);
    assert!(unanswered.message.contains("has no result"), "{}", unanswered.message);
    let orphan = refused(vec![user("hi"), said(Speaker::User, vec![result("b", "x")])]);
    assert!(orphan.message.contains("has no tool call"), "{}", orphan.message);
}

#[test]
fn results_are_objects_and_errors_and_media_have_members_of_their_own() {
    let image = Part::new(PartKind::Media(Media {
        kind: MediaKind::Image,
        mime: Some("image/png".into()),
        source: MediaSource::Base64("QUJD".into()),
        name: None,
        detail: None,
    }));
    let failed =
        |content| Part::new(PartKind::ToolResult { call: "b".into(), name: None, content, is_error: true });
    let turns = vec![
        user("hi"),
        said(Speaker::Assistant, vec![call("a", "f", "{}"), call("b", "g", "{}")]),
        said(
            Speaker::User,
            vec![
                Part::new(PartKind::ToolResult {
                    call: "a".into(),
                    name: None,
                    content: vec![Part::text("[1]"), Part::text("x"), image],
                    is_error: false,
                }),
                failed(vec![Part::text(r#"{"why":1}"#)]),
            ],
        ),
    ];
    let (out, losses) = write(&Chat { turns, ..Chat::default() }, &unproven()).unwrap();
    let expected = json!([
        {"functionResponse": {"name": "f", "response": {"output": "[1]\nx"},
            "parts": [{"inlineData": {"mimeType": "image/png", "data": "QUJD"}}]}},
        {"functionResponse": {"name": "g", "response": {"error": "{\"why\":1}"}}}
    ]);
    assert_eq!((&out["contents"][2]["parts"], losses), (&expected, Vec::new()));
    let text = out.to_string();
    let chat = read(&text);
    let errors: Vec<bool> = chat.turns[2]
        .parts
        .iter()
        .map(|part| matches!(part.kind, PartKind::ToolResult { is_error: true, .. }))
        .collect();
    assert_eq!(errors, [false, true]);
}

// === Reasoning ===

#[test]
fn how_much_to_reason_is_said_in_the_form_that_the_model_takes() {
    let ask = |effort, budget| Reasoning { effort, budget, ..Reasoning::default() };
    let adaptive = Reasoning { is_adaptive: true, is_shown: Some(true), ..Reasoning::default() };
    let cases = [
        (ReasoningForm::Budget, ask(Some(Effort::Low), None), json!({"thinkingBudget": 2048}), true),
        (ReasoningForm::Budget, ask(Some(Effort::None), None), json!({"thinkingBudget": 0}), false),
        (ReasoningForm::Budget, ask(None, Some(99)), json!({"thinkingBudget": 99}), false),
        (ReasoningForm::Budget, adaptive, json!({"thinkingBudget": -1, "includeThoughts": true}), false),
        (ReasoningForm::Effort, ask(Some(Effort::High), None), json!({"thinkingLevel": "HIGH"}), false),
        (ReasoningForm::Effort, ask(Some(Effort::Max), None), json!({"thinkingLevel": "HIGH"}), true),
        (ReasoningForm::Effort, ask(Some(Effort::None), None), json!({"thinkingLevel": "MINIMAL"}), true),
        (ReasoningForm::Effort, ask(None, Some(2000)), json!({"thinkingLevel": "LOW"}), true),
        (ReasoningForm::Effort, adaptive, json!({"includeThoughts": true}), false),
        (ReasoningForm::Usual, ask(None, Some(5)), json!({"thinkingBudget": 5}), false),
        (ReasoningForm::Usual, ask(Some(Effort::Medium), None), json!({"thinkingLevel": "MEDIUM"}), false),
        (ReasoningForm::Never, ask(Some(Effort::Medium), None), Value::Null, true),
        (ReasoningForm::Never, ask(Some(Effort::None), None), Value::Null, false),
    ];
    for (form, asked, expected, is_lossy) in cases {
        let mut abilities = Abilities::default();
        abilities.reasoning = form;
        let (out, losses) = with(&abilities, |chat| chat.reasoning = Some(asked));
        let found = out.pointer("/generationConfig/thinkingConfig").cloned().unwrap_or_default();
        assert_eq!((found, !losses.is_empty()), (expected, is_lossy), "{form:?} {asked:?}");
    }
}

#[test]
fn own_signatures_are_replayed_byte_for_byte_and_others_go_with_their_thoughts() {
    let own = proof("a+/=-_", Dialect::GoogleGenerate);
    let other = proof("zzz", Dialect::AnthropicMessages);
    let thought = |signature| Part::new(PartKind::Reasoning { text: "t".into(), signature: Some(signature) });
    let signed = |signature| {
        Part::new(PartKind::ToolCall {
            id: "a".into(),
            name: "f".into(),
            arguments: "{}".into(),
            signature: Some(signature),
        })
    };
    let turns = vec![user("hi"), said(Speaker::Assistant, vec![thought(own.clone()), signed(own)])];
    let (out, losses) = written(&Chat { turns, ..Chat::default() });
    let expected = json!([
        {"text": "t", "thought": true, "thoughtSignature": "a+/=-_"},
        {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "a+/=-_"}
    ]);
    assert_eq!((&out["contents"][1]["parts"], losses), (&expected, Vec::new()));
    let turns = vec![user("hi"), said(Speaker::Assistant, vec![thought(other.clone()), signed(other)])];
    let (out, losses) = write(&Chat { turns, ..Chat::default() }, &unproven()).unwrap();
    assert_eq!(out["contents"][1]["parts"], json!([{"functionCall": {"name": "f", "args": {}}}]));
    assert_eq!(losses, [("/contents/0".to_owned(), LossKind::Dropped)]);
}

#[test]
fn the_first_call_of_an_unsigned_turn_has_the_value_that_skips_the_check() {
    let turns = vec![user("hi"), said(Speaker::Assistant, vec![call("a", "f", "{}"), call("b", "g", "{}")])];
    let (out, losses) = written(&Chat { turns, ..Chat::default() });
    let parts = &out["contents"][1]["parts"];
    assert_eq!(parts[0]["thoughtSignature"], "skip_thought_signature_validator");
    assert_eq!((parts[1].get("thoughtSignature"), losses), (None, Vec::new()));
}

// === Media ===

#[test]
fn media_keep_their_order_and_what_the_model_cannot_read_is_lost() {
    let media = |kind, mime: Option<&'static str>, source| {
        let mime = mime.map(Into::into);
        Part::new(PartKind::Media(Media { kind, mime, source, name: None, detail: None }))
    };
    let parts = vec![
        Part::text("a"),
        media(MediaKind::Image, None, MediaSource::Base64("/9j/4AAQ".into())),
        Part::text("b"),
        media(MediaKind::Image, None, MediaSource::Url("https://x.test/a.png?b".into())),
        media(MediaKind::Document, Some("application/pdf"), MediaSource::File("file-1".into())),
        media(MediaKind::Document, None, MediaSource::Text("plain".into())),
        media(MediaKind::Audio, Some("audio/wav"), MediaSource::Base64("QUJD".into())),
    ];
    let mut abilities = Abilities::default();
    abilities.media.retain(|kind| *kind != MediaKind::Audio);
    let chat = Chat { turns: vec![said(Speaker::User, parts)], ..Chat::default() };
    let (out, losses) = write(&chat, &abilities).unwrap();
    let expected = json!([
        {"text": "a"},
        {"inlineData": {"mimeType": "image/jpeg", "data": "/9j/4AAQ"}},
        {"text": "b"},
        {"fileData": {"mimeType": "image/png", "fileUri": "https://x.test/a.png?b"}},
        {"text": "plain"}
    ]);
    assert_eq!(out["contents"][0]["parts"], expected);
    let expected = [("/contents/0", LossKind::Dropped), ("/contents/0", LossKind::Approximated)];
    assert_eq!(losses, expected.map(|(field, kind)| (field.to_owned(), kind)));
    abilities.fetches_urls = false;
    let (out, _) = write(&chat, &abilities).unwrap();
    assert_eq!(out["contents"][0]["parts"].as_array().unwrap().len(), 4);
}

#[test]
fn bytes_in_the_alphabet_of_addresses_are_read_in_the_standard_one() {
    let chat = read(r#"{"contents":[{"parts":[{"inline_data":{"mime_type":"audio/mp3","data":"-_8="}}]}]}"#);
    let PartKind::Media(media) = &chat.turns[0].parts[0].kind else { panic!("a medium") };
    assert_eq!((media.kind, &media.source), (MediaKind::Audio, &MediaSource::Base64("+/8=".into())));
}

// === Parameters and format ===

#[test]
fn what_the_target_refuses_or_cannot_exceed_is_reported() {
    let mut abilities = Abilities::default();
    abilities.refuses = vec![Param::Temperature, Param::Stop];
    abilities.output_tokens_max = Some(10);
    abilities.holds_to_schema = false;
    let (out, losses) = with(&abilities, |chat| {
        chat.sampling.temperature = Some("1.5".into());
        chat.sampling.top_p = Some("0.1".into());
        chat.stop = vec!["x".into()];
        chat.output_cap = Some(11);
        chat.format = Some(OutputFormat::Schema {
            name: Some("n".into()),
            description: None,
            schema: r#"{"type":"object"}"#.into(),
            strict: Some(true),
        });
    });
    let expected = json!({"topP": 0.1, "maxOutputTokens": 10, "responseMimeType": "application/json"});
    assert_eq!(out["generationConfig"], expected);
    let expected = [
        ("/generationConfig/maxOutputTokens", LossKind::Approximated),
        ("/generationConfig/responseJsonSchema", LossKind::Approximated),
        ("/generationConfig/stopSequences", LossKind::Dropped),
        ("/generationConfig/temperature", LossKind::Dropped),
    ];
    assert_eq!(losses, expected.map(|(field, kind)| (field.to_owned(), kind)));
}

#[test]
fn settings_of_other_dialects_are_translated_or_reported_and_the_service_tier_never_goes_in_silence() {
    let set = |param, value: &'static str| {
        with(&Abilities::default(), |chat| chat.settings.push(Setting { param, value: value.into() }))
    };
    assert_eq!(set(Param::ServiceTier, r#""default""#).0["serviceTier"], "standard");
    assert_eq!(set(Param::ServiceTier, r#""auto""#), with(&Abilities::default(), |_| ()));
    assert_eq!(set(Param::ServiceTier, r#""scale""#).1, [("/serviceTier".to_owned(), LossKind::Dropped)]);
    assert_eq!(set(Param::Store, "false").1, []);
    assert_eq!(set(Param::Store, "true").1.len(), 1);
    assert_eq!(set(Param::Safety, r#"{"guardrail":1}"#).1.len(), 1);
    assert_eq!(set(Param::LogitBias, r#"{"1":2}"#).1.len(), 1);
    assert_eq!(set(Param::EndUser, r#""u""#).1.len(), 1);
    let (out, losses) = set(Param::Modalities, r#"["text","image"]"#);
    assert_eq!((&out["generationConfig"]["responseModalities"], losses), (&json!(["TEXT", "IMAGE"]), vec![]));
}

#[test]
fn members_that_no_other_dialect_has_are_named_and_cached_content_is_refused() {
    let body = r#"{"contents":[{"parts":[{"text":"a"}]}],"x/y":1,"generationConfig":{"speechConfig":{},"seed":null},
        "toolConfig":{"retrievalConfig":{}}}"#;
    let unknown: Vec<_> = read(body).unknown.iter().map(ToString::to_string).collect();
    assert_eq!(unknown, ["/x~1y", "/generationConfig/speechConfig", "/toolConfig/retrievalConfig"]);
    let refused = chat_codec().read_request(br#"{"contents":[],"cachedContent":"c"}"#).unwrap_err();
    assert_eq!(refused.param.as_deref(), Some("/cachedContent"));
}

#[test]
fn more_stop_strings_than_the_dialect_takes_are_cut_and_reported() {
    let (out, losses) = with(&Abilities::default(), |chat| {
        chat.stop = ["1", "2", "3", "4", "5", "6"].map(Into::into).to_vec();
    });
    assert_eq!(out["generationConfig"]["stopSequences"].as_array().unwrap().len(), 5);
    assert_eq!(losses, [("/generationConfig/stopSequences".to_owned(), LossKind::Approximated)]);
}

// === Answers ===

fn answered(body: &str) -> Answer<'_> {
    chat_codec().read_answer(body.as_bytes()).unwrap()
}

#[test]
fn an_answer_comes_back_as_it_was() {
    let body = json!({
        "candidates": [
            {"content": {"parts": [
                {"text": "hm", "thought": true},
                {"text": "a\"b"},
                {"functionCall": {"id": "c1", "name": "f", "args": {"n": 12345678901234567890_u64}}, "thoughtSignature": "YQ=="},
                {"inlineData": {"mimeType": "image/png", "data": "QUJD"}}
            ], "role": "model"}, "finishReason": "STOP", "index": 0},
            {"content": {"parts": [{"text": "cut"}], "role": "model"}, "finishReason": "MAX_TOKENS", "index": 1}
        ],
        "usageMetadata": {
            "promptTokenCount": 10, "candidatesTokenCount": 5, "thoughtsTokenCount": 3, "totalTokenCount": 18,
            "cachedContentTokenCount": 4
        },
        "modelVersion": "public",
        "responseId": RequestId::new(1, 2).as_str()
    });
    let text = body.to_string();
    let answer = answered(&text);
    assert_eq!(answer.choices[0].finish, Some(FinishReason::ToolCalls), "derived from the content");
    let out: Value = serde_json::from_slice(&chat_codec().write_answer(&answer, &envelope())).unwrap();
    assert_eq!(out, body);
}

#[test]
fn usage_counts_cached_tokens_into_the_prompt_and_reasoning_beside_the_answer() {
    let answer = answered(
        r#"{"usageMetadata":{"promptTokenCount":10,"toolUsePromptTokenCount":2,"cachedContentTokenCount":4,
        "candidatesTokenCount":5,"thoughtsTokenCount":3,"totalTokenCount":20,
        "promptTokensDetails":[{"modality":"TEXT","tokenCount":9},{"modality":"AUDIO","tokenCount":1}]}}"#,
    );
    let expected =
        Usage { input: 8, cache_read: 4, output: 8, reasoning: 3, input_audio: 1, ..Usage::default() };
    assert_eq!(answer.usage, Some(expected));
    let unbelievable = answered(r#"{"usageMetadata":{"promptTokenCount":-1,"candidatesTokenCount":5}}"#);
    assert_eq!(unbelievable.usage, None);
}

#[test]
fn every_word_for_the_end_of_an_answer_has_a_meaning_and_every_meaning_a_word() {
    for (word, expected) in [
        ("STOP", FinishReason::Stop),
        ("MAX_TOKENS", FinishReason::Length),
        ("SAFETY", FinishReason::ContentFilter),
        ("RECITATION", FinishReason::ContentFilter),
        ("BLOCKLIST", FinishReason::ContentFilter),
        ("PROHIBITED_CONTENT", FinishReason::ContentFilter),
        ("SPII", FinishReason::ContentFilter),
        ("MALFORMED_FUNCTION_CALL", FinishReason::MalformedCall),
        ("LANGUAGE", FinishReason::Other("LANGUAGE".to_owned())),
    ] {
        let body = format!(r#"{{"candidates":[{{"finishReason":"{word}"}}]}}"#);
        assert_eq!(answered(&body).choices[0].finish, Some(expected), "{word}");
    }
    for (reason, expected) in [
        (FinishReason::Stop, "STOP"),
        (FinishReason::StopString(Some("x".to_owned())), "STOP"),
        (FinishReason::ToolCalls, "STOP"),
        (FinishReason::Paused, "STOP"),
        (FinishReason::Length, "MAX_TOKENS"),
        (FinishReason::ContextFull, "MAX_TOKENS"),
        (FinishReason::ContentFilter, "SAFETY"),
        (FinishReason::MalformedCall, "MALFORMED_FUNCTION_CALL"),
        (FinishReason::Other("x".to_owned()), "OTHER"),
    ] {
        let choice = AnswerChoice { parts: Vec::new(), finish: Some(reason) };
        let answer = Answer { choices: vec![choice], ..Answer::default() };
        let out: Value = serde_json::from_slice(&chat_codec().write_answer(&answer, &envelope())).unwrap();
        assert_eq!(out["candidates"][0]["finishReason"], expected);
    }
}

#[test]
fn an_answer_without_candidates_is_a_filtered_empty_one() {
    let answer =
        answered(r#"{"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":3}}"#);
    let expected = AnswerChoice { parts: Vec::new(), finish: Some(FinishReason::ContentFilter) };
    assert_eq!(answer.choices, [expected]);
    assert_eq!(answer.usage.unwrap().input, 3);
}

#[test]
fn signatures_of_other_dialects_are_not_shown_to_clients_of_this_one() {
    let parts = vec![
        Part::new(PartKind::Reasoning {
            text: "t".into(),
            signature: Some(proof("x", Dialect::AnthropicMessages)),
        }),
        Part::new(PartKind::SealedReasoning(proof("y", Dialect::OpenAiResponses))),
    ];
    let answer = Answer { choices: vec![AnswerChoice { parts, finish: None }], ..Answer::default() };
    let out: Value = serde_json::from_slice(&chat_codec().write_answer(&answer, &envelope())).unwrap();
    assert_eq!(out["candidates"][0]["content"]["parts"], json!([{"text": "t", "thought": true}]));
}
