//! What holds for every extension, for this one.

use gatewright_ext_json_schema::JsonSchema;
use serde_json::json;

gatewright_testkit::conformance! {
    JsonSchema => RequestTransform, ResponseFilter;
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
    });
    |suite| suite.text(r#"{"city":"Ghent","population":265086}"#)
}
