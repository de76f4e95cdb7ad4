//! The part `extensions`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::unit::Span;

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

    /// Whether the instance acts.
    #[serde(default)]
    pub(crate) mode: Mode,
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
    Span::secs(1)
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
