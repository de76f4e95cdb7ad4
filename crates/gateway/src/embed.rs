//! A gateway inside another program: the same parts as in a process, without command line, listeners and signals.
//!
//! An embedder names its extensions one by one, gives the configuration as text, and hands requests over itself.
//! [`Wrap`] lets it put something of its own around what instances are given and around the instances: a test kit
//! puts fakes and observers there. State of instances is in memory and their directories are gone in the end.

use std::sync::Arc;

use gatewright::registry::{Instance, Registry};
use gatewright::service::{Clock, Random};
use gatewright::{ExtEnv, InstanceId};
use gatewright_config::{Inputs, Loaded, ProcessEnvironment, load_sources};
use gatewright_pipeline::{InstanceObserver, Ledger, Observer, Snapshot, with_causes};
use gatewright_store::{Courier, Durability, LedgerPlace, LedgerSettings, MemoryLimits, StatePlace};
use tokio::task::AbortHandle;

use crate::Build;
use crate::ending::Endings;
use crate::engine::{Engine, Foundations};
use crate::instances::Workshop;
use crate::metrics::Metrics;
use crate::runtime::ExtensionRuntime;
use crate::services::{Foundation, Services};

pub use gatewright_config::Source;
pub use gatewright_server::{Answer, Application};

/// What an embedder puts around the parts of a gateway. Each method is given a part and returns what is used in its
/// place; unless an embedder says otherwise, that is the part itself.
pub trait Wrap: Send + Sync + 'static {
    /// What an instance is given.
    fn env(&self, env: ExtEnv) -> ExtEnv {
        env
    }

    /// An instance that was just created. A panic counts as one of its `create`.
    fn instance(&self, id: &InstanceId, instance: Instance) -> Instance {
        let _ = id;
        instance
    }

    /// Who learns what an instance does.
    fn instance_observer(
        &self,
        id: &InstanceId,
        observer: Arc<dyn InstanceObserver>,
    ) -> Arc<dyn InstanceObserver> {
        let _ = id;
        observer
    }

    /// Who learns what happens on the data path.
    fn observer(&self, observer: Arc<dyn Observer>) -> Arc<dyn Observer> {
        observer
    }

    /// Where usage records go.
    fn ledger(&self, ledger: Arc<dyn Ledger>) -> Arc<dyn Ledger> {
        ledger
    }
}

/// Leaves every part as it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unwrapped;

impl Wrap for Unwrapped {}

/// What an embedded gateway is made of.
pub struct Parts {
    /// What it says of itself. The list of expected packages is not looked at: the registry is explicit.
    pub build: Build,
    /// The extensions that the configuration may name.
    pub registry: Registry,
    /// The configuration; later texts add to and override earlier ones.
    pub sources: Vec<Source>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// What is put around its parts.
    pub wrap: Arc<dyn Wrap>,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts").field("registry", &self.registry).finish_non_exhaustive()
    }
}

/// A gateway inside another program, with one worker, on the runtime that it was started on.
///
/// Instances are created, started and stopped on threads of its own, and their calls outside reach nobody unless
/// [`Wrap::env`] gives them a way.
pub struct Gateway {
    engine: Engine,
    application: Application,
    courier: AbortHandle,
}

impl Gateway {
    /// Builds everything that the configuration asks for.
    ///
    /// # Errors
    ///
    /// A text that says what is wrong and where.
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime.
    ///
    /// # Cancellation
    ///
    /// What was built is dropped.
    pub async fn start(parts: Parts) -> Result<Self, String> {
        let Parts { build, registry, sources, clock, random, wrap } = parts;
        registry
            .check(&[], true)
            .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))?;
        let loaded = load(&registry, sources, 1)?;
        let metrics = Arc::new(Metrics::new(&build));
        let store =
            gatewright_store::Ledger::open(LedgerPlace::Memory, Durability::None, &LedgerSettings::default())
                .map_err(|error| format!("store: {}", with_causes(&error)))?;
        let workshop = Workshop {
            registry,
            services: Services::rehearsal(Foundation {
                limits: Arc::new(MemoryLimits::new(Arc::clone(&clock))),
                clock,
                random,
                meters: Arc::clone(metrics.meters()),
            }),
            metrics: metrics.instances().clone(),
            runtime: ExtensionRuntime::start().map_err(|error| format!("{error:#}"))?,
            endings: Endings::default(),
            rehearses: false,
            wrap,
        };
        let kept = StatePlace::Memory;
        let foundations = Foundations { metrics, store: Arc::new(store), kept, workshop };
        let engine = Engine::start(foundations, loaded).await?;
        let station = engine.station();
        station.watchdog.join("embedder");
        let application = Application::new(station.worker());
        Ok(Self { engine, application, courier: tokio::spawn(Courier::new()).abort_handle() })
    }

    /// The data API. A clone serves requests for as long as anybody has it, with what is in use at that moment.
    #[must_use]
    pub fn application(&self) -> &Application {
        &self.application
    }

    /// Puts another configuration to use. Returns one line that says what came of it.
    ///
    /// # Errors
    ///
    /// A text that says what is wrong and where; what was in use stays in use.
    ///
    /// # Cancellation
    ///
    /// Nothing changes.
    pub async fn reload(&mut self, sources: Vec<Source>) -> Result<String, String> {
        let loaded = load(&self.engine.workshop.registry, sources, self.engine.current.number + 1);
        self.engine.reload(loaded, |_| {}).await
    }

    /// The configuration in use with its live parts.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.engine.snapshots.load_full()
    }

    /// The metrics as Prometheus reads them.
    #[must_use]
    pub fn metrics(&self) -> String {
        self.engine.metrics.render(&self.engine.store.stats(), None)
    }

    /// Delivers what sinks are owed and stops every instance. Returns whether all of it came to its end in time.
    ///
    /// # Cancellation
    ///
    /// What was begun goes on by itself.
    pub async fn stop(mut self) -> bool {
        self.engine.cut.cut();
        self.engine.end().await
    }
}

fn load(registry: &Registry, sources: Vec<Source>, generation: u64) -> Result<Loaded, String> {
    let inputs = Inputs { environment: &ProcessEnvironment, extensions: registry, generation };
    load_sources(sources, &inputs).map_err(|errors| errors.to_string())
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.courier.abort();
    }
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gateway").field("generation", &self.engine.current.number).finish_non_exhaustive()
    }
}
