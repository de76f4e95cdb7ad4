//! Records on their way to extensions, off the data path. Each sink has a bounded queue and a task; what does not fit
//! is counted. Usage and audit records go the same way.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gatewright::record::UsageRecord;
use gatewright::registry::Instance;
use gatewright::{AuditRecord, BoxFuture, ExtError, InstanceId};
use gatewright_pipeline::{Hook, Hooked, aside};
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc};

use crate::metrics::Metrics;

/// Records that wait for one sink.
const QUEUE_MAX: usize = 8_192;
/// Records in one delivery.
const BATCH_MAX: usize = 256;
/// Tries of one delivery.
const TRIES_MAX: u32 = 8;
/// The pause before the second try; it doubles with each further one.
const BACKOFF: Duration = Duration::from_millis(250);

/// What a sink is given.
pub(crate) trait Delivered: Send + Sync + Sized + 'static {
    /// The hook that takes it.
    const HOOK: Hook;

    /// Hands a batch to a sink; `None` for an instance that is none.
    fn hand<'a>(sink: &'a Instance, batch: &'a [Arc<Self>]) -> Option<BoxFuture<'a, Result<(), ExtError>>>;
}

impl Delivered for UsageRecord {
    const HOOK: Hook = Hook::Deliver;

    fn hand<'a>(sink: &'a Instance, batch: &'a [Arc<Self>]) -> Option<BoxFuture<'a, Result<(), ExtError>>> {
        Some(sink.sink.as_ref()?.deliver(batch))
    }
}

impl Delivered for AuditRecord {
    const HOOK: Hook = Hook::Audit;

    fn hand<'a>(sink: &'a Instance, batch: &'a [Arc<Self>]) -> Option<BoxFuture<'a, Result<(), ExtError>>> {
        Some(sink.audit.as_ref()?.deliver(batch))
    }
}

type Item<R> = (Arc<Hooked>, Arc<R>);

/// The queues of all sinks for one kind of record.
pub(crate) struct Outbox<R> {
    metrics: Arc<Metrics>,
    runtime: Handle,
    // One entry per configured sink instance.
    queues: Mutex<HashMap<InstanceId, mpsc::Sender<Item<R>>>>,
    waiting: Arc<Waiting>,
}

/// Counts what was accepted and is neither delivered nor given up.
#[derive(Default)]
struct Waiting {
    count: AtomicUsize,
    is_zero: Notify,
}

impl Waiting {
    fn done(&self, count: usize) {
        if self.count.fetch_sub(count, Ordering::AcqRel) == count {
            self.is_zero.notify_waiters();
        }
    }
}

impl<R: Delivered> Outbox<R> {
    pub(crate) fn new(metrics: Arc<Metrics>, runtime: Handle) -> Self {
        Self { metrics, runtime, queues: Mutex::default(), waiting: Arc::default() }
    }

    /// Offers a record to sinks. Never blocks.
    pub(crate) fn offer(&self, sinks: &[Arc<Hooked>], record: impl FnOnce() -> R) {
        if sinks.is_empty() {
            return;
        }
        let record = Arc::new(record());
        for hooked in sinks {
            self.waiting.count.fetch_add(1, Ordering::AcqRel);
            if self.queue(&hooked.id).try_send((Arc::clone(hooked), Arc::clone(&record))).is_err() {
                self.waiting.done(1);
                self.metrics.sink_dropped(&hooked.id);
            }
        }
    }

    /// Waits until everything that was offered is delivered or given up. Returns whether it was in time.
    pub(crate) async fn flush(&self, within: Duration) -> bool {
        let emptied = async {
            loop {
                let is_zero = self.waiting.is_zero.notified();
                if self.waiting.count.load(Ordering::Acquire) == 0 {
                    return;
                }
                is_zero.await;
            }
        };
        tokio::time::timeout(within, emptied).await.is_ok()
    }

    fn queue(&self, id: &InstanceId) -> mpsc::Sender<Item<R>> {
        let mut queues = self.queues.lock();
        let queue = queues.entry(id.clone()).or_insert_with(|| {
            let (sender, receiver) = mpsc::channel(QUEUE_MAX);
            let (metrics, waiting) = (Arc::clone(&self.metrics), Arc::clone(&self.waiting));
            self.runtime.spawn(aside(deliver_all(receiver, metrics, waiting)));
            sender
        });
        queue.clone()
    }
}

/// Delivers batches until the queue is closed and empty.
async fn deliver_all<R: Delivered>(
    mut queue: mpsc::Receiver<Item<R>>,
    metrics: Arc<Metrics>,
    waiting: Arc<Waiting>,
) {
    let mut items = Vec::with_capacity(BATCH_MAX);
    while queue.recv_many(&mut items, BATCH_MAX).await > 0 {
        // The newest instance delivers the whole batch.
        let Some((hooked, _)) = items.last().cloned() else { continue };
        let records: Vec<Arc<R>> = items.drain(..).map(|(_, record)| record).collect();
        if !deliver(&hooked, &records).await {
            records.iter().for_each(|_| metrics.sink_dropped(&hooked.id));
        }
        waiting.done(records.len());
    }
}

/// Delivers one batch, with patience. Returns whether it was taken.
async fn deliver<R: Delivered>(hooked: &Hooked, records: &[Arc<R>]) -> bool {
    let mut pause = BACKOFF;
    for _ in 1..=TRIES_MAX {
        let deliver = || R::hand(&hooked.instance, records).unwrap_or_else(|| Box::pin(async { Ok(()) }));
        if hooked.deliver(R::HOOK, deliver).await.is_ok() {
            return true;
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
    false
}
