//! Several buckets at once: all have room and all are taken, or none is touched.

use std::time::Duration;

use crate::window::Room;
use crate::{Concurrency, Ticket, Window};

/// A bucket of either kind.
#[derive(Clone, Debug)]
pub enum Bucket {
    /// Counts use over time.
    Window(Window),
    /// Counts what runs at the same time.
    Concurrency(Concurrency),
}

/// What one exchange wants of one bucket.
///
/// The caller holds the buckets, in the order of their keys: with that order over all callers,
/// locks cannot wait for each other in a circle.
#[derive(Debug)]
pub struct Claim<'a> {
    /// The bucket.
    pub bucket: &'a mut Bucket,
    /// How much is wanted.
    pub need: u64,
    /// The limit that holds at this moment.
    pub limit: u64,
}

/// Why nothing was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The position of the tightest claim: one that can never fit, or the one that makes the
    /// caller wait longest.
    pub claim: usize,
    /// What is left in its bucket.
    pub remaining: u64,
    /// When to ask again; `None` where nobody knows, or waiting never helps.
    pub retry_after: Option<Duration>,
    /// Whether the need exceeds the limit itself.
    pub never_fits: bool,
}

/// The bucket with the least left in proportion to its limit, as answers report it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tightest {
    /// The position of the claim.
    pub claim: usize,
    /// What is left in its bucket.
    pub remaining: u64,
    /// Its limit.
    pub limit: u64,
    /// The time until all that was used has left the window; zero for permits.
    pub reset_after: Duration,
}

impl Bucket {
    /// What is left of `limit`.
    #[must_use]
    pub fn remaining(&mut self, now: Duration, limit: u64) -> u64 {
        match self {
            Self::Window(window) => window.remaining(now, limit),
            Self::Concurrency(permits) => permits.remaining(limit),
        }
    }

    /// The time until all that was used has left the window; zero for permits.
    #[must_use]
    pub fn reset_after(&mut self, now: Duration) -> Duration {
        match self {
            Self::Window(window) => window.reset_after(now),
            Self::Concurrency(_) => Duration::ZERO,
        }
    }

    /// What was used inside the window; zero for permits.
    #[must_use]
    pub fn used(&mut self, now: Duration) -> u64 {
        match self {
            Self::Window(window) => window.used(now),
            Self::Concurrency(_) => 0,
        }
    }

    /// What is claimed and neither used nor given back: reservations, or permits.
    #[must_use]
    pub const fn held(&self) -> u64 {
        match self {
            Self::Window(window) => window.reserved(),
            Self::Concurrency(permits) => permits.held(),
        }
    }

    /// Moves `amount` of a ticket from the future into the past. Permits stay held until
    /// [`Bucket::finish`].
    pub fn settle_part(&mut self, now: Duration, ticket: &mut Ticket, amount: u64) {
        match self {
            Self::Window(window) => window.settle_part(now, ticket, amount),
            Self::Concurrency(_) => {}
        }
    }

    /// Gives back what a ticket still holds.
    pub fn finish(&mut self, ticket: Ticket) {
        match self {
            Self::Window(window) => window.finish(ticket),
            Self::Concurrency(permits) => permits.finish(ticket),
        }
    }

    /// Whether the bucket holds nothing, so that it can be dropped.
    #[must_use]
    pub fn is_idle(&mut self, now: Duration) -> bool {
        match self {
            Self::Window(window) => window.is_idle(now),
            Self::Concurrency(permits) => permits.held() == 0,
        }
    }

    fn room(&mut self, now: Duration, need: u64, limit: u64) -> Room {
        match self {
            Self::Window(window) => window.room(now, need, limit),
            Self::Concurrency(permits) => permits.room(need, limit),
        }
    }

    fn reserve(&mut self, need: u64) -> Ticket {
        match self {
            Self::Window(window) => window.reserve(need),
            Self::Concurrency(permits) => permits.reserve(need),
        }
    }
}

