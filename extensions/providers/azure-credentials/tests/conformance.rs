//! What holds for every extension, for this one.

use gatewright_provider_azure_credentials::AzureCredentials;
use serde_json::json;

/// The address that is asked for a token.
const ASKED: &str =
    "http://metadata.example/token?api-version=2018-02-01&resource=https%3A%2F%2Fcognitiveservices.azure.com";

gatewright_testkit::conformance! {
    AzureCredentials => CredentialProvider;
    json!({"metadata_url": "http://metadata.example/token"});
    |suite| {
        suite
            .policy(json!({"egress": ["http://metadata.example"]}))
            .http(ASKED, 200, r#"{"access_token":"token","expires_in":"3600"}"#)
    }
}
