//! Extension instances: one extension with its settings and its policy for failures.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use gatewright::{InstanceId, Secret, serde_json};

use crate::Circuit;

/// One configured instance of an extension.
#[derive(Clone)]
pub struct InstancePlan {
    /// The id that chains refer to.
    pub id: InstanceId,
    /// The registered name of the extension.
    pub extension: Arc<str>,
    /// Its settings, valid under the extension's own schema. They may hold secrets in clear.
    pub settings: serde_json::Value,
    /// What an error does to the exchange; `None` leaves it to the default of the point.
    pub on_error: Option<OnFailure>,
    /// What a missed deadline does; `None` leaves it to the default of the point.
    pub on_timeout: Option<OnFailure>,
    /// What a panic does; `None` leaves it to the default of the point.
    pub on_panic: Option<OnFailure>,
    /// How long one call of an asynchronous hook may take.
    pub deadline: Duration,
    /// The most calls of its asynchronous hooks that run at the same time.
    pub in_flight_max: u32,
    /// When repeated failures take it out of service.
    pub circuit: Circuit,
    /// How long a synchronous hook, or one poll of an asynchronous one, may run before the instance is named and
    /// taken out of service.
    pub stall: Duration,
    /// Whether its asynchronous hooks run on the runtime of extensions instead of the worker's own thread.
    pub isolate: bool,
    /// The origins that it may call, for example `https://hooks.acme.example`.
    pub egress: Vec<Arc<str>>,
    /// Whether it may call private addresses.
    pub egress_private: bool,
    /// The origins that it may call though they are where clouds hand out credentials.
    pub egress_metadata: Vec<Arc<str>>,
    /// The bound of its cache, in bytes.
    pub cache_bytes: u64,
    /// Its named secrets. A change of them alone keeps the instance.
    pub secrets: BTreeMap<String, Secret>,
    /// Whether its decisions count.
    pub mode: RunMode,
    /// Where it is written, as `file:line:column`, for error messages.
    pub source: Arc<str>,
}

impl InstancePlan {
    /// Whether a running instance of `other` serves this plan as well, so that a reload keeps it:
    /// same id, extension, settings and reach. The policies around it and its named secrets may differ.
    #[must_use]
    pub fn same_instance(&self, other: &Self) -> bool {
        self.id == other.id
            && self.extension == other.extension
            && self.settings == other.settings
            && self.egress == other.egress
            && self.egress_private == other.egress_private
            && self.egress_metadata == other.egress_metadata
            && self.cache_bytes == other.cache_bytes
    }

    /// An instance with the policies that hold where the configuration says nothing.
    #[must_use]
    pub fn new(id: InstanceId, extension: &str, settings: serde_json::Value) -> Self {
        Self {
            id,
            extension: Arc::from(extension),
            settings,
            on_error: None,
            on_timeout: None,
            on_panic: None,
            deadline: Self::DEADLINE,
            in_flight_max: Self::IN_FLIGHT_MAX,
            circuit: Circuit::default(),
            stall: Self::STALL,
            isolate: false,
            egress: Vec::new(),
            egress_private: false,
            egress_metadata: Vec::new(),
            cache_bytes: Self::CACHE_BYTES,
            secrets: BTreeMap::new(),
            mode: RunMode::Enforce,
            source: Arc::from(""),
        }
    }

    /// How long one call of an asynchronous hook may take where nothing is said.
    pub const DEADLINE: Duration = Duration::from_secs(1);
    /// How many calls may run at the same time where nothing is said.
    pub const IN_FLIGHT_MAX: u32 = 4_096;
    /// How long a synchronous hook may run where nothing is said.
    pub const STALL: Duration = Duration::from_secs(1);
    /// The bound of a cache where nothing is said.
    pub const CACHE_BYTES: u64 = 16 * 1024 * 1024;
}

/// Settings are left out, because they may hold secrets.
impl fmt::Debug for InstancePlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InstancePlan")
            .field("id", &self.id)
            .field("extension", &self.extension)
            .field("on_error", &self.on_error)
            .field("on_timeout", &self.on_timeout)
            .field("on_panic", &self.on_panic)
            .field("deadline", &self.deadline)
            .field("in_flight_max", &self.in_flight_max)
            .field("circuit", &self.circuit)
            .field("isolate", &self.isolate)
            .field("egress", &self.egress)
            .field("egress_metadata", &self.egress_metadata)
            .field("mode", &self.mode)
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

/// What the failure of an instance does to the exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// The exchange fails.
    Deny,
    /// The exchange goes on as if the instance were not in the chain.
    Skip,
}

/// Whether an instance's decisions count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RunMode {
    /// It acts.
    #[default]
    Enforce,
    /// It runs and is recorded, and its decisions and edits are thrown away.
    Shadow,
    /// It does not run.
    Off,
}
