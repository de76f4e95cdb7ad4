//! What the host gives to an extension: traits here, implementations in the host, fakes in the
//! test kit.

pub mod limits;

use std::time::{Instant, SystemTime};

/// The time. Extensions and the gateway read it only here, so that tests can set it.
pub trait Clock: Send + Sync + 'static {
    /// Monotonic time, for durations, windows and deadlines.
    fn now(&self) -> Instant;
    /// Wall time, for records and expiry dates.
    fn wall(&self) -> SystemTime;
}

/// Randomness that is good enough for balancing, jitter and identifiers, not for keys.
pub trait Random: Send + Sync + 'static {
    /// The next 64 random bits.
    fn next_u64(&self) -> u64;
}

/// The real clock of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn wall(&self) -> SystemTime {
        SystemTime::now()
    }
}
