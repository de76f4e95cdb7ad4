//! Limits that are counted in memory, for one process.
//!
//! Implements the service [`Limits`] over the windows and permits of `policy`. Buckets belong to
//! their keys, not to who asks, so that they outlive a reload. What is counted is never evicted:
//! a bucket goes only when it holds nothing, and where there are too many, new ones are refused.

mod held;
mod list;
mod shared;
mod table;

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use gatewright::ExtError;
use gatewright::service::Clock;
use gatewright::service::limits::{BucketKey, Claim, Claimed, Limits, Refusal, Standing};
use gatewright_policy::{Bucket, Tightest, acquire_all};
use parking_lot::MutexGuard;
use smallvec::SmallVec;

pub use self::list::{BucketPage, BucketQuery, BucketView};
pub use self::shared::{OnStoreLoss, SharedLimits, SharedSettings, SharedStats};
use held::{HeldClaims, Part};
use table::Table;

/// Claims of one call that need no allocation.
const INLINE_CLAIMS: usize = 4;

/// There are as many buckets as there may be, and all of them count something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("all {keys_max} limit buckets are in use")]
pub struct LimitsFull {
    /// The bound.
    pub keys_max: usize,
}

/// Figures for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitsStats {
    /// Buckets in memory.
    pub keys: usize,
    /// How many there may be.
    pub keys_max: usize,
    /// Claims that were refused because there may be no more buckets.
    pub refused_full: u64,
}

/// The service, in memory. Share one for all instances of a process.
#[derive(Debug)]
pub struct MemoryLimits(Arc<Counters>);

struct Counters {
    table: Table,
    clock: Arc<dyn Clock>,
    /// The start of time for the windows.
    origin: Instant,
}

impl std::fmt::Debug for Counters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Counters").field("stats", &self.table.stats()).finish_non_exhaustive()
    }
}

impl Counters {
    fn now(&self) -> Duration {
        self.clock.now().saturating_duration_since(self.origin)
    }
}

impl MemoryLimits {
    /// How many buckets there may be, unless said otherwise: some 70 MB of them.
    pub const KEYS_MAX: usize = 100_000;

