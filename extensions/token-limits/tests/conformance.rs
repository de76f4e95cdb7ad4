//! What holds for every extension, for this one.

use gatewright_ext_token_limits::TokenLimits;
use serde_json::json;

gatewright_testkit::conformance! {
    TokenLimits => Limiter;
    json!({
        "rules": [
            {"per": ["tenant"], "window": "month", "cost": 500.0},
            {"per": ["user", "model"], "window": "minute", "input_tokens": 100_000, "output_tokens": 20_000},
            {"per": ["group"], "window": "day", "total_tokens": 5_000_000, "requests": 100, "name": "groups"},
        ],
        "reserve_output": 500,
        "overrun": "cut",
        "unknown_price": "ignore",
    })
}
