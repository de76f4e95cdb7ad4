//! What is put in, what a caller is told, and which settings are refused.

use gatewright::prelude::*;
use gatewright_testkit::extension::{self, body, chat_request, context, principal};
use serde_json::{Value, json};

use crate::PromptTemplates;

fn settings() -> Value {
    json!({"templates": {
        "support": {
            "system": "You answer for {{ product }} in a {{tone}} tone, in {{count}} words, {{brief}}. {{{{x}}",
            "variables": {
                "product": {"max_bytes": 20},
                "tone": {"default": "kind", "one_of": ["kind", "formal"]},
                "count": {"type": "integer", "default": 50},
                "brief": {"type": "boolean", "default": false},
            },
        },
        "translate": {"user": "Into {{language}}:", "variables": {"language": {}}},
        "sign": {"user": "Sign as {{rate}}.", "user_at": "last", "variables": {"rate": {"type": "number"}}},
    }})
}

async fn created(settings: Value) -> Result<PromptTemplates, BuildError> {
    extension::create(settings).await
}

fn asking(reference: &Value) -> LlmRequest {
    let messages = json!([{"role": "user", "content": "hi"}]);
    chat_request(&json!({"model": "m", "messages": messages, "prompt_template": reference}))
}

async fn transform(settings: Value, request: &mut LlmRequest, cx: &mut RequestCx) -> Flow {
    let templates = created(settings).await.expect("the settings are valid");
    templates.on_request(request, cx).await.expect("it does not fail")
}

async fn messages(reference: Value) -> Value {
    let mut request = asking(&reference);
    let flow = transform(settings(), &mut request, &mut context(principal())).await;
    assert!(matches!(flow, Flow::Continue), "{flow:?}");
    assert_eq!(body(&request).get("prompt_template"), None);
    body(&request)["messages"].clone()
}

async fn denied(settings: Value, request: &mut LlmRequest) -> Denial {
    match transform(settings, request, &mut context(principal())).await {
        Flow::Deny(denial) => *denial,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_prompt_stands_where_it_belongs_with_the_callers_values() {
    let cases = [
        (
            json!({"name": "support", "variables": {"product": "Falcon {{tone}}", "count": 7}}),
            json!([
                {"role": "system", "content": "You answer for Falcon {{tone}} in a kind tone, in 7 words, false. {{x}}"},
                {"role": "user", "content": "hi"},
            ]),
        ),
        (
            json!({"name": "translate", "variables": {"language": "Frisian"}}),
            json!([{"role": "user", "content": "Into Frisian:"}, {"role": "user", "content": "hi"}]),
        ),
        (
            json!({"name": "sign", "variables": {"rate": 0.5}}),
            json!([{"role": "user", "content": "hi"}, {"role": "user", "content": "Sign as 0.5."}]),
        ),
    ];
    for (reference, expected) in cases {
        assert_eq!(messages(reference).await, expected);
    }
}

#[tokio::test]
async fn the_prompt_becomes_a_label_of_the_exchange() {
    let mut cx = context(principal());
    let mut request = asking(&json!({"name": "translate", "variables": {"language": "Frisian"}}));
    let _flow = transform(settings(), &mut request, &mut cx).await;
    assert_eq!(cx.tags.get("prompt_template"), Some("translate"));
}

#[tokio::test]
async fn a_request_without_a_reference_goes_on_untouched() {
    let mut request = chat_request(&json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]}));
    let flow = transform(settings(), &mut request, &mut context(principal())).await;
    assert!(matches!(flow, Flow::Continue) && !request.is_edited());
}

#[tokio::test]
async fn a_mistake_of_the_caller_is_named_by_its_field() {
    let product = |value: Value| json!({"name": "support", "variables": {"product": value}});
    let also =
        |name: &str, value: Value| json!({"name": "support", "variables": {"product": "p", name: value}});
    let cases = [
        (json!("support"), "prompt_template", "invalid_type"),
        (json!({"variables": {}}), "prompt_template.name", "invalid_type"),
        (json!({"name": "suport"}), "prompt_template.name", "unknown_prompt_template"),
        (json!({"name": "support", "variables": []}), "prompt_template.variables", "invalid_type"),
        (json!({"name": "support", "vars": {}}), "prompt_template.vars", "unknown_parameter"),
        (json!({"name": "support"}), "prompt_template.variables.product", "missing_variable"),
        (product(json!(7)), "prompt_template.variables.product", "invalid_variable"),
        (product(Value::Null), "prompt_template.variables.product", "invalid_variable"),
        (product(json!("p".repeat(21))), "prompt_template.variables.product", "invalid_variable"),
        (also("tone", json!("rude")), "prompt_template.variables.tone", "invalid_variable"),
        (also("count", json!(1.5)), "prompt_template.variables.count", "invalid_variable"),
        (also("count", json!("1")), "prompt_template.variables.count", "invalid_variable"),
        (also("brief", json!("true")), "prompt_template.variables.brief", "invalid_variable"),
        (also("color", json!("red")), "prompt_template.variables.color", "unknown_variable"),
    ];
    for (reference, param, code) in cases {
        let denial = denied(settings(), &mut asking(&reference)).await;
        let said = (denial.status.as_u16(), denial.param.as_deref(), &*denial.code);
        assert_eq!(said, (400, Some(param), code), "{reference}");
    }
}

#[tokio::test]
async fn a_prompt_may_be_required_and_must_not_be_ambiguous() {
    let mut required = settings();
    required["required"] = json!(true);
    let mut plain = chat_request(&json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]}));
    assert_eq!(denied(required, &mut plain).await.code, "missing_required_parameter");

    let twice = r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"prompt_template":1,"prompt_template":2}"#;
    assert_eq!(
        denied(settings(), &mut extension::chat_request_text(twice)).await.code,
        "duplicate_parameter"
    );
}

#[tokio::test]
async fn settings_that_cannot_be_right_are_refused_with_their_place() {
    let one = |template: Value| json!({"templates": {"t": template}});
    let with = |variable: Value| one(json!({"user": "{{a}}", "variables": {"a": variable}}));
    let cases = [
        (json!({"templates": {}}), "templates: give at least one prompt"),
        (one(json!({})), "templates.t: give `system`, `user`, or both"),
        (one(json!({"user": "{{a}}"})), "templates.t.user: `{{a}}` is not among the variables"),
        (one(json!({"user": "{{a b}}"})), "templates.t.user: a `{{` without a name and `}}`"),
        (one(json!({"system": "{{a"})), "templates.t.system: a `{{` without a name and `}}`"),
        (
            one(json!({"user": "x", "variables": {"a": {}}})),
            "templates.t.variables.a: no text of the prompt uses it",
        ),
        (
            with(json!({"type": "integer", "default": "1"})),
            "templates.t.variables.a.default: must be a whole",
        ),
        (with(json!({"one_of": ["x"], "default": "y"})), "templates.t.variables.a.default: must be one of x"),
        (with(json!({"type": "date"})), "templates.t.variables.a.type: unknown variant `date`"),
        (json!({"templates": {"t": {"user": "x"}}, "member": "messages"}), "member: choose a name"),
    ];
    for (settings, message) in cases {
        let said = created(settings).await.expect_err("it is refused").to_string();
        assert!(said.starts_with(message), "{said}");
    }
}
