//! The OpenAI API as a provider, and everything that speaks it unchanged.
//!
//! Endpoints and credential header stand here; the dialect itself is in `gatewright-wire`.

use std::borrow::Cow;

use gatewright::dialect::{Codec, Dialect};
use gatewright::http::header::{ACCEPT, CONTENT_TYPE};
use gatewright::http::{HeaderMap, HeaderValue, Method};
use gatewright::prelude::*;
use gatewright::{ProviderRequest, ProviderTarget, UpstreamCall};

/// Speaks to providers by the OpenAI API.
///
/// There is nothing to set: a provider's own settings say everything.
#[gatewright::config]
#[derive(Debug)]
pub struct Config {}

/// The adapter.
#[derive(Debug)]
pub struct OpenAi;

impl Extension for OpenAi {
    const NAME: &'static str = "openai";
    type Config = Config;

    async fn create(_: Config, _: ExtEnv) -> Result<Self, BuildError> {
        Ok(Self)
    }
}

impl ProviderAdapter for OpenAi {
    fn codec(&self, target: &ProviderTarget<'_>) -> Option<&'static dyn Codec> {
        dialect(target.operation, target.dialect).map(gatewright_wire::codec)
    }

    fn encode(&self, request: &ProviderRequest<'_>) -> Result<UpstreamCall, Failure> {
        let path = path(request.dialect)
            .ok_or_else(|| Failure::internal("a dialect without an endpoint was chosen for this provider"))?;
        let accept = if request.streams { "text/event-stream" } else { "application/json" };
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

/// A caller's own dialect where there is an endpoint for it; chats of all others are sent to the older one, which
/// everything that speaks this API has.
fn dialect(operation: Operation, caller: Dialect) -> Option<Dialect> {
    match (operation, caller) {
        (Operation::Chat, Dialect::OpenAiResponses) => Some(Dialect::OpenAiResponses),
        (Operation::Chat, _) => Some(Dialect::OpenAiChat),
        (Operation::Completion, _) => Some(Dialect::OpenAiCompletions),
        (Operation::Embedding, _) => Some(Dialect::OpenAiEmbeddings),
        _ => None,
    }
}

fn path(dialect: Dialect) -> Option<&'static str> {
    match dialect {
        Dialect::OpenAiChat => Some("/chat/completions"),
        Dialect::OpenAiResponses => Some("/responses"),
        Dialect::OpenAiCompletions => Some("/completions"),
        Dialect::OpenAiEmbeddings => Some("/embeddings"),
        _ => None,
    }
}

gatewright::register!(OpenAi => ProviderAdapter);
