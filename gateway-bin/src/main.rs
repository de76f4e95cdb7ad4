//! The gatewright distribution: the bundled extensions.
//!
//! Written by `cargo xtask build` from gatewright.toml: change that file, not this one.

// Whatever this crate depends on is linked below, or is not there.
#![deny(unused_crate_dependencies)]

use std::process::ExitCode;

use gatewright_ext_content_policy as _;
use gatewright_ext_enrich as _;
use gatewright_ext_json_schema as _;
use gatewright_ext_mask as _;
use gatewright_ext_oidc as _;
use gatewright_ext_prompt_templates as _;
use gatewright_ext_request_caps as _;
use gatewright_ext_request_limits as _;
use gatewright_ext_response_tag as _;
use gatewright_ext_static_keys as _;
use gatewright_ext_token_limits as _;
use gatewright_ext_usage_export as _;
use gatewright_ext_webhook_guard as _;
use gatewright_gateway::{Build, Expected};
use gatewright_provider_anthropic as _;
use gatewright_provider_azure as _;
use gatewright_provider_azure_credentials as _;
use gatewright_provider_bedrock as _;
use gatewright_provider_cohere as _;
use gatewright_provider_compatible as _;
use gatewright_provider_gemini as _;
use gatewright_provider_ollama_native as _;
use gatewright_provider_openai as _;
use gatewright_provider_vertex as _;
use gatewright_provider_vertex_credentials as _;

/// The extension packages that this binary is to contain; the start checks that they registered.
const EXPECTED: &[Expected] = &[
    Expected {
        package: "gatewright-ext-content-policy",
        listed_in: "gatewright.toml:20, extensions.content-policy",
        points: None,
    },
    Expected {
        package: "gatewright-ext-enrich",
        listed_in: "gatewright.toml:21, extensions.enrich",
        points: None,
    },
    Expected {
        package: "gatewright-ext-json-schema",
        listed_in: "gatewright.toml:23, extensions.json-schema",
        points: None,
    },
    Expected {
        package: "gatewright-ext-mask",
        listed_in: "gatewright.toml:24, extensions.mask",
        points: None,
    },
    Expected {
        package: "gatewright-ext-oidc",
        listed_in: "gatewright.toml:27, extensions.oidc",
        points: None,
    },
    Expected {
        package: "gatewright-ext-prompt-templates",
        listed_in: "gatewright.toml:28, extensions.prompt-templates",
        points: None,
    },
    Expected {
        package: "gatewright-ext-request-caps",
        listed_in: "gatewright.toml:29, extensions.request-caps",
        points: None,
    },
    Expected {
        package: "gatewright-ext-request-limits",
        listed_in: "gatewright.toml:30, extensions.request-limits",
        points: None,
    },
    Expected {
        package: "gatewright-ext-response-tag",
        listed_in: "gatewright.toml:31, extensions.response-tag",
        points: None,
    },
    Expected {
        package: "gatewright-ext-static-keys",
        listed_in: "gatewright.toml:32, extensions.static-keys",
        points: None,
    },
    Expected {
        package: "gatewright-ext-token-limits",
        listed_in: "gatewright.toml:33, extensions.token-limits",
        points: None,
    },
    Expected {
        package: "gatewright-ext-usage-export",
        listed_in: "gatewright.toml:34, extensions.usage-export",
        points: None,
    },
    Expected {
        package: "gatewright-ext-webhook-guard",
        listed_in: "gatewright.toml:37, extensions.webhook-guard",
        points: None,
    },
    Expected {
        package: "gatewright-provider-anthropic",
        listed_in: "gatewright.toml:14, extensions.anthropic",
        points: None,
    },
    Expected {
        package: "gatewright-provider-azure",
        listed_in: "gatewright.toml:15, extensions.azure",
        points: None,
    },
    Expected {
        package: "gatewright-provider-azure-credentials",
        listed_in: "gatewright.toml:16, extensions.azure-credentials",
        points: None,
    },
    Expected {
        package: "gatewright-provider-bedrock",
        listed_in: "gatewright.toml:17, extensions.bedrock",
        points: None,
    },
    Expected {
        package: "gatewright-provider-cohere",
        listed_in: "gatewright.toml:18, extensions.cohere",
        points: None,
    },
    Expected {
        package: "gatewright-provider-compatible",
        listed_in: "gatewright.toml:19, extensions.compatible",
        points: None,
    },
    Expected {
        package: "gatewright-provider-gemini",
        listed_in: "gatewright.toml:22, extensions.gemini",
        points: None,
    },
    Expected {
        package: "gatewright-provider-ollama-native",
        listed_in: "gatewright.toml:25, extensions.ollama-native",
        points: None,
    },
    Expected {
        package: "gatewright-provider-openai",
        listed_in: "gatewright.toml:26, extensions.openai",
        points: None,
    },
    Expected {
        package: "gatewright-provider-vertex",
        listed_in: "gatewright.toml:35, extensions.vertex",
        points: None,
    },
    Expected {
        package: "gatewright-provider-vertex-credentials",
        listed_in: "gatewright.toml:36, extensions.vertex-credentials",
        points: None,
    },
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
