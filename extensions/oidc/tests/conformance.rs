//! What holds for every extension, for this one.

use gatewright_ext_oidc::Oidc;
use serde_json::json;

gatewright_testkit::conformance! {
    Oidc => Authenticator;
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
