//! What holds for every extension, for this one.

use gatewright_provider_anthropic::Anthropic;
use serde_json::json;

gatewright_testkit::conformance! {
    Anthropic => ProviderAdapter;
    json!({})
}
