//! Small extensions at the points that models and providers name: credentials, pickers, estimators.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gatewright::prelude::*;
use gatewright::service::meter::Counter;
use gatewright::{Candidate, CredentialQuery, CredentialScope, Found, Shown, Try, TryResult};

/// How the vault keeps its credentials.
#[gatewright::config]
#[derive(Clone, Debug)]
pub(crate) struct VaultSettings {
    /// Whom else a credential serves.
    scope: Scope,
    /// How long it may be kept.
    keep_ms: u64,
}

/// Whom a credential serves.
#[gatewright::config]
#[derive(Clone, Copy, Debug)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Scope {
    /// Everybody.
    Everyone,
    /// The tenant.
    Tenant,
    /// The key.
    Key,
    /// The user.
    User,
}

/// Gives each caller a credential that names them and how often one was asked for. The tenant `plain` has none.
pub(crate) struct Vault {
    settings: VaultSettings,
    asked: AtomicU64,
    asks: Arc<dyn Counter>,
    refusals: Arc<dyn Counter>,
}

impl Extension for Vault {
    const NAME: &'static str = "vault";
    type Config = VaultSettings;

    async fn create(settings: VaultSettings, env: ExtEnv) -> Result<Self, BuildError> {
        let counter = |name| env.meter.counter(name, "What the vault was asked");
        Ok(Self { settings, asked: AtomicU64::new(0), asks: counter("asked"), refusals: counter("refused") })
    }
}

#[async_trait]
impl CredentialProvider for Vault {
    async fn credential(&self, query: &CredentialQuery<'_>) -> HookResult<Option<Found>> {
        self.asks.add(1);
        let tenant = &query.principal.tenant;
        if tenant.as_str() == "plain" {
            return Ok(None);
        }
        tokio::task::yield_now().await;
        let number = self.asked.fetch_add(1, Ordering::Relaxed) + 1;
        let user = query.principal.user.as_deref().unwrap_or("-");
        let scope = match self.settings.scope {
            Scope::Everyone => CredentialScope::Everyone,
            Scope::Tenant => CredentialScope::Tenant,
            Scope::Key => CredentialScope::Key,
            Scope::User => CredentialScope::User,
        };
        let credential = Shown::ApiKey(Secret::new(format!("vault-canary-{tenant}-{user}-{number}")));
        Ok(Some(Found { credential, scope, keep: Duration::from_millis(self.settings.keep_ms) }))
    }

    fn refused(&self, _: &CredentialQuery<'_>) {
        self.refusals.add(1);
    }
}

/// There is nothing to set.
#[gatewright::config]
#[derive(Debug)]
pub(crate) struct Nothing {}

/// Picks the cheapest target, and says in the log what it learns of tries.
pub(crate) struct Cheapest;

impl Extension for Cheapest {
    const NAME: &'static str = "cheapest";
    type Config = Nothing;

    async fn create(_: Nothing, _: ExtEnv) -> Result<Self, BuildError> {
        Ok(Self)
    }
}

impl TargetPicker for Cheapest {
    fn pick(&self, candidates: &[Candidate], _: &LlmRequest, _: &RequestCx) -> HookResult<Option<usize>> {
        let open = candidates.iter().enumerate().filter(|(_, target)| !target.is_tried);
        let priced = open.filter_map(|(place, target)| Some((place, target.price?)));
        Ok(priced.min_by_key(|(_, price)| *price).map(|(place, _)| place))
    }

    fn observe(&self, tried: &Try<'_>) {
        let result = match tried.result {
            TryResult::Answered => "answered".to_owned(),
            TryResult::Failed(kind) => format!("{kind:?}"),
        };
        tracing::info!(provider = %tried.provider, model = tried.model, result, "Tried");
    }
}

/// What the estimator says.
#[gatewright::config]
#[derive(Debug)]
pub(crate) struct Tokens {
    tokens: u64,
}

/// Says the same of every request.
pub(crate) struct Constant(u64);

impl Extension for Constant {
    const NAME: &'static str = "constant";
    type Config = Tokens;

    async fn create(settings: Tokens, _: ExtEnv) -> Result<Self, BuildError> {
        Ok(Self(settings.tokens))
    }
}

impl TokenEstimator for Constant {
    fn input_tokens(&self, _: &LlmRequest, _: &str) -> HookResult<Option<u64>> {
        Ok(Some(self.0))
    }
}

gatewright::register!(Vault => CredentialProvider);
gatewright::register!(Cheapest => TargetPicker);
gatewright::register!(Constant => TokenEstimator);
