//! What an extension usually imports: `use gatewright::prelude::*;`.

pub use crate::dialect::{Dialect, Operation};
pub use crate::service::task::TaskScope;
pub use crate::{
    Admission, AuditAction, AuditSink, AuthVerdict, Authenticator, BoxFuture, BuildError, CredentialProvider,
    Denial, Estimate, EventKind, ExtEnv, ExtError, Extension, Failure, FilterPlan, Flow, HoldBack,
    HookResult, Lane, LaneKind, LaneMask, LimitHint, LimitPhase, LimitUnit, Limiter, LlmRequest, LlmResponse,
    ModelName, Money, Outcome, Placement, Principal, Progress, ProviderAdapter, RequestCx, RequestHead,
    RequestTransform, Reservation, ResponseFilter, ResponseHead, Role, Secret, StreamCx, StreamEvent,
    StreamFilter, StreamFlow, TargetPicker, TenantId, TextKind, TextPart, TextPatterns, TextWindow,
    TokenEstimator, TopUp, TransformPhase, Usage, UsageSink, async_trait, tracing,
};
