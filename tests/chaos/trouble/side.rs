//! Trouble beside the path: in deliveries.

use std::sync::Arc;

use gatewright::prelude::*;
use gatewright::record::UsageRecord;
use gatewright::{AuditRecord, AuditSink};

use super::{Hook, Trouble};

#[async_trait]
impl UsageSink for Trouble {
    async fn deliver(&self, _: &[Arc<UsageRecord>]) -> Result<(), ExtError> {
        self.settings.act_async(Hook::Deliver).await.map(drop)
    }
}

#[async_trait]
impl AuditSink for Trouble {
    async fn deliver(&self, _: &[Arc<AuditRecord>]) -> Result<(), ExtError> {
        self.settings.act_async(Hook::Audit).await.map(drop)
    }
}
