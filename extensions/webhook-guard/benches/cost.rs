//! What asking a webhook costs, without the way to it, per exchange and per event.

use gatewright_ext_webhook_guard::WebhookGuard;
use gatewright_testkit::bench_main;
use serde_json::json;

bench_main! {
    WebhookGuard;
    json!({
        "url": "https://guard.acme.example/judge",
        "prompts": "all",
        "answers": true,
        "lanes": ["content"],
        "caller": true,
        "signing_secret": "signing",
    });
    |suite| {
        suite
            .policy(json!({"egress": ["https://guard.acme.example"]}))
            .secret("signing", "s3cret")
            .http("https://guard.acme.example/judge", 200, r#"{"verdict":"allow"}"#)
    }
}
