//! The extension points: one small, object-safe trait each. Built-in policies use exactly these.

pub mod auth;
pub mod filter;
pub mod limiter;
pub mod provider;
pub mod sink;
pub mod transform;

/// The points that an extension can register for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Point {
    /// [`Authenticator`](crate::Authenticator)
    Authenticator,
    /// [`RequestTransform`](crate::RequestTransform)
    RequestTransform,
    /// [`Limiter`](crate::Limiter)
    Limiter,
    /// [`ResponseFilter`](crate::ResponseFilter)
    ResponseFilter,
    /// [`ProviderAdapter`](crate::ProviderAdapter)
    ProviderAdapter,
    /// [`UsageSink`](crate::UsageSink)
    UsageSink,
}

impl Point {
    /// The point's name in configuration, logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Authenticator => "auth",
            Self::RequestTransform => "request",
            Self::Limiter => "limiter",
            Self::ResponseFilter => "response",
            Self::ProviderAdapter => "provider",
            Self::UsageSink => "sink",
        }
    }
}
