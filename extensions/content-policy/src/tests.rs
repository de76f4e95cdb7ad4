//! What is denied, masked, labelled and left, in prompts and answers, and which settings are refused.

use gatewright::prelude::*;
use gatewright::text::{TextSession, TextStage};
use gatewright_testkit::extension::{self, context, principal, request, request_of, response_head, texts};
use gatewright_testkit::split::{self, every_split};
use serde_json::{Value, json};

use crate::ContentPolicy;

fn settings() -> Value {
    json!({"rules": [
        {"name": "weapons", "category": "violence", "keywords": ["bomb", "nerve agent", "C4!"], "action": "deny",
            "message": "no weapons"},
        {"name": "ticket", "patterns": [r"\bTK-[0-9]{4,8}\b"], "action": "mask", "replace": "(a ticket)"},
        {"name": "rival", "category": "market", "keywords": ["Falcon"], "case_sensitive": true, "action": "tag"},
        {"name": "swear", "keywords": ["darn", "the bomb"], "action": "monitor"},
    ]})
}

async fn created(settings: Value) -> Result<ContentPolicy, BuildError> {
    extension::create(settings).await
}

async fn policy() -> ContentPolicy {
    created(settings()).await.expect("the settings are valid")
}

/// What becomes of an answer in these pieces: the text that gets out, the denial, and the labels.
fn answer(policy: &ContentPolicy, lane: Lane, pieces: &[&str]) -> (String, Option<String>, Vec<String>) {
    let mut cx = context(principal());
    let head = response_head(true);
    let FilterPlan::Text(hold) = policy.plan(&head, &cx) else { panic!("it has a text plan") };
    let mut filter = policy.open(&head, &mut cx).expect("it opens");
    let mut stage = TextStage::new(hold);
    let mut out = String::new();
    let mut denied = None;
    for (piece, is_last) in pieces.iter().map(|piece| (*piece, false)).chain([("", true)]) {
        stage.push(lane, piece, is_last).expect("nothing overflows");
        let mut window = stage.window(lane).expect("the lane is open");
        match filter.on_text(&mut window, &mut StreamCx::new(&mut cx, Usage::default())) {
            Ok(StreamFlow::Continue) => stage.release(lane, &mut out).expect("nothing overflows"),
            Ok(StreamFlow::Cut(denial)) => {
                denied = Some(denial.message.into_owned());
                break;
            }
            other => panic!("{other:?}"),
        };
    }
    (out, denied, cx.tags.iter().map(|(name, value)| format!("{name}={value}")).collect())
}

#[tokio::test]
async fn an_answer_is_masked_labelled_and_left_the_same_however_it_is_cut() {
    let policy = policy().await;
    let text = "Falcon: TK-10023, darn falcon TK-1";
    for pieces in every_split(text) {
        let (out, denied, tags) = answer(&policy, Lane::content(0), &pieces);
        assert_eq!((out.as_str(), denied), ("Falcon: (a ticket), darn falcon TK-1", None), "{pieces:?}");
        let labels = ["content_policy=market,ticket", "content_policy_monitored=swear"];
        assert!(
            tags.len() == 2 && labels.iter().all(|label| tags.iter().any(|tag| tag == label)),
            "{tags:?}"
        );
    }
}

#[tokio::test]
async fn an_answer_that_is_denied_is_cut_before_the_match_however_it_is_cut() {
    let policy = policy().await;
    for (text, safe) in [
        ("so take the bomb and", "so take the "),
        ("a NERVE\n agent", "a "),
        ("buy c4! now", "buy "),
        ("a ｂo\u{200b}mb", "a "),
    ] {
        for pieces in every_split(text) {
            let (out, denied, tags) = answer(&policy, Lane::content(0), &pieces);
            assert_eq!(denied.as_deref(), Some("no weapons"), "{pieces:?}");
            assert!(safe.starts_with(&out), "{pieces:?} let {out:?} out");
            assert!(tags.contains(&"content_policy=violence".to_owned()), "{tags:?}");
        }
    }
    for text in ["bombast, a bomber and C4", "nerve agents"] {
        assert_eq!(answer(&policy, Lane::content(0), &[text]), (text.to_owned(), None, vec![]));
    }
}

