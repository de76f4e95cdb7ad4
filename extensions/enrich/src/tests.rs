//! What is added to a request, and which settings are refused.

use std::sync::Arc;

use gatewright::RequestFacts;
use gatewright::http::{HeaderName, HeaderValue};
use gatewright::prelude::*;
use gatewright_testkit::extension::{self, context, request, texts};
use serde_json::{Value, json};

use crate::Enrich;

async fn created(settings: Value) -> Result<Enrich, BuildError> {
    extension::create(settings).await
}

fn alice() -> Principal {
    Principal {
        user: Some("alice".into()),
        tags: vec![("language".into(), "Danish".into())],
        ..extension::principal()
    }
}

/// The request's texts and upstream headers after an instance with these settings saw it.
async fn enriched(settings: Value, mut request: LlmRequest) -> (Vec<String>, Vec<String>) {
    let mut cx = context(alice());
    cx.tags.set("team", "search");
    let enrich = created(settings).await.expect("the settings are valid");
    let flow = enrich.on_request(&mut request, &mut cx).await.expect("it does not fail");
    assert!(matches!(flow, Flow::Continue));
    let headers = cx.upstream_headers.iter();
    let headers = headers.map(|(name, value)| format!("{name}: {}", value.to_str().unwrap_or("?")));
    (texts(&request), headers.collect())
}

#[tokio::test]
async fn adds_headers_and_an_instruction() {
    let settings = json!({
        "headers": {"x-team": "{tag.team}", "x-caller": "{tenant}/{user}/{key}", "x-what": "{model} on {route}"},
        "system": "Answer {user} in {tag.language}; quote {{id}} {request}.",
    });
    let (texts, headers) =
        enriched(settings, request(&[(Role::System, "Be kind."), (Role::User, "hi")])).await;
    let id = "req_00000000000170008000000000000001";
    let added = format!("system: Answer alice in Danish; quote {{id}} {id}.");
    assert_eq!(texts, ["system: Be kind.", added.as_str(), "user: hi"]);
    assert_eq!(headers, ["x-caller: tenant/alice/key", "x-team: search", "x-what: model on route"]);
}

#[tokio::test]
async fn puts_the_instruction_first_where_that_is_wanted() {
    let settings = json!({"system": "First.", "system_at": "first"});
    let (texts, _) = enriched(settings, request(&[(Role::System, "Then."), (Role::User, "hi")])).await;
    assert_eq!(texts, ["system: First.", "system: Then.", "user: hi"]);
}

#[tokio::test]
async fn what_the_caller_does_not_have_is_left_out_or_replaced() {
    let settings = json!({
        "headers": {"x-project": "{project}", "x-cost": "{project|none}", "x-tag": "{tag.none}"},
        "system": "{project}",
    });
    let (texts, headers) = enriched(settings, request(&[(Role::User, "hi")])).await;
    assert_eq!(texts, ["user: hi"]);
    assert_eq!(headers, ["x-cost: none"]);
}

#[tokio::test]
async fn a_request_without_a_place_for_instructions_goes_on_without() {
    let (texts, headers) =
        enriched(json!({"headers": {"x-a": "b"}, "system": "s"}), extension::embedding_request("text")).await;
    assert_eq!((texts, headers), (vec!["user: text".to_owned()], vec!["x-a: b".to_owned()]));
}

#[tokio::test]
async fn a_value_that_no_header_can_hold_is_a_failure() {
    let enrich = created(json!({"headers": {"x-user": "{user}"}})).await.expect("the settings are valid");
    let caller = Principal { user: Some("a\nx-admin: yes".into()), ..extension::principal() };
    let answer = enrich.on_request(&mut request(&[]), &mut context(caller)).await;
    assert!(answer.is_err());
}

fn chat(extra: &Value) -> LlmRequest {
    let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
    body.as_object_mut().expect("an object").extend(extra.as_object().cloned().unwrap_or_default());
    extension::chat_request(&body)
}

async fn applied(settings: Value, request: &mut LlmRequest, cx: &mut RequestCx) -> Flow {
    let enrich = created(settings).await.expect("the settings are valid");
    enrich.on_request(request, cx).await.expect("it does not fail")
}

