//! What reserving and settling costs, per exchange and per event.

use gatewright_ext_token_limits::TokenLimits;
use gatewright_testkit::bench_main;
use serde_json::json;

bench_main! {
    TokenLimits;
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
