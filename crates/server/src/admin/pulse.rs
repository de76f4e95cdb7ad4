//! The heartbeats of the workers.
//!
//! A worker that is stuck in one task accepts no connection and answers none, while the thread that answers
//! probes is well. So each worker leaves a mark once in a while, and liveness is that all marks are fresh.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};

/// How many marks a worker leaves within the longest silence allowed.
const BEATS_PER_SILENCE: u32 = 5;

/// The heartbeats of all workers. A clone is the same.
#[derive(Debug, Clone)]
pub struct Pulse {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    began: Instant,
    silence_max: Duration,
    /// Milliseconds from `began` to each worker's last mark.
    marks: Vec<AtomicU64>,
}

impl Pulse {
    /// Watches workers 0 to `workers`, each of which may be silent for `silence_max`. All count as alive
    /// now.
    #[must_use]
    pub fn new(workers: usize, silence_max: Duration) -> Self {
        let marks = (0..workers).map(|_| AtomicU64::new(0)).collect();
        Pulse { shared: Arc::new(Shared { began: Instant::now(), silence_max, marks }) }
    }

    /// Beats for one worker. To be spawned on that worker's runtime.
    ///
    /// # Cancellation
    /// The worker counts as silent after the time allowed.
    pub async fn beat(&self, worker: usize) -> Infallible {
        let mut ticks = interval((self.shared.silence_max / BEATS_PER_SILENCE).max(Duration::from_millis(1)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if let Some(mark) = self.shared.marks.get(worker) {
                mark.store(self.elapsed_millis(), Ordering::Relaxed);
            }
        }
    }

    /// The workers that have been silent for too long.
    #[must_use]
    pub fn silent(&self) -> Vec<usize> {
        let now = self.elapsed_millis();
        let is_silent = |mark: &AtomicU64| {
            let silence = now.saturating_sub(mark.load(Ordering::Relaxed));
            Duration::from_millis(silence) > self.shared.silence_max
        };
        let marks = self.shared.marks.iter().enumerate();
        marks.filter(|(_, mark)| is_silent(mark)).map(|(worker, _)| worker).collect()
    }

    fn elapsed_millis(&self) -> u64 {
        u64::try_from(self.shared.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn names_the_workers_that_stopped_beating() {
        let pulse = Pulse::new(2, Duration::from_secs(10));
        let beating = pulse.clone();
        tokio::spawn(async move { beating.beat(1).await });
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(pulse.silent(), Vec::<usize>::new());
        for _ in 0..10 {
            tokio::time::advance(Duration::from_secs(1)).await;
            tokio::task::yield_now().await;
        }
        assert_eq!(pulse.silent(), [0]);
    }
}
