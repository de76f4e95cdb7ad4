//! Requests as documents: what is read, what an edit changes and what it leaves.

use bytes::Bytes;
use gatewright::dialect::{Operation, RequestDocument};
use gatewright::{LlmRequest, Placement, Role, TextKind};
use gatewright_wire::anthropic_messages;

use crate::support::{json, messages};

const BODY: &str = concat!(
    "{ \"model\":\"m-1\",\"max_tokens\":7, \"x\":1e400,\"stream\":true,\"system\":[{\"type\":\"text\",\"text\":\"be kind\",",
    "\"cache_control\":{\"type\":\"ephemeral\"}}],\"messages\":[ {\"content\":\"caf\\u00e9\",\"role\":\"user\"},",
    "{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"hm\",\"signature\":\"s\"},",
    "{\"type\":\"text\",\"text\":\"I look\"},{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"f\",\"input\":{ \"q\":\"caf\\u00e9\"}}]},",
    "{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"t\",\"content\":[{\"type\":\"text\",\"text\":\"found\"},",
    "{\"type\":\"image\",\"source\":{\"type\":\"base64\",\"media_type\":\"image/png\",\"data\":\"QUJD\"}}]},",
    "{\"type\":\"document\",\"title\":\"T\",\"source\":{\"type\":\"text\",\"media_type\":\"text/plain\",\"data\":\"plain\"}}]} ],",
    "\"tools\":[{\"name\":\"f\",\"description\":\"finds\",\"input_schema\":{\"type\":\"object\",\"properties\":{\"q\":{\"description\":\"what\"}}}}] }",
);

fn decode(body: &str) -> Box<dyn RequestDocument> {
    messages().decode_request(Bytes::copy_from_slice(body.as_bytes())).expect(body)
}

#[test]
fn an_untouched_request_goes_on_in_its_own_buffer() {
    let body = Bytes::from_static(BODY.as_bytes());
    let request = messages().decode_request(body.clone()).unwrap();
    assert_eq!(request.to_body().as_ptr(), body.as_ptr());
    assert_eq!((request.model(), request.streams(), request.output_cap()), ("m-1", true, Some(7)));
    assert!(request.wants_stream_usage(), "figures come unasked");
}

#[test]
fn every_text_is_visited_with_its_role_and_reasoning_is_left_alone() {
    let mut seen = Vec::new();
    let visit = &mut |part: gatewright::TextPart<'_>| seen.push((part.role, part.kind, part.text.to_owned()));
    decode(BODY).for_each_text(visit).unwrap();
    let expected = [
        (Role::System, TextKind::Content, "be kind"),
        (Role::User, TextKind::Content, "café"),
        (Role::Assistant, TextKind::Content, "I look"),
        (Role::Assistant, TextKind::ToolArguments, "{ \"q\":\"caf\\u00e9\"}"),
        (Role::Tool, TextKind::Content, "found"),
        (Role::User, TextKind::Content, "T"),
        (Role::User, TextKind::Content, "plain"),
        (Role::System, TextKind::ToolDescription, "finds"),
        (Role::System, TextKind::ToolDescription, "what"),
    ];
    assert_eq!(seen, expected.map(|(role, kind, text)| (role, kind, text.to_owned())));
}

#[test]
fn an_edit_changes_its_span_and_arguments_stay_an_object() {
    let mut request = LlmRequest::new(decode(BODY));
    let mut edit = |part: gatewright::TextPart<'_>| {
        let new = part.text.replace("caf\\u00e9", "X").replace("café", "\"Y\"");
        (new != part.text).then_some(new)
    };
    assert_eq!(request.edit_texts(&mut edit).unwrap(), 2);
    let expected = BODY
        .replace("\"content\":\"caf\\u00e9\"", "\"content\":\"\\\"Y\\\"\"")
        .replace("{ \"q\":\"caf\\u00e9\"}", "{ \"q\":\"X\"}");
    assert_eq!(request.to_body(), expected);
}

#[test]
fn what_can_be_counted_is_counted_inside_results_too() {
    let counts = decode(BODY).counts();
    assert_eq!((counts.messages, counts.tools, counts.images, counts.files), (3, 1, 1, 1));
}

#[track_caller]
fn inserted(body: &str, role: Role, at: Placement) -> serde_json::Value {
    let mut request = decode(body);
    request.insert_text(role, at, "new \"text\"").unwrap();
    json(&request.to_body())
}

#[test]
fn a_system_text_is_put_beside_what_is_there_in_every_form() {
    let block = serde_json::json!({"type": "text", "text": "new \"text\""});
    let none = r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;
    assert_eq!(inserted(none, Role::System, Placement::Last)["system"], serde_json::json!([block]));
    let text = r#"{"model":"m","system":"old\u0021","messages":[{"role":"user","content":"hi"}]}"#;
    let old = serde_json::json!({"type": "text", "text": "old!"});
    assert_eq!(inserted(text, Role::System, Placement::First)["system"], serde_json::json!([block, old]));
    assert_eq!(inserted(text, Role::System, Placement::Last)["system"], serde_json::json!([old, block]));
    let list = inserted(BODY, Role::System, Placement::Last);
    assert_eq!((list["system"].as_array().unwrap().len(), &list["system"][1]), (2, &block));
}

#[test]
fn a_user_text_is_a_message_at_either_end_and_others_have_no_place() {
    let first = inserted(BODY, Role::User, Placement::First);
    assert_eq!(first["messages"][0], serde_json::json!({"role": "user", "content": "new \"text\""}));
    let last = inserted(BODY, Role::User, Placement::Last);
    assert_eq!(last["messages"][3]["content"], "new \"text\"");
    for role in [Role::Assistant, Role::Tool] {
        assert!(decode(BODY).insert_text(role, Placement::Last, "x").is_err());
    }
}

#[test]
fn a_request_without_messages_names_what_is_missing() {
    let failure = messages().decode_request(Bytes::from_static(br#"{"model":"m"}"#)).unwrap_err();
    assert_eq!(failure.param.as_deref(), Some("messages"));
    assert!(messages().decode_request(Bytes::from_static(br#"{"model":"m","messages":[]}"#)).is_err());
}

#[test]
fn a_count_is_a_request_of_its_own_and_consumes_nothing() {
    let codec = anthropic_messages::counting();
    assert_eq!(codec.operation(), Operation::CountTokens);
    let request = codec.decode_request(Bytes::from_static(BODY.as_bytes())).unwrap();
    assert!(!request.streams());
    let answer = codec.decode_answer(codec.counted(42).unwrap()).unwrap();
    assert_eq!(answer.usage(), Some(gatewright::Usage::default()));
    assert_eq!(answer.to_body(), r#"{"input_tokens":42}"#);
    assert!(codec.decode_answer(Bytes::from_static(b"{}")).is_err());
}
