//! Requests from a chat, and a chat from requests: the rules of the dialect, each by name.

use gatewright::chat::{
    Chat, Effort, LossKind, Origin, OutputFormat, Param, Part, PartKind, Reasoning, Setting, Signature,
    Speaker, Tool, ToolChoice, ToolKind, Turn,
};
use gatewright::dialect::{Abilities, Dialect, ReasoningForm};
use serde_json::{Value, json};

use crate::support::{chat_codec, messages, refused, rewritten, write};

const EPHEMERAL: &str = "ephemeral";

fn user(text: &str) -> Value {
    json!({"role": "user", "content": text})
}

fn with(members: &Value) -> Value {
    let mut body = json!({"model": "m", "max_tokens": 100, "messages": [user("hi")]});
    body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    body
}

fn weather() -> Value {
    json!({"name": "weather", "description": "d", "input_schema": {"type": "object", "properties": {}}})
}

fn call(id: &str) -> Value {
    json!({"type": "tool_use", "id": id, "name": "weather", "input": {"a": 1}})
}

fn result(id: &str) -> Value {
    json!({"type": "tool_result", "tool_use_id": id, "content": "sun"})
}

/// A conversation with a call in it.
fn called(answers: &Value) -> Value {
    with(&json!({
        "tools": [weather()],
        "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}, {"role": "assistant", "content": [call("t1"), call("t2")]}, {"role": "user", "content": answers}],
    }))
}

#[track_caller]
fn keeps(body: &Value) {
    let (written, losses) = rewritten(body, &Abilities::default());
    assert_eq!(losses, [], "{written}");
    let again = chat_codec().read_request(written.to_string().as_bytes()).map(|chat| format!("{chat:?}"));
    let first = chat_codec().read_request(body.to_string().as_bytes()).map(|chat| format!("{chat:?}"));
    assert_eq!(again.unwrap(), first.unwrap());
}

#[track_caller]
fn loses(body: &Value, abilities: &Abilities, expected: &[(&str, LossKind)]) -> Value {
    let (written, losses) = rewritten(body, abilities);
    let expected: Vec<_> = expected.iter().map(|(field, kind)| ((*field).to_owned(), *kind)).collect();
    assert_eq!(losses, expected, "{written}");
    written
}

#[test]
fn a_request_with_everything_is_the_same_when_it_has_been_a_chat() {
    keeps(&with(&json!({
        "system": [
            {"type": "text", "text": "be kind"},
            {"type": "text", "text": "be brief", "cache_control": {"type": EPHEMERAL, "ttl": "1h"}},
        ],
        "messages": [
            {"role": "user", "content": [
                {"type": "text", "text": "look"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}},
                {"type": "image", "source": {"type": "url", "url": "https://x.test/a.png"}},
                {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBE"}, "title": "t"},
                {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "plain"}},
                {"type": "document", "source": {"type": "file", "file_id": "f1"}},
            ]},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
                {"type": "redacted_thinking", "data": "c2VhbA=="},
                {"type": "text", "text": "I look"},
                call("t1"),
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "t1", "is_error": true, "content": [
                    {"type": "text", "text": "no"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/gif", "data": "R0lG"}},
                ]},
                {"type": "text", "text": "go on", "cache_control": {"type": EPHEMERAL}},
            ]},
        ],
        "tools": [weather(), {"name": "b", "input_schema": {"type": "object", "properties": {"x": {"type": "integer"}}},
            "strict": true, "cache_control": {"type": EPHEMERAL}}],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": true},
        "thinking": {"type": "adaptive", "display": "summarized"},
        "output_config": {"effort": "high",
            "format": {"type": "json_schema", "schema": {"type": "object", "additionalProperties": false, "properties": {}}}},
        "stop_sequences": ["END"],
        "metadata": {"user_id": "u1"},
        "service_tier": "standard_only",
        "stream": true,
    })));
}

// === 5.1 ===

#[test]
fn system_texts_are_hoisted_as_blocks_of_their_own_and_keep_their_cache_marks() {
    let body = with(&json!({"messages": [
        {"role": "system", "content": [{"type": "text", "text": "a", "cache_control": {"type": EPHEMERAL}}]},
        {"role": "system", "content": "b"},
        user("hi"),
    ]}));
    let written = loses(&body, &Abilities::default(), &[]);
    let expected = json!([{"type": "text", "text": "a", "cache_control": {"type": EPHEMERAL}}, {"type": "text", "text": "b"}]);
    assert_eq!(written["system"], expected);
    assert_eq!(written["messages"].as_array().unwrap().len(), 1);
}

