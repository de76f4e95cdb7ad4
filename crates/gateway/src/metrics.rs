//! Facts of the data path to numbers. Every metric's name, labels and meaning stand in this one
//! file. Labels take their values from the configuration or from fixed sets, never from callers.

mod instance;
mod labels;

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use arc_swap::ArcSwap;
use gatewright::record::UsageRecord;
use gatewright::service::Clock;
use gatewright::{AuditAction, AuditRecord, InstanceId, TenantId};
use gatewright_pipeline::{Observer, OutOfService, Snapshot};
use gatewright_policy::Plan;
use gatewright_store::{LedgerStats, SharedStats};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::meters::Meters;
use crate::outbox::Outbox;

pub(crate) use self::instance::InstanceFamilies;
use labels::{
    AttemptLabels, BuildLabels, ExchangeLabels, ReloadLabels, RouteLabels, SinkLabels, TokenLabels,
};

/// Seconds, for what the gateway itself takes: 10 µs to 0.1 s.
const OWN_SECONDS: [f64; 11] =
    [0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.01, 0.025, 0.1];
/// Seconds, for what models take: 10 ms to 10 min.
const MODEL_SECONDS: [f64; 14] =
    [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 180.0, 600.0];

type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

/// Where audit records go.
pub(crate) struct Audits {
    pub(crate) outbox: Arc<Outbox<AuditRecord>>,
    pub(crate) snapshots: Arc<ArcSwap<Snapshot>>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Audits {
    fn offer(&self, record: AuditRecord) {
        self.outbox.offer(&self.snapshots.load().audit, || record);
    }

    fn quarantined(&self, instance: &InstanceId, why: OutOfService) {
        let at = self.clock.wall().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.offer(AuditRecord {
            at_unix_ms: u64::try_from(at.as_millis()).unwrap_or(u64::MAX),
            action: AuditAction::Quarantined,
            request_id: None,
            tenant: None,
            key_label: None,
            route: None,
            instance: Some(instance.clone()),
            code: Some(why.as_str().into()),
            summary: format!("the instance is out of service: {}", why.text()).into(),
        });
    }
}

/// All metrics of the process.
pub(crate) struct Metrics {
    registry: Registry,
    exchanges: Family<ExchangeLabels, Counter>,
    in_flight: Gauge,
    seconds: Histograms<RouteLabels>,
    first_token: Histograms<RouteLabels>,
    overhead: Histograms<RouteLabels>,
    gaps: Histogram,
    tokens: Family<TokenLabels, Counter>,
    cost: Family<RouteLabels, Counter>,
    price_unknown: Family<RouteLabels, Counter>,
    attempts_failed: Family<AttemptLabels, Counter>,
    instances: InstanceFamilies,
    questions: Family<RouteLabels, Counter>,
    sink_dropped: Family<SinkLabels, Counter>,
    records_late: Counter,
    ledger_queued: Gauge,
    ledger_committed: Counter,
    ledger_failed: Counter,
    shared_up: Gauge,
    shared_replicas: Gauge,
    shared_tickets: Gauge,
    reloads: Family<ReloadLabels, Counter>,
    generation: Gauge,
    meters: Arc<Meters>,
}

fn own_seconds() -> Histogram {
    Histogram::new(OWN_SECONDS)
}

fn model_seconds() -> Histogram {
    Histogram::new(MODEL_SECONDS)
}

impl Metrics {
    /// Registers every metric under the names that dashboards use.
    pub(crate) fn new(build: &crate::Build) -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("gatewright"),
            exchanges: Family::default(),
            in_flight: Gauge::default(),
            seconds: Family::new_with_constructor(model_seconds),
            first_token: Family::new_with_constructor(model_seconds),
            overhead: Family::new_with_constructor(own_seconds),
            gaps: model_seconds(),
            tokens: Family::default(),
            cost: Family::default(),
            price_unknown: Family::default(),
            attempts_failed: Family::default(),
            instances: InstanceFamilies::default(),
            questions: Family::default(),
            sink_dropped: Family::default(),
            records_late: Counter::default(),
            ledger_queued: Gauge::default(),
            ledger_committed: Counter::default(),
            ledger_failed: Counter::default(),
            shared_up: Gauge::default(),
            shared_replicas: Gauge::default(),
            shared_tickets: Gauge::default(),
            reloads: Family::default(),
            generation: Gauge::default(),
            meters: Arc::default(),
        };
        metrics.registry.register_collector(Box::new(Arc::clone(&metrics.meters)));
        metrics.register_exchanges();
        metrics.register_extensions();
        metrics.register_process(build);
        metrics
    }

    fn register_exchanges(&mut self) {
        let r = &mut self.registry;
        r.register("exchanges", "Exchanges that ended", self.exchanges.clone());
        r.register("exchanges_in_flight", "Exchanges under way", self.in_flight.clone());
        r.register_with_unit(
            "exchange",
            "From the head of a request to the last byte of its answer",
            Unit::Seconds,
            self.seconds.clone(),
        );
        r.register_with_unit(
            "time_to_first_token",
            "From the head of a request to the first byte of content",
            Unit::Seconds,
            self.first_token.clone(),
        );
        r.register_with_unit(
            "overhead",
            "What the gateway itself added to an exchange",
            Unit::Seconds,
            self.overhead.clone(),
        );
        r.register_with_unit(
            "stream_gap",
            "Between two chunks of a streamed answer",
            Unit::Seconds,
            self.gaps.clone(),
        );
        r.register("tokens", "Tokens by kind and origin of the figure", self.tokens.clone());
        r.register("cost_nanodollars", "Cost at known prices", self.cost.clone());
        r.register("price_unknown", "Attempts whose price is not known", self.price_unknown.clone());
        r.register("attempts_failed", "Attempts that another one followed", self.attempts_failed.clone());
    }

    fn register_extensions(&mut self) {
        let r = &mut self.registry;
        self.instances.register(r);
        r.register("further_questions", "Questions that extensions asked a model", self.questions.clone());
        r.register(
            "sink_records_dropped",
            "Usage records that a sink did not take",
            self.sink_dropped.clone(),
        );
    }

    fn register_process(&mut self, build: &crate::Build) {
        let r = &mut self.registry;
        r.register(
            "records_late",
            "Answers that did not wait longer for their usage record",
            self.records_late.clone(),
        );
        r.register("ledger_queued", "Usage records that wait to be written", self.ledger_queued.clone());
        r.register("ledger_committed", "Usage records written", self.ledger_committed.clone());
        r.register(
            "ledger_write_failures",
            "Groups of usage records that could not be written at once",
            self.ledger_failed.clone(),
        );
        r.register(
            "shared_limits_up",
            "Whether the shared store of limits answers; 0 where there is none",
            self.shared_up.clone(),
        );
        r.register(
            "shared_limits_replicas",
            "Replicas that share the limits, when last counted",
            self.shared_replicas.clone(),
        );
        r.register(
            "shared_limits_tickets",
            "Claims that the shared store holds for this process",
            self.shared_tickets.clone(),
        );
        r.register("reloads", "Reloads of the configuration by result", self.reloads.clone());
        r.register("configuration_generation", "The configuration in use", self.generation.clone());
        let info = Family::<BuildLabels, Gauge>::default();
        info.get_or_create(&BuildLabels { name: build.name, version: build.version }).set(1);
        r.register("build_info", "This binary", info);
    }

    /// The metrics that extensions make.
    pub(crate) fn meters(&self) -> &Arc<Meters> {
        &self.meters
    }

    /// The metrics as Prometheus reads them.
    pub(crate) fn render(&self, ledger: &LedgerStats, shared: Option<&SharedStats>) -> String {
        self.take_over(ledger);
        if let Some(shared) = shared {
            self.shared_up.set(i64::from(shared.is_up));
            self.shared_replicas.set(i64::try_from(shared.replicas).unwrap_or(i64::MAX));
            self.shared_tickets.set(i64::try_from(shared.tickets).unwrap_or(i64::MAX));
        }
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _written = encode(&mut text, &self.registry);
        text
    }

    /// Figures that the store keeps itself.
    fn take_over(&self, ledger: &LedgerStats) {
        self.ledger_queued.set(i64::try_from(ledger.queued).unwrap_or(i64::MAX));
        self.ledger_committed.inner().store(ledger.written, std::sync::atomic::Ordering::Relaxed);
        self.ledger_failed.inner().store(ledger.failed_attempts, std::sync::atomic::Ordering::Relaxed);
    }

    /// A sink did not take a record.
    pub(crate) fn sink_dropped(&self, instance: &InstanceId) {
        self.sink_dropped.get_or_create(&SinkLabels::new(instance)).inc();
    }

    /// What the instances of extensions do.
    pub(crate) fn instances(&self) -> &InstanceFamilies {
        &self.instances
    }

    /// Labels name the tenants of this plan from now on.
    pub(crate) fn know_tenants(&self, plan: &Plan) {
        self.instances.know_tenants(plan.tenants.keys().cloned().collect());
    }

    /// Audit records go to the sinks of the snapshot in use from now on.
    pub(crate) fn audit_to(&self, audits: Audits) {
        self.instances.audit_to(audits);
    }

    /// A reload ended; on success with the generation that is now in use.
    pub(crate) fn reloaded(&self, generation: Option<u64>) {
        let result = if generation.is_some() { "done" } else { "refused" };
        self.reloads.get_or_create(&ReloadLabels { result }).inc();
        if let Some(generation) = generation {
            self.generation.set(i64::try_from(generation).unwrap_or(i64::MAX));
        }
    }

    fn count_tokens(&self, record: &UsageRecord) {
        let usage = &record.usage;
        let kinds = [
            ("input", usage.input),
            ("cache_read", usage.cache_read),
            ("cache_write", usage.cache_write.saturating_add(usage.cache_write_1h)),
            ("output", usage.output),
        ];
        for (kind, count) in kinds.into_iter().filter(|(_, count)| *count > 0) {
            self.tokens.get_or_create(&TokenLabels::new(record, kind)).inc_by(count);
        }
        let route = RouteLabels::new(record);
        match record.cost.and_then(|cost| u64::try_from(cost.nanos()).ok()) {
            Some(nanos) => {
                self.cost.get_or_create(&route).inc_by(nanos);
            }
            None => {
                self.price_unknown.get_or_create(&route).inc();
            }
        }
    }
}

