//! Tokens and money: the same figures streamed and whole, in the record, the metrics and the provider's own books.

use gatewright_testkit::harness::{End, Gateway, Request, Streamed};
use gatewright_testkit::provider::{Answer, SimulatedProvider};
use http::Method;
use serde_json::{Value, json};

use crate::support::{chat, serving, streamed_chat};

/// A request of each kind whose answer costs something, by path.
fn requests() -> Vec<(&'static str, Value)> {
    let tool = json!({"type": "function", "function": {"name": "weather", "parameters": {"type": "object",
        "properties": {"city": {"type": "string"}}}}});
    let messages =
        json!([{"role": "system", "content": "be brief"}, {"role": "user", "content": "how are you?"}]);
    vec![
        ("/v1/chat/completions", json!({"model": "small", "messages": messages})),
        ("/v1/chat/completions", json!({"model": "small", "messages": messages, "n": 3, "max_tokens": 5})),
        (
            "/v1/chat/completions",
            json!({"model": "small", "messages": messages, "tools": [tool], "tool_choice": "required"}),
        ),
        ("/v1/completions", json!({"model": "small", "prompt": "once upon a time", "n": 2})),
    ]
}

#[tokio::test]
async fn a_streamed_answer_counts_as_a_whole_one_and_as_the_providers_own_books() {
    let (provider, gateway) = serving().await;
    let behaviours = [
        "sim?tokens=30",
        "sim?reasoning=1",
        "sim?usage_in_last_choice=1",
        "sim?usage_every_chunk=1",
        "sim?coalesce=7",
    ];
    for (path, request) in requests() {
        for behaviour in behaviours {
            let mut figures = Vec::new();
            for streamed in [false, true] {
                let mut request = request.clone();
                request["stream"] = json!(streamed);
                provider.push(Answer::model(behaviour));
                let answer = gateway.post(path, request.to_string()).send().await;
                let id = answer.id();
                assert!(answer.to_end().await.end == End::Clean);
                let bill = provider.next_request().await.bill();
                let record = gateway.record(&id).await;
                let what = format!("{path} {behaviour} {request}");
                assert_eq!(
                    (record.usage_source.as_str(), record.outcome.as_str()),
                    ("provider", "completed"),
                    "{what}"
                );
                assert_eq!(
                    (record.input_tokens, record.output_tokens),
                    (bill.prompt_tokens, bill.completion_tokens),
                    "{what}"
                );
                assert_eq!(record.streamed, streamed);
                figures.push((
                    record.input_tokens,
                    record.output_tokens,
                    record.reasoning_tokens,
                    record.cost_nanos,
                ));
            }
            assert_eq!(figures[0], figures[1], "{path} {behaviour} {request}");
        }
    }
}

/// The events of a stream without what differs from one answer to the next.
fn comparable(stream: &Streamed) -> Vec<Value> {
    assert!(stream.is_done(), "{stream:?}");
    let mut events = stream.json_events();
    events.iter_mut().for_each(|event| event["id"] = json!("the id"));
    events
}

/// What a client reads that asks the provider itself.
async fn direct(provider: &SimulatedProvider, path: &str, request: &Value) -> Streamed {
    let request = Request::new(provider.address(), Method::POST, path).body(request.to_string());
    request.send().await.to_end().await
}

#[tokio::test]
async fn a_client_that_did_not_ask_for_usage_reads_what_the_provider_would_have_sent_it() {
    let (provider, gateway) = serving().await;
    for (path, request) in requests() {
        for behaviour in ["sim", "sim?usage_in_last_choice=1", "sim?usage_every_chunk=1", "sim?no_usage=1"] {
            let mut request = request.clone();
            request["stream"] = json!(true);
            provider.push(Answer::model(behaviour));
            let expected = comparable(&direct(&provider, path, &request).await);
            provider.push(Answer::model(behaviour));
            let seen = gateway.post(path, request.to_string()).send().await.to_end().await;
            assert_eq!(comparable(&seen), expected, "{path} {behaviour}");
        }
    }
}

