//! Limits in memory whose windows never move on: what is spent stays spent until the test ends.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use gatewright::service::limits::{BucketKey, Claim, Claimed, Held, Limits, Refusal, Standing};
use gatewright::{ExtError, async_trait};
use parking_lot::Mutex;

/// Counters per bucket, held and spent.
#[derive(Clone, Debug, Default)]
pub struct MemoryLimits {
    used: Arc<Mutex<HashMap<BucketKey, Used>>>,
    is_unreachable: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Used {
    held: u64,
    spent: u64,
}

impl MemoryLimits {
    /// Limits whose shared state is out of reach: every claim fails.
    #[must_use]
    pub fn unreachable() -> Self {
        Self { is_unreachable: true, ..Self::default() }
    }

    /// What is held in all buckets together.
    #[must_use]
    pub fn held(&self) -> u64 {
        self.used.lock().values().fold(0, |held, used| held.saturating_add(used.held))
    }

    /// What is held and spent, as `tenant/rule/label: held+spent`, in order.
    #[must_use]
    pub fn report(&self) -> Vec<String> {
        let used = self.used.lock();
        let mut lines: Vec<String> = used
            .iter()
            .map(|(key, used)| {
                format!("{}/{}/{}: {}+{}", key.tenant, key.rule, key.label, used.held, used.spent)
            })
            .collect();
        lines.sort();
        lines
    }
}

#[async_trait]
impl Limits for MemoryLimits {
    async fn claim(&self, claims: &[Claim]) -> Result<Claimed, ExtError> {
        if self.is_unreachable {
            return Err(ExtError::new("the shared state is out of reach"));
        }
        let mut used = self.used.lock();
        let mut tightest = Standing { claim: 0, limit: u64::MAX, remaining: u64::MAX, reset: Duration::ZERO };
        for (index, claim) in claims.iter().enumerate() {
            let now = used.get(&claim.key).copied().unwrap_or_default();
            let left = claim.limit.saturating_sub(now.held + now.spent);
            let reset = claim.key.window.unwrap_or_default();
            let remaining = left.saturating_sub(claim.need);
            let standing = Standing { claim: index, limit: claim.limit, remaining, reset };
            if left < claim.need {
                return Ok(Claimed::Refused(Refusal {
                    standing,
                    retry_after: claim.key.window,
                    never_fits: claim.need > claim.limit,
                }));
            }
            if remaining < tightest.remaining {
                tightest = standing;
            }
        }
        for claim in claims {
            used.entry(claim.key.clone()).or_default().held += claim.need;
        }
        let claims = claims.iter().map(|claim| (claim.key.clone(), claim.need)).collect();
        Ok(Claimed::Held(Box::new(Holding { claims, used: Arc::clone(&self.used) }), tightest))
    }
}

/// Claims with what is left of each.
struct Holding {
    claims: Vec<(BucketKey, u64)>,
    used: Arc<Mutex<HashMap<BucketKey, Used>>>,
}

impl Held for Holding {
    fn spend(&mut self, claim: usize, amount: u64) {
        let Some((key, left)) = self.claims.get_mut(claim) else { return };
        let from_claim = amount.min(*left);
        *left -= from_claim;
        let mut used = self.used.lock();
        let used = used.entry(key.clone()).or_default();
        used.held -= from_claim;
        used.spent += amount;
    }

    fn finish(self: Box<Self>) {}
}

impl Drop for Holding {
    fn drop(&mut self) {
        let mut used = self.used.lock();
        for (key, left) in &self.claims {
            used.entry(key.clone()).or_default().held -= left;
        }
    }
}
