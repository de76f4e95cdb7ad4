//! Counters that hold under concurrency, survive reloads, and are shared where the operator
//! shares them.
//!
//! State belongs to the identity of a bucket, not to an instance: replacing the instance that
//! asks does not reset what was counted.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::{ExtError, TenantId};

/// What a bucket counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dimension {
    /// Requests.
    Requests,
    /// Prompt tokens.
    InputTokens,
    /// Output tokens.
    OutputTokens,
    /// Prompt and output tokens.
    TotalTokens,
    /// Nano-dollars.
    Cost,
    /// Exchanges that run at the same time.
    Concurrent,
}

impl Dimension {
    /// All dimensions.
    pub const ALL: &[Self] = &[
        Self::Requests,
        Self::InputTokens,
        Self::OutputTokens,
        Self::TotalTokens,
        Self::Cost,
        Self::Concurrent,
    ];

    /// The dimension's name for operators.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::InputTokens => "input_tokens",
            Self::OutputTokens => "output_tokens",
            Self::TotalTokens => "total_tokens",
            Self::Cost => "cost_nanodollars",
            Self::Concurrent => "concurrent",
        }
    }

    /// The dimension of a name that [`Dimension::as_str`] gives.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|dimension| dimension.as_str() == name)
    }
}

/// The identity of a bucket.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BucketKey {
    /// Whose it is. No bucket is shared between tenants.
    pub tenant: TenantId,
    /// The rule that it belongs to, for example the instance's id.
    pub rule: Arc<str>,
    /// What the rule is applied to, for example a user's name.
    pub label: Arc<str>,
    /// What it counts.
    pub dimension: Dimension,
    /// The window; `None` for what is held and given back ([`Dimension::Concurrent`]).
    pub window: Option<Duration>,
}

/// A claim on one bucket.
#[derive(Clone, Debug)]
pub struct Claim {
    /// Which bucket.
    pub key: BucketKey,
    /// The limit of the bucket.
    pub limit: u64,
    /// How much is claimed.
    pub need: u64,
}

/// What came of a claim.
#[must_use]
pub enum Claimed {
    /// All buckets had room; the claims are held.
    Held(Box<dyn Held>, Standing),
    /// One bucket had no room, and nothing was taken from any.
    Refused(Refusal),
    /// Nobody can tell: what replicas count together is out of reach, and the operator's policy for that is to refuse.
    /// It is no failure of who asks. [`Denial::uncounted`](crate::Denial::uncounted) tells the caller.
    Unknown {
        /// When it may be worth asking again.
        retry_after: Duration,
    },
}

impl std::fmt::Debug for Claimed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Held(_, standing) => f.debug_tuple("Held").field(standing).finish(),
            Self::Refused(refusal) => f.debug_tuple("Refused").field(refusal).finish(),
            Self::Unknown { retry_after } => {
                f.debug_struct("Unknown").field("retry_after", retry_after).finish()
            }
        }
    }
}

/// How the tightest bucket of a claim stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Which claim, by its place in the call.
    pub claim: usize,
    /// Its limit.
    pub limit: u64,
    /// What is left.
    pub remaining: u64,
    /// When the window is whole again; zero for what is given back.
    pub reset: Duration,
}

/// Why a claim was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// How the bucket without room stands.
    pub standing: Standing,
    /// When there will be room; `None` when the claim can never fit, or nobody can tell.
    pub retry_after: Option<Duration>,
    /// Whether the claim is larger than the limit itself, so that waiting never helps.
    pub never_fits: bool,
}

/// Claims that are held until they are spent or given back. Dropping gives back what is left.
pub trait Held: Send + 'static {
    /// Turns a part of a claim into use, at this moment. What exceeds the claim is counted too.
    fn spend(&mut self, claim: usize, amount: u64);
    /// Ends all claims: what was not spent is given back.
    fn finish(self: Box<Self>);
}

/// The service.
#[async_trait]
pub trait Limits: Send + Sync + 'static {
    /// Claims room in all buckets, or in none.
    ///
    /// # Errors
    ///
    /// When the service itself fails. Shared state that is out of reach is [`Claimed::Unknown`] or a share of the limit.
    ///
    /// # Cancellation
    ///
    /// What was claimed is given back.
    async fn claim(&self, claims: &[Claim]) -> Result<Claimed, ExtError>;
}
