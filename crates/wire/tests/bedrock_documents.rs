//! Requests, answers and errors of Amazon Bedrock's Converse as documents.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails, helpers included")]

use bytes::Bytes;
use gatewright::dialect::{Address, AnswerDocument, Codec, Dialect, ErrorBody, ErrorClass, RequestDocument};
use gatewright::text::{Lane, LaneKind};
use gatewright::{FailureKind, Placement, Role, TextKind};
use gatewright_wire::codec;
use http::{HeaderMap, StatusCode};
use proptest::prelude::*;

fn converse() -> &'static dyn Codec {
    codec(Dialect::BedrockConverse)
}

fn request(text: &str) -> Box<dyn RequestDocument> {
    let address = Address { model: Some("m:0".into()), streams: Some(true), ..Address::default() };
    converse().decode_request_at(Bytes::copy_from_slice(text.as_bytes()), &address).unwrap()
}

fn answer(text: &str) -> Box<dyn AnswerDocument> {
    converse().decode_answer(Bytes::copy_from_slice(text.as_bytes())).unwrap()
}

fn body(document: &dyn RequestDocument) -> String {
    String::from_utf8(document.to_body().to_vec()).unwrap()
}

const REQUEST: &str = r#"{"system":[{"text":"s"},{"guardContent":{"text":{"text":"g"}}}],"messages":[
  {"content":[{"text":"u"},{"image":{"format":"png","source":{"bytes":"QQ=="}}},
    {"document":{"format":"txt","name":"n","context":"c","source":{"content":[{"text":"d"}]}}}],"role":"user"},
  {"role":"assistant","content":[{"reasoningContent":{"reasoningText":{"text":"r","signature":"x"}}},
    {"text":"a"},{"toolUse":{"toolUseId":"t","name":"f","input":{"k": "v"}}}]},
  {"role":"user","content":[{"toolResult":{"toolUseId":"t","content":[{"json":{"j":1}},{"text":"o"}]}}]}],
  "toolConfig":{"tools":[{"toolSpec":{"name":"f","description":"td","inputSchema":{"json":{"properties":
    {"k":{"description":"kd"}}}}}},{"cachePoint":{"type":"default"}}]},
  "inferenceConfig":{"maxTokens":77},"promptVariables":{"v":{"text":"p"}},"odd":1e400}"#;

#[test]
fn the_path_names_the_model_and_says_whether_the_answer_is_a_stream() {
    let mut document = request(REQUEST);
    assert_eq!((document.model(), document.streams(), document.output_cap()), ("m:0", true, Some(77)));
    assert!(document.wants_stream_usage());
    document.set_model("arn:aws:bedrock:x");
    document.require_stream_usage();
    assert_eq!((document.model(), body(&*document)), ("arn:aws:bedrock:x", REQUEST.to_owned()));
    document.set_whole();
    assert!(!document.streams());
    let nameless = converse().decode_request(Bytes::from_static(b"{}")).unwrap_err();
    assert_eq!(nameless.param.as_deref(), Some("model"));
}

