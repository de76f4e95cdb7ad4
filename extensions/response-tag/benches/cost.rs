//! What tagging answers costs, per exchange and per event.

use gatewright_ext_response_tag::ResponseTag;
use gatewright_testkit::bench_main;
use serde_json::json;

bench_main! {
    ResponseTag;
    json!({"rules": [
        {"headers": {"x-served-by": "{provider}/{served}"}},
        {"when": {"models": ["model"], "providers": ["provider"], "tags": {}}, "tags": {"review": "yes"},
         "disclaimer": "\n\n_Written by a machine._"},
    ]})
}
