//! What a test kit knows of one instance, and does to it: its fakes, its figures, its reservations, and the hooks that
//! are to panic.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Weak};
use std::time::Duration;

use gatewright::bytes::Bytes;
use gatewright::{Money, Outcome, TenantId};
use gatewright_pipeline::{Hook, HookResult, InstanceObserver, OutOfService};
use parking_lot::Mutex;

use crate::service::{FakeHttp, Faults, RecordingMeter};

/// The most calls to providers that are remembered.
const CALLS_MAX: usize = 10_000;

/// One instance of the configuration, across its generations.
#[derive(Debug, Default)]
pub(super) struct Post {
    pub(super) faults: Faults,
    pub(super) http: FakeHttp,
    pub(super) meter: RecordingMeter,
    pub(super) state: Mutex<State>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) figures: Figures,
    pub(super) reservations: Reservations,
    /// Every object that was made for the id, as long as it lives.
    pub(super) objects: Vec<Weak<dyn Any + Send + Sync>>,
    /// What an adapter of this id sent.
    pub(super) sent: Vec<Bytes>,
    panics: BTreeSet<Hook>,
}

/// The reservations that a limiter granted, and what became of them.
#[derive(Clone, Debug, Default)]
pub struct Reservations {
    /// How many were granted.
    pub granted: usize,
    /// How each that was settled ended, in order.
    pub settled: Vec<Settlement>,
    /// How many were dropped without being settled, which the gateway must never do.
    pub lost: usize,
}

/// How one reservation was settled.
#[derive(Clone, Debug)]
pub struct Settlement {
    /// How the exchange ended.
    pub outcome: Outcome,
    /// What it cost, where the price is known.
    pub cost: Option<Money>,
}

/// What an instance did so far, as the gateway counts it for its metrics.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    calls: BTreeMap<Hook, HashMap<HookResult, u64>>,
    edits: BTreeMap<Hook, u64>,
    failures: BTreeMap<Hook, HashMap<HookResult, u64>>,
    /// The codes of its denials and cuts, in order; those of an instance that only watches too.
    pub denials: Vec<String>,
    /// The most text that it held back at a time, in bytes.
    pub held_bytes_max: u64,
    /// Whether it is out of service.
    pub is_out_of_service: bool,
}

impl Figures {
    /// How often a hook was called, whatever came of it.
    #[must_use]
    pub fn calls(&self, hook: Hook) -> u64 {
        self.calls.get(&hook).map_or(0, |results| results.values().sum())
    }

    /// How often a call of a hook had this result.
    #[must_use]
    pub fn results(&self, hook: Hook, result: HookResult) -> u64 {
        self.calls.get(&hook).and_then(|results| results.get(&result)).copied().unwrap_or_default()
    }

    /// How many texts, fields and events a hook changed.
    #[must_use]
    pub fn edits(&self, hook: Hook) -> u64 {
        self.edits.get(&hook).copied().unwrap_or_default()
    }

    /// How often a hook failed in this way.
    #[must_use]
    pub fn failures(&self, hook: Hook, result: HookResult) -> u64 {
        self.failures.get(&hook).and_then(|results| results.get(&result)).copied().unwrap_or_default()
    }

    /// The hooks that panicked.
    #[must_use]
    pub fn panicked(&self) -> Vec<Hook> {
        let panicked = self.failures.iter().filter(|(_, results)| results.contains_key(&HookResult::Panic));
        panicked.map(|(hook, _)| *hook).collect()
    }
}

impl Post {
    /// Lets a hook panic at its next call.
    pub(super) fn panic_in(&self, hook: Hook) {
        self.state.lock().panics.insert(hook);
    }

    /// The place inside a hook where it panics, if it is to.
    pub(super) fn trip(&self, hook: Hook) {
        let trips = self.state.lock().panics.remove(&hook);
        if trips {
            #[expect(clippy::panic, reason = "the test asked for it")]
            {
                panic!("the test lets `{}` panic", hook.as_str());
            }
        }
    }

    pub(super) fn note_sent(&self, body: &Bytes) {
        let sent = &mut self.state.lock().sent;
        if sent.len() < CALLS_MAX {
            sent.push(body.clone());
        }
    }
}

/// Counts what an instance does, beside the gateway's own metrics.
pub(super) struct Counting {
    pub(super) post: Arc<Post>,
    pub(super) inner: Arc<dyn InstanceObserver>,
}

impl InstanceObserver for Counting {
    fn called(&self, hook: Hook, result: HookResult, calls: u64, took: Duration) {
        *self.post.state.lock().figures.calls.entry(hook).or_default().entry(result).or_default() += calls;
        self.inner.called(hook, result, calls, took);
    }

    fn edited(&self, hook: Hook, edits: u64) {
        *self.post.state.lock().figures.edits.entry(hook).or_default() += edits;
        self.inner.edited(hook, edits);
    }

    fn denied(&self, hook: Hook, code: &str, tenant: Option<&TenantId>, in_force: bool) {
        self.post.state.lock().figures.denials.push(code.to_owned());
        self.inner.denied(hook, code, tenant, in_force);
    }

    fn failed(&self, hook: Hook, result: HookResult, tenant: Option<&TenantId>) {
        *self.post.state.lock().figures.failures.entry(hook).or_default().entry(result).or_default() += 1;
        self.inner.failed(hook, result, tenant);
    }

    fn held(&self, bytes: u64, time: Duration) {
        let figures = &mut self.post.state.lock().figures;
        figures.held_bytes_max = figures.held_bytes_max.max(bytes);
        self.inner.held(bytes, time);
    }

    fn stalled(&self, hook: Hook) {
        self.inner.stalled(hook);
    }

    fn quarantined(&self, why: Option<OutOfService>) {
        self.post.state.lock().figures.is_out_of_service = why.is_some();
        self.inner.quarantined(why);
    }
}