#[test]
fn texts_are_shown_in_order_with_who_says_them_but_for_signed_reasoning() {
    let mut seen = Vec::new();
    request(REQUEST)
        .for_each_text(&mut |part| seen.push((part.role, part.kind, part.text.to_owned())))
        .unwrap();
    let seen: Vec<_> = seen.iter().map(|(role, kind, text)| (*role, *kind, text.as_str())).collect();
    use TextKind::{Content, Input, ToolArguments, ToolDescription};
    assert_eq!(
        seen,
        [
            (Role::System, Content, "s"),
            (Role::System, Content, "g"),
            (Role::User, Content, "u"),
            (Role::User, Content, "c"),
            (Role::User, Content, "d"),
            (Role::Assistant, Content, "a"),
            (Role::Assistant, ToolArguments, r#"{"k": "v"}"#),
            (Role::Tool, Content, r#"{"j":1}"#),
            (Role::Tool, Content, "o"),
            (Role::System, ToolDescription, "td"),
            (Role::System, ToolDescription, "kd"),
            (Role::User, Input, "p"),
        ]
    );
}

#[test]
fn edited_texts_leave_everything_else_as_it_came() {
    let mut document = request(REQUEST);
    let replaced = document.edit_texts(&mut |part| match part.text {
        "u" => Some("U\"".to_owned()),
        r#"{"k": "v"}"# => Some(r#"{"k": "*"}"#.to_owned()),
        r#"{"j":1}"# => Some("no json".to_owned()),
        _ => None,
    });
    assert_eq!(replaced, Ok(3));
    let expected = REQUEST
        .replace(r#""u""#, r#""U\"""#)
        .replace(r#"{"k": "v"}"#, r#"{"k": "*"}"#)
        .replace(r#"{"j":1}"#, r#""no json""#);
    assert_eq!(body(&*document), expected);
}

#[test]
fn texts_are_put_into_blocks_so_that_roles_still_alternate() {
    let put = |text: &str, role, at| {
        let mut document = request(text);
        document.insert_text(role, at, "n").unwrap();
        body(&*document)
    };
    let chat = r#"{"messages":[{"role":"user","content":[{"text":"u"}]}]}"#;
    let user = |blocks: &str| format!(r#"{{"messages":[{{"role":"user","content":[{blocks}]}}]}}"#);
    assert_eq!(put(chat, Role::User, Placement::First), user(r#"{"text":"n"},{"text":"u"}"#));
    assert_eq!(put(chat, Role::User, Placement::Last), user(r#"{"text":"u"},{"text":"n"}"#));
    let system = chat.replacen('{', r#"{"system":[{"text":"n"}],"#, 1);
    assert_eq!(put(chat, Role::System, Placement::Last), system);
    let with_system = chat.replacen('{', r#"{"system":[{"text":"s"}],"#, 1);
    let expected = chat.replacen('{', r#"{"system":[{"text":"s"},{"text":"n"}],"#, 1);
    assert_eq!(put(&with_system, Role::System, Placement::Last), expected);
    let begun =
        r#"{"messages":[{"role":"user","content":[{"text":"u"}]},{"role":"assistant","content":[]}]}"#;
    assert!(
        put(begun, Role::User, Placement::Last).ends_with(r#"{"role":"user","content":[{"text":"n"}]}]}"#)
    );
    let results = r#"{"messages":[{"role":"user","content":[{"toolResult":{}}]}]}"#;
    assert!(put(results, Role::User, Placement::First).contains(r#"{"toolResult":{}},{"text":"n"}"#));
    assert!(request(chat).insert_text(Role::Assistant, Placement::Last, "n").is_err());
}

#[test]
fn messages_tools_images_and_files_are_counted() {
    let counts = request(REQUEST).counts();
    assert_eq!((counts.messages, counts.tools, counts.images, counts.files), (3, 1, 1, 1));
}

#[test]
fn wrong_requests_are_refused_with_their_field() {
    let address = Address { model: Some("m".into()), streams: None, ..Address::default() };
    for (text, param) in [
        (r#"{"messages":[]}"#, "messages"),
        (r#"{"messages":1}"#, "messages"),
        (r#"{"inferenceConfig":{"maxTokens":"x"}}"#, "inferenceConfig.maxTokens"),
    ] {
        let refused =
            converse().decode_request_at(Bytes::from_static(text.as_bytes()), &address).unwrap_err();
        assert_eq!(refused.param.as_deref(), Some(param), "{text}");
    }
}

const ANSWER: &str = r#"{"metrics":{"latencyMs":1},"output":{"message":{"content":[
  {"reasoningContent":{"reasoningText":{"signature":"x","text":"r"}}},{"text":"a"},
  {"toolUse":{"input":{"b": 1.50},"name":"f","toolUseId":"t"}},
  {"citationsContent":{"content":[{"text":"c"}],"citations":[]}}],"role":"assistant"}},
  "stopReason":"tool_use","usage":{"inputTokens":3,"outputTokens":4,"totalTokens":7}}"#;

#[test]
fn an_answer_shows_its_texts_and_keeps_the_rest_when_one_is_edited() {
    let mut document = answer(ANSWER);
    let mut seen = Vec::new();
    document.for_each_text(&mut |lane, text| seen.push((lane.kind, text.to_owned())));
    let call = Lane::tool_arguments(0, 0).kind;
    let expected = [
        (LaneKind::Reasoning, "r"),
        (LaneKind::Content, "a"),
        (call, r#"{"b": 1.50}"#),
        (LaneKind::Content, "c"),
    ];
    assert_eq!(seen, expected.map(|(kind, text)| (kind, text.to_owned())));
    assert_eq!(document.usage().map(|usage| (usage.input, usage.output)), Some((3, 4)));
    document
        .edit_texts(&mut |lane, text| match lane.kind {
            LaneKind::Content => Some(text.to_uppercase()),
            LaneKind::ToolArguments { .. } => Some(String::new()),
            _ => None,
        })
        .unwrap();
    let expected = ANSWER
        .replace(r#""text":"a""#, r#""text":"A""#)
        .replace(r#""text":"c""#, r#""text":"C""#)
        .replace(r#"{"b": 1.50}"#, "{}");
    assert_eq!(document.to_body(), expected);
}

#[test]
fn what_is_no_answer_is_a_failure_of_the_provider() {
    for text in ["{}", r#"{"output":{}}"#, "[]", "", "<html>"] {
        let failure = converse().decode_answer(Bytes::from_static(text.as_bytes())).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Malformed, "{text}");
    }
}

#[test]
fn answers_of_failures_have_the_class_that_header_or_body_names() {
    let class = |status: u16, header: &str, body: &str| {
        let mut headers = HeaderMap::new();
        if !header.is_empty() {
            headers.insert("x-amzn-errortype", header.parse().unwrap());
        }
        converse().parse_error(StatusCode::from_u16(status).unwrap(), &headers, body.as_bytes()).kind
    };
    let said = |text: &str| format!(r#"{{"message":"{text}"}}"#);
    for (status, header, body, kind) in [
        (429, "ThrottlingException:http://internal.amazon.com/", said("slow"), FailureKind::RateLimited),
        (429, "ModelNotReadyException", said("wait"), FailureKind::Overloaded),
        (503, "ServiceUnavailableException", said("busy"), FailureKind::Overloaded),
        (403, "AccessDeniedException", said("no"), FailureKind::UpstreamAuth),
        (403, "UnrecognizedClientException", said("no"), FailureKind::UpstreamAuth),
        (403, "", r#"{"Message":"Missing Authentication Token"}"#.to_owned(), FailureKind::UpstreamAuth),
        (404, "ResourceNotFoundException", said("none"), FailureKind::ModelNotFound),
        (408, "ModelTimeoutException", said("late"), FailureKind::Timeout),
        (424, "ModelErrorException", said("ill"), FailureKind::UpstreamError),
        (400, "ServiceQuotaExceededException", said("full"), FailureKind::QuotaExhausted),
        (400, "ValidationException", said("bad"), FailureKind::Invalid),
        (
            400,
            "ValidationException",
            said("Input is too long for requested model."),
            FailureKind::ContextTooLong,
        ),
        (400, "ValidationException", said("prompt is too long: 5 > 4"), FailureKind::ContextTooLong),
        (
            400,
            "ValidationException",
            said("The provided model identifier is invalid."),
            FailureKind::ModelNotFound,
        ),
        (400, "", r#"{"__type":"ThrottlingException","message":"x"}"#.to_owned(), FailureKind::RateLimited),
        (500, "", "<html>".to_owned(), FailureKind::UpstreamError),
    ] {
        assert_eq!(class(status, header, &body), kind, "{status} {header} {body}");
    }
}

#[test]
fn account_ids_and_addresses_stay_out_of_what_a_caller_reads() {
    let body = br#"{"message":"bad model arn:aws:bedrock:eu-west-1:123456789012:inference-profile/x here"}"#;
    let mut headers = HeaderMap::new();
    headers.insert("x-amzn-errortype", "ValidationException".parse().unwrap());
    let failure = converse().parse_error(StatusCode::BAD_REQUEST, &headers, body);
    assert_eq!(failure.message, "bad model [redacted] here");
    assert_eq!(failure.code.as_deref(), Some("ValidationException"));
}

#[test]
fn errors_for_clients_have_the_dialects_class_and_message() {
    let error = |class| ErrorBody {
        status: StatusCode::BAD_REQUEST,
        class,
        code: Some("x".into()),
        message: "change it".into(),
        param: Some("messages".into()),
        request_id: None,
        retry_after: None,
    };
    let rendered = converse().render_error(&error(ErrorClass::InvalidRequest));
    let expected =
        r#"{"__type":"ValidationException","message":"change it","reason":"x","param":"messages"}"#;
    assert_eq!(rendered, expected);
    let rendered = converse().render_error(&error(ErrorClass::RateLimit));
    assert!(rendered.starts_with(br#"{"__type":"ThrottlingException""#));
}

proptest! {
    #[test]
    fn any_text_is_taken_or_refused_without_a_panic(text in "\\PC{0,80}", place in 0usize..600, byte in 32u8..127) {
        let address = Address { model: Some("m".into()), streams: None, ..Address::default() };
        let mut damaged = REQUEST.as_bytes().to_vec();
        damaged[place] = byte;
        for bytes in [text.into_bytes(), damaged] {
            let Ok(mut document) = converse().decode_request_at(bytes.clone().into(), &address) else { continue };
            let before = document.to_body();
            prop_assert_eq!(&before[..], &bytes[..]);
            if document.edit_texts(&mut |part| Some(part.text.to_uppercase())).is_ok() {
                let address = Address { model: Some("m".into()), streams: None, ..Address::default() };
                prop_assert!(converse().decode_request_at(document.to_body(), &address).is_ok());
            }
        }
    }
}
