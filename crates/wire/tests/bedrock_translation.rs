//! Amazon Bedrock's Converse to and from the form that all dialects of chats share.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails, helpers included")]

use gatewright::chat::{
    Answer, AnswerChoice, CacheMark, Chat, Effort, LossKind, Losses, Media, MediaKind, MediaSource,
    OutputFormat, Param, Part, PartKind, Place, Reasoning, Setting, Signature, Speaker, Tool, ToolChoice,
    ToolKind, Turn,
};
use gatewright::dialect::{Abilities, ChatCodec, Dialect, Envelope, ReasoningForm};
use gatewright::{Failure, FailureKind, FinishReason, RequestId, Usage};
use gatewright_wire::codec;
use proptest::prelude::*;
use serde_json::{Value, json};

fn converse() -> &'static dyn ChatCodec {
    codec(Dialect::BedrockConverse).chat().unwrap()
}

fn read(body: &str) -> Chat<'_> {
    converse().read_request(body.as_bytes()).unwrap()
}

/// Names a parameter by its word, and any other place by its pointer.
fn name(place: &Place<'_>) -> String {
    match place {
        Place::Param(param) => format!("{param:?}"),
        place => converse().pointer(place),
    }
}

fn write(chat: &Chat<'_>, abilities: &Abilities) -> Result<(Value, Vec<String>), Failure> {
    let mut losses = Losses::new(false, &name);
    let body = converse().write_request(chat, abilities, &mut losses)?;
    let losses = losses.into_found().into_iter();
    let losses = losses.map(|loss| format!("{} {}", loss.field, loss.kind.as_str())).collect();
    Ok((serde_json::from_slice(&body).unwrap(), losses))
}

fn able(set: impl FnOnce(&mut Abilities)) -> Abilities {
    let mut abilities = Abilities::default();
    set(&mut abilities);
    abilities
}

fn written(chat: &Chat<'_>) -> (Value, Vec<String>) {
    write(chat, &Abilities::default()).unwrap()
}

#[track_caller]
fn refused(chat: &Chat<'_>) -> String {
    let failure = write(chat, &Abilities::default()).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Invalid);
    format!("{}: {}", failure.param.unwrap_or_default(), failure.message)
}

fn said(speaker: Speaker, parts: Vec<Part<'_>>) -> Turn<'_> {
    Turn { speaker, parts }
}

fn user<'a>(parts: Vec<Part<'a>>) -> Turn<'a> {
    said(Speaker::User, parts)
}

fn model<'a>(parts: Vec<Part<'a>>) -> Turn<'a> {
    said(Speaker::Assistant, parts)
}

fn chat(turns: Vec<Turn<'_>>) -> Chat<'_> {
    Chat { turns, ..Chat::default() }
}

fn asking() -> Chat<'static> {
    chat(vec![user(vec![Part::text("hi")])])
}

fn call<'a>(id: &'a str, name: &'a str, arguments: &'a str) -> Part<'a> {
    let (id, name, arguments) = (id.into(), name.into(), arguments.into());
    Part::new(PartKind::ToolCall { id, name, arguments, signature: None })
}

fn result<'a>(id: &'a str, content: Vec<Part<'a>>) -> Part<'a> {
    Part::new(PartKind::ToolResult { call: id.into(), name: None, content, is_error: false })
}

fn function<'a>(name: &'a str, parameters: Option<&'a str>) -> Tool<'a> {
    let parameters = parameters.map(Into::into);
    let kind = ToolKind::Function { description: None, parameters, strict: None };
    Tool { name: name.into(), kind, cache: None, origin: 0 }
}

fn medium(kind: MediaKind, mime: Option<&'static str>, source: MediaSource<'static>) -> Part<'static> {
    let mime = mime.map(Into::into);
    Part::new(PartKind::Media(Media { kind, mime, source, name: None, detail: None }))
}

fn signed(data: &'static str, from: Dialect) -> Signature<'static> {
    Signature { data: data.into(), from }
}

fn content(body: &Value, message: usize) -> &Vec<Value> {
    body["messages"][message]["content"].as_array().unwrap()
}

fn envelope() -> Envelope {
    Envelope { id: RequestId::new(1, 2), created: 1_700_000_000, model: "public".to_owned() }
}

// === Requests of the dialect ===

const EVERYTHING: &str = r#"{
    "system":[{"text":"be brief"},{"cachePoint":{"type":"default"}},{"text":"x"}],
    "messages":[
        {"role":"user","content":[{"text":"what is \"this\"?\n"},
            {"image":{"format":"png","source":{"bytes":"QUJD"}}},
            {"image":{"format":"jpeg","source":{"s3Location":{"uri":"s3://bucket/a.jpg"}}}},
            {"document":{"format":"pdf","name":"report","source":{"bytes":"QUJD"}}},
            {"document":{"format":"txt","name":"notes","source":{"text":"n"}}},
            {"video":{"format":"mp4","source":{"bytes":"QUJD"}}},
            {"cachePoint":{"type":"default","ttl":"1h"}}]},
        {"role":"assistant","content":[
            {"reasoningContent":{"reasoningText":{"text":"hm","signature":"c2ln"}}},
            {"reasoningContent":{"redactedContent":"c2VhbGVk"}},
            {"text":"look"},
            {"toolUse":{"toolUseId":"c1","name":"f","input":{"n":12345678901234567890,"a":1.50}}},
            {"toolUse":{"toolUseId":"c2","name":"g","input":{}}}]},
        {"role":"user","content":[
            {"toolResult":{"toolUseId":"c2","content":[{"text":"two"},{"image":{"format":"gif","source":{"bytes":"QQ=="}}}]}},
            {"toolResult":{"toolUseId":"c1","content":[{"text":"no"}],"status":"error"}},
            {"text":"go on"}]}],
    "inferenceConfig":{"maxTokens":100,"temperature":0.50,"topP":1e-1,"stopSequences":["x","y"]},
    "toolConfig":{"tools":[
        {"toolSpec":{"name":"f","description":"d","inputSchema":{"json":{"type":"object","b":1,"a":2}},"strict":true}},
        {"cachePoint":{"type":"default"}},
        {"toolSpec":{"name":"g","inputSchema":{"json":{"type":"object"}}}}],
        "toolChoice":{"tool":{"name":"f"}}},
    "additionalModelRequestFields":{"top_k":5},
    "outputConfig":{"textFormat":{"type":"json_schema","structure":{"jsonSchema":{
        "schema":"{\"type\":\"object\"}","name":"s","description":"d"}}}},
    "serviceTier":{"type":"flex"},
    "requestMetadata":{"a":"b c"}}"#;

