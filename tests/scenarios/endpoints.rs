//! The endpoints that are no chats: counts, vectors, models, moderations, images, rerank and speech.

use gatewright_testkit::harness::{Answer as Seen, CALLER_KEY, End, Gateway, GatewayBuilder};
use gatewright_testkit::provider::{Answer, Gate, Script, SimulatedProvider, Step, count_tokens};
use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};

use crate::support::error_of;

const LOST: &str = "x-gatewright-lost";

/// A gateway whose models are each served by another protocol, at every path.
fn speaking_all(provider: &SimulatedProvider) -> GatewayBuilder {
    let root = format!("http://{}", provider.address());
    let providers = [("anthropic", root.clone()), ("gemini", format!("{root}/v1beta"))];
    let mut builder = Gateway::in_front_of(provider).set("/routes/0/match/path", json!("/*"));
    for (name, base_url) in providers {
        builder = builder
            .provider_at(name, &base_url)
            .set(&format!("/providers/{name}/use"), json!(name))
            .model(name, &json!([{"provider": name, "model": "sim"}]));
    }
    builder
}

async fn post(gateway: &Gateway, path: &str, body: &Value) -> Seen {
    gateway.post(path, body.to_string()).send().await
}

fn messages(model: &str) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": "how many are these"}]})
}

#[tokio::test]
async fn the_id_of_a_request_stands_where_the_library_of_each_dialect_looks_for_it() {
    let provider = SimulatedProvider::start().await;
    let gateway = speaking_all(&provider).start().await;
    let converse = json!({"messages": [{"role": "user", "content": [{"text": "hi"}]}]});
    let mut message = messages("anthropic");
    message["max_tokens"] = json!(9);
    let cases = [
        ("/v1/messages", message, 200, "request-id"),
        ("/v1/messages", messages("nobody"), 404, "request-id"),
        ("/model/anthropic/converse", converse.clone(), 200, "x-amzn-requestid"),
        ("/model/anthropic/converse-stream", converse.clone(), 200, "x-amzn-requestid"),
        ("/model/nobody/converse", converse, 404, "x-amzn-requestid"),
    ];
    for (path, body, status, header) in cases {
        let answer = post(&gateway, path, &body).await.whole().await;
        assert_eq!(answer.status.as_u16(), status, "{path}: {:?}", answer.body);
        assert_eq!(answer.header(header), Some(answer.id().as_str()), "{path}");
    }
    let listed =
        gateway.get("/v1/models").header("anthropic-version", "2023-06-01").send().await.whole().await;
    assert_eq!(listed.header("request-id"), Some(listed.id().as_str()));
}

// === Counts ===

#[tokio::test]
async fn a_count_is_made_by_a_provider_of_the_callers_dialect_and_costs_nothing() {
    let provider = SimulatedProvider::start().await;
    let gateway = speaking_all(&provider).start().await;
    let cases = [
        ("/v1/messages/count_tokens", messages("anthropic"), "input_tokens", "/v1/messages/count_tokens"),
        (
            "/v1beta/models/gemini:countTokens",
            json!({"contents": [{"role": "user", "parts": [{"text": "how many are these"}]}]}),
            "totalTokens",
            "/v1beta/models/sim:countTokens",
        ),
    ];
    for (path, body, member, asked) in cases {
        let answer = post(&gateway, path, &body).await.whole().await;
        assert_eq!((answer.status.as_u16(), answer.header(LOST)), (200, None), "{:?}", answer.body);
        assert!(answer.json()[member].as_u64().is_some_and(|count| count > 0), "{:?}", answer.body);
        assert_eq!(provider.next_request().await.uri.path(), asked);
        let record = gateway.record(&answer.id()).await;
        assert_eq!((record.operation.as_str(), record.outcome.as_str()), ("count_tokens", "completed"));
        assert_eq!((record.input_tokens, record.output_tokens), (0, 0));
    }
}

