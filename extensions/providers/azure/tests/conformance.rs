//! What holds for every extension, for this one.

use gatewright_provider_azure::Azure;
use serde_json::json;

gatewright_testkit::conformance! {
    Azure => ProviderAdapter;
    json!({"api": "deployments", "api_version": "2024-10-21", "credential": "entra"})
}