#[test]
fn a_request_of_the_dialect_comes_back_as_it_was() {
    let (back, losses) = written(&read(EVERYTHING));
    assert_eq!(losses, [""; 0]);
    assert_eq!(back, serde_json::from_str::<Value>(EVERYTHING).unwrap());
    let body =
        converse().write_request(&read(EVERYTHING), &Abilities::default(), &mut Losses::new(true, &name));
    let body = String::from_utf8(body.unwrap().to_vec()).unwrap();
    assert!(
        body.contains(r#""input":{"n":12345678901234567890,"a":1.50}"#) && body.contains("1e-1"),
        "{body}"
    );
}

#[test]
fn what_no_other_dialect_has_is_named_by_its_place() {
    let chat = read(
        r#"{"messages":[{"role":"user","content":[{"guardContent":{"text":{"text":"g"}}},{"searchResult":{}},
        {"document":{"format":"pdf","name":"n","source":{"bytes":"QQ=="},"citations":{"enabled":true}}}]}],
        "guardrailConfig":{"guardrailIdentifier":"x"},"promptVariables":{"a":{"text":"b"}},
        "performanceConfig":{"latency":"optimized"},"additionalModelRequestFields":{"odd":1},
        "inferenceConfig":{"topK":1}}"#,
    );
    assert_eq!(
        chat.unknown,
        [
            "/messages/0/content/0/guardContent",
            "/messages/0/content/2/document/citations",
            "/promptVariables",
            "/performanceConfig",
            "/additionalModelRequestFields/odd",
            "/inferenceConfig/topK",
        ]
    );
    assert_eq!(chat.turns[0].parts[0].as_text(), Some("g"));
    assert!(matches!(&chat.turns[0].parts[1].kind, PartKind::Foreign(kind) if kind == "searchResult"));
    assert!(chat.setting(Param::Safety).is_some());
}

