//! What holds for every extension, for this one.

use gatewright_provider_vertex::Vertex;
use serde_json::json;

gatewright_testkit::conformance! {
    Vertex => ProviderAdapter;
    json!({})
}
