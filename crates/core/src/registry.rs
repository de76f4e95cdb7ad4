//! Registration: how an extension that is linked in becomes known.
//!
//! [`register!`](crate::register!) submits one constant entry per extension through `inventory`. Link order is not
//! stable and means nothing: entries are sorted by name, and order on the data path comes from
//! configuration only. A binary lists the packages that it expects ([`Expected`]), and
//! [`Registry::check`] refuses to start when one of them did not register, when a name stands
//! twice, or when a package that is not listed registered.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

mod needs;

use crate::point::Point;
use crate::service::task::{Task, TaskScope};
use crate::{
    AuditSink, Authenticator, BoxFuture, BuildError, CredentialProvider, ExtEnv, Extension, Limiter,
    ProviderAdapter, RequestTransform, ResponseFilter, Settings, TargetPicker, TokenEstimator, UsageSink,
};

/// An instance in the making.
pub type Creating = BoxFuture<'static, Result<Instance, BuildError>>;

/// One registered extension.
#[derive(Clone, Copy)]
pub struct Registration {
    /// The extension's name in configuration.
    pub name: &'static str,
    /// The Cargo package that registered it.
    pub package: &'static str,
    /// That package's version.
    pub version: &'static str,
    /// The module that registered it.
    pub module: &'static str,
    /// The points that it implements.
    pub points: &'static [Point],
    /// The public values that it stores for others, see [`Extension::PROVIDES`].
    pub provides: &'static [&'static str],
    /// The public values of others that it reads, see [`Extension::NEEDS`].
    pub needs: &'static [&'static str],
    /// Where a provider is if the configuration does not say, see [`Extension::BASE_URL`].
    pub base_url: Option<&'static str>,
    /// The JSON Schema of its settings.
    pub schema: fn() -> serde_json::Value,
    /// Makes an instance.
    pub create: fn(Settings, ExtEnv) -> Creating,
}

inventory::collect!(Registration);

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} {})", self.name, self.package, self.version)
    }
}

/// A live instance: the same object under each of its points.
#[derive(Clone)]
pub struct Instance {
    /// The extension's name.
    pub extension: &'static str,
    /// Its life.
    pub life: Arc<dyn Life>,
    /// As an authenticator.
    pub authenticator: Option<Arc<dyn Authenticator>>,
    /// As a request transform.
    pub request: Option<Arc<dyn RequestTransform>>,
    /// As a limiter.
    pub limiter: Option<Arc<dyn Limiter>>,
    /// As a response filter.
    pub response: Option<Arc<dyn ResponseFilter>>,
    /// As a credential provider.
    pub credential: Option<Arc<dyn CredentialProvider>>,
    /// As a target picker.
    pub picker: Option<Arc<dyn TargetPicker>>,
    /// As a provider adapter.
    pub provider: Option<Arc<dyn ProviderAdapter>>,
    /// As a token estimator.
    pub estimator: Option<Arc<dyn TokenEstimator>>,
    /// As a usage sink.
    pub sink: Option<Arc<dyn UsageSink>>,
    /// As an audit sink.
    pub audit: Option<Arc<dyn AuditSink>>,
}

impl Instance {
    /// An instance without any point yet.
    #[must_use]
    pub fn new<E: Extension>(extension: Arc<E>) -> Self {
        Self {
            extension: E::NAME,
            life: extension,
            authenticator: None,
            request: None,
            limiter: None,
            response: None,
            credential: None,
            picker: None,
            provider: None,
            estimator: None,
            sink: None,
            audit: None,
        }
    }
}

impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Instance({})", self.extension)
    }
}

/// The object-safe part of [`Extension`].
pub trait Life: Send + Sync {
    /// See [`Extension::start`]. Returns the tasks that the instance wants to have run.
    fn begin(self: Arc<Self>) -> BoxFuture<'static, Result<Vec<Task>, BuildError>>;
    /// See [`Extension::ready`].
    fn is_ready(&self) -> bool;
    /// See [`Extension::stop`].
    fn shut_down(&self, within: Duration) -> BoxFuture<'_, ()>;
    /// The instance itself, for its successor.
    fn as_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
}

