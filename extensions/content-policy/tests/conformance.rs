//! What holds for every extension, for this one.

use gatewright_ext_content_policy::ContentPolicy;
use serde_json::json;

gatewright_testkit::conformance! {
    ContentPolicy => RequestTransform, ResponseFilter;
    json!({
        "rules": [
            {"name": "weapons", "category": "violence", "keywords": ["nerve agent"], "action": "deny",
             "message": "This service does not answer questions on weapons."},
            {"name": "ticket", "patterns": [r"\bTK-[0-9]{4,8}\b"], "action": "mask", "on": ["answers"], "max_bytes": 16},
            {"name": "rivals", "keywords": ["Falcon", "Osprey"], "case_sensitive": true, "action": "monitor"},
        ],
        "roles": ["user"],
        "lanes": ["content"],
    });
    |suite| suite.text("TK-12345 flies the Falcon").text("a nerve agent is what it is")
}
