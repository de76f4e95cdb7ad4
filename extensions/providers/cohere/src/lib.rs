//! The Cohere API as a provider.
//!
//! Endpoints, classes of errors and what is known of the models stand here; the dialects themselves are in
//! `gatewright-wire`.

use std::borrow::Cow;

use gatewright::dialect::{Abilities, AbilityTable, Codec, Dialect};
use gatewright::http::header::{ACCEPT, CONTENT_TYPE};
use gatewright::http::{HeaderMap, HeaderValue, Method, StatusCode};
use gatewright::prelude::*;
use gatewright::{ProviderRequest, ProviderTarget, UpstreamCall};

/// What each model can take.
const MODELS: &str = include_str!("../data/models.json");

/// The status of a key that was blocked.
const BLOCKED_KEY: u16 = 498;

/// How the service says that a trial is used up for the month, where it is a matter of minutes otherwise.
const USED_UP: &[u8] = b"calls / month";

/// Speaks to the Cohere API, and to private deployments of it.
///
/// There is nothing to set: a provider's own settings say everything.
#[gatewright::config]
#[derive(Debug)]
pub struct Config {}

/// The adapter.
#[derive(Debug)]
pub struct Cohere {
    models: AbilityTable,
}

impl Extension for Cohere {
    const NAME: &'static str = "cohere";
    const BASE_URL: Option<&'static str> = Some("https://api.cohere.com");
    type Config = Config;

    async fn create(_: Config, _: ExtEnv) -> Result<Self, BuildError> {
        Ok(Self { models: AbilityTable::parse(MODELS)? })
    }
}

impl ProviderAdapter for Cohere {
    fn codec(&self, target: &ProviderTarget<'_>) -> Option<&'static dyn Codec> {
        match target.operation {
            Operation::Chat => Some(gatewright_wire::codec(Dialect::CohereChat)),
            Operation::Rerank => Some(gatewright_wire::codec(Dialect::Rerank)),
            _ => None,
        }
    }

    fn abilities(&self, target: &ProviderTarget<'_>) -> Abilities {
        let mut abilities = self.models.of(target.model);
        // The last message of a request is never the model's.
        abilities.continues_answers = false;
        abilities
    }

    fn encode(&self, request: &ProviderRequest<'_>) -> Result<UpstreamCall, Failure> {
        let path = match request.operation {
            Operation::Chat => "/v2/chat",
            Operation::Rerank => "/v2/rerank",
            _ => {
                let text = "an operation without an endpoint was routed to this provider";
                return Err(Failure::internal(text));
            }
        };
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

    fn classify(
        &self,
        target: &ProviderTarget<'_>,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Failure {
        let Some(codec) = self.codec(target) else {
            return Failure::internal("an answer to an operation that the provider does not offer");
        };
        let meant = match status {
            status if status.as_u16() == BLOCKED_KEY => StatusCode::UNAUTHORIZED,
            StatusCode::TOO_MANY_REQUESTS if body.windows(USED_UP.len()).any(|part| part == USED_UP) => {
                StatusCode::PAYMENT_REQUIRED
            }
            status => status,
        };
        codec.parse_error(meant, headers, body)
    }
}

gatewright::register!(Cohere => ProviderAdapter);

#[cfg(test)]
mod tests {
    use gatewright::FailureKind;
    use gatewright::bytes::Bytes;
    use gatewright::chat::Param;
    use gatewright::dialect::ReasoningForm;

    use super::*;

    fn adapter() -> Cohere {
        Cohere { models: AbilityTable::parse(MODELS).unwrap() }
    }

    fn target(model: &str) -> ProviderTarget<'_> {
        ProviderTarget { model, operation: Operation::Chat, dialect: Dialect::OpenAiChat }
    }

    #[test]
    fn calls_go_to_the_second_version_of_the_endpoint_of_the_operation() {
        let body = Bytes::from_static(b"{}");
        for (operation, streams, path, accept) in [
            (Operation::Chat, true, "/v2/chat", "text/event-stream"),
            (Operation::Chat, false, "/v2/chat", "application/json"),
            (Operation::Rerank, false, "/v2/rerank", "application/json"),
        ] {
            let dialect = Dialect::CohereChat;
            let request = ProviderRequest { model: "m", operation, dialect, streams, body: &body };
            let call = adapter().encode(&request).unwrap();
            assert_eq!((call.path.as_ref(), call.headers[ACCEPT].to_str().unwrap()), (path, accept));
        }
    }

    #[test]
    fn what_a_model_can_is_known_by_its_name_and_none_goes_on_with_a_begun_answer() {
        let reasoning = adapter().abilities(&target("command-a-reasoning-08-2025"));
        assert_eq!((reasoning.reasoning, reasoning.output_tokens_max), (ReasoningForm::Budget, Some(32_000)));
        let old = adapter().abilities(&target("command-r-plus-08-2024"));
        assert!(old.refuses.contains(&Param::ToolChoice));
        for model in ["command-r7b-12-2024", "somebody-else"] {
            assert!(!adapter().abilities(&target(model)).continues_answers);
        }
    }

    #[test]
    fn errors_have_the_class_that_the_service_means() {
        let class = |status: u16, message: &str| {
            let body = format!(r#"{{"id":"x","message":"{message}"}}"#);
            let status = StatusCode::from_u16(status).unwrap();
            adapter().classify(&target("m"), status, &HeaderMap::new(), body.as_bytes()).kind
        };
        let cases = [
            (400, "invalid request: message must be at least 1 token long", FailureKind::Invalid),
            (400, "too many tokens: total number of tokens cannot exceed 4081", FailureKind::ContextTooLong),
            (401, "invalid api token", FailureKind::UpstreamAuth),
            (402, "Please add or update your payment method", FailureKind::QuotaExhausted),
            (404, "model 'x' not found", FailureKind::ModelNotFound),
            (429, "You are using a Trial key, limited to 40 API calls / minute", FailureKind::RateLimited),
            (
                429,
                "You are using a Trial key, limited to 1000 API calls / month",
                FailureKind::QuotaExhausted,
            ),
            (498, "your api key was blocked", FailureKind::UpstreamAuth),
            (503, "overloaded", FailureKind::Overloaded),
        ];
        for (status, message, expected) in cases {
            assert_eq!(class(status, message), expected, "{status} {message}");
        }
    }
}