impl<E: Extension> Life for E {
    fn begin(self: Arc<Self>) -> BoxFuture<'static, Result<Vec<Task>, BuildError>> {
        Box::pin(async move {
            let mut tasks = TaskScope::default();
            self.start(&mut tasks).await?;
            Ok(tasks.into_tasks())
        })
    }

    fn is_ready(&self) -> bool {
        self.ready()
    }

    fn shut_down(&self, within: Duration) -> BoxFuture<'_, ()> {
        Box::pin(self.stop(within))
    }

    fn as_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}

/// A package that the binary was built to contain.
#[derive(Clone, Copy, Debug)]
pub struct Expected {
    /// The Cargo package.
    pub package: &'static str,
    /// Where the build names it, as file, line and key, for the error message.
    pub listed_in: &'static str,
    /// The points that it may register for; `None` is all.
    pub points: Option<&'static [Point]>,
}

/// The registered extensions by name.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    by_name: BTreeMap<&'static str, &'static Registration>,
}

/// Why a binary must not start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// A listed package is linked but did not register, or is not linked at all.
    #[error(
        "package `{package}` is listed in {listed_in} but registered no extension; add \
         `gatewright::register!(…)` to it, or take it out of the list"
    )]
    Missing {
        /// The package.
        package: &'static str,
        /// Where it is listed.
        listed_in: &'static str,
    },
    /// Two registrations have one name.
    #[error("the extension name `{name}` is registered by {first} and by {second}; rename one")]
    Duplicate {
        /// The name.
        name: &'static str,
        /// One package and module, and where the package is listed, if that is known.
        first: String,
        /// The other.
        second: String,
    },
    /// A package that is not listed registered.
    #[error(
        "package `{package}` registered the extension `{name}` but is not listed; list it, or take \
         it out of the dependencies"
    )]
    Unlisted {
        /// The package.
        package: &'static str,
        /// What it registered.
        name: &'static str,
    },
    /// A package registered for a point that the build does not allow it.
    #[error(
        "package `{package}` registered the extension `{name}` for the point `{point}`, which {listed_in} does \
         not allow; add `{point}` to its `allow` list, or take the point out of `gatewright::register!(…)`"
    )]
    Point {
        /// The package.
        package: &'static str,
        /// What it registered.
        name: &'static str,
        /// For which point.
        point: &'static str,
        /// Where the package is listed.
        listed_in: &'static str,
    },
    /// Extensions wait for each other's values.
    #[error(
        "the extensions {cycle} need each other's values in a circle, so that no order can serve them; take one \
         name out of `NEEDS`, or move what both need into a third extension"
    )]
    Cycle {
        /// The names along the circle.
        cycle: String,
    },
}

impl Registry {
    /// Everything that is linked into this process.
    ///
    /// # Errors
    ///
    /// All duplicate names.
    pub fn linked() -> Result<Self, Vec<RegistryError>> {
        Self::of(inventory::iter::<Registration>())
    }

    /// The given registrations, in whatever order.
    ///
    /// # Errors
    ///
    /// All duplicate names.
    pub fn of(
        registrations: impl IntoIterator<Item = &'static Registration>,
    ) -> Result<Self, Vec<RegistryError>> {
        let (registry, errors) = Self::collect(registrations, &[]);
        if errors.is_empty() { Ok(registry) } else { Err(errors) }
    }

    /// Everything that is linked into this process, compared with what the build lists.
    ///
    /// # Errors
    ///
    /// All duplicate names, and everything that [`Registry::check`] finds.
    pub fn verified(expected: &[Expected], allow_unlisted: bool) -> Result<Self, Vec<RegistryError>> {
        let (registry, mut errors) = Self::collect(inventory::iter::<Registration>(), expected);
        errors.extend(registry.check(expected, allow_unlisted).err().unwrap_or_default());
        if errors.is_empty() { Ok(registry) } else { Err(errors) }
    }

