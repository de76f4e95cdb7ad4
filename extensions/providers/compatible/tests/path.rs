//! Quirks on the path of a gateway: what the provider is sent, and what the caller is told.

use gatewright_provider_compatible::{Mistral, Ollama};
use gatewright_testkit::gateway::TestGateway;
use serde_json::json;

#[tokio::test]
async fn a_stream_goes_out_in_the_vendors_words_and_the_caller_reads_what_was_lost() {
    let gateway = TestGateway::builder().instance::<Mistral>("provider", json!({})).start().await;
    let body = json!({
        "model": "model",
        "messages": [{"role": "developer", "content": "be brief"}, {"role": "user", "content": "hi"}],
        "stream": true,
        "max_completion_tokens": 99,
        "seed": 7,
        "logit_bias": {"1": 2},
    });
    let reply = gateway.request(&body).send().await;
    reply.assert_ok();
    assert_eq!(reply.header("x-gatewright-lost"), Some("/logit_bias;dropped"));
    let expected = json!({
        "model": "model",
        "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"}],
        "stream": true,
        "random_seed": 7,
        "max_tokens": 99,
    });
    assert_eq!(gateway.provider.requests()[0].json(), expected, "and no question for usage figures");
}

#[tokio::test]
async fn a_strict_caller_is_told_before_anything_is_sent() {
    let gateway = TestGateway::builder().instance::<Mistral>("provider", json!({})).start().await;
    let body = json!({"model": "model", "messages": [{"role": "user", "content": "hi"}], "user": "u"});
    let reply = gateway.request(&body).header("x-gatewright-strict", "true").send().await;
    let told = String::from_utf8_lossy(&reply.body);
    assert!(reply.status.is_client_error() && told.contains("/user"), "{told}");
    assert!(gateway.provider.requests().is_empty());
}

#[tokio::test]
async fn callers_of_another_dialect_are_served_in_the_vendors_words() {
    let gateway = TestGateway::builder().instance::<Ollama>("provider", json!({})).start().await;
    let body = json!({
        "model": "model",
        "max_tokens": 99,
        "messages": [{"role": "user", "content": [
            {"type": "image", "source": {"type": "url", "url": "https://i.example/i.png"}},
            {"type": "text", "text": "hi"},
        ]}],
    });
    let reply = gateway.post("/v1/messages", body.to_string()).send().await;
    assert!(reply.status.is_success(), "{}", String::from_utf8_lossy(&reply.body));
    assert_eq!(reply.header("x-gatewright-lost"), Some("/messages/0/content/0;dropped"));
    let sent = gateway.provider.requests()[0].json();
    assert_eq!((&sent["max_tokens"], &sent["messages"][0]["role"]), (&json!(99), &json!("user")), "{sent}");
}
