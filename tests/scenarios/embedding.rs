//! Vectors: every caller's dialect in, every provider's out, and what each loses or refuses.

use gatewright_testkit::harness::{Gateway, Whole};
use gatewright_testkit::provider::{Answer, SimulatedProvider};
use serde_json::{Value, json};

use crate::support::error_of;

/// The models of the gateway, by the protocol that serves each: its adapter, where it is spoken, what it is called there.
const MODELS: [(&str, &str, &str, &str); 4] = [
    ("openai", "openai", "/v1", "text-embedding-3-small"),
    ("gemini", "gemini", "/v1beta", "gemini-embedding-001"),
    ("titan", "bedrock", "", "amazon.titan-embed-text-v2:0"),
    ("cohere", "bedrock", "", "eu.cohere.embed-v4:0"),
];

async fn gateway_of_all(provider: &SimulatedProvider) -> Gateway {
    let mut builder = Gateway::in_front_of(provider).set("/routes/0/match/path", json!("/*"));
    for (name, adapter, path, model) in MODELS {
        builder = builder
            .provider_at(name, &format!("http://{}{path}", provider.address()))
            .set(&format!("/providers/{name}/use"), json!(adapter))
            .model(name, &json!([{"provider": name, "model": model}]));
    }
    builder.start().await
}

async fn ask(gateway: &Gateway, path: &str, body: &Value) -> Whole {
    gateway.post(path, body.to_string()).send().await.whole().await
}

/// The vectors of two texts as each caller gets them.
async fn vectors_for(gateway: &Gateway, caller: &str, model: &str, texts: &[&str]) -> Vec<Vec<f64>> {
    let content = |text: &&str| json!({"content": {"parts": [{"text": text}]}, "outputDimensionality": 8});
    let (path, body, place) = match caller {
        "openai" => {
            let body = json!({"model": model, "input": texts, "dimensions": 8, "encoding_format": "float"});
            ("/v1/embeddings".to_owned(), body, "/data")
        }
        "google" => {
            let requests: Vec<_> = texts.iter().map(content).collect();
            let path = format!("/v1beta/models/{model}:batchEmbedContents");
            let requests: Vec<_> = requests
                .into_iter()
                .map(|mut request| {
                    request["model"] = json!(format!("models/{model}"));
                    request
                })
                .collect();
            (path, json!({"requests": requests}), "/embeddings")
        }
        "cohere" => {
            let body = json!({"texts": texts, "input_type": "search_query", "output_dimension": 8});
            (format!("/model/{model}/invoke"), body, "/embeddings")
        }
        "cohere itself" => {
            let types = ["float"];
            let body = json!({
                "model": model, "texts": texts, "input_type": "search_query", "output_dimension": 8,
                "embedding_types": types,
            });
            ("/v2/embed".to_owned(), body, "/embeddings/float")
        }
        "ollama" => {
            let body = json!({"model": model, "input": texts, "dimensions": 8});
            ("/api/embed".to_owned(), body, "/embeddings")
        }
        _ => {
            let body = json!({"inputText": texts[0], "dimensions": 8});
            (format!("/model/{model}/invoke"), body, "")
        }
    };
    let answer = ask(gateway, &path, &body).await;
    assert_eq!(answer.status.as_u16(), 200, "{caller} of {model}: {:?}", answer.body);
    let record = gateway.record(&answer.id()).await;
    assert_eq!((record.operation.as_str(), record.outcome.as_str()), ("embedding", "completed"));
    assert!(record.input_tokens > 0 && record.output_tokens == 0, "{record:?}");
    let answer = answer.json();
    let items = match answer.pointer(place).unwrap() {
        Value::Array(items) => items.clone(),
        object => vec![object.clone()],
    };
    let vector = |item: &Value| {
        let member = ["embedding", "values"].iter().find_map(|key| item.get(key)).unwrap_or(item);
        serde_json::from_value(member.clone()).unwrap()
    };
    items.iter().map(vector).collect()
}

