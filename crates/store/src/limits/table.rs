//! The buckets by their keys, in shards so that callers rarely meet.
//!
//! A key is hashed once; the hash says which shard and where in it. A bucket is shared with those
//! who hold claims on it, so spending and giving back look nothing up. A bucket leaves the table
//! only when it holds nothing and nobody shares it: then a new one is the same.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use gatewright::service::limits::BucketKey;
use gatewright_policy::Bucket;
use hashbrown::HashTable;
use parking_lot::Mutex;

use super::{LimitsFull, LimitsStats, fresh};

/// A power of two, so that a few bits of the hash choose.
const SHARDS: usize = 64;
/// A shard is not searched for idle buckets before it has this many.
const SWEEP_MIN: usize = 32;
/// How long a full table waits before it searches all its shards again.
const FULL_SWEEP_EVERY: Duration = Duration::from_secs(1);

pub(super) struct Table {
    hasher: RandomState,
    shards: Box<[Mutex<Shard>]>,
    keys: AtomicUsize,
    keys_max: usize,
    refused_full: AtomicU64,
    /// When a full table may be searched again, in nanoseconds of the limits' time.
    next_full_sweep: AtomicU64,
}

#[derive(Default)]
struct Shard {
    buckets: HashTable<Entry>,
    /// The number of buckets at which idle ones are searched next. It grows with what is in use,
    /// so that searching costs a constant per new bucket.
    sweep_at: usize,
}

struct Entry {
    key: BucketKey,
    hash: u64,
    bucket: Arc<Mutex<Bucket>>,
}

impl Table {
    pub(super) fn new(keys_max: usize) -> Self {
        Self {
            hasher: RandomState::new(),
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            keys: AtomicUsize::new(0),
            keys_max,
            refused_full: AtomicU64::new(0),
            next_full_sweep: AtomicU64::new(0),
        }
    }

    pub(super) fn stats(&self) -> LimitsStats {
        LimitsStats {
            keys: self.keys.load(Ordering::Relaxed),
            keys_max: self.keys_max,
            refused_full: self.refused_full.load(Ordering::Relaxed),
        }
    }

    /// The bucket of a key, made if it is not there.
    pub(super) fn bucket(&self, key: &BucketKey, now: Duration) -> Result<Arc<Mutex<Bucket>>, LimitsFull> {
        let hash = self.hasher.hash_one(key);
        {
            let mut shard = self.shard(hash).lock();
            if let Some(entry) = shard.find(hash, key) {
                return Ok(Arc::clone(&entry.bucket));
            }
            if shard.buckets.len() >= shard.sweep_at {
                self.sweep(&mut shard, now);
            }
        }
        if !self.count_one_more() && !self.make_room(now) {
            self.refused_full.fetch_add(1, Ordering::Relaxed);
            return Err(LimitsFull { keys_max: self.keys_max });
        }
        let mut shard = self.shard(hash).lock();
        // Another thread may have made it in between.
        if let Some(entry) = shard.find(hash, key) {
            let bucket = Arc::clone(&entry.bucket);
            self.keys.fetch_sub(1, Ordering::Relaxed);
            return Ok(bucket);
        }
        let bucket = Arc::new(Mutex::new(fresh(key)));
        let entry = Entry { key: key.clone(), hash, bucket: Arc::clone(&bucket) };
        shard.buckets.insert_unique(hash, entry, |entry| entry.hash);
        Ok(bucket)
    }

    /// Shows every bucket to `visit`, one shard locked at a time.
    pub(super) fn visit(&self, mut visit: impl FnMut(&BucketKey, &Mutex<Bucket>)) {
        for shard in &self.shards {
            for entry in &shard.lock().buckets {
                visit(&entry.key, &entry.bucket);
            }
        }
    }

    fn shard(&self, hash: u64) -> &Mutex<Shard> {
        // The table uses the low bits for the place and the topmost seven as a tag.
        let shard = usize::try_from((hash >> 48) % SHARDS as u64).unwrap_or(0);
        &self.shards[shard]
    }

    /// Counts a bucket that is about to be made, if there may be one more.
    fn count_one_more(&self) -> bool {
        let more = |keys: usize| (keys < self.keys_max).then_some(keys + 1);
        self.keys.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    /// Searches all shards for idle buckets, unless that was done just now, and counts one more if
    /// that helped.
    fn make_room(&self, now: Duration) -> bool {
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let due = self.next_full_sweep.load(Ordering::Relaxed);
        let next = nanos(now.saturating_add(FULL_SWEEP_EVERY));
        let mine = nanos(now) >= due
            && self.next_full_sweep.compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if mine {
            for shard in &self.shards {
                self.sweep(&mut shard.lock(), now);
            }
        }
        mine && self.count_one_more()
    }

    fn sweep(&self, shard: &mut Shard, now: Duration) {
        let before = shard.buckets.len();
        shard.buckets.retain(|entry| {
            // Nobody gets a share without this shard's lock, so a count of one stays one.
            Arc::strong_count(&entry.bucket) > 1 || !entry.bucket.lock().is_idle(now)
        });
        self.keys.fetch_sub(before - shard.buckets.len(), Ordering::Relaxed);
        shard.sweep_at = SWEEP_MIN.max(2 * shard.buckets.len());
    }
}

impl Shard {
    fn find(&self, hash: u64, key: &BucketKey) -> Option<&Entry> {
        self.buckets.find(hash, |entry| entry.hash == hash && entry.key == *key)
    }
}
