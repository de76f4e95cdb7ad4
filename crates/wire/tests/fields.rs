//! What a field of a request must be where it goes into another dialect, and under which name it is lost or refused.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails, helpers included")]

use gatewright::FailureKind;
use gatewright::chat::{Losses, Param, Part, PartKind, Place};
use gatewright::dialect::{Abilities, Dialect};
use gatewright_wire::codec;

#[track_caller]
fn refused(dialect: Dialect, body: &str, field: &str) {
    let failure = codec(dialect).chat().unwrap().read_request(body.as_bytes()).unwrap_err();
    assert_eq!((failure.kind, failure.param.as_deref()), (FailureKind::Invalid, Some(field)), "{body}");
    assert!(failure.message.contains(field) && failure.message.contains("must be"), "{}", failure.message);
}

#[test]
fn a_field_of_the_wrong_kind_is_refused_by_its_name() {
    for (member, field) in [
        (r#""temperature":"hot""#, "/temperature"),
        (r#""top_p":[]"#, "/top_p"),
        (r#""max_tokens":"many""#, "/max_tokens"),
        (r#""max_completion_tokens":1.5"#, "/max_completion_tokens"),
        (r#""n":-1"#, "/n"),
        (r#""stop":[1]"#, "/stop"),
        (r#""tools":"all""#, "/tools"),
        (r#""parallel_tool_calls":"no""#, "/parallel_tool_calls"),
    ] {
        refused(Dialect::OpenAiChat, &format!(r#"{{"messages":[],{member}}}"#), field);
    }
    refused(Dialect::OpenAiResponses, r#"{"input":"a","temperature":"hot"}"#, "/temperature");
    refused(Dialect::OpenAiResponses, r#"{"input":7}"#, "/input");
    refused(Dialect::AnthropicMessages, r#"{"messages":[],"max_tokens":"x"}"#, "/max_tokens");
    refused(Dialect::AnthropicMessages, r#"{"messages":[],"stop_sequences":"x"}"#, "/stop_sequences");
    refused(
        Dialect::GoogleGenerate,
        r#"{"contents":[],"generation_config":{"top_k":"x"}}"#,
        "/generation_config/top_k",
    );
    refused(
        Dialect::BedrockConverse,
        r#"{"messages":[],"inferenceConfig":{"maxTokens":"x"}}"#,
        "/inferenceConfig/maxTokens",
    );
}

#[test]
fn null_is_as_if_a_field_were_not_there() {
    let body = br#"{"messages":[],"temperature":null,"stop":null,"tools":null,"n":null}"#;
    let chat = codec(Dialect::OpenAiChat).chat().unwrap().read_request(body).unwrap();
    assert_eq!((chat.sampling.temperature, chat.stop.len()), (None, 0));
}

#[test]
fn a_parameter_is_called_as_the_caller_wrote_it() {
    let spelling = |dialect, body: &str, param| {
        let chat = codec(dialect).chat().unwrap().read_request(body.as_bytes()).unwrap();
        chat.spelling(param).map(str::to_owned)
    };
    let chat = |body: &str, param| spelling(Dialect::OpenAiChat, body, param);
    assert_eq!(chat(r#"{"max_tokens":9}"#, Param::OutputCap).as_deref(), Some("/max_tokens"));
    assert_eq!(chat(r#"{"max_tokens":9,"max_completion_tokens":8}"#, Param::OutputCap), None);
    assert_eq!(chat(r#"{"safety_identifier":"u"}"#, Param::EndUser).as_deref(), Some("/safety_identifier"));
    assert_eq!(chat(r#"{"function_call":"none"}"#, Param::ToolChoice).as_deref(), Some("/function_call"));
    let google = |body: &str| spelling(Dialect::GoogleGenerate, body, Param::TopK);
    let snake = r#"{"generation_config":{"top_k":4}}"#;
    assert_eq!(google(snake).as_deref(), Some("/generation_config/top_k"));
    assert_eq!(google(r#"{"generationConfig":{"topK":4}}"#), None);
}

#[test]
fn a_conversation_of_which_nothing_is_left_is_refused() {
    for dialect in [Dialect::OpenAiChat, Dialect::OpenAiResponses] {
        let codec = codec(dialect).chat().unwrap();
        let name = |place: &Place<'_>| codec.pointer(place);
        let turn =
            gatewright::chat::Turn { speaker: gatewright::chat::Speaker::User, parts: vec![Part::text("")] };
        let chat = gatewright::chat::Chat { turns: vec![turn], ..Default::default() };
        let written = codec.write_request(&chat, &Abilities::default(), &mut Losses::new(false, &name));
        let failure = written.unwrap_err();
        assert!(
            failure.param.is_some() && failure.message.contains("nothing is left"),
            "{}",
            failure.message
        );
    }
}

#[test]
fn an_image_that_nobody_fetches_is_what_is_refused() {
    let (chat, converse) =
        (codec(Dialect::OpenAiChat).chat().unwrap(), codec(Dialect::BedrockConverse).chat().unwrap());
    let body = br#"{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://x.test/a.png"}}]}]}"#;
    let request = chat.read_request(body).unwrap();
    let name = |place: &Place<'_>| chat.pointer(place);
    let failure =
        converse.write_request(&request, &Abilities::default(), &mut Losses::new(false, &name)).unwrap_err();
    assert_eq!(failure.param.as_deref(), Some("/messages/0/content/0"));
    assert!(failure.message.contains("`data:` URL"), "{}", failure.message);
}

#[test]
fn names_that_a_provider_does_not_take_go_under_another_and_come_back() {
    let google = br#"{"contents":[{"role":"user","parts":[{"text":"a"}]}],
        "tools":[{"functionDeclarations":[{"name":"files.read:all"},{"name":"plain_name"}]}],
        "toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["files.read:all"]}}}"#;
    let chat = codec(Dialect::GoogleGenerate).chat().unwrap().read_request(google).unwrap();
    for (dialect, answer) in [
        (
            Dialect::OpenAiChat,
            r#"{"choices":[{"message":{"tool_calls":[{"id":"c","type":"function","function":{"name":"@","arguments":"{}"}}]}}]}"#,
        ),
        (
            Dialect::OpenAiResponses,
            r#"{"output":[{"type":"function_call","call_id":"c","name":"@","arguments":"{}"}]}"#,
        ),
    ] {
        let codec = codec(dialect).chat().unwrap();
        let name = |place: &Place<'_>| codec.pointer(place);
        let written =
            codec.write_request(&chat, &Abilities::default(), &mut Losses::new(false, &name)).unwrap();
        let written = String::from_utf8(written.to_vec()).unwrap();
        assert!(!written.contains("files.read") && written.contains("plain_name"), "{written}");
        let (_, from_alias) = written.split_once("gw1-").unwrap();
        let alias = format!("gw1-{}", from_alias.split('"').next().unwrap());
        assert_eq!(written.matches(&alias).count(), 2, "declared and chosen: {written}");
        let answer = answer.replace('@', &alias);
        let answer = codec.read_answer(answer.as_bytes()).unwrap();
        let PartKind::ToolCall { name, .. } = &answer.choices[0].parts[0].kind else { panic!("{answer:?}") };
        assert_eq!(name, "files.read:all");
    }
}

#[test]
fn code_that_a_model_runs_is_in_the_whole_answer_as_in_the_stream() {
    let answer = br#"{"candidates":[{"content":{"parts":[{"text":"see "},
        {"executableCode":{"language":"PYTHON","code":"print(1)"}},
        {"codeExecutionResult":{"outcome":"OUTCOME_OK","output":"1\n"}}]},"finishReason":"STOP"}]}"#;
    let codec = codec(Dialect::GoogleGenerate);
    let whole = codec.chat().unwrap().read_answer(answer).unwrap();
    let whole: String = whole.choices[0].parts.iter().filter_map(|part| part.as_text()).collect();
    let mut decoder = codec.stream_decoder();
    let data = String::from_utf8(answer.to_vec()).unwrap().replace('\n', "");
    decoder.push(format!("data: {data}\n\n").into());
    let frame = decoder.next_frame().unwrap().unwrap();
    let mut events = Vec::new();
    decoder.events(&frame, &mut events).unwrap();
    let streamed: String =
        events.iter().filter_map(|event| event.text()).map(|(_, text)| text.to_owned()).collect();
    assert_eq!((whole.as_str(), streamed.as_str()), ("see print(1)1\n", "see print(1)1\n"));
}
