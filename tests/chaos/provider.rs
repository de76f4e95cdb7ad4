//! An adapter for the simulated provider's chat endpoint, which makes trouble where it is told to.

use std::borrow::Cow;

use gatewright::ProviderRequest;
use gatewright::ProviderTarget;
use gatewright::UpstreamCall;
use gatewright::dialect::Codec;
use gatewright::http::header::CONTENT_TYPE;
use gatewright::http::{HeaderMap, HeaderValue, Method, StatusCode};
use gatewright::prelude::*;

use crate::trouble;

/// What the adapter does beside its work.
#[gatewright::config]
#[derive(Debug)]
pub(crate) struct Settings {
    /// The trouble that it makes.
    #[serde(default)]
    trouble: Option<trouble::Settings>,
}

/// Speaks chat to the simulated provider.
#[derive(Debug)]
pub(crate) struct Simulated(Option<trouble::Settings>);

impl Simulated {
    /// Makes the trouble, if a text names it.
    fn act(&self, hook: trouble::Hook, text: &str) {
        if let Some(trouble) = self.0.as_ref().filter(|trouble| trouble.is_named_in(text)) {
            // An adapter's hooks say no in their own way, so that of all deeds only those without a result are left.
            drop(trouble.act(hook));
        }
    }
}

impl Extension for Simulated {
    const NAME: &'static str = "openai";
    type Config = Settings;

    async fn create(settings: Settings, _: ExtEnv) -> Result<Self, BuildError> {
        Ok(Self(settings.trouble))
    }
}

impl ProviderAdapter for Simulated {
    fn codec(&self, target: &ProviderTarget<'_>) -> Option<&'static dyn Codec> {
        (target.operation == Operation::Chat).then(|| gatewright_wire::codec(Dialect::OpenAiChat))
    }

    fn encode(&self, request: &ProviderRequest<'_>) -> Result<UpstreamCall, Failure> {
        let body = request.body.clone();
        self.act(trouble::Hook::Encode, &String::from_utf8_lossy(&body));
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        let path = Cow::Borrowed("/chat/completions");
        Ok(UpstreamCall { method: Method::POST, path, headers, body })
    }

    fn classify(
        &self,
        target: &ProviderTarget<'_>,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Failure {
        self.act(trouble::Hook::Classify, &String::from_utf8_lossy(body));
        match self.codec(target) {
            Some(codec) => codec.parse_error(status, headers, body),
            None => Failure::internal("only chat is asked for"),
        }
    }
}

gatewright::register!(Simulated => ProviderAdapter);
