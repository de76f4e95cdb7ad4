//! A sliding window that never admits more than its limit, with reservations that are settled
//! in parts.
//!
//! A ring of `N + 1` sub-buckets holds what was used; the oldest, partly expired one counts in
//! full. In any window of the width at most the limit is used, and at most one part in `N` of
//! the rate stays unused. A reservation covers the future, the ring holds the past, and nothing
//! is counted in both.

use std::time::Duration;

/// The state of one limit bucket.
///
/// The limit is an argument of each call, so that a reload can change it without losing state.
///
/// Invariant: `used` is the sum of `ring`; every ticket's remainder is part of `reserved`.
#[derive(Clone, Debug)]
pub struct Window {
    /// One slot for each sub-bucket of the width, and one for the partly expired oldest.
    ring: Box<[u64]>,
    /// The width of one sub-bucket in nanoseconds; at least 1.
    slot_nanos: u64,
    /// The number, counted from the start of time, of the newest sub-bucket.
    newest: u64,
    used: u64,
    reserved: u64,
}

/// A reservation in one bucket. Hand it back to [`Window::finish`], or its remainder stays
/// reserved for ever.
#[must_use]
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Ticket {
    left: u64,
}

impl Ticket {
    pub(crate) const fn new(need: u64) -> Self {
        Self { left: need }
    }

    /// What is reserved and not yet used.
    #[must_use]
    pub const fn left(&self) -> u64 {
        self.left
    }

    /// Takes up to `amount` out of the reservation and returns what it took.
    pub(crate) fn take(&mut self, amount: u64) -> u64 {
        let taken = amount.min(self.left);
        self.left = self.left.saturating_sub(taken);
        taken
    }
}

/// The answer to a request for room.
#[derive(Debug, PartialEq, Eq)]
pub enum Acquired {
    /// The room is reserved.
    Granted(Ticket),
    /// There is no room now; asking again later may help.
    Refused {
        /// When enough of what was used has left the window; `None` where open reservations
        /// stand in the way, because nobody knows their end.
        retry_after: Option<Duration>,
    },
    /// The need exceeds the limit itself, so that waiting can never help.
    TooLarge,
}

impl Window {
    /// A window of `width` in `slots` sub-buckets (60 suits a minute and an hour, 96 a day).
    #[must_use]
    pub fn new(width: Duration, slots: u16) -> Self {
        let slots = u64::from(slots.max(1));
        let nanos = u64::try_from(width.as_nanos()).unwrap_or(u64::MAX);
        Self {
            ring: vec![0; usize::try_from(slots).unwrap_or(1).saturating_add(1)].into_boxed_slice(),
            // Rounded up: a longer window is the safe side.
            slot_nanos: nanos.div_ceil(slots).max(1),
            newest: 0,
            used: 0,
            reserved: 0,
        }
    }

    /// Asks for room for `need` under `limit`.
    ///
    /// `now` is the time since an arbitrary start; a step backwards counts as standing still.
    #[must_use]
    pub fn acquire(&mut self, now: Duration, need: u64, limit: u64) -> Acquired {
        match self.room(now, need, limit) {
            Room::Enough => Acquired::Granted(self.reserve(need)),
            Room::After(wait) => Acquired::Refused { retry_after: Some(wait) },
            Room::Unknown => Acquired::Refused { retry_after: None },
            Room::Never => Acquired::TooLarge,
        }
    }

    /// Asks for more room for an open reservation. A refusal leaves the ticket as it was.
    #[must_use]
    pub fn top_up(&mut self, now: Duration, ticket: &mut Ticket, more: u64, limit: u64) -> bool {
        let enough = matches!(self.room(now, more, limit), Room::Enough);
        if enough {
            self.reserved = self.reserved.saturating_add(more);
            ticket.left = ticket.left.saturating_add(more);
        }
        enough
    }

    /// Moves `amount` from the reservation into the past. What exceeds the reservation is debt:
    /// it counts like any other use.
    pub fn settle_part(&mut self, now: Duration, ticket: &mut Ticket, amount: u64) {
        let taken = ticket.take(amount);
        self.reserved = self.reserved.saturating_sub(taken);
        self.add(now, amount);
    }

    /// Gives back what the reservation did not use.
    #[expect(clippy::needless_pass_by_value, reason = "a ticket is spent by handing it back")]
    pub fn finish(&mut self, ticket: Ticket) {
        self.reserved = self.reserved.saturating_sub(ticket.left);
    }

