//! Extension instances: one extension with its settings and its policy for failures.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use gatewright::{InstanceId, serde_json};

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
    /// Whether its decisions count.
    pub mode: RunMode,
    /// Where it is written, as `file:line:column`, for error messages.
    pub source: Arc<str>,
}

impl InstancePlan {
    /// Whether a running instance of `other` serves this plan as well, so that a reload keeps it:
    /// same id, extension and settings. The policies around it may differ.
    #[must_use]
    pub fn same_instance(&self, other: &Self) -> bool {
        self.id == other.id && self.extension == other.extension && self.settings == other.settings
    }
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
