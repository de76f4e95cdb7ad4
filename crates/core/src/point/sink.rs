//! Usage records on their way out of the gateway.

use std::sync::Arc;

use async_trait::async_trait;

use crate::ExtError;
use crate::record::UsageRecord;

/// Receives usage records in batches, off the data path, at least once each.
///
/// # Example
///
/// ```
/// use gatewright::prelude::*;
/// use gatewright::record::UsageRecord;
/// use std::sync::Arc;
///
/// struct Count(std::sync::atomic::AtomicUsize);
///
/// #[async_trait]
/// impl UsageSink for Count {
///     async fn deliver(&self, records: &[Arc<UsageRecord>]) -> Result<(), ExtError> {
///         self.0.fetch_add(records.len(), std::sync::atomic::Ordering::Relaxed);
///         Ok(())
///     }
/// }
/// ```
#[async_trait]
pub trait UsageSink: Send + Sync + 'static {
    /// Delivers a batch. The host delivers a refused batch again, with the same records.
    ///
    /// # Errors
    ///
    /// When the batch was not taken.
    ///
    /// # Cancellation
    ///
    /// Dropped at the instance's deadline; the batch counts as not taken.
    async fn deliver(&self, records: &[Arc<UsageRecord>]) -> Result<(), ExtError>;
}
