//! What writing calls costs, per exchange and per event.

use gatewright_provider_bedrock::Bedrock;
use gatewright_testkit::bench_main;
use serde_json::json;

bench_main! {
    Bedrock;
    json!({ "region": "eu-west-1" })
}
