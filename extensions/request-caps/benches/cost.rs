//! What bounding requests costs, per exchange and per event.

use gatewright_ext_request_caps::RequestCaps;
use gatewright_testkit::bench_main;
use serde_json::json;

bench_main! {
    RequestCaps;
    json!({"rules": [
        {"body_bytes": 1_000_000, "messages": 100, "tools": 64},
        {"models": ["model", "mini-*"], "prompt_tokens": 16_000, "images": 2, "files": 0,
         "parameters": {
             "max_tokens": {"max": 2048, "on_excess": "clamp", "default": 8},
             "temperature": {"min": 0, "max": 1.2, "on_excess": "clamp"},
             "n": {"max": 1},
         },
         "forbidden": ["logit_bias"]},
    ]})
}
