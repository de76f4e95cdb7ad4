//! OpenAI responses to and from the form that all dialects of chats share, and its requests as documents.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails, helpers included")]

use bytes::Bytes;
use gatewright::chat::{
    Chat, Effort, LossKind, Losses, Media, MediaKind, MediaSource, Param, Part, PartKind, Place, Reasoning,
    Setting, Signature, Speaker, Tool, ToolChoice, ToolKind, Turn,
};
use gatewright::dialect::{Abilities, ChatCodec, Dialect, Envelope, RequestDocument};
use gatewright::{EditError, FailureKind, FinishReason, Placement, RequestId, Role, TextKind};
use gatewright_wire::codec;
use serde_json::{Value, json};

fn responses() -> &'static dyn ChatCodec {
    codec(Dialect::OpenAiResponses).chat().unwrap()
}

fn written(chat: &Chat<'_>, abilities: &Abilities) -> (Value, Vec<(String, LossKind)>) {
    let codec = responses();
    let name = |place: &Place<'_>| codec.pointer(place);
    let mut losses = Losses::new(false, &name);
    let mut chat = chat.clone();
    if chat.turns.is_empty() && chat.system.is_empty() {
        chat.turns.push(turn(Speaker::User, vec![PartKind::Text("go on".into())]));
    }
    let body = codec.write_request(&chat, abilities, &mut losses).unwrap();
    let losses = losses.into_found().into_iter().map(|loss| (loss.field.into_owned(), loss.kind));
    (serde_json::from_slice(&body).unwrap(), losses.collect())
}

fn document(body: &Value) -> Box<dyn RequestDocument> {
    codec(Dialect::OpenAiResponses).decode_request(Bytes::from(body.to_string())).unwrap()
}

