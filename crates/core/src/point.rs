//! The extension points: one small, object-safe trait each. Built-in policies use exactly these.

pub mod audit;
pub mod auth;
pub mod credential;
pub mod estimator;
pub mod filter;
pub mod limiter;
pub mod picker;
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
    /// [`CredentialProvider`](crate::CredentialProvider)
    CredentialProvider,
    /// [`TargetPicker`](crate::TargetPicker)
    TargetPicker,
    /// [`ProviderAdapter`](crate::ProviderAdapter)
    ProviderAdapter,
    /// [`TokenEstimator`](crate::TokenEstimator)
    TokenEstimator,
    /// [`UsageSink`](crate::UsageSink)
    UsageSink,
    /// [`AuditSink`](crate::AuditSink)
    AuditSink,
}

impl Point {
    /// All points, in the order in which an exchange meets them.
    pub const ALL: &[Self] = &[
        Self::Authenticator,
        Self::RequestTransform,
        Self::Limiter,
        Self::ResponseFilter,
        Self::CredentialProvider,
        Self::TargetPicker,
        Self::ProviderAdapter,
        Self::TokenEstimator,
        Self::UsageSink,
        Self::AuditSink,
    ];

    /// The point of a name that [`Point::as_str`] gives.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|point| point.as_str() == name)
    }

    /// The point's name in configuration, logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Authenticator => "auth",
            Self::RequestTransform => "request",
            Self::Limiter => "limiter",
            Self::ResponseFilter => "response",
            Self::CredentialProvider => "credential",
            Self::TargetPicker => "picker",
            Self::ProviderAdapter => "provider",
            Self::TokenEstimator => "estimator",
            Self::UsageSink => "sink",
            Self::AuditSink => "audit",
        }
    }
}
