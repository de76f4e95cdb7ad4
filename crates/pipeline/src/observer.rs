//! What the data path tells the outside about itself, as facts. The `gateway` crate turns them into metrics and
//! audit records.

use std::time::Duration;

use gatewright::record::UsageRecord;
use gatewright::{AuditRecord, TenantId};

use crate::hook::Hook;

/// Receives facts on the data path. Every method must be cheap and must not block.
pub trait Observer: Send + Sync + 'static {
    /// An exchange began.
    fn exchange_began(&self);
    /// An exchange ended, with the record of its last attempt. An exchange that nobody
    /// authenticated has placeholder names (`-`).
    fn exchange_ended(&self, record: &UsageRecord);
    /// An attempt that was not the exchange's last one failed.
    fn attempt_failed(&self, record: &UsageRecord);
    /// A further question of an extension was answered, or not.
    fn asked(&self, record: &UsageRecord);
    /// Time passed between two events of a stream.
    fn gap(&self, gap: Duration);
    /// A record could not be written in time.
    fn record_delayed(&self, tenant: &TenantId);
    /// Something that people must be able to look up.
    fn audit(&self, record: AuditRecord);
}

/// Learns what one instance does. Its labels are resolved when it is made, so that a call costs a few atomics.
pub trait InstanceObserver: Send + Sync + 'static {
    /// A hook ran. Hooks that run per event of a stream are reported once per answer, with the number of calls and
    /// the time of all together.
    fn called(&self, hook: Hook, result: HookResult, calls: u64, took: Duration);
    /// It changed something: texts, fields, events.
    fn edited(&self, hook: Hook, edits: u64);
    /// It denied or cut an exchange; without force for an instance that only watches.
    fn denied(&self, hook: Hook, code: &str, tenant: Option<&TenantId>, in_force: bool);
    /// It failed.
    fn failed(&self, hook: Hook, result: HookResult, tenant: Option<&TenantId>);
    /// One answer's text was held back: the most bytes at a time, and for how long some were held.
    fn held(&self, bytes: u64, time: Duration);
    /// A hook does not return.
    fn stalled(&self, hook: Hook);
    /// It went out of service for this reason, or, without one, is in service.
    fn quarantined(&self, why: Option<OutOfService>);
}

/// Why an instance is out of service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutOfService {
    /// It failed repeatedly.
    Failures,
    /// One of its hooks does not return.
    Stalled,
}

impl OutOfService {
    /// The reason for records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Failures => "failures",
            Self::Stalled => "stalled",
        }
    }

    /// The reason for people.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Failures => "it failed repeatedly",
            Self::Stalled => "a hook does not return",
        }
    }
}

/// What came of a hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HookResult {
    /// It let the exchange go on.
    Passed,
    /// It denied or cut the exchange.
    Denied,
    /// It returned an error.
    Error,
    /// It passed its deadline.
    Timeout,
    /// It panicked.
    Panic,
    /// It was not called: its instance is out of service.
    Quarantined,
    /// It was not called: too many of its calls run.
    Busy,
}

impl HookResult {
    /// All results.
    pub const ALL: &[Self] =
        &[Self::Passed, Self::Denied, Self::Error, Self::Timeout, Self::Panic, Self::Quarantined, Self::Busy];

    /// The label's value in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Denied => "denied",
            Self::Error => "error",
            Self::Timeout => "timeout",
            Self::Panic => "panic",
            Self::Quarantined => "quarantined",
            Self::Busy => "busy",
        }
    }
}

/// Tells nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {
    fn exchange_began(&self) {}
    fn exchange_ended(&self, _: &UsageRecord) {}
    fn attempt_failed(&self, _: &UsageRecord) {}
    fn asked(&self, _: &UsageRecord) {}
    fn gap(&self, _: Duration) {}
    fn record_delayed(&self, _: &TenantId) {}
    fn audit(&self, _: AuditRecord) {}
}

impl InstanceObserver for Silent {
    fn called(&self, _: Hook, _: HookResult, _: u64, _: Duration) {}
    fn edited(&self, _: Hook, _: u64) {}
    fn denied(&self, _: Hook, _: &str, _: Option<&TenantId>, _: bool) {}
    fn failed(&self, _: Hook, _: HookResult, _: Option<&TenantId>) {}
    fn held(&self, _: u64, _: Duration) {}
    fn stalled(&self, _: Hook) {}
    fn quarantined(&self, _: Option<OutOfService>) {}
}
