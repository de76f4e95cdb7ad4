//! Google's Vertex AI as a provider: Gemini models by `generateContent`, Claude models by the Messages dialect, those of
//! other publishers by OpenAI chat completions.
//!
//! Paths, and what the platform wants otherwise than the dialects' own services, stand here; the dialects themselves
//! are in `gatewright-wire`.

use gatewright::bytes::Bytes;
use gatewright::dialect::{Abilities, AbilityTable, Codec, Dialect};
use gatewright::http::header::{ACCEPT, CONTENT_TYPE};
use gatewright::http::{HeaderMap, HeaderValue, Method};
use gatewright::prelude::*;
use gatewright::{ProviderRequest, ProviderTarget, UpstreamCall};
use gatewright_wire::json::{ObjectEdit, Value};
use gatewright_wire::path;

/// What each model can take.
const MODELS: &str = include_str!("../data/models.json");

/// The version of the Messages dialect that the platform speaks; it stands in the body.
const MESSAGES_VERSION: &str = "vertex-2023-10-16";

/// Speaks to Google's Vertex AI.
///
/// There is nothing to set: project and location are part of the provider's `base_url`.
#[gatewright::config]
#[derive(Debug)]
pub struct Config {}

/// The adapter.
#[derive(Debug)]
pub struct Vertex {
    models: AbilityTable,
}

impl Extension for Vertex {
    const NAME: &'static str = "vertex";
    type Config = Config;

    async fn create(_: Config, _: ExtEnv) -> Result<Self, BuildError> {
        Ok(Self { models: AbilityTable::parse(MODELS)? })
    }
}

/// Where a model is, and what is spoken there.
#[derive(Debug, PartialEq, Eq)]
struct Place<'m> {
    /// What stands in the path before the model's own segment; nothing where the body has the model.
    collection: &'static str,
    name: &'m str,
    dialect: Dialect,
}

impl<'m> Place<'m> {
    /// Reads a model's name. A publisher may stand before it.
    fn of(model: &'m str) -> Self {
        let (collection, name, dialect) = match model.split_once('/') {
            Some(("google", name)) => ("publishers/google/models", name, Dialect::GoogleGenerate),
            Some(("anthropic", name)) => ("publishers/anthropic/models", name, Dialect::AnthropicMessages),
            Some(("endpoints", name)) => ("endpoints", name, Dialect::GoogleGenerate),
            Some(_) => ("", model, Dialect::OpenAiChat),
            None if model.starts_with("claude-") => {
                ("publishers/anthropic/models", model, Dialect::AnthropicMessages)
            }
            None => ("publishers/google/models", model, Dialect::GoogleGenerate),
        };
        Self { collection, name, dialect }
    }

    /// The codec of an operation, as the caller of a dialect can have it.
    fn codec(&self, operation: Operation, caller: Dialect) -> Option<&'static dyn Codec> {
        match operation {
            Operation::Chat => Some(gatewright_wire::codec(self.dialect)),
            // Nobody translates this: only those who speak the dialect can ask.
            Operation::CountTokens if caller == self.dialect && caller != Dialect::OpenAiChat => {
                Some(gatewright_wire::codec_of(self.dialect, operation))
            }
            Operation::Embedding if self.dialect == Dialect::GoogleGenerate => {
                Some(if self.embeds_contents() {
                    gatewright_wire::codec_of(self.dialect, operation)
                } else {
                    gatewright_wire::codec(Dialect::GooglePredict)
                })
            }
            _ => None,
        }
    }

    /// Whether vectors are asked for in the dialect of chats, as of the models that read more than text.
    fn embeds_contents(&self) -> bool {
        self.name.starts_with("gemini-embedding-") && !self.name.starts_with("gemini-embedding-001")
    }

    fn path(&self, request: &ProviderRequest<'_>) -> String {
        let method = match (self.dialect, request.operation, request.streams) {
            (Dialect::OpenAiChat, ..) => return "/endpoints/openapi/chat/completions".to_owned(),
            // It is a model of its own there, and the body names the one whose tokens are counted.
            (Dialect::AnthropicMessages, Operation::CountTokens, _) => {
                return format!("/{}/count-tokens:rawPredict", self.collection);
            }
            (_, Operation::CountTokens, _) => "countTokens",
            (_, Operation::Embedding, _) if request.dialect == Dialect::GooglePredict => "predict",
            (_, Operation::Embedding, _) => "embedContent",
            (Dialect::AnthropicMessages, _, false) => "rawPredict",
            (Dialect::AnthropicMessages, _, true) => "streamRawPredict",
            (_, _, false) => "generateContent",
            (_, _, true) => "streamGenerateContent?alt=sse",
        };
        format!("/{}/{}:{method}", self.collection, path::segment(self.name))
    }
}