#[test]
fn a_later_system_text_goes_behind_the_leading_ones_and_is_reported() {
    let body = with(
        &json!({"system": "a", "messages": [user("hi"), {"role": "system", "content": "b"}, user("you")]}),
    );
    let written = loses(&body, &Abilities::default(), &[("/messages/1", LossKind::Approximated)]);
    assert_eq!(written["system"], json!([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]));
    assert_eq!(
        written["messages"],
        json!([{"role": "user", "content": [{"type": "text", "text": "hi"}, {"type": "text", "text": "you"}]}])
    );
}

#[test]
fn neighbours_of_one_speaker_are_merged() {
    let body =
        with(&json!({"messages": [user("a"), user("b"), {"role": "assistant", "content": "c"}, user("d")]}));
    let written = loses(&body, &Abilities::default(), &[]);
    let roles: Vec<_> =
        written["messages"].as_array().unwrap().iter().map(|message| message["role"].clone()).collect();
    assert_eq!(roles, ["user", "assistant", "user"]);
    assert_eq!(written["messages"][0]["content"].as_array().unwrap().len(), 2);
}

#[test]
fn a_conversation_that_the_model_begins_is_refused() {
    let failure = refused(&with(&json!({"messages": [{"role": "assistant", "content": "a"}, user("b")]})));
    assert_eq!(failure.param.as_deref(), Some("/messages/0"));
    // A turn of which nothing is left does not begin it.
    let failure =
        refused(&with(&json!({"messages": [user(" "), {"role": "assistant", "content": "a"}, user("b")]})));
    assert_eq!(failure.param.as_deref(), Some("/messages/1"));
}

#[test]
fn empty_text_blocks_are_dropped_and_reported() {
    let body = with(
        &json!({"system": "", "messages": [{"role": "user", "content": [{"type": "text", "text": ""}, {"type": "text", "text": "a"}]}]}),
    );
    let losses = [("/messages/0/content/0", LossKind::Dropped), ("/system", LossKind::Dropped)];
    let written = loses(&body, &Abilities::default(), &losses);
    assert_eq!(written["messages"][0]["content"], json!([{"type": "text", "text": "a"}]));
    assert_eq!(written.get("system"), None);
}

#[test]
fn white_space_at_the_end_of_a_begun_answer_is_trimmed() {
    let body = with(&json!({"messages": [user("a"), {"role": "assistant", "content": "The answer: \n"}]}));
    let written = loses(&body, &Abilities::default(), &[("/messages/1", LossKind::Approximated)]);
    assert_eq!(written["messages"][1]["content"], json!([{"type": "text", "text": "The answer:"}]));
}

#[test]
fn a_begun_answer_is_left_out_where_the_model_does_not_continue_it() {
    let body = with(&json!({"messages": [user("a"), {"role": "assistant", "content": "The"}]}));
    let mut abilities = Abilities::default();
    abilities.continues_answers = false;
    let written = loses(&body, &abilities, &[("/messages/1", LossKind::Dropped)]);
    assert_eq!(written["messages"].as_array().unwrap().len(), 1);
}

// === 5.2 ===

fn function(name: &str, parameters: Option<&'static str>) -> Tool<'static> {
    let kind = ToolKind::Function { description: None, parameters: parameters.map(Into::into), strict: None };
    Tool { name: name.to_owned().into(), kind, cache: None, origin: 0 }
}

fn asked() -> Chat<'static> {
    let turns = vec![Turn { speaker: Speaker::User, parts: vec![Part::text("hi")] }];
    Chat { model: "m".into(), turns, ..Chat::default() }
}