#[tokio::test]
async fn a_count_that_the_provider_cannot_make_is_estimated_and_says_so() {
    let provider = SimulatedProvider::start().await;
    let gateway = speaking_all(&provider).start().await;
    let contents = json!({"contents": [{"role": "user", "parts": [{"text": "how many are these"}]}]});
    let cases = [
        ("/v1/messages/count_tokens", messages("small"), "input_tokens"),
        ("/v1/messages/count_tokens", messages("gemini"), "input_tokens"),
        ("/v1beta/models/small:countTokens", contents.clone(), "totalTokens"),
        ("/v1/models/anthropic:countTokens", contents, "totalTokens"),
    ];
    for (path, body, member) in cases {
        let answer = post(&gateway, path, &body).await.whole().await;
        assert_eq!((answer.status.as_u16(), answer.header(LOST)), (200, Some("/;emulated")), "{path}");
        assert!(answer.json()[member].as_u64().is_some_and(|count| count > 0), "{:?}", answer.body);
    }
    assert!(provider.requests().is_empty(), "nobody was asked");
    let strict = gateway.post("/v1/messages/count_tokens", messages("small").to_string());
    let strict = strict.header("x-gatewright-strict", "true").send().await.whole().await;
    assert_eq!((strict.status.as_u16(), &strict.json()["type"]), (400, &json!("error")), "{:?}", strict.body);
}

// === Vectors ===

#[tokio::test]
async fn contents_are_embedded_as_they_came_by_a_provider_that_speaks_their_dialect() {
    let provider = SimulatedProvider::start().await;
    let gateway = speaking_all(&provider).start().await;
    let content = json!({"content": {"parts": [{"text": "a"}]}});
    let batch = json!({"requests": [{"model": "models/gemini", "content": {"parts": [{"text": "a"}]}}]});
    for (method, body) in [("embedContent", &content), ("batchEmbedContents", &batch)] {
        let vectors = json!({"embedding": {"values": [0.25]}});
        provider.push(Answer::json(200, &vectors));
        let answer = post(&gateway, &format!("/v1beta/models/gemini:{method}"), body).await.whole().await;
        assert_eq!((answer.status.as_u16(), answer.json()), (200, vectors));
        let arrived = provider.next_request().await;
        assert_eq!(arrived.uri.path(), format!("/v1beta/models/sim:{method}"));
        assert_eq!(gateway.record(&answer.id()).await.operation, "embedding");
    }
}

// === Models ===

#[tokio::test]
async fn models_are_listed_and_refused_in_the_dialect_of_who_asks() {
    let provider = SimulatedProvider::start().await;
    let gateway = speaking_all(&provider).start().await;
    let get = async |path: &str, header: (&str, &str)| {
        gateway.get(path).header(header.0, header.1).send().await.whole().await
    };
    let (plain, versioned) = (("x-other", "1"), ("anthropic-version", "2023-06-01"));

    let list = get("/v1/models", plain).await.json();
    assert_eq!((&list["object"], &list["data"][0]["id"]), (&json!("list"), &json!("anthropic")));
    let list = get("/v1/models", versioned).await.json();
    let ends = (&list["first_id"], &list["last_id"], &list["has_more"]);
    assert_eq!(ends, (&json!("anthropic"), &json!("small"), &json!(false)), "{list}");
    assert_eq!(list["data"][0]["type"], "model");
    let list = get("/v1beta/models", plain).await.json();
    assert_eq!(list["models"][2]["name"], "models/small");

    assert_eq!(get("/v1/models/small", versioned).await.json()["display_name"], "small");
    assert_eq!(get("/v1beta/models/small", plain).await.json()["name"], "models/small");

    error_of(&get("/v1/models/none", plain).await, 404);
    let error = get("/v1/models/none", versioned).await;
    assert_eq!((error.status.as_u16(), &error.json()["error"]["type"]), (404, &json!("not_found_error")));
    let error = get("/v1beta/models/none", plain).await;
    assert_eq!((error.status.as_u16(), &error.json()["error"]["status"]), (404, &json!("NOT_FOUND")));
    let error = gateway.get("/v1beta/models").without_key().send().await.whole().await;
    assert_eq!((error.status.as_u16(), &error.json()["error"]["status"]), (401, &json!("UNAUTHENTICATED")));
    let error = get("/v1beta/models/small:invent", plain).await;
    assert_eq!((error.status.as_u16(), &error.json()["error"]["status"]), (404, &json!("NOT_FOUND")));
}

