//! The webhook guard: nothing passes without a verdict, and a webhook that does not answer is handled by policy.

use std::time::{Duration, Instant};

use gatewright_testkit::harness::{End, Gateway};
use gatewright_testkit::provider::{Answer, Gate, SimulatedProvider, Step};
use serde_json::{Value, json};

use crate::support::{chat, delta, error_event_of, error_of, events_of, streamed_chat};

/// A gateway between a provider and a webhook, whose part another simulated provider plays.
struct Scene {
    provider: SimulatedProvider,
    webhook: SimulatedProvider,
    gateway: Gateway,
}

async fn scene(settings: &Value) -> Scene {
    scene_within(settings, "10s").await
}

/// The same with another deadline of the guard.
async fn scene_within(settings: &Value, deadline: &str) -> Scene {
    let (provider, webhook) = (SimulatedProvider::start().await, SimulatedProvider::start().await);
    let origin = format!("http://{}", webhook.address());
    let mut with = json!({"url": format!("{origin}/judge"), "signing_secret": "signing"});
    with.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
    let gateway = Gateway::in_front_of(&provider)
        .file("signing-secret.txt", "canary-signing-secret")
        .extension("guard", "webhook-guard", &with, &["request", "response"])
        .set("/extensions/1/egress", json!([origin]))
        .set("/extensions/1/egress_private", json!(true))
        .set("/extensions/1/secrets", json!({"signing": "${file:signing-secret.txt}"}))
        .set("/extensions/1/deadline", json!(deadline))
        .start()
        .await;
    Scene { provider, webhook, gateway }
}

fn verdict(verdict: &Value) -> Answer {
    Answer::json(200, verdict)
}

fn allow() -> Answer {
    verdict(&json!({"verdict": "allow"}))
}

#[tokio::test]
async fn a_prompt_goes_as_the_webhook_says() {
    let Scene { provider, webhook, gateway } = scene(&json!({})).await;
    webhook.push(allow());
    assert_eq!(gateway.chat(&chat("hello")).send().await.status, 200);
    let asked = webhook.next_request().await;
    assert_eq!((asked.uri.path(), asked.header("content-type")), ("/judge", Some("application/json")));
    assert!(asked.header("x-gatewright-signature").unwrap().starts_with("t="));
    let question = asked.json();
    assert_eq!(
        (&question["phase"], &question["texts"]),
        (&json!("prompt"), &json!([{"role": "user", "text": "hello"}]))
    );
    assert_eq!(question.get("caller"), None, "who calls is told only where that is configured");

    webhook.push(verdict(&json!({"verdict": "deny", "code": "off_topic", "message": "not here"})));
    let refused = gateway.chat(&chat("hello")).send().await.whole().await;
    let error = error_of(&refused, 403);
    assert_eq!((&error["code"], &error["message"]), (&json!("off_topic"), &json!("not here")));
    assert_eq!(gateway.access_line(&refused.id()).await["code"], "off_topic");

    webhook.push(verdict(&json!({"verdict": "replace", "texts": ["good day"]})));
    assert_eq!(gateway.chat(&chat("hello")).send().await.status, 200);
    let sent: Vec<Value> =
        provider.requests().iter().map(|seen| seen.json()["messages"][0]["content"].clone()).collect();
    assert_eq!(sent, ["hello", "good day"]);
    assert!(!gateway.log().contains("canary-signing-secret"));
}

#[tokio::test]
async fn a_webhook_that_fails_or_hangs_denies_or_is_skipped() {
    let Scene { provider, webhook, mut gateway } = scene_within(&json!({}), "400ms").await;
    let start = Instant::now();
    webhook.push(Answer::stream(vec![Step::Stall]));
    let refused = gateway.chat(&chat("hello")).send().await.whole().await;
    assert_eq!(error_of(&refused, 500)["code"], "extension_failed");
    assert!(start.elapsed() >= Duration::from_millis(400) && start.elapsed() < Duration::from_secs(5));
    for body in [json!({}), json!({"verdict": "perhaps"})] {
        webhook.push(verdict(&body));
        assert_eq!(gateway.chat(&chat("hello")).send().await.status, 500, "{body}");
    }
    assert!(provider.requests().is_empty(), "nothing is sent without a verdict");

    gateway.reconfigure_all([
        ("/extensions/1/on_error", json!("skip")),
        ("/extensions/1/on_timeout", json!("skip")),
    ]);
    gateway.wait_for_generation(2).await;
    webhook.push(Answer::json(503, &json!({})));
    assert_eq!(gateway.chat(&chat("hello")).send().await.status, 200);
    assert_eq!(provider.requests().len(), 1);
}