fn turn(speaker: Speaker, kinds: Vec<PartKind<'static>>) -> Turn<'static> {
    Turn { speaker, parts: kinds.into_iter().map(Part::new).collect() }
}

// === Translation ===

#[test]
fn a_request_of_the_dialect_comes_back_as_it_was() {
    let body = json!({
        "model": "m",
        "instructions": "be brief",
        "input": [
            {"role": "user", "content": [
                {"type": "input_text", "text": "what is \"this\"?\n"},
                {"type": "input_image", "detail": "low", "image_url": "https://x.test/a.png"},
                {"type": "input_image", "detail": "auto", "image_url": "data:image/jpeg;base64,QUJD"},
                {"type": "input_image", "detail": "auto", "file_id": "file-1"},
                {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,QUJD"},
                {"type": "input_file", "file_id": "file-2"},
                {"type": "input_file", "file_url": "https://x.test/a.pdf"}
            ]},
            {"type": "reasoning", "id": "rs_1", "encrypted_content": "gAAA==",
             "summary": [{"type": "summary_text", "text": "hm"}]},
            {"type": "reasoning", "id": "rs_2", "encrypted_content": "gBBB", "summary": []},
            {"role": "assistant", "content": "let me see"},
            {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{\"n\":12345678901234567890}"},
            {"type": "function_call", "call_id": "c2", "name": "g", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c2", "output": "two"},
            {"type": "function_call_output", "call_id": "c1", "output": [
                {"type": "input_text", "text": "a"},
                {"type": "input_image", "detail": "auto", "image_url": "data:image/png;base64,QQ=="}
            ]},
            {"role": "developer", "content": "later"},
            {"role": "user", "content": "go on"},
            {"role": "assistant", "content": [
                {"type": "output_text", "text": "no"}, {"type": "refusal", "refusal": "never"}
            ]}
        ],
        "tools": [
            {"type": "function", "name": "f", "description": "d", "parameters": {"z": 1, "a": 2}, "strict": true},
            {"type": "function", "name": "g", "parameters": {"type": "object"}, "strict": false}
        ],
        "tool_choice": {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "f"}]},
        "parallel_tool_calls": false,
        "stream": true,
        "max_output_tokens": 100,
        "temperature": 0.5, "top_p": 1e-1,
        "reasoning": {"effort": "minimal", "summary": "auto"},
        "text": {"verbosity": "low", "format": {"type": "json_schema", "name": "s", "description": "d",
            "strict": true, "schema": {"b": 1, "a": 2}}},
        "include": ["reasoning.encrypted_content", "message.output_text.logprobs"],
        "top_logprobs": 3, "metadata": {"a": "b"}, "service_tier": "flex", "prompt_cache_key": "k",
        "prompt_cache_retention": "24h", "store": true, "truncation": "auto", "user": "u"
    });
    let text = body.to_string();
    let (back, losses) = written(&responses().read_request(text.as_bytes()).unwrap(), &Abilities::default());
    assert_eq!(losses, []);
    assert_eq!(back, body);
}

#[test]
fn instructions_and_leading_messages_are_the_system_text() {
    let body = r#"{"model":"m","instructions":"a","input":[{"role":"developer","content":"b"},
        {"type":"message","role":"user","content":"c"},{"role":"system","content":"d"}]}"#;
    let chat = responses().read_request(body.as_bytes()).unwrap();
    assert_eq!(chat.system.iter().filter_map(Part::as_text).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(
        chat.turns.iter().map(|turn| turn.speaker).collect::<Vec<_>>(),
        [Speaker::User, Speaker::System]
    );
    assert_eq!(responses().pointer(&Place::Part(chat.system[0].origin)), "/instructions");
    assert_eq!(responses().pointer(&Place::Part(chat.system[1].origin)), "/input/0");
    let (back, _) = written(&chat, &Abilities::default());
    assert_eq!(
        back["input"][0]["content"],
        json!([
            {"type": "input_text", "text": "a"}, {"type": "input_text", "text": "b"}
        ])
    );
}

#[test]
fn a_tool_of_another_dialect_is_not_strict_and_always_has_a_schema() {
    let kind = ToolKind::Function { description: None, parameters: None, strict: None };
    let tool = Tool { name: "f".into(), kind, cache: None, origin: 0 };
    let built_in = Tool { name: "web_search".into(), kind: ToolKind::BuiltIn, cache: None, origin: 1 };
    let chat = Chat {
        tools: vec![tool, built_in],
        tool_choice: Some(ToolChoice::Named("f".into())),
        ..Chat::default()
    };
    let (body, losses) = written(&chat, &Abilities::default());
    let expected = json!([
        {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}, "strict": false}
    ]);
    assert_eq!(body["tools"], expected);
    assert_eq!(body["tool_choice"], json!({"type": "function", "name": "f"}));
    assert_eq!(losses, [("/tools/1".to_owned(), LossKind::Dropped)]);
}

#[test]
fn nothing_is_stored_for_a_caller_who_did_not_ask() {
    assert_eq!(written(&Chat::default(), &Abilities::default()).0["store"], false);
    let settings = vec![Setting { param: Param::Store, value: "true".into() }];
    assert_eq!(written(&Chat { settings, ..Chat::default() }, &Abilities::default()).0["store"], true);
}

#[test]
fn reasoning_is_asked_for_in_words_and_sealed_so_that_it_can_be_sent_back() {
    let with = |reasoning| Chat { reasoning: Some(reasoning), ..Chat::default() };
    let budget = Reasoning { budget: Some(20_000), is_shown: Some(true), ..Reasoning::default() };
    let (body, losses) = written(&with(budget), &Abilities::default());
    assert_eq!(body["reasoning"], json!({"effort": "high", "summary": "auto"}));
    assert_eq!(body["include"], json!(["reasoning.encrypted_content"]));
    assert_eq!(losses, [("/reasoning".to_owned(), LossKind::Approximated)]);
    let none = Reasoning { effort: Some(Effort::None), ..Reasoning::default() };
    let (body, _) = written(&with(none), &Abilities::default());
    assert_eq!((&body["reasoning"]["effort"], &body["include"]), (&json!("none"), &Value::Null));
}

