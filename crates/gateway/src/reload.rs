//! Reload: a whole new generation is built off the data path and swapped in as one pointer. A
//! configuration with a mistake changes nothing.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use gatewright::{InstanceId, ProviderName};
use gatewright_config::{Inputs, LastGood, Loaded, ProcessEnvironment, Settings, Source, load};
use gatewright_pipeline::Snapshot;
use gatewright_policy::InstancePlan;

use crate::engine::Engine;
use crate::instances::{CreateError, Instances, Workshop};
use crate::snapshot::assemble;

/// How long the adapters of providers may take to be created.
const ADAPTER_DEADLINE: Duration = Duration::from_secs(5);

/// Reads the configuration's files again. One per process, used by one task.
pub(crate) struct Reloader {
    pub(crate) engine: Engine,
    pub(crate) files: Vec<PathBuf>,
    pub(crate) last_good: LastGood,
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
        let inputs = Inputs {
            environment: &ProcessEnvironment,
            extensions: &self.engine.workshop.registry,
            generation: self.engine.current.number + 1,
        };
        let loaded = load(&self.files, &inputs).map_err(|errors| errors.to_string());
        let last_good = &self.last_good;
        self.engine.reload(loaded, |sources| keep(last_good, sources)).await
    }

    /// Keeps the configuration in use for a start with a broken one.
    pub(crate) fn keep(&self) {
        keep(&self.last_good, &self.engine.current.sources);
    }
}

fn keep(last_good: &LastGood, sources: &[Source]) {
    if let Err(error) = last_good.write(sources) {
        tracing::warn!(%error, "Last good configuration not kept");
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
    pub(crate) sources: Vec<Source>,
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
    workshop: &Workshop,
    old_instances: &Instances,
    old: Option<&Snapshot>,
) -> Result<Built, String> {
    let adapters_wanted = adapter_plans(&loaded);
    let mut plans = loaded.plan.instances.clone();
    plans.extend(adapters_wanted.iter().cloned());
    let refused = |errors: Vec<CreateError>| creation_problems(&loaded, &errors);
    let mut instances = workshop.create_all(&plans, old_instances).await.map_err(refused)?;
    workshop.start_all(&plans, &mut instances).await.map_err(refused)?;
    let warnings = loaded.warnings.iter().map(ToString::to_string).collect();
    let snapshot = assemble(loaded.plan, &plans, &instances, old)?;
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
pub(crate) fn adapter_id(provider: &ProviderName) -> InstanceId {
    InstanceId::new(&format!("provider:{provider}"))
}

fn creation_problems(loaded: &Loaded, errors: &[CreateError]) -> String {
    let texts: Vec<_> = errors
        .iter()
        .map(|CreateError { instance, error }| {
            let adapter = loaded.plan.providers.keys().find(|provider| adapter_id(provider) == *instance);
            let problem = match adapter {
                Some(provider) => loaded.adapter_problem(provider, &error.path, &error.message),
                None => loaded.settings_problem(instance, &error.path, &error.message),
            };
            problem.to_string()
        })
        .collect();
    texts.join("\n")
}
