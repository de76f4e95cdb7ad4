//! Whom something happened to, for those who look things up.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use gatewright::service::Clock;
use gatewright::{AuditAction, AuditRecord, Principal, RequestCx, RequestId, RouteName, TenantId};

use crate::course::Course;
use crate::hook::Hook;
use crate::hooked::Hooked;
use crate::observer::Observer;
use crate::worker::Worker;

/// An exchange, as far as audit records tell of it.
#[derive(Clone)]
pub(crate) struct Subject {
    id: RequestId,
    principal: Option<Arc<Principal>>,
    route: Option<RouteName>,
    clock: Arc<dyn Clock>,
    observer: Arc<dyn Observer>,
}

impl Subject {
    pub(crate) fn of(course: &Course) -> Self {
        Self {
            id: course.id,
            principal: course.facts.principal.clone(),
            route: course.facts.route.clone(),
            clock: Arc::clone(&course.worker.clock),
            observer: Arc::clone(&course.worker.observer),
        }
    }

    pub(crate) fn of_context(cx: &RequestCx, worker: &Worker) -> Self {
        Self {
            id: cx.id(),
            principal: Some(Arc::clone(cx.principal())),
            route: Some(cx.route().clone()),
            clock: Arc::clone(&worker.clock),
            observer: Arc::clone(&worker.observer),
        }
    }

    pub(crate) fn tenant(&self) -> Option<&TenantId> {
        self.principal.as_ref().map(|principal| &principal.tenant)
    }

    pub(crate) fn now(&self) -> std::time::Instant {
        self.clock.now()
    }

    /// Writes down what an instance did, or that nobody accepted a caller.
    pub(crate) fn audit(
        &self,
        action: AuditAction,
        by: Option<(&Hooked, Hook)>,
        code: impl Into<Cow<'static, str>>,
    ) {
        let at = self.clock.wall().duration_since(UNIX_EPOCH).unwrap_or_default();
        let summary = match by {
            Some((_, hook)) => format!("{} in the {} hook", action.as_str(), hook.as_str()).into(),
            None => Cow::Borrowed(action.as_str()),
        };
        self.observer.audit(AuditRecord {
            at_unix_ms: u64::try_from(at.as_millis()).unwrap_or(u64::MAX),
            action,
            request_id: Some(self.id),
            tenant: self.tenant().cloned(),
            key_label: self.principal.as_ref().map(|principal| Arc::clone(&principal.key_label)),
            route: self.route.clone(),
            instance: by.map(|(hooked, _)| hooked.id.clone()),
            code: Some(code.into()),
            summary,
        });
    }

    /// Counts a refusal or a cut of an instance, and writes it down unless the instance only watches.
    pub(crate) fn denied(&self, action: AuditAction, by: (&Hooked, Hook), code: &str) {
        let (hooked, hook) = by;
        hooked.gate.observer().denied(hook, code, self.tenant(), !hooked.is_shadow);
        if !hooked.is_shadow {
            self.audit(action, Some(by), code.to_owned());
        }
    }
}
