//! What holds for every extension, for this one.

use gatewright_provider_gemini::Gemini;
use serde_json::json;

gatewright_testkit::conformance! {
    Gemini => ProviderAdapter;
    json!({})
}
