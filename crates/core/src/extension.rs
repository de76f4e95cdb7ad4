//! The static part of an extension: its name, its settings, its life.

use std::any::Any;
use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::InstanceId;
use crate::service::cache::Cache;
use crate::service::http::Http;
use crate::service::key_value::KeyValue;
use crate::service::limits::Limits;
use crate::service::meter::Meter;
use crate::service::secrets::Secrets;
use crate::service::sql::Sql;
use crate::service::task::TaskScope;
use crate::service::{Clock, Random};

/// Why an instance could not be built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildError {
    /// The place inside the instance's settings, for example `rules[2].pattern`; empty when the
    /// fault has no place.
    pub path: String,
    /// What is wrong and what to change.
    pub message: Cow<'static, str>,
}

impl BuildError {
    /// A fault without a place.
    #[must_use]
    pub fn new(message: impl Into<Cow<'static, str>>) -> Self {
        Self { path: String::new(), message: message.into() }
    }

    /// A fault at a place in the settings.
    #[must_use]
    pub fn at(path: impl Into<String>, message: impl Into<Cow<'static, str>>) -> Self {
        Self { path: path.into(), message: message.into() }
    }

    /// The same fault, seen from further out: `outer` is the place of what its own place stands in.
    ///
    /// ```
    /// # use gatewright::BuildError;
    /// let fault = BuildError::at("pattern", "it matches everything").under("rules[2]");
    /// assert_eq!(fault.to_string(), "rules[2].pattern: it matches everything");
    /// ```
    #[must_use]
    pub fn under(self, outer: impl Into<String>) -> Self {
        let mut path = outer.into();
        if !self.path.is_empty() && !self.path.starts_with('[') {
            path.push('.');
        }
        path.push_str(&self.path);
        Self { path, ..self }
    }
}

impl std::fmt::Display for BuildError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for BuildError {}

/// An extension: what is known at compile time, and how an instance is made.
///
/// The abilities are the traits of [`point`](crate::point); [`register!`](crate::register!) ties
/// both together.
pub trait Extension: Sized + Send + Sync + 'static {
    /// The name that configuration uses, for example `acme.mask-email`.
    const NAME: &'static str;

    /// The settings, usually a struct under [`#[gatewright::config]`](crate::config).
    type Config: DeserializeOwned + schemars::JsonSchema + Send + 'static;

    /// Names of public values ([`RequestCx::put`](crate::RequestCx::put)) that this extension stores for others.
    const PROVIDES: &'static [&'static str] = &[];

    /// Names of public values that this extension reads. A route that runs it without one that provides them
    /// earlier is refused when the configuration is checked.
    const NEEDS: &'static [&'static str] = &[];

    /// Of a provider adapter: the URL of the provider's public service, for configurations that name none.
    const BASE_URL: Option<&'static str> = None;

    /// Makes an instance. Compile patterns and check settings here, not per request.
    ///
    /// It runs for `check` as well, so leave what reaches outside to [`Extension::start`].
    ///
    /// # Errors
    ///
    /// A [`BuildError`] that names the setting at fault. The gateway then does not start, or
    /// keeps its previous configuration.
    fn create(config: Self::Config, env: ExtEnv) -> impl Future<Output = Result<Self, BuildError>> + Send;

    /// Begins the work of an instance, once every instance of the configuration was created and before any
    /// exchange sees it. Background work goes into `tasks`.
    ///
    /// # Errors
    ///
    /// A [`BuildError`]; the gateway then does not start, or keeps its previous configuration.
    ///
    /// # Cancellation
    ///
    /// Dropped when it takes longer than 30 seconds.
    fn start(self: &Arc<Self>, tasks: &mut TaskScope) -> impl Future<Output = Result<(), BuildError>> + Send {
        let _ = tasks;
        async { Ok(()) }
    }

    /// Whether the instance can do its work; joins `/readyz`.
    fn ready(&self) -> bool {
        true
    }

    /// Called after the last exchange that used the instance, and after its tasks were ended.
    fn stop(&self, within: Duration) -> impl Future<Output = ()> + Send {
        let _ = within;
        async {}
    }
}

/// What the host gives to an instance. Every service has a fake in the test kit.
#[derive(Clone)]
pub struct ExtEnv {
    /// The instance's id in the configuration.
    pub instance: InstanceId,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// Counters that outlive the instance.
    pub limits: Arc<dyn Limits>,
    /// Calls to the origins under `egress` of the instance's configuration, within its deadline.
    pub http: Arc<dyn Http>,
    /// A cache of the instance's own.
    pub cache: Arc<dyn Cache>,
    /// Durable values of the instance's own.
    pub kv: Arc<dyn KeyValue>,
    /// A database of the instance's own.
    pub sql: Arc<dyn Sql>,
    /// The secrets under `secrets` of the instance's configuration.
    pub secrets: Arc<dyn Secrets>,
    /// Metrics under the extension's own name.
    pub meter: Arc<dyn Meter>,
    /// A directory of the instance's own. Create it before use; nobody else writes there.
    pub data_dir: PathBuf,
    /// The instance that this one replaces. The host sets it.
    #[doc(hidden)]
    pub predecessor: Option<Weak<dyn Any + Send + Sync>>,
}

impl ExtEnv {
    /// The instance that this one replaces on a reload, for taking over its state. `None` at the first start, and
    /// where the id belonged to another extension. It is there while the instance is created; an environment that
    /// is kept does not keep it alive.
    #[must_use]
    pub fn previous<E: Extension>(&self) -> Option<Arc<E>> {
        self.predecessor.as_ref()?.upgrade()?.downcast().ok()
    }
}

impl std::fmt::Debug for ExtEnv {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ExtEnv").field("instance", &self.instance).finish_non_exhaustive()
    }
}

/// The settings of an instance before they are decoded.
#[derive(Clone, Debug)]
pub struct Settings(serde_json::Value);

impl Settings {
    /// Wraps settings. Absent settings are an empty object.
    #[must_use]
    pub fn new(value: serde_json::Value) -> Self {
        match value {
            serde_json::Value::Null => Self(serde_json::Value::Object(serde_json::Map::new())),
            other => Self(other),
        }
    }

    /// Decodes them.
    ///
    /// # Errors
    ///
    /// A [`BuildError`] with the path of the first field that does not decode.
    pub fn decode<T: DeserializeOwned>(self) -> Result<T, BuildError> {
        serde_path_to_error::deserialize(self.0).map_err(|error| {
            let path = error.path().to_string();
            let path = if path == "." { String::new() } else { path };
            BuildError::at(path, error.into_inner().to_string())
        })
    }
}