    /// Adds use that had no reservation: debt of an expired one, or the past rebuilt from records.
    pub fn add(&mut self, now: Duration, amount: u64) {
        self.roll(now);
        let slot = self.slot_of(self.newest);
        if let Some(slot) = self.ring.get_mut(slot) {
            let before = *slot;
            *slot = before.saturating_add(amount);
            self.used = self.used.saturating_add(slot.saturating_sub(before));
        }
    }

    /// What is left of `limit`.
    #[must_use]
    pub fn remaining(&mut self, now: Duration, limit: u64) -> u64 {
        self.roll(now);
        limit.saturating_sub(self.used.saturating_add(self.reserved))
    }

    /// What is reserved and not yet used.
    #[must_use]
    pub const fn reserved(&self) -> u64 {
        self.reserved
    }

    /// What was used inside the window.
    #[must_use]
    pub fn used(&mut self, now: Duration) -> u64 {
        self.roll(now);
        self.used
    }

    /// The time until `deficit` of what was used has left the window, or `None` where less than
    /// that was used in it.
    #[must_use]
    pub fn retry_after(&mut self, now: Duration, deficit: u64) -> Option<Duration> {
        self.roll(now);
        if deficit == 0 {
            return Some(Duration::ZERO);
        }
        let slots = u64::try_from(self.ring.len()).unwrap_or(u64::MAX);
        let mut freed = 0_u64;
        // The slot of age `a` leaves when the newest number has grown by `slots - a`.
        for until in 1..=slots {
            let age = slots.saturating_sub(until);
            let Some(number) = self.newest.checked_sub(age) else { continue };
            freed = freed.saturating_add(self.ring.get(self.slot_of(number)).copied().unwrap_or(0));
            if freed >= deficit {
                let leaves = self.newest.saturating_add(until).saturating_mul(self.slot_nanos);
                return Some(Duration::from_nanos(leaves).saturating_sub(now));
            }
        }
        None
    }

    /// The time until all that was used has left the window; reservations aside.
    #[must_use]
    pub fn reset_after(&mut self, now: Duration) -> Duration {
        self.roll(now);
        self.retry_after(now, self.used).unwrap_or(Duration::ZERO)
    }

    /// Whether the bucket holds neither use nor reservations, so that it can be dropped.
    #[must_use]
    pub fn is_idle(&mut self, now: Duration) -> bool {
        self.roll(now);
        self.used == 0 && self.reserved == 0
    }

    pub(crate) fn room(&mut self, now: Duration, need: u64, limit: u64) -> Room {
        if need > limit {
            return Room::Never;
        }
        self.roll(now);
        let after =
            u128::from(self.used).saturating_add(u128::from(self.reserved)).saturating_add(u128::from(need));
        match after.saturating_sub(u128::from(limit)) {
            0 => Room::Enough,
            deficit => {
                let deficit = u64::try_from(deficit).unwrap_or(u64::MAX);
                self.retry_after(now, deficit).map_or(Room::Unknown, Room::After)
            }
        }
    }

    pub(crate) fn reserve(&mut self, need: u64) -> Ticket {
        self.reserved = self.reserved.saturating_add(need);
        Ticket::new(need)
    }

    /// Empties the slots whose sub-buckets have left the window.
    fn roll(&mut self, now: Duration) {
        let nanos = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        let number = nanos.checked_div(self.slot_nanos).unwrap_or(0);
        let passed = number.saturating_sub(self.newest);
        let slots = u64::try_from(self.ring.len()).unwrap_or(u64::MAX);
        for step in 1..=passed.min(slots) {
            let slot = self.slot_of(self.newest.saturating_add(step));
            if let Some(slot) = self.ring.get_mut(slot) {
                self.used = self.used.saturating_sub(*slot);
                *slot = 0;
            }
        }
        self.newest = self.newest.max(number);
    }

    fn slot_of(&self, number: u64) -> usize {
        let slots = u64::try_from(self.ring.len()).unwrap_or(u64::MAX);
        number.checked_rem(slots).and_then(|slot| usize::try_from(slot).ok()).unwrap_or(0)
    }
}

/// Whether there is room, before anything is reserved; the later variant refuses harder. A known
/// wait stands above an unknown one, so that the caller is told a time where there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Room {
    Enough,
    Unknown,
    After(Duration),
    Never,
}

/// Stretches a waiting time by up to a tenth, so that those who were refused together do not come
/// back together. `random` is uniform over its whole range.
#[must_use]
pub fn jittered(wait: Duration, random: u64) -> Duration {
    let tenth = wait.as_nanos().checked_div(10).unwrap_or(0);
    let extra = tenth.saturating_mul(u128::from(random)) >> 64;
    wait.saturating_add(Duration::from_nanos(u64::try_from(extra).unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests;
