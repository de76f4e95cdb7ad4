use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

use super::*;

struct Bed {
    registry: Registry,
    meters: Arc<Meters>,
}

impl Bed {
    fn new() -> Self {
        let mut registry = Registry::with_prefix("gatewright");
        let meters = Arc::<Meters>::default();
        registry.register_collector(Box::new(Arc::clone(&meters)));
        Self { registry, meters }
    }

    fn meter(&self, extension: &str, instance: &str) -> InstanceMeter {
        self.meters.meter(&Arc::from(extension), &InstanceId::new(instance))
    }

    fn text(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).unwrap();
        text
    }
}

#[test]
fn metrics_stand_under_the_name_of_the_extension_with_the_instance_as_label() {
    let bed = Bed::new();
    let meter = bed.meter("acme.export", "finance");
    let (counter, gauge) = (meter.counter("retries", "Tried again"), meter.gauge("spool-size", "Waiting"));
    let histogram = meter.histogram("wait", "Seconds", &[1.0, 0.5]);
    counter.add(2);
    bed.meter("acme.export", "audit").counter("retries", "Other words").add(5);
    gauge.set(-7);
    histogram.observe(0.75);
    let expected = "\
# HELP gatewright_ext_acme_export_retries Tried again.
# TYPE gatewright_ext_acme_export_retries counter
gatewright_ext_acme_export_retries_total{instance=\"finance\"} 2
gatewright_ext_acme_export_retries_total{instance=\"audit\"} 5
# HELP gatewright_ext_acme_export_spool_size Waiting.
# TYPE gatewright_ext_acme_export_spool_size gauge
gatewright_ext_acme_export_spool_size{instance=\"finance\"} -7
# HELP gatewright_ext_acme_export_wait Seconds.
# TYPE gatewright_ext_acme_export_wait histogram
gatewright_ext_acme_export_wait_sum{instance=\"finance\"} 0.75
gatewright_ext_acme_export_wait_count{instance=\"finance\"} 1
gatewright_ext_acme_export_wait_bucket{le=\"0.5\",instance=\"finance\"} 0
gatewright_ext_acme_export_wait_bucket{le=\"1.0\",instance=\"finance\"} 1
gatewright_ext_acme_export_wait_bucket{le=\"+Inf\",instance=\"finance\"} 1
";
    let sorted = |text: &str| {
        let mut lines: Vec<_> = text.lines().filter(|line| *line != "# EOF").map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&bed.text()), sorted(expected));
}

#[test]
fn the_same_name_is_the_same_metric_also_for_the_next_instance_of_an_id() {
    let bed = Bed::new();
    bed.meter("acme.export", "a").counter("retries", "").add(1);
    bed.meter("acme.export", "a").counter("retries_total", "").add(2);
    assert!(bed.text().contains("_retries_total{instance=\"a\"} 3\n"), "{}", bed.text());
    assert_eq!(bed.text().matches("# TYPE").count(), 1);
}

#[test]
fn an_id_that_is_gone_takes_its_lines_with_it() {
    let bed = Bed::new();
    bed.meter("x", "a").counter("n", "").add(1);
    bed.meter("x", "b").gauge("m", "").set(1);
    bed.meters.forget(&InstanceId::new("a"));
    let text = bed.text();
    assert!(!text.contains("ext_x_n") && text.contains("ext_x_m{instance=\"b\"} 1"), "{text}");
}

#[test]
fn names_and_texts_cannot_break_the_format() {
    let bed = Bed::new();
    let meter = bed.meter("äcme/ex\nport", "quote\"in");
    meter.counter("a b\n# c", "first\nsecond \\n").add(1);
    meter.counter("!?", "no name").add(1);
    meter.histogram("h", "", &[f64::NAN, 2.0, f64::INFINITY, 1.0, 2.0]).observe(1.5);
    let text = bed.text();
    assert!(text.contains("# HELP gatewright_ext__cme_ex_port_a_b___c first second  n.\n"), "{text}");
    assert!(text.contains("a_b___c_total{instance=\"quote\\\"in\"} 1\n"), "{text}");
    assert_eq!(text.matches("# HELP").count(), 2, "{text}");
    assert_eq!(text.matches("_h_bucket").count(), 3, "{text}");
}

#[test]
fn another_kind_under_a_taken_name_is_counted_nowhere() {
    let bed = Bed::new();
    bed.meter("x", "a").counter("n", "").add(1);
    bed.meter("x", "a").gauge("n", "").set(9);
    // Two extensions whose names are the same when made safe share their metrics.
    bed.meter("x.y", "b").counter("n", "").add(1);
    bed.meter("x", "c").counter("y_n", "").add(1);
    let text = bed.text();
    assert_eq!(text.matches("ext_x_n_total").count(), 1, "{text}");
    assert!(!text.contains(" 9\n"), "{text}");
    assert_eq!(text.matches("# TYPE gatewright_ext_x_y_n ").count(), 1, "{text}");
}

#[test]
fn an_extension_has_a_bounded_number_of_metrics() {
    let bed = Bed::new();
    let meter = bed.meter("x", "a");
    for number in 0..=METRICS_MAX {
        meter.counter(&format!("n{number}"), "").add(1);
    }
    bed.meter("y", "a").counter("n", "").add(1);
    meter.counter("n0", "").add(1);
    let text = bed.text();
    assert_eq!(text.matches("# TYPE gatewright_ext_x_").count(), METRICS_MAX);
    assert!(text.contains("ext_x_n0_total{instance=\"a\"} 2\n") && text.contains("ext_y_n_total"), "{text}");
}

#[test]
fn the_metrics_of_extensions_are_served_with_those_of_the_gateway() {
    let build = crate::Build { name: "test", version: "0", expected: &[], allow_unlisted: false, info: None };
    let metrics = crate::metrics::Metrics::new(&build);
    let meter = metrics.meters().meter(&Arc::from("acme.export"), &InstanceId::new("finance"));
    meter.gauge("backlog", "Waiting").set(3);
    let text = metrics.render(&gatewright_store::LedgerStats::default(), None);
    assert!(text.contains("gatewright_ext_acme_export_backlog{instance=\"finance\"} 3\n"), "{text}");
    assert!(text.contains("gatewright_build_info"), "{text}");
}
