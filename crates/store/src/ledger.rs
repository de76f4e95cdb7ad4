//! The ledger: one durable row per usage record, written in groups by one thread.
//!
//! [`Ledger::append`] never waits. It hands back a [`Receipt`], a future that tells when the
//! record is in the file, as safe there as the [`Durability`] says. A record that the file does
//! not take stays queued, within a bound, and is written when the file takes it again; the same
//! record written twice is one row. Whether an exchange waits for its receipt, and for how long,
//! is for its caller to decide.

mod connect;
mod courier;
mod encode;
mod error;
mod migrate;
mod pace;
mod queue;
mod read;
mod receipt;
mod settings;
mod stats;
mod writer;

use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;
use std::time::Duration;

use gatewright::record::UsageRecord;
use parking_lot::Mutex;

pub use courier::Courier;
pub use error::{Fault, FlushError, LedgerError, OpenError, ReadError};
pub use read::{TenantTotal, UsageRow};
pub use receipt::Receipt;
pub use settings::{Durability, LedgerPlace, LedgerSettings};
pub use stats::LedgerStats;

use queue::Queue;
use read::Reader;
use writer::Writer;

/// An open ledger. Share it in an [`Arc`].
///
/// Dropping it writes what is queued, if the file takes it at once, and closes the file; that may
/// block for the settings' busy timeout.
#[derive(Debug)]
pub struct Ledger {
    queue: Arc<Queue>,
    writer: Mutex<Option<JoinHandle<()>>>,
    reader: Reader,
}

impl Ledger {
    /// Opens or creates a ledger, brings its schema up to date and starts its writer.
    ///
    /// Blocks for a few milliseconds, and for the settings' busy timeout where another process
    /// holds the file.
    ///
    /// # Errors
    ///
    /// [`OpenError`] when the file cannot be used. Nothing was changed in a file that is newer
    /// than this program or is not a ledger.
    pub fn open(
        place: LedgerPlace,
        durability: Durability,
        settings: &LedgerSettings,
    ) -> Result<Self, OpenError> {
        let place = place.settled()?;
        let queue = Arc::new(Queue::new(settings.queue_max.max(1)));
        let reader = Reader::new(place.clone(), settings.busy_timeout);
        let writer = Writer::new(Arc::clone(&queue), place, durability, settings);
        // The connection is opened on the writer's thread, which then owns it.
        let (opened, outcome) = sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("ledger-writer".to_owned())
            .spawn(move || writer.run(&opened))
            .map_err(|source| OpenError::Thread { source })?;
        match outcome.recv() {
            Ok(Ok(())) => Ok(Self { queue, writer: Mutex::new(Some(thread)), reader }),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(OpenError::WriterGone),
        }
    }

    /// Queues a record. Never blocks.
    ///
    /// A record that cannot even be queued has a receipt that is ready with the reason.
    pub fn append(&self, record: UsageRecord) -> Receipt {
        self.queue.append(record)
    }

    /// Waits until everything appended so far is in the file. A writer that waits before trying
    /// again tries at once.
    ///
    /// # Errors
    ///
    /// [`FlushError`] with the number of records that are still queued after `within`.
    ///
    /// # Cancellation
    ///
    /// Nothing changes: what is queued stays queued.
    pub async fn flush(&self, within: Duration) -> Result<(), FlushError> {
        self.queue.flush(within).await
    }

    /// Writes what is queued, if the file takes it, and closes the file. Later appends are
    /// refused. Blocks like dropping the ledger.
    pub fn close(&self) {
        self.queue.close();
        if let Some(thread) = self.writer.lock().take()
            && thread.join().is_err()
        {
            tracing::error!("the ledger's writer had panicked");
        }
    }

    /// Whether the last attempt to write succeeded and there is room for more records.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        self.queue.is_writable()
    }

    /// Figures for metrics.
    #[must_use]
    pub fn stats(&self) -> LedgerStats {
        self.queue.stats()
    }

    /// The newest records, newest first.
    ///
    /// # Errors
    ///
    /// [`ReadError`] when the file cannot be read.
    ///
    /// # Cancellation
    ///
    /// Nothing is left behind.
    pub async fn recent(&self, limit: u32) -> Result<Vec<UsageRow>, ReadError> {
        self.reader.recent(limit).await
    }

    /// The records of one exchange, by the text of its id, in the order of its attempts.
    ///
    /// # Errors
    ///
    /// [`ReadError`] when the file cannot be read.
    ///
    /// # Cancellation
    ///
    /// Nothing is left behind.
    pub async fn by_request(&self, request_id: &str) -> Result<Vec<UsageRow>, ReadError> {
        self.reader.by_request(request_id).await
    }

    /// What each tenant used since a moment, in milliseconds of Unix time, sorted by name.
    ///
    /// # Errors
    ///
    /// [`ReadError`] when the file cannot be read.
    ///
    /// # Cancellation
    ///
    /// Nothing is left behind.
    pub async fn totals_by_tenant(&self, since_unix_ms: u64) -> Result<Vec<TenantTotal>, ReadError> {
        self.reader.totals_by_tenant(since_unix_ms).await
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        self.close();
    }
}
