//! Routes: which chains of instances an exchange runs.

use gatewright::{InstanceId, RouteName};

use crate::Pattern;

/// One route: what it matches and which instances run, each chain in the order written.
#[derive(Clone, Debug, PartialEq)]
pub struct RoutePlan {
    /// The name in logs, metrics and records.
    pub name: RouteName,
    /// Which exchanges it serves.
    pub matcher: RouteMatch,
    /// The limiters.
    pub limit: Vec<InstanceId>,
    /// The request transforms.
    pub request: Vec<InstanceId>,
    /// The response filters; the first listed sees the text first.
    pub response: Vec<InstanceId>,
    /// The sinks that receive usage records.
    pub sinks: Vec<InstanceId>,
}

/// What an exchange must be like for a route to serve it. All three must match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteMatch {
    /// The request's path.
    pub path: Pattern,
    /// The caller's tenant.
    pub tenant: Pattern,
    /// The public model name.
    pub model: Pattern,
}

impl RouteMatch {
    /// Whether the route serves such an exchange. An absent model is matched by `*` alone.
    #[must_use]
    pub fn matches(&self, path: &str, tenant: &str, model: Option<&str>) -> bool {
        self.path.matches(path)
            && self.tenant.matches(tenant)
            && model.map_or(self.model.is_any(), |model| self.model.matches(model))
    }

    /// Whether every exchange that `other` matches is matched by this one as well.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.path.covers(&other.path) && self.tenant.covers(&other.tenant) && self.model.covers(&other.model)
    }
}
