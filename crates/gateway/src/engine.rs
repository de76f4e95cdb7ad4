//! The parts of a gateway that serve: instances, snapshot, records, metrics, and how one configuration follows
//! another. A process puts listeners, signals and files around it; an embedder does not.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use arc_swap::ArcSwap;
use gatewright::record::UsageRecord;
use gatewright::service::cache::Cache;
use gatewright::service::keep::Keep;
use gatewright::service::{Clock, Random};
use gatewright::{AuditAction, AuditRecord};
use gatewright_config::{Loaded, Settings, Source};
use gatewright_pipeline::{CutSwitch, Observer, PathSettings, SessionSettings, Snapshot, Watchdog, Worker};
use gatewright_store::{FileKeep, Ledger, MemoryCache, StatePlace};
use gatewright_upstream::Upstream;

use crate::instances::{Instances, STOP_WITHIN, Workshop};
use crate::keeping;
use crate::ledger::{Records, Writing};
use crate::metrics::{Audits, Metrics};
use crate::outbox::Outbox;
use crate::reload::{Built, build};

/// How long sinks may take to be given what they are owed, and the ledger to write what is queued, at the end.
const FLUSH_WITHIN: Duration = Duration::from_secs(10);

/// What the callers of other dialects cannot carry for their providers takes at most about this much.
const VAULT_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// What an engine is made of.
pub(crate) struct Foundations {
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) store: Arc<Ledger>,
    /// Where answers are kept.
    pub(crate) kept: StatePlace,
    pub(crate) workshop: Workshop,
}

/// A gateway that serves.
pub(crate) struct Engine {
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) store: Arc<Ledger>,
    pub(crate) snapshots: Arc<ArcSwap<Snapshot>>,
    pub(crate) current: Generation,
    pub(crate) workshop: Workshop,
    pub(crate) cut: CutSwitch,
    vault: Arc<dyn Cache>,
    keep: Option<Arc<FileKeep>>,
    observer: Arc<dyn Observer>,
    usage: Arc<Outbox<UsageRecord>>,
    audits: Arc<Outbox<AuditRecord>>,
}

/// What is in use.
pub(crate) struct Generation {
    pub(crate) number: u64,
    pub(crate) settings: Settings,
    pub(crate) instances: Instances,
    /// Every file that the configuration depends on.
    pub(crate) files: Vec<PathBuf>,
    /// The texts that it was read from.
    pub(crate) sources: Vec<Source>,
}

/// What every worker shares.
#[derive(Clone)]
pub(crate) struct Station {
    pub(crate) watchdog: Watchdog,
    snapshots: Arc<ArcSwap<Snapshot>>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    observer: Arc<dyn Observer>,
    ledger: Arc<dyn gatewright_pipeline::Ledger>,
    cut: CutSwitch,
    vault: Arc<dyn Cache>,
    keep: Option<Arc<dyn Keep>>,
    isolation: tokio::runtime::Handle,
    settings: PathSettings,
}

impl Station {
    /// A worker for the current thread.
    pub(crate) fn worker(self) -> Arc<Worker> {
        Arc::new(Worker {
            snapshots: self.snapshots,
            upstream: Upstream::new(),
            clock: self.clock,
            random: self.random,
            turns: std::sync::atomic::AtomicU64::new(0),
            observer: self.observer,
            ledger: self.ledger,
            cut: self.cut,
            vault: self.vault,
            keep: self.keep,
            isolation: self.isolation,
            home: (std::thread::current().id(), tokio::runtime::Handle::current()),
            settings: self.settings,
        })
    }
}

impl Engine {
    /// Builds everything that a configuration asks for, and puts it to use.
    ///
    /// # Errors
    ///
    /// A text that says what is wrong and where.
    ///
    /// # Cancellation
    ///
    /// What was built is dropped.
    pub(crate) async fn start(foundations: Foundations, loaded: Loaded) -> Result<Self, String> {
        let Foundations { metrics, store, kept, workshop } = foundations;
        let built = build(loaded, &workshop, &Instances::new(), None).await?;
        let Built { snapshot, settings, instances, plans, warnings, sources, files } = built;
        workshop.put_to_use(&plans, &instances, &Instances::new());
        metrics.know_tenants(&snapshot.plan);
        warn(&warnings);
        let snapshots = Arc::new(ArcSwap::from_pointee(snapshot));
        let outside = workshop.runtime.handle();
        let usage = Arc::new(Outbox::new(Arc::clone(&metrics), outside.clone()));
        let audits = Arc::new(Outbox::new(Arc::clone(&metrics), outside.clone()));
        metrics.audit_to(Audits {
            outbox: Arc::clone(&audits),
            snapshots: Arc::clone(&snapshots),
            clock: Arc::clone(&workshop.services.clock),
        });
        let observer = workshop.wrap.observer(Arc::clone(&metrics) as _);
        metrics.reloaded(Some(1));
        let current = Generation { number: 1, settings, instances, files, sources };
        let cut = CutSwitch::default();
        let vault = Arc::new(MemoryCache::new(VAULT_BYTES_MAX, Arc::clone(&workshop.services.clock)));
        let keep = keeping::open(&current.settings, kept, &workshop.services.clock);
        if let Some(keep) = &keep {
            keeping::sweep(keep, &workshop.services.clock, outside);
        }
        Ok(Self { metrics, store, snapshots, current, workshop, cut, vault, keep, observer, usage, audits })
    }