#[tokio::test]
async fn every_caller_gets_the_same_vectors_from_every_provider() {
    let provider = SimulatedProvider::start().await;
    let gateway = gateway_of_all(&provider).await;
    let expected = vectors_for(&gateway, "openai", "openai", &["Grüße", "\"b\"\n"]).await;
    assert_eq!((expected.len(), expected[0].len()), (2, 8));
    for (model, ..) in MODELS {
        for caller in ["openai", "google", "cohere", "cohere itself", "ollama", "titan"] {
            let texts: &[&str] =
                if caller == "titan" || model == "titan" { &["Grüße"] } else { &["Grüße", "\"b\"\n"] };
            let vectors = vectors_for(&gateway, caller, model, texts).await;
            assert_eq!(vectors, expected[..texts.len()], "{caller} of {model}");
        }
    }
    // Each provider was asked in its own dialect, and without the name of the model where the path has it.
    let paths: Vec<_> = provider.requests().iter().map(|request| request.uri.path().to_owned()).collect();
    for path in [
        "/v1/embeddings",
        "/v1beta/models/gemini-embedding-001:batchEmbedContents",
        "/v1beta/models/gemini-embedding-001:embedContent",
        "/model/amazon.titan-embed-text-v2%3A0/invoke",
        "/model/eu.cohere.embed-v4%3A0/invoke",
    ] {
        assert!(paths.iter().any(|asked| asked == path), "{path} in {paths:?}");
    }
}

