//! What holds for every extension, for this one.

use gatewright_ext_enrich::Enrich;
use serde_json::json;

gatewright_testkit::conformance! {
    Enrich => RequestTransform;
    json!({
        "headers": {"x-department": "{tag.department|unknown}"},
        "fields": {"user": "{user|nobody}", "metadata.department": "{tag.department|none}"},
        "tags": {"cost_center": "{tenant}/{project|none}"},
        "system": "You answer for {tenant}.",
        "system_at": "last",
    });
    // Every run adds the instruction.
    |suite| suite.edits_again()
}
