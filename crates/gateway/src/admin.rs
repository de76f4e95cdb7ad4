//! What the admin listener asks of the process.

mod bucket;
mod instance;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use gatewright::InstanceId;
use gatewright::registry::Registry;
use gatewright_pipeline::{Hook, Snapshot, aside};
use gatewright_server::admin::{AdminState, InstanceReport, LimitsQuestion, LimitsReport, Readiness};
use gatewright_server::drain::{Drain, Phase};
use gatewright_store::Ledger;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

use crate::build_info::BuildInfo;
use crate::limits::LimitStore;
use crate::metrics::Metrics;

pub(crate) use self::instance::mode;

/// A wish to read the configuration again, and who waits for the outcome.
pub(crate) type ReloadRequest = Option<oneshot::Sender<Result<String, String>>>;

/// How long instances may take to say whether they are ready.
const READY_WITHIN: Duration = Duration::from_secs(1);

/// What a question about buckets is answered where others hold them too.
const SHARED_ARE_ELSEWHERE: &str = "limits are shared by replicas, and only their store knows all of them";

/// The process, as the admin listener sees it.
pub(crate) struct Process {
    pub(crate) snapshots: Arc<ArcSwap<Snapshot>>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) store: Arc<Ledger>,
    pub(crate) limits: Arc<LimitStore>,
    pub(crate) registry: Registry,
    pub(crate) info: BuildInfo,
    pub(crate) drain: Drain,
    /// Where instances are asked whether they are ready.
    pub(crate) beside: Handle,
    pub(crate) reloads: mpsc::Sender<ReloadRequest>,
}

impl AdminState for Process {
    async fn readiness(&self) -> Readiness {
        let serving = self.drain.phase() == Phase::Serving;
        let unready = match self.unready_instances().await {
            Some(unready) => unready.iter().map(ToString::to_string).collect(),
            None => vec!["an instance does not say whether it is ready".to_owned()],
        };
        let conditions = [
            ("serving", (!serving).then(|| "the process is draining".to_owned())),
            ("ledger", (!self.store.is_writable()).then(|| "records cannot be written".to_owned())),
            ("extensions", (!unready.is_empty()).then(|| format!("not ready: {}", unready.join(", ")))),
        ];
        let ready = Readiness::default().with("configuration");
        let ready = conditions.into_iter().fold(ready, |ready, (name, failure)| match failure {
            Some(reason) => ready.without(name, reason),
            None => ready.with(name),
        });
        // All replicas lose it together, so that taking them out of service would help nobody.
        match self.limits.shared() {
            None => ready,
            Some(shared) if shared.is_up => ready.with("shared_limits"),
            Some(_) => ready.degraded("shared_limits", "the store is lost; the policy for its loss holds"),
        }
    }

    fn metrics(&self) -> String {
        self.metrics.render(&self.store.stats(), self.limits.shared().as_ref())
    }

    fn limits(&self, question: &LimitsQuestion) -> Result<LimitsReport, String> {
        match &*self.limits {
            LimitStore::Memory(limits) => bucket::report(limits, question),
            LimitStore::Shared { .. } => Err(SHARED_ARE_ELSEWHERE.to_owned()),
        }
    }

    async fn extensions(&self) -> Vec<InstanceReport> {
        let unready = self.unready_instances().await.unwrap_or_default();
        instance::report(&self.snapshots.load(), &self.registry, &self.info, &unready)
    }

    async fn reload(&self) -> Result<String, String> {
        let (sender, receiver) = oneshot::channel();
        let gone = || "the gateway is shutting down".to_owned();
        self.reloads.send(Some(sender)).await.map_err(|_| gone())?;
        receiver.await.map_err(|_| gone())?
    }
}

impl Process {
    /// The instances that cannot do their work; `None` where one does not say so. They are asked beside the data path
    /// and this listener, because one may not answer.
    async fn unready_instances(&self) -> Option<Vec<Unready>> {
        let snapshot = self.snapshots.load_full();
        let asking = self.beside.spawn(aside(async move { unready(&snapshot) }));
        tokio::time::timeout(READY_WITHIN, asking).await.ok()?.ok()
    }
}

/// An instance that cannot do its work.
struct Unready {
    id: InstanceId,
    /// The hook that does not return, if that is why.
    stuck_in: Option<Hook>,
}

impl std::fmt::Display for Unready {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.stuck_in {
            Some(hook) => write!(f, "{} (its {} hook does not return)", self.id, hook.as_str()),
            None => write!(f, "{}", self.id),
        }
    }
}

fn unready(snapshot: &Snapshot) -> Vec<Unready> {
    let mut unready: Vec<_> = snapshot
        .hooks
        .values()
        .filter_map(|hooked| {
            let stuck_in = hooked.gate.stuck_in();
            let is_unready = stuck_in.is_some() || !hooked.is_shadow && !hooked.is_ready();
            is_unready.then(|| Unready { id: hooked.id.clone(), stuck_in })
        })
        .collect();
    unready.sort_unstable_by(|one, two| one.id.cmp(&two.id));
    unready
}