impl Observer for Metrics {
    fn exchange_began(&self) {
        self.in_flight.inc();
    }

    fn exchange_ended(&self, record: &UsageRecord) {
        self.in_flight.dec();
        self.exchanges.get_or_create(&ExchangeLabels::new(record)).inc();
        let route = RouteLabels::new(record);
        self.overhead.get_or_create(&route).observe(record.overhead.as_secs_f64());
        if record.attempt > 0 {
            self.seconds.get_or_create(&route).observe(record.total.as_secs_f64());
            if let Some(first) = record.time_to_first_token {
                self.first_token.get_or_create(&route).observe(first.as_secs_f64());
            }
            self.count_tokens(record);
        }
    }

    fn attempt_failed(&self, record: &UsageRecord) {
        self.attempts_failed.get_or_create(&AttemptLabels::new(record)).inc();
        self.count_tokens(record);
    }

    fn gap(&self, gap: Duration) {
        self.gaps.observe(gap.as_secs_f64());
    }

    fn record_delayed(&self, _: &TenantId) {
        self.records_late.inc();
    }

    fn asked(&self, record: &UsageRecord) {
        self.questions.get_or_create(&RouteLabels::new(record)).inc();
        self.count_tokens(record);
    }

    fn audit(&self, record: AuditRecord) {
        if let Some(audits) = self.instances.audits() {
            audits.offer(record);
        }
    }
}
