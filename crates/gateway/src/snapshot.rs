//! From a plan and its instances to the snapshot that the data path serves.

use std::collections::HashMap;
use std::sync::Arc;

use gatewright::{InstanceId, ProviderAdapter, ProviderName};
use gatewright_pipeline::{Chains, Hooked, Provider, Snapshot};
use gatewright_policy::{Http2, Plan, ProviderPlan};
use gatewright_upstream::{Credential, Deadlines, Destination, DestinationSettings, Origin};

use crate::instances::{Instances, Living};

/// Joins a plan with its live parts.
///
/// # Errors
///
/// A text for the operator: which provider cannot be used, and why.
pub(crate) fn assemble(
    plan: Plan,
    instances: &Instances,
    adapters: &HashMap<ProviderName, Arc<dyn ProviderAdapter>>,
    old: Option<&Snapshot>,
) -> Result<Snapshot, String> {
    let mut hooks: HashMap<InstanceId, Arc<Hooked>> = HashMap::new();
    for (index, instance) in plan.instances.iter().enumerate() {
        let Some(living) = instances.get(&instance.id) else { continue };
        let index = u32::try_from(index).map_err(|_| "too many extension instances".to_owned())?;
        let owner: Arc<dyn std::any::Any + Send + Sync> = Arc::<Living>::clone(living);
        if let Some(hooked) = Hooked::new(instance, index, living.instance.clone(), owner) {
            hooks.insert(instance.id.clone(), hooked);
        }
    }
    // An instance that is switched off has no hook, and its place in a chain stays empty.
    let chain =
        |ids: &[InstanceId]| ids.iter().filter_map(|id| hooks.get(id).map(Arc::clone)).collect::<Vec<_>>();
    let chains = plan
        .routes
        .iter()
        .map(|route| {
            let chains = Chains {
                limit: chain(&route.limit),
                request: chain(&route.request),
                response: chain(&route.response),
                sinks: chain(&route.sinks),
            };
            (route.name.clone(), Arc::new(chains))
        })
        .collect();
    let mut providers = HashMap::new();
    for provider in plan.providers.values() {
        let built = build_provider(provider, adapters, old)
            .map_err(|why| format!("providers.{}: {why}", provider.name))?;
        providers.insert(provider.name.clone(), built);
    }
    let authenticate = chain(&plan.authenticate);
    Ok(Snapshot { plan, authenticate, chains, providers })
}

fn build_provider(
    plan: &Arc<ProviderPlan>,
    adapters: &HashMap<ProviderName, Arc<dyn ProviderAdapter>>,
    old: Option<&Snapshot>,
) -> Result<Arc<Provider>, String> {
    let adapter =
        adapters.get(&plan.name).ok_or_else(|| format!("no provider adapter `{}`", plan.adapter))?;
    let destination = destination(plan, old.and_then(|old| old.providers.get::<ProviderName>(&plan.name)))?;
    let credential = match &plan.api_key {
        Some(secret) => {
            let (header, value) = adapter.credential(secret).map_err(|error| error.to_string())?;
            Some(Credential::new(header, value, Arc::clone(destination.origin())))
        }
        None => None,
    };
    Ok(Arc::new(Provider {
        name: plan.name.clone(),
        adapter: Arc::clone(adapter),
        destination,
        credential,
        deadlines: Deadlines {
            connect: plan.timeouts.connect,
            tls: plan.timeouts.tls,
            first_byte: plan.timeouts.first_byte,
            gap: plan.timeouts.gap,
            total: plan.timeouts.total,
        },
        headers: plan.headers.clone(),
    }))
}

/// The destination of a provider: the one of the previous snapshot when its settings are the same,
/// so that pooled connections survive a reload.
fn destination(plan: &ProviderPlan, old: Option<&Arc<Provider>>) -> Result<Arc<Destination>, String> {
    let origin = Origin::parse(&plan.base_url.to_string()).map_err(|error| format!("base_url: {error}"))?;
    let settings = DestinationSettings {
        allow_private: plan.allow_private,
        http2: match plan.http2 {
            Http2::Never => gatewright_upstream::Http2::Never,
            Http2::Negotiate => gatewright_upstream::Http2::Negotiate,
            Http2::PriorKnowledge => gatewright_upstream::Http2::PriorKnowledge,
        },
        connections_max: plan.connections_max,
        wait_max: plan.timeouts.connect,
        extra_roots_pem: plan.extra_roots_pem.as_ref().map(|pem| pem.as_bytes().to_vec()).unwrap_or_default(),
        ..DestinationSettings::new(Arc::new(origin))
    };
    if let Some(known) = old.filter(|known| *known.destination.settings() == settings) {
        return Ok(Arc::clone(&known.destination));
    }
    Destination::new(settings).map(Arc::new).map_err(|error| error.to_string())
}
