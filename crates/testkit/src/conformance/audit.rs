//! Audit sinks: a batch is taken, or the sink says that it was not.

use std::sync::Arc;

use gatewright::{AuditAction, AuditSink, Extension, TenantId};

use super::sink::batches;
use super::suite::Suite;
use crate::extension::audit_record;

/// As [`usage_sink`](super::usage_sink), for audit records.
///
/// # Panics
/// If that does not hold.
pub fn audit_sink<E: Extension + AuditSink>(suite: &Suite<E>) {
    let actions = [
        AuditAction::Unauthenticated,
        AuditAction::Denied,
        AuditAction::Cut,
        AuditAction::ExtensionFailed,
        AuditAction::Quarantined,
        AuditAction::Reloaded,
    ];
    let tenants = [None, Some(TenantId::new("tenant")), Some(TenantId::new("ü \"quoted\"\n"))];
    let records: Vec<_> = actions
        .into_iter()
        .flat_map(|action| tenants.iter().map(move |tenant| Arc::new(audit_record(action, tenant.clone()))))
        .collect();
    batches(suite, &records, |sink, batch| sink.deliver(batch));
}
