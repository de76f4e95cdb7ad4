//! What holds for every extension, for this one.

use gatewright_ext_response_tag::ResponseTag;
use serde_json::json;

gatewright_testkit::conformance! {
    ResponseTag => RequestTransform, ResponseFilter;
    json!({"rules": [
        {"headers": {"x-served-by": "{provider}/{served}"}},
        {"when": {"models": ["model"], "providers": ["provider"], "tags": {}}, "tags": {"review": "yes"},
         "disclaimer": "\n\n_Written by a machine._"},
    ]})
}
