//! Metrics that extensions make, under their own names, beside those of the gateway.
//!
//! They live as long as the instance's id: a reload keeps what was counted, and an id that is gone takes its lines
//! with it. Names are bounded in number and made safe; labels are instance ids of the configuration.

mod handle;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use gatewright::InstanceId;
use gatewright::service::meter::{Counter, Gauge, Histogram, METRICS_MAX, Meter};
use parking_lot::Mutex;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::{counter, gauge, histogram};

use self::handle::{Counting, Gauging, Nothing, Observing};

/// The longest name of a metric, the extension's own name included.
const NAME_BYTES_MAX: usize = 200;
/// The longest help text.
const HELP_CHARACTERS_MAX: usize = 500;
/// The most bounds of a distribution.
const BOUNDS_MAX: usize = 64;

/// All metrics of all extensions.
#[derive(Debug, Default)]
pub(crate) struct Meters(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    /// By the whole name, so that no two extensions can write the same line.
    metrics: BTreeMap<String, Metric>,
    /// How many each extension has.
    counts: HashMap<Arc<str>, usize>,
}

#[derive(Debug)]
struct Metric {
    help: String,
    values: Values,
}

type Labelled<M> = Family<Label, M>;

#[derive(Debug)]
enum Values {
    Counter(Labelled<counter::Counter>),
    Gauge(Labelled<gauge::Gauge>),
    Histogram(Family<Label, histogram::Histogram, Bounds>),
}

/// The instance that a value belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Label {
    instance: String,
}

/// The upper bounds of a distribution, the first that were asked for.
#[derive(Clone, Debug)]
struct Bounds(Arc<[f64]>);

impl MetricConstructor<histogram::Histogram> for Bounds {
    fn new_metric(&self) -> histogram::Histogram {
        histogram::Histogram::new(self.0.iter().copied())
    }
}

impl Meters {
    /// The [`Meter`] of an instance.
    pub(crate) fn meter(self: &Arc<Self>, extension: &Arc<str>, instance: &InstanceId) -> InstanceMeter {
        InstanceMeter {
            meters: Arc::clone(self),
            extension: Arc::clone(extension),
            label: Label { instance: instance.to_string() },
        }
    }

    /// Forgets what was counted for an instance that is gone.
    pub(crate) fn forget(&self, instance: &InstanceId) {
        let label = Label { instance: instance.to_string() };
        for metric in self.0.lock().metrics.values() {
            let _was_there = match &metric.values {
                Values::Counter(values) => values.remove(&label),
                Values::Gauge(values) => values.remove(&label),
                Values::Histogram(values) => values.remove(&label),
            };
        }
    }
}

impl Collector for Meters {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let table = self.0.lock();
        for (name, metric) in &table.metrics {
            let (kind, values): (_, &dyn Encode) = match &metric.values {
                Values::Counter(values) if !values.is_empty() => (MetricType::Counter, values),
                Values::Gauge(values) if !values.is_empty() => (MetricType::Gauge, values),
                Values::Histogram(values) if !values.is_empty() => (MetricType::Histogram, values),
                Values::Counter(_) | Values::Gauge(_) | Values::Histogram(_) => continue,
            };
            values.write(encoder.encode_descriptor(name, &metric.help, None, kind)?)?;
        }
        Ok(())
    }
}

