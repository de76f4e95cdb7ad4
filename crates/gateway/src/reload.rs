//! Reload: a whole new generation is built off the data path and swapped in as one pointer. A
//! configuration with a mistake changes nothing.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use arc_swap::ArcSwap;
use gatewright::{AuditAction, AuditRecord, InstanceId, ProviderName};
use gatewright_config::{Inputs, LastGood, Loaded, ProcessEnvironment, Settings, load};
use gatewright_pipeline::Snapshot;
use gatewright_policy::InstancePlan;

use crate::instances::{CreateError, Instances, STOP_WITHIN, Workshop};
use crate::metrics::Metrics;
use crate::outbox::Outbox;
use crate::snapshot::assemble;

/// How long the adapters of providers may take to be created.
const ADAPTER_DEADLINE: Duration = Duration::from_secs(5);

/// Builds generations and swaps them in. One per process, used by one task.
pub(crate) struct Reloader {
    pub(crate) workshop: Workshop,
    pub(crate) files: Vec<PathBuf>,
    pub(crate) snapshots: Arc<ArcSwap<Snapshot>>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) audits: Arc<Outbox<AuditRecord>>,
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
            self.workshop.services.refused();
        }
        self.audit(result.is_ok());
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
        let inputs = Inputs {
            environment: &ProcessEnvironment,
            extensions: &self.workshop.registry,
            generation: number,
        };
        let loaded = load(&self.files, &inputs).map_err(|errors| errors.to_string())?;
        let old = self.snapshots.load_full();
        let built = build(loaded, &self.workshop, &self.current.instances, Some(&old)).await?;
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
        self.workshop.put_to_use(&built.plans, &built.instances);
        self.metrics.know_tenants(&built.snapshot.plan);
        self.snapshots.store(Arc::new(built.snapshot));
        self.current =
            Generation { number, settings: built.settings, instances: built.instances, files: built.files };
        Ok(summary)
    }

    /// Lets go of every instance and waits until they have stopped. Returns whether they did in time.
    ///
    /// # Cancellation
    ///
    /// They go on stopping.
    pub(crate) async fn stop_all(&mut self) -> bool {
        self.current.instances.clear();
        self.workshop.endings.all(STOP_WITHIN + Duration::from_secs(1)).await
    }

    /// Says who looks things up that a configuration was put to use, or refused.
    fn audit(&self, is_in_use: bool) {
        let snapshot = self.snapshots.load();
        let number = self.current.number;
        let at = self.workshop.services.clock.wall().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.audits.offer(&snapshot.audit, || AuditRecord {
            at_unix_ms: u64::try_from(at.as_millis()).unwrap_or(u64::MAX),
            action: AuditAction::Reloaded,
            request_id: None,
            tenant: None,
            key_label: None,
            route: None,
            instance: None,
            code: Some(if is_in_use { "done" } else { "refused" }.into()),
            summary: format!("generation {number} is in use").into(),
        });
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
            loaded.settings_problem(instance, &error.path, &error.message).to_string()
        })
        .collect();
    texts.join("\n")
}
