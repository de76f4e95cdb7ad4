//! The models of a route: who serves them, who chooses, who counts, and where credentials come from.

use std::sync::Arc;

use gatewright::{InstanceId, ModelName};
use gatewright_policy::{ModelPlan, ProviderPlan, RoutePlan, Strategy, TargetPlan};
use gatewright_server::CALLS;

use super::chain::Subject;

/// A model and where it is served.
pub(super) struct ModelView {
    pub(super) name: ModelName,
    pub(super) strategy: &'static str,
    pub(super) picker: Option<InstanceId>,
    pub(super) estimator: Option<InstanceId>,
    pub(super) targets: Vec<TargetView>,
    pub(super) sample: Sample,
}

/// One target of a model.
pub(super) struct TargetView {
    pub(super) provider: String,
    pub(super) model: Arc<str>,
    pub(super) weight: u32,
    /// Nano-dollars per million input and output tokens; `None` where nobody knows.
    pub(super) price: Option<[Option<u64>; 2]>,
    pub(super) adapter: String,
    pub(super) base_url: String,
    /// The instance that finds credentials.
    pub(super) credential: Option<InstanceId>,
    /// Whether the provider has a key of its own.
    pub(super) has_key: bool,
}

/// A target by which a sample answer is imagined.
#[derive(Clone)]
pub(super) struct Sample {
    pub(super) asked: String,
    pub(super) provider: String,
    pub(super) served: Arc<str>,
}

impl ModelView {
    /// The instances that find credentials for its targets.
    pub(super) fn credentials(&self) -> Vec<InstanceId> {
        self.targets.iter().filter_map(|target| target.credential.clone()).collect()
    }
}

impl Default for Sample {
    fn default() -> Self {
        Self { asked: "-".to_owned(), provider: "-".to_owned(), served: "-".into() }
    }
}

impl Subject<'_> {
    /// The models that a route serves to the caller, sorted by name.
    pub(super) fn models(&self, route: &RoutePlan) -> Vec<ModelView> {
        let allowed = self.snapshot.plan.allowed_models(&self.principal).into_iter();
        allowed
            .filter(|model| self.takes(route, model.name.as_str()))
            .filter(|model| self.model.is_none_or(|wanted| wanted == model.name.as_str()))
            .map(|model| self.view(model))
            .collect()
    }

    /// Whether requests for a model take the route and no earlier one. Who asks without a tenant that the route is for
    /// learns what its pattern admits.
    fn takes(&self, route: &RoutePlan, model: &str) -> bool {
        let tenant = &self.principal.tenant;
        if !route.matcher.tenant.matches(tenant.as_str()) {
            return route.matcher.model.matches(model);
        }
        CALLS.iter().any(|call| {
            let taken = self.snapshot.plan.route(call.path, tenant, Some(model));
            taken.is_some_and(|taken| taken.name == route.name)
        })
    }

    fn view(&self, model: &ModelPlan) -> ModelView {
        let sample = model.targets.first().map(|target| Sample {
            asked: model.name.to_string(),
            provider: target.provider.to_string(),
            served: Arc::clone(&target.model),
        });
        ModelView {
            name: model.name.clone(),
            strategy: strategy(model.strategy),
            picker: model.picker.clone(),
            estimator: model.estimator.clone(),
            targets: model.targets.iter().map(|target| self.target(target)).collect(),
            sample: sample.unwrap_or_default(),
        }
    }

    fn target(&self, target: &TargetPlan) -> TargetView {
        let provider: Option<&Arc<ProviderPlan>> = self.snapshot.plan.providers.get(&target.provider);
        let rates = target.price.as_deref().map(|price| &price.rates);
        TargetView {
            provider: target.provider.to_string(),
            model: Arc::clone(&target.model),
            weight: target.weight,
            price: rates.map(|rates| [rates.input, rates.output].map(|rate| rate.map(|rate| rate.0))),
            adapter: provider.map(|provider| provider.adapter.to_string()).unwrap_or_default(),
            base_url: provider.map(|provider| provider.base_url.to_string()).unwrap_or_default(),
            credential: provider.and_then(|provider| provider.credential.clone()),
            has_key: provider.is_some_and(|provider| provider.api_key.is_some()),
        }
    }
}

/// A strategy's name in the configuration.
pub(super) const fn strategy(strategy: Strategy) -> &'static str {
    match strategy {
        Strategy::First => "first",
        Strategy::RoundRobin => "round_robin",
        Strategy::Weighted => "weighted",
    }
}