#[test]
fn missing_parameters_become_an_empty_object_schema() {
    let tools =
        vec![function("a", None), function("b", Some("{}")), function("c", Some(r#"{"properties":{}}"#))];
    let (written, losses) = write(&Chat { tools, ..asked() }, &Abilities::default()).unwrap();
    assert!(losses.is_empty());
    for tool in written["tools"].as_array().unwrap() {
        assert_eq!(tool["input_schema"], json!({"type": "object", "properties": {}}));
    }
}

#[test]
fn tool_names_that_do_not_fit_get_an_alias_that_is_read_back() {
    let chat = Chat {
        tools: vec![function("files.read", None)],
        tool_choice: Some(ToolChoice::Named("files.read".into())),
        ..asked()
    };
    let (written, _) = write(&chat, &Abilities::default()).unwrap();
    let alias = written["tools"][0]["name"].as_str().unwrap();
    assert!(alias.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte)), "{alias}");
    assert_eq!(written["tool_choice"]["name"], alias);
    let answer =
        json!({"content": [{"type": "tool_use", "id": "t", "name": alias, "input": {}}]}).to_string();
    let answer = chat_codec().read_answer(answer.as_bytes()).unwrap();
    assert!(
        matches!(&answer.choices[0].parts[0].kind, PartKind::ToolCall { name, .. } if name == "files.read")
    );
}

#[test]
fn every_choice_of_tools_has_its_word() {
    let cases = [
        (ToolChoice::Auto, json!({"type": "auto"})),
        (ToolChoice::None, json!({"type": "none"})),
        (ToolChoice::Required, json!({"type": "any"})),
        (ToolChoice::Named("a".into()), json!({"type": "tool", "name": "a"})),
    ];
    for (choice, expected) in cases {
        let chat = Chat { tools: vec![function("a", None)], tool_choice: Some(choice), ..asked() };
        assert_eq!(write(&chat, &Abilities::default()).unwrap().0["tool_choice"], expected);
    }
}

#[test]
fn a_choice_among_some_tools_offers_only_those() {
    let choice = ToolChoice::Among { names: vec!["b".into()], required: true };
    let chat =
        Chat { tools: vec![function("a", None), function("b", None)], tool_choice: Some(choice), ..asked() };
    let (written, losses) = write(&chat, &Abilities::default()).unwrap();
    assert_eq!(written["tools"].as_array().unwrap().len(), 1);
    assert_eq!(written["tool_choice"], json!({"type": "any"}));
    assert_eq!(losses[0].kind, LossKind::Emulated);
}

#[test]
fn a_conversation_with_calls_declares_their_tools_and_offers_none() {
    let mut body = called(&json!([result("t1"), result("t2")]));
    body.as_object_mut().unwrap().remove("tools");
    let written = loses(&body, &Abilities::default(), &[]);
    assert_eq!(
        written["tools"],
        json!([{"name": "weather", "input_schema": {"type": "object", "properties": {}}}])
    );
    assert_eq!(written["tool_choice"], json!({"type": "none"}));
}

#[test]
fn one_call_at_a_time_creates_a_choice_where_there_is_none() {
    let chat = Chat { tools: vec![function("a", None)], parallel_tools: Some(false), ..asked() };
    let expected = json!({"type": "auto", "disable_parallel_tool_use": true});
    assert_eq!(write(&chat, &Abilities::default()).unwrap().0["tool_choice"], expected);
}

#[test]
fn a_forced_call_switches_reasoning_off() {
    let body = with(&json!({"max_tokens": 9000, "tools": [weather()], "tool_choice": {"type": "any"},
        "thinking": {"type": "enabled", "budget_tokens": 2000}}));
    let written = loses(&body, &Abilities::default(), &[("/thinking", LossKind::Dropped)]);
    assert_eq!(written["thinking"], json!({"type": "disabled"}));
    assert_eq!(written["tool_choice"], json!({"type": "any"}));
}

#[test]
fn tools_that_the_provider_runs_are_reported_and_refused_in_strict_mode() {
    let body = with(&json!({"tools": [{"type": "web_search_20260318", "name": "web_search"}, weather()]}));
    let written = loses(&body, &Abilities::default(), &[("/tools/0", LossKind::Dropped)]);
    assert_eq!(written["tools"].as_array().unwrap().len(), 1);
}

// === 5.3 ===

#[test]
fn arguments_that_are_empty_are_an_empty_object_and_others_must_be_one() {
    let turns = |arguments: &'static str| {
        let origin = Origin { message: 1, part: Some(0) };
        let kind = PartKind::ToolCall {
            id: "t".into(),
            name: "a".into(),
            arguments: arguments.into(),
            signature: None,
        };
        let said = Turn { speaker: Speaker::User, parts: vec![Part::text("hi")] };
        vec![said, Turn { speaker: Speaker::Assistant, parts: vec![Part::new(kind).at(origin)] }]
    };
    let (written, _) = write(&Chat { turns: turns(""), ..asked() }, &Abilities::default()).unwrap();
    assert_eq!(written["messages"][1]["content"][0]["input"], json!({}));
    for wrong in ["[1]", "{\"a\":", "nonsense", "7"] {
        let failure = write(&Chat { turns: turns(wrong), ..asked() }, &Abilities::default()).unwrap_err();
        assert_eq!(failure.param.as_deref(), Some("/messages/1/content/0"), "{wrong}");
    }
}

