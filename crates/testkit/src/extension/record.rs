//! Records as the gateway hands them to sinks, for a test that gives what it cares for.

use std::sync::Arc;
use std::time::Duration;

use gatewright::dialect::Operation;
use gatewright::record::UsageRecord;
use gatewright::{
    AuditAction, AuditRecord, ModelName, Principal, ProviderName, RequestId, RouteName, Tags, TenantId,
    Usage, UsageSource,
};

/// The record of an answered chat request for the model `model` on the route `route`.
#[must_use]
pub fn usage_record(principal: Principal, usage: Usage) -> UsageRecord {
    UsageRecord {
        request_id: RequestId::new(1, 1),
        attempt: 1,
        principal: Arc::new(principal),
        route: RouteName::new("route"),
        operation: Operation::Chat,
        streamed: false,
        model_asked: ModelName::new("model"),
        model_served: Some(Arc::from("model")),
        provider: Some(ProviderName::new("provider")),
        status: 200,
        outcome: "completed",
        code: None,
        usage,
        usage_source: UsageSource::Provider,
        cost: None,
        started_unix_ms: 1_000,
        time_to_first_token: Some(Duration::from_millis(100)),
        total: Duration::from_millis(200),
        overhead: Duration::from_millis(1),
        losses: Vec::new(),
        tags: Tags::default(),
    }
}

/// The record of something that happened to a tenant, or to nobody.
#[must_use]
pub fn audit_record(action: AuditAction, tenant: Option<TenantId>) -> AuditRecord {
    AuditRecord {
        at_unix_ms: 1_000,
        action,
        request_id: None,
        tenant,
        key_label: None,
        route: None,
        instance: None,
        code: None,
        summary: "it happened".into(),
    }
}
