//! What every gateway needs and no test wants to write: an authenticator that knows the test's callers, and the
//! adapter of the simulated provider. Both are extensions like any other.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use gatewright::dialect::{Codec, Dialect};
use gatewright::http::header::{ACCEPT, CONTENT_TYPE};
use gatewright::http::{HeaderMap, HeaderValue, Method};
use gatewright::prelude::*;
use gatewright::registry::Registration;
use gatewright::{ProviderRequest, ProviderTarget, UpstreamCall};
use serde_json::{Value, json};

/// The registration of the authenticator.
pub(super) static CALLERS: Registration = gatewright::registration!(Callers => Authenticator);
/// The registration of the adapter.
pub(super) static SIMULATED: Registration = gatewright::registration!(Simulated => ProviderAdapter);

#[gatewright::config]
struct CallerSettings {
    /// The callers.
    callers: Vec<CallerSetting>,
}

#[gatewright::config]
struct CallerSetting {
    /// The key that the caller shows.
    key: String,
    /// The caller's tenant.
    tenant: String,
    /// The label of the key.
    label: String,
    /// The caller's project.
    project: Option<String>,
    /// The caller's user.
    user: Option<String>,
    /// The user's groups.
    groups: Vec<String>,
    /// The models that the caller may use.
    models: Vec<String>,
    /// Labels.
    tags: Vec<(String, String)>,
}

/// The settings that make [`Callers`] know a caller.
pub(super) fn caller(key: &str, principal: &Principal) -> Value {
    let texts = |list: &[Arc<str>]| list.iter().map(|text| text.to_string()).collect::<Vec<_>>();
    let tags: Vec<_> =
        principal.tags.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    json!({
        "key": key,
        "tenant": principal.tenant.as_str(),
        "label": &*principal.key_label,
        "project": principal.project.as_deref(),
        "user": principal.user.as_deref(),
        "groups": texts(&principal.groups),
        "models": texts(&principal.models),
        "tags": tags,
    })
}

/// Accepts those who show one of its keys, and abstains for all others.
struct Callers(BTreeMap<String, Arc<Principal>>);

impl Extension for Callers {
    const NAME: &'static str = "test-callers";
    type Config = CallerSettings;

    async fn create(config: CallerSettings, _: ExtEnv) -> Result<Self, BuildError> {
        let arcs = |texts: Vec<String>| texts.into_iter().map(Arc::from).collect();
        let callers = config.callers.into_iter().map(|caller| {
            let principal = Principal {
                project: caller.project.map(Arc::from),
                user: caller.user.map(Arc::from),
                groups: arcs(caller.groups),
                models: arcs(caller.models),
                tags: caller.tags.into_iter().map(|(name, value)| (name.into(), value.into())).collect(),
                ..Principal::new(caller.tenant.as_str().into(), &caller.label)
            };
            (caller.key, Arc::new(principal))
        });
        Ok(Self(callers.collect()))
    }
}

#[async_trait]
impl Authenticator for Callers {
    async fn authenticate(&self, head: &RequestHead<'_>) -> HookResult<AuthVerdict> {
        let known = head.bearer().and_then(|key| self.0.get(key));
        Ok(known.map_or(AuthVerdict::Abstain, |principal| AuthVerdict::Accept(Arc::clone(principal))))
    }
}

#[gatewright::config]
struct Nothing {}

/// Speaks to the simulated provider in the dialects that the gateway has.
struct Simulated;

impl Extension for Simulated {
    const NAME: &'static str = "test-simulated";
    type Config = Nothing;

    async fn create(_: Nothing, _: ExtEnv) -> Result<Self, BuildError> {
        Ok(Self)
    }
}

impl ProviderAdapter for Simulated {
    fn codec(&self, target: &ProviderTarget<'_>) -> Option<&'static dyn Codec> {
        place(target.operation, target.dialect).map(|(dialect, _)| gatewright_wire::codec(dialect))
    }

    fn encode(&self, request: &ProviderRequest<'_>) -> Result<UpstreamCall, Failure> {
        let (_, path) = place(request.operation, request.dialect)
            .ok_or_else(|| Failure::internal("the simulated provider does not offer this operation"))?;
        let accept = if request.streams { "text/event-stream" } else { "application/json" };
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
        Ok(UpstreamCall {
            method: Method::POST,
            path: Cow::Borrowed(path),
            headers,
            body: request.body.clone(),
        })
    }
}

/// Where the simulated provider takes what a caller speaks.
fn place(operation: Operation, caller: Dialect) -> Option<(Dialect, &'static str)> {
    match (operation, caller) {
        (Operation::Chat, Dialect::OpenAiResponses) => Some((Dialect::OpenAiResponses, "/responses")),
        (Operation::Chat, _) => Some((Dialect::OpenAiChat, "/chat/completions")),
        (Operation::Completion, _) => Some((Dialect::OpenAiCompletions, "/completions")),
        (Operation::Embedding, _) => Some((Dialect::OpenAiEmbeddings, "/embeddings")),
        _ => None,
    }
}
