//! What the provider of an attempt is shown: found by an extension and kept, or the provider's own key.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use gatewright::{
    CredentialQuery, CredentialScope, Failure, FailureKind, Found, Principal, Secret, Shown, Side, TenantId,
    UnsignedCall,
};
use gatewright_upstream::{Credential, Origin};
use http::uri::PathAndQuery;
use parking_lot::Mutex;

use crate::course::Course;
use crate::failure::Refusal;
use crate::hook::Hook;
use crate::hooked::Hooked;
use crate::phase::encode::Encoded;
use crate::state::Picked;
use crate::subject::Subject;

/// The most credentials that are kept for one provider; beyond it, all are found anew.
const KEPT_MAX: usize = 10_000;

/// A provider's source of credentials, and what it found.
pub struct Credentials {
    hooked: Arc<Hooked>,
    kept: Mutex<HashMap<Scope, (Proof, Instant)>>,
}

/// What the calls to a provider are authenticated with.
#[derive(Clone, Debug)]
pub enum Proof {
    /// The same headers for every call.
    Headers(Credential),
    /// A secret that signs each call.
    Secret(Secret),
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

    fn kept(&self, principal: &Principal, now: Instant) -> Option<Proof> {
        let kept = self.kept.lock();
        let scopes = scopes(principal);
        let found = scopes.into_iter().flatten().find_map(|scope| kept.get(&scope));
        found.filter(|(_, until)| now < *until).map(|(proof, _)| proof.clone())
    }

    fn keep(&self, scope: Scope, proof: Proof, until: Instant) {
        let mut kept = self.kept.lock();
        if kept.len() >= KEPT_MAX {
            kept.clear();
        }
        kept.insert(scope, (proof, until));
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

/// What the provider of an attempt is shown with a call.
pub(crate) async fn find(
    course: &mut Course,
    picked: &Picked,
    encoded: &Encoded,
) -> Result<Option<Credential>, Refusal> {
    match proof(course, picked).await? {
        None => Ok(None),
        Some(Proof::Headers(credential)) => Ok(Some(credential)),
        Some(Proof::Secret(_)) if course.upload.is_some() => Err(unsigned(picked).into()),
        Some(Proof::Secret(secret)) => Ok(Some(signed(course, picked, encoded, &secret)?)),
    }
}

/// A signature covers the whole body, and a body that flows is not there.
fn unsigned(picked: &Picked) -> Failure {
    let name = &picked.provider.name;
    let text = format!(
        "calls to the provider `{name}` are signed, so it takes no body as long as this one; shorten it"
    );
    Failure::new(Side::Client, FailureKind::Unsupported, text)
}

/// Has the adapter sign a call.
fn signed(
    course: &Course,
    picked: &Picked,
    encoded: &Encoded,
    secret: &Secret,
) -> Result<Credential, Failure> {
    let origin = picked.provider.destination.origin();
    let call = &encoded.call;
    let invalid = |what: String| Failure::internal(format!("the call cannot be signed: {what}"));
    let path = PathAndQuery::try_from(&*call.path).map_err(|error| invalid(error.to_string()))?;
    let path = origin.join(&path).map_err(|error| invalid(error.to_string()))?;
    let unsigned = UnsignedCall {
        method: &call.method,
        authority: origin.authority().to_str().map_err(|error| invalid(error.to_string()))?,
        path: path.as_str(),
        headers: &call.headers,
        body: &call.body,
        time: course.worker.clock.wall(),
    };
    let adapter = &picked.provider.adapter;
    let made = picked.provider.hooked.run(Hook::Credential, || Ok(adapter.sign(secret, &unsigned)));
    let headers = match made {
        Ok(made) => made.map_err(|error| invalid(error.to_string()))?,
        Err(fault) => return Err(invalid(format!("the adapter {fault}"))),
    };
    Ok(Credential::of_headers(headers, Arc::clone(origin)))
}

/// What authenticates calls to the provider of an attempt: found by an extension, or its own key.
async fn proof(course: &mut Course, picked: &Picked) -> Result<Option<Proof>, Refusal> {
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

/// Turns what was found into a proof for the provider's origin, and keeps it as long as it may be kept.
fn take(
    credentials: &Credentials,
    principal: &Principal,
    picked: &Picked,
    found: Found,
    now: Instant,
) -> Result<Proof, Failure> {
    let Found { credential, scope, keep } = found;
    let origin = picked.provider.destination.origin();
    let proof = match credential {
        Shown::Header(name, value) => Proof::Headers(Credential::new(name, value, Arc::clone(origin))),
        Shown::ApiKey(secret) => {
            Proof::of_key(&picked.provider.hooked, &secret, origin).map_err(Failure::internal)?
        }
    };
    if let Some(scope) = scope_of(scope, principal).filter(|_| !keep.is_zero()) {
        credentials.keep(scope, proof.clone(), now + keep);
    }
    Ok(proof)
}

impl Proof {
    /// What the adapter of a provider makes of an API key.
    ///
    /// # Errors
    ///
    /// A text that says why it makes nothing of it.
    pub fn of_key(adapter: &Hooked, secret: &Secret, origin: &Arc<Origin>) -> Result<Self, String> {
        let Some(provider) = &adapter.instance.provider else { return Err("it is no adapter".to_owned()) };
        let made = adapter.run(Hook::Credential, || {
            Ok(if provider.signs(secret) { None } else { Some(provider.credential(secret)) })
        });
        match made {
            Ok(None) => Ok(Self::Secret(secret.clone())),
            Ok(Some(made)) => {
                let (name, value) = made.map_err(|error| error.to_string())?;
                Ok(Self::Headers(Credential::new(name, value, Arc::clone(origin))))
            }
            Err(fault) => Err(format!("the adapter {fault}")),
        }
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
