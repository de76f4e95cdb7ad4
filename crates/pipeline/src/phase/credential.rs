//! What the provider of an attempt is shown: found by an extension and kept, or the provider's own key.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use gatewright::{CredentialQuery, CredentialScope, Found, Principal, Shown, TenantId};
use gatewright_upstream::Credential;
use parking_lot::Mutex;

use crate::course::Course;
use crate::failure::Refusal;
use crate::hook::Hook;
use crate::hooked::Hooked;
use crate::state::Picked;
use crate::subject::Subject;

/// The most credentials that are kept for one provider; beyond it, all are found anew.
const KEPT_MAX: usize = 10_000;

/// A provider's source of credentials, and what it found.
pub struct Credentials {
    hooked: Arc<Hooked>,
    kept: Mutex<HashMap<Scope, (Credential, Instant)>>,
}

/// Whom a kept credential serves. A tenant is in every scope but the one of everybody.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Scope {
    Everyone,
    Tenant(TenantId),
    Key(TenantId, Arc<str>),
    User(TenantId, Arc<str>),
}

impl Credentials {
    /// A source that found nothing yet.
    #[must_use]
    pub fn new(hooked: Arc<Hooked>) -> Self {
        Self { hooked, kept: Mutex::default() }
    }

    fn kept(&self, principal: &Principal, now: Instant) -> Option<Credential> {
        let kept = self.kept.lock();
        let scopes = scopes(principal);
        let found = scopes.into_iter().flatten().find_map(|scope| kept.get(&scope));
        found.filter(|(_, until)| now < *until).map(|(credential, _)| credential.clone())
    }

    fn keep(&self, scope: Scope, credential: Credential, until: Instant) {
        let mut kept = self.kept.lock();
        if kept.len() >= KEPT_MAX {
            kept.clear();
        }
        kept.insert(scope, (credential, until));
    }

    /// The provider refused what it was shown: it is forgotten, and its source learns it.
    pub(crate) fn refused(&self, course: &Course, principal: &Principal, picked: &Picked) {
        {
            let mut kept = self.kept.lock();
            for scope in scopes(principal).into_iter().flatten() {
                kept.remove(&scope);
            }
        }
        let Some(source) = &self.hooked.instance.credential else { return };
        let base_url = picked.provider.destination.origin().to_string();
        let told = self.hooked.run(Hook::Credential, || {
            source.refused(&query(principal, picked, &base_url));
            Ok(())
        });
        if let Err(fault) = told {
            // The attempt has failed already; the log names the instance.
            let _fate = self.hooked.judge(Hook::Credential, &fault, &Subject::of(course));
        }
    }
}

/// What the provider of an attempt is shown.
pub(crate) async fn find(course: &mut Course, picked: &Picked) -> Result<Option<Credential>, Refusal> {
    let own = picked.provider.credential.clone();
    let (Some(credentials), Some(principal)) = (&picked.provider.credentials, course.facts.principal.clone())
    else {
        return Ok(own);
    };
    let now = course.worker.clock.now();
    if let Some(kept) = credentials.kept(&principal, now) {
        return Ok(Some(kept));
    }
    let Some(source) = credentials.hooked.instance.credential.clone() else { return Ok(own) };
    let hooked = Arc::clone(&credentials.hooked);
    if course.withholds(&hooked, Hook::Credential) {
        return Ok(own);
    }
    let worker = Arc::clone(&course.worker);
    let base_url = picked.provider.destination.origin().to_string();
    let called = if hooked.is_isolated() {
        let state = (Arc::clone(&principal), picked.clone(), base_url);
        let ask = hooked.call_isolated(&worker, Hook::Credential, state, move |(principal, picked, url)| {
            Box::pin(async move { source.credential(&query(principal, picked, url)).await })
        });
        ask.await.1
    } else {
        let query = query(&principal, picked, &base_url);
        hooked.call(&worker, Hook::Credential, || source.credential(&query)).await
    };
    match course.heed(&hooked, Hook::Credential, called)?.flatten() {
        None => Ok(own),
        Some(found) => take(credentials, &principal, picked, found, now).map(Some).map_err(Into::into),
    }
}

/// Turns what was found into a header for the provider's origin, and keeps it as long as it may be kept.
fn take(
    credentials: &Credentials,
    principal: &Principal,
    picked: &Picked,
    found: Found,
    now: Instant,
) -> Result<Credential, gatewright::Failure> {
    let Found { credential, scope, keep } = found;
    let (name, mut value) = header(&picked.provider.hooked, credential)?;
    value.set_sensitive(true);
    let credential = Credential::new(name, value, Arc::clone(picked.provider.destination.origin()));
    if let Some(scope) = scope_of(scope, principal).filter(|_| !keep.is_zero()) {
        credentials.keep(scope, credential.clone(), now + keep);
    }
    Ok(credential)
}

fn header(
    adapter: &Hooked,
    shown: Shown,
) -> Result<(http::HeaderName, http::HeaderValue), gatewright::Failure> {
    match shown {
        Shown::Header(name, value) => Ok((name, value)),
        Shown::ApiKey(secret) => key_header(adapter, &secret).map_err(gatewright::Failure::internal),
    }
}

/// The header in which the adapter of a provider shows an API key.
///
/// # Errors
///
/// A text that says why the adapter makes none of it.
pub fn key_header(
    adapter: &Hooked,
    secret: &gatewright::Secret,
) -> Result<(http::HeaderName, http::HeaderValue), String> {
    let Some(provider) = &adapter.instance.provider else { return Err("it is no adapter".to_owned()) };
    let made = adapter.run(Hook::Credential, || Ok(provider.credential(secret)));
    match made {
        Ok(made) => made.map_err(|error| error.to_string()),
        Err(fault) => Err(format!("the adapter {fault}")),
    }
}

fn query<'q>(principal: &'q Principal, picked: &'q Picked, base_url: &'q str) -> CredentialQuery<'q> {
    CredentialQuery { principal, provider: &picked.provider.name, base_url, model: &picked.target.model }
}

/// All scopes of a caller, the narrowest first.
fn scopes(principal: &Principal) -> [Option<Scope>; 4] {
    [CredentialScope::User, CredentialScope::Key, CredentialScope::Tenant, CredentialScope::Everyone]
        .map(|scope| scope_of(scope, principal))
}

/// The scope of a caller; `None` for the user of a caller without one, whose credential is not kept.
fn scope_of(scope: CredentialScope, principal: &Principal) -> Option<Scope> {
    let tenant = || principal.tenant.clone();
    Some(match scope {
        CredentialScope::Everyone => Scope::Everyone,
        CredentialScope::Tenant => Scope::Tenant(tenant()),
        CredentialScope::Key => Scope::Key(tenant(), Arc::clone(&principal.key_label)),
        CredentialScope::User => Scope::User(tenant(), Arc::clone(principal.user.as_ref()?)),
    })
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("source", &self.hooked.id).finish_non_exhaustive()
    }
}
