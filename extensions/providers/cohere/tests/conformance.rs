//! What holds for every extension, for this one.

use gatewright_provider_cohere::Cohere;
use serde_json::json;

gatewright_testkit::conformance! {
    Cohere => ProviderAdapter;
    json!({})
}