    /// What the workers of this engine share.
    pub(crate) fn station(&self) -> Station {
        let records = Records {
            store: Arc::clone(&self.store),
            snapshots: Arc::clone(&self.snapshots),
            sinks: Arc::clone(&self.usage),
            writing: writing(&self.current.settings),
        };
        Station {
            watchdog: self.workshop.runtime.watchdog().clone(),
            snapshots: Arc::clone(&self.snapshots),
            clock: Arc::clone(&self.workshop.services.clock),
            random: Arc::clone(&self.workshop.services.random),
            observer: Arc::clone(&self.observer),
            ledger: self.workshop.wrap.ledger(Arc::new(records)),
            cut: self.cut.clone(),
            vault: Arc::clone(&self.vault),
            keep: self.keep.as_ref().map(|keep| Arc::clone(keep) as _),
            isolation: self.workshop.runtime.handle().clone(),
            settings: path_settings(&self.current.settings),
        }
    }

    /// Puts another configuration to use in place of the current one, or says why it was not even one. `keep` is shown
    /// its texts before any exchange is served by it, so that what has been seen in use has been kept.
    ///
    /// # Errors
    ///
    /// A text that says what is wrong and where; what was in use stays in use.
    ///
    /// # Cancellation
    ///
    /// Nothing changes.
    pub(crate) async fn reload(
        &mut self,
        loaded: Result<Loaded, String>,
        keep: impl FnOnce(&[Source]),
    ) -> Result<String, String> {
        let result = match loaded {
            Ok(loaded) => self.take_over(loaded, keep).await,
            Err(problems) => Err(problems),
        };
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

    async fn take_over(&mut self, loaded: Loaded, keep: impl FnOnce(&[Source])) -> Result<String, String> {
        let number = self.current.number + 1;
        let old = self.snapshots.load_full();
        let built = build(loaded, &self.workshop, &self.current.instances, Some(&old)).await?;
        warn(&built.warnings);
        let kept = built.instances.iter().filter(|(id, living)| {
            self.current.instances.get(*id).is_some_and(|old| Arc::ptr_eq(old, living))
        });
        let mut summary =
            format!("generation {number}, {} instances, {} unchanged", built.instances.len(), kept.count());
        if built.settings != self.current.settings {
            summary
                .push_str("; listeners, admin, workers, drain, store and telemetry change at the next start");
        }
        let Built { snapshot, settings, instances, plans, sources, files, .. } = built;
        self.workshop.put_to_use(&plans, &instances, &self.current.instances);
        self.metrics.know_tenants(&snapshot.plan);
        keep(&sources);
        self.snapshots.store(Arc::new(snapshot));
        self.current = Generation { number, settings, instances, files, sources };
        Ok(summary)
    }

    /// Says who looks things up that a configuration was put to use, or refused.
    fn audit(&self, is_in_use: bool) {
        let number = self.current.number;
        let at = self.workshop.services.clock.wall().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.observer.audit(AuditRecord {
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

    /// Delivers what sinks are owed, stops every instance, and writes what is queued. Returns whether all of it came
    /// to its end in time.
    ///
    /// # Cancellation
    ///
    /// What was begun goes on by itself.
    pub(crate) async fn end(&mut self) -> bool {
        let within = FLUSH_WITHIN;
        let (usage, audits) = tokio::join!(self.usage.flush(within), self.audits.flush(within));
        if !(usage && audits) {
            tracing::warn!(?within, "Sinks did not take all records in time");
        }
        self.snapshots.store(Arc::default());
        self.current.instances.clear();
        let stopped = self.workshop.endings.all(STOP_WITHIN + Duration::from_secs(1)).await;
        if !stopped {
            tracing::warn!(within = ?STOP_WITHIN, "Extension instances did not stop in time");
        }
        let written = self.store.flush(FLUSH_WITHIN).await;
        if let Err(error) = &written {
            tracing::error!(%error, "Usage records could not be written");
        }
        self.store.close();
        usage && audits && stopped && written.is_ok()
    }
}

fn warn(warnings: &[String]) {
    for warning in warnings {
        tracing::warn!(warning, "Configuration");
    }
}

fn writing(settings: &Settings) -> Writing {
    match settings.store.durability {
        _ if !settings.store.records => Writing::Off,
        gatewright_config::Durability::None => Writing::Behind,
        gatewright_config::Durability::Crash | gatewright_config::Durability::Power => Writing::Ahead,
    }
}

/// What the data path takes from the settings of the process.
pub(crate) fn path_settings(settings: &Settings) -> PathSettings {
    let body_bytes_max = settings.listeners.iter().map(|listener| listener.limits.body_bytes_max).max();
    let lead_bytes_max =
        settings.listeners.iter().map(|listener| listener.limits.upload_lead_bytes_max).max();
    let stalls = settings.listeners.iter().map(|listener| listener.limits.write_stall_timeout).max();
    let defaults = PathSettings::default();
    PathSettings {
        upload_lead_bytes_max: lead_bytes_max.unwrap_or(defaults.upload_lead_bytes_max),
        session: SessionSettings {
            message_bytes_max: settings.realtime.message_bytes_max,
            idle_timeout: settings.realtime.idle_timeout,
            duration_max: settings.realtime.duration_max,
            stall_timeout: stalls.unwrap_or(defaults.session.stall_timeout),
            origins: settings.realtime.origins.clone().into(),
        },
        body_bytes_max: body_bytes_max.unwrap_or(defaults.body_bytes_max),
        access_log: settings.telemetry.access_log,
        trace_header: settings.telemetry.trace_header,
        keep_for: settings.store.responses.map_or(defaults.keep_for, |responses| responses.keep_for),
        ..defaults
    }
}