// === Moderations, images, rerank ===

/// Sends a body through to the provider and gives the answer and its record.
async fn passes(path: &str, body: &str) -> (Value, gatewright_store::UsageRow) {
    let provider = SimulatedProvider::start().await;
    let gateway = speaking_all(&provider).start().await;
    let answer = gateway.post(path, body.to_owned()).send().await.whole().await;
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    let arrived = provider.next_request().await;
    let bare = path.trim_start_matches("/v1").trim_start_matches("/v2");
    assert_eq!((arrived.uri.path(), &*arrived.body), (format!("/v1{bare}").as_str(), body.as_bytes()));
    let record = gateway.record(&answer.id()).await;
    (answer.json(), record)
}

#[tokio::test]
async fn moderations_pass_through_and_their_tokens_are_estimates() {
    let body = r#"{ "model":"small", "input":["do harm", {"type":"text","text":"be kind"}], "x":1.50 }"#;
    let (answer, record) = passes("/v1/moderations", body).await;
    assert_eq!(answer["results"][0]["flagged"], true);
    assert_eq!(answer["results"][1]["flagged"], false);
    assert_eq!((record.operation.as_str(), record.output_tokens), ("moderation", 0));
    assert_eq!(record.usage_source, "estimated");
}

#[tokio::test]
async fn images_pass_through_and_bill_the_tokens_that_they_report() {
    let body = r#"{"model":"small", "prompt":"a cat", "n":2, "size":"1024x1024"}"#;
    let (answer, record) = passes("/v1/images/generations", body).await;
    assert_eq!(answer["data"].as_array().map(Vec::len), Some(2));
    assert_eq!(record.operation, "image");
    let told = (answer["usage"]["input_tokens"].as_u64(), answer["usage"]["output_tokens"].as_u64());
    assert_eq!((Some(record.input_tokens), Some(record.output_tokens)), told);
    assert_eq!(record.usage_source, "provider");
}

#[tokio::test]
async fn documents_are_ranked_at_either_path_and_searches_are_no_tokens() {
    let body = r#"{"model":"small","query":"red cat","documents":["a dog",{"text":"a red cat"}],"top_n":1}"#;
    for path in ["/v1/rerank", "/v2/rerank"] {
        let (answer, record) = passes(path, body).await;
        assert_eq!(answer["results"].as_array().map(Vec::len), Some(1));
        assert_eq!(answer["results"][0]["index"], 1);
        assert_eq!((record.operation.as_str(), record.output_tokens), ("rerank", 0));
        assert_eq!(Some(record.input_tokens), answer["usage"]["total_tokens"].as_u64());
    }
    let provider = SimulatedProvider::start().await;
    let gateway = speaking_all(&provider).start().await;
    let searches = json!({"results": [], "meta": {"billed_units": {"search_units": 1_000_000}}});
    provider.push(Answer::json(200, &searches));
    let answer = gateway.post("/v2/rerank", body).send().await.whole().await;
    assert_eq!(answer.json(), searches);
    let record = gateway.record(&answer.id()).await;
    assert_eq!((record.usage_source.as_str(), record.output_tokens), ("estimated", 0));
    assert!(record.input_tokens < 100, "{record:?}");
}

