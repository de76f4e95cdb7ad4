//! The parts `routes` and `tenants`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::unit::Size;

/// Which instances a request runs through. Each chain runs in the order written.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Route {
    /// The name in logs, metrics and records.
    #[schemars(length(min = 1))]
    pub(crate) name: String,

    /// Which requests it serves. Without it, all.
    #[serde(default, rename = "match")]
    pub(crate) matcher: Match,

    /// Instances that limit.
    #[serde(default)]
    pub(crate) limit: Vec<String>,

    /// Instances that transform the request.
    #[serde(default)]
    pub(crate) request: Vec<String>,

    /// Instances that filter the answer; the first listed sees the text first.
    #[serde(default)]
    pub(crate) response: Vec<String>,

    /// Instances that receive usage records.
    #[serde(default)]
    pub(crate) sinks: Vec<String>,
}

/// What a request must be like; all three must match. `*` stands for any run of characters.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Match {
    /// The path.
    pub(crate) path: String,

    /// The caller's tenant.
    pub(crate) tenant: String,

    /// The public model name. A request without a model is matched by `*` alone.
    pub(crate) model: String,
}

impl Default for Match {
    fn default() -> Self {
        let any = || "*".to_owned();
        Self { path: any(), tenant: any(), model: any() }
    }
}

/// Settings of one tenant.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Tenant {
    /// The size of a request body. The default is the listener's cap, which always holds as well.
    pub(crate) body_bytes_max: Option<Size>,

    /// The public models that the tenant may use; `*` stands for any run of characters. A key can
    /// have a narrower list.
    pub(crate) models: Vec<String>,
}

impl Default for Tenant {
    fn default() -> Self {
        Self { body_bytes_max: None, models: vec!["*".to_owned()] }
    }
}
