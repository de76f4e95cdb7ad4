//! What is sent, what becomes of the verdicts, and which settings are refused.

use gatewright::prelude::*;
use gatewright::text::TextStage;
use gatewright_testkit::extension::{
    self, EnvBuilder, TestEnv, context, principal, request, response_head, texts,
};
use gatewright_testkit::split::every_split;
use serde_json::{Value, json};

use crate::WebhookGuard;

const URL: &str = "https://guard.acme.example/judge";

/// An instance and the webhook that it asks.
struct Bench {
    bed: TestEnv,
    guard: WebhookGuard,
}

impl Bench {
    async fn new(settings: Value) -> Self {
        let bed = EnvBuilder::default().secret("signing", "key").build();
        let guard = created(&bed, settings).await.expect("the settings are valid");
        Self { bed, guard }
    }

    fn says(&self, verdict: &Value) {
        self.bed.http.answer(URL, 200, verdict.to_string());
    }

    fn asked(&self) -> Vec<Value> {
        let calls = self.bed.http.calls();
        calls.iter().map(|call| serde_json::from_str(&call.text()).expect("a question is JSON")).collect()
    }

    async fn prompt(&self, request: &mut LlmRequest) -> HookResult {
        self.guard.on_request(request, &mut context(principal())).await
    }

    /// What becomes of an answer in these pieces: the text that gets out, and the denial.
    async fn answer(&self, pieces: &[&str]) -> (String, Option<Denial>) {
        let (lane, mut cx) = (Lane::content(0), context(principal()));
        let FilterPlan::Text(hold) = self.guard.plan(&response_head(true), &cx) else {
            panic!("a text plan")
        };
        let mut filter = self.guard.open(&response_head(true), &mut cx).expect("it opens");
        let mut stage = TextStage::new(hold);
        let mut out = String::new();
        for (piece, is_last) in pieces.iter().map(|piece| (*piece, false)).chain([("", true)]) {
            stage.push(lane, piece, is_last).expect("nothing overflows");
            loop {
                let mut window = stage.window(lane).expect("the lane is open");
                let flow = filter.on_text(&mut window, &mut StreamCx::new(&mut cx, Usage::default()));
                match flow.expect("it does not fail") {
                    StreamFlow::Continue | StreamFlow::Drop => break,
                    StreamFlow::Cut(denial) => return (out, Some(*denial)),
                    StreamFlow::Await(future) => {
                        let verdict = future.await.expect("the webhook answers");
                        let mut cx = StreamCx::new(&mut cx, Usage::default());
                        let flow = filter.resume(verdict, &mut cx).expect("it does not fail");
                        assert!(matches!(flow, StreamFlow::Continue));
                    }
                }
            }
            stage.release(lane, &mut out).expect("nothing overflows");
        }
        (out, None)
    }
}

async fn created(bed: &TestEnv, mut settings: Value) -> Result<WebhookGuard, BuildError> {
    if settings.get("url").is_none() {
        settings["url"] = json!(URL);
    }
    extension::create_in(bed.env(), settings).await
}

#[tokio::test]
async fn only_what_is_configured_is_sent() {
    let messages =
        [(Role::System, "be kind"), (Role::User, "hi"), (Role::Assistant, "yes"), (Role::Tool, "42")];
    let cases = [
        (json!({}), json!([{"role": "user", "text": "hi"}, {"role": "tool", "text": "42"}]), false),
        (
            json!({"prompts": "all", "caller": true}),
            json!([
                {"role": "system", "text": "be kind"}, {"role": "user", "text": "hi"},
                {"role": "assistant", "text": "yes"}, {"role": "tool", "text": "42"},
            ]),
            true,
        ),
    ];
    for (settings, sent, tells_caller) in cases {
        let bench = Bench::new(settings).await;
        bench.says(&json!({"verdict": "allow"}));
        let mut request = request(&messages);
        assert!(matches!(bench.prompt(&mut request).await, Ok(Flow::Continue)) && !request.is_edited());
        let [question] = &bench.asked()[..] else { panic!("one question") };
        assert_eq!((&question["phase"], &question["texts"]), (&json!("prompt"), &sent));
        assert_eq!((&question["model"], &question["instance"]), (&json!("model"), &json!("test")));
        assert_eq!(question.get("caller").is_some(), tells_caller);
        assert!(bench.bed.http.calls()[0].headers.get("x-gatewright-signature").is_none());
    }
    let bench = Bench::new(json!({"prompts": "none"})).await;
    assert!(!bench.guard.wants(&request(&messages), &context(principal())));
    assert!(matches!(bench.guard.plan(&response_head(true), &context(principal())), FilterPlan::Skip));
}

#[tokio::test]
async fn calls_are_signed_with_the_secret_of_the_moment() {
    let bench = Bench::new(json!({"signing_secret": "signing"})).await;
    bench.says(&json!({"verdict": "allow"}));
    for secret in ["key", "another"] {
        bench.bed.secrets.set("signing", secret);
        let _flow = bench.prompt(&mut request(&[(Role::User, "hi")])).await;
    }
    let calls = bench.bed.http.calls();
    let signatures: Vec<&str> =
        calls.iter().map(|call| call.headers["x-gatewright-signature"].to_str().expect("text")).collect();
    assert!(signatures[0].starts_with("t=1893456000,v1="), "{signatures:?}");
    assert_eq!(calls[0].text(), calls[1].text());
    assert_ne!(signatures[0], signatures[1]);
}

