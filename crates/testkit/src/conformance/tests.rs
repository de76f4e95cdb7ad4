//! The suites over extensions that are right, and over ones that are wrong in one thing each.

use std::sync::Arc;
use std::time::Duration;

use gatewright::dialect::Codec;
use gatewright::http::{HeaderMap, Method};
use gatewright::prelude::*;
use gatewright::record::UsageRecord;
use gatewright::service::limits::{BucketKey, Claim, Claimed, Dimension, Held};
use gatewright::{
    AuditRecord, Candidate, CredentialQuery, CredentialScope, Found, ProviderRequest, ProviderTarget, Shown,
    UpstreamCall,
};
use parking_lot::Mutex;
use serde_json::json;

use super::*;

mod wrong;

#[gatewright::config]
struct Settings {
    /// The word to hide.
    word: String,
    /// How often, at most.
    #[serde(default)]
    most: Option<u32>,
    /// Other words.
    #[serde(default)]
    others: Vec<Other>,
}

/// Another word.
#[gatewright::config]
struct Other {
    /// The word.
    word: String,
}

/// Does its part at every point.
struct Right {
    word: String,
    env: ExtEnv,
}

impl Extension for Right {
    const NAME: &'static str = "test.right";
    type Config = Settings;

    async fn create(config: Settings, env: ExtEnv) -> Result<Self, BuildError> {
        if config.word.is_empty() || config.most == Some(0) {
            return Err(BuildError::at("word", "give a word, and something to do"));
        }
        if let Some(at) = config.others.iter().position(|other| other.word.is_empty()) {
            return Err(BuildError::at(format!("others[{at}].word"), "give a word"));
        }
        Ok(Self { word: config.word, env })
    }

    async fn start(self: &Arc<Self>, tasks: &mut TaskScope) -> Result<(), BuildError> {
        let this = Arc::clone(self);
        tasks.spawn("sleep", move || {
            let this = Arc::clone(&this);
            async move {
                this.env.clock.sleep(Duration::from_secs(1)).await;
                Ok(())
            }
        });
        Ok(())
    }
}

#[async_trait]
impl Authenticator for Right {
    async fn authenticate(&self, head: &RequestHead<'_>) -> HookResult<AuthVerdict> {
        Ok(match head.bearer() {
            Some("right") => AuthVerdict::Accept(Arc::new(Principal::new("right".into(), "right"))),
            _ => AuthVerdict::Abstain,
        })
    }
}

#[async_trait]
impl RequestTransform for Right {
    async fn on_request(&self, request: &mut LlmRequest, _: &mut RequestCx) -> HookResult {
        request.edit_texts(&mut |part| {
            part.text.contains(&self.word).then(|| part.text.replace(&self.word, "[word]"))
        })?;
        Ok(Flow::Continue)
    }
}

impl ResponseFilter for Right {
    fn plan(&self, _: &ResponseHead, _: &RequestCx) -> FilterPlan {
        FilterPlan::Text(HoldBack::bytes(self.word.len()).with_lanes(LaneMask::CONTENT))
    }

    fn open(&self, _: &ResponseHead, _: &mut RequestCx) -> HookResult<Box<dyn StreamFilter>> {
        Ok(Box::new(Hide(self.word.clone())))
    }
}

struct Hide(String);

impl StreamFilter for Hide {
    fn on_text(&mut self, window: &mut TextWindow<'_>, _: &mut StreamCx<'_>) -> HookResult<StreamFlow> {
        let text = window.text().to_owned();
        for (at, found) in text.match_indices(&self.0) {
            window.replace(at..at + found.len(), "[word]".to_owned());
        }
        Ok(StreamFlow::Continue)
    }
}

