//! What is added to which answers, and which settings are refused.

use gatewright::prelude::*;
use gatewright_testkit::extension::{self, chat_request, context, principal, response_head};
use gatewright_testkit::split;
use serde_json::{Value, json};

use crate::ResponseTag;

async fn created(settings: Value) -> Result<ResponseTag, BuildError> {
    extension::create(settings).await
}

async fn closing(disclaimer: &str) -> ResponseTag {
    created(json!({"rules": [{"disclaimer": disclaimer}]})).await.expect("the settings are valid")
}

/// The context of an answer to a request with these members.
async fn asked(tag: &ResponseTag, extra: &Value) -> RequestCx {
    let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
    body.as_object_mut().expect("an object").extend(extra.as_object().cloned().unwrap_or_default());
    let mut cx = context(principal());
    let flow = tag.on_request(&mut chat_request(&body), &mut cx).await;
    assert!(matches!(flow, Ok(Flow::Continue)));
    cx
}

#[tokio::test]
async fn a_disclaimer_stands_at_the_end_however_the_answer_is_cut() {
    let tag = closing(" [machine]").await;
    for pieces in split::every_split("an answer") {
        let session = split::filter_session(&tag, &response_head(true), asked(&tag, &json!({})).await);
        assert_eq!(split::run(session, Lane::content(0), &pieces), "an answer [machine]", "{pieces:?}");
    }
}

#[tokio::test]
async fn each_choice_that_a_person_reads_has_it_once() {
    let tag = closing("!").await;
    let mut session = split::filter_session(&tag, &response_head(true), asked(&tag, &json!({})).await);
    let mut push = |lane, piece, is_last| session.push(lane, piece, is_last).expect("nothing overflows");
    assert_eq!(push(Lane::content(0), "a", false), "a", "nothing is held");
    assert_eq!(push(Lane::content(1), "let me see", false), "let me see");
    assert_eq!(push(Lane::tool_arguments(1, 0), r#"{"a":1}"#, false), r#"{"a":1}"#);
    assert_eq!(push(Lane::tool_arguments(1, 0), "", true), "");
    assert_eq!(push(Lane::content(1), "", true), "", "a choice that calls a tool is not for a person");
    assert_eq!(push(Lane::content(0), "", true), "!");
    assert_eq!(push(Lane::reasoning(0), "hm", true), "hm");
}

#[tokio::test]
async fn an_answer_that_is_json_or_was_not_seen_as_a_request_stays_as_it_is() {
    let tag = closing("!").await;
    let schema = json!({"type": "json_schema", "json_schema": {}});
    for format in [json!({"type": "json_object"}), schema] {
        let cx = asked(&tag, &json!({"response_format": format})).await;
        let session = split::filter_session(&tag, &response_head(true), cx);
        assert_eq!(split::run(session, Lane::content(0), &["{}"]), "{}", "{format}");
    }
    let text = asked(&tag, &json!({"response_format": {"type": "text"}})).await;
    let session = split::filter_session(&tag, &response_head(true), text);
    assert_eq!(split::run(session, Lane::content(0), &["a"]), "a!");
    let session = split::filter_session(&tag, &response_head(true), context(principal()));
    assert_eq!(split::run(session, Lane::content(0), &["a"]), "a");
}

#[tokio::test]
async fn rules_that_concern_an_answer_add_headers_and_labels() {
    let tag = created(json!({"rules": [
        {"when": {"models": ["mod*"]}, "headers": {"x-served-by": "{provider}/{served} for {model}"}},
        {"when": {"providers": ["other"]}, "headers": {"x-other": "yes"}},
        {"when": {"tags": {"content_policy": "*violence*"}}, "tags": {"review": "yes"}},
    ]}))
    .await
    .expect("the settings are valid");
    for (label, review) in [("violence,market", Some("yes")), ("market", None)] {
        let mut cx = context(principal());
        cx.tags.set("content_policy", label);
        assert!(matches!(tag.plan(&response_head(true), &cx), FilterPlan::Observe));
        tag.open(&response_head(true), &mut cx).expect("it opens");
        let headers: Vec<_> = cx.response_headers.iter().collect();
        assert_eq!(headers.len(), 1);
        assert_eq!(cx.response_headers["x-served-by"], "provider/model for model");
        assert_eq!(cx.tags.get("review"), review);
    }
    let other = created(json!({"rules": [{"when": {"models": ["x"]}, "disclaimer": "!"}]})).await;
    let other = other.expect("the settings are valid");
    assert!(matches!(other.plan(&response_head(true), &context(principal())), FilterPlan::Skip));
}

#[tokio::test]
async fn settings_that_cannot_be_right_are_refused_with_their_place() {
    let one = |rule: Value| json!({"rules": [rule]});
    let cases = [
        (json!({"rules": []}), "rules: give at least one rule"),
        (one(json!({})), "rules[0]: give `headers`, `tags` or a `disclaimer`"),
        (one(json!({"headers": {"x a": "b"}})), "rules[0].headers.x a: this is not the name of a header"),
        (one(json!({"headers": {"Content-Type": "b"}})), "rules[0].headers.Content-Type: the gateway sets"),
        (one(json!({"headers": {"x-a": "b\n"}})), "rules[0].headers.x-a: no header can hold this value"),
        (one(json!({"tags": {"": "b"}})), "rules[0].tags.: a label's name has 1 to 64 bytes"),
        (one(json!({"when": {"model": []}})), "rules[0].when.model: unknown field `model`"),
    ];
    for (settings, message) in cases {
        let said = created(settings).await.expect_err("it is refused").to_string();
        assert!(said.starts_with(message), "{said}");
    }
}
