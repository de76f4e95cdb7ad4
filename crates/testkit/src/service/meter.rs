//! Metrics that a test reads back.

use std::collections::HashMap;
use std::sync::Arc;

use gatewright::service::meter::{Counter, Gauge, Histogram, Meter};
use parking_lot::Mutex;

/// A [`Meter`] that remembers. Cloning shares the figures.
#[derive(Clone, Debug, Default)]
pub struct RecordingMeter(Arc<Mutex<Figures>>);

#[derive(Debug, Default)]
struct Figures {
    counters: HashMap<String, u64>,
    gauges: HashMap<String, i64>,
    histograms: HashMap<String, Vec<f64>>,
}

impl RecordingMeter {
    /// A counter, by the name that the extension gave it; 0 when it was never asked for.
    #[must_use]
    pub fn counter_value(&self, name: &str) -> u64 {
        self.0.lock().counters.get(name).copied().unwrap_or_default()
    }

    /// A gauge, if it was ever set.
    #[must_use]
    pub fn gauge_value(&self, name: &str) -> Option<i64> {
        self.0.lock().gauges.get(name).copied()
    }

    /// What a distribution was given, in order.
    #[must_use]
    pub fn observations(&self, name: &str) -> Vec<f64> {
        self.0.lock().histograms.get(name).cloned().unwrap_or_default()
    }

    fn handle(&self, name: &str) -> Arc<Handle> {
        Arc::new(Handle { name: name.to_owned(), figures: Arc::clone(&self.0) })
    }
}

impl Meter for RecordingMeter {
    fn counter(&self, name: &str, _: &str) -> Arc<dyn Counter> {
        self.handle(name)
    }

    fn gauge(&self, name: &str, _: &str) -> Arc<dyn Gauge> {
        self.handle(name)
    }

    fn histogram(&self, name: &str, _: &str, _: &[f64]) -> Arc<dyn Histogram> {
        self.handle(name)
    }
}

struct Handle {
    name: String,
    figures: Arc<Mutex<Figures>>,
}

impl Counter for Handle {
    fn add(&self, count: u64) {
        *self.figures.lock().counters.entry(self.name.clone()).or_default() += count;
    }
}

impl Gauge for Handle {
    fn set(&self, value: i64) {
        self.figures.lock().gauges.insert(self.name.clone(), value);
    }
}

impl Histogram for Handle {
    fn observe(&self, value: f64) {
        self.figures.lock().histograms.entry(self.name.clone()).or_default().push(value);
    }
}
