//! The Anthropic API as a provider, and everything that speaks it unchanged.
//!
//! Endpoints, headers and what is known of the models stand here; the dialect itself is in `gatewright-wire`.

use std::borrow::Cow;

use gatewright::dialect::{Abilities, AbilityTable, Codec, Dialect};
use gatewright::http::header::{ACCEPT, CONTENT_TYPE};
use gatewright::http::{HeaderMap, HeaderName, HeaderValue, Method};
use gatewright::prelude::*;
use gatewright::{ProviderRequest, ProviderTarget, UpstreamCall};

/// What each model can take.
const MODELS: &str = include_str!("../data/models.json");

/// The header of API keys.
const KEY: HeaderName = HeaderName::from_static("x-api-key");

/// The version of the protocol, which every call has to name.
const VERSION: (HeaderName, HeaderValue) =
    (HeaderName::from_static("anthropic-version"), HeaderValue::from_static("2023-06-01"));

/// The lists of features that are asked for before they are part of the protocol.
static BETA: [HeaderName; 1] = [HeaderName::from_static("anthropic-beta")];

/// Speaks to providers by the Anthropic API.
///
/// There is nothing to set: a provider's own settings say everything.
#[gatewright::config]
#[derive(Debug)]
pub struct Config {}

/// The adapter.
#[derive(Debug)]
pub struct Anthropic {
    models: AbilityTable,
}

impl Extension for Anthropic {
    const NAME: &'static str = "anthropic";
    const BASE_URL: Option<&'static str> = Some("https://api.anthropic.com");
    type Config = Config;

    async fn create(_: Config, _: ExtEnv) -> Result<Self, BuildError> {
        Ok(Self { models: AbilityTable::parse(MODELS)? })
    }
}

impl ProviderAdapter for Anthropic {
    fn codec(&self, target: &ProviderTarget<'_>) -> Option<&'static dyn Codec> {
        match target.operation {
            Operation::Chat => Some(gatewright_wire::codec(Dialect::AnthropicMessages)),
            Operation::CountTokens => Some(gatewright_wire::anthropic_messages::counting()),
            _ => None,
        }
    }

    fn abilities(&self, target: &ProviderTarget<'_>) -> Abilities {
        self.models.of(target.model)
    }

    fn passes(&self) -> &[HeaderName] {
        &BETA
    }

    fn encode(&self, request: &ProviderRequest<'_>) -> Result<UpstreamCall, Failure> {
        let path = match request.operation {
            Operation::Chat => "/v1/messages",
            Operation::CountTokens => "/v1/messages/count_tokens",
            _ => {
                let text = "an operation without an endpoint was routed to this provider";
                return Err(Failure::internal(text));
            }
        };
        let accept = if request.streams { "text/event-stream" } else { "application/json" };
        let mut headers = HeaderMap::with_capacity(6);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
        let (name, version) = VERSION;
        headers.insert(name, version);
        Ok(UpstreamCall {
            method: Method::POST,
            path: Cow::Borrowed(path),
            headers,
            body: request.body.clone(),
        })
    }

    fn credential(&self, secret: &Secret) -> Result<(HeaderName, HeaderValue), BuildError> {
        let mut value = HeaderValue::from_str(secret.expose())
            .map_err(|_| BuildError::new("the API key has characters that no header can carry"))?;
        value.set_sensitive(true);
        Ok((KEY, value))
    }
}

gatewright::register!(Anthropic => ProviderAdapter);

#[cfg(test)]
mod tests {
    use gatewright::bytes::Bytes;
    use gatewright::chat::Param;
    use gatewright::dialect::ReasoningForm;

    use super::*;

    fn adapter() -> Anthropic {
        Anthropic { models: AbilityTable::parse(MODELS).unwrap() }
    }

    fn abilities(model: &str) -> Abilities {
        let target = ProviderTarget { model, operation: Operation::Chat, dialect: Dialect::OpenAiChat };
        adapter().abilities(&target)
    }

    #[test]
    fn calls_name_the_version_and_go_to_the_endpoint_of_the_operation() {
        let body = Bytes::from_static(b"{}");
        for (operation, path) in
            [(Operation::Chat, "/v1/messages"), (Operation::CountTokens, "/v1/messages/count_tokens")]
        {
            let dialect = Dialect::AnthropicMessages;
            let request = ProviderRequest { model: "m", operation, dialect, streams: true, body: &body };
            let call = adapter().encode(&request).unwrap();
            assert_eq!(
                (call.path.as_ref(), &call.headers["anthropic-version"]),
                (path, &"2023-06-01".parse().unwrap())
            );
        }
    }

    #[test]
    fn the_key_is_shown_in_the_header_of_the_api() {
        let (name, value) = adapter().credential(&Secret::new("k".to_owned())).unwrap();
        assert_eq!((name.as_str(), value.as_bytes(), value.is_sensitive()), ("x-api-key", &b"k"[..], true));
    }

    #[test]
    fn what_a_model_can_is_known_by_its_name_and_by_that_of_a_version() {
        let old = abilities("claude-sonnet-4-5-20250929");
        assert_eq!((old.reasoning, old.output_tokens_max), (ReasoningForm::Budget, Some(64_000)));
        assert!(old.continues_answers && old.refuses.is_empty());
        let new = abilities("claude-opus-5-5");
        assert_eq!((new.reasoning, new.output_tokens_max), (ReasoningForm::Adaptive, Some(128_000)));
        assert!(!new.continues_answers && new.refuses.contains(&Param::Temperature));
        assert_eq!(abilities("somebody-else").reasoning, ReasoningForm::Usual);
    }
}
