//! The paths that take requests for a model: what is spoken at each, and what the path itself says of a request.

use std::borrow::Cow;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use gatewright::dialect::{Address, Dialect};
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
    /// The path as the router takes it.
    pub(crate) route: &'static str,
}

const GENERATE: Dialect = Dialect::GoogleGenerate;
/// Stands for the model's name in a path.
const MODEL: &str = "{model}";

/// All of them.
pub static CALLS: [CallPath; 11] = [
    plain("/v1/chat/completions", Dialect::OpenAiChat),
    plain("/v1/completions", Dialect::OpenAiCompletions),
    plain("/v1/embeddings", Dialect::OpenAiEmbeddings),
    plain("/v1/responses", Dialect::OpenAiResponses),
    plain("/v1/messages", Dialect::AnthropicMessages),
    named("/v1beta/models/{model}:generateContent", "/v1beta/models/{*model}", GENERATE),
    named("/v1beta/models/{model}:streamGenerateContent", "/v1beta/models/{*model}", GENERATE),
    named("/v1/models/{model}:generateContent", "/v1/models/{*model}", GENERATE),
    named("/v1/models/{model}:streamGenerateContent", "/v1/models/{*model}", GENERATE),
    named("/model/{model}/converse", "/model/{model}/converse", Dialect::BedrockConverse),
    named("/model/{model}/converse-stream", "/model/{model}/converse-stream", Dialect::BedrockConverse),
];

const fn plain(path: &'static str, dialect: Dialect) -> CallPath {
    named(path, path, dialect)
}

const fn named(path: &'static str, route: &'static str, dialect: Dialect) -> CallPath {
    CallPath { path, dialect, route }
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
        (!model.is_empty()).then(|| Address { model: Some(model.into()), streams: Some(streams) })
    }
}

/// The dialect that is spoken at a path, and what the path says of a request.
#[must_use]
pub fn call_of(path: &str) -> Option<(Dialect, Address)> {
    CALLS.iter().find_map(|call| Some((call.dialect, call.read(path)?)))
}

/// Serves a request for a model.
pub(crate) async fn serve(state: State<Arc<Worker>>, request: Inbound) -> Response {
    match call_of(request.uri().path()) {
        Some((dialect, address)) => super::serve(&state.0, dialect, address, request).await,
        None => super::unknown::path(state, request).await,
    }
}

#[cfg(test)]
mod tests {
    use gatewright::dialect::Dialect;

    use super::call_of;

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
            ("/model/m/invent", None),
        ];
        for (path, expected) in table {
            let found = call_of(path);
            let found = found
                .as_ref()
                .map(|(dialect, address)| (*dialect, address.model.as_deref(), address.streams));
            assert_eq!(found, expected, "{path}");
        }
    }
}
