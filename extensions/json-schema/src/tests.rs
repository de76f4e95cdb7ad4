//! What passes, what is repaired, what is refused, and which settings are refused.

use std::sync::Arc;

use gatewright::prelude::*;
use gatewright::{AskExchange, AskHost};
use gatewright_testkit::extension::{
    self, chat_answer, chat_request, context, embedding_request, principal, response_head,
};
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::JsonSchema;

const FITS: &str = r#"{"city":"Oslo","population":700000}"#;
const FAILS: &str = r#"{"city":"Oslo","population":"many"}"#;

fn schema() -> Value {
    json!({"type": "object", "required": ["city"], "additionalProperties": false,
        "properties": {"city": {"type": "string"}, "population": {"type": "integer"}}})
}

/// A model that gives these answers to further questions, and remembers what it was asked.
#[derive(Default)]
struct Model {
    answers: Mutex<Vec<&'static str>>,
    asked: Mutex<Vec<Value>>,
}

impl AskHost for Model {
    fn ask(
        self: Arc<Self>,
        _exchange: AskExchange,
        request: LlmRequest,
    ) -> BoxFuture<'static, Result<LlmResponse, Failure>> {
        self.asked.lock().push(extension::body(&request));
        let answer = self.answers.lock().pop();
        let failed = || Failure::internal("no answer is left");
        Box::pin(async move { answer.map(|text| answer_of(&[text])).ok_or_else(failed) })
    }
}

fn answer_of(texts: &[&str]) -> LlmResponse {
    let choices: Vec<Value> = texts
        .iter()
        .enumerate()
        .map(|(index, text)| json!({"index": index, "message": {"role": "assistant", "content": text}}))
        .collect();
    chat_answer(&json!({"id": "c", "choices": choices}))
}

async fn created(settings: Value) -> Result<JsonSchema, BuildError> {
    extension::create(settings).await
}

/// One exchange, from its request to its answer.
struct Exchange {
    check: JsonSchema,
    cx: RequestCx,
    model: Arc<Model>,
}

