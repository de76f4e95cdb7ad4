//! What an extension costs: nanoseconds and allocations per exchange and per event, and bytes held back. The guide
//! follows.
#![doc = include_str!("extension/guide.md")]

mod event;
mod exchange;
mod tally;

use std::alloc::System;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use gatewright::registry::{Instance, registration_of};
use gatewright::{Extension, Settings};

pub(super) use self::tally::median;
pub use self::tally::{Cost, Tally};
use crate::conformance::Suite;

/// The allocator that counts, for `#[global_allocator]`.
pub type CountingAllocator = stats_alloc::StatsAlloc<System>;

/// The one counting allocator of a program.
pub use stats_alloc::INSTRUMENTED_SYSTEM as COUNTED;

/// Runs of each figure, of which the middle one counts.
const RUNS: usize = 5;
/// How long one run takes.
const WINDOW: Duration = Duration::from_millis(200);

/// What an extension costs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    /// For one exchange, all its hooks that run once together.
    pub exchange: Option<Cost>,
    /// For one event of a stream.
    pub event: Option<Cost>,
    /// Bytes held back after an event, in 99 of 100 events.
    pub hold_bytes: Option<usize>,
}

/// A bench of one extension as a whole program: prints the line that `cargo xtask bench` holds against the budgets of
/// `gatewright.toml`.
///
/// ```no_run
/// # use gatewright::prelude::*;
/// # #[gatewright::config]
/// # struct Nothing {}
/// # struct Mask;
/// # impl Extension for Mask {
/// #     const NAME: &'static str = "acme.mask";
/// #     type Config = Nothing;
/// #     async fn create(_: Nothing, _env: ExtEnv) -> Result<Self, BuildError> { Ok(Self) }
/// # }
/// # impl ResponseFilter for Mask {
/// #     fn plan(&self, _head: &ResponseHead, _cx: &RequestCx) -> FilterPlan { FilterPlan::Events }
/// # }
/// # gatewright::register!(Mask => ResponseFilter);
/// use gatewright_testkit::bench_main;
/// use serde_json::json;
///
/// bench_main!(Mask; json!({}));
/// ```
#[macro_export]
macro_rules! bench_main {
    ($extension:ty; $settings:expr $(; $change:expr)? $(;)?) => {
        #[global_allocator]
        static COUNTED: &$crate::bench::extension::CountingAllocator = &$crate::bench::extension::COUNTED;

        fn main() -> ::std::process::ExitCode {
            let suite = $crate::conformance::Suite::<$extension>::new($settings, &[]);
            $(let suite = suite.with($change);)?
            $crate::bench::extension::main(&suite)
        }
    };
}

/// Measures and prints. `--quick`, or being run as a test, takes moments and says little.
///
/// # Panics
/// If the extension cannot be made, or fails.
#[must_use]
pub fn main<E: Extension>(suite: &Suite<E>) -> ExitCode {
    let is_quick = std::env::args().any(|argument| argument == "--quick" || argument == "--test");
    let (runs, window) = if is_quick { (1, WINDOW / 20) } else { (RUNS, WINDOW) };
    let line = to_line(E::NAME, &figures(suite, runs, window));
    match writeln!(std::io::stdout(), "{line}") {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Measures an extension, `runs` times for at least `window` each; the middle one counts.
///
/// # Panics
/// If the extension cannot be made, or fails.
#[must_use]
pub fn figures<E: Extension>(suite: &Suite<E>, runs: usize, window: Duration) -> Figures {
    let registration = registration_of::<E>().expect("the extension is registered");
    crate::conformance::run(async {
        let bed = suite.bed();
        let made = (registration.create)(Settings::new(suite.settings().clone()), bed.env()).await;
        let instance: Instance = made.expect("the settings are right");
        let tasks = Arc::clone(&instance.life).begin().await.expect("the instance starts");
        for mut task in tasks {
            tokio::spawn((task.body)());
        }
        Figures {
            exchange: exchange::cost(&instance, &suite.caller(), (runs, window)).await,
            event: event::cost(&instance, &suite.caller(), (runs, window)).await,
            hold_bytes: event::held(&instance, &suite.caller()).await,
        }
    })
}

/// The figures as one line: `bench NAME exchange_ns=… exchange_allocs=… event_ns=… event_allocs=… hold_bytes=…`, with
/// what the extension has. Times are rounded to whole nanoseconds, allocations up to whole ones.
#[must_use]
pub fn to_line(name: &str, figures: &Figures) -> String {
    let mut line = format!("bench {name}");
    for (what, cost) in [("exchange", &figures.exchange), ("event", &figures.event)] {
        if let Some(cost) = cost {
            let (nanos, allocations) = (cost.nanos.max(0.0).round(), allocations(cost.allocations));
            line.push_str(&format!(" {what}_ns={nanos} {what}_allocs={allocations}"));
        }
    }
    if let Some(bytes) = figures.hold_bytes {
        line.push_str(&format!(" hold_bytes={bytes}"));
    }
    line
}

/// Whole allocations; less than one in a hundred is what other threads did meanwhile.
fn allocations(count: f64) -> f64 {
    (count - 0.01).max(0.0).ceil()
}

#[cfg(test)]
mod tests {
    use super::{Cost, Figures, to_line};

    #[test]
    fn a_line_has_whole_figures_and_only_those_that_there_are() {
        let cost = |nanos, allocations| Some(Cost { nanos, allocations });
        let all = Figures { exchange: cost(310.4, 1.02), event: cost(-2.0, 0.004), hold_bytes: Some(24) };
        let line = "bench acme.x exchange_ns=310 exchange_allocs=2 event_ns=0 event_allocs=0 hold_bytes=24";
        assert_eq!(to_line("acme.x", &all), line);
        assert_eq!(to_line("acme.x", &Figures::default()), "bench acme.x");
    }
}
