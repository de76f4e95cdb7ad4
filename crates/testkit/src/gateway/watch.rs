//! What the test kit puts around the parts of an embedded gateway: fakes, wires, and a place for everything that it
//! says of itself.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use gatewright::record::UsageRecord;
use gatewright::registry::Instance;
use gatewright::{AuditRecord, ExtEnv, InstanceId, TenantId};
use gatewright_gateway::embed::Wrap;
use gatewright_pipeline::{InstanceObserver, Ledger, Observer, Receipt};
use parking_lot::Mutex;

use super::post::{Counting, Post};
use super::wired::wire;
use crate::service::Failing;

/// The most records of a kind that are remembered.
const RECORDS_MAX: usize = 10_000;

/// Everything that a test can ask of a gateway, shared with its parts.
#[derive(Clone, Debug, Default)]
pub(super) struct Watch(Arc<Notes>);

#[derive(Debug, Default)]
struct Notes {
    /// One per instance id of any configuration so far.
    posts: Mutex<HashMap<InstanceId, Arc<Post>>>,
    records: Mutex<Vec<UsageRecord>>,
    audits: Mutex<Vec<AuditRecord>>,
}

impl Watch {
    /// What is known of an instance.
    pub(super) fn post(&self, id: &InstanceId) -> Arc<Post> {
        Arc::clone(self.0.posts.lock().entry(id.clone()).or_default())
    }

    /// The same, where there was such an instance.
    pub(super) fn known(&self, id: &InstanceId) -> Option<Arc<Post>> {
        self.0.posts.lock().get(id).map(Arc::clone)
    }

    /// What is known of all instances.
    pub(super) fn posts(&self) -> Vec<Arc<Post>> {
        self.0.posts.lock().values().map(Arc::clone).collect()
    }

    pub(super) fn records(&self) -> Vec<UsageRecord> {
        self.0.records.lock().clone()
    }

    pub(super) fn audits(&self) -> Vec<AuditRecord> {
        self.0.audits.lock().clone()
    }
}

impl Wrap for Watch {
    fn env(&self, env: ExtEnv) -> ExtEnv {
        let post = self.post(&env.instance);
        let faults = &post.faults;
        ExtEnv {
            limits: Failing::new("limits", faults, env.limits),
            http: Failing::new("http", faults, Arc::new(post.http.clone())),
            cache: Failing::new("cache", faults, env.cache),
            kv: Failing::new("kv", faults, env.kv),
            sql: Failing::new("sql", faults, env.sql),
            secrets: Failing::new("secrets", faults, env.secrets),
            meter: Arc::new(post.meter.clone()),
            ..env
        }
    }

    fn instance(&self, id: &InstanceId, instance: Instance) -> Instance {
        wire(&self.post(id), instance)
    }

    fn instance_observer(
        &self,
        id: &InstanceId,
        observer: Arc<dyn InstanceObserver>,
    ) -> Arc<dyn InstanceObserver> {
        Arc::new(Counting { post: self.post(id), inner: observer })
    }

    fn observer(&self, observer: Arc<dyn Observer>) -> Arc<dyn Observer> {
        Arc::new(Listening { watch: self.clone(), inner: observer })
    }

    fn ledger(&self, ledger: Arc<dyn Ledger>) -> Arc<dyn Ledger> {
        Arc::new(Listening { watch: self.clone(), inner: ledger })
    }
}

/// Hears what the gateway says, and passes it on.
struct Listening<T: ?Sized> {
    watch: Watch,
    inner: Arc<T>,
}

impl Observer for Listening<dyn Observer> {
    fn exchange_began(&self) {
        self.inner.exchange_began();
    }

    fn exchange_ended(&self, record: &UsageRecord) {
        self.inner.exchange_ended(record);
    }

    fn attempt_failed(&self, record: &UsageRecord) {
        self.inner.attempt_failed(record);
    }

    fn asked(&self, record: &UsageRecord) {
        self.inner.asked(record);
    }

    fn gap(&self, gap: Duration) {
        self.inner.gap(gap);
    }

    fn record_delayed(&self, tenant: &TenantId) {
        self.inner.record_delayed(tenant);
    }

    fn audit(&self, record: AuditRecord) {
        let audits = &mut *self.watch.0.audits.lock();
        if audits.len() < RECORDS_MAX {
            audits.push(record.clone());
        }
        self.inner.audit(record);
    }
}

impl Ledger for Listening<dyn Ledger> {
    fn append(&self, record: UsageRecord) -> Receipt {
        let records = &mut *self.watch.0.records.lock();
        if records.len() < RECORDS_MAX {
            records.push(record.clone());
        }
        self.inner.append(record)
    }
}
