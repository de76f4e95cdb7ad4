//! An instance that only watches is counted, and nothing of what it does is felt; an isolated one does what it would
//! do on the worker's own thread.

use gatewright_testkit::harness::{Gateway, eventually};
use gatewright_testkit::provider::{Answer, SimulatedProvider};
use serde_json::{Value, json};

use crate::chaos::{check_nothing_left, trouble, wait_for, watched, written};
use crate::support::{chat, events_of, streamed_chat};

/// A gateway with a meddler in every chain, and behind it one that reports what it finds of it.
async fn meddled(provider: &SimulatedProvider, plan: &str, change: Value) -> Gateway {
    let mut meddler =
        json!({"id": "meddler", "use": "meddler", "with": {"plan": plan, "asks": true}, "deadline": "5s"});
    meddler.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    let reader = json!({"id": "reader", "use": "meddler", "with": {"reads": true, "plan": plan}});
    watched(provider)
        .set(
            "/extensions",
            json!([
                {"id": "door", "use": "open-door"}, {"id": "witness", "use": "witness"}, meddler, reader,
            ]),
        )
        .set("/authenticate", json!(["meddler", "door"]))
        .set("/routes/0/request", json!(["meddler", "reader"]))
        .set("/routes/0/limit", json!(["witness", "meddler", "reader"]))
        .set("/routes/0/response", json!(["meddler", "reader", "witness"]))
        .start()
        .await
}

