//! Load: exchanges one after the other on a set of connections, at a fixed rate or as fast as they are answered.
//!
//! Latency at a fixed rate counts from the time at which the exchange was due, if its connection was still busy then
//! (so a slow answer is not hidden by the requests that it kept from being sent), else from when it was sent (so the
//! generator's own timer, which ticks in milliseconds, is not counted).

use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use super::shot::{Gun, Shot, ShotError};

const LATENCY_NANOS_MAX: u64 = 60_000_000_000;
const SIGNIFICANT_DIGITS: u8 = 3;

/// How hard and how long.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Connections, each with one exchange at a time.
    pub connections: u32,
    /// Exchanges per second over all connections; none is as fast as they are answered.
    pub per_second: Option<f64>,
    /// How long exchanges are begun.
    pub duration: Duration,
}

/// What came of a load.
#[derive(Debug)]
pub struct LoadResult {
    /// Whole answers.
    pub answered: u64,
    /// Exchanges that were due and did not succeed.
    pub failed: u64,
    /// The first failure.
    pub first_failure: Option<ShotError>,
    /// From the first exchange to the end of the last.
    pub elapsed: Duration,
    /// Nanoseconds from due to the last byte.
    pub latency_nanos: Histogram<u64>,
}

impl LoadResult {
    fn new() -> Self {
        let latency_nanos = Histogram::new_with_max(LATENCY_NANOS_MAX, SIGNIFICANT_DIGITS)
            .expect("the bounds of the histogram are constants in range");
        Self { answered: 0, failed: 0, first_failure: None, elapsed: Duration::ZERO, latency_nanos }
    }

    /// Whole answers per second.
    pub fn per_second(&self) -> f64 {
        count(self.answered) / self.elapsed.as_secs_f64()
    }

    /// A quantile of the latency.
    pub fn latency(&self, quantile: f64) -> Duration {
        Duration::from_nanos(self.latency_nanos.value_at_quantile(quantile))
    }

    /// For people and programs.
    pub fn to_json(&self) -> Value {
        let micros = |quantile| self.latency(quantile).as_secs_f64() * 1e6;
        json!({
            "answered": self.answered,
            "failed": self.failed,
            "first_failure": self.first_failure.as_ref().map(ToString::to_string),
            "seconds": self.elapsed.as_secs_f64(),
            "per_second": self.per_second(),
            "latency_us": {"p50": micros(0.5), "p90": micros(0.9), "p99": micros(0.99), "max": micros(1.0)},
        })
    }

    fn add(&mut self, other: Self) {
        self.answered += other.answered;
        self.failed += other.failed;
        self.first_failure = self.first_failure.take().or(other.first_failure);
        self.latency_nanos.add(&other.latency_nanos).expect("all histograms have the same bounds");
    }
}

/// Runs a load on the current runtime.
///
/// # Errors
/// A connection cannot be made at the start; later failures are counted.
///
/// # Cancellation
/// The exchanges run on in their tasks until their time is over.
pub async fn run(shot: &Shot, load: Load) -> Result<LoadResult, ShotError> {
    let mut guns = Vec::new();
    for _ in 0..load.connections {
        guns.push(Gun::aim(shot).await?);
    }
    let start = Instant::now();
    let interval = load.per_second.map(|rate| Duration::from_secs_f64(f64::from(load.connections) / rate));
    let lanes: Vec<_> = (0..load.connections)
        .zip(guns)
        .map(|(at, gun)| {
            let share = f64::from(at) / f64::from(load.connections);
            let first = start + interval.unwrap_or_default().mul_f64(share);
            let schedule = Schedule { due: first, interval, end: start + load.duration };
            tokio::spawn(Lane { gun, shot: shot.clone(), schedule }.run())
        })
        .collect();
    let mut result = LoadResult::new();
    for lane in lanes {
        match lane.await {
            Ok(lane) => result.add(lane),
            Err(_) => result.failed += 1,
        }
    }
    result.elapsed = start.elapsed();
    Ok(result)
}

/// One connection's share of a load.
struct Lane {
    gun: Gun,
    shot: Shot,
    schedule: Schedule,
}

impl Lane {
    async fn run(mut self) -> LoadResult {
        let mut result = LoadResult::new();
        while let Some(since) = self.schedule.wait_for_turn().await {
            match self.gun.fire_whole(&self.shot).await {
                Ok(_) => {
                    result.answered += 1;
                    let nanos = u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX);
                    result.latency_nanos.saturating_record(nanos);
                }
                Err(failure) => {
                    result.failed += 1;
                    result.first_failure.get_or_insert(failure);
                    let Ok(gun) = Gun::aim(&self.shot).await else { break };
                    self.gun = gun;
                }
            }
        }
        result
    }
}

/// When the exchanges of one connection are due.
struct Schedule {
    due: Instant,
    /// None is as soon as the connection is free.
    interval: Option<Duration>,
    end: Instant,
}

impl Schedule {
    /// The time from which the next exchange counts; `None` when no more are to be begun.
    async fn wait_for_turn(&mut self) -> Option<Instant> {
        let now = Instant::now();
        let Some(interval) = self.interval else { return (now < self.end).then_some(now) };
        let due = self.due;
        self.due += interval;
        if due >= self.end {
            return None;
        }
        if due < now {
            return Some(due);
        }
        sleep_until(due).await;
        Some(Instant::now())
    }
}

/// A count as a number to divide; exact up to 2^53.
#[expect(clippy::cast_precision_loss, reason = "no run counts to 2^53")]
pub(super) fn count(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_exchange_that_had_to_wait_for_its_connection_counts_from_when_it_was_due() {
        let start = Instant::now();
        let tenth = Duration::from_millis(100);
        let mut schedule = Schedule { due: start, interval: Some(tenth), end: start + 4 * tenth };
        assert_eq!(schedule.wait_for_turn().await, Some(start));
        advance(Duration::from_millis(250)).await;
        assert_eq!(schedule.wait_for_turn().await, Some(start + tenth));
        assert_eq!(schedule.wait_for_turn().await, Some(start + 2 * tenth));
        assert_eq!(schedule.wait_for_turn().await, Some(start + 3 * tenth));
        assert_eq!(start.elapsed(), 3 * tenth);
        assert_eq!(schedule.wait_for_turn().await, None);
    }
}
