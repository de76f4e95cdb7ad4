//! What each instance of an extension does, with labels that are resolved once.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use gatewright::{InstanceId, TenantId};
use gatewright_pipeline::{Hook, HookResult, InstanceObserver, OutOfService};
use parking_lot::{Mutex, RwLock};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::labels::Name;
use super::{Audits, Histograms, own_seconds};

/// The most codes of denials that are told apart for one instance; the others count as `other`.
const CODES_MAX: usize = 64;
/// The label of what is not told apart.
const OTHER: &str = "other";
/// Bytes of text that are held.
const HELD_BYTES: [f64; 8] = [0.0, 8.0, 16.0, 32.0, 64.0, 128.0, 512.0, 4096.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    instance: Name<InstanceId>,
    hook: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct HookLabels {
    instance: Name<InstanceId>,
    hook: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct InstanceLabels {
    instance: Name<InstanceId>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DenialLabels {
    instance: Name<InstanceId>,
    hook: &'static str,
    code: String,
    tenant: String,
    mode: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FailureLabels {
    instance: Name<InstanceId>,
    hook: &'static str,
    cause: &'static str,
    tenant: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct InfoLabels {
    instance: Name<InstanceId>,
    extension: &'static str,
    version: &'static str,
}

/// Codes of denials.
type Codes = Arc<RwLock<HashSet<String>>>;

/// The metrics of all instances.
#[derive(Clone)]
pub(crate) struct InstanceFamilies {
    calls: Family<CallLabels, Counter>,
    seconds: Histograms<HookLabels>,
    held_bytes: Histograms<InstanceLabels>,
    held_seconds: Histograms<InstanceLabels>,
    edits: Family<HookLabels, Counter>,
    denials: Family<DenialLabels, Counter>,
    failures: Family<FailureLabels, Counter>,
    stalls: Family<HookLabels, Counter>,
    out_of_service: Family<InstanceLabels, Gauge>,
    info: Family<InfoLabels, Gauge>,
    /// The codes of denials that are told apart, by instance: a new instance of an id goes on with those of the old.
    codes: Arc<Mutex<HashMap<InstanceId, Codes>>>,
    /// Where audit records go, once somebody takes them.
    audits: Arc<OnceLock<Audits>>,
    /// The tenants that labels name; the configuration bounds them.
    tenants: Arc<ArcSwap<HashSet<TenantId>>>,
}

fn held_bytes() -> Histogram {
    Histogram::new(HELD_BYTES)
}

impl Default for InstanceFamilies {
    fn default() -> Self {
        Self {
            calls: Family::default(),
            seconds: Family::new_with_constructor(own_seconds),
            held_bytes: Family::new_with_constructor(held_bytes),
            held_seconds: Family::new_with_constructor(super::model_seconds),
            edits: Family::default(),
            denials: Family::default(),
            failures: Family::default(),
            stalls: Family::default(),
            out_of_service: Family::default(),
            info: Family::default(),
            codes: Arc::default(),
            audits: Arc::default(),
            tenants: Arc::default(),
        }
    }
}

impl InstanceFamilies {
    pub(super) fn register(&self, r: &mut Registry) {
        r.register("extension_calls", "Calls of extension hooks by result", self.calls.clone());
        r.register_with_unit(
            "extension_hook",
            "Time inside extension hooks; those that run per event are summed up per answer",
            Unit::Seconds,
            self.seconds.clone(),
        );
        r.register_with_unit(
            "extension_held",
            "The most text of an answer that a filter held back at a time",
            Unit::Bytes,
            self.held_bytes.clone(),
        );
        r.register_with_unit(
            "extension_held",
            "How long a filter held back text of an answer",
            Unit::Seconds,
            self.held_seconds.clone(),
        );
        r.register("extension_edits", "Texts, fields and events that were changed", self.edits.clone());
        r.register("extension_denials", "Refusals and cuts by code", self.denials.clone());
        r.register("extension_failures", "Failures of hooks by cause", self.failures.clone());
        r.register("extension_stalls", "Hooks that did not return in time", self.stalls.clone());
        r.register(
            "extension_out_of_service",
            "1 while an instance is quarantined",
            self.out_of_service.clone(),
        );
        r.register("extension_info", "What each instance is", self.info.clone());
    }

    /// The tenants that labels name from now on.
    pub(crate) fn know_tenants(&self, tenants: HashSet<TenantId>) {
        self.tenants.store(Arc::new(tenants));
    }

    /// Audit records go there from now on.
    pub(super) fn audit_to(&self, audits: Audits) {
        // One per process; a second one would be a fault of the assembly and is not needed.
        let _known = self.audits.set(audits);
    }

    pub(super) fn audits(&self) -> Option<&Audits> {
        self.audits.get()
    }

    /// The instance is the one of its id from now on.
    pub(crate) fn know(&self, id: &InstanceId, extension: &'static str, version: &'static str) {
        self.info.get_or_create(&InfoLabels { instance: Name(id.clone()), extension, version }).set(1);
    }

    /// The instance of this extension is no more; what it did stays counted.
    pub(crate) fn forget(&self, id: &InstanceId, extension: &'static str, version: &'static str) {
        let instance = Name(id.clone());
        self.info.remove(&InfoLabels { instance: instance.clone(), extension, version });
        self.out_of_service.remove(&InstanceLabels { instance });
    }

    /// The metrics of one instance.
    pub(crate) fn of(&self, id: &InstanceId) -> Arc<InstanceMetrics> {
        let instance = Name(id.clone());
        let codes = Arc::clone(self.codes.lock().entry(id.clone()).or_default());
        let places = Hook::ALL.len() * HookResult::ALL.len();
        Arc::new(InstanceMetrics {
            families: self.clone(),
            instance,
            calls: (0..places).map(|_| OnceLock::new()).collect(),
            seconds: Hook::ALL.iter().map(|_| OnceLock::new()).collect(),
            codes,
        })
    }
}

/// What one instance does.
pub(crate) struct InstanceMetrics {
    families: InstanceFamilies,
    instance: Name<InstanceId>,
    /// By hook and result; a series begins to exist with its first call.
    calls: Box<[OnceLock<Counter>]>,
    seconds: Box<[OnceLock<Histogram>]>,
    codes: Codes,
}

impl InstanceMetrics {
    fn hook_labels(&self, hook: Hook) -> HookLabels {
        HookLabels { instance: self.instance.clone(), hook: hook.as_str() }
    }

    fn instance_labels(&self) -> InstanceLabels {
        InstanceLabels { instance: self.instance.clone() }
    }

    fn tenant(&self, tenant: Option<&TenantId>) -> String {
        match tenant {
            None => "-".to_owned(),
            Some(tenant) if self.families.tenants.load().contains(tenant) => tenant.to_string(),
            Some(_) => OTHER.to_owned(),
        }
    }

    /// A code as a label: extensions make codes, so that their number is bounded here.
    fn code(&self, code: &str) -> String {
        if self.codes.read().contains(code) {
            return code.to_owned();
        }
        let mut codes = self.codes.write();
        if codes.len() >= CODES_MAX {
            return OTHER.to_owned();
        }
        codes.insert(code.to_owned());
        code.to_owned()
    }
}

impl InstanceObserver for InstanceMetrics {
    fn called(&self, hook: Hook, result: HookResult, calls: u64, took: Duration) {
        let place = hook.index() * HookResult::ALL.len() + result as usize;
        if let Some(counter) = self.calls.get(place) {
            let labels = || CallLabels {
                instance: self.instance.clone(),
                hook: hook.as_str(),
                result: result.as_str(),
            };
            counter.get_or_init(|| self.families.calls.get_or_create_owned(&labels())).inc_by(calls);
        }
        if let Some(seconds) = self.seconds.get(hook.index()) {
            let histogram =
                seconds.get_or_init(|| self.families.seconds.get_or_create_owned(&self.hook_labels(hook)));
            histogram.observe(took.as_secs_f64());
        }
    }

    fn edited(&self, hook: Hook, edits: u64) {
        self.families.edits.get_or_create(&self.hook_labels(hook)).inc_by(edits);
    }

    fn denied(&self, hook: Hook, code: &str, tenant: Option<&TenantId>, in_force: bool) {
        let labels = DenialLabels {
            instance: self.instance.clone(),
            hook: hook.as_str(),
            code: self.code(code),
            tenant: self.tenant(tenant),
            mode: if in_force { "enforce" } else { "shadow" },
        };
        self.families.denials.get_or_create(&labels).inc();
    }

    fn failed(&self, hook: Hook, result: HookResult, tenant: Option<&TenantId>) {
        let labels = FailureLabels {
            instance: self.instance.clone(),
            hook: hook.as_str(),
            cause: result.as_str(),
            tenant: self.tenant(tenant),
        };
        self.families.failures.get_or_create(&labels).inc();
    }

    fn held(&self, bytes: u64, time: Duration) {
        let labels = self.instance_labels();
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.families.held_bytes.get_or_create(&labels).observe(f64::from(bytes));
        self.families.held_seconds.get_or_create(&labels).observe(time.as_secs_f64());
    }

    fn stalled(&self, hook: Hook) {
        self.families.stalls.get_or_create(&self.hook_labels(hook)).inc();
    }

    fn quarantined(&self, why: Option<OutOfService>) {
        let gauge = self.families.out_of_service.get_or_create_owned(&self.instance_labels());
        let was_out = gauge.set(i64::from(why.is_some())) != 0;
        if let (Some(why), false, Some(audits)) = (why, was_out, self.families.audits.get()) {
            audits.quarantined(&self.instance.0, why);
        }
    }
}
