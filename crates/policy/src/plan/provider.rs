//! Configured providers: where they are, how to reach them, with what credential.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use gatewright::http::{HeaderMap, Uri};
use gatewright::{InstanceId, ProviderName, Secret, serde_json};

/// One configured provider.
#[derive(Clone)]
pub struct ProviderPlan {
    /// The name that targets refer to.
    pub name: ProviderName,
    /// The registered provider adapter that speaks its protocol.
    pub adapter: Arc<str>,
    /// The adapter's own settings, valid under its schema. They may hold secrets in clear.
    pub settings: serde_json::Value,
    /// Scheme `http` or `https`, authority, and a path without a trailing slash (empty at the root
    /// as `/`). No query.
    pub base_url: Uri,
    /// The credential; absent where the provider needs none.
    pub api_key: Option<Secret>,
    /// The instance that finds credentials; `api_key` serves where it finds none.
    pub credential: Option<InstanceId>,
    /// Further request headers. Values that came from a reference are marked sensitive.
    pub headers: HeaderMap,
    /// Whether private, loopback and link-local addresses may be connected to.
    pub allow_private: bool,
    /// Whether requests may name what is stored at the provider under its credential.
    pub allow_stored_files: bool,
    /// Which HTTP version to speak.
    pub http2: Http2,
    /// Connections per worker; at least 1.
    pub connections_max: usize,
    /// How long each step of a call may take.
    pub timeouts: Timeouts,
    /// Certificate authorities that are trusted in addition to the public ones, as PEM text.
    pub extra_roots_pem: Option<Arc<str>>,
    /// Where it is written, as `file:line:column`, for error messages.
    pub source: Arc<str>,
}

impl ProviderPlan {
    /// Whether the two differ in nothing but the place where they are written, so that a reload
    /// keeps connections and adapter.
    #[must_use]
    pub fn same_provider(&self, other: &Self) -> bool {
        let Self {
            name,
            adapter,
            settings,
            base_url,
            api_key,
            credential,
            headers,
            allow_private,
            allow_stored_files,
            http2,
            connections_max,
            timeouts,
            extra_roots_pem,
            source: _,
        } = self;
        *name == other.name
            && *adapter == other.adapter
            && *settings == other.settings
            && *base_url == other.base_url
            && *credential == other.credential
            && *api_key == other.api_key
            && *headers == other.headers
            && *allow_private == other.allow_private
            && *allow_stored_files == other.allow_stored_files
            && *http2 == other.http2
            && *connections_max == other.connections_max
            && *timeouts == other.timeouts
            && *extra_roots_pem == other.extra_roots_pem
    }
}

/// The adapter's settings are left out, because they may hold secrets.
impl fmt::Debug for ProviderPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProviderPlan")
            .field("name", &self.name)
            .field("adapter", &self.adapter)
            .field("base_url", &self.base_url)
            .field("api_key", &self.api_key)
            .field("headers", &self.headers)
            .field("allow_private", &self.allow_private)
            .field("http2", &self.http2)
            .field("connections_max", &self.connections_max)
            .field("timeouts", &self.timeouts)
            .finish_non_exhaustive()
    }
}

/// Which HTTP version a provider is spoken to with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Http2 {
    /// HTTP/1.1 only.
    Never,
    /// What the TLS handshake agrees on.
    Negotiate,
    /// HTTP/2 without negotiation.
    PriorKnowledge,
}

/// How long each step of an upstream call may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Name resolution and the TCP connection.
    pub connect: Duration,
    /// The TLS handshake.
    pub tls: Duration,
    /// From the request's last byte to the answer's first.
    pub first_byte: Duration,
    /// Between two pieces of a streamed answer.
    pub gap: Duration,
    /// The whole call.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(2),
            tls: Duration::from_secs(3),
            first_byte: Duration::from_secs(180),
            gap: Duration::from_secs(60),
            total: Duration::from_secs(30 * 60),
        }
    }
}
