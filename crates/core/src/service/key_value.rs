//! Small values that survive a restart, one set per instance.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::{ExtError, TenantId};

/// The largest value, in bytes.
pub const VALUE_BYTES_MAX: usize = 1024 * 1024;
/// The longest key, in bytes.
pub const KEY_BYTES_MAX: usize = 512;

/// Durable values by tenant and key. Only this instance reads and writes them.
///
/// Keys are at most [`KEY_BYTES_MAX`] and values at most [`VALUE_BYTES_MAX`] long; together they take at most 1 GiB.
#[async_trait]
pub trait KeyValue: Send + Sync + 'static {
    /// The value of a key, unless it is absent or its time is over.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    ///
    /// # Cancellation
    ///
    /// Nothing changes.
    async fn get(&self, tenant: &TenantId, key: &str) -> Result<Option<Bytes>, ExtError>;

    /// Sets a value, for ever or for a time. When this returns it is as durable as the gateway's own records
    /// (`store.durability`).
    ///
    /// # Errors
    ///
    /// When the store cannot be written, or key or value are over their bounds.
    ///
    /// # Cancellation
    ///
    /// The value may or may not be set.
    async fn put(
        &self,
        tenant: &TenantId,
        key: &str,
        value: Bytes,
        keep: Option<Duration>,
    ) -> Result<(), ExtError>;

    /// Adds to a counter and returns its new value; an absent one counts from 0. No addition is lost
    /// under concurrency. A counter is a value in decimal digits, so [`KeyValue::get`] reads it, and
    /// [`KeyValue::put`] sets it or gives it a time, which additions leave as it is.
    ///
    /// # Errors
    ///
    /// When the store cannot be written, the value is no counter, or the sum does not fit.
    ///
    /// # Cancellation
    ///
    /// The addition may or may not be made.
    async fn add(&self, tenant: &TenantId, key: &str, amount: i64) -> Result<i64, ExtError>;

    /// Removes a value.
    ///
    /// # Errors
    ///
    /// When the store cannot be written.
    ///
    /// # Cancellation
    ///
    /// The value may or may not be removed.
    async fn remove(&self, tenant: &TenantId, key: &str) -> Result<(), ExtError>;

    /// The keys of a tenant that begin with `prefix`, sorted, at most `count_max`.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    ///
    /// # Cancellation
    ///
    /// Nothing changes.
    async fn keys(&self, tenant: &TenantId, prefix: &str, count_max: usize) -> Result<Vec<String>, ExtError>;
}
