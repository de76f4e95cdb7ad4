//! Reload: a whole new generation is built off the data path and swapped in as one pointer. A
//! configuration with a mistake changes nothing.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use gatewright::registry::Registry;
use gatewright::{InstanceId, ProviderAdapter, ProviderName};
use gatewright_config::{Inputs, LastGood, Loaded, ProcessEnvironment, Settings, load};
use gatewright_pipeline::Snapshot;
use gatewright_policy::InstancePlan;

use crate::instances::{self, CreateError, Instances};
use crate::metrics::Metrics;
use crate::services::Services;
use crate::snapshot::assemble;

/// How long the adapters of providers may take to be created.
const ADAPTER_DEADLINE: std::time::Duration = std::time::Duration::from_secs(5);

/// Builds generations and swaps them in. One per process, used by one task.
pub(crate) struct Reloader {
    pub(crate) registry: Registry,
    pub(crate) services: Services,
    pub(crate) files: Vec<PathBuf>,
    pub(crate) snapshots: Arc<ArcSwap<Snapshot>>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) last_good: LastGood,
    pub(crate) current: Generation,
}

/// What is in use.
pub(crate) struct Generation {
    pub(crate) number: u64,
    pub(crate) settings: Settings,
    pub(crate) instances: Instances,
    /// Every file that the configuration depends on.
    pub(crate) files: Vec<PathBuf>,
}

impl Reloader {
    /// Reads the configuration again and puts it to use.
    ///
    /// # Errors
    ///
    /// A text that says what is wrong and where; what was in use stays in use.
    ///
    /// # Cancellation
    ///
    /// Nothing changes.
    pub(crate) async fn reload(&mut self) -> Result<String, String> {
        let result = self.try_reload().await;
        if result.is_err() {
            self.services.refused();
        }
        match &result {
            Ok(summary) => {
                tracing::info!(generation = self.current.number, summary, "Configuration reloaded");
            }
            Err(problems) => {
                tracing::error!(problems, "Configuration refused; the previous one stays in use");
            }
        }
        self.metrics.reloaded(result.is_ok().then_some(self.current.number));
        result
    }

    async fn try_reload(&mut self) -> Result<String, String> {
        let number = self.current.number + 1;
        let inputs =
            Inputs { environment: &ProcessEnvironment, extensions: &self.registry, generation: number };
        let loaded = load(&self.files, &inputs).map_err(|errors| errors.to_string())?;
        let old = self.snapshots.load_full();
        let built =
            build(loaded, &self.registry, &self.services, &self.current.instances, Some(&old)).await?;
        for warning in &built.warnings {
            tracing::warn!(%warning, "Configuration");
        }
        let kept = built.instances.iter().filter(|(id, living)| {
            self.current.instances.get(*id).is_some_and(|old| Arc::ptr_eq(old, living))
        });
        let mut summary =
            format!("generation {number}, {} instances, {} unchanged", built.instances.len(), kept.count());
        if built.settings != self.current.settings {
            summary
                .push_str("; listeners, admin, workers, drain, store and telemetry change at the next start");
        }
        if let Err(error) = self.last_good.write(&built.sources) {
            tracing::warn!(%error, "Last good configuration not kept");
        }
        self.services.in_use(&built.plans);
        self.snapshots.store(Arc::new(built.snapshot));
        self.current =
            Generation { number, settings: built.settings, instances: built.instances, files: built.files };
        Ok(summary)
    }
}

/// A generation that is ready to be used.
pub(crate) struct Built {
    pub(crate) snapshot: Snapshot,
    pub(crate) settings: Settings,
    pub(crate) instances: Instances,
    /// The plans of the instances, those of adapters included.
    pub(crate) plans: Vec<InstancePlan>,
    pub(crate) warnings: Vec<String>,
    pub(crate) sources: Vec<gatewright_config::Source>,
    pub(crate) files: Vec<PathBuf>,
}

/// Builds a generation from a configuration: instances, adapters, destinations.
///
/// # Errors
///
/// A text that says what is wrong and where.
///
/// # Cancellation
///
/// What was built is dropped.
pub(crate) async fn build(
    loaded: Loaded,
    registry: &Registry,
    services: &Services,
    old_instances: &Instances,
    old: Option<&Snapshot>,
) -> Result<Built, String> {
    let adapters_wanted = adapter_plans(&loaded);
    let mut plans = loaded.plan.instances.clone();
    plans.extend(adapters_wanted.iter().cloned());
    let instances = instances::build(&plans, old_instances, registry, services)
        .await
        .map_err(|errors| creation_problems(&loaded, &errors))?;
    let adapters: HashMap<ProviderName, Arc<dyn ProviderAdapter>> = loaded
        .plan
        .providers
        .keys()
        .filter_map(|name| Some((name.clone(), instances.get(&adapter_id(name))?.instance.provider.clone()?)))
        .collect();
    let warnings = loaded.warnings.iter().map(ToString::to_string).collect();
    let snapshot = assemble(loaded.plan, &instances, &adapters, old)?;
    Ok(Built {
        snapshot,
        settings: loaded.settings,
        instances,
        plans,
        warnings,
        sources: loaded.sources,
        files: loaded.files,
    })
}

/// One adapter instance per provider, with the provider's own settings for it.
fn adapter_plans(loaded: &Loaded) -> Vec<InstancePlan> {
    let mut providers: Vec<_> = loaded.plan.providers.values().collect();
    providers.sort_unstable_by(|one, two| one.name.cmp(&two.name));
    providers
        .into_iter()
        .map(|provider| InstancePlan {
            deadline: ADAPTER_DEADLINE,
            source: Arc::clone(&provider.source),
            ..InstancePlan::new(adapter_id(&provider.name), &provider.adapter, provider.settings.clone())
        })
        .collect()
}

/// The id of a provider's adapter. No configured instance has a colon in its id.
fn adapter_id(provider: &ProviderName) -> InstanceId {
    InstanceId::new(&format!("provider:{provider}"))
}

fn creation_problems(loaded: &Loaded, errors: &[CreateError]) -> String {
    let texts: Vec<_> = errors
        .iter()
        .map(|CreateError { instance, error }| {
            loaded.settings_problem(instance, &error.path, &error.message).to_string()
        })
        .collect();
    texts.join("\n")
}