#[test]
fn reasoning_goes_back_to_its_own_dialect_only() {
    let signed = |from| PartKind::Reasoning {
        text: "hm".into(),
        signature: Some(Signature { data: "rs_1:gAAA".into(), from }),
    };
    let calls =
        PartKind::ToolCall { id: "c".into(), name: "f".into(), arguments: "".into(), signature: None };
    let parts = vec![
        signed(Dialect::OpenAiResponses),
        signed(Dialect::AnthropicMessages),
        PartKind::SealedReasoning(Signature { data: "x".into(), from: Dialect::GoogleGenerate }),
        PartKind::Reasoning { text: "unsigned".into(), signature: None },
        calls,
    ];
    let (body, losses) = written(
        &Chat { turns: vec![turn(Speaker::Assistant, parts)], ..Chat::default() },
        &Abilities::default(),
    );
    assert_eq!(
        body["input"],
        json!([
            {"id": "rs_1", "type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}], "encrypted_content": "gAAA"},
            {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
        ])
    );
    assert_eq!(losses, [("/input/0".to_owned(), LossKind::Dropped)]);
}

#[test]
fn what_another_dialect_sealed_comes_back_under_its_name() {
    let body = r#"{"model":"m","input":[{"type":"reasoning","id":"rs_x","summary":[],"encrypted_content":"anthropic_messages:c2ln"}]}"#;
    let chat = responses().read_request(body.as_bytes()).unwrap();
    let expected = Signature { data: "c2ln".into(), from: Dialect::AnthropicMessages };
    assert_eq!(chat.turns[0].parts[0].kind, PartKind::SealedReasoning(expected));
}

#[test]
fn parameters_without_a_member_are_reported_as_lost() {
    let body = r#"{"model":"m","messages":[{"role":"user","content":"a"}],"seed":1,"stop":"x","n":2,"top_k":3,
        "frequency_penalty":1,"presence_penalty":1,"logit_bias":{},"prediction":{},"modalities":["audio"],"audio":{},
        "web_search_options":{},"made_up":1,"service_tier":"novel"}"#;
    let chat_codec = codec(Dialect::OpenAiChat).chat().unwrap();
    let chat = chat_codec.read_request(body.as_bytes()).unwrap();
    let name = |place: &Place<'_>| chat_codec.pointer(place);
    let mut losses = Losses::new(false, &name);
    responses().write_request(&chat, &Abilities::default(), &mut losses).unwrap();
    let lost: Vec<_> = losses.into_found().into_iter().map(|loss| loss.field.into_owned()).collect();
    let expected = [
        "/audio",
        "/frequency_penalty",
        "/logit_bias",
        "/made_up",
        "/modalities",
        "/n",
        "/prediction",
        "/presence_penalty",
        "/seed",
        "/service_tier",
        "/stop",
        "/top_k",
        "/web_search_options",
    ];
    assert_eq!(lost, expected);
    let strict =
        responses().write_request(&chat, &Abilities::default(), &mut Losses::new(true, &name)).unwrap_err();
    assert_eq!(strict.kind, FailureKind::Unsupported);
    assert!(strict.param.is_some());
}

#[test]
fn media_without_a_place_are_reported_and_a_document_of_text_becomes_text() {
    let media = |kind, source| PartKind::Media(Media { kind, mime: None, source, name: None, detail: None });
    let parts = vec![
        media(MediaKind::Audio, MediaSource::Base64("QQ==".into())),
        media(MediaKind::Document, MediaSource::Text("words".into())),
        media(MediaKind::Video, MediaSource::Url("https://x.test/v".into())),
    ];
    let (body, losses) =
        written(&Chat { turns: vec![turn(Speaker::User, parts)], ..Chat::default() }, &Abilities::default());
    assert_eq!(body["input"][0]["content"], json!([{"type": "input_text", "text": "words"}]));
    assert_eq!(
        losses.iter().map(|(_, kind)| *kind).collect::<Vec<_>>(),
        [LossKind::Dropped, LossKind::Approximated]
    );
}

#[test]
fn items_that_only_this_family_has_are_foreign_and_state_is_named() {
    let body = r#"{"model":"m","previous_response_id":"resp_1","background":false,"conversation":"c","include":["file_search_call.results"],
        "tool_choice":{"type":"web_search"},"reasoning":{"effort":"low","mode":"pro"},
        "input":[{"type":"web_search_call","id":"ws"},{"type":"item_reference","id":"x"}]}"#;
    let chat = responses().read_request(body.as_bytes()).unwrap();
    let unknown = ["/previous_response_id", "/conversation", "/include/0", "/tool_choice", "/reasoning/mode"];
    assert_eq!(chat.unknown, unknown);
    assert_eq!(chat.turns[0].parts[0].kind, PartKind::Foreign("web_search_call".into()));
}

