//! What holds for every extension, for this one.

use gatewright_ext_request_limits::RequestLimits;
use serde_json::json;

gatewright_testkit::conformance! {
    RequestLimits => Limiter;
    json!({"rules": [
        {"per": ["key"], "requests": 600, "window": "minute", "concurrent": 20},
        {"per": ["tenant", {"tag": "department"}], "requests": 100_000, "window": "day"},
    ]})
}
