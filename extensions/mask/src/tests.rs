//! What is masked, what is left, in prompts, whole answers and streams.

mod exact;
mod preset;
mod restore;

use gatewright::prelude::*;
use gatewright::text::TextSession;
use gatewright_testkit::extension::{self, context, principal, request, request_of, response_head, texts};
use gatewright_testkit::split;
use serde_json::{Value, json};

use crate::Mask;

async fn created(settings: Value) -> Result<Mask, BuildError> {
    extension::create(settings).await
}

async fn mask(settings: Value) -> Mask {
    created(settings).await.expect("the settings are valid")
}

/// A fresh session of the filter for one streamed answer.
fn session(mask: &Mask) -> TextSession {
    split::filter_session(mask, &response_head(true), context(principal()))
}

fn answer(mask: &Mask, text: &str) -> String {
    split::run(session(mask), Lane::content(0), &[text])
}

const EVERYTHING: &str = "Ann <ann.b+c@mail.example.co.uk>, 4111 1111 1111 1111 12/27, 219-09-9999, \
    DE89 3704 0044 0532 0130 00 BIC, 192.168.0.17, fe80::1:2:3, sk-0123456789abcdefghij, TK-10023, \
    +49 (30) 123-4567, postgres://app:s3cr%t@db/x";

const PRESETS: [&str; 10] =
    ["api-key", "private-key", "jwt", "url-credentials", "email", "iban", "card", "ssn", "phone", "ip"];

fn everything() -> Value {
    json!({
        "presets": PRESETS,
        "patterns": [{"name": "ticket", "regex": r"\bTK-[0-9]{4,8}\b", "replace": "(a ticket)"}],
    })
}

#[tokio::test]
async fn masks_every_form() {
    let expected = "Ann <[email]>, [card] 12/27, [ssn], [iban] BIC, [ip], [ip], [api-key], (a ticket), \
        [phone], postgres://[url-credentials]@db/x";
    assert_eq!(answer(&mask(everything()).await, EVERYTHING), expected);
}

#[tokio::test]
async fn leaves_what_only_looks_alike() {
    let mask = mask(everything()).await;
    for text in [
        "order 4111 1111 1111 1112",
        "ring 219-09-99999 or 000-12-3456 or 666-12-3456 or 912-12-3456",
        "GB00 WEST 1234 5698 7654 32 is a sample",
        "version 1.2.3, 300.1.2.3 and 12:34:56",
        "std::vec and a::b and ::",
        "user@localhost, @name, a@b.c",
        "sk-short and skAndMore",
        "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
    ] {
        assert_eq!(answer(&mask, text), text);
    }
}

#[tokio::test]
async fn masks_the_same_however_the_answer_is_cut() {
    let mask = mask(everything()).await;
    let (first, last) = EVERYTHING.split_at(EVERYTHING.len() / 2);
    for text in
        [first, last, "a@b.cd.ef.", "x 4111111111111111 9", "DE89370400440532013000X", "12.34.56.78.9"]
    {
        split::assert_streamed_equals_whole(|| session(&mask), text);
    }
}

#[tokio::test]
async fn masks_prompts_and_the_arguments_of_earlier_tool_calls() {
    let mask = mask(json!({})).await;
    let mut chat = request(&[(Role::System, "Help bob@x.com."), (Role::User, "mine is 219-09-9999")]);
    let call =
        TextPart { role: Role::Assistant, kind: TextKind::ToolArguments, text: r#"{"to":"bob\u0040x.com"}"# };
    let mut call = request_of(call);
    for request in [&mut chat, &mut call] {
        let flow = mask.on_request(request, &mut context(principal())).await.expect("it does not fail");
        assert!(matches!(flow, Flow::Continue));
    }
    assert_eq!(texts(&chat), ["system: Help [email].", "user: mine is [ssn]"]);
    assert_eq!(texts(&call), [r#"assistant: {"to":"[email]"}"#]);
}

#[tokio::test]
async fn a_prompt_without_matches_is_not_edited() {
    let mut request = request(&[(Role::User, "nothing here, 1.2.3.4 neither")]);
    let flow = mask(json!({})).await.on_request(&mut request, &mut context(principal())).await;
    assert!(matches!(flow, Ok(Flow::Continue)));
    assert!(!request.is_edited());
}

#[tokio::test]
async fn masks_only_the_lanes_that_are_wanted() {
    let mask = mask(json!({"lanes": ["content"]})).await;
    let run = |lane| split::run(session(&mask), lane, &["\"bob@x", ".com\""]);
    assert_eq!(run(Lane::content(0)), "\"[email]\"");
    assert_eq!(run(Lane::tool_arguments(0, 0)), "\"bob@x.com\"");
}

#[tokio::test]
async fn settings_that_cannot_be_right_are_refused_with_their_place() {
    let own = |regex: &str| json!({"patterns": [{"name": "p", "regex": regex}]});
    let cases = [
        (json!({"presets": []}), "presets: nothing to mask"),
        (own("a+"), "patterns[0]: pattern `p` has no longest match"),
        (own("(a"), "patterns[0]: pattern `p` is not a valid regular expression: regex parse error"),
        (json!({"presets": ["name"]}), "presets[0]: unknown variant `name`"),
        (own("\u{ff3b}a]"), r"patterns[0]: `\u{ff3b}` never comes, because text is looked at as it reads"),
        (json!({"restore_values_max": 3}), "restore_values_max: it needs `restore: true`"),
        (json!({"restore_lanes": []}), "restore_lanes: it needs `restore: true`"),
        (
            json!({"restore": true, "restore_values_max": 0}),
            "restore_values_max: it is a number from 1 to 10000",
        ),
        (
            json!({"restore": true, "presets": [], "patterns": [{"name": "p", "regex": "ab", "replace": "x"}]}),
            "restore: every pattern has a replacement of its own",
        ),
        (
            json!({"restore": true, "patterns": [{"name": "p", "regex": "ab", "replace": "<[EMAIL_1]>"}]}),
            "patterns[0].replace: it looks like a placeholder",
        ),
    ];
    for (settings, message) in cases {
        let said = created(settings).await.expect_err("it is refused").to_string();
        assert!(said.starts_with(message), "{said}");
    }
}