#[test]
fn a_request_whose_input_only_its_provider_knows_is_not_translated() {
    let body = r#"{"model":"m","prompt":{"id":"p"},"input":null}"#;
    assert!(codec(Dialect::OpenAiResponses).decode_request(Bytes::from_static(body.as_bytes())).is_ok());
    assert_eq!(responses().read_request(body.as_bytes()).unwrap_err().param.as_deref(), Some("/input"));
}

#[test]
fn calls_without_ids_get_some_and_open_ones_are_refused() {
    let call = |id: &'static str| PartKind::ToolCall {
        id: id.into(),
        name: "f".into(),
        arguments: "".into(),
        signature: None,
    };
    let result = PartKind::ToolResult {
        call: "".into(),
        name: Some("f".into()),
        content: vec![Part::text("x")],
        is_error: true,
    };
    let chat = Chat {
        turns: vec![turn(Speaker::Assistant, vec![call("")]), turn(Speaker::User, vec![result])],
        ..Chat::default()
    };
    let (body, _) = written(&chat, &Abilities::default());
    assert_eq!(body["input"][0]["call_id"], body["input"][1]["call_id"]);
    assert_eq!(
        body["input"][1]["output"],
        json!([
            {"type": "input_text", "text": "Error:"}, {"type": "input_text", "text": "x"}
        ])
    );
    let turns = vec![
        turn(Speaker::Assistant, vec![call("c")]),
        turn(Speaker::User, vec![PartKind::Text("?".into())]),
    ];
    let name = |place: &Place<'_>| responses().pointer(place);
    let refused = responses().write_request(
        &Chat { turns, ..Chat::default() },
        &Abilities::default(),
        &mut Losses::new(false, &name),
    );
    assert_eq!(refused.unwrap_err().kind, FailureKind::Invalid);
}

#[test]
fn an_answer_comes_back_with_ids_of_the_gateways_own() {
    let body = json!({
        "id": "resp_x", "object": "response", "status": "incomplete", "model": "served",
        "incomplete_details": {"reason": "max_output_tokens"},
        "output": [
            {"type": "reasoning", "id": "rs_x", "summary": [{"type": "summary_text", "text": "hm"}]},
            {"type": "message", "id": "msg_x", "role": "assistant", "status": "incomplete", "content": [
                {"type": "output_text", "annotations": [], "text": "a"}, {"type": "refusal", "refusal": "b"}]},
            {"type": "function_call", "id": "fc_x", "call_id": "c", "name": "f", "arguments": "{}", "status": "completed"}
        ],
        "usage": {"input_tokens": 10, "input_tokens_details": {"cached_tokens": 4}, "output_tokens": 5,
            "output_tokens_details": {"reasoning_tokens": 2}, "total_tokens": 15}
    });
    let text = body.to_string();
    let answer = responses().read_answer(text.as_bytes()).unwrap();
    assert_eq!(answer.choices[0].finish, Some(FinishReason::Length));
    let usage = answer.usage.unwrap();
    assert_eq!((usage.input, usage.cache_read, usage.output, usage.reasoning), (6, 4, 5, 2));
    let envelope = Envelope { id: RequestId::new(1, 2), created: 7, model: "public".to_owned() };
    let back = responses().write_answer(&answer, &envelope);
    assert!(!std::str::from_utf8(&back).unwrap().contains("_x\""), "ids are the provider's");
    let again = responses().read_answer(&back).unwrap();
    assert_eq!(again.choices, answer.choices);
    assert_eq!(again.usage, answer.usage);
    assert_eq!(again.model.as_deref(), Some("public"));
}

