//! A count of what runs at the same time.

use crate::Ticket;
use crate::window::Room;

/// The state of one concurrency bucket: permits are held while something runs.
///
/// The limit is an argument of each call, so that a reload can change it without losing state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Concurrency {
    held: u64,
}

impl Concurrency {
    /// A bucket without holders.
    #[must_use]
    pub const fn new() -> Self {
        Self { held: 0 }
    }

    /// Takes `need` permits under `limit`, or `None` where fewer are free.
    #[must_use]
    pub fn acquire(&mut self, need: u64, limit: u64) -> Option<Ticket> {
        matches!(self.room(need, limit), Room::Enough).then(|| self.reserve(need))
    }

    /// Gives the permits back.
    #[expect(clippy::needless_pass_by_value, reason = "a ticket is spent by handing it back")]
    pub fn finish(&mut self, ticket: Ticket) {
        self.held = self.held.saturating_sub(ticket.left());
    }

    /// Permits in use.
    #[must_use]
    pub const fn held(&self) -> u64 {
        self.held
    }

    /// Free permits under `limit`.
    #[must_use]
    pub const fn remaining(&self, limit: u64) -> u64 {
        limit.saturating_sub(self.held)
    }

    pub(crate) const fn room(&self, need: u64, limit: u64) -> Room {
        if need > limit {
            Room::Never
        } else if self.held.saturating_add(need) > limit {
            Room::Unknown
        } else {
            Room::Enough
        }
    }

    pub(crate) const fn reserve(&mut self, need: u64) -> Ticket {
        self.held = self.held.saturating_add(need);
        Ticket::new(need)
    }
}

#[cfg(test)]
mod tests {
    use super::Concurrency;

    #[test]
    fn permits_come_back_when_finished() {
        let mut bucket = Concurrency::new();
        let first = bucket.acquire(1, 2).unwrap();
        let second = bucket.acquire(1, 2).unwrap();
        assert!(bucket.acquire(1, 2).is_none());
        bucket.finish(first);
        assert_eq!((bucket.held(), bucket.remaining(2)), (1, 1));
        bucket.finish(second);
        assert_eq!(bucket.held(), 0);
    }

    #[test]
    fn a_lowered_limit_holds_for_newcomers_only() {
        let mut bucket = Concurrency::new();
        let held = bucket.acquire(3, 3).unwrap();
        assert!(bucket.acquire(1, 2).is_none());
        bucket.finish(held);
        assert!(bucket.acquire(2, 2).is_some());
    }
}
