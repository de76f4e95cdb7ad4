//! What spooling records costs, per exchange and per event.

use gatewright_ext_usage_export::UsageExport;
use gatewright_testkit::bench_main;
use serde_json::json;

bench_main! {
    UsageExport;
    json!({
        "url": "https://billing.acme.example/usage",
        "signing_secret": "signing",
        "token_secret": "token",
        "batch_records": 100,
        "batch_ms": 10,
        "pause_max_s": 5,
        "spool_records": 10_000,
    });
    |suite| {
        suite
            .policy(json!({"egress": ["https://billing.acme.example"]}))
            .secret("signing", "s3cret")
            .secret("token", "t0ken")
            .http("https://billing.acme.example/usage", 204, "")
    }
}
