//! Bounds tokens, cost and requests per window, for any label: tenant, user, model, group, tag, header.
//!
//! It is asked once the request has its final shape. What the exchange is expected to use is reserved in
//! all rules together, or in none; a stream that outgrows its reservation reserves more; the exact figures
//! are settled once, at the end, and what went beyond counts all the same.

mod reservation;
mod rule;
mod settings;

use std::sync::Arc;

use gatewright::http::StatusCode;
use gatewright::prelude::*;
use gatewright::service::limits::{Claim, Claimed, Dimension, Limits, Refusal, Standing};

use crate::reservation::Spending;
use crate::rule::{Expected, Rule};
pub use crate::settings::{Overrun, RuleSettings, Settings, UnknownPrice, Window};

/// Admits requests by what they will use.
pub struct TokenLimits {
    rules: Vec<Rule>,
    limits: Arc<dyn Limits>,
    reserve_output: u64,
    overrun: Overrun,
    unknown_price: UnknownPrice,
}

impl std::fmt::Debug for TokenLimits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenLimits").field("rules", &self.rules).finish_non_exhaustive()
    }
}

impl Extension for TokenLimits {
    const NAME: &'static str = "token-limits";
    type Config = Settings;

    async fn create(config: Settings, env: ExtEnv) -> Result<Self, BuildError> {
        let Settings { rules, reserve_output, overrun, unknown_price } = config;
        let reserve_output = reserve_output.map_or(u64::MAX, std::num::NonZero::get);
        let rules = settings::checked(rules, &env.instance)?;
        Ok(Self { rules, limits: env.limits, reserve_output, overrun, unknown_price })
    }
}

#[async_trait]
impl Limiter for TokenLimits {
    async fn reserve(
        &self,
        estimate: &Estimate,
        _request: &LlmRequest,
        _ticket: Option<u64>,
        cx: &mut RequestCx,
    ) -> HookResult<Admission> {
        let expected = Expected::of(estimate, self.reserve_output);
        if expected.cost.is_none()
            && self.unknown_price == UnknownPrice::Deny
            && self.rules.iter().any(|rule| rule.bounds(Dimension::Cost))
        {
            return Ok(Admission::Deny(Box::new(unknown_price(cx.model())), None));
        }
        let mut claims = Vec::new();
        for rule in &self.rules {
            rule.claim(cx, &expected, &mut claims);
        }
        Ok(match self.limits.claim(&claims).await? {
            Claimed::Refused(refusal) => refused(&claims, &refusal),
            Claimed::Unknown { retry_after } => {
                Admission::Deny(Box::new(Denial::uncounted(retry_after)), None)
            }
            Claimed::Held(held, standing) => {
                let hint = hint(&claims, &standing);
                let limits = Arc::clone(&self.limits);
                let spending = Spending::new(limits, claims, held, expected.output, self.overrun);
                Admission::Admit(Box::new(spending), hint)
            }
        })
    }
}

fn unknown_price(model: &ModelName) -> Denial {
    let message =
        format!("the price of `{model}` is not known, and a limit on cost applies; choose another model");
    Denial::forbidden("price_unknown", message)
}

/// What the caller learns of the tightest bucket. Budgets are not told.
fn hint(claims: &[Claim], standing: &Standing) -> Option<LimitHint> {
    let unit = match claims.get(standing.claim)?.key.dimension {
        Dimension::Requests => LimitUnit::Requests,
        Dimension::InputTokens | Dimension::OutputTokens | Dimension::TotalTokens => LimitUnit::Tokens,
        Dimension::Cost | Dimension::Concurrent => return None,
    };
    let Standing { limit, remaining, reset, .. } = *standing;
    Some(LimitHint { unit, limit, remaining, reset })
}

fn refused(claims: &[Claim], refusal: &Refusal) -> Admission {
    let standing = &refusal.standing;
    let claim = claims.get(standing.claim);
    let need = claim.map_or(0, |claim| claim.need);
    let (code, what) = match claim.map(|claim| claim.key.dimension) {
        Some(Dimension::InputTokens) => ("token_limit_exceeded", "prompt tokens"),
        Some(Dimension::OutputTokens) => ("token_limit_exceeded", "output tokens"),
        Some(Dimension::TotalTokens) => ("token_limit_exceeded", "tokens"),
        Some(Dimension::Cost) => ("budget_exceeded", ""),
        Some(Dimension::Requests | Dimension::Concurrent) | None => ("too_many_requests", "requests"),
    };
    let denial = match (refusal.never_fits, code) {
        (true, "budget_exceeded") => {
            let message =
                "the request costs more than a whole window takes; ask for less output, or shorten it";
            Denial::new(StatusCode::BAD_REQUEST, "request_exceeds_limit", message)
        }
        (true, _) => {
            let limit = standing.limit;
            let message = format!(
                "the request needs {need} {what}, and a whole window takes {limit}; ask for less output, or \
                 shorten it"
            );
            Denial::new(StatusCode::BAD_REQUEST, "request_exceeds_limit", message)
        }
        (false, "budget_exceeded") => {
            Denial::too_many(code, "the budget of this window is spent; try again later", refusal.retry_after)
        }
        (false, _) => {
            let (limit, left) = (standing.limit, standing.remaining);
            let message = format!(
                "the request needs {need} {what}, and {left} of {limit} are left in this window; try again later"
            );
            Denial::too_many(code, message, refusal.retry_after)
        }
    };
    Admission::Deny(Box::new(denial), hint(claims, standing))
}

gatewright::register!(TokenLimits => Limiter);

#[cfg(test)]
mod tests;
