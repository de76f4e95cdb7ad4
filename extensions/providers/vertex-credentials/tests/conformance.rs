//! What holds for every extension, for this one.

use gatewright_provider_vertex_credentials::VertexCredentials;
use serde_json::json;

gatewright_testkit::conformance! {
    VertexCredentials => CredentialProvider;
    json!({"metadata_url": "http://metadata.example/token"});
    |suite| {
        suite
            .policy(json!({"egress": ["http://metadata.example"]}))
            .http("http://metadata.example/token", 200, r#"{"access_token":"token","expires_in":3600}"#)
    }
}