#[tokio::test]
async fn a_stream_waits_for_each_verdict_and_ends_where_one_denies() {
    let Scene { provider, webhook, gateway } =
        scene(&json!({"prompts": "none", "answers": true, "window_bytes": 10, "context_bytes": 5})).await;
    let pieces = ["the first ", "and the second ", "and the end"];
    provider.push(Answer::events(events_of(&pieces).iter().map(String::as_str)));
    let gate = Gate::new();
    webhook.push(allow());
    // The second verdict is late, and the third replaces.
    let late = json!({"verdict": "allow"}).to_string();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        late.len()
    );
    webhook.push(Answer::Wire(vec![
        Step::send(head),
        Step::Flush,
        Step::WaitFor(gate.clone()),
        Step::send(late),
    ]));
    webhook.push(verdict(&json!({"verdict": "replace", "texts": ["[..]"]})));
    let mut answer = gateway.chat(&streamed_chat("x")).send().await;
    let mut text = String::new();
    while text.len() < pieces[0].len() {
        let event = answer.json_event().await;
        text.push_str(event["choices"][0]["delta"]["content"].as_str().unwrap_or_default());
    }
    assert_eq!(text, pieces[0], "what has its verdict goes out, and no more");
    for _ in 0..2 {
        webhook.next_request().await;
    }
    gate.open();
    let stream = answer.to_end().await;
    assert!(stream.is_done() && stream.end == End::Clean, "{stream:?}");
    let asked: Vec<Value> = webhook.requests().iter().map(|asked| asked.json()).collect();
    let judged: String = asked.iter().map(|asked| asked["texts"][0]["text"].as_str().unwrap()).collect();
    assert_eq!(judged, pieces.concat());
    assert_eq!((&asked[1]["before"], &asked[1]["lane"]), (&json!("irst "), &json!("content")));
    assert!(text + &stream.text(0) == "the first and the second [..]", "{stream:?}");

    provider.push(Answer::events(events_of(&pieces).iter().map(String::as_str)));
    webhook.push(allow());
    webhook.push(verdict(&json!({"verdict": "deny", "message": "enough"})));
    let answer = gateway.chat(&streamed_chat("x")).send().await;
    let id = answer.id();
    let stream = answer.to_end().await;
    let error = error_event_of(&stream);
    assert_eq!((&error["code"], &error["message"]), (&json!("denied_by_webhook"), &json!("enough")));
    assert_eq!(stream.text(0), pieces[0]);
    assert_eq!(gateway.record(&id).await.outcome, "cut");
}

#[tokio::test]
async fn the_last_text_of_each_choice_is_judged_before_the_choice_ends() {
    let Scene { provider, webhook, gateway } =
        scene(&json!({"prompts": "none", "answers": true, "window_bytes": 1000})).await;
    let events = |has_end: bool| {
        let mut events: Vec<String> =
            (0..2).map(|choice| delta(choice, &json!({"content": "short"}), None)).collect();
        if has_end {
            events.extend((0..2).map(|choice| delta(choice, &json!({}), Some("stop"))));
        }
        events.push("[DONE]".to_owned());
        events
    };
    // Some providers say that all is over and not that a choice is.
    for has_end in [true, false] {
        for denied in [None, Some(0), Some(1)] {
            provider.push(Answer::events(events(has_end).iter().map(String::as_str)));
            for choice in 0..2 {
                let denies = Some(choice) == denied;
                webhook.push(if denies { verdict(&json!({"verdict": "deny"})) } else { allow() });
                if denies {
                    break;
                }
            }
            let stream = gateway.chat(&streamed_chat("x")).send().await.to_end().await;
            let what = format!("ends are said: {has_end}, denied: {denied:?}: {stream:?}");
            let seen = [stream.text(0), stream.text(1)];
            match denied {
                None => {
                    assert!(stream.is_done(), "{what}");
                    assert_eq!(seen, ["short", "short"], "{what}");
                }
                Some(0) => assert_eq!(seen, ["", ""], "{what}"),
                Some(_) => assert_eq!(seen[1], "", "{what}"),
            }
            assert_eq!(stream.error().is_some(), denied.is_some(), "{what}");
        }
    }
    let message = |text: &str| json!({"role": "assistant", "content": text});
    let choices = json!([{"index": 0, "message": message("short"), "finish_reason": "stop"}]);
    provider.push(Answer::json(200, &json!({"id": "c", "choices": choices})));
    webhook.push(verdict(&json!({"verdict": "replace", "texts": ["fine"]})));
    let answer = gateway.chat(&chat("x")).send().await.json().await;
    assert_eq!(answer["choices"][0]["message"], message("fine"));
}
