//! Authenticates callers by JSON web tokens (RFC 7519) of OpenID Connect issuers.
//!
//! A token has to be signed by a key that its issuer publishes, by an algorithm that the settings list, for an audience
//! that is this gateway. Keys are fetched before they are needed and kept while the issuer is out of reach. What the
//! token says of its keys (`jku`, `x5u`, `jwk`) is never followed. The rules are those of RFC 8725, and what a token
//! must not do stands as a table in the tests.

mod claims;
mod issuer;
mod json;
mod keys;
mod settings;
mod token;

use std::sync::Arc;
use std::time::UNIX_EPOCH;

use gatewright::prelude::*;
use gatewright::service::task::TaskScope;

use crate::issuer::Issuer;
pub use crate::settings::{Algorithm, Claims, IssuerSettings, Settings, Source};
use crate::token::{Token, looks_like_one};

/// Authenticates by tokens.
#[derive(Debug)]
pub struct Oidc {
    issuers: Vec<Arc<Issuer>>,
}

impl Extension for Oidc {
    const NAME: &'static str = "oidc";
    type Config = Settings;

    async fn create(config: Settings, env: ExtEnv) -> Result<Self, BuildError> {
        config.check()?;
        let previous = env.previous::<Self>();
        let issuers = config.issuers.into_iter().map(|settings| {
            let issuer = Issuer::new(settings, env.clone());
            if let Some(previous) = &previous {
                issuer.take_over(&previous.issuers);
            }
            Arc::new(issuer)
        });
        Ok(Self { issuers: issuers.collect() })
    }

    async fn start(self: &Arc<Self>, tasks: &mut TaskScope) -> Result<(), BuildError> {
        for issuer in &self.issuers {
            let issuer = Arc::clone(issuer);
            tasks.spawn("keys", move || {
                let issuer = Arc::clone(&issuer);
                async move { issuer.keep_fresh().await }
            });
        }
        Ok(())
    }

    /// Ready when the keys of every issuer are known.
    fn ready(&self) -> bool {
        self.issuers.iter().all(|issuer| issuer.has_keys())
    }
}

#[async_trait]
impl Authenticator for Oidc {
    async fn authenticate(&self, head: &RequestHead<'_>) -> HookResult<AuthVerdict> {
        let Some(text) = head.keys().find(|key| looks_like_one(key)) else { return Ok(AuthVerdict::Abstain) };
        match self.judge(text).await {
            Ok(principal) => Ok(AuthVerdict::Accept(Arc::new(principal))),
            // Which rule a token broke is for the operator, not for who presents it.
            Err(Refusal::Token(why)) => {
                gatewright::tracing::debug!(why, "Token refused");
                Ok(AuthVerdict::Reject(Box::new(Denial::unauthenticated(
                    "invalid_token",
                    "the token is not valid here; get a new one from its issuer, for this gateway's audience",
                ))))
            }
            Err(Refusal::NoKeys(error)) => Err(error),
        }
    }
}

impl Oidc {
    async fn judge(&self, text: &[u8]) -> Result<Principal, Refusal> {
        let token = Token::parse(text)?;
        let issuer = self.issuers.iter().find(|issuer| issuer.settings.issuer == token.issuer());
        let issuer = issuer.ok_or(Refusal::Token("its issuer is not listed"))?;
        let now = issuer.env.clock.wall().duration_since(UNIX_EPOCH).unwrap_or_default();
        token.check_head(&issuer.settings)?;
        token.check_claims(&issuer.settings, now)?;
        let key = issuer.key(&token).await?;
        token.check_signature(&key)?;
        Ok(issuer.settings.claims.principal(&token.claims, &issuer.settings)?)
    }
}

/// Why a token lets nobody in.
#[derive(Debug)]
enum Refusal {
    /// The token is at fault.
    Token(&'static str),
    /// The issuer's keys are not known, so nobody can tell.
    NoKeys(ExtError),
}

impl From<&'static str> for Refusal {
    fn from(why: &'static str) -> Self {
        Self::Token(why)
    }
}

gatewright::register!(Oidc => Authenticator);

#[cfg(test)]
mod tests;
