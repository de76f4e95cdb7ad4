//! The Gemini API as a provider.
//!
//! Endpoints, credential header and what is known of the models stand here; the dialect itself is in
//! `gatewright-wire`.

use gatewright::bytes::Bytes;
use gatewright::dialect::{Abilities, AbilityTable, Codec, Dialect};
use gatewright::http::header::{ACCEPT, CONTENT_TYPE};
use gatewright::http::{HeaderMap, HeaderName, HeaderValue, Method};
use gatewright::prelude::*;
use gatewright::{ProviderRequest, ProviderTarget, UpstreamCall};
use gatewright_wire::json::{Patches, Value};
use gatewright_wire::{google_generate, path};

/// What each model can take.
const MODELS: &str = include_str!("../data/models.json");

/// The header of API keys.
const KEY: HeaderName = HeaderName::from_static("x-goog-api-key");

/// Speaks to Google's Gemini API.
///
/// There is nothing to set: a provider's own settings say everything.
#[gatewright::config]
#[derive(Debug)]
pub struct Config {}

/// The adapter.
#[derive(Debug)]
pub struct Gemini {
    models: AbilityTable,
}

impl Extension for Gemini {
    const NAME: &'static str = "gemini";
    const BASE_URL: Option<&'static str> = Some("https://generativelanguage.googleapis.com/v1beta");
    type Config = Config;

    async fn create(_: Config, _: ExtEnv) -> Result<Self, BuildError> {
        Ok(Self { models: AbilityTable::parse(MODELS)? })
    }
}

impl ProviderAdapter for Gemini {
    fn codec(&self, target: &ProviderTarget<'_>) -> Option<&'static dyn Codec> {
        let is_native = target.dialect == Dialect::GoogleGenerate;
        match target.operation {
            Operation::Chat => Some(gatewright_wire::codec(Dialect::GoogleGenerate)),
            // Nobody translates this: only those who speak the dialect can ask.
            Operation::CountTokens if is_native => Some(google_generate::counting()),
            Operation::Embedding => Some(google_generate::embedding()),
            _ => None,
        }
    }

    fn abilities(&self, target: &ProviderTarget<'_>) -> Abilities {
        self.models.of(target.model.strip_prefix("models/").unwrap_or(target.model))
    }

    fn encode(&self, request: &ProviderRequest<'_>) -> Result<UpstreamCall, Failure> {
        let resource = resource(request.model);
        let is_batch = || Value::parse(request.body).is_ok_and(|body| body.get("requests").is_some());
        let (method, accept) = match (request.operation, request.streams) {
            (Operation::Chat, false) => ("generateContent", "application/json"),
            (Operation::Chat, true) => ("streamGenerateContent?alt=sse", "text/event-stream"),
            (Operation::CountTokens, _) => ("countTokens", "application/json"),
            (Operation::Embedding, _) if is_batch() => ("batchEmbedContents", "application/json"),
            (Operation::Embedding, _) => ("embedContent", "application/json"),
            _ => {
                let text = "an operation without an endpoint was routed to this provider";
                return Err(Failure::internal(text));
            }
        };
        let mut headers = HeaderMap::with_capacity(6);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
        let path = format!("{resource}:{method}").into();
        let body = match request.operation {
            Operation::Chat => request.body.clone(),
            _ => named(request.body, resource.trim_start_matches('/')),
        };
        Ok(UpstreamCall { method: Method::POST, path, headers, body })
    }

    fn credential(&self, secret: &Secret) -> Result<(HeaderName, HeaderValue), BuildError> {
        let mut value = HeaderValue::from_str(secret.expose())
            .map_err(|_| BuildError::new("the API key has characters that no header can carry"))?;
        value.set_sensitive(true);
        Ok((KEY, value))
    }
}

/// The path of a model. A name may say itself which collection it is of: `tunedModels/mine`.
fn resource(model: &str) -> String {
    let (collection, name) = match model.split_once('/') {
        Some((collection @ ("models" | "tunedModels"), name)) => (collection, name),
        _ => ("models", model),
    };
    format!("/{collection}/{}", path::segment(name))
}

/// The body with the model's name wherever the caller wrote one: inside of these requests it has to be that of the path.
fn named(body: &Bytes, resource: &str) -> Bytes {
    let Ok(root) = Value::parse(body) else { return body.clone() };
    let mut patches = Patches::new();
    let inner = ["requests", "generateContentRequest", "generate_content_request"];
    let inner = inner.iter().filter_map(|key| root.get(key));
    let holders = inner.flat_map(|inner| inner.elements().chain([inner])).chain([root]);
    for model in holders.flat_map(|holder| holder.members()).filter(|member| member.key.is("model")) {
        patches.replace_str(model.value.span(), resource);
    }
    patches.apply(body).unwrap_or_else(|_| body.clone())
}

gatewright::register!(Gemini => ProviderAdapter);

#[cfg(test)]
mod tests {
    use gatewright::dialect::ReasoningForm;

