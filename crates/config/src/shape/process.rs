//! The parts `drain`, `realtime`, `store` and `telemetry`.

use std::path::PathBuf;

use gatewright::Secret;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::unit::{Size, Span};

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

/// Bounds of realtime sessions, in which texts and sound flow both ways over WebSocket.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Realtime {
    /// The web pages from which browsers may open sessions, as origins like `https://app.example.com`; `*` stands for
    /// all. Clients that are no browsers send no origin and need no entry.
    pub(crate) origins: Vec<String>,

    /// The largest message of either side. Sound comes in pieces of a few kilobytes; what a session can make the
    /// gateway hold is a small multiple of this.
    pub(crate) message_bytes_max: Size,

    /// How long nothing at all may come from either side before the session ends.
    pub(crate) idle_timeout: Span,

    /// How long a session may last. Its caller's key is checked when it opens and not again.
    pub(crate) duration_max: Span,
}

impl Default for Realtime {
    fn default() -> Self {
        Self {
            origins: Vec::new(),
            message_bytes_max: Size(16 * 1024 * 1024),
            idle_timeout: Span::secs(15 * 60),
            duration_max: Span::secs(60 * 60),
        }
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

    /// Answers that callers go on from by their id. They are kept in a file beside `path`, whose name ends in
    /// `.kept.db`.
    pub(crate) responses: Responses,

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
    /// It is refused, with a 503 and the code `limits_unavailable`.
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
            responses: Responses::default(),
            shared_limits: None,
        }
    }
}

/// What is kept of conversations whose callers ask for it, as those of `/v1/responses` do by default. Each tenant has its
/// own. No provider is asked to store anything, whether this is on or off.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Responses {
    /// Whether answers are kept: what a request adds to its conversation, as the caller sent it, and the answer, as the
    /// caller read it, neither of them encrypted. Switch it off where the gateway is to hold no content; callers then
    /// send the whole conversation each time, and one that goes on from a stored answer is refused.
    pub(crate) enabled: bool,

    /// How long each is kept.
    pub(crate) keep_for: Span,

    /// How large one may be, with what its request added. A larger one is not kept, which its caller is told.
    pub(crate) answer_bytes_max: Size,

    /// How much one tenant may have. More is not kept, which the caller is told.
    pub(crate) tenant_bytes_max: Size,
}

impl Default for Responses {
    fn default() -> Self {
        Self {
            enabled: true,
            keep_for: Span::secs(30 * 24 * 60 * 60),
            answer_bytes_max: Size(16 << 20),
            tenant_bytes_max: Size(1 << 30),
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