/// [`EncodeMetric`] without its generic parts.
trait Encode {
    fn write(&self, encoder: prometheus_client::encoding::MetricEncoder<'_>) -> std::fmt::Result;
}

impl<M: EncodeMetric> Encode for M {
    fn write(&self, encoder: prometheus_client::encoding::MetricEncoder<'_>) -> std::fmt::Result {
        self.encode(encoder)
    }
}

/// The [`Meter`] of one instance.
#[derive(Clone, Debug)]
pub(crate) struct InstanceMeter {
    meters: Arc<Meters>,
    extension: Arc<str>,
    label: Label,
}

impl InstanceMeter {
    /// The values of a metric, made if there is room; `None` where it is counted nowhere.
    fn metric<T>(
        &self,
        name: &str,
        help: &str,
        make: impl FnOnce() -> Values,
        pick: impl FnOnce(&Values) -> Option<T>,
    ) -> Option<T> {
        let name = whole_name(&self.extension, name)?;
        let mut table = self.meters.0.lock();
        let table = &mut *table;
        if !table.metrics.contains_key(&name) {
            let count = table.counts.entry(Arc::clone(&self.extension)).or_default();
            if *count >= METRICS_MAX {
                drop_note(&self.label.instance, &name, "the extension has too many metrics");
                return None;
            }
            *count += 1;
            table.metrics.insert(name.clone(), Metric { help: one_line(help), values: make() });
        }
        let picked = table.metrics.get(&name).and_then(|metric| pick(&metric.values));
        if picked.is_none() {
            drop_note(&self.label.instance, &name, "a metric of another kind has the name");
        }
        picked
    }
}

impl Meter for InstanceMeter {
    fn counter(&self, name: &str, help: &str) -> Arc<dyn Counter> {
        let make = || Values::Counter(Family::default());
        let pick = |values: &Values| match values {
            Values::Counter(family) => Some(family.get_or_create_owned(&self.label)),
            Values::Gauge(_) | Values::Histogram(_) => None,
        };
        match self.metric(name, help, make, pick) {
            Some(counter) => Arc::new(Counting(counter)),
            None => Arc::new(Nothing),
        }
    }

    fn gauge(&self, name: &str, help: &str) -> Arc<dyn Gauge> {
        let make = || Values::Gauge(Family::default());
        let pick = |values: &Values| match values {
            Values::Gauge(family) => Some(family.get_or_create_owned(&self.label)),
            Values::Counter(_) | Values::Histogram(_) => None,
        };
        match self.metric(name, help, make, pick) {
            Some(gauge) => Arc::new(Gauging(gauge)),
            None => Arc::new(Nothing),
        }
    }

    fn histogram(&self, name: &str, help: &str, bounds: &[f64]) -> Arc<dyn Histogram> {
        let make = || Values::Histogram(Family::new_with_constructor(ascending(bounds)));
        let pick = |values: &Values| match values {
            Values::Histogram(family) => Some(family.get_or_create_owned(&self.label)),
            Values::Counter(_) | Values::Gauge(_) => None,
        };
        match self.metric(name, help, make, pick) {
            Some(histogram) => Arc::new(Observing(histogram)),
            None => Arc::new(Nothing),
        }
    }
}

fn drop_note(instance: &str, metric: &str, why: &'static str) {
    tracing::warn!(instance, metric, why, "Metric of an extension is not counted");
}

/// `ext_<extension>_<name>`, whose prefix the registry adds. The format adds `_total` to counters by itself.
/// A name without a letter or digit is none.
fn whole_name(extension: &str, name: &str) -> Option<String> {
    let name = safe(name);
    let name = name.strip_suffix("_total").unwrap_or(&name);
    let usable = name.bytes().any(|byte| byte.is_ascii_alphanumeric());
    let mut whole = format!("ext_{}_{name}", safe(extension));
    // What was made safe is ASCII.
    whole.truncate(NAME_BYTES_MAX);
    usable.then_some(whole)
}

fn safe(name: &str) -> String {
    name.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' }).collect()
}

/// A help text on one line that ends as those of the gateway do.
fn one_line(help: &str) -> String {
    let line = help.chars().map(|letter| if letter.is_control() || letter == '\\' { ' ' } else { letter });
    let mut line: String = line.take(HELP_CHARACTERS_MAX).collect();
    if !line.ends_with('.') {
        line.push('.');
    }
    line
}

/// Bounds that a distribution can have: numbers, in order, each once.
fn ascending(bounds: &[f64]) -> Bounds {
    let mut bounds: Vec<f64> = bounds.iter().copied().filter(|bound| bound.is_finite()).collect();
    bounds.sort_by(f64::total_cmp);
    bounds.dedup_by(|one, two| one.total_cmp(two).is_eq());
    bounds.truncate(BOUNDS_MAX);
    Bounds(bounds.into())
}

#[cfg(test)]
mod tests;