#[test]
fn an_answer_of_the_older_dialect_is_read_over_into_items_and_back() {
    let chat = codec(Dialect::OpenAiChat).chat().unwrap();
    let body = json!({"model": "m", "choices": [{"index": 0, "finish_reason": "tool_calls", "message": {
        "role": "assistant", "content": "a", "reasoning_content": "r",
        "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": ""}}]}}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}});
    let text = body.to_string();
    let envelope = Envelope { id: RequestId::new(1, 2), created: 7, model: "m".to_owned() };
    let items = responses().write_answer(&chat.read_answer(text.as_bytes()).unwrap(), &envelope);
    let back: Value =
        serde_json::from_slice(&chat.write_answer(&responses().read_answer(&items).unwrap(), &envelope))
            .unwrap();
    let message = &back["choices"][0]["message"];
    assert_eq!(message["content"], "a");
    assert_eq!(message["reasoning_content"], "r");
    assert_eq!(message["tool_calls"][0]["function"]["arguments"], "{}");
    assert_eq!(back["choices"][0]["finish_reason"], "tool_calls");
    assert_eq!(back["usage"]["total_tokens"], 5);
}

// === Documents ===

#[test]
fn every_text_of_a_request_is_shown_with_its_role() {
    let body = json!({"model": "m", "instructions": "i", "prompt": {"id": "p", "variables": {"v": "var", "w": {"type": "input_text", "text": "part"}}},
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "u"}, {"type": "input_image", "image_url": "x"}]},
            {"content": [{"type": "output_text", "text": "a"}], "type": "message", "role": "assistant"},
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "r"}]},
            {"type": "function_call", "arguments": "{}"}, {"output": "o", "type": "function_call_output"},
            {"type": "shell_call_output", "output": [{"stdout": "so", "stderr": "se"}]}
        ],
        "tools": [{"type": "function", "name": "f", "description": "td", "parameters": {"properties": {"x": {"description": "pd"}}}}]});
    let document = document(&body);
    let mut seen = Vec::new();
    document.for_each_text(&mut |part| seen.push((part.text.to_owned(), part.role, part.kind))).unwrap();
    let found: Vec<_> = seen.iter().map(|(text, role, kind)| (text.as_str(), *role, *kind)).collect();
    let expected = [
        ("u", Role::User, TextKind::Content),
        ("a", Role::Assistant, TextKind::Content),
        ("r", Role::Assistant, TextKind::Content),
        ("{}", Role::Assistant, TextKind::ToolArguments),
        ("o", Role::Tool, TextKind::Content),
        ("so", Role::Tool, TextKind::Content),
        ("se", Role::Tool, TextKind::Content),
        ("i", Role::System, TextKind::Content),
        ("var", Role::User, TextKind::Input),
        ("part", Role::User, TextKind::Input),
        ("td", Role::System, TextKind::ToolDescription),
        ("pd", Role::System, TextKind::ToolDescription),
    ];
    let mut found_sorted = found.clone();
    found_sorted.sort_by_key(|(text, ..)| (*text).to_owned());
    let mut expected_sorted = expected.to_vec();
    expected_sorted.sort_by_key(|(text, ..)| (*text).to_owned());
    assert_eq!(found_sorted, expected_sorted);
    let counts = document.counts();
    assert_eq!((counts.messages, counts.tools, counts.images, counts.files), (6, 1, 1, 0));
}