    /// Sorts registrations by name. Of two with one name the later one stays.
    fn collect(
        registrations: impl IntoIterator<Item = &'static Registration>,
        expected: &[Expected],
    ) -> (Self, Vec<RegistryError>) {
        let mut by_name: BTreeMap<&'static str, &'static Registration> = BTreeMap::new();
        let mut errors = Vec::new();
        for registration in registrations {
            if let Some(other) = by_name.insert(registration.name, registration) {
                let mut sides = [other, registration].map(|side| {
                    format!("`{}::{}`{}", side.package, side.module, listed_in(expected, side.package))
                });
                sides.sort();
                let [first, second] = sides;
                errors.push(RegistryError::Duplicate { name: registration.name, first, second });
            }
        }
        (Self { by_name }, errors)
    }

    /// Compares what registered with what the build lists.
    ///
    /// # Errors
    ///
    /// Every listed package without a registration, every registration of a package that is not listed
    /// (unless `allow_unlisted`), every point that is not allowed, and a circle of needs.
    pub fn check(&self, expected: &[Expected], allow_unlisted: bool) -> Result<(), Vec<RegistryError>> {
        let missing = expected
            .iter()
            .filter(|entry| self.iter().all(|known| known.package != entry.package))
            .map(|entry| RegistryError::Missing { package: entry.package, listed_in: entry.listed_in });
        let unlisted = self
            .iter()
            .filter(|known| !allow_unlisted && expected.iter().all(|entry| entry.package != known.package))
            .map(|known| RegistryError::Unlisted { package: known.package, name: known.name });
        let points = expected.iter().flat_map(|entry| self.forbidden_points(entry));
        let cycle = needs::cycle(self, expected).map(|cycle| RegistryError::Cycle { cycle });
        let errors: Vec<_> = missing.chain(unlisted).chain(points).chain(cycle).collect();
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    fn forbidden_points(&self, entry: &Expected) -> Vec<RegistryError> {
        let Some(allowed) = entry.points else { return Vec::new() };
        let registered = self.iter().filter(|known| known.package == entry.package);
        registered
            .flat_map(|known| known.points.iter().map(move |point| (known, point)))
            .filter(|(_, point)| !allowed.contains(point))
            .map(|(known, point)| RegistryError::Point {
                package: known.package,
                name: known.name,
                point: point.as_str(),
                listed_in: entry.listed_in,
            })
            .collect()
    }

    /// The extension of a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'static Registration> {
        self.by_name.get(name).copied()
    }

    /// All extensions, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = &'static Registration> + '_ {
        self.by_name.values().copied()
    }
}

/// Where a package is listed, in brackets; empty where nothing says so.
fn listed_in(expected: &[Expected], package: &str) -> String {
    let entry = expected.iter().find(|entry| entry.package == package);
    entry.map(|entry| format!(" ({})", entry.listed_in)).unwrap_or_default()
}

/// The registration of an extension that is registered in this crate or one that it depends on, for tests and
/// for hosts that name their extensions one by one.
///
/// # Errors
///
/// When the type was not registered with [`register!`](crate::register!).
pub fn registration_of<E: Extension>() -> Result<&'static Registration, BuildError> {
    inventory::iter::<Registration>().find(|known| known.name == E::NAME).ok_or_else(|| {
        BuildError::new(format!("`{}` is not registered; add `gatewright::register!(…)` beside it", E::NAME))
    })
}

/// Registers an extension with the points that it implements.
///
/// ```
/// use gatewright::prelude::*;
///
/// #[gatewright::config]
/// struct Settings {
///     /// What to say.
///     greeting: String,
/// }
///
/// struct Greet(String);
///
/// impl Extension for Greet {
///     const NAME: &'static str = "acme.greet";
///     type Config = Settings;
///
///     async fn create(config: Settings, _env: ExtEnv) -> Result<Self, BuildError> {
///         Ok(Self(config.greeting))
///     }
/// }
///
/// #[async_trait]
/// impl RequestTransform for Greet {
///     async fn on_request(&self, request: &mut LlmRequest, _cx: &mut RequestCx) -> HookResult {
///         request.insert_text(Role::System, Placement::Last, &self.0)?;
///         Ok(Flow::Continue)
///     }
/// }
///
/// gatewright::register!(Greet => RequestTransform);
/// # fn main() {}
/// ```
///
/// Listing a point that the type does not implement is a compile error.
#[macro_export]
macro_rules! register {
    ($extension:ty => $($point:ident),+ $(,)?) => {
        const _: () = {
            $crate::inventory::submit! { $crate::registration!($extension => $($point),+) }
        };
    };
}

