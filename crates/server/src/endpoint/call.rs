//! The paths that take requests for a model: what is spoken at each, and what the path itself says of a request.

use std::borrow::Cow;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use gatewright::dialect::{Address, Codec, Dialect, Operation};
use gatewright_pipeline::Worker;
use percent_encoding::percent_decode_str;

use crate::application::Inbound;

/// A path that takes requests for a model.
#[derive(Clone, Copy, Debug)]
pub struct CallPath {
    /// The path as people write it, with `{model}` where it names the model.
    pub path: &'static str,
    /// What is spoken there.
    pub dialect: Dialect,
    /// What is asked for there.
    pub operation: Operation,
    /// The path as the router takes it.
    pub(crate) route: &'static str,
}

/// Stands for the model's name in a path.
const MODEL: &str = "{model}";

/// All of them.
pub static CALLS: [CallPath; 33] = [
    plain("/v1/chat/completions", Dialect::OpenAiChat, Operation::Chat),
    plain("/v1/completions", Dialect::OpenAiCompletions, Operation::Completion),
    plain("/v1/embeddings", Dialect::OpenAiEmbeddings, Operation::Embedding),
    plain("/v2/embed", Dialect::CohereEmbed, Operation::Embedding),
    plain("/api/embed", Dialect::OllamaEmbed, Operation::Embedding),
    plain("/v1/responses", Dialect::OpenAiResponses, Operation::Chat),
    plain("/v1/moderations", Dialect::OpenAiModerations, Operation::Moderation),
    plain("/v1/images/generations", Dialect::OpenAiImages, Operation::Image),
    plain("/v1/images/edits", Dialect::OpenAiImageEdits, Operation::ImageEdit),
    plain("/v1/images/variations", Dialect::OpenAiImageVariations, Operation::ImageVariation),
    plain("/v1/audio/speech", Dialect::OpenAiSpeech, Operation::Speech),
    plain("/v1/audio/transcriptions", Dialect::OpenAiTranscriptions, Operation::Transcription),
    plain("/v1/audio/translations", Dialect::OpenAiTranslations, Operation::Translation),
    plain("/v1/rerank", Dialect::Rerank, Operation::Rerank),
    plain("/v2/rerank", Dialect::Rerank, Operation::Rerank),
    plain("/v2/chat", Dialect::CohereChat, Operation::Chat),
    plain("/api/chat", Dialect::OllamaChat, Operation::Chat),
    plain("/v1/messages", Dialect::AnthropicMessages, Operation::Chat),
    plain("/v1/messages/count_tokens", Dialect::AnthropicMessages, Operation::CountTokens),
    method("/v1beta/models/{model}:generateContent", "/v1beta/models/{*model}", Operation::Chat),
    method("/v1beta/models/{model}:streamGenerateContent", "/v1beta/models/{*model}", Operation::Chat),
    method("/v1beta/models/{model}:countTokens", "/v1beta/models/{*model}", Operation::CountTokens),
    method("/v1beta/models/{model}:embedContent", "/v1beta/models/{*model}", Operation::Embedding),
    method("/v1beta/models/{model}:batchEmbedContents", "/v1beta/models/{*model}", Operation::Embedding),
    method("/v1/models/{model}:generateContent", "/v1/models/{*model}", Operation::Chat),
    method("/v1/models/{model}:streamGenerateContent", "/v1/models/{*model}", Operation::Chat),
    method("/v1/models/{model}:countTokens", "/v1/models/{*model}", Operation::CountTokens),
    method("/v1/models/{model}:embedContent", "/v1/models/{*model}", Operation::Embedding),
    method("/v1/models/{model}:batchEmbedContents", "/v1/models/{*model}", Operation::Embedding),
    addressed("/model/{model}/converse", Dialect::BedrockConverse),
    addressed("/model/{model}/converse-stream", Dialect::BedrockConverse),
    addressed("/model/{model}/invoke", Dialect::BedrockInvoke),
    addressed("/model/{model}/invoke-with-response-stream", Dialect::BedrockInvoke),
];

const fn plain(path: &'static str, dialect: Dialect, operation: Operation) -> CallPath {
    CallPath { path, dialect, operation, route: path }
}

/// What is asked for stands behind the model in the last segment, which no route can tell apart.
const fn method(path: &'static str, route: &'static str, operation: Operation) -> CallPath {
    CallPath { path, dialect: Dialect::GoogleGenerate, operation, route }
}

/// What is asked for may stand in the body.
const fn addressed(path: &'static str, dialect: Dialect) -> CallPath {
    CallPath { path, dialect, operation: Operation::Chat, route: path }
}

