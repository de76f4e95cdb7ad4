//! The OpenAI API as a provider, and everything that speaks it unchanged.
//!
//! Endpoints and credential header stand here; the dialect itself is in `gatewright-wire`.

use std::borrow::Cow;

use gatewright::bytes::Bytes;
use gatewright::dialect::{Codec, Dialect};
use gatewright::http::header::{ACCEPT, CONTENT_TYPE};
use gatewright::http::{HeaderMap, HeaderName, HeaderValue, Method};
use gatewright::prelude::*;
use gatewright::{ProviderRequest, ProviderTarget, UpstreamCall};
use gatewright_wire::openai_realtime;

/// Names the parts of the API that a caller wants before they are everybody's.
static PASSED: [HeaderName; 1] = [HeaderName::from_static("openai-beta")];

/// Speaks to providers by the OpenAI API.
#[gatewright::config]
#[derive(Debug, Default)]
#[serde(default)]
pub struct Config {
    /// Which of the API's two ways to chat there are.
    pub chats: Chats,
}

/// The ways to chat that a provider offers.
#[gatewright::config]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Chats {
    /// Both: callers of the responses API are answered by it, all others by chat completions.
    #[default]
    Both,
    /// Chat completions alone, as most servers that speak this API have it.
    Completions,
    /// The responses API, for all callers but those of chat completions.
    Responses,
    /// The responses API alone.
    ResponsesOnly,
}

/// The adapter.
#[derive(Debug)]
pub struct OpenAi(Chats);

impl Extension for OpenAi {
    const NAME: &'static str = "openai";
    const BASE_URL: Option<&'static str> = Some("https://api.openai.com/v1");
    type Config = Config;

    async fn create(config: Config, _: ExtEnv) -> Result<Self, BuildError> {
        Ok(Self(config.chats))
    }
}

impl ProviderAdapter for OpenAi {
    fn codec(&self, target: &ProviderTarget<'_>) -> Option<&'static dyn Codec> {
        dialect(self.0, target.operation, target.dialect).map(gatewright_wire::codec)
    }

    fn passes(&self) -> &[HeaderName] {
        &PASSED
    }

    fn encode(&self, request: &ProviderRequest<'_>) -> Result<UpstreamCall, Failure> {
        if request.dialect == Dialect::OpenAiRealtime {
            let path = format!("/realtime?{}", openai_realtime::query_of("model", request.model));
            return Ok(UpstreamCall {
                method: Method::GET,
                path: path.into(),
                headers: HeaderMap::new(),
                body: Bytes::new(),
            });
        }
        let path = path(request.dialect)
            .ok_or_else(|| Failure::internal("a dialect without an endpoint was chosen for this provider"))?;
        let accept = match (request.operation, request.streams) {
            // The request names the format.
            (Operation::Speech, _) | (Operation::Transcription | Operation::Translation, false) => "*/*",
            (_, true) => "text/event-stream",
            (_, false) => "application/json",
        };
        let mut headers = HeaderMap::with_capacity(6);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
        Ok(UpstreamCall {
            method: Method::POST,
            path: Cow::Borrowed(path),
            headers,
            body: request.body.clone(),
        })
    }
}

/// A caller's own dialect where there is an endpoint for it.
fn dialect(chats: Chats, operation: Operation, caller: Dialect) -> Option<Dialect> {
    match operation {
        Operation::Chat => Some(match (chats, caller) {
            (Chats::Both | Chats::Responses, Dialect::OpenAiResponses) | (Chats::ResponsesOnly, _) => {
                Dialect::OpenAiResponses
            }
            (Chats::Responses, caller) if caller != Dialect::OpenAiChat => Dialect::OpenAiResponses,
            _ => Dialect::OpenAiChat,
        }),
        Operation::Completion => Some(Dialect::OpenAiCompletions),
        Operation::Embedding => Some(Dialect::OpenAiEmbeddings),
        Operation::Moderation => Some(Dialect::OpenAiModerations),
        Operation::Image => Some(Dialect::OpenAiImages),
        Operation::Speech => Some(Dialect::OpenAiSpeech),
        Operation::ImageEdit => Some(Dialect::OpenAiImageEdits),
        Operation::ImageVariation => Some(Dialect::OpenAiImageVariations),
        Operation::Transcription => Some(Dialect::OpenAiTranscriptions),
        Operation::Translation => Some(Dialect::OpenAiTranslations),
        Operation::Realtime => Some(Dialect::OpenAiRealtime),
        Operation::Rerank => Some(Dialect::Rerank),
        _ => None,
    }
}

fn path(dialect: Dialect) -> Option<&'static str> {
    match dialect {
        Dialect::OpenAiChat => Some("/chat/completions"),
        Dialect::OpenAiResponses => Some("/responses"),
        Dialect::OpenAiCompletions => Some("/completions"),
        Dialect::OpenAiEmbeddings => Some("/embeddings"),
        Dialect::OpenAiModerations => Some("/moderations"),
        Dialect::OpenAiImages => Some("/images/generations"),
        Dialect::OpenAiSpeech => Some("/audio/speech"),
        Dialect::OpenAiImageEdits => Some("/images/edits"),
        Dialect::OpenAiImageVariations => Some("/images/variations"),
        Dialect::OpenAiTranscriptions => Some("/audio/transcriptions"),
        Dialect::OpenAiTranslations => Some("/audio/translations"),
        Dialect::Rerank => Some("/rerank"),
        _ => None,
    }
}

gatewright::register!(OpenAi => ProviderAdapter);