#[test]
fn reasoning_is_read_in_each_form_that_models_have_for_it() {
    let reasoning = |fields: &str| {
        let text = format!(r#"{{"messages":[{{"role":"user","content":[{{"text":"a"}}]}}],{fields}}}"#);
        read(&text).reasoning.unwrap()
    };
    let budget = Reasoning { budget: Some(2_000), ..Reasoning::default() };
    for key in ["thinking", "reasoning_config"] {
        let fields = format!(
            r#""additionalModelRequestFields":{{"{key}":{{"type":"enabled","budget_tokens":2000}}}}"#
        );
        assert_eq!(reasoning(&fields), budget);
    }
    let off = reasoning(r#""additionalModelRequestFields":{"thinking":{"type":"disabled"}}"#);
    assert_eq!(off.budget, Some(0));
    let adaptive = reasoning(
        r#""additionalModelRequestFields":{"thinking":{"type":"adaptive","display":"omitted"}},"outputConfig":{"effort":"max"}"#,
    );
    let expected =
        Reasoning { effort: Some(Effort::Max), is_adaptive: true, is_shown: Some(false), budget: None };
    assert_eq!(adaptive, expected);
    let effort = reasoning(r#""additionalModelRequestFields":{"reasoning_effort":"low"}"#);
    assert_eq!(effort.effort, Some(Effort::Low));
}

#[test]
fn a_request_of_a_wrong_form_is_refused_with_its_field() {
    for (body, param) in [
        (r#"{"messages":{}}"#, "messages"),
        (r#"{"messages":[{"role":"user","content":"a"}]}"#, "messages[0].content"),
        (r#"{"messages":[{"role":"user"}]}"#, "messages[0].content"),
        (r#"{"inferenceConfig":{"temperature":"hot"}}"#, "inferenceConfig.temperature"),
        (r#"{"toolConfig":{"tools":1}}"#, "toolConfig.tools"),
    ] {
        let failure = converse().read_request(body.as_bytes()).unwrap_err();
        assert_eq!(failure.param.as_deref(), Some(param), "{body}");
    }
}

// === 5.1 Roles and system text ===

#[test]
fn leading_instructions_become_blocks_and_keep_their_cache_marks() {
    let cached = Part { cache: Some(CacheMark::Short), ..Part::text("a") };
    let (body, losses) = written(&Chat { system: vec![cached, Part::text("b")], ..asking() });
    let expected = json!([{"text": "a"}, {"cachePoint": {"type": "default"}}, {"text": "b"}]);
    assert_eq!((&body["system"], losses), (&expected, vec![]));
}

#[test]
fn later_instructions_are_said_by_the_user_at_their_place_and_reported() {
    let chat = chat(vec![
        user(vec![Part::text("a")]),
        model(vec![Part::text("b")]),
        said(Speaker::System, vec![Part::text("rule")]),
        user(vec![Part::text("c")]),
    ]);
    let (body, losses) = written(&chat);
    assert_eq!(content(&body, 2), &vec![json!({"text": "rule"}), json!({"text": "c"})]);
    assert_eq!(losses, ["/messages/0 approximated"]);
}

#[test]
fn neighbours_of_one_speaker_are_one_message_and_roles_alternate() {
    let chat = chat(vec![
        user(vec![Part::text("a")]),
        user(vec![Part::text("b")]),
        model(vec![Part::text("c")]),
        model(vec![Part::text(" ")]),
        user(vec![Part::text("d")]),
    ]);
    let (body, losses) = written(&chat);
    let roles: Vec<&Value> =
        body["messages"].as_array().unwrap().iter().map(|message| &message["role"]).collect();
    assert_eq!(roles, ["user", "assistant", "user"]);
    assert_eq!(losses, ["/messages/0 dropped"]);
}

#[test]
fn a_conversation_that_does_not_begin_with_the_user_is_refused() {
    let failure = refused(&chat(vec![model(vec![Part::text("a")]), user(vec![Part::text("b")])]));
    assert!(failure.contains("must begin with a message of the user"), "{failure}");
    assert!(refused(&chat(Vec::new())).contains("nothing that the user says"));
}

#[test]
fn empty_texts_are_dropped_and_reported_and_refused_in_strict_mode() {
    let chat = chat(vec![user(vec![Part::text(""), Part::text("a")])]);
    let (body, losses) = written(&chat);
    assert_eq!((content(&body, 0).len(), losses), (1, vec!["/messages/0 dropped".to_owned()]));
    let strict = converse().write_request(&chat, &Abilities::default(), &mut Losses::new(true, &name));
    assert_eq!(strict.unwrap_err().kind, FailureKind::Unsupported);
}

#[test]
fn white_space_behind_a_begun_answer_is_cut_off() {
    let chat = chat(vec![user(vec![Part::text("a")]), model(vec![Part::text("b \n")])]);
    let (body, losses) = written(&chat);
    assert_eq!(content(&body, 1), &vec![json!({"text": "b"})]);
    assert_eq!(losses, ["/messages/0 approximated"]);
}

#[test]
fn a_begun_answer_is_dropped_where_the_model_goes_on_with_none() {
    let abilities = able(|abilities| {
        abilities.continues_answers = false;
    });
    let chat = chat(vec![user(vec![Part::text("a")]), model(vec![Part::text("b")])]);
    let (body, losses) = write(&chat, &abilities).unwrap();
    assert_eq!(body["messages"].as_array().unwrap().len(), 1);
    assert_eq!(losses, ["/messages/0 dropped"]);
}

// === 5.2 Tools ===

fn with_tools(choice: Option<ToolChoice<'static>>) -> Chat<'static> {
    let tools = vec![function("f", Some(r#"{"type":"object","x":1}"#)), function("g", None)];
    Chat { tools, tool_choice: choice, ..asking() }
}

#[test]
fn a_tool_without_parameters_has_an_empty_object_schema() {
    let (body, losses) = written(&with_tools(None));
    let schema = |tool: usize| &body["toolConfig"]["tools"][tool]["toolSpec"]["inputSchema"]["json"];
    assert_eq!(schema(0), &json!({"type": "object", "x": 1}));
    assert_eq!(schema(1), &json!({"type": "object", "properties": {}}));
    assert_eq!(losses, [""; 0]);
    let empty = Chat { tools: vec![function("f", Some(" {} "))], ..asking() };
    assert_eq!(
        written(&empty).0["toolConfig"]["tools"][0]["toolSpec"]["inputSchema"]["json"]["type"],
        "object"
    );
}

#[test]
fn tool_choices_are_auto_any_or_a_tool() {
    let choice = |choice| written(&with_tools(Some(choice))).0["toolConfig"]["toolChoice"].clone();
    assert_eq!(choice(ToolChoice::Auto), json!({"auto": {}}));
    assert_eq!(choice(ToolChoice::Required), json!({"any": {}}));
    assert_eq!(choice(ToolChoice::Named("g".into())), json!({"tool": {"name": "g"}}));
    let among = ToolChoice::Among { names: vec!["g".into()], required: true };
    let (body, losses) = written(&with_tools(Some(among)));
    assert_eq!(body["toolConfig"]["tools"].as_array().unwrap().len(), 1);
    assert_eq!(losses, ["ToolChoice emulated"]);
}

#[test]
fn no_tools_are_declared_where_none_may_be_called() {
    let (body, losses) = written(&with_tools(Some(ToolChoice::None)));
    assert_eq!((body.get("toolConfig"), losses), (None, vec![]));
}

#[test]
fn tools_stay_declared_for_a_history_with_calls_even_where_none_may_be_called() {
    let history = vec![
        user(vec![Part::text("a")]),
        model(vec![call("1", "f", "{}")]),
        user(vec![result("1", vec![Part::text("r")])]),
    ];
    let (body, losses) = written(&Chat { turns: history.clone(), ..with_tools(Some(ToolChoice::None)) });
    assert_eq!(body["toolConfig"]["tools"].as_array().unwrap().len(), 2);
    assert_eq!(body["toolConfig"].get("toolChoice"), None);
    assert_eq!(losses, ["ToolChoice approximated"]);
    let (body, losses) = written(&chat(history));
    assert_eq!(body["toolConfig"]["tools"][0]["toolSpec"]["name"], "f");
    assert_eq!(losses, ["ToolChoice approximated"]);
}

#[test]
fn tool_names_outside_the_alphabet_go_under_an_alias_that_the_answer_gives_back() {
    let chat = Chat { tools: vec![function("files.read", None)], ..asking() };
    let (body, _) = written(&chat);
    let alias = body["toolConfig"]["tools"][0]["toolSpec"]["name"].as_str().unwrap().to_owned();
    assert!(alias.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte)), "{alias}");
    let answer = json!({"output": {"message": {"role": "assistant", "content": [
        {"toolUse": {"toolUseId": "t", "name": alias, "input": {}}}
    ]}}, "stopReason": "tool_use"});
    let answer = answer.to_string();
    let parts = converse().read_answer(answer.as_bytes()).unwrap().choices.remove(0).parts;
    assert!(matches!(&parts[0].kind, PartKind::ToolCall { name, .. } if name == "files.read"));
    let long = "x".repeat(65);
    assert!(refused(&Chat { tools: vec![function(&long, None)], ..asking() }).contains("name of a tool"));
}

#[test]
fn one_call_at_a_time_and_tools_of_another_provider_are_reported_as_lost() {
    let web = Tool { name: "web_search".into(), kind: ToolKind::BuiltIn, cache: None, origin: 2 };
    let mut chat = Chat { parallel_tools: Some(false), ..with_tools(None) };
    chat.tools.push(web);
    let (body, losses) = written(&chat);
    assert_eq!(body["toolConfig"]["tools"].as_array().unwrap().len(), 2);
    assert_eq!(losses, ["/toolConfig/tools/2 dropped", "ParallelTools dropped"]);
}

// === 5.3 Calls and results ===

#[test]
fn arguments_become_an_object_and_empty_ones_an_empty_object() {
    let history = |arguments| {
        chat(vec![
            user(vec![Part::text("a")]),
            model(vec![call("1", "f", arguments)]),
            user(vec![result("1", vec![])]),
        ])
    };
    assert_eq!(content(&written(&history("{\"b\":1}")).0, 1)[0]["toolUse"]["input"], json!({"b": 1}));
    assert_eq!(content(&written(&history("")).0, 1)[0]["toolUse"]["input"], json!({}));
    for arguments in ["{", "[]", "\"a\"", "nonsense"] {
        assert!(refused(&history(arguments)).contains("must be a JSON object"), "{arguments}");
    }
}

#[test]
fn results_lead_their_message_and_texts_follow() {
    let chat = chat(vec![
        user(vec![Part::text("a")]),
        model(vec![call("1", "f", "{}"), call("2", "g", "{}")]),
        user(vec![Part::text("before"), result("2", vec![Part::text("r2")])]),
        user(vec![result("1", vec![Part::text("r1")]), Part::text("after")]),
    ]);
    let (body, _) = written(&chat);
    let ids: Vec<&Value> = content(&body, 2).iter().map(|block| &block["toolResult"]["toolUseId"]).collect();
    assert_eq!(ids, [&json!("2"), &json!("1"), &Value::Null, &Value::Null]);
}

#[test]
fn unanswered_calls_and_results_without_a_call_are_refused() {
    let unanswered = chat(vec![
        user(vec![Part::text("a")]),
        model(vec![call("1", "f", "{}"), call("2", "f", "{}")]),
        user(vec![result("1", vec![]), Part::text("b")]),
    ]);
    assert!(refused(&unanswered).contains("has no result"));
    let orphan = chat(vec![user(vec![result("1", vec![])])]);
    assert!(refused(&orphan).contains("no tool call"));
}

#[test]
fn calls_in_the_last_turn_wait_for_nobody() {
    let chat = chat(vec![user(vec![Part::text("a")]), model(vec![call("1", "f", "{}")])]);
    assert_eq!(content(&written(&chat).0, 1).len(), 1);
}

#[test]
fn ids_of_any_kind_become_ids_of_the_dialect_and_still_pair() {
    let long = "toolu.".repeat(30);
    for id in [long.as_str(), "call:1/2", "é"] {
        let chat = chat(vec![
            user(vec![Part::text("a")]),
            model(vec![call(id, "f", "{}")]),
            user(vec![result(id, vec![])]),
        ]);
        let (body, _) = written(&chat);
        let alias = content(&body, 1)[0]["toolUse"]["toolUseId"].as_str().unwrap();
        assert!(
            alias.len() <= 64
                && alias.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
        );
        assert_eq!(content(&body, 2)[0]["toolResult"]["toolUseId"], alias);
    }
}

#[test]
fn calls_without_ids_pair_by_name_and_order_and_get_ids_of_their_own() {
    let named = |name: &'static str| {
        Part::new(PartKind::ToolResult {
            call: "".into(),
            name: Some(name.into()),
            content: vec![Part::text(name)],
            is_error: false,
        })
    };
    let chat = chat(vec![
        user(vec![Part::text("a")]),
        model(vec![call("", "f", "{}"), call("", "g", "{}")]),
        user(vec![named("g"), named("f")]),
    ]);
    let (body, _) = written(&chat);
    let calls: Vec<&Value> = content(&body, 1).iter().map(|block| &block["toolUse"]["toolUseId"]).collect();
    let results: Vec<&Value> =
        content(&body, 2).iter().map(|block| &block["toolResult"]["toolUseId"]).collect();
    assert_eq!(results, [calls[1], calls[0]]);
    assert_ne!(calls[0], calls[1]);
}

#[test]
fn ids_that_turns_repeat_are_kept_apart() {
    let turn = || [model(vec![call("call_0", "f", "{}")]), user(vec![result("call_0", vec![])])];
    let turns = [user(vec![Part::text("a")])].into_iter().chain(turn()).chain(turn()).collect();
    let (body, _) = written(&chat(turns));
    let id = |message: usize, kind: &str| content(&body, message)[0][kind]["toolUseId"].clone();
    assert_ne!(id(1, "toolUse"), id(3, "toolUse"));
    assert_eq!((id(1, "toolUse"), id(3, "toolUse")), (id(2, "toolResult"), id(4, "toolResult")));
}

#[test]
fn results_carry_failure_and_images() {
    let image = medium(MediaKind::Image, Some("image/png"), MediaSource::Base64("QQ==".into()));
    let failed = Part::new(PartKind::ToolResult {
        call: "1".into(),
        name: None,
        content: vec![Part::text("no"), image],
        is_error: true,
    });
    let chat = chat(vec![user(vec![Part::text("a")]), model(vec![call("1", "f", "{}")]), user(vec![failed])]);
    let expected = json!({"toolUseId": "1", "content": [
        {"text": "no"}, {"image": {"format": "png", "source": {"bytes": "QQ=="}}}
    ], "status": "error"});
    assert_eq!(content(&written(&chat).0, 2)[0]["toolResult"], expected);
}

// === 5.4 Reasoning ===

#[test]
fn reasoning_is_replayed_byte_for_byte_before_the_call_and_dropped_where_it_is_anothers() {
    let history = |from| {
        let shown =
            PartKind::Reasoning { text: "hm \u{1f642}\n".into(), signature: Some(signed("c/+=", from)) };
        let sealed = PartKind::SealedReasoning(signed("c2VhbGVk", from));
        chat(vec![
            user(vec![Part::text("a")]),
            model(vec![Part::new(shown), Part::new(sealed), call("1", "f", "{}")]),
            user(vec![result("1", vec![])]),
        ])
    };
    let (body, losses) = written(&history(Dialect::BedrockConverse));
    assert_eq!(
        content(&body, 1)[..2],
        [
            json!({"reasoningContent": {"reasoningText": {"text": "hm \u{1f642}\n", "signature": "c/+="}}}),
            json!({"reasoningContent": {"redactedContent": "c2VhbGVk"}}),
        ]
    );
    assert_eq!(losses, ["ToolChoice approximated"]);
    let (body, losses) = written(&history(Dialect::AnthropicMessages));
    assert_eq!(content(&body, 1).len(), 1);
    assert_eq!(losses, ["/messages/0 dropped", "ToolChoice approximated"]);
}

fn reasoning(reasoning: Reasoning, form: ReasoningForm, cap: Option<u64>) -> (Value, Vec<String>) {
    let abilities = able(|abilities| {
        abilities.reasoning = form;
        abilities.output_tokens_max = Some(20_000);
    });
    write(&Chat { reasoning: Some(reasoning), output_cap: cap, ..asking() }, &abilities).unwrap()
}

#[test]
fn a_budget_is_at_least_1024_and_below_the_cap_which_is_raised() {
    let budget = |budget| Reasoning { budget: Some(budget), ..Reasoning::default() };
    let (body, losses) = reasoning(budget(2_000), ReasoningForm::Budget, Some(4_000));
    let thinking = |body: &Value| body["additionalModelRequestFields"]["thinking"].clone();
    assert_eq!(thinking(&body), json!({"type": "enabled", "budget_tokens": 2_000}));
    assert_eq!((body["inferenceConfig"]["maxTokens"].as_u64(), losses), (Some(4_000), vec![]));
    let (body, losses) = reasoning(budget(100), ReasoningForm::Budget, Some(500));
    assert_eq!(thinking(&body)["budget_tokens"], 1_024);
    assert_eq!(body["inferenceConfig"]["maxTokens"], 1_524);
    assert_eq!(losses, ["OutputCap approximated", "Reasoning approximated"]);
    let (body, _) = reasoning(budget(60_000), ReasoningForm::Usual, Some(5_000));
    assert_eq!(thinking(&body)["budget_tokens"], 15_000);
    assert_eq!(body["inferenceConfig"]["maxTokens"], 20_000);
}

#[test]
fn effort_becomes_a_budget_a_word_or_nothing_as_the_model_takes_it() {
    let effort = |effort| Reasoning { effort: Some(effort), ..Reasoning::default() };
    let (body, losses) = reasoning(effort(Effort::Low), ReasoningForm::Budget, None);
    assert_eq!(body["additionalModelRequestFields"]["thinking"]["budget_tokens"], 2_048);
    assert_eq!((body.get("inferenceConfig"), losses), (None, vec!["Reasoning approximated".to_owned()]));
    let (body, losses) = reasoning(effort(Effort::Extra), ReasoningForm::Adaptive, None);
    assert_eq!(body["additionalModelRequestFields"]["thinking"], json!({"type": "adaptive"}));
    assert_eq!((&body["outputConfig"]["effort"], losses), (&json!("xhigh"), vec![]));
    let (body, losses) = reasoning(effort(Effort::Max), ReasoningForm::Effort, None);
    assert_eq!(body["additionalModelRequestFields"]["reasoning_effort"], "high");
    assert_eq!(losses, ["Reasoning approximated"]);
    let (body, losses) = reasoning(effort(Effort::High), ReasoningForm::Never, None);
    assert_eq!(
        (body.get("additionalModelRequestFields"), losses),
        (None, vec!["Reasoning dropped".to_owned()])
    );
    let (body, losses) = reasoning(effort(Effort::None), ReasoningForm::Budget, None);
    assert_eq!((body.get("additionalModelRequestFields"), losses), (None, vec![]));
}

#[test]
fn sampling_gives_way_to_reasoning() {
    let chat = |temperature: &'static str, top_p: &'static str| {
        let mut chat =
            Chat { reasoning: Some(Reasoning { budget: Some(2_000), ..Reasoning::default() }), ..asking() };
        chat.sampling.temperature = Some(temperature.into());
        chat.sampling.top_p = Some(top_p.into());
        chat.sampling.top_k = Some("5".into());
        chat
    };
    let (body, losses) = written(&chat("0.2", "0.5"));
    assert_eq!(body.get("inferenceConfig"), None);
    assert_eq!(losses, ["Temperature dropped", "TopK dropped", "TopP dropped"]);
    let (body, losses) = written(&chat("1.0", "0.95"));
    assert_eq!(body["inferenceConfig"], json!({"temperature": 1.0, "topP": 0.95}));
    assert_eq!(losses, ["TopK dropped"]);
}

#[test]
fn a_forced_tool_wins_over_reasoning() {
    let reasoning = Some(Reasoning { budget: Some(2_000), ..Reasoning::default() });
    let (body, losses) = written(&Chat { reasoning, ..with_tools(Some(ToolChoice::Required)) });
    assert_eq!(body.get("additionalModelRequestFields"), None);
    assert_eq!(losses, ["Reasoning dropped"]);
}

// === 5.5 Media ===

#[test]
fn images_go_as_bytes_with_their_format_and_addresses_are_lost() {
    let image = |mime, source| medium(MediaKind::Image, mime, source);
    let parts = vec![
        Part::text("a"),
        image(Some("image/jpg"), MediaSource::Base64("QQ==".into())),
        Part::text("b"),
        image(None, MediaSource::Base64("iVBORw0KGgoAAAA".into())),
        image(None, MediaSource::Url("s3://b/x.webp".into())),
    ];
    let (body, losses) = written(&chat(vec![user(parts)]));
    assert_eq!(content(&body, 0)[1], json!({"image": {"format": "jpeg", "source": {"bytes": "QQ=="}}}));
    assert_eq!(content(&body, 0)[2], json!({"text": "b"}));
    assert_eq!(content(&body, 0)[3]["image"]["format"], "png");
    let stored = json!({"image": {"format": "webp", "source": {"s3Location": {"uri": "s3://b/x.webp"}}}});
    assert_eq!((&content(&body, 0)[4], losses), (&stored, vec![]));
    for lost in [
        image(None, MediaSource::Url("https://x.test/a.png".into())),
        image(Some("image/tiff"), MediaSource::Base64("QQ==".into())),
        image(None, MediaSource::File("f".into())),
    ] {
        let (body, losses) = written(&chat(vec![user(vec![Part::text("a"), lost])]));
        assert_eq!((content(&body, 0).len(), losses), (1, vec!["/messages/0 dropped".to_owned()]));
    }
}

#[test]
fn media_that_the_target_does_not_read_are_lost() {
    let abilities = able(|abilities| {
        abilities.media = vec![MediaKind::Document];
    });
    let image = medium(MediaKind::Image, Some("image/png"), MediaSource::Base64("QQ==".into()));
    let (_, losses) = write(&chat(vec![user(vec![Part::text("a"), image])]), &abilities).unwrap();
    assert_eq!(losses, ["/messages/0 dropped"]);
}

#[test]
fn documents_have_a_format_and_a_sanitised_name_of_their_own() {
    let document = |name: Option<&'static str>| {
        Part::new(PartKind::Media(Media {
            kind: MediaKind::Document,
            mime: Some("application/pdf".into()),
            source: MediaSource::Base64("QQ==".into()),
            name: name.map(Into::into),
            detail: None,
        }))
    };
    let names = [Some("Q3_report  (final).pdf"), Some("Q3/report (final)/pdf"), None, Some("\u{1f642}")];
    let mut parts = vec![Part::text("a")];
    parts.extend(names.map(document));
    let (body, _) = written(&chat(vec![user(parts)]));
    let names: Vec<&Value> = content(&body, 0)[1..].iter().map(|block| &block["document"]["name"]).collect();
    assert_eq!(names, ["Q3 report (final) pdf", "Q3 report (final) pdf 2", "document", "document 4"]);
    let alone = refused(&chat(vec![user(vec![document(None)])]));
    assert!(alone.contains("must have a text beside it"), "{alone}");
}

// === 5.6 and 5.7: answers ===

#[test]
fn stop_reasons_have_their_meaning_in_both_directions() {
    for (word, reason) in [
        ("end_turn", FinishReason::Stop),
        ("stop_sequence", FinishReason::StopString(None)),
        ("tool_use", FinishReason::ToolCalls),
        ("max_tokens", FinishReason::Length),
        ("model_context_window_exceeded", FinishReason::ContextFull),
        ("content_filtered", FinishReason::ContentFilter),
        ("malformed_tool_use", FinishReason::MalformedCall),
        ("malformed_model_output", FinishReason::Other("malformed_model_output".to_owned())),
    ] {
        let body = format!(
            r#"{{"output":{{"message":{{"role":"assistant","content":[]}}}},"stopReason":"{word}"}}"#
        );
        let answer = converse().read_answer(body.as_bytes()).unwrap();
        assert_eq!(answer.choices[0].finish, Some(reason));
        let back: Value = serde_json::from_slice(&converse().write_answer(&answer, &envelope())).unwrap();
        assert_eq!(back["stopReason"], word);
    }
    let guard = r#"{"output":{"message":{"content":[]}},"stopReason":"guardrail_intervened"}"#;
    let answer = converse().read_answer(guard.as_bytes()).unwrap();
    assert_eq!(answer.choices[0].finish, Some(FinishReason::ContentFilter));
}

#[test]
fn a_stop_with_calls_in_the_answer_is_a_tool_call() {
    let answer = Answer {
        choices: vec![AnswerChoice { parts: vec![call("", "f", "")], finish: Some(FinishReason::Stop) }],
        ..Answer::default()
    };
    let body: Value = serde_json::from_slice(&converse().write_answer(&answer, &envelope())).unwrap();
    assert_eq!(body["stopReason"], "tool_use");
    let used = &body["output"]["message"]["content"][0]["toolUse"];
    assert_eq!((&used["input"], used["toolUseId"].as_str().unwrap().is_empty()), (&json!({}), false));
}

#[test]
fn usage_counts_prompt_tokens_without_the_cache_and_splits_writes_by_their_time() {
    let usage =
        Usage { input: 5, cache_read: 3, cache_write: 2, cache_write_1h: 4, output: 9, ..Usage::default() };
    let answer = Answer { choices: vec![AnswerChoice::default()], usage: Some(usage), model: None };
    let body = converse().write_answer(&answer, &envelope());
    let figures: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(figures["usage"]["inputTokens"], 5);
    assert_eq!(figures["usage"]["cacheWriteInputTokens"], 6);
    assert_eq!(figures["usage"]["totalTokens"], 23);
    assert_eq!(converse().read_answer(&body).unwrap().usage, Some(usage));
    assert_eq!(codec(Dialect::BedrockConverse).decode_answer(body).unwrap().usage(), Some(usage));
}

#[test]
fn an_answer_comes_back_as_it_was() {
    let body = json!({"output": {"message": {"role": "assistant", "content": [
        {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "c2ln"}}},
        {"reasoningContent": {"redactedContent": "c2VhbGVk"}},
        {"text": "a\"b"},
        {"toolUse": {"toolUseId": "t", "name": "f", "input": {"b": [1, 2.50], "a": null}}}
    ]}}, "stopReason": "tool_use", "usage": {"inputTokens": 1, "outputTokens": 2, "totalTokens": 3,
        "cacheReadInputTokens": 0, "cacheWriteInputTokens": 0}, "metrics": {"latencyMs": 0}});
    let text = body.to_string();
    let answer = converse().read_answer(text.as_bytes()).unwrap();
    let back = converse().write_answer(&answer, &envelope());
    assert_eq!(serde_json::from_slice::<Value>(&back).unwrap(), body);
}

// === 5.9 and 5.10: the rest of a request ===

#[test]
fn a_schema_goes_as_a_string_where_the_model_holds_to_it_and_is_reported_where_not() {
    let format = OutputFormat::Schema {
        name: Some("s".into()),
        description: None,
        schema: r#"{"b":1,"a":2}"#.into(),
        strict: Some(true),
    };
    let chat = Chat { format: Some(format), ..asking() };
    let (body, losses) = written(&chat);
    let definition = &body["outputConfig"]["textFormat"]["structure"]["jsonSchema"];
    assert_eq!((definition, losses), (&json!({"schema": "{\"b\":1,\"a\":2}", "name": "s"}), vec![]));
    let abilities = able(|abilities| {
        abilities.holds_to_schema = false;
    });
    assert_eq!(write(&chat, &abilities).unwrap().1, ["Format dropped"]);
    assert_eq!(written(&Chat { format: Some(OutputFormat::Json), ..asking() }).1, ["Format dropped"]);
}

#[test]
fn parameters_out_of_range_are_clamped_and_those_without_a_place_reported() {
    let mut chat = Chat { output_cap: Some(9_000), choices: 2, ..asking() };
    chat.sampling.temperature = Some("1.5".into());
    chat.sampling.seed = Some("7".into());
    chat.sampling.frequency_penalty = Some("0.0".into());
    chat.sampling.presence_penalty = Some("1".into());
    chat.stop = vec!["".into(), "x".into()];
    chat.unknown = vec!["/odd".into()];
    let abilities = able(|abilities| {
        abilities.output_tokens_max = Some(8_000);
    });
    let (body, losses) = write(&chat, &abilities).unwrap();
    let expected = json!({"maxTokens": 8_000, "temperature": 1, "stopSequences": ["x"]});
    assert_eq!(body["inferenceConfig"], expected);
    assert_eq!(
        losses,
        [
            "/odd dropped",
            "Choices dropped",
            "OutputCap approximated",
            "PresencePenalty dropped",
            "Seed dropped",
            "Stop dropped",
            "Temperature approximated"
        ]
    );
}

#[test]
fn parameters_that_the_target_refuses_are_left_out() {
    let mut chat = asking();
    chat.sampling.temperature = Some("0.5".into());
    chat.sampling.top_p = Some("0.5".into());
    let abilities = able(|abilities| {
        abilities.refuses = vec![Param::TopP];
    });
    let (body, losses) = write(&chat, &abilities).unwrap();
    assert_eq!(
        (&body["inferenceConfig"], losses),
        (&json!({"temperature": 0.5}), vec!["TopP dropped".to_owned()])
    );
}

#[test]
fn settings_have_their_place_or_are_reported_and_the_tier_is_never_dropped_in_silence() {
    let setting = |param, value: &'static str| Setting { param, value: value.into() };
    let write = |settings| written(&Chat { settings, ..asking() });
    for (tier, sent) in [("\"flex\"", "flex"), ("\"priority\"", "priority"), ("\"standard_only\"", "default")]
    {
        let (body, losses) = write(vec![setting(Param::ServiceTier, tier)]);
        assert_eq!((&body["serviceTier"]["type"], losses), (&json!(sent), vec![]));
    }
    assert_eq!(write(vec![setting(Param::ServiceTier, "\"auto\"")]).1, ["ServiceTier approximated"]);
    assert_eq!(write(vec![setting(Param::ServiceTier, "\"scale\"")]).1, ["ServiceTier dropped"]);
    let (body, losses) = write(vec![setting(Param::Metadata, r#"{"team":"a b"}"#)]);
    assert_eq!((&body["requestMetadata"], losses), (&json!({"team": "a b"}), vec![]));
    assert_eq!(write(vec![setting(Param::Metadata, r#"{"team":"ä"}"#)]).1, ["Metadata dropped"]);
    assert_eq!(
        write(vec![setting(Param::Store, "false"), setting(Param::EndUser, "\"u\"")]).1,
        ["EndUser dropped"]
    );
}

#[test]
fn cache_marks_become_blocks_of_their_own_behind_what_they_mark() {
    let marked = |mark, part: Part<'static>| Part { cache: Some(mark), ..part };
    let mut chat = chat(vec![
        user(vec![marked(CacheMark::Hour, Part::text("a")), Part::text("b")]),
        model(vec![call("1", "f", "{}")]),
        user(vec![marked(CacheMark::Short, result("1", vec![]))]),
    ]);
    chat.tools = vec![Tool { cache: Some(CacheMark::Short), ..function("f", None) }];
    let (body, losses) = written(&chat);
    assert_eq!(content(&body, 0)[1], json!({"cachePoint": {"type": "default", "ttl": "1h"}}));
    assert_eq!(content(&body, 2)[1], json!({"cachePoint": {"type": "default"}}));
    assert_eq!(body["toolConfig"]["tools"][1], json!({"cachePoint": {"type": "default"}}));
    assert_eq!(losses, [""; 0]);
}

#[test]
fn losses_are_refused_in_strict_mode_with_their_field() {
    let mut chat = asking();
    chat.sampling.seed = Some("7".into());
    let strict = converse().write_request(&chat, &Abilities::default(), &mut Losses::new(true, &name));
    let failure = strict.unwrap_err();
    assert_eq!((failure.kind, failure.param.as_deref()), (FailureKind::Unsupported, Some("Seed")));
}

#[test]
fn places_have_pointers_into_a_request_of_the_dialect() {
    let chat = read(EVERYTHING);
    let pointer = |place: Place<'_>| converse().pointer(&place);
    assert_eq!(pointer(Place::Part(chat.system[1].origin)), "/system/2");
    assert_eq!(pointer(Place::Part(chat.turns[1].parts[3].origin)), "/messages/1/content/3");
    assert_eq!(pointer(Place::Tool(chat.tools[1].origin)), "/toolConfig/tools/2");
    assert_eq!(pointer(Place::Param(Param::OutputCap)), "/inferenceConfig/maxTokens");
    assert_eq!(LossKind::Dropped.as_str(), "dropped");
}

// === Any chat ===

fn words() -> impl Strategy<Value = String> {
    "[a-zé\"\\\\ \n]{0,8}x"
}

/// A chat that the dialect can say: turns that alternate, each call with its result.
fn sayable() -> impl Strategy<Value = Chat<'static>> {
    let turn = (words(), words(), proptest::option::of(0u8..3), any::<bool>());
    proptest::collection::vec(turn, 1..5).prop_map(|rounds| {
        let mut chat = Chat { tools: vec![function("f", None)], ..Chat::default() };
        for (index, (asked, answered, calls, is_cached)) in rounds.into_iter().enumerate() {
            let cache = is_cached.then_some(CacheMark::Short);
            chat.turns.push(user(vec![Part { cache, ..Part::text(asked.clone()) }]));
            let ids: Vec<String> = (0..calls.unwrap_or(0)).map(|call| format!("c{index}-{call}")).collect();
            let called = ids.iter().map(|id| {
                let arguments = serde_json::json!({"a": asked}).to_string().into();
                Part::new(PartKind::ToolCall {
                    id: id.clone().into(),
                    name: "f".into(),
                    arguments,
                    signature: None,
                })
            });
            let mut parts: Vec<Part<'static>> = called.collect();
            parts.insert(0, Part::text(answered));
            chat.turns.push(model(parts));
            if !ids.is_empty() {
                let result = |id: &String| {
                    Part::new(PartKind::ToolResult {
                        call: id.clone().into(),
                        name: None,
                        content: vec![Part::text(asked.clone())],
                        is_error: id.ends_with('1'),
                    })
                };
                chat.turns.push(user(ids.iter().map(result).collect()));
                chat.turns.push(model(vec![Part::text("done")]));
            }
        }
        chat.turns.push(user(vec![Part::text("end")]));
        chat
    })
}

/// The same without what depends on how the caller divided it.
fn essence(chat: &Chat<'_>) -> String {
    let rounds: Vec<_> = chat
        .rounds()
        .map(|(speaker, parts)| {
            let parts: Vec<_> =
                parts.iter().map(|part| format!("{:?} {:?}", part.kind, part.cache)).collect();
            (speaker, parts)
        })
        .collect();
    format!("{rounds:?}").replace(r#"origin: Origin { message: 0, part: None }"#, "")
}

proptest! {
    #[test]
    fn what_is_written_is_read_back_as_the_same_chat(chat in sayable()) {
        let mut losses = Losses::new(true, &name);
        let body = converse().write_request(&chat, &Abilities::default(), &mut losses).unwrap();
        let back = converse().read_request(&body).unwrap();
        prop_assert_eq!(essence(&back), essence(&chat));
        let again = converse().write_request(&back, &Abilities::default(), &mut Losses::new(true, &name)).unwrap();
        prop_assert_eq!(again, body);
    }

    #[test]
    fn any_text_is_read_without_a_panic(text in "\\PC{0,80}") {
        prop_assert!(converse().read_request(text.as_bytes()).is_ok() == serde_json::from_str::<Value>(&text).is_ok()
            || serde_json::from_str::<Value>(&text).is_ok());
        let _answer = converse().read_answer(text.as_bytes());
    }

    #[test]
    fn any_damage_to_a_request_is_read_and_written_without_a_panic(place in 0usize..1_500, byte in 32u8..127) {
        let mut text = EVERYTHING.as_bytes().to_vec();
        let place = place % text.len();
        text[place] = byte;
        if let Ok(chat) = converse().read_request(&text) {
            let mut losses = Losses::new(false, &name);
            if let Ok(body) = converse().write_request(&chat, &Abilities::default(), &mut losses) {
                prop_assert!(serde_json::from_slice::<Value>(&body).is_ok());
            }
        }
    }
}