    use super::*;

    fn gemini() -> Gemini {
        Gemini { models: AbilityTable::parse(MODELS).unwrap() }
    }

    fn target(model: &str) -> ProviderTarget<'_> {
        ProviderTarget { model, operation: Operation::Chat, dialect: Dialect::OpenAiChat }
    }

    #[track_caller]
    fn check(model: &str, streams: bool, expected: &str) {
        let body = Bytes::from_static(b"{}");
        let dialect = Dialect::GoogleGenerate;
        let request = ProviderRequest { model, operation: Operation::Chat, dialect, streams, body: &body };
        assert_eq!(gemini().encode(&request).unwrap().path, expected);
    }

    #[test]
    fn the_path_has_the_model_and_says_whether_the_answer_is_a_stream() {
        check("gemini-2.5-pro", false, "/models/gemini-2.5-pro:generateContent");
        check("models/gemini-2.5-pro", true, "/models/gemini-2.5-pro:streamGenerateContent?alt=sse");
        check("tunedModels/mine", false, "/tunedModels/mine:generateContent");
        check("sim?a=1&b/c", false, "/models/sim%3Fa%3D1%26b%2Fc:generateContent");
    }

    #[test]
    fn embeddings_and_counts_have_their_methods_and_the_models_name_wherever_one_stands() {
        let send = |operation, body: &'static str| {
            let (model, body) = ("m", Bytes::from_static(body.as_bytes()));
            let dialect = Dialect::GoogleGenerate;
            let request = ProviderRequest { model, operation, dialect, streams: false, body: &body };
            let call = gemini().encode(&request).unwrap();
            (call.path.into_owned(), String::from_utf8(call.body.to_vec()).unwrap())
        };
        let cases = [
            (Operation::Embedding, r#"{"content":{}}"#, "embedContent", r#"{"content":{}}"#),
            (
                Operation::Embedding,
                r#"{"requests":[{"model":"models/alias","content":{}},{"content":{}}]}"#,
                "batchEmbedContents",
                r#"{"requests":[{"model":"models/m","content":{}},{"content":{}}]}"#,
            ),
            (
                Operation::CountTokens,
                r#"{"generateContentRequest":{"model":"models/alias"}}"#,
                "countTokens",
                r#"{"generateContentRequest":{"model":"models/m"}}"#,
            ),
        ];
        for (operation, body, method, sent) in cases {
            assert_eq!(send(operation, body), (format!("/models/m:{method}"), sent.to_owned()));
        }
        let codec = |operation, dialect| gemini().codec(&ProviderTarget { model: "m", operation, dialect });
        assert!(codec(Operation::CountTokens, Dialect::GoogleGenerate).is_some());
        assert!(codec(Operation::CountTokens, Dialect::AnthropicMessages).is_none());
        assert!(codec(Operation::Embedding, Dialect::OpenAiEmbeddings).is_some());
    }

    #[test]
    fn what_a_model_can_is_known_by_its_name_and_by_that_of_a_version() {
        let reasoning = |model| gemini().abilities(&target(model)).reasoning;
        assert_eq!(reasoning("gemini-2.5-flash-preview-09-2025"), ReasoningForm::Budget);
        assert_eq!(reasoning("models/gemini-3-flash-preview"), ReasoningForm::Effort);
        assert_eq!(reasoning("gemini-99"), ReasoningForm::Usual);
        assert_eq!(gemini().abilities(&target("gemini-2.5-pro")).output_tokens_max, Some(65_536));
    }
}