#[test]
fn a_text_is_put_in_where_the_dialect_has_a_place_for_it() {
    let user = |text: &str| json!({"role": "user", "content": text});
    let cases = [
        (
            json!({"input": "u"}),
            Role::System,
            Placement::Last,
            json!({"input": [{"role": "developer", "content": "n"}, user("u")]}),
        ),
        (json!({"input": "u"}), Role::User, Placement::First, json!({"input": [user("n"), user("u")]})),
        (json!({"input": "u"}), Role::User, Placement::Last, json!({"input": [user("u"), user("n")]})),
        (
            json!({"instructions": "i", "input": "u"}),
            Role::System,
            Placement::First,
            json!({"instructions": "n\n\ni", "input": "u"}),
        ),
        (
            json!({"instructions": "i", "input": [user("u")]}),
            Role::System,
            Placement::Last,
            json!({"instructions": "i", "input": [{"role": "developer", "content": "n"}, user("u")]}),
        ),
        (json!({"input": []}), Role::User, Placement::Last, json!({"input": [user("n")]})),
        (
            json!({"prompt": {"id": "r"}}),
            Role::User,
            Placement::Last,
            json!({"prompt": {"id": "r"}, "input": "n"}),
        ),
        (json!({"prompt": {}}), Role::System, Placement::Last, json!({"prompt": {}, "instructions": "n"})),
    ];
    for (mut body, role, at, mut expected) in cases {
        body["model"] = json!("m");
        expected["model"] = json!("m");
        let mut document = document(&body);
        document.insert_text(role, at, "n").unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&document.to_body()).unwrap(), expected, "{body}");
    }
    let refused =
        document(&json!({"model": "m", "input": "u"})).insert_text(Role::Tool, Placement::Last, "n");
    assert_eq!(refused, Err(EditError::NoPlace { what: "a tool text" }));
}

#[test]
fn a_request_keeps_its_bytes_and_reports_usage_unasked() {
    let text = r#"{ "model" : "m", "stream":true, "input": "u", "max_output_tokens": 9, "x": 1e400 }"#;
    let mut document =
        codec(Dialect::OpenAiResponses).decode_request(Bytes::from_static(text.as_bytes())).unwrap();
    assert!(document.streams() && document.wants_stream_usage());
    assert_eq!((document.output_cap(), document.choices()), (Some(9), 1));
    document.require_stream_usage();
    assert_eq!(document.to_body(), text);
    document.set_model("other");
    assert_eq!(document.to_body(), text.replace("\"m\"", "\"other\""));
}

#[test]
fn a_wrong_input_is_refused_by_name() {
    for input in [json!(1), json!({}), json!(true)] {
        let body = Bytes::from(json!({"model": "m", "input": input}).to_string());
        let refused = codec(Dialect::OpenAiResponses).decode_request(body).unwrap_err();
        assert_eq!(refused.param.as_deref(), Some("input"));
    }
}

#[test]
fn a_failed_response_is_the_providers_failure() {
    let body = r#"{"object":"response","status":"failed","error":{"code":"rate_limit_exceeded","message":"later"},"output":[]}"#;
    let failure =
        codec(Dialect::OpenAiResponses).decode_answer(Bytes::from_static(body.as_bytes())).unwrap_err();
    assert_eq!(failure.kind, FailureKind::RateLimited);
}

#[test]
fn a_schema_that_is_no_object_is_refused_with_its_place() {
    let format = r#"{"type":"json_schema","name":"a","schema":[]}"#;
    let cases = [
        (
            Dialect::OpenAiResponses,
            format!(r#"{{"model":"m","input":"a","text":{{"format":{format}}}}}"#),
            "/text/format/schema",
        ),
        (
            Dialect::OpenAiChat,
            format!(
                r#"{{"model":"m","messages":[{{"role":"user","content":"a"}}],"response_format":{{"type":"json_schema","json_schema":{format}}}}}"#
            ),
            "/response_format/json_schema/schema",
        ),
    ];
    for (dialect, body, place) in cases {
        let refused = codec(dialect).chat().unwrap().read_request(body.as_bytes()).unwrap_err();
        assert_eq!(refused.param.as_deref(), Some(place));
    }
}
