//! What holds for every extension, for this one.

use gatewright_provider_ollama_native::Ollama;
use serde_json::json;

gatewright_testkit::conformance! {
    Ollama => ProviderAdapter;
    json!({"context_tokens": 8192, "keep_alive": "10m"})
}
