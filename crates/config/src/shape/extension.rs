//! The part `extensions`.

use std::collections::BTreeMap;

use gatewright::Secret;
use gatewright_policy::InstancePlan;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::unit::{Size, Span};

/// One extension with its settings.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Instance {
    /// The id that chains refer to, and the name in logs, metrics and errors.
    #[schemars(length(min = 1))]
    pub(crate) id: String,

    /// The name of a linked extension.
    #[serde(rename = "use")]
    pub(crate) extension: String,

    /// The settings of the extension.
    #[serde(default)]
    pub(crate) with: Option<Value>,

    /// What an error of the instance does to the exchange. The default depends on the point:
    /// authenticators, limiters, transforms and filters deny, sinks skip.
    pub(crate) on_error: Option<OnFailure>,

    /// What a missed deadline does. The default is as for `on_error`.
    pub(crate) on_timeout: Option<OnFailure>,

    /// What a panic does. The default is as for `on_error`.
    pub(crate) on_panic: Option<OnFailure>,

    /// How long one call of an asynchronous hook may take. Lower it for hooks that must not delay
    /// the first byte, raise it for those that ask a remote service.
    #[serde(default = "default_deadline")]
    pub(crate) deadline: Span,

    /// How many calls of its asynchronous hooks may run at the same time; one beyond is an error of the
    /// instance.
    #[serde(default = "default_max_in_flight")]
    #[schemars(range(min = 1))]
    pub(crate) max_in_flight: u32,

    /// When repeated failures take the instance out of service.
    #[serde(default)]
    pub(crate) circuit: CircuitShape,

    /// How long a synchronous hook, or a stretch of an asynchronous one without an await, may run. One that runs
    /// longer cannot be stopped: it is named in the log and in `/readyz`, and the instance is out of service until
    /// it returns.
    #[serde(default = "default_stall")]
    pub(crate) stall: Span,

    /// Whether its asynchronous hooks run on the threads of extensions instead of the worker's own, so that one
    /// that blocks delays no other exchange. It costs two changes of thread for each call.
    #[serde(default)]
    pub(crate) isolate: bool,

    /// The origins that it may call, such as `https://hooks.acme.example`. Without any it can call nobody.
    #[serde(default)]
    pub(crate) egress: Vec<String>,

    /// Whether those origins may be at private or loopback addresses. Link-local ones, where clouds hand out
    /// credentials, are not called for it.
    #[serde(default)]
    pub(crate) egress_private: bool,

    /// Further origins that it may call, at link-local addresses and those of metadata services too: where a cloud
    /// tells a machine who it is, such as `http://169.254.169.254` or `http://metadata.google.internal`. Only for an
    /// extension that finds credentials; any other is refused. Each origin is named, and no other destination, a
    /// provider's or an extension's, gets nearer to such an address.
    #[serde(default)]
    pub(crate) egress_metadata: Vec<String>,

    /// The bound of its cache.
    #[serde(default = "default_cache_bytes")]
    pub(crate) cache_bytes: Size,

    /// Named secrets, each written as a reference: `${env:NAME}` or `${file:PATH}`. A change of one reaches the
    /// running instance; one inside `with` makes a new instance instead.
    #[serde(default)]
    pub(crate) secrets: BTreeMap<String, Secret>,

    /// Whether the instance acts.
    #[serde(default)]
    pub(crate) mode: Mode,
}

/// When repeated failures take an instance out of service.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct CircuitShape {
    /// How many failures it takes, if they are at least half of the calls. 0 never takes it out.
    pub(crate) failures: u32,

    /// The time over which failures and calls are counted.
    pub(crate) within: Span,

    /// How long the instance stays out before one call is let through to try.
    pub(crate) pause: Span,
}

impl Default for CircuitShape {
    fn default() -> Self {
        Self { failures: 20, within: Span::secs(10), pause: Span::secs(10) }
    }
}

/// The settings are left out, because they may hold secrets.
impl std::fmt::Debug for Instance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Instance")
            .field("id", &self.id)
            .field("extension", &self.extension)
            .finish_non_exhaustive()
    }
}

const fn default_deadline() -> Span {
    Span(InstancePlan::DEADLINE)
}

const fn default_max_in_flight() -> u32 {
    InstancePlan::IN_FLIGHT_MAX
}

const fn default_stall() -> Span {
    Span(InstancePlan::STALL)
}

const fn default_cache_bytes() -> Size {
    Size(InstancePlan::CACHE_BYTES)
}

/// What a failure does to the exchange.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OnFailure {
    /// The exchange fails.
    Deny,
    /// The exchange goes on without the instance.
    Skip,
}

/// Whether an instance acts.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Mode {
    /// It acts.
    #[default]
    Enforce,
    /// It runs and is recorded, and its decisions and edits are thrown away.
    Shadow,
    /// It does not run.
    Off,
}
