//! What adding to requests costs, per exchange and per event.

use gatewright_ext_enrich::Enrich;
use gatewright_testkit::bench_main;
use serde_json::json;

bench_main! {
    Enrich;
    json!({
        "headers": {"x-department": "{tag.department|unknown}"},
        "fields": {"user": "{user|nobody}", "metadata.department": "{tag.department|none}"},
        "tags": {"cost_center": "{tenant}/{project|none}"},
        "system": "You answer for {tenant}.",
        "system_at": "last",
    })
}
