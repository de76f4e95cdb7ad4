//! Access keys from where a platform has them: a profile, a web identity, a container, an instance, a role.
//!
//! The host keeps what is found until shortly before it expires.

mod lent;
mod sts;

use std::time::{Duration, SystemTime};

use gatewright::bytes::Bytes;
use gatewright::http::{Method, Request, Response};
use gatewright::prelude::*;
use gatewright::{CredentialQuery, CredentialScope, Found, Shown};

use self::lent::Lent;
use crate::sigv4::Keys;

/// A key is found anew so long before it expires.
const MARGIN: Duration = Duration::from_mins(5);

/// A key that does not say when it expires is looked at again after this time.
const KEEP_PLAIN: Duration = Duration::from_hours(1);

/// How long the token of an instance's metadata service may be used, in seconds.
const METADATA_TOKEN_SECONDS: &str = "300";

const METADATA: &str = "http://169.254.169.254";

/// Finds access keys for Amazon Bedrock.
///
/// Every origin that is asked stands under `egress` of the instance, a metadata service under its `egress_metadata`;
/// secrets that change stand under its `secrets`, where a reload reads them again.
#[gatewright::config]
#[derive(Debug)]
pub struct CredentialConfig {
    /// Where the first key comes from.
    pub from: Source,
    /// A role that the first key is exchanged for. Default: none.
    #[serde(default)]
    pub role: Option<AssumedRole>,
    /// The region whose token service is asked, for `web_identity` and `role`, for example `eu-west-1`.
    #[serde(default)]
    pub region: Option<String>,
}

/// Where a key comes from.
#[gatewright::config]
#[derive(Debug)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The secret of this name: `ACCESS_KEY_ID:SECRET_ACCESS_KEY`, with `:SESSION_TOKEN` behind it if there is one. In
    /// the configuration it can be put together of references to the environment.
    Key(String),
    /// A profile of a credentials file.
    Profile(Profile),
    /// A web identity, as Kubernetes gives one to a pod: its token is exchanged for a role.
    WebIdentity(WebIdentity),
    /// The endpoint that a container is told of.
    Container(Container),
    /// The metadata service of an instance, version 2.
    Instance(Instance),
}

/// A profile of a credentials file.
#[gatewright::config]
#[derive(Debug)]
pub struct Profile {
    /// The name of the secret that has the file's text, as `${file:PATH}` gives it.
    pub file: String,
    /// The profile. Default `default`.
    #[serde(default = "default_profile")]
    pub name: String,
}

/// A web identity.
#[gatewright::config]
#[derive(Debug)]
pub struct WebIdentity {
    /// The name of the secret that has the token, as `${file:PATH}` gives it.
    pub token: String,
    /// The ARN of the role.
    pub role_arn: String,
    /// The name of the session, as audits show it. Default `gatewright`.
    #[serde(default = "default_session")]
    pub session_name: String,
}

/// The endpoint of a container.
#[gatewright::config]
#[derive(Debug)]
pub struct Container {
    /// Its URL, for example `http://169.254.170.2/v2/credentials/…`.
    pub url: String,
    /// The name of the secret that has the authorization token. Default: none is sent.
    #[serde(default)]
    pub token: Option<String>,
}

/// The metadata service of an instance.
#[gatewright::config]
#[derive(Debug)]
pub struct Instance {
    /// Where it is. Default `http://169.254.169.254`.
    #[serde(default = "default_metadata")]
    pub url: String,
}

/// A role that a key is exchanged for.
#[gatewright::config]
#[derive(Debug)]
pub struct AssumedRole {
    /// Its ARN.
    pub arn: String,
    /// The name of the session, as audits show it. Default `gatewright`.
    #[serde(default = "default_session")]
    pub session_name: String,
    /// The external id that the role asks for. Default: none.
    #[serde(default)]
    pub external_id: Option<String>,
}

fn default_profile() -> String {
    "default".to_owned()
}

fn default_session() -> String {
    "gatewright".to_owned()
}

fn default_metadata() -> String {
    METADATA.to_owned()
}

/// The extension.
pub struct BedrockCredentials {
    config: CredentialConfig,
    env: ExtEnv,
}

impl std::fmt::Debug for BedrockCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BedrockCredentials").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Extension for BedrockCredentials {
    const NAME: &'static str = "bedrock-credentials";
    type Config = CredentialConfig;

    async fn create(config: CredentialConfig, env: ExtEnv) -> Result<Self, BuildError> {
        let asks_tokens = config.role.is_some() || matches!(config.from, Source::WebIdentity(_));
        if asks_tokens && config.region.is_none() {
            return Err(BuildError::at("region", "name the region whose token service is to be asked"));
        }
        Ok(Self { config, env })
    }
}

