//! The time of the operating system.

use std::time::{Duration, Instant, SystemTime};

use gatewright::BoxFuture;
use gatewright::service::Clock;

/// The [`Clock`] of a process that serves. Sleeping needs a Tokio runtime with time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn wall(&self) -> SystemTime {
        SystemTime::now()
    }

    fn sleep(&self, after: Duration) -> BoxFuture<'static, ()> {
        Box::pin(async move { tokio::time::sleep(after).await })
    }
}
