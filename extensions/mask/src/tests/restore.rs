//! Reversible placeholders: out of the prompt, back in the answer, however it is cut, and nowhere else.

use std::cell::{RefCell, RefMut};
use std::sync::Arc;

use gatewright::prelude::*;
use gatewright::text::TextSession;
use gatewright_testkit::extension::{
    context, embedding_request, principal, request, request_of, response_head, texts,
};
use gatewright_testkit::split;
use serde_json::{Value, json};

use super::mask;
use crate::Mask;

/// One exchange: its context goes from the prompt to the answers.
pub(super) struct Exchange {
    mask: Mask,
    cx: RefCell<RequestCx>,
}

impl Exchange {
    /// It restores, unless the settings say otherwise.
    pub(super) async fn of(settings: Value) -> Self {
        let mut settings = settings;
        if settings["restore"].is_null() {
            settings["restore"] = json!(true);
        }
        Self { mask: mask(settings).await, cx: RefCell::new(context(principal())) }
    }

    fn cx(&self) -> RefMut<'_, RequestCx> {
        self.cx.borrow_mut()
    }

    /// Sends texts as prompts of the user and returns how they go on.
    pub(super) async fn ask(&self, prompts: &[&str]) -> Vec<String> {
        let messages: Vec<(Role, &str)> = prompts.iter().map(|text| (Role::User, *text)).collect();
        self.send(&mut request(&messages)).await
    }

    async fn send(&self, request: &mut LlmRequest) -> Vec<String> {
        let mut cx = self.cx.replace(context(principal()));
        let flow = self.mask.on_request(request, &mut cx).await.expect("it does not fail");
        assert!(matches!(flow, Flow::Continue));
        self.cx.replace(cx);
        texts(request).into_iter().map(|text| text.split_once(": ").expect("a role").1.to_owned()).collect()
    }

    /// A session for one answer of this exchange.
    pub(super) fn session(&self) -> TextSession {
        let plan = self.mask.plan(&response_head(true), &self.cx());
        let hold = match plan {
            FilterPlan::Text(hold) => hold,
            FilterPlan::Patterns(patterns) => return TextSession::new().with_patterns(&patterns),
            other => panic!("the filter has no text plan, but {other:?}"),
        };
        let mut filter = self.mask.open(&response_head(true), &mut self.cx()).expect("it opens");
        // What the filter needs of the exchange it has taken when it was opened.
        let mut cx = context(principal());
        TextSession::new().with_stage(hold, move |window| {
            let flow = filter.on_text(window, &mut StreamCx::new(&mut cx, Usage::default()));
            assert!(matches!(flow, Ok(StreamFlow::Continue)));
        })
    }

    fn answer_in(&self, lane: Lane, text: &str) -> String {
        split::run(self.session(), lane, &[text])
    }

    pub(super) fn answer(&self, text: &str) -> String {
        self.answer_in(Lane::content(0), text)
    }
}

#[tokio::test]
async fn the_model_sees_placeholders_and_the_caller_reads_values() {
    let exchange = Exchange::of(json!({})).await;
    let prompts =
        exchange.ask(&["I am bob@x.com, cc amy@y.org", "bob@x.com pays with 4111 1111 1111 1111"]).await;
    assert_eq!(prompts, ["I am [EMAIL_1], cc [EMAIL_2]", "[EMAIL_1] pays with [CARD_1]"]);
    assert_eq!(
        exchange.answer("Dear [EMAIL_1], [EMAIL_2] and [CARD_1]: write to new@z.net"),
        "Dear bob@x.com, amy@y.org and 4111 1111 1111 1111: write to [email]"
    );
}

#[tokio::test]
async fn the_answer_is_the_same_however_it_is_cut() {
    let exchange = Exchange::of(json!({"patterns": [{"name": "name", "regex": "Zoë “[^”]{1,9}”"}]})).await;
    exchange.ask(&["bob@x.com, 4111 1111 1111 1111, Zoë “Q\"\\é”"]).await;
    for text in [
        "[EMAIL_1][CARD_1] and [NAME_1]!",
        "é[EMAIL_1]é new@z.net[EMAIL_1]",
        "[[EMAIL_1]] [EMAIL_2] [EMAIL_1",
        "a@b.cd.[EMAIL_1].ef",
        "日本[NAME_1]語 [CARD_1]2",
    ] {
        split::assert_streamed_equals_whole(|| exchange.session(), text);
    }
}