#[async_trait]
impl CredentialProvider for BedrockCredentials {
    async fn credential(&self, _: &CredentialQuery<'_>) -> HookResult<Option<Found>> {
        let now = self.env.clock.wall();
        let mut lent = self.first().await?;
        if let Some(role) = &self.config.role {
            let call = sts::assume_role(self.region(), role, &lent, now)
                .ok_or_else(|| ExtError::new("the key that was found cannot sign a call"))?;
            lent = self.exchanged(call).await?;
        }
        Ok(Some(Found {
            keep: keep(lent.expires, now),
            credential: Shown::ApiKey(lent.into_secret()?),
            scope: CredentialScope::Everyone,
        }))
    }
}

/// How long a key may be kept; the rest of its time is too short where it ends soon.
fn keep(expires: Option<SystemTime>, now: SystemTime) -> Duration {
    let Some(expires) = expires else { return KEEP_PLAIN };
    expires.duration_since(now).unwrap_or_default().saturating_sub(MARGIN)
}

impl BedrockCredentials {
    fn region(&self) -> &str {
        self.config.region.as_deref().unwrap_or_default()
    }

    async fn first(&self) -> Result<Lent, ExtError> {
        match &self.config.from {
            Source::Key(name) => {
                let secret = self.secret(name)?;
                let keys = Keys::parse(secret.expose())
                    .ok_or_else(|| ExtError::new("the secret is no ACCESS_KEY_ID:SECRET_ACCESS_KEY"))?;
                Ok(Lent::of_keys(&keys))
            }
            Source::Profile(profile) => {
                let file = self.secret(&profile.file)?;
                lent::of_profile(file.expose(), &profile.name).ok_or_else(|| {
                    ExtError::new(format!("the file has no profile `{}` with an access key", profile.name))
                })
            }
            Source::WebIdentity(identity) => {
                let token = self.secret(&identity.token)?;
                self.exchanged(sts::assume_role_with_web_identity(
                    self.region(),
                    identity,
                    token.expose().trim(),
                ))
                .await
            }
            Source::Container(container) => self.container(container).await,
            Source::Instance(instance) => self.instance(&instance.url).await,
        }
    }

    fn secret(&self, name: &str) -> Result<Secret, ExtError> {
        let missing = || ExtError::new(format!("the instance has no secret `{name}`"));
        self.env.secrets.get(name).ok_or_else(missing)
    }

    async fn exchanged(
        &self,
        call: Result<Request<Bytes>, gatewright::http::Error>,
    ) -> Result<Lent, ExtError> {
        let answer = self.ask(call).await?;
        lent::of_xml(&answer).ok_or_else(|| ExtError::new("the token service gave no key"))
    }

    async fn container(&self, container: &Container) -> Result<Lent, ExtError> {
        let mut call = Request::get(&container.url);
        if let Some(name) = &container.token {
            call = call.header("authorization", self.secret(name)?.expose().trim());
        }
        let answer = self.ask(call.body(Bytes::new())).await?;
        lent::of_json(&answer).ok_or_else(|| ExtError::new("the container's endpoint gave no key"))
    }

    /// A token first, then the name of the role, then its key.
    async fn instance(&self, url: &str) -> Result<Lent, ExtError> {
        let root = format!("{}/latest", url.trim_end_matches('/'));
        let call = Request::builder()
            .method(Method::PUT)
            .uri(format!("{root}/api/token"))
            .header("x-aws-ec2-metadata-token-ttl-seconds", METADATA_TOKEN_SECONDS);
        let token = self.ask(call.body(Bytes::new())).await?;
        let get = |path: &str| {
            Request::get(format!("{root}/meta-data/iam/security-credentials/{path}"))
                .header("x-aws-ec2-metadata-token", token.trim())
                .body(Bytes::new())
        };
        let roles = self.ask(get("")).await?;
        let role = roles.lines().next().map(str::trim).filter(|role| !role.is_empty());
        let role = role.ok_or_else(|| ExtError::new("the instance has no role"))?;
        let answer = self.ask(get(role)).await?;
        lent::of_json(&answer).ok_or_else(|| ExtError::new("the instance's metadata gave no key"))
    }

    /// Sends a call; whatever is no success is a failure, of which the answer's text is not told.
    async fn ask(&self, call: Result<Request<Bytes>, gatewright::http::Error>) -> Result<String, ExtError> {
        let answer: Response<Bytes> = self.env.http.send(call?).await?;
        if !answer.status().is_success() {
            let status = answer.status();
            return Err(ExtError::new(format!("the source of keys answered {status}")));
        }
        Ok(String::from_utf8_lossy(answer.body()).into_owned())
    }
}

gatewright::register!(BedrockCredentials => CredentialProvider);

#[cfg(test)]
mod tests;
