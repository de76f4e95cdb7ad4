//! The configuration of a test's gateway: one that serves, and what a test puts into it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gatewright::point::Point;
use gatewright::registry::{Registration, Registry, registration_of};
use gatewright::service::Random;
use gatewright::{Extension, InstanceId, Principal};
use gatewright_config::{Inputs, load_sources};
use gatewright_gateway::Build;
use gatewright_gateway::embed::{self, Parts, Source};
use serde_json::{Value, json};

use super::stand_in::{self, CALLERS, SIMULATED};
use super::watch::Watch;
use super::{CALLER, MODEL, PROVIDER, ROUTE, TestGateway};
use crate::extension::principal;
use crate::harness::{place_at, set_at};
use crate::provider::{Answer, ProviderSettings, SimulatedProvider};
use crate::service::VirtualClock;

/// A gateway that is about to be started.
#[derive(Debug)]
pub struct TestGatewayBuilder {
    configuration: Value,
    registrations: Vec<&'static Registration>,
    answers: Vec<Answer>,
}

impl Default for TestGatewayBuilder {
    fn default() -> Self {
        let configuration = json!({
            "listeners": [{"name": "unused", "address": "127.0.0.1:0"}],
            "telemetry": {"access_log": false},
            "store": {"durability": "none"},
            "providers": {PROVIDER: {"use": SIMULATED.name, "api_key": "test-key", "allow_private": true}},
            "models": {MODEL: {"targets": [{"provider": PROVIDER}]}},
            "authenticate": ["callers"],
            "extensions": [{
                "id": "callers",
                "use": CALLERS.name,
                "with": {"callers": [stand_in::caller(CALLER, &principal())]},
            }],
            "routes": [{"name": ROUTE, "match": {"path": "/v1/*"}}],
        });
        Self { configuration, registrations: vec![&CALLERS, &SIMULATED], answers: Vec::new() }
    }
}

impl TestGatewayBuilder {
    /// Adds an instance of a registered extension, and puts it wherever its points belong: into the chains of the
    /// route, to the authenticators (before the test's own), to the audit sinks, or to the model and the provider.
    ///
    /// # Panics
    /// If the extension is not registered.
    #[must_use]
    pub fn instance<E: Extension>(self, id: &str, settings: Value) -> Self {
        let registration = registration_of::<E>();
        self.registered(registration.unwrap_or_else(|error| fail(&error.to_string())), id, settings)
    }

    /// The same for an extension whose registration the test holds itself, see
    /// [`registration!`](gatewright::registration!).
    #[must_use]
    pub fn registered(mut self, registration: &'static Registration, id: &str, settings: Value) -> Self {
        if !self.registrations.iter().any(|known| std::ptr::eq(*known, registration)) {
            self.registrations.push(registration);
        }
        for point in registration.points {
            self = self.put(*point, registration.name, (id, &settings));
        }
        // An adapter stands with its provider, and nowhere else.
        if registration.points != [Point::ProviderAdapter] {
            let mut entry = json!({"id": id, "use": registration.name});
            entry["with"] = settings;
            push(&mut self.configuration, "/extensions", entry);
        }
        self
    }

    /// Puts an instance where a point belongs.
    fn put(mut self, point: Point, name: &str, (id, settings): (&str, &Value)) -> Self {
        match point {
            Point::Authenticator => insert_first(&mut self.configuration, "/authenticate", json!(id)),
            Point::RequestTransform => push(&mut self.configuration, "/routes/0/request", json!(id)),
            Point::Limiter => push(&mut self.configuration, "/routes/0/limit", json!(id)),
            Point::ResponseFilter => push(&mut self.configuration, "/routes/0/response", json!(id)),
            Point::UsageSink => push(&mut self.configuration, "/routes/0/sinks", json!(id)),
            Point::AuditSink => push(&mut self.configuration, "/audit", json!(id)),
            Point::CredentialProvider => return self.set(&format!("/providers/{PROVIDER}/credential"), id),
            Point::TargetPicker => return self.set(&format!("/models/{MODEL}/picker"), id),
            Point::TokenEstimator => return self.set(&format!("/models/{MODEL}/estimator"), id),
            Point::ProviderAdapter => {
                let used = self.set(&format!("/providers/{PROVIDER}/use"), name);
                return used.set(&format!("/providers/{PROVIDER}/with"), settings.clone());
            }
            other => fail(&format!("the test kit does not know where the point `{}` goes", other.as_str())),
        }
        self
    }

    /// Adds to what stands around the settings of an instance: `on_error`, `deadline`, `mode`, `secrets` and their
    /// kin, as in the configuration.
    ///
    /// # Panics
    /// If there is no such instance.
    #[must_use]
    pub fn policy(mut self, id: &str, policy: &Value) -> Self {
        lay_over(&mut self.configuration, id, policy);
        self
    }

    /// Adds a caller, who shows this key.
    #[must_use]
    pub fn caller(mut self, key: &str, principal: &Principal) -> Self {
        push(&mut self.configuration, "/extensions/0/with/callers", stand_in::caller(key, principal));
        self
    }

    /// Adds a model of this name, which the provider is asked for by the same name. A name such as
    /// `sim?tokens=200` says what the simulated provider does, see [`Behaviour`](crate::provider::Behaviour).
    #[must_use]
    pub fn model(self, name: &str) -> Self {
        let name = name.replace('~', "~0").replace('/', "~1");
        self.set(&format!("/models/{name}"), json!({"targets": [{"provider": PROVIDER}]}))
    }