fn tool_turns(id: &'static str, name: &'static str, result: &'static str) -> Vec<Turn<'static>> {
    let call =
        PartKind::ToolCall { id: id.into(), name: name.into(), arguments: "{}".into(), signature: None };
    let result = PartKind::ToolResult {
        call: result.into(),
        name: Some(name.into()),
        content: vec![Part::text("ok")],
        is_error: false,
    };
    vec![
        Turn { speaker: Speaker::User, parts: vec![Part::text("hi")] },
        Turn { speaker: Speaker::Assistant, parts: vec![Part::new(call)] },
        Turn { speaker: Speaker::User, parts: vec![Part::new(result)] },
    ]
}

#[test]
fn ids_of_calls_fit_the_characters_that_are_allowed_and_pair_with_their_results() {
    for id in ["call_1", "functions.Bash:0", ""] {
        let chat = Chat { turns: tool_turns(id, "a", id), ..asked() };
        let (written, _) = write(&chat, &Abilities::default()).unwrap();
        let call = written["messages"][1]["content"][0]["id"].as_str().unwrap();
        assert!((1..=64).contains(&call.len()));
        assert!(call.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte)), "{call}");
        assert_eq!(written["messages"][2]["content"][0]["tool_use_id"], call);
    }
}

#[test]
fn results_come_first_in_one_message_and_text_after() {
    let body = called(&json!([{"type": "text", "text": "so"}, result("t2"), result("t1")]));
    let written = loses(&body, &Abilities::default(), &[]);
    let content = written["messages"][2]["content"].as_array().unwrap();
    let kinds: Vec<_> = content.iter().map(|block| block["type"].clone()).collect();
    assert_eq!(kinds, ["tool_result", "tool_result", "text"]);
    assert_eq!(content[0]["tool_use_id"], "t2");
}

#[test]
fn failed_results_say_so_and_may_have_images() {
    let image = json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}});
    let failed = json!({"type": "tool_result", "tool_use_id": "t2", "is_error": true, "content": [image]});
    keeps(&called(&json!([result("t1"), failed])));
}

#[test]
fn unanswered_calls_results_without_a_call_and_second_results_are_refused() {
    let unanswered = refused(&called(&json!([result("t1")])));
    assert_eq!(unanswered.param.as_deref(), Some("/messages/1/content/1"));
    let stray = refused(&called(&json!([result("t1"), result("t2"), result("t3")])));
    assert_eq!(stray.param.as_deref(), Some("/messages/2/content/2"));
    let twice = refused(&called(&json!([result("t1"), result("t2"), result("t1")])));
    assert_eq!(twice.param.as_deref(), Some("/messages/2/content/2"));
}

// === 5.4 ===

fn reasons(form: ReasoningForm) -> Abilities {
    let mut abilities = Abilities::default();
    (abilities.reasoning, abilities.output_tokens_max) = (form, Some(64_000));
    abilities
}

#[test]
fn an_effort_is_told_in_the_form_that_the_model_takes() {
    let budget = ("/thinking", LossKind::Approximated);
    let asked = with(&json!({"max_tokens": 32_000, "output_config": {"effort": "medium"}}));
    let written = loses(&asked, &reasons(ReasoningForm::Budget), &[budget]);
    assert_eq!(written["thinking"], json!({"type": "enabled", "budget_tokens": 8_192}));
    let written = loses(&asked, &reasons(ReasoningForm::Adaptive), &[]);
    assert_eq!(
        (&written["thinking"], &written["output_config"]),
        (&json!({"type": "adaptive"}), &json!({"effort": "medium"}))
    );
    let written = loses(&asked, &reasons(ReasoningForm::Effort), &[]);
    assert_eq!((written.get("thinking"), &written["output_config"]), (None, &json!({"effort": "medium"})));
    let written = loses(&asked, &reasons(ReasoningForm::Never), &[("/thinking", LossKind::Dropped)]);
    assert_eq!((written.get("thinking"), written.get("output_config")), (None, None));
}

