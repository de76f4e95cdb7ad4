//! What finding a token costs, without the way to who gives it out.

use gatewright_provider_vertex_credentials::VertexCredentials;
use gatewright_testkit::bench_main;
use serde_json::json;

bench_main! {
    VertexCredentials;
    json!({"metadata_url": "http://metadata.example/token"});
    |suite| {
        suite
            .policy(json!({"egress": ["http://metadata.example"]}))
            .http("http://metadata.example/token", 200, r#"{"access_token":"token","expires_in":3600}"#)
    }
}
