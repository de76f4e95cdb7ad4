//! The extensions of the bench: two that do nothing, one that answers in the provider's place, and what every gateway
//! needs.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use gatewright::bytes::Bytes;
use gatewright::dialect::Codec;
use gatewright::http::{HeaderMap, HeaderValue, Method};
use gatewright::prelude::*;
use gatewright::registry::Registration;
use gatewright::{ProviderRequest, ProviderTarget, UpstreamCall};
use serde_json::json;

/// All of them.
pub(super) static REGISTRATIONS: [&Registration; 5] = [
    &gatewright::registration!(Everybody => Authenticator),
    &gatewright::registration!(Idle => RequestTransform),
    &gatewright::registration!(AnswerAtOnce => RequestTransform),
    &gatewright::registration!(Quiet => ResponseFilter),
    &gatewright::registration!(Adapter => ProviderAdapter),
];

#[gatewright::config]
struct Nothing {}

macro_rules! extension {
    ($type:ident, $name:literal, $value:expr) => {
        impl Extension for $type {
            const NAME: &'static str = $name;
            type Config = Nothing;

            async fn create(_: Nothing, _: ExtEnv) -> Result<Self, BuildError> {
                Ok($value)
            }
        }
    };
}

/// Takes everybody for the same caller.
struct Everybody(Arc<Principal>);

extension!(Everybody, "bench.everybody", Self(Arc::new(Principal::new("tenant".into(), "key"))));

#[async_trait]
impl Authenticator for Everybody {
    async fn authenticate(&self, _: &RequestHead<'_>) -> HookResult<AuthVerdict> {
        Ok(AuthVerdict::Accept(Arc::clone(&self.0)))
    }
}

/// Does nothing to requests.
struct Idle;

extension!(Idle, "bench.idle", Self);

#[async_trait]
impl RequestTransform for Idle {
    async fn on_request(&self, _: &mut LlmRequest, _: &mut RequestCx) -> HookResult {
        Ok(Flow::Continue)
    }
}

/// Answers in the provider's place.
struct AnswerAtOnce;

extension!(AnswerAtOnce, "bench.answer", Self);

#[async_trait]
impl RequestTransform for AnswerAtOnce {
    async fn on_request(&self, _: &mut LlmRequest, _: &mut RequestCx) -> HookResult {
        static ANSWER: OnceLock<Bytes> = OnceLock::new();
        let answer = ANSWER.get_or_init(|| {
            let message = json!({"role": "assistant", "content": "hello"});
            let choice = json!({"index": 0, "message": message, "finish_reason": "stop"});
            json!({"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]})
                .to_string()
                .into()
        });
        let answer = gatewright_wire::codec(Dialect::OpenAiChat).decode_answer(answer.clone());
        Ok(Flow::Respond(Box::new(LlmResponse::new(answer.map_err(|_| ExtError::new("no answer"))?))))
    }
}

/// Sees every event and does nothing.
struct Quiet;

extension!(Quiet, "bench.quiet", Self);

impl ResponseFilter for Quiet {
    fn plan(&self, _: &ResponseHead, _: &RequestCx) -> FilterPlan {
        FilterPlan::Events
    }
}

/// Speaks to the simulated provider.
struct Adapter;

extension!(Adapter, "bench.adapter", Self);

impl ProviderAdapter for Adapter {
    fn codec(&self, target: &ProviderTarget<'_>) -> Option<&'static dyn Codec> {
        (target.operation == Operation::Chat).then(|| gatewright_wire::codec(Dialect::OpenAiChat))
    }

    fn encode(&self, request: &ProviderRequest<'_>) -> Result<UpstreamCall, Failure> {
        let mut headers = HeaderMap::with_capacity(4);
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        let path = Cow::Borrowed("/chat/completions");
        Ok(UpstreamCall { method: Method::POST, path, headers, body: request.body.clone() })
    }
}
