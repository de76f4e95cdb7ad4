//! The data path's port to durable records, joined to the store and to the usage sinks.

use std::sync::Arc;

use arc_swap::ArcSwap;
use gatewright::record::UsageRecord;
use gatewright_pipeline::{Ledger, Receipt, Snapshot};
use gatewright_store as store;

use crate::outbox::Outbox;

/// Writes every record to the store and offers it to the sinks of its route.
pub(crate) struct Records {
    pub(crate) store: Arc<store::Ledger>,
    pub(crate) snapshots: Arc<ArcSwap<Snapshot>>,
    pub(crate) sinks: Arc<Outbox<UsageRecord>>,
    /// What becomes of a record.
    pub(crate) writing: Writing,
}

/// What becomes of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writing {
    /// It is not kept.
    Off,
    /// It is written; no answer waits for that.
    Behind,
    /// It is written before the last byte of its answer goes out.
    Ahead,
}

impl Ledger for Records {
    fn append(&self, record: UsageRecord) -> Receipt {
        let snapshot = self.snapshots.load();
        if let Some(chains) = snapshot.chains.get(&record.route) {
            self.sinks.offer(&chains.sinks, || record.clone());
        }
        match self.writing {
            Writing::Off => Receipt::Done,
            Writing::Behind => {
                drop(self.store.append(record));
                Receipt::Done
            }
            Writing::Ahead => {
                let receipt = self.store.append(record);
                Receipt::Waiting(Box::pin(
                    async move { receipt.await.map_err(|error| error.to_string().into()) },
                ))
            }
        }
    }
}
