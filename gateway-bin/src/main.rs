//! The Gatewright distribution with the bundled extensions.

use std::process::ExitCode;

use gatewright_ext_content_policy as _;
use gatewright_ext_enrich as _;
use gatewright_ext_mask as _;
use gatewright_ext_prompt_templates as _;
use gatewright_ext_request_caps as _;
use gatewright_ext_request_limits as _;
use gatewright_ext_response_tag as _;
use gatewright_ext_static_keys as _;
use gatewright_gateway::{Build, Expected};
use gatewright_provider_openai as _;

/// The extension packages that this binary is to contain; the start checks that they registered.
const EXPECTED: &[Expected] = &[
    Expected { package: "gatewright-ext-content-policy", listed_in: "gateway-bin/Cargo.toml", points: None },
    Expected { package: "gatewright-ext-enrich", listed_in: "gateway-bin/Cargo.toml", points: None },
    Expected { package: "gatewright-ext-mask", listed_in: "gateway-bin/Cargo.toml", points: None },
    Expected {
        package: "gatewright-ext-prompt-templates",
        listed_in: "gateway-bin/Cargo.toml",
        points: None,
    },
    Expected { package: "gatewright-ext-request-caps", listed_in: "gateway-bin/Cargo.toml", points: None },
    Expected { package: "gatewright-ext-request-limits", listed_in: "gateway-bin/Cargo.toml", points: None },
    Expected { package: "gatewright-ext-response-tag", listed_in: "gateway-bin/Cargo.toml", points: None },
    Expected { package: "gatewright-ext-static-keys", listed_in: "gateway-bin/Cargo.toml", points: None },
    Expected { package: "gatewright-provider-openai", listed_in: "gateway-bin/Cargo.toml", points: None },
];

fn main() -> ExitCode {
    gatewright_gateway::run(&Build {
        name: "gatewright",
        version: env!("CARGO_PKG_VERSION"),
        expected: EXPECTED,
        allow_unlisted: false,
        info: option_env!("GATEWRIGHT_BUILD_INFO"),
    })
}