#[tokio::test]
async fn escapes_in_the_arguments_of_tool_calls_hide_nothing() {
    let policy = policy().await;
    let lane = Lane::tool_arguments(0, 0);
    let (out, denied, _) = answer(&policy, lane, &[r#"{"t":"TK\u002d100"#, r#"23"}"#]);
    assert_eq!((out.as_str(), denied), (r#"{"t":"(a ticket)"}"#, None));
    let (_, denied, _) = answer(&policy, lane, &[r#"{"t":"b\u006fmb"}"#]);
    assert_eq!(denied.as_deref(), Some("no weapons"));
}

#[tokio::test]
async fn streamed_equals_whole() {
    let policy = policy().await;
    let session =
        || -> TextSession { split::filter_session(&policy, &response_head(true), context(principal())) };
    for text in ["TK-1234", "xTK-1234 TK-12345678 TK-123456789", "TK-12345é, TK-1234", "Falcon TK-99999 darn"]
    {
        split::assert_streamed_equals_whole(session, text);
    }
}

async fn judged(settings: Value, mut request: LlmRequest) -> (Flow, LlmRequest, Vec<String>) {
    let policy = created(settings).await.expect("the settings are valid");
    let mut cx = context(principal());
    let flow = policy.on_request(&mut request, &mut cx).await.expect("it does not fail");
    let tags = cx.tags.iter().map(|(name, value)| format!("{name}={value}")).collect();
    (flow, request, tags)
}

#[tokio::test]
async fn a_prompt_is_denied_masked_or_labelled() {
    let (flow, ..) = judged(settings(), request(&[(Role::User, "a"), (Role::Tool, "build a Bomb")])).await;
    let Flow::Deny(denial) = flow else { panic!("{flow:?}") };
    assert_eq!(
        (denial.status.as_u16(), &*denial.code, &*denial.message),
        (400, "content_policy", "no weapons")
    );

    let (flow, masked, tags) =
        judged(settings(), request(&[(Role::System, "Falcon"), (Role::User, "TK-12345 and falcon")])).await;
    assert!(matches!(flow, Flow::Continue));
    assert_eq!(texts(&masked), ["system: Falcon", "user: (a ticket) and falcon"]);
    assert_eq!(tags, ["content_policy=market,ticket"]);

    let call =
        TextPart { role: Role::Assistant, kind: TextKind::ToolArguments, text: r#"{"t":"b\u006fmb"}"# };
    assert!(matches!(judged(settings(), request_of(call)).await.0, Flow::Deny(_)));
}

#[tokio::test]
async fn a_prompt_without_matches_is_not_edited() {
    let (flow, request, tags) = judged(settings(), request(&[(Role::User, "TK-1, bombs")])).await;
    assert!(matches!(flow, Flow::Continue) && !request.is_edited() && tags.is_empty());
}

#[tokio::test]
async fn a_rule_that_only_monitors_hides_none_that_denies() {
    let (flow, _, tags) = judged(settings(), request(&[(Role::User, "drop the bomb")])).await;
    assert!(matches!(flow, Flow::Deny(_)));
    assert_eq!(tags, ["content_policy=violence", "content_policy_monitored=swear"]);
}

#[tokio::test]
async fn rules_concern_the_side_the_roles_and_the_lanes_that_they_are_for() {
    let rule = |on: Value| json!({"name": "r", "keywords": ["x"], "action": "deny", "on": on});
    let only_answers = json!({"rules": [rule(json!(["answers"]))]});
    let policy = created(only_answers).await.expect("the settings are valid");
    assert!(!policy.wants(&request(&[]), &context(principal())));

    let only_prompts = json!({"rules": [rule(json!(["prompts"]))], "roles": ["user"]});
    let (flow, ..) = judged(only_prompts.clone(), request(&[(Role::System, "x"), (Role::User, "y")])).await;
    assert!(matches!(flow, Flow::Continue));
    let policy = created(only_prompts).await.expect("the settings are valid");
    assert!(matches!(policy.plan(&response_head(true), &context(principal())), FilterPlan::Skip));

    let lanes = json!({"rules": [rule(json!(["answers"]))], "lanes": ["content"]});
    let policy = created(lanes).await.expect("the settings are valid");
    let FilterPlan::Text(hold) = policy.plan(&response_head(true), &context(principal())) else { panic!() };
    assert_eq!(hold.lanes, LaneMask::CONTENT);
}

#[tokio::test]
async fn settings_that_cannot_be_right_are_refused_with_their_place() {
    let one = |extra: Value| {
        let mut rule = json!({"name": "r", "action": "deny"});
        rule.as_object_mut().expect("an object").extend(extra.as_object().cloned().unwrap_or_default());
        json!({"rules": [rule]})
    };
    let cases = [
        (json!({"rules": []}), "rules: give from 1 to 64 rules"),
        (one(json!({})), "rules[0]: give `keywords`, `patterns`, or both"),
        (one(json!({"keywords": ["a", " "]})), "rules[0].keywords[1]: pattern `r` matches the empty text"),
        (one(json!({"patterns": ["a+"]})), "rules[0].patterns[0]: pattern `r` has no longest match"),
        (one(json!({"patterns": ["(a"]})), "rules[0].patterns[0]: pattern `r` is not a valid regular"),
        (one(json!({"name": "R R", "keywords": ["a"]})), "rules[0].name: use lower-case letters"),
        (one(json!({"keywords": ["a"], "action": "drop"})), "rules[0].action: unknown variant `drop`"),
        (
            json!({"rules": [
                {"name": "r", "keywords": ["a"], "action": "deny"}, {"name": "r", "keywords": ["b"], "action": "tag"},
            ]}),
            "rules[1].name: another rule has this name",
        ),
    ];
    for (settings, message) in cases {
        let said = created(settings).await.expect_err("it is refused").to_string();
        assert!(said.starts_with(message), "{said}");
    }
}
