//! When the next group may be written: at once while groups are rare, at a steady pace when
//! records keep coming.
//!
//! Committing costs almost the same for one record as for several, so at a high rate fewer groups
//! are cheaper for everybody, and each record waits a little.

use std::time::{Duration, Instant};

/// Groups that may follow each other without a gap.
const BURST: u32 = 8;

/// A steady rate with a tolerance for bursts (the generic cell rate algorithm).
#[derive(Debug)]
pub(super) struct Pace {
    gap: Duration,
    /// When the next group would be due if groups came at the steady rate only.
    due: Instant,
}

impl Pace {
    pub(super) fn new(gap: Duration, now: Instant) -> Self {
        Self { gap, due: now }
    }

    /// The earliest moment for the next group; it may have passed.
    pub(super) fn not_before(&self) -> Option<Instant> {
        self.due.checked_sub(self.gap * BURST)
    }

    /// Counts a group that is written now.
    pub(super) fn count(&mut self, now: Instant) {
        self.due = self.due.max(now) + self.gap;
    }
}

#[cfg(test)]
mod tests {
    use super::{BURST, Pace};
    use std::time::{Duration, Instant};

    const GAP: Duration = Duration::from_millis(2);

    /// Groups that find room when one is wanted each `every`.
    fn written(every: Duration, span: Duration) -> u32 {
        let start = Instant::now();
        let mut pace = Pace::new(GAP, start);
        let (mut now, mut count) = (start, 0);
        while now < start + span {
            if pace.not_before().is_none_or(|moment| moment <= now) {
                pace.count(now);
                count += 1;
            }
            now += every;
        }
        count
    }

    #[test]
    fn a_low_rate_is_never_held_back() {
        assert_eq!(written(Duration::from_millis(3), Duration::from_millis(3000)), 1000);
    }

    #[test]
    fn a_high_rate_is_held_to_one_group_per_gap() {
        let count = written(Duration::from_micros(100), Duration::from_secs(1));
        assert!((500..=500 + BURST + 1).contains(&count), "{count}");
    }
}