impl CallPath {
    /// What a path says of a request; none where it is another path.
    #[must_use]
    pub fn read(&self, path: &str) -> Option<Address> {
        let Some((before, behind)) = self.path.split_once(MODEL) else {
            return (path == self.path).then(Address::default);
        };
        let model = path.strip_prefix(before)?.strip_suffix(behind)?;
        let model: Cow<'_, str> = percent_decode_str(model).decode_utf8().ok()?;
        let streams = behind.to_ascii_lowercase().contains("stream");
        (!model.is_empty()).then(|| Address {
            model: Some(model.into()),
            streams: Some(streams),
            ..Address::default()
        })
    }

    /// The codec that reads a request and writes its answer, as the query of the address asks for it.
    #[must_use]
    pub fn codec(&self, query: Option<&str>) -> &'static dyn Codec {
        match self.operation {
            Operation::Chat => gatewright_wire::codec_at(self.dialect, query),
            operation => gatewright_wire::codec_of(self.dialect, operation),
        }
    }
}

/// Which of them a path is, and what it says of a request.
#[must_use]
pub fn call_of(path: &str) -> Option<(&'static CallPath, Address)> {
    CALLS.iter().find_map(|call| Some((call, call.read(path)?)))
}

/// Serves a request for a model.
pub(crate) async fn serve(state: State<Arc<Worker>>, request: Inbound) -> Response {
    match call_of(request.uri().path()) {
        Some((call, address)) => {
            let codec = call.codec(request.uri().query());
            super::serve(&state.0, codec, address, request).await
        }
        None => super::unknown::path(state, request).await,
    }
}

#[cfg(test)]
mod tests {
    use gatewright::dialect::{Dialect, Operation};

    use super::{CALLS, call_of};

    #[test]
    fn a_path_names_dialect_model_and_stream() {
        let table = [
            ("/v1/messages", Some((Dialect::AnthropicMessages, None, None))),
            (
                "/v1beta/models/gemini-3-pro:streamGenerateContent",
                Some((Dialect::GoogleGenerate, Some("gemini-3-pro"), Some(true))),
            ),
            (
                "/v1beta/models/a%2Fb%3Fc=1:generateContent",
                Some((Dialect::GoogleGenerate, Some("a/b?c=1"), Some(false))),
            ),
            (
                "/model/eu.vendor.model-v1%3A0/converse",
                Some((Dialect::BedrockConverse, Some("eu.vendor.model-v1:0"), Some(false))),
            ),
            ("/v1beta/models/:generateContent", None),
            ("/v1beta/models/m:somethingElse", None),
            (
                "/model/eu.vendor.model-v1%3A0/invoke-with-response-stream",
                Some((Dialect::BedrockInvoke, Some("eu.vendor.model-v1:0"), Some(true))),
            ),
            ("/model/m/invoke", Some((Dialect::BedrockInvoke, Some("m"), Some(false)))),
            ("/model/m/invent", None),
        ];
        for (path, expected) in table {
            let found = call_of(path);
            let found = found
                .as_ref()
                .map(|(call, address)| (call.dialect, address.model.as_deref(), address.streams));
            assert_eq!(found, expected, "{path}");
        }
    }
    #[test]
    fn a_path_names_the_operation() {
        let table = [
            ("/v1/messages", Operation::Chat),
            ("/v1/messages/count_tokens", Operation::CountTokens),
            ("/v1beta/models/m:countTokens", Operation::CountTokens),
            ("/v1/models/m:countTokens", Operation::CountTokens),
            ("/v1beta/models/m:embedContent", Operation::Embedding),
            ("/v1/models/m:batchEmbedContents", Operation::Embedding),
            ("/v1/models/m:streamGenerateContent", Operation::Chat),
            ("/v1/moderations", Operation::Moderation),
            ("/v1/images/generations", Operation::Image),
            ("/v1/audio/speech", Operation::Speech),
            ("/v1/rerank", Operation::Rerank),
            ("/v2/rerank", Operation::Rerank),
        ];
        for (path, expected) in table {
            let found = call_of(path).map(|(call, _)| call.operation);
            assert_eq!(found, Some(expected), "{path}");
        }
    }

    #[test]
    fn every_path_has_the_codec_of_its_dialect_and_operation() {
        for call in &CALLS {
            let codec = call.codec(None);
            assert_eq!((codec.dialect(), codec.operation()), (call.dialect, call.operation), "{}", call.path);
        }
    }
}