impl ProviderAdapter for Vertex {
    fn codec(&self, target: &ProviderTarget<'_>) -> Option<&'static dyn Codec> {
        Place::of(target.model).codec(target.operation, target.dialect)
    }

    fn abilities(&self, target: &ProviderTarget<'_>) -> Abilities {
        self.models.of(Place::of(target.model).name)
    }

    fn encode(&self, request: &ProviderRequest<'_>) -> Result<UpstreamCall, Failure> {
        let place = Place::of(request.model);
        if place.codec(request.operation, place.dialect).is_none() {
            let text = "an operation without an endpoint was routed to this provider";
            return Err(Failure::internal(text));
        }
        let body = match (place.dialect, request.operation) {
            (Dialect::AnthropicMessages, Operation::CountTokens) => {
                edited(request.body, &ObjectEdit::new().set_str("model", place.name))?
            }
            (Dialect::AnthropicMessages, _) => addressed(request.body)?,
            _ => request.body.clone(),
        };
        let accept = if request.streams { "text/event-stream" } else { "application/json" };
        let mut headers = HeaderMap::with_capacity(6);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
        let path = place.path(request).into();
        Ok(UpstreamCall { method: Method::POST, path, headers, body })
    }
}

/// A request of the Messages dialect whose model stands in the path, and whose version in the body.
fn addressed(body: &Bytes) -> Result<Bytes, Failure> {
    edited(body, &ObjectEdit::new().set_str("anthropic_version", MESSAGES_VERSION).remove("model"))
}

fn edited(body: &Bytes, edit: &ObjectEdit) -> Result<Bytes, Failure> {
    let edited = Value::parse(body).ok().and_then(|body| edit.patches(&body).ok());
    let edited = edited.and_then(|patches| patches.apply(body).ok());
    edited.ok_or_else(|| Failure::internal("a request that is no object was routed to this provider"))
}

gatewright::register!(Vertex => ProviderAdapter);

#[cfg(test)]
mod tests {
    use super::*;

    fn call(model: &str, streams: bool, body: &'static str) -> Result<UpstreamCall, Failure> {
        let vertex = Vertex { models: AbilityTable::parse(MODELS).unwrap() };
        let (body, dialect) = (Bytes::from_static(body.as_bytes()), Dialect::GoogleGenerate);
        vertex.encode(&ProviderRequest { model, operation: Operation::Chat, dialect, streams, body: &body })
    }

    #[test]
    fn each_publisher_has_its_path_and_its_methods() {
        let cases = [
            ("gemini-2.5-pro", false, "/publishers/google/models/gemini-2.5-pro:generateContent"),
            ("google/g?x=1", true, "/publishers/google/models/g%3Fx%3D1:streamGenerateContent?alt=sse"),
            ("endpoints/42", false, "/endpoints/42:generateContent"),
            (
                "claude-opus-4-5@20251101",
                false,
                "/publishers/anthropic/models/claude-opus-4-5@20251101:rawPredict",
            ),
            ("anthropic/x", true, "/publishers/anthropic/models/x:streamRawPredict"),
            ("meta/llama", true, "/endpoints/openapi/chat/completions"),
        ];
        for (model, streams, expected) in cases {
            assert_eq!(call(model, streams, "{}").unwrap().path, expected);
        }
    }

    #[test]
    fn counts_and_vectors_have_methods_of_their_own_by_model() {
        let vertex = Vertex { models: AbilityTable::parse(MODELS).unwrap() };
        let (count, embed) = (Operation::CountTokens, Operation::Embedding);
        let (google, messages) = (Dialect::GoogleGenerate, Dialect::AnthropicMessages);
        let cases = [
            (("gemini-2.5-pro", count, google), "/publishers/google/models/gemini-2.5-pro:countTokens"),
            (("claude-x", count, messages), "/publishers/anthropic/models/count-tokens:rawPredict"),
            (("text-embedding-005", embed, google), "/publishers/google/models/text-embedding-005:predict"),
            (
                ("gemini-embedding-001", embed, Dialect::OpenAiEmbeddings),
                "/publishers/google/models/gemini-embedding-001:predict",
            ),
            (
                ("gemini-embedding-2-preview", embed, Dialect::OpenAiEmbeddings),
                "/publishers/google/models/gemini-embedding-2-preview:embedContent",
            ),
        ];
        for ((model, operation, dialect), path) in cases {
            let codec = vertex.codec(&ProviderTarget { model, operation, dialect }).unwrap();
            assert_eq!(codec.operation(), operation);
            let (body, dialect) = (Bytes::from_static(b"{\"model\":\"alias\"}"), codec.dialect());
            let request = ProviderRequest { model, operation, dialect, streams: false, body: &body };
            let call = vertex.encode(&request).unwrap();
            assert_eq!(call.path, path);
            if dialect == messages {
                assert_eq!(call.body, r#"{"model":"claude-x"}"#);
            }
        }
        for (model, operation, dialect) in [
            ("claude-x", embed, messages),
            ("claude-x", count, google),
            ("meta/llama", count, Dialect::OpenAiChat),
        ] {
            assert!(vertex.codec(&ProviderTarget { model, operation, dialect }).is_none(), "{model}");
        }
    }

    #[test]
    fn a_messages_request_has_its_version_in_the_body_and_its_model_in_the_path() {
        let sent = call("claude-x", true, r#"{"model":"claude-x","stream":true,"max_tokens":1}"#).unwrap();
        assert_eq!(sent.body, r#"{"stream":true,"max_tokens":1,"anthropic_version":"vertex-2023-10-16"}"#);
        let sent = call("gemini-x", true, r#"{"contents":[]}"#).unwrap();
        assert_eq!(sent.body, r#"{"contents":[]}"#);
    }
}
