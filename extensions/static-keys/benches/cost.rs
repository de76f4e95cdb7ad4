//! What authenticating by a key costs, per exchange and per event.

use gatewright_ext_static_keys::StaticKeys;
use gatewright_testkit::bench_main;
use serde_json::json;

bench_main! {
    StaticKeys;
    json!({"keys": [
        {"key": "sk-conformance-1", "tenant": "acme", "project": "search", "user": "alice", "groups": ["staff"],
         "models": ["model"], "tags": {"department": "research"}, "label": "one"},
        {"sha256": "eaecdd810f617d7169dc2f58f4b6d25bc2c528c1e87d107c861ba88eb86bf8b0", "tenant": "acme"},
    ]})
}
