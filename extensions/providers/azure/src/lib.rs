//! Azure OpenAI and the models of Azure AI Foundry as a provider.
//!
//! Endpoints and credential headers stand here; the dialect itself is in `gatewright-wire`. What the service adds to
//! answers, `content_filter_results` say, travels with the bytes that it stands in.

use std::borrow::Cow;

use gatewright::bytes::Bytes;
use gatewright::dialect::{Codec, Dialect};
use gatewright::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use gatewright::http::{HeaderMap, HeaderName, HeaderValue, Method};
use gatewright::prelude::*;
use gatewright::{ProviderRequest, ProviderTarget, UpstreamCall};
use gatewright_wire::{openai_realtime, path};

/// The header of API keys.
const KEY: HeaderName = HeaderName::from_static("api-key");

/// The version of the classic API that is asked for unless the settings name another.
const CLASSIC_VERSION: &str = "2024-10-21";

/// Speaks to Azure OpenAI and to Azure AI Foundry.
#[gatewright::config]
#[derive(Debug, Default)]
#[serde(default)]
pub struct Config {
    /// Which of the service's interfaces is spoken.
    pub api: Api,
    /// The version of the interface, for example `2024-10-21`. The classic one wants a version with every call, and
    /// `2024-10-21` is its default; the current one takes `preview` for what is not generally available yet.
    pub api_version: Option<String>,
    /// Which of the API's two ways to chat there are, in the current interface. The classic one has chat completions
    /// alone.
    pub chats: Chats,
    /// What the provider's credential is.
    pub credential: Credential,
}

/// The service's interfaces.
#[gatewright::config]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Api {
    /// The current one, below `/openai/v1`: a deployment is named in the body, as a model.
    #[default]
    V1,
    /// The classic one, below `/openai/deployments/NAME`.
    Deployments,
}

/// The ways to chat that deployments offer.
#[gatewright::config]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Chats {
    /// Both: callers of the responses API are answered by it, all others by chat completions.
    #[default]
    Both,
    /// Chat completions alone, as most models of other makers have it.
    Completions,
}

/// What shows who calls.
#[gatewright::config]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Credential {
    /// A key of the resource, in the header `api-key`.
    #[default]
    ApiKey,
    /// A token of Microsoft Entra ID, in the header `authorization`.
    Entra,
}

/// The adapter.
#[derive(Debug)]
pub struct Azure {
    api: Api,
    chats: Chats,
    credential: Credential,
    /// What stands behind each path: nothing, or the version.
    query: String,
}

impl Extension for Azure {
    const NAME: &'static str = "azure";
    type Config = Config;

    async fn create(config: Config, _: ExtEnv) -> Result<Self, BuildError> {
        Self::of(config)
    }
}

impl Azure {
    fn of(config: Config) -> Result<Self, BuildError> {
        let is_version = |text: &str| {
            !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        let default = (config.api == Api::Deployments).then(|| CLASSIC_VERSION.to_owned());
        let query = match config.api_version.or(default) {
            Some(version) if is_version(&version) => format!("?api-version={version}"),
            Some(_) => {
                return Err(BuildError::at("api_version", "a version is a date, or a word like `preview`"));
            }
            None => String::new(),
        };
        Ok(Self { api: config.api, chats: config.chats, credential: config.credential, query })
    }

    fn path(&self, model: &str, operation: &str) -> Cow<'static, str> {
        let query = &self.query;
        match self.api {
            Api::V1 => format!("/openai/v1/{operation}{query}").into(),
            Api::Deployments => {
                format!("/openai/deployments/{}/{operation}{query}", path::segment(model)).into()
            }
        }
    }
}

impl Azure {
    /// The address of a session, whose query names the deployment.
    fn session(&self, model: &str) -> UpstreamCall {
        let (path, name) = match self.api {
            Api::V1 => ("/openai/v1/realtime", "model"),
            Api::Deployments => ("/openai/realtime", "deployment"),
        };
        let gap = if self.query.is_empty() { '?' } else { '&' };
        let path = format!("{path}{}{gap}{}", self.query, openai_realtime::query_of(name, model));
        UpstreamCall { method: Method::GET, path: path.into(), headers: HeaderMap::new(), body: Bytes::new() }
    }
}

impl ProviderAdapter for Azure {
    fn codec(&self, target: &ProviderTarget<'_>) -> Option<&'static dyn Codec> {
        let responds = self.api == Api::V1 && self.chats == Chats::Both;
        let dialect = match (target.operation, target.dialect) {
            (Operation::Chat, Dialect::OpenAiResponses) if responds => Dialect::OpenAiResponses,
            (Operation::Chat, _) => Dialect::OpenAiChat,
            (Operation::Completion, _) => Dialect::OpenAiCompletions,
            (Operation::Embedding, _) => Dialect::OpenAiEmbeddings,
            (Operation::Transcription, _) => Dialect::OpenAiTranscriptions,
            (Operation::Translation, _) => Dialect::OpenAiTranslations,
            (Operation::ImageEdit, _) => Dialect::OpenAiImageEdits,
            (Operation::Realtime, _) => Dialect::OpenAiRealtime,
            _ => return None,
        };
        Some(gatewright_wire::codec(dialect))
    }

    fn encode(&self, request: &ProviderRequest<'_>) -> Result<UpstreamCall, Failure> {
        let operation = match request.dialect {
            Dialect::OpenAiChat => "chat/completions",
            Dialect::OpenAiResponses => "responses",
            Dialect::OpenAiCompletions => "completions",
            Dialect::OpenAiEmbeddings => "embeddings",
            Dialect::OpenAiTranscriptions => "audio/transcriptions",
            Dialect::OpenAiTranslations => "audio/translations",
            Dialect::OpenAiImageEdits => "images/edits",
            Dialect::OpenAiRealtime => return Ok(self.session(request.model)),
            _ => {
                let text = "a dialect without an endpoint was chosen for this provider";
                return Err(Failure::internal(text));
            }
        };
        let accept = match request.operation {
            _ if request.streams => "text/event-stream",
            // The request names the format.
            Operation::Transcription | Operation::Translation => "*/*",
            _ => "application/json",
        };
        let mut headers = HeaderMap::with_capacity(6);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
        let path = self.path(request.model, operation);
        Ok(UpstreamCall { method: Method::POST, path, headers, body: request.body.clone() })
    }

    fn credential(&self, secret: &Secret) -> Result<(HeaderName, HeaderValue), BuildError> {
        let secret = secret.expose();
        let (name, value) = match self.credential {
            Credential::ApiKey => (KEY, HeaderValue::try_from(secret)),
            Credential::Entra => (AUTHORIZATION, HeaderValue::try_from(format!("Bearer {secret}"))),
        };
        let mut value =
            value.map_err(|_| BuildError::new("the credential has characters that no header can carry"))?;
        value.set_sensitive(true);
        Ok((name, value))
    }
}

gatewright::register!(Azure => ProviderAdapter);

#[cfg(test)]
mod tests;
