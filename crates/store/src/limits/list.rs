//! What the buckets hold at this moment, for operators: page by page, in the order of their keys.

use std::collections::BTreeMap;
use std::time::Duration;

use gatewright::service::limits::{BucketKey, Dimension};
use gatewright_policy::Bucket;

use super::{LimitsFull, MemoryLimits};

/// Which buckets are wanted. What is not said is not asked for.
#[derive(Clone, Debug, Default)]
pub struct BucketQuery {
    /// Only those of this tenant.
    pub tenant: Option<String>,
    /// Only those of this rule.
    pub rule: Option<String>,
    /// Only those of this label.
    pub label: Option<String>,
    /// Only those that count this.
    pub dimension: Option<Dimension>,
    /// Only those behind this one.
    pub after: Option<BucketKey>,
    /// The most on the page; at least one is given.
    pub count_max: usize,
}

/// One bucket at this moment. Its limit belongs to who asks, so it is not known here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketView {
    /// Which bucket.
    pub key: BucketKey,
    /// What was used inside the window.
    pub used: u64,
    /// What is claimed by exchanges under way.
    pub held: u64,
    /// The time until all that was used has left the window; zero for what is given back.
    pub clears: Duration,
}

/// Some buckets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketPage {
    /// Sorted by key.
    pub buckets: Vec<BucketView>,
    /// Whether there are more behind them.
    pub has_more: bool,
}

impl BucketQuery {
    fn wants(&self, key: &BucketKey) -> bool {
        let is = |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|name| name == found);
        is(&self.tenant, key.tenant.as_str())
            && is(&self.rule, &key.rule)
            && is(&self.label, &key.label)
            && self.dimension.is_none_or(|dimension| dimension == key.dimension)
            && self.after.as_ref().is_none_or(|after| key > after)
    }
}

impl MemoryLimits {
    /// The buckets that hold something and that the query asks for. Looks at every bucket, so it is not for the data
    /// path; nobody waits for longer than a look at one of the table's shards.
    #[must_use]
    pub fn list(&self, query: &BucketQuery) -> BucketPage {
        let now = self.0.now();
        let count_max = query.count_max.max(1);
        let mut found = BTreeMap::new();
        let mut has_more = false;
        self.0.table.visit(|key, bucket| {
            if !query.wants(key) {
                return;
            }
            let mut bucket = bucket.lock();
            if bucket.is_idle(now) {
                return;
            }
            let view = (bucket.used(now), bucket.held(), bucket.reset_after(now));
            drop(bucket);
            found.insert(key.clone(), view);
            if found.len() > count_max {
                found.pop_last();
                has_more = true;
            }
        });
        let view = |(key, (used, held, clears))| BucketView { key, used, held, clears };
        BucketPage { buckets: found.into_iter().map(view).collect(), has_more }
    }

    /// Takes over what another process counted in a bucket, as if it had been used and claimed now.
    ///
    /// # Errors
    ///
    /// [`LimitsFull`] when the bucket is new and there may be no more.
    pub fn take_over(&self, key: &BucketKey, used: u64, held: u64) -> Result<(), LimitsFull> {
        let now = self.0.now();
        // The claims are the other process's, so no ticket gives them back.
        match &mut *self.0.table.bucket(key, now)?.lock() {
            Bucket::Window(window) => {
                window.add(now, used);
                let _ticket = window.acquire(now, held, u64::MAX);
            }
            Bucket::Concurrency(permits) => {
                let _ticket = permits.acquire(held, u64::MAX);
            }
        }
        Ok(())
    }
}