/// Takes all claims and returns their tickets in the same order, or takes none.
///
/// # Errors
///
/// [`Refusal`] when a bucket has no room; it names the tightest of those that refuse.
pub fn acquire_all(now: Duration, claims: &mut [Claim<'_>]) -> Result<Vec<Ticket>, Refusal> {
    let mut worst = Room::Enough;
    let mut worst_claim = 0;
    for (position, claim) in claims.iter_mut().enumerate() {
        let room = claim.bucket.room(now, claim.need, claim.limit);
        if room > worst {
            (worst, worst_claim) = (room, position);
        }
    }
    let retry_after = match worst {
        Room::Enough => return Ok(claims.iter_mut().map(|claim| claim.bucket.reserve(claim.need)).collect()),
        Room::After(wait) => Some(wait),
        Room::Unknown | Room::Never => None,
    };
    let remaining = claims.get_mut(worst_claim).map_or(0, |claim| claim.bucket.remaining(now, claim.limit));
    Err(Refusal { claim: worst_claim, remaining, retry_after, never_fits: worst == Room::Never })
}

impl Tightest {
    /// The tightest of the claims, or `None` where there is none.
    #[must_use]
    pub fn of(now: Duration, claims: &mut [Claim<'_>]) -> Option<Self> {
        claims
            .iter_mut()
            .enumerate()
            .map(|(claim, Claim { bucket, limit, .. })| Self {
                claim,
                remaining: bucket.remaining(now, *limit),
                limit: *limit,
                reset_after: bucket.reset_after(now),
            })
            .min_by(|one, two| {
                // a/b < c/d without a division: a*d < c*b.
                let left = u128::from(one.remaining).saturating_mul(u128::from(two.limit));
                let right = u128::from(two.remaining).saturating_mul(u128::from(one.limit));
                left.cmp(&right)
            })
    }
}

#[cfg(test)]
mod tests {
    use super::{Bucket, Claim, Refusal, Tightest, acquire_all};
    use crate::{Concurrency, Window};
    use std::time::Duration;

    const NOW: Duration = Duration::from_secs(1_000);

    fn window() -> Bucket {
        Bucket::Window(Window::new(Duration::from_secs(60), 60))
    }

    fn used(amount: u64) -> Bucket {
        let mut window = Window::new(Duration::from_secs(60), 60);
        window.add(NOW, amount);
        Bucket::Window(window)
    }

    fn permits() -> Bucket {
        Bucket::Concurrency(Concurrency::new())
    }

    fn claims<'a>(buckets: &'a mut [Bucket], wants: &[(u64, u64)]) -> Vec<Claim<'a>> {
        let pairs = buckets.iter_mut().zip(wants);
        pairs.map(|(bucket, &(need, limit))| Claim { bucket, need, limit }).collect()
    }

    #[test]
    fn takes_every_bucket_when_all_have_room() {
        let mut buckets = [window(), permits()];
        let tickets = acquire_all(NOW, &mut claims(&mut buckets, &[(10, 10), (1, 1)])).unwrap();
        assert_eq!(tickets.len(), 2);
        assert_eq!((buckets[0].remaining(NOW, 10), buckets[1].remaining(NOW, 1)), (0, 0));
        for (bucket, ticket) in buckets.iter_mut().zip(tickets) {
            bucket.finish(ticket);
            assert!(bucket.is_idle(NOW));
        }
    }

    #[test]
    fn takes_nothing_when_one_bucket_refuses() {
        let mut buckets = [window(), used(5), permits()];
        let refusal = acquire_all(NOW, &mut claims(&mut buckets, &[(1, 10), (1, 5), (1, 1)])).unwrap_err();
        assert_eq!((refusal.claim, refusal.remaining), (1, 0));
        assert!(buckets[0].is_idle(NOW) && buckets[2].is_idle(NOW));
    }

    #[test]
    fn reports_the_bucket_that_makes_the_caller_wait_longest() {
        let mut old = Window::new(Duration::from_secs(60), 60);
        old.add(NOW - Duration::from_secs(50), 5);
        let mut buckets = [Bucket::Window(old), used(5)];
        let refusal = acquire_all(NOW, &mut claims(&mut buckets, &[(1, 5), (1, 5)])).unwrap_err();
        assert_eq!(
            refusal,
            Refusal { claim: 1, remaining: 0, retry_after: Some(Duration::from_secs(61)), never_fits: false }
        );
    }

    #[test]
    fn a_need_above_the_limit_is_refused_without_a_time() {
        let mut buckets = [used(5), window()];
        let refusal = acquire_all(NOW, &mut claims(&mut buckets, &[(1, 5), (11, 10)])).unwrap_err();
        assert_eq!(refusal, Refusal { claim: 1, remaining: 10, retry_after: None, never_fits: true });
    }

    #[test]
    fn the_tightest_bucket_has_the_least_left_in_proportion() {
        let mut buckets = [used(50), used(9), permits()];
        let tightest = Tightest::of(NOW, &mut claims(&mut buckets, &[(0, 100), (0, 10), (0, 4)]));
        let reset_after = Duration::from_secs(61);
        assert_eq!(tightest, Some(Tightest { claim: 1, remaining: 1, limit: 10, reset_after }));
    }
}
