//! Usage sinks: records on their way to extensions, off the data path. Each sink has a bounded
//! queue and a task; what does not fit is counted and stays in the ledger only.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use gatewright::InstanceId;
use gatewright::record::UsageRecord;
use gatewright_pipeline::{Hooked, Snapshot};
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::metrics::Metrics;

/// Records that wait for one sink.
const QUEUE_MAX: usize = 8_192;
/// Records in one delivery.
const BATCH_MAX: usize = 256;
/// Tries of one delivery.
const TRIES_MAX: u32 = 8;
/// The pause before the second try; it doubles with each further one.
const BACKOFF: Duration = Duration::from_millis(250);

type Item = (Arc<Hooked>, Arc<UsageRecord>);

/// The queues of all sinks.
pub(crate) struct Sinks {
    snapshots: Arc<ArcSwap<Snapshot>>,
    metrics: Arc<Metrics>,
    runtime: Handle,
    // One entry per configured sink instance.
    queues: Mutex<HashMap<InstanceId, mpsc::Sender<Item>>>,
}

impl Sinks {
    pub(crate) fn new(snapshots: Arc<ArcSwap<Snapshot>>, metrics: Arc<Metrics>, runtime: Handle) -> Self {
        Self { snapshots, metrics, runtime, queues: Mutex::default() }
    }

    /// Offers a record to the sinks of its route. Never blocks.
    pub(crate) fn offer(&self, record: &UsageRecord) {
        let snapshot = self.snapshots.load();
        let Some(chains) = snapshot.chains.get(&record.route).filter(|chains| !chains.sinks.is_empty())
        else {
            return;
        };
        let record = Arc::new(record.clone());
        for hooked in &chains.sinks {
            let item = (Arc::clone(hooked), Arc::clone(&record));
            if self.queue(&hooked.id).try_send(item).is_err() {
                self.metrics.sink_dropped(&hooked.id);
            }
        }
    }

    fn queue(&self, id: &InstanceId) -> mpsc::Sender<Item> {
        let mut queues = self.queues.lock();
        let queue = queues.entry(id.clone()).or_insert_with(|| {
            let (sender, receiver) = mpsc::channel(QUEUE_MAX);
            self.runtime.spawn(deliver_all(receiver, Arc::clone(&self.metrics)));
            sender
        });
        queue.clone()
    }
}

/// Delivers batches until the queue is closed and empty.
async fn deliver_all(mut queue: mpsc::Receiver<Item>, metrics: Arc<Metrics>) {
    let mut items = Vec::with_capacity(BATCH_MAX);
    while queue.recv_many(&mut items, BATCH_MAX).await > 0 {
        // The newest instance delivers the whole batch.
        let Some((hooked, _)) = items.last().cloned() else { continue };
        let records: Vec<Arc<UsageRecord>> = items.drain(..).map(|(_, record)| record).collect();
        if !deliver(&hooked, &records).await {
            records.iter().for_each(|_| metrics.sink_dropped(&hooked.id));
        }
    }
}

/// Delivers one batch, with patience. Returns whether it was taken.
async fn deliver(hooked: &Hooked, records: &[Arc<UsageRecord>]) -> bool {
    let Some(sink) = hooked.instance.sink.clone() else { return true };
    let mut pause = BACKOFF;
    for attempt in 1..=TRIES_MAX {
        let (sink, batch) = (Arc::clone(&sink), records.to_vec());
        // A task of its own fences a panic off.
        let mut delivery = tokio::spawn(async move { sink.deliver(&batch).await });
        let why = match tokio::time::timeout(hooked.deadline(), &mut delivery).await {
            Ok(Ok(Ok(()))) => return true,
            Ok(Ok(Err(error))) => error.to_string(),
            Ok(Err(_)) => "panicked".to_owned(),
            Err(_) => {
                delivery.abort();
                format!("did not finish within {:?}", hooked.deadline())
            }
        };
        tracing::warn!(instance = %hooked.id, attempt, records = records.len(), why, "Usage sink failed");
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
    false
}
