//! An instance with wires around each of its hooks: a hook panics when the test wants it, reservations are counted,
//! and what goes to providers is seen. Everything else passes through untouched.

mod filter;
mod limiter;

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use gatewright::dialect::{Abilities, Codec};
use gatewright::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use gatewright::prelude::*;
use gatewright::record::UsageRecord;
use gatewright::registry::{Instance, Life};
use gatewright::service::task::Task;
use gatewright::{
    AuditRecord, Candidate, CredentialQuery, Found, ProviderRequest, ProviderTarget, Try, UnsignedCall,
    UpstreamCall,
};
use gatewright_pipeline::Hook;

use super::post::Post;

/// Puts the wires around an instance.
pub(super) fn wire(post: &Arc<Post>, instance: Instance) -> Instance {
    post.state.lock().objects.push(Arc::downgrade(&Arc::clone(&instance.life).as_any()));
    post.trip(Hook::Create);
    let extension = instance.extension;
    Instance {
        extension,
        life: Arc::new(Wired { post: Arc::clone(post), inner: instance.life }),
        authenticator: instance.authenticator.map(|inner| Wired::around(post, inner) as _),
        request: instance.request.map(|inner| Wired::around(post, inner) as _),
        limiter: instance.limiter.map(|inner| Wired::around(post, inner) as _),
        response: instance.response.map(|inner| Wired::around(post, inner) as _),
        credential: instance.credential.map(|inner| Wired::around(post, inner) as _),
        picker: instance.picker.map(|inner| Wired::around(post, inner) as _),
        provider: instance.provider.map(|inner| Wired::around(post, inner) as _),
        estimator: instance.estimator.map(|inner| Wired::around(post, inner) as _),
        sink: instance.sink.map(|inner| Wired::around(post, inner) as _),
        audit: instance.audit.map(|inner| Wired::around(post, inner) as _),
    }
}

/// One point of an instance.
pub(super) struct Wired<P: ?Sized> {
    post: Arc<Post>,
    inner: Arc<P>,
}

impl<P: ?Sized> Wired<P> {
    fn around(post: &Arc<Post>, inner: Arc<P>) -> Arc<Self> {
        Arc::new(Self { post: Arc::clone(post), inner })
    }
}

impl Life for Wired<dyn Life> {
    fn begin(self: Arc<Self>) -> BoxFuture<'static, Result<Vec<Task>, BuildError>> {
        Box::pin(async move {
            self.post.trip(Hook::Start);
            let tasks = Arc::clone(&self.inner).begin().await?;
            Ok(tasks.into_iter().map(|task| wire_task(&self.post, task)).collect())
        })
    }

    fn is_ready(&self) -> bool {
        self.inner.is_ready()
    }

    fn shut_down(&self, within: Duration) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.post.trip(Hook::Stop);
            self.inner.shut_down(within).await;
        })
    }

    fn as_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        Arc::clone(&self.inner).as_any()
    }
}

fn wire_task(post: &Arc<Post>, task: Task) -> Task {
    let (post, mut body) = (Arc::clone(post), task.body);
    let wired = move || -> BoxFuture<'static, Result<(), ExtError>> {
        let (post, run) = (Arc::clone(&post), body());
        Box::pin(async move {
            post.trip(Hook::Task);
            run.await
        })
    };
    Task { name: task.name, body: Box::new(wired) }
}

#[async_trait]
impl Authenticator for Wired<dyn Authenticator> {
    async fn authenticate(&self, head: &RequestHead<'_>) -> HookResult<AuthVerdict> {
        self.post.trip(Hook::Authenticate);
        self.inner.authenticate(head).await
    }
}

#[async_trait]
impl RequestTransform for Wired<dyn RequestTransform> {
    fn phase(&self) -> TransformPhase {
        self.inner.phase()
    }

    fn wants(&self, request: &LlmRequest, cx: &RequestCx) -> bool {
        self.post.trip(Hook::Wants);
        self.inner.wants(request, cx)
    }

    async fn on_request(&self, request: &mut LlmRequest, cx: &mut RequestCx) -> HookResult {
        self.post.trip(Hook::Request);
        self.inner.on_request(request, cx).await
    }
}

#[async_trait]
impl CredentialProvider for Wired<dyn CredentialProvider> {
    async fn credential(&self, query: &CredentialQuery<'_>) -> HookResult<Option<Found>> {
        self.post.trip(Hook::Credential);
        self.inner.credential(query).await
    }

    fn refused(&self, query: &CredentialQuery<'_>) {
        self.inner.refused(query);
    }
}

impl TargetPicker for Wired<dyn TargetPicker> {
    fn pick(
        &self,
        candidates: &[Candidate],
        request: &LlmRequest,
        cx: &RequestCx,
    ) -> HookResult<Option<usize>> {
        self.post.trip(Hook::Pick);
        self.inner.pick(candidates, request, cx)
    }

    fn observe(&self, tried: &Try<'_>) {
        self.post.trip(Hook::Tried);
        self.inner.observe(tried);
    }
}

impl ProviderAdapter for Wired<dyn ProviderAdapter> {
    fn codec(&self, target: &ProviderTarget<'_>) -> Option<&'static dyn Codec> {
        self.inner.codec(target)
    }

    fn abilities(&self, target: &ProviderTarget<'_>) -> Abilities {
        self.inner.abilities(target)
    }

    fn passes(&self) -> &[HeaderName] {
        self.inner.passes()
    }

    fn encode(&self, request: &ProviderRequest<'_>) -> Result<UpstreamCall, Failure> {
        self.post.trip(Hook::Encode);
        let call = self.inner.encode(request)?;
        self.post.note_sent(&call.body);
        Ok(call)
    }

    fn credential(&self, secret: &Secret) -> Result<(HeaderName, HeaderValue), BuildError> {
        self.inner.credential(secret)
    }

    fn signs(&self, secret: &Secret) -> bool {
        self.inner.signs(secret)
    }

    fn sign(&self, secret: &Secret, call: &UnsignedCall<'_>) -> Result<HeaderMap, BuildError> {
        self.inner.sign(secret, call)
    }

    fn classify(
        &self,
        target: &ProviderTarget<'_>,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Failure {
        self.post.trip(Hook::Classify);
        self.inner.classify(target, status, headers, body)
    }
}

impl TokenEstimator for Wired<dyn TokenEstimator> {
    fn input_tokens(&self, request: &LlmRequest, model: &str) -> HookResult<Option<u64>> {
        self.post.trip(Hook::Estimate);
        self.inner.input_tokens(request, model)
    }
}

#[async_trait]
impl UsageSink for Wired<dyn UsageSink> {
    async fn deliver(&self, records: &[Arc<UsageRecord>]) -> Result<(), ExtError> {
        self.post.trip(Hook::Deliver);
        self.inner.deliver(records).await
    }
}

#[async_trait]
impl AuditSink for Wired<dyn AuditSink> {
    async fn deliver(&self, records: &[Arc<AuditRecord>]) -> Result<(), ExtError> {
        self.post.trip(Hook::Audit);
        self.inner.deliver(records).await
    }
}
