//! What holds for every extension, for this one.

use gatewright_ext_mask::Mask;
use serde_json::json;

gatewright_testkit::conformance! {
    Mask => RequestTransform, ResponseFilter;
    json!({
        "presets": ["email", "ssn", "card"],
        "patterns": [{"name": "ticket", "regex": r"\bTK-[0-9]{4,8}\b", "replace": "[ticket]", "max_bytes": 16}],
        "lanes": ["content", "tool_arguments"],
    });
    |suite| suite.text("mail q-r.st@example.com.uk, TK-12345 and 123-45-6789.")
}

gatewright_testkit::conformance! {
    mod of_values_that_come_back: Mask => RequestTransform, ResponseFilter;
    json!({"presets": ["email"], "restore": true, "restore_lanes": ["content"], "restore_values_max": 10});
    |suite| suite.text("Dear [EMAIL_1], ask new@z.net.")
}
