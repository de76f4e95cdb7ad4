//! Metrics of an extension, under its own name.
//!
//! A gauge `backlog` of the extension `acme.export` is exported as `gatewright_ext_acme_export_backlog` with the
//! label `instance`, beside what the host measures of every hook by itself. Counters get `_total` at the end, as the
//! format wants it. What is no letter or digit becomes `_`. An id that leaves the configuration takes its figures
//! with it; a reload that makes a new instance of an id goes on with them.

use std::sync::Arc;

/// Makes metrics. Ask once, in `create`, and keep the handle.
///
/// # Example
///
/// ```
/// use gatewright::prelude::*;
/// use gatewright::service::meter::Counter;
/// use std::sync::Arc;
///
/// struct Export { retries: Arc<dyn Counter> }
///
/// fn make(env: &ExtEnv) -> Export {
///     Export { retries: env.meter.counter("retries", "Deliveries that were tried again") }
/// }
/// ```
pub trait Meter: Send + Sync + 'static {
    /// A figure that only grows. The same name gives the same counter.
    fn counter(&self, name: &str, help: &str) -> Arc<dyn Counter>;
    /// A figure that goes up and down.
    fn gauge(&self, name: &str, help: &str) -> Arc<dyn Gauge>;
    /// A distribution over the given upper bounds, at most 64; the first call for a name decides on them.
    fn histogram(&self, name: &str, help: &str, bounds: &[f64]) -> Arc<dyn Histogram>;
}

/// The most metrics of one extension; what is asked for beyond is counted nowhere.
pub const METRICS_MAX: usize = 64;

/// A figure that only grows.
pub trait Counter: Send + Sync + 'static {
    /// Adds.
    fn add(&self, count: u64);
}

/// A figure that goes up and down.
pub trait Gauge: Send + Sync + 'static {
    /// Sets.
    fn set(&self, value: i64);
}

/// A distribution.
pub trait Histogram: Send + Sync + 'static {
    /// Adds one observation.
    fn observe(&self, value: f64);
}
