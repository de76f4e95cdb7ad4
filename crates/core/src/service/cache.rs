//! A cache in memory, one per instance, bounded in bytes.

use std::time::Duration;

use bytes::Bytes;

use crate::TenantId;

/// Values that may be forgotten at any time. Keys belong to a tenant: what one tenant put in, no other gets.
///
/// The bound is `cache_bytes` of the instance's configuration; entries that were not used for longest go first.
/// A reload keeps the cache of an instance that keeps its id and extension.
///
/// # Example
///
/// ```
/// use gatewright::prelude::*;
/// use std::time::Duration;
///
/// fn remember(env: &ExtEnv, tenant: &TenantId) -> bool {
///     let seen = env.cache.get(tenant, "seen").is_some();
///     env.cache.put(tenant, "seen", "yes".into(), Duration::from_secs(60));
///     seen
/// }
/// ```
pub trait Cache: Send + Sync + 'static {
    /// The value, if it is still there.
    fn get(&self, tenant: &TenantId, key: &str) -> Option<Bytes>;
    /// Keeps a value for at most `keep`. One that is larger than the whole cache is not kept.
    fn put(&self, tenant: &TenantId, key: &str, value: Bytes, keep: Duration);
    /// Forgets a value.
    fn remove(&self, tenant: &TenantId, key: &str);
}
