//! What masking costs, per exchange and per event.

use gatewright_ext_mask::Mask;
use gatewright_testkit::bench_main;
use serde_json::json;

bench_main! {
    Mask;
    json!({
        "presets": ["email", "ssn", "card"],
        "patterns": [{"name": "ticket", "regex": r"\bTK-[0-9]{4,8}\b", "replace": "[ticket]", "max_bytes": 16}],
        "lanes": ["content", "tool_arguments"],
    })
}
