//! Settings of a tenant.

use gatewright::ModelName;

use crate::Pattern;

/// What holds for one tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantPlan {
    /// The largest request body in bytes; `None` leaves it to the listener's cap.
    pub body_bytes_max: Option<u64>,
    /// The public models that the tenant's callers may use.
    pub models: Vec<Pattern>,
}

impl TenantPlan {
    /// Whether the tenant's callers may use a model.
    #[must_use]
    pub fn may_use(&self, model: &ModelName) -> bool {
        self.models.iter().any(|pattern| pattern.matches(model.as_str()))
    }
}

/// Every model, and no cap below the listener's.
impl Default for TenantPlan {
    fn default() -> Self {
        Self { body_bytes_max: None, models: vec![Pattern::any()] }
    }
}
