//! The parts `drain`, `store` and `telemetry`.

use std::path::PathBuf;

use gatewright::Secret;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::unit::Span;

/// How the process ends on SIGTERM: it reports not ready at once, accepts for `min`, then lets open
/// answers finish until `deadline`. Allow the supervisor both times and ten seconds more.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Drain {
    /// How long new connections are still accepted. Set it to the time that load balancers need to
    /// notice the readiness.
    pub(crate) min: Span,

    /// How long open answers may take after that; what is still open then gets an error event.
    pub(crate) deadline: Span,
}

impl Default for Drain {
    fn default() -> Self {
        Self { min: Span::secs(0), deadline: Span::secs(30) }
    }
}

/// Where usage records are kept.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Store {
    /// The SQLite file; it is created where it does not exist. A relative path starts at the
    /// configuration file.
    #[schemars(length(min = 1))]
    pub(crate) path: PathBuf,

    /// What a written record survives.
    pub(crate) durability: Durability,

    /// Whether usage records are written. Without them nobody can tell later what was used and what
    /// it cost; metrics and the log have sums and lines all the same.
    pub(crate) records: bool,

    /// Where limits are counted when several replicas share them. Without it each process counts its own.
    // There is no default to show, and secrets are not written anywhere.
    #[serde(skip_serializing)]
    pub(crate) shared_limits: Option<SharedLimits>,
}

/// Limits that replicas share through Redis or Valkey.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SharedLimits {
    /// The store: `redis://HOST:PORT`, `rediss://…` for TLS, with user and password where it asks for them. Use a
    /// reference to the environment or a file, since it is a secret.
    pub(crate) url: Secret,

    /// How long a decision may take before the store counts as lost. An exchange waits at most this long, once; those
    /// behind it go on at once.
    #[serde(default = "deadline")]
    pub(crate) deadline: Span,

    /// What holds while the store is lost.
    #[serde(default)]
    pub(crate) on_loss: OnLoss,
}

fn deadline() -> Span {
    Span::millis(50)
}

/// What holds while the store of limits is lost.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct OnLoss {
    /// Limits on cost.
    pub(crate) money: LossPolicy,

    /// Limits on requests, tokens and concurrency.
    pub(crate) rates: LossPolicy,
}

impl Default for OnLoss {
    fn default() -> Self {
        Self { money: LossPolicy::Closed, rates: LossPolicy::LocalShare }
    }
}

/// What becomes of a claim on a limit that nobody can decide.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LossPolicy {
    /// It fails, and with it the exchange, unless the instance has `on_error: skip`.
    Closed,
    /// Each replica holds its share: the limit by the number of replicas that were seen last.
    LocalShare,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            path: PathBuf::from("gatewright.db"),
            durability: Durability::Crash,
            records: true,
            shared_limits: None,
        }
    }
}

/// What a written record survives.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Durability {
    /// Nothing is promised; for laptops.
    None,
    /// The end of the process, however sudden.
    Crash,
    /// The loss of power: every group of records is synced to the disk.
    Power,
}

/// What the process says about itself.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Telemetry {
    /// Log lines, on standard error.
    pub(crate) log: Log,

    /// Whether every exchange writes one structured line: who asked for what, who served it, how
    /// long it took and what it cost.
    pub(crate) access_log: bool,

    /// Whether answers carry the header `x-gatewright-trace`: which hook of which instance ran before the answer
    /// began, how long it took and what it did. For development: it tells callers about your rules.
    pub(crate) trace_header: bool,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self { log: Log::default(), access_log: true, trace_header: false }
    }
}

/// Log lines.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Log {
    /// How lines look.
    pub(crate) format: LogFormat,

    /// What is logged: `error`, `warn`, `info`, `debug` or `trace`, or a filter of such levels by
    /// module, for example `info,hyper=warn`.
    #[schemars(length(min = 1))]
    pub(crate) level: String,
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Human, level: "info".to_owned() }
    }
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LogFormat {
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}
