//! The handles that extensions keep: each adds to one value, or to none.

use gatewright::service::meter::{Counter, Gauge, Histogram};
use prometheus_client::metrics::{counter, gauge, histogram};

pub(super) struct Counting(pub(super) counter::Counter);

impl Counter for Counting {
    fn add(&self, count: u64) {
        self.0.inc_by(count);
    }
}

pub(super) struct Gauging(pub(super) gauge::Gauge);

impl Gauge for Gauging {
    fn set(&self, value: i64) {
        self.0.set(value);
    }
}

pub(super) struct Observing(pub(super) histogram::Histogram);

impl Histogram for Observing {
    fn observe(&self, value: f64) {
        self.0.observe(value);
    }
}

/// Counts nowhere.
pub(super) struct Nothing;

impl Counter for Nothing {
    fn add(&self, _: u64) {}
}

impl Gauge for Nothing {
    fn set(&self, _: i64) {}
}

impl Histogram for Nothing {
    fn observe(&self, _: f64) {}
}
