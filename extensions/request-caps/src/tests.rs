//! What is refused, bounded and left, and which settings are refused.

use gatewright::prelude::*;
use gatewright_testkit::extension::{self, body, chat_request, chat_request_text, context, principal};
use serde_json::{Value, json};

use crate::RequestCaps;

async fn created(settings: Value) -> Result<RequestCaps, BuildError> {
    extension::create(settings).await
}

/// A request with these members beside a model and a message.
fn asking(extra: &Value) -> LlmRequest {
    let mut body = json!({"model": "model", "messages": [{"role": "user", "content": "hi"}]});
    body.as_object_mut().expect("an object").extend(extra.as_object().cloned().unwrap_or_default());
    chat_request(&body)
}

async fn bounded(rules: Value, request: &mut LlmRequest, cx: &mut RequestCx) -> Flow {
    let caps = created(json!({"rules": rules})).await.expect("the settings are valid");
    caps.on_request(request, cx).await.expect("it does not fail")
}

async fn left(rules: Value, mut request: LlmRequest) -> (LlmRequest, Option<String>) {
    let mut cx = context(principal());
    let flow = bounded(rules, &mut request, &mut cx).await;
    assert!(matches!(flow, Flow::Continue), "{flow:?}");
    (request, cx.tags.get("clamped").map(str::to_owned))
}

#[track_caller]
fn check_denied(flow: Flow, expected: (u16, Option<&str>, &str), what: &Value) {
    let Flow::Deny(denial) = flow else { panic!("{what}: {flow:?}") };
    assert_eq!(
        (denial.status.as_u16(), denial.param.as_deref(), &*denial.code),
        expected,
        "{what}: {denial:?}"
    );
}

#[tokio::test]
async fn too_much_is_refused_and_named() {
    let image = json!({"type": "image_url", "image_url": {"url": "data:,"}});
    let sound = json!({"type": "input_audio", "input_audio": {}});
    let messages = |content: Value| json!({"messages": [{"role": "user", "content": content}]});
    let cases = [
        (json!({"body_bytes": 60}), json!({}), (413, None, "request_too_large")),
        (json!({"messages": 0}), json!({}), (400, Some("messages"), "too_many_messages")),
        (json!({"tools": 1}), json!({"tools": [{}, {}]}), (400, Some("tools"), "too_many_tools")),
        (json!({"images": 1}), messages(json!([image, image])), (400, Some("messages"), "too_many_images")),
        (json!({"files": 0}), messages(json!([sound])), (400, Some("messages"), "too_many_files")),
        (json!({"prompt_tokens": 5}), json!({}), (400, Some("messages"), "prompt_too_long")),
        (json!({"required": ["user"]}), json!({}), (400, Some("user"), "missing_required_parameter")),
        (
            json!({"required": ["user"]}),
            json!({"user": null}),
            (400, Some("user"), "missing_required_parameter"),
        ),
        (
            json!({"forbidden": ["logprobs"]}),
            json!({"logprobs": true}),
            (400, Some("logprobs"), "forbidden_parameter"),
        ),
        (
            json!({"forbidden": ["reasoning.effort"]}),
            json!({"reasoning": {"effort": "high"}}),
            (400, Some("reasoning.effort"), "forbidden_parameter"),
        ),
    ];
    for (rule, extra, expected) in cases {
        let flow = bounded(json!([rule]), &mut asking(&extra), &mut context(principal())).await;
        check_denied(flow, expected, &rule);
    }
    let inputs = extension::embedding_request("text");
    let (_, clamped) = left(json!([{"messages": 0}]), inputs).await;
    assert_eq!(clamped, None);
}

#[tokio::test]
async fn what_is_at_its_bound_keeps_its_bytes() {
    let rule = json!({"body_bytes": 200, "messages": 1, "tools": 1, "images": 0, "files": 0, "prompt_tokens": 50,
        "parameters": {"temperature": {"min": 0, "max": 2, "on_excess": "clamp"}, "n": {"max": 1}},
        "required": ["temperature"], "forbidden": ["logprobs"]});
    let text = r#"{"model":"model","messages":[{"role":"user","content":"hi"}], "temperature":2.0,"n":1,"logprobs":null,"tools":[{}]}"#;
    let (request, clamped) = left(json!([rule]), chat_request_text(text)).await;
    assert_eq!((&*request.to_body(), request.is_edited(), clamped), (text.as_bytes(), false, None));
}

