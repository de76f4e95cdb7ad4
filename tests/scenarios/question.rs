//! Further questions of extensions: recorded on their own, paid by the exchange, bounded, and ended with it.

use gatewright_testkit::harness::{Gateway, eventually};
use gatewright_testkit::provider::{Answer, SimulatedProvider, Step};
use serde_json::{Value, json};

use crate::chaos::{check_nothing_left, wait_for, watched};
use crate::support::{chat, streamed_chat};

async fn asking(provider: &SimulatedProvider, settings: Value, isolate: bool) -> Gateway {
    let asker =
        json!({"id": "asker", "use": "asker", "with": settings, "deadline": "10s", "isolate": isolate});
    // A filter and a transform that a question must not meet.
    let meddler = json!({"id": "meddler", "use": "meddler", "with": {}});
    watched(provider)
        .set(
            "/extensions",
            json!([
                {"id": "door", "use": "open-door"}, {"id": "witness", "use": "witness"}, asker, meddler,
            ]),
        )
        .set("/routes/0/request", json!(["asker", "meddler"]))
        .set("/routes/0/response", json!(["asker", "witness"]))
        .start()
        .await
}

fn said(text: &str, input: u64, output: u64) -> Answer {
    let choice =
        json!({"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}});
    let usage = json!({"prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output});
    Answer::json(
        200,
        &json!({"id": "a", "object": "chat.completion", "model": "small", "choices": [choice], "usage": usage}),
    )
}

/// The attempts of an exchange: its own, and those of its questions.
async fn attempts(gateway: &Gateway, id: &str, count: usize) -> Vec<(u64, String, u64)> {
    eventually(&format!("{count} records of {id}"), async || {
        let records = gateway.records().await;
        let mut found: Vec<_> = records
            .into_iter()
            .filter(|record| record.request_id == id)
            .map(|record| (u64::from(record.attempt), record.outcome.clone(), record.output_tokens))
            .collect();
        found.sort();
        (found.len() >= count).then_some(found)
    })
    .await
}

#[tokio::test]
async fn a_transform_asks_before_the_request_is_sent_and_its_exchange_pays() {
    for isolate in [false, true] {
        let provider = SimulatedProvider::start().await;
        let gateway = asking(&provider, json!({"before": 2}), isolate).await;
        provider.push(said("first", 100, 10));
        provider.push(said("second", 200, 20));
        provider.push(said("the answer", 1_000, 300));
        let answer = gateway.chat(&chat("hello")).send().await;
        let id = answer.id();
        assert_eq!(answer.header("x-heard"), Some("first|second"));
        assert_eq!(answer.whole().await.json()["choices"][0]["message"]["content"], "the answer");
        let completed = || "completed".to_owned();
        let found = attempts(&gateway, &id, 3).await;
        assert_eq!(found, [(1, completed(), 300), (101, completed(), 10), (201, completed(), 20)]);
        wait_for(&gateway, "one settlement of everything", |seen| {
            seen["settled"] == "completed" && seen["input"] == 1_300 && seen["output"] == 330
        })
        .await;
        let requests = provider.requests();
        for question in &requests[..2] {
            let body = String::from_utf8_lossy(&question.body).into_owned();
            assert!(!body.contains("meddled") && question.header("x-meddled-request").is_none(), "{body}");
        }
        assert!(requests[2].header("x-meddled-request").is_some());
        let metrics = gateway.metrics().await;
        assert_eq!(metrics.count("gatewright_further_questions_total", &[]), 2);
        assert_eq!(metrics.count("gatewright_exchanges_total", &[]), 1, "a question is no exchange");
        check_nothing_left(&gateway, "questions of a transform").await;
    }
}

#[tokio::test]
async fn a_filter_of_whole_answers_asks_whether_the_answer_is_streamed_or_not() {
    for isolate in [false, true] {
        for request in [chat("hello"), streamed_chat("hello")] {
            let what = format!("isolated: {isolate}, streamed: {}", request["stream"]);
            let provider = SimulatedProvider::start().await;
            let gateway = asking(&provider, json!({"after": 1}), isolate).await;
            provider.push(Answer::model("sim?tokens=8"));
            provider.push(said("repaired", 50, 5));
            let answer = gateway.chat(&request).send().await;
            let id = answer.id();
            let stream = answer.to_end().await;
            let body = String::from_utf8_lossy(&stream.body).into_owned();
            assert!(body.contains("repaired"), "{what}: {body}");
            let found = attempts(&gateway, &id, 2).await;
            assert_eq!((found.len(), found[1].0, found[1].2), (2, 101, 5), "{what}: {found:?}");
            let own = found[0].2;
            wait_for(&gateway, &format!("a settlement with both, {what}"), |seen| {
                seen["settled"] == "completed" && seen["output"] == own + 5
            })
            .await;
            let question = provider.requests()[1].json();
            assert!(question.get("stream").is_none_or(|streams| streams == false), "{what}: {question}");
            check_nothing_left(&gateway, &what).await;
        }
    }
}

#[tokio::test]
async fn an_exchange_has_at_most_four_questions() {
    let provider = SimulatedProvider::start().await;
    let gateway = asking(&provider, json!({"before": 6}), false).await;
    let answer = gateway.chat(&chat("hello")).send().await;
    let id = answer.id();
    let heard = answer.header("x-heard").unwrap().to_owned();
    let heard: Vec<&str> = heard.split('|').collect();
    assert_eq!(heard.len(), 6);
    assert!(heard[..4].iter().all(|text| !text.starts_with("failed")), "{heard:?}");
    assert!(heard[4..].iter().all(|text| text.contains("no further question is left")), "{heard:?}");
    assert_eq!(provider.requests().len(), 5);
    let found = attempts(&gateway, &id, 5).await;
    assert_eq!(found.iter().map(|(attempt, ..)| *attempt).collect::<Vec<_>>(), [1, 101, 201, 301, 401]);
}

#[tokio::test]
async fn a_question_that_the_provider_does_not_answer_is_an_error_of_the_question_alone() {
    let provider = SimulatedProvider::start().await;
    let gateway = asking(&provider, json!({"before": 1}), false).await;
    provider.push(Answer::model("sim?status=500"));
    let answer = gateway.chat(&chat("hello")).send().await;
    let id = answer.id();
    assert_eq!(answer.status, 200);
    assert!(answer.header("x-heard").unwrap().starts_with("failed: UpstreamError"), "{:?}", answer.headers);
    let found = attempts(&gateway, &id, 2).await;
    assert_eq!((found[1].0, found[1].1.as_str()), (101, "failed"), "{found:?}");
}

#[tokio::test]
async fn a_question_ends_with_the_client_and_is_paid_for() {
    for (settings, streamed, isolate) in [
        (json!({"before": 1}), false, false),
        (json!({"after": 1}), true, false),
        (json!({"after": 1}), false, false),
        (json!({"before": 1}), true, true),
        (json!({"after": 1}), true, true),
    ] {
        let what = format!("{settings}, streamed: {streamed}, isolated: {isolate}");
        let provider = SimulatedProvider::start().await;
        let gateway = asking(&provider, settings.clone(), isolate).await;
        if settings.get("after").is_some() {
            provider.push(Answer::model("sim?tokens=8"));
        }
        provider.push(Answer::wire([Step::Stall]));
        let request = if streamed { streamed_chat("hello") } else { chat("hello") };
        let sending = tokio::spawn({
            let request = gateway.chat(&request);
            async move { request.send().await.to_end().await }
        });
        if settings.get("after").is_some() {
            provider.next_request().await;
        }
        let question = provider.next_request().await;
        sending.abort();
        assert!(question.wait_for_disconnect().await.is_some(), "{what}: the question is ended");
        let line = eventually(&format!("the end, {what}"), async || gateway.access_lines().pop()).await;
        let id = line["id"].as_str().unwrap().to_owned();
        let own = usize::from(settings.get("after").is_some());
        let found = attempts(&gateway, &id, own + 1).await;
        let (number, outcome, _) = &found[own];
        assert_eq!((*number, outcome.as_str()), (101, "cut"), "{what}: {found:?}");
        if own == 0 {
            // Nothing was claimed yet.
            continue;
        }
        let what_settled = format!("a settlement, {what}");
        let settled = wait_for(&gateway, &what_settled, |seen| seen.get("settled").is_some()).await;
        if !isolate {
            // What the question may have cost is part of it: its prompt was sent.
            assert!(settled["input"].as_u64().unwrap() > 0, "{what}: {settled}");
        }
        check_nothing_left(&gateway, &what).await;
    }
}