#[tokio::test]
async fn a_placeholder_that_stands_for_nothing_stays() {
    let exchange = Exchange::of(json!({})).await;
    exchange.ask(&["bob@x.com"]).await;
    for text in [
        "[EMAIL_2]",
        "[EMAIL_01]",
        "[EMAIL_]",
        "[CARD_1]",
        "[email_1]",
        "EMAIL_1",
        "[EMAIL_1 ]",
        "[EMAIL_123456]",
    ] {
        assert_eq!(exchange.answer(text), text);
    }
}

#[tokio::test]
async fn what_the_caller_wrote_like_a_placeholder_is_none_of_ours() {
    let exchange = Exchange::of(json!({})).await;
    let mut tool = request(&[(Role::User, "[EMAIL_2], mail bob@x.com or amy@y.org")]);
    tool.insert_text(Role::System, Placement::First, "write ［EMAIL_1］ and [EMAIL_\u{200b}4]")
        .expect("a chat");
    let prompts = exchange.send(&mut tool).await;
    assert_eq!(prompts[1], "[EMAIL_2], mail [EMAIL_3] or [EMAIL_5]");
    let text = "[EMAIL_1] [EMAIL_2] [EMAIL_3] [EMAIL_4] [EMAIL_5]";
    assert_eq!(exchange.answer(text), "[EMAIL_1] [EMAIL_2] bob@x.com [EMAIL_4] amy@y.org");
}

#[tokio::test]
async fn a_placeholder_is_known_by_how_it_reads() {
    let exchange = Exchange::of(json!({})).await;
    exchange.ask(&["bob@x.com"]).await;
    assert_eq!(exchange.answer("[EMAIL\u{200b}_1] ［ＥＭＡＩＬ＿１］"), "bob@x.com bob@x.com");
}

#[tokio::test]
async fn over_the_bound_values_are_masked_for_good() {
    let exchange = Exchange::of(json!({"restore_values_max": 2})).await;
    let prompts = exchange.ask(&["a@x.com b@x.com c@x.com a@x.com"]).await;
    assert_eq!(prompts, ["[EMAIL_1] [EMAIL_2] [email] [EMAIL_1]"]);
    assert_eq!(exchange.answer("[EMAIL_1] [EMAIL_2] [EMAIL_3] [email]"), "a@x.com b@x.com [EMAIL_3] [email]");
}

#[tokio::test]
async fn a_prompt_full_of_look_alikes_is_masked_for_good() {
    let exchange = Exchange::of(json!({})).await;
    let flood: String = (1..=10_000).map(|number| format!("[EMAIL_{number}]")).collect();
    let prompts = exchange.ask(&[&flood, "bob@x.com"]).await;
    assert_eq!(prompts[1], "[email]");
}

#[tokio::test]
async fn arguments_of_tool_calls_are_restored_as_json() {
    let exchange = Exchange::of(json!({"patterns": [{"name": "quote", "regex": "<<[^>]{1,20}>>"}]})).await;
    let value = "<<\"a\\b\"\n\u{1}é🙂>>";
    exchange.ask(&[value, "bob@x.com"]).await;
    let source = r#"{"q":"say [QUOTE_1]","to":["\u005bEMAIL_1]","[EMAIL_9]","new@z.net"],"n":1}"#;
    let expected = json!({"q": format!("say {value}"), "to": ["bob@x.com", "[EMAIL_9]", "[email]"], "n": 1});
    for pieces in split::every_split(source).chain(split::random_splits(source, 200, 5)) {
        let out = split::run(exchange.session(), Lane::tool_arguments(0, 0), &pieces);
        let found: Value =
            serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out} of {pieces:?}"));
        assert_eq!(found, expected, "{pieces:?}");
    }
}

