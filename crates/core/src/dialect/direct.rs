//! A call that its caller addresses at a provider: method, path and query are the caller's own.

use http::Method;

/// What comes before a provider's name in the name by which keys are allowed to call it directly.
pub const DIRECT_PREFIX: &str = "passthrough/";

/// A call in no dialect, which goes to a provider as it is and whose answer comes back as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Direct {
    /// The provider, by its name in the configuration.
    pub provider: Box<str>,
    /// The method.
    pub method: Method,
    /// Path and query behind the provider's base URL, in canonical form, beginning with a slash.
    pub path: Box<str>,
}

impl Direct {
    /// The name by which keys, tenants and routes know calls of this kind: `passthrough/` and the provider's.
    #[must_use]
    pub fn model(provider: &str) -> String {
        format!("{DIRECT_PREFIX}{provider}")
    }

    /// The path by which routes know the call: as it was asked for here, but in canonical form, so that no escape leads
    /// past a route.
    #[must_use]
    pub fn path_here(&self) -> String {
        let path = self.path.split('?').next().unwrap_or_default();
        format!("/{}{path}", Self::model(&self.provider))
    }
}
