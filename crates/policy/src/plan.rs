//! The plan: everything of the configuration that decides how one exchange is served.
//!
//! It is plain data, built whole by `config`, swapped as one pointer and taken once by each
//! exchange at its start. Parts that the data path keeps are behind `Arc`.
//! Process settings (listeners, store, telemetry) are not in it: they do not change on reload.

mod instance;
mod model;
mod provider;
mod route;
mod tenant;

use std::collections::HashMap;
use std::sync::Arc;

use gatewright::dialect::DIRECT_PREFIX;
use gatewright::{InstanceId, ModelName, Principal, ProviderName, TenantId, matches_pattern};

pub use self::instance::{InstancePlan, OnFailure, RunMode};
pub use self::model::{AnswerModel, ModelPlan, Strategy, TargetPlan};
pub use self::provider::{Http2, ProviderPlan, Timeouts};
pub use self::route::{RouteMatch, RoutePlan};
pub use self::tenant::TenantPlan;

/// One generation of the configuration, as the data path reads it.
///
/// Names inside refer to parts of the same plan: `config` builds no plan with a dangling name.
#[derive(Debug, Default)]
pub struct Plan {
    /// Counts the plans of this process, from 1; it names the plan in logs and metrics.
    pub generation: u64,
    /// The models that clients may ask for, by public name.
    pub models: HashMap<ModelName, Arc<ModelPlan>>,
    /// What stands for each provider that callers may call directly: a model with one target, under the name by which
    /// keys allow it.
    pub directs: HashMap<ProviderName, Arc<ModelPlan>>,
    /// The providers that targets refer to.
    pub providers: HashMap<ProviderName, Arc<ProviderPlan>>,
    /// The routes in the order written; the first that matches serves the exchange.
    pub routes: Vec<Arc<RoutePlan>>,
    /// The instances that may accept a caller, asked in order.
    pub authenticate: Vec<InstanceId>,
    /// The instances that receive audit records.
    pub audit: Vec<InstanceId>,
    /// The extension instances in the order written.
    pub instances: Vec<InstancePlan>,
    /// The tenants that have settings of their own.
    pub tenants: HashMap<TenantId, TenantPlan>,
    /// What holds for every other tenant.
    pub tenant_defaults: TenantPlan,
}

impl Plan {
    /// The first route that matches, or `None` where none does.
    ///
    /// An exchange without a model (for example a list of models) is matched only by routes
    /// whose model pattern is `*`.
    #[must_use]
    pub fn route(&self, path: &str, tenant: &TenantId, model: Option<&str>) -> Option<&Arc<RoutePlan>> {
        self.routes.iter().find(|route| route.matcher.matches(path, tenant.as_str(), model))
    }

    /// The settings of a tenant: its own, or those of every tenant without its own.
    #[must_use]
    pub fn tenant(&self, id: &TenantId) -> &TenantPlan {
        self.tenants.get(id).unwrap_or(&self.tenant_defaults)
    }

    /// The model that clients ask for as `name`.
    #[must_use]
    pub fn model(&self, name: &str) -> Option<&Arc<ModelPlan>> {
        self.models.get(name)
    }

    /// What stands for a provider that callers may call directly; `None` where they may not.
    #[must_use]
    pub fn direct(&self, provider: &str) -> Option<&Arc<ModelPlan>> {
        self.directs.get(provider)
    }

    /// Whether the caller's key names calls that pass through to a provider, and its tenant admits them. What goes
    /// round every rule on content is given by name, never by a `*` that was meant for models.
    #[must_use]
    pub fn may_pass(&self, principal: &Principal, name: &ModelName) -> bool {
        let names = |pattern: &&Arc<str>| pattern.starts_with(DIRECT_PREFIX);
        let mut named = principal.models.iter().filter(names);
        named.any(|pattern| matches_pattern(pattern, name.as_str()))
            && self.tenant(&principal.tenant).may_use(name)
    }

    /// Whether both the caller's key and its tenant admit a model.
    #[must_use]
    pub fn may_use(&self, principal: &Principal, model: &ModelName) -> bool {
        principal.may_use(model) && self.tenant(&principal.tenant).may_use(model)
    }

    /// The models that a caller may use, sorted by name.
    #[must_use]
    pub fn allowed_models(&self, principal: &Principal) -> Vec<&Arc<ModelPlan>> {
        let tenant = self.tenant(&principal.tenant);
        let mut allowed: Vec<_> = self
            .models
            .values()
            .filter(|model| principal.may_use(&model.name) && tenant.may_use(&model.name))
            .collect();
        allowed.sort_unstable_by(|one, two| one.name.cmp(&two.name));
        allowed
    }

    /// The instance with this id.
    #[must_use]
    pub fn instance(&self, id: &InstanceId) -> Option<&InstancePlan> {
        self.instances.iter().find(|instance| instance.id == *id)
    }
}

#[cfg(test)]
mod tests;
