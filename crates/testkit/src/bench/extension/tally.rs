//! CPU time and allocations of a stretch of code.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use super::COUNTED;
use crate::bench::load::count;

/// What one turn of something costs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// Nanoseconds of CPU time of the thread.
    pub nanos: f64,
    /// Allocations, growth included. 0 unless the program counts them.
    pub allocations: f64,
}

/// Adds up what stretches of code cost, over as many turns as a window takes.
#[derive(Debug)]
pub struct Tally {
    began: Instant,
    window: Duration,
    spent: Duration,
    allocations: u64,
    turns: u64,
}

impl Tally {
    /// A tally for a window of time.
    #[must_use]
    pub fn new(window: Duration) -> Self {
        Self { began: Instant::now(), window, spent: Duration::ZERO, allocations: 0, turns: 0 }
    }

    /// Whether the window is open: on a busy machine it waits for a part of it in CPU time.
    #[must_use]
    pub fn goes_on(&self) -> bool {
        self.turns == 0 || self.began.elapsed() < self.window || self.spent < self.window / 4
    }

    /// Measures a stretch that makes so many turns.
    ///
    /// # Cancellation
    /// The stretch is not counted.
    pub async fn add<T>(&mut self, turns: u64, stretch: impl Future<Output = T>) -> T {
        let (allocations, spent) = (allocations(), cpu());
        let result = stretch.await;
        self.spent += cpu().saturating_sub(spent);
        self.allocations += self::allocations() - allocations;
        self.turns += turns;
        result
    }

    /// What one turn costs.
    #[must_use]
    pub fn cost(&self) -> Cost {
        let turns = count(self.turns.max(1));
        Cost { nanos: self.spent.as_secs_f64() * 1e9 / turns, allocations: count(self.allocations) / turns }
    }
}

impl Cost {
    /// What is left when something else is taken off.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self { nanos: self.nanos - other.nanos, allocations: self.allocations - other.allocations }
    }
}

/// The middle one of several costs, each figure by itself.
#[must_use]
pub(in crate::bench) fn median(costs: &[Cost]) -> Cost {
    let middle = |figure: fn(&Cost) -> f64| {
        let mut figures: Vec<f64> = costs.iter().map(figure).collect();
        figures.sort_by(f64::total_cmp);
        figures.get(figures.len() / 2).copied().unwrap_or_default()
    };
    Cost { nanos: middle(|cost| cost.nanos), allocations: middle(|cost| cost.allocations) }
}

fn allocations() -> u64 {
    let stats = COUNTED.stats();
    (stats.allocations + stats.reallocations) as u64
}

/// CPU time of this thread so far.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}
