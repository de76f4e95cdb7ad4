//! When repeated failures take an extension instance out of service, and when it is tried again.
//!
//! One caller whose input makes an instance fail must not take it away from everybody, so the circuit opens only
//! when failures are both many and a large share of the calls.

use std::time::{Duration, Instant};

/// The settings of a circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Circuit {
    /// It opens at this many failures within `within`, if they are at least half of the calls. Zero never opens.
    pub failures: u32,
    /// The time over which failures and calls are counted.
    pub within: Duration,
    /// How long it stays open before one call is let through to try.
    pub pause: Duration,
}

impl Default for Circuit {
    fn default() -> Self {
        Self { failures: 20, within: Duration::from_secs(10), pause: Duration::from_secs(10) }
    }
}

/// The state of one circuit.
#[derive(Clone, Copy, Debug)]
pub struct CircuitState {
    state: State,
    began: Option<Instant>,
    calls_at_begin: u64,
    failures: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed,
    Open { until: Instant },
    Trying { until: Instant },
}

/// What a failure did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tripped {
    /// Nothing changed.
    No,
    /// The circuit is open from now on.
    Opened,
}

impl Default for CircuitState {
    fn default() -> Self {
        Self { state: State::Closed, began: None, calls_at_begin: 0, failures: 0 }
    }
}

impl CircuitState {
    /// Whether calls pass without a question.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// Whether a call may be made now. After the pause one call is let through; when nothing is heard of it for a
    /// further pause, another one is.
    pub fn admit(&mut self, settings: &Circuit, now: Instant) -> bool {
        match self.state {
            State::Closed => true,
            State::Open { until } | State::Trying { until } if now < until => false,
            State::Open { .. } | State::Trying { .. } => {
                self.state = State::Trying { until: after(now, settings.pause) };
                true
            }
        }
    }

    /// A call passed.
    pub fn passed(&mut self) {
        if matches!(self.state, State::Trying { .. }) {
            *self = Self::default();
        }
    }

    /// A call failed. `calls` is the number of all calls so far, this one included.
    pub fn failed(&mut self, settings: &Circuit, now: Instant, calls: u64) -> Tripped {
        if matches!(self.state, State::Trying { .. }) {
            self.state = State::Open { until: after(now, settings.pause) };
            return Tripped::Opened;
        }
        let is_over = self.began.is_none_or(|began| now.saturating_duration_since(began) > settings.within);
        if is_over {
            self.began = Some(now);
            self.calls_at_begin = calls.saturating_sub(1);
            self.failures = 0;
        }
        self.failures = self.failures.saturating_add(1);
        let many = settings.failures > 0 && self.failures >= settings.failures;
        let calls_here = calls.saturating_sub(self.calls_at_begin);
        if self.is_closed() && many && u64::from(self.failures) * 2 >= calls_here {
            self.state = State::Open { until: after(now, settings.pause) };
            return Tripped::Opened;
        }
        Tripped::No
    }

    /// Opens the circuit whatever was counted.
    pub fn open(&mut self, settings: &Circuit, now: Instant) {
        self.state = State::Open { until: after(now, settings.pause) };
    }
}

/// A time that cannot be told is now: the pause is over.
fn after(now: Instant, pause: Duration) -> Instant {
    now.checked_add(pause).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: Circuit =
        Circuit { failures: 3, within: Duration::from_secs(10), pause: Duration::from_secs(5) };

    /// Feeds calls, `x` failing and `.` passing, a second apart; returns whether the last one opened the circuit.
    fn feed(state: &mut CircuitState, start: Instant, calls: &str) -> Tripped {
        let mut tripped = Tripped::No;
        for (number, call) in (1..).zip(calls.chars()) {
            tripped = Tripped::No;
            match call {
                'x' => tripped = state.failed(&SETTINGS, start + Duration::from_secs(number), number),
                _ => state.passed(),
            }
        }
        tripped
    }

    #[test]
    fn opens_at_many_failures_that_are_half_of_the_calls() {
        for (calls, expected) in [
            ("xxx", Tripped::Opened),
            ("xx", Tripped::No),
            (".x.x.x", Tripped::Opened),
            ("x...x...x", Tripped::No),
            ("x..........x..........x", Tripped::No),
        ] {
            assert_eq!(feed(&mut CircuitState::default(), Instant::now(), calls), expected, "{calls}");
        }
    }

    #[test]
    fn lets_one_call_through_after_the_pause_and_closes_when_it_passes() {
        let start = Instant::now();
        let mut state = CircuitState::default();
        assert_eq!(feed(&mut state, start, "xxx"), Tripped::Opened);
        let opened = start + Duration::from_secs(3);
        assert!(!state.admit(&SETTINGS, opened + Duration::from_secs(4)));
        assert!(state.admit(&SETTINGS, opened + Duration::from_secs(5)));
        assert!(!state.admit(&SETTINGS, opened + Duration::from_secs(6)), "one call at a time tries");
        state.passed();
        assert!(state.is_closed());
    }

    #[test]
    fn opens_again_when_the_trial_fails() {
        let start = Instant::now();
        let mut state = CircuitState::default();
        state.open(&SETTINGS, start);
        assert!(state.admit(&SETTINGS, start + Duration::from_secs(5)));
        assert_eq!(state.failed(&SETTINGS, start + Duration::from_secs(6), 9), Tripped::Opened);
        assert!(!state.admit(&SETTINGS, start + Duration::from_secs(10)));
    }

    #[test]
    fn never_opens_without_a_number_of_failures() {
        let settings = Circuit { failures: 0, ..SETTINGS };
        let mut state = CircuitState::default();
        for call in 1..100 {
            assert_eq!(state.failed(&settings, Instant::now(), call), Tripped::No);
        }
    }
}