#[tokio::test]
async fn a_parameter_over_its_bounds_is_refused_or_set_to_the_bound() {
    let rules = json!([{"parameters": {
        "temperature": {"min": 0.5, "max": 1.5, "on_excess": "clamp"},
        "max_tokens": {"max": 100, "on_excess": "clamp", "default": 50},
        "reasoning.budget": {"max": 10, "on_excess": "clamp"},
        "n": {"max": 2},
        "service_tier": {"one_of": ["default", "flex"]},
    }}]);
    let extra = json!({"temperature": 9, "max_tokens": 101, "reasoning": {"budget": 11, "x": 1}, "n": 2, "service_tier": "flex"});
    let (request, clamped) = left(rules.clone(), asking(&extra)).await;
    let sent = body(&request);
    assert_eq!(
        (&sent["temperature"], &sent["max_tokens"], &sent["n"]),
        (&json!(1.5), &json!(100), &json!(2))
    );
    assert_eq!(sent["reasoning"], json!({"budget": 10, "x": 1}));
    assert_eq!(clamped.as_deref(), Some("max_tokens,reasoning.budget,temperature"));

    let (request, clamped) =
        left(rules.clone(), asking(&json!({"temperature": 0.1, "max_tokens": null}))).await;
    assert_eq!((&body(&request)["temperature"], &body(&request)["max_tokens"]), (&json!(0.5), &json!(50)));
    assert_eq!(clamped.as_deref(), Some("temperature"), "a default is not a bound");

    for (extra, param, code) in [
        (json!({"n": 3}), "n", "invalid_value"),
        (json!({"temperature": "hot"}), "temperature", "invalid_type"),
        (json!({"service_tier": "priority"}), "service_tier", "invalid_value"),
    ] {
        let flow = bounded(rules.clone(), &mut asking(&extra), &mut context(principal())).await;
        check_denied(flow, (400, Some(param), code), &extra);
    }
}

#[tokio::test]
async fn a_repeated_key_gets_past_no_bound() {
    let twice = |first: &str, second: &str| {
        let head = r#"{"model":"model","messages":[{"role":"user","content":"hi"}],"#;
        chat_request_text(&format!(r#"{head}"top_p":{first},"top_p":{second}}}"#))
    };
    for (first, second) in [("9", "1"), ("1", "9")] {
        let deny = json!([{"parameters": {"top_p": {"max": 1}}}]);
        let flow = bounded(deny, &mut twice(first, second), &mut context(principal())).await;
        check_denied(flow, (400, Some("top_p"), "invalid_value"), &json!([first, second]));
        let clamp = json!([{"parameters": {"top_p": {"max": 1, "on_excess": "clamp"}}}]);
        let (request, _) = left(clamp, twice(first, second)).await;
        assert_eq!(request.fields("/top_p"), ["1", "1"]);
    }
}

#[tokio::test]
async fn rules_concern_their_models_and_all_of_them_count() {
    let rules =
        json!([{"models": ["mod*"], "messages": 5}, {"models": ["big"], "messages": 0}, {"tools": 0}]);
    left(rules.clone(), asking(&json!({}))).await;
    let flow = bounded(rules, &mut asking(&json!({"tools": [{}]})), &mut context(principal())).await;
    check_denied(flow, (400, Some("tools"), "too_many_tools"), &json!(null));
    let caps =
        created(json!({"rules": [{"models": ["big"], "tools": 0}]})).await.expect("the settings are valid");
    assert!(!caps.wants(&asking(&json!({})), &context(principal())));
}

#[tokio::test]
async fn settings_that_cannot_be_right_are_refused_with_their_place() {
    let one = |parameter: Value| json!({"rules": [{"parameters": {"p": parameter}}]});
    let cases = [
        (json!({"rules": []}), "rules: give at least one rule"),
        (json!({"rules": [{"models": ["a"]}]}), "rules[0]: it bounds nothing; give a bound"),
        (one(json!({})), "rules[0].parameters.p: give `min`, `max`, `one_of` or `default`"),
        (one(json!({"min": 2, "max": 1})), "rules[0].parameters.p.min: it is greater than `max`"),
        (one(json!({"max": 1, "default": 2})), "rules[0].parameters.p.default: must be at most 1"),
        (
            one(json!({"max": 1, "default": 2, "on_excess": "clamp"})),
            "rules[0].parameters.p.default: it is not within the bounds",
        ),
        (one(json!({"one_of": ["a"], "default": "b"})), "rules[0].parameters.p.default: must be one of"),
        (json!({"rules": [{"parameters": {"model": {"max": 1}}}]}), "rules[0].parameters.model: this is no"),
        (
            json!({"rules": [{"required": ["a"], "forbidden": ["a"]}]}),
            "rules[0].required: `a` is forbidden as well",
        ),
        (json!({"rules": [{"massages": 1}]}), "rules[0].massages: unknown field `massages`"),
    ];
    for (settings, message) in cases {
        let said = created(settings).await.expect_err("it is refused").to_string();
        assert!(said.starts_with(message), "{said}");
    }
}