async fn tags_of(gateway: &Gateway, id: &str) -> Vec<String> {
    let record = wait_for(gateway, "the record", |seen| seen["record"] == id && seen["attempt"] == 1).await;
    record["tags"].as_array().unwrap().iter().map(|tag| tag.as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn nothing_of_what_an_instance_that_only_watches_does_is_felt() {
    for (plan, isolate) in
        [("events", false), ("text", false), ("whole", false), ("whole", true), ("events", true)]
    {
        let provider = SimulatedProvider::start().await;
        let gateway = meddled(&provider, plan, json!({"mode": "shadow", "isolate": isolate})).await;
        for request in [chat("hello"), streamed_chat("hello")] {
            let what = format!("{plan}, isolated: {isolate}, streamed: {}", request["stream"]);
            // A stream without a finish leaves the last text to its very end.
            let pieces = ["one ", "two"];
            if request["stream"] == json!(true) {
                let events = events_of(&pieces);
                let kept = events.iter().filter(|event| !event.contains("\"stop\"")).map(String::as_str);
                provider.push(Answer::events(kept));
            } else {
                let choice = json!({"index": 0, "finish_reason": "stop",
                    "message": {"role": "assistant", "content": "one two"}});
                provider.push(Answer::json(200, &json!({"choices": [choice]})));
            }
            let answer = gateway.chat(&request).send().await;
            let id = answer.id();
            assert!(!answer.headers.keys().any(|name| name.as_str().contains("meddled")), "{what}");
            let stream = answer.to_end().await;
            let body = String::from_utf8_lossy(&stream.body).into_owned();
            assert!(!body.contains("meddled"), "{what}: {body}");
            let text = if request["stream"] == json!(true) {
                stream.text(0)
            } else {
                let whole: Value = serde_json::from_slice(&stream.body).unwrap();
                whole["choices"][0]["message"]["content"].as_str().unwrap().to_owned()
            };
            assert_eq!(text, "one two", "{what}");
            let sent = provider.next_request().await;
            assert!(!String::from_utf8_lossy(&sent.body).contains("meddled"), "{what}");
            assert!(sent.header("x-meddled-request").is_none(), "{what}");
            assert!(sent.header("x-meddled-reserve").is_none(), "{what}");
            assert_eq!(tags_of(&gateway, &id).await, ["found=nothing"], "{what}");
            let line = gateway.access_line(&id).await;
            assert_eq!(line["tenant"], "acme", "{what}: nobody is let in by it");
        }
        assert_eq!(provider.requests().len(), 2, "{plan}: it asked nobody");
        assert_eq!(gateway.records().await.len(), 2, "{plan}");
        let metrics = gateway.metrics().await;
        let calls = |hook| {
            metrics.count("gatewright_extension_calls_total", &[("instance", "meddler"), ("hook", hook)])
        };
        for hook in ["authenticate", "request", "reserve", "open"] {
            assert_eq!(calls(hook), 2, "{plan}: it is called at {hook}");
        }
        check_nothing_left(&gateway, plan).await;
    }
}

#[tokio::test]
async fn what_an_instance_does_is_the_same_wherever_it_runs() {
    for plan in ["events", "text", "whole"] {
        let mut seen = Vec::new();
        for isolate in [false, true] {
            let provider = SimulatedProvider::start().await;
            let gateway = meddled(&provider, plan, json!({"isolate": isolate, "with": {"plan": plan}})).await;
            let mut answers = Vec::new();
            for request in [chat("hello"), streamed_chat("hello")] {
                let answer = gateway.chat(&request).send().await;
                let id = answer.id();
                let mut meddled: Vec<_> =
                    answer.headers.keys().map(|name| name.as_str().to_owned()).collect();
                meddled.retain(|name| name.contains("meddled"));
                meddled.sort();
                let stream = answer.to_end().await;
                let sent = provider.next_request().await;
                assert!(String::from_utf8_lossy(&sent.body).contains("meddled"), "{plan}");
                assert_eq!(gateway.access_line(&id).await["tenant"], "meddler");
                let text = if request["stream"] == json!(true) {
                    stream.text(0)
                } else {
                    let whole: Value = serde_json::from_slice(&stream.body).unwrap();
                    whole["choices"][0]["message"]["content"].as_str().unwrap().to_owned()
                };
                assert!(text.contains("meddled"), "{plan}: {text}");
                let upstream = sent.header("x-meddled-request").map(str::to_owned);
                answers.push((text, meddled, upstream, tags_of(&gateway, &id).await));
            }
            check_nothing_left(&gateway, plan).await;
            seen.push(answers);
        }
        assert_eq!(seen[0], seen[1], "{plan}");
    }
}

#[tokio::test]
async fn a_claim_of_a_limiter_that_only_watches_cuts_nothing_and_is_settled() {
    let provider = SimulatedProvider::start().await;
    for (at, act) in [("progress", "deny"), ("progress", "panic"), ("settle", "panic"), ("top_up", "hang")] {
        let mut instance = trouble("trouble", at, act);
        instance["mode"] = json!("shadow");
        let gateway = watched(&provider)
            .set(
                "/extensions",
                json!([{"id": "door", "use": "open-door"}, {"id": "witness", "use": "witness"}, instance]),
            )
            .set("/routes/0/limit", json!(["witness", "trouble"]))
            .start()
            .await;
        let stream = gateway.chat(&streamed_chat("x")).send().await.to_end().await;
        assert!(stream.is_done(), "{act} at {at}: {stream:?}");
        check_nothing_left(&gateway, at).await;
        if act == "deny" {
            let labels = [("instance", "trouble"), ("mode", "shadow"), ("code", "trouble")];
            assert!(gateway.metrics().await.has("gatewright_extension_denials_total", &labels));
            assert!(!written(&gateway).iter().any(|seen| seen["audit"] == "cut"));
        }
    }
}

#[tokio::test]
async fn an_isolated_instance_that_only_watches_loses_nothing_when_it_does_not_return() {
    let provider = SimulatedProvider::start().await;
    for at in ["request", "attempt", "reserve", "whole"] {
        let mut instance = trouble("trouble", at, "block");
        instance["mode"] = json!("shadow");
        instance["isolate"] = json!(true);
        instance["stall"] = json!("200ms");
        let chain = match at {
            "reserve" => "limit",
            "whole" => "response",
            _ => "request",
        };
        let gateway = watched(&provider)
            .set(
                "/extensions",
                json!([{"id": "door", "use": "open-door"}, {"id": "witness", "use": "witness"}, instance]),
            )
            .set(&format!("/routes/0/{chain}"), json!(["trouble"]))
            .start()
            .await;
        for request in [chat("x"), streamed_chat("x")] {
            let answer = gateway.chat(&request).send().await;
            assert_eq!(answer.status, 200, "{at}");
            let stream = answer.to_end().await;
            assert!(stream.error().is_none(), "{at}: {stream:?}");
        }
        eventually("the end of both", async || (gateway.access_lines().len() == 2).then_some(())).await;
    }
}

#[tokio::test]
async fn an_edit_of_a_transform_that_fails_and_is_skipped_is_taken_back() {
    let provider = SimulatedProvider::start().await;
    let meddler = json!({
        "id": "meddler", "use": "meddler", "with": {"fails": true},
        "on_error": "skip", "on_timeout": "skip", "on_panic": "skip",
    });
    let gateway = watched(&provider)
        .set(
            "/extensions",
            json!([{"id": "door", "use": "open-door"}, {"id": "witness", "use": "witness"}, meddler]),
        )
        .set("/routes/0/request", json!(["meddler"]))
        .start()
        .await;
    let body = chat("x");
    assert_eq!(gateway.chat(&body).send().await.status, 200);
    let sent = provider.next_request().await;
    assert_eq!(sent.body, body.to_string().as_bytes(), "as if it had not been there");
}

#[tokio::test]
async fn an_edit_of_a_filter_that_fails_and_is_skipped_is_taken_back() {
    for isolate in [false, true] {
        let provider = SimulatedProvider::start().await;
        let meddler = json!({
            "id": "meddler", "use": "meddler", "with": {"plan": "whole", "fails": true},
            "on_error": "skip", "isolate": isolate,
        });
        let gateway = watched(&provider)
            .set(
                "/extensions",
                json!([{"id": "door", "use": "open-door"}, {"id": "witness", "use": "witness"}, meddler]),
            )
            .set("/routes/0/response", json!(["meddler"]))
            .start()
            .await;
        let events = events_of(&["one ", "two"]);
        provider.push(Answer::events(events.iter().map(String::as_str)));
        let stream = gateway.chat(&streamed_chat("x")).send().await.to_end().await;
        assert_eq!(stream.text(0), "one two", "isolated: {isolate}");
    }
}

#[tokio::test]
async fn a_cut_of_a_filter_that_only_watches_is_counted_once_and_the_filter_rests() {
    for at in ["event", "text"] {
        let provider = SimulatedProvider::start().await;
        let mut instance = trouble("trouble", at, "deny");
        instance["mode"] = json!("shadow");
        let gateway = watched(&provider)
            .set(
                "/extensions",
                json!([{"id": "door", "use": "open-door"}, {"id": "witness", "use": "witness"}, instance]),
            )
            .set("/routes/0/response", json!(["trouble"]))
            .start()
            .await;
        let events = events_of(&["one ", "two ", "three ", "four ", "five"]);
        provider.push(Answer::events(events.iter().map(String::as_str)));
        let stream = gateway.chat(&streamed_chat("x")).send().await.to_end().await;
        assert_eq!(stream.text(0), "one two three four five", "{at}");
        check_nothing_left(&gateway, at).await;
        let denials = [("instance", "trouble"), ("mode", "shadow")];
        assert_eq!(gateway.metrics().await.count("gatewright_extension_denials_total", &denials), 1, "{at}");
    }
}

#[tokio::test]
async fn filters_work_in_the_order_of_the_route_whether_the_answer_is_streamed_or_not() {
    let provider = SimulatedProvider::start().await;
    let meddler = |id: &str, plan: &str| json!({"id": id, "use": "meddler", "with": {"plan": plan}});
    // The one that sees the answer whole adds a word to it, the other one replaces the text.
    for (order, expected) in [(["whole", "text"], "meddled"), (["text", "whole"], "meddled meddled")] {
        let gateway = watched(&provider)
            .set(
                "/extensions",
                json!([
                    {"id": "door", "use": "open-door"}, {"id": "witness", "use": "witness"},
                    meddler("whole", "whole"), meddler("text", "replace"),
                ]),
            )
            .set("/routes/0/response", json!(order))
            .start()
            .await;
        for request in [chat("hello"), streamed_chat("hello")] {
            let stream = gateway.chat(&request).send().await.to_end().await;
            let text = if request["stream"] == json!(true) {
                stream.text(0)
            } else {
                let whole: Value = serde_json::from_slice(&stream.body).unwrap();
                whole["choices"][0]["message"]["content"].as_str().unwrap().to_owned()
            };
            assert_eq!(text, expected, "{order:?}, streamed: {}", request["stream"]);
        }
    }
}