#[test]
fn a_model_that_decides_itself_is_told_no_budget() {
    let body = with(&json!({"max_tokens": 32_000, "thinking": {"type": "enabled", "budget_tokens": 20_000}}));
    let written = loses(&body, &reasons(ReasoningForm::Adaptive), &[("/thinking", LossKind::Approximated)]);
    assert_eq!(written["thinking"], json!({"type": "adaptive"}));
    assert_eq!(written["output_config"], json!({"effort": "high"}));
}

#[test]
fn a_budget_is_at_least_1024_and_below_the_cap() {
    let budget = |budget: u64, cap: Option<u64>| {
        let reasoning = Some(Reasoning { budget: Some(budget), ..Reasoning::default() });
        let chat = Chat { reasoning, output_cap: cap, ..asked() };
        let mut abilities = Abilities::default();
        abilities.reasoning = ReasoningForm::Budget;
        let written = write(&chat, &abilities).unwrap().0;
        (written["thinking"]["budget_tokens"].as_u64(), written["max_tokens"].as_u64().unwrap())
    };
    assert_eq!(budget(100, Some(9_000)), (Some(1_024), 9_000), "it is raised to the least");
    assert_eq!(budget(8_000, Some(4_000)), (Some(2_000), 4_000), "a caller's cap holds");
    assert_eq!(budget(8_000, Some(500)), (None, 500), "no room is left for it");
    assert_eq!(budget(8_000, None), (Some(8_000), 12_096), "a cap that nobody asked for is raised");
}

#[test]
fn reasoning_leaves_the_temperature_alone() {
    let body = with(&json!({"max_tokens": 9_000, "temperature": 0.5, "top_k": 4, "top_p": 0.5,
        "thinking": {"type": "enabled", "budget_tokens": 2_000}}));
    let dropped =
        [("/temperature", LossKind::Dropped), ("/top_k", LossKind::Dropped), ("/top_p", LossKind::Dropped)];
    let written = loses(&body, &Abilities::default(), &dropped);
    assert_eq!(written.get("temperature"), None);
}

#[test]
fn signed_reasoning_is_replayed_byte_by_byte_in_its_place() {
    let content = json!([
        {"type": "thinking", "thinking": " a\n", "signature": "EqQBCg/+="},
        {"type": "redacted_thinking", "data": "b64/+="},
        call("t1"),
        {"type": "thinking", "thinking": "", "signature": "x"},
        call("t2"),
    ]);
    let mut body = called(&json!([result("t1"), result("t2")]));
    body["messages"][1]["content"] = content.clone();
    let written = loses(&body, &Abilities::default(), &[]);
    assert_eq!(written["messages"][1]["content"], content);
}

#[test]
fn reasoning_that_another_provider_signed_is_dropped_and_reported() {
    let seal = Signature { data: "s".into(), from: Dialect::GoogleGenerate };
    let place = |part| Origin { message: 1, part: Some(part) };
    let parts = vec![
        Part::new(PartKind::Reasoning { text: "a".into(), signature: Some(seal.clone()) }).at(place(0)),
        Part::new(PartKind::Reasoning { text: "a".into(), signature: None }).at(place(1)),
        Part::new(PartKind::SealedReasoning(seal)).at(place(2)),
        Part::text("b"),
    ];
    let mut turns = asked().turns;
    turns.push(Turn { speaker: Speaker::Assistant, parts });
    turns.extend(asked().turns);
    let (written, losses) = write(&Chat { turns, ..asked() }, &Abilities::default()).unwrap();
    assert_eq!(written["messages"][1]["content"], json!([{"type": "text", "text": "b"}]));
    let fields: Vec<_> = losses.iter().map(|loss| loss.field.as_ref()).collect();
    assert_eq!(fields, ["/messages/1/content/0", "/messages/1/content/1", "/messages/1/content/2"]);
}