#[tokio::test]
async fn a_client_that_asked_for_usage_reads_it_as_the_provider_sent_it() {
    let (provider, gateway) = serving().await;
    for (path, mut request) in requests() {
        request["stream"] = json!(true);
        request["stream_options"] = json!({"include_usage": true});
        let expected = comparable(&direct(&provider, path, &request).await);
        let seen = gateway.post(path, request.to_string()).send().await.to_end().await;
        assert_eq!(comparable(&seen), expected, "{path}");
        assert!(seen.usage().is_some(), "{path}: {seen:?}");
    }
}

#[tokio::test]
async fn a_client_that_said_no_to_usage_reads_none() {
    let (_provider, gateway) = serving().await;
    let mut request = streamed_chat("x");
    request["stream_options"] = json!({"include_usage": false});
    let answer = gateway.chat(&request).send().await;
    let id = answer.id();
    let stream = answer.to_end().await;
    assert!(stream.is_done() && stream.usage().is_none(), "{stream:?}");
    assert!(stream.json_events().iter().all(|event| event.get("usage").is_none()), "{stream:?}");
    assert_eq!(gateway.record(&id).await.usage_source, "provider");
}

#[tokio::test]
async fn fault_u14_usage_that_the_provider_does_not_report_is_estimated_and_marked() {
    let (provider, gateway) = serving().await;
    for behaviour in ["sim?no_usage=1&tokens=40", "sim?usage_add=-1000&tokens=40"] {
        for request in
            [chat("how long is a piece of string?"), streamed_chat("how long is a piece of string?")]
        {
            provider.push(Answer::model(behaviour));
            let answer = gateway.chat(&request).send().await;
            let id = answer.id();
            answer.to_end().await;
            let bill = provider.next_request().await.bill();
            let record = gateway.record(&id).await;
            assert_eq!(
                (record.usage_source.as_str(), record.outcome.as_str()),
                ("estimated", "completed"),
                "{behaviour}"
            );
            let near = |estimate: u64, truth: u64| (truth / 3..=truth * 3 + 20).contains(&estimate);
            assert!(near(record.output_tokens, bill.completion_tokens), "{behaviour}: {record:?} {bill:?}");
            assert!(
                record.input_tokens > 0 && near(record.input_tokens, bill.prompt_tokens),
                "{record:?} {bill:?}"
            );
        }
    }
    let metrics = gateway.metrics().await;
    assert!(metrics.count("gatewright_tokens_total", &[("kind", "output"), ("source", "estimated")]) > 0);
    assert_eq!(metrics.count("gatewright_tokens_total", &[("source", "provider")]), 0);
}

#[tokio::test]
async fn an_embedding_costs_its_input() {
    let (provider, gateway) = serving().await;
    let request = r#"{"model":"small","input":["one two three","four"]}"#;
    let answer = gateway.post("/v1/embeddings", request).send().await.whole().await;
    assert_eq!(answer.status, 200);
    let bill = provider.next_request().await.bill();
    let record = gateway.record(&answer.id()).await;
    assert_eq!((record.operation.as_str(), record.output_tokens), ("embedding", 0));
    assert_eq!(record.input_tokens, bill.prompt_tokens);
    assert_eq!(record.cost_nanos, Some(i64::try_from(bill.prompt_tokens * 1_000).unwrap()));
}

/// An answer whose usage has every class of price.
fn answer_with_usage() -> Answer {
    let usage = json!({
        "prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100,
        "prompt_tokens_details": {"cached_tokens": 600},
        "completion_tokens_details": {"reasoning_tokens": 40},
    });
    let choice =
        json!({"index": 0, "message": {"role": "assistant", "content": "x"}, "finish_reason": "stop"});
    Answer::json(200, &json!({"object": "chat.completion", "choices": [choice], "usage": usage}))
}

