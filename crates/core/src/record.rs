//! What is remembered of an exchange: one record per attempt. It carries no prompt, no answer and
//! no secret.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use crate::chat::Loss;
use crate::dialect::Operation;
use crate::{ModelName, Money, Principal, ProviderName, RequestId, RouteName, Tags, Usage, UsageSource};

/// The record of one attempt.
///
/// Its identity is the exchange and the number of the attempt.
#[derive(Clone, Debug)]
pub struct UsageRecord {
    /// The exchange.
    pub request_id: RequestId,
    /// The attempt, counted from 1; 0 when nothing was sent to a provider.
    pub attempt: u32,
    /// The caller: tenant, project, user, key label.
    pub principal: Arc<Principal>,
    /// The route.
    pub route: RouteName,
    /// What was asked for.
    pub operation: Operation,
    /// Whether the answer was streamed.
    pub streamed: bool,
    /// The public model name that the caller asked for.
    pub model_asked: ModelName,
    /// The model name that the provider was asked for.
    pub model_served: Option<Arc<str>>,
    /// The provider.
    pub provider: Option<ProviderName>,
    /// The status that the client received.
    pub status: u16,
    /// How the attempt ended, see [`Outcome::as_str`](crate::Outcome::as_str).
    pub outcome: &'static str,
    /// A machine-readable code when it did not end well.
    pub code: Option<Cow<'static, str>>,
    /// The tokens.
    pub usage: Usage,
    /// Where the figures come from.
    pub usage_source: UsageSource,
    /// The price, or `None` when it is not known. Unknown is never zero.
    pub cost: Option<Money>,
    /// When the exchange began, in milliseconds of Unix time.
    pub started_unix_ms: u64,
    /// From the head of the request to the first byte of content.
    pub time_to_first_token: Option<Duration>,
    /// From the head of the request to the last byte of the answer.
    pub total: Duration,
    /// The part of `total` that the gateway itself spent before the request went out and after the
    /// provider's head came in.
    pub overhead: Duration,
    /// What the translation into the provider's dialect could not carry over.
    pub losses: Vec<Loss>,
    /// Labels.
    pub tags: Tags,
}
