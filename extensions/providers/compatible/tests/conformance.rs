//! What holds for every extension, for each of these.

use gatewright_provider_compatible::vendors;
use serde_json::json;

macro_rules! conform {
    ($($vendor:ident = $name:literal,)+) => {
        $(
            mod $vendor {
                use gatewright_provider_compatible::$vendor;
                use serde_json::json;

                gatewright_testkit::conformance! {
                    $vendor => ProviderAdapter;
                    json!({})
                }
            }
        )+
    };
}

vendors!(conform);

mod any {
    use gatewright_provider_compatible::Compatible;

    use super::json;

    gatewright_testkit::conformance! {
        Compatible => ProviderAdapter;
        json!({
            "offers": ["chat", "responses", "embedding"],
            "paths": {"chat": "/v2/chat"},
            "key_header": "x-key",
            "key_scheme": "",
            "traits": {
                "refuses": ["seed"],
                "names": {"top_k": "top_k"},
                "media": ["image"],
                "reasons": false,
                "has_legacy_cap": true,
            },
            "models": {"m": {"output_tokens_max": 8192, "holds_to_schema": false}},
        })
    }
}
