//! Process settings: what holds from the start of the process to its end.
//!
//! A reload that changes them is accepted with a notice and takes effect at the next start; what
//! a reload changes at once is in [`Plan`](gatewright_policy::Plan).

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use gatewright::Secret;

/// All process settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The data listeners; at least one.
    pub listeners: Vec<ListenerSettings>,
    /// The admin listener.
    pub admin: AdminSettings,
    /// Worker threads; at least 2, so that one looping hook does not stop the gateway.
    pub workers: usize,
    /// How the process ends.
    pub drain: DrainSettings,
    /// Bounds of realtime sessions.
    pub realtime: RealtimeSettings,
    /// Where records are kept.
    pub store: StoreSettings,
    /// What the process says about itself.
    pub telemetry: TelemetrySettings,
}

/// One data listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerSettings {
    /// The name in logs and metrics.
    pub name: String,
    /// Where it listens; port 0 lets the system choose.
    pub address: SocketAddr,
    /// TLS, or cleartext where absent.
    pub tls: Option<TlsSettings>,
    /// Whether cleartext connections may speak HTTP/2.
    pub http2_cleartext: bool,
    /// Its bounds.
    pub limits: ListenerLimits,
}

/// Certificate and key, as PEM files that are read again when they change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSettings {
    /// The certificate chain.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// Bounds of a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenerLimits {
    /// Open connections.
    pub connections_max: usize,
    /// Open connections from one address; `None` for no bound of its own.
    pub connections_per_ip_max: Option<usize>,
    /// Time from a connection's or request's first byte to the end of its head.
    pub header_timeout: Duration,
    /// How long a connection may stay open without a request.
    pub idle_timeout: Duration,
    /// Time between two pieces of a request body.
    pub body_idle_timeout: Duration,
    /// How long a client may refuse to read before it is given up.
    pub write_stall_timeout: Duration,
    /// The TLS handshake.
    pub tls_handshake_timeout: Duration,
    /// Header fields of a request.
    pub headers_max: usize,
    /// Bytes of a request's head.
    pub header_bytes_max: usize,
    /// Bytes of a request body.
    pub body_bytes_max: u64,
    /// Bytes of an upload that are held before it is sent on.
    pub upload_lead_bytes_max: usize,
}

/// The admin listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdminSettings {
    /// Where it listens.
    pub address: SocketAddr,
}

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DrainSettings {
    /// How long new connections are still accepted after the signal to end.
    pub min: Duration,
    /// How long open answers may take after that.
    pub deadline: Duration,
}

/// Bounds of realtime sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RealtimeSettings {
    /// The web pages from which browsers may open sessions, as origins; `*` stands for all.
    pub origins: Vec<String>,
    /// The largest message of either side, in bytes.
    pub message_bytes_max: usize,
    /// How long nothing at all may come from either side.
    pub idle_timeout: Duration,
    /// How long a session may last.
    pub duration_max: Duration,
}

/// Where records are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreSettings {
    /// The SQLite file.
    pub path: PathBuf,
    /// What a written record survives.
    pub durability: Durability,
    /// Whether usage records are written.
    pub records: bool,
    /// What is kept of conversations; none where nothing is.
    pub responses: Option<ResponsesSettings>,
    /// Where limits are counted when replicas share them.
    pub shared_limits: Option<SharedLimitsSettings>,
}

/// What is kept of conversations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResponsesSettings {
    /// How long an answer is kept.
    pub keep_for: Duration,
    /// How large one may be, in bytes.
    pub answer_bytes_max: u64,
    /// How much a tenant may have, in bytes.
    pub tenant_bytes_max: u64,
}

/// Limits that replicas share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedLimitsSettings {
    /// The store's URL, which may hold a password.
    pub url: Secret,
    /// How long a decision may take before the store counts as lost.
    pub deadline: Duration,
    /// What becomes of claims on money while the store is lost.
    pub money: OnLimitsLoss,
    /// What becomes of other claims meanwhile.
    pub rates: OnLimitsLoss,
}

/// What becomes of a claim that the shared store cannot decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnLimitsLoss {
    /// It is refused.
    Closed,
    /// The replica's share of the limit holds.
    LocalShare,
}

/// What a written record survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Nothing is promised.
    None,
    /// The end of the process, however sudden.
    Crash,
    /// The loss of power.
    Power,
}

/// What the process says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TelemetrySettings {
    /// How log lines look.
    pub log_format: LogFormat,
    /// The filter of log lines: a level, or directives as `tracing` understands them.
    pub log_level: String,
    /// Whether every exchange writes one line.
    pub access_log: bool,
    /// Whether answers say in a header which hooks ran.
    pub trace_header: bool,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Human,
    /// For machines.
    Json,
}
