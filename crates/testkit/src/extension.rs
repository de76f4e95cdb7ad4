//! What a unit test of an extension needs of a gateway: settings decoded as the host decodes them, an
//! environment, contexts, requests and heads, all in memory.
//!
//! ```
//! use gatewright_testkit::extension;
//!
//! let request = extension::request(&[(gatewright::Role::User, "hello")]);
//! assert_eq!(extension::texts(&request), ["user: hello"]);
//! ```

mod document;
mod environment;
mod limits;
mod record;

use std::sync::Arc;
use std::time::Instant;

use gatewright::dialect::{Dialect, Operation};
use gatewright::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use gatewright::{
    BuildError, ExtEnv, Extension, LlmRequest, LlmResponse, Principal, ProviderName, RequestCx, RequestFacts,
    RequestHead, RequestId, ResponseHead, Role, Settings, TextKind, TextPart,
};

use self::document::PlainRequest;
pub use self::environment::{EnvBuilder, TestEnv};
pub use self::limits::MemoryLimits;
pub use self::record::{audit_record, usage_record};

/// Builds an instance from settings, as the host does.
///
/// # Errors
/// The settings do not decode, or the extension refuses them.
pub async fn create<E: Extension>(settings: serde_json::Value) -> Result<E, BuildError> {
    create_in(env(Arc::new(MemoryLimits::default())), settings).await
}

/// The same with an environment of the test's own.
///
/// # Errors
/// The settings do not decode, or the extension refuses them.
pub async fn create_in<E: Extension>(env: ExtEnv, settings: serde_json::Value) -> Result<E, BuildError> {
    E::create(Settings::new(settings).decode()?, env).await
}

/// The environment of an instance `test`, whose randomness is a count and whose time stands still. [`TestEnv`] gives
/// the handles to it as well.
#[must_use]
pub fn env(limits: Arc<MemoryLimits>) -> ExtEnv {
    EnvBuilder::default().limits(limits).build().env()
}

/// The context of a chat request for the model `model` on the route `route`.
#[must_use]
pub fn context(principal: Principal) -> RequestCx {
    RequestCx::new(facts(principal))
}

/// What such a context is made of, for a test that needs another model, route or header.
#[must_use]
pub fn facts(principal: Principal) -> RequestFacts {
    RequestFacts {
        id: RequestId::new(1, 1),
        principal: Arc::new(principal),
        route: "route".into(),
        model: "model".into(),
        dialect: Dialect::OpenAiChat,
        operation: Operation::Chat,
        streams: false,
        received: Instant::now(),
        client_headers: Arc::new(HeaderMap::new()),
    }
}

/// A caller of the tenant `tenant` whose key is known as `key`.
#[must_use]
pub fn principal() -> Principal {
    Principal::new("tenant".into(), "key")
}

/// The head of a successful chat answer.
#[must_use]
pub fn response_head(streams: bool) -> ResponseHead {
    ResponseHead {
        status: StatusCode::OK,
        dialect: Dialect::OpenAiChat,
        operation: Operation::Chat,
        streams,
        provider: ProviderName::new("provider"),
        model: Arc::from("model"),
    }
}

/// A chat request with these messages.
#[must_use]
pub fn request(messages: &[(Role, &str)]) -> LlmRequest {
    let parts = messages.iter().map(|(role, text)| (*role, TextKind::Content, (*text).to_owned()));
    LlmRequest::new(Box::new(PlainRequest::chat(parts.collect())))
}

/// A chat request with this one piece of text.
#[must_use]
pub fn request_of(part: TextPart<'_>) -> LlmRequest {
    LlmRequest::new(Box::new(PlainRequest::chat(vec![(part.role, part.kind, part.text.to_owned())])))
}

/// A chat request as the gateway decodes it from this body, with all its fields.
///
/// # Panics
/// If it is none.
#[must_use]
pub fn chat_request(body: &serde_json::Value) -> LlmRequest {
    chat_request_text(&body.to_string())
}

/// The same from the exact text of a body.
///
/// # Panics
/// If it is none.
#[must_use]
pub fn chat_request_text(body: &str) -> LlmRequest {
    let decoded = gatewright_wire::openai_chat::codec().decode_request(body.to_owned().into());
    LlmRequest::new(decoded.expect("the test gives a chat request"))
}

/// The body of a request as JSON.
///
/// # Panics
/// If it is none, as with requests that are lists of texts.
#[must_use]
pub fn body(request: &LlmRequest) -> serde_json::Value {
    serde_json::from_slice(&request.to_body()).expect("a request that was decoded is JSON")
}

/// A whole chat answer as the gateway decodes it from this body.
///
/// # Panics
/// If it is none.
#[must_use]
pub fn chat_answer(body: &serde_json::Value) -> LlmResponse {
    let decoded = gatewright_wire::openai_chat::codec().decode_answer(body.to_string().into());
    LlmResponse::new(decoded.expect("the test gives a chat answer"))
}

/// A request for the vectors of a text.
#[must_use]
pub fn embedding_request(text: &str) -> LlmRequest {
    LlmRequest::new(Box::new(PlainRequest::embedding(text)))
}

/// The texts of a request, each as `role: text`.
#[must_use]
pub fn texts(request: &LlmRequest) -> Vec<String> {
    let mut texts = Vec::new();
    let visited = request.for_each_text(&mut |part| {
        texts.push(format!("{}: {}", format!("{:?}", part.role).to_lowercase(), part.text));
    });
    debug_assert!(visited.is_ok(), "a request in memory is never malformed");
    texts
}

/// The head of a request, which a [`RequestHead`] borrows from.
#[derive(Clone, Debug, Default)]
pub struct Head {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
}

impl Head {
    /// A head with these headers.
    ///
    /// # Panics
    /// If a header is not one.
    #[must_use]
    pub fn with(headers: &[(&'static str, &str)]) -> Self {
        let pairs = headers.iter().map(|(name, value)| {
            let value = HeaderValue::from_str(value).expect("the test gives a valid header value");
            (HeaderName::from_static(name), value)
        });
        Self { headers: pairs.collect(), ..Self::default() }
    }

    /// The head as an authenticator sees it, on an encrypted connection from this machine.
    #[must_use]
    pub fn borrow(&self) -> RequestHead<'_> {
        RequestHead {
            method: &self.method,
            uri: &self.uri,
            headers: &self.headers,
            peer: ([127, 0, 0, 1], 50_000).into(),
            tls: true,
        }
    }
}
