//! What the data path tells the outside about itself, as facts. One implementation in the
//! `gateway` crate turns them into metrics.

use std::time::Duration;

use gatewright::point::Point;
use gatewright::record::UsageRecord;
use gatewright::{InstanceId, TenantId};

/// Receives facts on the data path. Every method must be cheap and must not block.
pub trait Observer: Send + Sync + 'static {
    /// An exchange began.
    fn exchange_began(&self);
    /// An exchange ended, with the record of its last attempt. An exchange that nobody
    /// authenticated has placeholder names (`-`).
    fn exchange_ended(&self, record: &UsageRecord);
    /// An attempt that was not the exchange's last one failed.
    fn attempt_failed(&self, record: &UsageRecord);
    /// Time passed between two events of a stream.
    fn gap(&self, gap: Duration);
    /// A hook ran.
    fn hook(&self, event: &HookEvent<'_>);
    /// A record could not be written in time.
    fn record_delayed(&self, tenant: &TenantId);
}

/// A hook ran.
#[derive(Clone, Copy, Debug)]
pub struct HookEvent<'a> {
    /// The instance.
    pub instance: &'a InstanceId,
    /// Where it was called.
    pub point: Point,
    /// How many calls this event stands for: hooks that run per event of a stream are reported
    /// once per answer.
    pub calls: u64,
    /// How long the calls took together.
    pub took: Duration,
    /// What came of it.
    pub result: HookOutcome,
}

/// What came of a hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HookOutcome {
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
}

impl HookOutcome {
    /// The label's value in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Denied => "denied",
            Self::Error => "error",
            Self::Timeout => "timeout",
            Self::Panic => "panic",
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
    fn gap(&self, _: Duration) {}
    fn hook(&self, _: &HookEvent<'_>) {}
    fn record_delayed(&self, _: &TenantId) {}
}
