//! What holds for every extension, for this one.

use gatewright_ext_prompt_templates::PromptTemplates;
use serde_json::json;

gatewright_testkit::conformance! {
    PromptTemplates => RequestTransform;
    json!({
        "templates": {
            "support": {
                "system": "You answer questions about {{product}} in {{words}} words.",
                "user": "Question:",
                "user_at": "first",
                "variables": {
                    "product": {"max_bytes": 100},
                    "words": {"type": "integer", "default": 150},
                },
            },
        },
        "member": "prompt_template",
        "required": false,
    })
}