#[tokio::test]
async fn puts_claims_into_fields_whatever_the_caller_sent_there() {
    let settings = json!({"fields": {
        "user": "{user}", "metadata.language": "{tag.language}", "metadata.project": "{project}",
        "labels.groups": "{groups|none}",
    }});
    let cases = [
        (json!({}), json!({"language": "Danish"})),
        (json!({"metadata": null, "user": "eve"}), json!({"language": "Danish"})),
        (json!({"metadata": {"language": "x", "a": 1}}), json!({"language": "Danish", "a": 1})),
    ];
    for (sent, metadata) in cases {
        let mut request = chat(&sent);
        let flow = applied(settings.clone(), &mut request, &mut context(alice())).await;
        assert!(matches!(flow, Flow::Continue));
        let body = extension::body(&request);
        assert_eq!((&body["user"], &body["metadata"]), (&json!("alice"), &metadata));
        assert_eq!(body["labels"], json!({"groups": "none"}));
    }
    let denied = applied(settings, &mut chat(&json!({"metadata": [1]})), &mut context(alice())).await;
    let Flow::Deny(denial) = denied else { panic!("{denied:?}") };
    assert_eq!((denial.status.as_u16(), denial.param.as_deref()), (400, Some("metadata")));
}

#[tokio::test]
async fn sets_labels_that_later_templates_see() {
    let groups = vec!["staff".into(), "ops".into()];
    let caller = Principal { groups, ..alice() };
    let headers = [(HeaderName::from_static("x-app"), HeaderValue::from_static("web"))];
    let client_headers = Arc::new(headers.into_iter().collect());
    let mut cx = RequestCx::new(RequestFacts { client_headers, ..extension::facts(caller) });
    let settings = json!({
        "tags": {"team": "{groups}", "none": "{project}", "via": "{header.x-app|unknown}"},
        "fields": {"metadata.team": "{tag.team}"},
    });
    let mut request = chat(&json!({}));
    let _flow = applied(settings, &mut request, &mut cx).await;
    let tags: Vec<_> = cx.tags.iter().collect();
    assert_eq!(tags, [("team", "staff,ops"), ("via", "web")]);
    assert_eq!(extension::body(&request)["metadata"]["team"], "staff,ops");
}

#[tokio::test]
async fn settings_that_cannot_be_right_are_refused_with_their_place() {
    let known =
        "known are tenant, project, user, groups, key, model, route, request, tag.NAME and header.NAME";
    let cases = [
        (json!({"system": "for {usr}"}), format!("system: unknown placeholder `{{usr}}`; {known}")),
        (
            json!({"headers": {"x-a": "{tag.}"}}),
            format!("headers.x-a: unknown placeholder `{{tag.}}`; {known}"),
        ),
        (json!({"system": "a { b"}), "system: a `{` without `}`; write `{{` for the character".to_owned()),
        (json!({"system": "a } b"}), "system: a single `}`; write `}}` for the character".to_owned()),
        (json!({"headers": {"x a": ""}}), "headers.x a: this is not the name of a header".to_owned()),
        (
            json!({"headers": {"x-a": "{header.a b}"}}),
            format!("headers.x-a: unknown placeholder `{{header.a b}}`; {known}"),
        ),
        (
            json!({"fields": {"a.b.c": "x"}}),
            "fields.a.b.c: a field is a name, or an object and its member, as in metadata.department"
                .to_owned(),
        ),
        (
            json!({"fields": {"model": "x"}}),
            "fields.model: the gateway reads this field itself; choose another one".to_owned(),
        ),
        (json!({"tags": {"": "x"}}), "tags.: a label's name has 1 to 64 bytes".to_owned()),
        (
            json!({"headers": {"Authorization": "x"}}),
            "headers.Authorization: the gateway sets this header itself; choose another name".to_owned(),
        ),
    ];
    for (settings, message) in cases {
        assert_eq!(created(settings).await.expect_err("it is refused").to_string(), message);
    }
}
