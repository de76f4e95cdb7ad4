//! What writing calls costs, per exchange and per event.

use gatewright_provider_cohere::Cohere;
use gatewright_testkit::bench_main;
use serde_json::json;

bench_main! {
    Cohere;
    json!({})
}
