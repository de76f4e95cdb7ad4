//! What finding a token costs, without the way to who gives it out.

use gatewright_provider_azure_credentials::AzureCredentials;
use gatewright_testkit::bench_main;
use serde_json::json;

/// The address that is asked for a token.
const ASKED: &str =
    "http://metadata.example/token?api-version=2018-02-01&resource=https%3A%2F%2Fcognitiveservices.azure.com";

bench_main! {
    AzureCredentials;
    json!({"metadata_url": "http://metadata.example/token"});
    |suite| {
        suite
            .policy(json!({"egress": ["http://metadata.example"]}))
            .http(ASKED, 200, r#"{"access_token":"token","expires_in":"3600"}"#)
    }
}