#[test]
fn a_budget_is_given_up_where_the_model_would_miss_its_reasoning_before_a_call() {
    let mut body = called(&json!([result("t1"), result("t2")]));
    body["max_tokens"] = json!(9_000);
    body["thinking"] = json!({"type": "enabled", "budget_tokens": 2_000});
    let written = loses(&body, &Abilities::default(), &[("/thinking", LossKind::Dropped)]);
    assert_eq!(written["thinking"], json!({"type": "disabled"}));
    body["messages"][1]["content"] =
        json!([{"type": "thinking", "thinking": "a", "signature": "s"}, call("t1"), call("t2")]);
    let written = loses(&body, &Abilities::default(), &[]);
    assert_eq!(written["thinking"]["budget_tokens"], 2_000);
}

#[test]
fn a_seal_of_another_dialect_travels_through_a_client_and_back() {
    let seal = |data: &'static str| Signature { data: data.into(), from: Dialect::GoogleGenerate };
    let parts = vec![
        Part::new(PartKind::Reasoning { text: "a".into(), signature: Some(seal("one")) }),
        Part::new(PartKind::ToolCall {
            id: "t".into(),
            name: "f".into(),
            arguments: "{}".into(),
            signature: Some(seal("two.")),
        }),
    ];
    let choice = gatewright::chat::AnswerChoice { parts: parts.clone(), finish: None };
    let answer = gatewright::chat::Answer { choices: vec![choice], ..Default::default() };
    let answer = crate::support::json(&chat_codec().write_answer(&answer, &crate::support::envelope()));
    let body = with(&json!({"messages": [user("hi"), {"role": "assistant", "content": answer["content"]}]}))
        .to_string();
    let chat = chat_codec().read_request(body.as_bytes()).unwrap();
    let kinds = |parts: &[Part<'_>]| parts.iter().map(|part| format!("{:?}", part.kind)).collect::<Vec<_>>();
    assert_eq!(kinds(&chat.turns[1].parts), kinds(&parts));
}

#[test]
fn reasoning_that_no_provider_of_the_dialect_has_signed_is_named_so_that_it_can_be_left_out() {
    let thinking = |signature: &str| json!({"type": "thinking", "thinking": "a", "signature": signature});
    let text = json!({"type": "text", "text": "b"});
    let body = with(&json!({"messages": [
        user("hi"),
        {"role": "assistant", "content": [thinking(""), text, thinking("gw.google_generate.x"), thinking("EqQB")]},
        user("so"),
        {"role": "assistant", "content": [{"type": "redacted_thinking", "data": "gw.bedrock_converse.y"}]},
        user("and"),
    ]}));
    let found = |body: &Value| {
        let request = messages().decode_request(body.to_string().into()).unwrap();
        chat_codec().foreign(&*request)
    };
    assert_eq!(found(&body), ["/messages/3", "/messages/1/content/2", "/messages/1/content/0"]);
    assert!(found(&with(&json!({}))).is_empty());
}

// === 5.5 ===

#[test]
fn what_is_no_image_or_document_is_reported_as_lost_and_the_order_is_kept() {
    use gatewright::chat::{Media, MediaKind, MediaSource};
    let media = |kind, mime: &'static str, data: &'static str| {
        let source = MediaSource::Base64(data.into());
        Part::new(PartKind::Media(Media { kind, mime: Some(mime.into()), source, name: None, detail: None }))
    };
    let parts = vec![
        Part::text("a"),
        media(MediaKind::Image, "image/jpg", "/9j/"),
        Part::text("b"),
        media(MediaKind::Audio, "audio/wav", "UklG").at(Origin { message: 0, part: Some(3) }),
        media(MediaKind::Image, "image/bmp", "Qk0=").at(Origin { message: 0, part: Some(4) }),
        Part::text("c"),
    ];
    let chat = Chat { turns: vec![Turn { speaker: Speaker::User, parts }], ..asked() };
    let (written, losses) = write(&chat, &Abilities::default()).unwrap();
    let content = written["messages"][0]["content"].as_array().unwrap();
    let kinds: Vec<_> = content.iter().map(|block| block["type"].clone()).collect();
    assert_eq!(kinds, ["text", "image", "text", "text"]);
    assert_eq!(content[1]["source"]["media_type"], "image/jpeg");
    let fields: Vec<_> = losses.iter().map(|loss| loss.field.as_ref()).collect();
    assert_eq!(fields, ["/messages/0/content/3", "/messages/0/content/4"]);
}

#[test]
fn addresses_are_lost_where_the_model_fetches_none() {
    let image = json!({"type": "image", "source": {"type": "url", "url": "https://x.test/a.png"}});
    let body =
        with(&json!({"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, image]}]}));
    let mut abilities = Abilities::default();
    abilities.fetches_urls = false;
    loses(&body, &abilities, &[("/messages/0/content/1", LossKind::Dropped)]);
}

// === 5.9 ===

#[test]
fn a_schema_is_closed_where_the_provider_wants_it_so_and_that_is_reported() {
    let schema =
        r#"{"type":"object","properties":{"a":{"type":"object"},"type":{"enum":[{"type":"object"}]}}}"#;
    let format = OutputFormat::Schema {
        name: Some("n".into()),
        description: None,
        schema: schema.into(),
        strict: None,
    };
    let (written, losses) = write(&Chat { format: Some(format), ..asked() }, &Abilities::default()).unwrap();
    let expected = json!({"type": "object", "additionalProperties": false, "properties": {
        "a": {"type": "object", "additionalProperties": false},
        "type": {"enum": [{"type": "object"}]},
    }});
    assert_eq!(written["output_config"]["format"], json!({"type": "json_schema", "schema": expected}));
    assert_eq!(losses[0].kind, LossKind::Approximated);
}

#[test]
fn a_form_that_the_model_is_not_held_to_comes_about_by_a_tool_and_is_unwrapped() {
    let schema = r#"{"type":"object","properties":{"a":{"type":"integer"}}}"#;
    let format = OutputFormat::Schema { name: None, description: None, schema: schema.into(), strict: None };
    let mut abilities = Abilities::default();
    abilities.holds_to_schema = false;
    let chat = Chat { format: Some(format.clone()), ..asked() };
    let (written, losses) = write(&chat, &abilities).unwrap();
    assert_eq!(losses[0].kind, LossKind::Emulated);
    let name = written["tools"][0]["name"].clone();
    assert_eq!(
        written["tool_choice"],
        json!({"type": "tool", "name": name, "disable_parallel_tool_use": true})
    );
    let answer = json!({"content": [{"type": "tool_use", "id": "t", "name": name, "input": {"a": 1}}], "stop_reason": "tool_use"});
    let answer = answer.to_string();
    let answer = chat_codec().read_answer(answer.as_bytes()).unwrap();
    assert_eq!(answer.choices[0].parts[0].as_text(), Some(r#"{"a":1}"#));
    assert_eq!(answer.choices[0].finish, Some(gatewright::FinishReason::Stop));
    let with_tools = Chat { format: Some(format), tools: vec![function("a", None)], ..asked() };
    assert_eq!(
        write(&with_tools, &abilities).unwrap().0["tool_choice"],
        json!({"type": "any"}),
        "either will do"
    );
}

#[test]
fn json_without_a_schema_is_asked_for_in_words() {
    let chat = Chat { format: Some(OutputFormat::Json), ..asked() };
    let (written, losses) = write(&chat, &Abilities::default()).unwrap();
    assert!(written["system"][0]["text"].as_str().unwrap().contains("JSON"));
    assert_eq!(losses[0].kind, LossKind::Emulated);
}

// === 5.10 ===

#[test]
fn a_cap_is_always_sent_and_never_more_than_the_model_makes() {
    let cap = |asked_for: Option<u64>, known: Option<u64>| {
        let mut abilities = Abilities::default();
        abilities.output_tokens_max = known;
        let chat = Chat { output_cap: asked_for, ..asked() };
        let (written, losses) = write(&chat, &abilities).unwrap();
        (written["max_tokens"].as_u64().unwrap(), losses.len())
    };
    assert_eq!(cap(None, None), (4_096, 0));
    assert_eq!(cap(None, Some(64_000)), (64_000, 0));
    assert_eq!(cap(Some(10), Some(64_000)), (10, 0));
    assert_eq!(cap(Some(100_000), Some(64_000)), (64_000, 1));
}

#[test]
fn a_temperature_above_one_is_clamped_and_reported() {
    let written = loses(
        &with(&json!({"temperature": 1.5})),
        &Abilities::default(),
        &[("/temperature", LossKind::Approximated)],
    );
    assert_eq!(written["temperature"], json!(1));
}

#[test]
fn parameters_that_the_model_refuses_are_left_out() {
    let mut abilities = Abilities::default();
    abilities.refuses = vec![Param::Temperature, Param::TopP, Param::TopK];
    let dropped =
        [("/temperature", LossKind::Dropped), ("/top_k", LossKind::Dropped), ("/top_p", LossKind::Dropped)];
    loses(&with(&json!({"temperature": 0.5, "top_p": 0.5, "top_k": 5})), &abilities, &dropped);
}

#[test]
fn a_temperature_wins_over_nucleus_sampling() {
    let body = with(&json!({"temperature": 0.5, "top_p": 0.5}));
    let written = loses(&body, &Abilities::default(), &[("/top_p", LossKind::Dropped)]);
    assert_eq!(written["temperature"], json!(0.5));
}

#[test]
fn stop_strings_of_white_space_alone_are_dropped() {
    let body = with(&json!({"stop_sequences": ["\n\n", "END", ""]}));
    let written = loses(&body, &Abilities::default(), &[("/stop_sequences", LossKind::Dropped)]);
    assert_eq!(written["stop_sequences"], json!(["END"]));
}

#[test]
fn parameters_of_other_dialects_are_reported_unless_they_ask_for_nothing() {
    let setting = |param, value: &'static str| Setting { param, value: value.into() };
    let mut chat = asked();
    chat.sampling.seed = Some("7".into());
    chat.sampling.frequency_penalty = Some("0".into());
    chat.choices = 3;
    chat.settings = vec![
        setting(Param::LogitBias, r#"{"1":2}"#),
        setting(Param::Logprobs, "false"),
        setting(Param::Store, "false"),
        setting(Param::Modalities, r#"["text"]"#),
        setting(Param::ServiceTier, r#""flex""#),
        setting(Param::EndUser, r#""u""#),
    ];
    let name = |place: &gatewright::chat::Place<'_>| format!("{place:?}");
    let mut losses = gatewright::chat::Losses::new(false, &name);
    let body = chat_codec().write_request(&chat, &Abilities::default(), &mut losses).unwrap();
    let fields: Vec<_> = losses.into_found().into_iter().map(|loss| loss.field).collect();
    assert_eq!(fields, ["Param(Choices)", "Param(LogitBias)", "Param(Seed)", "Param(ServiceTier)"]);
    assert_eq!(crate::support::json(&body)["metadata"], json!({"user_id": "u"}));
}

#[test]
fn no_more_cache_marks_are_sent_than_the_api_takes_and_the_last_ones_stay() {
    let block = |text: &str| json!({"type": "text", "text": text, "cache_control": {"type": EPHEMERAL}});
    let content: Vec<_> = ["a", "b", "c", "d", "e"].map(block).into();
    let body = with(&json!({"messages": [{"role": "user", "content": content}]}));
    let written = loses(&body, &Abilities::default(), &[("/messages/0/content/0", LossKind::Dropped)]);
    assert_eq!(written["messages"][0]["content"][0].get("cache_control"), None);
    assert_eq!(written["messages"][0]["content"][4]["cache_control"], json!({"type": EPHEMERAL}));
}

#[test]
fn members_that_no_other_dialect_has_are_reported() {
    let body = with(&json!({"container": "c", "metadata": {"user_id": "u", "x": 1}}));
    let written = loses(
        &body,
        &Abilities::default(),
        &[("/container", LossKind::Dropped), ("/metadata/x", LossKind::Dropped)],
    );
    assert_eq!(written.get("container"), None);
}

#[test]
fn a_word_for_the_least_effort_is_the_nearest_that_there_is() {
    let reasoning = Some(Reasoning { effort: Some(Effort::Minimal), ..Reasoning::default() });
    let (written, losses) = write(&Chat { reasoning, ..asked() }, &reasons(ReasoningForm::Adaptive)).unwrap();
    assert_eq!(written["output_config"]["effort"], "low");
    assert_eq!(losses[0].kind, LossKind::Approximated);
}
