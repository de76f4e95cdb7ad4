//! What counting requests costs, per exchange and per event.

use gatewright_ext_request_limits::RequestLimits;
use gatewright_testkit::bench_main;
use serde_json::json;

bench_main! {
    RequestLimits;
    json!({"rules": [
        {"per": ["key"], "requests": 600, "window": "minute", "concurrent": 20},
        {"per": ["tenant", {"tag": "department"}], "requests": 100_000, "window": "day"},
    ]})
}
