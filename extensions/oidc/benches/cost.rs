//! What authenticating by a token costs, per exchange and per event.

use gatewright_ext_oidc::Oidc;
use gatewright_testkit::bench_main;
use serde_json::json;

bench_main! {
    Oidc;
    json!({"issuers": [{
        "issuer": "https://login.acme.example",
        "jwks_url": "https://login.acme.example/keys",
        "audience": ["gatewright"],
        "claims": {"tenant": {"value": "acme"}},
    }]});
    |suite| {
        suite
            .policy(json!({"egress": ["https://login.acme.example"]}))
            .http("https://login.acme.example/keys", 200, r#"{"keys":[]}"#)
    }
}