#[async_trait]
impl Limiter for Right {
    async fn reserve(
        &self,
        estimate: &Estimate,
        _: &LlmRequest,
        _: Option<u64>,
        cx: &mut RequestCx,
    ) -> HookResult<Admission> {
        let key = BucketKey {
            tenant: cx.principal().tenant.clone(),
            rule: "right".into(),
            label: "all".into(),
            dimension: Dimension::TotalTokens,
            window: Some(Duration::from_secs(60)),
        };
        let need = estimate.usage.total_tokens().min(1_000);
        Ok(match self.env.limits.claim(&[Claim { key, limit: 1_000_000, need }]).await? {
            Claimed::Held(held, _) => Admission::Admit(Box::new(Keep(held)), None),
            Claimed::Refused(_) | Claimed::Unknown { .. } => {
                Admission::Deny(Box::new(Denial::too_many("full", "later", None)), None)
            }
        })
    }
}

struct Keep(Box<dyn Held>);

impl Reservation for Keep {
    fn settle(mut self: Box<Self>, outcome: &Outcome) -> Option<BoxFuture<'static, Result<(), ExtError>>> {
        self.0.spend(0, outcome.usage().total_tokens().min(1_000));
        None
    }
}

#[async_trait]
impl CredentialProvider for Right {
    async fn credential(&self, query: &CredentialQuery<'_>) -> HookResult<Option<Found>> {
        let key = self.env.kv.get(&query.principal.tenant, "key").await?;
        let key =
            key.map_or_else(|| "sk-default".to_owned(), |key| String::from_utf8_lossy(&key).into_owned());
        Ok(Some(Found {
            credential: Shown::ApiKey(Secret::new(key)),
            scope: CredentialScope::Tenant,
            keep: Duration::ZERO,
        }))
    }
}

impl TargetPicker for Right {
    fn pick(&self, candidates: &[Candidate], _: &LlmRequest, _: &RequestCx) -> HookResult<Option<usize>> {
        Ok(candidates.iter().position(|candidate| !candidate.is_tried))
    }
}

impl TokenEstimator for Right {
    fn input_tokens(&self, request: &LlmRequest, _: &str) -> HookResult<Option<u64>> {
        let mut bytes = 0;
        request.for_each_text(&mut |part| bytes += part.text.len() as u64)?;
        Ok(Some(bytes / 4))
    }
}

#[async_trait]
impl UsageSink for Right {
    async fn deliver(&self, records: &[Arc<UsageRecord>]) -> Result<(), ExtError> {
        for record in records {
            self.env.kv.add(&record.principal.tenant, "records", 1).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl AuditSink for Right {
    async fn deliver(&self, records: &[Arc<AuditRecord>]) -> Result<(), ExtError> {
        if !records.is_empty() {
            self.env.kv.add(&"audit".into(), "records", i64::try_from(records.len())?).await?;
        }
        Ok(())
    }
}

gatewright::register!(Right => Authenticator, RequestTransform, ResponseFilter, Limiter, CredentialProvider,
    TargetPicker, TokenEstimator, UsageSink, AuditSink);

crate::conformance! {
    Right => Authenticator, RequestTransform, ResponseFilter, Limiter, CredentialProvider, TargetPicker,
        TokenEstimator, UsageSink, AuditSink;
    json!({"word": "example", "most": 3, "others": [{"word": "x"}]});
    |suite| suite.text("an example, exampleexample exam")
}

/// Speaks the chat dialect and nothing else.
struct Adapter;

#[gatewright::config]
struct Nothing {}

impl Extension for Adapter {
    const NAME: &'static str = "test.adapter";
    type Config = Nothing;

    async fn create(_: Nothing, _: ExtEnv) -> Result<Self, BuildError> {
        Ok(Self)
    }
}

impl ProviderAdapter for Adapter {
    fn codec(&self, target: &ProviderTarget<'_>) -> Option<&'static dyn Codec> {
        (target.operation == Operation::Chat).then(|| gatewright_wire::codec(Dialect::OpenAiChat))
    }

    fn encode(&self, request: &ProviderRequest<'_>) -> Result<UpstreamCall, Failure> {
        let path = "/chat/completions".into();
        Ok(UpstreamCall { method: Method::POST, path, headers: HeaderMap::new(), body: request.body.clone() })
    }
}

gatewright::register!(Adapter => ProviderAdapter);

crate::conformance!(mod of_an_adapter: Adapter => ProviderAdapter; json!({}));
