//! From a plan and its instances to the snapshot that the data path serves.

use std::collections::HashMap;
use std::sync::Arc;

use gatewright::{InstanceId, ProviderName};
use gatewright_pipeline::{Chains, Credentials, Hooked, Proof, Provider, Snapshot};
use gatewright_policy::{Http2, InstancePlan, Plan, ProviderPlan};
use gatewright_upstream::{Deadlines, Destination, DestinationSettings, Origin};

use crate::instances::{Instances, Living};
use crate::reload::adapter_id;

/// Joins a plan with its live parts. `plans` are those of all instances, adapters included.
///
/// # Errors
///
/// A text for the operator: which provider cannot be used, and why.
pub(crate) fn assemble(
    plan: Plan,
    plans: &[InstancePlan],
    instances: &Instances,
    old: Option<&Snapshot>,
) -> Result<Snapshot, String> {
    let hooks = hook_all(plans, instances)?;
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
        let built = build_provider(provider, &hooks, old)
            .map_err(|why| format!("providers.{}: {why}", provider.name))?;
        providers.insert(provider.name.clone(), built);
    }
    let (authenticate, audit) = (chain(&plan.authenticate), chain(&plan.audit));
    Ok(Snapshot { plan, hooks, audit, authenticate, chains, providers })
}

type Hooks = HashMap<InstanceId, Arc<Hooked>>;

fn hook_all(plans: &[InstancePlan], instances: &Instances) -> Result<Hooks, String> {
    let mut hooks = Hooks::new();
    for (index, plan) in plans.iter().enumerate() {
        let Some(living) = instances.get(&plan.id) else { continue };
        let index = u32::try_from(index).map_err(|_| "too many extension instances".to_owned())?;
        let owner: Arc<dyn std::any::Any + Send + Sync> = Arc::<Living>::clone(living);
        let (instance, gate) = (living.instance().clone(), Arc::clone(&living.gate));
        if let Some(hooked) = Hooked::new(plan, index, instance, gate, owner) {
            hooks.insert(plan.id.clone(), hooked);
        }
    }
    Ok(hooks)
}

fn build_provider(
    plan: &Arc<ProviderPlan>,
    hooks: &Hooks,
    old: Option<&Snapshot>,
) -> Result<Arc<Provider>, String> {
    let absent = || format!("no provider adapter `{}`", plan.adapter);
    let hooked = hooks.get(&adapter_id(&plan.name)).map(Arc::clone).ok_or_else(absent)?;
    let adapter = hooked.instance.provider.clone().ok_or_else(absent)?;
    let destination = destination(plan, old.and_then(|old| old.providers.get::<ProviderName>(&plan.name)))?;
    let credentials = plan.credential.as_ref().and_then(|id| hooks.get(id)).map(Arc::clone);
    let credential = match &plan.api_key {
        Some(secret) => Some(Proof::of_key(&hooked, secret, destination.origin())?),
        None => None,
    };
    Ok(Arc::new(Provider {
        name: plan.name.clone(),
        adapter,
        hooked,
        credentials: credentials.map(Credentials::new),
        destination,
        credential,
        deadlines: Deadlines {
            connect: plan.timeouts.connect,
            tls: plan.timeouts.tls,
            first_byte: plan.timeouts.first_byte,
            gap: plan.timeouts.gap,
            total: plan.timeouts.total,
        },
        allows_stored_files: plan.allow_stored_files,
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