#[tokio::test]
async fn the_cost_is_the_price_of_each_class_of_tokens() {
    let provider = SimulatedProvider::start().await;
    let price = json!({"input": 3.0, "output": 15.0, "cache_read": 0.3});
    let gateway = Gateway::in_front_of(&provider)
        .model("small", &json!([{"provider": "simulated", "price": price}]))
        .start()
        .await;
    provider.push(answer_with_usage());
    let answer = gateway.chat(&chat("x")).send().await.whole().await;
    let record = gateway.record(&answer.id()).await;
    let tokens =
        (record.input_tokens, record.cache_read_tokens, record.output_tokens, record.reasoning_tokens);
    assert_eq!(tokens, (400, 600, 100, 40));
    // 400 at 3 dollars, 600 at 0.3 and 100 at 15 for a million, in nano-dollars.
    assert_eq!(record.cost_nanos, Some(1_200_000 + 180_000 + 1_500_000));
    let line = gateway.access_line(&answer.id()).await;
    assert_eq!(line["cost_usd"], "0.002880000");
    assert_eq!((&line["input_tokens"], &line["output_tokens"]), (&json!(1000), &json!(100)));
    let metrics = gateway.metrics().await;
    assert_eq!(metrics.count("gatewright_cost_nanodollars_total", &[]), 2_880_000);
}

#[tokio::test]
async fn the_price_comes_from_the_catalogue_unless_it_is_set_and_an_unknown_one_is_no_price() {
    let provider = SimulatedProvider::start().await;
    let gateway = Gateway::in_front_of(&provider)
        .model("gpt-4o-mini", &json!([{"provider": "simulated"}]))
        .model("nobody-knows", &json!([{"provider": "simulated"}]))
        .start()
        .await;
    let mut costs = Vec::new();
    for model in ["gpt-4o-mini", "nobody-knows", "small"] {
        let mut request = chat("x");
        request["model"] = json!(model);
        provider.push(answer_with_usage());
        let answer = gateway.chat(&request).send().await.whole().await;
        costs.push(gateway.record(&answer.id()).await.cost_nanos);
    }
    // The catalogue has 0.15, 0.075 for what was cached, and 0.60 dollars for a million tokens.
    assert_eq!(costs, [Some(60_000 + 45_000 + 60_000), None, Some(1_000_000 + 200_000)]);
    let metrics = gateway.metrics().await;
    assert_eq!(metrics.count("gatewright_price_unknown_total", &[]), 1);
}

#[tokio::test]
async fn the_record_is_durable_before_the_client_sees_the_end() {
    let (_provider, gateway) = serving().await;
    for n in 0..20 {
        let request = if n % 2 == 0 { chat("x") } else { streamed_chat("x") };
        let answer = gateway.chat(&request).send().await;
        let id = answer.id();
        answer.to_end().await;
        // Nothing is waited for here.
        let records = gateway.records().await;
        assert!(records.iter().any(|record| record.request_id == id), "exchange {n}: {records:?}");
    }
    assert_eq!(gateway.metrics().await.count("gatewright_records_late_total", &[]), 0);
}

#[tokio::test]
async fn the_record_says_who_asked_for_what_and_who_served_it() {
    let provider = SimulatedProvider::start().await;
    let keys = json!([{"key": "a-key-of-the-test", "tenant": "umbrella", "project": "search", "user": "bob",
        "label": "bobs", "tags": {"department": "research"}}]);
    let gateway = Gateway::in_front_of(&provider)
        .model("small", &json!([{"provider": "simulated", "model": "big"}]))
        .set("/extensions/0/with/keys", keys)
        .start()
        .await;
    let answer = gateway.chat(&streamed_chat("x")).key("a-key-of-the-test").send().await;
    let id = answer.id();
    answer.to_end().await;
    let record = gateway.record(&id).await;
    let caller = (
        record.tenant.as_str(),
        record.project.as_deref(),
        record.user.as_deref(),
        record.key_label.as_str(),
    );
    assert_eq!(caller, ("umbrella", Some("search"), Some("bob"), "bobs"));
    let served = (record.model_asked.as_str(), record.model_served.as_deref(), record.provider.as_deref());
    assert_eq!(served, ("small", Some("big"), Some("simulated")));
    assert_eq!((record.route.as_str(), record.operation.as_str(), record.status), ("default", "chat", 200));
    let tags: Value = serde_json::from_str(record.tags.as_deref().unwrap()).unwrap();
    assert_eq!(tags, json!({"department": "research"}));
    assert!(record.first_token_us.is_some_and(|first| first <= record.total_us), "{record:?}");
    assert!(record.overhead_us <= record.total_us, "{record:?}");
}
