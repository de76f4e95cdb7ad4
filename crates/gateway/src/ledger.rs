//! The data path's port to durable records, joined to the store and to the usage sinks.

use std::sync::Arc;

use gatewright::record::UsageRecord;
use gatewright_pipeline::{Ledger, Receipt};
use gatewright_store as store;

use crate::sinks::Sinks;

/// Writes every record to the store and offers it to the sinks of its route.
pub(crate) struct Records {
    pub(crate) store: Arc<store::Ledger>,
    pub(crate) sinks: Sinks,
    /// Whether answers wait for their record.
    pub(crate) waits: bool,
}

impl Ledger for Records {
    fn append(&self, record: UsageRecord) -> Receipt {
        self.sinks.offer(&record);
        let receipt = self.store.append(record);
        if self.waits {
            Receipt::Waiting(Box::pin(async move { receipt.await.map_err(|error| error.to_string().into()) }))
        } else {
            Receipt::Done
        }
    }
}
