//! What holds for every extension, for this one.

use gatewright_ext_webhook_guard::WebhookGuard;
use serde_json::json;

gatewright_testkit::conformance! {
    WebhookGuard => RequestTransform, ResponseFilter;
    json!({
        "url": "https://guard.acme.example/judge",
        "prompts": "all",
        "answers": true,
        "lanes": ["content"],
        "window_bytes": 20,
        "context_bytes": 5,
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
