//! What a request without a template costs, per exchange and per event.

use gatewright_ext_prompt_templates::PromptTemplates;
use gatewright_testkit::bench_main;
use serde_json::json;

bench_main! {
    PromptTemplates;
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
