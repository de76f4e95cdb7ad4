//! Registration: how an extension that is linked in becomes known.
//!
//! [`register!`](crate::register!) submits one constant entry per extension through `inventory`. Link order is not
//! stable and means nothing: entries are sorted by name, and order on the data path comes from
//! configuration only. A binary lists the packages that it expects ([`Expected`]), and
//! [`Registry::check`] refuses to start when one of them did not register, when a name stands
//! twice, or when a package that is not listed registered.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::point::Point;
use crate::{
    Authenticator, BoxFuture, BuildError, ExtEnv, Extension, Limiter, ProviderAdapter, RequestTransform,
    ResponseFilter, Settings, UsageSink,
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
    /// As a provider adapter.
    pub provider: Option<Arc<dyn ProviderAdapter>>,
    /// As a usage sink.
    pub sink: Option<Arc<dyn UsageSink>>,
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
            provider: None,
            sink: None,
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
    /// See [`Extension::ready`].
    fn is_ready(&self) -> bool;
    /// See [`Extension::stop`].
    fn shut_down(&self, within: Duration) -> BoxFuture<'_, ()>;
}

impl<E: Extension> Life for E {
    fn is_ready(&self) -> bool {
        self.ready()
    }

    fn shut_down(&self, within: Duration) -> BoxFuture<'_, ()> {
        Box::pin(self.stop(within))
    }
}

/// A package that the binary was built to contain.
#[derive(Clone, Copy, Debug)]
pub struct Expected {
    /// The Cargo package.
    pub package: &'static str,
    /// Where the build names it, for the error message.
    pub listed_in: &'static str,
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
    #[error("the extension name `{name}` is registered by `{first}` and by `{second}`; rename one")]
    Duplicate {
        /// The name.
        name: &'static str,
        /// One package and module.
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
        let mut by_name: BTreeMap<&'static str, &'static Registration> = BTreeMap::new();
        let mut errors = Vec::new();
        for registration in registrations {
            if let Some(other) = by_name.insert(registration.name, registration) {
                let mut sides =
                    [other, registration].map(|side| format!("{}::{}", side.package, side.module));
                sides.sort();
                let [first, second] = sides;
                errors.push(RegistryError::Duplicate { name: registration.name, first, second });
            }
        }
        if errors.is_empty() { Ok(Self { by_name }) } else { Err(errors) }
    }

    /// Compares what registered with what the build lists.
    ///
    /// # Errors
    ///
    /// Every listed package without a registration, and every registration of a package that is
    /// not listed.
    pub fn check(&self, expected: &[Expected]) -> Result<(), Vec<RegistryError>> {
        let missing = expected
            .iter()
            .filter(|entry| self.iter().all(|known| known.package != entry.package))
            .map(|entry| RegistryError::Missing { package: entry.package, listed_in: entry.listed_in });
        let unlisted = self
            .iter()
            .filter(|known| expected.iter().all(|entry| entry.package != known.package))
            .map(|known| RegistryError::Unlisted { package: known.package, name: known.name });
        let errors: Vec<_> = missing.chain(unlisted).collect();
        if errors.is_empty() { Ok(()) } else { Err(errors) }
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
            fn create(
                settings: $crate::Settings,
                env: $crate::ExtEnv,
            ) -> $crate::registry::Creating {
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

            $crate::inventory::submit! {
                $crate::registry::Registration {
                    name: <$extension as $crate::Extension>::NAME,
                    package: ::core::env!("CARGO_PKG_NAME"),
                    version: ::core::env!("CARGO_PKG_VERSION"),
                    module: ::core::module_path!(),
                    points: &[$( $crate::point::Point::$point ),+],
                    schema,
                    create,
                }
            }
        };
    };
}

/// Puts an instance under one of its points. Part of the expansion of [`register!`](crate::register!).
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
    ($instance:ident, $shared:ident, ProviderAdapter) => {
        $instance.provider = ::core::option::Option::Some($shared.clone());
    };
    ($instance:ident, $shared:ident, UsageSink) => {
        $instance.sink = ::core::option::Option::Some($shared.clone());
    };
}
