//! What the admin listener asks of the process.

mod bucket;
mod instance;

use std::sync::Arc;

use arc_swap::ArcSwap;
use gatewright::registry::Registry;
use gatewright_pipeline::Snapshot;
use gatewright_server::admin::{AdminState, InstanceReport, LimitsQuestion, LimitsReport, Readiness};
use gatewright_server::drain::{Drain, Phase};
use gatewright_store::{Ledger, MemoryLimits};
use tokio::sync::{mpsc, oneshot};

use crate::build_info::BuildInfo;
use crate::metrics::Metrics;

pub(crate) use self::instance::mode;

/// A wish to read the configuration again, and who waits for the outcome.
pub(crate) type ReloadRequest = Option<oneshot::Sender<Result<String, String>>>;

/// The process, as the admin listener sees it.
pub(crate) struct Process {
    pub(crate) snapshots: Arc<ArcSwap<Snapshot>>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) store: Arc<Ledger>,
    pub(crate) limits: Arc<MemoryLimits>,
    pub(crate) registry: Registry,
    pub(crate) info: BuildInfo,
    pub(crate) drain: Drain,
    pub(crate) reloads: mpsc::Sender<ReloadRequest>,
}

impl AdminState for Process {
    fn readiness(&self) -> Readiness {
        let serving = self.drain.phase() == Phase::Serving;
        let unready = self.unready_instances();
        let conditions = [
            ("serving", (!serving).then(|| "the process is draining".to_owned())),
            ("ledger", (!self.store.is_writable()).then(|| "records cannot be written".to_owned())),
            ("extensions", (!unready.is_empty()).then(|| format!("not ready: {}", unready.join(", ")))),
        ];
        let ready = Readiness::default().with("configuration");
        conditions.into_iter().fold(ready, |ready, (name, failure)| match failure {
            Some(reason) => ready.without(name, reason),
            None => ready.with(name),
        })
    }

    fn metrics(&self) -> String {
        self.metrics.render(&self.store.stats())
    }

    fn limits(&self, question: &LimitsQuestion) -> Result<LimitsReport, String> {
        bucket::report(&self.limits, question)
    }

    fn extensions(&self) -> Vec<InstanceReport> {
        instance::report(&self.snapshots.load(), &self.registry, &self.info)
    }

    async fn reload(&self) -> Result<String, String> {
        let (sender, receiver) = oneshot::channel();
        let gone = || "the gateway is shutting down".to_owned();
        self.reloads.send(Some(sender)).await.map_err(|_| gone())?;
        receiver.await.map_err(|_| gone())?
    }
}

impl Process {
    fn unready_instances(&self) -> Vec<String> {
        let snapshot = self.snapshots.load();
        let mut waiting: Vec<_> = snapshot
            .hooks
            .values()
            .filter_map(|hooked| {
                let why = hooked.gate.stuck_in();
                let is_unready = why.is_some() || !hooked.is_ready();
                is_unready.then(|| match why {
                    Some(hook) => format!("{} (its {} hook does not return)", hooked.id, hook.as_str()),
                    None => hooked.id.to_string(),
                })
            })
            .collect();
        waiting.sort();
        waiting
    }
}
