//! Bounds requests per window and requests at the same time, per caller, tenant, model or label.
//!
//! What was counted belongs to the limits service of the host: it survives reloads, and is shared where
//! the operator shares it. All rules of an instance are claimed together, all or none.

mod rule;
mod settings;

use std::sync::Arc;

use gatewright::prelude::*;
use gatewright::service::limits::{Claim, Claimed, Dimension, Held, Limits, Refusal};

use crate::rule::Rule;
pub use crate::settings::{RuleSettings, Settings, Window};

/// Admits requests by rules.
pub struct RequestLimits {
    rules: Vec<Rule>,
    limits: Arc<dyn Limits>,
}

impl std::fmt::Debug for RequestLimits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RequestLimits").field("rules", &self.rules).finish_non_exhaustive()
    }
}

impl Extension for RequestLimits {
    const NAME: &'static str = "request-limits";
    type Config = Settings;

    async fn create(config: Settings, env: ExtEnv) -> Result<Self, BuildError> {
        Ok(Self { rules: config.rules(&env.instance)?, limits: env.limits })
    }
}

#[async_trait]
impl Limiter for RequestLimits {
    fn phase(&self) -> LimitPhase {
        LimitPhase::Arrival
    }

    async fn reserve(
        &self,
        _estimate: &Estimate,
        _request: &LlmRequest,
        _ticket: Option<u64>,
        cx: &mut RequestCx,
    ) -> HookResult<Admission> {
        let mut claims = Vec::with_capacity(2 * self.rules.len());
        for rule in &self.rules {
            rule.claim(cx, &mut claims);
        }
        Ok(match self.limits.claim(&claims).await? {
            Claimed::Refused(refusal) => refused(&claims, &refusal),
            Claimed::Unknown { retry_after } => {
                Admission::Deny(Box::new(Denial::uncounted(retry_after)), None)
            }
            Claimed::Held(held, standing) => {
                let counted = (0..claims.len()).filter(|index| is_counted(&claims, *index)).collect();
                let hint = is_counted(&claims, standing.claim).then_some(LimitHint {
                    unit: LimitUnit::Requests,
                    limit: standing.limit,
                    remaining: standing.remaining,
                    reset: standing.reset,
                });
                Admission::Admit(Box::new(Place { held, counted }), hint)
            }
        })
    }
}

/// Whether a claim counts requests; the others are places that are given back.
fn is_counted(claims: &[Claim], index: usize) -> bool {
    claims.get(index).is_some_and(|claim| claim.key.dimension == Dimension::Requests)
}

fn refused(claims: &[Claim], refusal: &Refusal) -> Admission {
    let standing = refusal.standing;
    let (denial, hint) = if is_counted(claims, standing.claim) {
        let message = format!("more than {} requests in this window; try again later", standing.limit);
        let hint = LimitHint {
            unit: LimitUnit::Requests,
            limit: standing.limit,
            remaining: standing.remaining,
            reset: standing.reset,
        };
        (Denial::too_many("too_many_requests", message, refusal.retry_after), Some(hint))
    } else {
        let message = format!("more than {} requests at the same time; let one end first", standing.limit);
        (Denial::too_many("too_many_concurrent_requests", message, refusal.retry_after), None)
    };
    Admission::Deny(Box::new(denial), hint)
}

/// The place of one request in all rules.
struct Place {
    held: Box<dyn Held>,
    /// The claims that count the request and are not spent yet.
    counted: Vec<usize>,
}

impl Place {
    /// Counts the request, once.
    fn count(&mut self) {
        for claim in self.counted.drain(..) {
            self.held.spend(claim, 1);
        }
    }
}

impl Reservation for Place {
    fn progress(&mut self, _so_far: &Usage) -> HookResult<Progress> {
        // Counted as soon as the answer begins, so that a long stream counts where it began.
        self.count();
        Ok(Progress::Continue)
    }

    fn settle(mut self: Box<Self>, outcome: &Outcome) -> Option<BoxFuture<'static, Result<(), ExtError>>> {
        if !matches!(outcome, Outcome::NotSent) {
            self.count();
        }
        self.held.finish();
        None
    }
}

gatewright::register!(RequestLimits => Limiter);

#[cfg(test)]
mod tests;
