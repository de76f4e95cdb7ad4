//! A whole gateway inside a test, around the extensions that the test names. The guide follows.
#![doc = include_str!("gateway/guide.md")]

mod builder;
mod post;
mod reply;
mod request;
pub mod script;
mod stand_in;
mod watch;
mod wired;

use std::any::Any;
use std::sync::{Arc, Weak};

use gatewright::bytes::Bytes;
use gatewright::http::Method;
use gatewright::record::UsageRecord;
use gatewright::text::Lane;
use gatewright::{AuditRecord, InstanceId, Outcome};
use gatewright_gateway::embed;
use serde_json::{Value, json};

pub use self::builder::TestGatewayBuilder;
pub use self::post::{Figures, Reservations, Settlement};
pub use self::reply::Reply;
pub use self::request::{OpenAnswer, TestRequest};
pub use gatewright_pipeline::{Hook, HookResult as CallResult};

use self::builder::{adapter, entry_of, fail, lay_over, sources};
use self::post::Post;
use self::watch::Watch;
use crate::harness::{Scrape, eventually};
use crate::provider::SimulatedProvider;
use crate::service::{FakeHttp, RecordingMeter, VirtualClock};

/// The key of the test's caller, whom [`principal`](crate::extension::principal) describes.
pub const CALLER: &str = "caller";
/// The model that every gateway has.
pub const MODEL: &str = "model";
/// The provider behind it.
pub const PROVIDER: &str = "provider";
/// The route of every request.
pub const ROUTE: &str = "route";

/// A gateway inside a test.
#[derive(Debug)]
pub struct TestGateway {
    /// The time of the gateway, its limits and its services.
    pub clock: VirtualClock,
    /// The provider behind it.
    pub provider: SimulatedProvider,
    application: embed::Application,
    gateway: tokio::sync::Mutex<Running>,
    watch: Watch,
}

#[derive(Debug)]
struct Running {
    gateway: embed::Gateway,
    configuration: Value,
}

impl TestGateway {
    /// A gateway without extensions of the test's own.
    #[must_use]
    pub fn builder() -> TestGatewayBuilder {
        TestGatewayBuilder::default()
    }

    fn new(
        gateway: embed::Gateway,
        provider: SimulatedProvider,
        (clock, watch, configuration): (VirtualClock, Watch, Value),
    ) -> Self {
        let application = gateway.application().clone();
        Self { clock, provider, application, gateway: Running { gateway, configuration }.into(), watch }
    }

    // === Requests ===

    /// A chat request of the test's caller, who says this.
    pub fn chat(&self, text: &str) -> TestRequest {
        self.request(&json!({"model": MODEL, "messages": [{"role": "user", "content": text}]}))
    }

    /// The same for a streamed answer that reports its usage.
    pub fn stream(&self, text: &str) -> TestRequest {
        self.request(&json!({
            "model": MODEL,
            "messages": [{"role": "user", "content": text}],
            "stream": true,
            "stream_options": {"include_usage": true},
        }))
    }

    /// A chat request of the test's caller with this body.
    pub fn request(&self, body: &Value) -> TestRequest {
        self.post("/v1/chat/completions", body.to_string())
    }

    /// A `POST` of the test's caller with exactly these bytes.
    pub fn post(&self, target: &str, body: impl Into<Bytes>) -> TestRequest {
        TestRequest::new(&self.application, target, body.into()).caller(CALLER)
    }

    /// A `GET` of the test's caller.
    pub fn get(&self, target: &str) -> TestRequest {
        self.post(target, Bytes::new()).method(Method::GET)
    }

    // === The provider ===

    /// The provider answers the next request with this text, whole or streamed, as the request asks.
    pub fn will_say(&self, text: &str) {
        let mut encoded = String::with_capacity(text.len());
        for byte in text.bytes() {
            encoded.push_str(&format!("%{byte:02x}"));
        }
        self.provider.push(crate::provider::Answer::model(format!("sim?text={encoded}")));
    }

    /// The provider answers the next request with a stream that brings these pieces of content.
    pub fn will_stream(&self, pieces: &[&str]) {
        let pieces: Vec<_> = pieces.iter().map(|piece| (Lane::content(0), *piece)).collect();
        self.provider.push(script::streamed(&pieces));
    }

