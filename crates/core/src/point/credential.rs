//! What a provider is shown: the key of a project, a token from a vault, the caller's own account.

use std::time::Duration;

use async_trait::async_trait;
use http::{HeaderName, HeaderValue};

use crate::{HookResult, Principal, ProviderName, Secret};

/// For whom and for what a credential is wanted.
#[derive(Clone, Copy, Debug)]
pub struct CredentialQuery<'a> {
    /// The caller.
    pub principal: &'a Principal,
    /// The provider that will see it.
    pub provider: &'a ProviderName,
    /// The provider's base URL, for example `https://api.example.com/v1`.
    pub base_url: &'a str,
    /// The model name that the provider is asked for.
    pub model: &'a str,
}

/// Who may be served with a credential that was found once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CredentialScope {
    /// Every caller.
    Everyone,
    /// Every caller of the tenant.
    Tenant,
    /// Every caller with the same key label.
    Key,
    /// Every caller with the same user.
    User,
}

/// A credential and how long it may be kept.
#[derive(Clone, Debug)]
pub struct Found {
    /// What the provider is shown.
    pub credential: Shown,
    /// Whom else it serves.
    pub scope: CredentialScope,
    /// How long the host may keep it; zero asks anew each time.
    pub keep: Duration,
}

/// What a provider is shown.
#[derive(Clone, Debug)]
pub enum Shown {
    /// An API key, which the provider's adapter puts into its own header.
    ApiKey(Secret),
    /// A header as it stands.
    Header(HeaderName, HeaderValue),
}

/// Finds the credential of a call.
///
/// A provider of the configuration names the instance under `credential`. The host keeps what was found, per
/// provider and [`CredentialScope`], never logs it, and adds it last, to calls to the provider's own origin only.
///
/// # Example
///
/// ```
/// use gatewright::prelude::*;
/// use gatewright::{CredentialQuery, CredentialScope, Found, Shown};
/// use std::collections::HashMap;
/// use std::time::Duration;
///
/// struct KeyPerTenant(HashMap<String, Secret>);
///
/// #[async_trait]
/// impl CredentialProvider for KeyPerTenant {
///     async fn credential(&self, query: &CredentialQuery<'_>) -> HookResult<Option<Found>> {
///         Ok(self.0.get(query.principal.tenant.as_str()).map(|key| Found {
///             credential: Shown::ApiKey(key.clone()),
///             scope: CredentialScope::Tenant,
///             keep: Duration::from_secs(300),
///         }))
///     }
/// }
/// ```
#[async_trait]
pub trait CredentialProvider: Send + Sync + 'static {
    /// Finds the credential of a call. `None` leaves it to the provider's own `api_key`.
    ///
    /// # Errors
    ///
    /// A failure of the extension itself; the instance's policy decides (by default the attempt fails).
    ///
    /// # Cancellation
    ///
    /// Dropped at the instance's deadline, and when the client leaves.
    async fn credential(&self, query: &CredentialQuery<'_>) -> HookResult<Option<Found>>;

    /// The provider refused what was shown for this query. The host has forgotten it already.
    fn refused(&self, query: &CredentialQuery<'_>) {
        let _ = query;
    }
}