impl Exchange {
    async fn new(settings: Value, extra: &Value, repairs: &[&'static str]) -> Self {
        let check = created(settings).await.expect("the settings are valid");
        let model = Arc::new(Model::default());
        model.answers.lock().extend(repairs.iter().rev());
        let mut cx = context(principal());
        cx.give_model_access(Arc::clone(&model) as _, Arc::new(()));
        let mut body = json!({"model": "m", "n": 1, "messages": [{"role": "user", "content": "Oslo?"}]});
        body.as_object_mut().expect("an object").extend(extra.as_object().cloned().unwrap_or_default());
        let flow = check.on_request(&mut chat_request(&body), &mut cx).await;
        assert!(matches!(flow, Ok(Flow::Continue)), "{flow:?}");
        Self { check, cx, model }
    }

    async fn answer(&mut self, texts: &[&str]) -> (Flow, Vec<String>) {
        let mut answer = answer_of(texts);
        let flow = self.check.on_response(&mut answer, &mut self.cx).await.expect("it does not fail");
        let mut left = Vec::new();
        answer.for_each_text(&mut |_, text| left.push(text.to_owned()));
        (flow, left)
    }

    fn tag(&self) -> Option<&str> {
        self.cx.tags.get("json_schema")
    }
}

#[tokio::test]
async fn what_fits_passes_as_it_is_and_without_a_fence() {
    let mut exchange = Exchange::new(json!({"schema": schema()}), &json!({}), &[]).await;
    let (flow, left) = exchange.answer(&[FITS]).await;
    assert!(matches!(flow, Flow::Continue));
    assert_eq!((left, exchange.tag()), (vec![FITS.to_owned()], Some("ok")));
    assert!(exchange.model.asked.lock().is_empty());

    let mut exchange = Exchange::new(json!({"schema": schema()}), &json!({}), &[]).await;
    let (_, left) = exchange.answer(&[&format!("```json\n{FITS}\n```\n")]).await;
    assert_eq!((left, exchange.tag()), (vec![FITS.to_owned()], Some("ok")));
}

#[tokio::test]
async fn what_does_not_fit_goes_back_to_the_model_once() {
    let extra = json!({"stream": true, "n": 1});
    let mut exchange = Exchange::new(json!({"schema": schema()}), &extra, &[FITS]).await;
    let (flow, left) = exchange.answer(&[FAILS]).await;
    assert!(matches!(flow, Flow::Continue));
    assert_eq!((left, exchange.tag()), (vec![FITS.to_owned()], Some("repaired")));
    let asked = exchange.model.asked.lock();
    let messages = asked[0]["messages"].as_array().expect("messages");
    assert_eq!(messages[0]["content"], "Oslo?");
    let told = messages[1]["content"].as_str().expect("a text");
    assert!(told.contains(FAILS) && told.contains("at /population") && told.contains("integer"), "{told}");
    assert_eq!(asked.len(), 1);
}

#[tokio::test]
async fn what_does_not_fit_in_the_end_is_refused_or_labelled() {
    for (on_violation, repairs, settings) in [
        ("deny", &[FAILS][..], json!({})),
        ("deny", &[], json!({})),
        ("deny", &[FITS], json!({"repair": false})),
        ("tag", &["no JSON"], json!({})),
    ] {
        let mut all = json!({"schema": schema(), "on_violation": on_violation});
        all.as_object_mut().expect("an object").extend(settings.as_object().cloned().unwrap_or_default());
        let mut exchange = Exchange::new(all, &json!({}), repairs).await;
        let (flow, left) = exchange.answer(&[FAILS]).await;
        assert_eq!((left, exchange.tag()), (vec![FAILS.to_owned()], Some("violated")));
        match flow {
            Flow::Deny(denial) => {
                assert_eq!((on_violation, &*denial.code), ("deny", "answer_violates_schema"));
                assert!(denial.message.contains("/population does not fit /properties/population/type"));
                assert!(!denial.message.contains("many"), "the answer is not quoted: {}", denial.message);
            }
            Flow::Continue => assert_eq!(on_violation, "tag"),
            other @ Flow::Respond(_) => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn several_choices_are_checked_and_one_is_repaired() {
    let mut exchange = Exchange::new(json!({"schema": schema()}), &json!({"n": 2}), &[FITS]).await;
    let (_, left) = exchange.answer(&[FITS, FAILS]).await;
    assert_eq!(left, [FITS, FITS]);
    assert_eq!(exchange.model.asked.lock()[0]["n"], 1);
    let mut exchange = Exchange::new(json!({"schema": schema()}), &json!({"n": 2}), &[FITS]).await;
    assert!(matches!(exchange.answer(&[FAILS, FAILS]).await.0, Flow::Deny(_)));
    assert!(exchange.model.asked.lock().is_empty());
}

#[tokio::test]
async fn the_request_says_what_its_answer_is_to_be() {
    let settings = json!({"from_request": true, "repair": false});
    let cases = [
        (json!({}), "no JSON", None),
        (json!({"response_format": {"type": "text"}}), "no JSON", None),
        (json!({"response_format": {"type": "json_object"}}), "no JSON", Some("violated")),
        (json!({"response_format": {"type": "json_object"}}), "[1]", Some("ok")),
        (
            json!({"response_format": {"type": "json_schema", "json_schema": {"schema": schema()}}}),
            FAILS,
            Some("violated"),
        ),
        (
            json!({"response_format": {"type": "json_schema", "json_schema": {"schema": schema()}}}),
            FITS,
            Some("ok"),
        ),
    ];
    for (extra, text, tag) in cases {
        let mut exchange = Exchange::new(settings.clone(), &extra, &[]).await;
        let plan = exchange.check.plan(&response_head(true), &exchange.cx);
        assert_eq!(matches!(plan, FilterPlan::Whole { .. }), tag.is_some(), "{extra}");
        let (_flow, _left) = exchange.answer(&[text]).await;
        assert_eq!(exchange.tag(), tag, "{extra} {text}");
    }
    let check = created(json!({"schema": schema()})).await.expect("the settings are valid");
    let mut cx = context(principal());
    let _flow = check.on_request(&mut embedding_request("x"), &mut cx).await;
    assert!(matches!(check.plan(&response_head(false), &cx), FilterPlan::Skip));
}

#[tokio::test]
async fn a_schema_of_a_request_that_cannot_be_checked_in_bounds_is_refused() {
    let check = created(json!({"from_request": true})).await.expect("the settings are valid");
    let mut doubling = serde_json::Map::new();
    for n in 0..40 {
        let next = json!({"$ref": format!("#/$defs/d{}", n + 1)});
        doubling.insert(format!("d{n}"), json!({"allOf": [next, next]}));
    }
    doubling.insert("d40".to_owned(), json!(true));
    let cases = [
        (json!({"type": "nothing"}), "is not valid under"),
        (json!({"$ref": "https://elsewhere.example/schema"}), "leads nowhere in it"),
        (json!({"$ref": "#/nowhere"}), "leads nowhere in it"),
        (json!({"properties": {"a": {"$ref": "#"}}}), "recursion is not supported"),
        (
            json!({"$defs": {"a": {"items": {"$ref": "#/$defs/a"}}}, "$ref": "#/$defs/a"}),
            "recursion is not supported",
        ),
        (json!({"$dynamicRef": "#x"}), "`$dynamicRef` is not supported"),
        (json!({"$ref": "#/$defs/d0", "$defs": doubling}), "more than 10000 parts"),
        (json!({"pattern": "(?=a)"}), "regex"),
        (json!({"description": "x".repeat(70_000)}), "65536 are allowed"),
    ];
    for (schema, message) in cases {
        let format = json!({"type": "json_schema", "json_schema": {"name": "n", "schema": schema}});
        let body =
            json!({"model": "m", "messages": [{"role": "user", "content": "x"}], "response_format": format});
        let flow = check.on_request(&mut chat_request(&body), &mut context(principal())).await;
        let Ok(Flow::Deny(denial)) = flow else { panic!("{schema}: {flow:?}") };
        assert_eq!(denial.param.as_deref(), Some("response_format.json_schema.schema"));
        assert!(denial.message.contains(message), "{}", denial.message);
    }
}

#[tokio::test]
async fn settings_that_cannot_be_right_are_refused_with_their_place() {
    let cases = [
        (json!({}), "give `schema`, `from_request: true`, or both"),
        (json!({"schema": {"type": "nothing"}}), "schema: "),
        (json!({"schema": {"$ref": "https://elsewhere.example/schema"}}), "schema: "),
        (json!({"schema": true, "on_violation": "drop"}), "on_violation: unknown variant `drop`"),
    ];
    for (settings, message) in cases {
        let said = created(settings).await.expect_err("it is refused").to_string();
        assert!(said.starts_with(message), "{said}");
    }
}