#[tokio::test]
async fn a_prompt_is_denied_or_replaced_as_the_webhook_says() {
    let bench = Bench::new(json!({})).await;
    bench.says(&json!({"verdict": "deny", "message": "not\nhere", "code": "off_topic", "later": 1}));
    bench.says(&json!({"verdict": "deny", "code": "no code!"}));
    bench.says(&json!({"verdict": "replace", "texts": [null, "two"]}));
    let mut asked = request(&[(Role::User, "one"), (Role::System, "rules"), (Role::User, "secret")]);
    for (code, message) in
        [("off_topic", "nothere"), ("denied_by_webhook", "a check of this service refuses the text")]
    {
        let Ok(Flow::Deny(denial)) = bench.prompt(&mut asked).await else { panic!("it is denied") };
        assert_eq!((denial.status.as_u16(), &*denial.code, &*denial.message), (403, code, message));
    }
    assert!(matches!(bench.prompt(&mut asked).await, Ok(Flow::Continue)));
    assert_eq!(texts(&asked), ["user: one", "system: rules", "user: two"]);
}

#[tokio::test]
async fn an_answer_that_is_no_verdict_is_a_failure() {
    for (status, body) in [(500, "{}"), (200, "{}"), (200, r#"{"verdict":"maybe"}"#), (200, "")] {
        let bench = Bench::new(json!({})).await;
        bench.bed.http.answer(URL, status, body);
        let failed = bench.prompt(&mut request(&[(Role::User, "hi")])).await;
        assert!(failed.is_err(), "{status} {body}");
    }
    let bench = Bench::new(json!({})).await;
    bench.says(&json!({"verdict": "replace", "texts": []}));
    assert!(bench.prompt(&mut request(&[(Role::User, "hi")])).await.is_err());
    bench.bed.fail_service("http");
    assert!(bench.prompt(&mut request(&[(Role::User, "hi")])).await.is_err());
}

#[tokio::test]
async fn a_text_that_is_too_long_is_refused_and_not_sent() {
    let bench = Bench::new(json!({"max_bytes": 600})).await;
    let long = "x".repeat(601);
    let Ok(Flow::Deny(denial)) = bench.prompt(&mut request(&[(Role::User, &long)])).await else { panic!() };
    assert_eq!((denial.status.as_u16(), &*denial.code), (413, "text_too_long"));
    assert!(bench.asked().is_empty());
}

#[tokio::test]
async fn nothing_of_an_answer_gets_out_before_its_verdict_however_it_is_cut() {
    let text = "one two three four";
    for pieces in every_split(text) {
        let bench = Bench::new(json!({"answers": true, "window_bytes": 8, "context_bytes": 4})).await;
        bench.says(&json!({"verdict": "allow"}));
        assert_eq!(bench.answer(&pieces).await.0, text, "{pieces:?}");
        let asked = bench.asked();
        let judged: String =
            asked.iter().map(|question| question["texts"][0]["text"].as_str().expect("a text")).collect();
        assert_eq!(judged, text, "{pieces:?}");
        for two in asked.windows(2) {
            let end = two[0]["texts"][0]["text"].as_str().expect("a text");
            assert!(end.ends_with(two[1]["before"].as_str().expect("a text")), "{two:?}");
        }
    }
}

#[tokio::test]
async fn an_answer_is_cut_or_replaced_window_by_window() {
    let bench = Bench::new(json!({"answers": true, "window_bytes": 4})).await;
    bench.says(&json!({"verdict": "allow"}));
    bench.says(&json!({"verdict": "replace", "texts": ["[..]"]}));
    bench.says(&json!({"verdict": "deny", "message": "enough"}));
    let (out, denial) = bench.answer(&["good", " bad", " worse"]).await;
    assert_eq!((out.as_str(), &*denial.expect("it is cut").message), ("good[..]", "enough"));
    let (out, denial) = bench.answer(&["x"]).await;
    assert_eq!((out.as_str(), denial.is_some()), ("", true), "the last text is judged too");
}

#[tokio::test]
async fn settings_that_cannot_be_right_are_refused_with_their_place() {
    let cases = [
        (json!({"url": "guard"}), "url: give an absolute http or https URL"),
        (json!({"url": "ftp://guard.acme.example"}), "url: give an absolute http or https URL"),
        (json!({"url": "a b"}), "url: this is no URL"),
        (json!({"signing_secret": "other"}), "signing_secret: there is no `other` under `secrets`"),
        (json!({"window_bytes": 0}), "window_bytes: give from 1 to `max_bytes`"),
    ];
    let bed = TestEnv::default();
    for (settings, message) in cases {
        let said = created(&bed, settings).await.expect_err("it is refused").to_string();
        assert!(said.starts_with(message), "{said}");
    }
}