    /// Queues what the provider answers; without any it answers as the model's name says.
    #[must_use]
    pub fn provider(mut self, answer: Answer) -> Self {
        self.answers.push(answer);
        self
    }

    /// Puts a value at this JSON pointer of the configuration; what lies above it is made where it is missing.
    #[must_use]
    pub fn set(mut self, pointer: &str, value: impl Into<Value>) -> Self {
        set_at(&mut self.configuration, pointer, value.into());
        self
    }

    /// The settings of the last instance that was added as the gateway would decode them, after everything that it
    /// checks before it makes instances.
    ///
    /// # Errors
    /// What is wrong with the configuration, as the gateway says it.
    pub(crate) fn check(mut self) -> Result<Value, String> {
        set_at(
            &mut self.configuration,
            &format!("/providers/{PROVIDER}/base_url"),
            json!("http://127.0.0.1:9"),
        );
        let registry = self.registry()?;
        let inputs = Inputs { environment: &[] as &[(&str, &str); 0], extensions: &registry, generation: 1 };
        let loaded =
            load_sources(sources(&self.configuration), &inputs).map_err(|errors| errors.to_string())?;
        let plan = loaded.plan;
        let adapter = plan.providers.values().find(|provider| &*provider.adapter != SIMULATED.name);
        let settings = match adapter {
            Some(provider) => Some(provider.settings.clone()),
            None => plan.instances.last().map(|instance| instance.settings.clone()),
        };
        Ok(settings.unwrap_or_default())
    }

    fn registry(&self) -> Result<Registry, String> {
        Registry::of(self.registrations.iter().copied())
            .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    }

    /// Starts the simulated provider and the gateway in front of it, both on the current runtime.
    ///
    /// # Panics
    /// If the gateway does not start, with what is wrong.
    ///
    /// # Cancellation
    /// Both end.
    pub async fn start(self) -> TestGateway {
        self.try_start().await.unwrap_or_else(|problems| fail(&problems))
    }

    /// The same, where a test wants to see a configuration refused.
    ///
    /// # Errors
    /// What is wrong, as the gateway says it.
    ///
    /// # Cancellation
    /// Both end.
    pub async fn try_start(mut self) -> Result<TestGateway, String> {
        let provider = SimulatedProvider::start_with(ProviderSettings::default())
            .await
            .map_err(|error| format!("the simulated provider does not start: {error}"))?;
        let base_url = provider.base_url();
        set_at(&mut self.configuration, &format!("/providers/{PROVIDER}/base_url"), json!(base_url));
        let registry = self.registry()?;
        self.answers.into_iter().for_each(|answer| provider.push(answer));
        let (watch, clock) = (Watch::default(), VirtualClock::default());
        let parts = Parts {
            build: Build {
                name: "gatewright-test",
                version: env!("CARGO_PKG_VERSION"),
                expected: &[],
                allow_unlisted: true,
                info: None,
            },
            registry,
            sources: sources(&self.configuration),
            clock: Arc::new(clock.clone()),
            random: Arc::new(Counted(AtomicU64::new(1))),
            wrap: Arc::new(watch.clone()),
        };
        let gateway = embed::Gateway::start(parts).await?;
        Ok(TestGateway::new(gateway, provider, (clock, watch, self.configuration)))
    }
}

/// A configuration as the gateway reads it; JSON is YAML.
pub(super) fn sources(configuration: &Value) -> Vec<Source> {
    vec![Source { path: PathBuf::from("test.yaml"), text: format!("{configuration:#}") }]
}

/// Adds to what stands around the settings of an instance.
pub(super) fn lay_over(configuration: &mut Value, id: &str, policy: &Value) {
    let (Some(entry), Some(policy)) = (entry_of(configuration, id).as_object_mut(), policy.as_object())
    else {
        fail("a policy is an object");
    };
    entry.extend(policy.iter().map(|(key, value)| (key.clone(), value.clone())));
}

/// The entry of an instance.
pub(super) fn entry_of<'c>(configuration: &'c mut Value, id: &str) -> &'c mut Value {
    let entries = configuration["extensions"].as_array_mut().map(Vec::as_mut_slice).unwrap_or_default();
    let found = entries.iter_mut().find(|entry| entry["id"] == id);
    found.unwrap_or_else(|| fail(&format!("there is no instance `{id}`")))
}

fn push(configuration: &mut Value, pointer: &str, value: Value) {
    insert(configuration, pointer, value, usize::MAX);
}

fn insert_first(configuration: &mut Value, pointer: &str, value: Value) {
    insert(configuration, pointer, value, 0);
}

fn insert(configuration: &mut Value, pointer: &str, value: Value, at: usize) {
    let place = place_at(configuration, pointer);
    match place {
        Value::Array(list) => list.insert(at.min(list.len()), value),
        other => *other = json!([value]),
    }
}

/// Randomness that is a count.
struct Counted(AtomicU64);

impl Random for Counted {
    fn next_u64(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }
}

/// The id of the adapter of the test's provider.
pub(super) fn adapter() -> InstanceId {
    InstanceId::new(&format!("provider:{PROVIDER}"))
}

#[expect(clippy::panic, reason = "what a test asks for and cannot get ends that test")]
pub(super) fn fail(message: &str) -> ! {
    panic!("{message}")
}
