//! The part `providers`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use gatewright::Secret;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::unit::{Span, URL_FORM};

/// Where models are served, and how to reach it.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Provider {
    /// The provider adapter that speaks its protocol: the name of a linked extension.
    #[serde(rename = "use")]
    pub(crate) adapter: String,

    /// Settings of the adapter itself, where it has any.
    #[serde(default)]
    pub(crate) with: Option<Value>,

    /// The URL that the adapter's paths are appended to, with scheme `http` or `https`. The default is the public
    /// service of the adapter's provider, where there is one.
    #[schemars(extend("format" = URL_FORM))]
    pub(crate) base_url: Option<String>,

    /// The credential. Write it as a reference: `${env:NAME}` or `${file:PATH}`.
    pub(crate) api_key: Option<Secret>,

    /// The id of an instance that finds the credential of each call, for example one per tenant. Where it finds
    /// none, `api_key` serves.
    pub(crate) credential: Option<String>,

    /// Further request headers, for example for an account or project of the provider.
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,

    /// Whether the base URL may lead to private or loopback addresses. Switch it on for models that run in your own
    /// network. Link-local addresses, where clouds hand out credentials, are never called.
    #[serde(default)]
    pub(crate) allow_private: bool,

    /// Whether requests may name files, caches and the like that are stored at the provider. It tells them apart by its
    /// credential alone, so that whoever guesses or learns a name reaches another tenant's. Switch it on where the
    /// credential belongs to one tenant, or is found for each.
    #[serde(default)]
    pub(crate) allow_stored_files: bool,

    /// Whether callers may call this provider's own API under `/passthrough/PROVIDER/`, with its credential and without
    /// any rule that looks at content. A key may do so if its `models` name it: `passthrough/PROVIDER`, or
    /// `passthrough/*`. Routes and tenants know such calls under the same name. Paths stand behind the base URL.
    #[serde(default)]
    pub(crate) passthrough: bool,

    /// Which HTTP version to speak. The default is `negotiate` for https and `never` for http.
    pub(crate) http2: Option<Http2>,

    /// The number of connections per worker. Calls beyond it wait within the connect timeout.
    #[serde(default = "default_connections")]
    #[schemars(range(min = 1, max = 100_000))]
    pub(crate) connections_max: u32,

    /// How long each step of a call may take.
    #[serde(default)]
    pub(crate) timeouts: Timeouts,

    /// A PEM file of certificate authorities that are trusted in addition to the public ones. A
    /// relative path starts at the configuration file.
    pub(crate) ca_file: Option<PathBuf>,

    /// Whose prices hold where a target states none: the name of a provider in the price catalogue.
    /// The default is the adapter's name. Set it where an adapter speaks to somebody else's service.
    pub(crate) catalogue: Option<String>,
}

/// What may hold secrets is left out.
impl std::fmt::Debug for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Provider")
            .field("adapter", &self.adapter)
            .field("base_url", &self.base_url)
            .finish_non_exhaustive()
    }
}

const fn default_connections() -> u32 {
    256
}

/// Which HTTP version to speak.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Http2 {
    /// HTTP/1.1 only.
    Never,
    /// What the TLS handshake agrees on.
    Negotiate,
    /// HTTP/2 without negotiation; for cleartext services that speak nothing else.
    PriorKnowledge,
}

/// How long each step of a call may take.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Timeouts {
    /// Name resolution and the TCP connection.
    pub(crate) connect: Span,

    /// The TLS handshake.
    pub(crate) tls: Span,

    /// From the end of the request to the first byte of the answer. Reasoning models and long
    /// prompts need minutes.
    pub(crate) first_byte: Span,

    /// Between two pieces of a streamed answer.
    pub(crate) gap: Span,

    /// The whole call.
    pub(crate) total: Span,
}

impl Default for Timeouts {
    fn default() -> Self {
        let timeouts = gatewright_policy::Timeouts::default();
        Self {
            connect: Span(timeouts.connect),
            tls: Span(timeouts.tls),
            first_byte: Span(timeouts.first_byte),
            gap: Span(timeouts.gap),
            total: Span(timeouts.total),
        }
    }
}
