//! The extension SDK of Gatewright: what an extension author imports, and all they import.
//!
//! It holds the nouns of the data path ([`Principal`], [`LlmRequest`], [`StreamEvent`], [`Usage`],
//! [`Money`], [`Denial`], [`Failure`]), the extension points ([`RequestTransform`],
//! [`ResponseFilter`], [`Limiter`] and their kin), the services that an extension receives
//! ([`ExtEnv`]) and the registration macro ([`register!`]).
//! It performs no input or output and starts no task.
//!
//! Request, answer and event types are not serialisable on purpose: each border has its own shapes.
#![warn(missing_docs)]

// The derive and attribute macros name this crate from the outside; the alias lets
// this crate's own tests and doc tests use them as well.
extern crate self as gatewright;

mod ask;
pub mod chat;
mod context;
mod decision;
pub mod dialect;
pub mod embedding;
mod extension;
mod failure;
mod id;
mod label;
mod money;
pub mod point;
pub mod prelude;
mod principal;
pub mod record;
pub mod registry;
mod request;
mod response;
mod secret;
pub mod service;
pub mod signature;
mod stream;
pub mod text;
mod usage;

pub use ask::ASKS_MAX;
#[doc(hidden)]
pub use ask::{AskExchange, AskHost, Bill};
pub use async_trait::async_trait;
pub use context::{AttemptInfo, RequestCx, RequestFacts, SideEffects, Slots, StreamCx, Tags};
pub use decision::{Denial, ExtError, Flow, HookResult};
pub use extension::{BuildError, ExtEnv, Extension, Settings};
pub use failure::{Failure, FailureKind, Retry, Side};
pub use gatewright_macros::config;
pub use id::{InstanceId, ModelName, ProviderName, RequestId, RouteName, TenantId};
pub use label::Label;
pub use money::{Money, ParseMoneyError};
pub use point::audit::{AuditAction, AuditRecord, AuditSink};
pub use point::auth::{AuthVerdict, Authenticator, KEY_HEADERS, RequestHead};
pub use point::credential::{CredentialProvider, CredentialQuery, CredentialScope, Found, Shown};
pub use point::estimator::TokenEstimator;
pub use point::filter::{FilterPlan, ResponseFilter, StreamFilter, StreamFlow};
pub use point::limiter::{
    Admission, Estimate, LimitHint, LimitPhase, LimitUnit, Limiter, Progress, Reservation, TopUp,
};
pub use point::picker::{Candidate, TargetPicker, Try, TryResult};
pub use point::provider::{ProviderAdapter, ProviderRequest, ProviderTarget, UnsignedCall, UpstreamCall};
pub use point::sink::UsageSink;
pub use point::transform::{RequestTransform, TransformPhase};
pub use principal::{Principal, matches_pattern};
pub use request::{EditError, LlmRequest, Placement, RequestCounts, Role, TextKind, TextPart};
pub use response::{LlmResponse, ResponseHead};
pub use secret::Secret;
pub use stream::{CancelledBy, EventKind, EventText, FinishReason, Origin, Outcome, StreamEvent};
pub use text::{HoldBack, Lane, LaneKind, LaneMask, Overflow, TextPatterns, TextWindow};
pub use usage::{Usage, UsageSource};

// What the macros of this crate expand to; an extension needs no dependency but this one.
pub use {bytes, http, inventory, schemars, serde, serde_json, tracing};

/// A boxed, sendable future, as object-safe hooks return it.
pub type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;