    // === What a test does to it ===

    /// Lets a service of an instance fail from now on: `http`, `limits`, `kv` and `sql` with errors, `cache` and
    /// `secrets` by having nothing.
    ///
    /// # Panics
    /// If there is no such service.
    pub fn fail_service(&self, id: &str, service: &str) {
        self.post_of(id).faults.fail(service);
    }

    /// Lets a service of an instance work again.
    ///
    /// # Panics
    /// If there is no such service.
    pub fn restore_service(&self, id: &str, service: &str) {
        self.post_of(id).faults.restore(service);
    }

    /// Lets a hook of an instance panic when it is called next.
    pub fn panic_in(&self, id: &str, hook: Hook) {
        self.post_of(id).panic_in(hook);
    }

    /// The script of the calls that an instance makes.
    #[must_use]
    pub fn http(&self, id: &str) -> FakeHttp {
        self.post_of(id).http.clone()
    }

    /// The same, where there is such an instance.
    pub(crate) fn try_http(&self, id: &str) -> Option<FakeHttp> {
        Some(self.watch.known(&InstanceId::new(id))?.http.clone())
    }

    /// Whether there was ever an instance of this id.
    pub(crate) fn has(&self, id: &str) -> bool {
        self.watch.known(&InstanceId::new(id)).is_some()
    }

    /// Gives an instance other settings.
    ///
    /// # Errors
    /// What is wrong with them; the old ones stay in use.
    ///
    /// # Panics
    /// If there is no such instance.
    ///
    /// # Cancellation
    /// Nothing changes.
    pub async fn reload(&self, id: &str, settings: Value) -> Result<String, String> {
        self.reconfigure(|configuration| entry_of(configuration, id)["with"] = settings).await
    }

    /// Gives an instance another policy, as [`TestGatewayBuilder::policy`] does.
    ///
    /// # Errors
    /// What is wrong with it; the old one stays in use.
    ///
    /// # Panics
    /// If there is no such instance.
    ///
    /// # Cancellation
    /// Nothing changes.
    pub async fn repolicy(&self, id: &str, policy: &Value) -> Result<String, String> {
        self.reconfigure(|configuration| lay_over(configuration, id, policy)).await
    }

    /// Changes the configuration and puts it to use.
    ///
    /// # Errors
    /// What is wrong with it; the old one stays in use.
    ///
    /// # Cancellation
    /// Nothing changes.
    pub async fn reconfigure(&self, change: impl FnOnce(&mut Value)) -> Result<String, String> {
        let mut running = self.gateway.lock().await;
        let mut configuration = running.configuration.clone();
        change(&mut configuration);
        let summary = running.gateway.reload(sources(&configuration)).await?;
        running.configuration = configuration;
        Ok(summary)
    }

    /// Delivers what sinks are owed, stops every instance, and says whether all of it came to its end in time.
    ///
    /// # Cancellation
    /// What was begun goes on by itself.
    pub async fn stop(self) -> bool {
        self.gateway.into_inner().gateway.stop().await
    }

    // === What it says of itself ===

    /// What an instance did so far. Figures of a stream are there when the stream has ended.
    #[must_use]
    pub fn figures(&self, id: &str) -> Figures {
        self.post_of(id).state.lock().figures.clone()
    }

    /// The reservations of a limiter so far.
    #[must_use]
    pub fn reservations(&self, id: &str) -> Reservations {
        self.post_of(id).state.lock().reservations.clone()
    }

    /// The metrics that an instance makes itself.
    #[must_use]
    pub fn meter(&self, id: &str) -> RecordingMeter {
        self.post_of(id).meter.clone()
    }

    /// The gateway's own metrics.
    ///
    /// # Cancellation
    /// Nothing changes.
    pub async fn metrics(&self) -> Scrape {
        Scrape(self.gateway.lock().await.gateway.metrics())
    }

    /// The usage records so far.
    #[must_use]
    pub fn records(&self) -> Vec<UsageRecord> {
        self.watch.records()
    }

    /// The audit records so far.
    #[must_use]
    pub fn audits(&self) -> Vec<AuditRecord> {
        self.watch.audits()
    }

