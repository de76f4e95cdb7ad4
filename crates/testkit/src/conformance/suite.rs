//! What a suite knows of the extension under test, and the ground that its tests stand on.

use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use gatewright::point::Point;
use gatewright::registry::registration_of;
use gatewright::service::task::TaskScope;
use gatewright::{Extension, Principal};
use gatewright_pipeline::panic_text;
use serde_json::{Value, json};

use crate::extension::{EnvBuilder, TestEnv, create_in, principal};
use crate::gateway::{CALLER, MODEL, TestGateway, TestGatewayBuilder};

/// The id of the instance under test.
pub(super) const ID: &str = "test";

/// An extension under test: its settings, and what else it needs to work.
#[derive(Debug)]
pub struct Suite<E> {
    pub(super) settings: Value,
    pub(super) points: Vec<Point>,
    pub(super) texts: Vec<String>,
    pub(super) edits_again: bool,
    secrets: Vec<(String, String)>,
    answers: Vec<(String, u16, String)>,
    policy: Value,
    request: Value,
    principal: Principal,
    extension: PhantomData<fn() -> E>,
}

impl<E: Extension> Suite<E> {
    /// An extension with settings that it can be created from, and the points that it says to implement.
    #[must_use]
    pub fn new(settings: Value, points: &[Point]) -> Self {
        Self {
            settings,
            points: points.to_vec(),
            texts: Vec::new(),
            edits_again: false,
            secrets: Vec::new(),
            answers: Vec::new(),
            policy: json!({}),
            request: json!({"model": MODEL, "messages": [{"role": "user", "content": "hello"}]}),
            principal: principal(),
            extension: PhantomData,
        }
    }

    /// The suite after a change.
    #[doc(hidden)]
    #[must_use]
    pub fn with(self, change: impl FnOnce(Self) -> Self) -> Self {
        change(self)
    }

    /// A named secret.
    #[must_use]
    pub fn secret(mut self, name: &str, value: &str) -> Self {
        self.secrets.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The answer to calls of a URL; without one the URL is refused.
    #[must_use]
    pub fn http(mut self, url: &str, status: u16, body: &str) -> Self {
        self.answers.push((url.to_owned(), status, body.to_owned()));
        self
    }

    /// What stands around the settings in a configuration: `egress`, `deadline` and their kin.
    #[must_use]
    pub fn policy(mut self, policy: Value) -> Self {
        self.policy = policy;
        self
    }

    /// A text that answers bring, beside those that every filter is shown: one that the extension does something
    /// about.
    #[must_use]
    pub fn text(mut self, text: &str) -> Self {
        self.texts.push(text.to_owned());
        self
    }

    /// The chat request that gateways are asked; one that the extension lets through.
    #[must_use]
    pub fn request(mut self, body: Value) -> Self {
        self.request = body;
        self
    }

    /// Who calls.
    #[must_use]
    pub fn principal(mut self, principal: Principal) -> Self {
        self.principal = principal;
        self
    }

    /// Says that a transform which sees its own result edits it again, as one does that adds an instruction to every
    /// request that it sees.
    #[must_use]
    pub fn edits_again(mut self) -> Self {
        self.edits_again = true;
        self
    }

    /// The same with other settings.
    pub(super) fn with_settings(&self, settings: Value) -> Self {
        Self {
            settings,
            points: self.points.clone(),
            texts: self.texts.clone(),
            edits_again: self.edits_again,
            secrets: self.secrets.clone(),
            answers: self.answers.clone(),
            policy: self.policy.clone(),
            request: self.request.clone(),
            principal: self.principal.clone(),
            extension: PhantomData,
        }
    }

    /// The settings.
    pub(crate) fn settings(&self) -> &Value {
        &self.settings
    }

    /// Who calls.
    pub(crate) fn caller(&self) -> Principal {
        self.principal.clone()
    }

    /// The environment of an instance.
    pub(crate) fn bed(&self) -> TestEnv {
        let secrets = self.secrets.iter();
        let bed = secrets.fold(EnvBuilder::default(), |bed, (name, value)| bed.secret(name, value)).build();
        for (url, status, body) in &self.answers {
            bed.http.answer(url, *status, body.clone());
        }
        bed
    }

    /// An instance in an environment, started, with its tasks on the current runtime.
    pub(super) async fn instance(&self, bed: &TestEnv) -> Arc<E> {
        let created = create_in::<E>(bed.env(), self.settings.clone()).await;
        let instance = Arc::new(created.unwrap_or_else(|error| panic!("the settings are refused: {error}")));
        let mut tasks = TaskScope::default();
        if let Err(error) = instance.start(&mut tasks).await {
            panic!("the instance does not start: {error}");
        }
        for mut task in tasks.into_tasks() {
            tokio::spawn((task.body)());
        }
        instance
    }

    /// A gateway with the instance under test.
    pub(super) fn gateway(&self) -> TestGatewayBuilder {
        let registration = registration_of::<E>().unwrap_or_else(|error| panic!("{error}"));
        let builder = TestGateway::builder()
            .registered(registration, ID, self.settings.clone())
            .caller("conformance", &self.principal);
        if !registration.points.iter().any(|point| *point != Point::ProviderAdapter) {
            return builder;
        }
        builder.policy(ID, &self.policy).policy(ID, &self.secrets_policy())
    }

    /// The same, started, with the answers to its calls.
    pub(super) async fn started(&self) -> TestGateway {
        let gateway = self.gateway().start().await;
        if let Some(http) = gateway.try_http(self.id()) {
            for (url, status, body) in &self.answers {
                http.answer(url, *status, body.clone());
            }
        }
        gateway
    }

    /// The id of the instance under test in a gateway.
    pub(super) fn id(&self) -> &'static str {
        if self.points == [Point::ProviderAdapter] { "provider:provider" } else { ID }
    }

    /// The body of the request that gateways are asked, streamed or not.
    pub(super) fn body(&self, streams: bool) -> Value {
        let mut body = self.request.clone();
        if streams {
            body["stream"] = json!(true);
            body["stream_options"] = json!({"include_usage": true});
        }
        body
    }

    /// The key of the caller in a gateway.
    pub(super) fn key(&self) -> &'static str {
        if self.points.contains(&Point::Authenticator) { CALLER } else { "conformance" }
    }

    fn secrets_policy(&self) -> Value {
        if self.secrets.is_empty() {
            return json!({});
        }
        let secrets: serde_json::Map<_, _> =
            self.secrets.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        json!({"secrets": secrets})
    }
}

/// Runs a test to its end.
pub(crate) fn run<F: Future>(test: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime can be started").block_on(test)
}

/// Runs a part of a test, and adds to a panic what was being tried.
pub(super) fn trying<T>(what: &str, part: impl FnOnce() -> T) -> T {
    match catch_unwind(AssertUnwindSafe(part)) {
        Ok(done) => done,
        Err(payload) => resume_unwind(Box::new(format!("{what}: {}", panic_text(&*payload)))),
    }
}
