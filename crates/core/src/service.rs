//! What the host gives to an extension: traits here, implementations in the host, fakes in the
//! test kit.

pub mod cache;
pub mod http;
pub mod keep;
pub mod key_value;
pub mod limits;
pub mod meter;
pub mod secrets;
pub mod sql;
pub mod task;

use std::time::{Duration, Instant, SystemTime};

use crate::BoxFuture;

/// The time. Extensions and the gateway read it only here, so that tests can set it.
pub trait Clock: Send + Sync + 'static {
    /// Monotonic time, for durations, windows and deadlines.
    fn now(&self) -> Instant;
    /// Wall time, for records and expiry dates.
    fn wall(&self) -> SystemTime;
    /// Ends when `after` has passed on this clock.
    fn sleep(&self, after: Duration) -> BoxFuture<'static, ()>;
}

/// Randomness that is good enough for balancing, jitter and identifiers, not for keys.
pub trait Random: Send + Sync + 'static {
    /// The next 64 random bits.
    fn next_u64(&self) -> u64;
}