/// The registration of an extension as a value, for hosts and tests that name their extensions one by one. What
/// [`register!`](crate::register!) makes known everywhere, this gives to whoever holds it.
///
/// ```
/// use gatewright::prelude::*;
/// use gatewright::registry::Registration;
///
/// #[gatewright::config]
/// struct Nothing {}
///
/// struct Idle;
///
/// impl Extension for Idle {
///     const NAME: &'static str = "acme.idle";
///     type Config = Nothing;
///
///     async fn create(_: Nothing, _env: ExtEnv) -> Result<Self, BuildError> {
///         Ok(Self)
///     }
/// }
///
/// impl ResponseFilter for Idle {
///     fn plan(&self, _head: &ResponseHead, _cx: &RequestCx) -> FilterPlan {
///         FilterPlan::Skip
///     }
/// }
///
/// static IDLE: Registration = gatewright::registration!(Idle => ResponseFilter);
/// assert_eq!(IDLE.name, "acme.idle");
/// ```
#[macro_export]
macro_rules! registration {
    ($extension:ty => $($point:ident),+ $(,)?) => {{
        fn create(settings: $crate::Settings, env: $crate::ExtEnv) -> $crate::registry::Creating {
            ::std::boxed::Box::pin(async move {
                let config = settings.decode::<<$extension as $crate::Extension>::Config>()?;
                let built = <$extension as $crate::Extension>::create(config, env).await?;
                let shared = ::std::sync::Arc::new(built);
                let mut instance = $crate::registry::Instance::new(::std::sync::Arc::clone(&shared));
                $( $crate::attach_point!(instance, shared, $point); )+
                ::core::result::Result::Ok(instance)
            })
        }

        fn schema() -> $crate::serde_json::Value {
            $crate::schemars::schema_for!(<$extension as $crate::Extension>::Config).to_value()
        }

        $crate::registry::Registration {
            name: <$extension as $crate::Extension>::NAME,
            package: ::core::env!("CARGO_PKG_NAME"),
            version: ::core::env!("CARGO_PKG_VERSION"),
            module: ::core::module_path!(),
            points: &[$( $crate::point::Point::$point ),+],
            provides: <$extension as $crate::Extension>::PROVIDES,
            needs: <$extension as $crate::Extension>::NEEDS,
            base_url: <$extension as $crate::Extension>::BASE_URL,
            schema,
            create,
        }
    }};
}

/// Puts an instance under one of its points. Part of the expansion of [`registration!`](crate::registration!).
#[doc(hidden)]
#[macro_export]
macro_rules! attach_point {
    ($instance:ident, $shared:ident, Authenticator) => {
        $instance.authenticator = ::core::option::Option::Some($shared.clone());
    };
    ($instance:ident, $shared:ident, RequestTransform) => {
        $instance.request = ::core::option::Option::Some($shared.clone());
    };
    ($instance:ident, $shared:ident, Limiter) => {
        $instance.limiter = ::core::option::Option::Some($shared.clone());
    };
    ($instance:ident, $shared:ident, ResponseFilter) => {
        $instance.response = ::core::option::Option::Some($shared.clone());
    };
    ($instance:ident, $shared:ident, CredentialProvider) => {
        $instance.credential = ::core::option::Option::Some($shared.clone());
    };
    ($instance:ident, $shared:ident, TargetPicker) => {
        $instance.picker = ::core::option::Option::Some($shared.clone());
    };
    ($instance:ident, $shared:ident, TokenEstimator) => {
        $instance.estimator = ::core::option::Option::Some($shared.clone());
    };
    ($instance:ident, $shared:ident, AuditSink) => {
        $instance.audit = ::core::option::Option::Some($shared.clone());
    };
    ($instance:ident, $shared:ident, ProviderAdapter) => {
        $instance.provider = ::core::option::Option::Some($shared.clone());
    };
    ($instance:ident, $shared:ident, UsageSink) => {
        $instance.sink = ::core::option::Option::Some($shared.clone());
    };
}

#[cfg(test)]
mod tests;
