//! Finds access tokens of Microsoft Entra ID: of a service principal, or of the machine's managed identity.
//!
//! A token is asked for when the host has none, and the host keeps it until shortly before it ends.

mod settings;
mod source;

use std::time::{Duration, UNIX_EPOCH};

use gatewright::http::HeaderValue;
use gatewright::http::header::AUTHORIZATION;
use gatewright::prelude::*;
use gatewright::{CredentialQuery, CredentialScope, Found, Shown};
use serde::Deserialize;

pub use crate::settings::Settings;
use crate::source::Source;

/// How long before its end a token is not used any more: a call that takes it may last.
const MARGIN: Duration = Duration::from_secs(300);

/// Finds tokens.
#[derive(Debug)]
pub struct AzureCredentials {
    source: Source,
    env: ExtEnv,
}

/// A token as all sources give it. How long it lives is a number or a string, by source.
#[derive(Deserialize)]
struct Token {
    access_token: Secret,
    /// In seconds from now.
    expires_in: Option<Figure>,
    /// In seconds since 1970.
    expires_on: Option<Figure>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Figure {
    Number(u64),
    Text(String),
}

impl Figure {
    fn seconds(&self) -> Option<Duration> {
        let seconds = match self {
            Self::Number(number) => *number,
            Self::Text(text) => text.parse().ok()?,
        };
        Some(Duration::from_secs(seconds))
    }
}

impl Extension for AzureCredentials {
    const NAME: &'static str = "azure-credentials";
    type Config = Settings;

    async fn create(config: Settings, env: ExtEnv) -> Result<Self, BuildError> {
        Ok(Self { source: Source::of(config, &env)?, env })
    }
}

impl AzureCredentials {
    /// How long a token may be kept.
    fn keep(&self, token: &Token) -> Duration {
        let left = token.expires_in.as_ref().and_then(Figure::seconds);
        let left = left.or_else(|| {
            let end = token.expires_on.as_ref().and_then(Figure::seconds)?;
            let now = self.env.clock.wall().duration_since(UNIX_EPOCH).unwrap_or_default();
            Some(end.saturating_sub(now))
        });
        left.unwrap_or_default().saturating_sub(MARGIN)
    }
}

#[async_trait]
impl CredentialProvider for AzureCredentials {
    async fn credential(&self, _: &CredentialQuery<'_>) -> HookResult<Option<Found>> {
        let answer = self.env.http.send(self.source.request(&self.env)?).await?;
        if !answer.status().is_success() {
            // The body can name the directory and the application, and the failure can reach a log that others read.
            return Err(ExtError::new(format!("no token is given out: status {}", answer.status())));
        }
        let token: Token = serde_json::from_slice(answer.body())
            .map_err(|_| ExtError::new("what came in the place of a token is none"))?;
        let text = token.access_token.expose();
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ExtError::new("the token has characters that no header can carry"));
        }
        let mut value = HeaderValue::try_from(format!("Bearer {text}"))?;
        value.set_sensitive(true);
        Ok(Some(Found {
            // A header as it stands: the adapter need not know that its credential is a token and no key.
            credential: Shown::Header(AUTHORIZATION, value),
            scope: CredentialScope::Everyone,
            keep: self.keep(&token),
        }))
    }
}

gatewright::register!(AzureCredentials => CredentialProvider);

#[cfg(test)]
mod tests;
