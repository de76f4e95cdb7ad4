//! The limits service of a rehearsal: it decides as the running gateway would, by what that has counted, writes down
//! what was asked, and consumes nothing there.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use gatewright::ExtError;
use gatewright::service::Clock;
use gatewright::service::limits::{BucketKey, Claim, Claimed, Limits};
use gatewright_store::MemoryLimits;
use parking_lot::Mutex;

use super::live::{LiveBucket, LiveGateway};

/// A claim of a rehearsal, and what is known of its bucket.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) claim: Claim,
    /// What the running gateway has counted; `None` where nobody tells.
    pub(super) live: Option<LiveBucket>,
}

impl Asked {
    /// What is left of the limit, if that is known.
    pub(super) fn remaining(&self) -> Option<u64> {
        let live = self.live?;
        Some(self.claim.limit.saturating_sub(live.used.saturating_add(live.held)))
    }
}

/// The service.
pub(super) struct RehearsedLimits {
    counted: MemoryLimits,
    live: Option<LiveGateway>,
    taken_over: Mutex<HashSet<BucketKey>>,
    asked: Mutex<Vec<Asked>>,
}

impl RehearsedLimits {
    /// Limits by what a running gateway has counted, if one answers.
    pub(super) fn new(clock: Arc<dyn Clock>, live: Option<LiveGateway>) -> Self {
        Self {
            counted: MemoryLimits::new(clock),
            live,
            taken_over: Mutex::default(),
            asked: Mutex::default(),
        }
    }

    /// Every claim so far, in order.
    pub(super) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().clone()
    }

    async fn look(&self, claim: &Claim) -> Asked {
        let live = match &self.live {
            // A gateway that stopped answering counts as one that never did.
            Some(gateway) => gateway.bucket(&claim.key).await.ok(),
            None => None,
        };
        Asked { claim: claim.clone(), live }
    }
}

#[async_trait]
impl Limits for RehearsedLimits {
    async fn claim(&self, claims: &[Claim]) -> Result<Claimed, ExtError> {
        let mut clears = Vec::with_capacity(claims.len());
        for claim in claims {
            let asked = self.look(claim).await;
            let live = asked.live.unwrap_or_default();
            clears.push(live.clears);
            self.asked.lock().push(asked);
            if self.taken_over.lock().insert(claim.key.clone()) {
                self.counted.take_over(&claim.key, live.used, live.held)?;
            }
        }
        let mut claimed = self.counted.claim_now(claims)?;
        if let Claimed::Refused(refusal) = &mut claimed
            && let Some(clears) = clears.get(refusal.standing.claim).filter(|clears| !clears.is_zero())
        {
            // When each part of what was used leaves the window is known there alone; by then all of it has.
            refusal.standing.reset = *clears;
            refusal.retry_after = refusal.retry_after.map(|_| *clears);
        }
        Ok(claimed)
    }
}
