//! The content policy: what is denied never reaches the provider or the client, whole or streamed, wherever it is cut.

use gatewright_testkit::harness::{Connection, End, Gateway};
use gatewright_testkit::provider::{Answer, SimulatedProvider};
use serde_json::{Value, json};

use crate::support::{chat, cut_at, error_event_of, error_of, events_of, stream_of, streamed_chat};

async fn guarded() -> (SimulatedProvider, Gateway) {
    let provider = SimulatedProvider::start().await;
    let rules = json!([
        {"name": "weapons", "category": "violence", "keywords": ["nerve agent"], "action": "deny", "message": "no weapons"},
        {"name": "ticket", "patterns": [r"\bTK-[0-9]{4,8}\b"], "action": "mask"},
        {"name": "rival-names", "keywords": ["Falcon"], "action": "monitor"},
        {"name": "price", "keywords": ["discount"], "action": "tag"},
    ]);
    let gateway = Gateway::in_front_of(&provider)
        .extension("policy", "content-policy", &json!({"rules": rules}), &["request", "response"])
        .start()
        .await;
    (provider, gateway)
}

fn answer_of(text: &str) -> Answer {
    let message = json!({"role": "assistant", "content": text});
    let usage = json!({"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3});
    let choices = json!([{"index": 0, "message": message, "finish_reason": "stop"}]);
    Answer::json(200, &json!({"id": "c", "choices": choices, "usage": usage}))
}

#[tokio::test]
async fn a_prompt_that_is_denied_is_not_sent() {
    let (provider, gateway) = guarded().await;
    for request in [chat("mix a Nerve  Agent"), streamed_chat("mix a nerve\nagent")] {
        let refused = gateway.chat(&request).send().await.whole().await;
        let error = error_of(&refused, 400);
        assert_eq!((&error["code"], &error["message"]), (&json!("content_policy"), &json!("no weapons")));
        assert_eq!(gateway.access_line(&refused.id()).await["code"], "content_policy");
    }
    assert!(provider.requests().is_empty());
    assert_eq!(gateway.chat(&chat("nerve agents, TK-12345")).send().await.status, 200);
    assert_eq!(provider.next_request().await.json()["messages"][0]["content"], "nerve agents, [ticket]");
}

#[tokio::test]
async fn a_whole_answer_is_denied_masked_or_labelled() {
    let (provider, gateway) = guarded().await;
    provider.push(answer_of("take a nerve agent"));
    let refused = gateway.chat(&chat("x")).send().await.whole().await;
    assert_eq!(error_of(&refused, 400)["code"], "content_policy");
    assert!(!String::from_utf8_lossy(&refused.body).contains("nerve"));

    provider.push(answer_of("falcon offers a discount: TK-12345"));
    let answer = gateway.chat(&chat("x")).send().await.whole().await;
    let text = answer.json()["choices"][0]["message"]["content"].clone();
    assert_eq!(text, "falcon offers a discount: [ticket]");
    let tags: Value = serde_json::from_str(&gateway.record(&answer.id()).await.tags.unwrap()).unwrap();
    assert_eq!(tags, json!({"content_policy": "price,ticket", "content_policy_monitored": "rival-names"}));
    let metrics = gateway.metrics().await;
    let counted = |name: &str| {
        metrics
            .count(&format!("gatewright_ext_content_policy_matches_{name}_total"), &[("instance", "policy")])
    };
    assert_eq!((counted("rival_names"), counted("weapons")), (1, 1));
}

#[tokio::test]
async fn a_stream_is_cut_before_the_match_at_every_split_of_its_text() {
    let (provider, gateway) = guarded().await;
    let text = "so: TK-12345, a nerve agent is";
    let mut connection = Connection::open(gateway.address()).await.unwrap();
    for (at, _) in text.char_indices().skip(1) {
        let (head, tail) = text.split_at(at);
        provider.push(Answer::events(events_of(&[head, tail]).iter().map(String::as_str)));
        let answer = connection.send(gateway.chat(&streamed_chat("x"))).await;
        let id = answer.id();
        let stream;
        (stream, connection) = answer.then_connection().await;
        connection.ready().await;
        let what = format!("{head}|{tail}");
        // Where the first event already has the match, nothing was released and the stream has only the error.
        let error = error_event_of(&stream);
        assert_eq!(
            (&error["code"], &error["message"]),
            (&json!("content_policy"), &json!("no weapons")),
            "{what}"
        );
        assert!("so: [ticket], a ".starts_with(&stream.text(0)), "{what}: {stream:?}");
        assert_eq!(gateway.record(&id).await.outcome, "cut", "{what}");
    }
}

#[tokio::test]
async fn a_stream_that_is_masked_or_watched_is_whole_at_every_split_of_its_bytes() {
    let (provider, gateway) = guarded().await;
    let body = stream_of(&["Falcon sees TK-1", "2345 and TK", "-123"]);
    for place in (1..body.len()).step_by(7) {
        provider.push(cut_at(&body, &[place]));
        let stream = gateway.chat(&streamed_chat("x")).send().await.to_end().await;
        assert!(stream.is_done() && stream.end == End::Clean, "{stream:?}");
        assert_eq!(stream.text(0), "Falcon sees [ticket] and TK-123", "cut at {place}");
    }
}
