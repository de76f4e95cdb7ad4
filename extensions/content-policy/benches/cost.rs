//! What holding texts against rules costs, per exchange and per event.

use gatewright_ext_content_policy::ContentPolicy;
use gatewright_testkit::bench_main;
use serde_json::json;

bench_main! {
    ContentPolicy;
    json!({
        "rules": [
            {"name": "weapons", "category": "violence", "keywords": ["nerve agent"], "action": "deny",
             "message": "This service does not answer questions on weapons."},
            {"name": "ticket", "patterns": [r"\bTK-[0-9]{4,8}\b"], "action": "mask", "on": ["answers"], "max_bytes": 16},
            {"name": "rivals", "keywords": ["Falcon", "Osprey"], "case_sensitive": true, "action": "monitor"},
        ],
        "roles": ["user"],
        "lanes": ["content"],
    })
}