#[tokio::test]
async fn a_vector_is_packed_for_who_asks_so_and_keeps_its_digits_for_who_does_not() {
    let provider = SimulatedProvider::start().await;
    let gateway = gateway_of_all(&provider).await;
    let digits = r#"{"embedding":{"values":[1.0,-2.00,5e-1]}}"#;
    for (format, expected) in
        [("float", r#""embedding":[1.0,-2.00,5e-1]"#), ("base64", r#""embedding":"AACAPwAAAMAAAAA/""#)]
    {
        provider.push(Answer::json(200, &serde_json::from_str(digits).unwrap()));
        let body = json!({"model": "gemini", "input": "a", "encoding_format": format});
        let answer = ask(&gateway, "/v1/embeddings", &body).await;
        let text = String::from_utf8(answer.body.to_vec()).unwrap();
        assert!(text.contains(expected), "{text}");
        assert_eq!(answer.json()["model"], "gemini-embedding-001");
        assert!(answer.json()["usage"]["prompt_tokens"].as_u64().is_some_and(|tokens| tokens > 0), "{text}");
    }
}

#[tokio::test]
async fn what_is_lost_is_named_and_a_strict_caller_is_refused() {
    let provider = SimulatedProvider::start().await;
    let gateway = gateway_of_all(&provider).await;
    let body = json!({"model": "titan", "input": "a", "user": "u"});
    let answer = ask(&gateway, "/v1/embeddings", &body).await;
    assert_eq!((answer.status.as_u16(), answer.header("x-gatewright-lost")), (200, Some("/user;dropped")));
    let strict = gateway.post("/v1/embeddings", body.to_string()).header("x-gatewright-strict", "true");
    assert_eq!(error_of(&strict.send().await.whole().await, 400)["param"], "/user");
    assert_eq!(provider.requests().len(), 1);
}

#[tokio::test]
async fn more_texts_than_a_provider_takes_are_refused_with_its_bound_before_it_is_called() {
    let provider = SimulatedProvider::start().await;
    let gateway = gateway_of_all(&provider).await;
    for (model, most) in [("titan", 1), ("cohere", 96), ("gemini", 100)] {
        let body = json!({"model": model, "input": vec!["a"; most + 1]});
        let error = error_of(&ask(&gateway, "/v1/embeddings", &body).await, 400);
        assert_eq!(
            (&error["param"], &error["code"]),
            (&json!(format!("/input/{most}")), &json!("too_many_inputs"))
        );
        assert!(error["message"].as_str().unwrap().contains(&format!("takes {most} input")), "{error}");
    }
    assert!(provider.requests().is_empty());
}

#[tokio::test]
async fn a_provider_that_gives_another_number_of_vectors_is_not_believed() {
    let provider = SimulatedProvider::start().await;
    let gateway = gateway_of_all(&provider).await;
    provider.push(Answer::json(200, &json!({"embeddings": [{"values": [1]}]})));
    let answer = ask(&gateway, "/v1/embeddings", &json!({"model": "gemini", "input": ["a", "b"]})).await;
    error_of(&answer, 502);
}

#[tokio::test]
async fn a_provider_without_vectors_is_refused_in_the_callers_dialect() {
    let provider = SimulatedProvider::start().await;
    let gateway = Gateway::in_front_of(&provider)
        .set("/routes/0/match/path", json!("/*"))
        .provider_at("messages", &format!("http://{}", provider.address()))
        .set("/providers/messages/use", json!("anthropic"))
        .model("claude", &json!([{"provider": "messages", "model": "sim"}]))
        .start()
        .await;
    let refused = ask(&gateway, "/v1/embeddings", &json!({"model": "claude", "input": "a"})).await;
    assert_eq!(error_of(&refused, 400)["param"], "model");
    let content = json!({"content": {"parts": [{"text": "a"}]}});
    let refused = ask(&gateway, "/v1beta/models/claude:embedContent", &content).await;
    assert_eq!(refused.json()["error"]["status"], "INVALID_ARGUMENT");
    let refused = ask(&gateway, "/model/claude/invoke", &json!({"inputText": "a"})).await;
    assert_eq!(refused.header("x-amzn-errortype"), Some("ValidationException"));
}

#[tokio::test]
async fn a_platform_with_methods_of_its_own_embeds_and_counts() {
    let provider = SimulatedProvider::start().await;
    let target = |model: &str| json!([{"provider": "vertex", "model": model}]);
    let gateway = Gateway::in_front_of(&provider)
        .set("/routes/0/match/path", json!("/*"))
        .provider_at("vertex", &format!("http://{}", provider.address()))
        .set("/providers/vertex/use", json!("vertex"))
        .model("old", &target("text-embedding-005"))
        .model("new", &target("gemini-embedding-2-preview"))
        .model("gemini", &target("gemini-2.5-pro"))
        .model("claude", &target("claude-opus-4-5"))
        .start()
        .await;

    let predictions: Vec<_> = [1, 2]
        .map(|value| json!({"embeddings": {"values": [value], "statistics": {"token_count": value}}}))
        .into();
    provider.push(Answer::json(200, &json!({"predictions": predictions})));
    let answer = ask(&gateway, "/v1/embeddings", &json!({"model": "old", "input": ["a", "b"]})).await;
    assert_eq!(
        (&answer.json()["data"][1]["embedding"], &answer.json()["usage"]["prompt_tokens"]),
        (&json!([2]), &json!(3))
    );
    let asked = provider.next_request().await;
    assert_eq!(asked.uri.path(), "/publishers/google/models/text-embedding-005:predict");
    assert_eq!(asked.json(), json!({"instances": [{"content": "a"}, {"content": "b"}]}));

    provider.push(Answer::json(200, &json!({"embedding": {"values": [1]}})));
    let answer = ask(&gateway, "/v1/embeddings", &json!({"model": "new", "input": ["a"]})).await;
    assert_eq!(answer.json()["data"][0]["embedding"], json!([1]));
    let asked = provider.next_request().await;
    assert_eq!(asked.uri.path(), "/publishers/google/models/gemini-embedding-2-preview:embedContent");

    provider.push(Answer::json(200, &json!({"totalTokens": 7})));
    let contents = json!({"contents": [{"role": "user", "parts": [{"text": "a"}]}]});
    let answer = ask(&gateway, "/v1beta/models/gemini:countTokens", &contents).await;
    assert_eq!((&answer.json()["totalTokens"], answer.header("x-gatewright-lost")), (&json!(7), None));
    let asked = provider.next_request().await;
    assert_eq!(asked.uri.path(), "/publishers/google/models/gemini-2.5-pro:countTokens");

    provider.push(Answer::json(200, &json!({"input_tokens": 9})));
    let messages = json!({"model": "claude", "messages": [{"role": "user", "content": "a"}]});
    let answer = ask(&gateway, "/v1/messages/count_tokens", &messages).await;
    assert_eq!((&answer.json()["input_tokens"], answer.header("x-gatewright-lost")), (&json!(9), None));
    let asked = provider.next_request().await;
    assert_eq!(asked.uri.path(), "/publishers/anthropic/models/count-tokens:rawPredict");
    assert_eq!(asked.json()["model"], "claude-opus-4-5");
}