    /// How many objects of an instance's id are alive: one, unless an exchange still has the one before a reload, or
    /// somebody keeps it.
    #[must_use]
    pub fn living(&self, id: &str) -> usize {
        self.post_of(id).state.lock().objects.iter().filter(|object| object.strong_count() > 0).count()
    }

    /// Every object that was made for an instance's id.
    pub(crate) fn objects(&self, id: &str) -> Vec<Weak<dyn Any + Send + Sync>> {
        self.post_of(id).state.lock().objects.clone()
    }

    /// Waits until so many objects of an instance's id are alive.
    ///
    /// # Panics
    /// If that does not come.
    ///
    /// # Cancellation
    /// Nothing changes.
    pub async fn until_living(&self, id: &str, count: usize) {
        let what = format!("{count} living objects of the instance `{id}`");
        eventually(&what, async || (self.living(id) == count).then_some(())).await;
    }

    /// Every hook of any instance that panicked so far.
    #[must_use]
    pub fn panicked(&self) -> Vec<Hook> {
        self.watch.posts().iter().flat_map(|post| post.state.lock().figures.panicked()).collect()
    }

    // === Assertions ===

    /// Asserts that an exchange went through as if no extension had been there: the provider got the client's bytes
    /// in the client's own buffer, and the client got the provider's bytes.
    ///
    /// # Panics
    /// If anything was changed or copied.
    #[track_caller]
    pub fn assert_untouched(&self, reply: &Reply) {
        reply.assert_ok();
        let sent = self.watch.post(&adapter()).state.lock().sent.clone();
        let is_same_buffer =
            |body: &&Bytes| body.as_ptr() == reply.request.as_ptr() && body.len() == reply.request.len();
        if !sent.iter().any(|body| is_same_buffer(&body)) {
            let last = sent.last().unwrap_or_else(|| fail("nothing was sent to the provider"));
            assert_eq!(
                text(last),
                text(&reply.request),
                "what the provider was sent is what the client sent"
            );
            fail("what the provider was sent is a copy of what the client sent, and not the same buffer");
        }
        let requests = self.provider.requests();
        let received = requests.iter().rev().find(|request| request.body == reply.request);
        let received = received.unwrap_or_else(|| fail("the provider did not receive the client's bytes"));
        assert_eq!(
            text(&reply.body),
            text(&received.sent()),
            "what the client got is what the provider sent"
        );
    }

    /// Asserts that an instance never held back more text than this at a time, over all answers so far.
    ///
    /// # Panics
    /// If it did.
    #[track_caller]
    pub fn assert_held_at_most(&self, id: &str, bytes: u64) {
        let held = self.figures(id).held_bytes_max;
        assert!(held <= bytes, "the instance `{id}` holds at most {bytes} bytes back, and not {held}");
    }

    /// Waits until each reservation of a limiter is settled or lost.
    pub(crate) async fn until_settled(&self, id: &str) {
        let what = format!("the settlement of every reservation of `{id}`");
        eventually(&what, async || {
            let reservations = self.reservations(id);
            (reservations.settled.len() + reservations.lost >= reservations.granted).then_some(())
        })
        .await;
    }

    /// Waits until each reservation of a limiter is settled, asserts that there was exactly one, and returns the
    /// outcome that it got.
    ///
    /// # Panics
    /// If there was none or more than one, or it was not settled exactly once.
    ///
    /// # Cancellation
    /// Nothing changes.
    pub async fn assert_settled_once(&self, id: &str) -> Outcome {
        self.until_settled(id).await;
        let reservations = self.reservations(id);
        assert_eq!(reservations.granted, 1, "the limiter `{id}` grants one reservation");
        assert_eq!(reservations.lost, 0, "no reservation of `{id}` is dropped without being settled");
        let mut settled = reservations.settled;
        assert_eq!(settled.len(), 1, "the reservation of `{id}` is settled once: {settled:?}");
        settled.remove(0).outcome
    }

    fn post_of(&self, id: &str) -> Arc<Post> {
        let known = self.watch.known(&InstanceId::new(id));
        known.unwrap_or_else(|| fail(&format!("there is no instance `{id}`")))
    }
}

fn text(bytes: &Bytes) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests;
