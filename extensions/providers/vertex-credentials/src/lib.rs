//! Finds access tokens for Vertex AI: by the key of a service account, or of the machine's own account.
//!
//! A token is asked for when the host has none, and the host keeps it until shortly before it ends.

mod account;
mod settings;

use std::time::Duration;

use gatewright::bytes::Bytes;
use gatewright::http::Request;
use gatewright::http::header::CONTENT_TYPE;
use gatewright::prelude::*;
use gatewright::service::http::Repeatable;
use gatewright::{CredentialQuery, CredentialScope, Found, Shown};
use serde::Deserialize;

use crate::account::Account;
pub use crate::settings::Settings;

/// How long before its end a token is not used any more: a call that takes it may last.
const MARGIN: Duration = Duration::from_secs(300);

/// What an assertion is exchanged as, see RFC 7523.
const GRANT: &str = "urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer";

/// Finds tokens.
#[derive(Debug)]
pub struct VertexCredentials {
    source: Source,
    env: ExtEnv,
}

/// Whose tokens are found.
#[derive(Debug)]
enum Source {
    ServiceAccount { account: Box<Account>, scope: String },
    Machine { url: String },
}

/// A token as both sources give it.
#[derive(Deserialize)]
struct Token {
    access_token: Secret,
    /// In seconds.
    expires_in: u64,
}

impl Extension for VertexCredentials {
    const NAME: &'static str = "vertex-credentials";
    type Config = Settings;

    async fn create(config: Settings, env: ExtEnv) -> Result<Self, BuildError> {
        let source = match config.service_account {
            Some(name) => {
                let text = env.secrets.get(&name).ok_or_else(|| {
                    BuildError::new(format!("there is no `{name}` under `secrets` of the instance"))
                })?;
                let account = Box::new(Account::read(text.expose())?);
                Source::ServiceAccount { account, scope: config.scope }
            }
            None => Source::Machine { url: config.metadata_url },
        };
        Ok(Self { source, env })
    }
}

impl VertexCredentials {
    fn request(&self) -> Result<Request<Bytes>, ExtError> {
        Ok(match &self.source {
            Source::ServiceAccount { account, scope } => {
                let assertion = account.assertion(scope, self.env.clock.wall())?;
                Request::post(&account.token_url)
                    .extension(Repeatable)
                    .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                    .body(format!("grant_type={GRANT}&assertion={assertion}").into())?
            }
            Source::Machine { url } => {
                Request::get(url).header("metadata-flavor", "Google").body(Bytes::new())?
            }
        })
    }
}

#[async_trait]
impl CredentialProvider for VertexCredentials {
    async fn credential(&self, _: &CredentialQuery<'_>) -> HookResult<Option<Found>> {
        let answer = self.env.http.send(self.request()?).await?;
        if !answer.status().is_success() {
            // The body can name the account, and the failure can reach a log that others read.
            return Err(ExtError::new(format!("no token is given out: status {}", answer.status())));
        }
        let token: Token = serde_json::from_slice(answer.body())
            .map_err(|_| ExtError::new("what came in the place of a token is none"))?;
        let is_sendable = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_sendable(token.access_token.expose()) {
            return Err(ExtError::new("the token has characters that no header can carry"));
        }
        Ok(Some(Found {
            credential: Shown::ApiKey(token.access_token),
            scope: CredentialScope::Everyone,
            keep: Duration::from_secs(token.expires_in).saturating_sub(MARGIN),
        }))
    }
}

gatewright::register!(VertexCredentials => CredentialProvider);

#[cfg(test)]
mod tests;
