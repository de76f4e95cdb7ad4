//! What security and operations must be able to look up later: who was refused, what was cut, what changed.

use std::borrow::Cow;
use std::sync::Arc;

use async_trait::async_trait;

use crate::{ExtError, InstanceId, RequestId, RouteName, TenantId};

/// Something that happened. It carries no prompt, no answer and no secret.
#[derive(Clone, Debug)]
pub struct AuditRecord {
    /// When, in milliseconds of Unix time.
    pub at_unix_ms: u64,
    /// What.
    pub action: AuditAction,
    /// The exchange, if it belongs to one.
    pub request_id: Option<RequestId>,
    /// The tenant of the caller, if one is known.
    pub tenant: Option<TenantId>,
    /// The label of the caller's key, if one is known.
    pub key_label: Option<Arc<str>>,
    /// The route, if one was matched.
    pub route: Option<RouteName>,
    /// The instance that decided or failed.
    pub instance: Option<InstanceId>,
    /// The machine-readable code of the decision.
    pub code: Option<Cow<'static, str>>,
    /// One sentence for people.
    pub summary: Cow<'static, str>,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AuditAction {
    /// A caller was not accepted.
    Unauthenticated,
    /// An instance refused a request.
    Denied,
    /// An instance cut an answer off.
    Cut,
    /// An instance failed, and its policy let the exchange go on or not.
    ExtensionFailed,
    /// An instance was taken out of service.
    Quarantined,
    /// A configuration was put to use, or refused.
    Reloaded,
}

impl AuditAction {
    /// One word for records and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unauthenticated => "unauthenticated",
            Self::Denied => "denied",
            Self::Cut => "cut",
            Self::ExtensionFailed => "extension_failed",
            Self::Quarantined => "quarantined",
            Self::Reloaded => "reloaded",
        }
    }
}

/// Receives audit records in batches, off the data path, at least once each.
///
/// The configuration lists the instances under `audit`.
///
/// # Example
///
/// ```
/// use gatewright::prelude::*;
/// use gatewright::AuditRecord;
/// use std::sync::Arc;
///
/// struct Denials(std::sync::atomic::AtomicUsize);
///
/// #[async_trait]
/// impl AuditSink for Denials {
///     async fn deliver(&self, records: &[Arc<AuditRecord>]) -> Result<(), ExtError> {
///         let denials = records.iter().filter(|record| record.action == AuditAction::Denied).count();
///         self.0.fetch_add(denials, std::sync::atomic::Ordering::Relaxed);
///         Ok(())
///     }
/// }
/// ```
#[async_trait]
pub trait AuditSink: Send + Sync + 'static {
    /// Delivers a batch. The host delivers a refused batch again, with the same records.
    ///
    /// # Errors
    ///
    /// When the batch was not taken.
    ///
    /// # Cancellation
    ///
    /// Dropped at the instance's deadline; the batch counts as not taken.
    async fn deliver(&self, records: &[Arc<AuditRecord>]) -> Result<(), ExtError>;
}
