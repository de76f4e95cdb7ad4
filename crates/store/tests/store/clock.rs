//! A clock that stands still until it is told to go on.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use gatewright::BoxFuture;
use gatewright::service::Clock;
use parking_lot::Mutex;

/// It counts from the beginning of 1970. Nobody sleeps by it in these tests.
pub(crate) struct StoppedClock {
    start: Instant,
    pub(crate) passed: Mutex<Duration>,
}

impl StoppedClock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { start: Instant::now(), passed: Mutex::new(Duration::ZERO) })
    }

    pub(crate) fn pass(&self, time: Duration) {
        *self.passed.lock() += time;
    }
}

impl Clock for StoppedClock {
    fn now(&self) -> Instant {
        self.start + *self.passed.lock()
    }

    fn wall(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + *self.passed.lock()
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
}
