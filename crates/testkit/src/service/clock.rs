//! Time that stands still until a test moves it.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use gatewright::BoxFuture;
use gatewright::service::Clock;
use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};

/// Where wall time begins, in seconds since 1970: the first of January 2030, at midnight UTC.
const WALL_BEGIN: Duration = Duration::from_secs(1_893_456_000);

/// A [`Clock`] that a test moves. Cloning shares the time.
#[derive(Clone, Debug)]
pub struct VirtualClock(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    begin: Instant,
    state: Mutex<State>,
    began_to_sleep: Notify,
}

#[derive(Debug, Default)]
struct State {
    passed: Duration,
    sleepers: Vec<(Duration, oneshot::Sender<()>)>,
}

impl Default for VirtualClock {
    fn default() -> Self {
        Self(Arc::new(Inner {
            begin: Instant::now(),
            state: Mutex::default(),
            began_to_sleep: Notify::new(),
        }))
    }
}

impl VirtualClock {
    /// Lets time pass, and wakes whose time it is.
    pub fn advance(&self, by: Duration) {
        let mut state = self.0.state.lock();
        state.passed += by;
        let now = state.passed;
        for (_, sleeper) in state.sleepers.extract_if(.., |(due, _)| *due <= now) {
            // One that has gone needs no waking.
            let _gone = sleeper.send(());
        }
    }

    /// How much time has passed since the clock was made.
    #[must_use]
    pub fn passed(&self) -> Duration {
        self.0.state.lock().passed
    }

    /// How many sleep now.
    #[must_use]
    pub fn sleepers(&self) -> usize {
        let mut state = self.0.state.lock();
        state.sleepers.retain(|(_, sleeper)| !sleeper.is_closed());
        state.sleepers.len()
    }

    /// Ends when at least this many sleep, so that a test knows when to move the time.
    ///
    /// # Cancellation
    ///
    /// Nothing is lost.
    pub async fn until_asleep(&self, count: usize) {
        loop {
            let mut changed = std::pin::pin!(self.0.began_to_sleep.notified());
            changed.as_mut().enable();
            if self.sleepers() >= count {
                return;
            }
            changed.await;
        }
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Instant {
        self.0.begin + self.passed()
    }

    fn wall(&self) -> SystemTime {
        UNIX_EPOCH + WALL_BEGIN + self.passed()
    }

    fn sleep(&self, after: Duration) -> BoxFuture<'static, ()> {
        if after.is_zero() {
            return Box::pin(std::future::ready(()));
        }
        let (sleeper, woken) = oneshot::channel();
        let mut state = self.0.state.lock();
        let due = state.passed.saturating_add(after);
        state.sleepers.push((due, sleeper));
        drop(state);
        self.0.began_to_sleep.notify_waiters();
        let clock = self.clone();
        Box::pin(async move {
            // The clock is held, so the other half is not dropped before it is time.
            let _woken = woken.await;
            drop(clock);
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use gatewright::service::Clock;

    use super::VirtualClock;

    #[tokio::test]
    async fn wakes_sleepers_when_their_time_has_come() {
        let clock = VirtualClock::default();
        let begin = (clock.now(), clock.wall());
        let early = tokio::spawn(clock.sleep(Duration::from_secs(5)));
        let late = tokio::spawn(clock.sleep(Duration::from_secs(60)));
        clock.until_asleep(2).await;
        clock.advance(Duration::from_secs(5));
        early.await.unwrap();
        assert_eq!(clock.sleepers(), 1);
        late.abort();
        assert!(late.await.unwrap_err().is_cancelled());
        assert_eq!(clock.sleepers(), 0);
        let passed = Duration::from_secs(5);
        assert_eq!((clock.now(), clock.wall()), (begin.0 + passed, begin.1 + passed));
    }
}