#[tokio::test]
async fn earlier_tool_calls_in_a_prompt_get_placeholders_too() {
    let exchange = Exchange::of(json!({})).await;
    let part = TextPart {
        role: Role::Assistant,
        kind: TextKind::ToolArguments,
        text: r#"{"to":"bob\u0040x.com","card":4111111111111111}"#,
    };
    assert_eq!(exchange.send(&mut request_of(part)).await, [r#"{"to":"[EMAIL_1]","card":"[CARD_1]"}"#]);
    assert_eq!(exchange.answer("[EMAIL_1], [CARD_1]"), "bob@x.com, 4111111111111111");
}

#[tokio::test]
async fn lanes_are_masked_and_restored_each_as_its_setting_says() {
    let settings = json!({"lanes": ["content", "refusal"], "restore_lanes": ["content", "reasoning"]});
    let exchange = Exchange::of(settings).await;
    exchange.ask(&["bob@x.com"]).await;
    let text = "\"[EMAIL_1] new@z.net\"";
    for (lane, expected) in [
        (Lane::content(0), "\"bob@x.com [email]\""),
        (Lane::reasoning(0), "\"bob@x.com new@z.net\""),
        (Lane::refusal(0), "\"[EMAIL_1] [email]\""),
        (Lane::tool_arguments(0, 0), text),
    ] {
        assert_eq!(exchange.answer_in(lane, text), expected, "{lane:?}");
    }
}

#[tokio::test]
async fn a_pattern_with_its_own_replacement_is_not_restored() {
    let own = json!([
        {"name": "ticket", "regex": r"\bTK-[0-9]{4}\b", "replace": "(a ticket)"},
        {"name": "staff no.", "regex": r"\bS[0-9]{4}\b"},
    ]);
    let exchange = Exchange::of(json!({"patterns": own, "presets": []})).await;
    assert_eq!(exchange.ask(&["TK-1234 of S0042"]).await, ["(a ticket) of [STAFF_NO__1]"]);
    assert_eq!(exchange.answer("(a ticket), [TICKET_1], [STAFF_NO__1]"), "(a ticket), [TICKET_1], S0042");
}

#[tokio::test]
async fn two_instances_keep_apart_what_they_hide() {
    let mails = mask(json!({"presets": ["email"], "restore": true})).await;
    let all = mask(json!({"presets": ["email", "card"], "restore": true})).await;
    let mut cx = context(principal());
    let mut request = request(&[(Role::User, "bob@x.com pays with 4111111111111111")]);
    for (index, mask) in [(0, &mails), (1, &all)] {
        cx.enter(index);
        let flow = mask.on_request(&mut request, &mut cx).await;
        assert!(matches!(flow, Ok(Flow::Continue)));
    }
    assert_eq!(texts(&request), ["user: [EMAIL_1] pays with [CARD_1]"]);
    let mut run = |index, mask: &Mask, text: &str| {
        cx.enter(index);
        let mut filter = mask.open(&response_head(true), &mut cx).expect("it opens");
        let FilterPlan::Text(hold) = mask.plan(&response_head(true), &cx) else { return text.to_owned() };
        let mut stage = gatewright::text::TextStage::new(hold);
        let mut out = String::new();
        let step = stage.step(Lane::content(0), text, true, &mut out, |window| {
            filter.on_text(window, &mut StreamCx::new(&mut cx, Usage::default())).map(drop)
        });
        step.expect("nothing overflows");
        out
    };
    assert_eq!(run(0, &mails, "[EMAIL_1] [CARD_1]"), "bob@x.com [CARD_1]");
    assert_eq!(run(1, &all, "[EMAIL_1] [CARD_1]"), "[EMAIL_1] 4111111111111111");
}

#[tokio::test]
async fn a_request_for_vectors_is_masked_for_good() {
    let exchange = Exchange::of(json!({})).await;
    assert_eq!(exchange.send(&mut embedding_request("bob@x.com")).await, ["[email]"]);
}

#[tokio::test]
async fn an_answer_to_a_prompt_without_values_is_masked() {
    let exchange = Exchange::of(json!({})).await;
    assert_eq!(exchange.ask(&["nothing"]).await, ["nothing"]);
    assert_eq!(exchange.answer("[EMAIL_1] bob@x.com"), "[EMAIL_1] [email]");
}

#[tokio::test]
async fn a_prompt_without_values_is_not_edited() {
    let exchange = Exchange::of(json!({})).await;
    let mut request = request(&[(Role::User, "only [EMAIL_1] and words")]);
    exchange.send(&mut request).await;
    assert!(!request.is_edited());
}

#[tokio::test]
async fn what_is_hidden_is_in_no_debug_output_and_no_label() {
    let exchange = Exchange::of(json!({})).await;
    exchange.ask(&["bob@x.com"]).await;
    let vault = Arc::clone(exchange.cx().local::<Arc<crate::vault::Vault>>());
    assert_eq!(vault.value("[EMAIL_1]").map(Secret::expose), Some("bob@x.com"));
    let shown = format!("{:?} {:?} {:?}", exchange.mask, exchange.cx(), vault);
    assert!(!shown.contains("bob"), "{shown}");
    assert_eq!(exchange.cx().tags.iter().count(), 0);
    assert!(exchange.cx().upstream_headers.is_empty() && exchange.cx().response_headers.is_empty());
}