    /// Limits without any use so far.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self::with_keys_max(clock, Self::KEYS_MAX)
    }

    /// Limits with a bound of their own for the number of buckets.
    #[must_use]
    pub fn with_keys_max(clock: Arc<dyn Clock>, keys_max: usize) -> Self {
        let origin = clock.now();
        Self(Arc::new(Counters { table: Table::new(keys_max), clock, origin }))
    }

    /// Figures for metrics.
    #[must_use]
    pub fn stats(&self) -> LimitsStats {
        self.0.table.stats()
    }

    /// Claims room in all buckets, or in none. Unlike the service, it needs no future.
    ///
    /// # Errors
    ///
    /// [`LimitsFull`] when a bucket is new and there may be no more.
    pub fn claim_now(&self, claims: &[Claim]) -> Result<Claimed, LimitsFull> {
        let now = self.0.now();
        let mut parts = self.parts(claims, now)?;
        // Everybody locks buckets in this one order, so nobody waits in a circle.
        parts.sort_unstable_by_key(|part| Arc::as_ptr(&part.bucket));
        let outcome = {
            let mut buckets: SmallVec<[MutexGuard<'_, Bucket>; INLINE_CLAIMS]> =
                parts.iter().map(|part| part.bucket.lock()).collect();
            let mut wanted: SmallVec<[gatewright_policy::Claim<'_>; INLINE_CLAIMS]> = buckets
                .iter_mut()
                .zip(&parts)
                .map(|(bucket, part)| gatewright_policy::Claim { bucket, need: part.need, limit: part.limit })
                .collect();
            match acquire_all(now, &mut wanted) {
                Ok(tickets) => Ok((tickets, tightest(now, &mut wanted, &parts, claims))),
                Err(refusal) => Err(refused(now, &mut wanted, &parts, claims, refusal)),
            }
        };
        match outcome {
            Ok((tickets, standing)) => {
                for (part, ticket) in parts.iter_mut().zip(tickets) {
                    part.ticket = ticket;
                }
                Ok(Claimed::Held(Box::new(HeldClaims::new(Arc::clone(&self.0), parts)), standing))
            }
            Err(refusal) => Ok(Claimed::Refused(refusal)),
        }
    }

    /// One part per bucket. Claims on the same bucket become one: their needs together under the
    /// lower limit.
    fn parts(&self, claims: &[Claim], now: Duration) -> Result<SmallVec<[Part; INLINE_CLAIMS]>, LimitsFull> {
        let mut parts: SmallVec<[Part; INLINE_CLAIMS]> = SmallVec::with_capacity(claims.len());
        for (claim, Claim { key, limit, need }) in claims.iter().enumerate() {
            let bucket = self.0.table.bucket(key, now)?;
            match parts.iter_mut().find(|part| Arc::ptr_eq(&part.bucket, &bucket)) {
                None => parts.push(Part::new(claim, bucket, *need, *limit)),
                Some(part) => {
                    part.claims.push(claim);
                    part.need = part.need.saturating_add(*need);
                    part.limit = part.limit.min(*limit);
                }
            }
        }
        Ok(parts)
    }
}

#[async_trait]
impl Limits for MemoryLimits {
    async fn claim(&self, claims: &[Claim]) -> Result<Claimed, ExtError> {
        Ok(self.claim_now(claims)?)
    }
}

fn tightest(
    now: Duration,
    wanted: &mut [gatewright_policy::Claim<'_>],
    parts: &[Part],
    claims: &[Claim],
) -> Standing {
    let none = Standing { claim: 0, limit: u64::MAX, remaining: u64::MAX, reset: Duration::ZERO };
    let Some(tightest) = Tightest::of(now, wanted) else { return none };
    let Some((wanted, part)) = wanted.get_mut(tightest.claim).zip(parts.get(tightest.claim)) else {
        return none;
    };
    standing(now, wanted, part, claims)
}

fn refused(
    now: Duration,
    wanted: &mut [gatewright_policy::Claim<'_>],
    parts: &[Part],
    claims: &[Claim],
    refusal: gatewright_policy::Refusal,
) -> Refusal {
    let at = wanted.get_mut(refusal.claim).zip(parts.get(refusal.claim));
    let standing = at.map(|(wanted, part)| standing(now, wanted, part, claims));
    Refusal {
        // A refusal names one of the claims that it was asked about.
        standing: standing.unwrap_or(Standing { claim: 0, limit: 0, remaining: 0, reset: Duration::ZERO }),
        retry_after: refusal.retry_after,
        never_fits: refusal.never_fits,
    }
}

fn standing(
    now: Duration,
    wanted: &mut gatewright_policy::Claim<'_>,
    part: &Part,
    claims: &[Claim],
) -> Standing {
    let claim = part.first_claim();
    let width = claims.get(claim).and_then(|claim| claim.key.window);
    let remaining = wanted.bucket.remaining(now, part.limit);
    let reset = match (&mut *wanted.bucket, width) {
        (Bucket::Concurrency(_), _) | (Bucket::Window(_), None) => Duration::ZERO,
        // What is reserved is used at the earliest now, and leaves a whole window later.
        (Bucket::Window(window), Some(width)) if window.reserved() > 0 => width,
        (Bucket::Window(window), Some(width)) => {
            window.retry_after(now, part.limit.saturating_sub(remaining)).unwrap_or(width)
        }
    };
    Standing { claim, limit: part.limit, remaining, reset }
}

/// The state of a bucket that nobody has used.
fn fresh(key: &BucketKey) -> Bucket {
    use gatewright_policy::{Concurrency, Window};

    match key.window {
        None => Bucket::Concurrency(Concurrency::new()),
        Some(width) => Bucket::Window(Window::new(width, slots_of(width))),
    }
}

/// Parts of a window; one part is the precision of its edge.
fn slots_of(width: Duration) -> u16 {
    const LONG: Duration = Duration::from_secs(60 * 60);
    if width > LONG { 96 } else { 60 }
}
