//! What holds for every extension, for this one.

use gatewright_provider_openai::OpenAi;
use serde_json::json;

gatewright_testkit::conformance! {
    OpenAi => ProviderAdapter;
    json!({})
}
