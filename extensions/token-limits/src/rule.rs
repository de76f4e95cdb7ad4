//! One rule: what it claims for a request.

use std::sync::Arc;
use std::time::Duration;

use gatewright::Label;
use gatewright::prelude::*;
use gatewright::service::limits::{BucketKey, Claim, Dimension};

/// A rule that was checked.
#[derive(Debug)]
pub(crate) struct Rule {
    /// Instance and name: what the limits service knows the rule by.
    pub(crate) id: Arc<str>,
    pub(crate) per: Vec<Label>,
    pub(crate) window: Duration,
    /// The limits, by what they count.
    pub(crate) limits: Vec<(Dimension, u64)>,
}

/// What an exchange is expected to use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expected {
    pub(crate) input: u64,
    /// As much of the output as is reserved at first.
    pub(crate) output: u64,
    /// In nano-dollars.
    pub(crate) cost: Option<u64>,
}

impl Expected {
    pub(crate) fn of(estimate: &Estimate, output_max: u64) -> Self {
        Self {
            input: estimate.usage.prompt_tokens(),
            output: estimate.usage.output.min(output_max),
            cost: estimate.cost.and_then(|cost| cost.nanos().try_into().ok()),
        }
    }

    fn need(&self, dimension: Dimension) -> u64 {
        match dimension {
            Dimension::Requests | Dimension::Concurrent => 1,
            Dimension::InputTokens => self.input,
            Dimension::OutputTokens => self.output,
            Dimension::TotalTokens => self.input.saturating_add(self.output),
            Dimension::Cost => self.cost.unwrap_or(0),
        }
    }
}

impl Rule {
    pub(crate) fn bounds(&self, dimension: Dimension) -> bool {
        self.limits.iter().any(|(bounded, _)| *bounded == dimension)
    }

    /// Adds what the rule claims for a request.
    pub(crate) fn claim(&self, cx: &RequestCx, expected: &Expected, claims: &mut Vec<Claim>) {
        Label::for_each_combination(&self.per, cx, &mut |label| {
            claims.extend(self.limits.iter().map(|(dimension, limit)| Claim {
                key: BucketKey {
                    tenant: cx.principal().tenant.clone(),
                    rule: Arc::clone(&self.id),
                    label: Arc::clone(&label),
                    dimension: *dimension,
                    window: Some(self.window),
                },
                limit: *limit,
                need: expected.need(*dimension),
            }));
        });
    }
}
