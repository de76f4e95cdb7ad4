//! What looking at answers costs, per exchange and per event.

use gatewright_ext_json_schema::JsonSchema;
use gatewright_testkit::bench_main;
use serde_json::json;

bench_main! {
    JsonSchema;
    json!({
        "schema": {
            "type": "object",
            "required": ["city"],
            "properties": {"city": {"type": "string"}, "population": {"type": "integer"}},
        },
        "from_request": true,
        "repair": false,
        "on_violation": "tag",
        "max_bytes": 100_000,
    })
}
