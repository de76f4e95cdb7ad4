//! The cache of one instance: values in memory, bounded in bytes, with a time of their own.
//!
//! A key is a tenant and a text, so no tenant reads another's value. What is over its time is gone by the clock that
//! was given; the memory of it is freed by real time or when room is needed.

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use gatewright::TenantId;
use gatewright::service::Clock;
use gatewright::service::cache::Cache;
use moka::policy::EvictionPolicy;
use moka::{Equivalent, Expiry};

/// What an entry takes beside its key and value, about.
const ENTRY_BYTES: u64 = 160;
/// The bound may be exceeded by this part of it before room is made.
const SLACK_PARTS: u64 = 8;
/// A year is as good as for ever, and no clock overflows by it.
const KEEP_MAX: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// A [`Cache`] in memory. What was not used for longest goes first.
pub struct MemoryCache {
    entries: moka::sync::Cache<Key, Entry>,
    bytes_max: u64,
    /// Bytes put in since room was last made.
    fresh_bytes: AtomicU64,
    clock: Arc<dyn Clock>,
}

#[derive(Debug, PartialEq, Eq)]
struct Key {
    tenant: TenantId,
    key: Box<str>,
}

/// A key that is only looked up.
struct Wanted<'a> {
    tenant: &'a TenantId,
    key: &'a str,
}

#[derive(Clone)]
struct Entry {
    value: Bytes,
    keep: Duration,
    until: Instant,
}

impl MemoryCache {
    /// A cache that holds at most about this many bytes, keys and its own costs included.
    #[must_use]
    pub fn new(bytes_max: u64, clock: Arc<dyn Clock>) -> Self {
        let entries = moka::sync::Cache::builder()
            .max_capacity(bytes_max)
            .eviction_policy(EvictionPolicy::lru())
            .weigher(|key: &Key, entry: &Entry| {
                u32::try_from(weight(&key.tenant, &key.key, &entry.value)).unwrap_or(u32::MAX)
            })
            .expire_after(OwnTime)
            .build();
        Self { entries, bytes_max, fresh_bytes: AtomicU64::new(0), clock }
    }

    /// A cache of another size with as much of the same entries as fits.
    #[must_use]
    pub fn resized(&self, bytes_max: u64) -> Self {
        let resized = Self::new(bytes_max, Arc::clone(&self.clock));
        let now = self.clock.now();
        for (key, entry) in &self.entries {
            let left = entry.until.saturating_duration_since(now);
            resized.put(&key.tenant, &key.key, entry.value, left);
        }
        resized
    }

    /// The bound.
    #[must_use]
    pub fn bytes_max(&self) -> u64 {
        self.bytes_max
    }

    /// What the entries take now, after making room.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.entries.run_pending_tasks();
        self.entries.weighted_size()
    }
}

impl std::fmt::Debug for MemoryCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemoryCache").field("bytes_max", &self.bytes_max).finish_non_exhaustive()
    }
}

impl Cache for MemoryCache {
    fn get(&self, tenant: &TenantId, key: &str) -> Option<Bytes> {
        let wanted = Wanted { tenant, key };
        let entry = self.entries.get(&wanted)?;
        if entry.until > self.clock.now() {
            return Some(entry.value);
        }
        self.entries.invalidate(&wanted);
        None
    }

    fn put(&self, tenant: &TenantId, key: &str, value: Bytes, keep: Duration) {
        let bytes = weight(tenant, key, &value);
        let keep = keep.min(KEEP_MAX);
        if bytes > self.bytes_max || keep.is_zero() {
            self.remove(tenant, key);
            return;
        }
        // A view of a larger buffer would hold more than it weighs.
        let value = Bytes::copy_from_slice(&value);
        let entry = Entry { value, keep, until: self.clock.now() + keep };
        self.entries.insert(Key { tenant: tenant.clone(), key: key.into() }, entry);
        let fresh = self.fresh_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if fresh > self.bytes_max / SLACK_PARTS {
            self.fresh_bytes.store(0, Ordering::Relaxed);
            self.entries.run_pending_tasks();
        }
    }

    fn remove(&self, tenant: &TenantId, key: &str) {
        self.entries.invalidate(&Wanted { tenant, key });
    }
}

fn weight(tenant: &TenantId, key: &str, value: &Bytes) -> u64 {
    let bytes = tenant.as_str().len() + key.len() + value.len();
    u64::try_from(bytes).unwrap_or(u64::MAX).saturating_add(ENTRY_BYTES)
}

// === impl Key ===

/// The same as for [`Wanted`], as a look-up needs it.
impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Wanted { tenant: &self.tenant, key: &self.key }.hash(state);
    }
}

impl Hash for Wanted<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.tenant.hash(state);
        self.key.hash(state);
    }
}

impl Equivalent<Key> for Wanted<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        *self.tenant == key.tenant && *self.key == *key.key
    }
}

/// Each entry brings its time with it.
struct OwnTime;

impl Expiry<Key, Entry> for OwnTime {
    fn expire_after_create(&self, _: &Key, entry: &Entry, _: Instant) -> Option<Duration> {
        Some(entry.keep)
    }

    fn expire_after_update(
        &self,
        _: &Key,
        entry: &Entry,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(entry.keep)
    }
}
