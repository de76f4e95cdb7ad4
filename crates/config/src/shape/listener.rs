//! The parts `listeners` and `admin`.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::unit::{ADDRESS_FORM, Size, Span};

/// One address where clients connect.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Listener {
    /// The name in logs and metrics.
    #[serde(default = "default_name")]
    #[schemars(length(min = 1))]
    pub(crate) name: String,

    /// Address and port. `0.0.0.0:8080` is reachable from other machines; port 0 lets the system
    /// choose.
    #[schemars(extend("format" = ADDRESS_FORM))]
    pub(crate) address: String,

    /// TLS with HTTP/1.1 and HTTP/2. Without it the listener speaks cleartext.
    pub(crate) tls: Option<Tls>,

    /// Whether cleartext connections may speak HTTP/2. Switch it on only behind a proxy that needs
    /// it.
    #[serde(default)]
    pub(crate) http2_cleartext: bool,

    /// Bounds against slow, large and hostile clients.
    #[serde(default)]
    pub(crate) limits: Limits,
}

/// Certificate and key. Both files are read again when they change.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tls {
    /// The PEM file of the certificate chain. A relative path starts at the configuration file.
    pub(crate) certificate: PathBuf,

    /// The PEM file of the private key. A relative path starts at the configuration file.
    pub(crate) key: PathBuf,
}

/// Bounds of a listener.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Limits {
    /// The number of open connections. Further ones wait in the system's queue.
    #[schemars(range(min = 1))]
    pub(crate) connections_max: u32,

    /// The number of open connections from one address; 0 for no bound of its own. Set it where
    /// clients connect directly, not through a proxy.
    pub(crate) connections_per_ip_max: u32,

    /// The time that a client has for the head of a request.
    pub(crate) header_timeout: Span,

    /// How long a connection may stay open between two requests. Keep it above the idle timeout of
    /// a load balancer in front.
    pub(crate) idle_timeout: Span,

    /// The time between two pieces of a request body.
    pub(crate) body_idle_timeout: Span,

    /// How long a client may refuse to read its answer before the call is given up.
    pub(crate) write_stall_timeout: Span,

    /// The time that a client has for the TLS handshake.
    pub(crate) tls_handshake_timeout: Span,

    /// The number of header fields of a request.
    #[schemars(range(min = 1, max = 10_000))]
    pub(crate) headers_max: u16,

    /// The size of a request's head. At least 8 KiB, at most 1 MiB.
    pub(crate) header_bytes_max: Size,

    /// The size of a request body. Raise it for long prompts with images; tenants can have a lower
    /// cap.
    pub(crate) body_bytes_max: Size,

    /// How much of an upload is held before it is sent on: forms with images or recordings. All
    /// fields of the form must stand in it; an upload that is no longer can be tried at several
    /// targets. Raise it where clients write their files before their fields, and count it once for
    /// each upload under way.
    pub(crate) upload_lead_bytes_max: Size,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 10_000,
            connections_per_ip_max: 0,
            header_timeout: Span::secs(10),
            idle_timeout: Span::secs(75),
            body_idle_timeout: Span::secs(30),
            write_stall_timeout: Span::secs(30),
            tls_handshake_timeout: Span::secs(5),
            headers_max: 100,
            header_bytes_max: Size(64 << 10),
            body_bytes_max: Size(10 << 20),
            upload_lead_bytes_max: Size(1 << 20),
        }
    }
}

/// The listener for operators.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Admin {
    /// Address and port. The endpoints have no access control: keep them on loopback, or on a
    /// network that only operators reach.
    #[schemars(extend("format" = ADDRESS_FORM))]
    pub(crate) address: String,
}

impl Default for Admin {
    fn default() -> Self {
        Self { address: "127.0.0.1:9090".to_owned() }
    }
}

fn default_name() -> String {
    "public".to_owned()
}

/// One listener on loopback: nothing is reachable from outside unless somebody says so.
pub(super) fn default_listeners() -> Vec<Listener> {
    vec![Listener {
        name: default_name(),
        address: "127.0.0.1:8080".to_owned(),
        tls: None,
        http2_cleartext: false,
        limits: Limits::default(),
    }]
}
