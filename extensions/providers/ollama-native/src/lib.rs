//! An Ollama server as a provider, by its own protocol.
//!
//! Endpoint, settings of the server and what is known of the models stand here; the dialect itself is in
//! `gatewright-wire`. The same server speaks the OpenAI API too, for which there is the adapter `ollama`.

use std::borrow::Cow;

use gatewright::bytes::Bytes;
use gatewright::dialect::{Abilities, AbilityTable, Codec, Dialect};
use gatewright::http::header::{ACCEPT, CONTENT_TYPE};
use gatewright::http::{HeaderMap, HeaderValue, Method};
use gatewright::prelude::*;
use gatewright::{ProviderRequest, ProviderTarget, UpstreamCall};
use gatewright_wire::json::{ObjectEdit, Value, quote};

/// What each model can take.
const MODELS: &str = include_str!("../data/models.json");

/// The option that says how large a context is.
const CONTEXT: &str = "num_ctx";

/// Speaks to an Ollama server by its own protocol.
#[gatewright::config]
#[derive(Debug, Default)]
pub struct Config {
    /// How many tokens the context has with which a model is loaded, prompt and answer together, where a request does
    /// not say it. Without it the server has a default of its own, and cuts longer prompts without a word.
    #[serde(default)]
    pub context_tokens: Option<u32>,
    /// How long the server keeps a model loaded after a request that does not say it: `10m`, `1h`. Without it the
    /// server has a default of its own.
    #[serde(default)]
    pub keep_alive: Option<String>,
}

/// The adapter.
#[derive(Debug)]
pub struct Ollama {
    config: Config,
    models: AbilityTable,
}

impl Extension for Ollama {
    const NAME: &'static str = "ollama-native";
    type Config = Config;

    async fn create(config: Config, _: ExtEnv) -> Result<Self, BuildError> {
        Ok(Self { config, models: AbilityTable::parse(MODELS)? })
    }
}

impl ProviderAdapter for Ollama {
    fn codec(&self, target: &ProviderTarget<'_>) -> Option<&'static dyn Codec> {
        (target.operation == Operation::Chat).then(|| gatewright_wire::codec(Dialect::OllamaChat))
    }

    fn abilities(&self, target: &ProviderTarget<'_>) -> Abilities {
        self.models.of(target.model)
    }

    fn encode(&self, request: &ProviderRequest<'_>) -> Result<UpstreamCall, Failure> {
        let accept = if request.streams { "application/x-ndjson" } else { "application/json" };
        let mut headers = HeaderMap::with_capacity(6);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
        Ok(UpstreamCall {
            method: Method::POST,
            path: Cow::Borrowed("/api/chat"),
            headers,
            body: self.config.applied(request.body),
        })
    }
}

impl Config {
    /// The request with what the settings say and it does not.
    fn applied(&self, body: &Bytes) -> Bytes {
        let Ok(root) = Value::parse(body) else { return body.clone() };
        let mut edit = ObjectEdit::new();
        if let Some(keep_alive) = self.keep_alive.as_ref().filter(|_| root.get("keep_alive").is_none()) {
            edit = edit.set("keep_alive", quote(keep_alive));
        }
        if let Some(tokens) = self.context_tokens
            && let Some(options) = with_context(&root, tokens)
        {
            edit = edit.set("options", options);
        }
        let edited = edit.patches(&root).ok().and_then(|patches| patches.apply(body).ok());
        edited.unwrap_or_else(|| body.clone())
    }
}

/// The options of a request with a context of so many tokens, unless they have one.
fn with_context(root: &Value<'_>, tokens: u32) -> Option<Bytes> {
    let none = Bytes::from_static(b"{}");
    let text = root.get("options").map_or(none, |options| Bytes::copy_from_slice(options.raw()));
    let options = Value::parse(&text).ok()?;
    if options.get(CONTEXT).is_some() {
        return None;
    }
    ObjectEdit::new().set(CONTEXT, tokens.to_string()).patches(&options).ok()?.apply(&text).ok()
}

gatewright::register!(Ollama => ProviderAdapter);

#[cfg(test)]
mod tests {
    use gatewright::chat::MediaKind;
    use gatewright::dialect::ReasoningForm;

    use super::*;

    #[track_caller]
    fn sent(config: Config, body: &'static str) -> String {
        let adapter = Ollama { config, models: AbilityTable::parse(MODELS).unwrap() };
        let (body, dialect) = (Bytes::from_static(body.as_bytes()), Dialect::OllamaChat);
        let operation = Operation::Chat;
        let request = ProviderRequest { model: "m", operation, dialect, streams: true, body: &body };
        let call = adapter.encode(&request).unwrap();
        assert_eq!(
            (call.path.as_ref(), call.headers[ACCEPT].to_str().unwrap()),
            ("/api/chat", "application/x-ndjson")
        );
        String::from_utf8(call.body.to_vec()).unwrap()
    }

    #[test]
    fn settings_of_the_server_hold_where_a_request_does_not_say_otherwise() {
        let set = || Config { context_tokens: Some(8_192), keep_alive: Some("10m".to_owned()) };
        let cases = [
            (r#"{"model":"m"}"#, r#"{"model":"m","keep_alive":"10m","options":{"num_ctx":8192}}"#),
            (
                r#"{"options":{"seed":1},"keep_alive":0}"#,
                r#"{"options":{"seed":1,"num_ctx":8192},"keep_alive":0}"#,
            ),
            (
                r#"{"options":{"num_ctx":5},"keep_alive":"1m"}"#,
                r#"{"options":{"num_ctx":5},"keep_alive":"1m"}"#,
            ),
        ];
        for (body, expected) in cases {
            assert_eq!(sent(set(), body), expected);
            assert_eq!(sent(Config::default(), body), body);
        }
    }

    #[test]
    fn what_a_model_can_is_known_by_its_name_whatever_its_tag() {
        let models = AbilityTable::parse(MODELS).unwrap();
        assert_eq!(models.of("gpt-oss:20b").reasoning, ReasoningForm::Effort);
        assert_eq!(models.of("qwen3:30b-a3b").reasoning, ReasoningForm::Adaptive);
        assert_eq!(models.of("llama3.2-vision:11b").media, [MediaKind::Image]);
        assert_eq!(models.of("somebody/model:latest").reasoning, ReasoningForm::Usual);
    }
}
