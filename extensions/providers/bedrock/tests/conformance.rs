//! What holds for every extension, for this one.

use gatewright_provider_bedrock::Bedrock;
use serde_json::json;

gatewright_testkit::conformance! {
    Bedrock => ProviderAdapter;
    json!({ "region": "eu-west-1" })
}
