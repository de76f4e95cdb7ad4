//! What one worker thread needs to serve exchanges, and the process-wide services behind it.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use arc_swap::ArcSwap;
use gatewright::service::cache::Cache;
use gatewright::service::keep::Keep;
use gatewright::service::{Clock, Random};
use gatewright_upstream::Upstream;

use crate::cut::CutSwitch;
use crate::ledger::Ledger;
use crate::observer::Observer;
use crate::snapshot::Snapshot;

/// One worker thread's view of the process. The upstream pool is its own; the rest is shared.
pub struct Worker {
    /// The current configuration; an exchange takes it once, at its start.
    pub snapshots: Arc<ArcSwap<Snapshot>>,
    /// Connections to providers, used from this thread only.
    pub upstream: Upstream,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness for identifiers and target choice.
    pub random: Arc<dyn Random>,
    /// Counts choices, for targets that take turns.
    pub turns: AtomicU64,
    /// Who learns what happens.
    pub observer: Arc<dyn Observer>,
    /// Where records go.
    pub ledger: Arc<dyn Ledger>,
    /// The end of all exchanges at the drain deadline.
    pub cut: CutSwitch,
    /// What callers of other dialects cannot carry for their providers, by tenant and the id of a tool call.
    pub vault: Arc<dyn Cache>,
    /// What is kept for tenants from one exchange to a later one; none where the gateway keeps nothing.
    pub keep: Option<Arc<dyn Keep>>,
    /// Where isolated hooks run.
    pub isolation: tokio::runtime::Handle,
    /// The worker's own thread and where it spawns: connections to providers stay there.
    pub home: (std::thread::ThreadId, tokio::runtime::Handle),
    /// Bounds and switches.
    pub settings: PathSettings,
}

/// Bounds and switches of the data path.
#[derive(Clone, Debug)]
pub struct PathSettings {
    /// The largest request body where neither tenant nor listener says otherwise, in bytes.
    pub body_bytes_max: u64,
    /// How much of a request whose body flows is held, so that its fields are known before a provider is called, in
    /// bytes. The last piece may exceed it.
    pub upload_lead_bytes_max: usize,
    /// The largest whole answer of a provider, in bytes.
    pub answer_bytes_max: usize,
    /// The most tries of one exchange.
    pub attempts_max: u32,
    /// How long the end of an answer waits for its record to be durable.
    pub record_wait: Duration,
    /// How long the head of a streamed answer waits for the first event, so that a failure until
    /// then still has a status of its own and can be tried elsewhere.
    pub commit_after: Duration,
    /// How long a client may be kept waiting by limiters that queue.
    pub admission_wait_max: Duration,
    /// How long an answer is kept for those who go on from it.
    pub keep_for: Duration,
    /// Whether each exchange writes a line into the log.
    pub access_log: bool,
    /// Whether answers say in a header which hooks ran.
    pub trace_header: bool,
    /// Bounds of sessions.
    pub session: SessionSettings,
}

/// Bounds of sessions, in which events flow both ways.
#[derive(Clone, Debug)]
pub struct SessionSettings {
    /// The largest message of either side, in bytes.
    pub message_bytes_max: usize,
    /// How long nothing at all may come from either side.
    pub idle_timeout: Duration,
    /// How long a session may last.
    pub duration_max: Duration,
    /// How long a side may refuse to read before the session ends.
    pub stall_timeout: Duration,
    /// The web pages from which browsers may connect, as origins; `*` stands for all. What is no browser has none.
    pub origins: Arc<[String]>,
}

impl Default for SessionSettings {
    fn default() -> Self {
        Self {
            message_bytes_max: 16 * 1024 * 1024,
            idle_timeout: Duration::from_secs(15 * 60),
            duration_max: Duration::from_secs(60 * 60),
            stall_timeout: Duration::from_secs(30),
            origins: Arc::default(),
        }
    }
}

impl Default for PathSettings {
    fn default() -> Self {
        Self {
            body_bytes_max: 10 * 1024 * 1024,
            upload_lead_bytes_max: 1024 * 1024,
            answer_bytes_max: 64 * 1024 * 1024,
            attempts_max: 3,
            record_wait: Duration::from_secs(1),
            commit_after: Duration::from_secs(20),
            admission_wait_max: Duration::from_secs(30),
            keep_for: Duration::from_secs(30 * 24 * 60 * 60),
            access_log: true,
            trace_header: false,
            session: SessionSettings::default(),
        }
    }
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker").field("settings", &self.settings).finish_non_exhaustive()
    }
}