#[tokio::test]
async fn an_operation_that_the_provider_lacks_is_refused_before_anything_is_sent() {
    let provider = SimulatedProvider::start().await;
    let gateway = speaking_all(&provider).start().await;
    let cases = [
        ("/v1/moderations", json!({"model": "anthropic", "input": "x"})),
        ("/v1/images/generations", json!({"model": "gemini", "prompt": "x"})),
        ("/v1/audio/speech", json!({"model": "gemini", "input": "x", "voice": "v"})),
        ("/v1/rerank", json!({"model": "anthropic", "query": "x", "documents": ["x"]})),
    ];
    for (path, body) in cases {
        let refused = post(&gateway, path, &body).await.whole().await;
        let error = error_of(&refused, 400);
        assert!(error["message"].as_str().unwrap().contains("does not take"), "{error}");
    }
    assert!(provider.requests().is_empty());
}

// === Speech ===

const SPEECH: &str =
    r#"{"model":"small", "input":"speak these words", "voice":"v", "response_format":"mp3"}"#;

/// Sound in pieces between which the provider waits for the test.
fn sound(gate: &Gate, end: Step) -> Answer {
    let body: [Step; 4] = [
        Step::send(&b"ID3\x04\xff\xfb\n\n"[..]),
        Step::WaitFor(gate.clone()),
        Step::send(&b"data: [DONE]\n\n\0\xfe"[..]),
        end,
    ];
    let script = Script::new(StatusCode::OK, body);
    Answer::Scripted(script.with_header(http::header::CONTENT_TYPE, HeaderValue::from_static("audio/mpeg")))
}

#[tokio::test]
async fn speech_flows_as_it_comes_in_the_type_that_the_provider_names() {
    let provider = SimulatedProvider::start().await;
    let gateway = speaking_all(&provider).start().await;
    let gate = Gate::new();
    provider.push(sound(&gate, Step::Flush));
    let mut answer = gateway.post("/v1/audio/speech", SPEECH).send().await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, Some("audio/mpeg")));
    let id = answer.id();
    // The second piece is made only after the first has come.
    assert_eq!(answer.chunk().await.unwrap().unwrap(), &b"ID3\x04\xff\xfb\n\n"[..]);
    gate.open();
    let rest = answer.to_end().await;
    assert_eq!((rest.end, &*rest.body), (End::Clean, &b"data: [DONE]\n\n\0\xfe"[..]));
    let arrived = provider.next_request().await;
    assert_eq!((arrived.uri.path(), &*arrived.body), ("/v1/audio/speech", SPEECH.as_bytes()));
    let record = gateway.record(&id).await;
    assert_eq!((record.operation.as_str(), record.outcome.as_str()), ("speech", "completed"));
    assert_eq!((record.output_tokens, record.usage_source.as_str()), (0, "estimated"));

    let spoken = gateway.post("/v1/audio/speech", SPEECH).send().await.whole().await;
    assert_eq!(spoken.body, "speak these words");
    let bill = provider.ledger().pop().unwrap();
    assert_eq!(bill.prompt_tokens, count_tokens("speak these words"));
}

#[tokio::test]
async fn speech_that_breaks_off_breaks_off_for_the_caller_too() {
    let provider = SimulatedProvider::start().await;
    let gateway = speaking_all(&provider).start().await;
    let gate = Gate::new();
    provider.push(sound(&gate, Step::Reset));
    let mut answer = gateway.post("/v1/audio/speech", SPEECH).send().await;
    let id = answer.id();
    answer.chunk().await.unwrap().unwrap();
    gate.open();
    let rest = answer.to_end().await;
    assert!(matches!(rest.end, End::Broken(_)), "{rest:?}");
    assert_eq!(gateway.record(&id).await.outcome, "failed");
}

#[tokio::test]
async fn speech_that_is_refused_is_an_error_object() {
    let provider = SimulatedProvider::start().await;
    let gateway = speaking_all(&provider).start().await;
    provider.push(Answer::Model("sim?status=400".to_owned()));
    let refused = gateway.post("/v1/audio/speech", SPEECH).key(CALLER_KEY).send().await.whole().await;
    error_of(&refused, 400);
    let missing = gateway.post("/v1/audio/speech", r#"{"model":"small"}"#).send().await.whole().await;
    assert_eq!(error_of(&missing, 400)["param"], "input");
}
