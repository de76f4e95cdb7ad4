//! An adapter for the simulated provider's chat endpoint.

use std::borrow::Cow;

use gatewright::dialect::Codec;
use gatewright::http::header::CONTENT_TYPE;
use gatewright::http::{HeaderMap, HeaderValue, Method};
use gatewright::prelude::*;
use gatewright::{ProviderTarget, UpstreamCall};

/// There is nothing to set.
#[gatewright::config]
#[derive(Debug)]
pub(crate) struct Settings {}

/// Speaks chat to the simulated provider.
#[derive(Debug)]
pub(crate) struct Simulated;

impl Extension for Simulated {
    const NAME: &'static str = "openai";
    type Config = Settings;

    async fn create(_: Settings, _: ExtEnv) -> Result<Self, BuildError> {
        Ok(Self)
    }
}

impl ProviderAdapter for Simulated {
    fn codec(&self, operation: Operation) -> Option<&'static dyn Codec> {
        (operation == Operation::Chat).then(|| gatewright_wire::codec(Dialect::OpenAiChat))
    }

    fn encode(&self, request: &LlmRequest, _: &ProviderTarget<'_>) -> Result<UpstreamCall, Failure> {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        let path = Cow::Borrowed("/chat/completions");
        Ok(UpstreamCall { method: Method::POST, path, headers, body: request.to_body() })
    }
}

gatewright::register!(Simulated => ProviderAdapter);
