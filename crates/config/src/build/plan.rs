//! Models, instances, routes, tenants.

use std::collections::HashMap;
use std::sync::Arc;

use gatewright::dialect::Direct;
use gatewright::{InstanceId, ModelName, ProviderName, RouteName, TenantId};
use gatewright_policy::{
    AnswerModel, Circuit, InstancePlan, ModelPlan, OnFailure, Pattern, Plan, PriceBook, Rates, RouteMatch,
    RoutePlan, RunMode, Strategy, TargetPlan, TenantPlan,
};

use super::Builder;
use crate::catalogue;
use crate::position::KeyPath;
use crate::shape::Shape;
use crate::shape::extension::{self, Instance};
use crate::shape::model::{self, Model, Price, Target};
use crate::shape::route::{Route, Tenant};
use crate::unit::Dollars;

impl Builder<'_> {
    pub(super) fn plan(&mut self, shape: Shape, generation: u64) -> Plan {
        let root = KeyPath::root();
        let prices: HashMap<String, String> = shape
            .providers
            .iter()
            .map(|(name, provider)| {
                (name.clone(), provider.catalogue.clone().unwrap_or_else(|| provider.adapter.clone()))
            })
            .collect();
        let mut plan = Plan {
            generation,
            authenticate: ids(&shape.authenticate),
            audit: ids(&shape.audit),
            tenants: shape.tenants.iter().map(|(id, plan)| (TenantId::new(id), tenant(plan))).collect(),
            ..Plan::default()
        };
        for (name, provider) in shape.providers {
            let is_open = provider.passthrough;
            if let Some(built) = self.provider(&name, provider, &root.key("providers").key(&name)) {
                plan.providers.insert(ProviderName::new(&name), Arc::new(built));
                if is_open {
                    plan.directs.insert(ProviderName::new(&name), Arc::new(direct(&name)));
                }
            }
        }
        for (name, model) in shape.models {
            let built = self.model(&name, model, &prices);
            plan.models.insert(ModelName::new(&name), Arc::new(built));
        }
        for (place, instance) in shape.extensions.into_iter().enumerate() {
            let built = self.instance(instance, &root.key("extensions").item(place));
            plan.instances.push(built);
        }
        plan.routes = shape.routes.iter().map(|plan| Arc::new(route(plan))).collect();
        plan
    }

    fn model(&mut self, name: &str, model: Model, prices: &HashMap<String, String>) -> ModelPlan {
        let path = KeyPath::root().key("models").key(name).key("targets");
        ModelPlan {
            name: ModelName::new(name),
            targets: model
                .targets
                .into_iter()
                .enumerate()
                .map(|(place, target)| self.target(name, target, prices, &path.item(place)))
                .collect(),
            strategy: match model.strategy {
                model::Strategy::First => Strategy::First,
                model::Strategy::RoundRobin => Strategy::RoundRobin,
                model::Strategy::Weighted => Strategy::Weighted,
            },
            picker: model.picker.as_deref().map(InstanceId::new),
            estimator: model.estimator.as_deref().map(InstanceId::new),
            answer_model: match model.answer_model {
                model::AnswerModel::Served => AnswerModel::Served,
                model::AnswerModel::Asked => AnswerModel::Asked,
            },
            strict: model.strict,
            description: model.description.map(Arc::from),
        }
    }

    fn target(
        &mut self,
        public: &str,
        target: Target,
        prices: &HashMap<String, String>,
        path: &KeyPath,
    ) -> TargetPlan {
        let model = target.model.unwrap_or_else(|| public.to_owned());
        let price = match &target.price {
            Some(price) => Some(book(price)),
            None => {
                let vendor = prices.get(&target.provider).map_or("", String::as_str);
                let found = catalogue::price(vendor, &model);
                if found.is_none() {
                    let message = format!(
                        "the price of `{model}` at `{vendor}` is not in the catalogue, so that its cost is unknown; \
                         set `price`"
                    );
                    self.warning(path, message);
                }
                found
            }
        };
        TargetPlan {
            provider: ProviderName::new(&target.provider),
            model: Arc::from(model),
            weight: target.weight,
            price: price.map(Arc::new),
        }
    }

    fn instance(&self, instance: Instance, path: &KeyPath) -> InstancePlan {
        let on_failure = |choice| match choice {
            extension::OnFailure::Deny => OnFailure::Deny,
            extension::OnFailure::Skip => OnFailure::Skip,
        };
        InstancePlan {
            id: InstanceId::new(&instance.id),
            extension: Arc::from(instance.extension),
            settings: instance.with.unwrap_or_default(),
            on_error: instance.on_error.map(on_failure),
            on_timeout: instance.on_timeout.map(on_failure),
            on_panic: instance.on_panic.map(on_failure),
            deadline: instance.deadline.0,
            in_flight_max: instance.max_in_flight,
            circuit: Circuit {
                failures: instance.circuit.failures,
                within: instance.circuit.within.0,
                pause: instance.circuit.pause.0,
            },
            stall: instance.stall.0,
            isolate: instance.isolate,
            egress: origins(&instance.egress),
            egress_private: instance.egress_private,
            egress_metadata: origins(&instance.egress_metadata),
            cache_bytes: instance.cache_bytes.0,
            secrets: instance.secrets,
            mode: match instance.mode {
                extension::Mode::Enforce => RunMode::Enforce,
                extension::Mode::Shadow => RunMode::Shadow,
                extension::Mode::Off => RunMode::Off,
            },
            source: Arc::from(self.source(path)),
        }
    }
}

fn origins(urls: &[String]) -> Vec<Arc<str>> {
    urls.iter().map(|url| Arc::from(url.trim_end_matches('/'))).collect()
}

/// What stands for a provider that callers may call directly. Nobody knows what such a call costs.
fn direct(provider: &str) -> ModelPlan {
    let name = Direct::model(provider);
    let target = TargetPlan {
        provider: ProviderName::new(provider),
        model: Arc::from(&*name),
        weight: 1,
        price: None,
    };
    ModelPlan {
        name: ModelName::new(&name),
        targets: vec![target],
        strategy: Strategy::First,
        picker: None,
        estimator: None,
        answer_model: AnswerModel::Served,
        strict: false,
        description: None,
    }
}

fn ids(names: &[String]) -> Vec<InstanceId> {
    names.iter().map(|name| InstanceId::new(name)).collect()
}

fn route(route: &Route) -> RoutePlan {
    RoutePlan {
        name: RouteName::new(&route.name),
        matcher: RouteMatch {
            path: Pattern::new(&route.matcher.path),
            tenant: Pattern::new(&route.matcher.tenant),
            model: Pattern::new(&route.matcher.model),
        },
        limit: ids(&route.limit),
        request: ids(&route.request),
        response: ids(&route.response),
        sinks: ids(&route.sinks),
    }
}

fn tenant(tenant: &Tenant) -> TenantPlan {
    TenantPlan {
        body_bytes_max: tenant.body_bytes_max.map(|size| size.0),
        models: tenant.models.iter().map(|pattern| Pattern::new(pattern)).collect(),
    }
}

fn book(price: &Price) -> PriceBook {
    let rate = |price: Option<Dollars>| price.map(|dollars| dollars.0);
    let rates = Rates {
        input: Some(price.input.0),
        cache_read: rate(price.cache_read),
        cache_write: rate(price.cache_write),
        cache_write_1h: rate(price.cache_write_1h),
        output: rate(price.output),
        reasoning: rate(price.reasoning),
        input_audio: rate(price.input_audio),
        output_audio: rate(price.output_audio),
    };
    PriceBook { rates, ..PriceBook::default() }
}
